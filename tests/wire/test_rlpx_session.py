import dataclasses
import pickle
from collections.abc import Iterable, Sequence

import cramjam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.wire.made_rlpx import (
    ANOTHER,
    HEAR_STATUS,
    HELLO,
    OURS,
    PUBLIC_KEY,
    STATUS_68,
    STATUS_69,
    Node,
    drawn,
    leaving,
    saying,
)

from concentra.wire import devp2p, eth_status, identity, rlpx_frames
from concentra.wire.devp2p import DisconnectReason, Message, MessageId
from concentra.wire.eth_status import Status
from concentra.wire.rlpx_session import (
    FAREWELL,
    MAX_MESSAGES,
    MAX_RECEIVED,
    Handshake,
    HandshakeOutcome,
    RlpxSession,
    Stage,
    introduction,
    never_connected,
)

PING = Message(id=MessageId.PING, payload=devp2p.EMPTY)
ANNOUNCEMENT = Message(id=0x18, payload=b"\xc0")


def visitor() -> RlpxSession:
    return RlpxSession(
        private_key=OURS,
        remote_key=PUBLIC_KEY,
        hello=introduction(OURS, "visitor/1.0"),
        random=drawn("visitor"),
    )


def visit(node: Node, session: RlpxSession | None = None) -> Handshake:
    """Carry bytes to and fro until the visit is over, or until nobody says anything."""
    session = session or visitor()
    to_node = session.opening()
    while to_node:
        to_node = session.receive(node.answer(to_node))
    session.end(HandshakeOutcome.TIMED_OUT)
    return session.handshake()


def recorded(messages: Iterable[Message] = (HEAR_STATUS,), first: Sequence[Message] = (saying(),)) -> bytes:
    """Return all that a node sends in a visit; randomness is drawn alike, so every visitor can read it."""
    session, node = visitor(), Node(messages, first=first)
    ack = node.answer(session.opening())
    return ack + node.answer(session.receive(ack))


def hearing(*parts: bytes) -> Handshake:
    """Return what comes of a visit in which the node sends `parts`, and then closes the connection."""
    session = visitor()
    session.opening()
    for part in parts:
        session.receive(part)
    session.end(HandshakeOutcome.CLOSED)
    return session.handshake()


ACK_SIZE = len(recorded(first=(), messages=()))
HELLO_END = len(recorded(messages=()))
ALL = recorded()


@pytest.mark.parametrize("status", [STATUS_68, STATUS_69], ids=["68", "69"])
def test_a_visit_brings_home_hello_and_status(status: Status) -> None:
    hello = dataclasses.replace(HELLO, capabilities=(("eth", status.version), ("snap", 1)))
    node = Node([Message(id=0x10, payload=eth_status.encode(status))], first=[saying(hello)])
    assert visit(node) == Handshake(
        outcome=HandshakeOutcome.STATUS,
        stage=Stage.STATUS,
        public_key=PUBLIC_KEY,
        hello=hello,
        eth_version=status.version,
        status=status,
        disconnect=None,
    )
    assert [message.id for message in node.heard] == [MessageId.HELLO, MessageId.DISCONNECT]
    assert node.reason_heard() == DisconnectReason.QUITTING


def test_we_introduce_ourselves_and_offer_eth_alone() -> None:
    node = Node()
    visit(node)
    hello = devp2p.decode_hello(node.heard[0].payload)
    assert hello == introduction(OURS, "visitor/1.0")
    assert hello.client == "visitor/1.0"
    assert hello.public_key == identity.coordinates(identity.public_key_of(OURS))
    assert hello.capabilities == tuple(("eth", version) for version in (68, 69, 70, 71, 72))


def test_a_node_of_an_old_base_protocol_is_talked_to_without_compression() -> None:
    node = Node(first=[saying(dataclasses.replace(HELLO, version=4))], compresses=False)
    assert visit(node).outcome == HandshakeOutcome.STATUS
    assert node.reason_heard() == DisconnectReason.QUITTING


def test_bytes_may_come_one_by_one() -> None:
    assert hearing(*(bytes((byte,)) for byte in ALL)) == hearing(ALL)
    assert hearing(ALL).outcome == HandshakeOutcome.STATUS


def test_a_node_that_speaks_no_eth_of_ours_is_left_at_once() -> None:
    node = Node([], first=[saying(dataclasses.replace(HELLO, capabilities=(("eth", 63), ("les", 68))))])
    came = visit(node)
    assert (came.outcome, came.stage) == (HandshakeOutcome.NO_SHARED_PROTOCOL, Stage.HELLO)
    assert came.hello is not None
    assert came.eth_version is None
    assert node.reason_heard() == DisconnectReason.USELESS_PEER


def test_a_node_without_a_place_for_us_may_say_so_before_its_hello() -> None:
    node = Node([], first=[leaving(DisconnectReason.TOO_MANY_PEERS)])
    came = visit(node)
    assert (came.outcome, came.stage) == (HandshakeOutcome.DISCONNECTED, Stage.AUTHENTICATED)
    assert came.disconnect == DisconnectReason.TOO_MANY_PEERS
    assert came.hello is None
    assert [message.id for message in node.heard] == [MessageId.HELLO]


@pytest.mark.parametrize("compresses", [True, False])
def test_after_its_hello_a_disconnect_is_read_compressed_or_not(compresses: bool) -> None:
    came = visit(Node([leaving(DisconnectReason.TOO_MANY_PEERS)], compresses=compresses))
    assert (came.outcome, came.stage) == (HandshakeOutcome.DISCONNECTED, Stage.HELLO)
    assert came.disconnect == DisconnectReason.TOO_MANY_PEERS
    assert came.hello == HELLO
    assert came.eth_version == 69


def test_a_ping_is_answered_and_messages_that_we_do_not_know_are_passed_over() -> None:
    node = Node([PING, ANNOUNCEMENT, Message(id=MessageId.PONG, payload=devp2p.EMPTY), HEAR_STATUS])
    assert visit(node).status == STATUS_69
    assert [message.id for message in node.heard] == [MessageId.HELLO, MessageId.PONG, MessageId.DISCONNECT]


def test_nothing_is_heard_after_the_status() -> None:
    assert hearing(recorded([HEAR_STATUS, leaving(DisconnectReason.USELESS_PEER)])) == hearing(ALL)


# What is not as it should be.


@pytest.mark.parametrize(
    ("messages", "first", "stage"),
    [
        pytest.param([HEAR_STATUS], [HEAR_STATUS], Stage.AUTHENTICATED, id="status-before-hello"),
        pytest.param([], [PING], Stage.AUTHENTICATED, id="ping-before-hello"),
        pytest.param([], [Message(id=0, payload=b"\xc0")], Stage.AUTHENTICATED, id="empty-hello"),
        pytest.param([saying()], [saying()], Stage.HELLO, id="second-hello"),
        pytest.param([Message(id=0x10, payload=b"\xc0")], [saying()], Stage.HELLO, id="empty-status"),
        pytest.param(
            [Message(id=0x10, payload=eth_status.encode(STATUS_68))],
            [saying()],
            Stage.HELLO,
            id="status-of-68-in-69",
        ),
        pytest.param(
            [Message(id=1, payload=b"\xc1\xc0")], [saying()], Stage.HELLO, id="malformed-disconnect"
        ),
    ],
)
def test_what_is_not_the_protocol_ends_the_visit(
    messages: list[Message], first: list[Message], stage: Stage
) -> None:
    node = Node(messages, first=first)
    came = visit(node)
    assert (came.outcome, came.stage) == (HandshakeOutcome.MALFORMED, stage)
    assert (came.hello is not None) == (stage == Stage.HELLO)
    assert node.reason_heard() == DisconnectReason.PROTOCOL_ERROR


@pytest.mark.parametrize(
    "banner",
    [
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", id="http"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", id="ssh"),
        pytest.param(b"\x15\x03\x01\x00\x02\x02\x16", id="tls-alert"),
        pytest.param(b"\x13/multistream/1.0.0\n", id="libp2p"),
        pytest.param(bytes(1000), id="zeros"),
    ],
)
def test_what_other_servers_say_is_told_apart_by_its_first_bytes(banner: bytes) -> None:
    came = hearing(banner)
    assert (came.outcome, came.stage) == (HandshakeOutcome.MALFORMED, Stage.CONNECTED)


def test_before_there_are_keys_nothing_is_said_to_a_stranger() -> None:
    session = visitor()
    session.opening()
    assert session.receive(b"HTTP/1.1 400") == b""


def test_an_answer_by_another_node_is_told_apart() -> None:
    # It cannot have read our auth, so it answers that of somebody else.
    elsewhere = Node(private_key=ANOTHER)
    somebody = RlpxSession(
        private_key=ANOTHER,
        remote_key=identity.coordinates(identity.public_key_of(ANOTHER)),
        hello=introduction(ANOTHER, "x"),
        random=drawn("x"),
    )
    came = hearing(elsewhere.answer(somebody.opening()))
    assert (came.outcome, came.stage) == (HandshakeOutcome.WRONG_IDENTITY, Stage.CONNECTED)


def test_a_hello_that_names_another_key_is_not_believed() -> None:
    other = identity.coordinates(identity.public_key_of(ANOTHER))
    node = Node(first=[saying(dataclasses.replace(HELLO, public_key=other))])
    came = visit(node)
    assert (came.outcome, came.stage) == (HandshakeOutcome.WRONG_IDENTITY, Stage.AUTHENTICATED)
    assert came.hello is None
    assert node.reason_heard() == DisconnectReason.UNEXPECTED_IDENTITY


def test_a_change_to_any_byte_has_an_outcome_and_what_came_before_it_counts() -> None:
    ends = {HandshakeOutcome.WRONG_IDENTITY, HandshakeOutcome.MALFORMED, HandshakeOutcome.CLOSED}
    for at in range(len(ALL)):
        came = hearing(ALL[:at] + bytes((ALL[at] ^ 1,)) + ALL[at + 1 :])
        assert came.outcome in ends, at
        if at < ACK_SIZE:
            assert came.stage == Stage.CONNECTED, at
        else:
            assert came.outcome == HandshakeOutcome.WRONG_IDENTITY, at
            assert came.stage == (Stage.AUTHENTICATED if at < HELLO_END else Stage.HELLO), at


@given(st.data())
def test_whatever_a_node_says_once_it_has_keys_there_is_an_outcome(data: st.DataObject) -> None:
    contents = st.builds(Message, id=st.integers(0, 20), payload=st.binary(max_size=40))
    came = hearing(recorded(data.draw(st.lists(contents, max_size=4)), first=[saying()]))
    assert came.outcome in set(HandshakeOutcome) - {HandshakeOutcome.WRONG_IDENTITY, HandshakeOutcome.STATUS}
    assert came.hello == HELLO


@given(st.binary(max_size=200), st.integers(0, len(ALL)))
@settings(max_examples=50)
def test_whatever_follows_a_good_beginning_there_is_an_outcome(junk: bytes, at: int) -> None:
    came = hearing(ALL[:at] + junk)
    assert (came.status is not None) == (came.outcome == HandshakeOutcome.STATUS)
    assert (came.hello is not None) == (at >= HELLO_END or came.outcome == HandshakeOutcome.STATUS)


# Bounds.


def test_a_node_that_talks_on_without_a_status_is_left() -> None:
    node = Node([ANNOUNCEMENT] * 1000)
    came = visit(node)
    assert (came.outcome, came.stage) == (HandshakeOutcome.NO_STATUS, Stage.HELLO)
    assert node.reason_heard() == DisconnectReason.QUITTING


def test_the_status_may_be_the_last_message_that_we_listen_to() -> None:
    before = MAX_MESSAGES - 2  # one is the Hello
    assert hearing(recorded([ANNOUNCEMENT] * before + [HEAR_STATUS])).outcome == HandshakeOutcome.STATUS
    assert hearing(recorded([ANNOUNCEMENT] * (before + 1) + [HEAR_STATUS])).outcome == (
        HandshakeOutcome.NO_STATUS
    )


def test_a_node_that_sends_more_than_we_listen_to_is_left() -> None:
    # Random bytes, since others would be compressed away.
    large = Message(id=0x18, payload=drawn("large")(devp2p.MAX_PAYLOAD_SIZE - 1000))
    came = hearing(recorded([large] * 3))
    assert (came.outcome, came.stage) == (HandshakeOutcome.NO_STATUS, Stage.HELLO)


def test_no_more_is_kept_than_we_listen_to() -> None:
    session = visitor()
    session.opening()
    session.receive(b"\x07\xfe" + bytes(MAX_RECEIVED * 2))
    assert session.is_over


def test_a_frame_beyond_the_limit_is_refused_by_its_header(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(rlpx_frames, "MAX_CONTENT_SIZE", 1 << 24)
        data = recorded([Message(id=0x18, payload=drawn("large")(1 << 17))])
    header_end = HELLO_END + 32
    assert hearing(data[: header_end - 1]).outcome == HandshakeOutcome.CLOSED
    assert hearing(data[:header_end]).outcome == HandshakeOutcome.MALFORMED


def test_a_bomb_is_not_decompressed() -> None:
    bomb = Message(id=0x18, payload=bytes(cramjam.snappy.compress_raw(bytes(1 << 20))))
    came = visit(Node([bomb], compresses=False))
    assert (came.outcome, came.stage) == (HandshakeOutcome.MALFORMED, Stage.HELLO)


# The end.


@pytest.mark.parametrize("outcome", sorted(FAREWELL))
def test_we_say_why_we_leave_once_there_are_keys(outcome: HandshakeOutcome) -> None:
    session, node = visitor(), Node([])
    node.answer(session.receive(node.answer(session.opening())))
    node.answer(session.end(outcome))
    assert node.reason_heard() == FAREWELL[outcome]
    assert session.handshake().outcome == outcome


@pytest.mark.parametrize("outcome", sorted(set(HandshakeOutcome) - set(FAREWELL)))
def test_where_nobody_is_left_nothing_is_said(outcome: HandshakeOutcome) -> None:
    session, node = visitor(), Node([])
    node.answer(session.receive(node.answer(session.opening())))
    assert session.end(outcome) == b""


def test_a_visit_ends_once() -> None:
    session = visitor()
    session.opening()
    session.receive(ALL)
    assert session.is_over
    assert session.end(HandshakeOutcome.TIMED_OUT) == b""
    assert session.receive(b"more") == b""
    assert session.handshake().outcome == HandshakeOutcome.STATUS


def test_what_came_of_a_visit_is_known_when_it_is_over() -> None:
    with pytest.raises(ValueError, match="not over"):
        visitor().handshake()


def test_without_a_connection_there_is_an_outcome_all_the_same() -> None:
    came = never_connected(PUBLIC_KEY, HandshakeOutcome.REFUSED)
    assert (came.outcome, came.stage, came.public_key) == (HandshakeOutcome.REFUSED, Stage.NONE, PUBLIC_KEY)
    assert (came.hello, came.eth_version, came.status, came.disconnect) == (None, None, None, None)


def test_what_came_of_a_visit_is_a_value() -> None:
    came = hearing(ALL)
    assert pickle.loads(pickle.dumps(came)) == came
    assert len({came, hearing(ALL)}) == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        came.stage = Stage.NONE  # type: ignore[misc]
