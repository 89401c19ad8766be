"""What reading an address costs: text and columns to integers, beside `ipaddress` and pyasn.

    python benchmarks/bench_address_text.py [--rows 1000000] [--rounds 7]

Every round runs each candidate once, in turn, in one process. Figures are nanoseconds of processor time for
each row: the median of all rounds, the least and the greatest, and the median of the rounds' own ratios to
two yardsticks, which read a part of the same rows: `ipaddress`, and a loop of `pyasn.lookup` over a table so
small that most of its time goes into the text (left out, with a word, where pyasn is not installed).

IPv4 is drawn evenly from all addresses; of the groups of an IPv6 address, two in five are zero, which makes
28 characters a row. The seed is fixed. Columns are built before the clock starts.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import ipaddress
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa

from concentra.collect.address_columns import parse_column
from concentra.collect.address_text import parse_ipv4, parse_ipv6

SEED = 20251020
SAMPLE = 20_000
"""Rows for the yardsticks, which take microseconds for each."""

SMALL_TABLE = "0.0.0.0/1\t64500\n128.0.0.0/1\t64501\n::/1\t64502\n"


@dataclass(slots=True)
class Candidate:
    """One way of reading some rows, and what each row cost in every round."""

    name: str
    work: Callable[[], object]
    rows: int
    times_ns: list[float] = field(default_factory=list)

    def run(self) -> None:
        """Read the rows once."""
        started = time.process_time_ns()
        self.work()
        self.times_ns.append((time.process_time_ns() - started) / self.rows)


def v4_texts(rng: np.random.Generator, rows: int) -> list[str]:
    octets = rng.integers(0, 256, (rows, 4)).tolist()
    return ["{}.{}.{}.{}".format(*row) for row in octets]


def v6_texts(rng: np.random.Generator, rows: int) -> list[str]:
    groups = np.where(rng.random((rows, 8)) < 0.6, rng.integers(0, 1 << 16, (rows, 8)), 0)
    groups[:, 0] = 0x2001
    return [str(ipaddress.IPv6Address(row.tobytes())) for row in groups.astype(">u2")]


def text_layout(texts: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the buffer, starts and ends of rows that lie one behind the other, as Arrow keeps them."""
    ends = np.cumsum([len(text) for text in texts])
    return np.frombuffer("".join(texts).encode(), np.uint8), np.append(0, ends[:-1]), ends


def yardsticks(texts: list[str], address: Callable[[str], object]) -> list[Candidate]:
    """Return what others do with the first of these rows."""
    sample = texts[:SAMPLE]
    measured = [Candidate("ipaddress", lambda: [address(text) for text in sample], len(sample))]
    if importlib.util.find_spec("pyasn") is None:
        print("pyasn is not installed: no figures for it (pip install pyasn)")
        return measured
    lookup = importlib.import_module("pyasn").pyasn(None, ipasn_string=SMALL_TABLE).lookup
    return [*measured, Candidate("pyasn.lookup", lambda: [lookup(text) for text in sample], len(sample))]


def column(name: str, values: object, rows: int) -> Candidate:
    return Candidate(f"parse_column, {name}", lambda: parse_column(values), rows)


def report(title: str, candidates: list[Candidate], standards: list[Candidate], rounds: int) -> None:
    """Run all rounds and print one table."""
    for _ in range(rounds):
        for candidate in [*standards, *candidates]:
            candidate.run()
    heads = "".join(f"{'x ' + standard.name:>16}" for standard in standards)
    print(f"\n{title:44}{'ns a row':>9}{'least–greatest':>18}{'M rows/s':>10}{heads}")
    for candidate in [*standards, *candidates]:
        times = candidate.times_ns
        median = statistics.median(times)
        spread = f"{min(times):.1f}–{max(times):.1f}"
        ratios = [
            statistics.median(theirs / ours for theirs, ours in zip(standard.times_ns, times, strict=True))
            for standard in standards
        ]
        shown = "".join(f"{ratio:16.1f}" for ratio in ratios)
        print(f"{candidate.name:44}{median:9.1f}{spread:>18}{1e3 / median:10.2f}{shown}")


def main() -> None:
    """Time both versions and print their tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    rows: int = options.rows
    rng = np.random.default_rng(SEED)

    v4 = v4_texts(rng, rows)
    v6 = v6_texts(rng, max(1, rows // 5))
    junk = [text if number % 100 else "not an address" for number, text in enumerate(v4)]
    mixed = [text if number % 5 else v6[number // 5 % len(v6)] for number, text in enumerate(v4)]
    nulls = [text if number % 100 else None for number, text in enumerate(v4)]
    v4_rows = text_layout(v4)
    few = pa.array([v4[number] for number in rng.integers(0, 1000, rows)])
    numbers = rng.integers(0, 1 << 32, rows)
    candidates = [
        Candidate("parse_ipv4", lambda: parse_ipv4(*v4_rows), rows),
        column("Arrow string", pa.array(v4), rows),
        column("Arrow string, 1 % null", pa.array(nulls), rows),
        column("Arrow string, 1 % junk", pa.array(junk), rows),
        column("Arrow string, 20 % IPv6", pa.array(mixed), rows),
        column("Arrow string view", pa.array(v4, pa.string_view()), rows),
        column("Arrow dictionary of 1,000", few.dictionary_encode(), rows),
        column("pandas str", pd.Series(v4, dtype="str"), rows),
        column("NumPy str", np.array(v4), rows),
        column("list of str", v4, rows),
        column("list of str, 1 % None", nulls, rows),
        column("NumPy int64", numbers, rows),
    ]
    report("IPv4", candidates, yardsticks(v4, ipaddress.IPv4Address), options.rounds)

    v6_rows = text_layout(v6)
    mapped = pa.array(["::ffff:" + text for text in v4[: len(v6)]])
    candidates = [
        Candidate("parse_ipv6", lambda: parse_ipv6(*v6_rows), len(v6)),
        column("Arrow string", pa.array(v6), len(v6)),
        column("Arrow string, ::ffff:192.0.2.1", mapped, len(v6)),
        column("list of str", v6, len(v6)),
    ]
    report("IPv6", candidates, yardsticks(v6, ipaddress.IPv6Address), options.rounds)


if __name__ == "__main__":
    main()
