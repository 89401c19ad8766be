"""Maps on disk: one .npy file a column, small tables as CSV, and PROVENANCE.toml over all of them.

Columns are memory-mapped, so opening costs a few milliseconds and processes share the pages. The same
tables give the same bytes on every machine: .npy headers hold neither a date nor a path.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tokenize import TokenError
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from concentra.attribution.errors import MalformedSource
from concentra.attribution.libloc import OriginRanges
from concentra.attribution.maps import AsNames, Maps, PublishedRanges, PublishedRecord
from concentra.attribution.providers import decode_providers
from concentra.errors import ConcentraError
from concentra.model.axes import Kind
from concentra.model.provenance import Source

PROVENANCE = "PROVENANCE.toml"
RECORDS = "published.records.csv"
HOSTING = "hosting_asns.csv"
PROVIDERS = "providers.toml"

_RECORD_FIELDS = ("provider", "kind", "region", "service", "country")


class MapsUnreadable(ConcentraError):
    """A directory does not hold a complete, undamaged set of maps."""

    def __init__(self, directory: Path, reason: str) -> None:
        super().__init__(f"the maps in {directory} cannot be read: {reason}")
        self.directory = directory
        self.hint = (
            "build them again with `concentra maps build`, or leave --maps out to use the shipped ones"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One file of the maps."""

    file: str
    rows: int
    sha256: str
    licence: str
    sources: tuple[str, ...] = ()
    """Names of the inputs that it was made from; none for what is written by hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Content of PROVENANCE.toml."""

    as_of: date
    built_by: str
    source: tuple[Source, ...]
    output: tuple[Output, ...]


def map_columns(maps: Maps) -> Mapping[str, NDArray[np.generic]]:
    """Return every column of the maps under its file name."""
    columns: dict[str, NDArray[np.generic]] = {}
    for family, origin, published in (
        ("v4", maps.origin_v4, maps.published_v4),
        ("v6", maps.origin_v6, maps.published_v6),
    ):
        columns[f"origin.{family}.start.npy"] = origin.start
        columns[f"origin.{family}.asn.npy"] = origin.asn
        columns[f"origin.{family}.country.npy"] = origin.country
        columns[f"published.{family}.start.npy"] = published.start
        columns[f"published.{family}.record.npy"] = published.record
    columns["as_names.asn.npy"] = maps.as_names.asn
    columns["as_names.end.npy"] = maps.as_names.end
    columns["as_names.text.npy"] = maps.as_names.text
    return columns


def serialise(maps: Maps) -> Mapping[str, tuple[bytes, int]]:
    """Return (bytes, rows) of every file that `load` reads, except the curated ones."""
    files = {name: (_npy(column), len(column)) for name, column in map_columns(maps).items()}
    records = [[getattr(record, field) or "" for field in _RECORD_FIELDS] for record in maps.records]
    files[RECORDS] = (_csv(_RECORD_FIELDS, records), len(records))
    lists = sorted({name for names in maps.hosting_lists.values() for name in names})
    hosting = [
        [asn, *(int(name in maps.hosting_lists[asn]) for name in lists)] for asn in sorted(maps.hosting_lists)
    ]
    files[HOSTING] = (_csv(("asn", *lists), hosting), len(hosting))
    return files


def load(directory: Path) -> Maps:
    """Open the maps in `directory`.

    Raises
    ------
    MapsUnreadable
        If a file is missing, cut short, of another type than it should be, or does not fit the others.
    """
    try:
        provenance = msgspec.toml.decode((directory / PROVENANCE).read_bytes(), type=Provenance)
        providers = decode_providers((directory / PROVIDERS).read_bytes())
        maps = Maps(
            origin_v4=_origin(directory, "v4"),
            origin_v6=_origin(directory, "v6"),
            published_v4=_published(directory, "v4"),
            published_v6=_published(directory, "v6"),
            records=tuple(_records(directory)),
            as_names=_as_names(directory),
            hosting_lists=_hosting_lists(directory),
            providers=providers,
            sources=provenance.source,
            as_of=provenance.as_of,
        )
    except (OSError, ValueError, LookupError, csv.Error, MalformedSource) as error:
        raise MapsUnreadable(directory, str(error)) from error
    highest = max(int(maps.published_v4.record.max(initial=0)), int(maps.published_v6.record.max(initial=0)))
    if highest > len(maps.records):
        raise MapsUnreadable(directory, f"{RECORDS} has {len(maps.records)} rows, record {highest} is in use")
    return maps


def digest(data: bytes) -> str:
    """Return the SHA-256 of `data` in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def _origin(directory: Path, family: str) -> OriginRanges:
    ranges = OriginRanges(
        start=_starts(directory, f"origin.{family}.start", family),
        asn=_column(directory, f"origin.{family}.asn", "uint32"),
        country=_column(directory, f"origin.{family}.country", "S2"),
    )
    _same_length(f"origin.{family}", ranges.start, ranges.asn, ranges.country)
    if ranges.country.view(np.uint8).max() > ord("Z"):
        raise ValueError(f"origin.{family}.country.npy: a country is not two capital letters")
    return ranges


def _published(directory: Path, family: str) -> PublishedRanges:
    ranges = PublishedRanges(
        start=_starts(directory, f"published.{family}.start", family),
        record=_column(directory, f"published.{family}.record", "uint16"),
    )
    _same_length(f"published.{family}", ranges.start, ranges.record)
    return ranges


def _as_names(directory: Path) -> AsNames:
    names = AsNames(
        asn=_column(directory, "as_names.asn", "uint32"),
        end=_column(directory, "as_names.end", "uint32"),
        text=_column(directory, "as_names.text", "uint8"),
    )
    _same_length("as_names", names.asn, names.end)
    if names.end[-1:].sum() != len(names.text):
        raise ValueError(f"as_names.text.npy has {len(names.text)} bytes, as_names.end.npy wants others")
    return names


def _starts(directory: Path, name: str, family: str) -> NDArray[Any]:
    """Return the first addresses of ranges; an address before the first would find the last range."""
    column = _column(directory, name, "uint32" if family == "v4" else "S16")
    if not len(column) or column[0] != (0 if family == "v4" else b""):
        raise ValueError(f"{name}.npy: wanted ranges from the first address on")
    return column


def _same_length(table: str, *columns: NDArray[Any]) -> None:
    lengths = [len(column) for column in columns]
    if len(set(lengths)) > 1:
        raise ValueError(f"the columns of {table} have {lengths} rows, wanted one number")


def _column(directory: Path, name: str, dtype: str) -> NDArray[Any]:
    # np.load would take archives and pickles too; this opens nothing but a plain column.
    try:
        column: NDArray[Any] = np.lib.format.open_memmap(directory / f"{name}.npy", mode="r")
    except (
        SyntaxError,
        TokenError,
        OverflowError,
        TypeError,
    ) as error:  # the header is read as Python source
        raise ValueError(f"{name}.npy: damaged header: {error}") from error
    if column.dtype != np.dtype(dtype) or column.ndim != 1:
        raise ValueError(
            f"{name}.npy: wanted one column of {dtype}, found {column.dtype} of shape {column.shape}"
        )
    return column.view(np.ndarray)


def _records(directory: Path) -> Iterable[PublishedRecord]:
    with (directory / RECORDS).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield PublishedRecord(
                provider=row["provider"],
                kind=Kind(row["kind"]),
                region=row["region"] or None,
                service=row["service"] or None,
                country=row["country"] or None,
            )


def _hosting_lists(directory: Path) -> Mapping[int, tuple[str, ...]]:
    with (directory / HOSTING).open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    return {
        int(row[0]): tuple(name for name, there in zip(header[1:], row[1:], strict=True) if there == "1")
        for row in rows
    }


def _npy(column: NDArray[np.generic]) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, np.ascontiguousarray(column), version=(1, 0), allow_pickle=False)
    return out.getvalue()


def _csv(header: Iterable[str], rows: Iterable[Iterable[object]]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue().encode("utf-8")
