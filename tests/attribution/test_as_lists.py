"""What is said of AS numbers: registered names, and lists of hosting companies."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.attribution.as_lists import (
    as_names_from_parquet,
    hosting_asns_from_csv,
    hosting_asns_from_lines,
)
from concentra.attribution.errors import MalformedSource


def parquet(**columns: object) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def test_as_names_from_parquet() -> None:
    data = parquet(
        asn=[64496, 64497, 64498, None], name=["Größe", None, "", "nobody"], country=["DE", "", "", ""]
    )
    assert as_names_from_parquet(data) == {64496: "Größe"}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"PAR1" + bytes(40) + b"PAR1", id="zeros"),
        pytest.param(b"asn,name\n64496,Example\n", id="csv"),
        pytest.param(parquet(asn=[64496]), id="no-names"),
        pytest.param(parquet(name=["Example"]), id="no-numbers"),
        pytest.param(parquet(asn=["AS64496"], name=["Example"]), id="number-with-as"),
        pytest.param(parquet(asn=[-1], name=["Example"]), id="negative"),
        pytest.param(parquet(asn=[1 << 32], name=["Example"]), id="33-bits"),
        pytest.param(parquet(asn=[1.5], name=["Example"]), id="fraction"),
        pytest.param(parquet(asn=[64496], name=[["Example"]]), id="name-a-list"),
        pytest.param(parquet(asn=[64496], name=[b"\xff"]), id="name-not-text"),
    ],
)
def test_malformed_as_names(data: bytes) -> None:
    with pytest.raises(MalformedSource, match="columns asn and name"):
        as_names_from_parquet(data)


SAMPLE = parquet(asn=list(range(64496, 64512)), name=[f"Example {number} GmbH" for number in range(16)])


@given(st.lists(st.tuples(st.integers(0, len(SAMPLE) - 1), st.integers(0, 255)), min_size=1, max_size=2))
def test_damaged_parquet_is_read_or_malformed(damage: list[tuple[int, int]]) -> None:
    data = bytearray(SAMPLE)
    for at, value in damage:
        data[at] = value
    try:
        known = as_names_from_parquet(bytes(data))
    except MalformedSource as error:
        assert error.source == "AS names"
    else:
        assert {type(value) for pair in known.items() for value in pair} <= {int, str}


def test_parquet_that_is_cut_anywhere_is_malformed() -> None:
    for cut in range(0, len(SAMPLE), 7):
        with pytest.raises(MalformedSource):
            as_names_from_parquet(SAMPLE[:cut])


def test_hosting_list_in_lines() -> None:
    data = "# AS64511 is no entry\nAS64496 # Größe\nAS64497\n\n  \nAS64496 # again\r\nAS64500# no space\n".encode()
    assert hosting_asns_from_lines(data) == {64496, 64497, 64500}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\xff\xfe", id="not-text"),
        pytest.param(b"<!DOCTYPE html>\n<title>404</title>\n", id="error-page"),
        pytest.param(b"AS64496 # one\n64497 # without AS\n", id="bare-number"),
        pytest.param(b"AS64496x\n", id="number-runs-on"),
        pytest.param(b"AS # none\n", id="no-number"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"# none today\n", id="comments-only"),
    ],
)
def test_malformed_hosting_lines(data: bytes) -> None:
    with pytest.raises(MalformedSource, match="x4bnet"):
        hosting_asns_from_lines(data)


def test_hosting_list_in_csv() -> None:
    data = 'Entity,ASN\n"Größe, DE", 64496\nExample,64497\n\nExample,64497\n'.encode()
    assert hosting_asns_from_csv(data) == {64496, 64497}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xff\xfe", id="not-text"),
        pytest.param(b"number,Entity\n64496,Example\n", id="no-such-column"),
        pytest.param(b"ASN,Entity\nAS64496,Example\n", id="number-with-as"),
        pytest.param(b"ASN,Entity\n,Example\n", id="no-number"),
        pytest.param("ASN,Entity\n²,Example\n".encode(), id="superscript-is-no-number"),
        pytest.param(b"Entity,ASN\nExample\n", id="row-cut-short"),
        pytest.param(b"ASN,Entity\n", id="header-only"),
        pytest.param(b'ASN,Entity\n64496,"' + b"x" * 200_000, id="endless-field"),
    ],
)
def test_malformed_hosting_csv(data: bytes) -> None:
    with pytest.raises(MalformedSource, match="bad-asn-list"):
        hosting_asns_from_csv(data)
