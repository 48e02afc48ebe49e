"""Levels of out-of-fold scores: each fold's are moved to where the model that ships is expected to lie."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from features.histories.log import DAY, Array
from training.levels import LOSSES_BEHIND_STEP, Told, levelled


def told(rate: list[float], said: list[float], each: int = 400, account: int = 0) -> Told:
    """Each month so many accounts of their own, of which this share is lost, and of which all are said to be lost with
    this probability."""
    months = np.repeat(np.arange(len(rate)), each)
    place = np.tile(np.arange(each), len(rate))
    labels = (place < np.round(np.array(rate)[months] * each)).astype(np.int8)
    scores = logit(np.array(said))[months]
    return Told(scores[:, None], labels[:, None], months * 30 * DAY, account + np.arange(len(months)))


def month(of: Told, *numbers: int) -> Array:
    return np.isin(of.as_of, [number * 30 * DAY for number in numbers])


def stated(of: Told, scores: Array, number: int) -> float:
    return float(expit(scores[month(of, number), 0]).mean())


def test_what_is_lacking_is_the_shift_that_makes_the_number_of_losses_right() -> None:
    one = told([0.2], [0.1], each=40_000)
    assert one.lacks(month(one, 0), 0) == pytest.approx(logit(0.2) - logit(0.1), abs=0.01)


def test_a_single_account_lost_tells_half_of_what_it_says() -> None:
    """100 rows of one account, all lost, said to be lost with 0.5 each: wanted are (100 + 1 * 50) / 2 of them."""
    one = Told(np.zeros((100, 1)), np.ones((100, 1), np.int8), np.zeros(100, np.int64), np.zeros(100, np.int64))
    assert one.lacks(np.ones(100, bool), 0) == pytest.approx(logit(0.75))


def test_no_loss_at_all_is_drawn_towards_what_was_said() -> None:
    one = Told(np.zeros((8, 1)), np.zeros((8, 1), np.int8), np.zeros(8, np.int64), np.arange(8))
    assert one.lacks(np.ones(8, bool), 0) == pytest.approx(logit((1 / 4) * 4 / (1 + 1 / 4) / 8))


def test_recent_is_since_the_last_third_of_the_losses() -> None:
    labels = np.array([1, 0, 1, 1, 0, 1, 1, 1, -1])[:, None].astype(np.int8)
    one = Told(np.zeros((9, 1)), labels, np.arange(9, dtype=np.int64), np.arange(9))
    assert np.flatnonzero(one.recent(0)).tolist() == [6, 7]
    none = Told(np.zeros((2, 1)), np.array([[0], [-1]], np.int8), np.arange(2), np.arange(2))
    assert none.recent(0).tolist() == [True, False]


def test_first_folds_that_knew_too_little_do_not_raise_what_knows_enough() -> None:
    """Of each month a fifth is lost. The first fold said a tenth, the last one and the final model say a fifth."""
    held = told([0.2, 0.2], [0.1, 0.2], each=4000)
    final = told([0.2, 0.2], [0.2, 0.2], each=4000)
    last = told([0.2], [0.2], each=4000)
    moved = levelled(held, [month(held, 0), month(held, 1)], last, final)
    assert [stated(held, moved, number) for number in (0, 1)] == pytest.approx([0.2, 0.2], abs=0.002)


def test_what_comes_on_top_one_step_ahead_counts_as_far_as_losses_tell() -> None:
    """The rate rises month by month, and the last fold's model, right on what it learned, says too little of the next.
    With few losses that is drawn towards nothing."""
    for each, held_back in ((40_000, 0.0), (100, 0.5)):
        held, last, final = (told(rate, [0.2], each) for rate in ([0.3], [0.2], [0.2]))
        moved = levelled(held, [month(held, 0)], last, final)
        ahead = held.lacks(month(held, 0), 0) - last.lacks(last.recent(0), 0)
        lost = 0.3 * each
        expected = ahead * lost / (lost + LOSSES_BEHIND_STEP)
        left = Told(moved, held.labels, held.as_of, held.account).lacks(month(held, 0), 0)
        assert left == pytest.approx(expected, abs=0.02)
        assert expected == pytest.approx(ahead * (1 - held_back), rel=0.01)


@given(shifts=st.lists(st.floats(-2, 2), min_size=1, max_size=4), off=st.floats(-1, 1))
def test_after_that_all_folds_lie_as_far_off_and_keep_their_order(shifts: list[float], off: float) -> None:
    rate = [0.3] * len(shifts)
    held = told(rate, expit(logit(0.3) - np.array(shifts)).tolist(), each=3000)
    noisy = held.scores + np.random.default_rng(1).normal(0, 1e-3, held.scores.shape)
    held = Told(noisy, held.labels, held.as_of, held.account)
    final = told([0.3], [float(expit(logit(0.3) - off))], each=3000)
    folds = [month(held, number) for number in range(len(shifts))]
    moved = levelled(held, folds, final, final)
    whole = Told(moved, held.labels, held.as_of, held.account)
    lacking = [whole.lacks(rows, 0) for rows in folds]
    assert lacking == pytest.approx([lacking[0]] * len(lacking), abs=0.02)
    for rows in folds:
        assert (np.argsort(moved[rows, 0]) == np.argsort(noisy[rows, 0])).all()


def test_a_horizon_that_a_fold_does_not_score_is_left_alone() -> None:
    held = told([0.2, 0.2], [0.1, 0.2])
    labels = np.where(month(held, 0)[:, None], -1, held.labels).astype(np.int8)
    held = Told(held.scores, labels, held.as_of, held.account)
    moved = levelled(held, [month(held, 0), month(held, 1)], told([0.2], [0.2]), told([0.2], [0.2]))
    assert (moved[month(held, 0)] == held.scores[month(held, 0)]).all()
