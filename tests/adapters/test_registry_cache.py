"""The cache of registry answers: private, found by prefix, forgotten in time, and never in the way."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from concentra.adapters.registry_answers import Announcement, Failure, Nothing, Registration
from concentra.adapters.registry_cache import CacheUnusable, Lifetimes, RegistryCache, open_cache

NOON = datetime(2026, 8, 22, 12, tzinfo=UTC)
ADDRESS = ip_address("216.90.108.31")


def announcement(prefix: str, *, at: datetime = NOON, origins: tuple[int, ...] = (5, 6)) -> Announcement:
    return Announcement(
        prefix=ip_network(prefix), origins=origins, country=None, registry="arin", asked_at=at
    )


def registration(prefix: str, *, at: datetime = NOON, contacts: int = 0) -> Registration:
    return Registration(
        prefix=ip_network(prefix),
        organisation="Größe 'Ltd",
        country="US",
        registry="ripencc",
        contacts=contacts,
        asked_at=at,
    )


@contextmanager
def cache(path: Path, *, now: datetime = NOON) -> Iterator[RegistryCache]:
    with open_cache(path, now=now, lifetimes=Lifetimes()) as opened:
        yield opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "down" / "registries.sqlite"


def test_what_is_kept_is_found_again_by_another_process(path: Path) -> None:
    kept: list[Announcement | Nothing] = [
        announcement("216.90.108.0/24"),
        Nothing(prefix=ip_network("8.8.8.0/24"), failure=Failure.NOT_ANNOUNCED, asked_at=NOON),
        announcement("2001:4860::/32"),
    ]
    registered: list[Registration | Nothing] = [
        registration("216.90.108.0/24"),
        Nothing(prefix=ip_network("8.8.8.0/24"), failure=Failure.NOT_FOUND, asked_at=NOON),
    ]
    with cache(path) as first:
        for found in kept:
            first.keep_announcement(found)
        for entry in registered:
            first.keep_registration(entry)
    with cache(path) as second:
        assert second.note is None
        addresses = [ADDRESS, ip_address("8.8.8.8"), ip_address("2001:4860:4860::8888")]
        assert [second.announcement(address) for address in addresses] == kept
        assert [second.registration(address) for address in addresses[:2]] == registered
        assert second.registration(addresses[2]) is None
        assert second.announcement(ip_address("8.8.9.8")) is None


def test_the_longest_prefix_answers(path: Path) -> None:
    with cache(path) as opened:
        for prefix in ("216.90.0.0/16", "216.90.108.0/24", "216.0.0.0/8", "216.90.108.32/32"):
            opened.keep_announcement(announcement(prefix))
        found = opened.announcement(ADDRESS)
        assert found is not None
        assert found.prefix == ip_network("216.90.108.0/24")


def test_a_newer_answer_replaces_the_older(path: Path) -> None:
    later = NOON + timedelta(hours=1)
    with cache(path) as opened:
        opened.keep_announcement(announcement("216.90.108.0/24"))
        opened.keep_announcement(
            Nothing(prefix=ip_network("216.90.108.0/24"), failure=Failure.NOT_ANNOUNCED, asked_at=later)
        )
        assert isinstance(opened.announcement(ADDRESS), Nothing)


def test_the_file_and_its_directory_are_their_owner_s_alone(path: Path) -> None:
    before = os.umask(0)
    try:
        with cache(path):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    path.chmod(0o644)  # as another program might have left it
    with cache(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_file_is_private_from_the_first_moment(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "chmod", lambda *_: None)
    with cache(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("age", "left"),
    [
        (timedelta(hours=23), (True, True, True)),
        (timedelta(days=1), (True, True, False)),
        (timedelta(days=7), (False, True, False)),
        (timedelta(days=30), (False, False, False)),
        (timedelta(hours=-1), (False, False, False)),
    ],
    ids=["fresh", "a-day", "a-week", "a-month", "from-the-future"],
)
def test_what_is_too_old_is_deleted(path: Path, age: timedelta, left: tuple[bool, bool, bool]) -> None:
    with cache(path) as opened:
        opened.keep_announcement(announcement("216.90.108.0/24"))
        opened.keep_registration(registration("216.90.108.0/24"))
        opened.keep_registration(
            Nothing(prefix=ip_network("8.8.8.0/24"), failure=Failure.NOT_FOUND, asked_at=NOON)
        )
    with cache(path, now=NOON + age) as opened:
        assert (opened.announcement(ADDRESS) is not None) == left[0]
        assert (opened.registration(ADDRESS) is not None) == left[1]
        assert (opened.registration(ip_address("8.8.8.8")) is not None) == left[2]
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT count(*) FROM announcements").fetchone()[0]
        rows += connection.execute("SELECT count(*) FROM registrations").fetchone()[0]
    assert rows == sum(left)


def test_contacts_are_counted_by_registry_and_time(path: Path) -> None:
    with cache(path, now=NOON + timedelta(hours=2)) as opened:
        assert opened.contacts_since("ripencc", NOON) == 0
        opened.keep_registration(registration("216.90.108.0/24", contacts=3))
        opened.keep_registration(registration("8.8.8.0/24", contacts=4, at=NOON + timedelta(hours=1)))
        assert opened.contacts_since("ripencc", NOON - timedelta(hours=1)) == 7
        assert opened.contacts_since("ripencc", NOON) == 4
        assert opened.contacts_since("arin", NOON - timedelta(hours=1)) == 0


@pytest.mark.parametrize(
    "change",
    [
        "origins = 'AS5'",
        "origins = NULL",
        "registry = 'iana'",
        "registry = NULL",
        "asked_at = 1e300",
        "asked_at = 'noon'",
    ],
)
def test_a_row_that_makes_no_sense_is_asked_about_again(path: Path, change: str) -> None:
    with cache(path) as opened:
        opened.keep_announcement(announcement("216.90.108.0/24"))
    with cache(path) as opened, closing(sqlite3.connect(path)) as other:
        other.execute(f"UPDATE announcements SET {change}")
        other.commit()
        assert opened.announcement(ADDRESS) is None
        opened.keep_announcement(announcement("216.90.108.0/24"))
        assert opened.announcement(ADDRESS) is not None


def test_names_from_the_cache_are_printable_whoever_wrote_them(path: Path) -> None:
    with cache(path) as opened, closing(sqlite3.connect(path)) as other:
        opened.keep_registration(registration("216.90.108.0/24"))
        other.execute("UPDATE registrations SET organisation = ?, country = ?", ("\x1b[31mEvil", "\x1b["))
        other.commit()
        found = opened.registration(ADDRESS)
    assert isinstance(found, Registration)
    assert (found.organisation, found.country) == ("[31mEvil", None)


# Files that are no cache


def damaged_in_the_middle(path: Path) -> bytes:
    with cache(path) as opened:
        for block in range(20):
            opened.keep_registration(registration(f"216.{block}.108.0/24"))
    data = bytearray(path.read_bytes())
    data[8192 : 8192 + 2048] = b"\xff" * 2048
    return bytes(data)


def subtly_damaged(path: Path) -> bytes:
    """Return a cache that SQLite can read, with a page whose header does not add up."""
    with cache(path) as opened:
        opened.keep_registration(registration("216.90.108.0/24"))
    data = bytearray(path.read_bytes())
    data[2 * 4096 + 7] = 50  # "the number of fragmented free bytes within the cell content area"
    return bytes(data)


def of_another_program(path: Path) -> bytes:
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
        connection.commit()
    return path.read_bytes()


def of_a_later_version(path: Path) -> bytes:
    with cache(path):
        pass
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 2")
    return path.read_bytes()


def of_no_program(path: Path) -> bytes:
    path.parent.mkdir(parents=True)
    return b"SQLite format 3\0" + b"rubbish" * 1000


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (of_no_program, "it is damaged"),
        (damaged_in_the_middle, "it is damaged"),
        (subtly_damaged, "it is damaged"),
        (of_another_program, "it has format 0, wanted 1"),
        (of_a_later_version, "it has format 2, wanted 1"),
    ],
    ids=["rubbish", "damaged-in-the-middle", "subtly-damaged", "another-program", "later-version"],
)
def test_what_is_no_cache_is_moved_aside_whole(
    path: Path, make: object, reason: str, request: pytest.FixtureRequest
) -> None:
    assert callable(make)
    data: bytes = make(path)
    path.write_bytes(data)
    with cache(path) as opened:
        assert opened.note is not None
        assert f"because {reason}; it is now registries.sqlite.damaged" in opened.note
        assert opened.registration(ADDRESS) is None
        opened.keep_registration(registration("216.90.108.0/24"))
    assert path.with_name("registries.sqlite.damaged").read_bytes() == data
    with cache(path) as opened:
        assert opened.note is None
        assert opened.registration(ADDRESS) is not None


def test_the_journal_of_a_damaged_file_is_not_applied_to_the_new_one(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(b"rubbish" * 1000)
    path.with_name("registries.sqlite-journal").write_bytes(b"their journal")
    with cache(path) as opened:
        opened.keep_registration(registration("216.90.108.0/24"))
    assert not path.with_name("registries.sqlite-journal").exists()


def test_an_empty_file_is_an_empty_cache(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.touch()
    with cache(path) as opened:
        assert opened.note is None
        opened.keep_announcement(announcement("216.90.108.0/24"))


def test_a_place_that_cannot_be_written_is_an_error_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(CacheUnusable, match=r"registries\.sqlite cannot be used: ") as caught,
        cache(tmp_path / "file" / "registries.sqlite"),
    ):
        pass
    assert caught.value.hint
    with pytest.raises(CacheUnusable), cache(tmp_path):  # a directory
        pass


def test_an_error_while_the_cache_is_open_is_an_error_with_a_hint(path: Path) -> None:
    with cache(path):
        pass
    with pytest.raises(CacheUnusable, match="no such table"), cache(path) as opened:
        with closing(sqlite3.connect(path)) as other:
            other.execute("DROP TABLE announcements")
        opened.announcement(ADDRESS)


def test_two_may_have_it_open(path: Path) -> None:
    with cache(path) as one, cache(path) as two:
        one.keep_announcement(announcement("216.90.108.0/24"))
        two.keep_announcement(announcement("8.8.8.0/24"))
        assert two.announcement(ADDRESS) is not None
        assert one.announcement(ip_address("8.8.8.8")) is not None


def test_the_connection_is_closed_whatever_happens(path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), cache(path) as opened:
        raise KeyboardInterrupt
    with pytest.raises(sqlite3.ProgrammingError):
        opened.announcement(ADDRESS)
