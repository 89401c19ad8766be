from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from tests.made_crawls import START, node_id, row

from concentra.collect.crawl.admission import Admission, OptOut
from concentra.collect.crawl.engine import Engine, Limits
from concentra.model.crawl import CrawlSource, NodeRow, Outcome
from concentra.workflows.crawl_resumption import LONGEST_VISIT, Interrupted, interrupted, take_up

V4, V5, DNS, IMPORT = CrawlSource.DISCV4, CrawlSource.DISCV5, CrawlSource.DNS_TREE, CrawlSource.IMPORT
END = START + timedelta(minutes=30)
LONG_BEFORE = END - LONGEST_VISIT - timedelta(seconds=1)


def known(number: int, **facts: Any) -> NodeRow:
    return row(number, **{"asked_at": END, "told": 5, "public_key": bytes(64), **facts})


def before(*rows: NodeRow) -> Interrupted:
    return interrupted(sorted(rows, key=lambda one: one.node_id))


def walks(*sources: CrawlSource) -> list[Engine]:
    admission = Admission(opt_out=OptOut((), "none"), ourselves=set())
    return [Engine(source, admission, Limits()) for source in sources]


def ids(numbers: Iterable[int]) -> set[bytes]:
    return {node_id(number) for number in numbers}


def test_who_answered_at_the_end_and_told_of_nobody_may_have_been_cut_off() -> None:
    found = before(
        known(1, told=0),
        known(2),
        known(3, told=0, asked_at=LONG_BEFORE),
        known(4, told=0, outcome=Outcome.TIMED_OUT),
        known(5, told=0, outcome=Outcome.ANSWERED_LATE),
    )
    assert found.cut_off == ids([1, 5])


def test_whose_round_had_begun_is_to_be_asked_although_that_was_a_moment_ago() -> None:
    found = before(
        known(1, told=0),
        known(2, outcome=Outcome.NOT_ASKED),
        known(3, outcome=Outcome.NOT_ASKED, asked_at=None),
        known(4, outcome=Outcome.ASKED_RECENTLY, asked_at=None),
        known(5),
        known(6, outcome=Outcome.TIMED_OUT),
    )
    assert found.unfinished == ids([1, 2])


def test_of_nothing_there_is_nothing() -> None:
    assert before() == Interrupted({}, set())
    assert before(known(1, outcome=Outcome.NOT_ASKED, asked_at=None)).unfinished == set()


def test_every_walk_takes_up_its_own_list_and_the_first_that_knows_a_node_its_other_sources() -> None:
    four, five = engines = walks(V4, V5)
    found = before(
        known(1, source=V4),
        known(2, source=V5),
        known(3, source=V4),
        known(3, source=V5, outcome=Outcome.TIMED_OUT),
        known(3, source=DNS),
        known(4, source=V5),
        known(4, source=IMPORT),
        known(5, source=DNS, outcome=Outcome.NOT_ASKED, asked_at=None),
    )
    take_up(engines, found)
    assert four.nodes.keys() == ids([1, 3, 5])
    assert five.nodes.keys() == ids([2, 3, 4])
    assert four.nodes[node_id(3)].sources == (V4, DNS)
    assert (four.nodes[node_id(3)].outcome, five.nodes[node_id(3)].outcome) == (
        Outcome.ANSWERED,
        Outcome.TIMED_OUT,
    )
    assert five.nodes[node_id(4)].sources == (V5, IMPORT)
    assert (four.waiting, five.waiting) == (0, 0)
    four.release()  # when the walks are over
    assert four.waiting == 1


def test_rows_of_a_walk_that_takes_no_part_are_left_as_they_are() -> None:
    (four,) = engines = walks(V4)
    take_up(engines, before(known(1, source=V5), known(2, source=V5), known(2, source=DNS)))
    assert four.nodes.keys() == ids([2])
    assert four.nodes[node_id(2)].sources == (DNS,)
    assert list(four.changed()) == []


def test_those_who_were_cut_off_are_asked_anew() -> None:
    (four,) = engines = walks(V4)
    take_up(engines, before(known(1, told=0), known(2)))
    assert four.waiting == 1
