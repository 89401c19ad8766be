"""What an index may be, given that part of the population is unattributed.

Identification bounds: the smallest and the largest value over *every* way to complete the data, with
no assumption on the unknown units, and reached by one of them (sharp). An unknown unit may belong to
any known entity or to an entity that was never seen, alone or with others.

Merging entities moves every index here one way. So two completions are extreme at once for all of
them: each unknown unit an entity of its own (`dispersed`), and all of them with the largest known
entity (`concentrated`). Both are kept as runs of equal sizes, so that a million singletons cost one
pair. A test compares each bound with every completion of every population of up to twelve units.

An `Assumption` narrows the bounds. It has a name, so that the report can print what was assumed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from math import fsum, log
from operator import index
from typing import Generic, TypeVar

from concentra.errors import EmptyPopulation
from concentra.metrics.concentration import HALF, positive_counts, units_needed

Number = TypeVar("Number", int, float, Fraction)

Unattributed = int | Sequence[int]
"""How many units of weight 1 are unknown; or the weight of each unknown unit, none divisible."""

Runs = tuple[tuple[int, int], ...]
"""Entities in descending order of size, as pairs of a size and how many have it."""


@dataclass(frozen=True, slots=True)
class Bounds(Generic[Number]):
    """A closed range that holds a quantity for certain; chance plays no part in it."""

    lower: Number
    """The smallest possible value."""
    upper: Number
    """The largest possible value."""

    def __post_init__(self) -> None:
        if not self.lower <= self.upper:
            raise ValueError(f"lower must not exceed upper, got {self.lower} and {self.upper}")

    def __contains__(self, value: float | Fraction) -> bool:
        return self.lower <= value <= self.upper

    @property
    def width(self) -> Number:
        """How much is not identified; 0 if everything is attributed."""
        return self.upper - self.lower


@dataclass(frozen=True, slots=True)
class Completions:
    """The two ways to complete a population between which all others lie, and the indices there.

    Made by `any_completion` (no assumption) or `rest_below_smallest`; the functions below are
    shorthands for the former.
    """

    dispersed: Runs
    """The least concentrated completion."""
    concentrated: Runs
    """The most concentrated one."""

    def hhi(self) -> Bounds[float]:
        """Return the bounds of the Herfindahl-Hirschman index."""
        square = _total(self.dispersed) ** 2
        return Bounds(_squares(self.dispersed) / square, _squares(self.concentrated) / square)

    def effective_number(self) -> Bounds[float]:
        """Return the bounds of the effective number, the inverse of the HHI."""
        square = _total(self.dispersed) ** 2
        return Bounds(square / _squares(self.concentrated), square / _squares(self.dispersed))

    def concentration_ratio(self, k: int) -> Bounds[float]:
        """Return the bounds of the share of the `k` largest entities, whichever they are."""
        exact = self.exact_concentration_ratio(k)
        return Bounds(float(exact.lower), float(exact.upper))

    def exact_concentration_ratio(self, k: int) -> Bounds[Fraction]:
        """Return the bounds of `concentration_ratio` before they are rounded."""
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        total = _total(self.dispersed)
        return Bounds(Fraction(_top(self.dispersed, k), total), Fraction(_top(self.concentrated, k), total))

    def entropy(self) -> Bounds[float]:
        """Return the bounds of the Shannon entropy in nats."""
        return Bounds(_entropy(self.concentrated), _entropy(self.dispersed))

    def nakamoto(self, *, threshold: Fraction = HALF, strict: bool = True) -> Bounds[int]:
        """Return the bounds of the Nakamoto coefficient at `threshold`."""
        needed = units_needed(_total(self.dispersed), threshold, strict=strict)
        return Bounds(_entities_holding(self.concentrated, needed), _entities_holding(self.dispersed, needed))


def any_completion(counts: Sequence[int], unattributed: Unattributed) -> Completions:
    """Return the extreme completions of `counts` if nothing is assumed about the unknown units."""
    known = positive_counts(counts) if any(counts) else []
    singles = _singles(unattributed)
    unknown = _total(singles)
    if not known and not unknown:
        raise EmptyPopulation
    apart = [*((n, 1) for n in known), *singles]
    head, *tail = known or [0]
    return Completions(
        dispersed=tuple(sorted(apart, reverse=True)),
        concentrated=((head + unknown, 1), *((n, 1) for n in tail)),
    )


def share_bounds(members: int, *, known: int, unattributed: Unattributed) -> Bounds[float]:
    """Return between what limits the share of a named set lies.

    ``[m/N, (m+u)/N]``, with m the units in the set, u the unknown ones and N all of them.

    Parameters
    ----------
    members : int
        Weight attributed to the members of the set.
    known : int
        Weight attributed to anyone, `members` included.
    unattributed : int or sequence of int
        Number of unknown units, or the weight of each.

    Returns
    -------
    Bounds of float
        Shares of the whole population, unknown units included.

    Raises
    ------
    EmptyPopulation
        If there is no unit, known or unknown.
    ValueError
        If a number is negative, or `members` exceeds `known`.

    Examples
    --------
    >>> share_bounds(30, known=80, unattributed=20)  # not 30/80, which assumes something
    Bounds(lower=0.3, upper=0.5)
    """
    if not 0 <= members <= known:
        raise ValueError(f"members must be in [0, {known}], got {members}")
    unknown = _total(_singles(unattributed))
    total = known + unknown
    if not total:
        raise EmptyPopulation
    return Bounds(members / total, (members + unknown) / total)


def concentration_ratio_bounds(counts: Sequence[int], k: int, *, unattributed: Unattributed) -> Bounds[float]:
    """Return between what limits the share of the `k` largest entities lies.

    At least the top k with every unknown unit an entity of its own, which enters the top k when
    fewer than k entities are known; at most the known top k and all unknown units.

    Parameters
    ----------
    counts : sequence of int, shape (n_entities,)
        Weight attributed to each entity, in any order.
    k : int, at least 1
        How many entities.
    unattributed : int or sequence of int
        Number of unknown units, or the weight of each.

    Returns
    -------
    Bounds of float
        Shares of the whole population, unknown units included.

    Raises
    ------
    EmptyPopulation
        If there is no unit, known or unknown.
    ValueError
        If a number is negative, or `k` is less than 1.

    Examples
    --------
    >>> concentration_ratio_bounds([40, 20, 10, 10], 3, unattributed=20)
    Bounds(lower=0.7, upper=0.9)
    >>> concentration_ratio_bounds([6], 3, unattributed=4)  # two unknown units are in any top three
    Bounds(lower=0.8, upper=1.0)
    """
    return any_completion(counts, unattributed).concentration_ratio(k)


def hhi_bounds(counts: Sequence[int], *, unattributed: Unattributed) -> Bounds[float]:
    """Return between what limits the HHI lies when unknown units may belong to anyone.

    ``[(sum(n²) + u) / N², (sum(n²) - max² + (max + u)²) / N²]``; for unknown weights w, ``sum(w²)``
    stands in the place of the first u and ``sum(w)`` in that of the second.

    Parameters
    ----------
    counts : sequence of int, shape (n_entities,)
        Weight attributed to each entity, in any order.
    unattributed : int or sequence of int
        Number of unknown units, or the weight of each.

    Returns
    -------
    Bounds of float
        Within ``[1/N, 1]``; ``[1/u, 1]`` if nothing at all is known.

    Raises
    ------
    EmptyPopulation
        If there is no unit, known or unknown.
    ValueError
        If a number is negative.

    References
    ----------
    .. [1] C. F. Manski, "Partial Identification of Probability Distributions", 2003.

    Examples
    --------
    >>> hhi_bounds([50, 30], unattributed=20)  # leaving out the unknown gives 0.53125, assumed
    Bounds(lower=0.342, upper=0.58)
    >>> hhi_bounds([], unattributed=4)
    Bounds(lower=0.25, upper=1.0)
    >>> hhi_bounds([5], unattributed=[3, 2])
    Bounds(lower=0.38, upper=1.0)
    """
    return any_completion(counts, unattributed).hhi()


def closed_set_hhi_bounds(counts: Sequence[int], *, unattributed: int) -> Bounds[float]:
    """Return between what limits the HHI lies when unknown units belong to one of the given entities.

    The lower bound pours the unknown units where they lie lowest, until all entities stand equally
    high; the upper bound gives them to the largest. Unknown *weights* are not accepted: to spread
    indivisible weights evenly is the partition problem.

    Parameters
    ----------
    counts : sequence of int, shape (n_entities,)
        Weight attributed to each entity of the set. Here a zero counts: an entity to which nothing
        has been attributed yet may have all unknown units.
    unattributed : int
        Number of unknown units.

    Returns
    -------
    Bounds of float
        Within ``[1/n_entities, 1]``.

    Raises
    ------
    EmptyPopulation
        If there is no unit, known or unknown.
    ValueError
        If a number is negative, or units are unknown and the set has no entity.

    Examples
    --------
    >>> closed_set_hhi_bounds([50, 30, 0], unattributed=20)  # 50, 30 and 20, or 70 and 30
    Bounds(lower=0.38, upper=0.58)
    """
    levels = sorted(index(count) for count in counts)
    if levels and levels[0] < 0:
        raise ValueError(f"counts must not be negative, got {levels[0]}")
    if unattributed < 0:
        raise ValueError(f"unattributed must not be negative, got {unattributed}")
    total = sum(levels) + unattributed
    if not total:
        raise EmptyPopulation
    if not levels:
        raise ValueError(f"a closed set without entities cannot hold {unattributed} unknown units")
    highest = sum(n * n for n in levels[:-1]) + (levels[-1] + unattributed) ** 2
    # The pool is the lowest entities, as many as the water reaches: the next one joins while it
    # stands below the level at which the pool would otherwise come to rest.
    pool, poured = 1, levels[0] + unattributed
    while pool < len(levels) and levels[pool] * pool < poured:
        poured += levels[pool]
        pool += 1
    level, over = divmod(poured, pool)
    lowest = (pool - over) * level**2 + over * (level + 1) ** 2 + sum(n * n for n in levels[pool:])
    return Bounds(lowest / total**2, highest / total**2)


def effective_number_bounds(counts: Sequence[int], *, unattributed: Unattributed) -> Bounds[float]:
    """Return between what limits the effective number lies: the inverses of `hhi_bounds`.

    Parameters
    ----------
    counts : sequence of int, shape (n_entities,)
        Weight attributed to each entity, in any order.
    unattributed : int or sequence of int
        Number of unknown units, or the weight of each.

    Returns
    -------
    Bounds of float
        Numbers of entities.

    Raises
    ------
    EmptyPopulation
        If there is no unit, known or unknown.
    ValueError
        If a number is negative.

    Examples
    --------
    >>> effective_number_bounds([1], unattributed=3)
    Bounds(lower=1.0, upper=4.0)
    """
    return any_completion(counts, unattributed).effective_number()


def entropy_bounds(counts: Sequence[int], *, unattributed: Unattributed) -> Bounds[float]:
    """Return between what limits the Shannon entropy lies, in nats.

    Parameters
    ----------
    counts : sequence of int, shape (n_entities,)
        Weight attributed to each entity, in any order.
    unattributed : int or sequence of int
        Number of unknown units, or the weight of each.

    Returns
    -------
    Bounds of float
        Nats, within ``[0, ln N]``.

    Raises
    ------
    EmptyPopulation
        If there is no unit, known or unknown.
    ValueError
        If a number is negative.

    Examples
    --------
    >>> limits = entropy_bounds([1], unattributed=3)
    >>> limits.lower, round(limits.upper, 6)  # from one entity to four
    (0.0, 1.386294)
    """
    return any_completion(counts, unattributed).entropy()


def nakamoto_bounds(
    counts: Sequence[int], *, unattributed: Unattributed, threshold: Fraction = HALF, strict: bool = True
) -> Bounds[int]:
    """Return between what limits the Nakamoto coefficient lies.

    Lowest if the largest known entity has all unknown units, highest if each is on its own; when the
    known entities together do not pass the threshold, unknown ones are added to them one by one.

    Parameters
    ----------
    counts : sequence of int, shape (n_entities,)
        Weight attributed to each entity, in any order and in one unit.
    unattributed : int or sequence of int
        Number of unknown units, or the weight of each.
    threshold : Fraction
        Of all units, unknown ones included.
    strict : bool
        Whether to ask for more than `threshold` or, if False, for at least that.

    Returns
    -------
    Bounds of int
        Numbers of entities, at least 1.

    Raises
    ------
    EmptyPopulation
        If there is no unit, known or unknown.
    ValueError
        If a number is negative, or `threshold` lies outside its range.

    Examples
    --------
    >>> nakamoto_bounds([3, 2], unattributed=7)  # 10 of 12, or 3 + 2 + 1 + 1 of 12
    Bounds(lower=1, upper=4)
    """
    return any_completion(counts, unattributed).nakamoto(threshold=threshold, strict=strict)


class Assumption(StrEnum):
    """What may be assumed to narrow the bounds; its value is the name in reports and policies."""

    UNKNOWN_LIKE_KNOWN = "unknown_like_known"
    REST_BELOW_SMALLEST = "rest_below_smallest"
    UNREACHABLE_NOT_MORE_CLOUD = "unreachable_not_more_cloud"

    @property
    def sentence(self) -> str:
        """What is assumed, in words that can be disputed."""
        match self:
            case Assumption.UNKNOWN_LIKE_KNOWN:
                return "unattributed nodes are distributed as attributed ones"
            case Assumption.REST_BELOW_SMALLEST:
                return "no entity outside the list is larger than the smallest one on it"
            case Assumption.UNREACHABLE_NOT_MORE_CLOUD:
                return "unreachable nodes are in the cloud no more often than reachable ones"


def unknown_like_known(members: int, *, known: int) -> float:
    """Return the share of a named set among the attributed units, taken for that among all.

    `Assumption.UNKNOWN_LIKE_KNOWN`, "missing at random". A point instead of a range, and the
    strongest assumption here: attribution fails for home connections and clouds at unequal rates.

    Parameters
    ----------
    members, known : int
        Weight attributed to members of the set, and to anyone.

    Returns
    -------
    float
        A share in [0, 1].

    Raises
    ------
    EmptyPopulation
        If nothing is attributed.
    ValueError
        If `members` is negative or exceeds `known`.

    Examples
    --------
    >>> unknown_like_known(30, known=80)
    0.375
    """
    return share_bounds(members, known=known, unattributed=0).lower


def rest_below_smallest(listed: Sequence[int], *, total: int) -> Completions:
    """Return the extreme completions of a chart that lists only its largest slices.

    `Assumption.REST_BELOW_SMALLEST`: the rest belongs to entities that are not listed, each at most as
    large as the smallest listed one. At one end they are singletons; at the other as many as possible
    have the size of that slice.

    Parameters
    ----------
    listed : sequence of int, shape (n_listed,)
        The slices that the chart shows.
    total : int
        What the chart divides, the rest included.

    Returns
    -------
    Completions
        Ask it for bounds: ``rest_below_smallest(...).hhi()``.

    Raises
    ------
    EmptyPopulation
        If `listed` sums to zero: no slice, no limit.
    ValueError
        If a slice is negative, or `total` is less than the slices together.

    Examples
    --------
    >>> chart = rest_below_smallest([60, 20, 6], total=100)  # the rest: 6 + 6 + 2, or 14 singles
    >>> chart.hhi()
    Bounds(lower=0.405, upper=0.4112)
    >>> chart.concentration_ratio(3)  # the top three are known, whoever the others are
    Bounds(lower=0.86, upper=0.86)
    """
    slices = positive_counts(listed, what="list of slices")
    rest = _rest(slices, total)
    full, last = divmod(rest, slices[-1])
    known: Runs = tuple((n, 1) for n in slices)
    return Completions(
        dispersed=known + (((1, rest),) if rest else ()),
        concentrated=known + (((slices[-1], full),) if full else ()) + (((last, 1),) if last else ()),
    )


def rest_below_smallest_share(
    members: int, *, unlisted_members: int, listed: Sequence[int], total: int
) -> Bounds[float]:
    """Return between what limits the share of a named set lies if some members may not be listed.

    `Assumption.REST_BELOW_SMALLEST`, see `rest_below_smallest`.

    Parameters
    ----------
    members : int
        Weight of the members that the chart lists.
    unlisted_members : int
        How many members it does not list.
    listed : sequence of int, shape (n_listed,)
        All slices that the chart shows.
    total : int
        What the chart divides, the rest included.

    Returns
    -------
    Bounds of float
        Shares of `total`; of no width if all members are listed.

    Raises
    ------
    EmptyPopulation
        If `listed` sums to zero.
    ValueError
        If a number is negative, or the parts exceed their whole.

    Examples
    --------
    >>> rest_below_smallest_share(60, unlisted_members=1, listed=[60, 20, 6], total=100)
    Bounds(lower=0.6, upper=0.66)
    """
    slices = positive_counts(listed, what="list of slices")
    rest = _rest(slices, total)
    if not 0 <= members <= sum(slices):
        raise ValueError(f"members must be in [0, {sum(slices)}], got {members}")
    if unlisted_members < 0:
        raise ValueError(f"unlisted_members must not be negative, got {unlisted_members}")
    return Bounds(members / total, (members + min(rest, unlisted_members * slices[-1])) / total)


def unreachable_not_more_cloud(
    members: int, *, reachable: int, unreachable: int, unattributed: int = 0
) -> Bounds[float]:
    """Return between what limits a cloud share lies if unreachable nodes are not more in the cloud.

    `Assumption.UNREACHABLE_NOT_MORE_CLOUD`: nodes behind NAT are mostly at home. Then the share among
    all nodes cannot exceed that among the reachable ones.

    Parameters
    ----------
    members : int
        Reachable nodes attributed to the cloud.
    reachable : int
        All reachable nodes.
    unreachable : int
        Nodes known or estimated to exist that could not be reached.
    unattributed : int
        How many of the reachable nodes are unattributed; all of them may be in the cloud.

    Returns
    -------
    Bounds of float
        ``[m / (R + U), (m + u) / R]``.

    Raises
    ------
    EmptyPopulation
        If no node was reachable.
    ValueError
        If a number is negative, or the parts exceed `reachable`.

    Examples
    --------
    >>> unreachable_not_more_cloud(60, reachable=100, unreachable=50)  # without it, up to 110/150
    Bounds(lower=0.4, upper=0.6)
    """
    if unreachable < 0:
        raise ValueError(f"unreachable must not be negative, got {unreachable}")
    seen = share_bounds(members, known=reachable - unattributed, unattributed=unattributed)
    return Bounds(members / (reachable + unreachable), seen.upper)


def rogan_gladen(observed: float, *, sensitivity: float, specificity: float) -> float:
    """Return the share that an imperfect classifier must have looked at to report `observed`.

    ``(observed + specificity - 1) / (sensitivity + specificity - 1)``. A share observed below the
    rate of false positives gives 0, one above the sensitivity gives 1: no true share explains it
    better.

    Parameters
    ----------
    observed : float in [0, 1]
        Share classified as members.
    sensitivity, specificity : float in [0, 1]
        Chance that a member is recognised as such, and a non-member as such, by an audit.

    Returns
    -------
    float
        A share in [0, 1].

    Raises
    ------
    ValueError
        If a rate lies outside [0, 1], or the classifier is no better than a coin: `sensitivity` and
        `specificity` must sum to more than 1.

    References
    ----------
    .. [1] W. J. Rogan and B. Gladen, "Estimating prevalence from the results of a screening test",
       American Journal of Epidemiology 107(1), 1978.

    Examples
    --------
    >>> round(rogan_gladen(0.30, sensitivity=0.9, specificity=0.95), 4)
    0.2941
    >>> rogan_gladen(0.03, sensitivity=0.9, specificity=0.95)  # -0.0235 without clipping
    0.0
    """
    for name, rate in (("observed", observed), ("sensitivity", sensitivity), ("specificity", specificity)):
        if not 0 <= rate <= 1:
            raise ValueError(f"{name} must be in [0, 1], got {rate}")
    if sensitivity + specificity <= 1:
        raise ValueError(
            f"sensitivity and specificity must sum to more than 1, got {sensitivity} and {specificity}"
        )
    return min(1.0, max(0.0, (observed + specificity - 1) / (sensitivity + specificity - 1)))


def rogan_gladen_bounds(
    observed: Bounds[float], *, sensitivity: Bounds[float], specificity: Bounds[float]
) -> Bounds[float]:
    """Return the corrected share when the audit gives ranges for its rates.

    The correction grows with `observed` and `specificity` and falls with `sensitivity`, so that two
    corners of the box hold the extremes.

    Parameters
    ----------
    observed : Bounds of float
        Share classified as members; both ends equal if it is known.
    sensitivity, specificity : Bounds of float
        Ends of the audit's confidence intervals.

    Returns
    -------
    Bounds of float
        Shares in [0, 1].

    Raises
    ------
    ValueError
        As `rogan_gladen`, at any corner.

    Examples
    --------
    >>> limits = rogan_gladen_bounds(
    ...     Bounds(0.3, 0.3), sensitivity=Bounds(0.85, 0.95), specificity=Bounds(0.9, 1.0)
    ... )
    >>> round(limits.lower, 4), round(limits.upper, 4)
    (0.2353, 0.3529)
    """
    # Of all corners this one alone can be no better than a coin; asking there raises if it is.
    rogan_gladen(observed.lower, sensitivity=sensitivity.lower, specificity=specificity.lower)
    return Bounds(
        rogan_gladen(observed.lower, sensitivity=sensitivity.upper, specificity=specificity.lower),
        rogan_gladen(observed.upper, sensitivity=sensitivity.lower, specificity=specificity.upper),
    )


def _rest(slices: Sequence[int], total: int) -> int:
    """Return what `slices` leave of `total`."""
    if total < sum(slices):
        raise ValueError(f"total must be at least {sum(slices)}, the sum of the slices, got {total}")
    return total - sum(slices)


def _singles(unattributed: Unattributed) -> Runs:
    """Return the unknown units, each as an entity of its own."""
    if isinstance(unattributed, Sequence):
        return tuple((n, 1) for n in positive_counts(unattributed)) if any(unattributed) else ()
    units = index(unattributed)
    if units < 0:
        raise ValueError(f"unattributed must not be negative, got {units}")
    return ((1, units),) if units else ()


def _total(runs: Runs) -> int:
    """Return the units in `runs`."""
    return sum(size * many for size, many in runs)


def _squares(runs: Runs) -> int:
    """Return the sum of squared sizes."""
    return sum(size * size * many for size, many in runs)


def _top(runs: Runs, k: int) -> int:
    """Return what the `k` largest entities hold."""
    held = 0
    for size, many in runs:
        held += size * min(k, many)
        k -= min(k, many)
    return held


def _entities_holding(runs: Runs, needed: int) -> int:
    """Return how many of the largest entities hold `needed` units together."""
    entities = 0
    for size, many in runs:
        if size * many >= needed:
            return entities + -(-needed // size)
        needed -= size * many
        entities += many
    raise AssertionError("all entities together pass every threshold")


def _entropy(runs: Runs) -> float:
    """Return the entropy in nats; exactly ``ln K`` for K equal entities."""
    if runs[0][0] == runs[-1][0]:
        return log(sum(many for _, many in runs))
    total = _total(runs)
    return fsum(many * (size / total * log(total / size)) for size, many in runs)
