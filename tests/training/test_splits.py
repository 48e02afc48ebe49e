"""Parts of the rows by time and group: by hand, and that nothing learns from what it is judged on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.histories.log import DAY, Array
from features.histories.tables import Dataset, Tables
from training import splits
from training.outcomes import CannotTrain, Outcomes
from training.splits import Fold, entries_before, entries_from, expanding_folds, group_folds, groups_of


def outcomes_of(as_of: Array, labels: Array, horizons: Sequence[int]) -> Outcomes:
    known_by = as_of[:, None] + np.array(horizons, dtype=np.int64) * DAY
    eligible = np.ones(len(as_of), dtype=bool)
    return Outcomes(tuple(horizons), eligible, labels.astype(np.int8), known_by, 0, 0)


def days(*of: float) -> Array:
    return np.array(of, dtype=np.int64) * DAY


def of_rows(entries: Array, as_of: Array) -> list[list[int]]:
    """The days of the rows of the entries, by horizon."""
    return [(as_of[column] // DAY).tolist() for column in entries.T]


@st.composite
def entries(draw: st.DrawFn) -> tuple[Array, Outcomes, Array]:
    """Moments (sorted within accounts), outcomes and groups of random rows."""
    rows = draw(st.integers(1, 40))

    def many(low: int, high: int, count: int = rows) -> list[int]:
        return draw(st.lists(st.integers(low, high), min_size=count, max_size=count))

    as_of = np.array(many(0, 150), dtype=np.int64) * DAY
    labels = np.array(many(-1, 1, rows * 2)).reshape(rows, 2)
    return as_of, outcomes_of(as_of, labels, (30, 90)), np.array(many(0, 7))


ROWS = days(0, 60, 70, 71, 100, 200)


@pytest.mark.parametrize("label", [0, 1])
def test_an_entry_belongs_to_a_part_only_if_its_horizon_ends_in_it(label: int) -> None:
    outcomes = outcomes_of(ROWS, np.full((6, 2), label), (30, 90))
    cut = 100 * DAY
    before, after = entries_before(outcomes, cut), entries_from(outcomes, ROWS, cut)
    assert of_rows(before, ROWS) == [[0, 60, 70], [0]]
    assert of_rows(after, ROWS) == [[100, 200], [100, 200]]
    # the rest straddles the cut: the gap between the parts
    assert of_rows(~before & ~after, ROWS) == [[71], [60, 70, 71]]


def test_an_unknown_outcome_belongs_to_no_part() -> None:
    outcomes = outcomes_of(ROWS, np.full((6, 2), -1), (30, 90))
    assert not entries_before(outcomes, 100 * DAY).any()
    assert not entries_from(outcomes, ROWS, 100 * DAY).any()


@given(entries(), st.integers(0, 260))
def test_parts_have_nothing_in_common_and_learning_ends_before_judging(
    given_rows: tuple[Array, Outcomes, Array], day: int
) -> None:
    as_of, outcomes, _ = given_rows
    cut = day * DAY
    before, after = entries_before(outcomes, cut), entries_from(outcomes, as_of, cut)
    assert not (before & after).any()
    assert (outcomes.labels[before | after] >= 0).all()
    begun = np.broadcast_to(as_of[:, None], after.shape)[after]
    assert outcomes.known_by[before].max(initial=0) <= begun.min(initial=1 << 40)
    # which part an entry belongs to does not depend on which of the known labels it has
    swapped = outcomes_of(as_of, np.where(outcomes.labels >= 0, 1 - outcomes.labels, -1), outcomes.horizons)
    assert (entries_before(swapped, cut) == before).all()
    assert (entries_from(swapped, as_of, cut) == after).all()


@pytest.mark.parametrize(
    ("as_of", "horizon", "expected"),
    [
        # from day 0 to day 930 + 70: the last 30 %
        pytest.param(days(0, 500, 970), 30, 700, id="a share of the span"),
        # day 1265 less 365 + 90 days, more than 30 % of 1265 days
        pytest.param(days(0, 900), 365, 810, id="room for the longest horizon"),
        # from day 0 to day 600: half of it, though 300 + 90 days were wanted
        pytest.param(days(0, 300), 300, 300, id="half at most"),
        pytest.param(days(100, 400), 300, 400, id="from the first row on"),
    ],
)
def test_where_the_test_begins(as_of: Array, horizon: int, expected: int) -> None:
    outcomes = outcomes_of(as_of, np.zeros((len(as_of), 1)), (horizon,))
    assert splits.test_cut(outcomes, as_of) == expected * DAY


def test_unknown_outcomes_do_not_stretch_the_span() -> None:
    as_of = days(0, 100, 500, 1070, 3000)
    outcomes = outcomes_of(as_of, np.array([[-1], [0], [1], [0], [-1]]), (30,))
    assert splits.test_cut(outcomes, as_of) == 800 * DAY


def test_without_a_known_outcome_there_is_no_test() -> None:
    with pytest.raises(CannotTrain, match="no row has a known outcome"):
        splits.test_cut(outcomes_of(ROWS, np.full((6, 1), -1), (30,)), ROWS)


def test_folds_by_hand() -> None:
    as_of = days(*range(0, 800, 100))
    labels = np.column_stack((np.ones(8), np.zeros(8)))
    outcomes = outcomes_of(as_of, labels, (50, 150))
    found = list(expanding_folds(labels >= 0, outcomes, as_of, None))
    # eight losses, two in each of four slices; the first slice is only learned from
    assert [of_rows(fold.score, as_of)[0] for fold in found] == [[100, 200], [300, 400], [500, 600, 700]]
    assert [of_rows(fold.learn, as_of) for fold in found] == [
        [[0], []],
        [[0, 100, 200], [0, 100]],
        [[0, 100, 200, 300, 400], [0, 100, 200, 300]],
    ]


def test_folds_leave_out_what_is_settled_a_second_after_scoring_begins() -> None:
    as_of = days(0, 50, 50, 100, 200) + np.array([0, 0, 1, 0, 0])
    outcomes = outcomes_of(as_of, np.array([[0], [0], [0], [1], [1]]), (50,))
    (fold,) = expanding_folds(outcomes.labels >= 0, outcomes, as_of, None, folds=2)
    assert fold.learn[:, 0].tolist() == [True, True, False, False, False]
    assert fold.score[:, 0].tolist() == [False, False, False, True, True]


def test_without_losses_there_are_no_folds_in_time() -> None:
    outcomes = outcomes_of(ROWS, np.zeros((6, 1)), (30,))
    assert list(expanding_folds(outcomes.labels >= 0, outcomes, ROWS, None)) == []
    lost = outcomes_of(ROWS, np.ones((6, 1)), (30,))
    assert list(expanding_folds(np.zeros((6, 1), dtype=bool), lost, ROWS, None)) == []


def check_fold(fold: Fold, usable: Array, group: Array | None) -> None:
    assert not (fold.learn & fold.score).any()
    assert not ((fold.learn | fold.score) & ~usable).any()
    if group is not None:
        assert not set(group[fold.learn.any(axis=1)]) & set(group[fold.score.any(axis=1)])


@given(entries(), st.booleans(), st.integers(0, 260))
def test_folds_learn_from_nothing_settled_after_scoring_begins(
    given_rows: tuple[Array, Outcomes, Array], grouped: bool, day: int
) -> None:
    as_of, outcomes, codes = given_rows
    usable = entries_before(outcomes, day * DAY)
    group = codes if grouped else None
    scored = np.zeros(usable.shape, dtype=int)
    for fold in expanding_folds(usable, outcomes, as_of, group):
        check_fold(fold, usable, group)
        begun = np.broadcast_to(as_of[:, None], usable.shape)[fold.score]
        assert outcomes.known_by[fold.learn].max(initial=0) <= begun.min(initial=1 << 40)
        scored += fold.score
    assert scored.max(initial=0) <= 1
    # from the first scored moment on nothing is left out
    if scored.any():
        begin = as_of[scored.any(axis=1)].min()
        assert (scored == (usable & (as_of >= begin)[:, None])).all()


@given(entries())
def test_group_folds_score_every_entry_once_by_the_other_groups(given_rows: tuple[Array, Outcomes, Array]) -> None:
    _, outcomes, group = given_rows
    usable = outcomes.labels >= 0
    folds = list(group_folds(usable, group))
    for fold in folds:
        check_fold(fold, usable, group)
        assert ((fold.learn | fold.score) == usable).all()
    assert (np.sum([fold.score for fold in folds], axis=0) == usable).all()
    assert len(folds) == min(splits.GROUP_FOLDS, len(set(group)))


def test_the_draw_of_groups_follows_the_seed() -> None:
    group = np.arange(50)
    usable = np.ones((50, 1), dtype=bool)

    def drawn(seed: int) -> list[Any]:
        return [fold.score.tolist() for fold in group_folds(usable, group, seed)]

    assert drawn(7) == drawn(7)
    assert drawn(7) != drawn(8)


def tables_of(accounts: Mapping[str, object], interactions: Mapping[str, object]) -> Tables:
    empty = pa.table({})
    return Tables(pa.table(accounts), empty, pa.table(interactions), empty, empty, Dataset())


NO_INTERACTIONS: dict[str, object] = {"account_id": []}


def test_groups_by_the_last_value_of_an_account() -> None:
    accounts = {"account_id": ["A", "A", "B", "C", "D"], "region": ["north", "south", "south", "north", None]}
    # A moved south, as B; D has none and is a group of its own
    assert groups_of(tables_of(accounts, NO_INTERACTIONS), "region").tolist() == [0, 0, 1, 2]


def test_an_empty_last_value_leaves_the_one_before() -> None:
    accounts = {"account_id": ["A", "A", "B"], "region": ["north", None, "north"]}
    assert groups_of(tables_of(accounts, NO_INTERACTIONS), "region").tolist() == [0, 0]


def test_groups_by_the_most_frequent_value_of_interactions() -> None:
    accounts = {"account_id": ["C", "A", "B", "D", "E"]}
    interactions = {
        "account_id": ["A", "A", "A", "B", "C", "C", "C", "D"],
        "our_contact_id": ["one", "one", "two", "two", "one", None, None, None],
    }
    # codes by the ids in order; D and E have none, and a group each
    assert groups_of(tables_of(accounts, interactions), "our_contact_id").tolist() == [0, 1, 0, 2, 3]


def test_an_empty_column_of_accounts_leaves_it_to_the_interactions() -> None:
    accounts = {"account_id": ["A", "B"], "owner": pa.array([None, None], pa.string())}
    interactions = {"account_id": ["A", "B"], "owner": ["one", "one"]}
    assert groups_of(tables_of(accounts, interactions), "owner").tolist() == [0, 0]


def test_a_column_that_is_nowhere_is_refused() -> None:
    with pytest.raises(CannotTrain, match="no column region"):
        groups_of(tables_of({"account_id": ["A"]}, NO_INTERACTIONS), "region")
