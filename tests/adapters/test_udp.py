"""Sockets on loopback, and a machine that says what it is told to and remembers what it hears."""

from __future__ import annotations

import asyncio
import errno
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import pytest

from concentra.adapters.udp import ATTEMPTS, BATCH, BATCHES, IDLE_S, PortTaken, UdpSockets
from concentra.model.crawl import Outcome

LOOPBACK = "127.0.0.1"
Endpoint = tuple[str, int]
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="no error queue of sockets here")


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as six:
            six.bind(("::1", 0))
    except OSError:
        return False
    return True


with_ipv6 = pytest.mark.skipif(not _has_ipv6(), reason="no IPv6 on this machine")


class Machine:
    """Is done when it has heard `wanted` datagrams and reports; never, if that is 0."""

    def __init__(
        self, *outbox: tuple[bytes, Endpoint], wanted: int = 0, deadline_s: float | None = None
    ) -> None:
        self.outbox = list(outbox)
        self.heard: list[tuple[bytes, Endpoint]] = []
        self.reports: list[tuple[Endpoint, Outcome]] = []
        self.advanced: list[int] = []
        self.wanted = wanted
        self.deadline_s = deadline_s
        self.reply: Callable[[bytes, Endpoint], list[tuple[bytes, Endpoint]]] = lambda data, sender: []

    def received(self, data: bytes, sender: Endpoint, now: float) -> None:
        self.heard.append((data, sender))
        self.outbox += self.reply(data, sender)

    def unreachable(self, endpoint: Endpoint, outcome: Outcome, now: float) -> None:
        self.reports.append((endpoint, outcome))

    def advance(self, now: float) -> None:
        self.advanced.append(len(self.heard))

    def next_deadline(self, now: float) -> float | None:
        return None if self.deadline_s is None else now + self.deadline_s

    def is_done(self) -> bool:
        return 0 < self.wanted <= len(self.heard) + len(self.reports)


@pytest.fixture
def sockets() -> Iterator[UdpSockets]:
    with UdpSockets(address=LOOPBACK) as them:
        yield them


@contextmanager
def plain(address: str = LOOPBACK) -> Iterator[socket.socket]:
    """Give a socket of somebody else."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((address, 0))
        other.settimeout(5)
        yield other


def at(other: socket.socket) -> Endpoint:
    host, port = other.getsockname()[:2]
    return host, port


def closed_port() -> Endpoint:
    with plain() as gone:
        return at(gone)


def run(sockets: UdpSockets, machine: Machine, *, stop: Callable[[], bool] = lambda: False) -> None:
    async def limited() -> None:
        async with asyncio.timeout(10):
            await sockets.run(machine, time.monotonic, stop=stop)

    asyncio.run(limited())


def test_datagrams_go_both_ways(sockets: UdpSockets) -> None:
    with plain() as other:
        machine = Machine((b"ping", at(other)), wanted=1)
        other.sendto(b"hello", (LOOPBACK, sockets.port))
        run(sockets, machine)
        assert machine.heard == [(b"hello", at(other))]
        assert other.recvfrom(99) == (b"ping", (LOOPBACK, sockets.port))


def test_an_answer_goes_out_before_the_loop_waits(sockets: UdpSockets) -> None:
    with plain() as other:
        machine = Machine(wanted=2)
        machine.reply = lambda data, sender: [(data.upper(), sender)]
        other.sendto(b"a", (LOOPBACK, sockets.port))
        other.sendto(b"b", (LOOPBACK, sockets.port))
        began = time.monotonic()
        run(sockets, machine)
        assert [other.recv(9), other.recv(9)] == [b"A", b"B"]
        assert time.monotonic() - began < IDLE_S


@with_ipv6
def test_ipv6_goes_both_ways_from_the_same_port(sockets: UdpSockets) -> None:
    with plain("::1") as other:
        machine = Machine((b"ping", at(other)), wanted=1)
        other.sendto(b"hello", ("::1", sockets.port))
        run(sockets, machine)
        assert machine.heard == [(b"hello", at(other))]
        assert other.recvfrom(99)[1][:2] == ("::1", sockets.port)


def test_without_ipv6_such_endpoints_are_unreachable(sockets: UdpSockets) -> None:
    six = sockets._sockets.pop(6, None)
    if six is not None:
        six.close()
    machine = Machine((b"ping", ("2001:db8::1", 30303)), wanted=1)
    run(sockets, machine)
    assert machine.reports == [(("2001:db8::1", 30303), Outcome.UNREACHABLE)]


@on_linux
def test_a_port_that_nobody_listens_at_is_refused(sockets: UdpSockets) -> None:
    gone = closed_port()
    machine = Machine((b"ping", gone), wanted=1)
    run(sockets, machine)
    assert machine.reports == [(gone, Outcome.REFUSED)]


@on_linux
@with_ipv6
def test_the_same_over_ipv6(sockets: UdpSockets) -> None:
    with plain("::1") as other:
        gone = at(other)
    machine = Machine((b"ping", gone), wanted=1)
    run(sockets, machine)
    assert machine.reports == [(gone, Outcome.REFUSED)]


@on_linux
def test_an_error_of_one_endpoint_is_not_taken_for_that_of_the_next(sockets: UdpSockets) -> None:
    gone = [closed_port() for _ in range(3)]
    with plain() as other:
        machine = Machine(
            (b"1", gone[0]), (b"2", at(other)), (b"3", gone[1]), (b"4", gone[2]), (b"5", at(other)), wanted=3
        )
        run(sockets, machine)
        assert [other.recv(9), other.recv(9)] == [b"2", b"5"]
    assert sorted(machine.reports) == sorted((endpoint, Outcome.REFUSED) for endpoint in gone)


def test_what_the_system_refuses_to_send_is_unreachable_and_the_rest_goes_out(sockets: UdpSockets) -> None:
    broadcast = ("255.255.255.255", 30303)  # which needs an option of the socket that we do not set
    with plain() as other:
        machine = Machine((b"1", broadcast), (b"2", at(other)), wanted=1)
        run(sockets, machine)
        assert machine.reports == [(broadcast, Outcome.UNREACHABLE)]
        assert other.recv(9) == b"2"


class Reluctant:
    """A socket that fails to send as often as it is told to."""

    def __init__(self, real: socket.socket, *errors: OSError) -> None:
        self._real = real
        self._errors = list(errors)
        self.tried: list[bytes] = []

    def sendto(self, data: bytes, endpoint: Endpoint) -> int:
        self.tried.append(data)
        if self._errors and len(self.tried) > 1:
            raise self._errors.pop(0)
        return self._real.sendto(data, endpoint)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


@pytest.mark.parametrize(
    "error",
    [BlockingIOError(errno.EAGAIN, "no room"), OSError(errno.ENOBUFS, "no room")],
    ids=["the buffer of the socket", "the queue of the device"],
)
def test_while_there_is_no_room_the_rest_waits_in_order(sockets: UdpSockets, error: OSError) -> None:
    with plain() as other:
        reluctant = Reluctant(sockets._sockets[4], error, error)
        sockets._sockets[4] = reluctant  # type: ignore[assignment]
        machine = Machine(*((str(number).encode(), at(other)) for number in range(5)))
        machine.is_done = lambda: len(reluctant.tried) >= 7  # type: ignore[method-assign]
        began = time.monotonic()
        run(sockets, machine)
        assert time.monotonic() - began < IDLE_S
        assert [other.recv(9) for _ in range(5)] == [b"0", b"1", b"2", b"3", b"4"]
    assert reluctant.tried == [b"0", b"1", b"1", b"1", b"2", b"3", b"4"]
    assert machine.reports == []


def test_an_error_that_does_not_end_is_given_up(sockets: UdpSockets) -> None:
    with plain() as other:
        errors = [ConnectionRefusedError(errno.ECONNREFUSED, "refused") for _ in range(99)]
        reluctant = Reluctant(sockets._sockets[4], *errors)
        sockets._sockets[4] = reluctant  # type: ignore[assignment]
        run(sockets, machine := Machine((b"1", at(other)), (b"2", at(other)), wanted=1))
    assert reluctant.tried == [b"1"] + [b"2"] * (1 + ATTEMPTS)
    assert [outcome for _, outcome in machine.reports] == [Outcome.UNREACHABLE]


def test_a_machine_that_raises_ends_the_run_and_the_sockets_can_be_used_again(sockets: UdpSockets) -> None:
    with plain() as other:

        def confused(data: bytes, sender: Endpoint) -> list[tuple[bytes, Endpoint]]:
            raise AssertionError("confused")

        broken = Machine()
        broken.reply = confused
        other.sendto(b"x", (LOOPBACK, sockets.port))
        with pytest.raises(AssertionError, match="confused"):
            run(sockets, broken)
        other.sendto(b"y", (LOOPBACK, sockets.port))
        run(sockets, machine := Machine(wanted=1))
        assert machine.heard == [(b"y", at(other))]


def test_a_run_that_is_cancelled_watches_no_socket_any_more(sockets: UdpSockets) -> None:
    async def cancelled() -> list[bool]:
        loop = asyncio.get_running_loop()
        running = asyncio.create_task(sockets.run(Machine(), time.monotonic, stop=lambda: False))
        await asyncio.sleep(0)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return [loop.remove_reader(sock) for sock in sockets._sockets.values()]

    assert not any(asyncio.run(cancelled()))


def test_a_stop_is_seen_soon_by_a_machine_that_waits_for_nothing(sockets: UdpSockets) -> None:
    began = time.monotonic()
    run(sockets, Machine(), stop=lambda: time.monotonic() - began > 0.01)
    assert time.monotonic() - began < 0.01 + 2 * IDLE_S


def test_a_deadline_is_kept(sockets: UdpSockets) -> None:
    machine = Machine(deadline_s=0.01)
    began = time.monotonic()
    run(sockets, machine, stop=lambda: len(machine.advanced) >= 5)
    assert time.monotonic() - began < IDLE_S


def test_a_flood_is_read_whole_and_does_not_keep_the_machine_from_its_work(sockets: UdpSockets) -> None:
    count = 2 * BATCH * BATCHES + 1
    flood = iter([number.to_bytes(4, "big") for number in range(count)])
    with plain() as other:

        def one_more(data: bytes, sender: Endpoint) -> list[tuple[bytes, Endpoint]]:
            for more in islice(flood, 1):  # so that there is always something to read
                other.sendto(more, (LOOPBACK, sockets.port))
            return []

        machine = Machine(wanted=count)
        machine.reply = one_more
        for data in islice(flood, BATCH + 1):
            other.sendto(data, (LOOPBACK, sockets.port))
        run(sockets, machine)
    assert [int.from_bytes(data, "big") for data, _ in machine.heard] == list(range(count))
    assert machine.advanced[:2] == [BATCH * BATCHES, 2 * BATCH * BATCHES]


def test_a_port_that_is_taken_is_an_error_that_names_it(sockets: UdpSockets) -> None:
    with pytest.raises(PortTaken, match=f"UDP port {sockets.port}: ") as error:
        UdpSockets(sockets.port, LOOPBACK)
    assert error.value.port == sockets.port
    assert error.value.hint is not None
    assert "--port" in error.value.hint


def test_the_sockets_are_closed_when_the_block_is_over() -> None:
    with UdpSockets(address=LOOPBACK) as them:
        inside = [sock.fileno() for sock in them._sockets.values()]
    assert min(inside) >= 0
    assert {sock.fileno() for sock in them._sockets.values()} == {-1}


def test_on_loopback_nothing_else_is_listened_at(sockets: UdpSockets) -> None:
    bound = {sock.getsockname()[0] for sock in sockets._sockets.values()}
    assert bound <= {LOOPBACK, "::1"}
