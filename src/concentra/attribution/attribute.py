"""Addresses → attributions, each distinct combination of evidence concluded once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from concentra.attribution.disjoint import halves
from concentra.attribution.evidence import Attribution
from concentra.attribution.maps import Maps
from concentra.model.population import WeightedAddresses


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AttributedUnits:
    """Weighted addresses, or counts of many of them, with their attributions."""

    key: NDArray[np.int64]
    """Position in `attributions` of each row's attribution."""
    weight: NDArray[np.int64]
    """Units on each row."""
    cluster: NDArray[np.int64]
    """Number of what the row lies in and sampling intervals resample: its /24 or /48, or a block of them."""
    attributions: tuple[Attribution, ...]

    def units_of(self) -> NDArray[np.int64]:
        """Return the units of each attribution, shape ``(len(attributions),)``."""
        totals = np.zeros(len(self.attributions), np.int64)
        np.add.at(totals, self.key, self.weight)
        return totals


def attribute(addresses: WeightedAddresses, maps: Maps) -> AttributedUnits:
    """Return every address of `addresses` with what the maps know of it: IPv4 rows first, both ascending."""
    return conclude_units(
        np.concatenate([maps.evidence_v4(addresses.v4), maps.evidence_v6(*halves(addresses.v6))]),
        np.concatenate([addresses.v4_weight, addresses.v6_weight]),
        _clusters(addresses),
        maps,
    )


def conclude_units(
    evidence: NDArray[np.uint32], weight: NDArray[np.int64], cluster: NDArray[np.int64], maps: Maps
) -> AttributedUnits:
    """Return the rows with what follows from their evidence, concluded once for each that occurs.

    Parameters
    ----------
    evidence : array, shape (n_rows,)
        Numbers of combinations of evidence in `maps`.
    weight, cluster : arrays, shape (n_rows,)
        As in `AttributedUnits`.
    """
    found = np.zeros(len(maps.column("evidence.end")), np.bool_)
    found[evidence] = True
    numbers = np.flatnonzero(found)
    position = np.cumsum(found) - 1
    return AttributedUnits(
        key=position[evidence],
        weight=weight,
        cluster=cluster,
        attributions=tuple(maps.tables.attribution(number) for number in numbers.tolist()),
    )


def _clusters(addresses: WeightedAddresses) -> NDArray[np.int64]:
    """Return the number of the /24 of each IPv4 row, then of the /48 of each IPv6 row."""
    v4 = (addresses.v4 >> np.uint32(8)).astype(np.int64)
    high, _ = halves(addresses.v6)
    v6 = (high >> np.uint64(16)).astype(np.int64)
    return np.concatenate([_number_runs(v4), _number_runs(v6) + (1 << 32)])


def _number_runs(values: NDArray[np.int64]) -> NDArray[np.int64]:
    if not len(values):
        return values
    return np.cumsum(np.append(0, values[1:] != values[:-1]))
