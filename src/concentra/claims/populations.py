"""A dated population as claims see it: counts by axis and denominator, crawled or only published."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, TypeAlias

from concentra.model.audit import Audit, Distribution
from concentra.model.axes import Axis, Denominator, Unit

if TYPE_CHECKING:
    from concentra.metrics.identified_intervals import Replicates

Resampling: TypeAlias = "Callable[[Axis, Denominator], Replicates | None]"
"""The counts of a distribution over resampled clusters; None where it has none."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CountedPopulation:
    """One population counted in one unit.

    Units that are known to be on no host, but not on whose lines, belong in `Distribution.confined` under
    a group of their own: they are part of the whole, and may be one of the largest providers, but no
    member of a set of hosts. The tail that a published chart leaves out is unattributed.
    """

    name: str
    """Which source, for people; the same for each unit and date of it."""
    as_of: date | None
    filter: str
    """Which nodes were counted: ``as published``, ``network``, ``responding``, ``announced``."""
    unit: Unit
    distributions: Mapping[tuple[Axis, Denominator], Distribution]
    unsupported: Mapping[tuple[Axis, Denominator], str] = field(default_factory=dict)
    """Why there are no counts by some axis out of some whole."""
    unavailable_units: Mapping[Unit, str] = field(default_factory=dict)
    """Why the source cannot be counted in other units."""
    resampling: Resampling | None = None
    """None where there are no clusters to resample, as in published counts: ``sampling: none``."""

    @property
    def sampling(self) -> str:
        """How chance is reckoned with, in words."""
        return "none" if self.resampling is None else "prefixes resampled"


def audited_population(
    audit: Audit, *, filter_name: str, resampling: Resampling | None = None
) -> CountedPopulation:
    """Return what an audit counted.

    Parameters
    ----------
    audit : Audit
        Its cells are the distributions, so they must include the axes that a claim asks for.
    filter_name : str
        Which nodes it counted, in a word.
    resampling : callable, optional
        The same cells over resampled clusters.
    """
    cells = [cell.distribution for cell in audit.cells]
    return CountedPopulation(
        name=audit.subject,
        as_of=audit.population.as_of,
        filter=filter_name,
        unit=audit.unit,
        distributions={(each.axis, each.denominator): each for each in cells},
        unavailable_units=audit.unavailable_units,
        resampling=resampling,
    )
