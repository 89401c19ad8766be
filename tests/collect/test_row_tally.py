"""Rows of a Parquet population: every row is counted under one attribution or under one reason."""

import ipaddress
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from coincurve import PrivateKey
from tests.attribution.made_maps import Announced, made, map_inputs

from concentra.attribution.counts import attributed
from concentra.collect import row_tally
from concentra.collect.row_tally import MAX_UNITS, RowCounts, RowTally, TooHeavy, merged_rows
from concentra.model.axes import Axis
from concentra.model.special_addresses import BLOCKS
from concentra.wire import enode, enr
from concentra.wire.enode import Enode

# Public resolvers, under AS numbers of the documentation. 8.8.8.0/24 is divided, 1.1.1.0/24 is not.
MAPS = made(
    map_inputs(
        [
            Announced("8.8.8.0/25", (64496,), "US"),
            Announced("8.8.8.128/25", (64497,), "US"),
            Announced("1.1.1.0/24", (64498,), "AU"),
            Announced("2001:4860::/32", (64499,), "US"),
        ]
    )
)
KEY = (1).to_bytes(32, "big")
ENODE = enode.to_url(
    Enode(
        public_key=PrivateKey(KEY).public_key.format(compressed=False)[1:],
        address=ipaddress.ip_address("8.8.8.8"),
        tcp=30303,
        udp=30303,
    )
)


def record(**pairs: str) -> str:
    packed = {name.encode(): ipaddress.ip_address(address).packed for name, address in pairs.items()}
    return enr.to_text(enr.sign(KEY, seq=1, pairs=packed))


def counted(*columns: pa.Array, weights: Sequence[Sequence[int]] | None = None) -> RowCounts:
    tally = RowTally(MAPS)
    for number, column in enumerate(columns):
        tally.add(column, None if weights is None else np.array(weights[number], np.int64))
    return tally.finish()


def by_asn(counts: RowCounts) -> dict[str | None, int]:
    units = attributed(counts.evidence, MAPS)
    totals: Counter[str | None] = Counter()
    for key, weight in zip(units.key.tolist(), units.weight.tolist(), strict=True):
        totals[units.attributions[key].entity(Axis.ASN)] += weight
    return dict(totals)


def number(text: str) -> int:
    return int(ipaddress.ip_address(text))


def test_rows_count_as_often_as_they_occur() -> None:
    counts = counted(pa.array(["8.8.8.8", "8.8.8.8", "8.8.8.200", "1.1.1.1", "9.9.9.9", "2001:4860::1"]))
    assert by_asn(counts) == {"AS64496": 2, "AS64497": 1, "AS64498": 1, None: 1, "AS64499": 1}
    assert (counts.rows, counts.units, counts.dropped, counts.special) == (6, 6, {}, {})


TEXTS = ["8.8.8.8", None, "1.1.1.1", "8.8.8.200", "8.8.8.8"]
COLUMNS = {
    "string": pa.array(TEXTS),
    "large_string": pa.array(TEXTS, pa.large_string()),
    "string_view": pa.array(TEXTS, pa.string_view()),
    "dictionary": pa.array(TEXTS).dictionary_encode(),
    "dictionary of large_string": pa.array(TEXTS, pa.large_string()).dictionary_encode(),
    "small dictionary": pa.DictionaryArray.from_arrays(
        pa.array([0, None, 1, 2, 0], pa.int8()), pa.array(["8.8.8.8", "1.1.1.1", "8.8.8.200", "unused"])
    ),
    "uint32": pa.array([text and number(text) for text in TEXTS], pa.uint32()),
    "int64": pa.array([text and number(text) for text in TEXTS], pa.int64()),
    "binary(16)": pa.array(
        [text and ipaddress.ip_address(f"::ffff:{text}").packed for text in TEXTS], pa.binary(16)
    ),
}


@pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS.keys())
def test_every_type_of_column_counts_alike(column: pa.Array) -> None:
    for given in (column, pa.concat_arrays([column, column]).slice(len(column))):
        counts = counted(given, weights=[[1, 10, 100, 1000, 10000]])
        assert by_asn(counts) == {"AS64496": 10001, "AS64498": 100, "AS64497": 1000}
        assert counts.dropped == {"empty cell": 10}
        assert (counts.rows, counts.units) == (5, 11111)


def test_ipv6_of_sixteen_bytes_stays_ipv6() -> None:
    column = pa.array([ipaddress.ip_address("2001:4860::1").packed], pa.binary(16))
    assert by_asn(counted(column)) == {"AS64499": 1}


@pytest.mark.parametrize(
    ("numbers", "kind"),
    [([-1, 2**32, number("8.8.8.8")], pa.int64()), ([2**63, 2**64 - 1, number("8.8.8.8")], pa.uint64())],
    ids=["int64", "uint64"],
)
def test_numbers_that_are_no_ipv4_address_are_dropped(numbers: list[int], kind: pa.DataType) -> None:
    counts = counted(pa.array([*numbers, None], kind), weights=[[1, 2, 3, 4]])
    assert by_asn(counts) == {"AS64496": 3}
    assert counts.dropped == {"not an address": 3, "empty cell": 4}


def test_rows_of_text_that_are_no_plain_address_are_read_as_in_node_files() -> None:
    rows: dict[str | None, str | None] = {
        ENODE: "AS64496",
        record(ip="8.8.8.8"): "AS64496",
        " 8.8.8.8:30303\t": "AS64496",
        "'8.8.8.8'": "AS64496",
        "[2001:4860::1]:30303": "AS64499",
        "here": "not an address",
        "8.8.8.0/24": "a prefix, not an address",
        "enode://1": "bad enode URL",
        "enr:1": "bad ENR",
        record(): "ENR without an address",
        "": "empty cell",
        " \t": "empty cell",
        "x" * 70_000: "longer than any record",
    }
    weights = [[1 << place for place in range(len(rows))]]
    counts = counted(pa.array(list(rows)), weights=weights)
    expected: Counter[str | None] = Counter()
    for said, weight in zip(rows.values(), weights[0], strict=True):
        expected[said] += weight
    assert Counter(by_asn(counts)) + Counter[str | None](counts.dropped) == expected


def test_a_record_with_two_addresses_is_one_row() -> None:
    both, private = record(ip="8.8.8.8", ip6="2001:4860::1"), record(ip="10.0.0.1", ip6="2001:4860::1")
    counts = counted(pa.array([both, private, record(ip="10.0.0.1", ip6="fd00::1")]))
    assert by_asn(counts) == {"AS64496": 1, "AS64499": 1}
    assert counts.special == {"private": 1}


def test_an_address_that_ends_in_zeros_is_read_whole() -> None:
    counts = counted(pa.array(["[2001:4860::]:30303", "[2001:db8::]:30303"]))
    assert (by_asn(counts), counts.special) == ({"AS64499": 1}, {"documentation": 1})


def test_text_that_is_no_utf8_is_dropped() -> None:
    column = pa.array([b"\xff\xfe", b"8.8.8.8"], pa.binary()).view(pa.string())
    assert counted(column).dropped == {"not an address": 1}


@pytest.mark.parametrize("reason", BLOCKS)
def test_special_addresses_are_dropped_by_reason(reason: str) -> None:
    networks = [ipaddress.ip_network(block) for block in BLOCKS[reason]]
    texts = [str(network[place]) for network in networks for place in (0, -1)]
    weights = [place + 1 for place in range(len(texts))]
    counts = counted(pa.array(["8.8.8.8", *texts]), weights=[[0, *weights]])
    assert counts.special == {reason: sum(weights)}
    assert counts.evidence.total == 0


def test_no_special_block_divides_a_24() -> None:
    lengths = [
        ipaddress.ip_network(block).prefixlen
        for blocks in BLOCKS.values()
        for block in blocks
        if "." in block
    ]
    assert max(lengths) <= 24


def test_a_special_24_that_the_maps_divide_is_dropped_as_well() -> None:
    maps = made(map_inputs([Announced("192.0.2.0/25", (64496,), "US")]))
    tally = RowTally(maps)
    tally.add(pa.array(["192.0.2.1", "192.0.2.200", "8.8.8.8"]))
    counts = tally.finish()
    assert (counts.special, counts.evidence.total) == ({"documentation": 2}, 1)


def listed(counts: RowCounts) -> list[Any]:
    evidence = counts.evidence
    columns = (evidence.block.tolist(), evidence.evidence.tolist(), evidence.units.tolist())
    return [counts.rows, counts.units, counts.dropped, counts.special, *columns]


def random_rows(rows: int) -> pa.Array:
    rng = np.random.default_rng(3)
    near = rng.choice([number("8.8.8.0"), number("1.1.1.0"), number("10.0.0.0"), number("9.9.9.0")], rows)
    return pa.array(near + rng.integers(0, 256, rows), pa.int64())


@pytest.mark.parametrize("size", [1, 7, 100, 1000])
def test_batches_of_any_size_in_any_order_give_the_same(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_tally, "_PENDING", 3)
    monkeypatch.setattr(row_tally, "_WAITING", 5)
    monkeypatch.setattr(row_tally, "_SCANNED", 1 << 13)
    rows = random_rows(1000)
    whole = listed(counted(rows))
    batches = [rows.slice(first, size) for first in range(0, len(rows), size)]
    assert listed(counted(*reversed(batches))) == whole
    assert listed(merged_rows([counted(batch) for batch in batches[:5]] + [counted(*batches[5:])])) == whole


def test_weights_stay_the_caller_s() -> None:
    weights = np.array([3, 4])
    RowTally(MAPS).add(pa.array(["2001:4860::1", "2001:db8::1"]), weights)
    assert weights.tolist() == [3, 4]


def test_threads_share_a_tally() -> None:
    rows = random_rows(40_000)
    tally = RowTally(MAPS)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(tally.add, [rows.slice(first, 100) for first in range(0, len(rows), 100)]))
    assert listed(tally.finish()) == listed(counted(rows))


@pytest.mark.parametrize("heavy", [2**31, 2**32 - 1, 2**32, 2**40])
def test_heavy_rows_are_exact(heavy: int) -> None:
    column = pa.array(["1.1.1.1", "9.9.9.9", "10.0.0.1", "8.8.8.8"])
    counts = counted(*[column] * 5, weights=[[heavy, 1, heavy, heavy]] * 5)
    assert by_asn(counts) == {"AS64498": 5 * heavy, None: 5, "AS64496": 5 * heavy}
    assert counts.special == {"private": 5 * heavy}
    assert counts.units == 15 * heavy + 5


def test_batches_that_together_are_heavy_are_exact() -> None:
    one, other = pa.array(["1.1.1.1"]), pa.array(["9.9.9.9"])
    counts = counted(one, other, one, one, other, weights=[[2**31], [5], [2**31 - 1], [2**31], [2**32 - 1]])
    assert by_asn(counts) == {"AS64498": 3 * 2**31 - 1, None: 2**32 + 4}


def test_what_is_looked_up_at_once_is_merged_before_it_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_tally, "_PENDING", 10)
    monkeypatch.setattr(row_tally, "_WAITING", 10)
    tally = RowTally(MAPS)
    for _ in range(200):
        tally.add(pa.array(["8.8.8.8", "2001:4860::1"]))
    assert len(tally._counted) < 30
    assert len(tally._singles) < 30


def test_weights_that_add_up_to_too_much_are_refused() -> None:
    column = pa.array(["8.8.8.8", "1.1.1.1"])
    assert counted(column, weights=[[MAX_UNITS - 2, 1]]).units == MAX_UNITS - 1
    for weights in ([MAX_UNITS - 1, 1], [2**63 - 1, 2**63 - 1]):
        with pytest.raises(TooHeavy):
            counted(column, weights=[weights])
    with pytest.raises(TooHeavy):
        counted(column, column, weights=[[MAX_UNITS - 2, 1], [0, 1]])
    part = counted(column, weights=[[MAX_UNITS - 2, 1]])
    with pytest.raises(TooHeavy, match="less than 72,057,594,037,927,936"):
        merged_rows([part, part])


def test_no_rows_are_counts_of_nothing() -> None:
    none = counted(pa.array([], pa.string()))
    assert listed(none) == listed(merged_rows([])) == [0, 0, {}, {}, [], [], []]
