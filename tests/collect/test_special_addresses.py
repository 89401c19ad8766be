"""The blocks of special addresses, against a table written from IANA's registries for these tests.

Sources: https://www.iana.org/assignments/iana-ipv4-special-registry (RFC 6890, RFC 7526 for 192.88.99.0/24),
https://www.iana.org/assignments/iana-ipv6-special-registry (RFC 9602 for 5f00::/16, RFC 9637 for 3fff::/20,
RFC 9780 for 100:0:0:1::/64), multicast: RFC 5771 and RFC 4291. Tunnels that wrap an IPv4 address of
somebody else (6to4, NAT64) tell nothing about a host and are refused as well.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from concentra.collect.special_addresses import special_v4, special_v6
from concentra.model.population import IPV6_BYTES
from concentra.model.special_addresses import REASONS

REGISTRY = {
    "0.0.0.0/8": "unspecified",
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "carrier-grade NAT",
    "127.0.0.0/8": "loopback",
    "169.254.0.0/16": "link-local",
    "172.16.0.0/12": "private",
    "192.0.0.0/24": "protocol assignment",
    "192.0.2.0/24": "documentation",
    "192.88.99.0/24": "translated",
    "192.168.0.0/16": "private",
    "198.18.0.0/15": "benchmarking",
    "198.51.100.0/24": "documentation",
    "203.0.113.0/24": "documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved",
    "::/128": "unspecified",
    "::1/128": "loopback",
    "64:ff9b::/96": "translated",
    "64:ff9b:1::/48": "translated",
    "100::/64": "discard-only",
    "100:0:0:1::/64": "discard-only",
    "2001::/23": "protocol assignment",
    "2001:db8::/32": "documentation",
    "2002::/16": "translated",
    "3fff::/20": "documentation",
    "5f00::/16": "protocol assignment",
    "fc00::/7": "private",
    "fe80::/10": "link-local",
    "ff00::/8": "multicast",
}
BLOCKS = [(ip_network(block), reason) for block, reason in REGISTRY.items()]

ORDINARY = ["8.8.8.8", "1.1.1.1", "9.9.9.9", "2001:4860:4860::8888", "2606:4700:4700::1111", "2620:fe::fe"]


def expected(address: IPv4Address | IPv6Address) -> str | None:
    return next((reason for block, reason in BLOCKS if address in block), None)


def found(*addresses: IPv4Address | IPv6Address) -> list[str | None]:
    v4 = np.array([int(address) for address in addresses if address.version == 4], np.uint32)
    v6 = np.array([address.packed for address in addresses if address.version == 6], IPV6_BYTES)
    numbers = np.concatenate([special_v4(v4), special_v6(v6)])
    return [REASONS[number - 1] if number else None for number in numbers.tolist()]


def edges(block: str) -> list[IPv4Address | IPv6Address]:
    network = ip_network(block)
    first, last = int(network.network_address), int(network.broadcast_address)
    kind = type(network.network_address)
    highest = (1 << network.max_prefixlen) - 1
    return [kind(number) for number in (first - 1, first, last, last + 1) if 0 <= number <= highest]


@pytest.mark.parametrize("block", REGISTRY)
def test_a_block_begins_and_ends_where_the_registry_says(block: str) -> None:
    addresses = edges(block)
    assert found(*addresses) == [expected(address) for address in addresses]
    assert expected(ip_network(block).network_address) == REGISTRY[block]


v4_addresses = st.integers(0, 2**32 - 1).map(IPv4Address)
v6_addresses = st.integers(0, 2**128 - 1).map(IPv6Address)
near_edges = st.sampled_from(sorted(REGISTRY)).flatmap(
    lambda block: st.integers(-300, 300).map(lambda step: shifted(edges(block)[0], step))
)


def shifted(address: IPv4Address | IPv6Address, step: int) -> IPv4Address | IPv6Address:
    return type(address)((int(address) + step) % (1 << address.max_prefixlen))


@given(st.lists(v4_addresses | v6_addresses | near_edges, max_size=30))
def test_random_addresses_are_as_special_as_the_registry_says(
    addresses: list[IPv4Address | IPv6Address],
) -> None:
    addresses.sort(key=lambda address: address.version)
    assert found(*addresses) == [expected(address) for address in addresses]


@pytest.mark.parametrize(
    "block", ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20"]
)
def test_documentation_addresses_are_refused(block: str) -> None:
    assert found(*edges(block)[1:3]) == ["documentation", "documentation"]


@pytest.mark.parametrize("text", ORDINARY)
def test_public_services_are_ordinary(text: str) -> None:
    assert found(ip_address(text)) == [None]


def test_no_address_gives_no_reason() -> None:
    assert found() == []
