"""How much of a network did its crawls see? Lists, their overlap, and the estimates that follow from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import timedelta
from itertools import combinations

from concentra.collect.crawl_population import Judge
from concentra.metrics.log_linear import MAX_LISTS, log_linear_models
from concentra.metrics.network_size import FEW_SHARED, HIGH_OVERLAP, chao2, chapman
from concentra.model.coverage import (
    AIC_RANGE,
    NO_NODE_ID,
    TOO_HIGH,
    VOID,
    Counted,
    Coverage,
    CrawlSummary,
    Doubt,
    FitOutcome,
    FittedModel,
    Lead,
    Method,
    NodeList,
    PairOverlap,
    Pattern,
    RepeatedCrawls,
)
from concentra.model.crawl import WALKS, CrawlSource, CrawlState, Outcome
from concentra.workflows.coverage_lists import Crawl, Listed, Sightings, lists_of, sightings

WINDOW = timedelta(hours=24)
"""Over a longer time too many nodes come and go."""

Nodes = Mapping[str, AbstractSet[bytes]]
"""The counted nodes of each list, by its name."""


def coverage(
    crawls: Mapping[str, Crawl],
    *,
    judge: Judge | None,
    counted: Counted = Counted.ANSWERING,
    sources: Collection[CrawlSource] = (),
    notes: Sequence[str] = (),
    confidence: float = 0.95,
) -> Coverage:
    """Return how the lists of crawls of one network overlap, and how large that makes the network.

    Parameters
    ----------
    crawls : mapping of str to Crawl
        By name, at least one, all of one network.
    judge : callable or None
        Tells whether a node is on the network; None where nothing is known of its forks.
    counted : Counted
        Which nodes are counted; the size is estimated of all such nodes.
    sources : collection of CrawlSource
        The lists to take; all if empty.
    notes : sequence of str
        What is known of the crawls beforehand.
    confidence : float in (0, 1)
        Of all intervals.

    Raises
    ------
    ValueError
        If there is no crawl, or the crawls are of different networks.
    UnreadableFile
        If the rows of a crawl cannot be read.
    """
    networks = {crawl.manifest.network for crawl in crawls.values()}
    if len(networks) != 1:
        raise ValueError(f"wanted crawls of one network, got {len(networks)}")
    ourselves = {bytes.fromhex(own) for crawl in crawls.values() for own in crawl.manifest.identities}
    seen = [
        sightings(crawl, name, counted, judge=judge, ourselves=ourselves) for name, crawl in crawls.items()
    ]
    seen.sort(key=lambda one: one.manifest.started)
    lists = list(lists_of(seen, sources))
    nodes = {of.name: ids for of, ids in lists if ids}
    models, beyond = _models(nodes, confidence)
    pairs = [_pair(a, b, confidence) for a, b in combinations([one for one in lists if one.nodes], 2)]
    repeated = list(_repeated(seen, sources, confidence))
    observed = len(frozenset[bytes]().union(*nodes.values()))
    lead = _lead(nodes, pairs, models, repeated, observed)
    newest = seen[-1].manifest
    said = [*notes, *_notes(seen, lists, counted, judge), *_notes_on_models(models, beyond)]
    if lead is not None and lead.estimate.total < lead.seen:
        said.append(f"{lead.seen:,} nodes were seen, more than {', '.join(lead.about)} account for")
    return Coverage(
        network=newest.network,
        title=newest.title,
        counted=counted,
        crawls=tuple(
            CrawlSummary(
                name=one.name,
                state=one.manifest.state,
                started=one.manifest.started,
                ended=one.manifest.ended,
            )
            for one in seen
        ),
        lists=tuple(of for of, _ in lists),
        seen=observed,
        pairs=tuple(pairs),
        patterns=tuple(_patterns(nodes)),
        models=tuple(models),
        repeated=tuple(repeated),
        lead=lead,
        notes=tuple(said),
    )


def _pair(a: Listed, b: Listed, confidence: float) -> PairOverlap:
    first, second, both = len(a.nodes), len(b.nodes), len(a.nodes & b.nodes)
    can_tell = 0 < both < min(first, second)
    return PairOverlap(
        a=a.of.name,
        b=b.of.name,
        a_nodes=first,
        b_nodes=second,
        both=both,
        estimate=chapman(first, second, both, confidence=confidence) if can_tell else None,
        doubts=tuple(_doubts_of_pair(a.of, b.of, both)),
    )


def _doubts_of_pair(a: NodeList, b: NodeList, both: int) -> Iterator[Doubt]:
    smaller = min(a.counted, b.counted)
    if not both:
        yield Doubt.NOTHING_SHARED
    elif both < FEW_SHARED:
        yield Doubt.FEW_SHARED
    if both == smaller:
        yield Doubt.CONTAINED
    elif both > HIGH_OVERLAP * smaller:
        yield Doubt.HIGH_OVERLAP
    if {a.source, b.source} == set(WALKS):
        yield Doubt.TWO_PROTOCOLS
    yield from _doubts_of_time([a, b])


def _doubts_of_time(lists: Sequence[NodeList]) -> Iterator[Doubt]:
    ends = [moment for of in lists for moment in (of.seen_from, of.seen_to) if moment is not None]
    if max(ends) - min(ends) > WINDOW:
        yield Doubt.APART
    if len({of.crawl for of in lists}) > 1 and any(Outcome.ASKED_RECENTLY in of.left_out for of in lists):
        yield Doubt.NOT_ASKED_AGAIN


def _patterns(nodes: Nodes) -> list[Pattern]:
    counts = _pattern_counts(nodes)
    found = [
        Pattern(lists=tuple(name for name in nodes if name in on), nodes=count)
        for on, count in counts.items()
    ]
    return sorted(found, key=lambda pattern: (-pattern.nodes, pattern.lists))


def _pattern_counts(nodes: Nodes) -> Counter[frozenset[str]]:
    on: dict[bytes, list[str]] = {}
    for name, ids in nodes.items():
        for node_id in ids:
            on.setdefault(node_id, []).append(name)
    return Counter(frozenset(names) for names in on.values())


def _models(nodes: Nodes, confidence: float) -> tuple[list[FittedModel], list[str]]:
    """Return the models of the largest lists, and the names of the lists that are too many."""
    if len(nodes) < 3:
        return [], []
    by_size = sorted(nodes, key=lambda name: -len(nodes[name]))
    chosen, beyond = by_size[:MAX_LISTS], by_size[MAX_LISTS:]
    some = {name: ids for name, ids in nodes.items() if name in chosen}
    return log_linear_models(list(some), _pattern_counts(some), confidence=confidence), beyond


def _repeated(
    seen: Sequence[Sightings], sources: Collection[CrawlSource], confidence: float
) -> Iterator[RepeatedCrawls]:
    """Yield the sources that several crawls have; imports are not of one kind, and no repetition."""
    for source in CrawlSource:
        crawls = [one for one in seen if source in one.told]
        times = Counter(node_id for one in crawls for node_id in one.counted(source))
        unwanted = source is CrawlSource.IMPORT or (sources and source not in sources)
        if unwanted or len(crawls) < 2 or not times:
            continue
        seen_in = Counter(times.values())
        counts = tuple(seen_in[number] for number in range(1, len(crawls) + 1))
        doubts = []
        if counts[0] < 2:  # then the estimate is what was seen, with an interval of no width
            doubts.append(Doubt.NO_SINGLES)
        elif not counts[1]:
            doubts.append(Doubt.NO_DOUBLES)
        doubts += _doubts_of_time([one.listed(source, one.name) for one in crawls])
        yield RepeatedCrawls(
            source=source,
            crawls=tuple(one.name for one in crawls),
            nodes=tuple(len(one.counted(source)) for one in crawls),
            seen_in=counts,
            estimate=chao2(counts, confidence=confidence) if counts[0] > 1 else None,
            doubts=tuple(doubts),
        )


def _lead(
    nodes: Nodes,
    pairs: Sequence[PairOverlap],
    models: Sequence[FittedModel],
    repeated: Sequence[RepeatedCrawls],
    seen: int,
) -> Lead | None:
    """Return the estimate that answers the question: of models, else of a pair, else of repeated crawls."""
    near = [model.estimate for model in models if model.estimate is not None and _is_near(model)]
    if near and not _is_unidentified(models):
        modelled = {name for model in models for pair in model.interactions for name in pair}
        return Lead(
            method=Method.LOG_LINEAR,
            about=tuple(name for name in nodes if name in modelled),
            estimate=min(near, key=lambda estimate: estimate.total),
            at_least=not any(
                TOO_HIGH - {Doubt.TWO_PROTOCOLS} & {*pair.doubts}
                for pair in pairs
                if {pair.a, pair.b} <= modelled
            ),
            seen=seen,
        )
    for pair in sorted(pairs, key=lambda pair: (pair.at_least, pair.both), reverse=True):
        if pair.estimate is not None and not VOID & {*pair.doubts}:
            return Lead(
                method=Method.CHAPMAN,
                about=(pair.a, pair.b),
                estimate=pair.estimate,
                at_least=pair.at_least,
                seen=seen,
            )
    for one in sorted(repeated, key=lambda one: one.seen, reverse=True):
        if one.estimate is not None:
            return Lead(
                method=Method.CHAO2,
                about=one.crawls,
                estimate=one.estimate,
                at_least=one.at_least,
                seen=one.seen,
            )
    return None


def _is_near(model: FittedModel) -> bool:
    return model.delta_aic is not None and model.delta_aic < AIC_RANGE


def _is_unidentified(models: Sequence[FittedModel]) -> bool:
    """Tell whether a model without a finite estimate fits clearly better than all others."""
    return any(
        model.outcome is FitOutcome.INFINITE and model.delta_aic is not None and model.delta_aic <= -AIC_RANGE
        for model in models
    )


def _notes(
    seen: Sequence[Sightings], lists: Sequence[Listed], counted: Counted, judge: Judge | None
) -> Iterator[str]:
    if judge is None and counted is Counted.ANSWERING:
        yield "nothing is known of the network's forks: all nodes that answered are counted"
    for one in seen:
        if one.manifest.state is not CrawlState.COMPLETE:
            yield f"{one.name} was not finished: its lists lack what it had not come to"
    for of, _ in lists:
        without_id = of.left_out.get(NO_NODE_ID, 0)
        if without_id:
            yield (
                f"{of.name}: {without_id:,} rows name an address and no node ID; "
                "addresses are another unit, and cannot be joined with nodes"
            )
        not_asked = of.left_out.get(Outcome.NOT_ASKED, 0)
        if not_asked:
            yield f"{of.name}: {not_asked:,} of {of.told:,} nodes were not asked whether they answer"


def _notes_on_models(models: Sequence[FittedModel], beyond: Sequence[str]) -> Iterator[str]:
    if beyond:
        yield f"the models take the {MAX_LISTS} largest lists, and so not {', '.join(beyond)}"
    if _is_unidentified(models):
        yield (
            "a model without a finite estimate fits the overlaps clearly better than all others, "
            "so the models are set aside: some list is made of others, or excludes them"
        )
