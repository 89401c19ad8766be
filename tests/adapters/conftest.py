"""Registries and Team Cymru on loopback: a real HTTP server, a real name server, and a time that is made up.

Tests ask about public addresses, since no others are ever asked about. Nothing leaves the machine: hosts are
led to loopback, and every socket is watched.
"""

from __future__ import annotations

import json
import socket
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import dns.message
import dns.rcode
import dns.resolver
import dns.rrset
import pytest

from concentra.adapters import registry_cache
from concentra.adapters.registry_answers import IPAddress, LookupResult
from concentra.adapters.registry_http import REGISTRY_HOSTS
from concentra.adapters.registry_lookup import RegistryLookup
from concentra.adapters.registry_politeness import Clock

LOOPBACK = "127.0.0.1"

URLS = {
    "arin": "rdap.arin.net/registry/ip",
    "ripencc": "rdap.db.ripe.net/ip",
    "apnic": "rdap.apnic.net/ip",
    "lacnic": "rdap.lacnic.net/rdap/ip",
}


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


Behaviour = Reply | Callable[[BaseHTTPRequestHandler], None]
DnsReply = list[str] | dns.rcode.Rcode | None


class RdapServer(ThreadingHTTPServer):
    """All registries on one port: the host that was asked is the first part of the path."""

    def __init__(self) -> None:
        super().__init__((LOOPBACK, 0), RdapHandler)
        self.replies: dict[str, list[Behaviour]] = defaultdict(list)
        self.requests: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.closing = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that hang up are part of the tests."""


class RdapHandler(BaseHTTPRequestHandler):
    server: RdapServer

    def do_GET(self) -> None:
        path = self.path.removeprefix("/")
        self.server.requests.append(path)
        self.server.headers.append(dict(self.headers))
        replies = self.server.replies[path]
        reply = (replies.pop(0) if len(replies) > 1 else replies[0]) if replies else Reply(418)
        if not isinstance(reply, Reply):
            reply(self)
            return
        self.send_response(reply.status)
        for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as in the base class
        """Say nothing."""


class NameServer:
    """A name server for TXT records; what it has no reply for does not exist."""

    def __init__(self) -> None:
        self.replies: dict[str, DnsReply] = {}
        self.queries: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((LOOPBACK, 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            datagram, client = self._socket.recvfrom(4096)
            if not datagram:
                return
            query = dns.message.from_wire(datagram)
            name = query.question[0].name.to_text()
            self.queries.append(name)
            reply = self.replies.get(name, dns.rcode.NXDOMAIN)
            if reply is None:  # silence
                continue
            response = dns.message.make_response(query)
            if not isinstance(reply, list):
                response.set_rcode(reply)
            elif reply:
                texts = [f'"{text}"' for text in reply]
                response.answer.append(dns.rrset.from_text_list(name, 60, "IN", "TXT", texts))
            self._socket.sendto(response.to_wire(), client)

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stopper:
            stopper.sendto(b"", (LOOPBACK, self.port))
        self._thread.join()
        self._socket.close()


class FakeTime:
    """Time that passes when somebody sleeps."""

    start = datetime(2026, 8, 22, 12, tzinfo=UTC)

    def __init__(self) -> None:
        self.passed = 0.0
        self.slept: list[float] = []
        self.on_sleep: Callable[[float], None] = lambda _: None

    def sleep(self, seconds: float) -> None:
        self.on_sleep(seconds)
        self.slept.append(round(seconds, 6))
        self.passed += seconds

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.passed)

    @property
    def clock(self) -> Clock:
        return Clock(now=self.now, monotonic=lambda: self.passed, sleep=self.sleep)


class World:
    """Both servers, the time, the cache, and where sockets went."""

    reply = Reply

    def __init__(self, rdap: RdapServer, names: NameServer, directory: Path) -> None:
        self.rdap = rdap
        self.names = names
        self.time = FakeTime()
        self.cache = directory / "cache" / "registries.sqlite"
        self.destinations: list[tuple[str, int]] = []

    # What the servers say

    def announce(self, address: IPAddress, *texts: str) -> None:
        self.names.replies[self.name(address)] = list(texts)

    def register(self, address: IPAddress, *replies: Behaviour, at: str = "arin") -> None:
        self.rdap.replies[self.path(address, at)] = list(replies)

    def know(self, address: IPAddress, *, at: str = "arin", asn: int = 64500, **fields: object) -> None:
        """Let the /24 or /48 around an address be announced and registered as such."""
        block = str(ip_network((address, 24 if address.version == 4 else 48), strict=False))
        self.announce(address, f"{asn} | {block} | US | {at} | 1998-09-25")
        self.register(address, self.network(block, None, **fields), at=at)

    @staticmethod
    def network(prefix: str, last: str | None = None, /, **fields: object) -> Reply:
        """Return an answer about a prefix, or about a range of addresses."""
        first = prefix
        if last is None:
            network = ip_network(prefix)
            first, last = str(network[0]), str(network[-1])
        document: dict[str, object] = {
            "objectClassName": "ip network",
            "handle": "NET-1",
            "startAddress": first,
            "endAddress": last,
            "ipVersion": "v6" if ":" in first else "v4",
            "name": "EXAMPLE-NET",
            "country": "US",
            "parentHandle": "NET-0",
            "entities": [],
        }
        return Reply(body=json.dumps(document | fields).encode())

    @staticmethod
    def entity(
        name: str, *, kind: str = "org", roles: tuple[str, ...] = ("registrant",)
    ) -> dict[str, object]:
        vcard = [["version", {}, "text", "4.0"], ["fn", {}, "text", name], ["kind", {}, "text", kind]]
        return {
            "objectClassName": "entity",
            "handle": f"H-{name}",
            "roles": list(roles),
            "vcardArray": ["vcard", vcard],
        }

    @staticmethod
    def redirect(location: str | None, status: int = 302) -> Reply:
        return Reply(status, headers={} if location is None else {"Location": location})

    # Under which names they say it

    @staticmethod
    def name(address: IPAddress) -> str:
        if address.version == 4:
            a, b, c, _ = str(address).split(".")
            return f"0.{c}.{b}.{a}.origin.asn.cymru.com."
        nibbles = address.exploded.replace(":", "")[:12]
        return ".".join(reversed(nibbles)) + ".origin6.asn.cymru.com."

    @staticmethod
    def path(address: IPAddress, at: str = "arin") -> str:
        return f"{URLS[at]}/{ip_network((address, 24 if address.version == 4 else 48), strict=False)}"

    # Asking

    def lookup(self, *, timeout_s: float = 5.0) -> RegistryLookup:
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = [LOOPBACK], self.names.port
        resolver.timeout = resolver.lifetime = 0.05 if timeout_s < 1 else 5.0
        return RegistryLookup(
            cache=self.cache,
            resolver=resolver,
            bases={host: f"http://{LOOPBACK}:{self.rdap.server_port}/{host}" for host in REGISTRY_HOSTS},
            timeout_s=timeout_s,
            clock=self.time.clock,
        )

    def ask(self, *addresses: IPAddress, timeout_s: float = 5.0) -> LookupResult:
        return self.lookup(timeout_s=timeout_s).ask(addresses)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Start both servers; afterwards no socket may have gone beyond loopback, or to port 43."""
    rdap, names = RdapServer(), NameServer()
    serving = threading.Thread(target=rdap.serve_forever, kwargs={"poll_interval": 0.005})
    serving.start()
    world = World(rdap, names, tmp_path)
    watch(monkeypatch, world.destinations)
    do_not_wait_for_the_disk(monkeypatch)
    try:
        yield world
    finally:
        rdap.closing.set()
        rdap.shutdown()
        rdap.server_close()
        serving.join()
        names.close()
    assert {host for host, _ in world.destinations} <= {LOOPBACK}
    assert 43 not in {port for _, port in world.destinations}


def do_not_wait_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let SQLite leave writing to the system: no test cuts the power, and a busy disk takes its time."""
    connected = registry_cache._connected

    def without_waiting(path: Path) -> sqlite3.Connection:
        connection = connected(path)
        with suppress(sqlite3.DatabaseError):  # of damaged files, which are found out later
            connection.execute("PRAGMA synchronous = OFF")
        return connection

    monkeypatch.setattr(registry_cache, "_connected", without_waiting)


def watch(monkeypatch: pytest.MonkeyPatch, destinations: list[tuple[str, int]]) -> None:
    """Write down where the sockets of this thread go, which the servers do not run in; refuse all but loopback."""
    connect: Any = socket.socket.connect
    sendto: Any = socket.socket.sendto

    def noted(address: tuple[Any, ...]) -> tuple[Any, ...]:
        if threading.current_thread() is threading.main_thread():
            destinations.append((address[0], address[1]))
        if address[0] != LOOPBACK:
            raise PermissionError(f"a test went to {address}")
        return address

    def watched_connect(self: socket.socket, address: tuple[Any, ...]) -> None:
        connect(self, noted(address))

    def watched_sendto(self: socket.socket, data: bytes, *rest: Any) -> int:
        sent: int = sendto(self, data, *rest[:-1], noted(rest[-1]))
        return sent

    monkeypatch.setattr(socket.socket, "connect", watched_connect)
    monkeypatch.setattr(socket.socket, "sendto", watched_sendto)
