"""Attributed units → distributions: how the units of one whole fall among the entities of one axis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from concentra.attribution.attribute import AttributedUnits, Attribution
from concentra.attribution.providers import ProviderTable
from concentra.model.audit import Conflict, Distribution, Entity
from concentra.model.axes import HOSTED_KINDS, PUBLISHABLE_KINDS, Axis, Denominator

UNKNOWN_ENTITY: Mapping[Axis, str] = {
    Axis.PROVIDER: "no announced prefix",
    Axis.PARENT: "no announced prefix",
    Axis.ASN: "no announced prefix",
    Axis.REGION: "no region published",
    Axis.COUNTRY: "no country registered",
    Axis.KIND: "kind of network unknown",
}
UNKNOWN_KIND = "kind of network unknown"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tabulation:
    """A distribution, and which of its columns each attribution belongs to."""

    distribution: Distribution
    column_of_key: NDArray[np.int64]
    """Position in ``distribution.entities`` of each attribution; the column after the last entity for
    unattributed ones, -1 for those outside the denominator."""


def tabulate(
    attributions: Sequence[Attribution],
    units: NDArray[np.int64],
    providers: ProviderTable,
    axis: Axis,
    denominator: Denominator,
) -> Tabulation:
    """Return the distribution of `units` on `axis`.

    Parameters
    ----------
    attributions : sequence of Attribution, length K
    units : int64, shape (K,)
        Units of each attribution.
    providers : ProviderTable
        For names.
    axis, denominator
        What the units are divided by, and out of which whole.
    """
    entity_of_key = [_entity_or_reason(attribution, axis, denominator) for attribution in attributions]
    members: dict[str, list[int]] = {}
    unattributed: Counter[str] = Counter()
    for key, (entity, reason) in enumerate(entity_of_key):
        if entity is not None:
            members.setdefault(entity, []).append(key)
        elif reason is not None and units[key]:
            unattributed[reason] += int(units[key])
    entities = sorted(
        (_entity(identifier, keys, attributions, units, providers) for identifier, keys in members.items()),
        key=lambda entity: (-entity.units, entity.id),
    )
    column = {entity.id: position for position, entity in enumerate(entities)}
    columns = [
        column[entity] if entity is not None else len(entities) if reason is not None else -1
        for entity, reason in entity_of_key
    ]
    return Tabulation(
        distribution=Distribution(
            axis=axis,
            denominator=denominator,
            entities=tuple(entities),
            unattributed=dict(sorted(unattributed.items())),
        ),
        column_of_key=np.array(columns, np.int64),
    )


def conflicts(attributed: AttributedUnits) -> tuple[Conflict, ...]:
    """Return every disagreement between two sources, with the units that it touches, largest first."""
    units = attributed.units_of()
    totals: Counter[tuple[str, str, str, str, str]] = Counter()
    publishable: Counter[tuple[str, str, str, str, str]] = Counter()
    for key, attribution in enumerate(attributed.attributions):
        for contradiction in attribution.contradictions:
            totals[contradiction] += int(units[key])
            publishable[contradiction] += int(units[key]) if attribution.kind in PUBLISHABLE_KINDS else 0
    return tuple(
        Conflict(
            about=about,
            followed=followed,
            followed_basis=followed_basis,
            rejected=rejected,
            rejected_basis=rejected_basis,
            units=count,
            publishable=publishable[about, followed, followed_basis, rejected, rejected_basis],
        )
        for (about, followed, followed_basis, rejected, rejected_basis), count in sorted(
            totals.items(), key=lambda item: (-item[1], item[0])
        )
    )


def _entity_or_reason(
    attribution: Attribution, axis: Axis, denominator: Denominator
) -> tuple[str | None, str | None]:
    """Return the entity, or the reason why it is unknown; neither if the denominator leaves the unit out.

    A unit of unknown kind may be hosted, by anybody, so in the denominator `hosted` it is unattributed.
    """
    entity = attribution.entity(axis)
    if denominator is Denominator.HOSTED:
        if attribution.kind is None:
            return None, UNKNOWN_KIND
        if attribution.kind not in HOSTED_KINDS:
            return None, None
    if entity is None and denominator is not Denominator.ATTRIBUTED:
        return None, UNKNOWN_ENTITY[axis]
    return entity, None


def _entity(
    identifier: str,
    keys: Sequence[int],
    attributions: Sequence[Attribution],
    units: NDArray[np.int64],
    providers: ProviderTable,
) -> Entity:
    name = providers.name_of(identifier)
    if name == identifier and identifier.startswith("AS"):
        name = attributions[keys[0]].organisation or identifier
    return Entity(
        id=identifier,
        name=name,
        units=int(sum(units[key] for key in keys)),
        publishable=int(sum(units[key] for key in keys if attributions[key].kind in PUBLISHABLE_KINDS)),
    )
