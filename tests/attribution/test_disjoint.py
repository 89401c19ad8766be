from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.attribution.disjoint import GAP, PrefixEntry, disjoint_ranges

BITS = 6  # 64 addresses: every question can be asked


def entry(first: int, length: int, record: int, rank: int = 0) -> PrefixEntry:
    return PrefixEntry(first=first, length=length, rank=rank, record=record)


@st.composite
def entries(draw: st.DrawFn) -> PrefixEntry:
    length = draw(st.sampled_from([0, 1, 1, 2, 2, 3, 5, BITS]))
    first = draw(st.integers(0, min(3, (1 << length) - 1))) << (BITS - length)  # few prefixes, so many repeat
    return entry(first, length, draw(st.integers(1, 3)), draw(st.integers(0, 2)))


def longest_prefix(listed: list[PrefixEntry], address: int) -> int:
    """Return what a scan of all prefixes says: the longest, of several for it the highest rank, then record."""
    covering = [
        found for found in listed if address >> (BITS - found.length) << (BITS - found.length) == found.first
    ]
    best = max(covering, key=lambda found: (found.length, found.rank, found.record), default=None)
    return GAP if best is None else best.record


def spread(ranges: list[tuple[int, int]], bits: int) -> list[int]:
    """Return the record of every address."""
    ends = [first for first, _ in ranges[1:]] + [1 << bits]
    return [record for (first, record), end in zip(ranges, ends, strict=True) for _ in range(first, end)]


@given(st.lists(entries(), max_size=12))
def test_every_address_gets_the_record_of_its_longest_prefix(listed: list[PrefixEntry]) -> None:
    ranges = list(disjoint_ranges(listed, bits=BITS))
    assert spread(ranges, BITS) == [longest_prefix(listed, address) for address in range(1 << BITS)]


@given(st.lists(entries(), max_size=12))
def test_ranges_start_at_zero_ascend_and_differ_from_their_neighbours(listed: list[PrefixEntry]) -> None:
    ranges = list(disjoint_ranges(listed, bits=BITS))
    assert ranges[0][0] == 0
    assert all(one[0] < two[0] and one[1] != two[1] for one, two in pairwise(ranges))


@given(
    st.lists(entries(), max_size=8).flatmap(
        lambda listed: st.tuples(st.just(listed), st.permutations(listed))
    )
)
def test_the_order_of_entries_and_their_repetition_mean_nothing(
    orders: tuple[list[PrefixEntry], list[PrefixEntry]],
) -> None:
    one, other = orders
    assert list(disjoint_ranges(one, bits=BITS)) == list(disjoint_ranges(one + other, bits=BITS))
    assert list(disjoint_ranges(one, bits=BITS)) == list(disjoint_ranges(other, bits=BITS))


@pytest.mark.parametrize(
    ("listed", "ranges"),
    [
        pytest.param([], [(0, GAP)], id="nothing-is-one-gap"),
        pytest.param([entry(0, 0, 1)], [(0, 1)], id="whole-space"),
        pytest.param(
            [entry(0, 0, 1), entry(0, 6, 2)], [(0, 2), (1, 1)], id="first-address-inside-whole-space"
        ),
        pytest.param(
            [entry(0, 0, 1), entry(63, 6, 2)], [(0, 1), (63, 2)], id="last-address-inside-whole-space"
        ),
        pytest.param([entry(63, 6, 1)], [(0, GAP), (63, 1)], id="last-address"),
        pytest.param(
            [entry(16, 2, 1), entry(24, 3, 2)], [(0, GAP), (16, 1), (24, 2), (32, GAP)], id="two-end-together"
        ),
        pytest.param(
            [entry(16, 2, 1), entry(16, 3, 2), entry(16, 4, 3)],
            [(0, GAP), (16, 3), (20, 2), (24, 1), (32, GAP)],
            id="three-start-together",
        ),
        pytest.param(
            [entry(16, 3, 1), entry(24, 3, 1)], [(0, GAP), (16, 1), (32, GAP)], id="adjacent-are-joined"
        ),
        pytest.param(
            [entry(16, 2, 1), entry(20, 4, 1)], [(0, GAP), (16, 1), (32, GAP)], id="nested-alike-is-joined"
        ),
        pytest.param(
            [entry(16, 2, 1, rank=1), entry(16, 2, 3, rank=0)],
            [(0, GAP), (16, 1), (32, GAP)],
            id="rank-before-record",
        ),
        pytest.param(
            [entry(16, 2, 1), entry(16, 2, 3)], [(0, GAP), (16, 3), (32, GAP)], id="equal-rank-higher-record"
        ),
        pytest.param(
            [entry(16, 2, 1, rank=9), entry(16, 3, 2)],
            [(0, GAP), (16, 2), (24, 1), (32, GAP)],
            id="length-before-rank",
        ),
    ],
)
def test_ranges_of(listed: list[PrefixEntry], ranges: list[tuple[int, int]]) -> None:
    assert list(disjoint_ranges(listed, bits=BITS)) == ranges


def test_the_last_address_of_ipv6_opens_a_range_and_closes_none() -> None:
    last = (1 << 128) - 1
    assert list(disjoint_ranges([entry(last, 128, 1)], bits=128)) == [(0, GAP), (last, 1)]
