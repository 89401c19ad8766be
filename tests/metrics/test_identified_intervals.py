from __future__ import annotations

from math import isnan, sqrt

import numpy as np
import pytest

from concentra.metrics.identified_intervals import (
    Replicates,
    largest_share_errors,
    margin_errors,
    set_effective_number_errors,
    share_errors,
)
from concentra.model.audit import Confined, Distribution, Entity
from concentra.model.axes import Axis, Denominator

RNG = np.random.default_rng(7)
N = 4000


def drawn(shares: list[float], possible: list[float]) -> Replicates:
    """Return multinomial replicates of N units."""
    counts = RNG.multinomial(N, [*shares, *possible], size=600)
    return Replicates(units=counts[:, : len(shares)], possible=counts[:, len(shares) :])


def distribution(possible: int = 0) -> Distribution:
    return Distribution(
        axis=Axis.PROVIDER,
        denominator=Denominator.ALL,
        entities=tuple(
            Entity(id=name, name=name, units=n, possible=possible) for name, n in (("a", 1600), ("b", 1200), ("c", 400))
        ),
        unattributed={"unlisted": 800},
    )  # fmt: skip


NONE = [0.0, 0.0, 0.0, 0.0]
SHARES = [0.4, 0.3, 0.1, 0.2]


def test_independent_units_have_binomial_errors_at_both_bounds() -> None:
    errors = share_errors(distribution(), drawn(SHARES, NONE), ("a",))
    assert errors.lower == pytest.approx(sqrt(0.4 * 0.6 / N), rel=0.1)
    assert errors.upper == pytest.approx(sqrt(0.6 * 0.4 / N), rel=0.1)


def test_the_two_largest_have_the_errors_of_their_sum() -> None:
    errors = largest_share_errors(distribution(), drawn(SHARES, NONE), 2)
    assert errors.lower == pytest.approx(sqrt(0.7 * 0.3 / N), rel=0.1)
    assert errors.upper == pytest.approx(sqrt(0.9 * 0.1 / N), rel=0.1)


def test_possible_units_move_both_bounds_of_a_share() -> None:
    replicates = drawn([0.3, 0.2, 0.1, 0.2], [0.1, 0.05, 0.05, 0.0])
    errors = share_errors(distribution(100), replicates, ("a",))
    units, possible = replicates.units, replicates.possible
    lower = units[:, 0] / (N - possible[:, 0])
    upper = (units[:, 0] + possible[:, 0] + units[:, 3]) / (N - possible[:, 1] - possible[:, 2])
    assert errors.lower == pytest.approx(lower.std(ddof=1))
    assert errors.upper == pytest.approx(upper.std(ddof=1))
    assert largest_share_errors(distribution(100), replicates, 1).lower > 0


def test_the_margin_of_equal_shares_has_the_error_of_a_difference() -> None:
    errors = margin_errors(distribution(), drawn(SHARES, NONE), ("a",))
    assert errors.upper == pytest.approx(sqrt(N * (0.6 + 0.3 - 0.3**2)), rel=0.15)  # (a + u) - b


def test_a_set_number_that_is_fixed_has_no_error() -> None:
    units = np.array([[4, 4, 1, 0], [9, 9, 0, 0], [5, 5, 2, 0]])
    replicates = Replicates(units=units, possible=np.zeros_like(units))
    errors = set_effective_number_errors(distribution(), replicates, ("a", "b"))
    assert (errors.lower, errors.upper) == (0.0, 0.0)
    assert isnan(set_effective_number_errors(distribution(), replicates, ("z",)).lower)


def test_confined_units_can_join_their_group_only() -> None:
    regions = Distribution(
        axis=Axis.REGION,
        denominator=Denominator.ALL,
        entities=(Entity(id="aws/x", name="x", units=10), Entity(id="gcp/y", name="y", units=10)),
        unattributed={},
        confined=(Confined(group="aws", units=5),),
    )
    units = np.array([[10, 10, 5, 0], [10, 10, 0, 0]])
    replicates = Replicates(units=units, possible=np.zeros_like(units))
    upper = [15 / 25, 10 / 20]
    assert share_errors(regions, replicates, ("aws/x",)).upper == pytest.approx(np.std(upper, ddof=1))
    assert share_errors(regions, replicates, ("gcp/y",)).upper == pytest.approx(
        np.std([10 / 25, 10 / 20], ddof=1)
    )


def test_columns_of_another_distribution_are_our_own_mistake() -> None:
    units = np.zeros((5, 3), dtype=np.int64)
    with pytest.raises(ValueError, match="4 columns"):
        share_errors(distribution(), Replicates(units=units, possible=units), ("a",))
