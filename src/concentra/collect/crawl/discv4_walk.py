"""Which buckets of a table are asked for over discv4, one after the other, and when it was read whole.

A question names a target and is answered with the sixteen nodes nearest to it, in one packet or more. Packets
name no question, so that what they hold has to tell: `concentra.wire.lookup_targets` says how an answer is
ordered, and when a table was read to its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto

from concentra.collect.crawl.announcements import Neighbour
from concentra.wire import identity
from concentra.wire.discv4_messages import MAX_NEIGHBORS
from concentra.wire.kademlia import BUCKET_SIZE, ID_BITS, log_distance
from concentra.wire.lookup_targets import (
    MAX_DISTANCE,
    MIN_DISTANCE,
    LookupTargets,
    is_ordered,
    key_target,
)

FARTHER_KEYS = 8 * identity.PUBLIC_KEY_SIZE - ID_BITS
"""By how many bits the distance of two keys is longer than that of their hashes."""


class Part(Enum):
    """What a packet was to the question of the moment."""

    MORE = auto()
    """A part of the answer."""
    LAST = auto()
    """The part that makes the answer complete."""
    STRAY = auto()
    """No part of it."""
    CHANGED = auto()
    """The answer of a peer that measures otherwise: the question is another one now, to be asked."""


class TableWalk:
    """The questions to one node about its table, each chosen after the answer to the one before.

    Parameters
    ----------
    node_id : bytes, 32
    public_key : bytes, 64
        Of the node that is asked.
    targets : LookupTargets

    Examples
    --------
    >>> from concentra.wire.keccak import keccak256
    >>> keys = [bytes((n,)) * 64 for n in range(1, 4)]
    >>> peer, *others = [Neighbour(keccak256(key), key, "192.0.2.1", 30303, 30303) for key in keys]
    >>> walk = TableWalk(peer.node_id, peer.public_key, LookupTargets())
    >>> walk.take(others), walk.told, walk.next_question()
    (<Part.MORE: 1>, 2, None)
    """

    __slots__ = (
        "_answer",
        "_by_key",
        "_distance",
        "_is_last",
        "_is_news",
        "_node_id",
        "_packets",
        "_public_key",
        "_targets",
        "_told",
        "target",
    )

    def __init__(self, node_id: bytes, public_key: bytes, targets: LookupTargets) -> None:
        self._node_id = node_id
        self._public_key = public_key
        self._targets = targets
        self._by_key = False
        """Whether the peer measures distance between keys, and not between their hashes."""
        self._distance = MAX_DISTANCE
        self._answer: set[bytes] = set()
        """Nodes in the answer to the present question."""
        self._is_news = False
        """Whether one of them was not in an earlier answer."""
        self._is_last = False
        """Whether one of them is farther than the bucket asked for: nearer ones all came before it."""
        self._packets: set[tuple[bytes, ...]] = set()
        """All packets so far, each as the nodes in it."""
        self._told: set[bytes] = set()
        self.target = self._target()
        """What the present question looks for, 64 bytes."""

    @property
    def told(self) -> int:
        """How many distinct nodes the peer told of."""
        return len(self._told)

    @property
    def is_answered(self) -> bool:
        """Whether a part of the answer to the present question came."""
        return bool(self._answer)

    @property
    def lacks_a_part(self) -> bool:
        """Whether an answer, or its second packet, seems to be lost: only the last one may be shorter."""
        return len(self._answer) in (0, MAX_NEIGHBORS) and not self._is_last

    def is_repeated(self, packet: Sequence[Neighbour]) -> bool:
        """Tell whether a packet is a part of the answer to an earlier question, come again.

        What was asked twice, since the answer was slow, is answered twice. To the present question it would
        look like the answer that ends a table: all nodes in it are farther than the bucket asked for.
        """
        node_ids = tuple([node.node_id for node in packet])
        return node_ids in self._packets and not self._answer.issuperset(node_ids)

    @property
    def room(self) -> int:
        """How many nodes the answer to the present question may still get: sixteen are an answer."""
        return BUCKET_SIZE - len(self._answer)

    def further(self, packet: Sequence[Neighbour]) -> Sequence[Neighbour]:
        """Return the nodes in a packet that are not yet in the answer."""
        return [node for node in packet if node.node_id not in self._answer]

    def take(self, nodes: Sequence[Neighbour]) -> Part:
        """Take the `further` nodes of a packet, no more than there is room for, and return what they were.

        Nodes that do not come nearest first are no answer of a peer that hashes the target. To the first
        question, ethereumjs answers like that, which compares keys and hashes nothing: it is asked again in
        its own terms. Later it is the rest of an earlier answer: reth sends its whole table.
        """
        node_ids = tuple([node.node_id for node in nodes])
        before = len(self._told)
        self._told.update(node_ids)
        if not self._by_key and not is_ordered(self.target, node_ids):
            if self._distance < MAX_DISTANCE:
                return Part.STRAY
            self._by_key = True
            self._ask()
            self._told.clear()  # it is told again, bucket by bucket; an old bucket must not look like the end
            return Part.CHANGED
        self._packets.add(node_ids)
        self._answer.update(node_ids)
        self._is_news = self._is_news or len(self._told) > before
        # The farthest come last. Of a peer that keeps no order, one that is missed costs a question.
        self._is_last = self._is_last or bool(nodes and self._is_beyond(nodes[-1]))
        return Part.LAST if len(self._answer) == BUCKET_SIZE else Part.MORE

    def next_question(self) -> bytes | None:
        """Go on to the next nearer bucket and return its target; None if all was told, or nothing new."""
        full = len(self._answer) == BUCKET_SIZE
        if not full or self._is_last or not self._is_news or self._distance == MIN_DISTANCE:
            return None
        self._distance -= 1
        self._ask()
        return self.target

    def _ask(self) -> None:
        self._answer.clear()
        self._is_news = self._is_last = False
        self.target = self._target()

    def _target(self) -> bytes:
        if self._by_key:
            return key_target(self._public_key, self._distance + FARTHER_KEYS)
        return self._targets.target(self._node_id, self._distance)

    def _is_beyond(self, told: Neighbour) -> bool:
        """Tell whether a node is farther than the bucket asked for, as the peer that tells of it measures."""
        if self._by_key:
            return log_distance(self._public_key, told.public_key) - FARTHER_KEYS > self._distance
        return log_distance(self._node_id, told.node_id) > self._distance
