"""Standard errors of bounds, from counts over resampled clusters: for Imbens–Manski intervals.

A bound is an estimate as a value is: another crawl of the same process gives another one. Here the two
bounds of a figure are computed anew in each replicate, and their standard deviations over the replicates
are the standard errors that `concentra.metrics.intervals.imbens_manski_interval` asks for.

Published counts have no clusters to resample. They have no standard error, which is not one of zero: an
interval without it holds what the unattributed units allow, and says nothing of chance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import nan, sqrt

from concentra.metrics.bootstrap import Floats, Ints, concentration_ratio
from concentra.metrics.bounds import Bounds
from concentra.metrics.largest_sets import largest_set_margin
from concentra.metrics.membership import uncertain_membership
from concentra.metrics.set_effective_numbers import set_effective_number_bounds
from concentra.model.audit import Distribution

SEARCHES = 200
"""Replicates that are used where each takes a search; such a standard error is uncertain by 5 %."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Replicates:
    """The counts of one distribution over resampled clusters.

    Both arrays have one row per replicate, and these columns: the entities in the order of the
    distribution, the parts that are confined in theirs, and the unattributed units.
    """

    units: Ints
    """Units that belong to the denominator for certain, shape (replicates, columns)."""
    possible: Ints
    """Further units that may belong to it, of the same shape."""

    def check(self, distribution: Distribution) -> None:
        """Raise ValueError if the columns are not those of `distribution`."""
        columns = len(distribution.entities) + len(distribution.confined) + 1
        for name, counts in (("units", self.units), ("possible", self.possible)):
            if counts.ndim != 2 or counts.shape[1] != columns:
                raise ValueError(f"{name} must have {columns} columns, got shape {counts.shape}")
        if self.units.shape != self.possible.shape:
            raise ValueError(f"got {self.units.shape} units and {self.possible.shape} possible ones")


@dataclass(frozen=True, slots=True)
class StandardErrors:
    """How much two bounds vary from one draw of the same clusters to the next."""

    lower: float
    """Of the lower bound, in its unit."""
    upper: float


def share_errors(
    distribution: Distribution, replicates: Replicates, members: Sequence[str]
) -> StandardErrors:
    """Return the standard errors of ``Distribution.share_bounds(*members)``."""
    replicates.check(distribution)
    units, possible = replicates.units, replicates.possible
    named = [i for i, entity in enumerate(distribution.entities) if entity.id in members]
    groups = {member.partition("/")[0] for member in members}
    first = len(distribution.entities)
    near = [first + i for i, part in enumerate(distribution.confined) if part.group in groups]
    held, joining = units[:, named].sum(axis=1), possible[:, named].sum(axis=1)
    open_to = units[:, [*near, -1]].sum(axis=1)
    open_if = possible[:, [*near, -1]].sum(axis=1)
    total = units.sum(axis=1)
    least = total + possible.sum(axis=1) - joining
    most = total + joining + open_if
    return StandardErrors(
        _deviation(held[least > 0] / least[least > 0]),
        _deviation((held + joining + open_to + open_if)[most > 0] / most[most > 0]),
    )


def largest_share_errors(distribution: Distribution, replicates: Replicates, k: int) -> StandardErrors:
    """Return the standard errors of the bounds of the share of the `k` largest, ranked in each replicate.

    Confined units count as free to join anyone at the upper bound.
    """
    replicates.check(distribution)
    entities = len(distribution.entities)
    if not replicates.possible.any():
        counts, free = replicates.units[:, :entities], replicates.units[:, entities:].sum(axis=1)
        lower = concentration_ratio(counts, k, free)
        total = counts.sum(axis=1) + free
        held = concentration_ratio(counts, k) * counts.sum(axis=1) if entities else free * 0.0
        upper = (held + free)[total > 0] / total[total > 0]
        return StandardErrors(_deviation(lower[total > 0]), _deviation(upper))

    def ratio(units: list[int], possible: list[int]) -> Bounds[float]:
        free = sum(units[entities:]) + sum(possible[entities:])
        return uncertain_membership(units[:entities], possible[:entities], free).concentration_ratio(k)

    return _searched(replicates, ratio)


def set_effective_number_errors(
    distribution: Distribution, replicates: Replicates, members: Sequence[str]
) -> StandardErrors:
    """Return the standard errors of the bounds of the effective number within a named set.

    Replicates in which no member has a unit are left out.
    """
    replicates.check(distribution)
    columns = _columns(distribution, members)

    def number(units: list[int], possible: list[int]) -> Bounds[float] | None:
        sizes = [(0, 0) if i is None else (units[i], possible[i]) for i in columns]
        free = units[-1] + possible[-1]
        if not free + sum(n + m for n, m in sizes):
            return None
        bounds = set_effective_number_bounds(sizes, free=free)
        return Bounds(float(bounds.lower), float(bounds.upper))

    return _searched(replicates, number)


def margin_errors(
    distribution: Distribution, replicates: Replicates, members: Sequence[str]
) -> StandardErrors:
    """Return the standard errors of the bounds of `largest_set_margin`, in units."""
    replicates.check(distribution)
    columns = _columns(distribution, members)
    entities = len(distribution.entities)
    others = [i for i in range(entities) if i not in columns]

    def margin(units: list[int], possible: list[int]) -> Bounds[float]:
        bounds = largest_set_margin(
            [(0, 0) if i is None else (units[i], possible[i]) for i in columns],
            [(units[i], possible[i]) for i in others],
            free=units[-1] + possible[-1],
            apart=list(zip(units[entities:-1], possible[entities:-1], strict=True)),
        )
        return Bounds(float(bounds.lower), float(bounds.upper))

    return _searched(replicates, margin)


def _columns(distribution: Distribution, members: Sequence[str]) -> list[int | None]:
    """Return the column of each member; None for one that was not seen."""
    column_of = {entity.id: i for i, entity in enumerate(distribution.entities)}
    return [column_of.get(member) for member in members]


def _searched(
    replicates: Replicates, bounds_of: Callable[[list[int], list[int]], Bounds[float] | None]
) -> StandardErrors:
    """Return the standard errors of bounds that each replicate is asked for on its own."""

    def both() -> Iterator[Bounds[float]]:
        for units, possible in zip(
            replicates.units[:SEARCHES].tolist(), replicates.possible[:SEARCHES].tolist(), strict=True
        ):
            bounds = bounds_of(units, possible) if any(units) or any(possible) else None
            if bounds is not None:
                yield bounds

    bounds = list(both())
    return StandardErrors(
        _deviation([each.lower for each in bounds]), _deviation([each.upper for each in bounds])
    )


def _deviation(values: Floats | Sequence[float]) -> float:
    """Return the standard deviation over replicates; NaN if fewer than two are left."""
    if len(values) < 2:
        return nan
    mean = sum(values) / len(values)
    return sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
