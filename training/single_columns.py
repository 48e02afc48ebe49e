"""How well each column of the matrix ranks the outcomes by itself.

No honest figure of a relationship tells alone who will be lost. One that does was most likely filled in afterwards,
under a date from before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, rankdata

from features.histories.log import Array
from features.indicators import Indicator
from features.signals.contracts import L5
from features.signals.silence import D8F
from training.entries import Entries

APART = frozenset({D8F.id, L5.id})
"""Signals that may tell much alone: silence is close to what `silence` calls lost, and clients leave when contracts
end."""

CONFIDENCE = 0.95
"""One-sided, of ``Ranking.least``."""

_COLUMNS_AT_ONCE = 64


@dataclass(frozen=True)
class Ranking:
    """One column at one horizon, or (None) against whether the account was ever lost.

    ``auc`` of the better direction among the rows with a figure or, ``by_absence``, among all, those without one below
    or above all others: whichever says more. ``least`` is what it is at least (``lower_bound``), ``unknown`` the share
    of rows without a figure, ``lost`` the lost accounts it rests on.
    """

    indicator: Indicator
    horizon: int | None
    auc: float
    least: float
    by_absence: bool
    unknown: float
    lost: int


def rankings(entries: Entries) -> list[Ranking]:
    """Every column but those of the signals ``APART``, at the horizon where it tells most; the most telling first.

    What counts is the lower bound, for among hundreds of columns some that are known of few accounts rank them without
    fault by chance. Something set for all dates of lost accounts alike does not tell when they were lost, so whether an
    account was ever lost is looked at too. Nothing comes back where there are no outcomes of both kinds.
    """
    matrix, outcomes = entries.matrix, entries.outcomes
    lost = entries.usable & (outcomes.labels == 1)
    ever: Array = np.isin(matrix.rows.account, matrix.rows.account[lost.any(axis=1)])
    looked_at: list[tuple[int | None, Array, Array]] = [(None, np.asarray(entries.usable.any(axis=1)), ever)]
    looked_at += zip(outcomes.horizons, entries.usable.T, lost.T, strict=True)
    judged = [place for place, one in enumerate(matrix.indicators) if one.signal.id not in APART]
    best: dict[str, Ranking] = {}
    for begin in range(0, len(judged), _COLUMNS_AT_ONCE):
        places = judged[begin : begin + _COLUMNS_AT_ONCE]
        for horizon, usable, outcome in looked_at:
            rows = np.flatnonzero(usable)
            if outcome[rows].all() or not outcome[rows].any():
                continue
            indicators, values = [matrix.indicators[place] for place in places], matrix.values[:, places][rows]
            for one in _ranked(indicators, horizon, values, outcome[rows], matrix.rows.account[rows]):
                name = one.indicator.column
                if name not in best or one.least > best[name].least:
                    best[name] = one
    return sorted(best.values(), key=lambda one: (-one.least, -one.auc, one.indicator.column))


def _ranked(
    indicators: list[Indicator], horizon: int | None, values: Array, lost: Array, account: Array
) -> list[Ranking]:
    """``values`` (n, columns), sorted by ``account`` (n,); ``lost`` bool (n,)."""
    unknown = np.isnan(values)
    # One ranking with the unknown figures below all others gives all three: pairs with them are won, lost or tied.
    ranks = rankdata(np.where(unknown, -np.inf, values), axis=0)
    losses, kept = int(lost.sum()), int((~lost).sum())
    below = ranks[lost].sum(axis=0) - losses * (losses + 1) / 2
    lost_unknown, kept_unknown = unknown[lost].sum(axis=0), unknown[~lost].sum(axis=0)
    lost_known, kept_known = losses - lost_unknown, kept - kept_unknown
    tied = lost_unknown * kept_unknown / 2
    among_known = below - lost_known * kept_unknown - tied
    above = among_known + lost_unknown * kept_known + tied
    with np.errstate(invalid="ignore"):
        known = _either_way(among_known / (lost_known * kept_known))
    absent = np.fmax(*(_either_way(pairs / (losses * kept)) for pairs in (below, above)))

    first = np.flatnonzero(np.diff(account, prepend=-1))
    accounts = {
        (what, all_rows): np.logical_or.reduceat(chosen[:, None] & (all_rows | ~unknown), first, axis=0).sum(axis=0)
        for what, chosen in (("lost", lost), ("kept", ~lost))
        for all_rows in (False, True)
    }
    least_known, least_absent = (
        lower_bound(auc, accounts["lost", all_rows], accounts["kept", all_rows])
        for auc, all_rows in ((known, False), (absent, True))
    )
    by_absence = ~(least_known >= least_absent)
    return [
        Ranking(
            indicator,
            horizon,
            float((absent if absence else known)[column]),
            float((least_absent if absence else least_known)[column]),
            absence,
            float(unknown[:, column].mean()),
            int(accounts["lost", absence][column]),
        )
        for column, (indicator, absence) in enumerate(zip(indicators, by_absence.tolist(), strict=True))
    ]


def _either_way(auc: Array) -> Array:
    """The AUC of the direction that ranks better; 0.5 where it is not known."""
    better: Array = np.nan_to_num(np.maximum(auc, 1 - auc), nan=0.5)
    return better


def lower_bound(auc: Array, lost: Array, kept: Array) -> Array:
    """The lowest true AUC, from 0.5 on in steps of 0.001, under which one as high as ``auc`` is no surprise.

    ``lost`` and ``kept``: the accounts of either kind; rows of one account say the same thing over again, so that
    each counts once. The spread is that of Hanley and McNeil (1982), taken at the true value in question: at a perfect
    ranking of few accounts it does not shrink to nothing.

    >>> lower_bound(np.array([1.0, 1.0, 0.8]), np.array([5, 50, 50]), np.array([100, 100, 100])).round(2).tolist()
    [0.8, 0.97, 0.72]
    """
    true = np.linspace(0.5, 1.0, 501)[:, None]
    two_lost, two_kept = true / (2 - true), 2 * true**2 / (1 + true)
    with np.errstate(invalid="ignore", divide="ignore"):
        alike = (lost - 1) * (two_lost - true**2) + (kept - 1) * (two_kept - true**2)
        variance = (true * (1 - true) + alike) / (lost * kept)
        reached = true + norm.ppf(CONFIDENCE) * np.sqrt(variance)
    least: Array = np.where(lost * kept > 0, true[:, 0][np.argmax(reached >= auc, axis=0)], 0.5)
    return least
