"""D8e: do they give us feedback, and is it honest and direct? (document 001)"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features import settings
from features.facts import Facts, facts, moment_key, settled
from features.figures import Text, known, mean, ratio, records, since, windowed
from features.frame import PLACE, Frame
from features.histories.annotations import annotated
from features.histories.history import History, code
from features.histories.log import NEVER, Array, rows_where
from features.histories.tables import INTERACTIONS
from features.indicators import REGISTRY, Figure
from features.signals.commitments import OUR_ACTOR

D8E = REGISTRY.signal(
    "D8e",
    "feedback given",
    "Whether the client tells us openly what it thinks of our work; silence on it is a warning",
    "001",
)

_DELIVERY, _FEEDBACK, _REQUEST = code(INTERACTIONS, "kind", "delivery", "feedback", "request")
(_FOR_FEEDBACK,) = code(INTERACTIONS, "subtype", "feedback")
(_GRANTED,) = code(INTERACTIONS, "outcome", "granted")


@dataclass(frozen=True)
class _Expected:
    """What feedback may be expected on, deliveries made and our asking for it, and what came.

    ``segment`` and ``begin`` of each expectation in order, and ``subject``: the row that feedback on it would be about,
    which is the delivery also where we asked about one. ``answered`` and ``when``: the subject and the moment of all
    that counts as feedback.
    """

    segment: Array
    begin: Array
    subject: Array
    answered: Array
    when: Array


def _expected(history: History) -> _Expected:
    log = history.interactions
    kind, about = log["kind"], annotated(log)
    subjects = np.arange(len(log))
    on_delivery = rows_where((kind == _REQUEST) & (about >= 0))
    on_delivery = on_delivery[kind[about[on_delivery]] == _DELIVERY]
    subjects[on_delivery] = about[on_delivery]

    asked = (kind == _REQUEST) & (log["subtype"] == _FOR_FEEDBACK) & (log["actor"] == OUR_ACTOR)
    row = rows_where(asked | ((kind == _DELIVERY) & (log["resolved_at"] != NEVER)))
    begin = np.where(asked[row], log["at"][row], log["resolved_at"][row])
    key = moment_key(log.segment[row], begin)
    order = np.argsort(key, kind="stable")
    row, begin, key = row[order], begin[order], key[order]

    given = rows_where(kind == _FEEDBACK)
    answered = np.where(about[given] >= 0, subjects[about[given]], -1)
    # Feedback that names nothing is on the latest delivery or request before it.
    lone = rows_where(log["about_id"][given] < 0)
    segment = log.segment[given[lone]]
    place = np.searchsorted(key, moment_key(segment, log["at"][given[lone]]), side="right") - 1
    found = place >= 0
    found[found] = log.segment[row[place[found]]] == segment[found]
    answered[lone[found]] = subjects[row[place[found]]]
    # A request granted is as good as feedback noted.
    granted = row[log["outcome"][row] == _GRANTED]
    when = np.maximum(settled(log, granted), log["at"][granted])
    return _Expected(
        log.segment[row],
        begin,
        subjects[row],
        np.concatenate((answered, subjects[granted])),
        np.concatenate((log["at"][given], when)),
    )


def feedback_given(frame: Frame) -> Facts:
    """1 for a delivery or request that got feedback within 30 days (when it came), else 0 (when they ended)."""
    expected = _expected(frame.history)
    # Small numbers for the subjects, so that subject and time fit into one.
    every, place = np.unique(np.concatenate((expected.subject, expected.answered)), return_inverse=True)
    asked, answered = place[: len(expected.subject)], place[len(expected.subject) :]
    keys = np.sort(moment_key(answered, expected.when))
    first = np.searchsorted(keys, moment_key(asked, expected.begin))
    came = np.append(keys, moment_key(np.array([len(every)]), 0))[first] - moment_key(asked, 0)
    deadline = expected.begin + settings.FEEDBACK_WITHIN
    return facts(frame.history.segments, expected.segment, np.minimum(came, deadline), came <= deadline)


def feedback(frame: Frame) -> Facts:
    """Every feedback of the client."""
    log = frame.history.interactions
    rows = rows_where(log["kind"] == _FEEDBACK)
    return facts(frame.history.segments, log.segment[rows], log["at"][rows])


def directness(frame: Frame) -> Facts:
    """How direct each feedback was, 1 to 5, where noted."""
    log = frame.history.interactions
    rows = rows_where((log["kind"] == _FEEDBACK) & (log["level"] > 0))
    return facts(frame.history.segments, log.segment[rows], log["at"][rows], log["level"][rows])


def _given_rate(frame: Frame) -> Figure:
    given, everything = frame.sums(feedback_given), PLACE["all"]
    seen = (frame.sums(feedback).count[everything] > 0) | (given.total[everything] > 0)
    told = seen | records(frame, ("feedback",))
    rate = np.where(told, ratio(given.total, given.count), np.nan)
    return known(rate, given.count, settings.MINIMUM_OBSERVATIONS)


REGISTRY.add(
    windowed(
        D8E,
        Text(
            "feedback_given_rate",
            "Share of our deliveries, and of our requests for feedback, on which the client gave us feedback",
            "deliveries and requests with feedback within 30 days / those with it or 30 days old, where it is recorded",
            "share",
        ),
        _given_rate,
        better="up",
        mark=">=",
        high=1.0,
    )
)
REGISTRY.add(
    mean(
        D8E,
        Text(
            "directness",
            "How direct and honest the client's feedback is, from 1 to 5",
            "mean directness of the client's feedback, where noted",
            "1 to 5",
        ),
        directness,
        scale=1,
        better="up",
        low=1.0,
        high=5.0,
    )
)
REGISTRY.add([since(D8E, "feedback", "the client last gave us feedback", feedback)])
