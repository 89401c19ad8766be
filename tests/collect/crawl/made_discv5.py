"""Scripted discv5 nodes for tests: each answers as a test wants it, under sessions of its own."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tests.collect.crawl.made_world import PORT, Node5, World

from concentra.collect.crawl.announcements import Neighbour, neighbour_of_record
from concentra.collect.crawl.discv5_visit import OWN_RECORD
from concentra.collect.crawl.known_nodes import Endpoint, KnownNode
from concentra.model.crawl import CrawlSource
from concentra.wire import discv5_packets as packets
from concentra.wire import enr
from concentra.wire.discv5_answers import answers
from concentra.wire.discv5_crypto import Mask
from concentra.wire.discv5_events import Event, MessageReceived
from concentra.wire.discv5_messages import FindNode, Message, Nodes
from concentra.wire.discv5_packets import Packet
from concentra.wire.discv5_session import Sessions
from concentra.wire.enr import NodeRecord
from concentra.wire.kademlia import log_distance

STRANGER: Endpoint = ("127.0.200.1", PORT)
ELSEWHERE: Endpoint = ("127.0.201.1", PORT)


def record_of(secret: int, endpoint: Endpoint | None, *, seq: int = 1) -> NodeRecord:
    pairs: dict[bytes, Any] = {}
    if endpoint is not None:
        pairs = {
            b"ip": bytes(map(int, endpoint[0].split("."))),
            b"udp": endpoint[1].to_bytes(2, "big").lstrip(b"\0"),
        }
    return enr.sign(secret.to_bytes(32, "big"), seq=seq, pairs=pairs)


def invented_around(node_id: bytes, count: int, *, first: int = 1000) -> dict[int, list[NodeRecord]]:
    """Return valid records of nodes that nobody runs, by their log distance from a node."""
    found: dict[int, list[NodeRecord]] = {}
    for number in range(count):
        record = record_of(first + number, (f"127.1.{number % 250}.{1 + number // 250}", PORT))
        found.setdefault(log_distance(node_id, record.node_id), []).append(record)
    return found


class Peer:
    """Whoever holds a key and answers as a test wants it."""

    def __init__(self, world: World, secret: int = 200, endpoint: Endpoint = STRANGER) -> None:
        self.record = record_of(secret, endpoint)
        self.endpoint = endpoint
        self.world = world
        self.random = random.Random(secret)
        self.sessions = Sessions(secret.to_bytes(32, "big"), self.record, random=self.random.randbytes)
        self.table: Mapping[int, Sequence[NodeRecord]] = {}
        self.heard: list[Message] = []
        self.events: list[Event] = []
        world.others[endpoint] = self.hear

    def hear(self, data: bytes, sender: Endpoint, now: float) -> None:
        event, back = self.sessions.received(data, sender, now=now)
        self.events.append(event)
        if back is not None:
            self.world.send(back, self.endpoint, sender)
        if isinstance(event, MessageReceived):
            self.heard.append(event.message)
            self.answer(event.message, event.node_id, sender)

    def answer(self, message: Message, node_id: bytes, to: Endpoint) -> None:
        for said in answers(
            message, source=to, record=self.record, neighbours=lambda distance: self.table.get(distance, ())
        ):
            self.say(said, node_id, to)

    def say(self, message: Message, node_id: bytes, to: Endpoint) -> None:
        data = self.sessions.respond(node_id, to, message)
        assert data is not None
        self.world.send(data, self.endpoint, to)

    def ask(self, message: Message, node: Node5) -> None:
        data = self.sessions.request(node.record, node.endpoint, message, now=self.world.now)
        self.world.send(data, self.endpoint, node.endpoint)

    @property
    def questions(self) -> list[tuple[int, ...]]:
        return [message.distances for message in self.heard if isinstance(message, FindNode)]


class Silent(Peer):
    """Hears everything and says nothing."""

    def hear(self, data: bytes, sender: Endpoint, now: float) -> None: ...


class Parting(Peer):
    """Answers each FINDNODE for others' records with packets that a test makes for it."""

    parts: Callable[[FindNode], Iterable[tuple[int, Sequence[NodeRecord]]]]

    def answer(self, message: Message, node_id: bytes, to: Endpoint) -> None:
        if isinstance(message, FindNode) and message.distances != OWN_RECORD:
            for total, records in self.parts(message):
                said = Nodes(request_id=message.request_id, total=total, records=tuple(records))
                self.say(said, node_id, to)
        else:
            super().answer(message, node_id, to)


def neighbour(peer: Peer) -> Neighbour:
    return neighbour_of_record(peer.record)


def crawl(world: World, *seeds: Neighbour, walks: bool = True, seconds: float = 60.0) -> Node5:
    """Return a crawler that began at these nodes, after its crawl."""
    crawler = Node5(99)
    world.nodes[crawler.endpoint] = crawler
    for seed in seeds:
        crawler.engine.seed(seed, CrawlSource.DISCV5, world.now, walks=walks)
    world.run(seconds=seconds)
    return crawler


def seen(crawler: Node5, peer: Peer) -> KnownNode:
    return crawler.engine.nodes[peer.record.node_id]


def sent(world: World, sender: Endpoint, to: Endpoint, node_id: bytes) -> list[Packet]:
    """Return the packets from one endpoint to a node at another."""
    mask = Mask(node_id)
    return [packets.decode(data, mask) for one, other, data in world.carried if (one, other) == (sender, to)]


def told_of(world: World, *records: NodeRecord) -> Peer:
    """Return a node that tells of these."""
    peer = Peer(world, 220, ("127.0.220.1", PORT))
    table: dict[int, list[NodeRecord]] = {}
    for record in records:
        table.setdefault(log_distance(peer.record.node_id, record.node_id), []).append(record)
    peer.table = table
    return peer
