"""From a history to entries that can be learned from: what is lost, which rows, and at which horizons.

tables → history → rows → matrix → outcomes → horizons with enough losses, and the part that judges them
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from features.frame import first_event
from features.histories.history import History, code
from features.histories.log import Array
from features.histories.tables import DEALS
from features.matrix import build_matrix, rows_at, snapshots
from features.measuring import measure_portfolio
from features.own_columns import own_columns
from features.reference import Reference
from features.sources.files import iso
from models.risk import HORIZONS, Definition
from training.entries import MINIMUM_LOST, Entries, Progress
from training.outcomes import (
    MINIMUM_TOUCHES,
    CannotTrain,
    contract_outcomes,
    observed_until,
    silence_outcomes,
)
from training.splits import entries_before, entries_from, test_cut
from training.tuning import TRIALS

SILENCE_DAYS = 180
"""Days of silence that count as lost, unless set."""

SCORECARDS = "What the marks say of each client needs no losses: `rapport scorecards FOLDER --as-of DATE`"
"""What is offered where nothing can be foretold."""


@dataclass(frozen=True)
class TrainOptions:
    """What a user may choose.

    ``definition``: None takes `contract` where there are won deals, and `silence` where there are none.
    ``horizons`` (days) belong to `contract`, ``silence_days`` and ``minimum_touches`` to `silence`.
    Snapshots are taken at month starts, or every ``spacing_days`` from ``first`` on; ``first`` and ``last``
    (UTC seconds) default to the span of the records. ``test_from`` (UTC seconds): learn from outcomes
    settled by then, judge on rows from then on. ``group``: a column of accounts or interactions whose
    values are never split between learning and scoring out of fold, and are resampled as a whole.
    ``count_as_lost``: reasons for a lost renewal that count as losses though they are no switching. ``trials``: how
    many settings of the trees are tried. ``quick`` leaves out what the judging could do without. ``despite_audit``:
    why the model is to be registered though the leak audit found something. ``until`` (UTC seconds): learn from the
    records as they stood then, so that what came later can compare models.
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
    trials: int = TRIALS
    quick: bool = False
    despite_audit: str | None = None
    until: int | None = None


def definition_of(history: History, options: TrainOptions, messages: list[str]) -> Definition:
    """What lost means: as chosen, else by contract where there are won deals."""
    if options.definition is not None:
        return options.definition
    (won,) = code(DEALS, "outcome", "won")
    if bool((history.deals["outcome"] == won).any()):
        return "contract"
    messages.append(
        f"There are no won deals: lost means silence for {options.silence_days} days (the `silence` definition)."
    )
    return "silence"


def reference_of(history: History, messages: list[str]) -> Reference:
    """The portfolio at every month start on record, and the user's own columns."""
    until = int(observed_until(history).max(initial=0))
    own, left_out = own_columns(history)
    messages += left_out
    return Reference(measure_portfolio(history, snapshots(int(first_event(history).min(initial=until)), until)), own)


def entries_of(
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


def offered(everything: Entries, options: TrainOptions, messages: list[str]) -> tuple[Entries, int | None]:
    """The entries at the horizons that can be learned and judged, and when the test begins; the other horizons are
    dropped with a message.

    Where the losses are too few to keep some of them for a later test, and no test was asked for, there is none: then
    every horizon with ``MINIMUM_LOST`` lost accounts is kept, and judged across accounts. With fewer still nothing is
    foretold.
    """
    outcomes = everything.outcomes
    cut = test_cut(outcomes, everything.matrix.rows.as_of) if options.test_from is None else options.test_from
    before = everything.lost_accounts(entries_before(outcomes, cut))
    after = everything.lost_accounts(entries_from(outcomes, everything.matrix.rows.as_of, cut))
    later = [place for place in range(len(before)) if min(before[place], after[place]) >= MINIMUM_LOST]
    if later or options.test_from is not None:
        told = [
            f"{one} accounts lost before {iso(cut)}, {other} from then on"
            for one, other in zip(before, after, strict=True)
        ]
        return _kept(everything, later, told, f"{MINIMUM_LOST} are needed on both sides", messages), cut
    lost = everything.lost_accounts(everything.usable)
    enough = [place for place, number in enumerate(lost.tolist()) if number >= MINIMUM_LOST]
    told = [f"{number} accounts lost" for number in lost.tolist()]
    kept = _kept(everything, enough, told, f"{MINIMUM_LOST} are needed", messages)
    messages.append(
        "There are too few losses to keep some for a later test: the model is judged across "
        f"{'groups' if everything.grouped else 'accounts'} instead, each foretold by what was learned from the others. "
        "Its figures are those of the same span of time, and rough."
    )
    return kept, None


def _kept(everything: Entries, kept: Sequence[int], told: Sequence[str], needed: str, messages: list[str]) -> Entries:
    horizons = everything.outcomes.horizons
    if not kept:
        counted = "; ".join(f"{horizon} days: {found}" for horizon, found in zip(horizons, told, strict=True))
        raise CannotTrain(
            f"too few losses to foretell any: {counted}; at least {needed}. A longer history, more accounts or other "
            f"horizons would help. {SCORECARDS}"
        )
    for place, horizon in enumerate(horizons):
        if place not in kept:
            messages.append(f"Horizon {horizon} days dropped: {told[place]}; at least {needed}.")
    return everything.horizons(kept)
