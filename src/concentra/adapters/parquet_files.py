"""Parquet files, on this machine or in an object store: which there are, what they hold, and their rows.

Only footers are read to describe a population; rows are read a batch at a time, of two columns at most.
Nothing here keeps more than one batch, so files may be as large as they like.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit, urlunsplit

import numpy as np
from numpy.typing import NDArray

from concentra.errors import ConcentraError, UnreadableFile, UsageProblem

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.fs as pafs
    import pyarrow.parquet as pq

MAGIC = b"PAR1"
SUFFIX = ".parquet"
WEIGHT = "weight"
"""Name of the column that says how many units a row stands for, in any case."""

BATCH_ROWS = 64 * 1024
"""Rows in memory at a time; their columns fit into a processor's second cache."""
STREAM_BYTES = 1024 * 1024
"""Bytes of a column that are asked for at a time, where row groups are larger."""
FOOTERS_AT_ONCE = 8
"""Footers that are waited for at the same time: in an object store each takes some 50 ms."""

_SHOWN_COLUMNS = 20


class NoParquetFiles(UsageProblem):
    """What the user named holds no Parquet files."""

    def __init__(self, subject: str, reason: str) -> None:
        super().__init__(f"{subject}: {reason}")
        self.subject = subject
        self.hint = "name a .parquet file, a directory that holds some, a pattern ('DIR/*.parquet') or a URL"


class NoSuchColumn(UnreadableFile, UsageProblem):
    """A Parquet file lacks the column of addresses."""

    def __init__(self, name: str, columns: Sequence[str], wanted: str | None) -> None:
        shown = ", ".join(column[:40] for column in columns[:_SHOWN_COLUMNS]) or "none"
        near = get_close_matches((wanted or "").lower(), {column.lower(): column for column in columns}, n=3)
        super().__init__(
            name,
            f"no column {wanted!r}; the columns are {shown}"
            if wanted is not None
            else f"no column is known to hold addresses; the columns are {shown}",
            f"did you mean --column {' or '.join(near)}?" if near else "name it with --column",
        )
        self.columns = tuple(columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParquetFile:
    """One file as its footer describes it."""

    root: str
    """URL that the file system is made from; empty for files of this machine."""
    path: str
    """Path in that file system."""
    name: str
    """For people and digests: the path below what the user named."""
    size: int
    """Bytes."""
    groups: tuple[int, ...]
    """Rows of each row group."""
    footer: str
    """SHA-256 of the footer, in hexadecimal."""

    @property
    def rows(self) -> int:
        """Rows of all row groups."""
        return sum(self.groups)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParquetFiles:
    """The files of one population, which agree in the columns that are read."""

    files: tuple[ParquetFile, ...]
    column: str
    """Name of the column of addresses."""
    weight: str | None
    """Name of the column of weights, if there is one."""

    @property
    def rows(self) -> int:
        """Rows of all files."""
        return sum(file.rows for file in self.files)

    @property
    def sha256(self) -> str:
        """Digest over name, size, rows and footer of each file, in order of their names.

        A footer holds positions, sizes and extremes of all columns, so files that differ hardly ever
        share one; hashing every byte would mean to read terabytes twice.
        """
        lines = [f"{file.name}\t{file.size}\t{file.rows}\t{file.footer}\n" for file in self.files]
        return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()

    def pieces(self, rows: int) -> Iterator[Piece]:
        """Yield the population in pieces of row groups, each of at least so many rows but the last."""
        parts, held = list[Part](), 0
        for file in self.files:
            groups = list[int]()
            for number, group_rows in enumerate(file.groups):
                groups.append(number)
                held += group_rows
                if held >= rows:
                    yield self._piece([*parts, Part(file, tuple(groups))], held)
                    parts, groups, held = [], [], 0
            if groups:
                parts.append(Part(file, tuple(groups)))
        if parts:
            yield self._piece(parts, held)

    def _piece(self, parts: Sequence[Part], rows: int) -> Piece:
        return Piece(parts=tuple(parts), column=self.column, weight=self.weight, rows=rows)


class Part(NamedTuple):
    """Some row groups of one file."""

    file: ParquetFile
    groups: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What one task reads: small enough to be sent to another machine."""

    parts: tuple[Part, ...]
    column: str
    weight: str | None
    rows: int


class Batch(NamedTuple):
    """Some rows of one file."""

    column: pa.Array
    """Addresses, as the file has them."""
    weight: NDArray[np.int64] | None
    """Units of each row, none below 0; None where the files have no weights."""


def is_parquet(subject: str) -> bool:
    """Tell whether `subject` names Parquet files: by form, by name, or by the first bytes of a file."""
    if "://" in subject:
        return True
    path = Path(subject)
    try:
        if path.is_file():
            with path.open("rb") as file:
                return path.suffix == SUFFIX or file.read(len(MAGIC)) == MAGIC
        if path.is_dir():
            return any(path.glob(f"*{SUFFIX}"))
        return "*" in subject and not path.exists()
    except (OSError, ValueError):  # may not be read, is too long, or no path: whoever opens it says which
        return False


def shown_name(subject: str) -> str:
    """Return the end of a path or URL for titles: what lies above is nobody's business."""
    url = urlsplit(subject)
    path = f"{url.hostname or ''}{url.path}" if "://" in subject else Path(subject).absolute().as_posix()
    return "/".join(PurePosixPath(path).parts[-2 if "*" in path else -1 :]) or "/"


def describe(subject: str, *, column: str | None, names: Sequence[str]) -> ParquetFiles:
    """Return the files that `subject` names, from their footers alone.

    Parameters
    ----------
    subject : str
        A file; a directory, of which all ``*.parquet`` are taken that do not begin with ``_`` or ``.``; a
        pattern, in which ``*`` stands for any part of a name and ``**`` for any directories; or a URL of
        any of these that `pyarrow.fs` understands.
    column : str, optional
        The column of addresses.
    names : sequence of str
        Columns that hold addresses if `column` is left out: the first that there is, in any case.

    Raises
    ------
    NoParquetFiles
        If there are none, or the URL cannot be understood.
    NoSuchColumn
        If a file lacks the column.
    UnreadableFile
        If a file is not Parquet or damaged, a column has a type that holds no addresses or no weights, or
        only some files have weights.
    """
    with ThreadPoolExecutor(FOOTERS_AT_ONCE) as pool:
        described = list(pool.map(_describe_file, _found(subject)))
    first = described[0]
    chosen = _chosen_column(first, column, names)
    weight = _weight_of(first)
    for entry in described:
        _check_types(entry, chosen)
        if _weight_of(entry) != weight:
            has, other = (weight, entry) if weight else (_weight_of(entry), first)
            raise UnreadableFile(
                other.file.name,
                f"no column {has!r}, which other files of the population have",
                "give all files weights, or none",
            )
    return ParquetFiles(files=tuple(entry.file for entry in described), column=chosen, weight=weight)


def batches(piece: Piece, *, rows: int = BATCH_ROWS) -> Iterator[Batch]:
    """Yield the rows of a piece, at most so many at a time.

    Raises
    ------
    UnreadableFile
        If a file is damaged or another one than was described, or a weight is null or negative.
    """
    for file, groups in piece.parts:
        columns = [piece.column, *([piece.weight] if piece.weight else [])]
        with _opened(_Found(file.root, file.path, file.name, file.size)) as source:
            if source.metadata.num_row_groups != len(file.groups):
                raise _changed(file.name)
            for batch in source.iter_batches(
                rows, row_groups=list(groups), columns=columns, use_threads=False
            ):
                weight = _weights(batch.column(piece.weight), file.name) if piece.weight else None
                yield Batch(batch.column(piece.column), weight)


# Which files there are


class _Found(NamedTuple):
    root: str
    path: str
    name: str
    size: int


def _found(subject: str) -> Sequence[_Found]:
    """Return the files that `subject` names, in order of their names."""
    from pyarrow import fs

    root, base, pattern = _parted(subject)
    shown = shown_name(subject)
    try:
        info = file_system(root).get_file_info(base)
        if info.type == fs.FileType.File and not pattern:
            return [_Found(root, base, PurePosixPath(base).name, info.size)]
        if info.type != fs.FileType.Directory:
            raise NoParquetFiles(shown, "there is no such file or directory")
        listed = _listed(root, base, pattern or f"*{SUFFIX}")
        found = [
            _Found(root, entry.path, name, entry.size)
            for name, entry in sorted(listed.items())
            if entry.type == fs.FileType.File
            and (pattern or not name.startswith(("_", ".")))  # what writers leave beside their results
        ]
    except (OSError, ValueError) as error:
        raise NoParquetFiles(shown, str(error)) from error
    if not found:
        raise NoParquetFiles(shown, f"no file there is called {pattern or f'*{SUFFIX}'}")
    return found


def _listed(root: str, base: str, pattern: str) -> Mapping[str, pafs.FileInfo]:
    """Return what lies below a directory and fits a pattern, by its name there."""
    from pyarrow import fs

    system = file_system(root)
    if not root:
        paths = [path.as_posix() for path in Path(base).glob(pattern)]
        return {path.removeprefix(base).lstrip("/"): system.get_file_info(path) for path in paths}
    wanted = _regular(pattern)
    below = system.get_file_info(fs.FileSelector(base, recursive="/" in pattern or "**" in pattern))
    named = {entry.path.removeprefix(base).lstrip("/"): entry for entry in below}
    return {name: entry for name, entry in named.items() if wanted.fullmatch(name)}


def _parted(subject: str) -> tuple[str, str, str]:
    """Return the URL of the file system (empty: this machine), a path in it, and the pattern below that."""
    if "://" not in subject:
        base, pattern = _before_pattern(Path(subject).absolute().as_posix())
        return "", base, pattern
    url = urlsplit(subject)
    if url.password is not None:
        raise NoParquetFiles(
            shown_name(subject),
            "a password in a URL ends up in histories and manifests; wanted it in the environment",
        )
    from pyarrow import ArrowException, fs

    above, pattern = _before_pattern(url.path)
    root = urlunsplit(url._replace(path=above))
    try:
        _, base = fs.FileSystem.from_uri(root)
    except (ArrowException, OSError, ValueError) as error:
        raise NoParquetFiles(shown_name(subject), f"no URL that pyarrow.fs understands: {error}") from error
    return root, base, pattern


def _before_pattern(path: str) -> tuple[str, str]:
    """Return the directories before the first ``*``, and the pattern below them."""
    parts = path.split("/")
    first = next((number for number, part in enumerate(parts) if "*" in part), len(parts))
    return "/".join(parts[:first]) or "/", "/".join(parts[first:])


def _regular(pattern: str) -> re.Pattern[str]:
    """Return the regular expression of a pattern."""
    said = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*"}
    parts = re.split(r"(\*\*/|\*\*|\*)", pattern)
    return re.compile("".join(said.get(part) or re.escape(part) for part in parts))


@cache
def file_system(root: str) -> pafs.FileSystem:
    """Return the file system of a URL, or that of this machine if `root` is empty."""
    from pyarrow import fs

    return fs.FileSystem.from_uri(root)[0] if root else fs.LocalFileSystem()


# What is in a file


class _Described(NamedTuple):
    file: ParquetFile
    schema: pa.Schema


def _describe_file(found: _Found) -> _Described:
    with _opened(found) as source:
        metadata = source.metadata
        groups = tuple(metadata.row_group(number).num_rows for number in range(metadata.num_row_groups))
        schema = source.schema_arrow
    return _Described(ParquetFile(**found._asdict(), groups=groups, footer=_footer_digest(found)), schema)


def _footer_digest(found: _Found) -> str:
    """Return the digest of the footer, whose length stands before the last four bytes."""
    with _reported(found.name), file_system(found.root).open_input_file(found.path) as raw:
        length = int.from_bytes(raw.read_at(4, found.size - 8), "little")
        footer: bytes = raw.read_at(length, found.size - 8 - length)
    return hashlib.sha256(footer).hexdigest()


@contextmanager
def _opened(found: _Found) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file; what goes wrong until it is closed is told with its name."""
    import pyarrow.parquet as pq

    with _reported(found.name), file_system(found.root).open_input_file(found.path) as raw:
        if raw.size() != found.size:
            raise _changed(found.name)
        with closing(
            pq.ParquetFile(raw, buffer_size=STREAM_BYTES, pre_buffer=False, page_checksum_verification=True)
        ) as source:
            yield source


def _changed(name: str) -> UnreadableFile:
    return UnreadableFile(name, "changed while it was read", "start again when it is complete")


@contextmanager
def _reported(name: str) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except ConcentraError:
        raise
    except (pa.ArrowException, OSError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UnreadableFile(
            name,
            f"not Parquet, or damaged: {reason}",
            "write or fetch the file again; nothing was counted",
        ) from error


def _chosen_column(described: _Described, wanted: str | None, names: Sequence[str]) -> str:
    columns = described.schema.names
    if wanted is not None:
        if wanted not in columns:
            raise NoSuchColumn(described.file.name, columns, wanted)
        return wanted
    lowered = {column.lower(): column for column in reversed(columns)}
    chosen: str | None = next((lowered[name] for name in names if name in lowered), None)
    if chosen is None:
        raise NoSuchColumn(described.file.name, columns, None)
    return chosen


def _weight_of(described: _Described) -> str | None:
    return next((name for name in described.schema.names if name.lower() == WEIGHT), None)


def _check_types(described: _Described, column: str) -> None:
    """Refuse a file whose columns cannot be read as addresses and weights."""
    from pyarrow import types

    file, schema = described
    for name in (column, _weight_of(described)):
        if name is not None and len(schema.get_all_field_indices(name)) != 1:
            if name in schema.names:
                raise UnreadableFile(file.name, f"several columns are called {name!r}")
            raise NoSuchColumn(file.name, schema.names, name)
    kind = schema.field(column).type
    if not _holds_addresses(kind):
        nested = "a nested column" if types.is_nested(kind) else f"a column of {kind}"
        raise UnreadableFile(
            file.name,
            f"{column!r} is {nested}, wanted text, integers (IPv4) or binary of 16 bytes",
            "name another with --column",
        )
    weight = _weight_of(described)
    if weight is not None and not types.is_integer(schema.field(weight).type):
        raise UnreadableFile(
            file.name, f"{weight!r} is a column of {schema.field(weight).type}, wanted integers"
        )


def _holds_addresses(kind: pa.DataType) -> bool:
    from pyarrow import types

    text = kind.value_type if types.is_dictionary(kind) else kind
    if types.is_string(text) or types.is_large_string(text) or types.is_string_view(text):
        return True
    if types.is_dictionary(kind):
        return False
    return bool(types.is_integer(kind)) or (types.is_fixed_size_binary(kind) and kind.byte_width == 16)


def _weights(column: pa.Array, name: str) -> NDArray[np.int64]:
    """Return the weights of a batch as an array."""
    import pyarrow as pa

    if column.null_count:
        raise UnreadableFile(name, f"{column.null_count:,} weights are null, wanted integers of at least 0")
    try:
        wide = column.cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise UnreadableFile(name, f"a weight is beyond 2**63: {error}") from error
    weight = np.frombuffer(wide.buffers()[1], np.int64)[wide.offset : wide.offset + len(wide)]
    if len(weight) and weight.min() < 0:
        raise UnreadableFile(name, f"a weight is {weight.min()}, wanted integers of at least 0")
    return weight
