"""Node files → sightings: what each row holds, or the counted reason why it holds nothing.

A file is read in chunks of bounded size. Rows that are plain dotted quads go through
`address_text`, all others one by one through `read_row`; every row ends as addresses or as a counted
reason for being left out.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from concentra.collect.address_forms import (
    A_PREFIX,
    EMPTY_RECORD,
    NO_ADDRESS,
    IPAddress,
    bare_address,
    is_prefix,
    unmapped,
)
from concentra.collect.address_text import parse_ipv4, parse_ipv6
from concentra.collect.announced_forks import announced_fork
from concentra.collect.node_forms import (
    MAX_ROW_BYTES,
    CsvCells,
    Form,
    NodesJson,
    detect,
    nodes_json,
    whole_lines,
)
from concentra.collect.streams import Readable
from concentra.model.population import IPV6_BYTES
from concentra.wire import enode, enr
from concentra.wire.errors import WireError

PARSED_AHEAD = 4
"""Chunks that are being parsed while others are read: enough to keep two cores busy."""


@dataclass(frozen=True, slots=True)
class NodeSighting:
    """One record of one node: its identity, how new the record is, and the addresses in it."""

    node_id: bytes
    seq: int
    addresses: tuple[IPAddress, ...]
    fork: bytes | None = None
    """Fork digest or fork hash that the record announces, 4 bytes."""


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
        plain = [unmapped(address) for address in addresses]
        v4 = [int(address) for address in plain if address.version == 4]
        v6 = [address.packed for address in plain if address.version == 6]
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
    file = detect(stream, name, column=column)
    match file.form:
        case Form.LINES:
            sightings = Sightings(format="one record a line")
            _read_lines(whole_lines(file), sightings)
            return sightings
        case Form.CSV:
            return _read_csv(CsvCells(file))
        case Form.NODES_JSON:
            return _read_nodes_json(nodes_json(file))


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
            addresses = tuple(dict.fromkeys(unmapped(address) for address in named if address is not None))
            if not addresses:
                sightings.dropped[EMPTY_RECORD] += 1
                return
            fork = announced_fork(record)
            sightings.nodes.append(
                NodeSighting(record.node_id, record.seq, addresses, fork.hash if fork else None)
            )
            sightings.add(addresses)
            return
    except WireError:
        sightings.dropped["bad enode URL" if text.startswith("enode:") else "bad ENR"] += 1
        return
    address = bare_address(text)
    if address is None:
        sightings.dropped[A_PREFIX if is_prefix(text) else NO_ADDRESS] += 1
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


def _read_csv(cells: CsvCells) -> Sightings:
    sightings = Sightings(format=f"CSV, column {cells.column}")
    for buffer, bounds in cells:
        filled = bounds[1:] > bounds[:-1]
        empty = int(np.count_nonzero(~filled))
        sightings.rows += empty
        if empty:
            sightings.dropped["empty cell"] += empty
        _keep_rows(_parse_rows(buffer, bounds[:-1][filled], bounds[1:][filled]), sightings, of_csv=True)
    for reason, rows in (
        ("wrong number of columns", cells.ragged),
        ("line inside a quoted cell", cells.swallowed),
    ):
        if rows:
            sightings.rows += rows
            sightings.dropped[reason] += rows
    return sightings


def _read_nodes_json(document: NodesJson) -> Sightings:
    sightings = Sightings(format="geth nodes.json", rows=document.repeated + len(document.records))
    if document.repeated:
        sightings.dropped["key given again"] = document.repeated
    for record in document.records:
        if record is None:
            sightings.dropped["no record"] += 1
        else:
            read_row(record, sightings)
    return sightings
