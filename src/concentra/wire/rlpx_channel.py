"""One RLPx connection as a machine: bytes in, messages out, and the other way round; it never waits.

First the two sides agree on keys, then they exchange messages in frames. Both sides are here, so that two
of these machines can talk to each other.
"""

from __future__ import annotations

from concentra.wire import devp2p
from concentra.wire.devp2p import Message
from concentra.wire.rlpx_frames import HEADER_SIZE, MAC_SIZE, FrameReader, FrameWriter, frame_codec, padded
from concentra.wire.rlpx_handshake import PREFIX_SIZE, Initiator, Recipient, packet_size


class RlpxChannel:
    """What both sides of a connection do alike.

    What `receive` was given is taken apart by `next_message`, one message at a time, since a Hello
    changes how the next message is to be read, and since what came before a damaged frame counts.
    """

    def __init__(self, side: Initiator | Recipient) -> None:
        self._side = side
        self._received = bytearray()
        self._to_send = bytearray(side.opening)
        self._waiting: list[Message] = []
        self._writer: FrameWriter | None = None
        self._reader: FrameReader | None = None
        self._content_size: int | None = None
        self.remote_key: bytes | None = None
        """Node key of the other side, x || y, 64 bytes; None until it has proven that it holds it."""
        self.compresses = False
        """Whether messages are compressed from now on, in both directions."""

    def receive(self, data: bytes) -> None:
        """Take what arrived, untrusted; the caller bounds how much that may be in all."""
        self._received += data

    def next_message(self) -> Message | None:
        """Return the next message, None if it has not arrived whole.

        Raises
        ------
        NotAuthentic
            If a tag does not fit: the other side holds another key, or the bytes were changed.
        WireError
            If what arrived is not RLPx. Nothing can be received after either.
        """
        if self._reader is None:
            self._agree_on_keys()
        if self._reader is None:
            return None
        if self._content_size is None:
            header = self._take(HEADER_SIZE)
            if header is None:
                return None
            self._content_size = self._reader.content_size(header)
        body = self._take(padded(self._content_size) + MAC_SIZE)
        if body is None:
            return None
        content = self._reader.content(body, self._content_size)
        self._content_size = None
        return devp2p.decode_message(content, compressed=self.compresses)

    def send(self, message: Message) -> None:
        """Have `message` sent, once there are keys to send it with."""
        if self._writer is None:
            self._waiting.append(message)
        else:
            self._to_send += self._writer.frame(devp2p.encode_message(message, compressed=self.compresses))

    def bytes_to_send(self) -> bytes:
        """Return what is to be sent now, and forget it."""
        data = bytes(self._to_send)
        self._to_send.clear()
        return data

    def _agree_on_keys(self) -> None:
        if len(self._received) < PREFIX_SIZE:
            return
        packet = self._take(packet_size(bytes(self._received[:PREFIX_SIZE])))
        if packet is None:
            return
        agreement = self._side.complete(packet)
        self._to_send += agreement.reply
        self.remote_key = agreement.remote_key
        self._writer, self._reader = frame_codec(agreement.secrets)
        for message in self._waiting:
            self.send(message)

    def _take(self, size: int) -> bytes | None:
        """Return the next `size` bytes that arrived, None if they have not all come."""
        if len(self._received) < size:
            return None
        data = bytes(self._received[:size])
        del self._received[:size]
        return data
