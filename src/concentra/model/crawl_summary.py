"""What one crawl found, in counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from concentra.model.crawl import ANSWERING, CrawlManifest, CrawlSource, Outcome
from concentra.model.population import FunnelStep

ON_NETWORK = "synced"
"""The step of the funnel after which those are left that are on the network, on its present fork."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCounts:
    """What one source told of, in nodes; each line holds the next."""

    announced: int = 0
    asked: int = 0
    """Of those, how many were sent a packet."""
    answering: int = 0
    on_network: int = 0
    """Of those, how many say that they are on the network, on its present fork."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CrawlSummary:
    """A crawl without its addresses."""

    manifest: CrawlManifest
    nodes: int
    """Distinct node IDs that any source told of."""
    funnel: tuple[FunnelStep, ...]
    """From those to distinct addresses on the network."""
    sources: Mapping[CrawlSource, SourceCounts]
    outcomes: Mapping[Outcome, int]
    """How asking the nodes ended; adds up to `nodes`."""
    silent_hearsay: int
    """Silent nodes that one /24 or /48 alone told of: whoever invents neighbours makes such."""
    greeted: Mapping[str, int]
    """How RLPx handshakes ended; their number is less than that of the answering nodes."""
    clients: Mapping[str, int]
    """Nodes on the network by the software that they name, largest first; many name none."""
    damaged: int
    """Files of the crawl that were damaged and left out."""

    @property
    def answering(self) -> int:
        """Nodes that answered, whatever their network."""
        return sum(self.outcomes.get(outcome, 0) for outcome in ANSWERING)

    @property
    def on_network(self) -> int | None:
        """How many of them say that they are on the network, on its present fork; None if nobody can tell."""
        return next((step.left for step in self.funnel if step.name == ON_NETWORK), None)
