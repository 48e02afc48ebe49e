"""What a model has to beat, on the same rows: days of silence, recency and frequency, a scorecard of the
marks.

Each is a logistic regression for each horizon on its few figures, fitted (and thereby calibrated) on the
training entries. A horizon at which the training entries hold only one outcome is given the share of losses
as everyone's risk.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from features.frame import PLACE, Frame, first_event
from features.histories.history import History
from features.histories.log import DAY, Array
from features.histories.visibility import as_known
from features.indicators import Mark
from features.matrix import Matrix, Rows
from features.standing import own_acts

BASELINES = ("silence", "recency_frequency", "scorecard")


def baseline_risks(history: History, matrix: Matrix, labels: Array, learn: Array) -> dict[str, Array]:
    """Risks (n, H) of every row by each baseline, learned from the entries ``learn`` bool (n, H) of
    ``labels``."""
    silence = np.log1p(matrix.standing.silent_days)
    frequency = frequencies(history, matrix.rows)
    figures: Mapping[str, Array] = {
        "silence": silence[:, None],
        "recency_frequency": np.column_stack((silence, np.log1p(frequency))),
        "scorecard": share_of_marks_missed(matrix)[:, None],
    }
    return {name: _logistic(figures[name], labels, learn) for name in BASELINES}


def frequencies(history: History, rows: Rows) -> Array:
    """float64 (n, 3): the client's own touches and orders in 90 and in 365 days, and days since its first
    event, all by what was known; the last NaN where that event is still to come."""
    known, segment = as_known(history, rows.account, rows.as_of)
    order = np.argsort(segment, kind="stable")
    count = Frame(known, segment[order], rows.as_of[order]).sums(own_acts).count
    found = np.empty((len(rows), 3))
    found[order, 0], found[order, 1] = count[PLACE["90d"]], count[PLACE["365d"]]
    since = (rows.as_of - first_event(known)[segment]) / DAY
    found[:, 2] = np.where(since < 0, np.nan, since)
    return found


def share_of_marks_missed(matrix: Matrix) -> Array:
    """float64 (n,): the share of the marks with a known figure that the figure does not meet; NaN where
    none is known."""
    marked = [(column, one.mark) for column, one in enumerate(matrix.indicators) if one.mark is not None]
    missed, known = np.zeros(len(matrix)), np.zeros(len(matrix))
    for column, mark in marked:
        figure = matrix.values[:, column]
        known += ~np.isnan(figure)
        missed += ~np.isnan(figure) & ~_met(mark, figure)
    share: Array = np.divide(missed, known, out=np.full(len(matrix), np.nan), where=known > 0)
    return share


def _met(mark: Mark, figure: Array) -> Array:
    """``Mark.met`` of an array; where the figure is unknown, False."""
    match mark.comparison:
        case ">=":
            return np.asarray(figure >= mark.value)
        case ">":
            return np.asarray(figure > mark.value)
        case "<=":
            return np.asarray(figure <= mark.value)
        case "between":
            return np.asarray((figure >= mark.value) & (figure <= mark.upper))


def _logistic(figures: Array, labels: Array, learn: Array) -> Array:
    """Risks (n, H) by a logistic regression for each horizon; an unknown figure counts as the usual one,
    and is said."""
    usable = learn.any(axis=1)
    unknown = np.isnan(figures)
    usual = np.array([_median(column[usable]) for column in figures.T])
    inputs = np.column_stack((np.where(unknown, usual, figures), unknown))
    risks = np.empty(labels.shape)
    for horizon in range(labels.shape[1]):
        rows = learn[:, horizon]
        lost = labels[rows, horizon]
        if len(np.unique(lost)) < 2:
            risks[:, horizon] = lost.mean() if len(lost) else 0.5
            continue
        model = make_pipeline(StandardScaler(), LogisticRegression()).fit(inputs[rows], lost)
        risks[:, horizon] = model.predict_proba(inputs)[:, 1]
    return risks


def _median(values: Array) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else 0.0
