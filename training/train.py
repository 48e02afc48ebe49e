"""Training: a store or a canonical folder in; a judged, audited, registered model and its report out.

tables → history → entries (``preparing``) → settings (``tuning``) → judged (``judging``) and audited (``audit``) →
refitted on everything (``fitting``) → run (``tracking``)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from features.catalogue import as_documents, entries
from features.histories.history import History
from features.histories.log import NEVER, Array
from features.histories.tables import STAGES, Dataset
from features.matrix import Rows, build_matrix, indicators_of
from features.reference import Reference
from features.sources.account_digests import accounts_document
from features.sources.files import iso
from features.sources.opening import open_tables
from models.archive import Models
from models.risk import Definition, RiskModel
from models.trees import RiskSettings
from training.audit import Audit, admit, audit
from training.baselines import baseline_risks
from training.card import model_card, own_settings, summary
from training.entries import Entries, Progress, make_folds
from training.fitting import fit, tried
from training.judging import RISK, Evaluation, Making, evaluate, further_metrics, metrics, pictures
from training.learned import learned_until
from training.learned_accounts import ACCOUNTS_FILE
from training.plots import as_address
from training.preparing import TrainOptions, definition_of, entries_of, offered, reference_of
from training.report import document, page, render
from training.segments import segments
from training.splits import entries_before, entries_from, group_folds, groups_of
from training.stage_fitting import fit_stage
from training.stage_judging import judge_stage
from training.tracking import Record, Registered, register, tuning_journal
from training.truncation import until
from training.tuning import USUAL, Trial, choose


@dataclass(frozen=True)
class TrainReport:
    """What came of a training.

    ``test_from``: when the test begins; None where there were too few losses for one, and the model was judged across
    accounts. ``counts``: accounts, rows, entries (a row and a horizon with a known outcome), entries learned from
    before the test, entries of the test, losses and other ends. ``trials`` are the settings tried (the chosen first),
    ``messages`` for the user, in order.
    """

    definition: Definition
    test_from: int | None
    counts: Mapping[str, int]
    evaluation: Evaluation
    audit: Audit
    trials: tuple[Trial, ...]
    model: RiskModel
    registered: Registered
    messages: tuple[str, ...]


def _silent(step: str, done: int, total: int) -> None:
    """No progress shown."""


def train(histories: str | Path, options: TrainOptions, progress: Progress = _silent) -> TrainReport:
    """Train, judge, audit, refit and register models from a store or a canonical folder.

    Raises CannotTrain, saying what is missing, where the data do not carry a model; AuditFailed where the leak audit
    found something and no reason is given to go on; NotCanonical and StoreError where there are no tables.
    """
    progress("reading", 0, 1)
    tables = open_tables(histories)
    if options.until is not None:
        tables = until(tables, options.until)
    history = History.from_tables(tables)
    group = None if options.group is None else groups_of(tables, options.group)
    progress("reading", 1, 1)

    messages: list[str] = []
    definition = definition_of(history, options, messages)
    reference = reference_of(history, messages)
    everything = entries_of(history, definition, options, group, reference, messages, progress)
    everything, cut = offered(everything, options, messages)
    before = everything if cut is None else everything.only(entries_before(everything.outcomes, cut))
    trials = _chosen(history.dataset, before, options, messages, progress)
    settings = trials[0].settings

    progress("foretelling the test", 0, 1)
    tested = _foretold(history, everything, before, cut, settings, definition)
    progress("foretelling the test", 1, 1)
    parted = segments(tables.accounts, history, everything.matrix)
    making = None if options.quick else tested.making
    evaluation = evaluate(tested.test, tested.risks, parted, options.seed, progress, making)
    progress("looking for leaks", 0, 1)
    audited = audit(tables, everything, tested.learned, tested.scored, cut, reference, options.seed)
    del tables  # the texts are the largest part of the memory
    verdict = admit(audited, options.despite_audit)
    progress("looking for leaks", 1, 1)

    progress("refitting", 0, 2)
    model = fit(everything, settings, definition).model
    progress("refitting", 1, 2)
    reviewed, labels = _reviews(history, reference)
    reviewed_group = reviewed.rows.account if group is None else group[reviewed.rows.account]
    stage = fit_stage(reviewed, labels, reviewed_group, options.seed)
    stage_judged = None if options.quick else judge_stage(reviewed, labels, reviewed_group, options.seed)
    progress("refitting", 2, 2)

    counts = _counts(history, everything, before, tested.test)
    models = Models(model, stage, _meta(history, options, definition, cut, counts, evaluation), reference)
    parameters = _parameters(options, definition, model, cut)
    told = document(
        evaluation,
        definition,
        models.meta,
        parameters,
        messages,
        None if stage_judged is None else stage_judged.document(),
        audited.document(),
    )
    progress("registering", 0, 1)
    figures = pictures(evaluation)
    record = Record(
        parameters,
        _tags(history.dataset, models) | verdict,
        metrics(evaluation.judged) | further_metrics(evaluation),
        {
            "evaluation.json": told,
            "trials.json": [asdict(trial) for trial in trials],
            "indicators.json": as_documents(entries(indicators_of(reference))),
            ACCOUNTS_FILE: accounts_document(histories, history.accounts),
        },
        figures,
        {
            "evaluation.html": render(page(told, {name: as_address(figure) for name, figure in figures.items()})),
            "model_card.md": model_card(models, evaluation.judged, messages, audited, own_settings()),
        },
        summary(models, evaluation.judged),
    )
    registered = register(models, record)
    progress("registering", 1, 1)
    return TrainReport(definition, cut, counts, evaluation, audited, tuple(trials), model, registered, tuple(messages))


def _chosen(
    dataset: Dataset, before: Entries, options: TrainOptions, messages: list[str], progress: Progress
) -> list[Trial]:
    """The settings tried on what comes before the test, the chosen ones first."""
    sample = tried(before, options.seed)
    folds, in_time = make_folds(sample, options.seed)
    if not in_time:
        messages.append(
            "There are too few losses for folds ordered in time: settings and calibration come from folds across "
            f"{'groups' if before.grouped else 'accounts'} instead."
        )
    asked = asdict(replace(options, trials=0, quick=False, despite_audit=None))
    asked |= {"count_as_lost": sorted(options.count_as_lost)}
    matrix = before.matrix
    known_by = [dataset.sha256, matrix.fingerprint, matrix.columns, before.outcomes.horizons, asked, asdict(USUAL)]
    study = hashlib.sha256(json.dumps(known_by).encode()).hexdigest()
    return choose(sample, folds, options.seed, options.trials, tuning_journal(), study, progress)


@dataclass(frozen=True)
class _Tested:
    """The test, what every scorer foretold of it, and the entries learned from and scored (of everything)."""

    test: Entries
    risks: Mapping[str, Array]
    learned: Array
    scored: Array
    making: Making | None


def _foretold(
    history: History,
    everything: Entries,
    before: Entries,
    cut: int | None,
    settings: RiskSettings,
    definition: Definition,
) -> _Tested:
    """The risks (n, H) of every row of the test by the model and its baselines, which learned apart from it."""
    matrix, horizons = everything.matrix, everything.outcomes.horizons
    labels = everything.outcomes.labels

    def learn(of: Entries) -> Array:
        model = fit(of, settings, definition, members=0).model
        return model.risk(matrix.values, matrix.standing.days_to_end)

    if cut is not None:
        test = everything.only(entries_from(everything.outcomes, matrix.rows.as_of, cut))
        fitted = fit(before, settings, definition, members=0)
        risks = {RISK: fitted.model.risk(matrix.values, matrix.standing.days_to_end)}
        risks |= baseline_risks(history, matrix, labels, before.usable, horizons)
        making = Making(before, learn, fitted.scored, fitted.scored_labels)
        return _Tested(test, risks, before.usable, test.usable, making)
    together: dict[str, Array] = {}
    folds = list(group_folds(everything.usable, everything.group, settings.seed))
    for fold in folds:
        risks = {RISK: learn(everything.only(fold.learn))}
        risks |= baseline_risks(history, matrix, labels, fold.learn, horizons)
        for name, risk in risks.items():
            found = together.setdefault(name, np.full(risk.shape, np.nan))
            found[fold.score] = risk[fold.score]
    # Entries that nothing is known of have no outcome to be judged by, but must be numbers.
    filled = {name: np.nan_to_num(risk) for name, risk in together.items()}
    return _Tested(everything, filled, folds[0].learn, folds[0].score, None)


def _reviews(history: History, reference: Reference) -> tuple[Any, list[str]]:
    """The accounts when they were reviewed, and the director's stage, by the latest version of each review."""
    reviews = history.reviews.where(history.reviews["replaced"] == NEVER)
    matrix = build_matrix(history, Rows(reviews.segment, reviews["at"]), reference=reference)
    return matrix, [STAGES[stage] for stage in reviews["stage"].tolist()]


def _counts(history: History, everything: Entries, before: Entries, test: Entries) -> dict[str, int]:
    return {
        "accounts": history.segments,
        "rows": len(everything.matrix),
        "accounts_with_outcomes": len(np.unique(everything.matrix.rows.account)),
        "entries": int(everything.usable.sum()),
        "entries_before_test": int(before.usable.sum()),
        "entries_of_test": int(test.usable.sum()),
        "losses": everything.outcomes.losses,
        "other_ends": everything.outcomes.other_ends,
    }


def _meta(
    history: History,
    options: TrainOptions,
    definition: Definition,
    cut: int | None,
    counts: Mapping[str, int],
    evaluation: Evaluation,
) -> dict[str, Any]:
    dataset = history.dataset
    meta: dict[str, Any] = {
        "data": {
            "sha256": dataset.sha256,
            "span": _span(dataset),
            "simulated": dataset.simulated,
            "learned_until": iso(learned_until(history)),
        },
        "test_from": iso(cut),
        "counts": dict(counts),
        "count_as_lost": sorted(options.count_as_lost),
        "quality": {
            str(horizon): {"auc": one.measured[RISK]["auc"].value} for horizon, one in evaluation.judged.items()
        },
    }
    if definition == "silence":
        meta |= {"silence_days": options.silence_days, "minimum_touches": options.minimum_touches}
    return meta


def _parameters(options: TrainOptions, definition: Definition, model: RiskModel, cut: int | None) -> dict[str, Any]:
    chosen = {f"model.{name}": value for name, value in asdict(model.settings).items()}
    asked = {
        name: ",".join(map(str, sorted(value))) if isinstance(value, tuple | frozenset) else value
        for name, value in asdict(options).items()
    }
    times = {"first": iso(options.first), "last": iso(options.last), "until": iso(options.until)}
    return asked | times | chosen | {"definition": definition, "test_from": iso(cut), "horizons": _days(model.horizons)}


def _tags(dataset: Dataset, models: Models) -> dict[str, str]:
    return {
        "definition": models.risk.definition,
        "matrix.fingerprint": models.risk.fingerprint,
        "matrix.columns": str(len(models.risk.columns)),
        "data.sha256": dataset.sha256,
        "data.span": " to ".join(_span(dataset)),
        "data.simulated": str(dataset.simulated).lower(),
    }


def _span(dataset: Dataset) -> list[str]:
    return [str(iso(moment)) for moment in dataset.span or ()]


def _days(horizons: Sequence[int]) -> str:
    return ",".join(map(str, horizons))
