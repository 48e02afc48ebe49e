"""Predictions as plain data: one document per account for JSON, one flat row per account for tables.

The service and the command line both use these, so a request and a batch cannot tell different things.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

import numpy as np

from features.indicators import Indicator
from models.explanation import RowExplanation
from models.prediction import Prediction

REASONS_SHOWN = 5
"""Columns ``reason_1`` … of a table of scores."""


def moment(seconds: int) -> str:
    """UTC seconds as ISO 8601.

    >>> moment(1717156800)
    '2024-05-31T12:00:00Z'
    """
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def ranked(predictions: Iterable[Prediction]) -> list[Prediction]:
    """By revenue at risk, most first; then unknown values by risk; then those without a risk. Ties by id."""

    def place(one: Prediction) -> tuple[bool, bool, float, float, str]:
        risk = one.risk[one.horizon] if one.risk else 0.0
        revenue = one.revenue_at_risk
        return (one.risk is None, revenue is None, -(revenue or 0.0), -risk, one.account_id)

    return sorted(predictions, key=place)


def document(prediction: Prediction) -> dict[str, Any]:
    """One account's answer, as ``schemas.AccountScore`` describes it; unknown figures are None."""
    explained = prediction.explanation
    return {
        "account_id": prediction.account_id,
        "as_of": moment(prediction.as_of),
        "horizon": prediction.horizon,
        "risk": prediction.risk and {str(days): risk for days, risk in prediction.risk.items()},
        "not_at_risk": prediction.not_at_risk,
        "value": prediction.value,
        "revenue_at_risk": prediction.revenue_at_risk,
        "stage": vars(prediction.stage),
        "explanation": None if explained is None else _explanation(explained),
    }


def flat(prediction: Prediction, rank: int) -> dict[str, Any]:
    """One account's row in a table of scores; a risk that is not to be told has no key.

    ``rank`` is the account's place in ``ranked``, from 1.
    """
    reasons = prediction.reasons[:REASONS_SHOWN]
    stage = prediction.stage
    row = {
        "rank": rank if prediction.risk else None,
        "account_id": prediction.account_id,
        "as_of": moment(prediction.as_of),
        "stage": stage.stage,
        "stage_basis": stage.basis,
        "stage_probability": stage.probabilities.get(stage.stage),
        **{f"risk_{days}": risk for days, risk in (prediction.risk or {}).items()},
        "not_at_risk": prediction.not_at_risk,
        "value": prediction.value,
        "horizon": prediction.horizon,
        "revenue_at_risk": prediction.revenue_at_risk,
    }
    sentences = [reason.sentence for reason in reasons] + [None] * (REASONS_SHOWN - len(reasons))
    return row | {f"reason_{place}": sentence for place, sentence in enumerate(sentences, start=1)}


def _explanation(explained: RowExplanation) -> dict[str, Any]:
    whole, row = explained.explanation, explained.row
    names = {one.signal.id: one.signal.name for one in explained.matrix.indicators}
    return {
        "base_risk": whole.base_risk,
        "base_log_odds": whole.base,
        "risk": float(whole.risk[row]),
        "log_odds": float(whole.logit[row]),
        "time_ahead": vars(explained.time_ahead),
        "signals": [
            {"signal": signal, "name": names[signal], **vars(share)} for signal, share in explained.signals().items()
        ],
        "indicators": _indicators(explained),
        "reasons": [{**vars(reason), "raises": reason.raises} for reason in explained.reasons()],
    }


def _indicators(explained: RowExplanation) -> list[dict[str, Any]]:
    matrix, row = explained.matrix, explained.row
    values = matrix.values[row]
    figures = [None if unknown else value for value, unknown in zip(values.tolist(), np.isnan(values), strict=True)]
    evidence: Sequence[int | None] = [None] * len(figures) if matrix.evidence is None else matrix.evidence[row].tolist()
    log_odds = explained.explanation.log_odds[row].tolist()
    points = explained.explanation.points[row].tolist()
    return [
        {
            **_described(indicator),
            "value": value,
            "mark_met": None
            if value is None or indicator.mark is None or indicator.context
            else indicator.mark.met(value),
            "evidence": count,
            "log_odds": odds,
            "points": share,
        }
        for indicator, value, count, odds, share in zip(
            matrix.indicators, figures, evidence, log_odds, points, strict=True
        )
    ]


@cache
def _described(indicator: Indicator) -> dict[str, Any]:
    """What is the same of an indicator for every account."""
    mark = None if indicator.context else indicator.mark
    return {
        "column": indicator.column,
        "signal": indicator.signal.id,
        "unit": indicator.unit,
        "direction": "context" if indicator.context else indicator.better,
        "mark": None if mark is None else str(mark),
        "documented": None if mark is None else mark.documented,
        "source": indicator.signal.source,
        "evidence_unit": indicator.evidence_unit,
    }
