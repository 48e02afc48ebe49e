"""Different clients leave for different reasons: the explanations must find each one's own.

A model learns from one simulated portfolio and explains another. The simulation knows by which mechanism each client is
being lost, which signals show it best (its drivers) and which it leaves as they are (irrelevant).
"""

from __future__ import annotations

from dataclasses import dataclass
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
from features.sources.importing import import_folder
from models.calibration import Calibration
from models.explanation import explain
from models.risk import RiskModel, RiskSettings, train_booster
from training.outcomes import contract_outcomes, observed_until
from training.simulation import simulate

HORIZONS = (90, 180)
MECHANISMS = ("neglect", "champion", "price", "mistake", "rival", "budget")


def simulated(folder: Path, accounts: int, seed: int) -> tuple[History, Matrix]:
    """A portfolio and its matrix at every second month start."""
    simulate(folder / "raw", accounts, 4, seed=seed)
    import_folder(folder / "raw", folder / "tables")
    history = History.from_tables(read_tables(folder / "tables"))
    months = snapshots(int(first_event(history).min()), int(observed_until(history).max()))
    rows = rows_at(history, months[::2])
    return history, build_matrix(history, rows, reference=Reference(measure_portfolio(history, months)))


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
    eligible = np.flatnonzero(outcomes.eligible)
    learned, labels = matrix.take(eligible), outcomes.labels[eligible]
    settings = RiskSettings(rounds=150, learning_rate=0.05)
    booster = train_booster(
        learned.values, learned.standing.days_to_end, learned.indicators, labels, HORIZONS, None, settings
    )
    risk = RiskModel(
        booster, learned.columns, learned.fingerprint, HORIZONS, Calibration(1.0, (0.0, 0.0)), "contract", settings
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
