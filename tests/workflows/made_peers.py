"""A network on loopback, which crawls of this machine can find: our own drivers and RLPx behind real sockets.

The nodes run in a thread beside the test, and know each other when the block begins.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.loopback_names import LoopbackNames, name_server
from tests.interop.signed_tree import SignedTree
from tests.wire.made_rlpx import HELLO, STATUS_69, Node, drawn, saying

from concentra.adapters.clock import SteadyClock
from concentra.adapters.crawl_files import StoredCrawl
from concentra.adapters.dns_trees import NameServer
from concentra.adapters.udp import UdpSockets
from concentra.collect.crawl.admission import Admission, OptOut
from concentra.collect.crawl.announcements import neighbour_of_record
from concentra.collect.crawl.discv4_driver import Discv4Driver
from concentra.collect.crawl.discv5_driver import Discv5Driver
from concentra.collect.crawl.engine import Engine, Limits
from concentra.collect.networks import decode_network
from concentra.model.crawl import ANSWERING, CrawlSource, NodeRow, Outcome
from concentra.model.networks import Discovery, Network
from concentra.wire import discv4, enode, enr, eth_status, identity
from concentra.wire.devp2p import Hello, Message
from concentra.wire.enode import Enode
from concentra.wire.enr import NodeRecord
from concentra.wire.errors import WireError
from concentra.wire.lookup_targets import LookupTargets
from concentra.wire.rlp import Item
from concentra.workflows import crawl as workflow
from concentra.workflows.crawl_plan import CrawlPlan

LOOPBACK = "127.0.0.1"
NAME = "made-net"
GENESIS = bytes([0xC7]) * 32
FORK_HASH = zlib.crc32(GENESIS).to_bytes(4, "big")  # EIP-2124: no fork has come to pass yet
CLIENT = "Made/v1.0.0/loopback"
FAST = Limits(rate=5000, prefix_rate=5000)
BOTH = (Discovery.DISCV4, Discovery.DISCV5)
SOON_S = 20.0
TARGETS = LookupTargets()

DEFINITION = f"""
name = "{NAME}"
title = "Made network"
read_on = 2026-11-23
discovery = ["discv4", "discv5"]
boot_nodes = []

[execution]
chain_id = 5151
network_id = 5151
genesis_hash = "0x{GENESIS.hex()}"

[[sources]]
facts = "all"
url = "https://example.org/"
version = "1"
"""
NETWORK = decode_network(DEFINITION.encode(), f"{NAME}.toml")


class MadePeer:
    """One node: a UDP port for both discovery protocols, and a TCP port that it answers RLPx at."""

    def __init__(self, number: int, client: str) -> None:
        self.secret = number.to_bytes(32, "big")
        self.public_key = identity.coordinates(identity.public_key_of(self.secret))
        self.node_id = identity.node_id(self.public_key)
        self.client = client
        self.sockets = UdpSockets(address=LOOPBACK)
        self.tcp = 0
        self.heard: Counter[tuple[str, int]] = Counter()
        """Packets by sender."""
        self.dialled = 0
        """Connections."""
        self._outbox: list[tuple[bytes, tuple[str, int]]] = []

    async def listen(self, stack: AsyncExitStack) -> None:
        """Take a TCP port, sign a record that names both ports, and be ready to answer."""
        server = await stack.enter_async_context(await asyncio.start_server(self._greeted, LOOPBACK, 0))
        self.tcp = server.sockets[0].getsockname()[1]
        pairs: dict[bytes, Item] = {
            b"ip": bytes((127, 0, 0, 1)),
            b"udp": self.sockets.port.to_bytes(2, "big"),
            b"tcp": self.tcp.to_bytes(2, "big"),
            b"eth": [[FORK_HASH, b""]],
        }
        self.record: NodeRecord = enr.sign(self.secret, seq=1, pairs=pairs)
        admission = Admission(opt_out=OptOut((), "none"), ourselves={self.node_id}, loopback=True)
        self._four, self._five = (
            Engine(source, admission, FAST) for source in (CrawlSource.DISCV4, CrawlSource.DISCV5)
        )
        Discv4Driver(
            self._four, private_key=self.secret, record=self.record, port=self.sockets.port, targets=TARGETS
        )
        Discv5Driver(self._five, private_key=self.secret, record=self.record, random=os.urandom)

    def meet(self, others: Sequence[MadePeer], now: float) -> None:
        """Begin to get to know the others, so that they stand in its tables."""
        for other in others:
            if other is not self:
                for engine in (self._four, self._five):
                    engine.seed(neighbour_of_record(other.record), engine.source, now, walks=False)

    @property
    def is_idle(self) -> bool:
        """Whether it has met everybody."""
        return not self._four.waiting and not self._five.waiting

    # What UdpSockets wants of a machine.

    @property
    def outbox(self) -> list[tuple[bytes, tuple[str, int]]]:
        self._outbox += self._four.outbox + self._five.outbox
        self._four.outbox, self._five.outbox = [], []
        return self._outbox

    @outbox.setter
    def outbox(self, value: list[tuple[bytes, tuple[str, int]]]) -> None:
        self._outbox = value

    def received(self, data: bytes, sender: tuple[str, int], now: float) -> None:
        self.heard[sender] += 1
        try:
            discv4.open_packet(data)
        except WireError:
            self._five.received(data, sender, now)
        else:
            self._four.received(data, sender, now)

    def unreachable(self, endpoint: tuple[str, int], outcome: Outcome, now: float) -> None:
        pass

    def advance(self, now: float) -> None:
        self._four.advance(now)
        self._five.advance(now)

    def next_deadline(self, now: float) -> float | None:
        times = [engine.next_deadline(now) for engine in (self._four, self._five)]
        return min((at for at in times if at is not None), default=None)

    def is_done(self) -> bool:
        return False

    # RLPx.

    async def _greeted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.dialled += 1
        hello: Hello = replace(HELLO, client=self.client, public_key=self.public_key)
        status = replace(STATUS_69, network_id=5151, genesis=GENESIS, fork_hash=FORK_HASH, fork_next=0)
        says = Message(id=0x10, payload=eth_status.encode(status))
        node = Node(
            (says,), first=(saying(hello),), private_key=self.secret, random=drawn(f"{self.node_id.hex()}")
        )
        with suppress(ConnectionError, WireError):
            while data := await reader.read(1 << 14):
                writer.write(node.answer(data))
        writer.close()


class MadePeers:
    """The nodes of the network, and where to begin."""

    def __init__(self, nodes: Sequence[MadePeer], names: LoopbackNames, dns_server: NameServer) -> None:
        self.nodes = nodes
        self.names = names
        self.dns_server = dns_server
        """A name server that serves the trees of the block."""

    @property
    def network(self) -> Network:
        """The network, whose boot node is the first one."""
        return replace(NETWORK, boot_nodes=(self.enode(0),))

    @property
    def definition(self) -> str:
        """The same as TOML."""
        return DEFINITION.replace("boot_nodes = []", f'boot_nodes = ["{self.enr(0)}"]')

    def enode(self, number: int) -> str:
        node = self.nodes[number]
        address = enode.from_url(f"enode://{node.public_key.hex()}@{LOOPBACK}:0").address
        return enode.to_url(
            Enode(public_key=node.public_key, address=address, tcp=node.tcp, udp=node.sockets.port)
        )

    def enr(self, number: int) -> str:
        return enr.to_text(self.nodes[number].record)

    @property
    def node_ids(self) -> set[bytes]:
        return {node.node_id for node in self.nodes}

    @property
    def dialled(self) -> Mapping[bytes, int]:
        """How often each was dialled."""
        return {node.node_id: node.dialled for node in self.nodes}

    def visitors(self, number: int) -> int:
        """How many strangers sent packets to a node."""
        ours = {node.sockets.port for node in self.nodes}
        return sum(port not in ours for _, port in self.nodes[number].heard)


@contextmanager
def made_peers(
    count: int, *, apart: int = 0, client: str = CLIENT, trees: Sequence[SignedTree] = ()
) -> Iterator[MadePeers]:
    """Run a network of `count` nodes until the block is over; the last `apart` of them know nobody."""
    nodes = [MadePeer(number, client) for number in range(1, count + 1)]
    ready, over = threading.Event(), threading.Event()
    serving: list[tuple[LoopbackNames, NameServer]] = []

    async def serve() -> None:
        clock = SteadyClock()
        async with AsyncExitStack() as stack:
            while not serving:
                with suppress(OSError):  # a free TCP port that is no free UDP port
                    serving.append(await stack.enter_async_context(name_server(*trees)))
            for node in nodes:
                stack.callback(node.sockets.close)
                await node.listen(stack)
            together = nodes[: count - apart]
            for node in together:
                node.meet(together, clock())
            async with asyncio.TaskGroup() as tasks:
                for node in nodes:
                    tasks.create_task(node.sockets.run(node, clock, stop=over.is_set))
                while not all(node.is_idle for node in nodes):
                    await asyncio.sleep(0.01)
                ready.set()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        until = time.monotonic() + SOON_S
        while not ready.wait(0.05):
            assert thread.is_alive() and time.monotonic() < until, "the nodes have not met"
        yield MadePeers(nodes, *serving[0])
    finally:
        over.set()
        thread.join()


def write_definition(directory: Path, them: MadePeers) -> Path:
    """Write the file of the network, and return its path."""
    path = directory / f"{NAME}.toml"
    path.write_text(them.definition, encoding="utf-8")
    return path


def write_import(directory: Path, them: MadePeers, number: int) -> Path:
    """Write a file as go-ethereum's crawler does, with one node."""
    path = directory / "nodes.json"
    node_id = them.nodes[number].node_id.hex()
    path.write_text(f'{{"{node_id}": {{"seq": 1, "record": "{them.enr(number)}"}}}}')
    return path


# Crawls of it.


def planned(them: MadePeers, **changes: Any) -> CrawlPlan:
    plan = CrawlPlan(network=them.network, definition=them.definition, limits=FAST, loopback=True)
    return replace(plan, **changes)


def rows_of(kept: StoredCrawl) -> dict[tuple[CrawlSource, bytes], NodeRow]:
    return {(row.source, row.node_id): row for row in kept.rows()}


def answering(kept: StoredCrawl) -> set[bytes]:
    return {row.node_id for row in kept.rows() if row.outcome in ANSWERING}


def hasten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let progress be told often, so that nothing waits for it, and find lookup targets once for all tests."""
    monkeypatch.setattr(workflow, "REPORT_S", 0.02)
    monkeypatch.setattr(workflow, "LookupTargets", lambda: TARGETS)
