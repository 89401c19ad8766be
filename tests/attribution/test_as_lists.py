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
from concentra.attribution.origin_readers import MAX_REASON


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


NO_AS_NUMBERS = [
    pytest.param("0", id="zero"),
    pytest.param("4294967296", id="33-bits"),
    pytest.param("9" * 4000, id="many-digits"),
    pytest.param("1_0", id="underscore"),
    pytest.param("-5", id="negative"),
    pytest.param("+5", id="plus"),
    pytest.param(" 7", id="space-before"),
    pytest.param("7.5", id="fraction"),
    pytest.param("64496-64499", id="range"),
    pytest.param("\N{ARABIC-INDIC DIGIT SEVEN}", id="digit-of-another-script"),
]


def test_hosting_list_in_lines() -> None:
    data = "# AS64511 is no entry\nAS64496 # Größe\nAS64497\n\n  \nAS64496 # again\r\nAS64500# no space\nAS1\nAS4294967295\n".encode()
    assert hosting_asns_from_lines(data) == {1, 64496, 64497, 64500, 4294967295}


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
    with pytest.raises(MalformedSource, match=r"^hosting-lines: "):
        hosting_asns_from_lines(data)


@pytest.mark.parametrize("asn", NO_AS_NUMBERS)
def test_a_hosting_line_without_an_as_number_is_told_by_its_number(asn: str) -> None:
    with pytest.raises(MalformedSource, match=r"^hosting-lines: line 3: wanted ") as caught:
        hosting_asns_from_lines(f"# ours\nAS64496 # one\nAS{asn} # two\n".encode())
    assert len(caught.value.reason) <= MAX_REASON


def test_hosting_list_in_csv() -> None:
    data = 'Entity,ASN\n"Größe, DE",64496\nExample,64497\n\nExample,64497\nLast,4294967295\n'.encode()
    assert hosting_asns_from_csv(data) == {64496, 64497, 4294967295}


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
    with pytest.raises(MalformedSource, match=r"^hosting-csv: "):
        hosting_asns_from_csv(data)


@pytest.mark.parametrize("asn", NO_AS_NUMBERS)
def test_a_row_of_a_hosting_csv_without_an_as_number_is_told_by_its_line(asn: str) -> None:
    with pytest.raises(MalformedSource, match=r"^hosting-csv: line 4: wanted ") as caught:
        hosting_asns_from_csv(f"ASN,Entity\n64496,one\n\n{asn},two\n".encode())
    assert len(caught.value.reason) <= MAX_REASON
