"""Different clients leave for different reasons: the explanations must find each one's own.

A model learns from one simulated portfolio and explains another. The simulation knows by which mechanism each client is
being lost, which signals show it best (its drivers) and which it leaves as they are (irrelevant).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from features.frame import first_event
from features.histories.history import History
from features.histories.log import Array
from features.matrix import Matrix, build_matrix, rows_at, snapshots
from features.measuring import measure_portfolio
from features.reference import Reference
from features.sources.files import read_tables
from features.sources.importing import import_to_folder
from models.blend import Blend
from models.calibration import Calibration
from models.explanation import explain
from models.risk import RiskModel
from models.trees import train_booster
from training.directed import fit_linear
from training.entries import Entries
from training.fitting import LOSSES_FOR_HALF
from training.outcomes import contract_outcomes, observed_until
from training.simulation import simulate
from training.tuning import USUAL

HORIZONS = (90, 180)
SETTINGS = replace(USUAL, rounds=150)
MECHANISMS = ("neglect", "champion", "price", "mistake", "rival", "budget")


def simulated(folder: Path, accounts: int, seed: int) -> tuple[History, Matrix]:
    """A portfolio and its matrix at every second month start."""
    simulate(folder / "raw", accounts, 4, seed=seed)
    import_to_folder([folder / "raw"], folder / "tables")
    history = History.from_tables(read_tables(folder / "tables"))
    months = snapshots(int(first_event(history).min()), int(observed_until(history).max()))
    rows = rows_at(history, months[::2])
    return history, build_matrix(history, rows, reference=Reference(measure_portfolio(history, months)))


def blend(learned: Entries) -> Blend:
    """Both halves, weighed by the rule of evidence alone: without out-of-fold scores it is made in half the time."""
    matrix, labels = learned.matrix, learned.labels
    end, indicators = matrix.standing.days_to_end, matrix.indicators
    booster = train_booster(matrix.values, end, indicators, labels, HORIZONS, learned.weight, SETTINGS)
    weight = learned.weight / learned.rows_per_loss
    linear, _ = fit_linear(matrix.values, end, indicators, labels, HORIZONS, weight)
    lost = int(learned.lost_accounts(learned.usable).max())
    share = lost / (lost + LOSSES_FOR_HALF)
    return Blend(booster, linear, share, 1 - share)


@dataclass(frozen=True)
class Explained:
    """Clients of a fresh portfolio: shares of the risk in log-odds by (row, signal), and what is behind each row."""

    shares: Array
    signals: list[str]
    mechanism: list[str]
    late: Array
    drivers: dict[str, list[str]]
    irrelevant: dict[str, list[str]]

    def of(self, mechanism: str, signals: list[str]) -> Array:
        """Mean share of some signals in each row of clients late in a mechanism of loss."""
        rows = self.late & (np.array(self.mechanism) == mechanism)
        return np.asarray(self.shares[rows][:, [self.signals.index(one) for one in signals]].mean(axis=1))


@pytest.fixture(scope="module")
def explained(tmp_path_factory: pytest.TempPathFactory) -> Explained:
    base = tmp_path_factory.mktemp("drivers")
    history, matrix = simulated(base / "learned", 2000, seed=11)
    outcomes = contract_outcomes(history, matrix.rows, matrix.standing, HORIZONS)
    learned = Entries(matrix, outcomes, outcomes.labels >= 0, matrix.rows.account, False).used_rows()
    risk = RiskModel(
        blend(learned),
        matrix.columns,
        matrix.fingerprint,
        HORIZONS,
        Calibration(1.0, (0.0, 0.0)),
        "contract",
        SETTINGS,
        members=(),
        spread=1.0,
    )

    _, fresh = simulated(base / "fresh", 400, seed=12)
    known = {
        (row["account_id"], int(row["as_of"].timestamp())): row
        for row in pq.read_table(base / "fresh" / "raw" / "mechanism.parquet").to_pylist()
    }
    rows = [
        (place, known[pair])
        for place, pair in enumerate(zip(fresh.account_ids, fresh.rows.as_of.tolist(), strict=True))
        if pair in known
    ]
    explanation = explain(risk, fresh.take(np.array([place for place, _ in rows])), 180)
    shares = [explanation.log_odds[:, columns].sum(axis=1) for columns in explanation.signal_columns.values()]
    behind = [row for _, row in rows]
    lists = {row["mechanism"]: row for row in behind if row["mechanism"]}
    return Explained(
        np.stack(shares, axis=1),
        list(explanation.signal_columns),
        [row["mechanism"] or "none" for row in behind],
        np.array([row["condition"].endswith(", late") or not row["mechanism"] for row in behind]),
        {name: row["drivers"] for name, row in lists.items()},
        {name: row["irrelevant"] for name, row in lists.items()},
    )


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_what_drives_a_loss_weighs_more_than_what_has_nothing_to_do_with_it(
    explained: Explained, mechanism: str
) -> None:
    drivers = explained.of(mechanism, explained.drivers[mechanism])
    irrelevant = explained.of(mechanism, explained.irrelevant[mechanism])
    assert len(drivers) >= 10
    assert drivers.mean() > 2 * max(irrelevant.mean(), 0)
    assert (drivers > irrelevant).mean() > 0.6


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_mechanism_shows_in_its_own_clients_and_not_in_those_that_are_well(
    explained: Explained, mechanism: str
) -> None:
    drivers = explained.drivers[mechanism]
    assert explained.of(mechanism, drivers).mean() > 0 > explained.of("none", drivers).mean()
