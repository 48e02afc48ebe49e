"""How good predictions are: measures of one scorer, and paired bootstrap comparisons of several on the same
rows.

Every measure is weighted and safe under ties: rows with equal risks are never ordered by chance, so that
nothing depends on the order of rows. A bootstrap resample of accounts is then only another set of weights,
and a thousand resamples of a measure are a few array operations on one sorted list.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from features.histories.log import Array

MEASURES = ("auc", "average_precision", "brier", "log_loss", "ece", "lift_top_decile")

LOWER_IS_BETTER = frozenset({"brier", "log_loss", "ece"})

BINS = 10
"""Equal-mass bins of the expected calibration error and of the reliability plot."""

_CELLS = 4_000_000
"""Weights held at a time while resampling, which bounds the memory."""


@dataclass(frozen=True)
class Estimate:
    """A measured value with its bootstrap interval (95 %); NaN where it is not defined."""

    value: float
    low: float
    high: float


class Ranked:
    """Rows in the order of falling risk, tied rows together: what all measures of one scorer are computed
    from.

    ``risk`` float (n,) in [0, 1] and ``lost`` bool (n,). The measures take weights (m, n), in the rows' own
    order, and give (m,): one value for each set of weights.
    """

    def __init__(self, risk: Array, lost: Array) -> None:
        if len(risk) != len(lost):
            raise ValueError(f"{len(risk)} risks for {len(lost)} outcomes")
        if not bool(np.isfinite(risk).all()):
            raise ValueError("risks must be finite")
        self.order = np.argsort(-risk, kind="stable")
        self.risk = np.asarray(risk, dtype=np.float64)[self.order]
        self.lost = np.asarray(lost, dtype=np.float64)[self.order]
        self.first = np.flatnonzero(np.diff(self.risk, prepend=np.inf))
        """Where each group of tied rows begins."""

    def measures(self, weight: Array | None = None) -> dict[str, Array]:
        """All ``MEASURES``, each (m,); ``weight`` (m, n), one each if not given. NaN where a measure is
        undefined."""
        if not len(self.risk):
            return {name: np.full(1, np.nan) for name in MEASURES}
        weights = np.ones((1, len(self.risk))) if weight is None else weight[:, self.order].astype(np.float64)
        losses = np.add.reduceat(weights * self.lost, self.first, axis=1)
        total = np.add.reduceat(weights, self.first, axis=1)
        risk = self.risk[self.first]
        with np.errstate(divide="ignore", invalid="ignore"):
            return {
                "auc": _auc(losses, total),
                "average_precision": _average_precision(losses, total),
                "brier": _mean(weights, (self.risk - self.lost) ** 2),
                "log_loss": _mean(weights, _surprise(self.risk, self.lost)),
                "ece": _calibration_error(losses, total, risk),
                "lift_top_decile": _lift(losses, total, share=0.1),
            }


def measure(risk: Array, lost: Array) -> dict[str, float]:
    """All ``MEASURES`` of risks (n,) against what happened (bool (n,)).

    >>> found = measure(np.array([0.9, 0.5, 0.5, 0.1]), np.array([True, True, False, False]))
    >>> found["auc"], round(found["brier"], 3)
    (0.875, 0.13)
    """
    return {name: float(values[0]) for name, values in Ranked(risk, lost).measures().items()}


def compare(
    risks: Mapping[str, Array], lost: Array, group: Array, resamples: int = 1000, seed: int = 7
) -> tuple[dict[str, dict[str, Estimate]], dict[str, dict[str, Estimate]]]:
    """Measures of every scorer, and the first one's lead over each other one, with intervals.

    ``risks`` by scorer's name (n,), the one in question first; ``lost`` bool (n,); ``group`` (n,) codes of
    what is resampled as a whole (accounts, or groups of them). All scorers are judged on the same resamples
    (paired), so that the interval of a difference is as narrow as it deserves to be. A difference is the
    first scorer's value minus the other's. Resamples without a loss, or with nothing but losses, carry no
    ranking and are left out of its interval.
    """
    ranked = {name: Ranked(risk, lost) for name, risk in risks.items()}
    draws = _draws(ranked, group, resamples, seed)
    points = {name: measure(risk, lost) for name, risk in risks.items()}
    subject, *others = ranked
    measured = {name: {m: _estimate(points[name][m], draws[name][m]) for m in MEASURES} for name in ranked}
    leads = {
        name: {m: _estimate(points[subject][m] - points[name][m], draws[subject][m] - draws[name][m]) for m in MEASURES}
        for name in others
    }
    return measured, leads


def calibration_bins(risk: Array, lost: Array) -> tuple[Array, Array, Array]:
    """Mean risk, share lost and number of rows in equal-mass bins of falling risk, empty bins left out."""
    ranked = Ranked(risk, lost)
    losses = np.add.reduceat(ranked.lost, ranked.first)
    total = np.diff(np.append(ranked.first, len(risk)))
    losses, rows, mass = _binned(losses[None], total[None].astype(np.float64), ranked.risk[ranked.first])
    used = rows[0] > 0
    return mass[0, used] / rows[0, used], losses[0, used] / rows[0, used], rows[0, used]


def gain_curve(risk: Array, lost: Array) -> tuple[Array, Array]:
    """Share of rows taken in the order of falling risk, and share of losses among them; tied rows taken
    together."""
    ranked = Ranked(risk, lost)
    total = np.diff(np.append(ranked.first, len(risk))).cumsum()
    losses = np.add.reduceat(ranked.lost, ranked.first).cumsum()
    return np.append(0.0, total / total[-1]), np.append(0.0, losses / losses[-1])


def _draws(ranked: Mapping[str, Ranked], group: Array, resamples: int, seed: int) -> dict[str, dict[str, Array]]:
    groups, member = np.unique(group, return_inverse=True)
    random = np.random.default_rng(seed)
    parts: dict[str, list[dict[str, Array]]] = {name: [] for name in ranked}
    step = max(1, _CELLS // max(len(group), 1))
    for begun in range(0, resamples, step):
        size = min(step, resamples - begun)
        counts = random.multinomial(len(groups), np.full(len(groups), 1 / len(groups)), size=size)
        weight = counts[:, member]
        for name, one in ranked.items():
            parts[name].append(one.measures(weight))
    return {name: {m: np.concatenate([part[m] for part in found]) for m in MEASURES} for name, found in parts.items()}


def _estimate(value: float, draws: Array) -> Estimate:
    """The value with the spread of its resamples around it: calibration errors of resamples lean high, so the
    middle of the interval is put at the value."""
    usable = draws[np.isfinite(draws)]
    if not len(usable):
        return Estimate(value, math.nan, math.nan)
    low, middle, high = np.quantile(usable, [0.025, 0.5, 0.975]).tolist()
    return Estimate(value, value + low - middle, value + high - middle)


def _mean(weights: Array, values: Array) -> Array:
    mean: Array = (weights @ values) / weights.sum(axis=1)
    return mean


def _surprise(risk: Array, lost: Array) -> Array:
    said: Array = np.clip(np.where(lost > 0, risk, 1 - risk), 1e-15, None)
    surprise: Array = -np.log(said)
    return surprise


def _auc(losses: Array, total: Array) -> Array:
    """Chance that a lost row stands above a kept one, ties counting one half."""
    kept = total - losses
    below = kept.sum(axis=1, keepdims=True) - kept.cumsum(axis=1)
    pairs = (losses * (below + kept / 2)).sum(axis=1)
    auc: Array = pairs / (losses.sum(axis=1) * kept.sum(axis=1))
    return auc


def _average_precision(losses: Array, total: Array) -> Array:
    """Precision at each distinct risk, weighted by the losses found there."""
    taken = total.cumsum(axis=1)
    precision = np.divide(losses.cumsum(axis=1), taken, out=np.zeros_like(taken), where=taken > 0)
    found: Array = (losses * precision).sum(axis=1) / losses.sum(axis=1)
    return found


def _lift(losses: Array, total: Array, share: float) -> Array:
    """Losses in the top share of rows over those expected there; the last, split group of ties counts in
    part."""
    rows = total.sum(axis=1, keepdims=True)
    wanted = share * rows
    room = np.clip(wanted - (total.cumsum(axis=1) - total), 0.0, total)
    rate = np.divide(losses, total, out=np.zeros_like(total), where=total > 0)
    lift: Array = (room * rate).sum(axis=1) / (share * losses.sum(axis=1))
    return lift


def _calibration_error(losses: Array, total: Array, risk: Array) -> Array:
    """Mean distance of stated and observed risk over equal-mass bins."""
    lost, rows, mass = _binned(losses, total, risk)
    error: Array = np.abs(lost - mass).sum(axis=1) / rows.sum(axis=1)
    return error


def _binned(losses: Array, total: Array, risk: Array) -> tuple[Array, Array, Array]:
    """Losses, rows and summed risk (m, BINS); a group of ties goes as a whole to the bin of its middle."""
    sets = len(total)
    middle = (total.cumsum(axis=1) - total / 2) / total.sum(axis=1, keepdims=True)
    place = np.minimum((np.nan_to_num(middle) * BINS).astype(np.int64), BINS - 1)
    cell = (place + BINS * np.arange(sets)[:, None]).ravel()
    lost, rows, mass = (
        np.bincount(cell, values.ravel(), sets * BINS).reshape(sets, BINS) for values in (losses, total, total * risk)
    )
    return lost, rows, mass
