"""A walked portfolio as canonical tables: names, ids, sizes, and how late things were recorded.

Everything added here is drawn without regard to the hidden state, so it tells nothing of the risk. About one row in
thirty is recorded late, and as many outcomes are; nothing is recorded after the end of observation.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from training.simulation import records as r
from training.simulation.chain import Floats
from training.simulation.drawing import DAY, HOUR
from training.simulation.naming import COMPETITORS, INDUSTRIES, INTERESTS, PLACES, company_names, person_names
from training.simulation.portfolio import Portfolio
from training.simulation.records import Ints, Records

LATE = 1 / 30
"""Share of rows, and of outcomes, that are recorded late."""

DIRECTORS = 8
STAFF = 40

TIME = pa.timestamp("s", tz="UTC")
Mask = NDArray[np.bool_]


class Dresser:
    """The tables of one portfolio; its random stream is its own, so that the walk does not depend on it."""

    def __init__(self, portfolio: Portfolio, seed: int) -> None:
        self.portfolio = portfolio
        self.rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, 1))))
        self.start = int(portfolio.observed_from.astype(np.int64))
        self.until = portfolio.days * DAY
        accounts = portfolio.types.size
        self.account_ids = _numbered("A", accounts, 4)
        self.directors = person_names(self.rng, DIRECTORS).tolist()
        self.director = self.rng.integers(0, DIRECTORS, accounts)
        self.potential = np.round(np.exp(self.rng.normal(np.log(120_000), 0.8, accounts)), -2)
        self.first_contact = np.concatenate([[0], np.cumsum(portfolio.contacts)])
        owner = np.repeat(np.arange(accounts), portfolio.contacts)
        self.contact_account = owner
        self.contact_number = np.arange(owner.size) - self.first_contact[owner] + 1
        self.contact_ids = pc.binary_join_element_wise(
            self.account_ids.take(pa.array(owner)), pa.array(self.contact_number).cast(pa.string()), "-C"
        )
        # The main contact is the only senior one; of the others nobody is more senior than the one before.
        step = self.rng.integers(0, 2, accounts)[owner]
        below = np.maximum(3 - (self.contact_number - 2 + step) // 2, 1)
        self.seniority = np.where(self.contact_number == 1, self.rng.integers(4, 6, owner.size), below)
        self.interested = self.rng.random((owner.size, len(INTERESTS))) < 0.12

    def accounts(self) -> pa.Table:
        count, rng = self.portfolio.types.size, self.rng
        names = company_names(rng, count)
        self._domains = [name.lower().replace(" ", "-") + ".example" for name in names]
        self._place = rng.integers(0, len(PLACES), count)
        return pa.table(
            {
                "account_id": self.account_ids,
                "name": pa.array(names, pa.string()),
                "industry": words(rng.integers(0, len(INDUSTRIES), count), INDUSTRIES),
                "country": words(self._place, [place for place, _ in PLACES]),
                "owner": words(self.director, self.directors),
                "potential": pa.array(self.potential),
                "wallet": _known(np.round(rng.uniform(0.05, 0.6, count), 2), rng.random(count) < 0.7),
                "retain": pa.array(rng.random(count) < 0.15),
                "created_at": self.times(self.portfolio.first_days * DAY),
            }
        )

    def contacts(self) -> pa.Table:
        """After `accounts`, whose places and domains they share."""
        account, count, rng = self.contact_account, self.contact_account.size, self.rng
        names = person_names(rng, count)
        return pa.table(
            {
                "contact_id": self.contact_ids,
                "account_id": self.account_ids.take(pa.array(account)),
                "name": pa.array(names, pa.string()),
                "email": [f"c{n}@{self._domains[a]}" for a, n in zip(account, self.contact_number, strict=True)],
                "seniority": pa.array(self.seniority),
                "decision_maker": pa.array(self.seniority >= 4),
                "interests": [";".join(np.array(INTERESTS)[row]) or None for row in self.interested],
                "time_zone": words(self._place[account], [zone for _, zone in PLACES]),
                "created_at": self.times(self.portfolio.first_days[account] * DAY),
            }
        )

    def interactions(self) -> pa.Table:
        rows, rng = self.portfolio.rows, self.rng
        order = np.argsort(rows["at"], kind="stable")
        rank = np.empty(order.size, np.int64)
        rank[order] = np.arange(order.size)
        rows = rows[order]
        count, kind, outcome = rows.size, rows["kind"], rows["outcome"]
        ids = _numbered("I-", count, 7)
        reply_to, about = (_renumbered(rows[name], rank) for name in ("reply_to", "about"))

        minutes = self._minutes(rows)
        recorded, outcome_recorded = self._recorded(rows, minutes)
        amount, agreed = self._money(rows)
        said = (kind == r.MESSAGE) | (kind == r.CALL)
        account = rows["account"].astype(np.int64)
        contact = self.first_contact[account] + rows["contact"] - 1
        by_video = (kind == r.CALL) & (rng.random(count) < 0.15)
        met = self.first_contact[account] + rows["related_contact"] - 1
        ours = np.where(rng.random(count) < 0.85, account % STAFF, rng.integers(0, STAFF, count))
        return pa.table(
            {
                "interaction_id": ids,
                "account_id": self.account_ids.take(pa.array(account)),
                "at": self.times(rows["at"]),
                "kind": words(kind, r.KINDS),
                "actor": words(rows["actor"], r.ACTORS),
                "contact_id": self.contact_ids.take(pa.array(contact)),
                "recorded_at": self.times(recorded),
                "subtype": words(rows["subtype"], r.SUBTYPES),
                "topic": self._topics(rows, contact),
                "channel": words(np.where(by_video, r.VIDEO, rows["channel"]), r.CHANNELS),
                "thread_id": _taken(_numbered("T-", max(int(rows["thread"].max()) + 1, 1), 7), rows["thread"]),
                "reply_to": _taken(ids, reply_to),
                "about_id": _taken(ids, about),
                "auto": _known(rows["auto"] == 1, kind == r.MESSAGE),
                "prompted": _known(
                    rows["prompted"] == 1, (rows["prompted"] >= 0) & (~said | (rng.random(count) < 0.3))
                ),
                "words": _known(self._words_written(rows, reply_to), kind == r.MESSAGE),
                "due_at": self.times(rows["due"]),
                "resolved_at": self.times(rows["resolved"]),
                "outcome": words(outcome, r.OUTCOMES),
                "outcome_recorded_at": self.times(outcome_recorded),
                "amount": amount,
                "amount_agreed": agreed,
                "minutes": _known(minutes, minutes > 0),
                "minutes_late": _given(rows["minutes_late"]),
                "level": _given(rows["level"]),
                "rating": _given(rows["rating"]),
                "phase": words(rows["phase"], r.PHASES),
                "strategic": _known(rows["strategic"] == 1, rows["strategic"] >= 0),
                "senior": _known(rows["senior"] == 1, rows["senior"] >= 0),
                "prepared": _known(rows["prepared"] == 1, rows["prepared"] >= 0),
                "non_verbal": _known(rows["non_verbal"].astype(np.int64) - 1, rows["non_verbal"] >= 0),
                "politeness": self._politeness(rows),
                "us_present": _known(rows["us_present"] == 1, rows["us_present"] >= 0),
                "related_contact_id": _taken(self.contact_ids, np.where(rows["related_contact"] > 0, met, -1)),
                "related_account_id": _taken(self.account_ids, self._prospects(rows)),
                "our_contact_id": _numbered("U", STAFF, 2).take(pa.array(ours)),
            }
        )

    def deals(self) -> pa.Table:
        deals, rng = self.portfolio.deals, self.rng
        count, account, won = deals.size, deals["account"], deals["outcome"] == r.DEAL_WON
        closed = deals["outcome"] >= 0
        term = np.where(won, (deals["ends"] - deals["starts"]) / (365 * DAY), 1.0)
        amount = np.round(self._value_a_year() * term, -2)
        gave, got = (np.where(rng.random(count) < 0.5, np.round(rng.uniform(0.01, 0.15, count), 3), 0.0) for _ in "12")
        late = closed & (rng.random(count) < LATE)
        heard = np.where(late, np.minimum(deals["closed"] + self._delay(count), self.until), -1)
        rival = rng.integers(0, len(COMPETITORS), count)
        to_rival = deals["reason"] == r.LOST_REASONS.index("competitor")
        outcome = np.where(closed, deals["outcome"], len(r.DEAL_OUTCOMES))
        return pa.table(
            {
                "deal_id": _numbered("D-", count, 6),
                "account_id": self.account_ids.take(pa.array(account)),
                "opened_at": self.times(deals["opened"]),
                "kind": words(deals["kind"], r.DEAL_KINDS),
                "outcome": words(outcome, (*r.DEAL_OUTCOMES, "open")),
                "closed_at": self.times(deals["closed"]),
                "recorded_at": self.times(np.full(count, -1)),
                "outcome_recorded_at": self.times(heard),
                "amount": pa.array(amount),
                "margin": _known(np.round(amount * rng.uniform(0.15, 0.45, count), -1), won),
                "concession": _known(gave, closed),
                "client_concession": _known(got, closed),
                "goal_met": _known(rng.random(count) < 0.8, won),
                "starts_on": self.times(deals["starts"]),
                "ends_on": self.times(deals["ends"]),
                "competitive": pa.array(deals["competitive"] == 1),
                "lost_to": words(np.where(to_rival, rival, -1), COMPETITORS),
                "lost_reason": words(deals["reason"], r.LOST_REASONS),
                "owner": words(self.director[account], self.directors),
            }
        )

    def stage_reviews(self) -> pa.Table:
        reviews = self.portfolio.reviews
        return pa.table(
            {
                "account_id": self.account_ids.take(pa.array(reviews["account"])),
                "at": self.times(reviews["at"]),
                "stage": words(reviews["stage"], r.STAGES),
                "reviewer": words(self.director[reviews["account"]], self.directors),
            }
        )

    def times(self, seconds: Ints) -> pa.Array:
        """Seconds since the start of the window as UTC times; none where negative."""
        return pa.array(seconds.astype(np.int64) + self.start, mask=seconds < 0).cast(TIME)

    def _delay(self, count: int) -> Ints:
        """An hour to two weeks, most often a day or two."""
        return np.minimum(HOUR + self.rng.exponential(36 * HOUR, count), 14 * DAY).astype(np.int64)

    def _recorded(self, rows: Records, minutes: Floats) -> tuple[Ints, Ints]:
        """When rows and outcomes reached the records; -1 is at once."""
        count, at, resolved = rows.size, rows["at"].astype(np.int64), rows["resolved"].astype(np.int64)
        late = (rows["kind"] != r.MEETING_ROW) & (self.rng.random(count) < LATE)
        recorded = np.where(late, np.minimum(at + self._delay(count), self.until), rows["recorded"])
        # An outcome has its own moment where something was resolved, or a meeting took place or failed to.
        took_place = np.isin(rows["outcome"], (r.MET, r.NO_SHOW))
        over = np.where(took_place, at + 60 * minutes.astype(np.int64), resolved)
        late = (over >= 0) & (self.rng.random(count) < LATE)
        over = np.where(took_place | late | (recorded > over), np.maximum(over, recorded), -1)
        over = np.where(resolved < 0, np.where(took_place, over, -1), over)
        return recorded, np.where(over < 0, -1, np.minimum(over + late * self._delay(count), self.until))

    def _minutes(self, rows: Records) -> Floats:
        count, rng = rows.size, self.rng
        call = np.maximum(1.0, np.round(np.exp(rng.normal(np.log(12), 0.6, count))))
        meeting = rng.choice([30.0, 45.0, 60.0, 90.0], count, p=[0.3, 0.2, 0.4, 0.1])
        return np.where(rows["outcome"] == r.ANSWERED, call, np.where(rows["outcome"] == r.MET, meeting, 0.0))

    def _words_written(self, rows: Records, reply_to: Ints) -> Ints:
        """Length of messages; a client's reply keeps to its class, against the touch it answers."""
        rng, ours = self.rng, rows["actor"] == r.US
        own = np.exp(rng.normal(np.where(ours, np.log(85), np.log(60)), 0.6))
        own = np.clip(own, 12, 2000).astype(np.int64)
        lowest, highest = np.array([-3.3, -0.9, 1.1]), np.array([-1.1, 0.9, 2.8])
        class_ = rows["words_class"]
        ratio = np.exp2(rng.uniform(lowest[class_], highest[class_]))
        answered = own[np.where(reply_to >= 0, reply_to, 0)]
        return np.where(class_ >= 0, np.maximum(1, np.round(ratio * answered)), own).astype(np.int64)

    def _politeness(self, rows: Records) -> pa.Array:
        """Scores of the client's messages, by their class; one message in four was never scored."""
        rng, class_ = self.rng, rows["politeness"]
        lowest, highest = np.array([0.10, 0.45, 0.70]), np.array([0.45, 0.70, 0.98])
        score = np.round(rng.uniform(lowest[class_], highest[class_]), 2)
        return _known(score, (class_ >= 0) & (rng.random(rows.size) < 0.75))

    def _topics(self, rows: Records, contact: Ints) -> pa.Array:
        """Something the contact is interested in (or else anything) where it gets personal; a competitor's name."""
        rng, kind, subtype = self.rng, rows["kind"], rows["subtype"]
        topics = np.full(rows.size, -1)
        personal = np.flatnonzero(
            (kind == r.GESTURE_ROW)
            | (subtype == r.FOR_SOCIAL)
            | ((kind == r.DISCLOSURE_ROW) & (subtype != r.PLAIN_SPEECH))
            | ((kind == r.MENTION_ROW) & (subtype == r.INTEREST))
        )
        liking = rng.random((personal.size, len(INTERESTS)))
        liking += self.interested[contact[personal]] & (rng.random(personal.size) < 0.5)[:, None]
        topics[personal] = liking.argmax(axis=1)
        named = np.flatnonzero((kind == r.MENTION_ROW) & (subtype == r.COMPETITOR))
        topics[named] = len(INTERESTS) + rng.integers(0, len(COMPETITORS), named.size)
        return words(topics, (*INTERESTS, *COMPETITORS))

    def _prospects(self, rows: Records) -> Ints:
        """Whom a reference or referral is for: an account that we only get to know later; -1 where there is none."""
        first_days = self.portfolio.first_days
        by_day = np.argsort(first_days, kind="stable")
        later = np.searchsorted(first_days[by_day], rows["at"] // DAY, side="right")
        choice = later + (self.rng.random(rows.size) * (by_day.size - later)).astype(np.int64)
        speaks = (rows["kind"] == r.ADVOCACY_ROW) & np.isin(rows["subtype"], (r.REFERENCE, r.REFERRAL))
        there = speaks & (later < by_day.size)
        return np.where(there, by_day[np.where(there, choice, 0)], -1)

    def _money(self, rows: Records) -> tuple[pa.Array, pa.Array]:
        """Amounts of fees and orders, and what was agreed in the end."""
        count, rng, outcome = rows.size, self.rng, rows["outcome"]
        amount = np.round(self.potential[rows["account"]] / 12 * np.exp(rng.normal(0.0, 0.4, count)), -1)
        share = np.where(outcome == r.FEE_ARGUED_DOWN, rng.uniform(0.8, 0.97, count), 1.0)
        agreed = np.isin(outcome, (r.FEE_ACCEPTED, r.FEE_ARGUED_DOWN, r.FEE_ARGUED_HELD, r.FEE_PAID_LATE))
        return _known(amount, np.isin(rows["kind"], (r.FEE, r.ORDER_ROW))), _known(np.round(amount * share, 2), agreed)

    def _value_a_year(self) -> Floats:
        """Of each deal: a share of the account's potential that drifts from deal to deal."""
        deals, rng = self.portfolio.deals, self.rng
        account, count = deals["account"], deals.size
        drift = np.cumsum(rng.normal(0.02, 0.12, count))
        first = np.concatenate([[0], np.flatnonzero(np.diff(account)) + 1]) if count else np.empty(0, np.int64)
        drift -= np.repeat(drift[first], np.diff(np.append(first, count)))
        share = np.exp(rng.normal(np.log(0.4), 0.3, self.potential.size))
        add_on = np.where(deals["kind"] == r.ADD_ON, 0.3, 1.0)
        value: Floats = self.potential[account] * share[account] * np.exp(drift) * add_on
        return value


def _numbered(prefix: str, count: int, width: int) -> pa.Array:
    """Ids from 1: prefix and number, as wide as the last one needs."""
    width = max(width, len(str(count)))
    numbers = pc.utf8_lpad(pa.array(np.arange(1, count + 1)).cast(pa.string()), width, "0")
    return pc.binary_join_element_wise(pa.scalar(prefix), numbers, "")


def _renumbered(places: Ints, rank: Ints) -> Ints:
    """Rows named by their old place, by their new one."""
    return np.where(places >= 0, rank[places], -1)


def words(codes: Ints, vocabulary: Sequence[str]) -> pa.Array:
    """Codes as words; none where negative."""
    return pa.array(list(vocabulary), pa.string()).take(pa.array(codes, mask=codes < 0))


def _taken(values: pa.Array, places: Ints) -> pa.Array:
    """The values at those places; none where negative."""
    return values.take(pa.array(places, mask=places < 0))


def _known(values: NDArray[np.generic], known: Mask) -> pa.Array:
    """The values; none where not known."""
    return pa.array(values, mask=~known)


def _given(values: Ints) -> pa.Array:
    """Small numbers; none where negative."""
    return pa.array(values.astype(np.int64), mask=values < 0)
