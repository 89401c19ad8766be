"""The tables of a map file, read value by value: all that one address needs, and quick to import."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from functools import cached_property
from typing import NamedTuple

from concentra.attribution.evidence import (
    CURATED,
    Announcement,
    AsFacts,
    Attribution,
    Evidence,
    PublishedRecord,
    conclude,
)
from concentra.attribution.map_layout import MalformedMap
from concentra.model.axes import Basis, Kind

KINDS = tuple(Kind)
"""Kinds are stored as their number here, from 1; 0 is unknown."""
BASES = tuple(Basis)
"""Bases are stored as their number here."""
NO_LENGTH = 255
"""The length of a prefix where there is none."""
MAX_LENGTHS: Mapping[str, int] = {"v4": 32, "v6": 128}
"""Bits of the longest prefix in each table of ranges."""

RANGES: Mapping[str, Mapping[str, str]] = {
    "v4": {"start": "I", "evidence": "I", "origin_length": "B", "listed_length": "B"},
    "v6": {"high": "Q", "low": "Q", "evidence": "I", "origin_length": "B", "listed_length": "B"},
}
TABLES: Mapping[str, Mapping[str, str]] = {
    "evidence": {"end": "I", "listed": "H", "asn": "I", "provider": "I", "parent": "I", "region": "I",
                 "country": "I", "kind": "B", "provider_basis": "B", "country_basis": "B", "kind_basis": "I",
                 "contradictions": "B"},
    "announced": {"source": "B", "origins": "I", "country": "I"},
    "origins": {"end": "I"},
    "origin": {"asn": "I"},
    "listed": {"provider": "I", "kind": "B", "region": "I", "service": "I", "country": "I", "source": "B"},
    "as": {"number": "I", "name": "I", "name_source": "B", "provider": "H", "kind": "B", "lists": "B"},
    "list": {"name": "I"},
    "provider": {"id": "I", "name": "I", "kind": "B", "parent": "I"},
    "parent": {"id": "I", "name": "I"},
    "source": {"name": "I", "publisher": "I", "as_of": "I", "licence": "I", "url": "I", "sha256": "I",
               "limits": "I", "use": "I", "rows": "Q"},
    "text": {"end": "I"},
    "meta": {"as_of": "I"},
}  # fmt: skip
"""Columns of every table, with their type codes; ``text.bytes`` holds the texts that others point to.

Numbers of texts are 0 where there is none. ``evidence`` has from ``asn`` on what follows from it; of
``provider`` and ``parent``, 0 is the AS itself where there is one, else unknown. ``as`` is ascending by
``number``, ``provider`` by the text of ``id``: both are bisected. A column ``end`` tells where the entries
of each row end, in ``announced``, ``origin`` and ``text.bytes``; a row's entries begin where those of the
row before end."""

ENDS: Mapping[str, str] = {"evidence": "announced.source", "origins": "origin.asn", "text": "text.bytes"}
"""Table with a column ``end`` → a column of its entries."""
POINTERS: Mapping[str, str] = {
    "v4.evidence": "evidence",
    "v6.evidence": "evidence",
    "announced.source": "source",
    "announced.origins": "origins",
    "listed.source": "source",
}
"""Column of row numbers → the table that it points into."""
POINTERS_FROM_1: Mapping[str, str] = {
    "evidence.listed": "listed",
    "as.name_source": "source",
    "as.provider": "provider",
}
"""The same, where 0 is none and 1 the first row."""
TEXTS = (
    *(f"evidence.{name}" for name in ("provider", "parent", "region", "country", "kind_basis")),
    "announced.country",
    *(f"listed.{name}" for name in ("provider", "region", "service", "country")),
    "as.name",
    *(f"{table}.{name}" for table in ("list", "provider", "parent", "source", "meta")
      for name, code in TABLES[table].items() if code == "I"),
)  # fmt: skip
"""Columns of numbers of texts."""


class MapSource(NamedTuple):
    """One source of the maps as the map file has it."""

    name: str
    publisher: str
    as_of: str
    """ISO 8601 date; empty where the publisher gives none."""
    licence: str
    url: str
    sha256: str
    limits: tuple[str, ...]
    use: str
    """What it was read for: ``origins``, ``ranges``, ``names`` or ``hosting``."""
    rows: int


class Row(NamedTuple):
    """One range of addresses that share all evidence."""

    evidence: int
    origin_length: int | None
    """Length of the announced prefix; None where nothing is announced."""
    listed_length: int | None
    """Length of the published range; None where no provider lists the address."""


class MapTables:
    """The tables of a map file.

    Opening them checks the form of every column, and of the values the day alone. Any other is checked when
    it is used, so each method and property raises `MalformedMap` for one that is out of range; `Maps.check`
    checks them all.

    Parameters
    ----------
    sections : mapping
        From `map_layout.decode`.

    Raises
    ------
    MalformedMap
        If a column is missing, of another type, or not as long as its table, or the day is none.

    Examples
    --------
    >>> from concentra.adapters.data_files import maps_directory
    >>> from concentra.adapters.map_files import open_tables
    >>> tables = open_tables(maps_directory())
    >>> row = tables.row(4, 0x08080808)
    >>> row.origin_length, tables.attribution(row.evidence).provider
    (24, 'google')
    >>> tables.row(4, 0x7F000001).origin_length is None  # 127.0.0.1
    True
    """

    def __init__(self, sections: Mapping[str, memoryview]) -> None:
        for table, columns in (*RANGES.items(), *TABLES.items(), ("text", {"bytes": "B"})):
            for column, code in columns.items():
                section = sections.get(f"{table}.{column}")
                if section is None or section.format != code:
                    raise MalformedMap(f"column {table}.{column} is missing or of another type")
            lengths = {len(sections[f"{table}.{column}"]) for column in columns}
            if len(lengths) > 1:
                raise MalformedMap(f"the columns of {table} have {sorted(lengths)} rows")
        if not len(sections["v4.start"]) or not len(sections["v6.high"]):
            raise MalformedMap("it holds no ranges")
        if sections["v4.start"][0] or sections["v6.high"][0] or sections["v6.low"][0]:
            raise MalformedMap("its ranges do not begin with the first address")
        self.sections = sections
        self.as_of = _day(self.text(self._value("meta.as_of", 0)))
        """The day as of which the table of origins stands, in ISO 8601."""

    def row(self, version: int, address: int) -> Row:
        """Return the range that holds `address`, an integer below ``2**32`` or ``2**128``."""
        column = self.sections
        if version == 4:
            start: Callable[[int], int] = column["v4.start"].__getitem__
        else:
            high, low = column["v6.high"], column["v6.low"]

            def start(position: int) -> int:
                return high[position] << 64 | low[position]

        table = f"v{version}"
        position = _last_not_above(address, start, len(column[f"{table}.evidence"]), table)
        return Row(
            column[f"{table}.evidence"][position],
            self._length(f"{table}.origin_length", position),
            self._length(f"{table}.listed_length", position),
        )

    def evidence(self, number: int) -> Evidence:
        """Return the combination of evidence with that number."""
        begin, end = self._span("evidence", number)
        announcements = tuple(
            Announcement(
                source=self._source(self._value("announced.source", entry)),
                origins=self._origins(self._value("announced.origins", entry)),
                country=self.text(self._value("announced.country", entry)),
            )
            for entry in range(begin, end)
        )
        listed = self._value("evidence.listed", number)
        return Evidence(announcements, self.record(listed - 1) if listed else None)

    def attribution(self, number: int) -> Attribution:
        """Return what follows from the combination of evidence with that number."""
        return self.concluded(self.evidence(number))

    def concluded(self, evidence: Evidence) -> Attribution:
        """Return what follows from `evidence`, be it of the maps alone or of an answer from online too."""
        return conclude(evidence, self.facts_of, self.curated_of)

    def record(self, number: int) -> PublishedRecord:
        """Return the published record with that number."""
        provider, region, service, country = (
            self.text(self._value(f"listed.{name}", number))
            for name in ("provider", "region", "service", "country")
        )
        return PublishedRecord(
            provider=provider,
            kind=self._kind("listed.kind", number),
            region=region or None,
            service=service or None,
            country=country or None,
            source=self._source(self._value("listed.source", number)),
        )

    def facts_of(self, asn: int) -> AsFacts:
        """Return what is known of an AS number; of most, no more than a name."""
        position = self._as_row(asn)
        if position is None:
            return AsFacts(None, f"AS{asn}", f"AS{asn}", None, "none", ())
        column = self.sections
        provider = column["as.provider"][position]
        lists = tuple(
            self.text(name)
            for bit, name in enumerate(column["list.name"])
            if column["as.lists"][position] >> bit & 1
        )
        own = self.text(self._value("provider.id", provider - 1)) if provider else f"AS{asn}"
        return AsFacts(
            name=self.text(column["as.name"][position]) or None,
            provider=own,
            parent=self.text(self._value("provider.parent", provider - 1)) if provider else own,
            kind=self._kind("as.kind", position) if column["as.kind"][position] else None,
            kind_basis=CURATED if provider else "+".join(lists) or "none",
            lists=lists,
        )

    def name_source(self, asn: int) -> str:
        """Return the name of the source that gives the AS number its name; empty where none is known."""
        position = self._as_row(asn)
        number = 0 if position is None else self.sections["as.name_source"][position]
        return self._source(number - 1) if number else ""

    def text(self, number: int) -> str:
        """Return the text with that number; 0 is the empty one, which stands for nothing."""
        begin, end = self._span("text", number)
        return bytes(self.sections["text.bytes"][begin:end]).decode("utf-8", "replace")

    def curated_of(self, provider: str) -> tuple[str, Kind] | None:
        """Return parent and kind of a curated provider; None if it is none."""
        column = self.sections
        position = bisect_left(column["provider.id"], provider, key=self.text)
        if position == len(column["provider.id"]) or self.text(column["provider.id"][position]) != provider:
            return None
        return self.text(column["provider.parent"][position]), self._kind("provider.kind", position)

    @cached_property
    def curated(self) -> Mapping[str, tuple[str, Kind]]:
        """Identifier of every curated provider → its parent and kind."""
        column = self.sections
        return {
            self.text(identifier): (self.text(parent), self._kind("provider.kind", number))
            for number, (identifier, parent) in enumerate(
                zip(column["provider.id"], column["provider.parent"], strict=True)
            )
        }

    @cached_property
    def names(self) -> Mapping[str, str]:
        """Identifier of every curated provider and parent → its name for people."""
        pairs = [
            pair
            for table in ("parent", "provider")
            for pair in zip(self.sections[f"{table}.id"], self.sections[f"{table}.name"], strict=True)
        ]
        return {self.text(identifier): self.text(name) for identifier, name in pairs}

    @cached_property
    def sources(self) -> tuple[MapSource, ...]:
        """The sources of the maps, in the order in which they were read."""
        return tuple(self._sources())

    def _sources(self) -> Iterator[MapSource]:
        for number, rows in enumerate(self.sections["source.rows"]):
            told = {
                name: self.text(self.sections[f"source.{name}"][number])
                for name in ("name", "publisher", "as_of", "licence", "url", "sha256", "use")
            }
            if told["as_of"]:
                _day(told["as_of"])
            limits = self.text(self.sections["source.limits"][number]).splitlines()
            yield MapSource(**told, limits=tuple(limits), rows=rows)

    def _value(self, column: str, row: int) -> int:
        """Return the value in a row that another table points to."""
        try:
            value: int = self.sections[column][row]
        except IndexError as error:
            raise _outside(column, row) from error
        return value

    def _span(self, table: str, row: int) -> tuple[int, int]:
        """Return where the entries of a row begin and end, of a table with a column ``end``."""
        ends = self.sections[f"{table}.end"]
        try:
            begin, end = ends[row - 1] if row else 0, ends[row]
        except IndexError as error:
            raise _outside(f"{table}.end", row) from error
        if not begin <= end <= len(self.sections[ENDS[table]]):
            raise MalformedMap(f"row {row} of {table} points outside {ENDS[table]}: {begin} to {end}")
        return begin, end

    def _origins(self, row: int) -> tuple[int, ...]:
        begin, end = self._span("origins", row)
        return tuple(self.sections["origin.asn"][begin:end])

    def _source(self, row: int) -> str:
        try:
            return self.sources[row].name
        except IndexError as error:
            raise _outside("source.name", row) from error

    def _kind(self, column: str, row: int) -> Kind:
        number = self._value(column, row)
        if not 0 < number <= len(KINDS):
            raise MalformedMap(f"row {row} of {column} is {number}, wanted a kind from 1 to {len(KINDS)}")
        return KINDS[number - 1]

    def _length(self, column: str, row: int) -> int | None:
        length = self.sections[column][row]
        if length == NO_LENGTH:
            return None
        if length > (most := MAX_LENGTHS[column[:2]]):
            raise MalformedMap(f"row {row} of {column} is {length}, wanted a length of at most {most}")
        return int(length)

    def _as_row(self, asn: int) -> int | None:
        """Return the row of an AS number in the table ``as``; None where it has none."""
        numbers = self.sections["as.number"]
        if not len(numbers):
            return None
        position = _last_not_above(asn, numbers.__getitem__, len(numbers), "as")
        return position if numbers[position] == asn else None


def _last_not_above(wanted: int, value: Callable[[int], int], count: int, table: str) -> int:
    """Return the last of `count` rows, at least one, whose value is not above `wanted`; else the first.

    Every row met on the way must be in order, which finds most tables that are not ascending.
    """
    first, after = 0, count
    least, most = value(0), 1 << 128
    while after - first > 1:
        middle = (first + after) // 2
        met = value(middle)
        if not least < met < most:
            raise MalformedMap(f"row {middle} of {table} is not in ascending order")
        if met <= wanted:
            first, least = middle, met
        else:
            after, most = middle, met
    return first


def _day(text: str) -> str:
    """Return `text`, which must be a day in the one form that orders as days do."""
    try:
        known = date.fromisoformat(text).isoformat() == text
    except ValueError:
        known = False
    if not known:
        raise MalformedMap(f"wanted a date like 2026-01-02, found {text[:40]!r}")
    return text


def _outside(column: str, row: int) -> MalformedMap:
    return MalformedMap(f"a row points to row {row} of {column.partition('.')[0]}, which has fewer")
