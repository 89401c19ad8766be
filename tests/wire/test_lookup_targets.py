from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.wire.kademlia import BUCKET_SIZE, RoutingTable, log_distance
from concentra.wire.keccak import keccak256
from concentra.wire.lookup_targets import MAX_DISTANCE, MIN_DISTANCE, LookupTargets, is_ordered, key_target

TARGETS = LookupTargets()
PINNED = "80044fbfa532566af1c47a6ae92ba0c79965f1cc9326cc0427686d24c80c0b92"
ids = st.binary(min_size=32, max_size=32)


@dataclass(frozen=True, slots=True)
class Node:
    node_id: bytes
    ip: bytes = b"\x7f\0\0\x01"


def table_of(peer: bytes, network: int) -> RoutingTable[Node]:
    """Return the table of a peer in a network of so many nodes."""
    table = RoutingTable[Node](peer)
    for number in range(network):
        table.add(Node(keccak256(b"%d" % number)))
    return table


@given(ids, st.integers(MIN_DISTANCE, MAX_DISTANCE))
def test_a_target_is_at_the_distance_asked_for(peer: bytes, distance: int) -> None:
    target = TARGETS.target(peer, distance)
    assert len(target) == 64
    assert log_distance(peer, keccak256(target)) == distance


@given(ids, ids, st.integers(MIN_DISTANCE, MAX_DISTANCE))
def test_peers_whose_ids_begin_alike_are_sent_the_same_target(
    peer: bytes, other: bytes, distance: int
) -> None:
    shared_bits = MAX_DISTANCE + 1 - distance
    mask = (1 << MAX_DISTANCE - shared_bits) - 1
    mixed = int.from_bytes(peer, "big") & ~mask | int.from_bytes(other, "big") & mask
    assert TARGETS.target(mixed.to_bytes(32, "big"), distance) == TARGETS.target(peer, distance)


@pytest.mark.parametrize("distance", range(MIN_DISTANCE, MAX_DISTANCE + 1))
def test_a_bucket_has_as_few_targets_as_it_can(distance: int) -> None:
    peers = (prefix.to_bytes(2, "big") + bytes(30) for prefix in range(0, 1 << 16, 8))
    assert len({TARGETS.target(peer, distance) for peer in peers}) == 2 ** (MAX_DISTANCE + 1 - distance)


@pytest.mark.parametrize("distance", [MIN_DISTANCE - 1, MAX_DISTANCE + 1, 0, -1])
def test_distances_out_of_reach_are_our_mistake(distance: int) -> None:
    with pytest.raises(ValueError, match=rf"in \[244, 256\], got {distance}"):
        TARGETS.target(bytes(32), distance)


def test_targets_are_the_same_in_every_run() -> None:
    peer = keccak256(b"peer")
    assert [LookupTargets().target(peer, d) for d in (256, 244)] == [
        TARGETS.target(peer, d) for d in (256, 244)
    ]
    assert keccak256(TARGETS.target(peer, 256)).hex() == PINNED


def test_targets_differ_from_their_first_bytes_on() -> None:
    # ethereumjs compares the target itself with public keys, of which the first bits count most.
    begins = [TARGETS.target(bytes(32), d)[:2] for d in range(MIN_DISTANCE, MAX_DISTANCE + 1)]
    assert len(set(begins)) == len(begins)
    assert all(
        len(set(target)) > 30 for target in (TARGETS.target(bytes((n,) * 32), 256) for n in range(256))
    )


@pytest.mark.parametrize("distance", [256, 253, 250])
def test_an_answer_holds_the_bucket_then_all_nearer_ones_then_farther_ones(distance: int) -> None:
    peer = keccak256(b"peer")
    table = table_of(peer, 2000)
    answer = table.closest(keccak256(TARGETS.target(peer, distance)), count=len(table))
    from_peer = [log_distance(peer, node.node_id) for node in answer]
    in_bucket, nearer = from_peer.count(distance), sum(d < distance for d in from_peer)
    assert set(from_peer[:in_bucket]) == {distance}
    assert all(d < distance for d in from_peer[in_bucket : in_bucket + nearer])
    assert from_peer[in_bucket + nearer :] == sorted(d for d in from_peer if d > distance)


@pytest.mark.parametrize("network", [0, 1, 15, 16, 17, 100, 5000])
def test_a_walk_that_ends_at_a_farther_node_has_read_the_whole_table(network: int) -> None:
    peer = keccak256(b"peer")
    table = table_of(peer, network)
    seen: set[bytes] = set()
    asked = 0
    for distance in range(MAX_DISTANCE, MIN_DISTANCE - 1, -1):
        answer = table.closest(keccak256(TARGETS.target(peer, distance)))
        seen.update(node.node_id for node in answer)
        asked += 1
        farther = any(log_distance(peer, node.node_id) > distance for node in answer)
        if farther or len(answer) < BUCKET_SIZE:
            break
    assert seen == {node.node_id for node in table.closest(peer, count=1000)}
    assert asked <= 11


@given(st.binary(min_size=64, max_size=64), st.integers(1, 512))
def test_a_target_for_keys_is_at_the_distance_asked_for(key: bytes, distance: int) -> None:
    target = key_target(key, distance)
    assert len(target) == 64
    assert log_distance(key, target) == distance


@pytest.mark.parametrize("distance", [0, -1, 513])
def test_distances_between_keys_have_at_most_512_bits(distance: int) -> None:
    with pytest.raises(ValueError, match=rf"in \[1, 512\], got {distance}"):
        key_target(bytes(64), distance)


def test_a_peer_that_hashes_targets_answers_in_their_order() -> None:
    peer = keccak256(b"peer")
    table = table_of(peer, 2000)
    for distance in range(MAX_DISTANCE, MIN_DISTANCE - 1, -1):
        target = TARGETS.target(peer, distance)
        answer = [node.node_id for node in table.closest(keccak256(target))]
        assert is_ordered(target, answer)
        assert not is_ordered(target, reversed(answer))
        assert is_ordered(target, answer[12:])


def test_a_peer_that_measures_keys_answers_in_another_order() -> None:
    keys = [keccak256(b"%d" % n) + keccak256(b"-%d" % n) for n in range(500)]
    for distance in range(MAX_DISTANCE, MIN_DISTANCE - 1, -1):
        target = TARGETS.target(keccak256(keys[0]), distance)
        nearest = sorted(keys, key=lambda key: int.from_bytes(key, "big") ^ int.from_bytes(target, "big"))
        assert not is_ordered(target, [keccak256(key) for key in nearest[:16]])


def test_order_counts_log_distances_only_and_ties_are_in_any_order() -> None:
    centre = keccak256(bytes(64))
    far = [bytes((centre[0] ^ 0x80, n)) + bytes(30) for n in (9, 5, 7)]
    assert is_ordered(bytes(64), far)
    assert is_ordered(bytes(64), [centre, *far])
    assert not is_ordered(bytes(64), [*far, centre])
    assert is_ordered(bytes(64), [])
