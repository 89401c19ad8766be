"""Indices of concentration: functions from counts per entity to a number.

Counts stay integers until the last division, so that no answer that is discrete (a Nakamoto
coefficient, a band) is decided by rounding. Python's division of integers is correctly rounded at any
size, and `operator.index` turns NumPy integers into Python's, whose squares do not overflow.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from math import ceil, exp, expm1, floor, fsum, inf, isnan, log, log1p
from operator import index

from concentra.errors import EmptyPopulation

HALF = Fraction(1, 2)


def positive_counts(counts: Iterable[int], *, what: str = "population") -> list[int]:
    """Return the positive `counts` in descending order, after the checks that all indices share."""
    whole = [index(count) for count in counts]
    if any(count < 0 for count in whole):
        raise ValueError(f"counts must not be negative, got {min(whole)}")
    positive = sorted((count for count in whole if count), reverse=True)
    if not positive:
        raise EmptyPopulation(what)
    return positive


def units_needed(total: int, threshold: Fraction, *, strict: bool) -> int:
    """Return the smallest whole number of units that passes `threshold` of `total`."""
    if strict and not 0 <= threshold < 1:
        raise ValueError(f"threshold must be in [0, 1), got {threshold}")
    if not strict and not 0 < threshold <= 1:
        raise ValueError(f"threshold that may be met exactly must be in (0, 1], got {threshold}")
    # `numerator` also keeps floats out: 0.33 is not 33/100, and a tie would hang on it.
    exact = Fraction(threshold.numerator * total, threshold.denominator)
    return floor(exact) + 1 if strict else ceil(exact)


def largest_share(counts: Sequence[int]) -> float:
    """Return the share of the largest entity.

    ``max(n) / N``; the inverse of the Hill number of order infinity, and the share lost at worst when
    one entity fails.

    Parameters
    ----------
    counts : sequence of int, shape (n_entities,)
        Weight of each entity, in any order and in one unit.

    Returns
    -------
    float
        A share in ``[1/K, 1]``, ``K`` being the number of entities with a positive count.

    Raises
    ------
    EmptyPopulation
        If `counts` sums to zero.
    ValueError
        If a count is negative.

    Examples
    --------
    >>> largest_share([20, 50, 30])
    0.5
    """
    return concentration_ratio(counts, 1)


def concentration_ratio(counts: Sequence[int], k: int) -> float:
    """Return the share that the `k` largest entities hold together (CR_k).

    Parameters
    ----------
    counts : sequence of int, shape (n_entities,)
        Weight of each entity, in any order and in one unit.
    k : int, at least 1
        How many entities; 3 is customary. With fewer than `k` entities the ratio is 1.

    Returns
    -------
    float
        A share in ``[min(1, k/K), 1]``.

    Raises
    ------
    EmptyPopulation
        If `counts` sums to zero. Some tools answer 0 here, as if nobody were as little concentrated
        as could be.
    ValueError
        If a count is negative, or `k` is less than 1.

    Examples
    --------
    >>> concentration_ratio([10, 20, 30, 40], 3)  # the order of `counts` does not matter
    0.9
    >>> concentration_ratio([7], 3)
    1.0
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    ordered = positive_counts(counts)
    return sum(ordered[:k]) / sum(ordered)


def herfindahl_hirschman_index(counts: Sequence[int]) -> float:
    """Return the sum of squared shares (HHI): the chance that two draws *with* return meet one entity.

    Merging entities never lowers it, and splitting each into n equal parts divides it by n. Times
    10,000 it is the "points" of competition law, which are for print only.

    Parameters
    ----------
    counts : sequence of int, shape (n_entities,)
        Weight of each entity, in any order and in one unit.

    Returns
    -------
    float
        ``sum(n²) / N²`` in ``[1/K, 1]``: ``1/K`` for K equal entities, 1 for a single one.

    Raises
    ------
    EmptyPopulation
        If `counts` sums to zero.
    ValueError
        If a count is negative.

    References
    ----------
    .. [1] A. O. Hirschman, "The Paternity of an Index", American Economic Review 54(5), 1964.

    Examples
    --------
    >>> herfindahl_hirschman_index([50, 30, 20])
    0.38
    >>> herfindahl_hirschman_index([3 * 10**16, 10**16])  # gwei: the squares exceed 64 bits
    0.625
    """
    ordered = positive_counts(counts)
    return sum(n * n for n in ordered) / sum(ordered) ** 2


def effective_number(counts: Sequence[int]) -> float:
    """Return how many equal entities would give the same HHI: its inverse, the Hill number of order 2.

    Parameters
    ----------
    counts : sequence of int, shape (n_entities,)
        Weight of each entity, in any order and in one unit.

    Returns
    -------
    float
        A number of entities in ``[1, K]``.

    Raises
    ------
    EmptyPopulation
        If `counts` sums to zero.
    ValueError
        If a count is negative.

    Examples
    --------
    >>> effective_number([25, 25, 25, 25])
    4.0
    >>> round(effective_number([70] + [1] * 30), 6)  # 31 providers, as if there were two
    2.028398
    """
    ordered = positive_counts(counts)
    return sum(ordered) ** 2 / sum(n * n for n in ordered)


def unbiased_hhi(counts: Sequence[int]) -> float:
    """Return the chance that two *distinct* units, drawn at random, belong to the same entity.

    ``sum(n(n-1)) / (N(N-1))``, Simpson's unbiased estimate of the HHI of the population that the
    units were sampled from. Use it for a sample; a census has nothing to estimate, and there the
    inverse may exceed the number of entities. Equal to ``S * N / (N-1)``, with S the
    `centralization_score`.

    Parameters
    ----------
    counts : sequence of int, shape (n_entities,)
        Number of *units* of each entity. Weights such as gwei are no sample of units: for them the
        result tends to the plain HHI and corrects nothing.

    Returns
    -------
    float
        A probability in ``[0, 1]``; 0 if no two units share an entity.

    Raises
    ------
    EmptyPopulation
        If `counts` sums to zero, or to one: then there is no pair to ask about.
    ValueError
        If a count is negative.

    References
    ----------
    .. [1] E. H. Simpson, "Measurement of Diversity", Nature 163, 1949.

    Examples
    --------
    >>> unbiased_hhi([3, 3, 3])  # the inverse, 4, is more than the three entities seen
    0.25
    >>> unbiased_hhi([1, 1, 1])
    0.0
    """
    ordered = positive_counts(counts)
    total = sum(ordered)
    if total == 1:
        raise EmptyPopulation("set of pairs")
    return sum(n * (n - 1) for n in ordered) / (total * (total - 1))


def centralization_score(counts: Sequence[int]) -> float:
    """Return how far the units are from each having an entity of its own: S = HHI - 1/N.

    The earth mover's distance to the fully dispersed population, as used for the Web. Together with
    `unbiased_hhi` and the HHI it is one number with three offsets: show one of them.

    Parameters
    ----------
    counts : sequence of int, shape (n_entities,)
        Number of units of each entity, in any order.

    Returns
    -------
    float
        ``(sum(n²) - N) / N²`` in ``[0, 1 - 1/N]``.

    Raises
    ------
    EmptyPopulation
        If `counts` sums to zero.
    ValueError
        If a count is negative.

    References
    ----------
    .. [1] G. Akiwate, K. Ruth, R. Habib and Z. Durumeric, arXiv 2406.19569, ACM IMC 2024.

    Examples
    --------
    >>> centralization_score([50, 30, 20])
    0.37
    >>> centralization_score([1] * 49)  # 1/49 - 1/49 from floats need not be zero
    0.0
    """
    ordered = positive_counts(counts)
    total = sum(ordered)
    return (sum(n * n for n in ordered) - total) / (total * total)


def normalized_hhi(counts: Sequence[int]) -> float | None:
    """Return the HHI rescaled so that K equal entities give 0: ``(HHI - 1/K) / (1 - 1/K)``.

    It depends on the number of *observed* entities: cells with different K must not be compared.

    Parameters
    ----------
    counts : sequence of int, shape (n_entities,)
        Weight of each entity, in any order and in one unit.

    Returns
    -------
    float or None
        A number in ``[0, 1]``; None for a single entity, which is equal to itself and alone.

    Raises
    ------
    EmptyPopulation
        If `counts` sums to zero.
    ValueError
        If a count is negative.

    Examples
    --------
    >>> normalized_hhi([50, 30, 20])
    0.07
    >>> normalized_hhi([5, 0]) is None
    True
    """
    ordered = positive_counts(counts)
    entities, total = len(ordered), sum(ordered)
    if entities == 1:
        return None
    return (entities * sum(n * n for n in ordered) - total * total) / (total * total * (entities - 1))


def shannon_entropy(counts: Sequence[int]) -> float:
    """Return the Shannon entropy in nats; divide by ``ln 2`` for bits.

    ``-sum(p ln p)``; `hill_number` of order 1 is its exponential and easier to read.

    Parameters
    ----------
    counts : sequence of int, shape (n_entities,)
        Weight of each entity, in any order and in one unit.

    Returns
    -------
    float
        Nats, in ``[0, ln K]``.

    Raises
    ------
    EmptyPopulation
        If `counts` sums to zero.
    ValueError
        If a count is negative.

    References
    ----------
    .. [1] C. E. Shannon, "A Mathematical Theory of Communication", 1948.

    Examples
    --------
    >>> round(shannon_entropy([50, 30, 20]), 6)
    1.029653
    >>> shannon_entropy([5, 0])  # not -0.0, and no logarithm of zero
    0.0
    """
    ordered = positive_counts(counts)
    total, most = sum(ordered), log(len(ordered))
    if ordered[0] == ordered[-1]:
        return most  # equal entities: their evenness is 1, without a last digit to explain
    return min(most, fsum(n / total * log(total / n) for n in ordered))


def evenness(counts: Sequence[int]) -> float | None:
    """Return Pielou's evenness: the entropy over its maximum, ``H / ln K``.

    It sinks when one-node providers are added, though nobody became larger.

    Parameters
    ----------
    counts : sequence of int, shape (n_entities,)
        Weight of each entity, in any order and in one unit.

    Returns
    -------
    float or None
        A number in ``[0, 1]``, 1 for equal entities; None for a single one (``0/0``).

    Raises
    ------
    EmptyPopulation
        If `counts` sums to zero.
    ValueError
        If a count is negative.

    References
    ----------
    .. [1] E. C. Pielou, "The measurement of diversity in different types of biological
       collections", Journal of Theoretical Biology 13, 1966.

    Examples
    --------
    >>> evenness([7, 7, 7, 0])
    1.0
    >>> evenness([7]) is None
    True
    """
    entropy = shannon_entropy(counts)
    entities = len(positive_counts(counts))
    return None if entities == 1 else entropy / log(entities)


def hill_number(counts: Sequence[int], order: float) -> float:
    """Return the effective number of entities of an order: the higher, the less small ones weigh.

    ``D_q = sum(p^q)^(1/(1-q))``. Order 0 counts the entities, 1 is the exponential of the Shannon
    entropy, 2 the inverse HHI, and infinity the inverse of the largest share. D never grows with the
    order; the Rényi entropy of an order is the logarithm of D.

    Parameters
    ----------
    counts : sequence of int, shape (n_entities,)
        Weight of each entity, in any order and in one unit.
    order : float, at least 0
        ``math.inf`` is allowed.

    Returns
    -------
    float
        A number of entities in ``[1, K]``.

    Raises
    ------
    EmptyPopulation
        If `counts` sums to zero.
    ValueError
        If a count is negative, or `order` is negative or not a number.

    References
    ----------
    .. [1] M. O. Hill, "Diversity and Evenness: A Unifying Notation and Its Consequences",
       Ecology 54(2), 1973.

    Examples
    --------
    >>> [round(hill_number([70] + [1] * 30, order), 4) for order in (0, 1, 2, inf)]
    [31.0, 5.1101, 2.0284, 1.4286]
    >>> hill_number([5, 0], 0)  # 0^0 = 1 must not count the absent
    1.0
    >>> round(hill_number([3, 1], 5000), 3)  # 0.75^5000 is zero in floating point
    1.333
    """
    if isnan(order) or order < 0:
        raise ValueError(f"order must be at least 0, got {order}")
    ordered = positive_counts(counts)
    entities, total, largest = len(ordered), sum(ordered), ordered[0]
    if order == 0:
        return float(entities)
    if order == inf:
        return total / largest
    if order == 2:
        return effective_number(ordered)
    if order == 1:
        logarithm = shannon_entropy(ordered)
    elif abs(order - 1) < 0.5:
        # sum(p^q) is nearly 1 here; its distance from 1 keeps the digits that 1/(1-q) magnifies.
        excess = fsum(n / total * expm1((order - 1) * log(n / total)) for n in ordered)
        logarithm = log1p(excess) / (1 - order)
    else:
        # The largest share is taken out, so that high orders do not underflow.
        relative = fsum((n / largest) ** order for n in ordered)
        logarithm = order / (order - 1) * log(total / largest) + log(relative) / (1 - order)
    return min(float(entities), max(1.0, exp(logarithm)))


def theil_index(counts: Sequence[int]) -> float:
    """Return Theil's T among the entities observed: ``ln K - H``.

    Given K it says what the entropy says. Tools that let zeros count as entities get more: with
    ``[432, 0, 0, 0]`` they see one of four who has all (ln 4), we see one.

    Parameters
    ----------
    counts : sequence of int, shape (n_entities,)
        Weight of each entity, in any order and in one unit.

    Returns
    -------
    float
        Nats, in ``[0, ln K]``; 0 for equal entities.

    Raises
    ------
    EmptyPopulation
        If `counts` sums to zero.
    ValueError
        If a count is negative.

    References
    ----------
    .. [1] H. Theil, "Economics and Information Theory", 1967.

    Examples
    --------
    >>> round(theil_index([50, 30, 20]), 6)
    0.068959
    >>> theil_index([432, 0, 0, 0])
    0.0
    """
    ordered = positive_counts(counts)
    entities, total = len(ordered), sum(ordered)
    return max(0.0, fsum(n / total * log(entities * n / total) for n in ordered))


def gini_coefficient(counts: Sequence[int]) -> float:
    """Return the Gini coefficient: how unequal the entities are that were *observed*.

    ``sum((2i - K - 1) n_i) / (K N)`` over ascending counts. It is no index of concentration: four
    equal entities give 0, though each of them can take a quarter down, and thirty one-node providers
    raise it although they disperse the population.

    Parameters
    ----------
    counts : sequence of int, shape (n_entities,)
        Weight of each entity, in any order and in one unit. Zeros are no entities; tools that keep
        them get a higher value.

    Returns
    -------
    float
        A number in ``[0, 1 - 1/K]``.

    Raises
    ------
    EmptyPopulation
        If `counts` sums to zero.
    ValueError
        If a count is negative.

    References
    ----------
    .. [1] C. Gini, "Variabilità e mutabilità", 1912.

    Examples
    --------
    >>> gini_coefficient([25, 25, 25, 25])
    0.0
    >>> round(gini_coefficient([70] + [1] * 30), 6), gini_coefficient([70])
    (0.667742, 0.0)
    """
    ordered = positive_counts(counts)
    entities = len(ordered)
    ranked = sum((entities + 1 - 2 * rank) * n for rank, n in enumerate(ordered, 1))
    return ranked / (entities * sum(ordered))


def nakamoto_coefficient(counts: Sequence[int], *, threshold: Fraction = HALF, strict: bool = True) -> int:
    """Return how many of the largest entities together hold more than `threshold`.

    The smallest ``k`` with ``c[1] + ... + c[k] > threshold * N``, where ``c`` is `counts`
    in descending order and ``N`` is their sum. The comparison is strict, since half is not
    a majority, and exact, since rounding must not decide which side of it a tie falls on.

    Parameters
    ----------
    counts : sequence of int, shape (n_entities,)
        Weight of each entity, in any order and in one unit: nodes, validators or gwei.
        Unattributed nodes are no entity: leave them out and report the coverage, or use
        `concentra.metrics.bounds.nakamoto_bounds`.
    threshold : Fraction in [0, 1), dimensionless
        1/2 for a majority of nodes, 1/3 for stopping Ethereum's finality.
    strict : bool
        False asks for *at least* `threshold`, then in (0, 1]: with 2/3, who can finalise alone.

    Returns
    -------
    int
        A number of entities, from 1 to ``n_entities``.

    Raises
    ------
    EmptyPopulation
        If `counts` sums to zero.
    ValueError
        If a count is negative, or `threshold` lies outside its range.

    References
    ----------
    .. [1] B. S. Srinivasan and L. Lee, "Quantifying Decentralization", 2017. Their threshold
       is "at least 51 %"; ours is "more than 1/2", which needs no third digit.

    Examples
    --------
    >>> nakamoto_coefficient([40, 30, 20, 10])
    2
    >>> nakamoto_coefficient([1] * 18)  # nine hold exactly half
    10
    >>> nakamoto_coefficient([1, 1, 1], threshold=Fraction(1, 3))  # one third offline still finalises
    2
    >>> nakamoto_coefficient([1, 1, 1], threshold=Fraction(2, 3), strict=False)
    2
    """
    ordered = positive_counts(counts)
    needed = units_needed(sum(ordered), threshold, strict=strict)
    held = 0
    for entities, n in enumerate(ordered, 1):
        held += n
        if held >= needed:
            return entities
    raise AssertionError("all entities together pass every threshold")


def within_set_effective_number(members: Sequence[int]) -> float:
    """Return as how many equal members a named set counts, whatever lies outside it.

    A claim about "three landlords" is about one if the first of them has nearly all of the set:
    ``1 / sum((p_i / p_set)²)``.

    Parameters
    ----------
    members : sequence of int, shape (n_members,)
        Weights of the members of the set only.

    Returns
    -------
    float
        A number of members in ``[1, n_members]``.

    Raises
    ------
    EmptyPopulation
        If no member holds anything.
    ValueError
        If a count is negative.

    Examples
    --------
    >>> round(within_set_effective_number([950, 30, 20]), 2)
    1.11
    """
    return effective_number(positive_counts(members, what="named set"))


class Band(StrEnum):
    """What merger guidelines call a market of a certain HHI."""

    LOW = "low"
    MODERATE = "moderate"
    HIGH = "high"


@dataclass(frozen=True, slots=True, kw_only=True)
class HhiLabel:
    """The band of one HHI under two editions of the guidelines."""

    guidelines_2023: Band
    """US DOJ/FTC Merger Guidelines of 2023: high above 1,800 points, moderate from 1,000."""
    guidelines_2010: Band
    """Horizontal Merger Guidelines of 2010: high above 2,500 points, moderate from 1,500."""

    def __str__(self) -> str:
        return f"2023: {self.guidelines_2023}; 2010: {self.guidelines_2010}"


def hhi_label(hhi: float) -> HhiLabel:
    """Return what US merger guidelines would call a market with this HHI: an analogy, not a finding.

    The guidelines are about pricing power in product markets, not about failing together. Both
    editions are given, since the same figure changed its name between them. The 2023 edition itself
    names only the upper line; the moderate band is that of the DOJ's HHI page and the guidelines
    of 1992.

    Parameters
    ----------
    hhi : float in [0, 1], dimensionless
        As `herfindahl_hirschman_index` returns it, not in points.

    Returns
    -------
    HhiLabel
        Printed as in the example.

    Raises
    ------
    ValueError
        If `hhi` lies outside [0, 1], as points do.

    References
    ----------
    .. [1] US DOJ and FTC, "Merger Guidelines", 2023, Guideline 1.
    .. [2] US DOJ and FTC, "Horizontal Merger Guidelines", 2010, section 5.3.

    Examples
    --------
    >>> str(hhi_label(0.1708))
    '2023: moderate; 2010: moderate'
    >>> str(hhi_label(0.18))  # exactly 1,800 points is not "greater than 1,800"
    '2023: moderate; 2010: moderate'
    >>> str(hhi_label(0.2))
    '2023: high; 2010: moderate'
    """
    if not 0 <= hhi <= 1:
        raise ValueError(f"hhi must be in [0, 1], got {hhi}; points are for print only")
    # The literals are rounded as the quotient of integers is: 18/100 compares equal to 0.18.
    # Times 10,000 it need not compare equal to 1800.
    return HhiLabel(
        guidelines_2023=_band(hhi, moderate=0.10, high=0.18),
        guidelines_2010=_band(hhi, moderate=0.15, high=0.25),
    )


def _band(hhi: float, *, moderate: float, high: float) -> Band:
    """Return the band of `hhi`; both lines belong to the moderate one."""
    if hhi > high:
        return Band.HIGH
    return Band.MODERATE if hhi >= moderate else Band.LOW
