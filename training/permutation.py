"""What a model learns where there is nothing to learn: outcomes dealt to other accounts.

The outcomes of an account move as a whole, with their pattern over time and horizons, to another account. Everything
stays as it was but the tie between an account's figures and what became of it, so that a model that learned from such
outcomes ranks those of the test no better than chance, unless it has seen the test.

For one half to be truly expected, two things matter.

- Outcomes keep their moment and horizon, and only accounts at the same moment and horizon are compared: more are lost
  at one moment than at another, and more within long horizons, and the figures differ with both.
- The test's outcomes are dealt apart from those before it. If an account were given the same other account's outcomes
  in both parts, a model that merely knows it again would be right more often than not wherever outcomes last, as
  silence does.

So the test's outcomes fall on the accounts without regard to anything that was learned: one half is exact whatever the
data are like, and dealing again with the same scores tells how far chance alone carries from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from features.histories.log import Array
from features.matrix import Rows
from models.trees import RiskSettings, predict_scores, train_booster
from training.entries import Entries
from training.splits import Fold

Scorer = Callable[[Entries, Fold], Array]
"""Learns from a fold's entries to learn from, and gives scores (n, H) of those to score, NaN for the others."""

BY_HEART = RiskSettings(
    learning_rate=0.1,
    depth=3,
    rounds=50,
    min_child_samples=20,
    min_child_weight=1.0,
    lambda_l2=1.0,
    feature_fraction=0.2,
)
"""Few trees that learn much from each row: what a test has in common with what they learned, they show."""

FITS = 5
"""Models, each trained on outcomes dealt anew."""

DEALS = 100
"""Times the test's outcomes are dealt again for each model, to tell how far chance carries."""


@dataclass(frozen=True)
class Permuted:
    """``auc`` float64 (fits,) of each model among accounts at the same moment and horizon, and ``spread`` float64
    (fits,), the standard deviation of the same where only chance is at work."""

    auc: Array
    spread: Array


def by_heart(entries: Entries, fold: Fold) -> Array:
    """Scores by trees of the settings ``BY_HEART``, NaN for entries that are not to be scored."""
    learned, horizons = entries.only(fold.learn).used_rows(), entries.outcomes.horizons
    known, days_to_end = learned.matrix, learned.matrix.standing.days_to_end
    booster = train_booster(known.values, days_to_end, known.indicators, learned.labels, horizons, None, BY_HEART)
    rows = np.flatnonzero(fold.score.any(axis=1))
    scored = entries.matrix.take(rows)
    scores = np.full(fold.score.shape, np.nan)
    scores[rows] = predict_scores(booster, scored.values, scored.standing.days_to_end, horizons)
    return np.where(fold.score, scores, np.nan)


def permuted(entries: Entries, learned: Array, tested: Array, seed: int, score: Scorer = by_heart) -> Permuted:
    """Learn from dealt outcomes and judge by dealt outcomes, ``FITS`` times.

    ``learned`` and ``tested`` bool (n, H): the entries learned from and judged by. A deal that leaves nothing to learn
    or nothing to compare is passed over: with very few losses none may come back.
    """
    random = np.random.default_rng(seed)
    labels, rows = entries.outcomes.labels, entries.matrix.rows
    before, test = (Dealer(rows, np.where(part, labels, -1)) for part in (learned, tested))
    auc, spread = [], []
    for _ in range(FITS):
        # An entry of the test that was learned from was learned with the test's outcome: the leak that is to be seen.
        dealt = np.where(tested, test.deal(random), before.deal(random))
        known = dealt >= 0
        lost = dealt[learned & known] == 1
        if lost.all() or not lost.any():
            continue
        moved = replace(entries, outcomes=replace(entries.outcomes, labels=dealt))
        ranked = RankedWithin(rows.as_of, score(moved, Fold(learned & known, tested)))
        found = ranked.auc(np.where(tested, dealt, -1))
        chance = np.array([ranked.auc(test.deal(random)) for _ in range(DEALS)])
        if not np.isnan(found) and not np.isnan(chance).all():
            auc.append(found)
            spread.append(float(np.nanstd(chance)))
    return Permuted(np.array(auc), np.array(spread))


class Dealer:
    """Deals the outcomes of accounts to one another, each account's as a whole.

    ``labels`` int8 (n, H), -1 where there is none; only accounts with an outcome take part, and an outcome that falls
    where its new account has none is lost.

    >>> rows = Rows(np.array([0, 0, 1, 1]), np.array([10, 20, 10, 20]))
    >>> dealer = Dealer(rows, np.array([[0], [1], [0], [0]], dtype=np.int8))
    >>> sorted({tuple(dealer.deal(np.random.default_rng(seed)).ravel().tolist()) for seed in range(9)})
    [(0, 0, 0, 1), (0, 1, 0, 0)]
    """

    def __init__(self, rows: Rows, labels: Array) -> None:
        self._labels = labels
        self._used = np.flatnonzero((labels >= 0).any(axis=1))
        accounts, self._member = np.unique(rows.account[self._used], return_inverse=True)
        moments, self._moment = np.unique(rows.as_of[self._used], return_inverse=True)
        self._row = np.full((len(accounts), len(moments)), -1)
        self._row[self._member, self._moment] = self._used

    def deal(self, random: np.random.Generator) -> Array:
        """int8 (n, H): the outcomes after one deal, -1 where there is none."""
        giver = random.permutation(len(self._row))
        source = self._row[giver[self._member], self._moment]
        given = np.where(source[:, None] >= 0, self._labels[source], -1)
        dealt = np.full_like(self._labels, -1)
        dealt[self._used] = np.where(self._labels[self._used] >= 0, given, -1)
        return dealt


class RankedWithin:
    """Entries ranked by their scores (n, H), NaN for entries left out, among those of the same moment and horizon."""

    def __init__(self, as_of: Array, scores: Array) -> None:
        row, place = np.nonzero(~np.isnan(scores))
        score = scores[row, place]
        order = np.lexsort((score, place, as_of[row]))
        self._entries = (row[order], place[order])
        moment, place, score = as_of[row][order], place[order], score[order]
        new = np.ones(len(order), dtype=bool)
        new[1:] = (np.diff(moment) != 0) | (np.diff(place) != 0)
        tied_apart = new.copy()
        tied_apart[1:] |= np.diff(score) != 0
        self._ties = np.flatnonzero(tied_apart)
        """Where each group of tied entries begins."""
        self._begins = np.flatnonzero(new[self._ties])
        """The first group of each moment and horizon."""

    def auc(self, labels: Array) -> float:
        """The chance that a lost entry stands above a kept one (ties count one half); NaN without such a pair.

        ``labels`` int8 (n, H): 1 lost, 0 kept, -1 left out.

        >>> ranked = RankedWithin(np.array([10, 10, 20, 20]), np.array([[0.1], [0.2], [0.9], [0.9]]))
        >>> ranked.auc(np.array([[0], [1], [1], [0]]))
        0.75
        """
        chosen = labels[self._entries]
        if not len(chosen):
            return float("nan")
        lost, kept = (np.add.reduceat((chosen == outcome).astype(np.float64), self._ties) for outcome in (1, 0))
        lost_within, kept_within = (np.add.reduceat(one, self._begins) for one in (lost, kept))
        groups = np.diff(self._begins, append=len(self._ties))
        under = np.cumsum(kept) - kept - np.repeat(np.cumsum(kept_within) - kept_within, groups)
        pairs = float((lost_within * kept_within).sum())
        return float((lost * (under + kept / 2)).sum()) / pairs if pairs else float("nan")
