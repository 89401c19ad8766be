from dataclasses import dataclass
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.wire.kademlia import BUCKET_SIZE, RoutingTable, distance, log_distance
from concentra.wire.keccak import keccak256

OWN = bytes(32)
ids = st.binary(min_size=32, max_size=32)


@dataclass(frozen=True, slots=True)
class Node:
    node_id: bytes
    ip: bytes
    seq: int = 0


def at(log_distance: int, rest: int = 0) -> bytes:
    """Return an ID at a log distance from the own one, one for each `rest`."""
    return (1 << (log_distance - 1) | rest).to_bytes(32, "big")


def node(node_id: bytes, address: str = "127.0.0.1", seq: int = 0) -> Node:
    return Node(node_id, ip_address(address).packed, seq)


def apart(number: int) -> str:
    """Return an address of a network of its own."""
    return f"2001:db8:{number:x}::1"


def filled(nodes: list[Node]) -> RoutingTable[Node]:
    table = RoutingTable[Node](OWN)
    for each in nodes:
        table.add(each)
    return table


def in_order(count: int) -> list[bytes]:
    """Return IDs that are spread as hashes are, always the same."""
    return [keccak256(b"%d" % number) for number in range(count)]


@given(ids, ids, ids)
def test_distance_is_a_metric_and_unidirectional(a: bytes, b: bytes, c: bytes) -> None:
    assert distance(a, a) == 0
    assert distance(a, b) == distance(b, a)
    assert distance(a, c) <= distance(a, b) + distance(b, c)
    assert (distance(a, b) == distance(a, c)) == (b == c)


@pytest.mark.parametrize("bit", [0, 1, 7, 8, 100, 239, 240, 254, 255])
def test_log_distance_is_the_number_of_the_highest_bit_that_differs(bit: int) -> None:
    lowest, highest = (1 << bit).to_bytes(32, "big"), ((2 << bit) - 1).to_bytes(32, "big")
    assert log_distance(OWN, lowest) == log_distance(highest, OWN) == bit + 1
    assert log_distance(highest, highest) == 0


def test_half_of_all_ids_are_at_256_and_a_quarter_at_255() -> None:
    distances = [log_distance(OWN, node_id) for node_id in in_order(4000)]
    assert 1900 < distances.count(256) < 2100
    assert 900 < distances.count(255) < 1100


def test_a_table_holds_no_more_than_sixteen_of_a_distance_and_keeps_the_oldest() -> None:
    table = RoutingTable[Node](OWN)
    nodes = [node(at(250, rest)) for rest in range(20)]
    assert [table.add(each) for each in nodes] == [True] * 16 + [False] * 4
    assert table.at_distances([250], limit=99) == nodes[:16]


def test_everything_nearer_than_241_shares_one_bucket() -> None:
    table = RoutingTable[Node](OWN)
    assert [table.add(node(at(d))) for d in range(1, 20)] == [True] * 16 + [False] * 3
    assert not table.add(node(at(240)))
    assert table.add(node(at(241)))
    assert table.add(node(at(242)))
    assert len(table) == 18


def test_a_table_of_a_large_network_has_sixteen_nodes_of_each_far_distance() -> None:
    table = filled([node(node_id) for node_id in in_order(3000)])
    counts = [len(table.at_distances([d], limit=99)) for d in range(256, 248, -1)]
    assert counts[:6] == [16] * 6
    assert len(table) < 17 * 16


def test_the_own_node_is_not_in_the_table() -> None:
    table = RoutingTable[Node](OWN)
    assert not table.add(node(OWN))
    assert len(table) == 0


def test_a_node_has_one_place_and_its_newest_form() -> None:
    table = filled([node(at(250, rest), apart(rest)) for rest in range(3)])
    moved = node(at(250, 1), "192.0.2.1", seq=2)
    assert table.add(moved)
    assert [each.node_id for each in table.at_distances([250])] == [at(250, rest) for rest in range(3)]
    assert table.at_distances([250])[1] == moved
    assert len(table) == 3


def test_a_full_bucket_still_takes_the_new_form_of_its_own_nodes() -> None:
    table = filled([node(at(250, rest)) for rest in range(16)])
    assert table.add(node(at(250, 3), seq=9))
    assert table.at_distances([250])[3].seq == 9


def test_removing_a_node_makes_room_in_its_bucket_and_network() -> None:
    table = filled([node(at(250, rest), f"192.0.2.{rest}") for rest in range(2)])
    late = node(at(250, 7), "192.0.2.7")
    assert not table.add(late)
    assert table.remove(at(250, 0))
    assert table.add(late)
    assert not table.remove(at(250, 0))
    assert len(table) == 2


@pytest.mark.parametrize(
    "network",
    [
        pytest.param("192.0.2.{}", id="ipv4-slash-24"),
        pytest.param("2001:db8:77:{}::1", id="ipv6-slash-48"),
    ],
)
def test_one_network_gets_two_places_in_a_bucket_and_ten_in_the_table(network: str) -> None:
    nodes = [
        node(at(d, rest), network.format(d - 200 + rest)) for d in range(256, 241, -1) for rest in range(3)
    ]
    table = filled(nodes)
    assert len(table) == 10
    assert [log_distance(OWN, each.node_id) for each in table.closest(OWN)] == [
        d for d in range(252, 257) for _ in range(2)
    ]
    assert table.add(node(at(249), apart(1)))


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1"])
def test_nodes_of_this_machine_are_not_counted(address: str) -> None:
    assert len(filled([node(at(250, rest), address) for rest in range(20)])) == 16


def test_a_node_that_moves_into_a_crowded_network_keeps_its_former_form() -> None:
    nodes = [node(at(250, 0), "192.0.2.1"), node(at(250, 1), "192.0.2.2"), node(at(250, 2), "198.51.100.1")]
    table = filled(nodes)
    assert not table.add(node(at(250, 2), "192.0.2.3"))
    assert table.at_distances([250]) == nodes


def test_a_node_that_moves_away_leaves_room_for_another() -> None:
    table = filled([node(at(250, rest), f"192.0.2.{rest}") for rest in range(2)])
    assert table.add(node(at(250, 0), "198.51.100.1"))
    assert table.add(node(at(250, 5), "192.0.2.5"))
    assert not table.add(node(at(250, 6), "192.0.2.6"))


def test_moving_within_a_crowded_network_is_no_crowding() -> None:
    table = filled([node(at(250, rest), f"192.0.2.{rest}") for rest in range(2)])
    assert table.add(node(at(250, 0), "192.0.2.99"))


@given(st.lists(ids, max_size=40, unique=True), ids, st.integers(0, 20))
def test_the_closest_are_those_of_least_distance_in_order(
    node_ids: list[bytes], target: bytes, count: int
) -> None:
    table = filled([node(node_id) for node_id in node_ids])
    everybody = table.at_distances(range(257), limit=1000)
    assert len(everybody) == len(table)
    by_distance = sorted(everybody, key=lambda each: distance(each.node_id, target))
    assert table.closest(target, count) == by_distance[:count]


def test_at_most_sixteen_are_closest_unless_told() -> None:
    table = filled([node(node_id) for node_id in in_order(100)])
    assert len(table.closest(OWN)) == BUCKET_SIZE
    assert table.closest(OWN, count=0) == []


def test_distances_are_answered_in_the_order_asked_for_and_once() -> None:
    nodes = [node(at(d, rest)) for d in (256, 255, 3) for rest in range(2)]
    table = filled(nodes)
    assert table.at_distances([255, 256, 255]) == [*nodes[2:4], *nodes[:2]]
    assert table.at_distances([256, 255], limit=3) == nodes[:3]
    assert table.at_distances([]) == []


def test_distances_within_the_nearest_bucket_are_told_apart() -> None:
    table = filled([node(at(3)), node(at(4)), node(at(240))])
    assert table.at_distances([4]) == [node(at(4))]
    assert table.at_distances([5, 239]) == []


def test_distances_that_cannot_be_bring_nothing() -> None:
    table = filled([node(node_id) for node_id in in_order(50)])
    assert table.at_distances([0, -1, 257, 2**64, -300]) == []


@given(
    st.lists(
        st.tuples(st.integers(200, 256), st.integers(0, 3), st.integers(0, 4), st.booleans()), max_size=60
    )
)
def test_no_order_of_events_breaks_the_limits(events: list[tuple[int, int, int, bool]]) -> None:
    table = RoutingTable[Node](OWN)
    for log, rest, network, removes in events:
        if removes:
            table.remove(at(log, rest))
        else:
            table.add(node(at(log, rest), f"192.0.{network}.{rest}"))
    everybody = table.closest(OWN, count=1000)
    networks = [each.ip[:3] for each in everybody]
    assert all(networks.count(network) <= 10 for network in networks)
    buckets = [(max(240, log_distance(OWN, each.node_id)), each.ip[:3]) for each in everybody]
    assert all(buckets.count(bucket) <= 2 for bucket in buckets)
    for each in everybody:
        table.remove(each.node_id)
    room = [table.add(node(at(256, 90 + number), f"192.0.{number // 2}.1")) for number in range(6)]
    assert room == [True] * 6
