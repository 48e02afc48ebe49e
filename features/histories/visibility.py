"""What was known of an account at t: the room that makes leaks impossible.

Nearly every row is known when it happens; then the windows ``(t - w, t]`` alone hide the future and nothing else is
needed. Where a moment t falls between something happening and its being known (a row recorded late, an outcome entered
late, a row changed later), the account gets a segment of its own for that t, holding exactly the versions known at t.
Facts and indicators then work on segments and cannot see more than was known.

Facts must keep one promise in return: what they say of time u depends only on rows with ``at <= u`` and resolutions up
to u (a row's future ``due_at``, ``ends_on`` or scheduled start counts from the row's ``known`` on).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from features.histories.history import TIME_OF, History, code
from features.histories.log import NEVER, Array, Log, among, rows_where
from features.histories.tables import INTERACTIONS

_AT_ONCE = code(INTERACTIONS, "kind", "call", "meeting")

_RESOLVED = {"interactions": "resolved_at", "deals": "closed_at"}


def as_known(history: History, account: Array, as_of: Array) -> tuple[History, Array]:
    """A history whose segments hold what was known, and the segment of each (account, as_of) row.

    ``account`` int (n,) segment indices of ``history``, ``as_of`` int64 (n,), sorted by both. Returns the history of
    the same segments (latest versions) followed by one for each row that needs its own, and int64 (n,) segments.
    """
    segment = account.astype(np.int64)
    own = np.zeros(len(account), dtype=bool)
    logs = {"interactions": history.interactions, "deals": history.deals, "stage_reviews": history.reviews}
    for table, log in logs.items():
        own |= _between_happening_and_known(log, table, segment, as_of)
    rows = rows_where(own)
    segment[rows] = history.segments + np.arange(len(rows))
    latest = replace(
        history,
        interactions=_latest(history.interactions),
        deals=_latest(history.deals),
        reviews=_latest(history.reviews),
    )
    if not len(rows):
        return latest, segment
    copied, moments = account[rows], as_of[rows]
    return (
        History(
            history.accounts,
            np.concatenate((history.owner, history.owner[copied])),
            latest.interactions.joined(_copies(history.interactions, "interactions", copied, moments)),
            latest.deals.joined(_copies(history.deals, "deals", copied, moments)),
            history.contacts.joined(_gathered(history.contacts, copied)[0]),
            history.attributes.joined(_gathered(history.attributes, copied)[0]),
            latest.reviews.joined(_copies(history.reviews, "stage_reviews", copied, moments)),
            history.dataset,
            history.names,
        ),
        segment,
    )


def _latest(log: Log) -> Log:
    current = log["replaced"] == NEVER
    return log if bool(current.all()) else log.where(current)


def _between_happening_and_known(log: Log, table: str, segment: Array, as_of: Array) -> Array:
    """bool (n,): rows (segment, as_of) at which the latest versions are not what was known."""
    happened, known, replaced = log[TIME_OF[table]], log["known"], log["replaced"]
    latest = replaced == NEVER
    spans = [
        (latest & (known > happened), happened, known),
        (~latest, known, replaced),
    ]
    if table in _RESOLVED:
        resolved = log[_RESOLVED[table]]
        effective = np.where(resolved == NEVER, happened, resolved)
        if table == "interactions":
            # What became of a call or a meeting is true of its own time, even where it is settled later.
            at_once = among(log["kind"], _AT_ONCE)
            effective = np.where(at_once, np.minimum(happened, resolved), effective)
        spans.append((latest & (log["outcome_known"] > effective), effective, log["outcome_known"]))
    change = np.zeros(len(segment) + 1, dtype=np.int64)
    for chosen, begin, end in spans:
        at = rows_where(chosen)
        if len(at):
            key = _key(segment, as_of)
            np.add.at(change, np.searchsorted(key, _key(log.segment[at], begin[at]), side="left"), 1)
            np.add.at(change, np.searchsorted(key, _key(log.segment[at], end[at]), side="left"), -1)
    return np.cumsum(change[:-1]) > 0


def _key(segment: Array, time: Array) -> Array:
    """One sortable number for (segment, time); times reach from 1900 to NEVER."""
    return segment.astype(np.int64) * (1 << 42) + time + (1 << 41)


def _gathered(log: Log, segments: Array) -> tuple[Log, Array]:
    """The rows of the given segments one after the other, and for each row which of them it belongs to."""
    sizes = np.diff(log.start)[segments]
    start = np.concatenate(([0], np.cumsum(sizes)))
    which = np.repeat(np.arange(len(segments)), sizes)
    index = np.arange(start[-1]) - start[which] + log.start[segments][which]
    return log.take(index, start), which


def _copies(log: Log, table: str, segments: Array, moments: Array) -> Log:
    """Each segment as it was known at its moment: versions in force, outcomes entered later still open."""
    copy, which = _gathered(log, segments)
    moment = moments[which]
    in_force = (copy["known"] <= moment) & (moment < copy["replaced"])
    copy = copy.where(in_force)
    if table in _RESOLVED:
        unknown = copy["outcome_known"] > moment[in_force]
        for name in (_RESOLVED[table], *OUTCOME_COLUMNS[table]):
            if name in copy:
                copy[name] = np.where(unknown, copy.missing[name], copy[name])
    return copy


OUTCOME_COLUMNS = {
    "interactions": ("outcome", "amount_agreed", "minutes", "minutes_late", "rating", "non_verbal"),
    "deals": ("outcome", "margin", "concession", "client_concession", "goal_met", "lost_to", "lost_reason"),
}
"""What a row only tells once its outcome is known; before that it is missing, as in a table truncated at t."""
