"""A finished crawl as a person reads it: what was found, how it ended, where it is, and what to do next."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from concentra.model.crawl import CrawlManifest, CrawlState, Outcome
from concentra.model.crawl_summary import CrawlSummary, SourceCounts
from concentra.model.population import FunnelStep
from concentra.report.plain import clean

LABEL = 12
NARROW = 80
"""Below this, the reasons why nodes were left out stand below the step that left them out."""

HEADINGS = ("told of", "asked", "answering", "on network")
SEPARATOR = "  "
TIE = "\u00a0"
MINUTE_S = 60


def render_crawl(summary: CrawlSummary, *, width: int, colour: bool) -> str:
    """Return the report as text that fits into `width` columns; its first line can be quoted alone."""
    headline = _wrapped(_headline(summary), width, indent=0)
    if colour:
        headline = [f"\x1b[1m{line}\x1b[0m" for line in headline]
    parts = [
        [*headline, *_labelled([("when", _when(summary.manifest))], width)],
        _funnel(summary.funnel, width),
        _sources(summary, width),
        _labelled(_details(summary), width),
        _labelled(_onward(summary), width),
    ]
    return "\n".join("".join(f"{line.rstrip()}\n" for line in part) for part in parts if part)


def _headline(summary: CrawlSummary) -> str:
    manifest = summary.manifest
    kind = "Crawl" if manifest.state is CrawlState.COMPLETE else "Stopped crawl"
    of = f"{kind} of {clean(manifest.title)}, {manifest.started.astimezone(UTC).date()}"
    told = f"of {summary.nodes:,} node{'' if summary.nodes == 1 else 's'} told of"
    if not summary.answering:
        return f"{of}: {told}, none answered"
    found = f"{of}: {told}, {summary.answering:,} answered"
    if summary.on_network is None:
        return f"{found}; which of those are on the network is not known"
    there = {0: "none of those is", 1: "1 of those is"}.get(
        summary.on_network, f"{summary.on_network:,} of those are"
    )
    return f"{found}, and {there} on the network"


def _when(manifest: CrawlManifest) -> str:
    """Return when the crawl was, how fast it could be, and why it ended."""
    began, ended = manifest.started.astimezone(UTC), manifest.ended
    settings = manifest.settings
    walks = str(settings.get("discovery", "")).split()
    if ended is None:
        span = f"from {_minute(began)}, and was cut off"
    else:
        ended = ended.astimezone(UTC)
        took = (ended - began).total_seconds()
        until = f"{ended:%H:%M} UTC" if ended.date() == began.date() else _minute(ended)
        span = _minute(began) if took < MINUTE_S else f"{began:%Y-%m-%d %H:%M} to {until}"
        paused = ", with a break" if len(manifest.identities) > max(1, len(walks)) else ""
        span = f"{span} ({_duration(took)}{paused})"
    why = {
        CrawlState.COMPLETE: "complete: nobody was left to ask",
        CrawlState.STOPPED: "stopped before it was complete",
        CrawlState.RUNNING: "cut off before it was complete",
    }
    how = f"{' and '.join(walks)} at {settings['rate']:,g} nodes a second at most" if walks else ""
    return "; ".join(filter(None, (span, clean(how), why[manifest.state])))


def _funnel(steps: Sequence[FunnelStep], width: int) -> list[str]:
    """Return the steps in a column, each with what it left out."""
    names = [step.name if step.unit == "nodes" else f"{step.name} {step.unit}" for step in steps]
    counts = ["?" if step.left is None else f"{step.left:,}" for step in steps]
    count_width, name_width = max(map(len, counts), default=0), max(map(len, names), default=0)
    here = LABEL + count_width + len(SEPARATOR)
    lines: list[str] = []
    for step, name, count in zip(steps, names, counts, strict=True):
        label = "" if lines else "funnel"
        head = f"{label:<{LABEL}}{count:>{count_width}}{SEPARATOR}{name}"
        reasons = _reasons(step)
        if not reasons:
            lines.append(head)
        elif width < NARROW:
            lines += [head, *_wrapped(" " * here + reasons, width, indent=here)]
        else:
            there = here + name_width + len(SEPARATOR)
            lines += _wrapped(f"{head:<{there}}{reasons}", width, indent=there)
    return lines


def _reasons(step: FunnelStep) -> str:
    if step.left is None:
        return clean(step.note or "not recorded")
    return _listed(f"−{count:,} {clean(reason)}" for reason, count in step.dropped.items())


def _sources(summary: CrawlSummary, width: int) -> list[str]:
    """Return what each source told of, as a table where there is room for one."""
    figures = {
        source.value: _figures(counts, judged=summary.on_network is not None)
        for source, counts in summary.sources.items()
    }
    widths = [max(map(len, column)) for column in zip(HEADINGS, *figures.values(), strict=True)]
    first = max(LABEL - len(SEPARATOR), *map(len, figures)) if figures else LABEL
    if first + sum(widths) + len(SEPARATOR) * len(widths) > width:
        lines = []
        for name, row in figures.items():
            told = ", ".join(f"{heading} {count}" for heading, count in zip(HEADINGS, row, strict=True))
            lines += _labelled([(name, told)], width)
        return lines
    rows = {"source": HEADINGS, **figures}
    return [
        SEPARATOR.join(
            [f"{name:<{first}}", *(f"{cell:>{size}}" for cell, size in zip(row, widths, strict=True))]
        )
        for name, row in rows.items()
    ]


def _figures(counts: SourceCounts, *, judged: bool) -> tuple[str, str, str, str]:
    on_network = f"{counts.on_network:,}" if judged else "?"
    return f"{counts.announced:,}", f"{counts.asked:,}", f"{counts.answering:,}", on_network


def _details(summary: CrawlSummary) -> Iterator[tuple[str, str]]:
    manifest = summary.manifest
    if summary.silent_hearsay:
        timed_out = summary.outcomes.get(Outcome.TIMED_OUT, 0)
        yield (
            "hearsay",
            f"{summary.silent_hearsay:,} of {timed_out:,} that timed out were named by one /24 or /48 alone",
        )
    if summary.greeted:
        yield "greeted", _counts(summary.greeted)
    if summary.clients:
        yield "clients", _counts(summary.clients)
    if manifest.counts:
        yield "oddities", _counts(manifest.counts)
    if summary.damaged:
        parts = "1 part" if summary.damaged == 1 else f"{summary.damaged:,} parts"
        yield "damaged", f"{parts} of the crawl could not be read; what is in the others is counted"


def _onward(summary: CrawlSummary) -> Iterator[tuple[str, str]]:
    """Yield where the crawl is, and the commands that go on with it."""
    manifest = summary.manifest
    expires = manifest.expires.astimezone(UTC).date()
    yield "kept", f"on this machine until {expires}, readable by you alone: the rows hold addresses"
    if not summary.answering:
        yield "hint", "does this machine, or its network, let UDP out? --port names a port that may be open"
    if manifest.state is not CrawlState.COMPLETE:
        spared = " --opt-out FILE" if manifest.settings.get("opt_out") else ""
        yield "go on", f"concentra crawl {clean(manifest.network)} --resume{spared}"
    countable = next((step.left for step in reversed(summary.funnel)), None)
    is_local = bool(summary.on_network and manifest.settings.get("loopback"))
    if countable:
        yield "next", f"concentra audit {clean(manifest.network)}"
    elif is_local:
        yield "next", "nothing to audit: loopback is nobody's address"
    if sum(counts.on_network > 0 for counts in summary.sources.values()) > 1:
        yield "" if countable or is_local else "next", f"concentra coverage {clean(manifest.network)}"


def _counts(counts: Mapping[str, int]) -> str:
    return _listed(f"{clean(name)} {count:,}" for name, count in counts.items())


def _listed(parts: Iterable[str]) -> str:
    """Return parts with commas between them; none of them is broken in two where it fits into a line."""
    return ", ".join(part.replace(" ", TIE) for part in parts)


def _labelled(parts: Iterable[tuple[str, str]], width: int) -> list[str]:
    return [
        line
        for label, text in parts
        for line in _wrapped(f"{label:<{LABEL - 1}} {text}", width, indent=LABEL)
    ]


def _wrapped(text: str, width: int, *, indent: int) -> list[str]:
    words = (
        word if indent + len(word) <= width else word.replace(TIE, " ") for word in re.split("( +)", text)
    )
    lines = textwrap.wrap("".join(words), width, subsequent_indent=" " * indent, break_on_hyphens=False)
    return [line.replace(TIE, " ") for line in lines]


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _duration(seconds: float) -> str:
    """Return a duration for people.

    >>> _duration(48.2), _duration(754), _duration(7325)
    ('48 s', '12 min 34 s', '2 h 2 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 1:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
