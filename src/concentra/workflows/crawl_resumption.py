"""A crawl that goes on: what its rows tell every walk, and whom it may ask although it asked them lately."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import timedelta
from itertools import groupby
from typing import NamedTuple

from concentra.collect.crawl.engine import LONGEST_VISIT_S, Engine
from concentra.collect.crawl.known_nodes import restored
from concentra.errors import UsageProblem
from concentra.model.crawl import ANSWERING, NEVER_CONTACTED, WALKS, NodeRow

LONGEST_VISIT = timedelta(seconds=LONGEST_VISIT_S)
"""Who answered longer before the end, and told of nobody, knew of nobody: its visit was over by then."""


class NothingToResume(UsageProblem):
    """No crawl of the network was stopped or killed."""

    def __init__(self, network: str) -> None:
        super().__init__(f"there is no crawl of {network} to go on with: none was stopped or killed")
        self.network = network
        self.hint = "without --resume a new one begins"


class Interrupted(NamedTuple):
    """What a crawl knew when it was interrupted."""

    rows: Mapping[bytes, Sequence[NodeRow]]
    """By node ID."""
    cut_off: AbstractSet[bytes]
    """Nodes that answered shortly before, and may have been about to tell of others."""

    @property
    def unfinished(self) -> AbstractSet[bytes]:
        """The nodes whose round of questions had begun, and is to be completed."""
        begun = (node for node, rows in self.rows.items() if any(map(_is_half_asked, rows)))
        return {*begun, *self.cut_off}


def interrupted(rows: Iterable[NodeRow]) -> Interrupted:
    """Return what the rows of a crawl, ordered by node ID, tell of the moment of its interruption."""
    by_node = {node: list(of_node) for node, of_node in groupby(rows, key=lambda row: row.node_id)}
    asked = [(row, row.asked_at) for known in by_node.values() for row in known if row.asked_at is not None]
    last = max((at for _, at in asked), default=None)
    cut_off = {
        row.node_id
        for row, at in asked
        if row.outcome in ANSWERING and not row.told and last is not None and at > last - LONGEST_VISIT
    }
    return Interrupted(by_node, cut_off)


def take_up(engines: Sequence[Engine], before: Interrupted) -> None:
    """Give every walk the nodes of its own list, and the first one that knows it what no walk told of.

    Rows of a walk that takes no part this time are left as they are.
    """
    walks = {engine.source: engine for engine in engines}
    for node_id, known in before.rows.items():
        lists = [row for row in known if row.source not in WALKS]
        found = [(walks[row.source], [row]) for row in known if row.source in walks]
        if lists:
            found = found or [(engines[0], [])]
            found[0][1].extend(lists)
        for engine, rows in found:
            engine.restore(restored(rows), cut_off=node_id in before.cut_off)


def _is_half_asked(row: NodeRow) -> bool:
    return row.outcome in NEVER_CONTACTED and row.asked_at is not None
