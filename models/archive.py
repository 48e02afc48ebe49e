"""The archive: trained models as a folder of native files, without pickle.

    models.json               what the models are: columns, fingerprint, horizons, calibration, settings, meta
    risk.txt                  the risk model's trees in LightGBM's text format
    risk_linear.json          its linear half
    member_00.txt …           the same of each member, from which the intervals come
    member_00_linear.json …
    stage.json                what directors' reviews taught, where there were enough of them
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
from models.blend import Blend
from models.calibration import Calibration
from models.linear import LinearModel
from models.risk import Member, RiskModel
from models.stage import Judgement, StageModel
from models.trees import RiskSettings

FORMAT = 2
"""Version of the folder's form; another is refused."""

LARGEST = 64 * 2**20
"""Bytes that one file of an archive may have."""

DESCRIPTION = "models.json"
REFERENCE = "reference.json"
STAGE = "stage.json"


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
        REFERENCE: json.dumps(models.reference.to_json(), allow_nan=False),
    }
    for name, blend in _blends(models.risk).items():
        texts[f"{name}.txt"] = blend.booster.model_to_string()
        texts[f"{name}_linear.json"] = json.dumps(blend.linear.to_json(), allow_nan=False)
    if models.stage.judgement is not None:
        texts[STAGE] = json.dumps(models.stage.judgement.to_json(), allow_nan=False)
    return texts


def _blends(risk: RiskModel) -> dict[str, Blend]:
    """The scores of the model and of its members, by the name of their files."""
    return {"risk": risk.blend} | {_member(place): member.blend for place, member in enumerate(risk.members)}


def _member(place: int) -> str:
    return f"member_{place:02}"


def _weights(blend: Blend) -> tuple[float, float]:
    return blend.trees_weight, blend.linear_weight


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
            "weights": {name: _weights(blend) for name, blend in _blends(risk).items()},
            "calibration": asdict(risk.calibration),
            "members": [asdict(member.calibration) for member in risk.members],
            "spread": risk.spread,
            "settings": asdict(risk.settings),
        },
        "meta": models.meta,
    }


def _models(folder: Path, described: dict[str, Any]) -> Models:
    columns = tuple(described["columns"])
    texts = {name: _checked(folder, name, digest) for name, digest in described["files"].items()}
    reference = Reference.from_json(json.loads(texts.pop(REFERENCE)))
    boosters = {name: lgb.Booster(model_str=text) for name, text in texts.items() if name.endswith(".txt")}
    risk = described["risk"]

    def blend(name: str) -> Blend:
        linear = LinearModel.from_json(json.loads(texts[f"{name}_linear.json"]))
        return Blend(boosters[f"{name}.txt"], linear, *risk["weights"][name])

    return Models(
        RiskModel(
            blend=blend("risk"),
            columns=columns,
            fingerprint=risk["fingerprint"],
            horizons=tuple(risk["horizons"]),
            calibration=_calibration(risk["calibration"]),
            definition=risk["definition"],
            settings=RiskSettings(**risk["settings"]),
            members=tuple(
                Member(blend(_member(place)), _calibration(one)) for place, one in enumerate(risk["members"])
            ),
            spread=risk["spread"],
        ),
        StageModel(columns, Judgement.from_json(json.loads(texts[STAGE])) if STAGE in texts else None),
        described["meta"],
        reference,
    )


def _calibration(described: dict[str, Any]) -> Calibration:
    return Calibration(described["a"], tuple(described["b"]))


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
