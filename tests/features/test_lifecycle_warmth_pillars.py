"""The life of a relationship, our own conduct and the pillars: traps worked by hand, and a second opinion on all."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.histories.attributes import attribute
from features.histories.history import History
from features.histories.log import DAY, NEVER, Log
from features.histories.tables import KINDS, Dataset
from features.indicators import REGISTRY
from tests.features.helpers import matrix_at
from tests.features.oracle import Account
from tests.features.oracles import lifecycle_warmth_pillars, portfolio_wide
from tests.features.worlds import BEGIN, SPAN, Record, World, random_world, truncated

SIGNALS = ("L1", "L2", "L3", "L4", "L6", "W1c", "W2a", "W2b", "W3a", "W3b", "W4", "P1a", "P1c", "P2a", "P2b", "P2c")
MINE = {name for name, one in REGISTRY.indicators.items() if one.signal.id in (*SIGNALS, "P3b", "P3c")}
MINE -= set(portfolio_wide.COLUMNS)
ALL_RECORDED = Dataset(records=frozenset(KINDS))
HOUR = 3600


def day(number: float) -> int:
    return BEGIN + round(number * DAY)


def event(on: float, kind: str = "message", actor: str = "client", **more: Any) -> Record:
    """One interaction of account A; times given as days after BEGIN."""
    times = {name: day(value) for name, value in more.items() if name.endswith("_at")}
    return {"at": day(on), "kind": kind, "actor": actor, **more, **times}


def deal(opened: float, closed: float | None = None, outcome: str = "won", **more: Any) -> Record:
    times = {} if closed is None else {"closed_at": day(closed), "outcome": outcome}
    return {"opened_at": day(opened), "kind": "new", **times, **more}


def held(on: float, **more: Any) -> Record:
    return event(on, "meeting", outcome="held", **more)


def seen(
    on: float,
    rows: Sequence[Record],
    deals: Sequence[Record] = (),
    accounts: Sequence[Record] = (),
    contacts: Sequence[Record] = (),
    dataset: Dataset = ALL_RECORDED,
) -> dict[str, float | None]:
    """Every column of account A as of a day; None where it is unknown."""
    world: World = {
        "accounts": [{"account_id": "A", **row} for row in accounts],
        "contacts": [{"account_id": "A", **row} for row in contacts],
        "interactions": [{"interaction_id": f"{i:03d}", "account_id": "A", **row} for i, row in enumerate(rows)],
        "deals": [{"deal_id": f"D{i}", "account_id": "A", **row} for i, row in enumerate(deals)],
        "stage_reviews": [],
    }
    matrix = matrix_at(world, [day(on)], dataset)
    values = (None if math.isnan(value) else value for value in matrix.values[0].tolist())
    return dict(zip(matrix.columns, values, strict=True))


@settings(max_examples=40)
@given(seed=st.integers(0, 10**9), touches=st.sampled_from([10, 60, 250]))
def test_the_oracle_agrees_where_every_kind_is_recorded(seed: int, touches: int) -> None:
    world = random_world(seed, accounts=2, touches=touches)
    dice = random.Random(seed)
    moments = sorted(BEGIN + dice.randrange(SPAN // 3, SPAN) for _ in range(2))
    matrix = matrix_at(world, moments, ALL_RECORDED)
    for row in range(len(matrix)):
        t, account = int(matrix.rows.as_of[row]), matrix.account_ids[row]
        expected = lifecycle_warmth_pillars.figures(Account(truncated(world, t), account, t), KINDS)
        assert expected.keys() == MINE
        for column, wanted in expected.items():
            value = matrix.values[row, matrix.columns.index(column)]
            assert value == pytest.approx(math.nan if wanted is None else wanted, rel=1e-9, abs=1e-9, nan_ok=True), (
                column
            )


# Gaming


@pytest.mark.parametrize("seed", range(6))
def test_our_own_volume_alone_makes_nothing_known_and_nothing_better(seed: int) -> None:
    """The client never answers: then no number of gestures, messages and promises of ours counts for us."""
    dice = random.Random(seed)
    subtypes = ("article", "research", "personal_detail", "small_gesture")
    little = [event(0, "message", "us"), event(400, "message", "us")]
    much = little + [event(dice.randrange(10, 495), "gesture", "us", subtype=dice.choice(subtypes)) for _ in range(200)]
    much += [event(dice.randrange(10, 495), "message", "us", topic="golf") for _ in range(200)]
    people = [{"contact_id": "C", "interests": "golf"}]
    before, after = (seen(499, rows, contacts=people) for rows in (little, much))
    for column in MINE:
        one = REGISTRY.indicators[column]
        if one.better in ("up", "down") and before[column] != after[column]:
            assert (before[column], after[column]) == (None, 0.0), column
            assert one.better == "up"


def test_unanswered_gestures_count_at_most_two_for_each_touch_of_the_client() -> None:
    sent = [event(300 + i, "gesture", "us", subtype="article") for i in range(20)]
    quiet = seen(400, [event(0, "message", "us"), *sent])
    assert quiet["W2a.value_added_touches.365d"] == 0.0
    answered = seen(400, [event(0, "message", "us"), *sent, event(310), event(320)])
    assert answered["W2a.value_added_touches.365d"] == 4.0
    assert answered["P3b.small_gestures.365d"] == 4.0
    assert answered["W2b.personal_details_remembered.365d"] == 0.0


# L1


def test_failures_fade_with_a_half_life_of_sixty_days() -> None:
    slight = [event(on, "mistake", "us", level=1) for on in (339, 399)]
    grave = [event(on, "mistake", "us", level=3) for on in (350, 351, 352)]
    rows = [*slight, *grave, *(held(on) for on in (0, 100, 200))]
    days = 60 / math.log(2) * (1 - 2 ** (-399 / 60))
    assert seen(399, rows)["L1.neglect_rate.now"] == pytest.approx((1 + 0.5) * 365 / days)
    # Five failures or good contacts are the least; grave mistakes are not small failures.
    assert seen(399, [*slight, *grave, held(0), held(100)])["L1.neglect_rate.now"] is None


def test_an_answer_is_late_after_three_days_and_the_good_ones_between_break_the_run() -> None:
    rows = [held(0)]
    for start, wait in ((10, 2.9), (20, 3.1), (30, 4), (40, 1), (50, 5), (60, 29)):
        rows += [event(start, contact_id="C"), event(start + wait, actor="us", contact_id="C")]
    columns = seen(95, rows)
    # Late: 20 and 30, then the good one of 40, then 50 and 60.
    assert columns["L1.longest_failure_run.90d"] == 2.0
    assert columns["L1.small_failure.since"] == 95 - 63
    # The answer itself need not have come: after three days it is late.
    waiting = [*rows, event(94, contact_id="C")]
    assert seen(97, waiting)["L1.small_failure.since"] == 0.0
    assert seen(96.9, waiting)["L1.small_failure.since"] == pytest.approx(96.9 - 63)
    assert seen(97, waiting)["L1.longest_failure_run.90d"] == 3.0


def test_broken_promises_and_meetings_that_we_cancelled_are_failures_of_ours_only() -> None:
    rows = [
        event(10, "commitment", "us", due_at=20, resolved_at=25, outcome="kept"),
        event(12, "commitment", "client", due_at=22, about_id="000"),
        event(40, "meeting", "us", outcome="cancelled", resolved_at=30, recorded_at=12),
        event(41, "meeting", "client", outcome="cancelled", resolved_at=31, recorded_at=12),
        event(5, "mistake", "us", level=1),
    ]
    columns = seen(100, [event(0), *rows, held(95), held(96)])
    # At 3 (the first message was never answered), 5, 20 and 30.
    assert columns["L1.longest_failure_run.all"] == 4.0
    assert columns["L1.small_failure.since"] == 70.0


# L2


def test_a_review_ahead_is_known_from_when_it_was_recorded_until_it_is_called_off() -> None:
    rows = [
        event(0),
        event(300, "meeting", "us", subtype="review", recorded_at=250),
        event(290, "meeting", "us", subtype="review", recorded_at=240, outcome="cancelled", resolved_at=260),
        event(255, "meeting", "us", subtype="sales", recorded_at=240),
    ]
    assert [seen(on, rows)["L2.days_to_next_review.now"] for on in (239, 240, 259, 260, 299, 300)] == [
        None,
        50,
        31,
        40,
        1,
        None,
    ]


def test_none_held_for_half_a_year_and_none_ahead_is_stagnation() -> None:
    rows = [event(0), held(100, subtype="review"), event(400, "meeting", "us", subtype="review", recorded_at=290)]
    flags = [seen(on, rows)["L2.stagnation.now"] for on in (179, 180, 279, 280, 289, 290, 399, 400)]
    assert flags == [None, 0, 0, 1, 1, 0, 0, 1]
    assert seen(280, rows)["L2.review_meeting.since"] == 180
    # Where nobody notes reviews, none is no stagnation.
    assert seen(400, [event(0)], dataset=Dataset())["L2.stagnation.now"] is None
    assert seen(400, [event(0)])["L2.stagnation.now"] == 1


# L3


def test_competitors_are_counted_once_for_each_touch_and_each_deal() -> None:
    naming = {"subtype": "competitor"}
    rows = [
        event(0),
        event(50, "mention", about_id="000", **naming),
        event(60, "mention", about_id="000", **naming),
        event(70, "mention", **naming),
        event(71, "mention", **naming),
        event(80, "mention", "us", **naming),
        event(90, "mention", subtype="supplier_talk"),
    ]
    deals = [
        deal(100, competitive=True, lost_to="them"),
        deal(110, 360, "lost", lost_to="them"),
        deal(110, 361, "lost", lost_reason="competitor", competitive=False),
        deal(110, 362, "lost", lost_reason="price"),
    ]
    columns = seen(365, rows, deals)
    assert columns["L3.competitor_mentions.365d"] == 6.0
    assert columns["L3.competitor_mention.since"] == 4.0
    # That a lost deal went to a rival is known when it was lost.
    assert seen(359, rows, deals)["L3.competitor_mentions.all"] == pytest.approx(4 * 365 / 359)


def test_no_competitor_is_good_news_only_where_mentions_are_recorded() -> None:
    assert seen(365, [event(0)])["L3.competitor_mentions.365d"] == 0.0
    assert seen(364, [event(0)])["L3.competitor_mentions.365d"] is None
    assert seen(365, [event(0)], dataset=Dataset())["L3.competitor_mentions.365d"] is None


# L4


def test_the_wallet_is_that_of_the_row_which_held_and_was_known() -> None:
    accounts: list[Record] = [
        {"wallet": 0.1},
        {"wallet": 0.3, "valid_from": day(100)},
        {"wallet": 0.9, "valid_from": day(50), "recorded_at": day(200)},
        {"valid_from": day(300)},
    ]
    wallets = [seen(on, [event(0)], accounts=accounts)["L4.share_of_wallet.now"] for on in (0, 60, 100, 250, 300)]
    assert wallets == [0.1, 0.1, 0.3, 0.3, None]
    assert seen(0, [event(0)])["L4.share_of_wallet.now"] is None


def test_an_attribute_of_no_row_is_unknown() -> None:
    missing = {"valid_from": NEVER, "recorded_at": NEVER, "updated_at": NEVER, "wallet": math.nan}
    log = Log(np.array([0, 1]), {"valid_from": np.array([10]), "wallet": np.array([0.5])}, missing)
    found = attribute(log, "wallet", np.array([0, 0]), np.array([9, 10]))
    assert np.isnan(found[0])
    assert found[1] == 0.5


def test_briefs_of_which_it_is_not_noted_whether_they_are_strategic_do_not_count() -> None:
    briefs = [event(on, "brief", strategic=on < 2) for on in range(5)] + [event(9, "brief") for _ in range(5)]
    assert seen(10, briefs)["L4.strategic_share.90d"] == pytest.approx(0.4)
    assert seen(3, briefs)["L4.strategic_share.90d"] is None


# L6


def test_attention_after_a_sale_is_judged_when_its_ninety_days_end() -> None:
    ours = [event(on, actor="us") for on in (5, 50, 60, 99.5, 100, 101, 189)]
    theirs = [event(on + 0.1) for on in (50, 60, 101, 189)]
    won = [deal(40, 100)]
    assert seen(189.9, [*ours, *theirs], won)["L6.attention_after_sale.all"] is None
    # Before (10, 100]: four of ours, two of theirs. After (100, 190]: two.
    assert seen(190, [*ours, *theirs], won)["L6.attention_after_sale.all"] == 0.5
    # A flood of ours after the win that nobody answers does not count, and an answered one counts no more than two for
    # each touch of theirs.
    for begun, attention in ((150, 0.5), (165, 1.0)):
        flood = [event(begun + i / 10, actor="us") for i in range(50)]
        assert seen(190, [*ours, *theirs, *flood], won)["L6.attention_after_sale.all"] == attention
    # What lies before the time that was observed cannot be compared.
    late_start = Dataset(observed_from=day(11))
    assert seen(190, [*ours, *theirs], won, dataset=late_start)["L6.attention_after_sale.all"] is None


# W1c


def test_contacts_count_as_flawed_from_when_the_flaw_shows() -> None:
    rows = [event(on, actor="us") for on in range(4)]
    rows += [event(4, "delivery", "us", due_at=10, resolved_at=12), event(5), event(6), event(7)]
    rows.append(event(20, "mistake", "us", about_id="001"))
    column = "W1c.immaculate_contacts.all"
    assert seen(9, rows)[column] == 1.0
    assert seen(10, rows)[column] == 0.8
    assert seen(19, rows)[column] == 0.8
    assert seen(20, rows)[column] == 0.6


def test_mistakes_about_nothing_and_meetings_we_moved_are_flawed_contacts_of_their_own() -> None:
    rows = [event(on, actor="us") for on in range(4)] + [event(4 + i / 10) for i in range(3)]
    rows += [
        event(20, "mistake", "us", about_id="not known"),
        event(30, "meeting", "us", outcome="rescheduled", resolved_at=25, recorded_at=10),
        event(31, "meeting", "client", outcome="rescheduled", resolved_at=26, recorded_at=10),
    ]
    assert seen(24, rows)["W1c.immaculate_contacts.all"] == 0.8
    assert seen(25, rows)["W1c.immaculate_contacts.all"] == pytest.approx(4 / 6)


def test_only_the_time_up_to_ninety_days_after_the_first_win_is_cold() -> None:
    rows = [event(on, actor="us") for on in range(0, 150, 10)] + [event(on + 8) for on in range(0, 150, 10)]
    rows += [event(141, "mistake", "us"), event(139, "mistake", "us")]
    # Without a win all is cold: 15 contacts and two mistakes. With one on day 50 only up to day 140.
    assert seen(150, rows)["W1c.immaculate_contacts.all"] == pytest.approx(15 / 17)
    assert seen(150, rows, [deal(0, 50)])["W1c.immaculate_contacts.all"] == pytest.approx(15 / 16)
    assert seen(150, rows, [deal(0, 49)])["W1c.immaculate_contacts.all"] == pytest.approx(14 / 15)


def test_flawless_contacts_that_nobody_answers_do_not_hide_a_flaw() -> None:
    flawed = [event(1, "mistake", "us"), event(9), event(20)]
    few = [event(10 + i, actor="us") for i in range(4)]
    many = [event(10 + i / 10, actor="us") for i in range(400)]
    assert seen(60, flawed + few)["W1c.immaculate_contacts.all"] == 0.8
    assert seen(60, flawed + many)["W1c.immaculate_contacts.all"] == 0.8
    # Those of which the client takes no notice do not count at all.
    assert seen(60, flawed + [event(20.5 + i, actor="us") for i in range(40)])["W1c.immaculate_contacts.all"] is None


# W2


def test_a_meeting_is_followed_up_within_seven_days() -> None:
    meetings = [held(on) for on in (0, 20, 40, 60, 80)]
    sent = [
        event(7, "gesture", "us", subtype="research"),
        event(28, "gesture", "us", subtype="article"),
        event(41, "gesture", "us", subtype="small_gesture"),
        event(60, "gesture", "us", subtype="article"),
        event(81, "gesture", "us", subtype="article", auto=True),
    ]
    assert seen(87, meetings + sent)["W2a.meetings_followed_up.90d"] == pytest.approx(0.4)
    # The last meeting may still be followed up until its seven days have passed.
    assert seen(86.9, meetings + sent)["W2a.meetings_followed_up.90d"] is None
    assert seen(87, meetings, dataset=Dataset())["W2a.meetings_followed_up.90d"] is None
    assert seen(87, meetings)["W2a.meetings_followed_up.90d"] == 0.0


# W3


def test_uneven_months_show_in_the_spread_of_answers_and_promises() -> None:
    month = 365 / 12
    rows = []
    for place, hours in enumerate((2, 2, 8, 8, 32)):
        start = 1000 - month * place - 10
        rows += [event(start, contact_id="C"), event(start + hours / 24, actor="us", contact_id="C")]
        rows.append(event(start, "commitment", "us", due_at=start + 1, about_id="x", **_kept(start, place > 0)))
    logs = np.log([2, 2, 8, 8, 32])
    columns = seen(1000, rows)
    assert columns["W3a.response_variation.365d"] == pytest.approx(float(np.std(logs)))
    assert columns["W3a.promise_variation.365d"] == pytest.approx(float(np.std([0, 1, 1, 1, 1])))
    assert seen(1000 - month, rows)["W3a.response_variation.365d"] is None


def _kept(start: float, kept: bool) -> Record:
    return {"resolved_at": start + 0.5, "outcome": "kept"} if kept else {}


def test_quicker_than_an_hour_is_no_unevenness() -> None:
    rows = []
    for place, seconds in enumerate((1, 10, 100, 1000, 3600)):
        start = 1000 - 30 * place - 10
        rows += [event(start, contact_id="C"), event(start + seconds / DAY, actor="us", contact_id="C")]
    assert seen(1000, rows)["W3a.response_variation.365d"] == 0.0


def test_service_that_became_poorer_slips_below_zero() -> None:
    def answered(start: float, hours: float) -> list[Record]:
        return [event(start, contact_id="C"), event(start + hours / 24, actor="us", contact_id="C")]

    before = [row for on in range(5) for row in answered(100 + on * 10, 3)]
    lately = [row for on in range(5) for row in answered(420 + on * 10, 3 if on < 2 else 50)]
    rated = [event(105 + i / 10, "delivery", "us", rating=9.0) for i in range(5)]
    worse = [event(445 + i / 10, "delivery", "us", rating=7.0) for i in range(5)]
    assert seen(499, before + lately)["W3b.service_slip.now"] == pytest.approx(2 / 5 - 1)
    assert seen(499, [*before, *lately, *rated, *worse])["W3b.service_slip.now"] == pytest.approx((-0.6 - 0.2) / 2)
    # Without a time before there is nothing to slip from.
    assert seen(499, lately)["W3b.service_slip.now"] is None


# W4


def test_preparation_counts_where_it_was_noted() -> None:
    noted = [held(on, prepared=on != 3) for on in range(5)]
    rows = [*noted, held(6), event(7, "meeting", outcome="no_show", prepared=False)]
    assert seen(10, rows)["W4.prepared_share.90d"] == 0.8
    mark = REGISTRY.indicators["W4.prepared_share.365d"].mark
    assert mark is not None
    assert mark.met(0.99) is False
    assert mark.met(1.0) is True


# P1


def test_an_interest_is_shared_when_both_sides_talk_about_it() -> None:
    people = [
        {"contact_id": "C1", "interests": "Golf;  Old  Films"},
        {"contact_id": "C2", "interests": "chess; golf ;"},
    ]
    rows = [
        event(1, topic="GOLF"),
        event(2, actor="us", topic=" golf "),
        event(3, topic="old films"),
        event(4, actor="us", topic="chess", auto=True),
        event(5, topic="chess"),
        event(6, actor="us", topic="prices"),
        event(6.5),
    ]
    column = "P1a.shared_interests.90d"
    assert seen(10, rows, contacts=people)[column] == 1.0
    assert seen(10, [*rows, held(7, topic="Chess")], contacts=people)[column] == 2.0
    not_held = [
        event(7, "meeting", topic="chess", outcome="cancelled"),
        event(8, "call", "us", topic="chess", outcome="missed"),
    ]
    assert seen(10, rows + not_held, contacts=people)[column] == 1.0
    # What we talk about before deaf ears is not shared.
    unheard = [event(7, actor="us", topic="old films"), event(8, actor="us", topic="chess")]
    assert seen(10, rows + unheard, contacts=people)[column] == 1.0
    # Nothing is known where no interest is, or hardly any topic.
    assert seen(10, rows, contacts=[{"contact_id": "C1", "interests": " ; "}])[column] is None
    assert seen(10, rows[:4], contacts=people)[column] is None


def test_an_interest_counts_only_as_long_as_it_is_on_record() -> None:
    people = [
        {"contact_id": "C", "interests": "golf", "recorded_at": day(20)},
        {"contact_id": "C", "interests": "opera", "valid_from": day(40)},
    ]
    rows = [held(1 + i, topic="golf") for i in range(5)]
    columns = [seen(on, rows, contacts=people)["P1a.shared_interests.90d"] for on in (19, 20, 39, 40)]
    assert columns == [None, 1, 1, 0]


def test_meetings_face_to_face_and_what_they_told() -> None:
    channels = ("phone", "video", "in_person", "in_person", "phone")
    rows = [
        held(i, channel=channel, non_verbal=reading)
        for i, (channel, reading) in enumerate(zip(channels, (1, 1, 1, 0, -1), strict=True))
    ]
    columns = seen(10, [*rows, held(6), event(7, "meeting", channel="phone", outcome="no_show")])
    assert columns["P1c.face_to_face_share.90d"] == pytest.approx(0.6)
    assert columns["P1c.body_language.90d"] == pytest.approx(0.4)


# P2


def test_concessions_are_shared_over_deals_and_fees() -> None:
    deals = [
        deal(0, 10, concession=0.1, client_concession=0.05),
        deal(0, 20, "lost", concession=0.5),
        deal(0, 30, concession=0.0, client_concession=0.0),
    ]
    fees = [
        event(5, "fee", "us", amount=200.0, amount_agreed=150.0, outcome="argued_down", resolved_at=12),
        event(6, "fee", "us", amount=200.0, amount_agreed=200.0, outcome="accepted", resolved_at=12),
        event(7, "fee", "us", amount=100.0, amount_agreed=110.0, outcome="accepted", resolved_at=40),
    ]
    column = "P2a.our_share_of_concessions.all"
    assert seen(39, fees, deals)[column] == pytest.approx(0.35 / 0.4)
    assert seen(40, fees, deals)[column] == pytest.approx(0.35 / 0.5)
    # One agreement is not enough.
    assert seen(11, fees, deals)[column] is None


def test_value_to_both_sides_is_that_of_won_deals() -> None:
    deals = [
        deal(0, 10, amount=1000.0, margin=300.0, goal_met=True),
        deal(0, 20, amount=3000.0, margin=-100.0, goal_met=False),
        deal(0, 30, amount=5000.0, goal_met=True),
        deal(0, 30, "lost", amount=5000.0, margin=5000.0, goal_met=False),
    ]
    columns = seen(40, [event(0)], deals)
    assert columns["P2a.margin.all"] == pytest.approx(200 / 4000)
    assert columns["P2a.goals_met.all"] == pytest.approx(2 / 3)
    assert seen(10, [event(0)], deals)["P2a.goals_met.all"] is None


def test_resentment_is_bad_feedback_soon_after_signing() -> None:
    ratings = ((100, 4.0), (150, 4.5), (200, 9.0), (250, 2.0), (280, 8.0))
    rows = [event(on, "feedback", rating=rating) for on, rating in ratings]
    outside = [event(99, "feedback", rating=0.0), event(281, "feedback", rating=0.0)]
    columns = seen(300, rows + outside, [deal(0, 100), deal(0, 90, "lost")])
    assert columns["P2b.resentment.all"] == pytest.approx(0.4)
    assert columns["P2a.satisfaction.all"] == pytest.approx(sum(rating for _, rating in ratings) / 7)


def test_haste_is_an_offer_at_the_first_contact() -> None:
    rows = [event(3, subtype="sales"), event(8, actor="us", subtype="sales"), event(20, actor="us", subtype="sales")]
    assert seen(7, rows)["P2c.days_to_first_offer.now"] is None
    assert seen(30, rows)["P2c.days_to_first_offer.now"] == 5.0
    at_once = seen(30, [event(1, actor="us", subtype="sales"), *rows])
    assert at_once["P2c.days_to_first_offer.now"] == 0.0


def test_patience_counts_once_an_offer_was_answered() -> None:
    rows = [event(0), event(8, actor="us", subtype="sales"), event(40, actor="us", subtype="sales")]
    assert seen(100, rows)["P2c.days_to_first_offer.now"] is None
    assert seen(100, [*rows, event(38)])["P2c.days_to_first_offer.now"] == 8.0
    answered = [*rows, event(60)]
    assert [seen(on, answered)["P2c.days_to_first_offer.now"] for on in (59, 60)] == [None, 8.0]


# P3


def test_ambassadors_are_people_and_attention_stands_in_for_them() -> None:
    champion: Record = {"subtype": "champion"}
    rows = [event(0)]
    rows += [event(on, actor="us", contact_id=f"C{on}") for on in (310, 320, 330, 340, 350)]
    rows += [event(on + 1, contact_id=f"C{on}") for on in (310, 320, 330)]
    rows.append(event(401))
    deals = [deal(300)]
    without = seen(400, rows, deals)
    assert without["P3c.ambassadors.365d"] == 0.0
    assert without["P3c.attention_in_sales.365d"] == pytest.approx(3 / 5)
    spoke = [
        event(on, "advocacy", contact_id=contact, **champion) for on, contact in ((50, "C1"), (60, "C1"), (380, "C2"))
    ]
    columns = seen(400, [*rows, *spoke, event(390, "advocacy", **champion)], deals)
    assert columns["P3c.ambassadors.365d"] == 3.0
    assert columns["P3c.ambassadors.90d"] == 2.0
    assert columns["P3c.attention_in_sales.365d"] is None
    assert seen(400, rows, deals, dataset=Dataset())["P3c.ambassadors.365d"] is None


def test_topics_and_rivals_survive_the_making_of_a_history() -> None:
    document: dict[str, list[Record]] = {
        "interactions": [{"interaction_id": "1", "account_id": "A", **event(0, topic="Golf")}],
        "contacts": [{"account_id": "A", "contact_id": "C", "interests": "golf; chess"}],
        "deals": [{"deal_id": "D", "account_id": "A", **deal(0, 1, "lost", lost_to="them")}],
    }
    history = History.from_records(document, Dataset())
    assert history.names["topic"][history.interactions["topic"][0]] == "Golf"
    assert history.names["interests"][history.contacts["interests"][0]] == "golf; chess"
    assert history.names["lost_to"][history.deals["lost_to"][0]] == "them"
