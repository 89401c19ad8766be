"""A CSV of Armiarma's table ``ips``: what ip-api.com said of each address that its crawler met.

The columns are those of migalabs/armiarma (pkg/db/postgresql/ips.go), all or some of them, in any order. The
address is all that is read: whose it is, the maps say, and ``hosting``, ``proxy`` and ``mobile`` are another
service's inference, written ``t`` or ``f``, of which both are true to a program that does not look.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

from concentra.collect.address_forms import bare_address, unmapped
from concentra.collect.imports import NO_ADDRESS, ImportTally, endpoint_id, imported_row
from concentra.collect.node_forms import MAX_ROW_BYTES, CsvCells, detect
from concentra.collect.streams import Readable
from concentra.model.crawl import NodeRow

COLUMN = "ip"
TELLING = frozenset({"as_raw", "asname", "hosting", "mobile", "proxy", "country_code"})
"""Columns that together with `COLUMN` tell the table from other CSVs; four of them are enough."""


def is_armiarma(header: str) -> bool:
    """Tell whether `header` is that of the table ``ips``."""
    names = {name.strip(" \"'\r") for name in header.split(",")}
    return COLUMN in names and len(names & TELLING) >= 4


def armiarma_rows(stream: Readable, name: str, tally: ImportTally, *, seen: datetime) -> Iterator[NodeRow]:
    """Yield a row for each address, in the order of the file.

    Parameters
    ----------
    stream : Readable
    name : str
        For messages.
    tally : ImportTally
        Told of every row, and why it gave none.
    seen : datetime
        When the addresses were seen, UTC. The file does not say: what it may hold is when the answer of
        ip-api.com is to be asked for again.

    Raises
    ------
    UnreadableFile
        If it is no CSV.
    """
    cells = CsvCells(detect(stream, name, column=COLUMN))
    for buffer, bounds in cells:
        data = buffer.tobytes()
        for start, end in pairwise(bounds.tolist()):
            tally.read += 1
            text = data[start : min(end, start + MAX_ROW_BYTES)].decode("utf-8", "replace").strip(" \t\"'")
            address = bare_address(text)
            if address is None:
                tally.dropped[NO_ADDRESS if text else "empty cell"] += 1
                continue
            text = str(unmapped(address))
            yield imported_row(endpoint_id(text), address=text, first_seen=seen, last_seen=seen)
    for reason, rows in (
        ("wrong number of columns", cells.ragged),
        ("line inside a quoted cell", cells.swallowed),
    ):
        if rows:
            tally.read += rows
            tally.dropped[reason] += rows
