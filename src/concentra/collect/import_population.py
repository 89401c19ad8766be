"""Rows of another crawler's file → a population: who answered, who can be counted, and who was left out."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Sequence
from datetime import date

from concentra.collect.address_forms import IPAddress
from concentra.collect.errors import NothingToCount
from concentra.collect.imports import ImportTally
from concentra.collect.population import prefixes_of, weigh_addresses
from concentra.model.axes import Unit
from concentra.model.crawl import ANSWERING, NodeRow, Outcome
from concentra.model.population import FunnelStep, Population
from concentra.model.provenance import Source
from concentra.model.special_addresses import special_reason

NETWORKS_SHOWN = 4

NOT_RECORDED = "not recorded by this source"
NO_ADDRESS = "no address"


def tells_outcomes(rows: Sequence[NodeRow]) -> bool:
    """Tell whether a file says of its nodes whether they answered."""
    return any(row.outcome is not Outcome.NOT_ASKED for row in rows)


def day_of(rows: Sequence[NodeRow]) -> date | None:
    """Return the day on which the last node answered, or else was seen."""
    answered = [row.last_seen for row in rows if row.outcome in ANSWERING]
    last = max(answered or [row.last_seen for row in rows], default=None)
    return None if last is None else last.date()


def left_out_because(row: NodeRow, *, outcomes: bool) -> str | None:
    """Return why a node is not counted; None if it is.

    Parameters
    ----------
    row : NodeRow
    outcomes : bool
        Whether its file tells who answered; see `tells_outcomes`.
    """
    if outcomes and row.outcome not in ANSWERING:
        return row.outcome.value
    if row.address is None:
        return NO_ADDRESS
    return special_reason(ipaddress.ip_address(row.address))


def population_of_import(
    rows: Sequence[NodeRow],
    tally: ImportTally,
    source: Source,
    *,
    subject: str,
    title: str,
    by_node: bool,
) -> Population:
    """Return what can be counted of `rows`, and everything that cannot, by reason.

    Nodes that did not answer are left out where the file tells; nodes of other networks are not, since a
    file names none that would be the right one.

    Parameters
    ----------
    rows : sequence of NodeRow
        At most one for each node.
    tally : ImportTally
        Of the rows of the file.
    by_node : bool
        Whether the rows are nodes; otherwise each is an address.

    Raises
    ------
    NothingToCount
        If no node that answered has a public address.
    """
    unit = "nodes" if by_node else "addresses"
    silent: Counter[str] = Counter()
    special: Counter[str] = Counter()
    counted: list[IPAddress] = []
    outcomes = tells_outcomes(rows)
    for row in rows:
        reason = left_out_because(row, outcomes=outcomes)
        if reason is None and row.address is not None:
            counted.append(ipaddress.ip_address(row.address))
        elif reason is not None:
            (silent if outcomes and row.outcome not in ANSWERING else special)[reason] += 1
    addresses = weigh_addresses(set(counted))
    if not counted:
        raise NothingToCount(title, tally.read, Counter(tally.dropped) + silent + special)
    units = {Unit.ADDRESS: addresses, Unit.PREFIX: prefixes_of(addresses)}
    unavailable = {}
    if by_node:
        units[Unit.NODE] = weigh_addresses(counted)
    else:
        unavailable[Unit.NODE] = "the source carries no node identities"
    answering = len(rows) - silent.total()
    again = len(counted) - addresses.total
    networks = _networks(rows)
    return Population(
        subject=subject,
        title=title,
        source=source,
        units=units,
        unavailable=unavailable,
        funnel=(
            FunnelStep(name="read", left=tally.read, unit="rows"),
            FunnelStep(
                name="addresses" if not by_node else "nodes",
                left=len(rows),
                unit=unit,
                dropped=dict(tally.dropped),
            ),
            FunnelStep(name="answering", left=answering, unit=unit, dropped=dict(silent))
            if outcomes
            else FunnelStep(name="answering", unit=unit, note=NOT_RECORDED),
            FunnelStep(name="right network", unit=unit, note=NOT_RECORDED)
            if networks is None
            else FunnelStep(name="of any network", left=answering, unit=unit, note=networks),
            FunnelStep(name="synced", unit=unit, note=NOT_RECORDED),
            FunnelStep(name="routable", left=len(counted), unit=unit, dropped=dict(special)),
            FunnelStep(
                name="distinct",
                left=addresses.total,
                unit="addresses",
                dropped={"at the address of another": again} if again else {},
            ),
        ),
        notes=(*([] if networks is None else [networks]), *_emptied(tally)),
    )


def _networks(rows: Sequence[NodeRow]) -> str | None:
    """Return which networks the nodes name; None if the file holds nothing of the kind."""
    told = Counter(
        f"network {row.network_id}" if row.fork_hash is None else f"fork 0x{row.fork_hash.hex()}"
        for row in rows
        if row.fork_hash is not None or row.network_id is not None
    )
    if not told:
        return None
    shown = ", ".join(f"{name} {count:,}" for name, count in _largest(told))
    further = len(told) - NETWORKS_SHOWN
    return (
        f"{told.total():,} of {len(rows):,} nodes say on which network they are: {shown}"
        f"{f', and {further:,} more' if further > 0 else ''}; all are counted, since a file names none"
    )


def _largest(told: Counter[str]) -> list[tuple[str, int]]:
    return sorted(told.items(), key=lambda entry: (-entry[1], entry[0]))[:NETWORKS_SHOWN]


def _emptied(tally: ImportTally) -> list[str]:
    if not tally.emptied:
        return []
    fields = ", ".join(f"{field} {count:,}" for field, count in sorted(tally.emptied.items()))
    return [f"fields that hold something else than the format says were taken for empty: {fields}"]
