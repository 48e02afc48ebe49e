"""What was known of a contact at a moment: the values of its versions, by their ``valid_from``."""

from __future__ import annotations

from typing import Any

import numpy as np

from features.histories.history import History
from features.histories.log import NEVER, Array, rows_where
from features.kernel import compiled

_SINCE_EVER = -NEVER


def value_at(history: History, column: str, segment: Array, contact: Array, at: Array) -> tuple[Array, Array]:
    """A column of ``contacts`` for each (segment, contact code, moment), all of one length, in any order.

    Returns values of the column's type, the missing value where nothing is known of the contact, and int64 the moment
    from which each may be said: ``at``, or later where the contact was entered later. Then the value is that of the
    version valid at ``at`` that is known first or, for someone new to us, of the first version of all. Versions that
    leave the column empty are passed over; a correction does not change what has been said.
    """
    log = history.contacts
    missing, values = log.missing[column], log[column]
    given = rows_where(~np.isnan(values) if values.dtype.kind == "f" else values != missing)
    updated = log["updated_at"]
    known = np.where(updated == NEVER, log["recorded_at"], updated)[given]
    valid = log["valid_from"][given]
    known, valid = (np.where(time == NEVER, _SINCE_EVER, time) for time in (known, valid))
    person = _person(log.segment[given], log["contact_id"][given])
    order = np.lexsort((known, valid, person))
    chosen, said = _chosen(person[order], valid[order], known[order], _person(segment, contact), at.astype(np.int64))
    found = np.full(len(contact), missing, dtype=values.dtype)
    listed = chosen >= 0
    found[listed] = values[given[order[chosen[listed]]]]
    return found, said


def _person(segment: Array, contact: Array) -> Array:
    return segment.astype(np.int64) << 32 | contact


@compiled
def _chosen(person: Array, valid: Array, known: Array, asked: Array, at: Array) -> Any:
    """The version of the person asked for (-1 if none) and from when it may be said; versions lie in order."""
    chosen, said = np.full(len(asked), -1, np.int64), at.copy()
    for q in range(len(asked)):
        for v in range(np.searchsorted(person, asked[q]), len(person)):
            if person[v] != asked[q]:
                break
            moment = max(at[q], valid[v], known[v])
            if chosen[q] < 0 or moment < said[q] or (moment == said[q] and valid[v] <= at[q]):
                chosen[q], said[q] = v, moment
    return chosen, said
