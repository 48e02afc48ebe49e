"""A frame: the rows to fill, the history as it was known at each, and every window figure computed at most once."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from features import settings, windows
from features.facts import Facts
from features.histories.history import History
from features.histories.log import DAY, Array, rows_where
from features.histories.visibility import as_known
from features.portfolio import Portfolio

Made = TypeVar("Made")

SPANS = np.array(list(settings.WINDOWS.values()), dtype=np.int64)
"""The windows' lengths in seconds, in the order of ``settings.WINDOWS``."""

PLACE = {name: place for place, name in enumerate(settings.WINDOWS)}
"""The place of each window's name in ``SPANS``."""


@dataclass(frozen=True)
class Sums:
    """Per window (axis 0, as in ``SPANS``) and row: ``count`` and ``total`` int64; ``last`` int64 (rows,)."""

    count: Array
    total: Array
    last: Array


@dataclass(frozen=True)
class Medians:
    """Per window (axis 0) and row: ``count`` int64 and ``middle`` float64 (NaN where there is no fact)."""

    count: Array
    middle: Array


FactFunction = Callable[["Frame"], Facts]
"""Reads the facts of one measure off a frame's history."""


class Frame:
    """Rows (segment, as_of) over a history in which each segment holds only what was known.

    The rows of one segment come in order of time; a row with a segment of its own may stand between them.

    Facts and figures are remembered, so that indicators can be small definitions that name what they need.
    """

    def __init__(self, history: History, segment: Array, as_of: Array, portfolio: Portfolio | None = None) -> None:
        self.history = history
        self.segment = segment
        self.as_of = as_of
        self.portfolio = portfolio
        self._made: dict[Hashable, Any] = {}

    def once(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """The value of ``make()``, computed on the first call with this key."""
        if key not in self._made:
            self._made[key] = make()
        made: Made = self._made[key]
        return made

    def derived(self, make: Callable[[History], Made]) -> Made:
        """Something derived from the whole history (conversations, contracts), computed once."""
        return self.once(make, lambda: make(self.history))

    def facts(self, make: FactFunction) -> Facts:
        """The facts that ``make`` reads off the history."""
        return self.once((make, "facts"), lambda: make(self))

    def sums(self, make: FactFunction, spans: Array = SPANS) -> Sums:
        """Count, sum and last of facts in every window, or in windows of other ``spans``."""

        def compute() -> Sums:
            one = self.facts(make)
            if one.known is None or one.until is None or one.simple:
                return Sums(*windows.sums(one.start, one.at, one.value, self.segment, self.as_of, spans))
            held = windows.held_sums
            return Sums(*held(one.start, one.at, one.value, one.known, one.until, self.segment, self.as_of, spans))

        return self.once((make, "sums", spans.tobytes()), compute)

    def medians(self, make: FactFunction, window: str | None = None) -> Medians:
        """Median of facts in every window, or in one."""
        spans = SPANS if window is None else SPANS[PLACE[window]][None]

        def compute() -> Medians:
            one = self.facts(make)
            if one.known is None or one.until is None or one.simple:
                return Medians(*windows.medians(one.start, one.at, one.value, self.segment, self.as_of, spans))
            held = windows.held_medians
            return Medians(*held(one.start, one.at, one.value, one.known, one.until, self.segment, self.as_of, spans))

        return self.once((make, "medians", window), compute)

    def tallies(self, make: FactFunction, classes: int) -> Array:
        """int64 (windows, classes, rows): facts of each class in every window."""

        def compute() -> Array:
            one = self.facts(make)
            return windows.tallies(one.start, one.at, one.value, self.segment, self.as_of, SPANS, classes)

        return self.once((make, "tallies"), compute)

    def observed_seconds(self, spans: Array = SPANS) -> Array:
        """int64 (windows, rows): how long the account was observed inside each window.

        Observation begins with the account's first event, or where the data set says it does if that is later.
        """

        def compute() -> Array:
            begin = first_event(self.history)
            declared = self.history.dataset.observed_from
            if declared is not None:
                begin = np.maximum(begin, declared)
            since = np.maximum(self.as_of - begin[self.segment], 0)
            return np.asarray(np.minimum(since[None, :], spans[:, None]))

        return self.once(("observed_seconds", spans.tobytes()), compute)

    def observed_days(self, spans: Array = SPANS) -> tuple[Array, Array]:
        """As ``observed_seconds``, in days: float64, and whole ones as int64."""

        def compute() -> tuple[Array, Array]:
            days = self.observed_seconds(spans) / DAY
            return days, days.astype(np.int64)

        return self.once(("observed_days", spans.tobytes()), compute)

    def days_since(self, moment: Array) -> Array:
        """float64 (rows,): days from a moment to as_of; NaN where the moment lies before all time (none)."""
        return np.asarray(np.where(moment < -(1 << 49), np.nan, (self.as_of - moment) / DAY))


ACCOUNTS_AT_ONCE = 512
"""Accounts worked on together: enough to make numpy's overhead small, few enough to stay in the caches."""


def in_parts(
    history: History,
    segment: Array,
    as_of: Array,
    portfolio: Portfolio | None,
    work: Callable[[Frame, slice], Made],
) -> list[Made]:
    """Do some work on frames over what was known at each row, part by part of the accounts, on all cores.

    ``segment`` int (rows,) and ``as_of`` int64 (rows,), sorted by both; ``work`` is told which rows its frame has.
    Memory stays flat as accounts grow, and what is computed does not depend on how they are cut.
    """

    def one(first: int) -> Made:
        last = min(first + ACCOUNTS_AT_ONCE, history.segments)
        begin, end = (int(place) for place in np.searchsorted(segment, (first, last)))
        known, own_segment = as_known(history.part(first, last), segment[begin:end] - first, as_of[begin:end])
        return work(Frame(known, own_segment, as_of[begin:end], portfolio), slice(begin, end))

    # The first part alone makes the columns that all share; the others then go on all cores (the loops free the lock).
    firsts = range(0, max(history.segments, 1), ACCOUNTS_AT_ONCE)
    done = [one(0)]
    if len(firsts) > 1:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            done += pool.map(one, firsts[1:])
    return done


def first_event(history: History) -> Array:
    """int64 (segments,): when the first interaction or deal of each segment happened (far future if none)."""
    first = np.full(history.segments, 1 << 49, dtype=np.int64)
    for log, happened in ((history.interactions, "at"), (history.deals, "opened_at")):
        some = rows_where(np.diff(log.start) > 0)
        first[some] = np.minimum(first[some], log[happened][log.start[some]])
    return first
