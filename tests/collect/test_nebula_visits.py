from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.made_foreign_crawls import DIGEST, FORK_HASH, Node, ndjson, visit

from concentra.collect.imports import ImportTally
from concentra.collect.nebula_visits import nebula_visits
from concentra.model.crawl import CrawlSource, NodeRow, Outcome
from concentra.wire import enr

NODE = Node(7, "198.51.100.7", seq=5, eth2=DIGEST)


def read(data: bytes) -> tuple[list[NodeRow], ImportTally]:
    tally = ImportTally()
    return list(nebula_visits(io.BytesIO(data), tally)), tally


def row_of(**changed: Any) -> NodeRow:
    [row], tally = read(ndjson([visit(NODE, **changed)]))
    assert (tally.read, dict(tally.dropped)) == (1, {})
    return row


def properties(**changed: Any) -> dict[str, Any]:
    return {**visit(NODE)["Properties"], **changed}


def test_a_visit_of_a_consensus_node() -> None:
    row = row_of()
    assert (row.source, row.node_id, row.public_key) == (CrawlSource.IMPORT, NODE.node_id, NODE.public_key)
    assert (row.address, row.udp, row.tcp, row.seq) == ("198.51.100.7", 9000, 9001, 5)
    assert row.first_seen == row.asked_at == datetime(2025, 11, 22, 12, 0, 0, 123456, UTC)
    assert row.last_seen == datetime(2025, 11, 22, 12, 0, 2, tzinfo=UTC)
    assert (row.outcome, row.client) == (Outcome.ANSWERED, "Lighthouse/v8.0.0/x86_64-linux")
    assert (row.fork_hash, row.fork_next) == (DIGEST, 2**64 - 1)
    assert (row.capabilities, row.network_id, row.record) == (None, None, None)


def test_a_visit_of_an_execution_node() -> None:
    row = row_of(
        Protocols=["/snap/1", "/eth/69", "/eth/68", "/eth/68", "/bogus/99999"],
        AgentVersion="Geth/v1.16.7",
        Properties={"network_id": 1, "fork_id": FORK_HASH.hex(), "strategy": "single-probe"},
    )
    assert (row.capabilities, row.client, row.network_id) == ("eth/68 eth/69 snap/1", "Geth/v1.16.7", 1)
    assert (row.fork_hash, row.fork_next) == (FORK_HASH, None)
    assert (row.udp, row.tcp) == (None, 9001)  # without properties, what was dialled tells


def test_what_discv5_quotes_of_an_execution_nodes_record() -> None:
    row = row_of(
        Properties={"eth_fork_digest": f"0x{FORK_HASH.hex()}", "eth_fork_next": 1765290071, "seq": 3}
    )
    assert (row.fork_hash, row.fork_next, row.seq) == (FORK_HASH, 1765290071, 3)


def test_a_record_that_was_kept_is_there_and_decides_on_the_sequence_number() -> None:
    row = row_of(Properties={"enr": NODE.enr, "seq": 3})
    assert row.record == enr.encode(NODE.record)
    assert (row.seq, row.fork_hash, row.fork_next) == (5, DIGEST, 2**64 - 1)


@pytest.mark.parametrize(
    "text", ["enr:broken", Node(8).enr, "", 7], ids=["broken", "other", "empty", "number"]
)
def test_a_record_that_is_not_the_nodes_own_is_no_record(text: object) -> None:
    [row], tally = read(ndjson([visit(NODE, Properties=properties(enr=text))]))
    assert (row.record, row.seq) == (None, 5)
    assert tally.emptied == {"enr": 1}


OUTCOMES: list[tuple[str, str, str, Outcome]] = [
    ("both", "", "", Outcome.ANSWERED),
    ("dialled-only", "", "io_timeout", Outcome.ANSWERED),
    ("discovery-only", "connection_refused", "", Outcome.ANSWERED),
    ("too-many-peers", "devp2p_too_many_peers", "io_timeout", Outcome.ANSWERED),
    ("useless-peer", "devp2p_useless_peer", "unknown", Outcome.ANSWERED),
    ("silent", "io_timeout", "io_timeout", Outcome.TIMED_OUT),
    ("silent-and-refused", "connection_refused", "io_timeout", Outcome.TIMED_OUT),
    ("refused", "io_timeout", "connection_refused", Outcome.REFUSED),
    ("other-peer", "peer_id_mismatch", "peer_id_mismatch", Outcome.WRONG_IDENTITY),
    ("no-address", "no_ip_address", "no_ip_address", Outcome.NO_ENDPOINT),
    ("no-address-formerly", "no_public_ip", "no_public_ip", Outcome.NO_ENDPOINT),
    ("breach", "devp2p_network_error", "devp2p_breach_of_protocol", Outcome.MALFORMED),
    ("no-route", "no_route_to_host", "no_route_to_host", Outcome.UNREACHABLE),
    ("unknown", "unknown", "unknown", Outcome.UNREACHABLE),
    ("of-a-later-version", "quantum_error", "quantum_error", Outcome.UNREACHABLE),
]


@pytest.mark.parametrize(
    ("connect", "crawl", "outcome"), [row[1:] for row in OUTCOMES], ids=[row[0] for row in OUTCOMES]
)
def test_a_node_answered_if_it_took_a_connection_or_answered_discovery(
    connect: str, crawl: str, outcome: Outcome
) -> None:
    assert row_of(ConnectErrorStr=connect, CrawlErrorStr=crawl).outcome is outcome


PLACES: list[tuple[str, dict[str, Any], str | None]] = [
    ("where-it-was-reached", {"ConnectMaddr": "/ip4/203.0.113.9/tcp/1"}, "203.0.113.9"),
    ("dialled", {"ConnectMaddr": None, "Maddrs": ["/ip4/203.0.113.9/tcp/1"]}, "203.0.113.9"),
    (
        "public-before-private",
        {"ConnectMaddr": None, "Maddrs": ["/ip4/10.0.0.1/tcp/1", "/ip4/8.8.8.8/tcp/2"]},
        "8.8.8.8",
    ),
    ("announced", {"ConnectMaddr": None, "Maddrs": None}, "198.51.100.7"),
    (
        "filtered",
        {"ConnectMaddr": None, "Maddrs": [], "Properties": None},
        "198.51.100.7",
    ),
    (
        "in-the-record-only",
        {
            "ConnectMaddr": None,
            "Maddrs": None,
            "FilteredMaddrs": None,
            "Properties": {"enr": NODE.enr},
        },
        "198.51.100.7",
    ),
    (
        "of-the-relay",
        {
            "ConnectMaddr": "/ip4/203.0.113.9/tcp/1/p2p/16Uiu2/p2p-circuit",
            "Maddrs": None,
            "FilteredMaddrs": None,
            "Properties": None,
        },
        None,
    ),
    (
        "host-only",
        {
            "ConnectMaddr": "/dns4/node.example/tcp/1",
            "Maddrs": None,
            "FilteredMaddrs": None,
            "Properties": None,
        },
        None,
    ),
    ("ipv6", {"ConnectMaddr": "/ip6/2001:db8::7/tcp/1"}, "2001:db8::7"),
]


@pytest.mark.parametrize(("changed", "address"), [row[1:] for row in PLACES], ids=[row[0] for row in PLACES])
def test_a_node_is_where_it_was_reached_else_dialled_else_announced(
    changed: dict[str, Any], address: str | None
) -> None:
    [row], _ = read(ndjson([visit(NODE, **changed)]))
    assert row.address == address


def test_an_ipv6_node_keeps_what_it_announces() -> None:
    node = Node(9, "2001:db8::9")
    [row], tally = read(ndjson([visit(node, ConnectMaddr=None, Maddrs=None, FilteredMaddrs=None)]))
    assert (row.address, dict(tally.emptied)) == ("2001:db8::9", {})


def test_older_versions_lack_some_fields() -> None:
    old = {
        name: value
        for name, value in visit(NODE).items()
        if name not in {"FilteredMaddrs", "ListenMaddrs", "ConnectMaddr"}
    }
    [row], _ = read(ndjson([old]))
    assert (row.address, row.outcome) == ("198.51.100.7", Outcome.ANSWERED)


DROPPED: list[tuple[str, bytes, str]] = [
    ("no-json", b"{", "not a visit"),
    ("array", b"[]", "not a visit"),
    ("number", b"1", "not a visit"),
    ("no-peer", b'{"VisitEndedAt": "2025-11-22T12:00:00Z"}', "not a visit"),
    ("peer-is-a-number", json.dumps(visit(NODE, PeerID=1)).encode(), "not a visit"),
    ("maddrs-of-numbers", json.dumps(visit(NODE, Maddrs=[1])).encode(), "not a visit"),
    ("properties-is-a-list", json.dumps(visit(NODE, Properties=[])).encode(), "not a visit"),
    ("deep", b'{"PeerID":' + b"[" * 100_000, "not a visit"),
    ("not-utf-8", b'{"PeerID": "\xff"}', "not a visit"),
    (
        "rsa-peer",
        json.dumps(visit(NODE, PeerID="QmYyQSo1c1Ym7orWxLYvCrM2EmxTFTaEYy9vEBHVm5a1w7")).encode(),
        "peer ID without a secp256k1 key",
    ),
    ("no-time", json.dumps(visit(NODE, VisitEndedAt="")).encode(), "bad time"),
    ("zero-time", json.dumps(visit(NODE, VisitEndedAt="0001-01-01T00:00:00Z")).encode(), "bad time"),
    ("other-start", json.dumps(visit(NODE, VisitStartedAt="yesterday")).encode(), "bad time"),
]


@pytest.mark.parametrize(("line", "reason"), [row[1:] for row in DROPPED], ids=[row[0] for row in DROPPED])
def test_a_line_that_is_no_visit_is_counted_and_the_next_one_read(line: bytes, reason: str) -> None:
    rows, tally = read(line + b"\n\n" + ndjson([visit(NODE)]))
    assert [row.node_id for row in rows] == [NODE.node_id]
    assert (tally.read, dict(tally.dropped)) == (2, {reason: 1})


EMPTIED: list[tuple[str, str, object]] = [
    ("udp-beyond-16-bits", "udp", 65536),
    ("udp-negative", "udp", -1),
    ("udp-text", "udp", "x"),
    ("udp-true", "udp", True),
    ("udp-fraction", "udp", 1.5),
    ("seq-beyond-64-bits", "seq", 2**64),
    ("seq-huge", "seq", 10**400),
    ("digest-of-three-bytes", "fork_digest", "0x010203"),
    ("digest-of-no-hex", "fork_digest", "0xgggggggg"),
    ("digest-is-a-list", "fork_digest", [1, 2, 3, 4]),
    ("epoch-is-a-word", "next_fork_epoch", "never"),
    ("ip-is-an-object", "ip", {"v": 4}),
]


@pytest.mark.parametrize(("key", "value"), [row[1:] for row in EMPTIED], ids=[row[0] for row in EMPTIED])
def test_a_property_that_holds_something_else_is_empty_and_counted(key: str, value: object) -> None:
    rows, tally = read(ndjson([visit(NODE, Properties=properties(**{key: value}))]))
    assert len(rows) == 1
    assert tally.emptied == {key: 1}


def test_places_that_are_none_are_counted_and_many_are_not_all_read() -> None:
    [row], tally = read(ndjson([visit(NODE, ConnectMaddr="nonsense", Maddrs=["/x"] * 1000)]))
    assert row.address == "198.51.100.7"
    assert tally.emptied == {"multiaddr": 65}


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Draw a visit with bytes changed, cut or inserted."""
    line = ndjson([visit(NODE, Properties=properties(enr=NODE.enr))])
    place = draw(st.integers(0, len(line) - 1))
    cut = draw(st.integers(0, 4))
    return line[:place] + draw(st.binary(max_size=4)) + line[place + cut :]


@given(damaged() | st.binary(max_size=200))
def test_any_bytes_are_rows_or_counted(data: bytes) -> None:
    rows, tally = read(data)
    assert tally.read == len(rows) + tally.dropped.total()
    for row in rows:
        assert row.client is None or row.client.isprintable()
