"""Attributed units, completed by what the registries say of addresses that no map covers."""

from __future__ import annotations

import ipaddress
from dataclasses import replace

import numpy as np

from concentra.attribution.attribute import AttributedUnits
from concentra.attribution.evidence import Attribution
from concentra.attribution.explain import IPAddress
from concentra.attribution.map_tables import MapTables
from concentra.model.population import WeightedAddresses
from concentra.workflows.locate import Asking


def with_online(
    units: AttributedUnits, addresses: WeightedAddresses, tables: MapTables, ask: Asking
) -> tuple[AttributedUnits, list[str]]:
    """Return `units` with the answers, and what the report has to say of the asking.

    Parameters
    ----------
    units : AttributedUnits
        Of `addresses`, in their order.
    addresses : WeightedAddresses
    tables : MapTables
        What `units` were attributed with.
    ask : callable
    """
    uncovered = np.array(
        [not known.origins and known.provider is None for known in units.attributions], np.bool_
    )
    rows = np.flatnonzero(uncovered[units.key]).tolist()
    by_row = {row: _address(addresses, row) for row in rows}
    answers = ask(list(by_row.values()))
    attributions = list(units.attributions)
    number: dict[Attribution, int] = {}
    key = units.key.copy()
    days: set[str] = set()
    for row, address in by_row.items():
        answer = answers.get(address)
        if answer is None:
            continue
        evidence = tables.evidence(tables.row(address.version, int(address)).evidence)
        known = tables.concluded(answer.added_to(evidence))
        if known not in number:
            number[known] = len(attributions)
            attributions.append(known)
        key[row] = number[known]
        days.update(answer.dates.values())
    note = f"asked online about {len(rows):,} addresses that no map covers: {len(answers):,} answered"
    dated = f" ({min(days)} to {max(days)})" if days else ""
    return replace(units, key=key, attributions=tuple(attributions)), [note + dated] if rows else []


def _address(addresses: WeightedAddresses, row: int) -> IPAddress:
    """Return the address of a row: IPv4 rows come first."""
    if row < len(addresses.v4):
        return ipaddress.IPv4Address(int(addresses.v4[row]))
    packed = bytes(addresses.v6[row - len(addresses.v4)]).ljust(16, b"\0")
    return ipaddress.IPv6Address(packed)
