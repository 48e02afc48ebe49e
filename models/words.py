"""Dates, shares and amounts in words for a reader: what every page and table says of them."""

from __future__ import annotations

import math
from datetime import UTC, datetime


def day(seconds: int) -> str:
    """A date for a reader.

    >>> day(1717156800)
    '31 May 2024'
    """
    return datetime.fromtimestamp(seconds, UTC).strftime("%-d %B %Y")


def percent(share: float) -> str:
    """A share in per cent, with as many digits as can be told apart.

    >>> [percent(share) for share in (0.0004, 0.012, 0.12, 0.998)]
    ['below 0.1 %', '1.2 %', '12 %', 'above 99 %']
    """
    if share < 0.001:
        return "below 0.1 %"
    if share > 0.99:
        return "above 99 %"
    return f"{100 * share:.1f} %" if share < 0.1 else f"{100 * share:.0f} %"


def between(low: float, high: float) -> str:
    """An interval of shares in per cent.

    >>> between(0.052, 0.221), between(0.0002, 0.012)
    ('5.2 to 22 %', 'below 0.1 to 1.2 %')
    """
    return f"{percent(low).removesuffix(' %')} to {percent(high)}"


def points(change: float) -> str:
    """A difference of shares in percentage points.

    >>> [points(change) for change in (0.0312, -0.004, 0.0004)]
    ['+3.1 points', '−0.4 points', 'below +0.1 points']
    """
    amount, sign = 100 * abs(change), "+" if change > 0 else "−"
    return f"below {sign}0.1 points" if amount < 0.1 else f"{sign}{amount:.1f} points"


def money(amount: float) -> str:
    """An amount to three significant digits.

    >>> [money(amount) for amount in (182345.0, 1234567.0, 87.4)]
    ['182,000', '1,230,000', '87']
    """
    digits = 0 if amount < 1 else max(0, math.floor(math.log10(amount)) - 2)
    return f"{round(amount, -digits):,.0f}"


def counted(number: int, what: str) -> str:
    """A number of things, given in the plural.

    >>> counted(1, "reply"), counted(2, "replies"), counted(1, "meetings")
    ('1 reply', '2 replies', '1 meeting')
    """
    if number != 1:
        return f"{number:,} {what}"
    return f"1 {what[:-3]}y" if what.endswith("ies") else f"1 {what.removesuffix('s')}"
