"""The discv5 driver answers others as a node should."""

from __future__ import annotations

from tests.collect.crawl.made_discv5 import (
    ELSEWHERE,
    STRANGER,
    Peer,
    Silent,
    crawl,
    record_of,
    seen,
)
from tests.collect.crawl.made_world import PORT, START, Node5, World

from concentra.collect.crawl.announcements import Neighbour
from concentra.collect.crawl.discv5_driver import (
    SESSIONS,
    STRANGERS_RATE,
)
from concentra.collect.crawl.known_nodes import Endpoint
from concentra.model.crawl import CrawlSource, Outcome
from concentra.wire.discv5_events import MessageReceived
from concentra.wire.discv5_messages import FindNode, Message, Nodes, Ping, Pong, TalkRequest, TalkResponse
from concentra.wire.enr import NodeRecord
from concentra.wire.kademlia import log_distance


def asked(node: Node5, *questions: Message, loopback: bool = True) -> Peer:
    """Return a stranger who asked `node` this."""
    world = World(node)
    peer = Peer(world) if loopback else Peer(world, endpoint=("8.8.4.4", PORT))
    for question in questions:
        peer.ask(question, node)
        world.run(seconds=1)
    return peer


def test_a_ping_is_answered_with_where_it_came_from() -> None:
    node = Node5(1)
    peer = asked(node, Ping(request_id=b"*", enr_seq=1))
    pong = next(message for message in peer.heard if isinstance(message, Pong))
    assert (str(pong.address), pong.port, pong.enr_seq) == (*STRANGER, node.record.seq)


def test_distance_zero_is_answered_with_our_record() -> None:
    node = Node5(1)
    peer = asked(node, FindNode(request_id=b"*", distances=(0,)))
    answer = next(message for message in peer.heard if isinstance(message, Nodes))
    assert answer.records == (node.record,)


def test_a_request_of_another_protocol_is_answered_with_nothing() -> None:
    peer = asked(Node5(1), TalkRequest(request_id=b"*", protocol=b"portal", request=b"?"))
    assert TalkResponse(request_id=b"*", response=b"") in peer.heard


def hub(count: int = 24) -> tuple[World, Node5]:
    """Return a node that has met many others."""
    nodes = [Node5(number) for number in range(1, count + 1)]
    node = Node5(60)
    world = World(node, *nodes)
    for other in nodes:
        node.engine.seed(other.neighbour, CrawlSource.DISCV5, world.now, walks=False)
    world.run()
    return world, node


def test_findnode_is_answered_with_nodes_that_answered_us_at_that_distance() -> None:
    world, node = hub()
    peer = Peer(world)
    peer.ask(FindNode(request_id=b"*", distances=(256,)), node)
    world.run(seconds=1)
    parts = [message for message in peer.heard if isinstance(message, Nodes)]
    told = [record for part in parts for record in part.records]
    others = [other.record.node_id for other in world.nodes.values() if other is not node]
    there = [node_id for node_id in others if log_distance(node.record.node_id, node_id) == 256]
    assert len(told) == min(16, len(there))
    assert {log_distance(node.record.node_id, record.node_id) for record in told} == {256}
    assert {part.total for part in parts} == {len(parts)}
    assert len(parts) > 1


def test_nodes_of_this_machine_are_not_told_to_the_public() -> None:
    world, node = hub()
    question = FindNode(request_id=b"*", distances=(256,))
    told: list[NodeRecord] = []

    def respond(node_id: bytes, endpoint: Endpoint, message: Message) -> None:
        assert isinstance(message, Nodes)
        told.extend(message.records)

    node.driver._sessions.respond = respond  # type: ignore[method-assign]
    for asker, is_told in ((("8.8.4.4", PORT), False), (STRANGER, True)):
        event = MessageReceived(node_id=bytes(32), endpoint=asker, message=question, record=None)
        node.driver._asked(event, world.now)
        assert bool(told) == is_told


def test_a_node_that_is_not_where_its_record_says_is_not_told_to_others() -> None:
    world = World()
    peer = Peer(world)
    peer.record = record_of(200, ELSEWHERE, seq=2)
    crawler = crawl(world, Neighbour(peer.record.node_id, peer.record.public_key, *STRANGER, 0))
    assert seen(crawler, peer).outcome is Outcome.ANSWERED
    assert len(crawler.driver._table) == 0


def test_a_stranger_who_completes_a_handshake_is_learned_as_inbound() -> None:
    node = Node5(1)
    peer = asked(node, Ping(request_id=b"*", enr_seq=1))
    found = node.engine.nodes[peer.record.node_id]
    assert list(found.sources) == [CrawlSource.INBOUND]
    assert (found.endpoint, found.seq) == (STRANGER, 1)


def test_a_stranger_gets_no_answer_larger_than_its_question_before_it_proved_its_endpoint() -> None:
    node = Node5(1)
    world = World(node)
    peer = Silent(world)
    peer.ask(FindNode(request_id=b"*", distances=(256,)), node)
    world.run(seconds=1)
    sizes = {sender: len(data) for sender, _, data in world.carried}
    assert sizes[node.endpoint] <= sizes[STRANGER]
    assert node.engine.nodes == {}


def test_a_flood_of_first_packets_is_answered_in_part_and_leaves_nothing() -> None:
    node = Node5(1)
    world = World(node)
    peer = Silent(world)
    for number in range(3000):
        ping = Ping(request_id=number.to_bytes(2, "big"), enr_seq=1)
        data = peer.sessions.request(node.record, ("127.0.1.1", number), ping, now=START)
        node.engine.received(data, (f"127.9.{number // 250}.{number % 250}", PORT), START)
    assert len(node.engine.outbox) == STRANGERS_RATE
    assert len(node.driver._sessions) == 0
    assert node.engine.nodes == {}


def test_a_flood_of_questions_in_a_session_is_answered_in_part() -> None:
    node = Node5(1)
    world = World(node)
    peer = Peer(world)
    peer.ask(Ping(request_id=b"*", enr_seq=1), node)
    world.run(seconds=1)
    peer.heard.clear()
    for number in range(2000):
        peer.ask(Ping(request_id=number.to_bytes(2, "big"), enr_seq=1), node)
    world.run(seconds=1)
    assert STRANGERS_RATE / 2 <= len([one for one in peer.heard if isinstance(one, Pong)]) <= STRANGERS_RATE
    assert node.engine.counts["strangers left unanswered"] >= 2000 - STRANGERS_RATE


def test_sessions_of_strangers_are_kept_in_bounds() -> None:
    node = Node5(1)
    assert node.driver._sessions._capacity == SESSIONS
    world = World(node)
    for number in range(40):
        peer = Peer(world, 1000 + number, (f"127.3.{number}.1", PORT))
        peer.ask(Ping(request_id=b"*", enr_seq=1), node)
    world.run()
    assert len(node.driver._sessions) == 40
