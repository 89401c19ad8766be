"""Two populations, attributed with the same maps: which units stayed, left, moved and arrived, and where."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from concentra.attribution.attribute import AttributedUnits, attribute
from concentra.attribution.evidence import Attribution
from concentra.attribution.maps import Maps
from concentra.model.axes import PUBLISHABLE_KINDS
from concentra.model.population import IPV6_BYTES, WeightedAddresses
from concentra.model.population_comparison import (
    NOT_TOLD_OF,
    Host,
    ProviderFlow,
    Trait,
    UnitClass,
    Where,
)

IPAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

UNKNOWN_PROVIDER = "unattributed"

Pairs: TypeAlias = "Counter[tuple[Attribution | None, Attribution | None]]"
"""Units by their attribution in old and in new; None where they are not counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownNode:
    """What one population knows of a node."""

    address: IPAddress | None
    """A public one, if the node is counted."""
    left_out: str | None = None
    """Why it is not counted; None if it is."""
    client: str | None = None
    """As it calls its software, with version and more."""
    fork: bytes | None = None
    """Fork hash or fork digest, 4 bytes."""
    network_id: int | None = None


@dataclass(frozen=True, slots=True)
class Flows:
    """The result: see `concentra.model.population_comparison`."""

    classes: tuple[UnitClass, ...]
    traits: tuple[Trait, ...]
    providers: tuple[ProviderFlow, ...]


@dataclass(slots=True)
class _Counts:
    pairs: Pairs = field(default_factory=Counter)
    hosts: Counter[Host] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    arrived: Counter[str] = field(default_factory=Counter)
    compared: Counter[str] = field(default_factory=Counter)
    differ: Counter[str] = field(default_factory=Counter)


def compare_nodes(
    old: Mapping[bytes, KnownNode],
    new: Mapping[bytes, KnownNode],
    maps: Maps,
    networks: Mapping[bytes, frozenset[str]],
) -> Flows:
    """Return how two populations differ, node by node.

    Parameters
    ----------
    old, new : mapping from bytes to KnownNode
        By node ID; nodes that are known and not counted are among them.
    maps : Maps
        For both, so that no difference is theirs.
    networks : mapping from bytes to frozenset of str
        Fork hash or digest → the networks that have or had it.
    """
    attributed = _attributions(
        (node.address for side in (old, new) for node in side.values() if node.left_out is None), maps
    )
    counts = _Counts()
    for node_id in old.keys() | new.keys():
        one, other = old.get(node_id), new.get(node_id)
        before = None if one is None or one.left_out is not None else attributed[one.address]
        after = None if other is None or other.left_out is not None else attributed[other.address]
        if before is None and after is None:
            continue
        counts.pairs[before, after] += 1
        if before is None:
            counts.arrived[one.left_out or "" if one else NOT_TOLD_OF] += 1
        elif after is None:
            counts.left[other.left_out or "" if other else NOT_TOLD_OF] += 1
        elif one is not None and other is not None:
            counts.hosts[_host(one, other, before, after)] += 1
            _compare_traits(one, other, before, after, networks, counts)
    return _flows(counts, maps.names)


def compare_addresses(old: WeightedAddresses, new: WeightedAddresses, maps: Maps) -> Flows:
    """Return how two populations differ, address by address or prefix by prefix; each counts one.

    Parameters
    ----------
    old, new : WeightedAddresses
        Weights do not count. Of prefixes, the first addresses.
    maps : Maps
        For both.
    """
    v4, v6 = np.union1d(old.v4, new.v4), np.union1d(old.v6, new.v6).astype(IPV6_BYTES)
    in_old = np.concatenate([np.isin(v4, old.v4), np.isin(v6, old.v6)])
    in_new = np.concatenate([np.isin(v4, new.v4), np.isin(v6, new.v6)])
    units = attribute(_once(v4, v6), maps)
    counts = _Counts()
    for where, chosen in (
        (Where.BOTH, in_old & in_new),
        (Where.OLD, in_old & ~in_new),
        (Where.NEW, in_new & ~in_old),
    ):
        keys, numbers = np.unique(units.key[chosen], return_counts=True)
        for key, number in zip(keys.tolist(), numbers.tolist(), strict=True):
            known = units.attributions[key]
            pair = (None if where is Where.NEW else known, None if where is Where.OLD else known)
            counts.pairs[pair] += number
        match where:
            case Where.BOTH:
                counts.hosts[Host.SAME] += int(chosen.sum())
            case Where.OLD:
                counts.left[NOT_TOLD_OF] += int(chosen.sum())
            case Where.NEW:
                counts.arrived[NOT_TOLD_OF] += int(chosen.sum())
    return _flows(counts, maps.names)


def _attributions(
    addresses: Iterable[IPAddress | None], maps: Maps
) -> Mapping[IPAddress | None, Attribution]:
    """Return the attribution of each address, concluded once; of None there is none."""
    distinct = {address for address in addresses if address is not None}
    v4 = sorted(int(address) for address in distinct if address.version == 4)
    v6 = sorted(address.packed for address in distinct if address.version == 6)
    units: AttributedUnits = attribute(_once(np.array(v4, np.uint32), np.array(v6, IPV6_BYTES)), maps)
    ordered: list[IPAddress] = [ipaddress.IPv4Address(number) for number in v4]
    ordered += [ipaddress.IPv6Address(packed) for packed in v6]
    return {
        address: units.attributions[key] for address, key in zip(ordered, units.key.tolist(), strict=True)
    }


def _once(v4: NDArray[np.uint32], v6: NDArray[np.bytes_]) -> WeightedAddresses:
    """Return sorted distinct addresses, each counting one."""
    return WeightedAddresses(
        v4=v4, v4_weight=np.ones(len(v4), np.int64), v6=v6, v6_weight=np.ones(len(v6), np.int64)
    )


def _host(one: KnownNode, other: KnownNode, before: Attribution, after: Attribution) -> Host:
    if one.address == other.address:
        return Host.SAME
    if before.provider is None or after.provider is None:
        return Host.UNKNOWN_PROVIDER
    return Host.SAME_PROVIDER if before.provider == after.provider else Host.OTHER_PROVIDER


def _compare_traits(
    one: KnownNode,
    other: KnownNode,
    before: Attribution,
    after: Attribution,
    networks: Mapping[bytes, frozenset[str]],
    counts: _Counts,
) -> None:
    told = [
        ("country", before.country, after.country),
        ("client", _software(one.client), _software(other.client)),
        ("fork", one.fork, other.fork),
        ("network ID", one.network_id, other.network_id),
    ]
    for name, first, second in told:
        if first is not None and second is not None:
            counts.compared[name] += 1
            counts.differ[name] += first != second
    ours, theirs = (networks.get(fork) if fork else None for fork in (one.fork, other.fork))
    if ours is not None and theirs is not None:
        counts.compared["network"] += 1
        counts.differ["network"] += ours.isdisjoint(theirs)


def _software(client: str | None) -> str | None:
    """Return the name before the version: ``geth`` of ``Geth/v1.16.7-stable/linux-amd64/go1.25``."""
    return None if client is None else client.partition("/")[0].strip().lower() or None


TRAITS = ("country", "client", "network", "network ID", "fork")


def _flows(counts: _Counts, names: Mapping[str, str]) -> Flows:
    classes = [
        UnitClass(where=Where.BOTH, what=host.value, units=counts.hosts[host])
        for host in Host
        if counts.hosts[host]
    ]
    for where, reasons in ((Where.OLD, counts.left), (Where.NEW, counts.arrived)):
        classes += [
            UnitClass(where=where, what=what, units=units)
            for what, units in sorted(reasons.items(), key=lambda entry: (-entry[1], entry[0]))
            if units
        ]
    return Flows(
        classes=tuple(classes),
        traits=tuple(
            Trait(name=name, compared=counts.compared[name], differ=counts.differ[name])
            for name in TRAITS
            if counts.compared[name]
        ),
        providers=_providers(counts.pairs, names),
    )


@dataclass(slots=True)
class _Provider:
    name: str = UNKNOWN_PROVIDER
    counts: Counter[str] = field(default_factory=Counter)
    publishable: bool = True


def _providers(pairs: Pairs, names: Mapping[str, str]) -> tuple[ProviderFlow, ...]:
    found: dict[str | None, _Provider] = {}

    def count(known: Attribution, what: str, units: int) -> None:
        provider = found.setdefault(known.provider, _Provider())
        provider.counts[what] += units
        provider.publishable &= known.kind in PUBLISHABLE_KINDS
        if known.provider is not None:
            provider.name = names.get(known.provider) or known.organisation or known.provider

    for (before, after), units in pairs.items():
        if before is not None:
            count(before, "old", units)
            if after is None:
                count(before, "left", units)
            elif after.provider != before.provider:
                count(before, "moved_out", units)
        if after is not None:
            count(after, "new", units)
            if before is None:
                count(after, "arrived", units)
            elif after.provider != before.provider:
                count(after, "moved_in", units)
    old, new = (sum(one.counts[side] for one in found.values()) for side in ("old", "new"))
    return tuple(
        ProviderFlow(
            id=provider,
            name=one.name,
            old=one.counts["old"],
            new=one.counts["new"],
            left=one.counts["left"],
            arrived=one.counts["arrived"],
            moved_out=one.counts["moved_out"],
            moved_in=one.counts["moved_in"],
            publishable=one.publishable,
        )
        for provider, one in sorted(
            found.items(),
            key=lambda entry: (
                entry[0] is None,
                # the larger of two shares, as integers of one denominator
                -max(entry[1].counts["old"] * new, entry[1].counts["new"] * old),
                entry[0] or "",
            ),
        )
    )
