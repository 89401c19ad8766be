"""Permits come back at the stated rate, however they are asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.collect.crawl.budget import PrefixPace, TokenBucket


@given(
    rate=st.floats(0.1, 1000),
    burst=st.floats(1, 50),
    steps=st.lists(st.floats(0, 0.5), min_size=1, max_size=200),
)
def test_a_bucket_never_lets_through_more_than_burst_and_rate(
    rate: float, burst: float, steps: list[float]
) -> None:
    bucket = TokenBucket(rate, burst)
    now, taken = 0.0, 0
    for step in steps:
        now += step
        taken += bucket.take(now)
        assert taken <= burst + rate * now + 1e-6


def test_a_bucket_says_when_the_next_permit_is_there_and_keeps_its_word() -> None:
    bucket = TokenBucket(rate=4, burst=2)
    assert [bucket.take(10.0) for _ in range(3)] == [True, True, False]
    ready = bucket.ready_at(10.0)
    assert ready == pytest.approx(10.25)
    assert not bucket.take(ready - 0.01)
    assert bucket.take(ready + 1e-9)


def test_whoever_waits_until_a_bucket_is_ready_gets_on_however_large_the_clock_reads() -> None:
    bucket, now = TokenBucket(rate=30_000, burst=1), 1.8e9
    for _ in range(1000):
        while not bucket.take(now):
            before, now = now, bucket.ready_at(now)
            assert now > before
    assert now - 1.8e9 == pytest.approx(1000 / 30_000, rel=0.05)


def test_a_bucket_saves_up_no_more_than_its_burst() -> None:
    bucket = TokenBucket(rate=100, burst=3)
    bucket.take(0.0)
    assert [bucket.take(1000.0) for _ in range(4)] == [True, True, True, False]


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (-1, 1), (1, 0.5), (float("nan"), 1)])
def test_a_bucket_that_would_let_nothing_through_is_refused(rate: float, burst: float) -> None:
    with pytest.raises(ValueError, match="let something through"):
        TokenBucket(rate, burst)


def test_a_network_is_contacted_at_most_as_often_as_its_rate_says_and_others_are_not_held_up() -> None:
    pace = PrefixPace(rate=2)
    assert pace.next_at("192.0.2", 10.0) == 10.0
    pace.used("192.0.2", 10.0)
    assert pace.next_at("192.0.2", 10.2) == 10.5
    assert pace.next_at("198.51.100", 10.2) == 10.2
    assert pace.next_at("192.0.2", 11.0) == 11.0
