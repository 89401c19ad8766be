"""Addresses that nobody on the public internet can be reached at, each with the reason.

The blocks are those of IANA's special-purpose address registries (RFC 6890 and its successors) that
are not globally reachable, multicast, and the blocks of translators (6to4, NAT64). An address in one
of them says nothing about who hosts it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

_BLOCKS: Mapping[str, tuple[str, ...]] = {
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

REASONS = tuple(_BLOCKS)


def _boundaries(version: int) -> list[tuple[int, int]]:
    """Return (first address, reason number) of disjoint ranges; reason 0 is an ordinary address."""
    blocks = sorted(
        (network, number)
        for number, networks in enumerate(_BLOCKS.values(), start=1)
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


_V4 = _boundaries(4)
_V6 = _boundaries(6)
_V4_START = np.array([first for first, _ in _V4], np.uint32)
_V4_REASON = np.array([number for _, number in _V4], np.int64)
_V6_START = np.array([first.to_bytes(16, "big") for first, _ in _V6], "S16")
_V6_REASON = np.array([number for _, number in _V6], np.int64)


def special_v4(addresses: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Return for each IPv4 address 0 if it is ordinary, else 1 plus the position of its reason in `REASONS`.

    Examples
    --------
    >>> found = special_v4(np.array([0x08080808, 0x0A000001], np.uint32))
    >>> [REASONS[number - 1] if number else None for number in found]
    [None, 'private']
    """
    return _V4_REASON[np.searchsorted(_V4_START, addresses, side="right") - 1]


def special_v6(addresses: NDArray[np.bytes_]) -> NDArray[np.int64]:
    """Return the same for IPv6 addresses, given as 16 big-endian bytes."""
    return _V6_REASON[np.searchsorted(_V6_START, addresses, side="right") - 1]
