"""Parts of the rows by time, so that nothing is judged or tuned on what lies before what it learned from.

An *entry* is a row and a horizon, (t, h). It belongs to a part of time only if t + h ends within it too,
whatever its label: then no label of a part depends on what came after the part, and every label that a
model learns from was settled before the first moment it is judged at. What straddles a border belongs to no
part.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.histories.log import DAY, Array
from features.histories.tables import Tables
from training.outcomes import CannotTrain, Outcomes

TEST_SHARE = 0.3
"""Share of the time span that is kept for the test, where no date is given."""

LONGEST_TEST_SHARE = 0.5
"""How far the test may grow to hold some rows at the longest horizon."""

ROOM_FOR_LONGEST = 90
"""Days of rows at the longest horizon for which the test makes room."""

FOLDS = 4
"""Slices of time (of about equal losses) that out-of-fold scores are made for, the earliest one only
learned from."""

GROUP_FOLDS = 5
"""Shares of the groups, each scored by models that learned from the others."""


def entries_before(outcomes: Outcomes, cut: int) -> Array:
    """bool (n, H): entries with an outcome that was settled by the cut."""
    settled: Array = (outcomes.labels >= 0) & (outcomes.known_by <= cut)
    return settled


def entries_from(outcomes: Outcomes, as_of: Array, cut: int) -> Array:
    """bool (n, H): entries of rows at the cut or later with a known outcome."""
    later: Array = (outcomes.labels >= 0) & (as_of >= cut)[:, None]
    return later


def test_cut(outcomes: Outcomes, as_of: Array) -> int:
    """When the test begins, where no date is given: the last 30 % of the span of known outcomes.

    More if the longest horizon needs it to be judged at all, at most half.
    """
    known = outcomes.labels >= 0
    if not known.any():
        raise CannotTrain("no row has a known outcome: every account is ineligible, or observed for too short a time")
    first = int(as_of[known.any(axis=1)].min())
    last = int(outcomes.known_by[known].max())
    wanted = max(TEST_SHARE * (last - first), (outcomes.horizons[-1] + ROOM_FOR_LONGEST) * DAY)
    return last - int(min(wanted, LONGEST_TEST_SHARE * (last - first)))


@dataclass(frozen=True)
class Fold:
    """Entries to learn from and entries to score: two bool arrays (n, H) without a common entry."""

    learn: Array
    score: Array


def expanding_folds(
    usable: Array, outcomes: Outcomes, as_of: Array, group: Array | None, folds: int = FOLDS, seed: int = 7
) -> Iterator[Fold]:
    """Time-ordered folds over ``usable`` (n, H) entries: learn from what was settled by a moment, score
    what follows.

    The slices hold about the same number of losses. With ``group`` (n,) codes, no group is ever on both
    sides: each slice is scored in ``GROUP_FOLDS`` shares of the groups, each by a model that learned from
    the others.
    """
    for begin, end in _slices(usable, outcomes, as_of, folds):
        learn = usable & (outcomes.known_by <= begin)
        score = usable & ((as_of >= begin) & (as_of < end))[:, None]
        if group is None:
            yield Fold(learn, score)
        else:
            yield from (Fold(learn & ~held[:, None], score & held[:, None]) for held in _shares_of(group, seed))


def group_folds(usable: Array, group: Array, seed: int = 7) -> Iterator[Fold]:
    """Folds without an order in time, for spans too short for one: each share of the groups is scored by
    the others."""
    for held in _shares_of(group, seed):
        yield Fold(usable & ~held[:, None], usable & held[:, None])


def _slices(usable: Array, outcomes: Outcomes, as_of: Array, folds: int) -> list[tuple[int, int]]:
    """Spans of time [begin, end) after the earliest one, borders on moments of rows, about the same losses
    in each."""
    lost = (usable & (outcomes.labels == 1)).sum(axis=1)
    moments = np.unique(as_of[usable.any(axis=1)])
    losses = np.bincount(np.searchsorted(moments, as_of[lost > 0]), lost[lost > 0], len(moments)).cumsum()
    if not len(moments) or losses[-1] == 0:
        return []
    shares = np.arange(1, folds) / folds
    borders = moments[np.unique(np.searchsorted(losses, shares * losses[-1], side="left"))]
    ends = np.append(borders[1:], moments[-1] + 1)
    return list(zip(borders.tolist(), ends.tolist(), strict=True))


def _shares_of(group: Array, seed: int) -> Iterator[Array]:
    """bool (n,) for each share of the groups, drawn by chance."""
    groups, member = np.unique(group, return_inverse=True)
    share = np.random.default_rng(seed).permutation(len(groups)) % GROUP_FOLDS
    for one in range(min(GROUP_FOLDS, len(groups))):
        yield share[member] == one


def groups_of(tables: Tables, column: str) -> Array:
    """The group of each account (codes by account, in the order of their ids), by a column of accounts or
    interactions.

    From ``accounts`` the last row's value counts, from ``interactions`` (such as ``our_contact_id``) the
    most frequent value; accounts without one form a group each. Raises CannotTrain where neither table has
    the column.
    """
    accounts = sorted(set(pc.unique(tables.accounts["account_id"]).to_pylist()))
    for table, last in ((tables.accounts, True), (tables.interactions, False)):
        if column in table.column_names and table[column].null_count < len(table):
            value = _last_value(table, column) if last else _usual_value(table, column)
            names = [value.get(account, (account,)) for account in accounts]
            places: dict[object, int] = {}
            return np.array([places.setdefault(name, len(places)) for name in names], dtype=np.int64)
    raise CannotTrain(f"no column {column} to group by in accounts or interactions, or it is empty")


def _last_value(table: pa.Table, column: str) -> dict[str, object]:
    rows = zip(table["account_id"].to_pylist(), table[column].to_pylist(), strict=True)
    return {account: value for account, value in rows if value is not None}


def _usual_value(table: pa.Table, column: str) -> dict[str, object]:
    counted = table.group_by(["account_id", column]).aggregate([([], "count_all")])
    rows = counted.sort_by([("count_all", "ascending"), (column, "ascending")])
    return _last_value(rows, column)
