"""What watching found, as plain data, as tables, and as a run of its own in MLflow."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import mlflow

from features.sources.files import iso
from training.judging import plain
from training.monitoring import Monitoring, Month
from training.streams import EVERYTHING
from training.tracking import experiment

EXPERIMENT = "rapport-monitoring"
"""The experiment that runs of watching go to, apart from those of training."""

_TIMES = ("as_of", "learned_until", "start", "then", "first", "last")


def document(found: Monitoring, version: str) -> dict[str, Any]:
    """Everything found, as plain JSON data: times as ISO 8601, what is not known as null."""
    told = _with_dates(plain(asdict(found)))
    return {
        "model": {"name": "rapport", "version": version},
        "alarms": plain([asdict(alarm) for alarm in found.alarms]),
        **told,
    }


def month_row(found: Monitoring, month: Month) -> dict[str, Any]:
    """A month as one flat row: the columns of ``months.csv``, and (numbers alone) the metrics in MLflow."""
    volume = next((one for one in month.volumes if one.stream == EVERYTHING), None)
    row = {
        "month": str(iso(month.start))[:10],
        "compared_with": None if month.then is None else str(iso(month.then))[:10],
        "accounts": month.accounts,
        "indicators_compared": month.compared,
        "indicators_drifted": len(month.drifted),
        "score_distance": None if month.score is None else month.score.distance,
        "records_per_account": None if volume is None else volume.now,
        "records_per_account_usual": None if volume is None else volume.usual,
        "without_records": month.without_records,
        "late": month.late,
        "alarms": " ".join(alarm.sort for alarm in month.alarms),
    }
    for horizon, one in month.foreseen.items():
        row |= {f"foreseen_{name}.{horizon}": getattr(one, name) for name in ("losses", "auc", "brier")}
    return dict(plain(row))


def record(found: Monitoring, version: str) -> str:
    """Keep what watching found in a run of the experiment ``EXPERIMENT``; the run's id.

    Metrics stand at their months (step 202607 is July 2026); those of realised outcomes at the month of ``as_of``.
    ``monitoring.json`` holds everything, ``months.csv`` a row for each month, ``drift.csv`` one for each indicator
    that drifted in a month.
    """
    day = str(iso(found.as_of))[:10]
    with mlflow.start_run(experiment_id=experiment(EXPERIMENT), run_name=f"monitor {day}") as run:
        mlflow.set_tags(
            {
                "model.version": version,
                "as_of": str(iso(found.as_of)),
                "data.sha256": found.data_sha256,
                "data.simulated": str(found.simulated).lower(),
                "alarms": " ".join(alarm.sort for alarm in found.alarms) or "none",
            }
        )
        rows = [month_row(found, month) for month in found.months]
        for row in rows:
            _log(row, row["month"])
        _log(_realised_row(found), day)
        mlflow.log_dict(document(found, version), "monitoring.json")
        mlflow.log_text(_as_csv(rows), "months.csv")
        mlflow.log_text(_as_csv(_drift_rows(found)), "drift.csv")
    return str(run.info.run_id)


def _realised_row(found: Monitoring) -> dict[str, Any]:
    row: dict[str, Any] = {"alarms_now": len(found.alarms)}
    for one in found.realised:
        if one.ratio is not None:
            row |= {f"realised_ratio{end}.{one.horizon}": value for end, value in _interval(one.ratio)}
        if one.auc is not None:
            row |= {f"realised_auc{end}.{one.horizon}": value for end, value in _interval(one.auc)}
    return dict(plain(row))


def _interval(estimate: Any) -> Iterable[tuple[str, float]]:
    return (("", estimate.value), ("_low", estimate.low), ("_high", estimate.high))


def _drift_rows(found: Monitoring) -> list[dict[str, Any]]:
    return [
        {"month": str(iso(month.start))[:10], **plain(asdict(one))} for month in found.months for one in month.drifted
    ]


def _log(row: Mapping[str, Any], day: str) -> None:
    numbers = {name: float(value) for name, value in row.items() if isinstance(value, int | float)}
    mlflow.log_metrics(numbers, step=int(day[:4] + day[5:7]))


def _as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue()


def _with_dates(told: Any) -> Any:
    """The same data with its times, UTC seconds, as ISO 8601."""
    if isinstance(told, list):
        return [_with_dates(one) for one in told]
    if isinstance(told, dict):
        return {
            name: iso(value) if name in _TIMES and isinstance(value, int) else _with_dates(value)
            for name, value in told.items()
        }
    return told
