from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.collect.errors import NothingToCount
from concentra.collect.import_population import (
    day_of,
    left_out_because,
    population_of_import,
    tells_outcomes,
)
from concentra.collect.imports import ImportTally, imported_row
from concentra.model.axes import Unit
from concentra.model.crawl import NodeRow, Outcome
from concentra.model.population import FunnelStep, Population
from concentra.model.provenance import Source

NOON = datetime(2025, 11, 22, 12, tzinfo=UTC)
SOURCE = Source(name="file", publisher="not stated", as_of=None, licence="not stated")
# Public resolvers, since addresses of the documentation blocks are not counted.
A, B, C = "8.8.8.8", "1.1.1.1", "2606:4700:4700::1111"


def row(number: int, address: str | None = A, outcome: Outcome = Outcome.ANSWERED, **changed: Any) -> NodeRow:
    seen = changed.pop("seen", NOON)
    return imported_row(
        number.to_bytes(32, "big"),
        address=address,
        outcome=outcome,
        first_seen=seen,
        last_seen=seen,
        **changed,
    )


def made(*rows: NodeRow, by_node: bool = True, tally: ImportTally | None = None) -> Population:
    tally = tally or ImportTally(read=len(rows))
    return population_of_import(rows, tally, SOURCE, subject="file", title="File", by_node=by_node)


def steps(population: Population) -> Mapping[str, FunnelStep]:
    return {step.name: step for step in population.funnel}


def test_nodes_that_answered_are_counted_in_three_units() -> None:
    population = made(row(1, A), row(2, A), row(3, "8.8.8.9"), row(4, C), row(5, B, Outcome.TIMED_OUT))
    assert {unit: one.total for unit, one in population.units.items()} == {
        Unit.NODE: 4,
        Unit.ADDRESS: 3,
        Unit.PREFIX: 2,
    }
    assert population.units[Unit.NODE].v4_weight.tolist() == [2, 1]
    assert population.unavailable == {}


def test_the_funnel_accounts_for_every_row() -> None:
    tally = ImportTally(read=9)
    tally.dropped["not a visit"] = 2
    population = made(
        row(1, A),
        row(2, A),
        row(3, "10.0.0.1"),
        row(4, None),
        row(5, B, Outcome.TIMED_OUT),
        row(6, None, Outcome.NO_ENDPOINT),
        row(7, "10.0.0.2", Outcome.REFUSED),
        tally=tally,
    )
    found = {name: (step.left, dict(step.dropped), step.unit) for name, step in steps(population).items()}
    assert found == {
        "read": (9, {}, "rows"),
        "nodes": (7, {"not a visit": 2}, "nodes"),
        "answering": (4, {"timed out": 1, "no endpoint": 1, "refused": 1}, "nodes"),
        "right network": (None, {}, "nodes"),
        "synced": (None, {}, "nodes"),
        "routable": (2, {"private": 1, "no address": 1}, "nodes"),
        "distinct": (1, {"at the address of another": 1}, "addresses"),
    }


def test_a_file_that_tells_nothing_of_answers_counts_every_node_and_says_so() -> None:
    population = made(row(1, A, Outcome.NOT_ASKED), row(2, B, Outcome.NOT_ASKED))
    assert population.units[Unit.NODE].total == 2
    assert steps(population)["answering"].left is None
    assert "not recorded" in str(steps(population)["answering"].note)


def test_networks_that_a_file_tells_are_named_and_all_counted() -> None:
    population = made(
        row(1, fork_hash=b"\1\2\3\4"),
        row(2, fork_hash=b"\1\2\3\4", network_id=1),
        row(3, network_id=56),
        row(4),
    )
    step = steps(population)["of any network"]
    assert (step.left, "right network" in steps(population)) == (4, False)
    assert step.note == population.notes[0]
    assert step.note == (
        "3 of 4 nodes say on which network they are: fork 0x01020304 2, network 56 1; "
        "all are counted, since a file names none"
    )
    assert population.units[Unit.NODE].total == 4


def test_of_many_networks_the_largest_are_named() -> None:
    population = made(*(row(number, network_id=number) for number in range(1, 8)))
    assert ", and 3 more; all are counted" in population.notes[0]


def test_fields_that_were_not_understood_are_named() -> None:
    tally = ImportTally(read=1)
    tally.emptied.update({"seq": 3, "enr": 1})
    assert made(row(1), tally=tally).notes == (
        "fields that hold something else than the format says were taken for empty: enr 1, seq 3",
    )


def test_a_file_of_addresses_has_no_nodes() -> None:
    population = made(row(1, A, Outcome.NOT_ASKED), row(2, B, Outcome.NOT_ASKED), by_node=False)
    assert set(population.units) == {Unit.ADDRESS, Unit.PREFIX}
    assert population.unavailable == {Unit.NODE: "the source carries no node identities"}
    assert steps(population)["addresses"].unit == "addresses"


def test_where_nobody_can_be_counted_every_reason_is_named() -> None:
    tally = ImportTally(read=4)
    tally.dropped["not a visit"] = 1
    with pytest.raises(NothingToCount, match="none of its 4 rows") as caught:
        made(row(1, "10.0.0.1"), row(2, B, Outcome.TIMED_OUT), row(3, A, Outcome.REFUSED), tally=tally)
    assert caught.value.dropped == {"not a visit": 1, "private": 1, "timed out": 1, "refused": 1}


def test_the_day_is_that_of_the_last_answer() -> None:
    later = row(2, seen=NOON + timedelta(days=3), outcome=Outcome.TIMED_OUT)
    assert day_of([row(1), later]) == date(2025, 11, 22)
    assert day_of([later]) == date(2025, 11, 25)
    assert day_of([]) is None


rows = st.builds(
    row,
    st.integers(1, 10**6),
    st.sampled_from([A, B, C, None, "10.0.0.1", "192.0.2.1", "fe80::1"]),
    st.sampled_from(list(Outcome)),
)


@given(st.lists(rows, max_size=30, unique_by=lambda one: one.node_id))
def test_every_node_is_counted_or_left_out_for_a_reason(nodes: list[NodeRow]) -> None:
    outcomes = tells_outcomes(nodes)
    reasons = [left_out_because(one, outcomes=outcomes) for one in nodes]
    try:
        population = made(*nodes)
    except NothingToCount:
        assert None not in reasons
        return
    assert population.units[Unit.NODE].total == reasons.count(None)
    before = None
    for step in population.funnel[:-1]:
        if step.left is not None:
            assert before is None or before - sum(step.dropped.values()) == step.left
            before = step.left
