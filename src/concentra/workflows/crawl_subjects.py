"""Crawls of this machine as subjects: the newest of a network, that of a day, one at a path."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

from concentra.adapters.crawl_files import StoredCrawl, stored_crawl
from concentra.adapters.crawl_store import CrawlStore
from concentra.adapters.output_files import NotWritable
from concentra.collect.belonging import NetworkTable
from concentra.collect.crawl_population import CrawlNodes, Judge, population_of_crawl
from concentra.collect.networks import decode_network
from concentra.collect.row_belonging import row_belonging
from concentra.errors import ConcentraError, UsageProblem
from concentra.model.axes import Among
from concentra.model.crawl import CrawlManifest, NodeRow
from concentra.model.networks import Network
from concentra.model.population import Population
from concentra.workflows.network_choice import shipped_networks


class NotADay(UsageProblem):
    """What follows the name of a network is no day."""

    def __init__(self, subject: str, found: str) -> None:
        super().__init__(f"{subject}: wanted a day after the @, found {found!r}")
        self.hint = f"{subject.partition('@')[0]}@2026-11-23, for example"


class CrawlExpired(ConcentraError):
    """A crawl that the user named by its path is older than it may become."""

    def __init__(self, name: str, expires: datetime) -> None:
        super().__init__(f"{name}: the crawl expired on {_day(expires)}, and is no longer read")
        self.hint = "delete it, as its rows hold addresses, and crawl again"


class NamedNetwork(NamedTuple):
    """A network that the user named, and perhaps a day."""

    name: str
    day: date | None


class LocalCrawl(NamedTuple):
    """What there is of a network on this machine."""

    crawl: StoredCrawl | None
    """The newest that may be read; None without one."""
    notes: tuple[str, ...]
    """What became of crawls that may not be read any more."""


def named_network(subject: str, networks: AbstractSet[str]) -> NamedNetwork | None:
    """Return the network in ``ethereum`` or ``ethereum@2026-11-23``; None if it names none of `networks`.

    Raises
    ------
    NotADay
        If a network is named, and after the @ no day.

    Examples
    --------
    >>> named_network("ethereum@2026-11-23", {"ethereum"}), named_network("nodes.txt", {"ethereum"})
    (NamedNetwork(name='ethereum', day=datetime.date(2026, 11, 23)), None)
    """
    name, at, day = subject.partition("@")
    if name not in networks:
        return None
    try:
        return NamedNetwork(
            name, datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC).date() if at else None
        )
    except ValueError:
        raise NotADay(subject, day) from None


def local_crawl(store: CrawlStore, network: NamedNetwork, now: datetime) -> LocalCrawl:
    """Return the newest crawl of a network, or the newest of a day; those that expired are deleted.

    Raises
    ------
    UnreadableFile
        If the newest is damaged.
    """
    expired = [one for one in store.expired(now) if one.network == network.name]
    try:
        store.delete_expired(now)
    except NotWritable as error:
        what = f"could not be deleted ({error})"
    else:
        what = "was deleted"
    return LocalCrawl(
        crawl=store.newest(network.name, now=now, on=network.day),
        notes=tuple(
            f"the local crawl of {_day(one.started)} expired on {_day(one.expires)} and {what}"
            for one in expired
        ),
    )


def crawl_at(path: str, now: datetime) -> StoredCrawl | None:
    """Return the crawl in a directory or file that the user named; None if it is something else.

    Raises
    ------
    CrawlExpired
        If its time is over.
    UnreadableFile
        If it is a crawl, and damaged or of another version.
    """
    crawl = stored_crawl(Path(path))
    if crawl is not None and now >= crawl.manifest.expires:
        raise CrawlExpired(Path(path).name, crawl.manifest.expires)
    return crawl


def crawl_population(
    crawl: StoredCrawl, *, subject: str, among: Among, observed: Callable[[CrawlNodes], None]
) -> Population:
    """Return what can be counted of a crawl.

    Parameters
    ----------
    crawl : StoredCrawl
    subject : str
        What the user called it.
    among : Among
        Which of its nodes are wanted.
    observed : callable
        Told the nodes, counted or not.

    Raises
    ------
    NobodyLeft
        If none of them can be counted.
    UnreadableFile
        If every file of the crawl is damaged.
    """
    rows, manifest = crawl.rows(), crawl.manifest
    nodes = crawl_nodes(manifest, rows, among)
    observed(nodes)
    return population_of_crawl(
        nodes,
        manifest,
        subject=subject,
        rows=len(rows),
        sha256=rows.sha256,
        lost=rows.lost + len(rows.left_out),
    )


def crawl_nodes(manifest: CrawlManifest, rows: Iterable[NodeRow], among: Among) -> CrawlNodes:
    """Return the nodes of a crawl, judged by what is known of its network."""
    return CrawlNodes(
        rows=rows,
        ourselves=frozenset(map(bytes.fromhex, manifest.identities)),
        judge=judge_of(manifest.network, manifest.definition, shipped_networks()),
        among=among,
    )


def judge_of(network: str, definition: str, networks: Mapping[str, Network]) -> Judge | None:
    """Return what tells whether a node is on a network; None if nothing is known of its forks.

    Parameters
    ----------
    network : str
    definition : str
        TOML that a crawl of it keeps, if it is none of `networks`; else empty.
    networks : mapping of str to Network

    Raises
    ------
    UnreadableFile
        If the definition is damaged.
    """
    if definition:
        own = decode_network(definition.encode(), network)
        # A copy of a shipped file under another name is one network, and nodes of it are on both.
        others = {name: other for name, other in networks.items() if other.chain != own.chain}
        networks = {**others, network: own}
    return partial(row_belonging, NetworkTable(networks), network) if network in networks else None


def _day(moment: datetime) -> date:
    return moment.astimezone(UTC).date()
