"""How a source writes dates and numbers: found from its values where they prove it, asked for where they do not.

``03/04/2024`` may be the third of April or the fourth of March, ``1.234`` a bit more than one or more than a thousand.
One value that can be read one way only settles it for all of a source; if there is none, it must be declared.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

DAY_FIRST, MONTH_FIRST = "day first", "month first"
ORDERS = (DAY_FIRST, MONTH_FIRST)
DECIMALS = (".", ",")

_CLOCK = (
    r"(?:(?:,?\s+|T)(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.\d+)?)?"
    r"\s*(?P<half>[AaPp]\.?[Mm]\.?)?)?"
)
_NUMERIC_DATE = re.compile(
    r"(?P<day_part>(?P<a>\d{1,2})(?P<sep>[./-])(?P<b>\d{1,2})(?P=sep)(?P<year>\d{4}|\d{2}))" + _CLOCK
)
_YEAR_FIRST = re.compile(r"(?P<day_part>(?P<year>\d{4})(?P<sep>[./-])(?P<a>\d{1,2})(?P=sep)(?P<b>\d{1,2}))" + _CLOCK)
_MILLISECONDS = re.compile(r"\d{12,13}")
_PIVOT = 69
"""Two-digit years from here on are of the last century, as in POSIX."""

_SPACES = " \u00a0\u202f'\u2019"
_CODES = (
    "AED|ARS|AUD|BGN|BRL|CAD|CHF|CLP|CNY|COP|CZK|DKK|EUR|GBP|HKD|HUF|IDR|ILS|INR|ISK|JPY|KRW|MXN|MYR|NOK|NZD|PEN|PHP|"
    "PLN|RON|RSD|RUB|SAR|SEK|SGD|THB|TRY|TWD|UAH|USD|VND|ZAR"
)
_MARK = rf"\s*(?:{_CODES}|[A-Z]{{0,2}}[$€£¥₹₽₩₺₴₪฿₫]|kr\.?|zł|Kč|Ft)?\s*"
_AMOUNT = re.compile(
    rf"(?P<before>{_MARK})(?P<sign>[-+(]?)(?P<again>{_MARK})(?P<body>\d[\d.,{_SPACES}]*|[.,]\d+)\)?(?P<after>{_MARK})"
)
_GROUPED = re.compile(r"\d{1,3}(?:,\d{2,3})*,\d{3}(?:\.\d+)?|\d*\.?\d+|\d+\.?")
_ONE_GROUP = re.compile(r"[1-9]\d{0,2}[.,]\d{3}")


class Ambiguous(ValueError):
    """Values that may be read in two ways; ``example`` is one of them, ``readings`` what it may mean."""

    def __init__(self, example: str, readings: str) -> None:
        super().__init__(f"{example!r} may be {readings}")
        self.example, self.readings = example, readings


def found_order(texts: Iterable[str]) -> str:
    """Whether dates such as 03/04/2024 put the day or the month first; "" where no date leaves that open.

    Dates with dots put the day first in every country that writes them so. Raises Ambiguous.

    >>> found_order(["03/04/2024", "25/04/2024"]), found_order(["2024-04-03"])
    ('day first', '')
    """
    open_to_both, orders = "", dict[str, str]()
    for text in texts:
        match = _NUMERIC_DATE.fullmatch(text.strip())
        if match is None:
            continue
        first, second = int(match["a"]), int(match["b"])
        if match["sep"] == "." or first > 12:
            orders.setdefault(DAY_FIRST, text)
        elif second > 12:
            orders.setdefault(MONTH_FIRST, text)
        elif first != second:
            open_to_both = open_to_both or text
        if len(orders) > 1:
            raise Ambiguous(orders[DAY_FIRST], f"day first, but {orders[MONTH_FIRST]!r} puts the month first")
    if open_to_both and not orders:
        raise Ambiguous(open_to_both, "day first or month first")
    return next(iter(orders), "")


def iso(text: str, order: str) -> str:
    """A date or date-time as ISO 8601; a text of any other form as it is.

    >>> iso("3.4.2024 14:05", DAY_FIRST), iso("04/03/24 2:05 PM", MONTH_FIRST), iso("soon", DAY_FIRST)
    ('2024-04-03 14:05:00', '2024-04-03 14:05:00', 'soon')
    """
    text = text.strip()
    if _MILLISECONDS.fullmatch(text):
        return _of_milliseconds(text)
    match = _YEAR_FIRST.fullmatch(text)
    if match is not None:
        month, day = match["a"], match["b"]
    else:
        match = _NUMERIC_DATE.fullmatch(text)
        if match is None:
            return text
        day, month = (match["a"], match["b"]) if order != MONTH_FIRST else (match["b"], match["a"])
    year = match["year"]
    if len(year) == 2:
        year = ("20" if int(year) < _PIVOT else "19") + year
    date = f"{year}-{int(month):02}-{int(day):02}"
    if match["hour"] is None:
        return date
    hour = int(match["hour"])
    if match["half"]:
        hour = hour % 12 + (12 if match["half"][0] in "Pp" else 0)
    return f"{date} {hour:02}:{match['minute']}:{match['second'] or '00'}"


def _of_milliseconds(text: str) -> str:
    return datetime.fromtimestamp(int(text) / 1_000, UTC).isoformat(timespec="seconds")


def found_decimal(texts: Iterable[str]) -> str:
    """The decimal sign of numbers such as 1.234,50; "." where no number leaves that open. Raises Ambiguous.

    >>> found_decimal(["€ 1.234", "99,50"]), found_decimal(["1,234,567", "1,000"])
    (',', '.')
    """
    open_to_both, signs = "", dict[str, str]()
    for text in texts:
        match = _AMOUNT.fullmatch(text.strip())
        if match is None:
            continue
        body = match["body"].strip(_SPACES)
        dots, commas = body.count("."), body.count(",")
        if dots and commas:
            signs.setdefault("." if body.rfind(".") > body.rfind(",") else ",", text)
        elif dots > 1 or commas > 1:
            signs.setdefault("," if dots else ".", text)
        elif _ONE_GROUP.fullmatch(body):
            open_to_both = open_to_both or text
        elif dots or commas:
            signs.setdefault("." if dots else ",", text)
        if len(signs) > 1:
            raise Ambiguous(signs["."], f"with a decimal point, but {signs[',']!r} has a decimal comma")
    if open_to_both and not signs:
        raise Ambiguous(open_to_both, "a number with thousands or with three decimals")
    return next(iter(signs), ".")


def plain_number(text: str, decimal: str) -> str:
    """A number without currency, thousands and decimal comma; a text of any other form as it is.

    >>> plain_number("EUR 1.234,50", ","), plain_number("($1,234)", "."), plain_number("50 %", ".")
    ('1234.50', '-1234', '50 %')
    """
    match = _AMOUNT.fullmatch(text.strip())
    if match is None:
        return text
    body = "".join(match["body"].split())
    for sign in _SPACES:
        body = body.replace(sign, "")
    if decimal == ",":
        body = body.translate({ord("."): ",", ord(","): "."})
    if not _GROUPED.fullmatch(body):
        return text
    return ("-" if match["sign"] in ("-", "(") else "") + body.replace(",", "")


def currency_of(text: str) -> str:
    """The currency that an amount is written with, "" if none is.

    >>> currency_of("1 234,50 €"), currency_of("USD 12"), currency_of("12")
    ('€', 'USD', '')
    """
    match = _AMOUNT.fullmatch(text.strip())
    return (match["before"] + match["again"] + match["after"]).strip(_SPACES + "()").upper() if match else ""


def strptime_format(texts: Iterable[str], order: str) -> str:
    """The format, as ``strptime`` reads it, in which all of these dates are written; "" if there is no single one.

    >>> strptime_format(["3.4.2024 14:05", "25.12.2023 08:00"], DAY_FIRST)
    '%d.%m.%Y %H:%M'
    """
    formats = {_format_of(text.strip(), order) for text in texts}
    return formats.pop() if len(formats) == 1 else ""


def _format_of(text: str, order: str) -> str:
    match = _YEAR_FIRST.fullmatch(text)
    if match is not None:
        parts = ["%Y", "%m", "%d"]
    else:
        match = _NUMERIC_DATE.fullmatch(text)
        if match is None:
            return ""
        year = "%Y" if len(match["year"]) == 4 else "%y"
        parts = ["%m", "%d", year] if order == MONTH_FIRST else ["%d", "%m", year]
    date = match["sep"].join(parts)
    if match["hour"] is None:
        return date
    half = match["half"] or ""
    before = text[match.end("day_part") : match.start("hour")]
    clock = ("%I" if half else "%H") + ":%M" + (":%S" if match["second"] else "")
    rest = text[match.end("second") if match["second"] else match.end("minute") :]
    fraction = ".%f" if rest.startswith(".") else ""
    return date + before + clock + fraction + (rest[: rest.index(half)] + "%p" if half and not fraction else "")
