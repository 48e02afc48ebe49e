"""The kernel: figures over windows ``(t - w, t]`` of facts, for many rows (segment, t) in one pass.

Every loop takes the facts (``start``, ``at``, ``value``), the rows (``segment``, ``as_of``) and the spans ``w`` in
seconds. As long as rows stay in one segment and go on in time, cursors only move forward, so that 24 snapshots cost
little more than one; a row of another segment, or of an earlier time, only makes them start again. All sums are of
integers: the result does not depend on the order or on how accounts are cut into parts.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from features.histories.log import Array
from features.kernel import compiled


@compiled
def sums(start: Array, at: Array, value: Array, segment: Array, as_of: Array, spans: Array) -> Any:
    """Count and sum of each window, int64 (spans, rows); the time of the last fact by t, int64 (rows,), or -2**50."""
    rows, windows = len(segment), len(spans)
    count = np.empty((windows, rows), np.int64)
    total = np.empty((windows, rows), np.int64)
    last = np.full(rows, -(1 << 50), np.int64)
    low = np.zeros(windows, np.int64)
    low_total = np.zeros(windows, np.int64)
    current, high, high_total = -1, 0, 0
    for r in range(rows):
        s, t = segment[r], as_of[r]
        if s != current or t < as_of[r - 1]:
            current, high, high_total = s, start[s], 0
            low[:] = start[s]
            low_total[:] = 0
        end = start[s + 1]
        while high < end and at[high] <= t:
            high_total += value[high]
            high += 1
        if high > start[s]:
            last[r] = at[high - 1]
        for w in range(windows):
            while low[w] < high and at[low[w]] <= t - spans[w]:
                low_total[w] += value[low[w]]
                low[w] += 1
            count[w, r] = high - low[w]
            total[w, r] = high_total - low_total[w]
    return count, total, last


@compiled
def held_sums(
    start: Array,
    at: Array,
    value: Array,
    known: Array,
    until: Array,
    segment: Array,
    as_of: Array,
    spans: Array,
) -> Any:
    """As ``sums``, for facts that hold from ``known`` until before ``until``; for the few measures that need it."""
    rows, windows = len(segment), len(spans)
    count = np.zeros((windows, rows), np.int64)
    total = np.zeros((windows, rows), np.int64)
    last = np.full(rows, -(1 << 50), np.int64)
    for r in range(rows):
        s, t = segment[r], as_of[r]
        for f in range(start[s], start[s + 1]):
            if at[f] > t:
                break
            if known[f] <= t < until[f]:
                last[r] = at[f]
                for w in range(windows):
                    if at[f] > t - spans[w]:
                        count[w, r] += 1
                        total[w, r] += value[f]
    return count, total, last


@compiled
def medians(start: Array, at: Array, value: Array, segment: Array, as_of: Array, spans: Array) -> Any:
    """Count int64 and median float64 (NaN where empty) of each window, both (spans, rows)."""
    rows, windows = len(segment), len(spans)
    count = np.zeros((windows, rows), np.int64)
    middle = np.full((windows, rows), np.nan)
    most = 0
    for s in range(len(start) - 1):
        most = max(most, start[s + 1] - start[s])
    ordered = np.empty(most + 1, np.int64)
    for w in range(windows):
        current, high, low, size = -1, 0, 0, 0
        for r in range(rows):
            s, t = segment[r], as_of[r]
            if s != current or t < as_of[r - 1]:
                current, high, low, size = s, start[s], start[s], 0
            while low < high and at[low] <= t - spans[w]:
                place = np.searchsorted(ordered[:size], value[low])
                for k in range(place, size - 1):
                    ordered[k] = ordered[k + 1]
                size -= 1
                low += 1
            while high < start[s + 1] and at[high] <= t:
                if at[high] > t - spans[w]:
                    place = np.searchsorted(ordered[:size], value[high])
                    for k in range(size, place, -1):
                        ordered[k] = ordered[k - 1]
                    ordered[place] = value[high]
                    size += 1
                else:  # it came and went between two rows, and so did all before it
                    low = high + 1
                high += 1
            count[w, r] = size
            if size:
                middle[w, r] = (ordered[(size - 1) // 2] + ordered[size // 2]) / 2
    return count, middle


@compiled
def tallies(start: Array, at: Array, value: Array, segment: Array, as_of: Array, spans: Array, classes: int) -> Array:
    """How many facts of each class (value 0 … classes-1) each window holds, int64 (spans, classes, rows)."""
    rows, windows = len(segment), len(spans)
    tally = np.zeros((windows, classes, rows), np.int64)
    running = np.zeros((windows, classes), np.int64)
    low = np.zeros(windows, np.int64)
    current, high = -1, 0
    for r in range(rows):
        s, t = segment[r], as_of[r]
        if s != current or t < as_of[r - 1]:
            current, high = s, start[s]
            low[:] = start[s]
            running[:] = 0
        while high < start[s + 1] and at[high] <= t:
            for w in range(windows):
                running[w, value[high]] += 1
            high += 1
        for w in range(windows):
            while low[w] < high and at[low[w]] <= t - spans[w]:
                running[w, value[low[w]]] -= 1
                low[w] += 1
            for c in range(classes):
                tally[w, c, r] = running[w, c]
    return tally


@compiled
def covered(start: Array, begin: Array, end: Array, segment: Array, as_of: Array, spans: Array) -> Array:
    """Seconds of each window inside any of the intervals [begin, end), which may overlap, int64 (spans, rows).

    Intervals are ordered by (segment, begin); those that begin after t do not count.
    """
    rows, windows = len(segment), len(spans)
    seconds = np.zeros((windows, rows), np.int64)
    for r in range(rows):
        s, t = segment[r], as_of[r]
        for w in range(windows):
            reached = t - spans[w]
            for f in range(start[s], start[s + 1]):
                if begin[f] > t:
                    break
                from_ = max(begin[f], reached)
                to = min(end[f], t)
                if to > from_:
                    seconds[w, r] += to - from_
                    reached = to
    return seconds


@compiled
def held_medians(
    start: Array, at: Array, value: Array, known: Array, until: Array, segment: Array, as_of: Array, spans: Array
) -> Any:
    """As ``medians``, for facts that hold from ``known`` until before ``until``; for the few measures that need it."""
    rows, windows = len(segment), len(spans)
    count = np.zeros((windows, rows), np.int64)
    middle = np.full((windows, rows), np.nan)
    for r in range(rows):
        s, t = segment[r], as_of[r]
        for w in range(windows):
            held = np.empty(start[s + 1] - start[s], np.int64)
            size = 0
            for f in range(start[s], start[s + 1]):
                if t - spans[w] < at[f] <= t and known[f] <= t < until[f]:
                    held[size] = value[f]
                    size += 1
            count[w, r] = size
            if size > 0:
                middle[w, r] = np.median(held[:size])
    return count, middle


@compiled
def highest(start: Array, at: Array, value: Array, known: Array, segment: Array, as_of: Array, spans: Array) -> Any:
    """Count and greatest value (0 if none; values are at least 0) of the facts known by t, both int64 (spans, rows)."""
    rows, windows = len(segment), len(spans)
    count = np.zeros((windows, rows), np.int64)
    most = np.zeros((windows, rows), np.int64)
    for r in range(rows):
        s, t = segment[r], as_of[r]
        for f in range(start[s], start[s + 1]):
            if at[f] > t:
                break
            if known[f] <= t:
                for w in range(windows):
                    if at[f] > t - spans[w]:
                        count[w, r] += 1
                        most[w, r] = max(most[w, r], value[f])
    return count, most


@compiled
def crowds(start: Array, at: Array, value: Array, segment: Array, as_of: Array, spans: Array, classes: int) -> Any:
    """How many facts, of how many different classes, and how many of the commonest one; each int64 (spans, rows).

    Values are the classes 0 to ``classes`` - 1; unlike ``tallies`` this keeps no count of each, so there may be many.
    """
    rows, windows = len(segment), len(spans)
    count = np.zeros((windows, rows), np.int64)
    distinct = np.zeros((windows, rows), np.int64)
    largest = np.zeros((windows, rows), np.int64)
    for w in range(windows):
        running = np.zeros(classes, np.int64)
        current, low, high, different = -1, 0, 0, 0
        for r in range(rows):
            s, t = segment[r], as_of[r]
            if s != current or t < as_of[r - 1]:
                current, low, high, different = s, start[s], start[s], 0
                running[:] = 0
            while high < start[s + 1] and at[high] <= t:
                running[value[high]] += 1
                different += running[value[high]] == 1
                high += 1
            while low < high and at[low] <= t - spans[w]:
                running[value[low]] -= 1
                different -= running[value[low]] == 0
                low += 1
            count[w, r] = high - low
            distinct[w, r] = different
            largest[w, r] = running.max() if classes else 0
    return count, distinct, largest
