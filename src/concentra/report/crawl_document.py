"""A finished crawl → its versioned JSON document, held by ``schemas/crawl-1.json``: counts alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from concentra import __version__
from concentra.model.crawl_summary import CrawlSummary, SourceCounts
from concentra.model.population import FunnelStep
from concentra.report.plain import exported

SCHEMA = "concentra-crawl/1"


def crawl_document(summary: CrawlSummary) -> Mapping[str, Any]:
    """Return the counts of a crawl as JSON-ready values."""
    manifest = summary.manifest
    return {
        "schema": SCHEMA,
        "tool": {"name": "concentra", "version": __version__},
        "command": exported(manifest.command, limit=1000),
        "network": exported(manifest.network),
        "title": exported(manifest.title),
        "state": manifest.state.value,
        "started": manifest.started.isoformat(timespec="seconds"),
        "ended": None if manifest.ended is None else manifest.ended.isoformat(timespec="seconds"),
        "expires": manifest.expires.isoformat(timespec="seconds"),
        "settings": {exported(name): _setting(value) for name, value in manifest.settings.items()},
        "unit": "node",
        "n": summary.nodes,
        "answering": summary.answering,
        "on_network": summary.on_network,
        "funnel": [_step(step) for step in summary.funnel],
        "sources": {
            source.value: _source(counts, judged=summary.on_network is not None)
            for source, counts in summary.sources.items()
        },
        "outcomes": {outcome.value: count for outcome, count in summary.outcomes.items()},
        "silent_hearsay": summary.silent_hearsay,
        "greeted": _named(summary.greeted),
        "clients": _named(summary.clients),
        "oddities": _named(manifest.counts),
        "damaged": summary.damaged,
    }


def _step(step: FunnelStep) -> Mapping[str, Any]:
    return {
        "name": step.name,
        "unit": step.unit,
        "left": step.left,
        "dropped": _named(step.dropped),
        "note": None if step.note is None else exported(step.note, limit=1000),
    }


def _setting(value: float | str) -> float | str:
    return exported(value, limit=1000) if isinstance(value, str) else value


def _source(counts: SourceCounts, *, judged: bool) -> Mapping[str, int | None]:
    return asdict(counts) if judged else asdict(counts) | {"on_network": None}


def _named(counts: Mapping[str, int]) -> Mapping[str, int]:
    named: Counter[str] = Counter()
    for name, count in counts.items():
        named[exported(name)] += count  # what is cut may be equal
    return dict(named)
