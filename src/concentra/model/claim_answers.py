"""A claim's verdict with what must stand beside it: which populations were asked, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from concentra.model.claims import ClaimVerdict
from concentra.model.provenance import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedPopulation:
    """A population that a claim was put to."""

    name: str
    as_of: date | None
    title: str
    sources: tuple[Source, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimAnswer:
    """What a claim was put to, and what came of it."""

    verdict: ClaimVerdict
    populations: tuple[AskedPopulation, ...]
    """In order of date."""
    echo: str
    """How the claim was understood, in words; several lines."""
    provider_names: Mapping[str, str]
    """Identifier → name."""
    history: bool = False
    """Whether every dated population was asked."""
    sampling: str = "none"
    """How chance was reckoned with."""
