"""The clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now() -> datetime:
    """Return the present moment, aware, in UTC."""
    return datetime.now(UTC)


class SteadyClock:
    """Seconds since 1970 that never go back: the system's time when it was made, and what passed since."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def __call__(self) -> float:
        """Return the present moment."""
        return self._offset + time.monotonic()
