"""Attributed units → distributions: how the units of one whole fall among the entities of one axis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from concentra.attribution.attribute import AttributedUnits
from concentra.attribution.evidence import Attribution
from concentra.attribution.explain import SEVERAL_ORIGINS
from concentra.model.audit import Confined, Conflict, Distribution, Entity
from concentra.model.axes import HOSTED_KINDS, PUBLISHABLE_KINDS, Axis, Denominator, Kind

UNKNOWN_ENTITY: Mapping[Axis, str] = {
    Axis.PROVIDER: "no announced prefix",
    Axis.PARENT: "no announced prefix",
    Axis.ASN: "no announced prefix",
    Axis.REGION: "no region published",
    Axis.COUNTRY: "no country registered",
    Axis.KIND: "kind of network unknown",
}
"""Why the entity of a unit may be unknown; where a prefix is announced, `unknown_because` tells."""

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

NOBODY = -1


def unknown_because(attribution: Attribution, axis: Axis) -> str:
    """Return why the entity on `axis` of a unit with this attribution is unknown."""
    if axis in {Axis.PROVIDER, Axis.PARENT, Axis.ASN} and attribution.origins:
        return SEVERAL_ORIGINS
    return UNKNOWN_ENTITY[axis]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tabulation:
    """A distribution, and which of its columns each attribution belongs to."""

    distribution: Distribution
    column_of_key: Ints
    """Position in ``distribution.entities`` of each attribution; the column after the last entity for
    unattributed ones, -1 for those that are certainly outside the denominator."""

    @property
    def columns(self) -> int:
        """One for each entity, and one for unattributed units."""
        return len(self.distribution.entities) + 1


@dataclass(frozen=True, slots=True, eq=False)
class _Coded:
    """The entities of one axis, numbered in the order of their identifiers."""

    ids: Sequence[str]
    names: Sequence[str]
    """Their names for people."""
    code: Ints
    """Number of each attribution's entity, or `NOBODY`."""


class Tabulator:
    """Tables of one attributed population, along any axis and out of any whole.

    Parameters
    ----------
    attributed : AttributedUnits
    names : mapping
        Identifier → name for people, of curated providers and parents.
    """

    def __init__(self, attributed: AttributedUnits, names: Mapping[str, str]) -> None:
        self._attributions = attributed.attributions
        self._names = names
        self._units = attributed.units_of()
        kinds = [attribution.kind for attribution in attributed.attributions]
        self._hosted: Mask = np.array([kind in HOSTED_KINDS for kind in kinds], np.bool_)
        self._kind_unknown: Mask = np.array([kind is None for kind in kinds], np.bool_)
        self._publishable: Mask = np.array([kind in PUBLISHABLE_KINDS for kind in kinds], np.bool_)
        self._coded: dict[Axis, _Coded] = {}
        self._organisations = {
            f"AS{attribution.asn}": attribution.organisation
            for attribution in attributed.attributions
            if attribution.organisation is not None
        }

    def tabulate(self, axis: Axis, denominator: Denominator) -> Tabulation:
        """Return how the units of `denominator` fall among the entities of `axis`."""
        coded = self._codes(axis)
        certain, possible = self._membership(denominator)
        if denominator is Denominator.ATTRIBUTED:
            certain &= coded.code != NOBODY
        units = self._by_entity(coded, certain)
        maybe = self._by_entity(coded, possible)
        publishable = self._by_entity(coded, (certain | possible) & self._publishable)
        order = np.lexsort((np.arange(len(units)), -maybe, -units))
        order = order[(units + maybe)[order] > 0]
        entities = _entities(coded, order, units, maybe, publishable)
        column_of_entity = np.full(len(units) + 1, NOBODY)
        column_of_entity[order] = np.arange(len(order))
        column_of_entity[NOBODY] = len(order)  # the last entry, which NOBODY points to
        columns = np.where(certain | possible, column_of_entity[coded.code], NOBODY)
        return Tabulation(
            distribution=self._distribution(axis, denominator, entities, coded, certain, possible),
            column_of_key=columns,
        )

    def largest(self, axis: Axis, count: int) -> tuple[Entity, ...]:
        """Return the `count` largest entities of `axis` among all units, without the others."""
        coded = self._codes(axis)
        everyone, _ = self._membership(Denominator.ALL)
        units = self._by_entity(coded, everyone)
        publishable = self._by_entity(coded, self._publishable)
        order = np.lexsort((np.arange(len(units)), -units))[:count]
        return _entities(coded, order, units, np.zeros_like(units), publishable)

    def _membership(self, denominator: Denominator) -> tuple[Mask, Mask]:
        """Return which attributions belong to the denominator for certain, and which may."""
        if denominator is Denominator.HOSTED:
            return self._hosted.copy(), self._kind_unknown
        return np.ones(len(self._units), np.bool_), np.zeros(len(self._units), np.bool_)

    def _codes(self, axis: Axis) -> _Coded:
        if axis not in self._coded:
            entities = [attribution.entity(axis) for attribution in self._attributions]
            ids = sorted({entity for entity in entities if entity is not None})
            number: dict[str | None, int] = {entity: code for code, entity in enumerate(ids)}
            number[None] = NOBODY
            code = np.array([number[entity] for entity in entities], np.int64)
            self._coded[axis] = _Coded(ids, [self._name(identifier) for identifier in ids], code)
        return self._coded[axis]

    def _by_entity(self, coded: _Coded, chosen: Mask) -> Ints:
        """Return the units of each entity among the chosen attributions."""
        rows = np.flatnonzero(chosen & (coded.code != NOBODY))
        totals = np.zeros(len(coded.ids), np.int64)
        np.add.at(totals, coded.code[rows], self._units[rows])
        return totals

    def _distribution(
        self,
        axis: Axis,
        denominator: Denominator,
        entities: tuple[Entity, ...],
        coded: _Coded,
        certain: Mask,
        possible: Mask,
    ) -> Distribution:
        """Return the distribution, with the units whose entity is unknown counted by what is known."""
        unattributed: Counter[str] = Counter()
        possible_unattributed = 0
        confined: dict[str, list[int]] = {}
        for key in np.flatnonzero((certain | possible) & (coded.code == NOBODY)).tolist():
            units = int(self._units[key])
            provider = self._attributions[key].provider
            if axis is Axis.REGION and provider is not None:
                confined.setdefault(provider, [0, 0])[int(possible[key])] += units
            elif possible[key]:
                possible_unattributed += units
            elif units:
                unattributed[unknown_because(self._attributions[key], axis)] += units
        return Distribution(
            axis=axis,
            denominator=denominator,
            entities=entities,
            unattributed=dict(unattributed),
            confined=tuple(
                Confined(group=group, units=sure, possible=maybe)
                for group, (sure, maybe) in sorted(confined.items())
            ),
            confined_reason=UNKNOWN_ENTITY[axis] if confined else "",
            closed=_closed(axis, denominator),
            possible_unattributed=possible_unattributed,
        )

    def _name(self, identifier: str) -> str:
        """Return the name for people: curated, else as the registry has it."""
        return self._names.get(identifier) or self._organisations.get(identifier) or identifier


def _entities(
    coded: _Coded, order: Ints, units: Ints, possible: Ints, publishable: Ints
) -> tuple[Entity, ...]:
    """Return the entities whose numbers are in `order`, with their units."""
    counts = zip(*(column[order].tolist() for column in (units, possible, publishable)), strict=True)
    return tuple(
        Entity(
            id=coded.ids[entity], name=coded.names[entity], units=sure, possible=unsure, publishable=public
        )
        for entity, (sure, unsure, public) in zip(order.tolist(), counts, strict=True)
    )


def _closed(axis: Axis, denominator: Denominator) -> tuple[str, ...]:
    if axis is not Axis.KIND:
        return ()
    return tuple(kind.value for kind in Kind if denominator is not Denominator.HOSTED or kind in HOSTED_KINDS)


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
