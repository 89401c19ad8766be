"""Nodes of a crawl → its counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from concentra.collect.crawl_population import CrawlNodes, JudgedNode, Step, funnel_of
from concentra.model.crawl import ANSWERING, NEVER_CONTACTED, CrawlManifest, CrawlSource, Outcome
from concentra.model.crawl_summary import CrawlSummary, SourceCounts

SMALL_CLIENT = 10
"""Names that fewer nodes give are counted together: a name of one's own would identify its node."""

OTHER_CLIENTS = "others"
LONGEST_NAME = 32


def summary_of_crawl(nodes: CrawlNodes, manifest: CrawlManifest, *, damaged: int) -> CrawlSummary:
    """Return the counts of a crawl.

    Parameters
    ----------
    nodes : CrawlNodes
    manifest : CrawlManifest
    damaged : int
        Files that could not be read.
    """
    outcomes: Counter[Outcome] = Counter()
    greeted: Counter[str] = Counter()
    clients: Counter[str] = Counter()
    by_source: dict[CrawlSource, Counter[str]] = {}
    hearsay: Counter[bool] = Counter()

    def count(node: JudgedNode) -> None:
        row = node.row
        outcomes[row.outcome] += 1
        hearsay[row.outcome is Outcome.TIMED_OUT and row.announcers == 1] += 1
        if row.dialled is not None:
            greeted[row.dialled] += 1
        if row.client is not None and _is_on_network(node):
            clients[client_family(row.client)] += 1
        for source in node.sources:
            by_source.setdefault(source, Counter()).update(_reached(node))

    funnel = funnel_of(nodes, count)
    return CrawlSummary(
        manifest=manifest,
        nodes=outcomes.total(),
        funnel=funnel,
        sources={source: SourceCounts(**by_source[source]) for source in CrawlSource if source in by_source},
        outcomes=dict(outcomes.most_common()),
        silent_hearsay=hearsay[True],
        greeted=dict(greeted.most_common()),
        clients=_large_enough(clients),
        damaged=damaged,
    )


def client_family(client: str) -> str:
    """Return the software's name, which stands before its version; letters in lower case.

    Whatever is no plain name, or too long for one, is among the others.

    >>> client_family("Geth/v1.17.0-stable/linux-amd64/go1.26"), client_family("my node!/v1")
    ('geth', 'others')
    """
    name = client.partition("/")[0].strip().lower()
    is_plain = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return name if is_plain and len(name) <= LONGEST_NAME else OTHER_CLIENTS


def _reached(node: JudgedNode) -> Iterable[str]:
    yield "announced"
    if node.row.outcome not in NEVER_CONTACTED:
        yield "asked"
    if node.row.outcome in ANSWERING:
        yield "answering"
        if _is_on_network(node):
            yield "on_network"


def _is_on_network(node: JudgedNode) -> bool:
    return node.left_out is None or node.left_out.step is Step.ROUTABLE


def _large_enough(clients: Counter[str]) -> dict[str, int]:
    unnamed = clients.pop(OTHER_CLIENTS, 0)
    named = {name: count for name, count in clients.most_common() if count >= SMALL_CLIENT}
    others = unnamed + clients.total() - sum(named.values())
    return named | ({OTHER_CLIENTS: others} if others else {})
