"""Log-linear models: closed forms, iterative proportional fitting as a plain oracle, and empty patterns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, product
from math import exp, inf, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from concentra.errors import EmptyPopulation
from concentra.metrics.log_linear import MAX_LISTS, log_linear_models
from concentra.model.coverage import FitOutcome, FittedModel

Pairs = tuple[tuple[str, str], ...]

# An outbreak of hepatitis A in Taiwan, 1995: cases by serum test (P), hospital (Q) and questionnaire (E).
# A. Chao, P. K. Tsay, S.-H. Lin, W.-Y. Shau and D.-Y. Chao, "The applications of capture-recapture models to
# epidemiological data", Statistics in Medicine 20, 2001, table II.
HEPATITIS = {"P": 69, "Q": 55, "E": 63, "PQ": 21, "PE": 17, "QE": 18, "PQE": 28}


def patterns(counts: Mapping[str, int]) -> dict[frozenset[str], int]:
    return {frozenset(key): count for key, count in counts.items()}


def by_pairs(models: Sequence[FittedModel]) -> dict[Pairs, FittedModel]:
    return {model.interactions: model for model in models}


def patterns_of(names: str, least: int, most: int) -> st.SearchStrategy[dict[frozenset[str], int]]:
    keys = [frozenset(chosen) for size in range(1, len(names) + 1) for chosen in combinations(names, size)]
    return st.fixed_dictionaries({key: st.integers(least, most) for key in keys})


def scaled_to_margins(
    names: str, counts: Mapping[frozenset[str], int], pairs: Pairs
) -> tuple[float, dict[frozenset[str], float]]:
    """Return the unseen nodes and all fitted counts by iterative proportional fitting.

    Every observed margin of the model is matched in turn until nothing moves: slow, plain, and without a
    derivative. What is fitted is a product of one factor for each list and pair of lists.
    """
    factors: dict[frozenset[str], float] = dict.fromkeys(
        [frozenset(), *(frozenset(name) for name in names), *(frozenset(pair) for pair in pairs)], 1.0
    )

    def fitted(cell: frozenset[str]) -> float:
        value = 1.0
        for term, factor in factors.items():
            if term <= cell:
                value *= factor
        return value

    for _ in range(20_000):
        moved = 0.0
        for term in factors:
            wanted = sum(count for cell, count in counts.items() if term <= cell)
            scale = wanted / sum(fitted(cell) for cell in counts if term <= cell)
            factors[term] *= scale
            moved = max(moved, abs(scale - 1))
        if moved < 1e-12:
            break
    return factors[frozenset()], {cell: fitted(cell) for cell in counts}


@settings(max_examples=6)
@given(patterns_of("ABC", 1, 60))
def test_every_model_agrees_with_proportional_fitting(counts: dict[frozenset[str], int]) -> None:
    models = log_linear_models("ABC", counts)
    assert len(models) == 8
    for model in models:
        unseen, _ = scaled_to_margins("ABC", counts, model.interactions)
        assert model.estimate is not None
        assert model.estimate.unseen == pytest.approx(unseen, rel=1e-5)


@given(patterns_of("ABC", 1, 10_000))
def test_the_model_with_all_pairs_fits_perfectly_and_has_a_closed_form(
    counts: dict[frozenset[str], int],
) -> None:
    """Without an interaction of all three lists, odd patterns over even ones give the missing count."""
    odd = [counts[frozenset(key)] for key in ("A", "B", "C", "ABC")]
    even = [counts[frozenset(key)] for key in ("AB", "AC", "BC")]
    unseen = odd[0] * odd[1] * odd[2] * odd[3] / (even[0] * even[1] * even[2])
    full = by_pairs(log_linear_models("ABC", counts))[("A", "B"), ("A", "C"), ("B", "C")]
    assert full.estimate is not None
    assert full.degrees_of_freedom == 0
    assert full.deviance == pytest.approx(0, abs=1e-6)
    assert full.estimate.unseen == pytest.approx(unseen, rel=1e-6)
    variance = unseen + unseen**2 * sum(1 / count for count in counts.values())
    assert full.estimate.standard_error == pytest.approx(sqrt(variance), rel=1e-6)


@given(patterns_of("ABC", 1, 10_000))
def test_two_lists_that_depend_on_the_third_alone_are_independent_where_it_is_silent(
    counts: dict[frozenset[str], int],
) -> None:
    b, c, bc = (counts[frozenset(key)] for key in ("B", "C", "BC"))
    model = by_pairs(log_linear_models("ABC", counts))[("A", "B"), ("A", "C")]
    assert model.estimate is not None
    assert model.estimate.unseen == pytest.approx(b * c / bc, rel=1e-6)


def test_a_published_outbreak() -> None:
    """As the Poisson regression of statsmodels 0.14 fits them, to four decimals of the total."""
    models = by_pairs(log_linear_models("PQE", patterns(HEPATITIS)))
    expected = {
        (): (388.4835, 21.5531, 24.3568),
        (("P", "Q"),): (416.0, 30.9429, 21.1443),
        (("P", "E"),): (393.3134, 26.7959, 24.2470),
        (("Q", "E"),): (413.1818, 29.8346, 21.3305),
        (("P", "Q"), ("P", "E")): (463.5, 59.2716, 19.4220),
        (("P", "Q"), ("Q", "E")): (526.7059, 78.0217, 13.2026),
        (("P", "E"), ("Q", "E")): (451.7143, 52.9426, 19.9044),
        (("P", "Q"), ("P", "E"), ("Q", "E")): (1312.7647, 517.9767, 0.0),
    }
    for pairs, (total, error, deviance) in expected.items():
        model = models[pairs]
        assert model.estimate is not None
        assert model.estimate.total == pytest.approx(total, abs=1e-4)
        assert model.estimate.standard_error == pytest.approx(error, rel=1e-5)
        assert model.deviance == pytest.approx(deviance, abs=1e-4)
        assert model.aic == pytest.approx(deviance + 2 * (4 + len(pairs)), abs=1e-4)


def test_models_stand_by_their_aic() -> None:
    models = log_linear_models("PQE", patterns(HEPATITIS))
    differences = [model.delta_aic for model in models if model.delta_aic is not None]
    assert differences == sorted(differences)
    assert differences[0] == 0
    assert len(differences) == 8


def test_dependent_lists_are_told_from_independent_ones() -> None:
    """Who is on A is on B with 0.7 instead of 0.3. To take them as independent loses a tenth of the network."""
    rng = np.random.default_rng(5)
    size = 20_000
    on_a = rng.random(size) < 0.4
    on_b = rng.random(size) < np.where(on_a, 0.7, 0.3)
    on_c = rng.random(size) < 0.5
    counts: dict[frozenset[str], int] = {}
    for flags in zip(on_a, on_b, on_c, strict=True):
        names = frozenset(name for name, flag in zip("ABC", flags, strict=True) if flag)
        if names:
            counts[names] = counts.get(names, 0) + 1
    models = by_pairs(log_linear_models("ABC", counts))
    right, naive = models[(("A", "B"),)], models[()]
    assert right.estimate is not None
    assert naive.estimate is not None
    assert right.delta_aic is not None
    assert naive.delta_aic is not None
    assert right.delta_aic < 4 < 100 < naive.delta_aic
    assert abs(right.estimate.total - size) < 4 * right.estimate.standard_error
    assert right.estimate.low <= size <= right.estimate.high
    assert naive.estimate.total < 0.95 * size


# Empty patterns.


def test_a_pair_that_shares_nothing_may_not_depend_on_each_other() -> None:
    counts = patterns({"A": 50, "B": 40, "C": 60, "AC": 20, "BC": 15})
    models = log_linear_models("ABC", counts)
    for model in models:
        # If A and B depend on C alone, then where C is silent the missing count is A times B over none.
        infinite = ("A", "B") in model.interactions or model.interactions == (("A", "C"), ("B", "C"))
        assert (model.outcome is FitOutcome.INFINITE) == infinite
        assert (model.estimate is None) == infinite
    # They are not dropped: the limit of their likelihood shows that they fit better than all others.
    assert [model.estimate is None for model in models] == [False] * 3 + [True] * 5
    assert min(model.delta_aic or 0.0 for model in models) < 0


def test_a_list_that_holds_all_others_leaves_no_model() -> None:
    counts = patterns({"A": 50, "AB": 40, "AC": 30, "ABC": 20})
    assert {model.outcome for model in log_linear_models("ABC", counts)} == {FitOutcome.INFINITE}
    assert all(model.delta_aic is None for model in log_linear_models("ABC", counts))


@settings(max_examples=30)
@given(patterns_of("ABC", 0, 3).filter(lambda counts: any(counts.values())))
def test_what_has_an_estimate_matches_the_observed_margins(counts: dict[frozenset[str], int]) -> None:
    """At a finite maximum every margin is met; a margin of none can be met by infinite parameters only."""
    for model in log_linear_models("ABC", counts):
        terms = [frozenset(name) for name in "ABC"] + [frozenset(pair) for pair in model.interactions]
        margins = [sum(count for cell, count in counts.items() if term <= cell) for term in terms]
        if not all(margins):
            assert model.outcome is not FitOutcome.FITTED
        if model.estimate is not None:
            assert 0 < model.estimate.unseen < inf


@pytest.mark.parametrize("size", [3, 4, MAX_LISTS])
def test_independent_lists_give_the_size_of_the_network(size: int) -> None:
    rng = np.random.default_rng(size)
    nodes = 5_000
    names = "ABCDE"[:size]
    on = rng.random((nodes, size)) < np.linspace(0.2, 0.6, size)
    counts: dict[frozenset[str], int] = {}
    for row in on:
        key = frozenset(name for name, flag in zip(names, row, strict=True) if flag)
        if key:
            counts[key] = counts.get(key, 0) + 1
    models = log_linear_models(names, counts)
    assert len(models) == 2 ** (size * (size - 1) // 2)
    assert {model.outcome for model in models} == {FitOutcome.FITTED}
    independent = by_pairs(models)[()]
    assert independent.estimate is not None
    assert independent.degrees_of_freedom == 2**size - 2 - size
    assert abs(independent.estimate.total - nodes) < 4 * independent.estimate.standard_error


@given(patterns_of("ABC", 1, 500), st.permutations("ABC"))
def test_the_order_of_the_lists_does_not_matter(counts: dict[frozenset[str], int], order: list[str]) -> None:
    def totals(names: Sequence[str]) -> dict[frozenset[frozenset[str]], float]:
        return {
            frozenset(map(frozenset, model.interactions)): model.estimate.total
            for model in log_linear_models(names, counts)
            if model.estimate is not None
        }

    assert totals(order) == pytest.approx(totals("ABC"), rel=1e-6)


def test_large_networks_converge() -> None:
    cells = [cell for cell in product((0, 1), repeat=3) if any(cell)]
    counts = {
        frozenset(name for name, on in zip("ABC", cell, strict=True) if on): int(1e6 * exp(-2 * sum(cell)))
        for cell in cells
    }
    assert {model.outcome for model in log_linear_models("ABC", counts)} == {FitOutcome.FITTED}


# What is refused.


@pytest.mark.parametrize("names", ["AB", "ABCDEF", "AAB"], ids=["too few", "too many", "one twice"])
def test_other_numbers_of_lists_are_refused(names: str) -> None:
    with pytest.raises(ValueError, match="wanted 3 to 5 lists"):
        log_linear_models(names, {frozenset("A"): 1})


@pytest.mark.parametrize(
    "counts", [{"D": 1}, {"": 1}, {"A": -1, "B": 5}], ids=["unknown", "none", "negative"]
)
def test_impossible_patterns_are_refused(counts: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must"):
        log_linear_models("ABC", patterns(counts))


def test_nothing_has_no_size() -> None:
    with pytest.raises(EmptyPopulation):
        log_linear_models("ABC", {})
