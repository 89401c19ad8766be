"""Claims about a network as values: what is said, how it can be read, and what the counts say of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from fractions import Fraction
from typing import TypeAlias

from concentra.model.axes import Denominator, Unit


class Relation(StrEnum):
    """How the figure is said to stand to the value; each is a set of figures that make the claim true."""

    APPROXIMATELY = "approximately"
    """Within `tolerance` of the value, both ends included."""
    NEARLY = "nearly"
    """Below the value by at most `tolerance`, the value itself left out."""
    AT_LEAST = "at least"
    AT_MOST = "at most"
    MORE_THAN = "more than"
    LESS_THAN = "less than"
    BETWEEN = "between"
    """From `value` to `upper`, both included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareOfSet:
    """The share that some named providers hold together."""

    members: tuple[str, ...]
    """Identifiers of providers, sorted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareOfLargest:
    """The share that the `count` largest providers hold together, whoever they are."""

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareHosted:
    """The share of units on hosting or edge networks, of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareInRegion:
    """The share of units in one region of a provider."""

    region: str
    """``aws/us-east-1``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IsLargest:
    """Whether some named providers are exactly the largest ones; 1 if so, else 0."""

    members: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetEffectiveNumber:
    """As how many equal providers the named ones are concentrated among themselves: 1/HHI within the set."""

    members: tuple[str, ...]


Quantity: TypeAlias = (
    ShareOfSet | ShareOfLargest | ShareHosted | ShareInRegion | IsLargest | SetEffectiveNumber
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Atom:
    """One figure and what is said of it."""

    name: str
    """What it is called in a report: ``share``, ``who``, ``comparable size``."""
    quantities: tuple[Quantity, ...]
    """The ways in which the words can be meant, the literal one first; each is a reading."""
    relation: Relation
    value: Fraction
    """A share in [0, 1], or an effective number of at least 1."""
    upper: Fraction | None = None
    """Of `Relation.BETWEEN`."""
    tolerance: Fraction = Fraction(5, 100)
    """Of `APPROXIMATELY` and `NEARLY`, in the unit of `value`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimSource:
    """Where a claim was made."""

    publisher: str
    url: str | None
    on: date | None
    wording: str
    """The words as they stood, in quotation marks or in ours where only a paraphrase is at hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A statement about a network, as it is tested: atoms that must all hold."""

    id: str
    text: str
    """The sentence, as people repeat it."""
    network: str
    atoms: tuple[Atom, ...]
    denominators: tuple[Denominator, ...]
    """The wholes that the words can be meant of, the literal one first."""
    units: tuple[Unit, ...]
    """What "nodes" can be counted in; those that a population does not support are named and left out."""
    sources: tuple[ClaimSource, ...] = ()
    notes: tuple[str, ...] = ()
    """What a reader must be told whatever the verdict is: that nodes are not stake, for instance."""
    confidence: Fraction = Fraction(95, 100)


class Verdict(StrEnum):
    """What the counts say of a claim under one reading, or under all of them."""

    SUPPORTED = "supported"
    """Every figure that the counts and their sampling allow makes it true."""
    REFUTED = "refuted"
    """None does."""
    UNDECIDED = "undecided"
    """Some do."""
    DEPENDS = "depends on the definition"
    """Of all readings together: they do not agree."""


class Reason(StrEnum):
    """Why a reading is undecided."""

    ATTRIBUTION = "attribution"
    """It would be decided if no unit were unattributed."""
    SAMPLING = "sampling"
    """It would be decided if another draw of the same networks gave the same figure."""
    BOTH = "attribution and sampling"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One way to understand one atom on one population."""

    population: str
    """Name of the dated population."""
    as_of: date | None
    filter: str
    """Which nodes were counted: ``as published``, ``network``, ``responding``, ``announced``."""
    unit: Unit
    denominator: Denominator
    quantity: Quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure with everything that it may be."""

    value: float
    """With each unattributed unit a provider of its own; in the unit of the quantity."""
    lower: float
    upper: float
    """What it can be, whoever the unattributed units belong to: the identification interval."""
    low: float
    high: float
    """The Imbens–Manski interval around those bounds; equal to them where nothing was sampled."""
    n: int
    """Units of the denominator that belong to it for certain."""
    unattributed: int
    """Units that may belong to anybody, or whose denominator is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """The verdict of one reading."""

    reading: Reading
    estimate: Estimate
    verdict: Verdict
    reason: Reason | None
    """Of an undecided one."""
    breakdown: Fraction | None
    """Smallest share of the units that would have to belong to others than they do for another verdict;
    None if no such shift can change it."""
    largest: tuple[str, ...] = ()
    """Of `IsLargest` and `ShareOfLargest`: who the largest are, by what is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Untested:
    """A reading that a population does not support, and why."""

    reading: Reading
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Separation:
    """The shortest set of choices that tells which verdict a reading gets."""

    choices: tuple[tuple[Mapping[str, str], Verdict], ...]
    """Each set of choices, as ``{"denominator": "hosted"}``, with the verdict that it leads to."""
    is_complete: bool
    """Whether every reading is told by them; otherwise some differ in ways that no two choices tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AtomVerdict:
    """What all readings of one atom say together."""

    atom: Atom
    tested: tuple[Tested, ...]
    untested: tuple[Untested, ...]
    verdict: Verdict
    counts: Mapping[Verdict, int]
    """How many readings say what."""
    separation: Separation | None
    """None where all agree."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimVerdict:
    """What the counts say of a claim."""

    claim: Claim
    atoms: tuple[AtomVerdict, ...]
    literal: Verdict
    """Of the literal reading on the newest population: refuted if any atom is, supported if all are."""
    verdict: Verdict
    """Of all readings."""
    literally: tuple[Tested, ...] = ()
    """The literal reading of each atom on the newest population that has it, as `literal` sums them up."""
