"""L5: contract context: facts of the deal record that every risk depends on, never a merit (document 002)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from features.figures import Text, known, ratio, single
from features.frame import PLACE, Frame
from features.histories.history import code
from features.histories.log import DAY, NEVER, Array
from features.histories.tables import DEALS
from features.indicators import REGISTRY, Figure, Indicator
from features.kernel import compiled

L5 = REGISTRY.signal(
    "L5",
    "contract context",
    "Where the account stands in its contracts: most losses fall at renewals",
    "002",
)
DAYS_TO_END = "L5.days_to_contract_end.now"
"""The column that the risk model sets against its horizon."""

_WON, _LOST, _OPEN = code(DEALS, "outcome", "won", "lost", "open")
(_RENEWAL,) = code(DEALS, "kind", "renewal")
_YEAR = 365 * DAY


@dataclass(frozen=True)
class Contracts:
    """The deal record of each row as of t; int64 counts and times (NEVER if none), float64 money per year (NaN).

    ``ends_on`` is the latest end among contracts won by t, whether past or not. ``running`` is the money per year of
    contracts that run at t. ``current`` and ``previous`` are the money per year of the last two contracts won.
    """

    won: Array
    lost: Array
    opened: Array
    asked_others: Array
    asked_known: Array
    renewals_open: Array
    first_won: Array
    ends_on: Array
    running: Array
    current: Array
    previous: Array


@compiled
def _walk(
    start: Array,
    opened: Array,
    closed: Array,
    outcome: Array,
    kind: Array,
    competitive: Array,
    begin: Array,
    end: Array,
    amount: Array,
    segment: Array,
    as_of: Array,
    counts: Array,
    money: Array,
    codes: tuple[int, int, int, int],
    never: int,
) -> None:
    won_code, lost_code, renewal, year = codes
    for r in range(len(segment)):
        s, t = segment[r], as_of[r]
        last_closed = before_closed = -never
        counts[6, r] = never
        counts[7, r] = never
        for d in range(start[s], start[s + 1]):
            if opened[d] > t:
                break
            counts[2, r] += 1
            if competitive[d] >= 0:
                counts[4, r] += 1
                counts[3, r] += competitive[d]
            if closed[d] > t:
                counts[5, r] += kind[d] == renewal
            elif outcome[d] == lost_code:
                counts[1, r] += 1
            elif outcome[d] == won_code:
                counts[0, r] += 1
                counts[6, r] = min(counts[6, r], closed[d])
                per_year = np.nan
                if end[d] < never:
                    if counts[7, r] == never or end[d] > counts[7, r]:
                        counts[7, r] = end[d]
                    from_ = closed[d] if begin[d] == never else begin[d]
                    if end[d] > from_:
                        per_year = amount[d] * year / (end[d] - from_)
                    if from_ <= t < end[d] and not np.isnan(per_year):
                        money[0, r] = per_year if np.isnan(money[0, r]) else money[0, r] + per_year
                if closed[d] >= last_closed:
                    money[2, r], before_closed = money[1, r], last_closed
                    money[1, r], last_closed = per_year, closed[d]
                elif closed[d] >= before_closed:
                    money[2, r], before_closed = per_year, closed[d]


def contracts(frame: Frame) -> Contracts:
    """The deal record as of each row, computed once for a frame."""

    def compute() -> Contracts:
        deals = frame.history.deals
        rows = len(frame.as_of)
        counts = np.zeros((8, rows), dtype=np.int64)
        money = np.full((3, rows), np.nan)
        _walk(
            deals.start,
            deals["opened_at"],
            deals["closed_at"],
            deals["outcome"],
            deals["kind"],
            deals["competitive"],
            deals["starts_on"],
            deals["ends_on"],
            deals["amount"],
            frame.segment,
            frame.as_of,
            counts,
            money,
            (_WON, _LOST, _RENEWAL, _YEAR),
            NEVER,
        )
        return Contracts(*counts, *money)

    return frame.once("contracts", compute)


def _fact(
    name: str,
    meaning: str,
    formula: str,
    unit: str,
    read: Callable[[Frame, Contracts], Array],
    evidence: Callable[[Contracts], Array] = lambda record: record.opened,
    low: float = 0.0,
    high: float = float("inf"),
) -> Indicator:
    def compute(frame: Frame) -> Figure:
        record = contracts(frame)
        count = evidence(record)
        return Figure(np.where(count > 0, read(frame, record), np.nan), count)

    text = Text(name, meaning, formula, unit)
    return single(L5, text, compute, evidence_unit="deals", context=True, low=low, high=high)


def _days_to_end(frame: Frame, record: Contracts) -> Array:
    return np.where(record.ends_on == NEVER, np.nan, (record.ends_on - frame.as_of) / DAY)


def _known_for(frame: Frame) -> Figure:
    days = frame.observed_seconds()[PLACE["all"]] / DAY
    return known(days, np.ceil(days).astype(np.int64), 1)


def _tenure(frame: Frame, record: Contracts) -> Array:
    return np.where(record.first_won == NEVER, np.nan, (frame.as_of - record.first_won) / DAY)


REGISTRY.add(
    [
        _fact(
            "days_to_contract_end",
            "Days until the last contract won runs out (negative: it has run out)",
            "latest end among contracts won by t, minus t",
            "days",
            _days_to_end,
            low=-float("inf"),
        ),
        _fact("tenure", "Days since the first deal won", "t minus the first win", "days", _tenure),
        _fact("deals_won", "Deals won so far", "won deals closed by t", "count", lambda _, record: record.won),
        _fact("deals_lost", "Deals lost so far", "lost deals closed by t", "count", lambda _, record: record.lost),
        _fact(
            "value_against_previous",
            "Yearly value of the last contract won, as a multiple of the one before",
            "money per year of the last contract / of the previous one",
            "ratio",
            lambda _, record: ratio(record.current, record.previous),
        ),
        _fact(
            "competitive_share",
            "Share of deals for which others were asked too",
            "competitive deals / deals where this is recorded",
            "share",
            lambda _, record: ratio(record.asked_others, record.asked_known),
            evidence=lambda record: record.asked_known,
            high=1.0,
        ),
        _fact(
            "renewal_open",
            "Whether a renewal is being negotiated (1) or not (0)",
            "1 if a renewal is open at t",
            "yes or no",
            lambda _, record: (record.renewals_open > 0).astype(float),
            high=1.0,
        ),
        single(
            L5,
            Text("known_for", "Days since the first contact on record", "t minus the first event on record", "days"),
            _known_for,
            evidence_unit="observed days",
            context=True,
        ),
    ]
)
