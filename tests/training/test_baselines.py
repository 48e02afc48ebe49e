"""The baselines: their figures by hand, and that they learn from the entries they are given only."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.histories.history import History
from features.histories.log import DAY, Array
from features.histories.tables import Dataset
from features.matrix import Matrix, Rows
from tests.features.helpers import matrix_of
from tests.features.worlds import BEGIN, SPAN, Record, random_world
from training.baselines import BASELINES, baseline_risks, frequencies, share_of_marks_missed

HISTORY = History.from_records(random_world(3, accounts=20), Dataset())


@pytest.fixture(scope="module")
def matrix() -> Matrix:
    # the first moment lies before most accounts' first event, so that figures are unknown
    return matrix_of(HISTORY, [BEGIN + SPAN * part // 6 for part in range(7)])


def drawn(matrix: Matrix, seed: int, horizons: int = 2) -> tuple[Array, Array]:
    """Labels with some unknown, and which of the known to learn from."""
    dice = np.random.default_rng(seed)
    labels = dice.integers(-1, 2, (len(matrix), horizons)).astype(np.int8)
    return labels, (labels >= 0) & (dice.random(labels.shape) < 0.6)


def test_probabilities_for_each_row_and_horizon(matrix: Matrix) -> None:
    assert np.isnan(matrix.standing.silent_days).any()
    labels, learn = drawn(matrix, 1, horizons=3)
    risks = baseline_risks(HISTORY, matrix, labels, learn)
    assert tuple(risks) == BASELINES
    for risk in risks.values():
        assert risk.shape == labels.shape
        assert ((risk > 0) & (risk < 1)).all()
        # fitted with an intercept: what it learned from is calibrated in the mean
        for horizon, entries in enumerate(learn.T):
            assert risk[entries, horizon].mean() == pytest.approx(labels[entries, horizon].mean(), abs=1e-3)


@given(st.integers(0, 1000))
@settings(max_examples=4)
def test_labels_of_other_entries_do_not_matter(matrix: Matrix, seed: int) -> None:
    labels, learn = drawn(matrix, seed)
    others = np.random.default_rng(seed + 1).integers(-1, 2, labels.shape).astype(np.int8)
    one = baseline_risks(HISTORY, matrix, labels, learn)
    other = baseline_risks(HISTORY, matrix, np.where(learn, labels, others), learn)
    assert all((one[name] == other[name]).all() for name in BASELINES)


def test_rows_that_are_not_learned_from_do_not_matter(matrix: Matrix) -> None:
    labels, learn = drawn(matrix, 2)
    kept = np.flatnonzero(learn.any(axis=1))
    assert len(kept) < len(matrix)
    whole = baseline_risks(HISTORY, matrix, labels, learn)
    part = baseline_risks(HISTORY, matrix.take(kept), labels[kept], learn[kept])
    for name in BASELINES:
        np.testing.assert_allclose(part[name], whole[name][kept], rtol=1e-9)


def test_a_label_that_is_learned_from_does_matter(matrix: Matrix) -> None:
    labels, learn = drawn(matrix, 2)
    changed = labels.copy()
    changed[learn[:, 0], 0] = 1 - labels[learn[:, 0], 0]
    one, other = (baseline_risks(HISTORY, matrix, some, learn) for some in (labels, changed))
    for name in BASELINES:
        assert (one[name][:, 0] != other[name][:, 0]).any()
        assert (one[name][:, 1] == other[name][:, 1]).all()  # horizons are learned apart


def test_a_horizon_with_one_outcome_or_none_gets_everyones_share(matrix: Matrix) -> None:
    labels = np.tile(np.array([1, 0, 1], dtype=np.int8), (len(matrix), 1))
    learn = np.ones(labels.shape, dtype=bool)
    learn[:, 2] = False
    for risk in baseline_risks(HISTORY, matrix, labels, learn).values():
        assert (risk == [1.0, 0.0, 0.5]).all()


def test_silence_is_learned_as_a_risk(matrix: Matrix) -> None:
    silent = matrix.standing.silent_days
    known = ~np.isnan(silent)
    labels = (silent > np.nanmedian(silent)).astype(np.int8)[:, None]
    risk = baseline_risks(HISTORY, matrix, labels, known[:, None])["silence"][known, 0]
    assert (np.diff(risk[np.argsort(silent[known])]) >= 0).all()
    assert risk.max() > 0.5 > risk.min()


def act(day: float, account: str = "A", actor: str = "client", **more: str | float) -> Record:
    row: Record = {"interaction_id": f"{account}{actor}{day}", "account_id": account, "at": BEGIN + round(day * DAY)}
    return row | {"kind": "message", "channel": "email", "actor": actor} | more


def frequencies_at(acts: list[Record], *days: int) -> list[list[float]]:
    """The figures of the first account."""
    moments = BEGIN + np.array(days, dtype=np.int64) * DAY
    rows = Rows(np.zeros(len(days), dtype=np.int32), moments)
    found: list[list[float]] = frequencies(History.from_records({"interactions": acts}, Dataset()), rows).tolist()
    return found


def test_frequencies_by_hand() -> None:
    acts = [act(0, actor="us"), act(10), act(100), act(110, actor="us"), act(150, kind="order"), act(120, "B")]
    assert frequencies_at(acts, 5, 100, 189, 190, 375) == [
        [0, 0, 5],
        [1, 2, 100],  # (10, 100]: the touch of day 10 is out
        [2, 3, 189],
        [1, 3, 190],  # (100, 190]: the touch of day 100 is out
        [0, 2, 375],  # (10, 375]
    ]


def test_frequencies_by_what_was_known() -> None:
    acts = [act(0), act(50, recorded_at=BEGIN + 70 * DAY)]
    assert frequencies_at(acts, 60, 70) == [[1, 1, 60], [2, 2, 70]]


def test_the_first_event_is_the_first_that_was_known() -> None:
    acts = [act(40), act(0, recorded_at=BEGIN + 70 * DAY)]
    assert frequencies_at(acts, 60, 70) == [[1, 1, 20], [2, 2, 70]]


def test_before_a_first_event_the_days_since_are_unknown() -> None:
    booked = act(20, kind="meeting", recorded_at=BEGIN)
    found = np.array(frequencies_at([booked], 5, 19, 20))
    assert np.isnan(found[:, 2]).tolist() == [True, True, False]


def test_the_scorecard_counts_the_known_marks_that_are_missed(matrix: Matrix) -> None:
    marked = [(column, one.mark) for column, one in enumerate(matrix.indicators) if one.mark is not None]
    expected = []
    for row in matrix.values:
        met = [answer for column, mark in marked if (answer := mark.met(float(row[column]))) is not None]
        expected.append(met.count(False) / len(met) if met else float("nan"))
    assert {mark.comparison for _, mark in marked} >= {">=", "<=", "between"}
    np.testing.assert_allclose(share_of_marks_missed(matrix), expected)
