"""`concentra coverage` as a process: crawls that are kept, answers, exit codes."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from tests.made_crawls import manifest
from tests.made_lists import overlapping

from concentra.adapters.crawl_store import CrawlStore
from concentra.cli.coverage import Source
from concentra.model.crawl import CrawlSource, CrawlState, Outcome
from concentra.model.networks import ExecutionChain
from concentra.report.schemas import load_schema
from concentra.wire.fork_id import fork_schedule
from concentra.workflows.network_choice import shipped_networks

Run = Callable[..., "CompletedProcess[str]"]
Counts = dict[tuple[CrawlSource, ...], int]

V4, DNS, PEERS = CrawlSource.DISCV4, CrawlSource.DNS_TREE, CrawlSource.ADMIN_PEERS
TWO = {(V4,): 40, (DNS,): 20, (V4, DNS): 30}


class Kept:
    """Crawls of Ethereum that the command line finds."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._began = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)
        chain = shipped_networks()["ethereum"].chain
        assert isinstance(chain, ExecutionChain)
        self._fork = fork_schedule(chain).current(int(self._began.timestamp()))

    def add(self, counts: Counts, *, start: int = 1, hours: float = 0, **changes: Any) -> str:
        """Keep a crawl, and return the path of it."""
        started = self._began + timedelta(hours=hours)
        here = {"fork_hash": self._fork.hash, "fork_next": self._fork.next, "last_seen": started}
        rows = overlapping(counts, start=start, **{**here, **changes})
        silent = overlapping({(V4, DNS): 4}, start=5000, **{**here, "outcome": Outcome.TIMED_OUT})
        with CrawlStore(self.directory / "crawls").begin(manifest(started=started)) as crawl:
            crawl.append([*rows, *silent])
            crawl.finish(CrawlState.COMPLETE, started + timedelta(minutes=9), {})
        return str(crawl.path)


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "data")


@pytest.fixture
def cover(concentra: Run, kept: Kept) -> Run:
    def run(*arguments: str, **env: str) -> CompletedProcess[str]:
        return concentra("coverage", *arguments, CONCENTRA_DATA_DIR=str(kept.directory), **env)

    return run


def document(done: CompletedProcess[str]) -> Any:
    assert done.stderr == ""
    made = json.loads(done.stdout)
    checker = Draft202012Validator.FORMAT_CHECKER
    assert list(Draft202012Validator(load_schema("coverage"), format_checker=checker).iter_errors(made)) == []
    return made


def test_the_newest_crawl_of_a_network_is_compared(kept: Kept, cover: Run) -> None:
    kept.add(TWO)
    done = cover("ethereum", COLUMNS="120")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "At least 115 nodes (95 % 102–143): discv4 (70) and dns (50) share 30."
    assert "unseen   at least 25 nodes (u)" in lines
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize("columns", ["40"])
def test_it_fits_into_the_terminal(columns: str, kept: Kept, cover: Run) -> None:
    kept.add(TWO)
    assert max(map(len, cover("ethereum", COLUMNS=columns).stdout.splitlines())) <= int(columns)


def test_the_document_keeps_its_schema_and_names_no_directory(kept: Kept, cover: Run) -> None:
    path = kept.add({**TWO, (V4, PEERS): 9, (PEERS,): 5, (V4, DNS, PEERS): 3})
    made = document(cover(path, "--json"))
    assert made["lead"]["method"] == "log-linear"
    assert made["command"] == f"concentra coverage {Path(path).name} --json"
    assert made["lists"][0]["left_out"] == {"timed out": 4}


def test_without_a_second_list_it_is_undetermined(kept: Kept, cover: Run) -> None:
    kept.add({(V4,): 40})
    done = cover("ethereum", "--source", "discv4")
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout.startswith("Undetermined: at least the 40 nodes that were seen; only one list has any")
    assert "concentra crawl ethereum --dns" in done.stdout
    assert document_of_undetermined(cover)["lead"] is None


def document_of_undetermined(cover: Run) -> Any:
    done = cover("ethereum", "--json", "--source", "discv4")
    assert done.returncode == 3
    return document(done)


def test_repeated_crawls_are_named_by_their_number(kept: Kept, cover: Run) -> None:
    kept.add({(V4,): 60})
    kept.add({(V4,): 60}, start=31, hours=2)
    made = document(cover("ethereum", "--last", "2", "--json"))
    assert made["repeated"][0]["seen_in"] == [60, 30]
    assert made["lead"]["method"] == "chao2"
    assert cover("ethereum").returncode == 3


def test_all_announced_nodes_can_be_counted(kept: Kept, cover: Run) -> None:
    kept.add(TWO, outcome=Outcome.NOT_ASKED)
    assert cover("ethereum").returncode == 3
    made = document(cover("ethereum", "--announced", "--json"))
    assert (made["counted"], made["seen"]) == ("announced", 94)


def test_csv_files_are_written_beside_the_report(kept: Kept, cover: Run, tmp_path: Path) -> None:
    kept.add(TWO)
    done = cover("ethereum", "--csv", "out")
    assert (done.returncode, done.stderr) == (0, "wrote 4 files to out\n")
    with (tmp_path / "out" / "estimates.csv").open(encoding="utf-8", newline="") as file:
        [estimate] = csv.DictReader(file)
    assert (estimate["about"], estimate["both"]) == ("discv4 & dns", "30")
    quiet = cover("ethereum", "--csv", "out", "--quiet")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(("ethereum",), "ethereum was not crawled on this machine", id="no crawl"),
        pytest.param(("etherium",), "did you mean ethereum?", id="no such network"),
        pytest.param(("ethereum@soon",), "wanted a day after the @", id="no day"),
        pytest.param(("ethereum", "--source", "gossip"), "gossip", id="no such source"),
        pytest.param(("ethereum", "--last", "0"), "--last", id="no crawls"),
        pytest.param((), "NETWORK|CRAWL", id="nothing named"),
    ],
)
def test_a_wrong_command_exits_with_2(arguments: tuple[str, ...], says: str, cover: Run) -> None:
    done = cover(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_is_no_crawl_exits_with_1(cover: Run, tmp_path: Path) -> None:
    (tmp_path / "nodes.txt").write_text("8.8.8.8\n", encoding="utf-8")
    done = cover("--network", "ethereum", "nodes.txt")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("concentra: nodes.txt: no crawler is known to write this")


def test_the_option_knows_every_source() -> None:
    assert {one.value for one in Source} == {one.value for one in CrawlSource}
