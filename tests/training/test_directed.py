"""Learning the linear half: what is believed before any loss, and how far losses move it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import spearmanr

from features.histories.log import Array
from features.indicators import Indicator, Signal
from models.linear import KNOTS, LinearModel
from tests.models.portfolio import COLUMNS, INDICATORS, PLACE, indicator, outcomes, portfolio
from training.directed import BELIEVED, LEAST_KNOWN, LOG_DAYS, RAMP, REFERENCE_DAYS, SPREAD, fit_linear

HORIZONS = (30, 90, 180, 365)
DIRECTION = np.array([one.constraint for one in INDICATORS], dtype=float)

NEXT_TO_NOTHING = 1e-9
"""A weight that leaves what is believed as it is."""


def learn(
    values: Array,
    end: Array,
    labels: Array,
    weight: float = 0.5,
    indicators: Sequence[Indicator] = INDICATORS,
    chance: np.random.Generator | None = None,
) -> tuple[LinearModel, Array]:
    return fit_linear(values, end, indicators, labels, HORIZONS, np.full(len(values), weight), chance)


def learned(seed: int = 1, rows: int = 600, weight: float = 0.5) -> tuple[LinearModel, Array]:
    matrix = portfolio(rows, seed)
    return learn(matrix.values, matrix.standing.days_to_end, outcomes(matrix, seed), weight)


@given(seed=st.integers(0, 10_000), weight=st.sampled_from([0.01, 1.0, 100.0]))
def test_directions_are_kept_whatever_the_outcomes(seed: int, weight: float) -> None:
    matrix = portfolio(80, seed)
    labels = np.random.default_rng(seed).integers(-1, 2, (80, 4)).astype(np.int8)
    model, beyond = learn(matrix.values, matrix.standing.days_to_end, labels, weight)
    assert (model.coef * DIRECTION >= 0).all()
    assert (model.coef[DIRECTION == 0] == 0).all()
    assert (model.ramps >= 0).all()
    assert (np.diff(beyond) >= 0).all()


def test_what_is_believed_by_hand() -> None:
    """Three signals have a direction, one of them two columns. The rest of what is believed concerns time alone."""
    model, beyond = learned(weight=NEXT_TO_NOTHING)
    believed = {"G1a.response_rate.365d": -0.25, "G1a.response_rate.trend": -0.25}
    believed |= {"D8f.silence.now": 0.5, "W1a.response_time.365d": 0.5}
    assert BELIEVED == 1.5
    np.testing.assert_allclose(model.coef, [believed.get(column, 0.0) for column in COLUMNS], atol=1e-6)
    np.testing.assert_allclose(model.ramps, RAMP, atol=1e-6)
    np.testing.assert_allclose(beyond, LOG_DAYS * np.log(np.array(HORIZONS) / REFERENCE_DAYS), atol=1e-6)


def test_with_next_to_no_losses_clients_rank_as_by_equal_weights() -> None:
    """The mean of forty signals of two columns each, every one in its direction and brought to a common spread; next to
    none is a tenth of a loss, and one loss moves what is believed, though not by much."""
    columns = [(signal, name) for signal in range(40) for name in ("one", "other")]
    indicators = [
        indicator(f"S{signal}.{name}.now", Signal(f"S{signal}", "", "", ""), "share", "up" if signal % 2 else "down")
        for signal, name in columns
    ]
    direction = np.array([one.constraint for one in indicators])
    chance = np.random.default_rng(3)
    scale = chance.uniform(0.1, 10, 80)
    values, fresh = (chance.normal(size=(rows, 80)) * scale for rows in (400, 300))
    labels = np.zeros((400, 4), dtype=np.int8)
    labels[0] = 1
    equal = (fresh / scale * direction).mean(axis=1)
    alike = []
    for losses in (0.1, 1.0):
        model, _ = learn(values, np.full(400, np.nan), labels, losses / 4, indicators)
        scores = model.scores(fresh, np.full(300, np.nan), (180,))[:, 0]
        alike.append(spearmanr(scores, equal).statistic)
    assert alike[0] > 0.99
    assert alike[1] > 0.75


def test_the_more_evidence_the_further_from_what_is_believed() -> None:
    """Clients leave for silence alone, which is believed to be no worse than two other things."""
    matrix = portfolio(600, 4, missing=0.0)
    end, silence = np.full(600, np.nan), matrix.values[:, PLACE["D8f.silence.now"]]
    risk = expit(2 * (silence - 30) / 30 - 1)
    labels = np.repeat((np.random.default_rng(5).random(600) < risk)[:, None], 4, axis=1).astype(np.int8)
    believed = learn(matrix.values, end, labels, NEXT_TO_NOTHING)[0].coef
    coef = [learn(matrix.values, end, labels, weight)[0].coef for weight in (1e-4, 1e-3, 1e-2, 0.1, 1.0)]
    apart = [float(np.linalg.norm(one - believed)) for one in coef]
    assert apart == sorted(apart)
    assert apart[0] < 0.1
    of_silence = [one[PLACE["D8f.silence.now"]] / np.abs(one).sum() for one in coef]
    assert of_silence == sorted(of_silence)
    assert of_silence[-1] > 0.8


def test_twice_the_evidence_is_twice_the_weight() -> None:
    matrix = portfolio(300, 6)
    end, labels = matrix.standing.days_to_end, outcomes(matrix, 6)
    once, _ = learn(matrix.values, end, labels, 1.0)
    again = np.repeat(np.arange(300), 2)
    twice, _ = learn(matrix.values[again], end[again], labels[again], 0.5)
    # Quantiles of rows that occur twice lie a little off.
    np.testing.assert_allclose(twice.coef, once.coef, atol=0.01)
    np.testing.assert_allclose(twice.intercept, once.intercept, atol=0.01)
    more, _ = learn(matrix.values, end, labels, 2.0)
    assert np.abs(more.coef - once.coef).max() > 0.05


def test_unknown_outcomes_teach_nothing_but_the_scale() -> None:
    matrix = portfolio(300, 7)
    end, labels = matrix.standing.days_to_end, outcomes(matrix, 7)
    labels[200:] = -1
    turned = np.append(np.arange(200), np.arange(299, 199, -1))
    one, _ = learn(matrix.values, end, labels)
    two, _ = learn(matrix.values[turned], end, labels)
    np.testing.assert_allclose(two.coef, one.coef, atol=1e-9)


def test_the_score_and_what_lies_beyond_it_tell_how_often_clients_leave() -> None:
    """With many losses the sum of the risks at each horizon is the number of losses."""
    matrix = portfolio(4000, 8)
    end, labels = matrix.standing.days_to_end, outcomes(matrix, 8)
    model, beyond = learn(matrix.values, end, labels, 1.0)
    risk = expit(model.scores(matrix.values, end, HORIZONS) + beyond)
    known = labels >= 0
    assert (risk * known).sum() == pytest.approx((labels == 1).sum(), rel=0.01)
    np.testing.assert_allclose((risk * known).sum(axis=0), (labels == 1).sum(axis=0), rtol=0.15)


def test_columns_that_are_hardly_ever_known_are_left_out() -> None:
    matrix = portfolio(1000, 9, missing=0.0)
    values, labels = matrix.values.copy(), outcomes(matrix, 9)
    place = PLACE["D8f.silence.now"]
    least = round(LEAST_KNOWN * 1000)
    coef = []
    for known in (least, least - 1, 0):
        values[known:, place] = np.nan
        coef.append(learn(values, matrix.standing.days_to_end, labels)[0].coef[place])
    assert coef[0] > 0
    assert coef[1:] == [0, 0]


def test_what_a_column_left_out_would_have_counted_is_the_others() -> None:
    """A signal of which nothing is known is no signal: the others share what is believed."""
    matrix = portfolio(300, 10)
    values = matrix.values.copy()
    values[:, PLACE["W1a.response_time.365d"]] = np.nan
    model, _ = learn(values, matrix.standing.days_to_end, outcomes(matrix, 10), NEXT_TO_NOTHING)
    assert model.coef[PLACE["D8f.silence.now"]] == pytest.approx(BELIEVED / 2, abs=1e-6)


def test_odd_figures_do_not_stretch_the_scale_and_figures_all_alike_have_one() -> None:
    matrix = portfolio(300, 11, missing=0.0)
    values, place = matrix.values.copy(), PLACE["D8f.silence.now"]
    plain, _ = learn(values, matrix.standing.days_to_end, outcomes(matrix, 11))
    values[:5, place] = 1e9
    values[:, PLACE["W1a.response_time.365d"]] = 24.0
    odd, _ = learn(values, matrix.standing.days_to_end, outcomes(matrix, 11))
    assert odd.scale[place] == pytest.approx(plain.scale[place], rel=0.2)
    assert (odd.scale > 0).all()
    assert odd.centre[PLACE["W1a.response_time.365d"]] == 24.0
    # mostly one figure, and a few others: the middle four fifths have no width, the rest has
    values[:, place] = np.where(np.arange(300) < 10, 50.0, 0.0)
    assert learn(values, matrix.standing.days_to_end, outcomes(matrix, 11))[0].scale[place] == values[:, place].std()


def test_where_no_end_is_known_nothing_is_said_of_ends() -> None:
    matrix = portfolio(300, 12)
    model, _ = learn(matrix.values, np.full(300, np.nan), outcomes(matrix, 12))
    assert (model.ramps == 0).all()
    assert (model.usual_ramps == 0).all()
    scores = model.scores(matrix.values[:1], np.array([10.0]), HORIZONS)
    assert len(set(scores[0].tolist())) == 1


def test_an_unknown_end_counts_as_the_usual_one() -> None:
    matrix = portfolio(300, 13)
    end = matrix.standing.days_to_end
    labels = outcomes(matrix, 13)
    model, _ = learn(matrix.values, end, labels)
    row, place = np.nonzero(labels >= 0)
    past = np.array(HORIZONS)[place] - end[row]
    risen = [np.clip((past - low) / (high - low), 0, 1) for low, high in pairwise(KNOTS)]
    np.testing.assert_allclose(model.usual_ramps, np.nanmean(risen, axis=1))


def test_beliefs_drawn_by_chance_follow_the_seed_and_keep_the_directions() -> None:
    matrix = portfolio(300, 14)
    end, labels = matrix.standing.days_to_end, outcomes(matrix, 14)
    drawn = [learn(matrix.values, end, labels, 0.05, chance=np.random.default_rng(seed))[0] for seed in (1, 1, 2)]
    assert drawn[0].to_json() == drawn[1].to_json() != drawn[2].to_json()
    assert all((one.coef * DIRECTION >= 0).all() for one in drawn)


def test_drawn_beliefs_lie_as_far_from_the_usual_as_is_reasonable() -> None:
    """Where next to nothing is learned, the weights spread as the belief says; where much is, they hardly do."""
    matrix = portfolio(300, 15)
    end, labels = matrix.standing.days_to_end, outcomes(matrix, 15)

    def spread_of(weight: float) -> float:
        chances = np.random.default_rng(3).spawn(60)
        coef = [
            learn(matrix.values, end, labels, weight, chance=one)[0].coef[PLACE["D8f.silence.now"]] for one in chances
        ]
        return float(np.std(coef))

    # Four columns share the spread, and no weight is believed to turn against its direction.
    drawn = np.maximum(BELIEVED / 3 + SPREAD / 2 * np.random.default_rng(4).standard_normal(10_000), 0)
    assert spread_of(NEXT_TO_NOTHING) == pytest.approx(drawn.std(), rel=0.25)
    assert spread_of(50.0) < 0.2 * drawn.std()


@pytest.mark.parametrize("label", [0, 1])
def test_one_outcome_alone_teaches_nothing(label: int) -> None:
    matrix = portfolio(20, 16)
    with pytest.raises(ValueError, match="two are needed"):
        learn(matrix.values, matrix.standing.days_to_end, np.full((20, 4), label, dtype=np.int8))


def test_columns_without_a_direction_have_no_weight() -> None:
    matrix = portfolio(300, 17)
    free = tuple(replace(one, better=None) for one in INDICATORS)
    model, _ = learn(matrix.values, matrix.standing.days_to_end, outcomes(matrix, 17), indicators=free)
    assert (model.coef == 0).all()
