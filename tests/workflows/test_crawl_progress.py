from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.workflows.crawl_progress import WINDOW_S, RecentRate


def seen(*counts: int, step_s: float = 0.5) -> RecentRate:
    rate = RecentRate()
    for number, count in enumerate(counts):
        rate.saw(1_800_000_000 + number * step_s, count)
    return rate


def test_before_there_is_something_to_compare_there_is_no_rate() -> None:
    for rate in (RecentRate(), seen(7), seen(7, 7)):
        assert rate.per_s == 0
        assert rate.seconds_for(10) is None
        assert rate.seconds_for(0) == 0


def test_a_steady_rate_is_that_rate() -> None:
    assert seen(*range(0, 1000, 20)).per_s == pytest.approx(40)
    assert seen(*range(0, 1000, 20)).seconds_for(120) == pytest.approx(3)


def test_what_was_long_ago_does_not_count() -> None:
    fast, slow = range(0, 20_000, 50), range(20_000, 20_060)
    assert seen(*fast, *slow).per_s == pytest.approx(2)


def test_two_moments_that_are_one_divide_by_nothing() -> None:
    assert seen(1, 5, step_s=0).per_s == 0


def test_what_was_there_when_a_crawl_goes_on_is_no_progress() -> None:
    assert seen(5000, 5010, 5020).per_s == pytest.approx(20)


@given(st.lists(st.tuples(st.floats(0.01, 30), st.integers(0, 1000)), min_size=2, max_size=60))
def test_the_rate_is_between_the_slowest_and_the_fastest_step_of_the_window(
    steps: list[tuple[float, int]],
) -> None:
    rate, now, count = RecentRate(), 0.0, 0
    rate.saw(now, count)
    moments = [(now, count)]
    for pause, more in steps:
        now, count = now + pause, count + more
        rate.saw(now, count)
        moments.append((now, count))
    steps_of_window = [
        (later[1] - one[1]) / (later[0] - one[0])
        for one, later in pairwise(moments)
        if later[0] > now - WINDOW_S
    ]
    assert min(steps_of_window) - 1e-6 <= rate.per_s <= max(steps_of_window) + 1e-6
