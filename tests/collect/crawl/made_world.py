"""A world of nodes without sockets: every node is one of our own drivers, and the test moves the clock."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import ClassVar

from concentra.collect.crawl.admission import Admission, OptOut
from concentra.collect.crawl.announcements import Neighbour, neighbour_of_record
from concentra.collect.crawl.discv4_driver import Discv4Driver
from concentra.collect.crawl.discv5_driver import Discv5Driver
from concentra.collect.crawl.engine import Engine, Limits
from concentra.collect.crawl.known_nodes import Endpoint, KnownNode
from concentra.model.crawl import CrawlSource
from concentra.wire import enr
from concentra.wire.enr import NodeRecord
from concentra.wire.lookup_targets import LookupTargets

PORT = 30303
START = 1_800_000_000.0
TARGETS = LookupTargets()
Deliver = Callable[[bytes, Endpoint, float], None]


@dataclass
class Inhabitant:
    """One node of the world: our engine, at an address of its own; subclasses give it a driver."""

    source: ClassVar[CrawlSource]
    number: int
    loopback: bool = True
    limits: Limits = field(default_factory=lambda: Limits(rate=10_000, prefix_rate=10_000))

    def __post_init__(self) -> None:
        self.secret = self.number.to_bytes(32, "big")
        self.endpoint: Endpoint = (f"127.0.{self.number}.1", PORT)
        self.record: NodeRecord = enr.sign(
            self.secret,
            seq=1,
            pairs={b"ip": bytes((127, 0, self.number, 1)), b"udp": PORT.to_bytes(2, "big")},
        )
        admission = Admission(
            opt_out=OptOut((), "none"), ourselves={self.record.node_id}, loopback=self.loopback
        )
        self.engine = Engine(self.source, admission, self.limits)

    @property
    def neighbour(self) -> Neighbour:
        """How others tell of it in a table."""
        return Neighbour(self.record.node_id, self.record.public_key, self.endpoint[0], PORT, 0)

    def sees(self, other: Inhabitant) -> KnownNode:
        """Return what this node knows of another."""
        return self.engine.nodes[other.record.node_id]


@dataclass
class Node(Inhabitant):
    """One that speaks discv4."""

    source = CrawlSource.DISCV4

    def __post_init__(self) -> None:
        super().__post_init__()
        self.driver = Discv4Driver(
            self.engine, private_key=self.secret, record=self.record, port=PORT, targets=TARGETS
        )


@dataclass
class Node5(Inhabitant):
    """One that speaks discv5."""

    source = CrawlSource.DISCV5

    def __post_init__(self) -> None:
        super().__post_init__()
        self.driver = Discv5Driver(
            self.engine, private_key=self.secret, record=self.record, random=Random(self.number).randbytes
        )

    @property
    def neighbour(self) -> Neighbour:
        return neighbour_of_record(self.record)


class World:
    """Carries datagrams between nodes, 10 ms each way; `spoil` may change, drop or multiply them."""

    def __init__(self, *nodes: Inhabitant, delay_s: float = 0.01) -> None:
        self.nodes = {node.endpoint: node for node in nodes}
        self.others: dict[Endpoint, Deliver] = {}
        self.now = START
        self.delay_s = delay_s
        self.spoil: Callable[[bytes, Endpoint, Endpoint], list[bytes]] = lambda data, sender, to: [data]
        self.carried: list[tuple[Endpoint, Endpoint, bytes]] = []
        self.carried_at: list[float] = []
        self._under_way: list[tuple[float, int, bytes, Endpoint, Endpoint]] = []
        self._number = 0

    def send(self, data: bytes, sender: Endpoint, to: Endpoint) -> None:
        """Put a datagram on its way."""
        self.carried.append((sender, to, data))
        self.carried_at.append(self.now)
        for part in self.spoil(data, sender, to):
            self._number += 1
            heapq.heappush(self._under_way, (self.now + self.delay_s, self._number, part, sender, to))

    def run(self, *, seconds: float = 60.0) -> None:
        """Let everybody work for so long, or until nothing is left to do."""
        end = self.now + seconds
        deadlines: dict[Endpoint, float | None] = {}
        touched = set(self.nodes)
        while self.now < end:
            for endpoint in touched:
                self._let_work(endpoint)
                deadlines[endpoint] = self.nodes[endpoint].engine.next_deadline(self.now)
            times = [max(at, self.now + 1e-4) for at in deadlines.values() if at is not None]
            if self._under_way:
                times.append(self._under_way[0][0])
            if not times:
                return
            self.now = min(times)
            touched = {endpoint for endpoint, at in deadlines.items() if at is not None and at <= self.now}
            while self._under_way and self._under_way[0][0] <= self.now:
                _, _, data, sender, to = heapq.heappop(self._under_way)
                if to in self.nodes:
                    self.nodes[to].engine.received(data, sender, self.now)
                    touched.add(to)
                elif to in self.others:
                    self.others[to](data, sender, self.now)

    def _let_work(self, endpoint: Endpoint) -> None:
        engine = self.nodes[endpoint].engine
        engine.advance(self.now)
        outbox, engine.outbox = engine.outbox, []
        for data, to in outbox:
            self.send(data, endpoint, to)


def acquainted(*nodes: Inhabitant) -> World:
    """Return a world in which every node has met the one before it, so that its table is not empty."""
    world = World(*nodes)
    for one, other in pairwise(nodes):
        other.engine.seed(one.neighbour, one.source, world.now, walks=False)
    world.run(seconds=20)
    return world
