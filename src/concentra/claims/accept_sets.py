"""Which figures make an atom true: intervals with exact ends, so that no rounding decides a tie."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import assert_never

from concentra.model.claims import Atom, Relation, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptSet:
    """An interval; empty if no figure is within it."""

    lower: Fraction | None
    """None if it has no lower end."""
    upper: Fraction | None
    lower_included: bool = True
    upper_included: bool = True

    def __contains__(self, figure: Fraction) -> bool:
        return not self.is_above(figure) and not self.is_below(figure)

    def is_above(self, figure: Fraction) -> bool:
        """Return whether all of the set is greater than `figure`."""
        if self.lower is None:
            return False
        return figure < self.lower or (figure == self.lower and not self.lower_included)

    def is_below(self, figure: Fraction) -> bool:
        """Return whether all of the set is less than `figure`."""
        if self.upper is None:
            return False
        return figure > self.upper or (figure == self.upper and not self.upper_included)

    def verdict(self, low: Fraction, high: Fraction) -> Verdict:
        """Return what an interval of figures says: supported if all make it true, refuted if none does.

        Examples
        --------
        >>> seventy = AcceptSet(lower=Fraction(65, 100), upper=Fraction(75, 100))
        >>> seventy.verdict(Fraction(70, 100), Fraction(76, 100))  # 70 % is in it, which supports nothing
        <Verdict.UNDECIDED: 'undecided'>
        """
        if low in self and high in self:
            return Verdict.SUPPORTED
        if self.is_above(high) or self.is_below(low) or self._is_empty:
            return Verdict.REFUTED
        return Verdict.UNDECIDED

    def nearest(self, units: int, whole: int, *, inside: bool) -> tuple[int | None, int | None]:
        """Return the numbers nearest to `units`, at most and at least, whose share is in the set or is not.

        Parameters
        ----------
        units, whole : int
            A share is a number of units over `whole`.
        inside : bool
            Whether to look for shares in the set, or outside.

        Returns
        -------
        tuple
            None where no number from 0 to `whole` will do.
        """
        first, last = 0, whole
        if self.lower is not None:
            end = self.lower * whole
            first = max(first, ceil(end) if self.lower_included else floor(end) + 1)
        if self.upper is not None:
            end = self.upper * whole
            last = min(last, floor(end) if self.upper_included else ceil(end) - 1)
        if inside:
            if first > last:
                return None, None
            below, above = min(units, last), max(units, first)
            return (below if below >= first else None), (above if above <= last else None)
        if not first <= units <= last:
            return units, units
        return (first - 1 if first > 0 else None), (last + 1 if last < whole else None)

    @property
    def _is_empty(self) -> bool:
        if self.lower is None or self.upper is None:
            return False
        return self.lower > self.upper or (
            self.lower == self.upper and not (self.lower_included and self.upper_included)
        )


def accept_set(atom: Atom) -> AcceptSet:
    """Return the figures that make an atom true.

    Raises
    ------
    ValueError
        If the tolerance is negative, or `Relation.BETWEEN` has no upper end or one below the lower.

    Examples
    --------
    >>> from concentra.model.claims import ShareHosted
    >>> most = Atom(
    ...     name="share", quantities=(ShareHosted(),), relation=Relation.MORE_THAN, value=Fraction(1, 2)
    ... )
    >>> Fraction(1, 2) in accept_set(most)  # half is not most
    False
    """
    value, tolerance = atom.value, atom.tolerance
    if tolerance < 0:
        raise ValueError(f"tolerance must not be negative, got {tolerance}")
    match atom.relation:
        case Relation.APPROXIMATELY:
            return AcceptSet(lower=value - tolerance, upper=value + tolerance)
        case Relation.NEARLY:
            return AcceptSet(lower=value - tolerance, upper=value, upper_included=False)
        case Relation.AT_LEAST:
            return AcceptSet(lower=value, upper=None)
        case Relation.AT_MOST:
            return AcceptSet(lower=None, upper=value)
        case Relation.MORE_THAN:
            return AcceptSet(lower=value, upper=None, lower_included=False)
        case Relation.LESS_THAN:
            return AcceptSet(lower=None, upper=value, upper_included=False)
        case Relation.BETWEEN:
            if atom.upper is None or atom.upper < value:
                raise ValueError(f"upper must be at least {value}, got {atom.upper}")
            return AcceptSet(lower=value, upper=atom.upper)
        case _:
            assert_never(atom.relation)
