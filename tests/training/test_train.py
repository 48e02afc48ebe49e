"""A training on a simulated portfolio from end to end: what is registered, and what the registered model keeps to."""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import optuna
import pandas as pd
import pytest
from mlflow.entities import Run
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from scipy.special import logit

from features.frame import first_event
from features.histories.history import History
from features.histories.log import DAY, Array
from features.histories.tables import TABLES
from features.matrix import Matrix, Rows, build_matrix, fingerprint, rows_at, snapshots
from features.own_columns import OwnColumn
from features.sources.files import iso, read_tables
from features.sources.importing import import_to_folder
from models.archive import Models, load
from models.prediction import predict
from models.risk import HORIZONS, Definition, RiskModel
from models.trees import RiskSettings
from training import train as training
from training import tuning
from training.audit import AuditFailed
from training.baselines import BASELINES
from training.entries import MINIMUM_LOST, Entries
from training.evaluation import MEASURES
from training.fitting import Fitted, fit
from training.outcomes import CannotTrain, Outcomes, contract_outcomes, observed_until
from training.preparing import SCORECARDS, TrainOptions
from training.simulation import simulate
from training.train import TrainReport, train

PLAIN_FILES = {".json", ".txt", ".yaml", ".png", ".html", ".md", ""}
REASON = "The doubt is written down before anybody leaves."
SMALL = TrainOptions(horizons=(365,), trials=1, quick=True)


@dataclass(frozen=True)
class World:
    """A canonical folder, and what the training should find in it, computed apart."""

    folder: Path
    raw: Path
    history: History
    matrix: Matrix
    outcomes: Outcomes


def simulated(base: Path, accounts: int) -> World:
    simulate(base / "raw", accounts, 4, seed=5, truth=False)
    import_to_folder([base / "raw"], base / "tables")
    history = History.from_tables(read_tables(base / "tables"))
    moments = snapshots(int(first_event(history).min()), int(observed_until(history).max()))
    matrix = build_matrix(history, rows_at(history, moments))
    outcomes = contract_outcomes(history, matrix.rows, matrix.standing, HORIZONS)
    return World(base / "tables", base / "raw", history, matrix, outcomes)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return simulated(tmp_path_factory.mktemp("world"), 100)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Forty accounts, of whom a dozen are lost."""
    return simulated(tmp_path_factory.mktemp("small"), 40)


def quicker(entries: Entries, settings: RiskSettings, definition: Definition, members: int = 3) -> Fitted:
    return fit(entries, settings, definition, members)


@pytest.fixture(scope="module")
def store(migrated_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of an MLflow store that all tests of this file share. Trees and members are fewer than usual, and
    columns sooner suspicious."""
    folder = tmp_path_factory.mktemp("store")
    shutil.copyfile(migrated_store, folder / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tuning, "USUAL", replace(tuning.USUAL, rounds=40, early_stopping=10))
        patch.setattr(training, "fit", quicker)
        # A dozen losses make it sure of a column without fault that its AUC is above 0.88, and no more.
        patch.setattr("training.audit.SUSPICIOUS_AUC", 0.8)
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
        patch.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", str(folder / "artifacts"))
        patch.setattr("mlflow.tracking.fluent._active_experiment_id", None)
        yield folder
        os.environ.pop("MLFLOW_EXPERIMENT_ID", None)
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type]
        mlflow.set_registry_uri(None)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Trained:
    """The first training of the store, and the entries that its models learned from, one after the other."""

    report: TrainReport
    learned: list[Entries]


@pytest.fixture(scope="module")
def trained(world: World, store: Path) -> Trained:
    learned: list[Entries] = []

    def watched(entries: Entries, *rest: Any, **named: Any) -> Fitted:
        learned.append(entries)
        return quicker(entries, *rest, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "fit", watched)
        return Trained(train(world.folder, TrainOptions(trials=2)), learned)


@pytest.fixture(scope="module")
def report(trained: Trained) -> TrainReport:
    return trained.report


@pytest.fixture(scope="module")
def run(report: TrainReport) -> Run:
    return mlflow.get_run(report.registered.run_id)


@pytest.fixture(scope="module")
def files(report: TrainReport, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the first run."""
    return files_of(report, tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module")
def champion(report: TrainReport, tmp_path_factory: pytest.TempPathFactory) -> Models:
    """The champion as read from its own files."""
    target = tmp_path_factory.mktemp("champion")
    found = mlflow.artifacts.download_artifacts("models:/rapport@champion", dst_path=str(target))
    return load(Path(found, "data", "models"), fingerprint())


@pytest.fixture(scope="module")
def doubted(small: World, report: TrainReport, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The forty accounts with a column that tells who will leave, and another that nothing is declared of."""
    base = tmp_path_factory.mktemp("doubted")
    shutil.copytree(small.raw, base / "raw")
    lost = np.zeros(len(small.history.accounts), dtype=int)
    lost[small.matrix.rows.account[(small.outcomes.labels == 1).any(axis=1)]] = 1
    gone = dict(zip(small.history.accounts, lost.tolist(), strict=True))
    with (base / "raw" / "accounts.csv").open(encoding="utf-8", newline="") as file:
        accounts = [row | {"x_doubt": gone[row["account_id"]], "x_undated": 3} for row in csv.DictReader(file)]
    with (base / "raw" / "accounts.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(accounts[0]))
        writer.writeheader()
        writer.writerows(accounts)
    with (base / "raw" / "dataset.toml").open("a", encoding="utf-8") as file:
        file.write('static = ["x_doubt"]\ndirections = { x_doubt = "down" }\n')
    import_to_folder([base / "raw"], base / "tables")
    return base / "tables"


@pytest.fixture(scope="module")
def despite(doubted: Path) -> TrainReport:
    """A training that the leak audit would have stopped, but for a reason."""
    return train(doubted, replace(SMALL, despite_audit=REASON))


def versions() -> list[str]:
    return sorted(str(one.version) for one in mlflow.MlflowClient().search_model_versions("name='rapport'"))


def files_of(report: TrainReport, folder: Path) -> Path:
    run_id = report.registered.run_id
    return Path(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path="", dst_path=str(folder)))


def document(file: Path) -> Any:
    """A JSON file of a run, read strictly: NaN is no JSON."""

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    return json.loads(file.read_text(encoding="utf-8"), parse_constant=refuse)


# The run


def test_the_first_training_makes_itself_the_champion(report: TrainReport) -> None:
    assert (report.registered.version, report.registered.is_champion) == ("1", True)
    model = mlflow.MlflowClient().get_registered_model("rapport")
    assert {alias: str(version) for alias, version in model.aliases.items()} == {"champion": "1"}


def test_the_run_tells_what_was_asked_and_what_was_chosen(report: TrainReport, run: Run, files: Path) -> None:
    asked = {"definition": "contract", "horizons": "30,90,180,365", "seed": "7", "group": "None", "trials": "2"}
    chosen = {
        "model.depth": str(report.model.settings.depth),
        "model.rounds": str(report.model.settings.rounds),
        "test_from": str(iso(report.test_from)),
    }
    assert run.data.params.items() >= (asked | chosen | {"quick": "False", "despite_audit": "None"}).items()
    assert report.model.settings == report.trials[0].settings
    assert len(report.trials) == 2
    told = document(files / "trials.json")
    assert [one["log_loss"] for one in told] == [one.log_loss for one in report.trials]
    assert told[0]["settings"]["rounds"] == report.model.settings.rounds


def test_the_settings_tried_are_kept_beside_the_store(report: TrainReport, store: Path) -> None:
    storage = JournalStorage(JournalFileBackend(str(store / "tuning.journal")))
    kept = [
        [trial.value or 0.0 for trial in study.trials]
        for study in (
            optuna.load_study(study_name=one.study_name, storage=storage) for one in storage.get_all_studies()
        )
    ]
    assert sorted(one.log_loss for one in report.trials) in [sorted(values) for values in kept]


def test_the_run_tells_its_data_and_that_the_audit_passed(world: World, report: TrainReport, run: Run) -> None:
    dataset = world.history.dataset
    assert dataset.span is not None
    expected = {
        "definition": "contract",
        "matrix.fingerprint": fingerprint(),
        "matrix.columns": str(len(world.matrix.columns)),
        "data.sha256": dataset.sha256,
        "data.span": " to ".join(str(iso(moment)) for moment in dataset.span),
        "data.simulated": "true",
        "audit.passed": "true",
    }
    assert run.data.tags.items() >= expected.items()
    assert len(dataset.sha256) == 64
    assert report.audit.passed
    assert not {"audit.override", "audit.failed"} & set(run.data.tags)


def test_every_horizon_is_measured_beside_every_baseline(report: TrainReport, run: Run, files: Path) -> None:
    wanted = {f"{who}.{what}.{days}" for who in ("risk", *BASELINES) for what in MEASURES for days in HORIZONS}
    closer = {f"risk.{what}.{days}" for what in ("ece_null", "ece_excess", "value_caught") for days in HORIZONS}
    assert set(run.data.metrics) >= wanted | closer | {"judging.seconds"}
    told = document(files / "evaluation.json")["horizons"]
    assert list(told) == [str(days) for days in HORIZONS]
    for name in wanted:
        scorer, measure, days = name.split(".")
        value = run.data.metrics[name]
        judged = report.evaluation.judged[int(days)].measured[scorer][measure]
        assert value == told[days]["measured"][scorer][measure]["value"] == judged.value


def test_the_test_part_holds_only_what_came_from_the_cut_on(world: World, report: TrainReport) -> None:
    outcomes, as_of = world.outcomes, world.matrix.rows.as_of
    assert report.test_from is not None
    for place, days in enumerate(HORIZONS):
        known = (outcomes.labels[:, place] >= 0) & (as_of >= report.test_from)
        lost = known & (outcomes.labels[:, place] == 1)
        judged = report.evaluation.judged[days]
        assert (judged.rows, judged.lost_rows) == (known.sum(), lost.sum())
        assert judged.lost_accounts == len(np.unique(world.matrix.rows.account[lost])) >= MINIMUM_LOST


def test_pictures_and_documents_lie_with_the_run(report: TrainReport, files: Path) -> None:
    found = {str(file.relative_to(files)) for file in files.rglob("*") if file.is_file()}
    pictures = {f"plots/{kind}_{days}.png" for kind in ("reliability", "gain") for days in HORIZONS}
    pictures |= {"plots/stability.png", "plots/learning.png"}
    told = {"evaluation.json", "evaluation.html", "model_card.md", "trials.json", "indicators.json", "accounts.json"}
    assert found == pictures | told
    assert all((files / picture).read_bytes().startswith(b"\x89PNG") for picture in pictures)
    evaluation = document(files / "evaluation.json")
    assert evaluation["counts"] == report.counts
    assert evaluation["messages"] == list(report.messages)
    assert evaluation["test_from"] == iso(report.test_from)
    assert evaluation["audit"] == report.audit.document()
    assert len(document(files / "indicators.json")) == len(report.model.columns)


def test_the_page_and_the_card_stand_for_themselves(report: TrainReport, files: Path) -> None:
    page = (files / "evaluation.html").read_text(encoding="utf-8")
    assert page.count("data:image/svg+xml;base64,") == 2 * len(HORIZONS) + 2
    assert 'src="http' not in page
    card = (files / "model_card.md").read_text(encoding="utf-8")
    assert "simulated" in card
    version = mlflow.MlflowClient().get_model_version("rapport", report.registered.version)
    assert version.description
    assert len(version.description) < len(card)


def test_no_file_of_the_store_is_a_pickle(report: TrainReport, store: Path) -> None:
    kept = [file for file in (store / "artifacts").rglob("*") if file.is_file()]
    assert {"risk.txt", "risk_linear.json", "member_00.txt"} <= {file.name for file in kept}
    assert {file.suffix for file in kept} <= PLAIN_FILES
    # every pickle since protocol 2 begins with this byte
    assert not [file for file in kept if file.read_bytes().startswith(b"\x80")]


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
    assert meta["quality"]["180"]["auc"] == report.evaluation.judged[180].measured["risk"]["auc"].value
    assert champion.stage.judgement is not None


def test_the_shipped_model_has_learned_from_every_known_outcome(
    world: World, trained: Trained, champion: Models
) -> None:
    known, counts = world.outcomes.labels >= 0, trained.report.counts
    settled = known & (world.outcomes.known_by <= trained.report.test_from)
    assert counts["entries"] == known.sum()
    assert counts["entries_before_test"] == settled.sum() < known.sum()
    assert trained.learned[-1].usable.sum() == known.sum()
    root = champion.risk.blend.booster.dump_model(num_iteration=1)["tree_info"][0]["tree_structure"]
    assert root["internal_count"] == known.sum()


def test_all_other_models_have_learned_only_what_was_settled_by_the_cut(trained: Trained) -> None:
    """The judged model first, then those of the learning curve."""
    judged, *shares, _ = trained.learned
    assert judged.usable.sum() == trained.report.counts["entries_before_test"]
    assert len(shares) == sum(point.by_horizon is not None for point in trained.report.evaluation.learning or ()) > 0
    for entries in (judged, *shares):
        assert int(entries.outcomes.known_by[entries.usable].max()) <= (trained.report.test_from or 0)
        assert entries.usable.sum() <= judged.usable.sum()


def test_the_shipped_model_has_its_intervals(world: World, champion: Models) -> None:
    assert len(champion.risk.members) == 3
    rows = world.matrix.take(np.arange(0, len(world.matrix), 50))
    values, days_to_end = rows.values, rows.standing.days_to_end
    ends, risk = champion.risk.interval(values, days_to_end), champion.risk.risk(values, days_to_end)
    assert (ends[..., 0] < risk).all()
    assert (risk < ends[..., 1]).all()


def directions_moved(model: RiskModel, matrix: Matrix) -> set[int]:
    """Check every constrained column on real rows; the directions of the columns that move the risk at all."""
    rows = matrix.take(np.arange(0, len(matrix), 40))
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
    assert directions_moved(champion.risk, world.matrix) == {-1, 1}


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

    def figures(interactions: list[dict[str, Any]]) -> Matrix:
        history = History.from_records(rows | {"interactions": interactions}, tables.dataset)
        at = Rows(np.arange(len(history.accounts), dtype=np.int32), np.full(len(history.accounts), t))
        matrix = build_matrix(history, at, reference=champion.reference)
        return matrix.take(np.flatnonzero(matrix.standing.at_risk))

    without, flooded = (figures(rows["interactions"] + more) for more in ([], volume))
    unknown = np.isnan(without.values)
    moved = (without.values != flooded.values) & ~(unknown & np.isnan(flooded.values))
    assert moved.any(axis=1).sum() > 20

    def log_odds(values: Array) -> Array:
        return np.asarray(logit(champion.risk.risk(values, without.standing.days_to_end)))

    before = log_odds(without.values)
    assert (log_odds(np.where(unknown, np.nan, flooded.values)) >= before - 1e-12).all()
    # Where there was too little to tell a figure by, more volume makes it known, and what the client did before may
    # show in it: that may lower a risk, but hardly.
    assert (log_odds(flooded.values) >= before - 0.05).all()


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


# Few clients


def test_a_training_that_the_audit_stops_registers_nothing(doubted: Path, report: TrainReport) -> None:
    before = versions()
    with pytest.raises(AuditFailed, match=r"your own column x_doubt .*--despite-audit REASON"):
        train(doubted, replace(SMALL, horizons=(180,)))
    assert versions() == before


def test_the_reason_to_go_on_is_kept_with_the_model(despite: TrainReport, report: TrainReport) -> None:
    assert not despite.registered.is_champion
    assert despite.registered.version in versions()
    run = mlflow.get_run(despite.registered.run_id)
    tags = {"audit.passed": "false", "audit.failed": "single_columns", "audit.override": REASON}
    assert run.data.tags.items() >= tags.items()
    assert run.data.params["despite_audit"] == REASON


def test_too_few_losses_for_a_later_test_are_judged_across_accounts(
    small: World, despite: TrainReport, tmp_path: Path
) -> None:
    assert despite.test_from is None
    assert "judged across accounts instead" in " ".join(despite.messages)
    labels = small.outcomes.labels[:, HORIZONS.index(365)]
    judged = despite.evaluation.judged[365]
    assert (judged.rows, judged.lost_rows) == ((labels >= 0).sum(), (labels == 1).sum())
    assert despite.counts["entries"] == despite.counts["entries_before_test"] == despite.counts["entries_of_test"]
    run = mlflow.get_run(despite.registered.run_id)
    assert run.data.params["test_from"] == "None"
    assert run.data.params["quick"] == "True"
    files = files_of(despite, tmp_path)
    assert document(files / "evaluation.json")["test_from"] is None
    # what is left out by --quick
    assert despite.evaluation.learning is None
    assert not (files / "plots" / "learning.png").exists()
    assert "across accounts" in (files / "model_card.md").read_text(encoding="utf-8")


def test_own_columns_are_learned_from_explained_and_kept_with_the_model(
    small: World, doubted: Path, despite: TrainReport, tmp_path: Path
) -> None:
    """A number that tells who will leave: its direction is kept, and it is among what is told first."""
    assert "Column x_undated of accounts has no dates and is not declared static: it is left out." in despite.messages
    found = mlflow.artifacts.download_artifacts(
        f"models:/rapport/{despite.registered.version}", dst_path=str(tmp_path / "model")
    )
    models = load(Path(found, "data", "models"), fingerprint())
    assert models.reference.own == (OwnColumn("accounts", "x_doubt", "down", static=True),)
    history = History.from_tables(read_tables(doubted))
    t = int(small.matrix.rows.as_of[len(small.matrix) // 2])
    matrix = build_matrix(history, rows_at(history, np.array([t])), reference=models.reference)
    doubt = matrix.columns.index("x_doubt.x_doubt.now")
    signals = [
        [reason.signal for reason in one.reasons]
        for one, value in zip(predict(models, matrix), matrix.values[:, doubt], strict=True)
        if one.risk and value
    ]
    assert sum("x_doubt" in reasons for reasons in signals) > 0.9 * len(signals) > 0
    raised = matrix.values.copy()
    raised[:, doubt] = 1.0
    days_to_end = matrix.standing.days_to_end
    before, after = (models.risk.risk(values, days_to_end) for values in (matrix.values, raised))
    assert (after >= before).all()
    assert (after > before).any()


def test_without_deals_lost_means_silence(small: World, report: TrainReport, tmp_path: Path) -> None:
    shutil.copytree(small.raw, tmp_path / "raw", ignore=shutil.ignore_patterns("deals.csv"))
    import_to_folder([tmp_path / "raw"], tmp_path / "tables")
    silent = train(tmp_path / "tables", replace(SMALL, silence_days=90))
    assert silent.definition == silent.model.definition == "silence"
    assert silent.messages[0].startswith("There are no won deals: lost means silence for 90 days")
    assert silent.model.horizons == (90,)
    assert directions_moved(silent.model, small.matrix) == {-1, 1}
    assert silent.evaluation.judged[90].lost_accounts >= MINIMUM_LOST
    logged = mlflow.get_run(silent.registered.run_id).data
    assert logged.params.items() >= {"definition": "silence", "silence_days": "90", "horizons": "90"}.items()
    assert logged.tags["definition"] == "silence"
    assert logged.tags["data.sha256"] != small.history.dataset.sha256
    assert {f"{scorer}.auc.90" for scorer in ("risk", *BASELINES)} <= set(logged.metrics)
    address = f"models:/rapport/{silent.registered.version}"
    path = mlflow.artifacts.download_artifacts(address, dst_path=str(tmp_path))
    archived = load(Path(path, "data", "models"), fingerprint())
    assert (archived.meta["silence_days"], archived.meta["minimum_touches"]) == (90, 5)

    with pytest.raises(CannotTrain, match=r"deals\.ends_on is empty for every won deal"):
        train(tmp_path / "tables", TrainOptions(definition="contract"))


def test_a_handful_of_clients_is_too_little_and_nothing_is_registered(report: TrainReport, tmp_path: Path) -> None:
    simulate(tmp_path / "raw", 12, 2, seed=5, truth=False)
    import_to_folder([tmp_path / "raw"], tmp_path / "tables")
    before = versions()
    with pytest.raises(CannotTrain, match=r"too few losses to foretell any: 30 days: \d accounts lost; ") as declined:
        train(tmp_path / "tables", TrainOptions())
    assert str(declined.value).endswith(SCORECARDS)
    assert versions() == before


def test_a_span_without_snapshots_or_outcomes_is_refused(small: World) -> None:
    end = int(observed_until(small.history).max())
    with pytest.raises(CannotTrain, match="no account has a snapshot between 2026-07-02T00:00:00Z and"):
        train(small.folder, TrainOptions(first=end + DAY))
    with pytest.raises(CannotTrain, match="no row has a known outcome"):
        train(small.folder, TrainOptions(first=end))
