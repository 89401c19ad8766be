"""Progress of a crawl: one renewed line on a terminal, a line a minute elsewhere, nothing if it is unwanted."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.cli.crawl_progress import ERASE, crawl_progress, described
from concentra.workflows.crawl_progress import CrawlProgress


def at(elapsed_s: float, **changes: float | None) -> CrawlProgress:
    facts = {
        "found": 9000,
        "asked": 2500,
        "rate_per_s": 40.3,
        "answering": 900,
        "waiting": 6400,
        "greeted": 700,
        "remaining_s": 158.7,
    }
    return CrawlProgress(elapsed_s=elapsed_s, **(facts | changes))  # type: ignore[arg-type]


WHOLE = len(described(at(1)))
"""Columns that the whole line fills."""


class Stderr(io.StringIO):
    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal

    def fileno(self) -> int:
        return 2


@pytest.fixture
def stderr(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Stderr]:
    def set_up(*, terminal: bool, columns: int | None = 100) -> Stderr:
        def size(_: int) -> os.terminal_size:
            if columns is None:
                raise OSError
            return os.terminal_size((columns, 24))

        made = Stderr(terminal=terminal)
        monkeypatch.setattr(sys, "stderr", made)
        monkeypatch.setattr(os, "get_terminal_size", size)
        monkeypatch.setenv("TERM", "xterm")
        return made

    return set_up


def test_on_a_terminal_one_line_is_renewed_and_erased_at_the_end(stderr: Callable[..., Stderr]) -> None:
    written = stderr(terminal=True)
    with crawl_progress(quiet=False) as progress:
        progress(at(1))
        progress(at(2))
    lines = written.getvalue().split(ERASE)
    assert lines == ["", described(at(1), 99), described(at(2), 99), ""]


def test_it_is_erased_before_an_error_is_told(stderr: Callable[..., Stderr]) -> None:
    written = stderr(terminal=True)
    with pytest.raises(ValueError, match="x"), crawl_progress(quiet=False) as progress:
        progress(at(1))
        raise ValueError("x")
    assert written.getvalue().endswith(ERASE)


@pytest.mark.parametrize(
    ("columns", "longest"), [(40, 39), (80, 79), (200, 199), (None, 79), (0, 79), (WHOLE, WHOLE - 1)]
)
def test_the_line_leaves_a_column_free_so_that_it_does_not_wrap(
    columns: int | None, longest: int, stderr: Callable[..., Stderr]
) -> None:
    written = stderr(terminal=True, columns=columns)
    with crawl_progress(quiet=False) as progress:
        progress(at(1))
    _, line, _ = written.getvalue().split(ERASE)
    assert line == described(at(1), longest)
    assert len(line) <= longest


def test_elsewhere_there_is_a_line_a_minute(stderr: Callable[..., Stderr]) -> None:
    written = stderr(terminal=False)
    with crawl_progress(quiet=False) as progress:
        for half_second in range(600):
            progress(at(half_second / 2))
    assert written.getvalue().splitlines() == [described(at(minute * 60)) for minute in range(1, 5)]


def test_after_a_pause_the_lines_that_were_missed_are_not_made_up_for(stderr: Callable[..., Stderr]) -> None:
    written = stderr(terminal=False)
    with crawl_progress(quiet=False) as progress:
        for elapsed in (0, 1000, 1001, 1059, 1060):
            progress(at(elapsed))
    assert written.getvalue().splitlines() == [described(at(1000)), described(at(1060))]


def test_a_terminal_that_knows_no_escapes_is_sent_lines(
    stderr: Callable[..., Stderr], monkeypatch: pytest.MonkeyPatch
) -> None:
    written = stderr(terminal=True)
    monkeypatch.setenv("TERM", "dumb")
    with crawl_progress(quiet=False) as progress:
        progress(at(61))
    assert written.getvalue() == described(at(61)) + "\n"


@pytest.mark.parametrize("terminal", [True, False])
def test_quiet_is_quiet(terminal: bool, stderr: Callable[..., Stderr]) -> None:
    written = stderr(terminal=terminal)
    with crawl_progress(quiet=True) as progress:
        progress(at(3600))
    assert written.getvalue() == ""


def test_without_a_standard_error_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    with crawl_progress(quiet=False) as progress:
        progress(at(3600))
        assert sys.stderr is None


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {},
            "1:02  9,000 found, 2,500 asked (40/s), 900 answering, about 2:39 to go, 6,400 waiting, 700 greeted",
        ),
        (
            {"remaining_s": None, "greeted": 0},
            "1:02  9,000 found, 2,500 asked (40/s), 900 answering, 6,400 waiting",
        ),
        (
            {"remaining_s": 36_000.4, "greeted": 0},
            "1:02  9,000 found, 2,500 asked (40/s), 900 answering, about 10:00:00 to go, 6,400 waiting",
        ),
        (
            {"asked": 0, "rate_per_s": 0.0, "remaining_s": 0.0},
            "1:02  9,000 found, 0 asked (0/s), 900 answering, about 0:00 to go, 6,400 waiting, 700 greeted",
        ),
    ],
)
def test_the_line_says_how_far_it_is_how_fast_and_how_long_it_takes(
    changes: dict[str, float | None], line: str
) -> None:
    assert described(at(62), 200) != ""
    assert described(at(62, **changes)) == line


@given(st.integers(1, 120))
def test_a_narrow_line_is_the_beginning_of_the_whole_and_no_part_is_cut_where_one_fits(width: int) -> None:
    whole, line = described(at(62)), described(at(62), width)
    assert whole.startswith(line)
    assert len(line) <= width
    if width >= len("1:02  9,000 found"):
        assert line == whole or whole[len(line) :].startswith(", ")
