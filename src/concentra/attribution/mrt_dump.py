"""Reader of MRT routing table dumps, as RIPE RIS and RouteViews publish them: prefix → origin ASes.

A dump is a sequence of records of the type TABLE_DUMP_V2 [1]_: a table of the collector's peers, then
one record for each prefix with one entry for each peer that sees it. Dumps are read as a stream, since
they grow to gigabytes when unpacked.

The reader is written here because what it must not do is return a part: of a dump that is cut short or
damaged in the middle, the parsers that are fast enough for one yield what they could read and no error.

.. [1] RFC 6396, "MRT Routing Information Export Format", §4.3; RFC 8050 for additional paths.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

from concentra.attribution.compressed import decompressed_chunks
from concentra.attribution.errors import MalformedSource
from concentra.attribution.origin_tables import OriginTable, OriginTableBuilder
from concentra.attribution.route_visibility import SHORTEST_ANNOUNCED, widely_seen

MAX_DUMP = 64 * 1024 * 1024 * 1024
"""The largest dumps, of collectors with hundreds of full feeds, unpack to several gigabytes."""

MAX_RECORD = 16 * 1024 * 1024
"""A thousand peers with paths of a hundred ASes make half a megabyte."""

_TABLE_DUMP_V2 = 13
_PEER_INDEX_TABLE = 1
_HEADER = struct.Struct(">IHHI")  # timestamp, type, subtype, length: RFC 6396 §2
_ENTRY = struct.Struct(">HIH")  # peer, time of origination, length of attributes: §4.3.4
_ENTRY_ADDPATH = struct.Struct(">HIIH")  # and a path identifier: RFC 8050 §4.1


@dataclass(frozen=True, slots=True)
class _Routes:
    """What one subtype of TABLE_DUMP_V2 holds."""

    version: int
    bits: int
    entry: struct.Struct


_UNICAST = {
    2: _Routes(4, 32, _ENTRY),
    4: _Routes(6, 128, _ENTRY),
    8: _Routes(4, 32, _ENTRY_ADDPATH),
    10: _Routes(6, 128, _ENTRY_ADDPATH),
}
_OTHERS = {3, 5, 6, 7, 9, 11, 12}
"""Multicast, other address families, positions of peers (RFC 6397): nothing that says who hosts."""

_EXTENDED_LENGTH = 0x10  # attribute flag: RFC 4271 §4.3
_AS_PATH = 2
_AS_SET, _AS_SEQUENCE, _CONFED_SEQUENCE, _CONFED_SET = 1, 2, 3, 4  # RFC 4271 §4.3, RFC 5065 §3


def read_mrt(data: bytes) -> OriginTable:
    """Read a routing table dump (RIB, ``bview``) in the format TABLE_DUMP_V2.

    The origin that a peer sees is the last AS of its path; all members, if the path ends with an AS set
    (deprecated by RFC 9774, and still seen); the peer's own AS, if the path is empty. Which origins of a
    prefix are kept, `route_visibility.widely_seen` tells. The date is that of the first record, in UTC.

    Raises
    ------
    MalformedSource
        If a record is of another type than a dump has, is cut short, or its parts do not fit into it.
        Of a route's attributes only those up to the path are looked at.

    Examples
    --------
    A table of one peer, and 192.0.2.0/24, which that peer sees with the path "64496":

    >>> peers = bytes.fromhex("00000000 000d 0001 00000013 00000000 0000 0001 00 00000000 c0000201 fbf4")
    >>> route = bytes.fromhex("00000000 000d 0002 0000001b 00000000 18 c00002 0001 0000 00000000 0009")
    >>> read_mrt(peers + route + bytes.fromhex("40 02 06 02 01 0000fbf0")).origin_sets
    ((), (64496,))
    """
    dump = _Dump()
    records = _records(decompressed_chunks("mrt", data, limit=MAX_DUMP))
    for number, (seconds, kind, subtype, body) in enumerate(records, start=1):
        try:
            dump.take(seconds, kind, subtype, body)
        except (LookupError, ValueError, struct.error) as error:
            raise MalformedSource("mrt", f"record {number}: {error}") from error
    return dump.table()


class _Dump:
    """What the records so far say."""

    def __init__(self) -> None:
        self._builder = OriginTableBuilder()
        self._peers: tuple[int, ...] | None = None
        self._as_of: date | None = None

    def take(self, seconds: int, kind: int, subtype: int, body: bytes) -> None:
        """Read one record; its timestamp counts if it is the first."""
        if kind != _TABLE_DUMP_V2:
            raise ValueError(f"wanted a record of type 13 (TABLE_DUMP_V2), found type {kind}")
        if self._as_of is None:
            self._as_of = datetime.fromtimestamp(seconds, UTC).date()
        if subtype == _PEER_INDEX_TABLE:
            self._peers = _peers(body)
        elif subtype in _UNICAST:
            if self._peers is None:
                raise ValueError("a route stands before the table of peers")
            _add_routes(self._builder, _UNICAST[subtype], body, self._peers)
        elif subtype not in _OTHERS:
            raise ValueError(f"TABLE_DUMP_V2 has no subtype {subtype}")

    def table(self) -> OriginTable:
        return self._builder.table(as_of=self._as_of)


def _records(chunks: Iterable[bytes]) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield timestamp, type, subtype and content of every record."""
    buffer = b""
    for chunk in chunks:
        buffer += chunk
        at = 0
        while len(buffer) - at >= _HEADER.size:
            seconds, kind, subtype, length = _HEADER.unpack_from(buffer, at)
            if length > MAX_RECORD:
                raise MalformedSource("mrt", f"a record of {length} bytes; they have at most {MAX_RECORD}")
            end = at + _HEADER.size + length
            if end > len(buffer):
                break
            yield seconds, kind, subtype, buffer[at + _HEADER.size : end]
            at = end
        buffer = buffer[at:]
    if buffer:
        raise MalformedSource("mrt", "the last record is cut short")


def _peers(body: bytes) -> tuple[int, ...]:
    """Return the AS number of every peer (RFC 6396 §4.3.1)."""
    (name_length,) = struct.unpack_from(">H", body, 4)
    at = 6 + name_length
    (count,) = struct.unpack_from(">H", body, at)
    at += 2
    peers = []
    for _ in range(count):
        kind = body[at]
        at += 1 + 4 + (16 if kind & 1 else 4)  # kind, BGP identifier, address
        (asn,) = struct.unpack_from(">I" if kind & 2 else ">H", body, at)
        at += 4 if kind & 2 else 2
        peers.append(asn)
    _check_end(body, at)
    return tuple(peers)


def _add_routes(builder: OriginTableBuilder, routes: _Routes, body: bytes, peers: tuple[int, ...]) -> None:
    """Add the prefix of one record with its widely seen origins (RFC 6396 §4.3.2 and §4.3.4)."""
    length = body[4]  # after a sequence number
    at = 5 + (length + 7) // 8
    if length > routes.bits:
        raise ValueError(f"an IPv{routes.version} prefix of {length} bits")
    (count,) = struct.unpack_from(">H", body, at)
    host_bits = routes.bits - length
    first = int.from_bytes(body[5:at].ljust(routes.bits // 8, b"\0"), "big") >> host_bits << host_bits
    at += 2
    seen: set[tuple[int, int]] = set()  # (origin, peer): with additional paths, a peer has several routes
    for _ in range(count):
        peer, *_, attributes_length = routes.entry.unpack_from(body, at)
        at += routes.entry.size
        end = at + attributes_length
        if end > len(body):
            raise ValueError("the attributes of a route do not fit into the record")
        for asn in _origins(_path(body, at, end), peers[peer]):
            seen.add((asn, peer))
        at = end
    _check_end(body, at)
    if length >= SHORTEST_ANNOUNCED[routes.version]:
        origins = widely_seen(Counter(asn for asn, _ in seen if asn))
        if origins:
            builder.add(routes.version, first, length, origins)


def _path(body: bytes, at: int, end: int) -> bytes:
    """Return the value of the attribute AS_PATH (RFC 4271 §4.3)."""
    while at < end:
        flags, kind = body[at], body[at + 1]
        if flags & _EXTENDED_LENGTH:
            (length,) = struct.unpack_from(">H", body, at + 2)
            at += 4
        else:
            length = body[at + 2]
            at += 3
        if at + length > end:
            raise ValueError("an attribute of a route does not fit into its attributes")
        if kind == _AS_PATH:
            return body[at : at + length]
        at += length
    raise ValueError("a route without AS_PATH")


def _origins(path: bytes, peer_as: int) -> tuple[int, ...]:
    """Return the ASes that originate a route; AS numbers have four bytes in every dump (RFC 6396 §4.3.4)."""
    if len(path) > 2 and path[0] == _AS_SEQUENCE and len(path) == 2 + 4 * path[1]:  # nearly every path
        return (int.from_bytes(path[-4:], "big"),)
    origins: tuple[int, ...] = (peer_as,)
    at = 0
    while at < len(path):
        kind, count = path[at], path[at + 1]
        members = struct.unpack_from(f">{count}I", path, at + 2)
        if not members or kind not in (_AS_SET, _AS_SEQUENCE, _CONFED_SEQUENCE, _CONFED_SET):
            raise ValueError(f"a path segment of type {kind} with {count} ASes")
        if kind == _AS_SEQUENCE:
            origins = members[-1:]
        elif kind == _AS_SET:
            origins = members
        at += 2 + 4 * count  # what a confederation adds for itself (RFC 5065) says nothing of the origin
    return origins


def _check_end(body: bytes, at: int) -> None:
    if at != len(body):
        raise ValueError(f"{len(body) - at} bytes are left over")
