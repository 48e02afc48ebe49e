"""Levels of out-of-fold scores: how far off the model that ships is to be expected, not how far the folds' own were.

The model of a fold ordered in time has learned from fewer outcomes than the one that ships, and from years of its own.
How far its scores lie from what happened next tells what *it* missed: in a young portfolio that is a lot at long
horizons, and calibrated by it the model that ships, which has seen the later years, would say too much. Each fold's
scores are therefore moved to lie as far off as is to be expected of the model that ships:

    expected = what this model lacks on the most recent outcomes that it has learned from
             + what came on top of that one step ahead, at the last fold, as far as its losses tell

where what a model lacks is the shift b of log odds at which sum(sigmoid(score + b)) is the number of losses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

from features.histories.log import Array

RECENT = 1 / 3
"""Share of the losses, the latest ones, since the first of which outcomes are recent."""

LOSSES_BEHIND_STEP = 30.0
"""Lost accounts at which the step ahead counts by half."""

_FARTHEST = 20.0


@dataclass(frozen=True)
class Told:
    """Scores (n, H) of rows and their outcomes int8 (n, H), -1 where there is none; ``as_of`` (n,) and ``account`` (n,)
    of the rows."""

    scores: Array
    labels: Array
    as_of: Array
    account: Array

    def lacks(self, entries: Array, place: int) -> float:
        """The shift of log odds that the scores of some rows (bool (n,)) lack at a horizon, drawn to 0 by what one lost
        account would tell."""
        score, lost = self.scores[entries, place], self.labels[entries, place] == 1
        believed = float(expit(score).sum())
        losses = int(lost.sum())
        accounts = len(np.unique(self.account[entries][lost]))
        pull = max(losses, 1) / max(accounts, 1) / max(losses, believed)
        wanted = (losses + pull * believed) / (1 + pull)
        return float(brentq(lambda shift: expit(score + shift).sum() - wanted, -_FARTHEST, _FARTHEST))

    def recent(self, place: int) -> Array:
        """bool (n,): rows with a recent outcome at a horizon."""
        lost = np.sort(self.as_of[self.labels[:, place] == 1])
        known = self.labels[:, place] >= 0
        return known & (self.as_of >= lost[int(len(lost) * (1 - RECENT))]) if len(lost) else known


def levelled(held: Told, folds: Sequence[Array], last: Told, final: Told) -> Array:
    """The out-of-fold scores (n, H), each fold's moved to lie as far off as is to be expected of the final model.

    ``folds``: the rows (bool (n,)) of each moment at which folds begin, in the order of time; ``last``: the scores that
    the models of the last ones gave to what they learned from; ``final``: those of the final model for what it learned
    from.
    """
    moved = held.scores.copy()
    for place in range(moved.shape[1]):
        known = held.labels[:, place] >= 0
        begun = [rows & known for rows in folds if (rows & known).any()]
        ahead = held.lacks(begun[-1], place) - last.lacks(last.recent(place), place)
        lost = held.labels[begun[-1], place] == 1
        losses = len(np.unique(held.account[begun[-1]][lost]))
        expected = final.lacks(final.recent(place), place) + losses / (losses + LOSSES_BEHIND_STEP) * ahead
        for rows in begun:
            moved[rows, place] += held.lacks(rows, place) - expected
    return moved
