"""What was measured: entities with their counts, scores with their bounds, and what was left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from concentra.model.axes import Axis, Denominator, Kind, Unit
from concentra.model.population import FunnelStep
from concentra.model.provenance import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """One company, AS, region, country or kind, and the units counted for it."""

    id: str
    """Stable identifier: ``aws``, ``AS64500``, ``aws/us-east-1``, ``DE``, ``hosting``."""
    name: str
    """Name for people, as the registry or the curated table has it."""
    units: int
    """Units that belong to it, in the audit's unit."""
    publishable: int
    """Those among `units` on hosting or edge networks, which privacy rules do not protect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """The units of one denominator, divided among the entities of one axis."""

    axis: Axis
    denominator: Denominator
    entities: tuple[Entity, ...]
    """Largest first; ties in order of their identifier."""
    unattributed: Mapping[str, int]
    """Units of the denominator that belong to no known entity, by reason. They are no entity."""

    @property
    def counts(self) -> list[int]:
        """Units of each entity, largest first."""
        return [entity.units for entity in self.entities]

    @property
    def unknown(self) -> int:
        """Units without a known entity."""
        return sum(self.unattributed.values())

    @property
    def total(self) -> int:
        """All units of the denominator, attributed or not."""
        return sum(self.counts) + self.unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One index of one distribution.

    `value` is the least concentrated reading that the data allow: each unattributed unit is an entity
    of its own. `lower` and `upper` bound the index over everything that the unattributed units could
    be; `low` and `high` bound `value` over resampled prefixes. They answer different questions and
    are never added up.
    """

    metric: str
    value: float | None
    """None where the index is not defined, as evenness is for one entity."""
    lower: float | None = None
    upper: float | None = None
    low: float | None = None
    high: float | None = None
    who: tuple[str, ...] = ()
    """Identifiers of the entities that the figure is about."""
    definition: str = ""
    """Threshold and operator, or order, where the name alone does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One distribution with all its scores."""

    distribution: Distribution
    scores: Mapping[str, Score]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Units for which two sources disagree, and which of the two was followed."""

    about: str
    """``provider`` or ``kind``."""
    followed: str
    """What the stronger evidence says."""
    followed_basis: str
    rejected: str
    """What the weaker evidence says."""
    rejected_basis: str
    units: int
    publishable: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How the sampling intervals were drawn, so that they can be drawn again."""

    seed: int
    replicates: int
    clusters: int
    """How many /24 and /48 were resampled."""
    confidence: float = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """Everything that one audit found; each report format prints a view of it."""

    subject: str
    title: str
    unit: Unit
    unit_totals: Mapping[Unit, int]
    """Size of the population under every unit that the source supports."""
    unavailable_units: Mapping[Unit, str]
    leaders: Mapping[Unit, tuple[Entity, ...]]
    """The largest providers of all units, under each unit: their order changes with it."""
    population: Source
    notes: tuple[str, ...]
    maps: tuple[Source, ...]
    maps_as_of: date
    """As of when the origin-AS table stands; the other sources carry their own dates."""
    funnel: tuple[FunnelStep, ...]
    cells: tuple[Cell, ...]
    conflicts: tuple[Conflict, ...]
    sampling: Sampling | None
    """None if intervals were not asked for."""

    def cell(self, axis: Axis, denominator: Denominator) -> Cell:
        """Return the cell of `axis` and `denominator`; KeyError if it was not computed."""
        for cell in self.cells:
            if cell.distribution.axis is axis and cell.distribution.denominator is denominator:
                return cell
        raise KeyError((axis, denominator))
