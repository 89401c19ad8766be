"""Published counts as the distributions of an audit, so that a claim can be put to both alike.

* A page that lists its largest categories only leaves a tail, total minus the sum. The tail stays in every
  denominator as unattributed units, since it may belong to anyone.
* A page about hosted nodes says nothing of the others. How many there are stands on a second page, the
  whole, of the same day or of one near it. Its others are scaled by what the two pages count as hosted, so
  that the hosting page keeps its counts, and are confined to networks that are not hosted, of whose names
  nothing is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction

from concentra.model.audit import Confined, Distribution, Entity
from concentra.model.axes import HOSTED_KINDS, Axis, Denominator, Unit
from concentra.model.provenance import Source
from concentra.model.series import LABEL, MAX_GAP_DAYS, UNKNOWN, DatedCounts, Series

NOT_LISTED = "not listed by the publisher"
UNKNOWN_TO_PUBLISHER = "unknown to the publisher"
NOT_HOSTED = "not-hosted"
"""The group of the units outside a hosting page: they are with someone, and with no hosting company."""
NOT_HOSTED_REASON = "published by their type of network only"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPopulation:
    """What was published of a network on one day, as an audit would tell it."""

    name: str
    """Name of the series."""
    title: str
    network: str
    as_of: date
    filter: str
    unit: Unit
    sources: tuple[Source, ...]
    distributions: tuple[Distribution, ...]
    unsupported: Mapping[tuple[Axis, Denominator], str]
    """What the pages of that day do not tell, and why."""
    gap_days: int | None
    """Days from this page to the one that its whole was read from; None if there is none."""
    notes: tuple[str, ...]
    """What must be said beside a figure: how a whole was made of two pages, and where
    a page contradicts itself."""

    def distribution(self, axis: Axis, denominator: Denominator) -> Distribution | None:
        """Return the distribution of `axis` and `denominator`; None if `unsupported` tells why not."""
        for distribution in self.distributions:
            if distribution.axis is axis and distribution.denominator is denominator:
                return distribution
        return None


def published_population(
    series: Series, day: date, *, whole: Series | None = None
) -> PublishedPopulation | None:
    """Return what `series` says of `day`; None if nothing was published on it.

    Parameters
    ----------
    series : Series
        Counts by provider or by kind.
    day : date
        One of `series.dates`.
    whole : Series, optional
        The series of kinds that `series.header.whole` names. Its table nearest to `day` gives the number
        of all units and the hosted part of them; beyond `MAX_GAP_DAYS` there is none.

    Returns
    -------
    PublishedPopulation or None
        Counts in `series.header.unit`. Of hosted providers, the denominator "all" holds the counts of the
        hosting page as published. Its other units are those of the page about the whole, times the ratio
        of the units that the two pages call hosted, rounded to a whole number: a provider's share of all is
        its share of the hosted ones times the hosted share.

    Examples
    --------
    >>> from concentra.model.series import SeriesHeader
    >>> pages = Source(name="p", publisher="Example", as_of=None, licence="CC0-1.0")
    >>> header = SeriesHeader(name="p", network="ethereum", title="", unit=Unit.NODE, axis=Axis.PROVIDER,
    ...                       denominator=Denominator.HOSTED, source=pages)
    >>> day = date(2020, 1, 1)
    >>> table = DatedCounts(on=day, counts={"aws": 50, "ovh": 20}, total=100)
    >>> found = published_population(Series(header=header, tables=(table,)), day)
    >>> found.distribution(Axis.PROVIDER, Denominator.HOSTED).share_bounds("aws")  # not 50 of 70
    (0.5, 0.8)
    """
    table = series.on(day)
    if table is None:
        return None
    header = series.header
    if header.denominator is Denominator.ALL:
        untold = {}
        if header.axis is Axis.PROVIDER:
            reason = f"{header.name} does not tell which units are hosted"
            untold = {(Axis.PROVIDER, Denominator.HOSTED): reason, (Axis.KIND, Denominator.ALL): reason}
        return _population(series, table, [_listed(series, table)], unsupported=untold)
    hosted = _listed(series, table)
    page = None if whole is None else whole.nearest(day)
    if whole is None or page is None or not page.hosted:
        reason = f"no series of kinds counts all units within {MAX_GAP_DAYS} days of {day}"
        untold = {(axis, Denominator.ALL): reason for axis in (Axis.PROVIDER, Axis.KIND)}
        return _population(series, table, [hosted], unsupported=untold)
    of_all = _providers_of_all(hosted, page, Fraction(table.units, page.hosted))
    found = _population(series, table, [hosted, of_all, _listed(whole, page)], unsupported={})
    notes = _contradiction(whole, page)
    if (page.on, page.hosted) != (day, table.units):
        share = f"{page.hosted:,} of {page.units:,} ({whole.header.name})"
        notes += (f"of all: {table.units:,} hosted, at the hosted share of {page.on}: {share}",)
    return replace(
        found,
        sources=(*found.sources, whole.header.source),
        gap_days=abs((page.on - day).days),
        notes=(*notes, *found.notes),
    )


def published_populations(series: Sequence[Series]) -> tuple[PublishedPopulation, ...]:
    """Return everything that `series` say, in order of date and then of their names.

    A day on which only a page about the whole is at hand is a population too: its hosted units, whoever
    hosts them, bound the share of any provider. That bound is left out where a hosting page is near, which
    tells more of the same days.
    """
    by_name = {one.header.name: one for one in series}
    found = []
    for one in series:
        parts = [part for part in series if part.header.whole == one.header.name]
        for day in one.dates:
            if any(part.on(day) for part in parts):
                continue  # told with the providers of that day
            population = published_population(one, day, whole=by_name.get(one.header.whole or ""))
            if population is not None:
                found.append(_with_hosts_unnamed(population, one, parts) if parts else population)
    return tuple(sorted(found, key=lambda population: (population.as_of, population.name)))


def _with_hosts_unnamed(
    population: PublishedPopulation, series: Series, parts: Sequence[Series]
) -> PublishedPopulation:
    """Return the population of a page about the whole with what it tells of any one provider."""
    day = population.as_of
    near = [f"{part.header.name} of {page.on}" for part in parts if (page := part.nearest(day)) is not None]
    untold = {(Axis.PROVIDER, Denominator.HOSTED): f"no page of {day} tells who hosts"}
    table = series.on(day)
    if table is None or near:
        untold[Axis.PROVIDER, Denominator.ALL] = f"no page of {day} tells who hosts, {near[0]} does"
        return replace(population, unsupported=untold)
    unnamed = Distribution(
        axis=Axis.PROVIDER,
        denominator=Denominator.ALL,
        entities=(),
        unattributed=_reasons({NOT_LISTED: table.hosted + table.unlisted}),
        confined=_confined(table.listed - table.hosted),
        confined_reason=NOT_HOSTED_REASON,
    )
    return replace(population, distributions=(*population.distributions, unnamed), unsupported=untold)


def _population(
    series: Series,
    table: DatedCounts,
    distributions: Sequence[Distribution],
    *,
    unsupported: Mapping[tuple[Axis, Denominator], str],
) -> PublishedPopulation:
    header = series.header
    return PublishedPopulation(
        name=header.name,
        title=header.title,
        network=header.network,
        as_of=table.on,
        filter=header.filter,
        unit=header.unit,
        sources=(header.source,),
        distributions=tuple(distributions),
        unsupported=unsupported,
        gap_days=None,
        notes=(*_contradiction(series, table), *header.notes),
    )


def _contradiction(series: Series, table: DatedCounts) -> tuple[str, ...]:
    if not table.excess:
        return ()
    contradiction = f"its categories hold {table.listed:,}, its total is {table.total:,}"
    return (f"{series.header.name} of {table.on}: {contradiction}; the categories are followed",)


def _listed(series: Series, table: DatedCounts) -> Distribution:
    """Return a table as it was published, its tail unattributed."""
    return Distribution(
        axis=series.header.axis,
        denominator=series.header.denominator,
        entities=_entities(series, table.counts),
        unattributed=_reasons(
            {NOT_LISTED: table.unlisted, UNKNOWN_TO_PUBLISHER: table.counts.get(UNKNOWN, 0)}
        ),
    )


def _providers_of_all(hosted: Distribution, page: DatedCounts, ratio: Fraction) -> Distribution:
    """Return the hosted units and as many others as go with them, if `ratio` units here are one of `page`.

    What the page could not place is among the others, since its publisher does not call it hosted.
    """
    tail = hosted.unattributed.get(NOT_LISTED, 0) + round(page.unlisted * ratio)
    return replace(
        hosted,
        denominator=Denominator.ALL,
        unattributed=_reasons({**hosted.unattributed, NOT_LISTED: tail}),
        confined=_confined(round((page.listed - page.hosted) * ratio)),
        confined_reason=NOT_HOSTED_REASON,
    )


def _confined(units: int) -> tuple[Confined, ...]:
    return (Confined(group=NOT_HOSTED, units=units),) if units else ()


def _reasons(units: Mapping[str, int]) -> Mapping[str, int]:
    return {reason: count for reason, count in units.items() if count}


def _entities(series: Series, counts: Mapping[str, int]) -> tuple[Entity, ...]:
    names = {category.id: category.name for category in series.header.category}
    hosting = series.header.axis is Axis.PROVIDER
    return tuple(
        Entity(
            id=identifier,
            name=names.get(identifier, identifier.removeprefix(LABEL)),
            units=units,
            publishable=units if hosting or identifier in HOSTED_KINDS else 0,
        )
        for identifier, units in sorted(counts.items(), key=lambda row: (-row[1], row[0]))
        if identifier != UNKNOWN
    )
