"""What a crawl costs and what it finds, in simulated networks on loopback.

    python benchmarks/bench_crawl.py [--only speed silent …] [--protocols discv4] [--rounds 3] [--json FILE]

Every crawl is a whole one, as `concentra crawl --rate 20000 --no-handshakes` makes it: sockets, engine, rows
in Parquet files. It runs in a process of its own, and so does the network, `simulated_network.py` or
`simulated_discv5.py`, which needs the other core. CPU seconds are those of the crawling process, from the
first to the last moment of the crawl. Rates in nodes count those that answered.

speed      live nodes alone, 1,000 and 10,000, no loss: nodes and questions for each CPU second
silent     10,000 live and 30,000 silent nodes, one datagram in 100 lost in either direction, up to 50 ms of
           delay; every round has another seed, and so another network
hostile    the same with 50 and with 500 hostile nodes more, each against the round without them
datagrams  what `adapters/udp.py` reads for a machine that only counts, beside asyncio's own way
memory     100,000 live nodes with their records
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, TypeAlias

from concentra.adapters.crawl_store import CrawlStore
from concentra.adapters.udp import UdpSockets
from concentra.collect.crawl.engine import Limits
from concentra.model.crawl import ANSWERING, NodeRow
from concentra.model.networks import Discovery, ExecutionChain, Network
from concentra.workflows.crawl import crawl
from concentra.workflows.crawl_plan import CrawlPlan

SEED = 20251020
ROOT = Path(__file__).parents[1]
SIMULATORS = {"discv4": "benchmarks.simulated_network", "discv5": "benchmarks.simulated_discv5"}
LIMITS = Limits(rate=20_000, prefix_rate=20)
FLOOD_S = 4.0
FLOOD_PORT = 30_399
PAYLOAD = 600
"""Bytes of a datagram of the flood; answers with twelve neighbours have some 1,050."""

Result: TypeAlias = Mapping[str, Any]


# One crawl, in a process of its own.


def crawled(options: Mapping[str, Any]) -> Result:
    """Crawl a simulated network and return what it cost and found."""
    protocol = options["protocol"]
    settings = [f"--{name}={value}" for name, value in options.items() if name != "protocol"]
    command = [sys.executable, "-m", SIMULATORS[protocol], *settings]
    with (
        subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as simulator,
        tempfile.TemporaryDirectory() as directory,
    ):
        if simulator.stdin is None or simulator.stdout is None:
            raise AssertionError("pipes were asked for")
        told = json.loads(simulator.stdout.readline())
        plan = CrawlPlan(
            network=network(Discovery(protocol), told["boot"]), limits=LIMITS, handshakes=False, loopback=True
        )
        dropped, usage, started = dropped_by_system(), os.times(), time.perf_counter()
        result = crawl(plan, CrawlStore(Path(directory)))
        wall, after = time.perf_counter() - started, os.times()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        dropped = dropped_by_system() - dropped
        simulator.stdin.close()
        seen = json.loads(simulator.stdout.readline())
        rows = list(result.crawl.rows())
    return {
        "wall_s": wall,
        "cpu_s": after.user + after.system - usage.user - usage.system,
        "system_s": after.system - usage.system,
        "network_cpu_s": seen["cpu_s"],
        "peak_mib": peak,
        "dropped": dropped,
        "findnode": seen["findnode"],
        "table": told["table"],
        "events": dict(result.crawl.manifest.counts),
        **found_in(rows, told),
    }


def found_in(rows: Sequence[NodeRow], told: Mapping[str, Any]) -> Result:
    """Return what the rows of a crawl say of a network of which everything is known."""
    live = {bytes.fromhex(node_id) for node_id in told["live"]}
    hostile = {bytes.fromhex(node_id): kind for node_id, kind in told["hostile"].items()}
    answering = {row.node_id for row in rows if row.outcome in ANSWERING}
    lies = Counter(f"{hostile[row.node_id]} {row.outcome}" for row in rows if row.node_id in hostile)
    return {
        "known": len(rows),
        "answering": len(answering),
        "not_found": len(live - answering),
        "with_record": sum(row.record is not None for row in rows),
        "told": statistics.fmean(row.told for row in rows if row.node_id in live),
        "hearsay": sum(row.announcers == 1 and row.outcome not in ANSWERING for row in rows),
        "outcomes": Counter(row.outcome.value for row in rows),
        "hostile": lies,
    }


def network(protocol: Discovery, boot_nodes: Sequence[str]) -> Network:
    """Return a network that begins at these nodes; its chain is none."""
    chain = ExecutionChain(
        chain_id=0, network_id=0, genesis_hash=bytes(32), genesis_time=None, block_forks=(), time_forks=()
    )
    return Network(
        name="simulated",
        title="Simulated network",
        chain=chain,
        discovery=(protocol,),
        boot_nodes=tuple(boot_nodes),
        dns_trees=(),
        sources=(),
        read_on=date(2026, 11, 23),
    )


def dropped_by_system() -> int:
    """Return how many datagrams met a full socket on this machine so far, those of others included."""
    lines = [line.split()[1:] for line in Path("/proc/net/snmp").read_text().splitlines()]
    names = next(position for position, line in enumerate(lines) if "RcvbufErrors" in line)
    return int(lines[names + 1][lines[names].index("RcvbufErrors")])


# A flood of datagrams, and two ways of reading it.


class Counting:
    """A machine that counts datagrams and does nothing else."""

    def __init__(self) -> None:
        self.outbox: list[tuple[bytes, tuple[str, int]]] = []
        self.seen = 0

    def received(self, *_: object) -> None:
        """Count a datagram."""
        self.seen += 1

    def unreachable(self, *_: object) -> None:
        """Do nothing."""

    def advance(self, *_: object) -> None:
        """Do nothing."""

    def next_deadline(self, *_: object) -> float | None:
        """Return that there is none."""
        return None

    def is_done(self) -> bool:
        """Return that it never is."""
        return False


class CountingProtocol(asyncio.DatagramProtocol):
    """The same as asyncio would have it."""

    def __init__(self) -> None:
        self.seen = 0

    def datagram_received(self, *_: object) -> None:
        """Count a datagram."""
        self.seen += 1


async def counted_here(until: float) -> int:
    """Return how many datagrams came through `UdpSockets`."""
    machine = Counting()
    with UdpSockets(FLOOD_PORT, "127.0.0.1") as sockets:
        await sockets.run(machine, time.monotonic, stop=lambda: time.monotonic() > until)
    return machine.seen


async def counted_by_asyncio(until: float) -> int:
    """Return how many came through a `DatagramProtocol`."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(
        CountingProtocol, local_addr=("127.0.0.1", FLOOD_PORT)
    )
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    await asyncio.sleep(until - time.monotonic())
    transport.close()
    return protocol.seen


COUNTERS: Mapping[str, Callable[[float], Any]] = {"concentra": counted_here, "asyncio": counted_by_asyncio}


def flooded(way: str) -> Result:
    """Read datagrams for a while, and return how many and what that cost."""
    with subprocess.Popen([sys.executable, __file__, "--child", "flood", "{}"]) as flood:
        time.sleep(0.3)
        usage, started = os.times(), time.monotonic()
        seen = asyncio.run(COUNTERS[way](started + FLOOD_S))
        after = os.times()
        flood.kill()
    return {"seen": seen, "cpu_s": after.user + after.system - usage.user - usage.system, "wall_s": FLOOD_S}


def send_forever() -> None:
    """Send datagrams as fast as they go, until killed."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect(("127.0.0.1", FLOOD_PORT))
    data = bytes(PAYLOAD)
    while True:
        try:
            sock.send(data)
        except ConnectionRefusedError:  # nobody listens yet
            time.sleep(0.01)


# The table.


def row(measure: str, asked: str, found: str) -> None:
    """Print a line of the table."""
    print(f"| {measure} | {asked} | {found} |", flush=True)


def median(values: Sequence[float], form: str = ",.0f") -> str:
    """Return the median with the least and the greatest."""
    middle = format(statistics.median(values), form)
    return middle if len(values) == 1 else f"{middle} ({min(values):{form}}–{max(values):{form}})"


def each(results: Sequence[Result], name: str, form: str = ",.0f", *, by: str | None = None) -> str:
    """Return the median of a figure, or of a figure by another."""
    return median([result[name] / (result[by] if by else 1) for result in results], form)


def print_crawls(name: str, results: Sequence[Result], *, rate: str = "", wall: str = "") -> None:
    """Print what crawls of one network cost and found."""
    row(f"**{name}**: nodes a CPU second", rate, each(results, "answering", by="cpu_s"))
    row("FINDNODE a CPU second", "", each(results, "findnode", by="cpu_s"))
    row("FINDNODE a node", "", each(results, "findnode", ".1f", by="answering"))
    row("entries of its table", "", each(results, "table"))
    row("of those told", "", each(results, "told"))
    row("wall, s", wall, each(results, "wall_s", ".1f"))
    row("CPU, s", "", each(results, "cpu_s", ".1f"))
    row("CPU of the network, s", "", each(results, "network_cpu_s", ".1f"))
    row("live nodes not found, each round", "0", ", ".join(str(result["not_found"]) for result in results))
    row("peak memory, MiB", "", each(results, "peak_mib"))
    row("datagrams that met a full socket", "", each(results, "dropped"))


def print_hostile(name: str, without: Sequence[Result], results: Sequence[Result]) -> None:
    """Print what hostile nodes change, and as what they are seen."""
    row(f"**{name}**: live nodes not found", "0", ", ".join(str(result["not_found"]) for result in results))
    for what, key in (("wall", "wall_s"), ("CPU", "cpu_s"), ("memory", "peak_mib")):
        ratios = [one[key] / other[key] for one, other in zip(results, without, strict=True)]
        row(f"{what}, × that without them", "≤ 2", median(ratios, ".2f"))
    row("known", "", each(results, "known"))
    row("silent, and told of by one network only", "", each(results, "hearsay"))
    for title in ("outcomes", "hostile", "events"):
        found = [f"{what.removeprefix('discv4: ')} {count:,}" for what, count in results[-1][title].items()]
        row(f"{title} (last round)", "", ", ".join(sorted(found)))


class Benchmark:
    """The measurements of one run."""

    def __init__(self, rounds: int) -> None:
        self.rounds = rounds
        self.kept: dict[str, list[Result]] = {}

    def crawls(self, protocol: str, name: str, *, rounds: int | None = None, **given: float) -> list[Result]:
        """Crawl a network in every round, and keep the figures."""
        results = [
            child("crawl", {"protocol": protocol, "seed": SEED + number, **given})
            for number in range(rounds or self.rounds)
        ]
        self.kept[f"{protocol}, {name}"] = results
        return results

    def speed(self, protocol: str) -> None:
        """Live nodes alone."""
        asked = "≥ 500" if protocol == "discv4" else "≥ 700"
        for live in (1_000, 10_000):
            results = self.crawls(protocol, f"{live:,} live", live=live, silent=0, hostile=0, loss=0)
            print_crawls(f"{protocol}, {live:,} live", results, rate=asked)

    def silent(self, protocol: str, *, hostile: Sequence[int]) -> None:
        """Live nodes among silent ones, and hostile ones among them."""
        without = self.crawls(protocol, "10,000 live, 30,000 silent", hostile=0)
        print_crawls(f"{protocol}, 10,000 live, 30,000 silent", without, wall="≤ 60")
        for count in hostile:
            results = self.crawls(protocol, f"{count} hostile", hostile=count)
            print_hostile(f"{protocol}, the same and {count} hostile", without, results)

    def memory(self, protocol: str) -> None:
        """Very many live nodes, once."""
        results = self.crawls(protocol, "100,000 live", rounds=1, live=100_000, silent=0, hostile=0, loss=0)
        print_crawls(f"{protocol}, 100,000 live", results)
        row("with a record", "", each(results, "with_record"))

    def datagrams(self) -> None:
        """Only reading."""
        for way, asked in (("concentra", "≥ 300,000"), ("asyncio", "")):
            self.kept[way] = [child("read", {"way": way}) for _ in range(self.rounds)]
            row(f"**datagrams read a CPU second**, {way}", asked, each(self.kept[way], "seen", by="cpu_s"))


def child(what: str, options: Mapping[str, Any]) -> Result:
    """Return what this program measures in another process; this one stays small, as a child starts so."""
    command = [sys.executable, __file__, "--child", what, json.dumps(options)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(done.returncode)
    result: Result = json.loads(done.stdout)
    return result


def be_child(what: str, options: Mapping[str, Any]) -> None:
    """Measure one thing once."""
    if what == "flood":
        send_forever()
    print(json.dumps(crawled(options) if what == "crawl" else flooded(options["way"])))


def main() -> None:
    """Run what was asked for, or one measurement as a child."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    kinds = ["speed", "datagrams", "silent", "hostile", "memory"]
    parser.add_argument("--only", nargs="+", choices=kinds, default=kinds)
    parser.add_argument("--protocols", nargs="+", choices=[*SIMULATORS], default=[*SIMULATORS])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write all figures of all rounds to this file")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        be_child(options.child[0], json.loads(options.child[1]))
        return
    load = f"load {os.getloadavg()[0]:.1f}"
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, {load}, Python {platform.python_version()}, ", end=""
    )
    print(f"{platform.system()} {platform.release()}, median (least–greatest) of {options.rounds} rounds\n")
    print("| measure | asked for | found |\n| --- | --- | --- |")
    benchmark = Benchmark(options.rounds)
    if "datagrams" in options.only:
        benchmark.datagrams()
    for protocol in options.protocols:
        if "speed" in options.only:
            benchmark.speed(protocol)
        if {"silent", "hostile"} & set(options.only):
            benchmark.silent(protocol, hostile=(50, 500) if "hostile" in options.only else ())
    if "memory" in options.only:
        benchmark.memory(options.protocols[0])
    print(f"\nload at the end {os.getloadavg()[0]:.1f}")
    if options.json is not None:
        options.json.write_text(json.dumps(benchmark.kept, indent=1))


if __name__ == "__main__":
    main()
