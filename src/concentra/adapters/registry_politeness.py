"""When a registry may be asked next, if at all: a pace, pauses as it asks, and no more after failures.

`Manners` decides and never waits: the moment comes in as an argument. `Courtesy` waits, with a clock
and a sleep that its caller brings.

References
----------
.. [1] RFC 7480, section 5.5: a server that limits rates answers 429 "Too Many Requests", perhaps with
   Retry-After, and a client that receives it should query less often.
.. [2] RFC 9110, section 10.2.3: Retry-After is a number of seconds or an HTTP date.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from concentra.adapters.registry_answers import Failure, NoAnswer

CYMRU = "cymru"
"""The name under which Team Cymru's DNS service has its own pace; it is no registry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How one registry is treated."""

    interval_s: float = 1.0
    """Least time between two questions."""
    first_pause_s: float = 5.0
    """Pause after the first failure; it doubles with each further one in a row."""
    longest_pause_s: float = 600.0
    """A registry that asks for a longer pause is left alone."""
    failures: int = 5
    """After so many in a row the registry is left alone."""


# LACNIC's answers say "Rate Limit is maxed at 10 queries per 1 minutes" (secynic/ipwhois issue #99). Team
# Cymru recommends DNS for many single questions and names no limit; ten a second is our own figure.
DEFAULT_LIMITS: Mapping[str, Limits] = {"lacnic": Limits(interval_s=6.0), CYMRU: Limits(interval_s=0.1)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The time, and a way to let it pass."""

    now: Callable[[], datetime]
    """The moment in UTC, aware: what is written down, and what HTTP dates are compared with."""
    monotonic: Callable[[], float]
    """Seconds that never run backwards: what pauses are measured with."""
    sleep: Callable[[float], None]


class Manners:
    """A bucket that holds one token, and a circuit breaker; both for one registry."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._not_before = float("-inf")
        self._failures = 0
        self._left_alone = False

    def wait_s(self, now: float) -> float | None:
        """Return how long to wait until the registry may be asked; None if it is to be left alone."""
        return None if self._left_alone else max(0.0, self._not_before - now)

    def asked(self, now: float) -> None:
        """Take the token; the next one comes after the interval."""
        self._not_before = now + self._limits.interval_s

    def answered(self) -> None:
        """Forget earlier failures: only those in a row count."""
        self._failures = 0

    def failed(self, now: float, *, retry_after_s: float | None = None) -> None:
        """Count a failure, and pause as long as the registry asks, else twice as long as the last time."""
        self._failures += 1
        limits = self._limits
        backoff = min(limits.first_pause_s * 2 ** (self._failures - 1), limits.longest_pause_s)
        pause = backoff if retry_after_s is None else retry_after_s
        self._not_before = max(self._not_before, now + pause)
        self._left_alone = self._failures >= limits.failures or pause > limits.longest_pause_s


class Courtesy:
    """The manners of every registry, kept on a clock."""

    def __init__(self, clock: Clock, limits: Mapping[str, Limits]) -> None:
        self._clock = clock
        self._limits = limits
        self._manners: dict[str, Manners] = {}

    def turn(self, registry: str, waiting: Callable[[str, float], None]) -> None:
        """Return when the registry may be asked, and count that it was; `waiting` hears of any pause.

        Raises
        ------
        NoAnswer
            If it is to be left alone.
        """
        manners = self._of(registry)
        wait_s = manners.wait_s(self._clock.monotonic())
        if wait_s is None:
            raise NoAnswer(Failure.CYMRU_LEFT_ALONE if registry == CYMRU else Failure.LEFT_ALONE)
        if wait_s > 0:
            waiting(registry, wait_s)
            self._clock.sleep(wait_s)
        manners.asked(self._clock.monotonic())

    def answered(self, registry: str) -> None:
        """Note an answer, be it a redirect or that there is nothing."""
        self._of(registry).answered()

    def failed(self, registry: str, retry_after: str | None) -> None:
        """Note a failure, with the Retry-After header if there was one."""
        pause = None if retry_after is None else retry_after_s(retry_after, self._clock.now())
        self._of(registry).failed(self._clock.monotonic(), retry_after_s=pause)

    def _of(self, registry: str) -> Manners:
        if registry not in self._manners:
            self._manners[registry] = Manners(self._limits.get(registry, Limits()))
        return self._manners[registry]


def retry_after_s(text: str, now: datetime) -> float | None:
    """Return the seconds from `now` that a Retry-After header means; None if it means nothing.

    Examples
    --------
    >>> noon = datetime(2026, 8, 22, 12, tzinfo=UTC)
    >>> [retry_after_s(text, noon) for text in ("120", "Sat, 22 Aug 2026 12:01:30 GMT", "soon")]
    [120.0, 90.0, None]
    """
    digits = text.strip()
    if digits.isascii() and digits.isdigit():
        return float(digits[:12])  # 12 digits are 30,000 years: enough, and never an infinity
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:  # "-0000": a UTC time of unknown place (RFC 5322, section 3.3)
            moment = moment.replace(tzinfo=UTC)
        return max(0.0, (moment - now).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None
