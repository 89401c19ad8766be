from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any, TypeAlias

import dns.asyncresolver
import dns.name
import dns.rcode
import dns.resolver
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.adapters.loopback_names import Behaviour, LoopbackNames, Raw, Truncated, name_server
from tests.interop.signed_tree import SignedTree, made_records, signed_tree, url_of

from concentra.adapters import dns_trees
from concentra.adapters.dns_trees import (
    Asking,
    NoNameServer,
    Pace,
    Patience,
    Progress,
    TreeRead,
    read_tree,
)
from concentra.wire import dnsdisc, enr
from concentra.wire.dnsdisc_walk import WalkLimits
from concentra.wire.enr import NodeRecord

RECORDS = [enr.to_text(record) for record in made_records(40)]
TREE = signed_tree(RECORDS)
URL = dnsdisc.from_url(TREE.url)
LEAF = min(name for name, text in TREE.texts.items() if text.startswith("enr:"))
THEIRS = bytes(31) + b"\x07"
AT_ONCE = Asking(rate_per_s=None, retries=1)
HASTY = Asking(rate_per_s=None, retries=1, timeout_s=0.25)  # for servers that stay silent


Prepare: TypeAlias = Callable[[LoopbackNames], None]


def reading(
    prepare: Prepare = lambda _: None,
    *,
    tree: SignedTree = TREE,
    asking: Asking = AT_ONCE,
    tcp: bool = True,
    **wanted: Any,
) -> tuple[TreeRead, LoopbackNames]:
    """Read `tree` from a server that `prepare` has taught to misbehave; pauses are not slept through."""

    async def run() -> tuple[TreeRead, LoopbackNames]:
        async with name_server(tree, tcp=tcp) as (names, server):
            prepare(names)
            clock = {"sleep": no_pause, **wanted}
            return await read_tree(
                dnsdisc.from_url(tree.url), asking=dataclasses.replace(asking, servers=(server,)), **clock
            ), names

    return asyncio.run(run())


async def no_pause(_seconds: float) -> None:
    await asyncio.sleep(0)


def outcomes(read: TreeRead) -> dict[str, int]:
    return {outcome.value: count for outcome, count in read.outcomes.items()}


def texts_of(read: TreeRead) -> list[str]:
    return sorted(enr.to_text(record) for record in read.records)


def test_a_list_is_read_from_dns_with_one_question_a_name() -> None:
    read, names = reading()
    assert texts_of(read) == sorted(RECORDS)
    assert read.queries == names.queries == len(TREE.texts) - 1  # no one asks for the empty list of links
    assert outcomes(read) == {"answered": read.queries}
    assert read.seqs == {URL: 1}
    assert read.complete
    assert names.datagram_sizes == {1232}


def test_strings_of_a_record_are_joined_wherever_they_are_cut() -> None:
    long = enr.to_text(enr.sign(THEIRS, seq=1, pairs={b"x": bytes(170)}))
    assert len(long) > 255
    read, _ = reading(tree=signed_tree([long, *RECORDS[:3]]))
    assert texts_of(read) == sorted([long, *RECORDS[:3]])


def test_other_records_at_the_same_names_do_not_disturb() -> None:
    def prepare(names: LoopbackNames) -> None:
        for name, text in TREE.texts.items():
            names.will(name, [b"v=spf1 -all", b"", b"enr:\x1b[2J\xff", text.encode(), RECORDS[0].encode()])

    read, _ = reading(prepare)
    assert texts_of(read) == sorted(RECORDS)


@pytest.mark.parametrize(
    ("behaviours", "asked"),
    [
        pytest.param([None], 2, id="silence"),
        pytest.param([dns.rcode.SERVFAIL], 2, id="servfail"),
        pytest.param([dns.rcode.REFUSED], 2, id="refused"),
        pytest.param([dns.rcode.YXDOMAIN], 2, id="yxdomain"),
        pytest.param([Raw(b"")], 2, id="two-bytes"),
        pytest.param([Raw(b"\xff" * 500)], 2, id="no-dns"),
    ],
)
def test_a_failure_that_passes_costs_one_more_question(behaviours: list[Behaviour], asked: int) -> None:
    read, names = reading(
        lambda names: names.will(LEAF, *behaviours, [TREE.texts[LEAF].encode()]), asking=HASTY
    )
    assert texts_of(read) == sorted(RECORDS)
    assert len(names.asked[LEAF]) == asked
    assert read.queries == names.queries
    assert read.complete


@pytest.mark.parametrize(
    ("behaviour", "asked", "outcome"),
    [
        pytest.param(None, ["udp"] * 2, "timed out", id="silence"),
        pytest.param(Raw(b"\xff" * 500), ["udp"] * 2, "timed out", id="no-dns"),
        pytest.param(dns.rcode.SERVFAIL, ["udp"] * 2, "server failed", id="servfail"),
        pytest.param(dns.rcode.REFUSED, ["udp"] * 2, "server failed", id="refused"),
        pytest.param(dns.rcode.YXDOMAIN, ["udp"] * 2, "server failed", id="yxdomain"),
        pytest.param(Truncated(None), ["udp", "tcp"] * 2, "unreachable", id="tcp-hangs-up"),
        pytest.param(Truncated(Raw(b"\xff" * 500)), ["udp", "tcp"] * 2, "malformed", id="no-dns-over-tcp"),
        pytest.param(dns.rcode.NXDOMAIN, ["udp"], "no such name", id="nxdomain"),
        pytest.param([], ["udp"], "no entry", id="no-txt-record"),
        pytest.param([b"hello"], ["udp"], "no entry", id="another-use-of-txt"),
        pytest.param([RECORDS[0].encode()[:-1]], ["udp"], "bad hash", id="another-entry"),
    ],
)
def test_a_failure_that_stays_is_counted_by_reason_and_the_rest_is_read(
    behaviour: Behaviour, asked: list[str], outcome: str
) -> None:
    read, names = reading(lambda names: names.will(LEAF, behaviour), asking=HASTY)
    assert len(read.records) == len(RECORDS) - 1
    assert outcomes(read) == {"answered": len(TREE.texts) - 2, outcome: 1}
    assert names.asked[LEAF] == asked
    assert not read.complete


def test_a_truncated_answer_is_asked_for_again_over_tcp() -> None:
    def prepare(names: LoopbackNames) -> None:
        for name, text in TREE.texts.items():
            names.will(name, Truncated([text.encode()]))

    read, names = reading(prepare)
    assert texts_of(read) == sorted(RECORDS)
    assert names.asked[LEAF] == ["udp", "tcp"]


def test_a_truncated_answer_without_tcp_is_unreachable() -> None:
    read, _ = reading(lambda names: names.will(LEAF, Truncated([])), tcp=False)
    assert outcomes(read)["unreachable"] == 1


def test_a_root_that_another_key_signed_yields_nothing() -> None:
    forged = signed_tree(RECORDS, owner=THEIRS)
    read, names = reading(lambda names: names.will(TREE.domain, [forged.texts[TREE.domain].encode()]))
    assert (read.records, read.seqs, names.queries) == ((), {}, 1)
    assert outcomes(read) == {"bad signature": 1}


def test_a_list_that_does_not_exist_is_one_without_records() -> None:
    read, _ = reading(lambda names: names.behaviours.clear())
    assert (read.records, outcomes(read), read.complete) == ((), {"no such name": 1}, False)


def test_a_server_slower_than_expected_is_heard_at_the_last_try_and_waited_for_from_then_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dns_trees, "FIRST_PATIENCE_S", 0.05)
    monkeypatch.setattr(dns_trees, "LEAST_PATIENCE_S", 0.05)

    def prepare(names: LoopbackNames) -> None:
        names.delay_s = 0.1

    read, names = reading(prepare)
    assert read.complete
    assert len(names.asked[TREE.domain]) == 2
    assert len(TREE.texts) - 1 < names.queries < 1.5 * len(TREE.texts)


def test_a_try_is_one_question_however_long_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    reset = dns.resolver.BaseResolver.reset

    def impatient(resolver: dns.resolver.BaseResolver) -> None:
        reset(resolver)
        resolver.timeout = 0.02  # two seconds by default

    monkeypatch.setattr(dns.resolver.BaseResolver, "reset", impatient)

    def prepare(names: LoopbackNames) -> None:
        names.delay_s = 0.05

    read, names = reading(prepare)
    assert read.complete
    assert names.queries == read.queries == len(TREE.texts) - 1


def test_limits_and_what_was_seen_before_are_heeded() -> None:
    few, names = reading(limits=WalkLimits(max_records=5))
    assert 5 <= len(few.records) < 5 + AT_ONCE.concurrency
    assert outcomes(few)["not read"] > 0
    assert names.queries == few.queries
    stale, _ = reading(last_seen={URL: 2})
    assert outcomes(stale) == {"stale": 1}


def test_linked_lists_are_read_if_that_is_wanted() -> None:
    other = signed_tree(RECORDS[30:], domain="other.example", owner=THEIRS, links=[TREE.url])
    mine = signed_tree(RECORDS[:30], links=[other.url])
    read, _ = reading(lambda names: names.serve(other), tree=mine, limits=WalkLimits(follow_links=True))
    assert texts_of(read) == sorted(RECORDS)
    assert {url.domain: seq for url, seq in read.seqs.items()} == {"nodes.example": 1, "other.example": 1}
    assert read.links == (dnsdisc.from_url(other.url), URL)


def test_the_next_try_goes_to_the_next_server() -> None:
    async def run() -> tuple[TreeRead, LoopbackNames, LoopbackNames]:
        async with name_server(TREE) as (dead, first), name_server(TREE) as (alive, second):
            for name in TREE.texts:
                dead.will(name, dns.rcode.SERVFAIL)
            asking = dataclasses.replace(AT_ONCE, servers=(first, second))
            return await read_tree(URL, asking=asking, sleep=no_pause), dead, alive

    read, dead, alive = asyncio.run(run())
    assert read.complete
    assert dead.queries == alive.queries == len(TREE.texts) - 1
    assert read.queries == 2 * alive.queries


class FakeClock:
    """Time that passes when somebody sleeps."""

    def __init__(self) -> None:
        self.passed = 0.0

    def now(self) -> float:
        return self.passed

    async def sleep(self, seconds: float) -> None:
        woken = self.passed + seconds
        await asyncio.sleep(0)
        self.passed = max(self.passed, woken)


def test_questions_keep_to_the_pace_with_retries_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns_trees, "RETRY_PAUSE_S", 0.0)
    clock = FakeClock()

    def prepare(names: LoopbackNames) -> None:
        for name, text in TREE.texts.items():
            names.will(name, dns.rcode.SERVFAIL, [text.encode()])

    asking = Asking(rate_per_s=10.0, burst=5, retries=1)
    read, names = reading(prepare, asking=asking, now=clock.now, sleep=clock.sleep)
    assert read.complete
    assert names.queries == 2 * (len(TREE.texts) - 1)
    assert clock.passed == pytest.approx((names.queries - 5) / 10)


def test_a_server_that_fails_is_left_in_peace_for_longer_each_time() -> None:
    pauses: list[float] = []

    async def noted(seconds: float) -> None:
        pauses.append(seconds)

    asking = dataclasses.replace(AT_ONCE, retries=3)
    read, _ = reading(lambda names: names.will(TREE.domain, dns.rcode.SERVFAIL), asking=asking, sleep=noted)
    assert outcomes(read) == {"server failed": 1}
    assert pauses == [0.5, 1.0, 2.0]
    reading(lambda names: names.will(TREE.domain, None), asking=HASTY, sleep=noted)
    assert len(pauses) == 3  # having waited for an answer was pause enough


def test_without_a_rate_nothing_waits() -> None:
    async def never(seconds: float) -> None:
        raise AssertionError(seconds)

    read, _ = reading(sleep=never)
    assert read.complete


def test_no_more_questions_are_under_way_than_wanted() -> None:
    def prepare(names: LoopbackNames) -> None:
        names.delay_s = 0.005

    _, names = reading(prepare, asking=dataclasses.replace(AT_ONCE, concurrency=4))
    assert names.most_waiting == 4


def test_every_record_is_handed_over_at_once_and_progress_is_told() -> None:
    records: list[NodeRecord] = []
    told: list[Progress] = []

    def progress(now: Progress) -> None:
        assert now.records == len(records)
        told.append(now)

    read, names = reading(on_record=records.append, on_progress=progress)
    assert tuple(records) == read.records
    assert len(told) == names.queries
    assert told[-1] == Progress(records=len(RECORDS), unread=0, queries=names.queries)


def stopping_after(
    count: int, act: Callable[[asyncio.Event, asyncio.Task[TreeRead]], object]
) -> tuple[asyncio.Task[TreeRead], list[NodeRecord], LoopbackNames]:
    """Read the list, and act on the reading once it has handed over `count` records."""

    async def run() -> tuple[asyncio.Task[TreeRead], list[NodeRecord], LoopbackNames]:
        records: list[NodeRecord] = []
        stop = asyncio.Event()

        def on_record(record: NodeRecord) -> None:
            records.append(record)
            if len(records) == count:
                act(stop, task)

        async with name_server(TREE) as (names, server):
            asking = dataclasses.replace(AT_ONCE, servers=(server,), concurrency=2)
            task = asyncio.ensure_future(read_tree(URL, asking=asking, on_record=on_record, stop=stop))
            await asyncio.wait({task})
            assert asyncio.all_tasks() == {asyncio.current_task()}
            return task, records, names

    return asyncio.run(run())


def test_a_reading_that_is_stopped_returns_what_it_has() -> None:
    task, records, names = stopping_after(5, lambda stop, _: stop.set())
    read = task.result()
    assert read.records == tuple(records)
    assert 5 <= len(records) <= 6
    assert sum(read.outcomes.values()) > read.queries
    assert outcomes(read)["not read"] > 0
    assert names.queries <= read.queries < len(TREE.texts) / 2


def test_a_reading_that_is_cancelled_has_handed_over_what_it_read() -> None:
    task, records, names = stopping_after(5, lambda _, task: task.cancel())
    assert task.cancelled()
    assert 5 <= len(records) <= 6
    assert names.queries < len(TREE.texts) / 2


def test_a_mistake_of_ours_ends_the_reading_and_leaves_nothing_running() -> None:
    def act(_stop: asyncio.Event, _task: object) -> None:
        raise RuntimeError("ours")

    task, _, _ = stopping_after(5, act)
    with pytest.raises(RuntimeError, match="ours"):
        task.result()


def test_the_servers_of_the_system_are_asked_and_its_search_list_is_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def run() -> tuple[TreeRead, LoopbackNames]:
        async with name_server(TREE) as (names, server):

            def configured(resolver: dns.asyncresolver.Resolver, path: object) -> None:
                resolver.nameservers, resolver.port = [str(server.address)], server.port
                resolver.search = [dns.name.from_text("search.example")]

            monkeypatch.setattr(dns.resolver.BaseResolver, "read_resolv_conf", configured)
            url = dnsdisc.from_url(url_of("elsewhere"))
            await read_tree(url, asking=AT_ONCE)
            return await read_tree(URL, asking=AT_ONCE), names

    read, names = asyncio.run(run())
    assert read.complete
    assert set(names.asked) - set(TREE.texts) == {"elsewhere"}


def test_a_system_without_name_servers_is_told_of_with_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    def empty(resolver: object, path: object) -> None:
        raise dns.resolver.NoResolverConfiguration

    monkeypatch.setattr(dns.resolver.BaseResolver, "read_resolv_conf", empty)
    with pytest.raises(NoNameServer, match="no name server configured") as caught:
        asyncio.run(read_tree(URL))
    assert caught.value.hint is not None


@pytest.mark.parametrize(
    "setting",
    [
        {"servers": ()},
        {"rate_per_s": 0.0},
        {"timeout_s": 0.0},
        {"retries": -1},
        {"burst": 0},
        {"concurrency": 0},
    ],
    ids=lambda setting: next(iter(setting)),
)
def test_settings_under_which_nothing_could_be_asked_are_our_mistake(setting: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must|too low"):
        Asking(**setting)


steps = st.lists(st.floats(0, 3, allow_subnormal=False), min_size=1, max_size=60)


@given(steps, st.integers(1, 10), st.sampled_from([0.5, 2.0, 20.0]))
def test_a_pace_allows_a_burst_and_no_more_than_the_rate_in_the_long_run(
    waits: list[float], burst: int, rate: float
) -> None:
    pace = Pace(rate, burst)
    now = 0.0
    turns = []
    for wait in waits:
        now += wait
        turns.append(now + pace.turn(now))
    assert turns == sorted(turns)
    for first in range(len(turns)):
        for last in range(first, len(turns)):
            assert last - first + 1 <= burst + rate * (turns[last] - turns[first]) + 1e-6
    assert turns[:burst] == pytest.approx(list(_moments(waits[:burst])))


def _moments(waits: list[float]) -> list[float]:
    return [sum(waits[: at + 1]) for at in range(len(waits))]


def test_patience_follows_what_answers_take_within_its_bounds() -> None:
    patience = Patience(5.0)
    for _ in range(50):
        patience.heard(0.01)
    assert [patience.wait_s(tries) for tries in range(4)] == [1.0, 2.0, 4.0, 5.0]
    for _ in range(50):
        patience.heard(1.5)
    assert 1.5 < patience.wait_s(0) < 2.0
    assert Patience(0.1).wait_s(0) == 0.1
