from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest
from tests.wire.made_rlpx import HELLO, STATUS_68, STATUS_69

from concentra.collect.crawl.admission import Admission, OptOut
from concentra.collect.crawl.engine import Engine, Limits
from concentra.collect.crawl.known_nodes import KnownNode
from concentra.model.crawl import CrawlSource, Outcome
from concentra.wire.devp2p import DisconnectReason, Hello
from concentra.wire.rlpx_session import Handshake, HandshakeOutcome, Stage, never_connected
from concentra.workflows.crawl_handshakes import (
    AT_ONCE,
    MAX_CAPABILITIES,
    MAX_CLIENT,
    Handshakes,
    share,
    share_all,
)

V4, V5 = CrawlSource.DISCV4, CrawlSource.DISCV5
FAST = Limits(rate=100_000, prefix_rate=100_000)
KEY = bytes(64)


def node(number: int = 1, **facts: Any) -> KnownNode:
    """Return a node that answered."""
    known = KnownNode(number.to_bytes(32, "big"), KEY, V4, 0.0)
    known.places, known.tcp, known.outcome = [("127.0.0.1", 30303)], 30303, Outcome.ANSWERED
    for name, value in facts.items():
        setattr(known, name, value)
    return known


def met(outcome: HandshakeOutcome = HandshakeOutcome.STATUS, **changes: Any) -> Handshake:
    facts: dict[str, Any] = {
        "outcome": outcome,
        "stage": Stage.STATUS,
        "public_key": KEY,
        "hello": HELLO,
        "eth_version": 69,
        "status": STATUS_69,
        "disconnect": None,
    }
    return Handshake(**(facts | changes))


class Dialler:
    """Answers every visit alike, and remembers them."""

    def __init__(self, said: Handshake | OSError, *, lasts_s: float = 0.0) -> None:
        self.said, self.lasts_s = said, lasts_s
        self.visits: list[tuple[IPv4Address | IPv6Address, int, bytes]] = []
        self.at: list[float] = []
        self.hello: Hello | None = None
        self.at_once = self.most_at_once = 0

    async def __call__(
        self,
        address: IPv4Address | IPv6Address,
        tcp_port: int,
        public_key: bytes,
        /,
        *,
        private_key: bytes,
        hello: Hello,
        connect_timeout_s: float,
        reply_timeout_s: float,
    ) -> Handshake:
        self.visits.append((address, tcp_port, public_key))
        self.at.append(time.monotonic())
        self.hello = hello
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self.lasts_s)
        finally:
            self.at_once -= 1
        if isinstance(self.said, OSError):
            raise self.said
        return self.said


def greeted(
    dialler: Dialler, *nodes: KnownNode, limits: Limits = FAST, stop: Callable[[], bool] = lambda: False
) -> Handshakes:
    queue = Handshakes("visitor/1.0", limits, time.monotonic, visit=dialler)
    for known in nodes:
        queue.offer(known)
    queue.no_more()
    asyncio.run(queue.run(stop))
    return queue


def test_what_a_node_says_is_kept() -> None:
    dialler, known = Dialler(met()), node()
    queue = greeted(dialler, known)
    assert dialler.visits == [(IPv4Address("127.0.0.1"), 30303, KEY)]
    assert dialler.hello is not None
    assert dialler.hello.client == "visitor/1.0"
    assert (known.dialled, known.client, known.capabilities) == (
        "status",
        HELLO.client,
        "eth/68 eth/69 snap/1",
    )
    assert (known.network_id, known.genesis, known.head) == (560048, STATUS_69.genesis, 23_000_000)
    assert (known.fork_hash, known.fork_next) == (STATUS_69.fork_hash, STATUS_69.fork_next)
    assert (queue.tried, queue.greeted, queue.waiting) == (1, [known], 0)


def test_a_status_without_a_block_number_has_no_head() -> None:
    known = node()
    greeted(Dialler(met(status=STATUS_68)), known)
    assert (known.network_id, known.head) == (1, None)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (never_connected(KEY, HandshakeOutcome.REFUSED), "refused"),
        (
            met(
                HandshakeOutcome.DISCONNECTED,
                hello=None,
                status=None,
                disconnect=DisconnectReason.TOO_MANY_PEERS,
            ),
            "disconnected: too many peers",
        ),
    ],
)
def test_how_a_visit_ended_is_kept_in_a_closed_vocabulary(said: Handshake, words: str) -> None:
    known = node(fork_hash=b"sign", fork_next=5)
    greeted(Dialler(said), known)
    assert (known.dialled, known.client, known.genesis) == (words, None, None)
    assert (known.fork_hash, known.fork_next) == (b"sign", 5)


def test_what_a_node_calls_itself_is_bounded_and_kept_as_it_is() -> None:
    hostile = "\x1b[31m\u202e[bold]=cmd()" + "x" * 9999
    hello = Hello(
        version=5,
        client=hostile,
        capabilities=tuple((f"name{number}", number) for number in range(200)),
        listen_port=0,
        public_key=KEY,
    )
    known = node()
    greeted(Dialler(met(hello=hello)), known)
    assert known.client == hostile[:MAX_CLIENT]
    assert known.capabilities is not None
    assert len(known.capabilities.split()) == MAX_CAPABILITIES


@pytest.mark.parametrize(
    "lacks", [{"tcp": None}, {"tcp": 0}, {"places": []}, {"public_key": None}, {"dialled": "x"}]
)
def test_a_node_that_cannot_be_dialled_or_was_is_not(lacks: dict[str, Any]) -> None:
    dialler = Dialler(met())
    greeted(dialler, node(**lacks))
    assert dialler.visits == []


def test_a_node_is_dialled_once_however_many_walks_offer_it() -> None:
    dialler = Dialler(met())
    greeted(dialler, node(), node(), node(2), node(dialled="status"))
    assert len(dialler.visits) == 2
    dialler = Dialler(met())
    greeted(dialler, node(dialled="status"), node())
    assert dialler.visits == []


def test_so_many_are_dialled_at_once_and_no_more() -> None:
    dialler = Dialler(met(), lasts_s=0.05)
    greeted(dialler, *(node(number) for number in range(1, AT_ONCE + 30)))
    assert dialler.most_at_once == AT_ONCE
    assert len(dialler.visits) == AT_ONCE + 29


def test_the_rate_holds() -> None:
    dialler = Dialler(met())
    greeted(dialler, *(node(number) for number in range(1, 31)), limits=Limits(rate=100, prefix_rate=100))
    assert len(dialler.at) == 30
    for first in range(30):
        for later in range(first, 30):
            assert later - first + 1 <= 10 + 100 * (dialler.at[later] - dialler.at[first]) + 1


def test_when_it_is_told_to_stop_it_leaves_those_who_were_greeted_too_slowly() -> None:
    dialler, known = Dialler(met(), lasts_s=30), node()
    began = time.monotonic()
    queue = greeted(dialler, known, stop=lambda: len(dialler.visits) == 1)
    assert time.monotonic() - began < 2
    assert (known.dialled, queue.greeted, dialler.at_once) == (None, [], 0)


def test_when_this_machine_fails_it_is_counted_and_the_node_is_not_blamed() -> None:
    known = node()
    queue = greeted(Dialler(OSError(24, "Too many open files")), known)
    assert known.dialled is None
    assert queue.counts == {"handshakes not tried: Too many open files": 1}


# Several walks.


def walk(source: CrawlSource, *nodes: KnownNode) -> Engine:
    engine = Engine(source, Admission(opt_out=OptOut((), "none"), ourselves=set(), loopback=True), FAST)
    for known in nodes:
        known.sources = (source,)
        engine.nodes[known.node_id] = known
    return engine


def changed(engine: Engine) -> list[bytes]:
    return [known.node_id for known in engine.changed()]


def test_every_walk_that_knows_a_node_has_what_it_said() -> None:
    first, second, other = node(dialled="status", client="made/1"), node(), node(2)
    four, five = walk(V4, first), walk(V5, second, other)
    share(first, [four, five])
    assert (second.dialled, second.client) == ("status", "made/1")
    assert other.dialled is None
    assert changed(four) == changed(five) == [first.node_id]


def test_a_walk_that_comes_to_know_it_later_has_it_at_the_end() -> None:
    first, second = node(dialled="status", client="made/1"), node()
    both = node(3, dialled="refused"), node(3, dialled="status")
    four, five = walk(V4, first, both[0]), walk(V5, second, both[1])
    share_all([four, five])
    assert (second.dialled, second.client) == ("status", "made/1")
    assert [known.dialled for known in both] == ["refused", "status"]
    assert (changed(four), changed(five)) == ([], [second.node_id])


def test_one_walk_alone_has_nobody_to_share_with() -> None:
    four = walk(V4, node(dialled="status"))
    share_all([four])
    assert changed(four) == []
