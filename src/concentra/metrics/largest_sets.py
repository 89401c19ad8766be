"""Whether some named entities are exactly the largest ones, given units that may belong to anyone.

Sets are compared strictly: a set is *the* k largest if each of its members holds more than every entity
outside it. If the k-th is tied with the next, no set is the k largest, since the tie could be broken
either way. An entity outside the set that was never seen holds nothing, so a member needs at least one unit.

The *margin* says by how much: the smallest member less the largest other entity, in units. The set is the
k largest where the margin is 1 or more.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import index

from concentra.metrics.bounds import Bounds

Sizes = Sequence[tuple[int, int]]
"""Entities as pairs: units that are counted for certain, and further ones that may be counted."""


def largest_set_margin(members: Sizes, others: Sizes, *, free: int, apart: Sizes = ()) -> Bounds[int]:
    """Return between what limits the margin of a named set over all others lies; both are sharp.

    Parameters
    ----------
    members : sequence of (int, int), shape (n_members, 2)
        Certain and possible units of each member; (0, 0) for a member that was not seen.
    others : sequence of (int, int)
        Those of the other entities.
    free : int
        Units that may belong to any entity, seen or not.
    apart : sequence of (int, int)
        Groups of units that belong to entities that were never seen, and to none of those given: home
        connections, say, where the entities are hosts.

    Returns
    -------
    Bounds of int
        Units. The set is the largest for certain if `lower` is at least 1, and cannot be if `upper` is less.

    Raises
    ------
    ValueError
        If there is no member, or a number is negative.

    Examples
    --------
    Google (223) and Microsoft (80) would have to pass Hetzner with 421, but only 320 are unlisted:

    >>> largest_set_margin([(2397, 0), (223, 0), (80, 0)], [(421, 0)], free=320).upper
    -110
    >>> largest_set_margin([(5, 0)], [(5, 0)], free=0)  # a tie has no largest
    Bounds(lower=0, upper=0)
    """
    if not members:
        raise ValueError("a set without members is not the largest of anything")
    for name, numbers in (
        ("members", [n for pair in members for n in pair]),
        ("others", [n for pair in others for n in pair]),
        ("free", [free]),
        ("apart", [n for pair in apart for n in pair]),
    ):
        if min(map(index, numbers), default=0) < 0:
            raise ValueError(f"{name} must not be negative, got {min(numbers)}")
    # Worst for the set: it holds what is certain, and one rival has everything that it may have.
    rival = max([n + m for n, m in (*others, *apart)], default=0)
    lower = min(n for n, _ in members) - (rival + free)
    # Best: free units raise the smallest members to one level; those kept apart are entities of one unit.
    held = sorted(n + m for n, m in members)
    rival = max([n for n, _ in others] + [1 for n, _ in apart if n], default=0)
    return Bounds(lower, _level(held, free) - rival)


def units_to_lead(members: Sequence[int], others: Sequence[int], *, single: int) -> int | None:
    """Return how many units must change hands at least before the members are exactly the largest.

    Parameters
    ----------
    members, others : sequence of int
        Units of each entity in the set, and outside it.
    single : int
        Units that are an entity each, outside the set.

    Returns
    -------
    int or None
        0 if they are already; None if there are too few units for that.

    Examples
    --------
    >>> units_to_lead([10, 3], [6], single=0)  # 10, 5 and 4
    2
    >>> units_to_lead([0, 0], [1], single=0) is None
    True
    """
    total = sum(members) + sum(others) + single

    def missing(level: int) -> int:
        return sum(max(0, level + 1 - n) for n in members)

    def beyond(level: int) -> int:
        return sum(max(0, n - level) for n in others) + (single if level == 0 else 0)

    # Members rise above a level and others sink to it; each unit that moves may do both.
    highest = total // len(members) - 1
    if highest < 0:
        return None
    low, high = 0, highest
    while low < high:  # the first level at which more is missing than is beyond it
        middle = (low + high) // 2
        if missing(middle) >= beyond(middle):
            high = middle
        else:
            low = middle + 1
    return min(max(missing(level), beyond(level)) for level in {low, max(0, low - 1)})


def units_to_tie(members: Sequence[int], others: Sequence[int], *, single: int) -> int:
    """Return how many units must change hands at least before a member does not exceed all others.

    Parameters are those of `units_to_lead`.

    Examples
    --------
    >>> units_to_tie([10, 6], [3], single=0)  # from 6 and 3 to 4 and 5
    2
    """
    rival = max([*others, 1 if single else 0], default=0)
    return max(0, -(-(min(members) - rival) // 2))


def units_to_lower_top(counts: Sequence[int], k: int, *, target: int) -> int | None:
    """Return how many units must leave at least before the `k` largest hold `target` or less.

    The largest sink to one level; what leaves becomes entities of one unit.

    Parameters
    ----------
    counts : sequence of int
        Units of each entity. Of entities of one unit no more than ``k + 1`` need be given.
    k : int, at least 1
    target : int

    Returns
    -------
    int or None
        None if `target` is less than `k`: as many entities of one unit hold that.

    Examples
    --------
    >>> units_to_lower_top([10, 5, 5, 5], 2, target=12)  # 7, 5, 5 and 5
    3
    >>> units_to_lower_top([10, 5, 5, 5], 2, target=9)  # 5, 4, 4 and 4
    8
    """
    ordered = sorted((n for n in counts if n), reverse=True)
    top = sum(ordered[:k])
    if top <= target:
        return 0
    if target < k:
        return None
    following = ordered[k] if len(ordered) > k else 0
    if target >= k * following:
        return top - target + max(0, k - len(ordered))  # what leaves first fills the vacant places
    level, over = divmod(target, k)
    above = [n - level for n in ordered if n > level]
    return sum(above) - min(over, len(above))


def _level(held: Sequence[int], units: int) -> int:
    """Return how high the lowest of ascending `held` can be raised with some units."""
    pool, poured = 1, held[0] + units
    while pool < len(held) and held[pool] * pool < poured:
        poured += held[pool]
        pool += 1
    return poured // pool
