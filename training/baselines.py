"""What a model has to beat, on the same rows, from a single figure up to a boosting without care.

- ``silence``: days since the client's last touch or order;
- ``recency_frequency_value``: that, how often and how long, and the money a year;
- ``health_score``: a weighted activity score in the manner of CRM relationship analytics (``health_scores``);
- ``scorecard``: the share of the documented marks that are missed;
- ``lightgbm_defaults``: LightGBM with the library's own settings on the model's matrix, no directions, no tuning.

All but the last are a logistic regression for each horizon on their few figures, fitted (and thereby calibrated)
on the training entries. A horizon at which the training entries hold only one outcome is given the share of losses
as everyone's risk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import lightgbm as lgb
import numpy as np
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from features.facts import Facts, facts
from features.frame import PLACE, Frame, first_event, in_parts
from features.histories.conversations import US, conversations
from features.histories.history import History, code
from features.histories.log import DAY, Array
from features.histories.tables import INTERACTIONS
from features.indicators import Mark
from features.matrix import Matrix, Rows
from features.signals.responsiveness import first_attempts
from features.standing import own_acts
from models.trees import MANY_OUTCOMES, StackedRows, predict_scores

BASELINES = ("silence", "recency_frequency_value", "health_score", "scorecard", "lightgbm_defaults")

# The activity health score. The kinds of activity, their adjustable weights and the expected frequency are those of
# Dynamics 365 Sales ("Configure relationship analytics and health",
# learn.microsoft.com/dynamics365/sales/configure-relationship-analytics; its FAQ names activity, recency, engagement
# and sentiment as what the score looks at). Its formula is not public; the numbers are ours, and sentiment is left out.

MAIL_SENT, MAIL_RECEIVED, CALL_TRIED, CALL_HELD, MEETING_HELD = 1, 2, 1, 4, 8
"""Points of each activity: what the client does counts more than what we send, talking more than writing, and an
attempt that nobody answered as little as a mail of ours."""

HALF_LIFE = 30
"""Days after which an activity counts half, in steps; none counts after three of them."""

ACTIVITY, RECENCY, RESPONSE = 0.4, 0.3, 0.3
"""What each part weighs in the score."""

_MAIL, _CALL, _MEETING = code(INTERACTIONS, "kind", "message", "call", "meeting")
(_ANSWERED,) = code(INTERACTIONS, "outcome", "answered")
_STEPS = np.array([1, 2, 3], dtype=np.int64) * HALF_LIFE * DAY


@dataclass(frozen=True)
class Activity:
    """What was known of the contact with each row's account at its as_of, arrays (n,).

    ``own`` float64 (n, 2): the client's own touches and orders in 90 and in 365 days; ``known_for`` float64: days since
    the first event (NaN where it is still to come). ``points`` float64: activities of the last 90 days by weight and
    age; ``contacts`` float64: how many they are; ``since`` float64: days since the last one (NaN if none);
    ``response`` float64: share of our outreaches decided in 90 days that were answered at the first attempt (NaN if
    none).
    """

    own: Array
    known_for: Array
    points: Array
    contacts: Array
    since: Array
    response: Array


def baseline_risks(
    history: History, matrix: Matrix, labels: Array, learn: Array, horizons: Sequence[int]
) -> dict[str, Array]:
    """Risks (n, H) of every row by each baseline, learned from the entries ``learn`` bool (n, H) of
    ``labels``."""
    known = activity(history, matrix.rows)
    silence = np.log1p(matrix.standing.silent_days)
    frequency = np.log1p(np.column_stack((known.own, known.known_for)))
    value = np.log1p(matrix.standing.value)
    figures: Mapping[str, Array] = {
        "silence": silence[:, None],
        "recency_frequency_value": np.column_stack((silence, frequency, value)),
        "health_score": health_scores(known, np.asarray(learn.any(axis=1)))[:, None],
        "scorecard": share_of_marks_missed(matrix)[:, None],
    }
    risks = {name: _logistic(figure, labels, learn) for name, figure in figures.items()}
    return risks | {"lightgbm_defaults": _lightgbm_defaults(matrix, labels, learn, horizons)}


def activity(history: History, rows: Rows) -> Activity:
    """The contact with each row's account, by what was known at its as_of; ``rows`` sorted by both."""
    own, known_for, points, contacts, since, response = (np.empty((len(rows), k)) for k in (2, 1, 1, 1, 1, 1))

    def fill(frame: Frame, filled: slice) -> None:
        acts = frame.sums(own_acts).count
        own[filled] = np.column_stack((acts[PLACE["90d"]], acts[PLACE["365d"]]))
        begun = (frame.as_of - first_event(frame.history)[frame.segment]) / DAY
        known_for[filled, 0] = np.where(begun < 0, np.nan, begun)
        done = frame.sums(_activities, _STEPS)
        youngest, younger, whole = done.total
        points[filled, 0] = youngest / 2 + younger / 4 + whole / 4
        contacts[filled, 0] = done.count[-1]
        since[filled, 0] = frame.days_since(done.last)
        tried = frame.sums(first_attempts)
        count, answered = tried.count[PLACE["90d"]], tried.total[PLACE["90d"]]
        response[filled, 0] = np.divide(answered, count, out=np.full(len(count), np.nan), where=count > 0)

    in_parts(history, np.searchsorted(history.owner, rows.account), rows.as_of, None, fill)
    return Activity(own, *(column[:, 0] for column in (known_for, points, contacts, since, response)))


def health_scores(known: Activity, usual: Array) -> Array:
    """float64 (n,): an activity score from 0 to 100, NaN where nothing is known.

    The weighted mean of three parts, each from 0 to 1; a part that is not known is left out:

    - activity: points / (points + expected points), so one half where the contact is as expected;
    - recency: halved with each expected gap that has passed since the last contact;
    - response: the share of our outreaches that were answered.

    What is expected is set once for the portfolio, as an administrator would set it: the median of the rows where
    ``usual`` (bool (n,)) holds.

    >>> week = Activity(np.zeros((1, 2)), np.ones(1), np.array([9.0]), np.array([9.0]), np.array([10.0]), np.ones(1))
    >>> health_scores(week, np.ones(1, dtype=bool)).round(1).tolist()  # 0.4 / 2 + 0.3 / 2 + 0.3
    [65.0]
    """
    expected = max(_median(known.points[usual]), 1.0)
    gap = 3 * HALF_LIFE / max(_median(known.contacts[usual]), 1.0)
    met = np.isfinite(known.since)
    parts = np.array(
        [
            np.where(met, known.points / (known.points + expected), np.nan),
            0.5 ** (known.since / gap),
            known.response,
        ]
    )
    weights = np.where(np.isnan(parts), 0.0, np.array([[ACTIVITY], [RECENCY], [RESPONSE]]))
    whole = weights.sum(axis=0)
    summed = (weights * np.nan_to_num(parts)).sum(axis=0)
    score: Array = 100 * np.divide(summed, whole, out=np.full(len(whole), np.nan), where=whole > 0)
    return score


def _activities(frame: Frame) -> Facts:
    """The points of each mail, call and held meeting."""
    touches = frame.derived(conversations).touches
    log = frame.history.interactions
    kind, answered = log["kind"][touches.row], log["outcome"][touches.row] == _ANSWERED
    points = np.select(
        [kind == _MEETING, (kind == _CALL) & answered, kind == _CALL, (kind == _MAIL) & (touches.side == US)],
        [MEETING_HELD, CALL_HELD, CALL_TRIED, MAIL_SENT],
        MAIL_RECEIVED,
    )
    counted = (kind == _MEETING) | (kind == _CALL) | (kind == _MAIL)
    return facts(frame.history.segments, touches.segment[counted], touches.at[counted], points[counted])


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
            risks[:, horizon] = _everyones(lost)
            continue
        model = make_pipeline(StandardScaler(), LogisticRegression()).fit(inputs[rows], lost)
        risks[:, horizon] = model.predict_proba(inputs)[:, 1]
    return risks


def _lightgbm_defaults(matrix: Matrix, labels: Array, learn: Array, horizons: Sequence[int]) -> Array:
    """Risks (n, H) by one boosting over all horizons with the library's settings, as they come (not calibrated)."""
    rows = np.flatnonzero(learn.any(axis=1))
    lost = labels[learn].astype(np.float64)
    if len(np.unique(lost)) < 2:
        return np.full(labels.shape, _everyones(lost))
    days_to_end = matrix.standing.days_to_end
    parameters = {
        "objective": "binary",
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1 if len(lost) < MANY_OUTCOMES else 2,
        "verbosity": -1,
    }
    stacked = StackedRows(matrix.values[rows], days_to_end[rows], horizons, learn[rows])
    booster = lgb.train(parameters, lgb.Dataset(stacked, lost, params=parameters))
    return np.asarray(expit(predict_scores(booster, matrix.values, days_to_end, horizons)))


def _everyones(lost: Array) -> float:
    """The share that was lost; one half where nothing is known."""
    return float(lost.mean()) if len(lost) else 0.5


def _median(values: Array) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else 0.0
