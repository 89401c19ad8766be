"""Which crawls and files a user may name, and how wrong names are answered."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.made_crawls import START, manifest, row
from tests.made_foreign_crawls import NOON, PEERSTORE, Node, geodata, geth_entry, geth_nodes, peerstore_line
from tests.made_lists import coverage_of, overlapping

from concentra.adapters.crawl_store import CrawlStore, Expired
from concentra.adapters.output_files import NotWritable
from concentra.collect.belonging import Membership
from concentra.errors import UnreadableFile
from concentra.model.crawl import CrawlSource, CrawlState, NodeRow
from concentra.model.networks import ExecutionChain
from concentra.wire.fork_id import ForkId, fork_schedule
from concentra.workflows.coverage_subjects import (
    ChosenCrawls,
    NoOneNetwork,
    NoSuchCrawl,
    NotCrawled,
    Undated,
    chosen_crawls,
)
from concentra.workflows.crawl_subjects import CrawlExpired, NotADay
from concentra.workflows.network_choice import shipped_networks

NOW = START + timedelta(hours=5)


@pytest.fixture
def store(tmp_path: Path) -> CrawlStore:
    return CrawlStore(tmp_path / "crawls")


def keep(
    store: CrawlStore, rows: list[NodeRow], *, started: datetime = START, network: str = "ethereum"
) -> Path:
    with store.begin(manifest(started=started, network=network)) as crawl:
        crawl.append(rows)
        crawl.finish(CrawlState.COMPLETE, started + timedelta(minutes=44), {})
    return crawl.path


def chosen(*subjects: str, store: CrawlStore, **options: Any) -> ChosenCrawls:
    return chosen_crawls(subjects, store, shipped_networks(), NOW, **options)


def ids(of: ChosenCrawls, name: str) -> list[int]:
    return [int.from_bytes(row.node_id, "big") for row in of.crawls[name].rows()]


def nodes_json(path: Path) -> str:
    """Write a file as geth's crawler does, and return its path."""
    path.write_bytes(geth_nodes((Node(7), geth_entry(Node(7)))))
    return str(path)


def test_a_network_stands_for_its_newest_crawl(store: CrawlStore) -> None:
    keep(store, overlapping({(CrawlSource.DISCV4,): 2}))
    newest = keep(store, overlapping({(CrawlSource.DISCV4,): 3}), started=START + timedelta(hours=1))
    found = chosen("ethereum", store=store)
    assert list(found.crawls) == [newest.name]
    assert ids(found, newest.name) == [1, 2, 3]
    assert found.notes == ()


def test_a_day_and_a_path_name_other_crawls_each_of_them_once(store: CrawlStore) -> None:
    old = keep(store, overlapping({(CrawlSource.DISCV4,): 2}), started=START - timedelta(days=2))
    new = keep(store, overlapping({(CrawlSource.DISCV4,): 3}))
    day = (START - timedelta(days=2)).date()
    found = chosen("ethereum", f"ethereum@{day}", str(old), str(new), store=store)
    assert sorted(found.crawls) == [old.name, new.name]


def test_the_newest_few_crawls_are_taken_as_repetitions(store: CrawlStore) -> None:
    paths = [
        keep(store, overlapping({(CrawlSource.DISCV4,): 2}), started=START + timedelta(hours=h))
        for h in range(4)
    ]
    assert sorted(chosen("ethereum", store=store, last=3).crawls) == [path.name for path in paths[1:]]
    everything = chosen("ethereum", store=store, last=9)
    assert len(everything.crawls) == 4
    assert everything.notes == ("ethereum: 4 crawls are kept, of the 9 asked for",)


def test_crawls_that_expired_are_no_repetitions(store: CrawlStore) -> None:
    keep(store, overlapping({(CrawlSource.DISCV4,): 2}), started=START - timedelta(days=40))
    keep(store, overlapping({(CrawlSource.DISCV4,): 2}))
    found = chosen("ethereum", store=store, last=2)
    assert len(found.crawls) == 1
    assert [note.partition(" expired")[0] for note in found.notes] == [
        "the local crawl of 2026-10-14",
        "ethereum: 1 crawls are kept, of the 2 asked for",
    ]


def test_a_crawl_that_expired_and_cannot_be_deleted_is_not_read(tmp_path: Path) -> None:
    class Stuck(CrawlStore):
        def delete_expired(self, now: datetime) -> list[Expired]:
            raise NotWritable(self.root, "read-only")

    store = Stuck(tmp_path)
    keep(store, overlapping({(CrawlSource.DISCV4,): 2}), started=START - timedelta(days=40))
    keep(store, overlapping({(CrawlSource.DISCV4,): 2}))
    assert len(chosen("ethereum", store=store, last=2).crawls) == 1


def test_a_copied_file_is_a_crawl_under_its_own_name(store: CrawlStore, tmp_path: Path) -> None:
    path = keep(store, overlapping({(CrawlSource.DISCV4,): 2}))
    copy = tmp_path / "2026-11-23T014500Z"
    copy.mkdir()
    for file in path.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    found = chosen("ethereum", str(copy), store=store)
    assert list(found.crawls) == [path.name, f"{path.name} (2)"]


def test_a_file_of_another_crawler_is_a_list_beside_a_crawl(store: CrawlStore, tmp_path: Path) -> None:
    keep(store, overlapping({(CrawlSource.DISCV4,): 2}))
    found = chosen("ethereum", nodes_json(tmp_path / "nodes.json"), store=store)
    foreign = found.crawls["nodes.json"]
    assert foreign.manifest.network == "ethereum"
    assert (foreign.manifest.title, foreign.manifest.started) == ("Ethereum, execution layer", NOON)
    assert [of.source for of in foreign.rows()] == [CrawlSource.IMPORT]


def test_files_alone_need_the_name_of_a_network(store: CrawlStore, tmp_path: Path) -> None:
    path = nodes_json(tmp_path / "nodes.json")
    with pytest.raises(NoOneNetwork) as error:
        chosen(path, store=store)
    assert error.value.hint == "--network names the one to look for"
    found = chosen(path, store=store, network="sepolia")
    assert found.crawls["nodes.json"].manifest.network == "sepolia"
    assert found.judge is not None


def test_a_file_without_a_date_needs_one(store: CrawlStore, tmp_path: Path) -> None:
    text = "\n".join([PEERSTORE, peerstore_line(Node(7)), ""])
    (tmp_path / "peerstore.csv").write_text(text, encoding="utf-8")
    path = str(tmp_path / "peerstore.csv")
    with pytest.raises(Undated, match=r"peerstore\.csv does not say when"):
        chosen(path, store=store, network="ethereum")
    found = chosen(path, store=store, network="ethereum", as_of=date(2026, 11, 20))
    assert found.crawls["peerstore.csv"].manifest.started == datetime(2026, 11, 20, tzinfo=UTC)


def test_addresses_in_a_file_are_told_and_joined_with_nothing(store: CrawlStore, tmp_path: Path) -> None:
    keep(store, [row(1)])
    (tmp_path / "geodata.json").write_bytes(geodata("192.0.2.1", "192.0.2.2"))
    found = chosen("ethereum", str(tmp_path / "geodata.json"), store=store, as_of=date(2026, 11, 23))
    of = coverage_of(*found.crawls.values(), judge=None)
    assert [(one.source.value, dict(one.left_out)) for one in of.lists] == [
        ("discv4", {}),
        ("import", {"no node ID": 2}),
    ]


def test_nodes_are_judged_by_the_forks_of_the_network(store: CrawlStore) -> None:
    chain = shipped_networks()["ethereum"].chain
    assert isinstance(chain, ExecutionChain)
    current = fork_schedule(chain).current(int(START.timestamp()))
    keep(store, [row(1)])
    judge = chosen("ethereum", store=store).judge
    assert judge is not None
    here, elsewhere, silent = (
        judge(of)
        for of in (
            row(1, fork_hash=current.hash, fork_next=current.next),
            row(2, fork_hash=_first_of("sepolia").hash, fork_next=_first_of("sepolia").next),
            row(3),
        )
    )
    assert here.membership is Membership.RIGHT
    assert elsewhere.membership is Membership.OTHER_NETWORK
    assert silent.membership is Membership.NO_STATEMENT


def _first_of(network: str) -> ForkId:
    chain = shipped_networks()[network].chain
    assert isinstance(chain, ExecutionChain)
    return fork_schedule(chain).current(int(START.timestamp()))


def test_a_network_that_is_not_known_has_no_judge(store: CrawlStore) -> None:
    keep(store, [row(1)], network="testnet-of-mine")
    assert chosen("testnet-of-mine", store=store).judge is None


def test_damaged_parts_are_told(store: CrawlStore) -> None:
    with store.begin(manifest()) as crawl:
        crawl.append(overlapping({(CrawlSource.DISCV4,): 2}))
        crawl.append(overlapping({(CrawlSource.DISCV4,): 2}, start=7))
    (crawl.path / "nodes-00001.parquet").write_bytes(b"PAR1 not")
    found = chosen("ethereum", store=store)
    assert ids(found, crawl.path.name) == [7, 8]
    [note] = found.notes
    assert note.startswith(f"{crawl.path.name}: a part of it is damaged (")


# What cannot be done.


def test_a_network_that_was_not_crawled_is_told_with_the_command_that_does(store: CrawlStore) -> None:
    with pytest.raises(NotCrawled, match="sepolia was not crawled on this machine") as error:
        chosen("sepolia", store=store)
    assert error.value.hint == "concentra crawl sepolia"


def test_a_day_without_a_crawl_is_told_with_the_days_that_have_one(store: CrawlStore) -> None:
    keep(store, overlapping({(CrawlSource.DISCV4,): 2}))
    with pytest.raises(NotCrawled, match="on 2026-11-01") as error:
        chosen("ethereum@2026-11-01", store=store)
    assert error.value.hint == "there are crawls of 2026-11-23"


@pytest.mark.parametrize(
    ("subject", "hint"),
    [
        pytest.param("etherium", "did you mean ethereum?", id="misspelt"),
        pytest.param("x" * 5000, "networks: bnb, ", id="too long for a file"),
        pytest.param("", "networks: bnb, ", id="empty"),
    ],
)
def test_a_name_of_nothing_is_answered_with_names_that_exist(
    subject: str, hint: str, store: CrawlStore
) -> None:
    with pytest.raises((NoSuchCrawl, UnreadableFile)) as error:
        chosen(subject, store=store)
    if isinstance(error.value, NoSuchCrawl):
        assert (error.value.hint or "").startswith(hint)


def test_an_option_for_a_network_that_does_not_exist_is_refused(store: CrawlStore) -> None:
    with pytest.raises(NoSuchCrawl, match="no network and no file is called 'etherium'"):
        chosen("ethereum", store=store, network="etherium")


def test_crawls_of_two_networks_are_refused(store: CrawlStore) -> None:
    keep(store, [row(1)])
    keep(store, [row(1)], network="sepolia")
    for options in ({}, {"network": "hoodi"}):
        with pytest.raises(NoOneNetwork, match="several networks: ethereum") as error:
            chosen("ethereum", *([] if options else ["sepolia"]), store=store, **options)
        assert error.value.hint == "name crawls of one network"


def test_what_is_no_day_and_what_expired_are_refused(store: CrawlStore) -> None:
    path = keep(store, [row(1)], started=START - timedelta(days=40))
    with pytest.raises(NotADay):
        chosen("ethereum@yesterday", store=store)
    with pytest.raises(CrawlExpired):
        chosen(str(path), store=store)


def test_a_file_that_no_crawler_wrote_is_refused(store: CrawlStore, tmp_path: Path) -> None:
    (tmp_path / "nodes.txt").write_text("192.0.2.1\n", encoding="utf-8")
    with pytest.raises(UnreadableFile, match="no crawler is known to write this"):
        chosen(str(tmp_path / "nodes.txt"), store=store, network="ethereum")
