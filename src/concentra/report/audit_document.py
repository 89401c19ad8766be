"""An audit → one plain document: the versioned JSON, and the rows of every CSV.

The shape is held by ``schemas/audit-1.json``; a field is added under the same version, renamed or
removed only under the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from concentra import __version__
from concentra.model.audit import Audit, Cell, Score
from concentra.model.provenance import Source
from concentra.report.plain import exported
from concentra.report.publishable import publishable_conflicts, publishable_names, publishable_rows

SCHEMA = "concentra-audit/1"

Document = Mapping[str, Any]


def audit_document(audit: Audit, *, made_at: datetime, command: str) -> Document:
    """Return the whole audit as JSON-ready values; no address is among them.

    Parameters
    ----------
    audit : Audit
    made_at : datetime
        Aware, UTC: when the audit was run.
    command : str
        The command line that made it, without paths.
    """
    return {
        "schema": SCHEMA,
        "tool": {"name": "concentra", "version": __version__},
        "command": exported(command, limit=1000),
        "made_at": made_at.isoformat(timespec="seconds"),
        "subject": exported(audit.subject),
        "title": exported(audit.title),
        "unit": audit.unit.value,
        "unit_totals": {unit.value: total for unit, total in audit.unit_totals.items()},
        "unavailable_units": {unit.value: reason for unit, reason in audit.unavailable_units.items()},
        "population": source_document(audit.population),
        "maps_as_of": audit.maps_as_of.isoformat(),
        "maps": [source_document(source) for source in audit.maps],
        "notes": [exported(note, limit=1000) for note in audit.notes],
        "funnel": list(funnel_rows(audit)),
        "cells": [_cell(cell) for cell in audit.cells],
        "conflicts": list(conflict_rows(audit)),
        "sampling": None
        if audit.sampling is None
        else {
            "method": f"percentile bootstrap over {audit.sampling.cluster}",
            "seed": audit.sampling.seed,
            "replicates": audit.sampling.replicates,
            "clusters": audit.sampling.clusters,
            "blocks": audit.sampling.blocks,
            "confidence": audit.sampling.confidence,
        },
    }


def source_document(source: Source) -> Document:
    """Return one source with its date and licence."""
    return {
        "name": exported(source.name),
        "publisher": exported(source.publisher, limit=200),
        "as_of": source.as_of.isoformat() if source.as_of else None,
        "licence": exported(source.licence),
        "url": None if source.url is None else exported(source.url, limit=1000),
        "sha256": None if source.sha256 is None else exported(source.sha256),
        "rows": source.rows,
        "limits": [exported(limit, limit=1000) for limit in source.limits],
    }


def share_rows(audit: Audit) -> Iterator[Document]:
    """Yield one row for each entity of each cell that may be named, and one for all that may not."""
    for cell in audit.cells:
        distribution = cell.distribution
        key = {
            "axis": distribution.axis.value,
            "denominator": distribution.denominator.value,
            "unit": audit.unit.value,
        }
        for row in _share_rows_of(cell):
            yield {**key, **row}


def score_rows(audit: Audit) -> Iterator[Document]:
    """Yield one row for each score."""
    for cell in audit.cells:
        distribution = cell.distribution
        for score in _scores(cell):
            yield {
                "axis": distribution.axis.value,
                "denominator": distribution.denominator.value,
                "unit": audit.unit.value,
                **score,
                "n": distribution.total,
                "n_possible": distribution.possible,
                "unattributed": distribution.unknown,
                "coverage": distribution.coverage,
            }


def funnel_rows(audit: Audit) -> Iterator[Document]:
    """Yield one row for each step, with what it dropped by reason."""
    for step in audit.funnel:
        yield {
            "step": exported(step.name),
            "left": step.left,
            "unit": exported(step.unit),
            "dropped": {exported(reason): count for reason, count in step.dropped.items()},
            "note": None if step.note is None else exported(step.note, limit=1000),
        }


def conflict_rows(audit: Audit) -> Iterator[Document]:
    """Yield one row for each disagreement between two sources."""
    for conflict in publishable_conflicts(audit.conflicts):
        yield {
            "about": conflict.about,
            "followed": exported(conflict.followed),
            "followed_basis": conflict.followed_basis,
            "rejected": exported(conflict.rejected),
            "rejected_basis": conflict.rejected_basis,
            "unit": audit.unit.value,
            "units": conflict.units,
        }


def _cell(cell: Cell) -> Document:
    distribution = cell.distribution
    return {
        "axis": distribution.axis.value,
        "denominator": distribution.denominator.value,
        "n": distribution.total,
        "n_possible": distribution.possible,
        "coverage": distribution.coverage,
        "unattributed": dict(distribution.unattributed),
        "confined": sum(part.units for part in distribution.confined),
        "shares": list(_share_rows_of(cell)),
        "scores": list(_scores(cell)),
    }


def _share_rows_of(cell: Cell) -> Iterator[Document]:
    rows = publishable_rows(cell.distribution)
    if not rows:
        return
    bounds = cell.distribution.share_bounds_of_each(row.members for row in rows)
    for row, (lower, upper) in zip(rows, bounds, strict=True):
        yield {
            "entity": exported(row.id),
            "name": exported(row.name),
            "entities": len(row.members),
            "units": row.units,
            "units_possible": row.possible,
            "share_lower": lower,
            "share_upper": upper,
        }


def _scores(cell: Cell) -> Sequence[Document]:
    names = publishable_names(cell.distribution)
    return [_score(score, names) for score in cell.scores.values()]


def _score(score: Score, names: frozenset[str]) -> Document:
    return {
        "metric": score.metric,
        "value": score.value,
        "lower": score.lower,
        "upper": score.upper,
        "low": score.low,
        "high": score.high,
        "who": [exported(entity) if entity in names else "(not named)" for entity in score.who],
        "definition": score.definition,
    }
