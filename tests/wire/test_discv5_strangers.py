from collections.abc import Callable, Sequence
from random import Random

import pytest
from coincurve import PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from tests.wire.made_sessions import (
    ELSEWHERE,
    HERE,
    OUR_SECRET,
    PING,
    THEIR_SECRET,
    THEM,
    THERE,
    THIRD,
    THIRD_SECRET,
    US,
    challenged,
    joined,
    message_of,
    node,
    ours,
    pair,
    refusal,
    shaken,
)

from concentra.wire import discv5_handshake as handshake
from concentra.wire import discv5_packets as packets
from concentra.wire import discv5_session as session
from concentra.wire import enr
from concentra.wire.discv5_crypto import Mask
from concentra.wire.discv5_events import (
    Challenged,
    Endpoint,
    MessageReceived,
    Refusal,
    Refused,
    Unreadable,
)
from concentra.wire.discv5_messages import FindNode, Nodes
from concentra.wire.discv5_packets import Whoareyou
from concentra.wire.discv5_session import Sessions
from concentra.wire.enr import NodeRecord

FIND = FindNode(request_id=b"\x01find", distances=(256,))


# Bounds


def test_the_session_unused_for_longest_is_forgotten_first() -> None:
    they = node(THEIR_SECRET, THEM, capacity=2)
    secrets = [bytes(31) + bytes((number,)) for number in (21, 22, 23)]
    places = [("192.0.2.9", port) for port in (1, 2, 3)]
    strangers = [node(secret, enr.sign(secret, seq=1, pairs={})) for secret in secrets]
    for stranger, place in zip(strangers, places, strict=True):
        if place == places[2]:
            assert they.respond(strangers[0].record.node_id, places[0], PING) is not None
        _, challenge = they.received(stranger.request(THEM, THERE, PING, now=0.0), place, now=0.0)
        assert challenge is not None
        _, answer = stranger.received(challenge, THERE, now=0.0)
        assert answer is not None
        assert isinstance(they.received(answer, place, now=0.0)[0], MessageReceived)
    assert len(they) == 2
    known = [
        they.respond(stranger.record.node_id, place, PING) is not None
        for stranger, place in zip(strangers, places, strict=True)
    ]
    assert known == [True, False, True]


def test_so_many_challenges_go_out_a_second_and_no_more() -> None:
    they = node(THEIR_SECRET, THEM, challenges_per_s=10)
    header = [packets.ordinary_header(bytes(12), source=bytes((number,)) * 32) for number in range(100)]
    flood = [packets.pack(Mask(THEM.node_id), bytes(16), head, bytes(20)) for head in header]
    assert sum(they.received(data, HERE, now=0.0)[1] is not None for data in flood) == 10
    assert sum(they.received(data, HERE, now=0.5)[1] is not None for data in flood) == 5
    assert sum(they.received(data, HERE, now=9.0)[1] is not None for data in flood) == 10


def test_a_flood_of_strangers_leaves_no_session_and_bounded_memory() -> None:
    they = node(THEIR_SECRET, THEM, capacity=50, challenges_per_s=1000)
    rng = Random(20251020)
    for number in range(500):
        header = packets.ordinary_header(rng.randbytes(12), source=rng.randbytes(32))
        data = packets.pack(Mask(THEM.node_id), rng.randbytes(16), header, bytes(20))
        they.received(data, HERE, now=number / 1000)
    assert len(they) == 0
    assert len(they._challenges) == 50


# Answers


def nodes_from(
    we: Sessions, they: Sessions, request_id: bytes, records: Sequence[NodeRecord], now: float
) -> Nodes:
    """Return what we make of NODES that they send."""
    answer = Nodes(request_id=request_id, total=1, records=tuple(records))
    datagram = they.respond(US.node_id, HERE, answer)
    assert datagram is not None
    message = message_of(we.received(datagram, THERE, now=now)[0])
    assert isinstance(message, Nodes)
    return message


def test_records_in_answers_are_verified_once() -> None:
    we, they = joined()
    we.request(THEM, THERE, FIND, now=0.0)
    once, again = (nodes_from(we, they, FIND.request_id, [THIRD], 0.0) for _ in range(2))
    assert once.records == (THIRD,)
    assert again.records[0] is once.records[0]


def test_of_an_answer_that_nobody_asked_for_no_record_is_read() -> None:
    we, they = joined()
    unasked = nodes_from(we, they, FIND.request_id, [THIRD], 0.0)
    assert (unasked.records, unasked.refused) == ((), {"more records than an answer has": 1})
    we.request(THEM, THERE, FIND, now=0.0)
    assert nodes_from(we, they, b"another", [THIRD], 0.0).records == ()
    assert nodes_from(we, they, FIND.request_id, [THIRD], session.ANSWER_MEMORY_S - 0.1).records == (THIRD,)
    assert nodes_from(we, they, FIND.request_id, [THIRD], session.ANSWER_MEMORY_S).records == ()


def test_of_an_answer_16_records_are_read_in_however_many_packets_and_again_when_asked_again() -> None:
    we, they = joined()
    for _ in range(2):
        we.request(THEM, THERE, FIND, now=0.0)
        read = [len(nodes_from(we, they, FIND.request_id, [THIRD] * 5, 0.0).records) for _ in range(5)]
        assert read == [5, 5, 5, 1, 0]


def test_an_answer_of_another_node_to_the_same_request_id_is_not_read() -> None:
    we, they = joined()
    we.request(THIRD, ELSEWHERE, FIND, now=0.0)
    assert nodes_from(we, they, FIND.request_id, [THIRD], 0.0).records == ()


# What is refused


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", Refusal.NOT_FOR_US, id="nothing"),
        pytest.param(b"\x00" * 62, Refusal.NOT_FOR_US, id="too-short"),
        pytest.param(b"\x00" * 1281, Refusal.NOT_FOR_US, id="too-long"),
        pytest.param(b"d1:ad2:id20:" + b"x" * 90, Refusal.NOT_FOR_US, id="another-protocol"),
    ],
)
def test_what_is_no_packet_for_us_is_refused(data: bytes, reason: Refusal) -> None:
    we, _ = pair()
    assert refusal(we, data, THERE) is reason


def test_a_packet_for_another_node_is_refused() -> None:
    we, _ = pair()
    assert refusal(we, we.request(THEM, THERE, PING, now=0.0), HERE) is Refusal.NOT_FOR_US


def sealed(we: Sessions, text: bytes) -> bytes:
    """Return an ordinary packet to them with `text`, whatever that is."""
    return we._links[THEM.node_id, THERE].ordinary(text, source=US.node_id, random=Random(1).randbytes)[1]


@pytest.mark.parametrize(
    "text",
    [b"", b"\x07\xc0", b"\x01\xc0", b"\x01\xcb\x89" + b"\x01" * 9 + b"\x01"],
    ids=["empty", "unknown-kind", "malformed", "request-id-of-9-bytes"],
)
def test_a_bad_message_is_refused_but_its_sender_is_certain_and_the_session_stays(text: bytes) -> None:
    we, they = joined()
    event, back = they.received(sealed(we, text), HERE, now=0.0)
    assert isinstance(event, Refused)
    assert (event.reason, event.node_id, back) == (Refusal.BAD_MESSAGE, US.node_id, None)
    assert ours(they.received(we.request(THEM, THERE, PING, now=0.0), HERE, now=0.0)[0]).message == PING


def test_a_bad_message_in_a_good_handshake_leaves_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    we, they = pair()
    with monkeypatch.context() as patch:
        patch.setattr("concentra.wire.discv5_messages.encode", lambda message: b"\x07\xc0")
        answer = shaken(we, they)
    assert refusal(they, answer, HERE) is Refusal.BAD_MESSAGE
    assert ours(they.received(we.request(THEM, THERE, PING, now=0.0), HERE, now=0.0)[0]).message == PING


def forged_handshake(they: Sessions, record: bytes, secret: bytes) -> bytes:
    """Return a handshake in our name, with another record or signed with another key."""
    challenge = packets.decode(challenged(node(OUR_SECRET, US), they), Mask(US.node_id))
    assert isinstance(challenge, Whoareyou)
    made = handshake.answer(
        challenge.challenge_data,
        private_key=PrivateKey(secret),
        node_id=US.node_id,
        recipient=THEM.node_id,
        recipient_key=PrivateKey(THEIR_SECRET).public_key,
        ephemeral=b"\x01" * 32,
    )
    header = packets.handshake_header(
        bytes(12),
        source=US.node_id,
        id_signature=made.id_signature,
        ephemeral_key=made.ephemeral_key,
        record=record,
    )
    text = made.keys.writing.close(bytes(12), b"\x01\xc2\x2a\x07", bytes(16) + header)
    return packets.pack(Mask(THEM.node_id), bytes(16), header, text)


@pytest.mark.parametrize(
    ("record", "secret", "reason"),
    [
        pytest.param(enr.encode(US), OUR_SECRET, None, id="ours-indeed"),
        pytest.param(b"", OUR_SECRET, Refusal.BAD_RECORD, id="no-record"),
        pytest.param(enr.encode(US)[:-1], OUR_SECRET, Refusal.BAD_RECORD, id="cut-record"),
        pytest.param(enr.encode(THIRD), THIRD_SECRET, Refusal.WRONG_IDENTITY, id="another-node"),
        pytest.param(enr.encode(US), THIRD_SECRET, Refusal.BAD_SIGNATURE, id="our-record-anothers-key"),
    ],
)
def test_nobody_can_shake_hands_in_our_name(record: bytes, secret: bytes, reason: Refusal | None) -> None:
    _, they = pair()
    event, back = they.received(forged_handshake(they, record, secret), HERE, now=0.0)
    assert back is None
    assert (event.reason if isinstance(event, Refused) else None) is reason
    assert len(they) == (1 if reason is None else 0)


def samples() -> dict[str, tuple[Callable[[], Sessions], bytes]]:
    """Return a datagram of each kind that they would take, and they, ready to take it."""
    ordinary = joined()[0].request(THEM, THERE, FIND, now=0.0)
    new_we, new_they = pair()
    answer = shaken(new_we, new_they)

    def awaiting() -> Sessions:
        one, other = pair()
        challenged(one, other)
        return other

    def asking() -> Sessions:
        one, _ = pair()
        one.request(THEM, THERE, PING, now=0.0)
        return one

    first_we, first_they = pair()
    return {
        "ordinary": (lambda: joined()[1], ordinary),
        "handshake": (awaiting, answer),
        "challenge": (asking, challenged(first_we, first_they)),
    }


SAMPLES = samples()


def test_the_samples_are_taken_as_they_are() -> None:
    kinds = {
        name: type(ready().received(data, THERE if name == "challenge" else HERE, now=0.0)[0])
        for name, (ready, data) in SAMPLES.items()
    }
    assert kinds == {"ordinary": MessageReceived, "handshake": MessageReceived, "challenge": Challenged}


@given(st.sampled_from(["ordinary", "handshake"]), st.data())
def test_whatever_is_damaged_in_a_message_or_handshake_it_is_not_received(
    kind: str, data: st.DataObject
) -> None:
    ready, good = SAMPLES[kind]
    at = data.draw(st.integers(0, len(good) - 1))
    new = data.draw(
        st.sampled_from([b"", bytes((good[at] ^ data.draw(st.integers(1, 255)),)), good[at : at + 1] * 2])
    )
    event, _ = ready().received(good[:at] + new + good[at + 1 :], HERE, now=0.0)
    assert isinstance(event, Refused | Unreadable)


@given(
    st.binary(max_size=200)
    | st.tuples(st.sampled_from(sorted(SAMPLES)), st.integers(0, 400), st.binary(max_size=3)),
    st.sampled_from(sorted(SAMPLES)),
    st.sampled_from([HERE, THERE, ELSEWHERE]),
)
def test_datagrams_of_strangers_never_raise(
    data: bytes | tuple[str, int, bytes], ready: str, source: Endpoint
) -> None:
    if isinstance(data, tuple):
        good = SAMPLES[data[0]][1]
        data = good[: data[1]] + data[2] + good[data[1] + len(data[2]) :]
    event, back = SAMPLES[ready][0]().received(data, source, now=0.0)
    assert event.endpoint == source
    assert back is None or len(back) <= 1280
