"""Walks through tables that answer as geth does, in the order asked for, or as sigp/discv5 does, nearest first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.collect.crawl.discv5_walk import (
    FARTHEST,
    MAX_DISTANCES,
    NEAREST,
    QUIET,
    Reach,
    TableWalk,
)
from concentra.wire.discv5_messages import MAX_RECORDS

Table = Mapping[int, int]
"""How many nodes it has at a log distance."""
Entry = tuple[int, int]
Order = Callable[[Sequence[int]], Sequence[int]]

PLENTY = 100
IN_ORDER: Order = tuple
NEAREST_FIRST: Order = sorted


def entries(table: Table, distances: Sequence[int], order: Order) -> list[Entry]:
    """Return what a node with that table answers: (distance, which of those there)."""
    found = [(distance, number) for distance in order(distances) for number in range(table.get(distance, 0))]
    return found[:MAX_RECORDS]


def walked(
    table: Table, reach: Reach, *, order: Order = IN_ORDER, known: Callable[[Entry], bool] = lambda _: False
) -> tuple[list[tuple[int, ...]], set[Entry]]:
    """Return the questions of a walk, and what it found; `known` tells what is no news to the crawl."""
    walk, questions, found = TableWalk(reach), [], set[Entry]()
    while (question := walk.next_question()) is not None:
        questions.append(question)
        answer = entries(table, question, order)
        new = sum(entry not in found and not known(entry) for entry in answer)
        found.update(answer)
        walk.answered(question, at=[distance for distance, _ in answer], new=new)
        assert len(questions) <= 3 * (FARTHEST - NEAREST + 1)
    return questions, found


def table_of(size: int) -> Table:
    """Return the table of a node in a network of `size`: full buckets, and those that cannot be."""
    return {distance: min(16, size >> (FARTHEST + 1 - distance)) for distance in range(NEAREST, FARTHEST + 1)}


def learned(size: int, order: Order = IN_ORDER) -> Reach:
    """Return what was learned from fifty walks in such a network."""
    reach = Reach()
    for _ in range(50):
        walked(table_of(size), reach, order=order)
    return reach


@given(
    st.dictionaries(st.integers(NEAREST, FARTHEST), st.integers(0, 16)),
    st.sampled_from([IN_ORDER, NEAREST_FIRST]),
)
def test_a_first_walk_finds_all_that_a_table_holds_whatever_its_form(table: Table, order: Order) -> None:
    _, found = walked(table, Reach(), order=order, known=lambda _: True)
    assert len(found) == sum(table.values())


@pytest.mark.parametrize("order", [IN_ORDER, NEAREST_FIRST], ids=["in order", "nearest first"])
@pytest.mark.parametrize("size", [1, 5, 100, 1_000, 10_000, 100_000])
def test_while_all_is_news_every_walk_finds_all_that_a_table_holds(size: int, order: Order) -> None:
    _, found = walked(table_of(size), learned(size, order), order=order)
    assert len(found) == sum(table_of(size).values())


@given(st.dictionaries(st.integers(NEAREST, FARTHEST), st.integers(0, 16)), st.booleans())
def test_questions_are_of_a_size_that_every_node_takes_and_name_a_distance_once(
    table: Table, all_known: bool
) -> None:
    questions, _ = walked(table, Reach(), known=lambda _: all_known)
    for question in questions:
        assert 1 <= len(question) <= MAX_DISTANCES
        assert len(set(question)) == len(question)
        assert min(question) >= NEAREST
        assert max(question) <= FARTHEST


@pytest.mark.parametrize("size", [1, 2, 5, 15])
def test_a_table_of_a_few_nodes_takes_two_questions(size: int) -> None:
    questions, found = walked({FARTHEST: size // 2, 253: size - size // 2}, Reach(), known=lambda _: True)
    assert len(questions) == 2
    assert len(found) == size


@pytest.mark.parametrize("order", [IN_ORDER, NEAREST_FIRST], ids=["in order", "nearest first"])
@pytest.mark.parametrize("size", [100, 1_000, 10_000, 100_000])
def test_once_the_size_is_learned_one_question_reads_all_that_is_near(size: int, order: Order) -> None:
    reach = learned(size, order)
    near = entries(table_of(size), range(reach.distance, NEAREST - 1, -1), IN_ORDER)
    assert MAX_RECORDS // 4 <= len(near) < MAX_RECORDS


@pytest.mark.parametrize("size", [1_000, 10_000, 100_000])
def test_a_walk_without_news_ends_after_what_is_near_and_four_full_buckets(size: int) -> None:
    reach = learned(size)
    questions, _ = walked(table_of(size), reach, known=lambda _: True)
    near = [question for question in questions if question[0] <= reach.distance]
    assert questions == [*near, *((FARTHEST - number,) for number in range(QUIET))]
    assert len(near) <= 2


def test_news_in_a_full_bucket_keeps_a_walk_going() -> None:
    reach = learned(10_000)
    lone = (FARTHEST - QUIET + 1, 7)
    questions, _ = walked(table_of(10_000), reach, known=lambda entry: entry != lone)
    assert questions[-1] == (FARTHEST - 2 * QUIET + 1,)


def test_what_is_near_is_read_though_nothing_of_it_is_news() -> None:
    reach = learned(10_000)
    _, found = walked(table_of(10_000), reach, known=lambda _: True)
    near = entries(table_of(10_000), range(reach.distance, NEAREST - 1, -1), IN_ORDER)
    assert found.issuperset(near)


def test_an_answer_that_one_bucket_filled_is_not_asked_for_again() -> None:
    questions, _ = walked(table_of(10_000), Reach())
    assert questions[:2] == [tuple(range(256, 246, -1)), tuple(range(255, 246, -1))]


@pytest.mark.parametrize(
    "strange", [{}, dict.fromkeys(range(NEAREST, FARTHEST + 1), PLENTY)], ids=["empty", "full everywhere"]
)
def test_strange_tables_one_in_ten_hardly_change_what_was_learned(strange: Table) -> None:
    reach = learned(10_000)
    before = reach.distance
    for number in range(1, 500):
        walked(strange if number % 10 == 0 else table_of(10_000), reach)
        assert abs(reach.distance - before) <= 1


def test_a_liar_whose_buckets_are_always_full_costs_a_bounded_number_of_questions() -> None:
    table = dict.fromkeys(range(NEAREST, FARTHEST + 1), PLENTY)
    for order in (IN_ORDER, NEAREST_FIRST):
        questions, _ = walked(table, Reach(), order=order)
        assert len(questions) <= 2 * (FARTHEST - NEAREST + 1)
