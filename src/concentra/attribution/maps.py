"""The maps in memory: sorted range tables, names and curated providers, all as of a stated day.

Each table covers its whole address space with ranges that end where the next one starts, so that
one search answers one address and "nothing is known here" is a row like any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from concentra.attribution.libloc import AddressColumn, OriginRanges
from concentra.attribution.providers import ProviderTable
from concentra.model.axes import Kind
from concentra.model.provenance import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRecord:
    """What a provider's own file says of a range."""

    provider: str
    kind: Kind
    region: str | None
    service: str | None
    country: str | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PublishedRanges:
    """Disjoint ranges of one address family and the record of each; 0 is no record."""

    start: AddressColumn
    record: NDArray[np.uint16]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AsNames:
    """AS number → registered name, kept as bytes, since an audit asks for a few hundred of 80,000."""

    asn: NDArray[np.uint32]
    """Ascending."""
    end: NDArray[np.uint32]
    """Where each name ends in `text`; it starts where the one before ends."""
    text: NDArray[np.uint8]
    """All names in UTF-8, one after the other."""

    def names_of(self, asns: NDArray[np.uint32]) -> Mapping[int, str]:
        """Return the registered names of those of `asns` that have one."""
        wanted = np.unique(asns)
        position = np.searchsorted(self.asn, wanted)
        there = position < len(self.asn)
        there[there] = self.asn[position[there]] == wanted[there]
        found = position[there]
        starts = np.where(found > 0, self.end[found - 1], 0).tolist()
        text = self.text.tobytes()
        return {
            asn: text[start:end].decode("utf-8", "replace")
            for asn, start, end in zip(wanted[there].tolist(), starts, self.end[found].tolist(), strict=True)
        }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Maps:
    """Everything that attribution reads, and where it came from."""

    origin_v4: OriginRanges
    origin_v6: OriginRanges
    published_v4: PublishedRanges
    published_v6: PublishedRanges
    records: tuple[PublishedRecord, ...]
    """Record ``i`` of `PublishedRanges` is ``records[i - 1]``."""
    as_names: AsNames
    hosting_lists: Mapping[int, tuple[str, ...]]
    """AS number → the public lists of hosting companies that name it."""
    providers: ProviderTable
    sources: tuple[Source, ...]
    as_of: date
    """As of when the origin-AS table stands."""
