"""What can be learned from, and what of it is held back in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from features.histories.log import Array
from features.matrix import Matrix
from training.outcomes import CannotTrain, Outcomes
from training.splits import Fold, expanding_folds, group_folds

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many steps of it are done, and how many there are."""

LEAST_LEARNED = 10
"""Lost accounts at a horizon that a fold ordered in time must have learned from to score it. Outcomes of long horizons
are settled last: what the first folds say of them is far too low, and calibration would raise what is right."""

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

    def used_rows(self) -> Entries:
        """The rows with a usable entry; all, if every row has one."""
        used = self.usable.any(axis=1)
        return self if bool(used.all()) else self.rows(np.flatnonzero(used))

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

    def share(self, most: int, seed: int, lost: int = 0) -> Entries:
        """Rows of so many accounts, drawn by chance, that about ``most`` entries are usable; all, if there are no more.

        The same share of lost accounts and of others is drawn, and a larger one where it would hold fewer than ``lost``
        accounts lost at some horizon.
        """
        usable, losses = int(self.usable.sum()), int(self.lost_accounts(self.usable).min())
        part = max(most / usable, lost / max(losses, 1)) if usable > most else 1.0
        if part >= 1:
            return self
        accounts, member = np.unique(self.matrix.rows.account, return_inverse=True)
        leaves = np.bincount(member, (self.labels == 1).any(axis=1)) > 0
        dice = np.random.default_rng(seed).random(len(accounts))
        drawn = np.zeros(len(accounts), dtype=bool)
        for alike in (np.flatnonzero(leaves), np.flatnonzero(~leaves)):
            drawn[alike[np.argsort(dice[alike])[: int(np.ceil(part * len(alike)))]]] = True
        return self.rows(np.flatnonzero(drawn[member]))

    def lost_accounts(self, entries: Array) -> Array:
        """int (H,): accounts lost among some entries, by horizon."""
        lost = entries & (self.outcomes.labels == 1)
        return np.array([len(np.unique(self.matrix.rows.account[column])) for column in lost.T])

    @property
    def labels(self) -> Array:
        """int8 (n, H): outcomes of the usable entries, -1 elsewhere."""
        return np.where(self.usable, self.outcomes.labels, -1).astype(np.int8)

    @property
    def weight(self) -> Array:
        """float64 (n,): what each row weighs in learning, 1 on average. An account weighs as the root of its number of
        rows: more history tells more, but a hundred months of one client are not a hundred clients."""
        rows = np.bincount(self.matrix.rows.account)[self.matrix.rows.account]
        weight = 1.0 / np.sqrt(rows)
        return np.asarray(weight / weight.mean())

    @property
    def rows_per_loss(self) -> float:
        """Entries in which one lost account shows; 1 where none was lost."""
        lost = self.labels == 1
        return float(lost.sum() / max(len(np.unique(self.matrix.rows.account[lost.any(axis=1)])), 1)) or 1.0


def make_folds(entries: Entries, seed: int) -> tuple[list[Fold], bool]:
    """Folds for out-of-fold scores, and whether they are ordered in time.

    They are, wherever every horizon then shows ``MINIMUM_LOST`` lost accounts among what is scored. A span too
    short for that is folded by groups instead, across time.

    Raises CannotTrain where no group can be foretold by what the others show.
    """
    usable = entries.usable
    group = entries.group if entries.grouped else None
    expanding = expanding_folds(usable, entries.outcomes, entries.matrix.rows.as_of, group, seed=seed)
    folds = _useful(entries, expanding)
    scored = np.any([fold.score for fold in folds], axis=0) if folds else np.zeros_like(usable)
    if bool((entries.lost_accounts(scored) >= MINIMUM_LOST).all()):
        return folds, True
    folds = _useful(entries, group_folds(usable, entries.group, seed), least=0)
    if not folds:
        raise CannotTrain(
            f"no {'group' if entries.grouped else 'account'} can be foretold by what the others show: "
            "all known outcomes are of one, or all are alike"
        )
    return folds, False


def _useful(entries: Entries, folds: Iterable[Fold], least: int = LEAST_LEARNED) -> list[Fold]:
    """The folds that learn from both outcomes and score something: the horizons at which they learned from so many
    lost accounts."""
    useful = []
    for fold in folds:
        learned = entries.lost_accounts(fold.learn)
        fold = replace(fold, score=fold.score & (learned >= least))
        if learned.max() > 0 and not entries.outcomes.labels[fold.learn].all() and fold.score.any():
            useful.append(fold)
    return useful
