"""The nodes that are still to be asked, in an order that no liar can bend far.

Whoever invents thousands of neighbours only makes the line of his own network longer: the lines of all
networks that told of something are served in turn. What two networks told of comes before what only
one did, and the boot nodes come first.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from enum import IntEnum

from concentra.collect.crawl.known_nodes import KnownNode


class Standing(IntEnum):
    """How well vouched for a node is that nobody has asked yet."""

    SEED = 0
    """From the network's definition, a signed list or the user."""
    CONFIRMED = 1
    """Told of by at least two networks."""
    HEARSAY = 2
    """Told of by one."""


class Frontier:
    """Queues of nodes, one for each standing and network that told of them, and those that must wait.

    A node may stand in several queues after its standing rose; it comes out once.
    """

    def __init__(self) -> None:
        self._queues: tuple[_FairQueue, ...] = tuple(_FairQueue() for _ in Standing)
        self._waiting: list[tuple[float, int, str]] = []
        """When the next node of a network may come out: one entry a line, however long that is."""
        self._lines: dict[str, deque[KnownNode]] = {}
        self._due: set[str] = set()
        self._crowded: dict[str, deque[KnownNode]] = {}
        self._queued: dict[bytes, Standing] = {}
        self._entries = 0

    def __len__(self) -> int:
        """How many nodes will be asked without anything further happening."""
        return len(self._queued)

    def add(self, node: KnownNode, standing: Standing, announcer: str) -> None:
        """Put a node into the queue of the network `announcer`; again only if its standing is better now."""
        before = self._queued.get(node.node_id)
        if before is None or standing < before:
            self._queued[node.node_id] = standing
            self._queues[standing].push(announcer, node)

    def pop(self, now: float) -> KnownNode | None:
        """Take out the node to ask next; None if there is none at this moment."""
        while self._waiting and self._waiting[0][0] <= now:
            prefix = heapq.heappop(self._waiting)[2]
            self._due.discard(prefix)
            line = self._lines[prefix]
            node = line.popleft()
            if not line:
                del self._lines[prefix]
            if self._queued.pop(node.node_id, None) is not None:
                return node
            self.resume(prefix, now)
        for queue in self._queues:
            while (found := queue.pop()) is not None:
                if self._queued.pop(found.node_id, None) is not None:
                    return found
        return None

    def wait(self, node: KnownNode, prefix: str, until: float) -> None:
        """Put a node at the end of the line of its network, which was contacted a moment ago."""
        self._queued[node.node_id] = Standing.SEED
        self._lines.setdefault(prefix, deque()).append(node)
        self.resume(prefix, until)

    def resume(self, prefix: str, at: float) -> None:
        """Let the next node in the line of a network come out at `at`; a line that has its time keeps it."""
        if prefix in self._lines and prefix not in self._due:
            self._entries += 1
            self._due.add(prefix)
            heapq.heappush(self._waiting, (at, self._entries, prefix))

    def crowd(self, node: KnownNode, prefix: str) -> None:
        """Set a node aside whose network has used up its contacts, until `relieve` lets it back."""
        self._crowded.setdefault(prefix, deque()).append(node)

    def relieve(self, prefix: str, count: int) -> None:
        """Let up to `count` nodes of `prefix` back into the queue, since one of their neighbours answered."""
        aside = self._crowded.get(prefix)
        while aside and count:
            self.add(aside.popleft(), Standing.HEARSAY, prefix)
            count -= 1
        if aside is not None and not aside:
            del self._crowded[prefix]

    def crowded(self) -> Iterator[KnownNode]:
        """Yield the nodes that were set aside and never let back."""
        for aside in self._crowded.values():
            yield from aside

    def next_at(self) -> float | None:
        """Return when a waiting node may be asked; None if none waits."""
        return self._waiting[0][0] if self._waiting else None

    def is_idle(self) -> bool:
        """Tell whether nothing can be taken out before `next_at`."""
        return not any(self._queues)


class _FairQueue:
    """First in, first out for each key, and one of each key in turn."""

    def __init__(self) -> None:
        self._lines: dict[str, deque[KnownNode]] = {}
        self._turns: deque[str] = deque()

    def __bool__(self) -> bool:
        return bool(self._turns)

    def push(self, key: str, node: KnownNode) -> None:
        line = self._lines.get(key)
        if line is None:
            self._lines[key] = deque((node,))
            self._turns.append(key)
        else:
            line.append(node)

    def pop(self) -> KnownNode | None:
        if not self._turns:
            return None
        key = self._turns.popleft()
        line = self._lines[key]
        node = line.popleft()
        if line:
            self._turns.append(key)
        else:
            del self._lines[key]
        return node
