"""How near the model comes to the best that is possible, on simulated clients whose risk is known.

    .venv/bin/python docs/benchmarks/simulated_quality.py

Five portfolios of 2,000 accounts and four years. From each, one model learns everything and is tested on 5,000 fresh
accounts (every third month start), and one learns what was settled before the test and is tested on the later rows of
the same accounts, as `rapport train` does it. Settings are chosen as there.

The bound is the AUC of the knowable risk on the same rows: what someone could say who knows the whole simulator but saw
only what the records can show. Beside it stands the latent bound, the AUC of the true risk. The calibration error is
given beside what a perfectly calibrated forecast with the same risks would show by chance.
"""

from __future__ import annotations

import argparse
from collections import defaultdict

import numpy as np
from portfolios import as_seen, fresh_accounts, settings_for, simulated

from features.histories.log import Array
from models.risk import HORIZONS, RiskModel
from training.entries import Entries
from training.evaluation import measure
from training.fitting import fit
from training.reliability import null_calibration_error
from training.splits import entries_before, entries_from, test_cut
from training.tuning import TRIALS

ACCOUNTS, SEEDS = 2_000, 5
FIRST_SEED = 20_001

FIGURES = ("auc", "knowable", "latent", "share", "ece", "null", "beyond", "covers_knowable", "covers_true", "width")
SHARE = "(AUC - 1/2) / (bound - 1/2)"


def main() -> None:
    """Train, test and print the two tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--accounts", type=int, default=ACCOUNTS)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--trials", type=int, default=TRIALS, help="settings tried")
    options = parser.parse_args()
    fresh = fresh_accounts()
    found: dict[str, list[dict[int, dict[str, float]]]] = defaultdict(list)
    for seed in range(FIRST_SEED, FIRST_SEED + options.seeds):
        portfolio = simulated(options.accounts, seed)
        everything, true, knowable = portfolio.entries, portfolio.true_risk, portfolio.knowable_risk
        as_of = everything.matrix.rows.as_of
        cut = test_cut(everything.outcomes, as_of)
        before = everything.only(entries_before(everything.outcomes, cut))
        settings = settings_for(before, options.trials)
        model = fit(everything, settings, "contract").model
        seen = as_seen(fresh, portfolio.reference)
        found["fresh accounts"].append(judged(model, seen, fresh.true_risk, fresh.knowable_risk))
        later = everything.only(entries_from(everything.outcomes, as_of, cut))
        found["later rows"].append(judged(fit(before, settings, "contract").model, later, true, knowable))
        print(f"seed {seed}: {settings}", flush=True)
    for where, seeds in found.items():
        print(f"\n**{where}**, mean (least to most) of {options.seeds} portfolios of {options.accounts:,}\n")
        table(seeds)


def judged(model: RiskModel, entries: Entries, true: Array, knowable: Array) -> dict[int, dict[str, float]]:
    """All ``FIGURES`` by horizon, on the usable entries."""
    matrix = entries.matrix
    days_to_end = matrix.standing.days_to_end
    risks, intervals = model.risk(matrix.values, days_to_end), model.interval(matrix.values, days_to_end)
    found = {}
    for place, horizon in enumerate(HORIZONS):
        rows = entries.usable[:, place]
        lost = entries.outcomes.labels[rows, place] == 1
        risk, best, latent = (one[rows, place] for one in (risks, knowable, true))
        low, high = intervals[rows, place].T
        own, bound = measure(risk, lost), measure(best, lost)["auc"]
        account, as_of = matrix.rows.account[rows], matrix.rows.as_of[rows]
        null = null_calibration_error(risk, account, as_of, horizon, own["ece"]).mean
        values = (
            own["auc"],
            bound,
            measure(latent, lost)["auc"],
            (own["auc"] - 0.5) / (bound - 0.5),
            own["ece"],
            null,
            own["ece"] - null,
            np.mean((low <= best) & (best <= high)),
            np.mean((low <= latent) & (latent <= high)),
            np.median(high - low),
        )
        found[horizon] = dict(zip(FIGURES, map(float, values), strict=True))
    return found


def table(seeds: list[dict[int, dict[str, float]]]) -> None:
    """Print the means over seeds by horizon."""
    head = ("days", "AUC", "knowable bound", "latent bound", SHARE, "ECE", "by chance", "beyond chance")
    covers = ("interval holds the knowable risk", "the true risk", "median width")
    print("| " + " | ".join((*head, *covers)) + " |\n|" + "---|" * (len(head) + len(covers)))
    for horizon in HORIZONS:
        cells = []
        for name in FIGURES:
            values = [one[horizon][name] for one in seeds]
            cells.append(f"{np.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})")
        print(f"| {horizon} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
