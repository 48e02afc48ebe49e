"""MLflow out: one run for each training, with all that is needed to judge it later, and its model in the
registry.

The store is ``sqlite:///mlruns/mlflow.db`` with its artefacts beside it, unless MLflow's own variables say
otherwise. Models go in as native files behind a loader module: no pickle, and nothing of ours is needed to
read the files.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mlflow
from matplotlib.figure import Figure
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema

from models.archive import Models, save
from models.pyfunc import DAYS_TO_END

DEFAULT_STORE = "sqlite:///mlruns/mlflow.db"
EXPERIMENT = "rapport"
NAME = "rapport"
"""The registered model's name."""

CHAMPION = "champion"
"""The alias of the version that answers."""

ARCHIVE = "models"
"""The archive's folder within the data of the MLflow model."""

_SQLITE = "sqlite:///"
_NEEDED = ("lightgbm", "mlflow", "numpy", "pandas", "scipy")


@dataclass(frozen=True)
class Record:
    """What a run keeps beside its models: all plain data, pictures and texts by file name; and what the registry says
    of the version (Markdown)."""

    parameters: Mapping[str, Any]
    tags: Mapping[str, str]
    metrics: Mapping[str, float]
    documents: Mapping[str, Any]
    figures: Mapping[str, Figure]
    texts: Mapping[str, str] = field(default_factory=dict)
    description: str = ""


@dataclass(frozen=True)
class Registered:
    """Where a training went: the run, the version in the registry, and whether it became the champion."""

    run_id: str
    version: str
    is_champion: bool


def register(models: Models, record: Record) -> Registered:
    """Write a run and register its models as the next version of ``rapport``.

    The first version ever becomes the champion; a later one only when somebody promotes it.
    """
    experiment_id = experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT))
    with mlflow.start_run(experiment_id=experiment_id) as run, TemporaryDirectory() as folder:
        mlflow.log_params(dict(record.parameters))
        mlflow.set_tags(dict(record.tags))
        mlflow.log_metrics(dict(record.metrics))
        for name, document in record.documents.items():
            mlflow.log_dict(document, name)
        for name, figure in record.figures.items():
            mlflow.log_figure(figure, name)
        for name, text in record.texts.items():
            mlflow.log_text(text, name)
        archive = Path(folder, ARCHIVE)
        save(models, archive)
        with warnings.catch_warnings():
            # An example would show a client's figures; the signature is written by hand and needs none.
            warnings.filterwarnings("ignore", ".*An input example was not provided", UserWarning)
            logged = mlflow.pyfunc.log_model(
                name="model",
                loader_module="models.pyfunc",
                data_path=str(archive),
                signature=signature(models),
                pip_requirements=[f"{package}=={version(package)}" for package in _NEEDED],
                registered_model_name=NAME,
            )
        registered = str(logged.registered_model_version)
    client = mlflow.MlflowClient()
    client.update_model_version(NAME, registered, record.description)
    is_champion = CHAMPION not in client.get_registered_model(NAME).aliases
    if is_champion:
        client.set_registered_model_alias(NAME, CHAMPION, registered)
    return Registered(run.info.run_id, registered, is_champion)


def signature(models: Models) -> ModelSignature:
    """What goes in (the matrix's columns, numbers; days to the contract's end may be apart) and what comes
    out."""
    columns = [ColSpec(DataType.double, column) for column in models.risk.columns]
    apart = ColSpec(DataType.double, DAYS_TO_END, required=False)
    risks = [ColSpec(DataType.double, f"risk_{horizon}") for horizon in models.risk.horizons]
    return ModelSignature(Schema([*columns, apart]), Schema([*risks]))


def use_store() -> str:
    """Work with the store that MLflow's variables name, or with ours; its address."""
    address = os.environ.get("MLFLOW_TRACKING_URI", DEFAULT_STORE)
    mlflow.set_tracking_uri(address)
    return address


def store_exists(address: str) -> bool:
    """Whether there is anything to look into; MLflow would create an SQLite store, only to find it empty."""
    return not address.startswith(_SQLITE) or Path(address.removeprefix(_SQLITE)).exists()


def store_folder(address: str) -> Path | None:
    """The folder that an SQLite store lies in; None for a server."""
    return Path(address.removeprefix(_SQLITE)).resolve().parent if address.startswith(_SQLITE) else None


def experiment(name: str) -> str:
    """The id of an experiment; a new one in an SQLite store keeps its artefacts beside the database."""
    beside = store_folder(use_store())
    artefacts = None
    if beside is not None:
        beside.mkdir(parents=True, exist_ok=True)
        artefacts = (beside / "artifacts").as_uri()
    found = mlflow.get_experiment_by_name(name)
    return str(found.experiment_id) if found else mlflow.create_experiment(name, artifact_location=artefacts)


def tuning_journal() -> Path:
    """The file that keeps the settings tried: beside an SQLite store, in ``mlruns`` where the store is a server."""
    beside = store_folder(use_store())
    return (beside or Path("mlruns")) / "tuning.journal"
