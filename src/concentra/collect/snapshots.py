"""Populations without addresses: counts per /24 and /48, in one self-describing CSV.

The file starts with comment lines that hold TOML (where the counts come from, what was dropped, what
the aggregation costs), so that the counts cannot be passed on without their provenance::

    # concentra-snapshot = 1
    # network = "example"
    …
    prefix,addresses
    198.51.100.0/24,3
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import msgspec
import numpy as np

from concentra.collect.address_text import parse_ipv4
from concentra.collect.population import prefixes_of
from concentra.errors import UnreadableFile
from concentra.model.axes import Unit
from concentra.model.documents import toml_text
from concentra.model.population import IPV6_BYTES, FunnelStep, Population, WeightedAddresses
from concentra.model.provenance import Source

MAGIC = b"# concentra-snapshot = "
VERSION = 1
_COLUMNS = b"prefix,addresses\n"
_V4_LENGTH, _V6_LENGTH = 24, 48
_MAX_TOTAL = 2**53  # beyond it neither sums in 64 bits nor shares as floats are exact


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregationCost:
    """Addresses whose entity differs when their prefix is attributed in their stead, by axis."""

    addresses: int
    """How many addresses were aggregated."""
    maps_as_of: date
    """With which maps the cost was measured."""
    moved: Mapping[str, int]
    """Axis → addresses that change their entity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotHeader:
    """What stands in front of the counts."""

    network: str
    title: str
    source: Source
    funnel: tuple[FunnelStep, ...]
    cost: AggregationCost
    notes: tuple[str, ...] = ()


def is_snapshot(head: bytes) -> bool:
    """Tell whether a file that starts with `head` is a snapshot."""
    return head.startswith(MAGIC)


def encode(header: SnapshotHeader, addresses: WeightedAddresses) -> bytes:
    """Return the snapshot of `addresses`: no address, only how many a prefix holds."""
    prefixes = prefixes_of(addresses, counted=True)
    rows = [
        f"{ipaddress.IPv4Address(int(first))}/{_V4_LENGTH},{count}\n"
        for first, count in zip(prefixes.v4, prefixes.v4_weight, strict=True)
    ] + [
        f"{ipaddress.IPv6Address(bytes(first).ljust(16, bytes(1)))}/{_V6_LENGTH},{count}\n"
        for first, count in zip(prefixes.v6, prefixes.v6_weight, strict=True)
    ]
    comments = "".join(f"# {line}".rstrip() + "\n" for line in toml_text(header).rstrip("\n").split("\n"))
    return MAGIC + f"{VERSION}\n{comments}".encode() + _COLUMNS + "".join(rows).encode()


def decode(data: bytes, subject: str) -> tuple[SnapshotHeader, Population]:
    """Return the header and the population of a snapshot.

    Raises
    ------
    UnreadableFile
        If it is of another version, its header lacks something, or a row is no prefix with a count.
    """
    comments, separator, body = data.partition(_COLUMNS)
    first, _, described = comments.partition(b"\n")
    if first != MAGIC + str(VERSION).encode() or not separator:
        raise UnreadableFile(subject, f"wanted a snapshot of version {VERSION}", "update concentra")
    try:
        text = "\n".join(
            line.removeprefix("#").removeprefix(" ") for line in described.decode("utf-8").split("\n")
        )
        header = msgspec.toml.decode(text, type=SnapshotHeader)
        counted = _rows(body)
    except (msgspec.DecodeError, ValueError) as error:
        raise UnreadableFile(subject, f"a damaged snapshot: {error}") from error
    return header, Population(
        subject=subject,
        title=header.title,
        source=header.source,
        aggregated=True,
        units={Unit.ADDRESS: counted, Unit.PREFIX: prefixes_of(counted)},
        unavailable={Unit.NODE: "the source carries no node identities"},
        funnel=header.funnel,
        notes=(*header.notes, _sentence(header.cost)),
    )


def _rows(body: bytes) -> WeightedAddresses:
    v4_text, v4_weight, v6, v6_weight = [], [], [], []
    for line in body.decode("ascii").splitlines():
        prefix, _, count = line.rpartition(",")
        if prefix.endswith("/24"):
            v4_text.append(prefix[:-3])
            v4_weight.append(int(count))
        else:
            network = ipaddress.IPv6Network(prefix)
            if network.prefixlen != _V6_LENGTH:
                raise ValueError(f"wanted a /{_V4_LENGTH} or /{_V6_LENGTH}, found {prefix!r}")
            v6.append(network.network_address.packed)
            v6_weight.append(int(count))
    if min(v4_weight + v6_weight, default=0) < 1:
        raise ValueError("no prefix, or one that holds no address")
    if sum(v4_weight + v6_weight) > _MAX_TOTAL:
        raise ValueError(f"wanted at most {_MAX_TOTAL:,} addresses in all")
    joined = np.frombuffer("\n".join(v4_text).encode("ascii"), np.uint8)
    lengths = np.array([len(text) for text in v4_text], np.int64)
    end = np.cumsum(lengths + 1) - 1
    values, valid = parse_ipv4(joined, end - lengths, end)
    if not valid.all() or (values & 0xFF).any():
        raise ValueError(f"wanted prefixes like 192.0.2.0/24, found {v4_text[int(np.argmin(valid))]!r}")
    if (np.diff(values.astype(np.int64)) <= 0).any() or sorted(set(v6)) != v6:
        raise ValueError("prefixes must be distinct and ascending")
    return WeightedAddresses(
        v4=values,
        v4_weight=np.array(v4_weight, np.int64),
        v6=np.array(v6, IPV6_BYTES),
        v6_weight=np.array(v6_weight, np.int64),
    )


def _sentence(cost: AggregationCost) -> str:
    moved = ", ".join(f"{axis} {count:,}" for axis, count in cost.moved.items())
    return (
        f"addresses are known by their /24 or /48 only: of {cost.addresses:,}, attributing the prefix "
        f"instead of the address moves {moved} (maps of {cost.maps_as_of})"
    )
