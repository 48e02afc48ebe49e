"""Judgement on the test part: the model beside its baselines, horizon by horizon, as figures, documents and
pictures."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from features.histories.log import Array
from training import plots
from training.entries import MINIMUM_LOST, Entries, Progress
from training.evaluation import Estimate, compare, compare_caught, gain_curve, resamples_for
from training.reliability import (
    Bin,
    NullError,
    VennAbers,
    brier_parts,
    calibration_bins,
    null_calibration_error,
    venn_abers,
)
from training.segments import Part, Parting, judge_parts, periods

RISK = "risk"
"""The model's name among the scorers."""

CALLED = {
    RISK: "the model",
    "silence": "silence alone",
    "recency_frequency_value": "recency/frequency/value",
    "health_score": "activity health score",
    "scorecard": "fixed scorecard",
    "lightgbm_defaults": "LightGBM defaults",
}
"""What scorers are called in pictures and in the report."""

LEARNED_SHARES = (0.25, 0.5, 0.75)
"""Shares of the accounts that the learning curve learns from, beside all of them."""

MOST_LEARNED = 120_000
"""Entries to learn from beyond which a point of the learning curve is left out: its cost would be the training's."""

GAIN_SHARES = np.linspace(0.0, 1.0, 21)
"""Shares of the rows, riskiest first, at which the gain is told."""


@dataclass(frozen=True)
class Judged:
    """One horizon on the test part: every scorer's measures, and the model's lead over each baseline."""

    rows: int
    accounts: int
    lost_rows: int
    lost_accounts: int
    measured: Mapping[str, Mapping[str, Estimate]]
    leads: Mapping[str, Mapping[str, Estimate]]


@dataclass(frozen=True)
class Caught:
    """Money a year that was lost, and the share of it in the top decile of the rows by each scorer's risk × value
    (``by_worth``) and by its risk alone, each with the model's leads. Rows of unknown value are left out."""

    rows: int
    without_value: int
    lost: float
    by_worth: tuple[Mapping[str, Estimate], Mapping[str, Estimate]]
    by_risk: tuple[Mapping[str, Estimate], Mapping[str, Estimate]]


@dataclass(frozen=True)
class Details:
    """One horizon closer up. ``brier``: parts of each scorer's Brier score; ``gain``: share of the losses among the
    first ``GAIN_SHARES`` of the rows, by scorer; ``partings``: the model on the parts of each parting."""

    brier: Mapping[str, Mapping[str, float]]
    bins: Sequence[Bin]
    null: NullError
    gain: Mapping[str, Sequence[float]]
    value: Caught | None
    partings: Mapping[str, Sequence[Part]]
    venn_abers: VennAbers | None


@dataclass(frozen=True)
class Learned:
    """A point of the learning curve: a model that learned from a share of the accounts, judged on the same test.

    ``by_horizon``: its measures, and the whole model's lead over it; None with a reason in ``left_out``.
    """

    share: float
    accounts: int
    entries: int
    by_horizon: Mapping[int, tuple[Mapping[str, Estimate], Mapping[str, Estimate]]] | None
    left_out: str = ""


@dataclass(frozen=True)
class Making:
    """How the judged model was made, for what costs more than a look (left out by ``--quick``).

    ``before``: the entries it learned from; ``learn``: the same way of making it, from other entries, to the risks
    (n, H) of all rows of the test; ``scored`` (m, H): the calibrated out-of-fold risks that it was calibrated on, and
    ``scored_labels`` int8 (m, H) their outcomes, -1 where there is no score.
    """

    before: Entries
    learn: Callable[[Entries], Array]
    scored: Array
    scored_labels: Array


@dataclass(frozen=True)
class Evaluation:
    """Everything judged; ``seconds`` is what each part of the judging took."""

    judged: Mapping[int, Judged]
    details: Mapping[int, Details]
    learning: Sequence[Learned] | None
    seconds: Mapping[str, float] = field(compare=False)


def judge(entries: Entries, risks: Mapping[str, Array], seed: int) -> dict[int, Judged]:
    """Judge risks (n, H), by scorer's name with the model first, on the usable entries; by horizon."""
    judged = {}
    account = entries.matrix.rows.account
    for place, horizon in enumerate(entries.outcomes.horizons):
        rows, lost = _tested(entries, place)
        shown = {name: risk[rows, place] for name, risk in risks.items()}
        measured, leads = compare(shown, lost, entries.group[rows], resamples_for(len(lost)), seed)
        accounts = account[rows]
        judged[horizon] = Judged(
            len(lost),
            len(np.unique(accounts)),
            int(lost.sum()),
            len(np.unique(accounts[lost])),
            measured,
            leads,
        )
    return judged


def evaluate(
    test: Entries,
    risks: Mapping[str, Array],
    segments: Sequence[Parting],
    seed: int,
    progress: Progress,
    making: Making | None = None,
) -> Evaluation:
    """Judge risks (n, H), by scorer's name with the model first, on the usable entries of the test, from all sides.

    ``segments`` part the rows (``training.segments``). Without ``making`` the learning curve and Venn-Abers are left
    out.
    """
    seconds: dict[str, float] = {}
    horizons = test.outcomes.horizons
    steps = len(horizons) + 1 + (len(LEARNED_SHARES) if making else 0)
    progress("judging", 0, steps)
    with _timed(seconds, "measures and intervals"):
        judged = judge(test, risks, seed)
    details = {}
    for place, horizon in enumerate(horizons):
        progress("judging", 1 + place, steps)
        details[horizon] = _details(test, risks, segments, place, seed, making, seconds)
    learning = None
    if making is not None:
        with _timed(seconds, "learning curve"):
            learning = _learning_curve(making, test, risks[RISK], seed, progress, 1 + len(horizons), steps)
    progress("judging", steps, steps)
    return Evaluation(judged, details, learning, seconds)


def _details(
    test: Entries,
    risks: Mapping[str, Array],
    segments: Sequence[Parting],
    place: int,
    seed: int,
    making: Making | None,
    seconds: dict[str, float],
) -> Details:
    rows, lost = _tested(test, place)
    shown = {name: risk[rows, place] for name, risk in risks.items()}
    risk, group, account = shown[RISK], test.group[rows], test.matrix.rows.account[rows]
    as_of = test.matrix.rows.as_of[rows]
    resamples = resamples_for(len(lost))
    with _timed(seconds, "calibration"):
        brier = {name: brier_parts(one, lost) for name, one in shown.items()}
        bins = calibration_bins(risk, lost, group, resamples, seed)
        error = sum(abs(one.stated - one.observed.value) * one.rows for one in bins) / len(lost)
        null = null_calibration_error(risk, account, as_of, test.outcomes.horizons[place], error, resamples, seed)
    with _timed(seconds, "gain and value at stake"):
        gain = {name: np.interp(GAIN_SHARES, *gain_curve(one, lost)).tolist() for name, one in shown.items()}
        value = _value_caught(shown, test.matrix.standing.value[rows], lost, group, resamples, seed)
    with _timed(seconds, "segments and periods"):
        parted = [*segments, periods(test.matrix.rows.as_of, rows)]
        partings = {one.name: judge_parts(one.at(rows), risk, lost, group, account, seed) for one in parted}
    bands = None
    if making is not None:
        with _timed(seconds, "Venn-Abers"):
            known = making.scored_labels[:, place] >= 0
            bands = venn_abers(making.scored[known, place], making.scored_labels[known, place] == 1, risk)
    return Details(brier, bins, null, gain, value, partings, bands)


def _tested(entries: Entries, place: int) -> tuple[Array, Array]:
    """bool (n,) which rows are usable at a horizon, and bool whether each of those was lost."""
    rows = entries.usable[:, place]
    return rows, entries.outcomes.labels[rows, place] == 1


def _value_caught(
    risks: Mapping[str, Array], value: Array, lost: Array, group: Array, resamples: int, seed: int
) -> Caught | None:
    known = ~np.isnan(value)
    worth = np.where(lost, value, 0.0)[known]
    if not worth.sum() > 0:
        return None
    by_worth, by_risk = (
        compare_caught(
            {name: (risk * times)[known] for name, risk in risks.items()}, worth, group[known], resamples, seed
        )
        for times in (value, np.ones(len(value)))
    )
    return Caught(int(known.sum()), int((~known).sum()), float(worth.sum()), by_worth, by_risk)


def _learning_curve(
    making: Making, test: Entries, whole: Array, seed: int, progress: Progress, done: int, steps: int
) -> list[Learned]:
    """Models from growing shares of the accounts, each beside the one that learned from all."""
    usable = int(making.before.usable.sum())
    curve = []
    for number, share in enumerate(LEARNED_SHARES):
        progress("judging", done + number, steps)
        part = making.before.share(int(share * usable), seed)
        entries = int(part.usable.sum())
        accounts = len(np.unique(part.matrix.rows.account[part.usable.any(axis=1)]))
        lost = part.lost_accounts(part.usable)
        by_horizon, left_out = None, ""
        if entries > MOST_LEARNED:
            left_out = f"left out to save time: more than {MOST_LEARNED:,} entries to learn from"
        elif min(lost) < MINIMUM_LOST:
            left_out = f"too few losses: {min(lost)} accounts at one horizon, where {MINIMUM_LOST} are needed"
        else:
            beside = judge(test, {RISK: whole, "share": making.learn(part)}, seed)
            by_horizon = {horizon: (one.measured["share"], one.leads["share"]) for horizon, one in beside.items()}
        curve.append(Learned(share, accounts, entries, by_horizon, left_out))
    return curve


@contextmanager
def _timed(seconds: dict[str, float], part: str) -> Iterator[None]:
    begun = time.perf_counter()
    yield
    seconds[part] = seconds.get(part, 0.0) + time.perf_counter() - begun


# What is kept of it


def metrics(judged: Mapping[int, Judged]) -> dict[str, float]:
    """Measured values by name, such as ``risk.auc.180`` and ``silence.auc.180``; undefined ones left out."""
    return {
        f"{scorer}.{name}.{horizon}": estimate.value
        for horizon, one in judged.items()
        for scorer, measured in one.measured.items()
        for name, estimate in measured.items()
        if math.isfinite(estimate.value)
    }


def further_metrics(evaluation: Evaluation) -> dict[str, float]:
    """What the closer look adds by name: ``risk.ece_null.180`` (what chance alone makes) and ``risk.ece_excess.180``,
    ``silence.reliability.180`` and ``.resolution``, ``risk.value_caught.180``, and ``judging.seconds``."""
    found = {"judging.seconds": sum(evaluation.seconds.values())}
    for horizon, one in evaluation.details.items():
        found[f"{RISK}.ece_null.{horizon}"] = one.null.mean
        found[f"{RISK}.ece_excess.{horizon}"] = evaluation.judged[horizon].measured[RISK]["ece"].value - one.null.mean
        for scorer, parts in one.brier.items():
            found |= {f"{scorer}.{part}.{horizon}": parts[part] for part in ("reliability", "resolution")}
        if one.value is not None:
            found |= {f"{scorer}.value_caught.{horizon}": e.value for scorer, e in one.value.by_worth[0].items()}
    return found


def document(judged: Mapping[int, Judged]) -> dict[str, Any]:
    """Everything measured, as plain JSON data; what is undefined is null."""
    return {str(horizon): plain(asdict(one)) for horizon, one in judged.items()}


def pictures(evaluation: Evaluation) -> dict[str, Figure]:
    """Reliability and gain at each horizon, stability over time and the learning curve, by file name."""
    figures, details = {}, evaluation.details
    for horizon, one in details.items():
        title = f"Lost within {horizon} days"
        figures[f"plots/reliability_{horizon}.png"] = plots.reliability(one.bins, title)
        gains = {called(scorer): found for scorer, found in one.gain.items()}
        figures[f"plots/gain_{horizon}.png"] = plots.gain(gains, GAIN_SHARES.tolist(), title)
    figures["plots/stability.png"] = plots.stability(
        {
            f"{horizon} days": [(part.label, part.stated, part.observed, part.auc) for part in one.partings["period"]]
            for horizon, one in details.items()
        }
    )
    if evaluation.learning is not None:
        figures["plots/learning.png"] = plots.learning(
            {f"{horizon} days": _auc_by_share(evaluation, horizon) for horizon in details}
        )
    return figures


def called(scorer: str) -> str:
    """What a scorer is called in pictures and in the report."""
    return CALLED.get(scorer, scorer.replace("_", " "))


def _auc_by_share(evaluation: Evaluation, horizon: int) -> list[tuple[float, Estimate]]:
    points = [
        (one.share, one.by_horizon[horizon][0]["auc"])
        for one in evaluation.learning or ()
        if one.by_horizon is not None
    ]
    return [*points, (1.0, evaluation.judged[horizon].measured[RISK]["auc"])]


def plain(value: Any) -> Any:
    """Dataclasses' contents as plain JSON data: numbers that are not finite become null, keys become texts."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
