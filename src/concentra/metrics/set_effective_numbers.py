"""As how many equal members a named set counts, given units that may belong to it or not.

`concentra.metrics.bounds.effective_number_bounds` lets an unknown unit be an entity of its own; here
there is no entity but the members, and a unit that belongs to none of them does not count. What is said
of real numbers in the comments is where the formulas come from; that they hold for whole units is tested
against every completion of small populations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from concentra.errors import EmptyPopulation
from concentra.metrics.bounds import Bounds
from concentra.metrics.membership import uncertain_membership


def set_effective_number_bounds(members: Sequence[tuple[int, int]], *, free: int) -> Bounds[Fraction]:
    """Return between what limits the effective number within a named set lies; both are sharp.

    Parameters
    ----------
    members : sequence of (int, int), shape (n_members, 2)
        Units of each member that are counted for certain, and further ones that may be counted; (0, 0)
        for a member that was not seen.
    free : int
        Units that may belong to any member, or to none.

    Returns
    -------
    Bounds of Fraction
        Numbers of members, in ``[1, n_members]``.

    Raises
    ------
    EmptyPopulation
        If no member can have any unit. Completions in which none has are set aside.
    ValueError
        If a number is negative.

    Examples
    --------
    >>> set_effective_number_bounds([(4, 0), (2, 0)], free=2)  # 6 and 2, or 4 and 4
    Bounds(lower=Fraction(8, 5), upper=Fraction(2, 1))
    """
    if free + sum(n + m for n, m in members) == 0:
        raise EmptyPopulation("named set")
    certain, possible = [n for n, _ in members], [m for _, m in members]
    lower = uncertain_membership(certain, possible, free).exact_effective_number().lower
    return Bounds(lower, _most_even(members, free))


def units_to_reach(
    members: Sequence[int], *, outside: int, accepts: Callable[[Fraction], bool], more_even: bool
) -> int | None:
    """Return how many units must change hands at least before the effective number is accepted.

    Parameters
    ----------
    members : sequence of int
        Units of each member.
    outside : int
        Units that belong to no member, and could.
    accepts : callable
        Whether an effective number will do; all will beyond the first that does.
    more_even : bool
        Whether it is to grow, towards members of equal size, or to fall.

    Returns
    -------
    int or None
        None if no division of the units will do, or no member has any.

    Examples
    --------
    >>> units_to_reach([9, 1], outside=0, accepts=lambda number: number >= Fraction(7, 5), more_even=True)
    1
    """
    if not any(members):
        return None
    low, high = 0, sum(members) + outside
    if not accepts(farthest_effective_number(members, outside=outside, moves=high, more_even=more_even)):
        return None
    while low < high:
        middle = (low + high) // 2
        if accepts(farthest_effective_number(members, outside=outside, moves=middle, more_even=more_even)):
            high = middle
        else:
            low = middle + 1
    return low


def farthest_effective_number(
    members: Sequence[int], *, outside: int, moves: int, more_even: bool
) -> Fraction:
    """Return the highest or the lowest effective number after so many units changed hands, at most."""
    return (_evenest if more_even else _least_even)(members, outside, moves)


def effective_number_of(members: Sequence[int]) -> Fraction:
    """Return the effective number of members of known sizes, not rounded."""
    return Fraction(sum(members) ** 2, sum(n * n for n in members))


def _most_even(members: Sequence[tuple[int, int]], free: int) -> Fraction:
    """Return the highest effective number: free units are possible ones of members that can have fewest."""
    reach = _filled([n + m for n, m in members], free)
    certain = [n for n, _ in members]
    return _highest(certain, reach)


def _evenest(members: Sequence[int], outside: int, moves: int) -> Fraction:
    """Return the highest effective number that so many units can bring about, changing hands.

    Units leave the largest members and join the smallest, as many as helps. Those that are not outside
    must leave a member before they can join another.
    """
    least = _cut(members, moves)
    if outside >= moves:
        return _highest(least, _filled(members, moves))
    left = _cut(members, moves - outside)
    joining = sum(members) - sum(left) + outside
    return max(
        _highest(least, _filled(members, outside)), _highest(_cut(left, outside), _filled(left, joining))
    )


def _highest(least: Sequence[int], most: Sequence[int]) -> Fraction:
    """Return the highest effective number of members whose sizes lie between limits."""
    possible = [high - low for low, high in zip(least, most, strict=True)]
    if not any(most):
        return Fraction(1)
    return uncertain_membership(least, possible, 0).exact_effective_number().upper


def _filled(members: Sequence[int], units: int) -> list[int]:
    """Return the members after the smallest have got some units, and stand as level as that allows."""
    top = max(members) + units
    level = top - _bisect(lambda down: _missing(members, top - down) <= units, top)
    full = [max(n, level) for n in members]
    left = units - _missing(members, level)
    reach = [i for i, n in enumerate(full) if n == level][:left]
    return [n + (i in reach) for i, n in enumerate(full)]


def _cut(members: Sequence[int], units: int) -> list[int]:
    """Return the members after the largest have given up some units, and stand as level as that allows."""
    level = _bisect(lambda height: _beyond(members, height) <= units, max(members))
    cut = [min(n, level) for n in members]
    left = units - _beyond(members, level) if level else 0
    reach = [i for i, n in enumerate(cut) if n == level][:left]
    return [n - (i in reach) for i, n in enumerate(cut)]


def _least_even(members: Sequence[int], outside: int, moves: int) -> Fraction:
    """Return the lowest effective number that so many units can bring about: the largest gets them."""
    *small, largest = sorted(members)
    left, rest = moves, list[int]()
    for n in small:
        taken = min(n, left)
        rest.append(n - taken)
        left -= taken
    return effective_number_of([*rest, largest + min(moves, moves - left + outside)])


def _beyond(members: Sequence[int], level: int) -> int:
    """Return the units above a level."""
    return sum(max(0, n - level) for n in members)


def _missing(members: Sequence[int], level: int) -> int:
    """Return the units that are missing to a level."""
    return sum(max(0, level - n) for n in members)


def _bisect(holds: Callable[[int], bool], most: int) -> int:
    """Return the smallest number up to `most` from which on `holds` is true; `most` if it never is."""
    low, high = 0, most
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low
