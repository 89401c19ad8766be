"""discv5.1: open a session with a node, ping it, read its table; and answer others as a node should [1]_.

A visit goes random packet → their challenge → our handshake with a PING → their PONG, which tells how new
their record is. If ours is older, they are asked for it (FINDNODE with distance 0). Then comes FINDNODE after
FINDNODE, in the order of `concentra.collect.crawl.discv5_walk`. One question is out at a time. An answer of
several NODES is complete when as many came as they say, or sixteen records did; what is missing after a while
is asked for again.

.. [1] https://github.com/ethereum/devp2p/blob/master/discv5/discv5-theory.md
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from concentra.collect.crawl.admission import prefix_of
from concentra.collect.crawl.announcements import neighbour_of_record
from concentra.collect.crawl.budget import TokenBucket
from concentra.collect.crawl.discv5_visit import OWN_RECORD, Discv5Visit, Question
from concentra.collect.crawl.discv5_walk import NEAREST, Reach, TableWalk
from concentra.collect.crawl.engine import Engine, Visit
from concentra.collect.crawl.known_nodes import Endpoint, KnownNode
from concentra.model.crawl import ANSWERING, CrawlSource, Outcome
from concentra.model.special_addresses import special_reason
from concentra.wire import discv5_messages as messages
from concentra.wire.discv5_answers import answers
from concentra.wire.discv5_events import Challenged, MessageReceived, Refusal, Refused, Unreadable
from concentra.wire.discv5_messages import Nodes, Pong
from concentra.wire.discv5_session import Sessions
from concentra.wire.enr import NodeRecord
from concentra.wire.errors import WireError
from concentra.wire.kademlia import RoutingTable
from concentra.wire.record_cache import RecordCache

PART_PAUSE_S = 0.1
"""With the round-trip time, how long the next part of an answer may take: they leave one after another."""

LATE_S = 5.0
"""How long an answer of a node that was given up still counts; then `Sessions` reads no records in it."""

SESSIONS = 2048
"""Sessions that are kept: those of the visits at work, and of strangers. One takes 7 KB."""

RECORDS = 131_072
"""Records that are kept decoded, at most; one takes 0.8 KB, and verifying it again much time."""

STRANGERS_RATE = 200.0
"""Packets of strangers that are answered in a second, at most."""

TROUBLE = {
    Refusal.BAD_SIGNATURE: Outcome.BAD_SIGNATURE,
    Refusal.BAD_KEY: Outcome.BAD_SIGNATURE,
    Refusal.WRONG_IDENTITY: Outcome.WRONG_IDENTITY,
    Refusal.BAD_RECORD: Outcome.MALFORMED,
    Refusal.BAD_MESSAGE: Outcome.MALFORMED,
    Refusal.NOT_FOR_US: Outcome.MALFORMED,
}
"""What is the matter with a node that sent something, and nothing that counts."""


@dataclass(frozen=True, slots=True)
class _Peer:
    node_id: bytes
    public_key: bytes


@dataclass(frozen=True, slots=True)
class _TableEntry:
    node_id: bytes
    ip: bytes
    record: bytes


class Discv5Driver:
    """One discv5 node: asks those whom the engine wants asked, and answers everyone who asks it.

    Parameters
    ----------
    engine : Engine
    private_key : bytes, 32
        Under which we are known to others.
    record : NodeRecord
        Ours, signed with that key; it says who we are. Its sequence number is at least 1.
    random : callable
        Returns as many bytes as it is asked for, fit for keys.
    """

    def __init__(
        self, engine: Engine, *, private_key: bytes, record: NodeRecord, random: Callable[[int], bytes]
    ) -> None:
        self._engine = engine
        self._random = random
        self._records = RecordCache(capacity=RECORDS)
        self._sessions = Sessions(
            private_key, record, random=random, records=self._records, capacity=SESSIONS
        )
        self._visits: dict[bytes, Discv5Visit] = {}
        self._at: dict[Endpoint, set[bytes]] = {}
        self._given_up: OrderedDict[tuple[bytes, Endpoint], tuple[float, Discv5Visit]] = OrderedDict()
        self._reach = Reach()
        self._answers = TokenBucket(STRANGERS_RATE, burst=STRANGERS_RATE)
        self._table: RoutingTable[_TableEntry] = RoutingTable(record.node_id)
        engine.drive(self)

    def begin(self, node: KnownNode, endpoint: Endpoint, now: float, *, walks: bool) -> Visit | None:
        """Ping a node."""
        visit = Discv5Visit(node, endpoint, walks=walks)
        self._take_up(visit)
        self._ask(visit, now)
        return visit

    def overdue(self, visit: Visit, now: float) -> None:
        """Ask again what was not answered, go on with what was, or give up."""
        assert isinstance(visit, Discv5Visit)  # noqa: S101 - the engine gives back what `begin` gave it
        if visit.may_ask_again:
            self._ask(visit, now)
        elif visit.question.is_answered:
            self._go_on(visit, now)
        elif visit.is_proved:
            self._finish(visit)
        else:
            self._given_up[visit.node.node_id, visit.endpoint] = (now, visit)
            while next(iter(self._given_up.values()))[0] < now - LATE_S:
                self._forget(self._given_up.popitem(last=False)[1][1])
            self._end(visit, visit.trouble or Outcome.TIMED_OUT)

    def cut_off(self, visit: Visit) -> None:
        """End a visit as it stands: what the node told until now counts."""
        assert isinstance(visit, Discv5Visit)  # noqa: S101 - the engine gives back what `begin` gave it
        visit.node.told = len(visit.told)
        self._end(visit, visit.trouble or Outcome.TIMED_OUT)

    def unreachable(self, endpoint: Endpoint, outcome: Outcome, now: float) -> None:
        """End the visits at an endpoint that the system says nobody listens at; retries would not help."""
        del now
        for node_id in tuple(self._at.get(endpoint, ())):
            visit = self._visits[node_id]
            if not visit.is_proved:
                self._end(visit, outcome)

    def received(self, data: bytes, sender: Endpoint, now: float) -> None:
        """Take one datagram: an answer that is waited for, or a question of whoever it is."""
        event, back = self._sessions.received(data, sender, now=now)
        match event:
            case MessageReceived(message=(Nodes() | Pong()) as message):
                self._answered(event.node_id, sender, message, now)
            case MessageReceived():
                self._asked(event, now)
            case Challenged():
                if back is not None:
                    self._engine.send(back, sender)
                visit = self._visit(event.node_id, sender)
                if visit is not None:  # the answer will take another round trip
                    visit.challenged_at = now
                    self._engine.wait(visit, now)
            case Unreadable():
                if back is not None and self._answers.take(now):
                    self._engine.send(back, sender)
                visit = self._visit(event.node_id, sender)
                if visit is not None and visit.challenged_at:
                    visit.trouble = Outcome.BAD_SIGNATURE
            case Refused():
                self._refused(event)

    # What we ask.

    def _ask(self, visit: Discv5Visit, now: float) -> None:
        """Send the present question, as soon as the pace allows."""
        if not visit.pace.take(now):
            self._engine.wait(visit, now, visit.pace.ready_at(now) - now)
            return
        request_id = messages.new_request_id(self._random)
        message = visit.question.message(request_id, enr_seq=self._sessions.record.seq)
        try:
            data = self._sessions.request(_peer(visit.node), visit.endpoint, message, now=now)
        except WireError:  # without a key, or with one that is not on the curve: nobody can be asked
            visit.cannot_ask()
            self._engine.wait(visit, now, 0.0)
            return
        visit.sent(request_id, now)
        self._engine.send(data, visit.endpoint)
        self._engine.wait(visit, now)

    def _go_on(self, visit: Discv5Visit, now: float) -> None:
        """Ask the next question about the table, if there is one."""
        if visit.walk is not None:
            found = visit.question.found
            visit.walk.answered(visit.question.distances, at=tuple(found.values()), new=visit.question.new)
        else:
            self._remember(visit)
            if visit.walks:
                visit.walk = TableWalk(self._reach)
        distances = visit.walk.next_question() if visit.walk is not None else None
        if distances is None:
            self._finish(visit)
            return
        visit.question = Question(distances)
        self._ask(visit, now)

    # What they answer.

    def _answered(self, node_id: bytes, sender: Endpoint, message: Nodes | Pong, now: float) -> None:
        visit = self._visit(node_id, sender)
        late = visit is None
        if late:
            _, visit = self._given_up.get((node_id, sender), (0.0, None))
            if visit is not None and visit.node.outcome in ANSWERING:
                visit = None
        question, sent_at = visit.asked.get(message.request_id, (None, 0.0)) if visit else (None, 0.0)
        if visit is None or question is None or isinstance(message, Pong) == bool(question.distances):
            self._engine.counts["packets nobody asked for"] += 1
            return
        if late:
            del self._given_up[node_id, sender]
            self._engine.counts["late answers"] += 1
        if not visit.is_proved:
            visit.is_proved = True
            self._engine.prove(visit, now - max(sent_at, visit.challenged_at), now, late=late)
        if late:  # by now the engine has it cut off where it was asked since
            self._take_up(visit)
        if isinstance(message, Pong):
            self._pong(visit, question, message, now)
        else:
            self._nodes(visit, question, message, now)

    def _pong(self, visit: Discv5Visit, question: Question, message: Pong, now: float) -> None:
        question.take_part(message.request_id, b"", total=1)
        if question is not visit.question:  # the answer to another try came before
            return
        if visit.node.seq is None or visit.node.seq < message.enr_seq:
            visit.question = Question(OWN_RECORD)
            self._ask(visit, now)
        else:
            self._go_on(visit, now)

    def _nodes(self, visit: Discv5Visit, question: Question, message: Nodes, now: float) -> None:
        if message.refused:
            self._engine.counts["records left out"] += sum(message.refused.values())
        if question.distances == OWN_RECORD:
            self._own_record(visit, message.records, now)
        else:
            self._others(visit, question, message.records, now)
        first = message.records[0].node_id if message.records else b""
        is_complete = question.take_part(message.request_id, first, total=message.total)
        if question is not visit.question:  # the rest of an earlier answer
            return
        if is_complete:
            self._go_on(visit, now)
        else:
            pause = min(self._engine.patience.timeout_s, PART_PAUSE_S + (visit.node.rtt_s or 0.0))
            self._engine.wait(visit, now, pause)

    def _own_record(self, visit: Discv5Visit, records: Iterable[NodeRecord], now: float) -> None:
        for record in records:
            if record.node_id == visit.node.node_id:
                self._engine.take_record(visit.node, neighbour_of_record(record), now)
            else:
                self._engine.counts["records of another node"] += 1

    def _others(
        self, visit: Discv5Visit, question: Question, records: Iterable[NodeRecord], now: float
    ) -> None:
        engine, network = self._engine, prefix_of(visit.endpoint[0])
        number, distances, found = visit.number, question.distances, question.found
        news = []
        for record in records:
            node_id = record.node_id
            distance = (int.from_bytes(node_id, "big") ^ number).bit_length()
            if distance not in distances and not (0 < distance < NEAREST in distances):
                engine.counts["records at another distance"] += 1
            else:
                found[node_id] = distance
                if not engine.hear_of(network, node_id, record.seq, now):
                    news.append(neighbour_of_record(record))
        visit.told.update(found)
        question.new += engine.learn(visit.endpoint, news, now)

    def _refused(self, event: Refused) -> None:
        self._engine.counts[f"refused: {event.reason}"] += 1
        trouble = TROUBLE.get(event.reason)
        if trouble is not None:
            for node_id in self._at.get(event.endpoint, ()):
                if event.node_id in (None, node_id):
                    self._visits[node_id].trouble = trouble

    # What others ask.

    def _asked(self, event: MessageReceived, now: float) -> None:
        if not self._answers.take(now):
            self._engine.counts["strangers left unanswered"] += 1
            return
        if event.record is not None:
            self._engine.hear_from_stranger(neighbour_of_record(event.record), now)
        is_public = _is_public(event.endpoint[0])
        said = answers(
            event.message,
            source=event.endpoint,
            record=self._sessions.record,
            neighbours=lambda distance: self._told_at(distance, publicly=is_public),
        )
        for message in said:
            data = self._sessions.respond(event.node_id, event.endpoint, message)
            if data is not None:
                self._engine.send(data, event.endpoint)

    def _told_at(self, distance: int, *, publicly: bool) -> list[NodeRecord]:
        """Return the records of nodes at a distance from ourselves that answered us."""
        return [
            self._records.decode(entry.record)
            for entry in self._table.at_distances([distance])
            if not publicly or _is_public(entry.ip)
        ]

    def _remember(self, visit: Discv5Visit) -> None:
        """Put a node into our own table, to tell others of it, if its record is right about where it is."""
        node, (host, port) = visit.node, visit.endpoint
        if node.record is None:
            return
        entry = _TableEntry(node.node_id, ipaddress.ip_address(host).packed, node.record)
        if not self._table.add(entry):
            return
        try:
            told = neighbour_of_record(self._records.decode(node.record))
        except WireError:  # of a crawl that was taken up again, from a file
            told = None
        if told is None or (told.address, told.udp) != (host, port):
            self._table.remove(node.node_id)

    # Visits.

    def _visit(self, node_id: bytes, endpoint: Endpoint) -> Discv5Visit | None:
        visit = self._visits.get(node_id)
        return visit if visit is not None and visit.endpoint == endpoint else None

    def _take_up(self, visit: Discv5Visit) -> None:
        self._visits[visit.node.node_id] = visit
        self._at.setdefault(visit.endpoint, set()).add(visit.node.node_id)

    def _finish(self, visit: Discv5Visit) -> None:
        visit.node.told = len(visit.told)
        self._forget(visit)
        self._end(visit, Outcome.ANSWERED)

    def _forget(self, visit: Discv5Visit) -> None:
        """Drop the session of a visit, unless the node has questions of its own: it would need another."""
        if CrawlSource.INBOUND not in visit.node.sources:
            self._sessions.forget(visit.node.node_id, visit.endpoint)

    def _end(self, visit: Discv5Visit, outcome: Outcome) -> None:
        node_id, endpoint = visit.node.node_id, visit.endpoint
        del self._visits[node_id]
        there = self._at[endpoint]
        there.discard(node_id)
        if not there:
            del self._at[endpoint]
        self._engine.end(visit, outcome)


def _peer(node: KnownNode) -> _Peer:
    if node.public_key is None:
        raise WireError("node is known without its key")
    return _Peer(node.node_id, node.public_key)


def _is_public(address: str | bytes) -> bool:
    return special_reason(ipaddress.ip_address(address)) is None
