"""Counts of evidence: the same for any order and division of the addresses, and as true as looking each up."""

import ipaddress
from collections import Counter
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.attribution.made_maps import Announced, made, map_inputs, weighted

from concentra.adapters.data_files import maps_directory
from concentra.adapters.map_files import load
from concentra.attribution import counts as counting
from concentra.attribution.attribute import AttributedUnits, attribute
from concentra.attribution.counts import (
    BLOCKS,
    EvidenceCounts,
    attributed,
    block_of,
    count_v4,
    count_v6,
    divided_24s,
    merged,
)
from concentra.model.axes import Axis

MAPS = made(
    map_inputs(
        [
            Announced("192.0.2.0/24", (64496,), "US"),
            Announced("192.0.2.128/25", (64497,), "DE"),
            Announced("198.51.100.0/24", (64498,), "NL"),
            Announced("203.0.112.0/23", (64499,), "FR"),
            Announced("2001:db8::/32", (64500,), "US"),
            Announced("2001:db8:1:2::/64", (64501,), "US"),
        ]
    )
)
V4 = [
    "192.0.2.1",
    "192.0.2.127",
    "192.0.2.128",
    "198.51.100.7",
    "203.0.112.1",
    "203.0.113.255",
    "233.252.0.1",
]
V6 = ["2001:db8::1", "2001:db8:1:2::9", "2001:db8:1:3::9", "3fff::1"]

rows = st.lists(st.tuples(st.sampled_from(V4 + V6), st.integers(0, 5)), max_size=40)


def counted(entries: list[tuple[str, int]]) -> EvidenceCounts:
    v4 = [(int(ipaddress.ip_address(text)), units) for text, units in entries if "." in text]
    v6 = [(int(ipaddress.ip_address(text)), units) for text, units in entries if ":" in text]
    return merged(
        [
            count_v4(
                np.array([address for address, _ in v4], np.uint32),
                np.array([units for _, units in v4], np.int64),
                MAPS,
            ),
            count_v6(
                np.array([address >> 64 for address, _ in v6], np.uint64),
                np.array([address & 2**64 - 1 for address, _ in v6], np.uint64),
                np.array([units for _, units in v6], np.int64),
                MAPS,
            ),
        ]
    )


def listed(counts: EvidenceCounts) -> list[tuple[int, int, int]]:
    return list(zip(counts.block.tolist(), counts.evidence.tolist(), counts.units.tolist(), strict=True))


def asn_of(units: AttributedUnits) -> dict[str | None, int]:
    totals: Counter[str | None] = Counter()
    for key, weight in zip(units.key.tolist(), units.weight.tolist(), strict=True):
        totals[units.attributions[key].entity(Axis.ASN)] += weight
    return dict(totals)


def by_asn(counts: EvidenceCounts) -> dict[str | None, int]:
    return asn_of(attributed(counts, MAPS))


def test_each_half_of_a_divided_24_keeps_its_own_origin() -> None:
    found = by_asn(counted([(text, 1) for text in V4]))
    assert found == {"AS64496": 2, "AS64497": 1, "AS64498": 1, "AS64499": 2, None: 1}


def test_weights_are_added_and_no_weight_leaves_no_trace() -> None:
    found = counted([("192.0.2.1", 3), ("192.0.2.1", 2), ("198.51.100.7", 0), ("2001:db8::1", 0)])
    assert by_asn(found) == {"AS64496": 5}
    assert len(found.units) == 1


@given(rows)
def test_counts_are_those_of_looking_up_every_address(entries: list[tuple[str, int]]) -> None:
    totals: Counter[str] = Counter()
    for text, units in entries:
        totals[text] += units
    looked_up = attribute(weighted({text: total for text, total in totals.items() if total}), MAPS)
    assert by_asn(counted(entries)) == asn_of(looked_up)


@given(rows, st.integers(0, 40), st.randoms(use_true_random=False))
def test_order_and_division_make_no_difference(
    entries: list[tuple[str, int]], cut: int, random: Random
) -> None:
    whole = listed(counted(entries))
    random.shuffle(entries)
    parts = [counted(entries[:cut]), counted(entries[cut:])]
    assert listed(merged(parts)) == listed(merged(reversed(parts))) == whole
    assert whole == sorted(whole)
    assert len({pair[:2] for pair in whole}) == len(whole)


@pytest.mark.parametrize("at_once", [1, 7, 100, 10**6])
def test_how_many_are_merged_at_a_time_makes_no_difference(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    maps = load(maps_directory(), small=True)
    rng = np.random.default_rng(7)
    addresses = rng.integers(0, 2**32, 1000, dtype=np.uint32)
    units = rng.integers(0, 4, 1000)
    expected = listed(count_v4(addresses, units, maps))
    parts = [count_v4(addresses[:300], units[:300], maps), count_v4(addresses[300:], units[300:], maps)]
    monkeypatch.setattr(counting, "AT_ONCE", at_once)
    assert listed(merged(parts)) == expected


def test_weights_beyond_32_bits_are_exact() -> None:
    heavy = 2**55 + 1
    entries = [("192.0.2.1", heavy), ("192.0.2.1", 1), ("198.51.100.7", 2**32), ("198.51.100.7", 2**32 - 1)]
    assert by_asn(counted(entries)) == {"AS64496": heavy + 1, "AS64498": 2**33 - 1}


def test_evidence_beyond_20_bits_is_exact() -> None:
    part = EvidenceCounts(
        block=np.array([4095, 1], np.uint16),
        evidence=np.array([2**32 - 1, 2**20], np.uint32),
        units=np.array([3, 4]),
    )
    assert listed(merged([part, part])) == [(1, 2**20, 8), (4095, 2**32 - 1, 6)]


def test_nothing_counted_is_nothing() -> None:
    none = merged([])
    assert (none.total, none.nbytes, len(none.units)) == (0, 0, 0)
    assert len(attributed(none, MAPS).attributions) == 0


def test_a_24_and_a_48_lie_in_one_block_whole() -> None:
    together = counted([(f"198.51.100.{number}", 1) for number in range(256)])
    assert len(together.units) == 1
    v6 = counted([("2001:db8:9:1::1", 1), ("2001:db8:9:ffff::1", 1)])
    assert len(v6.units) == 1


def test_blocks_are_the_same_on_every_machine() -> None:
    """Vectors of splitmix64: the first outputs for the seeds 0 and 1 end in these twelve bits."""
    assert block_of(np.array([0, 1], np.uint64)).tolist() == [
        0xE220A8397B1DCDAF % BLOCKS,
        0x910A2DEC89025CC1 % BLOCKS,
    ]


def test_neighbours_are_dealt_as_chance_deals_them() -> None:
    """In blocks of 64 expected the spread is that of Poisson; a multiplicative hash would give nearly none."""
    per_block = np.bincount(block_of(np.arange(BLOCKS * 64, dtype=np.uint64)), minlength=BLOCKS)
    assert len(per_block) == BLOCKS
    assert 0.9 < per_block.var() / per_block.mean() < 1.1


def test_divided_24s_are_those_in_which_a_range_begins() -> None:
    divided = divided_24s(MAPS)
    assert [str(ipaddress.ip_address(int(number) << 8)) for number in np.flatnonzero(divided)] == [
        "192.0.2.0"
    ]


def test_addresses_of_an_undivided_24_share_their_evidence() -> None:
    maps = load(maps_directory(), small=True)
    rng = np.random.default_rng(11)
    starts = maps.column("v4.start")
    near = starts[rng.integers(0, len(starts), 20_000)] + rng.integers(0, 3, 20_000).astype(np.uint32)
    first = near & np.uint32(0xFFFFFF00)
    whole = ~divided_24s(maps)[first >> np.uint32(8)]
    assert 0 < np.count_nonzero(whole) < len(whole)
    assert (maps.evidence_v4(near) == maps.evidence_v4(first))[whole].all()
    assert not (maps.evidence_v4(near) == maps.evidence_v4(first)).all()


def test_clusters_are_blocks() -> None:
    counts = counted([("192.0.2.1", 1), ("198.51.100.7", 1), ("2001:db8::1", 1)])
    assert attributed(counts, MAPS).cluster.tolist() == counts.block.tolist()
