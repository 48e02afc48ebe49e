"""The score of the risk: trees and a linear model, added with weights.

    score(row, h) = w_trees * trees(row, h) + w_linear * linear(row, h)

Trees find what the documents do not say, but need hundreds of losses for it; the linear model knows the documented
directions before the first loss. Both are additive, so their weighted sum is explained as exactly as each of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import lightgbm as lgb
import numpy as np

from models.linear import LinearModel
from models.trees import EXTRA_COLUMNS, predict_scores, stack, threads


@dataclass(frozen=True, eq=False)
class Blend:
    """Trees, a linear model over the same columns, and the weight of each.

    Errors: ValueError where the two do not have the same columns, or a weight is below 0 or both are 0.
    """

    booster: lgb.Booster
    linear: LinearModel
    trees_weight: float
    linear_weight: float

    def __post_init__(self) -> None:
        inputs, columns = self.booster.num_feature(), len(self.linear.coef)
        if inputs != columns + len(EXTRA_COLUMNS):
            raise ValueError(f"the booster has {inputs} inputs for {columns} columns")
        if not (min(self.trees_weight, self.linear_weight) >= 0 and self.trees_weight + self.linear_weight > 0):
            raise ValueError(f"weights must not be below 0 nor all 0: {self.trees_weight}, {self.linear_weight}")

    def scores(self, values: np.ndarray, days_to_end: np.ndarray, horizons: Sequence[int]) -> np.ndarray:
        """Uncalibrated log odds (n, H), never falling along H."""
        trees = predict_scores(self.booster, values, days_to_end, horizons)
        linear = self.linear.scores(values, days_to_end, horizons)
        return np.asarray(self.trees_weight * trees + self.linear_weight * linear)

    def contributions(self, values: np.ndarray, days_to_end: np.ndarray, horizon: int) -> np.ndarray:
        """(n, columns + 3): what each column, the horizon and the days past the contract's end add to the mean score
        over the training rows, which is the last column; they add up to the score.

        Exact Shapley values: LightGBM's over the trees, and those of a sum for the linear model.
        """
        stacked = stack(values, days_to_end, (horizon,))
        trees = self.booster.predict(stacked, pred_contrib=True, num_threads=threads(len(stacked)))
        linear = self.linear.contributions(values, days_to_end, horizon)
        return np.asarray(self.trees_weight * np.asarray(trees) + self.linear_weight * linear)
