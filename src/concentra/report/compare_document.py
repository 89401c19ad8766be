"""How two populations differ, as a versioned JSON document and CSV files.

The shape is held by ``schemas/compare-1.json``; a field is added under the same version, renamed or removed
only under the next.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any

from concentra import __version__
from concentra.model.population_comparison import Compared, PopulationComparison, ProviderFlow
from concentra.report.audit_document import Document, source_document
from concentra.report.json_text import json_text
from concentra.report.plain import exported, spreadsheet_safe
from concentra.report.publishable import publishable_flows

SCHEMA = "concentra-compare/1"
MANIFEST = "manifest.json"

_CLASSES = ("where", "what", "unit", "units", "of_old", "of_new")
_TRAITS = ("trait", "unit", "compared", "differ")
_PROVIDERS = (
    "entity",
    "name",
    "entities",
    "unit",
    "old",
    "left",
    "moved_out",
    "moved_in",
    "arrived",
    "new",
    "share_old",
    "share_new",
    "change",
    "change_by_left",
    "change_by_moved",
    "change_by_arrived",
)


def comparison_document(comparison: PopulationComparison, *, made_at: datetime, command: str) -> Document:
    """Return how two populations differ as JSON-ready values; no address and no small cell is among them.

    Parameters
    ----------
    comparison : PopulationComparison
    made_at : datetime
        Aware, UTC.
    command : str
        The command line that made it, without paths.
    """
    return {
        "schema": SCHEMA,
        **_described(comparison, made_at, command),
        "classes": list(_classes(comparison)),
        "traits": list(_traits(comparison)),
        "providers": list(_providers(comparison)),
    }


def comparison_csv(
    comparison: PopulationComparison, *, made_at: datetime, command: str
) -> Mapping[str, bytes]:
    """Return file name → content: classes, traits, providers, and the manifest over them."""
    tables = {
        "classes.csv": _csv(_CLASSES, _classes(comparison)),
        "traits.csv": _csv(_TRAITS, _traits(comparison)),
        "providers.csv": _csv(_PROVIDERS, _providers(comparison)),
    }
    files = [
        {"file": name, "rows": data.count(b"\n") - 1, "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in tables.items()
    ]
    manifest = {
        "schema": "concentra-manifest/1",
        **_described(comparison, made_at, command),
        "files": files,
    }
    return {**tables, MANIFEST: json_text(manifest).encode("utf-8")}


def _described(comparison: PopulationComparison, made_at: datetime, command: str) -> Document:
    return {
        "tool": {"name": "concentra", "version": __version__},
        "command": exported(command, limit=1000),
        "made_at": made_at.isoformat(timespec="seconds"),
        "unit": comparison.unit.value,
        "unit_reason": None
        if comparison.unit_reason is None
        else exported(comparison.unit_reason, limit=1000),
        "identical": comparison.identical,
        "same_file": comparison.same_file,
        "days": comparison.days,
        "old": _side(comparison.old),
        "new": _side(comparison.new),
        "maps_as_of": comparison.maps_as_of.isoformat(),
        "maps": [source_document(source) for source in comparison.maps],
    }


def _side(one: Compared) -> Document:
    return {
        "subject": exported(one.subject),
        "title": exported(one.title),
        "n": one.units,
        "unit_totals": {unit.value: total for unit, total in one.totals},
        "population": source_document(one.source),
        "notes": [exported(note, limit=1000) for note in one.notes],
    }


def _classes(comparison: PopulationComparison) -> Iterator[Document]:
    for one in comparison.classes:
        yield {
            "where": one.where.value,
            "what": exported(one.what),
            "unit": comparison.unit.value,
            "units": one.units,
            "of_old": None if one.where == "new" else one.units / comparison.old.units,
            "of_new": None if one.where == "old" else one.units / comparison.new.units,
        }


def _traits(comparison: PopulationComparison) -> Iterator[Document]:
    for trait in comparison.traits:
        yield {
            "trait": trait.name,
            "unit": comparison.unit.value,
            "compared": trait.compared,
            "differ": trait.differ,
        }


def _providers(comparison: PopulationComparison) -> Iterator[Document]:
    for row in publishable_flows(comparison.providers):
        yield {
            "entity": None if row.flow.id is None else exported(row.flow.id),
            "name": exported(row.flow.name),
            "entities": row.entities,
            "unit": comparison.unit.value,
            "old": row.flow.old,
            **_steps(comparison, row.flow, withheld=row.withheld),
        }


def _steps(comparison: PopulationComparison, flow: ProviderFlow, *, withheld: bool) -> Document:
    """Return the counts and shares of a provider; what a withheld row says of single units is null."""
    change = comparison.change(flow)
    counts: dict[str, int | None] = {
        "left": flow.left,
        "moved_out": flow.moved_out,
        "moved_in": flow.moved_in,
        "arrived": flow.arrived,
    }
    steps: dict[str, Fraction | None] = {
        "change_by_left": change.by_left,
        "change_by_moved": change.by_moved,
        "change_by_arrived": change.by_arrived,
    }
    return {
        **(dict.fromkeys(counts) if withheld else counts),
        "new": flow.new,
        "share_old": float(change.old),
        "share_new": float(change.new),
        "change": float(change.total),
        **{name: None if withheld or step is None else float(step) for name, step in steps.items()},
    }


def _csv(columns: Sequence[str], rows: Iterable[Document]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row[column]) for column in columns])
    return out.getvalue().encode("utf-8")


def _cell(value: Any) -> Any:  # noqa: ANN401 - text, a number or nothing
    return spreadsheet_safe(value) if isinstance(value, str) else value
