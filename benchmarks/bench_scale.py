"""What it costs to count Parquet files by AS: one thread, two, two Dask workers, and DuckDB's ASOF join.

    python benchmarks/bench_scale.py [--rows 1000000 10000000] [--rounds 3] [--kinds integers text]

Half of the addresses are spread over all of IPv4, half over 20,000 busy /24s in the manner of Zipf, all
shuffled; they are written as integers and as text. Every way of counting runs in a process of its own, in
turns, and from open maps to counts for each AS. Rates are medians of the rounds; CPU is that of the whole
process and its children, imports included, and memory the peak of the largest process. DuckDB is left out
where it is not installed. All ways must come to the same counts.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from concentra.adapters.data_files import maps_directory
from concentra.adapters.map_files import load
from concentra.adapters.parquet_files import ParquetFiles, describe
from concentra.attribution.counts import EvidenceCounts
from concentra.attribution.maps import Maps

SEED = 20251020
FILE_ROWS = 5_000_000
BUSY = 20_000

RUNNERS: Mapping[str, tuple[str, ...]] = {
    "1 thread": ("integers", "text"),
    "2 threads": ("integers", "text"),
    "2 dask workers": ("integers", "text"),
    "duckdb": ("integers",),
}


def write_files(directory: Path, rows: int) -> None:
    """Write the same addresses as integers and as text, in files of `FILE_ROWS` rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(SEED)
    busy = rng.integers(1 << 16, 224 << 16, BUSY, dtype=np.uint32)
    chance = 1 / np.arange(1, BUSY + 1) ** 1.1
    for kind in ("integers", "text"):
        (directory / kind).mkdir()
    for first in range(0, rows, FILE_ROWS):
        number = min(FILE_ROWS, rows - first)
        popular = busy[rng.choice(BUSY, number // 2, p=chance / chance.sum())] << np.uint32(8)
        popular += rng.integers(0, 256, len(popular), dtype=np.uint32)
        anywhere = rng.integers(0, 1 << 32, number - len(popular), dtype=np.uint32)
        addresses = rng.permutation(np.concatenate([popular, anywhere]))
        name = f"{first:010}.parquet"
        pq.write_table(pa.table({"ip": addresses}), directory / "integers" / name, compression="zstd")
        pq.write_table(pa.table({"ip": text_of(addresses)}), directory / "text" / name, compression="zstd")


def text_of(addresses: np.ndarray) -> object:
    """Return dotted quads as an Arrow column."""
    import pyarrow as pa
    import pyarrow.compute as pc

    octets = [(addresses >> np.uint32(shift) & np.uint32(255)).astype(np.uint8) for shift in (24, 16, 8, 0)]
    return pc.binary_join_element_wise(*(pa.array(octet).cast(pa.string()) for octet in octets), ".")


def by_asn(counts: EvidenceCounts, maps: Maps) -> np.ndarray:
    """Return (AS number, units) of each AS with units."""
    of_evidence = maps.column("evidence.asn")
    by_evidence = np.zeros(len(of_evidence), np.int64)
    np.add.at(by_evidence, counts.evidence, counts.units)
    occurs = np.flatnonzero(by_evidence)
    asn, position = np.unique(of_evidence[occurs], return_inverse=True)
    units = np.zeros(len(asn), np.int64)
    np.add.at(units, position, by_evidence[occurs])
    return np.stack([asn, units])[:, asn > 0]


def count(runner: str, files: ParquetFiles, pattern: str) -> tuple[np.ndarray, float]:
    """Return the counts of one way, and the seconds that it took."""
    maps = load(maps_directory(), small=True)
    started = time.perf_counter()
    match runner:
        case "1 thread" | "2 threads":
            from concentra.workflows.parquet_audit import count_here

            rows = count_here(files, maps, threads=int(runner[0]))
            found = by_asn(rows.evidence, maps)
        case "2 dask workers":
            from concentra.workflows.dask_engine import count_on_dask

            def start_clock() -> None:
                nonlocal started
                started = time.perf_counter()

            rows = count_on_dask(files, maps_directory(), scheduler=None, ready=start_clock)
            found = by_asn(rows.evidence, maps)
        case _:
            found = asof_join(maps, pattern)
    return found, time.perf_counter() - started


def asof_join(maps: Maps, pattern: str) -> np.ndarray:
    """Return the counts of DuckDB over the same table of ranges."""
    import pyarrow as pa

    database = import_module("duckdb").connect(config={"threads": 2})
    asn = maps.column("evidence.asn")[maps.column("v4.evidence")]
    database.register("given", pa.table({"start": maps.column("v4.start"), "asn": asn}))
    database.execute("create table ranges as select * from given order by start")
    rows = database.execute(
        f"select asn, count(*) from read_parquet('{pattern}') q asof join ranges on q.ip >= ranges.start "
        "where asn > 0 group by asn order by asn"
    ).fetchnumpy()
    return np.stack([np.asarray(column).astype(np.int64) for column in rows.values()])


def measure(runner: str, directory: Path) -> None:
    """Count in this process and print what it took."""
    files = describe(str(directory), column="ip", names=())
    found, seconds = count(runner, files, str(directory / "*.parquet"))
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    result = {
        "seconds": seconds,
        "cpu": sum(part.ru_utime + part.ru_stime for part in usage),
        "peak": max(part.ru_maxrss for part in usage) / 1024,
        "digest": int((found[0] * 31 + found[1] * 17).sum() % 2**31),
    }
    print(json.dumps(result))


def child(*arguments: str) -> str:
    """Return what this program prints in a process of its own; this one stays small, as a child starts so."""
    done = subprocess.run([sys.executable, __file__, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout


def compare(rows: int, rounds: int, kinds: Sequence[str], root: Path) -> None:
    """Write files of so many rows, count them in every way and print a table."""
    with tempfile.TemporaryDirectory(dir=root) as name:
        directory = Path(name)
        child("--write", str(rows), name)
        runners = [runner for runner in RUNNERS if runner != "duckdb" or find_spec("duckdb")]
        results: dict[tuple[str, str], list[Mapping[str, float]]] = {}
        for _ in range(rounds):
            for runner in runners:
                for kind in [kind for kind in RUNNERS[runner] if kind in kinds]:
                    result = json.loads(child("--count", runner, str(directory / kind)).splitlines()[-1])
                    results.setdefault((kind, runner), []).append(result)
        digests = {result["digest"] for several in results.values() for result in several}
        for (kind, runner), several in sorted(results.items()):
            seconds = statistics.median(result["seconds"] for result in several)
            cpu = statistics.median(result["cpu"] for result in several)
            peak = max(result["peak"] for result in several)
            rate = f"{rows / seconds / 1e6:6.1f} M rows/s"
            print(
                f"{rows:>11,}  {kind:9} {runner:15} {seconds:6.2f} s {rate} {cpu:7.2f} s CPU {peak:6,.0f} MiB"
            )
        print(f"{'':13}{'the same counts' if len(digests) == 1 else 'THE COUNTS DIFFER'}", flush=True)


def main() -> None:
    """Compare at every size, or count once as a child."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[10**6, 10**7])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kinds", nargs="+", choices=["integers", "text"], default=["integers", "text"])
    parser.add_argument("--directory", type=Path, help="where to write the files for a while")
    parser.add_argument("--count", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--write", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.count:
        measure(arguments.count[0], Path(arguments.count[1]))
        return
    if arguments.write:
        write_files(Path(arguments.write[1]), int(arguments.write[0]))
        return
    if not find_spec("duckdb"):
        print("duckdb is not installed and left out: pip install duckdb")
    for rows in arguments.rows:
        compare(rows, arguments.rounds, arguments.kinds, arguments.directory)


if __name__ == "__main__":
    main()
