"""Time-outs follow the answers, and our own lateness."""

from __future__ import annotations

import pytest

from concentra.collect.crawl.patience import FIRST_S, LONGEST_S, SHORTEST_S, Patience


def settled(*rtts: float) -> Patience:
    patience = Patience()
    for _ in range(40):
        for rtt in rtts:
            patience.answered(rtt)
    return patience


def test_before_any_answer_one_second_is_waited() -> None:
    assert Patience().timeout_s == FIRST_S


def test_quick_answers_shorten_the_time_out_to_its_floor_and_no_further() -> None:
    assert settled(0.001).timeout_s == SHORTEST_S


def test_slow_answers_lengthen_it_to_more_than_they_take() -> None:
    assert 0.8 < settled(0.8).timeout_s < LONGEST_S


def test_answers_that_vary_are_waited_for_longer_than_their_mean() -> None:
    assert settled(0.2, 0.8).timeout_s > 0.8


def test_nothing_lengthens_it_beyond_its_ceiling() -> None:
    assert settled(100.0).timeout_s == LONGEST_S


def test_our_own_lag_is_added_at_once_and_forgotten_over_time() -> None:
    patience = settled(0.001)
    patience.lagged(0.5)
    assert patience.timeout_s == pytest.approx(SHORTEST_S + 0.5)
    for _ in range(100):
        patience.lagged(0.0)
    assert patience.timeout_s == pytest.approx(SHORTEST_S, abs=1e-3)
