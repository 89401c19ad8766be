"""Rows of a crawl ↔ Parquet files that say what they are.

The schema's metadata hold the version of the rows and the manifest of the crawl, so that a file tells its
network and its date wherever it is copied to. A file is read whole and checked before its first row is
given out; whatever its bytes are, it is read or it is an `UnreadableFile`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import IO, TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from concentra.errors import UnreadableFile
from concentra.model.crawl import CrawlManifest, CrawlSource, NodeRow, Outcome

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 1
"""Version of the rows. A reader takes no other: what it does not know may change the meaning of the rest."""

GROUP_ROWS = 4 * 1024
"""Rows of a row group at most, and rows turned into values at a time."""

_FORMAT_KEY = b"concentra-crawl"
_MANIFEST_KEY = b"concentra-manifest"
_PARTS_KEY = b"concentra-parts"
_LOST_KEY = b"concentra-parts-lost"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_US = int((datetime(9999, 12, 31, tzinfo=UTC) - _EPOCH) / timedelta(microseconds=1))
_NODE_ID_BYTES = 32
_SOURCES = {source.value: source for source in CrawlSource}
_OUTCOMES = {outcome.value: outcome for outcome in Outcome}
_WORDS = {"source": frozenset(_SOURCES), "outcome": frozenset(_OUTCOMES)}
_MOMENTS = ("first_seen", "last_seen", "asked_at")
_REPEATED = ["source", "address", "outcome", "dialled", "client", "capabilities", "network_id", "genesis"]
"""Columns in which few values stand often: a dictionary makes them small."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartHeader:
    """What a file says of itself."""

    manifest: CrawlManifest
    """Of the crawl, as it was when the file was written."""
    parts: int
    """Number of the newest part whose rows are in this file."""
    lost: int = 0
    """How many parts were damaged, and left out, when this file was put together."""


class CrawlPart(NamedTuple):
    """A file that was read."""

    header: PartHeader
    table: pa.Table


@cache
def schema() -> pa.Schema:
    """Return the columns, which are the fields of `NodeRow` in their order."""
    import pyarrow as pa

    moment, node_id, word = pa.timestamp("us", "UTC"), pa.binary(_NODE_ID_BYTES), pa.string()

    def always(name: str, kind: pa.DataType) -> pa.Field:
        return pa.field(name, kind, nullable=False)

    return pa.schema(
        [
            always("source", word),
            always("node_id", node_id),
            ("public_key", pa.binary(64)),
            ("address", word),
            ("udp", pa.uint16()),
            ("tcp", pa.uint16()),
            ("record", pa.binary()),
            ("seq", pa.uint64()),
            always("first_seen", moment),
            always("last_seen", moment),
            ("asked_at", moment),
            always("outcome", word),
            always("announcers", pa.uint8()),
            always("told", pa.uint32()),
            ("rtt_ms", pa.uint32()),
            ("dialled", word),
            ("client", word),
            ("capabilities", word),
            ("network_id", pa.uint64()),
            ("genesis", pa.binary(32)),
            ("fork_hash", pa.binary(4)),
            ("fork_next", pa.uint64()),
            ("head", pa.uint64()),
        ]
    )


def table_of(rows: Iterable[NodeRow]) -> pa.Table:
    """Return rows as a table.

    Raises
    ------
    ValueError
        If a value does not fit its column: a node ID that has not 32 bytes, a port beyond 65535, a text
        that is no Unicode.

    Examples
    --------
    >>> table_of([]).num_rows
    0
    """
    import pyarrow as pa

    kept = list(rows)
    try:
        return pa.Table.from_arrays(
            [
                pa.array([getattr(row, field.name) for row in kept], field.type, from_pandas=False)
                for field in schema()
            ],
            schema=schema(),
        )
    except (OverflowError, pa.ArrowException) as error:
        raise ValueError(f"a row does not fit the schema: {error}") from error


def rows_of(table: pa.Table, order: NDArray[np.int64]) -> Iterator[NodeRow]:
    """Yield the rows of a table that was checked, in that order, made a few thousand at a time."""
    for first in range(0, len(order), GROUP_ROWS):
        batch = table.take(order[first : first + GROUP_ROWS])
        lists = [
            _moments(column) if name in _MOMENTS else column.to_pylist()
            for name, column in zip(batch.column_names, batch.columns, strict=True)
        ]
        for source, node_id, public_key, address, udp, tcp, record, seq, *rest in zip(*lists, strict=True):
            first_seen, last_seen, asked_at, outcome, announcers, told, rtt_ms, *dial = rest
            dialled, client, capabilities, network_id, genesis, fork_hash, fork_next, head = dial
            yield NodeRow(
                source=_SOURCES[source],
                node_id=node_id,
                public_key=public_key,
                address=address,
                udp=udp,
                tcp=tcp,
                record=record,
                seq=seq,
                first_seen=first_seen,
                last_seen=last_seen,
                asked_at=asked_at,
                outcome=_OUTCOMES[outcome],
                announcers=announcers,
                told=told,
                rtt_ms=rtt_ms,
                dialled=dialled,
                client=client,
                capabilities=capabilities,
                network_id=network_id,
                genesis=genesis,
                fork_hash=fork_hash,
                fork_next=fork_next,
                head=head,
            )


def asked_since(table: pa.Table, since: datetime) -> Iterator[tuple[bytes, datetime]]:
    """Yield node ID and moment of the rows of nodes that were sent a packet at `since` or later."""
    nodes = table.column("node_id").to_pylist()
    for node_id, asked_at in zip(nodes, _moments(table.column("asked_at")), strict=True):
        if asked_at is not None and asked_at >= since:
            yield node_id, asked_at


def write(sink: IO[bytes], tables: Iterable[pa.Table], header: PartHeader) -> None:
    """Write tables as one Parquet file, whose pages carry check sums, into `sink`.

    Raises
    ------
    OSError
        If `sink` does not take it.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    described = schema().with_metadata(
        {
            _FORMAT_KEY: str(FORMAT),
            _MANIFEST_KEY: msgspec.json.encode(header.manifest),
            _PARTS_KEY: str(header.parts),
            _LOST_KEY: str(header.lost),
        }
    )
    with pq.ParquetWriter(
        sink,
        described,
        compression="zstd",
        use_dictionary=_REPEATED,
        write_statistics=False,  # nobody asks for a part of the rows
        write_page_checksum=True,
    ) as file:
        waiting, rows = list[pa.Table](), 0
        for table in tables:
            waiting.append(table)
            rows += table.num_rows
            if rows >= GROUP_ROWS:
                file.write_table(pa.concat_tables(waiting), GROUP_ROWS)
                waiting, rows = [], 0
        if rows:
            file.write_table(pa.concat_tables(waiting), GROUP_ROWS)


def decode(data: bytes, name: str) -> CrawlPart:
    """Return what a Parquet file says of itself, and its rows, checked.

    Parameters
    ----------
    data : bytes
        The whole file.
    name : str
        Of the file, for messages.

    Raises
    ------
    UnreadableFile
        If it is damaged, no file of a crawl, of another version, or holds a value that no row can have.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True) as file:
            header = header_of(file.schema_arrow, name)
            table = file.read(use_threads=False).replace_schema_metadata()
        table.validate(full=True)
        problem = _problem(table)
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UnreadableFile(name, f"a damaged part of a crawl: {reason}") from error
    if problem is not None:
        raise UnreadableFile(name, f"a damaged part of a crawl: {problem}")
    return CrawlPart(header, table)


def is_crawl(found: pa.Schema) -> bool:
    """Tell whether a Parquet file with this schema was written by a crawl of whatever version."""
    return _FORMAT_KEY in (found.metadata or {})


def header_of(found: pa.Schema, name: str) -> PartHeader:
    """Return what the schema of a Parquet file says of the crawl.

    Raises
    ------
    UnreadableFile
        If it is no crawl's, of another version, or the columns are not those of that version.
    """
    said = found.metadata or {}
    version = said.get(_FORMAT_KEY)
    if version is None:
        raise UnreadableFile(name, "no part of a crawl: its schema does not say so")
    if version != str(FORMAT).encode():
        shown = version[:20].decode("ascii", "replace")
        raise UnreadableFile(name, f"a crawl of version {shown}, wanted {FORMAT}", "update concentra")
    if not found.equals(schema(), check_metadata=False):
        raise UnreadableFile(name, f"its columns are not those of a crawl of version {FORMAT}")
    return PartHeader(
        manifest=decode_manifest(said.get(_MANIFEST_KEY, b""), name),
        parts=_number(said.get(_PARTS_KEY, b""), name),
        lost=_number(said.get(_LOST_KEY, b""), name),
    )


def decode_manifest(data: bytes, name: str) -> CrawlManifest:
    """Return the manifest that `data` encodes as JSON.

    Raises
    ------
    UnreadableFile
        If it is none, or of another version.
    """
    try:
        manifest = msgspec.json.decode(data, type=CrawlManifest)
        for identity in manifest.identities:
            bytes.fromhex(identity)
    except (msgspec.DecodeError, ValueError) as error:
        raise UnreadableFile(name, f"the manifest of the crawl is damaged: {error}") from error
    if manifest.format != FORMAT:
        reason = f"a crawl of version {manifest.format}, wanted {FORMAT}"
        raise UnreadableFile(name, reason, "update concentra")
    return manifest


class NewestRows:
    """Of every source and node the newest row, from tables that come in newest first."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()

    def positions(self, table: pa.Table) -> NDArray[np.int64]:
        """Return which rows of a table have a key that no newer one has; of two in the table the later."""
        keys, chosen = _keys(table).tolist(), list[int]()
        for position in reversed(range(len(keys))):
            if keys[position] not in self._seen:
                self._seen.add(keys[position])
                chosen.append(position)
        return np.array(chosen, np.int64)


def by_node(table: pa.Table) -> NDArray[np.int64]:
    """Return the positions of the rows in order of node ID, so that the rows of one node stand together."""
    return np.argsort(_keys(table))


def _keys(table: pa.Table) -> NDArray[np.bytes_]:
    """Return node ID and source of each row as 33 bytes, of which the last is never 0."""
    import pyarrow as pa
    import pyarrow.compute as pc

    keys = np.empty((table.num_rows, _NODE_ID_BYTES + 1), np.uint8)
    node_ids = b"".join(table.column("node_id").to_pylist())
    keys[:, :-1] = np.frombuffer(node_ids, np.uint8).reshape(-1, _NODE_ID_BYTES)
    keys[:, -1] = pc.index_in(table.column("source"), value_set=pa.array(list(_SOURCES))).to_numpy() + 1
    return keys.view(f"S{_NODE_ID_BYTES + 1}").ravel()


def _moments(column: pa.Array | pa.ChunkedArray) -> list[datetime | None]:
    """Return times exactly, which floats would not, and without a database of time zones."""
    import pyarrow as pa

    return [
        None if microseconds is None else _EPOCH + timedelta(microseconds=microseconds)
        for microseconds in column.cast(pa.int64()).to_pylist()
    ]


def _problem(table: pa.Table) -> str | None:
    """Return what no row of a crawl can hold; None if every value is one that a row can."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for field in schema():
        column = table.column(field.name)
        if column.null_count and not field.nullable:
            return f"{field.name} is missing in {column.null_count:,} rows"
        if field.name in _WORDS:
            unknown = set(column.unique().to_pylist()) - _WORDS[field.name]
            if unknown:
                return f"no {field.name} is called {min(unknown)[:40]!r}"
        if field.name in _MOMENTS:
            extremes = pc.min_max(column.cast(pa.int64()))
            if not all(0 <= (extreme.as_py() or 0) <= _LAST_US for extreme in extremes.values()):
                return f"{field.name} lies before 1970 or after 9999"
    addresses = table.column("address").drop_null().unique()
    return None if all(map(_is_address, addresses.to_pylist())) else "a text is no address"


def _is_address(text: str) -> bool:
    """Tell whether a text is an address; with a zone it means something on one machine only."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def _number(text: bytes, name: str) -> int:
    if not text.isdigit() or len(text) > 9:
        raise UnreadableFile(
            name, f"wanted a number of parts, found {text[:20].decode('ascii', 'replace')!r}"
        )
    return int(text)
