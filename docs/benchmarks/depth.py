"""What deeper trees bring, and what explaining them costs.

    .venv/bin/python docs/benchmarks/depth.py

One simulated portfolio of 2,000 accounts and four years. For trees of depth 1 to 4: log loss and AUC of scores out of
fold in time order, at the best number of rounds; then the product's model with such trees, and what predicting and
explaining cost with it, for 10,000 rows at once and for one row.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from portfolios import simulated
from scipy.special import expit

from features.matrix import Matrix
from models.explanation import explain
from models.risk import RiskModel
from models.trees import RiskSettings, predict_scores, train_booster
from training.entries import Entries, make_folds
from training.evaluation import measure
from training.fitting import fit
from training.tuning import USUAL

ACCOUNTS, PORTFOLIO, SEED = 2_000, 20_001, 7
DEPTHS = (1, 2, 3, 4)
ROUNDS = (100, 200, 300, 400, 600)
ROWS = 10_000


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--accounts", type=int, default=ACCOUNTS)
    options = parser.parse_args()
    entries = simulated(options.accounts, PORTFOLIO).entries
    matrix = entries.matrix
    many = matrix.take(np.sort(np.random.default_rng(SEED).permutation(len(matrix))[:ROWS]))
    print(
        "| depth | rounds | log loss | AUC | the model: predicting | explaining | one row: predicting | explaining |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    for depth in DEPTHS:
        settings = replace(USUAL, depth=depth)
        rounds, log_loss, auc = quality(entries, settings)
        model = fit(entries, replace(settings, rounds=rounds), "contract", members=0).model
        costs = [cost(work, model, many) for work in (predict, describe)]
        single = [cost(work, model, matrix.take(np.array([0])), times=200) for work in (predict, describe)]
        cells = [f"{each:.3f} ms a row" for each in costs] + [f"{each:.2f} ms" for each in single]
        print(f"| {depth} | {rounds} | {log_loss:.4f} | {auc:.4f} | " + " | ".join(cells) + " |", flush=True)


def quality(entries: Entries, settings: RiskSettings) -> tuple[int, float, float]:
    """The best number of rounds, and the log loss and AUC of its scores out of fold, over all horizons."""
    labels, horizons, matrix = entries.outcomes.labels, entries.outcomes.horizons, entries.matrix
    days_to_end = matrix.standing.days_to_end
    scores: dict[int, list[np.ndarray]] = {rounds: [] for rounds in ROUNDS}
    lost = []
    for fold in make_folds(entries, SEED)[0]:
        learned, scored = (np.flatnonzero(part.any(axis=1)) for part in (fold.learn, fold.score))
        booster = train_booster(
            matrix.values[learned],
            days_to_end[learned],
            matrix.indicators,
            np.where(fold.learn, labels, -1)[learned],
            horizons,
            None,
            replace(settings, rounds=max(ROUNDS)),
        )
        asked = fold.score[scored]
        lost.append(labels[scored][asked] == 1)
        for rounds, found in scores.items():
            raw = predict_scores(booster, matrix.values[scored], days_to_end[scored], horizons, rounds)
            found.append(raw[asked])
    measures = {rounds: measure(expit(np.concatenate(found)), np.concatenate(lost)) for rounds, found in scores.items()}
    best = min(measures, key=lambda rounds: measures[rounds]["log_loss"])
    return best, measures[best]["log_loss"], measures[best]["auc"]


def predict(model: RiskModel, matrix: Matrix) -> None:
    """Predict the usual horizon."""
    model.logits(matrix.values, matrix.standing.days_to_end, model.usual_horizon)


def describe(model: RiskModel, matrix: Matrix) -> None:
    """Explain the usual horizon."""
    explain(model, matrix, model.usual_horizon)


def cost(work: Callable[[RiskModel, Matrix], None], model: RiskModel, matrix: Matrix, times: int = 3) -> float:
    """Milliseconds of processor time a row, the least of some runs for many rows, the median for one."""
    spent = []
    for _ in range(times):
        begin = time.process_time()
        work(model, matrix)
        spent.append(time.process_time() - begin)
    return 1000 * float(min(spent) if len(matrix) > 1 else np.median(spent)) / len(matrix)


if __name__ == "__main__":
    main()
