"""Switching risk: what the trained model keeps, whatever the data."""

from dataclasses import replace

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from models.calibration import Calibration
from models.risk import (
    CHUNK,
    CONTRACT_END,
    HORIZONS,
    RiskModel,
    RiskSettings,
    StackedRows,
    predict_scores,
    stack,
    train_booster,
)
from tests.models.portfolio import COLUMNS, INDICATORS, PLACE, QUICK, outcomes, portfolio, trained

DEEP = replace(QUICK, depth=4, rounds=80, lambda_l2=0.0, learning_rate=0.2)


def fit(settings: RiskSettings, indicators: tuple = INDICATORS, seed: int = 1) -> lgb.Booster:  # type: ignore[type-arg]
    rows = portfolio(1500, seed)
    labels = outcomes(rows, seed)
    return train_booster(rows.values, rows.standing.days_to_end, indicators, labels, HORIZONS, None, settings)


def steps(booster: lgb.Booster, place: int, seed: int) -> np.ndarray:
    """Changes of the score as one column rises over every threshold of the model, of rows with gaps elsewhere."""
    trees = booster.trees_to_dataframe()
    thresholds = trees.loc[trees["split_feature"] == booster.feature_name()[place], "threshold"].astype(float)
    assert len(thresholds), "the column is in use, or there is nothing to test"
    around = np.unique(np.concatenate([thresholds - 1e-6, thresholds + 1e-6]))
    rows = portfolio(40, seed)
    base = stack(rows.values, rows.standing.days_to_end, HORIZONS)
    grid = np.repeat(base, len(around), axis=0)
    grid[:, place] = np.tile(around, len(base))
    scores = np.asarray(booster.predict(grid, raw_score=True)).reshape(len(base), len(around))
    return np.diff(scores, axis=1)


@pytest.mark.parametrize("settings", [QUICK, DEEP], ids=["shallow", "deep"])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_trained_model_keeps_every_documented_direction(settings: RiskSettings, seed: int) -> None:
    booster = fit(settings, seed=seed)
    directions = [*(one.constraint for one in INDICATORS), 1, 1]
    used = set(np.flatnonzero(booster.feature_importance()))
    for place, direction in enumerate(directions):
        if direction and place in used:
            assert (direction * steps(booster, place, seed) >= 0).all()
    assert {PLACE["D8f.silence.now"], len(COLUMNS), len(COLUMNS) + 1} <= used


def test_without_its_direction_the_model_would_follow_the_data() -> None:
    free = tuple(replace(one, better=None) for one in INDICATORS)
    changes = steps(fit(DEEP, free), PLACE["D8f.silence.now"], 1)
    assert (changes < 0).any()
    assert (changes > 0).any()


@given(seed=st.integers(0, 10_000), missing=st.sampled_from([0.0, 0.3, 0.9]))
def test_risk_never_falls_as_the_horizon_grows(model: RiskModel, seed: int, missing: float) -> None:
    rows = portfolio(50, seed, missing)
    end = rows.standing.days_to_end
    assert (np.diff(predict_scores(model.booster, rows.values, end, HORIZONS), axis=1) >= 0).all()
    risk = model.risk(rows.values, end)
    assert (np.diff(risk, axis=1) >= 0).all()
    assert ((risk > 0) & (risk < 1)).all()


def test_logits_and_risk_are_the_same_scores(model: RiskModel) -> None:
    rows = portfolio(30, 3)
    end = rows.standing.days_to_end
    risk = model.risk(rows.values, end)
    for place, horizon in enumerate(HORIZONS):
        logits = model.logits(rows.values, end, horizon)
        np.testing.assert_array_equal(expit(logits), risk[:, place])


def test_a_row_does_not_depend_on_the_others(model: RiskModel) -> None:
    rows = portfolio(CHUNK + 10, 4)
    end = rows.standing.days_to_end
    whole = model.risk(rows.values, end)
    for row in (0, 1, CHUNK - 1, CHUNK, CHUNK + 9):
        alone = model.risk(rows.values[row : row + 1], end[row : row + 1])
        np.testing.assert_array_equal(alone[0], whole[row])
    assert model.risk(rows.values[:0], end[:0]).shape == (0, 4)


def test_the_same_input_gives_the_same_trees() -> None:
    assert fit(QUICK).model_to_string() == fit(QUICK).model_to_string()
    assert fit(QUICK).model_to_string() != fit(replace(QUICK, seed=8)).model_to_string()


def test_class_priors_are_kept() -> None:
    rows = portfolio(1500, 1)
    labels = outcomes(rows, 1)
    scores = predict_scores(fit(QUICK), rows.values, rows.standing.days_to_end, HORIZONS)
    known = labels >= 0
    believed = (1 / (1 + np.exp(-scores)))[known].sum()
    assert believed == pytest.approx(labels[known].sum(), rel=0.01)


def test_unknown_outcomes_teach_nothing() -> None:
    rows = portfolio(600, 5)
    labels = outcomes(rows, 5)
    labels[:100] = -1
    other = rows.values.copy()
    other[:100] = 1e6
    end = rows.standing.days_to_end
    texts = {
        train_booster(values, end, INDICATORS, labels, HORIZONS, None, QUICK).model_to_string()
        for values in (rows.values, other)
    }
    assert len(texts) == 1


def test_stacked_rows_are_the_stack_of_the_known() -> None:
    rows = portfolio(20, 6)
    end = rows.standing.days_to_end
    known = outcomes(rows, 6) >= 0
    whole = stack(rows.values, end, HORIZONS)[known.ravel()]
    lazy = StackedRows(rows.values, end, HORIZONS, known)
    assert len(lazy) == len(whole)
    np.testing.assert_array_equal(lazy[0 : len(lazy)], whole)
    np.testing.assert_array_equal(lazy[7], whole[7])
    np.testing.assert_array_equal(lazy[[3, 1]], whole[[3, 1]])


def test_weights_are_per_row_or_per_outcome() -> None:
    rows = portfolio(600, 7)
    labels = outcomes(rows, 7)
    weight = np.random.default_rng(7).uniform(0.5, 2, 600)
    end = rows.standing.days_to_end
    one, two, none = (
        train_booster(rows.values, end, INDICATORS, labels, HORIZONS, given, QUICK).model_to_string()
        for given in (weight, np.tile(weight[:, None], 4), None)
    )
    assert one == two != none


def test_training_ends_where_later_rows_gain_no_more() -> None:
    rows, later = portfolio(400, 8), portfolio(400, 9)
    noise = np.random.default_rng(9).permutation(outcomes(later, 9))
    labels, end = outcomes(rows, 8), rows.standing.days_to_end
    hasty = replace(QUICK, learning_rate=0.5, early_stopping=5)
    valid = (later.values, later.standing.days_to_end, noise)
    stopped = train_booster(rows.values, end, INDICATORS, labels, HORIZONS, None, hasty, valid)
    assert 0 < stopped.num_trees() < hasty.rounds
    assert train_booster(rows.values, end, INDICATORS, labels, HORIZONS, None, hasty).num_trees() == hasty.rounds


@pytest.mark.parametrize("outcome", [0, 1])
def test_training_declines_without_lost_and_kept_clients(outcome: int) -> None:
    rows = portfolio(50, 10)
    labels = np.full((50, 4), outcome, dtype=np.int8)
    with pytest.raises(ValueError, match="lost and kept clients"):
        train_booster(rows.values, rows.standing.days_to_end, INDICATORS, labels, HORIZONS, None, QUICK)


def test_one_horizon_serves_the_silence_definition() -> None:
    model = trained("silence", (45,))
    rows = portfolio(20, 11)
    assert model.risk(rows.values, rows.standing.days_to_end).shape == (20, 1)
    assert model.usual_horizon == 45


def test_parts_that_do_not_fit_are_refused(model: RiskModel) -> None:
    with pytest.raises(ValueError, match="9 inputs for 6 columns"):
        replace(model, columns=COLUMNS[1:])
    with pytest.raises(ValueError, match=CONTRACT_END):
        replace(model, columns=tuple(column.replace("L5", "L9") for column in COLUMNS))
    with pytest.raises(ValueError, match="rising order"):
        replace(model, horizons=(90, 30, 180, 365))
    with pytest.raises(ValueError, match="2 calibrated horizons for 4"):
        replace(model, calibration=Calibration(1.0, (0.0, 0.0)))
    rows = portfolio(2, 12)
    with pytest.raises(ValueError, match="horizon 60: this model knows 30, 90, 180, 365 days"):
        model.logits(rows.values, rows.standing.days_to_end, 60)
