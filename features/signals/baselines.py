"""G1b and G1c against each contact's own baseline, and in its own working hours (document 000).

People differ: an answer after a day is late from one and early from another. Here each reply is set against what was
usual for that very contact in its replies before.
"""

from __future__ import annotations

import math

import numpy as np

from features import settings
from features.facts import Facts, facts
from features.figures import Text, mean, median
from features.frame import Frame
from features.histories.conversations import NO_WORDS, conversations
from features.histories.log import NEVER, Array
from features.histories.people import value_at
from features.histories.working_hours import by_zone
from features.indicators import REGISTRY
from features.kernel import compiled
from features.signals.responsiveness import G1B, G1C

_SCALE = 1000
"""Deviations are kept as whole thousandths of a doubling; medians between two lengths need half of one."""


@compiled
def _usual(person: Array, at: Array, value: Array, least: int) -> Array:
    """Twice the median of the person's values before ``at`` (so that it is whole), -1 << 50 where fewer than ``least``.

    Entries lie in order of person and at; those of one moment do not count as earlier than one another.
    """
    twice = np.full(len(at), -(1 << 50), np.int64)
    earlier = np.empty(len(at), np.int64)
    size = told = 0
    for place in range(len(at)):
        if place > 0 and person[place] != person[place - 1]:
            size, told = 0, place
        while told < place and at[told] < at[place]:
            spot = np.searchsorted(earlier[:size], value[told])
            for k in range(size, spot, -1):
                earlier[k] = earlier[k - 1]
            earlier[spot] = value[told]
            size += 1
            told += 1
        if size >= least:
            twice[place] = earlier[(size - 1) // 2] + earlier[size // 2]
    return twice


def _repliers(frame: Frame) -> tuple[Array, Array, Array]:
    """Of each reply of the client: segment, contact (-1 unknown) and when the touch that it answers was made."""
    linked = frame.derived(conversations)
    replies, touches = linked.client_replies, linked.touches
    contact = frame.history.interactions["contact_id"][touches.row[replies.touch]]
    return replies.segment, contact, touches.at[replies.began]


def _against_usual(frame: Frame, measure: Array) -> tuple[Array, Array, Array, Array]:
    """Segment, at, value and twice the contact's usual value of each reply of a contact with a baseline of its own."""
    replies = frame.derived(conversations).client_replies
    segment, contact, _ = _repliers(frame)
    order = frame.once(_against_usual, lambda: np.lexsort((replies.at, contact, segment)))
    order = order[(contact[order] >= 0) & (measure[order] != NO_WORDS)]
    person = segment << 32 | contact
    twice = _usual(person[order], replies.at[order], measure[order], settings.BASELINE_REPLIES)
    based = twice > -(1 << 50)
    order = order[based]
    return segment[order], replies.at[order], measure[order], twice[based]


def delay_deviations(frame: Frame) -> Facts:
    """1000 × log2 of each reply's delay to what is usual for its contact; quick ones all count as an hour."""
    segment, at, delay, twice = _against_usual(frame, frame.derived(conversations).client_replies.value)
    floor = 2 * settings.DELAY_FLOOR
    times = np.maximum(2 * delay, floor) / np.maximum(twice, floor)
    return facts(frame.history.segments, segment, at, np.round(_SCALE * np.log2(times)))


def length_deviations(frame: Frame) -> Facts:
    """2000 × how far each reply's length ratio (as log2) lies above what is usual for its contact."""
    segment, at, length, twice = _against_usual(frame, frame.derived(conversations).client_replies.ratio)
    return facts(frame.history.segments, segment, at, 2 * length - twice)


def working_delays(frame: Frame) -> Facts:
    """Seconds of each reply's delay within its contact's working hours, where the time zone is known."""
    replies = frame.derived(conversations).client_replies
    segment, contact, begin = _repliers(frame)
    zone, told = value_at(frame.history, "time_zone", segment, contact, replies.at)
    seconds = by_zone(frame.history.names.get("time_zone", ()), zone, begin, replies.at)
    placed = seconds >= 0
    until = np.full(int(placed.sum()), NEVER)
    return facts(frame.history.segments, segment[placed], replies.at[placed], seconds[placed], told[placed], until)


REGISTRY.add(
    mean(
        G1B,
        Text(
            "reply_delay_against_usual",
            "How the time to answer us compares with what is usual for the person (1: twice as long, −1: half)",
            "mean of log2(delay / median of that contact's earlier delays), each at least an hour",
            "doublings",
        ),
        delay_deviations,
        scale=_SCALE,
        low=-math.inf,
    )
)
REGISTRY.add(
    median(
        G1B,
        Text(
            "reply_delay_in_working_hours",
            "The client's usual time to answer us, counting only the working hours where the person is",
            "median of the delay's part from 9 to 17 o'clock on weekdays in the contact's time zone",
            "working hours",
        ),
        working_delays,
        scale=3600,
    )
)
REGISTRY.add(
    mean(
        G1C,
        Text(
            "reply_length_against_usual",
            "How the length of answers compares with what is usual for the person (1: twice as long, −1: half)",
            "mean of log2(words of the reply / words of our first touch) minus that contact's median so far",
            "doublings",
        ),
        length_deviations,
        scale=2 * _SCALE,
        low=-math.inf,
        better="band",
    )
)
