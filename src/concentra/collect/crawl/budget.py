"""How many nodes may be asked a second: in all, and in one network."""

from __future__ import annotations

from math import inf, nextafter


class TokenBucket:
    """Permits that come back at a steady rate, and of which some may be saved up.

    Parameters
    ----------
    rate : float, permits a second, above 0
    burst : float, permits
        How many may be saved up; the bucket begins full.

    Examples
    --------
    >>> bucket = TokenBucket(rate=2, burst=1)
    >>> bucket.take(now=10.0), bucket.take(now=10.0), bucket.take(now=10.5)
    (True, False, True)
    """

    __slots__ = ("_at", "_burst", "_permits", "_rate")

    def __init__(self, rate: float, burst: float) -> None:
        if not rate > 0 or burst < 1:
            raise ValueError(f"a bucket must let something through, got rate {rate} and burst {burst}")
        self._rate = rate
        self._burst = burst
        self._permits = burst
        self._at: float | None = None

    def take(self, now: float) -> bool:
        """Take one permit if there is one; `now` never goes back."""
        self._refill(now)
        if self._permits < 1:
            return False
        self._permits -= 1
        return True

    def is_ready(self, now: float) -> bool:
        """Tell whether there is a permit.

        Not the same as ``ready_at(now) <= now``: seconds since 1970 are so large a number that the next
        permit may be nearer than the next float.
        """
        self._refill(now)
        return self._permits >= 1

    def ready_at(self, now: float) -> float:
        """Return when the next permit is there: `now` if there is one, and else later than `now`.

        What is missing may take less time than floats of this size tell apart; whoever then came back at
        once would find nothing, and come back for ever.
        """
        self._refill(now)
        if self._permits >= 1:
            return now
        return max(now + (1 - self._permits) / self._rate, nextafter(now, inf))

    def _refill(self, now: float) -> None:
        if self._at is not None:
            self._permits = min(self._burst, self._permits + (now - self._at) * self._rate)
        self._at = now


class PrefixPace:
    """When each /24 or /48 may be contacted again: one at a time, evenly spaced.

    Parameters
    ----------
    rate : float, contacts a second in one network

    Examples
    --------
    >>> pace = PrefixPace(rate=2)
    >>> pace.next_at("192.0.2", now=10.0), pace.next_at("192.0.2", now=10.0)
    (10.0, 10.0)
    >>> pace.used("192.0.2", now=10.0)
    >>> pace.next_at("192.0.2", now=10.1)
    10.5
    """

    def __init__(self, rate: float) -> None:
        if not rate > 0:
            raise ValueError(f"a network must be contacted sometimes, got rate {rate}")
        self._interval = 1 / rate
        self._next: dict[str, float] = {}

    def next_at(self, prefix: str, now: float) -> float:
        """Return when `prefix` may be contacted: `now`, or later."""
        return max(now, self._next.get(prefix, now))

    def used(self, prefix: str, now: float) -> None:
        """Note a contact."""
        self._next[prefix] = now + self._interval
