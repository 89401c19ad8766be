"""The "v4" identity scheme of EIP-778: a node is its secp256k1 key, its ID the hash of that key.

Inside concentra a public key is its 64 bytes x || y, as it stands in an enode URL and in discv4.
Node records and discv5 carry the compressed 33 bytes.
"""

from __future__ import annotations

from coincurve import PrivateKey, PublicKey

from concentra.wire.errors import WireError
from concentra.wire.keccak import keccak256

COMPRESSED_SIZE = 33
PUBLIC_KEY_SIZE = 64
PRIVATE_KEY_SIZE = 32
SIGNATURE_SIZE = 64
RECOVERABLE_SIZE = 65


def parse_key(data: bytes) -> PublicKey:
    """Return the public key that `data` holds, compressed (33 bytes) or as x || y (64 bytes).

    Raises
    ------
    WireError
        If `data` has another length or is not a point on the curve.
    """
    if len(data) == PUBLIC_KEY_SIZE:
        data = b"\x04" + data  # SEC 1, section 2.3.3: 04 announces both coordinates
    elif len(data) != COMPRESSED_SIZE:
        raise WireError(f"public key has {len(data)} bytes, wanted {COMPRESSED_SIZE} or {PUBLIC_KEY_SIZE}")
    try:
        return PublicKey(data)
    except ValueError as error:
        raise WireError("public key is not a point on secp256k1") from error


def coordinates(key: PublicKey) -> bytes:
    """Return x || y, 64 bytes, each zero-padded to 32."""
    return key.format(compressed=False)[1:]


def node_id(public_key: bytes) -> bytes:
    """Return the 32-byte node ID, keccak256(x || y), of a public key given as 64 bytes.

    Raises
    ------
    ValueError
        If `public_key` has another length, as a compressed key would.
    """
    if len(public_key) != PUBLIC_KEY_SIZE:
        raise ValueError(f"public key must have {PUBLIC_KEY_SIZE} bytes, got {len(public_key)}")
    return keccak256(public_key)


def is_signed_by(key: PublicKey, signature: bytes, content: bytes) -> bool:
    """Return whether `signature`, 64 bytes r || s, was made by `key` over keccak256 of `content`.

    Of the two values of s that would fit, only the lower counts, as in geth: otherwise a stranger
    could turn one signed record into two.
    """
    return is_digest_signed_by(key, signature, keccak256(content))


def is_digest_signed_by(key: PublicKey, signature: bytes, digest: bytes) -> bool:
    """Return whether `key` made `signature`, as in `is_signed_by`, over a digest of 32 bytes."""
    return key.verify(_der(signature), digest, hasher=None)


def sign(private_key: bytes, content: bytes) -> bytes:
    """Return r || s, 64 bytes, over keccak256 of `content`; equal arguments give equal signatures (RFC 6979).

    Raises
    ------
    ValueError
        If `private_key` does not have 32 bytes, or is zero or beyond the order of the curve.
    """
    recoverable = _private(private_key).sign_recoverable(keccak256(content), hasher=None)
    return recoverable[:SIGNATURE_SIZE]


def public_key_of(private_key: bytes) -> PublicKey:
    """Return the public key that belongs to a private key of 32 bytes; a bad one is a `ValueError`."""
    return _private(private_key).public_key


def sign_digest(private_key: bytes, digest: bytes) -> bytes:
    """Return r || s || v, 65 bytes, over a digest of 32 bytes; whoever has both can `recover` the public key.

    Raises
    ------
    ValueError
        If `digest` or `private_key` does not have 32 bytes, or the key is out of range.
    """
    signature: bytes = _private(private_key).sign_recoverable(digest, hasher=None)
    return signature


def signing_key(private_key: bytes) -> PrivateKey:
    """Return what `sign_recoverable` signs with; building it takes longer than a signature, so keep it.

    Raises
    ------
    ValueError
        If `private_key` does not have 32 bytes, or is zero or beyond the order of the curve.
    """
    return _private(private_key)


def sign_recoverable(key: PrivateKey, digest: bytes) -> bytes:
    """Return r || s || v, 65 bytes, over a digest of 32 bytes: `sign_digest` with a key that is kept."""
    signature: bytes = key.sign_recoverable(digest, hasher=None)
    return signature


def recover(signature: bytes, digest: bytes) -> PublicKey:
    """Return the one public key whose owner can have made `signature`, r || s || v, over `digest`.

    Raises
    ------
    WireError
        If `signature` does not have 65 bytes, or is of no key.
    """
    if len(signature) != RECOVERABLE_SIZE:
        raise WireError(f"signature has {len(signature)} bytes, wanted {RECOVERABLE_SIZE}")
    try:
        return PublicKey.from_signature_and_message(signature, digest, hasher=None)
    except ValueError as error:
        raise WireError("signature is of no key") from error


def shared_secret(private_key: bytes, key: PublicKey) -> bytes:
    """Return the x coordinate of the product, 32 bytes, which the owner of either key can compute.

    It is the bare coordinate of SEC 1, section 3.3.1; coincurve's own `ecdh` hashes the point.
    """
    return coordinates(key.multiply(private_key))[:32]


def _private(secret: bytes) -> PrivateKey:
    if len(secret) != PRIVATE_KEY_SIZE:  # coincurve would pad a shorter one
        raise ValueError(f"private key must have {PRIVATE_KEY_SIZE} bytes, got {len(secret)}")
    return PrivateKey(secret)


def _der(signature: bytes) -> bytes:
    """Return r || s in DER (RFC 3279, section 2.2.3), the form in which coincurve verifies."""
    r, s = (_der_integer(signature[at : at + 32]) for at in (0, 32))
    return bytes((0x30, len(r) + len(s))) + r + s


def _der_integer(value: bytes) -> bytes:
    # DER integers are signed: one more zero byte keeps a value with its top bit set positive.
    digits = value.lstrip(b"\0")
    if not digits or digits[0] >= 0x80:
        digits = b"\0" + digits
    return bytes((0x02, len(digits))) + digits
