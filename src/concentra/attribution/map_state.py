"""Which sets of maps are on this machine, and what a change did to them: values, for reports."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path

from concentra.attribution.map_profile import Figure, MapProfile
from concentra.model.provenance import Source

MAX_AGE_DAYS = 90
"""Maps and sources that are older are called old."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InUse:
    """The set of maps that commands use when they are told no other."""

    directory: Path
    shipped: bool
    """Whether it came with concentra; otherwise an update installed it."""
    as_of: date | None
    """None where the set is damaged."""
    damage: tuple[str, ...] = ()
    """A sentence for each file that is not the one that PROVENANCE.toml describes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MapStatus:
    """What is known of the maps in use, and of the others that are installed."""

    today: date
    in_use: InUse
    built_by: str
    """Program and version; empty where the set is damaged."""
    sources: tuple[Source, ...]
    profile: MapProfile | None
    """None where the set is damaged."""
    installed: tuple[str, ...]
    """Names of the installed sets, oldest first."""
    current: str | None
    """The one that was installed last or returned to; shipped maps that are newer are used in its place."""

    def age(self, as_of: date) -> int:
        """Return days from `as_of` to today."""
        return (self.today - as_of).days

    @property
    def old(self) -> dict[str, int]:
        """Name → age in days of everything that is older than `MAX_AGE_DAYS`: the maps and their sources."""
        dates = {"the maps": self.in_use.as_of} | {source.name: source.as_of for source in self.sources}
        ages = {name: self.age(as_of) for name, as_of in dates.items() if as_of is not None}
        return {name: age for name, age in ages.items() if age > MAX_AGE_DAYS}


class Outcome(StrEnum):
    """What an update came to."""

    INSTALLED = "installed"
    UNCHANGED = "unchanged"
    """The maps in use were made of the same files by the same version."""
    CHECKED = "checked"
    """Built and compared, and not to be installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MapUpdate:
    """What an update did."""

    outcome: Outcome
    before: InUse
    """What was in use when it began."""
    now: InUse
    """What is in use when it is done."""
    as_of: date
    """Of the maps that were built; of those in use where none were."""
    feeds: int
    """How many files were asked for."""
    changed: tuple[str, ...]
    """Feeds whose bytes are others than those kept from before."""
    skipped: tuple[str, ...] = ()
    """A sentence for each packaged file that was left out."""
    figures: tuple[Figure, ...] = ()
    """What was compared; empty where nothing was built."""
    warnings: tuple[str, ...] = ()
    """A sentence for each curated provider that is registered under other names than the curated ones."""

    @property
    def failed(self) -> tuple[Figure, ...]:
        """The figures beyond their distance; some only if they were accepted."""
        return tuple(figure for figure in self.figures if not figure.kept)
