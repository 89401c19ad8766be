"""Crawls made by hand, as counts: a large one, one that was stopped, and names that mean harm."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from tests.made_crawls import ENDED, START, manifest

from concentra.model.crawl import CrawlSource, CrawlState, Outcome
from concentra.model.crawl_summary import CrawlSummary, SourceCounts
from concentra.model.population import FunnelStep

HOSTILE = "evil\x1b[31m\u202e\n[bold]=cmd()\x00\x9b2J\u200b192.0.2.77"

FUNNEL = (
    FunnelStep(name="discovered", left=54_318, unit="nodes", dropped={"ourselves": 1}),
    FunnelStep(
        name="answering",
        left=21_204,
        unit="nodes",
        dropped={
            "timed out": 30_012,
            "refused": 2020,
            "crowded": 1004,
            "unreachable": 50,
            "wrong identity": 27,
        },
    ),
    FunnelStep(
        name="right network",
        left=9512,
        unit="nodes",
        dropped={
            "other network: bnb": 6100,
            "no statement": 3012,
            "unknown fork": 2202,
            "other network: ethereum-consensus": 378,
        },
    ),
    FunnelStep(name="synced", left=9012, unit="nodes", dropped={"stale fork": 455, "syncing": 45}),
    FunnelStep(name="routable", left=9010, unit="nodes", dropped={"private": 2}),
    FunnelStep(name="distinct", left=8790, unit="addresses", dropped={"at the address of another": 220}),
)

COMPLETE = CrawlSummary(
    manifest=manifest(
        state=CrawlState.COMPLETE,
        ended=ENDED,
        counts={
            "discv4: damaged packets": 12,
            "discv4: packets nobody asked for": 4711,
            "dns: queries": 3201,
        },
        settings={"rate": 50.0, "discovery": "discv4", "in_flight": 1024, "contact": "crawler@example.org"},
    ),
    nodes=54_319,
    funnel=FUNNEL,
    sources={
        CrawlSource.DISCV4: SourceCounts(announced=51_000, asked=50_006, answering=20_000, on_network=8800),
        CrawlSource.INBOUND: SourceCounts(announced=402, asked=402, answering=204, on_network=12),
        CrawlSource.DNS_TREE: SourceCounts(announced=3200, asked=3150, answering=2400, on_network=2390),
    },
    outcomes={
        Outcome.TIMED_OUT: 30_012,
        Outcome.ANSWERED: 21_000,
        Outcome.REFUSED: 2020,
        Outcome.CROWDED: 1004,
        Outcome.ANSWERED_LATE: 204,
        Outcome.UNREACHABLE: 50,
        Outcome.WRONG_IDENTITY: 28,
        Outcome.OURSELVES: 1,
    },
    silent_hearsay=11_021,
    greeted={"status": 9200, "disconnected: too many peers": 6100, "timed out": 1002, "refused": 399},
    clients={"geth": 3900, "nethermind": 1800, "reth": 1100, "others": 37},
    damaged=0,
)

STOPPED = replace(
    COMPLETE,
    manifest=manifest(
        state=CrawlState.STOPPED,
        ended=START + timedelta(seconds=42),
        settings={"rate": 0.5, "discovery": "discv4 discv5", "opt_out": 7},
        network="my-net",
        title="My network",
        identities=("aa" * 32,) * 4,
    ),
    nodes=40,
    funnel=(
        FunnelStep(name="discovered", left=40, unit="nodes"),
        FunnelStep(name="answering", left=2, unit="nodes", dropped={"not asked": 38}),
        FunnelStep(name="right network", left=1, unit="nodes", dropped={"no statement": 1}),
        FunnelStep(name="synced", left=1, unit="nodes"),
        FunnelStep(name="routable", left=1, unit="nodes"),
        FunnelStep(name="distinct", left=1, unit="addresses"),
    ),
    sources={CrawlSource.DISCV4: SourceCounts(announced=40, asked=2, answering=2, on_network=1)},
    outcomes={Outcome.NOT_ASKED: 38, Outcome.ANSWERED: 2},
    silent_hearsay=0,
    greeted={},
    clients={},
    damaged=1,
)

NOBODY = replace(
    STOPPED,
    manifest=manifest(
        state=CrawlState.COMPLETE,
        ended=ENDED + timedelta(days=1),
        settings={"rate": 50, "discovery": "discv4"},
        identities=("aa" * 32, "bb" * 32),
    ),
    nodes=4,
    funnel=(
        FunnelStep(name="discovered", left=4, unit="nodes"),
        FunnelStep(name="answering", left=0, unit="nodes", dropped={"timed out": 4}),
        *(FunnelStep(name=name, left=0, unit="nodes") for name in ("right network", "synced", "routable")),
        FunnelStep(name="distinct", left=0, unit="addresses"),
    ),
    sources={CrawlSource.DISCV4: SourceCounts(announced=4, asked=4)},
    outcomes={Outcome.TIMED_OUT: 4},
    damaged=0,
)

UNJUDGED = replace(
    COMPLETE,
    funnel=(
        *FUNNEL[:2],
        *(
            FunnelStep(name=name, unit="nodes", note="nothing is known of the network's forks")
            for name in ("right network", "synced")
        ),
        FunnelStep(name="routable", left=21_200, unit="nodes", dropped={"private": 4}),
        FunnelStep(
            name="distinct", left=20_000, unit="addresses", dropped={"at the address of another": 1200}
        ),
    ),
)


def hostile() -> CrawlSummary:
    """Return a crawl of which every text says what a stranger might want it to."""
    named: dict[str, Any] = {HOSTILE: 12, HOSTILE + "!" * 999: 3}
    return replace(
        COMPLETE,
        manifest=manifest(
            state=CrawlState.COMPLETE,
            ended=ENDED,
            title=HOSTILE,
            counts=named,
            command=HOSTILE,
            settings={"rate": 50.0, "discovery": HOSTILE, "contact": HOSTILE},
        ),
        funnel=(
            FunnelStep(name="discovered", left=9, unit="nodes", dropped=named),
            FunnelStep(name="synced", unit="nodes", note=HOSTILE),
        ),
        greeted=named,
        clients=named,
    )
