"""Published counts over time: build the shipped series from the rows of their publisher, and read series."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from concentra.adapters.data_files import maps_directory, series_directory
from concentra.adapters.input_files import InputMissing, read_input
from concentra.adapters.map_files import PROVIDERS
from concentra.adapters.output_files import write_all
from concentra.attribution.providers import ProviderTable, decode_providers
from concentra.claims.populations import CountedPopulation
from concentra.collect.ethernodes_rows import (
    HOSTING,
    LATER_COPY,
    NETWORK_TYPES,
    Labelled,
    decode_copies,
    decode_labels,
    first_of_each_day,
    merged,
)
from concentra.collect.series_tables import MAX_BYTES, decode, encode, foreign_categories
from concentra.errors import UnreadableFile
from concentra.model.axes import Axis, Denominator, Kind, Unit
from concentra.model.provenance import Source
from concentra.model.published_counts import published_populations
from concentra.model.series import UNKNOWN, Series, SeriesHeader

LABELS = "labels.toml"
ROWS = "history/ethernodes.csv"
PUBLISHER = "ethernodes.org (bitfly gmbh)"
LICENCE = f"attribution asked for: {PUBLISHER}"
_URL = "https://www.ethernodes.org/"
_ARCHIVE = "read from copies of the page in the Internet Archive, not from the publisher"
_UNFILTERED = "the publisher does not say how it finds nodes, nor how old an entry may be"
_FIRST_COPY = "where a page was archived twice on a day, the first copy is followed"
_TAIL = "a page lists its 21 largest companies; nodes of others are unattributed"
_TYPES = (
    "what is hosting is the publisher's decision; nodes whose type it does not know, at most one in two"
    " hundred, are outside its hosting page"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One series to be made, and the page and view that its counts stand on."""

    name: str
    title: str
    page: str
    synced: bool
    whole: str | None = None


PAGES = (
    Page(
        name="ethernodes-hosting",
        title="Ethereum nodes in hosting, by company, as ethernodes.org counted them",
        page=HOSTING,
        synced=False,
        whole="ethernodes-network-types",
    ),
    Page(
        name="ethernodes-hosting-synced",
        title="synced Ethereum nodes in hosting, by company, as ethernodes.org counted them",
        page=HOSTING,
        synced=True,
        whole="ethernodes-network-types-synced",
    ),
    Page(
        name="ethernodes-network-types",
        title="Ethereum nodes by type of network, as ethernodes.org counted them",
        page=NETWORK_TYPES,
        synced=False,
    ),
    Page(
        name="ethernodes-network-types-synced",
        title="synced Ethereum nodes by type of network, as ethernodes.org counted them",
        page=NETWORK_TYPES,
        synced=True,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltSeries:
    """What a build wrote."""

    directory: Path
    series: tuple[Series, ...]


class ForeignCategory(UnreadableFile):
    """A series has a category that is no provider or kind of ours and not marked as its own."""

    def __init__(self, name: str, categories: Sequence[str], known: Sequence[str]) -> None:
        super().__init__(name, f"no provider or kind is called {', '.join(map(repr, categories))}")
        self.categories = tuple(categories)
        near = get_close_matches(categories[0], known, n=3)
        meant = f"did you mean {' or '.join(near)}? " if near else ""
        self.hint = f"{meant}An entity of the publisher's own is called label:{categories[0]}"


def build_series(inputs: Path, out: Path, *, labels: Path) -> BuiltSeries:
    """Read the archived rows below `inputs` and write the series made of them to `out`.

    Parameters
    ----------
    inputs : directory
        Holds ``history/ethernodes.csv``.
    out : directory
        Receives one file a series, and a copy of `labels`. The same inputs give the same bytes.
    labels : file
        Which published label means which provider or kind.

    Raises
    ------
    InputMissing, UnreadableFile
        If a file is not there or not of its form, or `labels` names a provider or kind that there is none of.
    NotWritable
        If `out` cannot be written.
    """
    data = read_input(inputs, ROWS)
    try:
        label_bytes = labels.read_bytes()
    except OSError as error:
        raise InputMissing(LABELS, f"none at {labels}", f"--labels names a file like {LABELS}") from error
    copies, table = decode_copies(data, ROWS), decode_labels(label_bytes, labels.name)
    providers = known_providers()
    names: Mapping[str, str] = {identifier: provider.name for identifier, provider in providers.by_id.items()}
    _check_identifiers(labels.name, table.provider, names)
    _check_identifiers(labels.name, table.kind, [*Kind, UNKNOWN])
    found = []
    for page in PAGES:
        taken, later = first_of_each_day(copies, page=page.page, synced=page.synced)
        hosted = page.page == HOSTING
        categories, tables = merged(taken, table.provider if hosted else table.kind, names if hosted else {})
        source = Source(
            name=page.name,
            publisher=PUBLISHER,
            as_of=max((counts.on for counts in tables), default=None),
            licence=LICENCE,
            url=_URL + page.page + ("?synced=1" if page.synced else ""),
            sha256=hashlib.sha256(data).hexdigest(),
            rows=sum(len(copy.counts) for copy in taken),
            limits=(_ARCHIVE, _UNFILTERED, *((_TAIL,) if hosted else ()), _TYPES, _FIRST_COPY),
        )
        header = SeriesHeader(
            name=page.name,
            network="ethereum",
            title=page.title,
            unit=Unit.NODE,
            axis=Axis.PROVIDER if hosted else Axis.KIND,
            denominator=Denominator.HOSTED if hosted else Denominator.ALL,
            source=source,
            filter="synced" if page.synced else "as published",
            whole=page.whole,
            category=categories,
            dropped={LATER_COPY: later} if later else {},
        )
        found.append(Series(header=header, tables=tables))
    files = {f"{series.header.name}.csv": encode(series) for series in found if series.tables}
    write_all(out, files | {LABELS: label_bytes})
    return BuiltSeries(directory=out, series=tuple(series for series in found if series.tables))


def shipped_series() -> tuple[Series, ...]:
    """Return the series that ship with concentra, in order of their names."""
    return tuple(decode(path.read_bytes(), path.name) for path in sorted(series_directory().glob("*.csv")))


def series_from_file(path: Path) -> tuple[Series, ...]:
    """Return the series in a file of the user's, and the one beside it that it names as its whole.

    Raises
    ------
    UnreadableFile
        If a file is not there or no series, or the second is no whole of the first.
    ForeignCategory
        If a category is a provider or kind that there is none of; near matches are offered.
    """
    series = _read(path)
    name = series.header.whole
    if name is None:
        return (series,)
    if Path(name).name != name:
        raise UnreadableFile(path.name, f"whole names a series beside this one, got {name!r}")
    whole = _read(path.with_name(f"{name}.csv"))
    if (whole.header.name, whole.header.axis) != (name, Axis.KIND):
        raise UnreadableFile(f"{name}.csv", f"wanted a series of kinds called {name}")
    for field in ("network", "unit", "filter"):
        ours, theirs = getattr(series.header, field), getattr(whole.header, field)
        if ours != theirs:
            raise UnreadableFile(f"{name}.csv", f"its {field} is {theirs}, that of {path.name} is {ours}")
    return series, whole


def counted_populations(series: Sequence[Series]) -> tuple[CountedPopulation, ...]:
    """Return what `series` say as claims see it, in order of date.

    Published counts have no clusters to resample, and are in the one unit that their publisher chose.
    """
    return tuple(
        CountedPopulation(
            name=population.name,
            as_of=population.as_of,
            filter=population.filter,
            unit=population.unit,
            distributions={(each.axis, each.denominator): each for each in population.distributions},
            unavailable_units={
                unit: f"{population.name} counts {population.unit}s"
                for unit in Unit
                if unit is not population.unit
            },
        )
        for population in published_populations(series)
    )


def known_providers() -> ProviderTable:
    """Return the curated providers that ship with concentra."""
    return decode_providers((maps_directory() / PROVIDERS).read_bytes())


def _read(path: Path) -> Series:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise UnreadableFile(str(path), getattr(error, "strerror", None) or str(error)) from error
    series = decode(data, path.name)
    known = list(known_providers().by_id if series.header.axis is Axis.PROVIDER else Kind)
    foreign = foreign_categories(series, known)
    if foreign:
        raise ForeignCategory(path.name, foreign, known)
    return series


def _check_identifiers(
    file: str, entries: Sequence[Labelled], known: Mapping[str, str] | Sequence[str]
) -> None:
    foreign = [entry.id for entry in entries if entry.id not in known]
    if foreign:
        raise ForeignCategory(file, foreign, list(known))
