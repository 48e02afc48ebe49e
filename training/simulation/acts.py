"""What an account and we do on a working day: the rows of the interactions, written as they happen.

Whatever is drawn from a table of behaviour.py while the account is a client multiplies `likelihood`, [states], by that
table's row; for anyone else (`column` COURTING or GONE), or where nobody wants to know, `likelihood` is empty.
"""

from typing import NamedTuple

import numpy as np

from training.simulation import behaviour as b
from training.simulation import records as r
from training.simulation.behaviour import Behaviour
from training.simulation.chain import Floats
from training.simulation.compiling import compiled
from training.simulation.drawing import CLOSES, DAY, HOUR, draw, moment, one_of, pick, within, working_day
from training.simulation.records import Ints, Records

DUE_TIME = 17 * HOUR
MOST_PENDING = 96

# The values (lowest, highest) that a class of a trait stands for, in the order of its classes in behaviour.py.
MINUTES_LATE = np.array([[0, 0], [1, 5], [6, 20]])
DELIVERY_RATING = np.array([[-1, -1], [2, 6], [7, 8], [9, 10]])
FEEDBACK_RATING = np.array([[1, 4], [5, 7], [8, 10]])
DIRECTNESS = np.array([[1, 2], [3, 3], [4, 5]])
BRIEF_LEVEL = np.array([[1, 3], [4, 5]])
MEETING_CHANNEL = np.array([r.IN_PERSON, r.VIDEO, r.PHONE])
MEETING_SUBTYPES = np.array([r.REVIEW, r.FOR_DELIVERY, r.FOR_SOCIAL, -1])
MEETING_SUBTYPE_SHARES = np.array([0.3, 0.4, 0.1, 0.2])
MISTAKE_LEVEL_SHARES = np.array([0.6, 0.3, 0.1])

ROWS, DEALS, REVIEWS, LEAVINGS, SNAPSHOTS, THREADS, PENDING = range(7)
ITEM, ABOUT, SINCE, DUE = range(4)


class Diary(NamedTuple):
    """What the account does: the rows written, and what of them still waits for an end."""

    rows: Records
    pending: Ints
    """[MOST_PENDING, (item, row it is about, day it began, day it is due or -1)]"""
    used: Ints
    """How many of each list are in use: ROWS … PENDING."""


@compiled
def write(diary: Diary, account: int, at: int, kind: int, actor: int, contact: int) -> int:
    place = int(diary.used[ROWS])
    diary.used[ROWS] = place + 1
    row = diary.rows[place]
    row["account"] = account
    row["at"] = at
    row["kind"] = kind
    row["actor"] = actor
    row["contact"] = contact
    return place


@compiled
def wait(diary: Diary, item: int, row: int, since: int, due: int) -> None:
    place = diary.used[PENDING]
    if place < MOST_PENDING:
        waiting = diary.pending[place]
        waiting[ITEM], waiting[ABOUT], waiting[SINCE], waiting[DUE] = item, row, since, due
        diary.used[PENDING] = place + 1


@compiled
def drop(diary: Diary, place: int) -> None:
    """Take an item off the list; the last one moves to its place."""
    last = diary.used[PENDING] - 1
    for field in range(diary.pending.shape[1]):
        diary.pending[place, field] = diary.pending[last, field]
    diary.used[PENDING] = last


@compiled
def new_thread(diary: Diary) -> int:
    thread = int(diary.used[THREADS])
    diary.used[THREADS] = thread + 1
    return thread


@compiled
def someone(rng: np.random.Generator, contacts: int) -> int:
    """Whom we address: the main contact in three cases of five."""
    return 1 if rng.random() < 0.6 else 2 + one_of(rng, contacts - 1)


@compiled
def client_message(
    rng: np.random.Generator,
    trait: Floats,
    diary: Diary,
    account: int,
    at: int,
    contact: int,
    column: int,
    likelihood: Floats,
) -> int:
    place = write(diary, account, at, r.MESSAGE, r.CLIENT, contact)
    diary.rows[place]["channel"] = draw(rng, trait[b.TRAIT_CHANNEL], column, likelihood)
    return place


@compiled
def our_message(rng: np.random.Generator, diary: Diary, account: int, at: int, contact: int, selling: bool) -> int:
    place = write(diary, account, at, r.MESSAGE, r.US, contact)
    row = diary.rows[place]
    row["channel"] = r.EMAIL if rng.random() < 0.8 else r.TEXT + int(2 * rng.random())
    if selling and rng.random() < 0.5:
        row["subtype"] = r.SALES
    if rng.random() < 0.03:  # out of office
        away = diary.rows[write(diary, account, at + 60, r.MESSAGE, r.CLIENT, contact)]
        away["channel"] = row["channel"]
        away["auto"] = 1
        away["reply_to"] = place
    return place


@compiled
def book_meeting(
    rng: np.random.Generator,
    diary: Diary,
    account: int,
    now: int,
    day: int,
    first_weekday: int,
    contact: int,
    caller: int,
    channel: int,
    subtype: int,
) -> None:
    held_on = working_day(day + 2 + int(29 * rng.random()), first_weekday)
    at = held_on * DAY + 9 * HOUR + int(32 * rng.random()) * 900
    place = write(diary, account, at, r.MEETING_ROW, caller, contact)
    row = diary.rows[place]
    row["recorded"] = now
    row["channel"] = channel
    row["subtype"] = subtype
    wait(diary, b.HELD_MEETING, place, day, held_on)


@compiled
def begin(
    rng: np.random.Generator,
    kind: int,
    trait: Floats,
    diary: Diary,
    account: int,
    contacts: int,
    day: int,
    first_weekday: int,
    selling: bool,
    column: int,
    likelihood: Floats,
) -> None:
    """Write what opens on the day, and let it wait for its end if it has one."""
    at = moment(rng, day, -1)
    if kind == b.OUR_MESSAGE:
        place = our_message(rng, diary, account, at, someone(rng, contacts), selling)
        diary.rows[place]["thread"] = new_thread(diary)
        wait(diary, b.AWAIT_REPLY, place, day, -1)
    elif kind == b.OUR_CALL:
        place = write(diary, account, at, r.CALL, r.US, someone(rng, contacts))
        row = diary.rows[place]
        row["channel"] = r.PHONE
        if selling and rng.random() < 0.5:
            row["subtype"] = r.SALES
        outcome = draw(rng, trait[b.TRAIT_OUR_CALL], column, likelihood)
        row["outcome"] = r.ANSWERED + outcome
        if outcome > 0:
            wait(diary, b.AWAIT_CALL_BACK, place, day, -1)
    elif kind == b.NEWSLETTER:
        row = diary.rows[write(diary, account, at, r.MESSAGE, r.US, 1)]
        row["channel"] = r.EMAIL
        row["auto"] = 1
    elif kind == b.GESTURE:
        place = write(diary, account, at, r.GESTURE_ROW, r.US, someone(rng, contacts))
        diary.rows[place]["subtype"] = r.ARTICLE + int(4 * rng.random())
    elif kind == b.MEETING:
        channel = MEETING_CHANNEL[draw(rng, trait[b.TRAIT_MEETING_CHANNEL], column, likelihood)]
        caller = r.CLIENT if rng.random() < 0.35 else r.US
        subtype = MEETING_SUBTYPES[pick(rng, MEETING_SUBTYPE_SHARES)]
        if selling and rng.random() < 0.5:
            subtype = r.SALES
        contact = someone(rng, contacts)
        book_meeting(rng, diary, account, at, day, first_weekday, contact, caller, channel, subtype)
    elif kind in (b.CLIENT_PROMISE, b.OUR_PROMISE, b.DELIVERY):
        actor = r.CLIENT if kind == b.CLIENT_PROMISE else r.US
        row_kind = r.DELIVERY_ROW if kind == b.DELIVERY else r.COMMITMENT
        lead = int(10 + 31 * rng.random()) if kind == b.DELIVERY else int(3 + 19 * rng.random())
        due = working_day(day + lead, first_weekday)
        place = write(diary, account, at, row_kind, actor, someone(rng, contacts))
        diary.rows[place]["due"] = due * DAY + DUE_TIME
        if row_kind == r.COMMITMENT:
            diary.rows[place]["outcome"] = r.OPEN
        item = b.CLIENT_DUE if kind == b.CLIENT_PROMISE else b.OUR_DUE
        wait(diary, b.DELIVERY_DUE if kind == b.DELIVERY else item, place, day, due)
    elif kind == b.OUR_REQUEST:
        place = write(diary, account, at, r.REQUEST, r.US, someone(rng, contacts))
        diary.rows[place]["subtype"] = r.ASK_FEEDBACK if rng.random() < 0.6 else r.ASK_RESCHEDULE
        diary.rows[place]["outcome"] = r.OPEN
        wait(diary, b.ASKED_OF_CLIENT, place, day, -1)
    elif kind == b.MISTAKE:
        place = write(diary, account, at, r.MISTAKE_ROW, r.US, someone(rng, contacts))
        diary.rows[place]["subtype"] = r.FIRST_MISTAKE + int(3 * rng.random())
        diary.rows[place]["level"] = 1 + pick(rng, MISTAKE_LEVEL_SHARES)
        wait(diary, b.AMENDS, place, day, -1)
    elif kind == b.ADVICE:
        place = write(diary, account, at, r.ADVICE_ROW, r.US, someone(rng, contacts))
        diary.rows[place]["outcome"] = r.OPEN
        wait(diary, b.AWAIT_ADVICE, place, day, -1)
    elif kind == b.INVOICE:
        place = write(diary, account, at, r.FEE, r.US, 1)
        diary.rows[place]["subtype"] = r.INVOICE_SUBTYPE
        diary.rows[place]["outcome"] = r.OPEN
        wait(diary, b.AWAIT_PAYMENT, place, day, -1)
    else:  # the client's own
        contact = 1 if draw(rng, trait[b.TRAIT_PRIMARY], column, likelihood) == 0 else 2 + one_of(rng, contacts - 1)
        if kind == b.CLIENT_MESSAGE:
            place = client_message(rng, trait, diary, account, at, contact, column, likelihood)
            diary.rows[place]["thread"] = new_thread(diary)
            diary.rows[place]["prompted"] = 0
            wait(diary, b.OWE_REPLY, place, day, -1)
        elif kind == b.CLIENT_CALL:
            place = write(diary, account, at, r.CALL, r.CLIENT, contact)
            diary.rows[place]["channel"] = r.PHONE
            outcome = draw(rng, trait[b.TRAIT_CLIENT_CALL], column, likelihood)
            diary.rows[place]["outcome"] = r.ANSWERED + outcome
            diary.rows[place]["prompted"] = 0
            if outcome > 0:
                wait(diary, b.OWE_REPLY, place, day, -1)
        elif kind == b.HELP_REQUEST:
            place = write(diary, account, at, r.REQUEST, r.CLIENT, contact)
            diary.rows[place]["subtype"] = r.HELP
            diary.rows[place]["outcome"] = r.OPEN
            diary.rows[place]["prompted"] = 0
            wait(diary, b.ASKED_OF_US, place, day, -1)
        elif kind == b.BRIEF:
            row = diary.rows[write(diary, account, at, r.BRIEF_ROW, r.CLIENT, contact)]
            hard = draw(rng, trait[b.TRAIT_COMPLEX], column, likelihood)
            row["level"] = within(rng, BRIEF_LEVEL[hard])
            row["strategic"] = 1 if hard == 1 and rng.random() < 0.5 else 0
            row["phase"] = draw(rng, trait[b.TRAIT_PHASE], column, likelihood)
            row["senior"] = draw(rng, trait[b.TRAIT_SENIOR], column, likelihood)
            row["prompted"] = 0
        elif kind == b.ADVOCACY:
            place = write(diary, account, at, r.ADVOCACY_ROW, r.CLIENT, contact)
            subtype = r.FIRST_ADVOCACY + int(4 * rng.random())
            diary.rows[place]["subtype"] = subtype
            diary.rows[place]["prompted"] = rng.random() < 0.5
            diary.rows[place]["us_present"] = rng.random() < 0.5
            if subtype == r.REFERRAL:
                wait(diary, b.THANKS, place, day, -1)
        elif kind == b.INTRODUCTION:
            row = diary.rows[write(diary, account, at, r.INTRODUCTION_ROW, r.CLIENT, contact)]
            row["related_contact"] = 1 + (contact + one_of(rng, contacts - 1)) % contacts
            row["prompted"] = rng.random() < 0.5
        elif kind == b.DISCLOSURE:
            row = diary.rows[write(diary, account, at, r.DISCLOSURE_ROW, r.CLIENT, contact)]
            row["subtype"] = r.FIRST_DISCLOSURE + int(3 * rng.random())
        elif kind == b.MENTION:
            row = diary.rows[write(diary, account, at, r.MENTION_ROW, r.CLIENT, contact)]
            row["subtype"] = r.COMPETITOR


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
    theirs = kind in (b.AWAIT_REPLY, b.AWAIT_FURTHER, b.AWAIT_CALL_BACK)
    if ending == b.NUDGE:
        again = our_message(rng, diary, account, at, contact, selling)
        diary.rows[again]["thread"] = thread
        wait(diary, b.AWAIT_REPLY, again, day, -1)
    elif ending == b.BY_CALL:
        call = diary.rows[write(diary, account, at, r.CALL, r.CLIENT if theirs else r.US, contact)]
        call["channel"] = r.PHONE
        call["outcome"] = r.ANSWERED
        call["reply_to"] = place
        if theirs:
            call["prompted"] = 1
    elif theirs:
        answer = client_message(rng, trait, diary, account, at, contact, column, likelihood)
        row = diary.rows[answer]
        row["thread"] = thread
        row["reply_to"] = place
        row["prompted"] = 1
        if touch["kind"] == r.MESSAGE:
            row["words_class"] = draw(rng, trait[b.TRAIT_WORDS], column, likelihood)
        wait(diary, b.OWE_FURTHER, answer, day, -1)
    else:
        answer = our_message(rng, diary, account, at, contact, False)
        diary.rows[answer]["thread"] = thread
        diary.rows[answer]["reply_to"] = place
        wait(diary, b.AWAIT_FURTHER, answer, day, -1)


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
    if ending == b.HELD:
        row["outcome"] = r.MET
        row["minutes_late"] = within(rng, MINUTES_LATE[draw(rng, trait[b.TRAIT_LATE], column, likelihood)])
        row["prepared"] = draw(rng, trait[b.TRAIT_PREPARED], column, likelihood)
        if row["channel"] != r.PHONE:
            row["non_verbal"] = draw(rng, trait[b.TRAIT_NON_VERBAL], column, likelihood)
        return
    if ending == b.CLIENT_ABSENT or ending == b.WE_ABSENT:
        row["outcome"] = r.NO_SHOW
        row["actor"] = r.CLIENT if ending == b.CLIENT_ABSENT else r.US
        return
    # Called off, before it would have begun.
    row["resolved"] = min(moment(rng, day, -1), row["at"] - 900)
    if ending == b.MOVED:
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
        row["actor"] = r.CLIENT if ending == b.CLIENT_CANCELS else r.US


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
    if kind == b.AWAIT_FEEDBACK:
        word = diary.rows[write(diary, account, resolved, r.FEEDBACK, r.CLIENT, int(row["contact"]))]
        word["about"] = place
        word["rating"] = within(rng, FEEDBACK_RATING[draw(rng, trait[b.TRAIT_FEEDBACK], column, likelihood)])
        word["level"] = within(rng, DIRECTNESS[draw(rng, trait[b.TRAIT_DIRECTNESS], column, likelihood)])
        return
    row["resolved"] = resolved
    if kind == b.CLIENT_DUE or kind == b.OUR_DUE:
        row["outcome"] = r.KEPT
    elif kind == b.DELIVERY_DUE:
        row["rating"] = within(rng, DELIVERY_RATING[draw(rng, trait[b.TRAIT_RATING], column, likelihood)])
        wait(diary, b.AWAIT_FEEDBACK, place, day, -1)
    elif kind == b.ASKED_OF_CLIENT or kind == b.ASKED_OF_US:
        row["outcome"] = r.GRANTED if ending == b.YES else r.REFUSED
    elif kind == b.AWAIT_ADVICE:
        row["outcome"] = r.ACTED if ending == b.YES else r.DECLINED
    elif kind == b.AWAIT_PAYMENT:
        row["outcome"] = r.FEE_ACCEPTED + ending - b.ACCEPTED


@compiled
def age_of(kind: int, start: int, due: int, day: int) -> int:
    """Which column of an item's ages the day falls in."""
    if kind == b.HELD_MEETING:
        return b.THE_DAY if day == due else (b.DAY_BEFORE if day == due - 1 else b.LONG_BEFORE)
    if due >= 0:
        return b.BEFORE if day < due else (b.ON_THE_DAY if day == due else b.AFTER)
    age = 0
    while age < b.N_AGES - 1 and day - start > b.AGE_EDGES[age]:
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
        is_touch = kind <= b.OWE_FURTHER
        over = max(start, due) + behaviour.days_pending[kind]
        if day > over:
            if kind in (b.CLIENT_DUE, b.OUR_DUE) and rng.random() < 0.5:
                diary.rows[row]["outcome"] = r.BROKEN
                diary.rows[row]["resolved"] = moment(rng, day, -1)
            if kind in (b.CLIENT_DUE, b.AWAIT_REPLY):
                habit[1] += 1.0
            drop(diary, place)
            continue
        if day == start and (not is_touch or diary.rows[row]["at"] >= day * DAY + CLOSES - 120):
            place += 1
            continue
        ending = draw(rng, behaviour.item[kind, age_of(kind, start, due, day)], column, likelihood)
        if ending == b.NOTHING:
            place += 1
            continue
        drop(diary, place)
        if kind == b.CLIENT_DUE or (kind == b.AWAIT_REPLY and ending != b.NUDGE):
            habit[0] += 1.0
            habit[1] += 1.0
        if is_touch:
            reply(rng, kind, ending, row, behaviour.trait, diary, account, day, selling, column, likelihood)
        elif kind == b.HELD_MEETING:
            end_meeting(rng, ending, row, behaviour.trait, diary, account, day, first_weekday, column, likelihood)
        else:
            conclude(rng, kind, ending, row, behaviour.trait, diary, account, day, column, likelihood)


@compiled
def abandon(diary: Diary, now: int) -> None:
    """The client leaves: booked meetings are called off, everything else stays open for good."""
    for place in range(diary.used[PENDING]):
        row = diary.rows[diary.pending[place, ABOUT]]
        if diary.pending[place, ITEM] == b.HELD_MEETING and row["at"] > now:
            row["outcome"] = r.CANCELLED
            row["actor"] = r.CLIENT
            row["resolved"] = now
    diary.used[PENDING] = 0
