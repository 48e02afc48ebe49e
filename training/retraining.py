"""Retraining from a scheduler: import → train → judge → propose, one at a time and safe to interrupt anywhere.

What a run has not finished leaves nothing behind that counts: a store takes a batch whole or not at all, a folder is
swapped in whole, a version whose run did not finish is not taken for done, and the champion changes only where somebody
asks for it by name and the rule of ``training.promotion`` is met. Whoever was killed holds no lock: the kernel gives it
back.

A model that was trained a moment ago has seen everything there is, and can be held against the champion on nothing.
What is proposed is therefore the newest of the *earlier* challengers that enough has happened since, whoever trained
them; one that was decided about is not tried again until it passes.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import mlflow

from features.matrix import fingerprint
from features.sources.files import is_canonical
from features.sources.gathering import ImportOptions
from features.sources.importing import ImportSummary, import_to_folder, import_to_store
from models.archive import ArchiveError, FingerprintMismatch
from training.decisions import decisions_of
from training.preparing import TrainOptions
from training.promotion import CannotCompare, Comparison, compare_models, decide, promote
from training.registry import NoSuchVersion, Version, champion_of, open_models, versions
from training.tracking import store_folder
from training.train import TrainReport, train

OPTIONS_TAG = "retrain.options"
"""The tag of a run that holds what retraining was asked for."""

LOCK = "retrain.lock"

Show = Callable[[str, float], None]
"""Called with what is being done and how much of it is (0 to 1)."""


@dataclass(frozen=True)
class Proposal:
    """A challenger held against the champion: whether it meets the rule, why, and whether it took the place."""

    version: str
    champion: str
    meets_the_rule: bool
    because: tuple[str, ...]
    promoted: bool
    comparison: Comparison


@dataclass(frozen=True)
class Retrained:
    """What a retraining did. ``trained`` is None where version ``unchanged`` has learned from the very same data;
    ``proposal`` is None where no challenger can be compared, and ``waiting`` then says why."""

    imported: ImportSummary
    trained: TrainReport | None
    unchanged: str | None
    proposal: Proposal | None
    waiting: tuple[str, ...]


def lock_file(address: str) -> Path:
    """Where the lock of a tracking store lies: beside an SQLite database, in ``mlruns`` where the store is a server."""
    return (store_folder(address) or Path("mlruns")) / LOCK


def retrain(
    sources: Sequence[Path],
    into: str | Path,
    reading: ImportOptions,
    options: TrainOptions,
    at: int,
    by: str | None = None,
    show: Show = lambda step, share: None,
    reject_file: Path | None = None,
) -> Retrained:
    """Import ``sources`` into a store, or into a folder if ``into`` is a Path, train on that unless nothing is new, and
    propose a challenger.

    In the name of ``by``, at ``at`` (UTC seconds), the challenger becomes the champion where it meets the rule; without
    a name nothing is decided. A folder belongs to retraining: what an interrupted run left beside it is put right
    first; what a store's import turned away goes to ``reject_file``. Call it inside ``only_one``. Raises what importing
    and training raise.
    """

    def steps(step: str, done: int, whole: int) -> None:
        show(step, done / whole)

    if isinstance(into, Path):
        _put_right(into)
        imported = import_to_folder(sources, into, reading, show)
    else:
        imported = import_to_store(sources, into, at, reading, show, reject_file)
    unchanged = _trained_on(imported.dataset.sha256, options)
    if unchanged is not None:
        return Retrained(imported, None, unchanged, None, ())
    trained = train(into, options, steps)
    mlflow.MlflowClient().set_tag(trained.registered.run_id, OPTIONS_TAG, _asked(options))
    proposal, waiting = _propose(into, by, at, steps)
    return Retrained(imported, trained, None, proposal, waiting)


def _put_right(tables: Path) -> None:
    """Undo what a killed import left: the former tables come back if the new ones were not yet in place, and what is
    half written goes."""
    former = sorted(tables.parent.glob(f".{tables.name}.old-*"), key=lambda folder: folder.stat().st_mtime)
    if former and not tables.exists() and is_canonical(former[-1]):
        os.rename(former.pop(), tables)
    for left in [*former, *tables.parent.glob(f".{tables.name}.new-*")]:
        shutil.rmtree(left)


def _trained_on(sha256: str, options: TrainOptions) -> str | None:
    """The newest version, if it learned from these data, these columns and by these options, and was finished."""
    try:
        newest = versions()[0]
    except NoSuchVersion:
        return None
    run = mlflow.get_run(newest.run_id)
    same = (
        run.info.status == "FINISHED"
        and run.data.tags.get("data.sha256") == sha256
        and run.data.tags.get("matrix.fingerprint") == fingerprint()
        and run.data.tags.get(OPTIONS_TAG, _asked(options)) == _asked(options)
    )
    return newest.number if same else None


def _asked(options: TrainOptions) -> str:
    return json.dumps(asdict(options), sort_keys=True, default=sorted)


def _propose(
    histories: str | Path, by: str | None, at: int, steps: Callable[[str, int, int], None]
) -> tuple[Proposal | None, tuple[str, ...]]:
    """The newest challenger that can be compared and was not decided about; else why each cannot be."""
    listed = versions()
    champion = champion_of(listed)
    waiting = []
    for challenger in _undecided(listed, champion):
        try:
            if by is not None:
                decision, comparison = promote(histories, by, at, challenger.number, progress=steps)
                assert comparison is not None  # without a comparison it would have raised
                met, because = decision.promoted, decision.because
            else:
                comparison = compare_models(histories, open_models(challenger), open_models(champion), steps)
                verdict = decide(comparison)
                met, because = verdict.promoted, verdict.because
        except (CannotCompare, FingerprintMismatch, ArchiveError) as error:
            waiting.append(f"Version {challenger.number} cannot be compared yet: {error}")
            continue
        found = Proposal(challenger.number, champion.number, met, because, met and by is not None, comparison)
        return found, tuple(waiting)
    return None, tuple(waiting)


def _undecided(listed: list[Version], champion: Version) -> list[Version]:
    """The versions that came after the champion and were not decided about, the newest first."""
    return [version for version in listed if int(version.number) > int(champion.number) and not decisions_of([version])]
