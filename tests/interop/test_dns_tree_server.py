"""A list of 3,000 nodes, served by NLnet Labs' authoritative name server and read over real DNS."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import pytest
from tests.interop.peers import LOOPBACK, free_port, need
from tests.interop.signed_tree import SignedTree, made_records, signed_tree

from concentra.adapters.dns_trees import DATAGRAM_SIZE, Asking, NameServer, read_tree
from concentra.wire import dnsdisc, enr

CONFIGURATION = """
server:
    ip-address: {address}@{port}
    server-count: 1
    username: ""
    chroot: ""
    database: ""
    pidfile: ""
    zonesdir: "{directory}"
    xfrdfile: "{directory}/xfrd.state"
    xfrdir: "{directory}"
    zonelistfile: "{directory}/zone.list"
    logfile: "{directory}/nsd.log"
    rrl-ratelimit: 0
remote-control:
    control-enable: no
zone:
    name: {zone}
    zonefile: zone.txt
"""


def zone_text(tree: SignedTree) -> str:
    """Return the zone of a list in the form of RFC 1035, section 5: a string has at most 255 characters."""
    lines = [
        f"$ORIGIN {tree.domain}.",
        "$TTL 60",
        "@ IN SOA ns hostmaster 1 3600 600 86400 60",
        "@ IN NS ns",
        f"ns IN A {LOOPBACK}",
    ]
    for name, text in tree.texts.items():
        strings = " ".join(f'"{text[at : at + 255]}"' for at in range(0, len(text), 255))
        lines.append(f"{name}. IN TXT {strings}")
    return "\n".join(lines) + "\n"


@contextmanager
def nsd(tree: SignedTree, directory: Path) -> Iterator[NameServer]:
    """Run nsd in the foreground until the block is over; it keeps all its files in `directory`."""
    path = need("nsd", "apt-get install -y --no-install-recommends nsd")
    port = free_port()
    (directory / "zone.txt").write_text(zone_text(tree))
    configuration = directory / "nsd.conf"
    configuration.write_text(
        CONFIGURATION.format(address=LOOPBACK, port=port, directory=directory, zone=tree.domain)
    )
    process = subprocess.Popen([path, "-d", "-c", configuration], stderr=subprocess.DEVNULL)
    try:
        wait_until_it_answers(process, tree.domain, port)
        yield NameServer(IPv4Address(LOOPBACK), port)
    finally:
        process.terminate()
        process.wait(10)


def wait_until_it_answers(process: subprocess.Popen[bytes], domain: str, port: int) -> None:
    query = dns.message.make_query(domain, "SOA")
    for _ in range(100):
        if process.poll() is not None:
            break
        try:
            if dns.query.udp(query, LOOPBACK, port=port, timeout=0.1).answer:
                return
        except (dns.exception.Timeout, OSError):
            continue
    raise AssertionError(f"nsd does not answer for {domain}, and ended with {process.poll()}")


@pytest.fixture(scope="module")
def records() -> list[str]:
    return [enr.to_text(record) for record in made_records(3000)]


def test_every_record_of_a_list_of_3000_is_read_from_nsd(records: list[str], tmp_path: Path) -> None:
    tree = signed_tree(records, domain="all.nodes.example")
    with nsd(tree, tmp_path) as server:
        asking = Asking(servers=(server,), rate_per_s=None, concurrency=32)
        read = asyncio.run(read_tree(dnsdisc.from_url(tree.url), asking=asking))
    assert sorted(enr.to_text(record) for record in read.records) == sorted(records)
    assert read.complete
    assert read.queries == len(tree.texts) - 1


def test_branches_too_long_for_a_datagram_come_over_tcp(records: list[str], tmp_path: Path) -> None:
    tree = signed_tree(records[:200], children=100)
    assert max(map(len, tree.texts.values())) > 2 * DATAGRAM_SIZE
    with nsd(tree, tmp_path) as server:
        asking = Asking(servers=(server,), rate_per_s=None)
        read = asyncio.run(read_tree(dnsdisc.from_url(tree.url), asking=asking))
    assert sorted(enr.to_text(record) for record in read.records) == sorted(records[:200])
    assert read.complete
