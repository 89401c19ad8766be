from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from dns.resolver import NoResolverConfiguration
from tests.interop.signed_tree import signed_tree
from tests.made_foreign_crawls import Node
from tests.workflows.made_peers import NETWORK

from concentra.adapters import dns_trees
from concentra.adapters.admin_peers import NotAnEndpoint
from concentra.adapters.dns_trees import NoNameServer
from concentra.errors import ConcentraError, UsageProblem
from concentra.model.crawl import CrawlSource
from concentra.workflows.crawl_lists import (
    Lists,
    NotAList,
    check_trees,
    name_server,
    read_ready_lists,
    read_trees,
    tree_url,
    trees_of,
)
from concentra.workflows.network_choice import shipped_networks

TREE = signed_tree(["enr:-"]).url
ETHEREUM = shipped_networks()["ethereum"]


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [
        ("192.0.2.1", "192.0.2.1", 53),
        ("192.0.2.1:5353", "192.0.2.1", 5353),
        ("2001:db8::1", "2001:db8::1", 53),
        ("[2001:db8::1]", "2001:db8::1", 53),
        ("[2001:db8::1]:5353", "2001:db8::1", 5353),
    ],
)
def test_a_name_server_is_named_by_its_address(text: str, address: str, port: int) -> None:
    server = name_server(text)
    assert (str(server.address), server.port) == (address, port)


@pytest.mark.parametrize(
    "text",
    [
        *("", ":", "dns.example", "dns.example:53", "192.0.2", "https://192.0.2.1/dns-query", "[]:53"),
        *("192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2.1:٥٣", "192.0.2.1:53:53", "[2001:db8::1"),
    ],
)
def test_anything_else_is_no_name_server(text: str) -> None:
    with pytest.raises(NotAList, match="is no address") as error:
        name_server(text)
    assert error.value.hint is not None
    assert isinstance(error.value, UsageProblem)


@pytest.mark.parametrize(
    "text", ["", "nodes.example", "enrtree://", "enrtree://KEY@nodes.example", TREE.replace("@", "")]
)
def test_a_url_of_no_list_is_told_with_what_was_wanted(text: str) -> None:
    with pytest.raises(NotAList, match=r"^node list: ") as error:
        tree_url(text)
    assert error.value.hint == "wanted enrtree://<key>@<domain>"


def test_the_users_lists_replace_those_of_the_network() -> None:
    assert trees_of(Lists(), ETHEREUM) == ()
    assert trees_of(Lists(dns=True), ETHEREUM) == ETHEREUM.dns_trees != ()
    assert trees_of(Lists(dns=True, trees=(TREE,)), ETHEREUM) == (TREE,)


def test_a_network_without_a_list_in_dns_cannot_be_asked_for_it() -> None:
    with pytest.raises(NotAList, match="Made network: no list of its nodes in DNS is known") as error:
        check_trees(Lists(dns=True), NETWORK)
    assert error.value.hint == "--dns-tree names one; leave --dns out without"


def test_a_system_without_name_servers_is_found_out_before_the_crawl(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: Any, **__: Any) -> Any:
        raise NoResolverConfiguration

    monkeypatch.setattr(dns_trees, "Resolver", none)
    check_trees(Lists(), NETWORK)
    with pytest.raises(NoNameServer):
        check_trees(Lists(trees=(TREE,)), NETWORK)


def ready(lists: Lists) -> tuple[Any, Counter[str]]:
    counts: Counter[str] = Counter()
    return asyncio.run(read_ready_lists(lists, counts)), counts


def test_without_lists_there_is_nothing() -> None:
    assert ready(Lists()) == ([], Counter())
    trees = asyncio.run(read_trees(Lists(), ETHEREUM, Counter(), asyncio.Event()))
    assert trees == []


def test_of_a_file_of_another_crawler_those_can_be_asked_whose_key_it_tells(tmp_path: Path) -> None:
    node, without = Node(1), Node(2)
    path = tmp_path / "nodes.json"
    path.write_text(
        f'{{"{node.node_id.hex()}": {{"seq": 1, "record": "{node.enr}"}},'
        f' "{without.node_id.hex()}": {{"seq": 1, "record": "enr:-damaged"}}}}'
    )
    found, counts = ready(Lists(files=(path,)))
    ((neighbour, source),) = found
    assert source is CrawlSource.IMPORT
    assert (neighbour.node_id, neighbour.public_key) == (node.node_id, node.public_key)
    assert (neighbour.address, neighbour.udp, neighbour.tcp) == ("192.0.2.1", 9000, 9001)
    assert all(name.startswith("import: ") for name in counts)
    assert sum(counts.values()) == 1


@pytest.mark.parametrize("content", [b"", b"hello", b"{}", b"\x00" * 100, b"PAR1"])
def test_a_file_that_no_crawler_writes_is_an_error(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "what.bin"
    path.write_bytes(content)
    with pytest.raises(ConcentraError, match=r"what\.bin"):
        ready(Lists(files=(path,)))


def test_the_users_node_must_be_named_by_a_url() -> None:
    with pytest.raises(NotAnEndpoint):
        ready(Lists(node_rpc="localhost"))
