"""Three whole execution clients (@ethereumjs/client), each a peer of the others, as nodes and as a list."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from tests.interop.crawls import CHAIN_ID, TIME_FORK, Home, execution_network
from tests.interop.peers import LOOPBACK, Peer, free_ports, peer

from concentra.adapters.admin_peers import admin_peers
from concentra.model.crawl import CrawlSource, Outcome
from concentra.wire import identity

COUNT = 3
CLIENT = "EthereumJS/0.10.5/"
ETH = "eth/66 eth/67 eth/68"
GENESIS_TIME = 0x65000000


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    """They take some seconds to start, and no test changes them."""
    ports = free_ports(2 * COUNT)
    wish = {
        "directory": str(tmp_path_factory.mktemp("clients")),
        "ports": ports[:COUNT],
        "rpcPorts": ports[COUNT:],
        "chainId": CHAIN_ID,
        "genesisTime": GENESIS_TIME,
        "shanghaiTime": TIME_FORK,
    }
    with peer("ethereumjs_clients.mjs", ("@ethereumjs/client",), **wish) as them:
        yield them


@pytest.fixture
def home(home: Home, clients: Peer) -> Home:
    genesis = clients.listening["clients"][0]["genesis"].removeprefix("0x")
    home.network.write_text(execution_network(genesis, genesis_time=GENESIS_TIME, block_forks=()))
    return home


def node_id(client: Mapping[str, Any]) -> bytes:
    return identity.node_id(bytes.fromhex(client["id"]))


def test_every_client_is_found_and_says_which_software_and_chain_it_is(home: Home, clients: Peer) -> None:
    # The last one dialled the others. One that was dialled does not learn where: it is told no port.
    crawl = home.crawl("--boot-node", clients.listening["clients"][-1]["enode"])
    assert (crawl.code, crawl.errors) == (0, "")
    assert crawl.document["sources"]["discv4"] == {
        "announced": COUNT,
        "asked": COUNT,
        "answering": COUNT,
        "on_network": COUNT,
    }
    assert crawl.document["greeted"] == {"status": COUNT}
    rows = home.rows()
    for client in clients.listening["clients"]:
        row = rows[node_id(client)]
        genesis = bytes.fromhex(client["genesis"].removeprefix("0x"))
        assert (row.outcome, row.dialled) == (Outcome.ANSWERED, "status")
        assert row.client is not None
        assert row.client.startswith(CLIENT)
        assert (row.capabilities, row.network_id, row.genesis) == (f"{ETH} snap/1", CHAIN_ID, genesis)
        assert (row.fork_hash, row.fork_next) == (zlib.crc32(genesis).to_bytes(4), TIME_FORK)


def test_a_client_that_was_only_dialled_tells_of_nobody_and_is_not_dead(home: Home, clients: Peer) -> None:
    first = clients.listening["clients"][0]
    home.crawl("--boot-node", first["enode"])
    rows = home.rows()
    assert rows.keys() == {node_id(first)}
    assert (rows[node_id(first)].outcome, rows[node_id(first)].told) == (Outcome.ANSWERED, 0)


def test_the_peers_of_the_users_own_client_are_a_list_of_its_own(home: Home, clients: Peer) -> None:
    first, *others = clients.listening["clients"]
    crawl = home.crawl("--boot-node", first["enode"], "--node-rpc", first["rpc"])
    assert (crawl.code, crawl.errors) == (0, "")
    assert crawl.document["sources"]["admin_peers"]["announced"] == len(others)
    assert crawl.document["sources"]["discv4"]["announced"] == 1
    listed = {row.node_id for row in home.rows().values() if row.source is CrawlSource.ADMIN_PEERS}
    assert listed == set(map(node_id, others))


def test_each_client_tells_the_other_two(clients: Peer) -> None:
    everybody = clients.listening["clients"]
    for client in everybody:
        told = asyncio.run(admin_peers(client["rpc"]))
        assert not told.left_out
        assert {one.node.node_id for one in told.peers} == {
            node_id(other) for other in everybody if other is not client
        }
        for one in told.peers:
            assert str(one.node.address) == LOOPBACK
            assert one.client is not None
            assert one.client.startswith(CLIENT)
            assert " ".join(one.capabilities) == ETH
