"""The final fit beside a plain LightGBM fit on the same rows.

    .venv/bin/python docs/benchmarks/final_fit.py

10,000 simulated accounts at 24 month starts and 4 horizons: every row with a known outcome. The product's whole fit
(trees, the linear half, out-of-fold scores, calibration, members for intervals) is timed beside `lightgbm.train` on the
same stacked rows, once with the same settings of the trees and once with the library's own. Each runs in a process of
its own, on two threads at most, from the matrix in memory to the trained model; the quickest of each counts. Processor
time stands beside the clock's, for a machine that does other things too.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import lightgbm as lgb
import numpy as np

from features.indicators import REGISTRY
from features.matrix import Matrix, Rows, fingerprint
from features.standing import Standing
from models.risk import HORIZONS
from models.trees import RiskSettings, StackedRows
from training.entries import Entries
from training.outcomes import Outcomes
from training.tuning import USUAL

ACCOUNTS, SNAPSHOTS, SEED = 10_000, 24, 1
SETTLED = 12
"""Months before the end of observation that the last snapshot lies, so that every horizon is settled."""

WAYS = ("ours", "plain", "defaults")


def main() -> None:
    """Run the comparison, or (with --only) one part of it on rows that were written before."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--accounts", type=int, default=ACCOUNTS)
    parser.add_argument("--times", type=int, default=2, help="runs of each; the quickest counts")
    parser.add_argument("--only", choices=("rows", *WAYS))
    parser.add_argument("--file", type=Path)
    options = parser.parse_args()
    if options.only == "rows":
        write_rows(options.file, options.accounts)
    elif options.only:
        timed(options.only, options.file)
    else:
        with tempfile.TemporaryDirectory() as scratch:
            compare(Path(scratch) / "rows.npz", options.accounts, options.times)


def compare(file: Path, accounts: int, times: int) -> None:
    """Print the table."""
    part = [sys.executable, __file__, "--file", str(file)]
    subprocess.run([*part, "--only", "rows", "--accounts", str(accounts)], check=True)
    runs: dict[str, list[tuple[float, ...]]] = {way: [] for way in WAYS}
    for _ in range(times):
        for way in WAYS:
            done = subprocess.run([*part, "--only", way], check=True, capture_output=True, text=True)
            runs[way].append(tuple(map(float, done.stdout.split()[-3:])))
    named = {"ours": "the final fit", "plain": "plain LightGBM, same trees", "defaults": "plain LightGBM, its defaults"}
    best = {way: [min(one) for one in zip(*found, strict=True)] for way, found in runs.items()}
    print(
        "\n| | seconds | against plain | processor seconds | against plain | peak memory |\n|---|---|---|---|---|---|"
    )
    for way, (seconds, spent, peak) in best.items():
        plain_seconds, plain_spent, _ = best["plain"]
        print(
            f"| {named[way]} | {seconds:.1f} | {seconds / plain_seconds:.2f} | {spent:.1f} | {spent / plain_spent:.2f} "
            f"| {peak / 1024:.1f} GB |"
        )


def write_rows(file: Path, accounts: int) -> None:
    """Simulate, and write the entries to a file."""
    from portfolios import simulated

    entries = simulated(accounts, SEED).entries
    outcomes, matrix = entries.outcomes, entries.matrix
    months = np.unique(matrix.rows.as_of)[: -SETTLED or None][-SNAPSHOTS:]
    rows = np.flatnonzero(np.isin(matrix.rows.as_of, months))
    kept = entries.rows(rows)
    outcomes, matrix = kept.outcomes, kept.matrix
    np.savez(
        file,
        values=matrix.values,
        account=matrix.rows.account,
        as_of=matrix.rows.as_of,
        labels=outcomes.labels,
        known_by=outcomes.known_by,
        **{f"standing_{name}": each for name, each in vars(matrix.standing).items()},
    )
    known = int((outcomes.labels >= 0).sum())
    print(
        f"{accounts:,} accounts, {len(months)} snapshots: {len(rows):,} rows with {known:,} known outcomes", flush=True
    )


def read_rows(file: Path) -> Entries:
    """The entries that were written."""
    with np.load(file) as kept:
        standing = {name.removeprefix("standing_"): kept[name] for name in kept.files if name.startswith("standing_")}
        rows = Rows(kept["account"], kept["as_of"])
        accounts = [str(code) for code in range(int(rows.account.max()) + 1)]
        indicators = REGISTRY.in_order()
        matrix = Matrix(accounts, rows, indicators, kept["values"], None, Standing(**standing), fingerprint())
        labels, known_by = kept["labels"], kept["known_by"]
    eligible = np.ones(len(rows), dtype=bool)
    return Entries(matrix, Outcomes(HORIZONS, eligible, labels, known_by, 0, 0), labels >= 0, rows.account, False)


def timed(way: str, file: Path) -> None:
    """Fit in one way, and print seconds, processor seconds and this process's peak memory in MB."""
    from training.fitting import fit

    entries = read_rows(file)
    begin, spent = time.perf_counter(), time.process_time()
    if way == "ours":
        fit(entries, USUAL, "contract")
    else:
        plain(entries, USUAL if way == "plain" else None)
    seconds, spent = time.perf_counter() - begin, time.process_time() - spent
    print(seconds, spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def plain(entries: Entries, settings: RiskSettings | None) -> lgb.Booster:
    """LightGBM on the stacked rows, with the trees of some settings or with the library's defaults."""
    labels, matrix = entries.outcomes.labels, entries.matrix
    known = labels >= 0
    rows = StackedRows(matrix.values, matrix.standing.days_to_end, HORIZONS, known)
    parameters = {"objective": "binary", "num_threads": min(2, os.cpu_count() or 1), "verbosity": -1}
    rounds = 100
    if settings is not None:
        rounds = settings.rounds
        parameters |= {
            "learning_rate": settings.learning_rate,
            "max_depth": settings.depth,
            "num_leaves": 2**settings.depth,
            "min_child_samples": settings.min_child_samples,
            "min_child_weight": settings.min_child_weight,
            "lambda_l2": settings.lambda_l2,
            "feature_fraction": settings.feature_fraction,
        }
    return lgb.train(parameters, lgb.Dataset(rows, labels[known].astype(np.float64)), rounds)


if __name__ == "__main__":
    main()
