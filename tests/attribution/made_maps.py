"""Maps made of a few lines, through the path that real ones are made on; shared by several test modules."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from datetime import date
from typing import NamedTuple

import numpy as np

from concentra.attribution.compile_maps import MapInputs, compile_map
from concentra.attribution.maps import Maps
from concentra.attribution.origin_tables import OriginTable, OriginTableBuilder
from concentra.attribution.providers import ProviderTable
from concentra.attribution.published_ranges import PublishedPrefix
from concentra.model.axes import Kind
from concentra.model.population import IPV6_BYTES, WeightedAddresses
from concentra.model.provenance import Source

AS_OF = date(2026, 1, 2)
NOBODY = ProviderTable({}, {}, {})


class Announced(NamedTuple):
    """One row of a table of origins."""

    prefix: str
    origins: tuple[int, ...] = ()
    country: str = ""


class Listed(NamedTuple):
    """One row of a provider's own file."""

    prefix: str
    provider: str = "cloud"
    kind: Kind = Kind.HOSTING
    region: str | None = None
    service: str | None = None
    country: str | None = None


def origin_table(announced: Iterable[Announced]) -> OriginTable:
    builder = OriginTableBuilder()
    for prefix, origins, country in announced:
        network = ipaddress.ip_network(prefix)
        builder.add(network.version, int(network[0]), network.prefixlen, origins, country)
    return builder.table()


def published(listed: Iterable[Listed]) -> list[PublishedPrefix]:
    return [
        PublishedPrefix(
            network=ipaddress.ip_network(row.prefix),
            provider=row.provider,
            kind=row.kind,
            region=row.region,
            service=row.service,
            country=row.country,
        )
        for row in listed
    ]


def described(name: str, **changed: object) -> Source:
    facts = {"publisher": "Example", "as_of": AS_OF, "licence": "CC0-1.0", "rows": 1} | changed
    return Source(name=name, **facts)  # type: ignore[arg-type] # the tests that change it know its fields


def map_inputs(
    *tables: Iterable[Announced] | OriginTable,
    listed: Mapping[str, Iterable[Listed]] | None = None,
    as_names: Mapping[int, str] | None = None,
    name_sources: Mapping[int, str] | None = None,
    hosting_lists: Mapping[int, tuple[str, ...]] | None = None,
    providers: ProviderTable = NOBODY,
    region_countries: Mapping[tuple[str, str], str] | None = None,
) -> MapInputs:
    """Return the inputs of a map.

    Parameters
    ----------
    tables : of rows, or read already
        In order of precedence; their sources are called table-1, table-2 and so on.
    listed : mapping of source to rows
    """
    origins = [
        (f"table-{number}", table if isinstance(table, OriginTable) else origin_table(table))
        for number, table in enumerate(tables or [()], start=1)
    ]
    ranges = [(source, published(rows)) for source, rows in (listed or {}).items()]
    sources = [(described(name), "origins") for name, _ in origins]
    sources += [(described(name), "ranges") for name, _ in ranges]
    return MapInputs(
        origins=origins,
        published=ranges,
        as_names=as_names or {},
        hosting_lists=hosting_lists or {},
        providers=providers,
        region_countries=region_countries or {},
        sources=sources,
        as_of=AS_OF,
        name_sources=dict.fromkeys(as_names or {}, origins[0][0]) if name_sources is None else name_sources,
    )


def made(inputs: MapInputs) -> Maps:
    return Maps(compile_map(inputs))


def weighted(addresses: Mapping[str, int]) -> WeightedAddresses:
    parsed = [(ipaddress.ip_address(address), weight) for address, weight in addresses.items()]
    v4 = sorted((int(address), weight) for address, weight in parsed if address.version == 4)
    v6 = sorted((address.packed, weight) for address, weight in parsed if address.version == 6)
    return WeightedAddresses(
        v4=np.array([address for address, _ in v4], np.uint32),
        v4_weight=np.array([weight for _, weight in v4], np.int64),
        v6=np.array([address for address, _ in v6], IPV6_BYTES),
        v6_weight=np.array([weight for _, weight in v6], np.int64),
    )
