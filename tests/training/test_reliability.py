"""Calibration: bins and parts by hand, what chance makes against simulated truth, Venn-Abers by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.histories.log import DAY, Array
from training.evaluation import measure
from training.reliability import brier_parts, calibration_bins, null_calibration_error, venn_abers

RISKS = st.sampled_from([0.02, 0.1, 0.3, 0.30001, 0.6, 0.97])
ROWS = st.lists(st.tuples(RISKS, st.booleans()), min_size=1, max_size=60).map(
    lambda rows: (np.array([risk for risk, _ in rows]), np.array([lost for _, lost in rows]))
)


def test_bins_hold_about_the_same_number_of_rows() -> None:
    risk = np.linspace(0.01, 1.0, 100)
    found = calibration_bins(risk, risk > 0.5, np.arange(100), resamples=20)
    assert [one.rows for one in found] == [10] * 10
    assert [one.stated for one in found] == pytest.approx(np.arange(0.955, 0, -0.1))
    assert [one.observed.value for one in found] == [1] * 5 + [0] * 5


def test_tied_rows_share_a_bin() -> None:
    (one,) = calibration_bins(np.full(7, 0.2), np.arange(7) < 2, np.arange(7), resamples=20)
    assert (one.rows, one.observed.value) == (7, 2 / 7)
    assert one.stated == pytest.approx(0.2)


@given(ROWS)
def test_bins_make_the_calibration_error(rows: tuple[Array, Array]) -> None:
    risk, lost = rows
    bins = calibration_bins(risk, lost, np.arange(len(risk)), resamples=2)
    error = sum(abs(one.stated - one.observed.value) * one.rows for one in bins) / len(risk)
    assert error == pytest.approx(measure(risk, lost)["ece"])


def test_intervals_of_bins_draw_whole_accounts() -> None:
    random = np.random.default_rng(1)
    lost, account = np.repeat(random.random(200) < 0.3, 5), np.repeat(np.arange(200), 5)
    (one,) = calibration_bins(np.full(1000, 0.3), lost, account, resamples=500)
    deviation = math.sqrt(lost.mean() * (1 - lost.mean()) / 200)
    assert one.observed.high - one.observed.low == pytest.approx(2 * 1.96 * deviation, rel=0.15)
    assert one.observed.low < one.observed.value < one.observed.high


def test_parts_of_the_brier_score_by_hand() -> None:
    # ten rows of risk 0.8, of which six were lost, and ten of 0.2, of which three were
    risk = np.repeat([0.8, 0.2], 10)
    lost = np.concatenate((np.arange(10) < 6, np.arange(10) < 3))
    assert brier_parts(risk, lost) == pytest.approx(
        {
            "reliability": (0.2**2 + 0.1**2) / 2,
            "resolution": 0.15**2,
            "uncertainty": 0.45 * 0.55,
            "within_variance": 0.0,
            "within_covariance": 0.0,
        },
        abs=1e-12,
    )


@given(ROWS)
def test_the_parts_add_up_to_the_brier_score(rows: tuple[Array, Array]) -> None:
    parts = brier_parts(*rows)
    whole = parts["reliability"] - parts["resolution"] + parts["uncertainty"]
    whole += parts["within_variance"] - parts["within_covariance"]
    assert whole == pytest.approx(measure(*rows)["brier"])


# What chance makes

HORIZON, MONTHS = 180, 24


def portfolio(seed: int) -> tuple[Array, Array, Array, Array]:
    """True risk, account, as_of and outcome of monthly rows of 300 accounts, each leaving for good at its own constant
    rate: rows end with the loss."""
    random = np.random.default_rng(seed)
    account, day = np.repeat(np.arange(300), MONTHS), np.tile(np.arange(MONTHS) * 30, 300)
    rate = random.gamma(1.0, 0.2, 300) / HORIZON
    lost_on = random.exponential(1 / rate)[account]
    there = lost_on > day
    risk = 1 - np.exp(-rate[account] * HORIZON)
    return risk[there], account[there], day[there] * DAY, (lost_on <= day + HORIZON)[there]


def test_chance_alone_makes_the_error_of_true_risks() -> None:
    measured, expected, careless, reached = [], [], [], []
    for seed in range(25):
        risk, account, as_of, lost = portfolio(seed)
        error = measure(risk, lost)["ece"]
        null = null_calibration_error(risk, account, as_of, HORIZON, error, draws=60, seed=seed)
        measured.append(error)
        expected.append(null.mean)
        reached.append(null.reached)
        rows = np.arange(len(risk))  # each row an account of its own: as if snapshots were independent
        careless.append(null_calibration_error(risk, rows, as_of, HORIZON, error, draws=20, seed=seed).mean)
        assert null.mean < null.high
    assert np.mean(measured) == pytest.approx(np.mean(expected), rel=0.15)
    assert np.mean(careless) < 0.6 * np.mean(measured)
    # the share of draws that reach what true risks show is uniform, so neither near 0 nor near 1 on average
    assert 0.3 < np.mean(reached) < 0.7


def test_risks_that_are_wrong_stand_out_from_chance() -> None:
    risk, account, as_of, lost = portfolio(1)
    doubled = np.minimum(2 * risk, 1)
    null = null_calibration_error(doubled, account, as_of, HORIZON, measure(doubled, lost)["ece"], draws=60)
    assert null.reached == 0


def test_certain_risks_leave_nothing_to_chance() -> None:
    sure = np.array([0.0, 1.0, 1.0, 0.0])
    null = null_calibration_error(sure, np.arange(4), np.arange(4) * 30 * DAY, 30, 0.0, draws=10)
    assert (null.mean, null.high, null.reached) == (0.0, 0.0, 1.0)


# Venn-Abers


def test_bands_by_hand() -> None:
    # one of four was lost at 0.2, three of four at 0.8; one more row of either outcome makes 1/5 to 2/5, and 3/5 to 4/5
    scored = np.repeat([0.2, 0.8], 4)
    lost = np.array([1, 0, 0, 0, 1, 1, 1, 0], dtype=bool)
    found = venn_abers(scored, lost, np.array([0.2, 0.8]))
    assert found is not None
    assert found.calibrated_on == 8
    assert found.width == pytest.approx(0.2)
    assert found.distance == pytest.approx(0.0, abs=1e-12)
    assert found.difference == pytest.approx(((0.2 - 0.4 / 1.2) + (0.8 - 0.8 / 1.2)) / 2)


def test_risks_far_from_what_was_observed_lie_outside() -> None:
    random = np.random.default_rng(1)
    scored = random.random(2000)
    lost = random.random(2000) < 0.5  # the score tells nothing
    before = np.geterr()
    found = venn_abers(scored, lost, np.full(50, 0.9))
    assert np.geterr() == before
    assert found is not None
    assert found.inside == 0
    assert found.distance == pytest.approx(0.4, abs=0.06)
    assert found.difference == pytest.approx(0.4, abs=0.06)


@pytest.mark.parametrize("lost", [np.zeros(5, bool), np.ones(5, bool), np.zeros(0, bool)])
def test_one_outcome_makes_no_bands(lost: Array) -> None:
    assert venn_abers(np.linspace(0.1, 0.9, len(lost)), lost, np.array([0.5])) is None
