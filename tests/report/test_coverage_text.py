"""How much of a network was seen, as a person reads it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from tests.made_crawls import START
from tests.made_lists import THEIRS, coverage_of, crawl, judge, listed, overlapping

from concentra.model.coverage import Counted, Coverage, Doubt
from concentra.model.crawl import CrawlSource, CrawlState, Outcome
from concentra.report.coverage_text import COUNTED, DOUBTS, render_coverage
from concentra.workflows.coverage import coverage

V4, V5, DNS, PEERS, IMPORT = (
    CrawlSource.DISCV4,
    CrawlSource.DISCV5,
    CrawlSource.DNS_TREE,
    CrawlSource.ADMIN_PEERS,
    CrawlSource.IMPORT,
)
HOSTILE = "evil\x1b[31m\u202e\nname"


@pytest.fixture
def two() -> Coverage:
    rows = [
        *overlapping({(V4,): 2040, (DNS,): 2016, (V4, DNS): 2972}),
        *overlapping({(V4,): 700, (V4, DNS): 300}, start=9000, outcome=Outcome.TIMED_OUT),
        *overlapping({(V4,): 900}, start=11_000, network_id=THEIRS),
    ]
    return coverage({"2026-11-23T014500Z": crawl(rows)}, judge=judge)


@pytest.fixture
def three() -> Coverage:
    rows = overlapping(
        {
            (V4,): 620,
            (DNS,): 280,
            (PEERS,): 30,
            (V4, DNS): 400,
            (V4, PEERS): 40,
            (DNS, PEERS): 25,
            (V4, DNS, PEERS): 35,
        }
    )
    made: Coverage = coverage_of(crawl(rows, state=CrawlState.STOPPED))
    return made


@pytest.mark.parametrize("width", [120, 60, 40])
def test_the_report_is_what_it_was(
    width: int, golden: Callable[[str, str], None], two: Coverage, three: Coverage
) -> None:
    golden(
        f"coverage-{width}.txt", f"{render_coverage(two, width=width)}\n{render_coverage(three, width=width)}"
    )


@pytest.mark.parametrize("width", [40, 60, 78, 120])
def test_no_line_is_longer_than_the_terminal(width: int, two: Coverage, three: Coverage) -> None:
    for of in (two, three):
        assert max(map(len, render_coverage(of, width=width).splitlines())) <= width


def test_the_reference_shows_a_report(two: Coverage) -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "coverage.md").read_text(encoding="utf-8")
    shown = page.partition("```text\n")[2].partition("```")[0]
    assert render_coverage(two, width=120).startswith(shown)
    assert shown.count("\n") > 10


def first_line(of: Coverage) -> str:
    return render_coverage(of, width=300).splitlines()[0]


def test_the_answer_comes_first(two: Coverage) -> None:
    assert first_line(two) == (
        "At least 8,411 nodes (95 % 8,294–8,540): discv4 (5,012) and dns (4,988) share 2,972."
    )


def test_the_answer_of_models_says_how_far_they_differ(three: Coverage) -> None:
    assert first_line(three) == (
        "At least 1,766 nodes (95 % 1,625–2,009): the lowest of 8 log-linear models of discv4, dns, admin_peers; "
        "the highest says 1,894."
    )


def test_the_answer_of_repeated_crawls_says_how_often_nodes_were_seen() -> None:
    again = crawl(overlapping({(V4,): 600}, start=301), started=START + timedelta(hours=1))
    of = coverage_of(crawl(overlapping({(V4,): 600})), again)
    assert first_line(of) == (
        "At least 1,198 nodes (95 % 1,138–1,275): of 2 crawls (discv4), 600 nodes are in one only and 300 in two."
    )
    assert "\nseen     900 different nodes in any of the crawls\n" in render_coverage(of, width=120)


def test_an_estimate_that_may_be_too_high_is_no_lower_bound() -> None:
    of = coverage_of(crawl(overlapping({(V4,): 400, (V5,): 200, (V4, V5): 300})))
    assert first_line(of).startswith("About 1,165 nodes (95 % ")
    text = render_coverage(of, width=120)
    assert "\nunseen   about 265 nodes (u)\n" in text
    assert "≈ 1,165" in text
    assert "≥" not in text


def test_what_was_seen_is_the_least_that_is_told() -> None:
    of = coverage_of(crawl(overlapping({(V4,): 2, (DNS,): 2, (V4, DNS): 40, (PEERS,): 30})))
    assert first_line(of).startswith("At least 74 nodes (95 % ")
    assert "unseen   at least 0 nodes (u)" in render_coverage(of, width=120)


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        pytest.param(
            {(V4,): 5},
            "Undetermined: at least the 5 nodes that were seen; only one list has any, discv4, and nothing "
            "shows what it misses.",
            id="one list",
        ),
        pytest.param(
            {(V4,): 5, (V4, DNS): 9},
            "Undetermined: at least the 14 nodes that were seen; no two lists tell how many both miss.",
            id="one within the other",
        ),
        pytest.param({}, "Undetermined: no node of any list is counted.", id="nothing"),
    ],
)
def test_what_cannot_be_told_is_said_with_what_would_tell(
    counts: dict[tuple[CrawlSource, ...], int], says: str
) -> None:
    of = coverage_of(crawl(overlapping(counts)))
    assert first_line(of) == says
    text = render_coverage(of, width=120)
    assert "concentra crawl ethereum --dns" in text
    assert "concentra coverage ethereum --last 2" in text
    assert "How to read this" not in text


def test_every_doubt_is_explained_in_words() -> None:
    assert set(DOUBTS) == set(Doubt)
    assert set(COUNTED) == set(Counted)
    text = render_coverage(coverage_of(crawl(overlapping({(V4,): 5, (V4, DNS): 9}))), width=120)
    assert f"\ndoubt    discv4 & dns: {DOUBTS[Doubt.CONTAINED]}\n" in text


def test_models_that_have_no_estimate_are_counted() -> None:
    counts = {(V4,): 50, (DNS,): 40, (PEERS,): 60, (V4, PEERS): 20, (DNS, PEERS): 15}
    text = render_coverage(coverage_of(crawl(overlapping(counts))), width=120)
    assert "(8 models)" in text
    assert "\n5 have no finite estimate: patterns that they rest on are empty\n" in text


def test_all_that_were_told_of_are_called_so() -> None:
    rows = [*overlapping({(V4,): 5, (DNS,): 5, (V4, DNS): 9}), *listed(99, V4, network_id=THEIRS)]
    of = coverage_of(crawl(rows), counted=Counted.ANNOUNCED)
    assert "counted  all node IDs that a list tells of, whatever their network" in render_coverage(
        of, width=120
    )


def test_names_from_files_are_neutralised() -> None:
    foreign = crawl(overlapping({(IMPORT,): 9}), title=HOSTILE)
    text = render_coverage(coverage({HOSTILE: foreign}, judge=judge, notes=(HOSTILE,)), width=120)
    assert "evil[31m name · crawl evil[31m name" in text
    assert "\x1b" not in text
    assert "\u202e" not in text
