"""The walk over nodes of @ethereumjs/devp2p, which speak discv4 in a way of their own."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import pytest
from tests.interop.crawls import Done, Home, enode_of
from tests.interop.peers import LOOPBACK, Peer, peer

from concentra.model.crawl import CrawlSource, NodeRow, Outcome
from concentra.wire import discv4, enr, identity
from concentra.wire.discv4_messages import Endpoint, EnrRequest, FindNode, Message, Neighbors, Ping, Pong

COUNT = 40
PACKAGES = ("@ethereumjs/devp2p", "@chainsafe/enr")
SECRET = bytes(31) + b"\x07"
TIMEOUT_S = 10.0


@contextmanager
def nodes(count: int = COUNT, **wish: object) -> Iterator[Peer]:
    with peer("devp2p_discv4.mjs", PACKAGES, count=count, **wish) as them:
        yield them


def node_id_of(node: Mapping[str, Any]) -> bytes:
    return identity.node_id(bytes.fromhex(node["id"]))


def ids(them: Peer) -> list[bytes]:
    return [node_id_of(node) for node in them.listening["nodes"]]


def boot(them: Peer, number: int = 0) -> tuple[str, str]:
    return "--boot-node", enode_of(them.listening["nodes"][number])


class Stranger:
    """One socket and one key, and no more manners than a test gives it."""

    def __init__(self, them: Peer) -> None:
        self._socket = socket.socket(type=socket.SOCK_DGRAM)
        self._socket.bind((LOOPBACK, 0))
        self._socket.settimeout(TIMEOUT_S)
        self._node = (LOOPBACK, them.listening["nodes"][0]["port"])
        self.key = identity.signing_key(SECRET)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def say(self, message: Message) -> bytes:
        """Send a message, and return the hash of its packet."""
        data = discv4.encode(self.key, message)
        self._socket.sendto(data, self._node)
        return data[:32]

    def hear(self) -> bytes:
        """Return the next datagram."""
        return self._socket.recv(65_535)


def soon() -> int:
    return int(time.time()) + 20


# The crawl.


@dataclass(frozen=True, slots=True, kw_only=True)
class Crawled:
    nodes: list[dict[str, Any]]
    crawl: Done
    rows: dict[bytes, NodeRow]
    heard: dict[str, Any]
    """What the nodes say that they were asked."""


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> Crawled:
    """All nodes, crawled from one of them."""
    home = Home(tmp_path_factory.mktemp("discv4"))
    with nodes() as them:
        crawl = home.crawl(*boot(them))
        return Crawled(nodes=them.listening["nodes"], crawl=crawl, rows=home.rows(), heard=them.ask("heard"))


def test_every_node_is_found_from_one_of_them(crawled: Crawled) -> None:
    crawl = crawled.crawl
    assert (crawl.code, crawl.errors) == (0, "")
    assert crawl.document["state"] == "complete"
    outcomes = dict(crawl.document["outcomes"])
    ourselves = outcomes.pop("ourselves", 0)  # they know us too by then, and tell us
    assert outcomes == {"answered": COUNT}
    assert ourselves <= 1
    assert crawl.document["sources"]["discv4"] == {
        "announced": COUNT + ourselves,
        "asked": COUNT,
        "answering": COUNT,
        "on_network": 0,
    }
    assert crawl.document["greeted"] == {"refused": COUNT}
    assert crawl.document["oddities"] == {}


def test_the_rows_say_of_each_node_where_it_is_and_what_it_told(crawled: Crawled) -> None:
    for node in crawled.nodes:
        row = crawled.rows[node_id_of(node)]
        assert (row.address, row.udp, row.tcp) == (LOOPBACK, node["port"], node["port"])
        assert (row.source, row.outcome) == (CrawlSource.DISCV4, Outcome.ANSWERED)
        assert row.public_key == bytes.fromhex(node["id"])
        assert row.record is None  # they have no ENRRequest
        assert row.told >= 16
        assert row.rtt_ms is not None


def test_an_answer_of_16_in_one_packet_is_not_asked_for_again(crawled: Crawled) -> None:
    asked = [heard["findnode"] for heard in crawled.heard["heard"]]
    assert asked == crawled.heard["targets"]  # each bucket once
    assert min(asked) >= 2
    assert [heard["ping"] for heard in crawled.heard["heard"]] == [1] * COUNT


def test_their_own_pings_are_answered(crawled: Crawled) -> None:
    pongs = [heard["pong"] for heard in crawled.heard["heard"]]
    assert max(pongs) == 1
    assert sum(pongs) > COUNT / 2  # they ping a stranger after 0.1 s, when the crawl may be over


def test_tables_are_read_whole_though_they_are_ordered_by_keys_and_not_by_their_hashes(home: Home) -> None:
    with nodes(known=COUNT) as them:
        home.crawl(*boot(them), "--no-handshakes", "--rate", "40")
        tables = them.ask("heard")["tables"]
    rows = home.rows()
    missed = [size - rows[node_id].told for node_id, size in zip(ids(them), tables, strict=True) if size > 16]
    assert len(missed) == COUNT
    # Tables go on changing, and a few answers are late where the machine is busy.
    assert sum(number <= 2 for number in missed) > 0.8 * COUNT


def test_a_node_that_knows_nobody_is_not_dead(home: Home) -> None:
    with nodes(1) as them:
        crawl = home.crawl(*boot(them))
    assert crawl.document["outcomes"]["answered"] == 1
    assert home.rows()[ids(them)[0]].outcome is Outcome.ANSWERED


def test_a_node_that_confirmed_none_of_those_it_knows_is_not_dead(home: Home) -> None:
    with nodes(3, confirmed="11" * 64) as them:
        crawl = home.crawl(*boot(them))
    assert crawl.document["outcomes"] == {"answered": 1}
    assert home.rows()[ids(them)[0]].told == 0


def test_records_that_answer_one_and_the_same_request_go_to_whoever_sent_them(home: Home) -> None:
    with nodes(16, records=True) as them:
        crawl = home.crawl(*boot(them))
        said = them.ask("heard")
    assert said["requests"] <= 2  # of 10 s each: the hash tells no node from another
    assert [heard["enrrequest"] for heard in said["heard"]] == [1] * 16
    assert crawl.document["oddities"] == {}
    rows = home.rows()
    for node, node_id in zip(them.listening["nodes"], ids(them), strict=True):
        record = rows[node_id].record
        assert record is not None
        assert (enr.decode(record).node_id, enr.decode(record).udp) == (node_id, node["port"])


def test_a_record_of_another_node_is_not_taken_for_its_senders(home: Home) -> None:
    with nodes(3, records=True, swapped=True) as them:
        crawl = home.crawl(*boot(them))
    assert crawl.document["outcomes"]["answered"] == 3
    assert crawl.document["oddities"]["discv4: records of another node"] >= 1
    records = [home.rows()[node_id].record for node_id in ids(them)]
    assert [record is None for record in records] == [True, False, False]


# The peer's own ways, byte by byte.


def test_16_neighbours_come_in_one_packet_larger_than_the_specification_allows_without_a_bond() -> None:
    with nodes() as them, Stranger(them) as stranger:
        stranger.say(FindNode(target=bytes(64), expiration=soon()))
        data = stranger.hear()
    assert len(data) > discv4.MAX_SIZE
    packet = discv4.decode(data)
    assert isinstance(packet.message, Neighbors)
    assert packet.sender == bytes.fromhex(them.listening["nodes"][0]["id"])
    assert (len(packet.message.nodes), packet.message.defects) == (16, ())
    known = {bytes.fromhex(node["id"]) for node in them.listening["nodes"]}
    assert {node.public_key for node in packet.message.nodes} <= known


def test_only_their_order_tells_the_answers_to_two_questions_apart() -> None:
    with nodes() as them, Stranger(them) as stranger:
        for byte in (b"\x00", b"\xff"):
            stranger.say(FindNode(target=64 * byte, expiration=soon()))
        first, second = (discv4.decode(stranger.hear()).message for _ in range(2))
    assert isinstance(first, Neighbors)
    assert isinstance(second, Neighbors)
    assert set(first.nodes) != set(second.nodes)
    assert {*Neighbors.__slots__} == {"nodes", "expiration", "defects"}


def test_a_request_for_its_record_is_not_answered_and_the_ping_after_it_is() -> None:
    nowhere = Endpoint(ip=bytes(4))
    with nodes(1) as them, Stranger(them) as stranger:
        stranger.say(EnrRequest(expiration=soon()))
        ping_hash = stranger.say(Ping(sender=nowhere, recipient=nowhere, expiration=soon()))
        answer = discv4.decode(stranger.hear()).message
    assert isinstance(answer, Pong)
    assert answer.ping_hash == ping_hash
