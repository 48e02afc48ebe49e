"""P1a and P1c: common ground, and being face to face (document 004); two-way balance has its own room."""

from __future__ import annotations

from typing import Any

import numpy as np

from features import settings
from features.facts import Facts, facts
from features.figures import Text, known, mean, share, windowed
from features.frame import SPANS, Frame
from features.histories.conversations import BOTH, CLIENT, US, conversations
from features.histories.history import History, code
from features.histories.log import NEVER, Array, among, rows_where
from features.histories.people import value_at
from features.histories.tables import INTERACTIONS
from features.indicators import REGISTRY, Figure
from features.kernel import compiled
from features.signals.answered import when_answered

P1A = REGISTRY.signal(
    "P1a",
    "shared interests",
    "Whether we share interests with the people at the client, and both sides talk about them",
    "004",
)
P1C = REGISTRY.signal(
    "P1c",
    "body language",
    "Whether we meet the client face to face, and what its body language tells us then",
    "004",
)

_CALL, _MEETING = code(INTERACTIONS, "kind", "call", "meeting")
(_CLIENT,) = code(INTERACTIONS, "actor", "client")
_HELD, _MISSED = code(INTERACTIONS, "outcome", "held", "missed")
_FACE_TO_FACE = code(INTERACTIONS, "channel", "video", "in_person")


def topics(frame: Frame) -> Facts:
    """What either side touched on: the value is 4 × the topic's code + the side's bits (both for a held meeting).

    What we touched on counts once the client has answered, within 30 days: talking alone is no common ground. Mass
    mail, calls that nobody answered and meetings that were not held touch on nothing.
    """
    log = frame.history.interactions
    met = log["kind"] == _MEETING
    silent = (met & (log["outcome"] != _HELD)) | ((log["kind"] == _CALL) & (log["outcome"] == _MISSED))
    rows = rows_where((log["topic"] >= 0) & (log["auto"] != 1) & ~silent)
    side = np.where(met[rows], BOTH, np.where(log["actor"][rows] == _CLIENT, CLIENT, US))
    value = log["topic"][rows].astype(np.int64) * 4 + side
    at = np.where(side == US, when_answered(frame, log.segment[rows], log["at"][rows]), log["at"][rows])
    heard = at < NEVER
    return facts(frame.history.segments, log.segment[rows[heard]], at[heard], value[heard])


def _plain(name: str) -> str:
    """A topic or interest as it is compared: capitals and spaces make no difference."""
    return " ".join(name.casefold().split())


def _interests(frame: Frame) -> tuple[Array, Array]:
    """What interested the contacts of each row then: int64 starts (rows + 1), and codes of texts of interests."""
    log = frame.history.contacts
    person = np.unique(log.segment.astype(np.int64) << 32 | log["contact_id"])
    segment, contact = person >> 32, person & 0xFFFFFFFF
    first, last = (np.searchsorted(segment, frame.segment, side=side) for side in ("left", "right"))
    row = np.repeat(np.arange(len(first)), last - first)
    one = np.arange(len(row)) + (first - np.cumsum(last - first) + last - first)[row]
    text, since = value_at(frame.history, "interests", segment[one], contact[one], frame.as_of[row])
    held = (text >= 0) & (since <= frame.as_of[row])
    return np.searchsorted(row[held], np.arange(len(first) + 1)), text[held].astype(np.int64)


def _compared(history: History, spoken: Array, texts: Array) -> tuple[Array, Array, Array]:
    """Topics and interests by common numbers: those of ``spoken``, and those in each text (starts by code, numbers).

    An interest that was never spoken of is -1.
    """
    number: dict[str, int] = {}
    by_topic = np.full(int(spoken.max(initial=-1)) + 1, -1, dtype=np.int64)
    for topic in np.unique(spoken):
        by_topic[topic] = number.setdefault(_plain(history.names["topic"][topic]), len(number))
    in_text: list[list[int]] = [[] for _ in range(int(texts.max(initial=-1)) + 1)]
    for text in np.unique(texts):
        named = history.names["interests"][text].split(";")
        in_text[text] = [number.get(_plain(name), -1) for name in named if name.strip()]
    start = np.cumsum([0, *map(len, in_text)])
    return by_topic[spoken], start, np.array([one for many in in_text for one in many], dtype=np.int64)


@compiled
def _shared(
    start: Array,
    at: Array,
    topic: Array,
    side: Array,
    held_start: Array,
    held: Array,
    text_start: Array,
    interests: Array,
    segment: Array,
    as_of: Array,
    spans: Array,
    both: int,
) -> Any:
    """How many interests both sides touched on, int64 (spans, rows), and whether any is known, bool (rows,)."""
    shared = np.zeros((len(spans), len(segment)), np.int64)
    some = np.zeros(len(segment), np.bool_)
    done = np.full(len(topic) + 1, -1, np.int64)
    last = np.empty(both + 1, np.int64)
    for r in range(len(segment)):
        s, t = segment[r], as_of[r]
        for h in range(held_start[r], held_start[r + 1]):
            for i in range(text_start[held[h]], text_start[held[h] + 1]):
                some[r] = True
                if interests[i] < 0 or done[interests[i]] == r:
                    continue
                done[interests[i]] = r
                last[:] = -(1 << 50)
                for f in range(start[s], start[s + 1]):
                    if at[f] > t:
                        break
                    if topic[f] == interests[i]:
                        for bit in (1, 2):
                            if side[f] & bit:
                                last[bit] = at[f]
                for w in range(len(spans)):
                    shared[w, r] += min(last[1], last[2]) > t - spans[w]
    return shared, some


def _shared_interests(frame: Frame) -> Figure:
    spoken = frame.facts(topics)
    held_start, held = _interests(frame)
    topic, text_start, interests = _compared(frame.history, spoken.value // 4, held)
    shared, some = _shared(
        spoken.start,
        spoken.at,
        topic,
        spoken.value % 4,
        held_start,
        held,
        text_start,
        interests,
        frame.segment,
        frame.as_of,
        SPANS,
        BOTH,
    )
    count = frame.sums(topics).count
    return known(np.where(some, shared, np.nan), count, settings.MINIMUM_OBSERVATIONS)


def face_to_face(frame: Frame) -> Facts:
    """1 for a held meeting in person or on video, 0 for one on the telephone."""
    touches = frame.derived(conversations).touches
    channel = frame.history.interactions["channel"][touches.row]
    told = (touches.side == BOTH) & (channel >= 0)
    seen = among(channel[told], _FACE_TO_FACE)
    return facts(frame.history.segments, touches.segment[told], touches.at[told], seen)


def body_language(frame: Frame) -> Facts:
    """What the client's body language told in a held meeting, where it was noted: -1 bad, 0 neutral, 1 good."""
    touches = frame.derived(conversations).touches
    told = frame.history.interactions["non_verbal"][touches.row]
    noted = (touches.side == BOTH) & ~np.isnan(told)
    return facts(frame.history.segments, touches.segment[noted], touches.at[noted], told[noted].astype(np.int64))


REGISTRY.add(
    windowed(
        P1A,
        Text(
            "shared_interests",
            "Number of interests of the client's people that both sides talked about",
            "distinct interests of contacts, as known at t, that are the topic of both sides (ours once answered)",
            "interests",
        ),
        _shared_interests,
        better="up",
        mark=">=",
        evidence_unit="exchanges with a topic",
        trend=None,
    )
)
REGISTRY.add(
    share(
        P1C,
        Text(
            "face_to_face_share",
            "Share of meetings in person or on video",
            "held meetings in person or on video / held meetings of known channel",
            "share",
        ),
        face_to_face,
        better="up",
        mark=">=",
    )
)
REGISTRY.add(
    mean(
        P1C,
        Text(
            "body_language",
            "What the client's body language told us in meetings, from −1 (bad) to 1 (good)",
            "mean of the readings noted in held meetings",
            "−1 to 1",
        ),
        body_language,
        scale=1,
        better="up",
        mark=">",
        low=-1.0,
        high=1.0,
    )
)
