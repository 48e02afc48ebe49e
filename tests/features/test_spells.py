"""Spells of being a client under contract: hand cases, a slow oracle, and causality."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.histories.history import code
from features.histories.log import DAY, NEVER, Array, Log
from features.histories.spells import COMPETING_REASONS, GRACE_DAYS, Spells, contract_spells
from features.histories.tables import DEALS

MISSING: dict[str, Any] = {
    "closed_at": NEVER,
    "ends_on": NEVER,
    "outcome": np.int8(-1),
    "kind": np.int8(-1),
    "lost_reason": np.int8(-1),
}


@dataclass(frozen=True)
class Deal:
    """A deal in days."""

    closed: int
    outcome: str = "won"
    ends: int | None = None
    kind: str = "new"
    reason: str | None = None


def log(*accounts: Sequence[Deal]) -> Log:
    deals = [deal for account in accounts for deal in account]
    start = np.concatenate(([0], np.cumsum([len(account) for account in accounts])))
    columns: dict[str, Array] = {
        "closed_at": np.array([deal.closed * DAY for deal in deals], dtype=np.int64),
        "ends_on": np.array([NEVER if deal.ends is None else deal.ends * DAY for deal in deals], dtype=np.int64),
        "outcome": np.array([code(DEALS, "outcome", deal.outcome)[0] for deal in deals], dtype=np.int8),
        "kind": np.array([code(DEALS, "kind", deal.kind)[0] for deal in deals], dtype=np.int8),
        "lost_reason": np.array(
            [code(DEALS, "lost_reason", deal.reason)[0] if deal.reason else -1 for deal in deals],
            dtype=np.int8,
        ),
    }
    return Log(start, columns, MISSING)


def as_days(spells: Spells) -> list[tuple[int, int, int | None, int | None, bool]]:
    """(account, began, lost_at, ended, left) of each spell, in days."""

    def days(moment: int) -> int | None:
        return None if moment == NEVER else moment // DAY

    return [
        (int(account), int(began) // DAY, days(int(lost)), days(int(ended)), bool(left))
        for account, began, lost, ended, left in zip(
            spells.account, spells.began, spells.lost_at, spells.ended, spells.left, strict=True
        )
    ]


def spells_of(*deals: Deal, count_as_lost: Collection[str] = ()) -> list[tuple[int, int | None, int | None, bool]]:
    return [spell[1:] for spell in as_days(contract_spells(log(deals), count_as_lost))]


RENEWAL_LOST = Deal(350, "lost", kind="renewal", reason="competitor")


@pytest.mark.parametrize(
    ("deals", "expected"),
    [
        pytest.param([Deal(10, ends=365)], [(10, 425, None, False)], id="lapse, 60 days after the end"),
        pytest.param([Deal(10, ends=365), RENEWAL_LOST], [(10, 350, None, False)], id="renewal lost before the end"),
        pytest.param(
            [Deal(10, ends=365), replace(RENEWAL_LOST, closed=400)],
            [(10, 400, None, False)],
            id="renewal lost in the 60 days after the end",
        ),
        pytest.param(
            [Deal(10, ends=365), replace(RENEWAL_LOST, closed=430)],
            [(10, 425, None, False)],
            id="renewal lost after the lapse changes nothing",
        ),
        pytest.param(
            [Deal(10, ends=365), Deal(20, ends=400, kind="expansion"), RENEWAL_LOST],
            [(10, 460, None, False)],
            id="renewal lost while another contract runs",
        ),
        pytest.param(
            [Deal(10, ends=365), Deal(340, ends=730, kind="renewal"), RENEWAL_LOST],
            [(10, 790, None, False)],
            id="renewal lost after its successor was signed",
        ),
        pytest.param(
            [Deal(10, ends=365), Deal(340, ends=365, outcome="lost", kind="expansion")],
            [(10, 425, None, False)],
            id="only a lost renewal ends a spell",
        ),
        pytest.param(
            [Deal(10, ends=365), Deal(425, ends=800)],
            [(10, 860, None, False)],
            id="a win on the last day still counts",
        ),
        pytest.param(
            [Deal(10, ends=365), Deal(426, ends=800)],
            [(10, 425, None, False), (426, 860, None, False)],
            id="a win a day later is coming back",
        ),
        pytest.param(
            [Deal(10, ends=365), RENEWAL_LOST, Deal(355, ends=800)],
            [(10, 350, None, False), (355, 860, None, False)],
            id="coming back after a lost renewal",
        ),
        pytest.param(
            [Deal(10, ends=365), Deal(350, ends=700), RENEWAL_LOST],
            [(10, 760, None, False)],
            id="won and lost in the same second: won",
        ),
        pytest.param(
            [Deal(10, ends=900), Deal(20, ends=100)],
            [(10, 960, None, False)],
            id="the contract that ends last decides",
        ),
        pytest.param([Deal(400, ends=365)], [(400, 460, None, False)], id="signed after its own end"),
        pytest.param([Deal(10)], [], id="no contract without an end"),
        pytest.param([Deal(10, "lost", kind="renewal")], [], id="never a client"),
        pytest.param([Deal(10, "open", ends=365)], [], id="an open deal is no contract"),
        pytest.param(
            [Deal(5), Deal(10, ends=365)], [(10, 425, None, False)], id="spell begins with the dated contract"
        ),
        pytest.param(
            [Deal(10, ends=365), Deal(200)],
            [(10, None, 425, False)],
            id="bought on without an end: observation ends",
        ),
        pytest.param(
            [Deal(10, ends=365), Deal(200), Deal(300, ends=730)],
            [(10, 790, None, False)],
            id="a later contract makes it observable again",
        ),
        pytest.param(
            [Deal(10, ends=365), Deal(500)],
            [(10, 425, None, False), (500, None, 500, False)],
            id="coming back without an end: no former client, not observable",
        ),
    ],
)
def test_hand_cases(deals: list[Deal], expected: list[tuple[int, int | None, int | None, bool]]) -> None:
    assert spells_of(*deals) == expected


@pytest.mark.parametrize("reason", sorted(COMPETING_REASONS))
def test_a_competing_end_ends_the_observation_unless_counted_as_a_loss(reason: str) -> None:
    deals = [Deal(10, ends=365), replace(RENEWAL_LOST, reason=reason), Deal(500, ends=700)]
    again = (500, 760, None, False)
    assert spells_of(*deals) == [(10, None, 350, True), again]
    assert spells_of(*deals, count_as_lost={reason}) == [(10, 350, None, False), again]


def test_an_unknown_reason_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\['price'\] not allowed.*no_further_need"):
        contract_spells(log([]), {"price"})


def test_state_at_a_moment() -> None:
    competing = [Deal(10, ends=365), replace(RENEWAL_LOST, reason="insolvent")]
    spells = contract_spells(log([Deal(10, ends=365), Deal(500, ends=600)], [], competing, [Deal(1)]))
    account = np.array([0, 0, 0, 0, 0, 0, 1, 2, 2, 3])
    days = np.array([9, 10, 424, 425, 500, 700, 500, 349, 350, 5])
    at_risk, former = spells.at(account, days * DAY)
    assert at_risk.tolist() == [False, True, True, False, True, False, False, True, False, False]
    assert former.tolist() == [False, False, False, True, False, True, False, False, True, False]
    empty = contract_spells(log([], []))
    assert [state.tolist() for state in empty.at(np.array([1]), np.array([DAY]))] == [[False], [False]]


def oracle(
    deals: Sequence[Deal], count_as_lost: Collection[str] = ()
) -> list[tuple[int, int | None, int | None, bool]]:
    """The definition, moment by moment, with everything recomputed at each moment."""
    deals = [deal for deal in deals if deal.outcome != "open"]

    def end(deal: Deal) -> int:
        assert deal.ends is not None
        return max(deal.ends, deal.closed)

    moments = {deal.closed for deal in deals}
    moments |= {end(deal) + GRACE_DAYS for deal in deals if deal.outcome == "won" and deal.ends is not None}
    spells: list[tuple[int, int | None, int | None, bool]] = []
    running = False
    for now in sorted(moments):
        won = [deal for deal in deals if deal.outcome == "won" and deal.closed <= now]
        contracts = [deal for deal in won if deal.ends is not None]
        new = [deal for deal in won if deal.closed == now]
        if not running and any(deal.ends is None for deal in new) and spells:
            spells.append((now, None, now, False))
        if not running and any(deal.ends is not None for deal in new):
            spells.append((now, None, None, False))
            running = True
        if not running:
            continue
        began = spells[-1][0]
        others = sum(end(deal) > now for deal in contracts)
        renewals = [d for d in deals if d.closed == now and d.outcome == "lost" and d.kind == "renewal"]
        switched = [d for d in renewals if d.reason not in COMPETING_REASONS or d.reason in count_as_lost]
        last = max(contracts, key=lambda deal: (end(deal), deal.closed))
        if renewals and others <= 1:
            running = False
            spells[-1] = (began, now, None, False) if renewals[0] in switched else (began, None, now, True)
        elif end(last) + GRACE_DAYS == now:
            running = False
            followed = any(deal.ends is None and deal.closed > last.closed for deal in won)
            spells[-1] = (began, None, now, False) if followed else (began, now, None, False)
    return spells


def deals_of_an_account() -> st.SearchStrategy[list[Deal]]:
    deal = st.builds(
        Deal,
        closed=st.integers(1, 400),
        outcome=st.sampled_from(["won", "won", "lost", "open"]),
        ends=st.one_of(st.none(), st.integers(1, 500)),
        kind=st.sampled_from(["new", "renewal", "renewal", "expansion"]),
        reason=st.sampled_from([None, "competitor", "spread_work", "insolvent"]),
    )
    # one deal a day: what a coincidence means is settled by the hand cases
    return st.lists(deal, max_size=7, unique_by=lambda deal: deal.closed)


@given(
    st.lists(deals_of_an_account(), max_size=4),
    st.sampled_from([(), ("insolvent",), ("spread_work", "insolvent")]),
)
def test_agrees_with_the_oracle(accounts: list[list[Deal]], count_as_lost: tuple[str, ...]) -> None:
    found = as_days(contract_spells(log(*accounts), count_as_lost))
    expected = [(i, *spell) for i, deals in enumerate(accounts) for spell in oracle(deals, count_as_lost)]
    assert found == expected


@given(deals_of_an_account(), st.integers(0, 600))
def test_later_deals_change_nothing_up_to_a_moment(deals: list[Deal], now: int) -> None:
    def by_now(
        spells: list[tuple[int, int | None, int | None, bool]],
    ) -> list[tuple[int, int | None, int | None, bool]]:
        seen = []
        for began, lost, ended, left in spells:
            if began <= now:
                gone = ended is not None and ended <= now
                seen.append(
                    (
                        began,
                        lost if lost is not None and lost <= now else None,
                        ended if gone else None,
                        gone and left,
                    )
                )
        return seen

    past = [deal if deal.closed <= now else replace(deal, outcome="open") for deal in deals]
    assert by_now(spells_of(*past)) == by_now(spells_of(*deals))


@given(st.permutations([Deal(10, ends=365), RENEWAL_LOST, Deal(360, ends=500), Deal(580), Deal(700, ends=800)]))
def test_the_order_of_rows_does_not_matter(deals: list[Deal]) -> None:
    assert spells_of(*deals) == oracle(deals)
