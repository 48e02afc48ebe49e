"""Figures, marks and reasons in words for a person.

The words follow the figure's mark and the sign of its share in the risk: a figure that meets its mark is
never told as a failing, and one that misses it never as a merit.
"""

from __future__ import annotations

import math

from features.indicators import Indicator

WINDOWS = {"90d": "last 90 days", "365d": "last 365 days", "all": "whole history"}
"""Windows that need saying; of the others the meaning speaks already."""

LIMITS = {">=": "at least", "<=": "at most", ">": "more than"}

PLAIN = ("count", "ratio", "rank", "money", "doublings", "log hours", "as given")
"""Units that the meaning names already."""

MOST_DECIMALS = 6


def sentence(indicator: Indicator, value: float, raises: bool) -> str:
    """One sentence on a figure (NaN: unknown) and on whether it raises or lowers the risk."""
    left = f"left {'more' if raises else 'less'} often"
    if math.isnan(value):
        what = named(indicator)
        return f"No evidence yet: {what[0].lower()}{what[1:]}; clients without it {left}."
    said = f"{named(indicator)}: {figure(indicator, value)}"
    met = None if indicator.mark is None or indicator.context else indicator.mark.met(value)
    if met is None:
        return f"{said}; clients like this {left}."
    judged = f"{said}, which {'meets' if met else 'misses'} the mark of {mark(indicator)}"
    if met != raises:
        return f"{judged}."
    return f"{judged}, yet clients like this {left}."


def missed(indicator: Indicator, value: float) -> str:
    """A known figure that misses its mark, beside the mark."""
    return f"{named(indicator)}: {figure(indicator, value)}, mark {mark(indicator)}"


def moved(indicator: Indicator, before: float, after: float) -> str:
    """A figure before and after (NaN: unknown), and whether it came to its mark or fell off it.

    >>> from types import SimpleNamespace
    >>> from features.indicators import Mark
    >>> share = SimpleNamespace(
    ...     meaning="Share", unit="share", window="365d", mark=Mark(">=", 0.75), context=False)
    >>> moved(share, 0.82, 0.6)
    'Share (last 365 days): 82 % → 60 %, which now misses the mark of at least 75 %.'
    >>> moved(share, float("nan"), 0.6)
    'Share (last 365 days): no evidence yet → 60 %.'
    >>> moved(share, 0.6, 0.6)
    'Share (last 365 days): 60 %, as before; what it is weighed with has changed.'
    """
    known = [not math.isnan(value) for value in (before, after)]
    same = before == after or not any(known)
    now = figure(indicator, after) if known[1] else "no evidence any more" if known[0] else "no evidence"
    if same:
        return f"{named(indicator)}: {now}, as before; what it is weighed with has changed."
    then = figure(indicator, before) if known[0] else "no evidence yet"
    if then == now:
        return f"{named(indicator)}: {now}, nearly as before."
    said = f"{named(indicator)}: {then} → {now}"
    if all(known) and indicator.mark is not None and not indicator.context:
        was_met, met = indicator.mark.met(before), indicator.mark.met(after)
        if was_met != met:
            return f"{said}, which now {'meets' if met else 'misses'} the mark of {mark(indicator)}."
    return f"{said}."


def named(indicator: Indicator) -> str:
    """What the figure is, and over which window where that needs saying."""
    window = f" ({WINDOWS[indicator.window]})" if indicator.window in WINDOWS else ""
    return f"{indicator.meaning}{window}"


def figure(indicator: Indicator, value: float) -> str:
    """A known value with its unit, to as many digits as tell it from its mark.

    >>> from types import SimpleNamespace
    >>> from features.indicators import Mark
    >>> share = SimpleNamespace(unit="share", window="365d", mark=Mark(">=", 0.75))
    >>> [figure(share, value) for value in (0.823, 0.75, 0.7498)]
    ['82 %', '75 %', '74.98 %']
    >>> figure(SimpleNamespace(unit="share", window="trend", mark=None), -0.04)
    '-4 percentage points'
    """
    if indicator.window == "trend":
        return _change(indicator.unit, value)
    ends = () if indicator.mark is None else (indicator.mark.value, indicator.mark.upper)
    limits = {_amount(indicator.unit, end) for end in ends if end is not None and end != value}
    told = (_amount(indicator.unit, value, more) for more in range(MOST_DECIMALS))
    return next((text for text in told if text not in limits), repr(value))


def mark(indicator: Indicator) -> str:
    """The indicator's mark with its unit, such as "at least 75 %" or "35 % to 65 %"."""
    assert indicator.mark is not None
    limit = _amount(indicator.unit, indicator.mark.value)
    if indicator.mark.upper is not None:
        return f"{limit} to {_amount(indicator.unit, indicator.mark.upper)}"
    return f"{LIMITS[indicator.mark.comparison]} {limit}"


def _amount(unit: str, value: float, more: int = 0) -> str:
    """A value with its unit; ``more``: decimals beyond the usual."""
    if unit == "share":
        return f"{_number(100 * value, more)} %"
    if unit == "difference of shares":
        return _counted(100 * value, "percentage point", more)
    if unit == "hours":
        if abs(value) < 1:
            return _counted(60 * value, "minute", more)
        return _counted(value, "hour", more) if abs(value) < 48 else _counted(value / 24, "day", more)
    if unit == "yes or no":
        return "yes" if value else "no"
    if unit in PLAIN:
        return _number(value, more)
    if " to " in unit:
        return f"{_number(value, more)} on a scale of {unit}"
    if unit.endswith("s") and not unit.startswith("per "):
        return _counted(value, unit.removesuffix("s"), more)
    return f"{_number(value, more)} {unit}"


def _change(unit: str, value: float) -> str:
    """A trend: a difference, or a logarithm of the recent against the usual."""
    if unit == "log ratio":
        times = math.exp(value)
        if times >= 2:
            return f"{_number(times)} times as much"
        percent = round(100 * (times - 1))
        return f"{percent:+d} %" if percent else "no change"
    amount = _amount("difference of shares" if unit == "share" else unit, value)
    if amount.startswith("0 ") or amount == "0":
        return "no change"
    return f"+{amount}" if value > 0 else amount


def _counted(value: float, what: str, more: int) -> str:
    number = _number(value, more)
    return f"{number} {what}" if number in ("1", "-1") else f"{number} {what}s"


def _number(value: float, more: int = 0) -> str:
    """Few digits and no needless decimals.

    >>> [_number(value) for value in (0.0, -0.001, 0.0312, 2.5, 7.04, 82.3, 1234.5)]
    ['0', '0', '0.03', '2.5', '7', '82', '1,234']
    """
    size = abs(value)
    decimals = more + (0 if size >= 10 else 1 if size >= 1 else 2)
    text = f"{value:,.{decimals}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text
