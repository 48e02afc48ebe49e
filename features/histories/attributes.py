"""What held of an account at a moment: rows of the accounts table that replace one another as time goes by."""

from __future__ import annotations

import numpy as np

from features.histories.log import NEVER, Array, Log
from features.kernel import compiled

EVER = -(1 << 49)
"""Before all time: since when an undated row holds."""


def in_force(log: Log, segment: Array, as_of: Array) -> Array:
    """int64 (n,): the row of the accounts' log that holds at each (segment, as_of); -1 where there is none.

    A row holds from ``valid_from`` on, but not before it was known (``updated_at``, else ``recorded_at``, where given).
    Of several the last in the order of the table (by ``valid_from``, then by when they were known) holds.

    >>> log = Log(np.array([0, 2]), {"valid_from": np.array([NEVER, 50]), "recorded_at": np.array([NEVER, 70])},
    ...     {"updated_at": NEVER})
    >>> in_force(log, np.zeros(3, dtype=int), np.array([40, 60, 70])).tolist()
    [0, 0, 1]
    """
    valid = np.where(log["valid_from"] == NEVER, EVER, log["valid_from"])
    known = np.where(log["updated_at"] == NEVER, log["recorded_at"], log["updated_at"])
    begin = np.maximum(valid, np.where(known == NEVER, EVER, known))
    return np.asarray(_last_begun(log.start, begin, segment, as_of))


@compiled
def _last_begun(start: Array, begin: Array, segment: Array, as_of: Array) -> Array:
    found = np.full(len(segment), -1, np.int64)
    for r in range(len(segment)):
        for row in range(start[segment[r]], start[segment[r] + 1]):
            if begin[row] <= as_of[r]:
                found[r] = row
    return found


def overwritten(log: Log) -> Array:
    """bool (rows,): whether a row of accounts took the place of one that nobody kept: undated, changed after it was
    entered (``updated_at`` alone, or later than ``recorded_at``), and with no version before it.

    Since when its values hold is unknown. Known from the change on, they would be known early of the accounts that
    nobody touched since, which tells at a past moment what was still to come.

    >>> log = Log(np.array([0, 1, 3]), {"updated_at": np.array([70, NEVER, 70])},
    ...     {"valid_from": NEVER, "recorded_at": NEVER})
    >>> overwritten(log).tolist()
    [True, False, False]
    """
    first = np.zeros(len(log["updated_at"]), dtype=bool)
    first[log.start[:-1][np.diff(log.start) > 0]] = True
    recorded = np.where(log["recorded_at"] == NEVER, EVER, log["recorded_at"])
    return np.asarray(
        first & (log["valid_from"] == NEVER) & (log["updated_at"] < NEVER) & (log["updated_at"] > recorded)
    )


def attribute(log: Log, column: str, segment: Array, as_of: Array) -> Array:
    """float64 (n,): a number of the accounts table as of each (segment, as_of); NaN where it is unknown."""
    row = in_force(log, segment, as_of)
    found = np.full(len(row), np.nan)
    found[row >= 0] = log[column][row[row >= 0]]
    return found
