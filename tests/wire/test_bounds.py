import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.wire.bounds import Allowance, TimedMap


def test_a_value_lives_for_its_time_and_not_a_moment_longer() -> None:
    kept = TimedMap[str, int](lifetime_s=1.0, capacity=9)
    kept.put("a", 1, now=10.0)
    assert kept.get("a", now=10.999) == 1
    assert kept.get("a", now=11.0) is None
    assert kept.pop("a", now=11.0) is None
    assert len(kept) == 0


def test_putting_a_value_again_starts_its_time_anew() -> None:
    kept = TimedMap[str, int](lifetime_s=1.0, capacity=9)
    kept.put("a", 1, now=0.0)
    kept.put("b", 2, now=0.5)
    kept.put("a", 3, now=0.9)
    assert kept.get("a", now=1.5) == 3
    kept.put("c", 4, now=1.6)  # clears away what is over: b, but not a
    assert (kept.get("a", now=1.6), len(kept)) == (3, 2)


def test_the_oldest_value_makes_room_for_the_newest() -> None:
    kept = TimedMap[int, int](lifetime_s=9.0, capacity=3)
    for number in range(5):
        kept.put(number, number, now=0.0)
    assert [kept.get(number, now=0.0) for number in range(5)] == [None, None, 2, 3, 4]


def test_a_value_is_popped_once() -> None:
    kept = TimedMap[str, int](lifetime_s=1.0, capacity=9)
    kept.put("a", 1, now=0.0)
    assert kept.pop("a", now=0.5) == 1
    assert kept.pop("a", now=0.5) is None
    assert kept.pop("never", now=0.5) is None


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0, 1)), max_size=40), st.integers(1, 5))
def test_it_never_holds_more_than_its_capacity_and_nothing_that_is_over(
    puts: list[tuple[int, float]], capacity: int
) -> None:
    kept, now, put_at = TimedMap[int, float](lifetime_s=1.0, capacity=capacity), 0.0, {}
    for key, wait in puts:
        now += wait
        kept.put(key, now, now=now)
        put_at[key] = now
        assert len(kept) <= capacity
        for other, at in put_at.items():
            assert kept.get(other, now=now) in ((None, at) if at + 1.0 > now else (None,))
    assert not puts or kept.get(puts[-1][0], now=now) == now


def test_an_allowance_refills_with_time_and_not_beyond_a_second() -> None:
    allowance = Allowance(per_s=4.0)
    assert [allowance.take(now=0.0) for _ in range(5)] == [True] * 4 + [False]
    assert not allowance.take(now=0.2)
    assert allowance.take(now=0.25)
    assert not allowance.take(now=0.25)
    assert [allowance.take(now=100.0) for _ in range(5)] == [True] * 4 + [False]


@pytest.mark.parametrize("start", [0.0, 1e6])
def test_it_does_not_matter_when_the_clock_began(start: float) -> None:
    allowance = Allowance(per_s=1.0)
    assert (allowance.take(now=start), allowance.take(now=start)) == (True, False)


@given(st.lists(st.floats(0, 2), max_size=50))
def test_in_any_time_no_more_is_allowed_than_the_rate_and_one_second_more(waits: list[float]) -> None:
    allowance, now, taken = Allowance(per_s=3.0), 0.0, 0
    for wait in waits:
        now += wait
        taken += allowance.take(now=now)
    assert taken <= 3.0 * now + 3.0 + 1e-6
