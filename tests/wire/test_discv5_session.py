import json
from pathlib import Path

import pytest
from tests.wire.made_sessions import (
    ELSEWHERE,
    HERE,
    OUR_SECRET,
    PING,
    THEIR_SECRET,
    THEM,
    THERE,
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

from concentra.wire import discv5_packets as packets
from concentra.wire import discv5_session as session
from concentra.wire import enode, enr
from concentra.wire.discv5_crypto import Mask
from concentra.wire.discv5_events import (
    Challenged,
    MessageReceived,
    Refusal,
    Refused,
    Unreadable,
)
from concentra.wire.discv5_messages import FindNode, Ping, TalkRequest
from concentra.wire.discv5_packets import Handshake, Ordinary, Whoareyou
from concentra.wire.discv5_session import Sessions
from concentra.wire.errors import WireError

VECTORS = json.loads((Path(__file__).parents[1] / "data" / "discv5_wire.json").read_text())
FIND = FindNode(request_id=b"\x01find", distances=(256,))


# Opening a session


def test_a_first_request_is_a_packet_of_random_bytes_from_us() -> None:
    we, _ = pair()
    packet = packets.decode(we.request(THEM, THERE, PING, now=0.0), Mask(THEM.node_id))
    assert isinstance(packet, Ordinary)
    assert packet.source == US.node_id
    assert len(packet.message) == 20
    assert len(we) == 0


def test_a_packet_that_nobody_can_read_is_answered_with_a_challenge_to_its_nonce() -> None:
    we, they = pair()
    request = we.request(THEM, THERE, PING, now=0.0)
    event, challenge = they.received(request, HERE, now=0.0)
    assert event == Unreadable(node_id=US.node_id, endpoint=HERE)
    assert challenge is not None
    sent, packet = packets.decode(request, Mask(THEM.node_id)), packets.decode(challenge, Mask(US.node_id))
    assert isinstance(packet, Whoareyou)
    assert (packet.nonce, packet.enr_seq) == (sent.nonce, 0)


def test_a_challenge_is_never_longer_than_what_brought_it() -> None:
    we, they = pair()
    request = we.request(THEM, THERE, PING, now=0.0)
    _, challenge = they.received(request, HERE, now=0.0)
    assert challenge is not None
    assert len(challenge) < len(request)


def test_a_challenge_is_answered_with_a_handshake_that_carries_record_and_message() -> None:
    we, they = pair()
    event, back = we.received(challenged(we, they), THERE, now=0.0)
    assert event == Challenged(node_id=THEM.node_id, endpoint=THERE)
    assert back is not None
    packet = packets.decode(back, Mask(THEM.node_id))
    assert isinstance(packet, Handshake)
    assert enr.decode(packet.record) == US
    event, nothing = they.received(back, HERE, now=0.0)
    assert event == MessageReceived(node_id=US.node_id, endpoint=HERE, message=PING, record=US)
    assert nothing is None


def test_both_sides_talk_in_the_session_from_then_on() -> None:
    we, they = joined()
    for number in range(3):
        ask = FindNode(request_id=bytes((number + 1,)), distances=(number,))
        event, _ = they.received(we.request(THEM, THERE, ask, now=0.0), HERE, now=0.0)
        assert event == MessageReceived(node_id=US.node_id, endpoint=HERE, message=ask, record=None)
        event, _ = we.received(they.request(US, HERE, ask, now=0.0), THERE, now=0.0)
        assert event == MessageReceived(node_id=THEM.node_id, endpoint=THERE, message=ask, record=None)
    assert (len(we), len(they)) == (1, 1)


def test_a_peer_may_be_known_by_its_enode_url_alone() -> None:
    we, they = pair()
    url = enode.Enode(public_key=THEM.public_key, address=THEM.ip or pytest.fail(), tcp=0, udp=9001)
    _, challenge = they.received(we.request(url, THERE, PING, now=0.0), HERE, now=0.0)
    assert challenge is not None
    _, answer = we.received(challenge, THERE, now=0.0)
    assert answer is not None
    assert ours(they.received(answer, HERE, now=0.0)[0]).message == PING


@pytest.mark.parametrize(
    ("seq", "record"),
    [(0, enr.encode(US)), (US.seq - 1, enr.encode(US)), (US.seq, b""), (US.seq + 1, b"")],
    ids=["none", "older", "the-same", "newer"],
)
def test_the_record_is_left_out_if_the_challenger_has_it(seq: int, record: bytes) -> None:
    we, _ = pair()
    request = packets.decode(we.request(THEM, THERE, PING, now=0.0), Mask(THEM.node_id))
    header = packets.whoareyou_header(request.nonce, id_nonce=bytes(16), enr_seq=seq)
    _, back = we.received(packets.pack(Mask(US.node_id), bytes(16), header, b""), THERE, now=0.0)
    assert back is not None
    packet = packets.decode(back, Mask(THEM.node_id))
    assert isinstance(packet, Handshake)
    assert packet.record == record


def test_the_published_handshake_opens_a_session() -> None:
    challenge, with_record = VECTORS["whoareyou"], VECTORS["handshake_with_record"]
    secret = bytes.fromhex(VECTORS["node_b_key"])
    drawn = bytes(16) + bytes.fromhex(challenge["id_nonce"])  # masking IV, ID nonce
    they = Sessions(secret, enr.sign(secret, seq=1, pairs={}), random=lambda size: drawn[:size])
    node_a, node_b = bytes.fromhex(VECTORS["node_a"]), bytes.fromhex(VECTORS["node_b"])
    header = packets.ordinary_header(bytes.fromhex(challenge["request_nonce"]), source=node_a)
    first = packets.pack(Mask(node_b), bytes(16), header, bytes(20))
    _, back = they.received(first, HERE, now=0.0)
    assert back is not None
    packet = packets.decode(back, Mask(node_a))
    assert isinstance(packet, Whoareyou)
    assert packet.challenge_data.hex() == challenge["challenge_data"] == with_record["challenge_data"]
    event, _ = they.received(bytes.fromhex(with_record["packet"]), HERE, now=0.0)
    assert isinstance(event, MessageReceived)
    assert event.node_id == node_a
    assert event.message == Ping(request_id=bytes.fromhex(with_record["request_id"]), enr_seq=1)
    assert event.record is not None
    assert event.record.node_id == node_a


# Replays, repetitions, lateness


def test_packets_that_cannot_be_read_get_the_challenge_that_is_open() -> None:
    we, they = pair()
    first = challenged(we, they, now=0.0)
    assert challenged(we, they, FIND, now=0.9) == first
    assert challenged(we, they, FIND, now=1.0) != first


def test_a_repeated_challenge_gets_the_same_handshake_three_times_and_no_more() -> None:
    we, they = pair()
    challenge = challenged(we, they)
    _, first = we.received(challenge, THERE, now=0.0)
    for _ in range(3):
        assert we.received(challenge, THERE, now=0.0) == (
            Challenged(node_id=THEM.node_id, endpoint=THERE),
            first,
        )
    assert refusal(we, challenge, THERE) is Refusal.UNASKED_CHALLENGE


def test_another_challenge_to_the_same_packet_is_refused() -> None:
    we, they = pair()
    challenge = packets.decode(challenged(we, they), Mask(US.node_id))
    header = packets.whoareyou_header(challenge.nonce, id_nonce=bytes(16), enr_seq=0)
    first, other = (packets.pack(Mask(US.node_id), bytes(15) + end, header, b"") for end in (b"\1", b"\2"))
    assert we.received(first, THERE, now=0.0)[1] is not None
    assert refusal(we, other, THERE) is Refusal.UNASKED_CHALLENGE


def test_a_challenge_is_refused_once_the_session_is_known_to_be_good() -> None:
    we, they = pair()
    challenge = challenged(we, they)
    _, back = we.received(challenge, THERE, now=0.0)
    assert back is not None
    they.received(back, HERE, now=0.0)
    answer = they.respond(US.node_id, HERE, PING)
    assert answer is not None
    we.received(answer, THERE, now=0.0)
    assert refusal(we, challenge, THERE) is Refusal.UNASKED_CHALLENGE


def test_a_challenge_from_another_endpoint_or_with_another_nonce_is_refused() -> None:
    we, they = pair()
    challenge = challenged(we, they)
    assert refusal(we, challenge, ELSEWHERE) is Refusal.UNASKED_CHALLENGE
    header = packets.whoareyou_header(b"another nonc", id_nonce=bytes(16), enr_seq=0)
    assert (
        refusal(we, packets.pack(Mask(US.node_id), bytes(16), header, b""), THERE)
        is Refusal.UNASKED_CHALLENGE
    )
    assert we.received(challenge, THERE, now=0.0)[1] is not None


def test_a_challenge_to_a_packet_of_long_ago_is_refused() -> None:
    we, they = pair()
    challenge = challenged(we, they, now=0.0)
    assert refusal(we, challenge, THERE, now=session.SENT_MEMORY_S) is Refusal.UNASKED_CHALLENGE


def test_a_handshake_is_taken_once() -> None:
    we, they = pair()
    answer = shaken(we, they)
    assert ours(they.received(answer, HERE, now=0.0)[0]).message == PING
    assert refusal(they, answer, HERE) is Refusal.UNASKED_HANDSHAKE
    challenged(node(OUR_SECRET, US), they)  # with another challenge open, its signature does not fit
    assert refusal(they, answer, HERE) is Refusal.BAD_SIGNATURE


def test_a_handshake_from_another_endpoint_is_refused() -> None:
    we, they = pair()
    assert refusal(they, shaken(we, they), ELSEWHERE) is Refusal.UNASKED_HANDSHAKE


def test_a_late_handshake_is_refused() -> None:
    we, they = pair()
    answer = shaken(we, they, now=0.0)
    assert refusal(they, answer, HERE, now=session.HANDSHAKE_TIMEOUT_S) is Refusal.UNASKED_HANDSHAKE


def test_a_handshake_that_does_not_hold_voids_its_challenge() -> None:
    we, they = pair()
    answer = shaken(we, they)
    assert refusal(they, answer[:-1] + bytes((answer[-1] ^ 1,)), HERE) is Refusal.BAD_KEY
    assert refusal(they, answer, HERE) is Refusal.UNASKED_HANDSHAKE
    assert len(they) == 0


def test_a_handshake_names_who_is_said_to_have_sent_it() -> None:
    we, they = pair()
    event, _ = they.received(shaken(we, they), ELSEWHERE, now=0.0)
    assert isinstance(event, Refused)
    assert event.node_id == US.node_id


# Sessions that end, break or cross


def test_a_session_is_tied_to_its_endpoint() -> None:
    we, they = joined()
    datagram = we.request(THEM, THERE, PING, now=0.0)
    event, challenge = they.received(datagram, ELSEWHERE, now=0.0)
    assert event == Unreadable(node_id=US.node_id, endpoint=ELSEWHERE)
    assert challenge is not None
    assert ours(they.received(datagram, HERE, now=0.0)[0]).message == PING


def test_who_lost_a_session_gets_a_new_one_with_the_next_request() -> None:
    we, they = joined()
    they.forget(US.node_id, HERE)
    answer = shaken(we, they, FIND)
    assert ours(they.received(answer, HERE, now=0.0)[0]).message == FIND
    back = they.respond(US.node_id, HERE, PING)
    assert back is not None
    assert message_of(we.received(back, THERE, now=0.0)[0]) == PING


def test_forged_packets_do_not_break_a_session() -> None:
    we, they = joined()
    header = packets.ordinary_header(b"n" * 12, source=US.node_id)
    forged = packets.pack(Mask(THEM.node_id), bytes(16), header, bytes(40))
    assert they.received(forged, HERE, now=0.0)[0] == Unreadable(node_id=US.node_id, endpoint=HERE)
    assert ours(they.received(we.request(THEM, THERE, PING, now=0.0), HERE, now=0.0)[0]).message == PING


@pytest.mark.parametrize(("waited", "read"), [(0.9, True), (1.0, False)])
def test_what_comes_under_the_former_keys_is_read_for_a_second(waited: float, read: bool) -> None:
    we, they = joined()
    late = they.respond(US.node_id, HERE, FIND)
    assert late is not None
    shaken(we, node(THEIR_SECRET, THEM), now=5.0)  # they have restarted
    event, _ = we.received(late, THERE, now=5.0 + waited)
    assert isinstance(event, MessageReceived if read else Unreadable)


def test_two_that_open_a_session_at_once_come_to_the_same_keys() -> None:
    we, they = pair()
    our_request, their_request = we.request(THEM, THERE, PING, now=0.0), they.request(US, HERE, FIND, now=0.0)
    _, their_challenge = they.received(our_request, HERE, now=0.0)
    _, our_challenge = we.received(their_request, THERE, now=0.0)
    assert our_challenge is not None
    assert their_challenge is not None
    _, our_handshake = we.received(their_challenge, THERE, now=0.0)
    _, their_handshake = they.received(our_challenge, HERE, now=0.0)
    assert our_handshake is not None
    assert their_handshake is not None
    assert message_of(they.received(our_handshake, HERE, now=0.0)[0]) == PING
    assert message_of(we.received(their_handshake, THERE, now=0.0)[0]) == FIND
    for number in range(4):
        ask = Ping(request_id=bytes((number + 1,)), enr_seq=1)
        first, second = we.respond(THEM.node_id, THERE, ask), they.respond(US.node_id, HERE, ask)
        assert first is not None
        assert second is not None
        assert message_of(they.received(first, HERE, now=0.0)[0]) == ask
        assert message_of(we.received(second, THERE, now=0.0)[0]) == ask


def test_there_is_no_response_without_a_session() -> None:
    we, _ = pair()
    assert we.respond(THEM.node_id, THERE, PING) is None
    joined_we, _ = joined()
    assert joined_we.respond(THEM.node_id, ELSEWHERE, PING) is None


def test_no_nonce_and_no_masking_iv_is_used_twice() -> None:
    we, _ = joined()
    sent = [we.request(THEM, THERE, PING, now=0.0) for _ in range(50)]
    assert len({packets.decode(data, Mask(THEM.node_id)).nonce for data in sent}) == 50
    assert len({data[:16] for data in sent}) == 50


def test_nonces_differ_even_if_the_random_numbers_do_not() -> None:
    we = Sessions(OUR_SECRET, US, random=lambda size: b"\x01" * size)
    _, they = pair()
    shaken(we, they)
    nonces = {
        packets.decode(we.request(THEM, THERE, PING, now=0.0), Mask(THEM.node_id)).nonce for _ in range(9)
    }
    assert len(nonces) == 9


# Our own mistakes


def test_the_record_must_be_of_the_key_and_have_a_sequence_number() -> None:
    with pytest.raises(ValueError, match="signed by the private key"):
        node(OUR_SECRET, THEM)
    with pytest.raises(ValueError, match="at least 1, got 0"):
        node(OUR_SECRET, enr.sign(OUR_SECRET, seq=0, pairs={}))


def test_a_new_record_is_announced_in_later_handshakes() -> None:
    we, they = pair()
    newer = enr.sign(OUR_SECRET, seq=US.seq + 1, pairs={b"udp": b"v_"})
    we.announce(newer)
    assert we.record == newer
    event, _ = they.received(shaken(we, they), HERE, now=0.0)
    assert ours(event).record == newer
    with pytest.raises(ValueError, match="signed by the private key"):
        we.announce(THEM)


def test_the_largest_request_fits_into_a_handshake_and_a_larger_one_is_our_mistake() -> None:
    largest_record = enr.sign(OUR_SECRET, seq=1, pairs={b"x": bytes(177)})
    assert len(enr.encode(largest_record)) == 300
    we, they = node(OUR_SECRET, largest_record), node(THEIR_SECRET, THEM)
    request = TalkRequest(request_id=b"*", protocol=b"p", request=bytes(session.MAX_REQUEST_SIZE - 9))
    answer = shaken(we, they, request)
    assert len(answer) == 1280
    assert message_of(they.received(answer, HERE, now=0.0)[0]) == request
    longer = TalkRequest(request_id=b"*", protocol=b"p", request=bytes(session.MAX_REQUEST_SIZE - 8))
    with pytest.raises(ValueError, match=r"request has \d+ bytes, may have"):
        we.request(THEM, THERE, longer, now=0.0)
    with pytest.raises(ValueError, match="bytes, may have 1280"):
        we.respond(THEM.node_id, THERE, TalkRequest(request_id=b"*", protocol=b"p", request=bytes(1280)))


def test_a_peer_whose_key_is_no_point_cannot_be_asked() -> None:
    we, _ = pair()
    off = enode.Enode(public_key=bytes(64), address=THEM.ip or pytest.fail(), tcp=0, udp=1)
    with pytest.raises(WireError, match="not a point"):
        we.request(off, THERE, PING, now=0.0)
