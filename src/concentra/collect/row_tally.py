"""Rows of a Parquet population → counts, in memory that does not grow with their number.

Most /24s lie in one range of the maps. There the /24 alone decides what follows, so IPv4 rows are added up
by /24 in a table of ``2**24`` numbers, and a /24 is looked up once, at the end, however many rows it had:
an addition a row instead of two lookups and a sort. Rows of the few divided /24s, and IPv6 rows, are looked
up one by one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from concentra.attribution.counts import EvidenceCounts, count_v4, count_v6, divided_24s, merged
from concentra.attribution.disjoint import joined
from concentra.attribution.maps import Maps
from concentra.collect.address_columns import ParsedColumn, parse_column
from concentra.collect.address_forms import IPAddress
from concentra.collect.node_files import Sightings, read_row
from concentra.collect.node_forms import MAX_ROW_BYTES
from concentra.collect.special_addresses import special_v4, special_v6
from concentra.errors import ConcentraError
from concentra.model.special_addresses import REASONS, special_reason

if TYPE_CHECKING:
    import pyarrow as pa

Ints = NDArray[np.int64]
_Found = tuple[EvidenceCounts, Mapping[str, int]]
"""Counts of public addresses, and units of the others by reason."""

NOT_AN_ADDRESS = "not an address"
EMPTY = "empty cell"
TOO_LONG = "longer than any record"

_SCANNED = 1 << 20
"""/24s looked through at a time when rows are added up."""
_MOST = 2**32 - 1
"""Units that the table of /24s holds: it is half as large as one of 64 bits would be."""
_PENDING = 1 << 21
"""Pairs of block and evidence that are kept before they are merged: 29 MB."""
_WAITING = 1 << 18
"""Addresses that wait to be looked up one by one: few at a time would cost twice as much each."""


MAX_UNITS = 2**56
"""Sums of weights stay below this, as `concentra.metrics.bootstrap` wants it."""


class TooHeavy(ConcentraError):
    """The weights of a population add up to more than its figures can be computed with."""

    def __init__(self, units: float) -> None:
        super().__init__(f"the weights add up to {units:,.0f}, wanted less than {MAX_UNITS:,}")
        self.units = units
        self.hint = "weigh rows in a larger unit: ether instead of gwei"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RowCounts:
    """What is left of rows that were read: small, and made to travel."""

    rows: int
    """Rows read."""
    units: int
    """Units that the rows stand for: as many as rows, unless they carry weights."""
    dropped: Mapping[str, int] = field(default_factory=dict)
    """Units of rows that hold no address, by reason."""
    special: Mapping[str, int] = field(default_factory=dict)
    """Units of addresses that the public internet cannot reach, by reason."""
    evidence: EvidenceCounts


def merged_rows(parts: Iterable[RowCounts]) -> RowCounts:
    """Return the counts of all parts together; the order of the parts makes no difference.

    Raises
    ------
    TooHeavy
        If they stand for `MAX_UNITS` units or more.
    """
    listed = list(parts)
    units = sum(part.units for part in listed)
    if units >= MAX_UNITS:
        raise TooHeavy(units)
    return RowCounts(
        rows=sum(part.rows for part in listed),
        units=units,
        dropped=_added(part.dropped for part in listed),
        special=_added(part.special for part in listed),
        evidence=merged(part.evidence for part in listed),
    )


class RowTally:
    """Counts rows, a batch at a time; several threads may add to one tally.

    Parameters
    ----------
    maps : Maps
        What addresses are looked up in.
    """

    def __init__(self, maps: Maps) -> None:
        self._maps = maps
        self._divided = divided_24s(maps)
        self._by_24 = np.zeros(1 << 24, np.uint32)
        self._in_24s = 0
        self._rows = 0
        self._units = 0
        self._dropped: Counter[str] = Counter()
        self._special: Counter[str] = Counter()
        self._counted: list[EvidenceCounts] = []
        self._pending = 0
        self._singles: list[tuple[NDArray[np.uint32], Ints]] = []
        self._waiting = 0
        self._lock = Lock()

    def add(self, column: pa.Array, weight: Ints | None = None) -> None:
        """Count the rows of one batch.

        Parameters
        ----------
        column : pyarrow.Array, n_rows long
            Text, integers (IPv4) or binary of 16 bytes, as `parse_column` takes them; a number that is no
            IPv4 address is dropped like text that is none.
        weight : array, shape (n_rows,), optional
            How many units each row stands for, at least 0; 1 without it.

        Raises
        ------
        TooHeavy
            If the rows so far stand for `MAX_UNITS` units or more.
        """
        units = np.ones(len(column), np.int64) if weight is None else weight
        total = float(units.sum(dtype=np.float64))  # which cannot wrap around
        if total >= 2 * MAX_UNITS:
            raise TooHeavy(total)
        with self._lock:
            self._rows += len(column)
            self._units += int(units.sum())
            if self._units >= MAX_UNITS:
                raise TooHeavy(self._units)
        parsed = parse_column(_in_range(column))
        self._add_v4(parsed.v4, _of_version(units, parsed, 4))
        if len(parsed.v6):
            self._add_v6(parsed.v6[:, 0], parsed.v6[:, 1], _of_version(units, parsed, 6))
        if len(parsed.v4) + len(parsed.v6) < len(column):
            others = np.flatnonzero(parsed.version == 0)
            self._add_others(column, others, units[others])

    def finish(self) -> RowCounts:
        """Return the counts of all rows that were added. The tally is used up by that."""
        with self._lock:
            self._settle_24s()
            del self._by_24
            self._settle_singles()
        return RowCounts(
            rows=self._rows,
            units=self._units,
            dropped=_added([self._dropped]),
            special=_added([self._special]),
            evidence=merged(self._counted),
        )

    def _add_v4(self, addresses: NDArray[np.uint32], units: Ints) -> None:
        total = int(units.sum())
        number = (addresses >> np.uint32(8)).astype(np.intp)
        single = np.flatnonzero(self._divided.take(number, mode="wrap"))  # a third of what "raise" costs
        with self._lock:
            if total > _MOST:
                self._wait(addresses, units)
                return
            if self._in_24s + total > _MOST:
                self._settle_24s()
                self._by_24[:] = 0
                self._in_24s = 0
            self._in_24s += total
            np.add.at(self._by_24, number, units.astype(np.uint32))
            self._wait(addresses[single], units[single])

    def _wait(self, addresses: NDArray[np.uint32], units: Ints) -> None:
        """Keep addresses that are looked up one by one until they are worth the while."""
        self._singles.append((addresses, units))
        self._waiting += len(addresses)
        if self._waiting > _WAITING:
            self._settle_singles()

    def _settle_singles(self) -> None:
        """Look up the addresses that wait."""
        if self._waiting:
            addresses, units = (np.concatenate(column) for column in zip(*self._singles, strict=True))
            self._singles, self._waiting = [], 0
            self._keep(*self._counted_v4(addresses, units))

    def _settle_24s(self) -> None:
        """Look up the undivided /24s by their first address: no special block is longer than a /24."""
        self._by_24[np.flatnonzero(self._divided)] = 0
        firsts = range(0, len(self._by_24), _SCANNED)
        with ThreadPoolExecutor(2) as pool:
            for some in zip(firsts[::2], firsts[1::2], strict=True):  # no more, so that few results wait
                for found in pool.map(self._counted_24s, some):
                    self._keep(*found)

    def _counted_24s(self, first: int) -> _Found:
        """Return the counts of the `_SCANNED` /24s from `first` on."""
        part = self._by_24[first : first + _SCANNED]
        seen = np.flatnonzero(part)
        return self._counted_v4((seen + first).astype(np.uint32) << np.uint32(8), part[seen].astype(np.int64))

    def _counted_v4(self, addresses: NDArray[np.uint32], units: Ints) -> _Found:
        units, special = _of_public(units, special_v4(addresses))
        return count_v4(addresses, units, self._maps), special

    def _add_v6(self, high: NDArray[np.uint64], low: NDArray[np.uint64], units: Ints) -> None:
        units, special = _of_public(units, special_v6(joined(high, low)))
        counts = count_v6(high, low, units, self._maps)
        with self._lock:
            self._keep(counts, special)

    def _keep(self, counts: EvidenceCounts, special: Mapping[str, int]) -> None:
        """Keep counts, and merge them before they get many."""
        self._special.update(special)
        self._counted.append(counts)
        self._pending += len(counts.units)
        if self._pending > _PENDING:
            self._counted = [merged(self._counted)]
            self._pending = 0

    def _add_others(self, column: pa.Array, rows: Ints, units: Ints) -> None:
        """Count rows that are no plain address: enode URLs, ENRs, and what is dropped."""
        v4, v6 = list[tuple[int, int]](), list[tuple[int, int]]()
        for value, share in _distinct(column, rows, units):
            read = _read(value)
            if isinstance(read, str):
                with self._lock:
                    self._dropped[read] += share
            else:
                (v4 if read.version == 4 else v6).append((int(read), share))
        if v4:
            self._add_v4(
                np.array([number for number, _ in v4], np.uint32),
                np.array([share for _, share in v4], np.int64),
            )
        if v6:
            self._add_v6(
                np.array([number >> 64 for number, _ in v6], np.uint64),
                np.array([number & (1 << 64) - 1 for number, _ in v6], np.uint64),
                np.array([share for _, share in v6], np.int64),
            )


def _of_public(units: Ints, reason: Ints) -> tuple[Ints, Mapping[str, int]]:
    """Return the units with none for addresses that nobody can reach, and how many those had by reason."""
    special = np.flatnonzero(reason)
    if not len(special):
        return units, {}
    counts = np.zeros(len(REASONS) + 1, np.int64)
    np.add.at(counts, reason[special], units[special])
    public = units.copy()
    public[special] = 0
    return public, dict(zip(REASONS, counts[1:].tolist(), strict=True))


def _of_version(units: Ints, parsed: ParsedColumn, version: int) -> Ints:
    """Return the units of the rows whose address is of that version."""
    chosen = parsed.version == version
    return units if chosen.all() else units[chosen]


def _added(parts: Iterable[Mapping[str, int]]) -> Mapping[str, int]:
    """Return the sums by reason, without those of nothing, in the order of their names."""
    totals: Counter[str] = Counter()
    for part in parts:
        totals.update(part)
    return {reason: totals[reason] for reason in sorted(totals) if totals[reason]}


def _in_range(column: pa.Array) -> pa.Array:
    """Return the column with null for numbers that are no IPv4 address."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_integer(column.type) or column.type == pa.uint32():
        return column
    ends = pc.min_max(column).as_py()
    if ends["min"] is None or (ends["min"] >= 0 and ends["max"] < 1 << 32):
        return column
    wide = column.cast(pa.int64(), safe=False)  # beyond 2**63 it turns negative, which is as wrong
    fits = pc.and_(pc.greater_equal(wide, 0), pc.less(wide, 1 << 32))
    return pc.if_else(fits, wide, pa.scalar(None, pa.int64()))


def _distinct(column: pa.Array, rows: Ints, units: Ints) -> Iterator[tuple[bytes | int | None, int]]:
    """Yield what stands in these rows, each value once with the units of all rows that hold it."""
    import pyarrow as pa

    if pa.types.is_string_view(column.type):  # which `take` does not know
        column = column.cast(pa.large_string())
    chosen = column.take(pa.Array.from_buffers(pa.int64(), len(rows), [None, pa.py_buffer(rows)]))
    if not pa.types.is_dictionary(chosen.type):
        chosen = chosen.dictionary_encode()
    values = chosen.dictionary
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        values = values.cast(pa.large_binary())  # bytes that are no UTF-8 are data, too
    codes = chosen.indices.cast(pa.int64()).fill_null(-1)
    code = np.frombuffer(codes.buffers()[1], np.int64)[codes.offset : codes.offset + len(codes)]
    found, position = np.unique(code, return_inverse=True)
    sums = np.zeros(len(found), np.int64)
    np.add.at(sums, position, units)
    for number, share in zip(found.tolist(), sums.tolist(), strict=True):
        yield (None if number < 0 else values[number].as_py()), share


def _read(value: bytes | int | None) -> IPAddress | str:
    """Return the address that a row holds, or why it holds none.

    Of a record with two addresses the row takes a public one, IPv4 before IPv6, as the unit node does.
    """
    if isinstance(value, int):
        return NOT_AN_ADDRESS
    text = b"" if value is None else value.strip(b" \t\r")
    if not text:
        return EMPTY
    if len(text) > MAX_ROW_BYTES:
        return TOO_LONG
    sightings = Sightings(format="")
    read_row(text.decode("utf-8", "replace").strip(" \t\"'"), sightings)
    if sightings.dropped:
        return next(iter(sightings.dropped))
    found: list[IPAddress] = [
        *(IPv4Address(int(number)) for column in sightings.v4 for number in column),
        *(IPv6Address(bytes(packed).ljust(16, b"\0")) for column in sightings.v6 for packed in column),
    ]
    return next((address for address in found if special_reason(address) is None), found[0])
