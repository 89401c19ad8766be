from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from itertools import combinations_with_replacement, product
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from concentra.errors import EmptyPopulation
from concentra.metrics import concentration as c
from concentra.metrics import membership
from concentra.metrics.bounds import Bounds, any_completion
from concentra.metrics.membership import MembershipBounds, uncertain_membership

Counts = tuple[int, ...]
LARGEST = 9  # units; every population up to here, of up to four entities, is completed in every way
RATIOS = (1, 2, 3, 5)
TESTS = [(Fraction(0), True), (Fraction(1), False)] + [
    (threshold, strict)
    for threshold in (Fraction(1, 4), Fraction(1, 3), Fraction(1, 2), Fraction(2, 3), Fraction(9, 10))
    for strict in (True, False)
]

entities = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=8)
rests = st.integers(0, 30)


def every_population() -> Iterator[tuple[Counts, Counts, int]]:
    """Yield every multiset of entities with any possible units, and every number of unattributed ones."""
    kinds = [(n, m) for n in range(LARGEST + 1) for m in range(LARGEST + 1 - n) if n or m]
    for size in range(5):
        for some in combinations_with_replacement(kinds, size):
            certain, possible = tuple(n for n, _ in some), tuple(m for _, m in some)
            for rest in range(LARGEST + 1 - sum(certain) - sum(possible)):
                if size or rest:
                    yield certain, possible, rest


@cache
def joined(known: Counts, rest: int) -> frozenset[Counts]:
    """Return every population in which each of `rest` units went to some entity, known or new."""
    if not rest:
        return frozenset({known})
    ways = {(*known, 1)} | {(*known[:i], known[i] + 1, *known[i + 1 :]) for i in range(len(known))}
    return frozenset().union(*(joined(tuple(sorted(way)), rest - 1) for way in ways))


def completions(
    certain: Counts, possible: Counts, rest: int, *, leave_out: bool = False
) -> frozenset[Counts]:
    """Return every population that counts some possible units and, unless `leave_out`, all others."""
    counted = {
        tuple(sorted(n + x for n, x in zip(certain, extra, strict=True) if n + x))
        for extra in product(*(range(m + 1) for m in possible))
    }
    rests = range(rest + 1) if leave_out else (rest,)
    return frozenset().union(*(joined(known, some) for known in counted for some in rests)) - {()}


@cache
def indices(counts: Counts) -> tuple[float, ...]:
    return (
        c.herfindahl_hirschman_index(counts),
        c.effective_number(counts),
        *(c.concentration_ratio(counts, k) for k in RATIOS),
        *(c.nakamoto_coefficient(counts, threshold=t, strict=strict) for t, strict in TESTS),
    )


def extremes(populations: frozenset[Counts]) -> list[tuple[float, float]]:
    return [(min(values), max(values)) for values in zip(*map(indices, populations), strict=True)]


def bounds(population: MembershipBounds) -> list[tuple[float, float]]:
    """Return the bounds of what `indices` returns, in the same order."""
    limits: list[Bounds[float] | Bounds[int]] = [
        population.hhi(),
        population.effective_number(),
        *(population.concentration_ratio(k) for k in RATIOS),
        *(population.nakamoto(threshold=t, strict=strict) for t, strict in TESTS),
    ]
    return [(each.lower, each.upper) for each in limits]


def test_bounds_are_the_extremes_over_every_completion() -> None:
    """Equal to the last bit, and whether or not unattributed units may be left out."""
    seen = 0
    for certain, possible, rest in every_population():
        limits = bounds(uncertain_membership(certain, possible, rest))
        case = (certain, possible, rest)
        assert limits == extremes(completions(*case)), case
        assert limits == extremes(completions(*case, leave_out=True)), case
        seen += 1
    # Multisets of up to four pairs (n, m), times the rests they leave room for, less the empty one.
    assert seen == 3_363


def test_share_bounds_are_the_extremes_over_every_completion() -> None:
    """Entities have names here; an unattributed unit is in the set, outside it, or left out."""
    for n, m, others, perhaps, rest in product(range(4), range(4), range(3), range(4), range(3)):
        if n + m + others + perhaps + rest:
            ways = {
                Fraction(n + x + inside, n + x + inside + others + y + outside): inside + outside == rest
                for x, y, inside, outside in product(
                    range(m + 1), range(perhaps + 1), range(rest + 1), range(rest + 1)
                )
                if inside + outside <= rest and n + x + inside + others + y + outside
            }
            # The set is two entities, and so are the others.
            population = uncertain_membership([others, n, 0, 0], [0, 0, m, perhaps], rest)
            limits = population.share_of([1, 2])
            assert (limits.lower, limits.upper) == (float(min(ways)), float(max(ways)))


@settings(deadline=None)
@given(entities, rests, st.data())
def test_bounds_contain_the_truth_under_any_completion(
    known: list[tuple[int, int]], rest: int, data: st.DataObject
) -> None:
    truth = [n + data.draw(st.integers(0, m)) for n, m in known]
    for _ in range(rest):
        home = data.draw(st.integers(0, len(truth)))
        truth = [*truth[:home], *[n + 1 for n in truth[home : home + 1] or [0]], *truth[home + 1 :]]
    if not any(truth):
        return
    population = uncertain_membership(*columns(known), rest)
    for value, (lower, upper) in zip(indices(tuple(truth)), bounds(population), strict=True):
        assert lower <= value <= upper
    named = data.draw(st.sets(st.sampled_from(range(len(known))))) if known else set[int]()
    assert sum(truth[i] for i in named) / sum(truth) in population.share_of(named)


def columns(known: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
    return [n for n, _ in known], [m for _, m in known]


@given(st.lists(st.integers(0, 40), max_size=8), rests)
def test_without_possible_units_bounds_are_those_of_any_completion(counts: list[int], rest: int) -> None:
    if any(counts) or rest:
        ends = any_completion(counts, rest)
        population = uncertain_membership(counts, [0] * len(counts), rest)
        assert population.hhi() == ends.hhi()
        assert population.effective_number() == ends.effective_number()
        for k in range(1, 10):
            assert population.concentration_ratio(k) == ends.concentration_ratio(k)
        for threshold, strict in TESTS:
            assert population.nakamoto(threshold=threshold, strict=strict) == ends.nakamoto(
                threshold=threshold, strict=strict
            )


@settings(deadline=None)
@given(entities.filter(lambda known: any(n + m for n, m in known)), rests, st.data())
def test_bounds_widen_as_less_is_known(known: list[tuple[int, int]], rest: int, data: st.DataObject) -> None:
    """One more possible unit, one more unattributed one, or a certain one that is now possible."""
    certain, possible = columns(known)
    at = data.draw(st.sampled_from(range(len(known))))
    more = [m + (i == at) for i, m in enumerate(possible)]
    wider = [uncertain_membership(certain, more, rest), uncertain_membership(certain, possible, rest + 1)]
    if certain[at]:
        less = [n - (i == at) for i, n in enumerate(certain)]
        wider.append(uncertain_membership(less, more, rest))
    narrow = uncertain_membership(certain, possible, rest)
    for wide in wider:
        for (low, high), (lower, upper) in zip(bounds(narrow), bounds(wide), strict=True):
            assert lower <= low <= high <= upper
        shares, all_shares = narrow.share_of([at]), wide.share_of([at])
        assert all_shares.lower <= shares.lower <= shares.upper <= all_shares.upper


def unit_by_unit(certain: list[int], possible: list[int], rest: int) -> Fraction:
    """Return the lowest HHI of all that arise as the smallest entity that can grows by one unit."""
    known, left = list(certain), list(possible)
    squares, total = sum(n * n for n in known) + rest, sum(known) + rest
    lowest = Fraction(squares, total**2) if total else Fraction(1)
    while any(left):
        smallest = min((i for i, m in enumerate(left) if m), key=known.__getitem__)
        squares, total = squares + 2 * known[smallest] + 1, total + 1
        known[smallest] += 1
        left[smallest] -= 1
        lowest = min(lowest, Fraction(squares, total**2))
    return lowest


@pytest.mark.parametrize("seed", range(8))
def test_levels_agree_with_adding_unit_by_unit(seed: int) -> None:
    random = Random(seed)
    certain = [random.choice([0, int(random.paretovariate(0.7))]) % 3000 for _ in range(60)]
    possible = [random.choice([0, int(3 * random.paretovariate(0.7))]) % 2000 for _ in range(60)]
    lowest = float(unit_by_unit(certain, possible, 17))
    assert uncertain_membership(certain, possible, 17).hhi().lower == lowest


@pytest.mark.parametrize("seed", range(8))
def test_the_best_level_is_found_among_all(seed: int) -> None:
    """Each level completion written out, and measured by the plain definitions."""
    random = Random(seed)
    certain = [random.choice([0, int(random.paretovariate(0.7))]) % 700 for _ in range(40)]
    possible = [random.choice([0, int(3 * random.paretovariate(0.7))]) % 500 for _ in range(40)]
    levels = [
        [*(sorted((n, level, n + m))[1] for n, m in zip(certain, possible, strict=True)), *[1] * 9]
        for level in range(1, max(certain) + 2)
    ]
    population = uncertain_membership(certain, possible, 9)
    assert population.hhi().lower == min(map(c.herfindahl_hirschman_index, levels))
    for k in (1, 2, 3, 7, 30):
        assert population.concentration_ratio(k).lower == min(c.concentration_ratio(y, k) for y in levels)
    for threshold, strict in TESTS:
        assert population.nakamoto(threshold=threshold, strict=strict).upper == max(
            c.nakamoto_coefficient(y, threshold=threshold, strict=strict) for y in levels
        )


all_or_none = st.lists(
    st.tuples(st.sampled_from([0, 0, 1, 3, 8, 20, 21]), st.sampled_from([0, 5, 9, 10, 11, 30, 31])),
    min_size=1,
    max_size=8,
)


def highest(known: list[tuple[int, int]], singles: int, rest: int) -> list[Counts]:
    """Return each way to count the possible units of each entity all or not, and to place the rest."""
    ways = set()
    for chosen in product(*((n, n + m) for n, m in known)):
        counts = (*chosen, *[1] * singles)
        for host in range(min(len(counts), len(chosen) + 1)):
            ways.add((*counts[:host], counts[host] + rest, *counts[host + 1 :]))
    return [way for way in ways if any(way)]


@settings(deadline=None, max_examples=60)
@given(all_or_none, st.integers(0, 60), st.sampled_from([0, 4, 25]))
@example([(1, 11)] * 3 + [(0, 13)] * 2, 24, 0)  # the search splits equal entities twice
def test_upper_bounds_agree_with_all_or_none_of_each_entity(
    known: list[tuple[int, int]], singles: int, rest: int
) -> None:
    certain, possible = columns(known)
    ways = highest(known, singles, rest)
    if ways:
        population = uncertain_membership(certain + [1] * singles, possible + [0] * singles, rest)
        assert population.hhi().upper == max(map(c.herfindahl_hirschman_index, ways))
        for k in RATIOS:
            assert population.concentration_ratio(k).upper == max(c.concentration_ratio(y, k) for y in ways)
        for threshold, strict in ((Fraction(1, 2), True), (Fraction(2, 3), False), (Fraction(1), False)):
            assert population.nakamoto(threshold=threshold, strict=strict).lower == min(
                c.nakamoto_coefficient(y, threshold=threshold, strict=strict) for y in ways
            )


def test_the_highest_hhi_may_pass_over_the_entity_that_promises_most() -> None:
    """Squares grow by 7 for the one unit of the first entity, and by 6 each for those of the second."""
    upper = uncertain_membership([3, 0, *[1] * 6], [1, 6, *[0] * 6], 0).hhi().upper
    assert upper == c.herfindahl_hirschman_index([3, 6, *[1] * 6])
    assert upper > c.herfindahl_hirschman_index([4, 6, *[1] * 6])
    assert upper > c.herfindahl_hirschman_index([4, 0, *[1] * 6])


def test_a_search_that_is_cut_short_still_bounds_the_hhi(monkeypatch: pytest.MonkeyPatch) -> None:
    random = Random(5)
    certain = [random.randint(0, 4) for _ in range(30)] + [1] * 300
    possible = [random.randint(50, 150) for _ in range(30)] + [0] * 300
    population = uncertain_membership(certain, possible, 0)
    sharp = population.hhi().upper
    bounds_after = []
    for limit in (0, 1, 2, 5, 20):
        monkeypatch.setattr(membership, "SEARCH_LIMIT", limit)
        bounds_after.append(population.hhi().upper)
    assert bounds_after == sorted(bounds_after, reverse=True)
    assert bounds_after[0] > bounds_after[1] > bounds_after[-1] == sharp


def test_thousands_of_equal_entities_cost_no_more_steps_than_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(membership, "SEARCH_LIMIT", 3)
    some = uncertain_membership([50] * 2000, [75] * 2000, 0).hhi().upper
    squares = [(2000 * 50**2 + j * (125**2 - 50**2)) / (2000 * 50 + 75 * j) ** 2 for j in range(2001)]
    assert some == max(squares)


def test_a_level_between_none_and_all_may_be_the_extreme() -> None:
    population = uncertain_membership([6, 2, 2], [0, 8, 8], 0)
    equal = c.herfindahl_hirschman_index([6, 6, 6])
    assert population.hhi().lower == equal
    assert equal < c.herfindahl_hirschman_index([6, 10, 10]) < c.herfindahl_hirschman_index([6, 2, 2])
    assert population.concentration_ratio(1) == Bounds(6 / 18, 6 / 10)


def test_amounts_in_gwei_are_exact() -> None:
    """Squares exceed 64 bits, and rounding would take the tie for a majority or a majority for a tie."""
    gwei = 10**17
    tie = uncertain_membership([gwei, gwei], [0, 0], 0)
    assert tie.nakamoto() == Bounds(2, 2)
    one_more = uncertain_membership([gwei, gwei], [1, 0], 0)
    assert one_more.nakamoto() == Bounds(1, 2)
    assert one_more.concentration_ratio(1).lower == 0.5
    assert uncertain_membership([gwei, 0], [0, 2 * gwei], 0).hhi() == Bounds(0.5, 1.0)


@pytest.mark.parametrize(
    ("certain", "possible", "rest", "ratio"),
    [
        ([], [], 3, Bounds(1 / 3, 1.0)),
        ([0], [5], 0, Bounds(1.0, 1.0)),
        ([0, 0], [1, 1], 0, Bounds(0.5, 1.0)),
        ([0], [5], 1, Bounds(0.5, 1.0)),
        ([2, 0], [0, 0], 0, Bounds(1.0, 1.0)),
    ],
    ids=["unattributed only", "one possible entity", "two of them", "and one unit", "an absent entity"],
)
def test_nothing_need_be_certain(
    certain: list[int], possible: list[int], rest: int, ratio: Bounds[float]
) -> None:
    population = uncertain_membership(certain, possible, rest)
    assert population.concentration_ratio(1) == ratio
    assert population.nakamoto().lower == 1


def test_a_set_is_all_or_nothing_if_nobody_else_need_be_counted() -> None:
    population = uncertain_membership([0, 0], [3, 0], 0)
    assert population.share_of([0]) == Bounds(1.0, 1.0)
    assert population.share_of([1]) == Bounds(0.0, 0.0)
    assert population.share_of([]) == Bounds(0.0, 0.0)
    assert uncertain_membership([3], [2], 1).share_of([]) == Bounds(0.0, 0.25)
    assert uncertain_membership([3, 1], [2, 0], 0).share_of([0, 0]) == Bounds(0.75, 5 / 6)


@pytest.mark.parametrize("nothing", [[], [0, 0]], ids=["nothing", "zeros"])
def test_nothing_at_all_is_no_population(nothing: list[int]) -> None:
    with pytest.raises(EmptyPopulation):
        uncertain_membership(nothing, nothing, 0)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: uncertain_membership([3, -1], [0, 0], 0),
        lambda: uncertain_membership([3, 1], [0, -2], 0),
        lambda: uncertain_membership([3, 1], [0, 0], -1),
        lambda: uncertain_membership([3, 1], [0], 0),
        lambda: uncertain_membership([3], [1], 0).concentration_ratio(0),
        lambda: uncertain_membership([3], [1], 0).share_of([1]),
        lambda: uncertain_membership([3], [1], 0).share_of([-1]),
        lambda: uncertain_membership([3], [1], 0).nakamoto(threshold=Fraction(1)),
        lambda: uncertain_membership([3], [1], 0).nakamoto(threshold=Fraction(0), strict=False),
    ],
)
def test_contradictions_are_refused(wrong: object) -> None:
    assert callable(wrong)
    with pytest.raises(ValueError, match="must"):
        wrong()
