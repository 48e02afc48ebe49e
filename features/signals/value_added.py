"""W2: do we bring the client something beyond the business at hand? (document 003)"""

from __future__ import annotations

from functools import partial

import numpy as np

from features import settings
from features.facts import Facts, facts, moment_key
from features.figures import Text, event_rate, known, ratio, records, windowed
from features.frame import PLACE, Frame
from features.histories.conversations import BOTH, conversations
from features.histories.history import code
from features.histories.log import among, rows_where
from features.histories.tables import INTERACTIONS
from features.indicators import REGISTRY, Figure
from features.signals.answered import answered
from features.signals.silence import client_touches

W2A = REGISTRY.signal(
    "W2a",
    "value added",
    "Whether we send the client articles and research that fit its concerns, above all after a meeting",
    "003",
)
W2B = REGISTRY.signal(
    "W2b",
    "personal details remembered",
    "Whether we remember what matters to the people at the client, and show it",
    "003",
)

(_GESTURE,) = code(INTERACTIONS, "kind", "gesture")
_USEFUL = code(INTERACTIONS, "subtype", "article", "research")
_PERSONAL = code(INTERACTIONS, "subtype", "personal_detail")
(_US,) = code(INTERACTIONS, "actor", "us")


def gestures(frame: Frame) -> Facts:
    """Every gesture of ours that was no mass mail; the value is the code of its subtype."""
    log = frame.history.interactions
    rows = rows_where((log["kind"] == _GESTURE) & (log["actor"] == _US) & (log["auto"] != 1))
    return facts(frame.history.segments, log.segment[rows], log["at"][rows], log["subtype"][rows])


def _of_subtypes(subtypes: list[int], frame: Frame) -> Facts:
    every = frame.facts(gestures)
    chosen = among(every.value, subtypes)
    return facts(frame.history.segments, every.segment[chosen], every.at[chosen])


useful_gestures = partial(_of_subtypes, _USEFUL)
answered_useful_gestures = partial(answered, useful_gestures)
answered_personal_gestures = partial(answered, partial(_of_subtypes, _PERSONAL))


def follow_ups(frame: Frame) -> Facts:
    """1 for a held meeting that we followed up by an article or research within 7 days (when we did), else 0 (then)."""
    touches = frame.derived(conversations).touches
    met = touches.side == BOTH
    segment, at = touches.segment[met], touches.at[met]
    sent = frame.facts(useful_gestures)
    key = sent.keys
    place = np.searchsorted(key, moment_key(segment, at))
    deadline = at + settings.FOLLOWED_UP_WITHIN
    followed = np.zeros(len(at), dtype=bool)
    decided = deadline.copy()
    there = rows_where(place < len(key))
    near = there[key[place[there]] <= moment_key(segment, deadline)[there]]
    followed[near] = True
    decided[near] = sent.at[place[near]]
    return facts(frame.history.segments, segment, decided, followed)


def _followed_up(frame: Frame) -> Figure:
    sums = frame.sums(follow_ups)
    recorded = records(frame, ("gesture",)) | (frame.sums(gestures).count[PLACE["all"]] > 0)
    return known(np.where(recorded, ratio(sums.total, sums.count), np.nan), sums.count, settings.MINIMUM_OBSERVATIONS)


REGISTRY.add(
    event_rate(
        W2A,
        Text(
            "value_added_touches",
            "Articles and research in a year that we sent the client and that it answered",
            "gestures `article` and `research` answered within 30 days (at most two per touch of the client) × 365 / "
            "days observed",
            "per year",
        ),
        answered_useful_gestures,
        kinds=("gesture",),
        better="up",
        mark=">=",
        answered_by=client_touches,
    )
)
REGISTRY.add(
    windowed(
        W2A,
        Text(
            "meetings_followed_up",
            "Share of meetings after which we sent an article or research within a week",
            "held meetings followed by a gesture `article` or `research` within 7 days / held meetings decided",
            "share",
        ),
        _followed_up,
        better="up",
        evidence_unit="meetings",
        high=1.0,
    )
)
REGISTRY.add(
    event_rate(
        W2B,
        Text(
            "personal_details_remembered",
            "Times in a year that we came back to something personal the client had told us",
            "gestures `personal_detail` answered within 30 days (at most two per touch of the client) × 365 / days "
            "observed",
            "per year",
        ),
        answered_personal_gestures,
        kinds=("gesture",),
        better="up",
        mark=">=",
        answered_by=client_touches,
    )
)
