"""How stated risks fared: against what happened, once that is known, and what they themselves promise before it is.

Whether as many clients left as were expected is told with an interval that counts lost *accounts*: one loss makes
every row of its account within a horizon before it a lost row, so rows are many and losses few. What the losses weigh
(rows for each) is taken from the losses themselves, as a bootstrap over accounts would, and their number has the exact
interval of a Poisson count (Garwood 1936), which unlike a bootstrap holds for three losses, or none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from features.histories.log import Array
from features.matrix import Rows
from training.evaluation import Estimate, compare
from training.outcomes import Outcomes

LEAST_LOST = 10
"""Lost accounts below which no discrimination is measured."""

LEAST_EXPECTED = 1.0
"""Losses expected, in accounts, below which nothing is said of calibration."""


@dataclass(frozen=True)
class Ratio:
    """Losses that happened over losses expected, with its interval; 1 is what calibrated risks give."""

    value: float
    low: float
    high: float

    @property
    def off(self) -> bool:
        """Whether the interval leaves out 1."""
        return not self.low <= 1 <= self.high


@dataclass(frozen=True)
class Realised:
    """Stated risks within one horizon (days) of rows from ``first`` to ``last`` (UTC seconds) beside what happened.

    ``expected`` and ``observed`` are lost rows. ``ratio`` is None where too little was expected, ``auc`` and ``brier``
    where too few accounts were lost.
    """

    horizon: int
    first: int
    last: int
    rows: int
    accounts: int
    lost_accounts: int
    expected: float
    observed: int
    ratio: Ratio | None
    auc: Estimate | None
    brier: Estimate | None


@dataclass(frozen=True)
class Foreseen:
    """What risks of one moment within one horizon promise of themselves, if they are calibrated: accounts expected to
    be lost, and the AUC and Brier score to be expected once it is known."""

    accounts: int
    losses: float
    auc: float
    brier: float


def realised(risk: Array, rows: Rows, outcomes: Outcomes, usable: Array, level: float) -> list[Realised]:
    """Hold risks (n, H) against the outcomes of the ``usable`` bool (n, H) entries, horizon by horizon.

    The intervals of all horizons' ratios together leave out 1 by chance at most at ``level``. Horizons without a
    usable entry are left out.
    """
    found = []
    for place, horizon in enumerate(outcomes.horizons):
        chosen = usable[:, place] & (outcomes.labels[:, place] >= 0)
        if chosen.any():
            lost = outcomes.labels[chosen, place] == 1
            part = Rows(rows.account[chosen], rows.as_of[chosen])
            found.append(_realised(horizon, risk[chosen, place], part, lost, level / len(outcomes.horizons)))
    return found


def _realised(horizon: int, risk: Array, rows: Rows, lost: Array, level: float) -> Realised:
    lost_accounts = len(np.unique(rows.account[lost]))
    measured = None
    if lost_accounts >= LEAST_LOST and not lost.all():
        measured = compare({"risk": risk}, lost, rows.account)[0]["risk"]
    return Realised(
        horizon,
        int(rows.as_of.min()),
        int(rows.as_of.max()),
        len(rows),
        len(np.unique(rows.account)),
        lost_accounts,
        float(risk.sum()),
        int(lost.sum()),
        loss_ratio(risk, lost, rows.account, level),
        None if measured is None else measured["auc"],
        None if measured is None else measured["brier"],
    )


def loss_ratio(risk: Array, lost: Array, account: Array, level: float) -> Ratio | None:
    """Lost rows over expected ones, with an interval that leaves out 1 by chance at most at ``level``; None where
    fewer than ``LEAST_EXPECTED`` accounts are expected to be lost.

    Two accounts lost, one with three rows and one with one, where four lost rows were expected:

    >>> lost = np.array([True, True, True, True, False, False])
    >>> found = loss_ratio(np.array([0.5, 0.5, 1, 0.5, 0.5, 1]), lost, np.array([0, 0, 0, 1, 2, 2]), 0.05)
    >>> found.value, round(found.low, 2), round(found.high, 2)
    (1.0, 0.08, 4.11)
    """
    member = np.unique(account, return_inverse=True)[1]
    losses = np.bincount(member, lost) if lost.any() else np.bincount(member)
    rows_of_a_loss = float((losses**2).sum() / losses.sum())
    observed, expected = float(lost.sum()) / rows_of_a_loss, float(risk.sum()) / rows_of_a_loss
    if expected < LEAST_EXPECTED:
        return None
    low = chi2.ppf(level / 2, 2 * observed) / 2 if observed else 0.0
    high = chi2.ppf(1 - level / 2, 2 * observed + 2) / 2
    return Ratio(observed / expected, float(low) / expected, float(high) / expected)


def foreseen(risk: Array) -> Foreseen:
    """What to expect of risks (n,) that are calibrated, before any outcome is known.

    The expectations are taken over outcomes drawn from the risks themselves, as in confidence-based performance
    estimation: an AUC of the expected number of rightly ordered pairs over the expected number of pairs, ties counting
    one half. They say nothing of whether the risks are calibrated. NaN where there is nothing to expect.

    >>> found = foreseen(np.array([1.0, 0.5, 0.0]))
    >>> found.losses, found.auc, round(found.brier, 3)
    (1.5, 1.0, 0.083)
    """
    risk = np.sort(np.asarray(risk, dtype=np.float64))
    kept = 1 - risk
    begin = np.searchsorted(risk, risk, side="left")
    end = np.searchsorted(risk, risk, side="right")
    below = np.concatenate(([0.0], np.cumsum(kept)))
    # Of each row as the lost one: the kept ones below it, half of those level with it, and never itself.
    right = float((risk * (below[begin] + (below[end] - below[begin] - kept) / 2)).sum())
    pairs = float(risk.sum() * kept.sum() - (risk * kept).sum())
    return Foreseen(
        len(risk),
        float(risk.sum()),
        right / pairs if pairs > 0 else math.nan,
        float((risk * kept).mean()) if len(risk) else math.nan,
    )
