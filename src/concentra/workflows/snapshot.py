"""Aggregate a node file or a crawl to a snapshot, and measure what the aggregation costs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from concentra.adapters import map_files
from concentra.adapters.data_files import maps_directory
from concentra.attribution.attribute import attribute
from concentra.attribution.maps import Maps
from concentra.collect.population import prefixes_of
from concentra.collect.snapshots import AggregationCost, SnapshotHeader, encode
from concentra.errors import UsageProblem
from concentra.model.axes import Axis, Unit
from concentra.model.population import WeightedAddresses
from concentra.model.provenance import Source
from concentra.workflows.subjects import UNDATED, UNRECORDED, load_population

_NETWORK = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class BadNetworkName(UsageProblem):
    """A network's name becomes a file name, so it is kept plain."""

    def __init__(self, network: str) -> None:
        super().__init__(f"a network's name is lower-case letters, digits and hyphens, got {network!r}")


class AlreadyAggregated(UsageProblem):
    """A snapshot of a snapshot would claim that aggregating cost nothing."""

    def __init__(self, file: str) -> None:
        super().__init__(f"{file} is a snapshot already: it holds prefixes, not addresses")
        self.hint = "make the snapshot from the node file itself"


def make_snapshot(
    file: str, source: Source, *, network: str, title: str, column: str | None = None
) -> tuple[str, bytes, AggregationCost]:
    """Return the snapshot's file name, its content, and the cost of aggregating.

    Parameters
    ----------
    file : str
        Path of a node file, or ``-``; or a crawl, as `load_population` takes it.
    source : Source
        Who published the file, as of when, under which licence; digest and rows are filled in.
    network, title : str
        What the population is, for programs and for people.
    """
    if not _NETWORK.fullmatch(network):
        raise BadNetworkName(network)
    population = load_population(file, column=column)
    if population.aggregated:
        raise AlreadyAggregated(population.subject)
    addresses = population.units[Unit.ADDRESS]
    maps = map_files.load(maps_directory())
    cost = AggregationCost(addresses=addresses.total, maps_as_of=maps.as_of, moved=_moved(addresses, maps))
    header = SnapshotHeader(
        network=network,
        title=title,
        source=replace(
            source,
            sha256=population.source.sha256,
            rows=population.source.rows,
            limits=(*source.limits, *_told(population.source.limits)),
        ),
        funnel=population.funnel,
        cost=cost,
    )
    return f"{network}-{source.as_of}.csv", encode(header, addresses), cost


def _told(limits: Sequence[str]) -> Sequence[str]:
    """Return what a source says of its own limits; that it says nothing is for the user to make good."""
    return [limit for limit in limits if limit not in {UNDATED, UNRECORDED}]


def _moved(addresses: WeightedAddresses, maps: Maps) -> dict[str, int]:
    """Return axis → how many addresses have another entity than the prefix that stands for them."""
    exact = attribute(addresses, maps)
    prefixes = attribute(prefixes_of(addresses), maps)
    stand_in = prefixes.key[np.unique(exact.cluster, return_inverse=True)[1]]
    pairs, counts = np.unique(np.stack([exact.key, stand_in]), axis=1, return_counts=True)
    return {
        axis.value: int(
            sum(
                count
                for own, other, count in zip(*pairs.tolist(), counts.tolist(), strict=True)
                if exact.attributions[own].entity(axis) != prefixes.attributions[other].entity(axis)
            )
        )
        for axis in Axis
    }
