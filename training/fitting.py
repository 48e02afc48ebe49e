"""How a risk model is made from entries with known outcomes: settings tried on folds, trees, calibration.

The same steps make the model that is judged (from outcomes settled before the test) and the one that ships
(from all outcomes), so that what is judged is the way of making it. Scores for choosing and for calibrating
are out of fold: each comes from a model that had not seen the entry's account later, nor anything settled
after its as_of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product

import lightgbm as lgb
import numpy as np
from scipy.special import expit

from features.histories.log import Array
from features.matrix import Matrix
from models.calibration import fit_calibration
from models.risk import Definition, RiskModel, RiskSettings, stack, train_booster
from training.evaluation import measure
from training.outcomes import Outcomes
from training.splits import Fold, expanding_folds, group_folds

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many steps of it are done, and how many there are."""

ROUNDS = (25, 50, 75, 100, 150, 200, 300, 400)
"""Numbers of trees that are compared; the last one is trained, the others are its beginnings."""

GRID = tuple(
    RiskSettings(
        learning_rate=0.05,
        depth=depth,
        rounds=ROUNDS[-1],
        min_child_samples=40,
        min_child_weight=3.0,
        lambda_l2=3.0,
        feature_fraction=fraction,
    )
    for depth, fraction in product((2, 1, 3), (0.5, 0.2))
)
"""The settings that are tried, the usual ones first: trees of three depths that see a half or a fifth of the columns.

Columns come in families (one fact over three windows and its trend), so trees that see few of them differ more and
their sum errs less: on small data that mattered most of all settings.
"""

MOST_TRIED = 60_000
"""Entries that settings are tried on; of more, a share of the accounts is drawn."""

MINIMUM_LOST = 5
"""Lost accounts at each horizon below which a set of scores is too thin to choose or calibrate by."""


@dataclass(frozen=True)
class Entries:
    """What can be learned from: rows of a matrix, their outcomes, and which entries (n, H) may be used.

    ``group`` int (n,): accounts, or groups of them where the training asks for groups (``grouped``).
    """

    matrix: Matrix
    outcomes: Outcomes
    usable: Array
    group: Array
    grouped: bool

    def only(self, usable: Array) -> Entries:
        """The same rows with other entries usable."""
        return replace(self, usable=usable)

    def rows(self, index: Array) -> Entries:
        """The rows at ``index`` (increasing)."""
        matrix, outcomes = self.matrix.take(index), self.outcomes
        kept = replace(
            outcomes,
            eligible=outcomes.eligible[index],
            labels=outcomes.labels[index],
            known_by=outcomes.known_by[index],
        )
        together = replace(matrix, values=np.ascontiguousarray(matrix.values))
        return replace(self, matrix=together, outcomes=kept, usable=self.usable[index], group=self.group[index])

    def horizons(self, places: Sequence[int]) -> Entries:
        """The horizons at ``places`` alone."""
        outcomes = self.outcomes
        kept = replace(
            outcomes,
            horizons=tuple(outcomes.horizons[place] for place in places),
            labels=outcomes.labels[:, places],
            known_by=outcomes.known_by[:, places],
        )
        return replace(self, outcomes=kept, usable=self.usable[:, places])

    def share(self, most: int, seed: int) -> Entries:
        """Rows of so many groups, drawn by chance, that about ``most`` entries are usable; all, if there
        are no more."""
        usable = int(self.usable.sum())
        if usable <= most:
            return self
        groups, member = np.unique(self.group, return_inverse=True)
        drawn = np.random.default_rng(seed).random(len(groups)) < most / usable
        return self.rows(np.flatnonzero(drawn[member]))

    def lost_accounts(self, entries: Array) -> Array:
        """int (H,): accounts lost among some entries, by horizon."""
        lost = entries & (self.outcomes.labels == 1)
        return np.array([len(np.unique(self.matrix.rows.account[column])) for column in lost.T])


@dataclass(frozen=True)
class Trial:
    """One of the settings tried, at its best number of rounds: out-of-fold log loss and AUC over all
    horizons."""

    settings: RiskSettings
    log_loss: float
    auc: float


def make_folds(entries: Entries, seed: int) -> tuple[list[Fold], bool]:
    """Folds for out-of-fold scores, and whether they are ordered in time.

    They are, wherever every horizon then shows ``MINIMUM_LOST`` lost accounts on both sides. A span too
    short for that is folded by groups instead, across time.
    """
    matrix, outcomes, usable = entries.matrix, entries.outcomes, entries.usable
    group = entries.group if entries.grouped else None
    folds = [
        fold
        for fold in expanding_folds(usable, outcomes, matrix.rows.as_of, group, seed=seed)
        if _teaches(fold, outcomes) and fold.score.any()
    ]
    scored = np.any([fold.score for fold in folds], axis=0) if folds else np.zeros_like(usable)
    if bool((entries.lost_accounts(scored) >= MINIMUM_LOST).all()):
        return folds, True
    return [fold for fold in group_folds(usable, entries.group, seed) if _teaches(fold, outcomes)], False


def choose(entries: Entries, folds: Sequence[Fold], grid: Sequence[RiskSettings], progress: Progress) -> list[Trial]:
    """Try each of the settings on the folds, at every number of ``ROUNDS``; the trials, the chosen one first.

    Each stands at its number of rounds with the least log loss of the out-of-fold scores, pooled over folds and
    horizons. The first of the grid is chosen unless another's loss is less by more than the standard error of the
    difference (over groups): where few losses decide, the least of many nearly equal figures is chance.
    """
    trials: dict[RiskSettings, Trial] = {}
    losses: dict[RiskSettings, Array] = {}
    for done, settings in enumerate(grid):
        progress("trying settings", done, len(grid))
        scores = out_of_fold(entries, folds, settings, [n for n in ROUNDS if n <= settings.rounds])
        for rounds, raw in scores.items():
            scored = ~np.isnan(raw)
            lost = entries.outcomes.labels[scored] == 1
            found = measure(expit(raw[scored]), lost)
            if settings not in trials or found["log_loss"] < trials[settings].log_loss:
                trials[settings] = Trial(replace(settings, rounds=rounds), found["log_loss"], found["auc"])
                each = np.zeros(raw.shape)
                each[scored] = np.logaddexp(0.0, np.where(lost, -raw[scored], raw[scored]))
                losses[settings] = each.sum(axis=1)
    progress("trying settings", len(grid), len(grid))
    usual, best = grid[0], min(grid, key=lambda settings: trials[settings].log_loss)
    chosen = best if _surely_less(losses[best], losses[usual], entries.group) else usual
    others = sorted((settings for settings in grid if settings != chosen), key=lambda one: trials[one].log_loss)
    return [trials[settings] for settings in (chosen, *others)]


def _surely_less(one: Array, other: Array, group: Array) -> bool:
    """Whether losses (n,) are less than others by more than the standard error of their sum's difference."""
    saved = np.bincount(np.unique(group, return_inverse=True)[1], weights=other - one)
    return bool(saved.sum() > np.sqrt(len(saved)) * saved.std())


def out_of_fold(
    entries: Entries, folds: Sequence[Fold], settings: RiskSettings, rounds: Sequence[int]
) -> dict[int, Array]:
    """Uncalibrated log odds (n, H) of the entries that the folds score, by number of rounds; NaN
    elsewhere."""
    labels, horizons = entries.outcomes.labels, entries.outcomes.horizons
    values, days_to_end = entries.matrix.values, entries.matrix.standing.days_to_end
    scores = {n: np.full(labels.shape, np.nan) for n in rounds}
    for fold in folds:
        learned = _trained(entries, fold.learn, replace(settings, rounds=max(rounds)))
        rows = np.flatnonzero(fold.score.any(axis=1))
        stacked = stack(values[rows], days_to_end[rows], horizons)
        for n, found in scores.items():
            raw = np.asarray(learned.predict(stacked, raw_score=True, num_iteration=n)).reshape(-1, len(horizons))
            found[rows] = np.where(fold.score[rows], raw, found[rows])
    return scores


def fit(entries: Entries, folds: Sequence[Fold], settings: RiskSettings, definition: Definition) -> RiskModel:
    """Train on all usable entries and calibrate by the folds' out-of-fold scores."""
    raw = out_of_fold(entries, folds, settings, [settings.rounds])[settings.rounds]
    labels = np.where(np.isnan(raw), -1, entries.outcomes.labels).astype(np.int8)
    matrix = entries.matrix
    calibration = fit_calibration(np.nan_to_num(raw), labels, matrix.rows.account)
    booster = _trained(entries, entries.usable, settings)
    return RiskModel(
        booster, matrix.columns, matrix.fingerprint, entries.outcomes.horizons, calibration, definition, settings
    )


def _trained(entries: Entries, learn: Array, settings: RiskSettings) -> lgb.Booster:
    rows = np.flatnonzero(learn.any(axis=1))
    labels = np.where(learn, entries.outcomes.labels, -1)[rows]
    matrix = entries.matrix
    return train_booster(
        matrix.values[rows],
        matrix.standing.days_to_end[rows],
        matrix.indicators,
        labels,
        entries.outcomes.horizons,
        None,
        settings,
    )


def _teaches(fold: Fold, outcomes: Outcomes) -> bool:
    """Whether a fold's entries to learn from hold both outcomes."""
    labels = outcomes.labels[fold.learn]
    return 0 < int(labels.sum()) < len(labels)
