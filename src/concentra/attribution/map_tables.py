"""The tables of a map file, read value by value: all that one address needs, and quick to import."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import NamedTuple

from concentra.attribution.errors import MalformedSource
from concentra.attribution.evidence import (
    CURATED,
    Announcement,
    AsFacts,
    Attribution,
    Evidence,
    PublishedRecord,
    conclude,
)
from concentra.model.axes import Basis, Kind

KINDS = tuple(Kind)
"""Kinds are stored as their number here, from 1; 0 is unknown."""
BASES = tuple(Basis)
"""Bases are stored as their number here."""
NO_LENGTH = 255
"""The length of a prefix where there is none."""

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
    "as": {"number": "I", "name": "I", "provider": "H", "kind": "B", "lists": "B"},
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
``provider`` and ``parent``, 0 is the AS itself where there is one, else unknown."""


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

    Parameters
    ----------
    sections : mapping
        From `map_layout.decode`.

    Raises
    ------
    MalformedSource
        If a column is missing, of another type, or not as long as its table.
    """

    def __init__(self, sections: Mapping[str, memoryview]) -> None:
        for table, columns in (*RANGES.items(), *TABLES.items(), ("text", {"bytes": "B"})):
            for column, code in columns.items():
                section = sections.get(f"{table}.{column}")
                if section is None or section.format != code:
                    raise MalformedSource("map", f"column {table}.{column} is missing or of another type")
            lengths = {len(sections[f"{table}.{column}"]) for column in columns}
            if len(lengths) > 1:
                raise MalformedSource("map", f"the columns of {table} have {sorted(lengths)} rows")
        if not len(sections["v4.start"]) or not len(sections["v6.high"]):
            raise MalformedSource("map", "it holds no ranges")
        if sections["v4.start"][0] or sections["v6.high"][0] or sections["v6.low"][0]:
            raise MalformedSource("map", "its ranges do not begin with the first address")
        self.sections = sections

    def row(self, version: int, address: int) -> Row:
        """Return the range that holds `address`, an integer below ``2**32`` or ``2**128``."""
        if version == 4:
            position = bisect_right(self.sections["v4.start"], address) - 1
        else:
            high, low = address >> 64, address & (1 << 64) - 1
            end = bisect_right(self.sections["v6.high"], high)
            begin = bisect_left(self.sections["v6.high"], high, 0, end)
            position = bisect_right(self.sections["v6.low"], low, begin, end) - 1
        origin, listed = (
            None if length == NO_LENGTH else length
            for length in (
                self.sections[f"v{version}.origin_length"][position],
                self.sections[f"v{version}.listed_length"][position],
            )
        )
        return Row(self.sections[f"v{version}.evidence"][position], origin, listed)

    def evidence(self, number: int) -> Evidence:
        """Return the combination of evidence with that number."""
        column = self.sections
        begin, end = _span(column["evidence.end"], number)
        announcements = tuple(
            Announcement(
                source=self.sources[column["announced.source"][entry]].name,
                origins=tuple(
                    column["origin.asn"][
                        slice(*_span(column["origins.end"], column["announced.origins"][entry]))
                    ]
                ),
                country=self.text(column["announced.country"][entry]),
            )
            for entry in range(begin, end)
        )
        listed = column["evidence.listed"][number]
        return Evidence(announcements, self.record(listed - 1) if listed else None)

    def attribution(self, number: int) -> Attribution:
        """Return what follows from the combination of evidence with that number."""
        return self.concluded(self.evidence(number))

    def concluded(self, evidence: Evidence) -> Attribution:
        """Return what follows from `evidence`, be it of the maps alone or of an answer from online too."""
        return conclude(evidence, self.facts_of, self.curated_of)

    def record(self, number: int) -> PublishedRecord:
        """Return the published record with that number."""
        column = self.sections
        return PublishedRecord(
            provider=self.text(column["listed.provider"][number]),
            kind=KINDS[column["listed.kind"][number] - 1],
            region=self.text(column["listed.region"][number]) or None,
            service=self.text(column["listed.service"][number]) or None,
            country=self.text(column["listed.country"][number]) or None,
            source=self.sources[column["listed.source"][number]].name,
        )

    def facts_of(self, asn: int) -> AsFacts:
        """Return what is known of an AS number; of most, no more than a name."""
        column = self.sections
        position = bisect_left(column["as.number"], asn)
        if position == len(column["as.number"]) or column["as.number"][position] != asn:
            return AsFacts(None, f"AS{asn}", f"AS{asn}", None, "none", ())
        provider = column["as.provider"][position]
        lists = tuple(
            self.text(name)
            for bit, name in enumerate(column["list.name"])
            if column["as.lists"][position] >> bit & 1
        )
        kind = column["as.kind"][position]
        own = self.text(column["provider.id"][provider - 1]) if provider else f"AS{asn}"
        return AsFacts(
            name=self.text(column["as.name"][position]) or None,
            provider=own,
            parent=self.text(column["provider.parent"][provider - 1]) if provider else own,
            kind=KINDS[kind - 1] if kind else None,
            kind_basis=CURATED if provider else "+".join(lists) or "none",
            lists=lists,
        )

    def text(self, number: int) -> str:
        """Return the text with that number; 0 is the empty one, which stands for nothing."""
        begin, end = _span(self.sections["text.end"], number)
        return bytes(self.sections["text.bytes"][begin:end]).decode("utf-8", "replace")

    def curated_of(self, provider: str) -> tuple[str, Kind] | None:
        """Return parent and kind of a curated provider; None if it is none."""
        column = self.sections
        position = bisect_left(column["provider.id"], provider, key=self.text)
        if position == len(column["provider.id"]) or self.text(column["provider.id"][position]) != provider:
            return None
        return self.text(column["provider.parent"][position]), KINDS[column["provider.kind"][position] - 1]

    @cached_property
    def curated(self) -> Mapping[str, tuple[str, Kind]]:
        """Identifier of every curated provider → its parent and kind."""
        return {
            self.text(identifier): (self.text(parent), KINDS[kind - 1])
            for identifier, parent, kind in zip(
                self.sections["provider.id"],
                self.sections["provider.parent"],
                self.sections["provider.kind"],
                strict=True,
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

    @cached_property
    def as_of(self) -> str:
        """The day as of which the table of origins stands, in ISO 8601."""
        return self.text(self.sections["meta.as_of"][0])

    def _sources(self) -> Iterator[MapSource]:
        for number, rows in enumerate(self.sections["source.rows"]):
            told = {
                name: self.text(self.sections[f"source.{name}"][number])
                for name in ("name", "publisher", "as_of", "licence", "url", "sha256", "use")
            }
            limits = self.text(self.sections["source.limits"][number]).splitlines()
            yield MapSource(**told, limits=tuple(limits), rows=rows)


def _span(ends: memoryview, number: int) -> tuple[int, int]:
    """Return where entry `number` of a column of variable length begins and ends."""
    return ends[number - 1] if number else 0, ends[number]
