"""An audit → tidy CSV files and the manifest that goes with them."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping
from datetime import datetime

from concentra.model.audit import Audit
from concentra.report.audit_document import (
    Document,
    audit_document,
    conflict_rows,
    funnel_rows,
    score_rows,
    share_rows,
)
from concentra.report.json_text import json_text
from concentra.report.plain import spreadsheet_safe

MANIFEST = "manifest.json"


def audit_csv(audit: Audit, *, made_at: datetime, command: str) -> Mapping[str, bytes]:
    """Return file name → content: shares, scores, funnel, conflicts, and the manifest over them.

    One row is one observation, one column one variable; an empty cell is a value that does not exist.
    Text that a spreadsheet would run as a formula is quoted with an apostrophe.
    """
    tables = {
        "shares.csv": _csv(
            (
                "axis",
                "denominator",
                "unit",
                "entity",
                "name",
                "entities",
                "units",
                "units_possible",
                "share_lower",
                "share_upper",
            ),
            share_rows(audit),
        ),
        "scores.csv": _csv(
            (
                "axis",
                "denominator",
                "unit",
                "metric",
                "definition",
                "value",
                "lower",
                "upper",
                "low",
                "high",
                "who",
                "n",
                "n_possible",
                "unattributed",
                "coverage",
            ),
            ({**row, "who": " ".join(row["who"])} for row in score_rows(audit)),
        ),
        "funnel.csv": _csv(("position", "step", "left", "unit", "reason", "dropped", "note"), _funnel(audit)),
        "conflicts.csv": _csv(
            ("about", "followed", "followed_basis", "rejected", "rejected_basis", "unit", "units"),
            conflict_rows(audit),
        ),
    }
    document = audit_document(audit, made_at=made_at, command=command)
    described = (
        "tool",
        "command",
        "made_at",
        "subject",
        "title",
        "unit",
        "unit_totals",
        "population",
        "maps_as_of",
        "maps",
        "notes",
        "sampling",
    )
    manifest = {
        "schema": "concentra-manifest/1",
        **{key: document[key] for key in described},
        "files": [
            {"file": name, "rows": data.count(b"\n") - 1, "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in tables.items()
        ],
    }
    tables[MANIFEST] = json_text(manifest).encode("utf-8")
    return tables


def _funnel(audit: Audit) -> Iterable[Document]:
    """Yield a row for each step, then one for each reason of dropping at it."""
    for position, row in enumerate(funnel_rows(audit), start=1):
        yield {**row, "position": position, "dropped": "", "reason": ""}
        for reason, count in row["dropped"].items():
            yield {
                "position": position,
                "step": row["step"],
                "unit": row["unit"],
                "reason": reason,
                "dropped": count,
            }


def _csv(columns: Iterable[str], rows: Iterable[Document]) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(columns), restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(
            {
                column: spreadsheet_safe(value) if isinstance(value, str) else value
                for column, value in row.items()
            }
        )
    return out.getvalue().encode("utf-8")
