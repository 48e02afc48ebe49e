"""How an account behaves in each condition, as tables of chances: nothing else links behaviour to risk.

Three forms, each a chance given the state of the day, which is what makes the filter exact:

- *openings*: something new on a working day (a message, a booked meeting, a promise), at most one of a kind a day;
- *pending items*: something that waits (for a reply, a due day, a decision) and may end on any working day;
- *traits*: which of a few classes an event shows (channel, length of a reply, how a delivery was rated).

A column is a state, or COURTING or GONE. Weekends are silent. What no table here holds (hour of the day, words of our
own touches, minutes, amounts, who of us, how late a row was recorded) is drawn without regard to the state and tells
nothing of it.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from training.simulation.chain import COURTING, GONE, HABITS, N_COLUMNS, N_CONDITIONS, N_STATES, Floats

WORKING_DAYS = 261.0

# Openings.
(
    OUR_MESSAGE,
    CLIENT_MESSAGE,
    OUR_CALL,
    CLIENT_CALL,
    MEETING,
    CLIENT_PROMISE,
    OUR_PROMISE,
    DELIVERY,
    GESTURE,
    HELP_REQUEST,
    OUR_REQUEST,
    MISTAKE,
    BRIEF,
    ADVICE,
    ADVOCACY,
    INTRODUCTION,
    DISCLOSURE,
    MENTION,
    INVOICE,
    NEWSLETTER,
    EXPANSION,
) = range(21)

# Per year: thriving, steady, strained, neglected, leaving · courting, gone · effect of the client's habit (0: none).
_OPENINGS_PER_YEAR: Mapping[int, tuple[Sequence[float], float, float, float]] = {
    OUR_MESSAGE: ((11.0, 10.0, 9.5, 5.0, 8.0), 20.0, 2.0, 0.0),
    CLIENT_MESSAGE: ((9.0, 6.5, 4.0, 5.0, 1.6), 4.0, 0.3, 1.0),
    OUR_CALL: ((4.0, 3.5, 3.5, 1.4, 3.0), 7.0, 0.8, 0.0),
    CLIENT_CALL: ((2.4, 1.5, 1.5, 1.8, 0.5), 1.0, 0.1, 1.0),
    MEETING: ((6.0, 4.5, 3.4, 2.2, 2.0), 5.0, 0.1, 0.0),
    CLIENT_PROMISE: ((4.0, 4.0, 4.0, 2.6, 2.4), 1.0, 0.0, 0.0),
    OUR_PROMISE: ((4.5, 4.5, 4.5, 4.0, 3.0), 2.0, 0.0, 0.0),
    DELIVERY: ((3.0, 3.0, 3.0, 3.0, 2.6), 0.0, 0.0, 0.0),
    GESTURE: ((4.0, 3.0, 2.0, 0.6, 1.2), 3.0, 0.5, 0.0),
    HELP_REQUEST: ((2.2, 1.1, 0.5, 0.6, 0.15), 0.4, 0.0, 0.5),
    OUR_REQUEST: ((1.2, 1.2, 1.2, 0.6, 0.9), 0.0, 0.0, 0.0),
    MISTAKE: ((0.4, 0.6, 1.1, 1.4, 0.8), 0.1, 0.0, 0.0),
    BRIEF: ((1.6, 1.1, 0.7, 0.8, 0.3), 0.2, 0.0, 0.0),
    ADVICE: ((1.8, 1.5, 1.2, 0.6, 1.0), 0.5, 0.0, 0.0),
    ADVOCACY: ((1.0, 0.3, 0.06, 0.06, 0.01), 0.0, 0.0, 0.0),
    INTRODUCTION: ((0.5, 0.25, 0.08, 0.08, 0.02), 0.1, 0.0, 0.0),
    DISCLOSURE: ((1.8, 0.9, 0.4, 0.4, 0.1), 0.2, 0.0, 0.5),
    MENTION: ((0.08, 0.2, 0.6, 0.5, 1.1), 0.3, 0.1, 0.0),
    INVOICE: ((3.0, 3.0, 3.0, 3.0, 3.0), 0.0, 0.0, 0.0),
    NEWSLETTER: ((4.0, 4.0, 4.0, 4.0, 4.0), 4.0, 4.0, 0.0),
    EXPANSION: ((1.0, 0.55, 0.20, 0.20, 0.06), 0.0, 0.0, 0.0),
}
N_OPENINGS = len(_OPENINGS_PER_YEAR)

# Pending items, and what each may come to on a day; NOTHING leaves it pending.
(
    AWAIT_REPLY,
    AWAIT_FURTHER,
    AWAIT_CALL_BACK,
    OWE_REPLY,
    OWE_FURTHER,
    HELD_MEETING,
    CLIENT_DUE,
    OUR_DUE,
    DELIVERY_DUE,
    AWAIT_FEEDBACK,
    ASKED_OF_CLIENT,
    ASKED_OF_US,
    AWAIT_ADVICE,
    AWAIT_PAYMENT,
    AMENDS,
    THANKS,
) = range(16)
N_ITEMS = 16
NOTHING = 0
BY_MESSAGE, BY_CALL, NUDGE = 1, 2, 3  # replies
CLIENT_CANCELS, WE_CANCEL, MOVED, HELD, CLIENT_ABSENT, WE_ABSENT = 1, 2, 3, 4, 5, 6  # meetings
DONE = 1  # promises, deliveries, feedback, amends, thanks
YES, NO = 1, 2  # requests and advice
ACCEPTED, ARGUED_DOWN, ARGUED_HELD, DISPUTED, PAID_LATE = 1, 2, 3, 4, 5  # fees
N_ENDINGS = 7

AGE_EDGES = (0, 1, 3, 7, 14, 30)
"""Replies: days since the touch; a chance holds from the edge before (exclusive) to this one. 0 is the same day."""
N_AGES = len(AGE_EDGES)
BEFORE, ON_THE_DAY, AFTER = 0, 1, 2
"""Ages of what has a due day. A meeting's ages: more than a day before, the day before, the day itself."""
LONG_BEFORE, DAY_BEFORE, THE_DAY = 0, 1, 2

DAYS_PENDING: Mapping[int, int] = {
    AWAIT_REPLY: 30,
    AWAIT_FURTHER: 30,
    AWAIT_CALL_BACK: 30,
    OWE_REPLY: 30,
    OWE_FURTHER: 30,
    AWAIT_FEEDBACK: 30,
    ASKED_OF_CLIENT: 21,
    ASKED_OF_US: 21,
    AWAIT_ADVICE: 90,
    AWAIT_PAYMENT: 60,
    AMENDS: 30,
    THANKS: 30,
}
DAYS_OVERDUE = 30
"""Promises and deliveries: how long after the due day they may still be met."""

_REPLY_CURVE = (0.22, 0.30, 0.18, 0.08, 0.04, 0.012)  # by age
_REPLY_WILL = ((1.0, 0.85, 0.50, 0.55, 0.28), 0.55, 0.12)  # conditions, courting, gone
_OUR_REPLY_CURVE = (0.40, 0.45, 0.25, 0.10, 0.05, 0.02)
_OUR_REPLY_WILL = ((1.0, 0.95, 0.80, 0.40, 0.75), 1.0, 0.8)
_NUDGE_CURVE = (0.0, 0.0, 0.03, 0.07, 0.05, 0.02)
_NUDGE_WILL = ((1.0, 1.0, 1.0, 0.3, 0.9), 1.0, 0.3)
_REPLIES_BY_CALL = 0.12
_FURTHER = 0.35  # a further answer in a conversation that has had one is less called for

# Traits: which class an event shows. Rows: classes; by condition, then courting, gone.
(
    TRAIT_WORDS,
    TRAIT_CHANNEL,
    TRAIT_PRIMARY,
    TRAIT_MEETING_CHANNEL,
    TRAIT_LATE,
    TRAIT_NON_VERBAL,
    TRAIT_PREPARED,
    TRAIT_OUR_CALL,
    TRAIT_CLIENT_CALL,
    TRAIT_RATING,
    TRAIT_FEEDBACK,
    TRAIT_DIRECTNESS,
    TRAIT_COMPLEX,
    TRAIT_PHASE,
    TRAIT_SENIOR,
    TRAIT_COMPETITIVE,
    TRAIT_EXPANSION,
) = range(17)
N_TRAITS = 17
N_CLASSES = 4

_Classes = Sequence[tuple[Sequence[float], float, float]]
_TRAITS: Mapping[int, _Classes] = {
    # Length of a client's reply against our touch: terse, mirrored, rambling.
    TRAIT_WORDS: (
        ((0.15, 0.22, 0.45, 0.35, 0.55), 0.4, 0.6),
        ((0.70, 0.60, 0.38, 0.40, 0.30), 0.4, 0.3),
        ((0.15, 0.18, 0.17, 0.25, 0.15), 0.2, 0.1),
    ),
    # The client's written channel: email, text, chat, social.
    TRAIT_CHANNEL: (
        ((0.50, 0.65, 0.82, 0.78, 0.90), 0.85, 0.95),
        ((0.25, 0.15, 0.05, 0.08, 0.03), 0.03, 0.01),
        ((0.20, 0.16, 0.11, 0.11, 0.06), 0.07, 0.02),
        ((0.05, 0.04, 0.02, 0.03, 0.01), 0.05, 0.02),
    ),
    # The client's own touch comes from: the main contact, another.
    TRAIT_PRIMARY: (
        ((0.45, 0.55, 0.70, 0.65, 0.80), 0.75, 0.9),
        ((0.55, 0.45, 0.30, 0.35, 0.20), 0.25, 0.1),
    ),
    # A meeting is in person, on video, by phone.
    TRAIT_MEETING_CHANNEL: (
        ((0.50, 0.42, 0.30, 0.30, 0.20), 0.4, 0.2),
        ((0.40, 0.45, 0.50, 0.50, 0.55), 0.45, 0.5),
        ((0.10, 0.13, 0.20, 0.20, 0.25), 0.15, 0.3),
    ),
    # The client comes to a held meeting: on time, 1 to 5 minutes late, 6 to 20.
    TRAIT_LATE: (
        ((0.70, 0.62, 0.45, 0.50, 0.40), 0.6, 0.5),
        ((0.25, 0.28, 0.33, 0.32, 0.33), 0.3, 0.3),
        ((0.05, 0.10, 0.22, 0.18, 0.27), 0.1, 0.2),
    ),
    # The mood noted after it: closed, neutral, open.
    TRAIT_NON_VERBAL: (
        ((0.05, 0.10, 0.35, 0.25, 0.45), 0.15, 0.4),
        ((0.35, 0.50, 0.45, 0.50, 0.42), 0.55, 0.5),
        ((0.60, 0.40, 0.20, 0.25, 0.13), 0.30, 0.1),
    ),
    # We came: unprepared, prepared.
    TRAIT_PREPARED: (
        ((0.15, 0.25, 0.35, 0.65, 0.35), 0.2, 0.5),
        ((0.85, 0.75, 0.65, 0.35, 0.65), 0.8, 0.5),
    ),
    # Our call is answered, missed, goes to voicemail.
    TRAIT_OUR_CALL: (
        ((0.75, 0.65, 0.45, 0.50, 0.30), 0.45, 0.2),
        ((0.15, 0.20, 0.30, 0.30, 0.40), 0.3, 0.5),
        ((0.10, 0.15, 0.25, 0.20, 0.30), 0.25, 0.3),
    ),
    # The client's call is answered by us, missed by us.
    TRAIT_CLIENT_CALL: (
        ((0.90, 0.85, 0.75, 0.50, 0.75), 0.9, 0.7),
        ((0.10, 0.15, 0.25, 0.50, 0.25), 0.1, 0.3),
    ),
    # A delivery is not rated, rated 2 to 6, 7 to 8, 9 to 10.
    TRAIT_RATING: (
        ((0.40, 0.45, 0.50, 0.50, 0.65), 0.5, 0.5),
        ((0.05, 0.10, 0.28, 0.25, 0.22), 0.1, 0.1),
        ((0.25, 0.28, 0.17, 0.19, 0.10), 0.2, 0.2),
        ((0.30, 0.17, 0.05, 0.06, 0.03), 0.2, 0.2),
    ),
    # Feedback on our work: 1 to 4, 5 to 7, 8 to 10.
    TRAIT_FEEDBACK: (
        ((0.08, 0.15, 0.45, 0.35, 0.45), 0.2, 0.3),
        ((0.32, 0.45, 0.40, 0.45, 0.40), 0.5, 0.4),
        ((0.60, 0.40, 0.15, 0.20, 0.15), 0.3, 0.3),
    ),
    # How direct it is: 1 to 2, 3, 4 to 5.
    TRAIT_DIRECTNESS: (
        ((0.15, 0.30, 0.40, 0.40, 0.65), 0.4, 0.6),
        ((0.25, 0.35, 0.30, 0.30, 0.25), 0.3, 0.3),
        ((0.60, 0.35, 0.30, 0.30, 0.10), 0.3, 0.1),
    ),
    # A brief is of level 1 to 3, or 4 to 5 (half of them strategic).
    TRAIT_COMPLEX: (
        ((0.50, 0.70, 0.85, 0.85, 0.95), 0.8, 1.0),
        ((0.50, 0.30, 0.15, 0.15, 0.05), 0.2, 0.0),
    ),
    # When we were called in: forming, shaping, briefed, rework.
    TRAIT_PHASE: (
        ((0.25, 0.10, 0.04, 0.05, 0.02), 0.05, 0.0),
        ((0.35, 0.25, 0.14, 0.15, 0.06), 0.15, 0.0),
        ((0.35, 0.55, 0.57, 0.60, 0.72), 0.7, 0.8),
        ((0.05, 0.10, 0.25, 0.20, 0.20), 0.1, 0.2),
    ),
    # Not put before the client's seniors, or put before them.
    TRAIT_SENIOR: (
        ((0.65, 0.80, 0.90, 0.90, 0.97), 0.9, 1.0),
        ((0.35, 0.20, 0.10, 0.10, 0.03), 0.1, 0.0),
    ),
    # A renewal or expansion was opened with us alone, or others were asked too.
    TRAIT_COMPETITIVE: (
        ((0.90, 0.78, 0.50, 0.55, 0.30), 0.4, 0.3),
        ((0.10, 0.22, 0.50, 0.45, 0.70), 0.6, 0.7),
    ),
    # A closing expansion is lost, won.
    TRAIT_EXPANSION: (
        ((0.20, 0.35, 0.60, 0.60, 0.85), 1.0, 1.0),
        ((0.80, 0.65, 0.40, 0.40, 0.15), 0.0, 0.0),
    ),
}

REVIEW_QUALITY = np.array([2.0, 0.5, -1.2, -0.8, -2.2])
"""What a director senses of the condition when reviewing the stage; added to what the record shows."""


class Behaviour(NamedTuple):
    """The tables as arrays; the last axis is always the column (state, COURTING, GONE)."""

    opening: Floats
    """[openings, columns]: chance on a working day, before the account's size and sales phase."""
    item: Floats
    """[items, ages, endings, columns]: chance of each ending on a working day; NOTHING is the rest."""
    trait: Floats
    """[traits, classes, columns]."""
    days_pending: Floats
    """[items]: how long an item without a due day stays pending."""


def _columns(by_condition: Sequence[float], courting: float, gone: float, habit: float = 0.0) -> Floats:
    """Spread over the columns; brisk clients do 1 + 0.25 × habit times as much, quiet ones 1 - 0.3 × habit."""
    factor = {"brisk": 1.0 + 0.25 * habit, "quiet": 1.0 - 0.3 * habit}
    state = np.arange(N_STATES)
    by_habit = np.array([factor[habit_name] for habit_name in HABITS])
    out = np.empty(N_COLUMNS)
    out[:N_STATES] = np.asarray(by_condition)[state % N_CONDITIONS] * by_habit[state // N_CONDITIONS % len(HABITS)]
    out[COURTING], out[GONE] = courting, gone
    return out


def _daily(by_condition: Sequence[float], courting: float = 0.0, gone: float = 0.0) -> Floats:
    return _columns(by_condition, courting, gone)


def _item_chances() -> Floats:
    item = np.zeros((N_ITEMS, N_AGES, N_ENDINGS, N_COLUMNS))
    will = _columns(*_REPLY_WILL, habit=1.0)
    our_will = _columns(*_OUR_REPLY_WILL)
    nudging = _columns(*_NUDGE_WILL)
    for age in range(N_AGES):
        reply, ours = _REPLY_CURVE[age] * will, _OUR_REPLY_CURVE[age] * our_will
        for kind, chance in (
            (AWAIT_REPLY, reply),
            (AWAIT_FURTHER, _FURTHER * reply),
            (AWAIT_CALL_BACK, reply),
            (OWE_REPLY, ours),
            (OWE_FURTHER, _FURTHER * ours),
        ):
            item[kind, age, BY_MESSAGE] = (1.0 - _REPLIES_BY_CALL) * chance
            item[kind, age, BY_CALL] = _REPLIES_BY_CALL * chance
        item[AWAIT_REPLY, age, NUDGE] = _NUDGE_CURVE[age] * nudging

    client_cancels = _daily((0.002, 0.004, 0.012, 0.010, 0.025), 0.008, 0.03)
    we_cancel = _daily((0.001, 0.002, 0.003, 0.015, 0.003), 0.001, 0.003)
    moved = _daily((0.004, 0.006, 0.012, 0.010, 0.012), 0.008, 0.01)
    for age, factor in ((LONG_BEFORE, 1.0), (DAY_BEFORE, 5.0)):
        item[HELD_MEETING, age, CLIENT_CANCELS] = factor * client_cancels
        item[HELD_MEETING, age, WE_CANCEL] = factor * we_cancel
        item[HELD_MEETING, age, MOVED] = factor * moved
    item[HELD_MEETING, THE_DAY, CLIENT_ABSENT] = _daily((0.01, 0.02, 0.07, 0.05, 0.15), 0.05, 0.2)
    item[HELD_MEETING, THE_DAY, WE_ABSENT] = _daily((0.002, 0.004, 0.01, 0.04, 0.01), 0.002, 0.01)
    item[HELD_MEETING, THE_DAY, CLIENT_CANCELS] = 3.0 * client_cancels
    item[HELD_MEETING, THE_DAY, HELD] = 1.0 - item[HELD_MEETING, THE_DAY].sum(axis=0)

    item[CLIENT_DUE, BEFORE, DONE] = _daily((0.06, 0.05, 0.03, 0.035, 0.02), 0.04)
    item[CLIENT_DUE, ON_THE_DAY, DONE] = _daily((0.75, 0.65, 0.35, 0.45, 0.25), 0.5)
    item[CLIENT_DUE, AFTER, DONE] = _daily((0.15, 0.12, 0.06, 0.07, 0.03), 0.1)
    item[OUR_DUE, BEFORE, DONE] = _daily((0.06, 0.06, 0.05, 0.02, 0.05), 0.06)
    item[OUR_DUE, ON_THE_DAY, DONE] = _daily((0.85, 0.80, 0.70, 0.40, 0.65), 0.85)
    item[OUR_DUE, AFTER, DONE] = _daily((0.20, 0.18, 0.15, 0.06, 0.12), 0.2)
    item[DELIVERY_DUE, BEFORE, DONE] = _daily((0.03, 0.03, 0.02, 0.01, 0.02))
    item[DELIVERY_DUE, ON_THE_DAY, DONE] = _daily((0.80, 0.75, 0.60, 0.40, 0.60))
    item[DELIVERY_DUE, AFTER, DONE] = _daily((0.25, 0.22, 0.18, 0.10, 0.15))
    for age in range(N_AGES):
        item[AWAIT_FEEDBACK, age, DONE] = _daily((0.040, 0.025, 0.015, 0.015, 0.006))
        item[ASKED_OF_CLIENT, age, YES] = _daily((0.15, 0.10, 0.05, 0.06, 0.02))
        item[ASKED_OF_CLIENT, age, NO] = _daily((0.01, 0.02, 0.04, 0.03, 0.04))
        item[ASKED_OF_US, age, YES] = _daily((0.35, 0.32, 0.25, 0.10, 0.22), 0.4)
        item[ASKED_OF_US, age, NO] = _daily((0.01, 0.01, 0.02, 0.02, 0.02), 0.01)
        item[AWAIT_ADVICE, age, YES] = _daily((0.030, 0.020, 0.008, 0.010, 0.003), 0.01)
        item[AWAIT_ADVICE, age, NO] = _daily((0.002, 0.004, 0.008, 0.006, 0.010), 0.005)
        item[AWAIT_PAYMENT, age, ACCEPTED] = _daily((0.080, 0.070, 0.040, 0.045, 0.030))
        item[AWAIT_PAYMENT, age, ARGUED_DOWN] = _daily((0.001, 0.002, 0.006, 0.005, 0.005))
        item[AWAIT_PAYMENT, age, ARGUED_HELD] = _daily((0.001, 0.002, 0.005, 0.004, 0.005))
        item[AWAIT_PAYMENT, age, DISPUTED] = _daily((0.0005, 0.001, 0.005, 0.004, 0.006))
        item[AWAIT_PAYMENT, age, PAID_LATE] = _daily((0.003, 0.006, 0.016, 0.014, 0.022))
        item[AMENDS, age, DONE] = _daily((0.20, 0.18, 0.14, 0.05, 0.12), 0.2)
        item[THANKS, age, DONE] = _daily((0.20, 0.16, 0.12, 0.04, 0.10), 0.15)
    item[:, :, NOTHING] = 1.0 - item[:, :, 1:].sum(axis=2)
    return item


def build_behaviour() -> Behaviour:
    opening = np.stack(
        [
            _columns(by_condition, courting, gone, habit) / WORKING_DAYS
            for by_condition, courting, gone, habit in (_OPENINGS_PER_YEAR[kind] for kind in range(N_OPENINGS))
        ]
    )
    trait = np.zeros((N_TRAITS, N_CLASSES, N_COLUMNS))
    for name, classes in _TRAITS.items():
        for index, (by_condition, courting, gone) in enumerate(classes):
            trait[name, index] = _columns(by_condition, courting, gone)
    days_pending = np.array([float(DAYS_PENDING.get(kind, DAYS_OVERDUE)) for kind in range(N_ITEMS)])
    return Behaviour(opening, _item_chances(), trait, days_pending)
