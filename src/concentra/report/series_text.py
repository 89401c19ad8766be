"""Series of published counts, as a person reads of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from concentra.model.series import LABEL, Series
from concentra.report.plain import clean

_WIDEST = 400
"""Characters of the longest text that is shown whole."""


def render_series(found: Sequence[Series]) -> str:
    """Return what each series counts, of which days, by whom, and what was merged or left out."""
    return "\n".join(f"{clean(series.header.name)}\n{_aligned(_lines(series))}" for series in found)


def render_merged(found: Sequence[Series]) -> str:
    """Return which labels were added up, once for all series, and which stayed entities of their own."""
    merged = {category.id: category.labels for series in found for category in series.merged}
    for series in found:
        for category in series.merged:
            merged[category.id] = tuple(sorted({*merged[category.id], *category.labels}))
    own = {label for series in found for label in _own_labels(series)}
    lines = [
        ("merged", f"{identifier}: {' + '.join(labels)}") for identifier, labels in sorted(merged.items())
    ]
    if own:
        lines.append(("unmapped", ", ".join(sorted(own))))
    return _aligned(lines)


def _aligned(lines: Iterable[tuple[str, str]]) -> str:
    return "".join(f"  {word:<9} {clean(text, limit=_WIDEST)}\n" for word, text in lines)


def _lines(series: Series) -> Iterator[tuple[str, str]]:
    header = series.header
    first, last = series.dates[0], series.dates[-1]
    days = f"{len(series.dates)} days from {first} to {last}" if len(series.dates) > 1 else f"1 day, {first}"
    yield "counts", header.title
    yield "of", f"{header.network}, {header.unit}s by {header.axis}, {header.denominator}; {header.filter}"
    yield "dates", days
    if header.whole is not None:
        yield "whole", header.whole
    yield "source", f"{header.source.publisher}; {header.source.licence}"
    for category in series.merged:
        yield "merged", f"{category.id}: {' + '.join(category.labels)}"
    own = _own_labels(series)
    if own:
        yield "unmapped", ", ".join(own)
    for reason, count in header.dropped.items():
        yield "left out", f"{count} x {reason}"
    for table in series.conflicts:
        yield "conflict", f"{table.on}: the categories hold {table.listed:,}, the total is {table.total:,}"
    for limit in (*header.source.limits, *header.notes):
        yield "limit", limit


def _own_labels(series: Series) -> list[str]:
    return sorted(
        label
        for category in series.header.category
        if category.id.startswith(LABEL)
        for label in category.labels
    )
