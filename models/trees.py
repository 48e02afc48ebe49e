"""The trees of the risk: one LightGBM model over all horizons.

Each row (account, as_of) is stacked once for each horizon h, with two more columns: ``horizon`` (h, in days)
and ``horizon_past_contract_end`` (h - days to the end of the current contract; unknown where that is). The score
never falls in either, so it never falls as the horizon grows. Columns whose documented direction is up or
down are monotone too. Class priors are kept (no resampling, no class weights), so that scores are log odds
before calibration already.

Monotone constraints use LightGBM's basic method: the finer ones do not hold where training data
has missing values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np

from features.indicators import Indicator

EXTRA_COLUMNS = ("horizon", "horizon_past_contract_end")

FEW_ROWS = 512
"""Below this many rows, waking other threads costs more than they save."""

MANY_OUTCOMES = 300_000
"""From so many known outcomes on training uses two threads. With fewer, waiting for each other at every split costs
more than it saves, and much more where the cores are shared; the trees are the same either way."""

CHUNK = 8192
"""Rows stacked at a time when predicting, which bounds the memory."""


@dataclass(frozen=True)
class RiskSettings:
    """How the trees grow. The defaults are the usual settings: shallow trees, each learning little from many rows and
    from half of the columns; these come in families (one fact over three windows and its trend), so that trees which
    see other halves differ more and their sum errs less.

    ``depth`` is kept low because explaining a score costs several times more with every level.
    ``min_child_samples`` counts stacked rows, ``min_child_weight`` the sum of p (1 - p) in a leaf (about the
    losses in it where they are rare). ``early_stopping`` is how many rounds without gain on later rows end a
    watched training.
    """

    learning_rate: float = 0.05
    depth: int = 2
    rounds: int = 400
    min_child_samples: int = 40
    min_child_weight: float = 3.0
    lambda_l2: float = 3.0
    feature_fraction: float = 0.5
    early_stopping: int = 50
    seed: int = 7


def stack(values: np.ndarray, days_to_end: np.ndarray, horizons: Sequence[int]) -> np.ndarray:
    """Every row once for each horizon, row by row: float64 (n * H, columns + 2).

    >>> stack(np.array([[0.5]]), np.array([100.0]), (30, 365))
    array([[  0.5,  30. , -70. ],
           [  0.5, 365. , 265. ]])
    """
    rows, columns = values.shape
    days = np.asarray(horizons, dtype=np.float64)
    stacked = np.empty((rows, len(days), columns + 2))
    stacked[:, :, :columns] = values[:, None, :]
    stacked[:, :, columns] = days
    stacked[:, :, columns + 1] = days - days_to_end[:, None]
    return stacked.reshape(rows * len(days), columns + 2)


def predict_scores(
    booster: lgb.Booster,
    values: np.ndarray,
    days_to_end: np.ndarray,
    horizons: Sequence[int],
    rounds: int | None = None,
) -> np.ndarray:
    """Uncalibrated log odds (n, H), by the first ``rounds`` trees or by all; each row's do not depend on the other
    rows."""
    scores = np.empty((len(values), len(horizons)))
    for start in range(0, len(values), CHUNK):
        part = slice(start, start + CHUNK)
        stacked = stack(values[part], days_to_end[part], horizons)
        raw = booster.predict(stacked, raw_score=True, num_iteration=rounds, num_threads=threads(len(stacked)))
        scores[part] = np.asarray(raw).reshape(-1, len(horizons))
    return scores


def threads(rows: int) -> int:
    """LightGBM's ``num_threads`` for predicting so many rows; 0 means all there are."""
    return 1 if rows < FEW_ROWS else 0


class StackedRows(lgb.Sequence):
    """The stacked rows with a known outcome, made when LightGBM reads them: the whole stack is never in
    memory."""

    batch_size = 4096

    def __init__(self, values: np.ndarray, days_to_end: np.ndarray, horizons: Sequence[int], known: np.ndarray) -> None:
        self.values, self.days_to_end = values, days_to_end
        self.row, place = np.nonzero(known)
        self.days = np.asarray(horizons, dtype=np.float64)[place]

    def __len__(self) -> int:
        return len(self.row)

    def __getitem__(self, index: int | slice | list[int]) -> np.ndarray:
        rows, days = self.row[index], self.days[index]
        past_end = days - self.days_to_end[rows]
        return np.concatenate((self.values[rows], days[..., None], past_end[..., None]), axis=-1)


def train_booster(
    values: np.ndarray,
    days_to_end: np.ndarray,
    indicators: Sequence[Indicator],
    labels: np.ndarray,
    horizons: Sequence[int],
    weight: np.ndarray | None,
    settings: RiskSettings,
) -> lgb.Booster:
    """Train on every (row, horizon) with a known outcome.

    ``values`` (n, columns), ``days_to_end`` (n,), ``labels`` int8 (n, H): 1 lost, 0 not, -1 unknown (left
    out); ``weight`` (n,) or None. The same input gives the same booster, bit for bit.

    Errors: ValueError where the known outcomes hold no loss, or nothing but losses.
    """
    parameters, train = _dataset(values, days_to_end, labels, horizons, weight, indicators, settings)
    return _kept(lgb.train(parameters, train, settings.rounds))


def train_watched(
    values: np.ndarray,
    days_to_end: np.ndarray,
    indicators: Sequence[Indicator],
    labels: np.ndarray,
    horizons: Sequence[int],
    weight: np.ndarray | None,
    settings: RiskSettings,
    later: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> tuple[lgb.Booster, np.ndarray]:
    """As `train_booster`, watched on ``later`` (values, days_to_end, labels): the trees, and the mean log loss of the
    later rows after each of them (rounds,). Ends ``settings.early_stopping`` rounds after the best."""
    parameters, train = _dataset(values, days_to_end, labels, horizons, weight, indicators, settings)
    later_values, later_days_to_end, later_labels = later
    known = later_labels >= 0
    rows = StackedRows(later_values, later_days_to_end, horizons, known)
    # As one array: to a sequence that refers to weighted rows LightGBM (4.7) gives weights of 0: no loss is a number.
    watched = lgb.Dataset(rows[:], later_labels[known].astype(np.float64), reference=train)
    told: dict[str, Any] = {}
    callbacks: list[Callable[..., Any]] = [
        lgb.record_evaluation(told),
        lgb.early_stopping(settings.early_stopping, verbose=False),
    ]
    # Unless it is told to keep the booster that trained, LightGBM drops the trees after the best one.
    booster = lgb.train(
        parameters, train, settings.rounds, valid_sets=[watched], callbacks=callbacks, keep_training_booster=True
    )
    (losses,) = told.values()
    return _kept(booster), np.array(losses["binary_logloss"])


def _kept(booster: lgb.Booster) -> lgb.Booster:
    """Through the text format once, with all its trees: what was just trained then equals what is loaded later, to the
    last bit."""
    return lgb.Booster(model_str=booster.model_to_string(num_iteration=-1))


def _dataset(
    values: np.ndarray,
    days_to_end: np.ndarray,
    labels: np.ndarray,
    horizons: Sequence[int],
    weight: np.ndarray | None,
    indicators: Sequence[Indicator],
    settings: RiskSettings,
) -> tuple[dict[str, Any], lgb.Dataset]:
    """LightGBM's parameters, and the stacked rows with a known outcome."""
    known = labels >= 0
    outcomes = labels[known].astype(np.float64)
    if not 0 < outcomes.sum() < len(outcomes):
        raise ValueError(
            "training needs lost and kept clients, "
            f"but {int(outcomes.sum())} of {len(outcomes)} known outcomes are losses"
        )
    parameters = {
        "objective": "binary",
        "metric": "binary_logloss",
        "learning_rate": settings.learning_rate,
        "max_depth": settings.depth,
        "num_leaves": 2**settings.depth,
        "min_child_samples": settings.min_child_samples,
        "min_child_weight": settings.min_child_weight,
        "lambda_l2": settings.lambda_l2,
        "feature_fraction": settings.feature_fraction,
        "monotone_constraints": [*(indicator.constraint for indicator in indicators), 1, 1],
        "monotone_constraints_method": "basic",
        "seed": settings.seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1 if len(outcomes) < MANY_OUTCOMES else 2,
        "verbosity": -1,
    }
    data = lgb.Dataset(
        StackedRows(values, days_to_end, horizons, known),
        outcomes,
        weight=None if weight is None else np.broadcast_to(weight[:, None], labels.shape)[known],
        feature_name=[*(indicator.column for indicator in indicators), *EXTRA_COLUMNS],
        params=parameters,
    )
    return parameters, data
