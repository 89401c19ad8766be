"""geth's ``nodes.json``, which ``devp2p discv4|discv5 crawl`` and ``dns sync`` write (cmd/devp2p/nodeset.go).

``{"<node ID>": {"seq": …, "record": "enr:…", "score": …, "firstResponse": …, "lastResponse": …,
"lastCheck": …}}``. A check that succeeds sets ``lastResponse`` to ``lastCheck``, so an earlier one says that
the node was silent when it was last asked. A set that was not crawled, from a DNS tree say, has zero times.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

from concentra.collect.announced_forks import announced_fork
from concentra.collect.go_times import go_time
from concentra.collect.imports import OTHER_ID, ImportTally, imported_row
from concentra.collect.node_forms import MAX_JSON_BYTES
from concentra.collect.streams import Readable
from concentra.errors import UnreadableFile
from concentra.model.crawl import NodeRow, Outcome
from concentra.wire import enr
from concentra.wire.errors import WireError


def geth_rows(stream: Readable, name: str, tally: ImportTally, *, seen: datetime) -> Iterator[NodeRow]:
    """Yield a row for each entry that has a record, in the order of the file.

    Parameters
    ----------
    stream : Readable
    name : str
        For messages.
    tally : ImportTally
        Told of every entry, and why it gave no row.
    seen : datetime
        When nodes without times were collected, UTC.

    Raises
    ------
    UnreadableFile
        If it is damaged, of another form, or larger than any network.
    """
    data = stream.read(MAX_JSON_BYTES + 1)
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
    if not isinstance(document, dict):
        raise UnreadableFile(name, "wanted geth's nodes.json: an object of objects with the key `record`")
    if repeated:
        tally.read += repeated
        tally.dropped["key given again"] += repeated
    for key, entry in document.items():
        tally.read += 1
        row = _row(key, entry, seen, tally)
        if isinstance(row, str):
            tally.dropped[row] += 1
        else:
            yield row


def _row(key: str, entry: object, seen: datetime, tally: ImportTally) -> NodeRow | str:
    """Return the row of an entry, or why it is none."""
    text = entry.get("record") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(text, str) or not text.startswith(enr.PREFIX):
        return "no record"
    try:
        record = enr.from_text(text)
    except WireError:
        return "bad ENR"
    if key.removeprefix("0x").lower() != record.node_id.hex():
        return OTHER_ID
    if entry.get("seq") != record.seq:
        tally.emptied["seq"] += 1  # the signed one counts
    first, last, checked = (
        _time(entry, name, tally) for name in ("firstResponse", "lastResponse", "lastCheck")
    )
    fork = announced_fork(record)
    address = record.ip or record.ip6
    return imported_row(
        record.node_id,
        public_key=record.public_key,
        address=None if address is None else str(address),
        udp=record.udp if record.ip else record.udp6,
        tcp=record.tcp if record.ip else record.tcp6,
        record=enr.encode(record),
        seq=record.seq,
        first_seen=first or checked or seen,
        last_seen=last or checked or seen,
        asked_at=checked,
        outcome=_outcome(last, checked),
        fork_hash=fork.hash if fork else None,
        fork_next=fork.next if fork else None,
    )


def _time(entry: dict[str, object], name: str, tally: ImportTally) -> datetime | None:
    value = entry.get(name)
    if value is None:
        return None
    try:
        return go_time(value)
    except ValueError:
        tally.emptied[name] += 1
        return None


def _outcome(last: datetime | None, checked: datetime | None) -> Outcome:
    if checked is None:
        return Outcome.NOT_ASKED if last is None else Outcome.ANSWERED
    return Outcome.ANSWERED if last is not None and last >= checked else Outcome.TIMED_OUT
