"""Reader of the IPFire Location database (libloc): prefix → origin AS and registry country.

The file is a binary tree over IPv6 address bits, with IPv4 below ``::ffff:0:0/96``. All integers are
big-endian. The layout follows ``src/libloc/format.h`` of the libloc project, database version 1.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from concentra.attribution.disjoint import joined
from concentra.attribution.errors import MalformedSource
from concentra.attribution.origin_tables import AddressColumn, OriginPrefixes, OriginTable

MAGIC = b"LOCDBXX"
VERSION = 1

_HEADER = struct.Struct(">QIII IIIIIIIIII")
_NO_NETWORK = 0xFFFFFFFF
_MAPPED = 0xFFFF  # ::ffff:0:0/96 as the first 96 bits of an address
_NETWORK = np.dtype([("country", "S2"), ("_1", "V2"), ("asn", ">u4"), ("flags", ">u2"), ("_2", "V2")])
_AS = np.dtype([("number", ">u4"), ("name", ">u4")])
_MAX_TEXT = 1024  # bytes; without a bound, one long string that every AS names is read again for each

Nodes = tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint8], NDArray[np.int64]]
"""High and low half of the first address, length in bits, and network of every tree node that has one."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LocationDatabase:
    """The parts of a libloc database that concentra uses."""

    created_at: datetime
    licence: str
    origins: OriginTable


def decode(data: bytes) -> LocationDatabase:
    """Return the networks and AS names of a libloc database.

    Raises
    ------
    MalformedSource
        If the file is no version-1 database, is cut short, its tree does not end, a value in it is out
        of range, or a string has more than 1,024 bytes.
    """
    if len(data) < 8 + _HEADER.size or data[: len(MAGIC)] != MAGIC:
        raise MalformedSource("libloc", f"wanted a file that starts with {MAGIC!r}, found {data[:8]!r}")
    if data[len(MAGIC)] != VERSION:
        raise MalformedSource("libloc", f"wanted version {VERSION}, found {data[len(MAGIC)]}")
    fields = _HEADER.unpack_from(data, 8)
    created_at, _, _, licence = fields[:4]
    parts = {}
    for number, name in enumerate(("AS numbers", "networks", "tree", "countries", "strings")):
        at, length = fields[4 + 2 * number : 6 + 2 * number]
        if at + length > len(data):
            raise MalformedSource("libloc", f"the {name} end at byte {at + length}, the file at {len(data)}")
        parts[name] = memoryview(data)[at : at + length]
    tree = _records(parts["tree"], np.dtype((">u4", 3))).astype(np.int64)
    if not len(tree):
        raise MalformedSource("libloc", "the tree is empty")
    networks = _records(parts["networks"], _NETWORK)
    v4_root, v4_inherited = _descend(tree, _MAPPED, bits=96)
    created = _moment(created_at)
    pool = bytes(parts["strings"])
    sets, origins = _origin_sets(networks)
    return LocationDatabase(
        created_at=created,
        licence=_text(pool, licence),
        origins=OriginTable(
            v4=_prefixes(_nodes(tree, v4_root, v4_inherited, bits=32), networks, origins, bits=32),
            v6=_prefixes(_nodes(tree, 0, _NO_NETWORK, bits=128), networks, origins, bits=128),
            origin_sets=sets,
            names=_names(_records(parts["AS numbers"], _AS), pool),
            as_of=created.date(),
        ),
    )


def _records(part: memoryview, dtype: np.dtype[np.void]) -> NDArray[np.void]:
    return np.frombuffer(part, dtype, len(part) // dtype.itemsize)


def _names(records: NDArray[np.void], pool: bytes) -> Mapping[int, str]:
    """Return AS number → name."""
    pairs = zip(records["number"].tolist(), records["name"].tolist(), strict=True)
    return {asn: name for asn, at in pairs if (name := _text(pool, at))}


def _origin_sets(networks: NDArray[np.void]) -> tuple[tuple[tuple[int, ...], ...], NDArray[np.uint32]]:
    """Return the distinct origins, none first, and which of them each network has."""
    asns, position = np.unique(
        np.append(networks["asn"].astype(np.uint32), np.uint32(0)), return_inverse=True
    )
    sets = tuple((asn,) if asn else () for asn in asns.tolist())
    return sets, position[:-1].astype(np.uint32)


def _moment(seconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OSError, OverflowError, ValueError) as error:
        raise MalformedSource("libloc", f"no date is {seconds} s after 1970: {error}") from error


def _text(pool: bytes, at: int) -> str:
    """Return the string that starts at `at` of the string pool and ends with a zero byte."""
    end = pool.find(b"\0", at, at + _MAX_TEXT + 1)
    if end < 0 and at + _MAX_TEXT < len(pool):
        raise MalformedSource("libloc", f"the string at {at} has more than {_MAX_TEXT} bytes")
    if end < 0:
        raise MalformedSource(
            "libloc", f"the string at {at} does not end within the {len(pool)} bytes of strings"
        )
    return pool[at:end].decode("utf-8", "replace")


def _descend(tree: NDArray[np.int64], path: int, *, bits: int) -> tuple[int, int]:
    """Follow the `bits` bits of `path` from the root; return the node and the network in force there."""
    node, network = 0, _NO_NETWORK
    for bit in range(bits - 1, -1, -1):
        if tree[node, 2] != _NO_NETWORK:
            network = int(tree[node, 2])
        node = int(tree[node, (path >> bit) & 1])
        if not 0 < node < len(tree):
            raise MalformedSource("libloc", "the tree has no branch for IPv4")
    return node, network


def _nodes(tree: NDArray[np.int64], root: int, inherited: int, *, bits: int) -> Nodes:
    """Return every node below `root` that names a network; `inherited` is the one in force at `root`.

    The tree is walked level by level, so that a loop in a damaged file ends after `bits` levels; a tree
    reaches each node once, so that branches which join again end after as many nodes as there are.
    """
    visited = 0
    node = np.array([root])
    high, low = np.zeros(1, np.uint64), np.zeros(1, np.uint64)
    out: list[Nodes] = []
    for depth in range(bits + 1):
        network = tree[node, 2]
        if depth == 0 and network[0] == _NO_NETWORK:
            network = np.array([inherited])
        named = network != _NO_NETWORK
        out.append((high[named], low[named], np.full(named.sum(), depth, np.uint8), network[named]))
        children = tree[node, :2]
        if children.max(initial=0) >= len(tree):
            raise MalformedSource("libloc", "a tree node points outside the tree")
        visited += len(node)
        if visited > len(tree) or (depth == bits and children.any()):
            raise MalformedSource("libloc", "the tree loops, or is deeper than an address is long")
        if depth == bits:
            break
        bit = bits - 1 - depth
        step_high, step_low = (1 << (bit - 64), 0) if bit >= 64 else (0, 1 << bit)
        sides = []
        for side in (0, 1):
            there = children[:, side] != 0
            to_high, to_low = np.uint64(step_high * side), np.uint64(step_low * side)
            sides.append((children[there, side], high[there] + to_high, low[there] + to_low))
        node, high, low = (np.concatenate(pair) for pair in zip(*sides, strict=True))
        if not len(node):
            break
    high, low, length, network = (np.concatenate(column) for column in zip(*out, strict=True))
    return high, low, length, network


def _prefixes(
    nodes: Nodes, networks: NDArray[np.void], origins: NDArray[np.uint32], *, bits: int
) -> OriginPrefixes:
    """Return the prefixes of one family, in order; those that map IPv4 are left out of IPv6."""
    high, low, length, network = nodes
    if network.max(initial=-1) >= len(networks):
        raise MalformedSource("libloc", "a tree node names a network that is not in the file")
    if bits == 128:
        mapped = (high == 0) & (low >> np.uint64(32) == _MAPPED) & (length >= 96)
        high, low, length, network = (column[~mapped] for column in (high, low, length, network))
    order = np.lexsort((length, low, high))
    network = network[order]
    country = np.ascontiguousarray(networks["country"][network])
    letters = country.view(np.uint8).reshape(-1, 2)
    named = letters.any(axis=1)
    if ((letters[named] < ord("A")) | (letters[named] > ord("Z"))).any():
        raise MalformedSource("libloc", "a network's country is not two capital letters")
    country[origins[network] == 0] = b""  # a country for what nobody announces would only fill the map
    first: AddressColumn = low[order].astype(np.uint32) if bits == 32 else joined(high[order], low[order])
    return OriginPrefixes(first=first, length=length[order], origins=origins[network], country=country)
