"""What a map covers, against a count of every single address; and how far two maps may be apart."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from fractions import Fraction
from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.attribution.made_maps import Announced, Listed, made, map_inputs

from concentra.attribution.map_profile import (
    Distance,
    Distances,
    Figure,
    MapProfile,
    compared,
    profile,
)
from concentra.attribution.maps import Maps
from concentra.attribution.providers import Provider, ProviderTable
from concentra.model.axes import Kind

BLOCKS = [ipaddress.ip_network(block) for block in ("192.0.2.0/24", "2001:db8::/120")]
PROVIDER = Provider(
    id="cloud", name="Cloud", kind=Kind.HOSTING, country="DE", asns=(64496, 64497), holders=(), evidence=""
)
TABLE = ProviderTable({"cloud": PROVIDER}, {64496: PROVIDER, 64497: PROVIDER}, {})


def inside(block: ipaddress.IPv4Network | ipaddress.IPv6Network, length: int, number: int) -> str:
    """Return one of the prefixes of a length inside a block."""
    length = max(length, block.prefixlen)
    step = block.max_prefixlen - length
    return f"{block[0] + (number % (1 << length - block.prefixlen) << step)}/{length}"


prefixes = st.builds(
    inside, st.just(BLOCKS[0]), st.sampled_from([24, 25, 30, 32]), st.integers(-3, 3)
) | st.builds(inside, st.just(BLOCKS[1]), st.sampled_from([120, 121, 126, 128]), st.integers(-3, 3))
origins = st.sampled_from([(), (64496,), (64498,), (64496, 64497), (64496, 64498)])
tables = st.lists(
    st.lists(st.builds(Announced, prefixes, origins), max_size=6, unique_by=lambda row: row.prefix),
    max_size=2,
)
listed = st.dictionaries(
    st.sampled_from(["file-1", "file-2"]),
    st.lists(
        st.builds(Listed, prefixes, st.sampled_from(["cloud", "other"]), region=st.sampled_from([None, "eu"])),
        min_size=1, max_size=4, unique_by=lambda row: row.prefix,
    ),
)  # fmt: skip


def addresses() -> Iterator[list[tuple[int, int]]]:
    """Yield version and number of every address that a prefix may cover, block by block."""
    for block in BLOCKS:
        yield [(block.version, int(address)) for address in block]


@settings(max_examples=60)
@given(tables, listed)
def test_a_profile_agrees_with_a_count_of_every_address(
    announced: list[list[Announced]], published: dict[str, list[Listed]]
) -> None:
    maps = made(map_inputs(*announced, listed=published, providers=TABLE))
    total, of_provider, stretches = 0, Counter[str](), Counter[str]()
    for block in addresses():
        known = [maps.tables.row(*address).evidence for address in block]
        for (version, _), number in zip(block, known, strict=True):
            attribution = maps.tables.attribution(number)
            if version == 4 and attribution.origins:
                total += 1
                of_provider.update([attribution.provider] if attribution.provider else [])
        records = [maps.tables.evidence(number).listed for number in known]
        stretches.update(record.provider for record, _ in groupby(records) if record)
    found = profile(maps)
    assert found.announced_ipv4 == total
    assert found.ipv4_of == of_provider
    assert found.published_of == stretches
    assert sum(found.ipv4_of.values()) <= found.announced_ipv4


def test_a_profile_counts_what_the_tables_hold() -> None:
    maps = made(
        map_inputs(
            [Announced("192.0.2.0/24", (64496,)), Announced("2001:db8::/32", (64498,))],
            listed={
                "file-1": [Listed("192.0.2.0/26", "cloud", region="a"), Listed("192.0.2.128/26", "cloud", region="a")],
                "file-2": [Listed("192.0.2.64/26", "cloud", region="a"), Listed("2001:db8::/48", "edge")],
            },
            as_names={64500: "Example"},
            hosting_lists={64498: ("list-a", "list-b"), 64499: ("list-a",)},
            providers=TABLE,
        )
    )  # fmt: skip
    assert profile(maps) == MapProfile(
        as_of=date(2026, 1, 2),
        announced_ipv4=256,
        announced_48s=1 << 16,
        ranges=(1 + 4 + 1) + (1 + 2 + 1),
        records=3,
        as_numbers=5,
        listed_as_numbers=2,
        ipv4_of={"cloud": 256},
        published_of={"cloud": 3, "edge": 1},
        sources_of={"cloud": frozenset({"file-1", "file-2"}), "edge": frozenset({"file-2"})},
    )


def test_a_map_that_announces_nothing_covers_nothing() -> None:
    found = profile(made(map_inputs([Announced("192.0.2.0/24", (), "DE")])))
    assert (found.announced_ipv4, found.announced_48s) == (0, 0)
    assert (found.ipv4_of, found.published_of) == ({}, {})


@pytest.mark.parametrize(
    ("announced", "count"),
    [
        pytest.param(["::/0"], 1 << 48, id="everything"),
        pytest.param(["2001:db8::/48"], 1, id="one"),
        pytest.param(["2001:db8::1/128"], 1, id="one address of one"),
        pytest.param(
            ["2001:db8::/64", "2001:db8:0:2::/64", "2001:db8:0:9::1/128"], 1, id="three parts of one"
        ),
        pytest.param(["2001:db8::/48", "2001:db8:1::/48"], 2, id="neighbours"),
        pytest.param(["2001:db8:0:8000::/49", "2001:db8:1::/49"], 2, id="halves of neighbours"),
        pytest.param(["2001:db8::/47"], 2, id="two"),
        pytest.param(["2001:db8::/32", "2001:db8:7::/48"], 1 << 16, id="one within many"),
        pytest.param(["ffff:ffff:ffff::/48"], 1, id="the last"),
        pytest.param(["ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"], 1, id="the last address"),
        pytest.param(["::/48", "ffff:ffff:ffff::/48"], 2, id="the first and the last"),
    ],
)
def test_a_48_counts_once_however_much_of_it_is_announced(announced: list[str], count: int) -> None:
    rows = [Announced(prefix, (64496 + number,)) for number, prefix in enumerate(announced)]
    assert profile(made(map_inputs(rows))).announced_48s == count


def test_a_hole_in_a_prefix_is_not_announced() -> None:
    rows = [
        Announced("2001:db8::/44", (64496,)), Announced("2001:db8:1::/48"), Announced("2001:db8:2:1::/64"),
        Announced("192.0.2.0/24", (64496,)), Announced("192.0.2.0/25"),
    ]  # fmt: skip
    found = profile(made(map_inputs(rows)))
    assert (found.announced_48s, found.announced_ipv4) == (15, 128)


def test_all_of_ipv4_is_counted() -> None:
    assert profile(made(map_inputs([Announced("0.0.0.0/0", (64496,))]))).announced_ipv4 == 1 << 32


# How far two maps are apart.

LIMITS = Distances(
    announced_ipv4=Distance(fall=1, rise=2),
    announced_48s=Distance(fall=3, rise=4),
    provider_share=Distance(fall=5, rise=6),
    largest=2,
    published_ranges=Distance(fall=7, rise=8),
    listed_as_numbers=Distance(fall=9, rise=10),
)


def known(**changed: object) -> MapProfile:
    facts = {
        "as_of": date(2026, 1, 2), "announced_ipv4": 1000, "announced_48s": 1000, "ranges": 1, "records": 1,
        "as_numbers": 1, "listed_as_numbers": 1000, "ipv4_of": {"0": 100, "b": 200, "a": 300},
        "published_of": {"a": 100, "d": 200}, "sources_of": {"a": frozenset({"one"}), "d": frozenset({"two"})},
    }  # fmt: skip
    return MapProfile(**facts | changed)  # type: ignore[arg-type] # the tests that change it know its fields


def failing(figures: Iterable[Figure]) -> list[str]:
    return [figure.name for figure in figures if not figure.kept]


def test_a_map_is_not_far_from_itself() -> None:
    figures = list(compared(known(), known(), LIMITS))
    assert [figure.name for figure in figures] == [
        "announced IPv4 addresses",
        "announced IPv6 /48s",
        "AS numbers on hosting lists",
        "share of a in announced IPv4 addresses",
        "share of b in announced IPv4 addresses",
        "published ranges of a",
        "published ranges of d",
    ]
    assert failing(figures) == []


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"announced_ipv4": 989, "ipv4_of": {"a": 297, "b": 198}}, "announced IPv4 addresses"),
        ({"announced_ipv4": 1021, "ipv4_of": {"a": 306, "b": 204}}, "announced IPv4 addresses"),
        ({"announced_48s": 969}, "announced IPv6 /48s"),
        ({"announced_48s": 1041}, "announced IPv6 /48s"),
        ({"ipv4_of": {"a": 284, "b": 200}}, "share of a in announced IPv4 addresses"),
        ({"ipv4_of": {"a": 300, "b": 213}}, "share of b in announced IPv4 addresses"),
        ({"ipv4_of": {"a": 300, "0": 900}}, "share of b in announced IPv4 addresses"),
        ({"published_of": {"a": 92, "d": 200}}, "published ranges of a"),
        ({"published_of": {"a": 100, "d": 217}}, "published ranges of d"),
        ({"published_of": {"a": 100}}, "published ranges of d"),
        ({"listed_as_numbers": 909}, "AS numbers on hosting lists"),
        ({"listed_as_numbers": 1101}, "AS numbers on hosting lists"),
    ],
)
def test_a_figure_just_beyond_its_distance_is_not_kept(changed: dict[str, object], name: str) -> None:
    assert failing(compared(known(), known(**changed), LIMITS)) == [name]


@pytest.mark.parametrize(
    "changed",
    [
        {"announced_ipv4": 990, "ipv4_of": {"a": 297, "b": 198}},
        {"announced_ipv4": 1020, "ipv4_of": {"a": 306, "b": 204}},
        {"announced_48s": 970},
        {"announced_48s": 1040},
        {"ipv4_of": {"a": 285, "b": 212}},
        {"published_of": {"a": 93, "d": 216}},
        {"listed_as_numbers": 910},
        {"listed_as_numbers": 1100},
    ],
)
def test_a_figure_at_the_end_of_its_distance_is_kept(changed: dict[str, object]) -> None:
    assert failing(compared(known(), known(**changed), LIMITS)) == []


def test_a_share_is_compared_as_a_share() -> None:
    """All addresses of twice the space are the same share."""
    old = known(announced_ipv4=3, ipv4_of={"a": 1})
    [share] = [
        one for one in compared(old, known(announced_ipv4=9, ipv4_of={"a": 3}), LIMITS) if one.is_share
    ]
    assert share == Figure(
        name="share of a in announced IPv4 addresses",
        old=Fraction(1, 3),
        new=Fraction(1, 3),
        allowed=LIMITS.provider_share,
        is_share=True,
    )
    assert share.kept


def test_what_is_new_is_not_far_from_anything() -> None:
    new = known(published_of={"a": 100, "d": 200, "e": 10**6}, ipv4_of={"a": 300, "b": 200, "z": 10**6})
    assert failing(compared(known(), new, LIMITS)) == []


def test_a_provider_whose_source_is_known_to_be_missing_is_not_compared() -> None:
    old = known(sources_of={"a": frozenset({"one", "other"}), "d": frozenset({"two"})})
    new = known(published_of={"d": 200}, ipv4_of={"b": 200})
    assert failing(compared(old, new, LIMITS, without={"one"})) == []
    assert failing(compared(old, new, LIMITS, without={"two"})) == [
        "share of a in announced IPv4 addresses",
        "published ranges of a",
    ]


def test_an_old_map_without_anything_can_be_compared_with() -> None:
    nothing = known(announced_ipv4=0, announced_48s=0, listed_as_numbers=0, ipv4_of={"a": 0}, published_of={})
    assert failing(compared(nothing, nothing, LIMITS)) == []
    assert failing(compared(nothing, known(), LIMITS))[:1] == ["announced IPv4 addresses"]


def test_profiles_of_two_made_maps_are_compared() -> None:
    def of(*rows: Announced) -> Maps:
        return made(map_inputs(rows, providers=TABLE))

    old = profile(of(Announced("192.0.2.0/24", (64496,)), Announced("198.51.100.0/24", (64498,))))
    new = profile(of(Announced("192.0.2.0/24", (64496,))))
    assert failing(compared(old, new, LIMITS)) == [
        "announced IPv4 addresses",
        "share of AS64498 in announced IPv4 addresses",
        "share of cloud in announced IPv4 addresses",
    ]
