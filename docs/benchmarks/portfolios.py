"""Simulated portfolios as what a training learns from, made by the product's own steps: the benchmarks share it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.frame import Frame, in_parts
from features.histories.history import History
from features.histories.log import Array
from features.reference import Reference
from features.sources.files import read_tables
from features.sources.importing import import_to_folder
from models.risk import HORIZONS, RiskModel
from models.trees import RiskSettings
from training.entries import Entries, make_folds
from training.fitting import MEMBERS, fit, tried
from training.preparing import TrainOptions, entries_of, offered, reference_of
from training.simulation import simulate
from training.splits import entries_before
from training.tuning import TRIALS, choose

YEARS = 4

FRESH, FRESH_SEED, EVERY_MONTHS = 5_000, 900_001, 3


@dataclass(frozen=True)
class Simulated:
    """Entries of a simulated portfolio, the true and the knowable risk of each (n, H), NaN where the simulator gives
    none, and the history and reference that they were made with."""

    entries: Entries
    true_risk: Array
    knowable_risk: Array
    history: History
    reference: Reference


def simulated(accounts: int, seed: int, years: int = YEARS) -> Simulated:
    """Simulate, import, and fill the rows with a known outcome at the month starts, as a training does."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        simulate(folder / "raw", accounts, years, seed)
        import_to_folder([folder / "raw"], folder / "tables")
        history = History.from_tables(read_tables(folder / "tables"))
        risks = pq.read_table(folder / "raw" / "true_risk.parquet")
    reference = reference_of(history, [])
    entries = entries_of(history, "contract", TrainOptions(), None, reference, [], quietly)
    true, knowable = (_risks(entries, risks, name) for name in ("true_risk", "knowable_risk"))
    return Simulated(entries, true, knowable, history, reference)


def fresh_accounts() -> Simulated:
    """Accounts that nothing has learned from, at every third month start."""
    fresh = simulated(FRESH, FRESH_SEED)
    as_of = fresh.entries.matrix.rows.as_of
    rows = np.flatnonzero(np.isin(as_of, np.unique(as_of)[::EVERY_MONTHS]))
    true, knowable = fresh.true_risk[rows], fresh.knowable_risk[rows]
    return replace(fresh, entries=fresh.entries.rows(rows), true_risk=true, knowable_risk=knowable)


def learn(entries: Entries, trials: int = TRIALS, members: int = MEMBERS) -> RiskModel:
    """The model that `rapport train` would register: horizons offered, settings chosen before the test, then all
    learned. Raises CannotTrain where it declines."""
    offers, cut = offered(entries, TrainOptions(), [])
    before = offers if cut is None else offers.only(entries_before(offers.outcomes, cut))
    return fit(offers, settings_for(before, trials), "contract", members).model


def settings_for(before: Entries, trials: int = TRIALS) -> RiskSettings:
    """The settings of the trees that `rapport train` chooses on what comes before the test."""
    seed = TrainOptions().seed
    sample = tried(before, seed)
    with tempfile.TemporaryDirectory() as scratch:
        journal = Path(scratch) / "journal"
        return choose(sample, make_folds(sample, seed)[0], seed, trials, journal, "benchmark", quietly)[0].settings


def quietly(step: str, done: int, total: int) -> None:
    """No progress shown."""


def as_seen(fresh: Simulated, reference: Reference) -> Entries:
    """Fresh entries with the columns that compare with the portfolio filled from another portfolio."""
    matrix = fresh.entries.matrix
    values = matrix.values.copy()
    columns = [place for place, one in enumerate(matrix.indicators) if one.portfolio]

    def fill(frame: Frame, filled: slice) -> None:
        for place in columns:
            values[filled, place] = matrix.indicators[place].compute(frame).value

    in_parts(fresh.history, matrix.rows.account, matrix.rows.as_of, reference.portfolio, fill)
    return replace(fresh.entries, matrix=replace(matrix, values=values))


def _risks(entries: Entries, risks: pa.Table, name: str) -> Array:
    """float64 (n, H): a column of the simulator's risks beside the entries' rows; NaN where it has none."""
    matrix = entries.matrix
    code = pc.index_in(risks["account_id"], pa.array(matrix.accounts)).to_numpy()
    as_of = risks["as_of"].cast(pa.timestamp("s", "UTC")).cast(pa.int64()).to_numpy()
    place = np.searchsorted(HORIZONS, risks["horizon_days"].to_numpy())
    rows = matrix.rows
    first = int(min(as_of.min(), rows.as_of.min()))
    span = int(max(as_of.max(), rows.as_of.max())) - first + 1
    wanted = rows.account.astype(np.int64) * span + rows.as_of - first
    key = code.astype(np.int64) * span + as_of - first
    found = np.searchsorted(wanted, key)
    there = np.append(wanted, -1)[found] == key
    filled = np.full((len(rows), len(HORIZONS)), np.nan)
    filled[found[there], place[there]] = risks[name].to_numpy()[there]
    return filled
