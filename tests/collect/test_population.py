"""What is counted of what was seen: units, drops by reason, and a funnel whose arithmetic adds up.

Documentation addresses are refused by a population, so the addresses here are those of public resolvers
and their neighbours.
"""

from collections import Counter
from datetime import date
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.collect.address_forms import IPAddress
from concentra.collect.errors import NothingToCount
from concentra.collect.node_files import NodeSighting, Sightings
from concentra.collect.population import population_of, prefixes_of, weigh_addresses
from concentra.model.axes import Unit
from concentra.model.population import FunnelStep, Population, WeightedAddresses
from concentra.model.provenance import Source

SOURCE = Source(name="test", publisher="test", as_of=date(2026, 1, 1), licence="CC0-1.0")

PUBLIC = ["8.8.8.8", "8.8.8.9", "8.8.4.4", "1.1.1.1", "9.9.9.9"]
PUBLIC_V6 = ["2001:4860:4860::8888", "2001:4860:4860::8844", "2606:4700:4700::1111"]
SPECIAL = ["10.0.0.1", "127.0.0.1", "192.0.2.1", "2001:db8::1", "fe80::1", "::1", "100.64.0.1"]


def sighted(*rows: str | tuple[int, int, list[str]], dropped: dict[str, int] | None = None) -> Sightings:
    """Return sightings of bare addresses and of nodes, given as (number, seq, addresses)."""
    sightings = Sightings(format="test", dropped=Counter(dropped or {}))
    for row in rows:
        if isinstance(row, str):
            sightings.add([ip_address(row)])
        else:
            number, seq, texts = row
            found = tuple(map(ip_address, texts))
            sightings.nodes.append(NodeSighting(number.to_bytes(32, "big"), seq, found))
            sightings.add(found)
    sightings.rows = len(rows) + sum((dropped or {}).values())
    return sightings


def population(sightings: Sightings) -> Population:
    return population_of(sightings, SOURCE, subject="test", title="test")


def weights(column: WeightedAddresses) -> dict[str, int]:
    v4 = zip(map(IPv4Address, column.v4.tolist()), column.v4_weight.tolist(), strict=True)
    packed = (bytes(entry).ljust(16, b"\0") for entry in column.v6)
    v6 = zip(map(IPv6Address, packed), column.v6_weight.tolist(), strict=True)
    return {str(address): weight for address, weight in [*v4, *v6]}


def totals(counted: Population) -> dict[Unit, int]:
    return {unit: column.total for unit, column in counted.units.items()}


def step(counted: Population, name: str) -> FunnelStep:
    return next(entry for entry in counted.funnel if entry.name == name)


def test_two_nodes_on_one_of_two_addresses_in_one_prefix_count_differently_under_each_unit() -> None:
    counted = population(sighted((1, 1, ["8.8.8.8"]), (2, 1, ["8.8.8.8"]), (3, 1, ["8.8.8.9"])))
    assert totals(counted) == {Unit.NODE: 3, Unit.ADDRESS: 2, Unit.PREFIX: 1}
    assert weights(counted.units[Unit.NODE]) == {"8.8.8.8": 2, "8.8.8.9": 1}
    assert weights(counted.units[Unit.PREFIX]) == {"8.8.8.0": 1}
    assert counted.unavailable == {}


def test_a_node_with_both_families_is_one_node_at_its_ipv4_and_two_addresses() -> None:
    counted = population(sighted((1, 1, ["2001:4860:4860::8888", "8.8.8.8"])))
    assert totals(counted) == {Unit.NODE: 1, Unit.ADDRESS: 2, Unit.PREFIX: 2}
    assert weights(counted.units[Unit.NODE]) == {"8.8.8.8": 1}
    assert step(counted, "addresses").note == "1 rows name two addresses, IPv4 and IPv6"


@pytest.mark.parametrize("newest_last", [True, False], ids=["newest-last", "newest-first"])
def test_a_node_is_where_its_newest_record_says(newest_last: bool) -> None:
    rows = [(1, 1, ["8.8.8.8"]), (1, 2, ["1.1.1.1"])]
    counted = population(sighted(*(rows if newest_last else rows[::-1])))
    assert weights(counted.units[Unit.NODE]) == {"1.1.1.1": 1}
    assert totals(counted)[Unit.ADDRESS] == 2


def test_of_records_with_one_sequence_number_the_first_seen_counts() -> None:
    counted = population(sighted((1, 0, ["8.8.8.8"]), (1, 0, ["1.1.1.1"])))
    assert weights(counted.units[Unit.NODE]) == {"8.8.8.8": 1}


def test_a_node_with_a_private_and_a_public_address_is_at_the_public_one() -> None:
    counted = population(sighted((1, 1, ["10.0.0.1", "2606:4700:4700::1111"])))
    assert weights(counted.units[Unit.NODE]) == {"2606:4700:4700::1111": 1}
    assert step(counted, "routable").dropped == {"private": 1}


def test_nodes_and_rows_that_the_unit_node_leaves_out_are_named() -> None:
    counted = population(
        sighted((1, 1, ["8.8.8.8"]), (2, 1, ["10.0.0.1"]), "1.1.1.1", dropped={"bad ENR": 4})
    )
    assert totals(counted) == {Unit.NODE: 1, Unit.ADDRESS: 2, Unit.PREFIX: 2}
    assert counted.notes == (
        "1 rows carry no node identity: the unit node leaves them out",
        "1 nodes have no public address: the unit node leaves them out",
    )


def test_addresses_alone_cannot_be_counted_as_nodes() -> None:
    counted = population(sighted("8.8.8.8"))
    assert set(counted.units) == {Unit.ADDRESS, Unit.PREFIX}
    assert counted.unavailable == {Unit.NODE: "the source carries no node identities"}
    assert counted.notes == ()


def test_mapped_addresses_are_the_ipv4_addresses_that_they_map() -> None:
    counted = population(sighted("8.8.8.8", "::ffff:8.8.8.8", "::ffff:1.1.1.1", "::ffff:10.0.0.1"))
    assert weights(counted.units[Unit.ADDRESS]) == {"8.8.8.8": 1, "1.1.1.1": 1}
    assert step(counted, "distinct").dropped == {"seen again": 1}
    assert step(counted, "routable").dropped == {"private": 1}


def test_special_addresses_are_dropped_each_by_its_reason() -> None:
    counted = population(sighted("8.8.8.8", *SPECIAL, "192.0.2.2"))
    assert step(counted, "routable").dropped == {
        "private": 1,
        "carrier-grade NAT": 1,
        "loopback": 2,
        "link-local": 1,
        "documentation": 3,
    }
    assert step(counted, "routable").left == 1


def test_prefixes_are_a_24_and_a_48() -> None:
    counted = population(
        sighted(
            "8.8.8.0",
            "8.8.8.255",
            "8.8.9.0",
            "2001:4860:4860::",
            "2001:4860:4860:ffff::1",
            "2001:4860:4861::",
        )
    )
    assert weights(counted.units[Unit.PREFIX]) == {
        "8.8.8.0": 1,
        "8.8.9.0": 1,
        "2001:4860:4860::": 1,
        "2001:4860:4861::": 1,
    }
    counts = weights(prefixes_of(counted.units[Unit.ADDRESS], counted=True))
    assert list(counts.values()) == [2, 1, 2, 1]


NOTHING: list[tuple[str, Sightings, list[str]]] = [
    ("private-only", sighted("10.0.0.1", "192.168.1.1"), ["2 rows", "2 private"]),
    ("documentation-only", sighted("192.0.2.1", "2001:db8::1"), ["2 documentation"]),
    ("unreadable-only", sighted(dropped={"not an address": 1_200}), ["1,200 rows", "1,200 not an address"]),
    ("both", sighted("127.0.0.1", dropped={"bad ENR": 1}), ["1 loopback", "1 bad ENR"]),
    ("empty", sighted(), ["the file is empty"]),
]


@pytest.mark.parametrize(
    ("sightings", "named"), [row[1:] for row in NOTHING], ids=[row[0] for row in NOTHING]
)
def test_nothing_to_count_names_every_reason(sightings: Sightings, named: list[str]) -> None:
    with pytest.raises(NothingToCount) as caught:
        population(sightings)
    assert all(part in str(caught.value) for part in named)
    assert caught.value.hint is not None
    assert sum(caught.value.dropped.values()) == sightings.rows


texts = st.sampled_from([*PUBLIC, *PUBLIC_V6, *SPECIAL])
dual = st.tuples(st.sampled_from(PUBLIC + SPECIAL[:3]), st.sampled_from([*PUBLIC_V6, "2001:db8::1"])).map(
    list
)
nodes = st.tuples(st.integers(1, 6), st.integers(0, 3), texts.map(lambda text: [text]) | dual)
reasons = st.dictionaries(st.sampled_from(["not an address", "bad ENR", "empty cell"]), st.integers(1, 9))


@given(st.lists(texts | nodes, max_size=30), reasons)
def test_the_funnel_adds_up_from_rows_to_distinct_addresses(
    rows: list[str | tuple[int, int, list[str]]], dropped: dict[str, int]
) -> None:
    sightings = sighted("8.8.8.8", *rows, dropped=dropped)
    counted = population(sightings)
    steps = [entry for entry in counted.funnel if entry.left is not None]
    assert [entry.name for entry in steps] == ["read", "addresses", "routable", "distinct"]
    second_addresses = sum(len(row[2]) - 1 for row in rows if not isinstance(row, str))
    left = [entry.left or 0 for entry in steps]
    lost = [sum(entry.dropped.values()) for entry in steps]
    assert left[0] == sightings.rows
    assert left[1] + lost[1] == left[0] + second_addresses
    assert left[2] + lost[2] == left[1]
    assert left[3] + lost[3] == left[2]
    assert left[3] == counted.units[Unit.ADDRESS].total
    assert (steps[1].note is None) == (second_addresses == 0)
    assert all(count > 0 for entry in steps for count in entry.dropped.values())


@given(st.lists(texts | nodes, max_size=30))
def test_every_unit_agrees_with_sets_of_python_objects(rows: list[str | tuple[int, int, list[str]]]) -> None:
    counted = population(sighted("8.8.8.8", *rows))
    seen: set[IPAddress] = {ip_address("8.8.8.8")}
    newest: dict[int, tuple[int, IPAddress]] = {}
    for row in rows:
        public = [
            ip_address(text) for text in ([row] if isinstance(row, str) else row[2]) if text not in SPECIAL
        ]
        seen.update(public)
        if not isinstance(row, str) and public and (row[0] not in newest or row[1] > newest[row[0]][0]):
            newest[row[0]] = (row[1], public[0])
    prefixes = {ip_network((address, 24 if address.version == 4 else 48), strict=False) for address in seen}
    assert set(weights(counted.units[Unit.ADDRESS])) == set(map(str, seen))
    assert set(weights(counted.units[Unit.PREFIX])) == {str(prefix.network_address) for prefix in prefixes}
    if newest:
        of_nodes = Counter(str(address) for _, address in newest.values())
        assert weights(counted.units[Unit.NODE]) == dict(of_nodes)
    else:
        assert Unit.NODE not in counted.units


@given(st.lists(texts, max_size=40))
def test_columns_are_sorted_and_distinct(rows: list[str]) -> None:
    for column in population(sighted("8.8.8.8", *rows)).units.values():
        assert (np.diff(column.v4.astype(np.int64)) > 0).all()
        assert column.v6.tolist() == sorted(set(column.v6.tolist()))
        assert len(column.v4) == len(column.v4_weight)
        assert len(column.v6) == len(column.v6_weight)


def test_weighing_counts_how_often_an_address_occurs() -> None:
    counted = weigh_addresses(map(ip_address, ["8.8.8.8", "2620:fe::fe", "8.8.8.8", "1.1.1.1"]))
    assert weights(counted) == {"1.1.1.1": 1, "8.8.8.8": 2, "2620:fe::fe": 1}
    assert counted.total == 4
    assert weigh_addresses([]).total == 0
