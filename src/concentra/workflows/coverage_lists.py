"""The lists of crawls: which nodes each source told of, and which of them are counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol

from concentra.collect.crawl_population import CrawlNodes, Judge, JudgedNode, Step
from concentra.collect.imports import endpoint_id
from concentra.model.axes import Among
from concentra.model.coverage import NO_NODE_ID, Counted, NodeList
from concentra.model.crawl import CrawlManifest, CrawlSource, NodeRow

AMONG: Mapping[Counted, Among] = {Counted.ANSWERING: Among.NETWORK, Counted.ANNOUNCED: Among.ANNOUNCED}


class Crawl(Protocol):
    """A crawl that can be read."""

    @property
    def manifest(self) -> CrawlManifest:
        """What the crawl says of itself."""
        ...

    def rows(self) -> Iterable[NodeRow]:
        """Return a row for each node and source, ordered by node ID."""
        ...


@dataclass(slots=True, kw_only=True)
class _Told:
    """What one source of one crawl told of; filled while its nodes go by."""

    counted: set[bytes] = field(default_factory=set)
    left_out: Counter[str] = field(default_factory=Counter)
    seen_from: datetime | None = None
    seen_to: datetime | None = None

    def add(self, node: JudgedNode) -> None:
        # A node is counted wherever it is: an audit asks further whether its address is a public one.
        if node.left_out is not None and node.left_out.step is not Step.ROUTABLE:
            self.left_out[node.left_out.reason.partition(":")[0]] += 1
            return
        moment = node.row.last_seen
        self.counted.add(node.row.node_id)
        self.seen_from = min(self.seen_from or moment, moment)
        self.seen_to = max(self.seen_to or moment, moment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sightings:
    """What one crawl saw."""

    name: str
    manifest: CrawlManifest
    told: Mapping[CrawlSource, _Told]

    def counted(self, source: CrawlSource) -> AbstractSet[bytes]:
        """Return the nodes of one source that are counted."""
        return self.told[source].counted

    def listed(self, source: CrawlSource, name: str) -> NodeList:
        """Return the list of one source, under a name of its own."""
        told = self.told[source]
        return NodeList(
            name=name,
            source=source,
            crawl=self.name,
            told=len(told.counted) + told.left_out.total(),
            counted=len(told.counted),
            left_out=dict(told.left_out.most_common()),
            seen_from=told.seen_from,
            seen_to=told.seen_to,
        )


class Listed(NamedTuple):
    """A list, and the counted nodes on it."""

    of: NodeList
    nodes: AbstractSet[bytes]


def sightings(
    crawl: Crawl, name: str, counted: Counted, *, judge: Judge | None, ourselves: AbstractSet[bytes]
) -> Sightings:
    """Return what a crawl saw; its rows are read once.

    Parameters
    ----------
    crawl : Crawl
    name : str
        What to call it.
    counted : Counted
        Which nodes to count.
    judge : callable, optional
        Tells whether a node is on the network; without it all that answered are taken to be.
    ourselves : set of bytes
        Node IDs under which crawls asked: no nodes of the network.

    Raises
    ------
    UnreadableFile
        If the rows cannot be read.
    """
    told: dict[CrawlSource, _Told] = {}
    without_id = 0

    def joinable() -> Iterator[NodeRow]:
        nonlocal without_id
        for row in crawl.rows():
            if _has_node_id(row):
                yield row
            else:
                without_id += 1

    for node in CrawlNodes(rows=joinable(), ourselves=ourselves, judge=judge, among=AMONG[counted]):
        for source in node.sources:
            told.setdefault(source, _Told()).add(node)
    if without_id:
        told.setdefault(CrawlSource.IMPORT, _Told()).left_out[NO_NODE_ID] = without_id
    return Sightings(name=name, manifest=crawl.manifest, told=told)


def lists_of(seen: Sequence[Sightings], sources: Collection[CrawlSource]) -> Iterator[Listed]:
    """Yield the list of each source.

    Of several crawls a source is taken from the newest that has it, so that the lists are close in time.
    Imports are by different tools, so each is a list of its own.

    Parameters
    ----------
    seen : sequence of Sightings
        Oldest first.
    sources : collection of CrawlSource
        Which to take; all if empty.
    """
    for source in CrawlSource:
        if sources and source not in sources:
            continue
        with_it = [one for one in seen if source in one.told]
        chosen = with_it if source is CrawlSource.IMPORT else with_it[-1:]
        for one in chosen:
            name = source.value if len(chosen) == 1 else f"{source.value} {one.name}"
            yield Listed(one.listed(source, name), one.counted(source))


def _has_node_id(row: NodeRow) -> bool:
    """Tell whether a row names a node: an import may know addresses only, for which digests stand in."""
    return (
        row.source is not CrawlSource.IMPORT
        or row.public_key is not None
        or row.address is None
        or row.node_id != endpoint_id(row.address)
    )
