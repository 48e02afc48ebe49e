"""How the judged stages are learned from directors' reviews: one ordinal model, its sets and its noise.

Both questions, "commitment or beyond?" and "convergence?", are learned at once: every review is stacked once for each
question, and the columns count the same in both. As in the linear half of the risk, each signal is believed to count a
little in its documented direction before any review is seen, and the reviews move the weights away from that; no
weight turns against its direction. This is strong enough a prior for probabilities that need no further calibration:
on fresh simulated accounts they were as sure as was right at every size, and fitting a calibration as well made them
worse on few reviews and no better on many (``docs/benchmarks/stage.py``).

What the shipped model says of accounts that it learned from tells nothing of its errors. The sets of likely stages and
the noise of a change come from predictions out of fold: the accounts are parted, and each part is predicted by a model
that learned from the others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from sklearn.preprocessing import RobustScaler

from features.histories.log import DAY, Array
from features.indicators import Indicator
from features.matrix import Matrix
from models.stage import STAGES, Judgement, StageModel, ranked_scores, scaled
from models.stage_direction import SPAN_DAYS
from training.directed import BELIEVED, LEAST_KNOWN
from training.directed_logistic import DirectedLogistic
from training.splits import group_folds

MINIMUM_REVIEWS = 20
"""Least number of reviews on each side of a question; with fewer it is not asked."""

SPREAD = 1.25
"""How far the weights of all columns together may reasonably lie from what is believed (standard deviation, log odds
per spread): each column's share of it is smaller, the more columns there are."""

COVERAGE = 0.9
"""The share of accounts with two or more wins whose stage, were they reviewed, lies in the set of likely stages."""

PRIOR_CHANGES = 10
"""How many changes between two reviews the spread between accounts counts for in the noise of a change."""


def fit_stage(matrix: Matrix, labels: Sequence[str], group: Array | None = None, seed: int = 7) -> StageModel:
    """Learn the judged stages from reviews: row i of the matrix is the account when it was reviewed (one row
    for each review), ``labels[i]`` the director's stage.

    ``group`` (n,) codes of what is never split between learning and predicting out of fold; the accounts, if not
    given. What teaches nothing is left out, see ``taught``.

    Errors: ValueError for a label that is no stage, or when rows and labels differ in number.
    """
    rows, order = taught(matrix, labels)
    questions = questions_asked(order)
    if not questions:
        return StageModel(matrix.columns)
    account = matrix.rows.account if group is None else group
    return StageModel(matrix.columns, learn_judgement(matrix.take(rows), order, questions, account[rows], seed))


def taught(matrix: Matrix, labels: Sequence[str]) -> tuple[Array, Array]:
    """The rows that teach something about the judged stages, and their stages: 0 continuation, 1 commitment, 2
    convergence.

    Rows with fewer than two wins, of former clients, and of accounts without recorded deals are left out. A review
    below continuation counts as continuation, as the record has two wins.

    Errors: ValueError for a label that is no stage, or when rows and labels differ in number.
    """
    standing = matrix.standing
    if len(labels) != len(standing.wins):
        raise ValueError(f"stage: {len(standing.wins)} rows but {len(labels)} labels")
    unknown = sorted(set(labels) - set(STAGES))
    if unknown:
        raise ValueError(f"stage: {', '.join(unknown)} is no stage; allowed are {', '.join(STAGES)}")
    rows = np.flatnonzero(standing.deals_recorded & ~standing.former & (standing.wins >= 2))
    order = np.array([STAGES.index(label) for label in labels], dtype=np.int64)[rows]
    return rows, np.maximum(order - STAGES.index("continuation"), 0)


def questions_asked(order: Array) -> int:
    """How many questions there are enough reviews for; ``order`` (n,) as ``taught`` gives it.

    >>> [questions_asked(np.repeat([0, 1, 2], counts)) for counts in ([50, 9, 9], [50, 15, 15], [50, 20, 20])]
    [0, 1, 2]
    """
    continuation, commitment, convergence = np.bincount(order, minlength=3).tolist()
    if min(continuation, commitment + convergence) < MINIMUM_REVIEWS:
        return 0
    return 1 if min(commitment, convergence) < MINIMUM_REVIEWS else 2


def learn_judgement(matrix: Matrix, order: Array, questions: int, group: Array, seed: int) -> Judgement:
    """Learn from reviews that all teach something; ``order`` and ``group`` (n,) as for ``fit_stage``."""
    learned = _learn(matrix.values, order, matrix.indicators, questions)
    beyond = out_of_fold(matrix, order, questions, group, seed)
    there = ~np.isnan(beyond[:, 0])
    scores = ranked_scores(beyond)[np.arange(len(order)), np.minimum(order, questions)]
    return replace(
        learned,
        likely_within=conformal_limit(scores[there], group[there]),
        noise=change_noise(beyond.sum(axis=1), order, matrix.rows.account, matrix.rows.as_of),
    )


def out_of_fold(matrix: Matrix, order: Array, questions: int, group: Array, seed: int) -> Array:
    """Probabilities (n, questions) by models that had not learned from the row's group; NaN where no other group, or
    none that could teach, was reviewed."""
    beyond = np.full((len(order), questions), np.nan)
    for fold in group_folds(np.ones((len(order), 1), dtype=bool), group, seed):
        learn, score = fold.learn[:, 0], fold.score[:, 0]
        if teaches(order[learn], questions):
            learned = _learn(matrix.values[learn], order[learn], matrix.indicators, questions)
            beyond[score] = learned.beyond(matrix.values[score])
    return beyond


def teaches(order: Array, questions: int) -> bool:
    """Whether reviews hold a yes and a no to one question or another."""
    yes = order[:, None] > np.arange(questions)
    return bool(yes.any() and not yes.all())


def _learn(values: Array, order: Array, indicators: Sequence[Indicator], questions: int) -> Judgement:
    """The judgement by all of the reviews, without what needs predictions out of fold."""
    better = -np.array([one.constraint for one in indicators], dtype=np.float64)
    used = np.flatnonzero((better != 0) & (np.mean(~np.isnan(values), axis=0) >= LEAST_KNOWN))
    centre, scale, coef = np.zeros(len(better)), np.ones(len(better)), np.zeros(len(better))
    if len(used):
        scaler = RobustScaler(quantile_range=(10, 90), unit_variance=True).fit(values[:, used])
        centre[used], scale[used] = scaler.center_, scaler.scale_
    inputs = scaled(values, centre, scale)[:, used] * better[used]

    signals = [indicators[place].signal.id for place in used.tolist()]
    believed = [BELIEVED / (len(set(signals)) * signals.count(signal)) for signal in signals]
    # The first question's level lies above the second's by this further input, which has next to no prior.
    easier = np.arange(questions, dtype=np.float64)[::-1]
    stacked = np.column_stack((np.repeat(inputs, questions, axis=0), np.tile(easier, len(values))))
    yes = order[:, None] > np.arange(questions)
    strength = np.append(np.full(len(used), len(used) / SPREAD**2), 0.01)
    learned = DirectedLogistic(np.append(believed, 0.0), strength, directed=True).fit(stacked, yes.ravel())
    weights, level = learned.coef_[0], float(learned.intercept_[0])
    coef[used] = weights[:-1] * better[used]
    return Judgement(centre, scale, coef, tuple(level + float(weights[-1]) * one for one in easier.tolist()))


def conformal_limit(scores: Array, group: Array, coverage: float = COVERAGE) -> float:
    """The score that a review of a new group does not exceed with the probability ``coverage``; at most 1.

    ``scores`` (n,) of reviews, out of fold, and ``group`` (n,). Every group counts once, whatever the number of its
    reviews, and the new one counts as beyond every limit, which makes the coverage hold on average over portfolios of
    any size (Lee, Barber, Willett, "Distribution-free inference with hierarchical data", 2023). It is nearly exact
    rather than proven, because the scores come from folds (cross-conformal prediction).

    >>> conformal_limit(np.arange(19) / 20, np.arange(19)), conformal_limit(np.arange(8) / 20, np.arange(8))
    (0.85, 1.0)
    """
    _, member, reviews = np.unique(group, return_inverse=True, return_counts=True)
    sorted_by_score = np.argsort(scores, kind="stable")
    mass = np.cumsum(1 / reviews[member][sorted_by_score]) / (len(reviews) + 1)
    within = int(np.searchsorted(mass, coverage - 1e-12))
    return float(scores[sorted_by_score[within]]) if within < len(scores) else 1.0


def change_noise(expected: Array, order: Array, account: Array, as_of: Array) -> float | None:
    """The usual size (root mean square) of a change in the expected stage (n,) between two reviews, one after the
    other, of an account that was judged to be at the same stage both times.

    Reviews closer than half the span of a direction are no such pair: they show less change than the span does. Where
    there are few pairs, the spread between accounts at the same stage stands in for them, as ``PRIOR_CHANGES`` pairs:
    two accounts differ by more than one does from itself, so that few pairs mean less readiness to see a change. None
    where nothing was predicted (NaN), or all alike. Rows are sorted by account and time.
    """
    there = np.flatnonzero(~np.isnan(expected))
    expected, order, account, as_of = expected[there], order[there], account[there], as_of[there]
    apart = np.diff(as_of) >= SPAN_DAYS * DAY / 2
    pairs = (np.diff(account) == 0) & (np.diff(order) == 0) & apart
    changes = np.diff(expected)[pairs]
    usual = np.bincount(order, expected) / np.maximum(np.bincount(order), 1)
    spread = expected - usual[order]
    squares = float(changes @ changes) + PRIOR_CHANGES * 2 * float(spread @ spread) / max(len(spread), 1)
    return math.sqrt(squares / (len(changes) + PRIOR_CHANGES)) or None
