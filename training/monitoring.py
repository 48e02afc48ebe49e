"""Watching a champion: whether the clients it scores are still like those it learned from, and whether its risks held.

A *scored period* is a month start. Nothing needs to have been stored then: what is scored as of a past moment uses
only what was known by it, so that the same code works out today what was, or would have been, scored. Only months
after everything that the champion learned from are watched.

- *Indicators and score*: the accounts scored at a month start against those of the latest whole number of 52 weeks
  before it that the champion had seen: the same season and the same day of the week (``training.drift``).
- *Volume and freshness*: records of each month and stream against the twelve months before the champion stopped
  learning, and how long each stream has been silent (``training.streams``).
- *Calibration*: losses that happened against those expected, of the latest months whose outcomes are known, and before
  they are, what the risks promise of themselves (``training.realised``).

The alarms are those of the last month, so that a scheduler asks once a month whether something is wrong *now*; earlier
months tell since when. ``LEVELS`` shares out the chance of a false alarm: all together at most one month in twenty.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from features.frame import first_event
from features.histories.history import History
from features.histories.log import DAY, Array
from features.matrix import Matrix, build_matrix, indicators_of, rows_at, snapshots
from features.sources.files import iso
from models.archive import Models
from models.prediction import predict
from training.drift import DAYS_NEEDED, Drift, Sample, compare, days_needed
from training.entries import Progress
from training.learned import outcomes_of, stopped_learning
from training.realised import Foreseen, Realised, foreseen, realised
from training.streams import (
    MONTHS_WITHOUT,
    WORKING_DAYS,
    Freshness,
    Months,
    Stream,
    Volume,
    compare_volumes,
    count_months,
    freshness,
    streams,
)

LEVELS: Mapping[str, float] = {"indicators": 0.01, "score": 0.005, "volume": 0.01, "calibration": 0.01}
"""Chance of a false alarm of each sort in a month. Freshness goes by a rule whose chance was measured instead."""

MONTHS = 12
"""Months that are watched unless asked otherwise, that volumes are held against, and whose outcomes are counted."""

SCORE = "score"
"""The name of the risk at the usual horizon among what may drift."""

_FIFTY_TWO_WEEKS = 364 * DAY
_NAMED = 3
"""What an alarm names one by one; the document holds all."""


class NothingToWatch(ValueError):
    """There is no month start after what the champion learned from; the message says from when on there is."""


@dataclass(frozen=True)
class Alarm:
    """Something that a person should look at: of which sort (``LEVELS``, or `freshness`), and what, in a sentence."""

    sort: str
    told: str


@dataclass(frozen=True)
class Month:
    """One scored period.

    ``then`` is the moment compared with, None where no account was scored then. ``indicators`` are compared columns,
    ``score`` the risk at the usual horizon; none without ``then``. ``foreseen`` by horizon. ``without_records`` and
    ``late`` are shares (``training.streams.Months``), each beside its mean over the months learned from; NaN unknown.
    """

    start: int
    then: int | None
    accounts: int
    indicators: tuple[Drift, ...]
    score: Drift | None
    volumes: tuple[Volume, ...]
    without_records: float
    without_records_usual: float
    late: float
    late_usual: float
    foreseen: Mapping[int, Foreseen]
    alarms: tuple[Alarm, ...]

    @property
    def compared(self) -> int:
        """How many indicators there were accounts enough to compare of."""
        return sum(one.compared for one in self.indicators)

    @property
    def drifted(self) -> tuple[Drift, ...]:
        """The indicators that drifted, those that moved most first."""
        return tuple(sorted((one for one in self.indicators if one.drifted), key=lambda one: -one.size))


@dataclass(frozen=True)
class Monitoring:
    """What watching found as of one moment; ``months`` the oldest first, times in UTC seconds."""

    as_of: int
    learned_until: int
    usual_horizon: int
    simulated: bool
    data_sha256: str
    months: tuple[Month, ...]
    freshness: tuple[Freshness, ...]
    realised: tuple[Realised, ...]

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """Those of the last month, of streams that stopped, and of risks that did not hold."""
        return self.months[-1].alarms + _freshness_alarms(self.freshness) + _calibration_alarms(self.realised)


def _silent(step: str, done: int, total: int) -> None:
    """No progress shown."""


def monitor(
    history: History, models: Models, as_of: int, months: int = MONTHS, progress: Progress = _silent
) -> Monitoring:
    """Watch the last ``months`` month starts up to ``as_of``, as far as they come after what the models learned from.

    ``history`` is the whole one, a segment for each account. Outcomes count once their horizon has passed by
    ``as_of``, as the records tell them today. Raises NothingToWatch where no month start lies between.
    """
    learned_until = stopped_learning(models)
    later = snapshots(learned_until + 1, as_of)
    if not len(later):
        first = snapshots(learned_until + 1, learned_until + 32 * DAY)[0]
        raise NothingToWatch(
            f"the champion learned from what was known until {_date(learned_until)}; there is nothing to watch by "
            f"{_date(as_of)}. The first month start after it is {_date(int(first))}"
        )
    watched = later[-months:]
    weeks = -(-(watched - learned_until) // _FIFTY_TWO_WEEKS)
    thens = watched - weeks * _FIFTY_TWO_WEEKS
    usual = snapshots(learned_until - 400 * DAY, learned_until)[-MONTHS:]
    settled = later[later > as_of - (max(models.risk.horizons) + 366) * DAY]

    progress("computing indicators", 0, 1)
    moments = np.unique(np.concatenate((watched, thens, usual, settled)))
    scored = _Scored.at_moments(history, models, moments)
    progress("computing indicators", 1, 1)
    progress("watching", 0, 1)
    found = streams(history)
    counted = _counted(found, scored, int(min(usual[0], watched[0])), int(watched[-1]))
    seen = tuple(
        _month(scored, models, counted, usual, int(start), int(then))
        for start, then in zip(watched, thens, strict=True)
    )
    fates = _fates(scored, history, models, settled, as_of)
    progress("watching", 1, 1)
    return Monitoring(
        as_of,
        learned_until,
        models.risk.usual_horizon,
        history.dataset.simulated,
        history.dataset.sha256,
        seen,
        tuple(freshness(found, learned_until, as_of)),
        tuple(fates),
    )


@dataclass(frozen=True)
class _Scored:
    """The rows that are scored, with their risks (n, H), and what comparing them takes."""

    matrix: Matrix
    risk: Array
    observed: Array
    compared: Array
    needed: Array
    usual: int

    @classmethod
    def at_moments(cls, history: History, models: Models, moments: Array) -> _Scored:
        matrix = build_matrix(history, rows_at(history, moments), reference=models.reference)
        predictions = predict(models, matrix, explain=False, interval=False)
        places = np.flatnonzero([one.risk is not None for one in predictions])
        risk = np.array([list((predictions[place].risk or {}).values()) for place in places])
        taken = matrix.take(places)
        begin = first_event(history)[taken.rows.account]
        declared = history.dataset.observed_from
        if declared is not None:
            begin = np.maximum(begin, declared)
        needed = [days_needed(one) for one in indicators_of(models.reference)]
        compared = np.flatnonzero([days is not None for days in needed])
        return cls(
            taken,
            risk.reshape(len(places), len(models.risk.horizons)),
            (taken.rows.as_of - begin) / DAY,
            compared,
            np.array([needed[place] for place in compared], dtype=np.float64),
            models.risk.horizon_index(models.risk.usual_horizon),
        )

    def at(self, moment: int) -> Array:
        return np.flatnonzero(self.matrix.rows.as_of == moment)

    def indicators(self, rows: Array) -> Sample:
        return Sample(self.matrix.rows.account[rows], self.matrix.values[rows][:, self.compared], self.observed[rows])

    def scores(self, rows: Array) -> Sample:
        return Sample(self.matrix.rows.account[rows], self.risk[rows, self.usual][:, None], self.observed[rows])


def _month(scored: _Scored, models: Models, counted: Months, usual: Array, start: int, then: int) -> Month:
    now, before = scored.at(start), scored.at(then)
    indicators: list[Drift] = []
    score: Drift | None = None
    if len(now) and len(before):
        every = scored.matrix.columns
        columns = [every[place] for place in scored.compared]
        new, old = scored.indicators(now), scored.indicators(before)
        indicators = compare(columns, scored.needed, new, old, LEVELS["indicators"])
        year = np.array([DAYS_NEEDED["now"]])
        score = compare([SCORE], year, scored.scores(now), scored.scores(before), LEVELS["score"])[0]
    here = int(np.searchsorted(counted.ends, start))
    there = np.searchsorted(counted.ends, usual)
    month = Month(
        start,
        then if len(before) else None,
        len(now),
        tuple(indicators),
        score,
        tuple(compare_volumes(counted, there, here, LEVELS["volume"])),
        float(counted.without[here]),
        _mean(counted.without[there]),
        float(counted.late[here]),
        _mean(counted.late[there]),
        {horizon: foreseen(scored.risk[now, place]) for place, horizon in enumerate(models.risk.horizons)},
        (),
    )
    return replace(month, alarms=_month_alarms(month))


def _counted(found: Mapping[str, Stream], scored: _Scored, first: int, last: int) -> Months:
    """The records of each month from the one that ends at ``first`` to the one that ends at ``last``."""
    ends = snapshots(first - 31 * (MONTHS_WITHOUT + 1) * DAY, last)
    rows = scored.matrix.rows
    at_end = np.zeros((len(scored.matrix.accounts), len(ends) - 1), dtype=bool)
    month = np.searchsorted(ends, rows.as_of) - 1
    inside = (month >= 0) & (month < len(ends) - 1)
    inside[inside] = ends[month[inside] + 1] == rows.as_of[inside]
    at_end[rows.account[inside], month[inside]] = True
    return count_months(found, ends, at_end)


def _fates(scored: _Scored, history: History, models: Models, settled: Array, as_of: int) -> list[Realised]:
    """Stated risks beside what happened, of the last ``MONTHS`` month starts settled by ``as_of`` at each horizon."""
    places = np.flatnonzero(np.isin(scored.matrix.rows.as_of, settled))
    part = scored.matrix.take(places)
    outcomes = outcomes_of(models, history, part.rows, part.standing)
    usable = outcomes.known_by <= as_of
    for place, horizon in enumerate(outcomes.horizons):
        known = settled[settled <= as_of - horizon * DAY]
        usable[:, place] &= np.isin(part.rows.as_of, known[-MONTHS:])
    return realised(scored.risk[places], part.rows, outcomes, usable, LEVELS["calibration"])


# The alarms in words


def _month_alarms(month: Month) -> tuple[Alarm, ...]:
    alarms = []
    if month.drifted:
        most = _named([_moved(one) for one in month.drifted])
        alarms.append(Alarm("indicators", f"{len(month.drifted)} of {month.compared} indicators drifted, most: {most}"))
    if month.score is not None and month.score.drifted:
        alarms.append(Alarm("score", f"the scores drifted: {_moved(month.score)}"))
    fallen = [one for one in month.volumes if one.fallen]
    if fallen:
        told = _named([f"{one.stream} {one.usual:.2g} → {one.now:.2g}" for one in fallen])
        alarms.append(Alarm("volume", f"fewer records for each account in {WORKING_DAYS} working days: {told}"))
    return tuple(alarms)


def _moved(drift: Drift) -> str:
    """What moved, from when to now: the middle figure, or the share known where that moved more."""
    known = abs(drift.known_now - drift.known_then)
    if math.isnan(drift.distance) or known > drift.distance:
        return f"{drift.column} known of {drift.known_then:.0%} → {drift.known_now:.0%} of the accounts"
    return f"{drift.column} {drift.middle_then:.3g} → {drift.middle_now:.3g} (distance {drift.distance:.2f})"


def _freshness_alarms(streams_: Sequence[Freshness]) -> tuple[Alarm, ...]:
    stopped = [one for one in streams_ if one.stopped]
    if not stopped:
        return ()
    told = [
        f"{one.stream} silent for {one.silent_days:.0f} days (before never longer than {one.longest_silence:.1f})"
        for one in stopped
    ]
    return (Alarm("freshness", _named(told)),)


def _calibration_alarms(found: Sequence[Realised]) -> tuple[Alarm, ...]:
    off = [one for one in found if one.ratio is not None and one.ratio.off]
    if not off:
        return ()
    told = "; ".join(
        f"within {one.horizon} days {one.observed:,} rows were lost where {one.expected:,.1f} were expected "
        f"({one.ratio.value:.2f} times, {one.ratio.low:.2f} to {one.ratio.high:.2f})"
        for one in off
        if one.ratio is not None
    )
    return (Alarm("calibration", told),)


def _named(told: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    more = len(told) - _NAMED
    return "; ".join(told[:_NAMED]) + (f"; and {more} more" if more > 0 else "")


def _mean(figures: Array) -> float:
    known = figures[np.isfinite(figures)]
    return float(known.mean()) if len(known) else math.nan


def _date(seconds: int) -> str:
    return str(iso(seconds))[:10]
