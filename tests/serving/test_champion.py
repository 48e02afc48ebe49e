"""Finding the champion in a real MLflow store, and saying clearly where there is none."""

from pathlib import Path

import mlflow
import numpy as np
import pytest

from features.matrix import fingerprint
from models.archive import FingerprintMismatch, save
from serving.champion import ALIAS, NAME, Champion, Location, NoChampion, load_champion, locate, open_champion


def register(champion: Champion, folder: Path) -> str:
    """Register a champion's models as the training does, and return the version."""
    save(champion.models, folder)
    mlflow.set_experiment("tests")
    with mlflow.start_run():
        logged = mlflow.pyfunc.log_model(
            name="model",
            loader_module="models.pyfunc",
            data_path=str(folder),
            registered_model_name=NAME,
            pip_requirements=[],
        )
    return str(logged.registered_model_version)


def test_the_alias_leads_to_its_version(champion: Champion, tracking_store: str, tmp_path: Path) -> None:
    first, second = (register(champion, tmp_path / name) for name in ("first", "second"))
    client = mlflow.MlflowClient(tracking_store)
    for version in (second, first):
        client.set_registered_model_alias(NAME, ALIAS, version)
        found = load_champion(tracking_store)
        assert (found.location.name, found.location.version) == ("rapport", version)
        assert found.location.registered_at > 1_700_000_000
    rows = np.full((3, len(champion.models.risk.columns)), np.nan)
    days = np.array([-10.0, 100.0, np.nan])
    np.testing.assert_array_equal(found.models.risk.risk(rows, days), champion.models.risk.risk(rows, days))


def test_a_model_without_the_alias_is_no_champion(champion: Champion, tracking_store: str, tmp_path: Path) -> None:
    with pytest.raises(NoChampion, match="train a model first with 'rapport train'"):
        locate(tracking_store)
    register(champion, tmp_path / "first")
    with pytest.raises(NoChampion, match="no champion in sqlite:///"):
        locate(tracking_store)


def test_looking_for_a_champion_creates_no_store(tmp_path: Path) -> None:
    with pytest.raises(NoChampion, match="train a model first"):
        locate(f"sqlite:///{tmp_path}/mlruns/mlflow.db")
    assert list(tmp_path.iterdir()) == []


def test_another_process_needs_only_the_location(champion: Champion, tmp_path: Path) -> None:
    save(champion.models, tmp_path / "archive")
    location = Location("rapport", "7", 1_750_000_000, str(tmp_path / "archive"))
    opened = open_champion(Location.from_json(location.to_json()))
    assert opened.location == location
    assert opened.models.risk.fingerprint == fingerprint()


def test_a_champion_of_other_columns_is_refused(champion: Champion, tmp_path: Path) -> None:
    save(champion.models, tmp_path / "archive")
    file = tmp_path / "archive" / "models.json"
    file.write_text(file.read_text().replace(fingerprint(), "0" * 64))
    with pytest.raises(FingerprintMismatch, match="train a new model"):
        open_champion(Location("rapport", "7", 0, str(tmp_path / "archive")))
