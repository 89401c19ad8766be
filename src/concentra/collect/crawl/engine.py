"""The crawl engine: takes nodes from the frontier while the budget lasts, and keeps what became of each.

It is the same for every discovery protocol. A driver speaks the protocol; the engine decides whom to ask
and when, and hears from the driver what was learned. Time comes in as an argument, in seconds since 1970
that never go back; datagrams come in and go out as bytes.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from concentra.collect.crawl.admission import CONTACTS_PER_ANSWER, Admission, Crowding, prefix_of
from concentra.collect.crawl.announcements import Neighbour
from concentra.collect.crawl.budget import PrefixPace, TokenBucket
from concentra.collect.crawl.frontier import Frontier, Standing
from concentra.collect.crawl.known_nodes import (
    ENOUGH_ANNOUNCERS,
    Endpoint,
    KnownNode,
    node_of,
    was_contacted,
)
from concentra.collect.crawl.patience import Patience
from concentra.model.crawl import ANSWERING, CrawlSource, Outcome

LONGEST_VISIT_S = 60.0
"""A visit ends then, however much the node still sends; a whole table takes some seconds."""

OPEN_ADDRESSES = 20_000
"""Addresses of which is kept whether anything may be sent there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How fast and how much; the defaults are those of a polite crawl."""

    rate: float = 50.0
    """Nodes that are asked in a second, at most."""
    prefix_rate: float = 2.0
    """Nodes that are asked in a second in one /24 or /48, at most."""
    in_flight: int = 1024
    """Nodes that are asked at the same time, at most."""
    nodes: int = 1_000_000
    """Nodes that are remembered, at most; further ones are counted and forgotten."""


class Visit:
    """One round of questions to one node; drivers keep what they need in subclasses."""

    __slots__ = ("began", "deadline", "endpoint", "node", "scheduled", "walks")

    def __init__(self, node: KnownNode, endpoint: Endpoint, *, walks: bool) -> None:
        self.node = node
        self.endpoint = endpoint
        self.walks = walks
        """Whether to ask for its table, and not only whether it is there."""
        self.began: float | None = None
        """For the engine: when something was first waited for."""
        self.deadline: float | None = None
        """When to give up waiting; None while nothing is waited for."""
        self.scheduled: float | None = None
        """For the engine: when it will look at the deadline next."""


class Driver(Protocol):
    """Speaks one discovery protocol; tells the engine, which it was built with, what it learns."""

    def begin(self, node: KnownNode, endpoint: Endpoint, now: float, *, walks: bool) -> Visit | None:
        """Send the first packet to a node; None if the endpoint is busy with another identity."""
        ...

    def received(self, data: bytes, sender: Endpoint, now: float) -> None:
        """Take one datagram, whoever sent it."""
        ...

    def overdue(self, visit: Visit, now: float) -> None:
        """Ask again, go on, or end the visit, whose deadline has passed."""
        ...

    def cut_off(self, visit: Visit) -> None:
        """End a visit as it stands."""
        ...

    def unreachable(self, endpoint: Endpoint, outcome: Outcome, now: float) -> None:
        """Take what the system reports of an endpoint: refused or unreachable."""
        ...


class Engine:
    """Frontier, budget and patience of one walk.

    Parameters
    ----------
    source : CrawlSource
        The list that nodes learned in this walk go onto.
    admission : Admission
    limits : Limits
    """

    def __init__(self, source: CrawlSource, admission: Admission, limits: Limits) -> None:
        self.source = source
        self.limits = limits
        self.patience = Patience()
        self.nodes: dict[bytes, KnownNode] = {}
        """Every node that is known, by its ID."""
        self.counts: Counter[str] = Counter()
        """Events that belong to no node."""
        self.outbox: list[tuple[bytes, Endpoint]] = []
        """Datagrams to send, in order; whoever sends them empties it."""
        self.answered: list[KnownNode] = []
        """Nodes whose visit ended well since this was last emptied, for whoever goes on with them."""
        self._driver: Driver | None = None
        self._admission = admission
        self._crowding = Crowding()
        self._frontier = Frontier()
        self._bucket = TokenBucket(limits.rate, burst=max(1.0, limits.rate / 10))
        self._pace = PrefixPace(limits.prefix_rate)
        self._in_flight: dict[bytes, Visit] = {}
        self._deadlines: list[tuple[float, int, Visit]] = []
        self._scheduled = 0
        self._changed: set[bytes] = set()
        self._asked = 0
        self._answering = 0
        self._only_checked: set[bytes] = set()
        self._asked_anew: set[bytes] = set()
        self._held: list[KnownNode] = []
        self._open: dict[str, bool] = {}

    def drive(self, driver: Driver) -> None:
        """Give the engine the driver, which was built with it."""
        self._driver = driver

    @property
    def asked(self) -> int:
        """Nodes that were sent a packet."""
        return self._asked

    @property
    def answering(self) -> int:
        """Nodes that answered."""
        return self._answering

    @property
    def waiting(self) -> int:
        """Nodes that are still to be asked."""
        return len(self._frontier) + len(self._in_flight)

    # What is known beforehand.

    def seed(self, neighbour: Neighbour, source: CrawlSource, now: float, *, walks: bool = True) -> None:
        """Add a node that somebody trusted names.

        Parameters
        ----------
        walks : bool
            Whether its table is read. If not, it is asked whether it is there and nothing else, so that
            the walk stays a list of its own.
        """
        node = self.nodes.get(neighbour.node_id)
        if node is None:
            node = self._new_node(neighbour, source, now)
            if node is None:
                return
            if not walks:
                self._only_checked.add(node.node_id)
            self._consider(node, Standing.SEED, source.value)
            return
        if node.add_source(source):
            self._changed.add(node.node_id)
        self._told_of_place(node, neighbour, source.value)

    def restore(self, node: KnownNode, *, cut_off: bool = False) -> None:
        """Take up a node as an interrupted crawl left it: it is asked unless it was.

        Parameters
        ----------
        cut_off : bool
            Whether the interruption may have come while it was telling its table: then it is asked anew.
        """
        self.nodes[node.node_id] = node
        is_listed = not {self.source, CrawlSource.INBOUND}.intersection(node.sources)
        if is_listed:
            self._only_checked.add(node.node_id)
        if was_contacted(node):
            self._asked += 1
            if node.endpoint is not None:
                self._crowding.contacted(prefix_of(node.endpoint[0]))
        if node.outcome in ANSWERING and node.endpoint is not None:
            self._answering += 1
            self._crowding.answered(prefix_of(node.endpoint[0]))
            if self._admission.refusal(node.node_id, *node.endpoint) in (None, Outcome.ASKED_RECENTLY):
                self.answered.append(node)
            if cut_off:
                self._asked_anew.add(node.node_id)
        if is_listed and not was_contacted(node):
            self._held.append(node)
        elif cut_off or not was_contacted(node):
            self._consider(node, Standing.CONFIRMED if node.announcers > 1 else Standing.HEARSAY, "resumed")

    def release(self) -> None:
        """Queue the nodes that only lists named before an interruption: their turn comes after the walks."""
        held, self._held = self._held, []
        for node in held:
            if node.node_id in self._only_checked and not was_contacted(node):
                self._consider(node, Standing.SEED, "resumed")

    # What drivers call.

    def send(self, data: bytes, endpoint: Endpoint) -> None:
        """Queue a datagram, unless it would go where this crawl sends nothing: senders can be forged."""
        if self._is_open(endpoint[0]):
            self.outbox.append((data, endpoint))
        else:
            self.counts["packets withheld from special addresses"] += 1

    def wait(self, visit: Visit, now: float, seconds: float | None = None) -> None:
        """Have `overdue` called for a visit after `seconds`, or after the time-out of this moment."""
        if visit.began is None:
            visit.began = now
        deadline = now + (self.patience.timeout_s if seconds is None else seconds)
        # Whoever trickles packets that change nothing would else be visited for ever.
        deadline = min(deadline, visit.began + LONGEST_VISIT_S)
        visit.deadline = deadline
        if visit.scheduled is None or deadline < visit.scheduled:
            self._schedule(visit, deadline)

    def news(self, neighbours: Iterable[Neighbour], now: float) -> list[Neighbour]:
        """Return those that `learn` would learn from; the others were told of once more, which is noted."""
        news = []
        for told in neighbours:
            node = self.nodes.get(told.node_id)
            if node is not None and _is_common(node, told):
                node.last_seen = now
            else:
                news.append(told)
        return news

    def learn(self, announcer: Endpoint, neighbours: Iterable[Neighbour], now: float) -> int:
        """Take what `announcer` told of other nodes, and return how many of them nobody had told of."""
        network = prefix_of(announcer[0])
        new = 0
        for neighbour in neighbours:
            node = self.nodes.get(neighbour.node_id)
            if node is None:
                node = self._new_node(neighbour, self.source, now)
                if node is None:
                    continue
                new += 1
                node.announced_by(network)
                self._consider(node, Standing.HEARSAY, network)
            elif _is_common(node, neighbour):
                node.last_seen = now
            else:
                self._hear_again(node, neighbour, network, now)
        return new

    def hear_of(self, network: str, node_id: bytes, seq: int, now: float) -> bool:
        """Note that somebody in `network` has a record of a node, and return whether ours is as new.

        If it is not, the record is news, which `learn` takes.
        """
        node = self.nodes.get(node_id)
        if node is None or node.seq is None or seq > node.seq:
            return False
        if node.announcers < ENOUGH_ANNOUNCERS:
            self._count_announcer(node, network, now, agrees=True)
        node.last_seen = now
        return True

    def hear_from_stranger(self, neighbour: Neighbour, now: float) -> None:
        """Take note of a node that sent us a packet of its own accord and proved its key."""
        node = self.nodes.get(neighbour.node_id)
        if node is None:
            node = self._new_node(neighbour, CrawlSource.INBOUND, now)
            if node is not None:
                self._consider(node, Standing.HEARSAY, prefix_of(neighbour.address))
            return
        if node.add_source(CrawlSource.INBOUND):
            self._changed.add(node.node_id)
        self._told_of_place(node, neighbour, prefix_of(neighbour.address))

    def take_record(self, node: KnownNode, record: Neighbour, now: float) -> None:
        """Take the record that a node gave of itself."""
        node.take_record(record)
        node.last_seen = now
        self._changed.add(node.node_id)

    def end(self, visit: Visit, outcome: Outcome) -> None:
        """End a visit: the node answered, or is tried at the next place where it is said to be."""
        node = visit.node
        visit.deadline = None
        if self._in_flight.get(node.node_id) is not visit:  # the node answered late where it was asked before
            return
        del self._in_flight[node.node_id]
        if node.outcome in ANSWERING:  # as `prove` noted
            self._changed.add(node.node_id)
            self.answered.append(node)
            return
        node.outcome = outcome
        self._changed.add(node.node_id)
        node.tried += 1
        if node.tried < len(node.places):
            if visit.endpoint in node.places:  # else a newer record or another node's word displaced it
                node.places.remove(visit.endpoint)
                node.places.append(visit.endpoint)
            self._consider(node, Standing.CONFIRMED, prefix_of(node.places[0][0]))

    def prove(self, visit: Visit, rtt_s: float, now: float, *, late: bool = False) -> None:
        """Note that a node proved to hold its key at the endpoint of a visit, which may go on."""
        node = visit.node
        self.patience.answered(rtt_s)
        was_known = node.outcome in ANSWERING
        if not was_known:
            node.outcome = Outcome.ANSWERED_LATE if late else Outcome.ANSWERED
        if late:
            visit.began = now
            elsewhere = self._in_flight.get(node.node_id)
            self._in_flight[node.node_id] = visit
            if elsewhere is not None and elsewhere is not visit:
                self._require_driver().cut_off(elsewhere)
        if was_known:
            return
        node.last_seen = now
        node.rtt_s = rtt_s
        node.put_first(visit.endpoint)
        self._answering += 1
        self._changed.add(node.node_id)
        prefix = prefix_of(visit.endpoint[0])
        self._crowding.answered(prefix)
        self._frontier.relieve(prefix, CONTACTS_PER_ANSWER)

    # What the loop calls.

    def received(self, data: bytes, sender: Endpoint, now: float) -> None:
        """Take a datagram from the socket."""
        self._require_driver().received(data, sender, now)

    def unreachable(self, endpoint: Endpoint, outcome: Outcome, now: float) -> None:
        """Take an error of an endpoint from the socket."""
        self._require_driver().unreachable(endpoint, outcome, now)

    def advance(self, now: float) -> None:
        """Give up on what is overdue, and ask as many nodes as the budget allows."""
        driver = self._require_driver()
        while self._deadlines and self._deadlines[0][0] <= now:
            at, _, visit = heapq.heappop(self._deadlines)
            if visit.scheduled != at:
                continue
            visit.scheduled = None
            if visit.deadline is None:
                continue
            if visit.deadline > now:
                self._schedule(visit, visit.deadline)
                continue
            self.patience.lagged(now - visit.deadline)
            visit.deadline = None
            if visit.began is not None and now >= visit.began + LONGEST_VISIT_S:
                self.counts["visits cut off"] += 1
                driver.cut_off(visit)
            else:
                driver.overdue(visit, now)
        while len(self._in_flight) < self.limits.in_flight and self._bucket.is_ready(now):
            node = self._frontier.pop(now)
            if node is None:
                return
            if self._is_to_be_asked(node):
                self._visit(driver, node, now)
            if node.endpoint is not None:
                prefix = prefix_of(node.endpoint[0])
                self._frontier.resume(prefix, self._pace.next_at(prefix, now))

    def next_deadline(self, now: float) -> float | None:
        """Return when `advance` will have something to do; None if only a datagram can bring anything."""
        times = []
        if self._deadlines:
            times.append(self._deadlines[0][0])
        if len(self._in_flight) < self.limits.in_flight:
            if not self._frontier.is_idle():
                times.append(self._bucket.ready_at(now))
            else:
                next_at = self._frontier.next_at()
                if next_at is not None:
                    times.append(max(next_at, self._bucket.ready_at(now)))
        return min(times) if times else None

    def is_done(self) -> bool:
        """Tell whether nobody is left to ask and nothing is waited for."""
        return not self._in_flight and not len(self._frontier)

    def close(self) -> None:
        """Give every node that was never asked its final outcome; note of others that they were asked."""
        self._changed.update(self._in_flight)
        for node in self._frontier.crowded():
            if node.outcome is Outcome.NOT_ASKED:
                node.outcome = Outcome.CROWDED
                self._changed.add(node.node_id)

    def changed(self) -> Iterator[KnownNode]:
        """Yield the nodes that changed since this was last called."""
        changed, self._changed = self._changed, set()
        for node_id in changed:
            yield self.nodes[node_id]

    def touch(self, node: KnownNode) -> None:
        """Have a node's rows written again: somebody else learned something of it."""
        self._changed.add(node.node_id)

    def _is_to_be_asked(self, node: KnownNode) -> bool:
        """Tell whether a node from the queue still is: it may have answered late, or been queued twice."""
        if node.node_id in self._in_flight:
            return False
        if node.outcome in ANSWERING:
            return node.node_id in self._asked_anew
        return node.tried < len(node.places)

    def _visit(self, driver: Driver, node: KnownNode, now: float) -> None:
        endpoint = node.endpoint
        if endpoint is None:
            raise AssertionError("a node without an endpoint was queued")
        prefix = prefix_of(endpoint[0])
        if not self._crowding.has_room(prefix):
            self._frontier.crowd(node, prefix)
            return
        ready = self._pace.next_at(prefix, now)
        if ready > now:
            self._frontier.wait(node, prefix, ready)
            return
        visit = driver.begin(node, endpoint, now, walks=node.node_id not in self._only_checked)
        if visit is None:
            self._frontier.wait(node, prefix, now + self.patience.timeout_s)
            return
        self._bucket.take(now)
        self._pace.used(prefix, now)
        self._crowding.contacted(prefix)
        self._in_flight[visit.node.node_id] = visit
        self._asked += node.asked_at is None
        node.asked_at = now

    def _new_node(self, neighbour: Neighbour, source: CrawlSource, now: float) -> KnownNode | None:
        if len(self.nodes) >= self.limits.nodes:
            self.counts["nodes beyond the limit"] += 1
            return None
        node = self.nodes[neighbour.node_id] = node_of(neighbour, source, now)
        self._changed.add(neighbour.node_id)
        return node

    def _hear_again(self, node: KnownNode, neighbour: Neighbour, network: str, now: float) -> None:
        is_same_teller = network == node.last_announcer
        place = (neighbour.address, neighbour.udp)
        is_record = neighbour.seq is not None and neighbour.record is not None
        agrees = is_record or node.outcome in ANSWERING or place in node.places
        self._count_announcer(node, network, now, agrees=agrees)
        if is_record and node.take_record(neighbour):
            self._moved(node, place if neighbour.address else None)
        # One network may name one place: whoever told of a node first could else fill up all that are kept.
        if not agrees and not is_same_teller:
            self._told_of_place(node, neighbour, network)

    def _count_announcer(self, node: KnownNode, network: str, now: float, *, agrees: bool) -> None:
        """Note that a network told of a node; if it is the second one and agrees, the node steps forward."""
        before = node.announcers
        node.announced_by(network)
        node.last_seen = now
        if node.add_source(self.source) or node.announcers != before:
            self._changed.add(node.node_id)
        is_unasked = node.outcome is Outcome.NOT_ASKED and node.node_id not in self._in_flight
        if is_unasked and node.node_id in self._only_checked:  # of a list, and now of the walk as well
            self._only_checked.discard(node.node_id)
            self._consider(node, Standing.CONFIRMED, network)
        elif agrees and is_unasked and before == 1 and node.announcers == 2:
            self._consider(node, Standing.CONFIRMED, network)

    def _told_of_place(self, node: KnownNode, told: Neighbour, announcer: str) -> None:
        """Ask a node where somebody else says it is, unless it answered or is to be asked elsewhere first."""
        place = (told.address, told.udp)
        if told.record is not None and node.take_record(told):
            self._moved(node, place if told.address else None)
            return
        if node.outcome in ANSWERING or not told.address or self._admission.refusal(node.node_id, *place):
            return
        is_unasked = node.outcome is Outcome.NOT_ASKED or node.node_id in self._in_flight
        if node.add_place(place) and not is_unasked:  # it was asked in vain, or could not be asked
            node.put_first(place)
            self._consider(node, Standing.CONFIRMED, announcer)

    def _moved(self, node: KnownNode, endpoint: Endpoint | None) -> None:
        """Ask a node again where its newer record says it is, if it was asked in vain where others had it."""
        self._changed.add(node.node_id)
        if endpoint is None or endpoint == node.endpoint or node.outcome in ANSWERING:
            return
        if node.places and self._admission.refusal(node.node_id, *endpoint) is not None:
            return  # it may be queued already, to be asked where it may be asked
        node.put_first(endpoint)
        node.tried = min(node.tried, len(node.places) - 1)  # another place may have made room for it
        if node.node_id not in self._in_flight:
            self._consider(node, Standing.CONFIRMED, prefix_of(endpoint[0]))

    def _consider(self, node: KnownNode, standing: Standing, announcer: str) -> None:
        """Queue a node, or note why it may not be contacted."""
        endpoint = node.endpoint
        refusal = (
            Outcome.NO_ENDPOINT
            if endpoint is None
            else self._admission.refusal(node.node_id, endpoint[0], endpoint[1])
        )
        if refusal is None:
            self._frontier.add(node, standing, announcer)
        if not was_contacted(node):
            node.outcome = refusal or Outcome.NOT_ASKED
            self._changed.add(node.node_id)

    def _is_open(self, address: str) -> bool:
        """Tell whether anything may be sent to an address; most are sent to several times."""
        found = self._open.get(address)
        if found is None:
            if len(self._open) >= OPEN_ADDRESSES:
                self._open.clear()
            found = self._open[address] = self._admission.is_open(address)
        return found

    def _schedule(self, visit: Visit, at: float) -> None:
        self._scheduled += 1
        visit.scheduled = at
        heapq.heappush(self._deadlines, (at, self._scheduled, visit))

    def _require_driver(self) -> Driver:
        if self._driver is None:
            raise AssertionError("the engine has no driver: call drive() first")
        return self._driver


def _is_common(node: KnownNode, told: Neighbour) -> bool:
    """Tell whether two networks told of a node before, and of it at this place or with a record as new."""
    if node.announcers < ENOUGH_ANNOUNCERS:
        return False
    if told.record is not None:
        return told.seq is not None and node.seq is not None and told.seq <= node.seq
    return node.outcome in ANSWERING or (told.address, told.udp) in node.places
