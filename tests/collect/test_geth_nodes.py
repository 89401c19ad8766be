from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.made_foreign_crawls import DIGEST, FORK_HASH, NOON, Node, geth_entry, geth_nodes

from concentra.collect import geth_nodes as reader
from concentra.collect.geth_nodes import geth_rows
from concentra.collect.imports import ImportTally
from concentra.errors import UnreadableFile
from concentra.model.crawl import NodeRow, Outcome
from concentra.wire import enr

SEEN = datetime(2020, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
NODE = Node(7, "198.51.100.7", seq=5, eth=(FORK_HASH, 9))


def read(data: bytes) -> tuple[list[NodeRow], ImportTally]:
    tally = ImportTally()
    return list(geth_rows(io.BytesIO(data), "nodes.json", tally, seen=SEEN)), tally


def test_an_entry_gives_its_record_times_and_fork() -> None:
    [row], tally = read(geth_nodes((NODE, geth_entry(NODE, first=NOON - HOUR))))
    assert (row.node_id, row.public_key, row.record) == (
        NODE.node_id,
        NODE.public_key,
        enr.encode(NODE.record),
    )
    assert (row.address, row.udp, row.tcp, row.seq) == ("198.51.100.7", 9000, 9001, 5)
    assert (row.first_seen, row.last_seen, row.asked_at) == (NOON - HOUR, NOON, NOON)
    assert (row.fork_hash, row.fork_next, row.outcome) == (FORK_HASH, 9, Outcome.ANSWERED)
    assert (tally.read, dict(tally.dropped), dict(tally.emptied)) == (1, {}, {})


def test_a_consensus_node_gives_its_digest() -> None:
    node = Node(8, "2001:db8::8", eth2=DIGEST)
    [row], _ = read(geth_nodes((node, geth_entry(node))))
    assert (row.address, row.fork_hash, row.fork_next) == ("2001:db8::8", DIGEST, 2**64 - 1)


OUTCOMES: list[tuple[str, datetime | None, datetime | None, Outcome]] = [
    ("answered-the-last-check", NOON, NOON, Outcome.ANSWERED),
    ("silent-at-the-last-check", NOON - HOUR, NOON, Outcome.TIMED_OUT),
    ("never-answered", None, NOON, Outcome.TIMED_OUT),
    ("never-asked", None, None, Outcome.NOT_ASKED),
]


@pytest.mark.parametrize(
    ("last", "check", "outcome"), [row[1:] for row in OUTCOMES], ids=[row[0] for row in OUTCOMES]
)
def test_a_node_answered_if_it_did_at_its_last_check(
    last: datetime | None, check: datetime | None, outcome: Outcome
) -> None:
    [row], _ = read(geth_nodes((NODE, geth_entry(NODE, first=None, last=last, check=check))))
    assert row.outcome is outcome
    assert row.last_seen == (last or check or SEEN)
    assert row.first_seen == (check or SEEN)


def test_a_node_without_an_address_is_still_a_node() -> None:
    node = Node(9, None)
    [row], _ = read(geth_nodes((node, geth_entry(node))))
    assert (row.address, row.node_id) == (None, node.node_id)


def test_the_signed_sequence_number_counts_and_another_one_is_counted() -> None:
    [row], tally = read(geth_nodes((NODE, {**geth_entry(NODE), "seq": 99})))
    assert row.seq == 5
    assert tally.emptied == {"seq": 1}


@pytest.mark.parametrize("value", ["yesterday", 7, [], {}, "9999-12-31T23:59:59-01:00"])
def test_a_time_that_is_none_is_empty_and_counted(value: object) -> None:
    [row], tally = read(geth_nodes((NODE, {**geth_entry(NODE), "lastResponse": value})))
    assert (row.last_seen, row.outcome) == (NOON, Outcome.TIMED_OUT)
    assert tally.emptied == {"lastResponse": 1}


DROPPED: list[tuple[str, Any, str]] = [
    ("no-record", {"seq": 1}, "no record"),
    ("number", 7, "no record"),
    ("record-is-a-number", {"record": 7}, "no record"),
    ("address", {"record": "192.0.2.1"}, "no record"),
    ("damaged", {"record": NODE.enr[:-1]}, "bad ENR"),
    ("of-another-node", geth_entry(Node(8)), "node ID is not that of the key"),
]


@pytest.mark.parametrize(("entry", "reason"), [row[1:] for row in DROPPED], ids=[row[0] for row in DROPPED])
def test_an_entry_without_its_record_is_counted(entry: Any, reason: str) -> None:
    data = json.dumps({"00" * 32: entry, NODE.node_id.hex(): geth_entry(NODE)}).encode()
    rows, tally = read(data)
    assert [row.node_id for row in rows] == [NODE.node_id]
    assert (tally.read, dict(tally.dropped)) == (2, {reason: 1})


def test_a_key_given_twice_is_counted() -> None:
    entry = json.dumps(geth_entry(NODE))
    rows, tally = read(f'{{"{NODE.node_id.hex()}": {entry}, "{NODE.node_id.hex()}": {entry}}}'.encode())
    assert (len(rows), tally.read, dict(tally.dropped)) == (1, 2, {"key given again": 1})


@pytest.mark.parametrize("data", [b"", b"[]", b'{"a":' * 100_000, b'{"a": ' + b"9" * 5000 + b"}", b"{} {}"])
def test_other_json_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableFile, match=r"^nodes\.json: "):
        read(data)


def test_json_beyond_the_bound_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_JSON_BYTES", 2)
    assert read(b"{}")[0] == []
    monkeypatch.setattr(reader, "MAX_JSON_BYTES", 1)
    with pytest.raises(UnreadableFile, match="bytes of JSON"):
        read(b"{}")


DOCUMENT = geth_nodes((NODE, geth_entry(NODE)))


@given(st.integers(0, len(DOCUMENT) - 1), st.binary(max_size=3), st.integers(0, 3))
def test_damaged_bytes_are_refused_or_counted(place: int, inserted: bytes, cut: int) -> None:
    try:
        rows, tally = read(DOCUMENT[:place] + inserted + DOCUMENT[place + cut :])
    except UnreadableFile:
        return
    assert tally.read == len(rows) + tally.dropped.total()
    assert all(row.node_id == NODE.node_id for row in rows)
