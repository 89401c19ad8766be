"""Where facts came from: who published them, as of when, under which licence."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One input, described well enough to fetch it again and to dispute it."""

    name: str
    """Short name, unique within one manifest."""
    publisher: str
    """Who stands behind the facts."""
    as_of: date | None
    """The moment that the source describes; None where its publisher does not say."""
    licence: str
    """SPDX expression, or the publisher's terms in words."""
    url: str | None = None
    """Where it was published."""
    sha256: str | None = None
    """Digest of the bytes that were read, in hexadecimal."""
    rows: int | None = None
    """Rows read from it."""
    limits: tuple[str, ...] = field(default=())
    """Known limits, one sentence each; every report prints them."""
