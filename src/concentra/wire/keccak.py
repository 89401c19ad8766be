"""The hash of Ethereum: Keccak-256 as submitted to the SHA-3 contest, before NIST changed the padding."""

from __future__ import annotations

from sha3 import keccak_256


def keccak256(data: bytes) -> bytes:
    """Return the 32-byte Keccak-256 hash of `data`; `hashlib.sha3_256` is another function.

    >>> keccak256(b"").hex()
    'c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470'
    """
    digest: bytes = keccak_256(data).digest()
    return digest
