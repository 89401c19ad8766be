"""Sessions of discv5.1: from a first packet that nobody can read to messages under common keys [1]_.

A node without keys for another sends random bytes, is challenged, and answers the challenge with a
handshake, which carries its message. `Sessions` plays both sides of that for one key of its own. It never
waits: datagrams, the time and randomness come in, and datagrams and events go out.

=======================================  ===========================================================
when this comes                          this follows
=======================================  ===========================================================
a message under keys that we have        `MessageReceived`
a message under other keys               a challenge goes back; `Unreadable`
another one while a challenge is open    the same challenge goes back; `Unreadable`
a challenge to a packet of ours          a handshake with that packet's message; `Challenged`
the same challenge once more             the same handshake, a few times; `Challenged`
any other challenge                      `Refused`
a handshake whose challenge is open      its keys are kept; `MessageReceived`
a handshake that does not hold, or late  `Refused`, and its challenge is void
anything else                            `Refused`
=======================================  ===========================================================

.. [1] https://github.com/ethereum/devp2p/blob/master/discv5/discv5-theory.md, "Sessions"
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from coincurve import PrivateKey, PublicKey

from concentra.wire import discv5_handshake as handshake
from concentra.wire import discv5_messages as messages
from concentra.wire import discv5_packets as packets
from concentra.wire import enr, identity
from concentra.wire.bounds import Allowance, TimedMap
from concentra.wire.discv5_crypto import MASKING_IV_SIZE, NONCE_SIZE, TAG_SIZE, Mask
from concentra.wire.discv5_events import (
    Challenged,
    Endpoint,
    Event,
    MessageReceived,
    Refusal,
    Refused,
    Unreadable,
)
from concentra.wire.discv5_handshake import Keys
from concentra.wire.discv5_link import Link
from concentra.wire.discv5_messages import FindNode, Message
from concentra.wire.discv5_packets import Handshake, Ordinary, Whoareyou
from concentra.wire.enr import NodeRecord
from concentra.wire.errors import WireError
from concentra.wire.record_cache import RecordCache

HANDSHAKE_TIMEOUT_S = 1.0  # discv5-wire, "UDP Communication": "1s for the handshake"

# What we sent is kept for a challenge to refer to: for one time-out here, one there, and the way.
SENT_MEMORY_S = 3.0

# An answer may come late; after this, the records in it are no longer read.
ANSWER_MEMORY_S = 5.0

# A handshake may get lost; geth repeats its challenge when the next packet comes, and then ours is repeated
# too. That costs us nothing, but whoever overheard the challenge could have it go on for ever.
MAX_REPETITIONS = 3

RANDOM_SIZE = 20  # of a message that nobody can read; as geth's

MAX_REQUEST_SIZE = (
    packets.MAX_SIZE
    - MASKING_IV_SIZE
    - packets.STATIC_SIZE
    - packets.HANDSHAKE_SIZE
    - enr.MAX_SIZE
    - TAG_SIZE
)
"""Bytes of an encoded request, so that it fits into a handshake with the largest record."""

_Place: TypeAlias = tuple[bytes, Endpoint]  # "session secrets … are tied to a specific UDP endpoint"


class Peer(Protocol):
    """Somebody to send to: a `NodeRecord`, an `Enode`, or whatever else knows a node's key."""

    @property
    def node_id(self) -> bytes:
        """keccak256 of `public_key`, 32 bytes."""
        ...

    @property
    def public_key(self) -> bytes:
        """The key as x || y, 64 bytes."""
        ...


@dataclass(slots=True)
class _Sent:
    """A packet of ours that may be answered with a challenge."""

    node_id: bytes
    endpoint: Endpoint
    key: PublicKey
    mask: Mask
    message: bytes
    challenge_data: bytes | None = None
    handshake: bytes = b""
    repetitions: int = 0


@dataclass(slots=True)
class _Asked:
    """A FINDNODE of ours, to which NODES may come."""

    records_left: int = messages.MAX_RECORDS


@dataclass(slots=True)
class _Challenge:
    """A challenge of ours that awaits its handshake."""

    data: bytes
    datagram: bytes


class Sessions:
    r"""All sessions of one node, those that it opens and those that others open with it.

    Parameters
    ----------
    private_key : bytes, 32
        Our own.
    record : NodeRecord
        Our own, signed by that key. Its sequence number is at least 1, since chainsafe ignores 0.
    random : callable
        Returns as many bytes as it is asked for, fit for keys.
    records : RecordCache, optional
        Where records are decoded; by default a new one.
    capacity : int, sessions
        Beyond these, the session that was unused for longest is forgotten. One takes about 7 KB.
    challenges_per_s : float
        At most so many challenges go out a second, since each may bring a handshake, which costs 0.1 ms.
        Strangers cannot push a session out before it was unused for ``capacity / challenges_per_s`` seconds.

    Raises
    ------
    ValueError
        If `record` is not of that key, or its sequence number is 0.

    Examples
    --------
    >>> from os import urandom
    >>> ours, theirs = bytes(31) + b"\x07", bytes(31) + b"\x09"
    >>> our_record, their_record = (enr.sign(secret, seq=1, pairs={}) for secret in (ours, theirs))
    >>> here, there = ("192.0.2.1", 9000), ("192.0.2.2", 9000)
    >>> we, they = Sessions(ours, our_record, random=urandom), Sessions(theirs, their_record, random=urandom)

    >>> random = we.request(their_record, there, messages.Ping(request_id=b"*", enr_seq=1), now=0.0)
    >>> _, challenge = they.received(random, here, now=0.1)
    >>> _, handshake = we.received(challenge, there, now=0.2)
    >>> event, _ = they.received(handshake, here, now=0.3)
    >>> event.message, event.record == our_record
    (Ping(request_id=b'*', enr_seq=1), True)
    """

    def __init__(
        self,
        private_key: bytes,
        record: NodeRecord,
        *,
        random: Callable[[int], bytes],
        records: RecordCache | None = None,
        capacity: int = 10_000,
        challenges_per_s: float = 500.0,
    ) -> None:
        self._public_key = identity.coordinates(identity.public_key_of(private_key))
        self._private_key = PrivateKey(private_key)
        self._node_id = identity.node_id(self._public_key)
        self.announce(record)
        self._mask = Mask(self._node_id)
        self._random = random
        self._records = RecordCache() if records is None else records
        self._capacity = capacity
        self._links: OrderedDict[_Place, Link] = OrderedDict()
        self._sent: TimedMap[bytes, _Sent] = TimedMap(lifetime_s=SENT_MEMORY_S, capacity=4 * capacity)
        self._asked: TimedMap[tuple[bytes, Endpoint, bytes], _Asked] = TimedMap(
            lifetime_s=ANSWER_MEMORY_S, capacity=4 * capacity
        )
        self._challenges: TimedMap[_Place, _Challenge] = TimedMap(
            lifetime_s=HANDSHAKE_TIMEOUT_S, capacity=capacity
        )
        self._allowance = Allowance(per_s=challenges_per_s)

    def __len__(self) -> int:
        """Return how many sessions there are."""
        return len(self._links)

    @property
    def record(self) -> NodeRecord:
        """Our own record, as handshakes send it."""
        return self._record

    def announce(self, record: NodeRecord) -> None:
        """Send `record` from now on; `ValueError` if it is not of our key, or its sequence number is 0."""
        if record.public_key != self._public_key:
            raise ValueError("record must be signed by the private key of the sessions")
        if record.seq < 1:
            raise ValueError(f"record must have a sequence number of at least 1, got {record.seq}")
        self._record = record
        self._encoded = enr.encode(record)

    def request(self, peer: Peer, endpoint: Endpoint, message: Message, *, now: float) -> bytes:
        """Return a datagram to send to `endpoint`, so that `message` comes to `peer`.

        Without a session it holds random bytes, and `message` follows in the handshake when the challenge
        comes. It is best to wait for the first answer before sending more: of several packets that cannot
        be read, only the one that is challenged gets through.

        Raises
        ------
        WireError
            If the peer's key is not on the curve. Those of a `NodeRecord` and an `Enode` are.
        ValueError
            If `message` is too long for a packet.
        """
        text = messages.encode(message)
        if len(text) > MAX_REQUEST_SIZE:
            raise ValueError(f"request has {len(text)} bytes, may have {MAX_REQUEST_SIZE}")
        node_id = peer.node_id
        link = self._link((node_id, endpoint))
        if link is None:
            key, mask = identity.parse_key(peer.public_key), Mask(node_id)
            drawn = self._random(MASKING_IV_SIZE + NONCE_SIZE + RANDOM_SIZE)
            masking_iv, nonce = drawn[:MASKING_IV_SIZE], drawn[MASKING_IV_SIZE:-RANDOM_SIZE]
            header = packets.ordinary_header(nonce, source=self._node_id)
            datagram = packets.pack(mask, masking_iv, header, drawn[-RANDOM_SIZE:])
        else:
            key, mask = link.key, link.mask
            nonce, datagram = link.ordinary(text, source=self._node_id, random=self._random)
        sent = _Sent(node_id=node_id, endpoint=endpoint, key=key, mask=mask, message=text)
        self._sent.put(nonce, sent, now=now)
        if isinstance(message, FindNode):
            self._asked.put((node_id, endpoint, message.request_id), _Asked(), now=now)
        return datagram

    def respond(self, node_id: bytes, endpoint: Endpoint, message: Message) -> bytes | None:
        """Return a datagram with `message` for a node that asked, None if there is no session with it.

        Raises
        ------
        ValueError
            If `message` is too long for a packet.
        """
        link = self._link((node_id, endpoint))
        if link is None:
            return None
        return link.ordinary(messages.encode(message), source=self._node_id, random=self._random)[1]

    def forget(self, node_id: bytes, endpoint: Endpoint) -> None:
        """Drop the session with a node at an endpoint, if there is one."""
        self._links.pop((node_id, endpoint), None)

    def received(self, data: bytes, source: Endpoint, *, now: float) -> tuple[Event, bytes | None]:
        """Return what a datagram from `source` means, and a datagram to send back there, if there is one.

        Parameters
        ----------
        data : bytes
            The datagram. It is untrusted; whatever it holds, nothing is raised.
        source : Endpoint
            Where it came from.
        now : float, seconds
            Monotonic time.

        Returns
        -------
        tuple of Event and (bytes or None)
            The answer to a request is not sent back by itself: `concentra.wire.discv5_answers` makes it,
            and `respond` puts it into a packet.
        """
        try:
            packet = packets.decode(data, self._mask)
        except WireError as error:
            return Refused(reason=Refusal.NOT_FOR_US, error=error, endpoint=source, node_id=None), None
        match packet:
            case Ordinary():
                return self._received_ordinary(packet, source, now)
            case Whoareyou():
                return self._received_challenge(packet, source, now)
            case Handshake():
                return self._received_handshake(packet, source, now), None

    def _received_ordinary(
        self, packet: Ordinary, source: Endpoint, now: float
    ) -> tuple[Event, bytes | None]:
        place = (packet.source, source)
        link = self._link(place)
        text = None if link is None else link.opened(packet, now=now)
        if link is None or text is None:
            challenge = self._challenge(place, packet.nonce, now)
            return Unreadable(node_id=packet.source, endpoint=source), challenge
        if link.opened_by is not None:
            self._sent.pop(link.opened_by, now=now)
            link.opened_by = None
        return self._message(place, text, record=None, now=now), None

    def _received_challenge(
        self, packet: Whoareyou, source: Endpoint, now: float
    ) -> tuple[Event, bytes | None]:
        sent = self._sent.get(packet.nonce, now=now)
        if sent is None or sent.endpoint != source:
            error = WireError("challenge refers to no packet that was sent to that endpoint lately")
            return _refused(Refusal.UNASKED_CHALLENGE, error, (None, source)), None
        if sent.challenge_data is None:
            sent.challenge_data = packet.challenge_data
            sent.handshake = self._handshake(packet, sent, now)
        elif sent.challenge_data != packet.challenge_data or sent.repetitions == MAX_REPETITIONS:
            error = WireError("challenge refers to a packet for which a handshake was sent already")
            return _refused(Refusal.UNASKED_CHALLENGE, error, (sent.node_id, source)), None
        else:
            sent.repetitions += 1
        return Challenged(node_id=sent.node_id, endpoint=source), sent.handshake

    def _received_handshake(self, packet: Handshake, source: Endpoint, now: float) -> Event:
        place = (packet.source, source)
        # Taking the challenge away leaves a stranger one attempt for each, which costs us two verifications.
        challenge = self._challenges.pop(place, now=now)
        if challenge is None:
            error = WireError("handshake answers no challenge that is open")
            return _refused(Refusal.UNASKED_HANDSHAKE, error, place)
        try:
            accepted = handshake.accept(
                packet,
                challenge.data,
                private_key=self._private_key,
                node_id=self._node_id,
                read_record=self._records.decode,
            )
        except handshake.HandshakeRefused as error:
            return _refused(error.reason, error, place)
        self._establish(place, accepted.keys, key=accepted.key, mask=None, now=now)
        return self._message(place, accepted.message, record=accepted.record, now=now)

    def _message(self, place: _Place, text: bytes, *, record: NodeRecord | None, now: float) -> Event:
        """Return the event of an opened message from `place`.

        Of an answer that nobody asked for, no record is read; of others, as many as an answer has. A node
        could otherwise keep us busy with verifying whatever it invents.
        """

        def budget(request_id: bytes, count: int) -> int:
            asked = self._asked.get((*place, request_id), now=now)
            if asked is None:
                return 0
            read = min(count, asked.records_left)
            asked.records_left -= read
            return read

        try:
            message = messages.decode(text, read_record=self._records.decode, budget=budget)
        except WireError as error:
            return _refused(Refusal.BAD_MESSAGE, error, place)
        return MessageReceived(node_id=place[0], endpoint=place[1], message=message, record=record)

    def _link(self, place: _Place) -> Link | None:
        """Return the session with a node at an endpoint, which has then been used."""
        link = self._links.get(place)
        if link is not None:
            self._links.move_to_end(place)
        return link

    def _establish(self, place: _Place, keys: Keys, *, key: PublicKey, mask: Mask | None, now: float) -> Link:
        """Use `keys` with `place` from now on."""
        link = self._link(place)
        if link is not None:
            link.renew(keys, now=now)
            return link
        link = self._links[place] = Link(keys, key=key, mask=mask or Mask(place[0]))
        if len(self._links) > self._capacity:
            self._links.popitem(last=False)
        return link

    def _handshake(self, challenge: Whoareyou, sent: _Sent, now: float) -> bytes:
        """Return the datagram that answers `challenge`, and use its keys from now on."""
        answer = handshake.answer(
            challenge.challenge_data,
            private_key=self._private_key,
            node_id=self._node_id,
            recipient=sent.node_id,
            recipient_key=sent.key,
            ephemeral=self._random(identity.PRIVATE_KEY_SIZE),
        )
        place = (sent.node_id, sent.endpoint)
        link = self._establish(place, answer.keys, key=sent.key, mask=sent.mask, now=now)
        link.opened_by = challenge.nonce
        masking_iv, nonce = link.drawn(self._random)
        header = packets.handshake_header(
            nonce,
            source=self._node_id,
            id_signature=answer.id_signature,
            ephemeral_key=answer.ephemeral_key,
            record=self._encoded if challenge.enr_seq < self._record.seq else b"",
        )
        sealed = answer.keys.writing.close(nonce, sent.message, masking_iv + header)
        return packets.pack(sent.mask, masking_iv, header, sealed)

    def _challenge(self, place: _Place, nonce: bytes, now: float) -> bytes | None:
        """Return the challenge that is open for `place`, or a new one; None if too many went out of late."""
        if not self._allowance.take(now=now):
            return None
        challenge = self._challenges.get(place, now=now)
        if challenge is None:
            drawn = self._random(MASKING_IV_SIZE + packets.ID_NONCE_SIZE)
            masking_iv, id_nonce = drawn[:MASKING_IV_SIZE], drawn[MASKING_IV_SIZE:]
            # 0 asks for the record every time: it costs the sender 200 bytes, and we get the newest one.
            header = packets.whoareyou_header(nonce, id_nonce=id_nonce, enr_seq=0)
            datagram = packets.pack(Mask(place[0]), masking_iv, header, b"")
            challenge = _Challenge(data=masking_iv + header, datagram=datagram)
            self._challenges.put(place, challenge, now=now)
        return challenge.datagram


def _refused(reason: Refusal, error: WireError, place: tuple[bytes | None, Endpoint]) -> Refused:
    return Refused(reason=reason, error=error, endpoint=place[1], node_id=place[0])
