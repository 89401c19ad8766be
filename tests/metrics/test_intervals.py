from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from math import comb, factorial, prod
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.errors import EmptyPopulation
from concentra.metrics import intervals as i
from concentra.metrics.bounds import Bounds

confidences = st.floats(0.5, 0.999)


@given(st.integers(1, 500), st.data(), confidences)
def test_wilson_ends_are_the_shares_that_a_score_test_just_accepts(
    total: int, data: st.DataObject, confidence: float
) -> None:
    members = data.draw(st.integers(0, total))
    interval = i.wilson_interval(members, total, confidence=confidence)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    for end in (interval.lower, interval.upper):
        if 0 < end < 1:
            assert abs(members / total - end) == pytest.approx(z * (end * (1 - end) / total) ** 0.5, rel=1e-6)
    assert 0 <= interval.lower <= members / total <= interval.upper <= 1
    assert interval.lower < interval.upper


def test_wilson_for_the_share_of_three_clouds() -> None:
    """Of 17,354 nodes 21.99 %, plus or minus 0.6 points if they were independent."""
    interval = i.wilson_interval(3816, 17354)
    assert (interval.lower, interval.upper) == pytest.approx((0.2138, 0.2261), abs=5e-5)


def test_wilson_against_a_published_figure() -> None:
    """R. G. Newcombe, Statistics in Medicine 17, 1998, table I: 81 of 263 and 15 of 148, at 95 %."""
    first, second = i.wilson_interval(81, 263), i.wilson_interval(15, 148)
    assert [round(x, 4) for x in (first.lower, first.upper)] == [0.2553, 0.3662]
    assert [round(x, 4) for x in (second.lower, second.upper)] == [0.0624, 0.1605]


def test_wilson_at_the_ends_is_exact_and_not_of_no_width() -> None:
    none, all_of_them = i.wilson_interval(0, 3), i.wilson_interval(3, 3)
    assert none.lower == 0 < none.upper
    assert all_of_them.lower < 1 == all_of_them.upper
    assert none.upper == pytest.approx(1 - all_of_them.lower)


@given(st.lists(st.integers(0, 50), min_size=2, max_size=6).filter(any), confidences)
def test_goodman_is_wilson_with_the_error_divided_among_the_categories(
    counts: list[int], confidence: float
) -> None:
    several = i.goodman_intervals(counts, confidence=confidence)
    for count, interval in zip(counts, several, strict=True):
        alone = i.wilson_interval(count, sum(counts), confidence=1 - (1 - confidence) / len(counts))
        assert (interval.lower, interval.upper) == (alone.lower, alone.upper)
        assert interval.confidence == confidence


def test_goodman_keeps_order_and_zeros() -> None:
    assert [interval.lower for interval in i.goodman_intervals([0, 5, 0])] == pytest.approx(
        [0, 0.4659, 0], abs=1e-4
    )


def every_sample(size: int, categories: int) -> Iterator[tuple[int, ...]]:
    """Yield every way in which a sample of `size` falls into the categories."""
    if categories == 1:
        yield (size,)
        return
    for first in range(size + 1):
        for rest in every_sample(size - first, categories - 1):
            yield (first, *rest)


@pytest.mark.parametrize("counts", [(3, 2, 1), (2, 2), (4, 1, 1, 1), (1, 1), (6, 1)], ids=str)
def test_simpson_variance_is_that_of_every_sample(counts: tuple[int, ...]) -> None:
    """All samples of a population with these shares, weighted by their chance, in exact fractions."""
    size = sum(counts)
    mean = square = Fraction(0)
    for sample in every_sample(size, len(counts)):
        ways = factorial(size) // prod(factorial(n) for n in sample)
        chance = ways * prod(Fraction(n, size) ** m for n, m in zip(counts, sample, strict=True))
        estimate = Fraction(sum(n * (n - 1) for n in sample), size * (size - 1))
        mean += chance * estimate
        square += chance * estimate**2
    assert mean == Fraction(sum(n * n for n in counts), size**2)  # unbiased indeed
    assert i.simpson_variance(counts) == float(square - mean**2)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=9).filter(lambda counts: sum(counts) > 1))
def test_simpson_variance_is_never_negative(counts: list[int]) -> None:
    variance = i.simpson_variance(counts)
    assert variance >= 0
    assert (variance == 0) == (sum(n > 0 for n in counts) == 1)


def test_simpson_variance_tends_to_its_simple_form() -> None:
    counts = [500_000, 300_000, 200_000]
    shares = [n / sum(counts) for n in counts]
    simple = 4 * (sum(p**3 for p in shares) - sum(p**2 for p in shares) ** 2) / sum(counts)
    assert i.simpson_variance(counts) == pytest.approx(simple, rel=1e-4)


def critical(width: float, se: float, confidence: float = 0.95) -> float:
    """Return c, read off the lower end."""
    interval = i.imbens_manski_interval(
        Bounds(0.4, 0.4 + width), se_lower=se, se_upper=se, confidence=confidence
    )
    return (0.4 - interval.lower) / se


def test_imbens_manski_falls_from_a_two_sided_to_a_one_sided_interval() -> None:
    """The constant c is 1.960 for bounds of no width and 1.645 for wide ones."""
    assert critical(0.0, 0.01) == pytest.approx(1.959964, abs=1e-6)
    assert critical(0.3, 0.01) == pytest.approx(1.644854, abs=1e-6)
    widths = [critical(width, 0.01) for width in (0, 0.002, 0.005, 0.01, 0.02, 0.05)]
    assert widths == sorted(widths, reverse=True)


@given(st.floats(0, 0.2), st.floats(0.001, 0.05), st.floats(0.5, 0.99))
def test_imbens_manski_solves_its_equation(width: float, se: float, confidence: float) -> None:
    c = critical(width, se, confidence)
    normal = NormalDist()
    actual_width = 0.4 + width - 0.4
    assert normal.cdf(c + actual_width / se) - normal.cdf(-c) == pytest.approx(confidence, abs=1e-9)


def test_imbens_manski_takes_the_larger_standard_error_for_the_width() -> None:
    """The width counts in units of the larger one, as they define c."""
    uneven = i.imbens_manski_interval(Bounds(0.4, 0.41), se_lower=0.001, se_upper=0.02)
    assert (0.4 - uneven.lower) / 0.001 == pytest.approx(critical(0.01, 0.02), abs=1e-9)
    assert (uneven.upper - 0.41) / 0.02 == pytest.approx(critical(0.01, 0.02), abs=1e-9)


def test_imbens_manski_of_certain_bounds_is_the_bounds() -> None:
    assert i.imbens_manski_interval(Bounds(0.2, 0.3), se_lower=0, se_upper=0) == i.Interval(0.2, 0.3, 0.95)


def test_imbens_manski_stays_within_shares() -> None:
    interval = i.imbens_manski_interval(Bounds(0.01, 0.99), se_lower=0.1, se_upper=0.1)
    assert (interval.lower, interval.upper) == (0, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: i.wilson_interval(3, 2),
        lambda: i.wilson_interval(-1, 2),
        lambda: i.wilson_interval(1, 2, confidence=1),
        lambda: i.wilson_interval(1, 2, confidence=95),
        lambda: i.goodman_intervals([1, 2], confidence=0),
        lambda: i.goodman_intervals([1, -2]),
        lambda: i.simpson_variance([1, -2]),
        lambda: i.imbens_manski_interval(Bounds(0, 1), se_lower=-1, se_upper=0),
        lambda: i.imbens_manski_interval(Bounds(0, 1), se_lower=0, se_upper=0, confidence=1.5),
        lambda: i.imbens_manski_interval(Bounds(0, 1), se_lower=0, se_upper=0, confidence=0.4),
    ],
)
def test_contradictions_are_refused(wrong: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="must"):
        wrong()


@pytest.mark.parametrize(
    "empty",
    [
        lambda: i.wilson_interval(0, 0),
        lambda: i.goodman_intervals([]),
        lambda: i.goodman_intervals([0, 0]),
        lambda: i.simpson_variance([]),
        lambda: i.simpson_variance([1]),
    ],
)
def test_nothing_has_no_interval(empty: Callable[[], object]) -> None:
    with pytest.raises(EmptyPopulation):
        empty()


def test_wilson_holds_the_truth_about_as_often_as_it_says() -> None:
    size, truth = 60, 0.22
    covered = sum(
        comb(size, n) * truth**n * (1 - truth) ** (size - n)
        for n in range(size + 1)
        if i.wilson_interval(n, size).lower <= truth <= i.wilson_interval(n, size).upper
    )
    assert covered == pytest.approx(0.95, abs=0.015)
