"""The champion, the registered model that answers: MLflow's alias → its version → the archive's folder → the models."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from features.matrix import fingerprint
from models.archive import Models, load

NAME = "rapport"
ALIAS = "champion"
_SQLITE = "sqlite:///"


class NoChampion(ValueError):
    """No model of that name and alias is registered in the tracking store."""


@dataclass(frozen=True)
class Location:
    """Which version the champion is and where its archive lies on this machine; ``registered_at`` in UTC seconds."""

    name: str
    version: str
    registered_at: int
    folder: str

    def to_json(self) -> str:
        """For handing over to another process, which then needs no MLflow."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Location:
        """What ``to_json`` wrote."""
        return cls(**json.loads(text))


@dataclass(frozen=True)
class Champion:
    """The models that answer, and which version they are."""

    location: Location
    models: Models


def locate(tracking_uri: str) -> Location:
    """Find the champion in a tracking store; an archive that lies elsewhere is downloaded to a temporary folder.

    Raises NoChampion where there is none.
    """
    if tracking_uri.startswith(_SQLITE) and not Path(tracking_uri.removeprefix(_SQLITE)).exists():
        # MLflow would create the store, only to find it empty.
        raise NoChampion(_advice(tracking_uri))
    import mlflow
    from mlflow.exceptions import MlflowException

    try:
        version = mlflow.MlflowClient(tracking_uri).get_model_version_by_alias(NAME, ALIAS)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise NoChampion(_advice(tracking_uri)) from error
        raise
    model = mlflow.artifacts.download_artifacts(
        artifact_uri=f"models:/{NAME}/{version.version}", tracking_uri=tracking_uri
    )
    data = mlflow.models.Model.load(model).flavors["python_function"]["data"]
    registered_at = int(version.creation_timestamp) // 1000
    return Location(NAME, str(version.version), registered_at, str(Path(model, data).resolve()))


def open_champion(location: Location) -> Champion:
    """Read the champion's archive.

    Raises FingerprintMismatch where it learned from other columns than this version computes, ArchiveError where it
    cannot be read.
    """
    return Champion(location, load(Path(location.folder), fingerprint()))


def load_champion(tracking_uri: str) -> Champion:
    """Find and read the champion of a tracking store; raises as ``locate`` and ``open_champion`` do."""
    return open_champion(locate(tracking_uri))


def _advice(tracking_uri: str) -> str:
    return f"no champion in {tracking_uri}: train a model first with 'rapport train'"
