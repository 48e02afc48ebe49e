"""W3: is our service the same every month, and no poorer than before? (document 003)"""

from __future__ import annotations

from typing import Any

import numpy as np

from features import settings
from features.facts import Facts, facts
from features.figures import Text, known, ratio, single
from features.frame import FactFunction, Frame
from features.histories.conversations import conversations
from features.histories.history import code
from features.histories.log import DAY, NEVER, Array, rows_where
from features.histories.tables import INTERACTIONS
from features.indicators import REGISTRY, Figure
from features.kernel import compiled
from features.signals.service import deliveries_in_time, our_delays, our_promises
from features.windows import medians, sums

W3A = REGISTRY.signal(
    "W3a",
    "service consistency",
    "Whether the client gets the same service from us month after month",
    "003",
)
W3B = REGISTRY.signal(
    "W3b",
    "service slip",
    "Whether our service has become poorer than the client was used to: that makes clients question coming back",
    "003",
)

(_DELIVERY,) = code(INTERACTIONS, "kind", "delivery")
_YEAR = 365 * DAY
_RATINGS = 10


_MONTH = np.array([_YEAR // settings.SERVICE_MONTHS])


def _months(frame: Frame) -> tuple[Array, Array]:
    """The segment and the end of the last twelve months as of each row: int64 (months × rows,), month by month."""
    ends = frame.as_of - np.arange(settings.SERVICE_MONTHS)[:, None] * _MONTH
    return np.tile(frame.segment, settings.SERVICE_MONTHS), ends.ravel()


def _monthly_delays(frame: Frame) -> Figure:
    """Spread of the natural logarithm of the median hours to our answer in each month that has one."""
    one = frame.facts(our_delays)
    count, middle = medians(one.start, one.at, one.value, *_months(frame), _MONTH)
    return _spread(np.log(np.maximum(middle, settings.FAST_ENOUGH) / 3600), count)


def _monthly_keeping(frame: Frame) -> Figure:
    """Spread of the share of our promises kept by their time in each month in which one was decided."""
    one = frame.facts(our_promises)
    count, total, _ = sums(one.start, one.at, one.value, *_months(frame), _MONTH)
    return _spread(ratio(total, count), count)


def _spread(monthly: Array, count: Array) -> Figure:
    months = (settings.SERVICE_MONTHS, -1)
    spread, known_months = _deviations(monthly.reshape(months), count.reshape(months))
    return known(spread, known_months, settings.MINIMUM_OBSERVATIONS)


@compiled
def _deviations(value: Array, count: Array) -> Any:
    """Standard deviation of the values (months, rows) that are of something, NaN if none is, and how many are."""
    # Added up one after the other: numpy's own sums depend on the shape of the whole.
    months, rows = value.shape
    deviation, known_months = np.full(rows, np.nan), np.zeros(rows, np.int64)
    for r in range(rows):
        total = squares = 0.0
        for m in range(months):
            if count[m, r] > 0:
                known_months[r] += 1
                total += value[m, r]
        for m in range(months):
            if count[m, r] > 0:
                squares += (value[m, r] - total / known_months[r]) ** 2
        if known_months[r] > 0:
            deviation[r] = np.sqrt(squares / known_months[r])
    return deviation, known_months


def prompt_answers(frame: Frame) -> Facts:
    """1 where we answered the client within a day (when we did), 0 where it took longer or 30 days passed without."""
    linked = frame.derived(conversations)
    answered, never = linked.our_replies, linked.we_answered.value == 0
    prompt = answered.value <= settings.PROMPT_WITHIN
    return facts(
        frame.history.segments,
        np.concatenate((answered.segment, linked.we_answered.segment[never])),
        np.concatenate((answered.at, linked.we_answered.at[never])),
        np.concatenate((prompt, np.zeros(int(never.sum()), dtype=bool))),
    )


def delivery_ratings(frame: Frame) -> Facts:
    """The rating of each rated delivery, in hundredths, once it is made."""
    log = frame.history.interactions
    rows = rows_where((log["kind"] == _DELIVERY) & ~np.isnan(log["rating"]))
    made = np.where(log["resolved_at"][rows] == NEVER, log["at"][rows], log["resolved_at"][rows])
    return facts(frame.history.segments, log.segment[rows], made, np.round(log["rating"][rows] * 100).astype(np.int64))


_SLIP = np.array([settings.SLIP_RECENT, settings.SLIP_RECENT + settings.SLIP_BEFORE])

_SERVICE: tuple[tuple[FactFunction, int], ...] = (
    (prompt_answers, 1),
    (our_promises, 1),
    (deliveries_in_time, 1),
    (delivery_ratings, 100 * _RATINGS),
)
"""The measures of our service, and the value that stands for the best."""


def _slip(frame: Frame) -> Figure:
    """Mean over the measures known in both times of the recent score minus that before; evidence is what is recent."""
    change, measures = np.zeros(len(frame.as_of)), np.zeros(len(frame.as_of))
    evidence = np.zeros(len(frame.as_of), dtype=np.int64)
    for make, best in _SERVICE:
        found = frame.sums(make, _SLIP)
        # The last 90 days, and what is left of the longer window: the time before them.
        count, total = found.count.copy(), found.total.copy()
        count[1] -= count[0]
        total[1] -= total[0]
        score = known(ratio(total, count * best), count, settings.MINIMUM_OBSERVATIONS).value
        slipped = score[0] - score[1]
        told = ~np.isnan(slipped)
        change += np.where(told, slipped, 0.0)
        measures += told
        evidence += np.where(told, count[0], 0)
    return Figure(ratio(change, measures), evidence)


REGISTRY.add(
    [
        single(
            W3A,
            Text(
                "response_variation",
                "How much our usual time to answer varies from month to month",
                "standard deviation over the last twelve months of ln(median hours to our answer, at least one hour)",
                "log hours",
            ),
            _monthly_delays,
            window="365d",
            better="down",
            minimum=settings.MINIMUM_OBSERVATIONS,
            evidence_unit="months",
        ),
        single(
            W3A,
            Text(
                "promise_variation",
                "How much our keeping of promises varies from month to month",
                "standard deviation over the last twelve months of the share of our promises kept by their time",
                "share",
            ),
            _monthly_keeping,
            window="365d",
            better="down",
            minimum=settings.MINIMUM_OBSERVATIONS,
            evidence_unit="months",
            high=0.5,
        ),
        single(
            W3B,
            Text(
                "service_slip",
                "Our service in the last 90 days against the year before: below zero it has become poorer",
                "mean change, last 90 days minus the 365 before, of the known shares: answers within a day, promises "
                "kept, deliveries in time, mean rating of deliveries / 10",
                "difference of shares",
            ),
            _slip,
            better="up",
            mark=">=",
            minimum=settings.MINIMUM_OBSERVATIONS,
            low=-1.0,
            high=1.0,
        ),
    ]
)
