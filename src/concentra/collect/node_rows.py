"""Node files row by row: the text of every row in its order, and the addresses that are in it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import pairwise

from concentra.collect.node_forms import (
    MAX_ROW_BYTES,
    CsvCells,
    Form,
    IPAddress,
    NodeFile,
    bare_address,
    detect,
    nodes_json,
    whole_lines,
)
from concentra.collect.streams import Readable
from concentra.wire import enode, enr
from concentra.wire.errors import WireError

NO_ADDRESS = "not an address"


def row_texts(stream: Readable, name: str, *, column: str | None = None) -> Iterator[list[str]]:
    """Yield the texts of the rows of a node file in their order, some at a time.

    Blank lines and comments are no rows. The parameters and errors are those of `read_node_file`.
    """
    file = detect(stream, name, column=column)
    match file.form:
        case Form.LINES:
            for chunk in whole_lines(file):
                lines = (_text(line) for line in chunk.split(b"\n"))
                yield [line.strip("\"'") for line in lines if line and not line.startswith("#")]
        case Form.CSV:
            yield from _csv_texts(file)
        case Form.NODES_JSON:
            yield [record or "" for record in nodes_json(file).records]


def addresses_in(text: str) -> Sequence[IPAddress] | str:
    """Return the addresses in one row, or why there is none.

    Examples
    --------
    >>> addresses_in("[2001:db8::1]:30303"), addresses_in("nodes")
    ((IPv6Address('2001:db8::1'),), 'not an address')
    """
    try:
        if text.startswith("enode:"):
            return (enode.from_url(text).address,)
        if text.startswith("enr:"):
            record = enr.from_text(text)
            ip6 = record.ip6 and (record.ip6.ipv4_mapped or record.ip6)
            named = dict.fromkeys(address for address in (record.ip, ip6) if address is not None)
            return tuple(named) or "ENR without an address"
    except WireError as error:
        return str(error)
    address = bare_address(text)
    return NO_ADDRESS if address is None else (address,)


def _csv_texts(file: NodeFile) -> Iterator[list[str]]:
    """Yield the cells of the column; a row with another number of columns than the first is there whole."""
    ragged: deque[tuple[int, str]] = deque()
    row = 0
    for buffer, bounds in CsvCells(file, refused=lambda number, text: ragged.append((number, text))):
        data, ends = buffer.tobytes(), bounds.tolist()
        texts = []
        for start, end in pairwise(ends):
            row += 1
            while ragged and ragged[0][0] == row:
                texts.append(ragged.popleft()[1][:MAX_ROW_BYTES])
                row += 1
            texts.append(_text(data[start:end]).strip("\"'"))
        yield texts
    yield [text[:MAX_ROW_BYTES] for _, text in ragged]


def _text(row: bytes) -> str:
    return row[:MAX_ROW_BYTES].decode("utf-8", "replace").strip(" \t\r")
