"""The eight signals of a deep relationship, worked by hand: what each counts, and what must not deceive."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.histories.history import History
from features.histories.log import DAY
from features.histories.tables import KINDS, Dataset
from features.indicators import REGISTRY
from tests.features.helpers import matrix_at, matrix_of
from tests.features.oracle import Account
from tests.features.oracles import depth
from tests.features.worlds import BEGIN, SPAN, random_world, truncated

DEPTH = ("D1a", "D1b", "D2", "D3a", "D3b", "D4", "D5a", "D5b", "D6a", "D6b", "D7", "D8a", "D8b", "D8c", "D8d", "D8e")
MINE = {name for name, one in REGISTRY.indicators.items() if one.signal.id in (*DEPTH, "D8g", "G2c")}
Row = dict[str, Any]


def row(day: float, kind: str, actor: str = "client", **more: Any) -> Row:
    at = BEGIN + round(day * DAY)
    return {"interaction_id": f"{kind}-{actor}-{at}", "account_id": "A", "at": at, "kind": kind, "actor": actor, **more}


def day(number: float) -> int:
    return BEGIN + round(number * DAY)


def five(one: Row) -> list[Row]:
    """The least evidence for a share: the same row five times, under five names."""
    return [{**one, "interaction_id": f"{one['interaction_id']}-{i}"} for i in range(5)]


def value(
    column: str, at_day: float, rows: Sequence[Row], deals: Sequence[Row] = (), records: Sequence[str] | None = None
) -> float | None:
    """What a column says of the account on a day; None where it is unknown."""
    document = {"interactions": list(rows), "deals": list(deals)}
    history = History.from_records(document, Dataset(records=None if records is None else frozenset(records)))
    matrix = matrix_of(history, [day(at_day)])
    found = float(matrix.values[0, matrix.columns.index(column)])
    return None if np.isnan(found) else found


@settings(max_examples=30)
@given(seed=st.integers(0, 10**9), touches=st.sampled_from([10, 60, 250]))
def test_the_oracle_agrees_where_all_kinds_are_recorded(seed: int, touches: int) -> None:
    """Then what was never seen is zero, after a year."""
    world = random_world(seed, accounts=2, touches=touches)
    moments = sorted(BEGIN + random.Random(seed).randrange(SPAN // 2, SPAN) for _ in range(2))
    matrix = matrix_at(world, moments, Dataset(records=frozenset(KINDS)))
    for place in range(len(matrix)):
        t = int(matrix.rows.as_of[place])
        expected = depth.figures(Account(truncated(world, t), matrix.account_ids[place], t), KINDS)
        assert expected.keys() == MINE
        for column, wanted in expected.items():
            figure = matrix.values[place, matrix.columns.index(column)]
            known = np.nan if wanted is None else wanted
            assert figure == pytest.approx(known, rel=1e-9, abs=1e-9, nan_ok=True), column


@pytest.mark.parametrize(
    ("column", "kinds"),
    [
        ("D1a.help_requests.all", ("request", "brief")),
        ("D1b.help_after_silence.all", ("request", "brief")),
        ("D3a.referrals.all", ("advocacy",)),
        ("D8g.meeting_hours.all", ("meeting",)),
    ],
)
def test_none_seen_is_zero_only_where_it_would_have_been_recorded(column: str, kinds: tuple[str, ...]) -> None:
    rows = [row(0, "message")]
    assert value(column, 400, rows) is None
    assert value(column, 400, rows, records=()) is None
    for kind in kinds:
        others = set(KINDS) - {kind}
        assert value(column, 400, rows, records=tuple(others)) is None
    assert value(column, 365, rows, records=kinds) == 0.0
    # Before a year is over none is no evidence.
    assert value(column, 364, rows, records=kinds) is None


def test_no_client_behaviour_is_ever_judged_without_evidence() -> None:
    """An account of messages alone: no share, no mean of anything that did not happen."""
    rows = [row(i * 10, "message", ("client", "us")[i % 2]) for i in range(40)]
    history = History.from_records({"interactions": rows}, Dataset())
    matrix = matrix_of(history, [day(400)])
    known = {name for name, figure in zip(matrix.columns, matrix.values[0], strict=True) if not np.isnan(figure)}
    assert known & MINE == set()


# D1: help


def test_help_counts_unprompted_requests_and_briefs_of_the_client() -> None:
    rows = [
        row(0, "message"),
        row(100, "request", subtype="help"),
        row(150, "brief"),
        row(200, "request", subtype="help", prompted=True),
        row(250, "request", subtype="other"),
        row(260, "request", "us", subtype="help"),
        row(270, "brief", prompted=False),  # ten days after our touch, but the record says so
        row(280, "request", subtype="help"),  # prompted by our touch of day 260? no: 20 days
        row(281, "message", "us"),
        row(290, "brief"),  # nine days after it
    ]
    assert value("D1a.help_requests.all", 365, rows) == pytest.approx(4)
    assert value("D1a.help_request.since", 365, rows) == 85


def test_help_after_sixty_days_of_silence_shows_that_we_were_remembered() -> None:
    def remembered(*rows: Row) -> float | None:
        return value("D1b.help_after_silence.all", 300, rows)

    first, asked = row(100, "message"), row(160, "request", subtype="help")
    # A first contact remembers nothing.
    assert remembered(asked, row(10, "message", "us")) == 0
    assert remembered(first, asked) == 1
    assert remembered(first, {**asked, "at": day(160) - 1}) == 0
    # Our own touches do not break the client's silence, but they prompt it.
    assert remembered(first, row(120, "message", "us"), asked) == 1
    assert remembered(first, row(150, "message", "us"), asked) is None
    # The message that carried the request does not break the silence before itself, nor does a late note of it.
    mail = row(160, "message")
    noted = row(162, "request", subtype="help", about_id=mail["interaction_id"])
    assert remembered(first, mail, noted) == 1
    assert remembered(first, mail, {**noted, "about_id": "gone"}) == 0


# D2: advice


def test_advice_is_taken_declined_or_over_after_ninety_days() -> None:
    acted = row(0, "advice", "us", outcome="acted", resolved_at=day(30))
    rows = [*five(acted), *five(row(1, "advice", "us", outcome="declined", resolved_at=day(40)))]
    assert value("D2.advice_taken_rate.all", 29, rows) is None
    assert value("D2.advice_taken_rate.all", 30, rows) == 1.0
    assert value("D2.advice_taken_rate.all", 40, rows) == 0.5
    rows += five(row(2, "advice", "us"))
    assert value("D2.advice_taken_rate.all", 91, rows) == 0.5
    assert value("D2.advice_taken_rate.all", 92, rows) == pytest.approx(1 / 3)
    assert value("D2.advice_delay.all", 92, rows) == 30


def test_advice_acted_upon_late_counts_from_then() -> None:
    rows = five(row(0, "advice", "us", outcome="acted", resolved_at=day(120)))
    assert [value("D2.advice_taken_rate.365d", at, rows) for at in (89, 90, 119, 120)] == [None, 0.0, 0.0, 1.0]


# D3: referrals


def test_referrals_count_asked_or_not_and_other_praise_does_not() -> None:
    rows = [
        row(0, "advocacy", subtype="referral", prompted=True),
        row(10, "advocacy", subtype="referral", prompted=False),
        row(20, "advocacy", subtype="testimonial"),
    ]
    assert value("D3a.referrals.365d", 365, rows) == pytest.approx(1)
    assert value("D3a.referrals.all", 365, rows) == pytest.approx(2)


def test_thanks_are_due_within_fourteen_days() -> None:
    def thanked(resolved: int | None, at: float) -> float | None:
        more: Row = {} if resolved is None else {"resolved_at": resolved}
        return value("D3b.referrals_thanked_rate.all", at, five(row(0, "advocacy", subtype="referral", **more)))

    assert thanked(day(14), 13) is None
    assert thanked(day(14), 14) == 1.0
    assert thanked(day(14) + 1, 20) == 0.0
    assert thanked(None, 13) is None
    assert thanked(None, 14) == 0.0
    mark = REGISTRY.indicators["D3b.referrals_thanked_rate.all"].mark
    assert mark is not None
    assert [mark.met(share) for share in (1.0, 0.99)] == [True, False]


# D4: fees


@pytest.mark.parametrize(
    ("subtype", "outcome", "resolved", "contested"),
    [
        ("quote", "accepted", 50, 0.0),
        ("proposal", "argued_down", 5, 1.0),
        ("quote", "argued_held", 5, 1.0),
        ("invoice", "disputed", 5, 1.0),
        ("invoice", "paid_late", 5, 1.0),
        ("invoice", "accepted", 30, 0.0),
        ("invoice", "accepted", 31, 1.0),  # due on day 30
        ("quote", "open", None, None),
        ("invoice", None, None, None),  # never entered as paid: unknown, not unpaid
    ],
)
def test_fee_friction(subtype: str, outcome: str | None, resolved: int | None, contested: float | None) -> None:
    fee = row(0, "fee", "us", subtype=subtype, due_at=day(30))
    if outcome is not None:
        fee["outcome"] = outcome
    if resolved is not None:
        fee["resolved_at"] = day(resolved)
    assert value("D4.fee_friction.all", 200, five(fee)) == contested


# D5: mistakes


def mistakes_and(before: int, after: int) -> list[Row]:
    """Five mistakes on day 100, and touches of the client in the 90 days before and after."""
    touches = [row(11 + i, "message") for i in range(before)] + [row(101 + i, "message") for i in range(after)]
    return [row(0, "message"), *five(row(100, "mistake", "us")), *touches]


@pytest.mark.parametrize(
    ("before", "after", "forgiven"), [(5, 4, 1.0), (5, 3, 0.0), (15, 12, 1.0), (0, 1, 1.0), (5, 0, 0.0), (0, 0, None)]
)
def test_a_mistake_is_forgiven_if_the_client_stays_in_touch(before: int, after: int, forgiven: float | None) -> None:
    rows = mistakes_and(before, after)
    assert value("D5a.forgiveness.all", 189, rows) is None
    assert value("D5a.forgiveness.all", 190, rows) == forgiven


def test_a_contract_won_after_a_mistake_forgives_it_at_once() -> None:
    deal = {"deal_id": "D", "account_id": "A", "opened_at": day(90), "outcome": "won", "closed_at": day(120)}
    rows = mistakes_and(9, 0)
    assert value("D5a.forgiveness.all", 119, rows, [deal]) is None
    assert value("D5a.forgiveness.all", 120, rows, [deal]) == 1.0
    assert value("D5a.forgiveness.all", 190, rows, [deal]) == 1.0
    for closed in (100, 191):  # not after it, or not within 90 days
        assert value("D5a.forgiveness.all", 195, rows, [{**deal, "closed_at": day(closed)}]) == 0.0
    assert value("D5a.forgiveness.all", 195, rows, [{**deal, "outcome": "lost"}]) == 0.0


def test_forgiveness_is_unknown_where_we_made_no_mistake() -> None:
    rows = [row(i, "message") for i in range(300)]
    for column in ("D5a.forgiveness", "D5a.back_in_touch", "D5b.repeat_mistakes"):
        assert value(f"{column}.all", 399, rows, records=KINDS) is None
    assert value("D5a.mistake.since", 399, rows, records=KINDS) is None


def test_back_in_touch_after_a_mistake() -> None:
    assert value("D5a.back_in_touch.all", 100.9, mistakes_and(3, 1)) is None
    assert value("D5a.back_in_touch.all", 101, mistakes_and(3, 1)) == 1


def test_a_mistake_is_repeated_where_one_of_its_kind_was_made_before() -> None:
    kinds = ("deadline", "billing", "deadline", "deadline", "billing", "other", "other")
    rows = [row(i, "mistake", "us", subtype=kind) for i, kind in enumerate(kinds)]
    # Of the five of a known kind three are repeated; "other" tells no kind, nor does one that names none.
    assert value("D5b.repeat_mistakes.all", 10, [*rows, row(8, "mistake", "us")]) == 0.6
    assert value("D5b.repeat_mistakes.all", 3.5, rows) is None


# D6, D7: briefs


def test_briefs_count_where_the_record_tells() -> None:
    def brief(number: int, **more: Any) -> Row:
        return row(number, "brief", **more)

    rows = [
        brief(0, level=4, phase="forming", senior=True),
        brief(1, level=5, phase="shaping", senior=False),
        brief(2, level=3, phase="briefed", senior=False),
        brief(3, level=1, strategic=True, phase="rework", senior=False),
        brief(4, strategic=False, phase="briefed", senior=False),
        brief(5),
    ]
    assert value("D6a.complex_work_share.all", 10, rows) == 0.6
    assert value("D6b.exposure_to_seniors.all", 10, rows) == 0.2
    assert value("D7.early_involvement.all", 10, rows) == 0.4
    assert value("D6a.brief.since", 10, rows) == 5
    assert value("D7.early_involvement.all", 10, rows[1:]) is None


# D8a, G2c: respect, and what it may hide


def test_friendly_words_do_not_hide_broken_promises() -> None:
    polite = five(row(0, "message", politeness=0.9))
    promise = row(1, "commitment", due_at=day(5))
    kept = {**promise, "outcome": "kept", "resolved_at": day(4)}
    mark = REGISTRY.indicators["G2c.words_without_action.all"].mark
    assert mark is not None
    hollow = value("G2c.words_without_action.all", 10, [*polite, *five(promise)])
    honest = value("G2c.words_without_action.all", 10, [*polite, *five(kept)])
    assert hollow == pytest.approx(0.9)
    assert honest == 0.0
    assert hollow is not None
    assert honest is not None
    assert [mark.met(figure) for figure in (hollow, honest)] == [False, True]
    # Friendliness alone says nothing of deeds.
    assert value("G2c.words_without_action.all", 10, polite) is None
    assert value("D8a.respect.all", 10, polite) == pytest.approx(0.9)


def test_our_own_politeness_is_not_theirs() -> None:
    assert value("D8a.respect.all", 10, five(row(0, "message", "us", politeness=0.9))) is None
    meeting = row(0, "meeting", "us", outcome="held", politeness=0.5)
    assert value("D8a.respect.all", 10, five(meeting)) == 0.5


# D8b: supplier talk


def test_supplier_talk_is_unknown_where_mentions_are_not_recorded() -> None:
    rows = [row(i, "message") for i in range(10)]
    assert value("D8b.supplier_talk.all", 20, rows) is None
    assert value("D8b.supplier_talk.all", 20, rows, records=("message",)) is None
    assert value("D8b.supplier_talk.all", 20, rows, records=("mention",)) == 0.0
    # Some other mention was noted, so this one would have been.
    assert value("D8b.supplier_talk.all", 20, [*rows, row(5, "mention", subtype="competitor")]) == 0.0


def test_supplier_talk_counts_each_touch_once_from_when_it_was_noted() -> None:
    touches = [row(i, "message") for i in range(10)]
    name = touches[0]["interaction_id"]
    notes = [
        row(20, "mention", subtype="supplier_talk", about_id=name),
        row(30, "mention", subtype="supplier_talk", about_id=name),
    ]
    seen = [value("D8b.supplier_talk.all", at, [*touches, *notes], records=("mention",)) for at in (19, 20, 30)]
    assert seen == [0.0, 0.1, 0.1]
    # In the last 90 days the touch itself is no longer there.
    assert value("D8b.supplier_talk.90d", 92, [*touches, *notes]) == 0.0


def test_supplier_talk_is_the_clients_own() -> None:
    touches = [row(i, "message") for i in range(4)] + [row(5, "message", "us")]
    about_us = row(6, "mention", subtype="supplier_talk", about_id=touches[-1]["interaction_id"])
    ours = row(7, "mention", "us", subtype="supplier_talk")
    lone = row(8, "mention", subtype="supplier_talk")
    assert value("D8b.supplier_talk.all", 10, [*touches, row(4, "message"), about_us, ours]) == 0.0
    # Noted without a touch, it is one of its own: the fifth.
    assert value("D8b.supplier_talk.all", 10, [*touches, about_us, ours, lone]) == 0.2


# D8c, D8d, D8g: punctuality


def test_minutes_late_of_held_meetings() -> None:
    rows = [row(i, "meeting", outcome="held", minutes_late=late) for i, late in enumerate((0.0, 0.0, 5.0, 20.0, 2.5))]
    rows += [row(6, "meeting", outcome="held"), row(7, "meeting", outcome="no_show", minutes_late=60.0)]
    assert value("D8c.minutes_late.all", 10, rows) == 5.5


def test_dated_promises_and_answers() -> None:
    def late(at: float, kind: str, actor: str, **more: Any) -> float | None:
        return value("D8c.late_share.all", at, five(row(0, kind, actor, due_at=day(10), **more)))

    assert late(5, "commitment", "client", outcome="kept", resolved_at=day(5)) == 0.0
    assert late(20, "commitment", "client", outcome="kept", resolved_at=day(11)) == 1.0
    assert late(5, "commitment", "client", outcome="broken", resolved_at=day(5)) == 1.0
    assert late(9, "commitment", "client") is None
    assert late(10, "commitment", "client") == 1.0
    assert late(10, "commitment", "us") is None
    # A refusal in time is an answer in time.
    assert late(8, "request", "us", outcome="refused", resolved_at=day(8)) == 0.0
    assert late(8, "request", "us", resolved_at=day(8)) == 0.0
    assert late(10, "request", "us", outcome="open") == 1.0
    assert late(10, "request", "client", outcome="open") is None
    assert value("D8c.late_share.all", 50, five(row(0, "commitment", outcome="kept", resolved_at=day(5)))) is None


def test_what_was_entered_after_its_date_is_late_only_from_then_on() -> None:
    rows = five(row(20, "commitment", due_at=day(10)))
    assert [value("D8c.late_share.all", at, rows) for at in (15, 20)] == [None, 1.0]


@pytest.mark.parametrize(
    ("actor", "outcome", "hours_before", "share"),
    [
        ("client", "cancelled", 24, 1.0),
        ("client", "cancelled", 24.5, 0.0),
        ("client", "cancelled", -1, 1.0),
        ("client", "cancelled", None, None),  # when is not told
        ("us", "cancelled", 2, None),  # nor does it tell of the client what we called off
        ("us", "cancelled", None, None),
        ("us", "no_show", None, None),
        ("us", "held", None, 0.0),
        ("client", "rescheduled", 2, 0.0),
        ("client", "no_show", None, 0.0),
        ("client", "held", None, 0.0),
        ("client", None, None, None),
    ],
)
def test_last_minute_cancellations(
    actor: str, outcome: str | None, hours_before: float | None, share: float | None
) -> None:
    meeting = row(30, "meeting", actor, recorded_at=day(1))
    if outcome is not None:
        meeting["outcome"] = outcome
    if hours_before is not None:
        meeting["resolved_at"] = day(30 - hours_before / 24)
    assert value("D8d.last_minute_cancellations.all", 40, five(meeting)) == share


def test_a_meeting_counts_when_it_is_known_to_have_been_held() -> None:
    held = row(30, "meeting", recorded_at=day(1), outcome="held", resolved_at=day(31), minutes_late=0.0, minutes=60.0)
    for column in ("D8c.minutes_late.all", "D8d.last_minute_cancellations.all"):
        assert [value(column, at, five(held)) for at in (30.5, 31)] == [None, 0.0]


def test_a_cancellation_counts_when_it_is_made() -> None:
    meeting = row(30, "meeting", recorded_at=day(1), outcome="cancelled", resolved_at=day(10))
    assert value("D8d.last_minute_cancellations.all", 9, five(meeting)) is None
    assert value("D8d.last_minute_cancellations.all", 10, five(meeting)) == 0.0


def test_meeting_hours_per_quarter() -> None:
    rows = [row(0, "message"), *(row(100 + i, "meeting", outcome="held", minutes=60.0) for i in range(4))]
    assert value("D8g.meeting_hours.365d", 365, rows) == pytest.approx(1)
    # One of unknown length counts as long as the others, and none of known length tells nothing.
    unknown = [row(120 + i, "meeting", outcome="held") for i in range(4)]
    assert value("D8g.meeting_hours.365d", 365, rows + unknown) == pytest.approx(2)
    assert value("D8g.meeting_hours.365d", 365, [rows[0], *unknown], records=KINDS) is None
    missed = [row(130, "meeting", outcome="no_show", minutes=60.0)]
    assert value("D8g.meeting_hours.365d", 365, rows + missed) == pytest.approx(1)


def test_requests_to_reschedule() -> None:
    def asked(number: int, actor: str = "us", **more: Any) -> Row:
        return row(number, "request", actor, subtype="reschedule", resolved_at=day(number + 1), **more)

    rows = [asked(i, outcome="granted") for i in range(4)] + [asked(5, outcome="refused")]
    ignored = [asked(6, outcome="open"), asked(7, "client", outcome="granted")]
    assert value("D8g.reschedules_granted.all", 10, rows + ignored) == 0.8
    assert value("D8g.reschedules_granted.all", 5.5, rows + ignored) is None


# D8e: feedback


def deliveries(number: int = 5) -> list[Row]:
    return [row(10 * i, "delivery", "us", due_at=day(10 * i), resolved_at=day(10 * i)) for i in range(number)]


def test_feedback_is_expected_within_thirty_days() -> None:
    work = deliveries()
    first, second = (one["interaction_id"] for one in work[:2])
    given = [row(30, "feedback", about_id=first), row(40.5, "feedback", about_id=second)]
    assert value("D8e.feedback_given_rate.all", 100, [*work, *given]) == 0.2
    assert value("D8e.feedback_given_rate.all", 69, [*work, *given]) is None


def test_no_feedback_is_silence_only_where_feedback_is_recorded() -> None:
    assert value("D8e.feedback_given_rate.all", 100, deliveries()) is None
    assert value("D8e.feedback_given_rate.all", 100, deliveries(), records=("delivery",)) is None
    assert value("D8e.feedback_given_rate.all", 100, deliveries(), records=("feedback",)) == 0.0


def test_feedback_that_names_nothing_is_on_the_latest_work() -> None:
    assert value("D8e.feedback_given_rate.all", 100, [*deliveries(), row(35, "feedback")]) == 0.2
    # What names something that is not known is on nothing known.
    assert value("D8e.feedback_given_rate.all", 100, [*deliveries(), row(35, "feedback", about_id="gone")]) == 0.0


def test_asking_for_feedback_on_a_delivery_and_getting_it() -> None:
    work = deliveries(4)
    asked = row(50, "request", "us", subtype="feedback", about_id=work[3]["interaction_id"])
    rows = [*work, asked]
    # On the delivery (30 days after it) and on the request, whichever of the two the feedback names.
    for about in (asked, work[3]):
        given = row(60, "feedback", about_id=about["interaction_id"])
        assert value("D8e.feedback_given_rate.all", 100, [*rows, given]) == 0.4
    # After that time it answers the request only; a request granted is as good as feedback noted.
    assert value("D8e.feedback_given_rate.all", 100, [*rows, row(61, "feedback")]) == 0.2
    granted = {**asked, "outcome": "granted", "resolved_at": day(55)}
    assert value("D8e.feedback_given_rate.all", 100, [*work, granted]) == 0.4
    # An answer entered as older than the question came with it.
    assert value("D8e.feedback_given_rate.all", 50, [*work, {**granted, "resolved_at": day(49)}]) == 0.4
    # Work that was never delivered can have no feedback.
    open_work = row(5, "delivery", "us", due_at=day(9))
    assert value("D8e.feedback_given_rate.all", 100, [*work, granted, open_work]) == 0.4


def test_directness_of_feedback() -> None:
    rows = [row(i, "feedback", level=level) for i, level in enumerate((1, 5, 5, 4, 3))]
    assert value("D8e.directness.all", 10, [*rows, row(6, "feedback")]) == 3.6


# What must not deceive


def test_one_way_volume_of_ours_improves_nothing() -> None:
    """Two hundred unanswered messages of ours on top of a relationship never look like depth."""
    for seed in range(6):
        world = random_world(seed, accounts=2, touches=250)
        t = BEGIN + SPAN
        flood = [
            {
                **row(SPAN / DAY - 200 + i, "message", "us"),
                "interaction_id": f"{account}-flood-{i}",
                "account_id": account,
            }
            for account in ("A0", "A1")
            for i in range(200)
        ]
        before, after = matrix_at(world, [t]), matrix_at({**world, "interactions": world["interactions"] + flood}, [t])
        for place, indicator in enumerate(before.indicators):
            if indicator.column in MINE and indicator.constraint:
                old, new = before.values[:, place], after.values[:, place]
                better = new < old if indicator.constraint > 0 else new > old
                assert not (better | (np.isnan(old) & ~np.isnan(new))).any(), indicator.column
