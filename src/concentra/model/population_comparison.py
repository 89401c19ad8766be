"""What became of a population: the units of an old one and of a new one, matched one by one.

A unit is *counted* in a population if an audit of it would count it. A node that is known to a population
and not counted in it (it did not answer, it is on another network) differs from one that nobody told of.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from fractions import Fraction

from concentra.model.axes import Unit
from concentra.model.provenance import Source


class Where(StrEnum):
    """In which of the two populations a unit is counted."""

    BOTH = "both"
    OLD = "old"
    NEW = "new"


class Host(StrEnum):
    """How the host of a unit that is counted in both compares."""

    SAME = "same address"
    SAME_PROVIDER = "moved, same provider"
    OTHER_PROVIDER = "moved, other provider"
    UNKNOWN_PROVIDER = "moved, provider unknown"
    """In old, in new, or in both."""


NOT_TOLD_OF = "not told of"
"""Of a unit that is counted in one population: the other does not know it at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitClass:
    """Units of which the same is to be said; the classes leave out none, and share none."""

    where: Where
    what: str
    """A word of `Host`; else why the other population does not count them: `NOT_TOLD_OF`, or its reason."""
    units: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trait:
    """One property in which units that are counted in both may differ, wherever they are."""

    name: str
    """``client``, ``network``, ``fork``, ``country``."""
    compared: int
    """Units of which both populations tell it."""
    differ: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderFlow:
    """How a provider's units came from old to new: ``old - left - moved_out + moved_in + arrived == new``."""

    id: str | None
    """None for units whose provider is unknown."""
    name: str
    """For people."""
    old: int
    new: int
    left: int
    """Counted in old only."""
    arrived: int
    """Counted in new only."""
    moved_out: int
    """Counted in both, in new at another provider."""
    moved_in: int
    publishable: bool
    """Whether each of its units is on a hosting or edge network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareChange:
    """A change of share, split into steps that add up to it: first units leave, then move, then arrive."""

    old: Fraction
    """Share of all units, unattributed ones included."""
    new: Fraction
    by_left: Fraction | None
    """What the share changes by where the units that left are taken out; None if none would remain."""
    by_moved: Fraction | None
    by_arrived: Fraction | None

    @property
    def total(self) -> Fraction:
        """The whole change."""
        return self.new - self.old


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One of the two populations."""

    subject: str
    title: str
    """The same for people."""
    source: Source
    notes: tuple[str, ...]
    units: int
    """Units that are counted, in the unit of the comparison."""
    totals: tuple[tuple[Unit, int], ...]
    """The same in every unit that the source can be counted in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PopulationComparison:
    """How an old and a new population differ, attributed with the same maps."""

    unit: Unit
    unit_reason: str | None
    """Why it is not the unit that tells most; None if it is, or was asked for."""
    old: Compared
    new: Compared
    maps: tuple[Source, ...]
    maps_as_of: date
    same_file: bool
    """Whether both populations are made of the same bytes."""
    classes: tuple[UnitClass, ...]
    """In the order `Where` and `Host`; reasons by size."""
    traits: tuple[Trait, ...]
    """Those that both populations tell of at least one unit."""
    providers: tuple[ProviderFlow, ...]
    """Largest share in either first; that of unknown providers last."""

    @property
    def days(self) -> int | None:
        """Days from old to new; None if one is undated."""
        old, new = self.old.source.as_of, self.new.source.as_of
        return None if old is None or new is None else (new - old).days

    @property
    def identical(self) -> bool:
        """Whether every unit is counted in both, at the same address, and nothing that is told differs."""
        return all(one.where is Where.BOTH and one.what == Host.SAME for one in self.classes) and not any(
            trait.differ for trait in self.traits
        )

    def units_in(self, where: Where) -> int:
        """Return how many units are counted there."""
        return sum(one.units for one in self.classes if one.where is where)

    def change(self, flow: ProviderFlow) -> ShareChange:
        """Return how the share of a provider changed, and through what.

        The steps are taken in the order in which they are named: a unit that leaves changes the whole of
        which every share is taken. Where all leave in proportion, no share changes.
        """
        old, new = Fraction(flow.old, self.old.units), Fraction(flow.new, self.new.units)
        stayed = self.units_in(Where.BOTH)
        if not stayed:
            return ShareChange(old=old, new=new, by_left=None, by_moved=None, by_arrived=None)
        without_left = Fraction(flow.old - flow.left, stayed)
        moved = Fraction(flow.moved_in - flow.moved_out, stayed)
        return ShareChange(
            old=old,
            new=new,
            by_left=without_left - old,
            by_moved=moved,
            by_arrived=new - without_left - moved,
        )
