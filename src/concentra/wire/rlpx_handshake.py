"""The first two packets of an RLPx connection [1]_, auth and ack: from them both sides have the same secrets.

Each packet is sealed to the receiver's node key (`concentra.wire.ecies`) and holds the sender's share
of an ephemeral key agreement, so that who records a connection cannot read it later with the node keys.
They have the form of EIP-8 [2]_. The fixed form before it is no answer to an auth of EIP-8, and not read.

.. [1] https://github.com/ethereum/devp2p/blob/master/rlpx.md, "Initial Handshake"
.. [2] https://eips.ethereum.org/EIPS/eip-8
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from coincurve import PublicKey

from concentra.wire import ecies, identity, rlp
from concentra.wire.errors import WireError
from concentra.wire.keccak import keccak256
from concentra.wire.rlp_fields import bytes_of, fields_of

Random: TypeAlias = Callable[[int], bytes]
"""Returns that many random bytes, fit for keys."""

VERSION = 4
NONCE_SIZE = 32
PREFIX_SIZE = 2
MAX_PACKET_SIZE = 2048  # as geth's p2p/rlpx; the specification names no limit, its packets have about 500

MIN_PADDING = 100  # EIP-8: "pad auth-body with at least 100 bytes", a random amount more is recommended
PADDING_SPREAD = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Auth:
    """What the initiator said of itself."""

    public_key: bytes
    """Its node key, x || y, 64 bytes: proven, since the signature was made over a secret of that key."""
    ephemeral_key: PublicKey
    """Its share of the key agreement."""
    nonce: bytes
    """32 bytes."""
    version: int
    """As it says; EIP-8 wants mismatches ignored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """What the recipient answered."""

    ephemeral_key: PublicKey
    """Its share of the key agreement."""
    nonce: bytes
    """32 bytes."""
    version: int
    """As it says; EIP-8 wants mismatches ignored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """What one side encrypts and authenticates with; the other side has the two seeds exchanged."""

    aes: bytes
    """Key of both streams, 32 bytes."""
    mac: bytes
    """Key of the cipher inside the running MACs, 32 bytes."""
    egress_seed: bytes
    """What the MAC over the frames that we send begins with."""
    ingress_seed: bytes
    """What the MAC over the frames that we receive begins with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """The end of a handshake."""

    secrets: Secrets
    remote_key: bytes
    """Node key of the other side, x || y, 64 bytes."""
    reply: bytes
    """The packet that the other side still needs; empty for the initiator."""


class Initiator:
    """The side that dials: it knows the other's node key, sends `opening`, and waits for the ack."""

    def __init__(self, private_key: bytes, remote_key: bytes, random: Random) -> None:
        self._private_key = private_key
        self._remote_key = remote_key
        self._ephemeral_key = random(identity.PRIVATE_KEY_SIZE)
        self._nonce = random(NONCE_SIZE)
        self.opening = encode_auth(
            private_key, remote_key, ephemeral_key=self._ephemeral_key, nonce=self._nonce, random=random
        )

    def complete(self, packet: bytes) -> Agreement:
        """Return what follows from the other side's ack; a `WireError` if it is none."""
        ack = decode_ack(packet, self._private_key)
        secrets = derive_secrets(
            shared_secret=identity.shared_secret(self._ephemeral_key, ack.ephemeral_key),
            own_nonce=self._nonce,
            remote_nonce=ack.nonce,
            auth=self.opening,
            ack=packet,
            is_initiator=True,
        )
        return Agreement(secrets=secrets, remote_key=self._remote_key, reply=b"")


class Recipient:
    """The side that was dialled: it waits for an auth, and answers with an ack."""

    opening = b""

    def __init__(self, private_key: bytes, random: Random) -> None:
        self._private_key = private_key
        self._random = random

    def complete(self, packet: bytes) -> Agreement:
        """Return what follows from the other side's auth; a `WireError` if it is none."""
        auth = decode_auth(packet, self._private_key)
        ephemeral_key, nonce = self._random(identity.PRIVATE_KEY_SIZE), self._random(NONCE_SIZE)
        ack = encode_ack(auth.public_key, ephemeral_key=ephemeral_key, nonce=nonce, random=self._random)
        secrets = derive_secrets(
            shared_secret=identity.shared_secret(ephemeral_key, auth.ephemeral_key),
            own_nonce=nonce,
            remote_nonce=auth.nonce,
            auth=packet,
            ack=ack,
            is_initiator=False,
        )
        return Agreement(secrets=secrets, remote_key=auth.public_key, reply=ack)


def packet_size(prefix: bytes) -> int:
    """Return how many bytes the packet takes that begins with `prefix`, 2 bytes, those included.

    Raises
    ------
    WireError
        If that is more than `MAX_PACKET_SIZE`, or no sealed message is that small.

    Examples
    --------
    >>> packet_size(bytes.fromhex("01b3"))  # the first auth of EIP-8
    437
    >>> packet_size(b"SSH-2.0"[:2])
    Traceback (most recent call last):
    concentra.wire.errors.WireError: handshake packet has 21333 bytes, wanted 115 to 2048
    """
    size = PREFIX_SIZE + int.from_bytes(prefix, "big")
    smallest = PREFIX_SIZE + ecies.OVERHEAD
    if not smallest <= size <= MAX_PACKET_SIZE:
        raise WireError(f"handshake packet has {size} bytes, wanted {smallest} to {MAX_PACKET_SIZE}")
    return size


def encode_auth(
    private_key: bytes, remote_key: bytes, *, ephemeral_key: bytes, nonce: bytes, random: Random
) -> bytes:
    """Return the packet with which the owner of `private_key` opens a connection to that of `remote_key`.

    Parameters
    ----------
    private_key : bytes, 32
        Our node key.
    remote_key : bytes, 64
        Their public node key, x || y.
    ephemeral_key : bytes, 32
        A private key, random, for this connection only.
    nonce : bytes, 32
        Random.
    random : callable
        For the padding and the seal.

    Raises
    ------
    WireError
        If `remote_key` is no key.
    ValueError
        If one of ours is out of range.
    """
    token = identity.shared_secret(private_key, identity.parse_key(remote_key))
    signature = identity.sign_digest(ephemeral_key, _xor(token, nonce))
    own = identity.coordinates(identity.public_key_of(private_key))
    return _packet(rlp.encode([signature, own, nonce, bytes((VERSION,))]), remote_key, random)


def decode_auth(packet: bytes, private_key: bytes) -> Auth:
    """Return what `packet` says to the owner of `private_key`, its signature checked; it is untrusted.

    Raises
    ------
    NotAuthentic
        If it was made for another node.
    WireError
        If it is no auth packet.
    """
    signature, key, nonce, version = fields_of(_body(packet, private_key), 4, what="auth")
    public_key = bytes_of(key, identity.PUBLIC_KEY_SIZE, what="node key in auth")
    nonce = bytes_of(nonce, NONCE_SIZE, what="nonce in auth")
    token = identity.shared_secret(private_key, identity.parse_key(public_key))
    signature = bytes_of(signature, identity.RECOVERABLE_SIZE, what="signature in auth")
    return Auth(
        public_key=public_key,
        ephemeral_key=identity.recover(signature, _xor(token, nonce)),
        nonce=nonce,
        version=rlp.uint_from_item(version, what="version of auth"),
    )


def encode_ack(remote_key: bytes, *, ephemeral_key: bytes, nonce: bytes, random: Random) -> bytes:
    """Return the packet that answers an auth; the arguments are as for `encode_auth`."""
    own = identity.coordinates(identity.public_key_of(ephemeral_key))
    return _packet(rlp.encode([own, nonce, bytes((VERSION,))]), remote_key, random)


def decode_ack(packet: bytes, private_key: bytes) -> Ack:
    """Return what `packet` says to the owner of `private_key`; it is untrusted.

    Raises
    ------
    NotAuthentic
        If it was made for another node.
    WireError
        If it is no ack packet.
    """
    key, nonce, version = fields_of(_body(packet, private_key), 3, what="ack")
    return Ack(
        ephemeral_key=identity.parse_key(bytes_of(key, identity.PUBLIC_KEY_SIZE, what="key in ack")),
        nonce=bytes_of(nonce, NONCE_SIZE, what="nonce in ack"),
        version=rlp.uint_from_item(version, what="version of ack"),
    )


def derive_secrets(
    *,
    shared_secret: bytes,
    own_nonce: bytes,
    remote_nonce: bytes,
    auth: bytes,
    ack: bytes,
    is_initiator: bool,
) -> Secrets:
    """Return the secrets of one side; `auth` and `ack` are the packets as they went over the wire.

    `shared_secret` is that of the two ephemeral keys.
    """
    auth_nonce, ack_nonce = (own_nonce, remote_nonce) if is_initiator else (remote_nonce, own_nonce)
    base = keccak256(shared_secret + keccak256(ack_nonce + auth_nonce))
    aes = keccak256(shared_secret + base)
    mac = keccak256(shared_secret + aes)
    sent, received = (auth, ack) if is_initiator else (ack, auth)
    return Secrets(
        aes=aes,
        mac=mac,
        egress_seed=_xor(mac, remote_nonce) + sent,
        ingress_seed=_xor(mac, own_nonce) + received,
    )


def _packet(body: bytes, remote_key: bytes, random: Random) -> bytes:
    """Return `body` padded and sealed, behind its size."""
    body += random(MIN_PADDING + random(1)[0] % PADDING_SPREAD)
    prefix = (len(body) + ecies.OVERHEAD).to_bytes(PREFIX_SIZE, "big")
    ephemeral_key, iv = random(identity.PRIVATE_KEY_SIZE), random(ecies.IV_SIZE)
    return prefix + ecies.seal(body, remote_key, ephemeral_key=ephemeral_key, iv=iv, shared_data=prefix)


def _body(packet: bytes, private_key: bytes) -> rlp.Item:
    """Return the item that `packet` holds; what pads it is ignored, as EIP-8 wants."""
    prefix = packet[:PREFIX_SIZE]
    if packet_size(prefix) != len(packet):
        raise WireError(f"handshake packet has {len(packet)} bytes, wanted {packet_size(prefix)}")
    item, _ = rlp.decode_prefix(ecies.unseal(packet[PREFIX_SIZE:], private_key, shared_data=prefix))
    return item


def _xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(len(left), "big")
