from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.claims.completions import completions, compositions, population

from concentra.claims.accept_sets import AcceptSet
from concentra.claims.figures import figure_of
from concentra.errors import EmptyPopulation
from concentra.model.audit import Distribution
from concentra.model.claims import (
    IsLargest,
    Quantity,
    SetEffectiveNumber,
    ShareHosted,
    ShareOfLargest,
    ShareOfSet,
)

MEMBERS = ("a", "b")
sizes = st.tuples(st.integers(0, 3), st.integers(0, 1))
small = st.builds(
    lambda a, b, c, u, p, q: population(
        {name: size for name, size in (("a", a), ("b", b), ("c", c)) if any(size)},
        unattributed=u, possible_unattributed=p, apart=q,
    ),
    sizes, sizes, sizes, st.integers(0, 2), st.integers(0, 1), st.integers(0, 2),
)  # fmt: skip
QUANTITIES = [
    pytest.param(ShareOfSet(members=MEMBERS), id="share of a set"),
    pytest.param(ShareOfLargest(count=2), id="share of the two largest"),
    pytest.param(IsLargest(members=MEMBERS), id="two are the largest"),
    pytest.param(SetEffectiveNumber(members=MEMBERS), id="effective number of a set"),
]


def truth(quantity: Quantity, counts: dict[str, int]) -> Fraction | None:
    """Return the figure of known counts, by its plain definition; None where it is not defined."""
    total = sum(counts.values())
    match quantity:
        case ShareOfSet(members=members):
            return Fraction(sum(counts.get(member, 0) for member in members), total)
        case ShareOfLargest(count=k):
            return Fraction(sum(sorted(counts.values(), reverse=True)[:k]), total)
        case IsLargest(members=members):
            rival = max([n for name, n in counts.items() if name not in members], default=0)
            return Fraction(min(counts.get(member, 0) for member in members) > rival)
        case SetEffectiveNumber(members=members):
            held = [counts.get(member, 0) for member in members]
            return Fraction(sum(held) ** 2, sum(n * n for n in held)) if any(held) else None
        case _:
            raise AssertionError(quantity)


@pytest.mark.parametrize("quantity", QUANTITIES)
@settings(max_examples=60)
@given(small)
def test_the_bounds_are_the_extremes_of_all_completions(
    quantity: Quantity, distribution: Distribution
) -> None:
    figures = [truth(quantity, counts) for counts in completions(distribution, MEMBERS)]
    reached = [figure for figure in figures if figure is not None]
    if not distribution.total + distribution.possible:
        return
    if not reached:
        with pytest.raises(EmptyPopulation):
            figure_of(quantity, distribution)
        return
    figure = figure_of(quantity, distribution)
    assert (figure.bounds.lower, figure.bounds.upper) == (min(reached), max(reached))
    assert figure.value in figure.bounds


def after_changes(
    counts: dict[str, int], single: int, members: Sequence[str]
) -> list[tuple[int, dict[str, int]]]:
    """Return all divisions of the same units, each with the fewest units that have to change hands."""
    names = list(dict.fromkeys([*counts, *members]))
    total = sum(counts.values()) + single
    found = []
    for division in compositions(total, len(names) + total):
        new = sorted(division[len(names) :], reverse=True)
        if list(division[len(names) :]) != new:
            continue  # entities that were never seen are interchangeable
        gains = [max(0, after - counts.get(name, 0)) for name, after in zip(names, division, strict=False)]
        fresh = sum(new) - sum(1 for n in new[:single] if n)  # singles stay where they are, one each
        after = dict(zip(names, division, strict=False)) | {f"new{i}": n for i, n in enumerate(new)}
        found.append((sum(gains) + fresh, after))
    return found


@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize(
    "counts",
    [(3, 1, 1, 0), (2, 2, 0, 1), (1, 1, 3, 1), (4, 1, 0, 0), (0, 1, 2, 2), (5, 0, 1, 0), (4, 0, 0, 2)],
)
@pytest.mark.parametrize(
    "low", [Fraction(1, 5), Fraction(1, 2), Fraction(7, 10), Fraction(9, 10), Fraction(6, 5)]
)
def test_the_fewest_changes_are_those_of_trying_every_division(
    quantity: Quantity, counts: tuple[int, int, int, int], low: Fraction, *, inside: bool
) -> None:
    a, b, c, single = counts
    known = {name: n for name, n in (("a", a), ("b", b), ("c", c)) if n}
    divisions = after_changes(known, single, MEMBERS)
    figure = figure_of(quantity, population({name: (n, 0) for name, n in known.items()}, unattributed=single))
    for accept in (
        AcceptSet(lower=low, upper=None, lower_included=False),
        AcceptSet(lower=None, upper=low),
        AcceptSet(lower=low, upper=low + Fraction(1, 3)),
    ):
        costs = [
            cost
            for cost, after in divisions
            if (reached := truth(quantity, after)) is not None and (reached in accept) is inside
        ]
        fewest = figure.fewest_changes(accept, inside=inside)
        if isinstance(quantity, SetEffectiveNumber) and fewest is None:
            assert (
                accept.lower is not None and accept.upper is not None
            ) or not costs  # it may jump over a narrow set
        else:
            assert fewest == min(costs, default=None)


def test_the_breakdown_of_a_refuted_share_is_the_distance_to_the_set() -> None:
    figure = figure_of(
        ShareOfSet(members=("a",)), population({"a": (220, 0), "b": (700, 0)}, unattributed=80)
    )
    seventy = AcceptSet(lower=Fraction(65, 100), upper=Fraction(75, 100))
    assert figure.fewest_changes(seventy, inside=True) == 650 - 220


@given(small)
def test_the_exact_share_rounds_to_that_of_the_distribution(distribution: Distribution) -> None:
    if distribution.total + distribution.possible:
        bounds = figure_of(ShareOfSet(members=MEMBERS), distribution).bounds
        assert (float(bounds.lower), float(bounds.upper)) == distribution.share_bounds(*MEMBERS)


def test_units_known_to_be_elsewhere_are_in_the_whole_but_in_no_host() -> None:
    distribution = population({"a": (30, 0)}, unattributed=10, apart=60)
    figure = figure_of(ShareOfSet(members=("a",)), distribution)
    assert (figure.bounds.lower, figure.bounds.upper) == (Fraction(30, 100), Fraction(40, 100))
    assert figure.unattributed == 10


def test_the_hosted_share_counts_hosting_and_edge() -> None:
    kinds = population({"hosting": (60, 0), "edge": (5, 0), "access": (25, 0)}, unattributed=10)
    bounds = figure_of(ShareHosted(), kinds).bounds
    assert (bounds.lower, bounds.upper) == (Fraction(65, 100), Fraction(75, 100))


@pytest.mark.parametrize(
    ("listed", "unlisted", "can_be"),
    [
        pytest.param({"a": 2397, "google": 223, "azure": 80, "hetzner": 421}, 320, False, id="541 > 320"),
        pytest.param({"a": 2397, "google": 223, "azure": 80, "hetzner": 421}, 540, False, id="one too few"),
        pytest.param({"a": 2397, "google": 223, "azure": 80, "hetzner": 421}, 541, True, id="just enough"),
    ],
)
def test_members_must_pass_who_is_ahead_with_what_is_unlisted(
    listed: dict[str, int], unlisted: int, *, can_be: bool
) -> None:
    distribution = population({name: (n, 0) for name, n in listed.items()}, unattributed=unlisted)
    figure = figure_of(IsLargest(members=("a", "azure", "google")), distribution)
    assert (figure.bounds.upper == 1) is can_be
    assert figure.largest == ("a", "hetzner", "google")


def test_a_tie_with_the_next_leaves_no_set_the_largest() -> None:
    assert figure_of(IsLargest(members=("a",)), population({"a": (5, 0), "b": (5, 0)})).bounds.upper == 0
    assert figure_of(IsLargest(members=("a",)), population({"a": (6, 0), "b": (5, 0)})).bounds.lower == 1
