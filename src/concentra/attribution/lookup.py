"""Address → row of a sorted table of ranges, for millions of addresses at a time.

Three ways with the same answers; an index takes the one that costs least for what it was asked so far:

- binary search, for a few addresses: no preparation;
- a *rank trie*: the address is cut into 24 bits and then 8 at a time. A node's children are runs of
  equal answers; a 64-bit word holds a bitmap of where runs begin among 32 children and how many began
  before, so that the answer is found by counting bits. Some 9 MB for each family of the shipped maps;
- *direct tables* (IPv4): one answer for each of the 2**24 blocks of 256 addresses, and one for each
  address of the few blocks that hold several ranges. Some 90 MB more, one or two memory accesses. Known as
  DIR-24-8 (Gupta, Lin and McKeown, "Routing lookups in hardware at memory access speeds", 1998).

Queries are handled in chunks whose scratch arrays stay in the processor's cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from concentra.attribution.disjoint import joined

Rows = NDArray[np.int32]
Words = NDArray[np.uint64]

FIRST_STRIDE = 24
"""Bits that the first level resolves."""
STRIDE = 8
"""Bits that every further level resolves."""
CHUNK = 1 << 14
"""Queries handled at a time."""

SEARCHED = 1000
"""Up to so many queries at a time, binary search costs less than touching the trie."""
TRIE_PAYS = 200_000
"""From so many queries on, a trie has paid for being built."""
DIRECT_PAYS = 2_000_000
"""From so many IPv4 queries on, direct tables have."""

_LOW = np.uint64(0xFFFFFFFF)
_BITS = np.uint64(32)
_UP_TO = (np.uint64(2) << np.arange(32, dtype=np.uint64)) - np.uint64(1)
"""Mask of the bits 0 to i, for each i below 32."""


@dataclass(frozen=True, slots=True, eq=False)
class RankTrie:
    """Sorted keys, arranged so that the last key that is not above a query is found by counting bits.

    Parameters
    ----------
    words : array of ``uint64``
        For 32 children each: which of them begin a run (low half), how many runs began before (high half).
    values : array of ``int32``
        For each run the row that answers for it, or ``~word`` of the node that tells its children apart.
    first_values : int
        How many of `values` belong to the first level.
    key_bits : int
        32 or 64.
    """

    words: Words
    values: Rows
    first_values: int
    key_bits: int

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return self.words.nbytes + self.values.nbytes


def build_trie(keys: NDArray[np.uint64], rows: Rows, *, key_bits: int) -> RankTrie:
    """Return the trie over `keys`.

    Parameters
    ----------
    keys : array, shape (n,)
        Ascending and distinct; the first is 0.
    rows : array, shape (n,)
        The answer from each key on, up to the next one.
    key_bits : int
        32 or 64.
    """
    words: list[Words] = []
    values: list[Rows] = []
    nodes = np.zeros(1, np.uint64)  # the bits before each node of the level, in order
    width, shift = FIRST_STRIDE, key_bits - FIRST_STRIDE
    inside = np.arange(len(keys))
    runs = words_so_far = 0
    while True:
        own, child_values, deep, inside = _level(keys, rows, inside, nodes, width, shift)
        pointers = child_values < 0
        next_words = words_so_far + len(own)
        child_values[pointers] = ~(
            next_words + np.arange(pointers.sum(), dtype=np.int32) * (1 << STRIDE >> 5)
        )
        before = np.cumsum(np.bitwise_count(own), dtype=np.uint64)
        words.append(own | (before - np.bitwise_count(own) + np.uint64(runs)) << _BITS)
        values.append(child_values)
        runs += len(child_values)
        words_so_far = next_words
        if not len(deep):
            break
        nodes, width, shift = deep, STRIDE, shift - STRIDE
    return RankTrie(np.concatenate(words), np.concatenate(values), len(values[0]), key_bits)


def _level(
    keys: NDArray[np.uint64],
    rows: Rows,
    inside: NDArray[np.int64],
    nodes: NDArray[np.uint64],
    width: int,
    shift: int,
) -> tuple[Words, Rows, NDArray[np.uint64], NDArray[np.int64]]:
    """Return one level: bitmaps, values (-1 for a node below), the nodes below, and the keys inside them."""
    prefix = keys[inside] >> np.uint64(shift)
    node = np.searchsorted(nodes, prefix >> np.uint64(width))
    child = (node << width) + (prefix & np.uint64((1 << width) - 1)).astype(np.int64)
    within = keys[inside] & np.uint64((1 << shift) - 1) != 0
    deep_child = _distinct(child[within])
    children = len(nodes) << width
    begins = np.zeros(children, np.bool_)
    begins[child] = True
    begins[:: 1 << width] = True  # a node's first child never continues the run of another node
    after = deep_child + 1
    begins[after[after < children]] = True
    own = np.packbits(begins, bitorder="little").view("<u4").astype(np.uint64)
    begin = np.flatnonzero(begins)
    start = _bits_of(begin, nodes, width) << np.uint64(shift)
    values = rows[np.searchsorted(keys, start, side="right") - 1]
    values[np.searchsorted(begin, deep_child)] = -1
    is_deep = np.zeros(children, np.bool_)
    is_deep[deep_child] = True
    return own, values, _bits_of(deep_child, nodes, width), inside[is_deep[child]]


def _bits_of(child: NDArray[np.int64], nodes: NDArray[np.uint64], width: int) -> NDArray[np.uint64]:
    """Return the leading bits of addresses below each child, numbered through all `nodes`."""
    own = (child & ((1 << width) - 1)).astype(np.uint64)
    bits: NDArray[np.uint64] = nodes[child >> width] << np.uint64(width) | own
    return bits


def _distinct(ascending: NDArray[np.int64]) -> NDArray[np.int64]:
    return ascending[np.append(True, ascending[1:] != ascending[:-1])] if len(ascending) else ascending


@dataclass(frozen=True, slots=True, eq=False)
class DirectTables:
    """The trie of an IPv4 table, unrolled into one answer for each block of 256 addresses.

    Parameters
    ----------
    first : array of ``int32``, shape (2**24,)
        The row of each block, or ``~position`` of its 256 answers in `second`.
    second : array of ``int32``
        The row of each address of the blocks that hold several ranges.
    """

    first: Rows
    second: Rows

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return self.first.nbytes + self.second.nbytes


def unroll(trie: RankTrie) -> DirectTables:
    """Return the direct tables of a trie over 32-bit keys."""
    words = 1 << FIRST_STRIDE >> 5
    first = _unrolled(trie.words[:words], trie.values[: trie.first_values])
    several = first < 0
    first[several] = ~((~first[several] - words) << 5)
    return DirectTables(first, _unrolled(trie.words[words:], trie.values[trie.first_values :]))


def _unrolled(words: Words, values: Rows) -> Rows:
    """Return the value of every child of `words`."""
    bitmap = (words & _LOW).astype("<u4").view(np.uint8)
    begin = np.flatnonzero(np.unpackbits(bitmap, bitorder="little"))
    return np.repeat(values, np.diff(begin, append=len(words) << 5))


def trie_rows(trie: RankTrie, queries: NDArray[np.uint32] | NDArray[np.uint64], out: Rows) -> None:
    """Write the row of each query into `out`."""
    shift = trie.key_bits - FIRST_STRIDE
    scratch = _Scratch(min(CHUNK, len(queries)))
    for at in range(0, len(queries), CHUNK):
        chunk = queries[at : at + CHUNK]
        into = out[at : at + CHUNK]
        _descend(trie, chunk, shift, into, scratch)


class _Scratch:
    """Arrays that every chunk uses again."""

    def __init__(self, size: int) -> None:
        self.index = np.empty(size, np.intp)
        self.bit = np.empty(size, np.intp)
        self.word = np.empty(size, np.uint64)
        self.mask = np.empty(size, np.uint64)
        self.rank = np.empty(size, np.uint8)


def _descend(
    trie: RankTrie,
    queries: NDArray[np.uint32] | NDArray[np.uint64],
    shift: int,
    into: Rows,
    scratch: _Scratch,
) -> None:
    count = len(queries)
    child = queries >> queries.dtype.type(shift)
    index, bit = scratch.index[:count], scratch.bit[:count]
    np.right_shift(child, child.dtype.type(5), out=index, casting="unsafe")
    np.bitwise_and(child, child.dtype.type(31), out=bit, casting="unsafe")
    _step(trie, index, bit, into, scratch)
    open_ = np.flatnonzero(into < 0)
    while len(open_):
        shift -= STRIDE
        count = len(open_)
        child = (queries.take(open_) >> queries.dtype.type(shift)).astype(np.intp)
        child &= (1 << STRIDE) - 1
        index, bit = scratch.index[:count], scratch.bit[:count]
        np.right_shift(child, 5, out=index)
        index += ~into.take(open_)
        np.bitwise_and(child, 31, out=bit)
        found = np.empty(count, np.int32)
        _step(trie, index, bit, found, scratch)
        into[open_] = found
        open_ = open_.take(np.flatnonzero(found < 0))


def _step(
    trie: RankTrie, index: NDArray[np.intp], bit: NDArray[np.intp], into: Rows, scratch: _Scratch
) -> None:
    """Write the value of the run that child `bit` of word `index` lies in."""
    count = len(index)
    word, mask, rank = scratch.word[:count], scratch.mask[:count], scratch.rank[:count]
    trie.words.take(index, out=word, mode="wrap")
    _UP_TO.take(bit, out=mask, mode="wrap")
    np.bitwise_and(mask, word, out=mask)
    np.bitwise_count(mask, out=rank)
    np.right_shift(word, _BITS, out=index, casting="unsafe")
    np.add(index, rank, out=index)
    np.subtract(index, 1, out=index)
    trie.values.take(index, out=into, mode="wrap")


def direct_rows(tables: DirectTables, queries: NDArray[np.uint32], out: Rows) -> None:
    """Write the row of each IPv4 query into `out`."""
    scratch = np.empty(min(CHUNK, len(queries)), np.intp)
    for at in range(0, len(queries), CHUNK):
        chunk = queries[at : at + CHUNK]
        into = out[at : at + CHUNK]
        index = scratch[: len(chunk)]
        np.right_shift(chunk, np.uint32(STRIDE), out=index, casting="unsafe")
        tables.first.take(index, out=into, mode="wrap")
        several = np.flatnonzero(into < 0)
        if len(several):
            position = (chunk.take(several) & np.uint32(0xFF)).astype(np.intp)
            position += ~into.take(several)
            into[several] = tables.second.take(position, mode="wrap")


class IPv4Index:
    """Rows of a table of IPv4 ranges.

    Parameters
    ----------
    start : array of ``uint32``, shape (n,)
        First address of each range, ascending; the first is 0.
    small : bool
        Never build the direct tables.

    Examples
    --------
    >>> index = IPv4Index(np.array([0, 0x0A000000, 0x0B000000], np.uint32))
    >>> index.rows(np.array([0x0A010203, 0x0B000000, 5], np.uint32)).tolist()
    [1, 2, 0]
    """

    def __init__(self, start: NDArray[np.uint32], *, small: bool = False) -> None:
        self._start = start
        self._small = small
        self._asked = 0

    def rows(self, queries: NDArray[np.uint32], out: Rows | None = None) -> Rows:
        """Return the row of each query.

        Parameters
        ----------
        queries : array of ``uint32``, shape (m,)
            Addresses in any order.
        out : array of ``int32``, shape (m,)
            Receives the rows, if given.

        Returns
        -------
        array of ``int32``, shape (m,)
            Positions from 0 to n - 1.
        """
        out = np.empty(len(queries), np.int32) if out is None else out
        self._asked += len(queries)
        if len(queries) <= SEARCHED or self._asked < TRIE_PAYS:
            out[:] = np.searchsorted(self._start, queries, side="right") - 1
        elif self._small or self._asked < DIRECT_PAYS:
            trie_rows(self.trie, queries, out)
        else:
            direct_rows(self.direct, queries, out)
        return out

    @cached_property
    def trie(self) -> RankTrie:
        """The trie over the table, built when it is first asked for."""
        keys = self._start.astype(np.uint64)
        return build_trie(keys, np.arange(len(keys), dtype=np.int32), key_bits=32)

    @cached_property
    def direct(self) -> DirectTables:
        """The direct tables, built when they are first asked for."""
        return unroll(self.trie)


class IPv6Index:
    """Rows of a table of IPv6 ranges, whose addresses are pairs of 64-bit halves.

    The trie knows the high halves. Few ranges begin inside one; queries that meet such a range are
    settled by binary search over whole addresses.

    Parameters
    ----------
    high, low : arrays of ``uint64``, shape (n,)
        First address of each range, ascending; the first is 0.

    Examples
    --------
    >>> index = IPv6Index(np.array([0, 7, 7], np.uint64), np.array([0, 0, 5], np.uint64))
    >>> index.rows(np.array([7, 7, 6], np.uint64), np.array([4, 5, 9], np.uint64)).tolist()
    [1, 2, 0]
    """

    def __init__(self, high: NDArray[np.uint64], low: NDArray[np.uint64]) -> None:
        self._high, self._low = high, low
        self._asked = 0

    def rows(self, high: NDArray[np.uint64], low: NDArray[np.uint64], out: Rows | None = None) -> Rows:
        """Return the row of each query.

        Parameters
        ----------
        high, low : arrays of ``uint64``, shape (m,)
            Halves of the addresses, in any order.
        out : array of ``int32``, shape (m,)
            Receives the rows, if given.

        Returns
        -------
        array of ``int32``, shape (m,)
            Positions from 0 to n - 1.
        """
        out = np.empty(len(high), np.int32) if out is None else out
        self._asked += len(high)
        if len(high) <= SEARCHED or self._asked < TRIE_PAYS:
            out[:] = np.searchsorted(self._high, high, side="right") - 1
        else:
            trie_rows(self.trie, high, out)
        self._settle(high, low, out)
        return out

    @cached_property
    def trie(self) -> RankTrie:
        """The trie over the high halves; each leads to the last range that begins in it."""
        last = np.flatnonzero(np.append(self._high[1:] != self._high[:-1], True))
        return build_trie(self._high[last], last.astype(np.int32), key_bits=64)

    def _settle(self, high: NDArray[np.uint64], low: NDArray[np.uint64], rows: Rows) -> None:
        """Correct the rows of queries whose range begins within their own high half, after them."""
        suspect = np.flatnonzero(self._begins_inside.take(rows, mode="wrap"))
        if not len(suspect):
            return
        row = rows[suspect]
        late = suspect[(self._high[row] == high[suspect]) & (self._low[row] > low[suspect])]
        rows[late] = np.searchsorted(self._whole, joined(high[late], low[late]), side="right") - 1

    @cached_property
    def _begins_inside(self) -> NDArray[np.bool_]:
        inside: NDArray[np.bool_] = self._low != 0
        return inside

    @cached_property
    def _whole(self) -> NDArray[np.bytes_]:
        return joined(self._high, self._low)
