"""The trees' settings, chosen by Optuna on folds ordered in time.

The usual settings are the first trial, and stay unless others are better by more than chance. A study is kept in a
journal, so that what was interrupted goes on where it stopped, and more trials can be added to what was tried.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from scipy.special import expit

from features.histories.log import Array
from models.trees import RiskSettings, predict_scores, train_watched
from training.entries import Entries, Progress
from training.evaluation import measure
from training.splits import Fold

USUAL = RiskSettings()
"""What is tried first."""

TRIALS = 6
"""Settings tried unless more are asked for."""

RANDOM = 5
"""Trials drawn at random before the sampler learns from them."""


@dataclass(frozen=True)
class Trial:
    """One of the settings tried, at its best number of rounds: log loss and AUC of its scores out of fold, over all
    horizons."""

    settings: RiskSettings
    log_loss: float
    auc: float


def choose(
    entries: Entries,
    folds: list[Fold],
    seed: int,
    trials: int,
    journal: Path,
    study: str,
    progress: Progress,
) -> list[Trial]:
    """Try so many settings on the folds; the trials, the chosen one first.

    Each fold's trees grow until the fold's later entries are foretold no better (early stopping); the number of rounds
    is the one at which all folds together are foretold best. ``journal`` is the file that keeps what was tried under
    the name ``study``: which must be that of the data and of all that the trials depend on.

    The usual settings are chosen unless another's loss is less by more than the standard error of the difference (over
    groups): where few losses decide, the least of many nearly equal figures is chance.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    journal.parent.mkdir(parents=True, exist_ok=True)
    storage = JournalStorage(JournalFileBackend(str(journal)))
    kept = optuna.create_study(storage=storage, study_name=study, direction="minimize", load_if_exists=True)
    for number in range(len(_done(kept)), trials):
        progress("trying settings", number, trials)
        # A sampler for each trial, so that what is drawn does not depend on where a study was interrupted.
        kept.sampler = optuna.samplers.TPESampler(seed=seed + number, n_startup_trials=RANDOM)
        if number == 0:
            kept.enqueue_trial(_asked(USUAL))
        trial = kept.ask()
        tried, losses = _tried(entries, folds, replace(_drawn(trial), seed=seed))
        trial.set_user_attr("trial", asdict(tried))
        trial.set_user_attr("losses", json.dumps(losses.tolist()))
        kept.tell(trial, tried.log_loss)
    progress("trying settings", trials, trials)

    done = _done(kept)[:trials]  # of a study that went further too: what is chosen follows from what was asked
    found = [_read(trial.user_attrs["trial"]) for trial in done]
    by_group = [np.array(json.loads(trial.user_attrs["losses"])) for trial in done]
    best = min(range(len(done)), key=lambda place: found[place].log_loss)
    chosen = best if _surely_less(by_group[best], by_group[0]) else 0
    others = sorted((one for place, one in enumerate(found) if place != chosen), key=lambda one: one.log_loss)
    return [found[chosen], *others]


def _done(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))


def _drawn(trial: optuna.Trial) -> RiskSettings:
    return replace(
        USUAL,
        depth=trial.suggest_int("depth", 1, 3),
        feature_fraction=trial.suggest_float("feature_fraction", 0.1, 0.8),
        lambda_l2=trial.suggest_float("lambda_l2", 0.3, 100.0, log=True),
        min_child_weight=trial.suggest_float("min_child_weight", 0.5, 20.0, log=True),
    )


def _asked(settings: RiskSettings) -> dict[str, float]:
    return {name: getattr(settings, name) for name in ("depth", "feature_fraction", "lambda_l2", "min_child_weight")}


def _read(kept: dict[str, object]) -> Trial:
    return Trial(**{**kept, "settings": RiskSettings(**kept["settings"])})  # type: ignore[arg-type]


def _tried(entries: Entries, folds: list[Fold], settings: RiskSettings) -> tuple[Trial, Array]:
    """A trial, and its log loss by group."""
    matrix, horizons = entries.matrix, entries.outcomes.horizons
    grown = []
    for fold in folds:
        learned = entries.only(fold.learn).used_rows()
        later = entries.only(fold.score).used_rows()
        grown.append(
            train_watched(
                learned.matrix.values,
                learned.matrix.standing.days_to_end,
                matrix.indicators,
                learned.labels,
                horizons,
                learned.weight,
                settings,
                (later.matrix.values, later.matrix.standing.days_to_end, later.labels),
            )
        )
    rounds = _best_rounds([losses for _, losses in grown], [int(fold.score.sum()) for fold in folds])
    scores = np.full(entries.usable.shape, np.nan)
    for fold, (booster, _) in zip(folds, grown, strict=True):
        rows = np.flatnonzero(fold.score.any(axis=1))
        days_to_end = matrix.standing.days_to_end[rows]
        found = predict_scores(booster, matrix.values[rows], days_to_end, horizons, rounds)
        scores[rows] = np.where(fold.score[rows], found, scores[rows])
    scored = ~np.isnan(scores)
    lost = entries.outcomes.labels[scored] == 1
    found_by = measure(expit(scores[scored]), lost)
    each = np.zeros(scores.shape)
    each[scored] = np.logaddexp(0.0, np.where(lost, -scores[scored], scores[scored]))
    member = np.unique(entries.group, return_inverse=True)[1]
    trial = Trial(replace(settings, rounds=rounds), found_by["log_loss"], found_by["auc"])
    return trial, np.bincount(member, each.sum(axis=1))


def _best_rounds(losses: list[Array], entries: list[int]) -> int:
    """The number of rounds with the least mean loss over all entries; a fold that ended early stays at its last."""
    longest = max(len(one) for one in losses)
    together = np.zeros(longest)
    for one, number in zip(losses, entries, strict=True):
        together += number * np.append(one, np.full(longest - len(one), one[-1]))
    return int(together.argmin()) + 1


def _surely_less(one: Array, other: Array) -> bool:
    """Whether losses by group are less than others by more than the standard error of their sum's difference."""
    saved = other - one
    return bool(saved.sum() > np.sqrt(len(saved)) * saved.std())
