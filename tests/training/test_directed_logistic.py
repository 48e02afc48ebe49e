"""The logistic regression that starts from a belief: by hand, against scikit-learn's, and its bounds and prior.

That it is a proper scikit-learn estimator is tested with all others, in tests/test_estimators.py."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_info, threadpool_limits

from features.histories.log import Array
from training.directed_logistic import DirectedLogistic


def draw(rows: int, seed: int, coef: tuple[float, ...] = (1.0, -0.5, 0.0), level: float = -1.0) -> tuple[Array, Array]:
    chance = np.random.default_rng(seed)
    x = chance.normal(size=(rows, len(coef)))
    return x, (chance.random(rows) < expit(x @ np.array(coef) + level)).astype(int)


def objective(model: DirectedLogistic, x: Array, y: Array, weight: Array, w: Array, level: float) -> float:
    """The definition, row by row."""
    total = 0.0
    for row, lost, times in zip(x.tolist(), y.tolist(), weight.tolist(), strict=True):
        z = sum(figure * one for figure, one in zip(row, w.tolist(), strict=True)) + level
        total += times * (math.log1p(math.exp(-abs(z))) + max(z, 0.0) - lost * z)
    apart = w - np.broadcast_to(np.asarray(model.prior, dtype=float), w.shape)
    return total + 0.5 * float((np.asarray(model.strength) * apart**2).sum())


def test_the_optimum_by_hand() -> None:
    # One row at -1 that stays and one at 1 that leaves: the intercept is 0, and at odds of 3 to 1 the two residuals
    # pull by 1/4 each, against a prior that is 1/2 away and has strength 1.
    fitted = DirectedLogistic(prior=math.log(3) - 0.5, strength=1.0).fit([[-1.0], [1.0]], [0, 1])
    assert fitted.coef_ == pytest.approx(np.array([[math.log(3)]]), abs=1e-6)
    assert fitted.intercept_ == pytest.approx(np.zeros(1), abs=1e-6)
    np.testing.assert_allclose(fitted.predict_proba([[1.0], [-1.0]]), [[0.25, 0.75], [0.75, 0.25]], atol=1e-6)
    assert fitted.decision_function([[2.0]]) == pytest.approx([math.log(9)], abs=1e-5)


def test_without_columns_that_tell_anything_the_level_is_the_log_odds() -> None:
    fitted = DirectedLogistic(prior=0.7).fit(np.zeros((10, 1)), [1] * 3 + [0] * 7)
    assert fitted.intercept_ == pytest.approx(np.array([math.log(3 / 7)]), abs=1e-6)
    assert fitted.coef_ == pytest.approx(np.array([[0.7]]), abs=1e-6)


@pytest.mark.parametrize("C", [0.01, 1.0, 1000.0])
def test_undirected_and_about_nothing_it_is_scikit_learn_s(C: float) -> None:
    x, y = draw(500, 1)
    weight = np.random.default_rng(2).uniform(0.1, 3, 500)
    ours = DirectedLogistic(strength=1 / C).fit(x, y, weight)
    theirs = LogisticRegression(C=C, tol=1e-12, max_iter=10_000).fit(x, y, weight)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-5)
    np.testing.assert_allclose(ours.predict_proba(x), theirs.predict_proba(x), atol=1e-6)
    np.testing.assert_array_equal(ours.predict(x), theirs.predict(x))


def test_columns_of_other_scales_do_not_keep_it_from_its_optimum() -> None:
    """A column a thousand times as wide as its prior expects, and one far from the middle."""
    x, y = draw(400, 3, (1.0, -0.5))
    scaled = x * [1000.0, 1.0] + [0.0, 100.0]
    ours = DirectedLogistic().fit(scaled, y)
    theirs = LogisticRegression(C=1.0, tol=1e-12, max_iter=10_000, solver="newton-cholesky").fit(scaled, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-3)


@given(seed=st.integers(0, 1000), strength=st.floats(0.01, 100), directed=st.booleans())
def test_nothing_about_the_optimum_is_better(seed: int, strength: float, directed: bool) -> None:
    chance = np.random.default_rng((seed, 3))
    x, y = draw(40, seed)
    y[:2] = 0, 1
    weight = chance.uniform(0.1, 3, 40)
    model = DirectedLogistic(chance.normal(0, 1, 3), strength, directed).fit(x, y, weight)
    w, level = model.coef_[0], float(model.intercept_[0])
    least = objective(model, x, y, weight, w, level)
    for step in (1e-3, 0.1):
        for _ in range(10):
            other = w + step * chance.normal(size=3)
            other = np.maximum(other, 0) if directed else other
            assert objective(model, x, y, weight, other, level + step * chance.normal()) > least - 1e-7


def test_no_directed_coefficient_turns_against_its_direction() -> None:
    x, y = draw(2000, 4, (-2.0, 2.0, -2.0))
    free, mixed = DirectedLogistic().fit(x, y), DirectedLogistic(directed=[True, True, False]).fit(x, y)
    assert np.sign(free.coef_[0]).tolist() == [-1, 1, -1]
    assert mixed.coef_[0, 0] == 0
    assert mixed.coef_[0, 1] > 1
    assert mixed.coef_[0, 2] < -1
    # the directed column that would turn is left out: the others stand as they would without it
    without = DirectedLogistic().fit(x[:, 1:], y)
    np.testing.assert_allclose(mixed.coef_[0, 1:], without.coef_[0], rtol=1e-4)


def test_a_prior_below_nothing_is_kept_at_nothing() -> None:
    x, y = draw(50, 5)
    fitted = DirectedLogistic(prior=-1.0, strength=1e6, directed=True).fit(x, y)
    assert (fitted.coef_ == 0).all()


def test_a_strong_prior_rules_and_a_weak_one_gives_way() -> None:
    x, y = draw(2000, 6)
    prior = np.array([0.2, 0.4, 0.6])
    strong, weak = (DirectedLogistic(prior, strength).fit(x, y).coef_[0] for strength in (1e9, 1e-3))
    np.testing.assert_allclose(strong, prior, atol=1e-5)
    np.testing.assert_allclose(weak, DirectedLogistic(0.0, 1e-3).fit(x, y).coef_[0], atol=1e-4)
    # and each column has its own
    mixed = DirectedLogistic(prior, [1e9, 1e-3, 1e9]).fit(x, y).coef_[0]
    np.testing.assert_allclose(mixed[[0, 2]], prior[[0, 2]], atol=1e-5)
    assert mixed[1] < 0


def test_weights_count_like_repeated_rows() -> None:
    x, y = draw(60, 7)
    times = np.random.default_rng(7).integers(0, 4, 60)
    again = np.repeat(np.arange(60), times)
    weighted, repeated = DirectedLogistic().fit(x, y, times), DirectedLogistic().fit(x[again], y[again])
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-5)
    np.testing.assert_allclose(weighted.intercept_, repeated.intercept_, rtol=1e-5)


def test_no_bit_depends_on_the_number_of_cores() -> None:
    x, y = draw(4000, 10, tuple(np.linspace(-1, 1, 200).tolist()))
    found = []
    for cores in (1, 4):
        with threadpool_limits(cores, user_api="blas"):
            assert {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"} == {cores}
            found.append(DirectedLogistic(directed=True).fit(x, y).coef_)
    np.testing.assert_array_equal(found[0], found[1])


def test_any_two_classes_have_names() -> None:
    x, y = draw(60, 8)
    named = DirectedLogistic().fit(x, np.where(y == 1, "lost", "kept"))
    assert named.classes_.tolist() == ["kept", "lost"]
    np.testing.assert_array_equal(named.predict(x) == "lost", DirectedLogistic().fit(x, y).predict(x) == 1)


@pytest.mark.parametrize("strength", [0.0, -1.0, float("nan"), [1.0, 0.0, 1.0]])
def test_a_strength_that_is_none_is_refused(strength: object) -> None:
    with pytest.raises(ValueError, match="strength must be above 0"):
        DirectedLogistic(strength=strength).fit(*draw(20, 9))  # type: ignore[arg-type]


def test_one_class_alone_is_refused() -> None:
    with pytest.raises(ValueError, match="1 class, two are needed"):
        DirectedLogistic().fit([[0.0], [1.0]], [1, 1])
