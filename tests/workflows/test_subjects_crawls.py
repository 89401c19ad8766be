"""A network is its newest crawl on this machine, as long as that may be read."""

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.made_crawls import ENDED, START, manifest, row

from concentra.adapters.crawl_files import COMPLETE, MANIFEST
from concentra.adapters.crawl_store import CrawlStore, default_store
from concentra.adapters.data_files import networks_directory
from concentra.collect.belonging import Membership
from concentra.collect.crawl_population import CrawlNodes, NobodyLeft
from concentra.collect.errors import NoColumns
from concentra.collect.networks import decode_network
from concentra.errors import UnreadableFile, UsageProblem
from concentra.model.axes import Among, Unit
from concentra.model.crawl import TIME_TO_LIVE, CrawlSource, CrawlState, NodeRow, Outcome
from concentra.model.networks import ExecutionChain
from concentra.model.provenance import Source
from concentra.wire.fork_id import fork_schedule
from concentra.workflows import crawl_subjects, subjects
from concentra.workflows.audit import audit
from concentra.workflows.crawl_subjects import CrawlExpired, NotADay
from concentra.workflows.known_nodes import load_known
from concentra.workflows.parquet_audit import ParquetPopulation
from concentra.workflows.snapshot import make_snapshot
from concentra.workflows.subjects import (
    NotObserved,
    Observed,
    UndatedPopulation,
    UnknownSubject,
    load_population,
    load_subject,
    shipped_snapshots,
)

DAY = timedelta(days=1)


def ours(number: int, **changes: object) -> NodeRow:
    """Return a node that says it is on Ethereum as its forks were when the facts about it were read."""
    network = decode_network((networks_directory() / "ethereum.toml").read_bytes(), "ethereum.toml")
    assert isinstance(network.chain, ExecutionChain)
    fork = fork_schedule(network.chain).current(int(START.timestamp()))
    said = {
        "network_id": 1,
        "genesis": network.chain.genesis_hash,
        "fork_hash": fork.hash,
        "fork_next": fork.next,
    }
    return row(number, **{**said, **changes})


ROWS = [
    ours(1),
    ours(2, address="8.8.4.4"),
    ours(3, address="1.1.1.1", genesis=bytes(32)),
    ours(4, address="9.9.9.9", outcome=Outcome.TIMED_OUT),
]


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CrawlStore:
    """Keep crawls in an empty directory, and let it be a moment after the end of the first."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONCENTRA_DATA_DIR", str(tmp_path / "data"))
    at(monkeypatch, ENDED)
    return default_store()


def at(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    monkeypatch.setattr(subjects, "now", lambda: moment)


def keep(rows: Sequence[NodeRow] = ROWS, **changes: object) -> Path:
    with default_store().begin(manifest(**changes)) as crawl:
        crawl.append(rows)
        crawl.finish(CrawlState.COMPLETE, ENDED, {})
    return crawl.path


def is_local(subject: str, **options: date) -> bool:
    return load_population(subject, **options).source.name == "crawl of ethereum"  # type: ignore[arg-type]


# By the name of a network.


def test_a_network_is_its_newest_crawl_and_says_so() -> None:
    keep()
    population = load_population("ethereum")
    assert population.subject == "ethereum"
    assert population.title == "Ethereum, execution layer: local crawl of 2026-11-23 01:45 UTC"
    assert population.source.as_of == START.date()
    assert population.source.rows == 4
    assert {unit: addresses.total for unit, addresses in population.units.items()} == {
        Unit.NODE: 2,
        Unit.ADDRESS: 2,
        Unit.PREFIX: 2,
    }
    told = {step.name: (step.left, dict(step.dropped)) for step in population.funnel}
    assert told["right network"] == (2, {"other network": 1})
    assert told["answering"] == (3, {"timed out": 1})


def test_without_a_crawl_it_is_the_snapshot() -> None:
    assert load_population("ethereum").source.as_of != START.date()
    assert not is_local("ethereum")


def test_a_network_without_a_snapshot_can_be_crawled_too() -> None:
    keep([row(1, address="1.1.1.1")], network="my-devnet", title="My devnet")
    population = load_population("my-devnet")
    assert population.title == "My devnet: local crawl of 2026-11-23 01:45 UTC"
    assert any("no facts about the network" in note for note in population.notes)


DEFINITION = f"""\
name = "my-devnet"
title = "My devnet"
read_on = 2026-11-23
discovery = ["discv4"]
boot_nodes = []
sources = [{{ facts = "all", url = "https://devnet.example", version = "1" }}]

[execution]
chain_id = 4711
network_id = 4711
genesis_hash = "0x{"ab" * 32}"
"""


def test_a_network_of_ones_own_is_judged_by_what_its_crawl_knew_of_it() -> None:
    chain = decode_network(DEFINITION.encode(), "my-devnet.toml").chain
    assert isinstance(chain, ExecutionChain)
    [fork] = fork_schedule(chain).ids
    said = {"network_id": 4711, "genesis": chain.genesis_hash, "fork_hash": fork.hash, "fork_next": 0}
    keep([row(1, **said), ours(2)], network="my-devnet", title="My devnet", definition=DEFINITION)
    funnel = {step.name: (step.left, dict(step.dropped)) for step in load_population("my-devnet").funnel}
    assert funnel["right network"] == (1, {"other network: ethereum": 1})


def test_a_crawl_at_work_is_not_read() -> None:
    with default_store().begin(manifest()) as crawl:
        crawl.append(ROWS)
        assert not is_local("ethereum")
    assert is_local("ethereum")


def test_a_network_of_a_day_is_its_crawl_of_that_day_else_its_snapshot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keep()
    keep(ROWS[:1], started=START + DAY)
    at(monkeypatch, ENDED + DAY)
    assert load_population("ethereum").source.as_of == date(2026, 11, 24)
    population = load_population("ethereum@2026-11-23")
    assert population.source.as_of == date(2026, 11, 23)
    assert population.subject == "ethereum@2026-11-23"
    shipped = shipped_snapshots()["ethereum"].stem.removeprefix("ethereum-")
    assert str(load_population(f"ethereum@{shipped}").source.as_of) == shipped
    assert not is_local(f"ethereum@{shipped}")


def test_of_a_day_without_any_the_days_that_there_are_are_named() -> None:
    keep()
    with pytest.raises(
        NotObserved, match="of ethereum there is no local crawl and no snapshot of 2026-11-01"
    ) as caught:
        load_population("ethereum@2026-11-01")
    assert isinstance(caught.value, UsageProblem)
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("there are crawls of 2026-11-23 and snapshots of 20")


def test_a_known_network_that_was_never_crawled_says_how_to() -> None:
    with pytest.raises(
        NotObserved, match="sepolia was not crawled on this machine, and no snapshot"
    ) as caught:
        load_subject("sepolia")
    assert caught.value.hint == "concentra crawl sepolia"


@pytest.mark.parametrize(
    "subject", ["ethereum@", "ethereum@yesterday", "ethereum@2026-02-30", "ethereum@20261123"]
)
def test_what_is_no_day_is_refused(subject: str) -> None:
    with pytest.raises(NotADay, match="wanted a day after the @"):
        load_population(subject)


def test_a_day_of_no_network_is_a_name_of_no_file() -> None:
    with pytest.raises(UnknownSubject, match="no network and no file is called 'etherium@2026-11-23'"):
        load_population("etherium@2026-11-23")


def test_a_crawled_network_is_among_those_that_are_named_to_who_mistypes() -> None:
    keep(network="my-devnet")
    with pytest.raises(UnknownSubject) as caught:
        load_population("my-devnot")
    assert caught.value.hint == "did you mean my-devnet?"


def test_a_crawl_carries_its_own_date_and_has_no_columns() -> None:
    path = keep()
    for subject in ("ethereum", str(path), str(path / COMPLETE)):
        with pytest.raises(UndatedPopulation):
            load_subject(subject, as_of=date(2026, 1, 1))
        with pytest.raises(NoColumns):
            load_subject(subject, column="address")


def test_a_damaged_crawl_is_named_and_not_passed_over() -> None:
    (keep() / MANIFEST).write_text("{")
    with pytest.raises(UnreadableFile, match=r"2026-11-23T014500Z/manifest\.json"):
        load_population("ethereum")


def test_a_damaged_part_is_told_of(store: CrawlStore) -> None:
    with store.begin(manifest()) as crawl:
        crawl.append(ROWS[:1])
        crawl.append(ROWS[1:])
        (crawl.path / "nodes-00002.parquet").write_bytes(b"")
    limits = load_population("ethereum").source.limits
    assert limits[-1] == "1 part of the crawl is damaged and left out"


# When its time is over.

OVER = START + TIME_TO_LIVE


def test_an_expired_crawl_is_deleted_and_never_read(monkeypatch: pytest.MonkeyPatch) -> None:
    path = keep()
    at(monkeypatch, OVER)
    population = load_population("ethereum")
    assert population.source.as_of != START.date()
    assert population.notes[-1] == "the local crawl of 2026-11-23 expired on 2026-12-23 and was deleted"
    assert not path.exists()
    assert load_population("ethereum").notes == population.notes[:-1]


def test_crawls_of_other_networks_expire_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    path = keep(network="sepolia")
    at(monkeypatch, OVER)
    assert not any("expired" in note for note in load_population("ethereum").notes)
    assert not path.exists()


def test_an_expired_crawl_that_cannot_be_deleted_is_not_read_either(monkeypatch: pytest.MonkeyPatch) -> None:
    keep()
    at(monkeypatch, OVER)

    def refuse(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "rename", refuse)
    population = load_population("ethereum")
    assert population.source.as_of != START.date()
    assert "expired on 2026-12-23 and could not be deleted (" in population.notes[-1]
    assert "Operation not permitted" in population.notes[-1]


def test_an_expired_crawl_is_not_read_by_its_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = keep()
    copied = tmp_path / "mine.parquet"
    copied.write_bytes((path / COMPLETE).read_bytes())
    at(monkeypatch, OVER)
    for subject in (path, path / COMPLETE, copied):
        with pytest.raises(CrawlExpired, match=f"{subject.name}: the crawl expired on 2026-12-23"):
            load_subject(str(subject))
        assert subject.exists()


# By its path.


def test_a_crawl_may_be_named_by_its_directory_or_its_file(tmp_path: Path) -> None:
    path = keep()
    copied = tmp_path / "mine.parquet"
    copied.write_bytes((path / COMPLETE).read_bytes())
    for subject in (path, path / COMPLETE, copied):
        for load in (load_subject, load_population):
            population = load(str(subject))
            assert not isinstance(population, ParquetPopulation)
            assert population.subject == subject.name
            assert population.source.name == "crawl of ethereum"
            assert population.units[Unit.ADDRESS].total == 2


def test_other_parquet_files_are_read_as_before(tmp_path: Path) -> None:
    (tmp_path / "many").mkdir()
    for path in (tmp_path / "one.parquet", tmp_path / "many" / "nodes.parquet"):
        pq.write_table(pa.table({"ip": ["8.8.8.8"]}), path)
    for subject in ("one.parquet", "many", "many/*.parquet"):
        assert isinstance(load_subject(subject), ParquetPopulation)


def test_a_file_called_like_a_crawled_network_is_named_by_a_path(tmp_path: Path) -> None:
    keep()
    (tmp_path / "ethereum").write_text("8.8.8.8\n9.9.9.9\n1.1.1.1\n")
    assert is_local("ethereum")
    assert load_population("./ethereum").units[Unit.ADDRESS].total == 3


# What is made of it.


def test_all_nodes_that_answered_or_were_told_of_can_be_asked_for() -> None:
    keep()
    totals = {among: load_population("ethereum", among=among).units[Unit.NODE].total for among in Among}
    assert totals == {Among.ANNOUNCED: 4, Among.RESPONDING: 3, Among.NETWORK: 2}


NOBODY = (ours(1, outcome=Outcome.REFUSED), ours(2, address="127.0.0.1"))
WHY = r"of 2 nodes none is left to count \(1 refused, 1 loopback\)"


def test_of_a_crawl_in_which_nobody_counts_every_reason_is_told() -> None:
    path = keep(NOBODY)
    for subject in (f"ethereum@{path.name[:10]}", str(path)):
        with pytest.raises(NobodyLeft, match=WHY):
            load_population(subject)


def test_a_crawl_in_which_nobody_counts_does_not_hide_the_shipped_snapshot() -> None:
    keep(NOBODY)
    population = load_population("ethereum")
    assert population.aggregated
    assert re.search(WHY, population.notes[-1])


def test_whoever_wants_to_know_is_told_of_every_node() -> None:
    keep([*ROWS, ours(4, source=CrawlSource.DNS_TREE, outcome=Outcome.NOT_ASKED)])
    seen: list[Observed] = []
    load_population("ethereum", observed=seen.append)
    [nodes] = seen
    assert isinstance(nodes, CrawlNodes)
    reasons = [None if node.left_out is None else node.left_out.reason for node in nodes]
    assert reasons == [None, None, Membership.OTHER_NETWORK.value, "timed out"]


def test_the_nodes_that_are_compared_are_those_that_are_counted() -> None:
    keep()
    known = load_known("ethereum")
    assert known.nodes is not None
    assert [node.left_out for node in known.nodes.values()] == [None, None, "other network", "timed out"]


def test_a_crawl_is_audited_in_every_unit() -> None:
    keep([*ROWS, ours(5)])
    for unit, total in ((Unit.NODE, 3), (Unit.ADDRESS, 2), (Unit.PREFIX, 2)):
        result = audit(load_population("ethereum"), unit=unit, replicates=0)
        assert result.unit_totals[unit] == total
        assert result.funnel[-1].name == "attributed"


def test_a_snapshot_of_a_crawl_holds_no_address_and_keeps_its_limits() -> None:
    keep()
    told = Source(name="net", publisher="me", as_of=date(2026, 11, 23), licence="CC0-1.0", limits=("mine",))
    name, data, cost = make_snapshot("ethereum", told, network="net", title="Net")
    assert name == "net-2026-11-23.csv"
    assert cost.addresses == 2
    assert b"8.8.8.8" not in data
    assert b"8.8.8.0/24,1\n" in data
    Path("net.csv").write_bytes(data)
    again = load_population("net.csv")
    assert again.source.limits[0] == "mine"
    assert again.source.limits[1].startswith("seen from one place, this machine")
    assert [step.name for step in again.funnel][:3] == ["discovered", "answering", "right network"]


def test_a_snapshot_of_a_node_file_has_the_limits_that_its_maker_names() -> None:
    Path("nodes.txt").write_text("8.8.8.8\n")
    told = Source(name="net", publisher="me", as_of=date(2026, 11, 23), licence="CC0-1.0", limits=("mine",))
    Path("net.csv").write_bytes(make_snapshot("nodes.txt", told, network="net", title="Net")[1])
    assert load_population("net.csv").source.limits == ("mine",)


def test_the_name_of_a_network_may_be_followed_by_a_day() -> None:
    assert crawl_subjects.named_network("a", {"a"}) == ("a", None)
    assert crawl_subjects.named_network("a@2026-11-23", {"a"}) == ("a", date(2026, 11, 23))
    assert crawl_subjects.named_network("b@2026-11-23", {"a"}) is None
