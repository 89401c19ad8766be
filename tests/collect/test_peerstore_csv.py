from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.made_foreign_crawls import DIGEST, DISCOVERY, FORK_HASH, PEERSTORE, Node, peerstore_line

from concentra.collect.imports import ImportTally
from concentra.collect.peerstore_csv import columns_of, is_peerstore, peerstore_rows
from concentra.model.crawl import NodeRow, Outcome

SEEN = datetime(2025, 11, 22, tzinfo=UTC)
NODE = Node(7, "198.51.100.7", seq=5, eth2=DIGEST)


def read(*lines: str, header: str = PEERSTORE) -> tuple[list[NodeRow], ImportTally]:
    tally = ImportTally()
    data = "\n".join([header, *lines, ""]).encode("utf-8", "surrogateescape")
    return list(peerstore_rows(io.BytesIO(data), tally, seen=SEEN)), tally


def test_a_line_of_the_peerstore_is_a_node_that_answered() -> None:
    [row], tally = read(peerstore_line(NODE))
    assert (row.node_id, row.public_key) == (NODE.node_id, NODE.public_key)
    assert (row.address, row.udp, row.tcp, row.seq) == ("198.51.100.7", 9000, 9001, 5)
    assert (row.outcome, row.first_seen, row.last_seen, row.asked_at) == (Outcome.ANSWERED, *[SEEN] * 3)
    assert (row.fork_hash, row.fork_next, row.client, row.record) == (DIGEST, None, None, None)
    assert (tally.read, dict(tally.dropped)) == (1, {})


def test_a_line_of_the_discovery_is_a_node_that_was_told_of() -> None:
    [row], _ = read(peerstore_line(NODE, measured=False), header=DISCOVERY)
    assert (row.node_id, row.outcome, row.asked_at) == (NODE.node_id, Outcome.NOT_ASKED, None)


def test_a_fork_that_quotes_all_text_is_read_alike() -> None:
    header = PEERSTORE.replace(", enr", ",enr")
    assert read(peerstore_line(NODE, quote="'"), header=header) == read(peerstore_line(NODE))


def test_an_execution_node_has_no_digest_and_its_fork_id_in_raw_rlp() -> None:
    node = Node(8, "198.51.100.8", eth=(FORK_HASH, 1_765_290_071))
    [row], _ = read(peerstore_line(node))
    assert (row.fork_hash, row.fork_next) == (FORK_HASH, 1_765_290_071)
    assert peerstore_line(node).split(",")[8] == "00000000"


def test_a_node_id_without_its_leading_zeros_is_whole() -> None:
    number = next(number for number in range(1, 2000) if Node(number).node_id[0] == 0)
    node = Node(number)
    line = peerstore_line(node)
    assert len(line.split(",")[1]) < 64
    [row], _ = read(line)
    assert row.node_id == node.node_id


@pytest.mark.parametrize("bracketed", [True, False])
def test_the_port_of_an_ipv6_address_is_behind_the_last_colon(bracketed: bool) -> None:
    place = "[2001:db8::7]:9000" if bracketed else "2001:db8::7:9000"
    [row], _ = read(peerstore_line(Node(7, "2001:db8::7"), {"ip:port": place}))
    assert (row.address, row.udp) == ("2001:db8::7", 9000)


CLIENTS: list[tuple[str, str, str | None]] = [
    ("plain", "Lighthouse", "Lighthouse"),
    ("comma", "a,b,,c", "a,b,,c"),
    ("quotes", "a'b\"c", "a'b\"c"),
    ("escapes", "\x1b[31mred", "[31mred"),
    ("like-a-record", 'x,\'(9, id: "v4")', "x"),
    ("formula", "=cmd()", "=cmd()"),
]


@pytest.mark.parametrize(("text", "client"), [row[1:] for row in CLIENTS], ids=[row[0] for row in CLIENTS])
def test_a_client_may_hold_what_it_likes_and_shifts_no_column(text: str, client: str | None) -> None:
    [row], _ = read(peerstore_line(Node(7, "198.51.100.7", eth2=DIGEST, client=text)))
    assert (row.client, row.node_id, row.fork_hash) == (client, NODE.node_id, DIGEST)


def test_a_line_end_in_a_client_makes_two_lines_of_which_neither_is_a_node() -> None:
    line = peerstore_line(Node(7, client="a\nb"))
    rows, tally = read(line, peerstore_line(NODE))
    assert len(rows) == 1
    assert (tally.read, dict(tally.dropped)) == (3, {"wrong number of columns": 2})


OTHER = Node(8)
DROPPED: list[tuple[str, str, str]] = [
    ("nonsense", "nonsense", "wrong number of columns"),
    ("no-record", peerstore_line(NODE, {"enr": "''"}), "wrong number of columns"),
    ("cut-short", peerstore_line(NODE)[:-2], "wrong number of columns"),
    ("bad-key", peerstore_line(NODE, {"pubkey": "02" + "ff" * 32}), "bad key or digest"),
    ("no-key", peerstore_line(NODE, {"pubkey": ""}), "bad key or digest"),
    ("no-hex", peerstore_line(NODE, {"node_id": "x" * 64}), "bad key or digest"),
    ("other-id", peerstore_line(NODE, {"node_id": OTHER.node_id.hex()}), "node ID is not that of the key"),
    (
        "long-id",
        peerstore_line(NODE, {"node_id": "00" + NODE.node_id.hex()}),
        "node ID is not that of the key",
    ),
    ("bad-digest", peerstore_line(NODE, {"forkDigest": "xyz"}), "bad key or digest"),
    ("no-port", peerstore_line(NODE, {"ip:port": "192.0.2.1"}), "not an address"),
    ("port-beyond", peerstore_line(NODE, {"ip:port": "192.0.2.1:65536"}), "not an address"),
    ("host", peerstore_line(NODE, {"ip:port": "node.example:1"}), "not an address"),
    ("zone", peerstore_line(NODE, {"ip:port": "fe80::1%eth0:1"}), "not an address"),
    ("long", peerstore_line(Node(7, client="c" * 5000)), "longer than any record"),
]


@pytest.mark.parametrize(("line", "reason"), [row[1:] for row in DROPPED], ids=[row[0] for row in DROPPED])
def test_a_line_that_is_no_node_is_counted_and_the_next_one_read(line: str, reason: str) -> None:
    rows, tally = read(line, peerstore_line(NODE))
    assert [row.node_id for row in rows] == [NODE.node_id]
    assert (tally.read, dict(tally.dropped)) == (2, {reason: 1})


def test_a_digest_of_another_length_is_no_fork() -> None:
    [row], _ = read(peerstore_line(NODE, {"forkDigest": "6a95a1"}))
    assert row.fork_hash is None


def test_a_sequence_number_beyond_64_bits_is_empty_and_counted() -> None:
    [row], tally = read(peerstore_line(NODE, {"enr": "'(99999999999999999999, id: \"v4\")'"}))
    assert row.seq is None
    assert tally.emptied == {"seq": 1}


def test_a_port_beyond_16_bits_is_none() -> None:
    [row], _ = read(peerstore_line(NODE, {"enr": "'(1, tcp: 99999)'"}))
    assert row.tcp is None


@pytest.mark.parametrize(
    "header", [PEERSTORE, DISCOVERY, DISCOVERY + "\r", PEERSTORE.replace(", enr", ",enr")]
)
def test_the_header_tells_the_file(header: str) -> None:
    assert is_peerstore(header)
    assert columns_of(header)[-2:] == ["client", "enr"]


@pytest.mark.parametrize(
    "header",
    [
        "",
        "ip,client,enr",
        "node_id,ip:port,pubkey,forkDigest,enr,client",
        "node_id,ip:port,pubkey,forkDigest,client,enr,more",
        "ip:port,rttMin,rttAvg,bwMaxMbps,bwAvgMbps",
    ],
)
def test_another_header_does_not(header: str) -> None:
    assert not is_peerstore(header)


@pytest.mark.parametrize("filling", ["', '(", ", (", "((((((", "'(1, a: b)", "a'b,"])
def test_a_line_made_to_be_slow_is_read_in_no_time(filling: str) -> None:
    line = peerstore_line(NODE, {"enr": "'(1)x'", "client": filling * 600})
    _, tally = read(*[line[:4096]] * 20)
    assert tally.dropped.total() == 20


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """Draw a line with characters changed, cut or inserted."""
    line = peerstore_line(NODE)
    place, cut = draw(st.integers(0, len(line) - 1)), draw(st.integers(0, 4))
    inserted = draw(st.text("0123456789abcdef,'\" :().\n%é\x00", max_size=4))
    return line[:place] + inserted + line[place + cut :]


@given(damaged() | st.text(max_size=80))
def test_any_line_is_a_node_or_counted(line: str) -> None:
    rows, tally = read(line.encode("utf-8", "replace").decode())
    assert tally.read == len(rows) + tally.dropped.total()
    assert all(row.node_id == NODE.node_id for row in rows)
