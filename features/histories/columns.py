"""What a column and a table are.

``Column.convert`` is the one definition of which values a column allows. Requests use it value by value;
``batch_checks`` reads whole columns faster but asks ``convert`` about every value that is not plainly good, so the two
cannot differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import pyarrow as pa

from features.histories.values import CONVERTERS, expected

ColumnType = Literal["id", "text", "time", "bool", "int", "float", "category"]

OWN_PREFIX = "x_"
"""Begins the name of a user's own column."""


@dataclass(frozen=True)
class Column:
    """One column of a table.

    ``minimum`` and ``maximum`` are inclusive. ``allowed`` lists the values of a category; their order is the integer
    code used in arrays. A mapping may set ``time_format`` (as ``strptime`` reads it, or ``unix``, ``unix_ms``) and
    ``time_zone`` (of date-times without an offset) for the times of a source.

    >>> Column("at", "time", "when it happened").convert("2024-05-31T14:00:00+02:00")
    1717156800
    >>> Column("level", "int", "how hard", minimum=1, maximum=5).convert("7")
    Traceback (most recent call last):
    ...
    ValueError: a whole number from 1 to 5
    """

    name: str
    type: ColumnType
    meaning: str
    required: bool = False
    allowed: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    time_format: str = ""
    time_zone: str = ""

    def convert(self, value: object) -> Any:
        """The canonical value, or None where it is empty: time → UTC seconds (int), id, text and category → str.

        Raises ValueError whose message says what is allowed.
        """
        return self.converter(value)

    @cached_property
    def converter(self) -> Callable[[object], Any]:
        """``convert`` as a plain function, for loops."""
        return CONVERTERS[self.type](self)

    @cached_property
    def expected(self) -> str:
        """What is allowed, in words."""
        return expected(self)

    @property
    def arrow_type(self) -> pa.DataType:
        """The type of the column in canonical files."""
        if self.type == "category":
            return pa.dictionary(pa.int8(), pa.string())
        return _ARROW_TYPES[self.type]


_ARROW_TYPES = {
    "id": pa.string(),
    "text": pa.string(),
    "time": pa.timestamp("s", tz="UTC"),
    "bool": pa.bool_(),
    "int": pa.int64(),
    "float": pa.float64(),
}

Finding = tuple[str, str]
"""A column and what it may hold, given the rest of the row."""


@dataclass(frozen=True)
class Rule:
    """A check across columns of one row: ``broken_by`` gets the row's known values and returns what is wrong."""

    columns: tuple[str, ...]
    broken_by: Callable[[Mapping[str, Any]], list[Finding]]


@dataclass(frozen=True)
class Table:
    """One canonical table.

    ``key`` names the column that identifies a thing and ``identity`` what else does; rows that share both and the
    moment they became known (the first given of ``known``) are the same version of the same thing. ``order`` are the
    columns that canonical files are sorted by before key and known moment.
    """

    name: str
    columns: tuple[Column, ...]
    key: str | None
    meaning: str = ""
    identity: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()

    def schema(self) -> pa.Schema:
        """The Arrow schema of canonical files, without the user's own columns."""
        return pa.schema([(column.name, column.arrow_type) for column in self.columns])

    @cached_property
    def column(self) -> Mapping[str, Column]:
        """The columns by name."""
        return {column.name: column for column in self.columns}


@dataclass(frozen=True)
class Reject:
    """A row turned away: where it stands, what it held and what is allowed. ``row`` counts data rows from 1."""

    file: str
    row: int
    column: str
    value: str
    allowed: str
