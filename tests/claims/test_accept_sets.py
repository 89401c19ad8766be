from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.claims.accept_sets import AcceptSet, accept_set
from concentra.model.claims import Atom, Relation, ShareHosted, Verdict

shares = st.fractions(0, 1, max_denominator=40)


def atom(
    relation: Relation, value: Fraction, upper: Fraction | None = None, tolerance: Fraction = Fraction(5, 100)
) -> Atom:
    return Atom(
        name="share", quantities=(ShareHosted(),), relation=relation, value=value, upper=upper, tolerance=tolerance
    )  # fmt: skip


@pytest.mark.parametrize(
    ("relation", "inside", "outside"),
    [
        (Relation.APPROXIMATELY, ["65/100", "75/100"], ["6499/10000", "7501/10000"]),
        (Relation.NEARLY, ["65/100", "6999/10000"], ["7/10", "6499/10000"]),
        (Relation.AT_LEAST, ["7/10", "1"], ["6999/10000"]),
        (Relation.AT_MOST, ["7/10", "0"], ["7001/10000"]),
        (Relation.MORE_THAN, ["7001/10000", "1"], ["7/10"]),
        (Relation.LESS_THAN, ["6999/10000", "0"], ["7/10"]),
        (Relation.BETWEEN, ["7/10", "8/10"], ["6999/10000", "8001/10000"]),
    ],
)
def test_ends_belong_to_the_set_as_the_words_say(
    relation: Relation, inside: list[str], outside: list[str]
) -> None:
    upper = Fraction(8, 10) if relation is Relation.BETWEEN else None
    accept = accept_set(atom(relation, Fraction(7, 10), upper))
    assert all(Fraction(figure) in accept for figure in inside)
    assert not any(Fraction(figure) in accept for figure in outside)


def test_a_tie_is_decided_by_fractions_and_not_by_their_rounding() -> None:
    half = accept_set(atom(Relation.MORE_THAN, Fraction(1, 2)))
    barely = Fraction(2**60 + 1, 2**61)
    assert float(barely) == 0.5
    assert half.verdict(barely, barely) is Verdict.SUPPORTED
    assert half.verdict(Fraction(1, 2), Fraction(1, 2)) is Verdict.REFUTED


@given(st.sampled_from([r for r in Relation if r is not Relation.BETWEEN]), shares, shares, shares)
def test_supported_and_refuted_exclude_each_other(
    relation: Relation, value: Fraction, one: Fraction, other: Fraction
) -> None:
    accept = accept_set(atom(relation, value))
    low, high = sorted((one, other))
    points = [low + (high - low) * Fraction(i, 20) for i in range(21)]
    verdict = accept.verdict(low, high)
    if verdict is Verdict.SUPPORTED:
        assert all(point in accept for point in points)
    elif verdict is Verdict.REFUTED:
        assert not any(point in accept for point in points)
    else:
        assert accept.lower is not None or accept.upper is not None


@given(st.sampled_from([Relation.APPROXIMATELY, Relation.NEARLY]), shares, shares, shares, shares, shares)
def test_a_smaller_tolerance_never_turns_refuted_into_supported(
    relation: Relation, value: Fraction, one: Fraction, other: Fraction, some: Fraction, less: Fraction
) -> None:
    low, high = sorted((one, other))
    small, large = sorted((some, less))
    if accept_set(atom(relation, value, tolerance=large)).verdict(low, high) is Verdict.REFUTED:
        assert accept_set(atom(relation, value, tolerance=small)).verdict(low, high) is Verdict.REFUTED


@given(shares, shares, st.booleans(), st.booleans(), st.integers(1, 12), st.data())
def test_the_nearest_numbers_are_those_that_counting_finds(
    one: Fraction, other: Fraction, below: bool, above: bool, whole: int, data: st.DataObject
) -> None:
    low, high = sorted((one, other))
    accept = AcceptSet(lower=low, upper=high, lower_included=below, upper_included=above)
    units = data.draw(st.integers(0, whole))
    for inside in (True, False):
        fitting = [n for n in range(whole + 1) if (Fraction(n, whole) in accept) is inside]
        found = accept.nearest(units, whole, inside=inside)
        distances = [abs(n - units) for n in found if n is not None]
        assert min(distances, default=None) == min((abs(n - units) for n in fitting), default=None)
        assert all(n in fitting for n in found if n is not None)


def test_contradictory_atoms_are_our_own_mistake() -> None:
    with pytest.raises(ValueError, match="tolerance"):
        accept_set(atom(Relation.NEARLY, Fraction(1, 2), tolerance=Fraction(-1)))
    with pytest.raises(ValueError, match="upper"):
        accept_set(atom(Relation.BETWEEN, Fraction(1, 2)))
