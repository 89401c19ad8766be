"""Visits to nodes over TCP: connect, let `concentra.wire.rlpx_session` talk, say good-bye, close.

Whom to visit, and how often, is decided elsewhere; here one call is one connection.
"""

from __future__ import annotations

import asyncio
import errno
import secrets
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address

from concentra.wire import identity
from concentra.wire.devp2p import Hello
from concentra.wire.rlpx_handshake import Random
from concentra.wire.rlpx_session import Handshake, HandshakeOutcome, RlpxSession, never_connected

READ_SIZE = 1 << 14

# rlpx.md, "Disconnect": a peer is given 2 seconds to hang up after it was told. Until then its bytes are
# read and dropped, since closing with unread bytes resets the connection and may overtake our message.
FAREWELL_S = 2.0
MAX_DROPPED = 1 << 18

UNREACHABLE = frozenset(
    {
        errno.ENETUNREACH,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.EHOSTDOWN,
        errno.EADDRNOTAVAIL,
        errno.EAFNOSUPPORT,
        errno.EACCES,
        errno.EPERM,
        errno.EINVAL,
    }
)
"""What connecting fails with if a router or our own system does not let packets through to the address."""


async def dial(
    address: IPv4Address | IPv6Address,
    tcp_port: int,
    public_key: bytes,
    *,
    private_key: bytes,
    hello: Hello,
    connect_timeout_s: float,
    reply_timeout_s: float,
    random: Random = secrets.token_bytes,
) -> Handshake:
    """Return what came of one visit to one node.

    Parameters
    ----------
    address : IPv4Address or IPv6Address
        Where to connect. No policy is applied to it here.
    tcp_port : int
        From 1 to 65535.
    public_key : bytes, 64
        The node that is meant, x || y.
    private_key : bytes, 32
        Our node key.
    hello : Hello
        How we introduce ourselves.
    connect_timeout_s : float, seconds
        For the connection.
    reply_timeout_s : float, seconds
        For the whole dialogue after it, however slowly bytes trickle in. Closing takes up to 2 s more.
    random : callable
        Returns that many random bytes.

    Returns
    -------
    Handshake
        Whatever the peer or the network did.

    Raises
    ------
    WireError
        If `public_key` is no key; nothing was sent then.
    OSError
        If this machine could not try: too many open files, no memory.
    """
    identity.parse_key(public_key)
    try:
        async with asyncio.timeout(connect_timeout_s):
            reader, writer = await asyncio.open_connection(str(address), tcp_port, limit=READ_SIZE)
    except OSError as error:
        return never_connected(public_key, _outcome_of(error))
    try:
        session = RlpxSession(private_key=private_key, remote_key=public_key, hello=hello, random=random)
        writer.write(session.opening())
        farewell = await _talk(session, reader, writer, reply_timeout_s)
        if farewell:
            await _leave(farewell, reader, writer)
    finally:
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()
    return session.handshake()


async def _talk(
    session: RlpxSession, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, timeout_s: float
) -> bytes:
    """Return what is left to be said when the visit is over."""
    answer = b""
    try:
        async with asyncio.timeout(timeout_s):
            while not session.is_over:
                writer.write(answer)
                data = await reader.read(READ_SIZE)
                answer = session.receive(data) if data else session.end(HandshakeOutcome.CLOSED)
    except OSError as error:
        answer = session.end(_outcome_of(error))
    return answer


async def _leave(farewell: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say good-bye, and give the peer a moment to hang up."""
    dropped = 0
    with suppress(OSError):
        async with asyncio.timeout(FAREWELL_S):
            writer.write(farewell)
            writer.write_eof()
            while dropped < MAX_DROPPED and (data := await reader.read(READ_SIZE)):
                dropped += len(data)


def _outcome_of(error: OSError) -> HandshakeOutcome:
    """Return what `error` says of the peer; if it says something of this machine, raise it again."""
    match error:
        case TimeoutError():  # ours, or the system's own for a connection
            return HandshakeOutcome.TIMED_OUT
        case ConnectionRefusedError():
            return HandshakeOutcome.REFUSED
        case ConnectionError():
            return HandshakeOutcome.RESET
        case OSError(errno=code) if code in UNREACHABLE:
            return HandshakeOutcome.UNREACHABLE
        case _:
            raise error
