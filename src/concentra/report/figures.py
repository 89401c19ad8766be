"""Figures as people read them; every text report prints a number the same way."""

from __future__ import annotations

POINTS = 10_000
"""HHI is stored in [0, 1] and printed in points."""


def percent(value: float) -> str:
    """Return a share with one decimal.

    Examples
    --------
    >>> percent(0.17757)
    '17.8 %'
    """
    return f"{value * 100:.1f} %"


def percent_range(lower: float, upper: float) -> str:
    """Return a range of shares; one figure where both ends print alike.

    Examples
    --------
    >>> percent_range(0.17757, 0.17970), percent_range(0.2, 0.2)
    ('17.8–18.0 %', '20.0 %')
    """
    low, high = f"{lower * 100:.1f}", f"{upper * 100:.1f}"
    return f"{low} %" if low == high else f"{low}–{high} %"


def number_range(lower: float, upper: float, decimals: int = 0) -> str:
    """Return a range of numbers with thousands marked; one figure where both ends print alike.

    Examples
    --------
    >>> number_range(1708, 1802.4), number_range(17.41, 17.43, 1)
    ('1,708–1,802', '17.4')
    """
    low, high = f"{lower:,.{decimals}f}", f"{upper:,.{decimals}f}"
    return low if low == high else f"{low}–{high}"


def points_range(lower: float, upper: float) -> str:
    """Return a range of HHI in points."""
    return number_range(lower * POINTS, upper * POINTS)


def bar(share: float, largest: float, width: int) -> str:
    """Return a bar whose full `width` is the `largest` share; never empty for a share above zero.

    Examples
    --------
    >>> bar(0.05, 0.10, 8)
    '████'
    """
    if not largest or share <= 0:
        return ""
    eighths = max(1, round(share / largest * width * 8))
    return "█" * (eighths // 8) + ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")[eighths % 8]
