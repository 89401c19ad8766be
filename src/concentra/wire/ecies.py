"""ECIES, as RLPx has it [1]_: what is sealed to a public key is opened by its private key alone.

A sealed message is ``R || iv || c || d``: an ephemeral public key, 65 bytes with the 04 of SEC 1, that
agrees on a secret with the recipient's key; 16 bytes of initialisation vector; the message under
AES-128-CTR; and 32 bytes of HMAC-SHA256 over iv, c and whatever else both sides know.

.. [1] https://github.com/ethereum/devp2p/blob/master/rlpx.md, "ECIES Encryption"
"""

from __future__ import annotations

import hmac
from hashlib import sha256

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from concentra.wire import identity
from concentra.wire.errors import WireError

IV_SIZE = 16
TAG_SIZE = 32
POINT_SIZE = 1 + identity.PUBLIC_KEY_SIZE
OVERHEAD = POINT_SIZE + IV_SIZE + TAG_SIZE  # by so much a sealed message is longer, 113 bytes

UNCOMPRESSED = b"\x04"  # SEC 1, section 2.3.3
FIRST_BLOCK = b"\0\0\0\x01"  # NIST SP 800-56A, section 5.8.1: the counter of the key derivation begins at 1


class NotAuthentic(WireError):
    """A tag does not fit: the bytes were changed, or whoever made them holds other keys than we think."""


def seal(
    message: bytes, public_key: bytes, *, ephemeral_key: bytes, iv: bytes, shared_data: bytes = b""
) -> bytes:
    r"""Return `message` so that only the owner of `public_key` can read it.

    Parameters
    ----------
    message : bytes
        Of any length.
    public_key : bytes, 64
        The recipient's, x || y.
    ephemeral_key : bytes, 32
        A private key, random, for this message only.
    iv : bytes, 16
        Random.
    shared_data : bytes
        What `unseal` must be given too; it is not part of the result.

    Returns
    -------
    bytes
        `OVERHEAD` longer than `message`.

    Raises
    ------
    WireError
        If `public_key` is no key.
    ValueError
        If `ephemeral_key` or `iv` has another length, or the key is out of range.

    Examples
    --------
    >>> recipient, ephemeral = bytes(31) + b"\x07", bytes(31) + b"\x08"
    >>> public_key = identity.coordinates(identity.public_key_of(recipient))
    >>> sealed = seal(b"hello", public_key, ephemeral_key=ephemeral, iv=bytes(16), shared_data=b"size")
    >>> unseal(sealed, recipient, shared_data=b"size")
    b'hello'
    >>> unseal(sealed, recipient, shared_data=b"sizf")
    Traceback (most recent call last):
    concentra.wire.ecies.NotAuthentic: tag of a sealed message does not fit
    """
    own = identity.public_key_of(ephemeral_key)
    secret = identity.shared_secret(ephemeral_key, identity.parse_key(public_key))
    cipher_key, mac_key = _keys(secret)
    encrypted = iv + Cipher(AES(cipher_key), CTR(iv)).encryptor().update(message)
    return UNCOMPRESSED + identity.coordinates(own) + encrypted + _tag(mac_key, encrypted + shared_data)


def unseal(sealed: bytes, private_key: bytes, *, shared_data: bytes = b"") -> bytes:
    """Return the message that was sealed to the owner of `private_key`; `sealed` is untrusted.

    Raises
    ------
    NotAuthentic
        If it was sealed to another key, with other `shared_data`, or has changed since.
    WireError
        If it does not have the form of a sealed message.
    """
    if len(sealed) < OVERHEAD:
        raise WireError(f"sealed message has {len(sealed)} bytes, wanted at least {OVERHEAD}")
    if sealed[:1] != UNCOMPRESSED:
        raise WireError(f"sealed message begins with {sealed[:1].hex()}, wanted {UNCOMPRESSED.hex()}")
    secret = identity.shared_secret(private_key, identity.parse_key(sealed[1:POINT_SIZE]))
    cipher_key, mac_key = _keys(secret)
    encrypted = sealed[POINT_SIZE:-TAG_SIZE]
    if not hmac.compare_digest(sealed[-TAG_SIZE:], _tag(mac_key, encrypted + shared_data)):
        raise NotAuthentic("tag of a sealed message does not fit")
    iv, ciphertext = encrypted[:IV_SIZE], encrypted[IV_SIZE:]
    return Cipher(AES(cipher_key), CTR(iv)).decryptor().update(ciphertext)


def _keys(secret: bytes) -> tuple[bytes, bytes]:
    """Return the keys of the cipher and of the tag, one block of the concatenation key derivation."""
    derived = sha256(FIRST_BLOCK + secret).digest()
    return derived[:16], sha256(derived[16:]).digest()


def _tag(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")
