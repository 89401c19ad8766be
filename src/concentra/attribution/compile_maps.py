"""Sources of several formats → the tables that attribution searches."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping

import numpy as np

from concentra.attribution.disjoint import PrefixEntry, disjoint_ranges
from concentra.attribution.errors import MalformedSource
from concentra.attribution.maps import AsNames, PublishedRanges, PublishedRecord
from concentra.attribution.published_ranges import PublishedPrefix
from concentra.model.axes import Kind

_AS_LINE = re.compile(r"AS(\d+)\b")

CATCH_ALL_SERVICES = frozenset({None, "amazon"})
"""Services that repeat every prefix of the others; a narrower one for the same prefix says more."""


def compile_published(
    prefixes: Iterable[PublishedPrefix], countries: Mapping[tuple[str, str], str]
) -> tuple[PublishedRanges, PublishedRanges, tuple[PublishedRecord, ...]]:
    """Return IPv4 ranges, IPv6 ranges and the records that both point to.

    Parameters
    ----------
    prefixes : iterable of PublishedPrefix
        In any order; the longest prefix wins, and of two entries for one prefix the one that says more.
    countries : mapping of (provider, region) to country
        For the providers whose files name no country.
    """
    listed = [(prefix, _record(prefix, countries)) for prefix in prefixes]
    records = sorted({record for _, record in listed}, key=_order)
    number = {record: position for position, record in enumerate(records, start=1)}
    if len(records) >= 1 << 16:
        raise MalformedSource("published ranges", f"{len(records)} distinct records; 16 bits hold 65,535")
    families = {
        version: [
            PrefixEntry(
                first=int(prefix.network.network_address),
                length=prefix.network.prefixlen,
                rank=_rank(record) << 16 | number[record],
                record=number[record],
            )
            for prefix, record in listed
            if prefix.network.version == version
        ]
        for version in (4, 6)
    }
    v4 = list(disjoint_ranges(families[4], bits=32))
    v6 = list(disjoint_ranges(families[6], bits=128))
    return (
        PublishedRanges(
            start=np.array([first for first, _ in v4], np.uint32),
            record=np.array([record for _, record in v4], np.uint16),
        ),
        PublishedRanges(
            start=np.array([first.to_bytes(16, "big") for first, _ in v6], "S16"),
            record=np.array([record for _, record in v6], np.uint16),
        ),
        tuple(records),
    )


def compile_as_names(names: Mapping[int, str]) -> AsNames:
    """Return the names in the form that is searched, in order of AS number."""
    encoded = [(asn, names[asn].encode("utf-8")) for asn in sorted(names)]
    return AsNames(
        asn=np.array([asn for asn, _ in encoded], np.uint32),
        end=np.cumsum([len(name) for _, name in encoded], dtype=np.uint32),
        text=np.frombuffer(b"".join(name for _, name in encoded), np.uint8),
    )


def as_names_from_parquet(data: bytes) -> Mapping[int, str]:
    """Read a table with the columns ``asn`` and ``name``."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(io.BytesIO(data), columns=["asn", "name"])
        asns = table["asn"].cast(pa.uint32()).to_pylist()
        names = table["name"].cast(pa.string()).to_pylist()
    except (pa.ArrowException, OSError, KeyError, UnicodeDecodeError) as error:
        raise MalformedSource("AS names", f"wanted Parquet with columns asn and name: {error}") from error
    return {asn: name for asn, name in zip(asns, names, strict=True) if asn is not None and name}


def hosting_asns_from_lines(data: bytes) -> set[int]:
    """Read X4BNet's list: ``AS64500 # name``, one a line."""
    asns = set()
    for line in _lines("x4bnet", data):
        match = _AS_LINE.match(line)
        if match:
            asns.add(int(match[1]))
        elif line.strip() and not line.startswith("#"):
            raise MalformedSource("x4bnet", f"wanted lines like 'AS64500 # name', found {line[:100]!r}")
    return _some("x4bnet", asns)


def hosting_asns_from_csv(data: bytes) -> set[int]:
    """Read bad-asn-list: a CSV whose column ``ASN`` holds bare numbers."""
    rows = csv.DictReader(_lines("bad-asn-list", data))
    try:
        if rows.fieldnames is None or "ASN" not in rows.fieldnames:
            raise MalformedSource("bad-asn-list", f"wanted a column ASN, found {rows.fieldnames}")
        return _some("bad-asn-list", {int(row["ASN"]) for row in rows})
    except (csv.Error, TypeError, ValueError) as error:
        raise MalformedSource("bad-asn-list", f"wanted a number under ASN in every row: {error}") from error


def _some(source: str, asns: set[int]) -> set[int]:
    if not asns:
        raise MalformedSource(source, "names no AS number")
    return asns


def _lines(source: str, data: bytes) -> list[str]:
    try:
        return data.decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise MalformedSource(source, f"not text: {error}") from error


def _record(prefix: PublishedPrefix, countries: Mapping[tuple[str, str], str]) -> PublishedRecord:
    country = prefix.country or (countries.get((prefix.provider, prefix.region)) if prefix.region else None)
    return PublishedRecord(
        provider=prefix.provider,
        kind=prefix.kind,
        region=prefix.region,
        service=prefix.service,
        country=country,
    )


def _rank(record: PublishedRecord) -> int:
    """Tell how much a record says: edge before region before narrow service before anything."""
    edge = record.kind is Kind.EDGE
    return edge * 4 + (record.region is not None) * 2 + (record.service not in CATCH_ALL_SERVICES)


def _order(record: PublishedRecord) -> tuple[str, ...]:
    return (
        record.provider,
        record.region or "",
        record.service or "",
        record.kind.value,
        record.country or "",
    )
