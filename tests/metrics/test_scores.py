from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import product
from math import exp, log
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.metrics import bootstrap
from concentra.metrics import concentration as c
from concentra.metrics.scores import DEFAULT_METRICS, FURTHER, NAKAMOTO_THRESHOLDS, measure
from concentra.model.audit import Confined, Distribution, Entity, Score
from concentra.model.axes import Axis, Denominator

Known = tuple[int, ...]
New = tuple[tuple[str, int], ...]
"""Entities that were never seen, sorted: their group, or none, and their units."""

THRESHOLDS = [(NAKAMOTO_THRESHOLDS[name][0], NAKAMOTO_THRESHOLDS[name][1]) for name in NAKAMOTO_THRESHOLDS]
BOUNDED = (*DEFAULT_METRICS[:4], *NAKAMOTO_THRESHOLDS)


def distribution(
    *entities: tuple[str, int, int],
    free: int = 0,
    maybe: int = 0,
    confined: Sequence[tuple[str, int, int]] = (),
    denominator: Denominator = Denominator.HOSTED,
) -> Distribution:
    ordered = sorted(entities, key=lambda entity: (-entity[1], -entity[2], entity[0]))
    return Distribution(
        axis=Axis.REGION,
        denominator=denominator,
        entities=tuple(Entity(id=i, name=i, units=n, possible=m) for i, n, m in ordered),
        unattributed={"no region published": free} if free else {},
        confined=tuple(Confined(group=g, units=n, possible=m) for g, n, m in confined),
        confined_reason="no region published" if confined else "",
        possible_unattributed=maybe,
    )


def completions(case: Distribution) -> Iterator[tuple[int, ...]]:
    """Yield the counts of every population that the distribution allows, but for the one without units."""
    groups = tuple(entity.id.partition("/")[0] for entity in case.entities)
    spare = [range(entity.possible + 1) for entity in case.entities]
    sure = tuple(part.group for part in case.confined for _ in range(part.units))
    sure += ("",) * sum(case.unattributed.values())
    maybe = tuple(part.group for part in case.confined for _ in range(part.possible))
    maybe += ("",) * case.possible_unattributed
    seen = set()
    for extra in product(*spare):
        counts = tuple(entity.units + x for entity, x in zip(case.entities, extra, strict=True))
        for taken in product((True, False), repeat=len(maybe)):
            joining = sure + tuple(group for group, is_in in zip(maybe, taken, strict=True) if is_in)
            # Confined ones first: a free unit may join the entities that they found.
            for known, new in placed(counts, (), tuple(sorted(joining, reverse=True)), groups):
                seen.add(tuple(sorted([n for n in known if n] + [n for _, n in new], reverse=True)))
    yield from seen - {()}


@cache
def placed(
    known: Known, new: New, joining: tuple[str, ...], groups: tuple[str, ...]
) -> set[tuple[Known, New]]:
    """Return every way to give each unit of `joining` to an entity of its group, or any if it has none."""
    if not joining:
        return {(known, new)}
    group, rest = joining[0], joining[1:]
    ways = placed(known, tuple(sorted((*new, (group, 1)))), rest, groups)
    for place, of in enumerate(groups):
        if group in {"", of}:
            ways = ways | placed((*known[:place], known[place] + 1, *known[place + 1 :]), new, rest, groups)
    for place, (of, units) in enumerate(new):
        if group in {"", of}:
            grown = tuple(sorted((*new[:place], (of, units + 1), *new[place + 1 :])))
            ways = ways | placed(known, grown, rest, groups)
    return ways


@cache
def indices(counts: tuple[int, ...]) -> tuple[float, ...]:
    """Return the indices of `BOUNDED` by their definitions."""
    return (
        c.largest_share(counts),
        c.concentration_ratio(counts, 3),
        c.herfindahl_hirschman_index(counts),
        c.effective_number(counts),
        *(c.nakamoto_coefficient(counts, threshold=t, strict=strict) for t, strict in THRESHOLDS),
    )


def small_distributions(seed: int, cases: int, *, possible: bool) -> Iterator[Distribution]:
    """Yield distributions of at most seven units in two groups, every part of which may be empty."""
    random = Random(seed)
    names = ("aws/a", "aws/b", "aws/c", "ovh/a", "ovh/b")
    while cases:
        entities = [(name, random.randrange(4), random.randrange(5) * possible) for name in names]
        some = [entity for entity in entities if entity[1] + entity[2] and random.random() < 0.7]
        confined = [
            (group, random.randrange(3), random.randrange(2) * possible)
            for group in ("aws", "unseen")
            if random.random() < 0.6
        ]
        made = distribution(
            *some,
            free=random.choice([0, 0, 1, 2]),
            maybe=random.choice([0, 0, 1]) * possible,
            confined=confined,
        )
        if 0 < made.total + made.possible <= 7:
            cases -= 1
            yield made


def in_doubt(case: Distribution) -> bool:
    """Tell whether two entities of a group with confined units exceed each other, each in one respect."""
    return any(
        one.units > other.units and one.units + one.possible < other.units + other.possible
        for part in case.confined
        for one, other in product(case.entities, repeat=2)
        if one.id.startswith(part.group) and other.id.startswith(part.group)
    )


@pytest.mark.parametrize("possible", [False, True], ids=["all certain", "some possible"])
def test_bounds_are_the_extremes_over_every_completion(possible: bool) -> None:
    doubtful = 0
    for case in small_distributions(20251020, 1000, possible=possible):
        scores = measure(case, every_metric=True).scores
        extremes = list(zip(*map(indices, completions(case)), strict=True))
        for metric, values in zip(BOUNDED, extremes, strict=True):
            score = scores[metric]
            assert score.lower is not None
            assert score.upper is not None
            assert score.lower <= min(values), (metric, case)
            assert score.upper >= max(values), (metric, case)
            if not in_doubt(case):
                assert (score.lower, score.upper) == (min(values), max(values)), (metric, case)
        doubtful += in_doubt(case)
    assert (doubtful > 0) is possible


def test_confined_units_go_where_they_concentrate_most_even_if_that_region_is_only_possibly_large() -> None:
    """By certain units a is the largest, but b may have ten: all is bounded as if they were one region."""
    case = distribution(("aws/a", 2, 0), ("aws/b", 1, 9), ("ovh/a", 4, 0), confined=[("aws", 3, 0)])
    share = measure(case).scores["share"]
    assert share.upper is not None
    assert share.upper >= (1 + 9 + 3) / 19


def test_confined_units_join_the_largest_region_though_a_smaller_one_may_grow_as_large() -> None:
    case = distribution(("aws/a", 2, 0), ("aws/b", 1, 0), ("aws/c", 0, 2), confined=[("aws", 1, 0)])
    assert measure(case).scores["share"].upper == 3 / 4  # c is left out; taken as one with a it would not be


def test_confined_units_stay_within_their_provider() -> None:
    """Ten units of aws without a region never make the region of another provider larger."""
    case = distribution(("ovh/a", 30, 0), ("aws/a", 10, 0), confined=[("aws", 10, 0)])
    scores = measure(case).scores
    assert (scores["share"].lower, scores["share"].upper) == (0.6, 0.6)
    assert (scores["hhi"].lower, scores["hhi"].upper) == ((900 + 100 + 10) / 2500, (900 + 400) / 2500)
    assert (scores["nakamoto"].lower, scores["nakamoto"].upper) == (1, 1)


def test_confined_units_of_a_provider_without_any_known_region_may_be_one_region() -> None:
    scores = measure(distribution(("aws/a", 4, 0), confined=[("hetzner", 6, 0)])).scores
    assert (scores["share"].lower, scores["share"].upper) == (0.4, 0.6)


entities = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=6)


@given(entities, st.integers(0, 40), st.integers(0, 40), st.booleans())
def test_the_value_is_that_of_unattributed_units_on_their_own_and_lies_within_the_bounds(
    sizes: list[tuple[int, int]], free: int, maybe: int, confine: bool
) -> None:
    case = distribution(
        *((f"aws/{n}", *size) for n, size in enumerate(sizes)),
        free=free,
        maybe=maybe,
        confined=[("aws", 3, 2)] if confine else [],
    )
    if case.total + case.possible == 0:
        assert measure(case).scores == {}
        return
    reading = tuple([n + m for n, m in sizes] + [1] * (free + maybe + 5 * confine))
    scores = measure(case, every_metric=True).scores
    for metric, value in zip(BOUNDED, indices(reading), strict=True):
        score = scores[metric]
        assert score.value == value
        assert score.lower is not None
        assert score.upper is not None
        assert score.lower <= value <= score.upper


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=12))
def test_where_everything_is_attributed_bounds_have_no_width(counts: list[int]) -> None:
    case = distribution(
        *((f"aws/{n}", count, 0) for n, count in enumerate(counts)), denominator=Denominator.ATTRIBUTED
    )
    scores = measure(case, every_metric=True).scores
    for metric, value in zip(BOUNDED, indices(tuple(counts)), strict=True):
        assert (scores[metric].lower, scores[metric].value, scores[metric].upper) == (value, value, value)


def test_scores_name_the_largest_entities_and_say_the_threshold() -> None:
    case = distribution(("aws/a", 5, 0), ("aws/b", 4, 0), ("ovh/a", 3, 0), ("ovh/b", 2, 0))
    scores = measure(case, every_metric=True).scores
    assert scores["share"].who == ("aws/a",)
    assert scores["top3"].who == ("aws/a", "aws/b", "ovh/a")
    assert scores["nakamoto"].who == ("aws/a", "aws/b")
    assert scores["hhi"].who == ()
    definitions = [scores[name].definition for name in NAKAMOTO_THRESHOLDS]
    assert definitions == ["> 1/2", "> 1/3", "≥ 2/3"]


def test_scores_name_those_whom_the_value_counts_as_largest() -> None:
    """The value has every possible unit in: of 27 then, b holds 20, though none of it for certain."""
    case = distribution(("aws/a", 4, 0), ("aws/c", 3, 0), ("aws/b", 0, 20))
    scores = measure(case).scores
    assert (scores["share"].value, scores["share"].who) == (20 / 27, ("aws/b",))
    assert scores["top3"].who == ("aws/b", "aws/a", "aws/c")
    nakamoto = scores["nakamoto"]
    assert (nakamoto.lower, nakamoto.value, nakamoto.upper, nakamoto.who) == (1, 1, 2, ("aws/b",))


def test_the_default_line_has_five_indices_and_every_metric_adds_all_of_the_method() -> None:
    case = distribution(("aws/a", 5, 0), ("ovh/a", 3, 0))
    assert tuple(measure(case).scores) == ("share", "top3", "hhi", "effective", "nakamoto")
    assert set(measure(case, every_metric=True).scores) == {
        *("share", "top3", "hhi", "effective"),
        *("nakamoto", "nakamoto_third", "nakamoto_two_thirds"),
        *("hhi_unbiased", "centralization_score", "hhi_normalized"),
        *("entities", "hill_1", "hill_2", "hill_inf"),
        *("entropy", "evenness", "theil", "gini"),
    }


def test_further_indices_agree_with_the_published_vector() -> None:
    """Computed by hand: 50, 30, 20."""
    scores = measure(distribution(("a", 50, 0), ("b", 30, 0), ("c", 20, 0)), every_metric=True).scores
    expected = {
        "hhi": 0.38,
        "hhi_unbiased": 0.373737,
        "centralization_score": 0.37,
        "effective": 2.631579,
        "entropy": 1.029653,
        "hill_1": 2.800094,
        "hill_2": 2.631579,
        "hill_inf": 2.0,
        "entities": 3.0,
        "hhi_normalized": 0.07,
        "evenness": 1.029653 / log(3),
        "gini": 0.2,
        "theil": 0.068959,
        "nakamoto_third": 1,
        "nakamoto": 2,
        "nakamoto_two_thirds": 2,
    }
    assert {metric: scores[metric].value for metric in expected} == pytest.approx(expected, abs=1e-6)


def test_ties_at_a_threshold_are_no_majority_and_are_two_thirds() -> None:
    """Exactly 1/3 offline still finalises, exactly 2/3 may finalise a bad chain."""
    scores = measure(distribution(("a", 1, 0), ("b", 1, 0), ("c", 1, 0)), every_metric=True).scores
    assert [scores[name].value for name in NAKAMOTO_THRESHOLDS] == [2, 2, 2]
    assert measure(distribution(("a", 1, 0), ("b", 1, 0))).scores["nakamoto"].value == 2


def test_further_indices_leave_unattributed_units_out_and_entropy_does_not() -> None:
    scores = measure(distribution(("a", 2, 0), free=2), every_metric=True).scores
    assert scores["entities"].value == 1
    entropy = scores["entropy"].value
    assert entropy is not None
    assert exp(entropy) == pytest.approx(2**1.5)  # shares 1/2, 1/4, 1/4
    assert all("over attributed units" in scores[metric].definition for metric in FURTHER)


def test_indices_that_are_not_defined_have_no_value() -> None:
    alone = measure(distribution(("a", 1, 0)), every_metric=True).scores
    undefined = {metric for metric, score in alone.items() if score.value is None}
    assert undefined == {"hhi_unbiased", "hhi_normalized", "evenness"}
    nobody = measure(distribution(free=4), every_metric=True).scores
    assert {metric for metric, score in nobody.items() if score.value is None} == set(FURTHER)
    assert nobody["share"].who == ()


def test_intervals_are_those_of_the_resampled_values_and_only_where_indices_are_resampled() -> None:
    case = distribution(("a", 6, 0), ("b", 3, 0), free=1)
    resampled = np.array([[6, 3, 1], [7, 2, 1], [5, 5, 0], [4, 4, 2]], dtype=np.int64)
    scores = measure(case, resampled, every_metric=True).scores
    counts, unknown = resampled[:, :-1], resampled[:, -1]
    values = {
        "share": bootstrap.largest_share(counts, unknown),
        "top3": bootstrap.concentration_ratio(counts, 3, unknown),
        "hhi": bootstrap.hhi(counts, unknown),
        "effective": bootstrap.effective_number(counts, unknown),
    }
    assert {metric for metric, score in scores.items() if score.low is not None} == set(values)
    for metric, replicated in values.items():
        assert (scores[metric].low, scores[metric].high) == (replicated.min(), replicated.max())
    assert without_interval(scores["hhi"]) == measure(case).scores["hhi"]


def test_there_is_no_interval_where_a_replicate_drew_nothing() -> None:
    resampled = np.array([[6, 3, 1], [0, 0, 0]], dtype=np.int64)
    scores = measure(distribution(("a", 6, 0), ("b", 3, 0), free=1), resampled).scores
    assert all(score.low is None and score.high is None for score in scores.values())


def without_interval(score: Score) -> Score:
    return Score(metric=score.metric, value=score.value, lower=score.lower, upper=score.upper, who=score.who)


def closed_completions(
    counts: dict[str, int], closed: Sequence[str], certain: int, possible: int
) -> Iterator[list[int]]:
    """Yield every division of the free units among the closed set, the possible ones in or out."""
    for places in product(closed, repeat=certain):
        for others in product([None, *closed], repeat=possible):
            chosen = [*places, *(place for place in others if place is not None)]
            yield [counts.get(entity, 0) + chosen.count(entity) for entity in closed]


@pytest.mark.parametrize("closed", [("edge", "hosting"), ("access", "edge", "hosting")], ids=len)
@pytest.mark.parametrize("certain", [0, 1, 3])
@pytest.mark.parametrize("possible", [0, 1, 2, 3])
@pytest.mark.parametrize(
    "seen", [{}, {"hosting": 2}, {"hosting": 4, "edge": 1}, {"hosting": 2, "edge": 2}], ids=str
)
def test_unattributed_units_of_a_closed_set_go_nowhere_else(
    closed: tuple[str, ...], certain: int, possible: int, seen: dict[str, int]
) -> None:
    cell = measure(
        Distribution(
            axis=Axis.KIND,
            denominator=Denominator.HOSTED,
            entities=tuple(Entity(id=name, name=name, units=units) for name, units in seen.items()),
            unattributed={"kind of network unknown": certain} if certain else {},
            possible_unattributed=possible,
            closed=closed,
        ),
        np.ones((3, len(seen) + 1), np.int64),
    )
    if not seen and not certain and not possible:
        assert cell.scores == {}
        return
    every = [counts for counts in closed_completions(seen, closed, certain, possible) if any(counts)]
    for metric, index in (
        ("share", c.largest_share),
        ("top3", lambda counts: c.concentration_ratio(counts, 3)),
        ("hhi", c.herfindahl_hirschman_index),
        ("nakamoto", c.nakamoto_coefficient),
    ):
        values = [index(counts) for counts in every]
        assert (cell.scores[metric].lower, cell.scores[metric].upper) == (min(values), max(values)), metric
    assert cell.scores["share"].low is None
