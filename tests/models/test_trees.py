"""The trees of the risk: directions, horizons, weights and rounds, whatever the data."""

from dataclasses import replace

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.risk import HORIZONS
from models.trees import CHUNK, RiskSettings, StackedRows, predict_scores, stack, train_booster, train_watched
from tests.models.portfolio import COLUMNS, INDICATORS, PLACE, QUICK, outcomes, portfolio

DEEP = replace(QUICK, depth=4, rounds=80, lambda_l2=0.0, learning_rate=0.2)
HASTY = replace(QUICK, learning_rate=0.5, early_stopping=5)
WEIGHT = np.random.default_rng(10).uniform(0.1, 1.0, 400)


def fit(settings: RiskSettings, indicators: tuple = INDICATORS, seed: int = 1) -> lgb.Booster:  # type: ignore[type-arg]
    rows = portfolio(1500, seed)
    labels = outcomes(rows, seed)
    return train_booster(rows.values, rows.standing.days_to_end, indicators, labels, HORIZONS, None, settings)


@pytest.fixture(scope="module")
def booster() -> lgb.Booster:
    return fit(QUICK)


def watched(settings: RiskSettings) -> tuple[lgb.Booster, np.ndarray]:
    """Trained while watched on later rows whose outcomes are another's, so that it soon gains no more."""
    rows, later = portfolio(400, 8), portfolio(400, 9)
    shuffled = np.random.default_rng(9).permutation(outcomes(later, 9))
    end = rows.standing.days_to_end
    return train_watched(
        rows.values,
        end,
        INDICATORS,
        outcomes(rows, 8),
        HORIZONS,
        WEIGHT,
        settings,
        (later.values, later.standing.days_to_end, shuffled),
    )


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
def test_every_documented_direction_is_kept(settings: RiskSettings, seed: int) -> None:
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
def test_scores_never_fall_as_the_horizon_grows(booster: lgb.Booster, seed: int, missing: float) -> None:
    rows = portfolio(50, seed, missing)
    scores = predict_scores(booster, rows.values, rows.standing.days_to_end, HORIZONS)
    assert (np.diff(scores, axis=1) >= 0).all()


def test_rows_are_scored_in_parts_like_the_whole(booster: lgb.Booster) -> None:
    rows = portfolio(CHUNK + 10, 4)
    end = rows.standing.days_to_end
    whole = np.asarray(booster.predict(stack(rows.values, end, HORIZONS), raw_score=True)).reshape(-1, 4)
    np.testing.assert_array_equal(predict_scores(booster, rows.values, end, HORIZONS), whole)
    assert predict_scores(booster, rows.values[:0], end[:0], HORIZONS).shape == (0, 4)


def test_the_same_input_gives_the_same_trees(booster: lgb.Booster) -> None:
    assert fit(QUICK).model_to_string() == booster.model_to_string()
    assert fit(replace(QUICK, seed=8)).model_to_string() != booster.model_to_string()


def test_class_priors_are_kept(booster: lgb.Booster) -> None:
    rows = portfolio(1500, 1)
    labels = outcomes(rows, 1)
    scores = predict_scores(booster, rows.values, rows.standing.days_to_end, HORIZONS)
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


def test_weights_are_by_row() -> None:
    """What is believed of all rows together is what is known of them, each counted by its weight."""
    rows = portfolio(1500, 7)
    labels, end = outcomes(rows, 7), rows.standing.days_to_end
    known = labels >= 0
    weight = np.where((labels == 1).any(axis=1), 10.0, 1.0) * np.random.default_rng(7).uniform(0.5, 2, 1500)
    booster = train_booster(rows.values, end, INDICATORS, labels, HORIZONS, weight, QUICK)
    believed = 1 / (1 + np.exp(-predict_scores(booster, rows.values, end, HORIZONS)))
    by_row = np.broadcast_to(weight[:, None], labels.shape)[known]
    assert (by_row * believed[known]).sum() == pytest.approx((by_row * labels[known]).sum(), rel=0.01)
    assert believed[known].sum() > 1.2 * labels[known].sum()


def test_watched_training_ends_where_later_rows_gain_no_more() -> None:
    booster, losses = watched(HASTY)
    best = int(losses.argmin()) + 1
    assert len(losses) == booster.num_trees() == best + HASTY.early_stopping < HASTY.rounds
    patient, all_losses = watched(replace(HASTY, early_stopping=HASTY.rounds))
    assert len(all_losses) == patient.num_trees() == HASTY.rounds
    np.testing.assert_array_equal(all_losses[: len(losses)], losses)


def test_the_losses_told_are_those_of_the_later_rows_after_each_tree() -> None:
    booster, losses = watched(HASTY)
    later = portfolio(400, 9)
    labels = np.random.default_rng(9).permutation(outcomes(later, 9))
    known = labels >= 0
    for rounds in (1, 3, len(losses)):
        z = predict_scores(booster, later.values, later.standing.days_to_end, HORIZONS, rounds)[known]
        expected = np.logaddexp(0.0, np.where(labels[known] == 1, -z, z)).mean()
        assert losses[rounds - 1] == pytest.approx(expected, rel=1e-9)


def test_watching_changes_no_tree() -> None:
    rows = portfolio(400, 8)
    labels, end = outcomes(rows, 8), rows.standing.days_to_end
    trained = train_booster(rows.values, end, INDICATORS, labels, HORIZONS, WEIGHT, HASTY)
    booster, losses = watched(HASTY)
    assert trained.num_trees() == HASTY.rounds
    np.testing.assert_array_equal(
        predict_scores(booster, rows.values, end, HORIZONS),
        predict_scores(trained, rows.values, end, HORIZONS, len(losses)),
    )


def test_the_first_rounds_predict_like_trees_trained_for_so_many() -> None:
    rows = portfolio(400, 8)
    labels, end = outcomes(rows, 8), rows.standing.days_to_end
    short, long = (
        train_booster(rows.values, end, INDICATORS, labels, HORIZONS, None, replace(QUICK, rounds=rounds))
        for rounds in (7, 20)
    )
    of_seven = predict_scores(short, rows.values, end, HORIZONS)
    np.testing.assert_array_equal(predict_scores(long, rows.values, end, HORIZONS, 7), of_seven)
    assert (predict_scores(long, rows.values, end, HORIZONS) != of_seven).any()
    np.testing.assert_array_equal(predict_scores(short, rows.values, end, HORIZONS, 20), of_seven)


@pytest.mark.parametrize("outcome", [0, 1])
def test_training_declines_without_lost_and_kept_clients(outcome: int) -> None:
    rows = portfolio(50, 10)
    labels = np.full((50, 4), outcome, dtype=np.int8)
    with pytest.raises(ValueError, match="lost and kept clients"):
        train_booster(rows.values, rows.standing.days_to_end, INDICATORS, labels, HORIZONS, None, QUICK)
