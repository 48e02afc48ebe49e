"""Calibration: against a slow plain optimiser, and by hand."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from models.calibration import PRIOR_LOSSES, SMALLEST_SLOPE, Calibration, fit_calibration


def draw(rows: int, seed: int, a: float, b: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    scores = rng.normal(-2.0, 1.2, (rows, 1)) + np.sort(rng.uniform(0, 1, (rows, len(b))), axis=1)
    chance = 1 / (1 + np.exp(-(a * scores + np.array(b))))
    return scores, (rng.random(chance.shape) < chance).astype(np.int8)


def surprise(z: float, share: float) -> float:
    """Log loss of log odds z where a share of the outcomes is a loss."""
    return math.log1p(math.exp(-abs(z))) + max(z, 0.0) - share * z


def objective(scores: np.ndarray, labels: np.ndarray, a: float, b: np.ndarray) -> float:
    """The definition, row by row: real outcomes once, expected outcomes as many times as the prior is worth."""
    total = 0.0
    for h in range(scores.shape[1]):
        known = [i for i in range(len(scores)) if labels[i, h] >= 0]
        expected = {i: 1 / (1 + math.exp(-scores[i, h])) for i in known}
        losses = sum(int(labels[i, h]) for i in known)
        times = PRIOR_LOSSES / max(losses, sum(expected.values()))
        for i in known:
            z = a * scores[i, h] + b[h]
            total += surprise(z, labels[i, h]) + times * surprise(z, expected[i])
    return total


def slowly(scores: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    """Another method on other parameters: log a and free b, held in order by an explicit constraint."""
    horizons = scores.shape[1]
    ordered: Any = {"type": "ineq", "fun": lambda x: np.diff(x[1:])}

    def mean_objective(x: np.ndarray) -> float:
        return objective(scores, labels, math.exp(x[0]), x[1:]) / scores.size

    best = minimize(
        mean_objective,
        [0.3, *np.linspace(-1, 1, horizons).tolist()],
        method="SLSQP",
        constraints=[ordered] if horizons > 1 else [],
        options={"ftol": 1e-13, "maxiter": 500},
    )
    return math.exp(best.x[0]), np.asarray(best.x[1:])


@pytest.mark.parametrize(
    ("rows", "a", "b", "unknown"),
    [
        (60, 1.0, (0.0, 0.0), 0.0),
        (60, 0.5, (-1.0, 0.0, 0.2), 0.2),
        (40, 2.0, (0.5, -0.5, -0.2, 1.0), 0.1),  # the second and third fall: pooled
        (12, 1.0, (1.0,), 0.0),
    ],
)
def test_it_is_the_most_likely(rows: int, a: float, b: tuple[float, ...], unknown: float) -> None:
    scores, labels = draw(rows, 1, a, b)
    labels[np.random.default_rng(2).random(labels.shape) < unknown] = -1
    fitted = fit_calibration(scores, labels)
    slope, levels = slowly(scores, labels)
    assert fitted.a == pytest.approx(slope, abs=2e-4)
    assert np.array(fitted.b) == pytest.approx(levels, abs=5e-4)
    least = objective(scores, labels, fitted.a, np.array(fitted.b))
    assert least <= objective(scores, labels, slope, levels) + 1e-7


def test_levels_that_would_fall_are_pooled() -> None:
    scores, labels = draw(5000, 3, 1.0, (1.0, 0.0, 2.0))
    b = fit_calibration(scores, labels).b
    assert b[0] == pytest.approx(b[1], abs=1e-9)
    assert b[2] > b[1] + 1


def test_many_losses_are_followed() -> None:
    scores, labels = draw(40_000, 4, 0.6, (-0.7, -0.2, 0.4))
    fitted = fit_calibration(scores, labels)
    assert fitted.a == pytest.approx(0.6, abs=0.02)
    assert fitted.b == pytest.approx((-0.7, -0.2, 0.4), abs=0.05)


def test_few_losses_barely_move_the_score() -> None:
    nothing, few, many = (fit_calibration(*draw(rows, 5, 0.4, (-1.0, -1.0))).a for rows in (8, 80, 40_000))
    assert few - many > 0.05
    assert nothing > few
    certain = fit_calibration(*draw(25, 5, 0.4, (-1.0, -1.0)), prior_losses=1e7)
    assert certain.a == pytest.approx(1, abs=1e-3)
    assert certain.b == pytest.approx((0, 0), abs=1e-3)


def test_no_loss_at_all_keeps_the_slope_and_lowers_the_level() -> None:
    scores = np.linspace(-4, -1, 40)[:, None] + np.array([0.0, 0.5])
    fitted = fit_calibration(scores, np.zeros((40, 2), dtype=np.int8))
    assert fitted.a == 1.0
    assert all(-10 < level < 0 for level in fitted.b)


def test_one_score_by_hand() -> None:
    # Ten rows of even odds, none lost: expected losses 5, ten pseudo-losses make the ten rows count twice as
    # evenly split ones. 10 of 30 are lost: odds 1 to 2.
    fitted = fit_calibration(np.zeros((10, 1)), np.zeros((10, 1), dtype=np.int8))
    assert fitted.a == 1.0
    assert fitted.b == pytest.approx((-math.log(2),), abs=1e-6)


def test_what_is_believed_beyond_the_score_by_hand() -> None:
    # Odds of 3 to 1 are believed: 7.5 losses expected of ten rows, so that ten pseudo-losses make each row count 4/3
    # times more, of which 3/4 are lost: 1 of 7/3. Odds 3 to 4.
    scores, labels = np.zeros((10, 1)), np.zeros((10, 1), dtype=np.int8)
    fitted = fit_calibration(scores, labels, beyond=np.array([math.log(3)]))
    assert fitted.a == 1.0
    assert fitted.b == pytest.approx((math.log(3 / 4),), abs=1e-6)
    # the same as a score that says so itself, but for where it is said
    said = fit_calibration(scores + math.log(3), labels)
    assert said.b[0] + math.log(3) == pytest.approx(fitted.b[0], abs=1e-6)


def test_where_outcomes_weigh_nothing_the_calibration_is_what_is_believed() -> None:
    scores, labels = draw(25, 5, 0.4, (-1.0, -1.0, -1.0))
    beyond = np.array([-0.7, 0.0, 0.4])
    certain = fit_calibration(scores, labels, prior_losses=1e7, beyond=beyond)
    assert certain.a == pytest.approx(1, abs=1e-3)
    assert certain.b == pytest.approx(tuple(beyond), abs=1e-3)
    plain = fit_calibration(scores, labels, prior_losses=1e7)
    assert plain.b == pytest.approx((0, 0, 0), abs=1e-3)


def test_many_losses_overrule_what_is_believed() -> None:
    scores, labels = draw(40_000, 4, 0.6, (-0.7, -0.2, 0.4))
    fitted = fit_calibration(scores, labels, beyond=np.array([-2.0, 0.0, 2.0]))
    assert fitted.a == pytest.approx(0.6, abs=0.02)
    assert fitted.b == pytest.approx((-0.7, -0.2, 0.4), abs=0.05)


def test_nothing_but_losses_keeps_the_slope() -> None:
    fitted = fit_calibration(np.zeros((10, 1)), np.ones((10, 1), dtype=np.int8))
    # 10 lost and 10 pseudo-rows of which 5 are.
    assert fitted.a == 1.0
    assert fitted.b == pytest.approx((math.log(3),), abs=1e-6)


def test_an_upside_down_score_is_flattened_not_turned() -> None:
    scores, labels = draw(20_000, 6, -1.0, (-4.0,))
    assert fit_calibration(scores, labels).a == SMALLEST_SLOPE


@given(seed=st.integers(0, 1000), times=st.integers(2, 6))
@settings(max_examples=10)
def test_snapshots_of_the_same_accounts_are_no_new_evidence(seed: int, times: int) -> None:
    scores, labels = draw(50, seed, 1.2, (-0.5, 0.5))
    accounts = np.arange(50) // 2
    once = fit_calibration(scores, labels, accounts)
    often = fit_calibration(np.tile(scores, (times, 1)), np.tile(labels, (times, 1)), np.tile(accounts, times))
    assert often.a == pytest.approx(once.a, abs=1e-5)
    assert often.b == pytest.approx(once.b, abs=1e-5)


def test_rows_without_an_outcome_count_for_nothing() -> None:
    scores, labels = draw(200, 7, 1.0, (0.0, 0.5))
    more = np.vstack((scores, np.full((20, 2), np.nan)))
    unknown = np.vstack((labels, np.full((20, 2), -1, dtype=np.int8)))
    assert fit_calibration(more, unknown) == fit_calibration(scores, labels)


def test_what_cannot_be_calibrated_is_refused() -> None:
    scores, labels = draw(20, 8, 1.0, (0.0, 0.0))
    with pytest.raises(ValueError, match="without any known outcome"):
        fit_calibration(scores, np.column_stack((labels[:, 0], np.full(20, -1))))
    scores[3, 1] = np.inf
    with pytest.raises(ValueError, match="finite"):
        fit_calibration(scores, labels)


@pytest.mark.parametrize(
    ("a", "b"), [(0.0, (0.0,)), (math.nan, (0.0,)), (1.0, ()), (1.0, (0.0, -0.1)), (1.0, (math.inf,))]
)
def test_a_calibration_that_could_cross_cannot_be_made(a: float, b: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="calibration"):
        Calibration(a, b)
