"""A table of events as a struct of arrays, grouped by segment.

A segment is one account, or one account as it was known at one moment (see ``visibility``). Nothing below this room
knows the difference, which is what makes looking ahead impossible by form.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

NEVER = 1 << 40
"""The moment that does not come: stands for a missing time (int64 seconds, later than any real time)."""

DAY = 86_400
"""Seconds in a day."""

Array = np.ndarray[Any, np.dtype[Any]]


def rows_where(mask: Array) -> Array:
    """int64: where a mask (bool) holds; as np.flatnonzero, but quicker: short histories ask for it a hundred times."""
    return mask.nonzero()[0]


def among(codes: Array, chosen: Sequence[int]) -> Array:
    """bool: whether each code of a category (-1 unknown) is one of those chosen; as np.isin, but quicker.

    >>> among(np.array([3, -1, 0], dtype=np.int8), [0, 3]).tolist()
    [True, False, True]
    """
    listed = np.zeros(128, dtype=bool)
    listed[list(chosen)] = True
    return listed[codes]


class Log:
    """Rows grouped by segment and, within it, ordered by time and id.

    ``start`` int64 (segments + 1): the rows of segment i are ``start[i]:start[i + 1]``. Columns are numpy arrays of one
    length: times int64 UTC seconds (``NEVER`` if missing), numbers float64 (NaN), categories and truth values int8
    codes (-1 unknown), ids int32 codes (-1 unknown). A column may be given as a function that makes it: it is made when
    it is first asked for, so that what no indicator reads costs nothing. One that nobody recorded is its missing value.

    >>> log = Log(np.array([0, 2, 3]), {"at": np.array([5, 9, 4])}, {"due_at": NEVER})
    >>> log.segment.tolist(), bool((log["due_at"] == NEVER).all())
    ([0, 0, 1], True)
    """

    def __init__(
        self, start: Array, columns: Mapping[str, Array | Callable[[], Array]], missing: Mapping[str, Any]
    ) -> None:
        self.start = np.asarray(start, dtype=np.int64)
        self.missing = missing
        self._columns = dict(columns)

    def __len__(self) -> int:
        return int(self.start[-1])

    @property
    def names(self) -> frozenset[str]:
        """The columns that were given."""
        return frozenset(self._columns)

    def __contains__(self, name: str) -> bool:
        return name in self._columns

    def __getitem__(self, name: str) -> Array:
        made = self._columns.get(name)
        if isinstance(made, np.ndarray):
            return made
        if made is None:
            value = self.missing[name]
            dtype: type = {int: np.int64, float: np.float64}.get(type(value), type(value))
            made = np.full(len(self), value, dtype=dtype)
        else:
            made = made()
        self._columns[name] = made
        return made

    def __setitem__(self, name: str, values: Array | Callable[[], Array]) -> None:
        self._columns[name] = values

    @property
    def segments(self) -> int:
        """How many segments there are, empty ones included."""
        return len(self.start) - 1

    @cached_property
    def segment(self) -> Array:
        """int32 (rows,): the segment of each row."""
        return np.repeat(np.arange(self.segments, dtype=np.int32), self.start[1:] - self.start[:-1])

    def take(self, index: Array | slice, start: Array) -> Log:
        """The rows at ``index``, grouped by the given starts."""

        def taken(name: str) -> Callable[[], Array]:
            return lambda: self[name][index]

        return Log(start, {name: taken(name) for name in self._columns}, self.missing)

    def where(self, keep: Array) -> Log:
        """The rows for which ``keep`` (bool) holds; segments stay."""
        kept = np.concatenate(([0], np.cumsum(keep)))[self.start]
        return self.take(rows_where(keep), kept)

    def part(self, first: int, last: int) -> Log:
        """Segments first..last-1, without copying."""
        begin, end = int(self.start[first]), int(self.start[last])
        return self.take(slice(begin, end), self.start[first : last + 1] - begin)

    def joined(self, other: Log) -> Log:
        """This log's segments followed by the other's."""

        def both(name: str) -> Callable[[], Array]:
            return lambda: np.concatenate((self[name], other[name]))

        names = self._columns.keys() | other._columns.keys()
        start = np.concatenate((self.start, other.start[1:] + self.start[-1]))
        return Log(start, {name: both(name) for name in names}, self.missing)
