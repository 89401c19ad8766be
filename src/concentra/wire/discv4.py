"""Packets of discv4 [1]_: hash, signature and type around a message.

A crawl is bound by its processor, and recovering who signed a packet costs more than all the rest of reading
it. So a packet is read in stages, and whoever reads it stops where it turns out not to be wanted:

==================  =======================================================================================
`open_packet`       is it a packet at all, and of which type? Takes 3 µs for an answer of twelve nodes.
`message`           what does it say? Takes 7 µs more. A pong's hash tells whether anybody waits for it.
`sender`            who signed it? Takes 32 µs more.
`is_from`           did the one sign it that was asked? Takes 28 µs in place of those.
==================  =======================================================================================

Nothing here knows the time: whether a message is too old is `is_expired`, which takes it as an argument.

.. [1] https://github.com/ethereum/devp2p/blob/master/discv4.md
"""

from __future__ import annotations

from dataclasses import dataclass

from coincurve import PrivateKey

from concentra.wire import discv4_payloads, identity
from concentra.wire.discv4_messages import Message
from concentra.wire.errors import WireError
from concentra.wire.keccak import keccak256

SIGNATURE_AT = 32
TYPE_AT = SIGNATURE_AT + identity.RECOVERABLE_SIZE
PAYLOAD_AT = TYPE_AT + 1

MAX_SIZE = 1280
"""Bytes of a packet, at most: discv4.md, "Wire Protocol"."""

MAX_ACCEPTED = 4096
"""Bytes that are read all the same: ethereumjs puts sixteen neighbours, up to 1570 bytes, into one packet."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A packet whose hash is right; nothing else of it has been looked at."""

    data: bytes
    """The whole packet, from 98 to 4096 bytes."""

    @property
    def digest(self) -> bytes:
        """Hash of the packet, 32 bytes, by which answers name it."""
        return self.data[:SIGNATURE_AT]

    @property
    def signature(self) -> bytes:
        """Signature r || s || v, 65 bytes, over keccak256 of `signed`."""
        return self.data[SIGNATURE_AT:TYPE_AT]

    @property
    def signed(self) -> bytes:
        """Packet type and packet data."""
        return self.data[TYPE_AT:]

    @property
    def kind(self) -> int:
        """The packet type: a `Kind`, unless the packet is of a type that we do not know."""
        return self.data[TYPE_AT]

    @property
    def payload(self) -> bytes:
        """The packet data: one RLP list, and perhaps bytes after it."""
        return self.data[PAYLOAD_AT:]

    @property
    def oversized(self) -> bool:
        """Whether it is larger than the specification allows."""
        return len(self.data) > MAX_SIZE


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """A packet read to its end: what somebody, who holds the key, once said."""

    digest: bytes
    """Hash of the packet, 32 bytes, by which answers name it."""
    sender: bytes
    """Public key of whoever signed it, 64 bytes x || y."""
    message: Message
    """What it says."""


def open_packet(data: bytes) -> Opened:
    r"""Return the packet that a datagram is, its size and hash checked and nothing else.

    Parameters
    ----------
    data : bytes
        The datagram. It is untrusted.

    Returns
    -------
    Opened
        Anybody can compute the hash, so all of it may be invented.

    Raises
    ------
    WireError
        If the datagram is no discv4 packet: too short or too long, or its hash is another.

    Examples
    --------
    >>> from concentra.wire.discv4_messages import EnrRequest
    >>> data = encode(identity.signing_key(bytes(31) + b"\x07"), EnrRequest(expiration=1136239445))
    >>> opened = open_packet(data)
    >>> opened.kind, len(data), message(opened)
    (5, 104, EnrRequest(expiration=1136239445))
    >>> open_packet(data[:-1] + b"!")
    Traceback (most recent call last):
    concentra.wire.errors.WireError: hash does not fit the packet
    """
    if not PAYLOAD_AT <= len(data) <= MAX_ACCEPTED:
        raise WireError(f"packet has {len(data)} bytes, wanted {PAYLOAD_AT} to {MAX_ACCEPTED}")
    if keccak256(data[SIGNATURE_AT:]) != data[:SIGNATURE_AT]:
        raise WireError("hash does not fit the packet")
    return Opened(data)


def message(opened: Opened) -> Message:
    """Return what a packet says, whoever signed it; a `WireError` as from `discv4_payloads.decode`."""
    return discv4_payloads.decode(opened.kind, opened.payload)


def sender(opened: Opened) -> bytes:
    """Return the public key, 64 bytes x || y, of whoever signed a packet.

    Raises
    ------
    WireError
        If the signature is of no key. A signature of another packet is of some key, but of nobody's.
    """
    return identity.coordinates(identity.recover(opened.signature, keccak256(opened.signed)))


def is_from(opened: Opened, public_key: bytes) -> bool:
    """Return whether the owner of `public_key`, 64 bytes x || y, signed a packet.

    For answers, of which it is known whom they must come from. The public key may be invented. Of the two
    values of s that would fit only the lower counts, as in node records; `sender` takes both.
    """
    try:
        key = identity.parse_key(public_key)
    except WireError:  # nobody owns a key off the curve
        return False
    return identity.is_signed_by(key, opened.signature[: identity.SIGNATURE_SIZE], opened.signed)


def decode(data: bytes) -> Packet:
    """Return a datagram's packet, read to its end; a `WireError` as from any of the stages."""
    opened = open_packet(data)
    return Packet(digest=opened.digest, message=message(opened), sender=sender(opened))


def encode(key: PrivateKey, message: Message) -> bytes:
    """Return the packet that says `message`, signed with `key`; its first 32 bytes are its hash.

    Parameters
    ----------
    key : PrivateKey
        From `identity.signing_key`. Building one takes longer than signing, so keep it.
    message : Message
        What to say.

    Returns
    -------
    bytes
        At most 1280. Equal arguments give an equal packet.

    Raises
    ------
    ValueError
        If a field is out of range, or the packet would be too large.
    """
    kind, payload = discv4_payloads.encode(message)
    signed = bytes((kind,)) + payload
    body = identity.sign_recoverable(key, keccak256(signed)) + signed
    if SIGNATURE_AT + len(body) > MAX_SIZE:
        raise ValueError(f"packet must have at most {MAX_SIZE} bytes, got {SIGNATURE_AT + len(body)}")
    return keccak256(body) + body


def is_expired(expiration: int, now_unix: float) -> bool:
    """Return whether a message is void at `now_unix`, both in seconds since 1970.

    As geth does, the 64 bits are read with a sign: from 2**63 on they are a time before 1970.

    >>> is_expired(1136239445, 1136239445.0), is_expired(1136239445, 1136239446.0), is_expired(2**64 - 1, 0.0)
    (False, True, True)
    """
    return expiration >= 1 << 63 or expiration < now_unix
