"""What readers of other crawlers' files share: the row they make, what they count, and lines without end."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from concentra.collect.streams import Readable
from concentra.errors import UnreadableFile
from concentra.model.crawl import CrawlSource, NodeRow, Outcome

MAX_LINE_BYTES = 1024 * 1024
"""A visit of Nebula has under 20,000 bytes, whatever the peer says."""

MAX_NODES = 1_000_000
"""More than any network has: Ethereum's discovery knows some 100,000 identities, most of them silent."""

MAX_CLIENT = 256

_CHUNK_BYTES = 1024 * 1024

TOO_LONG = "longer than any record"
SEEN_AGAIN = "an older row of a node that comes again"
NO_ADDRESS = "not an address"
OTHER_ID = "node ID is not that of the key"


@dataclass(slots=True)
class ImportTally:
    """What was read of a foreign file; filled while its rows are taken."""

    read: int = 0
    """Rows, those that were left out among them."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Rows that were left out, by reason."""
    emptied: Counter[str] = field(default_factory=Counter)
    """Fields of rows that were kept, by name, which held something else than the format says."""


def imported_row(
    node_id: bytes,
    *,
    first_seen: datetime,
    last_seen: datetime,
    public_key: bytes | None = None,
    address: str | None = None,
    udp: int | None = None,
    tcp: int | None = None,
    record: bytes | None = None,
    seq: int | None = None,
    asked_at: datetime | None = None,
    outcome: Outcome = Outcome.NOT_ASKED,
    client: str | None = None,
    capabilities: str | None = None,
    network_id: int | None = None,
    fork_hash: bytes | None = None,
    fork_next: int | None = None,
) -> NodeRow:
    """Return the row of an import, in which everything is empty that no other crawler writes down."""
    return NodeRow(
        source=CrawlSource.IMPORT,
        node_id=node_id,
        public_key=public_key,
        address=address,
        udp=udp,
        tcp=tcp,
        record=record,
        seq=seq,
        first_seen=first_seen,
        last_seen=last_seen,
        asked_at=asked_at,
        outcome=outcome,
        announcers=0,
        told=0,
        rtt_ms=None,
        dialled=None,
        client=client,
        capabilities=capabilities,
        network_id=network_id,
        genesis=None,
        fork_hash=fork_hash,
        fork_next=fork_next,
        head=None,
    )


def endpoint_id(address: str) -> bytes:
    """Return what stands for the node ID, 32 bytes, where a file names addresses and no nodes.

    Examples
    --------
    >>> endpoint_id("192.0.2.1").hex()[:16], len(endpoint_id("2001:db8::1"))
    ('85cd5273ebc45baf', 32)
    """
    return hashlib.sha256(b"concentra endpoint " + address.encode()).digest()


def client_name(text: object) -> str | None:
    r"""Return what a node calls its software, in printable characters and at most 256 of them.

    Examples
    --------
    >>> client_name("Geth/v1.16\x1b[31m\n"), client_name(" "), client_name(7)
    ('Geth/v1.16[31m', None, None)
    """
    if not isinstance(text, str):
        return None
    shown = "".join(character for character in text[: 4 * MAX_CLIENT] if character.isprintable())
    return shown.strip()[:MAX_CLIENT] or None


def newest_of_each(rows: Iterable[NodeRow], name: str, tally: ImportTally) -> list[NodeRow]:
    """Return the newest row of each node, in the order in which the nodes came first.

    Of rows equally new, that with the newer record counts, and of those the later one.

    Raises
    ------
    UnreadableFile
        If there are more nodes than any network has.
    """
    newest: dict[bytes, NodeRow] = {}
    for row in rows:
        known = newest.get(row.node_id)
        if known is not None:
            tally.dropped[SEEN_AGAIN] += 1
            if (known.last_seen, known.seq or 0) > (row.last_seen, row.seq or 0):
                continue
        elif len(newest) == MAX_NODES:
            raise UnreadableFile(name, f"more than {MAX_NODES:,} nodes: no network has so many")
        newest[row.node_id] = row
    return list(newest.values())


def bounded_lines(stream: Readable, tally: ImportTally) -> Iterator[bytes]:
    """Yield the lines that are not blank, without their ends; one that is too long is counted and skipped."""
    rest, skipping = b"", False
    while chunk := stream.read(_CHUNK_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if skipping or len(line) > MAX_LINE_BYTES:
                skipping = False
                tally.read += 1
                tally.dropped[TOO_LONG] += 1
            elif not line.isspace() and line:
                yield line.rstrip(b"\r")
        if len(rest) > MAX_LINE_BYTES:
            rest, skipping = b"", True
    if skipping:
        tally.read += 1
        tally.dropped[TOO_LONG] += 1
    elif rest and not rest.isspace():
        yield rest.rstrip(b"\r")
