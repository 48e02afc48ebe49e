"""The archive: the same numbers after saving and loading, and nothing else accepted."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models import archive
from models.archive import ArchiveError, FingerprintMismatch, Models, load, save
from models.calibration import Calibration
from models.prediction import predict
from models.stage import StageModel
from tests.models.portfolio import COLUMNS, FINGERPRINT, portfolio
from training.stage_fitting import fit_stage

MEMBERS = ("member_00", "member_01", "member_02")


@pytest.fixture
def saved(models: Models, tmp_path: Path) -> Path:
    """A folder with models that judge all stages."""
    labels = ["continuation", "commitment", "convergence"] * 30
    stage = fit_stage(portfolio(90, 1), labels)
    save(replace(models, stage=stage), tmp_path / "models")
    return tmp_path / "models"


def change(folder: Path, **parts: object) -> None:
    file = folder / "models.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | parts))


def test_the_same_numbers_to_the_last_bit(models: Models, saved: Path, tmp_path: Path) -> None:
    loaded = load(saved, FINGERPRINT)
    rows = portfolio(300, 2)
    end = rows.standing.days_to_end
    np.testing.assert_array_equal(loaded.risk.risk(rows.values, end), models.risk.risk(rows.values, end))
    np.testing.assert_array_equal(loaded.risk.interval(rows.values, end), models.risk.interval(rows.values, end))
    for name in ("columns", "fingerprint", "horizons", "calibration", "definition", "settings", "spread"):
        assert getattr(loaded.risk, name) == getattr(models.risk, name)
    assert loaded.meta == models.meta
    assert loaded.stage.judged_labels == ("continuation", "commitment", "convergence")
    save(loaded, tmp_path / "again")
    for file in saved.iterdir():
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes()
    again = load(tmp_path / "again", FINGERPRINT)
    for one, two in zip(predict(loaded, rows), predict(again, rows), strict=True):
        assert (one.risk, one.stage, one.reasons) == (two.risk, two.stage, two.reasons)


def test_every_member_has_its_own_halves_weights_and_calibration(models: Models, tmp_path: Path) -> None:
    """A third and a fifth, which no short decimal holds, as weights and spread."""
    members = tuple(
        replace(one, blend=replace(one.blend, trees_weight=1 / (3 + place), linear_weight=place / 5))
        for place, one in enumerate(models.risk.members)
    )
    given = replace(models.risk, members=members, spread=1 / 3)
    save(replace(models, risk=given), tmp_path / "models")
    loaded = load(tmp_path / "models", FINGERPRINT).risk
    assert (loaded.spread, len(loaded.members)) == (1 / 3, 3)
    rows = portfolio(30, 3)
    values, end = rows.values, rows.standing.days_to_end
    for one, two in zip(loaded.members, members, strict=True):
        assert one.calibration == two.calibration
        assert (one.blend.trees_weight, one.blend.linear_weight) == (two.blend.trees_weight, two.blend.linear_weight)
        assert one.blend.linear.to_json() == two.blend.linear.to_json()
        np.testing.assert_array_equal(one.blend.scores(values, end, (90,)), two.blend.scores(values, end, (90,)))


def test_a_model_without_members_is_saved_as_such(models: Models, tmp_path: Path) -> None:
    save(replace(models, risk=replace(models.risk, members=())), tmp_path / "models")
    assert not list((tmp_path / "models").glob("member*"))
    assert load(tmp_path / "models", FINGERPRINT).risk.members == ()


def test_floats_that_text_could_lose_survive(models: Models, tmp_path: Path) -> None:
    odd = Calibration(0.1 + 0.2, (-1 / 3, 5e-324, np.nextafter(1.0, 2.0).item(), 2.0))
    save(replace(models, risk=replace(models.risk, calibration=odd)), tmp_path / "models")
    assert load(tmp_path / "models", FINGERPRINT).risk.calibration == odd


def test_only_plain_files_are_written(saved: Path) -> None:
    names = {file.name for file in saved.iterdir()}
    halves = {f"{name}{half}" for name in ("risk", *MEMBERS) for half in (".txt", "_linear.json")}
    assert names == {"models.json", "stage.json", "reference.json"} | halves
    assert all((saved / f"{name}.txt").read_text().startswith("tree\n") for name in ("risk", *MEMBERS))
    assert json.loads((saved / "models.json").read_text())["columns"] == list(COLUMNS)
    assert [file.name for file in saved.parent.iterdir()] == ["models"]


def test_another_fingerprint_is_refused_saying_both(saved: Path) -> None:
    with pytest.raises(FingerprintMismatch, match=f"{FINGERPRINT}.*{'0' * 64}.*train a new model"):
        load(saved, "0" * 64)


def test_another_format_is_refused(saved: Path) -> None:
    for version in (1, 3, "2"):
        change(saved, format=version)
        with pytest.raises(ArchiveError, match=f"archive format {version}; this version of rapport reads 2"):
            load(saved, FINGERPRINT)


@pytest.mark.parametrize("name", ["models.json", "risk.txt", "risk_linear.json", "member_02.txt", "stage.json"])
def test_a_missing_file_is_named(saved: Path, name: str) -> None:
    (saved / name).unlink()
    with pytest.raises(ArchiveError, match=f"holds no {name}"):
        load(saved, FINGERPRINT)


def test_a_damaged_file_is_named(saved: Path) -> None:
    text = (saved / "risk.txt").read_text()
    (saved / "risk.txt").write_text(text.replace("leaf_value=", "leaf_value=0", 1))
    with pytest.raises(ArchiveError, match=r"risk\.txt: not the file that was saved"):
        load(saved, FINGERPRINT)
    (saved / "risk.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(ArchiveError, match="not UTF-8"):
        load(saved, FINGERPRINT)


@pytest.mark.parametrize("name", ["risk.txt", "risk_linear.json", "member_01.txt", "member_01_linear.json"])
def test_files_of_two_models_cannot_be_mixed(models: Models, saved: Path, tmp_path: Path, name: str) -> None:
    swapped = tuple(reversed(models.risk.members))
    other = replace(models.risk, blend=swapped[0].blend, members=(swapped[0], swapped[2], swapped[1]))
    save(replace(models, risk=other), tmp_path / "other")
    (saved / name).write_bytes((tmp_path / "other" / name).read_bytes())
    with pytest.raises(ArchiveError, match=f"{name}: not the file that was saved"):
        load(saved, FINGERPRINT)


def test_a_member_that_is_described_but_not_there_is_refused(saved: Path) -> None:
    described = json.loads((saved / "models.json").read_text())["risk"]
    change(saved, risk=described | {"members": [*described["members"], described["members"][0]]})
    with pytest.raises(ArchiveError, match=r"models\.json: not a description of models.*member_03"):
        load(saved, FINGERPRINT)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2}', "null"])
def test_what_describes_no_models_is_refused(saved: Path, text: str) -> None:
    (saved / "models.json").write_text(text)
    with pytest.raises(ArchiveError, match=r"models\.json: not a description of models"):
        load(saved, FINGERPRINT)


def test_a_file_outside_the_folder_is_refused(saved: Path) -> None:
    change(saved, files={"../risk.txt": "0"})
    with pytest.raises(ArchiveError, match="no file of the archive"):
        load(saved, FINGERPRINT)


def test_sizes_are_limited(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "LARGEST", 1000)
    with pytest.raises(ArchiveError, match="larger than"):
        load(saved, FINGERPRINT)


def test_a_saved_model_is_never_overwritten(models: Models, saved: Path, tmp_path: Path) -> None:
    before = {file.name: file.read_bytes() for file in saved.iterdir()}
    with pytest.raises(FileExistsError, match="saved into a new folder"):
        save(models, saved)
    assert {file.name: file.read_bytes() for file in saved.iterdir()} == before
    (tmp_path / "empty").mkdir()
    save(models, tmp_path / "empty")
    assert load(tmp_path / "empty", FINGERPRINT).risk.columns == COLUMNS


def test_nothing_half_written_stays(models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(source: Path, target: Path) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(OSError, match="disk full"):
        save(models, tmp_path / "new" / "models")
    assert list((tmp_path / "new").iterdir()) == []


def test_meta_must_be_plain_and_complete(models: Models, silence: Models, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        save(replace(models, meta={"auc": float("nan")}), tmp_path / "models")
    assert not (tmp_path / "models").exists()
    with pytest.raises(ValueError, match="minimum_touches"):
        replace(silence, meta={})
    with pytest.raises(ValueError, match="different columns"):
        replace(models, stage=StageModel(COLUMNS[1:]))
