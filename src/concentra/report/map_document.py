"""Status of the maps, and a comparison of two, as versioned JSON documents and CSV files."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from concentra import __version__
from concentra.attribution.comparison import AxisComparison, ComparedMap, MapComparison
from concentra.attribution.map_profile import IPV4_ADDRESSES, MapProfile
from concentra.attribution.map_state import MAX_AGE_DAYS, MapStatus
from concentra.report.audit_document import Document, source_document
from concentra.report.json_text import json_text
from concentra.report.plain import exported, spreadsheet_safe
from concentra.report.publishable import publishable_moves

STATUS_SCHEMA = "concentra-maps-status/1"
COMPARISON_SCHEMA = "concentra-maps-compare/1"
MANIFEST = "manifest.json"

_AGREEMENT = ("axis", "unit", "n", "alike", "different", "unknown_in_a", "unknown_in_b", "unknown_in_both")
_DIFFERENCES = ("axis", "unit", "a", "a_name", "b", "b_name", "units")
_TOOL = {"name": "concentra", "version": __version__}
_UNIT = "address"


def status_document(status: MapStatus) -> Document:
    """Return what is known of the maps in use; directories of this machine are among it."""
    used = status.in_use
    return {
        "schema": STATUS_SCHEMA,
        "tool": _TOOL,
        "today": status.today.isoformat(),
        "directory": str(used.directory),
        "shipped": used.shipped,
        "damage": list(used.damage),
        "as_of": _day(used.as_of),
        "age_days": None if used.as_of is None else status.age(used.as_of),
        "built_by": status.built_by or None,
        "coverage": None if status.profile is None else _coverage(status.profile),
        "sources": [
            {
                **source_document(source),
                "age_days": None if source.as_of is None else status.age(source.as_of),
            }
            for source in status.sources
        ],
        "max_age_days": MAX_AGE_DAYS,
        "old": status.old,
        "installed": list(status.installed),
        "current": status.current,
    }


def comparison_document(comparison: MapComparison, *, made_at: datetime, command: str) -> Document:
    """Return how two maps differ as JSON-ready values; no address and no small cell is among them.

    Parameters
    ----------
    comparison : MapComparison
    made_at : datetime
        Aware, UTC.
    command : str
        The command line that made it, without paths.
    """
    axes = [
        {**_agreement(axis, comparison.total), "differences": list(_differences(axis))}
        for axis in comparison.axes
    ]
    return {"schema": COMPARISON_SCHEMA, **_described(comparison, made_at, command), "axes": axes}


def comparison_csv(comparison: MapComparison, *, made_at: datetime, command: str) -> Mapping[str, bytes]:
    """Return file name → content: agreement, differences, and the manifest over them."""
    tables = {
        "agreement.csv": _csv(_AGREEMENT, (_agreement(axis, comparison.total) for axis in comparison.axes)),
        "differences.csv": _csv(
            _DIFFERENCES, (row for axis in comparison.axes for row in _differences(axis))
        ),
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


def _coverage(known: MapProfile) -> Document:
    return {
        "announced_ipv4": known.announced_ipv4,
        "announced_ipv4_share": known.announced_ipv4 / IPV4_ADDRESSES,
        "announced_48s": known.announced_48s,
        "ranges": known.ranges,
        "records": known.records,
        "as_numbers": known.as_numbers,
        "listed_as_numbers": known.listed_as_numbers,
    }


def _described(comparison: MapComparison, made_at: datetime, command: str) -> Document:
    return {
        "tool": _TOOL,
        "command": exported(command, limit=1000),
        "made_at": made_at.isoformat(timespec="seconds"),
        "title": exported(comparison.title),
        "population": source_document(comparison.population),
        "notes": [exported(note, limit=1000) for note in comparison.notes],
        "unit": _UNIT,
        "n": comparison.total,
        "a": _side(comparison.a),
        "b": _side(comparison.b),
    }


def _side(side: ComparedMap) -> Document:
    return {
        "maps_as_of": side.as_of.isoformat(),
        "maps": [source_document(source) for source in side.sources],
    }


def _agreement(axis: AxisComparison, total: int) -> Document:
    return {
        "axis": axis.axis.value,
        "unit": _UNIT,
        "n": total,
        "alike": axis.alike,
        "different": axis.different,
        "unknown_in_a": axis.unknown_in_a,
        "unknown_in_b": axis.unknown_in_b,
        "unknown_in_both": axis.unknown_in_both,
    }


def _differences(axis: AxisComparison) -> Iterator[Document]:
    for move in publishable_moves(axis.moves):
        yield {
            "axis": axis.axis.value,
            "unit": _UNIT,
            "a": None if move.a is None else exported(move.a),
            "a_name": None if move.a is None else exported(move.a_name),
            "b": None if move.b is None else exported(move.b),
            "b_name": None if move.b is None else exported(move.b_name),
            "units": move.units,
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


def _day(value: date | None) -> str | None:
    return None if value is None else value.isoformat()
