"""Overlapping prefixes → disjoint ranges, where the longest prefix wins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

UNCOVERED = -1
"""The number of the prefix in force where none covers the addresses."""

Ints = NDArray[np.int64]
Keys = NDArray[Any]
"""Addresses in a form that orders as they do: ``uint32``, or big-endian bytes."""


@dataclass(frozen=True, slots=True, eq=False)
class DisjointRanges:
    """Ranges that cover the whole address space; each ends where the next one starts."""

    start: Keys
    """First address of each; the first is the lowest address there is."""
    prefix: Ints
    """Position of the prefix in force, or `UNCOVERED`."""


def disjoint_ranges(first: Keys, length: NDArray[np.uint8], *, bits: int) -> DisjointRanges:
    """Return the ranges in each of which one prefix is the longest that covers.

    Prefixes are laid over each other from the shortest to the longest: those of one length never
    overlap, so each length is one pass over sorted columns. Addresses are replaced by their ranks first,
    so that IPv6 costs what IPv4 does.

    Parameters
    ----------
    first : array of ``uint32``, shape (n,), or of 16 big-endian bytes
        First address of each prefix, in any order; each prefix at most once.
    length : array, shape (n,)
        Length of each in bits.
    bits : int
        32 for ``uint32``, 128 for bytes.

    Examples
    --------
    A /27 inside a /24: after it ends, the /24 is in force again.

    >>> ranges = disjoint_ranges(np.array([0x0A000000, 0x0A000020], np.uint32), np.array([24, 27], np.uint8),
    ...                          bits=32)
    >>> [(hex(start), prefix) for start, prefix in zip(ranges.start.tolist(), ranges.prefix.tolist())]
    [('0x0', -1), ('0xa000000', 0), ('0xa000020', 1), ('0xa000040', 0), ('0xa000100', -1)]
    """
    end, wraps = addresses_after(first, bits - length.astype(np.int64))
    lowest = np.zeros(1, first.dtype)
    points, rank = np.unique(np.concatenate([lowest, first, end[~wraps]]), return_inverse=True)
    begins = rank[1 : len(first) + 1]
    ends = np.full(len(first), len(points))
    ends[~wraps] = rank[len(first) + 1 :]
    start, prefix = np.zeros(1, np.int64), np.full(1, UNCOVERED, np.int64)
    for size in np.unique(length).tolist():
        layer = np.flatnonzero(length == size)
        layer = layer[np.argsort(begins[layer], kind="stable")]
        start, prefix = _laid_over(start, prefix, begins[layer], ends[layer], layer)
    return DisjointRanges(points[start[start < len(points)]], prefix[start < len(points)])


def _laid_over(start: Ints, prefix: Ints, begins: Ints, ends: Ints, layer: Ints) -> tuple[Ints, Ints]:
    """Return the ranges after the prefixes `layer`, which do not overlap, were laid over them."""
    resumed = prefix[np.searchsorted(start, ends, side="right") - 1]
    above = np.searchsorted(begins, start, side="right") - 1
    left = (above < 0) | (start >= ends[above])
    resumes = np.append(begins[1:] != ends[:-1], True) & ~np.isin(ends, start[left], kind="table")
    merged_start = np.concatenate([start[left], begins, ends[resumes]])
    merged_prefix = np.concatenate([prefix[left], layer, resumed[resumes]])
    order = np.argsort(merged_start, kind="stable")
    return merged_start[order], merged_prefix[order]


def addresses_after(first: Keys, past: Ints) -> tuple[Keys, NDArray[np.bool_]]:
    """Return the address that follows each block of ``2**past`` addresses, and where there is none.

    Where the block is the last of the address space, the address is meaningless and the flag is set.
    """
    one = np.uint64(1)
    if first.dtype == np.uint32:
        wide = first.astype(np.uint64) + (one << past.astype(np.uint64))
        return wide.astype(np.uint32), wide > np.uint64(0xFFFFFFFF)
    high, low = halves(first)
    in_high = past >= 64
    step = one << (past % 64).astype(np.uint64)
    next_low = low + np.where(in_high, np.uint64(0), step)
    next_high = high + np.where(in_high, step, (next_low < low).astype(np.uint64))
    return joined(next_high, next_low), (next_high < high) | (past == 128)


def halves(addresses: NDArray[np.bytes_]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return high and low 64 bits of IPv6 addresses given as 16 big-endian bytes each."""
    pairs = np.ascontiguousarray(addresses).view(">u8").reshape(-1, 2)
    return pairs[:, 0].astype(np.uint64), pairs[:, 1].astype(np.uint64)


def joined(high: NDArray[np.uint64], low: NDArray[np.uint64]) -> NDArray[np.bytes_]:
    """Return IPv6 addresses as 16 big-endian bytes each; the inverse of `halves`."""
    addresses: NDArray[np.bytes_] = np.stack([high, low], axis=1).astype(">u8").view("S16").ravel()
    return addresses
