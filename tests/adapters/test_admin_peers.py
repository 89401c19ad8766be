"""A node's JSON-RPC on loopback, which tells of peers as clients do, or of something else."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.interop.signed_tree import made_records
from tests.loopback import Loopback, answer, endless, forget_proxies, ok, serving, silence

from concentra.adapters import admin_peers as adapter
from concentra.adapters.admin_peers import (
    MAX_CAPABILITIES,
    MAX_PEERS,
    MAX_TEXT,
    NodeNotReadable,
    NotAnEndpoint,
    Peers,
    admin_peers,
)
from concentra.wire import enr

RECORDS = list(made_records(4))
KEYS = [record.public_key.hex() for record in RECORDS]


def geth(number: int = 0, **changes: Any) -> dict[str, Any]:
    """Return a peer as go-ethereum 1.17 tells of it (p2p/peer.go, PeerInfo)."""
    told = {
        "enode": f"enode://{KEYS[number]}@192.0.2.1:30303",
        "id": RECORDS[number].node_id.hex(),
        "name": "Geth/v1.17.0-stable/linux-amd64/go1.26",
        "caps": ["eth/69", "snap/1"],
        "network": {
            "localAddress": "192.0.2.9:50000",
            "remoteAddress": "192.0.2.1:30303",
            "inbound": False,
            "trusted": False,
            "static": False,
        },
        "protocols": {"eth": {"version": 69}},
    }
    return told | changes


def ethereumjs(**changes: Any) -> dict[str, Any]:
    """Return a peer as @ethereumjs/client 0.10.5 does (rpc/modules/admin.ts)."""
    told = {
        "id": KEYS[0],
        "name": "EthereumJS/0.10.5/linux/node24",
        "protocols": {"eth": {"head": "0x00", "difficulty": "1", "version": 68}},
        "caps": ["eth/68"],
        "network": {"remoteAddress": "192.0.2.1:30303"},
    }
    return told | changes


def result(value: Any) -> bytes:
    return ok(json.dumps({"jsonrpc": "2.0", "id": 0, "result": value}).encode())


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    forget_proxies(monkeypatch)
    with serving() as server:
        yield server


def peers_of(node: Loopback, *told: Any) -> Peers:
    return asyncio.run(admin_peers(node.will("/", result(list(told)))))


def test_a_peer_that_was_dialled_is_where_its_enode_url_says(node: Loopback) -> None:
    (peer,) = peers_of(node, geth()).peers
    assert peer.node.public_key.hex() == KEYS[0]
    assert (str(peer.node.address), peer.node.tcp, peer.node.udp) == ("192.0.2.1", 30303, 30303)
    assert peer.client == "Geth/v1.17.0-stable/linux-amd64/go1.26"
    assert peer.capabilities == ("eth/69", "snap/1")
    assert peer.record is None
    assert [(asked.target, asked.headers["content-type"]) for asked in node.asked] == [
        ("/", "application/json")
    ]


@pytest.mark.parametrize("network", [{"inbound": True}, {}, None, {"inbound": "no"}, "x"])
def test_the_port_of_a_peer_that_dialled_in_or_may_have_is_not_one_it_listens_at(
    network: Any, node: Loopback
) -> None:
    (peer,) = peers_of(node, geth(network=network)).peers
    assert (str(peer.node.address), peer.node.tcp, peer.node.udp) == ("192.0.2.1", 0, 0)


def test_the_record_is_kept_if_it_is_the_peers(node: Loopback) -> None:
    told = [
        geth(0, enr=enr.to_text(RECORDS[0])),
        geth(1, enr=enr.to_text(RECORDS[0])),
        geth(2, enr="enr:-damaged"),
        geth(3, enr=""),
    ]
    found = peers_of(node, *told)
    assert [peer.record for peer in found.peers] == [RECORDS[0], None, None, None]
    assert not found.left_out


@pytest.mark.parametrize("key", [KEYS[0], "0x" + KEYS[0], KEYS[0].upper()])
@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("192.0.2.1:30303", "192.0.2.1"),
        ("[2001:db8::1]:30303", "2001:db8::1"),
        ("::ffff:192.0.2.1:9", "192.0.2.1"),
    ],
)
def test_ethereumjs_tells_key_and_connection_and_no_port(
    key: str, address: str, shown: str, node: Loopback
) -> None:
    (peer,) = peers_of(node, ethereumjs(id=key, network={"remoteAddress": address})).peers
    assert peer.node.node_id == RECORDS[0].node_id
    assert (str(peer.node.address), peer.node.tcp, peer.node.udp) == (shown, 0, 0)
    assert (peer.client, peer.capabilities) == ("EthereumJS/0.10.5/linux/node24", ("eth/68",))


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(None, id="null"),
        pytest.param("enode://", id="a text"),
        pytest.param([], id="a list"),
        pytest.param({}, id="nothing"),
        pytest.param(geth(enode="enode://ff@192.0.2.1:1"), id="a short key"),
        pytest.param(geth(enode=f"enode://{KEYS[0]}@node.example:30303"), id="a host name"),
        pytest.param(geth(enode=7), id="a number for a URL"),
        pytest.param(ethereumjs(id="f" * 128), id="no point on the curve"),
        pytest.param(ethereumjs(id=RECORDS[0].node_id.hex()), id="a node ID without a URL"),
        pytest.param(ethereumjs(network={"remoteAddress": "node.example:1"}), id="no address"),
        pytest.param(ethereumjs(network=None), id="no connection"),
    ],
)
def test_an_entry_that_is_no_peer_is_counted_and_the_others_are_read(entry: Any, node: Loopback) -> None:
    found = peers_of(node, entry, geth(1))
    assert [peer.node.node_id for peer in found.peers] == [RECORDS[1].node_id]
    assert found.left_out == {"no readable key and address": 1}


def test_a_peer_that_is_listed_twice_is_one_peer(node: Loopback) -> None:
    found = peers_of(node, geth(), geth(name="again"))
    assert [peer.client for peer in found.peers] == ["Geth/v1.17.0-stable/linux-amd64/go1.26"]
    assert found.left_out == {"listed twice": 1}


def test_what_peers_say_of_themselves_is_bounded(node: Loopback) -> None:
    (peer,) = peers_of(node, geth(name="x" * 9999, caps=[7, None] + ["y" * 9999] * 999)).peers
    assert peer.client == "x" * MAX_TEXT
    assert peer.capabilities == ("y" * MAX_TEXT,) * (MAX_CAPABILITIES - 2)
    (other,) = peers_of(node, geth(name=None, caps="eth/69")).peers
    assert (other.client, other.capabilities) == (None, ())


def test_peers_beyond_the_limit_are_counted(node: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_PEERS >= 1000
    monkeypatch.setattr(adapter, "MAX_PEERS", 2)
    found = peers_of(node, *(geth(number) for number in range(4)))
    assert len(found.peers) == 2
    assert found.left_out == {"beyond the limit": 2}


def test_a_node_without_peers_has_none(node: Loopback) -> None:
    assert peers_of(node) == Peers(peers=(), left_out=Counter())


REFUSED = {"jsonrpc": "2.0", "id": 0, "error": {"code": -32601, "message": "\x1b[31mno such method"}}


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        pytest.param(ok(json.dumps(REFUSED).encode()), "refuses to tell", id="no such method"),
        pytest.param(result({"peers": []}), "wanted a list", id="an object"),
        pytest.param(result("0x19"), "wanted a list", id="a number"),
        pytest.param(result(None), "admin_peers: ", id="null"),
        pytest.param(ok(b"<html>"), "not JSON-RPC", id="a page"),
        pytest.param(ok(b'"text"'), "not JSON-RPC", id="JSON of another kind"),
        pytest.param(ok(b"[" * 100_000), "not JSON-RPC", id="deeply nested"),
        pytest.param(ok(b"\xff\xfe"), "not JSON-RPC", id="no text"),
        pytest.param(ok(b""), "not JSON-RPC", id="nothing"),
        pytest.param(answer("403 Forbidden", "Content-Length: 0"), "no HTTP server", id="forbidden"),
        pytest.param(answer("500 Error", "Content-Length: 0"), "no HTTP server", id="an error"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", "no HTTP server", id="another protocol"),
        pytest.param(b"", "no HTTP server", id="a closed connection"),
        pytest.param(ok(b"[]")[:-30], "no HTTP server", id="cut off"),
    ],
)
def test_a_node_that_does_not_tell_is_an_error_with_a_hint(reply: bytes, reason: str, node: Loopback) -> None:
    with pytest.raises(NodeNotReadable, match=reason) as error:
        asyncio.run(admin_peers(node.will("/", reply)))
    assert str(error.value).startswith("admin_peers: ")
    assert str(error.value).isprintable()
    assert error.value.hint is not None
    assert "--http.api admin" in error.value.hint


def test_a_silent_node_is_given_up(node: Loopback) -> None:
    began = time.monotonic()
    with pytest.raises(NodeNotReadable, match=r"no answer within 0\.2 s"):
        asyncio.run(admin_peers(node.will("/", silence(b"HTTP/1.1 200 OK\r\n")), timeout_s=0.2))
    assert time.monotonic() - began < 3


def test_an_endless_answer_fills_no_memory(node: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "MAX_ANSWER", 1 << 20)
    url = node.will("/", endless(answer("200 OK", "Content-Length: 999999999999"), b"[" * 65536))
    with pytest.raises(NodeNotReadable, match="more than 1,048,576 bytes"):
        asyncio.run(admin_peers(url))


def test_nobody_there_is_an_error(node: Loopback) -> None:
    url = node.will("/", b"")
    node.server_close()
    with pytest.raises(NodeNotReadable, match="no HTTP server"):
        asyncio.run(admin_peers(url))


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8545", "file:///etc/passwd", "ws://127.0.0.1:8546", "", "http://"]
)
def test_a_text_that_is_no_http_url_is_a_mistake_of_the_user(url: str) -> None:
    with pytest.raises(NotAnEndpoint) as error:
        asyncio.run(admin_peers(url))
    assert error.value.hint == "wanted http://127.0.0.1:8545, for instance"


def test_the_error_names_no_secret_of_the_url() -> None:
    with pytest.raises(NodeNotReadable) as error:
        asyncio.run(admin_peers("http://user:secret@127.0.0.1:9/v3/key", timeout_s=2))
    assert "secret" not in str(error.value)
    assert "key" not in str(error.value)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=20)
    | st.sampled_from([KEYS[0], "192.0.2.1:1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
damaged = st.builds(
    lambda base, changes: base | changes,
    st.sampled_from([geth(), ethereumjs()]),
    st.dictionaries(st.sampled_from(["enode", "id", "name", "caps", "network", "enr"]), values, max_size=6),
)


@settings(max_examples=200)
@given(st.lists(damaged | values, max_size=5))
def test_whatever_entries_are_each_is_a_peer_or_counted(entries: list[Any]) -> None:
    found = adapter._read(entries)
    assert len(found.peers) + found.left_out.total() == len(entries)
