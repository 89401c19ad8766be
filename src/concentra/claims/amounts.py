"""Shares as people write them → exact fractions; 0.7 and 70 % are told apart, not guessed at."""

from __future__ import annotations

import re
from fractions import Fraction

from concentra.claims.errors import ClaimError

_NUMBER = r"\d{1,12}(?:\.\d{1,12})?"
_PERCENT = re.compile(rf"(?P<number>{_NUMBER}) ?(?:%|percent|per cent)")
_RATIO = re.compile(r"(?P<part>\d{1,12}) ?/ ?(?P<whole>\d{1,12})")
_BARE = re.compile(rf"-?{_NUMBER}")

_ONE = {"a", "one"}
_PARTS = {"half": 2, "third": 3, "quarter": 4, "fifth": 5, "tenth": 10}
_WORDS = {
    **{part: Fraction(1, size) for part, size in _PARTS.items() if part == "half"},
    **{f"{one} {part}": Fraction(1, size) for one in sorted(_ONE) for part, size in _PARTS.items()},
    "two thirds": Fraction(2, 3),
    "three quarters": Fraction(3, 4),
}


def share_from(text: str, where: str) -> Fraction:
    """Return a share.

    Parameters
    ----------
    text : str
        A percentage, ``70 %``; a ratio, ``2/3``; or a word, ``two thirds``.
    where : str
        What to name in an error.

    Raises
    ------
    ClaimError
        If it is none of these, has no unit, or exceeds 100 %.

    Examples
    --------
    >>> share_from("64.5 %", "claim"), share_from("two-thirds", "claim")
    (Fraction(129, 200), Fraction(2, 3))
    >>> share_from("0.7", "claim")
    Traceback (most recent call last):
    concentra.claims.errors.ClaimError: claim: '0.7' has no unit
    """
    plain = text.strip().casefold()
    if found := _PERCENT.fullmatch(plain):
        share = Fraction(found["number"]) / 100
    elif (found := _RATIO.fullmatch(plain)) and int(found["whole"]):
        share = Fraction(int(found["part"]), int(found["whole"]))
    elif plain.replace("-", " ") in _WORDS:
        share = _WORDS[plain.replace("-", " ")]
    elif _BARE.fullmatch(plain):
        raise ClaimError(where, f"{text.strip()!r} has no unit", _which(plain))
    else:
        raise ClaimError(where, f"{text.strip()!r} is no share", 'a share is like "70 %", "2/3" or "a third"')
    if share > 1:
        raise ClaimError(where, f"{text.strip()} is more than all", "a share is at most 100 %")
    return share


def _which(number: str) -> str:
    """Return what a number without unit may mean."""
    value = Fraction(number)
    if 0 <= value <= 1:
        as_share = f"{float(value * 100):.10g}"
        return f'write "{as_share} %" if it is a share, or "{number} %" if it is that many per hundred'
    return f'write "{number} %" if it is a percentage'
