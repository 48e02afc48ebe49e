"""The simulation's truth once more: plain Python, one account, from the records it left, slow and obvious.

`forward_risks` pushes one state forward through the chain where the product goes backwards with arrays. `posteriors`
reads an account's records and asks of every day what each table of behaviour says about them, where the product
multiplies while it draws; so it also shows that the filter knows nothing that the records do not hold.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Any

from training.simulation import behaviour as b
from training.simulation import records as r
from training.simulation.behaviour import build_behaviour
from training.simulation.chain import LAPSE, N_CONDITIONS, N_STATES, WON, Chain, build_chain
from training.simulation.drawing import CLOSES, DAY
from training.simulation.portfolio import Portfolio
from training.simulation.walk import EXPANSION_NEEDS, SALES_PHASE

Record = dict[str, Any]


def forward_risks(
    chain: Chain, days_to_end: int, renewal_open: bool, state: int, horizons: Collection[int]
) -> list[float]:
    """The chance of switching within each horizon, given that it is not cut off by another end."""
    type_, condition = divmod(state, N_CONDITIONS)
    conditions = range(N_CONDITIONS)
    step = chain.step[type_].tolist()
    opens, closes, decision, terms = (
        each.tolist() for each in (chain.opens, chain.closes, chain.decision, chain.terms)
    )
    alive = {(days_to_end, renewal_open): [float(each == condition) for each in conditions]}
    switching = otherwise = 0.0
    risks = []
    for day in range(1, max(horizons) + 1):
        evening: dict[tuple[int, bool], list[float]] = defaultdict(lambda: [0.0] * N_CONDITIONS)
        for (left, is_open), chances in alive.items():
            for condition, chance in enumerate(chances):
                column = type_ * N_CONDITIONS + condition
                event = chance * (closes[left - LAPSE] if is_open else opens[left - LAPSE][column])
                evening[left, is_open][condition] += chance - event
                if event and not is_open:
                    evening[left, True][condition] += event
                elif event:
                    switching += event * sum(row[column] for row in decision[1:4])
                    otherwise += event * sum(row[column] for row in decision[4:])
                    for term, share in zip(terms, chain.term_shares, strict=True):
                        evening[max(left, 1) + term, False][condition] += event * decision[WON][column] * share
        alive = {}
        for (left, is_open), chances in evening.items():
            if left - 1 == LAPSE and not is_open:
                switching += sum(chances)
            elif any(chances):
                moved = [sum(chances[was] * step[was][becomes] for was in conditions) for becomes in conditions]
                alive[left - 1, is_open] = moved
        if day in horizons:
            risks.append(float(switching / (1 - otherwise)))
    return risks


def posteriors(portfolio: Portfolio, account: int) -> dict[int, list[float]]:
    """What can be known of the state, by midnight, for an account whose stage nobody reviewed."""
    life = _Life(portfolio, account)
    chain = life.chain
    found: dict[int, list[float]] = {}
    of_type = [float(share) for share in chain.type_shares]
    for first, last in life.spells():
        belief = [of_type[s // N_CONDITIONS] * float(chain.at_win[s % N_CONDITIONS]) for s in range(N_STATES)]
        for day in range(first, last + 1):
            found[day] = belief
            weights = belief
            for chances in life.chances(day, first):
                weights = [weights[s] * chances[s] for s in range(N_STATES)]
            total = sum(weights)
            belief = [
                sum(
                    weights[s - s % N_CONDITIONS + was]
                    / total
                    * float(chain.step[s // N_CONDITIONS][was][s % N_CONDITIONS])
                    for was in range(N_CONDITIONS)
                )
                for s in range(N_STATES)
            ]
        of_type = [sum(belief[t * N_CONDITIONS : (t + 1) * N_CONDITIONS]) for t in range(len(of_type))]
        if last == portfolio.days - 1:
            found[portfolio.days] = belief
    return found


class _Life:
    """One account's records, and what they say of each day."""

    def __init__(self, portfolio: Portfolio, account: int) -> None:
        self.chain, tables = build_chain(), build_behaviour()
        self.opening, self.item, self.trait = tables.opening.tolist(), tables.item.tolist(), tables.trait.tolist()
        self.days_pending = tables.days_pending.tolist()
        self.opens, self.decision = self.chain.opens.tolist(), self.chain.decision.tolist()
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
                self.traits[deal["opened"] // DAY].append((b.TRAIT_COMPETITIVE, deal["competitive"]))
            if deal["kind"] == r.ADD_ON and deal["closed"] >= 0:
                won = int(deal["outcome"] == r.DEAL_WON)
                self.traits[deal["closed"] // DAY].append((b.TRAIT_EXPANSION, won))

    def spells(self) -> Iterator[tuple[int, int]]:
        """First and last day of each spell as a client."""
        for deal in self.deals:
            if deal["kind"] == r.NEW and deal["outcome"] == r.DEAL_WON:
                first = deal["closed"] // DAY + 1
                # A lapse falls on the midnight after the last day.
                ends = [(e["at"] - (e["cause"] == r.LAPSED)) // DAY for e in self.leavings if e["at"] >= first * DAY]
                yield first, min([*ends, self.days - 1])

    def chances(self, day: int, first: int) -> Iterator[list[float]]:
        """By state, the chance of each thing that happened on the day, or might have and did not."""
        if (self.first_weekday + day) % 7 < 5:
            selling = any(deal["opened"] // DAY < day <= _closed(deal) for deal in self.deals)
            for kind in range(b.EXPANSION):
                keen = SALES_PHASE if selling and kind in (b.OUR_MESSAGE, b.OUR_CALL, b.MEETING) else 1.0
                opens = [self.size * keen * chance for chance in self.opening[kind]]
                yield _or_not(opens, kind in self.openings[day])
            yield from self._ended(day, first)
        for trait, shown in self.traits[day]:
            yield self.trait[trait][shown]
        yield from self._bought(day)

    def _ended(self, day: int, first: int) -> Iterator[list[float]]:
        left_before = max([e["at"] // DAY for e in self.leavings if e["at"] // DAY < first], default=-1)
        touches = (b.AWAIT_REPLY, b.AWAIT_FURTHER, b.AWAIT_CALL_BACK, b.OWE_REPLY, b.OWE_FURTHER)
        for kind, start, due, end, ending, at in self.items:
            over = max(start, due) + self.days_pending[kind]
            if start <= left_before or not start <= day <= over or (end is not None and day > end):
                continue
            if day == start and (kind not in touches or at % DAY >= CLOSES - 120):
                continue
            yield self.item[kind][_age(kind, start, due, day)][ending if day == end else b.NOTHING]

    def _bought(self, day: int) -> Iterator[list[float]]:
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
            yield _or_not(self.opening[b.EXPANSION], bool(add_ons))

    def _read(self, place: int, row: Record) -> None:
        """What a row opened, showed and left pending."""
        kind, actor, day, at = row["kind"], row["actor"], row["at"] // DAY, row["at"]
        client = actor == r.CLIENT
        show = self.traits[day].append
        opened: int | None = None
        if kind == r.MESSAGE and row["auto"] != 1:
            if client:
                show((b.TRAIT_CHANNEL, row["channel"]))
                if row["words_class"] >= 0:
                    show((b.TRAIT_WORDS, row["words_class"]))
            nudge = not client and row["reply_to"] < 0 and self._before_in_thread(place, row)
            if row["reply_to"] < 0 and not nudge:
                opened = b.CLIENT_MESSAGE if client else b.OUR_MESSAGE
            first_of_two = (b.OWE_REPLY, b.OWE_FURTHER) if client else (b.AWAIT_REPLY, b.AWAIT_FURTHER)
            self._pending(first_of_two[row["reply_to"] >= 0], place, at)
        elif kind == r.MESSAGE:
            opened = None if client else b.NEWSLETTER
        elif kind == r.CALL and row["reply_to"] < 0:
            opened = b.CLIENT_CALL if client else b.OUR_CALL
            show((b.TRAIT_CLIENT_CALL if client else b.TRAIT_OUR_CALL, row["outcome"] - r.ANSWERED))
            if row["outcome"] != r.ANSWERED:
                self._pending(b.OWE_REPLY if client else b.AWAIT_CALL_BACK, place, at)
        elif kind == r.MEETING_ROW:
            self._read_meeting(row)
        elif kind == r.COMMITMENT:
            opened = b.CLIENT_PROMISE if client else b.OUR_PROMISE
            kept = row["outcome"] == r.KEPT
            self._until(b.CLIENT_DUE if client else b.OUR_DUE, row, b.DONE, row["resolved"] if kept else -1)
        elif kind == r.DELIVERY_ROW:
            opened = b.DELIVERY
            self._until(b.DELIVERY_DUE, row, b.DONE, row["resolved"])
            if row["resolved"] >= 0:
                delivered = row["resolved"] // DAY
                self.traits[delivered].append((b.TRAIT_RATING, _class(row["rating"], (1, 6, 8))))
                told = [each["at"] // DAY for each in self.rows.values() if each["about"] == place]
                self.items.append((b.AWAIT_FEEDBACK, delivered, -1, told[0] if told else None, b.DONE, row["resolved"]))
        elif kind == r.FEEDBACK:
            show((b.TRAIT_FEEDBACK, _class(row["rating"], (4, 7))))
            show((b.TRAIT_DIRECTNESS, _class(row["level"], (2, 3))))
        elif kind == r.REQUEST:
            opened = b.HELP_REQUEST if client else b.OUR_REQUEST
            asked = b.ASKED_OF_US if client else b.ASKED_OF_CLIENT
            self._until(asked, row, b.YES if row["outcome"] == r.GRANTED else b.NO, row["resolved"])
        elif kind == r.ADVICE_ROW:
            opened = b.ADVICE
            self._until(b.AWAIT_ADVICE, row, b.YES if row["outcome"] == r.ACTED else b.NO, row["resolved"])
        elif kind == r.FEE:
            opened = b.INVOICE
            self._until(b.AWAIT_PAYMENT, row, b.ACCEPTED + row["outcome"] - r.FEE_ACCEPTED, row["resolved"])
        elif kind == r.MISTAKE_ROW:
            opened = b.MISTAKE
            self._until(b.AMENDS, row, b.DONE, row["resolved"])
        elif kind == r.GESTURE_ROW:
            opened = b.GESTURE
        elif kind == r.BRIEF_ROW:
            opened = b.BRIEF
            show((b.TRAIT_COMPLEX, int(row["level"] >= 4)))
            show((b.TRAIT_PHASE, row["phase"]))
            show((b.TRAIT_SENIOR, row["senior"]))
        elif kind == r.ADVOCACY_ROW:
            opened = b.ADVOCACY
            if row["subtype"] == r.REFERRAL:
                self._until(b.THANKS, row, b.DONE, row["resolved"])
        elif kind in (r.INTRODUCTION_ROW, r.DISCLOSURE_ROW, r.MENTION_ROW):
            opened = {
                r.INTRODUCTION_ROW: b.INTRODUCTION,
                r.DISCLOSURE_ROW: b.DISCLOSURE,
                r.MENTION_ROW: b.MENTION,
            }[kind]
        if opened is not None:
            self.openings[day].add(opened)
            if client and kind != r.COMMITMENT:
                show((b.TRAIT_PRIMARY, int(row["contact"] != 1)))

    def _before_in_thread(self, place: int, row: Record) -> bool:
        return any(p < place and each["thread"] == row["thread"] for p, each in self.rows.items())

    def _pending(self, item: int, place: int, at: int) -> None:
        """A touch that waits: for the row that answers it, or for our next try in the thread."""
        answer = [(p, each) for p, each in self.rows.items() if each["reply_to"] == place and each["auto"] != 1]
        again = [
            (p, each)
            for p, each in self.rows.items()
            if item == b.AWAIT_REPLY
            and p > place
            and each["thread"] == self.rows[place]["thread"]
            and each["actor"] == r.US
            and each["reply_to"] < 0
        ]
        if answer:
            by = b.BY_MESSAGE if answer[0][1]["kind"] == r.MESSAGE else b.BY_CALL
            self.items.append((item, at // DAY, -1, answer[0][1]["at"] // DAY, by, at))
        elif again:
            self.items.append((item, at // DAY, -1, again[0][1]["at"] // DAY, b.NUDGE, at))
        else:
            self.items.append((item, at // DAY, -1, None, b.NOTHING, at))

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
            self.openings[booked].add(b.MEETING)
            channel = (r.IN_PERSON, r.VIDEO, r.PHONE).index(row["channel"])
            self.traits[booked].append((b.TRAIT_MEETING_CHANNEL, channel))
        called_off_by_leaving = any(row["resolved"] == each["at"] for each in self.leavings)
        client = row["actor"] == r.CLIENT
        end, ending = held_on, b.NOTHING
        if row["outcome"] == r.MET:
            ending = b.HELD
            self.traits[held_on].append((b.TRAIT_LATE, _class(row["minutes_late"], (0, 5))))
            self.traits[held_on].append((b.TRAIT_PREPARED, row["prepared"]))
            if row["channel"] != r.PHONE:
                self.traits[held_on].append((b.TRAIT_NON_VERBAL, row["non_verbal"]))
        elif row["outcome"] == r.NO_SHOW:
            ending = b.CLIENT_ABSENT if client else b.WE_ABSENT
        elif row["outcome"] == r.RESCHEDULED or (row["outcome"] == r.CANCELLED and not called_off_by_leaving):
            end = row["resolved"] // DAY
            cancelled = b.CLIENT_CANCELS if client else b.WE_CANCEL
            ending = b.MOVED if row["outcome"] == r.RESCHEDULED else cancelled
        self.items.append((b.HELD_MEETING, booked, held_on, end if ending else None, ending, row["recorded"]))


def _records(table: Any, account: int) -> list[Record]:
    names = table.dtype.names
    return [{name: int(row[name]) for name in names} for row in table[table["account"] == account]]


def _or_not(chances: list[float], happened: bool) -> list[float]:
    return chances if happened else [1 - chance for chance in chances]


def _closed(deal: Record) -> int:
    return deal["closed"] // DAY if deal["closed"] >= 0 else 10**9


def _class(value: int, edges: tuple[int, ...]) -> int:
    """How many of the edges the value exceeds."""
    return sum(value > edge for edge in edges)


def _age(kind: int, start: int, due: int, day: int) -> int:
    if kind == b.HELD_MEETING:
        return {0: b.THE_DAY, 1: b.DAY_BEFORE}.get(due - day, b.LONG_BEFORE)
    if due >= 0:
        return b.BEFORE if day < due else b.ON_THE_DAY if day == due else b.AFTER
    return min(_class(day - start, b.AGE_EDGES), b.N_AGES - 1)
