"""Both definitions of lost by hand, who is eligible, what is not known, and slow oracles."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.frame import Frame
from features.histories.history import History
from features.histories.log import DAY
from features.histories.tables import Dataset
from features.histories.visibility import as_known
from features.matrix import Rows
from features.standing import Standing, standing
from tests.features.worlds import BEGIN, Record
from training.outcomes import CannotTrain, Outcomes, contract_outcomes, observed_until, silence_outcomes

HORIZONS = (30, 90, 180)


def at(day: float) -> int:
    return BEGIN + round(day * DAY)


def deal(closed: int, outcome: str = "won", *, account: str = "A", **more: Any) -> Record:
    """A deal opened a day before it closed; other times in days."""
    row: Record = {"deal_id": f"{account}-{closed}", "account_id": account, "opened_at": at(closed - 1)}
    row |= {"closed_at": at(closed), "outcome": outcome, "kind": "new"}
    times = {name: at(value) for name, value in more.items() if name.endswith(("_on", "_at"))}
    return row | more | times


def lost_renewal(closed: int, **more: Any) -> Record:
    return deal(closed, "lost", kind="renewal", **{"lost_reason": "competitor", **more})


def act(day: float, *, account: str = "A", actor: str = "client", kind: str = "message", **more: Any) -> Record:
    row: Record = {"interaction_id": f"{account}-{actor}-{day}", "account_id": account, "at": at(day), "kind": kind}
    return row | {"actor": actor} | ({"channel": "email"} if kind == "message" else {}) | more


def observed(until: float | None, by_account: Mapping[str, float] | None = None) -> Dataset:
    by = {account: at(day) for account, day in (by_account or {}).items()}
    return Dataset(observed_until=None if until is None else at(until), observed_until_by=by)


def rows_of(history: History, days: Sequence[float]) -> tuple[Rows, Standing]:
    """Every account at each of the days, and where it stood by what was known then."""
    accounts = len(history.accounts)
    moments = np.array([at(day) for day in days], dtype=np.int64)
    rows = Rows(np.repeat(np.arange(accounts, dtype=np.int32), len(days)), np.tile(moments, accounts))
    known, segment = as_known(history, rows.account, rows.as_of)
    return rows, _standing(known, segment, rows)


def _standing(known: History, segment: np.ndarray[Any, Any], rows: Rows) -> Standing:
    order = np.argsort(segment, kind="stable")
    return standing(Frame(known, segment[order], rows.as_of[order])).take(np.argsort(order))


def contract(
    deals: Sequence[Record],
    days: Sequence[float],
    dataset: Dataset | None = None,
    horizons: Sequence[int] = HORIZONS,
    count_as_lost: Collection[str] = (),
) -> Outcomes:
    history = History.from_records({"deals": deals}, dataset or observed(2000))
    return contract_outcomes(history, *rows_of(history, days), horizons, count_as_lost)


def silence(
    acts: Sequence[Record], days: Sequence[float], dataset: Dataset | None = None, length: int = 100, minimum: int = 1
) -> Outcomes:
    history = History.from_records({"interactions": acts}, dataset or observed(2000))
    return silence_outcomes(history, *rows_of(history, days), length, minimum)


def eligible(outcomes: Outcomes) -> list[bool]:
    found: list[bool] = outcomes.eligible.tolist()
    return found


def labels(outcomes: Outcomes) -> list[list[int]]:
    found: list[list[int]] = outcomes.labels.tolist()
    return found


CONTRACT = deal(10, ends_on=365)


# The contract definition -------------------------------------------------------------------------


def test_a_lapse_is_a_loss_60_days_after_the_end() -> None:
    found = contract([CONTRACT], [10, 245, 334, 335, 394, 395, 424])
    # lost on day 425: within (t, t + h], the last day included
    assert labels(found) == [[0, 0, 0], [0, 0, 1], [0, 0, 1], [0, 1, 1], [0, 1, 1], [1, 1, 1], [1, 1, 1]]
    assert (found.losses, found.other_ends, found.horizons) == (1, 0, HORIZONS)


def test_a_lost_renewal_is_a_loss_at_once() -> None:
    found = contract([CONTRACT, lost_renewal(350)], [319, 320, 349, 350])
    assert labels(found) == [[0, 1, 1], [1, 1, 1], [1, 1, 1], [-1, -1, -1]]
    assert eligible(found) == [True, True, True, False]


def test_a_lost_renewal_beside_another_contract_is_none() -> None:
    other = deal(20, ends_on=500, kind="expansion")
    found = contract([CONTRACT, other, lost_renewal(350)], [340, 400, 530])
    assert labels(found) == [[0, 0, 0], [0, 0, 1], [1, 1, 1]]  # lapses on day 560


def test_a_won_renewal_goes_on() -> None:
    found = contract([CONTRACT, deal(400, ends_on=800, kind="renewal")], [340, 410, 700])
    assert labels(found) == [[0, 0, 0], [0, 0, 0], [0, 0, 1]]


def test_only_whoever_is_under_contract_is_eligible() -> None:
    found = contract([CONTRACT], [9, 10, 424, 425, 900])
    assert eligible(found) == [False, True, True, False, False]
    assert [row == [-1, -1, -1] for row in labels(found)] == [True, False, False, True, True]


def test_coming_back_begins_a_new_spell() -> None:
    found = contract([CONTRACT, lost_renewal(350), deal(500, ends_on=600)], [340, 400, 500, 640])
    assert eligible(found) == [True, False, True, True]
    assert labels(found) == [[1, 1, 1], [-1, -1, -1], [0, 0, 1], [1, 1, 1]]
    assert found.losses == 2


def test_an_account_without_an_end_is_not_eligible_and_never_negative() -> None:
    found = contract([CONTRACT, deal(10, account="B")], [100])
    assert eligible(found) == [True, False]
    assert labels(found) == [[0, 0, 0], [-1, -1, -1]]


@pytest.mark.parametrize("reason", ["no_further_need", "spread_work", "insolvent"])
def test_a_competing_end_is_censored_unless_counted_as_lost(reason: str) -> None:
    deals = [CONTRACT, lost_renewal(350, lost_reason=reason)]
    days = [200, 300, 349, 350]
    apart = contract(deals, days)
    # until the end the account was seen to stay; beyond it nothing is known
    assert labels(apart) == [[0, 0, -1], [0, -1, -1], [-1, -1, -1], [-1, -1, -1]]
    assert (apart.losses, apart.other_ends) == (0, 1)
    counted = contract(deals, days, count_as_lost=(reason,))
    assert labels(counted) == [[0, 0, 1], [0, 1, 1], [1, 1, 1], [-1, -1, -1]]
    assert (counted.losses, counted.other_ends) == (1, 0)
    assert eligible(apart) == eligible(counted) == [True, True, True, False]


def test_counting_one_reason_leaves_the_others_apart() -> None:
    deals = [CONTRACT, lost_renewal(350, lost_reason="insolvent")]
    assert labels(contract(deals, [340], count_as_lost=("spread_work",))) == [[-1, -1, -1]]


def test_bought_on_without_an_end_is_censored_and_no_other_end() -> None:
    found = contract([CONTRACT, deal(200)], [334, 336])
    assert labels(found) == [[0, 0, -1], [0, -1, -1]]
    assert (found.losses, found.other_ends) == (0, 0)


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        pytest.param(424, [[0, -1, -1]], id="the lapse is not yet certain"),
        pytest.param(425, [[0, 1, -1]], id="the lapse on the last day is seen"),
        pytest.param(365, [[0, -1, -1]], id="t + h is the last day"),
        pytest.param(364, [[-1, -1, -1]], id="a day is missing"),
    ],
)
def test_censored_at_the_end_of_observation(until: int, expected: list[list[int]]) -> None:
    found = contract([CONTRACT], [335], observed(until))
    assert labels(found) == expected
    assert found.losses == (until >= 425)


def test_a_loss_is_unknown_too_while_its_horizon_lasts() -> None:
    # lost on day 350 and seen; kept rows of the same t would not be known by day 400 either
    assert labels(contract([CONTRACT, lost_renewal(350)], [340], observed(400))) == [[1, -1, -1]]


def test_each_account_has_its_own_end_of_observation() -> None:
    deals = [CONTRACT, deal(10, account="B", ends_on=365), lost_renewal(350, account="B")]
    found = contract(deals, [300], observed(500, {"B": 340}))
    assert labels(found) == [[0, 0, 1], [0, -1, -1]]
    assert found.losses == 1  # that of A: B's lies beyond what was observed


def test_the_end_of_observation_falls_back_on_the_last_record() -> None:
    records = {"deals": [CONTRACT, lost_renewal(350, outcome_recorded_at=390)], "interactions": [act(370, account="B")]}
    assert observed_until(History.from_records(records, observed(None))).tolist() == [at(390)] * 2
    assert observed_until(History.from_records(records, observed(None, {"B": 20}))).tolist() == [at(390), at(20)]
    # a contract's end or a due date to come is no observation
    assert observed_until(History.from_records({"deals": [CONTRACT]}, observed(None))).tolist() == [at(10)]


def test_eligible_by_what_was_known_then_and_is_known_now() -> None:
    late_win = deal(10, ends_on=365, recorded_at=50)
    assert eligible(contract([late_win], [20, 50])) == [False, True]
    late_loss = lost_renewal(350, outcome_recorded_at=390)
    # between day 350 and 390 it still looked like a client, but there was nothing left to predict
    found = contract([CONTRACT, late_loss], [349, 360, 395])
    assert eligible(found) == [True, False, False]
    assert labels(found)[0] == [1, 1, 1]


@pytest.mark.parametrize(
    "records",
    [{"deals": [deal(10), lost_renewal(350)]}, {"deals": [deal(10, "lost", ends_on=365)]}, {"interactions": [act(1)]}],
    ids=["no ends", "an end of a deal that was not won", "no deals"],
)
def test_without_contract_ends_training_declines_and_names_the_column(records: Mapping[str, list[Record]]) -> None:
    history = History.from_records(records, observed(2000))
    rows, stood = rows_of(history, [20])
    with pytest.raises(CannotTrain, match=r"deals\.ends_on"):
        contract_outcomes(history, rows, stood, HORIZONS)


def test_known_by_is_the_end_of_the_horizon_whatever_the_label() -> None:
    found = contract([CONTRACT, lost_renewal(350)], [100, 340, 900])
    expected = [[at(day + h) for h in HORIZONS] for day in (100, 340, 900)]
    assert found.known_by.tolist() == expected


@st.composite
def deals_of_accounts(draw: st.DrawFn) -> list[Record]:
    deals = [deal(1, account="A", ends_on=30)]
    for account in "AB":
        for closed in draw(st.lists(st.integers(2, 400), max_size=5, unique=True)):
            won = draw(st.booleans())
            ends = draw(st.none() | st.integers(2, 500))
            reason = draw(st.sampled_from(["competitor", "insolvent"]))
            more: dict[str, Any] = {} if ends is None else {"ends_on": ends}
            deals.append(deal(closed, account=account, **more) if won else lost_renewal(closed, account=account))
            if not won:
                deals[-1]["lost_reason"] = reason
    return deals


DAYS = range(1, 500, 23)


@given(deals_of_accounts(), st.integers(1, 700), st.integers(1, 700))
def test_less_observation_only_makes_outcomes_unknown(deals: list[Record], one: int, other: int) -> None:
    less, more = sorted((one, other))
    short, long = (contract(deals, DAYS, observed(until)) for until in (less, more))
    assert (short.eligible == long.eligible).all()
    seen = short.known_by <= at(less)
    assert (short.labels == np.where(seen, long.labels, -1)).all()
    assert short.losses <= long.losses


@given(deals_of_accounts())
def test_longer_horizons_keep_a_loss_and_counting_only_adds_losses(deals: list[Record]) -> None:
    apart = contract(deals, DAYS)
    assert (apart.labels[~apart.eligible] == -1).all()
    for shorter, longer in pairwise(apart.labels.T):
        assert (longer[shorter == 1] == 1).all()
        assert (shorter[longer == 0] == 0).all()
        assert (longer[shorter == -1] == -1).all()
    counted = contract(deals, DAYS, count_as_lost=("insolvent",))
    # what was known stays, what was censored by a competing end may become a loss
    assert (counted.labels[apart.labels >= 0] == apart.labels[apart.labels >= 0]).all()
    assert counted.losses == apart.losses + apart.other_ends


@given(deals_of_accounts(), st.integers(20, 400))
def test_what_closes_after_a_horizon_does_not_change_its_label(deals: list[Record], now: int) -> None:
    """A label known by a moment is the same by the deals of that moment."""
    past = [one for one in deals if one["closed_at"] <= at(now)]
    then, later = (contract(some, DAYS, observed(now)) for some in (past, deals))
    accounts = len({one["account_id"] for one in past})
    assert labels(then) == labels(later)[: accounts * len(DAYS)]


# The silence definition --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("next_act", "expected"),
    [
        pytest.param(50, 1, id="at t itself is before"),
        pytest.param(50 + 1 / DAY, 0, id="a second after t"),
        pytest.param(150, 0, id="at the very end"),
        pytest.param(150 + 1 / DAY, 1, id="a second after the end"),
    ],
)
def test_silence_borders(next_act: float, expected: int) -> None:
    found = silence([act(40), act(next_act)], [50])
    assert labels(found) == [[expected]]
    assert found.losses == expected


def test_only_acts_of_its_own_break_the_silence() -> None:
    begun = act(40)
    assert labels(silence([begun, act(60, actor="us")], [50])) == [[1]]
    assert labels(silence([begun, act(60, kind="order", amount=10.0)], [50])) == [[0]]
    assert labels(silence([begun, act(60, account="B")], [50])) == [[1], [-1]]


def test_eligible_by_enough_touches_the_last_not_too_long_ago() -> None:
    acts = [act(day) for day in (1, 2, 3, 4, 5)]
    found = silence(acts, [4, 5, 105, 105 + 1 / DAY], minimum=5)
    assert eligible(found) == [False, True, True, False]
    assert labels(found) == [[-1], [1], [1], [-1]]
    assert eligible(silence(acts, [5], minimum=6)) == [False]
    assert eligible(silence([act(day, actor="us") for day in range(1, 9)], [9])) == [False]


def test_five_touches_are_asked_for_unless_set() -> None:
    history = History.from_records({"interactions": [act(day) for day in range(1, 6)]}, observed(2000))
    found = silence_outcomes(history, *rows_of(history, [4, 5]), 180)
    assert (eligible(found), found.horizons) == ([False, True], (180,))


def test_silence_is_unknown_until_wholly_observed() -> None:
    acts = [act(40), act(40, account="B"), act(60, account="B")]
    assert labels(silence(acts, [50], observed(150))) == [[1], [0]]
    # not even the act that was seen settles it before
    assert labels(silence(acts, [50], observed(149))) == [[-1], [-1]]
    assert labels(silence(acts, [50], observed(150, {"B": 149}))) == [[1], [-1]]


def test_losses_by_silence_are_accounts() -> None:
    assert silence([act(40), act(40, account="B"), act(90, account="B")], [45, 50]).losses == 1


@given(st.lists(st.lists(st.integers(0, 300), max_size=8, unique=True), min_size=1, max_size=3), st.integers(100, 450))
def test_silence_agrees_with_the_definition(days_of: list[list[int]], until: int) -> None:
    # our own message gives every account a history
    acts = [act(0, account=f"A{i}", actor="us") for i in range(len(days_of))]
    acts += [act(day, account=f"A{i}") for i, days in enumerate(days_of) for day in days]
    moments = range(0, 330, 11)
    found = silence(acts, moments, observed(until), length=60, minimum=2)
    expected = []
    for days in days_of:
        for t in moments:
            past = [day for day in days if day <= t]
            stood = len(past) >= 2 and t - max(past) <= 60
            sent = any(t < day <= t + 60 for day in days)
            expected.append([int(not sent) if stood and t + 60 <= until else -1])
    assert labels(found) == expected
