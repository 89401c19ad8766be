"""Sightings → a population: which addresses count, and how many units sit on each."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from concentra.collect.address_forms import IPAddress
from concentra.collect.errors import NothingToCount
from concentra.collect.node_files import NodeSighting, Sightings
from concentra.collect.special_addresses import special_v4, special_v6
from concentra.model.axes import Unit
from concentra.model.population import IPV6_BYTES, FunnelStep, Population, WeightedAddresses
from concentra.model.provenance import Source
from concentra.model.special_addresses import REASONS

Scalar = TypeVar("Scalar", bound=np.generic)

NOT_RECORDED = ("answering", "right network", "synced")
"""Steps of a crawl's funnel that a list of addresses cannot tell."""


def population_of(sightings: Sightings, source: Source, *, subject: str, title: str) -> Population:
    """Return what can be counted of `sightings`, and everything that cannot, by reason.

    Raises
    ------
    NothingToCount
        If no row holds a public address.
    """
    v4, v4_seen = _distinct(np.concatenate(sightings.v4) if sightings.v4 else np.zeros(0, np.uint32))
    v6, v6_seen = _distinct(np.concatenate([np.zeros(0, IPV6_BYTES), *sightings.v6]))
    v4_reason, v6_reason = special_v4(v4), special_v6(v6)
    seen = int(v4_seen.sum() + v6_seen.sum())
    special = _by_reason(np.append(v4_reason, v6_reason), np.append(v4_seen, v6_seen))
    addresses = _each_once(v4[v4_reason == 0], v6[v6_reason == 0])
    if not addresses.total:
        raise NothingToCount(title, sightings.rows, Counter(sightings.dropped) + Counter(special))
    routable = seen - sum(special.values())
    units = {Unit.ADDRESS: addresses, Unit.PREFIX: prefixes_of(addresses)}
    unavailable: dict[Unit, str] = {}
    notes: list[str] = []
    by_node = address_of_nodes(sightings.nodes)
    if by_node:
        units[Unit.NODE] = weigh_addresses(by_node.values())
        notes += _node_notes(sightings, len(by_node))
    else:
        unavailable[Unit.NODE] = "the source carries no node identities"
    funnel = (
        FunnelStep(name="read", left=sightings.rows, unit="rows"),
        _addresses_step(sightings, seen),
        *(
            FunnelStep(name=name, left=None, unit="addresses", note="not recorded by this source")
            for name in NOT_RECORDED
        ),
        FunnelStep(name="routable", left=routable, unit="addresses", dropped=special),
        FunnelStep(
            name="distinct",
            left=addresses.total,
            unit="addresses",
            dropped={"seen again": routable - addresses.total} if routable > addresses.total else {},
        ),
    )
    return Population(
        subject=subject,
        title=title,
        source=source,
        units=units,
        unavailable=unavailable,
        funnel=funnel,
        notes=tuple(notes),
    )


def _each_once(v4: NDArray[np.uint32], v6: NDArray[np.bytes_]) -> WeightedAddresses:
    """Return sorted distinct addresses, each counting one."""
    return WeightedAddresses(
        v4=v4, v4_weight=np.ones(len(v4), np.int64), v6=v6, v6_weight=np.ones(len(v6), np.int64)
    )


def weigh_addresses(addresses: Iterable[IPAddress]) -> WeightedAddresses:
    """Return the distinct addresses, each counting as often as it occurs."""
    counts = Counter(addresses)
    v4 = sorted(int(address) for address in counts if address.version == 4)
    v6 = sorted(int(address) for address in counts if address.version == 6)
    return WeightedAddresses(
        v4=np.array(v4, np.uint32),
        v4_weight=np.array([counts[ipaddress.IPv4Address(number)] for number in v4], np.int64),
        v6=np.array([number.to_bytes(16, "big") for number in v6], IPV6_BYTES),
        v6_weight=np.array([counts[ipaddress.IPv6Address(number)] for number in v6], np.int64),
    )


def prefixes_of(addresses: WeightedAddresses, *, counted: bool = False) -> WeightedAddresses:
    """Return the /24s and /48s that hold the addresses, each standing at its first address.

    Parameters
    ----------
    counted : bool
        Whether a prefix weighs what its addresses weigh together; otherwise it weighs one.
    """
    v4, v4_weight = _summed(addresses.v4 & np.uint32(0xFFFFFF00), addresses.v4_weight)
    masked = addresses.v6.view(np.uint8).reshape(-1, 16).copy()
    masked[:, 6:] = 0
    v6, v6_weight = _summed(masked.view(IPV6_BYTES).ravel(), addresses.v6_weight)
    if counted:
        return WeightedAddresses(v4=v4, v4_weight=v4_weight, v6=v6, v6_weight=v6_weight)
    return _each_once(v4, v6)


def _by_reason(reason: NDArray[np.int64], seen: NDArray[np.int64]) -> Mapping[str, int]:
    """Return how many sightings the public internet cannot reach, by reason."""
    counts = np.zeros(len(REASONS) + 1, np.int64)
    np.add.at(counts, reason, seen)
    return {name: count for name, count in zip(REASONS, counts[1:].tolist(), strict=True) if count}


def _addresses_step(sightings: Sightings, addresses: int) -> FunnelStep:
    dropped = dict(sightings.dropped)
    two = addresses - (sightings.rows - sum(dropped.values()))
    return FunnelStep(
        name="addresses",
        left=addresses,
        unit="addresses",
        dropped=dropped,
        note=f"{two:,} rows name two addresses, IPv4 and IPv6" if two else None,
    )


def address_of_nodes(nodes: Iterable[NodeSighting]) -> Mapping[bytes, IPAddress]:
    """Return for each node the address of its newest record that has a public one, IPv4 before IPv6.

    Of records equally new the first one seen counts.
    """
    newest: dict[bytes, tuple[int, IPAddress]] = {}
    for node in nodes:
        public = [address for address in node.addresses if not _is_special(address)]
        if public and (node.node_id not in newest or node.seq > newest[node.node_id][0]):
            newest[node.node_id] = (node.seq, min(public, key=lambda address: address.version))
    return {node_id: address for node_id, (_, address) in newest.items()}


def _is_special(address: IPAddress) -> bool:
    if isinstance(address, ipaddress.IPv4Address):
        return bool(special_v4(np.array([int(address)], np.uint32))[0])
    if address.ipv4_mapped is not None:
        return _is_special(address.ipv4_mapped)
    return bool(special_v6(np.array([address.packed], IPV6_BYTES))[0])


def _node_notes(sightings: Sightings, nodes: int) -> Iterable[str]:
    without = sightings.rows - sum(sightings.dropped.values()) - len(sightings.nodes)
    if without:
        yield f"{without:,} rows carry no node identity: the unit node leaves them out"
    several = len({node.node_id for node in sightings.nodes}) - nodes
    if several:
        yield f"{several:,} nodes have no public address: the unit node leaves them out"


def _distinct(column: NDArray[Scalar]) -> tuple[NDArray[Scalar], NDArray[np.int64]]:
    """Return the sorted distinct values and how often each occurs."""
    ordered: NDArray[Scalar] = np.sort(column)
    first = _first_of_runs(ordered)
    return ordered[first], np.diff(first, append=len(ordered))


def _summed(column: NDArray[Scalar], weight: NDArray[np.int64]) -> tuple[NDArray[Scalar], NDArray[np.int64]]:
    """Return the distinct values of a sorted column, and the weight of each."""
    if not len(column):
        return column, weight
    first = _first_of_runs(column)
    return column[first], np.add.reduceat(weight, first)


def _first_of_runs(ordered: NDArray[Scalar]) -> NDArray[np.int64]:
    """Return where each new value of a sorted column begins."""
    return np.flatnonzero(np.append(len(ordered) > 0, ordered[1:] != ordered[:-1]))
