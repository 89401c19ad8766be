from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import combinations
from math import exp, inf, isclose, log, nan

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from concentra.errors import EmptyPopulation
from concentra.metrics import concentration as c

populations = st.lists(st.integers(0, 60), min_size=1, max_size=12).filter(any)
heavy_populations = st.lists(st.integers(0, 10**18), min_size=1, max_size=8).filter(any)
orders = st.one_of(st.sampled_from([0.0, 1.0, 2.0, inf]), st.floats(0, 50), st.floats(0.999999, 1.000001))
thresholds = st.fractions(0, 1, max_denominator=12).filter(lambda t: t < 1)

INDICES: dict[str, Callable[[list[int]], object]] = {
    "largest_share": c.largest_share,
    "concentration_ratio": lambda counts: c.concentration_ratio(counts, 3),
    "herfindahl_hirschman_index": c.herfindahl_hirschman_index,
    "effective_number": c.effective_number,
    "unbiased_hhi": c.unbiased_hhi,
    "centralization_score": c.centralization_score,
    "normalized_hhi": c.normalized_hhi,
    "shannon_entropy": c.shannon_entropy,
    "evenness": c.evenness,
    "hill_number": lambda counts: c.hill_number(counts, 1.5),
    "theil_index": c.theil_index,
    "gini_coefficient": c.gini_coefficient,
    "nakamoto_coefficient": c.nakamoto_coefficient,
    "within_set_effective_number": c.within_set_effective_number,
}
every_index = pytest.mark.parametrize("index", INDICES.values(), ids=INDICES.keys())

THIRD, HALF, TWO_THIRDS = Fraction(1, 3), Fraction(1, 2), Fraction(2, 3)

# Computed by hand and by other programs: HHI, unbiased, S, effective number, entropy, D1, normalised, Gini, Theil; then
# the Nakamoto coefficients at 1/3, 1/2 and 2/3.
TABLE = {
    "three": (
        [50, 30, 20],
        (0.38, 0.373737, 0.37, 2.631579, 1.029653, 2.800094, 0.07, 0.2, 0.068959),
        (1, 2, 2),
    ),
    "equal": ([4] * 25, (0.04, 0.030303, 0.03, 25, 3.218876, 25, 0, 0, 0), (9, 13, 17)),
    "long tail": (
        [70] + [1] * 30,
        (0.493, 0.487879, 0.483, 2.028398, 1.631224, 5.110123, 0.4761, 0.667742, 1.802764),
        (1, 1, 1),
    ),
    "four": ([25] * 4, (0.25, 0.242424, 0.24, 4, 1.386294, 4, 0, 0, 0), (2, 3, 3)),
}


@pytest.mark.parametrize(("counts", "figures", "nakamoto"), TABLE.values(), ids=TABLE.keys())
def test_the_published_table(
    counts: list[int], figures: tuple[float, ...], nakamoto: tuple[int, int, int]
) -> None:
    normalized = c.normalized_hhi(counts)
    assert normalized is not None
    ours = (
        c.herfindahl_hirschman_index(counts),
        c.unbiased_hhi(counts),
        c.centralization_score(counts),
        c.effective_number(counts),
        c.shannon_entropy(counts),
        c.hill_number(counts, 1),
        round(normalized, 4),  # the table has four digits of this one
        c.gini_coefficient(counts),
        c.theil_index(counts),
    )
    assert ours == pytest.approx(figures, abs=5e-7)
    assert tuple(c.nakamoto_coefficient(counts, threshold=t) for t in (THIRD, HALF, TWO_THIRDS)) == nakamoto


@every_index
@pytest.mark.parametrize("counts", [[], [0], [0, 0, 0]], ids=["nothing", "a zero", "zeros"])
def test_every_index_fails_alike_on_nothing(index: Callable[[list[int]], object], counts: list[int]) -> None:
    with pytest.raises(EmptyPopulation):
        index(counts)


@every_index
@pytest.mark.parametrize("counts", [[3, -1], [0, -2], [-1]], ids=["mixed", "with zero", "alone"])
def test_every_index_refuses_negative_counts(index: Callable[[list[int]], object], counts: list[int]) -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        index(counts)


@every_index
def test_every_index_refuses_fractions_of_a_unit(index: Callable[[list[int]], object]) -> None:
    with pytest.raises(TypeError):
        index([0.5, 0.5])  # type: ignore[list-item]


@every_index
@given(counts=populations.filter(lambda counts: sum(counts) > 1), data=st.data())
def test_order_and_zeros_do_not_matter(
    index: Callable[[list[int]], object], counts: list[int], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations([*counts, 0]))
    assert index(shuffled) == index(counts)


SINGLE = {
    "largest_share": 1.0,
    "concentration_ratio": 1.0,
    "herfindahl_hirschman_index": 1.0,
    "effective_number": 1.0,
    "unbiased_hhi": 1.0,
    "centralization_score": 6 / 7,
    "normalized_hhi": None,
    "shannon_entropy": 0.0,
    "evenness": None,
    "hill_number": 1.0,
    "theil_index": 0.0,
    "gini_coefficient": 0.0,
    "nakamoto_coefficient": 1,
    "within_set_effective_number": 1.0,
}


def test_one_entity_has_these_values() -> None:
    values = {name: index([7]) for name, index in INDICES.items()}
    assert values == SINGLE
    assert "-0.0" not in map(str, values.values())


@given(st.integers(1, 200), st.integers(1, 10**12))
def test_equal_entities_count_as_many_as_they_are(entities: int, weight: int) -> None:
    counts = [weight] * entities
    assert c.effective_number(counts) == entities
    assert c.gini_coefficient(counts) == c.theil_index(counts) == 0
    assert c.shannon_entropy(counts) == log(entities)
    assert c.nakamoto_coefficient(counts) == entities // 2 + 1
    if entities > 1:
        assert (c.evenness(counts), c.normalized_hhi(counts)) == (1, 0)


@given(populations, st.data())
def test_merging_entities_never_lowers_concentration(counts: list[int], data: st.DataObject) -> None:
    first, *rest = data.draw(st.permutations(counts))
    merged = [first + rest[0], *rest[1:]] if rest else [first]
    assert c.herfindahl_hirschman_index(merged) >= c.herfindahl_hirschman_index(counts)
    assert c.effective_number(merged) <= c.effective_number(counts)
    assert c.concentration_ratio(merged, 3) >= c.concentration_ratio(counts, 3)
    assert c.nakamoto_coefficient(merged) <= c.nakamoto_coefficient(counts)
    assert c.shannon_entropy(merged) <= c.shannon_entropy(counts) + 1e-12


@given(populations, st.integers(2, 5))
def test_splitting_every_entity_in_n_divides_the_hhi_by_n(counts: list[int], n: int) -> None:
    split = counts * n  # n parts of 1/n each, in a unit that is n times smaller
    assert c.herfindahl_hirschman_index(split) == pytest.approx(
        c.herfindahl_hirschman_index(counts) / n, rel=1e-14
    )


@given(heavy_populations, st.integers(1, 10**9))
def test_the_unit_does_not_matter(counts: list[int], factor: int) -> None:
    scaled = [n * factor for n in counts]
    assert c.herfindahl_hirschman_index(scaled) == c.herfindahl_hirschman_index(counts)
    assert c.gini_coefficient(scaled) == c.gini_coefficient(counts)
    assert c.nakamoto_coefficient(scaled) == c.nakamoto_coefficient(counts)
    assert c.shannon_entropy(scaled) == pytest.approx(c.shannon_entropy(counts), rel=1e-12)


@given(populations.filter(lambda counts: sum(counts) > 1))
def test_three_names_for_one_number(counts: list[int]) -> None:
    total = sum(counts)
    score = Fraction(sum(n * n for n in counts), total**2) - Fraction(1, total)
    assert c.centralization_score(counts) == float(score)
    assert c.unbiased_hhi(counts) == float(score * total / (total - 1))
    assert c.herfindahl_hirschman_index(counts) == float(score + Fraction(1, total))


@given(populations)
def test_hill_numbers_are_the_other_indices(counts: list[int]) -> None:
    assert c.hill_number(counts, 0) == sum(n > 0 for n in counts)
    assert c.hill_number(counts, 1) == pytest.approx(exp(c.shannon_entropy(counts)), rel=1e-14)
    assert c.hill_number(counts, 2) == c.effective_number(counts)
    assert c.hill_number(counts, 2) == pytest.approx(1 / c.herfindahl_hirschman_index(counts), rel=1e-14)
    assert c.hill_number(counts, inf) == pytest.approx(1 / c.largest_share(counts), rel=1e-14)


@given(populations | heavy_populations, orders, orders)
def test_hill_numbers_never_grow_with_the_order(counts: list[int], order: float, other: float) -> None:
    low, high = sorted((order, other))
    assert c.hill_number(counts, high) <= c.hill_number(counts, low) * (1 + 1e-12)


@given(populations, st.floats(0, 20).filter(lambda order: abs(order - 1) > 1e-3))
def test_hill_numbers_follow_their_definition(counts: list[int], order: float) -> None:
    shares = [n / sum(counts) for n in counts if n]
    assert c.hill_number(counts, order) == pytest.approx(
        sum(p**order for p in shares) ** (1 / (1 - order)), rel=1e-9
    )


@pytest.mark.parametrize("order", [1e-300, 1 - 1e-12, 1 + 1e-12, 0.5, 1.5, 1e6, 1e300])
def test_hill_numbers_keep_their_digits_at_extreme_orders(order: float) -> None:
    counts = [9, 4, 2, 1]
    neighbour = 0.0 if order < 1e-9 else 1.0 if abs(order - 1) < 1e-9 else inf if order > 1e5 else order
    tolerance = 1e-5 if order == 1e6 else 1e-9
    assert isclose(c.hill_number(counts, order), c.hill_number(counts, neighbour), rel_tol=tolerance)


@given(populations)
def test_indices_stay_within_their_ranges(counts: list[int]) -> None:
    entities, total = sum(n > 0 for n in counts), sum(counts)
    assert 1 / entities <= c.herfindahl_hirschman_index(counts) <= 1
    assert 1 <= c.effective_number(counts) <= entities
    assert 0 <= c.centralization_score(counts) <= (total - 1) / total
    assert 0 <= c.shannon_entropy(counts) <= log(entities)
    assert 0 <= c.theil_index(counts) <= log(entities) + 1e-12
    assert 0 <= c.gini_coefficient(counts) <= 1 - 1 / entities
    assert min(1, 3 / entities) - 1e-12 <= c.concentration_ratio(counts, 3) <= 1
    evenness, normalized = c.evenness(counts), c.normalized_hhi(counts)
    assert (evenness is None) == (normalized is None) == (entities == 1)
    assert evenness is None or 0 <= evenness <= 1
    assert normalized is None or 0 <= normalized <= 1


nearly_equal = st.lists(st.integers(10**13, 10**13 + 2), min_size=2, max_size=6)


@given(nearly_equal, orders)
@example([10**13 + 1, 10**13 + 2, 10**13 + 1, 10**13, 10**13], 1.2)
@example([10**10 + 2, 10**10, 10**10 + 2, 10**10, 10**10 + 1], 1.0)
def test_rounding_does_not_pass_the_ends_of_a_range(counts: list[int], order: float) -> None:
    assert c.shannon_entropy(counts) <= log(len(counts))
    assert c.theil_index(counts) >= 0
    assert 1 <= c.hill_number(counts, order) <= len(counts)


@given(populations)
def test_theil_and_entropy_sum_to_the_logarithm_of_the_number(counts: list[int]) -> None:
    entities = sum(n > 0 for n in counts)
    assert c.theil_index(counts) + c.shannon_entropy(counts) == pytest.approx(log(entities), abs=1e-12)


@given(populations)
def test_gini_agrees_with_the_mean_difference_of_all_pairs(counts: list[int]) -> None:
    positive = [n for n in counts if n]
    differences = sum(abs(a - b) for a in positive for b in positive)
    assert c.gini_coefficient(counts) == differences / (2 * len(positive) * sum(positive))


@given(populations, st.integers(1, 14))
def test_concentration_ratio_agrees_with_trying_every_coalition(counts: list[int], k: int) -> None:
    best = max(sum(some) for some in combinations(counts, min(k, len(counts))))
    assert c.concentration_ratio(counts, k) == best / sum(counts)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=8).filter(any), thresholds)
def test_nakamoto_agrees_with_trying_every_coalition(counts: list[int], threshold: Fraction) -> None:
    def smallest(threshold: Fraction, *, strict: bool) -> int:
        return min(
            size
            for size in range(1, len(counts) + 1)
            for some in combinations(counts, size)
            if Fraction(sum(some), sum(counts)) > threshold
            or (not strict and Fraction(sum(some), sum(counts)) == threshold)
        )

    assert c.nakamoto_coefficient(counts, threshold=threshold) == smallest(threshold, strict=True)
    if threshold:
        assert c.nakamoto_coefficient(counts, threshold=threshold, strict=False) == smallest(
            threshold, strict=False
        )


@pytest.mark.parametrize("entities", [10, 12, 14, 18, 20, 26, 28, 30, 98])
def test_no_tie_is_decided_by_rounding(entities: int) -> None:
    assert c.nakamoto_coefficient([1] * entities) == entities // 2 + 1
    assert c.nakamoto_coefficient([1] * entities, strict=False) == entities // 2


def test_two_thirds_may_be_met_exactly() -> None:
    assert c.nakamoto_coefficient([2, 2, 2], threshold=TWO_THIRDS) == 3
    assert c.nakamoto_coefficient([2, 2, 2], threshold=TWO_THIRDS, strict=False) == 2
    assert c.nakamoto_coefficient([2, 2, 2], threshold=Fraction(1), strict=False) == 3


@pytest.mark.parametrize(
    ("threshold", "strict"),
    [
        (Fraction(1), True),
        (Fraction(3, 2), True),
        (Fraction(-1, 2), True),
        (Fraction(0), False),
        (Fraction(3, 2), False),
    ],
)
def test_thresholds_out_of_range_are_refused(threshold: Fraction, strict: bool) -> None:
    with pytest.raises(ValueError, match="threshold"):
        c.nakamoto_coefficient([1, 2], threshold=threshold, strict=strict)


def test_a_threshold_in_floating_point_is_refused() -> None:
    with pytest.raises(AttributeError):
        c.nakamoto_coefficient([1, 2], threshold=0.33)  # type: ignore[arg-type]


def test_one_unit_makes_no_pair() -> None:
    with pytest.raises(EmptyPopulation, match="set of pairs"):
        c.unbiased_hhi([0, 1])


@pytest.mark.parametrize("order", [-1, -0.1, nan])
def test_hill_numbers_of_no_order_are_refused(order: float) -> None:
    with pytest.raises(ValueError, match="order"):
        c.hill_number([1, 2], order)


@pytest.mark.parametrize("k", [0, -1])
def test_the_largest_none_have_no_ratio(k: int) -> None:
    with pytest.raises(ValueError, match="k must be"):
        c.concentration_ratio([1, 2], k)


def test_integers_of_numpy_do_not_overflow() -> None:
    counts = np.array([3 * 10**16, 10**16])
    assert (
        c.herfindahl_hirschman_index(counts.tolist()) == c.herfindahl_hirschman_index(list(counts)) == 0.625
    )


def test_within_a_set_only_its_members_count() -> None:
    assert c.within_set_effective_number([10, 10, 0]) == 2
    with pytest.raises(EmptyPopulation, match="named set"):
        c.within_set_effective_number([0, 0])


LABELS = [
    (0.0, "low", "low"),
    (0.0999, "low", "low"),
    (0.1, "moderate", "low"),
    (0.1499, "moderate", "low"),
    (0.15, "moderate", "moderate"),
    (0.18, "moderate", "moderate"),
    (0.1801, "high", "moderate"),
    (0.25, "high", "moderate"),
    (0.2501, "high", "high"),
    (1.0, "high", "high"),
]


@pytest.mark.parametrize(("hhi", "of_2023", "of_2010"), LABELS)
def test_bands_of_the_guidelines(hhi: float, of_2023: str, of_2010: str) -> None:
    assert str(c.hhi_label(hhi)) == f"2023: {of_2023}; 2010: {of_2010}"


def test_a_population_exactly_on_the_line_is_not_above_it() -> None:
    counts = [3, 3, 1, 1, 1, 1]  # 22/100
    assert c.hhi_label(c.herfindahl_hirschman_index(counts)).guidelines_2023 is c.Band.HIGH
    on_the_line = [2, 2, 2, 2, 1, 1]  # 18/100
    assert c.herfindahl_hirschman_index(on_the_line) * 10_000 == 1800
    assert c.hhi_label(c.herfindahl_hirschman_index(on_the_line)).guidelines_2023 is c.Band.MODERATE


@pytest.mark.parametrize("hhi", [-0.1, 1.01, 1800.0, nan])
def test_points_are_no_hhi(hhi: float) -> None:
    with pytest.raises(ValueError, match="points are for print"):
        c.hhi_label(hhi)
