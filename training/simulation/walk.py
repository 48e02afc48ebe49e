"""One account's life, day by day: the hidden chain moves, the account behaves, contracts end, and the filter follows.

The filter (forward algorithm) knows the model and everything that happened up to midnight, but not the state.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.simulation import events as e
from training.simulation import records as r
from training.simulation.attending import abandon, attend
from training.simulation.beginning import begin
from training.simulation.behaviour import REVIEW_QUALITY, Behaviour
from training.simulation.chain import (
    COURTING,
    EARLY_OPENS,
    GONE,
    INSOLVENT,
    LAPSE,
    N_CONDITIONS,
    N_STATES,
    N_TYPES,
    NO_FURTHER_NEED,
    TO_COMPETITOR,
    WON,
    Chain,
    Floats,
)
from training.simulation.compiling import compiled
from training.simulation.diary import (
    DEALS,
    LAST_OURS,
    LAST_THEIRS,
    LEAVINGS,
    MOST_PENDING,
    PENDING,
    REVIEWS,
    ROWS,
    SNAPSHOTS,
    Diary,
)
from training.simulation.drawing import DAY, HOUR, draw, happens, one_of, pick
from training.simulation.mechanisms import place_of
from training.simulation.records import Records

MOST_ROWS_A_DAY = 4 * MOST_PENDING

# Deals that are not renewals: chances a day, the same for every client.
FIRST_DEAL_OPENS, LATER_DEAL_OPENS, NEW_DEAL_CLOSES, NEW_DEAL_WON = 0.015, 0.006, 0.030, 0.60
COURTED_BEFORE_FIRST_DEAL = 21
RETURN_OPENS, LEFT_ALONE_AFTER_LOSS = 0.0008, 120
EXPANSION_NEEDS, EXPANSION_FORCED, EXPANSION_CLOSES = 220, 200, 0.05
EXPANSION_ENDS = EARLY_OPENS + 1
"""Days to the contract's end: an expansion opens only before the first, closes by the second, and has ended by the
last, before any renewal can open: so no other contract ever runs when a renewal is lost."""
EXPANSION_TERM = 90
SALES_PHASE = 1.6
"""How much more we write, call and meet while a deal is open."""

FIRST_REVIEW_AFTER, REVIEW_EVERY = 30, 180


class Ledger(NamedTuple):
    """The other lists that the walk writes to; how many are used stands in the diary."""

    deals: Records
    reviews: Records
    leavings: Records
    snapshots: Records
    posterior: Floats
    """[snapshots, states]: what the filter makes of the state at that midnight; empty if the truth is not wanted."""


class Model(NamedTuple):
    chain: Chain
    behaviour: Behaviour


class Calendar(NamedTuple):
    days: int
    first_weekday: int
    """0 is Monday."""
    is_snapshot: NDArray[np.bool_]
    """[days + 1]: midnights at which the risk is wanted."""


@compiled
def review(
    rng: np.random.Generator,
    diary: Diary,
    ledger: Ledger,
    account: int,
    day: int,
    since_win: int,
    habit: Floats,
    state: int,
    likelihood: Floats,
) -> None:
    """A director judges the stage by what the record shows, how long it has lasted, and a sense of the condition."""
    shown = (
        3.0 * ((habit[0] + 3.0) / (habit[1] + 6.0) - 0.6) + 0.8 * min(habit[2], 2.0) + 0.4 * min(since_win / 365.0, 3.0)
    )
    chances = np.empty((3, N_STATES))
    for each in range(N_STATES):
        score = shown + REVIEW_QUALITY[each % N_CONDITIONS]
        beyond, furthest = 1.0 / (1.0 + np.exp(1.0 - score)), 1.0 / (1.0 + np.exp(3.4 - score))
        chances[0, each] = 1.0 - beyond
        chances[1, each] = beyond - furthest
        chances[2, each] = furthest
    stage = draw(rng, chances, state, likelihood)
    row = ledger.reviews[diary.used[REVIEWS]]
    row["account"] = account
    row["at"] = day * DAY + 12 * HOUR
    row["stage"] = stage
    diary.used[REVIEWS] += 1


@compiled
def open_deal(diary: Diary, ledger: Ledger, account: int, at: int, kind: int, competitive: bool) -> int:
    place = int(diary.used[DEALS])
    diary.used[DEALS] = place + 1
    row = ledger.deals[place]
    row["account"] = account
    row["opened"] = at
    row["kind"] = kind
    row["competitive"] = competitive
    return place


@compiled
def close_deal(ledger: Ledger, place: int, at: int, won: bool, reason: int, starts: int, ends: int) -> None:
    row = ledger.deals[place]
    row["closed"] = at
    row["outcome"] = r.DEAL_WON if won else r.DEAL_LOST
    row["reason"] = reason
    row["starts"] = starts * DAY if won else -1
    row["ends"] = ends * DAY if won else -1


@compiled
def leave(diary: Diary, ledger: Ledger, account: int, at: int, cause: int, state: int, began: int) -> None:
    row = ledger.leavings[diary.used[LEAVINGS]]
    row["account"] = account
    row["at"] = at
    row["cause"] = cause
    row["state"] = state
    row["began"] = began
    diary.used[LEAVINGS] += 1


@compiled
def follow(posterior: Floats, likelihood: Floats, step: Floats) -> None:
    """One step of the filter: weigh by the day's likelihood, then let the condition move."""
    total = 0.0
    for state in range(N_STATES):
        posterior[state] *= likelihood[state]
        total += posterior[state]
    was = np.empty(N_CONDITIONS)
    for kind in range(N_TYPES):
        first = kind * N_CONDITIONS
        for condition in range(N_CONDITIONS):
            was[condition] = posterior[first + condition] / total
            posterior[first + condition] = 0.0
        for condition in range(N_CONDITIONS):
            for becomes in range(N_CONDITIONS):
                posterior[first + becomes] += was[condition] * step[kind, condition, becomes]


@compiled
def start_afresh(posterior: Floats, at_win: Floats) -> None:
    """A contract is won from outside: the condition starts anew, what is known of the type stays."""
    for kind in range(N_TYPES):
        first = kind * N_CONDITIONS
        weight = 0.0
        for condition in range(N_CONDITIONS):
            weight += posterior[first + condition]
        for condition in range(N_CONDITIONS):
            posterior[first + condition] = weight * at_win[condition]


@compiled
def live(
    rng: np.random.Generator,
    model: Model,
    calendar: Calendar,
    diary: Diary,
    ledger: Ledger,
    account: int,
    type_: int,
    contacts: int,
    first_day: int,
    reviewed: bool,
    knowing: bool,
) -> int:
    """Walk one account from its first touch to the end of observation; returns the days it was a client.

    `contacts` (2 or more) sets how busy it is, which everyone can see; `knowing`: run the filter too.
    """
    chain = model.chain
    nothing_learnt = np.empty(0)
    likelihood = np.ones(N_STATES if knowing else 0)
    posterior = np.empty(N_STATES if knowing else 0)
    for state in range(posterior.size):
        posterior[state] = chain.type_shares[state // N_CONDITIONS] / N_CONDITIONS
    diary.used[PENDING] = 0
    diary.used[LAST_THEIRS] = diary.used[LAST_OURS] = -1
    habit = np.zeros(3)

    column = int(np.int64(COURTING))  # not the literal, for which every callee would be compiled twice
    deal, add_on, renewal_open = -1, -1, False
    ends = 0  # the day on which the last contract ends
    won_on, wins, lost_deals = 0, 0, 0
    began = 0  # the day on which the mechanism now at work, or none, set in
    quiet_until = first_day + COURTED_BEFORE_FIRST_DEAL
    next_review = calendar.days + 1
    client_days = 0
    size = 0.7 + 0.15 * (contacts - 2)

    for day in range(first_day, calendar.days + 1):
        is_client = column < N_STATES
        if is_client and calendar.is_snapshot[day]:
            place = diary.used[SNAPSHOTS]
            diary.used[SNAPSHOTS] = place + 1
            snapshot = ledger.snapshots[place]
            snapshot["account"] = account
            snapshot["day"] = day
            snapshot["days_to_end"] = ends - day
            snapshot["renewal_open"] = renewal_open
            snapshot["state"] = column
            snapshot["began"] = began
            for state in range(posterior.size):
                ledger.posterior[place, state] = posterior[state]
        if day == calendar.days:
            break
        if diary.used[ROWS] + MOST_ROWS_A_DAY > diary.rows.size:
            raise RuntimeError("the walk's row buffer is full")
        learnt = likelihood if is_client else nothing_learnt
        for state in range(likelihood.size):
            likelihood[state] = 1.0
        selling = deal >= 0 or add_on >= 0
        now = day * DAY + int((9.0 + 8.0 * rng.random()) * HOUR)

        # What is said and done.
        if (calendar.first_weekday + day) % 7 < 5:
            for kind in range(e.EXPANSION):
                keen = SALES_PHASE if selling and kind in (e.OUR_MESSAGE, e.OUR_CALL, e.MEETING) else 1.0
                first = day == first_day and kind == e.OUR_MESSAGE
                if first or happens(rng, model.behaviour.opening[kind], size * keen, column, learnt):
                    begin(
                        rng,
                        kind,
                        model.behaviour.trait,
                        diary,
                        account,
                        contacts,
                        day,
                        calendar.first_weekday,
                        selling,
                        column,
                        learnt,
                    )
                    if kind in (e.ADVOCACY, e.CHAMPION):
                        habit[2] += 1.0
            attend(
                rng,
                model.behaviour,
                diary,
                habit,
                account,
                day,
                calendar.first_weekday,
                selling,
                column,
                learnt,
            )
        for each in range(habit.size):
            habit[each] *= 1.0 - 1.0 / 365.0
        if is_client and day >= next_review:
            review(rng, diary, ledger, account, day, day - won_on, habit, column, learnt)
            next_review = day + int(REVIEW_EVERY * (1.0 + rng.random()))

        # What is bought.
        left = ends - day
        outcome = -1  # of a renewal that closes today
        if is_client:
            if not renewal_open:
                if happens(rng, chain.opens[left - LAPSE], 1.0, column, learnt):
                    renewal_open = True
                    rivals = draw(rng, model.behaviour.trait[e.TRAIT_COMPETITIVE], column, learnt) == 1
                    deal = open_deal(diary, ledger, account, now, r.RENEWAL, rivals)
            elif rng.random() < chain.closes[left - LAPSE]:
                outcome = draw(rng, chain.decision, column, learnt)
            if add_on >= 0:
                if left <= EXPANSION_FORCED or rng.random() < EXPANSION_CLOSES:
                    bought = draw(rng, model.behaviour.trait[e.TRAIT_EXPANSION], column, learnt) == 1
                    until = day + 1 + min(EXPANSION_TERM, left - 1 - EXPANSION_ENDS)
                    close_deal(ledger, add_on, now, bought, -1 if bought else r.LOST_OTHERWISE, day + 1, until)
                    add_on = -1
                    wins += bought
            elif left >= EXPANSION_NEEDS and happens(rng, model.behaviour.opening[e.EXPANSION], 1.0, column, learnt):
                rivals = draw(rng, model.behaviour.trait[e.TRAIT_COMPETITIVE], column, learnt) == 1
                add_on = open_deal(diary, ledger, account, now, r.ADD_ON, rivals)
        elif deal < 0:
            opens = FIRST_DEAL_OPENS if lost_deals == 0 else LATER_DEAL_OPENS
            if column == GONE:
                opens = RETURN_OPENS
            if day >= quiet_until and rng.random() < opens:
                deal = open_deal(diary, ledger, account, now, r.NEW, rng.random() < 0.6)
        elif rng.random() < NEW_DEAL_CLOSES:
            if rng.random() < NEW_DEAL_WON:
                starts = day + 1 + chain.start_lags[one_of(rng, chain.start_lags.size)]
                ends = starts + chain.terms[pick(rng, chain.term_shares)]
                close_deal(ledger, deal, now, True, -1, starts, ends)
                column = type_ * N_CONDITIONS + pick(rng, chain.at_win)
                if knowing:
                    start_afresh(posterior, chain.at_win)
                won_on = day
                began = day + 1
                wins += 1
            else:
                close_deal(ledger, deal, now, False, int(2 * rng.random()), 0, 0)
                lost_deals += 1
                quiet_until = day + LEFT_ALONE_AFTER_LOSS
                if lost_deals >= 2:
                    column = GONE
            deal = -1
            continue  # the new condition begins to move, and to show, tomorrow

        if outcome == WON:
            starts = max(ends, day + 1)
            ends = starts + chain.terms[pick(rng, chain.term_shares)]
            close_deal(ledger, deal, now, True, -1, starts, ends)
            wins += 1
        elif outcome > WON:
            close_deal(ledger, deal, now, False, outcome - TO_COMPETITOR, 0, 0)
        if outcome >= WON:
            deal, renewal_open = -1, False
        if reviewed and wins >= 2 and next_review > calendar.days and is_client:
            next_review = day + FIRST_REVIEW_AFTER + int(90 * rng.random())

        # The night.
        if not is_client:
            continue
        client_days += 1
        if knowing:
            follow(posterior, likelihood, chain.step)
        state = column
        column = type_ * N_CONDITIONS + pick(rng, chain.step[type_, column % N_CONDITIONS])
        set_in = place_of(column % N_CONDITIONS) != place_of(state % N_CONDITIONS)
        lapses = not renewal_open and outcome < WON and ends - (day + 1) == LAPSE
        if outcome > WON or lapses:
            at = (day + 1) * DAY if lapses else now
            abandon(diary, at)
            column, quiet_until, next_review, lost_deals = (
                GONE,
                day + LEFT_ALONE_AFTER_LOSS,
                calendar.days + 1,
                0,
            )
            if outcome in (NO_FURTHER_NEED, INSOLVENT):
                leave(diary, ledger, account, now, r.ENDED_OTHERWISE, state, began)
                break
            leave(diary, ledger, account, at, r.LAPSED if lapses else r.SWITCHED, state, began)
        elif set_in:
            began = day + 1
    return client_days
