"""What an index may be, given units of which it is unknown whether the denominator counts them.

Of the nodes on a network of unknown kind it is known who hosts them, but not whether "hosted" counts
them. So each entity has units that are certainly counted and units that are possibly counted, any
number of the latter; and unattributed units may belong to any entity, known or new. `bounds` is the
case without possible units, and gives the same answers there.

The unattributed units are taken as counted. To leave some of them out reaches no further: one more
unit on its own never raises an index of concentration, and one more at the largest entity never
lowers it. The tests complete small populations both ways.

Least concentrated are the *levels*: every entity as near to one level as its units allow (possible
units are counted up to the level and not above it) and each unattributed unit on its own. Each index
has its best level, at most the size of the largest entity. No step up to it makes things worse and none
after it makes them better, so that a binary search finds it.

Most concentrated are completions where the possible units of each entity are all counted or all left
out, and one entity has all unattributed units.

All bounds are sharp, that is, reached by some completion; `MembershipBounds.hhi` names one exception.
Completions that count nothing at all are no population and are left aside.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from heapq import heapify, heappop, heappush, nlargest
from itertools import accumulate, count
from operator import index

from concentra.errors import EmptyPopulation
from concentra.metrics.bounds import Bounds
from concentra.metrics.concentration import HALF, units_needed

SEARCH_LIMIT = 1_000
"""Steps after which the search for the highest HHI settles for a bound; one takes 0.1 to 0.2 ms."""


@dataclass(frozen=True, slots=True)
class MembershipBounds:
    """A population of uncertain extent, and the bounds of the indices there.

    Made by `uncertain_membership`.
    """

    certain: tuple[int, ...]
    """Units of each entity that are counted for certain."""
    possible: tuple[int, ...]
    """Further units of the same entities, of which any number may be counted."""
    unattributed: int
    """Units that are counted and may belong to anyone."""

    def share_of(self, members: Iterable[int]) -> Bounds[float]:
        """Return between what limits the share of a named set lies; both are sharp.

        ``[n/(N + M - m + u), (n + m + u)/(N + m + u)]``, with n and m the certain and the possible
        units of the set, N and M those of all, and u the unattributed ones.

        Parameters
        ----------
        members : iterable of int
            Positions in `certain`. A set of entities of which nothing was seen has none.

        Returns
        -------
        Bounds of float
            Shares of all units that are counted, unattributed ones included.

        Raises
        ------
        ValueError
            If `certain` has no such position.

        Examples
        --------
        >>> hosted = uncertain_membership([6, 2, 2], [0, 8, 8], 0)
        >>> hosted.share_of([0, 1])  # 8 of 18, and 16 of 18: the denominator differs
        Bounds(lower=0.4444444444444444, upper=0.8888888888888888)
        """
        named = {index(member) for member in members}
        if any(not 0 <= member < len(self.certain) for member in named):
            raise ValueError(f"members must be positions below {len(self.certain)}, got {sorted(named)}")
        held = sum(self.certain[member] for member in named)
        joining = sum(self.possible[member] for member in named)
        known = sum(self.certain)
        least = known + sum(self.possible) - joining + self.unattributed
        most = known + joining + self.unattributed
        return Bounds(
            held / least if least else 1.0,  # no one else can have a unit
            (held + joining + self.unattributed) / most if most else 0.0,  # only others can have one
        )

    def concentration_ratio(self, k: int) -> Bounds[float]:
        """Return between what limits the share of the `k` largest entities lies; both are sharp.

        Parameters
        ----------
        k : int, at least 1
            How many entities, whichever they are.

        Returns
        -------
        Bounds of float
            Shares of all units that are counted, unattributed ones included.

        Raises
        ------
        ValueError
            If `k` is less than 1.

        Examples
        --------
        >>> hosted = uncertain_membership([6, 2, 2], [0, 8, 8], 0)
        >>> hosted.concentration_ratio(1)  # 6 of 10 without and 10 of 26 with all; 6 of 18 between
        Bounds(lower=0.3333333333333333, upper=0.6)
        """
        exact = self.exact_concentration_ratio(k)
        return Bounds(float(exact.lower), float(exact.upper))

    def exact_concentration_ratio(self, k: int) -> Bounds[Fraction]:
        """Return the bounds of `concentration_ratio` before they are rounded."""
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        return Bounds(self._lowest_ratio(k), self._highest_ratio(k))

    def hhi(self) -> Bounds[float]:
        """Return between what limits the Herfindahl-Hirschman index lies.

        The lower one is sharp. For the upper one the possible units of each entity go all in or all
        out, a choice like that of the knapsack problem. It is searched best first, and sharp if the
        search ends within `SEARCH_LIMIT` steps, as it does unless thousands of entities are nearly
        equal. Otherwise no completion reaches it, but none exceeds it either.

        Returns
        -------
        Bounds of float
            Within ``[1/D, 1]``, D being all units.

        Examples
        --------
        >>> hosted = uncertain_membership([6, 2, 2], [0, 8, 8], 0)
        >>> hosted.hhi()  # with all of them 0.349; with four of each 1/3
        Bounds(lower=0.3333333333333333, upper=0.44)
        """
        return Bounds(float(self._lowest_hhi()), float(self._highest_hhi()))

    def effective_number(self) -> Bounds[float]:
        """Return between what limits the effective number lies: the inverses of those of `hhi`.

        Returns
        -------
        Bounds of float
            Numbers of entities.

        Examples
        --------
        >>> uncertain_membership([6, 2, 2], [0, 8, 8], 0).effective_number()
        Bounds(lower=2.272727272727273, upper=3.0)
        """
        exact = self.exact_effective_number()
        return Bounds(float(exact.lower), float(exact.upper))

    def exact_effective_number(self) -> Bounds[Fraction]:
        """Return the bounds of `effective_number` before they are rounded."""
        return Bounds(1 / self._highest_hhi(), 1 / self._lowest_hhi())

    def nakamoto(self, *, threshold: Fraction = HALF, strict: bool = True) -> Bounds[int]:
        """Return between what limits the Nakamoto coefficient lies; both are sharp.

        Parameters
        ----------
        threshold : Fraction
            Of all units that are counted, unattributed ones included.
        strict : bool
            Whether to ask for more than `threshold` or, if False, for at least that.

        Returns
        -------
        Bounds of int
            Numbers of entities, at least 1.

        Raises
        ------
        ValueError
            If `threshold` lies outside its range.

        Examples
        --------
        >>> hosted = uncertain_membership([6, 2, 2], [0, 8, 8], 0)
        >>> hosted.nakamoto()  # 6 of 10 are a majority, 10 of 26 are none
        Bounds(lower=1, upper=2)
        """
        upper = self._highest_nakamoto(threshold, strict=strict)
        return Bounds(self._lowest_nakamoto(threshold, strict=strict), upper)

    def _entities(self) -> list[tuple[int, int]]:
        """Return the certain and the possible units of those who may have any."""
        return [(n, m) for n, m in zip(self.certain, self.possible, strict=True) if n or m]

    def _lowest_ratio(self, k: int) -> Fraction:
        entities = self._entities()
        if len(entities) + self.unattributed <= k:
            return Fraction(1)
        levels = _Levels(entities, self.unattributed)

        # What the top k hold at a level is `above + k * level`, or less if the level suits another
        # number of entities. So no level promises too little, and the best one promises the truth.
        def falls(here: _Level, up: _Level) -> bool:
            held, higher = here.above + k * here.height, up.above + k * up.height
            return higher * here.total < held * up.total

        best = levels.best(falls)
        return Fraction(best.above + k * best.height, best.total)

    def _highest_ratio(self, k: int) -> Fraction:
        entities = self._entities()
        counted = sum(self.certain) + self.unattributed
        if not counted:
            return Fraction(1)  # one possible unit, and no other
        # Dinkelbach's method: choose the k for whom held/total is exceeded most, with n + m held of
        # a total greater by m, and repeat with what they hold until it is not exceeded any more.
        held, total = self.unattributed, counted
        while True:
            top = nlargest(k, ((total * n + (total - held) * m, n, m) for n, m in entities))
            joining = sum(m for _, _, m in top)
            more, of = self.unattributed + joining + sum(n for _, n, _ in top), counted + joining
            if more * total <= held * of:
                return Fraction(held, total)
            held, total = more, of

    def _lowest_nakamoto(self, threshold: Fraction, *, strict: bool) -> int:
        part, whole = threshold.numerator, threshold.denominator
        # k entities pass if `whole * held - part * total`, to which each adds its gain, is positive.
        excess = whole * self.unattributed - part * (sum(self.certain) + self.unattributed)
        gains = sorted((whole * n + (whole - part) * m for n, m in self._entities()), reverse=True)
        for entities, gain in enumerate(gains, 1):
            excess += gain
            if excess > 0 or (excess == 0 and not strict):
                return entities
        return 1  # no entity is known: the unattributed units may be one

    def _highest_nakamoto(self, threshold: Fraction, *, strict: bool) -> int:
        part, whole = threshold.numerator, threshold.denominator

        # At a level j entities fail if `above + j * level <= threshold * total`: the largest such j.
        def climbs(here: _Level, up: _Level) -> bool:
            room, more = (part * at.total - whole * at.above for at in (here, up))
            return more * here.height > room * up.height

        best = _Levels(self._entities(), self.unattributed).best(climbs)
        failing = units_needed(best.total, threshold, strict=strict) - 1 - best.above
        return failing // best.height + 1

    def _lowest_hhi(self) -> Fraction:
        # To lift entities pays below the mean size seen by a unit, S/D, and costs above it. On the
        # way from one level to the next each unit adds the same to S, and then S/D² has no minimum
        # inside: only full levels need be compared, the last one below the mean and the next.
        def below_mean(_: _Level, up: _Level) -> bool:
            return up.height * up.total <= up.squares

        levels = _Levels(self._entities(), self.unattributed)
        last = levels.best(below_mean)
        return min(Fraction(at.squares, at.total**2) for at in (last, levels.at(last.height + 1)))

    def _highest_hhi(self) -> Fraction:
        """Return the highest HHI by branch and bound over which entities are counted in full.

        (1) One entity has the unattributed units: one that no other exceeds both in certain and in
            possible units, or they could change places. Being the largest it counts its own in full.
        (2) `_Choice.bound` lets a unit of an entity count before the rest of it does.
        (3) Where that splits an entity, both ways to make it whole are tried, the best bound first.
        """
        if not any(self.certain):
            return Fraction(1)
        entities = self._entities()
        choice = _Choice(entities)
        squares = sum(n * n for n, _ in entities)
        total = sum(n for n, _ in entities) + self.unattributed
        # (1)
        starts: list[tuple[int, int, tuple[range, ...]]] = []
        for host in choice.undominated():
            n, m = choice.entities[host]
            with_rest = squares - n**2 + (n + m + self.unattributed) ** 2
            starts.append((with_rest, total + m, (range(host, host + 1),)))
        if not self.unattributed:
            starts = [(squares, total, ())]
        # (2)
        order = count()  # so that the heap never compares ranges
        queue = [(*choice.bound(*start), next(order), *start) for start in starts]
        heapify(queue)
        # (3)
        for _ in range(SEARCH_LIMIT):
            bound, split, _, squares, total, settled = queue[0]
            if split < 0:  # sorts before an equal bound that is not reached
                return -bound
            heappop(queue)
            counted, left_out = choice.ways(split, settled)
            more, joining = choice.gain(counted)
            for child in (
                (squares + more, total + joining, (*settled, counted)),
                (squares, total, (*settled, left_out)),
            ):
                heappush(queue, (*choice.bound(*child), next(order), *child))
        return -queue[0][0]


@dataclass(frozen=True, slots=True)
class _Level:
    """The completion at one level."""

    height: int
    """The level."""
    above: int
    """By how much the entities above it exceed it, together."""
    total: int
    """All units."""
    squares: int
    """The sum of the squared counts."""


class _Levels:
    """The completions that spread the units as evenly as one level allows."""

    def __init__(self, entities: Sequence[tuple[int, int]], unattributed: int) -> None:
        self._unattributed = unattributed
        self._least = sorted(n for n, _ in entities)
        self._most = sorted(n + m for n, m in entities)
        self._least_sums = list(accumulate(self._least, initial=0))
        self._least_squares = list(accumulate((n * n for n in self._least), initial=0))
        self._most_sums = list(accumulate(self._most, initial=0))
        self._most_squares = list(accumulate((n * n for n in self._most), initial=0))

    def at(self, height: int) -> _Level:
        """Return the completion at a level of at least 1."""
        above = bisect_right(self._least, height)  # the entities from here on do not sink to the level
        below = bisect_right(self._most, height)  # those up to here do not exceed it
        over = self._least_sums[-1] - self._least_sums[above]
        level = above - below
        return _Level(
            height=height,
            above=over - height * (len(self._least) - above),
            total=self._unattributed + self._most_sums[below] + height * level + over,
            squares=self._unattributed
            + self._most_squares[below]
            + height**2 * level
            + self._least_squares[-1]
            - self._least_squares[above],
        )

    def best(self, improves: Callable[[_Level, _Level], bool]) -> _Level:
        """Return the level from which one step up no longer `improves`; up to it each step does."""
        low, high = 1, max([1, *self._least[-1:]])
        while low < high:
            middle = (low + high) // 2
            if improves(self.at(middle), self.at(middle + 1)):
                low = middle + 1
            else:
                high = middle
        return self.at(low)


class _Choice:
    """Whose possible units to count for a high HHI, the most promising entity first.

    To count the m possible units of an entity with n certain ones adds ``m * (2 * n + m)`` to the sum
    of squares: ``2 * n + m`` a unit, if they share it evenly.
    """

    def __init__(self, entities: Sequence[tuple[int, int]]) -> None:
        self._keys = sorted((-2 * n - m, n, m) for n, m in entities)
        self.entities = [(n, m) for _, n, m in self._keys]
        self._squares = list(accumulate((m * (2 * n + m) for n, m in self.entities), initial=0))
        self._units = list(accumulate((m for _, m in self.entities), initial=0))

    def gain(self, positions: range) -> tuple[int, int]:
        """Return what entities in a row add to the sum of squares and to the units."""
        first, last = positions.start, positions.stop
        return self._squares[last] - self._squares[first], self._units[last] - self._units[first]

    def ways(self, split: int, settled: tuple[range, ...]) -> tuple[range, range]:
        """Return whom to count or else to leave out, so that the entity at `split` is whole.

        Of equal entities the first ones are counted, so those before it with it, or after it with it.
        """
        first, last = bisect_left(self._keys, self._keys[split]), bisect_right(self._keys, self._keys[split])
        first = max([first, *(row.stop for row in settled if row.stop <= split)])
        last = min([last, *(row.start for row in settled if row.start > split)])
        return range(first, split + 1), range(split, last)

    def undominated(self) -> list[int]:
        """Return the positions of the entities that no other exceeds in both parts, largest first."""
        positions, most = list[int](), -1
        for position in sorted(range(len(self.entities)), key=self.entities.__getitem__, reverse=True):
            if self.entities[position][1] > most:
                positions.append(position)
                most = self.entities[position][1]
        return positions

    def bound(self, squares: int, total: int, settled: tuple[range, ...]) -> tuple[Fraction, int]:
        """Return minus the HHI that is not exceeded, whoever else is counted, and who is split by it.

        The entities that are not `settled` join in order. Along a line of ``rate`` a unit,
        ``(S + rate * t) / (D + t)²`` rises up to ``t = D - 2 * S / rate``, and ``rate * D - 2 * S``
        falls from one entity to the next. If nobody is split, -1, the bound is reached.
        """

        def joined(upto: int) -> tuple[int, int]:
            s, d = squares + self._squares[upto], total + self._units[upto]
            for row in settled:
                if row.start < upto:
                    more, joining = self.gain(range(row.start, min(row.stop, upto)))
                    s, d = s - more, d - joining
            return s, d

        low, high = 0, len(self.entities)
        while low < high:  # who is the first that does not join in full
            middle = (low + high) // 2
            s, d = joined(middle + 1)
            n, m = self.entities[middle]
            if (2 * n + m) * d >= 2 * s:
                low = middle + 1
            else:
                high = middle
        s, d = joined(low)
        if low < len(self.entities):
            n, m = self.entities[low]
            rate = 2 * n + m
            if rate * d > 2 * s:  # not if it is settled: then s and d are those it was compared with
                return Fraction(-(rate**2), 4 * (rate * d - s)), low
        return Fraction(-s, d * d), -1


def uncertain_membership(
    certain: Sequence[int], possible: Sequence[int], unattributed: int
) -> MembershipBounds:
    """Return a population of uncertain extent, to be asked for the bounds of its indices.

    A unit is a node, validator or the like, of weight 1. It is *certain* if the denominator counts it
    and its entity is known, *possible* if the entity is known but it may or may not be counted, and
    *unattributed* if the entity is unknown; then the bounds are the same whether it is counted for
    certain or possibly.

    Parameters
    ----------
    certain : sequence of int, shape (n_entities,)
        Number of units of each entity that are counted for certain.
    possible : sequence of int, shape (n_entities,)
        Number of further units of the same entity that are possibly counted, in the same order.
    unattributed : int
        Number of units that may belong to any entity, known or new, alone or with others.

    Returns
    -------
    MembershipBounds
        Ask it for bounds: ``uncertain_membership(...).hhi()``.

    Raises
    ------
    EmptyPopulation
        If there is no unit of any kind. Possible units alone are a population: the bounds then hold
        if at least one is counted.
    ValueError
        If a number is negative, or the two sequences differ in length.

    References
    ----------
    .. [1] C. F. Manski, "Partial Identification of Probability Distributions", 2003.
    .. [2] W. Dinkelbach, "On Nonlinear Fractional Programming", Management Science 13(7), 1967.

    Examples
    --------
    Two of three hosts have 8 more nodes on networks that may be data centres or offices. To count
    none of them gives an effective number of 2.27 and to count all gives 2.86, but 3 is possible.

    >>> hosted = uncertain_membership([6, 2, 2], [0, 8, 8], 0)
    >>> hosted.effective_number().upper
    3.0
    """
    counted = tuple(index(n) for n in certain)
    perhaps = tuple(index(m) for m in possible)
    rest = index(unattributed)
    if len(counted) != len(perhaps):
        raise ValueError(f"certain and possible must be of one length, got {len(counted)} and {len(perhaps)}")
    for name, numbers in (("certain", counted), ("possible", perhaps), ("unattributed", (rest,))):
        if min(numbers, default=0) < 0:
            raise ValueError(f"{name} must not be negative, got {min(numbers)}")
    if not (any(counted) or any(perhaps) or rest):
        raise EmptyPopulation
    return MembershipBounds(certain=counted, possible=perhaps, unattributed=rest)
