"""What the user named → a population: a network, a node file, or standard input."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time
from difflib import get_close_matches
from pathlib import Path
from typing import TypeAlias

from concentra.adapters.clock import now
from concentra.adapters.crawl_files import StoredCrawl
from concentra.adapters.crawl_store import CrawlStore, default_store
from concentra.adapters.data_files import networks_directory, snapshots_directory
from concentra.adapters.node_streams import NodeStream, open_node_file
from concentra.adapters.parquet_files import is_parquet
from concentra.collect import snapshots
from concentra.collect.crawl_population import CrawlNodes, NobodyLeft
from concentra.collect.crawler_formats import HEAD_BYTES, CrawlerFormat, crawler_format
from concentra.collect.errors import NoColumns
from concentra.collect.node_files import Sightings, read_node_file
from concentra.collect.node_forms import read_full
from concentra.collect.population import population_of
from concentra.collect.streams import Rejoined
from concentra.errors import UnreadableFile, UsageProblem
from concentra.model.axes import Among
from concentra.model.crawl import NodeRow
from concentra.model.population import Population
from concentra.model.provenance import Source
from concentra.workflows.crawl_subjects import (
    NamedNetwork,
    crawl_at,
    crawl_population,
    local_crawl,
    named_network,
)
from concentra.workflows.parquet_audit import ParquetPopulation, describe_population

MAX_SNAPSHOT = 1024**3

Observed: TypeAlias = "Sightings | Sequence[NodeRow] | CrawlNodes"
"""What a population was made of: a node file, rows of another crawler's file, nodes of a crawl of ours."""

UNRECORDED = "how the file was collected is not recorded: which network, which fork, who was reachable"
UNDATED = "the file carries no date; --as-of names the day on which its nodes were seen"


class UnknownSubject(UsageProblem):
    """Neither a network that was crawled or is shipped, nor a file is called so."""

    def __init__(self, subject: str, networks: list[str]) -> None:
        super().__init__(f"no network and no file is called {subject!r}")
        self.subject = subject
        near = get_close_matches(subject.lower(), networks, n=3)
        known = ", ".join(networks)
        self.hint = (
            f"did you mean {' or '.join(near)}?"
            if near
            else f"networks: {known}; or name a file, or - for stdin"
        )


class NotObserved(UsageProblem):
    """There is neither a crawl nor a snapshot of a network, or none of the day that was asked for."""

    def __init__(
        self, network: str, day: date | None, *, crawls: Sequence[date], snapshots: Sequence[date]
    ) -> None:
        super().__init__(
            f"{network} was not crawled on this machine, and no snapshot of it is shipped"
            if day is None
            else f"of {network} there is no local crawl and no snapshot of {day}"
        )
        self.network = network
        self.day = day
        there = [
            f"{kind} of {', '.join(map(str, days))}"
            for kind, days in (("crawls", crawls), ("snapshots", snapshots))
            if days
        ]
        self.hint = f"there are {' and '.join(there)}" if there else f"concentra crawl {network}"


class UndatedPopulation(UsageProblem):
    """A date was given for a subject that carries its own."""

    def __init__(self, subject: str) -> None:
        super().__init__(f"{subject} carries its own date; --as-of is for node files")
        self.hint = "leave --as-of out"


def load_population(
    subject: str,
    *,
    column: str | None = None,
    as_of: date | None = None,
    among: Among = Among.NETWORK,
    progress: Callable[[int], None] = lambda _: None,
    observed: Callable[[Observed], None] = lambda _: None,
) -> Population:
    """Return the population that `subject` names.

    Parameters
    ----------
    subject : str
        A network: its newest crawl on this machine, else the newest snapshot shipped with concentra;
        ``ethereum@2026-11-23`` is that of a day. Or the path of a crawl, of a node file or of a file that
        another crawler wrote, or ``-``. A file called like a network is named by a path: ``./ethereum``.
    column : str, optional
        CSV column that holds the addresses; nothing else of the CSV is read then.
    as_of : date, optional
        When the file's observations were made; without it they are undated. The day on which the file
        was written tells nothing: a copy is always new.
    among : Among
        Which nodes of a crawl are wanted; of no meaning for anything else.
    progress : callable
        Told how many bytes were read.
    observed : callable
        Told what the population was made of; a snapshot holds counts only, of which nothing is told.

    Raises
    ------
    UnknownSubject, NotObserved, CrawlExpired, NobodyLeft, UnreadableFile
    """
    store = default_store()
    match _resolved(subject, store):
        case NamedNetwork() as network:
            crawl, notes = local_crawl(store, network, now())
            if crawl is not None:
                _refuse_options(subject, column, as_of)
                try:
                    population = crawl_population(crawl, subject=subject, among=among, observed=observed)
                except NobodyLeft as empty:
                    if network.day is not None or network.name not in shipped_by_day():
                        raise
                    notes = (*notes, f"{empty}; so the shipped snapshot stands in for it")
                    crawl = None
            if crawl is None:
                population = _from_shipped(network, subject, store, column, as_of, progress)
            return replace(population, notes=(*population.notes, *notes))
        case StoredCrawl() as crawl:
            name = Path(subject).name
            _refuse_options(name, column, as_of)
            return crawl_population(crawl, subject=name, among=among, observed=observed)
        case None:
            if subject != "-" and not _exists(subject):
                raise UnknownSubject(subject, sorted({*shipped_by_day(), *store.networks()}))
            with open_node_file(subject, progress) as stream:
                return _from_stream(stream, subject, column, as_of, observed)


def load_subject(
    subject: str,
    *,
    column: str | None = None,
    as_of: date | None = None,
    among: Among = Among.NETWORK,
    progress: Callable[[int], None] = lambda _: None,
    observed: Callable[[Observed], None] = lambda _: None,
) -> Population | ParquetPopulation:
    """Return the population that `subject` names, which may be one that is larger than memory.

    Parquet files other than those of a crawl are described, and read when they are audited; everything
    else is as for `load_population`. A network is never taken for a file.

    Parameters
    ----------
    subject : str
        Further a Parquet file, a directory that holds some, a pattern with ``*``, or a URL.

    Raises
    ------
    UnknownSubject, NotObserved, CrawlExpired, NobodyLeft, UnreadableFile, NoParquetFiles
    """
    if _resolved(subject, default_store()) is None and is_parquet(subject):
        return describe_population(subject, column=column, as_of=as_of, limits=_limits(as_of))
    return load_population(
        subject, column=column, as_of=as_of, among=among, progress=progress, observed=observed
    )


def _resolved(subject: str, store: CrawlStore) -> NamedNetwork | StoredCrawl | None:
    """Return the network or the crawl that the user named; None if it is neither."""
    known = {path.stem for path in networks_directory().glob("*.toml")}
    network = named_network(subject, {*known, *shipped_by_day(), *store.networks()})
    if network is not None or subject == "-" or "://" in subject:
        return network
    return crawl_at(subject, now())


def _from_shipped(
    network: NamedNetwork,
    subject: str,
    store: CrawlStore,
    column: str | None,
    as_of: date | None,
    progress: Callable[[int], None],
) -> Population:
    """Return the snapshot of a network, where there is no crawl of it."""
    by_day = shipped_by_day().get(network.name, {})
    path = by_day.get(network.day or max(by_day, default=date.min))
    if path is None:
        crawls = store.days(network.name)
        raise NotObserved(network.name, network.day, crawls=crawls, snapshots=sorted(by_day, reverse=True))
    with open_node_file(str(path), progress) as stream:
        return _from_snapshot(stream.read(MAX_SNAPSHOT + 1), subject, column, as_of)


def _refuse_options(subject: str, column: str | None, as_of: date | None) -> None:
    """Refuse what is said about files of addresses, and holds for nothing of ours."""
    if as_of is not None:
        raise UndatedPopulation(subject)
    if column is not None:
        raise NoColumns(subject)


def _limits(as_of: date | None) -> tuple[str, ...]:
    """Return what nobody recorded of files without a header of ours."""
    return (UNRECORDED,) if as_of else (UNDATED, UNRECORDED)


def _exists(path: str) -> bool:
    try:
        return path != "" and Path(path).exists()
    except OSError:  # a name too long, a directory that may not be searched: opening it says which
        return True


def shipped_snapshots() -> dict[str, Path]:
    """Return network → its newest snapshot."""
    return {network: by_day[max(by_day)] for network, by_day in shipped_by_day().items()}


def shipped_by_day() -> dict[str, dict[date, Path]]:
    """Return network → day → snapshot; file names are ``<network>-<YYYY-MM-DD>.csv``."""
    found: dict[str, dict[date, Path]] = {}
    for path in sorted(snapshots_directory().glob("*-????-??-??.csv")):
        network, day = path.name[: -len("-YYYY-MM-DD.csv")], path.name[-len("YYYY-MM-DD.csv") : -len(".csv")]
        found.setdefault(network, {})[date.fromisoformat(day)] = path
    return found


def _from_snapshot(data: bytes, name: str, column: str | None, as_of: date | None) -> Population:
    if len(data) > MAX_SNAPSHOT:
        raise UnreadableFile(name, f"more than {MAX_SNAPSHOT:,} bytes of snapshot")
    _refuse_options(name, column, as_of)
    return snapshots.decode(data, name)[1]


def _from_stream(
    stream: NodeStream,
    subject: str,
    column: str | None,
    as_of: date | None,
    observed: Callable[[Observed], None],
) -> Population:
    title = "standard input" if subject == "-" else Path(subject).name
    head = read_full(stream, HEAD_BYTES)
    if snapshots.is_snapshot(head):
        return _from_snapshot(head + stream.read(MAX_SNAPSHOT), title, column, as_of)
    whole = Rejoined(head, stream)
    found = crawler_format(head) if column is None else None
    population = None if found is None else _from_crawler(found, whole, subject, title, as_of, observed)
    if population is None:
        sightings = read_node_file(whole, title, column=column)
        observed(sightings)
        source = Source(
            name=title,
            publisher="not stated",
            as_of=as_of,
            licence="not stated",
            rows=sightings.rows,
            limits=_limits(as_of),
        )
        population = population_of(sightings, source, subject=title, title=f"{title} ({sightings.format})")
    return replace(population, source=replace(population.source, sha256=stream.sha256))


def _from_crawler(
    found: CrawlerFormat,
    stream: Rejoined,
    subject: str,
    title: str,
    as_of: date | None,
    observed: Callable[[Observed], None],
) -> Population | None:
    """Return the population of another crawler's file; None if it is read like any other node file."""
    from concentra.workflows.foreign_crawls import AUDITED, foreign_population, read_format  # loads SQLite

    if found not in AUDITED:
        return None
    if found.value.dated and as_of is not None:
        raise UndatedPopulation(title)
    seen = datetime.combine(as_of or date(1970, 1, 1), time(), UTC)  # which no figure shows if it is unknown
    crawl = read_format(found, stream, title, path=subject, seen=seen)
    observed(crawl.rows)
    return foreign_population(crawl, title=title, as_of=as_of, limits=() if as_of else (UNDATED,))
