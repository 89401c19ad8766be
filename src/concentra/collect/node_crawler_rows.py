"""Rows of ethereum/node-crawler's SQLite table ``nodes`` [1]_, one for each node and round.

The key is (ID, Now). Times are what Go's `time.Time.String` gives, in the zone of the machine, so that they
are in no order as text. A node stays in the table for as long as its score lasts, whether it answers or not:
``LastSeen`` tells. Whatever has an ``eth2`` entry in its record is stored with ``ClientType`` "eth2" in place
of its client, and its fork digest in place of the fork ID; "tmp" is a client that had too many peers to name
itself. A network ID or fork hash of zero was not told.

.. [1] https://github.com/ethereum/node-crawler, pkg/crawlerdb/db.go, ``CreateDB`` and ``UpdateNodes``
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import TypeAlias

from concentra.collect.address_forms import bare_address, unmapped
from concentra.collect.go_times import go_time
from concentra.collect.imports import (
    MAX_NODES,
    OTHER_ID,
    SEEN_AGAIN,
    ImportTally,
    client_name,
    imported_row,
)
from concentra.errors import UnreadableFile
from concentra.model.crawl import NodeRow, Outcome
from concentra.wire import identity
from concentra.wire.errors import WireError

TABLE = "nodes"
REQUIRED = ("ID", "Now", "IP", "LastSeen")
OPTIONAL = ("ClientType", "PK", "Capabilities", "NetworkID", "ForkID", "FirstSeen", "Seq")
COLUMNS = (*REQUIRED, *OPTIONAL)
"""The columns that are read; databases of older versions lack some, and geolocation is never read."""

ROUND = timedelta(days=1)
"""A round lasts five minutes, and the check of 35,000 nodes that are known already took 12 hours
(go-ethereum, PR 26697); a node whose last answer is older was silent."""

Cell: TypeAlias = "bytes | int | float | None"

_NOT_CLIENTS = frozenset({"eth2", "tmp"})
_KEY = re.compile(r"X: (\d{1,78}), Y: (\d{1,78})", re.ASCII)
_FORK_OF_RECORD = re.compile(r"Hash: 0x([0-9a-f]{8}), Next (\d{1,20})", re.ASCII)
_FORK_OF_STATUS = re.compile(r"Hash: \[(\d{1,3}) (\d{1,3}) (\d{1,3}) (\d{1,3})\], Next (\d{1,20})", re.ASCII)
_CAPABILITY = re.compile(r"[a-z][a-z0-9]{0,15}/\d{1,3}", re.ASCII)
_MAX_CAPABILITIES = 16
_UINT64 = 1 << 64


def node_crawler_rows(rows: Iterable[Mapping[str, Cell]], name: str, tally: ImportTally) -> Iterator[NodeRow]:
    """Yield a row for each node, from the newest of its rows.

    Parameters
    ----------
    rows : iterable of mapping
        Column → value, of those of `COLUMNS` that the database has; text as bytes, in UTF-8 or not.
    name : str
        For messages.
    tally : ImportTally
        Told of every row, and why it gave none.

    Raises
    ------
    UnreadableFile
        If there are more nodes than any network has.
    """
    newest: dict[bytes, tuple[datetime, Mapping[str, Cell]]] = {}
    for row in rows:
        tally.read += 1
        node_id = _node_id(row)
        now = _time(row.get("Now"))
        if node_id is None or now is None:
            tally.dropped["bad node ID" if node_id is None else "bad time"] += 1
            continue
        if node_id in newest:
            tally.dropped[SEEN_AGAIN] += 1
            if newest[node_id][0] > now:
                continue
        elif len(newest) == MAX_NODES:
            raise UnreadableFile(name, f"more than {MAX_NODES:,} nodes: no network has so many")
        newest[node_id] = now, row
    last_round = max((now for now, _ in newest.values()), default=None)
    for node_id, (now, row) in newest.items():
        made = None if last_round is None else _row(node_id, now, row, last_round, tally)
        if made is None:
            tally.dropped[OTHER_ID] += 1
        else:
            yield made


def _row(
    node_id: bytes, now: datetime, row: Mapping[str, Cell], last_round: datetime, tally: ImportTally
) -> NodeRow | None:
    """Return the row of a node; None if its key is another node's."""
    public_key = _public_key(row, tally)
    if public_key is not None and identity.node_id(public_key) != node_id:
        return None
    last = _told_time(row, "LastSeen", tally)
    address = bare_address(_text(row.get("IP")))
    client = _text(row.get("ClientType"))
    fork_hash, fork_next = _fork(_text(row.get("ForkID")))
    return imported_row(
        node_id,
        public_key=public_key,
        address=None if address is None else str(unmapped(address)),
        seq=_number(row, "Seq", tally),
        first_seen=_told_time(row, "FirstSeen", tally) or last or now,
        last_seen=last or now,
        asked_at=now,
        outcome=_outcome(now, last, last_round),
        client=None if client in _NOT_CLIENTS else client_name(client),
        capabilities=_capabilities(_text(row.get("Capabilities"))),
        network_id=_number(row, "NetworkID", tally) or None,
        fork_hash=fork_hash,
        fork_next=fork_next,
    )


def _outcome(now: datetime, last: datetime | None, last_round: datetime) -> Outcome:
    if last is not None and last >= last_round - ROUND:
        return Outcome.ANSWERED
    return Outcome.TIMED_OUT if now >= last_round - ROUND else Outcome.NOT_ASKED


def _node_id(row: Mapping[str, Cell]) -> bytes | None:
    text = _text(row.get("ID"))
    try:
        node_id = bytes.fromhex(text)
    except ValueError:
        return None
    return node_id if len(node_id) == 32 and len(text) == 64 else None


def _public_key(row: Mapping[str, Cell], tally: ImportTally) -> bytes | None:
    """Return the key, which is written as two decimal numbers."""
    text = _text(row.get("PK"))
    if not text:
        return None
    match = _KEY.fullmatch(text)
    if match is not None:
        try:
            key = b"".join(int(number).to_bytes(32, "big") for number in match.groups())
            return identity.coordinates(identity.parse_key(key))
        except (OverflowError, WireError):
            pass  # no point on the curve
    tally.emptied["PK"] += 1
    return None


def _fork(text: str) -> tuple[bytes | None, int | None]:
    """Return the fork of the record (consensus) or of the Status (execution); zeros were not told."""
    of_record = _FORK_OF_RECORD.fullmatch(text)
    of_status = _FORK_OF_STATUS.fullmatch(text)
    if of_record is not None:
        fork_hash, following = bytes.fromhex(of_record[1]), int(of_record[2])
    elif of_status is not None:
        *numbers, following = map(int, of_status.groups())
        if max(numbers) > 255:
            return None, None
        fork_hash = bytes(numbers)
    else:
        return None, None
    return (fork_hash, following) if any(fork_hash) and following < _UINT64 else (None, None)


def _capabilities(text: str) -> str | None:
    found = {part for part in text.replace(",", " ").split() if _CAPABILITY.fullmatch(part)}
    return " ".join(sorted(found)[:_MAX_CAPABILITIES]) or None


def _told_time(row: Mapping[str, Cell], column: str, tally: ImportTally) -> datetime | None:
    text = _text(row.get(column))
    if not text:
        return None
    try:
        return go_time(text)
    except ValueError:
        tally.emptied[column] += 1
        return None


def _time(cell: Cell) -> datetime | None:
    try:
        return go_time(_text(cell))
    except ValueError:
        return None


def _number(row: Mapping[str, Cell], column: str, tally: ImportTally) -> int | None:
    value = row.get(column)
    if value is None:
        return None
    if isinstance(value, int) and 0 <= value < _UINT64:
        return value
    tally.emptied[column] += 1
    return None


def _text(cell: Cell) -> str:
    return cell.decode("utf-8", "replace") if isinstance(cell, bytes) else ""
