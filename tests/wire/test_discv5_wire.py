"""Two discv5 nodes on a wire that loses, repeats, delays, damages and replays what it carries."""

from collections import Counter
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.wire.made_sessions import HERE, OUR_SECRET, THEIR_SECRET, THEM, THERE, US, node

from concentra.wire.discv5_answers import answers
from concentra.wire.discv5_events import Endpoint, MessageReceived, Refused
from concentra.wire.discv5_messages import FindNode, Message, Nodes, Ping, Pong
from concentra.wire.discv5_session import Sessions
from concentra.wire.enr import NodeRecord

TRY_EVERY_S = 0.7
STEP_S = 0.1
FATES = ("deliver", "lose", "repeat", "delay", "damage", "replay", "misdirect")


@dataclass(slots=True)
class Side:
    """One node, what it asks, and what it got."""

    sessions: Sessions
    place: Endpoint
    peer: NodeRecord
    peer_place: Endpoint
    open_requests: dict[bytes, Message]
    answered: list[Message] = field(default_factory=list)
    heard: list[Message] = field(default_factory=list)
    said: list[Message] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)

    def ask(self, now: float) -> list[bytes]:
        """Return the datagrams of all requests without an answer."""
        self.said += self.open_requests.values()
        return [
            self.sessions.request(self.peer, self.peer_place, message, now=now)
            for message in self.open_requests.values()
        ]

    def take(self, data: bytes, source: Endpoint, now: float) -> list[bytes]:
        """Return the datagrams that follow from one that came."""
        event, back = self.sessions.received(data, source, now=now)
        self.outcomes[event.reason if isinstance(event, Refused) else type(event).__name__] += 1
        replies = [] if back is None else [back]
        if isinstance(event, MessageReceived):
            assert (event.node_id, event.endpoint) == (self.peer.node_id, self.peer_place)
            self.heard.append(event.message)
            answer_to = event.message.request_id
            if isinstance(event.message, Nodes | Pong) and answer_to in self.open_requests:
                del self.open_requests[answer_to]
                self.answered.append(event.message)
            for answer in answers(
                event.message, source=source, record=self.sessions.record, neighbours=lambda distance: []
            ):
                packet = self.sessions.respond(event.node_id, source, answer)
                assert packet is not None
                self.said.append(answer)
                replies.append(packet)
        return replies


@dataclass(slots=True)
class Wire:
    """Datagrams under way, and all that ever were."""

    fates: list[tuple[str, int]]
    under_way: list[tuple[float, bytes, Side, Endpoint]] = field(default_factory=list)
    carried: list[tuple[bytes, Side, Endpoint]] = field(default_factory=list)

    def send(self, data: bytes, to: Side, source: Endpoint, now: float) -> None:
        """Carry a datagram as its fate has it; when no fates are left, deliver."""
        fate, number = self.fates.pop(0) if self.fates else ("deliver", 0)
        self.carried.append((data, to, source))
        arrivals = {"lose": [], "repeat": [0.1, 0.1 + number / 50], "delay": [number / 50]}.get(fate, [0.1])
        if fate == "damage":
            at = number % len(data)
            data = data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]
        if fate == "misdirect":
            source = ("203.0.113.7", 9000)
        if fate == "replay":
            old, old_to, old_source = self.carried[number % len(self.carried)]
            self.under_way.append((now + 0.1, old, old_to, old_source))
        self.under_way += [(now + arrival, data, to, source) for arrival in arrivals]

    def arrived(self, now: float) -> list[tuple[float, bytes, Side, Endpoint]]:
        """Return what comes in now, the earliest first."""
        due = sorted((item for item in self.under_way if item[0] <= now), key=lambda item: item[0])
        self.under_way = [item for item in self.under_way if item[0] > now]
        return due


def sides(ours: int, theirs: int) -> tuple[Side, Side]:
    """Return us and them with so many requests each."""

    def requests(count: int, tag: bytes) -> dict[bytes, Message]:
        made: list[Message] = [
            Ping(request_id=tag + bytes((n,)), enr_seq=1)
            if n % 2
            else FindNode(request_id=tag + bytes((n,)), distances=(0,))
            for n in range(count)
        ]
        return {message.request_id: message for message in made}

    we, they = node(OUR_SECRET, US), node(THEIR_SECRET, THEM)
    return (
        Side(we, HERE, THEM, THERE, requests(ours, b"\x01")),
        Side(they, THERE, US, HERE, requests(theirs, b"\x02")),
    )


def talk(here: Side, there: Side, wire: Wire, *, until: float) -> float:
    """Let both ask, and ask again, until all is answered; return the time."""
    step = 0
    while step * STEP_S < until:
        now = step * STEP_S
        for one, other in ((here, there), (there, here)):
            if step % round(TRY_EVERY_S / STEP_S) == 0:
                for data in one.ask(now):
                    wire.send(data, other, one.place, now)
        for _, data, to, source in wire.arrived(now):
            sender = there if to is here else here
            for reply in to.take(data, source, now):
                if source == sender.place:  # what goes elsewhere is nobody's
                    wire.send(reply, sender, to.place, now)
        if not here.open_requests and not there.open_requests and not wire.under_way:
            return now
        step += 1
    return until


fates = st.lists(st.tuples(st.sampled_from(FATES), st.integers(0, 100)), max_size=60)


@given(fates, st.integers(1, 3), st.integers(0, 3))
@settings(max_examples=150)
def test_all_is_answered_once_the_wire_works(trouble: list[tuple[str, int]], ours: int, theirs: int) -> None:
    here, there = sides(ours, theirs)
    until = 60.0
    assert talk(here, there, Wire(trouble), until=until) < until
    assert len(here.answered) == ours
    assert len(there.answered) == theirs
    assert (len(here.sessions), len(there.sessions)) <= (1, 1)


@given(fates, st.integers(1, 3), st.integers(0, 3))
def test_nothing_is_heard_that_was_not_said(trouble: list[tuple[str, int]], ours: int, theirs: int) -> None:
    here, there = sides(ours, theirs)
    talk(here, there, Wire(trouble), until=20.0)
    assert all(message in there.said for message in here.heard)
    assert all(message in here.said for message in there.heard)


@given(fates)
def test_replaying_a_whole_conversation_opens_no_session_and_answers_no_challenge(
    trouble: list[tuple[str, int]],
) -> None:
    here, there = sides(2, 1)
    wire = Wire(trouble)
    ended = talk(here, there, wire, until=60.0)
    later = ended + 10.0
    for side in (here, there):
        side.sessions.forget(side.peer.node_id, side.peer_place)
        side.outcomes.clear()
    for data, to, source in wire.carried:
        to.take(data, source, later)
    for side in (here, there):
        assert {"MessageReceived", "Challenged"}.isdisjoint(side.outcomes)
        assert len(side.sessions) == 0


def test_on_a_good_wire_one_challenge_and_one_handshake_are_enough() -> None:
    here, there = sides(1, 0)
    talk(here, there, Wire([]), until=5.0)
    assert here.outcomes == {"Challenged": 1, "MessageReceived": 1}
    assert there.outcomes == {"Unreadable": 1, "MessageReceived": 1}


def test_a_silent_wire_times_out_without_growing() -> None:
    here, there = sides(1, 1)
    ended = talk(here, there, Wire([("lose", 0)] * 1000), until=60.0)
    assert ended == 60.0
    assert len(here.sessions) == 0
    assert len(here.sessions._sent) <= 5  # those of three seconds
