"""A finished crawl as a person reads it."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta, timezone

import msgspec
import pytest
from tests.made_crawls import START
from tests.report.made_crawl_summaries import COMPLETE, NOBODY, STOPPED, UNJUDGED, hostile

from concentra.model.crawl import CrawlState
from concentra.model.crawl_summary import CrawlSummary
from concentra.report.crawl_text import render_crawl

ALL = {"complete": COMPLETE, "stopped": STOPPED, "nobody": NOBODY, "unjudged": UNJUDGED}
WIDTHS = (120, 80, 60, 40)
DAY = "2026-11-23"
TITLE = f"Ethereum, execution layer, {DAY}"


def shown(summary: CrawlSummary, width: int = 500) -> list[str]:
    return render_crawl(summary, width=width, colour=False).splitlines()


def told(summary: CrawlSummary, **changes: object) -> CrawlSummary:
    return replace(summary, manifest=msgspec.structs.replace(summary.manifest, **changes))


def starting(summary: CrawlSummary, label: str) -> list[str]:
    return [line for line in shown(summary) if line.startswith(f"{label} ")]


@pytest.mark.parametrize("width", WIDTHS)
def test_the_report_is_what_it_was(width: int, golden: Callable[[str, str], None]) -> None:
    golden(
        f"crawl-{width}.txt",
        "\n\n".join(render_crawl(summary, width=width, colour=False) for summary in ALL.values()),
    )


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", [*ALL, "hostile"])
def test_it_fits_into_the_terminal_and_nothing_trails(name: str, width: int) -> None:
    lines = shown(ALL[name] if name in ALL else hostile(), width)
    assert max(map(len, lines)) <= width
    assert lines == [line.rstrip() for line in lines]


TOLD = "of 54,319 nodes told of, 21,204 answered"


@pytest.mark.parametrize(
    ("summary", "line"),
    [
        (COMPLETE, f"Crawl of {TITLE}: {TOLD}, and 9,012 of those are on the network"),
        (UNJUDGED, f"Crawl of {TITLE}: {TOLD}; which of those are on the network is not known"),
        (NOBODY, f"Crawl of {TITLE}: of 4 nodes told of, none answered"),
        (
            STOPPED,
            f"Stopped crawl of My network, {DAY}: of 40 nodes told of, 2 answered, and 1 of those is on the network",
        ),
    ],
)
def test_the_first_line_can_be_quoted_alone(summary: CrawlSummary, line: str) -> None:
    assert shown(summary)[0] == line


def test_one_node_is_one_node() -> None:
    one = replace(NOBODY, nodes=1)
    assert shown(one)[0].endswith(": of 1 node told of, none answered")


@pytest.mark.parametrize(
    ("summary", "said"),
    [
        (COMPLETE, "2026-11-23 01:45 to 02:29 UTC (44 min 0 s); discv4 at 50 "),
        (STOPPED, "2026-11-23 01:45 UTC (42 s, with a break); discv4 and discv5 at 0.5 "),
        (NOBODY, "2026-11-23 01:45 to 2026-11-24 02:29 UTC (24 h 44 min, with a break); discv4 at 50 "),
    ],
)
def test_it_says_when_and_how_fast_and_why_it_ended(summary: CrawlSummary, said: str) -> None:
    (line,) = starting(summary, "when")
    why = "stopped before it was complete" if summary is STOPPED else "complete: nobody was left to ask"
    assert line == f"when        {said}nodes a second at most; {why}"


def test_a_crawl_that_was_killed_is_not_called_complete() -> None:
    killed = told(STOPPED, state=CrawlState.RUNNING, ended=None)
    assert shown(killed)[0].startswith("Stopped crawl of ")
    (when,) = starting(killed, "when")
    assert when.startswith("when        from 2026-11-23 01:45 UTC, and was cut off; ")
    assert starting(killed, "go on")


def test_what_to_do_next_are_commands_for_this_crawl() -> None:
    assert starting(COMPLETE, "go on") == []
    assert starting(COMPLETE, "next") == ["next        concentra audit ethereum"]
    assert shown(COMPLETE)[-1] == "            concentra coverage ethereum"
    assert starting(STOPPED, "go on") == ["go on       concentra crawl my-net --resume --opt-out FILE"]
    assert starting(STOPPED, "next") == ["next        concentra audit my-net"]
    assert starting(NOBODY, "next") == []


def test_where_nobody_answered_there_is_a_hint() -> None:
    assert starting(NOBODY, "hint")
    assert not any(starting(summary, "hint") for summary in (COMPLETE, STOPPED, UNJUDGED))


def test_a_crawl_of_this_machine_is_not_sent_to_an_audit_that_would_find_nobody() -> None:
    none = replace(COMPLETE.funnel[-1], left=0)
    local = told(replace(COMPLETE, funnel=(*COMPLETE.funnel[:-1], none)), settings={"loopback": 1})
    assert starting(local, "next") == ["next        nothing to audit: loopback is nobody's address"]
    assert shown(local)[-1] == "            concentra coverage ethereum"


def test_the_rows_are_kept_until_a_day_and_for_their_owner() -> None:
    (kept,) = starting(COMPLETE, "kept")
    assert (
        kept == "kept        on this machine until 2026-12-23, readable by you alone: the rows hold addresses"
    )


def test_days_and_times_are_utc() -> None:
    elsewhere = timezone(timedelta(hours=14))
    moved = told(
        COMPLETE,
        started=START.astimezone(elsewhere),
        ended=(START + timedelta(minutes=44)).astimezone(elsewhere),
        expires=COMPLETE.manifest.expires.astimezone(elsewhere),
    )
    assert shown(moved) == shown(COMPLETE)


@pytest.mark.parametrize("width", WIDTHS)
def test_texts_of_strangers_are_shown_without_what_a_terminal_obeys(width: int) -> None:
    text = render_crawl(hostile(), width=width, colour=False)
    harmful = [c for c in text if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co"} and c != "\n"]
    assert harmful == []
    assert max(map(len, text.splitlines())) <= width
    assert "!" * 81 not in text.replace("\n", "").replace(" ", "")


def test_on_a_terminal_the_first_sentence_is_bold_and_nothing_else() -> None:
    plain = render_crawl(COMPLETE, width=60, colour=False)
    bold = render_crawl(COMPLETE, width=60, colour=True)
    assert bold.count("\x1b[1m") == bold.count("\x1b[0m") == 3
    assert bold.replace("\x1b[1m", "").replace("\x1b[0m", "") == plain
    assert all(line.startswith("\x1b[1m") and line.endswith("\x1b[0m") for line in bold.splitlines()[:3])
