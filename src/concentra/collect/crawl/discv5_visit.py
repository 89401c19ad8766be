"""What one visit over discv5.1 asked so far, what came of it, and how often it may still ask."""

from __future__ import annotations

from concentra.collect.crawl.budget import TokenBucket
from concentra.collect.crawl.discv5_walk import TableWalk
from concentra.collect.crawl.engine import Visit
from concentra.collect.crawl.known_nodes import Endpoint, KnownNode
from concentra.model.crawl import Outcome
from concentra.wire.discv5_messages import MAX_RECORDS, FindNode, Message, Ping

NO_DISTANCE = ()
OWN_RECORD = (0,)

TRIES = 3
"""How often a question is asked before it counts as unanswered."""
TRIES_WHEN_CHALLENGED = 5
"""How often the first is, if the node wanted a handshake: it is there, and four packets must get through."""
TRIES_FOR_THE_REST = 2
"""How often a question is asked if a part of the answer came."""

# Lighthouse bans for an hour whoever sends it more than 8 packets at once, or later 8 a second
# (sigp/discv5, src/socket/filter/mod.rs), and Lodestar has such a limit, too. Most visits need no more than
# the burst; the others take longer.
BURST = 6
RATE = 6.0
"""Packets that one visit sends: so many at once, and so many a second then."""


class Question:
    """One PING or FINDNODE over all its tries, and what came in answer to them.

    Parameters
    ----------
    distances : tuple of int
        Log distances to ask for; none for PING.
    """

    __slots__ = ("_parts", "distances", "found", "new", "tries")

    def __init__(self, distances: tuple[int, ...]) -> None:
        self.distances = distances
        self.tries = 0
        self.found: dict[bytes, int] = {}
        """Log distance of each node in the answer."""
        self.new = 0
        """How many of them the crawl had not heard of."""
        self._parts: dict[bytes, set[bytes]] = {}

    def message(self, request_id: bytes, *, enr_seq: int) -> Message:
        """Return what to send; `enr_seq` is that of our own record."""
        if not self.distances:
            return Ping(request_id=request_id, enr_seq=enr_seq)
        return FindNode(request_id=request_id, distances=self.distances)

    def take_part(self, request_id: bytes, first: bytes, *, total: int) -> bool:
        """Note a packet of the answer, and return whether all of it came.

        Parameters
        ----------
        request_id : bytes
            Which try it answers.
        first : bytes
            ID of the first node in it: if the packet came before, this says so. Empty if there is none.
        total : int
            Of how many packets the answer consists, as it says itself.
        """
        parts = self._parts.setdefault(request_id, set())
        parts.add(first)
        return len(parts) >= total or len(self.found) >= MAX_RECORDS

    @property
    def is_answered(self) -> bool:
        """Whether anything came."""
        return bool(self._parts)


class Discv5Visit(Visit):
    """A visit of the engine, with its questions."""

    __slots__ = (
        "asked",
        "challenged_at",
        "is_proved",
        "number",
        "pace",
        "question",
        "told",
        "trouble",
        "walk",
    )

    def __init__(self, node: KnownNode, endpoint: Endpoint, *, walks: bool) -> None:
        super().__init__(node, endpoint, walks=walks)
        self.number = int.from_bytes(node.node_id, "big")
        """The node ID."""
        self.question = Question(NO_DISTANCE)
        """The present one."""
        self.walk: TableWalk | None = None
        """Where the present question comes from; None before the table's turn."""
        self.asked: dict[bytes, tuple[Question, float]] = {}
        """By request ID, every question and when it was sent."""
        self.challenged_at = 0.0
        """When a handshake was last wanted of us; 0 if never."""
        self.is_proved = False
        """Whether the node answered."""
        self.pace = TokenBucket(RATE, burst=BURST)
        self.told: set[bytes] = set()
        """IDs of the nodes that it told of."""
        self.trouble: Outcome | None = None
        """What it gets if it does not answer, in place of a time-out."""

    @property
    def may_ask_again(self) -> bool:
        """Whether the present question may be sent once more."""
        if self.question.is_answered:
            tries = TRIES_FOR_THE_REST
        elif self.challenged_at and not self.is_proved:
            tries = TRIES_WHEN_CHALLENGED
        else:
            tries = TRIES
        return self.question.tries < tries

    def sent(self, request_id: bytes, now: float) -> None:
        """Note that the present question went out."""
        self.question.tries += 1
        self.asked[request_id] = (self.question, now)

    def cannot_ask(self) -> None:
        """Note that the present question cannot be asked at all."""
        self.question.tries = TRIES_WHEN_CHALLENGED
        self.trouble = Outcome.MALFORMED
