"""What was measured: entities with their counts, scores with their bounds, and what was left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from concentra.model.axes import Axis, Denominator, Unit
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
    """Units of the denominator that belong to it, in the audit's unit."""
    possible: int = 0
    """Further units of it that may belong to the denominator: the kind of their network is unknown."""
    publishable: int = 0
    """Those among `units` on hosting or edge networks, which privacy rules do not protect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confined:
    """Units whose entity is unknown but lies within a known group: a region of a known provider."""

    group: str
    """Identifier of the group; entities of it are called ``<group>/<name>``."""
    units: int
    possible: int = 0
    """Further ones that may belong to the denominator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """The units of one denominator, divided among the entities of one axis."""

    axis: Axis
    denominator: Denominator
    entities: tuple[Entity, ...]
    """Largest first by `units`, then by `possible`; ties in order of their identifier."""
    unattributed: Mapping[str, int]
    """Units of the denominator that could belong to any entity, by reason. They are no entity."""
    confined: tuple[Confined, ...] = ()
    """Units that could belong to any entity of one group, and to none outside it."""
    confined_reason: str = ""
    """Why their entity is unknown."""
    closed: tuple[str, ...] = ()
    """Identifiers of all entities that there can be, seen or not; empty where there may be others."""
    possible_unattributed: int = 0
    """Units of which neither the entity is known nor whether they belong to the denominator."""

    @property
    def counts(self) -> list[int]:
        """Units of each entity, largest first."""
        return [entity.units for entity in self.entities]

    @property
    def unknown(self) -> int:
        """Units without a known entity."""
        return sum(self.unattributed.values()) + sum(part.units for part in self.confined)

    @property
    def possible(self) -> int:
        """Units that may or may not belong to the denominator."""
        return (
            sum(entity.possible for entity in self.entities)
            + sum(part.possible for part in self.confined)
            + self.possible_unattributed
        )

    @property
    def free(self) -> int:
        """Units that could belong to any entity; those that may be outside the denominator included."""
        return sum(self.unattributed.values()) + self.possible_unattributed

    @property
    def total(self) -> int:
        """Units that belong to the denominator for certain, attributed or not."""
        return sum(self.counts) + self.unknown

    @property
    def coverage(self) -> float | None:
        """Attributed part of all units that may belong to the denominator; None if there are none."""
        whole = self.total + self.possible
        return sum(self.counts) / whole if whole else None

    def share_bounds(self, *identifiers: str) -> tuple[float, float]:
        """Return the smallest and the largest share that the named entities could have together.

        An entity that was not seen has nothing but what is unattributed. Completions that leave every
        unit out have no shares and are set aside; an empty denominator is a ZeroDivisionError.
        """
        return next(self.share_bounds_of_each([identifiers]))

    def share_bounds_of_each(self, sets: Iterable[Sequence[str]]) -> Iterator[tuple[float, float]]:
        """Yield what `share_bounds` returns for each set of entities, having added up the whole once."""
        total, possible, free = self.total, self.possible, self.free
        if not total + possible:
            raise ZeroDivisionError("an empty denominator has no shares")
        entity_of = {entity.id: entity for entity in self.entities}
        confined_to = {part.group: part for part in self.confined}
        for identifiers in sets:
            named = [entity_of[name] for name in {*identifiers} & entity_of.keys()]
            groups = {identifier.partition("/")[0] for identifier in identifiers}
            near = [confined_to[group] for group in groups & confined_to.keys()]
            units, maybe = sum(entity.units for entity in named), sum(entity.possible for entity in named)
            could_join = free + sum(part.units + part.possible for part in near)
            could_grow = maybe + self.possible_unattributed + sum(part.possible for part in near)
            least, most = total + possible - maybe, total + could_grow
            yield (
                units / least if least else 1.0,  # no one else can have a unit
                (units + maybe + could_join) / most if most else 0.0,  # only others can have one
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One index of one distribution.

    `value` is one reading that the data allow: each unattributed unit is an entity of its own, and a
    unit that may belong to the denominator does. `lower` and `upper` bound the index over everything
    that those units could be; `low` and `high` bound `value` over resampled prefixes. They answer
    different questions and are never added up.
    """

    metric: str
    value: float | None
    """None where the index is not defined, as evenness is for one entity."""
    lower: float | None = None
    upper: float | None = None
    low: float | None = None
    high: float | None = None
    who: tuple[str, ...] = ()
    """Identifiers of the entities that `value` is about, largest first; unattributed units have none."""
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


PREFIXES = "/24 and /48"
HASHED_PREFIXES = "hashed blocks of /24 and /48"
"""The clusters of populations whose /24s are too many to keep apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How the sampling intervals were drawn, so that they can be drawn again."""

    seed: int
    replicates: int
    clusters: int
    """How many clusters were resampled."""
    blocks: int | None = None
    """Into how many blocks they were dealt first; None where each was drawn on its own."""
    confidence: float = 0.95
    cluster: str = PREFIXES
    """What the clusters are."""


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
