"""A real HTTP server on loopback, which sends exactly the bytes that a test wants, well-formed or not."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import parse_headers
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Event, Thread

import pytest

TLS_HANDSHAKE = b"\x16"
Reply = bytes | Callable[["Loopback", socket.socket], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request: its target as it came, and its headers by lower-case name."""

    target: str
    headers: Mapping[str, str]


class Loopback(ThreadingTCPServer):
    """Gives out replies in order, the last one of a target again and again; one request a connection.

    A reply is bytes, or a function that is given the server and the connection. Before it waits, it waits
    on `released`, which is set when the test is over.
    """

    daemon_threads = False
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.released = Event()
        self.asked: list[Asked] = []
        self._replies: dict[str, list[Reply]] = {}

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def will(self, target: str, *replies: Reply) -> str:
        """Set how a target is answered from now on; return its URL."""
        self._replies[target] = list(replies)
        return self.root + target

    def reply_to(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        replies = self._replies[asked.target]
        return replies.pop(0) if len(replies) > 1 else replies[0]


class _Connection(StreamRequestHandler):
    server: Loopback

    def handle(self) -> None:
        with suppress(ConnectionError):  # the client may hang up when it has seen enough
            if self.connection.recv(1, socket.MSG_PEEK) == TLS_HANDSHAKE:
                self.connection.sendall(answer("400 Not TLS"))
                return
            target = self.rfile.readline().split(b" ")[1].decode("ascii")
            headers = {name.lower(): value for name, value in parse_headers(self.rfile).items()}
            reply = self.server.reply_to(Asked(target=target, headers=headers))
            if isinstance(reply, bytes):
                self.connection.sendall(reply)
            else:
                reply(self.server, self.connection)


@contextmanager
def serving() -> Iterator[Loopback]:
    """Serve on a free port of 127.0.0.1 until the block is over."""
    with Loopback() as loopback:
        thread = Thread(target=loopback.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield loopback
        finally:
            loopback.released.set()
            loopback.shutdown()
            thread.join()


def forget_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the proxies of whoever runs the tests out of the environment."""
    for name in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name}_proxy".upper(), raising=False)


# Replies.


def answer(status: str, *headers: str, body: bytes = b"") -> bytes:
    return "\r\n".join((f"HTTP/1.1 {status}", *headers, "", "")).encode("ascii") + body


def ok(body: bytes, *headers: str) -> bytes:
    return answer("200 OK", f"Content-Length: {len(body)}", *headers, body=body)


def redirect(to: str, status: int = 302) -> bytes:
    return answer(f"{status} Elsewhere", f"Location: {to}", "Content-Length: 0")


def endless(start: bytes, piece: bytes, pause_s: float = 0.0) -> Reply:
    """Send `start`, then `piece` again and again until nobody listens."""

    def reply(server: Loopback, connection: socket.socket) -> None:
        connection.sendall(start)
        while not server.released.wait(pause_s):
            connection.sendall(piece)

    return reply


def silence(start: bytes) -> Reply:
    """Send `start`, then nothing, and hold the line."""

    def reply(server: Loopback, connection: socket.socket) -> None:
        connection.sendall(start)
        server.released.wait()

    return reply
