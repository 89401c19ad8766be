from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from concentra.errors import EmptyPopulation
from concentra.metrics.set_effective_numbers import (
    effective_number_of,
    farthest_effective_number,
    set_effective_number_bounds,
)

members = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2)), min_size=1, max_size=3)


def dealt(units: int, places: int) -> Iterator[tuple[int, ...]]:
    """Yield every way to deal up to so many units."""
    return (each for each in product(range(units + 1), repeat=places) if sum(each) <= units)


@settings(max_examples=80)
@given(members, st.integers(0, 4))
def test_the_bounds_are_the_extremes_of_all_completions(sizes: list[tuple[int, int]], free: int) -> None:
    reached = [
        effective_number_of([n + more for n, more in zip(counted, given_, strict=True)])
        for counted in product(*(range(n, n + m + 1) for n, m in sizes))
        for given_ in dealt(free, len(sizes))
        if any(counted) or any(given_)
    ]
    if not reached:
        with pytest.raises(EmptyPopulation):
            set_effective_number_bounds(sizes, free=free)
        return
    bounds = set_effective_number_bounds(sizes, free=free)
    assert (bounds.lower, bounds.upper) == (min(reached), max(reached))


@settings(max_examples=80)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=3), st.integers(0, 3), st.integers(0, 4))
@example([0, 0, 2], 1, 2)
@example([0, 3, 4], 1, 2)
def test_no_other_change_of_hands_goes_farther(sizes: list[int], outside: int, moves: int) -> None:
    if not any(sizes):
        return
    total = sum(sizes)
    reached = []
    for after in product(range(total + outside + 1), repeat=len(sizes)):
        gained = sum(max(0, b - a) for a, b in zip(sizes, after, strict=True))
        lost = sum(max(0, a - b) for a, b in zip(sizes, after, strict=True))
        if any(after) and gained <= moves and lost <= moves and gained - lost <= outside:
            reached.append(effective_number_of(after))
    most = farthest_effective_number(sizes, outside=outside, moves=moves, more_even=True)
    least = farthest_effective_number(sizes, outside=outside, moves=moves, more_even=False)
    assert (least, most) == (min(reached), max(reached))


def test_full_levels_can_be_more_even_than_to_use_every_unit() -> None:
    sizes = [(6, 0), (5, 0), (5, 0), (5, 0), (5, 0)]
    assert set_effective_number_bounds(sizes, free=1).upper == Fraction(26**2, 136)
    assert effective_number_of([6, 6, 5, 5, 5]) < Fraction(26**2, 136)


def test_three_landlords_are_nearly_one() -> None:
    number = effective_number_of([2397, 96, 30])
    assert 1.1 < number < 1.2
