"""The maps in memory: range tables to search by the million, and what they point to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concentra.attribution.lookup import IPv4Index, IPv6Index
from concentra.attribution.map_layout import ITEM_BYTES, MalformedMap, decode
from concentra.attribution.map_tables import (
    BASES,
    ENDS,
    KINDS,
    MAX_LENGTHS,
    NO_LENGTH,
    POINTERS,
    POINTERS_FROM_1,
    TEXTS,
    MapSource,
    MapTables,
)
from concentra.model.axes import Axis
from concentra.model.provenance import Source


def column_type(code: str) -> np.dtype[Any]:
    """Return the NumPy type of columns with that type code of the layout.

    Examples
    --------
    >>> [column_type(code).name for code in "BHIQ"]
    ['uint8', 'uint16', 'uint32', 'uint64']
    """
    return np.dtype(f"u{ITEM_BYTES[code]}")


class Maps:
    """Everything that attribution reads, and where it came from.

    Parameters
    ----------
    data : bytes or memoryview
        A map file. Columns are used where they lie and nothing is copied, so opening a file that is
        mapped into memory takes well under a millisecond. What they hold is checked once, before the
        first of them is handed out or searched.
    small : bool
        Never build the direct tables of `lookup`, at the price of half the speed.

    Raises
    ------
    MalformedMap
        If `data` is no complete map file.

    Examples
    --------
    >>> from concentra.adapters.data_files import maps_directory
    >>> from concentra.adapters.map_files import load
    >>> maps = load(maps_directory())
    >>> evidence = maps.evidence_v4(np.array([0x08080808, 0x7F000001], np.uint32))  # 8.8.8.8 and 127.0.0.1
    >>> maps.column("evidence.asn")[evidence].tolist()
    [15169, 0]
    """

    def __init__(self, data: bytes | memoryview, *, small: bool = False) -> None:
        self.tables = MapTables(decode(data))
        self._v4 = IPv4Index(self._column("v4.start"), small=small)
        self._v6 = IPv6Index(self._column("v6.high"), self._column("v6.low"))
        self._checked = False

    @property
    def v4(self) -> IPv4Index:
        """The rows of the columns ``v4``, to search by the million."""
        self.check()
        return self._v4

    @property
    def v6(self) -> IPv6Index:
        """The rows of the columns ``v6``, to search by the million."""
        self.check()
        return self._v6

    def column(self, name: str) -> NDArray[Any]:
        """Return one column of the map file, named as in `map_tables`.

        Returns
        -------
        array of ``uint8``, ``uint16``, ``uint32`` or ``uint64``, as the layout states, shape (rows,)
            It lies in the map file and cannot be written.
        """
        self.check()
        return self._column(name)

    def evidence_v4(self, addresses: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """Return the number of the evidence for each IPv4 address.

        Parameters
        ----------
        addresses : array of ``uint32``, shape (n,)
            In any order.

        Returns
        -------
        array of ``uint32``, shape (n,)
            Rows of the columns ``evidence``; every address has one.
        """
        return self.column("v4.evidence").take(self.v4.rows(addresses))

    def evidence_v6(self, high: NDArray[np.uint64], low: NDArray[np.uint64]) -> NDArray[np.uint32]:
        """Return the number of the evidence for each IPv6 address.

        Parameters
        ----------
        high, low : arrays of ``uint64``, shape (n,)
            The halves of the addresses, in any order.

        Returns
        -------
        array of ``uint32``, shape (n,)
            Rows of the columns ``evidence``; every address has one.
        """
        return self.column("v6.evidence").take(self.v6.rows(high, low))

    def check(self) -> None:
        """Check every value that points, is searched or has a range: some milliseconds, and once.

        Raises
        ------
        MalformedMap
            If one is out of range or order: the map file is damaged.
        """
        if not self._checked:
            for problem in chain(self._beyond(), self._out_of_order()):
                raise MalformedMap(problem)
            self._checked = True

    def entities(self, axis: Axis) -> set[str]:
        """Return what units can fall to on `axis`; without the AS numbers, of which any may be met."""
        curated = self.tables.curated
        match axis:
            case Axis.PROVIDER:
                return set(curated)
            case Axis.PARENT:
                return {parent for parent, _ in curated.values()}
            case Axis.REGION | Axis.COUNTRY:
                found = np.unique(self.column(f"evidence.{axis.value}"))
                return {self.tables.text(number) for number in found[found > 0].tolist()}
            case Axis.KIND:
                return {kind.value for kind in KINDS}
            case Axis.ASN:
                return set()

    @cached_property
    def as_of(self) -> date:
        """As of when the table of origins stands."""
        return date.fromisoformat(self.tables.as_of)

    @cached_property
    def sources(self) -> tuple[Source, ...]:
        """Every source that the maps were made of."""
        return tuple(_described(source) for source in self.tables.sources)

    @property
    def names(self) -> Mapping[str, str]:
        """Identifier of every curated provider and parent → its name for people."""
        return self.tables.names

    def _column(self, name: str) -> NDArray[Any]:
        section = self.tables.sections[name]
        return np.frombuffer(section, column_type(section.format))

    def _beyond(self) -> Iterator[str]:
        """Yield which columns have values that are out of range."""
        for name, (least, most) in self._limits().items():
            column = self._column(name)
            if len(column) and (column.max() > most or (least and column.min() < least)):
                yield f"{name} has values from {column.min()} to {column.max()}, wanted {least} to {most}"
        for table, bits in MAX_LENGTHS.items():
            for name in (f"{table}.origin_length", f"{table}.listed_length"):
                lengths = self._column(name)
                if ((lengths > bits) & (lengths != NO_LENGTH)).any():
                    yield f"{name} has lengths beyond {bits} bits"

    def _limits(self) -> Mapping[str, tuple[int, int]]:
        """Return the least and the largest value that each column of numbers may have."""
        rows = {name.partition(".")[0]: len(column) for name, column in self.tables.sections.items()}
        rows["text"] = len(self.tables.sections["text.end"])  # beside ``text.bytes``
        return {
            **{name: (0, rows[table] - 1) for name, table in POINTERS.items()},
            **{name: (0, rows[table]) for name, table in POINTERS_FROM_1.items()},
            **dict.fromkeys(TEXTS, (0, rows["text"] - 1)),
            **dict.fromkeys(("evidence.kind", "as.kind"), (0, len(KINDS))),
            **dict.fromkeys(("listed.kind", "provider.kind"), (1, len(KINDS))),
            **dict.fromkeys(("evidence.provider_basis", "evidence.country_basis"), (0, len(BASES) - 1)),
        }

    def _out_of_order(self) -> Iterator[str]:
        """Yield which columns are not in the order in which they are searched; they must be in range."""
        for table, content in ENDS.items():
            ends = self._column(f"{table}.end")
            if (ends[1:] < ends[:-1]).any() or (len(ends) and ends[-1] > len(self._column(content))):
                yield f"{table}.end does not divide {content}"
        for name in ("v4.start", "as.number"):
            column = self._column(name)
            if (column[1:] <= column[:-1]).any():
                yield f"{name} is not in ascending order"
        high, low = self._column("v6.high"), self._column("v6.low")
        if ((high[1:] < high[:-1]) | ((high[1:] == high[:-1]) & (low[1:] <= low[:-1]))).any():
            yield "v6.high and v6.low are not in ascending order"
        identifiers = [self.tables.text(number) for number in self._column("provider.id").tolist()]
        if identifiers != sorted(identifiers):
            yield "provider.id is not in ascending order"


def _described(source: MapSource) -> Source:
    return Source(
        name=source.name,
        publisher=source.publisher,
        as_of=date.fromisoformat(source.as_of) if source.as_of else None,
        licence=source.licence,
        url=source.url or None,
        sha256=source.sha256 or None,
        rows=source.rows,
        limits=source.limits,
    )
