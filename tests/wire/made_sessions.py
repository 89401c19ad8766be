"""Two discv5 nodes that tests let talk, without a wire."""

from random import Random

from concentra.wire import enr
from concentra.wire.discv5_events import Endpoint, Event, MessageReceived, Refusal, Refused
from concentra.wire.discv5_messages import Message, Ping
from concentra.wire.discv5_session import Sessions
from concentra.wire.enr import NodeRecord
from concentra.wire.record_cache import RecordCache

HERE: Endpoint = ("192.0.2.1", 9000)
THERE: Endpoint = ("192.0.2.2", 9001)
ELSEWHERE: Endpoint = ("198.51.100.3", 9002)

OUR_SECRET, THEIR_SECRET, THIRD_SECRET = (bytes(31) + bytes((number,)) for number in (7, 9, 11))
US = enr.sign(OUR_SECRET, seq=3, pairs={b"ip": b"\xc0\x00\x02\x01", b"udp": b"\x23\x28"})
THEM = enr.sign(THEIR_SECRET, seq=5, pairs={b"ip": b"\xc0\x00\x02\x02", b"udp": b"\x23\x29"})
THIRD = enr.sign(THIRD_SECRET, seq=1, pairs={})

PING = Ping(request_id=b"\x01ping", enr_seq=3)


def node(
    secret: bytes, record: NodeRecord, *, capacity: int = 100, challenges_per_s: float = 100.0
) -> Sessions:
    """Return the sessions of one node, whose randomness is that of a seed."""
    return Sessions(
        secret,
        record,
        random=Random(secret).randbytes,
        records=RecordCache(capacity=100),
        capacity=capacity,
        challenges_per_s=challenges_per_s,
    )


def pair() -> tuple[Sessions, Sessions]:
    """Return us and them, who do not know each other yet."""
    return node(OUR_SECRET, US), node(THEIR_SECRET, THEM)


def challenged(we: Sessions, they: Sessions, message: Message = PING, *, now: float = 0.0) -> bytes:
    """Return the challenge with which they answer a request of ours."""
    _, challenge = they.received(we.request(THEM, THERE, message, now=now), HERE, now=now)
    assert challenge is not None
    return challenge


def shaken(we: Sessions, they: Sessions, message: Message = PING, *, now: float = 0.0) -> bytes:
    """Return the handshake with which we answer their challenge to a request of ours."""
    _, handshake = we.received(challenged(we, they, message, now=now), THERE, now=now)
    assert handshake is not None
    return handshake


def joined() -> tuple[Sessions, Sessions]:
    """Return us and them with a session that we opened, and that both know to be good."""
    we, they = pair()
    event, _ = they.received(shaken(we, they), HERE, now=0.0)
    assert isinstance(event, MessageReceived)
    back = they.respond(US.node_id, HERE, Ping(request_id=b"back", enr_seq=5))
    assert back is not None
    event, _ = we.received(back, THERE, now=0.0)
    assert isinstance(event, MessageReceived)
    return we, they


def refusal(sessions: Sessions, data: bytes, source: Endpoint, *, now: float = 0.0) -> Refusal:
    """Return why `sessions` refuse a datagram; they send nothing back."""
    event, back = sessions.received(data, source, now=now)
    assert isinstance(event, Refused)
    assert event.endpoint == source
    assert back is None
    return event.reason


def message_of(event: Event) -> Message:
    """Return the message that was received."""
    assert isinstance(event, MessageReceived)
    return event.message


def ours(event: Event) -> MessageReceived:
    """Return a message that they received from us."""
    assert isinstance(event, MessageReceived)
    assert (event.node_id, event.endpoint) == (US.node_id, HERE)
    return event
