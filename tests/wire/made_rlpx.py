"""Nodes to visit: the other side of a connection, which says whatever a test wants, and keys for both sides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import shake_128

from concentra.wire import devp2p, eth_status, identity
from concentra.wire.devp2p import DisconnectReason, Hello, Message, MessageId
from concentra.wire.eth_status import Status
from concentra.wire.rlpx_channel import RlpxChannel
from concentra.wire.rlpx_handshake import Random, Recipient

OURS, THEIRS, ANOTHER = (bytes(31) + bytes((n,)) for n in (7, 8, 9))
PUBLIC_KEY = identity.coordinates(identity.public_key_of(THEIRS))

HELLO = Hello(
    version=5,
    client="Made/v1.0.0/loopback",
    capabilities=(("eth", 68), ("eth", 69), ("snap", 1)),
    listen_port=30303,
    public_key=PUBLIC_KEY,
)
STATUS_68 = Status(
    version=68,
    network_id=1,
    genesis=b"\x01" * 32,
    fork_hash=b"\xfc\x64\xec\x04",
    fork_next=1_150_000,
    head=b"\x02" * 32,
    total_difficulty=2**76,
    earliest_block=None,
    latest_block=None,
)
STATUS_69 = Status(
    version=69,
    network_id=560048,
    genesis=b"\x01" * 32,
    fork_hash=b"\xfc\x64\xec\x04",
    fork_next=0,
    head=b"\x02" * 32,
    total_difficulty=None,
    earliest_block=15_537_394,
    latest_block=23_000_000,
)
HEAR_STATUS = Message(id=0x10, payload=eth_status.encode(STATUS_69))


def drawn(seed: str) -> Random:
    """Return a source of bytes that is the same in every run."""
    count = 0

    def random(size: int) -> bytes:
        nonlocal count
        count += 1
        return shake_128(f"{seed} {count}".encode()).digest(size)

    return random


def saying(hello: Hello = HELLO) -> Message:
    """Return the message that says `hello`."""
    return Message(id=MessageId.HELLO, payload=devp2p.encode_hello(hello))


def leaving(reason: DisconnectReason) -> Message:
    """Return the message that says good-bye."""
    return Message(id=MessageId.DISCONNECT, payload=devp2p.encode_disconnect(reason))


class Node:
    """Agrees on keys, says Hello and then `messages`, and keeps what it hears."""

    def __init__(
        self,
        messages: Iterable[Message] = (HEAR_STATUS,),
        *,
        first: Sequence[Message] = (saying(),),
        compresses: bool = True,
        private_key: bytes = THEIRS,
        random: Random | None = None,
    ) -> None:
        self._channel = RlpxChannel(Recipient(private_key, random or drawn("node")))
        self._first = first
        self._messages = messages
        self._compresses = compresses
        self.heard: list[Message] = []

    def answer(self, data: bytes) -> bytes:
        """Return what the node sends when `data` has arrived."""
        self._channel.receive(data)
        while (message := self._channel.next_message()) is not None:
            self.heard.append(message)
            if message.id == MessageId.HELLO:
                self._speak()
        return self._channel.bytes_to_send()

    def reason_heard(self) -> DisconnectReason:
        """Return why the visitor left; it must have said so last, and once."""
        (said,) = (message for message in self.heard if message.id == MessageId.DISCONNECT)
        assert said is self.heard[-1]
        return devp2p.decode_disconnect(said.payload)

    def _speak(self) -> None:
        for message in self._first:
            self._channel.send(message)
        self._channel.compresses = self._compresses
        for message in self._messages:
            self._channel.send(message)
