"""The maps in memory: range tables to search by the million, and what they point to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concentra.attribution.lookup import IPv4Index, IPv6Index
from concentra.attribution.map_layout import decode
from concentra.attribution.map_tables import KINDS, MapSource, MapTables
from concentra.model.axes import Axis
from concentra.model.provenance import Source

_DTYPES = {"B": np.uint8, "H": np.uint16, "I": np.uint32, "Q": np.uint64}


class Maps:
    """Everything that attribution reads, and where it came from.

    Parameters
    ----------
    data : bytes or memoryview
        A map file. Columns are used where they lie and nothing is copied, so opening a file that is
        mapped into memory takes well under a millisecond.
    small : bool
        Keep the search structures below some 20 MB, at the price of half the speed.

    Raises
    ------
    MalformedSource
        If `data` is no complete map file.
    """

    def __init__(self, data: bytes | memoryview, *, small: bool = False) -> None:
        self.tables = MapTables(decode(data))
        self.v4 = IPv4Index(self.column("v4.start"), small=small)
        self.v6 = IPv6Index(self.column("v6.high"), self.column("v6.low"))

    def column(self, name: str) -> NDArray[Any]:
        """Return one column of the map file, named as in `map_tables`."""
        section = self.tables.sections[name]
        return np.frombuffer(section, _DTYPES[section.format])

    def evidence_v4(self, addresses: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """Return the number of the evidence for each IPv4 address, shape (n,)."""
        return self.column("v4.evidence").take(self.v4.rows(addresses))

    def evidence_v6(self, high: NDArray[np.uint64], low: NDArray[np.uint64]) -> NDArray[np.uint32]:
        """Return the number of the evidence for each IPv6 address, given as its halves, shape (n,)."""
        return self.column("v6.evidence").take(self.v6.rows(high, low))

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
