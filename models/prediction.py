"""Predictions: each account's risk and stage as of a moment, with what explains them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.archive import FingerprintMismatch, Models, check_fingerprint
from models.explanation import Reason, RowExplanation
from models.explanation import explain as explain_rows
from models.stage import StageAnswer

if TYPE_CHECKING:
    from features.matrix import Matrix

FORMER_CLIENT = "former client"
NO_CONTRACT = "no contract yet"
NO_CONTRACT_END = "no contract end recorded"
TOO_LITTLE = "too little history"
SILENT = "silent already"


@dataclass(frozen=True)
class Prediction:
    """One account as of one moment.

    ``risk`` by horizon in days, or None, and then ``not_at_risk`` says why. ``interval`` holds the low and the high end
    of each risk (90 %), None where there is none or
    it was not asked for. ``value`` is money per year,
    None where unknown; ``revenue_at_risk`` is value times risk at ``horizon``, the horizon that is
    explained.
    """

    account_id: str
    as_of: int
    horizon: int
    risk: dict[int, float] | None
    interval: dict[int, tuple[float, float]] | None
    not_at_risk: str | None
    value: float | None
    revenue_at_risk: float | None
    stage: StageAnswer
    explanation: RowExplanation | None

    @property
    def risk_at_horizon(self) -> float | None:
        """The risk within ``horizon``."""
        return None if self.risk is None else self.risk[self.horizon]

    @property
    def reasons(self) -> list[Reason]:
        """The five strongest reasons; none without a risk or where no explanation was asked for."""
        return self.explanation.reasons() if self.explanation else []


def predict(
    models: Models, matrix: Matrix, horizon: int | None = None, explain: bool = True, interval: bool = True
) -> list[Prediction]:
    """Predict every row of a matrix, explained at one horizon (without one: the model's nearest to 180 days).
    Explanations and intervals cost more than the risks themselves and can be left out; a model that was made without
    members has no intervals.

    Errors: FingerprintMismatch where the matrix holds other columns than the models learned from, ValueError
    for a horizon that the model does not know.
    """
    model = models.risk
    check_fingerprint(model.fingerprint, matrix.fingerprint)
    if matrix.columns != model.columns:
        raise FingerprintMismatch("the matrix was made without the model's reference: its columns are not the model's")
    if horizon is None:
        horizon = model.usual_horizon
    place = model.horizon_index(horizon)
    why_not = _not_at_risk(models, matrix)
    scored = np.flatnonzero([reason is None for reason in why_not])
    eligible = matrix if len(scored) == len(matrix) else matrix.take(scored)
    risks = np.full((len(matrix), len(model.horizons)), np.nan)
    risks[scored] = model.risk(eligible.values, eligible.standing.days_to_end)
    ends: dict[int, list[list[float]]] = {}
    if interval and model.members:
        found = model.interval(eligible.values, eligible.standing.days_to_end)
        ends = dict(zip(scored.tolist(), found.tolist(), strict=True))
    explanations: dict[int, RowExplanation] = {}
    if explain:
        explanation = explain_rows(model, eligible, horizon)
        explanations = {row: RowExplanation(explanation, eligible, at) for at, row in enumerate(scored.tolist())}
    columns = zip(
        matrix.account_ids,
        matrix.rows.as_of.tolist(),
        why_not,
        risks.tolist(),
        matrix.standing.value.tolist(),
        models.stage.predict(matrix),
        strict=True,
    )
    return [
        Prediction(
            account_id=account_id,
            as_of=as_of,
            horizon=horizon,
            risk=None if reason else dict(zip(model.horizons, risk, strict=True)),
            interval=_by_horizon(model.horizons, ends[row]) if row in ends else None,
            not_at_risk=reason,
            value=known(value),
            revenue_at_risk=known(value * risk[place]),
            stage=stage,
            explanation=explanations.get(row),
        )
        for row, (account_id, as_of, reason, risk, value, stage) in enumerate(columns)
    ]


def _by_horizon(horizons: Sequence[int], ends: Sequence[Sequence[float]]) -> dict[int, tuple[float, float]]:
    return {days: (low, high) for days, (low, high) in zip(horizons, ends, strict=True)}


def _not_at_risk(models: Models, matrix: Matrix) -> list[str | None]:
    """Why each row has no risk; None where it has one."""
    standing = matrix.standing
    if models.risk.definition == "contract":
        return _first_that_holds(
            (standing.at_risk, None),
            (standing.former, FORMER_CLIENT),
            (standing.wins == 0, NO_CONTRACT),
            otherwise=NO_CONTRACT_END,
        )
    few = standing.own_touches < models.meta["minimum_touches"]
    silent = ~(standing.silent_days <= models.risk.horizons[0])
    return _first_that_holds((few, TOO_LITTLE), (silent, SILENT), otherwise=None)


def _first_that_holds(*cases: tuple[np.ndarray, str | None], otherwise: str | None) -> list[str | None]:
    answers = [answer for _, answer in cases]
    which = np.select([holds for holds, _ in cases], range(len(cases)), len(cases))
    return [[*answers, otherwise][place] for place in which.tolist()]


def known(number: float) -> float | None:
    """The number, None where it is unknown (NaN)."""
    return None if math.isnan(number) else number
