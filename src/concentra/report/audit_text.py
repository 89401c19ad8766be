"""An audit as a person reads it: who hosts the network, how concentrated that is, and how sure that is."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date
from io import StringIO
from itertools import zip_longest

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from concentra.metrics.concentration import hhi_label
from concentra.metrics.scores import DEFAULT_METRICS
from concentra.model.audit import Audit, Cell, Distribution, Score
from concentra.model.axes import Axis, Denominator, Unit
from concentra.report.figures import bar, number_range, percent, percent_range, points_range
from concentra.report.plain import clean

PLURAL: Mapping[Unit, str] = {
    Unit.NODE: "nodes",
    Unit.ADDRESS: "addresses",
    Unit.PREFIX: "prefixes (/24, /48)",
    Unit.ROW: "rows",
}
ENTITIES: Mapping[Axis, str] = {
    Axis.PROVIDER: "providers",
    Axis.PARENT: "companies",
    Axis.ASN: "AS numbers",
    Axis.REGION: "regions",
    Axis.COUNTRY: "countries",
    Axis.KIND: "kinds",
}
NARROW = 78
"""Below these columns bars and regions are left out."""
WIDE = 116
"""From these columns on the figures stand in a table."""
BAR_WIDTH = 14
NAME_WIDTH = 26
"""Longer names are cut; below 12 columns for them the counts make room."""
REGIONS_WIDTH = 16
NO_SHARE = "–"
"""Printed where an entity has no unit in the denominator, or the denominator none for certain."""
REGIONS_SHOWN = 3


def render_audit(audit: Audit, *, width: int, colour: bool, top: int = 10) -> str:
    """Return the report as text.

    Parameters
    ----------
    audit : Audit
    width : int
        Columns to fit into; below `NARROW` the bars and regions are left out.
    colour : bool
        Whether to mark headings with terminal attributes.
    top : int
        How many of the largest entities to list.
    """
    out = StringIO()
    console = Console(
        file=out,
        width=width,
        force_terminal=colour,
        no_color=not colour,
        highlight=False,
        markup=False,
        emoji=False,
        color_system="standard" if colour else None,
    )
    for block in _blocks(audit, width, top):
        console.print(block)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _blocks(audit: Audit, width: int, top: int) -> Iterator[RenderableType]:
    yield _headline(audit)
    yield _wrapped([_lead(audit)], width, hanging="")
    yield Text()
    yield _wrapped(_source_lines(audit), width)
    yield Text()
    ranked = next((cell for cell in audit.cells if cell.distribution.axis is Axis.PROVIDER), audit.cells[0])
    yield from _ranking(audit, ranked.distribution.axis, width, top)
    yield Text()
    yield Text(f"How concentrated ({PLURAL[audit.unit]})", style="bold")
    yield from _figures(audit, width)
    yield _wrapped(_unknown(audit), width)
    yield Text()
    yield from _units(audit, width)
    yield from _conflicts(audit, width)
    yield Text()
    yield Text("How to read this", style="bold")
    yield _wrapped(_legend(audit), width)


def _headline(audit: Audit) -> Text:
    parts = [
        clean(audit.title),
        f"{audit.unit_totals[audit.unit]:,} {PLURAL[audit.unit]} of {_day(audit.population.as_of)}",
        f"maps of {_day(audit.maps_as_of)}",
    ]
    return Text(" · ".join(parts), style="bold")


def _lead(audit: Audit) -> str:
    """Return the answer in one sentence."""
    cell = audit.cells[0]
    distribution = cell.distribution
    if not distribution.entities or not cell.scores:
        return f"Of no {PLURAL[audit.unit]} it is known who hosts them."
    largest = distribution.entities[0]
    shares = [
        f"{_share_of(other.distribution, largest.id)} of {other.distribution.denominator.value}"
        for other in audit.cells
        if other.distribution.axis is distribution.axis
        and _share_of(other.distribution, largest.id) != NO_SHARE
    ]
    return (
        f"The largest {distribution.axis.value} is {clean(largest.id)}: {', '.join(shares)}; "
        f"the three largest hold {_bounds(cell.scores['top3'])} of {distribution.denominator.value}, "
        f"as concentrated as {_bounds(cell.scores['effective'])} equal {ENTITIES[distribution.axis]}."
    )


def _source_lines(audit: Audit) -> Iterator[str]:
    source = audit.population
    yield f"source   {clean(source.publisher, limit=200)} ({clean(source.licence)})"
    dates = sorted(source.as_of for source in audit.maps if source.as_of)
    if dates:
        oldest, newest = dates[0].isoformat(), dates[-1].isoformat()
        yield f"maps     origin AS of {_day(audit.maps_as_of)}; sources of {oldest} to {newest} (--json)"
    for limit in source.limits:
        yield f"limit    {clean(limit, limit=1000)}"
    yield f"funnel   {_funnel(audit)}"
    unrecorded = [clean(step.name) for step in audit.funnel if step.left is None]
    if unrecorded:
        yield f"         not recorded by the source: {', '.join(unrecorded)}"
    for note in audit.notes:
        yield f"note     {clean(note, limit=1000)}"


def _funnel(audit: Audit) -> str:
    steps: list[str] = []
    unit = None
    for step in audit.funnel:
        if step.left is None:
            continue
        dropped = ", ".join(f"−{count:,} {clean(reason)}" for reason, count in step.dropped.items())
        steps.append(
            f"{clean(step.name)} {step.left:,}"
            + (f" {clean(step.unit)}" if step.unit != unit or step.name == "addresses" else "")
            + (f" ({dropped})" if dropped else "")
        )
        unit = step.unit
    attributed = audit.funnel[-1].left
    total = audit.unit_totals[audit.unit]
    coverage = f" = {percent(attributed / total)}" if attributed is not None else ""
    return " → ".join(steps) + coverage


def _ranking(audit: Audit, axis: Axis, width: int, top: int) -> Iterator[RenderableType]:
    """Yield the largest entities of `axis` with their share of every denominator.

    Shares are never cut: what room they leave goes to the names, then to bars, then to regions.
    """
    cells = [cell for cell in audit.cells if cell.distribution.axis is axis]
    first = cells[0].distribution
    rows = [
        [
            axis.value,
            PLURAL[audit.unit].split()[0],
            *(f"of {cell.distribution.denominator}" for cell in cells),
        ],
        *_ranking_rows(cells, ENTITIES[axis], top),
    ]
    widths = [max(map(cell_len, column)) for column in zip_longest(*rows, fillvalue="")]
    room = width - sum(widths[1:]) - 2 * len(widths[1:])
    if room < min(12, widths[0]):
        room += widths[1] + 2
        rows = [[name, *shares] for name, _, *shares in rows]
    name_width = min(widths[0], NAME_WIDTH, max(room, 6))
    spare = room - name_width - 2 if width >= NARROW else 0
    bars = spare >= BAR_WIDTH
    regions_width = spare - BAR_WIDTH - 2
    regions = _regions_of(audit) if axis is Axis.PROVIDER and regions_width >= REGIONS_WIDTH else {}
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=True, header_style="bold")
    table.add_column(axis.value, no_wrap=True, overflow="ellipsis", max_width=name_width)
    for heading in rows[0][1:]:
        table.add_column(heading, justify="right")
    if bars:
        table.add_column("", no_wrap=True, width=BAR_WIDTH)
    if regions:
        table.add_column("regions, of all", no_wrap=True, overflow="ellipsis", max_width=regions_width)
    named = first.entities[:top]
    for entity, (name, *figures) in zip_longest(named, rows[1:]):
        row = [Text(name, style="" if entity else "dim"), *figures]
        if entity and bars:
            row.append(Text(bar(entity.units, named[0].units, BAR_WIDTH), style="cyan"))
        if entity and regions:
            row.append(Text(regions.get(entity.id, "")))
        table.add_row(*row)
    yield Text("Who hosts it", style="bold")
    yield table
    names = "; ".join(
        f"{entity.id} is {clean(entity.name)}"
        for entity in first.entities[:top]
        if entity.id.startswith("AS") and entity.id != entity.name
    )
    if names:
        yield _wrapped([names], width)


def _ranking_rows(cells: Sequence[Cell], entities: str, top: int) -> Iterator[list[str]]:
    """Yield name, units and shares of the largest `top`, of the others together, and of the unattributed."""
    first = cells[0].distribution
    whole = first.total or 1  # nothing may belong to it for certain: then certain shares are 0
    for entity in first.entities[:top]:
        shares = (_share_of(cell.distribution, entity.id) for cell in cells)
        yield [clean(entity.id), f"{entity.units:,}", *shares]
    rest = first.entities[top:]
    if rest:
        named = {entity.id for entity in first.entities[:top]}
        yield [
            f"{len(rest):,} further {entities}",
            f"{sum(entity.units for entity in rest):,}",
            *(_share_of_others(cell.distribution, named) for cell in cells),
        ]
    if first.unknown:
        yield ["unattributed", f"{first.unknown:,}", percent(first.unknown / whole)]


def _share_of(distribution: Distribution, identifier: str) -> str:
    if not distribution.total or not any(entity.id == identifier for entity in distribution.entities):
        return NO_SHARE
    return percent_range(*distribution.share_bounds(identifier))


def _share_of_others(distribution: Distribution, named: AbstractSet[str]) -> str:
    """Return the share of all entities but those named."""
    others = [entity.id for entity in distribution.entities if entity.id not in named]
    return percent_range(*distribution.share_bounds(*others)) if others and distribution.total else NO_SHARE


def _regions_of(audit: Audit) -> Mapping[str, str]:
    """Return for each provider its largest regions, with their share of all units."""
    for cell in audit.cells:
        distribution = cell.distribution
        if distribution.axis is Axis.REGION and distribution.denominator is Denominator.ALL:
            found: dict[str, list[str]] = {}
            for entity in distribution.entities:
                regions = found.setdefault(entity.id.partition("/")[0], [])
                if len(regions) < REGIONS_SHOWN:
                    regions.append(entity.id)
            shown = [region for regions in found.values() for region in regions]
            shares = distribution.share_bounds_of_each([region] for region in shown)
            share_of = dict(zip(shown, shares, strict=True))
            return {
                provider: ", ".join(
                    f"{clean(region.partition('/')[2])} {percent_range(*share_of[region])}"
                    for region in regions
                )
                for provider, regions in found.items()
            }
    return {}


def _figures(audit: Audit, width: int) -> Iterator[RenderableType]:
    """Yield the default line of every cell: a table where it fits, else paragraphs."""
    cells = [cell for cell in audit.cells if cell.scores]
    if width >= WIDE:
        yield _table(cells)
    else:
        for cell in cells:
            yield _wrapped(_paragraph(cell), width, hanging="    ")
    for cell in audit.cells:
        further = list(_further_lines(cell))
        if further:
            yield Text()
            yield Text(f"Every index: {_title(cell)}", style="bold")
            yield _wrapped(further, width, hanging=" " * 25)


def _table(cells: Sequence[Cell]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("")
    for heading in ("units", "known"):
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in ("largest", "top 3", "HHI points", "as N equal", "hold > 1/2"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("who: the top 3", min_width=20, overflow="fold")
    axis = None
    for cell in cells:
        distribution, scores = cell.distribution, cell.scores
        if distribution.axis is not axis:
            axis = distribution.axis
            table.add_row(Text(axis.value, style="bold"))
        coverage = distribution.coverage
        table.add_row(
            f"  of {distribution.denominator.value}",
            _size(distribution),
            "" if coverage is None else percent(coverage),
            *(_bounds(scores[metric]) for metric in DEFAULT_METRICS),
            Text(", ".join(clean(identifier) for identifier in scores["top3"].who) or "nobody known"),
        )
        if scores["share"].low is not None:
            intervals = [_interval(scores[metric]) for metric in DEFAULT_METRICS[:4]]
            table.add_row(*(Text(text, style="dim") for text in ("    sampling", "", "", *intervals)))
    return table


def _paragraph(cell: Cell) -> Iterator[str]:
    scores = cell.scores
    coverage = cell.distribution.coverage
    who = ", ".join(clean(identifier) for identifier in scores["top3"].who) or "nobody known"
    yield f"{_title(cell)} · {'' if coverage is None else percent(coverage)} known"
    yield (
        f"  largest {_bounds(scores['share'])} · top 3 {_bounds(scores['top3'])} ({who}) · "
        f"HHI {_bounds(scores['hhi'])} points · as {_bounds(scores['effective'])} equal "
        f"{ENTITIES[cell.distribution.axis]} · the largest {_bounds(scores['nakamoto'])} hold > 1/2"
    )
    if scores["share"].low is not None:
        yield (
            f"  sampling: largest {_interval(scores['share'])} · top 3 {_interval(scores['top3'])} · "
            f"HHI {_interval(scores['hhi'])} · as {_interval(scores['effective'])}"
        )


def _title(cell: Cell) -> str:
    distribution = cell.distribution
    return f"{distribution.axis.value}, of {distribution.denominator.value} {_size(distribution)}"


def _size(distribution: Distribution) -> str:
    return number_range(distribution.total, distribution.total + distribution.possible)


def _bounds(score: Score) -> str:
    return (
        "n/a"
        if score.lower is None or score.upper is None
        else _range(score.metric, score.lower, score.upper)
    )


def _interval(score: Score) -> str:
    return "" if score.low is None or score.high is None else _range(score.metric, score.low, score.high)


def _range(metric: str, lower: float, upper: float) -> str:
    match metric:
        case "share" | "top3":
            return percent_range(lower, upper)
        case "hhi":
            return points_range(lower, upper)
        case "effective":
            return number_range(lower, upper, 1)
        case _:
            return number_range(lower, upper)


def _further_lines(cell: Cell) -> Iterator[str]:
    further = [score for metric, score in cell.scores.items() if metric not in DEFAULT_METRICS]
    for score in further:
        yield f"  {score.metric:21} {_further(score):>10}  {score.definition}".rstrip()
    if further:
        hhi = cell.scores["hhi"]
        labels = [str(hhi_label(end)) for end in (hhi.lower, hhi.upper) if end is not None]
        label = " to ".join(dict.fromkeys(labels))
        yield f"  {'merger guidelines':21} {'':>10}  {label} (an analogy: of prices, not of failing)"


def _further(score: Score) -> str:
    if score.value is None:
        return "undefined"
    if score.lower is not None and score.upper is not None:
        return number_range(score.lower, score.upper)
    return f"{score.value:,.4g}"


def _unknown(audit: Audit) -> Iterator[str]:
    """Yield what is unknown in each cell, and why; none of it is counted as an entity."""
    said: dict[str, list[str]] = {}
    for cell in audit.cells:
        distribution = cell.distribution
        reasons = [f"{count:,} {reason}" for reason, count in distribution.unattributed.items()]
        confined = sum(part.units for part in distribution.confined)
        if confined:
            reasons.append(f"{confined:,} {distribution.confined_reason}, somewhere within their provider")
        if distribution.possible:
            reasons.append(f"{distribution.possible:,} on networks of unknown kind, in or out")
        if reasons:
            said.setdefault("; ".join(reasons), []).append(
                f"{distribution.axis.value} of {distribution.denominator.value}"
            )
    for reason, where in said.items():
        yield f"unknown  {', '.join(where)}: {reason}"


def _units(audit: Audit, width: int) -> Iterator[RenderableType]:
    """Yield the same population counted under every unit, since the order of the hosts changes with it."""
    yield Text("The largest providers of all, counted otherwise (lower ends of their shares)", style="bold")
    lines = []
    for unit in Unit:
        if unit in audit.unit_totals:
            leaders = ", ".join(
                f"{clean(entity.id)} {percent(entity.units / audit.unit_totals[unit])}"
                for entity in audit.leaders[unit]
            )
            mark = "  ← this report" if unit is audit.unit else ""
            lines.append(f"  {unit.value:8} {audit.unit_totals[unit]:>9,}   {leaders}{mark}")
        elif unit in audit.unavailable_units:
            lines.append(f"  {unit.value:8} {'n/a':>9}   {clean(audit.unavailable_units[unit], limit=200)}")
    yield _wrapped(lines, width, hanging=" " * 22)


def _conflicts(audit: Audit, width: int) -> Iterator[RenderableType]:
    counts: dict[str, int] = {}
    for conflict in audit.conflicts:
        counts[conflict.about] = counts.get(conflict.about, 0) + conflict.units
    if counts:
        total = ", ".join(f"{about} {count:,}" for about, count in sorted(counts.items()))
        yield Text()
        yield _wrapped(
            [f"sources disagree on: {total} (the stronger evidence is followed; --csv lists them)"], width
        )


def _legend(audit: Audit) -> Iterator[str]:
    yield "a–b         what the figure could be, whatever the unknown units are: no assumption is made"
    yield "of hosted   on networks of kind hosting or edge (CDN, proxy); those of unknown kind are in or out"
    yield "HHI         sum of squared shares; 10,000 points: one has all. As N equal: 10,000 / HHI"
    yield (
        "hold > 1/2  so few together hold more than half of what was observed (Nakamoto coefficient); "
        "consensus depends on stake, which counts of nodes do not tell"
    )
    if audit.sampling is not None:
        sampling = audit.sampling
        dealt = "" if sampling.blocks is None else f" dealt into {sampling.blocks:,} blocks"
        yield (
            f"sampling    {sampling.confidence * 100:.0f} % interval, {sampling.replicates:,} resamplings "
            f"of {sampling.clusters:,} {sampling.cluster}{dealt} (seed {sampling.seed}): would another crawl "
            "of this kind agree? It does not say how far the crawl is from the network"
        )


def _wrapped(
    lines: Sequence[str] | Iterator[str], width: int, *, hanging: str = "            "
) -> RenderableType:
    """Return lines folded to `width`; a folded line goes on below its text."""
    folded = [
        part
        for line in lines
        for part in textwrap.wrap(
            line,
            width,
            subsequent_indent=hanging,
            break_long_words=True,
            break_on_hyphens=False,
            replace_whitespace=False,
            drop_whitespace=True,
        )
        or [""]
    ]
    return Group(*(Text(line) for line in folded))


def _day(day: date | None) -> str:
    return day.isoformat() if day else "unknown date"
