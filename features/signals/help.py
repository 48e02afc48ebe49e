"""D1: do they come to us for help of their own accord, even after a long silence? (document 001)"""

from __future__ import annotations

import numpy as np

from features import settings
from features.facts import Facts, facts
from features.figures import Text, event_rate, none_means_zero, since, windowed
from features.frame import Frame
from features.histories.annotations import client_touch, unprompted
from features.histories.conversations import CLIENT, conversations
from features.histories.history import code
from features.histories.log import DAY, Array, rows_where
from features.histories.tables import INTERACTIONS
from features.indicators import REGISTRY, Figure
from features.signals.commitments import CLIENT_ACTOR

D1A = REGISTRY.signal(
    "D1a",
    "asking for help",
    "Whether the client turns to us for advice, or with a new task, without being asked to",
    "001",
)
D1B = REGISTRY.signal(
    "D1b",
    "remembered after silence",
    "Whether the client still thinks of us when it needs help after a long time without contact",
    "001",
)

_REQUEST, _BRIEF = code(INTERACTIONS, "kind", "request", "brief")
(_HELP,) = code(INTERACTIONS, "subtype", "help")
_KINDS = ("request", "brief")


def _calls(frame: Frame) -> Array:
    """The rows in which the client asked for help or gave us a brief, unprompted."""

    def find() -> Array:
        log = frame.history.interactions
        asked = ((log["kind"] == _REQUEST) & (log["subtype"] == _HELP)) | (log["kind"] == _BRIEF)
        rows = rows_where(asked & (log["actor"] == CLIENT_ACTOR))
        return rows[unprompted(frame.history, frame.derived(conversations), rows)]

    return frame.once("calls for help", find)


def help_requests(frame: Frame) -> Facts:
    """Every unprompted request for help and every unprompted brief: 1 where it broke a long silence, else 0."""
    log, linked = frame.history.interactions, frame.derived(conversations)
    rows, touches = _calls(frame), linked.touches
    # The touch that carried the request does not break the silence before itself.
    carrier = client_touch(frame.history, linked, rows)
    reference = rows.copy()
    reference[carrier >= 0] = touches.row[carrier[carrier >= 0]]
    theirs = touches.row[(touches.side & CLIENT) > 0]
    place = np.searchsorted(theirs, reference) - 1
    silent = np.zeros(len(rows), dtype=bool)
    before = rows_where(place >= 0)
    last = theirs[place[before]]
    same = log.segment[last] == log.segment[rows[before]]
    gap = log["at"][reference[before]] - log["at"][last]
    silent[before] = same & (gap >= settings.REMEMBERED_AFTER)
    return facts(frame.history.segments, log.segment[rows], log["at"][rows], silent)


def _remembered(frame: Frame) -> Figure:
    days = frame.observed_seconds() / DAY
    calls = frame.sums(help_requests)
    told = (days >= settings.MINIMUM_OBSERVED_DAYS) & ((calls.count > 0) | none_means_zero(frame, _KINDS))
    return Figure(np.where(told, calls.total.astype(float), np.nan), days.astype(np.int64))


REGISTRY.add(
    event_rate(
        D1A,
        Text(
            "help_requests",
            "How often the client asked us for help, or gave us a task, without being prompted",
            "unprompted requests for help and unprompted briefs × 365 / days observed",
            "per year",
        ),
        help_requests,
        kinds=_KINDS,
        better="up",
        mark=">=",
    )
)
REGISTRY.add([since(D1A, "help_request", "the client last asked for our help unprompted", help_requests)])
REGISTRY.add(
    windowed(
        D1B,
        Text(
            "help_after_silence",
            "How many times the client came to us for help after 60 days or more without a word",
            "unprompted requests and briefs at least 60 days after the client's last touch",
            "count",
        ),
        _remembered,
        better="up",
        minimum=settings.MINIMUM_OBSERVED_DAYS,
        evidence_unit="observed days",
        trend=None,
    )
)
