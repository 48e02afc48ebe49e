"""Which registered models learned from an account: told by digests that each training keeps with its run."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import Any

import mlflow

from features.sources.account_digests import held_any, store_key
from features.sources.files import iso
from training.registry import NoSuchVersion, Version, quality, versions
from training.tracking import use_store

ACCOUNTS_FILE = "accounts.json"
"""The run's document made by ``account_digests.accounts_document``."""


def models_that_learned(
    store: str | Path, accounts: Collection[str], before: int | None = None
) -> list[dict[str, Any]]:
    """The registered models that learned from any of these accounts of a store, or may have, the newest first.

    With ``before`` (UTC seconds) only those whose records begin earlier. Each is named by its version, with
    ``learned``: "yes", or why it cannot be told.
    """
    try:
        listed = versions()
    except NoSuchVersion:
        return []
    key = store_key(store)
    found = []
    for version in listed:
        learned = _learned(version, accounts, key)
        if learned != "no" and (before is None or _begins(version) < before):
            found.append(
                {
                    "version": version.number,
                    "registered": iso(version.registered_at),
                    "champion": version.is_champion,
                    "learned": learned,
                }
            )
    return found


def _learned(version: Version, accounts: Collection[str], key: bytes) -> str:
    use_store()
    if not any(file.path == ACCOUNTS_FILE for file in mlflow.MlflowClient().list_artifacts(version.run_id)):
        return "unknown: its run keeps no list of accounts"
    held = held_any(mlflow.artifacts.load_dict(f"runs:/{version.run_id}/{ACCOUNTS_FILE}"), accounts, key)
    return "unknown: it learned from another store" if held is None else "yes" if held else "no"


def _begins(version: Version) -> int:
    """The first moment of the records that a version learned from, UTC seconds; before all if its run does not say."""
    begin = quality(version)[1].get("data.span", "").split(" to ")[0]
    return int(datetime.fromisoformat(begin).timestamp()) if begin else -(1 << 62)
