"""Readers of what is said of AS numbers: registered names, and public lists of hosting companies."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping

from concentra.attribution.errors import MalformedSource

_AS_LINE = re.compile(r"AS(\d+)\b")


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
