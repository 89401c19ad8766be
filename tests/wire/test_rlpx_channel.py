import pytest
from tests.wire.made_rlpx import OURS, PUBLIC_KEY, THEIRS, drawn

from concentra.wire.devp2p import Message
from concentra.wire.ecies import NotAuthentic
from concentra.wire.errors import WireError
from concentra.wire.rlpx_channel import RlpxChannel
from concentra.wire.rlpx_handshake import Initiator, Recipient

FIRST, SECOND = Message(id=2, payload=b"\xc0"), Message(id=77, payload=bytes(1000))


def two() -> tuple[RlpxChannel, RlpxChannel]:
    """Return both sides of a connection on which nothing was sent yet."""
    return (
        RlpxChannel(Initiator(OURS, PUBLIC_KEY, drawn("a"))),
        RlpxChannel(Recipient(THEIRS, drawn("b"))),
    )


def connected() -> tuple[RlpxChannel, RlpxChannel]:
    """Return both sides of a connection that has keys."""
    ours, theirs = two()
    theirs.receive(ours.bytes_to_send())
    assert theirs.next_message() is None
    ours.receive(theirs.bytes_to_send())
    assert ours.next_message() is None
    return ours, theirs


def test_both_sides_know_each_other_once_they_have_keys() -> None:
    ours, theirs = two()
    assert (ours.remote_key, theirs.remote_key) == (None, None)
    ours, theirs = connected()
    assert ours.remote_key == PUBLIC_KEY
    assert theirs.remote_key is not None


@pytest.mark.parametrize("compresses", [False, True])
def test_messages_go_both_ways(compresses: bool) -> None:
    ours, theirs = connected()
    ours.compresses = theirs.compresses = compresses
    for sender, receiver in ((ours, theirs), (theirs, ours)):
        sender.send(FIRST)
        sender.send(SECOND)
        receiver.receive(sender.bytes_to_send())
        assert [receiver.next_message() for _ in range(3)] == [FIRST, SECOND, None]


def test_what_is_sent_before_there_are_keys_waits_for_them() -> None:
    ours, theirs = two()
    ours.send(FIRST)
    theirs.receive(ours.bytes_to_send())
    assert theirs.next_message() is None
    ours.receive(theirs.bytes_to_send())
    assert ours.next_message() is None
    theirs.receive(ours.bytes_to_send())
    assert theirs.next_message() == FIRST


def test_bytes_may_come_one_by_one() -> None:
    ours, theirs = two()
    heard = []
    ours.send(FIRST)
    for _ in range(2):
        for sender, receiver in ((ours, theirs), (theirs, ours)):
            for byte in sender.bytes_to_send():
                receiver.receive(bytes((byte,)))
                heard.append(receiver.next_message())
    assert [message for message in heard if message is not None] == [FIRST]


def test_what_was_sent_is_sent_once() -> None:
    ours, _ = two()
    assert ours.bytes_to_send()
    assert ours.bytes_to_send() == b""


def test_a_message_before_a_damaged_frame_counts() -> None:
    ours, theirs = connected()
    ours.send(FIRST)
    good = ours.bytes_to_send()
    ours.send(SECOND)
    bad = ours.bytes_to_send()
    theirs.receive(good + bytes((bad[0] ^ 1,)) + bad[1:])
    assert theirs.next_message() == FIRST
    with pytest.raises(NotAuthentic):
        theirs.next_message()


def test_what_is_no_handshake_is_refused_by_its_first_two_bytes() -> None:
    _, theirs = two()
    theirs.receive(b"G")
    assert theirs.next_message() is None
    theirs.receive(b"E")
    with pytest.raises(WireError, match="wanted 115 to 2048"):
        theirs.next_message()


def test_a_payload_is_not_read_as_compressed_before_both_agreed_on_it() -> None:
    ours, theirs = connected()
    ours.compresses = True
    ours.send(FIRST)
    theirs.receive(ours.bytes_to_send())
    assert theirs.next_message() == Message(id=FIRST.id, payload=b"\x01\x00\xc0")
