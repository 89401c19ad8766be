import ipaddress
from bisect import bisect_right
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.attribution.disjoint import (
    UNCOVERED,
    DisjointRanges,
    Keys,
    addresses_after,
    disjoint_ranges,
    halves,
    joined,
)

Prefix = tuple[int, int]
"""First address and length."""


def column(addresses: list[int], bits: int) -> Keys:
    if bits == 32:
        return np.array(addresses, np.uint32)
    return np.array([address.to_bytes(16, "big") for address in addresses], "S16")


def numbers(keys: Keys) -> list[int]:
    """Return addresses as numbers; NumPy leaves zero bytes at the end of strings out."""
    if keys.dtype == np.uint32:
        return [int(key) for key in keys]
    return [int.from_bytes(bytes(key).ljust(16, b"\0"), "big") for key in keys]


def laid(prefixes: list[Prefix], bits: int) -> list[tuple[int, int]]:
    """Return start and prefix of each range."""
    ranges: DisjointRanges = disjoint_ranges(
        column([first for first, _ in prefixes], bits),
        np.array([length for _, length in prefixes], np.uint8),
        bits=bits,
    )
    return list(zip(numbers(ranges.start), ranges.prefix.tolist(), strict=True))


def longest_prefix(prefixes: list[Prefix], address: int, bits: int) -> int:
    """Return the position of the longest prefix that covers, found by asking each."""
    covering = [
        (length, position)
        for position, (first, length) in enumerate(prefixes)
        if address >> (bits - length) == first >> (bits - length)
    ]
    return max(covering, default=(0, UNCOVERED))[1]


@st.composite
def some_prefixes(draw: st.DrawFn, bits: int) -> list[Prefix]:
    """Return prefixes that nest, touch and end with the space far oftener than chance would have them."""
    last = (1 << bits) - 1
    lengths = st.sampled_from(
        [0, 1, 2, 3, 8, 9, bits // 2 - 1, bits // 2, bits // 2 + 1, bits - 2, bits - 1, bits]
    )
    addresses = st.sampled_from(
        [0, 1, 2, last, last - 1, last - 2, 1 << bits - 3, 3 << bits - 2, 1 << bits // 2]
    )
    pairs = draw(st.lists(st.tuples(addresses, lengths), max_size=14))
    return list(dict.fromkeys((address >> bits - length << bits - length, length) for address, length in pairs))  # fmt: skip


def edges(prefixes: list[Prefix], bits: int) -> list[int]:
    """Return the addresses on both sides of both ends of every prefix, and of the space."""
    ends = {end for first, length in [*prefixes, (0, 0)] for end in (first, first + (1 << bits - length))}
    return sorted(
        {at for end in ends for at in (end - 2, end - 1, end, end + 1) if 0 <= at < 1 << bits}
    )  # fmt: skip


families = pytest.mark.parametrize("bits", [32, 128])


@families
@given(data=st.data())
def test_every_address_gets_its_longest_prefix(bits: int, data: st.DataObject) -> None:
    prefixes = data.draw(some_prefixes(bits))
    ranges = laid(prefixes, bits)
    starts = [start for start, _ in ranges]
    for address in edges(prefixes, bits):
        found = ranges[bisect_right(starts, address) - 1][1]
        assert found == longest_prefix(prefixes, address, bits), hex(address)


@families
@given(data=st.data())
def test_ranges_start_at_zero_ascend_and_differ_from_their_neighbours(bits: int, data: st.DataObject) -> None:
    ranges = laid(data.draw(some_prefixes(bits)), bits)
    assert ranges[0][0] == 0
    assert all(one[0] < two[0] and one[1] != two[1] for one, two in pairwise(ranges))


@families
@given(data=st.data())
def test_the_order_of_prefixes_means_nothing(bits: int, data: st.DataObject) -> None:
    prefixes = data.draw(some_prefixes(bits))
    shuffled = data.draw(st.permutations(prefixes))
    back = {**{at: prefixes.index(prefix) for at, prefix in enumerate(shuffled)}, UNCOVERED: UNCOVERED}
    assert [(start, back[at]) for start, at in laid(shuffled, bits)] == laid(prefixes, bits)


@given(st.data())
def test_ipv4_and_ipv6_are_laid_alike(data: st.DataObject) -> None:
    """The upper 32 bits of IPv6 addresses behave as IPv4 addresses do."""
    prefixes = data.draw(some_prefixes(32))
    wide = [(first << 96, length) for first, length in prefixes]
    assert laid(wide, 128) == [(start << 96, prefix) for start, prefix in laid(prefixes, 32)]


def at(prefix: str) -> Prefix:
    network = ipaddress.ip_network(prefix)
    return int(network[0]), network.prefixlen


@pytest.mark.parametrize(
    ("prefixes", "ranges"),
    [
        pytest.param([], [("0.0.0.0", UNCOVERED)], id="nothing-is-one-gap"),
        pytest.param(["0.0.0.0/0"], [("0.0.0.0", 0)], id="whole-space"),
        pytest.param(
            ["0.0.0.0/0", "0.0.0.0/32"], [("0.0.0.0", 1), ("0.0.0.1", 0)], id="first-address-inside-whole-space"
        ),
        pytest.param(
            ["0.0.0.0/0", "255.255.255.255/32"],
            [("0.0.0.0", 0), ("255.255.255.255", 1)],
            id="last-address-inside-whole-space",
        ),
        pytest.param(
            ["255.255.255.255/32"], [("0.0.0.0", UNCOVERED), ("255.255.255.255", 0)], id="last-address"
        ),
        pytest.param(
            ["255.255.255.0/24", "255.255.255.128/25"],
            [("0.0.0.0", UNCOVERED), ("255.255.255.0", 0), ("255.255.255.128", 1)],
            id="two-end-with-the-space",
        ),
        pytest.param(
            ["192.0.2.0/24", "192.0.2.128/25"],
            [("0.0.0.0", UNCOVERED), ("192.0.2.0", 0), ("192.0.2.128", 1), ("192.0.3.0", UNCOVERED)],
            id="two-end-together",
        ),
        pytest.param(
            ["192.0.2.0/24", "192.0.2.0/25", "192.0.2.0/26"],
            [("0.0.0.0", UNCOVERED), ("192.0.2.0", 2), ("192.0.2.64", 1), ("192.0.2.128", 0), ("192.0.3.0", UNCOVERED)],
            id="three-start-together",
        ),
        pytest.param(
            ["192.0.2.0/25", "192.0.2.128/25"],
            [("0.0.0.0", UNCOVERED), ("192.0.2.0", 0), ("192.0.2.128", 1), ("192.0.3.0", UNCOVERED)],
            id="adjacent",
        ),
        pytest.param(
            ["192.0.2.64/26", "192.0.2.128/26", "192.0.2.0/24"],
            [("0.0.0.0", UNCOVERED), ("192.0.2.0", 2), ("192.0.2.64", 0), ("192.0.2.128", 1), ("192.0.2.192", 2),
             ("192.0.3.0", UNCOVERED)],
            id="adjacent-inside-another",
        ),
        pytest.param(
            ["192.0.2.0/24", "192.0.2.64/26", "192.0.2.64/28", "192.0.2.112/28"],
            [("0.0.0.0", UNCOVERED), ("192.0.2.0", 0), ("192.0.2.64", 2), ("192.0.2.80", 1), ("192.0.2.112", 3),
             ("192.0.2.128", 0), ("192.0.3.0", UNCOVERED)],
            id="at-both-ends-of-another",
        ),
    ],
)  # fmt: skip
def test_ranges_of(prefixes: list[str], ranges: list[tuple[str, int]]) -> None:
    found = laid([at(prefix) for prefix in prefixes], 32)
    assert [(str(ipaddress.IPv4Address(start)), prefix) for start, prefix in found] == ranges


def test_the_last_address_of_ipv6_opens_a_range_and_closes_none() -> None:
    last = (1 << 128) - 1
    assert laid([(last, 128)], 128) == [(0, UNCOVERED), (last, 0)]


def test_the_last_half_of_an_ipv6_prefix_carries_into_the_next() -> None:
    prefix = at("2001:db8:0:1:ffff:ffff:ffff:0/112")
    assert laid([prefix], 128)[2] == (int(ipaddress.ip_address("2001:db8:0:2::")), UNCOVERED)


@families
@given(data=st.data())
def test_the_address_after_a_block_is_that_or_there_is_none(bits: int, data: st.DataObject) -> None:
    past = data.draw(st.lists(st.integers(0, bits), max_size=8))
    tops = st.sampled_from([0, 1, (1 << bits) - 1, (1 << bits // 2) - 1]) | st.integers(0, (1 << bits) - 1)
    first = [data.draw(tops) >> size << size for size in past]
    after, none = addresses_after(column(first, bits), np.array(past, np.int64))
    wanted = [start + (1 << size) for start, size in zip(first, past, strict=True)]
    assert none.tolist() == [number >= 1 << bits for number in wanted]
    there = [number for number, gone in zip(numbers(after), none.tolist(), strict=True) if not gone]
    assert there == [number for number in wanted if number < 1 << bits]


@given(st.lists(st.integers(0, (1 << 128) - 1) | st.integers(0, 1 << 70) | st.just(1 << 64), max_size=8))
def test_halves_are_the_numbers_halves_and_joined_is_their_inverse(addresses: list[int]) -> None:
    keys = column(addresses, 128)
    high, low = halves(keys)
    assert [one << 64 | two for one, two in zip(high.tolist(), low.tolist(), strict=True)] == addresses
    assert joined(high, low).tolist() == keys.tolist()
    assert joined(high, low).dtype == np.dtype("S16")
