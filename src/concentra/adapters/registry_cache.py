"""What registries answered, in one SQLite file that only its owner can read, so that nobody is asked twice.

It holds prefixes in which somebody runs nodes, never addresses, and forgets them when their time is up.
Every answer is one transaction, so an interruption or a crash loses none that was kept.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import TypeVar

from platformdirs import user_cache_path

from concentra.adapters.registry_answers import (
    REGISTRIES,
    Announcement,
    Failure,
    IPAddress,
    Nothing,
    Registration,
    country_code,
    printable_name,
)
from concentra.errors import ConcentraError

_VERSION = 1
_TABLES = """
CREATE TABLE announcements (
    prefix TEXT PRIMARY KEY, asked_at INTEGER NOT NULL, found INTEGER NOT NULL,
    origins TEXT, country TEXT, registry TEXT
) WITHOUT ROWID;
CREATE TABLE registrations (
    prefix TEXT PRIMARY KEY, asked_at INTEGER NOT NULL, found INTEGER NOT NULL,
    organisation TEXT, country TEXT, registry TEXT, contacts INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
"""
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

Found = TypeVar("Found", Announcement, Registration)


class CacheUnusable(ConcentraError):
    """The file of cached answers can be neither read nor made."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"the cache of registry answers {path} cannot be used: {reason}")
        self.path = path
        self.hint = (
            "without a cache registries would be asked the same again; make room, or name another place"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """How long answers of each kind are believed."""

    registration: timedelta = timedelta(days=30)
    announcement: timedelta = timedelta(days=7)
    """Routes change sooner than owners."""
    nothing: timedelta = timedelta(days=1)


class RegistryCache:
    """An open cache; `open_cache` makes one."""

    def __init__(self, connection: sqlite3.Connection, note: str | None) -> None:
        self._connection = connection
        self.note = note
        """What the user should be told about the file, if anything."""

    def announcement(self, address: IPAddress) -> Announcement | Nothing | None:
        """Return the answer for the longest cached prefix over `address`; None if there is none."""
        return _read(self._longest("announcements", address), _announcement, Failure.NOT_ANNOUNCED)

    def registration(self, address: IPAddress) -> Registration | Nothing | None:
        """Return the same for registrations."""
        return _read(self._longest("registrations", address), _registration, Failure.NOT_FOUND)

    def keep_announcement(self, found: Announcement | Nothing) -> None:
        """Write an answer down; it is on disk when this returns."""
        origins = country = registry = None
        if isinstance(found, Announcement):
            origins, country, registry = " ".join(map(str, found.origins)), found.country, found.registry
        self._connection.execute(
            "INSERT OR REPLACE INTO announcements VALUES (?, ?, ?, ?, ?, ?)",
            (str(found.prefix), _seconds(found.asked_at), origins is not None, origins, country, registry),
        )

    def keep_registration(self, found: Registration | Nothing) -> None:
        """Write an answer down; it is on disk when this returns."""
        organisation, country, registry, contacts = None, None, None, 0
        if isinstance(found, Registration):
            organisation, country = found.organisation, found.country
            registry, contacts = found.registry, found.contacts
        self._connection.execute(
            "INSERT OR REPLACE INTO registrations VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                str(found.prefix),
                _seconds(found.asked_at),
                registry is not None,
                organisation,
                country,
                registry,
                contacts,
            ),
        )

    def contacts_since(self, registry: str, moment: datetime) -> int:
        """Return how many contacts came with a registry's answers since a moment."""
        total: int = self._connection.execute(
            "SELECT coalesce(sum(contacts), 0) FROM registrations WHERE registry = ? AND asked_at > ?",
            (registry, _seconds(moment)),
        ).fetchone()[0]
        return total

    def _longest(self, table: str, address: IPAddress) -> sqlite3.Row | None:
        candidates = [
            str(ip_network((address, length), strict=False)) for length in range(address.max_prefixlen, 0, -1)
        ]
        places = ", ".join("?" * len(candidates))
        rows: list[sqlite3.Row] = self._connection.execute(
            f"SELECT * FROM {table} WHERE prefix IN ({places})",  # noqa: S608  # two names, both ours
            candidates,
        ).fetchall()
        return max(rows, key=lambda row: int(row["prefix"].partition("/")[2]), default=None)


def _read(
    row: sqlite3.Row | None, found: Callable[[sqlite3.Row], Found], failure: Failure
) -> Found | Nothing | None:
    """Return what a row says; None if it says nothing that makes sense, so that it is asked about again."""
    if row is None:
        return None
    try:
        if row["found"]:
            return found(row)
        return Nothing(prefix=ip_network(row["prefix"]), failure=failure, asked_at=_moment(row))
    except (ValueError, TypeError, AttributeError, OverflowError):
        return None


def _announcement(row: sqlite3.Row) -> Announcement:
    return Announcement(
        prefix=ip_network(row["prefix"]),
        origins=tuple(map(int, row["origins"].split())),
        country=country_code(row["country"]),
        registry=_registry(row),
        asked_at=_moment(row),
    )


def _registration(row: sqlite3.Row) -> Registration:
    return Registration(
        prefix=ip_network(row["prefix"]),
        organisation=printable_name(row["organisation"]),
        country=country_code(row["country"]),
        registry=_registry(row),
        contacts=int(row["contacts"]),
        asked_at=_moment(row),
    )


def _registry(row: sqlite3.Row) -> str:
    return REGISTRIES[REGISTRIES.index(row["registry"])]


def _moment(row: sqlite3.Row) -> datetime:
    return datetime.fromtimestamp(row["asked_at"], UTC)


def default_cache() -> Path:
    """Return where the operating system wants the cache of a user's program."""
    return user_cache_path("concentra") / "registry-answers.sqlite"


@contextmanager
def open_cache(path: Path, *, now: datetime, lifetimes: Lifetimes) -> Iterator[RegistryCache]:
    """Open the cache at `path`, which is made if need be, without what is too old to be believed.

    A file that is damaged, or that something else wrote, is moved aside and a new one begun;
    `RegistryCache.note` then says so.

    Raises
    ------
    CacheUnusable
        If the file can be neither opened nor made, or cannot be written later on.
    """
    note = _made_ready(path)
    try:
        with closing(_connected(path)) as connection:
            _prepare(connection)
            _forget(connection, now, lifetimes)
            yield RegistryCache(connection, note)
    except sqlite3.Error as error:
        raise CacheUnusable(path, str(error)) from error


def _made_ready(path: Path) -> str | None:
    """Let there be a private file that is a cache or empty; return what became of another that was there."""
    try:
        reason = _what_is_wrong(path)
        note = None if reason is None else _move_aside(path, reason)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Private before anything is in it; SQLite gives its journals the same mode.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        path.chmod(0o600)
    except sqlite3.Error as error:
        raise CacheUnusable(path, str(error)) from error
    except OSError as error:
        raise CacheUnusable(path, error.strerror or str(error)) from error
    return note


def _connected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=10.0)
    connection.row_factory = sqlite3.Row
    return connection


def _what_is_wrong(path: Path) -> str | None:
    """Return why an existing file is no cache of ours; None if it is one, or if there is none."""
    if not path.exists():
        return None
    try:
        with closing(_connected(path)) as connection:
            tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if tables and version != _VERSION:
                return f"it has format {version}, wanted {_VERSION}"
            verdict: str = connection.execute("PRAGMA quick_check").fetchone()[0]
            return None if verdict == "ok" else "it is damaged"
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF not in _DAMAGE:  # the rest of an extended code is a detail
            raise
        return "it is damaged"


def _move_aside(path: Path, reason: str) -> str:
    aside = path.with_name(f"{path.name}.damaged")
    path.replace(aside)  # its journal, if there was one, is gone: SQLite applies or deletes it when it looks
    return f"{path} was not used, because {reason}; it is now {aside.name}, and registries are asked again"


def _prepare(connection: sqlite3.Connection) -> None:
    """Make the tables, unless they are there; another process may be doing the same."""
    connection.execute("BEGIN IMMEDIATE")
    if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
        for statement in _TABLES.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {_VERSION}")
    connection.execute("COMMIT")


def _forget(connection: sqlite3.Connection, now: datetime, lifetimes: Lifetimes) -> None:
    """Delete what is too old, and what claims to come from the future."""
    for table, found in (
        ("announcements", lifetimes.announcement),
        ("registrations", lifetimes.registration),
    ):
        connection.execute(
            f"DELETE FROM {table} WHERE asked_at > ? OR asked_at <= CASE found WHEN 1 THEN ? ELSE ? END",  # noqa: S608
            (_seconds(now), _seconds(now - found), _seconds(now - lifetimes.nothing)),
        )


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
