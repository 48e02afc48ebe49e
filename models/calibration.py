"""Calibration: from a model's scores to log odds that match how often clients really left.

    logit p(row, h) = a * score(row, h) + b_h        with one common a > 0 and b_h that never falls as h grows

A common slope keeps every contribution to the score a contribution to the log odds (times a), and with
scores that never fall as the horizon grows the calibrated curves cannot cross.

Few losses cannot carry so many free numbers. The likelihood is therefore joined by *pseudo-losses*: copies
of the calibration rows whose outcome is what the score itself expects (odds = e**score), in an amount worth
``PRIOR_LOSSES`` lost accounts at each horizon. They pull a towards 1 and every b_h towards 0, rule where
there are fewer losses than that, and fade as the real losses grow in number. The whole remains a logistic
likelihood, hence convex with one optimum.

The form is Platt's ("Probabilistic outputs for support vector machines", 1999) with a shared slope; drawing
a prior from what a simpler model expects is the catalytic prior of Huang et al. (PNAS, 2020).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit
from threadpoolctl import threadpool_limits

PRIOR_LOSSES = 10.0
"""Lost accounts that the prior is worth at each horizon."""

SMALLEST_SLOPE = 0.05
"""The least a: a score that orders clients the wrong way round is flattened, never turned over."""


@dataclass(frozen=True)
class Calibration:
    """``a`` > 0 and one ``b`` for each horizon, never falling; a ValueError otherwise.

    >>> Calibration(2.0, (-1.0, 0.5)).logits(np.array([[0.0, 0.0], [1.0, 1.5]]))
    array([[-1. ,  0.5],
           [ 1. ,  3.5]])
    """

    a: float
    b: tuple[float, ...]

    def __post_init__(self) -> None:
        if not (np.isfinite(self.a) and self.a > 0):
            raise ValueError(f"calibration: a must be finite and above 0, not {self.a}")
        if not (self.b and np.all(np.isfinite(self.b)) and np.all(np.diff(self.b) >= 0)):
            raise ValueError(f"calibration: b must be finite and never fall with the horizon, not {self.b}")

    def logits(self, scores: np.ndarray) -> np.ndarray:
        """Calibrated log odds (n, H) of scores (n, H)."""
        return np.asarray(self.a * scores + np.asarray(self.b))


def fit_calibration(
    scores: np.ndarray,
    labels: np.ndarray,
    accounts: np.ndarray | None = None,
    prior_losses: float = PRIOR_LOSSES,
    beyond: np.ndarray | None = None,
) -> Calibration:
    """Fit a and b to scores (n, H) that the model gave to rows it had not learned from, unweighted.

    ``beyond`` (H,), 0 if not given: what is believed to come on top of the score at each horizon. The calibration is
    of the score alone; this is where the pull is to.

    ``labels`` int8 (n, H): 1 lost, 0 not, -1 unknown (left out). ``accounts`` (n,): codes of the rows'
    accounts. With them the pseudo-losses are counted in accounts, not rows: an account lost once shows in
    every snapshot shortly before, and twenty such rows are still one piece of evidence. Where no row was
    lost, or every row was, no slope can be learned and a is 1.

    Errors: ValueError where a horizon has no known outcome, or a score with a known outcome is not finite.
    """
    known = labels >= 0
    if not known.any(axis=0).all():
        raise ValueError("calibration: a horizon without any known outcome cannot be calibrated")
    if not np.isfinite(scores[known]).all():
        raise ValueError("calibration: scores must be finite")
    expected = expit(scores if beyond is None else scores + beyond)
    losses = (labels == 1).sum(axis=0)
    believed = np.where(known, expected, 0.0).sum(axis=0)
    strength = prior_losses * _rows_per_loss(labels, accounts) / np.maximum(losses, believed)

    row, horizon = np.nonzero(known)
    score, prior = scores[row, horizon], strength[horizon]
    weight = 1.0 + prior
    target = (labels[row, horizon] + prior * expected[row, horizon]) / weight
    weight = weight / weight.sum()
    learn_slope = 0 < losses.sum() < known.sum()
    return _most_likely(score, horizon, target, weight, scores.shape[1], learn_slope)


def _rows_per_loss(labels: np.ndarray, accounts: np.ndarray | None) -> np.ndarray:
    """Rows in which one lost account shows, for each horizon (1 where none was lost)."""
    if accounts is None:
        return np.ones(labels.shape[1])
    lost = labels == 1
    lost_accounts = np.array([len(np.unique(accounts[column])) for column in lost.T])
    return np.asarray(np.maximum(lost.sum(axis=0), 1) / np.maximum(lost_accounts, 1))


def _most_likely(
    score: np.ndarray,
    horizon: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray,
    horizons: int,
    learn_slope: bool,
) -> Calibration:
    """Minimise the weighted log loss over a, c_1 and the steps c_h - c_(h-1) >= 0; c_h = b_h + a * centre.

    The centred score keeps slope and level from pulling at each other, which a quasi-Newton method needs to
    end sharply.
    """
    centre = float(np.sum(weight * score))
    centred = score - centre

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        z = parameters[0] * centred + np.cumsum(parameters[1:])[horizon]
        residual = weight * (expit(z) - target)
        value = float(np.sum(weight * (np.logaddexp(0.0, z) - target * z)))
        by_horizon = np.bincount(horizon, residual, minlength=horizons)
        by_step = np.cumsum(by_horizon[::-1])[::-1]
        return value, np.concatenate(([np.sum(residual * centred)], by_step))

    slope_bounds = (SMALLEST_SLOPE, None) if learn_slope else (1.0, 1.0)
    # The steps are small: threads that wait for each other at every one would cost many times the work.
    with threadpool_limits(1, user_api="blas"):
        best = minimize(
            loss,
            np.concatenate(([1.0, centre], np.zeros(horizons - 1))),
            jac=True,
            method="L-BFGS-B",
            bounds=[slope_bounds, (None, None), *[(0.0, None)] * (horizons - 1)],
            options={"maxiter": 10_000, "maxfun": 20_000, "ftol": 1e-16, "gtol": 1e-10},
        )
    a = float(best.x[0])
    levels = np.cumsum(best.x[1:]) - a * centre
    return Calibration(a, tuple(float(level) for level in np.maximum.accumulate(levels)))
