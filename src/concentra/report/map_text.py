"""What is known of the maps, as a person reads it: status, what an update did, how two maps differ."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from concentra.attribution.comparison import AxisComparison, ComparedMap, MapComparison, Move
from concentra.attribution.map_profile import IPV4_ADDRESSES, Figure, MapProfile
from concentra.attribution.map_state import MAX_AGE_DAYS, InUse, MapStatus, MapUpdate, Outcome
from concentra.model.provenance import Source
from concentra.report.figures import percent
from concentra.report.plain import clean

GAP = "  "
UNKNOWN = "unknown"
_WARNINGS_SHOWN = 3
_NAME = 24
_WIDEST = 40


def render_status(status: MapStatus, *, width: int) -> str:
    """Return which maps are in use, what they cover, and how old their sources are."""
    lines = [*_headline(status), *_installed(status)]
    if status.profile is not None:
        lines += [*_coverage(status.profile), "", *_sources(status, width), "", *_limits(status.sources)]
    lines += _old(status)
    lines += [f"DAMAGED    {sentence}" for sentence in status.in_use.damage]
    return _fitted(lines, width)


def render_update(update: MapUpdate, *, width: int) -> str:
    """Return what an update did, and what is in use now."""
    changed = f"{update.feeds:,} asked for, {len(update.changed):,} changed since the last fetch"
    names = f": {', '.join(update.changed)}" if 0 < len(update.changed) < update.feeds else ""
    match update.outcome:
        case Outcome.UNCHANGED:
            lines = [f"nothing to install: {_named(update.now)} are made of the same files"]
        case Outcome.CHECKED:
            lines = [f"maps of {update.as_of} can be installed; nothing was, as was asked for"]
        case Outcome.INSTALLED:
            lines = [f"installed maps of {update.as_of}; before: {_named(update.before)}"]
    lines += [f"feeds      {changed}{names}"]
    lines += [f"left out   {sentence}" for sentence in update.skipped]
    if update.figures:
        kept = len(update.figures) - len(update.failed)
        lines.append(f"checks     {kept} of {len(update.figures)} figures within their distances")
    lines += [f"accepted   {figure_text(figure)}" for figure in update.failed]
    lines += _warnings(update.warnings)
    if update.outcome is Outcome.INSTALLED and update.now.shipped:
        lines.append(f"note       {_named(update.now)} are newer, and stay in use")
    elif update.outcome is Outcome.INSTALLED:
        lines.append(f"in use     {update.now.directory}")
    return _fitted(lines, width)


def render_rollback(now: InUse, *, rolled_back: bool) -> str:
    """Return what is in use after a rollback."""
    done = "rolled back" if rolled_back else "nothing to roll back"
    return f"{done}: {_named(now)} are in use ({now.directory})\n"


def figure_text(figure: Figure) -> str:
    """Return a figure of two maps with what is allowed.

    Examples
    --------
    >>> from fractions import Fraction
    >>> from concentra.attribution.map_profile import Distance
    >>> figure_text(Figure(name="share of x", old=Fraction(1, 8), new=Fraction(0), is_share=True,
    ...                    allowed=Distance(fall=30, rise=40)))
    'share of x: 12.5 % before, 0.0 % now, allowed -30 % to +40 % of the former'
    """
    old, new = (
        percent(float(value)) if figure.is_share else f"{int(value):,}" for value in (figure.old, figure.new)
    )
    allowed = f"-{figure.allowed.fall} % to +{figure.allowed.rise} % of the former"
    return f"{clean(figure.name)}: {old} before, {new} now, allowed {allowed}"


def render_comparison(comparison: MapComparison, *, width: int, top: int) -> str:
    """Return how many units two maps tell alike on each axis, and the largest differences."""
    as_of = comparison.population.as_of.isoformat() if comparison.population.as_of else "unknown date"
    lines = [
        f"{clean(comparison.title)} · {comparison.total:,} addresses of {as_of}",
        f"A  {_side(comparison.a)}",
        f"B  {_side(comparison.b)}",
        *(f"note       {clean(note, limit=1000)}" for note in comparison.notes),
        "",
        *_agreement(comparison),
    ]
    for axis in comparison.axes:
        if axis.moves:
            lines += ["", *_moves(axis, comparison.total, top)]
    return _fitted(lines, width)


# Status.


def _headline(status: MapStatus) -> Iterator[str]:
    where = "shipped with concentra" if status.in_use.shipped else "installed by an update"
    if status.in_use.as_of is None:
        yield f"maps in use, {where}"
    else:
        age = status.age(status.in_use.as_of)
        yield f"maps of {status.in_use.as_of}, {_days(age)} old, {where}"
    yield f"directory  {status.in_use.directory}"
    if status.built_by:
        yield f"built by   {clean(status.built_by)}"


def _installed(status: MapStatus) -> Iterator[str]:
    yield f"installed  {', '.join(status.installed) or 'none'}"
    if status.current is not None and status.in_use.shipped:
        yield f"note       {status.current} is installed, and older than the shipped maps, which are in use"


def _coverage(known: MapProfile) -> Iterator[str]:
    share = percent(known.announced_ipv4 / IPV4_ADDRESSES)
    yield (
        f"coverage   {known.announced_ipv4:,} IPv4 addresses announced, {share} of all; "
        f"{known.announced_48s:,} IPv6 /48s"
    )
    yield (
        f"           {known.ranges:,} ranges, {known.records:,} published records, "
        f"{known.as_numbers:,} AS numbers, {known.listed_as_numbers:,} of them on hosting lists"
    )


def _sources(status: MapStatus, width: int) -> Iterator[str]:
    rows = [("source", "as of", "days", "rows", "licence")]
    rows += [
        (
            clean(source.name, limit=_NAME),
            source.as_of.isoformat() if source.as_of else UNKNOWN,
            f"{status.age(source.as_of):,}" if source.as_of else UNKNOWN,
            UNKNOWN if source.rows is None else f"{source.rows:,}",
            clean(source.licence),
        )
        for source in status.sources
    ]
    for line in _table(rows, right={2, 3}):
        yield line if len(line) <= width else line[: width - 1] + "…"


def _limits(sources: Sequence[Source]) -> Iterator[str]:
    for source in sources:
        for limit in source.limits:
            yield f"limit      {clean(source.name, limit=_NAME)}: {clean(limit, limit=1000)}"


def _old(status: MapStatus) -> Iterator[str]:
    if status.old:
        named = ", ".join(f"{clean(name, limit=_NAME)} ({_days(age)})" for name, age in status.old.items())
        yield (
            f"OLD        older than {MAX_AGE_DAYS} days: {named}; "
            "`concentra maps update` fetches what is newer"
        )


def _named(maps: InUse) -> str:
    return f"the shipped maps of {maps.as_of}" if maps.shipped else f"the installed maps of {maps.as_of}"


def _days(count: int) -> str:
    return f"{count:,} day{'' if count == 1 else 's'}"


def _warnings(warnings: Sequence[str]) -> Iterator[str]:
    if warnings:
        yield f"WARNING    curated providers registered under other names than listed: {len(warnings):,}"
    for sentence in warnings[:_WARNINGS_SHOWN]:
        yield f"           {clean(sentence, limit=300)}"
    if len(warnings) > _WARNINGS_SHOWN:
        yield f"           and {len(warnings) - _WARNINGS_SHOWN:,} more"


# Comparison.


def _side(side: ComparedMap) -> str:
    return f"maps of {side.as_of}, {len(side.sources)} sources, {side.directory}"


def _agreement(comparison: MapComparison) -> Iterator[str]:
    total = comparison.total
    rows = [("axis", "alike", "", "different", "", "unknown in A", "in B", "in both", f"of {total:,}")]
    rows += [
        (
            axis.axis.value,
            f"{axis.alike:,}",
            percent(axis.alike / total),
            f"{axis.different:,}",
            percent(axis.different / total),
            f"{axis.unknown_in_a:,}",
            f"{axis.unknown_in_b:,}",
            f"{axis.unknown_in_both:,}",
            "",
        )
        for axis in comparison.axes
    ]
    yield from _table(rows, right=set(range(1, 8)))


def _moves(axis: AxisComparison, total: int, top: int) -> Iterator[str]:
    shown, all_ = min(top, len(axis.moves)), len(axis.moves)
    yield f"{axis.axis.value}: A → B, {shown:,} largest of {all_:,} differences, out of {total:,} addresses"
    rows = [
        (f"{move.units:,}", percent(move.units / total), f"{_entity(move, 'a')} → {_entity(move, 'b')}")
        for move in axis.moves[:top]
    ]
    yield from _table(rows, right={0, 1})


def _entity(move: Move, side: str) -> str:
    identifier, name = (move.a, move.a_name) if side == "a" else (move.b, move.b_name)
    if identifier is None:
        return UNKNOWN
    shown, known = clean(identifier, limit=_WIDEST), clean(name, limit=_WIDEST)
    return shown if shown == known else f"{shown} ({known})"


# Lines.


def _table(rows: Sequence[tuple[str, ...]], *, right: set[int]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            f"{cell:>{size}}" if position in right else f"{cell:<{size}}"
            for position, (cell, size) in enumerate(zip(row, widths, strict=True))
        )
        yield GAP.join(cells).rstrip()


def _fitted(lines: Iterable[str], width: int) -> str:
    """Return the lines, those that are too long wrapped below their second column."""
    fitted: list[str] = []
    for line in lines:
        fitted += textwrap.wrap(
            line,
            width,
            subsequent_indent=" " * 11,
            break_long_words=False,
            break_on_hyphens=False,
            replace_whitespace=False,
            drop_whitespace=True,
        ) or [""]
    return "\n".join(fitted) + "\n"
