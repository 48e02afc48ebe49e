"""The stage of a relationship: courting, contract, continuation, commitment, convergence.

The first three are facts of the deal record: no win, one win, two or more. Commitment and convergence are
judgements, learned from directors' reviews of accounts with two or more wins by one ordinal model, the cumulative
logit of McCullagh ("Regression models for ordinal data", 1980):

    P(commitment or beyond) = sigma(depth + level_1)        P(convergence) = sigma(depth + level_2)

The depth is a sum over the figures with a documented direction, each brought to a common scale, cut off at three
spreads from the middle, and counting in its direction or not at all; an unknown figure counts as one in the middle.
One depth and falling levels: the two cannot contradict each other. How long a relationship has lasted is no part of
it, because lasting is no loyalty. With too few reviews a question is not asked: the answer then is "continuation or
beyond" or "commitment or beyond". A structural fact is never contradicted: stages that the facts exclude have no
probability at all.

Beside the stage stands the set of stages that are likely: those whose ranked probability score, were they the true
one, stays within a limit found by conformal prediction (``training.stage_fitting``). That score is least at the
median and grows to both sides, so the set has no gaps.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.special import expit

from models.linear import CUT_OFF

if TYPE_CHECKING:
    from features.matrix import Matrix

STAGES = ("courting", "contract", "continuation", "commitment", "convergence")
CONTINUATION_OR_BEYOND = "continuation or beyond"
COMMITMENT_OR_BEYOND = "commitment or beyond"
FORMER = "former"
UNKNOWN = "unknown"

LABELS = (
    (CONTINUATION_OR_BEYOND,),
    ("continuation", COMMITMENT_OR_BEYOND),
    ("continuation", "commitment", "convergence"),
)
"""The answers possible for an account with two or more wins, in order, by the number of questions asked."""


@dataclass(frozen=True)
class StageAnswer:
    """A stage, the probabilities of all stages that the facts allow (in order), and what the answer rests on.

    ``stage`` is one of ``STAGES``, a merged "... or beyond", "former", or "unknown" (no deals or orders are
    recorded; then there are no probabilities and no set). A judged stage is the median of the probabilities, because
    stages have an order. ``likely_set``: neighbouring stages in order, ``stage`` among them, that hold the stage which
    a director would see for 90 % of accounts with two or more wins; a structural answer is certain of its one stage.
    """

    stage: str
    probabilities: dict[str, float]
    basis: Literal["structural", "judged"]
    likely_set: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Judgement:
    """What directors' reviews taught. ``centre``, ``scale`` and ``coef`` are (columns,), ``levels`` falling log odds,
    one for each question asked: commitment or beyond, convergence.

    ``likely_within``: the ranked probability score up to which a stage counts as likely. ``noise``: the usual size of a
    change in the expected stage where the reviewed stage did not change, in stages; None where it could not be learned.

    Errors: ValueError where the parts do not fit together.
    """

    centre: np.ndarray
    scale: np.ndarray
    coef: np.ndarray
    levels: tuple[float, ...]
    likely_within: float = 1.0
    noise: float | None = None

    def __post_init__(self) -> None:
        if len({len(part) for part in (self.centre, self.scale, self.coef)}) != 1:
            raise ValueError("stage: centre, scale and coef differ in length")
        if not 0 < len(self.levels) < len(LABELS) or any(np.diff(self.levels) > 0):
            raise ValueError(f"stage: levels must be one or two log odds that do not rise, not {self.levels}")
        if not (self.scale > 0).all() or (self.noise is not None and not self.noise > 0):
            raise ValueError("stage: scales and noise must be above 0")

    def to_json(self) -> dict[str, Any]:
        """As plain JSON data; ``from_json`` gives the same numbers back to the last bit."""
        return {name: part.tolist() if isinstance(part, np.ndarray) else part for name, part in asdict(self).items()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Judgement:
        """What ``to_json`` gave; KeyError, TypeError or ValueError where it is something else."""
        arrays = {name: np.array(data[name], dtype=np.float64) for name in ("centre", "scale", "coef")}
        return cls(**{**data, **arrays, "levels": tuple(data["levels"])})

    @property
    def labels(self) -> tuple[str, ...]:
        """The answers possible, in order."""
        return LABELS[len(self.levels)]

    def beyond(self, values: np.ndarray) -> np.ndarray:
        """Probabilities (n, questions) of commitment or beyond and of convergence, by the figures (n, columns)."""
        # Summed row by row, not by a matrix product, whose last digits depend on the number of rows.
        depth = (scaled(values, self.centre, self.scale) * self.coef).sum(axis=1)
        return np.asarray(expit(depth[:, None] + np.array(self.levels)))

    def likely(self, beyond: np.ndarray) -> np.ndarray:
        """bool (n, labels): the sets of likely stages of accounts with these probabilities (n, questions)."""
        scores = ranked_scores(beyond)
        return np.asarray((scores <= self.likely_within) | (scores == scores.min(axis=1, keepdims=True)))

    def answers(self, values: np.ndarray) -> list[StageAnswer]:
        """The stages of accounts with two or more wins, by their figures (n, columns)."""
        labels, beyond = self.labels, self.beyond(values)
        median, likely = (beyond > 0.5).sum(axis=1), self.likely(beyond)
        chances = np.abs(np.diff(beyond, prepend=1.0, append=0.0, axis=1))
        return [
            StageAnswer(
                labels[place],
                dict(zip(labels, chance, strict=True)),
                "judged",
                tuple(label for label, holds in zip(labels, within, strict=True) if holds),
            )
            for place, chance, within in zip(median.tolist(), chances.tolist(), likely.tolist(), strict=True)
        ]


def scaled(values: np.ndarray, centre: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Figures (n, columns) in spreads from the middle, cut off at ``CUT_OFF``; 0 where unknown.

    >>> scaled(np.array([[1.0, np.nan, 99.0]]), np.zeros(3), np.array([2.0, 2.0, 2.0])).tolist()
    [[0.5, 0.0, 3.0]]
    """
    spreads = np.clip((np.ascontiguousarray(values) - centre) / scale, -CUT_OFF, CUT_OFF)
    return np.asarray(np.nan_to_num(spreads, copy=False))


def ranked_scores(beyond: np.ndarray) -> np.ndarray:
    """The ranked probability score of each stage, were it the true one: (n, questions + 1), 0 (sure and right) to 1.

    It is the mean over the questions of (probability of a yes - whether it is one)**2 (Epstein, "A scoring system for
    probability forecasts of ranked categories", 1969), here for probabilities (n, questions) of each stage and beyond.

    >>> ranked_scores(np.array([[0.75, 0.5]])).round(3).tolist()
    [[0.406, 0.156, 0.156]]
    """
    questions = beyond.shape[1]
    truths = np.tri(questions + 1, questions, -1)
    return np.asarray(((beyond[:, None, :] - truths) ** 2).mean(axis=2))


@dataclass(frozen=True)
class StageModel:
    """The stages over the matrix's ``columns``; without a judgement where there were too few reviews.

    Errors: ValueError where the judgement does not fit the columns.
    """

    columns: tuple[str, ...]
    judgement: Judgement | None = None

    def __post_init__(self) -> None:
        if self.judgement is not None and len(self.judgement.coef) != len(self.columns):
            raise ValueError(f"stage: {len(self.judgement.coef)} coefficients for {len(self.columns)} columns")

    @property
    def judged_labels(self) -> tuple[str, ...]:
        """The answers possible for an account with two or more wins, in order."""
        return LABELS[0] if self.judgement is None else self.judgement.labels

    def predict(self, matrix: Matrix) -> list[StageAnswer]:
        """The stage of every row."""
        standing = matrix.standing
        repeated = standing.deals_recorded & ~standing.former & (standing.wins >= 2)
        if self.judgement is None:
            judged = iter([_certain(CONTINUATION_OR_BEYOND)] * int(repeated.sum()))
        else:
            judged = iter(self.judgement.answers(matrix.values[repeated]))
        return [
            next(judged) if again else _structural(recorded, former, wins)
            for again, recorded, former, wins in zip(
                repeated.tolist(),
                standing.deals_recorded.tolist(),
                standing.former.tolist(),
                standing.wins.tolist(),
                strict=True,
            )
        ]


def _structural(recorded: bool, former: bool, wins: int) -> StageAnswer:
    """The stage of an account without two wins, of a former client, or of one without a deal record."""
    if not recorded:
        return StageAnswer(UNKNOWN, {}, "structural", ())
    return _certain(FORMER if former else STAGES[wins])


def _certain(stage: str) -> StageAnswer:
    return StageAnswer(stage, {stage: 1.0}, "structural", (stage,))
