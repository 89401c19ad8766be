"""Single addresses and their reasons, against a plain reading of the blocks and against columns of addresses.

That the blocks are those of IANA is checked in tests/collect/test_special_addresses.py.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.collect.special_addresses import special_v4, special_v6
from concentra.model.population import IPV6_BYTES
from concentra.model.special_addresses import BLOCKS, REASONS, special_boundaries, special_reason

NETWORKS = [(ip_network(block), reason) for reason, blocks in BLOCKS.items() for block in blocks]

near_a_block = st.builds(
    lambda entry, step, end: (entry[0][-1 if end else 0], step),
    st.sampled_from(NETWORKS),
    st.integers(-300, 300),
    st.booleans(),
)
v4_addresses = st.integers(0, 2**32 - 1).map(IPv4Address)
v6_addresses = st.integers(0, 2**128 - 1).map(IPv6Address)


def plain(address: IPv4Address | IPv6Address) -> str | None:
    return next((reason for network, reason in NETWORKS if address in network), None)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("0.0.0.0", "unspecified"),
        ("9.255.255.255", None),
        ("10.0.0.0", "private"),
        ("10.255.255.255", "private"),
        ("11.0.0.0", None),
        ("127.0.0.1", "loopback"),
        ("192.0.2.1", "documentation"),
        ("223.255.255.255", None),
        ("224.0.0.0", "multicast"),
        ("239.255.255.255", "multicast"),
        ("240.0.0.0", "reserved"),
        ("255.255.255.255", "reserved"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("::2", None),
        ("fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None),
        ("fc00::", "private"),
        ("fe80::1", "link-local"),
        ("ff02::1", "multicast"),
        ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "multicast"),
    ],
)
def test_the_first_and_last_addresses_of_blocks_and_of_all(address: str, reason: str | None) -> None:
    assert special_reason(ip_address(address)) == reason


@given(v4_addresses | v6_addresses)
def test_any_address_has_the_reason_of_the_block_that_holds_it(address: IPv4Address | IPv6Address) -> None:
    assert special_reason(address) == plain(address)


@given(near_a_block)
def test_so_have_addresses_around_the_ends_of_blocks(
    place: tuple[IPv4Address | IPv6Address, int],
) -> None:
    edge, step = place
    number = int(edge) + step
    if 0 <= number < 1 << edge.max_prefixlen:
        address = type(edge)(number)
        assert special_reason(address) == plain(address)


@given(st.lists(v4_addresses), st.lists(v6_addresses))
def test_a_column_of_addresses_has_the_reasons_of_each(v4: list[IPv4Address], v6: list[IPv6Address]) -> None:
    numbers = [
        *special_v4(np.array([int(address) for address in v4], np.uint32)).tolist(),
        *special_v6(np.array([address.packed for address in v6], IPV6_BYTES)).tolist(),
    ]
    reasons = [*map(special_reason, v4), *map(special_reason, v6)]
    assert [REASONS[number - 1] if number else None for number in numbers] == reasons


@pytest.mark.parametrize("version", [4, 6])
def test_boundaries_begin_with_the_first_address_and_ascend(version: int) -> None:
    points = special_boundaries(version)
    firsts = [first for first, _ in points]
    assert firsts[0] == 0
    assert firsts == sorted(set(firsts))
    assert firsts[-1] < 1 << (32 if version == 4 else 128)
    assert {number for _, number in points} <= set(range(len(REASONS) + 1))


def test_no_block_lies_in_another_for_behind_it_the_outer_one_would_end() -> None:
    for (one, _), (other, _) in combinations(NETWORKS, 2):
        assert one.version != other.version or not one.overlaps(other)
