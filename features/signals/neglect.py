"""L1: do our small failures add up to neglect? (document 002)"""

from __future__ import annotations

import numpy as np

from features import settings
from features.facts import Facts, facts
from features.figures import Text, known, since, single, windowed
from features.frame import PLACE, SPANS, Frame
from features.histories.conversations import BOTH, conversations
from features.histories.history import code
from features.histories.log import DAY, NEVER, Array, rows_where
from features.histories.tables import INTERACTIONS
from features.indicators import REGISTRY, Figure
from features.kernel import compiled
from features.signals.service import our_promises

L1 = REGISTRY.signal(
    "L1",
    "neglect",
    "Whether our small failures (late answers, missed promises, slight mistakes, meetings we cancelled) add up: a "
    "steady series of them ends even a committed relationship",
    "002",
)

_MEETING, _MISTAKE = code(INTERACTIONS, "kind", "meeting", "mistake")
(_CANCELLED,) = code(INTERACTIONS, "outcome", "cancelled")
(_US,) = code(INTERACTIONS, "actor", "us")
_SLIGHT = 1
_HOUR = 3600
_SCALE = 1 << 40
"""The weight of a failure of this very hour; weights are whole numbers, so that sums do not depend on order."""


def late_answers(frame: Frame) -> Facts:
    """One for each approach of the client that we left unanswered for three days, when these had passed."""
    linked = frame.derived(conversations)
    answered, handled = linked.our_replies, linked.we_answered
    late = answered.value > settings.LATE_ANSWER_AFTER
    never = handled.value == 0
    began = np.concatenate((answered.at[late] - answered.value[late], handled.at[never] - settings.REPLY_WITHIN))
    segment = np.concatenate((answered.segment[late], handled.segment[never]))
    return facts(frame.history.segments, segment, began + settings.LATE_ANSWER_AFTER)


def small_failures(frame: Frame) -> Facts:
    """Our late answers, promises not kept by their time, mistakes of level 1 and meetings that we cancelled."""
    log = frame.history.interactions
    late, promised = frame.facts(late_answers), frame.facts(our_promises)
    missed = promised.value == 0
    mistakes = rows_where((log["kind"] == _MISTAKE) & (log["level"] == _SLIGHT))
    ours = (log["actor"] == _US) & (log["outcome"] == _CANCELLED)
    cancelled = rows_where((log["kind"] == _MEETING) & ours)
    resolved = log["resolved_at"][cancelled]
    return facts(
        frame.history.segments,
        np.concatenate((late.segment, promised.segment[missed], log.segment[mistakes], log.segment[cancelled])),
        np.concatenate(
            (
                late.at,
                promised.at[missed],
                log["at"][mistakes],
                np.where(resolved == NEVER, log["at"][cancelled], resolved),
            )
        ),
    )


def failures_and_good_contacts(frame: Frame) -> Facts:
    """1 for each small failure of ours, 0 for each good contact: an answer in time, or a meeting that was held."""
    linked = frame.derived(conversations)
    failed = frame.facts(small_failures)
    in_time = linked.our_replies.value <= settings.LATE_ANSWER_AFTER
    held = linked.touches.side == BOTH
    # At the same second a failure comes before the good contact that ends the run.
    segment = np.concatenate((failed.segment, linked.our_replies.segment[in_time], linked.touches.segment[held]))
    at = np.concatenate((failed.at, linked.our_replies.at[in_time], linked.touches.at[held]))
    return facts(frame.history.segments, segment, at, np.arange(len(at)) < len(failed.at))


def _weights() -> Array:
    """The weight of a failure by its age in whole hours, over one half-life; each further one halves it again."""
    hours = settings.NEGLECT_HALF_LIFE // _HOUR
    return np.round(_SCALE * np.exp2(-np.arange(hours) / hours)).astype(np.int64)


@compiled
def _decayed(start: Array, at: Array, weights: Array, segment: Array, as_of: Array) -> Array:
    total = np.zeros(len(segment), np.int64)
    for r in range(len(segment)):
        s, t = segment[r], as_of[r]
        for f in range(start[s], start[s + 1]):
            if at[f] > t:
                break
            hours = (t - at[f]) // _HOUR
            halvings = hours // len(weights)
            if halvings < 63:
                total[r] += weights[hours % len(weights)] >> halvings
    return total


@compiled
def _longest_runs(start: Array, at: Array, failed: Array, segment: Array, as_of: Array, spans: Array) -> Array:
    longest = np.zeros((len(spans), len(segment)), np.int64)
    for r in range(len(segment)):
        s, t = segment[r], as_of[r]
        for w in range(len(spans)):
            run = 0
            for f in range(start[s], start[s + 1]):
                if at[f] > t:
                    break
                if at[f] > t - spans[w]:
                    run = run + 1 if failed[f] else 0
                    longest[w, r] = max(longest[w, r], run)
    return longest


def _neglect_rate(frame: Frame) -> Figure:
    """Failures weighted by age, over the days observed weighted alike; the evidence is all contacts of either kind."""
    failed = frame.facts(small_failures)
    weight = _decayed(failed.start, failed.at, _weights(), frame.segment, frame.as_of) / _SCALE
    observed = frame.observed_seconds()[PLACE["all"]]
    half_lives = observed / settings.NEGLECT_HALF_LIFE
    days = settings.NEGLECT_HALF_LIFE / DAY / np.log(2) * (1 - np.exp2(-half_lives))
    evidence = frame.sums(failures_and_good_contacts).count[PLACE["all"]]
    enough = observed >= settings.MINIMUM_OBSERVED_DAYS * DAY
    per_year = np.where(enough, weight * 365 / np.where(enough, days, 1.0), np.nan)
    return known(per_year, evidence, settings.MINIMUM_OBSERVATIONS)


def _longest_run(frame: Frame) -> Figure:
    events = frame.facts(failures_and_good_contacts)
    longest = _longest_runs(events.start, events.at, events.value, frame.segment, frame.as_of, SPANS)
    evidence = frame.sums(failures_and_good_contacts).count
    return known(longest.astype(float), evidence, settings.MINIMUM_OBSERVATIONS)


_EVIDENCE = "failures and good contacts"
REGISTRY.add(
    [
        single(
            L1,
            Text(
                "neglect_rate",
                "Our small failures in a year, recent ones weighing most",
                "failures × 365 / days observed, both halved for every 60 days of age",
                "per year",
            ),
            _neglect_rate,
            better="down",
            minimum=settings.MINIMUM_OBSERVATIONS,
            evidence_unit=_EVIDENCE,
        )
    ]
)
REGISTRY.add(
    windowed(
        L1,
        Text(
            "longest_failure_run",
            "Most small failures of ours in a row without a good contact between",
            "longest series of small failures with no answer in time and no held meeting between",
            "failures",
        ),
        _longest_run,
        better="down",
        evidence_unit=_EVIDENCE,
        trend=None,
    )
)
REGISTRY.add([since(L1, "small_failure", "our last small failure", small_failures)])
