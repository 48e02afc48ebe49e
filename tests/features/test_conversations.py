"""Replies, attempts and openings, worked by hand from the definitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from features.histories.conversations import NO_WORDS, Conversations, conversations
from features.histories.history import History
from features.histories.log import DAY
from features.histories.tables import Dataset
from tests.features.worlds import BEGIN

HOUR = 3600


def linked(*touches: dict[str, Any]) -> Conversations:
    """Conversations of one account; times in days from BEGIN, messages by the contact C unless said otherwise."""
    rows = []
    for place, touch in enumerate(touches):
        row: dict[str, Any] = {
            "interaction_id": f"{place:03d}",
            "account_id": "A",
            "kind": "message",
            "contact_id": "C",
            "channel": "email",
            **touch,
        }
        row["at"] = BEGIN + round(touch["at"] * DAY)
        rows.append({name: value for name, value in row.items() if value is not None})
    world = {"interactions": rows}
    return conversations(History.from_records(world, Dataset()))


def us(at: float, **more: Any) -> dict[str, Any]:
    return {"at": at, "actor": "us", **more}


def client(at: float, **more: Any) -> dict[str, Any]:
    return {"at": at, "actor": "client", **more}


def days(moments: np.ndarray) -> list[float]:
    return [float(day) for day in (moments - BEGIN) / DAY]


def test_an_answer_at_the_first_attempt() -> None:
    found = linked(us(0), client(0.5))
    assert (days(found.first_attempts.at), found.first_attempts.value.tolist()) == ([0.5], [1])
    assert found.client_replies.value.tolist() == [12 * HOUR]
    assert found.client_replies.nudged.tolist() == [0]


def test_a_second_attempt_fails_the_first_when_it_is_made() -> None:
    found = linked(us(0), us(3), client(4))
    assert (days(found.first_attempts.at), found.first_attempts.value.tolist()) == ([3], [0])
    # The delay runs from the first touch of the run, and the run was nudged.
    assert found.client_replies.value.tolist() == [4 * DAY]
    assert found.client_replies.nudged.tolist() == [1]


def test_no_answer_fails_when_the_thirty_days_end() -> None:
    found = linked(us(0), client(31))
    assert (days(found.first_attempts.at), found.first_attempts.value.tolist()) == ([30], [0])
    assert len(found.client_replies.at) == 0


def test_an_answer_on_the_last_second_of_the_thirty_days_counts() -> None:
    assert linked(us(0), client(30)).first_attempts.value.tolist() == [1]


def test_an_answered_call_is_its_own_answer_and_a_voicemail_an_attempt() -> None:
    call = {"kind": "call", "channel": "phone"}
    answered = linked(us(0, **call, outcome="answered"))
    assert answered.first_attempts.value.tolist() == [1]
    assert answered.client_replies.value.tolist() == [0]
    voicemail = linked(us(0, **call, outcome="voicemail"), us(2, **call, outcome="answered"))
    assert voicemail.first_attempts.value.tolist() == [0]
    assert voicemail.client_replies.value.tolist() == [2 * DAY]


def test_a_reply_on_another_channel_counts() -> None:
    found = linked(us(0, thread_id="T"), client(1, kind="call", channel="phone", outcome="answered"))
    assert found.first_attempts.value.tolist() == [1]


def test_a_reply_in_one_thread_does_not_answer_another() -> None:
    found = linked(us(0, thread_id="T"), us(0, thread_id="S"), client(1, thread_id="S"))
    assert found.client_replies.value.tolist() == [DAY]
    assert sorted(zip(days(found.first_attempts.at), found.first_attempts.value.tolist(), strict=True)) == [
        (1, 1),
        (30, 0),
    ]


def test_another_contact_does_not_answer_outside_the_thread() -> None:
    assert linked(us(0), client(1, contact_id="D")).client_replies.value.tolist() == []
    assert linked(us(0, contact_id=None), client(1, contact_id="D")).client_replies.value.tolist() == [DAY]
    assert linked(us(0, thread_id="T"), client(1, thread_id="T", contact_id="D")).client_replies.value.tolist() == [DAY]


def test_a_held_meeting_answers_both_sides_and_one_not_held_nobody() -> None:
    meeting = {"kind": "meeting", "channel": "video"}
    held = linked(us(0), client(1, contact_id="D"), us(2, **meeting, outcome="held"), us(3, contact_id="D"))
    assert held.client_replies.value.tolist() == [2 * DAY]
    assert held.we_answered.value.tolist() == [1]
    assert linked(us(0), client(2, **meeting, outcome="cancelled")).client_replies.value.tolist() == []


def test_automatic_mail_is_no_touch() -> None:
    found = linked(us(0), client(1, auto=True))
    assert len(found.touches.at) == 1
    assert found.first_attempts.value.tolist() == [0]


def test_a_conversation_closes_fourteen_days_after_the_client_and_thirty_after_us() -> None:
    after_client = linked(client(0), client(14), client(28.5))
    assert after_client.touches.opens.tolist() == [True, False, True]
    assert after_client.touches.first.tolist() == [True, False, False]
    after_us = linked(us(0), us(30), us(60.5))
    assert after_us.touches.opens.tolist() == [True, False, True]


def test_trying_on_and_on_does_not_hide_that_nobody_answers() -> None:
    daily = linked(*(us(day) for day in range(95)), client(95))
    assert np.flatnonzero(daily.touches.opens).tolist() == [0, 31, 62, 93]
    assert (days(daily.first_attempts.at), daily.first_attempts.value.tolist()) == ([1, 32, 63, 94], [0, 0, 0, 0])
    # The reply's delay runs from the first touch since the last new beginning.
    assert daily.client_replies.value.tolist() == [2 * DAY]
    assert daily.client_replies.nudged.tolist() == [1]
    # Where the client answered, our next touches stay in the conversation, and the client itself reopens none.
    assert linked(us(0), client(1), us(20), us(45)).touches.opens.tolist() == [True, False, False, False]
    assert linked(us(0), us(20), client(45)).touches.opens.tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("second", "prompted"),
    [
        (client(40), False),
        (client(40, prompted=True), True),
        (client(14), True),
        (client(14, contact_id="D"), False),
        (client(14, prompted=False), False),
    ],
)
def test_prompted_as_given_else_by_a_touch_of_ours_within_fourteen_days(second: dict[str, Any], prompted: bool) -> None:
    assert linked(us(0), second).touches.prompted.tolist() == [False, prompted]


def test_lengths_are_compared_with_the_first_touch_of_the_run() -> None:
    found = linked(us(0, words=100), us(1, words=5), client(2, words=25), us(40), client(41, words=9))
    assert found.client_replies.ratio.tolist() == [-2000, NO_WORDS]


def test_our_answer_counts_within_thirty_days_of_the_clients_first_touch() -> None:
    found = linked(client(0), client(20), us(31), client(50), us(51))
    assert (days(found.we_answered.at), found.we_answered.value.tolist()) == ([30, 51], [0, 1])
    assert found.our_replies.value.tolist() == [DAY]


def test_annotations_are_no_touches_and_other_kinds_are_if_they_annotate_none() -> None:
    found = linked(
        us(0, kind="gesture", channel=None),
        us(1, kind="gesture", channel=None, about_id="000"),
        us(2, kind="mistake", channel=None),
    )
    assert days(found.touches.at) == [0]
