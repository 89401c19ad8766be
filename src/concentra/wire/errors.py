"""The one exception of the decoders, and how they quote what a stranger sent."""

from __future__ import annotations

QUOTED_LENGTH = 40  # enough to recognise a host name or a key; a message stays one line on a terminal


class WireError(Exception):
    """What a peer sent is not what the specification asks for.

    That is a measurement and no failure of ours: the crawl engine records an outcome and goes on.
    The message says what was found and what was wanted, in printable ASCII.
    """


def quoted(found: str | bytes) -> str:
    r"""Return `found` as a literal in printable ASCII, cut off where it gets long.

    >>> print(quoted("\x1b[2Jnode.example"), quoted(b"id\n"), quoted("a" * 1000))
    '\x1b[2Jnode.example' b'id\n' 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'...
    """
    if len(found) <= QUOTED_LENGTH:
        return ascii(found)
    return f"{found[:QUOTED_LENGTH]!a}..."
