from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.made_foreign_crawls import DIGEST, FORK_HASH, NOON, Node, crawler_row, go_string

from concentra.collect import node_crawler_rows as reader
from concentra.collect.imports import SEEN_AGAIN, ImportTally
from concentra.collect.node_crawler_rows import COLUMNS, Cell, node_crawler_rows
from concentra.errors import UnreadableFile
from concentra.model.crawl import NodeRow, Outcome

NODE = Node(7, "198.51.100.7", seq=5, eth=(FORK_HASH, 1_765_290_071))
ROUND_END = NOON + timedelta(minutes=5, microseconds=250_000)
DAY = timedelta(days=1)


def cells(row: Mapping[str, Any]) -> dict[str, Cell]:
    """Return the row as the database hands it out."""
    return {
        name: value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
        for name, value in row.items()
        if name in COLUMNS
    }


def read(*rows: Mapping[str, Any]) -> tuple[list[NodeRow], ImportTally]:
    tally = ImportTally()
    return list(node_crawler_rows(map(cells, rows), "crawler.db", tally)), tally


def row_of(**changed: Any) -> NodeRow:
    [row], tally = read(crawler_row(NODE, **changed))
    assert (tally.read, dict(tally.dropped)) == (1, {})
    return row


def test_a_row_of_an_execution_node() -> None:
    row = row_of()
    assert (row.node_id, row.public_key, row.seq) == (NODE.node_id, NODE.public_key, 5)
    assert (row.address, row.udp, row.tcp) == ("198.51.100.7", None, None)
    assert (row.first_seen, row.last_seen, row.asked_at) == (NOON - 30 * DAY, NOON, ROUND_END)
    assert (row.outcome, row.client) == (Outcome.ANSWERED, "Geth/v1.16.7-stable/linux-amd64/go1.25.3")
    assert row.capabilities == "eth/68 eth/69 snap/1"
    assert (row.network_id, row.fork_hash, row.fork_next) == (1, FORK_HASH, 1_765_290_071)


def test_a_consensus_node_has_its_digest_and_no_client() -> None:
    row = row_of(
        ClientType="eth2",
        Capabilities="",
        NetworkID=0,
        ForkID=f"Hash: 0x{DIGEST.hex()}, Next 18446744073709551615",
    )
    assert (row.client, row.capabilities, row.network_id) == (None, None, None)
    assert (row.fork_hash, row.fork_next) == (DIGEST, 2**64 - 1)


@pytest.mark.parametrize(
    ("stored", "client"), [("tmp", None), ("", None), (None, None), ("nethermind", "nethermind")]
)
def test_a_node_with_too_many_peers_did_not_name_its_client(stored: str | None, client: str | None) -> None:
    assert row_of(ClientType=stored).client == client


def test_zeros_were_not_told() -> None:
    row = row_of(NetworkID=0, ForkID="Hash: [0 0 0 0], Next 0")
    assert (row.network_id, row.fork_hash, row.fork_next) == (None, None, None)


@pytest.mark.parametrize(
    "text",
    ["", "Hash: [1 2 3], Next 0", "Hash: [1 2 3 256], Next 0", "Hash: 0x6a95a1a9, Next 18446744073709551616"],
)
def test_a_fork_of_another_form_is_none(text: str) -> None:
    assert row_of(ForkID=text).fork_hash is None


@pytest.mark.parametrize("text", ["<nil>", "", "node.example", None])
def test_a_node_without_an_address_is_still_a_node(text: str | None) -> None:
    assert row_of(IP=text).address is None


def test_an_ipv6_address_that_maps_ipv4_is_that_one() -> None:
    assert row_of(IP="::ffff:192.0.2.9").address == "192.0.2.9"


# Which row counts, and whether its node was there


def test_the_newest_row_counts_although_it_is_not_the_last_as_text() -> None:
    # 23:30 in New York is later than 05:15 of the next day in Berlin, and sorts before it.
    older = crawler_row(NODE, Now=go_string(NOON, hours=17, zone="XST"), IP="192.0.2.1")
    newer = crawler_row(
        NODE, Now=go_string(NOON + timedelta(minutes=1), hours=-5, zone="EST"), IP="192.0.2.2"
    )
    assert str(older["Now"]) > str(newer["Now"])
    for rows in ((older, newer), (newer, older)):
        [row], tally = read(*rows)
        assert row.address == "192.0.2.2"
        assert (tally.read, dict(tally.dropped)) == (2, {SEEN_AGAIN: 1})


@pytest.mark.parametrize(
    ("last_seen", "now", "outcome"),
    [
        (NOON, ROUND_END, Outcome.ANSWERED),
        (ROUND_END - DAY, ROUND_END, Outcome.ANSWERED),
        (ROUND_END - DAY - timedelta(seconds=1), ROUND_END, Outcome.TIMED_OUT),
        (None, ROUND_END, Outcome.TIMED_OUT),
        (NOON - 40 * DAY, NOON - 40 * DAY, Outcome.NOT_ASKED),
    ],
    ids=["in-the-round", "a-day-before", "longer-ago", "never", "of-an-earlier-crawl"],
)
def test_a_node_stays_in_the_table_after_it_fell_silent(last_seen: Any, now: Any, outcome: Outcome) -> None:
    rows, _ = read(
        crawler_row(NODE, LastSeen=go_string(last_seen), Now=go_string(now)),
        crawler_row(Node(8)),
    )
    assert [row.outcome for row in rows] == [outcome, Outcome.ANSWERED]


# Rows that are none


DROPPED: list[tuple[str, dict[str, Any], str]] = [
    ("id-too-short", {"ID": "ab"}, "bad node ID"),
    ("id-with-spaces", {"ID": " ".join(["ab"] * 32)}, "bad node ID"),
    ("id-no-hex", {"ID": "x" * 64}, "bad node ID"),
    ("id-null", {"ID": None}, "bad node ID"),
    ("id-a-number", {"ID": 7}, "bad node ID"),
    ("time-of-another-form", {"Now": "yesterday"}, "bad time"),
    ("time-zero", {"Now": go_string(None)}, "bad time"),
    ("time-a-number", {"Now": 1_763_812_800}, "bad time"),
    ("key-of-another-node", {"PK": crawler_row(Node(9))["PK"]}, "node ID is not that of the key"),
]


@pytest.mark.parametrize(("changed", "reason"), [row[1:] for row in DROPPED], ids=[row[0] for row in DROPPED])
def test_a_row_without_a_node_or_a_time_is_counted(changed: dict[str, Any], reason: str) -> None:
    rows, tally = read(crawler_row(Node(8), **changed), crawler_row(NODE))
    assert [row.node_id for row in rows] == [NODE.node_id]
    assert (tally.read, dict(tally.dropped)) == (2, {reason: 1})


EMPTIED: list[tuple[str, str, object]] = [
    ("key-off-the-curve", "PK", "X: 1, Y: 1"),
    ("key-beyond-32-bytes", "PK", f"X: {2**257}, Y: 1"),
    ("key-of-another-form", "PK", "secp256k1"),
    ("negative-seq", "Seq", -1),
    ("seq-as-a-fraction", "Seq", 1.8e19),
    ("seq-as-text", "Seq", "many"),
    ("network-as-text", "NetworkID", "main"),
    ("first-seen", "FirstSeen", "once"),
    ("last-seen", "LastSeen", "lately"),
]


@pytest.mark.parametrize(("column", "value"), [row[1:] for row in EMPTIED], ids=[row[0] for row in EMPTIED])
def test_a_cell_that_holds_something_else_is_empty_and_counted(column: str, value: object) -> None:
    rows, tally = read(crawler_row(NODE, **{column: value}))
    assert len(rows) == 1
    assert tally.emptied == {column: 1}


def test_a_database_of_an_older_version_lacks_columns() -> None:
    old = {
        name: value for name, value in crawler_row(NODE).items() if name in {"ID", "Now", "IP", "LastSeen"}
    }
    [row], tally = read(old)
    assert (row.node_id, row.public_key, row.client, row.seq) == (NODE.node_id, None, None, None)
    assert (row.outcome, row.first_seen, dict(tally.emptied)) == (Outcome.ANSWERED, NOON, {})


def test_names_that_are_no_utf_8_or_too_long_do_no_harm() -> None:
    assert row_of(ClientType="\udcff\x1b[2Jgeth").client == "���[2Jgeth"
    assert row_of(ClientType="g" * 5000).client == "g" * 256
    assert row_of(Capabilities=", ".join(f"a{n}/1" for n in range(500))).capabilities is not None


def test_more_nodes_than_any_network_has_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_NODES", 1)
    assert len(read(crawler_row(NODE), crawler_row(NODE))[0]) == 1
    with pytest.raises(UnreadableFile, match=r"^crawler\.db: more than 1 nodes"):
        read(crawler_row(NODE), crawler_row(Node(8)))


def test_an_empty_table_has_no_rows() -> None:
    assert read() == ([], ImportTally())


anything = st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.binary(max_size=80)


@given(st.lists(st.dictionaries(st.sampled_from(COLUMNS), anything), max_size=4))
def test_any_cells_are_rows_or_counted(rows: list[dict[str, Cell]]) -> None:
    tally = ImportTally()
    made = list(node_crawler_rows([{**cells(crawler_row(NODE)), **row} for row in rows], "db", tally))
    assert tally.read == len(rows) == len(made) + tally.dropped.total()
