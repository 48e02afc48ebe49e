"""What `rapport models`, `promote` and `rollback` tell, and with which exit code; what they do is tested apart."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pytest
from typer.testing import CliRunner, Result

import rapport
from features.sources.importing import import_to_folder
from models.archive import Models
from tests.models.portfolio import contract_models
from tests.serving import clients
from tests.training.stores import BARE, filled, registered
from training import decisions, promotion
from training.evaluation import MEASURES, compare
from training.judging import Judged
from training.promotion import CannotCompare, Comparison
from training.registry import NoSuchVersion


@pytest.fixture(scope="module")
def models() -> Models:
    return contract_models()


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("folder")
    import_to_folder([clients.write_csv(clients.records(accounts=3, touches=5), folder / "raw")], folder / "tables")
    return folder / "tables"


@pytest.fixture(scope="module")
def two(migrated_store: Path, models: Models, tmp_path_factory: pytest.TempPathFactory) -> Path:
    tags = {"data.span": "2022-07-04T09:52:25Z to 2026-06-30T17:17:42Z", "data.simulated": "true"}
    metrics = {"risk.auc.180": 0.8112, "risk.auc.90": 0.79, "risk.ece.180": 0.1}
    records = [replace(BARE, tags=tags, metrics=metrics), replace(BARE, metrics={"risk.auc.365": 0.7})]
    return registered(migrated_store, tmp_path_factory.mktemp("two"), models, records)


@pytest.fixture
def store(tracking_store: str, two: Path, models: Models, monkeypatch: pytest.MonkeyPatch) -> str:
    """Two versions, the first of them the champion; both open."""
    for module in (promotion, decisions):
        monkeypatch.setattr(module, "open_models", lambda version: models)
    return filled(tracking_store, two)


@pytest.fixture
def finds(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Makes the comparison find a challenger of so much more skill than the champion."""
    dice = np.random.default_rng(1)
    lost = dice.random(400) < 0.3

    def skilled(skill: float) -> np.ndarray:
        return 1 / (1 + np.exp(1 - skill * lost - dice.normal(0, 1, len(lost))))

    def chosen(skill: float) -> None:
        risks = {"challenger": skilled(1 + skill), "champion": skilled(1), "silence": skilled(0)}
        measured, leads = compare(risks, lost, np.arange(400))
        judged = {180: Judged(400, 400, int(lost.sum()), int(lost.sum()), measured, leads)}
        found = Comparison(1_750_000_000, 1_780_000_000, "ab" * 32, 400, judged, leads["champion"])
        monkeypatch.setattr(promotion, "compare_models", lambda *_: found)

    return chosen


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(rapport.app, [str(argument) for argument in arguments])


def words(text: str) -> str:
    return " ".join(text.split())


def champion() -> str:
    return str(mlflow.MlflowClient().get_model_version_by_alias("rapport", "champion").version)


def test_models_are_listed_with_their_figures_and_decisions(
    store: str, tables: Path, finds: Callable[[float], None]
) -> None:
    finds(3.0)
    run("promote", tables, "--by", "ann")
    listed = run("models")
    assert listed.exit_code == 0
    head, *_ = [line for line in listed.stdout.splitlines() if line.strip()]
    assert words(head) == "version registered champion AUC 90 d AUC 180 d AUC 365 d data decided"
    newest, oldest = (words(line) for line in listed.stdout.splitlines() if line.strip()[:2] in ("2 ", "1 "))
    assert "yes 0.700" in newest
    assert newest.endswith("promoted, by ann")
    assert "0.790 0.811 2022-07-04 to 2026-06-30 (simulated)" in oldest
    assert "yes" not in oldest


def test_a_promotion_is_told_and_done(store: str, tables: Path, finds: Callable[[float], None]) -> None:
    finds(3.0)
    done = run("promote", tables, "--by", "ann")
    assert done.exit_code == 0, done.stderr
    assert "180 days: " in done.stdout
    shown = words(done.stdout)
    assert all(name.replace("_", " ") in shown for name in ("challenger", "champion", "silence", *MEASURES))
    assert "A gain: log loss" in done.stderr
    assert "Version 2 is the champion now, in place of version 1." in done.stderr
    assert "restart 'rapport serve'" in done.stderr
    assert champion() == "2"


def test_who_decides_is_the_user_unless_said_otherwise(
    store: str, tables: Path, finds: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    finds(3.0)
    monkeypatch.setattr(getpass, "getuser", lambda: "cron")
    run("promote", tables)
    assert "promoted, by cron" in words(run("models").stdout)

    def nobody() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr(getpass, "getuser", nobody)
    refused = run("rollback")
    assert refused.exit_code == 2
    assert "say who decides" in words(refused.stderr)
    assert champion() == "2"
    assert run("rollback", "--by", "bob").exit_code == 0
    assert champion() == "1"


def test_a_challenger_that_is_no_better_is_declined_with_exit_code_1(
    store: str, tables: Path, finds: Callable[[float], None]
) -> None:
    finds(-1.0)
    done = run("promote", tables, "--by", "ann")
    assert done.exit_code == 1
    assert "Neither a sure gain nor as good" in done.stderr
    assert "Version 2 is not promoted; version 1 stays the champion." in done.stderr
    assert champion() == "1"
    insisted = run("promote", tables, "--by", "ann", "--version", "2", "--despite", "it explains itself better")
    assert insisted.exit_code == 0
    assert champion() == "2"
    assert "despite the rule: it explains itself better" in words(run("models").stdout)


def test_what_cannot_be_done_is_an_error_in_one_line(store: str, tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`main` tells ValueError and OSError in one line and ends with 1."""

    def cannot(*_: object) -> Comparison:
        raise CannotCompare("come back later")

    monkeypatch.setattr(promotion, "compare_models", cannot)
    assert isinstance(run("promote", tables, "--by", "ann").exception, CannotCompare)
    assert isinstance(run("promote", tables, "--version", "9", "--by", "ann").exception, NoSuchVersion)
    assert isinstance(run("rollback", "--to", "2", "--by", "ann").exception, ValueError)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    failed = run("models").exception
    assert isinstance(failed, OSError)
    assert str(failed).startswith("http://127.0.0.1:1: ")
