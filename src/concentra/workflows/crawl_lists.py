"""The sources of a crawl that are no walk: DNS trees, peers of the user's own node, other crawlers' files."""

from __future__ import annotations

import asyncio
import ipaddress
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from concentra.adapters.admin_peers import admin_peers
from concentra.adapters.clock import now
from concentra.adapters.dns_trees import Asking, NameServer, read_tree, require_name_servers
from concentra.collect.crawl.announcements import Neighbour, neighbour_of_enode, neighbour_of_record
from concentra.errors import UsageProblem
from concentra.model.crawl import CrawlSource
from concentra.model.networks import Network
from concentra.wire import dnsdisc
from concentra.wire.errors import WireError
from concentra.workflows.foreign_crawls import read_foreign_crawl


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """Which lists to read."""

    dns: bool = False
    """Whether to read the network's trees."""
    trees: tuple[str, ...] = ()
    """``enrtree://`` URLs to read instead."""
    server: NameServer | None = None
    """Whom to ask for them; the system's servers, if None."""
    node_rpc: str | None = None
    """JSON-RPC endpoint of the user's own node."""
    files: tuple[Path, ...] = ()
    """What other crawlers wrote."""


class NotAList(UsageProblem):
    """A text that should name a list of nodes, or a server to ask for it, does not."""

    def __init__(self, what: str, reason: str, hint: str) -> None:
        super().__init__(f"{what}: {reason}")
        self.hint = hint


def tree_url(text: str) -> dnsdisc.TreeUrl:
    """Return the list that an ``enrtree://`` URL names.

    Raises
    ------
    NotAList
    """
    try:
        return dnsdisc.from_url(text)
    except WireError as error:
        raise NotAList("node list", str(error), "wanted enrtree://<key>@<domain>") from error


def name_server(text: str) -> NameServer:
    """Return the DNS server at ``192.0.2.1``, ``192.0.2.1:5353`` or ``[2001:db8::1]:5353``.

    Raises
    ------
    NotAList
        If it is named otherwise; a host name would need another server to resolve it.
    """
    with_port = re.fullmatch(r"(?:\[(.+)\]|([^:]+))(?::(\d{1,5}))?", text, re.ASCII)
    host, port = (with_port[1] or with_port[2], int(with_port[3] or 53)) if with_port else (text, 53)
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    if address is None or not 0 < port < 65536:
        hint = "wanted an address, as 192.0.2.1, 192.0.2.1:53 or [2001:db8::1]:53"
        raise NotAList("DNS server", f"{text!r} is no address", hint)
    return NameServer(address, port)


Listed = list[tuple[Neighbour, CrawlSource]]


async def read_ready_lists(lists: Lists, counts: Counter[str]) -> Listed:
    """Return the nodes of the lists that are read at once: files, and the user's own node.

    What was left out of them is added to `counts`.

    Raises
    ------
    NotAnEndpoint, NodeNotReadable
        If the user's own node does not tell its peers.
    NoForeignCrawl, UnreadableFile
        If no crawler is known to write such a file, or it is damaged.
    """
    found: Listed = []
    for path in lists.files:
        found += _imported(path, counts)
    if lists.node_rpc is not None:
        peers = await admin_peers(lists.node_rpc)
        counts.update({f"admin_peers: {reason}": number for reason, number in peers.left_out.items()})
        for peer in peers.peers:
            known = neighbour_of_enode(peer.node) if peer.record is None else neighbour_of_record(peer.record)
            found.append((known, CrawlSource.ADMIN_PEERS))
    return found


def trees_of(lists: Lists, network: Network) -> tuple[str, ...]:
    """Return the URLs of the lists in DNS that are to be read."""
    return lists.trees or (network.dns_trees if lists.dns else ())


def check_trees(lists: Lists, network: Network) -> None:
    """Find out what is wrong with the lists in DNS, as far as that needs no question.

    Raises
    ------
    NotAList
        If a URL is none of a list, or the network has no list.
    NoNameServer
        If there is no server to ask.
    """
    trees = trees_of(lists, network)
    for text in trees:
        tree_url(text)
    if lists.dns and not trees:
        hint = "--dns-tree names one; leave --dns out without"
        raise NotAList(network.title, "no list of its nodes in DNS is known", hint)
    if trees:
        require_name_servers(Asking(servers=_servers(lists)))


async def read_trees(lists: Lists, network: Network, counts: Counter[str], stop: asyncio.Event) -> Listed:
    """Return the nodes of the lists in DNS, as many as are read until `stop` is set.

    Raises
    ------
    NotAList
        If a URL is none of a list.
    NoNameServer
        If there is no server to ask.
    """
    found: Listed = []
    for text in trees_of(lists, network):
        read = await read_tree(tree_url(text), asking=Asking(servers=_servers(lists)), stop=stop)
        found += [(neighbour_of_record(record), CrawlSource.DNS_TREE) for record in read.records]
        counts.update({f"dns: {outcome.value}": number for outcome, number in read.outcomes.items()})
        counts["dns: queries"] += read.queries
    return found


def _servers(lists: Lists) -> tuple[NameServer, ...] | None:
    return None if lists.server is None else (lists.server,)


def _imported(path: Path, counts: Counter[str]) -> Listed:
    """Return the nodes of another crawler's file; one whose key it does not tell cannot be asked."""
    foreign = read_foreign_crawl(str(path), seen=now())
    counts.update({f"import: {reason}": number for reason, number in foreign.dropped.items()})
    found: Listed = []
    for row in foreign.rows:
        if row.public_key is None:
            counts["import: no public key"] += 1
            continue
        known = Neighbour(
            node_id=row.node_id,
            public_key=row.public_key,
            address=row.address or "",
            udp=row.udp or 0,
            tcp=row.tcp or 0,
            record=row.record,
            seq=row.seq,
            fork_hash=row.fork_hash,
            fork_next=row.fork_next,
        )
        found.append((known, CrawlSource.IMPORT))
    return found
