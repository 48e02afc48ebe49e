"""Reading one value: a maker of converters for each column type, and the words for what is allowed."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from features.histories.columns import Column

BLANKS = " \t\r\n"
"""Characters cut from both ends of every value, free text excepted."""

LONGEST_ID = 200
"""Characters of an id or a category."""

LONGEST_TEXT = 1_000_000
"""Characters of a text."""

EARLIEST = int(datetime(1900, 1, 1, tzinfo=UTC).timestamp())
LATEST = int(datetime(2200, 1, 1, tzinfo=UTC).timestamp()) - 1
"""The first and the last second a time may have."""

UNIX_FORMATS = {"unix": 1, "unix_ms": 1_000}
"""Time formats that count from 1970, and how many of their units make a second."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_LARGEST_EXACT = 2**53


def _storable(text: str) -> bool:
    if text.isascii():
        return "\0" not in text
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def _string_of(value: object, expected: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        if abs(value) < 10**18:
            return str(value)
    elif isinstance(value, float):
        if value != value:
            return ""
        if value.is_integer() and abs(value) <= _LARGEST_EXACT:
            return str(int(value))
    raise ValueError(expected)


def _id_converter(column: Column) -> Callable[[object], str | None]:
    expected = column.expected

    def convert(value: object) -> str | None:
        if value is None:
            return None
        text = (value if type(value) is str else _string_of(value, expected)).strip(BLANKS)
        if len(text) > LONGEST_ID or not _storable(text):
            raise ValueError(expected)
        return text or None

    return convert


def _text_converter(column: Column) -> Callable[[object], str | None]:
    expected = column.expected

    def convert(value: object) -> str | None:
        if value is None:
            return None
        text = value if type(value) is str else _string_of(value, expected)
        if len(text) > LONGEST_TEXT or not _storable(text):
            raise ValueError(expected)
        return text if text.strip(BLANKS) else None

    return convert


def _category_converter(column: Column) -> Callable[[object], str | None]:
    allowed, expected = frozenset(column.allowed), column.expected

    def convert(value: object) -> str | None:
        if type(value) is str:
            if value in allowed:
                return value
            text = value.strip(BLANKS)
            if text in allowed:
                return text
            if not text:
                return None
        elif value is None:
            return None
        raise ValueError(expected)

    return convert


def _bool_converter(column: Column) -> Callable[[object], bool | None]:
    expected = column.expected

    def convert(value: object) -> bool | None:
        if value is True or value is False:
            return value
        if value is None or value != value:
            return None
        if isinstance(value, str):
            text = value.strip(BLANKS).lower()
            if not text:
                return None
            if text in _TRUTH:
                return _TRUTH[text]
        elif isinstance(value, int | float) and value in (0, 1):
            return value == 1
        raise ValueError(expected)

    return convert


def _number_of(value: object, expected: str) -> int | float | None:
    if isinstance(value, str):
        text = value.strip(BLANKS)
        if not text:
            return None
        if _INTEGER.fullmatch(text):
            return int(text)
        if len(text) <= 40 and _NUMBER.fullmatch(text):
            return float(text)
    elif isinstance(value, float):
        return None if value != value else value
    elif value is None:
        return None
    elif isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError(expected)


def _int_converter(column: Column) -> Callable[[object], int | None]:
    low = -(10**18) if column.minimum is None else column.minimum
    high = 10**18 if column.maximum is None else column.maximum
    expected = column.expected

    def convert(value: object) -> int | None:
        number = value if type(value) is int else _number_of(value, expected)
        if number is None:
            return None
        if not low <= number <= high:
            raise ValueError(expected)
        whole = int(number)
        if whole != number:
            raise ValueError(expected)
        return whole

    return convert


def _float_converter(column: Column) -> Callable[[object], float | None]:
    low = -math.inf if column.minimum is None else column.minimum
    high = math.inf if column.maximum is None else column.maximum
    expected = column.expected

    def convert(value: object) -> float | None:
        number = value if type(value) is float else _number_of(value, expected)
        if number is None or number != number:
            return None
        try:
            number = float(number) + 0.0
        except OverflowError:
            raise ValueError(expected) from None
        if not low <= number <= high or math.isinf(number):
            raise ValueError(expected)
        return number

    return convert


def _time_converter(column: Column) -> Callable[[object], int | None]:
    moment_of = _formatted_moment(column) if column.time_format else _iso_moment
    expected = column.expected
    zone = ZoneInfo(column.time_zone) if column.time_zone else None
    low = EARLIEST if column.minimum is None else column.minimum
    high = LATEST if column.maximum is None else column.maximum

    def convert(value: object) -> int | None:
        try:
            moment = moment_of(value)
            if isinstance(moment, datetime):
                if moment.tzinfo is None:
                    if zone is None:
                        raise ValueError(expected)
                    moment = moment.replace(tzinfo=zone)
                seconds = math.floor(moment.timestamp())
            elif moment is None or moment != moment:
                return None
            elif isinstance(moment, date):
                seconds = (moment.toordinal() - _EPOCH_DAY) * 86_400
            else:
                seconds = math.floor(moment)
        except (ValueError, OverflowError):
            raise ValueError(expected) from None
        if low <= seconds <= high:
            return seconds
        raise ValueError(expected)

    return convert


_EPOCH_DAY = date(1970, 1, 1).toordinal()


def _iso_moment(value: object) -> datetime | date | None:
    if isinstance(value, str):
        text = value.strip(BLANKS)
        if not text:
            return None
        if text[4:5] != "-" or text[7:8] != "-" or text[10:11] not in ("", "T", " "):
            raise ValueError(text)
        return datetime.fromisoformat(text) if len(text) > 10 else date.fromisoformat(text)
    if value is None or isinstance(value, date):
        return value
    raise ValueError(value)


def _formatted_moment(column: Column) -> Callable[[object], float | datetime | date | None]:
    fmt = column.time_format

    def moment_of(value: object) -> float | datetime | date | None:
        if value is None or isinstance(value, date):
            return value
        if fmt in UNIX_FORMATS:
            number = _number_of(value, fmt)
            return None if number is None else number / UNIX_FORMATS[fmt]
        if not isinstance(value, str):
            raise ValueError(value)
        text = value.strip(BLANKS)
        if not text:
            return None
        moment = datetime.strptime(text, fmt)
        return moment if _has_clock(fmt) else moment.date()

    return moment_of


def _has_clock(fmt: str) -> bool:
    return any(part in fmt for part in ("%H", "%I", "%T", "%X", "%c"))


def needs_time_zone(fmt: str) -> bool:
    """Whether times of this format say nothing of their offset, so that a time zone must be declared.

    >>> needs_time_zone("%d.%m.%Y"), needs_time_zone("%d.%m.%Y %H:%M"), needs_time_zone("unix")
    (False, True, False)
    """
    return fmt not in UNIX_FORMATS and _has_clock(fmt) and "%z" not in fmt


def expected(column: Column) -> str:
    """What a column allows, in words."""
    if column.type == "time":
        return _expected_time(column)
    if column.type == "category":
        return "one of " + ", ".join(column.allowed)
    if column.type == "bool":
        return "true or false (or yes, no, 1, 0)"
    if column.type in ("int", "float"):
        return ("a whole number" if column.type == "int" else "a number") + _expected_range(column)
    return f"text of at most {LONGEST_TEXT if column.type == 'text' else LONGEST_ID:,} characters"


def _expected_time(column: Column) -> str:
    if column.time_format in UNIX_FORMATS:
        form = f"a time as {column.time_format} (a number counted from 1970)"
    elif column.time_format:
        form = f"a time of the form {column.time_format}"
    elif column.time_zone:
        form = f"a date (2024-05-31) or a date-time (2024-05-31T14:00:00, taken as {column.time_zone})"
    else:
        form = (
            "a date (2024-05-31) or a date-time with its offset (2024-05-31T14:00:00+02:00 or ...Z; "
            "for times without one a mapping can declare time_zone)"
        )
    return form + ", from 1900 to 2199"


def _expected_range(column: Column) -> str:
    low, high = column.minimum, column.maximum
    if low is not None and high is not None:
        return f" from {low:g} to {high:g}"
    if low is not None:
        return f" of at least {low:g}"
    return f" of at most {high:g}" if high is not None else ""


CONVERTERS: dict[str, Callable[[Column], Callable[[object], Any]]] = {
    "id": _id_converter,
    "text": _text_converter,
    "time": _time_converter,
    "bool": _bool_converter,
    "int": _int_converter,
    "float": _float_converter,
    "category": _category_converter,
}
"""By column type: makes the function that reads a value, or raises ValueError saying what is allowed."""


OWN_EXPECTED = f"a finite number, or a category of at most {LONGEST_ID} characters"


def own_value(value: object) -> float | str | None:
    """A value of a user's own column: a finite number (truth values count 1 and 0), else a category.

    >>> own_value(True), own_value(" gold "), own_value("")
    (1.0, 'gold', None)
    """
    if isinstance(value, bool | int | float):
        try:
            number = float(value) + 0.0
        except OverflowError:
            raise ValueError(OWN_EXPECTED) from None
        if number != number:
            return None
        if math.isinf(number):
            raise ValueError(OWN_EXPECTED)
        return number
    if value is None:
        return None
    if type(value) is not str:
        raise ValueError(OWN_EXPECTED)
    text = value.strip(BLANKS)
    if len(text) > LONGEST_ID or not _storable(text):
        raise ValueError(OWN_EXPECTED)
    return text or None
