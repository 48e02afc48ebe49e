"""The linear half of the risk: by hand, along the horizon, as shares, and as text."""

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.linear import CUT_OFF, KNOTS, LinearModel, ramps

NAN = float("nan")


def model() -> LinearModel:
    """Two columns; the score rises by 0.6 over the first 15 days past the contract's end, by 0.3 over the next 15."""
    rises = np.zeros(len(KNOTS) - 1)
    rises[[KNOTS.index(0.0), KNOTS.index(15.0)]] = 0.6, 0.3
    two = np.array
    return LinearModel(
        two([10.0, 0.0]), two([2.0, 1.0]), two([0.5, 0.0]), two([-1.0, 0.25]), -2.0, rises, np.full_like(rises, 0.5)
    )


def drawn(seed: int, columns: int = 5) -> LinearModel:
    chance = np.random.default_rng(seed)
    rises = chance.exponential(1, len(KNOTS) - 1) * (chance.random(len(KNOTS) - 1) < 0.5)
    middle, mean, coef = chance.normal(0, 3, (3, columns))
    usual = chance.random(len(KNOTS) - 1)
    return LinearModel(middle, chance.uniform(0.1, 3, columns), mean, coef, float(chance.normal()), rises, usual)


def figures(rows: int, seed: int, columns: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Figures and days to the end, a third of both unknown."""
    chance = np.random.default_rng((seed, 1))
    values, end = chance.normal(0, 5, (rows, columns)), chance.uniform(-400, 800, rows)
    values[chance.random(values.shape) < 1 / 3] = NAN
    end[chance.random(rows) < 1 / 3] = NAN
    return np.asfortranarray(values), end


def test_scores_by_hand() -> None:
    # The first figure lies one spread above the middle, half of which is usual; the second two spreads above.
    # Within 90 days the contract does not end yet; within 120 it has for 20: 0.6 and a third of 0.3.
    scores = model().scores(np.array([[12.0, 2.0]]), np.array([100.0]), (90, 120))
    assert scores.tolist() == [pytest.approx([-2.0 - 0.5 + 0.5, -2.0 - 0.5 + 0.5 + 0.7])]


def test_the_unknown_adds_nothing() -> None:
    scores = model().scores(np.array([[NAN, 2.0], [NAN, NAN]]), np.array([1000.0, 1000.0]), (90,))
    assert scores.tolist() == [[-2.0 + 0.5], [-2.0]]
    # An unknown end stands for what is usual: half of all that the contract's end can add.
    unknown = model().scores(np.full((1, 2), NAN), np.array([NAN]), (90, 365))
    assert unknown.tolist() == [pytest.approx([-2.0 + 0.45, -2.0 + 0.45])]


def test_figures_count_no_further_than_three_spreads() -> None:
    at, beyond, far = (model().scores(np.array([[one, 0.0]]), np.zeros(1), (1,)) for one in (16.0, 16.1, 1e300))
    assert at == beyond == far
    assert model().inputs(np.array([[1e300, -1e300]])).tolist() == [[CUT_OFF - 0.5, -CUT_OFF]]


def test_ramps_rise_one_after_the_other_from_the_first_knot_to_the_last() -> None:
    """By hand at the knots; halfway through one; before all and after all."""
    at_knots = ramps(np.array(KNOTS))
    np.testing.assert_array_equal(at_knots, np.tri(len(KNOTS), len(KNOTS) - 1, -1))
    assert ramps(np.array([7.5])).tolist() == [[1, 1, 1, 1, 1, 0.5, 0, 0, 0, 0, 0]]
    assert ramps(np.array([-1e9, 1e9])).sum(axis=1).tolist() == [0, len(KNOTS) - 1]
    assert np.isnan(ramps(np.array([NAN]))).all()


@given(
    seed=st.integers(0, 10_000),
    end=st.one_of(st.floats(-1000, 1000), st.just(NAN)),
    horizons=st.lists(st.integers(1, 1500), min_size=2, max_size=8, unique=True).map(sorted),
)
def test_scores_never_fall_as_the_horizon_grows(seed: int, end: float, horizons: list[int]) -> None:
    values, _ = figures(3, seed)
    scores = drawn(seed).scores(values, np.full(3, end), horizons)
    assert (np.diff(scores, axis=1) >= 0).all()


def test_scores_fall_not_even_by_rounding_about_the_knots() -> None:
    """Ramps of all sizes and none: interpolating between knots would fall by a last bit in about one of a hundred."""
    knots = np.array(KNOTS)
    about = np.sort(np.concatenate((np.nextafter(knots, -np.inf), *(knots + step for step in (-1e-9, 0.0, 0.5)))))
    chance = np.random.default_rng(1)
    for seed in range(1000):
        one = drawn(seed, 1)
        alone = replace(one, intercept=0.0, ramps=one.ramps * 10.0 ** chance.uniform(-9, 1))
        scores = alone.scores(np.full((1, 1), NAN), np.zeros(1), about)  # type: ignore[arg-type]
        assert (np.diff(scores) >= 0).all()


def test_a_row_does_not_depend_on_the_others() -> None:
    linear, (values, end) = drawn(1, 400), figures(700, 1, 400)
    whole = linear.scores(values, end, (30, 90))
    for row in range(0, 700, 50):
        alone = linear.scores(values[row : row + 1], end[row : row + 1], (30, 90))
        np.testing.assert_array_equal(alone[0], whole[row])
    assert linear.scores(values[:0], end[:0], (30, 90)).shape == (0, 2)


@given(seed=st.integers(0, 10_000), horizon=st.integers(1, 1000))
def test_contributions_add_up_to_the_score(seed: int, horizon: int) -> None:
    linear, (values, end) = drawn(seed), figures(20, seed)
    shares = linear.contributions(values, end, horizon)
    assert shares.shape == (20, 5 + 3)
    np.testing.assert_allclose(shares.sum(axis=1), linear.scores(values, end, (horizon,))[:, 0], rtol=0, atol=1e-12)
    # the horizon has no share of its own; the rest is the same of every row; nothing unknown has a share
    assert (shares[:, 5] == 0).all()
    assert len(set(shares[:, 7])) == 1
    assert (shares[:, :5][np.isnan(values)] == 0).all()
    assert (shares[:, 6][np.isnan(end)] == 0).all()


def test_contributions_by_hand() -> None:
    shares = model().contributions(np.array([[12.0, 2.0]]), np.array([100.0]), 120)
    assert shares.tolist() == [pytest.approx([-0.5, 0.5, 0.0, 0.7 - 0.45, -2.0 + 0.45])]


def test_the_last_column_is_the_mean_over_the_rows_that_it_was_centred_on() -> None:
    """With ``mean`` and ``usual_ramps`` those of some rows, their mean score is the last column."""
    values, end = figures(200, 3)
    linear = drawn(3)
    scaled = replace(linear, mean=np.zeros(5)).inputs(values)
    mean = np.array([column[~np.isnan(one)].mean() for column, one in zip(scaled.T, values.T, strict=True)])
    usual = ramps(90 - end[~np.isnan(end)]).mean(axis=0)
    centred = replace(linear, mean=mean, usual_ramps=usual)
    base = centred.contributions(values, end, 90)[0, -1]
    assert centred.scores(values, end, (90,)).mean() == pytest.approx(base, abs=1e-12)


def test_text_holds_every_bit() -> None:
    linear, (values, end) = drawn(4), figures(50, 4)
    again = LinearModel.from_json(json.loads(json.dumps(linear.to_json())))
    assert again.to_json() == linear.to_json()
    np.testing.assert_array_equal(again.scores(values, end, (30, 365)), linear.scores(values, end, (30, 365)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda one: replace(one, coef=one.coef[1:]), "differ in length"),
        (lambda one: replace(one, ramps=one.ramps[1:]), "differ in length"),
        (lambda one: replace(one, usual_ramps=one.usual_ramps[1:]), "differ in length"),
        (lambda one: replace(one, scale=np.array([1.0, 0.0])), "scales must be above 0"),
        (lambda one: replace(one, scale=np.array([1.0, NAN])), "scales must be above 0"),
        (lambda one: replace(one, ramps=-one.ramps), "never fall along the horizon"),
    ],
)
def test_parts_that_do_not_fit_are_refused(change: Callable[[LinearModel], LinearModel], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        change(model())


def test_text_of_something_else_is_refused() -> None:
    told = model().to_json()
    with pytest.raises(TypeError, match="coef"):
        LinearModel.from_json({name: part for name, part in told.items() if name != "coef"})
    with pytest.raises(TypeError, match="slope"):
        LinearModel.from_json(told | {"slope": 1.0})
    with pytest.raises(ValueError, match="could not convert"):
        LinearModel.from_json(told | {"coef": ["much", "little"]})
