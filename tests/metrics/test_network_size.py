"""Chapman and Chao2: laws, published figures, and what they do to simulated networks whose size is known."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import comb, exp, log, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.errors import EmptyPopulation
from concentra.metrics import network_size as n
from concentra.model.coverage import SizeEstimate

N = 10_000
Z = 1.959963984540054

overlaps = st.tuples(st.integers(0, 3000), st.integers(0, 3000), st.integers(0, 3000)).filter(
    lambda cells: cells[0] + cells[2] and cells[1] + cells[2]
)
frequencies = st.lists(st.integers(0, 400), min_size=2, max_size=8).filter(any)


# Chapman.


@given(overlaps)
def test_chapman_is_its_definition(cells: tuple[int, int, int]) -> None:
    only_first, only_second, both = cells
    first, second = only_first + both, only_second + both
    estimate = n.chapman(first, second, both)
    total = Fraction((first + 1) * (second + 1), both + 1) - 1
    variance = Fraction((first + 1) * (second + 1) * only_first * only_second, (both + 1) ** 2 * (both + 2))
    assert estimate.observed == only_first + only_second + both
    assert estimate.total == pytest.approx(float(total))
    assert estimate.standard_error == pytest.approx(sqrt(variance))


@given(overlaps)
def test_chapman_does_not_ask_which_list_is_first(cells: tuple[int, int, int]) -> None:
    only_first, only_second, both = cells
    first, second = only_first + both, only_second + both
    assert n.chapman(first, second, both) == n.chapman(second, first, both)


@given(overlaps, st.floats(0.5, 0.99))
def test_an_interval_holds_the_estimate_and_stays_above_what_was_seen(
    cells: tuple[int, int, int], confidence: float
) -> None:
    only_first, only_second, both = cells
    estimate = n.chapman(only_first + both, only_second + both, both, confidence=confidence)
    assert estimate.observed <= estimate.low <= estimate.total <= estimate.high
    assert (estimate.low == estimate.high) == (only_first == 0 or only_second == 0)


def test_chapman_against_a_published_figure() -> None:
    """CARE1 (T. C. Hsieh and A. Chao), `estN.pair` of 12 and 9 errors found by one proof-reader and 6 by both,
    as printed by M. Höhle, "Right or wrong? Validate numbers like a boss", 2016."""
    estimate = n.chapman(18, 15, 6)
    assert estimate.total == pytest.approx(42.428571, abs=5e-7)
    assert estimate.standard_error == pytest.approx(9.151781, abs=5e-7)
    assert (estimate.low, estimate.high) == pytest.approx((32.259669, 72.257758), abs=5e-7)


def test_a_list_within_another_leaves_nothing_unseen_with_an_interval_of_no_width() -> None:
    estimate = n.chapman(100, 40, 40)
    assert (estimate.unseen, estimate.low, estimate.high) == (0, 100, 100)


def test_lists_that_share_nothing_have_a_finite_estimate() -> None:
    assert n.chapman(9, 9, 0).total == 99


@given(overlaps)
def test_sharing_one_node_more_lowers_the_estimate(cells: tuple[int, int, int]) -> None:
    only_first, only_second, both = cells
    first, second = only_first + both, only_second + both
    if both < min(first, second):
        assert n.chapman(first, second, both + 1).total < n.chapman(first, second, both).total


# Chao2.


@given(frequencies)
def test_chao2_is_its_definition(seen_in: list[int]) -> None:
    once, twice, samples = seen_in[0], seen_in[1], len(seen_in)
    unseen = Fraction(samples - 1, samples) * Fraction(once * (once - 1), 2 * (twice + 1))
    estimate = n.chao2(seen_in)
    assert estimate.observed == sum(seen_in)
    assert estimate.unseen == pytest.approx(float(unseen))
    assert estimate.observed <= estimate.low <= estimate.total <= estimate.high


@pytest.mark.parametrize(
    ("samples", "frequency", "published"),
    [
        pytest.param(16, {1: 13, 2: 4, 9: 1}, (32.625, 10.966, 21.950, 72.154), id="one in many samples"),
        pytest.param(16, {1: 9, 2: 4, 3: 1, 10: 1}, (21.750, 6.075, 16.492, 45.544), id="some in few"),
        pytest.param(16, {1: 12, 3: 2, 5: 4}, (79.875, 38.167, 38.332, 206.303), id="nothing seen twice"),
        pytest.param(
            40, {1: 6, 5: 1, 7: 1, 8: 1, 9: 1}, (24.625, 13.681, 13.092, 79.180), id="forty samples"
        ),
    ],
)
def test_chao2_against_published_figures(
    samples: int, frequency: dict[int, int], published: tuple[float, float, float, float]
) -> None:
    """`Chao2-bc` of SpadeR (A. Chao and others), as printed beside analyses of traps for seeds."""
    estimate = n.chao2([frequency.get(times, 0) for times in range(1, samples + 1)])
    figures = (estimate.total, estimate.standard_error, estimate.low, estimate.high)
    assert figures == pytest.approx(published, abs=6e-4)


def test_chao2_is_finite_without_a_node_that_was_seen_twice() -> None:
    assert n.chao2([10, 0, 5]).unseen == pytest.approx(2 / 3 * 10 * 9 / 2)


def test_chao2_of_nodes_that_were_all_seen_again_adds_nobody() -> None:
    assert n.chao2([0, 10, 90]).total == 100
    assert n.chao2([1, 10, 90]).total == 101


def test_a_sample_that_saw_nobody_new_counts_as_a_sample() -> None:
    assert n.chao2([30, 20]).unseen < n.chao2([30, 20, 0]).unseen


# The interval.


@given(st.integers(0, 1000), st.floats(0.1, 1e5), st.floats(0.1, 1e8))
def test_the_logarithm_of_the_unseen_is_normal(observed: int, unseen: float, variance: float) -> None:
    estimate = n.size_estimate(observed, unseen, variance, confidence=0.95)
    spread = Z * sqrt(log(1 + variance / unseen**2))
    assert (estimate.low - observed) == pytest.approx(unseen * exp(-spread), rel=1e-6, abs=1e-6)
    assert (estimate.high - observed) == pytest.approx(unseen * exp(spread), rel=1e-6)


# Simulated networks.


def two_lists(p: np.ndarray, rng: np.random.Generator) -> SizeEstimate:
    first, second = (rng.random(len(p)) < p for _ in range(2))
    return n.chapman(int(first.sum()), int(second.sum()), int((first & second).sum()))


def crawls(p: np.ndarray, samples: int, rng: np.random.Generator) -> SizeEstimate:
    times = (rng.random((samples, len(p))) < p).sum(axis=0)
    return n.chao2([int((times == number).sum()) for number in range(1, samples + 1)])


def mean_and_error(draw: Callable[[], SizeEstimate], times: int = 60) -> tuple[float, float, float]:
    """Return the mean estimate, its own standard error, and the deviation of a single estimate."""
    totals = np.array([draw().total for _ in range(times)])
    deviation = float(totals.std(ddof=1))
    return float(totals.mean()), deviation / sqrt(times), deviation


def moment(power: int, missed: int) -> float:
    """Return E[p^power (1 - p)^missed] for p from Beta(2, 2), whose density is 6 p (1 - p)."""
    a, b = power + 2, missed + 2
    return 6 / ((a + b - 1) * comb(a + b - 2, a - 1))


def chao_bound(samples: int) -> float:
    """Return what Chao2 tends to in a large network whose nodes are caught with Beta(2, 2)."""
    seen = N * (1 - moment(0, samples))
    once = N * samples * moment(1, samples - 1)
    twice = N * comb(samples, 2) * moment(2, samples - 2)
    return seen + (samples - 1) / samples * once**2 / (2 * twice)


def test_where_all_nodes_are_equally_easy_to_find_both_are_unbiased() -> None:
    rng = np.random.default_rng(20251020)
    even = np.full(N, 0.5)
    chapman, chapman_error, _ = mean_and_error(lambda: two_lists(even, rng))
    chao, chao_error, _ = mean_and_error(lambda: crawls(even, 4, rng))
    assert abs(chapman - N) < 4 * chapman_error
    assert abs(chao - N) < 4 * chao_error
    assert chapman_error < 20
    assert chao_error < 10


def test_where_nodes_differ_chapman_is_a_sixth_too_low() -> None:
    """Of 10,000 nodes it finds N E[p]²/E[p²] = 8,333, however the two lists are drawn."""
    rng = np.random.default_rng(20251021)
    mean, error, single = mean_and_error(lambda: two_lists(rng.beta(2, 2, N), rng))
    assert abs(mean - N * moment(1, 0) ** 2 / moment(2, 0)) < 4 * error
    assert abs(8_400 - mean) < 4 * single  # one simulation that was made apart, plus or minus 60
    assert single == pytest.approx(60, rel=0.3)


@pytest.mark.parametrize(("samples", "bound"), [(2, 8_333), (3, 9_000), (4, 9_333), (5, 9_524)])
def test_where_nodes_differ_chao2_finds_its_bound_and_more_with_every_crawl(samples: int, bound: int) -> None:
    assert chao_bound(samples) == pytest.approx(bound, abs=1)
    rng = np.random.default_rng(20251022)
    mean, error, _ = mean_and_error(lambda: crawls(rng.beta(2, 2, N), samples, rng))
    assert abs(mean - chao_bound(samples)) < 4 * error
    assert mean < N


def test_the_interval_of_independent_lists_holds_the_size_as_often_as_it_says() -> None:
    rng = np.random.default_rng(20251023)
    size, times = 600, 1500
    unequal = np.full(size, 0.4)
    estimates = [two_lists(unequal, rng) for _ in range(times)]
    held = sum(estimate.low <= size <= estimate.high for estimate in estimates)
    assert held / times == pytest.approx(0.95, abs=4 * sqrt(0.95 * 0.05 / times))


def test_the_standard_errors_are_those_of_repeated_simulations() -> None:
    rng = np.random.default_rng(20251024)
    even = np.full(2000, 0.4)
    draws: list[Callable[[], SizeEstimate]] = [lambda: two_lists(even, rng), lambda: crawls(even, 4, rng)]
    for draw in draws:
        estimates = [draw() for _ in range(400)]
        spread = np.std([estimate.total for estimate in estimates], ddof=1)
        stated = np.mean([estimate.standard_error for estimate in estimates])
        assert stated == pytest.approx(spread, rel=4 / sqrt(2 * 400))


# What is refused.


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: n.chapman(3, 2, 3),
        lambda: n.chapman(3, 2, -1),
        lambda: n.chapman(3, 2, 1, confidence=95),
        lambda: n.chapman(3, 2, 1, confidence=1),
        lambda: n.chao2([4]),
        lambda: n.chao2([4, -1]),
        lambda: n.chao2([4, 1], confidence=0),
        lambda: n.size_estimate(1, -1.0, 1.0, confidence=0.95),
        lambda: n.size_estimate(1, 1.0, -1.0, confidence=0.95),
    ],
)
def test_contradictions_are_refused(wrong: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"must|wanted"):
        wrong()


@pytest.mark.parametrize(
    "empty", [lambda: n.chapman(0, 3, 0), lambda: n.chapman(3, 0, 0), lambda: n.chao2([0, 0])]
)
def test_nothing_has_no_size(empty: Callable[[], object]) -> None:
    with pytest.raises(EmptyPopulation):
        empty()
