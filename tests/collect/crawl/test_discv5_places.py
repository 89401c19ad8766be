"""Where nodes are, as signed records tell the discv5 driver and the engine."""

from __future__ import annotations

import pytest
from tests.collect.crawl.made_discv5 import (
    ELSEWHERE,
    STRANGER,
    Peer,
    Silent,
    crawl,
    neighbour,
    record_of,
    seen,
    told_of,
)
from tests.collect.crawl.made_world import PORT, START, Node5, World

from concentra.collect.crawl.announcements import neighbour_of_record
from concentra.collect.crawl.engine import Limits
from concentra.collect.crawl.known_nodes import KnownNode
from concentra.model.crawl import CrawlSource, Outcome


def test_a_record_without_an_endpoint_is_known_and_not_asked() -> None:
    world = World()
    hidden = record_of(230, None)
    crawler = crawl(world, neighbour(told_of(world, hidden)))
    known = crawler.engine.nodes[hidden.node_id]
    assert (known.outcome, known.endpoint, known.seq) == (Outcome.NO_ENDPOINT, None, 1)


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.1.1", "224.0.0.1"])
def test_a_record_with_a_special_address_is_known_and_never_asked(address: str) -> None:
    world = World()
    special = record_of(230, (address, PORT))
    crawler = crawl(world, neighbour(told_of(world, special)))
    assert crawler.engine.nodes[special.node_id].outcome is Outcome.OUTSIDE
    assert (address, PORT) not in {to for _, to, _ in world.carried}


def test_a_newer_record_replaces_the_older_one_and_never_the_other_way() -> None:
    world = World()
    peer = Peer(world, 230)
    peer.record = record_of(230, STRANGER, seq=5)
    peer.sessions.announce(peer.record)
    older, newer = record_of(230, STRANGER, seq=2), record_of(230, STRANGER, seq=9)
    tellers = [told_of(world, record) for record in (older, newer)]
    crawler = Node5(99)
    for record, seq in ((older, 2), (newer, 9), (older, 9)):
        crawler.engine.learn(tellers[0].endpoint, [neighbour_of_record(record)], world.now)
        assert crawler.engine.nodes[older.node_id].seq == seq
    world.nodes[crawler.endpoint] = crawler
    world.run()
    assert crawler.engine.nodes[older.node_id].seq == 9


def test_a_node_that_was_given_up_is_asked_where_its_newer_record_says_it_is() -> None:
    world = World()
    moved = Peer(world, 230, ELSEWHERE)
    older, newer = record_of(230, STRANGER, seq=1), record_of(230, ELSEWHERE, seq=2)
    moved.record = newer
    crawler = crawl(world, neighbour_of_record(older))
    assert crawler.engine.nodes[older.node_id].outcome is Outcome.TIMED_OUT
    crawler.engine.seed(neighbour(told_of(world, newer)), CrawlSource.DISCV5, world.now)
    world.run()
    known = crawler.engine.nodes[older.node_id]
    assert (known.outcome, known.endpoint, known.seq) == (Outcome.ANSWERED, ELSEWHERE, 2)


def test_a_node_that_moves_while_it_is_being_asked_is_asked_at_the_new_place_next() -> None:
    world = World()
    moved = Peer(world, 230, ELSEWHERE)
    older, newer = record_of(230, STRANGER, seq=1), record_of(230, ELSEWHERE, seq=2)
    moved.record = newer
    crawler = crawl(world, neighbour_of_record(older), seconds=0.5)
    crawler.engine.learn(("127.0.220.1", PORT), [neighbour_of_record(newer)], world.now)
    world.run()
    known = crawler.engine.nodes[older.node_id]
    assert (known.outcome, known.endpoint) == (Outcome.ANSWERED, ELSEWHERE)
    assert crawler.engine.answered == [known]


def test_a_newer_record_does_not_send_the_crawl_to_a_special_address() -> None:
    world = World()
    older, newer = record_of(230, STRANGER, seq=1), record_of(230, ("10.0.0.1", PORT), seq=2)
    crawler = Node5(99)
    world.nodes[crawler.endpoint] = crawler
    for record in (older, newer):
        crawler.engine.learn(("127.0.220.1", PORT), [neighbour_of_record(record)], world.now)
    world.run()
    assert {to for one, to, _ in world.carried if one == crawler.endpoint} == {STRANGER}
    assert crawler.engine.counts == {}


def test_what_two_networks_tell_of_is_asked_before_what_only_one_does() -> None:
    crawler = Node5(99, limits=Limits(rate=0.001, prefix_rate=1000))
    hearsay = [record_of(300 + number, (f"127.2.{number}.1", PORT)) for number in range(50)]
    for teller in ("127.0.1.1", "127.0.2.1"):
        told = hearsay if teller == "127.0.1.1" else hearsay[40:41]
        crawler.engine.learn((teller, PORT), map(neighbour_of_record, told), START)
    crawler.engine.advance(START)
    assert [to for _, to in crawler.engine.outbox] == [("127.2.40.1", PORT)]


def test_a_closed_port_ends_the_visits_there_that_brought_nothing_yet() -> None:
    world = World()
    silent, answering = Silent(world, 230), Peer(world, 231, ELSEWHERE)
    crawler = crawl(world, neighbour(silent), neighbour(answering), seconds=0.045)
    for endpoint in (STRANGER, ELSEWHERE):
        crawler.engine.unreachable(endpoint, Outcome.REFUSED, world.now)
    assert seen(crawler, silent).outcome is Outcome.REFUSED
    world.run()
    assert seen(crawler, answering).outcome is Outcome.ANSWERED
    assert len(answering.questions) == 2


def test_a_node_without_a_key_ends_and_does_not_hold_up_the_crawl() -> None:
    crawler = Node5(99)
    for number, key in ((1, None), (2, bytes(64))):
        node = KnownNode(bytes((number,)) * 32, key, CrawlSource.DISCV5, START)
        node.places.append((f"127.0.{number}.1", PORT))
        crawler.engine.restore(node)
    crawler.engine.release()
    world = World(crawler)
    world.run()
    assert {node.outcome for node in crawler.engine.nodes.values()} == {Outcome.MALFORMED}
    assert world.carried == []
    assert crawler.engine.is_done()
