"""What of a distribution may leave the machine, in one place for every format (docs/ethics.md).

A cell of fewer than `SMALL_CELL` units that holds a unit outside hosting and edge networks could point
to somebody's home, so all such cells of a distribution are merged into one row that names nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from concentra.attribution.comparison import Move
from concentra.model.audit import Conflict, Distribution, Entity
from concentra.model.axes import SMALL_CELL
from concentra.model.population_comparison import ProviderFlow

MERGED_ID = "(small cells)"
MERGED_NAME = f"entities outside hosting with fewer than {SMALL_CELL} units each"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishableRow:
    """One row of an export: an entity, or all entities too small to be named."""

    id: str
    name: str
    members: tuple[str, ...]
    """Identifiers of the entities that the row stands for; they are not for publication."""
    units: int
    possible: int


def publishable_rows(distribution: Distribution) -> Sequence[PublishableRow]:
    """Return the rows that may be published, largest first, the merged one last.

    Examples
    --------
    >>> from concentra.model.axes import Axis, Denominator
    >>> home = [Entity(id=f"AS6449{n}", name="Home ISP", units=n, publishable=0) for n in (9, 8)]
    >>> host = Entity(id="host", name="Host", units=2, publishable=2)
    >>> rows = publishable_rows(Distribution(
    ...     axis=Axis.PROVIDER, denominator=Denominator.ALL, entities=(*home, host), unattributed={}))
    >>> [(row.id, len(row.members), row.units) for row in rows]
    [('host', 1, 2), ('(small cells)', 2, 17)]
    """
    named: list[Entity] = []
    merged: list[Entity] = []
    for entity in distribution.entities:
        size = entity.units + entity.possible
        (merged if size < SMALL_CELL and entity.publishable < size else named).append(entity)
    rows = [
        PublishableRow(
            id=entity.id, name=entity.name, members=(entity.id,), units=entity.units, possible=entity.possible
        )
        for entity in named
    ]
    if merged:
        rows.append(_merge(merged))
    return rows


def publishable_names(distribution: Distribution) -> frozenset[str]:
    """Return the identifiers that may be named; scores name no other entity."""
    return frozenset(row.id for row in publishable_rows(distribution))


def publishable_conflicts(conflicts: Sequence[Conflict]) -> Sequence[Conflict]:
    """Return the conflicts, with the small ones outside hosting merged by what they are about."""
    named: list[Conflict] = []
    merged: dict[str, int] = {}
    for conflict in conflicts:
        if conflict.units < SMALL_CELL and conflict.publishable < conflict.units:
            merged[conflict.about] = merged.get(conflict.about, 0) + conflict.units
        else:
            named.append(conflict)
    return named + [
        Conflict(
            about=about,
            followed=MERGED_ID,
            followed_basis="",
            rejected=MERGED_ID,
            rejected_basis="",
            units=units,
            publishable=0,
        )
        for about, units in sorted(merged.items())
    ]


def publishable_moves(moves: Sequence[Move]) -> Sequence[Move]:
    """Return the differences between two maps, with the small ones outside hosting merged into one.

    Both maps have to tell that a unit is on a hosting or edge network: a home stays one where the other
    map takes it for a data centre.
    """
    small = [move for move in moves if move.units < SMALL_CELL and move.publishable < move.units]
    if not small:
        return moves
    merged = Move(
        a=MERGED_ID,
        a_name=MERGED_NAME,
        b=MERGED_ID,
        b_name=MERGED_NAME,
        units=sum(move.units for move in small),
        publishable=0,
    )
    return [*(move for move in moves if move not in small), merged]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishableFlow:
    """One row of an export of a comparison: a provider, or all that are too small to be named."""

    flow: ProviderFlow
    entities: int
    """How many providers the row stands for."""
    withheld: bool
    """Whether one of the counts of units that left, moved or arrived is too small to be published."""


def publishable_flows(flows: Sequence[ProviderFlow]) -> Sequence[PublishableFlow]:
    """Return what may be published of how providers' units came from old to new, in their order.

    A provider with units outside hosting and edge networks is merged with others of its kind if it is small
    in old or in new. If only what left, moved or arrived is few, those counts are withheld: an export of the
    one population and one of the other tell the remaining two.

    Examples
    --------
    >>> def flow(name, old, left, arrived):
    ...     return ProviderFlow(id=name, name=name, old=old, new=old - left + arrived, left=left,
    ...                         arrived=arrived, moved_in=0, moved_out=0, publishable=name == "host")
    >>> rows = publishable_flows([flow("host", 3, 1, 0), flow("home", 40, 3, 12), flow("isp", 9, 0, 7)])
    >>> [(row.flow.id, row.flow.old, row.withheld) for row in rows]
    [('host', 3, False), ('home', 40, True), ('(small cells)', 9, True)]
    """
    named: list[PublishableFlow] = []
    merged: list[ProviderFlow] = []
    for flow in flows:
        if _protected(flow, flow.old, flow.new):
            merged.append(flow)
        else:
            named.append(PublishableFlow(flow=flow, entities=1, withheld=_steps_protected(flow)))
    if merged:
        whole = ProviderFlow(
            id=MERGED_ID,
            name=MERGED_NAME,
            old=sum(flow.old for flow in merged),
            new=sum(flow.new for flow in merged),
            left=sum(flow.left for flow in merged),
            arrived=sum(flow.arrived for flow in merged),
            moved_out=sum(flow.moved_out for flow in merged),
            moved_in=sum(flow.moved_in for flow in merged),
            publishable=False,
        )
        named.append(PublishableFlow(flow=whole, entities=len(merged), withheld=_steps_protected(whole)))
    return named


def _steps_protected(flow: ProviderFlow) -> bool:
    return _protected(flow, flow.left, flow.moved_out, flow.moved_in, flow.arrived)


def _protected(flow: ProviderFlow, *counts: int) -> bool:
    """Tell whether one of the counts is small, and may be of homes; units of no provider point to nobody."""
    small = any(0 < count < SMALL_CELL for count in counts)
    return small and not flow.publishable and flow.id is not None


def _merge(entities: Sequence[Entity]) -> PublishableRow:
    return PublishableRow(
        id=MERGED_ID,
        name=MERGED_NAME,
        members=tuple(entity.id for entity in entities),
        units=sum(entity.units for entity in entities),
        possible=sum(entity.possible for entity in entities),
    )
