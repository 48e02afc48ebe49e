"""Retraining: one at a time, killed anywhere without harm, idle where nothing is new, and what it proposes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import mlflow
import pytest
from typer.testing import CliRunner

from features.sources.files import iso, read_dataset, read_tables
from features.sources.gathering import AS_IS
from features.sources.importing import import_to_folder
from rapport import app
from tests.models.portfolio import contract_models
from tests.serving import clients
from training import retraining
from training.decisions import Decision, settle
from training.one_at_a_time import AlreadyRunning, only_one
from training.preparing import TrainOptions
from training.promotion import CannotCompare, Comparison, Verdict
from training.registry import champion_of, versions
from training.retraining import OPTIONS_TAG, Proposal, Retrained, lock_file, retrain
from training.simulation import simulate
from training.tracking import Record, register

ROOT = Path(__file__).parents[2]
NOW = 1_790_000_000
QUICK = TrainOptions(quick=True, trials=1, spacing_days=90, horizons=(90, 365))

HANG = """
import sys, time
from pathlib import Path
from training.one_at_a_time import only_one
source, tables, lock = map(Path, sys.argv[1:])

def hang(*given, **named):
    print("there", flush=True)
    time.sleep(600)
"""

TRAINING = """
from training import retraining
from features.sources.gathering import AS_IS
from training.preparing import TrainOptions
retraining.train = hang
with only_one(lock):
    retraining.retrain([source], tables, AS_IS, TrainOptions(), 0)
"""

# The import alone, as retraining begins it; what is imported with training takes seconds to load.
IMPORTING = """
from features.sources import importing, writing
swapped = []

def rename(one, other, first=writing.os.rename):
    if swapped:
        hang()
    swapped.append(one)
    first(one, other)

if "{where}" == "swapping":
    writing.os.rename = rename
else:
    importing.write_dataset = hang
with only_one(lock):
    importing.import_to_folder([source], tables)
"""

STEPS = {"training": TRAINING, **{where: IMPORTING.format(where=where) for where in ("importing", "swapping")}}


@dataclass(frozen=True)
class House:
    """Where a scheduler retrains: a source, the tables of an earlier one, and a store with a champion."""

    folder: Path
    address: str

    @property
    def source(self) -> Path:
        return self.folder / "raw"

    @property
    def tables(self) -> Path:
        return self.folder / "tables"

    @property
    def leftovers(self) -> list[str]:
        return sorted(file.name.rpartition("-")[0] for file in self.folder.glob(".tables.*"))

    def begin(self, where: str) -> subprocess.Popen[str]:
        """A retraining in a process of its own that has come so far and waits there."""
        process = subprocess.Popen(
            [sys.executable, "-c", HANG + STEPS[where], self.source, self.tables, lock_file(self.address)],
            env={**os.environ, "PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": self.address},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "there\n"
        return process


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def record(**tags: str) -> Record:
    return Record({}, tags, {}, {}, {})


@pytest.fixture(scope="module")
def address(migrated_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An MLflow store that the tests of the house share."""
    folder = tmp_path_factory.mktemp("store")
    shutil.copyfile(migrated_store, folder / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
        patch.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", str(folder / "artifacts"))
        patch.setattr("mlflow.tracking.fluent._active_experiment_id", None)
        yield f"sqlite:///{folder / 'mlflow.db'}"
        os.environ.pop("MLFLOW_EXPERIMENT_ID", None)
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type]
        mlflow.set_registry_uri(None)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def house(address: str, tmp_path_factory: pytest.TempPathFactory) -> House:
    folder = tmp_path_factory.mktemp("house")
    simulate(folder / "raw", 90, 4, seed=5, truth=False)
    made = clients.records()
    import_to_folder([clients.write_csv(made, folder / "earlier")], folder / "tables")
    learned = clients.learned(made)
    learned.meta["data"]["learned_until"] = iso(clients.AS_OF)
    learned.meta["count_as_lost"] = []
    assert register(learned, record(**{"data.sha256": read_dataset(folder / "tables").sha256})).is_champion
    return House(folder, address)


@dataclass(frozen=True)
class Seen:
    """What was found after a killed run: the tables' hash, what lay beside them, and the champion."""

    sha256: str
    leftovers: list[str]
    champion: str
    versions: int


def look(house: House) -> Seen:
    listed = versions()
    return Seen(read_dataset(house.tables).sha256, house.leftovers, champion_of(listed).number, len(listed))


@pytest.fixture(scope="module")
def before(house: House) -> Seen:
    return look(house)


@pytest.fixture(scope="module")
def killed_importing(house: House, before: Seen) -> Seen:
    kill(house.begin("importing"))
    return look(house)


@pytest.fixture(scope="module")
def killed_training(house: House, killed_importing: Seen) -> Seen:
    """After the import, with another run turned away meanwhile."""
    process = house.begin("training")
    try:
        with (
            pytest.raises(AlreadyRunning, match=f"process {process.pid}"),
            only_one(lock_file(house.address)),
        ):
            pytest.fail("two at once")
        answer = CliRunner().invoke(app, ["retrain", str(house.source), "--out", str(house.tables)])
        assert answer.exit_code == 5
        assert "another retraining holds" in answer.stderr
    finally:
        kill(process)
    return look(house)


@pytest.fixture(scope="module")
def finished(house: House, killed_training: Seen) -> Retrained:
    """The same once more, to the end."""
    with only_one(lock_file(house.address)):
        return retrain([house.source], house.tables, AS_IS, QUICK, NOW)


def test_killed_while_importing_everything_is_as_it_was(before: Seen, killed_importing: Seen) -> None:
    assert killed_importing == Seen(before.sha256, [".tables.new"], "1", 1)


def test_killed_while_training_the_new_tables_are_whole_and_the_champion_stays(
    house: House, before: Seen, killed_training: Seen
) -> None:
    assert killed_training.sha256 != before.sha256
    assert (killed_training.leftovers, killed_training.champion, killed_training.versions) == ([], "1", 1)
    assert len(read_tables(house.tables).interactions) > 5_000


def test_after_kills_the_next_run_ends_well(house: House, finished: Retrained) -> None:
    assert finished.trained is not None
    assert (finished.trained.registered.version, finished.trained.registered.is_champion) == ("2", False)
    assert look(house) == Seen(finished.imported.dataset.sha256, [], "1", 2)


def test_what_was_trained_a_moment_ago_waits_to_be_compared(finished: Retrained) -> None:
    assert finished.proposal is None
    (sentence,) = finished.waiting
    assert sentence.startswith("Version 2 cannot be compared yet: ")
    assert "Come back with records that reach further" in sentence


def test_nothing_new_is_not_trained_on_again(house: House, finished: Retrained) -> None:
    again = retrain([house.source], house.tables, AS_IS, QUICK, NOW)
    assert (again.trained, again.unchanged, again.proposal) == (None, "2", None)
    assert look(house).versions == 2


class Trains(Exception):
    """Raised in the place of training."""


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> None:
    def train(*given: Any) -> None:
        raise Trains

    monkeypatch.setattr(retraining, "train", train)


def test_other_options_are_something_new(house: House, finished: Retrained, watched: None) -> None:
    with pytest.raises(Trains):
        retrain([house.source], house.tables, AS_IS, TrainOptions(group="owner"), NOW)


def test_other_columns_are_something_new(
    house: House, finished: Retrained, watched: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retraining, "fingerprint", lambda: "another")
    with pytest.raises(Trains):
        retrain([house.source], house.tables, AS_IS, QUICK, NOW)


def test_a_version_whose_run_was_killed_is_not_taken_for_done(house: House, finished: Retrained, watched: None) -> None:
    assert finished.trained is not None
    client, run_id = mlflow.MlflowClient(), finished.trained.registered.run_id
    client.update_run(run_id, status="RUNNING")
    try:
        with pytest.raises(Trains):
            retrain([house.source], house.tables, AS_IS, QUICK, NOW)
    finally:
        client.update_run(run_id, status="FINISHED")


def test_a_version_that_was_trained_by_hand_counts_too(house: House, finished: Retrained) -> None:
    assert finished.trained is not None
    run_id = finished.trained.registered.run_id
    mlflow.MlflowClient().delete_tag(run_id, OPTIONS_TAG)
    assert retrain([house.source], house.tables, AS_IS, TrainOptions(), NOW).unchanged == "2"


def test_the_command_says_that_nothing_is_new_and_names_rejected_rows(house: House, finished: Retrained) -> None:
    command = ["retrain", str(house.source), "--out", str(house.tables)]
    answer = CliRunner().invoke(app, command)
    assert answer.exit_code == 0, answer.output
    assert "Nothing is new: version 2" in answer.stderr
    bad = house.source / "deals-more.csv"
    bad.write_text("deal_id,account_id,opened_at\nD-X,A0001,soon\n")
    try:
        answer = CliRunner().invoke(app, command)
    finally:
        bad.unlink()
    assert answer.exit_code == 3, answer.output
    assert "1 records were rejected" in answer.stderr


def test_killed_between_the_two_renames_the_former_tables_come_back(house: House, finished: Retrained) -> None:
    sha256 = look(house).sha256
    kill(house.begin("swapping"))
    assert not house.tables.exists()
    assert house.leftovers == [".tables.new", ".tables.old"]
    again = retrain([house.source], house.tables, AS_IS, QUICK, NOW)
    assert (again.unchanged, look(house).sha256, house.leftovers) == ("2", sha256, [])


# The lock


def test_a_lock_that_was_left_behind_holds_nobody_up(tmp_path: Path) -> None:
    lock = tmp_path / "deep" / "retrain.lock"
    for _ in range(2):
        with only_one(lock), pytest.raises(AlreadyRunning, match=f"process {os.getpid()}"), only_one(lock):
            pytest.fail("two at once")
    assert lock.read_text() == f"process {os.getpid()}\n"


def test_the_lock_lies_beside_the_tracking_store(tmp_path: Path) -> None:
    assert lock_file(f"sqlite:///{tmp_path}/a/mlflow.db") == tmp_path / "a" / "retrain.lock"
    assert lock_file("http://127.0.0.1:5000") == Path("mlruns", "retrain.lock")


# What is proposed


@pytest.fixture
def registry(tracking_store: str) -> list[str]:
    """A champion (1) and three challengers (2 to 4), of which 3 was declined already."""
    models = contract_models()
    for _ in range(4):
        register(models, record())
    declined = Decision("declined", "3", "1", "ann", "2026-07-01T10:00:00Z")
    listed = versions()
    settle(declined, listed[1], champion_of(listed), None)
    return []


@pytest.fixture
def tried(registry: list[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which versions were compared; the newest one cannot be."""

    def compare(tables: Path, challenger: str, champion: str, steps: object) -> Comparison:
        registry.append(f"{challenger} with {champion}")
        if challenger == "4":
            raise CannotCompare("the models have learned from what happened until yesterday")
        return cast(Comparison, "figures")

    monkeypatch.setattr(retraining, "open_models", lambda version: version.number)
    monkeypatch.setattr(retraining, "compare_models", compare)
    return registry


def propose(by: str | None = None) -> tuple[Proposal | None, tuple[str, ...]]:
    return retraining._propose(Path("tables"), by, NOW, lambda step, done, whole: None)


@pytest.mark.parametrize("met", [True, False])
def test_the_newest_that_can_be_compared_and_was_not_decided_about_is_proposed(
    met: bool, tried: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retraining, "decide", lambda comparison: Verdict(met, ("for a reason",)))
    proposal, waiting = propose()
    assert tried == ["4 with 1", "2 with 1"]
    assert proposal == Proposal("2", "1", met, ("for a reason",), False, cast(Comparison, "figures"))
    assert [sentence[:35] for sentence in waiting] == ["Version 4 cannot be compared yet: t"]
    assert champion_of(versions()).number == "1"


def test_a_name_lets_the_rule_decide_and_the_decision_is_kept(
    registry: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def promote(tables: Path, by: str, at: int, version: str, progress: object) -> tuple[Decision, Comparison]:
        asked.append((by, at, version))
        return Decision("promoted", version, "1", by, "2026-07-01T10:00:00Z"), cast(Comparison, "figures")

    monkeypatch.setattr(retraining, "promote", promote)
    proposal, waiting = propose("ann")
    assert asked == [("ann", NOW, "4")]
    assert proposal == Proposal("4", "1", True, (), True, cast(Comparison, "figures"))
    assert waiting == ()


def test_a_lone_champion_has_no_challenger(tracking_store: str) -> None:
    register(contract_models(), record())
    assert propose() == (None, ())
