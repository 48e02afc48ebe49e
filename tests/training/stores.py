"""MLflow stores with registered versions: registering takes a moment each, copying a store does not."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import mlflow
import pytest

from models.archive import Models
from training.tracking import Record, register

BARE = Record({}, {}, {}, {}, {})


def registered(migrated_store: Path, folder: Path, models: Models, records: Sequence[Record]) -> Path:
    """The database of a new store with a version for each record; its artefacts stay in ``folder``."""
    database = folder / "mlflow.db"
    shutil.copyfile(migrated_store, database)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{database}")
        patch.setattr("mlflow.tracking.fluent._active_experiment_id", None)
        for record in records:
            register(models, record)
        os.environ.pop("MLFLOW_EXPERIMENT_ID", None)
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type]
        mlflow.set_registry_uri(None)  # type: ignore[arg-type]
    return database


def filled(tracking_store: str, database: Path) -> str:
    """Put a copy of a database in the place of a test's own."""
    shutil.copyfile(database, tracking_store.removeprefix("sqlite:///"))
    return tracking_store
