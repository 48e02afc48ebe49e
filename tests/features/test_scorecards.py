"""The scorecards and warmth, worked by hand; and that no volume of our own, unanswered, makes anything look better."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features import settings
from features.figures import Text, single
from features.histories.log import DAY
from features.histories.tables import KINDS, Dataset
from features.indicators import REGISTRY, Figure, Indicator, Mark, Signal
from features.judgements.readings import MET, MISSED, UNKNOWN, against, marked
from features.judgements.scorecards import Depth, Pillar, depth, gauntlet, pillars
from features.judgements.warmth import degrees, score, warmth
from features.matrix import Matrix, snapshots
from tests.features.helpers import matrix_at
from tests.features.oracle import Account
from tests.features.worlds import BEGIN, SPAN, Record, World, random_world

UNRECORDED, ALL_RECORDED = Dataset(), Dataset(records=frozenset(KINDS))
EMPTY: World = {"accounts": [], "contacts": [], "interactions": [], "deals": [], "stage_reviews": []}


def judged(*rows: Mapping[str, float], indicators: tuple[Indicator, ...] | None = None) -> Matrix:
    """A matrix of one account with these figures in its rows, all others unknown."""
    world = EMPTY | {"accounts": [{"account_id": "A"}]}
    matrix = matrix_at(world, [BEGIN + place for place in range(len(rows))])
    if indicators is None:
        indicators = matrix.indicators
    values = np.full((len(rows), len(indicators)), np.nan)
    places = {one.column: place for place, one in enumerate(indicators)}
    for row, figures in enumerate(rows):
        for column, value in figures.items():
            values[row, places[column]] = value
    return replace(matrix, indicators=indicators, values=values, evidence=None)


def steps(**figures: float) -> list[str]:
    """The verdicts of the seven steps; ``G1a_first_attempt_response_rate_365d`` stands for the column of that name."""
    return [step.verdict for step in gauntlet(judged(columns(figures)))[0]]


def columns(figures: Mapping[str, float]) -> dict[str, float]:
    """Column names from keywords."""
    named = {}
    for name, value in figures.items():
        signal, rest = name.split("_", 1)
        middle, window = rest.rsplit("_", 1)
        named[f"{signal}.{middle}.{window}"] = value
    return named


# The gauntlet

WELL_ANSWERED: dict[str, float] = {
    "G1a_first_attempt_response_rate_365d": 0.75,
    "G1b_strong_over_weak_365d": 0.1,
    "G1c_mirrored_replies_365d": 0.5,
    "G1d_reinitiation_rate_365d": 0.25,
}
WELL_KEPT: dict[str, float] = {
    "G2a_commitments_kept_rate_365d": 0.8,
    "G2b_show_up_rate_365d": 0.9,
    "G2c_words_without_action_365d": 0.2,
}
STRONG: dict[str, float] = {
    **WELL_ANSWERED,
    **WELL_KEPT,
    "G3a_channel_breadth_365d": 3,
    "G4a_personal_share_365d": 0.01,
    "G4d_disclosure_led_by_client_365d": 0.5,
    "G5b_proactive_referrals_730d": 1,
    "G6a_introductions_upward_730d": 1,
    "G7_unprompted_endorsements_730d": 1,
    "G7_continuing_now": 2,
}


def test_the_steps_come_in_order_with_the_figures_that_decide_them() -> None:
    found = gauntlet(judged(columns(STRONG)))[0]
    assert [step.number for step in found] == [1, 2, 3, 4, 5, 6, 7]
    assert [step.verdict for step in found] == ["pass"] * 7
    decided_by = [[figure.column for figure in step.figures] for step in found]
    assert decided_by == [
        [
            "G1a.first_attempt_response_rate.365d",
            "G1b.strong_over_weak.365d",
            "G1c.mirrored_replies.365d",
            "G1d.reinitiation_rate.365d",
        ],
        ["G2a.commitments_kept_rate.365d", "G2b.show_up_rate.365d", "G2c.words_without_action.365d"],
        ["G3a.channel_breadth.365d"],
        ["G4a.personal_share.365d", "G4d.disclosure_led_by_client.365d"],
        ["G5a.references_given.730d", "G5b.proactive_referrals.730d"],
        ["G6a.introductions_upward.730d"],
        ["G7.unprompted_endorsements.730d", "G7.continuing.now"],
    ]
    first = found[0].figures[0]
    assert (first.value, first.mark, first.met) == (0.75, ">= 0.75", True)
    unknown = found[4].figures[0]
    assert (unknown.value, unknown.mark, unknown.met) == (None, ">= 1", None)


@pytest.mark.parametrize("missing", list(WELL_ANSWERED))
def test_the_first_steps_pass_by_what_is_known_and_fail_by_any_known_row(missing: str) -> None:
    assert steps(**WELL_ANSWERED)[0] == "pass"
    assert steps(**{name: value for name, value in WELL_ANSWERED.items() if name != missing})[0] == "pass"
    assert steps(**(WELL_ANSWERED | {missing: 0.0}))[0] == "fail"
    assert steps()[:2] == ["unknown", "unknown"]
    assert steps(G2b_show_up_rate_365d=0.95)[1] == "pass"
    assert steps(**(WELL_KEPT | {"G2c_words_without_action_365d": 0.21}))[1] == "fail"


@pytest.mark.parametrize(
    ("figures", "step", "verdict"),
    [
        ({"G3a_channel_breadth_365d": 3}, 3, "pass"),
        ({"G3a_channel_breadth_365d": 2}, 3, "fail"),
        # E-mail as the go-to mode is fine: G3b never decides.
        ({"G3b_preferred_channel_365d": 1}, 3, "unknown"),
        ({"G3a_channel_breadth_365d": 3, "G3b_preferred_channel_365d": 1}, 3, "pass"),
        # Personal, but where we lead it counts against us, and who led is not known from a few exchanges.
        ({"G4a_personal_share_365d": 0.3, "G4d_disclosure_led_by_client_365d": 0.5}, 4, "pass"),
        ({"G4a_personal_share_365d": 0.3, "G4d_disclosure_led_by_client_365d": 0.4}, 4, "fail"),
        ({"G4a_personal_share_365d": 0.3}, 4, "unknown"),
        ({"G4a_personal_share_365d": 0.0}, 4, "fail"),
        # A reference or an unasked referral will do; one of them missing beside one unknown tells nothing.
        ({"G5a_references_given_730d": 1}, 5, "pass"),
        ({"G5a_references_given_730d": 0, "G5b_proactive_referrals_730d": 2}, 5, "pass"),
        ({"G5a_references_given_730d": 0, "G5b_proactive_referrals_730d": 0.5}, 5, "fail"),
        ({"G5a_references_given_730d": 0}, 5, "unknown"),
        ({"G5a_references_given_365d": 2}, 5, "unknown"),
        # Being known by many does not do instead of the higher-ups.
        ({"G6a_introductions_upward_730d": 1, "G6b_active_contacts_365d": 1}, 6, "pass"),
        ({"G6a_introductions_upward_730d": 0, "G6b_active_contacts_365d": 9}, 6, "fail"),
        ({"G6b_active_contacts_365d": 9, "G6c_isolation_365d": 0.1, "G6d_senior_access_365d": 1}, 6, "unknown"),
        # One burst of praise does not go on.
        ({"G7_unprompted_endorsements_730d": 3, "G7_continuing_now": 2}, 7, "pass"),
        ({"G7_unprompted_endorsements_730d": 3, "G7_continuing_now": 1}, 7, "fail"),
        ({"G7_unprompted_endorsements_730d": 0.5, "G7_continuing_now": 2}, 7, "fail"),
        ({"G7_unprompted_endorsements_730d": 3}, 7, "unknown"),
    ],
)
def test_what_decides_a_step(figures: dict[str, float], step: int, verdict: str) -> None:
    assert steps(**figures)[step - 1] == verdict


def test_tenure_and_friendliness_alone_pass_nothing() -> None:
    """A client of ten years that writes a friendly mail each month, whenever we have asked how it is."""
    friendly: dict[str, Any] = {"channel": "email", "politeness": 1.0, "prompted": True}
    world = EMPTY | {
        "interactions": [event(30 * month, **friendly) for month in range(121)],
        "deals": [won(365 * year) for year in range(10)],
    }
    for dataset in (UNRECORDED, ALL_RECORDED):
        matrix = matrix_at(world, [BEGIN + 3650 * DAY], dataset)
        assert value(matrix, "D8a.respect.365d") == 1.0
        assert value(matrix, "L5.tenure.now") > 3600
        assert "pass" not in [step.verdict for step in gauntlet(matrix)[0]]
        assert "strong" not in [pillar.verdict for pillar in pillars(matrix)[0]]
        assert depth(matrix)[0].verdict != "deep"
        found = degrees(matrix)[0]
        assert np.isnan(found) or found < settings.WARMTH_BAND[0]


# Depth

DEEP: dict[str, float] = {
    "D1a_help_requests_365d": 2,
    "D2_advice_taken_rate_365d": 0.5,
    "D3a_referrals_365d": 1,
    "D4_fee_friction_365d": 0.1,
    "D5a_forgiveness_365d": 0.8,
    "D6a_complex_work_share_365d": 0.3,
    "D7_early_involvement_365d": 0.3,
    "D8a_respect_365d": 0.6,
}
SHALLOW: dict[str, float] = dict.fromkeys(DEEP, 0.0) | {"D4_fee_friction_365d": 1.0}


def deep_in(*signals: str, shallow: tuple[str, ...] = ()) -> Depth:
    """The depth where these signals are known to be deep and those shallow."""
    figures = {name: figure for name, figure in DEEP.items() if name[:2] in signals}
    figures |= {name: figure for name, figure in SHALLOW.items() if name[:2] in shallow}
    return depth(judged(columns(figures)))[0]


def test_the_eight_signals_stand_with_their_weights() -> None:
    found = depth(judged(columns(DEEP)))[0]
    assert [one.number for one in found.signals] == list(range(1, 9))
    assert [one.weight for one in found.signals] == [1, 2, 1, 2, 1, 1, 2, 1]
    assert [one.verdict for one in found.signals] == ["deep"] * 8
    assert (found.verdict, found.deep_weight, found.known_weight) == ("deep", 11, 11)


def test_the_whole_needs_four_known_signals_and_two_thirds_of_their_weight() -> None:
    assert deep_in("D1", "D2", "D3").verdict == "unknown"
    # Sure signs weigh double: two of four suffice where D2 and D4 are the deep ones (4 of 6), else not (2 of 6).
    assert deep_in("D2", "D4", shallow=("D1", "D3")).verdict == "deep"
    assert deep_in("D1", "D3", shallow=("D2", "D4")).verdict == "shallow"
    # Eight of eleven are more than two thirds, seven are less.
    assert deep_in("D1", "D2", "D3", "D4", "D5", "D6", shallow=("D7", "D8")).deep_weight == 8
    assert deep_in("D1", "D2", "D3", "D4", "D5", "D6", shallow=("D7", "D8")).verdict == "deep"
    assert deep_in("D2", "D3", "D4", "D5", "D6", shallow=("D1", "D7", "D8")).verdict == "shallow"


def test_a_signal_is_deep_by_every_known_row_with_a_mark() -> None:
    respect: dict[str, float] = {
        "D8a_respect_365d": 0.7,
        "D8b_supplier_talk_365d": 0.02,
        "D8c_minutes_late_365d": 5,
        "D8c_late_share_365d": 0.2,
        "D8d_last_minute_cancellations_365d": 0.05,
        "D8e_feedback_given_rate_365d": 0.5,
        "D8f_silence_ratio_now": 3,
    }
    assert depth(judged(columns(respect)))[0].signals[7].verdict == "deep"
    for name in respect:
        spoilt = respect | {name: 0.0 if name[:3] in ("D8a", "D8e") else 10.0}
        assert depth(judged(columns(spoilt)))[0].signals[7].verdict == "shallow", name
    # Rows without a mark decide nothing.
    assert depth(judged({"D8g.meeting_hours.365d": 100.0}))[0].signals[7].verdict == "unknown"
    assert depth(judged({"D3a.referrals.365d": 1.0, "D3b.referrals_thanked_rate.365d": 0.9}))[0].signals[2].verdict == (
        "shallow"
    )


# Pillars


def pillar(number: int, **figures: float) -> Pillar:
    """One of the pillars of an account with these figures."""
    return pillars(judged(columns(figures)))[0][number - 1]


def test_a_pillar_is_strong_by_two_thirds_of_its_known_marks() -> None:
    ground: dict[str, float] = {"P1a_shared_interests_365d": 1, "P1b_client_share_of_touches_365d": 0.5}
    two_of_three = pillar(1, **ground, P1b_client_share_of_words_365d=0.9)
    assert (two_of_three.verdict, two_of_three.marks_met, two_of_three.marks_known) == ("strong", 2, 3)
    two_of_four = pillar(1, **ground, P1b_client_share_of_words_365d=0.9, P1c_face_to_face_share_365d=0.1)
    assert (two_of_four.verdict, two_of_four.marks_met, two_of_four.marks_known) == ("weak", 2, 4)
    # Too much of one side is no bond, whichever side it is.
    assert [pillar(1, P1b_client_share_of_touches_365d=share).verdict for share in (0.34, 0.35, 0.65, 0.66)] == [
        "weak",
        "strong",
        "strong",
        "weak",
    ]
    assert [one.verdict for one in pillars(judged({}))[0]] == ["unknown"] * 4
    assert pillar(2, P2a_our_share_of_concessions_365d=0.5, P2b_resentment_365d=0.2).verdict == "weak"
    assert pillar(2, P2b_resentment_365d=0.1, P2c_days_to_first_offer_now=7).verdict == "strong"


def test_attention_stands_in_for_ambassadors_and_is_no_mark_of_its_own() -> None:
    alone = pillar(3, P3c_attention_in_sales_365d=0.75)
    assert (alone.verdict, alone.marks_met, alone.marks_known) == ("strong", 1, 1)
    none = pillar(3, P3c_ambassadors_365d=0, P3c_attention_in_sales_365d=0.75, P3b_small_gestures_365d=1)
    assert (none.verdict, none.marks_met, none.marks_known) == ("weak", 1, 2)
    assert pillar(3, P3c_ambassadors_365d=0, P3c_attention_in_sales_365d=0.2).marks_met == 0


def test_the_fourth_pillar_is_the_effort_where_the_portfolio_is_known() -> None:
    effort = single(
        Signal("P4b", "effort", "Effort", "004"),
        Text("effort_alignment", "Effort", "hours / potential", "ratio"),
        lambda frame: Figure(np.empty(0), np.empty(0)),
        better="band",
        mark=Mark("between", 0.5, 2.0),
    )
    rows = [{"P4b.effort_alignment.now": ratio} for ratio in (0.5, 2.0, 2.1, math.nan)]
    found = [four[3].verdict for four in pillars(judged(*rows, indicators=(effort,)))]
    assert found == ["strong", "strong", "weak", "unknown"]


# Warmth

COMPOSED: dict[str, float] = {
    "W1a_our_response_time_365d": 48,  # half
    "W1a_our_response_rate_365d": 0.95,  # 1, so W1a 0.75
    "W1b_our_reliability_365d": 0.45,  # half
    "W2a_value_added_touches_365d": 8,  # 1, no more
    "W3b_service_slip_now": -0.25,  # 0.75
    "G1a_first_attempt_response_rate_365d": 0.3,  # 0.4
    "D8d_last_minute_cancellations_365d": 0.2,  # a quarter
}


def test_warmth_is_the_weighted_mean_of_what_is_known() -> None:
    found = warmth(judged(columns(COMPOSED)))[0]
    by_row = {one.row: one for one in found.components}
    scores = {row: one.score for row, one in by_row.items() if one.score is not None}
    assert scores == pytest.approx({"W1a": 0.75, "W1b": 0.5, "W2a": 1.0, "W3b": 0.75, "G1a": 0.4, "D8d": 0.25})
    weights = {row: by_row[row].weight for row in scores}
    assert weights == {"W1a": 10, "W1b": 12, "W2a": 6, "W3b": 7, "G1a": 6, "D8d": 2}
    # (7.5 + 6 + 6 + 5.25 + 2.4 + 0.5) of 43
    assert found.degrees == pytest.approx(100 * 27.65 / 43)
    assert (found.known, found.place) == (6, "happy medium")
    assert [figure.met for figure in by_row["W1a"].figures] == [False, True]
    assert by_row["G4a"].score is None
    assert list(by_row) == list(settings.WARMTH_WEIGHTS)


def test_warmth_is_unknown_below_six_components() -> None:
    for missing in ("D8d_last_minute_cancellations_365d", "W1b_our_reliability_365d"):
        found = warmth(judged(columns({name: one for name, one in COMPOSED.items() if name != missing})))[0]
        assert (found.degrees, found.place, found.known) == (None, None, 5)


def test_the_happy_medium_lies_between_cold_and_too_warm() -> None:
    best = {column: best_figure(REGISTRY.indicators[column]) for column in SCORED}
    worst = {column: worst_figure(REGISTRY.indicators[column]) for column in SCORED}
    warm, cold, medium = warmth(judged(best, worst, columns(COMPOSED)))
    assert (warm.degrees, warm.place, warm.known) == (100.0, "warmer", 20)
    assert cold.degrees is not None
    assert cold.degrees < 5
    assert (cold.place, medium.place) == ("cooler", "happy medium")


NOTHING_KNOWN = judged({})
SCORED = [NOTHING_KNOWN.columns[place] for place in marked(NOTHING_KNOWN, settings.WARMTH_WEIGHTS)]
"""The columns that warmth is made of."""


def best_figure(indicator: Indicator) -> float:
    """A figure as good as can be."""
    return indicator.low if indicator.better == "down" else min(indicator.high, 1000.0)


def worst_figure(indicator: Indicator) -> float:
    """A figure as bad as can be."""
    return indicator.low if indicator.better == "up" else min(indicator.high, 1000.0)


def test_the_components_are_all_rows_with_a_mark_of_both_halves() -> None:
    families = ("W1", "W2", "W3", "W4", "G1", "G4", "D1", "D8")
    matrix = judged({})
    rows = {one for one in REGISTRY.signals if one[:2] in families and marked(matrix, (one,))}
    assert settings.WARMTH_WEIGHTS.keys() == rows
    ours = sum(weight for row, weight in settings.WARMTH_WEIGHTS.items() if row.startswith("W"))
    assert (ours, sum(settings.WARMTH_WEIGHTS.values())) == (50, 100)


@pytest.mark.parametrize("column", SCORED)
def test_scores_never_fall_as_figures_get_better(column: str) -> None:
    one = REGISTRY.indicators[column]
    assert one.mark is not None
    values = np.linspace(one.low, min(one.high, 20 * max(one.mark.value, 1.0)), 2001)
    scores = score(one, values if one.better == "up" else values[::-1])
    assert (np.diff(scores) >= 0).all()
    assert scores[0] < 1.0
    assert scores.min() >= 0.0
    assert (score(one, values)[against(one.mark, values) == MET] == 1.0).all()
    assert score(one, np.array([one.mark.value]))[0] == (0.0 if one.column.startswith("G4a") else 1.0)
    assert np.isnan(score(one, np.array([np.nan])))[0]


def test_what_has_no_mark_in_one_direction_is_not_scored() -> None:
    for column in ("P1b.client_share_of_touches.365d", "G4b.emotional_share.365d"):
        with pytest.raises(ValueError, match="no mark in one direction"):
            score(REGISTRY.indicators[column], np.array([0.5]))


# What all have in common


@given(value=st.floats(-5, 5) | st.just(math.nan), place=st.integers(0, 3))
def test_marks_are_read_for_many_as_for_one(value: float, place: int) -> None:
    mark = (Mark(">=", 1.0), Mark("<=", -2.0), Mark(">", 0.0), Mark("between", 0.5, 2.0))[place]
    expected = {True: MET, False: MISSED, None: UNKNOWN}[mark.met(value)]
    assert against(mark, np.array([value])).tolist() == [expected]


@pytest.mark.parametrize("seed", range(3))
def test_many_rows_at_once_give_what_each_gives_alone(seed: int) -> None:
    moments = snapshots(BEGIN + 300 * DAY, BEGIN + SPAN, every_days=60)
    matrix = matrix_at(random_world(seed, accounts=3, touches=250), moments.tolist(), ALL_RECORDED)
    assert not np.isnan(degrees(matrix)).all()
    for judge in (gauntlet, depth, pillars, warmth):
        together: list[Any] = judge(matrix)
        alone = [judge(matrix.take(np.array([row])))[0] for row in range(len(matrix))]
        assert together == alone
    assert [one.degrees for one in warmth(matrix)] == [None if np.isnan(one) else one for one in degrees(matrix)]


def test_no_rows_give_no_cards() -> None:
    matrix = judged({}).take(np.empty(0, dtype=int))
    assert (gauntlet(matrix), depth(matrix), pillars(matrix), warmth(matrix)) == ([], [], [], [])


# What our own conduct alone cannot do


def event(day: float, kind: str = "message", actor: str = "client", **more: Any) -> Record:
    """One interaction of account A, ``day`` days after BEGIN."""
    row = {"interaction_id": f"{kind}-{actor}-{day}", "account_id": "A", "kind": kind, "actor": actor}
    return {**row, "at": BEGIN + round(day * DAY), **more}


def won(day: int) -> Record:
    """A contract of a year, won that day."""
    begin = BEGIN + day * DAY
    times = {"opened_at": begin, "closed_at": begin, "starts_on": begin, "ends_on": begin + 365 * DAY}
    return {"deal_id": f"D{day}", "account_id": "A", "outcome": "won", "amount": 1000.0, **times}


def value(matrix: Matrix, column: str) -> float:
    """The figure of the only row."""
    return float(matrix.values[0, matrix.columns.index(column)])


def test_what_is_rare_is_counted_over_two_years() -> None:
    """Worked by hand: references on days 10 and 700 as of day 800, seen by the last 730 days from day 70 on."""
    world = EMPTY | {
        "contacts": [{"contact_id": f"C{rank}", "account_id": "A", "seniority": rank} for rank in (2, 5)],
        "interactions": [
            event(0),
            *(event(day, "advocacy", subtype="reference") for day in (10, 700)),
            *(event(day, "advocacy", subtype="referral", prompted=False) for day in (11, 20, 300)),
            *(event(day, "advocacy", subtype="endorsement", prompted=False) for day in (12, 71, 500)),
            *(event(day, "introduction", contact_id="C2", related_contact_id="C5") for day in (13, 600)),
        ],
    }
    matrix = matrix_at(world, [BEGIN + 800 * DAY], ALL_RECORDED)
    longer = {one.column: value(matrix, one.column) for one in matrix.indicators if one.window == "730d"}
    assert longer == {
        "G5a.references_given.730d": 0.5,
        "G5b.proactive_referrals.730d": 0.5,
        "G6a.introductions_upward.730d": 0.5,
        "G7.unprompted_endorsements.730d": 1.0,
    }
    assert value(matrix, "G5a.references_given.all") == pytest.approx(2 * 365 / 800)


def test_trying_on_and_on_does_not_turn_a_failed_step_into_a_pass() -> None:
    """Five outreaches answered, five not: one half. Daily mails on top are more failures, not fewer."""
    outreaches = [event(50 * number, actor="us") for number in range(10)]
    answers = [event(50 * number + 1) for number in range(5)]
    flood = [event(250.5 + day, actor="us") for day in range(249)]
    column = "G1a.first_attempt_response_rate.all"
    found = []
    for rows in (outreaches + answers, outreaches + answers + flood):
        found.append(value(matrix_at(EMPTY | {"interactions": rows}, [BEGIN + 499 * DAY]), column))
    # From day 250 on the conversation is reopened nine times in vain: then, on day 280.5 and every 31 days from there.
    assert found == [0.5, 5 / 14]


def test_more_of_ours_at_a_silent_client_does_not_make_up_for_its_talking_more() -> None:
    talk = [event(day, actor="us" if day % 4 == 0 else "client", words=10) for day in range(1, 41)]
    flood = [event(80 + number / 4, actor="us", words=10) for number in range(100)]
    # Thirty of forty touches are the client's, or of seventy with a little flood: yet there is no balance in that.
    for extra, share in ((0, 0.75), (30, 0.75), (100, 30 / 140)):
        matrix = matrix_at(EMPTY | {"interactions": talk + flood[:extra]}, [BEGIN + 110 * DAY])
        for column in ("P1b.client_share_of_touches.365d", "P1b.client_share_of_words.365d"):
            assert value(matrix, column) == pytest.approx(share)
    # What we say soon after the client did is part of the exchange, answered or not.
    soon = [event(41 + number / 4, actor="us", words=10) for number in range(30)]
    matrix = matrix_at(EMPTY | {"interactions": talk + soon}, [BEGIN + 110 * DAY])
    assert value(matrix, "P1b.client_share_of_touches.365d") == pytest.approx(30 / 70)


ONE_WAY: Mapping[str, tuple[str, ...]] = {
    "message": ("", "", "", "sales"),
    "call": ("", "sales"),
    "meeting": ("review", "sales", "social"),
    "gesture": ("article", "research", "personal_detail", "small_gesture"),
    "advice": ("",),
    "request": ("help", "feedback", "reschedule", "other"),
    "fee": ("quote", "proposal", "invoice"),
    "disclosure": ("personal", "emotional", "plain_speech"),
    "mention": ("competitor", "supplier_talk", "interest"),
    "introduction": ("",),
    "commitment": ("",),
    "delivery": ("",),
}
"""What we can do in any number without the client: nothing of it is answered, asked for, granted, held or rated."""


def one_way_volume(world: World, t: int, seed: int, a_day: float) -> list[Record]:
    """Our doings, so many a day, wherever in the accounts' time up to t the client is silent.

    They begin 30 days after anything of the client's, so that they answer nothing, and end 60 days before its next: by
    then no answer to them is due and no conversation open. They begin after the account's first touch, since a year in
    which we wrote and the client did not would make the relationship a year older.
    """
    dice = random.Random(seed)
    volume: list[Record] = []
    for account in sorted({row["account_id"] for row in world["accounts"]}):
        own = [row for row in world["interactions"] if row["account_id"] == account]
        touched = [row["at"] for row in own if Account.is_touch(row)]
        if not touched:
            continue
        theirs = sorted({row["at"] for row in own if row["actor"] == "client" or _took_part(row)} | {min(touched)})
        people = [row["contact_id"] for row in world["contacts"] if row["account_id"] == account]
        for begin, end in zip(theirs, [*theirs[1:], t + 60 * DAY], strict=True):
            first, last = max(begin + 30 * DAY, min(touched)) + 1, end - 60 * DAY
            for _ in range(int(max(last - first, 0) / DAY * a_day)):
                volume.append(_doing(dice, account, len(volume), dice.randrange(first, last), people, own))
    return volume


def _took_part(row: Record) -> bool:
    return row.get("outcome") in ("held", "answered")


def _doing(dice: random.Random, account: str, number: int, at: int, people: list[str], own: list[Record]) -> Record:
    kind = dice.choice(("message",) * 6 + ("gesture",) * 3 + tuple(ONE_WAY))
    row: Record = {"interaction_id": f"{account}-{number}-volume", "account_id": account, "at": at, "kind": kind}
    row["actor"] = "us"
    some: dict[str, Any] = {
        "subtype": dice.choice(ONE_WAY[kind]),
        "contact_id": dice.choice([*people, ""]),
        "topic": dice.choice(["golf", *(row["topic"] for row in own if "topic" in row), ""]),
        "prompted": dice.choice((True, False, "", "")),
    }
    if kind == "message":
        some |= {"thread_id": dice.choice((f"{account}-{number}", f"{account}-T1", "")), "words": dice.randrange(300)}
    if kind == "call":
        some["outcome"] = dice.choice(("missed", "voicemail"))
    if kind == "meeting":  # never held
        some |= {"channel": "in_person", "prepared": True, "recorded_at": at - 5 * DAY}
        some["outcome"] = dice.choice(("cancelled", "rescheduled", "no_show", ""))
        if some["outcome"] in ("cancelled", "rescheduled"):
            some["resolved_at"] = at - dice.randrange(3) * DAY
    if kind in ("gesture", "disclosure", "mention") and dice.random() < 0.5:
        some["about_id"] = dice.choice(own)["interaction_id"]
    return row | {name: given for name, given in some.items() if given != ""}


RANK = {"fail": 0, "shallow": 0, "weak": 0, "unknown": 1, "pass": 2, "deep": 2, "strong": 2}


def verdicts(matrix: Matrix) -> list[list[int]]:
    """All verdicts of each row, the better the higher."""
    found = []
    for seven, whole, four in zip(gauntlet(matrix), depth(matrix), pillars(matrix), strict=True):
        words = [step.verdict for step in seven] + [one.verdict for one in four]
        found.append([RANK[word] for word in (*words, whole.verdict, *(signal.verdict for signal in whole.signals))])
    return found


def with_and_without(seed: int, touches: int, silent_days: int, a_day: float) -> tuple[Matrix, Matrix]:
    """Random accounts as of a day so long after their records end, without our volume and with it."""
    world = random_world(seed, touches=touches)
    t = BEGIN + SPAN + silent_days * DAY
    dataset = (UNRECORDED, ALL_RECORDED)[seed % 2]
    volume = one_way_volume(world, t, seed, a_day)
    with_volume = world | {"interactions": world["interactions"] + volume}
    return matrix_at(world, [t], dataset), matrix_at(with_volume, [t], dataset)


def assert_no_better(before: Matrix, after: Matrix) -> None:
    """No verdict and no warmth of ``after`` is better than before."""
    for old, new in zip(verdicts(before), verdicts(after), strict=True):
        assert all(one <= other for one, other in zip(new, old, strict=True))
    warm, warmer = degrees(before), degrees(after)
    assert (np.isnan(warm) | (warmer <= warm + 1e-9)).all()


@pytest.mark.parametrize("seed", range(48))
def test_one_way_volume_of_ours_improves_nothing(seed: int) -> None:
    """No column moves in its good direction, no verdict and no warmth rises, whatever we do unanswered.

    An unknown figure may become known by it, as an outreach without an answer is evidence too: then nothing of what was
    added counts in our favour. Trends are left out: they set two columns against each other that are both looked at
    here, and where our volume made the past look poorer the present looks the better beside it.
    """
    touches, silent_days = (12, 30, 60, 250)[seed % 4], (0, 60, 200)[seed // 4 % 3]
    before, after = with_and_without(seed, touches, silent_days, a_day=(0.1, 0.3, 1, 3)[seed // 12 % 4])
    assert before.evidence is not None
    assert after.evidence is not None
    for place, one in enumerate(before.indicators):
        if one.constraint and one.window != "trend":
            old, new = before.values[:, place], after.values[:, place]
            assert not ((old - new) * one.constraint > 1e-12).any(), one.column
            assert not (~np.isnan(old) & np.isnan(new)).any(), one.column
            appeared = np.isnan(old) & ~np.isnan(new)
            had, has = before.evidence[appeared, place], after.evidence[appeared, place]
            if one.better == "down":
                assert (new[appeared] > one.low).all(), one.column
            elif one.high == 1.0:
                assert (new[appeared] <= had / has + 1e-12).all(), one.column
            elif appeared.any():
                assert one.mark is not None, one.column
                assert (against(one.mark, new[appeared]) == MISSED).all(), one.column
    assert_no_better(before, replace(after, values=np.where(np.isnan(before.values), np.nan, after.values)))


@pytest.mark.parametrize("seed", range(24))
def test_a_flood_at_a_silent_client_improves_nothing_known_or_unknown(seed: int) -> None:
    """Half a year of much unanswered activity: not even what was unknown looks good after it."""
    before, after = with_and_without(seed, touches=(30, 60, 250)[seed % 3], silent_days=200, a_day=5)
    assert_no_better(before, after)
    unknown = np.isnan(degrees(before))
    assert not (degrees(after)[unknown] >= settings.WARMTH_BAND[0]).any()
