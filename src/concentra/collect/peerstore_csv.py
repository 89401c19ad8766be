"""FastEthereumCrawler's ``peerstore.csv``, nodes that answered, and ``discovery.csv``, nodes it was told of.

Both are CSV by name only (cskiraly/fast-ethereum-crawler, dcrawl.nim; hdser's fork quotes more columns)::

    cycle,node_id,ip:port,rttMin,…,bwAvgMbps,pubkey,forkDigest,attnets,attnets_number,client, enr
    0,7c…,192.0.2.1:9000,31,…,0.3,03ab…,6a95a1a9,…,2,,'(7, eth2: 0x6a95…, id: "v4", ip: 192.0.2.1, …)'

The last column is no ``enr:`` text but the record as nim-eth prints it (discoveryv5/enr.nim), without its
signature and with commas. ``client`` is whatever the node put into its record, commas and quotes as well. So
the columns in front are split off from the left, and the record is looked for in what remains. A node ID
lacks its leading zeros, since Nim prints it as a number. A fork digest of zeros stands for no ``eth2`` entry.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from concentra.collect.imports import (
    NO_ADDRESS,
    OTHER_ID,
    TOO_LONG,
    ImportTally,
    bounded_lines,
    client_name,
    imported_row,
)
from concentra.collect.streams import Readable
from concentra.model.crawl import NodeRow, Outcome
from concentra.wire import identity, rlp
from concentra.wire.errors import WireError
from concentra.wire.record_entries import eth_entry

REQUIRED = frozenset({"node_id", "ip:port", "pubkey", "forkDigest", "client", "enr"})
ANSWERED = "rttMin"
"""The column that only the file of nodes that answered has."""
MAX_COLUMNS = 32
MAX_CHARACTERS = 4096
"""A record has at most 300 bytes, which Nim prints in under 1,000 characters; what a node calls itself is
among them."""

_RECORD = re.compile(r"(?P<client>.*?), ?'?\((?P<seq>\d{1,20})(?P<pairs>, .*)?\)'?", re.DOTALL)
_TCP = re.compile(r", tcp: (\d{1,5})(?=,|$)", re.ASCII)
_ETH = re.compile(r", eth: (?:\(Raw RLP list\) )?0x((?:[0-9a-f]{2}){1,64})(?=,|$)", re.ASCII)
_NO_DIGEST = bytes(4)
_MAX_PORT = 65535


def columns_of(header: str) -> list[str]:
    """Return the names in a header, without the space that stands before ``enr``."""
    return [name.strip(" '\"\r") for name in header.split(",")[:MAX_COLUMNS]]


def is_peerstore(header: str) -> bool:
    """Tell whether `header` is that of one of the two files."""
    names = columns_of(header)
    return set(names) >= REQUIRED and names[-2:] == ["client", "enr"]


def peerstore_rows(stream: Readable, tally: ImportTally, *, seen: datetime) -> Iterator[NodeRow]:
    """Yield a row for each line that is one, in the order of the file.

    Parameters
    ----------
    stream : Readable
        From the header on.
    tally : ImportTally
        Told of every line, and why it gave no row.
    seen : datetime
        When the crawl was made, UTC: the file does not say.
    """
    lines = bounded_lines(stream, tally)
    header = columns_of(next(lines, b"").decode("utf-8", "replace"))
    outcome = Outcome.ANSWERED if ANSWERED in header else Outcome.NOT_ASKED
    for line in lines:
        tally.read += 1
        row = _row(line.decode("utf-8", "replace"), header[:-2], seen, outcome, tally)
        if isinstance(row, str):
            tally.dropped[row] += 1
        else:
            yield row


def _row(
    line: str, columns: Sequence[str], seen: datetime, outcome: Outcome, tally: ImportTally
) -> NodeRow | str:
    """Return the row of a line, or why it is none."""
    if len(line) > MAX_CHARACTERS:
        return TOO_LONG
    *fields, rest = line.split(",", len(columns))
    record = _RECORD.fullmatch(rest)
    if len(fields) != len(columns) or record is None:
        return "wrong number of columns"
    cell = dict(zip(columns, (field.strip(" '\"") for field in fields), strict=True))
    try:
        node_id = bytes.fromhex(cell["node_id"].zfill(64))
        public_key = identity.coordinates(identity.parse_key(bytes.fromhex(cell["pubkey"])))
        digest = bytes.fromhex(cell["forkDigest"])
    except (ValueError, WireError):
        return "bad key or digest"
    if identity.node_id(public_key) != node_id:
        return OTHER_ID
    place = _place(cell["ip:port"])
    if place is None:
        return NO_ADDRESS
    pairs = record["pairs"] or ""
    tcp = _TCP.search(pairs)
    fork_hash, fork_next = (digest, None) if len(digest) == 4 and digest != _NO_DIGEST else _execution(pairs)
    seq = int(record["seq"])
    if seq >= 1 << 64:
        tally.emptied["seq"] += 1
    return imported_row(
        node_id,
        public_key=public_key,
        address=str(place[0]),
        udp=place[1],
        tcp=int(tcp[1]) if tcp and int(tcp[1]) <= _MAX_PORT else None,
        seq=seq if seq < 1 << 64 else None,
        first_seen=seen,
        last_seen=seen,
        asked_at=seen if outcome is Outcome.ANSWERED else None,
        outcome=outcome,
        client=client_name(record["client"].strip(" '\"")),
        fork_hash=fork_hash,
        fork_next=fork_next,
    )


def _place(text: str) -> tuple[IPv4Address | IPv6Address, int] | None:
    """Return the address and the port in ``192.0.2.1:9000`` or ``2001:db8::1:9000``, in brackets or not."""
    host, colon, port = text.rpartition(":")
    if not (colon and port.isascii() and port.isdecimal() and len(port) <= 5 and int(port) <= _MAX_PORT):
        return None
    host = host.removeprefix("[").removesuffix("]")
    try:
        if ":" not in host:
            return IPv4Address(host), int(port)
        if "%" in host:
            return None
        address = IPv6Address(host)
    except AddressValueError:
        return None
    return address.ipv4_mapped or address, int(port)


def _execution(pairs: str) -> tuple[bytes | None, int | None]:
    """Return the fork ID of an execution node, whose entry ``eth`` is printed as raw RLP."""
    entry = _ETH.search(pairs)
    if entry is None:
        return None, None
    try:
        fork = eth_entry(rlp.decode(bytes.fromhex(entry[1])))
    except WireError:
        return None, None
    return fork.hash, fork.next
