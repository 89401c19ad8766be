"""Crawls whose lists overlap as a test wants them to, and a judge who believes what they say of their network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from tests.made_crawls import ENDED, START, manifest, row

from concentra.collect.belonging import Belonging, Evidence, Membership
from concentra.model.crawl import CrawlSource, CrawlState, NodeRow
from concentra.workflows.coverage import coverage
from concentra.workflows.coverage_lists import Crawl
from concentra.workflows.coverage_subjects import ReadCrawl

OURS, THEIRS = 1, 56
ELSEWHERE = Belonging(
    membership=Membership.OTHER_NETWORK, network="bnb", standing=None, evidence=Evidence.STATUS
)
HERE = Belonging(membership=Membership.RIGHT, network="ethereum", standing=None, evidence=Evidence.STATUS)
SILENT = Belonging(membership=Membership.NO_STATEMENT, network=None, standing=None, evidence=Evidence.NONE)


def judge(of: NodeRow) -> Belonging:
    """Believe the network ID of a row."""
    return {OURS: HERE, THEIRS: ELSEWHERE}.get(of.network_id or 0, SILENT)


def listed(number: int, *sources: CrawlSource, **changes: Any) -> list[NodeRow]:
    """Return the rows of a node on our network that several sources told of."""
    return [row(number, **{"source": source, "network_id": OURS, **changes}) for source in sources]


def overlapping(
    counts: Mapping[tuple[CrawlSource, ...], int], *, start: int = 1, **changes: Any
) -> list[NodeRow]:
    """Return rows of so many nodes on exactly these lists, each seen a minute or so after the crawl began."""
    rows: list[NodeRow] = []
    number = start
    for sources, count in counts.items():
        for _ in range(count):
            moment = START + timedelta(minutes=number % 40)
            rows += listed(number, *sources, **{"last_seen": moment, **changes})
            number += 1
    return rows


def crawl(rows: Iterable[NodeRow], **changes: Any) -> ReadCrawl:
    """Return a complete crawl."""
    complete = {"state": CrawlState.COMPLETE, "ended": ENDED, **changes}
    return ReadCrawl(manifest=manifest(**complete), kept=sorted(rows, key=lambda of: of.node_id))


def coverage_of(*crawls: Crawl, **options: Any) -> Any:
    """Return the coverage of crawls that are called first, second and so on."""
    names = ("first", "second", "third", "fourth")
    return coverage(dict(zip(names, crawls, strict=False)), **{"judge": judge, **options})
