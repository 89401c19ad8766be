from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest
from tests.made_foreign_crawls import NODES_TABLE, Node, crawler_row, node_crawler_database

from concentra.adapters import node_crawler_sqlite as adapter
from concentra.adapters.node_crawler_sqlite import Cell, stored_rows
from concentra.collect.node_crawler_rows import COLUMNS, OPTIONAL, REQUIRED, TABLE
from concentra.errors import UnreadableFile


def read(path: Path) -> list[Mapping[str, Cell]]:
    return list(stored_rows(str(path), TABLE, required=REQUIRED, optional=OPTIONAL))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "crawler.db"


def made(path: Path, script: str) -> Path:
    with closing(sqlite3.connect(path)) as database:
        database.executescript(script)
    return path


def test_the_wanted_columns_come_as_they_are_stored(path: Path) -> None:
    row = crawler_row(Node(7, seq=5))
    [found] = read(node_crawler_database(path, row))
    assert set(found) == set(COLUMNS)
    assert found["ID"] == row["ID"].encode()
    assert (found["Seq"], found["NetworkID"]) == (5, 1)
    assert "Country" not in found


def test_the_file_is_neither_changed_nor_locked(path: Path) -> None:
    node_crawler_database(path, crawler_row(Node(7)))
    before = path.read_bytes()
    path.chmod(0o400)
    rows = stored_rows(str(path), TABLE, required=REQUIRED, optional=OPTIONAL)
    next(iter(rows))
    assert sorted(one.name for one in path.parent.iterdir()) == [path.name]
    assert list(rows) == []
    assert path.read_bytes() == before


def test_a_file_name_may_hold_what_a_uri_would_read_otherwise(tmp_path: Path) -> None:
    for name in ("a?mode=rwc&x.db", "a#b.db", "a%41.db", "a b.db"):
        [row] = read(node_crawler_database(tmp_path / name, crawler_row(Node(7))))
        assert row["ID"] == Node(7).node_id.hex().encode()


def test_an_older_table_lacks_optional_columns(path: Path) -> None:
    made(path, "CREATE TABLE nodes (ID, Now, IP, LastSeen); INSERT INTO nodes VALUES ('a', 'b', 'c', 'd')")
    assert read(path) == [{"ID": b"a", "Now": b"b", "IP": b"c", "LastSeen": b"d"}]


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
COLUMNS_SQL = ", ".join(REQUIRED)
NO_TABLE: list[tuple[str, str, str]] = [
    ("empty", "CREATE TABLE other (x)", "without a table `nodes`"),
    (
        "view",
        f"CREATE VIEW nodes AS {ENDLESS} SELECT {', '.join(f'i AS {name}' for name in REQUIRED)} FROM n",
        "without a table `nodes`",
    ),
    (
        "virtual",
        f"CREATE VIRTUAL TABLE nodes USING fts5({COLUMNS_SQL})",
        "without a table `nodes`",
    ),
    ("index-of-that-name", "CREATE TABLE t (x); CREATE INDEX nodes ON t (x)", "without a table `nodes`"),
    ("column-missing", "CREATE TABLE nodes (ID, Now, LastSeen)", "stores no column IP"),
    (
        "column-computed",
        "CREATE TABLE nodes (ID, Now, LastSeen, IP AS (hex(zeroblob(100000000))))",
        "stores no column IP",
    ),
    (
        "column-computed-and-kept",
        "CREATE TABLE nodes (ID, Now, LastSeen, IP AS (upper(ID)) STORED)",
        "stores no column IP",
    ),
]


@pytest.mark.parametrize(
    ("script", "message"), [row[1:] for row in NO_TABLE], ids=[row[0] for row in NO_TABLE]
)
def test_what_only_looks_like_the_table_is_refused(path: Path, script: str, message: str) -> None:
    with pytest.raises(UnreadableFile, match=message):
        read(made(path, script))


def test_an_optional_column_that_is_computed_is_left_out(path: Path) -> None:
    made(
        path,
        f"CREATE TABLE nodes ({COLUMNS_SQL}, PK AS (zeroblob(100000000)));"
        f"INSERT INTO nodes ({COLUMNS_SQL}) VALUES (1, 2, 3, 4)",
    )
    assert read(path) == [{"ID": 1, "Now": 2, "IP": 3, "LastSeen": 4}]


def test_triggers_do_not_run_and_nothing_else_is_read(path: Path) -> None:
    node_crawler_database(path, crawler_row(Node(7)))
    made(
        path,
        f"""
        CREATE TABLE seen (x);
        CREATE TRIGGER after AFTER INSERT ON nodes BEGIN INSERT INTO seen VALUES (1); END;
        CREATE VIEW endless AS {ENDLESS} SELECT i FROM n;
        """,
    )
    assert len(read(path)) == 1
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT count(*) FROM seen").fetchone() == (0,)


def test_a_long_cell_is_cut_and_a_longer_one_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node_crawler_database(path, crawler_row(Node(7), ClientType="g" * 1_000_000))
    [row] = read(path)
    assert row["ClientType"] == b"g" * adapter.MAX_CELL_BYTES
    monkeypatch.setattr(adapter, "MAX_ROW_BYTES", 100_000)
    with pytest.raises(UnreadableFile, match="too big"):
        read(path)


def test_text_need_not_be_utf_8(path: Path) -> None:
    node_crawler_database(path, crawler_row(Node(7)))
    made(path, "UPDATE nodes SET ClientType = CAST(x'ff1b5b324aff' AS TEXT)")
    assert read(path)[0]["ClientType"] == b"\xff\x1b[2J\xff"


def test_rows_beyond_the_bound_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node_crawler_database(path, crawler_row(Node(7)), crawler_row(Node(8)))
    monkeypatch.setattr(adapter, "MAX_ROWS", 2)
    assert len(read(path)) == 2
    monkeypatch.setattr(adapter, "MAX_ROWS", 1)
    with pytest.raises(UnreadableFile, match="more than 1 rows"):
        read(path)


def test_bytes_beyond_the_bound_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node_crawler_database(path, crawler_row(Node(7)))
    monkeypatch.setattr(adapter, "MAX_BYTES", path.stat().st_size - 1)
    with pytest.raises(UnreadableFile, match="bytes of database"):
        read(path)


@pytest.mark.parametrize("suffix", ["-wal", "-journal"])
def test_a_database_that_is_being_written_is_refused(path: Path, suffix: str) -> None:
    node_crawler_database(path, crawler_row(Node(7)))
    beside = path.with_name(path.name + suffix)
    beside.touch()
    assert len(read(path)) == 1
    beside.write_bytes(b"x")
    with pytest.raises(UnreadableFile, match="is being written to") as caught:
        read(path)
    assert "backup" in (caught.value.hint or "")


NOT_SQLITE: list[tuple[str, bytes]] = [
    ("empty", b""),
    ("text", b"192.0.2.1\n"),
    ("gzip", b"\x1f\x8b\x08\0"),
    ("magic-only", adapter.MAGIC),
    ("magic-and-noise", adapter.MAGIC + bytes(range(256)) * 64),
]


@pytest.mark.parametrize("data", [row[1] for row in NOT_SQLITE], ids=[row[0] for row in NOT_SQLITE])
def test_what_is_no_database_is_refused(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with pytest.raises(UnreadableFile, match="SQLite"):
        read(path)


def test_a_file_that_is_not_there_is_refused_and_not_made(path: Path) -> None:
    with pytest.raises(UnreadableFile, match="No such file"):
        read(path)
    assert not path.exists()


def test_a_damaged_database_is_read_or_refused(path: Path, tmp_path: Path) -> None:
    node_crawler_database(path, *(crawler_row(Node(number)) for number in range(1, 30)))
    whole = path.read_bytes()
    rng = random.Random(64503)
    broken = tmp_path / "broken.db"
    outcomes = {"read": 0, "refused": 0}
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 8)):
            data[rng.randrange(16, len(data))] = rng.randrange(256)
        broken.write_bytes(data[: rng.randrange(len(data) // 2, len(data))] if rng.random() < 0.2 else data)
        try:
            read(broken)
            outcomes["read"] += 1
        except UnreadableFile as refusal:
            assert str(refusal).startswith(str(broken))
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 0


def test_pages_that_lead_in_circles_end(path: Path) -> None:
    """An interior page whose children are all the page itself: the depth is bounded, and it is damage."""
    node_crawler_database(path, *(crawler_row(Node(1), Now=str(number)) for number in range(400)))
    with closing(sqlite3.connect(path)) as database:
        [(page_size,)] = database.execute("PRAGMA page_size")
        [(root,)] = database.execute("SELECT rootpage FROM sqlite_schema WHERE type = 'table'")
    data = bytearray(path.read_bytes())
    start = (root - 1) * page_size
    assert data[start] == 5, "wanted an interior page of a table"
    cells = int.from_bytes(data[start + 3 : start + 5], "big")
    data[start + 8 : start + 12] = root.to_bytes(4, "big")
    for cell in range(cells):
        at = start + 12 + 2 * cell
        offset = start + int.from_bytes(data[at : at + 2], "big")
        data[offset : offset + 4] = root.to_bytes(4, "big")
    path.write_bytes(data)
    with pytest.raises(UnreadableFile, match="malformed"):
        read(path)


def test_the_table_of_the_crawler_is_the_one_that_is_made_here(path: Path) -> None:
    assert "PRIMARY KEY (ID, Now)" in NODES_TABLE
    copy = path.with_suffix(".copy")
    shutil.copy(node_crawler_database(path), copy)
    assert read(copy) == []
