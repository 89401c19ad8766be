"""Published counts over time, in one self-describing CSV.

The file starts with comment lines that hold TOML (what is counted, who published it, which labels were
merged), so that the counts cannot be passed on without their provenance::

    # concentra-series = 1
    # name = "example-hosting"
    # network = "ethereum"
    # title = "Ethereum nodes by hosting company, as Example counts them"
    # unit = "node"
    # axis = "provider"
    # denominator = "hosted"
    #
    # [source]
    # name = "example-hosting"
    # publisher = "Example"
    # licence = "CC0-1.0"
    # as_of = 2020-08-11
    date,category,count,total
    2020-08-11,aws,2156,6106
    2020-08-11,label:example-host,20,6106

A category is the identifier of a provider or kind, ``unknown`` for what the publisher itself could not place,
or ``label:`` and a word for an entity that concentra has no identifier for. `total` is the publisher's own,
the same in each row of a date; what it exceeds the rows by is kept as unattributed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from datetime import date

import msgspec

from concentra.errors import UnreadableFile
from concentra.model.axes import HOSTED_KINDS, Axis
from concentra.model.documents import toml_text
from concentra.model.series import LABEL, UNKNOWN, DatedCounts, Series, SeriesHeader

MAGIC = b"# concentra-series = "
VERSION = 1
MAX_BYTES = 64 * 1024 * 1024
"""The largest shipped series has 40 kB; a file beyond this bound is not one."""
_COLUMNS = "date,category,count,total"
_MAX_TOTAL = 2**53  # beyond it shares as floats are not exact
_CATEGORY = re.compile(rf"[a-z0-9][a-z0-9-]*|{LABEL}\w[\w.-]*")
_COUNT = re.compile(r"[0-9]{1,16}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_UPDATE = "update concentra"
_FORM = f"a header of comments, then {_COLUMNS}: the files in data/series show it"


def is_series(head: bytes) -> bool:
    """Tell whether a file that starts with `head` is a series."""
    return head.startswith(MAGIC)


def encode(series: Series) -> bytes:
    """Return a series as a file: dates ascending, within a date the largest category first."""
    comments = "".join(
        f"# {line}".rstrip() + "\n" for line in toml_text(series.header).rstrip("\n").split("\n")
    )
    rows = (
        f"{table.on},{category},{count},{table.total}\n"
        for table in series.tables
        for category, count in sorted(table.counts.items(), key=lambda row: (-row[1], row[0]))
    )
    return MAGIC + f"{VERSION}\n{comments}{_COLUMNS}\n{''.join(rows)}".encode()


def decode(data: bytes, name: str) -> Series:
    """Return the series in a file.

    Parameters
    ----------
    data : bytes
        The whole file; lines may end as Windows ends them.
    name : str
        What the file is called in an error.

    Raises
    ------
    UnreadableFile
        If it is of another version, its header lacks something or contradicts itself, a row has another
        form, a category stands twice on one date, or two rows of a date differ in their total.
    """
    if len(data) > MAX_BYTES:
        raise UnreadableFile(name, f"a series has at most {MAX_BYTES} bytes, found {len(data)}")
    try:
        lines = data.decode("utf-8").replace("\r\n", "\n").rstrip("\n").split("\n")
    except UnicodeDecodeError as error:
        raise UnreadableFile(name, f"not UTF-8: {error}") from error
    if lines[0] != MAGIC.decode() + str(VERSION):
        hint = _UPDATE if is_series(data) else f"its first line is {MAGIC.decode()}{VERSION}"
        raise UnreadableFile(name, f"wanted a series of version {VERSION}", hint)
    if _COLUMNS not in lines:
        raise UnreadableFile(name, f"no line {_COLUMNS}", _FORM)
    end = lines.index(_COLUMNS)
    described = "\n".join(line.removeprefix("#").removeprefix(" ") for line in lines[1:end])
    try:
        header = msgspec.toml.decode(described, type=SeriesHeader)
        tables = _tables(lines[end + 1 :], first=end + 2)
        if header.axis is Axis.KIND:
            _check_kinds(tables)
    except (msgspec.DecodeError, ValueError) as error:
        raise UnreadableFile(name, str(error), _FORM) from error
    return Series(header=header, tables=tables)


def _tables(lines: Iterable[str], *, first: int) -> tuple[DatedCounts, ...]:
    """Return the rows by date, in ascending order; ValueError names the line that is wrong."""
    counts: dict[date, dict[str, int]] = {}
    totals: dict[date, int] = {}
    for number, line in enumerate(lines, first):
        cells = line.split(",")
        if len(cells) != _COLUMNS.count(",") + 1:
            raise ValueError(f"line {number}: wanted {_COLUMNS}, found {line!r}")
        day = _day(cells[0], number)
        category = cells[1]
        if not _CATEGORY.fullmatch(category):
            raise ValueError(
                f"line {number}: wanted an identifier like aws or {LABEL}example, found {category!r}"
            )
        count, total = (_number(cell, number) for cell in cells[2:])
        if not total:
            raise ValueError(f"line {number}: a total of 0 has no shares")
        if totals.setdefault(day, total) != total:
            raise ValueError(f"line {number}: {day} has the totals {totals[day]} and {total}")
        of_day = counts.setdefault(day, {})
        if category in of_day:
            raise ValueError(f"line {number}: {category} stands twice on {day}")
        of_day[category] = count
    if not counts:
        raise ValueError("no rows")
    return tuple(DatedCounts(on=day, counts=counts[day], total=totals[day]) for day in sorted(counts))


def _check_kinds(tables: Iterable[DatedCounts]) -> None:
    """Raise ValueError if a date counts no hosted kind: it would read as if nothing were hosted."""
    for table in tables:
        if not HOSTED_KINDS & table.counts.keys():
            raise ValueError(f"{table.on} has no row of kind {' or '.join(sorted(HOSTED_KINDS))}")


def _day(text: str, number: int) -> date:
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise ValueError(f"line {number}: wanted a date like 2020-08-11, found {text!r}")


def _number(text: str, number: int) -> int:
    if not _COUNT.fullmatch(text) or int(text) > _MAX_TOTAL:
        raise ValueError(f"line {number}: wanted a whole number up to {_MAX_TOTAL}, found {text!r}")
    return int(text)


def foreign_categories(series: Series, known: Collection[str]) -> tuple[str, ...]:
    """Return the categories that are neither `known`, nor unknown, nor marked as the publisher's own.

    Examples
    --------
    >>> from concentra.model.axes import Denominator, Unit
    >>> from concentra.model.provenance import Source
    >>> header = SeriesHeader(name="p", network="ethereum", title="", unit=Unit.NODE, axis=Axis.PROVIDER,
    ...     denominator=Denominator.ALL, source=Source(name="p", publisher="", as_of=None, licence=""))
    >>> table = DatedCounts(on=date(2020, 1, 1), counts={"aws": 2, "awz": 1, "label:x": 1}, total=4)
    >>> foreign_categories(Series(header=header, tables=(table,)), ["aws"])
    ('awz',)
    """
    seen = {category for table in series.tables for category in table.counts}
    own = {category for category in seen if category.startswith(LABEL)}
    return tuple(sorted(seen - own - {*known, UNKNOWN}))
