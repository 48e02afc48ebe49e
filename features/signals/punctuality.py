"""D8c, D8d and D8g: are they prompt, do they keep their appointments, do they give us time? (document 001)"""

from __future__ import annotations

import numpy as np

from features import settings
from features.facts import Facts, facts, settled
from features.figures import Text, mean, none_means_zero, ratio, share, since, windowed
from features.frame import Frame
from features.histories.history import code
from features.histories.log import DAY, NEVER, Array, rows_where
from features.histories.tables import INTERACTIONS
from features.indicators import REGISTRY, Figure
from features.signals.commitments import CLIENT_ACTOR, OUR_ACTOR

D8C = REGISTRY.signal(
    "D8c",
    "punctuality",
    "Whether the client comes to meetings in time and delivers what it owes us by the date",
    "001",
)
D8D = REGISTRY.signal(
    "D8d",
    "last-minute cancellations",
    "Whether the client calls meetings off at the last minute",
    "001",
)
D8G = REGISTRY.signal(
    "D8g",
    "time and flexibility",
    "Whether the client gives us its time, and lets us move a meeting when we have to",
    "001",
)

_COMMITMENT, _MEETING, _REQUEST = code(INTERACTIONS, "kind", "commitment", "meeting", "request")
(_RESCHEDULE,) = code(INTERACTIONS, "subtype", "reschedule")
_HELD, _NO_SHOW, _CANCELLED, _KEPT, _BROKEN, _GRANTED, _REFUSED = code(
    INTERACTIONS, "outcome", "held", "no_show", "cancelled", "kept", "broken", "granted", "refused"
)


def _held(frame: Frame) -> tuple[Array, Array]:
    """The rows of held meetings, and from when each is known to have been held."""
    log = frame.history.interactions
    rows = rows_where((log["kind"] == _MEETING) & (log["outcome"] == _HELD))
    return rows, _took_place(log["at"][rows], log["resolved_at"][rows])


def _took_place(at: Array, resolved: Array) -> Array:
    return np.where(resolved == NEVER, at, np.maximum(at, resolved))


def held_meetings(frame: Frame) -> Facts:
    """Every held meeting."""
    log, (rows, when) = frame.history.interactions, _held(frame)
    return facts(frame.history.segments, log.segment[rows], when)


def _seconds_of_meetings(frame: Frame, column: str) -> Facts:
    log, (rows, when) = frame.history.interactions, _held(frame)
    minutes = log[column][rows]
    told = ~np.isnan(minutes)
    seconds = np.round(minutes[told] * 60).astype(np.int64)
    return facts(frame.history.segments, log.segment[rows][told], when[told], seconds)


def lateness_at_meetings(frame: Frame) -> Facts:
    """Seconds that the client was late to each held meeting, where noted (0: in time)."""
    return _seconds_of_meetings(frame, "minutes_late")


def meeting_lengths(frame: Frame) -> Facts:
    """Seconds that each held meeting lasted, where noted."""
    return _seconds_of_meetings(frame, "minutes")


def dated_duties_late(frame: Frame) -> Facts:
    """1 for a promise or an answer of the client that was not there by its date, 0 for one that was; when decided.

    Its promises with a date, and our requests to it with one: a refusal is an answer too.
    """
    log = frame.history.interactions
    kind, outcome, due = log["kind"], log["outcome"], log["due_at"]
    promised = (kind == _COMMITMENT) & (log["actor"] == CLIENT_ACTOR)
    asked = (kind == _REQUEST) & (log["actor"] == OUR_ACTOR)
    rows = rows_where((promised | asked) & (due != NEVER))
    answered = (outcome == _GRANTED) | (outcome == _REFUSED) | (log["resolved_at"] != NEVER)
    done = np.where(promised, outcome == _KEPT, answered)[rows]
    ended, due = settled(log, rows), due[rows]
    in_time = done & (ended <= due)
    # A row entered after its date cannot have been late before it was there.
    missed = np.maximum(due, log["at"][rows])
    broken = promised[rows] & (outcome[rows] == _BROKEN)
    decided = np.where(in_time, ended, np.where(broken, np.minimum(ended, missed), missed))
    return facts(frame.history.segments, log.segment[rows], decided, ~in_time)


def last_minute_cancellations(frame: Frame) -> Facts:
    """1 for a meeting that the client cancelled within 24 hours of its start, 0 for any other that it ended or held.

    One that the client cancelled at a time unknown tells nothing, nor does one that we called off, moved or missed.
    """
    log = frame.history.interactions
    theirs = (log["outcome"] == _HELD) | ((log["outcome"] >= 0) & (log["actor"] == CLIENT_ACTOR))
    rows = rows_where((log["kind"] == _MEETING) & theirs)
    at, resolved, outcome = log["at"][rows], log["resolved_at"][rows], log["outcome"][rows]
    by_client = (outcome == _CANCELLED) & (log["actor"][rows] == CLIENT_ACTOR)
    late = by_client & (resolved != NEVER) & (resolved >= at - settings.LAST_MINUTE)
    took_place = (outcome == _HELD) | (outcome == _NO_SHOW)
    called_off = np.where(resolved == NEVER, at, resolved)
    when = np.where(took_place, _took_place(at, resolved), called_off)
    told = ~by_client | (resolved != NEVER)
    return facts(frame.history.segments, log.segment[rows][told], when[told], late[told])


def reschedules_granted(frame: Frame) -> Facts:
    """1 for a request of ours to move a meeting that the client granted, 0 for one it refused, when it did."""
    log = frame.history.interactions
    outcome = log["outcome"]
    asked = (log["kind"] == _REQUEST) & (log["subtype"] == _RESCHEDULE) & (log["actor"] == OUR_ACTOR)
    rows = rows_where(asked & ((outcome == _GRANTED) | (outcome == _REFUSED)))
    return facts(frame.history.segments, log.segment[rows], settled(log, rows), outcome[rows] == _GRANTED)


def _hours_per_quarter(frame: Frame) -> Figure:
    """Meetings of unknown length count as long as the others of the window did on average."""
    observed = frame.observed_seconds()
    held, lengths = frame.sums(held_meetings), frame.sums(meeting_lengths)
    hours = np.where(held.count > 0, held.count * ratio(lengths.total, lengths.count) / 3600, 0.0)
    enough = observed // DAY >= settings.MINIMUM_OBSERVED_DAYS
    told = enough & ((held.count > 0) | none_means_zero(frame, ("meeting",)))
    return Figure(np.where(told, ratio(hours * settings.QUARTER, observed), np.nan), observed // DAY)


REGISTRY.add(
    mean(
        D8C,
        Text(
            "minutes_late",
            "How many minutes late the client usually comes to our meetings",
            "mean of the client's minutes late to held meetings, where noted",
            "minutes",
        ),
        lateness_at_meetings,
        scale=60,
        better="down",
        mark="<=",
    )
)
REGISTRY.add(
    share(
        D8C,
        Text(
            "late_share",
            "Share of what the client owed us by a date, promises and answers, that came late or not at all",
            "dated promises and answers not there by their date / dated promises and answers decided",
            "share",
        ),
        dated_duties_late,
        better="down",
        mark="<=",
    )
)
REGISTRY.add(
    [
        since(
            D8C,
            "dated_duty",
            "we last learnt whether the client is in time with a promise or an answer",
            dated_duties_late,
        )
    ]
)
REGISTRY.add(
    share(
        D8D,
        Text(
            "last_minute_cancellations",
            "Share of meetings that the client called off within a day of their start",
            "meetings cancelled by the client within 24 hours of the start / meetings held, and those that the client "
            "missed, cancelled or moved",
            "share",
        ),
        last_minute_cancellations,
        better="down",
        mark="<=",
    )
)
REGISTRY.add(
    windowed(
        D8G,
        Text(
            "meeting_hours",
            "Hours that the client spends in meetings with us in a quarter of a year",
            "held meetings × their mean length (where noted) × 91.25 / days observed",
            "hours per quarter",
        ),
        _hours_per_quarter,
        better="up",
        minimum=settings.MINIMUM_OBSERVED_DAYS,
        evidence_unit="observed days",
        trend="log ratio",
    )
)
REGISTRY.add(
    share(
        D8G,
        Text(
            "reschedules_granted",
            "Share of our requests to move a meeting that the client granted",
            "requests to reschedule granted / granted or refused",
            "share",
        ),
        reschedules_granted,
        better="up",
    )
)
