"""What is offered to be foretold, how it is judged, and when nothing is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.histories.history import History
from features.histories.log import DAY
from features.histories.tables import Dataset
from features.sources.files import iso
from tests.features.worlds import random_world
from tests.training.made_up import NEAR, by_hand, spread_out
from training import splits
from training.entries import MINIMUM_LOST, Entries
from training.outcomes import CannotTrain
from training.preparing import SCORECARDS, TrainOptions, definition_of, offered
from training.splits import entries_before, entries_from

USUAL = TrainOptions()


def counted(entries: Entries, cut: int) -> list[tuple[int, int]]:
    """Accounts lost before a cut and from then on, at each horizon."""
    outcomes = entries.outcomes
    before = entries.lost_accounts(entries_before(outcomes, cut))
    after = entries.lost_accounts(entries_from(outcomes, entries.matrix.rows.as_of, cut))
    return list(zip(before.tolist(), after.tolist(), strict=True))


def rarely_within_30_days(entries: Entries, known: int) -> Entries:
    """Of all but so many accounts it is not known whether they were lost within 30 days."""
    labels = entries.outcomes.labels.copy()
    lost = np.unique(entries.matrix.rows.account[labels[:, 0] == 1])[:known]
    labels[~np.isin(entries.matrix.rows.account, lost), 0] = -1
    return replace(entries, outcomes=replace(entries.outcomes, labels=labels), usable=labels >= 0)


def test_with_losses_enough_the_test_is_later_in_time() -> None:
    everything, messages = spread_out(60), list[str]()
    kept, cut = offered(everything, USUAL, messages)
    assert cut == splits.test_cut(everything.outcomes, everything.matrix.rows.as_of)
    assert all(min(pair) >= MINIMUM_LOST for pair in counted(everything, cut))
    assert kept.outcomes.horizons == NEAR
    assert messages == []


def test_with_few_losses_accounts_are_foretold_by_the_others() -> None:
    everything, messages = spread_out(MINIMUM_LOST), list[str]()
    kept, cut = offered(everything, USUAL, messages)
    assert cut is None
    assert kept.outcomes.horizons == NEAR
    np.testing.assert_array_equal(kept.usable, everything.usable)
    (message,) = messages
    assert "judged across accounts instead, each foretold by what was learned from the others" in message
    grouped, messages = spread_out(MINIMUM_LOST, group=list(range(2 * MINIMUM_LOST))), []
    assert offered(grouped, USUAL, messages)[1] is None
    assert "judged across groups instead" in messages[0]


def test_with_fewer_nothing_is_foretold_and_scorecards_are_named() -> None:
    with pytest.raises(CannotTrain) as declined:
        offered(spread_out(MINIMUM_LOST - 1), USUAL, [])
    assert str(declined.value) == (
        "too few losses to foretell any: 30 days: 4 accounts lost; 90 days: 4 accounts lost; at least 5 are needed. "
        f"A longer history, more accounts or other horizons would help. {SCORECARDS}"
    )
    assert "`rapport scorecards" in SCORECARDS


def test_a_test_that_was_asked_for_is_kept_to_or_declined() -> None:
    everything = spread_out(60)
    asked = 15 * 30 * DAY
    messages: list[str] = []
    assert offered(everything, replace(USUAL, test_from=asked), messages)[1] == asked
    assert messages == []
    for too_far in (30 * DAY, 23 * 30 * DAY):
        told = "; ".join(
            f"{days} days: {before} accounts lost before {iso(too_far)}, {after} from then on"
            for days, (before, after) in zip(NEAR, counted(everything, too_far), strict=True)
        )
        with pytest.raises(CannotTrain) as declined:
            offered(everything, replace(USUAL, test_from=too_far), [])
        assert f"too few losses to foretell any: {told}; at least 5 are needed on both sides. " in str(declined.value)
        assert str(declined.value).endswith(SCORECARDS)


def test_five_lost_accounts_on_both_sides_are_just_enough() -> None:
    """Wherever the test begins, a horizon is kept if it has them, and nothing is offered where none has."""
    everything = spread_out(24)
    least = []
    for month in range(1, 24):
        cut = 30 * month * DAY
        enough = [days for days, pair in zip(NEAR, counted(everything, cut), strict=True) if min(pair) >= 5]
        least += [min(pair) for pair in counted(everything, cut)]
        options = replace(USUAL, test_from=cut)
        if enough:
            assert list(offered(everything, options, [])[0].outcomes.horizons) == enough
        else:
            with pytest.raises(CannotTrain, match="at least 5 are needed on both sides"):
                offered(everything, options, [])
    assert {4, 5} <= set(least)


def test_a_horizon_that_a_later_test_cannot_judge_is_dropped_with_a_message() -> None:
    everything, messages = rarely_within_30_days(spread_out(60), 12), list[str]()
    kept, cut = offered(everything, USUAL, messages)
    assert cut is not None
    before, after = counted(everything, cut)[0]
    assert before + after <= 12
    assert min(before, after) < MINIMUM_LOST
    assert messages == [
        f"Horizon 30 days dropped: {before} accounts lost before {iso(cut)}, {after} from then on; at least 5 are "
        "needed on both sides."
    ]
    assert kept.outcomes.horizons == (90,)
    assert kept.usable.shape == kept.labels.shape == (len(kept.matrix), 1)


def test_a_horizon_with_too_few_losses_is_dropped_across_accounts_too() -> None:
    everything, messages = rarely_within_30_days(spread_out(7), 4), list[str]()
    kept, cut = offered(everything, USUAL, messages)
    assert (kept.outcomes.horizons, cut) == ((90,), None)
    assert messages[0] == "Horizon 30 days dropped: 4 accounts lost; at least 5 are needed."
    assert len(messages) == 2


def test_without_any_known_outcome_there_is_nothing_to_offer() -> None:
    nothing = by_hand([0, 1], [[-1, -1], [-1, -1]])
    with pytest.raises(CannotTrain, match="no row has a known outcome"):
        offered(nothing, USUAL, [])


def test_lost_is_by_contract_where_there_are_won_deals_and_by_silence_where_there_are_none() -> None:
    records = random_world(5, accounts=6, touches=12)
    messages: list[str] = []
    with_deals, without = (
        History.from_records(records | {"deals": deals}, Dataset()) for deals in (records["deals"], [])
    )
    assert any(deal["outcome"] == "won" for deal in records["deals"])
    assert definition_of(with_deals, USUAL, messages) == "contract"
    assert definition_of(with_deals, replace(USUAL, definition="silence"), messages) == "silence"
    assert messages == []
    assert definition_of(without, replace(USUAL, silence_days=90), messages) == "silence"
    assert messages == ["There are no won deals: lost means silence for 90 days (the `silence` definition)."]
