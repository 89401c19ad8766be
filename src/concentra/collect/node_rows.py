"""Node files row by row: the text of every row in its order, and the addresses that are in it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import pairwise

from concentra.collect.node_forms import (
    MAX_ROW_BYTES,
    CsvCells,
    Form,
    NodeFile,
    detect,
    nodes_json,
    whole_lines,
)
from concentra.collect.streams import Readable
from concentra.errors import UnreadableFile


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


def _csv_texts(file: NodeFile) -> Iterator[list[str]]:
    """Yield the cells of the column; a row with another number of columns than the first is there whole.

    Raises
    ------
    UnreadableFile
        At the end, if lines came out in no row: a quote that opens and does not close takes them in.
    """
    ragged: deque[tuple[int, str]] = deque()
    row = 0
    cells = CsvCells(file, refused=lambda number, text: ragged.append((number, text)))
    for buffer, bounds in cells:
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
    if cells.swallowed:
        reason = f"{cells.swallowed:,} lines stand inside a quoted cell"
        raise UnreadableFile(file.name, reason, "close the quote that opens there")


def _text(row: bytes) -> str:
    return row[:MAX_ROW_BYTES].decode("utf-8", "replace").strip(" \t\r")
