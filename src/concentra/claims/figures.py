"""A quantity of a distribution → its figure: value, exact bounds, and how far it is from others.

Chance and doubt are kept apart. `Figure.bounds` holds every value that the unattributed units allow, in
exact fractions; `Figure.errors` says how much the bounds vary among resampled clusters.

*Fewest changes* of a figure: how many units would have to belong to others than they do in `Figure.value`
before the figure enters a set, or leaves it. An unattributed unit is nobody's there, so that it counts as
changed where it is needed. Divided by all units this is the breakdown point. It is a matter of counts and
leaves chance aside.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, assert_never

from concentra.claims.accept_sets import AcceptSet
from concentra.metrics.bounds import Bounds
from concentra.metrics.largest_sets import (
    largest_set_margin,
    units_to_lead,
    units_to_lower_top,
    units_to_tie,
)
from concentra.metrics.scores import least_concentrated, most_concentrated
from concentra.metrics.set_effective_numbers import (
    effective_number_of,
    farthest_effective_number,
    set_effective_number_bounds,
    units_to_reach,
)
from concentra.model.audit import Distribution
from concentra.model.axes import Axis
from concentra.model.claims import (
    IsLargest,
    Quantity,
    SetEffectiveNumber,
    ShareHosted,
    ShareInRegion,
    ShareOfLargest,
    ShareOfSet,
)

if TYPE_CHECKING:
    from concentra.metrics.identified_intervals import Replicates, StandardErrors

HOSTED = ("edge", "hosting")
"""The entities of the axis of kinds that are hosted."""


def axis_of(quantity: Quantity) -> Axis:
    """Return the axis along which a quantity is counted."""
    match quantity:
        case ShareHosted():
            return Axis.KIND
        case ShareInRegion():
            return Axis.REGION
        case ShareOfSet() | ShareOfLargest() | IsLargest() | SetEffectiveNumber():
            return Axis.PROVIDER
        case _:
            assert_never(quantity)


class Figure(ABC):
    """One quantity of one distribution that has at least one unit."""

    value: Fraction
    """With each unattributed unit a provider of its own, and every possible unit counted."""
    scale: Bounds[Fraction]
    """Bounds of what chance acts on: the figure itself, unless it is yes or no."""
    limits: tuple[Fraction | None, Fraction | None] = (Fraction(0), Fraction(1))
    """Between what the scale lies whatever is counted."""
    unattributed: int
    """Units that could make the figure another one."""
    largest: tuple[str, ...] = ()
    """Who the largest are, where it is about them."""

    def __init__(self, distribution: Distribution) -> None:
        self.distribution = distribution
        self.whole = distribution.total + distribution.possible
        self.counts = {entity.id: entity.units + entity.possible for entity in distribution.entities}
        self.single = self.whole - sum(self.counts.values())
        self.unattributed = distribution.unknown + distribution.possible

    @property
    def bounds(self) -> Bounds[Fraction]:
        """What the figure can be, whoever the unattributed units belong to."""
        return Bounds(self.read(self.scale.lower), self.read(self.scale.upper))

    def read(self, point: Fraction) -> Fraction:
        """Return the figure at a point of the scale."""
        return point

    @abstractmethod
    def errors(self, replicates: Replicates) -> StandardErrors:
        """Return the standard errors of the bounds of the scale."""

    @abstractmethod
    def fewest_changes(self, accept: AcceptSet, *, inside: bool) -> int | None:
        """Return how many units must change before the figure is in the set, or is not; None if none can."""


class SetShare(Figure):
    """The share of named entities together."""

    def __init__(self, distribution: Distribution, members: Sequence[str]) -> None:
        super().__init__(distribution)
        self.members = members
        named = [entity for entity in distribution.entities if entity.id in members]
        units, maybe = sum(entity.units for entity in named), sum(entity.possible for entity in named)
        groups = {member.partition("/")[0] for member in members}
        near = [part for part in distribution.confined if part.group in groups]
        joining = distribution.free + sum(part.units + part.possible for part in near)
        perhaps = maybe + distribution.possible_unattributed + sum(part.possible for part in near)
        # As in Distribution.share_bounds, whose fractions are rounded.
        least = distribution.total + distribution.possible - maybe
        most = distribution.total + perhaps
        self.scale = Bounds(
            Fraction(units, least) if least else Fraction(1),
            Fraction(units + maybe + joining, most) if most else Fraction(0),
        )
        self.held = units + maybe
        self.value = Fraction(self.held, self.whole)
        self.unattributed = joining + distribution.possible - distribution.possible_unattributed
        self.unattributed -= sum(part.possible for part in near)  # counted once

    def errors(self, replicates: Replicates) -> StandardErrors:
        """Return the standard errors of both bounds of the share."""
        from concentra.metrics.identified_intervals import share_errors

        return share_errors(self.distribution, replicates, self.members)

    def fewest_changes(self, accept: AcceptSet, *, inside: bool) -> int | None:
        """Return how many units must join the set or leave it; each changes the share alike."""
        targets = accept.nearest(self.held, self.whole, inside=inside)
        return min((abs(target - self.held) for target in targets if target is not None), default=None)


class LargestShare(Figure):
    """The share of the k largest entities together, whoever they are."""

    def __init__(self, distribution: Distribution, k: int) -> None:
        super().__init__(distribution)
        self.k = k
        self.scale = Bounds(
            least_concentrated(distribution).exact_concentration_ratio(k).lower,
            most_concentrated(distribution).exact_concentration_ratio(k).upper,
        )
        ranked = sorted(self.counts, key=lambda identifier: -self.counts[identifier])  # stable
        self.largest = tuple(ranked[:k])
        vacant = max(0, k - len(ranked))
        self.held = sum(self.counts[identifier] for identifier in self.largest) + min(vacant, self.single)
        self.value = Fraction(self.held, self.whole)

    def errors(self, replicates: Replicates) -> StandardErrors:
        """Return the standard errors of both bounds of the share."""
        from concentra.metrics.identified_intervals import largest_share_errors

        return largest_share_errors(self.distribution, replicates, self.k)

    def fewest_changes(self, accept: AcceptSet, *, inside: bool) -> int | None:
        """Return how many units must join the largest, or leave them until others are as large."""
        below, above = accept.nearest(self.held, self.whole, inside=inside)
        sizes = [*self.counts.values(), *[1] * min(self.single, self.k + 1)]
        down = None
        if below is not None:
            down = units_to_lower_top(sizes, self.k, target=below)
        up = None if above is None else above - self.held
        return min((moves for moves in (down, up) if moves is not None), default=None)


class LargestSet(Figure):
    """Whether named entities are exactly the largest: 1 if so, else 0; the scale is their margin in units."""

    limits = (None, None)

    def __init__(self, distribution: Distribution, members: Sequence[str]) -> None:
        super().__init__(distribution)
        self.members = members
        sizes = {entity.id: (entity.units, entity.possible) for entity in distribution.entities}
        margin = largest_set_margin(
            [sizes.get(member, (0, 0)) for member in members],
            [size for identifier, size in sizes.items() if identifier not in members],
            free=distribution.free,
            apart=[(part.units, part.possible) for part in distribution.confined],
        )
        self.scale = Bounds(Fraction(margin.lower), Fraction(margin.upper))
        ranked = sorted(self.counts, key=lambda identifier: -self.counts[identifier])
        self.largest = tuple(ranked[: len(members)])
        self.held = [self.counts.get(member, 0) for member in members]
        self.others = [n for identifier, n in self.counts.items() if identifier not in members]
        rival = max([*self.others, 1 if self.single else 0], default=0)
        self.value = self.read(Fraction(min(self.held) - rival))

    def read(self, point: Fraction) -> Fraction:
        """Return 1 for a margin above zero: a tie has no largest."""
        return Fraction(1) if point > 0 else Fraction(0)

    def errors(self, replicates: Replicates) -> StandardErrors:
        """Return the standard errors of both bounds of the margin."""
        from concentra.metrics.identified_intervals import margin_errors

        return margin_errors(self.distribution, replicates, self.members)

    def fewest_changes(self, accept: AcceptSet, *, inside: bool) -> int | None:
        """Return how many units must change before the set is the largest, or is not."""
        if (self.value in accept) is inside:
            return 0
        if (1 - self.value in accept) is not inside:
            return None
        change = units_to_tie if self.value else units_to_lead
        return change(self.held, self.others, single=self.single)


class SetNumber(Figure):
    """The effective number of entities within a named set."""

    def __init__(self, distribution: Distribution, members: Sequence[str]) -> None:
        super().__init__(distribution)
        self.members = members
        sizes = {entity.id: (entity.units, entity.possible) for entity in distribution.entities}
        named = [sizes.get(member, (0, 0)) for member in members]
        self.scale = set_effective_number_bounds(named, free=distribution.free)
        self.limits = (Fraction(1), Fraction(len(members)))
        self.held = [self.counts.get(member, 0) for member in members]
        self.value = effective_number_of(self.held) if any(self.held) else self.scale.lower
        self.unattributed = distribution.free + sum(m for _, m in named)

    def errors(self, replicates: Replicates) -> StandardErrors:
        """Return the standard errors of both bounds of the number."""
        from concentra.metrics.identified_intervals import set_effective_number_errors

        return set_effective_number_errors(self.distribution, replicates, self.members)

    def fewest_changes(self, accept: AcceptSet, *, inside: bool) -> int | None:
        """Return how many units must change; None also where the nearest division jumps over the set.

        Few units have few effective numbers, and none may lie in a narrow set.
        """
        if (self.value in accept) is inside:
            return 0
        outside = self.whole - sum(self.held)

        def accepts(number: Fraction) -> bool:
            if not inside:
                return number not in accept
            return not (accept.is_above(number) if more_even else accept.is_below(number))

        moves = list[int]()
        for more_even in (True, False):
            if inside and not (accept.is_above(self.value) if more_even else accept.is_below(self.value)):
                continue  # the set lies the other way
            found = units_to_reach(self.held, outside=outside, accepts=accepts, more_even=more_even)
            if found is None:
                continue
            reached = farthest_effective_number(self.held, outside=outside, moves=found, more_even=more_even)
            if (reached in accept) is inside:
                moves.append(found)
        return min(moves, default=None)


def figure_of(quantity: Quantity, distribution: Distribution) -> Figure:
    """Return the figure of a quantity.

    Parameters
    ----------
    quantity : Quantity
    distribution : Distribution
        Along `axis_of` the quantity, with at least one unit, certain or possible.

    Raises
    ------
    EmptyPopulation
        If the quantity is about the members of a set only, and none of them can have a unit.
    """
    match quantity:
        case ShareOfSet(members=members):
            return SetShare(distribution, members)
        case ShareHosted():
            return SetShare(distribution, HOSTED)
        case ShareInRegion(region=region):
            return SetShare(distribution, (region,))
        case ShareOfLargest(count=count):
            return LargestShare(distribution, count)
        case IsLargest(members=members):
            return LargestSet(distribution, members)
        case SetEffectiveNumber(members=members):
            return SetNumber(distribution, members)
        case _:
            assert_never(quantity)
