"""Moments as programs in Go write them: RFC 3339 in JSON, `time.Time.String` in databases [1]_.

The zero time, in the year 1, says "never". A reading of the monotonic clock (`m=+0.1`) may follow and
says nothing about the moment.

.. [1] https://pkg.go.dev/time#Time.String
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?"
    r"(?:Z| ?([+-])(\d\d):?(\d\d))"
    r"(?: [A-Z0-9+-]{1,8})?(?: m=[+-]\d{1,12}\.\d{1,9})?",
    re.ASCII,
)


def go_time(text: object) -> datetime | None:
    """Return the moment in UTC that `text` names; None for Go's zero time, which stands for never.

    Parameters
    ----------
    text : str
        ``2025-11-22T10:15:30.5Z``, ``2025-11-22T12:15:30+02:00`` or
        ``2025-11-22 12:15:30.5 +0200 CEST m=+0.25``. It is untrusted; digits beyond the microsecond are
        cut.

    Raises
    ------
    ValueError
        If it is no text, of another form, or names no moment of the calendar.

    Examples
    --------
    >>> go_time("2025-11-22 12:15:30.123456789 +0200 CEST m=+86400.000000001").isoformat()
    '2025-11-22T10:15:30.123456+00:00'
    >>> go_time("0001-01-01T00:00:00Z")
    """
    match = _TIME.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("not a time as Go writes it")
    *date_and_time, fraction, sign, hours, minutes = match.groups()
    year, month, day, hour, minute, second = map(int, date_and_time)
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    local = datetime(
        year,
        month,
        day,
        hour,
        minute,
        second,
        int((fraction or "0").ljust(6, "0")[:6]),
        timezone(-offset if sign == "-" else offset),
    )
    if year <= 1:
        return None
    try:
        return local.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("not a moment of the calendar") from error
