"""Greets nodes of the execution layer over RLPx, each once, to learn their client and their fork."""

from __future__ import annotations

import asyncio
import ipaddress
import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Protocol

from concentra.adapters.rlpx_dialer import dial
from concentra.collect.crawl.budget import TokenBucket
from concentra.collect.crawl.engine import Engine, Limits
from concentra.collect.crawl.known_nodes import KnownNode
from concentra.wire import identity
from concentra.wire.devp2p import Hello
from concentra.wire.rlpx_session import Handshake, introduction

AT_ONCE = 128
"""Connections at the same time; each lasts a few round trips."""

CONNECT_TIMEOUT_S = 5.0
REPLY_TIMEOUT_S = 8.0
PAUSE_S = 0.02
MAX_CLIENT = 256
MAX_CAPABILITIES = 64


class Dial(Protocol):
    """Visits a node over TCP, as `concentra.adapters.rlpx_dialer.dial` does."""

    async def __call__(  # noqa: D102
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
    ) -> Handshake: ...


class Handshakes:
    """A queue of nodes that answered, and what they say of themselves when they are greeted.

    Parameters
    ----------
    client : str
        How we introduce ourselves.
    limits : Limits
        At most `rate` connections a second are opened.
    clock : callable
        Seconds that never go back.
    visit : Dial
        How a node is greeted.
    """

    def __init__(
        self, client: str, limits: Limits, clock: Callable[[], float], *, visit: Dial = dial
    ) -> None:
        self._key = os.urandom(identity.PRIVATE_KEY_SIZE)
        self._hello = introduction(self._key, client)
        self._bucket = TokenBucket(limits.rate, burst=max(1.0, limits.rate / 10))
        self._clock = clock
        self._visit = visit
        self._queue: deque[KnownNode] = deque()
        self._offered: set[bytes] = set()
        self._under_way: set[asyncio.Task[None]] = set()
        self._no_more = False
        self.tried = 0
        """Connections that were tried."""
        self.greeted: list[KnownNode] = []
        """Nodes that were greeted since this was last emptied, for whoever goes on with them."""
        self.counts: Counter[str] = Counter()
        """Events that belong to no node."""

    @property
    def waiting(self) -> int:
        """Nodes that are still to be greeted, or are being greeted."""
        return len(self._queue) + len(self._under_way)

    def offer(self, node: KnownNode) -> None:
        """Put a node into the queue, unless it was there before, whichever walk found it."""
        if node.node_id in self._offered or not node.tcp or node.endpoint is None or node.public_key is None:
            return
        self._offered.add(node.node_id)
        if node.dialled is None:
            self._queue.append(node)

    def no_more(self) -> None:
        """Say that nothing will be offered any more, so that `run` ends when the queue is empty."""
        self._no_more = True

    async def run(self, stop: Callable[[], bool]) -> None:
        """Greet what is offered until there is no more or `stop` says so; those under way are then left."""
        async with asyncio.TaskGroup() as group:
            while not stop() and (self.waiting or not self._no_more):
                while self._queue and len(self._under_way) < AT_ONCE and self._bucket.take(self._clock()):
                    task = group.create_task(self._greet(self._queue.popleft()))
                    self._under_way.add(task)
                    task.add_done_callback(self._under_way.discard)
                    self.tried += 1
                await asyncio.sleep(PAUSE_S)
            for task in self._under_way:
                task.cancel()

    async def _greet(self, node: KnownNode) -> None:
        if node.endpoint is None or node.tcp is None or node.public_key is None:
            raise AssertionError("offer() takes no node without an endpoint")
        try:
            said = await self._visit(
                ipaddress.ip_address(node.endpoint[0]),
                node.tcp,
                node.public_key,
                private_key=self._key,
                hello=self._hello,
                connect_timeout_s=CONNECT_TIMEOUT_S,
                reply_timeout_s=REPLY_TIMEOUT_S,
            )
        except OSError as error:  # says nothing of the node: too many open files, no memory
            self.counts[f"handshakes not tried: {error.strerror or type(error).__name__}"] += 1
            return
        _note(node, said)
        self.greeted.append(node)


def share(node: KnownNode, engines: Iterable[Engine]) -> None:
    """Let every walk that knows a node have what it said when it was greeted."""
    for engine in engines:
        same = engine.nodes.get(node.node_id)
        if same is not None:
            if same is not node:
                same.take_greeting(node)
            engine.touch(same)


def share_all(engines: Sequence[Engine]) -> None:
    """Do the same for all nodes that were greeted before another walk knew them."""
    for engine in engines:
        others = [other for other in engines if other is not engine]
        for node in engine.nodes.values() if others else ():
            if node.dialled is not None:
                behind = [
                    other
                    for other in others
                    if node.node_id in other.nodes and other.nodes[node.node_id].dialled is None
                ]
                share(node, behind)


def _note(node: KnownNode, said: Handshake) -> None:
    node.dialled = said.outcome.value if said.disconnect is None else f"{said.outcome}: {said.disconnect}"
    if said.hello is not None:
        node.client = said.hello.client[:MAX_CLIENT]
        named = sorted(f"{name}/{version}" for name, version in said.hello.capabilities[:MAX_CAPABILITIES])
        node.capabilities = " ".join(named)
    if said.status is not None:
        node.network_id = said.status.network_id
        node.genesis = said.status.genesis
        node.fork_hash, node.fork_next = said.status.fork_hash, said.status.fork_next
        node.head = said.status.latest_block
