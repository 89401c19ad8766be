"""Status, updates and comparisons as a person reads them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest
from tests.report.made_results import COMPARISON, SOURCE, status

from concentra.attribution.map_profile import Distance, Figure
from concentra.attribution.map_state import InUse, MapUpdate, Outcome
from concentra.report.map_text import render_comparison, render_rollback, render_status, render_update

SHIPPED = InUse(directory=Path("shipped"), shipped=True, as_of=date(2026, 8, 22))
INSTALLED = InUse(directory=Path("data/2026-11-22"), shipped=False, as_of=date(2026, 11, 22))
KEPT = Figure(name="announced", old=Fraction(4), new=Fraction(4), allowed=Distance(fall=5, rise=5))
FAILED = replace(KEPT, name="share of x", new=Fraction(1, 4), old=Fraction(1, 2), is_share=True)


def update(outcome: Outcome, **changed: object) -> MapUpdate:
    facts = {
        "outcome": outcome, "before": SHIPPED, "now": INSTALLED, "as_of": date(2026, 11, 22), "feeds": 3,
        "changed": ("one",), "figures": (KEPT, KEPT),
    }  # fmt: skip
    return MapUpdate(**facts | changed)  # type: ignore[arg-type] # the tests that change it know its fields


def test_an_update_that_installed() -> None:
    assert render_update(update(Outcome.INSTALLED), width=120) == (
        "installed maps of 2026-11-22; before: the shipped maps of 2026-08-22\n"
        "feeds      3 asked for, 1 changed since the last fetch: one\n"
        "checks     2 of 2 figures within their distances\n"
        "in use     data/2026-11-22\n"
    )


def test_an_update_without_news() -> None:
    done = update(Outcome.UNCHANGED, before=INSTALLED, changed=(), figures=())
    assert render_update(done, width=120) == (
        "nothing to install: the installed maps of 2026-11-22 are made of the same files\n"
        "feeds      3 asked for, 0 changed since the last fetch\n"
    )


def test_an_update_that_only_checked() -> None:
    assert render_update(update(Outcome.CHECKED, now=SHIPPED), width=120).startswith(
        "maps of 2026-11-22 can be installed; nothing was, as was asked for\n"
    )


def test_what_was_accepted_left_out_or_renamed_is_never_silent() -> None:
    done = update(
        Outcome.INSTALLED,
        figures=(KEPT, FAILED),
        skipped=("two: no such package",),
        warnings=tuple(f"provider-{number}: differ" for number in range(5)),
        changed=("one", "two", "three"),
    )
    assert render_update(done, width=120).splitlines()[1:] == [
        "feeds      3 asked for, 3 changed since the last fetch",
        "left out   two: no such package",
        "checks     1 of 2 figures within their distances",
        "accepted   share of x: 50.0 % before, 25.0 % now, allowed -5 % to +5 % of the former",
        "WARNING    curated providers registered under other names than listed: 5",
        "           provider-0: differ",
        "           provider-1: differ",
        "           provider-2: differ",
        "           and 2 more",
        "in use     data/2026-11-22",
    ]


def test_installed_maps_that_are_not_used_are_told() -> None:
    text = render_update(update(Outcome.INSTALLED, now=SHIPPED, as_of=date(2026, 8, 1)), width=120)
    assert "note       the shipped maps of 2026-08-22 are newer, and stay in use\n" in text


@pytest.mark.parametrize(
    ("rolled_back", "now", "text"),
    [
        (True, INSTALLED, "rolled back: the installed maps of 2026-11-22 are in use (data/2026-11-22)\n"),
        (False, SHIPPED, "nothing to roll back: the shipped maps of 2026-08-22 are in use (shipped)\n"),
    ],
)
def test_a_rollback_says_what_is_in_use(rolled_back: bool, now: InUse, text: str) -> None:
    assert render_rollback(now, rolled_back=rolled_back) == text


def test_status_shows_state_coverage_sources_limits_and_age() -> None:
    assert render_status(status(), width=100).splitlines() == [
        "maps of 2026-08-22, 92 days old, shipped with concentra",
        "directory  maps",
        "built by   concentra 0.1.0",
        "installed  2026-08-01",
        "note       2026-08-01 is installed, and older than the shipped maps, which are in use",
        "coverage   2,147,483,648 IPv4 addresses announced, 50.0 % of all; 5 IPv6 /48s",
        "           4 ranges, 3 published records, 2 AS numbers, 1 of them on hosting lists",
        "",
        "source  as of       days  rows  licence",
        "routes  2026-08-22    92     7  CC0-1.0",
        "",
        "limit      routes: made up",
        "OLD        older than 90 days: the maps (92 days), routes (92 days); `concentra maps update` fetches",
        "           what is newer",
    ]


def test_status_of_young_maps_has_no_line_on_age() -> None:
    text = render_status(status(today=date(2026, 8, 23), current=None, installed=()), width=100)
    assert "1 day old" in text
    assert "OLD" not in text
    assert "note" not in text
    assert "installed  none" in text


def test_status_of_damaged_maps_shows_the_damage() -> None:
    damaged = InUse(directory=Path("maps"), shipped=False, as_of=None, damage=("concentra.map is gone",))
    shown = render_status(status(in_use=damaged, built_by="", sources=(), profile=None), width=100)
    assert shown.splitlines() == [
        "maps in use, installed by an update",
        "directory  maps",
        "installed  2026-08-01",
        "DAMAGED    concentra.map is gone",
    ]


def test_an_undated_source_is_called_so() -> None:
    undated = replace(SOURCE, as_of=None, rows=None)
    assert "routes  unknown  unknown  unknown  CC0-1.0" in render_status(
        status(sources=(undated,)), width=100
    )


def test_a_comparison_shows_every_axis_with_its_denominator_and_the_largest_differences() -> None:
    assert render_comparison(COMPARISON, width=120, top=2).splitlines() == [
        "nodes of 192.0.2.7 · 100 addresses of 2026-08-22",
        "A  maps of 2026-08-22, 1 sources, /home/somebody/a",
        "B  maps of 2026-11-22, 0 sources, /home/somebody/b",
        "note       a note",
        "",
        "axis      alike           different          unknown in A  in B  in both  of 100",
        "provider     60   60.0 %         21  21.0 %             1     9        9",
        "kind        100  100.0 %          0   0.0 %             0     0        0",
        "",
        "provider: A → B, 2 largest of 4 differences, out of 100 addresses",
        "12  12.0 %  home (home Ltd) → AS64500 (AS64500 Ltd)",
        " 9   9.0 %  =cloud (=cloud Ltd) → unknown",
    ]


@pytest.mark.parametrize("width", [40, 60, 80])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    hostile = replace(SOURCE, name="r" * 90, licence="l\x1b[31m" * 90, limits=("words " * 90,))
    shown = render_status(status(sources=(hostile,)), width=width) + render_comparison(
        COMPARISON, width=width, top=9
    )
    assert "\x1b" not in shown
    assert max(map(len, shown.splitlines())) <= width
