"""Rows of a crawl → a population: who answered, who is on the network, and who was left out and why."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from itertools import groupby
from typing import NamedTuple, assert_never

from concentra.collect.address_forms import IPAddress, unmapped
from concentra.collect.belonging import ON_THE_NETWORK, Belonging, Membership
from concentra.collect.population import prefixes_of, weigh_addresses
from concentra.errors import ConcentraError
from concentra.model.axes import Among, Unit
from concentra.model.crawl import (
    ANSWERING,
    NEVER_CONTACTED,
    CrawlManifest,
    CrawlSource,
    CrawlState,
    NodeRow,
    Outcome,
)
from concentra.model.population import FunnelStep, Population
from concentra.model.provenance import Source
from concentra.model.special_addresses import special_reason

PUBLISHER = "this machine's own crawl"
LICENCE = "own observation: publish counts, not addresses"
NO_ADDRESS = "no address"
BY_FORK = "told from fork IDs; whether the head of a chain is recent is not recorded"

Judge = Callable[[NodeRow], Belonging]
"""Tells whether a node is on the network that was crawled, by its own statements."""


class Step(StrEnum):
    """A step from the nodes that were told of to those that count."""

    DISCOVERED = "discovered"
    ANSWERING = "answering"
    RIGHT_NETWORK = "right network"
    SYNCED = "synced"
    ROUTABLE = "routable"


_NOT_TAKEN: Mapping[Among, AbstractSet[Step]] = {
    Among.ANNOUNCED: {Step.ANSWERING, Step.RIGHT_NETWORK, Step.SYNCED},
    Among.RESPONDING: {Step.RIGHT_NETWORK, Step.SYNCED},
    Among.NETWORK: frozenset(),
}


class LeftOut(NamedTuple):
    """Where a node was left out, and why."""

    step: Step
    reason: str


class JudgedNode(NamedTuple):
    """A node, and whether it counts."""

    row: NodeRow
    """What all sources know of it together."""
    sources: tuple[CrawlSource, ...]
    """Those that told of it."""
    address: IPAddress | None
    """Where it answered, else where it is said to be."""
    left_out: LeftOut | None
    """None if it counts."""


class NobodyLeft(ConcentraError):
    """Of all nodes that a crawl was told of, none can be counted."""

    def __init__(self, title: str, nodes: int, left_out: Mapping[str, int]) -> None:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in left_out.items())
        super().__init__(f"{title}: of {nodes:,} nodes none is left to count ({reasons})")
        self.left_out = dict(left_out)


@dataclass(frozen=True, slots=True, kw_only=True)
class CrawlNodes:
    """The nodes of a crawl, merged and judged anew whenever they are gone through; none is kept."""

    rows: Iterable[NodeRow]
    """Ordered by node ID; gone through once for each time that this is."""
    ourselves: AbstractSet[bytes]
    """Node IDs of crawlers of ours."""
    judge: Judge | None
    """None where nothing is known of the network: then it is not asked for."""
    among: Among = Among.NETWORK

    def __iter__(self) -> Iterator[JudgedNode]:
        """Yield every node once.

        Raises
        ------
        ValueError
            If the rows are not in order of their node ID.
        """
        before = b""
        for node_id, of_node in groupby(self.rows, key=lambda row: row.node_id):
            if node_id < before:
                raise ValueError("wanted the rows in order of their node ID")
            before = node_id
            rows = list(of_node)
            row = merged(rows)
            address = None if row.address is None else unmapped(ipaddress.ip_address(row.address))
            sources = tuple(one.source for one in rows)
            yield JudgedNode(row, sources, address, self._left_out(row, address))

    def _left_out(self, row: NodeRow, address: IPAddress | None) -> LeftOut | None:
        if row.outcome is Outcome.OURSELVES or row.node_id in self.ourselves:
            return LeftOut(Step.DISCOVERED, Outcome.OURSELVES.value)
        if self.among is not Among.ANNOUNCED and row.outcome not in ANSWERING:
            return LeftOut(Step.ANSWERING, row.outcome.value)
        if self.among is Among.NETWORK and self.judge is not None:
            elsewhere = _elsewhere(self.judge(row))
            if elsewhere is not None:
                return elsewhere
        reason = NO_ADDRESS if address is None else special_reason(address)
        return None if reason is None else LeftOut(Step.ROUTABLE, reason)


def merged(rows: Sequence[NodeRow]) -> NodeRow:
    """Return what several sources know of one node as one row.

    It answered if any of them has it answer, and stands where it answered last. Its record is the one with
    the highest number, its Status the newest one.

    Parameters
    ----------
    rows : sequence of NodeRow
        At least one, all of one node.
    """
    if len(rows) == 1:
        return rows[0]
    base = max(rows, key=_weight)
    signed = max(rows, key=lambda row: (row.record is not None, row.seq or 0, row.last_seen))
    said = max(rows, key=_freshness)
    named = max(rows, key=lambda row: (row.client is not None, row.last_seen))
    return replace(
        base,
        address=base.address or next((row.address for row in rows if row.address), None),
        record=signed.record,
        seq=signed.seq,
        first_seen=min(row.first_seen for row in rows),
        last_seen=max(row.last_seen for row in rows),
        announcers=max(row.announcers for row in rows),
        told=max(row.told for row in rows),
        dialled=next((row.dialled for row in (said, named, *rows) if row.dialled is not None), None),
        client=named.client,
        capabilities=named.capabilities,
        network_id=said.network_id,
        genesis=said.genesis,
        fork_hash=said.fork_hash,
        fork_next=said.fork_next,
        head=said.head,
    )


def _weight(row: NodeRow) -> tuple[bool, bool, bool, bool, datetime]:
    """Return what makes one row of a node count before another."""
    return (
        row.outcome is Outcome.OURSELVES,
        row.outcome in ANSWERING,
        row.outcome not in NEVER_CONTACTED,
        row.outcome is not Outcome.NOT_ASKED,  # the one reason that says nothing about the node
        row.last_seen,
    )


def _freshness(row: NodeRow) -> tuple[bool, int, datetime]:
    """Return what makes the fork of one row count before that of another: a Status, else a newer record."""
    has_status = row.genesis is not None
    return has_status, 0 if has_status else (row.seq or 0), row.last_seen


def _elsewhere(found: Belonging) -> LeftOut | None:
    """Return why a node is not counted on the network; None if it is."""
    if found.membership is Membership.RIGHT:
        return None
    if found.membership in ON_THE_NETWORK:
        return LeftOut(Step.SYNCED, found.membership.value.partition(", ")[2])
    if found.membership is Membership.OTHER_NETWORK and found.network is not None:
        return LeftOut(Step.RIGHT_NETWORK, f"{found.membership.value}: {found.network}")
    return LeftOut(Step.RIGHT_NETWORK, found.membership.value)


def population_of_crawl(
    nodes: CrawlNodes, manifest: CrawlManifest, *, subject: str, rows: int, sha256: str, lost: int
) -> Population:
    """Return what can be counted of a crawl, and everything that cannot, by reason.

    Parameters
    ----------
    nodes : CrawlNodes
    manifest : CrawlManifest
    subject : str
        What the user called it.
    rows : int
        How many rows were read.
    sha256 : str
        Of what was read, in hexadecimal.
    lost : int
        How many parts of the crawl were damaged and left out.

    Raises
    ------
    NobodyLeft
        If no node is left.
    """
    counts = _Counts()
    for node in nodes:
        counts.add(node)
    title = _title(manifest, nodes.among)
    if not counts.addresses:
        raise NobodyLeft(title, counts.nodes, sum(counts.left_out.values(), Counter()))
    by_node = weigh_addresses(counts.addresses)
    addresses = weigh_addresses(set(counts.addresses))
    return Population(
        subject=subject,
        title=title,
        source=Source(
            name=f"crawl of {manifest.network}",
            publisher=PUBLISHER,
            as_of=manifest.started.astimezone(UTC).date(),
            licence=LICENCE,
            sha256=sha256,
            rows=rows,
            limits=tuple(_limits(counts, manifest, lost)),
        ),
        units={Unit.NODE: by_node, Unit.ADDRESS: addresses, Unit.PREFIX: prefixes_of(addresses)},
        unavailable={},
        funnel=tuple(_funnel(counts, nodes, addresses.total)),
        notes=tuple(_notes(counts, nodes, manifest)),
    )


def funnel_of(
    nodes: CrawlNodes, observed: Callable[[JudgedNode], None] = lambda _: None
) -> tuple[FunnelStep, ...]:
    """Return the steps from all nodes of a crawl to the distinct addresses of those that count.

    Parameters
    ----------
    nodes : CrawlNodes
    observed : callable
        Told of every node as it goes by, since going through all of them takes a while.
    """
    counts = _Counts()
    for node in nodes:
        counts.add(node)
        observed(node)
    return tuple(_funnel(counts, nodes, len(set(counts.addresses))))


class _Counts:
    """What was counted while the nodes went by."""

    def __init__(self) -> None:
        self.nodes = 0
        self.sources: Counter[CrawlSource] = Counter()
        self.left_out: dict[Step, Counter[str]] = {step: Counter() for step in Step}
        self.addresses: list[IPAddress] = []
        """Of the nodes that count, one each."""
        self.silent: Counter[str] = Counter()
        self.not_asked: Counter[str] = Counter()

    def add(self, node: JudgedNode) -> None:
        """Count a node."""
        outcome = node.row.outcome
        self.nodes += 1
        self.sources.update(set(node.sources))
        if node.left_out is not None:
            self.left_out[node.left_out.step][node.left_out.reason] += 1
        elif node.address is not None:
            self.addresses.append(node.address)
        if node.left_out is not None and node.left_out.step is Step.DISCOVERED:
            return
        if outcome in NEVER_CONTACTED:
            self.not_asked[outcome.value] += 1
        elif outcome not in ANSWERING:
            self.silent[outcome.value] += 1


def _title(manifest: CrawlManifest, among: Among) -> str:
    crawl = f"{manifest.title}: local crawl of {_minute(manifest.started)}"
    match among:
        case Among.ANNOUNCED:
            return f"{crawl}, all nodes that were told of"
        case Among.RESPONDING:
            return f"{crawl}, all nodes that answered"
        case Among.NETWORK:
            return crawl
        case _:
            assert_never(among)


def _funnel(counts: _Counts, nodes: CrawlNodes, addresses: int) -> Iterator[FunnelStep]:
    """Yield the steps that the population went through, in nodes; the last one in addresses."""
    left = counts.nodes
    for step in Step:
        dropped = counts.left_out[step]
        left -= dropped.total()
        if step in _NOT_TAKEN[nodes.among]:
            continue
        if step in {Step.RIGHT_NETWORK, Step.SYNCED} and nodes.judge is None:
            yield FunnelStep(name=step.value, unit="nodes", note="nothing is known of the network's forks")
        else:
            note = BY_FORK if step is Step.SYNCED else None
            yield FunnelStep(
                name=step.value, left=left, unit="nodes", dropped=dict(dropped.most_common()), note=note
            )
    again = left - addresses
    yield FunnelStep(
        name="distinct",
        left=addresses,
        unit="addresses",
        dropped={"at the address of another": again} if again else {},
    )


def _limits(counts: _Counts, manifest: CrawlManifest, lost: int) -> Iterator[str]:
    """Yield what the crawl cannot tell."""
    known = counts.nodes - counts.left_out[Step.DISCOVERED].total()
    yield "seen from one place, this machine: nodes that it cannot reach may answer others"
    if counts.silent:
        yield (
            f"{counts.silent.total():,} of {known:,} nodes were asked and did not answer as they should; "
            "that does not mean that they are not there: they may be behind NAT or a firewall, full, or gone"
        )
    if counts.not_asked:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in counts.not_asked.most_common())
        yield f"{counts.not_asked.total():,} of {known:,} nodes were never asked ({reasons})"
    if manifest.state is not CrawlState.COMPLETE:
        how = "stopped" if manifest.ended is not None else "cut off"
        yield f"the crawl was {how} before it was complete: nodes that nobody had told of by then are missing"
    if lost:
        parts = "part of the crawl is" if lost == 1 else "parts of the crawl are"
        yield f"{lost:,} {parts} damaged and left out"


def _notes(counts: _Counts, nodes: CrawlNodes, manifest: CrawlManifest) -> Iterator[str]:
    """Yield how the nodes were found and chosen."""
    ended = "" if manifest.ended is None else f" to {_minute(manifest.ended)}"
    told = ", ".join(f"{source.value} {count:,}" for source, count in counts.sources.most_common())
    yield f"crawled from {_minute(manifest.started)}{ended} by {manifest.tool}"
    yield f"nodes by source: {told}" + (" (several may tell of one)" if len(counts.sources) > 1 else "")
    if nodes.among is Among.NETWORK and nodes.judge is None:
        yield "no facts about the network are at hand, so nodes of other networks may be among those counted"
    yield f"its rows hold addresses and are kept until {manifest.expires.astimezone(UTC).date()}"


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
