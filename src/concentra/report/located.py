"""Located addresses as text, CSV, JSON and NDJSON, written while they are found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from textwrap import fill
from typing import TYPE_CHECKING, Any, Protocol

from concentra import __version__
from concentra.attribution.explain import (
    BEHIND_EDGE,
    PARTS,
    PREFIXES,
    SEVERAL_ORIGINS,
    Explanation,
    IPAddress,
    Part,
    Told,
)
from concentra.attribution.map_tables import MapSource
from concentra.report.plain import clean, spreadsheet_safe

if TYPE_CHECKING:
    from datetime import datetime

SCHEMA = "concentra-locate/1"
TITLES: Mapping[str, str] = {name: name for name in PARTS} | {
    "prefix": "announced prefix",
    "origins": "origin AS",
    "listed": "published range",
}
COLUMNS = ("prefix", "origins", "provider", "region", "country", "kind")
"""The parts that a table of several addresses shows."""
SHORT: Mapping[str, str] = {BEHIND_EDGE: "edge: no region", SEVERAL_ORIGINS: "several origins"}
"""Notes as a table has them."""
HOW_TO_SEE_ALL = "one address alone, or --format csv, shows basis, source and date of every part"
TABLE_ROWS = 500
"""Rows that set the widths of a table; what follows is fitted to them."""
GAP = "  "
UNKNOWN = "–"
_MAX_QUERY = 512
"""The longest enode URL that is read; an ENR has up to 404 characters."""
_MAX_LIMIT = 1000
_WIDEST, _NARROWEST = 40, 7


class Located(Protocol):
    """One address with what is known of it."""

    @property
    def query(self) -> str:
        """What the user wrote."""

    @property
    def address(self) -> IPAddress | None:
        """None where there is no address in it."""

    @property
    def known(self) -> Explanation | None:
        """None where the address is refused."""

    @property
    def refused(self) -> str | None:
        """Why."""


def as_ndjson(rows: Iterable[Located]) -> Iterator[str]:
    """Yield one line of JSON for each address."""
    import json

    documents = _Documents()
    for row in rows:
        yield json.dumps(documents(row), ensure_ascii=False) + "\n"


def as_json(
    rows: Iterable[Located], sources: Sequence[MapSource], as_of: str, *, made_at: datetime
) -> Iterator[str]:
    """Yield one JSON document, piece by piece: the sources, then the addresses."""
    import json

    document = {
        "schema": SCHEMA,
        "tool": {"name": "concentra", "version": __version__},
        "made_at": made_at.isoformat(timespec="seconds"),
        "maps_as_of": clean(as_of),
        "maps": [
            {
                "name": clean(source.name),
                "publisher": clean(source.publisher, limit=_MAX_QUERY),
                "as_of": clean(source.as_of) or None,
                "licence": clean(source.licence, limit=_MAX_QUERY),
                "url": clean(source.url, limit=_MAX_LIMIT) or None,
                "sha256": clean(source.sha256) or None,
                "rows": source.rows,
                "limits": [clean(text, limit=_MAX_LIMIT) for text in source.limits],
            }
            for source in sources
        ],
    }
    head = json.dumps(document, indent=2, ensure_ascii=False)
    yield head[: head.rindex("\n")] + ',\n  "addresses": ['
    separator = "\n"
    documents = _Documents()
    for row in rows:
        yield separator + "    " + json.dumps(documents(row), ensure_ascii=False)
        separator = ",\n"
    yield ("\n  ]" if separator != "\n" else "]") + "\n}\n"


class _Documents:
    """Makes the JSON object of each address; what addresses share is made once."""

    def __init__(self) -> None:
        self._made: dict[Told, Mapping[str, Any]] = {}

    def __call__(self, row: Located) -> Mapping[str, Any]:
        asked = {
            "query": clean(row.query, limit=_MAX_QUERY),
            "address": str(row.address) if row.address else None,
        }
        if row.known is None:
            return {**asked, "refused": clean(row.refused or "", limit=_MAX_QUERY)}
        told = row.known.told
        made = self._made.get(told)
        if made is None:
            made = self._made[told] = {
                **{name: _part_document(part) for name, part in told.parts.items()},
                "origins": _origins_document(told.parts["origins"]),
                "conflicts": [clean(text, limit=_MAX_QUERY) for text in told.conflicts],
                "notes": list(told.notes),
            }
        located = {
            name: {**made[name], "value": value} if value else None
            for name, value in zip(PREFIXES, row.known.prefixes, strict=True)
        }
        return {**asked, **made, **located}


def _part_document(part: Part) -> Mapping[str, str | None] | None:
    if not part.value:
        return None
    return {
        "value": clean(part.value, limit=_MAX_QUERY),
        "basis": clean(part.basis, limit=_MAX_QUERY),
        "source": clean(part.source, limit=_MAX_QUERY),
        "as_of": clean(part.as_of, limit=_MAX_QUERY) or None,
    }


def _origins_document(part: Part) -> Mapping[str, Any] | None:
    """Return the set of origin ASes as numbers."""
    told = _part_document(part)
    if told is None or part.value is None:
        return None
    return {**told, "value": [int(origin.removeprefix("AS")) for origin in part.value.split("+")]}


def as_csv(rows: Iterable[Located]) -> Iterator[str]:
    """Yield a CSV with one line for each address: every part, its basis, its source and the date of that."""
    fields = [f"{name}{suffix}" for name in PARTS for suffix in ("", "_basis", "_source", "_as_of")]
    yield _line(["query", "address", *fields, "conflicts", "notes", "refused"])
    made: dict[Told, tuple[str, str]] = {}
    for row in rows:
        query = row.query if row.query == str(row.address) else spreadsheet_safe(row.query)
        start = _line([query, str(row.address or "")])[:-1]
        if row.known is None:
            blank = [""] * (len(fields) + 2)
            yield f"{start}," + _line([*blank, spreadsheet_safe(row.refused or "")])
            continue
        told = row.known.told
        pieces = made.get(told)
        if pieces is None:
            pieces = made[told] = _csv_pieces(told)
        prefix, listed = row.known.prefixes
        yield f"{start},{prefix or ''},{pieces[0]},{listed or ''},{pieces[1]}"


def _csv_pieces(told: Told) -> tuple[str, str]:
    """Return the cells between the announced prefix and the published range, and those after it."""
    cells = [[spreadsheet_safe(cell or "") for cell in part] for part in told.parts.values()]
    first, second = (PARTS.index(name) for name in PREFIXES)
    between = [*cells[first][1:], *chain(*cells[first + 1 : second])]
    after = [*cells[second][1:], *chain(*cells[second + 1 :])]
    remarks = [spreadsheet_safe("; ".join(told.conflicts)), "; ".join(told.notes), ""]
    return _line(between)[:-1], _line([*after, *remarks])


def _line(cells: Sequence[str]) -> str:
    import csv
    import io

    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()


def as_text(rows: Iterable[Located], as_of: str, *, width: int) -> Iterator[str]:
    """Yield one address with all its evidence, or several as a table."""
    rows = iter(rows)
    first = list(islice(rows, 2))
    if len(first) == 1:
        yield from _in_full(first[0], width)
    elif first:
        yield from _table(chain(first, rows), width)
        yield fill(f"maps of {as_of}; {HOW_TO_SEE_ALL}", width) + "\n"


def _in_full(row: Located, width: int) -> Iterator[str]:
    title = clean(row.query, limit=_MAX_QUERY)
    if row.address is not None and title != str(row.address):
        title = f"{title} = {row.address}"
    yield f"{title}\n"
    if row.known is None:
        yield f"refused: {clean(row.refused or '', limit=_MAX_QUERY)}\n"
        return
    parts = row.known.parts
    shown = {name: clean(part.value) for name, part in parts.items() if part.value}
    left = max(len(title) for title in TITLES.values())
    middle = min(max(map(len, shown.values()), default=0), max(20, width - left - 40))
    for name, part in parts.items():
        source = " ".join(clean(text) for text in part[1:] if text)
        value = shown.get(name, UNKNOWN)
        line = f"{TITLES[name]:<{left}}{GAP}{value:<{middle}}{GAP}{source if part.value else 'none'}"
        yield line.rstrip() + "\n"
    for text in row.known.told.conflicts:
        yield f"{'conflict':<{left}}{GAP}{clean(text, limit=_MAX_QUERY)}\n"
    for text in row.known.told.notes:
        yield f"{'note':<{left}}{GAP}{text}\n"


def _table(rows: Iterator[Located], width: int) -> Iterator[str]:
    head = ("address", *(TITLES[name] for name in COLUMNS), "notes")
    measured = [_cells(row) for row in islice(rows, TABLE_ROWS)]
    widths = [min(_WIDEST, max(map(len, column))) for column in zip(head, *measured, strict=True)]
    while sum(widths) + len(GAP) * (len(widths) - 1) > width and max(widths[1:]) > _NARROWEST:
        widest = max(range(1, len(widths)), key=widths.__getitem__)
        widths[widest] -= 1
    for cells in chain([head], measured, map(_cells, rows)):
        address, *others = zip(cells, widths, strict=True)  # of an address nothing is cut
        fitted = (cell if len(cell) <= size else cell[: size - 1] + "…" for cell, size in others)
        padded = (f"{cell:<{size}}" for cell, size in zip(fitted, widths[1:], strict=True))
        yield GAP.join([f"{address[0]:<{address[1]}}", *padded]).rstrip() + "\n"


def _cells(row: Located) -> tuple[str, ...]:
    if row.known is None:
        shown = str(row.address) if row.address else clean(row.query, limit=_MAX_QUERY)
        return (shown, *[UNKNOWN] * len(COLUMNS), f"refused: {clean(row.refused or '', limit=_MAX_QUERY)}")
    told = row.known.told
    values = (clean(told.parts[name].value or UNKNOWN) for name in COLUMNS[1:])
    rivals = dict.fromkeys(text.partition(":")[0] for text in told.conflicts)
    notes = [f"conflict: {', '.join(rivals)}"] if rivals else []
    notes += [SHORT.get(note, note) for note in told.notes]
    return (str(row.address), row.known.prefixes[0] or UNKNOWN, *values, "; ".join(notes))
