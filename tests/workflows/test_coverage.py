"""From rows to the answer: which nodes are counted, how lists overlap, and which estimate leads."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.made_crawls import OURS as OUR_ID
from tests.made_crawls import START
from tests.made_lists import THEIRS, coverage_of, crawl, judge, listed, overlapping

from concentra.collect.imports import endpoint_id
from concentra.metrics.network_size import chao2, chapman
from concentra.model.coverage import AIC_RANGE, Counted, Coverage, Doubt, FitOutcome, Method
from concentra.model.crawl import CrawlSource, CrawlState, Outcome
from concentra.workflows.coverage import coverage

V4, V5, DNS, PEERS, INBOUND, IMPORT = (
    CrawlSource.DISCV4,
    CrawlSource.DISCV5,
    CrawlSource.DNS_TREE,
    CrawlSource.ADMIN_PEERS,
    CrawlSource.INBOUND,
    CrawlSource.IMPORT,
)
TWO = {(V4,): 40, (DNS,): 20, (V4, DNS): 30}


def pair(of: Coverage, a: CrawlSource, b: CrawlSource) -> tuple[int, int, int]:
    found = next(one for one in of.pairs if {one.a, one.b} == {a.value, b.value})
    return found.a_nodes, found.b_nodes, found.both


# What is counted.


def test_two_lists_give_chapmans_estimate() -> None:
    of = coverage_of(crawl(overlapping(TWO)))
    expected = chapman(70, 50, 30)
    assert pair(of, V4, DNS) == (70, 50, 30)
    assert of.seen == 90
    assert of.lead is not None
    assert (of.lead.method, of.lead.about, of.lead.at_least) == (Method.CHAPMAN, ("discv4", "dns"), True)
    assert of.lead.estimate == expected
    assert of.lead.unseen == pytest.approx(expected.total - 90)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"outcome": Outcome.TIMED_OUT}, "timed out", id="silent"),
        pytest.param({"outcome": Outcome.NOT_ASKED, "asked_at": None}, "not asked", id="not asked"),
        pytest.param({"outcome": Outcome.WRONG_IDENTITY}, "wrong identity", id="somebody else"),
        pytest.param({"network_id": THEIRS}, "other network", id="elsewhere"),
        pytest.param({"network_id": None}, "no statement", id="says nothing"),
        pytest.param({"outcome": Outcome.OURSELVES}, "ourselves", id="one of our crawlers"),
        pytest.param({"node_id": OUR_ID}, "ourselves", id="the crawler itself"),
    ],
)
def test_a_node_that_is_left_out_is_counted_by_its_reason(changes: dict[str, object], reason: str) -> None:
    of = coverage_of(crawl([*overlapping(TWO), *listed(999, V4, DNS, **changes)]))
    assert pair(of, V4, DNS) == (70, 50, 30)
    assert [(one.told, one.counted, dict(one.left_out)) for one in of.lists] == [
        (71, 70, {reason: 1}),
        (51, 50, {reason: 1}),
    ]


def test_an_identity_of_any_of_the_crawls_is_no_node_in_any_of_them() -> None:
    other = bytes([0xBB]) * 32
    later = crawl(overlapping(TWO), started=START + timedelta(hours=2), identities=(other.hex(),))
    first = crawl([*overlapping(TWO), *listed(1, V4, node_id=other)])
    assert coverage_of(first, later).repeated[0].nodes == (70, 70)


def test_whether_its_address_is_public_does_not_matter() -> None:
    of = coverage_of(crawl([*overlapping(TWO), *listed(999, V4, DNS, address="127.0.0.1")]))
    assert pair(of, V4, DNS) == (71, 51, 31)


def test_a_node_that_answered_one_protocol_has_answered() -> None:
    rows = [*listed(999, V4), *listed(999, V5, DNS, outcome=Outcome.TIMED_OUT)]
    of = coverage_of(crawl([*overlapping({(V4, V5): 5, (DNS,): 5}), *rows]))
    assert [one.counted for one in of.lists] == [6, 6, 6]


def test_all_that_were_told_of_can_be_counted_instead() -> None:
    rows = [
        *overlapping(TWO),
        *listed(997, V4, outcome=Outcome.TIMED_OUT),
        *listed(998, V4, DNS, network_id=THEIRS),
        *listed(999, DNS, outcome=Outcome.OURSELVES),
    ]
    of = coverage_of(crawl(rows), counted=Counted.ANNOUNCED)
    assert pair(of, V4, DNS) == (72, 51, 31)
    assert [dict(one.left_out) for one in of.lists] == [{}, {"ourselves": 1}]


def test_without_a_judge_all_that_answered_count_and_that_is_told() -> None:
    of = coverage_of(crawl(overlapping(TWO, network_id=THEIRS)), judge=None)
    assert pair(of, V4, DNS) == (70, 50, 30)
    assert of.notes == ("nothing is known of the network's forks: all nodes that answered are counted",)


def test_rows_of_an_import_without_node_ids_cannot_be_joined() -> None:
    anonymous = [
        listed(0, IMPORT, node_id=endpoint_id(address), address=address)[0]
        for address in ("192.0.2.1", "2001:db8::1")
    ]
    of = coverage_of(crawl([*overlapping({**TWO, (V4, IMPORT): 8, (IMPORT,): 3}), *anonymous]))
    assert pair(of, V4, IMPORT) == (78, 11, 8)
    assert of.lists[-1].told == 13
    assert of.lists[-1].left_out == {"no node ID": 2}
    assert of.notes[0] == (
        "import: 2 rows name an address and no node ID; addresses are another unit, and cannot be joined "
        "with nodes"
    )


def test_an_import_of_addresses_alone_is_told_and_counts_nothing() -> None:
    anonymous = listed(0, IMPORT, node_id=endpoint_id("192.0.2.1"), address="192.0.2.1")
    of = coverage_of(crawl([*overlapping({(V4,): 3}), *anonymous]))
    assert [(one.name, one.told, one.counted) for one in of.lists] == [("discv4", 3, 3), ("import", 1, 0)]
    assert of.lead is None


def test_nodes_that_were_not_asked_are_noted() -> None:
    rows = [*overlapping(TWO), *overlapping({(DNS,): 7}, start=500, outcome=Outcome.NOT_ASKED)]
    assert coverage_of(crawl(rows)).notes == ("dns: 7 of 57 nodes were not asked whether they answer",)


def test_a_crawl_that_was_not_finished_is_noted() -> None:
    of = coverage_of(crawl(overlapping(TWO), state=CrawlState.STOPPED))
    assert of.notes == ("first was not finished: its lists lack what it had not come to",)


def test_sources_can_be_chosen() -> None:
    of = coverage_of(crawl(overlapping({**TWO, (PEERS, V4): 5})), sources=[V4, DNS])
    assert [one.name for one in of.lists] == ["discv4", "dns"]
    assert of.models == ()


@settings(max_examples=30)
@given(
    st.dictionaries(
        st.sets(st.sampled_from([V4, V5, DNS, PEERS]), min_size=1).map(lambda on: tuple(sorted(on))),
        st.integers(1, 12),
        min_size=1,
    )
)
def test_patterns_pairs_and_lists_add_up(counts: dict[tuple[CrawlSource, ...], int]) -> None:
    of = coverage_of(crawl(overlapping(counts)))
    wanted = {frozenset(sources): count for sources, count in counts.items()}
    assert {frozenset(pattern.lists): pattern.nodes for pattern in of.patterns} == wanted
    assert sum(pattern.nodes for pattern in of.patterns) == of.seen == sum(counts.values())
    for one in of.lists:
        assert one.counted == sum(pattern.nodes for pattern in of.patterns if one.name in pattern.lists)
    for two in of.pairs:
        on_both = [pattern.nodes for pattern in of.patterns if {two.a, two.b} <= {*pattern.lists}]
        assert two.both == sum(on_both)
    assert len(of.models) == {1: 0, 2: 0, 3: 8, 4: 64}[len(of.lists)]


# What is doubtful.


@pytest.mark.parametrize(
    ("counts", "doubts", "estimated"),
    [
        pytest.param({(V4,): 40, (DNS,): 20, (V4, DNS): 30}, (), True, id="nothing"),
        pytest.param({(V4,): 40, (DNS,): 20}, (Doubt.NOTHING_SHARED,), False, id="nothing shared"),
        pytest.param({(V4,): 40, (DNS,): 20, (V4, DNS): 6}, (Doubt.FEW_SHARED,), True, id="six shared"),
        pytest.param({(V4,): 40, (DNS,): 20, (V4, DNS): 7}, (), True, id="seven shared"),
        pytest.param({(V4,): 40, (V4, DNS): 30}, (Doubt.CONTAINED,), False, id="one within the other"),
        pytest.param({(V4, DNS): 30}, (Doubt.CONTAINED,), False, id="the same twice"),
        pytest.param(
            {(V4,): 40, (V4, DNS): 3}, (Doubt.FEW_SHARED, Doubt.CONTAINED), False, id="a small one within"
        ),
        pytest.param(
            {(V4,): 40, (DNS,): 1, (V4, DNS): 20}, (Doubt.HIGH_OVERLAP,), True, id="20 of 21 shared"
        ),
        pytest.param({(V4,): 40, (DNS,): 1, (V4, DNS): 19}, (), True, id="19 of 20 shared"),
        pytest.param({(V4,): 40, (V5,): 20, (V4, V5): 30}, (Doubt.TWO_PROTOCOLS,), True, id="two walks"),
    ],
)
def test_what_is_wrong_with_a_pair(
    counts: dict[tuple[CrawlSource, ...], int], doubts: Sequence[Doubt], estimated: bool
) -> None:
    [two] = coverage_of(crawl(overlapping(counts))).pairs
    assert two.doubts == tuple(doubts)
    assert (two.estimate is not None) == estimated
    assert two.at_least == (Doubt.TWO_PROTOCOLS not in doubts)


@pytest.mark.parametrize(("hours", "apart"), [(24, False), (24.1, True)])
def test_sightings_more_than_a_day_apart_may_make_an_estimate_too_high(hours: float, apart: bool) -> None:
    early = overlapping({(V4,): 40, (V4, DNS): 30}, last_seen=START)
    late = overlapping({(DNS,): 20}, start=500, last_seen=START + timedelta(hours=hours))
    of = coverage_of(crawl([*early, *late]))
    assert (Doubt.APART in of.pairs[0].doubts) == apart
    assert of.lead is not None
    assert of.lead.at_least is not apart


def test_a_list_wholly_within_another_tells_nothing() -> None:
    of = coverage_of(crawl(overlapping({(V4,): 40, (V4, DNS): 30})))
    assert of.lead is None
    assert of.seen == 70


def test_lists_that_share_too_little_do_not_answer_the_question() -> None:
    of = coverage_of(crawl(overlapping({(V4,): 40, (DNS,): 20, (V4, DNS): 6})))
    assert of.pairs[0].estimate is not None
    assert of.lead is None


def test_a_lower_bound_leads_before_lists_that_share_more() -> None:
    """The peers of the user's node are all in the first walk, so that no model leads."""
    of = coverage_of(
        crawl(
            overlapping({(V4,): 300, (V5,): 200, (V4, V5): 900, (DNS,): 90, (V4, DNS): 80, (V4, PEERS): 90})
        )
    )
    assert max(of.pairs, key=lambda one: one.both).doubts == (Doubt.TWO_PROTOCOLS,)
    assert of.lead is not None
    assert (of.lead.about, of.lead.at_least) == (("discv4", "dns"), True)


def test_two_walks_alone_give_an_estimate_that_may_be_too_high() -> None:
    lead = coverage_of(crawl(overlapping({(V4,): 40, (V5,): 20, (V4, V5): 30}))).lead
    assert lead is not None
    assert lead.at_least is False


def test_nodes_that_were_not_asked_again_count_as_missed_by_the_second_crawl_only() -> None:
    resting = overlapping({(V4,): 5}, start=900, outcome=Outcome.ASKED_RECENTLY)
    second = crawl(
        [*overlapping({(V4,): 60, (V4, DNS): 20, (DNS,): 9}, start=31), *resting],
        started=START + timedelta(hours=1),
    )
    of = coverage_of(crawl(overlapping({(V4,): 60, (PEERS, V4): 9, (PEERS,): 9})), second)
    assert of.repeated[0].doubts == (Doubt.NOT_ASKED_AGAIN,)
    assert of.repeated[0].at_least is False
    doubts = {(one.a, one.b): Doubt.NOT_ASKED_AGAIN in one.doubts for one in of.pairs}
    assert doubts == {
        ("discv4", "dns"): False,
        ("discv4", "admin_peers"): True,
        ("dns", "admin_peers"): False,
    }


# Three lists and more.


def test_three_lists_are_modelled_and_the_lowest_supported_model_leads() -> None:
    of = coverage_of(
        crawl(
            overlapping(
                {
                    (V4,): 120,
                    (DNS,): 80,
                    (PEERS,): 30,
                    (V4, DNS): 100,
                    (V4, PEERS): 40,
                    (DNS, PEERS): 25,
                    (V4, DNS, PEERS): 35,
                }
            )
        )
    )
    totals = [model.estimate.total for model in of.supported if model.estimate is not None]
    assert 1 < len(totals) < 8
    assert of.lead is not None
    assert of.lead.method is Method.LOG_LINEAR
    assert of.lead.estimate.total == min(totals)
    assert of.lead.about == ("discv4", "dns", "admin_peers")
    assert of.lead.seen == of.seen == 430


def test_models_that_no_finite_one_comes_near_to_are_set_aside() -> None:
    """All peers of the user's node are in the walk, which a dependence alone can explain."""
    of = coverage_of(
        crawl(overlapping({(V4,): 300, (DNS,): 200, (V4, DNS): 250, (V4, PEERS): 60, (V4, DNS, PEERS): 50}))
    )
    infinite = [model.delta_aic for model in of.models if model.outcome is FitOutcome.INFINITE]
    assert min(delta for delta in infinite if delta is not None) < -AIC_RANGE
    assert of.lead is not None
    assert (of.lead.method, of.lead.about) == (Method.CHAPMAN, ("discv4", "dns"))
    [note] = of.notes
    assert note == (
        "a model without a finite estimate fits the overlaps clearly better than all others, so the models are "
        "set aside: some list is made of others, or excludes them"
    )


def test_of_more_than_five_lists_the_largest_five_are_modelled() -> None:
    rng = np.random.default_rng(3)
    sources = list(CrawlSource)
    counts: dict[tuple[CrawlSource, ...], int] = {}
    for _ in range(400):
        on = tuple(
            one for one, p in zip(sources, (0.8, 0.7, 0.2, 0.6, 0.4, 0.5), strict=True) if rng.random() < p
        )
        if on:
            counts[on] = counts.get(on, 0) + 1
    of = coverage_of(crawl(overlapping(counts)))
    assert len(of.lists) == 6
    assert len(of.models) == 1024
    assert of.lead is not None
    assert "inbound" not in of.lead.about
    assert of.notes == ("the models take the 5 largest lists, and so not inbound",)
    assert of.seen == sum(counts.values())


# Several crawls.


def test_repeated_crawls_give_chaos_bound() -> None:
    first = crawl(overlapping({(V4,): 60}))
    second = crawl(overlapping({(V4,): 60}, start=31), started=START + timedelta(hours=1))
    third = crawl(overlapping({(V4,): 60}, start=41), started=START + timedelta(hours=2))
    of = coverage_of(third, first, second)
    [walk] = of.repeated
    assert walk.crawls == ("second", "third", "first")  # as they were named; the oldest comes first
    assert walk.seen_in == (40, 40, 20)
    assert walk.estimate == chao2([40, 40, 20])
    assert of.lead is not None
    assert (of.lead.method, of.lead.about, of.lead.seen) == (Method.CHAO2, walk.crawls, 100)
    assert of.lead.unseen == pytest.approx(chao2([40, 40, 20]).unseen)


@pytest.mark.parametrize(
    ("starts", "doubts"),
    [
        pytest.param((1, 1, 1), (Doubt.NO_SINGLES,), id="the same nodes each time"),
        pytest.param((1, 1, 2), (Doubt.NO_SINGLES,), id="one new node"),
        pytest.param((1, 1, 3), (), id="two new nodes"),
        pytest.param((1, 101, 201), (Doubt.NO_DOUBLES,), id="other nodes each time"),
    ],
)
def test_what_is_wrong_with_repeated_crawls(starts: Sequence[int], doubts: Sequence[Doubt]) -> None:
    crawls = [
        crawl(overlapping({(V4,): 60}, start=start), started=START + timedelta(hours=hour))
        for hour, start in enumerate(starts)
    ]
    of = coverage_of(*crawls)
    assert of.repeated[0].doubts == tuple(doubts)
    assert (of.lead is None) == (Doubt.NO_SINGLES in doubts)


def test_crawls_of_several_days_count_those_who_left_as_missed() -> None:
    later = START + timedelta(days=3)
    of = coverage_of(
        crawl(overlapping({(V4,): 60})),
        crawl(overlapping({(V4,): 60}, start=31, last_seen=later), started=later),
    )
    assert of.repeated[0].doubts == (Doubt.APART,)
    assert of.lead is not None
    assert of.lead.at_least is False


def test_of_several_crawls_a_source_is_taken_from_the_newest_that_has_it() -> None:
    newer = START + timedelta(hours=3)
    of = coverage_of(
        crawl(overlapping({(V4,): 60, (V4, DNS): 10, (DNS,): 10})),
        crawl(overlapping({(V4,): 30}), started=newer),
    )
    assert [(one.name, one.crawl, one.counted) for one in of.lists] == [
        ("discv4", "second", 30),
        ("dns", "first", 20),
    ]


def test_each_import_is_a_list_of_its_own_and_no_repetition() -> None:
    of = coverage_of(
        crawl(overlapping({(V4,): 40, (V4, IMPORT): 20, (IMPORT,): 10})),
        crawl(overlapping({(IMPORT,): 30}, start=41), started=START + timedelta(hours=1)),
    )
    assert [one.name for one in of.lists] == ["discv4", "import first", "import second"]
    assert of.repeated == ()
    assert len(of.pairs) == 3


# Nothing to say.


def test_one_list_tells_nothing_of_what_it_misses() -> None:
    of = coverage_of(crawl(overlapping({(V4,): 60})))
    assert (of.lead, of.pairs, of.models, of.repeated) == (None, (), (), ())
    assert of.seen == 60


def test_a_crawl_without_a_node_is_no_error() -> None:
    of = coverage_of(crawl([]))
    assert (of.lead, of.lists, of.seen) == (None, (), 0)


def test_crawls_of_two_networks_are_not_compared() -> None:
    with pytest.raises(ValueError, match="one network"):
        coverage({"a": crawl([]), "b": crawl([], network="sepolia")}, judge=judge)
    with pytest.raises(ValueError, match="one network"):
        coverage({}, judge=judge)


def test_more_nodes_than_a_pair_accounts_for_are_never_hidden() -> None:
    """The lists of the estimate agree that there are few nodes, and a third one knows others."""
    rows = overlapping({(V4,): 2, (DNS,): 2, (V4, DNS): 40, (PEERS,): 30})
    of = coverage_of(crawl(rows))
    assert of.lead is not None
    assert of.lead.method is Method.CHAPMAN
    assert of.lead.estimate.total < of.lead.seen == of.seen == 74
    assert of.lead.unseen == 0
    assert of.notes[-1] == "74 nodes were seen, more than discv4, dns account for"
