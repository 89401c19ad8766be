"""Addresses → attributions, with the evidence for each part.

Evidence is tried in a fixed order: the provider's own published range (longest prefix first), then
the origin AS of the longest announced prefix. Where the two name different providers, the range is
followed and the disagreement is counted; nothing is resolved in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from concentra.attribution.libloc import AddressColumn, OriginRanges
from concentra.attribution.maps import Maps, PublishedRanges
from concentra.model.axes import Axis, Basis, Kind
from concentra.model.population import WeightedAddresses

NOT_COUNTRIES = frozenset({"", "EU", "AP", "XX", "ZZ"})
"""Codes that name no country: EU and AP stand for a region of the registry's, ZZ for none in a geofeed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """What is known of one address, each part with the evidence that it rests on."""

    asn: int | None
    """Origin AS; None where no prefix that covers the address is announced."""
    organisation: str | None
    """Registered name of that AS."""
    provider: str | None
    """Curated identifier, else ``AS64500``; None where neither a range nor an AS is known."""
    provider_basis: Basis
    parent: str | None
    region: str | None
    """``aws/us-east-1``, only ever from a published range."""
    service: str | None
    country: str | None
    country_basis: Basis
    kind: Kind | None
    kind_basis: str
    """``published-range``, ``curated``, the name of a list, or ``none``."""
    contradictions: tuple[tuple[str, str, str, str, str], ...] = ()
    """What the evidence disagrees on: about, followed, its basis, rejected, its basis."""

    def entity(self, axis: Axis) -> str | None:
        """Return the identifier of this attribution's entity on `axis`; None if it is unknown."""
        match axis:
            case Axis.PROVIDER:
                return self.provider
            case Axis.PARENT:
                return self.parent
            case Axis.ASN:
                return None if self.asn is None else f"AS{self.asn}"
            case Axis.REGION:
                return self.region
            case Axis.COUNTRY:
                return self.country
            case Axis.KIND:
                return None if self.kind is None else self.kind.value


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AttributedUnits:
    """Weighted addresses with their attributions: IPv4 rows first, then IPv6, both ascending."""

    key: NDArray[np.int64]
    """Position in `attributions` of each row's attribution."""
    weight: NDArray[np.int64]
    """Units on each row."""
    cluster: NDArray[np.int64]
    """Number of the /24 or /48 that the row lies in: what sampling intervals resample."""
    attributions: tuple[Attribution, ...]

    def units_of(self) -> NDArray[np.int64]:
        """Return the units of each attribution, shape ``(len(attributions),)``."""
        totals = np.zeros(len(self.attributions), np.int64)
        np.add.at(totals, self.key, self.weight)
        return totals


def attribute(addresses: WeightedAddresses, maps: Maps) -> AttributedUnits:
    """Return every address of `addresses` with what the maps know of it."""
    families: list[tuple[AddressColumn, OriginRanges, PublishedRanges]] = [
        (addresses.v4, maps.origin_v4, maps.published_v4),
        (addresses.v6, maps.origin_v6, maps.published_v6),
    ]
    keys = np.concatenate([_evidence(column, origin, published) for column, origin, published in families])
    starts = _run_starts(keys)
    distinct, of_run = np.unique(keys[starts], return_inverse=True)
    names = maps.as_names.names_of((distinct >> np.uint64(32)).astype(np.uint32))
    run_lengths = np.diff(np.append(starts, len(keys)))
    return AttributedUnits(
        key=np.repeat(of_run, run_lengths),
        weight=np.concatenate([addresses.v4_weight, addresses.v6_weight]),
        cluster=_clusters(addresses),
        attributions=tuple(_conclude(evidence, maps, names) for evidence in distinct.tolist()),
    )


def _evidence(column: AddressColumn, origin: OriginRanges, published: PublishedRanges) -> NDArray[np.uint64]:
    """Return AS number, country code and published record of each address, packed into 64 bits."""
    announced = np.searchsorted(origin.start, column, side="right") - 1
    listed = np.searchsorted(published.start, column, side="right") - 1
    country = origin.country.view(np.uint8).reshape(-1, 2).astype(np.uint64)
    packed = (
        origin.asn.astype(np.uint64) << np.uint64(32)
        | country[:, 0] << np.uint64(24)
        | country[:, 1] << np.uint64(16)
    )
    evidence: NDArray[np.uint64] = packed[announced] | published.record[listed].astype(np.uint64)
    return evidence


def _conclude(evidence: int, maps: Maps, names: Mapping[int, str]) -> Attribution:
    """Return the attribution that follows from one packed combination of evidence."""
    asn = evidence >> 32 or None
    registry_country = bytes([evidence >> 24 & 0xFF, evidence >> 16 & 0xFF]).rstrip(b"\0").decode("ascii")
    record = maps.records[(evidence & 0xFFFF) - 1] if evidence & 0xFFFF else None
    by_asn = None if asn is None else maps.providers.by_asn.get(asn)
    origin_provider = by_asn.id if by_asn else None if asn is None else f"AS{asn}"
    contradictions = []

    provider = record.provider if record else origin_provider
    if record and origin_provider not in {None, record.provider}:
        contradictions.append(
            (
                "provider",
                record.provider,
                Basis.PUBLISHED_RANGE.value,
                str(origin_provider),
                Basis.BGP_ORIGIN.value,
            )
        )
    curated = maps.providers.by_id.get(provider) if provider else None

    lists = () if asn is None else maps.hosting_lists.get(asn, ())
    if record:
        kind, kind_basis = record.kind, Basis.PUBLISHED_RANGE.value
    elif curated:
        kind, kind_basis = curated.kind, "curated"
        if lists and curated.kind not in {Kind.HOSTING, Kind.EDGE}:
            contradictions.append(("kind", kind.value, "curated", Kind.HOSTING.value, "+".join(lists)))
    elif lists:
        kind, kind_basis = Kind.HOSTING, "+".join(lists)
    else:
        kind, kind_basis = None, Basis.NONE.value

    country, country_basis = None, Basis.NONE
    if registry_country not in NOT_COUNTRIES:
        country, country_basis = registry_country, Basis.REGISTRY
    if record and record.country and record.country not in NOT_COUNTRIES:
        if country not in {None, record.country}:
            contradictions.append(
                ("country", record.country, Basis.PUBLISHED_RANGE.value, str(country), Basis.REGISTRY.value)
            )
        country, country_basis = record.country, Basis.PUBLISHED_RANGE

    return Attribution(
        asn=asn,
        organisation=None if asn is None else names.get(asn),
        provider=provider,
        provider_basis=Basis.PUBLISHED_RANGE
        if record
        else Basis.NONE
        if provider is None
        else Basis.BGP_ORIGIN,
        parent=(curated.parent or provider) if curated else provider,
        region=f"{record.provider}/{record.region}" if record and record.region else None,
        service=record.service if record else None,
        country=country,
        country_basis=country_basis,
        kind=kind,
        kind_basis=kind_basis,
        contradictions=tuple(contradictions),
    )


def _clusters(addresses: WeightedAddresses) -> NDArray[np.int64]:
    """Return the number of the /24 of each IPv4 row, then of the /48 of each IPv6 row."""
    v4 = (addresses.v4 >> np.uint32(8)).astype(np.int64)
    v6 = addresses.v6.view(np.uint8).reshape(-1, 16)[:, :6].astype(np.int64)
    weights = 1 << np.arange(40, -1, -8)
    return np.concatenate([_number_runs(v4), _number_runs(v6 @ weights) + (1 << 32)])


def _number_runs(values: NDArray[np.int64]) -> NDArray[np.int64]:
    if not len(values):
        return values
    return np.cumsum(np.append(0, values[1:] != values[:-1]))


def _run_starts(values: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return where runs of equal neighbours start."""
    if not len(values):
        return np.zeros(0, np.int64)
    return np.flatnonzero(np.append(True, values[1:] != values[:-1]))
