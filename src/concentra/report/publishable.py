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


def _merge(entities: Sequence[Entity]) -> PublishableRow:
    return PublishableRow(
        id=MERGED_ID,
        name=MERGED_NAME,
        members=tuple(entity.id for entity in entities),
        units=sum(entity.units for entity in entities),
        possible=sum(entity.possible for entity in entities),
    )
