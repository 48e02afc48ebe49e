"""Training: a canonical folder in; a judged, registered model and its report out.

tables → history → rows → matrix → outcomes → parts → settings → judged on the test → refitted on
everything → run
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from features.catalogue import as_documents, entries
from features.frame import first_event
from features.histories.history import History, code
from features.histories.log import NEVER, Array
from features.histories.tables import DEALS, STAGES, Dataset
from features.matrix import Rows, build_matrix, indicators_of, rows_at, snapshots
from features.measuring import measure_portfolio
from features.own_columns import own_columns
from features.reference import Reference
from features.sources.files import iso, read_tables
from models.archive import Models
from models.risk import HORIZONS, Definition, RiskModel
from models.stage import StageModel, fit_stage
from training.baselines import baseline_risks
from training.fitting import GRID, MOST_TRIED, Entries, Progress, Trial, choose, fit, make_folds
from training.judging import RISK, Judged, document, judge, metrics, pictures
from training.outcomes import (
    MINIMUM_TOUCHES,
    CannotTrain,
    contract_outcomes,
    observed_until,
    silence_outcomes,
)
from training.splits import entries_before, entries_from, groups_of, test_cut
from training.tracking import Record, Registered, register

SILENCE_DAYS = 180
"""Days of silence that count as lost, unless set."""

MINIMUM_LOSSES = 10
"""Accounts that must have been lost in the training part."""

MINIMUM_TEST_LOSSES = 5
"""Accounts that must have been lost in the test part for a horizon to be judged, and so to be offered."""


@dataclass(frozen=True)
class TrainOptions:
    """What a user may choose.

    ``definition``: None takes `contract` where there are won deals, and `silence` where there are none.
    ``horizons`` (days) belong to `contract`, ``silence_days`` and ``minimum_touches`` to `silence`.
    Snapshots are taken at month starts, or every ``spacing_days`` from ``first`` on; ``first`` and ``last``
    (UTC seconds) default to the span of the records. ``test_from`` (UTC seconds): learn from outcomes
    settled by then, judge on rows from then on. ``group``: a column of accounts or interactions whose
    values are never split between learning and scoring out of fold, and are resampled as a whole.
    ``count_as_lost``: reasons for a lost renewal that count as losses though they are no switching.
    """

    definition: Definition | None = None
    horizons: tuple[int, ...] = HORIZONS
    silence_days: int = SILENCE_DAYS
    minimum_touches: int = MINIMUM_TOUCHES
    spacing_days: int | None = None
    first: int | None = None
    last: int | None = None
    test_from: int | None = None
    group: str | None = None
    count_as_lost: frozenset[str] = frozenset()
    seed: int = 7


@dataclass(frozen=True)
class TrainReport:
    """What came of a training.

    ``counts``: accounts, rows, eligible rows, entries (a row and a horizon with a known outcome), entries
    learned from before the test, entries of the test, losses and other ends. ``judged`` by horizon,
    ``trials`` the settings tried (the chosen first), ``messages`` for the user, in order.
    """

    definition: Definition
    test_from: int
    counts: Mapping[str, int]
    judged: Mapping[int, Judged]
    trials: tuple[Trial, ...]
    model: RiskModel
    registered: Registered
    messages: tuple[str, ...]


def _silent(step: str, done: int, total: int) -> None:
    """No progress shown."""


def train(folder: Path, options: TrainOptions, progress: Progress = _silent) -> TrainReport:
    """Train, judge, refit and register models from a canonical folder.

    Raises CannotTrain, saying what is missing, where the data do not carry a model; NotCanonical for other
    folders.
    """
    progress("reading", 0, 1)
    tables = read_tables(folder)
    history = History.from_tables(tables)
    group = None if options.group is None else groups_of(tables, options.group)
    del tables  # the texts are the largest part of the memory
    progress("reading", 1, 1)

    messages: list[str] = []
    definition = _definition(history, options, messages)
    reference = _reference(history, messages)
    everything = _entries(history, definition, options, group, reference, messages, progress)
    usual_cut = test_cut(everything.outcomes, everything.matrix.rows.as_of)
    cut = usual_cut if options.test_from is None else options.test_from
    everything = _offered_horizons(everything, cut, messages)

    before = everything.only(entries_before(everything.outcomes, cut))
    folds, in_time = make_folds(before, options.seed)
    if not in_time:
        messages.append(
            "The span before the test is too short for folds ordered in time: settings and calibration come from "
            f"folds across {'groups' if group is not None else 'accounts'} instead."
        )
    grid = [replace(settings, seed=options.seed) for settings in GRID]
    sample = before.share(MOST_TRIED, options.seed)
    trials = choose(sample, folds if sample is before else make_folds(sample, options.seed)[0], grid, progress)
    settings = trials[0].settings

    progress("judging", 0, 2)
    test = everything.only(entries_from(everything.outcomes, everything.matrix.rows.as_of, cut))
    judged_model = fit(before, folds, settings, definition)
    matrix = everything.matrix
    risks = {RISK: judged_model.risk(matrix.values, matrix.standing.days_to_end)}
    risks |= baseline_risks(history, matrix, everything.outcomes.labels, before.usable)
    progress("judging", 1, 2)
    judged = judge(test, risks, options.seed)
    progress("judging", 2, 2)

    progress("refitting", 0, 2)
    model = fit(everything, make_folds(everything, options.seed)[0], settings, definition)
    progress("refitting", 1, 2)
    stage = _stage(history, reference)
    progress("refitting", 2, 2)

    counts = _counts(history, everything, before, test)
    models = Models(model, stage, _meta(history.dataset, options, definition, cut, counts, judged), reference)
    progress("registering", 0, 1)
    record = Record(
        _parameters(options, definition, model, cut),
        _tags(history.dataset, models),
        metrics(judged),
        {
            "quality.json": document(judged),
            "trials.json": [asdict(trial) for trial in trials],
            "training.json": {"counts": counts, "messages": messages},
            "indicators.json": as_documents(entries(indicators_of(reference))),
        },
        pictures(test, risks),
    )
    registered = register(models, record)
    progress("registering", 1, 1)
    return TrainReport(definition, cut, counts, judged, tuple(trials), model, registered, tuple(messages))


def _definition(history: History, options: TrainOptions, messages: list[str]) -> Definition:
    if options.definition is not None:
        return options.definition
    (won,) = code(DEALS, "outcome", "won")
    if bool((history.deals["outcome"] == won).any()):
        return "contract"
    messages.append(
        f"There are no won deals: lost means silence for {options.silence_days} days (the `silence` definition)."
    )
    return "silence"


def _reference(history: History, messages: list[str]) -> Reference:
    """The portfolio at every month start on record, and the user's own columns."""
    until = int(observed_until(history).max(initial=0))
    own, left_out = own_columns(history)
    messages += left_out
    return Reference(measure_portfolio(history, snapshots(int(first_event(history).min(initial=until)), until)), own)


def _entries(
    history: History,
    definition: Definition,
    options: TrainOptions,
    group: Array | None,
    reference: Reference,
    messages: list[str],
    progress: Progress,
) -> Entries:
    """All rows with a known outcome at some horizon."""
    until = int(observed_until(history).max(initial=0))
    first = int(first_event(history).min(initial=until)) if options.first is None else options.first
    last = until if options.last is None else options.last
    rows = rows_at(history, snapshots(first, last, options.spacing_days))
    if not len(rows):
        raise CannotTrain(f"no account has a snapshot between {iso(first)} and {iso(last)}")
    progress("computing indicators", 0, 1)
    matrix = build_matrix(history, rows, reference=reference)
    progress("computing indicators", 1, 1)
    if definition == "contract":
        horizons = tuple(sorted(set(options.horizons)))
        outcomes = contract_outcomes(history, rows, matrix.standing, horizons, options.count_as_lost)
    else:
        outcomes = silence_outcomes(history, rows, matrix.standing, options.silence_days, options.minimum_touches)
    messages.append(
        f"{len(rows):,} rows of {history.segments:,} accounts, {int(outcomes.eligible.sum()):,} of them eligible; "
        f"observed until {iso(until)}. {outcomes.losses:,} losses, {outcomes.other_ends:,} ends for other reasons."
    )
    member = rows.account if group is None else group[rows.account]
    whole = Entries(matrix, outcomes, outcomes.labels >= 0, member, group is not None)
    return whole.rows(np.flatnonzero(whole.usable.any(axis=1)))


def _offered_horizons(everything: Entries, cut: int, messages: list[str]) -> Entries:
    """The entries at horizons that can be learned and judged; the others are dropped with a message."""
    outcomes = everything.outcomes
    learned = everything.lost_accounts(entries_before(outcomes, cut))
    judged = everything.lost_accounts(entries_from(outcomes, everything.matrix.rows.as_of, cut))
    kept = []
    for place, horizon in enumerate(outcomes.horizons):
        if min(learned[place], judged[place]) >= MINIMUM_TEST_LOSSES:
            kept.append(place)
            continue
        messages.append(
            f"Horizon {horizon} days dropped: {learned[place]} accounts lost in outcomes settled by {iso(cut)}, "
            f"{judged[place]} in rows from then on; at least {MINIMUM_TEST_LOSSES} are needed on both sides."
        )
    if not kept or max(learned[kept]) < MINIMUM_LOSSES:
        counted = "; ".join(
            f"{horizon} days: {before} before, {after} after"
            for horizon, before, after in zip(outcomes.horizons, learned, judged, strict=True)
        )
        raise CannotTrain(
            f"too few losses to learn from and to judge by. Accounts lost by horizon, before and after {iso(cut)}: "
            f"{counted}. Needed are {MINIMUM_LOSSES} before and {MINIMUM_TEST_LOSSES} after: a longer history, more "
            "accounts, shorter horizons or another start of the test"
        )
    return everything.horizons(kept)


def _stage(history: History, reference: Reference) -> StageModel:
    """The stage model, from the latest version of each review."""
    reviews = history.reviews.where(history.reviews["replaced"] == NEVER)
    matrix = build_matrix(history, Rows(reviews.segment, reviews["at"]), reference=reference)
    return fit_stage(matrix, [STAGES[stage] for stage in reviews["stage"].tolist()])


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
    dataset: Dataset,
    options: TrainOptions,
    definition: Definition,
    cut: int,
    counts: Mapping[str, int],
    judged: Mapping[int, Judged],
) -> dict[str, Any]:
    meta: dict[str, Any] = {
        "data": {"sha256": dataset.sha256, "span": _span(dataset), "simulated": dataset.simulated},
        "test_from": iso(cut),
        "counts": dict(counts),
        "count_as_lost": sorted(options.count_as_lost),
        "quality": {str(horizon): {"auc": one.measured[RISK]["auc"].value} for horizon, one in judged.items()},
    }
    if definition == "silence":
        meta |= {"silence_days": options.silence_days, "minimum_touches": options.minimum_touches}
    return meta


def _parameters(options: TrainOptions, definition: Definition, model: RiskModel, cut: int) -> dict[str, Any]:
    chosen = {f"model.{name}": value for name, value in asdict(model.settings).items()}
    asked = {
        name: ",".join(map(str, sorted(value))) if isinstance(value, tuple | frozenset) else value
        for name, value in asdict(options).items()
    }
    times = {"first": iso(options.first), "last": iso(options.last)}
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
