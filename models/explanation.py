"""Explanations: what each indicator adds to one account's risk, in log odds and in probability points.

The contributions (exact Shapley values of the trees and of the linear model, ``models.blend``) add up to the
uncalibrated score; calibration is linear in it, so a times a contribution is the share phi_i of the calibrated z:

    z = z0 + time ahead + sum phi_i          z0 = a * (mean score over the training rows) + b_h

Probability is not additive in log odds. Each share is therefore told on the straight line from z0 to z:

    points_i = phi_i * (sigma(z) - sigma(z0)) / (z - z0)          (the limit is phi_i * sigma'(z0))

which keeps sign and order of the shares and adds up to sigma(z) - sigma(z0). The model's input ``horizon``
is the line "time ahead": it tells nothing of the client and is never a reason. ``horizon_past_contract_end``
is a view of the days to the contract's end, and its share is told there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit, exprel

from features.indicators import Indicator
from models.risk import CONTRACT_END, EXPLAINED, RiskModel
from models.wording import sentence

if TYPE_CHECKING:
    from features.matrix import Matrix

NEGLIGIBLE = 0.01
"""A signal whose share is smaller than this (in log odds, about 1 % of the odds) is not given as a reason."""


@dataclass(frozen=True)
class Explanation:
    """Shares of the risk at one horizon, one row for each of the matrix.

    ``signal_columns`` are the places of each signal's columns. ``base`` is z0 and ``base_risk`` sigma(z0), the same
    for every row. ``logit``, ``risk``, ``time_ahead``, ``time_ahead_points`` are (n,), ``log_odds`` and ``points``
    (n, columns). To 1e-9: base + time_ahead + log_odds.sum(1) = logit and
    base_risk + time_ahead_points + points.sum(1) = risk.
    """

    horizon: int
    signal_columns: dict[str, list[int]]
    base: float
    base_risk: float
    logit: np.ndarray
    risk: np.ndarray
    log_odds: np.ndarray
    time_ahead: np.ndarray
    points: np.ndarray
    time_ahead_points: np.ndarray


@dataclass(frozen=True)
class Share:
    """A share of the risk, in log odds and in probability points (0.01 is one percentage point)."""

    log_odds: float
    points: float


@dataclass(frozen=True)
class Reason:
    """One signal's part in an account's risk, told by the figure that carries most of it in the same
    direction.

    ``log_odds`` and ``points`` are the whole signal's. ``value`` is None where the figure is unknown, then
    so is ``mark_met``; ``mark``, ``mark_met`` and ``documented`` are None where the figure has no mark.
    ``direction`` is the figure's better direction, or "context". ``evidence`` is None where the matrix was
    built without counts.
    """

    signal: str
    name: str
    column: str
    sentence: str
    value: float | None
    unit: str
    mark: str | None
    mark_met: bool | None
    documented: bool | None
    direction: str | None
    source: str
    evidence: int | None
    evidence_unit: str
    log_odds: float
    points: float

    @property
    def raises(self) -> bool:
        """Whether it raises the risk (it lowers it otherwise)."""
        return self.log_odds > 0


@dataclass(frozen=True)
class RowExplanation:
    """One row of an explanation, with its matrix."""

    explanation: Explanation
    matrix: Matrix
    row: int

    @property
    def time_ahead(self) -> Share:
        """The share of the horizon itself."""
        whole = self.explanation
        return Share(float(whole.time_ahead[self.row]), float(whole.time_ahead_points[self.row]))

    def signals(self) -> dict[str, Share]:
        """The share of every signal: the sum over its columns."""
        log_odds = self.explanation.log_odds[self.row].tolist()
        points = self.explanation.points[self.row].tolist()
        return {
            signal: Share(math.fsum(log_odds[at] for at in columns), math.fsum(points[at] for at in columns))
            for signal, columns in self.explanation.signal_columns.items()
        }

    def reasons(self, most: int = 5) -> list[Reason]:
        """See `reasons`."""
        return reasons(self.explanation, self.matrix, self.row, most)


def explain(model: RiskModel, matrix: Matrix, horizon: int = EXPLAINED) -> Explanation:
    """Explain the risk of every row at one horizon.

    Errors: ValueError for a horizon that the model does not know.
    """
    level = model.calibration.b[model.horizon_index(horizon)]
    values, days_to_end = matrix.values, matrix.standing.days_to_end
    rows, columns = values.shape

    phi = model.calibration.a * _contributions(model, values, days_to_end, horizon)
    base = float(phi[0, -1]) + level
    log_odds, time_ahead, past_end = phi[:rows, :columns], phi[:rows, columns], phi[:rows, columns + 1]
    log_odds[:, model.columns.index(CONTRACT_END)] += past_end
    logit = model.logits(values, days_to_end, horizon)
    per_log_odds = chord(logit, base)
    return Explanation(
        horizon=horizon,
        signal_columns=_signal_columns(matrix.indicators),
        base=base,
        base_risk=float(expit(base)),
        logit=logit,
        risk=np.asarray(expit(logit)),
        log_odds=log_odds,
        time_ahead=time_ahead,
        points=log_odds * per_log_odds[:, None],
        time_ahead_points=time_ahead * per_log_odds,
    )


def _contributions(model: RiskModel, values: np.ndarray, days_to_end: np.ndarray, horizon: int) -> np.ndarray:
    """Contributions (n, columns + 3) to the uncalibrated score; the last column is the mean over the
    training rows.

    Of no rows, one row of unknowns is explained, for its mean.
    """
    if not len(values):
        values, days_to_end = np.full((1, len(model.columns)), np.nan), np.full(1, np.nan)
    return model.blend.contributions(values, days_to_end, horizon)


def chord(z: np.ndarray, base: float) -> np.ndarray:
    """(sigma(z) - sigma(base)) / (z - base), exact also where the two are close; sigma'(base) where equal.

    With l the lower and u the upper of the two: sigma(u) - sigma(l) = sigma(u) * sigma(-l) * (1 - e**(l - u)).

    >>> chord(np.array([0.0, 1e-12, 2.0]), 0.0).round(6)
    array([0.25    , 0.25    , 0.190399])
    """
    lower, upper = np.minimum(z, base), np.maximum(z, base)
    return np.asarray(expit(upper) * expit(-lower) * exprel(lower - upper))


def by_signal(explanation: Explanation) -> dict[str, np.ndarray]:
    """Log odds (n,) of every signal, in the order of the columns."""
    shares = explanation.log_odds
    return {signal: shares[:, columns].sum(axis=1) for signal, columns in explanation.signal_columns.items()}


def _signal_columns(indicators: Sequence[Indicator]) -> dict[str, list[int]]:
    columns: dict[str, list[int]] = {}
    for place, indicator in enumerate(indicators):
        columns.setdefault(indicator.signal.id, []).append(place)
    return columns


def reasons(explanation: Explanation, matrix: Matrix, row: int, most: int = 5) -> list[Reason]:
    """The strongest signals of a row, raising or lowering its risk, strongest first."""
    shares = explanation.log_odds[row].tolist()
    signals = RowExplanation(explanation, matrix, row).signals()
    told = [signal for signal, share in signals.items() if abs(share.log_odds) >= NEGLIGIBLE]
    found = []
    for signal in sorted(told, key=lambda signal: -abs(signals[signal].log_odds))[:most]:
        strongest = max if signals[signal].log_odds > 0 else min
        figure = strongest(explanation.signal_columns[signal], key=shares.__getitem__)
        found.append(_reason(matrix, row, figure, signals[signal]))
    return found


def _reason(matrix: Matrix, row: int, place: int, share: Share) -> Reason:
    indicator = matrix.indicators[place]
    value = float(matrix.values[row, place])
    mark = None if indicator.context else indicator.mark
    return Reason(
        signal=indicator.signal.id,
        name=indicator.signal.name,
        column=indicator.column,
        sentence=sentence(indicator, value, raises=share.log_odds > 0),
        value=None if np.isnan(value) else value,
        unit=indicator.unit,
        mark=None if mark is None else str(mark),
        mark_met=None if mark is None else mark.met(value),
        documented=None if mark is None else mark.documented,
        direction="context" if indicator.context else indicator.better,
        source=indicator.signal.source,
        evidence=None if matrix.evidence is None else int(matrix.evidence[row, place]),
        evidence_unit=indicator.evidence_unit,
        log_odds=share.log_odds,
        points=share.points,
    )
