"""What annotates what: the row that each row's ``about_id`` names, and whether the client acted of its own accord."""

from __future__ import annotations

import numpy as np

from features import settings
from features.histories.conversations import CLIENT, US, Conversations
from features.histories.history import History
from features.histories.log import Array, Log, rows_where
from features.kernel import compiled

STANDALONE = -1
"""The annotated row of one that names none, or names one that is not known (or only happens later)."""


def annotated(log: Log, rows: Array | None = None) -> Array:
    """int64: the row of the same segment that each of the rows (or every row) is about, STANDALONE if there is none.

    A row about something that happens later counts as being about nothing known, so that facts stay causal. Whether a
    row named anything at all is ``log["about_id"] >= 0``. The ids are only read where one of the rows names another.
    """
    if rows is None:
        rows = np.arange(len(log))
    about = np.full(len(rows), STANDALONE, dtype=np.int64)
    names = log["about_id"][rows]
    naming = rows_where(names >= 0)
    if not len(naming):
        return about
    names, own = names[naming], log["interaction_id"]
    asked = np.zeros(max(int(names.max()), int(own.max())) + 1, dtype=bool)
    asked[names] = True
    named = rows_where(asked[own])
    key = _key(log.segment[named], own[named])
    order = np.argsort(key, kind="stable")
    key, named = np.append(key[order], -1), np.append(named[order], -1)
    wanted = _key(log.segment[rows[naming]], names)
    place = np.searchsorted(key[:-1], wanted)
    target = named[place]
    known = (key[place] == wanted) & (log["at"][target] <= log["at"][rows[naming]])
    about[naming[known]] = target[known]
    return about


def _key(segment: Array, code: Array) -> Array:
    return segment.astype(np.int64) << 32 | code


def unprompted(history: History, linked: Conversations, rows: Array) -> Array:
    """bool: whether the client did each of the given rows unprompted.

    As the row itself says; else as it is of the touch of the client that the row is or annotates; else unprompted where
    we did not touch that contact (or nobody in particular) within ``settings.PROMPTED_WITHIN`` before.
    """
    log = history.interactions
    given = log["prompted"][rows]
    touch = client_touch(history, linked, rows)
    touches = linked.touches
    told: Array = _touched_before(
        np.searchsorted(touches.row, log.start),
        touches.row,
        touches.at,
        (touches.side & US) > 0,
        log["contact_id"][touches.row],
        rows,
        log.segment[rows],
        log["at"][rows],
        log["contact_id"][rows],
        settings.PROMPTED_WITHIN,
    )
    if len(touches.row):
        told = np.where(touch >= 0, touches.prompted[touch], told)
    return np.asarray(np.where(given >= 0, given == 0, ~told))


def client_touch(history: History, linked: Conversations, rows: Array) -> Array:
    """int64: the place among the touches of the touch of the client that each row is or annotates, -1 if neither."""
    log = history.interactions
    touches = linked.touches
    place = np.full(len(log) + 1, -1, dtype=np.int64)
    own = rows_where((touches.side & CLIENT) > 0)
    place[touches.row[own]] = own
    # STANDALONE points to the last entry, which is no row.
    return np.where(place[rows] >= 0, place[rows], place[annotated(log, rows)])


@compiled
def _touched_before(
    first_touch: Array,
    touch_row: Array,
    touch_at: Array,
    ours: Array,
    touch_contact: Array,
    rows: Array,
    segment: Array,
    at: Array,
    contact: Array,
    within: int,
) -> Array:
    touched = np.zeros(len(rows), np.bool_)
    for r in range(len(rows)):
        first = first_touch[segment[r]]
        last = first + np.searchsorted(touch_row[first : first_touch[segment[r] + 1]], rows[r])
        for place in range(last - 1, first - 1, -1):
            if touch_at[place] + within < at[r]:
                break
            if ours[place] and (touch_contact[place] == contact[r] or touch_contact[place] < 0):
                touched[r] = True
                break
    return touched
