"""Switching risk: one LightGBM model over all horizons.

Each row (account, as_of) is stacked once for each horizon h, with two more columns: ``horizon`` (h, in days)
and ``horizon_past_contract_end`` (h - days to the end of the current contract; unknown where that is). Risk
never falls in either, so it never falls as the horizon grows. Columns whose documented direction is up or
down are monotone too. Class priors are kept (no resampling, no class weights), so that scores are log odds
before calibration already.

Monotone constraints use LightGBM's basic method: the finer ones do not hold where training data
has missing values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import lightgbm as lgb
import numpy as np
from scipy.special import expit

from features.indicators import Indicator
from models.calibration import Calibration

Definition = Literal["contract", "silence"]

HORIZONS = (30, 90, 180, 365)
"""Horizons in days unless the training says otherwise."""

EXPLAINED = 180
"""The horizon, in days, at which risk is explained where the model has it."""

CONTRACT_END = "L5.days_to_contract_end.now"
"""The column that ``horizon_past_contract_end`` is a view of: its share of the risk is told there."""

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
    """How the trees grow. The defaults suit small data: shallow trees, each learning little from many rows.

    ``depth`` is kept low because explaining a score costs several times more with every level.
    ``min_child_samples`` counts stacked rows, ``min_child_weight`` the sum of p (1 - p) in a leaf (about the
    losses in it where they are rare). ``early_stopping`` is how many rounds without gain on ``valid`` end
    the training.
    """

    learning_rate: float = 0.03
    depth: int = 2
    rounds: int = 200
    min_child_samples: int = 40
    min_child_weight: float = 3.0
    lambda_l2: float = 20.0
    feature_fraction: float = 0.5
    early_stopping: int = 50
    seed: int = 7


@dataclass(frozen=True)
class RiskModel:
    """A trained and calibrated model. ``columns`` are the matrix's, without the two that stacking adds.

    Errors: ValueError where booster, columns, horizons and calibration do not fit together.
    """

    booster: lgb.Booster
    columns: tuple[str, ...]
    fingerprint: str
    horizons: tuple[int, ...]
    calibration: Calibration
    definition: Definition
    settings: RiskSettings

    def __post_init__(self) -> None:
        inputs = self.booster.num_feature()
        if inputs != len(self.columns) + len(EXTRA_COLUMNS):
            raise ValueError(f"the booster has {inputs} inputs for {len(self.columns)} columns")
        if CONTRACT_END not in self.columns:
            raise ValueError(f"the columns lack {CONTRACT_END}")
        if not self.horizons or min(self.horizons) <= 0 or min(np.diff(self.horizons), default=1) <= 0:
            raise ValueError(f"horizons must be days above 0 in rising order, not {self.horizons}")
        if len(self.calibration.b) != len(self.horizons):
            raise ValueError(f"{len(self.calibration.b)} calibrated horizons for {len(self.horizons)} horizons")

    @property
    def usual_horizon(self) -> int:
        """The horizon explained unless another is asked for: 180 days, or the one nearest to it."""
        return min(self.horizons, key=lambda horizon: abs(horizon - EXPLAINED))

    def horizon_index(self, horizon: int) -> int:
        """Place of a horizon among the model's; ValueError, naming those it has, where it has none such."""
        if horizon not in self.horizons:
            raise ValueError(f"horizon {horizon}: this model knows {', '.join(map(str, self.horizons))} days")
        return self.horizons.index(horizon)

    def logits(self, values: np.ndarray, days_to_end: np.ndarray, horizon: int) -> np.ndarray:
        """Calibrated log odds (n,) of leaving within one horizon; see `risk`."""
        index = self.horizon_index(horizon)
        scores = predict_scores(self.booster, values, days_to_end, (horizon,))
        return self.calibration.a * scores[:, 0] + self.calibration.b[index]

    def risk(self, values: np.ndarray, days_to_end: np.ndarray) -> np.ndarray:
        """Calibrated probability (n, H) of leaving within each horizon, never falling along it.

        ``values`` (n, columns) as the matrix holds them, ``days_to_end`` (n,), NaN for unknown in both.
        """
        scores = predict_scores(self.booster, values, days_to_end, self.horizons)
        return np.asarray(expit(self.calibration.logits(scores)))


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
    booster: lgb.Booster, values: np.ndarray, days_to_end: np.ndarray, horizons: Sequence[int]
) -> np.ndarray:
    """Uncalibrated log odds (n, H); each row's do not depend on the other rows."""
    scores = np.empty((len(values), len(horizons)))
    for start in range(0, len(values), CHUNK):
        part = slice(start, start + CHUNK)
        stacked = stack(values[part], days_to_end[part], horizons)
        raw = booster.predict(stacked, raw_score=True, num_threads=threads(len(stacked)))
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
    valid: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None,
) -> lgb.Booster:
    """Train on every (row, horizon) with a known outcome.

    ``values`` (n, columns), ``days_to_end`` (n,), ``labels`` int8 (n, H): 1 lost, 0 not, -1 unknown (left
    out); ``weight`` (n,) or (n, H) or None. ``valid`` = (values, days_to_end, labels) of later rows: training
    ends where their log loss no longer falls, and the booster keeps the best round. The same input gives the
    same booster, bit for bit.

    Errors: ValueError where the known outcomes hold no loss, or nothing but losses.
    """
    known = labels >= 0
    outcomes = labels[known].astype(np.float64)
    if not 0 < outcomes.sum() < len(outcomes):
        raise ValueError(
            "training needs lost and kept clients, "
            f"but {int(outcomes.sum())} of {len(outcomes)} known outcomes are losses"
        )
    if weight is not None:
        weight = np.broadcast_to(weight if weight.ndim == 2 else weight[:, None], labels.shape)[known]
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
    train = lgb.Dataset(
        StackedRows(values, days_to_end, horizons, known),
        outcomes,
        weight=weight,
        feature_name=[*(indicator.column for indicator in indicators), *EXTRA_COLUMNS],
        params=parameters,
    )
    watched: list[lgb.Dataset] = []
    callbacks: list[Callable[..., Any]] = []
    if valid is not None:
        later_values, later_days_to_end, later_labels = valid
        later_known = later_labels >= 0
        later = StackedRows(later_values, later_days_to_end, horizons, later_known)
        watched.append(lgb.Dataset(later, later_labels[later_known].astype(np.float64), reference=train))
        callbacks.append(lgb.early_stopping(settings.early_stopping, verbose=False))
    booster = lgb.train(parameters, train, settings.rounds, valid_sets=watched, callbacks=callbacks)
    # Through the text format once: what was just trained then equals what is loaded later, to the last bit.
    return lgb.Booster(model_str=booster.model_to_string())
