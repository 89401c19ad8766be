"""The counts of a crawl: each node once in every one of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.made_crawls import OURS, manifest, node_id, row

from concentra.collect.belonging import Belonging, Evidence, Membership
from concentra.collect.crawl_population import CrawlNodes
from concentra.collect.crawl_summary import LONGEST_NAME, SMALL_CLIENT, client_family, summary_of_crawl
from concentra.model.crawl import ANSWERING, NEVER_CONTACTED, CrawlSource, NodeRow, Outcome
from concentra.model.crawl_summary import ON_NETWORK, CrawlSummary, SourceCounts

V4, V5, DNS = CrawlSource.DISCV4, CrawlSource.DISCV5, CrawlSource.DNS_TREE
MEMBERSHIP = {
    1: Membership.RIGHT,
    2: Membership.OTHER_NETWORK,
    3: Membership.STALE,
    None: Membership.NO_STATEMENT,
}


def judge(one: NodeRow) -> Belonging:
    return Belonging(
        membership=MEMBERSHIP[one.network_id], network=None, standing=None, evidence=Evidence.STATUS
    )


def summary_of(rows: Iterable[NodeRow], **changes: Any) -> CrawlSummary:
    ordered = sorted(rows, key=lambda one: one.node_id)
    fields: dict[str, Any] = {"rows": ordered, "ourselves": frozenset({OURS}), "judge": judge}
    return summary_of_crawl(CrawlNodes(**{**fields, **changes}), manifest(), damaged=2)


def test_a_crawl_of_nobody_counts_nothing() -> None:
    summary = summary_of([])
    assert (summary.nodes, summary.answering, summary.on_network, summary.damaged) == (0, 0, 0, 2)
    assert (summary.sources, summary.outcomes, summary.greeted, summary.clients) == ({}, {}, {}, {})


def test_each_line_of_a_source_holds_the_next() -> None:
    rows = [
        row(1, network_id=1),
        row(2, network_id=2),
        row(3, network_id=3),
        row(4, network_id=1, address="10.0.0.1"),  # an audit does not count it; on the network it is
        row(5, outcome=Outcome.TIMED_OUT),
        row(6, outcome=Outcome.CROWDED),
    ]
    summary = summary_of(rows)
    assert summary.sources == {V4: SourceCounts(announced=6, asked=5, answering=4, on_network=2)}
    assert (summary.nodes, summary.answering, summary.on_network) == (6, 4, 2)


def test_a_node_that_several_sources_know_counts_once_and_on_each_of_them() -> None:
    rows = [
        row(1, source=DNS, network_id=1, outcome=Outcome.NOT_ASKED),
        row(1, source=V4, network_id=1, dialled="status", client="Geth/v1"),
        row(1, source=V5, network_id=1, outcome=Outcome.TIMED_OUT),
        row(2, source=V5, outcome=Outcome.TIMED_OUT),
    ]
    summary = summary_of(rows)
    everywhere = SourceCounts(announced=1, asked=1, answering=1, on_network=1)
    assert summary.sources == {
        V4: everywhere,
        V5: SourceCounts(announced=2, asked=2, answering=1, on_network=1),
        DNS: everywhere,
    }
    assert list(summary.sources) == [V4, V5, DNS]  # as a reader expects them
    assert summary.outcomes == {Outcome.ANSWERED: 1, Outcome.TIMED_OUT: 1}
    assert summary.greeted == {"status": 1}


def test_those_whom_one_network_alone_told_of_and_who_are_silent_are_hearsay() -> None:
    silent = {"outcome": Outcome.TIMED_OUT}
    rows = [row(1, announcers=1, **silent), row(2, announcers=2, **silent), row(3, announcers=0, **silent)]
    assert summary_of([*rows, row(4, announcers=1)]).silent_hearsay == 1


def test_without_facts_about_the_network_nobody_can_tell_who_is_on_it() -> None:
    assert summary_of([row(1, network_id=1)], judge=None).on_network is None


def test_the_step_that_the_headline_quotes_is_one_of_the_funnel() -> None:
    assert ON_NETWORK in {step.name for step in summary_of([row(1)]).funnel}


# Clients.


def clients(*names: str | None, **facts: Any) -> dict[str, int]:
    facts = {"network_id": 1, **facts}
    rows = [row(number, client=name, **facts) for number, name in enumerate(names, start=1)]
    return dict(summary_of(rows).clients)


def test_clients_are_counted_by_name_the_most_frequent_first() -> None:
    named = ["Geth/v1.17.0"] * 12 + ["erigon/3"] * 15 + ["geth/v1.16"] * 4 + [None] * 9
    assert list(clients(*named).items()) == [("geth", 16), ("erigon", 15)]


def test_a_name_that_few_give_would_identify_them_and_is_among_the_others() -> None:
    few = ["mine/1"] * (SMALL_CLIENT - 1)
    assert clients(*few) == {"others": SMALL_CLIENT - 1}
    assert clients(*few, "mine/2") == {"mine": SMALL_CLIENT}


def test_only_clients_on_the_network_are_counted() -> None:
    assert clients(*["geth/1"] * 20, network_id=2) == {}


@pytest.mark.parametrize(
    "client",
    [
        "",
        "/v1",
        "my node/v1",
        "\x1b[31mGeth\x1b[0m/v1",
        "[bold]geth[/bold]/v1",
        "g\u202eeth/v1",
        "gеth/v1",  # a Cyrillic letter
        "=HYPERLINK(1)/v1",
        "192.0.2.1/v1",
        "x" * (LONGEST_NAME + 1),
        "\ud800",
    ],
)
def test_whatever_is_no_plain_name_is_among_the_others(client: str) -> None:
    assert client_family(client) == "others"


@given(st.text(max_size=300))
def test_a_family_is_a_word_whatever_a_node_calls_itself(client: str) -> None:
    family = client_family(client)
    assert family.isascii()
    assert family.replace("-", "").replace("_", "").isalnum()
    assert len(family) <= LONGEST_NAME


# All of them.

rows_of_nodes = st.lists(
    st.builds(
        row,
        st.integers(1, 25),
        source=st.sampled_from([V4, V5, DNS]),
        outcome=st.sampled_from(list(Outcome)),
        network_id=st.sampled_from([1, 2, 3, None]),
        announcers=st.integers(0, 2),
        address=st.sampled_from([None, "8.8.8.8", "1.1.1.1", "10.0.0.1"]),
        dialled=st.sampled_from([None, "status", "timed out"]),
        client=st.sampled_from([None, "geth/1", "\x1b/1"]),
    ),
    max_size=60,
    unique_by=lambda one: (one.source, one.node_id),
)


@given(rows_of_nodes)
def test_the_counts_agree_with_each_other(rows: list[NodeRow]) -> None:
    summary = summary_of(rows)
    assert summary.nodes == len({one.node_id for one in rows}) == sum(summary.outcomes.values())
    assert summary.answering == sum(summary.outcomes.get(outcome, 0) for outcome in ANSWERING)
    assert summary.on_network is not None
    assert summary.on_network <= summary.answering <= summary.nodes
    assert summary.silent_hearsay <= summary.outcomes.get(Outcome.TIMED_OUT, 0)
    for counts in summary.sources.values():
        assert counts.announced >= counts.asked >= counts.answering >= counts.on_network
    assert sum(counts.announced for counts in summary.sources.values()) == len(rows)
    asked = sum(count for outcome, count in summary.outcomes.items() if outcome not in NEVER_CONTACTED)
    assert max((counts.asked for counts in summary.sources.values()), default=0) <= asked
    assert sum(summary.clients.values()) <= summary.on_network
    left = summary.nodes
    for step in summary.funnel[:-1]:
        left -= sum(step.dropped.values())
        assert step.left == left


def test_an_identity_of_ours_is_no_node() -> None:
    ours = row(1, network_id=1)
    summary = summary_of([row(2, network_id=1)], ourselves=frozenset({node_id(2)}))
    assert summary.on_network == 0
    assert summary_of([ours]).on_network == 1
