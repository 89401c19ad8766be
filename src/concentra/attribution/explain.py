"""One address → every part of its attribution, with the evidence that it rests on."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from concentra.attribution.evidence import (
    CURATED,
    Announcement,
    Attribution,
    Evidence,
    Registration,
)
from concentra.attribution.map_tables import MapTables, Row
from concentra.model.axes import NOT_COUNTRIES, Basis, Kind

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

CURATED_FILE = "providers.toml"
BEHIND_EDGE = "edge: which machines answer behind it, and where, is unknown"
SEVERAL_ORIGINS = "several ASes announce the prefix"
NOT_ANNOUNCED = "no announced prefix"


class Part(NamedTuple):
    """One thing that is known of an address."""

    value: str | None
    basis: str
    source: str
    """Name of the source; empty where nothing is known."""
    as_of: str
    """ISO 8601 date of the source; empty where it has none."""


PREFIXES = ("prefix", "listed")
"""The parts that differ between addresses that share their evidence."""

UNKNOWN = Part(None, Basis.NONE.value, "", "")


PARTS = ("prefix", "origins", "organisation", "listed", "provider", "parent", "region", "service", "country",
         "kind")  # fmt: skip
"""What is told of an address, in the order of the evidence: the announced prefix, its origin ASes
(``AS64496`` or ``AS64496+AS64497``) and the holder of the AS, the range that a provider publishes, and
what follows from them."""


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """What is known of all addresses that share their evidence; equal to nothing but itself."""

    parts: Mapping[str, Part]
    """One for each of `PARTS`; of prefixes, the value is not told here."""
    conflicts: tuple[str, ...]
    """Where two sources disagree, a sentence each."""
    notes: tuple[str, ...]
    """What a reader must know to read the parts right."""


class Explanation(NamedTuple):
    """What is known of one address."""

    prefixes: tuple[str | None, str | None]
    """The announced prefix, and the range that a provider publishes."""
    told: Told
    """Everything else: one object for all addresses that share their evidence."""

    @property
    def parts(self) -> Mapping[str, Part]:
        """One for each of `PARTS`."""
        located = zip(PREFIXES, self.prefixes, strict=True)
        return {
            **self.told.parts,
            **{name: self.told.parts[name]._replace(value=value) for name, value in located},
        }


class OnlineEvidence(NamedTuple):
    """What was asked of an address online, since no map covers it."""

    announcement: Announcement | None
    announced_prefix: str | None
    registered: Registration | None
    dates: Mapping[str, str]
    """Source → the day on which it answered, in ISO 8601."""

    def added_to(self, evidence: Evidence) -> Evidence:
        """Return `evidence` with these answers, which come after all that maps say."""
        announcements = (*evidence.announcements, *filter(None, (self.announcement,)))
        return evidence._replace(announcements=announcements, registered=self.registered)


class Explainer:
    """Explains the answers of one set of maps; each combination of evidence is explained once.

    Parameters
    ----------
    tables : MapTables

    Examples
    --------
    >>> from concentra.adapters.data_files import maps_directory
    >>> from concentra.adapters.map_files import open_tables
    >>> known = Explainer(open_tables(maps_directory())).explain(ipaddress.ip_address("2600:1f18::1"))
    >>> known.prefixes, known.told.parts["region"]
    (('2600:1f18::/33', '2600:1f18::/33'),
     Part(value='aws/us-east-1', basis='published-range', source='aws-ranges', as_of='2026-08-22'))
    """

    def __init__(self, tables: MapTables) -> None:
        self._tables = tables
        self._dates = {source.name: source.as_of for source in tables.sources}
        self._told: dict[int, Told] = {}

    def explain(self, address: IPAddress) -> Explanation:
        """Return what the maps know of `address`."""
        row = self._tables.row(address.version, int(address))
        told = self._told.get(row.evidence)
        if told is None:
            evidence = self._tables.evidence(row.evidence)
            told = self._told[row.evidence] = self._tell(evidence, self._dates)
        return Explanation(_prefixes(row, address), told)

    def explain_online(self, address: IPAddress, online: OnlineEvidence) -> Explanation:
        """Return what the maps know of `address`, and what was asked of it online."""
        row = self._tables.row(address.version, int(address))
        evidence = online.added_to(self._tables.evidence(row.evidence))
        _, listed = _prefixes(row, address)
        return Explanation(
            (online.announced_prefix, listed), self._tell(evidence, {**self._dates, **online.dates})
        )

    def _tell(self, evidence: Evidence, dates: Mapping[str, str]) -> Told:
        known = self._tables.concluded(evidence)
        origin = next((entry.source for entry in evidence.announcements if entry.origins), "")
        listed = evidence.listed.source if evidence.listed else ""
        registry = evidence.registered.source if evidence.registered else ""
        owning = listed or origin or registry
        of_as = len(known.origins) == 1 and self._tables.facts_of(known.origins[0]).name is not None
        naming = self._tables.name_source(known.origins[0]) if of_as else registry
        curated_parent = known.parent != known.provider
        bases = {CURATED: CURATED_FILE, Basis.PUBLISHED_RANGE.value: listed}
        kind_source = "+".join(bases.get(basis, basis) for basis in known.kind_basis.split("+"))
        bgp, published = Basis.BGP_ORIGIN.value, Basis.PUBLISHED_RANGE.value
        by_provider = (known.provider_basis.value, owning)
        told = {
            "prefix": (origin, bgp, origin),
            "origins": ("+".join(f"AS{asn}" for asn in known.origins), bgp, origin),
            "organisation": (known.organisation, Basis.REGISTRY.value, naming),
            "listed": (listed, published, listed),
            "provider": (known.provider, *by_provider),
            "parent": (known.parent, *((CURATED, CURATED_FILE) if curated_parent else by_provider)),
            "region": (known.region, published, listed),
            "service": (known.service, published, listed),
            "country": (known.country, known.country_basis.value, _country_source(known, evidence)),
            "kind": (known.kind and known.kind.value, known.kind_basis, kind_source),
        }
        conflicts = tuple(
            f"{about}: {followed} ({basis}), not {rejected} ({other})"
            for about, followed, basis, rejected, other in known.contradictions
        )
        parts = {name: _part(*entry, dates) for name, entry in told.items()}
        return Told(parts, conflicts, _notes(known))


def _part(value: str | None, basis: str, source: str, dates: Mapping[str, str]) -> Part:
    found = filter(None, (dates.get(name, "") for name in source.split("+")))
    return Part(value, basis, source, "+".join(dict.fromkeys(found))) if value else UNKNOWN


def _country_source(known: Attribution, evidence: Evidence) -> str:
    if known.country_basis is Basis.PUBLISHED_RANGE and evidence.listed:
        return evidence.listed.source
    naming = (entry.source for entry in evidence.announcements if entry.country not in NOT_COUNTRIES)
    return next(naming, evidence.registered.source if evidence.registered else "")


def _notes(known: Attribution) -> tuple[str, ...]:
    notes = []
    if known.kind is Kind.EDGE:
        notes.append(BEHIND_EDGE)
    if len(known.origins) > 1:
        notes.append(SEVERAL_ORIGINS)
    if not known.origins:
        notes.append(NOT_ANNOUNCED)
    return tuple(notes)


def _prefixes(row: Row, address: IPAddress) -> tuple[str | None, str | None]:
    return _prefix(address, row.origin_length), _prefix(address, row.listed_length)


def _prefix(address: IPAddress, length: int | None) -> str | None:
    """Return the prefix of that length that holds `address`."""
    if length is None:
        return None
    past = address.max_prefixlen - length
    first = type(address)(int(address) >> past << past)
    return f"{first}/{length}"
