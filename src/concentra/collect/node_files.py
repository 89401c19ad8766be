"""Readers of node files, detected by content: lines, CSV, geth's nodes.json, concentra's own snapshots.

A file is read in chunks of bounded size. Rows that are plain dotted quads go through
`address_text`, all others one by one through `read_row`; every row ends as addresses or as a counted
reason for being left out.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from csv import reader as csv_reader
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from concentra.collect.address_text import parse_ipv4, parse_ipv6
from concentra.collect.errors import NoAddressColumn, NoColumns
from concentra.collect.streams import Readable, Rejoined
from concentra.errors import UnreadableFile
from concentra.model.population import IPV6_BYTES
from concentra.wire import enode, enr
from concentra.wire.errors import WireError

CHUNK_BYTES = 1024 * 1024
"""A chunk's columns fit in a processor's cache: ten million addresses take 1.4 s, with 8 MiB 2.8 s."""

PARSED_AHEAD = 4
"""Chunks that are being parsed while others are read: enough to keep two cores busy."""

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

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class NodeSighting:
    """One record of one node: its identity, how new the record is, and the addresses in it."""

    node_id: bytes
    seq: int
    addresses: tuple[IPAddress, ...]


@dataclass(slots=True, kw_only=True)
class Sightings:
    """What a node file holds, in the order of its rows; filled while it is read."""

    format: str
    """For people: ``addresses, one a line``, ``CSV, column ip``, ``geth nodes.json``."""
    rows: int = 0
    """Rows that are neither blank nor a comment."""
    v4: list[NDArray[np.uint32]] = field(default_factory=list)
    v6: list[NDArray[np.bytes_]] = field(default_factory=list)
    nodes: list[NodeSighting] = field(default_factory=list)
    """Rows that carry a node identity; their addresses are in `v4` and `v6` as well."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Rows that hold no address, by reason."""

    def add(self, addresses: Iterable[IPAddress]) -> None:
        """Keep addresses that were read one by one."""
        unmapped = [_unmapped(address) for address in addresses]
        v4 = [int(address) for address in unmapped if address.version == 4]
        v6 = [address.packed for address in unmapped if address.version == 6]
        if v4:
            self.v4.append(np.array(v4, np.uint32))
        if v6:
            self.v6.append(np.array(v6, IPV6_BYTES))


def read_node_file(stream: Readable, name: str, *, column: str | None = None) -> Sightings:
    """Read a node file of any form that is known.

    Parameters
    ----------
    stream : Readable
        Already decompressed; read once, from its start to its end.
    name : str
        For messages.
    column : str, optional
        The CSV column that holds the addresses, by its name or its number from 1.

    Raises
    ------
    UnreadableFile
        If no form fits, or the file is damaged.
    NoColumns
        If it is JSON and a column was named.
    NoAddressColumn
        If it is a CSV and its address column cannot be told.
    """
    head = _read_full(stream, CHUNK_BYTES).removeprefix(b"\xef\xbb\xbf")
    for magic, found in FOREIGN.items():
        if head.startswith(magic):
            raise UnreadableFile(name, f"{found}, wanted text", "save it as UTF-8 text, plain or as .gz")
    first, start, end = _first_row(head)
    if first.startswith("{"):
        if column is not None:
            raise NoColumns(name)
        return _read_geth_nodes(head[start:] + stream.read(MAX_JSON_BYTES + 1), name)
    delimiter = _delimiter(first)
    if first.startswith("[") and not _is_address(first.partition(delimiter or "\n")[0]):
        raise UnreadableFile(
            name, "a JSON array is none of the forms that are known", "geth's nodes.json is an object"
        )
    if (
        column is None
        and (delimiter is None or _is_address(first))
        and first.strip('" ').lower() not in ADDRESS_COLUMNS
    ):
        sightings = Sightings(format="one record a line")
        _read_lines(_whole_lines(stream, head), sightings)
        return sightings
    return _read_csv(stream, head[start:], end - start, name, delimiter or ",", column)


def read_row(text: str, sightings: Sightings) -> None:
    """Add one row that is no plain dotted quad: an IPv6 address, an enode URL, an ENR, or a reason."""
    try:
        if text.startswith("enode:"):
            node = enode.from_url(text)
            sightings.nodes.append(NodeSighting(node.node_id, 0, (node.address,)))
            sightings.add((node.address,))
            return
        if text.startswith("enr:"):
            record = enr.from_text(text)
            named = (record.ip, record.ip6)
            addresses = tuple(dict.fromkeys(_unmapped(address) for address in named if address is not None))
            if not addresses:
                sightings.dropped["ENR without an address"] += 1
                return
            sightings.nodes.append(NodeSighting(record.node_id, record.seq, addresses))
            sightings.add(addresses)
            return
    except WireError:
        sightings.dropped["bad enode URL" if text.startswith("enode:") else "bad ENR"] += 1
        return
    address = _bare_address(text)
    if address is None:
        sightings.dropped["a prefix, not an address" if _is_prefix(text) else "not an address"] += 1
        return
    sightings.add((address,))


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Rows of text, with the values of those that are plain addresses."""

    buffer: NDArray[np.uint8]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    v4: NDArray[np.uint32]
    v6: NDArray[np.bytes_]
    others: NDArray[np.int64]
    """Positions of the rows that are neither."""


def _read_lines(chunks: Iterable[bytes], sightings: Sightings) -> None:
    """Read chunks of whole lines; two are parsed at a time, and kept in their order."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        parsing: deque[Future[_Rows]] = deque()
        for chunk in chunks:
            parsing.append(pool.submit(_parse_lines, chunk))
            if len(parsing) == PARSED_AHEAD:
                _keep_rows(parsing.popleft().result(), sightings)
        while parsing:
            _keep_rows(parsing.popleft().result(), sightings)


def _parse_lines(chunk: bytes) -> _Rows:
    """Parse a chunk that ends with a line end."""
    buffer = np.frombuffer(chunk, np.uint8)
    end = np.flatnonzero(buffer == ord("\n"))
    start = np.append(0, end[:-1] + 1)
    end = np.where((end > start) & (buffer.take(end - 1, mode="clip") == ord("\r")), end - 1, end)
    return _parse_rows(buffer, start, end)


def _parse_rows(buffer: NDArray[np.uint8], start: NDArray[np.int64], end: NDArray[np.int64]) -> _Rows:
    v4, valid = parse_ipv4(buffer, start, end)
    others = np.flatnonzero(~valid)
    v6, valid6 = parse_ipv6(buffer, start[others], end[others])
    return _Rows(buffer, start, end, v4[valid], v6[valid6], others[~valid6])


def _keep_rows(rows: _Rows, sightings: Sightings, *, of_csv: bool = False) -> None:
    """Keep rows, of which blank ones and comments do not count; in the column of a CSV both are bad cells."""
    sightings.rows += len(rows.v4) + len(rows.v6)
    sightings.v4.append(rows.v4)
    sightings.v6.append(rows.v6)
    for position in rows.others.tolist():
        start, end = rows.start[position], rows.end[position]
        if end - start > MAX_ROW_BYTES:
            if of_csv or rows.buffer[start] != ord("#"):
                sightings.rows += 1
                sightings.dropped["longer than any record"] += 1
            continue
        text = rows.buffer[start:end].tobytes().decode("utf-8", "replace").strip(" \t\r")
        if of_csv and not text:
            sightings.rows += 1
            sightings.dropped["empty cell"] += 1
        elif of_csv or (text and not text.startswith("#")):
            sightings.rows += 1
            read_row(text.strip(" \t\"'"), sightings)


def _read_csv(
    stream: Readable, head: bytes, first_row: int, name: str, delimiter: str, column: str | None
) -> Sightings:
    """Read one column of a CSV through Arrow, which knows quoting and bounds its memory.

    A quote that opens and does not close makes one cell of many lines, without a word from Arrow. So
    lines are counted as they go in, and those that come out in no row are dropped by name.
    """
    import pyarrow as pa
    from pyarrow import csv

    text = head[:first_row].decode("utf-8", "replace").strip()
    fields = [entry.strip("\" '") for entry in next(csv_reader([text], delimiter=delimiter))]
    has_header = not any(_is_address(entry) for entry in fields)
    names = fields if has_header else [str(number) for number in range(1, len(fields) + 1)]
    chosen = _choose_column(names, fields, has_header=has_header, wanted=column, name=name)
    sightings = Sightings(format=f"CSV, column {names[chosen]}")
    positions = [f"c{number}" for number in range(len(names))]
    body = head[first_row:] if has_header else head
    body = body or _read_full(stream, CHUNK_BYTES)
    if not body:
        return sightings
    lines = _CountedLines(body, stream)

    def count_and_skip(_: object) -> str:
        sightings.rows += 1
        sightings.dropped["wrong number of columns"] += 1
        return "skip"

    try:
        reader = csv.open_csv(
            pa.PythonFile(lines, mode="r"),
            read_options=csv.ReadOptions(block_size=CHUNK_BYTES, column_names=positions, use_threads=False),
            parse_options=csv.ParseOptions(delimiter=delimiter, invalid_row_handler=count_and_skip),
            convert_options=csv.ConvertOptions(
                include_columns=[positions[chosen]],
                column_types={positions[chosen]: pa.large_binary()},
                strings_can_be_null=False,
            ),
        )
        for batch in reader:
            cells = batch.column(0)
            _, offsets, data = cells.buffers()
            bounds = np.frombuffer(offsets, np.int64)[cells.offset : cells.offset + len(cells) + 1]
            buffer = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
            empty = int((bounds[1:] == bounds[:-1]).sum())
            sightings.rows += empty
            if empty:
                sightings.dropped["empty cell"] += empty
            filled = bounds[1:] > bounds[:-1]
            rows = _parse_rows(buffer, bounds[:-1][filled], bounds[1:][filled])
            _keep_rows(rows, sightings, of_csv=True)
    except pa.ArrowInvalid as error:
        reason = str(error).splitlines()[0]
        if "straddling" in reason:
            reason = f"a row has more than {CHUNK_BYTES:,} bytes"
        raise UnreadableFile(name, f"not a CSV: {reason}") from error
    inside = lines.count - sightings.rows
    if inside > 0:
        sightings.rows += inside
        sightings.dropped["line inside a quoted cell"] += inside
    return sightings


class _CountedLines(Rejoined):
    """A rejoined source that counts its lines that are not empty."""

    def __init__(self, head: bytes, rest: Readable) -> None:
        super().__init__(head, rest)
        self.count = 0
        self._at_line_start = True

    def read(self, size: int = -1, /) -> bytes:
        data = super().read(size)
        if data:
            text = np.frombuffer(data, np.uint8)
            line_end = (text == ord("\n")) | (text == ord("\r"))
            starts = np.count_nonzero(line_end[:-1] & ~line_end[1:])
            self.count += int(starts) + int(self._at_line_start and not line_end[0])
            self._at_line_start = bool(line_end[-1])
        return data


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
        return next(position for position, entry in enumerate(first_row) if _is_address(entry))
    lowered = [entry.lower() for entry in names]
    for candidate in ADDRESS_COLUMNS:
        if candidate in lowered:
            return lowered.index(candidate)
    raise NoAddressColumn(name, names, None)


def _read_geth_nodes(data: bytes, name: str) -> Sightings:
    """Read ``{"<node id>": {"seq": …, "record": "enr:…", …}}`` as geth's devp2p tool writes it."""
    if len(data) > MAX_JSON_BYTES:
        raise UnreadableFile(name, f"more than {MAX_JSON_BYTES:,} bytes of JSON")
    repeated = 0

    def without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
        nonlocal repeated  # called for the outermost object last
        entries = dict(pairs)
        repeated = len(pairs) - len(entries)
        return entries

    try:
        document = json.loads(data, object_pairs_hook=without_repeats)
    except (ValueError, RecursionError) as error:
        raise UnreadableFile(name, f"not JSON: {error}") from error
    if not isinstance(document, dict) or not all(isinstance(entry, dict) for entry in document.values()):
        raise UnreadableFile(name, "wanted geth's nodes.json: an object of objects with the key `record`")
    sightings = Sightings(format="geth nodes.json", rows=repeated)
    if repeated:
        sightings.dropped["key given again"] = repeated
    for entry in document.values():
        sightings.rows += 1
        record = entry.get("record")
        if isinstance(record, str) and record.startswith("enr:"):
            read_row(record, sightings)
        else:
            sightings.dropped["no record"] += 1
    if document and sightings.dropped["no record"] == len(document):
        raise UnreadableFile(name, "JSON, but no entry has an ENR under `record`", "wanted geth's nodes.json")
    return sightings


def _whole_lines(stream: Readable, head: bytes) -> Iterator[bytes]:
    """Yield chunks that end with a line end; only the part of a line is ever carried over."""
    rest = head
    while chunk := stream.read(CHUNK_BYTES):
        cut = rest.rfind(b"\n") + 1
        if cut:
            yield rest[:cut]
        part = rest[cut:]
        if len(part) > MAX_ROW_BYTES:
            part = part[:1] * (MAX_ROW_BYTES + 1)  # too long, that is enough to know; a comment stays one
        rest = part + chunk
    if rest:
        yield rest if rest.endswith(b"\n") else rest + b"\n"


def _read_full(stream: Readable, size: int) -> bytes:
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


def _is_address(text: str) -> bool:
    text = text.strip("\" '")
    return text.startswith(("enode:", "enr:")) or _bare_address(text) is not None


def _bare_address(text: str) -> IPAddress | None:
    """Return the address in ``192.0.2.1``, ``192.0.2.1:30303``, ``2001:db8::1``, ``[2001:db8::1]:30303``."""
    host = text
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        if port and not (port[0] == ":" and port[1:].isdecimal()):
            return None
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
        if not port.isdecimal():
            return None
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return address


def _unmapped(address: IPAddress) -> IPAddress:
    """Return the IPv4 address that an IPv6 address maps, else the address itself."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return address if mapped is None else mapped


def _is_prefix(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return "/" in text
