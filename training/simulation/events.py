"""Names of what may happen: openings, what waits, how it may end, and what an event shows.

All are places in the tables of behaviour.py.
"""

from collections.abc import Mapping

# Openings: something new on a working day.
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
    CHAMPION,
    INTRODUCTION,
    DISCLOSURE,
    RIVAL_NAMED,
    SUPPLIER_TALK,
    INTEREST,
    ORDER,
    PROPOSAL,
    INVOICE,
    NEWSLETTER,
    EXPANSION,
) = range(26)
N_OPENINGS = 26

# Pending items, the touches first. One that waits for the main contact is TO_MAIN after the same for anyone else.
(
    AWAIT_REPLY,
    AWAIT_FURTHER,
    AWAIT_CALL_BACK,
    MAIN_REPLY,
    MAIN_FURTHER,
    MAIN_CALL_BACK,
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
    AWAIT_DECISION,
    AWAIT_PAYMENT,
    AMENDS,
    THANKS,
) = range(20)
N_ITEMS = 20
TO_MAIN = MAIN_REPLY - AWAIT_REPLY

# What an item may come to on a day; NOTHING leaves it pending.
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
    MAIN_REPLY: 30,
    MAIN_FURTHER: 30,
    MAIN_CALL_BACK: 30,
    OWE_REPLY: 30,
    OWE_FURTHER: 30,
    AWAIT_FEEDBACK: 30,
    ASKED_OF_CLIENT: 21,
    ASKED_OF_US: 21,
    AWAIT_ADVICE: 90,
    AWAIT_DECISION: 45,
    AWAIT_PAYMENT: 60,
    AMENDS: 30,
    THANKS: 30,
}
DAYS_OVERDUE = 30
"""Promises and deliveries: how long after the due day they may still be met."""

# Traits: which of a few classes an event shows.
(
    TRAIT_WORDS,
    TRAIT_POLITENESS,
    TRAIT_PRIMARY,
    TRAIT_LATE,
    TRAIT_PREPARED,
    TRAIT_MEETING,
    TRAIT_OUR_CALL,
    TRAIT_MAIN_CALL,
    TRAIT_CLIENT_CALL,
    TRAIT_RATING,
    TRAIT_FEEDBACK,
    TRAIT_DIRECTNESS,
    TRAIT_COMPLEX,
    TRAIT_PHASE,
    TRAIT_MISTAKE,
    TRAIT_UPWARD,
    TRAIT_COMPETITIVE,
    TRAIT_EXPANSION,
) = range(18)
N_TRAITS = 18
N_CLASSES = 4
