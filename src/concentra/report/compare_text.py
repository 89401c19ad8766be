"""How two populations differ, as a person reads it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import IntEnum, auto
from fractions import Fraction
from typing import NamedTuple

from concentra.model.axes import Unit
from concentra.model.population_comparison import (
    NOT_TOLD_OF,
    Compared,
    Host,
    PopulationComparison,
    ProviderFlow,
    ShareChange,
    UnitClass,
    Where,
)
from concentra.report.figures import percent
from concentra.report.plain import clean

PLURAL: Mapping[Unit, str] = {
    Unit.NODE: "nodes",
    Unit.ADDRESS: "addresses",
    Unit.PREFIX: "prefixes (/24, /48)",
    Unit.ROW: "rows",
}
GAP = "  "
NONE = "–"
_NAME = 24
_SHORTEST = 8
_INDENT = 11


def render_comparison(comparison: PopulationComparison, *, width: int, top: int) -> str:
    """Return the report as text.

    Parameters
    ----------
    comparison : PopulationComparison
    width : int
        Columns to fit into.
    top : int
        How many of the largest providers to list.
    """
    head = [
        _side("OLD", comparison.old, comparison.unit),
        _side("NEW", comparison.new, comparison.unit),
        *_headline(comparison),
        *_notes(comparison),
    ]
    lines = [*_prose(head, width), "", *_classes(comparison, width)]
    if not comparison.identical:
        lines += ["", *_traits(comparison, width)] if comparison.traits else []
        lines += ["", *_providers(comparison, width, top), "", *_prose(_reading(comparison), width)]
    return "\n".join(lines) + "\n"


def _side(name: str, one: Compared, unit: Unit) -> str:
    day = one.source.as_of.isoformat() if one.source.as_of else "unknown date"
    others = ", ".join(f"{total:,} {PLURAL[other]}" for other, total in one.totals if other is not unit)
    return f"{name}        {clean(one.title)} · {one.units:,} {PLURAL[unit]} of {day}" + (
        f" ({others})" if others else ""
    )


def _headline(comparison: PopulationComparison) -> Iterator[str]:
    if comparison.identical:
        what = "the same file" if comparison.same_file else "alike"
        whole = f"{comparison.old.units:,} {PLURAL[comparison.unit]}"
        yield f"identical  OLD and NEW are {what}: each of the {whole} is in both, nothing differs"
        yield from _unit_reason(comparison)
        return
    days = comparison.days
    if days is None:
        yield "time       unknown: a population is undated; --old-as-of and --new-as-of name the days"
    else:
        yield f"time       {_days(days)}"
    if comparison.same_file:
        yield "file       OLD and NEW are made of the same bytes, read in different ways"
    yield from _unit_reason(comparison)
    yield f"maps       origin AS of {comparison.maps_as_of} for both: no difference comes from the maps"
    largest = _largest_change(comparison)
    if largest is not None:
        flow, change = largest
        yield (
            f"change     most at {clean(flow.id or flow.name, limit=_NAME)}: {percent(float(change.old))} → "
            f"{percent(float(change.new))} ({_points(change.total)}){_because(change)}"
        )


def _unit_reason(comparison: PopulationComparison) -> Iterator[str]:
    if comparison.unit_reason is not None:
        yield f"unit       compared by {comparison.unit.value}: {clean(comparison.unit_reason, limit=200)}"


def _days(days: int) -> str:
    if not days:
        return "both of one day"
    apart = f"{abs(days):,} day{'' if abs(days) == 1 else 's'}"
    return f"NEW is {apart} {'later' if days > 0 else 'EARLIER'} than OLD"


def _largest_change(comparison: PopulationComparison) -> tuple[ProviderFlow, ShareChange] | None:
    changes = [(flow, comparison.change(flow)) for flow in comparison.providers if flow.id is not None]
    found = max(changes, key=lambda entry: abs(entry[1].total), default=None)
    return found if found is not None and found[1].total else None


def _because(change: ShareChange) -> str:
    steps = [("left", change.by_left), ("moved", change.by_moved), ("arrived", change.by_arrived)]
    told = [f"{_points(step)} by what {name}" for name, step in steps if step]
    return f": {', '.join(told)}" if told else ""


def _notes(comparison: PopulationComparison) -> Iterator[str]:
    old, new = comparison.old, comparison.new
    for label, of_old, of_new in (
        ("limit", old.source.limits, new.source.limits),
        ("note ", old.notes, new.notes),
    ):
        for sentence in dict.fromkeys((*of_old, *of_new)):
            whose = " and ".join(
                name for name, told in (("OLD", of_old), ("NEW", of_new)) if sentence in told
            )
            yield f"{label}      {whose}: {clean(sentence, limit=1000)}"


def _classes(comparison: PopulationComparison, width: int) -> Iterator[str]:
    """Yield what became of every unit, the classes adding up to each population."""
    old, new = comparison.old.units, comparison.new.units
    rows = [(PLURAL[comparison.unit], "units", "of OLD", "of NEW")]
    for where, title in (
        (Where.BOTH, "in both"),
        (Where.OLD, "in OLD only"),
        (Where.NEW, "in NEW only"),
    ):
        units = comparison.units_in(where)
        rows.append((title, f"{units:,}", *_of_both(where, units, old, new)))
        parts = [one for one in comparison.classes if one.where is where]
        if [one.what for one in parts] not in ([], [NOT_TOLD_OF], [Host.SAME.value]):
            rows += [
                (f"  {_what(one)}", f"{one.units:,}", *_of_both(where, one.units, old, new)) for one in parts
            ]
    yield from _table(rows, width)


def _of_both(where: Where, units: int, old: int, new: int) -> tuple[str, str]:
    return (
        "" if where is Where.NEW else percent(units / old),
        "" if where is Where.OLD else percent(units / new),
    )


def _what(one: UnitClass) -> str:
    if one.where is Where.BOTH:
        return one.what
    other = "NEW" if one.where is Where.OLD else "OLD"
    return f"{clean(one.what)} in {other}"


def _traits(comparison: PopulationComparison, width: int) -> Iterator[str]:
    rows = [("of those in both", "told by both", "differ", "")]
    rows += [
        (trait.name, f"{trait.compared:,}", f"{trait.differ:,}", percent(trait.differ / trait.compared))
        for trait in comparison.traits
    ]
    yield from _table(rows, width)


class _Column(NamedTuple):
    """One column of the table of providers."""

    heading: str
    cell: Callable[[ProviderFlow, ShareChange], str]
    units: Callable[[ProviderFlow], int] | None = None
    """What can be added up over providers."""


def _counted(heading: str, units: Callable[[ProviderFlow], int]) -> _Column:
    return _Column(heading, lambda flow, _: _whole(units(flow)), units)


def _whole(count: int) -> str:
    return f"{count:,}".replace("-", "−")


class _Detail(IntEnum):
    """How much the table of providers shows; each shows more than the one before."""

    NET_MOVES = auto()
    MOVES = auto()
    SHARES = auto()
    STEPS = auto()
    """What a change of share comes from."""


def _columns(detail: _Detail, *, moves: bool) -> Iterator[_Column]:
    yield _counted("OLD", lambda flow: flow.old)
    yield _counted("− left", lambda flow: flow.left)
    if moves and detail >= _Detail.MOVES:
        yield _counted("− out", lambda flow: flow.moved_out)
        yield _counted("+ in", lambda flow: flow.moved_in)
    elif moves:
        yield _counted("± moved", lambda flow: flow.moved_in - flow.moved_out)
    yield _counted("+ arrived", lambda flow: flow.arrived)
    yield _counted("= NEW", lambda flow: flow.new)
    if detail >= _Detail.SHARES:
        yield _Column("OLD %", lambda _, change: percent(float(change.old)))
        yield _Column("NEW %", lambda _, change: percent(float(change.new)))
        yield _Column("change", lambda _, change: _points(change.total))
    if detail >= _Detail.STEPS:
        yield _Column("by left", lambda _, change: _step(change.by_left))
        if moves:
            yield _Column("by moved", lambda _, change: _step(change.by_moved))
        yield _Column("by arrived", lambda _, change: _step(change.by_arrived))


def _step(value: Fraction | None) -> str:
    return NONE if value is None else _points(value)


def _providers(comparison: PopulationComparison, width: int, top: int) -> Iterator[str]:
    """Yield the largest providers, the units of none, and all others in one row, in what detail fits."""
    for detail in sorted(_Detail, reverse=True):
        rows = _provider_rows(comparison, detail, top)
        if sum(_sizes(rows)) + len(GAP) * (len(rows[0]) - 1) <= width:
            break
    yield from _table(rows, width)


def _provider_rows(comparison: PopulationComparison, detail: _Detail, top: int) -> Sequence[tuple[str, ...]]:
    known = [flow for flow in comparison.providers if flow.id is not None]
    unknown = [flow for flow in comparison.providers if flow.id is None]
    moves = any(flow.moved_in or flow.moved_out for flow in comparison.providers)
    columns = list(_columns(detail, moves=moves))
    rows = [("provider", *(column.heading for column in columns))]
    for flow in (*known[:top], *unknown):
        change = comparison.change(flow)
        name = clean(flow.id or flow.name, limit=_NAME)
        rows.append((name, *(column.cell(flow, change) for column in columns)))
    if rest := known[top:]:
        sums = (_whole(sum(map(column.units, rest))) if column.units else "" for column in columns)
        rows.append((f"{len(rest):,} further", *sums))
    return rows


def _reading(comparison: PopulationComparison) -> Iterator[str]:
    yield "How to read this"
    yield "share      of all units of that population; unattributed ones are in the whole"
    yield (
        "change     in percentage points; taking out what left, moving what moved and adding what arrived, "
        "in this order, adds up to it; where all leave in proportion, leaving changes no share"
    )
    if comparison.unit is not Unit.NODE:
        unit = comparison.unit.value
        yield f"moves      of a node are not seen: where one {unit} leaves, another one arrives"


def _points(value: Fraction) -> str:
    """Return a difference of shares in percentage points.

    >>> _points(Fraction(-1, 80))
    '−1.2 pp'
    """
    shown = f"{abs(float(value)) * 100:.1f} pp"
    return f"−{shown}" if value < 0 and shown != "0.0 pp" else f"+{shown}"


def _sizes(rows: Sequence[tuple[str, ...]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def _table(rows: Sequence[tuple[str, ...]], width: int) -> Iterator[str]:
    """Yield rows whose first column is text and the others figures; the text makes room if there is none."""
    sizes = _sizes(rows)
    figures = sum(len(GAP) + size for size in sizes[1:])
    first = max(_SHORTEST, min(sizes[0], width - figures))
    for row in rows:
        name = row[0] if len(row[0]) <= first else row[0][: first - 1] + "…"
        cells = [f"{cell:>{size}}" for cell, size in zip(row[1:], sizes[1:], strict=True)]
        yield GAP.join([f"{name:<{first}}", *cells]).rstrip()


def _prose(lines: Iterable[str], width: int) -> Iterator[str]:
    """Yield the lines, those that are too long wrapped below their second column."""
    for line in lines:
        yield from textwrap.wrap(
            line, width, subsequent_indent=" " * _INDENT, break_long_words=False, break_on_hyphens=False
        )
