"""The linear half of the risk: a logistic score over the matrix's columns, with the documented directions.

    score(row, h) = intercept + sum_j coef_j * x_j + sum_k ramp_k * r_k(h - days to the end)

x_j is the column's figure, brought to a common scale and cut off at three spreads from the middle, so that no single
odd figure decides; an unknown figure adds nothing. The contract's end is one of the facts that a straight line cannot
tell: r_k rises from 0 to 1 between two neighbouring ``KNOTS`` of the days that the horizon reaches past it. How much
more is lost within a longer horizon than within a shorter one is left to calibration.

The coefficients come from ``training``; here they are only used. All of it is plain numbers, so that the archive can
hold it as JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

KNOTS = (-365.0, -180.0, -90.0, -45.0, -15.0, 0.0, 15.0, 30.0, 60.0, 90.0, 180.0, 365.0)
"""Days past the contract's end between which the score may rise. A contract that nobody renews counts as lost 60
days after its end, and renewals are lost in the weeks before it."""

CUT_OFF = 3.0
"""Spreads from the middle beyond which a figure counts no further."""


@dataclass(frozen=True, eq=False)
class LinearModel:
    """Scores that are linear in scaled figures. ``centre``, ``scale``, ``mean`` and ``coef`` are (columns,):
    x = clip((figure - centre) / scale, -3, 3) - mean, 0 where unknown. ``ramps`` (len(KNOTS) - 1,) and
    ``usual_ramps``, the ramps' values that stand for an unknown end.

    Errors: ValueError where the arrays do not fit together, a scale is not above 0, or a ramp is below 0 (the score
    must never fall along the horizon).
    """

    centre: np.ndarray
    scale: np.ndarray
    mean: np.ndarray
    coef: np.ndarray
    intercept: float
    ramps: np.ndarray
    usual_ramps: np.ndarray

    def __post_init__(self) -> None:
        lengths = {len(part) for part in (self.centre, self.scale, self.mean, self.coef)}
        if len(lengths) != 1 or len(self.ramps) != len(KNOTS) - 1 or len(self.usual_ramps) != len(KNOTS) - 1:
            raise ValueError("the linear model's arrays differ in length")
        if not (self.scale > 0).all():
            raise ValueError("the linear model's scales must be above 0")
        if (self.ramps < 0).any():
            raise ValueError("the linear model's score must never fall along the horizon")

    def scores(self, values: np.ndarray, days_to_end: np.ndarray, horizons: Sequence[int]) -> np.ndarray:
        """Uncalibrated log odds (n, H) of figures (n, columns) and days to the contract's end (n,), NaN unknown."""
        # Summed row by row, not as a matrix product, whose last bits would depend on how many rows there are.
        rows = np.multiply(self.inputs(values), self.coef, order="C").sum(axis=1) + self.intercept
        days = np.asarray(horizons, dtype=np.float64)
        return np.asarray(rows[:, None] + self._ramped(days - days_to_end[:, None]))

    def contributions(self, values: np.ndarray, days_to_end: np.ndarray, horizon: int) -> np.ndarray:
        """(n, columns + 3): what each column, the horizon (nothing), and the days past the contract's end add to the
        mean score over the training rows, which is the last column; they add up to the score."""
        rows, columns = values.shape
        found = np.empty((rows, columns + 3))
        np.multiply(self.inputs(values), self.coef, out=found[:, :columns])
        found[:, columns] = 0.0
        usual_end = float(self.usual_ramps @ self.ramps)
        found[:, columns + 1] = self._ramped(horizon - days_to_end) - usual_end
        found[:, columns + 2] = self.intercept + usual_end
        return found

    def to_json(self) -> dict[str, Any]:
        """As plain JSON data; ``from_json`` gives the same numbers back to the last bit."""
        return {name: part.tolist() if isinstance(part, np.ndarray) else part for name, part in asdict(self).items()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> LinearModel:
        """What ``to_json`` gave; TypeError or ValueError where it is something else."""
        parts: dict[str, Any] = {
            name: np.array(part, float) if isinstance(part, list) else part for name, part in data.items()
        }
        return cls(**parts)

    def inputs(self, values: np.ndarray) -> np.ndarray:
        """The scaled figures x (n, columns); 0 where unknown."""
        scaled = np.clip((values - self.centre) / self.scale, -CUT_OFF, CUT_OFF) - self.mean
        return np.asarray(np.nan_to_num(scaled, copy=False))

    def _ramped(self, past_end: np.ndarray) -> np.ndarray:
        # A sum of parts that never fall, so that none falls by rounding either (as interpolation between knots does).
        known = (ramps(past_end) * self.ramps).sum(axis=-1)
        return np.where(np.isnan(past_end), float(self.usual_ramps @ self.ramps), known)


def ramps(past_end: np.ndarray) -> np.ndarray:
    """(..., len(KNOTS) - 1): how far each ramp has risen, 0 to 1; NaN where the end is unknown.

    >>> ramps(np.array([20.0])).sum().round(2)
    np.float64(6.33)
    """
    low, high = np.array(KNOTS[:-1]), np.array(KNOTS[1:])
    return np.asarray(np.clip((past_end[..., None] - low) / (high - low), 0.0, 1.0))
