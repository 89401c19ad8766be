"""UDP for a machine without I/O: read all that is there, let it work, send what it wants sent, sleep.

One socket a family is drained by hand whenever the event loop says that it is readable, which takes a
tenth of the time that asyncio's datagram protocols take. What the system reports of an endpoint (nobody
listens, no route) is read from the error queue of the socket, where there is one (Linux, ip(7)).
"""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from concentra.errors import ConcentraError
from concentra.model.crawl import Outcome

MAX_DATAGRAM = 65_535
BATCH = 128
"""Datagrams that are read before what the machine has to say to them is sent."""

BATCHES = 32
"""Batches that are read before time-outs and new questions get their turn, if there is so much to read.

An answer that waits in the buffer must not count as missing. But nobody may stop the machine by flooding it.
"""

BUFFER = 4 * 1024 * 1024
"""What is asked of the system for datagrams that wait; it may grant less."""

IDLE_S = 0.25
"""How long to sleep at most: what happens outside the machine, such as a signal, is seen within it."""

NO_ROOM_S = 0.005
"""How long to wait until the system may have room for another datagram."""

ATTEMPTS = 3
"""How often a datagram is sent, if others before it met with errors."""

_IP_RECVERR, _IPV6_RECVERR = 11, 25  # linux/in.h, linux/in6.h; Python has no names for them
_EXTENDED_ERROR = struct.Struct("=IBBBxII")  # struct sock_extended_err of linux/errqueue.h
_SO_MEMINFO, _DROPS_AT, _MEMINFO_SIZE = (
    55,
    32,
    36,
)  # asm-generic/socket.h; linux/sock_diag.h, SK_MEMINFO_DROPS


class DatagramMachine(Protocol):
    """What turns datagrams and time into datagrams; `concentra.collect.crawl.engine.Engine` is one."""

    outbox: list[tuple[bytes, tuple[str, int]]]

    def received(self, data: bytes, sender: tuple[str, int], now: float) -> None: ...  # noqa: D102
    def unreachable(self, endpoint: tuple[str, int], outcome: Outcome, now: float) -> None: ...  # noqa: D102
    def advance(self, now: float) -> None: ...  # noqa: D102
    def next_deadline(self, now: float) -> float | None: ...  # noqa: D102
    def is_done(self) -> bool: ...  # noqa: D102


class PortTaken(ConcentraError):
    """The UDP port to listen at is not to be had."""

    def __init__(self, port: int, reason: str) -> None:
        super().__init__(f"cannot listen at UDP port {port}: {reason}")
        self.port = port
        self.hint = "--port names another one; 0 lets the system choose"


class UdpSockets:
    """The sockets of one walk: IPv4, and IPv6 where this machine has it.

    Parameters
    ----------
    port : int
        0 lets the system choose.
    address : str
        IPv4 address to listen at; loopback keeps a test on this machine.

    Raises
    ------
    PortTaken
    """

    def __init__(self, port: int = 0, address: str = "") -> None:
        self._sockets: dict[int, socket.socket] = {}
        try:
            four = self._sockets[4] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            four.bind((address, port))
        except OSError as error:
            self.close()
            raise PortTaken(port, error.strerror or str(error)) from error
        self.port: int = four.getsockname()[1]
        if socket.has_ipv6:
            try:
                six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            except OSError:
                pass  # a system that knows IPv6 and has it switched off: such endpoints are unreachable
            else:
                self._sockets[6] = six
                six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                try:
                    six.bind(("::1" if address.startswith("127.") else "::", self.port))
                except OSError:
                    six.close()
                    del self._sockets[6]
        for sock in self._sockets.values():
            sock.setblocking(False)  # noqa: FBT003 - the name says what it is
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        if sys.platform == "linux":
            four.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
            if 6 in self._sockets:
                self._sockets[6].setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the sockets."""
        for sock in self._sockets.values():
            sock.close()

    @property
    def dropped(self) -> int:
        """Datagrams that were lost since the buffer was full; 0 where the system does not count them."""
        found = 0
        for sock in self._sockets.values() if sys.platform == "linux" else ():
            try:
                info = sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO_SIZE)
            except OSError:  # Linux before 4.12
                continue
            found += int.from_bytes(info[_DROPS_AT:], sys.byteorder)
        return found

    async def run(
        self, machine: DatagramMachine, clock: Callable[[], float], *, stop: Callable[[], bool]
    ) -> None:
        """Let `machine` work until it is done or `stop` says so.

        Cancelling it is safe: no datagram and no state is lost that the machine had.
        """
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        for sock in self._sockets.values():
            loop.add_reader(sock, readable.set)
        try:
            batches = 0
            while not stop():
                readable.clear()
                more = self._drain(machine, clock)
                batches += 1
                if not more or batches >= BATCHES:
                    machine.advance(clock())
                    batches = 0
                self._send(machine, clock)
                if machine.is_done():
                    return
                if more:
                    await asyncio.sleep(0)
                    continue
                deadline = machine.next_deadline(clock())
                pause = IDLE_S if deadline is None else min(IDLE_S, max(0.0, deadline - clock()))
                if machine.outbox:
                    pause = min(pause, NO_ROOM_S)
                try:
                    async with asyncio.timeout(pause):
                        await readable.wait()
                except TimeoutError:
                    pass
        finally:
            for sock in self._sockets.values():
                loop.remove_reader(sock)

    def _drain(self, machine: DatagramMachine, clock: Callable[[], float]) -> bool:
        """Read what is there, and return whether there may be more."""
        more = False
        for sock in self._sockets.values():
            receive, received = sock.recvfrom, machine.received
            now = clock()
            for _ in range(BATCH):
                try:
                    data, sender = receive(MAX_DATAGRAM)
                except BlockingIOError:
                    break
                except OSError:  # of an earlier datagram; the error queue says which
                    self._read_errors(sock, machine, now)
                    continue
                received(data, sender[:2], now)
            else:
                more = True
        return more

    def _send(self, machine: DatagramMachine, clock: Callable[[], float]) -> None:
        outbox, machine.outbox = machine.outbox, []
        for position, (data, endpoint) in enumerate(outbox):
            sock = self._sockets.get(6 if ":" in endpoint[0] else 4)
            if sock is None:
                machine.unreachable(endpoint, Outcome.UNREACHABLE, clock())
                continue
            try:
                sock.sendto(data, endpoint)
            except OSError as error:
                if not self._send_again(sock, data, endpoint, error, machine, clock()):
                    machine.outbox[:0] = outbox[position:]  # in order, when there is room again
                    return

    def _send_again(
        self,
        sock: socket.socket,
        data: bytes,
        endpoint: tuple[str, int],
        error: OSError,
        machine: DatagramMachine,
        now: float,
    ) -> bool:
        """Send what could not be sent, or give its endpoint up; False if the system has no room for it now.

        What an earlier datagram met with is raised when the next one is sent, which is not sent then and
        has nothing to do with it. The error queue tells whose it is.
        """
        for _ in range(ATTEMPTS):
            if isinstance(error, BlockingIOError) or error.errno == errno.ENOBUFS:
                return False
            if not self._read_errors(sock, machine, now) and error.errno != errno.ECONNREFUSED:
                break
            try:
                sock.sendto(data, endpoint)
            except OSError as another:
                error = another
            else:
                return True
        machine.unreachable(endpoint, Outcome.UNREACHABLE, now)
        return True

    def _read_errors(self, sock: socket.socket, machine: DatagramMachine, now: float) -> bool:
        """Tell the machine what the system reports of its endpoints; False if there was nothing."""
        found = False
        for _ in range(BATCH if sys.platform == "linux" else 0):
            try:
                _, ancillary, _, recipient = sock.recvmsg(0, 512, socket.MSG_ERRQUEUE)
            except OSError:  # BlockingIOError: the queue is empty
                break
            found = True
            for _, _, data in ancillary:
                if len(data) >= _EXTENDED_ERROR.size:
                    code = _EXTENDED_ERROR.unpack_from(data)[0]
                    refused = code == errno.ECONNREFUSED
                    outcome = Outcome.REFUSED if refused else Outcome.UNREACHABLE
                    machine.unreachable(recipient[:2], outcome, now)
        return found
