from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.report.figures import bar, number_range, percent, percent_range, points_range


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0.0 %"), (1.0, "100.0 %"), (0.17757, "17.8 %"), (0.0004, "0.0 %")]
)
def test_a_share_has_one_decimal(value: float, text: str) -> None:
    assert percent(value) == text


def test_a_range_is_one_figure_where_both_ends_print_alike() -> None:
    assert percent_range(0.17757, 0.17970) == "17.8–18.0 %"
    assert percent_range(0.2, 0.20004) == "20.0 %"
    assert number_range(17.41, 17.43, 1) == "17.4"
    assert number_range(1, 1802.4) == "1–1,802"
    assert number_range(0.12344, 0.12346, 4) == "0.1234–0.1235"


def test_hhi_is_printed_in_points() -> None:
    assert points_range(0.05668, 0.05745) == "567–574"
    assert points_range(0.18, 0.18) == "1,800"


def test_a_bar_is_in_eighths_of_the_largest_and_never_empty_for_a_share() -> None:
    assert bar(0.3, 0.3, 3) == "███"
    assert bar(0.15, 0.3, 3) == "█▌"
    assert bar(1e-9, 0.3, 3) == "▏"
    assert bar(0.0, 0.3, 3) == ""
    assert bar(0.0, 0.0, 3) == ""


@given(st.floats(0, 1), st.floats(0, 1), st.integers(1, 40))
def test_no_bar_exceeds_its_width(one: float, other: float, width: int) -> None:
    assert len(bar(min(one, other), max(one, other), width)) <= width
