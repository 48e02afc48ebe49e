"""W3: is our service the same every month, and no poorer than before? (document 003)"""

from __future__ import annotations

import numpy as np

from features import settings
from features.facts import Facts, facts
from features.figures import Text, known, ratio, single
from features.frame import FactFunction, Frame
from features.histories.conversations import conversations
from features.histories.history import code
from features.histories.log import DAY, NEVER, Array
from features.histories.tables import INTERACTIONS
from features.indicators import REGISTRY, Figure
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


def _months(frame: Frame) -> list[Array]:
    """The ends of the last twelve months, as of each row: int64 (rows,) each."""
    return [frame.as_of - back * (_YEAR // settings.SERVICE_MONTHS) for back in range(settings.SERVICE_MONTHS)]


def _monthly_delays(frame: Frame) -> list[Array]:
    """Natural logarithm of the median hours to our answer, month by month; NaN where there was none."""
    one, span = frame.facts(our_delays), np.array([_YEAR // settings.SERVICE_MONTHS])
    middles = [medians(one.start, one.at, one.value, frame.segment, end, span)[1][0] for end in _months(frame)]
    return [np.log(np.maximum(middle, settings.FAST_ENOUGH) / 3600) for middle in middles]


def _monthly_keeping(frame: Frame) -> list[Array]:
    """Share of our promises kept by their time, month by month; NaN where none was decided."""
    one, span = frame.facts(our_promises), np.array([_YEAR // settings.SERVICE_MONTHS])
    decided = [sums(one.start, one.at, one.value, frame.segment, end, span) for end in _months(frame)]
    return [ratio(total[0], count[0]) for count, total, _ in decided]


def _spread(months: list[Array]) -> Figure:
    """Standard deviation over the months that are known; the evidence is their number."""
    # Added up one month after the other: numpy's own sums depend on the shape of the whole.
    given = [~np.isnan(month) for month in months]
    count, total, squares = (np.zeros(len(months[0])) for _ in range(3))
    for month, there in zip(months, given, strict=True):
        count += there
        total += np.where(there, month, 0.0)
    mean = ratio(total, count)
    for month, there in zip(months, given, strict=True):
        squares += np.where(there, (month - mean) ** 2, 0.0)
    return known(np.sqrt(ratio(squares, count)), count.astype(np.int64), settings.MINIMUM_OBSERVATIONS)


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
    rows = np.flatnonzero((log["kind"] == _DELIVERY) & ~np.isnan(log["rating"]))
    made = np.where(log["resolved_at"][rows] == NEVER, log["at"][rows], log["resolved_at"][rows])
    return facts(frame.history.segments, log.segment[rows], made, np.round(log["rating"][rows] * 100).astype(np.int64))


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
    before = frame.as_of - settings.SLIP_RECENT
    for make, best in _SERVICE:
        one = frame.facts(make)
        figures = []
        for end, span in ((frame.as_of, settings.SLIP_RECENT), (before, settings.SLIP_BEFORE)):
            count, total, _ = sums(one.start, one.at, one.value, frame.segment, end, np.array([span]))
            figures.append(known(ratio(total[0], count[0] * best), count[0], settings.MINIMUM_OBSERVATIONS))
        recent, usual = figures
        both = ~np.isnan(recent.value - usual.value)
        change += np.where(both, recent.value - usual.value, 0.0)
        measures += both
        evidence += np.where(both, recent.evidence, 0)
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
            lambda frame: _spread(_monthly_delays(frame)),
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
            lambda frame: _spread(_monthly_keeping(frame)),
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
