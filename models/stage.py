"""The stage of a relationship: courting, contract, continuation, commitment, convergence.

The first three are facts of the deal record: no win, one win, two or more. Commitment and convergence are
judgements, learned from directors' reviews of accounts with two or more wins in continuation-ratio form:

    P(commitment or beyond)  and  P(convergence | commitment or beyond)

each by a small, strongly regularised LightGBM model. With fewer than ``MINIMUM_REVIEWS`` reviews on either
side of a question it is not asked: the answer then is "continuation or beyond" or "commitment or beyond". A
structural fact is never contradicted: stages that the facts exclude have no probability at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import lightgbm as lgb
import numpy as np

from features.indicators import Indicator
from models.risk import threads

if TYPE_CHECKING:
    from features.matrix import Matrix

STAGES = ("courting", "contract", "continuation", "commitment", "convergence")
CONTINUATION_OR_BEYOND = "continuation or beyond"
COMMITMENT_OR_BEYOND = "commitment or beyond"
FORMER = "former"
UNKNOWN = "unknown"

MINIMUM_REVIEWS = 20
"""Least number of reviews on each side of a question; with fewer it is not asked."""

PARAMETERS = {
    "objective": "binary",
    "learning_rate": 0.05,
    "max_depth": 2,
    "num_leaves": 4,
    "min_child_samples": 10,
    "lambda_l2": 10.0,
    "feature_fraction": 0.5,
    "monotone_constraints_method": "basic",
    "seed": 7,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}
ROUNDS = 100


@dataclass(frozen=True)
class StageAnswer:
    """A stage, the probabilities of all stages that the facts allow (in order), and what the answer rests on.

    ``stage`` is one of ``STAGES``, a merged "... or beyond", "former", or "unknown" (no deals or orders are
    recorded; then there are no probabilities). A judged stage is the median of the probabilities, because
    stages have an order.
    """

    stage: str
    probabilities: dict[str, float]
    basis: Literal["structural", "judged"]


@dataclass(frozen=True)
class StageModel:
    """The two judged questions over the matrix's ``columns``; None where there are too few reviews.

    Errors: ValueError where a booster does not fit the columns, or convergence is judged without commitment.
    """

    columns: tuple[str, ...]
    commitment: lgb.Booster | None = None
    convergence: lgb.Booster | None = None

    def __post_init__(self) -> None:
        for booster in (self.commitment, self.convergence):
            inputs = len(self.columns) if booster is None else booster.num_feature()
            if inputs != len(self.columns):
                raise ValueError(f"stage: a booster has {inputs} inputs for {len(self.columns)} columns")
        if self.convergence is not None and self.commitment is None:
            raise ValueError("stage: convergence cannot be judged without commitment")

    @property
    def judged_labels(self) -> tuple[str, ...]:
        """The answers possible for an account with two or more wins, in order."""
        if self.commitment is None:
            return (CONTINUATION_OR_BEYOND,)
        if self.convergence is None:
            return ("continuation", COMMITMENT_OR_BEYOND)
        return ("continuation", "commitment", "convergence")

    def predict(self, matrix: Matrix) -> list[StageAnswer]:
        """The stage of every row."""
        standing = matrix.standing
        repeated = standing.deals_recorded & ~standing.former & (standing.wins >= 2)
        judged = np.zeros((len(standing.wins), len(self.judged_labels)))
        judged[repeated] = self._judge(matrix.values[repeated])
        return [
            self._answer(recorded, former, wins, probabilities)
            for recorded, former, wins, probabilities in zip(
                standing.deals_recorded.tolist(),
                standing.former.tolist(),
                standing.wins.tolist(),
                judged.tolist(),
                strict=True,
            )
        ]

    def _judge(self, values: np.ndarray) -> np.ndarray:
        """Probabilities (n, judged labels) of accounts with two or more wins."""
        certain = np.ones(len(values))
        if self.commitment is None:
            return certain[:, None]
        committed = _share(self.commitment, values)
        if self.convergence is None:
            return np.stack((certain - committed, committed), axis=1)
        converged = _share(self.convergence, values)
        return np.stack((certain - committed, committed * (1 - converged), committed * converged), axis=1)

    def _answer(self, recorded: bool, former: bool, wins: int, probabilities: list[float]) -> StageAnswer:
        if not recorded:
            return StageAnswer(UNKNOWN, {}, "structural")
        if former:
            return StageAnswer(FORMER, {FORMER: 1.0}, "structural")
        if wins < 2:
            return StageAnswer(STAGES[wins], {STAGES[wins]: 1.0}, "structural")
        labels = self.judged_labels
        if len(labels) == 1:
            return StageAnswer(labels[0], {labels[0]: 1.0}, "structural")
        median = int(np.searchsorted(np.cumsum(probabilities), 0.5))
        stage = labels[min(median, len(labels) - 1)]
        return StageAnswer(stage, dict(zip(labels, probabilities, strict=True)), "judged")


def _share(question: lgb.Booster, values: np.ndarray) -> np.ndarray:
    """The probability (n,) of a yes to a judged question."""
    if not len(values):
        return np.zeros(0)
    return np.asarray(question.predict(np.ascontiguousarray(values), num_threads=threads(len(values))))


def fit_stage(matrix: Matrix, labels: Sequence[str]) -> StageModel:
    """Learn the judged stages from reviews: row i of the matrix is the account when it was reviewed (one row
    for each review), ``labels[i]`` the director's stage.

    Rows with fewer than two wins, of former clients, and of accounts without recorded deals teach nothing
    about the judged stages and are left out. A review below continuation counts as continuation, as the
    record has two wins.

    Errors: ValueError for a label that is no stage, or when rows and labels differ in number.
    """
    if len(labels) != len(matrix.standing.wins):
        raise ValueError(f"stage: {len(matrix.standing.wins)} rows but {len(labels)} labels")
    unknown = sorted(set(labels) - set(STAGES))
    if unknown:
        raise ValueError(f"stage: {', '.join(unknown)} is no stage; allowed are {', '.join(STAGES)}")
    standing = matrix.standing
    taught = standing.deals_recorded & ~standing.former & (standing.wins >= 2)
    values = matrix.values[taught]
    order = np.array([STAGES.index(label) for label in labels], dtype=np.int64)[taught]
    committed = order >= STAGES.index("commitment")
    commitment = _learn(values, committed, matrix.indicators)
    convergence = None
    if commitment is not None:
        converged = order[committed] == STAGES.index("convergence")
        convergence = _learn(values[committed], converged, matrix.indicators)
    return StageModel(matrix.columns, commitment, convergence)


def _learn(values: np.ndarray, yes: np.ndarray, indicators: Sequence[Indicator]) -> lgb.Booster | None:
    """A booster for one question; None with too few reviews on either side of it."""
    if min(int(yes.sum()), int((~yes).sum())) < MINIMUM_REVIEWS:
        return None
    parameters = PARAMETERS | {"monotone_constraints": [-indicator.constraint for indicator in indicators]}
    data = lgb.Dataset(
        np.ascontiguousarray(values),
        yes.astype(np.float64),
        feature_name=[indicator.column for indicator in indicators],
        params=parameters,
    )
    booster = lgb.train(parameters, data, ROUNDS)
    return lgb.Booster(model_str=booster.model_to_string())
