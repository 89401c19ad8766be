"""A distribution → its scores: every index with its bounds, and its sampling interval where drawn.

`value` is one completion, always the same: each unattributed unit an entity of its own, and every unit
that may belong to the denominator in it. It never claims more concentration than was seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from concentra.metrics import concentration
from concentra.metrics.bounds import Completions, any_completion
from concentra.metrics.membership import MembershipBounds, uncertain_membership
from concentra.model.audit import Cell, Distribution, Score

if TYPE_CHECKING:
    from concentra.metrics.bootstrap import Ints

SHARE, TOP3, HHI, EFFECTIVE, NAKAMOTO = "share", "top3", "hhi", "effective", "nakamoto"
DEFAULT_METRICS = (SHARE, TOP3, HHI, EFFECTIVE, NAKAMOTO)

NAKAMOTO_THRESHOLDS: dict[str, tuple[Fraction, bool, str]] = {
    NAKAMOTO: (Fraction(1, 2), True, "> 1/2"),
    "nakamoto_third": (Fraction(1, 3), True, "> 1/3"),
    "nakamoto_two_thirds": (Fraction(2, 3), False, "≥ 2/3"),
}
"""Threshold, whether it must be exceeded, and how that is printed (docs/method.md)."""

_OF_ATTRIBUTED = "over attributed units"

FURTHER: dict[str, tuple[Callable[[list[int]], float | None], str]] = {
    "hhi_unbiased": (
        lambda counts: concentration.unbiased_hhi(counts) if sum(counts) > 1 else None,
        f"two distinct units drawn share an entity; {_OF_ATTRIBUTED}",
    ),
    "centralization_score": (concentration.centralization_score, f"HHI − 1/N; {_OF_ATTRIBUTED}"),
    "hhi_normalized": (concentration.normalized_hhi, f"(HHI − 1/K)/(1 − 1/K); {_OF_ATTRIBUTED}"),
    "entities": (
        lambda counts: concentration.hill_number(counts, 0),
        f"Hill number of order 0; {_OF_ATTRIBUTED}",
    ),
    "hill_1": (
        lambda counts: concentration.hill_number(counts, 1),
        f"Hill number of order 1, exp H; {_OF_ATTRIBUTED}",
    ),
    "hill_2": (
        lambda counts: concentration.hill_number(counts, 2),
        f"Hill number of order 2, 1/HHI; {_OF_ATTRIBUTED}",
    ),
    "hill_inf": (
        lambda counts: concentration.hill_number(counts, float("inf")),
        f"Hill number of order ∞, 1/largest share; {_OF_ATTRIBUTED}",
    ),
    "evenness": (concentration.evenness, f"Pielou, H/ln K; {_OF_ATTRIBUTED}"),
    "theil": (concentration.theil_index, f"ln K − H, nats; {_OF_ATTRIBUTED}"),
    "gini": (concentration.gini_coefficient, f"inequality among observed entities only; {_OF_ATTRIBUTED}"),
}


def measure(distribution: Distribution, resampled: Ints | None = None, *, every_metric: bool = False) -> Cell:
    """Return all scores of one distribution.

    Parameters
    ----------
    distribution : Distribution
        Its counts are integers of one unit.
    resampled : int64, shape (replicates, n_entities + 1), optional
        Counts over resampled clusters, those of possible units included and unattributed units in the
        last column.
    every_metric : bool
        Whether to add the indices beyond the default line.
    """
    if distribution.total + distribution.possible == 0:
        return Cell(distribution=distribution, scores={})
    whole = [entity.units + entity.possible for entity in distribution.entities]
    apart = distribution.free + sum(part.units + part.possible for part in distribution.confined)
    reading = (
        any_completion(_spread(distribution), 0) if distribution.closed else any_completion(whole, apart)
    )
    least = reading if distribution.closed else least_concentrated(distribution)
    most = most_concentrated(distribution)
    # Who: as large as the reading has them, which is not the order of the distribution.
    ranked = sorted(distribution.entities, key=lambda entity: entity.units + entity.possible, reverse=True)
    ids = tuple(entity.id for entity in ranked)
    scores = [
        Score(
            metric=metric,
            value=reading.concentration_ratio(k).lower,
            lower=least.concentration_ratio(k).lower,
            upper=most.concentration_ratio(k).upper,
            who=ids[:k],
        )
        for metric, k in ((SHARE, 1), (TOP3, 3))
    ]
    scores += [
        Score(metric=HHI, value=reading.hhi().lower, lower=least.hhi().lower, upper=most.hhi().upper),
        Score(
            metric=EFFECTIVE,
            value=reading.effective_number().upper,
            lower=most.effective_number().lower,
            upper=least.effective_number().upper,
        ),
    ]
    for metric, (threshold, strict, text) in NAKAMOTO_THRESHOLDS.items():
        if metric == NAKAMOTO or every_metric:
            value = reading.nakamoto(threshold=threshold, strict=strict).upper
            scores.append(
                Score(
                    metric=metric,
                    value=value,
                    lower=most.nakamoto(threshold=threshold, strict=strict).lower,
                    upper=least.nakamoto(threshold=threshold, strict=strict).upper,
                    who=ids[:value],
                    definition=text,
                )
            )
    if every_metric:
        scores += _further(whole, reading.entropy().upper)
    cell = Cell(distribution=distribution, scores={score.metric: score for score in scores})
    return cell if resampled is None else with_intervals(cell, resampled)


def with_intervals(cell: Cell, resampled: Ints) -> Cell:
    """Return the cell with sampling intervals, where an index has one; `resampled` is that of `measure`.

    A closed set of entities has none: its reading spreads the unattributed units anew in each replicate.
    """
    if cell.distribution.closed:
        return cell
    scores = {metric: _with_interval(score, resampled) for metric, score in cell.scores.items()}
    return replace(cell, scores=scores)


def _spread(distribution: Distribution) -> list[int]:
    """Return the least concentrated counts of a closed set: unattributed units go where there are fewest.

    Those that are left when all are equal raise one entity above the others, so they are left out, if they
    may be.
    """
    seen = {entity.id: entity.units for entity in distribution.entities}
    counts = sorted(seen.get(identifier, 0) for identifier in distribution.closed)
    free = distribution.free
    for level in range(1, len(counts)):
        step = min((counts[level] - counts[0]) * level, free)
        share, left = divmod(step, level)
        counts[:level] = [count + share + (position < left) for position, count in enumerate(counts[:level])]
        free -= step
    share, left = divmod(free, len(counts))
    if left <= distribution.possible_unattributed and (share or any(counts)):
        left = 0
    return [count + share + (position < left) for position, count in enumerate(counts)]


def least_concentrated(distribution: Distribution) -> Completions | MembershipBounds:
    """Return the population whose lower bounds hold: who is confined to a group may still be on its own."""
    apart = distribution.free + sum(part.units + part.possible for part in distribution.confined)
    if not distribution.possible:
        return any_completion(distribution.counts, apart)
    return uncertain_membership(
        distribution.counts, [entity.possible for entity in distribution.entities], apart
    )


def most_concentrated(distribution: Distribution) -> Completions | MembershipBounds:
    """Return the population whose upper bounds hold: all that a group confines is with its largest entity.

    That is the one which no other of the group exceeds, neither in certain units nor in all. If two
    exceed each other, which can only be where some are possible, they are taken as one: entities that
    merge never lower the concentration, so the bounds hold, though no completion reaches them.
    """
    if not distribution.possible and not distribution.confined:
        return any_completion(distribution.counts, distribution.free)
    groups: dict[str, list[tuple[int, int]]] = {}
    for entity in distribution.entities:
        sizes = groups.setdefault(entity.id.partition("/")[0], [])
        sizes.append((entity.units, entity.units + entity.possible))
    for part in distribution.confined:
        largest, most = [(part.units, part.units + part.possible)], -1
        rest: list[tuple[int, int]] = []
        for units, whole in sorted(groups.get(part.group, []), reverse=True):
            (largest if whole > most else rest).append((units, whole))
            most = max(most, whole)
        groups[part.group] = [(sum(n for n, _ in largest), sum(n for _, n in largest)), *rest]
    entities = [size for sizes in groups.values() for size in sizes]
    return uncertain_membership(
        [units for units, _ in entities], [whole - units for units, whole in entities], distribution.free
    )


def _further(counts: list[int], entropy: float) -> list[Score]:
    known = [count for count in counts if count]
    return [
        Score(
            metric="entropy", value=entropy, definition="Shannon H, nats; each unattributed unit on its own"
        ),
        *(
            Score(metric=metric, value=index(known) if known else None, definition=text)
            for metric, (index, text) in FURTHER.items()
        ),
    ]


def _with_interval(score: Score, resampled: Ints) -> Score:
    """Return the score with the percentile interval of its value over the replicates."""
    from concentra.metrics import bootstrap

    counts, unknown = resampled[:, :-1], resampled[:, -1]
    match score.metric:
        case "share":
            values = bootstrap.largest_share(counts, unknown)
        case "top3":
            values = bootstrap.concentration_ratio(counts, 3, unknown)
        case "hhi":
            values = bootstrap.hhi(counts, unknown)
        case "effective":
            values = bootstrap.effective_number(counts, unknown)
        case _:
            return score
    interval = bootstrap.percentile_interval(values)
    return score if interval is None else replace(score, low=interval.lower, high=interval.upper)
