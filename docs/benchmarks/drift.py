"""How often `rapport monitor` cries wolf, and what it finds: simulated portfolios with and without drift.

A model that learned from one simulated portfolio is the champion of others, of which it has seen nothing; their records
up to the end of 2024 stand as what it learned from. Each is watched as a scheduler would, once at each month start of
the year from July 2025 on, with all outcomes that were known by then. Without drift every alarm is false. Then drifts
are planted into the records from 2026 on:

    silent channel      no mail is recorded any more
    half the mail       every second mail is missing
    slow answers        our answers and the client's take twice the time
    few answers         every second answer is missing, on either side

Beside the alarms stands what the plain test would say (``plain``): all rows of the month against all rows of the twelve
months before the end of learning, as if they were independent. And calibration, with the best risks that can be known
in place of the champion's: they are calibrated, so that an alarm is false (``calibrated``), and half as high again, so
that it is not (``too_high``).

    .venv/bin/python docs/benchmarks/drift.py results/

Every finished portfolio is appended to ``results/*.csv``, and an interrupted run goes on where it stopped. About an
hour on one quiet core; ``--portfolios`` makes it shorter, ``--sizes`` chooses, ``--show`` prints what is there.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from portfolios import learn, simulated
from scipy.stats import binomtest, false_discovery_control, ks_2samp

from features.frame import first_event
from features.histories.history import History
from features.histories.log import Array
from features.histories.tables import Tables
from features.matrix import Matrix, Rows, build_matrix, fingerprint, rows_at, snapshots
from features.measuring import measure_portfolio
from features.reference import Reference
from features.sources.files import iso, read_tables
from features.sources.importing import import_to_folder
from models.archive import Models, load, save
from models.risk import HORIZONS
from models.stage import StageModel
from training.drift import days_needed
from training.monitoring import LEVELS, MONTHS, monitor
from training.outcomes import contract_outcomes
from training.realised import realised
from training.simulation import simulate

CHAMPION_ACCOUNTS, CHAMPION_SEED = 1_000, 800_001
PORTFOLIOS = {60: 30, 300: 24, 1000: 6}
"""Portfolios by their number of accounts (more than half of them are clients at any time)."""

PLANTED_PORTFOLIOS = 6
YEARS = 6
LEARNED_UNTIL, PLANTED_FROM = (int(np.datetime64(day, "s").astype(int)) for day in ("2024-12-31", "2026-01-01"))
LOOKS = snapshots(*(int(np.datetime64(day, "s").astype(int)) for day in ("2025-07-01", "2026-06-01")))
SORTS = (*LEVELS, "freshness")
PLANTS = ("silent channel", "half the mail", "slow answers", "few answers")
TOO_HIGH = 1.5


def main() -> None:
    """Run what is missing, then print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("results", type=Path)
    parser.add_argument("--portfolios", type=int, help="at most so many of each size")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(PORTFOLIOS), choices=list(PORTFOLIOS))
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args()
    options.results.mkdir(parents=True, exist_ok=True)
    undrifted, planted = options.results / "undrifted.csv", options.results / "planted.csv"
    if not options.show:
        champion = learned(options.results / "champion")
        for accounts in options.sizes:
            for seed in range(min(PORTFOLIOS[accounts], options.portfolios or PORTFOLIOS[accounts])):
                run(champion, accounts, seed, undrifted, planted)
    show_undrifted(read(undrifted))
    show_planted(read(planted))


def run(champion: Models, accounts: int, seed: int, undrifted: Path, planted: Path) -> None:
    """Watch one portfolio as it is and, if it is among the first, with each drift planted."""
    plants = [plant for plant in PLANTS if seed < PLANTED_PORTFOLIOS and not done(planted, accounts, seed, plant)]
    if not plants and done(undrifted, accounts, seed):
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        simulate(folder / "raw", accounts, YEARS, 1_000 * accounts + seed)
        import_to_folder([folder / "raw"], folder / "tables")
        tables = read_tables(folder / "tables")
        risks = pq.read_table(folder / "raw" / "true_risk.parquet")
    if not done(undrifted, accounts, seed):
        history = History.from_tables(tables)
        rows = watch(champion, history, LOOKS)
        plainly, calibration = plain_tests(history), calibrated_tests(history, risks)
        for row, one, other in zip(rows, plainly, calibration, strict=True):
            row |= {"plain": one} | other
        append(undrifted, [{"accounts": accounts, "seed": seed, **row} for row in rows])
    for plant in plants:
        rows = watch(champion, History.from_tables(drifted(tables, plant, seed)), LOOKS[LOOKS > PLANTED_FROM])
        append(planted, [{"accounts": accounts, "seed": seed, "plant": plant, **row} for row in rows])


def learned(folder: Path) -> Models:
    """A model of a large portfolio that is not among those watched, kept in a folder."""
    if not folder.exists():
        portfolio = simulated(CHAMPION_ACCOUNTS, CHAMPION_SEED, 5)
        stage = StageModel(portfolio.entries.matrix.columns)
        save(Models(learn(portfolio.entries, 1, 0), stage, {"count_as_lost": []}, portfolio.reference), folder)
    return load(folder, fingerprint())


def watch(champion: Models, history: History, looks: Array) -> list[dict[str, Any]]:
    """What the monitor says at each look, by sort of alarm; the champion counts as having learned from the records."""
    months = snapshots(int(first_event(history).min()), LEARNED_UNTIL)
    meta = champion.meta | {"data": {"learned_until": iso(LEARNED_UNTIL)}}
    models = replace(champion, reference=Reference(measure_portfolio(history, months)), meta=meta)
    rows = []
    for look in looks.tolist():
        found = monitor(history, models, look, 1)
        alarms = {alarm.sort for alarm in found.alarms}
        seen = {"look": str(iso(look))[:10], "scored": found.months[-1].accounts}
        rows.append(seen | {sort: int(sort in alarms) for sort in SORTS} | {"any": int(bool(alarms))})
    return rows


def plain_tests(history: History) -> Iterator[int]:
    """For each look: whether a test of all rows against all rows of twelve months finds any indicator drifted."""
    usual = snapshots(LEARNED_UNTIL - 400 * 86_400, LEARNED_UNTIL)[-MONTHS:]
    matrix = build_matrix(history, rows_at(history, np.union1d(usual, LOOKS)))
    columns = [place for place, one in enumerate(matrix.indicators) if days_needed(one) is not None]
    before = matrix.values[at_risk(matrix, usual)][:, columns]
    for look in LOOKS:
        now = matrix.values[at_risk(matrix, np.array([look]))][:, columns]
        chances = [
            ks_2samp(new[~np.isnan(new)], old[~np.isnan(old)], method="asymp").pvalue
            for new, old in zip(now.T, before.T, strict=True)
            if min((~np.isnan(new)).sum(), (~np.isnan(old)).sum()) >= 10
        ]
        yield int(false_discovery_control(chances).min() <= LEVELS["indicators"])


def at_risk(matrix: Matrix, moments: Array) -> Array:
    return np.flatnonzero(matrix.standing.at_risk & np.isin(matrix.rows.as_of, moments))


def calibrated_tests(history: History, risks: pa.Table) -> Iterator[dict[str, int]]:
    """For each look: whether the best risks that can be known are said to be off, as they are and too high."""
    place = {account: code for code, account in enumerate(history.accounts)}
    known: dict[tuple[int, int], dict[int, float]] = {}
    columns = (risks[name].to_pylist() for name in ("account_id", "as_of", "horizon_days", "knowable_risk"))
    for account, as_of, horizon, risk in zip(*columns, strict=True):
        known.setdefault((place[account], int(as_of.timestamp())), {})[horizon] = risk
    later = sorted(key for key in known if key[1] > LEARNED_UNTIL)
    rows = Rows(np.array([key[0] for key in later], dtype=np.int32), np.array([key[1] for key in later]))
    risk = np.array([[known[key][horizon] for horizon in HORIZONS] for key in later])
    standing = build_matrix(history, rows).standing
    outcomes = contract_outcomes(history, rows, standing, HORIZONS)
    for look in LOOKS:
        usable = outcomes.known_by <= look
        told = {"calibrated": risk, "too_high": np.minimum(risk * TOO_HIGH, 1.0)}
        yield {
            name: int(any(one.ratio is not None and one.ratio.off for one in found))
            for name, stated in told.items()
            for found in [realised(stated, rows, outcomes, usable, LEVELS["calibration"])]
        }


def drifted(tables: Tables, plant: str, seed: int) -> Tables:
    """The tables with a drift planted from ``PLANTED_FROM`` on."""
    rows = tables.interactions
    late = pc.greater_equal(rows["at"].cast(pa.int64()), PLANTED_FROM).to_numpy(zero_copy_only=False)
    mail = pc.fill_null(pc.equal(rows["channel"].cast(pa.string()), "email"), False).to_numpy(zero_copy_only=False)
    answer = rows["reply_to"].is_valid().to_numpy(zero_copy_only=False)
    half = np.random.default_rng(seed).random(len(rows)) < 0.5
    if plant == "slow answers":
        return replace(tables, interactions=slowed(rows, late & answer))
    gone = {"silent channel": mail, "half the mail": mail & half, "few answers": answer & half}[plant]
    return replace(tables, interactions=rows.filter(pa.array(~(late & gone))))


def slowed(rows: pa.Table, chosen: Array) -> pa.Table:
    """The rows with the chosen answers twice as long after what they answer, in canonical order."""
    asked = rows["at"].take(pc.index_in(rows["reply_to"], rows["interaction_id"].combine_chunks()))
    at, before = (column.cast(pa.int64()).to_numpy() for column in (rows["at"], pc.fill_null(asked, rows["at"])))
    moved = np.where(chosen, at - before, 0)
    for name in ("at", "recorded_at"):
        seconds = pc.add(rows[name].cast(pa.int64()), pa.array(moved))
        rows = rows.set_column(rows.column_names.index(name), name, seconds.cast(rows[name].type))
    return rows.sort_by([(name, "ascending") for name in ("account_id", "at", "interaction_id")])


def done(file: Path, accounts: int, seed: int, plant: str | None = None) -> bool:
    """Whether a portfolio's results are there."""
    return any(
        (row["accounts"], row["seed"], row.get("plant")) == (str(accounts), str(seed), plant) for row in read(file)
    )


def read(file: Path) -> list[dict[str, str]]:
    """The results so far."""
    if not file.exists():
        return []
    with file.open(newline="") as stream:
        return list(csv.DictReader(stream))


def append(file: Path, rows: list[dict[str, Any]]) -> None:
    """Add one portfolio's results."""
    new = not file.exists()
    with file.open("a", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        if new:
            writer.writeheader()
        writer.writerows(rows)


def show_undrifted(rows: list[dict[str, str]]) -> None:
    """Print the false alarms of every size, and what the level promises."""
    names = [*SORTS, "any", "plain", "calibrated", "too_high"]
    print("| accounts | months | " + " | ".join(names) + " |")
    print("|" + "---|" * (len(names) + 2))
    print("| at most | | " + " | ".join(f"{LEVELS[name]:.1%}" if name in LEVELS else "" for name in names) + " |")
    for accounts in PORTFOLIOS:
        part = [row for row in rows if row["accounts"] == str(accounts)]
        if part:
            shares = [share([int(row[name]) for row in part]) for name in names]
            print(f"| {accounts:,} | {len(part)} | " + " | ".join(shares) + " |")
    told = [int(row["any"]) for row in rows]
    if told:
        print(f"\nAll sizes: {sum(told)} of {len(told)} months with any alarm, {share(told)}")


def share(told: list[int]) -> str:
    """A share of months with the interval that it would have if months were independent."""
    found = binomtest(sum(told), len(told))
    low, high = found.proportion_ci(0.95)
    return f"{found.statistic:.1%} ({low:.1%} to {high:.1%})"


def show_planted(rows: list[dict[str, str]]) -> None:
    """Print for every drift in what share of portfolios it was found so many months after it began."""
    looks = sorted({row["look"] for row in rows})
    print("\n| drift | accounts | " + " | ".join(f"after {n} months" for n in range(1, len(looks) + 1)) + " | by |")
    print("|" + "---|" * (len(looks) + 3))
    for plant in PLANTS:
        for accounts in PORTFOLIOS:
            part = [row for row in rows if (row["accounts"], row["plant"]) == (str(accounts), plant)]
            if part:
                found = [np.mean([int(row["any"]) for row in part if row["look"] == look]) for look in looks]
                sorts = [sort for sort in SORTS if any(row[sort] == "1" for row in part)]
                print(
                    f"| {plant} | {accounts:,} | "
                    + " | ".join(f"{one:.0%}" for one in found)
                    + f" | {', '.join(sorts)} |"
                )


if __name__ == "__main__":
    main()
