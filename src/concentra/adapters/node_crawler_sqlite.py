"""Rows of one table of a SQLite database, opened as what it is: a file by a stranger.

ethereum/node-crawler keeps its nodes in one (pkg/crawlerdb/db.go).

A database may hold a view called like a table, columns that are computed, cells of a gigabyte, or pages that
lead in circles. So it is opened read-only and without locks or a journal, the schema is looked at before a
row is asked for, nothing but columns is selected, and cells, rows and work are bounded.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeAlias

from concentra.errors import UnreadableFile

Cell: TypeAlias = "bytes | int | float | None"
"""Text comes as bytes, since nobody checked that it is UTF-8."""

MAGIC = b"SQLite format 3\0"
MAX_BYTES = 64 * 1024**3
MAX_ROWS = 100_000_000
"""Five-minute rounds of 20,000 nodes take half a year to write as many."""
MAX_ROW_BYTES = 4 * 1024 * 1024
"""SQLite refuses to hand out a longer row or cell; what a node calls itself may have a megabyte."""
MAX_CELL_BYTES = 4096
"""Of a longer cell the beginning is read."""
MAX_SCHEMA_BYTES = 64 * 1024


def stored_rows(
    path: str, table: str, *, required: Sequence[str], optional: Sequence[str]
) -> Iterator[Mapping[str, Cell]]:
    """Yield the rows of a table, a mapping from the names of its wanted columns to their values.

    Parameters
    ----------
    path : str
        Of the database. It is neither changed nor locked.
    table : str
        Of the same name as in the schema but for upper and lower case.
    required, optional : sequences of str
        Columns; of the optional ones, those are read that there are.

    Raises
    ------
    UnreadableFile
        If it is no such database, damaged, being written to, or larger than any that a crawler wrote.
    """
    file = Path(path)
    try:
        _check(file, path)
        # immutable: no lock is taken, and no journal is looked for, which might be played back
        uri = f"{file.absolute().as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None, cached_statements=0)) as database:
            _restrict(database)
            columns = _stored_columns(database, path, table, required, optional)
            yield from _rows(database, path, table, columns)
    except (sqlite3.Error, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise UnreadableFile(path, f"not a readable SQLite database: {reason or error}") from error


def _check(file: Path, name: str) -> None:
    if file.stat().st_size > MAX_BYTES:
        raise UnreadableFile(name, f"more than {MAX_BYTES:,} bytes of database")
    with file.open("rb") as opened:
        if opened.read(len(MAGIC)) != MAGIC:
            raise UnreadableFile(name, "not a plain SQLite database", "unpack it first")
    for suffix in ("-wal", "-journal"):
        beside = file.with_name(file.name + suffix)
        if beside.exists() and beside.stat().st_size:
            raise UnreadableFile(
                name,
                f"is being written to, or was not closed: there is a {file.name}{suffix}",
                "read a copy that `sqlite3 FILE .backup COPY` makes",
            )


def _restrict(database: sqlite3.Connection) -> None:
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_ROW_BYTES)
    database.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, MAX_SCHEMA_BYTES)
    database.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    for setting in ("trusted_schema=OFF", "cell_size_check=ON", "query_only=ON", "mmap_size=0"):
        database.execute(f"PRAGMA {setting}").close()
    database.text_factory = bytes


def _stored_columns(
    database: sqlite3.Connection, name: str, table: str, required: Sequence[str], optional: Sequence[str]
) -> list[str]:
    """Return the columns to read, once it is sure that they are columns of a table, stored in the file."""
    # A view has no root page, nor has a virtual table, whose content is a program's.
    found = database.execute(
        "SELECT type, rootpage FROM main.sqlite_schema"
        " WHERE name = ? COLLATE NOCASE AND type IN ('table', 'view') LIMIT 2",
        (table,),
    ).fetchall()
    if [(kind, bool(page)) for kind, page in found] != [(b"table", True)]:
        raise UnreadableFile(name, f"a SQLite database without a table `{table}`")
    stored = {
        column[1].decode("utf-8", "replace")
        for column in database.execute(f'PRAGMA main.table_xinfo("{table}")')
        if column[6] == 0  # 1 is hidden, 2 and 3 are computed when they are read
    }
    for column in required:
        if column not in stored:
            raise UnreadableFile(name, f"its table `{table}` stores no column {column}")
    return [column for column in (*required, *optional) if column in stored]


def _rows(
    database: sqlite3.Connection, name: str, table: str, columns: Sequence[str]
) -> Iterator[Mapping[str, Cell]]:
    selected = ", ".join(f'"{column}"' for column in columns)
    for read, row in enumerate(database.execute(f'SELECT {selected} FROM main."{table}"')):  # noqa: S608
        if read == MAX_ROWS:
            raise UnreadableFile(name, f"more than {MAX_ROWS:,} rows")
        yield {
            column: cell[:MAX_CELL_BYTES] if isinstance(cell, bytes) else cell
            for column, cell in zip(columns, row, strict=True)
        }
