"""The discv5 driver among nodes that lie, mutter and flood."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.collect.crawl.made_discv5 import (
    ELSEWHERE,
    STRANGER,
    Parting,
    Peer,
    crawl,
    invented_around,
    neighbour,
    record_of,
    seen,
)
from tests.collect.crawl.made_world import START, Node5, World, acquainted

from concentra.collect.crawl.announcements import neighbour_of_record
from concentra.collect.crawl.discv5_visit import (
    OWN_RECORD,
    TRIES,
    TRIES_WHEN_CHALLENGED,
    Discv5Visit,
    Question,
)
from concentra.collect.crawl.discv5_walk import NEAREST
from concentra.collect.crawl.known_nodes import Endpoint, KnownNode
from concentra.model.crawl import ANSWERING, CrawlSource, Outcome
from concentra.wire import enr
from concentra.wire.discv5_messages import FindNode, Message, Nodes, TalkResponse
from concentra.wire.discv5_session import Sessions
from concentra.wire.enr import NodeRecord
from concentra.wire.kademlia import log_distance


def test_of_a_thousand_packets_as_much_is_read_as_one_answer_may_hold() -> None:
    world = World()
    peer = Parting(world)
    records = [record for bucket in invented_around(peer.record.node_id, 400).values() for record in bucket]
    peer.parts = lambda question: [(255, records[at % 400 : at % 400 + 1]) for at in range(1000)]
    crawler = crawl(world, neighbour(peer))
    assert len(crawler.engine.nodes) <= 1 + 16 * len(peer.questions)
    assert len(peer.questions) <= 40
    assert crawler.engine.counts["records left out"] > 1000
    assert crawler.engine.is_done()


def test_sixteen_records_are_an_answer_whatever_total_it_names() -> None:
    world = World()
    peer = Parting(world)
    bucket = invented_around(peer.record.node_id, 50)[256][:16]
    peer.parts = lambda question: (
        [(255, bucket[at : at + 4]) for at in (0, 4, 8, 12)] if 256 in question.distances else [(1, ())]
    )
    crawler = crawl(world, neighbour(peer))
    assert seen(crawler, peer).told == 16
    assert len(set(peer.questions)) == len(peer.questions)


def test_an_answer_must_be_of_the_kind_that_was_asked_for() -> None:
    class Confusing(Peer):
        def answer(self, message: Message, node_id: bytes, to: Endpoint) -> None:
            self.say(Nodes(request_id=message.request_id, total=1, records=(self.record,)), node_id, to)

    world = World()
    peer = Confusing(world)
    crawler = crawl(world, neighbour(peer))
    assert seen(crawler, peer).outcome is Outcome.TIMED_OUT
    assert peer.questions == []
    assert crawler.engine.is_done()


def test_a_record_at_a_distance_that_was_not_asked_for_is_not_believed() -> None:
    world = World()
    peer = Parting(world)
    far = invented_around(peer.record.node_id, 20)[256]
    peer.parts = lambda question: [(1, far[:3] if 256 not in question.distances else ())]
    crawler = crawl(world, neighbour(peer))
    assert crawler.engine.counts["records at another distance"] >= 3
    assert len(crawler.engine.nodes) == 1


def test_what_is_nearer_than_the_nearest_bucket_is_taken_with_it_and_the_node_itself_is_not() -> None:
    """geth keeps all of the first in one bucket."""
    near = record_of(300, ELSEWHERE)
    their_id = near.node_id[:31] + bytes((near.node_id[31] ^ 1,))
    node = KnownNode(their_id, near.public_key, CrawlSource.DISCV5, START)
    crawler, question = Node5(99), Question((241, NEAREST))
    itself = replace(near, node_id=their_id)
    crawler.driver._others(Discv5Visit(node, STRANGER, walks=True), question, [near, itself], START)
    assert question.found == {near.node_id: 1}
    assert crawler.engine.counts["records at another distance"] == 1


def test_a_record_of_somebody_else_is_not_taken_for_the_nodes_own() -> None:
    class Borrowing(Peer):
        def answer(self, message: Message, node_id: bytes, to: Endpoint) -> None:
            if isinstance(message, FindNode):
                records = (Node5(1).record,) if message.distances == OWN_RECORD else ()
                self.say(Nodes(request_id=message.request_id, total=1, records=records), node_id, to)
            else:
                super().answer(message, node_id, to)

    world = World()
    peer = Borrowing(world)
    known, peer.record = peer.record, record_of(200, STRANGER, seq=2)
    crawler = crawl(world, neighbour_of_record(known))
    assert enr.decode(seen(crawler, peer).record or b"") == known
    assert Node5(1).record.node_id not in crawler.engine.nodes
    assert crawler.engine.counts["records of another node"] == 1
    assert seen(crawler, peer).outcome is Outcome.ANSWERED


def test_invented_nodes_of_one_network_are_not_all_asked() -> None:
    world = World()
    peer = Peer(world)
    lies = [record_of(5000 + number, ("127.0.203.1", 1 + number)) for number in range(300)]
    peer.table = {}
    for record in lies:
        peer.table.setdefault(log_distance(peer.record.node_id, record.node_id), []).append(record)  # type: ignore[attr-defined]
    crawler = crawl(world, neighbour(peer), seconds=300)
    crawler.engine.close()
    outcomes = Counter(node.outcome for node in crawler.engine.nodes.values())
    assert outcomes[Outcome.CROWDED] > 0
    assert outcomes[Outcome.TIMED_OUT] == 64


def test_damaged_records_are_counted_under_one_name_whatever_is_wrong() -> None:
    crawler, peer = Node5(99), Peer(World())
    node = KnownNode(peer.record.node_id, peer.record.public_key, CrawlSource.DISCV5, START)
    reasons = {f"key {number} follows another": 1 for number in range(1000)}
    message = Nodes(request_id=b"*", total=1, records=(), refused=reasons)
    crawler.driver._nodes(Discv5Visit(node, STRANGER, walks=True), Question((256,)), message, START)
    assert crawler.engine.counts == {"records left out": 1000}


def test_garbage_makes_a_node_malformed_and_never_raises() -> None:
    world = World()
    peer = Peer(world)
    rng = random.Random(7)

    def garbage(data: bytes, sender: Endpoint, now: float) -> None:
        for size in (0, 1, 62, 63, 300, 1280, 5000):
            world.send(rng.randbytes(size), STRANGER, sender)

    world.others[STRANGER] = garbage
    crawler = crawl(world, neighbour(peer))
    assert seen(crawler, peer).outcome is Outcome.MALFORMED


def test_an_answer_under_keys_that_the_handshake_did_not_lead_to_is_a_bad_signature() -> None:
    class Impostor(Peer):
        def say(self, message: Message, node_id: bytes, to: Endpoint) -> None:
            other = Sessions(bytes(31) + b"\xc8", self.record, random=self.random.randbytes)
            data = other.request(Node5(99).record, to, message, now=self.world.now)
            self.world.send(data, self.endpoint, to)

    world = World()
    peer = Impostor(world)
    crawler = crawl(world, neighbour(peer))
    assert seen(crawler, peer).outcome is Outcome.BAD_SIGNATURE


def test_an_answer_that_is_no_message_is_malformed() -> None:
    class Muttering(Peer):
        def answer(self, message: Message, node_id: bytes, to: Endpoint) -> None:
            link = self.sessions._links[node_id, to]
            _, data = link.ordinary(b"\x04\xc0", source=self.record.node_id, random=self.random.randbytes)
            self.world.send(data, self.endpoint, to)

    world = World()
    peer = Muttering(world)
    crawler = crawl(world, neighbour(peer))
    assert seen(crawler, peer).outcome is Outcome.MALFORMED


def test_an_answer_of_another_kind_or_to_another_question_proves_nothing() -> None:
    class Evading(Peer):
        def answer(self, message: Message, node_id: bytes, to: Endpoint) -> None:
            self.say(Nodes(request_id=b"\x01other", total=1, records=(self.record,)), node_id, to)
            self.say(TalkResponse(request_id=message.request_id, response=b""), node_id, to)

    world = World()
    peer = Evading(world)
    crawler = crawl(world, neighbour(peer))
    assert seen(crawler, peer).outcome is Outcome.TIMED_OUT
    assert crawler.engine.counts["packets nobody asked for"] == TRIES_WHEN_CHALLENGED


def test_an_answer_from_another_endpoint_proves_nothing() -> None:
    class Elsewhere(Peer):
        def say(self, message: Message, node_id: bytes, to: Endpoint) -> None:
            data = self.sessions.respond(node_id, to, message)
            assert data is not None
            self.world.send(data, ELSEWHERE, to)

    world = World()
    peer = Elsewhere(world)
    crawler = crawl(world, neighbour(peer))
    assert seen(crawler, peer).outcome is Outcome.TIMED_OUT


def test_packets_of_an_earlier_dialogue_that_are_replayed_change_nothing() -> None:
    nodes = [Node5(number) for number in range(1, 8)]
    world = acquainted(*nodes)
    crawler = crawl(world, nodes[3].neighbour)
    before = {node_id: (node.outcome, node.told) for node_id, node in crawler.engine.nodes.items()}
    for sender, to, data in list(world.carried):
        if to == crawler.endpoint:
            world.send(data, sender, to)
    world.run()
    assert {node_id: (node.outcome, node.told) for node_id, node in crawler.engine.nodes.items()} == before
    assert crawler.engine.is_done()


@pytest.mark.parametrize("seed", range(4))
def test_damaged_packets_of_a_real_dialogue_end_as_outcomes(seed: int) -> None:
    nodes = [Node5(number) for number in range(1, 8)]
    world = acquainted(*nodes)
    rng = random.Random(seed)

    def damaged(data: bytes, sender: Endpoint, to: Endpoint) -> list[bytes]:
        if rng.random() < 0.5:
            return [data]
        at = rng.randrange(len(data))
        body = bytearray(data)
        body[at] ^= 1 << rng.randrange(8)
        return [bytes(body[: rng.choice((at, len(body), len(body)))])]

    world.spoil = damaged
    crawler = crawl(world, *(node.neighbour for node in nodes), seconds=120)
    assert crawler.engine.is_done()
    others = crawler.engine.nodes.keys() - {crawler.record.node_id}
    outcomes = {crawler.engine.nodes[node_id].outcome for node_id in others}
    assert outcomes <= {*ANSWERING, Outcome.TIMED_OUT, Outcome.MALFORMED, Outcome.BAD_SIGNATURE}


POOL = [record for bucket in invented_around(bytes(32), 60).values() for record in bucket]
PACKETS = st.tuples(
    st.sampled_from([0, 1, 2, 3, 16, 255]), st.lists(st.integers(0, len(POOL) - 1), max_size=5).map(tuple)
)


@settings(max_examples=60)
@given(st.lists(st.lists(PACKETS, max_size=6), min_size=1, max_size=8), st.integers(0, 3))
def test_whatever_a_node_answers_its_visit_ends_and_is_bounded(
    script: list[list[tuple[int, tuple[int, ...]]]], silence: int
) -> None:
    world = World()
    peer = Parting(world)
    turns = iter(range(10_000))

    def parts(question: FindNode) -> list[tuple[int, Sequence[NodeRecord]]]:
        turn = next(turns)
        if silence and turn % 4 >= 4 - silence:
            return []
        return [(total, [POOL[at] for at in chosen]) for total, chosen in script[turn % len(script)]]

    peer.parts = parts
    crawler = crawl(world, neighbour(peer), walks=True, seconds=300)
    assert seen(crawler, peer).outcome in ANSWERING
    assert len(peer.questions) <= TRIES * 40
    assert crawler.engine.is_done()
    assert crawler.driver._visits == {}
    for known in crawler.engine.nodes.values():
        assert known.node_id in {record.node_id for record in [*POOL, peer.record]}
