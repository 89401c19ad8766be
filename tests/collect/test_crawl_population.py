"""From the nodes that a crawl was told of to those that count: none gets lost on the way."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.made_crawls import ENDED, OURS, START, manifest, row

from concentra.collect.belonging import Belonging, Evidence, Membership
from concentra.collect.crawl_population import (
    CrawlNodes,
    JudgedNode,
    LeftOut,
    NobodyLeft,
    Step,
    merged,
    population_of_crawl,
)
from concentra.model.axes import Among, Unit
from concentra.model.crawl import ANSWERING, CrawlManifest, CrawlSource, CrawlState, NodeRow, Outcome
from concentra.model.population import FunnelStep, Population

SOON = START + timedelta(minutes=5)
MEMBERSHIP = {
    1: Membership.RIGHT,
    2: Membership.OTHER_NETWORK,
    3: Membership.STALE,
    4: Membership.SYNCING,
    5: Membership.UNKNOWN_FORK,
    6: Membership.CONTRADICTORY,
    7: Membership.SHARED_HISTORY,
    None: Membership.NO_STATEMENT,
}


def judge(one: NodeRow) -> Belonging:
    """Judge a row by its network ID, which stands for a membership here."""
    membership = MEMBERSHIP[one.network_id]
    network = "sepolia" if one.head else None
    return Belonging(membership=membership, network=network, standing=None, evidence=Evidence.STATUS)


def nodes_of(rows: Iterable[NodeRow], **changes: Any) -> CrawlNodes:
    fields: dict[str, Any] = {"rows": list(rows), "ourselves": frozenset({OURS}), "judge": judge}
    return CrawlNodes(**{**fields, **changes})


def population_of(
    rows: Iterable[NodeRow], about: CrawlManifest | None = None, lost: int = 0, **changes: Any
) -> Population:
    about = about or manifest(state=CrawlState.COMPLETE, ended=ENDED)
    nodes = nodes_of(rows, **changes)
    return population_of_crawl(nodes, about, subject="ethereum", rows=9, sha256="ab", lost=lost)


def on_network(number: int, **changes: Any) -> NodeRow:
    return row(number, **{"network_id": 1, **changes})


def step(population: Population, name: str) -> FunnelStep:
    [found] = [one for one in population.funnel if one.name == name]
    return found


SILENT = row(90, outcome=Outcome.TIMED_OUT)


# The funnel.


def test_every_node_is_counted_or_left_out_for_a_reason() -> None:
    population = population_of(
        [
            on_network(1),
            on_network(2, address="1.1.1.1", outcome=Outcome.ANSWERED_LATE),
            on_network(3, outcome=Outcome.TIMED_OUT),
            on_network(4, outcome=Outcome.OPTED_OUT),
            row(5, network_id=2, head=1),
            row(6, network_id=2),
            row(7, network_id=3),
            row(8, network_id=4),
            row(9, network_id=5),
            row(10, network_id=6),
            row(11, network_id=7),
            row(12),
            on_network(13, address="10.0.0.1"),
            on_network(14, address=None),
            on_network(15, address="::ffff:8.8.8.8"),
            on_network(16, outcome=Outcome.OURSELVES),
            replace(on_network(17), node_id=OURS),
        ]
    )
    told = [(one.name, one.left, one.unit, dict(one.dropped)) for one in population.funnel]
    assert told == [
        ("discovered", 15, "nodes", {"ourselves": 2}),
        ("answering", 13, "nodes", {"timed out": 1, "opted out": 1}),
        (
            "right network",
            7,
            "nodes",
            {
                "other network: sepolia": 1,
                "other network": 1,
                "unknown fork": 1,
                "contradictory": 1,
                "shared history": 1,
                "no statement": 1,
            },
        ),
        ("synced", 5, "nodes", {"stale fork": 1, "syncing": 1}),
        ("routable", 3, "nodes", {"private": 1, "no address": 1}),
        ("distinct", 2, "addresses", {"at the address of another": 1}),
    ]


def test_several_nodes_at_one_address_weigh_in_nodes_and_not_in_addresses() -> None:
    rows = [
        on_network(1),
        on_network(2),
        on_network(3, address="8.8.8.9"),
        on_network(4, address="2606:4700::1"),
    ]
    units = population_of(rows).units
    assert {unit: addresses.total for unit, addresses in units.items()} == {
        Unit.NODE: 4,
        Unit.ADDRESS: 3,
        Unit.PREFIX: 2,
    }
    assert units[Unit.NODE].v4.tolist() == [0x08080808, 0x08080809]
    assert units[Unit.NODE].v4_weight.tolist() == [2, 1]
    assert units[Unit.NODE].v6_weight.tolist() == [1]
    assert units[Unit.ADDRESS].v4_weight.tolist() == [1, 1]


def test_the_largest_reason_stands_first() -> None:
    rows = [
        on_network(1),
        row(2, outcome=Outcome.REFUSED),
        *(row(n, outcome=Outcome.TIMED_OUT) for n in (3, 4)),
    ]
    assert list(step(population_of(rows), "answering").dropped) == ["timed out", "refused"]


def test_whether_a_head_is_recent_is_not_claimed() -> None:
    note = step(population_of([on_network(1)]), "synced").note
    assert note == "told from fork IDs; whether the head of a chain is recent is not recorded"


outcomes = st.sampled_from(Outcome)
made_rows = st.lists(
    st.builds(
        row,
        st.integers(0, 9),
        source=st.sampled_from(CrawlSource),
        outcome=outcomes,
        network_id=st.sampled_from(list(MEMBERSHIP)),
        address=st.sampled_from([None, "8.8.8.8", "1.1.1.1", "10.0.0.1", "::1", "2606:4700::1"]),
    ),
    max_size=30,
    unique_by=lambda one: (one.node_id, one.source),
)


@given(made_rows, st.sampled_from(Among), st.booleans())
@settings(max_examples=100)
def test_the_funnel_adds_up_and_ends_with_what_is_counted(
    rows: list[NodeRow], among: Among, known: bool
) -> None:
    rows.append(on_network(255))
    rows.sort(key=lambda one: one.node_id)
    population = population_of(rows, among=among, judge=judge if known else None)
    left = len({one.node_id for one in rows})
    for one in population.funnel:
        if one.left is not None:
            left -= sum(one.dropped.values())
            assert left == one.left
    assert left == population.units[Unit.ADDRESS].total
    assert step(population, "routable").left == population.units[Unit.NODE].total


# Which nodes are wanted.

MIXED = [on_network(1), row(2, address="1.1.1.1"), row(3, address="9.9.9.9", outcome=Outcome.TIMED_OUT)]


def test_three_populations_hold_each_other() -> None:
    totals = {among: population_of(MIXED, among=among).units[Unit.NODE].total for among in Among}
    assert totals == {Among.ANNOUNCED: 3, Among.RESPONDING: 2, Among.NETWORK: 1}


def test_steps_that_were_not_taken_are_not_in_the_funnel() -> None:
    assert [one.name for one in population_of(MIXED, among=Among.ANNOUNCED).funnel] == [
        "discovered",
        "routable",
        "distinct",
    ]
    assert [one.name for one in population_of(MIXED, among=Among.RESPONDING).funnel] == [
        "discovered",
        "answering",
        "routable",
        "distinct",
    ]


def test_ourselves_are_in_no_population() -> None:
    population = population_of([*MIXED, replace(row(9), node_id=OURS)], among=Among.ANNOUNCED)
    assert population.units[Unit.NODE].total == 3


def test_the_title_tells_that_it_is_a_crawl_of_this_machine_and_which_nodes_are_meant() -> None:
    titles = [population_of(MIXED, among=among).title for among in Among]
    crawl = "Ethereum, execution layer: local crawl of 2026-11-23 01:45 UTC"
    assert titles == [
        f"{crawl}, all nodes that were told of",
        f"{crawl}, all nodes that answered",
        crawl,
    ]


def test_without_facts_about_the_network_nobody_is_left_out_for_it_and_the_reader_is_told() -> None:
    population = population_of([on_network(1), row(2, network_id=2)], judge=None)
    assert population.units[Unit.NODE].total == 2
    assert [step(population, name).left for name in ("right network", "synced")] == [None, None]
    assert any("nodes of other networks may be among those counted" in note for note in population.notes)


# What several sources know of one node.


def both(first: dict[str, Any], second: dict[str, Any]) -> list[list[NodeRow]]:
    """Return the rows of two sources in both orders."""
    rows = [row(1, source=CrawlSource.DISCV4, **first), row(1, source=CrawlSource.DNS_TREE, **second)]
    return [rows, rows[::-1]]


def same(found: Sequence[NodeRow], field: str) -> Any:
    """Return what a field is, whatever the order of the sources was."""
    values = {getattr(one, field) for one in found}
    assert len(values) == 1
    return values.pop()


def test_a_node_that_answered_any_source_answered() -> None:
    found = [
        merged(rows)
        for rows in both(
            {"outcome": Outcome.ANSWERED, "address": "8.8.8.8"},
            {"outcome": Outcome.TIMED_OUT, "address": "1.1.1.1", "last_seen": SOON},
        )
    ]
    assert same(found, "outcome") is Outcome.ANSWERED
    assert same(found, "address") == "8.8.8.8"
    assert same(found, "last_seen") == SOON


def test_of_two_answers_the_address_of_the_newer_counts() -> None:
    found = [merged(rows) for rows in both({"address": "8.8.8.8"}, {"address": "1.1.1.1", "last_seen": SOON})]
    assert same(found, "address") == "1.1.1.1"


RANKED = [
    Outcome.OURSELVES,
    Outcome.ANSWERED,
    Outcome.TIMED_OUT,
    Outcome.OPTED_OUT,
    Outcome.NOT_ASKED,
]


@pytest.mark.parametrize("position", range(len(RANKED) - 1))
def test_what_says_more_about_a_node_counts_before_what_says_less(position: int) -> None:
    more, less = RANKED[position], RANKED[position + 1]
    found = [merged(rows) for rows in both({"outcome": more}, {"outcome": less, "last_seen": SOON})]
    assert same(found, "outcome") is more


def test_an_address_that_only_one_source_knows_is_kept() -> None:
    found = [merged(rows) for rows in both({"address": None}, {"outcome": Outcome.NOT_ASKED})]
    assert same(found, "address") == "8.8.8.8"


def test_the_record_with_the_highest_number_counts() -> None:
    old, new = (
        {"record": b"old", "seq": 1, "fork_hash": b"oldf"},
        {"record": b"new", "seq": 2, "fork_hash": b"newf"},
    )
    found = [merged(rows) for rows in both({**old, "last_seen": SOON}, {**new, "outcome": Outcome.NOT_ASKED})]
    assert same(found, "record") == b"new"
    assert same(found, "seq") == 2
    assert same(found, "fork_hash") == b"newf"


def test_a_status_counts_before_a_record_and_the_newest_of_two() -> None:
    status = {"genesis": bytes(32), "network_id": 1, "fork_hash": b"said", "fork_next": 0, "head": 5}
    found = [merged(rows) for rows in both(status, {"record": b"new", "seq": 9, "fork_hash": b"newf"})]
    assert same(found, "fork_hash") == b"said"
    assert same(found, "record") == b"new"
    later = {**status, "network_id": 2, "last_seen": SOON}
    assert same([merged(rows) for rows in both({**status, "seq": 9}, later)], "network_id") == 2


def test_the_first_sighting_of_any_source_counts() -> None:
    found = [merged(rows) for rows in both({"first_seen": SOON}, {"last_seen": SOON})]
    assert same(found, "first_seen") == START


def test_a_client_that_one_source_knows_is_kept() -> None:
    found = [merged(rows) for rows in both({"last_seen": SOON}, {"client": "Geth", "capabilities": "eth/69"})]
    assert same(found, "client") == "Geth"
    assert same(found, "capabilities") == "eth/69"


def test_a_node_of_several_sources_is_one_node_and_is_counted_with_each_source() -> None:
    rows = [on_network(1), on_network(1, source=CrawlSource.DNS_TREE), on_network(2, address="1.1.1.1")]
    population = population_of(rows)
    assert step(population, "discovered").left == 2
    assert "nodes by source: discv4 2, dns 1 (several may tell of one)" in population.notes
    [first, second] = nodes_of(rows)
    assert first.sources == (CrawlSource.DISCV4, CrawlSource.DNS_TREE)
    assert second.sources == (CrawlSource.DISCV4,)


def test_rows_in_another_order_are_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="in order of their node ID"):
        list(nodes_of([row(2), row(1)]))
    with pytest.raises(ValueError, match="in order of their node ID"):
        list(nodes_of([row(1), row(2), row(1)]))


def test_nodes_can_be_gone_through_again_and_tell_why_they_do_not_count() -> None:
    nodes = nodes_of([on_network(1), SILENT])
    expected = [
        JudgedNode(on_network(1), (CrawlSource.DISCV4,), ip_address("8.8.8.8"), None),
        JudgedNode(
            SILENT, (CrawlSource.DISCV4,), ip_address("8.8.8.8"), LeftOut(Step.ANSWERING, "timed out")
        ),
    ]
    assert list(nodes) == list(nodes) == expected


@given(st.lists(st.tuples(outcomes, st.integers(0, 3)), min_size=1, max_size=6))
def test_a_merged_node_answers_exactly_if_a_source_has_it_answer(known: list[tuple[Outcome, int]]) -> None:
    rows = [row(1, outcome=outcome, last_seen=START + timedelta(hours=hours)) for outcome, hours in known]
    found = merged(rows).outcome
    if Outcome.OURSELVES in {outcome for outcome, _ in known}:
        assert found is Outcome.OURSELVES
    else:
        assert (found in ANSWERING) == any(outcome in ANSWERING for outcome, _ in known)


# What the reader is told.


def test_the_source_is_this_machine_on_the_day_of_the_crawl() -> None:
    source = population_of([on_network(1)]).source
    assert (source.name, source.publisher) == ("crawl of ethereum", "this machine's own crawl")
    assert (source.as_of, source.rows, source.sha256) == (date(2026, 11, 23), 9, "ab")
    assert source.limits == (
        "seen from one place, this machine: nodes that it cannot reach may answer others",
    )


def test_the_day_is_that_of_the_start_in_utc() -> None:
    zone = datetime.fromisoformat("2026-11-24T03:00:00+05:00")
    about = manifest(state=CrawlState.COMPLETE, started=zone, ended=zone)
    assert population_of([on_network(1)], about).source.as_of == date(2026, 11, 23)


def test_silence_is_not_taken_for_absence() -> None:
    rows = [on_network(1), SILENT, row(91, outcome=Outcome.REFUSED), replace(SILENT, node_id=OURS)]
    limits = population_of(rows).source.limits
    assert limits[1].startswith(
        "2 of 3 nodes were asked and did not answer as they should; that does not mean"
    )


def test_who_was_never_asked_is_told_apart() -> None:
    rows = [on_network(1), row(2, outcome=Outcome.CROWDED), row(3, outcome=Outcome.NOT_ASKED)]
    limits = population_of(rows).source.limits
    assert limits[1:] == ("2 of 3 nodes were never asked (1 crowded, 1 not asked)",)


ENDS: list[tuple[str, dict[str, Any], str | None]] = [
    ("complete", {"state": CrawlState.COMPLETE, "ended": ENDED}, None),
    (
        "stopped",
        {"state": CrawlState.STOPPED, "ended": ENDED},
        "the crawl was stopped before it was complete",
    ),
    ("killed", {"state": CrawlState.RUNNING, "ended": None}, "the crawl was cut off before it was complete"),
    ("settled", {"state": CrawlState.STOPPED, "ended": None}, "the crawl was cut off before it was complete"),
]


@pytest.mark.parametrize(("changes", "told"), [case[1:] for case in ENDS], ids=[case[0] for case in ENDS])
def test_a_crawl_that_is_not_complete_says_so(changes: dict[str, Any], told: str | None) -> None:
    limits = population_of([on_network(1)], manifest(**changes)).source.limits[1:]
    assert [limit.partition(":")[0] for limit in limits] == ([] if told is None else [told])


@pytest.mark.parametrize(
    ("lost", "told"),
    [
        (1, "1 part of the crawl is damaged and left out"),
        (12, "12 parts of the crawl are damaged and left out"),
    ],
)
def test_damaged_parts_are_told(lost: int, told: str) -> None:
    assert population_of([on_network(1)], lost=lost).source.limits[-1] == told


def test_the_notes_tell_when_and_by_what_it_was_crawled_and_how_long_it_is_kept() -> None:
    notes = population_of([on_network(1)]).notes
    assert notes == (
        "crawled from 2026-11-23 01:45 UTC to 2026-11-23 02:29 UTC by concentra 0",
        "nodes by source: discv4 1",
        "its rows hold addresses and are kept until 2026-12-23",
    )


NOBODY: list[tuple[str, Callable[[], list[NodeRow]], str]] = [
    ("nothing", list, r"of 0 nodes none is left to count \(\)"),
    ("silent", lambda: [SILENT], r"of 1 nodes none is left to count \(1 timed out\)"),
    ("loopback", lambda: [on_network(1, address="127.0.0.1")], r"\(1 loopback\)"),
    (
        "elsewhere",
        lambda: [row(1, network_id=2, head=1), row(2)],
        r"\(1 other network: sepolia, 1 no statement\)",
    ),
]


@pytest.mark.parametrize(("rows", "told"), [case[1:] for case in NOBODY], ids=[case[0] for case in NOBODY])
def test_where_nobody_is_left_every_reason_is_named(rows: Callable[[], list[NodeRow]], told: str) -> None:
    with pytest.raises(NobodyLeft, match=told):
        population_of(rows())
