"""Text from strangers, made safe to show: names in registries and node files are written by anybody."""

from __future__ import annotations

import ipaddress
import re
import unicodedata

MAX_NAME = 80
"""Longer names are cut: the longest real holder name has under 100 characters."""

MAX_CELL = 32_767
"""What a cell of the common spreadsheets holds."""

_MAYBE_ADDRESS = re.compile(r"(?:\d{1,3}\.){3}\d{1,3}|[0-9A-Fa-f]*:[0-9A-Fa-f:.]+")

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def clean(text: str, *, limit: int = MAX_NAME) -> str:
    r"""Return `text` in one line, without control, format and bidirectional characters.

    Terminal escapes are control characters; with the ESC gone, the rest is harmless text.

    Examples
    --------
    >>> clean("Evil\x1b[31m Hosting\u202e\nLtd")
    'Evil[31m Hosting Ltd'
    """
    if text.isascii() and text.isprintable() and len(text) <= limit and text == " ".join(text.split()):
        return text
    kept = "".join(
        " " if character in "\n\r\t" else character
        for character in text
        if character in "\n\r\t"
        or unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    )
    shown = " ".join(kept.split())
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def exported(text: str, *, limit: int = MAX_NAME) -> str:
    """Return `text` as a document that leaves the machine may hold it: clean, and without addresses."""
    # Cleaned before as well: an address with an invisible character in it is one again without it.
    return clean(without_addresses(clean(text, limit=len(text))), limit=limit)


def without_addresses(text: str) -> str:
    """Return `text` with every IP address in it replaced: file names become titles, and titles are exported.

    Examples
    --------
    >>> without_addresses("nodes-203.0.113.7.txt and [2001:db8::1]:30303")
    'nodes-(address).txt and [(address)]:30303'
    """
    return _MAYBE_ADDRESS.sub(_hidden, text)


def _hidden(match: re.Match[str]) -> str:
    """Return what stands for a match: a full stop or colon after an address is no part of it."""
    found = match[0]
    for core in (found, found.rstrip("."), found.rstrip(".:")):
        try:
            ipaddress.ip_address(core)
        except ValueError:
            continue
        return "(address)" + found[len(core) :]
    return found


def spreadsheet_safe(text: str) -> str:
    """Return `text` so that a spreadsheet shows it and does not run it as a formula.

    Examples
    --------
    >>> spreadsheet_safe("=cmd()")
    "'=cmd()"
    """
    shown = clean(text, limit=MAX_CELL - 1)  # one for the apostrophe
    return f"'{shown}" if shown.startswith(_FORMULA_STARTS) else shown
