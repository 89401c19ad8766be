"""The files of one crawl: its manifest and its rows, as they lie in a directory or were copied elsewhere."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from concentra.adapters.output_files import NotWritable
from concentra.adapters.private_files import private_file
from concentra.errors import UnreadableFile
from concentra.model.crawl import CrawlManifest, NodeRow
from concentra.model.crawl_table import (
    CrawlPart,
    NewestRows,
    PartHeader,
    asked_since,
    by_node,
    decode,
    decode_manifest,
    header_of,
    is_crawl,
    rows_of,
    schema,
    write,
)

if TYPE_CHECKING:
    import pyarrow as pa

MANIFEST = "manifest.json"
COMPLETE = "nodes.parquet"
"""The file that all parts become when a crawl ends."""

_PART = re.compile(r"nodes(?:-(\d{5,9}))?\.parquet", re.ASCII)
_PARQUET = b"PAR1"
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CrawlRows:
    """The rows of a crawl, of each source and node the newest; kept as columns, made as they are read.

    A hundred thousand rows need some 60 MB.
    """

    table: pa.Table
    order: NDArray[np.int64]
    """In which the rows come: by node ID, those of one node together."""
    left_out: tuple[str, ...]
    """Files that are damaged, each with the reason: what they hold is missing."""
    lost: int
    """How many parts were damaged already when the others were put together."""
    sha256: str
    """Of the file that was read; of several the digest over a line of name and digest for each."""

    def __iter__(self) -> Iterator[NodeRow]:
        return rows_of(self.table, self.order)

    def asked_since(self, since: datetime) -> Iterator[tuple[bytes, datetime]]:
        """Yield node ID and moment of the nodes that were sent a packet at `since` or later."""
        return asked_since(self.table, since)

    def __len__(self) -> int:
        rows: int = self.table.num_rows
        return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCrawl:
    """A crawl on disk."""

    path: Path
    """Its directory, or the one file that there is of it."""
    manifest: CrawlManifest

    def rows(self) -> CrawlRows:
        """Return its rows.

        Raises
        ------
        UnreadableFile
            If every file is damaged.
        """
        return read_rows(self.path)

    def copy_to(self, path: Path) -> None:
        """Copy the rows of a crawl that is finished into a file of the user's, for its owner alone.

        Raises
        ------
        NotWritable
            If that cannot be written.
        """
        source = self.path / COMPLETE if self.path.is_dir() else self.path
        try:
            with source.open("rb") as rows, private_file(path) as copy:
                shutil.copyfileobj(rows, copy)
        except OSError as error:
            raise NotWritable(path, error.strerror or str(error)) from error


def part_name(number: int) -> str:
    """Return the name of a part."""
    return f"nodes-{number:05d}.parquet"


def data_files(directory: Path) -> Sequence[tuple[int, Path]]:
    """Return the number and path of all files with rows, oldest first; the complete one has number 0."""
    named = [(_PART.fullmatch(path.name), path) for path in directory.glob("nodes*.parquet")]
    return sorted((int(match[1] or 0), path) for match, path in named if match is not None)


def last_part(directory: Path) -> int:
    """Return the number of the newest part that there was, put together or not; 0 if there was none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    last = 0
    for number, path in data_files(directory):
        last = max(last, number)
        if number == 0:
            with suppress(
                UnreadableFile, OSError, ValueError, pa.ArrowException
            ):  # then nothing of it is read
                last = header_of(pq.read_schema(path), path.name).parts
    return last


def read_manifest(directory: Path) -> CrawlManifest:
    """Return the manifest of the crawl in a directory.

    Raises
    ------
    UnreadableFile
        If it cannot be read, or is damaged.
    """
    path = directory / MANIFEST
    try:
        return decode_manifest(path.read_bytes(), f"{directory.name}/{MANIFEST}")
    except OSError as error:
        raise UnreadableFile(f"{directory.name}/{MANIFEST}", error.strerror or str(error)) from error


def stored_crawl(path: Path) -> StoredCrawl | None:
    """Return the crawl in a directory or in one file; None if it is something else.

    Raises
    ------
    UnreadableFile
        If it is a crawl and its manifest, or the head of the file, is damaged or of another version.
    """
    try:
        if path.is_dir():
            is_one = (path / MANIFEST).is_file() and data_files(path)
            return StoredCrawl(path=path, manifest=read_manifest(path)) if is_one else None
        with path.open("rb") as file:
            if file.read(len(_PARQUET)) != _PARQUET:
                return None
    except (OSError, ValueError):  # too long, or may not be read: whoever reads it as something else says so
        return None
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        found = pq.read_schema(path)
    except (OSError, ValueError, pa.ArrowException):
        return None
    return StoredCrawl(path=path, manifest=header_of(found, path.name).manifest) if is_crawl(found) else None


def read_rows(path: Path) -> CrawlRows:
    """Return the rows of a crawl's directory, or of one file; damaged files are left out and named.

    Raises
    ------
    UnreadableFile
        If there are files, and every one is damaged.
    """
    for _ in range(_ATTEMPTS):
        with suppress(FileNotFoundError):  # a crawl that ends at this moment puts its parts together
            return _read(data_files(path) if path.is_dir() else [(0, path)], path.name)
    raise UnreadableFile(
        path.name, "its files change while they are read", "try again when the crawl is over"
    )


def put_together(directory: Path, manifest: CrawlManifest, *, parts: int) -> None:
    """Make one file of all that is in a directory, in place of an earlier one; parts stay.

    Rows are read twice, so that only the keys of all of them are in memory.

    Parameters
    ----------
    parts : int
        Number of the newest part.

    Raises
    ------
    UnreadableFile
        If every file is damaged.
    OSError
        If it cannot be written.
    """
    reader, newest = _Reader(), NewestRows()
    content = reader.newest_first(data_files(directory), directory.name)
    chosen = {path: newest.positions(part.table) for path, part in content}

    def tables() -> Iterator[pa.Table]:
        for path, positions in chosen.items():
            table = decode(path.read_bytes(), path.name).table
            yield table if len(positions) == table.num_rows else table.take(positions)

    lost = reader.lost + len(reader.left_out)
    with private_file(directory / COMPLETE) as file:
        write(file, tables(), PartHeader(manifest=manifest, parts=parts, lost=lost))


def _read(files: Sequence[tuple[int, Path]], name: str) -> CrawlRows:
    import pyarrow as pa

    reader, newest, tables = _Reader(), NewestRows(), [schema().empty_table()]
    for _, part in reader.newest_first(files, name):
        positions = newest.positions(part.table)
        whole = len(positions) == part.table.num_rows
        tables.append(part.table if whole else part.table.take(positions))
    table = pa.concat_tables(tables)
    return CrawlRows(
        table=table,
        order=by_node(table),
        left_out=tuple(reader.left_out),
        lost=reader.lost,
        sha256=_digest(reader.digests),
    )


class _Reader:
    """Reads the files of one crawl, and remembers which could not be read."""

    def __init__(self) -> None:
        self.left_out: list[str] = []
        self.lost = 0
        self.digests: dict[str, str] = {}

    def newest_first(self, files: Sequence[tuple[int, Path]], name: str) -> Iterator[tuple[Path, CrawlPart]]:
        """Yield the files, given oldest first, whose rows are not in the complete one; that one comes last.

        Raises
        ------
        UnreadableFile
            At the end, if there are files, and every one is damaged.
        """
        complete = next(((path, self._read(path)) for number, path in files if number == 0), None)
        through = complete[1].header.parts if complete and complete[1] else 0
        for number, path in reversed(files):
            part = self._read(path) if number > through else None
            if part is not None:
                yield path, part
        if complete and complete[1]:
            self.lost = complete[1].header.lost
            yield complete[0], complete[1]
        if self.left_out and not self.digests:
            raise UnreadableFile(
                name, f"no file of the crawl can be read ({self.left_out[0]})", "crawl again"
            )

    def _read(self, path: Path) -> CrawlPart | None:
        """Return what is in a file; None if it is damaged."""
        try:
            data = path.read_bytes()
            part = decode(data, path.name)
        except FileNotFoundError:
            raise
        except OSError as error:
            self.left_out.append(f"{path.name}: {error.strerror or error}")
        except UnreadableFile as error:
            self.left_out.append(str(error))
        else:
            self.digests[path.name] = hashlib.sha256(data).hexdigest()
            return part
        return None


def _digest(digests: Mapping[str, str]) -> str:
    if len(digests) == 1:
        return next(iter(digests.values()))
    lines = "".join(f"{name}\t{digest}\n" for name, digest in sorted(digests.items()))
    return hashlib.sha256(lines.encode()).hexdigest()
