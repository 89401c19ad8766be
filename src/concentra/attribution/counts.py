"""Counts of evidence: what is left of any number of addresses once they are attributed.

Everything that an audit measures follows from how many units rest on which evidence, and in which
clusters they come. There are as many combinations of evidence as the maps know, and as many clusters as
we choose, so these counts stay small however many addresses there are. They can be made of parts of a
population, on different machines and in any order, and added up to the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from concentra.attribution.attribute import AttributedUnits, conclude_units
from concentra.attribution.maps import Maps

Words = NDArray[np.uint64]
Ints = NDArray[np.int64]

BLOCKS = 4096
"""Into so many blocks /24s and /48s are dealt, and sampling intervals draw blocks: a standard error from
4,096 of them is itself uncertain by ``1/sqrt(2 * 4096)`` = 1.1 %. Part of the figures: with another number
intervals differ."""

AT_ONCE = 1 << 20
"""Pairs merged at a time: some 60 MB of working memory."""

_IPV6 = np.uint64(1 << 63)
"""Keeps the number of a /48 apart from that of a /24."""
_EVIDENCE_BITS = 20
"""Combinations of evidence fit into so many bits, as a rule: shipped maps have 120,000."""
_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EvidenceCounts:
    """How many units rest on which evidence, in which block; distinct pairs, sorted by block and evidence."""

    block: NDArray[np.uint16]
    """Block of the /24 or /48 that the units lie in, from 0 to `BLOCKS` - 1; shape (n_pairs,)."""
    evidence: NDArray[np.uint32]
    """Number of the combination of evidence in the maps; shape (n_pairs,)."""
    units: Ints
    """At least 1; shape (n_pairs,)."""

    @property
    def total(self) -> int:
        """Number of units."""
        return int(self.units.sum())

    @property
    def nbytes(self) -> int:
        """Bytes in memory, and on their way between machines."""
        return self.block.nbytes + self.evidence.nbytes + self.units.nbytes

    def within(self, blocks: range) -> EvidenceCounts:
        """Return the pairs of some consecutive blocks."""
        chosen = slice(*np.searchsorted(self.block, [blocks.start, blocks.stop]).tolist())
        return EvidenceCounts(
            block=self.block[chosen], evidence=self.evidence[chosen], units=self.units[chosen]
        )


def merged(parts: Iterable[EvidenceCounts]) -> EvidenceCounts:
    """Return the counts of all parts together; the order of the parts makes no difference.

    Examples
    --------
    >>> one = EvidenceCounts(
    ...     block=np.array([7], np.uint16), evidence=np.array([3], np.uint32), units=np.array([2])
    ... )
    >>> merged([one, one]).units.tolist(), merged([]).total
    ([4], 0)
    """
    listed = list(parts)
    size = sum(len(part.units) for part in listed)
    return _joined([_summed(*_columns(part.within(blocks) for part in listed)) for blocks in _spans(size)])


def count_v4(addresses: NDArray[np.uint32], units: Ints, maps: Maps) -> EvidenceCounts:
    """Return the counts of IPv4 addresses.

    Parameters
    ----------
    addresses : array, shape (n,)
        In any order, and each as often as it occurs.
    units : array, shape (n,)
        How many units each entry stands for; entries of no units leave no trace.
    maps : Maps
    """
    block = block_of((addresses >> np.uint32(8)).astype(np.uint64))
    return _summed(block, maps.evidence_v4(addresses), units)


def count_v6(high: Words, low: Words, units: Ints, maps: Maps) -> EvidenceCounts:
    """Return the counts of IPv6 addresses, given as their halves; otherwise as `count_v4`."""
    block = block_of(high >> np.uint64(16) | _IPV6)
    return _summed(block, maps.evidence_v6(high, low), units)


def block_of(prefix: Words) -> NDArray[np.uint16]:
    """Return the block of each /24 or /48, given as a number: the same everywhere and always.

    The mixing is the finalizer of splitmix64 [1]_. A plain multiplicative hash would not do: it deals
    neighbours out evenly, so that blocks resemble each other more than chance has it, and intervals
    drawn from them come out too narrow.

    References
    ----------
    .. [1] G. L. Steele, D. Lea and C. H. Flood, "Fast splittable pseudorandom number generators", 2014.
    """
    word = prefix + np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        word ^= word >> np.uint64(shift)
        word *= np.uint64(factor)
    word ^= word >> np.uint64(31)
    return (word % np.uint64(BLOCKS)).astype(np.uint16)


def divided_24s(maps: Maps) -> NDArray[np.bool_]:
    """Return of each of the ``2**24`` /24s whether its addresses differ in evidence."""
    start = maps.column("v4.start")
    divided = np.zeros(1 << 24, np.bool_)
    divided[start[(start & np.uint32(0xFF)) != 0] >> np.uint32(8)] = True
    return divided


def attributed(counts: EvidenceCounts, maps: Maps) -> AttributedUnits:
    """Return the units with what the maps know of them; their clusters are the blocks."""
    return conclude_units(counts.evidence, counts.units, counts.block.astype(np.int64), maps)


def _spans(rows: int) -> Iterable[range]:
    """Return runs of blocks, in order, that hold some `AT_ONCE` of so many rows each."""
    number = min(max(1, -(-rows // AT_ONCE)), BLOCKS)
    return (range(low, high) for low, high in pairwise(BLOCKS * part // number for part in range(number + 1)))


def _columns(
    parts: Iterable[EvidenceCounts],
) -> tuple[NDArray[np.uint16], NDArray[np.uint32], Ints]:
    """Return the columns of all parts, one part behind the other."""
    listed = list(parts)
    return (
        np.concatenate([np.zeros(0, np.uint16), *(part.block for part in listed)]),
        np.concatenate([np.zeros(0, np.uint32), *(part.evidence for part in listed)]),
        np.concatenate([np.zeros(0, np.int64), *(part.units for part in listed)]),
    )


def _joined(parts: Iterable[EvidenceCounts]) -> EvidenceCounts:
    """Return the pairs of parts whose blocks follow each other."""
    block, evidence, units = _columns(parts)
    return EvidenceCounts(block=block, evidence=evidence, units=units)


def _summed(block: NDArray[np.uint16], evidence: NDArray[np.uint32], units: Ints) -> EvidenceCounts:
    """Return the distinct pairs with the sum of their units; pairs without a unit are left out."""
    if evidence.max(initial=0) < 1 << _EVIDENCE_BITS and units.max(initial=0) < 1 << 32:
        # Pair and units in one word are sorted without their places: 10 ns a row instead of 60.
        word = block.astype(np.uint64) << np.uint64(32 + _EVIDENCE_BITS)
        word |= evidence.astype(np.uint64) << _HALF
        word |= units.astype(np.uint64)
        word.sort()
        units = (word & _LOW).astype(np.int64)
        pair = word >> _HALF
        bits = np.uint64(_EVIDENCE_BITS)
    else:
        pair = block.astype(np.uint64) << _HALF | evidence
        order = np.argsort(pair)
        pair, units = pair[order], units[order]
        bits = _HALF
    first = np.flatnonzero(np.append(len(pair) > 0, pair[1:] != pair[:-1]))
    sums = np.add.reduceat(units, first) if len(first) else units
    pair, sums = pair[first[sums > 0]], sums[sums > 0]
    block = (pair >> bits).astype(np.uint16)
    return EvidenceCounts(
        block=block, evidence=(pair ^ block.astype(np.uint64) << bits).astype(np.uint32), units=sums
    )
