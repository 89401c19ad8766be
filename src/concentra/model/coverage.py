"""How large a network is: which lists told of its nodes, how they overlap, and what follows from that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from concentra.model.crawl import CrawlSource, CrawlState


class Counted(StrEnum):
    """Which nodes are counted. The estimated size is that of all such nodes, seen or not."""

    ANSWERING = "answering"
    """Those that an audit of a crawl counts: they answered, and say that they are on the network."""
    ANNOUNCED = "announced"
    """All that a list tells of, whatever their network, whether they exist or not."""


NO_NODE_ID = "no node ID"
"""Why a row of an import is left out that names an address only: another unit, which cannot be joined."""


class Method(StrEnum):
    """Where an estimate comes from."""

    CHAPMAN = "chapman"
    """Two lists."""
    LOG_LINEAR = "log-linear"
    """Three lists or more."""
    CHAO2 = "chao2"
    """One source in repeated crawls."""


class Doubt(StrEnum):
    """Why an estimate may be wrong, or tells nothing."""

    NOTHING_SHARED = "nothing-shared"
    """The lists share no node."""
    FEW_SHARED = "few-shared"
    """They share fewer than seven: the estimate is too low, and its interval too narrow."""
    CONTAINED = "contained"
    """One list lies wholly within the other, so that nothing shows what the larger one misses."""
    HIGH_OVERLAP = "high-overlap"
    """They share more than 95 % of the smaller one: was it made from the larger one?"""
    TWO_PROTOCOLS = "two-protocols"
    """A node that speaks one protocol only cannot be on the other's list: perhaps too high."""
    APART = "apart"
    """The sightings span more than 24 hours: nodes that came or left meanwhile count as missed, too high."""
    NOT_ASKED_AGAIN = "not-asked-again"
    """A crawl left nodes out that another had asked within the hour: they count as missed, too high."""
    NO_SINGLES = "no-singles"
    """At most one node was seen in one crawl only, so that nothing shows what all of them missed."""
    NO_DOUBLES = "no-doubles"
    """No node was seen in exactly two crawls: the estimate rests on single sightings alone."""


VOID = frozenset({Doubt.NOTHING_SHARED, Doubt.FEW_SHARED, Doubt.CONTAINED, Doubt.NO_SINGLES})
"""The doubts under which an estimate tells nothing of the size of the network."""

TOO_HIGH = frozenset({Doubt.TWO_PROTOCOLS, Doubt.APART, Doubt.NOT_ASKED_AGAIN})
"""The doubts under which an estimate may be too high, and is no lower bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeEstimate:
    """An estimated number of nodes, seen or not."""

    observed: int
    """Distinct nodes that were seen, by the lists that the estimate rests on."""
    unseen: float
    """Estimated number of nodes that none of these lists holds."""
    standard_error: float
    """Of `unseen`, and so of `total`: of chance alone."""
    low: float
    """Lower end of the interval of `total`; never below `observed`."""
    high: float
    """Upper end of the interval."""
    confidence: float
    """Of the interval, in (0, 1)."""

    @property
    def total(self) -> float:
        """Estimated number of all nodes."""
        return self.observed + self.unseen


@dataclass(frozen=True, slots=True, kw_only=True)
class CrawlSummary:
    """One crawl that was read."""

    name: str
    """What it is called in the lists."""
    state: CrawlState
    started: datetime
    """UTC."""
    ended: datetime | None
    """UTC; None while it is at work, or if it was killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeList:
    """The nodes that one source told of."""

    name: str
    """Name of the source; with that of the crawl where several lists are of one source."""
    source: CrawlSource
    crawl: str
    """The crawl that it was taken from."""
    told: int
    """Distinct node IDs on it, and rows that have none."""
    counted: int
    """Those that belong to the counted population."""
    left_out: Mapping[str, int]
    """The others, by reason."""
    seen_from: datetime | None
    """Earliest last sighting of a counted node, UTC; None if there is no counted node."""
    seen_to: datetime | None
    """Latest one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairOverlap:
    """What two lists have in common."""

    a: str
    b: str
    a_nodes: int
    b_nodes: int
    both: int
    """Nodes on both."""
    estimate: SizeEstimate | None
    """Chapman's; None if the lists share nothing, or one of them holds the other."""
    doubts: tuple[Doubt, ...]

    @property
    def overlap(self) -> float | None:
        """The shared part of the smaller list, in [0, 1]; None if that is empty."""
        smaller = min(self.a_nodes, self.b_nodes)
        return self.both / smaller if smaller else None

    @property
    def at_least(self) -> bool:
        """Whether what can be wrong with the estimate makes it too low."""
        return not TOO_HIGH & {*self.doubts}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """How many nodes are on exactly these lists, and on no other."""

    lists: tuple[str, ...]
    nodes: int


class FitOutcome(StrEnum):
    """How fitting a model ended."""

    FITTED = "fitted"
    INFINITE = "infinite"
    """The likelihood grows towards infinite parameters: the lists do not identify them."""
    NOT_CONVERGED = "not converged"


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedModel:
    """One log-linear model of all lists: which pairs of them depend on each other."""

    interactions: tuple[tuple[str, str], ...]
    """The pairs that may depend on each other; none for the model in which all lists are independent."""
    parameters: int
    degrees_of_freedom: int
    """Observable patterns less parameters; at 0 the model fits whatever was seen."""
    outcome: FitOutcome
    deviance: float | None
    """Twice the log-likelihood that it lacks to fit perfectly; of an infinite model the limit."""
    aic: float | None
    """``deviance + 2 * parameters``."""
    delta_aic: float | None
    """By how much `aic` exceeds the smallest one of the fitted models."""
    estimate: SizeEstimate | None
    """None unless it was fitted."""


AIC_RANGE = 4.0
"""Models whose AIC exceeds the smallest one by less than this are kept: the data hardly tell them apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatedCrawls:
    """One source in several crawls: in how many of them each node was seen."""

    source: CrawlSource
    crawls: tuple[str, ...]
    """Oldest first."""
    nodes: tuple[int, ...]
    """Nodes counted in each, in the same order."""
    seen_in: tuple[int, ...]
    """How many nodes were seen in exactly one crawl, in two, and so on."""
    estimate: SizeEstimate | None
    """Chao2; None if at most one node was seen in one crawl only."""
    doubts: tuple[Doubt, ...]

    @property
    def seen(self) -> int:
        """Distinct nodes that were seen in any of them."""
        return sum(self.seen_in)

    @property
    def at_least(self) -> bool:
        """Whether what can be wrong with the estimate makes it too low."""
        return not TOO_HIGH & {*self.doubts}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """The estimate that answers the question, chosen by a fixed rule."""

    method: Method
    about: tuple[str, ...]
    """Names of the lists, or of the crawls for Chao2."""
    estimate: SizeEstimate
    at_least: bool
    """Whether what can be wrong with the estimate makes it too low."""
    seen: int
    """Distinct nodes that were seen: on any list, or in any of the crawls for Chao2."""

    @property
    def unseen(self) -> float:
        """Estimated nodes that were not seen: unattributed units, in bounds that hold for the network."""
        return max(0.0, self.estimate.total - self.seen)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How much of a network its crawls saw."""

    network: str
    title: str
    counted: Counted
    crawls: tuple[CrawlSummary, ...]
    """Oldest first."""
    lists: tuple[NodeList, ...]
    seen: int
    """Distinct counted nodes on any of `lists`."""
    pairs: tuple[PairOverlap, ...]
    patterns: tuple[Pattern, ...]
    """The combinations of lists on which there are nodes, most nodes first; all others have none."""
    models: tuple[FittedModel, ...]
    """By AIC, those without an estimate last; empty for fewer than three lists."""
    repeated: tuple[RepeatedCrawls, ...]
    lead: Lead | None
    """None if nothing can be said of the unseen nodes."""
    notes: tuple[str, ...]
    """What a reader of the figures must know about the crawls."""

    @property
    def supported(self) -> tuple[FittedModel, ...]:
        """The models that the data hardly tell apart from the best one."""
        return tuple(
            model
            for model in self.models
            if model.estimate is not None and model.delta_aic is not None and model.delta_aic < AIC_RANGE
        )
