"""Reader of MaxMind DB files, whichever vendor they are from: prefix → origin AS and country.

The package maxminddb reads the metadata and the records. The search tree is walked here, level by
level: a damaged tree whose branches join again has 2^127 leaves, and an iterator would visit them all.
The layout is that of the specification, version 2.0 [1]_.

.. [1] MaxMind, "MaxMind DB File Format Specification", https://maxmind.github.io/MaxMind-DB/
"""

from __future__ import annotations

import io
import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from concentra.attribution.compressed import decompressed
from concentra.attribution.errors import MalformedSource
from concentra.attribution.origin_tables import OriginTable, OriginTableBuilder
from concentra.errors import ConcentraError

if TYPE_CHECKING:
    from maxminddb.reader import Metadata, Reader

MAX_DATABASE = 1024 * 1024 * 1024
"""Databases of cities, the largest that hold a country, have some hundred megabytes."""

_IPV4_AT = 96  # IPv4 lies below ::/96


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Leaves:
    """The networks of one address family that have a record, ascending."""

    high: NDArray[np.uint64]
    low: NDArray[np.uint64]
    length: NDArray[np.int64]
    record: NDArray[np.int64]
    """What the tree holds in the place of a node: equal where networks share a record."""


@dataclass(frozen=True, slots=True)
class _Origin:
    """What a record says."""

    asns: tuple[int, ...]
    name: str
    country: str


def read_mmdb(data: bytes) -> OriginTable:
    """Read a MaxMind DB that names origin ASes, countries, or both.

    The AS number is the field ``autonomous_system_number`` or ``asn`` (a number, or text such as
    ``AS64496``), its name ``autonomous_system_organization`` or ``as_name``, the country
    ``country_code``, ``country.iso_code`` or ``country``. Records with neither AS nor country are left
    out. IPv4 is taken from ::/96 once; the places that databases alias to it (2002::/16, 2001::/32,
    ::ffff:0:0/96) are left out.

    Raises
    ------
    MalformedSource
        If the file is no MaxMind DB, is damaged, or one of these fields is of another type.
    ConcentraError
        If the package maxminddb is not installed.

    Examples
    --------
    >>> read_mmdb(b"<!DOCTYPE html>")  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    concentra.attribution.errors.MalformedSource: mmdb: Is this a valid MaxMind DB file?
    """
    try:
        import maxminddb
    except ImportError as error:
        missing = ConcentraError("reading a MaxMind DB needs the package maxminddb")
        missing.hint = "pip install 'concentra[maps]'"
        raise missing from error
    content = decompressed("mmdb", data, limit=MAX_DATABASE)
    try:
        reader = maxminddb.open_database(io.BytesIO(content), maxminddb.MODE_FD)
        return _table(reader, content)
    except (RuntimeError, TypeError, ValueError, ArithmeticError, OSError) as error:
        # InvalidDatabaseError is a RuntimeError; the others come of metadata out of range or of another type.
        raise MalformedSource("mmdb", f"{type(error).__name__}: {error}") from error


def _table(reader: Reader, content: bytes) -> OriginTable:
    metadata = reader.metadata()
    if metadata.ip_version not in (4, 6):
        raise MalformedSource("mmdb", f"wanted IP version 4 or 6, found {metadata.ip_version}")
    tree = _tree(metadata, content)
    families: dict[int, _Leaves] = {}
    if metadata.ip_version == 4:
        families[4] = _leaves(tree, 0, bits=32)
    else:
        root = _ipv4_root(tree)
        families[4] = _leaves(tree, root, bits=32)
        families[6] = _leaves(tree, 0, bits=128, alias=root)
    builder = OriginTableBuilder()
    known: dict[int, _Origin | None] = {}
    for version, leaves in families.items():
        for first, length, record in _networks(leaves):
            if record not in known:
                address = ipaddress.IPv4Address(first) if version == 4 else ipaddress.IPv6Address(first)
                known[record] = _origin(reader.get(address))
            origin = known[record]
            if origin is not None:
                builder.add(version, first, length, origin.asns, origin.country)
    for origin in filter(None, known.values()):
        for asn in origin.asns:
            builder.name(asn, origin.name)
    return builder.table(as_of=datetime.fromtimestamp(metadata.build_epoch, UTC).date())


def _tree(metadata: Metadata, content: bytes) -> NDArray[np.int64]:
    """Return left and right record of every node, shape (node_count, 2).

    A record below the number of nodes is a node, equal to it nothing, above it a record in the data.
    """
    octets = np.frombuffer(content, np.uint8, metadata.search_tree_size)
    wide = octets.reshape(metadata.node_count, metadata.node_byte_size).astype(np.int64)
    match metadata.record_size:
        case 24:
            left, right = wide[:, 0:3], wide[:, 3:6]
            high = np.zeros((2, len(wide)), np.int64)
        case 28:  # the middle byte holds the highest four bits of both
            left, right = wide[:, 0:3], wide[:, 4:7]
            high = np.stack([wide[:, 3] >> 4, wide[:, 3] & 0xF])
        case _:
            left, right = wide[:, 1:4], wide[:, 5:8]
            high = np.stack([wide[:, 0], wide[:, 4]])
    weights = np.array([1 << 16, 1 << 8, 1])
    low: NDArray[np.int64] = np.stack([left @ weights, right @ weights], axis=1)
    return low + (high.T << 24)


def _ipv4_root(tree: NDArray[np.int64]) -> int:
    """Return what the tree holds at ::/96, or at the shorter prefix where it ends on the way there."""
    node = 0
    for _ in range(_IPV4_AT):
        if node >= len(tree):
            break
        node = int(tree[node, 0])
    return node


def _leaves(tree: NDArray[np.int64], root: int, *, bits: int, alias: int | None = None) -> _Leaves:
    """Return the networks below `root` that have a record, without those below the node `alias`.

    A tree reaches each node once, so that branches which join again, or loop, end after as many nodes as
    there are.
    """
    node = np.array([root])
    high, low = np.zeros(1, np.uint64), np.zeros(1, np.uint64)
    found = []
    visited = 0
    for depth in range(bits + 1):
        is_leaf = node > len(tree)
        found.append((high[is_leaf], low[is_leaf], np.full(is_leaf.sum(), depth), node[is_leaf]))
        inner = node < len(tree)
        if alias is not None:
            inner &= node != alias
        node, high, low = node[inner], high[inner], low[inner]
        visited += len(node)
        if visited > len(tree) or (depth == bits and len(node)):
            raise MalformedSource("mmdb", "the tree loops, or is deeper than an address is long")
        if not len(node):
            break
        bit = bits - 1 - depth
        step = np.uint64(1 << bit % 64)
        right_high, right_low = (high + step, low) if bit >= 64 else (high, low + step)
        node = tree[node].T.ravel()
        high, low = np.concatenate([high, right_high]), np.concatenate([low, right_low])
    high, low, length, record = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.lexsort((low, high))
    return _Leaves(high=high[order], low=low[order], length=length[order], record=record[order])


def _networks(leaves: _Leaves) -> Iterator[tuple[int, int, int]]:
    """Yield first address, length and record."""
    columns = (leaves.high.tolist(), leaves.low.tolist(), leaves.length.tolist(), leaves.record.tolist())
    for high, low, length, record in zip(*columns, strict=True):
        yield high << 64 | low, length, record


def _origin(record: object) -> _Origin | None:
    """Return what a record says of origin and country, or None if it says nothing of either."""
    if not isinstance(record, Mapping):
        raise TypeError(f"wanted records that are maps, found {record!r:.100}")
    asn = _as_number(_first(record, "autonomous_system_number", "asn"))
    country = _first(record, "country_code", "country")
    if isinstance(country, Mapping):
        country = _first(country, "iso_code")
    if asn is None and country is None:
        return None
    return _Origin(
        asns=() if asn is None else (asn,),
        name=_text(_first(record, "autonomous_system_organization", "as_name")),
        country=_text(country),
    )


def _first(record: Mapping[object, object], *fields: str) -> object:
    """Return the first of the fields that is there and not empty text."""
    return next((record[field] for field in fields if record.get(field) not in (None, "")), None)


def _as_number(value: object) -> int | None:
    """Return the AS number, also of text such as ``AS64496``; None if there is none, or it is 0."""
    if isinstance(value, str):
        digits = value.removeprefix("AS")
        if not (digits.isascii() and digits.isdigit()):
            raise ValueError(f"wanted an AS number, found {value!r:.100}")
        value = int(digits)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value or None
    raise TypeError(f"wanted an AS number, found {value!r:.100}")


def _text(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError(f"wanted text, found {value!r:.100}")
    return value
