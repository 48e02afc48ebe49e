"""Processor time per row of Rapport and of featuretools, on the same simulated folder and rows, in one run.

featuretools gets what it can express as it stands: counts (whole, and by kind, by side), sums, means, shares, distinct
contacts, days since the last, and trends, over 90 days, 365 days and the whole history as of each (account, as_of) row.
That is the nearest to a part of Rapport's columns; what links one touch to another (who answered whom, how soon, who
began) it cannot say without code of one's own. It lives in an environment of its own:

    python3.11 -m venv /tmp/featuretools
    /tmp/featuretools/bin/pip install --requirement docs/benchmarks/featuretools_requirements.txt
    .venv/bin/python docs/benchmarks/featuretools_comparison.py --featuretools /tmp/featuretools/bin/python

Each side runs in a process of its own. Its imports, and one small run that compiles and warms up, come first; then the
processor time (user and system, of the process and its children) from the files to the finished columns is taken. Where
a figure of both is the same thing, the results are compared.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

WINDOWS = {"90d": "90 days", "365d": "365 days", "all": None}
NUMBERS = ["words", "minutes", "level", "rating", "amount"]
KINDS = ["message", "call", "meeting", "order", "delivery", "request", "commitment", "mistake", "gesture", "advocacy"]
KINDS += ["advice", "brief", "feedback", "fee", "disclosure", "introduction", "mention"]
CHANNELS = ["email", "phone", "text", "chat", "video", "in_person", "social", "letter"]
TOUCHING = ["request", "advice", "brief", "delivery", "feedback", "fee", "gesture", "disclosure"]
TOUCHING += ["introduction", "commitment"]
SAME = {"touches_90d": "count of the client's touches in 90 days", "silence": "days since the client's last touch"}


def main() -> None:
    """Simulate, run both sides, print the ratio; with --only, run one side on a folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--featuretools", type=Path, help="the python of the environment that has featuretools")
    parser.add_argument("--accounts", type=int, default=30, help="accounts of the folder that both sides read")
    parser.add_argument("--more", type=int, default=1000, help="accounts of a folder that Rapport alone reads")
    parser.add_argument("--only", choices=("rapport", "featuretools"))
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.only:
        work = of_rapport if options.only == "rapport" else of_featuretools
        print(json.dumps(work(options.folder)))
    elif options.featuretools is None:
        parser.error("--featuretools is needed; the head of this file says how to make its environment")
    else:
        with tempfile.TemporaryDirectory() as scratch:
            compare(Path(scratch), options)


def processor_seconds() -> float:
    """User and system time of this process and of its finished children."""
    spent = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in spent)


def compare(scratch: Path, options: argparse.Namespace) -> None:
    """Write the folders and their rows, run both sides and print."""
    few, many = scratch / "few", scratch / "many"
    interactions = write(few, options.accounts)
    write(many, options.more)

    def run(python: Path | str, side: str, folder: Path) -> dict[str, Any]:
        command = [str(python), __file__, "--only", side, "--folder", str(folder)]
        found: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        return found

    def least(folder: Path) -> dict[str, Any]:
        runs = [run(sys.executable, "rapport", folder) for _ in range(3)]
        return min(runs, key=lambda found: float(found["seconds"]))

    theirs = run(options.featuretools, "featuretools", few)
    print(f"{options.accounts:,} simulated accounts, {interactions:,} interactions, {theirs['rows']:,} rows")
    each = theirs["seconds"] / theirs["rows"]
    print(f"featuretools: {theirs['columns']} columns, {1000 * each:.1f} ms CPU per row")
    ours = least(few)
    for what, own in (("the same rows", ours), (f"{options.more:,} accounts, Rapport alone", least(many))):
        per_row = own["seconds"] / own["rows"]
        print(
            f"Rapport, {what}: {own['rows']:,} rows x {own['columns']} columns, {1e6 * per_row:,.0f} us CPU per row: "
            f"{each / per_row:,.0f} times fewer"
        )
    for name, meaning in SAME.items():
        pairs = list(zip(theirs["same"][name], ours["same"][name], strict=True))
        equal = sum(a == b or (a is not None and b is not None and abs(a - b) < 1e-6) for a, b in pairs)
        print(f"equal on both sides, {meaning}: {equal} of {len(pairs)} rows")


def write(folder: Path, accounts: int) -> int:
    """A simulated folder and its rows, every account at 24 month starts; returns how many interactions it has."""
    from features.histories.history import History
    from features.matrix import rows_at, snapshots
    from features.sources.files import read_tables
    from features.sources.importing import import_to_folder
    from training.simulation import simulate

    simulate(folder / "raw", accounts, 4, seed=1, truth=False)
    without_late_entries(folder / "raw" / "interactions.parquet")
    import_to_folder([folder / "raw"], folder / "tables")
    tables = read_tables(folder / "tables")
    assert tables.dataset.span is not None
    history = History.from_tables(tables)
    rows = rows_at(history, snapshots(*tables.dataset.span)[-25:-1])
    pairs = [[history.accounts[account], int(as_of)] for account, as_of in zip(rows.account, rows.as_of, strict=True)]
    (folder / "rows.json").write_text(json.dumps(pairs))
    return int(tables.interactions.num_rows)


def without_late_entries(file: Path) -> None:
    """Each interaction once, known when it happens: featuretools has one time per row, and so both can agree."""
    import pyarrow.parquet as pq

    table = pq.read_table(file)
    numbered = table.append_column("place", [range(table.num_rows)])
    last = numbered.group_by("interaction_id").aggregate([("place", "max")])["place_max"]
    late = [name for name in ("recorded_at", "outcome_recorded_at", "updated_at") if name in table.column_names]
    pq.write_table(table.take(last.sort()).drop_columns(late), file)


def of_rapport(folder: Path) -> dict[str, Any]:
    """Rapport: all its columns on the rows of the folder."""
    import numpy as np

    from features.histories.history import History
    from features.matrix import Matrix, Rows, build_matrix
    from features.sources.files import read_tables

    def filled(pairs: list[tuple[str, int]], evidence: bool = False) -> Matrix:
        history = History.from_tables(read_tables(folder / "tables"))
        places = {account: place for place, account in enumerate(history.accounts)}
        rows = Rows(np.array([places[account] for account, _ in pairs]), np.array([moment for _, moment in pairs]))
        return build_matrix(history, rows, evidence)

    pairs = json.loads((folder / "rows.json").read_text())
    filled(pairs[:1])
    begin = processor_seconds()
    matrix = filled(pairs)
    seconds = processor_seconds() - begin
    matrix = filled(pairs, evidence=True)
    assert matrix.evidence is not None
    touches = matrix.evidence[:, matrix.columns.index("G4a.personal_share.90d")]
    silence = matrix.values[:, matrix.columns.index("D8f.silence.now")]
    return {
        "rows": len(matrix),
        "columns": len(matrix.columns),
        "seconds": seconds,
        "same": {
            "touches_90d": [int(count) for count in touches],
            "silence": [None if np.isnan(days) else float(days) for days in silence],
        },
    }


def of_featuretools(folder: Path) -> dict[str, Any]:
    """featuretools on the rows of the folder, one pass per window."""
    import warnings

    import featuretools as ft  # type: ignore[import-not-found]
    import pandas as pd

    warnings.simplefilter("ignore")  # its own calls of what pandas deprecates

    def entities() -> Any:
        log = pd.read_parquet(folder / "tables" / "interactions.parquet")
        log["at"] = log["at"].dt.tz_localize(None)
        for name in ("kind", "actor", "channel", "outcome", "subtype"):
            log[name] = log[name].astype(object)
        held = (log["kind"] == "meeting") & (log["outcome"] == "held")
        said = log["kind"].isin(["message", "call"]) | held | (log["kind"].isin(TOUCHING) & log["about_id"].isna())
        by_client = (log["actor"] == "client") | held
        log["side"] = "none"
        log.loc[said & (log["auto"] != True), "side"] = "us"  # noqa: E712  (it may be unknown)
        log.loc[(log["side"] == "us") & by_client, "side"] = "client"
        log["by_client"] = by_client
        categories = ["account_id", "kind", "side", "channel", "contact_id"]
        made = ft.EntitySet("accounts")
        made.add_dataframe(
            dataframe_name="interactions",
            dataframe=log[["interaction_id", "at", "by_client", *categories, *NUMBERS]],
            index="interaction_id",
            time_index="at",
            logical_types={name: "Categorical" for name in categories}
            | {name: "Double" for name in NUMBERS}
            | {"by_client": "Boolean"},
        )
        made.normalize_dataframe("interactions", "accounts", "account_id", make_time_index=False)
        interesting = {"kind": KINDS, "side": ["client", "us"], "channel": CHANNELS}
        made.add_interesting_values(dataframe_name="interactions", values=interesting)
        return made

    def filled(pairs: list[tuple[str, int]]) -> dict[str, Any]:
        cutoff = pd.DataFrame(pairs, columns=["account_id", "time"])
        cutoff["time"] = pd.to_datetime(cutoff["time"], unit="s")
        found = {}
        made = entities()
        for window, length in WINDOWS.items():
            found[window], _ = ft.dfs(
                entityset=made,
                target_dataframe_name="accounts",
                cutoff_time=cutoff,
                cutoff_time_in_index=True,
                training_window=length,
                agg_primitives=["count", "sum", "mean", "percent_true", "num_unique", "time_since_last", "trend"],
                where_primitives=["count", "percent_true", "time_since_last"],
                trans_primitives=[],
                max_depth=1,
                n_jobs=1,
            )
        return found

    pairs = json.loads((folder / "rows.json").read_text())
    filled(pairs[:1])
    begin = processor_seconds()
    found = filled(pairs)
    seconds = processor_seconds() - begin
    order = pd.MultiIndex.from_tuples([(account, pd.Timestamp(t, unit="s")) for account, t in pairs])
    counts = found["90d"]["COUNT(interactions WHERE side = client)"].loc[order]
    since = found["all"]["TIME_SINCE_LAST(interactions.at WHERE side = client)"].loc[order]
    return {
        "rows": len(pairs),
        "columns": sum(len(frame.columns) for frame in found.values()),
        "seconds": seconds,
        "same": {
            "touches_90d": [int(count) for count in counts.fillna(0)],
            "silence": [None if pd.isna(one) else one / 86_400 for one in since],
        },
    }


if __name__ == "__main__":
    main()
