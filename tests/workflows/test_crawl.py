"""Whole crawls, of a network on loopback or of a liar without sockets."""

from __future__ import annotations

import errno
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.interop.signed_tree import signed_tree
from tests.loopback import ok, serving
from tests.made_crawls import manifest, row
from tests.workflows.made_liars import Carried, Liar, Liar4, Liar5, Place
from tests.workflows.made_peers import (
    BOTH,
    CLIENT,
    FAST,
    FORK_HASH,
    GENESIS,
    NAME,
    NETWORK,
    answering,
    hasten,
    made_peers,
    planned,
    rows_of,
    write_import,
)

from concentra.adapters.crawl_files import StoredCrawl
from concentra.adapters.crawl_store import CrawlRunning, CrawlStore, Expired
from concentra.adapters.output_files import NotWritable
from concentra.adapters.udp import PortTaken, UdpSockets
from concentra.collect.crawl.engine import Limits
from concentra.errors import UnreadableFile
from concentra.model.crawl import TIME_TO_LIVE, CrawlSource, CrawlState, Outcome
from concentra.model.networks import Discovery
from concentra.wire import enr
from concentra.wire.rlpx_session import Handshake
from concentra.workflows import crawl_subjects
from concentra.workflows.crawl import crawl
from concentra.workflows.crawl_lists import Lists
from concentra.workflows.crawl_plan import CrawlPlan
from concentra.workflows.crawl_progress import CrawlProgress
from concentra.workflows.crawl_seeds import NobodyToAsk, NotABootNode
from concentra.workflows.crawl_summary import summary_of


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    hasten(monkeypatch)


@pytest.fixture
def store(tmp_path: Path) -> CrawlStore:
    return CrawlStore(tmp_path / "crawls")


# A crawl.


def test_a_crawl_finds_every_node_and_learns_what_each_says_of_itself(store: CrawlStore) -> None:
    with made_peers(5) as them:
        kept = crawl(planned(them, command="concentra crawl made-net.toml"), store).crawl
    rows = rows_of(kept)
    assert {node_id for _, node_id in rows} == them.node_ids
    for node in them.nodes:
        row = rows[CrawlSource.DISCV4, node.node_id]
        assert (row.outcome, row.address, row.udp) == (Outcome.ANSWERED, "127.0.0.1", node.sockets.port)
        assert (row.dialled, row.client, row.told) == ("status", CLIENT, 4)
        assert (row.genesis, row.fork_hash, row.record) == (GENESIS, FORK_HASH, enr.encode(node.record))
    assert set(them.dialled.values()) == {1}
    said = kept.manifest
    assert (said.network, said.state, said.definition) == (NAME, CrawlState.COMPLETE, them.definition)
    assert said.command == "concentra crawl made-net.toml"
    assert len(said.identities) == 1
    assert said.expires - said.started == TIME_TO_LIVE
    assert said.ended is not None
    assert said.settings == {
        "rate": FAST.rate,
        "prefix_rate": FAST.prefix_rate,
        "in_flight": 1024,
        "nodes": 1_000_000,
        "discovery": "discv4",
        "handshakes": 1,
        "loopback": 1,
    }
    assert store.newest(NAME, now=datetime.now(UTC)) == kept


def test_both_protocols_are_walked_and_each_node_is_dialled_once(store: CrawlStore) -> None:
    with made_peers(4) as them:
        kept = crawl(planned(them, boot_nodes=(them.enr(0),), discovery=(*BOTH, *BOTH)), store).crawl
    rows = rows_of(kept)
    assert set(them.dialled.values()) == {1}
    assert len(kept.manifest.identities) == 2
    for source in (CrawlSource.DISCV4, CrawlSource.DISCV5):
        for node_id in them.node_ids:
            row = rows[source, node_id]
            assert (row.outcome, row.dialled, row.client) == (Outcome.ANSWERED, "status", CLIENT)
            assert (row.genesis, row.fork_hash) == (GENESIS, FORK_HASH)


def test_what_the_user_allows_holds_for_all_walks_together(store: CrawlStore) -> None:
    seen: list[Limits] = []

    class Noted(UdpSockets):
        async def run(self, machine: Any, clock: Any, *, stop: Any) -> None:
            seen.append(machine.limits)
            await super().run(machine, clock, stop=stop)

    limits = Limits(rate=3000, prefix_rate=1000, in_flight=10)
    with made_peers(2) as them:
        plan = planned(them, boot_nodes=(them.enr(0),), discovery=BOTH, limits=limits)
        kept = crawl(plan, store, listen=Noted).crawl
    assert {(one.rate, one.prefix_rate, one.in_flight) for one in seen} == {(1500, 500, 5)}
    assert kept.manifest.settings["rate"] == 3000


def test_without_handshakes_nobody_is_dialled(store: CrawlStore) -> None:
    with made_peers(3) as them:
        kept = crawl(planned(them, handshakes=False), store).crawl
    assert set(them.dialled.values()) == {0}
    assert answering(kept) == them.node_ids
    assert kept.manifest.settings["handshakes"] == 0


def test_this_machine_failing_to_dial_says_nothing_of_the_node(store: CrawlStore) -> None:
    async def visit(*_: Any, **__: Any) -> Any:
        raise OSError(errno.EMFILE, "Too many open files")

    with made_peers(3) as them:
        kept = crawl(planned(them), store, visit=visit).crawl
    assert {row.dialled for row in kept.rows()} == {None}
    assert kept.manifest.counts["handshakes not tried: Too many open files"] == 3


def test_a_mistake_of_ours_in_a_handshake_is_no_secret(store: CrawlStore) -> None:
    async def visit(*_: Any, **__: Any) -> Any:
        raise AssertionError("ours")

    with made_peers(2) as them, pytest.raises(BaseExceptionGroup) as group:
        crawl(planned(them), store, visit=visit)
    assert group.group_contains(AssertionError, match="ours")


def test_those_who_opted_out_hear_nothing(store: CrawlStore, tmp_path: Path) -> None:
    wishes = tmp_path / "opt-out.txt"
    with made_peers(4) as them:
        wishes.write_text(f"{them.nodes[2].node_id.hex()}  # by mail\n", encoding="utf-8")
        kept = crawl(planned(them, opt_out=wishes), store).crawl
        assert them.visitors(2) == 0
    assert rows_of(kept)[CrawlSource.DISCV4, them.nodes[2].node_id].outcome is Outcome.OPTED_OUT
    assert them.dialled[them.nodes[2].node_id] == 0
    assert kept.manifest.settings["opt_out"] == 1


def test_a_copy_of_a_shipped_file_under_another_name_is_that_network_and_no_other(
    store: CrawlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = {"shipped-net": replace(NETWORK, name="shipped-net")}
    monkeypatch.setattr(crawl_subjects, "shipped_networks", lambda: shipped)
    with made_peers(2) as them:
        summary = summary_of(crawl(planned(them), store).crawl)
    assert (summary.answering, summary.on_network) == (2, 2)


def test_progress_is_told_from_the_beginning_to_the_end(store: CrawlStore) -> None:
    told: list[CrawlProgress] = []
    with made_peers(6) as them:
        crawl(planned(them, limits=Limits(rate=20, prefix_rate=20)), store, progress=told.append)
    assert told[0].asked == 0
    assert [one.asked for one in told] == sorted(one.asked for one in told)
    assert all(one.answering <= one.asked <= one.found for one in told)
    assert any(one.rate_per_s > 0 for one in told)
    assert any(one.remaining_s is not None and one.remaining_s > 0 for one in told)


# Special addresses, on a network in memory.


NOBODYS = (
    *("10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "127.0.0.1", "127.8.8.8"),
    *("0.0.0.1", "192.0.2.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1"),
    *("::1", "fe80::1", "fc00::1", "2001:db8::1", "64:ff9b::a00:1", "2002:a00:1::1", "ff02::1", "fec0::1"),
)


@pytest.mark.parametrize(
    "liar", [Liar4("8.8.8.8", NOBODYS), Liar5("8.8.8.8", NOBODYS)], ids=["discv4", "discv5"]
)
def test_nothing_is_sent_to_addresses_that_are_nobodys_whoever_tells_of_them(
    liar: Liar, store: CrawlStore
) -> None:
    kept, went, dialled = lied_to(liar, store, loopback=False)
    assert went == {liar.place}
    assert dialled <= {liar.place[0]}
    assert {row.outcome for row in kept.rows()} == {Outcome.ANSWERED, Outcome.SPECIAL_ADDRESS}


@pytest.mark.parametrize("kind", [Liar4, Liar5])
def test_a_crawl_of_this_machine_sends_nothing_outside_it(kind: type[Liar], store: CrawlStore) -> None:
    elsewhere = [address for address in NOBODYS if not address.startswith("127.") and address != "::1"]
    liar = kind("127.0.0.1", [*elsewhere, "8.8.8.8", "1.1.1.1", "2001:4860:4860::8888"])
    kept, went, dialled = lied_to(liar, store, loopback=True)
    assert went == {liar.place}
    assert dialled <= {liar.place[0]}
    assert {row.outcome for row in kept.rows()} == {Outcome.ANSWERED, Outcome.OUTSIDE}


def lied_to(liar: Liar, store: CrawlStore, *, loopback: bool) -> tuple[StoredCrawl, set[Place], set[str]]:
    """Crawl a liar; return where datagrams went, and who was dialled."""
    carried, dialled = Carried(liar), set[str]()

    async def visit(address: Any, *_: Any, **__: Any) -> Handshake:
        dialled.add(str(address))
        raise ConnectionRefusedError

    protocol = Discovery.DISCV4 if isinstance(liar, Liar4) else Discovery.DISCV5
    plan = CrawlPlan(
        network=NETWORK,
        boot_nodes=(enr.to_text(liar.record),),
        discovery=(protocol,),
        limits=FAST,
        loopback=loopback,
    )
    kept = crawl(plan, store, listen=lambda port, address: carried, visit=visit).crawl
    assert liar.told
    assert carried.is_closed
    return kept, carried.destinations, dialled


# What is in the way.


def test_a_second_crawl_within_the_hour_asks_nobody_and_says_when_it_may(store: CrawlStore) -> None:
    with made_peers(2) as them:
        first = crawl(planned(them), store).crawl
        heard = them.visitors(0)
        with pytest.raises(
            NobodyToAsk, match=r"nobody to ask on Made network: of its boot nodes 1 asked rec"
        ) as error:
            crawl(planned(them), store)
        assert them.visitors(0) == heard
    assert len(list((store.root / NAME).glob("2*"))) == 1
    again = first.manifest.started + timedelta(hours=1)
    assert error.value.hint is not None
    times = {f"{again + timedelta(seconds=late):%H:%M}" for late in (60, 0, 62)}
    assert error.value.hint.removesuffix(" UTC")[-5:] in times


def test_a_walk_that_has_nobody_to_begin_with_is_named(store: CrawlStore) -> None:
    with made_peers(2) as them:
        plan = planned(them, boot_nodes=(them.enode(0),), discovery=BOTH)
        with pytest.raises(NobodyToAsk, match="over discv5: of its boot nodes 1 enode URL without") as error:
            crawl(plan, store)
        assert them.visitors(0) == 0
    assert error.value.hint == "discv5 asks by signed record: --boot-node enr:…, or --discovery discv4"
    assert store.networks() == []


def test_a_network_without_boot_nodes_needs_one_to_be_named(store: CrawlStore) -> None:
    with pytest.raises(NobodyToAsk, match="it has no boot nodes") as error:
        crawl(CrawlPlan(network=NETWORK, loopback=True), store)
    assert error.value.hint == "--boot-node names nodes to begin with"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("enr:-x", "enr:-x is no boot node"),
        ("enode://" + "ab" * 64, "enode://abababababababab… is no boot node"),
    ],
)
def test_a_boot_node_that_is_none_is_told_before_anything_begins(
    text: str, shown: str, store: CrawlStore
) -> None:
    with pytest.raises(NotABootNode) as error:
        crawl(CrawlPlan(network=NETWORK, boot_nodes=(text,), loopback=True), store)
    assert str(error.value).startswith(shown)
    assert store.networks() == []


def test_two_crawls_of_one_network_do_not_run_at_once(store: CrawlStore) -> None:
    with made_peers(3) as them, store.begin(manifest(network=NAME, started=datetime.now(UTC))):
        for resume in (False, True):
            with pytest.raises(CrawlRunning, match=f"a crawl of {NAME} is at work"):
                crawl(planned(them, resume=resume), store)
        assert them.visitors(0) == 0


def test_a_port_that_is_taken_is_told_before_anything_begins(store: CrawlStore) -> None:
    with made_peers(2) as them, pytest.raises(PortTaken):
        crawl(planned(them, port=them.nodes[0].sockets.port), store)
    assert store.networks() == []


def test_a_place_that_cannot_be_written_to_is_told_before_anybody_is_asked(tmp_path: Path) -> None:
    (tmp_path / "crawls").write_text("a file")
    with made_peers(2) as them:
        with pytest.raises(NotWritable):
            crawl(planned(them), CrawlStore(tmp_path / "crawls"))
        assert them.visitors(0) == 0


def test_an_opt_out_list_that_cannot_be_read_or_understood_is_an_error(
    store: CrawlStore, tmp_path: Path
) -> None:
    (tmp_path / "wishes.txt").write_text("192.0.2.0/24\nplease not me\n", encoding="utf-8")
    for name, reason in (("wishes.txt", "line 2 is neither"), ("gone.txt", "No such file")):
        with pytest.raises(UnreadableFile, match=reason):
            crawl(CrawlPlan(network=NETWORK, opt_out=tmp_path / name), store)


# Other sources.


def test_every_source_is_a_list_of_its_own_and_its_nodes_are_only_asked_whether_they_are_there(
    store: CrawlStore, tmp_path: Path
) -> None:
    with made_peers(6, apart=3) as them, serving() as node:
        tree = signed_tree([them.enr(0), them.enr(3)])
        them.names.serve(tree)
        peers = f'{{"enode": "{them.enode(4)}", "network": {{"inbound": false}}}}'
        rpc = node.will("/", ok(f'{{"jsonrpc": "2.0", "id": 0, "result": [{peers}]}}'.encode()))
        imported = write_import(tmp_path, them, 5)
        lists = Lists(trees=(tree.url,), server=them.dns_server, node_rpc=rpc, files=(imported,))
        kept = crawl(planned(them, lists=lists), store).crawl
    listed: dict[CrawlSource, set[bytes]] = {}
    for (source, node_id), known in rows_of(kept).items():
        listed.setdefault(source, set()).add(node_id)
        assert (known.outcome, known.client) == (Outcome.ANSWERED, CLIENT)
        assert (known.told > 0) == ((CrawlSource.DISCV4, node_id) in rows_of(kept))
    ids = [node.node_id for node in them.nodes]
    assert listed == {
        CrawlSource.DISCV4: set(ids[:3]),
        CrawlSource.DNS_TREE: {ids[0], ids[3]},
        CrawlSource.ADMIN_PEERS: {ids[4]},
        CrawlSource.IMPORT: {ids[5]},
    }


# What is no longer kept.


def test_crawls_whose_time_is_over_are_deleted_at_the_start_and_told(store: CrawlStore) -> None:
    began = datetime.now(UTC) - TIME_TO_LIVE - timedelta(days=1)
    with store.begin(manifest(network="other-net", started=began)) as old:
        old.append([row(1)])
    told: list[Expired] = []
    at_first_progress: list[int] = []
    with made_peers(2) as them:
        crawl(
            planned(them),
            store,
            deleted=told.append,
            progress=lambda _: at_first_progress.append(len(told)),
        )
    assert [(one.network, one.started.date()) for one in told] == [("other-net", began.date())]
    assert at_first_progress[0] == 1
    assert not old.path.exists()
