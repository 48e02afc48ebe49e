"""L2: do we sit down with the client to look back and ahead? (document 002)"""

from __future__ import annotations

import numpy as np

from features import settings
from features.facts import Facts, facts, settled
from features.figures import Text, records, since, single
from features.frame import PLACE, Frame
from features.histories.history import code
from features.histories.log import DAY, NEVER, Array, among, rows_where
from features.histories.tables import INTERACTIONS
from features.indicators import REGISTRY, Figure
from features.kernel import compiled

L2 = REGISTRY.signal(
    "L2",
    "review meetings",
    "Whether we meet the client to review the work and plan ahead: with none held and none planned the relationship "
    "stagnates",
    "002",
)

(_MEETING,) = code(INTERACTIONS, "kind", "meeting")
(_REVIEW,) = code(INTERACTIONS, "subtype", "review")
(_HELD,) = code(INTERACTIONS, "outcome", "held")
_CALLED_OFF = code(INTERACTIONS, "outcome", "cancelled", "rescheduled")


def _reviews(frame: Frame) -> Array:
    log = frame.history.interactions
    return rows_where((log["kind"] == _MEETING) & (log["subtype"] == _REVIEW))


def held_reviews(frame: Frame) -> Facts:
    """Every review meeting that was held."""
    log, rows = frame.history.interactions, _reviews(frame)
    rows = rows[log["outcome"][rows] == _HELD]
    return facts(frame.history.segments, log.segment[rows], log["at"][rows])


def recorded_reviews(frame: Frame) -> Facts:
    """Every review meeting, planned or held, when it became known."""
    log, rows = frame.history.interactions, _reviews(frame)
    return facts(frame.history.segments, log.segment[rows], log["known"][rows])


@compiled
def _next(
    start: Array, scheduled: Array, known: Array, until: Array, segment: Array, as_of: Array, never: int
) -> Array:
    soonest = np.full(len(segment), never, np.int64)
    for r in range(len(segment)):
        s, t = segment[r], as_of[r]
        for f in range(start[s], start[s + 1]):
            if known[f] <= t < until[f] and scheduled[f] > t:
                soonest[r] = min(soonest[r], scheduled[f])
    return soonest


def _next_review(frame: Frame) -> Array:
    """int64 (rows,): when the next review meeting begins that was known at t and not called off; NEVER if none is."""

    def compute() -> Array:
        log, rows = frame.history.interactions, _reviews(frame)
        off = among(log["outcome"][rows], _CALLED_OFF)
        until = np.where(off, settled(log, rows), NEVER)
        start = np.searchsorted(log.segment[rows], np.arange(frame.history.segments + 1))
        return _next(start, log["at"][rows], log["known"][rows], until, frame.segment, frame.as_of, NEVER)

    return frame.once(_next_review, compute)


def _days_to_next(frame: Frame) -> Figure:
    planned = _next_review(frame)
    there = planned < NEVER
    return Figure(np.where(there, (planned - frame.as_of) / DAY, np.nan), there.astype(np.int64))


def _stagnation(frame: Frame) -> Figure:
    """1 with none held for 180 days and none ahead; unknown before as many days, or where no review was ever noted."""
    held, noted = frame.sums(held_reviews), frame.sums(recorded_reviews)
    observed = frame.observed_seconds()[PLACE["all"]]
    recorded = (noted.count[PLACE["all"]] > 0) | records(frame, ("meeting",))
    told = recorded & (observed >= settings.STAGNATION_AFTER)
    lately = held.last > frame.as_of - settings.STAGNATION_AFTER
    stagnant = ~lately & (_next_review(frame) == NEVER)
    return Figure(np.where(told, stagnant.astype(float), np.nan), observed // DAY)


REGISTRY.add(
    [
        since(L2, "review_meeting", "the last review meeting was held", held_reviews, better="down"),
        single(
            L2,
            Text(
                "days_to_next_review",
                "Days until the next review meeting that is planned",
                "start of the next review meeting known at t, minus t",
                "days",
            ),
            _days_to_next,
            evidence_unit="planned reviews",
        ),
        single(
            L2,
            Text(
                "stagnation",
                "Whether no review meeting was held for 180 days and none is planned (1) or not (0)",
                "1 if none was held in (t − 180 d, t] and none after t is known at t",
                "yes or no",
            ),
            _stagnation,
            better="down",
            mark="<=",
            minimum=settings.STAGNATION_AFTER // DAY,
            evidence_unit="observed days",
            high=1.0,
        ),
    ]
)
