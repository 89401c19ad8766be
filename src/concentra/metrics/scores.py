"""A distribution → its scores: every index with its bounds, and its sampling interval where drawn.

`value` is always the least concentrated completion of the unattributed units, each an entity of its
own, so that a figure never claims more concentration than was seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from concentra.metrics import concentration
from concentra.metrics.bounds import Bounds, any_completion
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
"""Threshold, whether it must be exceeded, and how that is printed (METHOD §1.3)."""

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
        The same counts over resampled clusters, unattributed units in the last column.
    every_metric : bool
        Whether to add the indices beyond the default line (METHOD §1.5).
    """
    if distribution.total == 0:
        return Cell(distribution=distribution, scores={})
    completions = any_completion(distribution.counts, distribution.unknown)
    ids = tuple(entity.id for entity in distribution.entities)
    effective = completions.effective_number()
    scores = [
        _least(SHARE, completions.concentration_ratio(1), who=ids[:1]),
        _least(TOP3, completions.concentration_ratio(3), who=ids[:3]),
        _least(HHI, completions.hhi()),
        Score(metric=EFFECTIVE, value=effective.upper, lower=effective.lower, upper=effective.upper),
    ]
    for metric, (threshold, strict, text) in NAKAMOTO_THRESHOLDS.items():
        if metric == NAKAMOTO or every_metric:
            entities = completions.nakamoto(threshold=threshold, strict=strict)
            scores.append(
                Score(
                    metric=metric,
                    value=entities.upper,
                    lower=entities.lower,
                    upper=entities.upper,
                    who=ids[: entities.upper],
                    definition=text,
                )  # fmt: skip
            )
    if every_metric:
        entropy = completions.entropy()
        scores.append(
            Score(
                metric="entropy",
                value=entropy.upper,
                lower=entropy.lower,
                upper=entropy.upper,
                definition="Shannon H, nats",
            )
        )
        scores += [
            Score(
                metric=metric,
                value=index(distribution.counts) if distribution.counts else None,
                definition=text,
            )
            for metric, (index, text) in FURTHER.items()
        ]
    if resampled is not None:
        scores = [_with_interval(score, resampled) for score in scores]
    return Cell(distribution=distribution, scores={score.metric: score for score in scores})


def _least(metric: str, bounds: Bounds[float], who: tuple[str, ...] = ()) -> Score:
    return Score(metric=metric, value=bounds.lower, lower=bounds.lower, upper=bounds.upper, who=who)


def _with_interval(score: Score, resampled: Ints) -> Score:
    """Return the score with the percentile interval of its value over the replicates."""
    from concentra.metrics import bootstrap  # noqa: PLC0415 - NumPy, and only where intervals are drawn

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
