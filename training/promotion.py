"""Promotion: a challenger takes the champion's place if it does better on what neither has learned from.

Both score the same rows, all from the moment on up to which the later trained of the two has seen anything, whose
outcomes have become known since. The rule (every interval is a paired bootstrap over accounts, 95 %):

- *gain*: the log loss over all horizons is lower and its interval excludes zero, and the AUC at the explained horizon
  is not surely lower; or *equality*: that AUC is surely not lower by more than ``EQUAL_WITHIN``, the calibration error
  over all horizons is lower, and the log loss is not surely higher;
- and every baseline, learned from what was settled before those rows, is beaten: its AUC at the explained horizon is
  lower, and its AUC at no horizon is surely higher.

Challengers are tried again and again, and one in forty gains by chance alone: the same challenger is not to be tried
until it passes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from features.frame import first_event
from features.histories.history import History
from features.histories.log import DAY, Array
from features.matrix import Matrix, build_matrix, rows_at, snapshots
from features.sources.files import iso
from features.sources.opening import open_tables
from models.archive import ArchiveError, FingerprintMismatch, Models
from models.risk import EXPLAINED
from training.baselines import baseline_risks
from training.decisions import Decision, settle
from training.entries import MINIMUM_LOST, Entries, Progress
from training.evaluation import Estimate, compare
from training.judging import Judged, judge
from training.learned import outcomes_of, stopped_learning, what_is_lost
from training.outcomes import observed_until
from training.registry import Version, champion_of, open_models, version_of, versions
from training.splits import entries_before, entries_from

CHALLENGER, CHAMPION = "challenger", "champion"

EQUAL_WITHIN = 0.01
"""An AUC that is surely not lower by more than this is as good."""

SEED = 7


class CannotCompare(ValueError):
    """The two models cannot be held against each other; the message says why, and how long to wait where that helps."""


class NoChallenger(ValueError):
    """No version is there to be promoted."""


@dataclass(frozen=True)
class Comparison:
    """Both models beside the baselines on rows from ``since`` on, with outcomes known by ``until`` (UTC seconds).

    ``judged`` by horizon, the challenger first among the scorers. ``pooled`` is its lead over the champion, by measure,
    over the entries of all these horizons together. ``left_out`` says which horizons are not compared, and why.
    """

    since: int
    until: int
    data_sha256: str
    rows: int
    judged: Mapping[int, Judged]
    pooled: Mapping[str, Estimate]
    left_out: tuple[str, ...] = ()

    @property
    def explained(self) -> int:
        """The horizon that decides about ranking: 180 days, or the compared one nearest to it."""
        return min(self.judged, key=lambda horizon: abs(horizon - EXPLAINED))

    def figures(self) -> dict[str, Any]:
        """What the decision rests on, as short plain data: of differences value, low and high."""
        return {
            "data_sha256": self.data_sha256,
            "rows": self.rows,
            "since": iso(self.since),
            "until": iso(self.until),
            "horizons": {
                str(horizon): {
                    "rows": one.rows,
                    "lost_accounts": one.lost_accounts,
                    **{
                        name: {who: _short(one.measured[who][name].value) for who in (CHALLENGER, CHAMPION)}
                        for name in ("auc", "log_loss", "ece")
                    },
                    "auc_lead": _three(one.leads[CHAMPION]["auc"]),
                }
                for horizon, one in self.judged.items()
            },
            "all_horizons": {name: _three(self.pooled[name]) for name in ("log_loss", "ece")},
            "auc_lead_over": {
                name: _three(lead["auc"])
                for name, lead in self.judged[self.explained].leads.items()
                if name != CHAMPION
            },
        }


@dataclass(frozen=True)
class Verdict:
    """Whether the rule is met, and what it rests on, in sentences."""

    promoted: bool
    because: tuple[str, ...]


def promote(
    histories: str | Path,
    by: str,
    at: int,
    version: str | None = None,
    despite: str | None = None,
    progress: Progress = lambda step, done, whole: None,
) -> tuple[Decision, Comparison | None]:
    """Compare a challenger with the champion, keep the decision, and move the alias if the rule is met.

    The challenger is ``version``, or else the newest one registered after the champion. ``by`` and ``at`` (UTC seconds)
    go into the record. ``despite`` is a reason to promote whatever the comparison says, or without one where there can
    be none.

    Raises NoChallenger or NoSuchVersion where there is none, CannotCompare where there can be no comparison and no
    ``despite`` is given, FingerprintMismatch or ArchiveError where the challenger is of no use to this version of
    rapport, ValueError where ``despite`` is empty.
    """
    if despite is not None and not despite.strip():
        raise ValueError("--despite: a reason is needed; it is kept with the version")
    progress("opening the models", 0, 1)
    listed = versions()
    champion = champion_of(listed)
    challenger = _challenger(listed, champion, version)
    models = open_models(challenger)
    progress("opening the models", 1, 1)
    comparison = None
    try:
        comparison = compare_models(histories, models, _opened(champion), progress)
        verdict = decide(comparison)
    except CannotCompare as error:
        if despite is None:
            raise
        verdict = Verdict(False, (f"Not compared: {error}",))
    decision = Decision(
        kind="declined" if despite is None and not verdict.promoted else "promoted",
        version=challenger.number,
        champion=champion.number,
        by=by,
        at=str(iso(at)),
        because=verdict.because,
        despite=None if verdict.promoted else despite,
        figures=comparison.figures() if comparison else {},
    )
    progress("recording", 0, 1)
    settle(decision, challenger, champion, challenger if decision.promoted else None)
    progress("recording", 1, 1)
    return decision, comparison


def compare_models(
    histories: str | Path, challenger: Models, champion: Models, progress: Progress = lambda step, done, whole: None
) -> Comparison:
    """Hold two models against each other and the baselines. Raises CannotCompare."""
    common = _common_horizons(challenger, champion)
    since = max(stopped_learning(models) for models in (challenger, champion))
    progress("reading", 0, 1)
    history = History.from_tables(open_tables(histories))
    progress("reading", 1, 1)
    until = int(observed_until(history).max(initial=0))
    if until <= since:
        raise CannotCompare(_wait({horizon: 0 for horizon in common}, since, until))
    progress("computing indicators", 0, 2)
    whole = _entries(history, challenger, until)
    progress("computing indicators", 1, 2)
    whole = whole.horizons([whole.outcomes.horizons.index(horizon) for horizon in common])
    known = entries_from(whole.outcomes, whole.matrix.rows.as_of, since)
    lost = dict(zip(common, whole.lost_accounts(known).tolist(), strict=True))
    enough = [place for place, horizon in enumerate(common) if lost[horizon] >= MINIMUM_LOST]
    if not enough:
        raise CannotCompare(_wait(lost, since, until))
    whole = whole.horizons(enough)
    before = entries_before(whole.outcomes, since)
    later = np.flatnonzero(known[:, enough].any(axis=1))
    test = whole.only(known[:, enough]).rows(later)
    champions = build_matrix(history, test.matrix.rows, reference=champion.reference)
    progress("computing indicators", 2, 2)
    progress("comparing", 0, 1)
    horizons = test.outcomes.horizons
    risks = {CHALLENGER: _risk(challenger, test.matrix, horizons), CHAMPION: _risk(champion, champions, horizons)}
    plain = baseline_risks(history, whole.matrix, whole.outcomes.labels, before, horizons)
    judged = judge(test, risks | {name: risk[later] for name, risk in plain.items()}, SEED)
    pooled = _pooled(test, risks)
    progress("comparing", 1, 1)
    known_to_one = sorted({*challenger.risk.horizons} ^ {*champion.risk.horizons})
    left_out = [f"Not compared within {horizon} days: only one of the two foretells it" for horizon in known_to_one]
    left_out += [
        f"Not compared within {horizon} days: {lost[horizon]} accounts lost, {MINIMUM_LOST} are needed"
        for horizon in common
        if horizon not in judged
    ]
    return Comparison(since, until, history.dataset.sha256, len(test.matrix), judged, pooled, tuple(left_out))


def decide(comparison: Comparison) -> Verdict:
    """The rule, as the head of this file has it."""
    judged, horizon = comparison.judged, comparison.explained
    loss, error = comparison.pooled["log_loss"], comparison.pooled["ece"]
    leads = judged[horizon].leads
    auc = leads[CHAMPION]["auc"]
    gain = loss.high < 0 and not auc.high < 0
    equal = auc.low > -EQUAL_WITHIN and error.value < 0 and not loss.low > 0
    unbeaten = [
        name
        for name, lead in leads.items()
        if name != CHAMPION
        and (not lead["auc"].value > 0 or any(one.leads[name]["auc"].high < 0 for one in judged.values()))
    ]
    figures = (
        f"log loss over all horizons {_told(loss, 4)}, AUC within {horizon} days {_told(auc, 3)}, "
        f"calibration error over all horizons {_told(error, 4)}, each against the champion"
    )
    if gain:
        ground = f"A gain: {figures}"
    elif equal:
        ground = f"As good and better calibrated: {figures}"
    else:
        ground = f"Neither a sure gain nor as good and better calibrated: {figures}"
    against = f"Not better than {', '.join(unbeaten)}" if unbeaten else "Better than every baseline"
    return Verdict((gain or equal) and not unbeaten, (ground, against, *comparison.left_out))


def _challenger(listed: list[Version], champion: Version, number: str | None) -> Version:
    if number is not None:
        chosen = version_of(listed, number)
        if chosen.is_champion:
            raise NoChallenger(f"version {number} is the champion already")
        return chosen
    newest = listed[0]
    if int(newest.number) <= int(champion.number):
        raise NoChallenger(
            f"no version is newer than the champion, version {champion.number}: train one, or name one with --version"
        )
    return newest


def _opened(champion: Version) -> Models:
    try:
        return open_models(champion)
    except (FingerprintMismatch, ArchiveError) as error:
        raise CannotCompare(
            f"the champion, version {champion.number}, cannot score these rows ({error}). "
            "It can only be replaced without a comparison: --despite REASON"
        ) from error


def _common_horizons(challenger: Models, champion: Models) -> list[int]:
    """The horizons that both models know, where they foretell the same thing."""
    one, other = what_is_lost(challenger), what_is_lost(champion)
    common = [horizon for horizon in challenger.risk.horizons if horizon in champion.risk.horizons]
    if one == other and common:
        return common
    if one == other:
        one, other = (f"{one} within {_days(models.risk.horizons)}" for models in (challenger, champion))
    raise CannotCompare(
        f"the challenger foretells {one}; the champion foretells {other}. "
        "It can only be replaced without a comparison: --despite REASON"
    )


def _entries(history: History, models: Models, until: int) -> Entries:
    """All rows with a known outcome at some horizon of the models."""
    first = int(first_event(history).min(initial=until))
    rows = rows_at(history, snapshots(first, until))
    matrix = build_matrix(history, rows, reference=models.reference)
    outcomes = outcomes_of(models, history, rows, matrix.standing)
    return Entries(matrix, outcomes, outcomes.labels >= 0, rows.account, False).used_rows()


def _risk(models: Models, matrix: Matrix, horizons: tuple[int, ...]) -> Array:
    """Risks (n, H) at some of the horizons."""
    risk = models.risk.risk(matrix.values, matrix.standing.days_to_end)
    return np.asarray(risk[:, [models.risk.horizon_index(horizon) for horizon in horizons]])


def _pooled(test: Entries, risks: Mapping[str, Array]) -> Mapping[str, Estimate]:
    """The challenger's lead over the champion, over the entries of all horizons together."""
    entries = test.usable
    lost = test.outcomes.labels[entries] == 1
    group = np.broadcast_to(test.group[:, None], entries.shape)[entries]
    return compare({name: risk[entries] for name, risk in risks.items()}, lost, group, seed=SEED)[1][CHAMPION]


def _wait(lost: Mapping[int, int], since: int, until: int) -> str:
    """Why there are too few rows to compare on, from when on there can be, and what to do meanwhile."""
    first = int(snapshots(since, since + 31 * DAY)[0])
    told = []
    for horizon, accounts in lost.items():
        earliest = first + horizon * DAY
        if earliest > until:
            wait = f"the first outcome is known on {_date(earliest)}, {-(-(earliest - until) // DAY)} days later"
        else:
            wait = f"{accounts} accounts lost so far"
        told.append(f"within {horizon} days: {wait}")
    return (
        f"the models have learned from what happened until {_date(since)}, and these records are observed until "
        f"{_date(until)}. Only snapshots from {_date(first)} on count; at least {MINIMUM_LOST} accounts must have been "
        f"lost after them ({'; '.join(told)}). Come back with records that reach further, compare models that have "
        "learned from less (`rapport train --until DATE`), or promote without a comparison: --despite REASON"
    )


def _date(seconds: int) -> str:
    return str(iso(seconds))[:10]


def _days(horizons: Sequence[int]) -> str:
    return f"{', '.join(map(str, horizons))} days"


def _told(lead: Estimate, digits: int) -> str:
    return f"{lead.value:+.{digits}f} ({lead.low:+.{digits}f} to {lead.high:+.{digits}f})"


def _three(lead: Estimate) -> list[float | None]:
    return [_short(value) for value in (lead.value, lead.low, lead.high)]


def _short(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None
