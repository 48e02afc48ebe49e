"""W5, P4 and the pace of closing: one account against the whole portfolio (documents 003 and 004).

Our effort and our service should not follow the invoice (W5), yet our time is to go where it pays (P4): both are told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from features import settings
from features.facts import Facts, facts
from features.figures import Text, ratio, single
from features.frame import PLACE, Frame
from features.histories.conversations import US, conversations
from features.histories.history import code
from features.histories.log import DAY, NEVER, Array, rows_where
from features.histories.tables import DEALS, INTERACTIONS
from features.indicators import REGISTRY, Better, Comparison, Figure, Indicator, Mark, Signal
from features.kernel import compiled
from features.portfolio import Portfolio
from features.signals.answered import when_in_exchange
from features.signals.haste import P2C
from features.signals.referrals import referrals
from features.signals.service import answered_by_us, our_delays, reliability
from features.standing import order_amounts, potential

W5 = REGISTRY.signal(
    "W5",
    "evenness",
    "Whether this client gets the service that any client gets, however large or small its share of our income",
    "003",
)
P4A = REGISTRY.signal(
    "P4a",
    "revenue concentration",
    "What the client brings us and where that places it: a fifth of the clients often bring four fifths of the income",
    "004",
)
P4B = REGISTRY.signal(
    "P4b",
    "effort alignment",
    "Whether the hours we spend on the client match its part in our potential business",
    "004",
)

_WON, _LOST = code(DEALS, "outcome", "won", "lost")
_CALL, _MEETING, _MESSAGE = code(INTERACTIONS, "kind", "call", "meeting", "message")
_HELD, _ANSWERED = code(INTERACTIONS, "outcome", "held", "answered")
_YEAR = 365 * DAY
_PLACE = PLACE["365d"]


@dataclass(frozen=True)
class Own:
    """An account's own figures as of each row, float64, NaN unknown: what the portfolio's are made of.

    ``revenue`` money of the trailing 365 days, ``hours`` of ours in them, ``potential`` money per year (at least the
    revenue), ``referred`` prospects in them, ``quality`` of our service 0 to 1, ``days_to_close`` median of its deals.
    """

    revenue: Array
    hours: Array
    potential: Array
    referred: Array
    quality: Array
    days_to_close: Array
    deals_closed: Array


@compiled
def _earned(
    start: Array,
    opened: Array,
    closed: Array,
    won: Array,
    begin: Array,
    end: Array,
    amount: Array,
    segment: Array,
    as_of: Array,
    year: int,
    never: int,
) -> Array:
    money = np.zeros(len(segment))
    for r in range(len(segment)):
        s, t = segment[r], as_of[r]
        for d in range(start[s], start[s + 1]):
            if opened[d] > t:
                break
            if not won[d] or closed[d] > t or np.isnan(amount[d]):
                continue
            from_ = closed[d] if begin[d] == never else begin[d]
            if end[d] == never or end[d] <= from_:
                if t - year < closed[d]:
                    money[r] += amount[d]
            else:
                inside = min(end[d], t) - max(from_, t - year)
                if inside > 0:
                    money[r] += amount[d] * inside / (end[d] - from_)
    return money


def our_minutes(frame: Frame) -> Facts:
    """Minutes we spent: of held meetings and answered calls as recorded, and some for each message of ours.

    Messages to a client that was silent for 30 days before and after are no effort that served it.
    """
    log = frame.history.interactions
    kind, outcome = log["kind"], log["outcome"]
    met = ((kind == _MEETING) & (outcome == _HELD)) | ((kind == _CALL) & (outcome == _ANSWERED))
    spoken = rows_where(met & (log["minutes"] > 0))
    touches = frame.derived(conversations).touches
    written = touches.row[((touches.side & US) > 0) & (kind[touches.row] == _MESSAGE)]
    when = when_in_exchange(frame, log.segment[written], log["at"][written])
    written, when = written[when < NEVER], when[when < NEVER]
    rows = np.concatenate((spoken, written))
    minutes = np.concatenate((log["minutes"][spoken], np.full(len(written), settings.MINUTES_OF_A_MESSAGE)))
    at = np.concatenate((log["at"][spoken], when))
    return facts(frame.history.segments, log.segment[rows], at, minutes.astype(np.int64))


def answers_in_time(frame: Frame) -> Facts:
    """1 for an answer of ours within a day, else 0."""
    delays = frame.facts(our_delays)
    return Facts(delays.start, delays.at, (delays.value <= settings.STRONG_WITHIN).astype(np.int64))


def closings(frame: Frame) -> Facts:
    """Seconds from opening to closing of each deal won or lost, at its close."""
    deals = frame.history.deals
    rows = rows_where(((deals["outcome"] == _WON) | (deals["outcome"] == _LOST)) & (deals["closed_at"] < NEVER))
    spent = deals["closed_at"][rows] - deals["opened_at"][rows]
    return facts(frame.history.segments, deals.segment[rows], deals["closed_at"][rows], spent)


def own(frame: Frame) -> Own:
    """The accounts' own figures, computed once for a frame."""

    def compute() -> Own:
        deals = frame.history.deals
        earned = _earned(
            deals.start,
            deals["opened_at"],
            deals["closed_at"],
            deals["outcome"] == _WON,
            deals["starts_on"],
            deals["ends_on"],
            deals["amount"],
            frame.segment,
            frame.as_of,
            _YEAR,
            NEVER,
        )
        revenue = earned + frame.sums(order_amounts).total[_PLACE] / 100
        shares = []
        for measure in (answered_by_us, answers_in_time):
            sums = frame.sums(measure)
            count = sums.count[_PLACE]
            shares.append(np.where(count >= settings.MINIMUM_OBSERVATIONS, ratio(sums.total[_PLACE], count), np.nan))
        shares.append(reliability(frame).value[_PLACE])
        known = np.sum([~np.isnan(one) for one in shares], axis=0)
        closing = frame.medians(closings, "all")
        return Own(
            revenue=revenue,
            hours=frame.sums(our_minutes).total[_PLACE] / 60,
            potential=np.fmax(potential(frame), np.where(revenue > 0, revenue, np.nan)),
            referred=frame.sums(referrals).count[_PLACE].astype(np.float64),
            quality=ratio(np.nansum(shares, axis=0), known),
            days_to_close=closing.middle[0] / DAY,
            deals_closed=closing.count[0],
        )

    return frame.once("own figures", compute)


def _nothing_compared(frame: Frame) -> Figure:
    return Figure(np.full(len(frame.as_of), np.nan), np.zeros(len(frame.as_of), dtype=np.int64))


def _indicator(
    signal: Signal,
    text: Text,
    read: Callable[[Frame, Portfolio, Own], Array],
    *,
    better: Better | None = None,
    mark: Mark | Comparison | None = None,
    low: float = 0.0,
    high: float = float("inf"),
) -> Indicator:
    """An indicator that needs the portfolio's figures; unknown without them. Its evidence is the accounts compared."""

    def compute(frame: Frame) -> Figure:
        if frame.portfolio is None:
            return _nothing_compared(frame)
        accounts = np.nan_to_num(frame.portfolio.read(frame.as_of, "accounts")).astype(np.int64)
        enough = accounts >= settings.ENOUGH_ACCOUNTS
        return Figure(np.where(enough, read(frame, frame.portfolio, own(frame)), np.nan), accounts)

    return single(
        signal,
        text,
        compute,
        better=better,
        mark=mark,
        minimum=settings.ENOUGH_ACCOUNTS,
        evidence_unit="accounts with revenue",
        low=low,
        high=high,
        portfolio=True,
    )


def _evenness(frame: Frame, portfolio: Portfolio, mine: Own) -> Array:
    rank = portfolio.rank(frame.as_of, mine.revenue)
    bottom = portfolio.read(frame.as_of, "quality_at_bottom")
    top = portfolio.read(frame.as_of, "quality_at_top")
    return np.asarray(mine.quality - (bottom + (top - bottom) * rank))


def _whole_potential(frame: Frame, portfolio: Portfolio, mine: Own) -> Array:
    """The account's potential, with what the prospects it referred may bring (each as much as the middle account)."""
    return np.asarray(mine.potential + mine.referred * np.nan_to_num(portfolio.read(frame.as_of, "referral")))


def _alignment(frame: Frame, portfolio: Portfolio, mine: Own) -> Array:
    hours = ratio(mine.hours, portfolio.read(frame.as_of, "hours"))
    part = ratio(_whole_potential(frame, portfolio, mine), portfolio.read(frame.as_of, "potential"))
    return ratio(hours, np.nan_to_num(part))


def _pace(frame: Frame) -> Figure:
    if frame.portfolio is None:
        return _nothing_compared(frame)
    mine = own(frame)
    return Figure(ratio(mine.days_to_close, frame.portfolio.read(frame.as_of, "days_to_close")), mine.deals_closed)


REGISTRY.add(
    [
        _indicator(
            W5,
            Text(
                "evenness",
                "Quality of our service to this client, against what clients of its rank get",
                "mean of answers given, answers within a day and our reliability, minus the line over revenue rank",
                "difference of shares",
            ),
            _evenness,
            better="up",
            mark=">=",
            low=-float("inf"),
        ),
        _indicator(
            P4A,
            Text(
                "revenue",
                "What the client brought in the last 365 days",
                "won amounts spread over their contracts, plus orders, trailing 365 days",
                "money",
            ),
            lambda _, __, mine: mine.revenue,
        ),
        _indicator(
            P4A,
            Text(
                "revenue_rank",
                "Share of our paying clients that brought less than this one",
                "accounts with less revenue / accounts with revenue, at the latest month start",
                "share",
            ),
            lambda frame, portfolio, mine: portfolio.rank(frame.as_of, mine.revenue),
            high=1.0,
        ),
        _indicator(
            P4A,
            Text(
                "revenue_above",
                "Share of our income that comes from larger clients than this one",
                "revenue of accounts with more revenue / all revenue, at the latest month start",
                "share",
            ),
            lambda frame, portfolio, mine: portfolio.share_from_top(frame.as_of, mine.revenue),
            high=1.0,
        ),
        _indicator(
            P4A,
            Text(
                "among_the_vital_few",
                "Whether the client is one of the few that bring four fifths of our income (1) or not (0)",
                "1 if larger accounts bring less than 0.8 of all revenue",
                "yes or no",
            ),
            lambda frame, portfolio, mine: _vital(portfolio.share_from_top(frame.as_of, mine.revenue), mine.revenue),
            high=1.0,
        ),
        _indicator(
            P4A,
            Text(
                "potential",
                "What the client could bring in a year, with the prospects it referred",
                "the larger of potential and revenue, plus referrals × the revenue of the middle account",
                "money",
            ),
            _whole_potential,
        ),
        _indicator(
            P4B,
            Text(
                "effort_alignment",
                "The client's share of our hours, as a multiple of its share of our potential business",
                "share of our hours in 365 days / share of the potential of all accounts",
                "ratio",
            ),
            _alignment,
            better="band",
            mark="between",
        ),
    ]
)


REGISTRY.add(
    [
        single(
            P2C,
            Text(
                "days_to_close_against_usual",
                "How long our deals with this client take from opening to closing, as a multiple of what is usual",
                "median days of its closed deals / the median of all accounts' medians at the latest month start",
                "ratio",
            ),
            _pace,
            better="up",
            mark=Mark(">=", settings.UNHURRIED_FROM),
            minimum=1,
            evidence_unit="closed deals",
            portfolio=True,
        )
    ]
)


def _vital(above: Array, revenue: Array) -> Array:
    few = ((above < settings.VITAL_SHARE) & (revenue > 0)).astype(np.float64)
    return np.where(np.isnan(above), np.nan, few)
