"""The kernel's cursors against a plain look at every fact of every window."""

from __future__ import annotations

import statistics

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features import windows
from features.facts import facts
from features.histories.log import Array

SPANS = np.array([5, 20, 1 << 39], dtype=np.int64)
FACTS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 60), st.integers(0, 4)), max_size=40)
ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 70)), min_size=1, max_size=25)


def _inside(given_facts: list[tuple[int, int, int]], segment: int, t: int, span: int) -> list[int]:
    return [value for owner, at, value in given_facts if owner == segment and t - span < at <= t]


def _arrays(
    given_facts: list[tuple[int, int, int]], rows: list[tuple[int, int]]
) -> tuple[Array, Array, Array, Array, Array, Array]:
    table = np.array(given_facts, dtype=np.int64).reshape(-1, 3)
    made = facts(4, table[:, 0], table[:, 1], table[:, 2])
    wanted = np.array(rows, dtype=np.int64)
    return made.start, made.at, made.value, wanted[:, 0], wanted[:, 1], SPANS


@given(FACTS, ROWS)
def test_sums(given_facts: list[tuple[int, int, int]], rows: list[tuple[int, int]]) -> None:
    count, total, last = windows.sums(*_arrays(given_facts, rows))
    for r, (segment, t) in enumerate(rows):
        for w, span in enumerate(SPANS):
            inside = _inside(given_facts, segment, t, span)
            assert (count[w, r], total[w, r]) == (len(inside), sum(inside))
        past = [at for owner, at, _ in given_facts if owner == segment and at <= t]
        assert last[r] == max(past, default=-(1 << 50))


@given(FACTS, ROWS)
def test_medians(given_facts: list[tuple[int, int, int]], rows: list[tuple[int, int]]) -> None:
    count, middle = windows.medians(*_arrays(given_facts, rows))
    for r, (segment, t) in enumerate(rows):
        for w, span in enumerate(SPANS):
            inside = _inside(given_facts, segment, t, span)
            assert count[w, r] == len(inside)
            assert (np.isnan(middle[w, r])) if not inside else (middle[w, r] == statistics.median(inside))


@given(FACTS, ROWS)
def test_tallies(given_facts: list[tuple[int, int, int]], rows: list[tuple[int, int]]) -> None:
    tally = windows.tallies(*_arrays(given_facts, rows), 5)
    for r, (segment, t) in enumerate(rows):
        for w, span in enumerate(SPANS):
            inside = _inside(given_facts, segment, t, span)
            assert tally[w, :, r].tolist() == [inside.count(kind) for kind in range(5)]


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 60), st.integers(0, 4), st.integers(0, 20), st.integers(0, 30)),
        max_size=30,
    ),
    ROWS,
)
def test_held_sums(held: list[tuple[int, int, int, int, int]], rows: list[tuple[int, int]]) -> None:
    table = np.array(held, dtype=np.int64).reshape(-1, 5)
    known = table[:, 1] + table[:, 3]
    made = facts(4, table[:, 0], table[:, 1], table[:, 2], known=known, until=known + table[:, 4])
    wanted = np.array(rows, dtype=np.int64)
    assert made.known is not None
    assert made.until is not None
    count, total, last = windows.held_sums(
        made.start, made.at, made.value, made.known, made.until, wanted[:, 0], wanted[:, 1], SPANS
    )
    for r, (segment, t) in enumerate(rows):
        holding = [
            (at, value)
            for owner, at, value, later, length in held
            if owner == segment and at <= t and at + later <= t < at + later + length
        ]
        assert last[r] == max((at for at, _ in holding), default=-(1 << 50))
        for w, span in enumerate(SPANS):
            inside = [value for at, value in holding if at > t - span]
            assert (count[w, r], total[w, r]) == (len(inside), sum(inside))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 60), st.integers(0, 30)), max_size=12), ROWS)
def test_covered(given_spans: list[tuple[int, int, int]], rows: list[tuple[int, int]]) -> None:
    table = np.array(given_spans, dtype=np.int64).reshape(-1, 3)
    made = facts(4, table[:, 0], table[:, 1], table[:, 1] + table[:, 2])
    wanted = np.array(rows, dtype=np.int64)
    seconds = windows.covered(made.start, made.at, made.value, wanted[:, 0], wanted[:, 1], SPANS)
    for r, (segment, t) in enumerate(rows):
        for w, span in enumerate(SPANS):
            inside = {
                second
                for owner, begin, length in given_spans
                if owner == segment
                for second in range(max(begin, t - span), min(begin + length, t))
            }
            assert seconds[w, r] == len(inside)


def test_windows_are_half_open() -> None:
    """(t - w, t]: a fact at t counts, one at t - w does not."""
    made = facts(1, np.array([0, 0]), np.array([95, 100]))
    count, _, _ = windows.sums(made.start, made.at, made.value, np.array([0]), np.array([100]), SPANS)
    assert count[:, 0].tolist() == [1, 2, 2]


def test_a_window_does_not_reach_into_the_segment_before() -> None:
    made = facts(2, np.array([0, 0, 1]), np.array([98, 99, 100]))
    count, _, _ = windows.sums(made.start, made.at, made.value, np.array([1]), np.array([100]), SPANS)
    assert count[:, 0].tolist() == [1, 1, 1]
