"""Crawl, then audit: what a user sees of the crawls of this machine."""

import csv
import json
import subprocess
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.made_crawls import manifest, row

from concentra.adapters.crawl_store import CrawlStore
from concentra.model.crawl import CrawlState, NodeRow, Outcome

Run = Callable[..., "subprocess.CompletedProcess[str]"]

START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
DAY = START.date().isoformat()
ADDRESSES = ["8.8.8.8", "8.8.4.4", "1.1.1.1", "9.9.9.9"]
ROWS = [
    *(row(number, address=address, last_seen=START) for number, address in enumerate(ADDRESSES, start=1)),
    row(5, address="8.8.8.8", last_seen=START),
    row(6, outcome=Outcome.TIMED_OUT, last_seen=START),
    row(7, address="127.0.0.1", last_seen=START),
]


@pytest.fixture
def audited(concentra: Run, tmp_path: Path) -> Run:
    """Run the command line beside a crawl of a network of which no facts are known."""
    keep(CrawlStore(tmp_path / "kept" / "crawls"), ROWS)

    def run(*arguments: str, **env: str) -> "subprocess.CompletedProcess[str]":
        return concentra(*arguments, CONCENTRA_DATA_DIR=str(tmp_path / "kept"), **env)

    return run


def keep(store: CrawlStore, rows: Sequence[NodeRow]) -> None:
    with store.begin(manifest(network="devnet", title="My devnet", started=START)) as crawl:
        crawl.append(rows)
        crawl.finish(CrawlState.COMPLETE, START + timedelta(minutes=9), {})


def test_an_audit_tells_that_it_is_of_the_crawl_of_this_machine_and_how_it_came_about(audited: Run) -> None:
    done = audited("audit", "devnet", COLUMNS="500")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith(
        f"My devnet: local crawl of {START:%Y-%m-%d %H:%M} UTC · 4 addresses of {DAY} · "
    )
    [source] = [line for line in lines if line.startswith("source")]
    assert source == "source   this machine's own crawl (own observation: publish counts, not addresses)"
    [funnel] = [line for line in lines if line.startswith("funnel")]
    assert funnel.startswith(
        "funnel   discovered 7 nodes → answering 6 (−1 timed out) → routable 5 (−1 loopback) → "
        "distinct 4 addresses (−1 at the address of another) → attributed "
    )
    assert "         not recorded by the source: right network, synced" in lines


def test_nodes_can_be_counted_and_the_funnel_names_its_units(audited: Run) -> None:
    funnel = " ".join(audited("audit", "devnet", "--unit", "node", COLUMNS="500").stdout.split())
    assert "distinct 4 addresses (−1 at the address of another) → counted 5 nodes → attributed " in funnel


@pytest.mark.parametrize("options", [(), ("--json",), ("--unit", "node", "--all-metrics")], ids=" ".join)
def test_no_address_of_a_crawl_is_printed(audited: Run, options: tuple[str, ...]) -> None:
    shown = audited("audit", "devnet", *options).stdout
    assert shown
    assert not any(address in shown for address in [*ADDRESSES, "127.0.0.1"])


def test_no_address_of_a_crawl_is_exported(audited: Run, tmp_path: Path) -> None:
    assert audited("audit", "devnet", "--csv", "out").returncode == 0
    exported = {path.name: path.read_text("utf-8") for path in (tmp_path / "out").iterdir()}
    assert not any(address in text for text in exported.values() for address in ADDRESSES)
    rows = list(csv.DictReader(exported["funnel.csv"].splitlines()))
    assert ("answering", "timed out", "1") in {(one["step"], one["reason"], one["dropped"]) for one in rows}
    told = json.loads(exported["manifest.json"])
    assert "seen from one place" in json.dumps(told)


def test_a_crawl_passes_a_gate_like_any_population(audited: Run) -> None:
    done = audited("check", "devnet", "--max-share", "provider=0.99")
    assert done.returncode in {0, 3}
    assert done.stdout.startswith("My devnet: local crawl of ")
    assert audited("check", "devnet", "--max-share", "provider=0.01").returncode == 10


def test_a_crawl_that_was_killed_is_audited_and_says_so(audited: Run, tmp_path: Path) -> None:
    store = CrawlStore(tmp_path / "kept" / "crawls")
    with store.begin(manifest(network="cut-off", title="Cut off", started=START)) as crawl:
        crawl.append(ROWS)
    done = audited("audit", "cut-off", COLUMNS="200")
    assert done.returncode == 0
    assert "limit    the crawl was cut off before it was complete" in done.stdout


def test_a_day_without_a_crawl_is_a_mistake_of_the_user_and_the_days_are_named(audited: Run) -> None:
    done = audited("audit", "devnet@2020-01-01")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "concentra: of devnet there is no local crawl and no snapshot of 2020-01-01\n"
        f"  hint: there are crawls of {DAY}\n"
    )


def test_a_snapshot_of_a_crawl_can_be_published_and_audited(audited: Run, tmp_path: Path) -> None:
    options = [
        "--network",
        "devnet",
        "--title",
        "Devnet",
        "--as-of",
        DAY,
        "--publisher",
        "me",
        "--licence",
        "MIT",
    ]
    made = audited("snapshot", "devnet", *options)
    assert (made.returncode, made.stderr) == (0, "")
    file = tmp_path / f"devnet-{DAY}.csv"
    assert not any(address in file.read_text("utf-8") for address in ADDRESSES)
    shown = audited("audit", f"./{file.name}", COLUMNS="300").stdout
    assert shown.startswith(f"Devnet · 4 addresses of {DAY}")
    assert "limit    seen from one place, this machine" in shown
