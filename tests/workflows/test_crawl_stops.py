"""Crawls that are stopped, killed or hindered, and go on."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.interop.signed_tree import signed_tree
from tests.workflows.made_peers import (
    BOTH,
    CLIENT,
    FAST,
    NAME,
    NETWORK,
    MadePeers,
    answering,
    hasten,
    made_peers,
    planned,
    rows_of,
    write_import,
)

from concentra.adapters.crawl_files import StoredCrawl, data_files, read_manifest
from concentra.adapters.crawl_store import CrawlStore
from concentra.adapters.open_crawl import OpenCrawl
from concentra.adapters.output_files import NotWritable
from concentra.adapters.udp import DatagramMachine, UdpSockets
from concentra.collect.crawl.engine import Limits
from concentra.model.crawl import CrawlSource, CrawlState, NodeRow, Outcome
from concentra.wire.rlpx_session import Handshake
from concentra.workflows import crawl as workflow
from concentra.workflows.crawl import crawl
from concentra.workflows.crawl_lists import Lists
from concentra.workflows.crawl_plan import CrawlPlan, OptOutMissing
from concentra.workflows.crawl_progress import CrawlProgress
from concentra.workflows.crawl_resumption import NothingToResume

SLOW = Limits(rate=5, prefix_rate=5)
"""So that a crawl of some nodes is not over before it is stopped."""


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    hasten(monkeypatch)


@pytest.fixture
def store(tmp_path: Path) -> CrawlStore:
    return CrawlStore(tmp_path / "crawls")


class Stopper:
    """Sends this process a signal when so many nodes were asked, and another one at the next progress."""

    def __init__(self, number: signal.Signals, *, asked: int = 2, times: int = 1) -> None:
        self.number, self.asked, self.times = number, asked, times

    def __call__(self, progress: CrawlProgress) -> None:
        if progress.asked >= self.asked and self.times:
            self.times -= 1
            os.kill(os.getpid(), self.number)


class Stubborn(UdpSockets):
    """Sockets that do not stop when they are told to."""

    async def run(self, machine: DatagramMachine, clock: Any, *, stop: Any) -> None:
        await super().run(machine, clock, stop=lambda: False)


# Stopping.


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_crawl_that_is_told_to_stop_keeps_all_that_it_saw(
    number: signal.Signals, store: CrawlStore
) -> None:
    before = signal.getsignal(number)
    with made_peers(6) as them:
        began = time.monotonic()
        kept = crawl(planned(them, limits=SLOW), store, progress=Stopper(number)).crawl
        assert time.monotonic() - began < 3
    assert kept.manifest.state is CrawlState.STOPPED
    assert kept.manifest.ended is not None
    assert 1 <= len(answering(kept)) < 6
    assert signal.getsignal(number) == before


def test_a_second_interrupt_ends_the_crawl_at_once_and_it_can_go_on(
    store: CrawlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workflow, "FLUSH_S", 0.0)
    with made_peers(6) as them:
        with pytest.raises(KeyboardInterrupt):
            crawl(
                planned(them, limits=SLOW), store, progress=Stopper(signal.SIGINT, times=2), listen=Stubborn
            )
        (path,) = (store.root / NAME).glob("2*")
        assert read_manifest(path).state is CrawlState.RUNNING
        assert data_files(path)
        kept = crawl(planned(them, resume=True), store).crawl
    assert kept.path == path
    assert answering(kept) >= them.node_ids


def test_a_crawl_ends_when_its_time_is_over(store: CrawlStore) -> None:
    told: list[CrawlProgress] = []
    with made_peers(6) as them:
        kept = crawl(planned(them, limits=SLOW, duration_s=0.4), store, progress=told.append).crawl
    assert kept.manifest.state is CrawlState.STOPPED
    assert all(one.remaining_s is None or one.remaining_s <= 0.4 for one in told)


def test_the_time_is_over_too_while_only_a_list_is_awaited(store: CrawlStore) -> None:
    tree = signed_tree(["enr:-"])
    with made_peers(2, trees=[tree]) as them:
        them.names.will(tree.domain, None)
        lists = Lists(trees=(tree.url,), server=them.dns_server)
        began = time.monotonic()
        plan = planned(them, handshakes=False, lists=lists, duration_s=0.7)
        assert crawl(plan, store).crawl.manifest.state is CrawlState.STOPPED
    assert 0.7 <= time.monotonic() - began < 2.5


# Going on.


def stopped(them: MadePeers, store: CrawlStore, **changes: Any) -> StoredCrawl:
    """Return a crawl that was stopped when it had asked two nodes."""
    return crawl(planned(them, limits=SLOW, **changes), store, progress=Stopper(signal.SIGINT)).crawl


def test_a_stopped_crawl_goes_on_with_those_who_were_not_asked(store: CrawlStore) -> None:
    with made_peers(7) as them:
        first = stopped(them, store)
        before = answering(first)
        asked = [node for node in them.nodes if node.node_id in before]
        heard = {node.node_id: node.dialled for node in asked}
        kept = crawl(planned(them, resume=True), store).crawl
        again = {node.node_id for node in asked if node.dialled > max(1, heard[node.node_id])}
    assert kept.path == first.path
    assert answering(kept) >= them.node_ids
    assert again == set()
    assert {row.dialled for row in kept.rows() if row.node_id in them.node_ids} == {"status"}
    said = kept.manifest
    assert (said.state, said.started) == (CrawlState.COMPLETE, first.manifest.started)
    assert len(said.identities) == 2
    assert {row.outcome for row in kept.rows() if row.node_id.hex() in said.identities} <= {Outcome.OURSELVES}


def test_a_crawl_that_was_stopped_before_its_first_table_was_read_is_not_over(store: CrawlStore) -> None:
    with made_peers(4) as them:
        first = crawl(planned(them), store, progress=Stopper(signal.SIGINT, asked=0)).crawl
        assert len(answering(first)) <= 1
        kept = crawl(planned(them, resume=True), store).crawl
    assert answering(kept) >= them.node_ids


def test_a_crawl_goes_on_as_it_was_and_needs_no_file_of_its_network(store: CrawlStore) -> None:
    with made_peers(6) as them:
        first = stopped(them, store, boot_nodes=(them.enr(0),), discovery=BOTH, contact="crawler@example.org")
        plan = CrawlPlan(network=replace(NETWORK, title="Another"), limits=FAST, resume=True)
        kept = crawl(plan, store).crawl
    assert answering(kept) >= them.node_ids
    settings = kept.manifest.settings
    assert (settings["discovery"], settings["loopback"]) == ("discv4 discv5", 1)
    assert settings["contact"] == "crawler@example.org"
    assert (settings["rate"], first.manifest.settings["rate"]) == (FAST.rate, SLOW.rate)
    assert len(kept.manifest.identities) == 4
    assert kept.manifest.title == "Made network"


def test_what_happened_before_is_still_counted_when_a_crawl_goes_on(store: CrawlStore) -> None:
    async def visit(*_: Any, **__: Any) -> Handshake:
        raise OSError(errno.EMFILE, "Too many open files")

    event = "handshakes not tried: Too many open files"
    with made_peers(6) as them:
        plan = planned(them, limits=SLOW)
        first = crawl(plan, store, progress=Stopper(signal.SIGINT, asked=4), visit=visit).crawl
        kept = crawl(planned(them, resume=True), store, visit=visit).crawl
    before = first.manifest.counts[event]
    assert before > 0
    assert kept.manifest.counts[event] == before + 6


def test_a_walk_that_is_added_later_has_what_nodes_said_when_they_were_greeted(store: CrawlStore) -> None:
    with made_peers(4) as them:
        first = crawl(planned(them, limits=SLOW), store, progress=Stopper(signal.SIGINT, asked=4)).crawl
        plan = planned(them, resume=True, discovery=BOTH, boot_nodes=(them.enr(0), them.enr(1)))
        kept = crawl(plan, store).crawl
    greeted = {row.node_id for row in first.rows() if row.dialled is not None}
    assert greeted
    assert max(them.dialled.values()) <= 2
    rows = rows_of(kept)
    walked = greeted & {node_id for source, node_id in rows if source is CrawlSource.DISCV5}
    assert {rows[CrawlSource.DISCV5, node_id].dialled for node_id in walked} <= {"status"}


def test_each_walk_goes_on_with_its_own_list(store: CrawlStore) -> None:
    with made_peers(6) as them:
        first = stopped(them, store, boot_nodes=(them.enr(0),), discovery=BOTH)
        kept = crawl(planned(them, resume=True), store).crawl
    rows, before = rows_of(kept), rows_of(first)
    assert {source for source, _ in before} >= {CrawlSource.DISCV4, CrawlSource.DISCV5}
    for source in (CrawlSource.DISCV4, CrawlSource.DISCV5):
        for node_id in them.node_ids:
            assert rows[source, node_id].outcome is Outcome.ANSWERED
            assert rows[source, node_id].client == CLIENT


def test_lists_that_were_read_are_kept_when_a_crawl_is_stopped_and_asked_when_it_goes_on(
    store: CrawlStore, tmp_path: Path
) -> None:
    with made_peers(7, apart=1) as them:
        tree = signed_tree([them.enr(4), them.enr(5)])
        them.names.serve(tree)
        imported = write_import(tmp_path, them, 6)
        lists = Lists(trees=(tree.url,), server=them.dns_server, files=(imported,))
        first = stopped(them, store, lists=lists)
        imported.unlink()
        kept = crawl(planned(them, resume=True, lists=Lists(server=them.dns_server)), store).crawl
    ids = [node.node_id for node in them.nodes]
    listed = {
        *((CrawlSource.DNS_TREE, node_id) for node_id in ids[4:6]),
        *((CrawlSource.IMPORT, node_id) for node_id in ids[6:]),
    }
    assert {key for key in rows_of(first) if key[0] is not CrawlSource.DISCV4} == listed
    for key in listed:
        assert rows_of(kept)[key].outcome is Outcome.ANSWERED
    assert kept.manifest.settings["dns_trees"] == tree.url


def test_a_crawl_that_spared_some_does_not_go_on_without_the_list_of_them(
    store: CrawlStore, tmp_path: Path
) -> None:
    wishes = tmp_path / "opt-out.txt"
    wishes.write_text("192.0.2.0/24\n198.51.100.0/24\n", encoding="utf-8")
    with made_peers(6) as them:
        stopped(them, store, opt_out=wishes)
        with pytest.raises(OptOutMissing, match="spared 2 nodes and prefixes") as error:
            crawl(planned(them, resume=True), store)
        assert error.value.hint is not None
        assert "--opt-out" in error.value.hint
        assert answering(crawl(planned(them, resume=True, opt_out=wishes), store).crawl) >= them.node_ids


@pytest.mark.parametrize("before", ["nothing", "a complete crawl"])
def test_there_must_be_something_to_go_on_with(before: str, store: CrawlStore) -> None:
    with made_peers(2) as them:
        if before != "nothing":
            crawl(planned(them), store)
        heard = them.visitors(0)
        with pytest.raises(NothingToResume, match=f"no crawl of {NAME} to go on with") as error:
            crawl(planned(them, resume=True), store)
        assert them.visitors(0) == heard
    assert error.value.hint == "without --resume a new one begins"


def test_a_disk_that_is_full_ends_the_crawl_and_what_was_written_stays(
    store: CrawlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workflow, "FLUSH_S", 0.0)
    real = OpenCrawl.append
    parts = iter(range(3))

    def full(self: OpenCrawl, rows: Iterable[NodeRow]) -> None:
        written = list(rows)
        if written and next(parts) == 2:
            raise NotWritable(self.path, "No space left on device")
        real(self, written)

    monkeypatch.setattr(OpenCrawl, "append", full)
    with made_peers(6) as them:
        with pytest.raises(NotWritable, match="No space left on device") as error:
            crawl(planned(them, limits=SLOW), store)
        monkeypatch.setattr(OpenCrawl, "append", real)
        assert error.value.hint == f"what was kept until then stays: concentra crawl {NAME} --resume"
        (path,) = (store.root / NAME).glob("2*")
        assert len(data_files(path)) == 2
        assert answering(crawl(planned(them, resume=True), store).crawl) >= them.node_ids
