from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.model.axes import Unit
from concentra.model.population_comparison import (
    NOT_TOLD_OF,
    Compared,
    Host,
    PopulationComparison,
    ProviderFlow,
    Trait,
    UnitClass,
    Where,
)
from concentra.model.provenance import Source


def flow(
    name: str | None, stayed: int, *, left: int = 0, out: int = 0, came: int = 0, arrived: int = 0
) -> ProviderFlow:
    return ProviderFlow(
        id=name,
        name=name or "unattributed",
        old=stayed + left + out,
        new=stayed + came + arrived,
        left=left,
        arrived=arrived,
        moved_out=out,
        moved_in=came,
        publishable=True,
    )


def compared(units: int, as_of: date | None = None) -> Compared:
    source = Source(name="file", publisher="x", as_of=as_of, licence="x")
    return Compared(subject="file", title="File", source=source, notes=(), units=units, totals=())


def comparison(*flows: ProviderFlow, **changed: Any) -> PopulationComparison:
    """Return a comparison of units that moved nowhere within a provider."""
    moved = sum(one.moved_in for one in flows)
    assert moved == sum(one.moved_out for one in flows)
    stayed = sum(one.old - one.left - one.moved_out for one in flows)
    classes = (
        UnitClass(where=Where.BOTH, what=Host.SAME.value, units=stayed),
        UnitClass(where=Where.BOTH, what=Host.OTHER_PROVIDER.value, units=moved),
        UnitClass(where=Where.OLD, what=NOT_TOLD_OF, units=sum(one.left for one in flows)),
        UnitClass(where=Where.NEW, what=NOT_TOLD_OF, units=sum(one.arrived for one in flows)),
    )
    facts: dict[str, Any] = {
        "unit": Unit.NODE,
        "unit_reason": None,
        "old": compared(sum(one.old for one in flows)),
        "new": compared(sum(one.new for one in flows)),
        "maps": (),
        "maps_as_of": date(2026, 1, 2),
        "same_file": False,
        "classes": tuple(one for one in classes if one.units),
        "traits": (),
        "providers": flows,
    }
    return PopulationComparison(**{**facts, **changed})


def test_a_change_is_split_into_what_left_moved_and_arrived() -> None:
    aws = flow("aws", 20, left=10, out=0, came=10, arrived=20)
    home = flow("home", 50, left=10, out=10, came=0, arrived=0)
    change = comparison(aws, home).change(aws)
    assert (change.old, change.new) == (Fraction(30, 100), Fraction(50, 100))
    assert change.by_left == Fraction(20, 80) - Fraction(30, 100)
    assert change.by_moved == Fraction(10, 80)
    assert change.by_arrived == Fraction(50, 100) - Fraction(30, 80)
    assert change.total == Fraction(1, 5)


def test_where_all_leave_in_proportion_leaving_changes_no_share() -> None:
    flows = (flow("a", 30, left=30), flow("b", 10, left=10), flow(None, 5, left=5))
    for one in flows:
        change = comparison(*flows).change(one)
        assert {change.by_left, change.by_moved, change.by_arrived, change.total} == {Fraction(0)}


def test_with_nothing_in_common_a_change_has_no_steps() -> None:
    a, b = flow("a", 0, left=4), flow("b", 0, arrived=2)
    change = comparison(a, b).change(a)
    assert (change.old, change.new) == (Fraction(1), Fraction(0))
    assert (change.by_left, change.by_moved, change.by_arrived) == (None, None, None)


counts = st.integers(0, 30)
flows = st.lists(st.tuples(counts, counts, counts, counts), min_size=1, max_size=6).map(
    lambda rows: tuple(
        # what leaves one provider moves to the next
        flow(f"p{n}", stayed, left=left, out=out, came=rows[n - 1][2], arrived=arrived)
        for n, (stayed, left, out, arrived) in enumerate(rows)
    )
)


@given(flows.filter(lambda all_: sum(one.old for one in all_) > 0 and sum(one.new for one in all_) > 0))
def test_the_steps_add_up_to_the_change_and_all_changes_to_none(all_: tuple[ProviderFlow, ...]) -> None:
    whole = comparison(*all_)
    changes = [whole.change(one) for one in all_]
    assert sum(change.total for change in changes) == 0
    for change in changes:
        if change.by_left is not None and change.by_moved is not None and change.by_arrived is not None:
            assert change.by_left + change.by_moved + change.by_arrived == change.total
    steps = [change.by_left for change in changes]
    assert None in steps or sum(step for step in steps if step is not None) == 0


@pytest.mark.parametrize(
    ("old", "new", "days"),
    [
        (date(2025, 11, 1), date(2025, 11, 8), 7),
        (date(2025, 11, 8), date(2025, 11, 1), -7),
        (date(2025, 11, 1), date(2025, 11, 1), 0),
        (None, date(2025, 11, 1), None),
        (date(2025, 11, 1), None, None),
    ],
)
def test_days_are_told_where_both_are_dated(old: date | None, new: date | None, days: int | None) -> None:
    assert comparison(flow("a", 1), old=compared(1, old), new=compared(1, new)).days == days


def test_populations_are_identical_if_nothing_that_is_told_differs() -> None:
    same = flow("a", 3)
    assert comparison(same).identical
    assert comparison(same, traits=(Trait(name="client", compared=3, differ=0),)).identical
    assert not comparison(same, traits=(Trait(name="client", compared=3, differ=1),)).identical
    assert not comparison(flow("a", 3, left=1)).identical
    assert not comparison(flow("a", 3, arrived=1)).identical
    moved = UnitClass(where=Where.BOTH, what=Host.SAME_PROVIDER.value, units=1)
    assert not comparison(same, classes=(moved,)).identical


def test_units_are_added_up_by_where_they_are() -> None:
    whole = comparison(flow("a", 3, left=2, out=1, arrived=5), flow("b", 0, came=1))
    assert {where: whole.units_in(where) for where in Where} == {Where.BOTH: 4, Where.OLD: 2, Where.NEW: 5}
