"""How long to wait for an answer: learned from those that came, late ones included."""

from __future__ import annotations

SHORTEST_S = 0.35
"""Round trips around the world take up to 0.3 s; below that a time-out would mistake distance for silence."""

LONGEST_S = 3.0
"""Nobody who answers later than this is waited for; if one does, that is counted as late."""

FIRST_S = 1.0
"""Before the first answer; RFC 6298, section 2.1, has the same for TCP."""


class Patience:
    """The time-out, as TCP adapts its own (RFC 6298, section 2), and how late we are ourselves.

    A crawler that is busy reads an answer long after it came. What its own loop lags behind is added
    to every time-out, since otherwise the busiest moment would lose the most nodes.

    Examples
    --------
    >>> patience = Patience()
    >>> patience.timeout_s
    1.0
    >>> for _ in range(50):
    ...     patience.answered(0.02)
    >>> patience.timeout_s == SHORTEST_S
    True
    """

    __slots__ = ("_deviation", "_lag", "_smoothed")

    def __init__(self) -> None:
        self._smoothed: float | None = None
        self._deviation = 0.0
        self._lag = 0.0

    def answered(self, rtt_s: float) -> None:
        """Learn from an answer that took `rtt_s`."""
        if self._smoothed is None:
            self._smoothed, self._deviation = rtt_s, rtt_s / 2
            return
        self._deviation += (abs(self._smoothed - rtt_s) - self._deviation) / 4
        self._smoothed += (rtt_s - self._smoothed) / 8

    def lagged(self, lag_s: float) -> None:
        """Learn how late we were for a deadline of our own; that is believed at once and forgotten slowly."""
        self._lag = max(min(lag_s, LONGEST_S), self._lag * 0.9)

    @property
    def timeout_s(self) -> float:
        """How long to wait for an answer that is sent now."""
        if self._smoothed is None:
            return FIRST_S + self._lag
        return min(LONGEST_S, max(SHORTEST_S, self._smoothed + 4 * self._deviation)) + self._lag
