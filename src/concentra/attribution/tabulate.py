"""Attributed units → distributions: how the units of one whole fall among the entities of one axis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from concentra.attribution.attribute import AttributedUnits, Attribution
from concentra.attribution.providers import ProviderTable
from concentra.model.audit import Confined, Conflict, Distribution, Entity
from concentra.model.axes import HOSTED_KINDS, PUBLISHABLE_KINDS, Axis, Denominator

UNKNOWN_ENTITY: Mapping[Axis, str] = {
    Axis.PROVIDER: "no announced prefix",
    Axis.PARENT: "no announced prefix",
    Axis.ASN: "no announced prefix",
    Axis.REGION: "no region published",
    Axis.COUNTRY: "no country registered",
    Axis.KIND: "kind of network unknown",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tabulation:
    """A distribution, and which of its columns each attribution belongs to."""

    distribution: Distribution
    column_of_key: NDArray[np.int64]
    """Position in ``distribution.entities`` of each attribution; the column after the last entity for
    unattributed ones, -1 for those that are certainly outside the denominator."""


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
    places = [_place(attribution, axis, denominator) for attribution in attributions]
    members: dict[str, list[int]] = {}
    unattributed: Counter[str] = Counter()
    confined: dict[str, list[int]] = {}
    possible_unattributed = 0
    for key, place in enumerate(places):
        if place.entity is not None:
            members.setdefault(place.entity, []).append(key)
        elif place.group is not None:
            confined.setdefault(place.group, [0, 0])[not place.certain] += int(units[key])
        elif place.reason is not None and not place.certain:
            possible_unattributed += int(units[key])
        elif place.reason is not None and units[key]:
            unattributed[place.reason] += int(units[key])
    entities = sorted(
        (
            _entity(identifier, keys, places, attributions, units, providers)
            for identifier, keys in members.items()
        ),
        key=lambda entity: (-entity.units, -entity.possible, entity.id),
    )
    column = {entity.id: position for position, entity in enumerate(entities)}
    columns = [
        column[place.entity]
        if place.entity is not None
        else len(entities)
        if place.reason is not None
        else -1
        for place in places
    ]
    return Tabulation(
        distribution=Distribution(
            axis=axis,
            denominator=denominator,
            entities=tuple(entities),
            unattributed=dict(sorted(unattributed.items())),
            confined=tuple(
                Confined(group=group, units=certain, possible=possible)
                for group, (certain, possible) in sorted(confined.items())
            ),
            confined_reason=UNKNOWN_ENTITY[axis] if confined else "",
            possible_unattributed=possible_unattributed,
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


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an attribution stands in a distribution; nowhere if it has neither entity nor reason."""

    entity: str | None = None
    reason: str | None = None
    """Why the entity is unknown."""
    group: str | None = None
    """Within which group it lies all the same."""
    certain: bool = True
    """Whether it belongs to the denominator for certain."""


def _place(attribution: Attribution, axis: Axis, denominator: Denominator) -> _Place:
    entity = attribution.entity(axis)
    if denominator is Denominator.ATTRIBUTED:
        return _Place(entity)
    certain = True
    if denominator is Denominator.HOSTED:
        if attribution.kind is not None and attribution.kind not in HOSTED_KINDS:
            return _Place()
        certain = attribution.kind is not None
    if entity is not None:
        return _Place(entity, certain=certain)
    group = attribution.provider if axis is Axis.REGION else None
    return _Place(reason=UNKNOWN_ENTITY[axis], group=group, certain=certain)


def _entity(
    identifier: str,
    keys: Sequence[int],
    places: Sequence[_Place],
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
        units=int(sum(units[key] for key in keys if places[key].certain)),
        possible=int(sum(units[key] for key in keys if not places[key].certain)),
        publishable=int(sum(units[key] for key in keys if attributions[key].kind in PUBLISHABLE_KINDS)),
    )
