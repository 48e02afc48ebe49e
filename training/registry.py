"""The registry: the versions of ``rapport``, their models, and which of them is the champion.

Models come from nowhere else. The store is MLflow's, found as in ``training.tracking``; looking never creates one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow

from features.matrix import fingerprint
from models.archive import Models, load
from training.judging import RISK
from training.tracking import ARCHIVE, CHAMPION, NAME, store_exists, use_store


class NoSuchVersion(ValueError):
    """The registry does not hold what was asked for; the message says what it holds."""


@dataclass(frozen=True)
class Version:
    """One registered version; ``registered_at`` in UTC seconds, ``tags`` its own."""

    number: str
    run_id: str
    registered_at: int
    is_champion: bool
    tags: Mapping[str, str]


def versions() -> list[Version]:
    """All registered versions, the newest first. Raises NoSuchVersion where there are none."""
    address = use_store()
    if not store_exists(address):
        raise NoSuchVersion(_advice(address))
    client = mlflow.MlflowClient()
    found = client.search_model_versions(f"name='{NAME}'")
    if not found:
        raise NoSuchVersion(_advice(address))
    champion = _champion(client)
    listed = [
        Version(
            str(one.version),
            str(one.run_id),
            int(one.creation_timestamp) // 1000,
            str(one.version) == champion,
            dict(one.tags),
        )
        for one in found
    ]
    return sorted(listed, key=lambda version: -int(version.number))


def version_of(listed: list[Version], number: str) -> Version:
    """The version of that number. Raises NoSuchVersion, naming those there are."""
    for version in listed:
        if version.number == number:
            return version
    there = ", ".join(version.number for version in reversed(listed))
    raise NoSuchVersion(f"there is no version {number} of {NAME}; there are {there}")


def champion_of(listed: list[Version]) -> Version:
    """The champion. Raises NoSuchVersion where the alias points nowhere."""
    for version in listed:
        if version.is_champion:
            return version
    raise NoSuchVersion(f"no version of {NAME} bears the alias {CHAMPION}: give it to one in MLflow first")


def open_models(version: Version) -> Models:
    """Read a version's models. Raises FingerprintMismatch or ArchiveError as ``models.archive.load`` does."""
    use_store()
    with TemporaryDirectory() as folder:
        found = mlflow.artifacts.download_artifacts(artifact_uri=f"models:/{NAME}/{version.number}", dst_path=folder)
        return load(Path(found, "data", ARCHIVE), fingerprint())


def tag(version: Version, tags: Mapping[str, str]) -> None:
    """Write tags to a version and to its run."""
    use_store()
    client = mlflow.MlflowClient()
    for key, value in tags.items():
        client.set_tag(version.run_id, key, value)
        client.set_model_version_tag(NAME, version.number, key, value)


def crown(version: Version) -> None:
    """Make a version the champion."""
    use_store()
    mlflow.MlflowClient().set_registered_model_alias(NAME, CHAMPION, version.number)


def check_champion(version: Version) -> None:
    """Raise NoSuchVersion unless a version still is the champion."""
    use_store()
    now = _champion(mlflow.MlflowClient())
    if now != version.number:
        raise NoSuchVersion(f"the champion changed meanwhile, from version {version.number} to {now}: look again")


def quality(version: Version) -> tuple[dict[int, float], dict[str, str]]:
    """The AUC by horizon on the test part of the training that made a version, and the tags of its run."""
    use_store()
    data = mlflow.get_run(version.run_id).data
    begin = f"{RISK}.auc."
    auc = {int(name.removeprefix(begin)): value for name, value in data.metrics.items() if name.startswith(begin)}
    return auc, dict(data.tags)


def _champion(client: mlflow.MlflowClient) -> str | None:
    found = client.get_registered_model(NAME).aliases.get(CHAMPION)
    return None if found is None else str(found)


def _advice(address: str) -> str:
    return f"no models in {address}: train one first with 'rapport train'"
