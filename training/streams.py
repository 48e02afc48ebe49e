"""Streams of records: how many came in each month, and whether one of them has stopped.

A stream is what one source feeds: the interactions of one kind, of one channel or of one side, the deals, the stage
reviews. Records are counted as they were known at the end of each month, so that months of the past, which have had
time to be completed, do not look busier than the last one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import false_discovery_control, t

from features.histories.history import TIME_OF, History
from features.histories.log import DAY, Array, Log, rows_where
from features.histories.tables import ACTORS, CHANNELS, KINDS

EVERYTHING = "interactions"
"""The name of the stream of all interactions."""

LEAST_RECORDS = 20
"""Records of a stream in a usual month below which its volume is not compared: so few fall by a third by chance."""

LEAST_MONTHS = 6
"""Months to compare with below which a volume has no usual spread."""

TWO_THIRDS = 2 / 3
"""A volume of more than this part of the usual one has not fallen, however steady it was."""

WORKING_DAYS = 21
"""Volumes are told for so many working days (Monday to Friday), about a month: months differ in how many they have."""

LEAST_RECORDS_A_YEAR = 50
"""Records of a stream in the year learned from below which its silence tells nothing."""

LEAST_SILENCE = 7.0
TIMES_THE_LONGEST = 3.0
"""A stream has stopped once silent for a week, and three times as long as ever in the year learned from."""

MONTHS_WITHOUT = 3
"""An account is without records after so many months that brought none."""


@dataclass(frozen=True)
class Stream:
    """The records of one source: int (rows,) account codes, and int64 UTC seconds of when each happened, came to be
    known, and was replaced by a later version."""

    account: Array
    at: Array
    known: Array
    replaced: Array


@dataclass(frozen=True)
class Volume:
    """A stream in one month: records for each scored account in ``WORKING_DAYS``, usually (mean of the months compared
    with) and now. ``probability`` is the corrected chance of so few if nothing changed; NaN where it cannot be told.
    More records than usual are no alarm here: where they change what clients look like, the indicators drift."""

    stream: str
    usual: float
    now: float
    probability: float
    fallen: bool


@dataclass(frozen=True)
class Freshness:
    """How long no record of a stream has come in, and how long none ever did in the year learned from, in days.

    A record counts when it came to be known, whatever time it tells of: a meeting that was planned long ago is no sign
    that its source still lives. ``silent_days`` is NaN where nothing ever came. ``stopped`` is never said of streams
    with few records.
    """

    stream: str
    records_a_year: int
    silent_days: float
    longest_silence: float
    stopped: bool


@dataclass(frozen=True)
class Months:
    """What came in so many consecutive months, of which ``ends`` int64 (months,) are the ends (the next month starts).

    ``rates``: records of each stream for each scored account in ``WORKING_DAYS``, float64 (months,). ``without``: share
    of the scored accounts that had no interaction in the last ``MONTHS_WITHOUT`` months; ``late``: share of the
    interactions that were recorded more than a day after they happened. NaN where there is nothing to divide by.
    """

    ends: Array
    rates: Mapping[str, Array]
    accounts: Array
    without: Array
    late: Array


def streams(history: History) -> dict[str, Stream]:
    """Every stream that has any record, by name: `channel email`, `kind meeting`, `by client`, `deals`, …; and
    ``EVERYTHING`` in any case."""
    log = history.interactions
    found = {EVERYTHING: _stream(log, "interactions", np.arange(len(log)))}
    for column, names, label in (("channel", CHANNELS, "channel"), ("kind", KINDS, "kind"), ("actor", ACTORS, "by")):
        for code, name in enumerate(names):
            found[f"{label} {name}"] = _stream(log, "interactions", rows_where(log[column] == code))
    for name, other in (("deals", history.deals), ("stage_reviews", history.reviews)):
        found[name] = _stream(other, name, np.arange(len(other)))
    return {name: stream for name, stream in found.items() if name == EVERYTHING or len(stream.at)}


def _stream(log: Log, table: str, rows: Array) -> Stream:
    return Stream(log.segment[rows], log[TIME_OF[table]][rows], log["known"][rows], log["replaced"][rows])


def count_months(found: Mapping[str, Stream], ends: Array, scored: Array) -> Months:
    """Count the records of each month; ``ends`` int64 (months + 1,) month starts, of which the first only begins the
    first month; ``scored`` bool (accounts, months): whose records count, as of each month's end."""
    accounts = scored.sum(axis=0)
    dates = ends.astype("datetime64[s]").astype("datetime64[D]")
    periods = accounts * np.busday_count(dates[:-1], dates[1:]) / WORKING_DAYS
    rates = {name: _ratio(_counted(stream, ends, scored).sum(axis=0), periods) for name, stream in found.items()}
    everything = found[EVERYTHING]
    by_account = _counted(everything, ends, np.ones_like(scored))
    recent = np.sum([_shifted(by_account, back) for back in range(MONTHS_WITHOUT)], axis=0)
    late = _counted(_only(everything, everything.known > everything.at + DAY), ends, scored).sum(axis=0)
    return Months(
        ends[1:],
        rates,
        accounts,
        _ratio(((recent == 0) & scored).sum(axis=0), accounts),
        _ratio(late, _counted(everything, ends, scored).sum(axis=0)),
    )


def compare_volumes(months: Months, usual: Array, now: int, level: float) -> list[Volume]:
    """Compare the month at place ``now`` with those at places ``usual``, stream by stream.

    Without a change, the chance that any stream is said to have fallen is at most ``level``: the month is held against
    the spread of the usual months (Student's t for one more observation), or that of chance counts where that is
    greater, and the probabilities of all streams are corrected together.
    """
    before = {name: rates[usual][np.isfinite(rates[usual])] for name, rates in months.rates.items()}
    accounts = int(months.accounts[now])
    chances = np.array([_chance_of(float(rates[now]), before[name], accounts) for name, rates in months.rates.items()])
    told = np.isfinite(chances)
    if told.any():
        chances[told] = false_discovery_control(chances[told])
    volumes = []
    for (name, rates), chance in zip(months.rates.items(), chances.tolist(), strict=True):
        mean, rate = float(before[name].mean()) if len(before[name]) else math.nan, float(rates[now])
        volumes.append(Volume(name, mean, rate, chance, chance <= level and rate <= TWO_THIRDS * mean))
    return volumes


def _chance_of(rate: float, before: Array, accounts: int) -> float:
    """Chance of so low a rate; NaN where there are too few months or records to tell."""
    if len(before) < LEAST_MONTHS or before.mean() * accounts < LEAST_RECORDS:
        return math.nan
    spread = max(before.var(ddof=1), before.mean() / accounts) * (1 + 1 / len(before))
    return float(t.cdf((rate - before.mean()) / math.sqrt(spread), len(before) - 1))


def freshness(found: Mapping[str, Stream], learned_until: int, as_of: int) -> list[Freshness]:
    """How fresh each stream is at ``as_of``, held against the year that ended at ``learned_until``."""
    return [_freshness(name, stream, learned_until, as_of) for name, stream in found.items()]


def _freshness(name: str, stream: Stream, learned_until: int, as_of: int) -> Freshness:
    begin = learned_until - 365 * DAY
    usual = np.sort(stream.known[(stream.known > begin) & (stream.known <= learned_until)])
    longest = float(np.diff(np.concatenate(([begin], usual, [learned_until]))).max()) / DAY
    come = stream.known[stream.known <= as_of]
    silent = (as_of - int(come.max())) / DAY if len(come) else math.nan
    enough = len(usual) >= LEAST_RECORDS_A_YEAR
    stopped = enough and silent >= max(LEAST_SILENCE, TIMES_THE_LONGEST * longest)
    return Freshness(name, len(usual), silent, longest, stopped)


def _only(stream: Stream, keep: Array) -> Stream:
    return Stream(stream.account[keep], stream.at[keep], stream.known[keep], stream.replaced[keep])


def _counted(stream: Stream, ends: Array, scored: Array) -> Array:
    """int64 (accounts, months): records of each account in each month, as known at its end."""
    month = np.searchsorted(ends, stream.at, side="left") - 1
    inside = (month >= 0) & (month < len(ends) - 1)
    end = ends[np.minimum(month + 1, len(ends) - 1)]
    rows = rows_where(inside & (stream.known <= end) & (end < stream.replaced))
    rows = rows[scored[stream.account[rows], month[rows]]]
    counts = np.zeros(scored.shape, dtype=np.int64)
    np.add.at(counts, (stream.account[rows], month[rows]), 1)
    return counts


def _shifted(counts: Array, back: int) -> Array:
    """The counts of so many months before; none before the first."""
    shifted = np.zeros_like(counts)
    shifted[:, back:] = counts[:, : counts.shape[1] - back]
    return shifted


def _ratio(part: Array, whole: Array) -> Array:
    ratio: Array = np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
    return ratio
