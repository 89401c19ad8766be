"""Intervals for what chance alone may have done to an estimate.

For a crawl this is the smallest of the errors: what was not seen, or not attributed, comes first (see
`concentra.metrics.bounds`). An interval that takes nodes as independent is too narrow when they come
in clusters; `concentra.metrics.bootstrap` resamples clusters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from operator import index
from statistics import NormalDist

from concentra.errors import EmptyPopulation
from concentra.metrics.bounds import Bounds
from concentra.metrics.concentration import positive_counts

NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Interval:
    """A range that a procedure makes to hold the true value with a stated confidence."""

    lower: float
    """Lower end."""
    upper: float
    """Upper end."""
    confidence: float
    """How often, in the long run, such intervals hold the true value; in (0, 1)."""


def wilson_interval(members: int, total: int, *, confidence: float = 0.95) -> Interval:
    """Return Wilson's score interval for one share of independent units.

    Unlike ``p ± 1.96 sqrt(p(1-p)/N)`` it stays within [0, 1] and is not of no width at 0 and 1.

    Parameters
    ----------
    members, total : int
        Units in the category, and all units.
    confidence : float in (0, 1)
        For each share alone; for several at once use `goodman_intervals`.

    Returns
    -------
    Interval
        Shares in [0, 1].

    Raises
    ------
    EmptyPopulation
        If `total` is 0.
    ValueError
        If `members` is negative or exceeds `total`, or `confidence` lies outside (0, 1).

    References
    ----------
    .. [1] E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
       Journal of the American Statistical Association 22, 1927.

    Examples
    --------
    >>> interval = wilson_interval(0, 10)  # none of ten is not none of all
    >>> interval.lower, round(interval.upper, 4)
    (0.0, 0.2775)
    """
    if not 0 <= members <= total:
        raise ValueError(f"members must be in [0, {total}], got {members}")
    if not total:
        raise EmptyPopulation
    return _score_interval(members, total, z=_two_sided(confidence), confidence=confidence)


def goodman_intervals(counts: Sequence[int], *, confidence: float = 0.95) -> list[Interval]:
    """Return intervals that hold all shares of a population *at once* with the stated confidence.

    Needed before saying "A is larger than B" of the top of a ranking. Each is a score interval with
    the chi-square quantile at ``1 - (1 - confidence) / n`` (1 degree of freedom), the square of a
    normal one.

    Parameters
    ----------
    counts : sequence of int, shape (n_categories,)
        Independent units in each category. Zeros stay: the categories are fixed beforehand, and their
        number sets the width.
    confidence : float in (0, 1)
        For all categories together.

    Returns
    -------
    list of Interval
        Shares, in the order of `counts`.

    Raises
    ------
    EmptyPopulation
        If `counts` sums to zero.
    ValueError
        If a count is negative, or `confidence` lies outside (0, 1).

    References
    ----------
    .. [1] L. A. Goodman, "On Simultaneous Confidence Intervals for Multinomial Proportions",
       Technometrics 7(2), 1965.

    Examples
    --------
    >>> [(round(i.lower, 3), round(i.upper, 3)) for i in goodman_intervals([50, 30, 20])]
    [(0.384, 0.616), (0.204, 0.418), (0.122, 0.311)]
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be in (0, 1), got {confidence}")
    total = sum(positive_counts(counts))
    z = _two_sided(1 - (1 - confidence) / len(counts))
    return [_score_interval(index(n), total, z=z, confidence=confidence) for n in counts]


def simpson_variance(counts: Sequence[int]) -> float:
    """Return the sampling variance of the unbiased HHI, with observed shares for the true ones.

    ``[4N(N-1)(N-2) sum(p³) + 2N(N-1) sum(p²) - 2N(N-1)(2N-3) sum(p²)²] / (N(N-1))²``; for large N
    about ``4 (sum(p³) - sum(p²)²) / N``.

    Parameters
    ----------
    counts : sequence of int, shape (n_entities,)
        Number of independent units of each entity, in any order.

    Returns
    -------
    float
        At least 0; exactly 0 for a single entity.

    Raises
    ------
    EmptyPopulation
        If `counts` sums to zero, or to one: then there is no pair.
    ValueError
        If a count is negative.

    References
    ----------
    .. [1] E. H. Simpson, "Measurement of Diversity", Nature 163, 1949.

    Examples
    --------
    >>> round(simpson_variance([50, 30, 20]), 8)
    0.00066529
    >>> simpson_variance([2, 2])  # equal shares: the large-N form gives 0
    0.041666666666666664
    """
    ordered = positive_counts(counts)
    total = sum(ordered)
    if total == 1:
        raise EmptyPopulation("set of pairs")
    squares, cubes = sum(n**2 for n in ordered), sum(n**3 for n in ordered)
    numerator = 4 * total * (total - 2) * cubes + 2 * total**2 * squares - 2 * (2 * total - 3) * squares**2
    return numerator / (total**5 * (total - 1))


def imbens_manski_interval(
    bounds: Bounds[float], *, se_lower: float, se_upper: float, confidence: float = 0.95
) -> Interval:
    """Return an interval for a share that is identified only up to `bounds`, which are estimates.

    ``[L - c se_L, U + c se_U]``, with c such that the *share*, wherever it lies between the bounds, is
    held with the stated confidence: at 95 %, c falls from 1.960 for bounds of no width to 1.645 for wide
    ones, because a share can then leave on one side only.

    Parameters
    ----------
    bounds : Bounds of float
        Estimated bounds of the share.
    se_lower, se_upper : float
        Their standard errors.
    confidence : float in [0.5, 1)
        Of the share, not of both bounds together. Below one half no c solves the equation for wide
        bounds, which alone hold more.

    Returns
    -------
    Interval
        Shares, clipped to [0, 1].

    Raises
    ------
    ValueError
        If a standard error is negative, or `confidence` lies outside [0.5, 1).

    References
    ----------
    .. [1] G. W. Imbens and C. F. Manski, "Confidence Intervals for Partially Identified Parameters",
       Econometrica 72(6), 2004.

    Examples
    --------
    >>> wide = imbens_manski_interval(Bounds(0.3, 0.5), se_lower=0.01, se_upper=0.01)
    >>> round(wide.lower, 4), round(wide.upper, 4)  # not 0.3 - 0.0196
    (0.2836, 0.5164)
    """
    if se_lower < 0 or se_upper < 0:
        raise ValueError(f"standard errors must not be negative, got {se_lower} and {se_upper}")
    c = imbens_manski_quantile(bounds.width, se=max(se_lower, se_upper), confidence=confidence)
    return Interval(max(0.0, bounds.lower - c * se_lower), min(1.0, bounds.upper + c * se_upper), confidence)


def imbens_manski_quantile(width: float, *, se: float, confidence: float = 0.95) -> float:
    """Return how many standard errors `imbens_manski_interval` adds beyond either bound.

    The c that solves ``Φ(c + width / se) - Φ(-c) = confidence``, rounded up.

    Parameters
    ----------
    width : float
        Upper bound minus lower bound, in any unit.
    se : float
        The larger one of their standard errors, in the same unit. At 0 any c serves; the smallest is
        returned.
    confidence : float in [0.5, 1)

    Returns
    -------
    float
        Standard errors.

    Raises
    ------
    ValueError
        If `width` or `se` is negative, or `confidence` lies outside [0.5, 1).

    Examples
    --------
    >>> round(imbens_manski_quantile(0, se=0.01), 3), round(imbens_manski_quantile(0.2, se=0.01), 3)
    (1.96, 1.645)
    """
    if width < 0 or se < 0:
        raise ValueError(f"width and se must not be negative, got {width} and {se}")
    if not 0.5 <= confidence < 1:
        raise ValueError(f"confidence must be in [0.5, 1), got {confidence}")
    low, high = NORMAL.inv_cdf(confidence), _two_sided(confidence)
    if se == 0:
        return low
    while True:
        c = (low + high) / 2
        if not low < c < high:
            return high
        if NORMAL.cdf(c + width / se) - NORMAL.cdf(-c) < confidence:
            low = c
        else:
            high = c


def _two_sided(confidence: float) -> float:
    """Return how many standard deviations around the mean hold `confidence` of a normal variable."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be in (0, 1), got {confidence}")
    return -NORMAL.inv_cdf((1 - confidence) / 2)


def _score_interval(members: int, total: int, *, z: float, confidence: float) -> Interval:
    """Return the shares that a score test with quantile `z` does not reject."""
    centre = members + z * z / 2
    spread = z * sqrt(members * (total - members) / total + z * z / 4)
    # At 0 the lower end is exact, since sqrt(z * z) == z in binary; at N rounding could pass 1.
    lower = (centre - spread) / (total + z * z)
    upper = 1.0 if members == total else (centre + spread) / (total + z * z)
    return Interval(lower, upper, confidence)
