"""The blend: a weighted sum of trees and linear model, in scores and in shares."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.blend import Blend
from models.risk import HORIZONS, RiskModel
from models.trees import predict_scores, stack
from tests.models.portfolio import COLUMNS, PLACE, WEIGHTS, portfolio


@given(trees=st.floats(0, 2), linear=st.floats(0.1, 2))
def test_scores_are_the_weighted_sum(model: RiskModel, trees: float, linear: float) -> None:
    rows = portfolio(30, 1)
    values, end = rows.values, rows.standing.days_to_end
    blend = replace(model.blend, trees_weight=trees, linear_weight=linear)
    expected = trees * predict_scores(blend.booster, values, end, HORIZONS)
    expected += linear * blend.linear.scores(values, end, HORIZONS)
    np.testing.assert_array_equal(blend.scores(values, end, HORIZONS), expected)


@given(seed=st.integers(0, 10_000), missing=st.sampled_from([0.0, 0.3, 1.0]), horizon=st.sampled_from(HORIZONS))
def test_contributions_add_up_to_the_score(model: RiskModel, seed: int, missing: float, horizon: int) -> None:
    rows = portfolio(30, seed, missing)
    values, end = rows.values, rows.standing.days_to_end
    shares = model.blend.contributions(values, end, horizon)
    assert shares.shape == (30, len(COLUMNS) + 3)
    scores = model.blend.scores(values, end, (horizon,))[:, 0]
    np.testing.assert_allclose(shares.sum(axis=1), scores, rtol=0, atol=1e-12)
    assert len(set(shares[:, -1])) == 1


def test_contributions_are_the_weighted_shares_of_both_halves(model: RiskModel) -> None:
    rows = portfolio(30, 2)
    values, end = rows.values, rows.standing.days_to_end
    trees = np.asarray(model.blend.booster.predict(stack(values, end, (90,)), pred_contrib=True))
    linear = model.blend.linear.contributions(values, end, 90)
    shares = model.blend.contributions(values, end, 90)
    np.testing.assert_allclose(shares, WEIGHTS[0] * trees + WEIGHTS[1] * linear, rtol=0, atol=1e-14)
    silence = PLACE["D8f.silence.now"]
    assert (trees[:, silence] != 0).any()
    assert (linear[:, silence] != 0).any()


def test_one_half_alone_is_itself(model: RiskModel) -> None:
    rows = portfolio(30, 3)
    values, end = rows.values, rows.standing.days_to_end
    trees, linear = (replace(model.blend, trees_weight=one, linear_weight=1 - one) for one in (1.0, 0.0))
    np.testing.assert_array_equal(trees.scores(values, end, (90,)), predict_scores(trees.booster, values, end, (90,)))
    np.testing.assert_array_equal(linear.scores(values, end, (90,)), linear.linear.scores(values, end, (90,)))
    assert (linear.contributions(values, end, 90)[:, len(COLUMNS)] == 0).all()


@pytest.mark.parametrize("weights", [(-0.1, 1.0), (1.0, -0.1), (0.0, 0.0), (float("nan"), 1.0)])
def test_weights_that_turn_or_silence_the_score_are_refused(model: RiskModel, weights: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="weights must not be below 0 nor all 0"):
        Blend(model.blend.booster, model.blend.linear, *weights)


def test_halves_of_different_columns_are_refused(model: RiskModel) -> None:
    linear = model.blend.linear
    fewer = replace(
        linear, centre=linear.centre[1:], scale=linear.scale[1:], mean=linear.mean[1:], coef=linear.coef[1:]
    )
    with pytest.raises(ValueError, match="the booster has 9 inputs for 6 columns"):
        replace(model.blend, linear=fewer)
