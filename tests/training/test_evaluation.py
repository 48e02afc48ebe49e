"""Measures by hand, against scikit-learn, and under ties, reordering and resampling."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from features.histories.log import Array
from training.evaluation import (
    MEASURES,
    Ranked,
    compare,
    compare_caught,
    describe,
    gain_curve,
    measure,
    share_caught,
)

RISK = np.array([0.9, 0.5, 0.5, 0.5, 0.1])
LOST = np.array([True, True, False, False, False])


def test_by_hand() -> None:
    found = measure(RISK, LOST)
    # pairs lost/kept: 0.9 wins 3; 0.5 ties 2 and wins 1
    assert found["auc"] == pytest.approx((3 + 1 + 2 / 2) / 6)
    # at 0.9: precision 1 for half of the losses; at 0.5: 2 of 4 for the other half
    assert found["average_precision"] == pytest.approx(0.5 * 1 + 0.5 * 0.5)
    assert found["brier"] == pytest.approx((0.01 + 3 * 0.25 + 0.01) / 5)
    assert found["log_loss"] == pytest.approx(-(2 * math.log(0.9) + 3 * math.log(0.5)) / 5)
    # bins by the middle of each group of ties: 0.9 apart, the three tied rows together, 0.1 apart
    assert found["ece"] == pytest.approx((abs(1 - 0.9) + abs(1 - 1.5) + abs(0 - 0.1)) / 5)
    # the top decile is half of the first row: all lost, against 2 of 5
    assert found["lift_top_decile"] == pytest.approx(1 / (2 / 5))


def test_the_top_decile_shares_a_tie_evenly() -> None:
    lost = np.arange(20) % 4 == 0
    assert measure(np.full(20, 0.3), lost)["lift_top_decile"] == pytest.approx(1.0)
    # one row above the tie, kept; the other place in the decile goes to a tie of 5 lost among 19
    assert measure(np.append(0.9, np.full(19, 0.3)), np.append(False, lost[:19]))["lift_top_decile"] == pytest.approx(
        (5 / 19) / (0.1 * 5)
    )


def test_undefined_is_nan_not_zero() -> None:
    none_lost = measure(RISK, np.zeros(5, bool))
    assert [name for name in MEASURES if math.isnan(none_lost[name])] == [
        "auc",
        "average_precision",
        "lift_top_decile",
    ]
    assert all(math.isnan(value) for value in measure(np.array([]), np.array([], bool)).values())


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="2 risks for 1 outcomes"):
        measure(np.array([0.1, 0.2]), np.array([True]))
    with pytest.raises(ValueError, match="finite"):
        measure(np.array([0.1, np.nan]), np.array([True, False]))


def scored_rows() -> st.SearchStrategy[tuple[Array, Array]]:
    row = st.tuples(st.sampled_from([0.02, 0.1, 0.3, 0.30001, 0.6, 0.97]), st.booleans())
    return st.lists(row, min_size=2, max_size=40).map(
        lambda rows: (np.array([risk for risk, _ in rows]), np.array([lost for _, lost in rows]))
    )


@given(scored_rows().filter(lambda rows: 0 < rows[1].sum() < len(rows[1])))
def test_agrees_with_scikit_learn(rows: tuple[Array, Array]) -> None:
    risk, lost = rows
    found = measure(risk, lost)
    assert found["auc"] == pytest.approx(roc_auc_score(lost, risk))
    assert found["average_precision"] == pytest.approx(average_precision_score(lost, risk))
    assert found["brier"] == pytest.approx(brier_score_loss(lost, risk))
    assert found["log_loss"] == pytest.approx(log_loss(lost, risk))


@given(scored_rows())
def test_the_order_of_rows_does_not_matter(rows: tuple[Array, Array]) -> None:
    risk, lost = rows
    order = np.random.default_rng(len(risk)).permutation(len(risk))
    assert measure(risk[order], lost[order]) == pytest.approx(measure(risk, lost), nan_ok=True)


@given(scored_rows())
def test_a_weight_is_a_repetition(rows: tuple[Array, Array]) -> None:
    risk, lost = rows
    times = np.arange(len(risk)) % 3
    if not times.any():
        return
    weighted = {name: float(value[0]) for name, value in Ranked(risk, lost).measures(times[None]).items()}
    repeated = measure(np.repeat(risk, times), np.repeat(lost, times))
    assert weighted == pytest.approx(repeated, nan_ok=True)


def test_paired_differences_resample_whole_groups() -> None:
    random = np.random.default_rng(1)
    group = np.repeat(np.arange(60), 5)
    lost = np.repeat(random.random(60) < 0.4, 5)
    good = np.clip(0.3 + 0.3 * lost + np.repeat(random.normal(0, 0.2, 60), 5), 0.01, 0.99)
    risks = {"model": good, "same": good.copy(), "chance": random.random(300)}
    measured, leads = compare(risks, lost, group, resamples=200)
    assert list(leads) == ["same", "chance"]
    for name in MEASURES:
        assert (leads["same"][name].value, leads["same"][name].low, leads["same"][name].high) == (0, 0, 0)
        one = measured["model"][name]
        assert one.low <= one.value <= one.high
    assert leads["chance"]["auc"].low > 0
    assert leads["chance"]["auc"].value == pytest.approx(
        measured["model"]["auc"].value - measured["chance"]["auc"].value
    )
    # rows of one account repeat each other: resampling rows instead would claim too much certainty
    by_row = compare(risks, lost, np.arange(300), resamples=200)[1]["chance"]["auc"]
    by_account = leads["chance"]["auc"]
    assert by_account.high - by_account.low > 1.3 * (by_row.high - by_row.low)


def test_a_resample_agrees_with_measuring_its_rows() -> None:
    random = np.random.default_rng(2)
    risk, lost, group = random.random(50), random.random(50) < 0.3, np.repeat(np.arange(10), 5)
    drawn = np.bincount(random.integers(0, 10, 10), minlength=10)
    rows = np.repeat(np.arange(50), drawn[group])
    weighted = Ranked(risk, lost).measures(drawn[group][None])
    assert {name: float(value[0]) for name, value in weighted.items()} == pytest.approx(measure(risk[rows], lost[rows]))


def test_gain_by_hand() -> None:
    share, found = gain_curve(RISK, LOST)
    assert share.tolist() == [0, 0.2, 0.8, 1]
    assert found.tolist() == [0, 0.5, 1, 1]


def test_gain_may_be_of_money() -> None:
    share, found = gain_curve(RISK, np.array([0.0, 30, 10, 0, 0]))
    assert (share.tolist(), found.tolist()) == ([0, 0.2, 0.8, 1], [0, 0, 1, 1])


# The top decile


def test_what_is_caught_by_hand() -> None:
    worth = np.zeros(20)
    worth[[19, 18, 3]] = [60, 20, 20]
    assert share_caught(np.arange(20.0), worth).tolist() == [0.8]  # two rows of twenty
    key = np.append(np.zeros(16), np.ones(4))  # four tied rows for two places: half of each
    assert share_caught(key, worth).tolist() == [0.4]
    assert math.isnan(share_caught(key, np.zeros(20))[0])
    assert math.isnan(share_caught(np.array([]), np.array([]))[0])


@given(scored_rows().filter(lambda rows: bool(rows[1].any())))
def test_lift_is_what_is_caught_of_the_losses(rows: tuple[Array, Array]) -> None:
    risk, lost = rows
    assert measure(risk, lost)["lift_top_decile"] == pytest.approx(share_caught(risk, lost)[0] / 0.1)


@given(scored_rows())
def test_a_weight_is_a_repetition_of_what_is_caught(rows: tuple[Array, Array]) -> None:
    risk, lost = rows
    times, worth = 1 + np.arange(len(risk)) % 3, lost * (1.0 + np.arange(len(risk)))
    weighted = share_caught(risk, worth, None, times[None].astype(float))
    assert weighted == pytest.approx(share_caught(np.repeat(risk, times), np.repeat(worth, times)), nan_ok=True)


def test_what_is_caught_is_compared_on_the_same_resamples() -> None:
    random = np.random.default_rng(3)
    group, worth = np.repeat(np.arange(80), 3), np.repeat(random.random(80) * (random.random(80) < 0.3), 3)
    keys = {"model": worth + 0.1 * random.random(240), "same": worth * 1.0, "chance": random.random(240)}
    keys["same"] = keys["model"].copy()
    measured, leads = compare_caught(keys, worth, group, resamples=200)
    assert (leads["same"].value, leads["same"].low, leads["same"].high) == (0, 0, 0)
    assert leads["chance"].low > 0
    assert 0 <= measured["chance"].low <= measured["chance"].value <= measured["chance"].high
    assert measured["model"].high <= 1


# A part of the rows


def test_a_part_is_described() -> None:
    random = np.random.default_rng(4)
    group = np.repeat(np.arange(100), 4)
    risk = np.repeat(random.random(100), 4) / 2
    lost = np.repeat(random.random(100) < 0.25, 4)
    stated, found = describe(risk, lost, group, resamples=300)
    assert stated == pytest.approx(risk.mean())
    assert found["observed"].value == pytest.approx(lost.mean())
    assert found["gap"].value == pytest.approx(lost.mean() - risk.mean())
    assert found["auc"].value == pytest.approx(roc_auc_score(lost, risk))
    # accounts are drawn, not rows: the spread is that of a share of 100, not of 400
    deviation = math.sqrt(lost.mean() * (1 - lost.mean()) / 100)
    assert found["observed"].high - found["observed"].low == pytest.approx(2 * 1.96 * deviation, rel=0.2)
    # a gap may lie on either side of zero, and its interval too
    assert describe(risk, np.zeros(400, bool), group, resamples=50)[1]["gap"].high < 0


def test_no_interval_reaches_beyond_what_values_can_be() -> None:
    risk, lost, group = np.array([0.9, 0.8, 0.2, 0.1, 0.1]), np.array([1, 1, 0, 0, 0], bool), np.arange(5)
    measured, _ = compare({"model": risk}, lost, group, resamples=200)
    for name in MEASURES:
        assert measured["model"][name].low >= 0
    assert measured["model"]["auc"].high == 1
