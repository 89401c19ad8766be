"""Columns of addresses → which of them nobody on the public internet can be reached at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from concentra.model.special_addresses import special_boundaries

_V4 = special_boundaries(4)
_V6 = special_boundaries(6)
_V4_START = np.array([first for first, _ in _V4], np.uint32)
_V4_REASON = np.array([number for _, number in _V4], np.int64)
_V6_START = np.array([first.to_bytes(16, "big") for first, _ in _V6], "S16")
_V6_REASON = np.array([number for _, number in _V6], np.int64)


def special_v4(addresses: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Return for each IPv4 address 0 if it is ordinary, else 1 plus the position of its reason in `REASONS`.

    Examples
    --------
    >>> from concentra.model.special_addresses import REASONS
    >>> found = special_v4(np.array([0x08080808, 0x0A000001], np.uint32))
    >>> [REASONS[number - 1] if number else None for number in found]
    [None, 'private']
    """
    return _V4_REASON[np.searchsorted(_V4_START, addresses, side="right") - 1]


def special_v6(addresses: NDArray[np.bytes_]) -> NDArray[np.int64]:
    """Return the same for IPv6 addresses, given as 16 big-endian bytes."""
    return _V6_REASON[np.searchsorted(_V6_START, addresses, side="right") - 1]
