from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.errors import EmptyPopulation
from concentra.metrics import bounds as b
from concentra.metrics import concentration as c
from concentra.metrics.bounds import Bounds

Counts = tuple[int, ...]
LARGEST = 12  # units; every population up to here is completed in every way
THRESHOLDS = (Fraction(0), Fraction(1, 4), Fraction(1, 3), Fraction(1, 2), Fraction(2, 3), Fraction(9, 10))

populations = st.lists(st.integers(0, 40), max_size=8)


@cache
def partitions(units: int, largest: int) -> frozenset[Counts]:
    """Return all ways to write `units` as a descending sum of numbers up to `largest`."""
    if not units:
        return frozenset({()})
    return frozenset(
        (head, *tail) for head in range(1, min(units, largest) + 1) for tail in partitions(units - head, head)
    )


def every_population(largest: int) -> Iterator[tuple[Counts, int]]:
    """Yield every multiset of known counts with every number of unknown units, up to `largest` units."""
    for known in range(largest + 1):
        for counts in partitions(known, known):
            for unknown in range(largest + 1 - known):
                if known + unknown:
                    yield counts, unknown


@cache
def completions(known: Counts, unknown: Counts) -> frozenset[Counts]:
    """Return every population in which each unknown weight went to some entity, known or new."""
    if not unknown:
        return frozenset({known})
    weight, *others = unknown
    joined = {
        tuple(sorted((*known[:i], known[i] + weight, *known[i + 1 :]), reverse=True))
        for i in range(len(known))
    }
    alone = tuple(sorted((*known, weight), reverse=True))
    return frozenset().union(*(completions(some, tuple(others)) for some in {*joined, alone}))


@cache
def closed_completions(known: Counts, unknown: int) -> frozenset[Counts]:
    """Return every population in which each unknown unit went to one of the given entities."""
    if not unknown:
        return frozenset({known})
    joined = {tuple(sorted((*known[:i], known[i] + 1, *known[i + 1 :]))) for i in range(len(known))}
    return frozenset().union(*(closed_completions(some, unknown - 1) for some in joined))


def extremes(
    index: Callable[..., float], populations: frozenset[Counts], **arguments: object
) -> tuple[float, float]:
    values = [index(population, **arguments) for population in populations]
    return min(values), max(values)


def assert_sharp(counts: Counts, unattributed: int | Counts, all_ways: frozenset[Counts]) -> None:
    """Every bound is the extreme value over all completions, and equal to it to the last bit."""
    ends = b.any_completion(counts, unattributed)
    assert (ends.hhi().lower, ends.hhi().upper) == extremes(c.herfindahl_hirschman_index, all_ways)
    effective = ends.effective_number()
    assert (effective.lower, effective.upper) == extremes(c.effective_number, all_ways)
    entropy = ends.entropy()
    assert (entropy.lower, entropy.upper) == pytest.approx(extremes(c.shannon_entropy, all_ways), abs=1e-12)
    for k in (1, 2, 3, 5):
        ratio = ends.concentration_ratio(k)
        assert (ratio.lower, ratio.upper) == extremes(c.concentration_ratio, all_ways, k=k)
    for threshold in THRESHOLDS:
        for strict in (True, False) if threshold else (True,):
            limits = ends.nakamoto(threshold=threshold, strict=strict)
            assert (limits.lower, limits.upper) == extremes(
                c.nakamoto_coefficient, all_ways, threshold=threshold, strict=strict
            )


def test_bounds_are_the_extremes_over_every_completion() -> None:
    seen = 0
    for counts, unknown in every_population(LARGEST):
        assert_sharp(counts, unknown, completions(counts, (1,) * unknown))
        seen += 1
    # The sum over n of p(n) * (13 - n), less the empty population, p being the partition numbers.
    assert seen == 889


def test_bounds_for_weights_are_the_extremes_over_every_completion() -> None:
    for counts, units in every_population(8):
        for weights in partitions(units, units):
            assert_sharp(counts, weights, completions(counts, weights))


def test_closed_set_bounds_are_the_extremes_over_every_completion() -> None:
    for counts, unknown in every_population(LARGEST):
        for absent in range(3):
            known = (0,) * absent + tuple(sorted(counts))
            if known:
                limits = b.closed_set_hhi_bounds(known, unattributed=unknown)
                ways = closed_completions(known, unknown)
                assert (limits.lower, limits.upper) == extremes(c.herfindahl_hirschman_index, ways)


def test_share_bounds_are_the_extremes_over_every_assignment() -> None:
    """Here entities have names: a set of two, one other, and a new one."""
    for first, second, other, unknown in product(range(4), range(4), range(4), range(5)):
        known = first + second + other
        if known + unknown:
            shares = [
                Fraction(first + second + sum(home < 2 for home in homes), known + unknown)
                for homes in product(range(4), repeat=unknown)
            ]
            limits = b.share_bounds(first + second, known=known, unattributed=unknown)
            assert (limits.lower, limits.upper) == (float(min(shares)), float(max(shares)))


def test_a_short_list_is_bounded_by_every_rest_that_fits_below_it() -> None:
    for listed_units in range(1, LARGEST + 1):
        for listed in partitions(listed_units, listed_units):
            for rest in range(LARGEST + 1 - listed_units):
                ways = frozenset((*listed, *unlisted) for unlisted in partitions(rest, listed[-1]))
                chart = b.rest_below_smallest(listed, total=listed_units + rest)
                assert (chart.hhi().lower, chart.hhi().upper) == extremes(c.herfindahl_hirschman_index, ways)
                for k in (1, 2, 3, 5):
                    ratio = chart.concentration_ratio(k)
                    assert (ratio.lower, ratio.upper) == extremes(c.concentration_ratio, ways, k=k)
                limits = chart.nakamoto()
                assert (limits.lower, limits.upper) == extremes(c.nakamoto_coefficient, ways)
                # A set of the first slice and two entities that are not listed, if they exist at all.
                total = listed_units + rest
                share = b.rest_below_smallest_share(listed[0], unlisted_members=2, listed=listed, total=total)
                most = max(listed[0] + sum(way[len(listed) : len(listed) + 2]) for way in ways)
                assert (share.lower, share.upper) == (listed[0] / total, most / total)


@given(populations, populations, st.data())
def test_bounds_contain_the_truth_under_any_completion(
    counts: list[int], weights: list[int], data: st.DataObject
) -> None:
    if not any(counts + weights):
        return
    truth = [*counts, *[0] * len(weights)]
    for weight in weights:
        truth[data.draw(st.integers(0, len(truth) - 1))] += weight
    ends = b.any_completion(counts, weights)
    assert c.herfindahl_hirschman_index(truth) in ends.hhi()
    assert c.effective_number(truth) in ends.effective_number()
    assert ends.entropy().lower - 1e-12 <= c.shannon_entropy(truth) <= ends.entropy().upper + 1e-12
    for k in (1, 3):
        assert c.concentration_ratio(truth, k) in ends.concentration_ratio(k)
    for threshold in THRESHOLDS:
        assert c.nakamoto_coefficient(truth, threshold=threshold) in ends.nakamoto(threshold=threshold)


@given(populations.filter(any), st.sampled_from([0, (), (0, 0)]))
def test_without_unknown_units_bounds_meet_at_the_index(
    counts: list[int], none: int | tuple[int, ...]
) -> None:
    hhi = c.herfindahl_hirschman_index(counts)
    assert b.hhi_bounds(counts, unattributed=none) == Bounds(hhi, hhi)
    effective = c.effective_number(counts)
    assert b.effective_number_bounds(counts, unattributed=none) == Bounds(effective, effective)
    ratio = c.concentration_ratio(counts, 3)
    assert b.concentration_ratio_bounds(counts, 3, unattributed=none) == Bounds(ratio, ratio)
    entropy = b.entropy_bounds(counts, unattributed=none)
    assert entropy.width == 0
    assert entropy.lower == pytest.approx(c.shannon_entropy(counts), abs=1e-12)
    nakamoto = c.nakamoto_coefficient(counts)
    assert b.nakamoto_bounds(counts, unattributed=none) == Bounds(nakamoto, nakamoto)
    assert b.closed_set_hhi_bounds(counts, unattributed=0) == Bounds(hhi, hhi)


@given(populations.filter(any), st.integers(0, 60), st.integers(1, 60))
def test_bounds_of_shares_and_of_the_hhi_widen_as_less_is_known(
    counts: list[int], unknown: int, more: int
) -> None:
    """With the total fixed: units of the smallest entity lose their name, one by one."""
    narrow, wide = sorted(counts), sorted(counts)
    for _ in range(min(unknown, sum(counts) - 1)):
        _forget_one(narrow)
    for _ in range(min(unknown + more, sum(counts))):
        _forget_one(wide)
    for index in (b.Completions.hhi, b.Completions.effective_number, b.Completions.entropy):
        few = index(b.any_completion(narrow, sum(counts) - sum(narrow)))
        many = index(b.any_completion(wide, sum(counts) - sum(wide)))
        assert many.lower <= few.lower + 1e-12
        assert few.upper <= many.upper + 1e-12


def _forget_one(counts: list[int]) -> None:
    smallest = min((n for n in counts if n), default=0)
    if smallest:
        counts[counts.index(smallest)] -= 1


@given(populations, st.integers(0, 10**6))
def test_units_are_weights_of_one(counts: list[int], unknown: int) -> None:
    few = unknown % 50
    if any(counts) or few:
        ends, spelled_out = b.any_completion(counts, few), b.any_completion(counts, [1] * few)
        assert ends.hhi() == spelled_out.hhi()
        assert ends.nakamoto() == spelled_out.nakamoto()
        assert ends.concentration_ratio(3) == spelled_out.concentration_ratio(3)


@pytest.mark.parametrize("entities", range(1, 60))
def test_the_entropy_of_equal_entities_is_the_logarithm_to_the_last_bit(entities: int) -> None:
    exact = c.shannon_entropy([7] * entities)
    assert b.entropy_bounds([7] * entities, unattributed=0) == Bounds(exact, exact)
    assert b.entropy_bounds([], unattributed=entities).upper == exact


def test_a_million_unknown_units_cost_no_more_than_one() -> None:
    ends = b.any_completion([10**6], 10**15)
    assert len(ends.dispersed) == 2
    assert ends.nakamoto().upper == 1 + (10**15 - 10**6) // 2 + 1
    assert b.closed_set_hhi_bounds([10**6, 0, 7], unattributed=10**15).lower == pytest.approx(1 / 3)


def test_unknown_singletons_enter_the_top_where_few_are_known() -> None:
    """The usual formula has sum(top-k known)/N as the lower end: too low if fewer than k are known."""
    assert b.concentration_ratio_bounds([6], 3, unattributed=4) == Bounds(0.8, 1.0)
    assert sum([6]) / 10 < min(c.concentration_ratio(way, 3) for way in completions((6,), (1,) * 4)) == 0.8


def test_one_unknown_whale_may_be_the_largest() -> None:
    assert b.concentration_ratio_bounds([3, 2], 1, unattributed=[5]) == Bounds(0.5, 0.8)
    assert b.nakamoto_bounds([3, 2], unattributed=[5, 1]) == Bounds(1, 2)


INDICES: dict[str, Callable[[list[int], int], object]] = {
    "hhi": lambda counts, u: b.hhi_bounds(counts, unattributed=u),
    "closed set hhi": lambda counts, u: b.closed_set_hhi_bounds(counts, unattributed=u),
    "effective number": lambda counts, u: b.effective_number_bounds(counts, unattributed=u),
    "concentration ratio": lambda counts, u: b.concentration_ratio_bounds(counts, 3, unattributed=u),
    "entropy": lambda counts, u: b.entropy_bounds(counts, unattributed=u),
    "nakamoto": lambda counts, u: b.nakamoto_bounds(counts, unattributed=u),
    "share": lambda counts, u: b.share_bounds(0, known=sum(counts), unattributed=u),
    "unknown like known": lambda counts, u: b.unknown_like_known(0, known=sum(counts)),
    "unreachable": lambda counts, u: b.unreachable_not_more_cloud(0, reachable=sum(counts), unreachable=u),
}
every_bound = pytest.mark.parametrize("index", INDICES.values(), ids=INDICES.keys())


@every_bound
@pytest.mark.parametrize("counts", [[], [0, 0]], ids=["nothing", "zeros"])
def test_every_bound_fails_alike_on_nothing(
    index: Callable[[list[int], int], object], counts: list[int]
) -> None:
    with pytest.raises(EmptyPopulation):
        index(counts, 0)


@every_bound
def test_every_bound_refuses_negative_numbers(index: Callable[[list[int], int], object]) -> None:
    with pytest.raises(ValueError, match="must"):
        index([3, -4], 2)


@pytest.mark.parametrize("name", sorted(INDICES.keys() - {"unknown like known"}))
def test_every_bound_refuses_a_negative_rest(name: str) -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        INDICES[name]([3, 4], -2)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Bounds(2, 1),
        lambda: Bounds(0.0, float("nan")),
        lambda: b.hhi_bounds([1], unattributed=[2, -1]),
        lambda: b.concentration_ratio_bounds([1], 0, unattributed=2),
        lambda: b.share_bounds(3, known=2, unattributed=0),
        lambda: b.closed_set_hhi_bounds([], unattributed=2),
        lambda: b.nakamoto_bounds([1], unattributed=2, threshold=Fraction(1)),
        lambda: b.rest_below_smallest([3, 2], total=4),
        lambda: b.rest_below_smallest_share(6, unlisted_members=0, listed=[3, 2], total=9),
        lambda: b.rest_below_smallest_share(3, unlisted_members=-1, listed=[3, 2], total=9),
        lambda: b.unreachable_not_more_cloud(3, reachable=4, unreachable=1, unattributed=2),
        lambda: b.unreachable_not_more_cloud(3, reachable=4, unreachable=-1),
        lambda: b.rogan_gladen(1.2, sensitivity=0.9, specificity=0.9),
        lambda: b.rogan_gladen(0.2, sensitivity=0.4, specificity=0.6),
    ],
)
def test_contradictions_are_refused(wrong: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"must|cannot"):
        wrong()


def test_a_chart_without_slices_has_no_smallest_one() -> None:
    with pytest.raises(EmptyPopulation, match="list of slices"):
        b.rest_below_smallest([], total=5)


def test_each_assumption_narrows_the_bounds() -> None:
    free = b.share_bounds(60, known=90, unattributed=60)
    assert b.unknown_like_known(60, known=90) in free
    unreachable = b.unreachable_not_more_cloud(60, reachable=100, unreachable=50, unattributed=10)
    assert unreachable == Bounds(0.4, 0.7)
    assert unreachable.lower in free
    assert unreachable.upper < free.upper
    listed = b.rest_below_smallest([50, 30, 5], total=100).hhi()
    assert listed.upper < b.hhi_bounds([50, 30, 5], unattributed=15).upper
    assert listed.lower == b.hhi_bounds([50, 30, 5], unattributed=15).lower


@pytest.mark.parametrize("assumption", b.Assumption)
def test_an_assumption_has_a_sentence_to_print(assumption: b.Assumption) -> None:
    assert len(assumption.sentence) > 20
    assert hasattr(b, assumption.value)


rates = st.floats(0.51, 1)


@given(st.floats(0, 1), rates, rates)
def test_rogan_gladen_undoes_misclassification(truth: float, sensitivity: float, specificity: float) -> None:
    observed = truth * sensitivity + (1 - truth) * (1 - specificity)
    corrected = b.rogan_gladen(min(1.0, observed), sensitivity=sensitivity, specificity=specificity)
    assert corrected == pytest.approx(truth, abs=1e-9)


@given(*[st.tuples(st.floats(0, 1), st.floats(0, 1))] * 3, st.tuples(*[st.floats(0, 1)] * 3))
def test_rogan_gladen_bounds_hold_every_corner_and_the_inside(
    observed: tuple[float, float],
    sensitivity: tuple[float, float],
    specificity: tuple[float, float],
    where: tuple[float, float, float],
) -> None:
    box = [Bounds(*sorted(pair)) for pair in (observed, [0.55 + x * 0.45 for x in sensitivity], [0.55 + x * 0.45 for x in specificity])]  # fmt: skip
    point = [side.lower + (side.upper - side.lower) * at for side, at in zip(box, where, strict=True)]
    limits = b.rogan_gladen_bounds(box[0], sensitivity=box[1], specificity=box[2])
    inside = b.rogan_gladen(min(1, point[0]), sensitivity=min(1, point[1]), specificity=min(1, point[2]))
    assert limits.lower - 1e-9 <= inside <= limits.upper + 1e-9


def test_a_share_that_no_truth_explains_is_clipped() -> None:
    assert b.rogan_gladen(0.01, sensitivity=0.9, specificity=0.9) == 0
    assert b.rogan_gladen(0.95, sensitivity=0.9, specificity=0.9) == 1
