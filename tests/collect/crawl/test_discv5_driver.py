"""Our own nodes, and others that lose or delay what they say, talk discv5 while the test moves the clock."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from unittest import mock

import pytest
from tests.collect.crawl.made_discv5 import (
    ELSEWHERE,
    STRANGER,
    Parting,
    Peer,
    Silent,
    crawl,
    invented_around,
    neighbour,
    record_of,
    seen,
    sent,
)
from tests.collect.crawl.made_world import PORT, START, Node5, World, acquainted

from concentra.collect.crawl import discv5_driver
from concentra.collect.crawl.announcements import neighbour_of_record
from concentra.collect.crawl.discv5_driver import LATE_S
from concentra.collect.crawl.discv5_visit import BURST, OWN_RECORD, RATE, TRIES, TRIES_WHEN_CHALLENGED
from concentra.collect.crawl.known_nodes import Endpoint
from concentra.model.crawl import ANSWERING, CrawlSource, Outcome
from concentra.wire import discv5_messages as messages
from concentra.wire import discv5_packets as packets
from concentra.wire import enr
from concentra.wire.discv5_crypto import Mask
from concentra.wire.discv5_messages import FindNode, Message, Nodes, Ping
from concentra.wire.discv5_packets import Handshake, Ordinary, Whoareyou
from concentra.wire.enr import NodeRecord

# Walks.


def test_a_crawl_finds_every_node_through_the_tables_of_others() -> None:
    nodes = [Node5(number) for number in range(1, 25)]
    world = acquainted(*nodes)
    crawler = crawl(world, nodes[12].neighbour)
    others = crawler.engine.nodes.keys() - {crawler.record.node_id}  # of whom they tell as well
    assert {crawler.engine.nodes[node_id].outcome for node_id in others} == {Outcome.ANSWERED}
    assert crawler.sees(crawler).outcome is Outcome.OURSELVES
    assert crawler.engine.nodes.keys() >= {node.record.node_id for node in nodes}
    for node in nodes:
        assert enr.decode(crawler.sees(node).record or b"") == node.record
        assert crawler.sees(node).sources[0] is CrawlSource.DISCV5
    assert crawler.engine.is_done()


@pytest.mark.parametrize("first", range(1, 100, 5))
def test_a_network_of_five_is_found_whole_whatever_the_distances(first: int) -> None:
    nodes = [Node5(number) for number in range(first, first + 5) if number != 99]
    world = acquainted(*nodes)
    crawler = crawl(world, nodes[0].neighbour)
    assert {crawler.sees(node).outcome for node in nodes} == {Outcome.ANSWERED}


def test_a_visit_is_a_handshake_with_a_ping_and_then_a_question_at_a_time() -> None:
    world = World()
    peer = Peer(world)
    peer.table = invented_around(peer.record.node_id, 300)
    crawler = crawl(world, neighbour(peer))
    from_us = sent(world, crawler.endpoint, STRANGER, peer.record.node_id)
    assert [type(packet) for packet in from_us[:3]] == [Ordinary, Handshake, Ordinary]
    assert isinstance(sent(world, STRANGER, crawler.endpoint, crawler.record.node_id)[0], Whoareyou)
    assert isinstance(peer.heard[0], Ping)
    assert OWN_RECORD not in peer.questions
    assert len(set(peer.questions)) == len(peer.questions)
    ours = [one == crawler.endpoint for one, other, _ in world.carried if STRANGER in (one, other)]
    assert not any(one and other for one, other in pairwise(ours))
    assert seen(crawler, peer).told == sum(min(16, len(bucket)) for bucket in peer.table.values())


def test_a_node_that_is_only_checked_is_not_asked_for_its_table() -> None:
    world = World()
    peer = Peer(world)
    crawler = crawl(world, neighbour(peer), walks=False)
    assert [type(message) for message in peer.heard] == [Ping]
    assert (seen(crawler, peer).outcome, seen(crawler, peer).seq) == (Outcome.ANSWERED, 1)


@pytest.mark.parametrize(("ours", "is_asked"), [(6, True), (7, False), (8, False)])
def test_a_node_is_asked_for_its_record_if_it_has_a_newer_one(ours: int, is_asked: bool) -> None:
    world = World()
    peer = Peer(world)
    peer.record = record_of(200, STRANGER, seq=7)
    crawler = crawl(world, neighbour_of_record(record_of(200, STRANGER, seq=ours)), walks=False)
    assert peer.questions == [OWN_RECORD] * is_asked
    assert seen(crawler, peer).seq == max(7, ours)


def test_a_node_with_an_empty_table_is_not_dead() -> None:
    world = World()
    peer = Peer(world)
    crawler = crawl(world, neighbour(peer))
    assert (seen(crawler, peer).outcome, seen(crawler, peer).told) == (Outcome.ANSWERED, 0)
    assert crawler.engine.answered == [seen(crawler, peer)]


def test_a_visit_sends_few_packets_at_once_and_few_a_second() -> None:
    """Lighthouse bans whoever sends more than eight at once, or eight a second."""
    world = World()
    peer = Peer(world)
    peer.table = invented_around(peer.record.node_id, 2000)
    crawler = crawl(world, neighbour(peer))
    assert len(peer.questions) > 9
    times = [
        at
        for at, (one, other, data) in zip(world.carried_at, world.carried, strict=True)
        if (one, other) == (crawler.endpoint, STRANGER)
        and not isinstance(packets.decode(data, Mask(peer.record.node_id)), Handshake)
    ]
    for first in range(len(times)):
        within = [at for at in times[first:] if at < times[first] + 1.0]
        assert len(within) <= BURST + RATE
    assert max(Counter(int(8 * (at - START)) for at in times).values()) <= BURST
    tokens, before = 8.0, times[0]
    for at in times:
        tokens = min(8.0, tokens + 8 * (at - before)) - 1
        before = at
        assert tokens >= 0


def test_several_identities_at_one_endpoint_are_each_asked() -> None:
    world = World()
    peers = [Peer(world, 200), Peer(world, 201)]

    def both_hear(data: bytes, sender: Endpoint, now: float) -> None:
        for peer in peers:
            peer.hear(data, sender, now)

    world.others[STRANGER] = both_hear
    crawler = crawl(world, *map(neighbour, peers))
    assert [seen(crawler, peer).outcome for peer in peers] == [Outcome.ANSWERED] * 2


# What gets lost, comes twice, late, or in parts.


@pytest.mark.parametrize("seed", range(4))
def test_one_datagram_in_ten_may_be_lost_repeated_or_late(seed: int) -> None:
    nodes = [Node5(number) for number in range(1, 21)]
    world = acquainted(*nodes)
    rng = random.Random(seed)
    world.spoil = lambda data, sender, to: [data] * rng.choices((0, 1, 2), (1, 18, 1))[0]
    crawler = crawl(world, nodes[3].neighbour, nodes[17].neighbour)
    outcomes = [known.outcome for node in nodes if (known := crawler.engine.nodes.get(node.record.node_id))]
    assert len(outcomes) == len(nodes)
    assert sum(outcome in ANSWERING for outcome in outcomes) >= len(nodes) - 1
    assert crawler.engine.is_done()


def test_a_silent_node_is_asked_again_and_then_given_up() -> None:
    world = World()
    peer = Silent(world)
    crawler = crawl(world, neighbour(peer))
    from_us = sent(world, crawler.endpoint, STRANGER, peer.record.node_id)
    assert [type(packet) for packet in from_us] == [Ordinary] * TRIES
    assert seen(crawler, peer).outcome is Outcome.TIMED_OUT
    assert crawler.engine.is_done()


def test_a_node_that_wanted_a_handshake_is_asked_more_often() -> None:
    world = World()
    peer = Peer(world)
    world.spoil = lambda data, sender, to: (
        [] if sender == STRANGER and len(data) > packets.MIN_SIZE else [data]
    )
    crawler = crawl(world, neighbour(peer))
    assert [type(message) for message in peer.heard] == [Ping] * TRIES_WHEN_CHALLENGED
    assert seen(crawler, peer).outcome is Outcome.TIMED_OUT


def test_an_answer_after_the_node_was_given_up_counts_as_late_and_the_visit_goes_on() -> None:
    world = World()
    peer = Peer(world)

    def only_the_third_try_arrives(data: bytes, sender: Endpoint, to: Endpoint) -> list[bytes]:
        world.delay_s = 1.1 if world.now < START + 3 else 0.01
        return [data] if world.now > START + 1.5 else []

    world.spoil = only_the_third_try_arrives
    crawler = crawl(world, neighbour(peer), seconds=3.05)
    assert seen(crawler, peer).outcome is Outcome.TIMED_OUT
    world.run()
    assert seen(crawler, peer).outcome is Outcome.ANSWERED_LATE
    assert crawler.engine.counts["late answers"] == 1
    assert len(peer.questions) > 1
    assert crawler.engine.is_done()


def given_up_before_its_answer(delay_s: float, *, ends: bool = True) -> tuple[World, Node5, Peer]:
    """Return a world in which a node's first answer is under way `delay_s` longer than it was waited for."""
    world = World()
    peer = Peer(world)
    held: list[tuple[bytes, Endpoint]] = []

    def hold(data: bytes, sender: Endpoint, to: Endpoint) -> list[bytes]:
        if sender == STRANGER and len(data) > packets.MIN_SIZE:
            held.append((data, to))
            return []
        return [data]

    world.spoil = hold
    crawler = crawl(world, neighbour(peer))
    assert seen(crawler, peer).outcome is Outcome.TIMED_OUT
    world.spoil = lambda data, sender, to: [data]
    world.now += delay_s
    for data, to in held[-1:]:
        world.send(data, STRANGER, to)
    if ends:
        world.run()
    return world, crawler, peer


def test_a_session_that_was_opened_in_vain_can_still_bring_a_late_answer() -> None:
    _, crawler, peer = given_up_before_its_answer(1.0)
    assert seen(crawler, peer).outcome is Outcome.ANSWERED_LATE
    assert crawler.engine.counts == {"late answers": 1}
    assert len(set(peer.questions)) == len(peer.questions) == 2
    assert crawler.driver._given_up == {}
    assert seen(crawler, peer).told == 0
    assert len(crawler.driver._sessions) == 0


def test_a_late_answer_ends_the_search_for_the_node_elsewhere() -> None:
    world = World()
    peer = Peer(world)
    held: list[tuple[bytes, Endpoint]] = []

    def hold(data: bytes, sender: Endpoint, to: Endpoint) -> list[bytes]:
        if sender == STRANGER and len(data) > packets.MIN_SIZE and world.now < START + 6:
            held.append((data, to))
            return []
        return [data]

    world.spoil = hold
    crawler = Node5(99)
    world.nodes[crawler.endpoint] = crawler
    crawler.engine.seed(neighbour(peer), CrawlSource.DISCV5, world.now)
    known = seen(crawler, peer)
    known.add_place(ELSEWHERE)
    for _ in range(100):
        if known.endpoint == STRANGER:
            world.run(seconds=0.1)
    assert ELSEWHERE in crawler.driver._at
    world.now = START + 6
    world.send(held[-1][0], STRANGER, held[-1][1])
    world.run()
    assert known.outcome is Outcome.ANSWERED_LATE
    assert known.endpoint == STRANGER
    assert crawler.engine.answered == [known]
    assert crawler.engine.is_done()
    assert crawler.driver._visits == {}
    assert crawler.driver._at == {}


def test_a_late_answer_changes_nothing_if_the_node_answered_elsewhere() -> None:
    world, crawler, peer = given_up_before_its_answer(0.5, ends=False)
    known = seen(crawler, peer)
    known.outcome, known.places = Outcome.ANSWERED, [ELSEWHERE]
    world.run()
    assert (known.outcome, known.endpoint) == (Outcome.ANSWERED, ELSEWHERE)
    assert crawler.engine.counts["packets nobody asked for"] == 1
    assert len(peer.questions) == 0


def test_the_round_trip_is_that_of_the_answer_without_the_handshake() -> None:
    world = World(delay_s=0.05)
    peer = Peer(world)
    crawler = crawl(world, neighbour(peer))
    assert seen(crawler, peer).rtt_s == pytest.approx(0.1, abs=1e-3)


def test_an_answer_that_comes_twice_skips_no_question() -> None:
    class Repeating(Peer):
        def say(self, message: Message, node_id: bytes, to: Endpoint) -> None:
            super().say(message, node_id, to)
            super().say(message, node_id, to)

    world = World()
    peer = Repeating(world)
    peer.table = invented_around(peer.record.node_id, 8)
    crawler = crawl(world, neighbour(peer))
    assert (seen(crawler, peer).told, len(peer.questions)) == (8, 2)
    times = [
        at
        for at, (one, other, _) in zip(world.carried_at, world.carried, strict=True)
        if (one, other) == (crawler.endpoint, STRANGER)
    ]
    assert len(set(times)) == len(times)  # a question waits for the answer to the one before


def test_what_is_known_well_is_not_asked_for_on_and_on_nor_read_again() -> None:
    world = World()
    peer = Peer(world)
    peer.table = invented_around(peer.record.node_id, 2000)
    crawler = Node5(99)
    while crawler.driver._reach.distance > 248:
        crawler.driver._reach.was_cut_off()
    known = [neighbour_of_record(record) for bucket in peer.table.values() for record in bucket]
    crawler.engine.learn(("127.0.220.1", PORT), known, world.now)
    world.nodes[crawler.endpoint] = crawler
    crawler.engine.seed(neighbour(peer), CrawlSource.DISCV5, world.now)
    with mock.patch.object(discv5_driver, "neighbour_of_record", wraps=neighbour_of_record) as read:
        world.run()
    assert peer.questions == [tuple(range(248, 239, -1)), (256,), (255,), (254,), (253,)]
    assert read.call_count <= 1  # its own, for our table


def test_nodes_that_were_given_up_are_forgotten_after_a_while() -> None:
    world = World()
    peers = [Silent(world, 100 + number, (f"127.0.{100 + number}.1", PORT)) for number in range(20)]
    crawler = Node5(99)
    world.nodes[crawler.endpoint] = crawler
    for peer in peers:
        crawler.engine.seed(neighbour(peer), CrawlSource.DISCV5, world.now)
        world.run(seconds=3.2)
    assert 1 <= len(crawler.driver._given_up) <= 1 + LATE_S / 3.0


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_an_answer_of_several_packets_is_read_in_any_order(order: tuple[int, ...]) -> None:
    world = World()
    peer = Parting(world)
    bucket = invented_around(peer.record.node_id, 40)[256][:9]
    peer.parts = lambda question: (
        [(3, bucket[3 * at : 3 * at + 3]) for at in order] if 256 in question.distances else [(1, ())]
    )
    crawler = crawl(world, neighbour(peer))
    assert seen(crawler, peer).told == 9
    assert len(set(peer.questions)) == len(peer.questions)


def test_a_part_that_comes_twice_does_not_stand_for_another() -> None:
    world = World()
    peer = Parting(world)
    bucket = invented_around(peer.record.node_id, 40)[256][:9]
    peer.parts = lambda question: (
        [(3, bucket[3 * at : 3 * at + 3]) for at in (0, 0, 0, 1, 2)]
        if 256 in question.distances
        else [(1, ())]
    )
    crawler = crawl(world, neighbour(peer))
    assert seen(crawler, peer).told == 9
    assert len(set(peer.questions)) == len(peer.questions)


def test_what_is_missing_of_an_answer_is_asked_for_again_once() -> None:
    world = World()
    peer = Parting(world)
    bucket = invented_around(peer.record.node_id, 40)[256][:8]
    asked = Counter[tuple[int, ...]]()

    def parts(question: FindNode) -> list[tuple[int, Sequence[NodeRecord]]]:
        asked[question.distances] += 1
        if 256 not in question.distances:
            return [(1, ())]
        return [(2, bucket[:4])] if asked[question.distances] == 1 else [(2, bucket[4:])]

    peer.parts = parts
    crawler = crawl(world, neighbour(peer))
    assert [times for question, times in asked.items() if 256 in question] == [2]
    assert seen(crawler, peer).told == 8


def test_the_rest_of_an_answer_that_comes_after_the_next_question_is_still_read() -> None:
    world = World()
    peer = Parting(world)
    by_distance = invented_around(peer.record.node_id, 40)
    earlier: list[FindNode] = []

    def parts(question: FindNode) -> list[tuple[int, Sequence[NodeRecord]]]:
        if 256 in question.distances:
            earlier.append(question)
            return [(2, by_distance[256][:3])]
        for before in earlier[:1]:
            rest = Nodes(request_id=before.request_id, total=2, records=tuple(by_distance[256][3:6]))
            peer.say(rest, crawler_id, ("127.0.99.1", PORT))
        return [(1, ())]

    crawler_id = Node5(99).record.node_id
    peer.parts = parts
    crawler = crawl(world, neighbour(peer))
    assert {record.node_id for record in by_distance[256][:6]} <= crawler.engine.nodes.keys()
    assert seen(crawler, peer).told == 6


@pytest.mark.parametrize("total", [0, 1, 255])
def test_whatever_total_an_answer_names_the_visit_goes_on(total: int) -> None:
    world = World()
    peer = Parting(world)
    peer.parts = lambda question: [(total, ())]
    crawler = crawl(world, neighbour(peer))
    assert seen(crawler, peer).outcome is Outcome.ANSWERED
    assert len(peer.questions) <= 30
    assert crawler.engine.is_done()


def test_a_node_that_falls_silent_is_not_asked_on_and_on() -> None:
    world = World()
    peer = Parting(world)
    bucket = invented_around(peer.record.node_id, 10)[256]
    peer.parts = lambda question: [(1, bucket)] if 256 in question.distances else ()
    crawler = crawl(world, neighbour(peer))
    assert (seen(crawler, peer).outcome, seen(crawler, peer).told) == (Outcome.ANSWERED, len(bucket))
    assert len(peer.questions) == 1 + TRIES
    assert (peer.record.node_id, STRANGER) not in crawler.driver._given_up


def test_nothing_is_kept_of_visits_that_ended() -> None:
    nodes = [Node5(number) for number in range(1, 21)]
    world = acquainted(*nodes)
    crawler = crawl(world, nodes[10].neighbour)
    driver = crawler.driver
    assert (driver._visits, driver._at, dict(driver._given_up)) == ({}, {}, {})
    assert len(driver._sessions) <= len(nodes)  # of those who asked us afterwards


def test_request_ids_are_those_that_every_client_answers() -> None:
    """chainsafe reads an ID that begins with zero as another number."""
    world = World()
    peer = Peer(world)
    crawl(world, neighbour(peer))
    ids = [message.request_id for message in peer.heard]
    assert all(len(one) == messages.MAX_REQUEST_ID_SIZE and one[0] for one in ids)
    assert len(set(ids)) == len(ids)
