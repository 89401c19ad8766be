"""What a datagram meant, in the words of `concentra.wire.discv5_session`: one event for each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from concentra.wire.discv5_messages import Message
from concentra.wire.enr import NodeRecord
from concentra.wire.errors import WireError

Endpoint: TypeAlias = tuple[str, int]
"""Address and UDP port, as a socket tells them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageReceived:
    """A message came from a node that holds the key of its node ID."""

    node_id: bytes
    """Who sent it, 32 bytes."""
    endpoint: Endpoint
    """Where it came from; answers go there."""
    message: Message
    """Decoded; the records in it verified."""
    record: NodeRecord | None
    """The sender's record, None unless this was a handshake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenged:
    """Somebody at the endpoint could unmask our packet and wants a handshake; that proves no key yet."""

    node_id: bytes
    """Whom the packet was for."""
    endpoint: Endpoint
    """Where it was sent, and the challenge came from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A message under keys that we do not have: a stranger's first, or of a session that was forgotten."""

    node_id: bytes
    """Who is said to have sent it."""
    endpoint: Endpoint
    """Where it came from."""


class Refusal(StrEnum):
    """Why a datagram came to nothing."""

    NOT_FOR_US = "not a discv5 packet for us"
    """Too short or too long, masked for another node, of another protocol, or with a damaged header."""
    UNASKED_CHALLENGE = "unasked challenge"
    """It refers to no packet that we sent to that endpoint lately, or to one already settled."""
    UNASKED_HANDSHAKE = "unasked handshake"
    """No challenge to that node at that endpoint is open: a replay, or a late one."""
    BAD_RECORD = "bad record"
    """The handshake has no record, or one that is damaged or wrongly signed."""
    WRONG_IDENTITY = "wrong identity"
    """The record in the handshake is another node's."""
    BAD_SIGNATURE = "bad signature"
    """The handshake was not signed by the key of its record."""
    BAD_KEY = "bad key"
    """The ephemeral key is no point on the curve, or the keys made from it do not open the message."""
    BAD_MESSAGE = "bad message"
    """The sender is who it says it is, but what it says is malformed, or of an unknown kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A datagram came to nothing; that is a measurement and no failure of ours."""

    reason: Refusal
    """What is wrong, of a closed list."""
    error: WireError
    """The same in detail, for people."""
    endpoint: Endpoint
    """Where it came from."""
    node_id: bytes | None
    """Who is said to have sent it, None if it does not tell; certain with `Refusal.BAD_MESSAGE` only."""


Event: TypeAlias = MessageReceived | Challenged | Unreadable | Refused
