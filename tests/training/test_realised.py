"""Stated risks beside what happened: the ratio's interval, and what is foreseen before anything happened."""

from __future__ import annotations

import math
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import poisson

from features.histories.log import DAY, Array
from features.matrix import Rows
from training.evaluation import measure
from training.outcomes import Outcomes
from training.realised import LEAST_LOST, foreseen, loss_ratio, realised


def test_one_row_for_each_account_gives_the_exact_interval_of_a_count() -> None:
    """Garwood's interval: the rates at which a count so high, or so low, is just still likely enough."""
    risk, lost = np.full(100, 0.05), np.arange(100) < 9
    ratio = loss_ratio(risk, lost, np.arange(100), 0.05)
    assert ratio is not None
    assert ratio.value == pytest.approx(9 / 5)
    assert poisson.sf(8, 5 * ratio.low) == pytest.approx(0.025)
    assert poisson.cdf(9, 5 * ratio.high) == pytest.approx(0.025)


def test_rows_of_one_loss_count_once() -> None:
    risk, lost, account = np.full(100, 0.05), np.arange(100) < 9, np.arange(100)
    repeated = ([np.repeat(part, times) for part in (risk, lost, account)] for times in (1, 6))
    once, often = (loss_ratio(some, gone, whose, 0.05) for some, gone, whose in repeated)
    assert once is not None
    assert often is not None
    assert astuple(often) == pytest.approx(astuple(once))


def test_no_loss_at_all_is_off_only_where_enough_were_expected() -> None:
    lost = np.zeros(300, dtype=bool)
    few, many = (loss_ratio(np.full(300, risk), lost, np.arange(300), 0.05) for risk in (0.01, 0.02))
    assert few is not None
    assert many is not None
    assert (few.value, few.low) == (0.0, 0.0)
    assert few.high == pytest.approx(-math.log(0.025) / 3)
    assert (few.off, many.off) == (False, True)


def test_too_little_expected_says_nothing() -> None:
    assert loss_ratio(np.full(90, 0.01), np.zeros(90, dtype=bool), np.arange(90), 0.05) is None


def overlapping(random: np.random.Generator, factor: float, days: int) -> tuple[Array, Array, Array]:
    """Rows of a year of months: stated risk (``factor`` times too high), lost within so many days, and account."""
    rate = np.exp(random.normal(-2.0, 0.8, 120))
    left = random.exponential(365 / rate)
    account, month = (grid.ravel() for grid in np.meshgrid(np.arange(120), np.arange(12), indexing="ij"))
    begun = month * 30.4
    still = left[account] > begun
    account, begun = account[still], begun[still]
    risk = -np.expm1(-rate[account] * days / 365)
    return np.minimum(factor * risk, 1.0), left[account] <= begun + days, account


@pytest.mark.parametrize("days", [30, 180, 365])
def test_calibrated_risks_are_rarely_off_and_doubled_ones_mostly(days: int) -> None:
    random = np.random.default_rng(days)
    told = {factor: [loss_ratio(*overlapping(random, factor, days), 0.05) for _ in range(300)] for factor in (1.0, 2.0)}
    off = {factor: np.mean([ratio is not None and ratio.off for ratio in found]) for factor, found in told.items()}
    assert off[1.0] <= 0.06
    assert off[2.0] > 0.35


def outcomes(labels: Array, as_of: Array) -> Outcomes:
    days = (90, 180)
    known_by = as_of[:, None] + np.array(days) * DAY
    return Outcomes(days, np.ones(len(labels), dtype=bool), labels, known_by, 0, 0)


def test_each_horizon_takes_its_own_known_and_usable_entries() -> None:
    labels = np.array([[1, -1], [0, 1], [0, 0], [1, 1]], dtype=np.int8)
    rows = Rows(np.array([0, 0, 1, 2], dtype=np.int32), np.array([10, 20, 10, 30]) * DAY)
    usable = np.array([[True, True], [True, True], [True, False], [False, True]])
    risk = np.array([[0.9, 0.9], [0.4, 0.5], [0.2, 0.3], [0.7, 0.8]])
    near, far = realised(risk, rows, outcomes(labels, rows.as_of), usable, 0.02)
    assert (near.horizon, near.rows, near.accounts, near.observed, near.lost_accounts) == (90, 3, 2, 1, 1)
    assert near.expected == pytest.approx(1.5)
    assert (near.first, near.last) == (10 * DAY, 20 * DAY)
    assert (far.rows, far.observed) == (2, 2)
    assert far.expected == pytest.approx(1.3)
    assert near.auc is None
    both = loss_ratio(np.array([0.9, 0.4, 0.2]), np.array([True, False, False]), np.array([0, 0, 1]), 0.01)
    assert near.ratio == both


def test_a_horizon_without_outcomes_is_left_out() -> None:
    rows = Rows(np.array([0], dtype=np.int32), np.array([DAY]))
    known = outcomes(np.array([[-1, -1]], dtype=np.int8), rows.as_of)
    assert realised(np.array([[0.5, 0.6]]), rows, known, np.ones((1, 2), dtype=bool), 0.02) == []


def test_discrimination_is_told_once_enough_accounts_are_lost() -> None:
    random = np.random.default_rng(9)
    risk = random.uniform(0, 0.5, (200, 2))
    labels = (random.random((200, 2)) < risk).astype(np.int8)
    rows = Rows(np.arange(200, dtype=np.int32), np.full(200, DAY))
    (near, _) = realised(risk, rows, outcomes(labels, rows.as_of), labels >= 0, 0.02)
    assert near.lost_accounts >= LEAST_LOST
    assert near.auc is not None
    assert near.brier is not None
    found = measure(risk[:, 0], labels[:, 0] == 1)
    assert near.auc.value == pytest.approx(found["auc"])
    assert near.brier.value == pytest.approx(found["brier"])
    assert near.auc.low < near.auc.value < near.auc.high


# Before anything is known


@given(st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.25, 0.5, 0.9, 1.0]), min_size=1, max_size=12))
def test_what_is_foreseen_is_the_expectation_over_all_pairs(risks: list[float]) -> None:
    right = pairs = 0.0
    for i, lost in enumerate(risks):
        for j, kept in enumerate(risks):
            if i != j:
                chance = lost * (1 - kept)
                pairs += chance
                right += chance * (1.0 if lost > kept else 0.5 if lost == kept else 0.0)
    found = foreseen(np.array(risks))
    assert found.accounts == len(risks)
    assert found.losses == pytest.approx(sum(risks))
    assert found.brier == pytest.approx(sum(risk * (1 - risk) for risk in risks) / len(risks))
    assert found.auc == pytest.approx(right / pairs) if pairs > 1e-12 else math.isnan(found.auc)


def test_calibrated_risks_keep_what_they_promise() -> None:
    random = np.random.default_rng(3)
    risk = random.beta(0.5, 3.0, 400)
    drawn = [measure(risk, random.random(400) < risk) for _ in range(300)]
    found = foreseen(risk)
    assert found.auc == pytest.approx(np.mean([one["auc"] for one in drawn]), abs=0.005)
    assert found.brier == pytest.approx(np.mean([one["brier"] for one in drawn]), abs=0.003)


def test_nothing_scored_promises_nothing() -> None:
    found = foreseen(np.empty(0))
    assert (found.accounts, found.losses) == (0, 0.0)
    assert math.isnan(found.auc)
    assert math.isnan(found.brier)
