"""What three stages of an audit cost for each address, beside the plain way of doing the same.

    python benchmarks/bench_stages.py [--addresses 2000000]

Each stage stands beside `ipaddress`, a search over shuffled addresses or a draw of every cluster, some of
them on a sample of the same input; figures are nanoseconds an address, and the ratio is that of the
medians of one run.
"""

from __future__ import annotations

import argparse
import ipaddress
import statistics
import time
from collections.abc import Callable

import numpy as np

from concentra.adapters.data_files import maps_directory
from concentra.adapters.map_files import load
from concentra.attribution.attribute import attribute
from concentra.collect.address_text import parse_ipv4, parse_ipv6
from concentra.metrics.bootstrap import ClusterBootstrap
from concentra.model.population import IPV6_BYTES, WeightedAddresses

SEED = 20251020
ROUNDS = 5


def median_ns(work: Callable[[], object], items: int) -> float:
    """Return the median time of `work` for each of its items."""
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times) / items * 1e9


def rows_of(texts: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the buffer, starts and ends that the parsers take."""
    lengths = np.array([len(text) for text in texts], np.int64)
    end = np.cumsum(lengths + 1) - 1
    return np.frombuffer("\n".join(texts).encode(), np.uint8), end - lengths, end


def report(stage: str, ours: float, plain: float, what: str) -> None:
    """Print one stage beside its plain form."""
    print(f"{stage:28} {ours:9.0f} ns   {what:34} {plain:9.0f} ns   ratio {plain / ours:7.1f}")


def main() -> None:
    """Time every stage and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--addresses", type=int, default=2_000_000)
    count = parser.parse_args().addresses
    rng = np.random.default_rng(SEED)
    maps = load(maps_directory())
    sample = 20_000

    v4 = rng.integers(0, 1 << 32, count, dtype=np.uint64).astype(np.uint32)
    block = min(count, 65_536)  # what one chunk of a file holds
    texts = [str(ipaddress.IPv4Address(int(address))) for address in v4[:block]]
    rows = rows_of(texts)
    ours = median_ns(lambda: parse_ipv4(*rows), block)
    plain = median_ns(lambda: [ipaddress.IPv4Address(text) for text in texts[:sample]], sample)
    report("IPv4 text → integer", ours, plain, "ipaddress.IPv4Address")

    texts6 = [str(ipaddress.IPv6Address(rng.bytes(16))) for _ in range(sample)]
    rows6 = rows_of(texts6)
    ours = median_ns(lambda: parse_ipv6(*rows6), sample)
    plain = median_ns(lambda: [ipaddress.IPv6Address(text) for text in texts6], sample)
    report("IPv6 text → bytes", ours, plain, "ipaddress.IPv6Address")

    ordered = np.unique(v4)
    addresses = WeightedAddresses(
        v4=ordered,
        v4_weight=np.ones(len(ordered), np.int64),
        v6=np.zeros(0, IPV6_BYTES),
        v6_weight=np.zeros(0, np.int64),
    )
    ours = median_ns(lambda: attribute(addresses, maps), len(ordered))
    plain = median_ns(lambda: np.searchsorted(maps.column("v4.start"), v4), count)
    report("sorted address → attribution", ours, plain, "one search, addresses shuffled")

    attributed = attribute(addresses, maps)

    def bootstrap() -> ClusterBootstrap:
        draws = np.random.default_rng(SEED)
        return ClusterBootstrap(
            attributed.cluster, attributed.key, attributed.weight, rng=draws, max_draws=2**26
        )

    replicates = bootstrap().replicates
    ours = median_ns(bootstrap, len(ordered)) / replicates
    clusters = np.unique(attributed.cluster, return_inverse=True)[1]
    number = int(clusters.max()) + 1

    def draw_once() -> object:
        return np.bincount(rng.integers(number, size=number), minlength=number)[clusters]

    once = median_ns(draw_once, len(ordered))
    report("bootstrap, one replicate", ours, once, "drawing each cluster, uncounted")


if __name__ == "__main__":
    main()
