"""Judgement on the test part: the model beside its baselines, horizon by horizon, as figures, documents and
pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from features.histories.log import Array
from training import plots
from training.evaluation import Estimate, compare
from training.fitting import Entries

RISK = "risk"
"""The model's name among the scorers."""

MOST_RESAMPLES, LEAST_RESAMPLES, RESAMPLED_ENTRIES = 1000, 200, 20_000_000
"""Bootstrap resamples: so many that resamples × entries stay near the third number, between the two."""


@dataclass(frozen=True)
class Judged:
    """One horizon on the test part: every scorer's measures, and the model's lead over each baseline."""

    rows: int
    accounts: int
    lost_rows: int
    lost_accounts: int
    measured: Mapping[str, Mapping[str, Estimate]]
    leads: Mapping[str, Mapping[str, Estimate]]


def judge(entries: Entries, risks: Mapping[str, Array], seed: int) -> dict[int, Judged]:
    """Judge risks (n, H), by scorer's name with the model first, on the usable entries; by horizon."""
    judged = {}
    account = entries.matrix.rows.account
    for place, horizon in enumerate(entries.outcomes.horizons):
        rows = entries.usable[:, place]
        lost = entries.outcomes.labels[rows, place] == 1
        resamples = RESAMPLED_ENTRIES // max(int(rows.sum()), 1)
        measured, leads = compare(
            {name: risk[rows, place] for name, risk in risks.items()},
            lost,
            entries.group[rows],
            min(max(resamples, LEAST_RESAMPLES), MOST_RESAMPLES),
            seed,
        )
        accounts = account[rows]
        judged[horizon] = Judged(
            len(lost),
            len(np.unique(accounts)),
            int(lost.sum()),
            len(np.unique(accounts[lost])),
            measured,
            leads,
        )
    return judged


def metrics(judged: Mapping[int, Judged]) -> dict[str, float]:
    """Measured values by name, such as ``risk.auc.180`` and ``silence.auc.180``; undefined ones left out."""
    return {
        f"{scorer}.{name}.{horizon}": estimate.value
        for horizon, one in judged.items()
        for scorer, measured in one.measured.items()
        for name, estimate in measured.items()
        if math.isfinite(estimate.value)
    }


def document(judged: Mapping[int, Judged]) -> dict[str, Any]:
    """Everything measured, as plain JSON data; what is undefined is null."""
    return {str(horizon): _finite(asdict(one)) for horizon, one in judged.items()}


def pictures(entries: Entries, risks: Mapping[str, Array]) -> dict[str, Figure]:
    """Reliability and gain plots of the usable entries, by file name."""
    figures = {}
    for place, horizon in enumerate(entries.outcomes.horizons):
        rows = entries.usable[:, place]
        lost = entries.outcomes.labels[rows, place] == 1
        shown = {name: risk[rows, place] for name, risk in risks.items()}
        title = f"Lost within {horizon} days"
        figures[f"plots/reliability_{horizon}.png"] = plots.reliability(shown, lost, title)
        figures[f"plots/gain_{horizon}.png"] = plots.gain(shown, lost, title)
    return figures


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
