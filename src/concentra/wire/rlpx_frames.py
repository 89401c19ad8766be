"""RLPx frames [1]_: what goes over the wire once both sides have the same secrets.

A frame is ``header || header-mac || content || content-mac``. The header, 16 bytes, begins with the size
of the content in 3 bytes, which is then padded with zeros to whole blocks of 16. Header and content are
one stream of AES-256-CTR in each direction; the MACs, 16 bytes each, come from one running keccak state
in each direction, so that a frame left out, repeated or moved is noticed.

.. [1] https://github.com/ethereum/devp2p/blob/master/rlpx.md, "Framing" and "MAC"
"""

from __future__ import annotations

import hmac
from typing import Protocol

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR, ECB
from sha3 import keccak_256

from concentra.wire.ecies import NotAuthentic
from concentra.wire.errors import WireError
from concentra.wire.rlpx_handshake import Secrets

BLOCK = 16
MAC_SIZE = 16
HEADER_SIZE = BLOCK + MAC_SIZE
MAX_CONTENT_SIZE = 1 << 16  # the wire format has room for 16 MiB; what concentra waits for has 1 KiB

HEADER_DATA = bytes.fromhex("c28080")  # "header-data = [capability-id, context-id]", both always zero
ZERO_IV = bytes(BLOCK)  # the keys serve one connection only


class RunningHash(Protocol):
    """A hash that can be read while it goes on, as `hashlib` and `sha3` have them."""

    def update(self, data: bytes, /) -> None:
        """Take `data` in."""

    def digest(self) -> bytes:
        """Return the hash of all that was taken in, 32 bytes or more."""


class FrameMac:
    """The MAC of one direction."""

    def __init__(self, mac_secret: bytes, state: RunningHash) -> None:
        # One block at a time, as a permutation: ECB is what the specification means by "aes".
        self._cipher = Cipher(AES(mac_secret), ECB()).encryptor()  # noqa: S305
        self._state = state

    def of_header(self, ciphertext: bytes) -> bytes:
        """Return the MAC of an encrypted header, 16 bytes, and go on."""
        return self._mixed(ciphertext)

    def of_content(self, ciphertext: bytes) -> bytes:
        """Return the MAC of encrypted content, padding included, and go on."""
        self._state.update(ciphertext)
        return self._mixed(self._state.digest()[:BLOCK])

    def _mixed(self, seed: bytes) -> bytes:
        block = self._cipher.update(self._state.digest()[:BLOCK])
        mixed = int.from_bytes(block, "big") ^ int.from_bytes(seed, "big")
        self._state.update(mixed.to_bytes(BLOCK, "big"))
        return self._state.digest()[:MAC_SIZE]


class FrameWriter:
    """Makes frames of contents, in the order in which they are to be sent."""

    def __init__(self, aes_secret: bytes, mac: FrameMac) -> None:
        self._stream = Cipher(AES(aes_secret), CTR(ZERO_IV)).encryptor()
        self._mac = mac

    def frame(self, content: bytes) -> bytes:
        """Return the frame of `content`, at most `MAX_CONTENT_SIZE` bytes; a longer one is a `ValueError`."""
        if len(content) > MAX_CONTENT_SIZE:
            raise ValueError(f"frame has {len(content)} bytes, wanted at most {MAX_CONTENT_SIZE}")
        header = self._stream.update((len(content).to_bytes(3, "big") + HEADER_DATA).ljust(BLOCK, b"\0"))
        header_mac = self._mac.of_header(header)
        body = self._stream.update(content.ljust(padded(len(content)), b"\0"))
        return header + header_mac + body + self._mac.of_content(body)


class FrameReader:
    """Takes frames apart: first the header, then, once so many bytes have come, the rest."""

    def __init__(self, aes_secret: bytes, mac: FrameMac) -> None:
        self._stream = Cipher(AES(aes_secret), CTR(ZERO_IV)).decryptor()
        self._mac = mac

    def content_size(self, header: bytes) -> int:
        """Return how large the content is whose header, `HEADER_SIZE` bytes, is given.

        Raises
        ------
        NotAuthentic
            If its MAC does not fit.
        WireError
            If the content has more than `MAX_CONTENT_SIZE` bytes.
        """
        ciphertext, mac = header[:BLOCK], header[BLOCK:]
        if not hmac.compare_digest(mac, self._mac.of_header(ciphertext)):
            raise NotAuthentic("MAC of a frame header does not fit")
        size = int.from_bytes(self._stream.update(ciphertext)[:3], "big")
        if size > MAX_CONTENT_SIZE:
            raise WireError(f"frame has {size} bytes, wanted at most {MAX_CONTENT_SIZE}")
        return size

    def content(self, body: bytes, size: int) -> bytes:
        """Return the content of `size` bytes whose `body`, padding and MAC included, is given.

        Raises
        ------
        NotAuthentic
            If its MAC does not fit.
        """
        ciphertext, mac = body[:-MAC_SIZE], body[-MAC_SIZE:]
        if not hmac.compare_digest(mac, self._mac.of_content(ciphertext)):
            raise NotAuthentic("MAC of a frame does not fit")
        return self._stream.update(ciphertext)[:size]


def padded(size: int) -> int:
    """Return `size` rounded up to whole blocks.

    >>> padded(0), padded(1), padded(16), padded(17)
    (0, 16, 16, 32)
    """
    return -(-size // BLOCK) * BLOCK


def frame_codec(secrets: Secrets) -> tuple[FrameWriter, FrameReader]:
    """Return the two ends of a connection that one side holds."""
    egress, ingress = (
        FrameMac(secrets.mac, keccak_256(seed)) for seed in (secrets.egress_seed, secrets.ingress_seed)
    )
    return FrameWriter(secrets.aes, egress), FrameReader(secrets.aes, ingress)
