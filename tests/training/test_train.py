"""A training on a simulated portfolio from end to end: what is registered, and what the registered model keeps to."""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.entities import Run

from features.frame import first_event
from features.histories.history import History
from features.histories.log import DAY, Array
from features.histories.tables import TABLES
from features.matrix import Matrix, Rows, build_matrix, fingerprint, rows_at, snapshots
from features.own_columns import OwnColumn
from features.sources.files import iso, read_tables
from features.sources.importing import import_folder
from models.archive import Models, load
from models.prediction import predict
from models.risk import HORIZONS, RiskModel
from training import train as training
from training.baselines import BASELINES
from training.evaluation import MEASURES
from training.fitting import Entries, fit
from training.outcomes import CannotTrain, Outcomes, contract_outcomes, observed_until
from training.simulation import simulate
from training.train import MINIMUM_TEST_LOSSES, TrainOptions, TrainReport, train

PLAIN_FILES = {".json", ".txt", ".yaml", ".png", ""}
LATE = 1_764_547_200  # 2025-12-01, seven months before the simulation ends: no 365 days follow it


@dataclass(frozen=True)
class World:
    """A canonical folder, and what the training should find in it, computed apart."""

    folder: Path
    raw: Path
    history: History
    matrix: Matrix
    outcomes: Outcomes


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    base = tmp_path_factory.mktemp("world")
    simulate(base / "raw", 150, 4, seed=5, truth=False)
    import_folder(base / "raw", base / "tables")
    history = History.from_tables(read_tables(base / "tables"))
    moments = snapshots(int(first_event(history).min()), int(observed_until(history).max()))
    matrix = build_matrix(history, rows_at(history, moments))
    outcomes = contract_outcomes(history, matrix.rows, matrix.standing, HORIZONS)
    return World(base / "tables", base / "raw", history, matrix, outcomes)


@pytest.fixture(scope="module")
def store(migrated_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of an MLflow store that all tests of this file share."""
    folder = tmp_path_factory.mktemp("store")
    shutil.copyfile(migrated_store, folder / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
        patch.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", str(folder / "artifacts"))
        patch.setattr("mlflow.tracking.fluent._active_experiment_id", None)
        yield folder
        os.environ.pop("MLFLOW_EXPERIMENT_ID", None)
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type]
        mlflow.set_registry_uri(None)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def report(world: World, store: Path) -> TrainReport:
    """The first training of the store."""
    return train(world.folder, TrainOptions())


@pytest.fixture(scope="module")
def repeated(world: World, report: TrainReport) -> TrainReport:
    """The same training once more."""
    return train(world.folder, TrainOptions())


@pytest.fixture(scope="module")
def run(report: TrainReport) -> Run:
    return mlflow.get_run(report.registered.run_id)


@pytest.fixture(scope="module")
def champion(report: TrainReport, tmp_path_factory: pytest.TempPathFactory) -> Models:
    """The champion as read from its own files."""
    target = tmp_path_factory.mktemp("champion")
    found = mlflow.artifacts.download_artifacts("models:/rapport@champion", dst_path=str(target))
    return load(Path(found, "data", "models"), fingerprint())


def versions() -> list[str]:
    return sorted(str(one.version) for one in mlflow.MlflowClient().search_model_versions("name='rapport'"))


def document(report: TrainReport, name: str, folder: Path) -> dict[str, dict[str, dict[str, dict[str, object]]]]:
    """A JSON file of the run, read strictly: NaN is no JSON."""

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    found = mlflow.artifacts.download_artifacts(
        run_id=report.registered.run_id, artifact_path=name, dst_path=str(folder)
    )
    read = json.loads(Path(found).read_text(encoding="utf-8"), parse_constant=refuse)
    assert isinstance(read, dict)
    return read


# The registry


def test_only_the_first_training_makes_itself_the_champion(report: TrainReport, repeated: TrainReport) -> None:
    assert (report.registered.version, report.registered.is_champion) == ("1", True)
    assert (repeated.registered.version, repeated.registered.is_champion) == ("2", False)
    model = mlflow.MlflowClient().get_registered_model("rapport")
    assert {alias: str(version) for alias, version in model.aliases.items()} == {"champion": "1"}
    assert versions()[:2] == ["1", "2"]


def test_the_same_seed_gives_the_same_model(report: TrainReport, repeated: TrainReport) -> None:
    assert repeated.model.booster.model_to_string() == report.model.booster.model_to_string()
    assert repeated.model.calibration == report.model.calibration
    assert repeated.judged == report.judged
    assert repeated.trials == report.trials


# The run


def test_the_run_tells_what_was_asked_and_what_was_chosen(report: TrainReport, run: Run) -> None:
    asked = {"definition": "contract", "horizons": "30,90,180,365", "seed": "7", "group": "None"}
    chosen = {
        "model.depth": str(report.model.settings.depth),
        "model.rounds": str(report.model.settings.rounds),
        "test_from": str(iso(report.test_from)),
    }
    assert run.data.params.items() >= (asked | chosen).items()
    assert report.model.settings == report.trials[0].settings
    others = [trial.log_loss for trial in report.trials[1:]]
    assert others == sorted(others)


def test_the_run_tells_its_data(world: World, run: Run) -> None:
    dataset = world.history.dataset
    assert dataset.span is not None
    expected = {
        "definition": "contract",
        "matrix.fingerprint": fingerprint(),
        "matrix.columns": str(len(world.matrix.columns)),
        "data.sha256": dataset.sha256,
        "data.span": " to ".join(str(iso(moment)) for moment in dataset.span),
        "data.simulated": "true",
    }
    assert run.data.tags.items() >= expected.items()
    assert len(dataset.sha256) == 64


def test_every_horizon_is_measured_beside_every_baseline(report: TrainReport, run: Run, tmp_path: Path) -> None:
    wanted = {f"{who}.{what}.{days}" for who in ("risk", *BASELINES) for what in MEASURES for days in HORIZONS}
    assert set(run.data.metrics) == wanted
    assert {"risk.auc.180", "silence.auc.180", "recency_frequency.auc.180", "scorecard.auc.180"} <= wanted
    quality = document(report, "quality.json", tmp_path)
    assert list(quality) == [str(days) for days in HORIZONS]
    for name, value in run.data.metrics.items():
        scorer, measure, days = name.split(".")
        written = quality[days]["measured"][scorer][measure]
        assert isinstance(written, dict)
        assert value == written["value"] == report.judged[int(days)].measured[scorer][measure].value


def test_the_test_part_holds_only_what_came_from_the_cut_on(world: World, report: TrainReport) -> None:
    outcomes, as_of = world.outcomes, world.matrix.rows.as_of
    for place, days in enumerate(HORIZONS):
        known = (outcomes.labels[:, place] >= 0) & (as_of >= report.test_from)
        lost = known & (outcomes.labels[:, place] == 1)
        judged = report.judged[days]
        assert (judged.rows, judged.lost_rows) == (known.sum(), lost.sum())
        assert judged.lost_accounts == len(np.unique(world.matrix.rows.account[lost])) >= MINIMUM_TEST_LOSSES


def test_pictures_and_documents_lie_with_the_run(report: TrainReport, tmp_path: Path) -> None:
    run_id = report.registered.run_id
    folder = Path(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path="", dst_path=str(tmp_path)))
    found = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}
    pictures = {f"plots/{kind}_{days}.png" for kind in ("reliability", "gain") for days in HORIZONS}
    assert found == pictures | {"quality.json", "trials.json", "training.json", "indicators.json"}
    assert all((folder / picture).read_bytes().startswith(b"\x89PNG") for picture in pictures)
    told = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    assert told == {"counts": dict(report.counts), "messages": list(report.messages)}


def test_no_file_of_the_store_is_a_pickle(report: TrainReport, store: Path) -> None:
    files = [file for file in (store / "artifacts").rglob("*") if file.is_file()]
    assert "risk.txt" in {file.name for file in files}
    assert {file.suffix for file in files} <= PLAIN_FILES
    # every pickle since protocol 2 begins with this byte
    assert not [file for file in files if file.read_bytes().startswith(b"\x80")]


# The model


def test_a_stock_load_model_scores_like_the_archive(world: World, report: TrainReport, champion: Models) -> None:
    values, days_to_end = world.matrix.values, world.matrix.standing.days_to_end
    expected = champion.risk.risk(values, days_to_end)
    np.testing.assert_array_equal(expected, report.model.risk(values, days_to_end))
    frame = pd.DataFrame(values, columns=list(world.matrix.columns), index=world.matrix.account_ids)
    model = mlflow.pyfunc.load_model("models:/rapport@champion")
    for given in (frame, frame.assign(days_to_end=days_to_end)):
        risk = model.predict(given)
        np.testing.assert_array_equal(risk.to_numpy(), expected)
        assert list(risk.columns) == [f"risk_{days}" for days in HORIZONS]
        assert list(risk.index) == world.matrix.account_ids


def test_the_archive_tells_how_it_was_trained(world: World, report: TrainReport, champion: Models) -> None:
    meta = champion.meta
    assert meta["data"]["sha256"] == world.history.dataset.sha256
    assert meta["data"]["simulated"] is True
    assert meta["counts"] == report.counts
    assert meta["test_from"] == iso(report.test_from)
    assert meta["quality"]["180"]["auc"] == report.judged[180].measured["risk"]["auc"].value
    assert champion.stage.commitment is not None


def test_the_shipped_model_has_learned_from_every_known_outcome(
    world: World, report: TrainReport, champion: Models
) -> None:
    known = world.outcomes.labels >= 0
    settled = known & (world.outcomes.known_by <= report.test_from)
    assert report.counts["entries"] == known.sum()
    assert report.counts["entries_before_test"] == settled.sum() < known.sum()
    root = champion.risk.booster.dump_model(num_iteration=1)["tree_info"][0]["tree_structure"]
    assert root["internal_count"] == known.sum()


def test_the_judged_model_has_learned_only_what_was_settled_by_the_cut(
    world: World, report: TrainReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned: list[Entries] = []

    def watched(entries: Entries, *rest: object) -> object:
        learned.append(entries)
        return fit(entries, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(training, "fit", watched)
    late = train(world.folder, TrainOptions(test_from=LATE))
    judged, shipped = learned
    assert late.test_from == LATE
    assert int(judged.outcomes.known_by[judged.usable].max()) <= LATE
    assert int(shipped.matrix.rows.as_of[shipped.usable.any(axis=1)].max()) > LATE
    # no 365 days follow the cut: that horizon cannot be judged, so it is not offered
    assert late.model.horizons == (30, 90, 180)
    assert list(late.judged) == [30, 90, 180]
    lost = world.outcomes.labels[:, 3] == 1
    before = len(np.unique(world.matrix.rows.account[lost & (world.outcomes.known_by[:, 3] <= LATE)]))
    dropped = [message for message in late.messages if message.startswith("Horizon")]
    assert dropped == [
        f"Horizon 365 days dropped: {before} accounts lost in outcomes settled by 2025-12-01T00:00:00Z, "
        "0 in rows from then on; at least 5 are needed on both sides."
    ]
    logged = mlflow.get_run(late.registered.run_id).data
    assert logged.params["horizons"] == "30,90,180"
    assert {name.rpartition(".")[2] for name in logged.metrics} == {"30", "90", "180"}


def directions_moved(model: RiskModel, matrix: Matrix) -> set[int]:
    """Check every constrained column on real rows; the directions of the columns that move the risk at all."""
    rows = matrix.take(np.arange(0, len(matrix), 5))
    days_to_end = rows.standing.days_to_end
    before = model.risk(rows.values, days_to_end)
    moved = set()
    for column, indicator in enumerate(rows.indicators):
        if not indicator.constraint:
            continue
        known = rows.values[:, column][~np.isnan(rows.values[:, column])]
        step = float(np.std(known)) if len(known) else 1.0
        for change in (step, -step):
            changed = rows.values.copy()
            changed[:, column] += change
            rise = (model.risk(changed, days_to_end) - before) * np.sign(change) * indicator.constraint
            assert rise.min() >= 0, indicator.column
            if rise.max() > 0:
                moved.add(indicator.constraint)
    return moved


def test_documented_directions_are_kept(world: World, champion: Models) -> None:
    # its columns that make risk rise are the two that stacking adds, which the next two tests are about
    assert -1 in directions_moved(champion.risk, world.matrix)


def test_the_nearer_the_end_of_the_contract_the_higher_the_risk(world: World, champion: Models) -> None:
    values, days_to_end = world.matrix.values, world.matrix.standing.days_to_end
    change = champion.risk.risk(values, days_to_end - 60) - champion.risk.risk(values, days_to_end)
    assert change.min() >= 0
    assert change.max() > 0


def test_risk_never_falls_with_the_horizon(world: World, champion: Models) -> None:
    values, days_to_end = world.matrix.values, world.matrix.standing.days_to_end
    for end in (days_to_end, np.full(len(values), np.nan)):
        risk = champion.risk.risk(values, end)
        assert np.diff(risk, axis=1).min() >= 0
        assert np.diff(risk, axis=1).max() > 0
        assert risk.min() > 0
        assert risk.max() < 1


# Other data


def test_without_deals_lost_means_silence(world: World, report: TrainReport, tmp_path: Path) -> None:
    shutil.copytree(world.raw, tmp_path / "raw", ignore=shutil.ignore_patterns("deals.csv"))
    import_folder(tmp_path / "raw", tmp_path / "tables")
    silent = train(tmp_path / "tables", TrainOptions(silence_days=90))
    assert silent.definition == silent.model.definition == "silence"
    assert silent.messages[0].startswith("There are no won deals: lost means silence for 90 days")
    assert silent.model.horizons == (90,)
    assert directions_moved(silent.model, world.matrix) == {-1, 1}
    assert silent.judged[90].lost_accounts >= MINIMUM_TEST_LOSSES
    logged = mlflow.get_run(silent.registered.run_id).data
    assert logged.params.items() >= {"definition": "silence", "silence_days": "90", "horizons": "90"}.items()
    assert logged.tags["definition"] == "silence"
    assert logged.tags["data.sha256"] != world.history.dataset.sha256
    assert {"risk.auc.90", "silence.auc.90", "scorecard.auc.90", "recency_frequency.auc.90"} <= set(logged.metrics)
    address = f"models:/rapport/{silent.registered.version}"
    path = mlflow.artifacts.download_artifacts(address, dst_path=str(tmp_path))
    archived = load(Path(path, "data", "models"), fingerprint())
    assert (archived.meta["silence_days"], archived.meta["minimum_touches"]) == (90, 5)

    with pytest.raises(CannotTrain, match=r"deals\.ends_on is empty for every won deal"):
        train(tmp_path / "tables", TrainOptions(definition="contract"))


def test_too_few_losses_are_counted_and_nothing_is_registered(world: World, report: TrainReport) -> None:
    known_versions, cut = versions(), int(world.matrix.rows.as_of.min())
    after = [len(np.unique(world.matrix.rows.account[column == 1])) for column in world.outcomes.labels.T]
    with pytest.raises(CannotTrain) as refused:
        train(world.folder, TrainOptions(test_from=cut))
    counted = "; ".join(f"{days} days: 0 before, {lost} after" for days, lost in zip(HORIZONS, after, strict=True))
    assert f"before and after {iso(cut)}: {counted}. Needed are 10 before and 5 after" in str(refused.value)
    assert min(after) > MINIMUM_TEST_LOSSES
    assert versions() == known_versions


def test_a_handful_of_clients_is_too_little(tmp_path: Path) -> None:
    simulate(tmp_path / "raw", 12, 2, seed=5, truth=False)
    import_folder(tmp_path / "raw", tmp_path / "tables")
    with pytest.raises(CannotTrain, match=r"too few losses.* 180 days: \d before, \d after"):
        train(tmp_path / "tables", TrainOptions())


def test_a_span_without_snapshots_or_outcomes_is_refused(world: World) -> None:
    end = int(observed_until(world.history).max())
    with pytest.raises(CannotTrain, match="no account has a snapshot between 2026-07-02T00:00:00Z and"):
        train(world.folder, TrainOptions(first=end + 86_400))
    with pytest.raises(CannotTrain, match="no row has a known outcome"):
        train(world.folder, TrainOptions(first=end))


def test_no_volume_of_ours_that_the_client_leaves_unanswered_lowers_a_risk(world: World, champion: Models) -> None:
    """Three messages or articles a day to every silent client, from 30 days after its last sign of life on."""
    tables = read_tables(world.folder)
    rows = {name: _plain(getattr(tables, name).to_pylist()) for name in TABLES}
    assert tables.dataset.span is not None
    t = tables.dataset.span[1] + 60 * DAY
    dice = random.Random(1)
    contacts = {row["account_id"]: row["contact_id"] for row in rows["contacts"]}
    alive: dict[str, int] = {}
    for row in rows["interactions"]:
        if row["actor"] == "client" or row.get("outcome") in ("held", "answered"):
            alive[row["account_id"]] = max(row["at"], alive.get(row["account_id"], 0))
    volume: list[dict[str, Any]] = [
        {
            "interaction_id": f"{account}-{number}",
            "account_id": account,
            "contact_id": contacts[account],
            "at": dice.randrange(last + 30 * DAY, t),
            "actor": "us",
            **dice.choice(
                ({"kind": "message", "channel": "email", "words": 90}, {"kind": "gesture", "subtype": "article"})
            ),
        }
        for account, last in alive.items()
        for number in range(3 * max((t - last) // DAY - 30, 0))
    ]

    def figures_and_risk(interactions: list[dict[str, Any]]) -> tuple[Array, Array]:
        history = History.from_records(rows | {"interactions": interactions}, tables.dataset)
        at = Rows(np.arange(len(history.accounts), dtype=np.int32), np.full(len(history.accounts), t))
        matrix = build_matrix(history, at, reference=champion.reference)
        matrix = matrix.take(np.flatnonzero(matrix.standing.at_risk))
        return matrix.values, champion.risk.risk(matrix.values, matrix.standing.days_to_end)

    (values, before), (other_values, after) = (figures_and_risk(rows["interactions"] + more) for more in ([], volume))
    moved = ~((values == other_values) | (np.isnan(values) & np.isnan(other_values)))
    assert moved.any(axis=1).sum() > 20
    assert (after >= before - 1e-12).all()


def _plain(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of a table as a request's would be once checked."""
    return [
        {
            name: int(value.timestamp()) if isinstance(value, datetime) else value
            for name, value in row.items()
            if value is not None
        }
        for row in rows
    ]


def test_own_columns_are_learned_from_explained_and_kept_with_the_model(
    world: World, store: Path, tmp_path: Path
) -> None:
    """A number that tells who will leave: its direction is kept, and it is what is told first."""
    shutil.copytree(world.raw, tmp_path / "raw")
    lost = np.zeros(len(world.history.accounts), dtype=int)
    lost[world.matrix.rows.account[(world.outcomes.labels == 1).any(axis=1)]] = 1
    gone = dict(zip(world.history.accounts, lost.tolist(), strict=True))
    with (tmp_path / "raw" / "accounts.csv").open(encoding="utf-8", newline="") as file:
        accounts = [row | {"x_doubt": gone[row["account_id"]], "x_undated": 3} for row in csv.DictReader(file)]
    with (tmp_path / "raw" / "accounts.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(accounts[0]))
        writer.writeheader()
        writer.writerows(accounts)
    with (tmp_path / "raw" / "dataset.toml").open("a", encoding="utf-8") as file:
        file.write('static = ["x_doubt"]\ndirections = { x_doubt = "down" }\n')
    import_folder(tmp_path / "raw", tmp_path / "tables")
    report = train(tmp_path / "tables", TrainOptions(spacing_days=60, horizons=(180,)))
    assert "Column x_undated of accounts has no dates and is not declared static: it is left out." in report.messages
    found = mlflow.artifacts.download_artifacts(
        f"models:/rapport/{report.registered.version}", dst_path=str(tmp_path / "model")
    )
    models = load(Path(found, "data", "models"), fingerprint())
    assert models.reference.own == (OwnColumn("accounts", "x_doubt", "down", static=True),)
    history = History.from_tables(read_tables(tmp_path / "tables"))
    t = int(world.matrix.rows.as_of[len(world.matrix) // 2])
    matrix = build_matrix(history, rows_at(history, np.array([t])), reference=models.reference)
    doubt = matrix.columns.index("x_doubt.x_doubt.now")
    predictions = predict(models, matrix)
    first = [
        one.reasons[0].signal
        for one, value in zip(predictions, matrix.values[:, doubt], strict=True)
        if one.risk and value
    ]
    assert first.count("x_doubt") > 0.9 * len(first) > 0
    raised = matrix.values.copy()
    raised[:, doubt] = 1.0
    days_to_end = matrix.standing.days_to_end
    assert (models.risk.risk(raised, days_to_end) >= models.risk.risk(matrix.values, days_to_end)).all()
