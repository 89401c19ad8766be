"""Every way to complete a small population: the oracle that bounds are compared with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from concentra.model.audit import Confined, Distribution, Entity
from concentra.model.axes import Axis, Denominator


def population(
    entities: Mapping[str, tuple[int, int]],
    *,
    unattributed: int = 0,
    possible_unattributed: int = 0,
    apart: int = 0,
    axis: Axis = Axis.PROVIDER,
    denominator: Denominator = Denominator.ALL,
) -> Distribution:
    """Return a distribution of entities with their certain and possible units."""
    ordered = sorted(entities.items(), key=lambda item: (-item[1][0], -item[1][1], item[0]))
    return Distribution(
        axis=axis,
        denominator=denominator,
        entities=tuple(Entity(id=key, name=key, units=n, possible=m) for key, (n, m) in ordered),
        unattributed={"unlisted": unattributed} if unattributed else {},
        confined=(Confined(group="not-hosted", units=apart),) if apart else (),
        possible_unattributed=possible_unattributed,
    )


def partitions(units: int, largest: int) -> Iterator[tuple[int, ...]]:
    """Yield every way to write `units` as a sum, in descending order."""
    if not units:
        yield ()
    for first in range(min(units, largest), 0, -1):
        for rest in partitions(units - first, first):
            yield (first, *rest)


def compositions(units: int, places: int) -> Iterator[tuple[int, ...]]:
    """Yield every way to deal `units` to so many places."""
    if places == 0:
        if not units:
            yield ()
        return
    for first in range(units + 1):
        for rest in compositions(units - first, places - 1):
            yield (first, *rest)


def completions(distribution: Distribution, members: Sequence[str]) -> Iterator[dict[str, int]]:
    """Yield the counts of every completion that has a unit; entities that were never seen are ``new…``."""
    ids = list(dict.fromkeys([*(entity.id for entity in distribution.entities), *members]))
    sizes = {entity.id: (entity.units, entity.possible) for entity in distribution.entities}
    ranges = [range(n, n + m + 1) for n, m in (sizes.get(name, (0, 0)) for name in ids)]
    apart = sum(part.units for part in distribution.confined)
    certain = sum(distribution.unattributed.values())
    for counted, other in product(product(*ranges), partitions(apart, apart)):
        seen = dict(zip(ids, counted, strict=True)) | {f"other{i}": n for i, n in enumerate(other)}
        for joining in range(distribution.possible_unattributed + 1):
            free = certain + joining
            for new in range(free + 1):
                for dealt, fresh in product(compositions(free - new, len(seen)), partitions(new, new)):
                    counts = {name: n + more for (name, n), more in zip(seen.items(), dealt, strict=True)}
                    counts |= {f"new{i}": n for i, n in enumerate(fresh)}
                    if any(counts.values()):
                        yield counts
