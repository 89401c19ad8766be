from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.collect.crawl.announcements import Neighbour
from concentra.collect.crawl.known_nodes import MAX_PLACES, Endpoint, KnownNode, restored, was_contacted
from concentra.model.crawl import CrawlSource, Outcome

NODE_ID, KEY = bytes([7]) * 32, bytes([8]) * 64
NOW = 1_800_000_000.0
HERE, THERE = ("192.0.2.1", 30303), ("2001:db8::1", 30304)


def known(**facts: Any) -> KnownNode:
    node = KnownNode(NODE_ID, KEY, CrawlSource.DISCV4, NOW)
    for name, value in facts.items():
        setattr(node, name, value)
    return node


def signed(seq: int, **facts: Any) -> Neighbour:
    fields = {"tcp": 30303, "fork_hash": b"\x01\x02\x03\x04", "fork_next": 9, **facts}
    return Neighbour(NODE_ID, KEY, *HERE, record=b"record %d" % seq, seq=seq, **fields)


def test_a_new_node_was_not_asked_and_is_nowhere() -> None:
    node = known()
    (row,) = node.rows()
    assert node.endpoint is None
    assert not was_contacted(node)
    assert (row.address, row.udp, row.outcome, row.asked_at) == (None, None, Outcome.NOT_ASKED, None)
    assert row.first_seen == datetime.fromtimestamp(NOW, UTC)


def test_there_is_one_row_for_each_source_and_each_source_once() -> None:
    node = known()
    assert node.add_source(CrawlSource.DNS_TREE)
    assert not node.add_source(CrawlSource.DISCV4)
    assert [row.source for row in node.rows()] == [CrawlSource.DISCV4, CrawlSource.DNS_TREE]


def test_places_are_bounded_and_the_newest_first_one_stays() -> None:
    node = known()
    places: list[Endpoint] = [("192.0.2.1", port) for port in range(1, 9)]
    assert [node.add_place(place) for place in places] == [True] * MAX_PLACES + [False] * 4
    assert not node.add_place(places[0])
    node.put_first(THERE)
    assert node.places == [THERE, *places[: MAX_PLACES - 1]]
    node.put_first(places[1])
    assert node.places == [places[1], THERE, places[0], places[2]]


def test_a_record_replaces_an_older_one_only() -> None:
    node = known()
    assert node.take_record(signed(2))
    assert not node.take_record(signed(2, tcp=1))
    assert not node.take_record(signed(1, tcp=1))
    assert (node.seq, node.record, node.tcp) == (2, b"record 2", 30303)
    assert node.take_record(signed(3, tcp=0))
    assert (node.seq, node.tcp) == (3, 30303)  # a record without a port says nothing of one
    assert not node.take_record(Neighbour(NODE_ID, KEY, *HERE, 5))


def test_what_a_node_said_when_it_was_greeted_outlasts_what_it_signs() -> None:
    node = known(genesis=bytes(32), fork_hash=b"said", fork_next=1)
    assert node.take_record(signed(5))
    assert (node.seq, node.fork_hash, node.fork_next) == (5, b"said", 1)


def test_one_network_that_tells_again_and_again_is_one_announcer() -> None:
    node = known()
    for network in ("192.0.2", "192.0.2", "192.0.2"):
        node.announced_by(network)
    assert node.announcers == 1
    for network in ("198.51.100", "203.0.113", "192.0.2"):
        node.announced_by(network)
    assert node.announcers == 2


def test_a_greeting_is_taken_over_from_another_walk() -> None:
    other = known(
        dialled="status",
        client="made/1",
        capabilities="eth/69",
        network_id=1,
        genesis=bytes(32),
        fork_hash=b"said",
        fork_next=3,
        head=99,
    )
    node = known(fork_hash=b"sign", fork_next=2)
    node.take_greeting(other)
    (row,) = node.rows()
    assert (row.dialled, row.client, row.capabilities, row.network_id) == ("status", "made/1", "eth/69", 1)
    assert (row.genesis, row.fork_hash, row.fork_next, row.head) == (bytes(32), b"said", 3, 99)


def test_a_greeting_without_a_status_leaves_what_the_record_says() -> None:
    node = known(fork_hash=b"sign", fork_next=2)
    node.take_greeting(known(dialled="disconnected: too many peers", fork_hash=b"else"))
    assert (node.dialled, node.fork_hash, node.fork_next) == ("disconnected: too many peers", b"sign", 2)


moments = st.floats(1e9, 4e9).map(lambda seconds: round(seconds, 6))
small = st.binary(min_size=4, max_size=4)
facts = st.fixed_dictionaries(
    {
        "sources": st.permutations(list(CrawlSource)).flatmap(
            lambda order: st.integers(1, len(order)).map(lambda size: tuple(order[:size]))
        ),
        "places": st.lists(st.sampled_from([HERE, THERE]), max_size=1),
        "tcp": st.none() | st.integers(1, 65535),
        "record": st.none() | st.binary(max_size=300),
        "seq": st.none() | st.integers(0, 2**64 - 1),
        "first_seen": moments,
        "last_seen": moments,
        "asked_at": st.none() | moments,
        "outcome": st.sampled_from(list(Outcome)),
        "announcers": st.integers(0, 2),
        "told": st.integers(0, 300),
        "rtt_s": st.none() | st.integers(0, 5000).map(lambda milliseconds: milliseconds / 1000),
        "dialled": st.none() | st.text(max_size=9),
        "client": st.none() | st.text(max_size=9),
        "capabilities": st.none() | st.text(max_size=9),
        "network_id": st.none() | st.integers(0, 2**64 - 1),
        "genesis": st.none() | st.binary(min_size=32, max_size=32),
        "fork_hash": st.none() | small,
        "fork_next": st.none() | st.integers(0, 2**64 - 1),
        "head": st.none() | st.integers(0, 2**64 - 1),
    }
)


@given(facts)
def test_a_node_is_restored_from_its_rows(of: dict[str, Any]) -> None:
    rows = list(known(**of).rows())
    assert list(restored(rows).rows()) == rows


@pytest.mark.parametrize("outcome", Outcome)
def test_only_who_was_sent_a_packet_was_contacted(outcome: Outcome) -> None:
    contacted = {"answered", "answered late", "timed out", "refused", "unreachable", "wrong identity"}
    contacted |= {"bad signature", "malformed", "expired"}
    assert was_contacted(known(outcome=outcome)) == (outcome.value in contacted)


def test_the_first_row_decides_where_rows_differ() -> None:
    walk, listed = list(known(sources=(CrawlSource.DISCV4, CrawlSource.IMPORT), places=[HERE]).rows())
    node = restored([walk, listed])
    assert (node.sources, node.endpoint) == ((CrawlSource.DISCV4, CrawlSource.IMPORT), HERE)
