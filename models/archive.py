"""The archive: trained models as a folder of native files, without pickle.

    models.json               what the models are: columns, fingerprint, horizons, calibration, settings, meta
    risk.txt                  the risk model's trees in LightGBM's text format
    stage_commitment.txt      the stage model's trees, where there were enough reviews
    stage_convergence.txt
    reference.json            the portfolio's figures at month starts, and the user's own columns

Saving and loading gives the same numbers to the last bit (Python writes floats with all the digits they
need). ``models.json`` holds each file's SHA-256, so that files of two models cannot be mixed by mistake.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lightgbm as lgb

from features.reference import NOTHING, Reference
from models.calibration import Calibration
from models.risk import RiskModel, RiskSettings
from models.stage import StageModel

FORMAT = 1
"""Version of the folder's form; another is refused."""

LARGEST = 64 * 2**20
"""Bytes that one file of an archive may have."""

DESCRIPTION = "models.json"
REFERENCE = "reference.json"
QUESTIONS = ("commitment", "convergence")


class ArchiveError(ValueError):
    """The folder is no archive that this version can read; the message says which file and why."""


class FingerprintMismatch(ValueError):
    """The models learned from other columns than the matrix has."""


@dataclass(frozen=True)
class Models:
    """What is trained, saved and served together. ``meta`` is plain JSON data about the training (its span,
    its data's hash); for the `silence` definition it holds ``minimum_touches``. ``reference`` is what a matrix for
    these models needs beside the history.

    Errors: ValueError where the two models learned from different columns.
    """

    risk: RiskModel
    stage: StageModel
    meta: dict[str, Any]
    reference: Reference = NOTHING

    def __post_init__(self) -> None:
        if self.risk.columns != self.stage.columns:
            raise ValueError("the risk model and the stage model learned from different columns")
        if self.risk.definition == "silence" and "minimum_touches" not in self.meta:
            raise ValueError("meta lacks minimum_touches: the least touches of a client to be eligible")


def check_fingerprint(learned: str, given: str) -> None:
    """Raise FingerprintMismatch, naming both, unless they are the same."""
    if learned != given:
        raise FingerprintMismatch(
            f"the model learned from columns with fingerprint {learned}, here they have {given}: "
            "train a new model with this version, or use the version that trained this one"
        )


def save(models: Models, folder: Path) -> None:
    """Write the archive; it appears whole or not at all.

    Errors: FileExistsError where the folder holds anything already (a saved model is never overwritten),
    ValueError where meta is no JSON data.
    """
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder}: exists and is not empty; models are saved into a new folder")
    texts = _texts(models)
    description = json.dumps(_described(models, texts), indent=1, allow_nan=False)
    folder.parent.mkdir(parents=True, exist_ok=True)
    written = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        for name, text in (texts | {DESCRIPTION: description}).items():
            (written / name).write_text(text, encoding="utf-8", newline="\n")
        written.chmod(0o755)
        os.replace(written, folder)
    finally:
        shutil.rmtree(written, ignore_errors=True)


def load(folder: Path, fingerprint: str) -> Models:
    """Read an archive for matrices of this fingerprint.

    Errors: FingerprintMismatch where the models learned from other columns, ArchiveError where the folder is
    no archive, a file is damaged, too large or missing, or the format is another.
    """
    try:
        described = json.loads(_read(folder, DESCRIPTION))
        version = described["format"]
        if version != FORMAT:
            raise ArchiveError(f"{folder}: archive format {version}; this version of rapport reads {FORMAT}")
        check_fingerprint(described["risk"]["fingerprint"], fingerprint)
        return _models(folder, described)
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ArchiveError(f"{folder / DESCRIPTION}: not a description of models ({error!r})") from error


def _texts(models: Models) -> dict[str, str]:
    texts = {
        "risk.txt": models.risk.booster.model_to_string(),
        REFERENCE: json.dumps(models.reference.to_json(), allow_nan=False),
    }
    for question in QUESTIONS:
        booster: lgb.Booster | None = getattr(models.stage, question)
        if booster is not None:
            texts[f"stage_{question}.txt"] = booster.model_to_string()
    return texts


def _described(models: Models, texts: dict[str, str]) -> dict[str, Any]:
    risk = models.risk
    return {
        "format": FORMAT,
        "files": {name: _digest(text) for name, text in texts.items()},
        "columns": risk.columns,
        "risk": {
            "definition": risk.definition,
            "fingerprint": risk.fingerprint,
            "horizons": risk.horizons,
            "calibration": asdict(risk.calibration),
            "settings": asdict(risk.settings),
        },
        "meta": models.meta,
    }


def _models(folder: Path, described: dict[str, Any]) -> Models:
    columns = tuple(described["columns"])
    texts = {name: _checked(folder, name, digest) for name, digest in described["files"].items()}
    reference = Reference.from_json(json.loads(texts.pop(REFERENCE)))
    boosters = {name: lgb.Booster(model_str=text) for name, text in texts.items()}
    risk, calibration = described["risk"], described["risk"]["calibration"]
    return Models(
        RiskModel(
            booster=boosters["risk.txt"],
            columns=columns,
            fingerprint=risk["fingerprint"],
            horizons=tuple(risk["horizons"]),
            calibration=Calibration(calibration["a"], tuple(calibration["b"])),
            definition=risk["definition"],
            settings=RiskSettings(**risk["settings"]),
        ),
        StageModel(columns, *(boosters.get(f"stage_{question}.txt") for question in QUESTIONS)),
        described["meta"],
        reference,
    )


def _checked(folder: Path, name: str, digest: str) -> str:
    if Path(name).name != name:
        raise ArchiveError(f"{folder / DESCRIPTION}: {name!r} is no file of the archive")
    text = _read(folder, name)
    if _digest(text) != digest:
        raise ArchiveError(f"{folder / name}: not the file that was saved (its SHA-256 differs)")
    return text


def _read(folder: Path, name: str) -> str:
    file = folder / name
    if not file.is_file():
        raise ArchiveError(f"{folder}: holds no {name}; is it an archive of models?")
    if file.stat().st_size > LARGEST:
        raise ArchiveError(f"{file}: larger than {LARGEST // 2**20} MB")
    try:
        return file.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ArchiveError(f"{file}: not UTF-8 text ({error})") from error


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
