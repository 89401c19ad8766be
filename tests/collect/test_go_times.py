from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.made_foreign_crawls import go_string

from concentra.collect.go_times import go_time

NOON = datetime(2025, 11, 22, 12, tzinfo=UTC)

TIMES: list[tuple[str, str, datetime]] = [
    ("json", "2025-11-22T12:00:00Z", NOON),
    ("json-nanoseconds", "2025-11-22T12:00:00.123456789Z", NOON.replace(microsecond=123456)),
    ("json-offset", "2025-11-22T14:30:00+02:30", NOON),
    ("string", "2025-11-22 12:00:00 +0000 UTC", NOON),
    ("string-fraction", "2025-11-22 12:00:00.5 +0000 UTC", NOON.replace(microsecond=500_000)),
    ("string-zone", "2025-11-22 07:00:00 -0500 EST", NOON),
    ("string-numeric-zone", "2025-11-22 15:00:00 +0300 +03", NOON),
    ("string-monotonic", "2025-11-22 12:00:00 +0000 UTC m=+0.000012345", NOON),
    ("string-monotonic-negative", "2025-11-22 12:00:00 +0000 UTC m=-86400.5", NOON),
]


@pytest.mark.parametrize(("text", "moment"), [row[1:] for row in TIMES], ids=[row[0] for row in TIMES])
def test_what_go_writes_is_a_moment_in_utc(text: str, moment: datetime) -> None:
    found = go_time(text)
    assert found == moment
    assert found is not None
    assert found.tzinfo is UTC


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00Z", "0001-01-01 00:00:00 +0000 UTC"])
def test_the_zero_time_is_never(text: str) -> None:
    assert go_time(text) is None


REFUSED: list[tuple[str, object]] = [
    ("nothing", ""),
    ("no-text", 1763812800),
    ("null", None),
    ("bytes", b"2025-11-22T12:00:00Z"),
    ("no-zone", "2025-11-22T12:00:00"),
    ("day-only", "2025-11-22"),
    ("day-that-is-none", "2025-02-30T12:00:00Z"),
    ("hour-24", "2025-11-22T24:00:00Z"),
    ("leap-second", "2016-12-31T23:59:60Z"),
    ("year-0", "0000-01-01T00:00:00Z"),
    ("offset-of-a-day", "2025-11-22T12:00:00+24:00"),
    ("beyond-the-calendar", "9999-12-31T23:59:59-01:00"),
    ("ten-digits", "2025-11-22T12:00:00.1234567890Z"),
    ("white-space", " 2025-11-22T12:00:00Z"),
    ("line-end", "2025-11-22T12:00:00Z\n"),
    ("other-digits", "２０２５-11-22T12:00:00Z"),
    ("week", "2025-W47-6T12:00:00Z"),
    ("long", "2025-11-22T12:00:00Z" + "Z" * 10_000),
]


@pytest.mark.parametrize("text", [row[1] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_whatever_else_is_no_time(text: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        go_time(text)


@given(
    st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2200, 1, 1)),
    st.integers(-12, 14),
)
def test_a_moment_comes_back_from_any_zone(moment: datetime, hours: int) -> None:
    wanted = moment.replace(tzinfo=UTC)
    assert go_time(go_string(wanted, hours=hours, zone="CEST", monotonic=" m=+1.000000001")) == wanted
    local = wanted.astimezone(timezone(timedelta(hours=hours)))
    assert go_time(local.isoformat()) == wanted


@given(st.text(max_size=60) | st.text("0123456789-:T.Z+ m=", max_size=60))
def test_any_text_is_a_time_or_a_value_error(text: str) -> None:
    try:
        found = go_time(text)
    except ValueError:
        return
    assert found is None or found.tzinfo is UTC
