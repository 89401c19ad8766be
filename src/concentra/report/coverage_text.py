"""How much of a network was seen, as a person reads it: the answer, the overlaps, and what may be wrong."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from math import ceil, floor
from typing import assert_never

from concentra.model.coverage import (
    AIC_RANGE,
    Counted,
    Coverage,
    Doubt,
    FitOutcome,
    FittedModel,
    Lead,
    Method,
    NodeList,
    PairOverlap,
    RepeatedCrawls,
    SizeEstimate,
)
from concentra.report.figures import percent
from concentra.report.plain import clean

GAP = "  "
INDENT = " " * 9
NOTHING = "–"
MODELS_SHOWN = 8

COUNTED: Mapping[Counted, str] = {
    Counted.ANSWERING: "node IDs that answered and say that they are on the network",
    Counted.ANNOUNCED: "all node IDs that a list tells of, whatever their network; whether they exist is "
    "unknown, and anybody can make some up",
}
DOUBTS: Mapping[Doubt, str] = {
    Doubt.NOTHING_SHARED: "they share no node: of different networks, or one excludes the other's nodes",
    Doubt.FEW_SHARED: "they share fewer than 7 nodes: the estimate is too low, its interval too narrow",
    Doubt.CONTAINED: "one lies wholly within the other, so that nothing shows what the larger one misses",
    Doubt.HIGH_OVERLAP: "they share more than 95 % of the smaller one: either the larger one holds nearly "
    "all nodes, or one was made from the other and the estimate is too low",
    Doubt.TWO_PROTOCOLS: "a node that speaks one protocol only cannot be on the other's list, so that the "
    "estimate may be too high as well as too low",
    Doubt.APART: "the sightings span more than 24 hours: nodes that came or left meanwhile count as missed, "
    "and the estimate may be too high",
    Doubt.NOT_ASKED_AGAIN: "a crawl left nodes out that another had asked within the hour: they count as "
    "missed, and the estimate may be too high",
    Doubt.NO_SINGLES: "at most one node was seen in one crawl only: nothing shows what all of them missed",
    Doubt.NO_DOUBLES: "no node was seen in exactly two crawls: the estimate rests on single sightings alone",
}
READING: Mapping[str, str] = {
    "at least": "the more of one list another has, the fewer nodes both miss. Nodes that are easy to find "
    "for one source are so for others: lists then share too much, and the estimate is too low",
    "interval": "of chance alone, as if nodes were independent of each other; what is wrong with the lists "
    "is not in it",
    "u": "nodes that exist and were not seen: in bounds that are to hold for the network, and not only for "
    "what was seen, they are unattributed units",
}


def render_coverage(coverage: Coverage, *, width: int) -> str:
    """Return the report as text that fits into `width` columns, without colour."""
    blocks = [
        list(_subject(coverage)),
        ["Lists", *_table(_list_rows(coverage.lists), width, right={1, 2})],
    ]
    if coverage.pairs:
        pairs = _table(_pair_rows(coverage.pairs), width, right=set(range(1, 7)))
        blocks.append(["Pairs of lists", *pairs])
    if len(coverage.patterns) > 1:
        blocks.append(["Nodes by the lists that they are on", *_patterns(coverage, width)])
    if coverage.models:
        blocks.append([*_models(coverage, width)])
    if coverage.repeated:
        blocks.append(["Repeated crawls", *(_repeated(one) for one in coverage.repeated)])
    blocks.append([*_doubts(coverage), *(f"note     {clean(note, limit=1000)}" for note in coverage.notes)])
    blocks.append([*_missing(coverage)] if coverage.lead is None else ["How to read this", *_named(READING)])
    first = textwrap.fill(answer(coverage), width)
    rest = (_fitted(line, width) for block in blocks if block for line in ["", *block])
    return "\n".join([first, *rest]) + "\n"


def answer(coverage: Coverage) -> str:
    """Return the answer in one sentence."""
    lead = coverage.lead
    if lead is None:
        return f"Undetermined: {_obstacle(coverage)}."
    estimate = lead.estimate
    size = f"{max(floor(estimate.total), lead.seen):,}"
    about = f"{'At least' if lead.at_least else 'About'} {size} nodes ({_interval(estimate)}): "
    match lead.method:
        case Method.CHAPMAN:
            pair = next(pair for pair in coverage.pairs if (pair.a, pair.b) == lead.about)
            return about + (
                f"{clean(pair.a)} ({pair.a_nodes:,}) and {clean(pair.b)} ({pair.b_nodes:,}) "
                f"share {pair.both:,}."
            )
        case Method.LOG_LINEAR:
            return about + f"{_leading_model(coverage, lead)}."
        case Method.CHAO2:
            repeated = next(one for one in coverage.repeated if one.estimate is estimate)
            once, twice = repeated.seen_in[:2]
            return about + (
                f"of {len(repeated.crawls)} crawls ({repeated.source}), {once:,} nodes are in one only "
                f"and {twice:,} in two."
            )
        case _:
            assert_never(lead.method)


def _leading_model(coverage: Coverage, lead: Lead) -> str:
    names = ", ".join(clean(name) for name in lead.about)
    highest = max(model.estimate.total for model in coverage.supported if model.estimate is not None)
    count = len(coverage.supported)
    if count == 1:
        return f"the one log-linear model of {names} that fits best"
    return f"the lowest of {count} log-linear models of {names}; the highest says {floor(highest):,}"


def _obstacle(coverage: Coverage) -> str:
    if not coverage.seen:
        return "no node of any list is counted"
    lists = [of for of in coverage.lists if of.counted]
    why = (
        f"only one list has any, {clean(lists[0].name)}, and nothing shows what it misses"
        if len(lists) == 1
        else "no two lists tell how many both miss"
    )
    return f"at least the {coverage.seen:,} nodes that were seen; {why}"


def _subject(coverage: Coverage) -> Iterator[str]:
    crawls = ", ".join(clean(crawl.name) for crawl in coverage.crawls)
    yield f"{clean(coverage.title)} · {'crawl' if len(coverage.crawls) == 1 else 'crawls'} {crawls}"
    yield f"counted  {COUNTED[coverage.counted]}"
    lead = coverage.lead
    if lead is None:
        yield f"seen     {coverage.seen:,} different nodes"
        return
    where = "in any of the crawls" if lead.method is Method.CHAO2 else "on any list"
    yield f"seen     {lead.seen:,} different nodes {where}"
    yield f"unseen   {'at least' if lead.at_least else 'about'} {floor(lead.unseen):,} nodes (u)"


def _list_rows(lists: Sequence[NodeList]) -> Iterator[tuple[str, ...]]:
    yield ("list", "told of", "counted", "last seen (UTC)", "left out")
    for of in lists:
        left_out = ", ".join(f"{count:,} {reason}" for reason, count in of.left_out.items())
        yield (clean(of.name), f"{of.told:,}", f"{of.counted:,}", _times(of), left_out or "none")


def _times(of: NodeList) -> str:
    if of.seen_from is None or of.seen_to is None:
        return NOTHING
    same_day = of.seen_from.date() == of.seen_to.date()
    return (
        f"{_moment(of.seen_from)}–{of.seen_to:%H:%M}"
        if same_day
        else f"{_moment(of.seen_from)} – {_moment(of.seen_to)}"
    )


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def _pair_rows(pairs: Sequence[PairOverlap]) -> Iterator[tuple[str, ...]]:
    yield ("lists", "first", "second", "shared", "of smaller", "estimate", "interval")
    for pair in pairs:
        yield (
            _both(pair),
            f"{pair.a_nodes:,}",
            f"{pair.b_nodes:,}",
            f"{pair.both:,}",
            NOTHING if pair.overlap is None else percent(pair.overlap),
            *_estimate(pair.estimate, at_least=pair.at_least),
        )


def _both(pair: PairOverlap) -> str:
    return f"{clean(pair.a)} & {clean(pair.b)}"


def _patterns(coverage: Coverage, width: int) -> Iterator[str]:
    names = [of.name for of in coverage.lists if of.counted]
    rows = [("nodes", *(clean(name) for name in names))]
    rows += [
        (f"{pattern.nodes:,}", *("●" if name in pattern.lists else "·" for name in names))
        for pattern in coverage.patterns
    ]
    if _width(rows) <= width:
        yield from _table(rows, width, right={0})
        return
    for pattern in coverage.patterns:
        yield f"{pattern.nodes:>8,} {' & '.join(clean(name) for name in pattern.lists)}"


def _models(coverage: Coverage, width: int) -> Iterator[str]:
    models, supported = coverage.models, coverage.supported
    outcomes = {outcome: sum(model.outcome is outcome for model in models) for outcome in FitOutcome}
    yield f"Log-linear models: which pairs of lists depend on each other ({len(models):,} models)"
    if supported:
        heading = ("dependent pairs", "estimate", "interval", "ΔAIC", "df")
        yield from _table([heading, *map(_model_row, supported[:MODELS_SHOWN])], width, right={1, 2, 3, 4})
        totals = [model.estimate.total for model in supported if model.estimate is not None]
        shown = f", of which {MODELS_SHOWN} are shown" if len(supported) > MODELS_SHOWN else ""
        yield (
            f"{len(supported):,} within {AIC_RANGE:g} of the smallest AIC{shown}: from "
            f"{floor(min(totals)):,} to {floor(max(totals)):,} nodes"
        )
    infinite, lost = outcomes[FitOutcome.INFINITE], outcomes[FitOutcome.NOT_CONVERGED]
    if infinite:
        yield f"{infinite:,} have no finite estimate: patterns that they rest on are empty"
    if lost:
        yield f"{lost:,} did not converge"


def _model_row(model: FittedModel) -> tuple[str, ...]:
    pairs = ", ".join(f"{clean(a)} × {clean(b)}" for a, b in model.interactions)
    if model.estimate is None or model.delta_aic is None:
        raise AssertionError("a model without an estimate is supported by nothing")
    return (
        pairs or "none",
        f"{floor(model.estimate.total):,}",
        _interval(model.estimate),
        f"{model.delta_aic:.1f}",
        f"{model.degrees_of_freedom}",
    )


def _repeated(one: RepeatedCrawls) -> str:
    times = ", ".join(f"{count:,} in {number}" for number, count in enumerate(one.seen_in, start=1))
    size, interval = _estimate(one.estimate, at_least=one.at_least)
    counts = ", ".join(f"{count:,}" for count in one.nodes)
    return f"{one.source}: {size} ({interval}); of {len(one.crawls)} crawls with {counts} nodes, seen {times}"


def _doubts(coverage: Coverage) -> Iterator[str]:
    about = [(_both(pair), pair.doubts) for pair in coverage.pairs]
    about += [(f"{one.source}, repeated", one.doubts) for one in coverage.repeated]
    for name, doubts in about:
        for doubt in doubts:
            yield f"doubt    {name}: {DOUBTS[doubt]}"


def _missing(coverage: Coverage) -> Iterator[str]:
    network = clean(coverage.network)
    yield "What would tell"
    yield f"list     another source in one crawl: concentra crawl {network} --dns, or --node-rpc URL"
    yield f"crawl    a second crawl, in an hour, and then: concentra coverage {network} --last 2"


def _estimate(estimate: SizeEstimate | None, *, at_least: bool) -> tuple[str, str]:
    if estimate is None:
        return NOTHING, NOTHING
    return f"{'≥' if at_least else '≈'} {floor(estimate.total):,}", _interval(estimate)


def _interval(estimate: SizeEstimate) -> str:
    return f"{estimate.confidence * 100:g} % {floor(estimate.low):,}–{ceil(estimate.high):,}"


# Lines.


def _named(sentences: Mapping[str, str]) -> Iterator[str]:
    for name, sentence in sentences.items():
        yield f"{name:8} {sentence}"


def _table(rows: Iterable[tuple[str, ...]], width: int, *, right: set[int]) -> Iterator[str]:
    """Yield a table; where it does not fit, a paragraph for each row, with the headings before its cells."""
    heading, *body = rows
    if _width([heading, *body]) <= width or not body:
        widths = [max(map(len, column)) for column in zip(heading, *body, strict=True)]
        for row in (heading, *body):
            cells = (
                f"{cell:>{size}}" if position in right else f"{cell:<{size}}"
                for position, (cell, size) in enumerate(zip(row, widths, strict=True))
            )
            yield GAP.join(cells).rstrip()
        return
    for first, *rest in body:
        named = (f"{name} {cell}" for name, cell in zip(heading[1:], rest, strict=True))
        yield f"{first}: {', '.join(named)}"


def _width(rows: Sequence[tuple[str, ...]]) -> int:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _fitted(line: str, width: int) -> str:
    """Return a line, wrapped below its second column if it is too long."""
    return "\n".join(
        textwrap.wrap(
            line,
            width,
            subsequent_indent=INDENT,
            break_long_words=True,
            break_on_hyphens=False,
            replace_whitespace=False,
            drop_whitespace=True,
        )
        or [""]
    )
