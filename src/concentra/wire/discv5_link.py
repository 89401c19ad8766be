"""The keys that two nodes of discv5.1 share, at one endpoint, and the packets made with them."""

from __future__ import annotations

from collections.abc import Callable

from coincurve import PublicKey

from concentra.wire import discv5_packets as packets
from concentra.wire.discv5_crypto import MASKING_IV_SIZE, NONCE_SIZE, Mask
from concentra.wire.discv5_handshake import Keys
from concentra.wire.discv5_packets import Ordinary

# Both sides may open a session at once; each then has two sets of keys, and the newer one need not be the
# same at both ends. The former one serves on for as long as its messages may be under way.
FORMER_KEYS_S = 1.0

COUNT_SIZE = 4  # of a nonce; the rest is random (discv5-theory, "Session Cache")


class Link:
    """A session with one node at one endpoint: its keys, and those before them for a second.

    Parameters
    ----------
    keys : Keys
        From the first handshake.
    key : PublicKey
        The other node's own.
    mask : Mask
        Of the other node's ID.
    """

    __slots__ = ("_former", "_former_until", "_sent", "key", "keys", "mask", "opened_by")

    def __init__(self, keys: Keys, *, key: PublicKey, mask: Mask) -> None:
        self.keys = keys
        self.key = key
        self.mask = mask
        self.opened_by: bytes | None = None
        """Nonce of our packet whose challenge led to `keys`, until the other side is seen to have them."""
        self._former: Keys | None = None
        self._former_until = 0.0
        self._sent = 0

    def renew(self, keys: Keys, *, now: float) -> None:
        """Use `keys` from now on; what comes under the present ones is read for a second yet."""
        self._former, self._former_until = self.keys, now + FORMER_KEYS_S
        self.keys, self.opened_by = keys, None

    def opened(self, packet: Ordinary, *, now: float) -> bytes | None:
        """Return the message in `packet`, None if it is not under our keys.

        Whichever keys it is under are used for writing from now on: the other side has those for certain.
        """
        message = self.keys.reading.open(packet.nonce, packet.message, packet.header)
        if message is not None or self._former is None:
            return message
        if self._former_until <= now:
            self._former = None
            return None
        message = self._former.reading.open(packet.nonce, packet.message, packet.header)
        if message is not None:
            self.keys, self._former, self.opened_by = self._former, self.keys, None
        return message

    def ordinary(
        self, message: bytes, *, source: bytes, random: Callable[[int], bytes]
    ) -> tuple[bytes, bytes]:
        """Return the nonce and the datagram of an ordinary packet from the node ID `source`."""
        masking_iv, nonce = self.drawn(random)
        header = packets.ordinary_header(nonce, source=source)
        sealed = self.keys.writing.close(nonce, message, masking_iv + header)
        return nonce, packets.pack(self.mask, masking_iv, header, sealed)

    def drawn(self, random: Callable[[int], bytes]) -> tuple[bytes, bytes]:
        """Return a masking IV, and a nonce that no other message under our keys has."""
        self._sent += 1
        fresh = random(MASKING_IV_SIZE + NONCE_SIZE - COUNT_SIZE)
        count = (self._sent % (1 << 8 * COUNT_SIZE)).to_bytes(COUNT_SIZE, "big")
        return fresh[:MASKING_IV_SIZE], count + fresh[MASKING_IV_SIZE:]
