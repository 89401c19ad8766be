"""What becomes of a crawl of real peers when it is killed, stopped, resumed, or done a second time."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from tests.interop.crawls import Home, done, enode_of, rows_of
from tests.interop.peers import LOOPBACK, Peer, free_port, peer

from concentra.collect.crawl.engine import Limits
from concentra.collect.networks import decode_network
from concentra.model.crawl import ANSWERING, CrawlState, NodeRow, Outcome
from concentra.wire import discv4, identity
from concentra.wire.discv4_messages import Kind
from concentra.workflows import crawl as workflow
from concentra.workflows.crawl import CrawlResult
from concentra.workflows.crawl_plan import CrawlPlan

COUNT = 40
TIMEOUT_S = 20.0
ELSEWHERE = "192.0.2.1"


@contextmanager
def nodes(count: int = COUNT, **wish: object) -> Iterator[Peer]:
    with peer("devp2p_discv4.mjs", ("@ethereumjs/devp2p", "@chainsafe/enr"), count=count, **wish) as them:
        yield them


def boot(them: Peer) -> tuple[str, str]:
    return "--boot-node", enode_of(them.listening["nodes"][0])


def pings(them: Peer) -> list[int]:
    return [heard["ping"] for heard in them.ask("heard")["heard"]]


def answering(rows: dict[bytes, NodeRow]) -> set[bytes]:
    return {node_id for node_id, row in rows.items() if row.outcome in ANSWERING}


def everybody(them: Peer) -> set[bytes]:
    return {identity.node_id(bytes.fromhex(node["id"])) for node in them.listening["nodes"]}


def who_were_asked_again(them: Peer, asked: list[int]) -> set[bytes]:
    keys = [bytes.fromhex(node["id"]) for node in them.listening["nodes"]]
    return {identity.node_id(key) for key, count in zip(keys, asked, strict=True) if count > 1}


def those_not_heard_out(rows: dict[bytes, NodeRow]) -> set[bytes]:
    """Return the nodes that had not told their table when the crawl ended."""
    return {node_id for node_id, row in rows.items() if not row.told}


def at_rate(rate: int) -> tuple[str, ...]:
    return "--rate", str(rate), "--prefix-rate", str(rate)


def until_asked(them: Peer, count: int) -> None:
    for _ in range(count):
        them.until("asked")


def test_a_crawl_that_was_killed_is_resumed_and_finds_everybody(home: Home) -> None:
    rate = 10  # so that all take four seconds
    with nodes() as them:
        with home.crawling(*at_rate(rate), *boot(them)) as program:
            until_asked(them, 3 * rate)
            program.signal(signal.SIGKILL)
            killed = program.finished()
        (left,) = home.kept()
        before = rows_of(left)
        resumed = home.crawl("--resume", *boot(them))
        asked = pings(them)
    assert (killed.returncode, killed.stdout) == (-signal.SIGKILL, "")
    assert left.manifest.state is CrawlState.RUNNING
    assert answering(before) < everybody(them)
    # It asked for three seconds; what it learned since rows were last written, every two seconds, is lost.
    assert len(answering(before)) >= rate

    assert resumed.code == 0, resumed.errors
    (whole,) = home.kept()
    assert whole.manifest.state is CrawlState.COMPLETE
    assert whole.manifest.started == left.manifest.started
    assert len(whole.manifest.identities) == 2
    assert answering(rows_of(whole)) == everybody(them)
    assert max(asked) == 2
    assert not who_were_asked_again(them, asked) & (answering(before) - those_not_heard_out(before))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_crawl_that_is_told_to_stop_keeps_all_and_goes_on_later(home: Home, number: signal.Signals) -> None:
    with nodes() as them:
        with home.crawling(*at_rate(20), *boot(them)) as program:
            until_asked(them, 12)
            program.signal(number)
            stopped = done(program)
        (kept,) = home.kept()
        rows = rows_of(kept)
        asked_before = pings(them)
        resumed = home.crawl("--resume", *boot(them))
        asked = pings(them)
    assert stopped.code == 0, stopped.errors
    assert stopped.document["state"] == "stopped"
    assert kept.manifest.state is CrawlState.STOPPED
    assert stopped.document["outcomes"]["not asked"] > 0
    assert len(answering(rows)) >= 12
    assert {row.outcome for row in rows.values()} <= {*ANSWERING, Outcome.NOT_ASKED, Outcome.OURSELVES}
    assert sum(asked_before) <= len(rows)

    assert resumed.code == 0, resumed.errors
    assert resumed.document["state"] == "complete"
    assert answering(home.rows()) == everybody(them)
    assert who_were_asked_again(them, asked) <= those_not_heard_out(rows)


def test_a_second_crawl_within_the_hour_asks_nobody_and_says_when_it_may(home: Home) -> None:
    with nodes(8) as them:
        assert home.crawl(*boot(them)).code == 0
        before = pings(them)
        again = home.crawl(*boot(them))
        after = pings(them)
    assert (again.code, again.document) == (1, {})
    assert "nobody to ask on A network of real peers: of its boot nodes 1 asked recently" in again.errors
    assert "nodes rest for an hour; they may be asked again at" in again.errors
    assert before == after == [1] * 8
    assert len(home.kept()) == 1


def test_a_crawler_is_asked_long_after_it_closed_and_a_later_crawl_knows_itself(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    monkeypatch.setattr(workflow, "REST", timedelta(0))
    with nodes(8, refreshInterval=1000) as them:
        first = crawl(home, them, port)
        assert packet_kind(port) in {Kind.PING, Kind.FIND_NODE}
        second = crawl(home, them, port)
    (earlier,) = first.crawl.manifest.identities
    row = rows_of(second.crawl)[bytes.fromhex(earlier)]
    assert (row.outcome, row.asked_at) == (Outcome.OURSELVES, None)
    assert answering(rows_of(second.crawl)) == everybody(them)


def test_a_crawl_of_this_machine_sends_nothing_outside_it(home: Home) -> None:
    with nodes(8, elsewhere=ELSEWHERE) as them, recorded_destinations() as destinations:
        result = crawl(home, them, free_port())
    outside = [row for row in result.crawl.rows() if row.address == ELSEWHERE]
    assert [(row.outcome, row.asked_at, row.dialled) for row in outside] == [(Outcome.OUTSIDE, None, None)]
    assert answering(rows_of(result.crawl)) == everybody(them)
    assert destinations == {(LOOPBACK, node["port"]) for node in them.listening["nodes"]}


def crawl(home: Home, them: Peer, port: int) -> CrawlResult:
    """Crawl in this process."""
    plan = CrawlPlan(
        network=decode_network(home.network.read_bytes(), home.network.name),
        limits=Limits(rate=1000, prefix_rate=1000),
        boot_nodes=(enode_of(them.listening["nodes"][0]),),
        loopback=True,
        port=port,
    )
    return workflow.crawl(plan, home.store)


def packet_kind(port: int) -> int:
    """Return which packet of discv4 comes next to a port at which nobody listens any more."""
    with socket.socket(type=socket.SOCK_DGRAM) as waiting:
        waiting.settimeout(TIMEOUT_S)
        waiting.bind((LOOPBACK, port))
        return discv4.open_packet(waiting.recv(65_535)).kind


_recorders: list[set[tuple[str, int]]] = []


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if _recorders and event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
        _, destination, *_ = arguments
        if isinstance(destination, tuple):  # not a socket of the file system
            _recorders[-1].add(destination[:2])


@contextmanager
def recorded_destinations() -> Iterator[set[tuple[str, int]]]:
    """Collect where this process sends to and connects to; the interpreter itself tells."""
    if not _recorders:
        sys.addaudithook(_audit)  # which cannot be taken back
    _recorders.append(set())
    try:
        yield _recorders[-1]
    finally:
        _recorders.pop()
