"""The handshake of discv5.1: how a challenge is answered, and how an answer is verified [1]_.

.. [1] https://github.com/ethereum/devp2p/blob/master/discv5/discv5-theory.md, "Handshake Steps"
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from coincurve import PrivateKey, PublicKey

from concentra.wire import discv5_crypto as crypto
from concentra.wire import identity
from concentra.wire.discv5_crypto import Seal
from concentra.wire.discv5_events import Refusal
from concentra.wire.discv5_packets import Handshake
from concentra.wire.enr import NodeRecord
from concentra.wire.errors import WireError


class HandshakeRefused(WireError):
    """A handshake does not hold."""

    def __init__(self, reason: Refusal, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Both directions of a session."""

    reading: Seal
    """Opens what the other side sends."""
    writing: Seal
    """Closes what we send."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the answer to a challenge says besides its message."""

    keys: Keys
    """For the message, and all that follow."""
    id_signature: bytes
    """r || s, 64 bytes."""
    ephemeral_key: bytes
    """Compressed, 33 bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What a handshake that holds has brought."""

    keys: Keys
    """For all that follows."""
    record: NodeRecord
    """The initiator's."""
    key: PublicKey
    """That of `record`."""
    message: bytes
    """Opened, not decoded."""


def answer(
    challenge_data: bytes,
    *,
    private_key: PrivateKey,
    node_id: bytes,
    recipient: bytes,
    recipient_key: PublicKey,
    ephemeral: bytes,
) -> Answer:
    """Return the answer of `node_id`, whose key is `private_key`, to a challenge.

    Parameters
    ----------
    challenge_data : bytes, 63
        Masking IV and unmasked header of the challenge.
    recipient, recipient_key : bytes (32) and PublicKey
        The node that sent it.
    ephemeral : bytes, 32
        A private key for this handshake alone.
    """
    ephemeral_key = PublicKey.from_secret(ephemeral).format(compressed=True)
    shared = crypto.session_keys(
        crypto.shared_secret(recipient_key, ephemeral),
        initiator=node_id,
        recipient=recipient,
        challenge_data=challenge_data,
    )
    signature = crypto.id_signature(
        private_key, challenge_data=challenge_data, ephemeral_key=ephemeral_key, recipient=recipient
    )
    keys = Keys(reading=Seal(shared.recipient), writing=Seal(shared.initiator))
    return Answer(keys=keys, id_signature=signature, ephemeral_key=ephemeral_key)


def accept(
    packet: Handshake,
    challenge_data: bytes,
    *,
    private_key: PrivateKey,
    node_id: bytes,
    read_record: Callable[[bytes], NodeRecord],
) -> Accepted:
    """Return what `packet` brings to `node_id`, which sent the challenge, after verifying all of it.

    Raises
    ------
    HandshakeRefused
        With the first thing that is wrong, in the order in which they cost more to find.
    """
    try:
        record = read_record(packet.record)
    except WireError as error:
        raise HandshakeRefused(Refusal.BAD_RECORD, str(error)) from error
    if record.node_id != packet.source:
        raise HandshakeRefused(Refusal.WRONG_IDENTITY, "record in the handshake is not that of its sender")
    key = identity.parse_key(record.public_key)
    if not crypto.is_id_signature(
        packet.id_signature,
        key,
        challenge_data=challenge_data,
        ephemeral_key=packet.ephemeral_key,
        recipient=node_id,
    ):
        raise HandshakeRefused(Refusal.BAD_SIGNATURE, "signature does not fit the handshake and its sender")
    try:
        ephemeral_key = identity.parse_key(packet.ephemeral_key)
    except WireError as error:
        raise HandshakeRefused(Refusal.BAD_KEY, str(error)) from error
    shared = crypto.session_keys(
        crypto.shared_secret(ephemeral_key, private_key.secret),
        initiator=packet.source,
        recipient=node_id,
        challenge_data=challenge_data,
    )
    keys = Keys(reading=Seal(shared.initiator), writing=Seal(shared.recipient))
    message = keys.reading.open(packet.nonce, packet.message, packet.header)
    if message is None:
        raise HandshakeRefused(
            Refusal.BAD_KEY, "message in the handshake is not under the keys that it leads to"
        )
    return Accepted(keys=keys, record=record, key=key, message=message)
