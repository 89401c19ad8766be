"""How far a crawl has come, and how fast it is at the moment."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

WINDOW_S = 10.0
"""How far back the present rate looks: a crawl slows down when only silent nodes are left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CrawlProgress:
    """How far a crawl has come; with several walks, their nodes are added up."""

    elapsed_s: float
    found: int
    """Nodes that are known."""
    asked: int
    rate_per_s: float
    """Nodes asked a second, of late."""
    answering: int
    waiting: int
    """Nodes that are still to be asked; more come up as others answer."""
    greeted: int
    """RLPx handshakes that were tried."""
    remaining_s: float | None
    """How long those that wait take at the present rate; None while nothing moves."""


class RecentRate:
    """How fast a count grows of late.

    Examples
    --------
    >>> rate = RecentRate()
    >>> for second in range(60):
    ...     rate.saw(float(second), min(second, 30) * 100)
    >>> rate.per_s, rate.seconds_for(5)
    (0.0, None)
    >>> rate.saw(60.0, 3200)
    >>> rate.per_s, rate.seconds_for(5)
    (20.0, 0.25)
    """

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def saw(self, now: float, count: int) -> None:
        """Take in how large the count is at a moment."""
        self._seen.append((now, count))
        while len(self._seen) > 2 and self._seen[1][0] <= now - WINDOW_S:
            self._seen.popleft()

    @property
    def per_s(self) -> float:
        """By how much it grew a second; 0 before there are two moments to compare."""
        if len(self._seen) < 2:
            return 0.0
        (since, before), (now, count) = self._seen[0], self._seen[-1]
        return (count - before) / (now - since) if now > since else 0.0

    def seconds_for(self, more: int) -> float | None:
        """Return how long it takes to grow by `more`; None if it stands still."""
        if not more:
            return 0.0
        return more / self.per_s if self.per_s else None
