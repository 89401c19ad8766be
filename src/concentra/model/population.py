"""What was seen: weighted addresses in three units, and the funnel that led to them.

A population keeps addresses as columns, IPv4 as ``uint32`` and IPv6 as 16 big-endian bytes, both
sorted and distinct, since sorted addresses are looked up ten times faster than shuffled ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from concentra.model.axes import Unit
from concentra.model.provenance import Source

IPv4Column = NDArray[np.uint32]
IPv6Column = NDArray[np.bytes_]
Weights = NDArray[np.int64]

IPV6_BYTES = np.dtype("S16")
"""IPv6 addresses as big-endian bytes; NumPy orders them as the addresses are ordered."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WeightedAddresses:
    """How many units sit on each address.

    All four columns are sorted by address; addresses are distinct. For unit ``prefix`` (and for
    aggregated snapshots) the address is the prefix's first one.
    """

    v4: IPv4Column
    v4_weight: Weights
    v6: IPv6Column
    v6_weight: Weights

    @property
    def total(self) -> int:
        """Number of units, the sum of all weights."""
        return int(self.v4_weight.sum()) + int(self.v6_weight.sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class FunnelStep:
    """One step from what the source holds to what is counted, with everything that it dropped."""

    name: str
    """What the units that are left have in common: ``read``, ``addresses``, ``routable``, ``distinct``."""
    unit: str
    """What `left` counts: ``rows``, ``addresses``, ``nodes``."""
    left: int | None = None
    """How many are left after this step; None where the source does not record the step."""
    dropped: Mapping[str, int] = field(default_factory=dict)
    """How many this step dropped, by reason."""
    note: str | None = None
    """Why the figure is missing, or how to read it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Population:
    """One immutable set of observations, ready to be attributed under each unit that it supports."""

    subject: str
    """What the user asked for: a network's name, or the file."""
    title: str
    """The same for people."""
    source: Source
    """Where the observations came from."""
    units: Mapping[Unit, WeightedAddresses]
    """The units that the source can be counted in."""
    unavailable: Mapping[Unit, str]
    """The other units, each with the reason."""
    funnel: tuple[FunnelStep, ...]
    """From rows read to distinct units, in order."""
    aggregated: bool = False
    """Whether addresses are known by their /24 or /48 only."""
    notes: tuple[str, ...] = ()
    """What a reader of the figures must know about how they were collected or read."""
