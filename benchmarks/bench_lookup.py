"""Looking addresses up by the million: speed and memory beside other libraries, all in one run.

    pip install -r benchmarks/requirements-peers.txt
    python benchmarks/bench_lookup.py [--quick] [--without PEER] [--json FILE]

*The same table.* The ranges of the shipped map, cut into CIDR blocks for libraries that know prefixes only.
The answer is the number of the range, so whoever errs by one range errs visibly. Space that nobody
announces or publishes is left out of the other libraries' tables, which makes them smaller.

*The same addresses*, seeded and shuffled. IPv4: half evenly over announced space, half with Zipf weights
over 5,000 announced prefixes. IPv6: half one random announced prefix each, half with Zipf weights over 3,000.
Libraries that take one address at a time get the first part of them, as the table says.

*The same moment.* One process on one core. Each round runs every candidate once, in an order that rotates;
ratios are those of one round, and the median, least and greatest over all rounds are printed. The clock is
the processor time of the process, all its threads together, because others use the machine too; wall
times are in the JSON file.

*The same answers.* Before the rounds every candidate runs once and all its answers are compared with those
of masking the address to each prefix length and looking for exactly that prefix.

The limit that ratios name is what this machine reads at random: one value for each of the same addresses
from a table of 64 MB, by NumPy's `take` (the better of two modes, in chunks) and by a compiled loop (numba).
"""

from __future__ import annotations

import argparse
import gc
import importlib
import importlib.metadata
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from concentra.adapters.data_files import maps_directory
from concentra.adapters.map_files import load
from concentra.attribution.evidence_columns import EvidenceColumns
from concentra.attribution.lookup import DIRECT_PAYS, SEARCHED, IPv4Index, IPv6Index
from concentra.attribution.map_tables import NO_LENGTH
from concentra.attribution.maps import Maps
from concentra.collect.address_columns import parse_column

SEED = 20251020
BLOCK = 1 << 16
"""Addresses at a time where columns are taken in blocks, and in the loop that finds the limit."""
COLUMNS = ("provider", "region", "country")

Words = NDArray[np.uint64]
Rows = NDArray[np.integer[Any]]
Ask = Callable[[], Any]


class Size(NamedTuple):
    """How much is asked."""

    v4: int
    v6: int
    slow_v4: int
    """Of the IPv4 addresses, how many go to libraries that take one at a time."""
    slow_v6: int
    rounds: int
    processes: int


FULL = Size(10_000_000, 2_000_000, 500_000, 200_000, 9, 31)
QUICK = Size(1_000_000, 200_000, 50_000, 20_000, 3, 15)


# The table


class Block(NamedTuple):
    """A CIDR block of a range."""

    network: int
    length: int
    row: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """The ranges of one IP version."""

    version: int
    high: Words
    """First address of each range, left-aligned in 128 bits: the upper half."""
    low: Words
    origin_length: NDArray[np.uint8]
    known: NDArray[np.bool_]
    """Whether anybody announces or publishes the range."""

    @property
    def bits(self) -> int:
        """Length of an address."""
        return 32 if self.version == 4 else 128

    def blocks(self) -> Iterator[Block]:
        """Yield the CIDR blocks of all known ranges."""
        unused = 128 - self.bits
        halves = zip(self.high.tolist(), self.low.tolist(), strict=True)
        starts = [(high << 64 | low) >> unused for high, low in halves]
        ends = [*starts[1:], 1 << self.bits]
        for row in np.flatnonzero(self.known).tolist():
            for network, length in cidr(starts[row], ends[row], self.bits):
                yield Block(network, length, row)

    def text(self, network: int) -> str:
        """Return an address as text."""
        family = socket.AF_INET if self.version == 4 else socket.AF_INET6
        return socket.inet_ntop(family, network.to_bytes(self.bits // 8))


def table_of(maps: Maps, version: int) -> Table:
    """Return the ranges of one IP version of the map."""
    if version == 4:
        high = maps.column("v4.start").astype(np.uint64) << np.uint64(32)
        low = np.zeros(len(high), np.uint64)
    else:
        high, low = maps.column("v6.high"), maps.column("v6.low")
    origin = maps.column(f"v{version}.origin_length")
    known = (origin != NO_LENGTH) | (maps.column(f"v{version}.listed_length") != NO_LENGTH)
    return Table(version=version, high=high, low=low, origin_length=origin, known=known)


def cidr(first: int, end: int, bits: int) -> Iterator[tuple[int, int]]:
    """Yield the fewest blocks (network, length) that make up the addresses from `first` to before `end`."""
    while first < end:
        past = (end - first).bit_length() - 1
        if first:
            past = min(past, (first & -first).bit_length() - 1)
        yield first, bits - past
        first += 1 << past


def masks(length: NDArray[np.integer[Any]]) -> tuple[Words, Words]:
    """Return both halves of the network mask for each length in bits, left-aligned."""

    def half(ones: NDArray[np.integer[Any]]) -> Words:
        shift = ((64 - ones) % 64).astype(np.uint64)
        return np.where(ones > 0, np.uint64(2**64 - 1) << shift, np.uint64(0))

    wide = length.astype(np.int64)
    return half(np.minimum(wide, 64)), half(np.maximum(wide - 64, 0))


# The addresses


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Addresses:
    """What is asked, left-aligned in 128 bits and as text."""

    high: Words
    low: Words
    texts: list[str]

    @property
    def v4(self) -> NDArray[np.uint32]:
        """IPv4 addresses as numbers."""
        return (self.high >> np.uint64(32)).astype(np.uint32)


def drawn(table: Table, count: int, rng: np.random.Generator) -> Addresses:
    """Draw addresses, half broadly over announced space and half from few prefixes."""
    announced = np.flatnonzero(table.origin_length != NO_LENGTH)
    length = table.origin_length[announced]
    high_mask, low_mask = masks(length)
    prefixes = np.unique(
        np.stack([table.high[announced] & high_mask, table.low[announced] & low_mask, length], axis=1), axis=0
    )
    half = count // 2
    favoured = rng.permutation(prefixes)[: 5000 if table.version == 4 else 3000]
    weight = 1 / np.arange(1, len(favoured) + 1) ** 1.1
    chosen = favoured[rng.choice(len(favoured), count - half, p=weight / weight.sum())]
    if table.version == 4:
        broad = evenly(table, announced, half, rng)
    else:
        broad = inside(prefixes[rng.integers(len(prefixes), size=half)], rng)
    pairs = rng.permutation(np.concatenate([broad, inside(chosen, rng)]))
    if table.version == 4:
        pairs &= np.array([0xFFFFFFFF << 32, 0], np.uint64)
    high, low = np.ascontiguousarray(pairs.T)
    return Addresses(high=high, low=low, texts=texts_of(table.version, pairs))


def evenly(table: Table, announced: Rows, count: int, rng: np.random.Generator) -> Words:
    """Draw IPv4 addresses, each that is announced with the same chance."""
    start = (table.high >> np.uint64(32)).astype(np.int64)
    size = np.diff(start, append=1 << 32)
    chosen = rng.choice(announced, count, p=size[announced] / size[announced].sum())
    address = start[chosen] + (rng.random(count) * size[chosen]).astype(np.int64)
    return np.stack([address.astype(np.uint64) << np.uint64(32), np.zeros(count, np.uint64)], axis=1)


def inside(prefixes: Words, rng: np.random.Generator) -> Words:
    """Draw one address inside each prefix, a row of (upper half, lower half, length)."""
    mask = np.stack(masks(prefixes[:, 2].astype(np.int64)), axis=1)
    return prefixes[:, :2] | rng.integers(0, 2**64 - 1, mask.shape, np.uint64, endpoint=True) & ~mask


def texts_of(version: int, pairs: Words) -> list[str]:
    """Return addresses as text, each a string of its own."""
    texts: list[str] = []
    for at in range(0, len(pairs), BLOCK):
        packed = pairs[at : at + BLOCK].astype(">u8").view(np.uint8).reshape(-1, 16)
        if version == 4:
            texts += [f"{a}.{b}.{c}.{d}" for a, b, c, d in packed[:, :4].tolist()]
        else:
            texts += [socket.inet_ntop(socket.AF_INET6, row.tobytes()) for row in packed]
    return texts


# The oracle


def oracle(addresses: Addresses, blocks: Sequence[Block], bits: int) -> NDArray[np.int64]:
    """Return the row of each address: mask it to a prefix length, look for that prefix, for every length."""
    left = 128 - bits
    network = [block.network << left for block in blocks]
    high = np.array([one >> 64 for one in network], np.uint64)
    low = np.array([one & 2**64 - 1 for one in network], np.uint64)
    length = np.array([block.length for block in blocks])
    row = np.array([block.row for block in blocks])
    rows = np.full(len(addresses.high), -1, np.int64)
    order = np.argsort(addresses.high)  # sorted questions are searched faster
    asked_high, asked_low = addresses.high[order], addresses.low[order]
    for size in np.unique(length).tolist():
        layer = np.flatnonzero(length == size)
        high_mask, low_mask = (mask[0] for mask in masks(np.array([size])))
        if size <= 64:
            place, found = exactly(asked_high & high_mask, high[layer])
        else:
            suspect = np.flatnonzero(np.isin(asked_high, high[layer]))
            place, found = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.bool_)
            asked = pairs_of(asked_high[suspect], asked_low[suspect] & low_mask)
            place[suspect], found[suspect] = exactly(asked, pairs_of(high[layer], low[layer]))
        rows[order[found]] = row[layer[place[found]]]
    return rows


def pairs_of(high: Words, low: Words) -> NDArray[np.bytes_]:
    """Return both halves as one sortable key."""
    return np.stack([high, low], axis=1).astype(">u8").view("S16").ravel()


def exactly(asked: NDArray[Any], keys: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return for each question the position of the key that equals it, and whether there is one."""
    order = np.argsort(keys)
    place = np.searchsorted(keys, asked, sorter=order).clip(max=len(keys) - 1)
    return order[place], keys[order[place]] == asked


# Candidates and rounds


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidate:
    """One way to look addresses up."""

    name: str
    form: str
    """What it is asked with."""
    asked: int
    """How many addresses at once, of those drawn."""
    ask: Ask
    wrong: Callable[[Any], int] | None
    """How many of the answers are wrong; None for a limit, which has no answers."""


class Took(NamedTuple):
    """What one run took."""

    cpu_s: float
    wall_s: float


@dataclass(slots=True, kw_only=True, eq=False)
class Results:
    """All rounds of all candidates of one IP version."""

    candidates: list[Candidate]
    took: dict[str, list[Took]] = field(default_factory=dict)
    wrong: dict[str, int | None] = field(default_factory=dict)

    def rates(self, name: str) -> NDArray[np.float64]:
        """Return addresses per second of processor time, of every round."""
        asked = next(one.asked for one in self.candidates if one.name == name)
        return np.array([asked / took.cpu_s for took in self.took[name]])

    def best(self, *names: str) -> NDArray[np.float64] | None:
        """Return the rate of the best of these candidates in every round, None if none of them ran."""
        rates = [self.rates(name) for name in names if name in self.took]
        return np.max(rates, axis=0) if rates else None

    def ratios(self, name: str, base: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
        """Return the ratio to `base` of every round."""
        return None if base is None or name not in self.took else self.rates(name) / base

    @property
    def busy(self) -> float:
        """Share of the time for which the core worked for this process."""
        every = [took for runs in self.took.values() for took in runs]
        return sum(took.cpu_s for took in every) / sum(took.wall_s for took in every)


def measured(candidates: list[Candidate], rounds: int) -> Results:
    """Check every candidate once, then run all of them in turn."""
    results = Results(candidates=candidates)
    for candidate in candidates:
        answers = candidate.ask()
        results.wrong[candidate.name] = candidate.wrong(answers) if candidate.wrong else None
        results.took[candidate.name] = []
        del answers
    gc.collect()
    gc.freeze()  # the objects of some libraries' tables would be looked through again and again
    gc.disable()
    for number in range(rounds):
        turn = number % len(candidates)
        for candidate in candidates[turn:] + candidates[:turn]:
            results.took[candidate.name].append(timed(candidate.ask))
    gc.enable()
    gc.unfreeze()
    results.candidates = [replace(one, ask=int, wrong=None) for one in candidates]  # lets go of the tables
    return results


def timed(ask: Ask) -> Took:
    """Run once; the answers are thrown away outside the measured time."""
    wall, cpu = time.perf_counter(), time.process_time()
    answers = ask()
    took = Took(time.process_time() - cpu, time.perf_counter() - wall)
    del answers
    return took


# Other libraries


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """The table in the forms that other libraries read; numbers are the row and one."""

    version: int
    prefixes: Path
    """``network/length TAB number``."""
    pfx2as: Path
    """``network TAB length TAB number``."""
    mmdb: Path

    @classmethod
    def under(cls, directory: Path, version: int) -> Files:
        """Name the files of one IP version."""
        stem = directory / f"v{version}"
        return cls(
            version=version,
            prefixes=stem.with_suffix(".txt"),
            pfx2as=stem.with_suffix(".pfx2as"),
            mmdb=stem.with_suffix(".mmdb"),
        )

    def numbered(self) -> Iterator[tuple[str, int]]:
        """Yield prefixes with their numbers."""
        with self.prefixes.open(encoding="ascii") as lines:
            for line in lines:
                prefix, number = line.split("\t")
                yield prefix, int(number)


class Lookup(NamedTuple):
    """A library with its table loaded."""

    ask: Callable[[list[str]], Any]
    rows: Callable[[Any], list[int]]
    """Its answers → rows, -1 where it found nothing; not part of what is timed."""


def load_pyasn(pyasn: Any, files: Files) -> Lookup:
    lookup = pyasn.pyasn(str(files.prefixes)).lookup
    return Lookup(
        lambda texts: [lookup(text) for text in texts],
        lambda answers: [(number or 0) - 1 for number, _ in answers],
    )


def load_pytricia(pytricia: Any, files: Files) -> Lookup:
    tree = pytricia.PyTricia(32) if files.version == 4 else pytricia.PyTricia(128, socket.AF_INET6)
    for prefix, number in files.numbered():
        tree.insert(prefix, number)
    return Lookup(lambda texts: [tree.get(text) for text in texts], numbers_to_rows)


def load_radix(radix: Any, files: Files) -> Lookup:
    tree = radix.Radix()
    for prefix, number in files.numbered():
        tree.add(prefix).data["number"] = number
    return Lookup(
        lambda texts: [tree.search_best(text) for text in texts],
        lambda nodes: [node.data["number"] - 1 if node else -1 for node in nodes],
    )


def load_originet(originet: Any, files: Files) -> Lookup:
    table = originet.Table.from_files(**{f"ipv{files.version}": files.pfx2as})
    return Lookup(table.lookup_asns, numbers_to_rows)


def load_maxminddb(maxminddb: Any, files: Files) -> Lookup:
    reader = maxminddb.open_database(files.mmdb, maxminddb.MODE_MMAP_EXT)
    return Lookup(lambda texts: [reader.get(text) for text in texts], numbers_to_rows)


def numbers_to_rows(numbers: Sequence[int | None]) -> list[int]:
    return [(number or 0) - 1 for number in numbers]


Loader = Callable[[Any, Files], Lookup]

ONE_BY_ONE: dict[str, tuple[str, Loader]] = {
    "pyasn": ("pyasn", load_pyasn),
    "pytricia": ("pytricia", load_pytricia),
    "py-radix": ("radix", load_radix),
    "originet": ("originet", load_originet),
    "maxminddb": ("maxminddb", load_maxminddb),
}
"""Libraries that take addresses as text, with the module to import."""
ENGINES = ("duckdb", "polars", "numba")
"""What takes columns of numbers; numba shows a limit."""
COMPARED = (*ONE_BY_ONE, *ENGINES)
NEEDS = {"maxminddb": ("mmdb_writer", "netaddr")}
"""What writes a library's table."""


def write_files(table: Table, blocks: Sequence[Block], files: Files, *, mmdb: bool) -> None:
    """Write the table for other libraries."""
    named = [(table.text(block.network), block.length, block.row + 1) for block in blocks]
    files.prefixes.write_text(
        "".join(f"{network}/{length}\t{number}\n" for network, length, number in named), encoding="ascii"
    )
    files.pfx2as.write_text(
        "".join(f"{network}\t{length}\t{number}\n" for network, length, number in named), encoding="ascii"
    )
    if mmdb:
        write_mmdb(blocks, files)


def write_mmdb(blocks: Sequence[Block], files: Files) -> None:
    """Write a MaxMind database whose records are numbers."""
    netaddr = importlib.import_module("netaddr")
    writer = importlib.import_module("mmdb_writer").MMDBWriter(files.version, "rows")
    for block in blocks:
        network = netaddr.IPNetwork((block.network, block.length), version=files.version)
        writer.insert_network(netaddr.IPSet([network]), block.row + 1)
    writer.to_db_file(str(files.mmdb))


def answering(name: str, form: str, ask: Ask, expected: Rows) -> Candidate:
    """Return a candidate that answers with rows, to be compared with the expected ones."""
    return Candidate(
        name=name,
        form=form,
        asked=len(expected),
        ask=ask,
        wrong=lambda rows: int(np.count_nonzero(np.asarray(rows) != expected)),
    )


def one_by_one(name: str, files: Files, texts: list[str], expected: Rows) -> Candidate:
    """Return a library that takes text."""
    module, loader = ONE_BY_ONE[name]
    lookup = loader(importlib.import_module(module), files)
    return Candidate(
        name=name,
        form="list of str",
        asked=len(texts),
        ask=lambda: lookup.ask(texts),
        wrong=lambda answers: int(np.count_nonzero(np.array(lookup.rows(answers)) != expected)),
    )


def duckdb_candidate(addresses: NDArray[np.uint32], starts: NDArray[np.uint32], expected: Rows) -> Candidate:
    """Return DuckDB's ASOF join between tables that it holds."""
    import pyarrow as pa

    database = importlib.import_module("duckdb").connect(config={"threads": 1})
    tables = {
        "asked": pa.table({"position": np.arange(len(addresses)), "address": addresses}),
        "ranges": pa.table({"start": starts, "row": np.arange(len(starts), dtype=np.int32)}),
    }
    for name, table in tables.items():
        database.register("given", table)
        database.execute(f"CREATE TABLE {name} AS FROM given")
        database.unregister("given")
    query = "SELECT position, row FROM asked ASOF JOIN ranges ON asked.address >= ranges.start"

    def ask() -> Rows:
        found = database.execute(query).fetchnumpy()
        rows = np.empty(len(addresses), np.int32)
        rows[found["position"]] = found["row"]
        return rows

    return answering("duckdb ASOF join", "uint32 column", ask, expected)


def polars_candidates(
    addresses: NDArray[np.uint32], starts: NDArray[np.uint32], expected: Rows
) -> list[Candidate]:
    """Return two ways of Polars: a search in the sorted starts, and a join of sorted frames."""
    polars = importlib.import_module("polars")
    asked, ranges = polars.Series("address", addresses), polars.Series("start", starts)
    left = polars.DataFrame([asked])
    right = polars.DataFrame([ranges]).with_row_index("row").set_sorted("start")

    def search() -> Rows:
        rows: Rows = (ranges.search_sorted(asked, side="right") - 1).to_numpy()
        return rows

    def join() -> Rows:
        ordered = left.with_row_index("position").sort("address")
        joined = ordered.join_asof(right, left_on="address", right_on="start", strategy="backward")
        rows: Rows = joined.sort("position")["row"].to_numpy()
        return rows

    return [
        answering("polars search_sorted", "uint32 column", search, expected),
        answering("polars join_asof", "uint32 column", join, expected),
    ]


# The limit

TAKE = ("limit: NumPy take, wrap", "limit: NumPy take, clip")
GATHER = "limit: numba gather"


def limit_candidates(addresses: NDArray[np.uint32], *, numba: bool) -> list[Candidate]:
    """Return loops that do no more than read one value at random for each address."""
    table = np.random.default_rng(SEED).integers(0, 1 << 20, 1 << 24, dtype=np.uint32)
    out = np.empty(len(addresses), np.uint32)
    scratch = np.empty(BLOCK, np.intp)

    def take(mode: Any) -> None:
        for at in range(0, len(addresses), BLOCK):
            part = addresses[at : at + BLOCK]
            index = scratch[: len(part)]
            np.right_shift(part, np.uint32(8), out=index, casting="unsafe")
            table.take(index, out=out[at : at + BLOCK], mode=mode)

    asks: dict[str, Ask] = {TAKE[0]: lambda: take("wrap"), TAKE[1]: lambda: take("clip")}
    if numba:
        compiled = importlib.import_module("numba").njit(gather)
        asks[GATHER] = lambda: compiled(addresses, table, out)
    return [
        Candidate(name=name, form="uint32 array", asked=len(addresses), ask=ask, wrong=None)
        for name, ask in asks.items()
    ]


def gather(addresses: NDArray[np.uint32], table: NDArray[np.uint32], out: NDArray[np.uint32]) -> None:
    """Read one value for each address; to be compiled."""
    for position in range(len(addresses)):
        out[position] = table[addresses[position] >> np.uint32(8)]


# concentra

DIRECT = "concentra direct, out="
TRIE = "concentra trie, out="
FOUR = ("concentra 4 columns, in blocks", "concentra 4 columns, at once")


def text_columns(texts: list[str]) -> dict[str, object]:
    """Return addresses in the columns in which users have them."""
    import pandas as pd
    import pyarrow as pa

    return {
        "pandas str": pd.Series(texts, dtype="str"),
        "Arrow string": pa.array(texts),
        "list of str": texts,
    }


def text_name(form: str) -> str:
    return f"concentra parse and look up, {form}"


def ipv4_candidates(maps: Maps, addresses: Addresses, expected: Rows, few: int) -> list[Candidate]:
    """Return what concentra does with IPv4 addresses; slower ways get the first `few`."""
    numbers = addresses.v4
    direct, trie, searched = (
        IPv4Index(maps.column("v4.start"), small=small) for small in (False, True, True)
    )
    for index in (direct, trie, maps.v4):
        index.rows(np.zeros(DIRECT_PAYS, np.uint32))  # so many pay for the tables
    out = np.empty(len(numbers), np.int32)

    def search() -> Rows:
        parts = [searched.rows(numbers[at : at + SEARCHED]) for at in range(0, few, SEARCHED)]
        return np.concatenate(parts)

    def parsed(column: object) -> Rows:
        return maps.v4.rows(parse_column(column).v4)

    return [
        answering(DIRECT, "uint32 array", lambda: direct.rows(numbers, out), expected),
        answering("concentra direct, new array", "uint32 array", lambda: direct.rows(numbers), expected),
        answering(TRIE, "uint32 array", lambda: trie.rows(numbers, out), expected),
        answering(f"concentra search, {SEARCHED:,} a call", "uint32 array", search, expected[:few]),
        *(
            answering(text_name(form), form, partial(parsed, column), expected)
            for form, column in text_columns(addresses.texts).items()
        ),
        *column_candidates(maps, numbers, expected),
        frame_candidate(maps, addresses.texts[:few], expected[:few]),
    ]


def column_candidates(maps: Maps, numbers: NDArray[np.uint32], expected: Rows) -> list[Candidate]:
    """Return the columns AS, provider, region and country, as codes: by blocks, and all at once."""
    coded = EvidenceColumns(maps)
    columns = [maps.column("evidence.asn"), *(coded[name].code for name in COLUMNS)]
    outs = [np.empty(len(numbers), column.dtype) for column in columns]

    def in_blocks() -> list[NDArray[Any]]:
        for at in range(0, len(numbers), BLOCK):
            evidence = maps.evidence_v4(numbers[at : at + BLOCK])
            for column, out in zip(columns, outs, strict=True):
                column.take(evidence, out=out[at : at + BLOCK], mode="wrap")
        return outs

    def at_once() -> list[NDArray[Any]]:
        evidence = maps.evidence_v4(numbers)
        return [column[evidence] for column in columns]

    check = wrong_columns(maps, expected)
    return [
        Candidate(name=name, form="uint32 array", asked=len(numbers), ask=ask, wrong=check)
        for name, ask in zip(FOUR, (in_blocks, at_once), strict=True)
    ]


def frame_candidate(maps: Maps, texts: list[str], expected: Rows) -> Candidate:
    """Return `concentra.attribute`, which makes a data frame; what it refuses to look up is not judged."""
    import pandas as pd

    import concentra

    column = pd.Series(texts, dtype="str")
    check = wrong_columns(maps, expected)

    def wrong(frame: Any) -> int:
        refused = frame["refused"].notna().to_numpy()
        asn = frame["asn"].fillna(0).to_numpy(np.uint32)
        return check([asn, *(frame[name].cat.codes.to_numpy() for name in COLUMNS)], ~refused)

    return Candidate(
        name="concentra.attribute, whole frame",
        form="pandas str",
        asked=len(texts),
        ask=lambda: concentra.attribute(column, maps=maps_directory()),
        wrong=wrong,
    )


def wrong_columns(maps: Maps, expected: Rows) -> Callable[..., int]:
    """Return a check of four columns against what is concluded for one combination of evidence at a time."""
    coded = EvidenceColumns(maps)
    evidence = maps.column("v4.evidence")[expected]
    wanted = {name: np.full(len(maps.column("evidence.asn")), -1, np.int64) for name in ("asn", *COLUMNS)}
    places = {name: {value: place for place, value in enumerate(coded[name].values)} for name in COLUMNS}
    for number in np.unique(evidence).tolist():
        attribution = maps.tables.attribution(number)
        wanted["asn"][number] = attribution.asn or 0
        for name, place in places.items():
            wanted[name][number] = place.get(getattr(attribution, name), -1)

    def wrong(columns: Sequence[NDArray[Any]], judged: NDArray[np.bool_] | None = None) -> int:
        bad = np.zeros(len(evidence), np.bool_)
        for column, code in zip(columns, wanted.values(), strict=True):
            bad |= column != code[evidence]
        return int(np.count_nonzero(bad if judged is None else bad & judged))

    return wrong


def ipv6_candidates(maps: Maps, addresses: Addresses, expected: Rows) -> list[Candidate]:
    """Return what concentra does with IPv6 addresses."""
    index = IPv6Index(maps.column("v6.high"), maps.column("v6.low"))
    zeros = np.zeros(DIRECT_PAYS, np.uint64)
    index.rows(zeros, zeros)
    out = np.empty(len(addresses.high), np.int32)

    def ask() -> Rows:
        return index.rows(addresses.high, addresses.low, out)

    def parsed(column: object) -> Rows:
        return index.rows(*np.ascontiguousarray(parse_column(column).v6.T))

    return [
        answering(TRIE, "two uint64 arrays", ask, expected),
        *(
            answering(text_name(form), form, partial(parsed, column), expected)
            for form, column in text_columns(addresses.texts).items()
        ),
    ]


# Fresh processes

FIRST_USE = """
import json, time
marks = [("start", time.perf_counter())]
def mark(name):
    marks.append((name, time.perf_counter()))
import numpy as np
mark("import numpy")
from concentra.adapters.data_files import maps_directory
from concentra.adapters.map_files import load
import concentra.attribution.maps
mark("import concentra")
maps = load(maps_directory())
mark("open the map")
maps.evidence_v4(np.arange(1000, dtype=np.uint32) << np.uint32(22))
mark("first 1,000 addresses")
maps.v4.trie
mark("build the IPv4 trie")
maps.v4.direct
mark("build the IPv4 direct tables")
maps.v6.trie
mark("build the IPv6 trie")
print(json.dumps({name: at - before for (_, before), (name, at) in zip(marks, marks[1:])}))
"""
FIRST_FRAME = """
import json, time
start = time.perf_counter()
import concentra
concentra.attribute(["8.8.8.8"])
print(json.dumps({"first concentra.attribute, pandas imported by it": time.perf_counter() - start}))
"""
PREPARING = ("import concentra", "open the map", "first 1,000 addresses", "build the IPv4 trie",
             "build the IPv4 direct tables", "build the IPv6 trie")  # fmt: skip


def child_environment() -> dict[str, str]:
    """Return the environment of fresh processes, which may keep bytecode as those of users do."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def told_by(*arguments: str) -> dict[str, Any]:
    """Run Python and return what it prints as JSON."""
    done = subprocess.run(
        [sys.executable, *arguments], check=True, capture_output=True, text=True, env=child_environment()
    )
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def first_uses(count: int) -> dict[str, list[float]]:
    """Return the seconds of every step of a first use, over several fresh processes."""
    seconds: dict[str, list[float]] = {}
    told_by("-c", FIRST_USE), told_by("-c", FIRST_FRAME)  # these may write bytecode, and are not counted
    for _ in range(count):
        for name, taken in {**told_by("-c", FIRST_USE), **told_by("-c", FIRST_FRAME)}.items():
            seconds.setdefault(name, []).append(taken)
    return seconds


def opened_again(count: int) -> list[float]:
    """Return the seconds that opening the map takes in this process."""
    return [timed(lambda: load(maps_directory())).wall_s for _ in range(count)]


LOCATE, VERSION, NOTHING = "concentra locate 8.8.8.8", "concentra --version", "python -c pass"


def whole_processes(count: int) -> dict[str, list[Took]]:
    """Return what whole commands take, run in turn."""
    script = Path(sys.executable).with_name("concentra")
    concentra = [str(script)] if script.exists() else [sys.executable, "-m", "concentra"]
    commands = {
        LOCATE: [*concentra, "locate", "8.8.8.8"],
        VERSION: [*concentra, "--version"],
        NOTHING: [sys.executable, "-c", "pass"],
    }
    took: dict[str, list[Took]] = {name: [] for name in commands}
    for number in range(count + 2):
        for name, command in commands.items():
            took[name].append(finished(command))
            if number < 2:  # the first runs fill caches, and may write bytecode
                took[name].clear()
    return took


def finished(command: list[str]) -> Took:
    """Run a command to its end."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=child_environment())
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return Took(usage.ru_utime + usage.ru_stime, wall)


# Memory

OURS: dict[int, dict[str, tuple[str, ...]]] = {
    4: {"search": (), "trie": ("trie",), "direct": ("trie", "direct")},
    6: {"search": (), "trie": ("trie",)},
}
"""For each structure what is built for it; all stand on the column of starts."""


class Memory(NamedTuple):
    """What a table takes in a process that held nothing of it before."""

    load_s: float
    private_mb: float
    shared_mb: float
    """Pages of files that processes share."""
    arrays_mb: float | None
    """Bytes of our arrays, where it is ours."""


def resident() -> tuple[float, float]:
    """Return how many MB of this process are in memory: private ones, and pages of files."""
    lines = dict(
        line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    )
    anonymous, file = (int(lines[name].split()[0]) * 1024 / 1e6 for name in ("RssAnon", "RssFile"))
    return anonymous, file


def measure_memory(name: str, version: int, directory: Path) -> None:
    """Load one table in this process and print what that took."""
    family, _, structure = name.partition(" ")
    arrays: float | None = None
    module = None if family == "concentra" else importlib.import_module(ONE_BY_ONE[name][0])
    gc.collect()
    before, cpu = resident(), time.process_time()
    held: Any
    if module is None:
        held = load(maps_directory(), small=structure == "trie")
        arrays = prepared(held, version, structure) / 1e6
    else:
        held = ONE_BY_ONE[name][1](module, Files.under(directory, version))
        held.ask(["8.8.8.8" if version == 4 else "2600:1f18::1"])
    load_s = time.process_time() - cpu
    gc.collect()
    private, shared = (after - first for after, first in zip(resident(), before, strict=True))
    print(json.dumps(Memory(load_s, private, shared, arrays)._asdict()))
    del held


def prepared(maps: Maps, version: int, structure: str) -> int:
    """Have one structure built and asked, and return the bytes of all arrays that it takes."""
    many = np.linspace(0, 2**32 - 1, SEARCHED if structure == "search" else DIRECT_PAYS).astype(np.uint32)
    if version == 4:
        maps.v4.rows(many)
    else:
        high = many.astype(np.uint64) << np.uint64(30)
        maps.v6.rows(high, high)
    index = maps.v4 if version == 4 else maps.v6
    starts = ("v4.start",) if version == 4 else ("v6.high", "v6.low")
    built: int = sum(getattr(index, part).nbytes for part in OURS[version][structure])
    return built + sum(maps.column(name).nbytes for name in starts)


def memories(names: Sequence[str], directory: Path) -> dict[int, dict[str, Memory]]:
    """Measure every table, each in a process of its own; nothing where the system does not tell."""
    if not Path("/proc/self/status").exists():
        return {}
    return {
        version: {
            name: Memory(**told_by(__file__, "--measure", name, str(version), str(directory)))
            for name in (*(f"concentra {structure}" for structure in OURS[version]), *names)
        }
        for version in (4, 6)
    }


# What is asked of it


class Verdict(NamedTuple):
    """One requirement and what came out."""

    requirement: str
    found: str
    kept: bool | None
    """None if it could not be judged."""


def at_least(requirement: str, ratios: NDArray[np.float64] | None, least: float) -> Verdict:
    """Judge the median of the ratios of all rounds."""
    if ratios is None:
        return Verdict(requirement, "not measured", None)
    return Verdict(requirement, spread(ratios), bool(np.median(ratios) >= least))


def at_most(requirement: str, found: Sequence[float], most: float, unit: str = "") -> Verdict:
    """Judge the median of what was found."""
    if not found:
        return Verdict(requirement, "not measured", None)
    return Verdict(requirement, spread(found) + unit, statistics.median(found) <= most)


def of_ipv4(results: Results) -> Iterator[Verdict]:
    """Yield what comes out for IPv4."""
    pyasn = results.best("pyasn")
    yield at_least("IPv4 integers → row: ≥ 200 × pyasn", results.ratios(DIRECT, pyasn), 200)
    for kind, names in (("NumPy take", TAKE), ("numba gather", (GATHER,))):
        ratios = results.ratios(DIRECT, results.best(*names))
        yield at_least(f"IPv4 integers → row: ≥ 0.7 of the limit, {kind}", ratios, 0.7)
    yield at_least("IPv4 integers → row, small map: ≥ 100 × pyasn", results.ratios(TRIE, pyasn), 100)
    for name in FOUR:
        yield at_least(f"{name}: ≥ 60 × pyasn", results.ratios(name, pyasn), 60)
    for form, least in (("pandas str", 40), ("Arrow string", 40), ("list of str", 20)):
        ratios = results.ratios(text_name(form), pyasn)
        yield at_least(f"IPv4 text → row, {form}: ≥ {least} × pyasn", ratios, least)


def of_ipv6(results: Results) -> Iterator[Verdict]:
    """Yield what comes out for IPv6."""
    pyasn = results.best("pyasn")
    yield at_least("IPv6 integers → row: ≥ 40 × pyasn", results.ratios(TRIE, pyasn), 40)
    for form in ("pandas str", "Arrow string", "list of str"):
        yield at_least(f"IPv6 text → row, {form}: ≥ 6 × pyasn", results.ratios(text_name(form), pyasn), 6)


def of_processes(
    uses: dict[str, list[float]], took: dict[str, list[Took]], memory: dict[int, dict[str, Memory]]
) -> Iterator[Verdict]:
    """Yield what comes out for memory and for fresh processes."""
    arrays = [memory[4]["concentra trie"].arrays_mb or 0.0] if memory else []
    yield at_most("small map, IPv4: ≤ 15 MB of arrays", arrays, 15, " MB")
    opening = [second * 1000 for second in uses["open the map"]]
    yield at_most("opening the map, NumPy running: ≤ 1 ms", opening, 1, " ms")
    yield at_most("first use ever, NumPy imported: ≤ 0.5 s", everything(uses), 0.5, " s")
    ratios = [one.wall_s / other.wall_s for one, other in zip(took[LOCATE], took[VERSION], strict=True)]
    yield at_most(f"{LOCATE}: ≤ 1.25 × {VERSION}", ratios, 1.25)


def everything(uses: dict[str, list[float]]) -> list[float]:
    """Return for each process the seconds of a first use that builds everything there is to build."""
    return [sum(steps) for steps in zip(*(uses[name] for name in PREPARING), strict=True)]


# Report


def spread(values: Sequence[float] | NDArray[np.float64], digits: int = 3) -> str:
    """Return the median, least and greatest."""
    median, least, most = (
        plain(value, digits) for value in (np.median(values), np.min(values), np.max(values))
    )
    return median if len(values) == 1 else f"{median} ({least}–{most})"


def plain(value: float, digits: int) -> str:
    """Return a number with so many significant digits, and no exponent."""
    decimals = max(0, digits - 1 - int(np.floor(np.log10(value)))) if value > 0 else 0
    return f"{value:,.{decimals}f}"


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table in Markdown, its columns aligned."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, ["-" * width for width in widths], *rows):
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |")
    print()


def print_results(version: int, results: Results) -> None:
    """Print every candidate beside pyasn and the limits."""
    pyasn, take, compiled = results.best("pyasn"), results.best(*TAKE), results.best(GATHER)

    def ratio(name: str, base: NDArray[np.float64] | None, digits: int = 3) -> str:
        ratios = results.ratios(name, base)
        return "" if ratios is None else spread(ratios, digits)

    rows = []
    for one in results.candidates:
        wrong = results.wrong[one.name]
        rows.append([
            one.name,
            one.form,
            f"{one.asked:,}",
            spread(results.rates(one.name) / 1e6),
            ratio(one.name, pyasn),
            *([ratio(one.name, take, 2), ratio(one.name, compiled, 2)] if version == 4 else []),
            "" if wrong is None else f"{wrong:,}",
        ])  # fmt: skip
    limits = ["of limit, NumPy", "of limit, numba"] if version == 4 else []
    print_table([f"IPv{version}", "asked with", "addresses", "M/s", "× pyasn", *limits, "wrong"], rows)
    rounds = len(next(iter(results.took.values())))
    print(f"{rounds} rounds; the core worked for this process {results.busy:.0%} of the time.\n")


def print_uses(uses: dict[str, list[float]], again: list[float]) -> None:
    """Print what a first use takes."""
    steps = {name: [second * 1000 for second in seconds] for name, seconds in uses.items()}
    steps["open the map again, same process"] = [second * 1000 for second in again]
    total = [second * 1000 for second in everything(uses)]
    steps["first use, NumPy imported before"] = total
    steps["first use, importing NumPy too"] = [
        one + more for one, more in zip(total, steps["import numpy"], strict=True)
    ]
    print_table(["fresh process", "ms, wall"], [[name, spread(taken)] for name, taken in steps.items()])


def print_processes(took: dict[str, list[Took]]) -> None:
    """Print what whole commands take."""
    rows = []
    for name, runs in took.items():
        wall = [one.wall_s / base.wall_s for one, base in zip(runs, took[VERSION], strict=True)]
        cpu = [one.cpu_s / base.cpu_s for one, base in zip(runs, took[VERSION], strict=True)]
        rows.append([name, spread([one.wall_s * 1000 for one in runs]), spread(wall), spread(cpu)])
    print_table(["whole process", "ms, wall", f"× {VERSION}, wall", "× the same, processor"], rows)


def print_memories(memory: dict[int, dict[str, Memory]]) -> None:
    """Print what tables take."""
    rows = [
        [name, f"IPv{version}", f"{one.load_s:.3f}", f"{one.private_mb:.1f}", f"{one.shared_mb:.1f}",
         "" if one.arrays_mb is None else f"{one.arrays_mb:.1f}"]
        for version, tables in memory.items()
        for name, one in tables.items()
    ]  # fmt: skip
    head = ["table in memory", "", "load, s", "private MB", "shared file pages, MB", "arrays, MB"]
    print_table(head, rows)


def print_verdicts(verdicts: Sequence[Verdict]) -> None:
    """Print what was asked for, and whether it came out."""
    words = {True: "pass", False: "MISS", None: "not judged"}
    print_table(
        ["requirement", "found: median (least–greatest)", ""],
        [[one.requirement, one.found, words[one.kept]] for one in verdicts],
    )


# The run


def one_core() -> None:
    """Keep this process, and those that it starts, to one core and one thread."""
    for name in ("POLARS", "OMP", "OPENBLAS", "MKL", "NUMBA"):
        os.environ[f"{name}_MAX_THREADS" if name == "POLARS" else f"{name}_NUM_THREADS"] = "1"
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def at_hand(without: Sequence[str]) -> list[str]:
    """Return the libraries to compare with, and name those that are not installed."""
    modules = {name: (module, *NEEDS.get(name, ())) for name, (module, _) in ONE_BY_ONE.items()}
    modules |= {name: (name,) for name in ENGINES}
    wanted = {name: needed for name, needed in modules.items() if name not in without}
    missing = [name for name, needed in wanted.items() if not all(map(find_spec, needed))]
    if missing:
        print(f"not installed: {', '.join(missing)} (pip install -r benchmarks/requirements-peers.txt)\n")
    return [name for name in wanted if name not in missing]


def machine() -> dict[str, Any]:
    """Describe where this runs."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text(encoding="utf-8").splitlines() if information.exists() else []
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": model or platform.processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def load_average() -> str:
    """Return how many processes wanted to run in the last 1, 5 and 15 minutes."""
    return " ".join(f"{load:.2f}" for load in os.getloadavg())


def versions(names: Sequence[str]) -> str:
    """Return the versions of all that takes part."""
    every = ("concentra", "numpy", "pandas", "pyarrow", *names)
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in every)


def compared(maps: Maps, version: int, size: Size, peers: Sequence[str], directory: Path) -> Results:
    """Make table and addresses of one IP version, and run everything that takes them."""
    table = table_of(maps, version)
    blocks = list(table.blocks())
    files = Files.under(directory, version)
    write_files(table, blocks, files, mmdb="maxminddb" in peers)
    count, slow = (size.v4, size.slow_v4) if version == 4 else (size.v6, size.slow_v6)
    addresses = drawn(table, count, np.random.default_rng([SEED, version]))
    expected = oracle(addresses, blocks, table.bits)
    print(
        f"IPv{version}: {len(table.high):,} ranges, {len(blocks):,} CIDR blocks for other libraries; "
        f"{count:,} addresses, {len(np.unique(expected)):,} ranges met\n"
    )
    first, theirs = addresses.texts[:slow], expected[:slow]
    candidates = [one_by_one(name, files, first, theirs) for name in peers if name in ONE_BY_ONE]
    if version == 6:
        return measured([*candidates, *ipv6_candidates(maps, addresses, expected)], size.rounds)
    numbers, starts = addresses.v4, maps.column("v4.start")
    if "duckdb" in peers:
        candidates.append(duckdb_candidate(numbers, starts, expected))
    if "polars" in peers:
        candidates += polars_candidates(numbers, starts, expected)
    candidates += ipv4_candidates(maps, addresses, expected, 2 * slow)
    candidates += limit_candidates(numbers, numba="numba" in peers)
    return measured(candidates, size.rounds)


def run(size: Size, without: Sequence[str]) -> dict[str, Any]:
    """Measure and print everything, and return the raw figures."""
    one_core()
    peers = at_hand(without)
    maps = load(maps_directory())
    facts = {**machine(), "date": datetime.now(UTC).date().isoformat(), "maps": maps.as_of.isoformat(),
             "versions": versions(peers), "load_before": load_average()}  # fmt: skip
    for name, value in facts.items():
        print(f"{name}: {value}")
    with tempfile.TemporaryDirectory() as name:
        results = {version: compared(maps, version, size, peers, Path(name)) for version in (4, 6)}
        memory = memories([peer for peer in peers if peer in ONE_BY_ONE], Path(name))
    uses, again = first_uses(size.processes), opened_again(100)
    took = whole_processes(size.processes)
    for version, result in results.items():
        print_results(version, result)
    print_memories(memory)
    print_uses(uses, again)
    print_processes(took)
    verdicts = [*of_ipv4(results[4]), *of_ipv6(results[6]), *of_processes(uses, took, memory)]
    print_verdicts(verdicts)
    wrong = sum(count or 0 for result in results.values() for count in result.wrong.values())
    facts["load_after"] = load_average()
    print(f"wrong answers: {wrong}; load average before {facts['load_before']}, after {facts['load_after']}")
    return {
        "machine": facts,
        "size": size._asdict(),
        "rounds": {f"IPv{version}": of_rounds(result) for version, result in results.items()},
        "memory": {
            f"IPv{version}": {name: one._asdict() for name, one in tables.items()}
            for version, tables in memory.items()
        },
        "first_use_s": {**uses, "open again": again},
        "processes": {name: [one._asdict() for one in runs] for name, runs in took.items()},
        "verdicts": [one._asdict() for one in verdicts],
    }


def of_rounds(results: Results) -> dict[str, Any]:
    """Return the raw figures of every round."""
    return {
        one.name: {
            "addresses": one.asked,
            "wrong": results.wrong[one.name],
            "seconds": [took._asdict() for took in results.took[one.name]],
        }
        for one in results.candidates
    }


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the addresses, and fewer rounds")
    parser.add_argument("--without", action="append", default=[], choices=COMPARED, metavar="PEER",
                        help=f"leave one out: {', '.join(COMPARED)}")  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the raw figures of every round")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)  # what `memories` starts
    chosen = parser.parse_args()
    if chosen.measure:
        name, version, directory = chosen.measure
        measure_memory(name, int(version), Path(directory))
        return
    figures = run(QUICK if chosen.quick else FULL, chosen.without)
    if chosen.json:
        chosen.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
