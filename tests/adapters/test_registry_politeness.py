"""Paces, pauses and broken circuits, on a clock that the test holds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.adapters.registry_answers import Failure, NoAnswer
from concentra.adapters.registry_politeness import (
    CYMRU,
    DEFAULT_LIMITS,
    Clock,
    Courtesy,
    Limits,
    Manners,
    retry_after_s,
)

NOON = datetime(2026, 8, 22, 12, tzinfo=UTC)


def test_the_first_question_waits_for_nothing() -> None:
    assert Manners(Limits()).wait_s(0.0) == 0.0
    assert Manners(Limits()).wait_s(-5.0) == 0.0  # a monotonic clock may begin anywhere


def test_the_next_question_waits_for_the_rest_of_the_interval() -> None:
    manners = Manners(Limits(interval_s=6.0))
    manners.asked(100.0)
    assert [manners.wait_s(now) for now in (100.0, 104.0, 106.0, 1000.0)] == [6.0, 2.0, 0.0, 0.0]


def test_time_unused_is_not_saved_up() -> None:
    manners = Manners(Limits())
    manners.asked(0.0)
    manners.asked(100.0)
    assert manners.wait_s(100.0) == 1.0


def test_pauses_double_with_every_failure_in_a_row() -> None:
    manners = Manners(Limits(failures=100, first_pause_s=5.0, longest_pause_s=60.0))
    pauses = []
    for now in range(0, 6000, 1000):
        manners.failed(float(now))
        pauses.append(manners.wait_s(float(now)))
    assert pauses == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]
    manners.answered()
    manners.failed(9000.0)
    assert manners.wait_s(9000.0) == 5.0


def test_a_pause_that_is_asked_for_counts_from_the_failure_and_replaces_the_own() -> None:
    manners = Manners(Limits())
    manners.asked(10.0)
    manners.failed(12.0, retry_after_s=2.0)
    assert manners.wait_s(12.0) == 2.0


def test_a_pause_never_shortens_the_interval() -> None:
    manners = Manners(Limits(interval_s=6.0))
    manners.asked(10.0)
    manners.failed(10.0, retry_after_s=0.0)
    assert manners.wait_s(10.0) == 6.0


def test_the_circuit_breaks_at_the_last_failure_in_a_row_and_stays_broken() -> None:
    manners = Manners(Limits(failures=3))
    for _ in range(2):
        manners.failed(0.0)
    assert manners.wait_s(1e6) == 0.0
    manners.answered()
    for _ in range(2):
        manners.failed(0.0)
    assert manners.wait_s(1e6) == 0.0
    manners.failed(0.0)
    assert manners.wait_s(1e6) is None


@pytest.mark.parametrize(("pause", "left_alone"), [(600.0, False), (600.5, True)])
def test_who_asks_for_a_pause_that_is_too_long_is_left_alone(pause: float, left_alone: bool) -> None:
    manners = Manners(Limits(longest_pause_s=600.0))
    manners.failed(0.0, retry_after_s=pause)
    assert (manners.wait_s(0.0) is None) == left_alone


@given(st.lists(st.floats(0, 10), max_size=30))
def test_no_two_questions_are_closer_than_the_interval(gaps: list[float]) -> None:
    manners, now, asked = Manners(Limits(interval_s=1.0)), 0.0, []
    for gap in gaps:
        now += gap
        wait = manners.wait_s(now)
        assert wait is not None
        now += wait
        manners.asked(now)
        asked.append(now)
    assert all(later - earlier >= 1.0 - 1e-9 for earlier, later in pairwise(asked))


# On a clock


class Elapsed:
    def __init__(self) -> None:
        self.seconds = 0.0

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    @property
    def clock(self) -> Clock:
        return Clock(
            now=lambda: NOON + timedelta(seconds=self.seconds),
            monotonic=lambda: self.seconds,
            sleep=self.sleep,
        )


def nobody(_: str, __: float) -> None:
    raise AssertionError("there was nothing to wait for")


def test_a_turn_waits_and_says_for_whom() -> None:
    elapsed, heard = Elapsed(), []
    courtesy = Courtesy(elapsed.clock, {"lacnic": Limits(interval_s=6.0)})
    listener: Callable[[str, float], None] = lambda who, wait: heard.append((who, wait))  # noqa: E731
    courtesy.turn("lacnic", nobody)
    courtesy.turn("arin", nobody)
    courtesy.turn("arin", listener)
    courtesy.turn("lacnic", listener)
    assert heard == [("arin", 1.0), ("lacnic", 5.0)]
    assert elapsed.seconds == 6.0


def test_a_date_is_compared_with_the_clock() -> None:
    elapsed = Elapsed()
    elapsed.seconds = 100.0
    courtesy = Courtesy(elapsed.clock, {})
    courtesy.failed("arin", format_datetime(NOON + timedelta(seconds=130), usegmt=True))
    courtesy.turn("arin", lambda *_: None)
    assert elapsed.seconds == 130.0


@pytest.mark.parametrize(
    ("who", "failure"), [("arin", Failure.LEFT_ALONE), (CYMRU, Failure.CYMRU_LEFT_ALONE)]
)
def test_who_is_left_alone_has_no_turn(who: str, failure: Failure) -> None:
    courtesy = Courtesy(Elapsed().clock, {})
    courtesy.failed(who, "86400")
    with pytest.raises(NoAnswer) as caught:
        courtesy.turn(who, nobody)
    assert caught.value.failure is failure
    courtesy.turn("ripencc", nobody)


def test_the_pace_of_each_registry() -> None:
    paces = {who: DEFAULT_LIMITS.get(who, Limits()).interval_s for who in ("arin", "lacnic", CYMRU)}
    assert paces == {"arin": 1.0, "lacnic": 6.0, CYMRU: 0.1}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        ("9" * 5000, 999_999_999_999.0),
        ("Sat, 22 Aug 2026 12:01:30 GMT", 90.0),
        ("Sat, 22 Aug 2026 14:01:30 +0200", 90.0),
        ("Sat, 22 Aug 2026 12:01:30 -0000", 90.0),
        ("Saturday, 22-Aug-26 12:01:30 GMT", 90.0),
        ("Sat Aug 22 12:01:30 2026", 90.0),
        ("Fri, 21 Aug 2026 12:00:00 GMT", 0.0),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("", None),
        ("soon", None),
        ("Sat, 99 Aug 2026 12:01:30 GMT", None),
        ("Sat, 22 Aug 99999 12:01:30 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, seconds: float | None) -> None:
    assert retry_after_s(text, NOON) == seconds


@given(st.text(max_size=40))
def test_any_header_is_a_pause_or_means_nothing(text: str) -> None:
    seconds = retry_after_s(text, NOON)
    assert seconds is None or seconds >= 0
