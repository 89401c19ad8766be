"""How much of a network was seen → its versioned JSON document, and tidy CSV files.

The shape is held by ``schemas/coverage-1.json``. Everything in it is a count: no node and no address.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from concentra import __version__
from concentra.model.coverage import (
    Coverage,
    FittedModel,
    Lead,
    NodeList,
    PairOverlap,
    Pattern,
    RepeatedCrawls,
    SizeEstimate,
)
from concentra.report.json_text import json_text
from concentra.report.plain import exported, spreadsheet_safe

SCHEMA = "concentra-coverage/1"
MANIFEST = "manifest.json"
UNIT = "node"

Document = Mapping[str, Any]


def coverage_document(coverage: Coverage, *, made_at: datetime, command: str) -> Document:
    """Return the lists, their overlap and all estimates as JSON-ready values.

    Parameters
    ----------
    coverage : Coverage
    made_at : datetime
        Aware, UTC.
    command : str
        The command line that made it, without paths.
    """
    return {
        "schema": SCHEMA,
        "tool": {"name": "concentra", "version": __version__},
        "command": exported(command, limit=1000),
        "made_at": made_at.isoformat(timespec="seconds"),
        "network": exported(coverage.network),
        "title": exported(coverage.title),
        "unit": UNIT,
        "counted": coverage.counted.value,
        "crawls": [
            {
                "name": exported(crawl.name),
                "state": crawl.state.value,
                "started": _moment(crawl.started),
                "ended": _moment(crawl.ended),
            }
            for crawl in coverage.crawls
        ],
        "lists": [_list(of) for of in coverage.lists],
        "seen": coverage.seen,
        "pairs": [_pair(pair) for pair in coverage.pairs],
        "patterns": [_pattern(pattern) for pattern in coverage.patterns],
        "models": [_model(model) for model in coverage.models],
        "repeated": [_repeated(one) for one in coverage.repeated],
        "lead": None if coverage.lead is None else _lead(coverage.lead),
        "notes": [exported(note, limit=1000) for note in coverage.notes],
    }


def coverage_csv(coverage: Coverage, *, made_at: datetime, command: str) -> Mapping[str, bytes]:
    """Return file name → content: lists, patterns, estimates, and the manifest over them."""
    document = coverage_document(coverage, made_at=made_at, command=command)
    tables = {
        "lists.csv": _csv(
            (
                "list",
                "source",
                "crawl",
                "unit",
                "told",
                "counted",
                "seen_from",
                "seen_to",
                "reason",
                "left_out",
            ),
            _list_rows(document),
        ),
        "patterns.csv": _csv(
            ("lists", "unit", "nodes"),
            ({**row, "lists": " & ".join(row["lists"])} for row in document["patterns"]),
        ),
        "estimates.csv": _csv(
            (
                "method",
                "about",
                "unit",
                "observed",
                "unseen",
                "total",
                "standard_error",
                "low",
                "high",
                "confidence",
                "at_least",
                "first",
                "second",
                "both",
                "delta_aic",
                "degrees_of_freedom",
                "outcome",
                "doubts",
            ),
            _estimate_rows(document),
        ),
    }
    described = (
        "tool",
        "command",
        "made_at",
        "network",
        "title",
        "unit",
        "counted",
        "crawls",
        "lead",
        "notes",
    )
    manifest = {
        "schema": "concentra-manifest/1",
        **{key: document[key] for key in described},
        "files": [
            {"file": name, "rows": data.count(b"\n") - 1, "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in tables.items()
        ],
    }
    return {**tables, MANIFEST: json_text(manifest).encode("utf-8")}


def _list(of: NodeList) -> Document:
    return {
        "name": exported(of.name),
        "source": of.source.value,
        "crawl": exported(of.crawl),
        "told": of.told,
        "counted": of.counted,
        "left_out": {exported(reason): count for reason, count in of.left_out.items()},
        "seen_from": _moment(of.seen_from),
        "seen_to": _moment(of.seen_to),
    }


def _pair(pair: PairOverlap) -> Document:
    return {
        "lists": [exported(pair.a), exported(pair.b)],
        "nodes": [pair.a_nodes, pair.b_nodes],
        "both": pair.both,
        "overlap": pair.overlap,
        "estimate": _estimate(pair.estimate),
        "at_least": pair.at_least,
        "doubts": [doubt.value for doubt in pair.doubts],
    }


def _pattern(pattern: Pattern) -> Document:
    return {"lists": [exported(name) for name in pattern.lists], "nodes": pattern.nodes}


def _model(model: FittedModel) -> Document:
    return {
        "interactions": [[exported(a), exported(b)] for a, b in model.interactions],
        "parameters": model.parameters,
        "degrees_of_freedom": model.degrees_of_freedom,
        "outcome": model.outcome.value,
        "deviance": model.deviance,
        "aic": model.aic,
        "delta_aic": model.delta_aic,
        "estimate": _estimate(model.estimate),
    }


def _repeated(one: RepeatedCrawls) -> Document:
    return {
        "source": one.source.value,
        "crawls": [exported(name) for name in one.crawls],
        "nodes": list(one.nodes),
        "seen_in": list(one.seen_in),
        "estimate": _estimate(one.estimate),
        "at_least": one.at_least,
        "doubts": [doubt.value for doubt in one.doubts],
    }


def _lead(lead: Lead) -> Document:
    return {
        "method": lead.method.value,
        "about": [exported(name) for name in lead.about],
        "estimate": _estimate(lead.estimate),
        "at_least": lead.at_least,
        "seen": lead.seen,
        "unseen": lead.unseen,
    }


def _estimate(estimate: SizeEstimate | None) -> Document | None:
    if estimate is None:
        return None
    return {
        "observed": estimate.observed,
        "unseen": estimate.unseen,
        "total": estimate.total,
        "standard_error": estimate.standard_error,
        "low": estimate.low,
        "high": estimate.high,
        "confidence": estimate.confidence,
    }


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")


# CSV.


def _list_rows(document: Document) -> Iterator[Document]:
    """Yield a row for each list, then one for each reason why nodes of it are not counted."""
    for of in document["lists"]:
        key = {"list": of["name"], "unit": UNIT}
        yield {**of, **key, "left_out": ""}
        for reason, count in of["left_out"].items():
            yield {**key, "reason": reason, "left_out": count}


def _estimate_rows(document: Document) -> Iterator[Document]:
    """Yield a row for each estimate, whether there is one or not."""
    for pair in document["pairs"]:
        first, second = pair["nodes"]
        about = {"method": "chapman", "about": " & ".join(pair["lists"]), "first": first, "second": second}
        yield _estimate_row(pair, {**about, "both": pair["both"]})
    for model in document["models"]:
        dependent = ", ".join(f"{a} × {b}" for a, b in model["interactions"])
        about = {"method": "log-linear", "about": dependent or "none dependent"}
        fit = {key: model[key] for key in ("delta_aic", "degrees_of_freedom", "outcome")}
        yield _estimate_row(model, {**about, **fit})
    for one in document["repeated"]:
        yield _estimate_row(
            one, {"method": "chao2", "about": f"{one['source']}: {' & '.join(one['crawls'])}"}
        )


def _estimate_row(entry: Document, key: Document) -> Document:
    doubts = " ".join(entry.get("doubts", ()))
    return {
        **key,
        "unit": UNIT,
        **(entry["estimate"] or {}),
        "at_least": entry.get("at_least"),
        "doubts": doubts,
    }


def _csv(columns: Iterable[str], rows: Iterable[Document]) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(columns), restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(
            {
                name: spreadsheet_safe(value) if isinstance(value, str) else value
                for name, value in row.items()
            }
        )
    return out.getvalue().encode("utf-8")
