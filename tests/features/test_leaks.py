"""The test of tests: a history truncated at t gives the same indicators at t as the whole, bit for bit."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.histories import visibility
from features.histories.history import History
from features.histories.log import DAY
from features.histories.tables import Dataset
from tests.features.helpers import differences, matrix_at, matrix_of
from tests.features.worlds import BEGIN, SPAN, random_world, truncated


@settings(max_examples=60)
@given(seed=st.integers(0, 10**9), offsets=st.lists(st.integers(0, SPAN), min_size=1, max_size=4, unique=True))
def test_truncating_at_t_changes_nothing_at_t(seed: int, offsets: list[int]) -> None:
    """Late, changed, duplicate and out-of-order rows included."""
    world = random_world(seed)
    moments = sorted(BEGIN + offset for offset in offsets)
    whole = matrix_at(world, moments)
    for t in moments:
        cut = matrix_at(truncated(world, t), [t])
        assert differences(whole.take(np.flatnonzero(whole.rows.as_of == t)), cut) == []


@settings(max_examples=25)
@given(seed=st.integers(0, 10**9))
def test_records_that_arrive_later_change_nothing_before(seed: int) -> None:
    """Injected at random: copies, rows recorded after t, and rows of the past that arrive after t."""
    dice = random.Random(seed)
    world = random_world(seed)
    t = BEGIN + dice.randrange(SPAN)
    before = matrix_at(world, [t])
    later = [dict(dice.choice(world["interactions"])) for _ in range(10) if world["interactions"]]
    for place, row in enumerate(later):
        row["interaction_id"] = f"late-{place}"
        row["recorded_at"] = t + dice.randrange(1, 90 * DAY)
        row.pop("updated_at", None)
    world["interactions"] += later + [dict(row) for row in world["interactions"][:20]]
    dice.shuffle(world["interactions"])
    assert differences(before, matrix_at(world, [t])) == []


def test_the_property_fails_without_the_views_of_what_was_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests above can fail: with visibility switched off, late rows leak at once."""
    leaks = 0
    monkeypatch.setattr(
        visibility, "_between_happening_and_known", lambda log, table, segment, as_of: np.zeros(len(segment), bool)
    )
    for seed in range(10):
        world = random_world(seed)
        t = BEGIN + SPAN // 2
        leaks += bool(differences(matrix_at(world, [t]), matrix_at(truncated(world, t), [t])))
    assert leaks > 0


def test_an_outcome_counts_from_when_it_was_recorded() -> None:
    """Worked by hand: a promise due on day 10, kept on day 8, entered on day 40."""
    promises = [
        {
            "interaction_id": f"P{i}",
            "account_id": "A",
            "at": BEGIN + i,
            "kind": "commitment",
            "actor": "client",
            "due_at": BEGIN + 10 * DAY,
            "resolved_at": BEGIN + 8 * DAY,
            "outcome": "kept",
            "outcome_recorded_at": BEGIN + 40 * DAY,
        }
        for i in range(5)
    ]
    world = {"interactions": promises, "accounts": [], "contacts": [], "deals": [], "stage_reviews": []}
    days = [9, 11, 39, 40]
    matrix = matrix_of(History.from_records(world, Dataset()), [BEGIN + day * DAY for day in days])
    kept = matrix.values[:, matrix.columns.index("G2a.commitments_kept_rate.90d")]
    # Day 9: nothing is due and no keeping is known. Days 11 and 39: due, not known to be kept. Day 40: known.
    assert np.isnan(kept[0])
    assert kept[1:].tolist() == [0.0, 0.0, 1.0]


def test_a_meeting_entered_as_held_later_is_only_an_invitation_until_then() -> None:
    """Worked by hand: meetings held on day 1, said to be held (and how late the client came) on day 5."""
    meetings = [
        {
            "interaction_id": f"M{i}",
            "account_id": "A",
            "at": BEGIN + DAY + i,
            "kind": "meeting",
            "actor": "us",
            "scheduled_start": BEGIN + DAY + i,
            "outcome": "held",
            "resolved_at": BEGIN + 5 * DAY,
        }
        for i in range(5)
    ]
    world = {"interactions": meetings, "accounts": [], "contacts": [], "deals": [], "stage_reviews": []}
    unsettled = world | {"interactions": [_without(row, "outcome", "resolved_at") for row in meetings]}
    settled_at_once = world | {"interactions": [_without(row, "resolved_at") for row in meetings]}
    before, after = [BEGIN + 3 * DAY], [BEGIN + 5 * DAY]
    assert not differences(matrix_at(world, before), matrix_at(unsettled, before))
    assert not differences(matrix_at(world, after), matrix_at(settled_at_once, after))
    assert differences(matrix_at(world, after), matrix_at(unsettled, after))


def _without(row: dict[str, object], *columns: str) -> dict[str, object]:
    return {column: value for column, value in row.items() if column not in columns}
