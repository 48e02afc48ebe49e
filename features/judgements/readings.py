"""A figure held against its mark: what every scorecard is made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from features import settings
from features.histories.log import Array
from features.indicators import Mark
from features.matrix import Matrix

MET, MISSED, UNKNOWN = 1, 0, -1
"""How a figure stands to its mark, as int8."""

USUAL = "365d"
"""The window over which accounts are judged, unless a figure has none."""

LONGER = settings.LONGER_WINDOW[0]
"""The window for what is rare."""


@dataclass(frozen=True)
class Reading:
    """One figure of one account: its column, value (None if unknown) and mark, and whether it meets it."""

    column: str
    value: float | None
    mark: str
    met: bool | None


def marked_by_row(matrix: Matrix, rows: Iterable[str], window: str = USUAL) -> dict[str, list[int]]:
    """For each of these rows of the list (``G1a`` …) the places of its columns with a mark, over the window or now.

    A row without such columns has none: then nothing is known of it.
    """
    by_row: dict[str, list[int]] = {row: [] for row in rows}
    for place, one in enumerate(matrix.indicators):
        if one.mark is not None and one.window in (window, "now") and one.signal.id in by_row:
            by_row[one.signal.id].append(place)
    return by_row


def marked(matrix: Matrix, rows: Iterable[str], window: str = USUAL) -> list[int]:
    """The places of all columns with a mark of these rows of the list, in the order of the rows."""
    return [place for places in marked_by_row(matrix, rows, window).values() for place in places]


def against(mark: Mark, values: Array) -> Array:
    """int8: MET, MISSED or UNKNOWN (NaN) for each value; ``Mark.met`` for many values at once.

    >>> against(Mark("<=", 3), np.array([3.0, 4.0, np.nan])).tolist()
    [1, 0, -1]
    """
    if mark.comparison == "between":
        assert mark.upper is not None
        met = (values >= mark.value) & (values <= mark.upper)
    else:
        met = {">=": np.greater_equal, ">": np.greater, "<=": np.less_equal}[mark.comparison](values, mark.value)
    return np.where(np.isnan(values), UNKNOWN, met).astype(np.int8)


def held_against_marks(matrix: Matrix, places: Sequence[int]) -> Array:
    """int8 (rows, places): how each figure stands to its mark."""
    stands = np.empty((len(matrix), len(places)), dtype=np.int8)
    for column, place in enumerate(places):
        mark = matrix.indicators[place].mark
        assert mark is not None
        stands[:, column] = against(mark, matrix.values[:, place])
    return stands


def readings(matrix: Matrix, places: Sequence[int]) -> list[tuple[Reading, ...]]:
    """For each row of the matrix the figures at these places beside their marks."""
    met = {MET: True, MISSED: False, UNKNOWN: None}
    columns = [matrix.indicators[place].column for place in places]
    marks = [str(matrix.indicators[place].mark) for place in places]
    stands = held_against_marks(matrix, places).tolist()
    values = matrix.values[:, list(places)].tolist()
    return [
        tuple(
            Reading(column, None if stand == UNKNOWN else value, mark, met[stand])
            for column, value, mark, stand in zip(columns, figures, marks, standing, strict=True)
        )
        for figures, standing in zip(values, stands, strict=True)
    ]
