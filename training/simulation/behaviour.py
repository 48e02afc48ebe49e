"""How an account behaves in each condition, as tables of chances: nothing else links behaviour to risk.

Three forms, each a chance given the state of the day, which is what makes the filter exact:

- *openings*: something new on a working day (a message, a booked meeting, a promise), at most one of a kind a day;
- *pending items*: something that waits (for a reply, a due day, a decision) and may end on any working day;
- *traits*: which of a few classes an event shows (length of a reply, how a delivery was rated).

A column is a state, or COURTING or GONE. Weekends are silent. What no table here holds (hour of the day, channel, words
of our own touches, minutes, amounts, topics, body language, who of us, who led a personal exchange, how late a row was
recorded) is drawn without regard to the state and tells nothing of it.
"""

from typing import NamedTuple

import numpy as np

from training.simulation import events
from training.simulation.chain import Floats, by_condition
from training.simulation.endings import item_chances
from training.simulation.openings import opening_chances
from training.simulation.traits import trait_chances

REVIEW_QUALITY = by_condition(
    2.0,
    0.5,
    neglect=(-0.8, -2.0),
    champion=(-0.8, -1.8),
    price=(-0.8, -2.0),
    mistake=(-1.0, -2.4),
    rival=(-1.0, -2.2),
    budget=(-0.2, -1.0),
)
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


def build_behaviour() -> Behaviour:
    days = [float(events.DAYS_PENDING.get(kind, events.DAYS_OVERDUE)) for kind in range(events.N_ITEMS)]
    return Behaviour(opening_chances(), item_chances(), trait_chances(), np.array(days))
