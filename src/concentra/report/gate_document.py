"""A judged policy → its versioned JSON document, held by ``schemas/check-1.json``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from concentra import __version__
from concentra.gate.judge import Check, Gate
from concentra.report.audit_document import source_document
from concentra.report.plain import exported

SCHEMA = "concentra-check/1"


def gate_document(gate: Gate, *, made_at: datetime, command: str) -> Mapping[str, Any]:
    """Return the verdict, every rule with its figure, and what both rest on."""
    audit = gate.audit
    return {
        "schema": SCHEMA,
        "tool": {"name": "concentra", "version": __version__},
        "command": exported(command, limit=1000),
        "made_at": made_at.isoformat(timespec="seconds"),
        "subject": exported(audit.subject),
        "unit": audit.unit.value,
        "n": audit.unit_totals[audit.unit],
        "population": source_document(audit.population),
        "maps_as_of": audit.maps_as_of.isoformat(),
        "policy": exported(gate.policy),
        "overall": gate.overall.value,
        "checks": [_check(check) for check in gate.checks],
    }


def _check(check: Check) -> Mapping[str, Any]:
    rule = check.rule
    return {
        "metric": rule.metric.value,
        "axis": rule.axis.value,
        "denominator": rule.denominator.value,
        "entity": None if rule.entity is None else exported(rule.entity),
        "max": rule.max,
        "min": rule.min,
        "level": rule.level.value,
        "outcome": check.outcome.value,
        "lower": check.lower,
        "upper": check.upper,
        "margin": check.margin,
        "reason": check.reason,
    }
