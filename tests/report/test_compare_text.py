from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest
from tests.report.made_comparisons import COMPARISON, FLOWS, flow, side

from concentra.model.axes import Unit
from concentra.model.population_comparison import NOT_TOLD_OF, Host, UnitClass, Where
from concentra.report.compare_text import render_comparison

Golden = Callable[[str, str], None]
CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]")


def line(text: str, start: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(start))


@pytest.mark.parametrize("width", [120, 70, 45])
def test_the_report_at_several_widths(golden: Golden, width: int) -> None:
    golden(f"compare-{width}.txt", render_comparison(COMPARISON, width=width, top=5))


@pytest.mark.parametrize("width", [*range(48, 130, 7)])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    text = render_comparison(COMPARISON, width=width, top=10)
    assert max(map(len, text.splitlines())) <= width


def test_counts_of_all_columns_are_those_of_the_comparison() -> None:
    text = render_comparison(COMPARISON, width=120, top=2)
    assert re.findall(r"\d[\d,]*", line(text, "cloud"))[:6] == ["600", "120", "30", "10", "140", "600"]
    further = re.findall(r"\d[\d,]*", line(text, "5 further"))[1:]
    rest = [one for one in FLOWS[2:] if one.id is not None]
    assert further == [
        str(sum(getattr(one, name) for one in rest))
        for name in ("old", "left", "moved_out", "moved_in", "arrived", "new")
    ]
    assert line(text, "unattributed")


def test_the_largest_change_is_told_with_its_reasons() -> None:
    text = " ".join(render_comparison(COMPARISON, width=120, top=5).split())
    assert (
        "change most at hamlet: 0.8 % → 3.8 % (+3.0 pp): +0.2 pp by what left, +2.8 pp by what arrived"
        in text
    )


def test_limits_of_both_are_told_once() -> None:
    text = render_comparison(COMPARISON, width=120, top=5)
    assert text.count("seen from one place") == 1
    assert "limit      OLD and NEW: seen from one place" in text
    assert "limit      NEW: only new has this limit" in text
    assert "note       OLD: a note [31m" in text
    assert CONTROL.findall(text) == []


def test_moves_are_left_out_of_the_table_where_there_are_none() -> None:
    still = replace(
        COMPARISON,
        providers=(flow("cloud", 10, left=1), flow("isp", 5, arrived=1)),
        classes=(
            UnitClass(where=Where.BOTH, what=Host.SAME.value, units=14),
            UnitClass(where=Where.OLD, what=NOT_TOLD_OF, units=1),
            UnitClass(where=Where.NEW, what=NOT_TOLD_OF, units=1),
        ),
        traits=(),
    )
    text = render_comparison(still, width=120, top=5)
    assert line(text, "provider").split() == [
        *("provider", "OLD", "−", "left", "+", "arrived", "=", "NEW"),
        *("OLD", "%", "NEW", "%", "change", "by", "left", "by", "arrived"),
    ]
    assert "same address" not in text  # all of those in both
    assert "of those in both" not in text


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (date(2025, 11, 15), date(2025, 11, 22), "NEW is 7 days later than OLD"),
        (date(2025, 11, 22), date(2025, 11, 21), "NEW is 1 day EARLIER than OLD"),
        (date(2025, 11, 22), date(2025, 11, 22), "both of one day"),
        (None, date(2025, 11, 22), "--old-as-of and --new-as-of name the days"),
    ],
)
def test_the_time_between_is_told(old: date | None, new: date | None, said: str) -> None:
    dated = replace(COMPARISON, old=side("old", 1000, old), new=side("new", 990, new))
    assert said in " ".join(render_comparison(dated, width=120, top=5).split())


def test_another_unit_is_told_with_its_reason_and_what_it_cannot_see() -> None:
    other = replace(COMPARISON, unit=Unit.PREFIX, unit_reason="ethereum is known by /24 and /48 only")
    text = " ".join(render_comparison(other, width=120, top=5).split())
    assert "unit compared by prefix: ethereum is known by /24 and /48 only" in text
    assert "where one prefix leaves, another one arrives" in text
    assert "are not seen" not in render_comparison(COMPARISON, width=120, top=5)


@pytest.mark.parametrize(("same_file", "said"), [(True, "the same file"), (False, "alike")])
def test_identical_populations_are_called_that_and_nothing_more(same_file: bool, said: str) -> None:
    identical = replace(
        COMPARISON,
        new=COMPARISON.old,
        same_file=same_file,
        classes=(UnitClass(where=Where.BOTH, what=Host.SAME.value, units=1000),),
        traits=(),
    )
    text = render_comparison(identical, width=120, top=5)
    assert f"OLD and NEW are {said}: each of the 1,000 nodes is in both, nothing differs" in text
    assert "provider" not in text


def test_the_same_bytes_read_in_two_ways_are_told() -> None:
    text = render_comparison(replace(COMPARISON, same_file=True), width=120, top=5)
    assert "OLD and NEW are made of the same bytes" in text


def test_with_nothing_in_common_steps_are_not_made_up() -> None:
    apart = replace(
        COMPARISON,
        old=side("old", 10, None),
        new=side("new", 5, None),
        providers=(flow("cloud", 10, left=10), flow("isp", 0, arrived=5)),
        classes=(
            UnitClass(where=Where.OLD, what=NOT_TOLD_OF, units=10),
            UnitClass(where=Where.NEW, what=NOT_TOLD_OF, units=5),
        ),
        traits=(),
    )
    text = render_comparison(apart, width=120, top=5)
    assert line(text, "cloud").split()[-2:] == ["–", "–"]
    assert "100.0 % → 0.0 % (−100.0 pp)\n" in text
