"""What was pending comes to its end: replies, meetings, promises, fees."""

import numpy as np

from training.simulation import events as e
from training.simulation import records as r
from training.simulation.beginning import book_meeting, call, client_message, our_message, wait_for
from training.simulation.behaviour import Behaviour
from training.simulation.chain import Floats
from training.simulation.compiling import compiled
from training.simulation.diary import ABOUT, DUE, ITEM, PENDING, SINCE, Diary, drop, new_thread, wait, write
from training.simulation.drawing import CLOSES, DAY, draw, moment, pick, within

# The values (lowest, highest) that a class of a trait stands for, in the order of its classes in traits.py.
MINUTES_LATE = np.array([[0, 0], [1, 5], [6, 20]])
DELIVERY_RATING = np.array([[-1, -1], [2, 6], [7, 8], [9, 10]])
FEEDBACK_RATING = np.array([[1, 4], [5, 7], [8, 10]])
DIRECTNESS = np.array([[1, 2], [3, 3], [4, 5]])

NON_VERBAL_SHARES = np.array([0.20, 0.45, 0.35])
"""The mood noted after a meeting: closed, neutral, open; it tells nothing of the state."""


@compiled
def reply(
    rng: np.random.Generator,
    kind: int,
    ending: int,
    place: int,
    trait: Floats,
    diary: Diary,
    account: int,
    day: int,
    selling: bool,
    column: int,
    likelihood: Floats,
) -> None:
    """A touch at row `place` is answered, or written again by us."""
    touch = diary.rows[place]
    at = moment(rng, day, int(touch["at"]))
    contact, thread = int(touch["contact"]), int(touch["thread"])
    if thread < 0:
        thread = new_thread(diary)
    theirs = kind <= e.MAIN_CALL_BACK
    if ending == e.NUDGE:
        again = our_message(rng, diary, account, at, contact, selling)
        diary.rows[again]["thread"] = thread
        wait_for(diary, e.AWAIT_REPLY, again, day)
    elif ending == e.BY_CALL:
        row = diary.rows[call(diary, account, at, r.CLIENT if theirs else r.US, contact, r.ANSWERED)]
        row["reply_to"] = place
        if theirs:
            row["prompted"] = 1
    elif theirs:
        answer = client_message(rng, trait, diary, account, at, contact, column, likelihood)
        row = diary.rows[answer]
        row["thread"] = thread
        row["reply_to"] = place
        row["prompted"] = 1
        if touch["kind"] == r.MESSAGE:
            row["words_class"] = draw(rng, trait[e.TRAIT_WORDS], column, likelihood)
        wait(diary, e.OWE_FURTHER, answer, day, -1)
    else:
        answer = our_message(rng, diary, account, at, contact, False)
        diary.rows[answer]["thread"] = thread
        diary.rows[answer]["reply_to"] = place
        wait_for(diary, e.AWAIT_FURTHER, answer, day)


@compiled
def end_meeting(
    rng: np.random.Generator,
    ending: int,
    place: int,
    trait: Floats,
    diary: Diary,
    account: int,
    day: int,
    first_weekday: int,
    column: int,
    likelihood: Floats,
) -> None:
    row = diary.rows[place]
    if ending == e.HELD:
        row["outcome"] = r.MET
        row["minutes_late"] = within(rng, MINUTES_LATE[draw(rng, trait[e.TRAIT_LATE], column, likelihood)])
        row["prepared"] = draw(rng, trait[e.TRAIT_PREPARED], column, likelihood)
        if row["channel"] != r.PHONE:
            row["non_verbal"] = pick(rng, NON_VERBAL_SHARES)
        return
    if ending == e.CLIENT_ABSENT or ending == e.WE_ABSENT:
        row["outcome"] = r.NO_SHOW
        row["actor"] = r.CLIENT if ending == e.CLIENT_ABSENT else r.US
        return
    # Called off, before it would have begun.
    row["resolved"] = min(moment(rng, day, -1), row["at"] - 900)
    if ending == e.MOVED:
        caller = int(row["actor"])
        row["outcome"] = r.RESCHEDULED
        row["actor"] = r.CLIENT
        book_meeting(
            rng,
            diary,
            account,
            int(row["resolved"]),
            day,
            first_weekday,
            int(row["contact"]),
            caller,
            int(row["channel"]),
            int(row["subtype"]),
        )
    else:
        row["outcome"] = r.CANCELLED
        row["actor"] = r.CLIENT if ending == e.CLIENT_CANCELS else r.US


@compiled
def conclude(
    rng: np.random.Generator,
    kind: int,
    ending: int,
    place: int,
    trait: Floats,
    diary: Diary,
    account: int,
    day: int,
    column: int,
    likelihood: Floats,
) -> None:
    """A promise, delivery, request, advice, fee or duty at row `place` comes to its end."""
    row = diary.rows[place]
    resolved = moment(rng, day, int(row["at"]))
    if row["due"] >= 0 and day == row["due"] // DAY:
        resolved = min(resolved, row["due"])
    if kind == e.AWAIT_FEEDBACK:
        word = diary.rows[write(diary, account, resolved, r.FEEDBACK, r.CLIENT, int(row["contact"]))]
        word["about"] = place
        word["rating"] = within(rng, FEEDBACK_RATING[draw(rng, trait[e.TRAIT_FEEDBACK], column, likelihood)])
        word["level"] = within(rng, DIRECTNESS[draw(rng, trait[e.TRAIT_DIRECTNESS], column, likelihood)])
        return
    row["resolved"] = resolved
    if kind == e.CLIENT_DUE or kind == e.OUR_DUE:
        row["outcome"] = r.KEPT
    elif kind == e.DELIVERY_DUE:
        row["rating"] = within(rng, DELIVERY_RATING[draw(rng, trait[e.TRAIT_RATING], column, likelihood)])
        wait(diary, e.AWAIT_FEEDBACK, place, day, -1)
    elif kind == e.ASKED_OF_CLIENT or kind == e.ASKED_OF_US:
        row["outcome"] = r.GRANTED if ending == e.YES else r.REFUSED
    elif kind == e.AWAIT_ADVICE:
        row["outcome"] = r.ACTED if ending == e.YES else r.DECLINED
    elif kind == e.AWAIT_PAYMENT or kind == e.AWAIT_DECISION:
        row["outcome"] = r.FEE_ACCEPTED + ending - e.ACCEPTED


@compiled
def age_of(kind: int, start: int, due: int, day: int) -> int:
    """Which column of an item's ages the day falls in."""
    if kind == e.HELD_MEETING:
        return e.THE_DAY if day == due else (e.DAY_BEFORE if day == due - 1 else e.LONG_BEFORE)
    if due >= 0:
        return e.BEFORE if day < due else (e.ON_THE_DAY if day == due else e.AFTER)
    age = 0
    while age < e.N_AGES - 1 and day - start > e.AGE_EDGES[age]:
        age += 1
    return age


@compiled
def attend(
    rng: np.random.Generator,
    behaviour: Behaviour,
    diary: Diary,
    habit: Floats,
    account: int,
    day: int,
    first_weekday: int,
    selling: bool,
    column: int,
    likelihood: Floats,
) -> None:
    """Give everything that is pending its chance to end on this working day.

    `habit` counts what a director would remember: good ends, ends in all, advocacy.
    """
    place = 0
    while place < diary.used[PENDING]:
        waiting = diary.pending[place]
        kind, row, start, due = waiting[ITEM], waiting[ABOUT], waiting[SINCE], waiting[DUE]
        is_touch = kind <= e.OWE_FURTHER
        over = max(start, due) + behaviour.days_pending[kind]
        if day > over:
            if kind in (e.CLIENT_DUE, e.OUR_DUE) and rng.random() < 0.5:
                diary.rows[row]["outcome"] = r.BROKEN
                diary.rows[row]["resolved"] = moment(rng, day, -1)
            if kind in (e.CLIENT_DUE, e.AWAIT_REPLY, e.MAIN_REPLY):
                habit[1] += 1.0
            drop(diary, place)
            continue
        if day == start and (not is_touch or diary.rows[row]["at"] >= day * DAY + CLOSES - 120):
            place += 1
            continue
        ending = draw(rng, behaviour.item[kind, age_of(kind, start, due, day)], column, likelihood)
        if ending == e.NOTHING:
            place += 1
            continue
        drop(diary, place)
        if kind == e.CLIENT_DUE or (kind in (e.AWAIT_REPLY, e.MAIN_REPLY) and ending != e.NUDGE):
            habit[0] += 1.0
            habit[1] += 1.0
        if is_touch:
            reply(rng, kind, ending, row, behaviour.trait, diary, account, day, selling, column, likelihood)
        elif kind == e.HELD_MEETING:
            end_meeting(rng, ending, row, behaviour.trait, diary, account, day, first_weekday, column, likelihood)
        else:
            conclude(rng, kind, ending, row, behaviour.trait, diary, account, day, column, likelihood)


@compiled
def abandon(diary: Diary, now: int) -> None:
    """The client leaves: booked meetings are called off, everything else stays open for good."""
    for place in range(diary.used[PENDING]):
        row = diary.rows[diary.pending[place, ABOUT]]
        if diary.pending[place, ITEM] == e.HELD_MEETING and row["at"] > now:
            row["outcome"] = r.CANCELLED
            row["actor"] = r.CLIENT
            row["resolved"] = now
    diary.used[PENDING] = 0
