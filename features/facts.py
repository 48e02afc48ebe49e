"""What a fact is: one dated observation of a segment.

A fact has a value (an integer, so that sums do not depend on order), a moment ``at`` when it became true in the world,
and where that differs the moments between which it holds: ``known`` (from when) and ``until`` (before when). Most facts
are known when they become true and hold for ever; then both are absent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from features.histories.log import NEVER, Array, Log
from features.kernel import compiled


@dataclass(frozen=True)
class Facts:
    """Facts ordered by (segment, at): ``start`` int64 (segments + 1), ``at`` int64, ``value`` int64.

    ``known`` and ``until`` int64 or both None; a fact counts at t if at <= t, and known <= t < until where given.
    """

    start: Array
    at: Array
    value: Array
    known: Array | None = None
    until: Array | None = None

    @property
    def simple(self) -> bool:
        """Whether every fact is known when it becomes true and holds for ever."""
        known, until = self.known, self.until
        return known is None or until is None or bool(((known <= self.at) & (until == NEVER)).all())

    @property
    def segment(self) -> Array:
        """int64: the segment of each fact."""
        return np.repeat(np.arange(len(self.start) - 1), self.start[1:] - self.start[:-1])

    @property
    def keys(self) -> Array:
        """int64, increasing: the ``moment_key`` of each fact."""
        return moment_key(self.segment, self.at)


def moment_key(segment: Array, at: Array | int) -> Array:
    """int64: segment and time as one number that sorts by both; no two times of one segment lie 2**42 seconds apart."""
    return segment.astype(np.int64) * (1 << 42) + at


def facts(
    segments: int,
    segment: Array,
    at: Array,
    value: Array | int = 1,
    known: Array | None = None,
    until: Array | None = None,
) -> Facts:
    """Facts from arrays in any order, put in order of (segment, at).

    >>> made = facts(2, np.array([1, 0, 1]), np.array([30, 10, 20]), np.array([7, 8, 9]))
    >>> made.start.tolist(), made.at.tolist(), made.value.tolist()
    ([0, 1, 3], [10, 20, 30], [8, 9, 7])
    """
    values = np.full(len(at), value, dtype=np.int64) if isinstance(value, int) else value.astype(np.int64)
    start, ordered = _grouped(segments, segment, at)
    if not ordered:
        order = np.argsort(moment_key(segment, at), kind="stable")
        at, values = at[order], values[order]
        known = None if known is None else known[order]
        until = None if until is None else until[order]
    return Facts(start, at, values, known, until)


@compiled
def _grouped(segments: int, segment: Array, at: Array) -> Any:
    """Where the facts of each segment begin, int64 (segments + 1), and whether all lie in order of (segment, at)."""
    start = np.zeros(segments + 1, np.int64)
    ordered = True
    for f in range(len(segment)):
        start[segment[f] + 1] += 1
        if f > 0 and (segment[f] < segment[f - 1] or (segment[f] == segment[f - 1] and at[f] < at[f - 1])):
            ordered = False
    return np.cumsum(start), ordered


def settled(log: Log, rows: Array) -> Array:
    """int64: when the outcome of each of the rows came about; where that is not told, when it was known."""
    resolved = log["resolved_at"][rows]
    return np.where(resolved == NEVER, log["outcome_known"][rows], resolved)
