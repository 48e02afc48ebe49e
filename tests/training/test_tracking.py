"""What a run keeps, where it keeps it, and who becomes the champion."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import mlflow
import pytest
from matplotlib.figure import Figure
from mlflow.exceptions import MlflowException

from models.archive import Models, load
from models.pyfunc import DAYS_TO_END
from tests.models.portfolio import FINGERPRINT, contract_models
from training.tracking import Record, register, signature


@pytest.fixture(scope="module")
def models() -> Models:
    return contract_models()


def record() -> Record:
    return Record(
        parameters={"seed": 7, "group": None},
        tags={"data.sha256": "ab" * 32},
        metrics={"risk.auc.180": 0.75},
        documents={"quality.json": {"180": {"auc": None}}},
        figures={"plots/gain_180.png": Figure()},
    )


def test_a_run_keeps_everything_of_its_record(models: Models, tracking_store: str, tmp_path: Path) -> None:
    registered = register(models, record())
    run = mlflow.get_run(registered.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params == {"seed": "7", "group": "None"}
    assert run.data.metrics == {"risk.auc.180": 0.75}
    assert run.data.tags["data.sha256"] == "ab" * 32
    folder = Path(
        mlflow.artifacts.download_artifacts(
            run_id=registered.run_id, artifact_path="", dst_path=str(tmp_path / "downloaded")
        )
    )
    assert json.loads((folder / "quality.json").read_text(encoding="utf-8")) == {"180": {"auc": None}}
    assert (folder / "plots" / "gain_180.png").read_bytes().startswith(b"\x89PNG")


def test_the_registered_files_are_the_archive_and_no_pickle(models: Models, tracking_store: str) -> None:
    register(models, record())
    folder = Path(mlflow.artifacts.download_artifacts("models:/rapport@champion"))
    assert load(folder / "data" / "models", FINGERPRINT).meta == models.meta
    described = (folder / "MLmodel").read_text(encoding="utf-8")
    assert "loader_module: models.pyfunc" in described
    assert ".pkl" not in described
    assert not [file for file in folder.rglob("*") if file.suffix in (".pkl", ".pickle", ".joblib")]
    wanted = (folder / "requirements.txt").read_text(encoding="utf-8").split()
    assert f"lightgbm=={version('lightgbm')}" in wanted
    assert all("==" in line for line in wanted)


def test_the_champion_changes_only_by_hand(models: Models, tracking_store: str) -> None:
    client = mlflow.MlflowClient
    first, second = register(models, record()), register(models, record())
    assert [(one.version, one.is_champion) for one in (first, second)] == [("1", True), ("2", False)]
    assert str(client().get_model_version_by_alias("rapport", "champion").version) == "1"
    client().set_registered_model_alias("rapport", "champion", "2")
    third = register(models, record())
    assert (third.version, third.is_champion) == ("3", False)
    found = client().get_model_version_by_alias("rapport", "champion")
    assert (str(found.version), found.run_id) == ("2", second.run_id)


def test_a_run_that_fails_registers_nothing(models: Models, tracking_store: str) -> None:
    unwritable = Models(models.risk, models.stage, {"span": float("nan")})
    with pytest.raises(ValueError, match="Out of range float values are not JSON compliant"):
        register(unwritable, record())
    (run,) = mlflow.search_runs(experiment_names=["rapport"], output_format="list")
    assert run.info.status == "FAILED"
    with pytest.raises(MlflowException, match="not found"):
        mlflow.MlflowClient().get_registered_model("rapport")
    assert register(models, record()).is_champion


def test_artefacts_lie_beside_the_database(models: Models, tracking_store: str, tmp_path: Path) -> None:
    run = mlflow.get_run(register(models, record()).run_id)
    assert run.info.artifact_uri == f"file://{tmp_path}/artifacts/{run.info.run_id}/artifacts"
    assert (tmp_path / "artifacts" / run.info.run_id / "artifacts" / "quality.json").is_file()


def test_without_variables_the_store_is_in_the_working_directory(
    models: Models, tracking_store: str, migrated_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    (project / "mlruns").mkdir(parents=True)
    shutil.copyfile(migrated_store, project / "mlruns" / "mlflow.db")
    monkeypatch.chdir(project)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    monkeypatch.delenv("_MLFLOW_SERVER_ARTIFACT_ROOT")
    registered = register(models, record())
    assert (project / "mlruns" / "artifacts" / registered.run_id / "artifacts" / "quality.json").is_file()
    assert [entry.name for entry in project.iterdir()] == ["mlruns"]


def test_the_registry_describes_the_version(models: Models, tracking_store: str) -> None:
    described = register(models, replace(record(), description="Foretells **losses**."))
    plain = register(models, record())
    client = mlflow.MlflowClient()
    assert client.get_model_version("rapport", described.version).description == "Foretells **losses**."
    assert not client.get_model_version("rapport", plain.version).description


def test_the_experiment_may_be_named(models: Models, tracking_store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "trial")
    run = mlflow.get_run(register(models, record()).run_id)
    assert mlflow.get_experiment(run.info.experiment_id).name == "trial"
    assert mlflow.get_experiment_by_name("rapport") is None


def test_the_signature_names_columns_in_and_risks_out(models: Models) -> None:
    made = signature(models)
    assert made.inputs.input_names() == [*models.risk.columns, DAYS_TO_END]
    assert made.inputs.optional_input_names() == [DAYS_TO_END]
    assert made.outputs.input_names() == [f"risk_{days}" for days in models.risk.horizons]
