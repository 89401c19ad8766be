"""What is known of one node while a crawl lasts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TypeAlias

from concentra.collect.crawl.announcements import Neighbour
from concentra.model.crawl import NEVER_CONTACTED, CrawlSource, NodeRow, Outcome

Endpoint: TypeAlias = tuple[str, int]
"""Address, as `ipaddress` prints it, and UDP port: what sockets take and give."""

MAX_PLACES = 4
"""Endpoints that are kept for one node. Whoever announces a node first could name a place where it is not."""

ENOUGH_ANNOUNCERS = 2
"""Networks that must tell of a node before it is no longer hearsay; more are not counted."""


_ALONE = {source: (source,) for source in CrawlSource}
"""One tuple for all nodes of one source: of 100,000 nodes, 5 MB less."""


class KnownNode:
    """One identity, where it is said to be, and how asking it went; filled while the crawl goes on."""

    __slots__ = (
        "announcers",
        "asked_at",
        "capabilities",
        "client",
        "dialled",
        "first_seen",
        "fork_hash",
        "fork_next",
        "genesis",
        "head",
        "last_announcer",
        "last_seen",
        "network_id",
        "node_id",
        "outcome",
        "places",
        "public_key",
        "record",
        "rtt_s",
        "seq",
        "sources",
        "tcp",
        "told",
        "tried",
    )

    def __init__(self, node_id: bytes, public_key: bytes | None, source: CrawlSource, now: float) -> None:
        self.node_id = node_id
        self.public_key = public_key
        self.sources: tuple[CrawlSource, ...] = _ALONE[source]
        self.places: list[Endpoint] = []
        """Where it is said to be; the one to ask next, or that answered, stands first."""
        self.tried = 0
        """How many of its places were asked without an answer."""
        self.tcp: int | None = None
        self.record: bytes | None = None
        self.seq: int | None = None
        self.first_seen = now
        self.last_seen = now
        self.asked_at: float | None = None
        self.outcome = Outcome.NOT_ASKED
        self.announcers = 0
        self.last_announcer: str | None = None
        """The network that told of it last, so that one network alone is not counted again and again."""
        self.told = 0
        self.rtt_s: float | None = None
        self.dialled: str | None = None
        self.client: str | None = None
        self.capabilities: str | None = None
        self.network_id: int | None = None
        self.genesis: bytes | None = None
        self.fork_hash: bytes | None = None
        self.fork_next: int | None = None
        self.head: int | None = None

    @property
    def endpoint(self) -> Endpoint | None:
        """Where it is asked; None if nobody named a place."""
        return self.places[0] if self.places else None

    def add_source(self, source: CrawlSource) -> bool:
        """Remember that `source` told of it as well, and return whether that is new."""
        if source in self.sources:
            return False
        self.sources = (*self.sources, source)
        return True

    def add_place(self, place: Endpoint) -> bool:
        """Keep another place where it is said to be, and return whether it is one to ask later."""
        if place in self.places or len(self.places) >= MAX_PLACES:
            return False
        self.places.append(place)
        return True

    def put_first(self, place: Endpoint) -> None:
        """Make `place` the one that is asked: its own record names it, or it answered there."""
        if place == self.endpoint:
            return
        if place in self.places:
            self.places.remove(place)
        self.places.insert(0, place)
        del self.places[MAX_PLACES:]

    def take_record(self, said: Neighbour) -> bool:
        """Keep the record that `said` brings if it is newer than ours, and return whether it was."""
        if said.record is None or said.seq is None or (self.seq is not None and said.seq <= self.seq):
            return False
        self.record, self.seq = said.record, said.seq
        self.tcp = said.tcp or self.tcp
        if self.genesis is None:  # what it says in its Status is fresher than what it signed once
            self.fork_hash, self.fork_next = said.fork_hash, said.fork_next
        return True

    def announced_by(self, network: str) -> None:
        """Count the network of somebody who told of it, unless the last one was the same."""
        if network != self.last_announcer:
            self.last_announcer = network
            self.announcers = min(ENOUGH_ANNOUNCERS, self.announcers + 1)

    def take_greeting(self, other: KnownNode) -> None:
        """Take over what this node said when another walk had it greeted."""
        self.dialled, self.client, self.capabilities = other.dialled, other.client, other.capabilities
        if other.genesis is not None:
            self.network_id, self.genesis, self.head = other.network_id, other.genesis, other.head
            self.fork_hash, self.fork_next = other.fork_hash, other.fork_next

    def rows(self) -> Iterator[NodeRow]:
        """Yield one row for each source that told of it."""
        address, udp = self.endpoint or (None, None)
        for source in self.sources:
            yield NodeRow(
                source=source,
                node_id=self.node_id,
                public_key=self.public_key,
                address=address,
                udp=udp,
                tcp=self.tcp,
                record=self.record,
                seq=self.seq,
                first_seen=_moment(self.first_seen),
                last_seen=_moment(self.last_seen),
                asked_at=None if self.asked_at is None else _moment(self.asked_at),
                outcome=self.outcome,
                announcers=self.announcers,
                told=self.told,
                rtt_ms=None if self.rtt_s is None else round(self.rtt_s * 1000),
                dialled=self.dialled,
                client=self.client,
                capabilities=self.capabilities,
                network_id=self.network_id,
                genesis=self.genesis,
                fork_hash=self.fork_hash,
                fork_next=self.fork_next,
                head=self.head,
            )


def node_of(told: Neighbour, source: CrawlSource, now: float) -> KnownNode:
    """Return the node that somebody tells of, as it is before anybody asked it."""
    node = KnownNode(told.node_id, told.public_key, source, now)
    node.tcp = told.tcp or None
    node.take_record(told)
    if told.address:
        node.places.append((told.address, told.udp))
    return node


def restored(rows: Sequence[NodeRow]) -> KnownNode:
    """Return the node that the rows of its sources describe, the first one first: inverts `KnownNode.rows`.

    Of the places where it is said to be, the rows have one.
    """
    newest = rows[0]
    node = KnownNode(newest.node_id, newest.public_key, newest.source, newest.first_seen.timestamp())
    node.sources = tuple(row.source for row in rows)
    if newest.address is not None and newest.udp is not None:
        node.places.append((newest.address, newest.udp))
    node.tried = int(newest.outcome not in NEVER_CONTACTED)
    node.last_seen = newest.last_seen.timestamp()
    node.asked_at = None if newest.asked_at is None else newest.asked_at.timestamp()
    node.outcome = newest.outcome
    node.rtt_s = None if newest.rtt_ms is None else newest.rtt_ms / 1000
    for name in _AS_THEY_ARE:
        setattr(node, name, getattr(newest, name))
    return node


def was_contacted(node: KnownNode) -> bool:
    """Tell whether the crawl is done with a node: it answered, or was asked in vain."""
    return node.outcome not in NEVER_CONTACTED


_AS_THEY_ARE = (
    "tcp",
    "record",
    "seq",
    "announcers",
    "told",
    "dialled",
    "client",
    "capabilities",
    "network_id",
    "genesis",
    "fork_hash",
    "fork_next",
    "head",
)


def _moment(unix_s: float) -> datetime:
    return datetime.fromtimestamp(unix_s, UTC)
