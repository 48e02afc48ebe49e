"""The user's own columns (``x_…`` of accounts and of interactions) as indicators like any other.

Numbers and truth values become columns of the matrix; categories stay in the tables. What an account's column says of
t is its value in the row that held then. An undated row says nothing of any t, unless the user declares the column
static: who filled it in, when, and knowing what, could not be told. Of an interaction's column the mean over the
windows counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial

import numpy as np

from features.facts import Facts, facts
from features.figures import Text, mean, single
from features.frame import Frame
from features.histories.attributes import in_force, overwritten
from features.histories.columns import OWN_PREFIX
from features.histories.history import History
from features.histories.log import NEVER, Array, Log, rows_where
from features.histories.tables import ACCOUNTS, INTERACTIONS
from features.indicators import Better, Figure, Indicator, Signal

SOURCE = "own"
"""Stands as the source of a signal that no document names."""

_SCALE = 10_000
_LARGEST = 1e10
"""Values of interactions count to a ten-thousandth and up to this size, so that sums are exact in any order."""


@dataclass(frozen=True, order=True)
class OwnColumn:
    """A column of the user's own: of which table, what direction was declared ("up", "down", None), whether static."""

    table: str
    name: str
    better: Better | None = None
    static: bool = False


def own_columns(history: History) -> tuple[tuple[OwnColumn, ...], list[str]]:
    """The own columns of a history that can be indicators, and in words which cannot and why."""
    dataset = history.dataset
    found: list[OwnColumn] = []
    left_out: list[str] = []
    for table, log in ((ACCOUNTS.name, history.attributes), (INTERACTIONS.name, history.interactions)):
        for name in sorted(column for column in log.names if column.startswith(OWN_PREFIX)):
            static = table == ACCOUNTS.name and name in dataset.static
            if table == ACCOUNTS.name and not _told(log, static)[~np.isnan(log[name])].any():
                left_out.append(f"Column {name} of accounts {_UNTOLD[static]}: it is left out.")
                continue
            found.append(OwnColumn(table, name, dataset.directions.get(name), static))
    return tuple(found), left_out


_UNTOLD = {
    False: "has no dates and is not declared static",
    True: "comes with updated_at but without what was there before (leave updated_at out, or give valid_from)",
}


def _told(log: Log, static: bool) -> Array:
    """bool (rows,): whether it is known from when on a row of accounts holds, or need not be."""
    dated = (log["valid_from"] < NEVER) | (log["updated_at"] < NEVER) | (log["recorded_at"] < NEVER)
    return np.asarray((dated | static) & ~overwritten(log))


@cache
def own_indicators(own: tuple[OwnColumn, ...]) -> tuple[Indicator, ...]:
    """The indicators of these columns, in their order."""
    return tuple(indicator for column in own for indicator in _indicators(column))


def _indicators(own: OwnColumn) -> Iterator[Indicator]:
    label = own.name.removeprefix(OWN_PREFIX).replace("_", " ")
    signal = Signal(own.name, label, f"Your own column {own.name} of {own.table}", SOURCE)
    if own.table == ACCOUNTS.name:
        yield single(
            signal,
            Text(own.name, f"Your own figure {label} of the account", f"{own.name} in the row in force", "as given"),
            partial(_held, own),
            better=own.better,
            low=-float("inf"),
            evidence_unit="values in force",
        )
    else:
        yield from mean(
            signal,
            Text(own.name, f"Your own figure {label}, mean over interactions", f"mean of {own.name}", "as given"),
            partial(_noted, own.name),
            scale=_SCALE,
            better=own.better,
            low=-float("inf"),
        )


def _held(own: OwnColumn, frame: Frame) -> Figure:
    log = frame.history.attributes
    value = np.full(len(frame.as_of), np.nan)
    if own.name in log:
        row = in_force(log, frame.segment, frame.as_of)
        told = row >= 0
        told[told] = _told(log, own.static)[row[told]]
        value[told] = log[own.name][row[told]]
    return Figure(value, (~np.isnan(value)).astype(np.int64))


def _noted(name: str, frame: Frame) -> Facts:
    log = frame.history.interactions
    if name not in log:
        return facts(frame.history.segments, np.empty(0, np.int64), np.empty(0, np.int64))
    rows = rows_where(np.abs(log[name]) <= _LARGEST)
    scaled = np.round(log[name][rows] * _SCALE).astype(np.int64)
    return facts(frame.history.segments, log.segment[rows], log["at"][rows], scaled)
