"""How a risk model is made from entries with known outcomes: two halves, their weights, calibration, members.

The same steps make the model that is judged (from outcomes settled before the test) and the one that ships
(from all outcomes), so that what is judged is the way of making it. Scores for weighing and for calibrating
are out of fold: each comes from a model that had not seen the entry's account later, nor anything settled
after its as_of; where losses are too few for folds in time, from one that had not seen its account at all.

**Few losses.** Trees need hundreds of losses before they tell more than the documented directions do. How much of the
score is theirs is therefore a rule of evidence, L / (L + ``LOSSES_FOR_HALF``) with L lost accounts, which out-of-fold
scores correct the further the more losses there are: ten losses leave all but the whole score to the linear model, and
that one to what is documented.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

import lightgbm as lgb
import numpy as np
from scipy.special import expit

from features.histories.log import Array
from models.blend import Blend
from models.calibration import Calibration, fit_calibration
from models.linear import LinearModel
from models.risk import Definition, Member, RiskModel
from models.trees import RiskSettings, predict_scores, train_booster
from training.directed import fit_linear
from training.directed_logistic import DirectedLogistic
from training.entries import Entries, make_folds
from training.levels import Told, levelled
from training.splits import Fold

LOSSES_FOR_HALF = 500.0
"""Lost accounts at which half of the score is the trees': measured on simulated portfolios of 40 to 2,000 accounts,
where it was near nothing at 10 losses, a tenth at 70 and a half at 480."""

LOSSES_BEHIND_RULE = 100.0
"""Strength of the rule against what out-of-fold scores say of the weights (about so many lost accounts)."""

MOST_TRIED, LEAST_LOST = 60_000, 20
"""Entries that settings are tried on, and that out-of-fold scores and the linear model are made of. Of more, a share of
the accounts is drawn, but a share with so many lost ones."""

MEMBERS = 12
"""How often the whole is learned again from other accounts for the intervals."""

MOST_OF_MEMBER = 4_000
"""Entries that a member learns from; of more, fewer accounts are drawn."""


@dataclass(frozen=True)
class Held:
    """Out-of-fold scores (n, H) of both halves, NaN where there is none, and their ``labels`` (-1 there)."""

    entries: Entries
    trees: Array
    linear: Array
    labels: Array

    def told(self, weights: tuple[float, float]) -> Told:
        """The weighted scores (n, H), 0 where there is none, with their outcomes."""
        scores = np.nan_to_num(weights[0] * self.trees + weights[1] * self.linear)
        rows = self.entries.matrix.rows
        return Told(scores, self.labels, rows.as_of, rows.account)


@dataclass(frozen=True)
class Fitted:
    """A model, with what it was calibrated on: out-of-fold risks (m, H) and their outcomes int8 (m, H), -1 where there
    is no score."""

    model: RiskModel
    scored: Array
    scored_labels: Array


def fit(entries: Entries, settings: RiskSettings, definition: Definition, members: int = MEMBERS) -> Fitted:
    """Learn from all usable entries; everything by chance follows from ``settings.seed``.

    Without ``members`` (0) the model has no intervals, and is learned in a fraction of the time.
    """
    entries = entries.used_rows()
    sample = tried(entries, settings.seed)
    folds, in_time = make_folds(sample, settings.seed)
    held, last = out_of_fold(sample, folds, settings)
    linear, beyond = _linear(sample)
    weights = _weights(held, int(entries.lost_accounts(entries.usable).max()))
    blend = Blend(_trees(entries, settings), linear, *weights)
    scores = _levelled(held, last, folds, blend) if in_time else held.told(weights).scores
    account = sample.matrix.rows.account
    calibration = fit_calibration(scores, held.labels, account, beyond=weights[1] * beyond)
    others, spread = _members(entries, held, scores, blend, settings, members)
    matrix, horizons = entries.matrix, entries.outcomes.horizons
    model = RiskModel(
        blend, matrix.columns, matrix.fingerprint, horizons, calibration, definition, settings, others, spread
    )
    return Fitted(model, expit(calibration.logits(scores)), held.labels)


def tried(entries: Entries, seed: int) -> Entries:
    """The share of entries that settings, calibration and the linear model come from."""
    return entries.share(MOST_TRIED, seed, LEAST_LOST)


def out_of_fold(entries: Entries, folds: list[Fold], settings: RiskSettings) -> tuple[Held, Held]:
    """Scores of the entries that the folds score, and those that the models of the last ones (in time) give to what
    they learned from."""
    horizons = entries.outcomes.horizons
    values, days_to_end = entries.matrix.values, entries.matrix.standing.days_to_end
    trees, linear, own_trees, own_linear = (np.full(entries.usable.shape, np.nan) for _ in range(4))
    begun = [_begins(entries, fold) for fold in folds]

    def score(booster: lgb.Booster, documented: LinearModel, wanted: Array, trees: Array, linear: Array) -> None:
        rows = np.flatnonzero(wanted.any(axis=1))
        found = predict_scores(booster, values[rows], days_to_end[rows], horizons)
        trees[rows] = np.where(wanted[rows], found, trees[rows])
        found = documented.scores(values[rows], days_to_end[rows], horizons)
        linear[rows] = np.where(wanted[rows], found, linear[rows])

    for fold, begin in zip(folds, begun, strict=True):
        learned = entries.only(fold.learn).used_rows()
        booster, documented = _trees(learned, settings), _linear(learned)[0]
        score(booster, documented, fold.score, trees, linear)
        if begin == max(begun):
            score(booster, documented, fold.learn, own_trees, own_linear)

    def held(trees: Array, linear: Array) -> Held:
        return Held(entries, trees, linear, np.where(np.isnan(linear), -1, entries.labels).astype(np.int8))

    return held(trees, linear), held(own_trees, own_linear)


def _begins(entries: Entries, fold: Fold) -> int:
    """The first moment of what a fold scores."""
    return int(entries.matrix.rows.as_of[fold.score.any(axis=1)].min())


def _levelled(held: Held, last: Held, folds: list[Fold], blend: Blend) -> Array:
    """The out-of-fold scores at the level of the model that ships."""
    weights = (blend.trees_weight, blend.linear_weight)
    entries, begun = held.entries, defaultdict[int, Array](lambda: np.zeros(len(held.labels), dtype=bool))
    for fold in folds:
        begun[_begins(entries, fold)] |= fold.score.any(axis=1)
    matrix = entries.matrix
    scores = blend.scores(matrix.values, matrix.standing.days_to_end, entries.outcomes.horizons)
    final = replace(held.told(weights), scores=scores, labels=entries.labels)
    return levelled(held.told(weights), [begun[begin] for begin in sorted(begun)], last.told(weights), final)


def _weights(held: Held, lost: int) -> tuple[float, float]:
    """The weights of trees and linear model: the rule of evidence, corrected by out-of-fold scores."""
    rule = lost / (lost + LOSSES_FOR_HALF)
    row, place = np.nonzero(held.labels >= 0)
    outcome = held.labels[row, place] == 1
    if not 0 < outcome.sum() < len(outcome):
        return rule, 1.0 - rule
    horizons = held.labels.shape[1]
    levels = np.eye(horizons)[place][:, 1:]
    inputs = np.column_stack((held.trees[row, place], held.linear[row, place], levels))
    free = np.zeros(horizons - 1)
    learned = DirectedLogistic(
        prior=np.append([rule, 1.0 - rule], free),
        strength=np.append([LOSSES_BEHIND_RULE, LOSSES_BEHIND_RULE], free + 1e-3),
        directed=np.append([True, True], free > 0),
    ).fit(inputs, outcome, np.full(len(row), 1.0 / held.entries.rows_per_loss))
    trees, linear = learned.coef_[0, :2].tolist()
    return (trees, linear) if trees + linear > 0 else (rule, 1.0 - rule)


def _members(
    entries: Entries, held: Held, scores: Array, blend: Blend, settings: RiskSettings, wanted: int
) -> tuple[tuple[Member, ...], float]:
    """The whole learned again from groups drawn with replacement, and the root of the share of groups drawn."""
    groups, member = np.unique(entries.group, return_inverse=True)
    held_member = np.searchsorted(groups, held.entries.group)
    drawn_at_once = max(int(min(1.0, MOST_OF_MEMBER / int(entries.usable.sum())) * len(groups)), 1)

    def learn(chance: np.random.Generator) -> Member:
        while True:
            times = np.bincount(chance.integers(len(groups), size=drawn_at_once), minlength=len(groups))
            drawn = entries.rows(np.flatnonzero(times[member] > 0))
            again = np.repeat(np.arange(len(held_member)), times[held_member])
            if _teaches(drawn.labels) and bool((held.labels[again] >= 0).any(axis=0).all()):
                break  # else nothing could be learned, or nothing calibrated, from what chance has drawn
        weight = times[np.searchsorted(groups, drawn.group)]
        linear, beyond = _linear(drawn, weight, chance)
        return Member(
            replace(blend, booster=_trees(drawn, settings, weight), linear=linear),
            _recalibrated(held, scores, again, blend.linear_weight * beyond),
        )

    chances = np.random.default_rng(settings.seed).spawn(wanted)
    # One after the other: LightGBM's number of threads is one for the whole process, and training in two threads of
    # ours at once ends in a crash (seen with 4.7).
    return tuple(learn(chance) for chance in chances), float(np.sqrt(drawn_at_once / len(groups)))


def _recalibrated(held: Held, scores: Array, rows: Array, beyond: Array) -> Calibration:
    """The calibration by out-of-fold scores of ``rows``, where an account drawn twice counts as two."""
    account = held.entries.matrix.rows.account[rows].astype(np.int64)
    nth = np.arange(len(rows)) - np.searchsorted(rows, rows)
    copies = account * len(rows) + nth
    return fit_calibration(scores[rows], held.labels[rows], copies, beyond=beyond)


def _teaches(labels: Array) -> bool:
    """Whether there are losses and others among them."""
    return bool((labels == 1).any() and (labels == 0).any())


def _trees(entries: Entries, settings: RiskSettings, times: Array | None = None) -> lgb.Booster:
    learned = entries.used_rows()
    matrix = learned.matrix
    weight = learned.weight if times is None else learned.weight * times
    days_to_end, horizons = matrix.standing.days_to_end, learned.outcomes.horizons
    return train_booster(matrix.values, days_to_end, matrix.indicators, learned.labels, horizons, weight, settings)


def _linear(
    entries: Entries, times: Array | None = None, chance: np.random.Generator | None = None
) -> tuple[LinearModel, Array]:
    learned = entries.used_rows()
    matrix = learned.matrix
    weight = learned.weight if times is None else learned.weight * times
    return fit_linear(
        matrix.values,
        matrix.standing.days_to_end,
        matrix.indicators,
        learned.labels,
        learned.outcomes.horizons,
        weight / learned.rows_per_loss,
        chance,
    )
