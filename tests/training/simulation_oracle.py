"""The simulation's truth once more: plain Python, one account, from the records it left, slow and obvious.

`forward_risks` pushes one state forward through the chain where the product goes backwards with arrays. `posteriors`
reads an account's records and asks of every day what each table of behaviour says about them, where the product
multiplies while it draws; so it also shows that the filter knows nothing that the records do not hold.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.simulation import events as e
from training.simulation import records as r
from training.simulation.behaviour import build_behaviour
from training.simulation.chain import LAPSE, N_CONDITIONS, N_STATES, WON, Chain, build_chain
from training.simulation.drawing import CLOSES, DAY
from training.simulation.portfolio import Portfolio
from training.simulation.walk import EXPANSION_NEEDS, SALES_PHASE

Record = dict[str, Any]
Floats = NDArray[np.float64]
"""A figure for each state, or for each condition."""


def forward_risks(
    chain: Chain, days_to_end: int, renewal_open: bool, state: int, horizons: Collection[int]
) -> list[float]:
    """The chance of switching within each horizon, given that it is not cut off by another end."""
    type_, condition = divmod(state, N_CONDITIONS)
    of_type = slice(type_ * N_CONDITIONS, (type_ + 1) * N_CONDITIONS)
    opens, decision = chain.opens[:, of_type], chain.decision[:, of_type]
    terms = list(zip(chain.terms.tolist(), chain.term_shares.tolist(), strict=True))
    alive = {(days_to_end, renewal_open): np.eye(N_CONDITIONS)[condition]}
    switching = otherwise = 0.0
    risks = []
    for day in range(1, max(horizons) + 1):
        evening: dict[tuple[int, bool], Floats] = defaultdict(lambda: np.zeros(N_CONDITIONS))
        for (left, is_open), chances in alive.items():
            event = chances * (chain.closes[left - LAPSE] if is_open else opens[left - LAPSE])
            evening[left, is_open] += chances - event
            if not is_open:
                evening[left, True] += event
                continue
            switching += float((event * decision[1:4]).sum())
            otherwise += float((event * decision[4:]).sum())
            for term, share in terms:
                evening[max(left, 1) + term, False] += event * decision[WON] * share
        alive = {}
        for (left, is_open), chances in evening.items():
            if left - 1 == LAPSE and not is_open:
                switching += float(chances.sum())
            elif chances.any():
                alive[left - 1, is_open] = chances @ chain.step[type_]
        if day in horizons:
            risks.append(switching / (1 - otherwise))
    return risks


def posteriors(portfolio: Portfolio, account: int) -> dict[int, Floats]:
    """What can be known of the state, by midnight, for an account whose stage nobody reviewed."""
    life = _Life(portfolio, account)
    chain = life.chain
    found: dict[int, Floats] = {}
    of_type = chain.type_shares
    for first, last in life.spells():
        belief = np.outer(of_type, chain.at_win)
        for day in range(first, last + 1):
            found[day] = belief.ravel()
            weights = belief.ravel()
            for chances in life.chances(day, first):
                weights = weights * chances
            after = (weights / weights.sum()).reshape(belief.shape)
            belief = np.stack([after[type_] @ chain.step[type_] for type_ in range(len(after))])
        of_type = belief.sum(axis=1)
        if last == portfolio.days - 1:
            found[portfolio.days] = belief.ravel()
    return found


class _Life:
    """One account's records, and what they say of each day."""

    def __init__(self, portfolio: Portfolio, account: int) -> None:
        self.chain, tables = build_chain(), build_behaviour()
        self.opening, self.item, self.trait, self.decision = (
            each[..., :N_STATES] for each in (tables.opening, tables.item, tables.trait, self.chain.decision)
        )
        self.opens, self.days_pending = self.chain.opens, tables.days_pending.tolist()
        self.days = portfolio.days
        self.first_weekday = int((portfolio.observed_from.astype("M8[D]").astype(int) + 3) % 7)
        self.size = 0.7 + 0.15 * (int(portfolio.contacts[account]) - 2)
        self.deals = _records(portfolio.deals, account)
        self.leavings = _records(portfolio.leavings, account)
        places = [i for i, a in enumerate(portfolio.rows["account"]) if a == account]
        self.rows = dict(zip(places, _records(portfolio.rows, account), strict=True))
        self.openings: dict[int, set[int]] = defaultdict(set)
        self.traits: dict[int, list[tuple[int, int]]] = defaultdict(list)
        self.items: list[tuple[int, int, int, int | None, int, int]] = []  # kind, start, due, end, ending, at
        for place, row in self.rows.items():
            self._read(place, row)
        for deal in self.deals:
            if deal["kind"] != r.NEW:
                self.traits[deal["opened"] // DAY].append((e.TRAIT_COMPETITIVE, deal["competitive"]))
            if deal["kind"] == r.ADD_ON and deal["closed"] >= 0:
                won = int(deal["outcome"] == r.DEAL_WON)
                self.traits[deal["closed"] // DAY].append((e.TRAIT_EXPANSION, won))

    def spells(self) -> Iterator[tuple[int, int]]:
        """First and last day of each spell as a client."""
        for deal in self.deals:
            if deal["kind"] == r.NEW and deal["outcome"] == r.DEAL_WON:
                first = deal["closed"] // DAY + 1
                # A lapse falls on the midnight after the last day.
                ends = [
                    (each["at"] - (each["cause"] == r.LAPSED)) // DAY
                    for each in self.leavings
                    if each["at"] >= first * DAY
                ]
                yield first, min([*ends, self.days - 1])

    def chances(self, day: int, first: int) -> Iterator[Floats]:
        """By state, the chance of each thing that happened on the day, or might have and did not."""
        if (self.first_weekday + day) % 7 < 5:
            selling = any(deal["opened"] // DAY < day <= _closed(deal) for deal in self.deals)
            for kind in range(e.EXPANSION):
                keen = SALES_PHASE if selling and kind in (e.OUR_MESSAGE, e.OUR_CALL, e.MEETING) else 1.0
                yield _or_not(self.size * keen * self.opening[kind], kind in self.openings[day])
            yield from self._ended(day, first)
        for trait, shown in self.traits[day]:
            yield self.trait[trait][shown]
        yield from self._bought(day)

    def _ended(self, day: int, first: int) -> Iterator[Floats]:
        left_before = max([each["at"] // DAY for each in self.leavings if each["at"] // DAY < first], default=-1)
        ours = (e.AWAIT_REPLY, e.AWAIT_FURTHER, e.AWAIT_CALL_BACK, e.MAIN_REPLY, e.MAIN_FURTHER, e.MAIN_CALL_BACK)
        touches = (*ours, e.OWE_REPLY, e.OWE_FURTHER)
        for kind, start, due, end, ending, at in self.items:
            over = max(start, due) + self.days_pending[kind]
            if start <= left_before or not start <= day <= over or (end is not None and day > end):
                continue
            if day == start and (kind not in touches or at % DAY >= CLOSES - 120):
                continue
            yield self.item[kind][_age(kind, start, due, day)][ending if day == end else e.NOTHING]

    def _bought(self, day: int) -> Iterator[Floats]:
        won = [d for d in self.deals if d["kind"] != r.ADD_ON and d["outcome"] == r.DEAL_WON and _closed(d) < day]
        left = won[-1]["ends"] // DAY - day
        renewals = [d for d in self.deals if d["kind"] == r.RENEWAL and d["opened"] // DAY <= day <= _closed(d)]
        running = [d for d in renewals if d["opened"] // DAY < day]
        if running and _closed(running[0]) == day:
            yield self.decision[running[0]["reason"] + 1]
        if not running:
            yield _or_not(self.opens[left - LAPSE], bool(renewals))
        add_ons = [d for d in self.deals if d["kind"] == r.ADD_ON and d["opened"] // DAY <= day <= _closed(d)]
        if left >= EXPANSION_NEEDS and not any(d["opened"] // DAY < day for d in add_ons):
            yield _or_not(self.opening[e.EXPANSION], bool(add_ons))

    def _read(self, place: int, row: Record) -> None:
        """What a row opened, showed and left pending."""
        kind, actor, day, at = row["kind"], row["actor"], row["at"] // DAY, row["at"]
        client = actor == r.CLIENT
        show = self.traits[day].append
        opened: int | None = None
        main = row["contact"] == 1
        if kind == r.MESSAGE and row["auto"] != 1:
            if client:
                show((e.TRAIT_POLITENESS, row["politeness"]))
            if client and row["words_class"] >= 0:
                show((e.TRAIT_WORDS, row["words_class"]))
            nudge = not client and row["reply_to"] < 0 and self._before_in_thread(place, row)
            if row["reply_to"] < 0 and not nudge:
                opened = e.CLIENT_MESSAGE if client else e.OUR_MESSAGE
            ours = (e.MAIN_REPLY, e.MAIN_FURTHER) if main else (e.AWAIT_REPLY, e.AWAIT_FURTHER)
            first_of_two = (e.OWE_REPLY, e.OWE_FURTHER) if client else ours
            self._pending(first_of_two[row["reply_to"] >= 0], place, at)
        elif kind == r.MESSAGE:
            opened = None if client else e.NEWSLETTER
        elif kind == r.CALL and row["reply_to"] < 0:
            opened = e.CLIENT_CALL if client else e.OUR_CALL
            ours = (e.TRAIT_MAIN_CALL, e.MAIN_CALL_BACK) if main else (e.TRAIT_OUR_CALL, e.AWAIT_CALL_BACK)
            trait, item = (e.TRAIT_CLIENT_CALL, e.OWE_REPLY) if client else ours
            show((trait, row["outcome"] - r.ANSWERED))
            if row["outcome"] != r.ANSWERED:
                self._pending(item, place, at)
        elif kind == r.MEETING_ROW:
            self._read_meeting(row)
        elif kind == r.COMMITMENT:
            opened = e.CLIENT_PROMISE if client else e.OUR_PROMISE
            kept = row["outcome"] == r.KEPT
            self._until(e.CLIENT_DUE if client else e.OUR_DUE, row, e.DONE, row["resolved"] if kept else -1)
        elif kind == r.DELIVERY_ROW:
            opened = e.DELIVERY
            self._until(e.DELIVERY_DUE, row, e.DONE, row["resolved"])
            if row["resolved"] >= 0:
                delivered = row["resolved"] // DAY
                self.traits[delivered].append((e.TRAIT_RATING, _class(row["rating"], (1, 6, 8))))
                told = [each["at"] // DAY for each in self.rows.values() if each["about"] == place]
                self.items.append((e.AWAIT_FEEDBACK, delivered, -1, told[0] if told else None, e.DONE, row["resolved"]))
        elif kind == r.FEEDBACK:
            show((e.TRAIT_FEEDBACK, _class(row["rating"], (4, 7))))
            show((e.TRAIT_DIRECTNESS, _class(row["level"], (2, 3))))
        elif kind == r.REQUEST:
            opened = e.HELP_REQUEST if client else e.OUR_REQUEST
            asked = e.ASKED_OF_US if client else e.ASKED_OF_CLIENT
            self._until(asked, row, e.YES if row["outcome"] == r.GRANTED else e.NO, row["resolved"])
        elif kind == r.ADVICE_ROW:
            opened = e.ADVICE
            self._until(e.AWAIT_ADVICE, row, e.YES if row["outcome"] == r.ACTED else e.NO, row["resolved"])
        elif kind == r.FEE:
            billed = row["subtype"] == r.INVOICE_SUBTYPE
            opened = e.INVOICE if billed else e.PROPOSAL
            self._until(
                e.AWAIT_PAYMENT if billed else e.AWAIT_DECISION,
                row,
                e.ACCEPTED + row["outcome"] - r.FEE_ACCEPTED,
                row["resolved"],
            )
        elif kind == r.MISTAKE_ROW:
            opened = e.MISTAKE
            show((e.TRAIT_MISTAKE, row["level"] - 1))
            self._until(e.AMENDS, row, e.DONE, row["resolved"])
        elif kind == r.GESTURE_ROW:
            opened = e.GESTURE
        elif kind == r.BRIEF_ROW:
            opened = e.BRIEF
            show((e.TRAIT_COMPLEX, int(row["level"] >= 4)))
            show((e.TRAIT_PHASE, row["phase"]))
        elif kind == r.ADVOCACY_ROW:
            opened = e.CHAMPION if row["subtype"] == r.CHAMPION else e.ADVOCACY
            if row["subtype"] == r.REFERRAL:
                self._until(e.THANKS, row, e.DONE, row["resolved"])
        elif kind == r.INTRODUCTION_ROW:
            opened = e.INTRODUCTION
            show((e.TRAIT_UPWARD, int(row["related_contact"] < row["contact"])))
        elif kind == r.DISCLOSURE_ROW:
            opened = e.DISCLOSURE
        elif kind == r.MENTION_ROW:
            opened = {r.COMPETITOR: e.RIVAL_NAMED, r.SUPPLIER_TALK: e.SUPPLIER_TALK, r.INTEREST: e.INTEREST}[
                row["subtype"]
            ]
        elif kind == r.ORDER_ROW:
            opened = e.ORDER
        if opened is not None:
            self.openings[day].add(opened)
            by_anyone = opened not in (e.CLIENT_PROMISE, e.CHAMPION, e.INTRODUCTION) and row["about"] < 0
            if client and by_anyone:
                show((e.TRAIT_PRIMARY, int(not main)))

    def _before_in_thread(self, place: int, row: Record) -> bool:
        return any(p < place and each["thread"] == row["thread"] for p, each in self.rows.items())

    def _pending(self, item: int, place: int, at: int) -> None:
        """A touch that waits: for the row that answers it, or for our next try in the thread."""
        answer = [(p, each) for p, each in self.rows.items() if each["reply_to"] == place and each["auto"] != 1]
        again = [
            (p, each)
            for p, each in self.rows.items()
            if item in (e.AWAIT_REPLY, e.MAIN_REPLY)
            and p > place
            and each["thread"] == self.rows[place]["thread"]
            and each["actor"] == r.US
            and each["reply_to"] < 0
        ]
        if answer:
            by = e.BY_MESSAGE if answer[0][1]["kind"] == r.MESSAGE else e.BY_CALL
            self.items.append((item, at // DAY, -1, answer[0][1]["at"] // DAY, by, at))
        elif again:
            self.items.append((item, at // DAY, -1, again[0][1]["at"] // DAY, e.NUDGE, at))
        else:
            self.items.append((item, at // DAY, -1, None, e.NOTHING, at))

    def _until(self, item: int, row: Record, ending: int, resolved: int) -> None:
        due = row["due"] // DAY if row["due"] >= 0 else -1
        end = resolved // DAY if resolved >= 0 else None
        self.items.append((item, row["at"] // DAY, due, end, ending, row["at"]))

    def _read_meeting(self, row: Record) -> None:
        booked, held_on = row["recorded"] // DAY, row["at"] // DAY
        moved_here = any(
            each["outcome"] == r.RESCHEDULED and each["resolved"] == row["recorded"] for each in self.rows.values()
        )
        if not moved_here:
            self.openings[booked].add(e.MEETING)
            if row["subtype"] != r.SALES:
                subtype = (r.REVIEW, r.FOR_DELIVERY, r.FOR_SOCIAL, -1).index(row["subtype"])
                self.traits[booked].append((e.TRAIT_MEETING, subtype))
        called_off_by_leaving = any(row["resolved"] == each["at"] for each in self.leavings)
        client = row["actor"] == r.CLIENT
        end, ending = held_on, e.NOTHING
        if row["outcome"] == r.MET:
            ending = e.HELD
            self.traits[held_on].append((e.TRAIT_LATE, _class(row["minutes_late"], (0, 5))))
            self.traits[held_on].append((e.TRAIT_PREPARED, row["prepared"]))
        elif row["outcome"] == r.NO_SHOW:
            ending = e.CLIENT_ABSENT if client else e.WE_ABSENT
        elif row["outcome"] == r.RESCHEDULED or (row["outcome"] == r.CANCELLED and not called_off_by_leaving):
            end = row["resolved"] // DAY
            cancelled = e.CLIENT_CANCELS if client else e.WE_CANCEL
            ending = e.MOVED if row["outcome"] == r.RESCHEDULED else cancelled
        self.items.append((e.HELD_MEETING, booked, held_on, end if ending else None, ending, row["recorded"]))


def _records(table: Any, account: int) -> list[Record]:
    names = table.dtype.names
    return [{name: int(row[name]) for name in names} for row in table[table["account"] == account]]


def _or_not(chances: Floats, happened: bool) -> Floats:
    return chances if happened else 1 - chances


def _closed(deal: Record) -> int:
    return deal["closed"] // DAY if deal["closed"] >= 0 else 10**9


def _class(value: int, edges: tuple[int, ...]) -> int:
    """How many of the edges the value exceeds."""
    return sum(value > edge for edge in edges)


def _age(kind: int, start: int, due: int, day: int) -> int:
    if kind == e.HELD_MEETING:
        return {0: e.THE_DAY, 1: e.DAY_BEFORE}.get(due - day, e.LONG_BEFORE)
    if due >= 0:
        return e.BEFORE if day < due else e.ON_THE_DAY if day == due else e.AFTER
    return min(_class(day - start, e.AGE_EDGES), e.N_AGES - 1)
