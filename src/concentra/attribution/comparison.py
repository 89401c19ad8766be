"""Two attributions of the same units: where they agree, and what becomes what where they do not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from concentra.attribution.attribute import AttributedUnits
from concentra.attribution.evidence import Attribution
from concentra.model.axes import PUBLISHABLE_KINDS, Axis
from concentra.model.provenance import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """The units that one map gives to one entity, and the other map to another."""

    a: str | None
    """Identifier of the entity in A; None where it is unknown there."""
    a_name: str
    """Its name for people."""
    b: str | None
    b_name: str
    units: int
    publishable: int
    """Those of `units` that are on hosting or edge networks by both maps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisComparison:
    """How the units fall on one axis in two maps; the five counts add up to all units."""

    axis: Axis
    alike: int
    """Units with one known entity in both."""
    different: int
    """Units with two known entities."""
    unknown_in_a: int
    """Units whose entity only B knows."""
    unknown_in_b: int
    """Units whose entity only A knows."""
    unknown_in_both: int
    moves: tuple[Move, ...]
    """Every pair of entities that differ, one of them perhaps unknown; largest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedMap:
    """One of the two maps."""

    directory: Path
    """Where it is on this machine; not for documents that leave it."""
    as_of: date
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MapComparison:
    """What two maps say of one population."""

    title: str
    population: Source
    notes: tuple[str, ...]
    """What a reader must know about how the population was collected."""
    total: int
    """Units: addresses."""
    a: ComparedMap
    b: ComparedMap
    axes: tuple[AxisComparison, ...]


def compare(
    a: AttributedUnits, b: AttributedUnits, axes: Sequence[Axis], names: Mapping[str, str]
) -> tuple[AxisComparison, ...]:
    """Return how two attributions of the same addresses, row by row, fall on each of `axes`.

    Parameters
    ----------
    a, b : AttributedUnits
        Of the same addresses in the same order.
    axes : sequence of Axis
    names : mapping
        Identifier → name for people, of curated providers and parents.
    """
    pairs = _pairs(a, b)
    known = dict(names)
    for attribution in (*a.attributions, *b.attributions):
        if attribution.organisation is not None:
            known.setdefault(f"AS{attribution.asn}", attribution.organisation)
    return tuple(_on(axis, pairs, known) for axis in axes)


def _pairs(a: AttributedUnits, b: AttributedUnits) -> Sequence[tuple[Attribution, Attribution, int]]:
    """Return the distinct pairs of attributions with their units."""
    both = a.key * len(b.attributions) + b.key
    distinct, position = np.unique(both, return_inverse=True)
    units: NDArray[np.int64] = np.zeros(len(distinct), np.int64)
    np.add.at(units, position, a.weight)
    first, second = np.divmod(distinct, max(len(b.attributions), 1))
    return [
        (a.attributions[one], b.attributions[other], count)
        for one, other, count in zip(first.tolist(), second.tolist(), units.tolist(), strict=True)
    ]


def _on(
    axis: Axis, pairs: Sequence[tuple[Attribution, Attribution, int]], names: Mapping[str, str]
) -> AxisComparison:
    totals: Counter[tuple[str | None, str | None]] = Counter()
    publishable: Counter[tuple[str | None, str | None]] = Counter()
    for one, other, units in pairs:
        cell = one.entity(axis), other.entity(axis)
        totals[cell] += units
        if one.kind in PUBLISHABLE_KINDS and other.kind in PUBLISHABLE_KINDS:
            publishable[cell] += units
    moves = [
        Move(
            a=a,
            a_name=_name(a, names),
            b=b,
            b_name=_name(b, names),
            units=units,
            publishable=publishable[a, b],
        )
        for (a, b), units in totals.items()
        if a != b
    ]
    return AxisComparison(
        axis=axis,
        alike=sum(units for (a, b), units in totals.items() if a is not None and a == b),
        different=sum(move.units for move in moves if move.a is not None and move.b is not None),
        unknown_in_a=sum(move.units for move in moves if move.a is None),
        unknown_in_b=sum(move.units for move in moves if move.b is None),
        unknown_in_both=totals[None, None],
        moves=tuple(sorted(moves, key=lambda move: (-move.units, move.a or "", move.b or ""))),
    )


def _name(identifier: str | None, names: Mapping[str, str]) -> str:
    return "" if identifier is None else names.get(identifier, identifier)
