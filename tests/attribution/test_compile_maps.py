import io
import ipaddress
import json
import random
from bisect import bisect_right

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.attribution.compile_maps import (
    as_names_from_parquet,
    compile_as_names,
    compile_published,
    hosting_asns_from_csv,
    hosting_asns_from_lines,
)
from concentra.attribution.errors import MalformedSource
from concentra.attribution.maps import PublishedRanges, PublishedRecord
from concentra.attribution.published_ranges import PublishedPrefix, read_published
from concentra.model.axes import Kind

COUNTRIES = {("aws", "eu-central-1"): "DE", ("aws", "us-east-1"): "US"}


def prefix(
    network: str,
    *,
    kind: Kind = Kind.HOSTING,
    region: str | None = None,
    service: str | None = None,
    country: str | None = None,
    provider: str = "aws",
) -> PublishedPrefix:
    return PublishedPrefix(
        network=ipaddress.ip_network(network),
        provider=provider,
        kind=kind,
        region=region,
        service=service,
        country=country,
    )


def found(prefixes: list[PublishedPrefix], address: str) -> PublishedRecord | None:
    """Return the record of the range that holds the address."""
    v4, v6, records = compile_published(prefixes, COUNTRIES)
    parsed = ipaddress.ip_address(address)
    ranges = v4 if parsed.version == 4 else v6
    number = int(ranges.record[bisect_right(starts(ranges), int(parsed)) - 1])
    return records[number - 1] if number else None


def starts(ranges: PublishedRanges) -> list[int]:
    if ranges.start.dtype == np.uint32:
        return [int(start) for start in ranges.start]
    return [int.from_bytes(bytes(start).ljust(16, b"\0"), "big") for start in ranges.start]


CATCH_ALL = prefix("192.0.2.0/24", region="eu-central-1", service="amazon")
NARROW = prefix("192.0.2.0/24", region="eu-central-1", service="ec2")
NO_REGION = prefix("192.0.2.0/24", service="ec2")
EDGE = prefix("192.0.2.0/24", kind=Kind.EDGE, service="cloudfront")
BARE = prefix("192.0.2.0/24")


@pytest.mark.parametrize(
    ("says_less", "says_more"),
    [
        pytest.param(CATCH_ALL, NARROW, id="narrow-service-over-catch-all"),
        pytest.param(NO_REGION, CATCH_ALL, id="region-over-narrow-service"),
        pytest.param(NARROW, EDGE, id="edge-over-region"),
        pytest.param(BARE, NO_REGION, id="narrow-service-over-nothing"),
        pytest.param(BARE, CATCH_ALL, id="region-over-nothing"),
    ],
)
def test_of_two_entries_for_one_prefix_the_one_that_says_more_is_kept(
    says_less: PublishedPrefix, says_more: PublishedPrefix
) -> None:
    for order in ([says_less, says_more], [says_more, says_less]):
        record = found(order, "192.0.2.1")
        assert record is not None
        assert (record.kind, record.region, record.service) == (
            says_more.kind,
            says_more.region,
            says_more.service,
        )


def test_entries_that_say_as_much_are_decided_the_same_way_in_any_order() -> None:
    alike = [prefix("192.0.2.0/24", region="eu-central-1", service=name) for name in ("ec2", "s3", "lambda")]
    answers = {found(random.Random(seed).sample(alike, 3), "192.0.2.1") for seed in range(6)}
    assert len(answers) == 1


def test_a_longer_prefix_wins_however_little_it_says() -> None:
    prefixes = [EDGE, prefix("192.0.2.64/26"), prefix("192.0.2.64/32", region="us-east-1")]
    assert [getattr(found(prefixes, f"192.0.2.{host}"), "service", None) for host in (63, 64, 65, 127, 128)] == [
        "cloudfront", None, None, None, "cloudfront",
    ]  # fmt: skip
    assert getattr(found(prefixes, "192.0.2.64"), "region", None) == "us-east-1"
    assert found(prefixes, "192.0.3.0") is None


def test_country_is_the_files_own_else_the_regions_else_unknown() -> None:
    prefixes = [
        prefix("192.0.2.0/26", region="eu-central-1", country="NL"),
        prefix("192.0.2.64/26", region="eu-central-1"),
        prefix("192.0.2.128/26", region="eu-north-1"),
        prefix("192.0.2.192/26"),
    ]
    countries = [
        getattr(found(prefixes, f"192.0.2.{host}"), "country", "no record") for host in (0, 64, 128, 192)
    ]
    assert countries == ["NL", "DE", None, None]


def test_families_are_kept_apart_and_cover_their_whole_space() -> None:
    v4, v6, records = compile_published(
        [prefix("192.0.2.0/24"), prefix("2001:db8::/32", region="us-east-1")], COUNTRIES
    )
    assert (starts(v4), v4.record.tolist()) == ([0, 0xC0000200, 0xC0000300], [0, 1, 0])
    first = int(ipaddress.ip_address("2001:db8::"))
    assert (starts(v6), v6.record.tolist()) == ([0, first, first + (1 << 96)], [0, 2, 0])
    assert [record.region for record in records] == [None, "us-east-1"]


def test_nothing_published_is_one_gap_in_each_family() -> None:
    v4, v6, records = compile_published([], {})
    assert (starts(v4), v4.record.tolist(), starts(v6), v6.record.tolist(), records) == (
        [0],
        [0],
        [0],
        [0],
        (),
    )


def test_equal_records_are_one() -> None:
    _, _, records = compile_published(
        [prefix("192.0.2.0/26"), prefix("198.51.100.0/26"), prefix("2001:db8::/32")], {}
    )
    assert len(records) == 1


def test_records_are_numbered_in_order_of_everything_they_say() -> None:
    """Records that tie would be numbered in the order of a set, which differs from process to process."""
    fields = [
        {"provider": provider, "region": region, "service": service, "kind": kind, "country": country}
        for provider in ("a", "b")
        for region in (None, "eu-1")
        for service in (None, "vm")
        for kind in (Kind.EDGE, Kind.HOSTING)
        for country in (None, "DE", "NL")
    ]
    records = [PublishedRecord(**one) for one in fields]  # type: ignore[arg-type]
    prefixes = [
        prefix(
            f"192.0.2.{host}/32",
            **{name: getattr(record, name) for name in ("provider", "region", "service", "kind", "country")},
        )
        for host, record in enumerate(random.Random(5).sample(records, len(records)))
    ]
    assert list(compile_published(prefixes, {})[2]) == records


def test_more_records_than_16_bits_hold_are_refused() -> None:
    with pytest.raises(MalformedSource, match="65536 distinct records"):
        compile_published([prefix("192.0.2.0/24", service=str(number)) for number in range(1 << 16)], {})


@given(st.randoms(use_true_random=False))
def test_tables_do_not_depend_on_the_order_of_prefixes(generator: random.Random) -> None:
    row = {"region": "eu-central-1", "network_border_group": "x"}
    document = {
        "prefixes": [
            row | {"ip_prefix": network, "service": service}
            for network in ("192.0.2.0/24", "192.0.2.0/25", "198.51.100.0/24", "203.0.113.128/25")
            for service in ("AMAZON", "EC2", "S3", "CLOUDFRONT")
        ],
        "ipv6_prefixes": [],
    }
    prefixes = read_published("aws", json.dumps(document).encode())
    v4, v6, records = compile_published(prefixes, COUNTRIES)
    generator.shuffle(prefixes)
    again_v4, again_v6, again_records = compile_published(prefixes, COUNTRIES)
    assert records == again_records
    assert (v4.start.tolist(), v4.record.tolist()) == (again_v4.start.tolist(), again_v4.record.tolist())
    assert (v6.start.tolist(), v6.record.tolist()) == (again_v6.start.tolist(), again_v6.record.tolist())


names = st.dictionaries(st.integers(1, (1 << 32) - 1), st.text(max_size=12), max_size=12)


@given(names, st.lists(st.integers(0, (1 << 32) - 1), max_size=8))
def test_as_names_come_back_as_they_went_in(given_names: dict[int, str], further: list[int]) -> None:
    asked = [*given_names, *further]
    known = compile_as_names(given_names).names_of(np.array(asked, np.uint32))
    assert known == {asn: given_names[asn] for asn in asked if asn in given_names}


def test_as_names_may_be_of_any_script() -> None:
    listed = {64511: "Beispiel Größe GmbH", 64496: "例え株式会社", 64500: "", 4_294_967_294: "🛰"}
    table = compile_as_names(listed)
    assert table.names_of(np.array([64500, 64496, 4_294_967_294, 64497], np.uint32)) == {
        64496: "例え株式会社", 64500: "", 4_294_967_294: "🛰",
    }  # fmt: skip


def test_nobody_has_a_name_in_an_empty_table() -> None:
    assert compile_as_names({}).names_of(np.array([0, 64496], np.uint32)) == {}


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
