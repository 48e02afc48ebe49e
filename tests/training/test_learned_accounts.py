"""Which models learned from an account: told by digests that name none."""

from __future__ import annotations

import json
from pathlib import Path

import mlflow
import pytest

from features.sources.account_digests import accounts_document, held_any, store_key
from features.sources.files import iso
from features.sources.gathering import gather
from features.sources.store import Store
from tests.features.stores import NOW, message, source
from tests.features.worlds import BEGIN
from tests.models.portfolio import contract_models
from training.learned_accounts import ACCOUNTS_FILE, models_that_learned
from training.tracking import Record, register


@pytest.fixture
def store(tmp_path: Path) -> Path:
    made = Store(tmp_path / "store.db", create=True)
    made.add(gather([source(tmp_path / "in", {"interactions": [message(1, BEGIN)]})]), NOW)
    return tmp_path / "store.db"


def test_a_document_tells_of_an_account_only_under_the_key(store: Path, tmp_path: Path) -> None:
    document = accounts_document(store, ["acme.example", "brick.example"])
    text = json.dumps(document)
    assert "acme" not in text
    assert (len(document["digests"]), "salt" in document) == (2, False)
    key = store_key(store)
    assert held_any(document, ["acme.example", "other"], key) is True
    assert held_any(document, ["other"], key) is False
    assert held_any(document, ["acme.example"], b"another") is None
    # The same accounts give the same, in no order of theirs.
    assert accounts_document(store, ["brick.example", "acme.example"]) == document


def test_a_folder_has_no_key_so_that_each_training_has_its_own_salt(store: Path, tmp_path: Path) -> None:
    one, other = (accounts_document(tmp_path / "in", ["acme.example"]) for _ in range(2))
    assert one["digests"] != other["digests"]
    for document in (one, other):
        assert held_any(document, ["acme.example"], store_key(store)) is True
        assert held_any(document, ["brick.example"], store_key(store)) is False


def test_models_that_learned_are_named(store: Path, tmp_path: Path, tracking_store: str) -> None:
    assert models_that_learned(store, ["a"]) == []
    models = contract_models()
    elsewhere = Store(tmp_path / "elsewhere.db", create=True).url.database
    begins = {"data.span": f"{iso(BEGIN)} to {iso(BEGIN + 10)}"}
    for documents in (
        {ACCOUNTS_FILE: accounts_document(store, ["a", "b"])},
        {ACCOUNTS_FILE: accounts_document(store, ["b"])},
        {ACCOUNTS_FILE: accounts_document(str(elsewhere), ["a"])},
        {},
    ):
        register(models, Record({}, begins, {}, documents, {}))
    found = models_that_learned(store, ["a"])
    assert [(one["version"], one["champion"], one["learned"]) for one in found] == [
        ("4", False, "unknown: its run keeps no list of accounts"),
        ("3", False, "unknown: it learned from another store"),
        ("1", True, "yes"),
    ]
    assert [one["version"] for one in models_that_learned(store, ["b"], before=BEGIN + 1)] == ["4", "3", "2", "1"]
    assert models_that_learned(store, ["b"], before=BEGIN) == []
    mlflow.set_tracking_uri(tracking_store)
