from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.attribution.made_maps import Announced, Listed, made, map_inputs, weighted

from concentra.attribution.maps import Maps
from concentra.attribution.population_flows import Flows, KnownNode, compare_addresses, compare_nodes
from concentra.attribution.providers import Provider, ProviderTable
from concentra.model.axes import Kind
from concentra.model.population_comparison import NOT_TOLD_OF, Host, ProviderFlow, Trait, UnitClass, Where

CLOUD = Provider(
    id="cloud", name="Cloud", kind=Kind.HOSTING, country="DE", asns=(), holders=(), evidence="made up"
)
# Two networks at home, a cloud with two blocks, and a block that nobody announces; any addresses will do.
HOME, ISP, CLOUD_A, CLOUD_B, NOBODY = "192.0.2.", "198.51.100.", "203.0.113.", "2001:db8:1::", "10.0.0."


@pytest.fixture(scope="module")
def maps() -> Maps:
    return made(
        map_inputs(
            [
                Announced("192.0.2.0/24", (64496,), "DE"),
                Announced("198.51.100.0/24", (64497,), "FR"),
                Announced("203.0.113.0/24", (64498,), "US"),
            ],
            listed={"ranges": [Listed("203.0.113.0/24", "cloud"), Listed("2001:db8:1::/48", "cloud")]},
            as_names={64496: "Home Ltd", 64497: "ISP Ltd"},
            providers=ProviderTable({"cloud": CLOUD}, {}, {}),
        )
    )


def node(block: str | None, host: int = 1, **told: object) -> KnownNode:
    address = None if block is None else ipaddress.ip_address(f"{block}{host}")
    return KnownNode(address=address, **told)  # type: ignore[arg-type] # the tests that tell more know the fields


def known(*nodes: KnownNode | None) -> Mapping[bytes, KnownNode]:
    """Return nodes by an ID that is made of their position; None is one that is not known."""
    return {bytes([number]): one for number, one in enumerate(nodes) if one is not None}


def compared(
    maps: Maps,
    *pairs: tuple[KnownNode | None, KnownNode | None],
    networks: Mapping[bytes, frozenset[str]] | None = None,
) -> Flows:
    old, new = (known(*side) for side in zip(*pairs, strict=True))
    return compare_nodes(old, new, maps, networks or {})


def classes(found: Flows) -> list[tuple[Where, str, int]]:
    return [(one.where, one.what, one.units) for one in found.classes]


def by_id(found: Flows) -> Mapping[str | None, ProviderFlow]:
    return {one.id: one for one in found.providers}


def test_each_pair_of_hosts_has_its_class(maps: Maps) -> None:
    found = compared(
        maps,
        (node(HOME), node(HOME)),
        (node(HOME), node(HOME, 2)),
        (node(CLOUD_A), node(CLOUD_B)),  # from IPv4 to IPv6, at one provider
        (node(HOME), node(CLOUD_A)),
        (node(HOME), node(NOBODY)),
        (node(NOBODY), node(NOBODY, 2)),
        (node(HOME), None),
        (None, node(ISP)),
        (None, node(ISP)),
    )
    assert classes(found) == [
        (Where.BOTH, Host.SAME, 1),
        (Where.BOTH, Host.SAME_PROVIDER, 2),
        (Where.BOTH, Host.OTHER_PROVIDER, 1),
        (Where.BOTH, Host.UNKNOWN_PROVIDER, 2),
        (Where.OLD, NOT_TOLD_OF, 1),
        (Where.NEW, NOT_TOLD_OF, 2),
    ]


def test_each_provider_adds_up_and_moves_within_it_are_none(maps: Maps) -> None:
    found = by_id(
        compared(
            maps,
            (node(HOME), node(HOME, 2)),
            (node(HOME), node(CLOUD_A)),
            (node(CLOUD_A), node(CLOUD_B)),
            (node(HOME), None),
            (None, node(ISP)),
            (node(NOBODY), node(CLOUD_A)),
        )
    )
    home, cloud, isp, nobody = found["AS64496"], found["cloud"], found["AS64497"], found[None]
    assert (home.old, home.left, home.moved_out, home.moved_in, home.arrived, home.new) == (3, 1, 1, 0, 0, 1)
    assert (cloud.old, cloud.left, cloud.moved_out, cloud.moved_in, cloud.arrived, cloud.new) == (
        1,
        0,
        0,
        2,
        0,
        3,
    )
    assert (isp.old, isp.arrived, isp.new) == (0, 1, 1)
    assert (nobody.old, nobody.moved_out, nobody.new, nobody.name) == (1, 1, 0, "unattributed")
    assert (home.name, cloud.name) == ("Home Ltd", "Cloud")
    assert [home.publishable, cloud.publishable, nobody.publishable] == [False, True, False]


def test_a_node_that_is_known_and_not_counted_tells_why_it_left_or_arrived(maps: Maps) -> None:
    found = compared(
        maps,
        (node(HOME), node(HOME, left_out="timed out")),
        (node(HOME), node(HOME, left_out="timed out")),
        (node(HOME), node(None, left_out="other network: gnosis")),
        (node(HOME), None),
        (node(CLOUD_A, left_out="timed out"), node(CLOUD_A)),
        (node(HOME, left_out="timed out"), node(HOME, left_out="timed out")),
        (node(HOME, left_out="timed out"), None),
    )
    assert classes(found) == [
        (Where.OLD, "timed out", 2),
        (Where.OLD, NOT_TOLD_OF, 1),
        (Where.OLD, "other network: gnosis", 1),
        (Where.NEW, "timed out", 1),
    ]
    assert (by_id(found)["AS64496"].left, by_id(found)["cloud"].arrived) == (4, 1)


MAIN, FORKED, SIDE = b"main", b"fork", b"side"
NETWORKS = {MAIN: frozenset({"a"}), FORKED: frozenset({"a", "b"}), SIDE: frozenset({"c"})}


def test_traits_are_compared_where_both_tell_them(maps: Maps) -> None:
    found = compared(
        maps,
        (node(HOME, client="Geth/v1.16/linux", fork=MAIN), node(HOME, client="geth/v1.17", fork=FORKED)),
        (node(HOME, client="Geth/v1", fork=MAIN), node(ISP, client="reth/v1", fork=SIDE)),
        (node(HOME, network_id=1), node(HOME, network_id=56)),
        (node(HOME, fork=b"new!"), node(HOME, fork=MAIN)),
        (node(HOME, client="Geth/v1"), node(HOME)),
        (node(HOME, client="Geth/v1"), None),
        (node(NOBODY), node(HOME)),
        networks=NETWORKS,
    )
    assert found.traits == (
        Trait(name="country", compared=5, differ=1),
        Trait(name="client", compared=2, differ=1),
        Trait(name="network", compared=2, differ=1),
        Trait(name="network ID", compared=1, differ=1),
        Trait(name="fork", compared=3, differ=3),
    )


def test_traits_that_nobody_tells_are_left_out(maps: Maps) -> None:
    assert compared(maps, (node(NOBODY), node(NOBODY, 2))).traits == ()


def test_the_provider_with_the_largest_share_in_either_comes_first(maps: Maps) -> None:
    found = compared(
        maps,
        (node(HOME), None),
        (node(HOME), None),
        (node(ISP), node(ISP)),
        (node(NOBODY), node(NOBODY)),
        (None, node(CLOUD_A)),
    )
    # home 2/4 in old; the other two 1/3 in new
    assert [one.id for one in found.providers] == ["AS64496", "AS64497", "cloud", None]


def test_nobody_in_common_and_nobody_at_all(maps: Maps) -> None:
    found = compared(maps, (node(HOME), None), (None, node(HOME)))
    assert classes(found) == [(Where.OLD, NOT_TOLD_OF, 1), (Where.NEW, NOT_TOLD_OF, 1)]
    assert compare_nodes({}, {}, maps, {}) == Flows(classes=(), traits=(), providers=())


def test_addresses_stay_leave_or_arrive(maps: Maps) -> None:
    old = weighted({"192.0.2.1": 3, "192.0.2.2": 1, "203.0.113.1": 1, "2001:db8:1::1": 1})
    new = weighted({"192.0.2.2": 1, "198.51.100.1": 9, "2001:db8:1::1": 1, "2001:db8:1::2": 1, "10.0.0.1": 1})
    found = compare_addresses(old, new, maps)
    assert found.classes == (
        UnitClass(where=Where.BOTH, what=Host.SAME.value, units=2),
        UnitClass(where=Where.OLD, what=NOT_TOLD_OF, units=2),
        UnitClass(where=Where.NEW, what=NOT_TOLD_OF, units=3),
    )
    cloud = by_id(found)["cloud"]
    assert (cloud.old, cloud.left, cloud.arrived, cloud.new) == (2, 1, 1, 2)
    assert by_id(found)["AS64496"].old == 2  # each counts one, whatever its weight
    assert by_id(found)[None].new == 1


# Laws


blocks = st.sampled_from([HOME, ISP, CLOUD_A, CLOUD_B, NOBODY])
some = st.builds(
    node,
    blocks,
    st.integers(1, 3),
    left_out=st.sampled_from([None, None, None, "timed out", "other network: c"]),
    fork=st.sampled_from([None, MAIN, FORKED, SIDE, b"????"]),
)
sides = st.lists(st.tuples(st.none() | some, st.none() | some), min_size=1, max_size=40)


@given(sides)
def test_every_node_is_in_one_class_and_every_provider_adds_up(
    maps: Maps, pairs: list[tuple[KnownNode | None, KnownNode | None]]
) -> None:
    found = compared(maps, *pairs, networks=NETWORKS)
    counted = [
        sum(side is not None and side.left_out is None for side in column)
        for column in zip(*pairs, strict=True)
    ]
    units: Counter[Where] = Counter()
    for one in found.classes:
        units[one.where] += one.units
        assert one.units > 0
    assert [units[Where.BOTH] + units[Where.OLD], units[Where.BOTH] + units[Where.NEW]] == counted
    for flow in found.providers:
        assert flow.old - flow.left - flow.moved_out + flow.moved_in + flow.arrived == flow.new
        assert min(flow.old, flow.left, flow.moved_out, flow.moved_in, flow.arrived, flow.new) >= 0
        assert flow.left + flow.moved_out <= flow.old
    sums = Counter(
        {
            name: sum(getattr(flow, name) for flow in found.providers)
            for name in ("old", "new", "left", "arrived", "moved_in", "moved_out")
        }
    )
    assert [sums["old"], sums["new"], sums["left"], sums["arrived"]] == [
        *counted,
        units[Where.OLD],
        units[Where.NEW],
    ]
    assert sums["moved_in"] == sums["moved_out"]
    assert all(trait.differ <= trait.compared <= units[Where.BOTH] for trait in found.traits)


@given(sides)
def test_from_new_to_old_is_the_same_way_back(
    maps: Maps, pairs: list[tuple[KnownNode | None, KnownNode | None]]
) -> None:
    there = by_id(compared(maps, *pairs))
    back = by_id(compared(maps, *((new, old) for old, new in pairs)))
    assert there.keys() == back.keys()
    for identifier, flow in there.items():
        other = back[identifier]
        assert (flow.old, flow.left, flow.moved_out) == (other.new, other.arrived, other.moved_in)
        assert (flow.new, flow.arrived, flow.moved_in) == (other.old, other.left, other.moved_out)


addresses = st.sets(st.tuples(blocks, st.integers(1, 4)).map(lambda pair: f"{pair[0]}{pair[1]}"), max_size=12)


@given(addresses, addresses)
def test_addresses_compare_like_nodes_that_never_move(maps: Maps, old: set[str], new: set[str]) -> None:
    def nodes(side: set[str]) -> Mapping[bytes, KnownNode]:
        return {text.encode(): KnownNode(address=ipaddress.ip_address(text)) for text in side}

    by_address = compare_addresses(weighted(dict.fromkeys(old, 1)), weighted(dict.fromkeys(new, 1)), maps)
    by_node = compare_nodes(nodes(old), nodes(new), maps, {})
    assert by_address.providers == by_node.providers
    assert by_address.classes == by_node.classes
