"""What opens on a working day: a touch, a promise, a mistake, as a row that may wait for its end.

Whatever is drawn from a table of behaviour.py while the account is a client multiplies `likelihood`, [states], by that
table's row; for anyone else (`column` COURTING or GONE), or where nobody wants to know, `likelihood` is empty.
"""

import numpy as np

from training.simulation import events as e
from training.simulation import records as r
from training.simulation.chain import Floats
from training.simulation.compiling import compiled
from training.simulation.diary import LAST_OURS, LAST_THEIRS, Diary, new_thread, wait, write
from training.simulation.drawing import DAY, HOUR, draw, moment, one_of, pick, within, working_day

DUE_TIME = 17 * HOUR

# The values (lowest, highest) that a class of a trait stands for, in the order of its classes in traits.py.
BRIEF_LEVEL = np.array([[1, 3], [4, 5]])
MEETING_SUBTYPES = np.array([r.REVIEW, r.FOR_DELIVERY, r.FOR_SOCIAL, -1])

# Shares that tell nothing of the state.
CLIENT_CHANNEL_SHARES = np.array([0.64, 0.15, 0.15, 0.04, 0.02])  # email, text, chat, social, letter
MEETING_CHANNELS = np.array([r.IN_PERSON, r.VIDEO, r.PHONE])
MEETING_CHANNEL_SHARES = np.array([0.40, 0.45, 0.15])
REQUEST_SHARES = np.array([0.45, 0.35, 0.20])  # feedback, reschedule, other
BRIEF_SHOWN_TO_SENIORS, BRIEF_PROMPTED, HELP_PROMPTED, LED_BY_US = 0.25, 0.2, 0.1, 0.25
ANNOTATES, ANNOTATES_WITHIN = 0.7, 3
"""How often a mention, a disclosure or a mistake is about a touch of the same side in the days before."""


@compiled
def someone(rng: np.random.Generator, contacts: int) -> int:
    """Whom we address: the main contact in three cases of five."""
    return 1 if rng.random() < 0.6 else 2 + one_of(rng, contacts - 1)


@compiled
def wait_for(diary: Diary, item: int, row: int, day: int) -> None:
    """Let a touch of ours wait for the contact it went to."""
    to_main = diary.rows[row]["contact"] == 1
    wait(diary, item + e.TO_MAIN if to_main else item, row, day, -1)


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
    diary.rows[place]["politeness"] = draw(rng, trait[e.TRAIT_POLITENESS], column, likelihood)
    diary.rows[place]["channel"] = r.EMAIL + pick(rng, CLIENT_CHANNEL_SHARES)
    diary.used[LAST_THEIRS] = place
    return place


@compiled
def our_message(rng: np.random.Generator, diary: Diary, account: int, at: int, contact: int, selling: bool) -> int:
    place = write(diary, account, at, r.MESSAGE, r.US, contact)
    diary.used[LAST_OURS] = place
    row = diary.rows[place]
    row["channel"] = r.EMAIL if rng.random() < 0.8 else r.TEXT + one_of(rng, 2)
    if selling and rng.random() < 0.5:
        row["subtype"] = r.SALES
    if rng.random() < 0.03:  # out of office
        away = diary.rows[write(diary, account, at + 60, r.MESSAGE, r.CLIENT, contact)]
        away["channel"] = row["channel"]
        away["auto"] = 1
        away["reply_to"] = place
    return place


@compiled
def call(diary: Diary, account: int, at: int, actor: int, contact: int, outcome: int) -> int:
    place = write(diary, account, at, r.CALL, actor, contact)
    diary.rows[place]["channel"] = r.PHONE
    diary.rows[place]["outcome"] = outcome
    diary.used[LAST_THEIRS if actor == r.CLIENT else LAST_OURS] = place
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
    wait(diary, e.HELD_MEETING, place, day, held_on)


@compiled
def who_speaks(rng: np.random.Generator, trait: Floats, contacts: int, column: int, likelihood: Floats) -> int:
    """The contact from whom an act of the client comes."""
    is_main = draw(rng, trait[e.TRAIT_PRIMARY], column, likelihood) == 0
    return 1 if is_main else 2 + one_of(rng, contacts - 1)


@compiled
def annotated(rng: np.random.Generator, diary: Diary, last: int, day: int) -> int:
    """The row of the last touch of a side if what happens today is about it, else -1."""
    row = int(diary.used[last])
    recent = row >= 0 and day - diary.rows[row]["at"] // DAY <= ANNOTATES_WITHIN
    return row if rng.random() < ANNOTATES and recent else -1


@compiled
def after(rng: np.random.Generator, diary: Diary, row: int, day: int, at: int) -> int:
    """A moment of the day later than the row, if there is one; else the moment given."""
    return at if row < 0 else moment(rng, day, int(diary.rows[row]["at"]))


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
    if kind == e.OUR_MESSAGE:
        place = our_message(rng, diary, account, at, someone(rng, contacts), selling)
        diary.rows[place]["thread"] = new_thread(diary)
        wait_for(diary, e.AWAIT_REPLY, place, day)
    elif kind == e.OUR_CALL:
        contact = someone(rng, contacts)
        answers = trait[e.TRAIT_MAIN_CALL if contact == 1 else e.TRAIT_OUR_CALL]
        outcome = draw(rng, answers, column, likelihood)
        place = call(diary, account, at, r.US, contact, r.ANSWERED + outcome)
        if selling and rng.random() < 0.5:
            diary.rows[place]["subtype"] = r.SALES
        if outcome > 0:
            wait_for(diary, e.AWAIT_CALL_BACK, place, day)
    elif kind == e.NEWSLETTER:
        row = diary.rows[write(diary, account, at, r.MESSAGE, r.US, 1)]
        row["channel"] = r.EMAIL
        row["auto"] = 1
    elif kind == e.GESTURE:
        place = write(diary, account, at, r.GESTURE_ROW, r.US, someone(rng, contacts))
        diary.rows[place]["subtype"] = r.ARTICLE + one_of(rng, 4)
    elif kind == e.MEETING:
        channel = int(MEETING_CHANNELS[pick(rng, MEETING_CHANNEL_SHARES)])
        caller = r.CLIENT if rng.random() < 0.35 else r.US
        if selling and rng.random() < 0.5:
            subtype = r.SALES
        else:
            subtype = int(MEETING_SUBTYPES[draw(rng, trait[e.TRAIT_MEETING], column, likelihood)])
        contact = someone(rng, contacts)
        book_meeting(rng, diary, account, at, day, first_weekday, contact, caller, channel, subtype)
    elif kind in (e.CLIENT_PROMISE, e.OUR_PROMISE, e.DELIVERY):
        actor = r.CLIENT if kind == e.CLIENT_PROMISE else r.US
        row_kind = r.DELIVERY_ROW if kind == e.DELIVERY else r.COMMITMENT
        lead = int(10 + 31 * rng.random()) if kind == e.DELIVERY else int(3 + 19 * rng.random())
        due = working_day(day + lead, first_weekday)
        place = write(diary, account, at, row_kind, actor, someone(rng, contacts))
        diary.rows[place]["due"] = due * DAY + DUE_TIME
        if row_kind == r.COMMITMENT:
            diary.rows[place]["outcome"] = r.OPEN
        item = e.CLIENT_DUE if kind == e.CLIENT_PROMISE else e.OUR_DUE
        wait(diary, e.DELIVERY_DUE if kind == e.DELIVERY else item, place, day, due)
    elif kind == e.OUR_REQUEST:
        place = write(diary, account, at, r.REQUEST, r.US, someone(rng, contacts))
        diary.rows[place]["subtype"] = r.ASK_FEEDBACK + pick(rng, REQUEST_SHARES)
        diary.rows[place]["outcome"] = r.OPEN
        wait(diary, e.ASKED_OF_CLIENT, place, day, -1)
    elif kind == e.MISTAKE:
        about = annotated(rng, diary, LAST_OURS, day)
        at = after(rng, diary, about, day, at)
        contact = someone(rng, contacts) if about < 0 else int(diary.rows[about]["contact"])
        place = write(diary, account, at, r.MISTAKE_ROW, r.US, contact)
        diary.rows[place]["about"] = about
        diary.rows[place]["subtype"] = r.FIRST_MISTAKE + one_of(rng, r.KINDS_OF_MISTAKES)
        diary.rows[place]["level"] = 1 + draw(rng, trait[e.TRAIT_MISTAKE], column, likelihood)
        wait(diary, e.AMENDS, place, day, -1)
    elif kind == e.ADVICE:
        place = write(diary, account, at, r.ADVICE_ROW, r.US, someone(rng, contacts))
        diary.rows[place]["outcome"] = r.OPEN
        wait(diary, e.AWAIT_ADVICE, place, day, -1)
    elif kind in (e.INVOICE, e.PROPOSAL):
        place = write(diary, account, at, r.FEE, r.US, 1)
        diary.rows[place]["subtype"] = r.INVOICE_SUBTYPE if kind == e.INVOICE else r.QUOTE + one_of(rng, 2)
        diary.rows[place]["outcome"] = r.OPEN
        wait(diary, e.AWAIT_PAYMENT if kind == e.INVOICE else e.AWAIT_DECISION, place, day, -1)
    elif kind == e.CHAMPION:
        place = write(diary, account, at, r.ADVOCACY_ROW, r.CLIENT, 1)
        diary.rows[place]["subtype"] = r.CHAMPION
    elif kind == e.INTRODUCTION:
        upward = draw(rng, trait[e.TRAIT_UPWARD], column, likelihood) == 1
        contact = 2 + one_of(rng, contacts - 1) if upward else 1
        place = write(diary, account, at, r.INTRODUCTION_ROW, r.CLIENT, contact)
        diary.rows[place]["related_contact"] = 1 + one_of(rng, contact - 1) if upward else 2 + one_of(rng, contacts - 1)
        diary.rows[place]["prompted"] = rng.random() < 0.5
    elif kind == e.DISCLOSURE and rng.random() < LED_BY_US:
        place = write(diary, account, at, r.DISCLOSURE_ROW, r.US, someone(rng, contacts))
        diary.rows[place]["subtype"] = r.FIRST_DISCLOSURE + one_of(rng, 3)
    elif kind in (e.DISCLOSURE, e.RIVAL_NAMED, e.SUPPLIER_TALK, e.INTEREST):
        about = annotated(rng, diary, LAST_THEIRS, day)
        at = after(rng, diary, about, day, at)
        if about < 0:
            contact = who_speaks(rng, trait, contacts, column, likelihood)
        else:
            contact = int(diary.rows[about]["contact"])
        told = r.DISCLOSURE_ROW if kind == e.DISCLOSURE else r.MENTION_ROW
        place = write(diary, account, at, told, r.CLIENT, contact)
        diary.rows[place]["about"] = about
        if kind == e.DISCLOSURE:
            diary.rows[place]["subtype"] = r.FIRST_DISCLOSURE + one_of(rng, 3)
        else:
            diary.rows[place]["subtype"] = r.COMPETITOR + kind - e.RIVAL_NAMED
    else:
        contact = who_speaks(rng, trait, contacts, column, likelihood)
        if kind == e.CLIENT_MESSAGE:
            place = client_message(rng, trait, diary, account, at, contact, column, likelihood)
            diary.rows[place]["thread"] = new_thread(diary)
            diary.rows[place]["prompted"] = 0
            wait(diary, e.OWE_REPLY, place, day, -1)
        elif kind == e.CLIENT_CALL:
            outcome = draw(rng, trait[e.TRAIT_CLIENT_CALL], column, likelihood)
            place = call(diary, account, at, r.CLIENT, contact, r.ANSWERED + outcome)
            diary.rows[place]["prompted"] = 0
            if outcome > 0:
                wait(diary, e.OWE_REPLY, place, day, -1)
        elif kind == e.HELP_REQUEST:
            place = write(diary, account, at, r.REQUEST, r.CLIENT, contact)
            diary.rows[place]["subtype"] = r.HELP
            diary.rows[place]["outcome"] = r.OPEN
            diary.rows[place]["prompted"] = rng.random() < HELP_PROMPTED
            wait(diary, e.ASKED_OF_US, place, day, -1)
        elif kind == e.BRIEF:
            row = diary.rows[write(diary, account, at, r.BRIEF_ROW, r.CLIENT, contact)]
            hard = draw(rng, trait[e.TRAIT_COMPLEX], column, likelihood)
            row["level"] = within(rng, BRIEF_LEVEL[hard])
            row["strategic"] = 1 if hard == 1 and rng.random() < 0.5 else 0
            row["phase"] = draw(rng, trait[e.TRAIT_PHASE], column, likelihood)
            row["senior"] = rng.random() < BRIEF_SHOWN_TO_SENIORS
            row["prompted"] = rng.random() < BRIEF_PROMPTED
        elif kind == e.ADVOCACY:
            place = write(diary, account, at, r.ADVOCACY_ROW, r.CLIENT, contact)
            diary.rows[place]["subtype"] = r.FIRST_ADVOCACY + one_of(rng, 4)
            diary.rows[place]["prompted"] = rng.random() < 0.5
            diary.rows[place]["us_present"] = rng.random() < 0.5
            if diary.rows[place]["subtype"] == r.REFERRAL:
                wait(diary, e.THANKS, place, day, -1)
        elif kind == e.ORDER:
            write(diary, account, at, r.ORDER_ROW, r.CLIENT, contact)
