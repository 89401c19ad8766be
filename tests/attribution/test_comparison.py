"""Two maps over one population, against a count address by address."""

from __future__ import annotations

import ipaddress
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.attribution.made_maps import Announced, Listed, made, map_inputs, weighted

from concentra.attribution.attribute import attribute
from concentra.attribution.comparison import AxisComparison, Move, compare
from concentra.attribution.maps import Maps
from concentra.attribution.providers import Parent, Provider, ProviderTable
from concentra.model.axes import PUBLISHABLE_KINDS, Axis, Kind


def provider(name: str, asn: int, kind: Kind) -> Provider:
    return Provider(
        id=name,
        name=name.title(),
        kind=kind,
        country="DE",
        asns=(asn,),
        holders=(),
        evidence="",
        parent="group",
    )


CLOUD, HOME = provider("cloud", 64496, Kind.HOSTING), provider("home", 64497, Kind.ACCESS)
TABLE = ProviderTable(
    {"cloud": CLOUD, "home": HOME},
    {64496: CLOUD, 64497: HOME},
    {"group": Parent(id="group", name="Group", country="DE", evidence="")},
)
HOSTS = [f"192.0.2.{number}" for number in range(0, 256, 16)] + [
    f"2001:db8:{number}::1" for number in range(4)
]

rows = st.lists(
    st.builds(
        Announced,
        st.sampled_from(
            [
                "192.0.2.0/24",
                "192.0.2.0/25",
                "192.0.2.64/26",
                "192.0.2.240/28",
                "2001:db8::/32",
                "2001:db8:2::/48",
            ]
        ),
        st.sampled_from([(), (64496,), (64497,), (64498,), (64496, 64497)]),
        st.sampled_from(["", "DE", "NL"]),
    ),
    max_size=5,
    unique_by=lambda row: row.prefix,
)
ranges = st.lists(
    st.builds(
        Listed,
        st.sampled_from(["192.0.2.0/26", "192.0.2.128/25", "2001:db8:1::/48"]),
        st.sampled_from(["cloud", "home"]),
        kind=st.sampled_from([Kind.HOSTING, Kind.ACCESS]),
        region=st.sampled_from([None, "a", "b"]),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda row: row.prefix,
)
populations = st.dictionaries(st.sampled_from(HOSTS), st.integers(1, 30), min_size=1)


def maps_of(announced: list[Announced], listed: list[Listed]) -> Maps:
    return made(map_inputs(announced, listed={"file": listed}, providers=TABLE, as_names={64498: "Other"}))


def entities(maps: Maps, host: str, axis: Axis) -> tuple[str | None, bool]:
    """Return the entity of one address, and whether it may be named whatever its size."""
    address = ipaddress.ip_address(host)
    known = maps.tables.attribution(maps.tables.row(address.version, int(address)).evidence)
    return known.entity(axis), known.kind in PUBLISHABLE_KINDS


@settings(max_examples=60)
@given(rows, ranges, rows, ranges, populations, st.sampled_from(list(Axis)))
def test_a_comparison_agrees_with_a_count_address_by_address(
    announced_a: list[Announced],
    listed_a: list[Listed],
    announced_b: list[Announced],
    listed_b: list[Listed],
    population: dict[str, int],
    axis: Axis,
) -> None:
    a, b = maps_of(announced_a, listed_a), maps_of(announced_b, listed_b)
    cells, publishable = Counter[tuple[str | None, str | None]](), Counter[tuple[str | None, str | None]]()
    for host, units in population.items():
        (in_a, public_a), (in_b, public_b) = entities(a, host, axis), entities(b, host, axis)
        cells[in_a, in_b] += units
        publishable[in_a, in_b] += units if public_a and public_b else 0
    addresses = weighted(population)
    [found] = compare(attribute(addresses, a), attribute(addresses, b), [axis], {})
    assert found.alike == sum(count for (one, other), count in cells.items() if one == other is not None)
    assert found.different == sum(
        count for (one, other), count in cells.items() if one != other and None not in {one, other}
    )
    assert found.unknown_in_a == sum(
        count for (one, other), count in cells.items() if one is None is not other
    )
    assert found.unknown_in_b == sum(
        count for (one, other), count in cells.items() if other is None is not one
    )
    assert found.unknown_in_both == cells[None, None]
    assert {(move.a, move.b): (move.units, move.publishable) for move in found.moves} == {
        cell: (count, publishable[cell]) for cell, count in cells.items() if cell[0] != cell[1]
    }
    assert [move.units for move in found.moves] == sorted((move.units for move in found.moves), reverse=True)
    counts = (found.alike, found.different, found.unknown_in_a, found.unknown_in_b, found.unknown_in_both)
    assert sum(counts) == sum(population.values())


@settings(max_examples=20)
@given(rows, ranges, populations)
def test_a_map_is_like_itself(
    announced: list[Announced], listed: list[Listed], population: dict[str, int]
) -> None:
    maps, units = maps_of(announced, listed), weighted(population)
    for found in compare(attribute(units, maps), attribute(units, maps), list(Axis), {}):
        assert found.alike + found.unknown_in_both == units.total
        assert found.moves == ()


def test_what_becomes_what_is_named_for_people_and_ties_are_in_order() -> None:
    a = maps_of([Announced("192.0.2.0/24", (64496,))], [Listed("2001:db8:1::/48")])
    b = maps_of(
        [Announced("192.0.2.0/25", (64498,)), Announced("192.0.2.192/26", (64497,))],
        [Listed("2001:db8:1::/48")],
    )
    units = weighted(
        {"192.0.2.1": 2, "192.0.2.129": 2, "192.0.2.193": 2, "192.0.2.194": 1, "2001:db8:1::1": 5}
    )
    assert compare(attribute(units, a), attribute(units, b), [Axis.PROVIDER], dict(a.tables.names)) == (
        AxisComparison(
            axis=Axis.PROVIDER,
            alike=5,
            different=5,
            unknown_in_a=0,
            unknown_in_b=2,
            unknown_in_both=0,
            moves=(
                Move(a="cloud", a_name="Cloud", b="home", b_name="Home", units=3, publishable=0),
                Move(a="cloud", a_name="Cloud", b=None, b_name="", units=2, publishable=0),
                Move(a="cloud", a_name="Cloud", b="AS64498", b_name="Other", units=2, publishable=0),
            ),
        ),
    )


def test_differences_of_one_size_are_in_order_of_their_names() -> None:
    a = maps_of([Announced("192.0.2.0/25", (64496,), "NL"), Announced("192.0.2.128/25", (64497,), "DE")], [])
    b = maps_of([Announced("192.0.2.0/24", (64496,), "SE")], [])
    units = weighted({"192.0.2.1": 1, "192.0.2.129": 1})
    [found] = compare(attribute(units, a), attribute(units, b), [Axis.COUNTRY], {})
    assert [(move.a, move.b) for move in found.moves] == [("DE", "SE"), ("NL", "SE")]
