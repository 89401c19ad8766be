"""Addresses that nobody on the public internet can be reached at, each with the reason.

The blocks are those of IANA's special-purpose address registries (RFC 6890 and its successors) that
are not globally reachable, multicast, and the blocks of translators (6to4, NAT64). An address in one
of them says nothing about who hosts it.
"""

from __future__ import annotations

import ipaddress
from bisect import bisect_right
from collections.abc import Mapping
from functools import cache

BLOCKS: Mapping[str, tuple[str, ...]] = {
    "unspecified": ("0.0.0.0/8", "::/128"),
    "private": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),
    "carrier-grade NAT": ("100.64.0.0/10",),
    "loopback": ("127.0.0.0/8", "::1/128"),
    "link-local": ("169.254.0.0/16", "fe80::/10"),
    "protocol assignment": ("192.0.0.0/24", "2001::/23", "5f00::/16"),
    "documentation": ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20"),
    "benchmarking": ("198.18.0.0/15",),
    "multicast": ("224.0.0.0/4", "ff00::/8"),
    "reserved": ("240.0.0.0/4",),
    "translated": ("192.88.99.0/24", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16"),
    "discard-only": ("100::/64", "100:0:0:1::/64"),
}

REASONS = tuple(BLOCKS)


def special_reason(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str | None:
    """Return why nobody can be reached at `address`, or None if it is an ordinary one.

    Examples
    --------
    >>> special_reason(ipaddress.ip_address("10.0.0.1"))
    'private'
    >>> special_reason(ipaddress.ip_address("8.8.8.8"))
    """
    starts, reasons = _boundaries(address.version)
    return reasons[bisect_right(starts, int(address)) - 1]


@cache
def _boundaries(version: int) -> tuple[list[int], list[str | None]]:
    """Return where ranges of one reason begin, and the reason of each."""
    points = special_boundaries(version)
    return [first for first, _ in points], [REASONS[number - 1] if number else None for _, number in points]


def special_boundaries(version: int) -> list[tuple[int, int]]:
    """Return (first address, number of its reason) of disjoint ranges; 0 is none, 1 the first reason."""
    blocks = sorted(
        (network, number)
        for number, networks in enumerate(BLOCKS.values(), start=1)
        for network in map(ipaddress.ip_network, networks)
        if network.version == version
    )
    points = {0: 0}
    for network, number in blocks:
        points[int(network.network_address)] = number
        points.setdefault(int(network.broadcast_address) + 1, 0)
    return sorted(
        (first, number) for first, number in points.items() if first < 1 << (32 if version == 4 else 128)
    )
