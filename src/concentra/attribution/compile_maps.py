"""Sources of several formats → one map file.

All tables of origins and all published ranges of an address family are laid over each other, so that
one search finds everything that is said of an address. Addresses with the same evidence share one
row of the table ``evidence``, of which there are some hundred thousand; what follows from each is
concluded here, once, and stored beside it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concentra.attribution.disjoint import UNCOVERED, disjoint_ranges, halves
from concentra.attribution.errors import MalformedSource
from concentra.attribution.evidence import Announcement, PublishedRecord
from concentra.attribution.map_layout import decode, encode
from concentra.attribution.map_tables import BASES, KINDS, NO_LENGTH, RANGES, TABLES, MapTables
from concentra.attribution.maps import column_type
from concentra.attribution.origin_tables import MAX_AS_NUMBER, OriginPrefixes, OriginTable
from concentra.attribution.providers import ProviderTable
from concentra.attribution.published_ranges import PublishedPrefix
from concentra.model.axes import Axis, Kind
from concentra.model.provenance import Source

CATCH_ALL_SERVICES = frozenset({None, "amazon"})
"""Services that repeat every prefix of the others; a narrower one for the same prefix says more."""

OWN_SERVICES = frozenset({"google"})
"""Services that name all that a provider announces, its cloud included."""

_MAX_LISTS = 8
_MAX_RECORDS = (1 << 16) - 1
_MAX_SOURCES = (1 << 8) - 1  # 0 is none

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MapInputs:
    """Everything that a map is made of, as read from the sources."""

    origins: Sequence[tuple[str, OriginTable]]
    """Source and table, in order of precedence: the first that announces an address is followed."""
    published: Sequence[tuple[str, Sequence[PublishedPrefix]]]
    """Source and prefixes; order means nothing."""
    as_names: Mapping[int, str]
    hosting_lists: Mapping[int, tuple[str, ...]]
    """AS number → the public lists of hosting companies that name it."""
    providers: ProviderTable
    region_countries: Mapping[tuple[str, str], str]
    """(provider, region) → country, for the providers whose files name no country."""
    sources: Sequence[tuple[Source, str]]
    """Every source and what it was read for."""
    as_of: date
    """The day as of which the table of origins stands."""
    name_sources: Mapping[int, str] = field(default_factory=dict)
    """AS number → the source of its name in `as_names`, where that is known."""


def compile_map(inputs: MapInputs) -> bytes:
    """Return the map file that `inputs` make; the same inputs give the same bytes.

    Raises
    ------
    MalformedSource
        If there is more of something than the layout holds, or a number is no AS number.

    Examples
    --------
    >>> from concentra.attribution.maps import Maps
    >>> from concentra.attribution.origin_tables import OriginTableBuilder
    >>> builder = OriginTableBuilder()
    >>> builder.add(4, 0xC0000200, 24, [64496], "NL")
    >>> source = Source(name="routes", publisher="Example", as_of=date(2026, 1, 2), licence="CC0-1.0", rows=1)
    >>> inputs = MapInputs(
    ...     origins=[("routes", builder.table())], published=[], hosting_lists={}, region_countries={},
    ...     as_names={64496: "EXAMPLE"}, name_sources={64496: "routes"}, as_of=date(2026, 1, 2),
    ...     providers=ProviderTable({}, {}, {}), sources=[(source, "origins")])
    >>> tables = Maps(compile_map(inputs)).tables
    >>> tables.evidence(tables.row(4, 0xC0000201).evidence).announcements
    (Announcement(source='routes', origins=(64496,), country='NL'),)
    """
    if len(inputs.sources) > _MAX_SOURCES:
        raise MalformedSource("sources", f"{len(inputs.sources)} sources; one byte counts {_MAX_SOURCES}")
    texts = _Texts()
    numbers = {source.name: number for number, (source, _) in enumerate(inputs.sources)}
    records, listed = _published(inputs)
    ranges, evidence = _overlaid(inputs, listed)
    columns = {
        **ranges,
        **_source_columns(inputs, texts),
        **_as_columns(inputs, numbers, texts),
        **_listed_columns(records, numbers, texts),
        **_evidence_columns(evidence, numbers, texts),
        "meta.as_of": [texts.number(inputs.as_of.isoformat())],
    }
    stored = _packed(columns, texts)
    concluded = _concluded(MapTables(decode(encode(stored))), len(evidence.listed), texts)
    return encode(_packed({**columns, **concluded}, texts))


class _Texts:
    """Texts, numbered in the order in which they are first met; 0 is the empty one."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {"": 0}

    def number(self, text: str | None) -> int:
        return self._numbers.setdefault(text or "", len(self._numbers))

    def sections(self) -> Mapping[str, Any]:
        encoded = [text.encode("utf-8", "replace") for text in self._numbers]
        return {
            "text.end": np.cumsum([len(text) for text in encoded]),
            "text.bytes": np.frombuffer(b"".join(encoded), np.uint8),
        }


def _packed(columns: Mapping[str, Any], texts: _Texts) -> dict[str, tuple[str, bytes]]:
    """Return every column that the layout wants, in its order; one that is not there yet is all zero."""
    given = {**columns, **texts.sections()}
    packed = {}
    for table, codes in {**RANGES, **TABLES, "text": {"end": "I", "bytes": "B"}}.items():
        rows = next(len(given[f"{table}.{column}"]) for column in codes if f"{table}.{column}" in given)
        for column, code in codes.items():
            values = np.asarray(given.get(f"{table}.{column}", np.zeros(rows)))
            type_ = column_type(code)
            most = np.iinfo(type_).max
            if len(values) and (values.min() < 0 or values.max() > most):
                found = f"{values.min()} to {values.max()}"
                raise MalformedSource(f"{table}.{column}", f"wanted values from 0 to {most}, found {found}")
            packed[f"{table}.{column}"] = code, _little_endian(values.astype(type_))
    return packed


def _little_endian(values: NDArray[Any]) -> bytes:
    return (values if sys.byteorder == "little" else values.byteswap()).tobytes()


# -- published ranges -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """What one source, or all published ranges, say of one address family."""

    start: NDArray[Any]
    value: Ints
    """What is said; 0 is nothing."""
    length: NDArray[np.uint8]
    """Length of the prefix that says it, or `NO_LENGTH`."""


def _published(inputs: MapInputs) -> tuple[Sequence[PublishedRecord], Mapping[int, _Layer]]:
    """Return the distinct records, and per address family the layer of their numbers from 1."""
    listed = [
        (prefix, _record(prefix, source, inputs.region_countries))
        for source, prefixes in inputs.published
        for prefix in prefixes
    ]
    records = sorted({record for _, record in listed}, key=_order)
    if len(records) > _MAX_RECORDS:
        raise MalformedSource(
            "published ranges", f"{len(records)} distinct records; 16 bits hold {_MAX_RECORDS}"
        )
    number = {record: position for position, record in enumerate(records, start=1)}
    best: dict[int, dict[tuple[bytes, int], tuple[int, int]]] = {4: {}, 6: {}}
    for prefix, record in listed:
        network = prefix.network
        key = network.network_address.packed, network.prefixlen
        family = best[network.version]
        family[key] = max(family.get(key, (0, 0)), (_rank(record), number[record]))
    return records, {version: _listed_layer(family, version) for version, family in best.items()}


def _listed_layer(best: Mapping[tuple[bytes, int], tuple[int, int]], version: int) -> _Layer:
    packed = b"".join(first for first, _ in best)
    first: NDArray[Any] = (
        np.frombuffer(packed, ">u4").astype(np.uint32) if version == 4 else np.frombuffer(packed, "S16")
    )
    return _layer(
        first,
        np.array([length for _, length in best], np.uint8),
        np.array([record for _, record in best.values()], np.int64),
        bits=32 if version == 4 else 128,
    )


def _layer(first: NDArray[Any], length: NDArray[np.uint8], value: Ints, *, bits: int) -> _Layer:
    ranges = disjoint_ranges(first, length, bits=bits)
    covered = ranges.prefix != UNCOVERED
    values, lengths = np.zeros(len(ranges.start), np.int64), np.full(len(ranges.start), NO_LENGTH, np.uint8)
    values[covered] = value[ranges.prefix[covered]]
    lengths[covered] = length[ranges.prefix[covered]]
    return _Layer(ranges.start, values, lengths)


def _record(
    prefix: PublishedPrefix, source: str, countries: Mapping[tuple[str, str], str]
) -> PublishedRecord:
    country = prefix.country or (countries.get((prefix.provider, prefix.region)) if prefix.region else None)
    return PublishedRecord(
        provider=prefix.provider,
        kind=prefix.kind,
        region=prefix.region,
        service=prefix.service,
        country=country,
        source=source,
    )


def _rank(record: PublishedRecord) -> int:
    """Tell how much a record says: edge before region before narrow service before anything.

    That a provider announces a range for services of its own says least: its cloud may list it as well.
    """
    if record.service in OWN_SERVICES:
        return 0
    edge = record.kind is Kind.EDGE
    return edge * 4 + (record.region is not None) * 2 + (record.service not in CATCH_ALL_SERVICES)


def _order(record: PublishedRecord) -> tuple[str, ...]:
    return tuple(str(value or "") for value in record)


# -- ranges and evidence ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _EvidenceRows:
    """Every distinct combination: what each table of origins announces, and the published record."""

    announced: Ints
    """Number of the announcement, shape (combinations, tables); 0 is none."""
    listed: Ints
    announcements: Sequence[Sequence[Announcement]]
    """Announcements of each table, from number 1."""


def _overlaid(inputs: MapInputs, listed: Mapping[int, _Layer]) -> tuple[Mapping[str, Any], _EvidenceRows]:
    """Return the columns of both range tables, and the evidence that they point to."""
    announcements, layers = [], {4: [listed[4]], 6: [listed[6]]}
    for source, table in inputs.origins:
        known, of_family = _announced(source, table)
        announcements.append(known)
        layers[4].append(of_family[4])
        layers[6].append(of_family[6])
    starts = {
        version: np.unique(np.concatenate([layer.start for layer in layers[version]])) for version in (4, 6)
    }
    rows = {
        version: [
            np.searchsorted(layer.start, starts[version], side="right") - 1 for layer in layers[version]
        ]
        for version in (4, 6)
    }
    said = [
        np.concatenate([layers[version][number].value[rows[version][number]] for version in (4, 6)])
        for number in range(len(layers[4]))
    ]
    combined = np.zeros(len(said[0]), np.int64)
    for values in reversed(said):
        _, combined = np.unique(combined * (values.max() + 1) + values, return_inverse=True)
    _, first_of = np.unique(combined, return_index=True)
    evidence = _EvidenceRows(
        announced=np.array([values[first_of] for values in said[1:]], np.int64)
        .reshape(len(said) - 1, len(first_of))
        .T,
        listed=said[0][first_of],
        announcements=announcements,
    )
    columns: dict[str, Any] = {}
    for version, numbers in ((4, combined[: len(starts[4])]), (6, combined[len(starts[4]) :])):
        listed_layer, *origin_layers = layers[version]
        listed_row, *origin_rows = rows[version]
        followed = np.full(len(numbers), NO_LENGTH, np.uint8)
        for layer, row in reversed(list(zip(origin_layers, origin_rows, strict=True))):
            followed = np.where(layer.length[row] == NO_LENGTH, followed, layer.length[row])
        columns |= _range_columns(
            version, starts[version], numbers, followed, listed_layer.length[listed_row]
        )
    return columns, evidence


def _announced(source: str, table: OriginTable) -> tuple[Sequence[Announcement], Mapping[int, _Layer]]:
    """Return the distinct announcements of a table, and per family the layer of their numbers from 1."""
    said = {4: _said(table.v4, bits=32), 6: _said(table.v6, bits=128)}
    distinct = np.unique(np.concatenate([[0], said[4].value, said[6].value]))
    announcements = [
        Announcement(
            source,
            table.origin_sets[key >> 16],
            bytes([key >> 8 & 0xFF, key & 0xFF]).rstrip(b"\0").decode("ascii"),
        )
        for key in distinct[1:].tolist()
    ]
    layers = {
        version: _Layer(layer.start, np.searchsorted(distinct, layer.value), layer.length)
        for version, layer in said.items()
    }
    return announcements, layers


def _said(prefixes: OriginPrefixes, *, bits: int) -> _Layer:
    """Return what a table says of one family: the number of the origins, then 16 bits of the country.

    Each is that of the longest prefix that says something of it, so that a country alone hides no
    announcement. A prefix with neither says that nothing is announced, and that hides one.
    """
    letters = np.ascontiguousarray(prefixes.country).view(np.uint8).reshape(-1, 2)
    country = letters.astype(np.int64) @ (256, 1)
    origins = prefixes.origins.astype(np.int64)
    silent = (origins == 0) & (country != 0)
    every = _layer(prefixes.first, prefixes.length, origins << 16 | country, bits=bits)
    announced, start = every, every.start
    if silent.any():
        first, length = prefixes.first[~silent], prefixes.length[~silent]
        announced = _layer(first, length, origins[~silent] << 16, bits=bits)
        start = np.union1d(every.start, announced.start)
    at, at_announced = (np.searchsorted(layer.start, start, side="right") - 1 for layer in (every, announced))
    origins = announced.value[at_announced] >> 16
    return _Layer(
        start,
        origins << 16 | every.value[at] & 0xFFFF,
        np.where(origins, announced.length[at_announced], NO_LENGTH).astype(np.uint8),
    )


def _range_columns(
    version: int,
    start: NDArray[Any],
    evidence: Ints,
    origin_length: NDArray[np.uint8],
    listed_length: NDArray[np.uint8],
) -> Mapping[str, Any]:
    """Return the columns of one range table; neighbours that differ in nothing become one range."""
    kept = np.ones(len(start), np.bool_)
    kept[1:] = False
    for column in (evidence, origin_length, listed_length):
        kept[1:] |= column[1:] != column[:-1]
    high, low = halves(start) if version == 6 else (start, start)
    first = {"start": start[kept]} if version == 4 else {"high": high[kept], "low": low[kept]}
    others = {
        "evidence": evidence[kept],
        "origin_length": origin_length[kept],
        "listed_length": listed_length[kept],
    }
    return {f"v{version}.{name}": column for name, column in {**first, **others}.items()}


# -- tables -----------------------------------------------------------------------------------------


def _evidence_columns(
    evidence: _EvidenceRows, numbers: Mapping[str, int], texts: _Texts
) -> Mapping[str, Any]:
    sets = sorted(
        {entry.origins for known in evidence.announcements for entry in known},
        key=lambda asns: (len(asns), asns),
    )
    number_of_set = {origins: number for number, origins in enumerate(sets)}
    source, origins, country, ends = [], [], [], []
    for row in evidence.announced.tolist():
        for known, number in zip(evidence.announcements, row, strict=True):
            if number:
                entry = known[number - 1]
                source.append(numbers[entry.source])
                origins.append(number_of_set[entry.origins])
                country.append(texts.number(entry.country))
        ends.append(len(source))
    return {
        "evidence.end": ends,
        "evidence.listed": evidence.listed,
        "announced.source": source,
        "announced.origins": origins,
        "announced.country": country,
        "origins.end": np.cumsum([len(asns) for asns in sets]),
        "origin.asn": [asn for asns in sets for asn in asns],
    }


def _concluded(tables: MapTables, count: int, texts: _Texts) -> Mapping[str, Any]:
    """Return what follows from every combination of evidence."""
    further = ("provider_basis", "country_basis", "kind_basis", "contradictions")
    columns: dict[str, list[int]] = {name: [] for name in (*map(str, Axis), *further)}
    for number in range(count):
        known = tables.attribution(number)
        columns["asn"].append(known.asn or 0)
        columns["kind"].append(KINDS.index(known.kind) + 1 if known.kind else 0)
        columns["provider_basis"].append(BASES.index(known.provider_basis))
        columns["country_basis"].append(BASES.index(known.country_basis))
        columns["kind_basis"].append(texts.number(known.kind_basis))
        columns["contradictions"].append(len(known.contradictions))
        for axis in (Axis.PROVIDER, Axis.PARENT, Axis.REGION, Axis.COUNTRY):
            entity = known.entity(axis)
            columns[axis.value].append(0 if entity == known.entity(Axis.ASN) else texts.number(entity))
    return {f"evidence.{name}": column for name, column in columns.items()}


def _as_columns(inputs: MapInputs, numbers: Mapping[str, int], texts: _Texts) -> Mapping[str, Any]:
    """Return the tables of AS numbers, curated providers, their parents, and hosting lists."""
    lists = sorted({name for names in inputs.hosting_lists.values() for name in names})
    if len(lists) > _MAX_LISTS:
        raise MalformedSource("hosting lists", f"{len(lists)} lists; one byte holds {_MAX_LISTS}")
    providers = sorted(inputs.providers.by_id.values(), key=lambda entry: entry.id)
    number_of = {provider.id: number for number, provider in enumerate(providers, start=1)}
    asns = sorted({*inputs.as_names, *inputs.hosting_lists, *inputs.providers.by_asn})
    wrong = [asn for asn in (*asns[:1], *asns[-1:]) if not 0 <= asn <= MAX_AS_NUMBER]
    if wrong:
        raise MalformedSource("AS numbers", f"wanted 0 to {MAX_AS_NUMBER}, found {wrong[0]}")
    curated = [inputs.providers.by_asn.get(asn) for asn in asns]
    on_lists = [inputs.hosting_lists.get(asn, ()) for asn in asns]
    kinds = [
        (Kind.EDGE if asn in entry.edge_asns else entry.kind) if entry else Kind.HOSTING if named else None
        for asn, entry, named in zip(asns, curated, on_lists, strict=True)
    ]
    parents = list(inputs.providers.parents.values())
    of_names = [inputs.name_sources.get(asn) if inputs.as_names.get(asn) else None for asn in asns]
    return {
        "as.number": asns,
        "as.name": [texts.number(inputs.as_names.get(asn)) for asn in asns],
        "as.name_source": [0 if source is None else numbers[source] + 1 for source in of_names],
        "as.provider": [number_of[entry.id] if entry else 0 for entry in curated],
        "as.kind": [KINDS.index(kind) + 1 if kind else 0 for kind in kinds],
        "as.lists": [sum(1 << lists.index(name) for name in named) for named in on_lists],
        "list.name": [texts.number(name) for name in lists],
        "provider.id": [texts.number(entry.id) for entry in providers],
        "provider.name": [texts.number(entry.name) for entry in providers],
        "provider.kind": [KINDS.index(entry.kind) + 1 for entry in providers],
        "provider.parent": [texts.number(entry.parent or entry.id) for entry in providers],
        "parent.id": [texts.number(entry.id) for entry in parents],
        "parent.name": [texts.number(entry.name) for entry in parents],
    }


def _listed_columns(
    records: Sequence[PublishedRecord], numbers: Mapping[str, int], texts: _Texts
) -> Mapping[str, Any]:
    return {
        "listed.kind": [KINDS.index(record.kind) + 1 for record in records],
        "listed.source": [numbers[record.source] for record in records],
        **{
            f"listed.{name}": [texts.number(getattr(record, name)) for record in records]
            for name in ("provider", "region", "service", "country")
        },
    }


def _source_columns(inputs: MapInputs, texts: _Texts) -> Mapping[str, Any]:
    described = [
        {
            **{name: getattr(source, name) for name in ("name", "publisher", "licence", "url", "sha256")},
            "as_of": source.as_of.isoformat() if source.as_of else "",
            "limits": "\n".join(source.limits),
            "use": use,
        }
        for source, use in inputs.sources
    ]
    columns: dict[str, Any] = {
        f"source.{name}": [texts.number(entry[name]) for entry in described]
        for name, code in TABLES["source"].items()
        if code == "I"
    }
    return {**columns, "source.rows": [source.rows or 0 for source, _ in inputs.sources]}
