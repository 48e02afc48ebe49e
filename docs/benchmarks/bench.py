"""Speed and memory of Rapport on a simulated portfolio; run by ``make bench``.

Prints, for 10,000 accounts of about 200 interactions: the reading floor (pyarrow reads the same file and sums one
column per account), histories → matrix for 1 and for 24 monthly snapshots, and for 24 with the portfolio's figures
measured and used, as in training (seconds, peak memory, ratio to the floor, 24 against 1, microseconds per row). Then
1,000, 10,000 and 50,000 accounts at 1 snapshot: seconds and memory per interaction should stay as they are. Then one
account of about 200 interactions from dict to explained score.

Each measurement runs in a process of its own, so that peak memory is its own, after a run that compiles and warms the
file cache; of several the quickest counts. Times are wall-clock and take in the loading of compiled code (apart from
the table over accounts), and the machine is noisy: compare ratios of one run.
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

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

YEARS = 4


def main() -> None:
    """Run the whole benchmark, or (with --only) one measurement on an imported folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--accounts", type=int, default=10_000)
    parser.add_argument("--only", choices=("simulate", "floor", "matrix"))
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--snapshots", type=int, default=1)
    parser.add_argument("--portfolio", action="store_true", help="measure the portfolio's figures, too, and use them")
    options = parser.parse_args()
    if options.only == "simulate":
        simulated(options.folder, options.accounts)
    elif options.only == "floor":
        report(floor(options.folder))
    elif options.only == "matrix":
        report(matrix(options.folder, options.snapshots, options.portfolio))
    else:
        with tempfile.TemporaryDirectory() as scratch:
            whole(Path(scratch), options.accounts)


def report(figures: dict[str, float]) -> None:
    """Print figures for the parent process, with this process's peak memory."""
    figures["peak_mb"] = peak_mb()
    print(" ".join(f"{name}={value}" for name, value in figures.items()))


def peak_mb() -> float:
    """The most memory this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def floor(folder: Path) -> dict[str, float]:
    """The least that any tool must do: read the interactions and sum one number per account."""
    file = folder / "interactions.parquet"
    begin = time.perf_counter()
    table = pq.read_table(file)
    table.group_by("account_id").aggregate([("words", "sum")])
    return {"seconds": time.perf_counter() - begin, "rows": table.num_rows}


def matrix(folder: Path, months: int, portfolio: bool) -> dict[str, float]:
    """Canonical folder → histories → matrix of all indicators."""
    from features.histories.history import History
    from features.matrix import build_matrix, rows_at, snapshots
    from features.measuring import measure_portfolio
    from features.reference import NOTHING, Reference
    from features.sources.files import read_tables

    begin = time.perf_counter()
    tables = read_tables(folder)
    history = History.from_tables(tables)
    assert tables.dataset.span is not None
    moments = snapshots(*tables.dataset.span)[-months - 1 : -1]
    rows = rows_at(history, moments)
    read = time.perf_counter()
    build_matrix(history.part(0, 1), rows_at(history.part(0, 1), moments))  # loads what was compiled
    loaded, before_mb = time.perf_counter(), peak_mb()
    reference = Reference(measure_portfolio(history, moments)) if portfolio else NOTHING
    filled = build_matrix(history, rows, reference=reference)
    end = time.perf_counter()
    return {
        "seconds": end - begin,
        "reading": read - begin,
        "loading": loaded - read,
        "interactions": len(history.interactions),
        "before_mb": before_mb,
        "result_mb": filled.values.nbytes / 2**20,
        "rows": len(rows),
        "columns": len(filled.columns),
        "known": float((~np.isnan(filled.values)).mean()),
    }


def measured(folder: Path, *arguments: str, times: int = 3) -> dict[str, float]:
    """The quickest run of a measurement, each in a fresh process; if there are several, after one that warms caches."""
    runs = []
    for _ in range(times + (times > 1)):
        command = [sys.executable, __file__, "--folder", str(folder), *arguments]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        runs.append({name: float(value) for name, value in (pair.split("=") for pair in done.stdout.split())})
    return min(runs[-times:], key=lambda run: run["seconds"])


def whole(scratch: Path, accounts: int) -> None:
    """Simulate, import, and print every figure."""
    folder = made(scratch, accounts)
    least = measured(folder, "--only", "floor", times=5)
    print(f"floor: {least['seconds']:.2f} s, {least['peak_mb']:,.0f} MB")
    work = ("--only", "matrix", "--snapshots")
    runs = {
        "1 snapshot": measured(folder, *work, "1"),
        "24 snapshots": measured(folder, *work, "24"),
        "24 snapshots, with the portfolio": measured(folder, *work, "24", "--portfolio", times=1),
    }
    for what, run in runs.items():
        print(
            f"{what}: {run['seconds']:.2f} s (reading {run['reading']:.2f} s, loading {run['loading']:.2f} s), "
            f"{run['peak_mb']:,.0f} MB, {run['seconds'] / least['seconds']:.2f} x the floor, "
            f"{run['seconds'] / run['rows'] * 1e6:.1f} us per row, {run['rows']:,.0f} x {run['columns']:.0f}"
        )
    print(f"24 snapshots against 1: {runs['24 snapshots']['seconds'] / runs['1 snapshot']['seconds']:.2f} x")
    linear = {accounts: runs["1 snapshot"]}
    for other in (accounts // 10, 5 * accounts):
        linear[other] = measured(made(scratch, other), *work, "1", times=1 if other > accounts else 3)
    for size, run in sorted(linear.items()):
        spent = run["seconds"] - run["loading"]
        beyond = run["peak_mb"] - run["before_mb"] - run["result_mb"]
        print(
            f"{size:,} accounts, 1 snapshot: {spent:.2f} s without loading, "
            f"{spent / run['interactions'] * 1e6:.2f} us per interaction, {run['peak_mb']:,.0f} MB: "
            f"{run['before_mb']:,.0f} as read, {run['result_mb']:,.0f} the result, {beyond:,.0f} beyond"
        )
    one_account(scratch, folder)


def made(scratch: Path, accounts: int) -> Path:
    """A folder of canonical tables of a simulated portfolio, written by a process of its own.

    The memory that this process has held would count as held by those that it starts.
    """
    folder = scratch / str(accounts)
    command = [sys.executable, __file__, "--only", "simulate", "--folder", str(folder), "--accounts", str(accounts)]
    subprocess.run(command, check=True)
    return folder / "tables"


def simulated(folder: Path, accounts: int) -> None:
    """Simulate and import into a folder."""
    from features.sources.importing import import_to_folder
    from training.simulation import simulate

    begin = time.perf_counter()
    simulate(folder / "raw", accounts, YEARS, seed=1, truth=False)
    written = time.perf_counter()
    import_to_folder([folder / "raw"], folder / "tables")
    imported = time.perf_counter()
    interactions = pq.read_metadata(folder / "tables" / "interactions.parquet").num_rows
    print(f"{accounts:,} accounts, {interactions:,} interactions ({interactions / accounts:.0f} each)")
    print(f"simulated in {written - begin:.1f} s, imported in {imported - written:.1f} s", flush=True)


def records_of(table: pa.Table, account: str) -> list[dict[str, object]]:
    """One account's rows as a request brings them: times as text, absent fields absent."""
    rows = table.filter(pc.equal(table["account_id"], account)).to_pylist()
    return [
        {
            name: value.isoformat() if hasattr(value, "isoformat") else value
            for name, value in row.items()
            if value is not None
        }
        for row in rows
    ]


def one_account(scratch: Path, folder: Path) -> None:
    """One account of about 200 interactions, from plain dicts to indicators and to an explained score."""
    from features.histories.history import History
    from features.histories.tables import TABLES, Dataset, check_records
    from features.matrix import build_matrix, rows_at
    from features.sources.files import read_tables
    from features.sources.importing import import_to_folder
    from serving.champion import load_champion
    from serving.predictor import score_records
    from training.preparing import TrainOptions
    from training.simulation import simulate
    from training.train import train

    small = scratch / "small"
    simulate(small / "raw", 300, YEARS, seed=2, truth=False)
    import_to_folder([small / "raw"], small / "tables")
    os.environ["MLFLOW_TRACKING_URI"] = store = f"sqlite:///{scratch}/mlflow.db"
    os.chdir(scratch)  # artefacts of the run lie beside the store
    train(small / "tables", TrainOptions())
    models = load_champion(store).models
    tables = read_tables(folder)
    assert tables.dataset.span is not None
    as_of = tables.dataset.span[1]
    counts = tables.interactions.group_by("account_id").aggregate([("at", "count")])
    sizes = dict(zip(counts["account_id"].to_pylist(), counts["at_count"].to_pylist(), strict=True))
    near = sorted(sizes, key=lambda account: (abs(sizes[account] - 200), account))[:20]
    documents = [{name: records_of(getattr(tables, name), account) for name in TABLES} for account in near]

    def indicators(document: dict[str, list[dict[str, object]]]) -> None:
        checked = {name: check_records(TABLES[name], rows, name)[0] for name, rows in document.items()}
        history = History.from_records(checked, Dataset())
        build_matrix(history, rows_at(history, np.array([as_of])), evidence=True)

    def score(document: dict[str, list[dict[str, object]]]) -> None:
        score_records(models, document, Dataset(), as_of)

    for what, work in (("dict to indicators", indicators), ("dict to explained score", score)):
        work(documents[0])
        spent = []
        for repeat in range(200):
            begin = time.perf_counter()
            work(documents[repeat % len(documents)])
            spent.append(1000 * (time.perf_counter() - begin))
        print(
            f"one account of about 200 interactions, {what}: "
            f"median {np.median(spent):.2f} ms, p95 {np.percentile(spent, 95):.2f} ms"
        )


if __name__ == "__main__":
    main()
