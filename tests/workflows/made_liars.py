"""A network without sockets: one peer, which tells of nodes where nobody may be asked, and sends from there."""

from __future__ import annotations

import asyncio
import ipaddress
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from itertools import count

from concentra.adapters.udp import DatagramMachine
from concentra.wire import discv4, enr, identity
from concentra.wire.discv4_messages import (
    Endpoint,
    EnrRequest,
    EnrResponse,
    FindNode,
    Message,
    Neighbor,
    Neighbors,
    Ping,
    Pong,
)
from concentra.wire.discv5_events import MessageReceived
from concentra.wire.discv5_messages import FindNode as FindNode5
from concentra.wire.discv5_messages import Message as Message5
from concentra.wire.discv5_messages import Nodes
from concentra.wire.discv5_messages import Ping as Ping5
from concentra.wire.discv5_messages import Pong as Pong5
from concentra.wire.discv5_session import Sessions
from concentra.wire.kademlia import log_distance

Place = tuple[str, int]
PORT = 30303
FARTHEST = 256
SECRET = bytes(31) + b"\x09"


def node_id_of(secret: bytes) -> bytes:
    return identity.node_id(identity.coordinates(identity.public_key_of(secret)))


def address_pairs(address: str) -> dict[bytes, bytes]:
    """Return what a record says of a node at an address: that its TCP port is open there, too."""
    parsed = ipaddress.ip_address(address)
    suffix, port = (b"", PORT.to_bytes(2, "big")) if parsed.version == 4 else (b"6", PORT.to_bytes(2, "big"))
    return {b"ip" + suffix: parsed.packed, b"udp" + suffix: port, b"tcp" + suffix: port}


class Liar(ABC):
    """A peer at an address that may be asked, which tells of nodes at `elsewhere`."""

    def __init__(self, address: str, elsewhere: Sequence[str]) -> None:
        self.place: Place = (address, PORT)
        self.elsewhere = elsewhere
        self.told = False
        """Whether anybody asked for its table."""
        self.record = enr.sign(SECRET, seq=1, pairs=address_pairs(address))

    @abstractmethod
    def answers(self, data: bytes, sender: Place, now: float) -> Iterator[tuple[bytes, Place]]:
        """Yield what comes back, and from where it seems to come."""


class Liar4(Liar):
    """It speaks discv4; its own record says that it is at the first address of `elsewhere`."""

    def answers(self, data: bytes, sender: Place, now: float) -> Iterator[tuple[bytes, Place]]:
        packet, until = discv4.decode(data), int(now) + 20
        here = Endpoint(ip=ipaddress.ip_address(self.place[0]).packed, udp=PORT)
        ping = Ping(sender=here, recipient=Endpoint(), expiration=until)
        match packet.message:
            case Ping():
                yield self._says(Pong(recipient=Endpoint(), ping_hash=packet.digest, expiration=until))
                yield self._says(ping)
                for address in self.elsewhere:  # as if they were there: whoever answers, sends to a victim
                    yield discv4.encode(identity.signing_key(SECRET), ping), (address, PORT)
            case FindNode():
                self.told = True
                keys = [
                    identity.coordinates(identity.public_key_of((50 + number).to_bytes(32, "big")))
                    for number in range(len(self.elsewhere))
                ]
                nodes = [
                    Neighbor(ipaddress.ip_address(address).packed, PORT, PORT, key)
                    for address, key in zip(self.elsewhere, keys, strict=True)
                ]
                for first in range(0, len(nodes), 8):
                    yield self._says(Neighbors(nodes=tuple(nodes[first : first + 8]), expiration=until))
            case EnrRequest():
                moved = enr.sign(SECRET, seq=2, pairs=address_pairs(self.elsewhere[0]))
                yield self._says(EnrResponse(request_hash=packet.digest, record=enr.encode(moved)))
            case _:
                pass

    def _says(self, message: Message) -> tuple[bytes, Place]:
        return discv4.encode(identity.signing_key(SECRET), message), self.place


class Liar5(Liar):
    """It speaks discv5; the records that it tells of are signed by their nodes."""

    def __init__(self, address: str, elsewhere: Sequence[str]) -> None:
        super().__init__(address, elsewhere)
        self._sessions = Sessions(SECRET, self.record, random=os.urandom)
        farthest = (
            secret
            for secret in (number.to_bytes(32, "big") for number in count(50))
            if log_distance(self.record.node_id, node_id_of(secret)) == FARTHEST
        )
        self._lies = [
            enr.sign(secret, seq=1, pairs=address_pairs(address))
            for address, secret in zip(elsewhere, farthest, strict=False)
        ]

    def answers(self, data: bytes, sender: Place, now: float) -> Iterator[tuple[bytes, Place]]:
        event, back = self._sessions.received(data, sender, now=now)
        if back is not None:
            yield back, self.place
            for address in self.elsewhere:
                yield os.urandom(80), (address, PORT)
        if isinstance(event, MessageReceived):
            for message in self._said(event.message, sender):
                answer = self._sessions.respond(event.node_id, sender, message)
                if answer is not None:
                    yield answer, self.place

    def _said(self, question: Message5, sender: Place) -> Iterator[Message5]:
        match question:
            case Ping5():
                there = ipaddress.ip_address(sender[0])
                yield Pong5(request_id=question.request_id, enr_seq=1, address=there, port=sender[1])
            case FindNode5():
                records = [self.record] if 0 in question.distances else []
                if FARTHEST in question.distances:
                    self.told = True
                    records += self._lies
                parts = [tuple(records[first : first + 3]) for first in range(0, len(records), 3)] or [()]
                for part in parts:
                    yield Nodes(request_id=question.request_id, total=len(parts), records=part)
            case _:
                pass


class Carried:
    """A transport that has no sockets, and knows where everything went."""

    port = PORT

    def __init__(self, liar: Liar) -> None:
        self._liar = liar
        self.destinations: set[Place] = set()
        self.is_closed = False

    dropped = 0

    def close(self) -> None:
        self.is_closed = True

    async def run(
        self, machine: DatagramMachine, clock: Callable[[], float], *, stop: Callable[[], bool]
    ) -> None:
        ours = ("9.9.9.9", PORT)
        while not stop() and not machine.is_done():
            machine.advance(clock())
            while machine.outbox:
                outbox, machine.outbox = machine.outbox, []
                for data, place in outbox:
                    self.destinations.add(place)
                    answers = self._liar.answers(data, ours, clock()) if place == self._liar.place else ()
                    for answer, seeming in answers:
                        machine.received(answer, seeming, clock())
            await asyncio.sleep(0.001)
