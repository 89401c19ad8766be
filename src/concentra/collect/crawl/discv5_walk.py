"""Which buckets of a table are asked for over discv5, in which order, and when it is enough.

FINDNODE names log distances and is answered with sixteen records at most. A table knows sixteen of the half
of all nodes that are at distance 256, sixteen of the quarter at 255, and so on, until a bucket is not full:
from there inward it knows everybody, and each bucket has half as many as the one before.

* A walk begins with what is near, several distances in one question. Nobody else may know those nodes, since
  a newcomer finds room only in buckets that are not full.
* Then come the full buckets, the farthest first, a question each, until several in a row brought nobody of
  whom the crawl had not heard. They overlap: of 40,000 nodes, 10,000 of them live, every one was found with
  six questions a node where reading whole tables takes fourteen.
* In a network of a few dozen nodes everything is near, and one or two questions read a whole table.
"""

from __future__ import annotations

from collections.abc import Sequence

from concentra.wire.discv5_messages import MAX_RECORDS

FARTHEST = 256
NEAREST = 240
"""Nearer than this lies one node in 131,072. geth keeps all of those together with distance 240 [1]_.

.. [1] https://github.com/ethereum/go-ethereum, p2p/discover/table.go, `bucketAtDistance`
"""

MAX_DISTANCES = 10
"""In one question; versions of sigp/discv5 refuse more (src/rpc.rs at 01d834c)."""

QUIET = 4
"""Buckets in a row that bring nobody new before a walk ends."""

ROOM = MAX_RECORDS // 2
"""Records in an answer that leave room for those of the next farther bucket, which has as many again."""

STEP, STEP_BACK = 1 / 8, 1 / 2
"""By how much one walk moves the reach out and in: a liar in ten, with whatever table, cannot bend it far."""


class Reach:
    """How far from a node everything it knows fits into one answer; learned from the walks so far.

    Examples
    --------
    >>> reach = Reach()
    >>> reach.distance
    256
    >>> reach.was_cut_off()
    >>> reach.distance
    255
    """

    __slots__ = ("_distance",)

    def __init__(self) -> None:
        self._distance = float(FARTHEST)

    @property
    def distance(self) -> int:
        """The farthest log distance to include."""
        return int(self._distance)

    def was_cut_off(self) -> None:
        """Learn that an answer that reached so far was full, and may lack somebody."""
        self._distance = max(NEAREST, self._distance - STEP_BACK)

    def had_room(self) -> None:
        """Learn that half of one was left."""
        self._distance = min(FARTHEST, self._distance + STEP)


class TableWalk:
    """The questions to one node, each chosen after the answer to the one before.

    Parameters
    ----------
    reach : Reach
        Shared by all walks of a crawl.

    Examples
    --------
    >>> walk = TableWalk(Reach())
    >>> question = walk.next_question()
    >>> question
    (256, 255, 254, 253, 252, 251, 250, 249, 248, 247)
    >>> walk.answered(question, at=[256, 256, 255, 253], new=4)
    >>> walk.next_question()
    (246, 245, 244, 243, 242, 241, 240)
    >>> walk.next_question() is None
    True
    """

    __slots__ = ("_far", "_first", "_near", "_quiet", "_reach", "_reached")

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._reached = reach.distance
        self._near = [
            tuple(range(first, max(first - MAX_DISTANCES, NEAREST - 1), -1))
            for first in range(self._reached, NEAREST - 1, -MAX_DISTANCES)
        ][::-1]
        self._first = self._near[-1]
        self._far = FARTHEST
        self._quiet = 0

    def next_question(self) -> tuple[int, ...] | None:
        """Return the distances to ask for now; None if the walk is over."""
        if self._near:
            return self._near.pop()
        if self._far <= self._reached or self._quiet == QUIET:
            return None
        self._far -= 1
        return (self._far + 1,)

    def answered(self, question: tuple[int, ...], *, at: Sequence[int], new: int) -> None:
        """Choose what to ask after the answer to `question`.

        Parameters
        ----------
        question : tuple of int
            As from `next_question`.
        at : sequence of int, shape (n_records,)
            Log distance of each record in the answer.
        new : int
            How many of them the crawl had not heard of.
        """
        is_full = len(at) >= MAX_RECORDS
        if question == self._first:
            if is_full:
                self._reach.was_cut_off()
            elif len(at) < ROOM:
                self._reach.had_room()
        if question[0] > self._reached:
            self._quiet = 0 if new else self._quiet + 1
        elif is_full and len(question) > 1:
            self._near.append(question[1:])
            is_of_one_bucket = all(distance == question[0] for distance in at)
            if not is_of_one_bucket:  # else that one is full, and all of it came
                self._near.append(question[:1])
