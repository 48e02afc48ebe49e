"""How the indicators of a signal are made of facts: shares, medians, rates, tallies, and what follows from each.

Every windowed figure exists over 90 days, 365 days and the whole history, with its trend (90 against 365 days:
difference for shares and means, log ratio for rates and delays) and the days since its last observation. A figure with
less than its minimum evidence is unknown (NaN), never zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np

from features import settings
from features.facts import Facts
from features.frame import PLACE, SPANS, FactFunction, Frame, Sums
from features.histories.log import Array
from features.indicators import Better, Comparison, Figure, Indicator, Mark, Signal
from features.kernel import compiled

_LONGER = np.array([settings.LONGER_WINDOW[1]], dtype=np.int64)

WindowedCompute = Callable[[Frame], Figure]
"""Computes a figure over every window of ``settings.WINDOWS``: value and evidence are (windows, rows)."""


@dataclass(frozen=True)
class Text:
    """What stands beside a figure: its name, its meaning to a director, its formula and its unit."""

    name: str
    meaning: str
    formula: str
    unit: str


def known(value: Array, evidence: Array, minimum: int) -> Figure:
    """A figure that is unknown where its evidence is below the minimum."""
    return Figure(np.where(evidence >= minimum, value, np.nan), evidence)


def ratio(part: Array, whole: Array) -> Array:
    """part / whole, NaN where the whole is zero."""
    return np.asarray(part / np.where(whole != 0, whole, np.nan))


def single(
    signal: Signal,
    text: Text,
    compute: Callable[[Frame], Figure],
    *,
    window: str = "now",
    better: Better | None = None,
    mark: Mark | Comparison | None = None,
    minimum: int = 1,
    evidence_unit: str = "observations",
    low: float = 0.0,
    high: float = float("inf"),
    context: bool = False,
    portfolio: bool = False,
) -> Indicator:
    """One indicator as of t; a mark that is only a comparison has its value in ``settings.MARKS``."""
    if isinstance(mark, str):
        chosen = settings.MARKS[f"{signal.id}.{text.name}"]
        mark = Mark(mark, *chosen) if isinstance(chosen, tuple) else Mark(mark, chosen)
    return Indicator(
        column=f"{signal.id}.{text.name}.{window}",
        signal=signal,
        name=text.name,
        window=window,
        meaning=text.meaning,
        formula=text.formula,
        unit=text.unit,
        better=better,
        mark=mark,
        minimum=minimum,
        evidence_unit=evidence_unit,
        low=low,
        high=high,
        compute=compute,
        context=context,
        portfolio=portfolio,
    )


def windowed(
    signal: Signal,
    text: Text,
    compute: WindowedCompute,
    *,
    better: Better | None = None,
    mark: Mark | Comparison | None = None,
    minimum: int = settings.MINIMUM_OBSERVATIONS,
    evidence_unit: str = "observations",
    low: float = 0.0,
    high: float = float("inf"),
    trend: Literal["difference", "log ratio"] | None = "difference",
) -> Iterator[Indicator]:
    """The indicator over every window, and its trend."""
    for window, place in PLACE.items():

        def over_window(frame: Frame, place: int = place) -> Figure:
            figure = frame.once(compute, lambda: compute(frame))
            return Figure(figure.value[place], figure.evidence[place])

        yield single(
            signal,
            text,
            over_window,
            window=window,
            better=better,
            mark=mark,
            minimum=minimum,
            evidence_unit=evidence_unit,
            low=low,
            high=high,
        )
    if trend is None:
        return
    recent, usual = PLACE["90d"], PLACE["365d"]

    def change(frame: Frame) -> Figure:
        figure = frame.once(compute, lambda: compute(frame))
        new, old, evidence = figure.value[recent], figure.value[usual], figure.evidence[recent]
        if trend == "difference":
            return Figure(new - old, evidence)
        both = (new > 0) & (old > 0)
        logs = np.log(np.where(both, new, 1.0)) - np.log(np.where(both, old, 1.0))
        return Figure(np.where(both, logs, np.nan), evidence)

    span = high - low if trend == "difference" else float("inf")
    yield replace(
        single(signal, text, change, window="trend", minimum=minimum, evidence_unit=evidence_unit),
        meaning=f"Recent change: {text.meaning[0].lower()}{text.meaning[1:]}, last 90 days against the last 365",
        formula=f"{text.name} over 90 days {'minus' if trend == 'difference' else 'over'} over 365 days"
        + (", as a natural logarithm" if trend == "log ratio" else ""),
        unit=text.unit if trend == "difference" else "log ratio",
        better=better if better in ("up", "down") else None,
        low=-span,
        high=span,
    )


def share(
    signal: Signal,
    text: Text,
    make: FactFunction,
    *,
    better: Better | None = None,
    mark: Mark | Comparison | None = None,
    matches: Callable[[Array], Array] | None = None,
) -> Iterator[Indicator]:
    """Share of facts that hold: facts of value 1 or 0, or those whose value ``matches``."""
    counted = make if matches is None else _matching(make, matches)

    def compute(frame: Frame) -> Figure:
        return _mean_of(frame.sums(counted), 1.0)

    return windowed(signal, text, compute, better=better, mark=mark, high=1.0)


def _matching(make: FactFunction, matches: Callable[[Array], Array]) -> FactFunction:
    def matched(frame: Frame) -> Facts:
        facts = frame.facts(make)
        return replace(facts, value=matches(facts.value).astype(np.int64))

    return matched


def mean(
    signal: Signal,
    text: Text,
    make: FactFunction,
    *,
    scale: float,
    better: Better | None = None,
    mark: Mark | Comparison | None = None,
    low: float = 0.0,
    high: float = float("inf"),
) -> Iterator[Indicator]:
    """Mean of facts, in units of 1 / scale; ``low`` and ``high`` are what it can be."""

    def compute(frame: Frame) -> Figure:
        return _mean_of(frame.sums(make), scale)

    return windowed(signal, text, compute, better=better, mark=mark, low=low, high=high)


def _mean_of(sums: Sums, scale: float) -> Figure:
    return Figure(_means(sums.total, sums.count, float(scale), settings.MINIMUM_OBSERVATIONS), sums.count)


@compiled
def _means(total: Array, count: Array, scale: float, least: int) -> Array:
    """total / (count × scale), NaN where there are fewer than the least; all (spans, rows), in one pass."""
    spans, rows = count.shape
    mean = np.full((spans, rows), np.nan)
    for w in range(spans):
        for r in range(rows):
            if count[w, r] >= least:
                mean[w, r] = total[w, r] / (count[w, r] * scale)
    return mean


def median(
    signal: Signal,
    text: Text,
    make: FactFunction,
    *,
    scale: float,
    better: Better | None = None,
    mark: Mark | Comparison | None = None,
) -> Iterator[Indicator]:
    """Median of facts, in units of 1 / scale."""

    def compute(frame: Frame) -> Figure:
        medians = frame.medians(make)
        return known(medians.middle / scale, medians.count, settings.MINIMUM_OBSERVATIONS)

    return windowed(signal, text, compute, better=better, mark=mark, trend="log ratio")


def rate(
    signal: Signal,
    text: Text,
    make: FactFunction,
    *,
    better: Better | None = None,
    mark: Mark | Comparison | None = None,
) -> Iterator[Indicator]:
    """Facts per year of observation: count × 365 / days observed in the window, once enough days were."""

    def compute(frame: Frame) -> Figure:
        days, whole_days = frame.observed_days()
        per_year = ratio(frame.sums(make).count * 365.0, days)
        return known(per_year, whole_days, settings.MINIMUM_OBSERVED_DAYS)

    return windowed(
        signal,
        text,
        compute,
        better=better,
        mark=mark,
        minimum=settings.MINIMUM_OBSERVED_DAYS,
        evidence_unit="observed days",
        trend="log ratio",
    )


def records(frame: Frame, kinds: tuple[str, ...]) -> bool:
    """Whether the data set declares to record all of these kinds of interaction."""
    declared = frame.history.dataset.records
    return declared is not None and set(kinds) <= declared


def none_means_zero(frame: Frame, kinds: tuple[str, ...]) -> Array:
    """bool (rows,): whether none seen of these kinds means that there was none: recorded, and for a year or more."""
    long_enough = frame.observed_seconds()[PLACE["all"]] >= settings.ZERO_IS_A_FACT_AFTER
    return np.asarray(long_enough & records(frame, kinds))


def event_rate(
    signal: Signal,
    text: Text,
    make: FactFunction,
    *,
    kinds: tuple[str, ...],
    better: Better | None = None,
    mark: Mark | Comparison | None = None,
    untold: FactFunction | None = None,
    answered_by: FactFunction | None = None,
    longer: bool = False,
) -> Iterator[Indicator]:
    """Events per year, of kinds that a data set may or may not record.

    None seen is zero only where the data set declares to record all of ``kinds`` and the account has been observed for
    a year; otherwise it is unknown. What was seen counts once ``MINIMUM_OBSERVED_DAYS`` are observed. ``untold`` are
    events of which it is not known whether they count: none seen is no zero beside one of them. Events that are our own
    doing count at most ``OUR_CONDUCT_PER_CLIENT_TOUCH`` for each fact of ``answered_by`` in the window. ``longer``:
    also over ``settings.LONGER_WINDOW``, for what is rare.
    """

    def over(spans: Array, frame: Frame) -> Figure:
        days, whole_days = frame.observed_days(spans)
        count = frame.sums(make, spans).count
        if answered_by is not None:
            count = np.minimum(count, settings.OUR_CONDUCT_PER_CLIENT_TOUCH * frame.sums(answered_by, spans).count)
        doubtful = count if untold is None else frame.sums(untold, spans).count
        zero_is_a_fact = none_means_zero(frame, kinds)
        return Figure(_per_year(count, days, settings.MINIMUM_OBSERVED_DAYS, zero_is_a_fact, doubtful), whole_days)

    def over_longer(frame: Frame) -> Figure:
        figure = over(_LONGER, frame)
        return Figure(figure.value[0], figure.evidence[0])

    minimum, unit = settings.MINIMUM_OBSERVED_DAYS, "observed days"
    yield from windowed(
        signal, text, partial(over, SPANS), better=better, mark=mark, minimum=minimum, evidence_unit=unit
    )
    if longer:
        yield single(
            signal,
            text,
            over_longer,
            window=settings.LONGER_WINDOW[0],
            better=better,
            mark=mark,
            minimum=minimum,
            evidence_unit=unit,
        )


@compiled
def _per_year(count: Array, days: Array, least: int, zero_is_a_fact: Array, doubtful: Array) -> Array:
    """Count × 365 / days (spans, rows), NaN in fewer days than the least; none seen is zero only where it is a fact."""
    spans, rows = count.shape
    rate = np.full((spans, rows), np.nan)
    for w in range(spans):
        for r in range(rows):
            if days[w, r] >= least and (count[w, r] > 0 or (zero_is_a_fact[r] and doubtful[w, r] == 0)):
                rate[w, r] = count[w, r] * 365.0 / days[w, r]
    return rate


def since(signal: Signal, name: str, what: str, make: FactFunction, better: Better | None = None) -> Indicator:
    """Days since the last fact."""

    def compute(frame: Frame) -> Figure:
        sums = frame.sums(make)
        return Figure(frame.days_since(sums.last), sums.count[PLACE["all"]])

    text = Text(name, f"Days since {what}", "t minus the time of the last one", "days")
    return single(signal, text, compute, window="since", better=better)
