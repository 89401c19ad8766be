"""The tables of a map file: what one address needs, and what a file must hold to be one."""

import ipaddress
import random
from array import array
from collections.abc import Callable, Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.attribution.made_maps import Announced, Listed, made, map_inputs

from concentra.adapters.data_files import maps_directory
from concentra.adapters.map_files import load
from concentra.attribution.compile_maps import compile_map
from concentra.attribution.disjoint import halves
from concentra.attribution.errors import MalformedSource
from concentra.attribution.evidence import Announcement, AsFacts, Evidence, PublishedRecord
from concentra.attribution.map_layout import MalformedMap, decode
from concentra.attribution.map_tables import (
    BASES,
    KINDS,
    POINTERS,
    POINTERS_FROM_1,
    RANGES,
    TABLES,
    TEXTS,
    MapTables,
    Row,
)
from concentra.attribution.maps import Maps
from concentra.attribution.origin_tables import MAX_AS_NUMBER
from concentra.attribution.providers import Parent, Provider, ProviderTable
from concentra.model.axes import Axis, Basis, Kind

CLOUD = Provider(
    id="cloud", name="Cloud", kind=Kind.HOSTING, country="US", asns=(64497, 64499), holders=(), evidence="",
    parent="group", edge_asns=(64499,),
)  # fmt: skip
HOME = Provider(
    id="home", name="Home", kind=Kind.ACCESS, country="DE", asns=(64498,), holders=(), evidence=""
)
MAPS = made(
    map_inputs(
        [
            Announced("192.0.2.0/24", (64497,), "US"),
            Announced("192.0.2.128/25", (64498, 64500), "DE"),
            Announced("198.51.100.0/24", (), "NL"),
            Announced("255.255.255.0/24", (64498,)),
            Announced("2001:db8::/32", (64497,), "US"),
            Announced("2001:db8:0:1::/64", (64498,), "DE"),
            Announced("2001:db8:0:1::8/125", (64499,), "DE"),
            Announced("ffff::/16", (64500,)),
        ],
        [Announced("192.0.2.0/23", (64500,), "CA"), Announced("198.51.100.0/25", (64497,))],
        listed={
            "cloud-file": [
                Listed("192.0.2.0/26", "cloud", Kind.HOSTING, "eu-1", "vm", "DE"),
                Listed("192.0.2.32/32", "cloud", Kind.EDGE, None, None, None),
                Listed("2001:db8:0:1::/68", "cloud", Kind.HOSTING, "eu-1", "vm", "DE"),
            ]
        },
        as_names={64497: "CLOUD-01", 64500: "例え株式会社", 64511: "Elsewhere"},
        name_sources={64497: "table-1", 64500: "table-2", 64502: "table-1"},
        hosting_lists={64500: ("list-b", "list-a"), 64498: ("list-b",), 64502: ("list-a",)},
        providers=ProviderTable(
            {"cloud": CLOUD, "home": HOME},
            {asn: provider for provider in (CLOUD, HOME) for asn in provider.asns},
            {"group": Parent(id="group", name="Group", country="US", evidence="")},
        ),
    )
)
TABLES_MADE = MAPS.tables


def row(address: str) -> Row:
    parsed = ipaddress.ip_address(address)
    return TABLES_MADE.row(parsed.version, int(parsed))


@pytest.mark.parametrize(
    ("address", "origin_length", "listed_length"),
    [
        ("0.0.0.0", None, None),
        ("192.0.1.255", None, None),
        ("192.0.2.0", 24, 26),
        ("192.0.2.31", 24, 26),
        ("192.0.2.32", 24, 32),
        ("192.0.2.33", 24, 26),
        ("192.0.2.64", 24, None),
        ("192.0.2.128", 25, None),
        ("192.0.2.255", 25, None),
        ("192.0.3.0", 23, None),
        ("192.0.4.0", None, None),
        ("198.51.100.0", 25, None),
        ("198.51.100.128", None, None),
        ("255.255.255.255", 24, None),
        ("::", None, None),
        ("2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", None, None),
        ("2001:db8::", 32, None),
        ("2001:db8:0:1::7", 64, 68),
        ("2001:db8:0:1::8", 125, 68),
        ("2001:db8:0:1::f", 125, 68),
        ("2001:db8:0:1::10", 64, 68),
        ("2001:db8:0:1:1000::", 64, None),
        ("2001:db8:0:2::", 32, None),
        ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 16, None),
    ],
)
def test_a_row_tells_the_length_of_both_prefixes(
    address: str, origin_length: int | None, listed_length: int | None
) -> None:
    assert row(address)[1:] == (origin_length, listed_length)


def test_evidence_is_what_every_source_says_in_order_of_precedence() -> None:
    assert TABLES_MADE.evidence(row("192.0.2.1").evidence) == Evidence(
        (Announcement("table-1", (64497,), "US"), Announcement("table-2", (64500,), "CA")),
        PublishedRecord(provider="cloud", kind=Kind.HOSTING, region="eu-1", service="vm", country="DE",
                        source="cloud-file"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("address", "says"),
    [
        pytest.param("192.0.2.129", [("table-1", (64498, 64500), "DE"), ("table-2", (64500,), "CA")], id="several-origins"),
        pytest.param("192.0.3.1", [("table-2", (64500,), "CA")], id="the-first-says-nothing"),
        pytest.param("198.51.100.1", [("table-1", (), "NL"), ("table-2", (64497,), "")], id="a-country-alone"),
        pytest.param("203.0.113.1", [], id="nothing"),
    ],
)  # fmt: skip
def test_a_table_that_says_nothing_is_left_out(
    address: str, says: list[tuple[str, tuple[int, ...], str]]
) -> None:
    known = TABLES_MADE.evidence(row(address).evidence)
    assert known == Evidence(tuple(Announcement(*entry) for entry in says), None)


def test_what_a_range_leaves_out_is_none() -> None:
    known = TABLES_MADE.evidence(row("192.0.2.32").evidence).listed
    assert known is not None
    assert (known.kind, known.region, known.service, known.country) == (Kind.EDGE, None, None, None)


@pytest.mark.parametrize(
    ("asn", "facts"),
    [
        pytest.param(64497, AsFacts("CLOUD-01", "cloud", "group", Kind.HOSTING, "curated", ()), id="curated"),
        pytest.param(64499, AsFacts(None, "cloud", "group", Kind.EDGE, "curated", ()), id="curated-front-end"),
        pytest.param(64498, AsFacts(None, "home", "home", Kind.ACCESS, "curated", ("list-b",)), id="curated-and-listed"),
        pytest.param(
            64500,
            AsFacts("例え株式会社", "AS64500", "AS64500", Kind.HOSTING, "list-a+list-b", ("list-a", "list-b")),
            id="on-two-lists",
        ),
        pytest.param(64502, AsFacts(None, "AS64502", "AS64502", Kind.HOSTING, "list-a", ("list-a",)), id="on-one-list"),
        pytest.param(64511, AsFacts("Elsewhere", "AS64511", "AS64511", None, "none", ()), id="last-number-a-name-alone"),
        *(
            pytest.param(asn, AsFacts(None, f"AS{asn}", f"AS{asn}", None, "none", ()), id=f"unknown-{asn}")
            for asn in (0, 64496, 64501, 64512, 4_294_967_295)
        ),
    ],
)  # fmt: skip
def test_what_is_known_of_an_as_number(asn: int, facts: AsFacts) -> None:
    assert TABLES_MADE.facts_of(asn) == facts


@pytest.mark.parametrize(
    ("asn", "source"),
    [
        pytest.param(64497, "table-1", id="the-first"),
        pytest.param(64500, "table-2", id="another-than-the-one-that-is-followed"),
        pytest.param(64511, "", id="not-known"),
        pytest.param(64502, "", id="no-name"),
        pytest.param(64498, "", id="curated-without-a-name"),
        pytest.param(64496, "", id="unknown-as"),
    ],
)
def test_a_name_is_of_the_source_that_gives_it(asn: int, source: str) -> None:
    assert TABLES_MADE.name_source(asn) == source


def test_curated_providers_have_their_parent_and_kind_and_all_have_a_name() -> None:
    assert TABLES_MADE.curated == {"cloud": ("group", Kind.HOSTING), "home": ("home", Kind.ACCESS)}
    assert TABLES_MADE.names == {"cloud": "Cloud", "home": "Home", "group": "Group"}


@pytest.mark.parametrize("identifier", ["", "a", "clou", "cloud-2", "group", "z", "AS64500"])
def test_what_is_no_curated_provider_is_none(identifier: str) -> None:
    assert TABLES_MADE.curated_of(identifier) is None


def test_every_curated_provider_is_found(shipped: Maps) -> None:
    for tables in (TABLES_MADE, shipped.tables):
        assert {name: tables.curated_of(name) for name in tables.curated} == tables.curated


def test_text_0_is_nothing() -> None:
    assert TABLES_MADE.text(0) == ""


def test_a_damaged_name_is_still_a_name() -> None:
    sections = {
        name: bytearray(column) for name, column in TABLES_MADE.sections.items() if name == "text.bytes"
    }
    at = bytes(sections["text.bytes"]).index(b"CLOUD-01")
    sections["text.bytes"][at] = 0xFF
    damaged = MapTables({**TABLES_MADE.sections, "text.bytes": memoryview(sections["text.bytes"])})
    assert damaged.facts_of(64497).name == "\N{REPLACEMENT CHARACTER}LOUD-01"


# What a file must hold.

COLUMNS = [
    f"{table}.{column}"
    for table, columns in (*RANGES.items(), *TABLES.items(), ("text", ["end", "bytes"]))
    for column in columns
]


def sections() -> dict[str, memoryview]:
    return dict(decode(compile_map(map_inputs([Announced("192.0.2.0/24", (64497,))]))))


@pytest.mark.parametrize("name", COLUMNS)
def test_a_missing_column_is_named(name: str) -> None:
    with pytest.raises(MalformedSource, match=f"column {name} is missing"):
        MapTables({other: column for other, column in sections().items() if other != name})


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_of_another_type_is_named(name: str) -> None:
    whole = sections()
    bytes_ = whole[name].cast("B")
    other = bytes_.cast("H") if whole[name].format == "B" and len(bytes_) % 2 == 0 else bytes_.cast("b")
    with pytest.raises(MalformedSource, match=f"column {name} is missing or of another type"):
        MapTables(whole | {name: other})


@pytest.mark.parametrize(
    "name",
    [name for name in COLUMNS if name.split(".")[0] in RANGES or len(TABLES.get(name.split(".")[0], ())) > 1],
)
def test_a_column_that_is_longer_than_its_table_is_refused(name: str) -> None:
    whole = sections()
    code = whole[name].format
    longer = memoryview(bytes(whole[name].cast("B")) + bytes(whole[name].itemsize)).cast(code)  # type: ignore[call-overload] # one of the layout's
    with pytest.raises(MalformedSource, match=f"the columns of {name.split('.', maxsplit=1)[0]} have"):
        MapTables(whole | {name: longer})


@pytest.mark.parametrize("family", RANGES)
def test_a_file_without_ranges_is_refused(family: str) -> None:
    whole = sections()
    none = {f"{family}.{column}": whole[f"{family}.{column}"][:0] for column in RANGES[family]}
    with pytest.raises(MalformedSource, match="it holds no ranges"):
        MapTables(whole | none)


@pytest.mark.parametrize("name", ["v4.start", "v6.high", "v6.low"])
def test_ranges_that_do_not_begin_with_the_first_address_are_refused(name: str) -> None:
    """An address before the first range would find the last one."""
    whole = sections()
    values = array(whole[name].format, bytes(whole[name].cast("B")))
    values[0] = 1
    with pytest.raises(MalformedSource, match="do not begin with the first address"):
        MapTables(whole | {name: memoryview(values)})


# Values that are damaged.


def damaged(name: str, values: Mapping[int, int], whole: MapTables = TABLES_MADE) -> dict[str, memoryview]:
    """Return the sections with some values of one column changed."""
    column = array(whole.sections[name].format, whole.sections[name].tolist())
    for number, value in values.items():
        column[number] = value
    return {**whole.sections, name: memoryview(column)}


def everything(tables: MapTables) -> list[object]:
    """Return all that single lookups can ask for."""
    column = tables.sections
    v6 = zip(column["v6.high"], column["v6.low"], strict=True)
    starts = [*((4, start) for start in column["v4.start"]), *((6, high << 64 | low) for high, low in v6)]
    asns = {*column["as.number"], *column["origin.asn"], 0, MAX_AS_NUMBER}
    return [
        [tables.attribution(tables.row(*address).evidence) for address in starts],
        [tables.attribution(number) for number in range(len(column["evidence.end"]))],
        [tables.record(number) for number in range(len(column["listed.kind"]))],
        [(tables.facts_of(asn), tables.name_source(asn)) for asn in sorted(asns)],
        [tables.curated_of(name) for name in sorted(tables.curated)],
        tables.names,
        tables.sources,
        tables.as_of,
    ]


BEYOND = 200
"""No table of `MAPS` has as many rows, but for the bytes of its texts."""

DAMAGE = [
    *((name, {0: BEYOND}, "has fewer") for name in (*POINTERS, *POINTERS_FROM_1) if name != "as.name_source"),
    *((name, {0: BEYOND}, "row 200 of text") for name in TEXTS if not name.startswith("evidence.")),
    ("as.name_source", {0: BEYOND}, "row 199 of source"),
    ("evidence.end", {1: BEYOND}, "row 1 of evidence points outside announced.source"),
    ("evidence.end", {1: 9, 2: 1}, "row 2 of evidence points outside"),
    ("origins.end", {1: BEYOND}, "row 1 of origins points outside origin.asn"),
    ("text.end", {0: 1 << 31}, "row 1 of text points outside text.bytes"),
    *((name, {0: kind}, f"row 0 of {name} is {kind}, wanted a kind") for name in ("listed.kind", "provider.kind")
      for kind in (0, len(KINDS) + 1)),
    ("as.kind", {0: len(KINDS) + 1}, "wanted a kind"),
    *((f"v4.{name}", {2: length}, f"row 2 of v4.{name} is {length}") for name in ("origin_length", "listed_length")
      for length in (33, 200, 254)),
    *((f"v6.{name}", {2: length}, f"row 2 of v6.{name} is {length}") for name in ("origin_length", "listed_length")
      for length in (129, 200, 254)),
    ("meta.as_of", {0: 1}, "wanted a date"),
    ("source.as_of", {0: 1}, "wanted a date"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [pytest.param(*row_, id=f"{row_[0]}-{'-'.join(map(str, row_[1].values()))}") for row_ in DAMAGE],
)
def test_a_value_that_points_outside_or_has_no_meaning_is_malformed(
    name: str, values: Mapping[int, int], reason: str
) -> None:
    with pytest.raises(MalformedMap, match=reason) as caught:
        everything(MapTables(damaged(name, values)))
    assert caught.value.source == "map"
    assert "maps rollback" in str(caught.value.hint)
    assert "maps build" in str(caught.value.hint)


def test_an_as_number_without_a_kind_has_none() -> None:
    at = list(TABLES_MADE.sections["as.number"]).index(64500)
    assert MapTables(damaged("as.kind", {at: 0})).facts_of(64500).kind is None


@pytest.mark.parametrize(
    ("name", "ask"),
    [
        pytest.param("v4.start", lambda tables: tables.row(4, 0xC0000201), id="v4"),
        pytest.param("v6.high", lambda tables: tables.row(6, 0x20010DB8 << 96), id="v6"),
        pytest.param("as.number", lambda tables: tables.facts_of(64500), id="as-numbers"),
    ],
)
def test_a_table_in_reverse_is_malformed(name: str, ask: Callable[[MapTables], object]) -> None:
    """Nothing would be found in it."""
    first = [0] if name != "as.number" else []
    rest = TABLES_MADE.sections[name].tolist()[len(first) :]
    reversed_ = dict(enumerate([*first, *reversed(rest)]))
    with pytest.raises(MalformedMap, match="is not in ascending order"):
        ask(MapTables(damaged(name, reversed_)))


@pytest.mark.parametrize("day", ["CLOUD-01", "2026-13-01", "20260102", "2026-W01-5", "2026-1-2"])
def test_a_day_that_is_none_or_of_another_form_is_malformed(day: str) -> None:
    """Maps are chosen by comparing their days as texts."""
    inputs = map_inputs(as_names={64496: day})
    whole = MapTables(decode(compile_map(inputs)))
    number = whole.sections["as.name"][0]
    with pytest.raises(MalformedMap, match="wanted a date"):
        MapTables(damaged("meta.as_of", {0: number}, whole))


@settings(max_examples=300)
@given(
    st.sampled_from([name for name in TABLES_MADE.sections if name != "text.bytes"]),
    st.integers(0, 50),
    st.integers(0, (1 << 64) - 1) | st.integers(0, 300),
)
def test_any_damaged_value_is_malformed_or_read_as_it_stands(name: str, number: int, value: int) -> None:
    column = TABLES_MADE.sections[name]
    sections_ = damaged(name, {number % len(column): value % (1 << 8 * column.itemsize)})
    try:
        everything(MapTables(sections_))
    except MalformedMap as error:
        assert error.hint


# One address and millions find the same.


@pytest.fixture(scope="module")
def shipped() -> Maps:
    return load(maps_directory())


def near_starts(maps: Maps, generator: random.Random, count: int) -> tuple[list[int], list[int]]:
    """Return addresses around the starts of ranges, and anywhere, of both families."""
    v4 = maps.column("v4.start").tolist()
    v6 = [
        high << 64 | low
        for high, low in zip(maps.column("v6.high").tolist(), maps.column("v6.low").tolist(), strict=True)
    ]
    found = []
    for starts, bits in ((v4, 32), (v6, 128)):
        some = generator.sample(starts, min(count, len(starts)))
        asked = [start + step for start in some for step in (-1, 0, 1)]
        asked += [generator.getrandbits(bits) for _ in range(count)] + [0, (1 << bits) - 1]
        found.append([address for address in asked if 0 <= address < 1 << bits])
    return found[0], found[1]


@pytest.mark.parametrize("of", ["made", "shipped"])
def test_one_address_finds_what_a_million_find(of: str, shipped: Maps) -> None:
    maps = MAPS if of == "made" else shipped
    v4, v6 = near_starts(maps, random.Random(1), 3000)
    whole = np.array([address.to_bytes(16, "big") for address in v6], "S16")
    assert maps.evidence_v4(np.array(v4, np.uint32)).tolist() == [
        maps.tables.row(4, one).evidence for one in v4
    ]
    assert maps.evidence_v6(*halves(whole)).tolist() == [maps.tables.row(6, one).evidence for one in v6]


def test_what_is_stored_in_the_shipped_map_is_what_follows_from_its_evidence(shipped: Maps) -> None:
    tables = shipped.tables
    stored: dict[str, Callable[[int], object]] = {
        "provider": lambda number: tables.text(number) or None,
        "parent": lambda number: tables.text(number) or None,
        "region": lambda number: tables.text(number) or None,
        "country": lambda number: tables.text(number) or None,
        "asn": lambda number: number or None,
        "kind": lambda number: KINDS[number - 1] if number else None,
        "provider_basis": BASES.__getitem__,
        "country_basis": BASES.__getitem__,
        "kind_basis": tables.text,
        "contradictions": lambda number: number,
    }
    columns = {name: shipped.column(f"evidence.{name}").tolist() for name in stored}
    listed = np.flatnonzero(shipped.column("evidence.listed")).tolist()
    for number in sorted({*listed, *range(0, len(columns["asn"]), 5)}):
        known = tables.attribution(number)
        found = {name: read(columns[name][number]) for name, read in stored.items()}
        own = known.entity(Axis.ASN)
        assert found == {
            "provider": None if known.provider == own else known.provider,
            "parent": None if known.parent == own else known.parent,
            "region": known.region,
            "country": known.country,
            "asn": known.asn,
            "kind": known.kind,
            "provider_basis": known.provider_basis,
            "country_basis": known.country_basis,
            "kind_basis": known.kind_basis,
            "contradictions": len(known.contradictions),
        }
    assert {Basis.PUBLISHED_RANGE, Basis.BGP_ORIGIN} <= {
        BASES[code] for code in set(columns["provider_basis"])
    }
