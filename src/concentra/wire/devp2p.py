"""The messages of every RLPx connection [1]_: Hello, Disconnect, Ping and Pong, and how they are packed.

A message is an ID and a payload. Hello goes first and names what each side speaks; from then on payloads
are compressed with Snappy if both sides said version 5 or later. IDs from 0x10 on belong to the
capabilities that both share, in alphabetical order.

.. [1] https://github.com/ethereum/devp2p/blob/master/rlpx.md, "Capability Messaging" and
   '"p2p" Capability'
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, StrEnum

import cramjam

from concentra.wire import identity, rlp
from concentra.wire.errors import WireError
from concentra.wire.rlp_fields import bytes_of, fields_of

VERSION = 5
SNAPPY_VERSION = 5  # rlpx.md, "Version 5": EIP-706 added Snappy
FIRST_CAPABILITY_ID = 0x10
MAX_PAYLOAD_SIZE = 1 << 16  # the specification allows 16 MiB once decompressed

MAX_CLIENT_LENGTH = 256
MAX_NAME_LENGTH = 32  # the specification has at most 8 ASCII characters; a longer name costs nobody its Hello
MAX_CAPABILITIES = 64  # go-ethereum 1.16 announces 3, EthereumJS 0.10 4

EMPTY = b"\xc0"
"""The payload of Ping and of Pong."""


class MessageId(IntEnum):
    """What the base protocol's messages are called by."""

    HELLO = 0
    DISCONNECT = 1
    PING = 2
    PONG = 3


class DisconnectReason(StrEnum):
    """Why one side ends a connection; the last two stand for what no table has."""

    REQUESTED = "disconnect requested"
    NETWORK_ERROR = "network error"
    PROTOCOL_ERROR = "breach of protocol"
    USELESS_PEER = "useless peer"
    TOO_MANY_PEERS = "too many peers"
    ALREADY_CONNECTED = "already connected"
    INCOMPATIBLE_VERSION = "incompatible version"
    INVALID_IDENTITY = "invalid identity"
    QUITTING = "client quitting"
    UNEXPECTED_IDENTITY = "unexpected identity"
    CONNECTED_TO_SELF = "connected to self"
    TIMEOUT = "timeout"
    SUBPROTOCOL_ERROR = "subprotocol reason"
    UNSTATED = "unstated"
    """None was given, which is allowed."""
    UNLISTED = "unlisted"
    """A number that the specification does not have."""


REASON_OF_CODE = {
    0x00: DisconnectReason.REQUESTED,
    0x01: DisconnectReason.NETWORK_ERROR,
    0x02: DisconnectReason.PROTOCOL_ERROR,
    0x03: DisconnectReason.USELESS_PEER,
    0x04: DisconnectReason.TOO_MANY_PEERS,
    0x05: DisconnectReason.ALREADY_CONNECTED,
    0x06: DisconnectReason.INCOMPATIBLE_VERSION,
    0x07: DisconnectReason.INVALID_IDENTITY,
    0x08: DisconnectReason.QUITTING,
    0x09: DisconnectReason.UNEXPECTED_IDENTITY,
    0x0A: DisconnectReason.CONNECTED_TO_SELF,
    0x0B: DisconnectReason.TIMEOUT,
    0x10: DisconnectReason.SUBPROTOCOL_ERROR,
}
CODE_OF_REASON = {reason: code for code, reason in REASON_OF_CODE.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message, decompressed."""

    id: int
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """How one side introduces itself; all of it may be untrue, but for the key."""

    version: int
    """Of the base protocol."""
    client: str
    """What it calls its software, at most 256 characters; bytes that are not UTF-8 became U+FFFD."""
    capabilities: tuple[tuple[str, int], ...]
    """Names, at most 32 characters, and versions, in the order in which they came."""
    listen_port: int
    """TCP port; 0 says nothing, and geth always sends it."""
    public_key: bytes
    """x || y, 64 bytes."""

    @property
    def compresses(self) -> bool:
        """Whether it understands Snappy."""
        return self.version >= SNAPPY_VERSION


def encode_message(message: Message, *, compressed: bool) -> bytes:
    """Return the content of the frame that carries `message`."""
    payload = bytes(cramjam.snappy.compress_raw(message.payload)) if compressed else message.payload
    return rlp.encode(rlp.uint_to_item(message.id)) + payload


def decode_message(content: bytes, *, compressed: bool) -> Message:
    r"""Return the message in the content of a frame, which is untrusted.

    Parameters
    ----------
    content : bytes
        An ID and a payload.
    compressed : bool
        Whether payloads are: from the Hello on, if both sides said version 5 or later. A Disconnect is
        taken either way, since its sender need not have read our Hello yet, and ethereumjs never
        compresses it.

    Raises
    ------
    WireError
        If the ID is no small integer, the payload cannot be decompressed, or would become longer than
        `MAX_PAYLOAD_SIZE`, which is found out before it is.

    Examples
    --------
    >>> decode_message(b"\x01\x02\x04\xc1\x08", compressed=True)
    Message(id=1, payload=b'\xc1\x08')
    >>> decode_message(b"\x01\xc1\x08", compressed=True)
    Message(id=1, payload=b'\xc1\x08')
    """
    item, end = rlp.decode_prefix(content, max_depth=0)
    message = Message(id=rlp.uint_from_item(item, bits=32, what="message ID"), payload=content[end:])
    if not compressed:
        return message
    try:
        return Message(id=message.id, payload=_decompressed(message.payload))
    except WireError:
        if message.id == MessageId.DISCONNECT:
            return message
        raise


def encode_hello(hello: Hello) -> bytes:
    """Return the payload of `hello`."""
    return rlp.encode(
        [
            rlp.uint_to_item(hello.version),
            hello.client.encode(),
            [[name.encode("ascii"), rlp.uint_to_item(version)] for name, version in hello.capabilities],
            rlp.uint_to_item(hello.listen_port),
            hello.public_key,
        ]
    )


def decode_hello(payload: bytes) -> Hello:
    """Return the Hello in `payload`, which is untrusted.

    Any version is taken, and further fields are ignored (EIP-8).

    Raises
    ------
    WireError
        If a field does not have the form of the specification, or there are more than
        `MAX_CAPABILITIES`.
    """
    version, client, capabilities, port, key = fields_of(rlp.decode(payload), 5, what="Hello")
    if not isinstance(client, bytes):
        raise WireError("client of Hello is a list, wanted a string")
    if not isinstance(capabilities, list) or len(capabilities) > MAX_CAPABILITIES:
        raise WireError(f"capabilities of Hello are not a list of at most {MAX_CAPABILITIES}")
    return Hello(
        version=rlp.uint_from_item(version, what="version of Hello"),
        client=client.decode(errors="replace")[:MAX_CLIENT_LENGTH],
        capabilities=tuple(map(_capability, capabilities)),
        listen_port=rlp.uint_from_item(port, bits=16, what="port of Hello"),
        public_key=bytes_of(key, identity.PUBLIC_KEY_SIZE, what="node key of Hello"),
    )


def encode_disconnect(reason: DisconnectReason) -> bytes:
    """Return the payload that gives `reason`; `UNSTATED` and `UNLISTED` cannot be sent.

    >>> encode_disconnect(DisconnectReason.QUITTING).hex()
    'c108'
    """
    return rlp.encode([rlp.uint_to_item(CODE_OF_REASON[reason])])


def decode_disconnect(payload: bytes) -> DisconnectReason:
    r"""Return the reason in `payload`, which is untrusted.

    Besides the list of the specification a bare integer is taken, which ethereumjs sends and geth once
    did, and no payload at all.

    Raises
    ------
    WireError
        If it is neither.

    Examples
    --------
    >>> decode_disconnect(b"\xc1\x04"), decode_disconnect(b"\x04")
    (<DisconnectReason.TOO_MANY_PEERS: 'too many peers'>, <DisconnectReason.TOO_MANY_PEERS: 'too many peers'>)
    """
    item = rlp.decode(payload) if payload else []
    if isinstance(item, list):
        if not item:
            return DisconnectReason.UNSTATED
        item = item[0]
    code = rlp.uint_from_item(item, what="reason of Disconnect")
    return REASON_OF_CODE.get(code, DisconnectReason.UNLISTED)


def shared_version(name: str, ours: Hello, theirs: Hello) -> int | None:
    """Return the version of a capability that both will speak: the highest of both, None without one."""
    return max(_versions(name, ours.capabilities) & _versions(name, theirs.capabilities), default=None)


def _versions(name: str, capabilities: Iterable[tuple[str, int]]) -> set[int]:
    return {version for other, version in capabilities if other == name}


def _capability(item: rlp.Item) -> tuple[str, int]:
    name, version = fields_of(item, 2, what="capability")
    if not isinstance(name, bytes):
        raise WireError("name of a capability is a list, wanted a string")
    text = name.decode(errors="replace")[:MAX_NAME_LENGTH]
    return text, rlp.uint_from_item(version, what="version of a capability")


def _decompressed(data: bytes) -> bytes:
    try:
        size = cramjam.snappy.decompress_raw_len(data)
        if size > MAX_PAYLOAD_SIZE:
            raise WireError(f"message has {size} bytes decompressed, wanted at most {MAX_PAYLOAD_SIZE}")
        return bytes(cramjam.snappy.decompress_raw(data))
    except cramjam.DecompressionError as error:
        raise WireError("message is not compressed with Snappy") from error
