"""The walk over nodes of @chainsafe/discv5, and their ways with request ids."""

from __future__ import annotations

import hashlib
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import pytest
from tests.interop.crawls import Home, consensus_network
from tests.interop.peers import LOOPBACK, Peer, peer
from tests.interop.signed_tree import signed_tree
from tests.interop.test_dns_tree_server import nsd

from concentra.model.crawl import CrawlSource, Outcome
from concentra.wire import discv5_messages as messages
from concentra.wire import enr
from concentra.wire.discv5_events import MessageReceived
from concentra.wire.discv5_messages import FindNode, Message, Nodes, Ping, Pong
from concentra.wire.discv5_session import Sessions
from concentra.wire.enr import NodeRecord

COUNT = 24
ROOT = "11" * 32
FAR = 1_000_000_000  # epoch of the next fork
DIGEST = hashlib.sha256(bytes(32) + bytes.fromhex(ROOT)).digest()[:4]  # phase0/beacon-chain.md, fork digest
ETH2 = (DIGEST + bytes.fromhex("06000000") + FAR.to_bytes(8, "little")).hex()
ELSEWHERE = "192.0.2.1"
TIMEOUT_S = 10.0


@contextmanager
def nodes(count: int = COUNT, **wish: object) -> Iterator[Peer]:
    packages = ("@chainsafe/discv5", "@chainsafe/enr", "@multiformats/multiaddr")
    with peer("discv5_nodes.mjs", packages, count=count, eth2=ETH2, **wish) as them:
        yield them


def records(them: Peer) -> list[NodeRecord]:
    return [enr.from_text(node["record"]) for node in them.listening["nodes"]]


@pytest.fixture
def home(home: Home) -> Home:
    home.network.write_text(consensus_network(ROOT))
    return home


def test_every_node_is_found_from_one_of_them(home: Home) -> None:
    with nodes(elsewhere=ELSEWHERE) as them:
        crawl = home.crawl("--boot-node", them.listening["nodes"][0]["record"])
        heard = them.ask("heard")["heard"]
    assert (crawl.code, crawl.errors) == (0, "")
    assert crawl.document["state"] == "complete"
    assert crawl.document["outcomes"] == {"answered": COUNT, "outside this machine": 1}
    assert crawl.document["sources"]["discv5"] == {
        "announced": COUNT + 1,
        "asked": COUNT,
        "answering": COUNT,
        "on_network": COUNT,
    }
    assert crawl.document["greeted"] == {}  # the consensus layer speaks libp2p

    rows = home.rows()
    for record in records(them):
        row = rows[record.node_id]
        assert (row.address, row.udp) == (LOOPBACK, record.udp)
        assert (row.source, row.outcome) == (CrawlSource.DISCV5, Outcome.ANSWERED)
        assert row.record is not None
        assert enr.decode(row.record) == record
        assert (row.fork_hash, row.fork_next) == (DIGEST, FAR)
        assert row.told > 0
    assert all(count["findnode"] >= 2 for count in heard)  # the near buckets together, and a far one
    assert [count["ping"] for count in heard] == [1] * COUNT


def test_a_node_that_knows_nobody_is_not_dead(home: Home) -> None:
    with nodes(1) as them:
        crawl = home.crawl("--boot-node", them.listening["nodes"][0]["record"])
    assert crawl.document["outcomes"] == {"answered": 1}
    assert home.rows()[records(them)[0].node_id].told == 0


def test_the_record_that_a_node_gives_of_itself_replaces_an_earlier_one(home: Home) -> None:
    with nodes(1) as them:
        (node,) = them.listening["nodes"]
        crawl = home.crawl("--boot-node", node["early"])
    early, record = enr.from_text(node["early"]), enr.from_text(node["record"])
    assert early.seq < record.seq
    assert crawl.document["sources"]["discv5"]["on_network"] == 1
    row = home.rows()[record.node_id]
    assert (row.record, row.seq, row.fork_hash) == (enr.encode(record), record.seq, DIGEST)


def test_a_list_in_dns_stays_apart_from_the_walk_and_its_nodes_are_asked_whether_they_are_there(
    home: Home, tmp_path: Path
) -> None:
    with nodes(3, known=0) as them:
        tree = signed_tree([node["record"] for node in them.listening["nodes"]])
        with nsd(tree, tmp_path) as server:
            crawl = home.crawl(
                *("--boot-node", them.listening["nodes"][0]["record"]),
                *("--dns-tree", tree.url, "--dns-server", f"{server.address}:{server.port}"),
            )
    assert (crawl.code, crawl.errors) == (0, "")
    one, three = (
        {"announced": count, "asked": count, "answering": count, "on_network": count} for count in (1, 3)
    )
    assert crawl.document["sources"] == {"discv5": one, "dns": three}
    assert crawl.document["outcomes"] == {"answered": 3}


def test_an_enode_url_is_no_boot_node_of_a_walk_that_needs_records(home: Home) -> None:
    with nodes(1) as them:
        key = records(them)[0].public_key.hex()
        crawl = home.crawl("--boot-node", f"enode://{key}@{LOOPBACK}:30303")
        heard = them.ask("heard")["heard"]
    assert crawl.code != 0
    assert crawl.errors
    assert heard == [{"ping": 0, "findnode": 0, "talkreq": 0}]


class Asking:
    """A session with one node, whose messages are made by hand."""

    def __init__(self, them: Peer) -> None:
        (self.node,) = records(them)
        assert self.node.udp is not None
        self._place = (LOOPBACK, self.node.udp)
        secret = os.urandom(32)
        self._sessions = Sessions(secret, enr.sign(secret, seq=1, pairs={}), random=os.urandom)
        self._socket = socket.socket(type=socket.SOCK_DGRAM)
        self._socket.bind((LOOPBACK, 0))
        self._socket.settimeout(TIMEOUT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def say(self, message: Message) -> None:
        data = self._sessions.request(self.node, self._place, message, now=time.monotonic())
        self._socket.sendto(data, self._place)

    def hear(self) -> Message:
        """Return the next message; what belongs to the handshake is answered on the way."""
        while True:
            data, source = self._socket.recvfrom(65_535)
            event, back = self._sessions.received(data, source, now=time.monotonic())
            if back is not None:
                self._socket.sendto(back, source)
            if isinstance(event, MessageReceived):
                return event.message

    def ask(self, message: Message) -> Message:
        self.say(message)
        return self.hear()


def test_a_session_is_opened_and_the_node_says_where_we_are() -> None:
    with nodes(1) as them, Asking(them) as asking:
        pong = asking.ask(Ping(request_id=b"\x01", enr_seq=1))
    assert isinstance(pong, Pong)
    assert (str(pong.address), pong.enr_seq) == (LOOPBACK, asking.node.seq)


@pytest.mark.parametrize(
    "ignored",
    [
        pytest.param(Ping(request_id=b"", enr_seq=1), id="empty-request-id"),
        pytest.param(Ping(request_id=b"\x02", enr_seq=0), id="enr-seq-0"),
        pytest.param(FindNode(request_id=b"", distances=(0,)), id="empty-request-id-of-findnode"),
    ],
)
def test_what_it_ignores_and_we_never_send(ignored: Message) -> None:
    with nodes(1) as them, Asking(them) as asking:
        asking.ask(Ping(request_id=b"\x01", enr_seq=1))
        asking.say(ignored)
        answer = asking.ask(FindNode(request_id=b"\x03", distances=(0,)))
    assert isinstance(answer, Nodes)
    assert answer.request_id == b"\x03"
    assert [record.node_id for record in answer.records] == [asking.node.node_id]


def test_a_zero_at_the_front_of_a_request_id_does_not_come_back() -> None:
    with nodes(1) as them, Asking(them) as asking:
        answer = asking.ask(FindNode(request_id=b"\x00\x07", distances=(0,)))
    assert isinstance(answer, Nodes)
    assert answer.request_id == b"\x07"


def test_our_own_request_ids_are_such_that_every_node_returns_them() -> None:
    zeros = iter((bytes(8), bytes(7) + b"\x01", b"\x00" + b"\xff" * 7, b"\x09" * 8))
    for _ in range(4):
        request_id = messages.new_request_id(lambda size: next(zeros)[:size])
        assert request_id.lstrip(b"\x00") == request_id != b""
