"""Peers answer from tables of their own; what they say comes once, twice, in part, in another order, or is a lie."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.collect.crawl.announcements import Neighbour
from concentra.collect.crawl.discv4_walk import FARTHER_KEYS, Part, TableWalk
from concentra.wire.discv4_messages import MAX_NEIGHBORS
from concentra.wire.kademlia import BUCKET_SIZE, RoutingTable, distance
from concentra.wire.keccak import keccak256
from concentra.wire.lookup_targets import MAX_DISTANCE, MIN_DISTANCE, LookupTargets, key_target

TARGETS = LookupTargets()
MOST_QUESTIONS = MAX_DISTANCE - MIN_DISTANCE + 1
Packets = Sequence[Sequence[Neighbour]]


class Known(Neighbour):
    """A node as a table keeps it."""

    __slots__ = ()
    ip = b"\x7f\0\0\x01"


def known(number: int) -> Known:
    key = keccak256(b"%d" % number) + keccak256(b"-%d" % number)
    return Known(keccak256(key), key, "127.0.0.1", 30303, 30303)


PEER = known(-1)


def hashing_table(network: int) -> RoutingTable[Known]:
    """Return what the peer knows of a network of so many nodes."""
    table = RoutingTable[Known](PEER.node_id)
    for number in range(network):
        table.add(known(number))
    return table


def parted(answer: Sequence[Neighbour]) -> Packets:
    return [answer[start : start + MAX_NEIGHBORS] for start in range(0, len(answer), MAX_NEIGHBORS)] or [()]


def taken(walk: TableWalk, packet: Sequence[Neighbour]) -> Part | None:
    """Have a walk take a packet as the driver does; None if it is a repetition."""
    if walk.is_repeated(packet):
        return None
    return walk.take(walk.further(packet)[: walk.room])


def walked(answer: Callable[[bytes], Packets]) -> tuple[TableWalk, int]:
    """Walk the table of a peer, and return the walk with the number of questions."""
    walk = TableWalk(PEER.node_id, PEER.public_key, TARGETS)
    question: bytes | None = walk.target
    asked = 0
    while question is not None:
        asked += 1
        parts = [taken(walk, packet) for packet in answer(question)]
        question = walk.target if Part.CHANGED in parts else walk.next_question()
    return walk, asked


@pytest.mark.parametrize("network", [0, 1, 15, 16, 17, 100, 5000])
def test_a_walk_reads_the_whole_table(network: int) -> None:
    table = hashing_table(network)
    walk, asked = walked(lambda target: parted(table.closest(keccak256(target))))
    assert walk.told == len(table)
    assert asked <= 11


@pytest.mark.parametrize("network", [40, 500, 5000])
def test_the_first_answer_that_reaches_beyond_its_bucket_is_the_last(network: int) -> None:
    table = hashing_table(network)
    farthest: list[int] = []

    def answer(target: bytes) -> Packets:
        nodes = table.closest(keccak256(target))
        farthest.append(max(distance(node.node_id, PEER.node_id).bit_length() for node in nodes))
        return parted(nodes)

    walked(answer)
    beyond = [found > MAX_DISTANCE - number for number, found in enumerate(farthest)]
    assert beyond == [False] * (len(beyond) - 1) + [True]


def test_an_answer_that_comes_again_ends_no_walk() -> None:
    table = hashing_table(5000)
    before: list[Packets] = [()]

    def slow(target: bytes) -> Packets:
        packets = parted(table.closest(keccak256(target)))
        before.append(packets)
        return [*before[-2], *packets]

    walk, asked = walked(slow)
    assert walk.told == len(table)
    assert asked > 8


def test_only_an_answer_to_an_earlier_question_is_a_repetition() -> None:
    walk = TableWalk(PEER.node_id, PEER.public_key, TARGETS)
    first, second = parted(hashing_table(5000).closest(keccak256(walk.target)))
    assert taken(walk, first) is Part.MORE
    assert not walk.is_repeated(first)
    assert walk.further(first) == []
    assert taken(walk, second) is Part.LAST
    walk.next_question()
    assert walk.is_repeated(first)
    assert walk.is_repeated(second)


def test_half_an_answer_counts_once_when_the_question_was_asked_again() -> None:
    walk = TableWalk(PEER.node_id, PEER.public_key, TARGETS)
    first, second = parted(hashing_table(5000).closest(keccak256(walk.target)))
    parts = [taken(walk, first), taken(walk, first), taken(walk, second)]
    assert parts == [Part.MORE, Part.MORE, Part.LAST]
    assert walk.told == BUCKET_SIZE


@pytest.mark.parametrize("network", [12, 100, 1000])
def test_a_peer_that_measures_keys_is_asked_in_its_own_terms(network: int) -> None:
    """As ethereumjs does; its table is kept by log distance of keys, sixteen of each."""
    nodes = [known(number) for number in range(network)]
    buckets: dict[int, list[Known]] = {}
    for node in nodes:
        bucket = buckets.setdefault(distance(node.public_key, PEER.public_key).bit_length(), [])
        if len(bucket) < BUCKET_SIZE:
            bucket.append(node)
    table = [node for bucket in buckets.values() for node in bucket]
    targets = []

    def nearest_keys(target: bytes) -> Packets:
        targets.append(target)
        return [sorted(table, key=lambda node: distance(node.public_key, target))[:BUCKET_SIZE]]

    walk, _ = walked(nearest_keys)
    assert walk.told == len(table)
    assert targets[1] == key_target(PEER.public_key, MAX_DISTANCE + FARTHER_KEYS)


def test_nodes_in_no_order_are_no_answer_to_a_later_question() -> None:
    """reth sends all that it knows, in several packets more than an answer has."""
    walk = TableWalk(PEER.node_id, PEER.public_key, TARGETS)
    table = hashing_table(5000)
    for packet in parted(table.closest(keccak256(walk.target))):
        taken(walk, packet)
    second = walk.next_question()
    assert second is not None
    assert taken(walk, table.closest(keccak256(second))[::-1]) is Part.STRAY
    assert not walk.is_answered
    assert walk.target == second


def test_an_answer_that_is_too_long_gives_sixteen_nodes() -> None:
    walk = TableWalk(PEER.node_id, PEER.public_key, TARGETS)
    answer = hashing_table(5000).closest(keccak256(walk.target), count=40)
    assert len(walk.further(answer)) == 40
    assert taken(walk, answer) is Part.LAST
    assert walk.told == BUCKET_SIZE
    assert walk.room == 0


@pytest.mark.parametrize(
    ("count", "lacks"), [(0, True), (5, False), (12, True), (13, False), (16, False)], ids=str
)
def test_an_answer_lacks_a_part_if_it_is_empty_or_as_long_as_one_packet(count: int, *, lacks: bool) -> None:
    walk = TableWalk(PEER.node_id, PEER.public_key, TARGETS)
    taken(walk, hashing_table(5000).closest(keccak256(walk.target))[:count])
    assert walk.lacks_a_part is lacks


def test_an_answer_that_reaches_beyond_its_bucket_lacks_nothing() -> None:
    table = hashing_table(100)
    walk = TableWalk(PEER.node_id, PEER.public_key, TARGETS)
    question: bytes | None = walk.target
    while question is not None:
        answer = table.closest(keccak256(question))
        taken(walk, answer[:MAX_NEIGHBORS])
        if not walk.lacks_a_part:
            break
        taken(walk, answer[MAX_NEIGHBORS:])
        question = walk.next_question()
    else:
        pytest.fail("every first packet seemed to lack a second one")
    assert walk.told == len(table)


def test_a_peer_that_tells_nothing_new_is_asked_no_more() -> None:
    """It says the same to every question, cut otherwise, of nodes so near that each bucket might hold them."""
    near = [
        Known(PEER.node_id[:-1] + bytes((PEER.node_id[-1] ^ n,)), bytes(64), "127.0.0.1", 1, 1)
        for n in range(1, BUCKET_SIZE + 1)
    ]
    cuts = iter(range(BUCKET_SIZE))

    def answer(target: bytes) -> Packets:
        cut = next(cuts)
        return [near[:cut], near[cut:]]

    walk, asked = walked(answer)
    assert (walk.told, asked) == (BUCKET_SIZE, 2)


@given(
    packets=st.lists(st.lists(st.integers(0, 60), max_size=20).map(tuple), min_size=1, max_size=8),
    fresh=st.booleans(),
)
def test_whatever_a_peer_says_a_walk_ends(packets: list[tuple[int, ...]], *, fresh: bool) -> None:
    questions: list[bytes] = []

    def answer(target: bytes) -> Packets:
        questions.append(target)
        start = 1000 * len(questions) if fresh else 0
        return [[known(start + number) for number in packet] for packet in packets]

    walk, asked = walked(answer)
    assert asked <= MOST_QUESTIONS + 1  # and one more if it measures keys
    assert walk.told <= BUCKET_SIZE * len(packets) * asked
