"""Reader of the IPFire Location database (libloc): prefix → origin AS and registry country.

The file is a binary tree over IPv6 address bits, with IPv4 below ``::ffff:0:0/96``. All integers are
big-endian. The layout follows ``src/libloc/format.h`` of the libloc project, database version 1.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from concentra.attribution.errors import MalformedSource

MAGIC = b"LOCDBXX"
VERSION = 1
AddressColumn = NDArray[np.uint32] | NDArray[np.bytes_]
"""Addresses: ``uint32`` for IPv4, 16 big-endian bytes for IPv6."""

_HEADER = struct.Struct(">QIII IIIIIIIIII")
_NO_NETWORK = 0xFFFFFFFF
_MAPPED = 0xFFFF  # ::ffff:0:0/96 as the first 96 bits of an address
_NETWORK = np.dtype([("country", "S2"), ("_1", "V2"), ("asn", ">u4"), ("flags", ">u2"), ("_2", "V2")])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OriginRanges:
    """Disjoint ranges of one address family; each ends where the next starts."""

    start: AddressColumn
    """First address of each."""
    asn: NDArray[np.uint32]
    """Origin AS; 0 where nothing is announced."""
    country: NDArray[np.bytes_]
    """Registry's country code, two letters; empty where it gives none and where nothing is announced."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LocationDatabase:
    """The parts of a libloc database that concentra uses."""

    created_at: datetime
    licence: str
    v4: OriginRanges
    v6: OriginRanges


def decode(data: bytes) -> LocationDatabase:
    """Return the ranges of a libloc database.

    Raises
    ------
    MalformedSource
        If the file is no version-1 database, is cut short, its tree does not end, or a value in it
        is out of range.
    """
    if len(data) < 8 + _HEADER.size or data[: len(MAGIC)] != MAGIC:
        raise MalformedSource("libloc", f"wanted a file that starts with {MAGIC!r}, found {data[:8]!r}")
    if data[len(MAGIC)] != VERSION:
        raise MalformedSource("libloc", f"wanted version {VERSION}, found {data[len(MAGIC)]}")
    (
        created_at,
        _,
        _,
        licence,
        _,
        _,
        networks_at,
        networks_length,
        tree_at,
        tree_length,
        _,
        _,
        pool_at,
        pool_length,
    ) = _HEADER.unpack_from(data, 8)
    for name, at, length in (
        ("networks", networks_at, networks_length),
        ("tree", tree_at, tree_length),
        ("strings", pool_at, pool_length),
    ):
        if at + length > len(data):
            raise MalformedSource("libloc", f"the {name} end at byte {at + length}, the file at {len(data)}")
    tree = np.frombuffer(data, ">u4", tree_length // 12 * 3, tree_at).reshape(-1, 3).astype(np.int64)
    if not len(tree):
        raise MalformedSource("libloc", "the tree is empty")
    networks = np.frombuffer(data, _NETWORK, networks_length // _NETWORK.itemsize, networks_at)
    v4_root, v4_inherited = _descend(tree, _MAPPED, bits=96)
    return LocationDatabase(
        created_at=_moment(created_at),
        licence=_text(data[pool_at : pool_at + pool_length], licence),
        v4=_ranges(_leaves(tree, v4_root, v4_inherited, bits=32), networks, bits=32),
        v6=_ranges(_leaves(tree, 0, _NO_NETWORK, bits=128), networks, bits=128),
    )


def _moment(seconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OSError, OverflowError, ValueError) as error:
        raise MalformedSource("libloc", f"no date is {seconds} s after 1970: {error}") from error


def _text(pool: bytes, at: int) -> str:
    """Return the string that starts at `at` of the string pool and ends with a zero byte."""
    end = pool.find(b"\0", at)
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


def _leaves(
    tree: NDArray[np.int64], root: int, inherited: int, *, bits: int
) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.int64]]:
    """Return high and low half of the first address of every leaf below `root`, and its network.

    The tree is walked level by level, so that a loop in a damaged file ends after `bits` levels; a tree
    reaches each node once, so that branches which join again end after as many nodes as there are.
    """
    visited = 0
    node = np.array([root])
    network = np.array([inherited])
    high, low = np.zeros(1, np.uint64), np.zeros(1, np.uint64)
    out: list[tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.int64]]] = []
    for depth in range(bits + 1):
        own = tree[node, 2]
        network = np.where(own == _NO_NETWORK, network, own)
        children = tree[node, :2]
        if children.max(initial=0) >= len(tree):
            raise MalformedSource("libloc", "a tree node points outside the tree")
        visited += len(node)
        if visited > len(tree) or (depth == bits and children.any()):
            raise MalformedSource("libloc", "the tree loops, or is deeper than an address is long")
        terminal = ~children.any(axis=1)
        out.append((high[terminal], low[terminal], network[terminal]))
        if depth == bits:
            break
        bit = bits - 1 - depth
        step_high, step_low = (
            (np.uint64(1 << (bit - 64)), np.uint64(0)) if bit >= 64 else (np.uint64(0), np.uint64(1 << bit))
        )
        sides = []
        for side in (0, 1):
            child = children[:, side]
            to_high, to_low = high + step_high * np.uint64(side), low + step_low * np.uint64(side)
            missing = ~terminal & (child == 0)
            out.append((to_high[missing], to_low[missing], network[missing]))
            there = child != 0
            sides.append((child[there], network[there], to_high[there], to_low[there]))
        node, network, high, low = (np.concatenate(pair) for pair in zip(*sides, strict=True))
        if not len(node):
            break
    high, low, network = (np.concatenate(column) for column in zip(*out, strict=True))
    return high, low, network


def _ranges(
    leaves: tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.int64]],
    networks: NDArray[np.void],
    *,
    bits: int,
) -> OriginRanges:
    high, low, network = leaves
    known = network != _NO_NETWORK
    if bits == 128:
        known &= (high != 0) | (low >> np.uint64(32) != _MAPPED)
    if network[known].max(initial=-1) >= len(networks):
        raise MalformedSource("libloc", "a tree node names a network that is not in the file")
    order = np.lexsort((low, high))
    high, low, network, known = high[order], low[order], network[order], known[order]
    asn = np.zeros(len(network), np.uint32)
    asn[known] = networks["asn"][network[known]]
    country = np.zeros(len(network), "S2")
    country[known] = networks["country"][network[known]]
    letters = country.view(np.uint8).reshape(-1, 2)
    named = letters.any(axis=1)
    if ((letters[named] < ord("A")) | (letters[named] > ord("Z"))).any():
        raise MalformedSource("libloc", "a network's country is not two capital letters")
    country[asn == 0] = b""  # a country for what nobody announces would double the map and answer nothing
    first_of_run = np.ones(len(network), bool)
    first_of_run[1:] = (asn[1:] != asn[:-1]) | (country[1:] != country[:-1])
    start: AddressColumn
    if bits == 32:
        start = low[first_of_run].astype(np.uint32)
    else:
        start = np.stack([high[first_of_run], low[first_of_run]], axis=1).astype(">u8").view("S16").ravel()
    return OriginRanges(start=start, asn=asn[first_of_run], country=country[first_of_run])
