"""P2a and P2b: do both sides gain, or does one resent what it signed? (document 004)"""

from __future__ import annotations

import numpy as np

from features import settings
from features.facts import Facts, facts, moment_key, settled
from features.figures import Text, known, mean, ratio, share, windowed
from features.frame import Frame
from features.histories.history import code
from features.histories.log import NEVER, Array, rows_where
from features.histories.tables import DEALS, INTERACTIONS
from features.indicators import REGISTRY, Figure

P2A = REGISTRY.signal(
    "P2a",
    "win-win",
    "Whether both sides gain by our deals, and both give way",
    "004",
)
P2B = REGISTRY.signal(
    "P2b",
    "resentment",
    "Whether the client is unhappy soon after signing: who feels pushed into a deal does not come back",
    "004",
)

(_WON,) = code(DEALS, "outcome", "won")
_FEE, _FEEDBACK = code(INTERACTIONS, "kind", "fee", "feedback")
(_CLIENT,) = code(INTERACTIONS, "actor", "client")
_MILLION = 1_000_000
_CENTS = 100
_RATING_SCALE = 100


def _concessions(frame: Frame) -> tuple[Array, Array, Array, Array]:
    """Agreements that cost a side something: segment, when, and what we and the client gave up (ppm of the price).

    Won deals as recorded; a fee agreed below what we asked is our concession, one agreed above it the client's.
    """

    def read() -> tuple[Array, Array, Array, Array]:
        deals, log = frame.history.deals, frame.history.interactions
        won = rows_where(deals["outcome"] == _WON)
        fees = rows_where((log["kind"] == _FEE) & (log["amount"] > 0) & ~np.isnan(log["amount_agreed"]))
        asked, agreed = log["amount"][fees], log["amount_agreed"][fees]
        given = np.concatenate((deals["concession"][won], np.maximum(asked - agreed, 0) / asked))
        taken = np.concatenate((deals["client_concession"][won], np.maximum(agreed - asked, 0) / asked))
        ours, theirs = (np.round(np.nan_to_num(part) * _MILLION).astype(np.int64) for part in (given, taken))
        segment = np.concatenate((deals.segment[won], log.segment[fees]))
        at = np.concatenate((deals["closed_at"][won], settled(log, fees)))
        some = ours + theirs > 0
        return segment[some], at[some], ours[some], theirs[some]

    return frame.once(_concessions, read)


def our_concessions(frame: Frame) -> Facts:
    """What we gave up in each agreement that cost a side something, in millionths of the price."""
    segment, at, ours, _ = _concessions(frame)
    return facts(frame.history.segments, segment, at, ours)


def all_concessions(frame: Frame) -> Facts:
    """What both sides gave up in each agreement that cost a side something, in millionths of the price."""
    segment, at, ours, theirs = _concessions(frame)
    return facts(frame.history.segments, segment, at, ours + theirs)


def _our_share(frame: Frame) -> Figure:
    ours, all_ = frame.sums(our_concessions), frame.sums(all_concessions)
    return known(ratio(ours.total, all_.total), all_.count, settings.MINIMUM_DEALS)


def _profitable(frame: Frame) -> Array:
    """The won deals whose margin and money are both known."""
    deals = frame.history.deals
    return rows_where((deals["outcome"] == _WON) & ~np.isnan(deals["margin"]) & (deals["amount"] > 0))


def margins(frame: Frame) -> Facts:
    """What each won deal leaves to us, in cents, where its money is known too."""
    deals, won = frame.history.deals, _profitable(frame)
    cents = np.round(deals["margin"][won] * _CENTS).astype(np.int64)
    return facts(frame.history.segments, deals.segment[won], deals["closed_at"][won], cents)


def amounts(frame: Frame) -> Facts:
    """The money of each won deal, in cents, where what it leaves to us is known too."""
    deals, won = frame.history.deals, _profitable(frame)
    cents = np.round(deals["amount"][won] * _CENTS).astype(np.int64)
    return facts(frame.history.segments, deals.segment[won], deals["closed_at"][won], cents)


def _margin(frame: Frame) -> Figure:
    left, money = frame.sums(margins), frame.sums(amounts)
    return known(ratio(left.total, money.total), money.count, settings.MINIMUM_DEALS)


def goals_met(frame: Frame) -> Facts:
    """1 for a won deal with which the client got what it wanted, 0 for another, where it was noted."""
    deals = frame.history.deals
    won = rows_where((deals["outcome"] == _WON) & (deals["goal_met"] >= 0))
    return facts(frame.history.segments, deals.segment[won], deals["closed_at"][won], deals["goal_met"][won])


def _goals(frame: Frame) -> Figure:
    sums = frame.sums(goals_met)
    return known(ratio(sums.total, sums.count), sums.count, settings.MINIMUM_DEALS)


def _rated(frame: Frame) -> tuple[Array, Array, Array]:
    """The client's feedback that rates our work: segment, when, and the rating."""
    log = frame.history.interactions
    rows = rows_where((log["kind"] == _FEEDBACK) & (log["actor"] == _CLIENT) & ~np.isnan(log["rating"]))
    resolved = log["resolved_at"][rows]
    return log.segment[rows], np.where(resolved == NEVER, log["at"][rows], resolved), log["rating"][rows]


def satisfaction(frame: Frame) -> Facts:
    """The client's ratings of our work, in hundredths."""
    segment, at, rating = _rated(frame)
    return facts(frame.history.segments, segment, at, np.round(rating * _RATING_SCALE).astype(np.int64))


def feedback_after_signing(frame: Frame) -> Facts:
    """Rated feedback within 180 days after a win: 1 for a bad rating, else 0."""
    deals = frame.history.deals
    won = deals["outcome"] == _WON
    signed = facts(frame.history.segments, deals.segment[won], deals["closed_at"][won])
    segment, at, rating = _rated(frame)
    place = np.searchsorted(signed.keys, moment_key(segment, at), side="right") - 1
    latest = signed.keys[place] if len(signed.at) else np.empty(0, np.int64)
    soon = np.zeros(len(at), dtype=bool)
    if len(signed.at):
        soon = (place >= 0) & (latest >= moment_key(segment, at - settings.RESENTMENT_WITHIN))
    return facts(frame.history.segments, segment[soon], at[soon], rating[soon] <= settings.POORLY_RATED)


REGISTRY.add(
    windowed(
        P2A,
        Text(
            "our_share_of_concessions",
            "Our share of what both sides gave up in deals and fees: best near one half",
            "what we gave up / what both sides gave up, as shares of the price, over won deals and agreed fees",
            "share",
        ),
        _our_share,
        better="band",
        mark="between",
        minimum=settings.MINIMUM_DEALS,
        evidence_unit="agreements with a concession",
        high=1.0,
    )
)
REGISTRY.add(
    windowed(
        P2A,
        Text(
            "goals_met", "Share of deals with which the client got what it wanted", "goals met / goals noted", "share"
        ),
        _goals,
        better="up",
        minimum=settings.MINIMUM_DEALS,
        evidence_unit="won deals",
        high=1.0,
        trend=None,
    )
)
REGISTRY.add(
    windowed(
        P2A,
        Text(
            "margin",
            "Share of the money of our deals that stays with us",
            "margin / money of won deals where both are known",
            "share",
        ),
        _margin,
        minimum=settings.MINIMUM_DEALS,
        evidence_unit="won deals",
        low=-float("inf"),
        trend=None,
    )
)
REGISTRY.add(
    mean(
        P2A,
        Text(
            "satisfaction", "The client's ratings of our work, from 0 to 10", "mean rating of its feedback", "0 to 10"
        ),
        satisfaction,
        scale=_RATING_SCALE,
        better="up",
        high=10.0,
    )
)
REGISTRY.add(
    share(
        P2B,
        Text(
            "resentment",
            "Share of the client's feedback in the half year after signing that was bad (4 or less of 10)",
            "feedback rated 4 or less / feedback rated, within 180 days after a win",
            "share",
        ),
        feedback_after_signing,
        better="down",
        mark="<=",
    )
)
