"""The baselines: their figures by hand, and that they learn from the entries they are given only."""

from __future__ import annotations

from dataclasses import replace

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
from training.baselines import (
    BASELINES,
    CALL_HELD,
    CALL_TRIED,
    MAIL_RECEIVED,
    MAIL_SENT,
    MEETING_HELD,
    Activity,
    activity,
    baseline_risks,
    health_scores,
    share_of_marks_missed,
)

LOGISTIC = [name for name in BASELINES if name != "lightgbm_defaults"]
DAYS = (30, 90, 180)
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
    risks = baseline_risks(HISTORY, matrix, labels, learn, DAYS)
    assert tuple(risks) == BASELINES
    for risk in risks.values():
        assert risk.shape == labels.shape
        assert ((risk > 0) & (risk < 1)).all()
    for name in LOGISTIC:
        # fitted with an intercept: what it learned from is calibrated in the mean
        for horizon, entries in enumerate(learn.T):
            assert risks[name][entries, horizon].mean() == pytest.approx(labels[entries, horizon].mean(), abs=1e-3)


@given(st.integers(0, 1000))
@settings(max_examples=2)
def test_labels_of_other_entries_do_not_matter(matrix: Matrix, seed: int) -> None:
    labels, learn = drawn(matrix, seed)
    others = np.random.default_rng(seed + 1).integers(-1, 2, labels.shape).astype(np.int8)
    one = baseline_risks(HISTORY, matrix, labels, learn, DAYS[:2])
    other = baseline_risks(HISTORY, matrix, np.where(learn, labels, others), learn, DAYS[:2])
    assert all((one[name] == other[name]).all() for name in BASELINES)


def test_rows_that_are_not_learned_from_do_not_matter(matrix: Matrix) -> None:
    labels, learn = drawn(matrix, 2)
    kept = np.flatnonzero(learn.any(axis=1))
    assert len(kept) < len(matrix)
    whole = baseline_risks(HISTORY, matrix, labels, learn, DAYS[:2])
    part = baseline_risks(HISTORY, matrix.take(kept), labels[kept], learn[kept], DAYS[:2])
    for name in BASELINES:
        np.testing.assert_allclose(part[name], whole[name][kept], rtol=1e-9)


def test_a_label_that_is_learned_from_does_matter(matrix: Matrix) -> None:
    labels, learn = drawn(matrix, 2)
    changed = labels.copy()
    changed[learn[:, 0], 0] = 1 - labels[learn[:, 0], 0]
    one, other = (baseline_risks(HISTORY, matrix, some, learn, DAYS[:2]) for some in (labels, changed))
    for name in BASELINES:
        assert (one[name][:, 0] != other[name][:, 0]).any()
    for name in LOGISTIC:
        assert (one[name][:, 1] == other[name][:, 1]).all()  # horizons are learned apart


def test_a_horizon_with_one_outcome_or_none_gets_everyones_share(matrix: Matrix) -> None:
    labels = np.tile(np.array([1, 0, 1], dtype=np.int8), (len(matrix), 1))
    learn = np.ones(labels.shape, dtype=bool)
    learn[:, 2] = False
    risks = baseline_risks(HISTORY, matrix, labels, learn, DAYS)
    for name in LOGISTIC:
        assert (risks[name] == [1.0, 0.0, 0.5]).all()
    only_losses = baseline_risks(HISTORY, matrix, labels, learn & [True, False, False], DAYS)
    assert (only_losses["lightgbm_defaults"] == 1.0).all()


def test_silence_is_learned_as_a_risk(matrix: Matrix) -> None:
    silent = matrix.standing.silent_days
    known = ~np.isnan(silent)
    labels = (silent > np.nanmedian(silent)).astype(np.int8)[:, None]
    risk = baseline_risks(HISTORY, matrix, labels, known[:, None], DAYS[:1])["silence"][known, 0]
    assert (np.diff(risk[np.argsort(silent[known])]) >= 0).all()
    assert risk.max() > 0.5 > risk.min()


def act(day: float, account: str = "A", actor: str = "client", **more: str | float) -> Record:
    row: Record = {"interaction_id": f"{account}{actor}{day}", "account_id": account, "at": BEGIN + round(day * DAY)}
    return row | {"kind": "message", "channel": "email", "actor": actor} | more


def activity_at(acts: list[Record], *days: int) -> Activity:
    """The activity of the first account."""
    moments = BEGIN + np.array(days, dtype=np.int64) * DAY
    rows = Rows(np.zeros(len(days), dtype=np.int32), moments)
    return activity(History.from_records({"interactions": acts}, Dataset()), rows)


def frequencies_at(acts: list[Record], *days: int) -> list[list[float]]:
    """Own acts in 90 and in 365 days, and days since the first event."""
    found = activity_at(acts, *days)
    rows: list[list[float]] = np.column_stack((found.own, found.known_for)).tolist()
    return rows


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


def test_activities_count_by_weight_and_age() -> None:
    acts = [
        act(0, actor="us"),
        act(40),
        act(70, kind="call", channel="phone", outcome="answered", actor="us"),
        act(75, kind="call", channel="phone", outcome="missed"),
        act(80, kind="meeting", channel="video", outcome="held"),
        act(81, kind="meeting", channel="video", outcome="cancelled"),
        act(82, kind="request"),  # no mail, call or meeting
        act(83, auto=1),
    ]
    talked = CALL_HELD + CALL_TRIED + MEETING_HELD
    found = activity_at(acts, 89, 90, 110, 300)
    assert found.points.tolist() == [
        talked + MAIL_RECEIVED / 2 + MAIL_SENT / 4,  # (59, 89] in full, (29, 59] by half, (-1, 29] by a quarter
        talked + MAIL_RECEIVED / 2,  # (0, 30]: the mail of day 0 is out
        talked / 2 + MAIL_RECEIVED / 4,  # (80, 110]: the meeting of day 80 is out
        0,
    ]
    assert found.contacts.tolist() == [5, 4, 4, 0]
    assert found.since.tolist() == [9, 10, 30, 220]


def test_activity_by_what_was_known() -> None:
    acts = [act(0), act(50, recorded_at=BEGIN + 70 * DAY)]
    assert activity_at(acts, 60, 70).contacts.tolist() == [1, 2]


def test_responses_are_those_to_first_attempts() -> None:
    acts = [act(0, actor="us"), act(2), act(100, actor="us"), act(120, actor="us")]
    found = activity_at(acts, 1, 2, 110, 120)
    # nothing is decided on day 1; the answer of day 2 decides the first, trying again on day 120 the second
    np.testing.assert_array_equal(found.response, [np.nan, 1.0, np.nan, 0.0])


def scored(points: list[float], contacts: list[float], since: list[float], response: list[float]) -> list[float]:
    nothing = np.zeros(len(points))
    known = Activity(nothing[:, None], nothing, *(np.array(one) for one in (points, contacts, since, response)))
    found: list[float] = health_scores(known, np.arange(len(points)) < 3).tolist()
    return found


def test_health_scores_by_hand() -> None:
    nan = float("nan")
    # the median of the first three: 6 points, and 3 contacts, so one every 30 days
    found = scored([2, 6, 9, 18, 0, 0], [1, 3, 9, 9, 0, 0], [60, 30, 0, 30, 300, nan], [0, 1, nan, 0.5, nan, nan])
    assert found[0] == pytest.approx(40 * 2 / 8 + 30 / 4)
    assert found[1] == pytest.approx(40 / 2 + 30 / 2 + 30)
    assert found[2] == pytest.approx((40 * 9 / 15 + 30) / 0.7)  # without the response, the others count for all
    assert found[3] == pytest.approx(40 * 18 / 24 + 30 / 2 + 30 / 2)
    assert found[4] == pytest.approx(30 * 0.5**10 / 0.7)
    assert np.isnan(found[5])  # never in contact: not zero, unknown


def test_an_unknown_value_is_said_and_counts_as_the_usual_one(matrix: Matrix) -> None:
    unknown = np.arange(len(matrix)) % 3 == 0
    value = np.where(unknown, np.nan, matrix.standing.value)
    some = replace(matrix, standing=replace(matrix.standing, value=value))
    labels = unknown.astype(np.int8)[:, None]  # those without a value are lost
    risk = baseline_risks(HISTORY, some, labels, np.ones(labels.shape, dtype=bool), DAYS[:1])
    assert risk["recency_frequency_value"][unknown].min() > risk["recency_frequency_value"][~unknown].max()


def test_lightgbm_sees_the_horizon_and_the_end_of_the_contract(matrix: Matrix) -> None:
    """Labels that only the stacked columns tell: the library's trees must find them."""
    learn = np.ones((len(matrix), 3), dtype=bool)
    labels = np.tile(np.array([0, 0, 1], dtype=np.int8), (len(matrix), 1))
    risk = baseline_risks(HISTORY, matrix, labels, learn, DAYS)["lightgbm_defaults"]
    assert risk[:, 2].min() > 0.9 > 0.1 > risk[:, :2].max()


def test_the_scorecard_counts_the_known_marks_that_are_missed(matrix: Matrix) -> None:
    marked = [(column, one.mark) for column, one in enumerate(matrix.indicators) if one.mark is not None]
    expected = []
    for row in matrix.values:
        met = [answer for column, mark in marked if (answer := mark.met(float(row[column]))) is not None]
        expected.append(met.count(False) / len(met) if met else float("nan"))
    assert {mark.comparison for _, mark in marked} >= {">=", "<=", "between"}
    np.testing.assert_allclose(share_of_marks_missed(matrix), expected)
