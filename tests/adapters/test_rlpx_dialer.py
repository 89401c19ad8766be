import asyncio
import errno
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Coroutine
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest
from tests.wire.made_rlpx import HELLO, OURS, PUBLIC_KEY, STATUS_69, Node, drawn, leaving

from concentra.adapters import rlpx_dialer
from concentra.adapters.rlpx_dialer import dial
from concentra.wire import devp2p
from concentra.wire.devp2p import DisconnectReason, Message
from concentra.wire.errors import WireError
from concentra.wire.rlpx_session import MAX_MESSAGES, Handshake, HandshakeOutcome, Stage, introduction

LOOPBACK = IPv4Address("127.0.0.1")
READ_SIZE = 1 << 16
Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def behaving(node: Node) -> Behaviour:
    """Return how a real node behaves: it answers until the visitor hangs up."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(READ_SIZE):
            writer.write(node.answer(data))

    return behave


def visit(behaviour: Behaviour, *, reply_timeout_s: float = 10.0) -> Handshake:
    """Return what comes of visiting a server on loopback that behaves so."""

    async def serve_and_visit() -> Handshake:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await behaviour(reader, writer)
            except ConnectionError:
                pass  # the visitor may hang up when it has heard enough
            finally:
                writer.transport.abort()

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            return await asyncio.wait_for(dialled(port, reply_timeout_s=reply_timeout_s), 20)

    return asyncio.run(serve_and_visit())


def dialled(port: int, *, reply_timeout_s: float = 10.0) -> Coroutine[Any, Any, Handshake]:
    return dial(
        LOOPBACK,
        port,
        PUBLIC_KEY,
        private_key=OURS,
        hello=introduction(OURS, "visitor/1.0"),
        connect_timeout_s=10.0,
        reply_timeout_s=reply_timeout_s,
    )


def free_port() -> int:
    """Return a port of loopback at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def failing(error: OSError) -> Callable[..., Coroutine[Any, Any, Any]]:
    """Return what stands in for connecting, and fails."""

    async def connect(*_: object, **__: object) -> None:
        raise error

    return connect


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for peers to hang up for longer than a test may take."""
    monkeypatch.setattr(rlpx_dialer, "FAREWELL_S", 60.0)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give peers that do not hang up less than the 2 s of the specification."""
    monkeypatch.setattr(rlpx_dialer, "FAREWELL_S", 0.05)


def test_a_visit_brings_home_hello_and_status() -> None:
    node = Node()
    came = visit(behaving(node))
    assert (came.outcome, came.stage) == (HandshakeOutcome.STATUS, Stage.STATUS)
    assert (came.hello, came.status, came.public_key) == (HELLO, STATUS_69, PUBLIC_KEY)
    assert node.reason_heard() == DisconnectReason.QUITTING


def test_many_nodes_can_be_visited_at_once() -> None:
    async def visits() -> list[Handshake]:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await behaving(Node())(reader, writer)
            writer.close()

        async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            return await asyncio.gather(*(dialled(port) for _ in range(20)))

    assert {came.outcome for came in asyncio.run(visits())} == {HandshakeOutcome.STATUS}


def test_nobody_listens_at_the_port() -> None:
    came = asyncio.run(dialled(free_port()))
    assert (came.outcome, came.stage) == (HandshakeOutcome.REFUSED, Stage.NONE)


def test_a_node_that_hangs_up_without_a_word() -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(READ_SIZE)
        writer.close()

    came = visit(behave)
    assert (came.outcome, came.stage) == (HandshakeOutcome.CLOSED, Stage.CONNECTED)


def test_a_node_that_tears_the_connection_down() -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        reset(writer)

    came = visit(behave)
    assert (came.outcome, came.stage) == (HandshakeOutcome.RESET, Stage.CONNECTED)


def test_what_a_node_said_before_it_tore_the_connection_down_counts() -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        node = Node([leaving(DisconnectReason.TOO_MANY_PEERS)])
        writer.write(node.answer(await reader.read(READ_SIZE)))
        writer.write(node.answer(await reader.read(READ_SIZE)))
        reset(writer)

    came = visit(behave)
    assert (came.outcome, came.hello) == (HandshakeOutcome.DISCONNECTED, HELLO)
    assert came.disconnect == DisconnectReason.TOO_MANY_PEERS


@pytest.mark.usefixtures("impatient")
def test_a_node_that_never_answers() -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(READ_SIZE):
            pass

    came = visit(behave, reply_timeout_s=0.05)
    assert (came.outcome, came.stage) == (HandshakeOutcome.TIMED_OUT, Stage.CONNECTED)


@pytest.mark.usefixtures("impatient")
def test_a_node_that_stops_after_its_hello_is_told_that_it_took_too_long() -> None:
    node = Node([])
    came = visit(behaving(node), reply_timeout_s=0.2)
    assert (came.outcome, came.stage) == (HandshakeOutcome.TIMED_OUT, Stage.HELLO)
    assert came.hello == HELLO
    assert node.reason_heard() == DisconnectReason.TIMEOUT


@pytest.mark.usefixtures("impatient")
def test_a_node_that_lets_bytes_trickle_does_not_gain_time() -> None:
    node = Node([Message(id=0x18, payload=drawn("large")(60_000))])
    left: list[int] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(node.answer(await reader.read(READ_SIZE)))
        trickle = list(node.answer(await reader.read(READ_SIZE)))
        while trickle:
            writer.write(bytes((trickle.pop(0),)))
            left[:] = trickle[-1:]
            await asyncio.sleep(0)  # gives way to the visitor

    came = visit(behave, reply_timeout_s=0.1)
    assert (came.outcome, came.stage) == (HandshakeOutcome.TIMED_OUT, Stage.HELLO)
    assert left


@pytest.mark.usefixtures("patient")
def test_a_node_that_floods_us_is_left() -> None:
    node = Node([Message(id=0x18, payload=devp2p.EMPTY)] * MAX_MESSAGES)

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(node.answer(await reader.read(READ_SIZE)))
        writer.write(node.answer(await reader.read(READ_SIZE)))
        while True:
            writer.write(bytes(READ_SIZE))
            await writer.drain()

    came = visit(behave)
    assert (came.outcome, came.stage) == (HandshakeOutcome.NO_STATUS, Stage.HELLO)


@pytest.mark.usefixtures("patient")
def test_a_node_that_hangs_up_when_we_have_nothing_more_to_say_is_not_waited_for() -> None:
    assert visit(behaving(Node())).outcome == HandshakeOutcome.STATUS


def test_our_good_bye_arrives_though_the_node_had_more_to_say() -> None:
    node = Node()
    ended = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(node.answer(await reader.read(READ_SIZE)))
        writer.write(node.answer(await reader.read(READ_SIZE)) + bytes(100_000))
        await writer.drain()
        while data := await reader.read(READ_SIZE):
            node.answer(data)
        ended.append(True)

    assert visit(behave).outcome == HandshakeOutcome.STATUS
    assert node.reason_heard() == DisconnectReason.QUITTING
    assert ended == [True]


@pytest.mark.usefixtures("impatient")
def test_a_node_that_does_not_hang_up_is_not_waited_for() -> None:
    hung_up = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await behaving(Node())(reader, writer)  # until we end our half
        while True:  # until the visitor is gone for good
            try:
                writer.write(bytes(1 << 16))
                await writer.drain()
            except ConnectionError:
                hung_up.append(True)
                return

    assert visit(behave).outcome == HandshakeOutcome.STATUS
    assert hung_up == [True]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        pytest.param(ConnectionRefusedError(), HandshakeOutcome.REFUSED, id="refused"),
        pytest.param(ConnectionResetError(), HandshakeOutcome.RESET, id="reset"),
        pytest.param(ConnectionAbortedError(), HandshakeOutcome.RESET, id="aborted"),
        pytest.param(OSError(errno.ETIMEDOUT, "?"), HandshakeOutcome.TIMED_OUT, id="timed-out-by-the-system"),
        *(
            pytest.param(OSError(getattr(errno, name), "?"), HandshakeOutcome.UNREACHABLE, id=name)
            for name in ("ENETUNREACH", "EHOSTUNREACH", "EADDRNOTAVAIL", "EAFNOSUPPORT", "EACCES", "EPERM")
        ),
    ],
)
def test_what_the_system_says_of_the_way_there_is_an_outcome(
    error: OSError, outcome: HandshakeOutcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asyncio, "open_connection", failing(error))
    came = asyncio.run(dialled(30303))
    assert (came.outcome, came.stage, came.public_key) == (outcome, Stage.NONE, PUBLIC_KEY)


@pytest.mark.parametrize("name", ["EMFILE", "ENFILE", "ENOBUFS"])
def test_what_the_system_says_of_ourselves_is_no_outcome(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    code = getattr(errno, name)
    monkeypatch.setattr(asyncio, "open_connection", failing(OSError(code, os.strerror(code))))
    with pytest.raises(OSError, match=os.strerror(code)):
        asyncio.run(dialled(30303))


def test_a_connection_that_is_never_made(monkeypatch: pytest.MonkeyPatch) -> None:
    async def connect(*_: object, **__: object) -> None:
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(asyncio, "open_connection", connect)
    visit_to_nobody = dial(
        IPv6Address("2001:db8::1"),
        30303,
        PUBLIC_KEY,
        private_key=OURS,
        hello=introduction(OURS, "visitor/1.0"),
        connect_timeout_s=0.01,
        reply_timeout_s=10.0,
    )

    async def bounded() -> Handshake:
        return await asyncio.wait_for(visit_to_nobody, 5)

    came = asyncio.run(bounded())
    assert (came.outcome, came.stage) == (HandshakeOutcome.TIMED_OUT, Stage.NONE)


def test_what_is_no_key_is_found_out_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asyncio, "open_connection", failing(OSError(errno.EMFILE, "connected all the same")))
    visit_to_nobody = dial(
        LOOPBACK,
        30303,
        bytes(64),
        private_key=OURS,
        hello=introduction(OURS, "visitor/1.0"),
        connect_timeout_s=1.0,
        reply_timeout_s=1.0,
    )
    with pytest.raises(WireError, match="not a point"):
        asyncio.run(visit_to_nobody)


def test_a_visit_that_is_cancelled_closes_its_connection() -> None:
    async def cancelled() -> bool:
        hung_up = asyncio.get_running_loop().create_future()
        heard = asyncio.Event()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(READ_SIZE)
            heard.set()
            try:
                hung_up.set_result(await reader.read(READ_SIZE) == b"")
            except ConnectionError:
                hung_up.set_result(True)
            finally:
                writer.transport.abort()

        async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
            visiting = asyncio.create_task(dialled(server.sockets[0].getsockname()[1]))
            await heard.wait()
            visiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await visiting
            return await asyncio.wait_for(hung_up, 5)

    assert asyncio.run(cancelled())


def reset(writer: asyncio.StreamWriter) -> None:
    """Close so that the other side is told of an error, not of an end."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
