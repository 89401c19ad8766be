"""From sources to a map file: what each address gets, against a scan of all prefixes."""

import dataclasses
import ipaddress
import json
import random
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from itertools import pairwise
from typing import TypeVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.attribution.made_maps import (
    AS_OF,
    Announced,
    Listed,
    described,
    map_inputs,
    origin_table,
    published,
)

from concentra.attribution.compile_maps import MapInputs, compile_map
from concentra.attribution.errors import MalformedSource
from concentra.attribution.evidence import Announcement, Evidence, PublishedRecord
from concentra.attribution.map_layout import decode
from concentra.attribution.map_tables import BASES, KINDS, MapTables, Row
from concentra.attribution.origin_tables import OriginPrefixes, OriginTable
from concentra.attribution.providers import Provider, ProviderTable
from concentra.attribution.published_ranges import PublishedPrefix, read_published
from concentra.model.axes import Axis, Kind

T = TypeVar("T")

COUNTRIES = {("aws", "eu-central-1"): "DE", ("aws", "us-east-1"): "US"}


def tables_of(inputs: MapInputs) -> MapTables:
    return MapTables(decode(compile_map(inputs)))


def row(tables: MapTables, address: str) -> Row:
    parsed = ipaddress.ip_address(address)
    return tables.row(parsed.version, int(parsed))


def evidence(tables: MapTables, address: str) -> Evidence:
    return tables.evidence(row(tables, address).evidence)


def found(listed: Iterable[Listed], address: str) -> PublishedRecord | None:
    """Return the record of the published range that holds the address."""
    return evidence(
        tables_of(map_inputs(listed={"aws-ranges": listed}, region_countries=COUNTRIES)), address
    ).listed


def prefix(network: str, **said: object) -> Listed:
    return Listed(network, provider="aws")._replace(**said)  # type: ignore[arg-type] # its own fields


# Every address gets what a scan of all prefixes gives it.


def prefixes(blocks: Sequence[str], longest: Sequence[int]) -> st.SearchStrategy[str]:
    """Return prefixes of a few lengths inside a few blocks, so that many nest, touch and repeat."""

    def inside(block: str, length: int, number: int) -> str:
        outer = ipaddress.ip_network(block)
        length = max(length, outer.prefixlen)
        step = outer.max_prefixlen - length
        count = 1 << (length - outer.prefixlen)
        return f"{outer[0] + (number % count << step)}/{length}"

    return st.builds(inside, st.sampled_from(blocks), st.sampled_from(longest), st.integers(-2, 2))


some_prefixes = prefixes(
    ["192.0.2.0/24", "0.0.0.0/0", "255.255.255.0/24"], [0, 1, 24, 25, 26, 31, 32]
) | prefixes(["2001:db8::/32", "::/0", "2001:db8:0:1::/64"], [0, 1, 32, 48, 64, 65, 127, 128])
announced = st.lists(
    st.builds(Announced, some_prefixes, st.sampled_from([(), (64496,), (64497,), (64496, 64498)]),
              st.sampled_from(["", "DE", "NL"])),
    max_size=7, unique_by=lambda entry: entry.prefix,
)  # fmt: skip
listed_rows = st.lists(
    st.builds(Listed, some_prefixes, st.sampled_from(["cloud", "other"]), region=st.sampled_from([None, "eu-1"])),
    max_size=5, unique_by=lambda entry: entry.prefix,
)  # fmt: skip

Named = Announced | Listed


def longest_of(rows: Iterable[Named], version: int, address: int) -> Named | None:
    """Return the row of the longest prefix that covers, found by asking each."""
    networks = [(ipaddress.ip_network(entry.prefix), entry) for entry in rows]
    covering = [
        (network.prefixlen, entry)
        for network, entry in networks
        if network.version == version and int(network[0]) <= address <= int(network[-1])
    ]
    return max(covering, key=lambda pair: pair[0], default=(0, None))[1]


def length_of(entry: Named | None) -> int | None:
    return None if entry is None else int(entry.prefix.partition("/")[2])


def edges(rows: Iterable[Named]) -> set[tuple[int, int]]:
    """Return version and number of the addresses on both sides of both ends of every prefix."""
    numbers = {(4, 0), (4, (1 << 32) - 1), (6, 0), (6, (1 << 128) - 1)}
    for entry in rows:
        network = ipaddress.ip_network(entry.prefix)
        ends = {int(end) + step for end in (network[0], network[-1]) for step in (-1, 0, 1)}
        numbers |= {(network.version, number) for number in ends if 0 <= number < 1 << network.max_prefixlen}
    return numbers


@settings(max_examples=80)
@given(st.lists(announced, min_size=1, max_size=3), listed_rows)
def test_every_address_gets_the_longest_prefix_of_every_source(
    tables: list[list[Announced]], rows: list[Listed]
) -> None:
    made = tables_of(map_inputs(*tables, listed={"ranges": rows}))
    for version, address in edges([*(entry for table in tables for entry in table), *rows]):
        longest = [longest_of(table, version, address) for table in tables]
        telling = [
            longest_of([entry for entry in table if entry.origins or not entry.country], version, address)
            for table in tables
        ]
        pairs = [
            (
                one.origins if isinstance(one, Announced) else (),
                other.country if isinstance(other, Announced) else "",
            )
            for one, other in zip(telling, longest, strict=True)
        ]
        says = [
            Announcement(f"table-{number}", origins, country)
            for number, (origins, country) in enumerate(pairs, start=1)
            if origins or country
        ]
        range_ = longest_of(rows, version, address)
        place = made.row(version, address)
        known = made.evidence(place.evidence)
        assert known.announcements == tuple(says)
        assert (known.listed and (known.listed.provider, known.listed.region)) == (
            range_ and (range_.provider, range_.region)  # type: ignore[union-attr] # a row of `rows`
        )
        followed = next((entry for entry in telling if isinstance(entry, Announced) and entry.origins), None)
        assert (place.origin_length, place.listed_length) == (length_of(followed), length_of(range_))


@settings(max_examples=40)
@given(st.lists(announced, min_size=1, max_size=2), listed_rows)
def test_neighbouring_ranges_differ_and_evidence_is_distinct_and_in_use(
    tables: list[list[Announced]], rows: list[Listed]
) -> None:
    made = tables_of(map_inputs(*tables, listed={"ranges": rows}))
    used = set()
    for family, starts in (("v4", ("start",)), ("v6", ("high", "low"))):
        first = list(zip(*(made.sections[f"{family}.{name}"] for name in starts), strict=True))
        assert first == sorted(set(first))
        columns = ("evidence", "origin_length", "listed_length")
        says = list(zip(*(made.sections[f"{family}.{name}"] for name in columns), strict=True))
        assert all(one != other for one, other in pairwise(says))
        used |= {number for number, _, _ in says}
    count = len(made.sections["evidence.end"])
    assert used == set(range(count))
    assert len({made.evidence(number) for number in range(count)}) == count


def test_ranges_that_differ_in_nothing_are_one() -> None:
    twins = [Announced("192.0.2.0/25", (64496,)), Announced("192.0.2.128/25", (64496,))]
    assert list(tables_of(map_inputs(twins)).sections["v4.start"]) == [0, 0xC0000200, 0xC0000300]


def test_ranges_that_differ_in_the_length_of_their_prefix_alone_are_two() -> None:
    nested = [Announced("192.0.2.0/24", (64496,)), Announced("192.0.2.0/25", (64496,))]
    made = tables_of(map_inputs(nested))
    assert list(made.sections["v4.start"]) == [0, 0xC0000200, 0xC0000280, 0xC0000300]
    assert row(made, "192.0.2.1").evidence == row(made, "192.0.2.129").evidence
    assert [row(made, address).origin_length for address in ("192.0.2.1", "192.0.2.129")] == [25, 24]


def test_published_ranges_that_differ_in_their_length_alone_are_two() -> None:
    made = tables_of(map_inputs(listed={"file": [prefix("192.0.2.0/24"), prefix("192.0.2.0/25")]}))
    assert row(made, "192.0.2.1").evidence == row(made, "192.0.2.129").evidence
    assert [row(made, address).listed_length for address in ("192.0.2.1", "192.0.2.129")] == [25, 24]


def test_families_are_kept_apart_and_cover_their_whole_space() -> None:
    made = tables_of(
        map_inputs(listed={"file": [prefix("192.0.2.0/24"), prefix("2001:db8::/32", region="x")]})
    )
    assert list(made.sections["v4.start"]) == [0, 0xC0000200, 0xC0000300]
    assert list(made.sections["v6.high"]) == [0, 0x2001_0DB8 << 32, 0x2001_0DB9 << 32]
    assert list(made.sections["v6.low"]) == [0, 0, 0]
    regions = [made.record(number).region for number in range(len(made.sections["listed.region"]))]
    assert regions == [None, "x"]


def test_nothing_said_is_one_range_in_each_family() -> None:
    made = tables_of(map_inputs())
    assert (list(made.sections["v4.start"]), list(made.sections["v6.high"])) == ([0], [0])
    assert evidence(made, "192.0.2.1") == evidence(made, "2001:db8::") == Evidence((), None)
    assert row(made, "192.0.2.1") == Row(0, None, None)


def test_a_table_of_countries_gives_no_length_of_an_announced_prefix() -> None:
    """It comes first and says something, but it announces nothing."""
    countries = [Announced("192.0.2.0/26", (), "NL")]
    made = tables_of(map_inputs(countries, [Announced("192.0.2.0/24", (64496,), "DE")]))
    assert [row(made, f"192.0.2.{host}").origin_length for host in (0, 64)] == [24, 24]
    assert row(tables_of(map_inputs(countries)), "192.0.2.0").origin_length is None


@pytest.mark.parametrize(
    ("address", "origins", "country", "length"),
    [
        pytest.param("203.0.113.1", (64496,), "NL", 24, id="country-alone-inside"),
        pytest.param("203.0.113.129", (64496,), "DE", 24, id="beside-it"),
        pytest.param("203.0.113.65", (64497,), "", 26, id="announced-inside-a-country"),
        pytest.param("198.51.100.1", (), "NL", None, id="nothing-announced-inside"),
        pytest.param("198.51.100.129", (64496,), "DE", 24, id="beside-that"),
        pytest.param("2001:db8:1::", (64496,), "NL", 32, id="v6"),
    ],
)
def test_a_country_alone_hides_no_announcement_and_nothing_announced_does(
    address: str, origins: tuple[int, ...], country: str, length: int | None
) -> None:
    made = tables_of(
        map_inputs([
            Announced("203.0.113.0/24", (64496,), "DE"),
            Announced("203.0.113.0/25", (), "NL"),
            Announced("203.0.113.64/26", (64497,)),
            Announced("198.51.100.0/24", (64496,), "DE"),
            Announced("198.51.100.0/25"),
            Announced("198.51.100.0/26", (), "NL"),
            Announced("2001:db8::/32", (64496,), "DE"),
            Announced("2001:db8:1::/48", (), "NL"),
        ])
    )  # fmt: skip
    assert evidence(made, address).announcements == (Announcement("table-1", origins, country),)
    assert row(made, address).origin_length == length


def test_without_a_table_of_origins_nothing_is_announced() -> None:
    bare = map_inputs(listed={"file": [prefix("192.0.2.0/24")]})
    made = tables_of(dataclasses.replace(bare, origins=[]))
    assert evidence(made, "198.51.100.1") == Evidence((), None)
    known = evidence(made, "192.0.2.1")
    assert (known.announcements, known.listed and known.listed.provider) == ((), "aws")
    assert row(made, "192.0.2.1")[1:] == (None, 24)


# Which entry of a file is kept.

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
        # As much as these say is decided by order; here the one that says more would lose by it.
        pytest.param(CATCH_ALL, NARROW._replace(service="a1"), id="narrow-service-that-comes-before-amazon"),
        pytest.param(
            NO_REGION._replace(provider="z"), CATCH_ALL, id="region-of-a-provider-that-comes-before"
        ),
        pytest.param(NARROW._replace(provider="z"), EDGE, id="edge-of-a-provider-that-comes-before"),
    ],
)
def test_of_two_entries_for_one_prefix_the_one_that_says_more_is_kept(
    says_less: Listed, says_more: Listed
) -> None:
    for order in ([says_less, says_more], [says_more, says_less]):
        kept = found(order, "192.0.2.1")
        assert kept is not None
        assert (kept.kind, kept.region, kept.service) == (says_more.kind, says_more.region, says_more.service)


def test_the_entry_that_says_more_is_kept_whichever_file_it_is_in() -> None:
    for files in ({"a": [NARROW], "b": [CATCH_ALL]}, {"a": [CATCH_ALL], "b": [NARROW]}):
        kept = evidence(tables_of(map_inputs(listed=files)), "192.0.2.1").listed
        assert kept is not None
        assert (kept.service, NARROW in files[kept.source]) == ("ec2", True)


def test_entries_that_say_as_much_are_decided_the_same_way_in_any_order() -> None:
    alike = [prefix("192.0.2.0/24", region="eu-central-1", service=name) for name in ("ec2", "s3", "lambda")]
    answers = {found(random.Random(seed).sample(alike, 3), "192.0.2.1") for seed in range(6)}
    assert len(answers) == 1


def test_a_longer_prefix_wins_however_little_it_says() -> None:
    rows = [EDGE, prefix("192.0.2.64/26"), prefix("192.0.2.64/32", region="us-east-1")]
    assert [getattr(found(rows, f"192.0.2.{host}"), "service", None) for host in (63, 64, 65, 127, 128)] == [
        "cloudfront", None, None, None, "cloudfront",
    ]  # fmt: skip
    assert getattr(found(rows, "192.0.2.64"), "region", None) == "us-east-1"
    assert found(rows, "192.0.3.0") is None


def test_country_is_the_files_own_else_the_regions_else_unknown() -> None:
    rows = [
        prefix("192.0.2.0/26", region="eu-central-1", country="NL"),
        prefix("192.0.2.64/26", region="eu-central-1"),
        prefix("192.0.2.128/26", region="eu-north-1"),
        prefix("192.0.2.192/26"),
    ]
    countries = [getattr(found(rows, f"192.0.2.{host}"), "country", "none") for host in (0, 64, 128, 192)]
    assert countries == ["NL", "DE", None, None]


def test_equal_records_are_one() -> None:
    rows = [prefix("192.0.2.0/26"), prefix("198.51.100.0/26"), prefix("2001:db8::/32")]
    assert len(tables_of(map_inputs(listed={"file": rows})).sections["listed.provider"]) == 1


def test_records_are_numbered_in_order_of_everything_they_say() -> None:
    """Records that tie would be numbered in the order of a set, which differs from process to process."""
    records = [
        PublishedRecord(provider=provider, kind=kind, region=region, service=service, country=country, source=source)
        for provider in ("a", "b")
        for kind in (Kind.EDGE, Kind.HOSTING)
        for region in (None, "eu-1")
        for service in (None, "vm")
        for country in (None, "DE", "NL")
        for source in ("file-1", "file-2")
    ]  # fmt: skip
    files: dict[str, list[Listed]] = {"file-1": [], "file-2": []}
    for host, record in enumerate(random.Random(5).sample(records, len(records))):
        facts = {name: getattr(record, name) for name in ("provider", "kind", "region", "service", "country")}
        files[record.source].append(Listed(f"192.0.2.{host}/32", **facts))
    made = tables_of(map_inputs(listed=files))
    numbered = [made.record(number) for number in range(len(made.sections["listed.provider"]))]
    assert numbered == sorted(
        records,
        key=lambda record: [
            str(part or "")
            for part in (
                record.provider,
                record.kind,
                record.region,
                record.service,
                record.country,
                record.source,
            )
        ],
    )


# What follows is stored beside the evidence.

CLOUD = Provider(
    id="cloud", name="Cloud", kind=Kind.HOSTING, country="US", asns=(64496, 64497, 64499), holders=(), evidence="",
    parent="group", edge_asns=(64499,),
)  # fmt: skip
HOME = Provider(
    id="home", name="Home", kind=Kind.ACCESS, country="DE", asns=(64498,), holders=(), evidence=""
)
CURATED = ProviderTable(
    {"cloud": CLOUD, "home": HOME},
    {asn: provider for provider in (CLOUD, HOME) for asn in provider.asns},
    {},
)
RICH = map_inputs(
    [
        Announced("192.0.2.0/24", (64496,), "US"),
        Announced("192.0.2.128/25", (64498,), "DE"),
        Announced("198.51.100.0/25", (64496, 64497), "EU"),
        Announced("198.51.100.128/26", (64496, 64500)),
        Announced("198.51.100.192/26", (64499,), "NL"),
        Announced("203.0.113.0/25", (64501,), "NL"),
        Announced("2001:db8::/32", (64497,), "US"),
        Announced("2001:db8:1::/48", (64500, 64501), "AP"),
        Announced("2001:db8:2::1/128", (64498,)),
    ],
    [
        Announced("192.0.2.0/24", (64497,), "CA"),
        Announced("203.0.113.0/24", (64501, 64502), "BE"),
        Announced("2001:db8::/33", (), "FR"),
    ],
    listed={
        "cloud-file": [
            Listed("192.0.2.0/26", "cloud", Kind.HOSTING, "eu-1", "vm", "DE"),
            Listed("192.0.2.192/26", "cloud", Kind.EDGE, None, "cdn", None),
            Listed("198.51.100.0/26", "cloud", Kind.HOSTING, "eu-1"),
            Listed("2001:db8::/36", "cloud", Kind.HOSTING, "us-1", "vm"),
        ],
        "feed": [Listed("203.0.113.0/26", "uncurated", Kind.HOSTING, "NL-NH", None, "NL")],
    },
    as_names={64496: "CLOUD-01", 64498: "Größe AG", 64500: "例え株式会社", 64511: "Elsewhere"},
    hosting_lists={64500: ("list-a", "list-b"), 64498: ("list-b",), 64502: ("list-a",)},
    providers=CURATED,
    region_countries={("cloud", "us-1"): "US"},
)


def test_what_is_stored_is_what_follows_from_the_evidence() -> None:
    made = tables_of(RICH)
    column = made.sections
    texts = {
        Axis.PROVIDER: "evidence.provider",
        Axis.PARENT: "evidence.parent",
        Axis.REGION: "evidence.region",
        Axis.COUNTRY: "evidence.country",
    }
    met = set()
    for number in range(len(column["evidence.end"])):
        known = made.attribution(number)
        assert column["evidence.asn"][number] == (known.asn or 0)
        assert column["evidence.kind"][number] == (KINDS.index(known.kind) + 1 if known.kind else 0)
        for axis, name in texts.items():
            stored = made.text(column[name][number]) or None
            own = known.entity(axis) == known.entity(Axis.ASN)
            assert stored == (None if own else known.entity(axis))
        assert BASES[column["evidence.provider_basis"][number]] is known.provider_basis
        assert BASES[column["evidence.country_basis"][number]] is known.country_basis
        assert made.text(column["evidence.kind_basis"][number]) == known.kind_basis
        assert column["evidence.contradictions"][number] == len(known.contradictions)
        met |= {entry.about for entry in known.contradictions}
    assert met == {"asn", "country", "kind", "provider"}


# The same inputs give the same bytes.


def shuffled(inputs: MapInputs, generator: random.Random) -> MapInputs:
    """Return the same inputs with everything in another order whose order means nothing."""

    def mixed(items: Iterable[T]) -> list[T]:
        found = list(items)
        generator.shuffle(found)
        return found

    def mixed_rows(rows: OriginPrefixes) -> OriginPrefixes:
        order = np.array(mixed(range(len(rows.length))), np.int64)
        columns = {field.name: getattr(rows, field.name)[order] for field in dataclasses.fields(rows)}
        return OriginPrefixes(**columns)

    def mixed_table(table: OriginTable) -> OriginTable:
        return dataclasses.replace(table, v4=mixed_rows(table.v4), v6=mixed_rows(table.v6))

    return dataclasses.replace(
        inputs,
        origins=[(source, mixed_table(table)) for source, table in inputs.origins],
        published=mixed((source, mixed(rows)) for source, rows in inputs.published),
        as_names=dict(mixed(inputs.as_names.items())),
        name_sources=dict(mixed(inputs.name_sources.items())),
        hosting_lists={asn: tuple(mixed(names)) for asn, names in mixed(inputs.hosting_lists.items())},
        region_countries=dict(mixed(inputs.region_countries.items())),
        providers=dataclasses.replace(
            inputs.providers,
            by_id=dict(mixed(inputs.providers.by_id.items())),
            by_asn=dict(mixed(inputs.providers.by_asn.items())),
        ),
    )


@settings(max_examples=20)
@given(st.integers(0, 1 << 32).map(random.Random))
def test_the_bytes_do_not_depend_on_the_order_of_rows(generator: random.Random) -> None:
    assert compile_map(shuffled(RICH, generator)) == compile_map(RICH)


@given(st.randoms(use_true_random=False))
@settings(max_examples=20)
def test_the_bytes_do_not_depend_on_the_order_of_the_services_of_one_prefix(generator: random.Random) -> None:
    row_ = {"region": "eu-central-1", "network_border_group": "x"}
    document = {
        "prefixes": [
            row_ | {"ip_prefix": network, "service": service}
            for network in ("192.0.2.0/24", "192.0.2.0/25", "198.51.100.0/24", "203.0.113.128/25")
            for service in ("AMAZON", "EC2", "S3", "CLOUDFRONT")
        ],
        "ipv6_prefixes": [],
    }
    rows = read_published("aws", json.dumps(document).encode())

    def compiled(published_rows: list[PublishedPrefix]) -> bytes:
        empty = map_inputs(listed={"aws-ranges": []}, region_countries=COUNTRIES)
        return compile_map(dataclasses.replace(empty, published=[("aws-ranges", published_rows)]))

    before = compiled(list(rows))
    generator.shuffle(rows)
    assert compiled(rows) == before


# Limits of the layout.


def test_more_records_than_16_bits_hold_are_refused() -> None:
    rows = [prefix("192.0.2.0/24", service=str(number)) for number in range(1 << 16)]
    with pytest.raises(MalformedSource, match="65536 distinct records"):
        compile_map(map_inputs(listed={"file": rows}))


def test_more_lists_than_a_byte_has_bits_are_refused() -> None:
    eight = {64496: tuple(f"list-{number}" for number in range(8))}
    made = tables_of(map_inputs(hosting_lists=eight))
    assert made.facts_of(64496).lists == eight[64496]
    with pytest.raises(MalformedSource, match="9 lists"):
        compile_map(map_inputs(hosting_lists={**eight, 64497: ("list-8",)}))


def test_more_sources_than_a_byte_counts_are_refused() -> None:
    listed = {f"file-{number:03}": [Listed(f"192.0.2.{number}/32")] for number in range(254)}
    most = tables_of(map_inputs(listed=listed, as_names={64496: "Example"}, name_sources={64496: "file-253"}))
    last = evidence(most, "192.0.2.253").listed
    assert last is not None
    assert last.source == most.name_source(64496) == "file-253"
    with pytest.raises(MalformedSource, match="256 sources"):
        compile_map(map_inputs([], [], listed=listed))


@pytest.mark.parametrize("rows", [-1, 1 << 64])
def test_a_value_that_its_column_does_not_hold_is_refused(rows: int) -> None:
    """It would be stored as another number."""
    inputs = map_inputs()
    sources = [(dataclasses.replace(source, rows=rows), use) for source, use in inputs.sources]
    with pytest.raises(MalformedSource, match=rf"source\.rows: wanted values .* found {rows}"):
        compile_map(dataclasses.replace(inputs, sources=sources))


@pytest.mark.parametrize("asn", [-1, 1 << 32, 1 << 64])
@pytest.mark.parametrize(
    "of",
    [
        pytest.param(lambda asn: map_inputs(as_names={64496: "Example", asn: "Else"}), id="names"),
        pytest.param(lambda asn: map_inputs(hosting_lists={64496: ("list",), asn: ("list",)}), id="lists"),
        pytest.param(
            lambda asn: map_inputs(providers=ProviderTable({"cloud": CLOUD}, {64496: CLOUD, asn: CLOUD}, {})),
            id="providers",
        ),
    ],
)
def test_an_as_number_that_is_none_is_refused(asn: int, of: Callable[[int], MapInputs]) -> None:
    """It would be cut to 32 bits and stand out of order, and other AS numbers would not be found."""
    with pytest.raises(MalformedSource, match=str(asn)):
        compile_map(of(asn))


# AS numbers and what is known of them.

names = st.dictionaries(
    st.integers(1, (1 << 32) - 1), st.text(st.characters(exclude_categories=["Cs"]), max_size=12), max_size=12
)


@given(names, st.lists(st.integers(0, (1 << 32) - 1), max_size=8))
def test_as_names_come_back_as_they_went_in(given_names: dict[int, str], further: list[int]) -> None:
    made = tables_of(map_inputs(as_names=given_names))
    for asn in (*given_names, *further):
        assert made.facts_of(asn).name == (given_names.get(asn) or None)


def test_as_names_may_be_of_any_script() -> None:
    listed = {64511: "Beispiel Größe GmbH", 64496: "例え株式会社", 64500: "", 4_294_967_294: "🛰"}
    made = tables_of(map_inputs(as_names=listed))
    assert [made.facts_of(asn).name for asn in (64500, 64496, 4_294_967_294, 64497)] == [
        None, "例え株式会社", "🛰", None,
    ]  # fmt: skip


def test_sources_are_kept_with_all_that_describes_them() -> None:
    bare = described("bare", as_of=None, rows=None)
    full = described(
        "full",
        url="https://example.net/",
        sha256="0" * 64,
        rows=1 << 40,
        limits=("one", "two"),
        as_of=date(2025, 1, 1),
    )
    inputs = dataclasses.replace(map_inputs(), origins=[("full", origin_table([]))], sources=[(bare, "names"), (full, "origins")])  # fmt: skip
    one, two = tables_of(inputs).sources
    assert (one.name, one.publisher, one.as_of, one.url, one.limits, one.use, one.rows) == (
        "bare", "Example", "", "", (), "names", 0,
    )  # fmt: skip
    assert (two.as_of, two.url, two.sha256, two.limits, two.use, two.rows) == (
        "2025-01-01", "https://example.net/", "0" * 64, ("one", "two"), "origins", 1 << 40,
    )  # fmt: skip
    assert tables_of(inputs).as_of == AS_OF.isoformat()


def test_the_prefixes_of_a_source_may_be_of_several_providers() -> None:
    rows = published([Listed("192.0.2.0/25", "one"), Listed("192.0.2.128/25", "two")])
    inputs = dataclasses.replace(map_inputs(listed={"both": []}), published=[("both", rows)])
    made = tables_of(inputs)
    assert [
        (known.provider, known.source)
        for known in (evidence(made, f"192.0.2.{host}").listed for host in (0, 128))
        if known is not None
    ] == [("one", "both"), ("two", "both")]
