"""Predictions as plain data: one document per account for JSON, one flat row per account for tables.

The service and the command line both use these, so a request and a batch cannot tell different things.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from features.hands import Hands
from features.indicators import Indicator, Mark
from models.change import Change, Part
from models.explanation import RowExplanation
from models.help import Help
from models.prediction import Prediction
from serving.closer import CloserLook, Course
from serving.scorecards import card_document

REASONS_SHOWN = 5
"""Columns ``reason_1`` … of a table of scores."""


NOTHING_MORE = CloserLook()


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


def document(prediction: Prediction, closer: CloserLook = NOTHING_MORE) -> dict[str, Any]:
    """One account's answer, as ``schemas.AccountScore`` describes it; unknown figures are None."""
    explained = prediction.explanation
    return {
        "account_id": prediction.account_id,
        "as_of": moment(prediction.as_of),
        "horizon": prediction.horizon,
        "risk": prediction.risk and {str(days): risk for days, risk in prediction.risk.items()},
        "interval": prediction.interval and {str(days): ends for days, ends in prediction.interval.items()},
        "not_at_risk": prediction.not_at_risk,
        "value": prediction.value,
        "revenue_at_risk": prediction.revenue_at_risk,
        "stage": vars(prediction.stage),
        "explanation": None if explained is None else _explanation(explained),
        "help": closer.help and _help(closer.help),
        "changes": closer.changes and _changes(closer.changes),
        "scorecards": closer.scorecards and card_document(closer.scorecards),
        "course": closer.course and _course(closer.course),
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
        **{f"risk_{days}_low": low for days, (low, _) in (prediction.interval or {}).items()},
        **{f"risk_{days}_high": high for days, (_, high) in (prediction.interval or {}).items()},
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


def _help(help: Help) -> dict[str, Any]:
    return {
        "horizon": help.horizon,
        "risk": help.risk,
        "steps": [
            {
                **_in_hands(step.signal, step.name, step.hands),
                "action": step.hands.words,
                "risk": step.risk,
                "change": step.change,
                "figures": [vars(figure) for figure in step.figures],
            }
            for step in help.steps
        ],
        "together": {"signals": help.together, "risk": help.risk_together, "change": help.change_together},
    }


def _course(course: Course) -> dict[str, Any]:
    way = course.next
    return {
        "direction": {
            "since": moment(course.since),
            **vars(course.direction),
            "change": course.direction.change,
        },
        "next_stage": way.next_stage,
        "rests_on": way.words,
        "chance": way.chance,
        "steps": [
            {
                **_in_hands(step.signal, step.name, step.hands),
                "action": step.hands.words,
                "chance": step.chance,
                "change": step.change,
                "figures": [vars(figure) for figure in step.figures],
            }
            for step in way.steps
        ],
        "not_known": [_in_hands(one.signal, one.name, one.hands) for one in way.not_known],
    }


def _in_hands(signal: str, name: str, hands: Hands) -> dict[str, str]:
    return {"signal": signal, "name": name, "who": hands.who}


def _changes(change: Change) -> dict[str, Any]:
    """What changed, as ``schemas.Changes`` describes it."""
    return {
        "since": moment(change.since),
        "risk_before": change.risk_before,
        "not_at_risk_before": change.not_at_risk_before,
        "risk": change.risk,
        "change": change.points,
        "time": change.time and _part(change.time),
        "signals": [_part(part) for part in change.parts],
    }


def _part(part: Part) -> dict[str, Any]:
    return {**vars(part), "raises": part.raises}


def _indicators(explained: RowExplanation) -> list[dict[str, Any]]:
    matrix, row = explained.matrix, explained.row
    values = matrix.values[row]
    figures = [None if unknown else value for value, unknown in zip(values.tolist(), np.isnan(values), strict=True)]
    evidence: Sequence[int | None] = [None] * len(figures) if matrix.evidence is None else matrix.evidence[row].tolist()
    log_odds = explained.explanation.log_odds[row].tolist()
    points = explained.explanation.points[row].tolist()
    return [
        {
            **described,
            "value": value,
            "mark_met": None if value is None or mark is None else mark.met(value),
            "evidence": count,
            "log_odds": odds,
            "points": share,
        }
        for (described, mark), value, count, odds, share in zip(
            map(_described, matrix.indicators), figures, evidence, log_odds, points, strict=True
        )
    ]


_DESCRIBED: dict[int, tuple[dict[str, Any], Mark | None, Indicator]] = {}
"""By the identity of the indicator, which is kept, so that no other can take its place: to hash its parts takes longer
than all else here."""


def _described(indicator: Indicator) -> tuple[dict[str, Any], Mark | None]:
    """What is the same of an indicator for every account, and the mark that its figures are held against."""
    found = _DESCRIBED.get(id(indicator))
    if found is None:
        mark = None if indicator.context else indicator.mark
        described = {
            "column": indicator.column,
            "signal": indicator.signal.id,
            "unit": indicator.unit,
            "direction": "context" if indicator.context else indicator.better,
            "mark": None if mark is None else str(mark),
            "documented": None if mark is None else mark.documented,
            "source": indicator.signal.source,
            "evidence_unit": indicator.evidence_unit,
        }
        found = _DESCRIBED[id(indicator)] = (described, mark, indicator)
    return found[0], found[1]
