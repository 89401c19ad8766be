"""Crawls of real peers by the command line, each with a home of its own, and the rows that they keep."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.interop.peers import LOOPBACK, Beside, beside

from concentra.adapters.crawl_files import StoredCrawl, stored_crawl
from concentra.adapters.crawl_store import CrawlStore
from concentra.model.crawl import NodeRow

FAST = ("--rate", "1000", "--prefix-rate", "1000")
"""On loopback all nodes are in one /24, of which two a second would be asked."""

CHAIN_ID = 5151
GENESIS = "22" * 32
BLOCK_FORK, TIME_FORK = 1000, 4_000_000_000  # one that is past, and one that is far in the future
TIME_LIMIT_S = 60.0

EXECUTION = """
discovery = ["discv4"]

[execution]
chain_id = {chain_id}
network_id = {chain_id}
genesis_hash = "0x{genesis}"
genesis_time = {genesis_time}
block_forks = [{block_forks}]
time_forks = [{{ name = "Shanghai", time = {time_fork} }}]
"""

CONSENSUS = """
discovery = ["discv5"]

[consensus]
genesis_validators_root = "0x{root}"
genesis_time = 1_600_000_000
seconds_per_slot = 12
slots_per_epoch = 32
blob_parameters_from = 1_000_000_000
forks = [
    {{ name = "Phase 0", epoch = 0, version = "0x00000000" }},
    {{ name = "Fulu", epoch = 1_000_000_000, version = "0x06000000" }},
]
blob_parameters = [{{ epoch = 1000, max_blobs = 9 }}]
"""

HEAD = """
name = "my-network"
title = "A network of real peers"
read_on = 2026-11-23
boot_nodes = []
"""

SOURCES = """
[[sources]]
facts = "all"
url = "https://example.org/"
version = "1"
"""


def execution_network(
    genesis: str = GENESIS, *, genesis_time: int = 0, block_forks: tuple[int, ...] = (BLOCK_FORK,)
) -> str:
    """Return the file of a network of the execution layer, with what the peers here believe of it."""
    chain = EXECUTION.format(
        chain_id=CHAIN_ID,
        genesis=genesis,
        genesis_time=genesis_time,
        block_forks=", ".join(f'{{ name = "Homestead", block = {block} }}' for block in block_forks),
        time_fork=TIME_FORK,
    )
    return HEAD + chain + SOURCES


def consensus_network(root: str) -> str:
    """Return the file of a network of the consensus layer that began at its first fork, and is there still."""
    return HEAD + CONSENSUS.format(root=root) + SOURCES


def enode_of(node: Mapping[str, Any]) -> str:
    """Return the enode URL of a node as the scripts name it."""
    return f"enode://{node['id']}@{LOOPBACK}:{node['port']}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A crawl that is over."""

    code: int
    document: Mapping[str, Any]
    """What it printed; empty if nothing."""
    errors: str


class Home:
    """A user of concentra, who has one network."""

    def __init__(self, directory: Path, network: str | None = None) -> None:
        directory.mkdir(exist_ok=True)
        self.network = directory / "my-network.toml"
        self.network.write_text(network or execution_network())
        self.data = directory / "data"

    @property
    def store(self) -> CrawlStore:
        return CrawlStore(self.data / "crawls")

    @contextmanager
    def crawling(self, *options: str) -> Iterator[Beside]:
        """Run `concentra crawl` beside the block."""
        command = [sys.executable, "-m", "concentra", "crawl", str(self.network), "--loopback", "--json"]
        env = {"CONCENTRA_DATA_DIR": str(self.data), "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"}
        with beside("concentra crawl", [*command, *options], **env) as program:
            yield program

    def crawl(self, *options: str) -> Done:
        """Run `concentra crawl` to its end."""
        with self.crawling(*FAST, *options) as program:
            return done(program)

    def kept(self) -> list[StoredCrawl]:
        """Return its crawls, oldest first."""
        found = [stored_crawl(path) for path in sorted((self.data / "crawls" / "my-network").glob("2*"))]
        return [crawl for crawl in found if crawl is not None]

    def rows(self) -> dict[bytes, NodeRow]:
        """Return what the newest crawl kept, by node ID."""
        return rows_of(self.kept()[-1])


def done(program: Beside) -> Done:
    """Wait until a crawl is over."""
    ended = program.finished(TIME_LIMIT_S)
    return Done(
        code=ended.returncode,
        document=json.loads(ended.stdout) if ended.stdout else {},
        errors=ended.stderr,
    )


def rows_of(crawl: StoredCrawl) -> dict[bytes, NodeRow]:
    """Return the rows of a crawl by node ID; of several sources one, as they differ in nothing else."""
    return {row.node_id: row for row in crawl.rows()}
