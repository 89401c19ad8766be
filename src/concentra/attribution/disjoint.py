"""Overlapping prefixes → disjoint ranges, where the longest prefix wins."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass

GAP = 0
"""The value of addresses that no prefix covers; values that mean something start at 1."""


@dataclass(frozen=True, slots=True, order=True)
class PrefixEntry:
    """One prefix and the record that it points to."""

    first: int
    """The prefix's first address."""
    length: int
    """Prefix length in bits."""
    rank: int
    """Which of two entries for the very same prefix is kept: the higher."""
    record: int
    """What the prefix points to; 1 or more."""


def disjoint_ranges(entries: Iterable[PrefixEntry], *, bits: int) -> Iterator[tuple[int, int]]:
    """Yield ``(first address, record)`` of disjoint ranges that cover the whole address space.

    Every range ends where the next one starts. Addresses outside all prefixes get `GAP`, and
    neighbours with the same record are joined, so the sequence is the shortest one that answers
    every longest-prefix question.

    Parameters
    ----------
    entries : iterable of PrefixEntry
        In any order; prefixes may nest and repeat.
    bits : int
        32 for IPv4, 128 for IPv6.

    Examples
    --------
    A /25 inside a /24: after it ends, the /24 is in force again.

    >>> outer = PrefixEntry(first=0x0A000000, length=24, rank=0, record=1)
    >>> inner = PrefixEntry(first=0x0A000020, length=27, rank=0, record=2)
    >>> [(hex(first), record) for first, record in disjoint_ranges([inner, outer], bits=32)]
    [('0x0', 0), ('0xa000000', 1), ('0xa000020', 2), ('0xa000040', 1), ('0xa000100', 0)]
    """
    last_record = None
    for first, record in _changes(entries, bits):
        if record != last_record:
            yield first, record
            last_record = record


def _changes(entries: Iterable[PrefixEntry], bits: int) -> Iterator[tuple[int, int]]:
    """Yield every point where the covering record may change; the last of equal points counts."""
    open_prefixes: list[tuple[int, int]] = []  # (end, record), innermost last
    pending = (0, GAP)
    for entry in sorted(_one_per_prefix(entries), key=lambda entry: (entry.first, entry.length)):
        while open_prefixes and open_prefixes[-1][0] <= entry.first:
            end, _ = open_prefixes.pop()
            pending = yield from _advance(pending, end, open_prefixes)
        open_prefixes.append((entry.first + (1 << (bits - entry.length)), entry.record))
        pending = yield from _advance(pending, entry.first, open_prefixes)
    while open_prefixes:
        end, _ = open_prefixes.pop()
        if end < 1 << bits:
            pending = yield from _advance(pending, end, open_prefixes)
    yield pending


def _advance(
    pending: tuple[int, int], at: int, open_prefixes: list[tuple[int, int]]
) -> Generator[tuple[int, int], None, tuple[int, int]]:
    """Yield `pending` unless it is overruled at the same point; return what is pending now."""
    if pending[0] != at:
        yield pending
    return at, open_prefixes[-1][1] if open_prefixes else GAP


def _one_per_prefix(entries: Iterable[PrefixEntry]) -> Iterable[PrefixEntry]:
    best: dict[tuple[int, int], PrefixEntry] = {}
    for entry in entries:
        prefix = (entry.first, entry.length)
        if prefix not in best or best[prefix] < entry:
            best[prefix] = entry
    return best.values()
