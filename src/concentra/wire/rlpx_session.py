"""A short visit to one node: who are you, which chain do you follow, good-bye.

The dialogue is the beginning of every RLPx connection, and nothing in it asks the node to do more than
that: auth, ack, Hello both ways, and the Status that a node sends of its own accord if both speak a
version of ``eth``. Then we say that we leave. We introduce ourselves by the client string of our Hello,
so that an operator can tell who called.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from concentra.wire import devp2p, eth_status, identity
from concentra.wire.devp2p import DisconnectReason, Hello, Message, MessageId
from concentra.wire.ecies import NotAuthentic
from concentra.wire.errors import WireError
from concentra.wire.eth_status import Status
from concentra.wire.rlpx_channel import RlpxChannel
from concentra.wire.rlpx_handshake import Initiator, Random

# A Hello has about 200 bytes and a Status 100; a peer may put a few announcements between them.
MAX_RECEIVED = 1 << 17
MAX_MESSAGES = 32

STATUS = devp2p.FIRST_CAPABILITY_ID + eth_status.STATUS_ID  # we offer no other capability than eth


class HandshakeOutcome(StrEnum):
    """How a visit ended; a closed vocabulary. What was learnt until then counts, whatever the outcome."""

    STATUS = "status"
    """The node told its Status: all that we came for."""
    NO_SHARED_PROTOCOL = "no shared protocol"
    """The node said Hello, and speaks no version of eth that we do."""
    DISCONNECTED = "disconnected"
    """The node said that it ends the connection, and why. One that has too many peers says so instead of
    a Hello (geth) or after it (ethereumjs)."""
    REFUSED = "refused"
    """Nobody listens at that port."""
    UNREACHABLE = "unreachable"
    """A router, or our own system, said that the host cannot be reached."""
    TIMED_OUT = "timed out"
    """No connection, or no complete answer, within the time allowed."""
    RESET = "reset"
    """The connection was torn down."""
    CLOSED = "closed"
    """The connection was closed without a word. A node of another key does so, since it cannot read our
    auth, and so does geth when one address calls too often."""
    WRONG_IDENTITY = "wrong identity"
    """A tag did not fit, or the Hello named another key."""
    MALFORMED = "malformed"
    """What came is not the protocol."""
    NO_STATUS = "no status"
    """The node talked on for longer than we listen, and told no Status."""


FAREWELL = {
    HandshakeOutcome.STATUS: DisconnectReason.QUITTING,
    HandshakeOutcome.NO_SHARED_PROTOCOL: DisconnectReason.USELESS_PEER,
    HandshakeOutcome.TIMED_OUT: DisconnectReason.TIMEOUT,
    HandshakeOutcome.WRONG_IDENTITY: DisconnectReason.UNEXPECTED_IDENTITY,
    HandshakeOutcome.MALFORMED: DisconnectReason.PROTOCOL_ERROR,
    HandshakeOutcome.NO_STATUS: DisconnectReason.QUITTING,
}
"""What we give as the reason when we end a visit; the other outcomes leave nobody to tell it to."""


class Stage(StrEnum):
    """How far a visit came."""

    NONE = "none"
    """No connection."""
    CONNECTED = "connected"
    """The port is open."""
    AUTHENTICATED = "authenticated"
    """The node has proven that it holds its key."""
    HELLO = "hello"
    """It introduced itself."""
    STATUS = "status"
    """It told of its chain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """What came of one visit. All that the node said may be untrue, but for its key."""

    outcome: HandshakeOutcome
    """How it ended."""
    stage: Stage
    """How far it came."""
    public_key: bytes
    """The node that was meant, x || y, 64 bytes; proven from `Stage.AUTHENTICATED` on."""
    hello: Hello | None
    """How it introduced itself."""
    eth_version: int | None
    """The version of eth that both speak; None without a Hello, or if there is none."""
    status: Status | None
    """What it said of its chain."""
    disconnect: DisconnectReason | None
    """Why it ended the connection, if it said that it does."""


class RlpxSession:
    """Our side of a visit, from the moment when the connection stands; it never waits.

    What `receive` and `end` return is to be sent. Once `is_over`, the connection is to be closed.

    Parameters
    ----------
    private_key : bytes, 32
        Our node key.
    remote_key : bytes, 64
        The node that is meant, x || y.
    hello : Hello
        How we introduce ourselves; `introduction` makes one.
    random : callable
        Returns that many random bytes.

    Raises
    ------
    WireError
        If `remote_key` is no key.
    """

    def __init__(self, *, private_key: bytes, remote_key: bytes, hello: Hello, random: Random) -> None:
        self._ours = hello
        self._remote_key = remote_key
        self._channel = RlpxChannel(Initiator(private_key, remote_key, random))
        self._channel.send(Message(id=MessageId.HELLO, payload=devp2p.encode_hello(hello)))
        self._bytes_left = MAX_RECEIVED
        self._messages_left = MAX_MESSAGES
        self._outcome: HandshakeOutcome | None = None
        self._hello: Hello | None = None
        self._eth_version: int | None = None
        self._status: Status | None = None
        self._disconnect: DisconnectReason | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be said or heard."""
        return self._outcome is not None

    def opening(self) -> bytes:
        """Return what is to be sent first."""
        return self._channel.bytes_to_send()

    def receive(self, data: bytes) -> bytes:
        """Return what is to be sent in answer to `data`, which is untrusted; nothing once `is_over`."""
        data = data[: self._bytes_left]
        self._bytes_left -= len(data)
        self._channel.receive(data)
        try:
            while not self.is_over and self._messages_left > 0:
                message = self._channel.next_message()
                if message is None:
                    break
                self._messages_left -= 1
                self._hear(message)
        except NotAuthentic:
            return self.end(HandshakeOutcome.WRONG_IDENTITY)
        except WireError:
            return self.end(HandshakeOutcome.MALFORMED)
        if self._bytes_left == 0 or self._messages_left == 0:
            self._finish(HandshakeOutcome.NO_STATUS)
        return self._channel.bytes_to_send()

    def end(self, outcome: HandshakeOutcome) -> bytes:
        """Return what is still to be sent when the visit ends with `outcome`; nothing changes if it is over.

        It is called from outside when the time is up, or when the connection has ended.
        """
        self._finish(outcome)
        return self._channel.bytes_to_send()

    def handshake(self) -> Handshake:
        """Return what came of it; a `ValueError` before it is over."""
        if self._outcome is None:
            raise ValueError("the visit is not over")
        return Handshake(
            outcome=self._outcome,
            stage=self._stage(),
            public_key=self._remote_key,
            hello=self._hello,
            eth_version=self._eth_version,
            status=self._status,
            disconnect=self._disconnect,
        )

    def _hear(self, message: Message) -> None:
        """Take one message; a `WireError` if it may not come now or is malformed."""
        if message.id == MessageId.DISCONNECT:
            self._disconnect = devp2p.decode_disconnect(message.payload)
            self._finish(HandshakeOutcome.DISCONNECTED)
        elif self._hello is None:
            self._hear_hello(message)
        elif message.id == MessageId.HELLO:
            raise WireError("second Hello, wanted one")
        elif message.id == MessageId.PING:
            self._channel.send(Message(id=MessageId.PONG, payload=devp2p.EMPTY))
        elif message.id == STATUS and self._eth_version is not None:
            self._status = eth_status.decode(message.payload, self._eth_version)
            self._finish(HandshakeOutcome.STATUS)

    def _hear_hello(self, message: Message) -> None:
        if message.id != MessageId.HELLO:
            raise WireError(f"message {message.id} comes first, wanted Hello")
        hello = devp2p.decode_hello(message.payload)
        if hello.public_key != self._remote_key:
            raise NotAuthentic("Hello names another key than the one that was dialled")
        self._hello = hello
        self._channel.compresses = hello.compresses and self._ours.compresses
        self._eth_version = devp2p.shared_version(eth_status.NAME, self._ours, hello)
        if self._eth_version is None:
            self._finish(HandshakeOutcome.NO_SHARED_PROTOCOL)

    def _finish(self, outcome: HandshakeOutcome) -> None:
        if self.is_over:
            return
        self._outcome = outcome
        if outcome in FAREWELL:  # it is never sent if there are no keys
            payload = devp2p.encode_disconnect(FAREWELL[outcome])
            self._channel.send(Message(id=MessageId.DISCONNECT, payload=payload))

    def _stage(self) -> Stage:
        if self._status is not None:
            return Stage.STATUS
        if self._hello is not None:
            return Stage.HELLO
        return Stage.CONNECTED if self._channel.remote_key is None else Stage.AUTHENTICATED


def introduction(private_key: bytes, client: str) -> Hello:
    """Return how we introduce ourselves: `client`, and every version of eth whose Status we can read.

    `client` should say who calls and whom to write to, as in ``concentra/0.4.0 (+https://example.org/)``.
    """
    return Hello(
        version=devp2p.VERSION,
        client=client,
        capabilities=tuple((eth_status.NAME, version) for version in eth_status.VERSIONS),
        listen_port=0,
        public_key=identity.coordinates(identity.public_key_of(private_key)),
    )


def never_connected(remote_key: bytes, outcome: HandshakeOutcome) -> Handshake:
    """Return what came of a visit for which there was no connection."""
    return Handshake(
        outcome=outcome,
        stage=Stage.NONE,
        public_key=remote_key,
        hello=None,
        eth_version=None,
        status=None,
        disconnect=None,
    )
