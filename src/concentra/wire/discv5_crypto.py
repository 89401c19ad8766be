"""The cryptography of discv5.1: masks, key agreement, identity proofs, sealed messages.

Definitions are those of discv5-wire [1]_ and discv5-theory [2]_ for the "v4" identity scheme.

.. [1] https://github.com/ethereum/devp2p/blob/master/discv5/discv5-wire.md
.. [2] https://github.com/ethereum/devp2p/blob/master/discv5/discv5-theory.md
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from coincurve import PrivateKey, PublicKey
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from concentra.wire import identity

KEY_SIZE = 16  # AES-128
NONCE_SIZE = 12
TAG_SIZE = 16
MASKING_IV_SIZE = 16

KEY_AGREEMENT = b"discovery v5 key agreement"
IDENTITY_PROOF = b"discovery v5 identity proof"


class Mask:
    """The keystream under which the headers of all packets to one node are hidden.

    AES-128-CTR with the first half of the node ID as key. It keeps protocols apart and firewalls
    ignorant; whoever knows the node ID can lift it. The cipher is made once and started again for every
    packet, which takes a tenth of the time of making it.
    """

    __slots__ = ("_stream",)

    def __init__(self, node_id: bytes) -> None:
        key = algorithms.AES(node_id[:KEY_SIZE])
        self._stream = Cipher(key, modes.CTR(bytes(MASKING_IV_SIZE))).encryptor()

    def apply(self, masking_iv: bytes, data: bytes) -> bytes:
        """Return `data`, the beginning of a header, masked or unmasked: the two are the same."""
        self._stream.reset_nonce(masking_iv)
        return self._stream.update(data)

    def proceed(self, data: bytes) -> bytes:
        """Return `data`, which follows what was masked or unmasked last."""
        return self._stream.update(data)


class Seal:
    """One key of a session: it encrypts and authenticates messages in one direction (AES-128-GCM)."""

    __slots__ = ("_aead",)

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)

    def close(self, nonce: bytes, message: bytes, header: bytes) -> bytes:
        """Return `message` encrypted, and its tag, which covers `header` too; a nonce is used once only."""
        return self._aead.encrypt(nonce, message, header)

    def open(self, nonce: bytes, sealed: bytes, header: bytes) -> bytes | None:
        """Return the message, None if this key did not seal it under this nonce and header."""
        try:
            return self._aead.decrypt(nonce, sealed, header)
        except InvalidTag:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionKeys:
    """What both sides of a handshake derive, 16 bytes each."""

    initiator: bytes
    """Seals what the node sends that answered the challenge."""
    recipient: bytes
    """Seals what the challenger sends."""


def shared_secret(key: PublicKey, secret: bytes) -> bytes:
    """Return the product of a public and a private key, 33 bytes: the point, compressed.

    coincurve's own `ecdh` hashes the point and would agree with nobody.
    """
    return key.multiply(secret).format(compressed=True)


def session_keys(secret: bytes, *, initiator: bytes, recipient: bytes, challenge_data: bytes) -> SessionKeys:
    """Return the keys of a session.

    Parameters
    ----------
    secret : bytes, 33
        `shared_secret` of the initiator's ephemeral key and the recipient's static key.
    initiator, recipient : bytes, 32 each
        Node IDs. The recipient is the one who sent WHOAREYOU.
    challenge_data : bytes
        Masking IV and unmasked header of that WHOAREYOU.

    References
    ----------
    .. [1] discv5-theory, "Handshake Steps", step 3.
    """
    info = KEY_AGREEMENT + initiator + recipient
    keys = HKDF(SHA256(), 2 * KEY_SIZE, challenge_data, info).derive(secret)
    return SessionKeys(initiator=keys[:KEY_SIZE], recipient=keys[KEY_SIZE:])


def id_signature(key: PrivateKey, *, challenge_data: bytes, ephemeral_key: bytes, recipient: bytes) -> bytes:
    """Return r || s, 64 bytes, by which the initiator proves that the static key `key` is its own.

    `ephemeral_key` is the compressed one of the handshake, `recipient` the node ID of the challenger.
    """
    digest = _id_digest(challenge_data, ephemeral_key, recipient)
    return key.sign_recoverable(digest, hasher=None)[: identity.SIGNATURE_SIZE]


def is_id_signature(
    signature: bytes, key: PublicKey, *, challenge_data: bytes, ephemeral_key: bytes, recipient: bytes
) -> bool:
    """Return whether the owner of `key` made `signature`, 64 bytes, as `id_signature` does."""
    digest = _id_digest(challenge_data, ephemeral_key, recipient)
    return identity.is_digest_signed_by(key, signature, digest)


def _id_digest(challenge_data: bytes, ephemeral_key: bytes, recipient: bytes) -> bytes:
    return sha256(IDENTITY_PROOF + challenge_data + ephemeral_key + recipient).digest()
