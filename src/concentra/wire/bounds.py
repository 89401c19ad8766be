"""What keeps the memory and the time that strangers can cost us bounded."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class TimedMap(Generic[K, V]):
    """Values that are forgotten `lifetime_s` after they were put in, or when `capacity` newer ones were.

    Parameters
    ----------
    lifetime_s : float
        Seconds from `put`; a value is gone once they have passed.
    capacity : int
        At most this many values are kept; the oldest goes first.

    Examples
    --------
    >>> sent = TimedMap(lifetime_s=1.0, capacity=100)
    >>> sent.put("request", 7, now=0.0)
    >>> sent.get("request", now=0.5), sent.get("request", now=1.0)
    (7, None)
    """

    __slots__ = ("_capacity", "_lifetime_s", "_values")

    def __init__(self, *, lifetime_s: float, capacity: int) -> None:
        self._lifetime_s = lifetime_s
        self._capacity = capacity
        # In the order of their ends. A plain dict would look for its first value among all that were deleted.
        self._values: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def __len__(self) -> int:
        """Return how many values are kept, those included whose time is over and that nobody asked for."""
        return len(self._values)

    def put(self, key: K, value: V, *, now: float) -> None:
        """Keep `value` from now on, in place of an earlier one."""
        values = self._values
        values.pop(key, None)
        while values:
            oldest = next(iter(values))
            if values[oldest][0] > now and len(values) < self._capacity:
                break
            del values[oldest]
        values[key] = (now + self._lifetime_s, value)

    def get(self, key: K, *, now: float) -> V | None:
        """Return the value of `key`, None if there is none or its time is over."""
        found = self._values.get(key)
        return None if found is None or found[0] <= now else found[1]

    def pop(self, key: K, *, now: float) -> V | None:
        """Return the value of `key` as `get` does, and forget it."""
        value = self.get(key, now=now)
        self._values.pop(key, None)
        return value


class Allowance:
    """So many acts a second, and after a pause as many at once.

    >>> allowance = Allowance(per_s=2.0)
    >>> [allowance.take(now=7.0) for _ in range(3)], allowance.take(now=7.5)
    ([True, True, False], True)
    """

    __slots__ = ("_at", "_left", "_per_s")

    def __init__(self, *, per_s: float) -> None:
        self._per_s = per_s
        self._left = per_s
        self._at: float | None = None

    def take(self, *, now: float) -> bool:
        """Return whether one more act is allowed, and count it if so."""
        if self._at is not None:
            self._left = min(self._per_s, self._left + (now - self._at) * self._per_s)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
