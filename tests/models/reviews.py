"""Made-up accounts under review, for the tests of the stages."""

import numpy as np

from features.matrix import Matrix
from models.stage import STAGES, Judgement
from tests.models.portfolio import COLUMNS, PLACE, portfolio


def reviewed(rows: int, seed: int = 1) -> tuple[Matrix, list[str]]:
    """Rows with two wins or more; the better the response, the deeper the stage that the director saw."""
    matrix = portfolio(rows, seed, missing=0.1)
    depth = np.nan_to_num(matrix.values[:, 0], nan=0.5) + np.random.default_rng((seed, 1)).normal(0, 0.1, rows)
    return matrix, [STAGES[2 + int(one > 0.5) + int(one > 0.8)] for one in depth]


def some(labels: dict[str, int]) -> tuple[Matrix, list[str]]:
    """So many reviews of each stage."""
    names = [stage for stage, number in labels.items() for _ in range(number)]
    return portfolio(len(names), 2), names


def judgement(
    levels: tuple[float, ...] = (1.0, -1.0), limit: float = 0.4, noise: float | None = 0.2, **coef: float
) -> Judgement:
    """A judgement made by hand: the middle of every figure is 0, its scale 1; ``coef`` by name, such as ``silence``."""
    named = {column.split(".")[1]: place for column, place in PLACE.items() if not column.endswith(".trend")}
    weights = np.zeros(len(COLUMNS))
    for name, weight in coef.items():
        weights[named[name]] = weight
    return Judgement(np.zeros(len(COLUMNS)), np.ones(len(COLUMNS)), weights, levels, limit, noise)
