"""The six messages of discv4 [1]_, as values; `discv4_payloads` writes and reads them.

.. [1] https://github.com/ethereum/devp2p/blob/master/discv4.md, with ENR requests of
   https://eips.ethereum.org/EIPS/eip-868
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple, TypeAlias

from concentra.wire import identity

VERSION = 4

MAX_NEIGHBORS = 12
"""Neighbours in a packet that we send: of 91 bytes each, with IPv6, a thirteenth would make it 1296 bytes."""


class Kind(IntEnum):
    """The packet type: the byte that tells which message follows."""

    PING = 1
    PONG = 2
    FIND_NODE = 3
    NEIGHBORS = 4
    ENR_REQUEST = 5
    ENR_RESPONSE = 6


class Defect(StrEnum):
    """What is wrong with an endpoint or a neighbour."""

    SHAPE = "not a list of an address and ports"
    ADDRESS = "an address of neither 4 nor 16 bytes"
    PORT = "a port that is no number of 16 bits"
    KEY = "a public key that does not have 64 bytes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where one of two peers is, as the sender of a PING or PONG sees it; often not true."""

    ip: bytes = b""
    """Address in network order, 4 or 16 bytes; empty if the sender does not say. Never IPv4 within IPv6."""
    udp: int = 0
    """Discovery port; 0 if the sender does not say."""
    tcp: int = 0
    """RLPx port; 0 if the sender does not say."""

    @property
    def host(self) -> str | None:
        """The address as `ipaddress` prints it, None if there is none."""
        return _host(self.ip) if self.ip else None


class Neighbor(NamedTuple):
    """A node as another one tells of it; nobody signed this, and the key need not be on the curve.

    Finding that out costs about as much as reading the whole entry, and a node that answers has proved it.
    """

    # A tuple, not a dataclass: there are sixteen in an answer, and building one takes a third of the time.

    ip: bytes
    """Address in network order, 4 or 16 bytes, never IPv4 within IPv6."""
    udp: int
    """Discovery port; 0 says that there is none."""
    tcp: int
    """RLPx port; 0 says that there is none."""
    public_key: bytes
    """x || y, 64 bytes."""

    @property
    def host(self) -> str:
        """The address as `ipaddress` prints it."""
        return _host(self.ip)

    @property
    def node_id(self) -> bytes:
        """keccak256 of the public key, 32 bytes."""
        return identity.node_id(self.public_key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """Asks for a PONG, and offers to prove the sender's endpoint."""

    sender: Endpoint
    """``from``: where the sender believes itself to be. What answers go by is where the packet came from."""
    recipient: Endpoint
    """``to``: where the sender sent it, which tells the recipient its outer address."""
    expiration: int
    """Unix time in seconds after which the packet is void."""
    enr_seq: int | None = None
    """Sequence number of the sender's record, None if it names none (EIP-868)."""
    version: int = VERSION
    """To be ignored (EIP-8)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pong:
    """Answers a PING, and so proves that its sender reads what is sent to its endpoint."""

    recipient: Endpoint
    """``to``: where the PING came from."""
    ping_hash: bytes
    """Hash of the PING, 32 bytes: the first bytes of its packet."""
    expiration: int
    """Unix time in seconds after which the packet is void."""
    enr_seq: int | None = None
    """Sequence number of the sender's record, None if it names none (EIP-868)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FindNode:
    """Asks for the sixteen nodes nearest to a target."""

    target: bytes
    """64 bytes, whose keccak256 is what is near or far; it need not be anybody's key."""
    expiration: int
    """Unix time in seconds after which the packet is void."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbors:
    """Answers a FINDNODE, or a part of it: an answer may come in several packets, and names no request."""

    nodes: tuple[Neighbor, ...]
    """As many as the packet holds, which is not more than its size allows."""
    expiration: int
    """Unix time in seconds after which the packet is void."""
    defects: tuple[Defect, ...] = ()
    """One for each entry that was left out; the others are not worse for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrRequest:
    """Asks for the recipient's own record (EIP-868)."""

    expiration: int
    """Unix time in seconds after which the packet is void."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrResponse:
    """Answers an ENRREQUEST (EIP-868)."""

    request_hash: bytes
    """Hash of the request, 32 bytes. Requests that we send within a second are equal, and so are these."""
    record: bytes
    """The encoded record, unread: `enr.decode` checks it, and its key must be the sender's (discv4.md)."""


Message: TypeAlias = Ping | Pong | FindNode | Neighbors | EnrRequest | EnrResponse


def _host(ip: bytes) -> str:
    return str(IPv4Address(ip) if len(ip) == 4 else IPv6Address(ip))
