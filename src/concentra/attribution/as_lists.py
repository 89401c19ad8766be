"""Readers of what is said of AS numbers: registered names, and public lists of hosting companies."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping

from concentra.attribution.errors import MalformedSource
from concentra.attribution.origin_readers import MAX_REASON, whole_number
from concentra.attribution.origin_tables import MAX_AS_NUMBER

_LINES, _CSV = "hosting-lines", "hosting-csv"
_AS_LINE = re.compile(r"AS([0-9]+)(?=[\s#]|$)")


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
    r"""Read ``AS64500 # name``, one a line, as X4BNet's list has them, between lines of comment.

    Examples
    --------
    >>> sorted(hosting_asns_from_lines(b"# ours\nAS64500 # Example\n"))
    [64500]
    """
    asns = set()
    for number, line in enumerate(_lines(_LINES, data), start=1):
        match = _AS_LINE.match(line)
        if match:
            asns.add(_as_number(_LINES, number, match[1]))
        elif line.strip() and not line.startswith("#"):
            raise MalformedSource(
                _LINES, f"line {number}: wanted lines like 'AS64500 # name', found {line[:100]!r}"
            )
    return _some(_LINES, asns)


def hosting_asns_from_csv(data: bytes) -> set[int]:
    r"""Read a CSV whose column ``ASN`` holds bare numbers, as bad-asn-list does.

    Examples
    --------
    >>> sorted(hosting_asns_from_csv(b"ASN,Entity\n64500,Example\n"))
    [64500]
    """
    rows = csv.DictReader(_lines(_CSV, data), restval="")
    try:
        if rows.fieldnames is None or "ASN" not in rows.fieldnames:
            raise MalformedSource(_CSV, f"wanted a column ASN, found {rows.fieldnames}"[:MAX_REASON])
        return _some(_CSV, {_as_number(_CSV, rows.line_num, row["ASN"]) for row in rows})
    except csv.Error as error:
        raise MalformedSource(_CSV, f"line {rows.line_num}: {error}") from error


def _as_number(source: str, line: int, text: str) -> int:
    """Return the AS number that `text` is in decimal digits; 0 is reserved and hosts nothing."""
    try:
        asn = whole_number(text)
    except ValueError as error:
        raise MalformedSource(source, f"line {line}: {error}"[:MAX_REASON]) from error
    if not 0 < asn <= MAX_AS_NUMBER:
        wanted = f"line {line}: wanted an AS number from 1 to {MAX_AS_NUMBER}, found {text}"
        raise MalformedSource(source, wanted[:MAX_REASON])
    return asn


def _some(source: str, asns: set[int]) -> set[int]:
    if not asns:
        raise MalformedSource(source, "names no AS number")
    return asns


def _lines(source: str, data: bytes) -> list[str]:
    try:
        return data.decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise MalformedSource(source, f"not text: {error}") from error
