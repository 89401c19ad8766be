"""Text from strangers, made safe to show: names in registries and node files are written by anybody."""

from __future__ import annotations

import unicodedata

MAX_NAME = 80
"""Longer names are cut: the longest real holder name has under 100 characters."""

MAX_CELL = 32_767
"""What a cell of the common spreadsheets holds."""

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def clean(text: str, *, limit: int = MAX_NAME) -> str:
    r"""Return `text` in one line, without control, format and bidirectional characters.

    Terminal escapes are control characters; with the ESC gone, the rest is harmless text.

    Examples
    --------
    >>> clean("Evil\x1b[31m Hosting\u202e\nLtd")
    'Evil[31m Hosting Ltd'
    """
    kept = "".join(
        " " if character in "\n\r\t" else character
        for character in text
        if character in "\n\r\t"
        or unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    )
    shown = " ".join(kept.split())
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def spreadsheet_safe(text: str) -> str:
    """Return `text` so that a spreadsheet shows it and does not run it as a formula.

    Examples
    --------
    >>> spreadsheet_safe("=cmd()")
    "'=cmd()"
    """
    shown = clean(text, limit=MAX_CELL - 1)  # one for the apostrophe
    return f"'{shown}" if shown.startswith(_FORMULA_STARTS) else shown
