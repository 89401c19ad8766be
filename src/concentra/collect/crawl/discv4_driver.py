"""discv4: bond with a node, fetch its record, read its table; and answer others as a node should [1]_.

A visit goes PING → their PONG → their PING, which we answer so that they trust our endpoint → ENRRequest
and FINDNODE, one bucket after the other from the farthest on.

.. [1] https://github.com/ethereum/devp2p/blob/master/discv4.md
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Sequence
from enum import Enum, auto

from concentra.collect.crawl.announcements import Neighbour, neighbour_of_record
from concentra.collect.crawl.budget import TokenBucket
from concentra.collect.crawl.discv4_walk import Part, TableWalk
from concentra.collect.crawl.engine import Engine, Visit
from concentra.collect.crawl.known_nodes import Endpoint, KnownNode
from concentra.model.crawl import Outcome
from concentra.wire import discv4, enr, identity
from concentra.wire import discv4_messages as messages
from concentra.wire.discv4_messages import MAX_NEIGHBORS, Kind
from concentra.wire.enr import NodeRecord
from concentra.wire.errors import WireError
from concentra.wire.kademlia import BUCKET_SIZE, RoutingTable
from concentra.wire.keccak import keccak256
from concentra.wire.lookup_targets import LookupTargets

EXPIRY_S = 20  # discv4.md leaves it to the sender; geth has 20 s

TRIES = 3
"""How often each question is asked before it counts as unanswered."""

BOND_S = (
    24 * 3600
)  # discv4.md, "Endpoint Proof": "has sent a valid pong response … within the last 12h"; geth: 24 h
LATE_S = 30.0
"""How long an answer to a node that was given up still counts."""

FREE_PINGS = 4
"""PINGs that are answered at the endpoint of a visit before they count as those of a stranger."""

MAX_STRANGERS = 10_000
"""Endpoints of strangers that are remembered, so that nobody can fill the memory by pinging."""

MAX_ENTRIES = 100_000
"""Entries of tables that are kept in their readable form."""

SAME_FOR_S = 10
"""For so long, equal questions to different nodes are one packet, signed once."""

STRANGERS_RATE = 200.0
"""Packets of strangers that are answered in a second, at most."""


class _Stage(Enum):
    PING = auto()
    """PING is sent."""
    PROOF = auto()
    """They answered; their own PING is awaited."""
    TABLE = auto()
    """FINDNODE is sent."""
    RECORD = auto()
    """Their table is read; only their record is still awaited."""


class _Visit4(Visit):
    __slots__ = (
        "asked_them",
        "pinged_us",
        "pings",
        "record_hashes",
        "sent_at",
        "stage",
        "table",
        "tries",
        "trouble",
    )

    def __init__(self, node: KnownNode, endpoint: Endpoint, *, walks: bool) -> None:
        super().__init__(node, endpoint, walks=walks)
        self.stage = _Stage.PING
        self.tries = 0
        self.pings: dict[bytes, float] = {}
        self.pinged_us = 0
        """When each PING was sent, by its hash."""
        self.asked_them = False
        """Whether they asked us for a proof of our endpoint, and got it."""
        self.record_hashes: tuple[bytes, ...] = ()
        self.table: TableWalk | None = None
        """None until they are asked for theirs: of most nodes that are told of nothing is ever heard."""
        self.sent_at = 0.0
        """When FINDNODE was sent last."""
        self.trouble: Outcome | None = None


class Discv4Driver:
    """One discv4 node: asks those whom the engine wants asked, and answers everyone who asks it.

    Parameters
    ----------
    engine : Engine
    private_key : bytes, 32
        Under which we are known to others.
    record : NodeRecord
        Ours, signed with that key; it says who we are.
    port : int
        Our UDP port.
    targets : LookupTargets
        What to look for in a table to read one of its buckets.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        private_key: bytes,
        record: NodeRecord,
        port: int,
        targets: LookupTargets,
    ) -> None:
        self._engine = engine
        self._key = identity.signing_key(private_key)
        self._record = record
        self._port = port
        self._targets = targets
        self._visits: dict[Endpoint, _Visit4] = {}
        self._given_up: OrderedDict[Endpoint, tuple[float, _Visit4]] = OrderedDict()
        self._bonds: OrderedDict[tuple[Endpoint, bytes], float] = OrderedDict()
        self._entries: dict[messages.Neighbor, Neighbour] = {}
        self._shared: dict[bytes | None, bytes] = {}
        self._shared_expiration = 0
        self._strangers: OrderedDict[Endpoint, tuple[bytes, bytes]] = OrderedDict()
        self._answers = TokenBucket(STRANGERS_RATE, burst=STRANGERS_RATE)
        self._table: RoutingTable[messages.Neighbor] = RoutingTable(record.node_id)
        engine.drive(self)

    def begin(self, node: KnownNode, endpoint: Endpoint, now: float, *, walks: bool) -> Visit | None:
        """Ping a node; None if another identity at that endpoint is being asked."""
        if endpoint in self._visits:
            return None
        visit = _Visit4(node, endpoint, walks=walks)
        self._visits[endpoint] = visit
        self._ping(visit, now)
        return visit

    def overdue(self, visit: Visit, now: float) -> None:
        """Ask again what was not answered, go on with what was, or give up."""
        assert isinstance(visit, _Visit4)  # noqa: S101 - the engine gives back what `begin` gave it
        match visit.stage:
            case _Stage.PING if visit.tries < TRIES:
                self._ping(visit, now)
            case _Stage.PING:
                self._given_up[visit.endpoint] = (now, visit)
                while next(iter(self._given_up.values()))[0] < now - LATE_S:
                    self._given_up.popitem(last=False)
                self._end(visit, visit.trouble or Outcome.TIMED_OUT)
            case _Stage.PROOF:
                self._open_table(visit, now)
            case _Stage.TABLE if visit.tries < TRIES and _table(visit).lacks_a_part:
                self._offer_proof(visit, now)
                self._ask_for_bucket(visit, _table(visit).target, now)
            case _Stage.TABLE:
                self._next_bucket(visit, _table(visit), now)
            case _Stage.RECORD if visit.tries < TRIES:
                self._offer_proof(visit, now)
                self._ask_for_record(visit, now)
            case _Stage.RECORD:
                self._end(visit, Outcome.ANSWERED)

    def cut_off(self, visit: Visit) -> None:
        """End a visit as it stands: what the node told until now counts."""
        assert isinstance(visit, _Visit4)  # noqa: S101 - as above
        if visit.table is not None:
            visit.node.told = visit.table.told
        self._end(visit, visit.trouble or Outcome.TIMED_OUT)

    def unreachable(self, endpoint: Endpoint, outcome: Outcome, now: float) -> None:
        """End the visit of an endpoint that the system says nobody listens at; retries would not help."""
        del now
        visit = self._visits.get(endpoint)
        if visit is not None and visit.stage is _Stage.PING:
            self._end(visit, outcome)

    def received(self, data: bytes, sender: Endpoint, now: float) -> None:
        """Take one datagram: an answer that is waited for, or a question of whoever it is."""
        visit = self._visits.get(sender)
        try:
            packet = discv4.open_packet(data)
            match packet.kind:
                case Kind.NEIGHBORS if visit is not None:
                    self._neighbours(visit, packet, now)
                case Kind.PONG:
                    self._pong(visit, packet, sender, now)
                case Kind.PING:
                    self._pinged(visit, packet, sender, now)
                case Kind.ENR_RESPONSE if visit is not None:
                    self._their_record(visit, packet, now)
                case Kind.FIND_NODE | Kind.ENR_REQUEST:
                    self._asked(packet, sender, now)
                case _:
                    self._engine.counts["packets nobody asked for"] += 1
        except WireError:
            self._engine.counts["damaged packets"] += 1
            if visit is not None:
                visit.trouble = Outcome.MALFORMED

    # What we ask.

    def _ping(self, visit: _Visit4, now: float) -> None:
        packet = self._ping_packet(visit.endpoint, now)
        visit.pings[packet[:32]] = now
        visit.tries += 1
        self._engine.send(packet, visit.endpoint)
        self._engine.wait(visit, now)

    def _offer_proof(self, visit: _Visit4, now: float) -> None:
        """Ping a node that answers no question: its own PING or our PONG may be lost, and so its trust."""
        packet = self._ping_packet(visit.endpoint, now)
        visit.pings[packet[:32]] = now
        self._engine.send(packet, visit.endpoint)

    def _ping_packet(self, endpoint: Endpoint, now: float) -> bytes:
        host, port = endpoint
        there = ipaddress.ip_address(host).packed
        message = messages.Ping(
            # Nobody may rely on the sender's own idea of where it is, and it would tell ours.
            sender=messages.Endpoint(ip=bytes(len(there)), udp=self._port, tcp=0),
            recipient=messages.Endpoint(ip=there, udp=port, tcp=0),
            expiration=int(now) + EXPIRY_S,
            enr_seq=self._record.seq,
        )
        return discv4.encode(self._key, message)

    def _open_table(self, visit: _Visit4, now: float) -> None:
        visit.tries = 0
        self._send_record_request(visit, now)
        if visit.walks and visit.node.public_key is not None:
            visit.stage = _Stage.TABLE
            visit.table = TableWalk(visit.node.node_id, visit.node.public_key, self._targets)
            self._ask_for_bucket(visit, visit.table.target, now)
        else:
            visit.stage = _Stage.RECORD
            visit.tries = 1
            self._engine.wait(visit, now)

    def _ask_for_bucket(self, visit: _Visit4, target: bytes, now: float) -> None:
        visit.tries += 1
        visit.sent_at = now
        self._engine.send(self._shared_packet(target, now), visit.endpoint)
        self._engine.wait(visit, now)

    def _next_bucket(self, visit: _Visit4, table: TableWalk, now: float) -> None:
        target = table.next_question()
        if target is not None:
            visit.tries = 0
            self._ask_for_bucket(visit, target, now)
            return
        visit.node.told = table.told
        if visit.record_hashes:
            visit.stage = _Stage.RECORD
            self._ask_for_record(visit, now)
        else:
            self._end(visit, Outcome.ANSWERED)

    def _ask_for_record(self, visit: _Visit4, now: float) -> None:
        visit.tries = TRIES  # it was asked once, together with the first bucket
        self._send_record_request(visit, now)
        self._engine.wait(visit, now)

    def _send_record_request(self, visit: _Visit4, now: float) -> None:
        packet = self._shared_packet(None, now)
        # Many nodes are sent this one packet: a reply is matched by its sender together with the hash.
        visit.record_hashes = (*visit.record_hashes, packet[:32])
        self._engine.send(packet, visit.endpoint)

    def _shared_packet(self, target: bytes | None, now: float) -> bytes:
        """Return FINDNODE for a target, or ENRRequest for none: signed once for all who are asked it now."""
        expiration = (int(now) // SAME_FOR_S + 1) * SAME_FOR_S + EXPIRY_S
        if expiration != self._shared_expiration:
            self._shared.clear()
            self._shared_expiration = expiration
        packet = self._shared.get(target)
        if packet is None:
            question = (
                messages.EnrRequest(expiration=expiration)
                if target is None
                else messages.FindNode(target=target, expiration=expiration)
            )
            packet = self._shared[target] = discv4.encode(self._key, question)
        return packet

    # What they answer.

    def _pong(self, visit: _Visit4 | None, packet: discv4.Opened, sender: Endpoint, now: float) -> None:
        message = discv4.message(packet)
        assert isinstance(message, messages.Pong)  # noqa: S101 - the kind says so
        late = False
        if visit is None or message.ping_hash not in visit.pings:
            stranger = self._strangers.get(sender)
            if stranger is not None and message.ping_hash == stranger[0]:
                self._bond_with_stranger(stranger[1], packet, message, sender, now)
                return
            _, visit = self._given_up.get(sender, (0.0, None))
            late = True
            if visit is None or message.ping_hash not in visit.pings or sender in self._visits:
                self._engine.counts["packets nobody asked for"] += 1
                return
        elif visit.stage is not _Stage.PING:
            return  # the answer to a ping that was sent again
        if discv4.is_expired(message.expiration, now):
            self._engine.counts["expired packets"] += 1
            visit.trouble = Outcome.EXPIRED
            return
        key = self._sender(visit, packet)
        if key is None:
            return
        if key != visit.node.public_key:
            self._someone_else(visit, key, now)
            return
        if late:
            del self._given_up[sender]
            self._visits[sender] = visit
            self._engine.counts["late answers"] += 1
        rtt = now - visit.pings[message.ping_hash]
        self._engine.prove(visit, rtt, now, late=late)
        self._bond(sender, key, now)
        self._remember(visit)
        visit.stage = _Stage.PROOF
        if visit.asked_them:
            self._open_table(visit, now)
        else:
            self._engine.wait(visit, now, min(self._engine.patience.timeout_s, 0.1 + 2 * rtt))

    def _someone_else(self, visit: _Visit4, key: bytes, now: float) -> None:
        """Another node answered at the endpoint: the one we looked for is not there, that one is."""
        host, port = visit.endpoint
        found = Neighbour(identity.node_id(key), key, host, port, 0)
        self._engine.learn(visit.endpoint, [found], now)
        self._end(visit, Outcome.WRONG_IDENTITY)

    def _neighbours(self, visit: _Visit4, packet: discv4.Opened, now: float) -> None:
        if visit.stage is not _Stage.TABLE:
            self._engine.counts["packets nobody asked for"] += 1
            return
        table, message = _table(visit), discv4.message(packet)
        assert isinstance(message, messages.Neighbors)  # noqa: S101 - the kind says so
        if discv4.is_expired(message.expiration, now):
            self._engine.counts["expired packets"] += 1
            return
        wanted = self._wanted(table, message)
        if wanted is None:
            return
        # Checking a signature takes as long as all the rest. What everybody tells needs none: late in a
        # crawl that is nine packets in ten.
        news = self._engine.news(wanted, now)
        if news and self._sender(visit, packet) != visit.node.public_key:
            self._engine.counts["answers under another key"] += 1
            return
        self._engine.learn(visit.endpoint, news, now)
        if visit.tries == 1 and not table.is_answered:  # else it is not known which question this answers
            self._engine.patience.answered(now - visit.sent_at)
        match table.take(wanted):
            case Part.LAST:
                self._next_bucket(visit, table, now)
            case Part.MORE:
                wait_s = min(self._engine.patience.timeout_s, 0.1 + (visit.node.rtt_s or 0.0))
                self._engine.wait(visit, now, wait_s)
            case Part.CHANGED:
                visit.tries = 0
                self._ask_for_bucket(visit, table.target, now)
            case Part.STRAY:
                self._engine.counts["packets nobody asked for"] += 1

    def _wanted(self, table: TableWalk, message: messages.Neighbors) -> Sequence[Neighbour] | None:
        """Return what a packet adds to the answer, counting the rest; None if it was an answer before."""
        counts = self._engine.counts
        if message.defects:
            counts.update(f"neighbours left out: {defect}" for defect in message.defects)
        entries = self._entries
        nodes = [entries.get(node) or self._entry(node) for node in message.nodes]
        if table.is_repeated(nodes):
            counts["answers given twice"] += 1
            return None
        further = table.further(nodes)
        if len(further) > table.room:
            counts["neighbours beyond 16"] += len(further) - table.room
        return further[: table.room]

    def _entry(self, told: messages.Neighbor) -> Neighbour:
        """Return what an entry of NEIGHBORS tells; most are told in the same words again."""
        if len(self._entries) >= MAX_ENTRIES:
            self._entries.clear()
        found = Neighbour(told.node_id, told.public_key, told.host, told.udp, told.tcp)
        self._entries[told] = found
        return found

    def _their_record(self, visit: _Visit4, packet: discv4.Opened, now: float) -> None:
        message = discv4.message(packet)
        assert isinstance(message, messages.EnrResponse)  # noqa: S101 - the kind says so
        if message.request_hash not in visit.record_hashes:
            self._engine.counts["packets nobody asked for"] += 1
            return
        if self._sender(visit, packet) != visit.node.public_key:
            self._engine.counts["answers under another key"] += 1
            return
        node = visit.node
        record = enr.decode(message.record)
        if record.node_id != node.node_id:
            self._engine.counts["records of another node"] += 1
            return
        visit.record_hashes = ()
        self._engine.take_record(node, neighbour_of_record(record), now)
        if visit.stage is _Stage.RECORD:
            self._end(visit, Outcome.ANSWERED)

    # What others ask.

    def _pinged(self, visit: _Visit4 | None, packet: discv4.Opened, sender: Endpoint, now: float) -> None:
        message = discv4.message(packet)
        assert isinstance(message, messages.Ping)  # noqa: S101 - the kind says so
        if discv4.is_expired(message.expiration, now):
            self._engine.counts["expired packets"] += 1
            return
        is_expected = visit is not None and visit.pinged_us < FREE_PINGS
        if not is_expected and not self._answers.take(now):
            self._engine.counts["strangers left unanswered"] += 1
            return
        if visit is not None:
            visit.pinged_us += 1
        key = discv4.sender(packet)
        host, port = sender
        answer = messages.Pong(
            # To where the packet came from, whatever its `from` says: discv4.md, "Ping Packet".
            recipient=messages.Endpoint(
                ip=ipaddress.ip_address(host).packed, udp=port, tcp=message.sender.tcp
            ),
            ping_hash=packet.digest,
            expiration=int(now) + EXPIRY_S,
            enr_seq=self._record.seq,
        )
        self._engine.send(discv4.encode(self._key, answer), sender)
        if visit is not None and key == visit.node.public_key:
            visit.asked_them = True
            if visit.stage is _Stage.PROOF:
                self._open_table(visit, now)
            return
        self._bond_back(key, sender, now)

    def _bond_back(self, key: bytes, sender: Endpoint, now: float) -> None:
        """Ask a stranger for the proof without which its questions are not answered."""
        if sender in self._visits or self._is_bonded(sender, key, now):
            return
        packet = self._ping_packet(sender, now)
        self._strangers[sender] = (packet[:32], key)
        if len(self._strangers) > MAX_STRANGERS:
            self._strangers.popitem(last=False)
        self._engine.send(packet, sender)

    def _bond_with_stranger(
        self, key: bytes, packet: discv4.Opened, message: messages.Pong, sender: Endpoint, now: float
    ) -> None:
        if discv4.is_expired(message.expiration, now) or discv4.sender(packet) != key:
            self._engine.counts["packets nobody asked for"] += 1
            return
        del self._strangers[sender]
        self._bond(sender, key, now)
        host, port = sender
        self._engine.hear_from_stranger(Neighbour(identity.node_id(key), key, host, port, 0), now)

    def _asked(self, packet: discv4.Opened, sender: Endpoint, now: float) -> None:
        """Answer FINDNODE and ENRRequest of those who proved their endpoint, and of nobody else.

        Without the proof, a small packet with a forged sender would have us send a large one to a victim
        (discv4.md, "Endpoint Proof").
        """
        if not self._answers.take(now):
            self._engine.counts["strangers left unanswered"] += 1
            return
        message = discv4.message(packet)
        assert isinstance(message, messages.FindNode | messages.EnrRequest)  # noqa: S101 - the kind says so
        if discv4.is_expired(message.expiration, now):
            self._engine.counts["expired packets"] += 1
            return
        if not self._is_bonded(sender, discv4.sender(packet), now):
            self._engine.counts["questions without a proof of endpoint"] += 1
            return
        if isinstance(message, messages.EnrRequest):
            answer = messages.EnrResponse(request_hash=packet.digest, record=enr.encode(self._record))
            self._engine.send(discv4.encode(self._key, answer), sender)
            return
        entries = self._table.closest(keccak256(message.target), BUCKET_SIZE)
        for start in range(0, len(entries), MAX_NEIGHBORS) or (0,):
            part = tuple(entries[start : start + MAX_NEIGHBORS])
            neighbours = messages.Neighbors(nodes=part, expiration=int(now) + EXPIRY_S)
            self._engine.send(discv4.encode(self._key, neighbours), sender)

    # What we remember.

    def _sender(self, visit: _Visit4, packet: discv4.Opened) -> bytes | None:
        """Return the key that signed a packet; a signature that fits no key is noted."""
        try:
            return discv4.sender(packet)
        except WireError:
            self._engine.counts["bad signatures"] += 1
            visit.trouble = Outcome.BAD_SIGNATURE
            return None

    def _bond(self, endpoint: Endpoint, key: bytes, now: float) -> None:
        self._bonds[endpoint, key] = now
        self._bonds.move_to_end((endpoint, key))
        if len(self._bonds) > MAX_STRANGERS:
            self._bonds.popitem(last=False)

    def _is_bonded(self, endpoint: Endpoint, key: bytes, now: float) -> bool:
        at = self._bonds.get((endpoint, key))
        return at is not None and now - at < BOND_S

    def _remember(self, visit: _Visit4) -> None:
        node, (host, port) = visit.node, visit.endpoint
        if node.public_key is not None:
            self._table.add(
                messages.Neighbor(ipaddress.ip_address(host).packed, port, node.tcp or 0, node.public_key)
            )

    def _end(self, visit: _Visit4, outcome: Outcome) -> None:
        if self._visits.get(visit.endpoint) is visit:
            del self._visits[visit.endpoint]
        self._engine.end(visit, outcome)


def _table(visit: _Visit4) -> TableWalk:
    if visit.table is None:
        raise AssertionError("the table of a node that is not walked was asked for")
    return visit.table
