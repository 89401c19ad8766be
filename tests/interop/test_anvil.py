"""A JSON-RPC server that is no node of a network: anvil answers as Ethereum does, and has no peers to tell of."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.interop.crawls import Home, enode_of
from tests.interop.peers import INSTALL_PEERS, LOOPBACK, beside, need, peer

from concentra.adapters.admin_peers import NodeNotReadable, admin_peers


@pytest.fixture(scope="module")
def anvil() -> Iterator[str]:
    """Return the URL of an anvil, on a port that it chose."""
    path = Path(need("@foundry-rs/anvil-linux-amd64", INSTALL_PEERS)) / "bin" / "anvil"
    with beside("anvil", [str(path), "--host", LOOPBACK, "--port", "0"]) as program:
        while not (line := program.line()).startswith("Listening on "):
            pass
        yield f"http://{line.removeprefix('Listening on ')}"


def test_it_refuses_to_tell_peers_and_that_is_an_error_with_a_hint(anvil: str) -> None:
    with pytest.raises(NodeNotReadable, match=r"^admin_peers: the node refuses to tell its peers$") as error:
        asyncio.run(admin_peers(anvil))
    assert error.value.hint is not None
    assert "--http.api admin" in error.value.hint


def test_a_crawl_with_it_as_the_users_node_ends_before_anybody_is_asked(home: Home, anvil: str) -> None:
    with peer("devp2p_discv4.mjs", ("@ethereumjs/devp2p",), count=1) as them:
        crawl = home.crawl("--boot-node", enode_of(them.listening["nodes"][0]), "--node-rpc", anvil)
        (heard,) = them.ask("heard")["heard"]
    assert (crawl.code, crawl.document) == (1, {})
    assert crawl.errors.startswith("concentra: admin_peers: the node refuses to tell its peers\n  hint: ")
    assert set(heard.values()) == {0}
    assert home.kept() == []
