"""The counts that ethernodes.org published, as read from archived copies of its pages, into series.

A row is one slice of one copy of a page: ``wayback_ts,page,page_total,label,count``. Two pages are read:
`network-types` counts all nodes by the type of their network, `networkType/Hosting` those in hosting by
company, the 21 largest of them. Each has a view of synced nodes only (``?synced=1``).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import msgspec

from concentra.errors import UnreadableFile
from concentra.model.series import LABEL, Category, DatedCounts

COLUMNS = ("wayback_ts", "page", "page_total", "label", "count")
HOSTING, NETWORK_TYPES = "networkType/Hosting", "network-types"
LATER_COPY = "a later copy of a page of the same day"
_PAGE = re.compile(rf"({HOSTING}|{NETWORK_TYPES})(?:\?synced=([01]))?")
_TIME = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})[0-9]{6}")
_NUMBER = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """One archived copy of a page."""

    at: str
    """When it was archived, YYYYMMDDhhmmss in UTC."""
    on: date
    page: str
    """`HOSTING` or `NETWORK_TYPES`."""
    synced: bool
    """Whether synced nodes only were counted."""
    total: int
    counts: Mapping[str, int]
    """Label → nodes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """One entity of ours, and what the publisher calls it."""

    id: str
    labels: tuple[str, ...]
    evidence: str
    """Why these labels are that entity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelTable:
    """Content of labels.toml: which published label means which provider or kind of ours."""

    provider: tuple[Labelled, ...]
    kind: tuple[Labelled, ...]


def decode_labels(data: bytes, name: str = "labels.toml") -> LabelTable:
    """Return the table in `data`.

    Raises
    ------
    UnreadableFile
        If it has another form, or a label or an identifier stands twice.
    """
    try:
        table = msgspec.toml.decode(data, type=LabelTable)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableFile(name, str(error)) from error
    for entries in (table.provider, table.kind):
        for what in ([entry.id for entry in entries], [label for entry in entries for label in entry.labels]):
            twice = sorted({text for text in what if what.count(text) > 1})
            if twice:
                raise UnreadableFile(name, f"{twice[0]!r} stands twice")
    return table


def decode_copies(data: bytes, name: str) -> tuple[Copy, ...]:
    """Return the copies of pages in a file of rows, in the order of their time.

    Raises
    ------
    UnreadableFile
        If a row has another form, or a copy has two totals or a label twice.
    """
    try:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnreadableFile(name, str(error)) from error
    if not rows or tuple(rows[0]) != COLUMNS:
        raise UnreadableFile(name, f"wanted the columns {','.join(COLUMNS)}")
    totals: dict[tuple[str, str], int] = {}
    counts: dict[tuple[str, str], dict[str, int]] = {}
    for number, row in enumerate(rows[1:], 2):
        if len(row) != len(COLUMNS) or not all(_NUMBER.fullmatch(cell) for cell in (row[2], row[4])):
            raise UnreadableFile(name, f"row {number}: wanted {','.join(COLUMNS)}, found {row}")
        at, page, total, label, count = row[0], row[1], int(row[2]), row[3], int(row[4])
        if own_identifier(label) == LABEL:
            raise UnreadableFile(name, f"row {number}: wanted a label with a letter in it, found {label!r}")
        of_copy = counts.setdefault((at, page), {})
        if totals.setdefault((at, page), total) != total or label in of_copy:
            raise UnreadableFile(name, f"row {number}: a copy has one total, and each label once")
        of_copy[label] = count
    return tuple(
        _copy(at, page, totals[at, page], found, name) for (at, page), found in sorted(counts.items())
    )


def first_of_each_day(copies: Iterable[Copy], *, page: str, synced: bool) -> tuple[tuple[Copy, ...], int]:
    """Return the first copy of `page` on each day, and how many later ones that leaves out.

    One of them has to stand for the day. The copies of a day differ by a few nodes, or, hours apart, by a
    few in a hundred; the first is taken because nothing that a later hour shows can change which one it is.
    """
    firsts: dict[date, Copy] = {}
    left_out = 0
    for copy in sorted(copies, key=lambda copy: copy.at):
        if copy.page == page and copy.synced is synced:
            left_out += copy.on in firsts
            firsts.setdefault(copy.on, copy)
    return tuple(firsts.values()), left_out


def merged(
    copies: Sequence[Copy], entries: Sequence[Labelled], names: Mapping[str, str]
) -> tuple[tuple[Category, ...], tuple[DatedCounts, ...]]:
    """Return the categories of `copies` and their counts by date; labels of one entity are added.

    Parameters
    ----------
    copies : sequence of Copy
        One a day.
    entries : sequence of Labelled
        Which labels are an entity of ours. Any other label stays an entity of its own.
    names : mapping
        What our entities are called.
    """
    entity_of = {label: entry.id for entry in entries for label in entry.labels}
    labels: dict[str, set[str]] = {}
    tables = []
    for copy in copies:
        counts: dict[str, int] = {}
        for label, count in copy.counts.items():
            identifier = entity_of.get(label) or own_identifier(label)
            labels.setdefault(identifier, set()).add(label)
            counts[identifier] = counts.get(identifier, 0) + count
        tables.append(DatedCounts(on=copy.on, counts=counts, total=copy.total))
    categories = tuple(
        Category(id=identifier, name=names.get(identifier, min(own)), labels=tuple(sorted(own)))
        for identifier, own in sorted(labels.items())
    )
    return categories, tuple(tables)


def own_identifier(label: str) -> str:
    """Return the identifier of a label that is no entity of ours.

    Examples
    --------
    >>> own_identifier("Example & Sons, Ltd.")
    'label:example-sons-ltd'
    """
    return LABEL + re.sub(r"[^\w]+", "-", label.lower()).strip("-_")


def _copy(at: str, page: str, total: int, counts: Mapping[str, int], name: str) -> Copy:
    time, parts = _TIME.fullmatch(at), _PAGE.fullmatch(page)
    if time is None or parts is None:
        raise UnreadableFile(name, f"wanted a time and a page, found {at!r} and {page!r}")
    try:
        on = date(*map(int, time.groups()))
    except ValueError as error:
        raise UnreadableFile(name, f"{at!r}: {error}") from error
    return Copy(at=at, on=on, page=parts[1], synced=parts[2] == "1", total=total, counts=counts)
