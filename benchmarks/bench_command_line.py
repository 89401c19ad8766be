"""How long a user waits: the help, the shipped audit, ten million addresses; and what they are held against.

    python benchmarks/bench_command_line.py [--addresses 10000000] [--rounds 5]

Whole processes, in turn (A B C A B C …) so that a noisy machine disturbs all alike; medians and ratios of
one run. The addresses are drawn with a fixed seed, half evenly over announced space and half from 5,000
prefixes with Zipf weights, then shuffled: about 44 % of them repeat. Nothing here is a test.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from concentra.adapters.data_files import maps_directory
from concentra.adapters.map_files import load

SEED = 20251020
CONCENTRA = (sys.executable, "-m", "concentra")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One finished process."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def timed(command: tuple[str, ...]) -> Run:
    """Run a command to its end and return what it cost."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return Run(wall_s=wall, cpu_s=usage.ru_utime + usage.ru_stime, peak_mb=usage.ru_maxrss / 1024)


def write_addresses(path: Path, count: int) -> None:
    """Write `count` addresses, one a line."""
    rng = np.random.default_rng(SEED)
    maps = load(maps_directory())
    start = maps.column("v4.start").astype(np.int64)
    size = np.diff(start, append=1 << 32)
    announced = np.flatnonzero(maps.column("evidence.asn")[maps.column("v4.evidence")])
    even = rng.choice(announced, count // 2, p=size[announced] / size[announced].sum())
    popular = rng.permutation(announced)[:5000]
    skewed = popular[(rng.zipf(1.2, count - count // 2) - 1) % len(popular)]
    ranges = rng.permutation(np.concatenate([even, skewed]))
    addresses = start[ranges] + (rng.random(count) * size[ranges]).astype(np.int64)
    with path.open("w", encoding="ascii") as file:
        for chunk in np.array_split(addresses, max(1, count // 500_000)):
            octets = chunk.astype(">u4").view(np.uint8).reshape(-1, 4).tolist()
            file.writelines("{}.{}.{}.{}\n".format(*row) for row in octets)


def report(name: str, runs: list[Run]) -> float:
    """Print the medians of one command and return its median wall time."""
    wall = sorted(run.wall_s for run in runs)
    median = statistics.median(wall)
    cpu = statistics.median(run.cpu_s for run in runs)
    peak = max(run.peak_mb for run in runs)
    spread = f"{wall[0]:.2f}–{wall[-1]:.2f}"
    print(f"{name:34} wall {median:6.2f} s ({spread})   cpu {cpu:6.2f} s   peak {peak:7.0f} MB")
    return median


def main() -> None:
    """Time every command and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--addresses", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, numpy {np.__version__}, seed {SEED}")
    commands = {
        "python -c pass": (sys.executable, "-c", "pass"),
        "concentra --help": (*CONCENTRA, "--help"),
        "concentra audit ethereum": (*CONCENTRA, "audit", "ethereum"),
        "import pandas": (sys.executable, "-c", "import pandas"),
        "import pandas, web3": (sys.executable, "-c", "import pandas, web3"),
    }
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    for command in commands.values():
        timed(command)  # the first run of each fills the page cache and is not counted
    for _ in range(chosen.rounds):
        for name, command in commands.items():
            runs[name].append(timed(command))
    medians = {name: report(name, results) for name, results in runs.items()}
    audit = medians["concentra audit ethereum"]
    print(f"audit ethereum / import pandas, web3 = {audit / medians['import pandas, web3']:.2f}")
    print(f"audit ethereum / import pandas       = {audit / medians['import pandas']:.2f}")
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "addresses.txt"
        write_addresses(path, chosen.addresses)
        big = [timed((*CONCENTRA, "audit", str(path))) for _ in range(min(3, chosen.rounds))]
    report(f"audit of {chosen.addresses:,} addresses", big)


if __name__ == "__main__":
    main()
