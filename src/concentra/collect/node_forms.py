"""Forms of node files, detected by content: lines, CSV, geth's nodes.json; their rows, chunk by chunk."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from csv import reader as csv_reader
from dataclasses import dataclass
from enum import Enum, auto

import numpy as np
from numpy.typing import NDArray

from concentra.collect.address_forms import bare_address
from concentra.collect.errors import NoAddressColumn, NoColumns
from concentra.collect.streams import Readable, Rejoined
from concentra.errors import UnreadableFile

CHUNK_BYTES = 1024 * 1024
"""A chunk's columns fit in a processor's cache: ten million addresses take 1.4 s, with 8 MiB 2.8 s."""

MAX_ROW_BYTES = 64 * 1024
"""A row beyond this is no address; the longest real one, an ENR in a CSV, has under 2,000 bytes."""

MAX_JSON_BYTES = 1024 * 1024 * 1024
"""geth's nodes.json of a whole network has about 20 MB."""

ADDRESS_COLUMNS = (
    "ip",
    "address",
    "ip_address",
    "ipaddress",
    "ip_addr",
    "addr",
    "ipv4",
    "ipv6",
    "ip:port",
    "host",
    "endpoint",
    "enode",
    "enr",
    "record",
    "node",
)
"""Column names that are taken to hold addresses, best first, compared in lower case."""

DELIMITERS = (",", ";", "\t")

FOREIGN: Mapping[bytes, str] = {
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
    b"\x1f\x8b": "gzip inside gzip",
    b"PK\x03\x04": "a zip archive",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PAR1": "Parquet",
}
"""First bytes of files that people have nodes in and that are not read, with their names."""

_LINE_END = re.compile(rb"[\r\n]")


class Form(Enum):
    """How the rows of a file are laid out."""

    LINES = auto()
    CSV = auto()
    NODES_JSON = auto()


@dataclass(frozen=True, slots=True)
class NodeFile:
    """A node file whose form is known, and of which only the head was read."""

    form: Form
    name: str
    head: bytes
    """From the first row on that is neither blank nor a comment; of lines, from the start on."""
    rest: Readable
    first_row: int = 0
    """Bytes of the first row."""
    delimiter: str = ","
    column: str | None = None


def detect(stream: Readable, name: str, *, column: str | None = None) -> NodeFile:
    """Return the file with its form.

    Raises
    ------
    UnreadableFile
        If no form fits.
    NoColumns
        If it is JSON and a column was named.
    """
    head = read_full(stream, CHUNK_BYTES).removeprefix(b"\xef\xbb\xbf")
    for magic, found in FOREIGN.items():
        if head.startswith(magic):
            raise UnreadableFile(name, f"{found}, wanted text", "save it as UTF-8 text, plain or as .gz")
    first, start, end = _first_row(head)
    if first.startswith("{"):
        if column is not None:
            raise NoColumns(name)
        return NodeFile(Form.NODES_JSON, name, head[start:], stream)
    delimiter = _delimiter(first)
    if first.startswith("[") and not is_address(first.partition(delimiter or "\n")[0]):
        raise UnreadableFile(
            name, "a JSON array is none of the forms that are known", "geth's nodes.json is an object"
        )
    if (
        column is None
        and (delimiter is None or is_address(first))
        and first.strip('" ').lower() not in ADDRESS_COLUMNS
    ):
        return NodeFile(Form.LINES, name, head, stream)
    return NodeFile(Form.CSV, name, head[start:], stream, end - start, delimiter or ",", column)


def whole_lines(file: NodeFile) -> Iterator[bytes]:
    """Yield chunks that end with a line end; only the part of a line is ever carried over."""
    rest = file.head
    while chunk := file.rest.read(CHUNK_BYTES):
        cut = rest.rfind(b"\n") + 1
        if cut:
            yield rest[:cut]
        part = rest[cut:]
        if len(part) > MAX_ROW_BYTES:
            part = part[:1] * (MAX_ROW_BYTES + 1)  # too long, that is enough to know; a comment stays one
        rest = part + chunk
    if rest:
        yield rest if rest.endswith(b"\n") else rest + b"\n"


class CsvCells:
    """The cells of the column of a CSV that holds addresses, read through Arrow, which knows quoting.

    A quote that opens and does not close makes one cell of many lines, without a word from Arrow. So
    lines are counted as they go in, and those that come out in no row are known by name.

    Parameters
    ----------
    file : NodeFile
    refused : callable
        Told the number, from 1, and the text of each row with another number of columns than the first,
        before any row behind it comes out.

    Raises
    ------
    NoAddressColumn
        If the column cannot be told, or there is none of that name.
    """

    def __init__(self, file: NodeFile, *, refused: Callable[[int, str], None] = lambda *_: None) -> None:
        text = file.head[: file.first_row].decode("utf-8", "replace").strip()
        fields = [entry.strip("\"' ") for entry in next(csv_reader([text], delimiter=file.delimiter))]
        has_header = not any(is_address(entry) for entry in fields)
        self._file = file
        self._refused = refused
        self._names = fields if has_header else [str(number) for number in range(1, len(fields) + 1)]
        self._chosen = _choose_column(
            self._names, fields, has_header=has_header, wanted=file.column, name=file.name
        )
        self._body = file.head[file.first_row :] if has_header else file.head
        self._rows = 0
        self._lines = 0
        self.ragged = 0
        """Rows with another number of columns than the first."""

    @property
    def column(self) -> str:
        """Name of the column, or its number from 1."""
        return self._names[self._chosen]

    @property
    def swallowed(self) -> int:
        """Lines that ended up inside a quoted cell, once all is read."""
        return max(0, self._lines - self._rows - self.ragged)

    def __iter__(self) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
        """Yield a buffer and the bounds of its cells; cell i lies between bounds i and i + 1."""
        import pyarrow as pa
        from pyarrow import csv

        body = self._body or read_full(self._file.rest, CHUNK_BYTES)
        if not body:
            return
        lines = _CountedLines(body, self._file.rest)
        positions = [f"c{number}" for number in range(len(self._names))]
        chosen = positions[self._chosen]

        def count_and_skip(row: csv.InvalidRow) -> str:
            self.ragged += 1
            self._refused(row.number, row.text)
            return "skip"

        try:
            reader = csv.open_csv(
                pa.PythonFile(lines, mode="r"),
                read_options=csv.ReadOptions(
                    block_size=CHUNK_BYTES, column_names=positions, use_threads=False
                ),
                parse_options=csv.ParseOptions(
                    delimiter=self._file.delimiter, invalid_row_handler=count_and_skip
                ),
                convert_options=csv.ConvertOptions(
                    include_columns=[chosen],
                    column_types={chosen: pa.large_binary()},
                    strings_can_be_null=False,
                ),
            )
            for batch in reader:
                cells = batch.column(0)
                _, offsets, data = cells.buffers()
                self._rows += len(cells)
                yield (
                    np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8),
                    np.frombuffer(offsets, np.int64)[cells.offset : cells.offset + len(cells) + 1],
                )
        except pa.ArrowInvalid as error:
            reason = str(error).splitlines()[0]
            if "straddling" in reason:
                reason = f"a row has more than {CHUNK_BYTES:,} bytes"
            raise UnreadableFile(self._file.name, f"not a CSV: {reason}") from error
        self._lines = lines.count


class _CountedLines:
    """A rejoined source that counts its lines that are not empty.

    A pipe gives what it has at hand. Arrow takes such a part for a block, and refuses rows that reach over
    more than two of those; so parts are gathered up to the size that is asked for.
    """

    closed = False

    def __init__(self, head: bytes, rest: Readable) -> None:
        self._rejoined = Rejoined(head, rest)
        self.count = 0
        self._at_line_start = True

    def close(self) -> None:
        """Leave the rest to whoever opened it."""

    def read(self, size: int = -1, /) -> bytes:
        data = self._rejoined.read(size) if size < 0 else read_full(self._rejoined, size)
        if data:
            text = np.frombuffer(data, np.uint8)
            line_end = (text == ord("\n")) | (text == ord("\r"))
            starts = np.count_nonzero(line_end[:-1] & ~line_end[1:])
            self.count += int(starts) + int(self._at_line_start and not line_end[0])
            self._at_line_start = bool(line_end[-1])
        return data


@dataclass(frozen=True, slots=True)
class NodesJson:
    """What geth's devp2p tool writes: ``{"<node id>": {"seq": …, "record": "enr:…", …}}``."""

    records: tuple[str | None, ...]
    """The ENR of each entry; None where it has none."""
    repeated: int
    """Keys that were given again."""


def nodes_json(file: NodeFile) -> NodesJson:
    """Read geth's nodes.json.

    Raises
    ------
    UnreadableFile
        If it is damaged, of another form, or larger than any network.
    """
    data = file.head + file.rest.read(MAX_JSON_BYTES + 1)
    if len(data) > MAX_JSON_BYTES:
        raise UnreadableFile(file.name, f"more than {MAX_JSON_BYTES:,} bytes of JSON")
    repeated = 0

    def without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
        nonlocal repeated  # called for the outermost object last
        entries = dict(pairs)
        repeated = len(pairs) - len(entries)
        return entries

    try:
        document = json.loads(data, object_pairs_hook=without_repeats)
    except (ValueError, RecursionError) as error:
        raise UnreadableFile(file.name, f"not JSON: {error}") from error
    if not isinstance(document, dict) or not all(isinstance(entry, dict) for entry in document.values()):
        raise UnreadableFile(
            file.name, "wanted geth's nodes.json: an object of objects with the key `record`"
        )
    found = [entry.get("record") for entry in document.values()]
    records = tuple(
        record if isinstance(record, str) and record.startswith("enr:") else None for record in found
    )
    if records and not any(records):
        raise UnreadableFile(
            file.name, "JSON, but no entry has an ENR under `record`", "wanted geth's nodes.json"
        )
    return NodesJson(records, repeated)


def _choose_column(
    names: list[str], first_row: list[str], *, has_header: bool, wanted: str | None, name: str
) -> int:
    if wanted is not None:
        if wanted in names:
            return names.index(wanted)
        numbers = [str(number) for number in range(1, len(names) + 1)]
        if wanted in numbers:
            return numbers.index(wanted)
        raise NoAddressColumn(name, names, wanted)
    if not has_header:
        return next(position for position, entry in enumerate(first_row) if is_address(entry))
    lowered = [entry.lower() for entry in names]
    for candidate in ADDRESS_COLUMNS:
        if candidate in lowered:
            return lowered.index(candidate)
    raise NoAddressColumn(name, names, None)


def read_full(stream: Readable, size: int) -> bytes:
    """Return the next `size` bytes, fewer only at the end; a stream alone may give what it has at hand."""
    parts = []
    while size > 0 and (part := stream.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _first_row(head: bytes) -> tuple[str, int, int]:
    """Return the first row that is neither blank nor a comment, where it starts, and where it ends."""
    start = 0
    while start < len(head):
        found = _LINE_END.search(head, start)
        end = found.end() if found else len(head)
        text = head[start : min(end, start + MAX_ROW_BYTES)].decode("utf-8", "replace").strip()
        if text and not text.startswith("#"):
            return text, start, end
        start = end
    return "", 0, 0


def _delimiter(row: str) -> str | None:
    counts = {delimiter: row.count(delimiter) for delimiter in DELIMITERS}
    best = max(DELIMITERS, key=lambda delimiter: counts[delimiter])
    return best if counts[best] else None


def is_address(text: str) -> bool:
    """Tell whether a cell holds an address, an enode URL or an ENR."""
    text = text.strip("\" '")
    return text.startswith(("enode:", "enr:")) or bare_address(text) is not None
