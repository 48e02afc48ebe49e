"""What can be learned from: parts, weights and folds of it, by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.histories.log import DAY
from tests.training.made_up import by_hand, spread_out
from training.entries import LEAST_LEARNED, MINIMUM_LOST, Entries, make_folds
from training.outcomes import CannotTrain

FIVE = by_hand([0, 0, 1, 2, 2], [[0, 1], [1, 1], [0, 0], [-1, 1], [-1, -1]])
"""Account 0 is lost in three entries, account 2 in one; its last row has no known outcome."""


def test_labels_are_unknown_where_an_entry_may_not_be_used() -> None:
    assert FIVE.labels.tolist() == FIVE.outcomes.labels.tolist()
    usable = FIVE.usable.copy()
    usable[0] = False
    assert FIVE.only(usable).labels.tolist() == [[-1, -1], [1, 1], [0, 0], [-1, 1], [-1, -1]]
    assert FIVE.outcomes.labels[0].tolist() == [0, 1]


def test_an_account_weighs_as_the_root_of_its_rows() -> None:
    # one row of weight 1 and four of 1/2: their mean is 3/5
    weight = by_hand([0, 1, 1, 1, 1], [[0, 0]] * 5).weight
    assert weight == pytest.approx([1 / 0.6, *[0.5 / 0.6] * 4])
    assert weight.mean() == pytest.approx(1.0)
    assert weight[1:].sum() == pytest.approx(2 * weight[0])


def test_rows_per_loss_by_hand() -> None:
    assert FIVE.rows_per_loss == (3 + 1) / 2
    assert FIVE.only(FIVE.usable & [True, False]).rows_per_loss == 1.0
    assert FIVE.only(FIVE.outcomes.labels == 0).rows_per_loss == 1.0  # none lost


def test_lost_accounts_are_counted_once_at_each_horizon() -> None:
    assert FIVE.lost_accounts(FIVE.usable).tolist() == [1, 2]
    assert FIVE.lost_accounts(np.zeros_like(FIVE.usable)).tolist() == [0, 0]


def test_rows_without_a_usable_entry_are_left_out() -> None:
    used = FIVE.used_rows()
    assert used.matrix.rows.account.tolist() == [0, 0, 1, 2]
    assert used.used_rows() is used
    np.testing.assert_array_equal(used.matrix.values, FIVE.matrix.values[:4])
    assert used.outcomes.known_by.tolist() == FIVE.outcomes.known_by[:4].tolist()


def test_some_rows_and_some_horizons_keep_what_belongs_to_them() -> None:
    part = replace(FIVE, group=np.array([5, 5, 6, 7, 7])).rows(np.array([1, 3])).horizons([1])
    assert part.matrix.rows.account.tolist() == [0, 2]
    np.testing.assert_array_equal(part.matrix.values, FIVE.matrix.values[[1, 3]])
    assert part.matrix.values.flags.c_contiguous
    np.testing.assert_array_equal(part.matrix.standing.days_to_end, FIVE.matrix.standing.days_to_end[[1, 3]])
    assert part.outcomes.horizons == (90,)
    assert part.outcomes.labels.tolist() == part.labels.tolist() == [[1], [1]]
    assert part.outcomes.known_by.tolist() == [[(100 + 90) * DAY], [(300 + 90) * DAY]]
    assert part.group.tolist() == [5, 7]


# A share


def many(accounts: int, groups: int | None = None) -> Entries:
    account = np.repeat(np.arange(accounts), 2)
    group = None if groups is None else (account % groups).tolist()
    return by_hand(account.tolist(), [[0, 1]] * (2 * accounts), group=group)


def test_a_share_is_of_whole_accounts_and_about_as_large_as_asked() -> None:
    whole = many(500)
    part = whole.share(1000, 7)
    assert int(part.usable.sum()) == pytest.approx(1000, rel=0.15)
    kept, rows = np.unique(part.matrix.rows.account, return_counts=True)
    assert set(rows.tolist()) == {2}
    again, other = whole.share(1000, 7), whole.share(1000, 8)
    assert again.matrix.rows.account.tolist() == part.matrix.rows.account.tolist()
    assert other.matrix.rows.account.tolist() != part.matrix.rows.account.tolist()
    assert whole.share(2000, 7) is whole
    assert len(kept) < 300


@given(seed=st.integers(0, 1000))
def test_a_share_holds_something_of_few_groups_too(seed: int) -> None:
    part = many(200, groups=2).share(200, seed)
    assert set(part.group.tolist()) == {0, 1}
    assert 100 < int(part.usable.sum()) < 350


def test_a_share_holds_the_same_part_of_lost_accounts_and_of_others_or_as_many_lost_as_asked() -> None:
    account = np.repeat(np.arange(1000), 2)
    labels = [[int(one < 10), int(one < 40)] for one in account]
    whole = by_hand(account.tolist(), labels)
    for seed in range(3):
        part = whole.share(1000, seed)
        assert part.lost_accounts(part.usable).max() == 10
        assert len(np.unique(part.matrix.rows.account)) == 10 + 240
        enough = whole.share(1000, seed, lost=8)
        assert enough.lost_accounts(enough.usable).max() == 32
    assert whole.share(1000, 7, lost=10) is whole
    assert whole.share(1000, 7, lost=99) is whole


# Folds


def test_folds_are_ordered_in_time_where_there_are_losses_enough() -> None:
    whole = spread_out(60)
    folds, in_time = make_folds(whole, 7)
    assert in_time
    for fold in folds:
        begun = whole.matrix.rows.as_of[fold.score.any(axis=1)].min()
        assert whole.outcomes.known_by[fold.learn].max() <= begun
    scored = np.any([fold.score for fold in folds], axis=0)
    assert (whole.lost_accounts(scored) >= MINIMUM_LOST).all()


def test_a_fold_in_time_scores_only_the_horizons_that_it_has_seen_losses_enough_of() -> None:
    """Of 48 losses the first of three folds has learned ten within 30 days, and fewer within 90; of 44 too few of
    either, which leaves two folds."""
    for lost, scored in ((48, [[True, False], [True, True], [True, True]]), (44, [[True, True], [True, True]])):
        whole = spread_out(lost)
        folds, in_time = make_folds(whole, 7)
        assert in_time
        assert [fold.score.any(axis=0).tolist() for fold in folds] == scored
        for fold in folds:
            assert (whole.lost_accounts(fold.learn)[fold.score.any(axis=0)] >= LEAST_LEARNED).all()


def test_with_few_losses_folds_go_across_accounts() -> None:
    whole = spread_out(MINIMUM_LOST)
    folds, in_time = make_folds(whole, 7)
    assert not in_time
    for fold in folds:
        learned, scored = (whole.group[part.any(axis=1)] for part in (fold.learn, fold.score))
        assert not set(learned.tolist()) & set(scored.tolist())
    assert (np.sum([fold.score for fold in folds], axis=0) == whole.usable).all()


@pytest.mark.parametrize("lost", [4, 60])
def test_no_group_is_on_both_sides(lost: int) -> None:
    whole = spread_out(lost, group=[one // 4 for one in range(2 * lost)])
    folds, _ = make_folds(whole, 7)
    assert folds
    for fold in folds:
        learned, scored = (whole.group[part.any(axis=1)] for part in (fold.learn, fold.score))
        assert not set(learned.tolist()) & set(scored.tolist())


def test_every_fold_has_something_to_score() -> None:
    """A group none of whose outcomes may be used is neither learned from nor scored."""
    whole = spread_out(4, group=[one // 2 for one in range(8)])
    idle = whole.only(whole.usable & (whole.group != 1)[:, None])
    folds, _ = make_folds(idle, 7)
    assert len(folds) == 3
    assert all(fold.score.any() and fold.learn.any() for fold in folds)


def test_outcomes_of_one_group_alone_or_all_alike_are_declined() -> None:
    with pytest.raises(CannotTrain, match="no group can be foretold by what the others show"):
        make_folds(spread_out(4, group=[0] * 8), 7)
    with pytest.raises(CannotTrain, match="no account can be foretold by what the others show"):
        make_folds(by_hand([0, 1, 2], [[0, 0]] * 3), 7)
