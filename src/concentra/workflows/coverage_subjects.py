"""What the user named → crawls whose lists can be compared: our own, and files that other crawlers wrote."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from difflib import get_close_matches
from itertools import chain, count
from pathlib import Path
from typing import NamedTuple

from concentra import __version__
from concentra.adapters.crawl_files import StoredCrawl
from concentra.adapters.crawl_store import CrawlStore
from concentra.collect.crawl_population import Judge
from concentra.errors import UsageProblem
from concentra.model.crawl import CrawlManifest, CrawlState, NodeRow
from concentra.model.crawl_table import FORMAT
from concentra.model.networks import Network
from concentra.workflows.coverage_lists import Crawl
from concentra.workflows.crawl_subjects import (
    CrawlExpired,
    NamedNetwork,
    crawl_at,
    judge_of,
    local_crawl,
    named_network,
)
from concentra.workflows.foreign_crawls import read_foreign_crawl


class NoSuchCrawl(UsageProblem):
    """Neither a network nor a file is called so."""

    def __init__(self, subject: str, networks: Sequence[str]) -> None:
        super().__init__(f"no network and no file is called {subject!r}")
        self.subject = subject
        near = get_close_matches(subject.lower(), networks, n=3)
        self.hint = f"did you mean {' or '.join(near)}?" if near else f"networks: {', '.join(networks)}"


class NotCrawled(UsageProblem):
    """There is no crawl of a network on this machine, or none of the day that was asked for."""

    def __init__(self, network: NamedNetwork, days: Sequence[date]) -> None:
        when = "" if network.day is None else f" on {network.day}"
        super().__init__(f"{network.name} was not crawled on this machine{when}")
        self.network = network.name
        there = ", ".join(day.isoformat() for day in days)
        self.hint = f"there are crawls of {there}" if there else f"concentra crawl {network.name}"


class Undated(UsageProblem):
    """A file does not say when its nodes were seen, and neither does the user."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} does not say when its nodes were seen")
        self.name = name
        self.hint = "--as-of names the day"


class NoOneNetwork(UsageProblem):
    """What was named is of several networks, or of none that is known."""

    def __init__(self, networks: Sequence[str]) -> None:
        found = f"several networks: {', '.join(networks)}" if networks else "no network that is known"
        super().__init__(f"the lists are of {found}")
        self.networks = tuple(networks)
        self.hint = "name crawls of one network" if networks else "--network names the one to look for"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCrawl:
    """A crawl whose rows were read."""

    manifest: CrawlManifest
    kept: Iterable[NodeRow]

    def rows(self) -> Iterable[NodeRow]:
        """Return the rows, ordered by node ID."""
        return self.kept


class ChosenCrawls(NamedTuple):
    """What the user named."""

    crawls: Mapping[str, Crawl]
    """By a name of its own, all of one network."""
    judge: Judge | None
    """Tells whether a node is on the network; None where nothing is known of its forks."""
    notes: tuple[str, ...]
    """What became of crawls and files that could not be read."""


def chosen_crawls(
    subjects: Sequence[str],
    store: CrawlStore,
    networks: Mapping[str, Network],
    now: datetime,
    *,
    last: int = 1,
    network: str | None = None,
    as_of: date | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> ChosenCrawls:
    """Return the crawls that `subjects` name, each once.

    Parameters
    ----------
    subjects : sequence of str
        Networks, for their newest crawl (``ethereum``) or that of a day (``ethereum@2026-11-23``); paths of
        crawls, or of files that other crawlers wrote.
    store : CrawlStore
    networks : mapping of str to Network
        The networks of which something is known.
    now : datetime
        UTC; crawls that expired before are deleted, and not read.
    last : int, at least 1
        How many of the newest crawls to take of a network that is named without a day.
    network : str, optional
        The network to look for in files, where no crawl names one.
    as_of : date, optional
        When the nodes of files were seen that do not say it.
    progress : callable
        Told how many bytes of files were read.

    Raises
    ------
    NoSuchCrawl, NotCrawled, NotADay, CrawlExpired, Undated, NoOneNetwork, NoForeignCrawl, UnreadableFile
    """
    names = {*networks, *store.networks()}
    if network is not None and network not in names:
        raise NoSuchCrawl(network, sorted(names))
    named = _Named(store, names, now, last, as_of, progress)
    for subject in subjects:
        named.take(subject)
    found = sorted(
        {crawl.manifest.network for crawl in named.stored.values()} | {*([network] if network else [])}
    )
    if len(found) != 1:
        raise NoOneNetwork(found)
    [wanted] = found
    crawls: dict[str, Crawl] = {}
    for path, crawl in named.stored.items():
        rows = crawl.rows()
        named.notes += [f"{path.name}: a part of it is damaged ({reason})" for reason in rows.left_out]
        crawls[_free_name(path.name, crawls)] = ReadCrawl(manifest=crawl.manifest, kept=rows)
    titles = [crawl.manifest.title for crawl in named.stored.values()]
    title = titles[0] if titles else networks[wanted].title if wanted in networks else wanted
    for path, foreign_rows in named.foreign.items():
        manifest = _manifest(foreign_rows, wanted, title, now)
        crawls[_free_name(path.name, crawls)] = ReadCrawl(manifest=manifest, kept=foreign_rows)
    definition = next((one.manifest.definition for one in named.stored.values()), "")
    judge = judge_of(wanted, definition, networks)
    return ChosenCrawls(crawls=crawls, judge=judge, notes=tuple(dict.fromkeys(named.notes)))


class _Named:
    """What subjects name, each crawl and each file once."""

    def __init__(
        self,
        store: CrawlStore,
        networks: AbstractSet[str],
        now: datetime,
        last: int,
        as_of: date | None,
        progress: Callable[[int], None],
    ) -> None:
        self.stored: dict[Path, StoredCrawl] = {}
        self.foreign: dict[Path, Sequence[NodeRow]] = {}
        self.notes: list[str] = []
        self._store = store
        self._networks = networks
        self._now = now
        self._last = last
        self._as_of = as_of
        self._progress = progress

    def take(self, subject: str) -> None:
        network = named_network(subject, self._networks)
        if network is not None:
            self._take_network(network)
        elif _exists(subject):
            self._take_path(subject)
        else:
            raise NoSuchCrawl(subject, sorted(self._networks))

    def _take_network(self, network: NamedNetwork) -> None:
        local = local_crawl(self._store, network, self._now)
        self.notes += local.notes
        if local.crawl is None:
            raise NotCrawled(network, self._store.days(network.name))
        self.stored[local.crawl.path.resolve()] = local.crawl
        if network.day is None and self._last > 1:
            self._take_earlier(network.name)

    def _take_earlier(self, network: str) -> None:
        """Take the newest crawls of a network, of which one more may have begun meanwhile."""
        crawls = []
        for path in (self._store.root / network).iterdir():
            with suppress(CrawlExpired):
                crawl = None if path.name.startswith(".") else crawl_at(str(path), self._now)
                crawls += [] if crawl is None else [crawl]
        crawls.sort(key=lambda crawl: crawl.manifest.started, reverse=True)
        for crawl in crawls[: self._last]:
            self.stored[crawl.path.resolve()] = crawl
        if len(crawls) < self._last:
            self.notes.append(f"{network}: {len(crawls)} crawls are kept, of the {self._last} asked for")

    def _take_path(self, subject: str) -> None:
        path, crawl = Path(subject).resolve(), crawl_at(subject, self._now)
        if crawl is not None:
            self.stored[path] = crawl
        elif path not in self.foreign:
            seen = datetime.combine(self._as_of, time(), UTC) if self._as_of else self._now
            foreign = read_foreign_crawl(subject, seen=seen, progress=self._progress)
            if self._as_of is None and not foreign.format.value.dated:
                raise Undated(path.name)
            self.foreign[path] = sorted(foreign.rows, key=lambda row: row.node_id)


def _exists(path: str) -> bool:
    try:
        return path != "" and Path(path).exists()
    except OSError:  # a name too long, a directory that may not be searched: opening it says which
        return True


def _free_name(name: str, taken: Container[str]) -> str:
    numbered = (f"{name} ({number})" for number in count(2))
    return next(free for free in chain([name], numbered) if free not in taken)


def _manifest(rows: Sequence[NodeRow], network: str, title: str, now: datetime) -> CrawlManifest:
    """Return what stands for the manifest that another crawler's file has not."""
    moments = [row.last_seen for row in rows] or [now]
    return CrawlManifest(
        format=FORMAT,
        network=network,
        title=title,
        state=CrawlState.COMPLETE,
        started=min(moments),
        ended=max(moments),
        expires=datetime.max.replace(tzinfo=UTC),
        tool=f"concentra {__version__}",
        command="",
        identities=(),
        settings={},
        counts={},
    )
