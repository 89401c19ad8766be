"""How many nodes there are, seen or not, by counting those that were seen twice.

Capture-recapture. Each source lists the nodes that it told of; the fewer nodes of one list the other
misses, the fewer are missed by both. Three conditions stand behind that: the population does not change
meanwhile, nodes are recognised (by node ID, not by address), and a node's being on one list does not
depend on its being on another.

Nodes differ: some are in everybody's table, others in nobody's. The same nodes are then easy to find for
every source, lists overlap more than independent ones would, and estimates are *too low*. So the
estimates here are read as lower bounds, unless two sources exclude each other's nodes.

Intervals are log-normal on the *unseen* nodes [1]_: they never reach below what was seen. They are about
chance only, and take nodes as independent, though those of one operator come and go together.

References
----------
.. [1] A. Chao, "Estimating the Population Size for Capture-Recapture Data with Unequal Catchability",
   Biometrics 43(4), 1987, page 787.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log1p, sqrt
from operator import index

from concentra.errors import EmptyPopulation
from concentra.metrics.intervals import NORMAL
from concentra.model.coverage import SizeEstimate

FEW_SHARED = 7
"""Below so many shared nodes Chapman's bias is not negligible (Robson and Regier, Transactions of the
American Fisheries Society 93(3), 1964)."""

HIGH_OVERLAP = 0.95
"""Above this shared part of the smaller list it is asked whether one list was made from the other."""


def chapman(first: int, second: int, both: int, *, confidence: float = 0.95) -> SizeEstimate:
    """Return Chapman's estimate of the size of a population of which two lists were drawn.

    ``(n1 + 1)(n2 + 1) / (m + 1) - 1``, of which ``n1 + n2 - m`` nodes were seen and
    ``(n1 - m)(n2 - m) / (m + 1)`` were not. Unlike Petersen's ``n1 n2 / m`` it is finite without a shared
    node and, for independent lists, nearly unbiased from seven shared nodes on. Its variance is
    ``(n1 + 1)(n2 + 1)(n1 - m)(n2 - m) / ((m + 1)² (m + 2))`` [2]_.

    Parameters
    ----------
    first, second : int
        Nodes on each list, in one unit and of one population.
    both : int
        Nodes on both.
    confidence : float in (0, 1)
        Of the interval.

    Returns
    -------
    SizeEstimate
        Nodes. If one list lies within the other, `unseen` is 0 with an interval of no width: then nothing
        shows what the larger list misses, and the estimate should not be used.

    Raises
    ------
    EmptyPopulation
        If a list is empty.
    ValueError
        If `both` is negative or exceeds a list, or `confidence` lies outside (0, 1).

    References
    ----------
    .. [1] D. G. Chapman, "Some properties of the hypergeometric distribution with applications to
       zoological sample censuses", University of California Publications in Statistics 1, 1951.
    .. [2] G. A. F. Seber, "The effects of trap response on tag recapture estimates", Biometrics 26(1), 1970.

    Examples
    --------
    >>> estimate = chapman(200, 100, 50)  # 250 nodes seen
    >>> round(estimate.total, 1), round(estimate.low), round(estimate.high)
    (397.1, 345, 479)
    """
    if not 0 <= both <= min(first, second):
        raise ValueError(f"both must be in [0, {min(first, second)}], got {both}")
    if not first or not second:
        raise EmptyPopulation("list")
    only_first, only_second = first - both, second - both
    unseen = only_first * only_second / (both + 1)
    variance = (first + 1) * (second + 1) * only_first * only_second / ((both + 1) ** 2 * (both + 2))
    return size_estimate(first + second - both, unseen, variance, confidence=confidence)


def chao2(seen_in: Sequence[int], *, confidence: float = 0.95) -> SizeEstimate:
    """Return Chao's lower bound on the size of a population that was sampled repeatedly.

    ``S + (T - 1)/T * Q1 (Q1 - 1) / (2 (Q2 + 1))``, with T samples, S nodes seen, Q1 of them in exactly one
    sample and Q2 in two: the form whose bias was corrected [2]_, which is defined also if Q2 is 0. How easy
    nodes are to find may differ in any way from node to node: the expected estimate then lies below the size.

    Parameters
    ----------
    seen_in : sequence of int, shape (n_samples,)
        How many nodes were seen in exactly one sample, in exactly two, ... in all. Zeros stay: their
        number tells how many samples there were.
    confidence : float in (0, 1)
        Of the interval.

    Returns
    -------
    SizeEstimate
        Nodes.

    Raises
    ------
    EmptyPopulation
        If no node was seen.
    ValueError
        If there are fewer than two samples, a count is negative, or `confidence` lies outside (0, 1).

    References
    ----------
    .. [1] A. Chao, "Estimating the Population Size for Capture-Recapture Data with Unequal Catchability",
       Biometrics 43(4), 1987.
    .. [2] A. Chao, "Species Estimation and Applications", Encyclopedia of Statistical Sciences, 2nd ed.,
       2005. The variance is that of SpadeR's ``Chao2-bc``, of the same author.

    Examples
    --------
    >>> chao2([9, 4, 1] + [0] * 13).total  # 14 nodes seen in sixteen samples
    20.75
    >>> chao2([6, 0, 4]).total  # nobody seen exactly twice
    20.0
    """
    counts = [index(count) for count in seen_in]
    samples = len(counts)
    if samples < 2:
        raise ValueError(f"wanted at least two samples, got {samples}")
    if min(counts) < 0:
        raise ValueError(f"counts must not be negative, got {min(counts)}")
    observed = sum(counts)
    if not observed:
        raise EmptyPopulation
    once, twice = counts[:2]
    unseen = (samples - 1) * once * (once - 1) / (2 * samples * (twice + 1))
    part = (samples - 1) / samples
    variance = (
        unseen
        + part**2 * once * (2 * once - 1) ** 2 / (4 * (twice + 1) ** 2)
        + part**2 * once**2 * twice * (once - 1) ** 2 / (4 * (twice + 1) ** 4)
    )
    return size_estimate(observed, unseen, variance, confidence=confidence)


def size_estimate(observed: int, unseen: float, variance: float, *, confidence: float) -> SizeEstimate:
    """Return an estimate with its interval, log-normal on the unseen nodes.

    ``[S + f / C, S + f C]`` for f unseen nodes and ``C = exp(z sqrt(ln(1 + variance / f²)))``.

    Parameters
    ----------
    observed : int
        S, nodes seen.
    unseen : float
        f, at least 0; at 0 the interval has no width.
    variance : float
        Of f, at least 0.
    confidence : float in (0, 1)

    Raises
    ------
    ValueError
        If a number lies outside its range.

    Examples
    --------
    >>> estimate = size_estimate(100, 50.0, 400.0, confidence=0.95)
    >>> round(estimate.low), round(estimate.high)  # not 50 ± 39
    (123, 206)
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be in (0, 1), got {confidence}")
    if unseen < 0 or variance < 0:
        raise ValueError(f"unseen and variance must not be negative, got {unseen} and {variance}")
    factor = 1.0
    if unseen:
        factor = exp(NORMAL.inv_cdf((1 + confidence) / 2) * sqrt(log1p(variance / unseen**2)))
    return SizeEstimate(
        observed=observed,
        unseen=unseen,
        standard_error=sqrt(variance),
        low=observed + unseen / factor,
        high=observed + unseen * factor,
        confidence=confidence,
    )
