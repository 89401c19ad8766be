"""What a map covers, in a few figures, and how far those of a new map may be from those of an old one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from concentra.attribution.maps import Maps

IPV4_ADDRESSES = 1 << 32
"""All of IPv4."""
IPV6_48S = 1 << 48
"""All of IPv6, in /48s."""

_COUNTED: Mapping[str, str] = {
    "announced_ipv4": "announced IPv4 addresses",
    "announced_48s": "announced IPv6 /48s",
    "listed_as_numbers": "AS numbers on hosting lists",
}
_TO_48 = np.uint64(16)

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class MapProfile:
    """What a map covers; all figures are counts."""

    as_of: date
    """The day as of which the table of origins stands."""
    announced_ipv4: int
    """IPv4 addresses with an origin AS."""
    announced_48s: int
    """IPv6 /48s in which an address has an origin AS."""
    ranges: int
    """Rows of both range tables."""
    records: int
    """Distinct published records: provider, region, service and so on."""
    as_numbers: int
    """AS numbers of which a name, a provider or a hosting list is known."""
    listed_as_numbers: int
    """AS numbers that a hosting list names."""
    ipv4_of: Mapping[str, int]
    """Provider, curated or ``AS64500`` → announced IPv4 addresses that fall to it."""
    published_of: Mapping[str, int]
    """Provider → stretches of addresses that its published ranges describe alike, IPv4 and IPv6."""
    sources_of: Mapping[str, frozenset[str]]
    """Provider → the sources of its published ranges."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """How far a new figure may be from the old one, in percent of the old one."""

    fall: Annotated[int, msgspec.Meta(ge=0, le=100)]
    rise: Annotated[int, msgspec.Meta(ge=0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Distances:
    """How far the figures of a new map may be from those of the old one."""

    announced_ipv4: Distance
    announced_48s: Distance
    provider_share: Distance
    """Of the announced IPv4 addresses, for each of the largest providers of the old map."""
    largest: Annotated[int, msgspec.Meta(ge=1)]
    """How many of the largest providers."""
    published_ranges: Distance
    """For each provider with published ranges in the old map."""
    listed_as_numbers: Distance


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure of two maps, and how far they may be apart."""

    name: str
    old: Fraction
    """A count, or a share in [0, 1]."""
    new: Fraction
    allowed: Distance
    is_share: bool = False

    @property
    def kept(self) -> bool:
        """Whether the new figure is within its distance; both ends belong to it."""
        least = self.old * (100 - self.allowed.fall)
        most = self.old * (100 + self.allowed.rise)
        return least <= self.new * 100 <= most


def profile(maps: Maps) -> MapProfile:
    """Return what `maps` cover."""
    tables, weight = maps.tables, _ipv4_addresses(maps)
    announced = _announced(maps)
    evidence_v4, evidence_v6 = (maps.column(f"v{version}.evidence") for version in (4, 6))
    of_evidence = np.zeros(len(announced), np.int64)
    np.add.at(of_evidence, evidence_v4, weight)
    of_evidence[~announced] = 0
    published = maps.column("evidence.listed")
    stretches = _runs(published[evidence_v4]) + _runs(published[evidence_v6])
    records = [tables.record(number) for number in range(len(maps.column("listed.provider")))]
    return MapProfile(
        as_of=maps.as_of,
        announced_ipv4=int(of_evidence.sum()),
        announced_48s=_announced_48s(maps, announced[evidence_v6]),
        ranges=len(evidence_v4) + len(evidence_v6),
        records=len(records),
        as_numbers=len(maps.column("as.number")),
        listed_as_numbers=int(np.count_nonzero(maps.column("as.lists"))),
        ipv4_of=_ipv4_of(maps, of_evidence),
        published_of=_sums((records[number - 1].provider, count) for number, count in stretches.items()),
        sources_of={
            provider: frozenset(record.source for record in records if record.provider == provider)
            for provider in {record.provider for record in records}
        },
    )


def compared(
    old: MapProfile, new: MapProfile, allowed: Distances, *, without: AbstractSet[str] = frozenset()
) -> Iterator[Figure]:
    """Yield the figures that tell whether `new` may take the place of `old`.

    A provider without published ranges in the old map has no figure of them: there is nothing to be far
    from. A provider with ranges from a source that is known to be missing has none at all.

    Parameters
    ----------
    old, new : MapProfile
    allowed : Distances
    without : set of str
        Sources that were left out of the new map knowingly.
    """
    for field, name in _COUNTED.items():
        before, now = Fraction(getattr(old, field)), Fraction(getattr(new, field))
        yield Figure(name=name, old=before, new=now, allowed=getattr(allowed, field))
    missing = {provider for provider, sources in old.sources_of.items() if sources & without}
    by_size = sorted(old.ipv4_of, key=lambda provider: (-old.ipv4_of[provider], provider))
    for provider in by_size[: allowed.largest]:
        if provider in missing:
            continue
        yield Figure(
            name=f"share of {provider} in announced IPv4 addresses",
            old=_share(old, provider),
            new=_share(new, provider),
            allowed=allowed.provider_share,
            is_share=True,
        )
    for provider, count in sorted(old.published_of.items()):
        if provider not in missing:
            now = Fraction(new.published_of.get(provider, 0))
            yield Figure(
                name=f"published ranges of {provider}",
                old=Fraction(count),
                new=now,
                allowed=allowed.published_ranges,
            )


def _share(known: MapProfile, provider: str) -> Fraction:
    return Fraction(known.ipv4_of.get(provider, 0), known.announced_ipv4 or 1)


def _ipv4_addresses(maps: Maps) -> Ints:
    """Return the number of addresses of each IPv4 range."""
    start = maps.column("v4.start").astype(np.int64)
    return np.diff(start, append=IPV4_ADDRESSES)


def _announced(maps: Maps) -> NDArray[np.bool_]:
    """Return for each combination of evidence whether any table names an origin AS."""
    names_one = np.diff(maps.column("origins.end").astype(np.int64), prepend=0) > 0
    before = np.append(0, np.cumsum(names_one[maps.column("announced.origins")]))
    found: NDArray[np.bool_] = np.diff(before[maps.column("evidence.end")], prepend=0) > 0
    return found


def _announced_48s(maps: Maps, announced: NDArray[np.bool_]) -> int:
    """Return how many /48s hold an announced address; a /48 that several ranges share counts once."""
    high, low = maps.column("v6.high"), maps.column("v6.low")
    first = high >> _TO_48
    next_high, next_low = np.append(high[1:], np.uint64(0)), np.append(low[1:], np.uint64(0))
    # The last address of a range is the one before the next begins; 0 - 1 wraps to the end of the space.
    last = (next_high - (next_low == 0).astype(np.uint64)) >> _TO_48
    begins, ends = (column[announced].astype(np.int64) for column in (first, last))
    shared = np.count_nonzero(begins[1:] == ends[:-1])
    return int((ends - begins + 1).sum()) - int(shared)


def _ipv4_of(maps: Maps, of_evidence: Ints) -> Mapping[str, int]:
    """Return provider → announced IPv4 addresses."""
    keys = maps.column("evidence.provider").astype(np.int64) << 32 | maps.column("evidence.asn")
    distinct, position = np.unique(keys, return_inverse=True)
    totals = np.zeros(len(distinct), np.int64)
    np.add.at(totals, position, of_evidence)
    return _sums(
        (maps.tables.text(key >> 32) or f"AS{key & 0xFFFFFFFF}", count)
        for key, count in zip(distinct.tolist(), totals.tolist(), strict=True)
        if key and count
    )


def _runs(values: NDArray[Any]) -> Counter[int]:
    """Return for each value but 0 how many runs of equal neighbours it has."""
    begins = np.append(True, values[1:] != values[:-1])
    found, counts = np.unique(values[begins], return_counts=True)
    return Counter({int(value): int(count) for value, count in zip(found, counts, strict=True) if value})


def _sums(pairs: Iterator[tuple[str, int]]) -> Mapping[str, int]:
    totals: Counter[str] = Counter()
    for name, count in pairs:
        totals[name] += count
    return dict(totals)
