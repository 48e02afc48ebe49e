"""W1: our own conduct: do we answer, and are we reliable? (document 003)"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from features import settings
from features.facts import Facts, facts
from features.figures import Text, known, median, ratio, share, since, windowed
from features.frame import FactFunction, Frame
from features.histories.conversations import Answers, Conversations, conversations
from features.histories.history import code
from features.histories.log import NEVER, rows_where
from features.histories.tables import INTERACTIONS
from features.indicators import REGISTRY, Figure
from features.signals.commitments import OUR_ACTOR, promise_keeping

W1A = REGISTRY.signal(
    "W1a",
    "our response",
    "How fast and how surely we answer the client",
    "003",
)
W1B = REGISTRY.signal(
    "W1b",
    "our reliability",
    "Whether we keep our word and deliver well and on time: one No of the two ends trust",
    "003",
)

(_DELIVERY,) = code(INTERACTIONS, "kind", "delivery")


def _read(pick: Callable[[Conversations], Answers], frame: Frame) -> Facts:
    answers = pick(frame.derived(conversations))
    return facts(frame.history.segments, answers.segment, answers.at, answers.value)


def answered_by_us(frame: Frame) -> Facts:
    """1 where we answered the client within 30 days (when we did), 0 where we did not (when they ended)."""
    return _read(lambda all_: all_.we_answered, frame)


def our_delays(frame: Frame) -> Facts:
    """Seconds the client waited for our answer."""
    return _read(lambda all_: all_.our_replies, frame)


def our_promises(frame: Frame) -> Facts:
    """Our promises as they were decided: 1 kept by their time, else 0."""
    return promise_keeping(frame, OUR_ACTOR)


def deliveries_in_time(frame: Frame) -> Facts:
    """1 for a delivery made by its date (when it was made), 0 for one that was not (when it fell due)."""
    log = frame.history.interactions
    rows = rows_where((log["kind"] == _DELIVERY) & (log["due_at"] != NEVER))
    due, made = log["due_at"][rows], log["resolved_at"][rows]
    return facts(frame.history.segments, log.segment[rows], np.minimum(due, made), made <= due)


def deliveries_rated(frame: Frame) -> Facts:
    """1 for a delivery rated 7 or more, 0 for one rated less, once it is made."""
    log = frame.history.interactions
    rows = rows_where((log["kind"] == _DELIVERY) & ~np.isnan(log["rating"]))
    made = np.where(log["resolved_at"][rows] == NEVER, log["at"][rows], log["resolved_at"][rows])
    return facts(frame.history.segments, log.segment[rows], made, log["rating"][rows] >= settings.WELL_RATED)


def reliability(frame: Frame) -> Figure:
    """The lowest of the known shares; its evidence is that of all three together."""
    measures: tuple[FactFunction, ...] = (our_promises, deliveries_in_time, deliveries_rated)
    counts = [frame.sums(measure).count for measure in measures]
    shares = [
        known(ratio(frame.sums(measure).total, count), count, settings.MINIMUM_OBSERVATIONS).value
        for measure, count in zip(measures, counts, strict=True)
    ]
    return Figure(np.fmin.reduce(shares), np.sum(counts, axis=0))


REGISTRY.add(
    median(
        W1A,
        Text(
            "our_response_time",
            "Our usual time to answer the client",
            "median time from the first touch of a run of the client to our reply",
            "hours",
        ),
        our_delays,
        scale=3600,
        better="down",
        mark="<=",
    )
)
REGISTRY.add(
    share(
        W1A,
        Text(
            "our_response_rate",
            "Share of the client's approaches that we answered within 30 days",
            "runs of the client answered within 30 days / runs of the client decided",
            "share",
        ),
        answered_by_us,
        better="up",
        mark=">=",
    )
)
REGISTRY.add([since(W1A, "our_answer", "we last answered the client", our_delays)])
REGISTRY.add(
    windowed(
        W1B,
        Text(
            "our_reliability",
            "The weakest of: our promises kept on time, our deliveries on time, our deliveries rated 7 or more",
            "minimum of the known shares",
            "share",
        ),
        reliability,
        better="up",
        mark=">=",
        high=1.0,
    )
)
_PARTS: tuple[tuple[str, str, str, FactFunction], ...] = (
    (
        "our_commitments_kept",
        "Share of our promises that we kept by their time",
        "promises kept by their time / promises kept, broken or fallen due",
        our_promises,
    ),
    (
        "our_deliveries_in_time",
        "Share of our deliveries made by their date",
        "deliveries by their date / deliveries made or fallen due",
        deliveries_in_time,
    ),
    (
        "our_deliveries_well_rated",
        "Share of our rated deliveries rated 7 or more",
        "deliveries rated 7 or more / deliveries rated",
        deliveries_rated,
    ),
)
for _name, _meaning, _formula, _make in _PARTS:
    REGISTRY.add(share(W1B, Text(_name, _meaning, _formula, "share"), _make, better="up"))
