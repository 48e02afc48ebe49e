"""Quality on two real logs, by the public commands of docs/examples: the model beside every baseline.

    .venv/bin/python docs/benchmarks/real_logs.py DATA

DATA holds the folders ``w3c-mail`` and ``reality-calls`` with their ``touches.csv.gz``. Each is imported and trained
on with the commands that are printed, in a tracking store of its own. From the run's evaluation: AUC, average precision
and ECE of the model and of its baselines on the test part, and the model's lead over each with paired intervals (95 %,
over accounts, or over persons for reality-calls). Then a logistic regression on the same matrix and rows, with the C
that does best in folds over groups: the mean AUC over both logs should be above the better of that and of LightGBM with
its own defaults.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from features.histories.history import History
from features.histories.log import Array
from features.sources.files import read_tables
from training.evaluation import measure
from training.preparing import TrainOptions, entries_of, reference_of
from training.splits import entries_before, entries_from, groups_of

RAPPORT = Path(sys.executable).with_name("rapport")
MAPPINGS = Path(__file__).parent.parent / "examples"
MEASURES = ("auc", "average_precision", "ece")
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)


def day(date: str) -> int:
    """UTC seconds of midnight."""
    return int(np.datetime64(date, "s").astype(np.int64))


LOGS: Mapping[str, tuple[str, TrainOptions]] = {
    "w3c-mail": (
        "--definition silence --silence-days 180 --every 30 --from 1997-01-01 --to 2002-08-31 --test-from 2001-01-01",
        TrainOptions(
            definition="silence",
            silence_days=180,
            spacing_days=30,
            first=day("1997-01-01"),
            last=day("2002-08-31"),
            test_from=day("2001-01-01"),
        ),
    ),
    "reality-calls": (
        "--definition silence --silence-days 45 --every 14 --from 2004-09-01 --to 2005-04-30 --test-from 2004-12-15 "
        "--group our_contact_id",
        TrainOptions(
            definition="silence",
            silence_days=45,
            spacing_days=14,
            first=day("2004-09-01"),
            last=day("2005-04-30"),
            test_from=day("2004-12-15"),
            group="our_contact_id",
        ),
    ),
}
"""The commands' options, and the same for what is worked out here."""


def main() -> None:
    """Run the commands and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path)
    options = parser.parse_args()
    reached: dict[str, list[float]] = {"risk": [], "lightgbm_defaults": [], "logistic": []}
    with tempfile.TemporaryDirectory() as scratch:
        for name, (arguments, same) in LOGS.items():
            folder = Path(scratch) / name
            rapport(folder, "import", options.data / name, "--map", MAPPINGS / f"{name}.toml", "--out", folder / name)
            rapport(folder, "train", folder / name, *arguments.split())
            ((horizon, judged),) = evaluation(folder)["horizons"].items()
            logistic = logistic_auc(folder / name, same)
            print(f"\n**{name}, silence of {horizon} days, test from {arguments.split('--test-from ')[1][:10]}**\n")
            tables(judged, logistic)
            for scorer in ("risk", "lightgbm_defaults"):
                reached[scorer].append(judged["measured"][scorer]["auc"]["value"])
            reached["logistic"].append(logistic)
    print("\nMean AUC over both: " + ", ".join(f"{scorer} {np.mean(each):.3f}" for scorer, each in reached.items()))


def rapport(store: Path, *arguments: object) -> None:
    """Run a command, printed as one would type it."""
    command = [str(argument) for argument in arguments]
    print("\n    rapport " + " ".join(command), flush=True)
    store.mkdir(exist_ok=True)
    address = f"sqlite:///{store / 'mlflow.db'}"
    subprocess.run([RAPPORT, *command], check=True, cwd=store, env=os.environ | {"MLFLOW_TRACKING_URI": address})


def evaluation(store: Path) -> dict[str, Any]:
    """What the training judged."""
    mlflow.set_tracking_uri(f"sqlite:///{store / 'mlflow.db'}")
    (run,) = mlflow.search_runs(search_all_experiments=True, output_format="list")
    before = Path.cwd()
    os.chdir(store)  # the artefacts lie beside the store
    try:
        return dict(json.loads(mlflow.artifacts.load_text(f"{run.info.artifact_uri}/evaluation.json")))
    finally:
        os.chdir(before)


def tables(judged: dict[str, Any], logistic: float) -> None:
    """Print the measures, and the model's leads."""
    print(
        f"{judged['rows']:,} rows of {judged['accounts']:,} accounts, {judged['lost_rows']:,} of them lost; "
        f"by chance alone the ECE would be {judged['null']['mean']:.3f}\n"
    )
    print("| | AUC | average precision | ECE |\n|---|---|---|---|")
    for scorer, measured in judged["measured"].items():
        print(f"| {scorer} | " + " | ".join(interval(measured[name]) for name in MEASURES) + " |")
    print(f"| logistic on the same matrix | {logistic:.3f} | | |")
    print("\n| the model minus | AUC | average precision | ECE |\n|---|---|---|---|")
    for scorer, lead in judged["leads"].items():
        print(f"| {scorer} | " + " | ".join(interval(lead[name], "+") for name in MEASURES) + " |")


def interval(estimate: dict[str, float], sign: str = "") -> str:
    """A value with its interval."""
    return f"{estimate['value']:{sign}.3f} ({estimate['low']:{sign}.3f} to {estimate['high']:{sign}.3f})"


def logistic_auc(folder: Path, options: TrainOptions) -> float:
    """AUC on the test part of a logistic regression over all columns, unknown figures as the usual ones, and whether
    each is unknown."""
    tables = read_tables(folder)
    history = History.from_tables(tables)
    group = None if options.group is None else groups_of(tables, options.group)
    reference = reference_of(history, [])
    entries = entries_of(history, "silence", options, group, reference, [], lambda step, done, total: None)
    assert options.test_from is not None
    learn = entries_before(entries.outcomes, options.test_from)[:, 0]
    test = entries_from(entries.outcomes, entries.matrix.rows.as_of, options.test_from)[:, 0]
    lost = entries.outcomes.labels[:, 0] == 1
    inputs = filled(entries.matrix.values, learn)
    folds = list(GroupKFold(5).split(inputs[learn], lost[learn], entries.group[learn]))
    regression = LogisticRegressionCV(
        Cs=STRENGTHS, cv=folds, scoring="neg_log_loss", max_iter=5000, l1_ratios=(0.0,), use_legacy_attributes=False
    )
    model = make_pipeline(StandardScaler(), regression).fit(inputs[learn], lost[learn])
    return measure(model.predict_proba(inputs[test])[:, 1], lost[test])["auc"]


def filled(values: Array, learn: Array) -> Array:
    """Columns that are known in some rows learned from, with their median where unknown, and where they are."""
    known = ~np.isnan(values)
    columns = known[learn].any(axis=0)
    usual = np.nanmedian(values[learn][:, columns], axis=0)
    return np.hstack((np.where(known[:, columns], values[:, columns], usual), ~known[:, columns]))


if __name__ == "__main__":
    main()
