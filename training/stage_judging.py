"""How good the judged stages are: the ordinal model beside a nominal classifier and beside what the facts alone say.

All predictions are out of fold: no account's stage is predicted by a model that learned from any of its reviews. Where
there are enough reviews, they are later in time as well: the last ``LATER_SHARE`` of them are predicted by models that
learned from earlier ones of other accounts.

Quadratic-weighted kappa is the agreement of the told stage with the reviewed one beyond chance, a miss by two stages
counting four times a miss by one (0 chance, 1 always). The ranked probability score judges the probabilities (0 sure
and right, 1 sure and as wrong as can be; lower is better). ``coverage`` and ``set_size`` are of the sets of likely
stages.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from features.histories.log import Array
from features.matrix import Matrix
from models.stage import LABELS, ranked_scores
from training.evaluation import Estimate, estimate, members, weights
from training.judging import plain
from training.splits import group_folds
from training.stage_fitting import learn_judgement, questions_asked, taught, teaches

ORDINAL, NOMINAL, STRUCTURAL = "ordinal", "nominal", "structural"
"""The scorers; the structural rule knows only that there are two or more wins, and how often such accounts were judged
to be at each stage."""

KAPPA, RPS = "kappa", "rps"

LATER_SHARE = 0.4
"""Share of the reviews that is predicted from earlier ones, where both parts are enough to ask every question."""

RESAMPLES = 500

PENALTY = 300.0
"""The nominal classifier's penalty: the best for it of 30, 100, 300 and 1,000 on simulated portfolios."""


@dataclass(frozen=True)
class StageJudged:
    """The judged stages on reviews that were predicted out of fold.

    ``reviews`` by stage, of ``accounts`` accounts; ``later``: whether they are later in time than what was learned
    from. ``measured`` and ``leads``: by scorer and measure, the ordinal model's value minus the other's in the latter.
    """

    accounts: int
    reviews: Mapping[str, int]
    later: bool
    measured: Mapping[str, Mapping[str, Estimate]]
    leads: Mapping[str, Mapping[str, Estimate]]

    def document(self) -> dict[str, Any]:
        """Everything as plain JSON data; what is undefined is null."""
        document: dict[str, Any] = plain(asdict(self))
        return document


def judge_stage(matrix: Matrix, labels: Sequence[str], group: Array, seed: int) -> StageJudged | None:
    """Judge how the stages are learned from reviews, rows and labels as for ``fit_stage``; None where there are too
    few to ask any question. ``group`` (n,) codes of what is never on both sides and is resampled as a whole.
    """
    rows, order = taught(matrix, labels)
    questions = questions_asked(order)
    if not questions:
        return None
    matrix, group, order = matrix.take(rows), group[rows], np.minimum(order, questions)
    early = _early(matrix.rows.as_of, order, questions)
    beyond = {name: np.full((len(order), questions), np.nan) for name in (ORDINAL, NOMINAL, STRUCTURAL)}
    likely = np.zeros((len(order), questions + 1), dtype=bool)
    for learn, score in _folds(group, early, seed):
        if not teaches(order[learn], questions):
            continue
        part, of = matrix.take(learn), order[learn]
        learned = learn_judgement(part, of, questions, group[learn], seed)
        values = matrix.values[score]
        beyond[ORDINAL][score] = learned.beyond(values)
        beyond[NOMINAL][score] = nominal(part.values, of, values, questions)
        beyond[STRUCTURAL][score] = (of[:, None] > np.arange(questions)).mean(axis=0)
        likely[score] = learned.likely(beyond[ORDINAL][score])

    judged = np.flatnonzero(~np.isnan(beyond[ORDINAL][:, 0]))
    order, likely, group = order[judged], likely[judged], group[judged]
    of_rows = {name: {RPS: ranked_scores(of[judged])[np.arange(len(judged)), order]} for name, of in beyond.items()}
    of_rows[ORDINAL] |= {"coverage": likely[np.arange(len(judged)), order], "set_size": likely.sum(axis=1)}
    told = {name: (of[judged] > 0.5).sum(axis=1) for name, of in beyond.items()}
    measured, leads = _compare(of_rows, told, order, group, seed)
    reviews = dict(zip(LABELS[questions], np.bincount(order, minlength=questions + 1).tolist(), strict=True))
    return StageJudged(len(np.unique(matrix.rows.account[judged])), reviews, early is not None, measured, leads)


def nominal(values: Array, order: Array, others: Array, questions: int) -> Array:
    """Probabilities (m, questions) of ``others`` (m, columns) by a multinomial logistic regression over all columns,
    which knows neither the stages' order nor the documented directions."""
    model = make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True),
        StandardScaler(),
        LogisticRegression(C=1 / PENALTY, max_iter=2000),
    ).fit(values, order)
    chances = np.zeros((len(others), questions + 1))
    chances[:, model.classes_] = model.predict_proba(others)
    beyond: Array = np.clip(1.0 - chances.cumsum(axis=1)[:, :-1], 0.0, 1.0)
    return beyond


def _early(as_of: Array, order: Array, questions: int) -> Array | None:
    """bool (n,): the reviews to learn from, the others being later; None where either part is too small."""
    early = as_of < np.quantile(as_of, 1 - LATER_SHARE)
    return early if all(questions_asked(order[part]) == questions for part in (early, ~early)) else None


def _folds(group: Array, early: Array | None, seed: int) -> Iterator[tuple[Array, Array]]:
    """bool (n,) twice: reviews to learn from and reviews to predict."""
    for fold in group_folds(np.ones((len(group), 1), dtype=bool), group, seed):
        learn, score = fold.learn[:, 0], fold.score[:, 0]
        yield (learn, score) if early is None else (learn & early, score & ~early)


def _compare(
    of_rows: Mapping[str, Mapping[str, Array]], told: Mapping[str, Array], order: Array, group: Array, seed: int
) -> tuple[dict[str, dict[str, Estimate]], dict[str, dict[str, Estimate]]]:
    """Each scorer's kappa, by the stages it told, and its means ``of_rows``; and the ordinal one's leads.

    All scorers are measured on the same resamples of the groups.
    """
    member = members(group)
    draws = np.concatenate(list(weights(int(member.max()) + 1, RESAMPLES, seed)))[:, member]
    drawn = np.concatenate((np.ones((1, len(order))), draws))
    drawn /= drawn.sum(axis=1, keepdims=True)
    found = {
        name: {KAPPA: weighted_kappa(told[name], order, drawn), **{mean: drawn @ one for mean, one in means.items()}}
        for name, means in of_rows.items()
    }
    first = found[ORDINAL]
    measured = {name: {measure: _estimate(one) for measure, one in of.items()} for name, of in found.items()}
    leads = {
        name: {measure: _estimate(first[measure] - one) for measure, one in of.items()}
        for name, of in found.items()
        if name != ORDINAL
    }
    return measured, leads


def weighted_kappa(told: Array, order: Array, weight: Array) -> Array:
    """Quadratic-weighted kappa (m,) of stages told (n,) and reviewed (n,), for weights (m, n) that add up to 1.

    With quadratic weights the table of agreements is not needed: kappa = 1 - E(a - b)**2 / E(a - b')**2, where a and b'
    are drawn apart (Cohen, "Weighted kappa", 1968); NaN where neither varies. It is scikit-learn's
    ``cohen_kappa_score``, for a thousand resamples at a time.

    >>> weighted_kappa(np.array([0, 1, 2, 2]), np.array([0, 1, 1, 2]), np.full((1, 4), 0.25)).round(3).tolist()
    [0.8]
    """
    apart = weight @ (told**2 + order**2) - 2 * (weight @ told) * (weight @ order)
    with np.errstate(invalid="ignore", divide="ignore"):
        kappa: Array = 1.0 - np.where(apart > 1e-12, (weight @ (told - order) ** 2) / apart, np.nan)
    return kappa


def _estimate(of_sets: Array) -> Estimate:
    """The value of all rows, which comes first, with the interval of the resamples that follow."""
    return estimate(float(of_sets[0]), of_sets[1:])
