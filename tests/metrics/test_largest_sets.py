from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.metrics.bounds import Bounds
from concentra.metrics.largest_sets import (
    largest_set_margin,
    units_to_lead,
    units_to_lower_top,
    units_to_tie,
)

sizes = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9)), min_size=1, max_size=4)


@given(sizes, sizes, st.integers(0, 20))
def test_without_doubt_the_margin_is_a_number_and_doubt_only_widens_it(
    members: list[tuple[int, int]], others: list[tuple[int, int]], free: int
) -> None:
    known, rivals = [(n, 0) for n, _ in members], [(n, 0) for n, _ in others]
    exact = min(n for n, _ in known) - max(n for n, _ in rivals)
    assert largest_set_margin(known, rivals, free=0) == Bounds(exact, exact)
    assert exact in largest_set_margin(members, others, free=free)


def test_what_is_kept_apart_may_be_a_rival_of_its_own_but_no_member() -> None:
    assert largest_set_margin([(5, 0)], [(2, 0)], free=1, apart=[(7, 0)]) == Bounds(-3, 4)
    assert largest_set_margin([(5, 0)], [], free=0, apart=[(0, 7)]) == Bounds(-2, 5)


def test_a_member_that_was_not_seen_needs_a_unit() -> None:
    assert largest_set_margin([(5, 0), (0, 0)], [], free=0).upper == 0
    assert largest_set_margin([(5, 0), (0, 0)], [], free=1).upper == 1


@pytest.mark.parametrize(
    ("members", "others", "free", "says"),
    [([], [], 0, "without members"), ([(1, -1)], [], 0, "members"), ([(1, 0)], [], -1, "free")],
)
def test_what_is_no_population_is_refused(
    members: list[tuple[int, int]], others: list[tuple[int, int]], free: int, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        largest_set_margin(members, others, free=free)


def test_units_that_change_hands_count_once() -> None:
    assert units_to_lead([10, 3], [6], single=0) == 2  # 6 gives two to 3
    assert units_to_lead([7, 7], [6], single=0) == 0
    assert units_to_tie([7, 7], [6], single=0) == 1
    assert units_to_tie([5], [6], single=0) == 0


def test_who_leaves_the_largest_may_be_among_them_again() -> None:
    assert units_to_lower_top([5], 3, target=4) == 3  # 2, 1, 1 and 1
    assert units_to_lower_top([5], 3, target=2) is None


@given(
    st.lists(st.integers(0, 12), min_size=1, max_size=4),
    st.lists(st.integers(0, 12), max_size=4),
    st.integers(0, 4),
)
def test_the_best_level_is_that_of_trying_every_one(
    members: list[int], others: list[int], single: int
) -> None:
    levels = range((sum(members) + sum(others) + single) // len(members))
    costs = [
        max(
            sum(max(0, level + 1 - n) for n in members),
            sum(max(0, n - level) for n in others) + (0 if level else single),
        )
        for level in levels
    ]
    assert units_to_lead(members, others, single=single) == min(costs, default=None)
