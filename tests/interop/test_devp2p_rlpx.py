"""Greeting a node of @ethereumjs/devp2p over RLPx: what it says of itself, and how it is left."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import IPv4Address
from typing import Any

from tests.interop.crawls import BLOCK_FORK, CHAIN_ID, GENESIS, TIME_FORK, Home, execution_network
from tests.interop.peers import LOOPBACK, Peer, peer

from concentra.adapters.rlpx_dialer import dial
from concentra.model.crawl import Outcome
from concentra.wire import identity
from concentra.wire.rlpx_session import Handshake, HandshakeOutcome, introduction

CLIENT = "interop-peer/v1.0/linux/node"
FORK_HASH = zlib.crc32(bytes.fromhex(GENESIS) + BLOCK_FORK.to_bytes(8)).to_bytes(4)  # EIP-2124
QUITTING = 8  # rlpx.md, "Disconnect": client quitting
SECRET = bytes(31) + b"\x07"
OTHER_GENESIS = "33" * 32


@contextmanager
def node(**wish: object) -> Iterator[Peer]:
    chain = {"chainId": CHAIN_ID, "genesis": GENESIS, "blockFork": BLOCK_FORK, "timeFork": TIME_FORK}
    packages = ("@ethereumjs/devp2p", "@ethereumjs/common")
    with peer("devp2p_rlpx.mjs", packages, **chain, **wish) as it:
        yield it


def boot(it: Mapping[str, Any]) -> tuple[str, str]:
    url = f"enode://{it['id']}@{LOOPBACK}:{it['tcpPort']}?discport={it['udpPort']}"
    return "--boot-node", url


def greeted(it: Mapping[str, Any], *, timeout_s: float = 10.0) -> Handshake:
    """Greet a node, without a crawl around it."""
    return asyncio.run(
        dial(
            IPv4Address(LOOPBACK),
            it["tcpPort"],
            bytes.fromhex(it["id"]),
            private_key=SECRET,
            hello=introduction(SECRET, "visitor/1.0"),
            connect_timeout_s=5.0,
            reply_timeout_s=timeout_s,
        )
    )


def test_a_crawl_greets_the_node_and_learns_its_client_and_its_chain(home: Home) -> None:
    with node() as it:
        crawl = home.crawl(*boot(it.listening), "--contact", "https://example.org/crawler")
        hello = it.until("greeted")
        left = it.until("left")
    assert (crawl.code, crawl.errors) == (0, "")
    assert crawl.document["greeted"] == {"status": 1}
    assert crawl.document["sources"]["discv4"]["on_network"] == 1
    row = home.rows()[identity.node_id(bytes.fromhex(it.listening["id"]))]
    assert (row.dialled, row.client, row.capabilities) == ("status", CLIENT, "eth/67 eth/68")
    assert (row.network_id, row.genesis) == (CHAIN_ID, bytes.fromhex(GENESIS))
    assert (row.fork_hash, row.fork_next) == (FORK_HASH, TIME_FORK)
    assert (row.udp, row.tcp) == (it.listening["udpPort"], it.listening["tcpPort"])

    assert hello["client"].startswith("concentra/")
    assert hello["client"].endswith("(+https://example.org/crawler)")
    assert "eth/68" in hello["capabilities"]
    assert left == {"event": "left", "reason": QUITTING, "byUs": False}
    assert [said["event"] for said in it.said] == ["listening", "greeted", "left"]


def test_a_node_of_another_chain_answers_and_is_not_counted(home: Home) -> None:
    home.network.write_text(execution_network(OTHER_GENESIS))
    with node() as it:
        crawl = home.crawl(*boot(it.listening))
    steps = {step["name"]: step for step in crawl.document["funnel"]}
    assert (steps["answering"]["left"], steps["right network"]["left"]) == (1, 0)
    row = home.rows()[identity.node_id(bytes.fromhex(it.listening["id"]))]
    assert (row.outcome, row.genesis) == (Outcome.ANSWERED, bytes.fromhex(GENESIS))


def test_a_node_without_room_says_so_and_who_it_is(home: Home) -> None:
    with node(maxPeers=0) as it:
        crawl = home.crawl(*boot(it.listening))
    assert crawl.document["greeted"] == {"disconnected: too many peers": 1}
    row = home.rows()[identity.node_id(bytes.fromhex(it.listening["id"]))]
    assert (row.client, row.capabilities, row.genesis) == (CLIENT, "eth/67 eth/68", None)


def test_one_visit_is_one_greeting_and_a_good_bye() -> None:
    with node() as it:
        said = greeted(it.listening)
        hello, left = it.until("greeted"), it.until("left")
    assert (said.outcome, said.eth_version, said.disconnect) == (HandshakeOutcome.STATUS, 68, None)
    assert said.status is not None
    assert (said.status.network_id, said.status.fork_hash) == (CHAIN_ID, FORK_HASH)
    assert hello["client"] == "visitor/1.0"
    assert (left["reason"], left["byUs"]) == (QUITTING, False)


def test_a_visit_to_another_key_than_the_nodes_own_is_met_with_silence() -> None:
    stranger = identity.coordinates(identity.signing_key(bytes(31) + b"\x09").public_key)
    with node() as it:
        said = greeted({**it.listening, "id": stranger.hex()}, timeout_s=0.5)
        assert greeted(it.listening).outcome is HandshakeOutcome.STATUS  # it is none the worse for it
    assert (said.outcome, said.hello, said.status) == (HandshakeOutcome.TIMED_OUT, None, None)
