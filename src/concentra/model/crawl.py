"""What a crawl keeps: one row for each node that one source told of, and how asking it ended.

A row is a fact of one moment. Whether a node belongs to a network, and who hosts it, is inferred later
from rows, so that a better inference next month can be drawn from last month's crawl.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, TypeAlias

import msgspec


class CrawlSource(StrEnum):
    """How a node became known; each is a list of its own, so that their overlap can be counted."""

    DISCV4 = "discv4"
    """Somebody's answer to FINDNODE in the walk that started at the boot nodes, or a boot node."""
    DISCV5 = "discv5"
    """The same over discv5.1."""
    INBOUND = "inbound"
    """It asked us something of its own accord, and proved its endpoint."""
    DNS_TREE = "dns"
    """A signed list of nodes in DNS (EIP-1459)."""
    ADMIN_PEERS = "admin_peers"
    """A peer of the user's own node, by its JSON-RPC."""
    IMPORT = "import"
    """A file that another tool wrote."""


WALKS = (CrawlSource.DISCV4, CrawlSource.DISCV5)
"""The sources that find nodes by asking nodes."""


class Outcome(StrEnum):
    """How asking one node ended; every node of a crawl has exactly one."""

    ANSWERED = "answered"
    """It proved that it holds its key at that endpoint."""
    ANSWERED_LATE = "answered late"
    """The same, after we had given it up."""
    TIMED_OUT = "timed out"
    """Nothing came back, retries included."""
    REFUSED = "refused"
    """Its host said that nobody listens at that port."""
    UNREACHABLE = "unreachable"
    """A router, or our own system, said that the host cannot be reached."""
    WRONG_IDENTITY = "wrong identity"
    """Another node answered at that endpoint."""
    BAD_SIGNATURE = "bad signature"
    """Something answered that its signature or its tag does not fit."""
    MALFORMED = "malformed"
    """Something answered that is not the protocol."""
    EXPIRED = "expired"
    """It answered with packets that were no longer valid: an old one replayed, or a clock that is wrong."""
    NO_ENDPOINT = "no endpoint"
    """What is known of it names no address and port to ask."""
    SPECIAL_ADDRESS = "special address"
    """Its address is private, reserved or otherwise nobody's on the public internet; never contacted."""
    OUTSIDE = "outside this machine"
    """The crawl is confined to this machine; never contacted."""
    OPTED_OUT = "opted out"
    """Its operator does not want to be asked; never contacted."""
    OURSELVES = "ourselves"
    """An identity of this crawler or of an earlier one."""
    ASKED_RECENTLY = "asked recently"
    """An earlier crawl asked it less than an hour ago."""
    CROWDED = "crowded"
    """More identities are announced at its address than anyone is asked about."""
    NOT_ASKED = "not asked"
    """The crawl ended before its turn came, or before it could answer; or the source is only imported."""


ANSWERING = frozenset({Outcome.ANSWERED, Outcome.ANSWERED_LATE})
"""The outcomes that say a node was there."""

NEVER_CONTACTED = frozenset(
    {
        Outcome.NO_ENDPOINT,
        Outcome.SPECIAL_ADDRESS,
        Outcome.OUTSIDE,
        Outcome.OPTED_OUT,
        Outcome.OURSELVES,
        Outcome.ASKED_RECENTLY,
        Outcome.CROWDED,
        Outcome.NOT_ASKED,
    }
)
"""The outcomes of nodes to which no packet was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRow:
    """One node as one source of one crawl knows it; of two rows with one key the later written counts."""

    source: CrawlSource
    """With `node_id`, the key of the row."""
    node_id: bytes
    """32 bytes; of nodes that an import gives no key of, the first 32 bytes of a digest of its endpoint."""
    public_key: bytes | None
    """x || y, 64 bytes; None where an import does not tell it."""
    address: str | None
    """The address that was asked, else the one announced: dotted quad or compressed IPv6."""
    udp: int | None
    """Discovery port."""
    tcp: int | None
    """RLPx or libp2p port."""
    record: bytes | None
    """The newest signed record (EIP-778) that was seen, encoded; its `seq` is inside."""
    seq: int | None
    """Sequence number of `record`."""
    first_seen: datetime
    """When the source first told of it, UTC."""
    last_seen: datetime
    """When it last answered or was told of, UTC."""
    asked_at: datetime | None
    """When it was last sent a packet, UTC; None if never."""
    outcome: Outcome
    """How asking it ended."""
    announcers: int
    """How many /24 or /48 networks told of it: 0, 1, or 2 for two and more."""
    told: int
    """How many distinct nodes it told of."""
    rtt_ms: int | None
    """Round-trip time of its first reply, milliseconds."""
    dialled: str | None
    """How the RLPx handshake ended, by the words of `concentra.wire`; None if there was none."""
    client: str | None
    """What it calls its software, untrusted, at most 256 characters."""
    capabilities: str | None
    """``eth/68 eth/69 snap/1``, sorted, untrusted."""
    network_id: int | None
    """Network id of its eth Status."""
    genesis: bytes | None
    """Genesis hash of its eth Status, 32 bytes."""
    fork_hash: bytes | None
    """4 bytes: fork hash of its Status, else of its record (execution), or fork digest (consensus)."""
    fork_next: int | None
    """The next fork that it announces with `fork_hash`."""
    head: int | None
    """Latest block of its Status, where that names one (eth/69 and later)."""


TIME_TO_LIVE = timedelta(days=30)
"""How long after its start a crawl is kept, unless its manifest says otherwise: its rows hold addresses."""

Moment: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time that names its zone, so that times can be compared."""


class CrawlState(StrEnum):
    """Whether a crawl is at work, ended of itself, or was stopped."""

    RUNNING = "running"
    COMPLETE = "complete"
    """No node was left to ask."""
    STOPPED = "stopped"
    """By the user, by a signal or by --duration; `--resume` goes on with it."""


class CrawlManifest(msgspec.Struct, frozen=True, kw_only=True):
    """What stands beside the rows of a crawl."""

    format: int
    """Version of the rows' schema."""
    network: str
    """Name of the network, as `concentra crawl` was given it."""
    title: str
    """The same for people."""
    state: CrawlState
    started: Moment
    """UTC."""
    ended: Moment | None
    """UTC; None while it is at work, or if it was killed."""
    expires: Moment
    """When the rows, which hold addresses, are to be deleted."""
    tool: str
    """``concentra`` and its version."""
    command: str
    """The command line, without directories."""
    identities: tuple[str, ...]
    """Node IDs under which this crawl asked, in hexadecimal: they are no nodes of the network."""
    settings: Mapping[str, int | float | str]
    """Rate, concurrency and other settings that the figures depend on."""
    definition: str = ""
    """TOML of a network that does not ship with concentra, so that its nodes can be told from others."""
    counts: Mapping[str, int]
    """Events that belong to no row: datagrams that were damaged, entries that were no node, and so on."""
