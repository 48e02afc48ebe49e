"""The commands about accounts, and forgetting, as a user calls them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import rapport
from features.sources.gathering import gather
from features.sources.store import Store
from tests.features.stores import NOW, message, source
from tests.features.worlds import BEGIN

DAY = 86_400


@pytest.fixture
def store(tmp_path: Path, tracking_store: str, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The default store of the current folder, with two systems' rows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RAPPORT_STORE", raising=False)
    told = {"contact_id": "ann@acme.example", "actor": "client"}
    rows = [
        message(1, BEGIN, account_id="acme.example", source="mail", **told),
        message(2, BEGIN + 5, account_id="acme.example", source="CRM export", **told),
        message(3, BEGIN + DAY, account_id="acme.de"),
    ]
    made = Store("rapport.db", create=True)
    made.add(gather([source(tmp_path / "in", {"interactions": rows})]), NOW)
    return made


def run(*arguments: str, answer: str = "", code: int = 0) -> Result:
    done = CliRunner().invoke(rapport.app, list(arguments), input=answer, env={"COLUMNS": "200"})
    assert done.exit_code == code, done.output
    return done


def test_accounts_are_merged_listed_and_split(store: Store) -> None:
    merged = run("accounts", "merge", "acme.example", "acme.de", "--by", "ann")
    assert "acme.de: part of acme.example now. Undo: rapport accounts split 1" in merged.stderr
    listed = run("accounts", "list").stdout
    assert "acme.example" in listed
    assert "acme.de" in listed
    assert "ann" in listed
    assert set(store.tables().interactions["account_id"].to_pylist()) == {"acme.example"}
    run("accounts", "split", "1", "--by", "bo", "--store", "rapport.db")
    assert "acme.de" in store.tables().interactions["account_id"].to_pylist()
    assert "acme.de" not in run("accounts", "list").stdout


def test_what_two_systems_tell_of_is_listed_with_the_reason(store: Store) -> None:
    told = run("accounts", "duplicates").stdout
    assert "same account, person, side and minute" in told
    for word in ("m2", "CRM export", "m1", "mail"):
        assert word in told


def test_forgetting_asks_and_leaves_a_receipt(store: Store, tmp_path: Path) -> None:
    wish = ("forget", "--contact", "ann@acme.example", "--by", "ann")
    ahead = run(*wish, "--dry-run")
    assert "interactions: 2" in ahead.stderr
    refused = run(*wish, answer="yes\n", code=1)
    assert "Nothing was forgotten." in refused.stderr
    run(*wish, code=1)  # nobody there to ask
    assert len(store.tables().interactions) == 2
    assert not list(tmp_path.glob("forgotten-*"))
    run(*wish, answer="forget\n")
    (file,) = tmp_path.glob("forgotten-*.json")
    receipt = json.loads(file.read_text())
    assert (receipt["by"], receipt["counts"]["interactions"]) == ("ann", 2)
    assert "ann@" not in file.read_text()
    assert store.tables().interactions["interaction_id"].to_pylist() == ["m3"]
    again = run(*wish, "--yes", "--receipt", "again.json")
    assert "This was forgotten before" in again.stderr
    assert json.loads(Path("again.json").read_text()) == receipt


def test_what_is_old_is_forgotten(store: Store) -> None:
    run("forget", "--older-than", "2017-07-15", "--pseudonymise", "--yes", "--by", "ann", "--receipt", "old.json")
    receipt = json.loads(Path("old.json").read_text())
    assert (receipt["before"], receipt["how"]) == ("2017-07-15T00:00:00Z", "pseudonymised")
    assert receipt["counts"]["interactions"] == 2
    assert store.tables().interactions["contact_id"].drop_null().to_pylist()[0].startswith("erased-")


def test_one_thing_is_forgotten_at_a_time(store: Store) -> None:
    done = CliRunner().invoke(rapport.app, ["forget", "--contact", "a", "--account", "b", "--by", "ann"])
    assert isinstance(done.exception, ValueError)
    assert "name one contact, one account or one date" in str(done.exception)


@pytest.mark.parametrize("command", ["forget", "accounts merge", "accounts split", "accounts list"])
def test_help_shows_an_example(command: str) -> None:
    assert f"Example: rapport {command} " in " ".join(run(*command.split(), "--help").stdout.split())
