"""Crawls kept on this machine, each for a stated time, readable by their owner alone.

Below the root lies one directory a network, and in it one a crawl, named by its start:
``ethereum/2026-11-23T014500Z``. It holds `manifest.json` and the rows. While a crawl is at work, what
changed is handed over every few seconds and becomes a part of its own, ``nodes-00001.parquet``; a later
row of the same source and node replaces the earlier. When it ends, all parts become one `nodes.parquet`,
which names the last part that is in it: such parts are no longer read. Every file is written whole, so
that a crash at any moment leaves a readable crawl that lacks nothing but what was not handed over yet.

A lock beside the crawls is held while one of them is at work. The system releases it when the process
dies: a crawl that its manifest calls running, and that nobody holds the lock of, was killed.

Names that begin with a dot are the lock, and what belongs to a change at work or to one that died.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from concentra.adapters.crawl_files import (
    MANIFEST,
    StoredCrawl,
    data_files,
    last_part,
    read_manifest,
    read_rows,
)
from concentra.adapters.data_directory import data_directory
from concentra.adapters.open_crawl import OpenCrawl, write_manifest
from concentra.adapters.output_files import NotWritable
from concentra.adapters.private_files import (
    FILE_MODE,
    flush_directory,
    make_private_directory,
    make_private_temporary,
)
from concentra.errors import ConcentraError, UnreadableFile
from concentra.model.crawl import TIME_TO_LIVE, CrawlManifest, CrawlState

if TYPE_CHECKING:
    from filelock import BaseFileLock

LOCK_TIMEOUT_S = 0.5
"""How long to wait for the lock: whoever only looks whether a crawl is at work holds it for a moment."""

_LOCK = ".lock"
_NEW, _REMOVED = ".new-", ".removed-"
_NETWORK = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)
_NAME = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{6}Z)(?:\.([2-9]|[1-9]\d{1,3}))?", re.ASCII)
_STARTED = "%Y-%m-%dT%H%M%SZ"


class CrawlRunning(ConcentraError):
    """Another process is crawling the network."""

    def __init__(self, network: str) -> None:
        super().__init__(f"a crawl of {network} is at work already")
        self.network = network
        self.hint = "wait until it is done, or stop it: what it saw is kept"


class Expired(NamedTuple):
    """A crawl whose time is over."""

    network: str
    started: datetime
    expires: datetime
    path: Path


def default_store() -> CrawlStore:
    """Return the crawls that are kept on this machine."""
    return CrawlStore(data_directory() / "crawls")


class CrawlStore:
    """The crawls below one directory, which is made when the first begins.

    Parameters
    ----------
    root : path
        See `default_store`.

    Examples
    --------
    >>> import tempfile
    >>> from datetime import timedelta
    >>> from concentra.model.crawl_table import FORMAT
    >>> started = datetime(2026, 11, 23, 1, 45, tzinfo=UTC)
    >>> manifest = CrawlManifest(
    ...     format=FORMAT, network="ethereum", title="Ethereum", state=CrawlState.RUNNING, started=started,
    ...     ended=None, expires=started + TIME_TO_LIVE, tool="concentra", command="concentra crawl ethereum",
    ...     identities=(), settings={}, counts={})
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     store = CrawlStore(Path(directory))
    ...     with store.begin(manifest) as crawl:
    ...         print(crawl.path.name)
    ...     with store.resumable("ethereum") as crawl:  # for it did not finish
    ...         crawl.finish(CrawlState.COMPLETE, started, {})
    ...     print(store.resumable("ethereum"), store.newest("ethereum", now=started))
    2026-11-23T014500Z
    None None
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    # Writing.

    def begin(self, manifest: CrawlManifest) -> OpenCrawl:
        """Return a new crawl, which holds the lock of its network until it is closed.

        Raises
        ------
        CrawlRunning
            If a crawl of the network is at work.
        NotWritable
            If nothing can be written there.
        """
        if not _NETWORK.fullmatch(manifest.network) or manifest.state is not CrawlState.RUNNING:
            raise ValueError(f"no manifest of a crawl that begins: {manifest.network!r}, {manifest.state}")
        with self._locked(manifest.network) as held:
            directory = self.root / manifest.network
            made = make_private_temporary(directory, _NEW)
            write_manifest(made, manifest)
            path = directory / _free_name(directory, manifest.started)
            made.rename(path)
            flush_directory(directory)
            return OpenCrawl(path, manifest, part=0, held=held.pop_all())

    def resumable(self, network: str) -> OpenCrawl | None:
        """Return the newest crawl of a network that was stopped or killed, at work again; None without one.

        Raises
        ------
        CrawlRunning, NotWritable
            As `begin` does.
        """
        if not self._directories(network):
            return None
        with self._locked(network) as held:
            for path, manifest in self._manifests(network):
                if manifest.state is not CrawlState.COMPLETE:
                    at_work = msgspec.structs.replace(manifest, state=CrawlState.RUNNING, ended=None)
                    write_manifest(path, at_work)
                    part = last_part(path)
                    return OpenCrawl(path, at_work, part=part, held=held.pop_all())
        return None

    def delete(self, network: str, path: Path) -> None:
        """Remove a crawl.

        Raises
        ------
        CrawlRunning
            If a crawl of that network is at work.
        NotWritable
            If it cannot be removed.
        """
        with self._locked(network):
            bin_ = make_private_temporary(path.parent, _REMOVED)
            path.rename(bin_ / path.name)  # from here on it is gone: what a crash leaves is swept
            shutil.rmtree(bin_)

    def delete_expired(self, now: datetime) -> Sequence[Expired]:
        """Remove the crawls whose time is over, and return them; those of a network that is crawled stay.

        Raises
        ------
        NotWritable
            If one cannot be removed.
        """
        removed = []
        for crawl in self.expired(now):
            with suppress(CrawlRunning):
                self.delete(crawl.network, crawl.path)
                removed.append(crawl)
        return removed

    # Reading.

    def networks(self) -> Sequence[str]:
        """Return the networks of which crawls are kept."""
        found = [path.name for path in _listed(self.root) if _NETWORK.fullmatch(path.name)]
        return sorted(name for name in found if self._directories(name))

    def newest(self, network: str, *, now: datetime, on: date | None = None) -> StoredCrawl | None:
        """Return the newest crawl of a network that has rows, is not at work and has not expired; or None.

        Parameters
        ----------
        network : str
        now : datetime
        on : date, optional
            The day, in UTC, on which it began; any day without it.

        Raises
        ------
        UnreadableFile
            If the newest is damaged, so that its state and its time to live are unknown.
        """
        at_work: bool | None = None
        for started, path in self._directories(network):
            if (on is not None and started.date() != on) or not data_files(path):
                continue
            try:
                manifest = read_manifest(path)
            except UnreadableFile as error:
                error.hint = f"remove {path}, or name the day of another crawl: {network}@YYYY-MM-DD"
                raise
            if now >= manifest.expires:
                continue
            if manifest.state is CrawlState.RUNNING and at_work is None:
                at_work = self._is_crawled(network)
            if manifest.state is not CrawlState.RUNNING or not at_work:
                return StoredCrawl(path=path, manifest=manifest)
        return None

    def days(self, network: str) -> Sequence[date]:
        """Return the days on which the crawls of a network began, newest first."""
        return list(dict.fromkeys(started.date() for started, _ in self._directories(network)))

    def definition(self, network: str) -> str:
        """Return the TOML by which the newest crawl of a network knew it; empty if that is a shipped one."""
        return next((manifest.definition for _, manifest in self._manifests(network)), "")

    def recently_asked(self, since: datetime) -> Mapping[bytes, datetime]:
        """Return the node IDs that any crawl of any network sent a packet to since then, and when last.

        Damaged files are passed over.
        """
        asked = dict[bytes, datetime]()
        for network in self.networks():
            for path, manifest in self._manifests(network):
                if manifest.ended is None or manifest.ended >= since:
                    with suppress(UnreadableFile):
                        for node_id, moment in read_rows(path).asked_since(since):
                            asked[node_id] = max(moment, asked.get(node_id, moment))
        return asked

    def identities(self) -> frozenset[bytes]:
        """Return the node IDs under which the crawls that are kept asked."""
        return frozenset(
            bytes.fromhex(identity)
            for network in self.networks()
            for _, manifest in self._manifests(network)
            for identity in manifest.identities
        )

    def expired(self, now: datetime) -> Sequence[Expired]:
        """Return the crawls whose time is over; one whose manifest is damaged has the default time."""
        found = []
        for network in self.networks():
            for started, path in self._directories(network):
                try:
                    expires = read_manifest(path).expires
                except UnreadableFile:
                    expires = started + TIME_TO_LIVE
                if now >= expires:
                    found.append(Expired(network, started, expires, path))
        return found

    # The directories.

    def _directories(self, network: str) -> Sequence[tuple[datetime, Path]]:
        """Return the start and the directory of each crawl of a network, newest first."""
        if not _NETWORK.fullmatch(network):
            return []
        named = [(_started(path.name), path) for path in _listed(self.root / network)]
        newest_first = sorted(((name, path) for name, path in named if name is not None), reverse=True)
        return [(started, path) for (started, _), path in newest_first]

    def _manifests(self, network: str) -> Iterator[tuple[Path, CrawlManifest]]:
        """Yield the crawls of a network whose manifest can be read, newest first."""
        for _, path in self._directories(network):
            with suppress(UnreadableFile):
                yield path, read_manifest(path)

    def _sweep(self, network: str) -> None:
        """Remove what dead processes left: whoever holds the lock knows that they are dead."""
        directory = self.root / network
        for pattern in (f"{_NEW}*", f"{_REMOVED}*", "*/.nodes*", f"*/.{MANIFEST}.*"):
            for path in directory.glob(pattern):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()

    def _settle(self, network: str) -> None:
        """Note of every crawl that was killed that it is stopped, so that only the one at work is running."""
        for path, manifest in self._manifests(network):
            if manifest.state is CrawlState.RUNNING:
                write_manifest(path, msgspec.structs.replace(manifest, state=CrawlState.STOPPED))

    # The lock.

    @contextmanager
    def _locked(self, network: str) -> Iterator[ExitStack]:
        """Hold the lock of a network, unless the block takes it over; what goes wrong names its directory."""
        from filelock import Timeout

        directory = self.root / network
        try:
            make_private_directory(directory)
            with ExitStack() as stack:
                stack.enter_context(_lock(directory, LOCK_TIMEOUT_S))
                self._sweep(network)
                self._settle(network)
                yield stack
        except Timeout as error:
            raise CrawlRunning(network) from error
        except OSError as error:
            raise NotWritable(directory, error.strerror or str(error)) from error

    def _is_crawled(self, network: str) -> bool:
        """Tell whether a crawl of the network is at work; False also where its lock may not be looked at."""
        from filelock import Timeout

        directory = self.root / network
        if not (directory / _LOCK).exists():
            return False
        try:
            with _lock(directory, timeout_s=0):
                return False
        except Timeout:
            return True
        except OSError:
            return False


def _lock(directory: Path, timeout_s: float) -> BaseFileLock:
    from filelock import FileLock

    return FileLock(directory / _LOCK, timeout=timeout_s, mode=FILE_MODE, thread_local=False)


def _listed(directory: Path) -> Sequence[Path]:
    """Return the directories in a directory, links left out; none if it is not there or may not be read."""
    try:
        return [path for path in directory.iterdir() if path.is_dir() and not path.is_symlink()]
    except OSError:
        return []


def _started(name: str) -> tuple[datetime, int] | None:
    """Return when the crawl with a directory of that name began, and its number; None if it names none."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    try:
        started = datetime.strptime(match[1], _STARTED).replace(tzinfo=UTC)
    except ValueError:  # of 30 February
        return None
    return started, int(match[2] or 1)


def _free_name(directory: Path, started: datetime) -> str:
    """Return the name of a crawl that starts now; the second of one second is told apart by its number."""
    name = started.astimezone(UTC).strftime(_STARTED)
    others = [found for path in _listed(directory) if (found := _started(path.name)) is not None]
    number = max((number for moment, number in others if moment.strftime(_STARTED) == name), default=0) + 1
    return name if number == 1 else f"{name}.{number}"
