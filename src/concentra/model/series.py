"""Published counts, date by date: what a page said of a network whose nodes nobody handed on.

A publisher counts nodes by category and prints the counts; no address comes with them. A `Series` holds
such counts over time, with the labels that were added up and the tables that were left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from concentra.model.axes import HOSTED_KINDS, Axis, Denominator, Unit
from concentra.model.provenance import Source

MAX_GAP_DAYS = 25
"""How far a page and the page about its whole may lie apart. Counts have moved by a fifth within ten days, so
the gap is told beside each figure that spans one."""

UNKNOWN = "unknown"
"""The category of what the publisher itself could not place; it is no entity."""
LABEL = "label:"
"""What the identifier of a category starts with that is no provider and no kind of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """One entity of a series, and the labels that the publisher has for it."""

    id: str
    """A provider or kind of ours, `UNKNOWN`, or `LABEL` and the publisher's word."""
    name: str
    labels: tuple[str, ...] = ()
    """As they were printed; where there are several, their counts were added."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesHeader:
    """What stands in front of the counts: what they are of, and where they come from."""

    name: str
    """Name of the series, and of its file without the ``.csv``."""
    network: str
    """Name of the network, as in ``concentra audit``."""
    title: str
    unit: Unit
    """What was counted, by the publisher's word."""
    axis: Axis
    """What the categories are: `Axis.PROVIDER` or `Axis.KIND`."""
    denominator: Denominator
    """Of what the totals are the number: `Denominator.ALL`, or the publisher's own `Denominator.HOSTED`."""
    source: Source
    filter: str = "as published"
    """Which of the publisher's views was counted: ``as published``, ``synced``."""
    whole: str | None = None
    """Of hosted providers: name of the series, beside this one, that counts all units by kind."""
    category: tuple[Category, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)
    """Tables of the source that are not in the series, by reason."""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.axis not in (Axis.PROVIDER, Axis.KIND):
            raise ValueError(f"the axis of a series is provider or kind, got {self.axis}")
        if self.denominator is Denominator.ATTRIBUTED:
            raise ValueError("the denominator of a series is all or hosted, got attributed")
        if self.axis is Axis.KIND and self.denominator is not Denominator.ALL:
            raise ValueError("a series of kinds has the denominator all, got hosted")
        if self.whole is not None and self.denominator is not Denominator.HOSTED:
            raise ValueError(f"only a part has a whole, got whole = {self.whole!r} beside all")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatedCounts:
    """What was published on one day."""

    on: date
    counts: Mapping[str, int]
    """Category → units."""
    total: int
    """Units in all, by the publisher's word."""

    @property
    def listed(self) -> int:
        """Units of all categories together."""
        return sum(self.counts.values())

    @property
    def unlisted(self) -> int:
        """Units of the total that no category holds."""
        return max(0, self.total - self.listed)

    @property
    def excess(self) -> int:
        """By how much the categories exceed the total: a contradiction of the publisher's, counted as one."""
        return max(0, self.listed - self.total)

    @property
    def hosted(self) -> int:
        """Units of the hosted kinds, where the categories are kinds."""
        return sum(self.counts.get(kind, 0) for kind in HOSTED_KINDS)

    @property
    def units(self) -> int:
        """Units that are counted on: the total, or the sum of the categories where that is more."""
        return max(self.total, self.listed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Counts of one network by one publisher over time."""

    header: SeriesHeader
    tables: tuple[DatedCounts, ...]
    """One a date, in ascending order."""

    @property
    def dates(self) -> tuple[date, ...]:
        """Days on which something was published."""
        return tuple(table.on for table in self.tables)

    @property
    def conflicts(self) -> tuple[DatedCounts, ...]:
        """Tables whose categories exceed their total."""
        return tuple(table for table in self.tables if table.excess)

    @property
    def merged(self) -> tuple[Category, ...]:
        """Categories that stand for several labels of the publisher's."""
        return tuple(category for category in self.header.category if len(category.labels) > 1)

    def on(self, day: date) -> DatedCounts | None:
        """Return the counts of `day`; None if nothing was published on it."""
        return next((table for table in self.tables if table.on == day), None)

    def nearest(self, day: date) -> DatedCounts | None:
        """Return the counts nearest to `day`, the earlier of two, if any lie within `MAX_GAP_DAYS`."""
        near = [table for table in self.tables if abs((table.on - day).days) <= MAX_GAP_DAYS]
        return min(near, key=lambda table: (abs((table.on - day).days), table.on), default=None)
