"""What the user named → its population, and what is known of each of its nodes, counted or not."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from concentra.attribution.population_flows import KnownNode
from concentra.collect.address_forms import IPAddress
from concentra.collect.crawl_population import CrawlNodes
from concentra.collect.import_population import left_out_because, tells_outcomes
from concentra.collect.node_files import NodeSighting, Sightings
from concentra.collect.population import address_of_nodes
from concentra.errors import UsageProblem
from concentra.model.axes import Unit
from concentra.model.crawl import NodeRow
from concentra.model.population import Population
from concentra.workflows.parquet_audit import ParquetPopulation
from concentra.workflows.subjects import Observed, load_subject


class NotComparable(UsageProblem):
    """A population keeps no unit that another one could be matched with."""

    def __init__(self, subject: str) -> None:
        super().__init__(f"{subject} is counted by row, and keeps no unit that another could be matched with")
        self.subject = subject
        self.hint = "name a node file, a network or a crawl"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPopulation:
    """A population, and what is known of its nodes."""

    population: Population
    nodes: Mapping[bytes, KnownNode] | None
    """By node ID; None where the source carries no identities."""


def load_known(
    subject: str,
    *,
    column: str | None = None,
    as_of: date | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> KnownPopulation:
    """Return the population that `subject` names, with its nodes.

    The parameters are those of `load_subject`.

    Raises
    ------
    NotComparable
        If it is a population of Parquet files.
    UnknownSubject, UnreadableFile
        As `load_subject` does.
    """
    made_of: list[Observed] = []
    population = load_subject(subject, column=column, as_of=as_of, progress=progress, observed=made_of.append)
    if isinstance(population, ParquetPopulation):
        raise NotComparable(population.subject)
    nodes = _nodes(made_of[0]) if made_of and Unit.NODE in population.units else None
    return KnownPopulation(population=population, nodes=nodes)


def _nodes(seen: Observed) -> Mapping[bytes, KnownNode]:
    match seen:
        case Sightings():
            return _of_sightings(seen.nodes)
        case CrawlNodes():
            return {
                node.row.node_id: _known(
                    node.row, node.address, None if node.left_out is None else node.left_out.reason
                )
                for node in seen
            }
        case _:
            return _of_rows(seen)


def _of_sightings(sightings: Iterable[NodeSighting]) -> Mapping[bytes, KnownNode]:
    """Return the nodes of a node file, each where the population counts it."""
    sightings = list(sightings)
    addresses = address_of_nodes(sightings)
    forks: dict[bytes, tuple[int, bytes | None]] = {}
    for node in sightings:
        if node.node_id not in forks or node.seq > forks[node.node_id][0]:
            forks[node.node_id] = node.seq, node.fork
    return {
        node_id: KnownNode(
            address=addresses.get(node_id),
            left_out=None if node_id in addresses else "no public address",
            fork=fork,
        )
        for node_id, (_, fork) in forks.items()
    }


def _of_rows(rows: Sequence[NodeRow]) -> Mapping[bytes, KnownNode]:
    outcomes = tells_outcomes(rows)
    return {
        row.node_id: _known(
            row,
            None if row.address is None else ipaddress.ip_address(row.address),
            left_out_because(row, outcomes=outcomes),
        )
        for row in rows
    }


def _known(row: NodeRow, address: IPAddress | None, left_out: str | None) -> KnownNode:
    return KnownNode(
        address=address,
        left_out=left_out,
        client=row.client,
        fork=row.fork_hash,
        network_id=row.network_id,
    )
