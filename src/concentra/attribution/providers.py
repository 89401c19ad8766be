"""The curated tables: which AS numbers are one provider, and in which country a region lies.

An AS number decides a provider, never a part of a name: "Google Fiber Inc." is a home ISP. Names serve
as evidence only: each entry lists the exact registry names under which its numbers stand, and
`contradictions` says where that is no longer so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec

from concentra.attribution.errors import MalformedSource
from concentra.model.axes import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One operator of machines or access lines, with all its AS numbers."""

    id: str
    name: str
    kind: Kind
    country: str
    """Seat of the operating company, ISO 3166-1 alpha-2."""
    asns: tuple[int, ...]
    holders: tuple[str, ...]
    """The registry names of `asns`, exactly as in the map of AS names."""
    evidence: str
    parent: str | None = None
    """Identifier of the ultimate parent; None where it is its own."""
    edge_asns: tuple[int, ...] = ()
    """Those of `asns` that serve as its front ends: what its published ranges do not list is kind edge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """A company that owns providers and runs no machines under its own name."""

    id: str
    name: str
    country: str
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    provider: tuple[Provider, ...]
    parent: tuple[Parent, ...] = ()


@dataclass(frozen=True, slots=True)
class ProviderTable:
    """Curated providers, by identifier and by AS number."""

    by_id: Mapping[str, Provider]
    by_asn: Mapping[int, Provider]
    parents: Mapping[str, Parent]

    def name_of(self, identifier: str) -> str:
        """Return the name of a provider or parent for people; the identifier itself if it is neither."""
        entry = self.by_id.get(identifier) or self.parents.get(identifier)
        return identifier if entry is None else entry.name


def decode_providers(data: bytes) -> ProviderTable:
    """Return the table in `providers.toml`.

    Raises
    ------
    MalformedSource
        If an entry lacks a field, an AS number has two providers, or a parent is not defined.
    """
    try:
        file = msgspec.toml.decode(data, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedSource("providers.toml", str(error)) from error
    by_id: dict[str, Provider] = {}
    by_asn: dict[int, Provider] = {}
    for provider in file.provider:
        if provider.id in by_id:
            raise MalformedSource("providers.toml", f"{provider.id} is defined twice")
        by_id[provider.id] = provider
        for asn in provider.asns:
            if asn in by_asn:
                raise MalformedSource(
                    "providers.toml", f"AS{asn} belongs to {by_asn[asn].id} and {provider.id}"
                )
            by_asn[asn] = provider
        if not set(provider.edge_asns) <= set(provider.asns):
            raise MalformedSource("providers.toml", f"{provider.id}: edge_asns are not among its asns")
    parents = {parent.id: parent for parent in file.parent}
    for provider in file.provider:
        if provider.parent is not None and provider.parent not in by_id and provider.parent not in parents:
            raise MalformedSource(
                "providers.toml", f"{provider.id}: parent {provider.parent!r} is not defined"
            )
    return ProviderTable(by_id, by_asn, parents)


def decode_regions(data: bytes) -> Mapping[tuple[str, str], str]:
    """Return (provider, region) → country from `regions.toml`.

    Raises
    ------
    MalformedSource
        If the file has another form, or a region lies in two countries.
    """
    try:
        file = msgspec.toml.decode(data, type=dict[str, dict[str, list[str]]])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedSource("regions.toml", str(error)) from error
    countries: dict[tuple[str, str], str] = {}
    for provider, regions_of in file.items():
        for country, regions in regions_of.items():
            for region in regions:
                before = countries.setdefault((provider, region), country)
                if before != country:
                    raise MalformedSource(
                        "regions.toml", f"{provider}/{region} lies in {before} and {country}"
                    )
    return countries


def contradictions(table: ProviderTable, as_names: Mapping[int, str]) -> Iterator[str]:
    """Yield a sentence for every entry whose AS numbers are not held under the names it lists.

    Examples
    --------
    >>> entry = Provider(id="x", name="X", kind=Kind.HOSTING, country="DE", asns=(64500,),
    ...                  holders=("Example GmbH",), evidence="")
    >>> list(contradictions(ProviderTable({"x": entry}, {64500: entry}, {}), {64500: "Other Ltd"}))
    ["x: the holders listed and registered differ: 'Example GmbH', 'Other Ltd'"]
    """
    for provider in table.by_id.values():
        registered = {as_names[asn] for asn in provider.asns if asn in as_names}
        differing = registered ^ set(provider.holders)
        if differing:
            names = ", ".join(repr(name) for name in sorted(differing))
            yield f"{provider.id}: the holders listed and registered differ: {names}"
