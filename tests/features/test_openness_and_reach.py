"""Openness, advocacy, reach and each contact's own baseline: the traps worked by hand, and a second opinion on all."""

from __future__ import annotations

import json
import math
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.histories.history import History
from features.histories.log import DAY
from features.histories.tables import KINDS, TABLES, Dataset
from features.histories.working_hours import working_seconds
from features.sources.files import read_tables
from features.sources.importing import import_to_folder
from tests.features.helpers import differences, matrix_at, matrix_of
from tests.features.oracle import Account
from tests.features.oracles import openness_and_reach
from tests.features.worlds import BEGIN, SPAN, Record, World, random_world, truncated

HOUR = 3600
ALL_RECORDED = Dataset(records=frozenset(KINDS))


def event(day: float, kind: str = "message", actor: str = "client", **more: Any) -> Record:
    """One interaction of account A, ``day`` days after BEGIN."""
    return {"account_id": "A", "at": BEGIN + round(day * DAY), "kind": kind, "actor": actor, **more}


def seen(
    day: float, rows: list[Record], contacts: list[Record] | None = None, dataset: Dataset = ALL_RECORDED
) -> dict[str, float]:
    """Every column of account A as of a day."""
    named = [{"interaction_id": f"{place:03d}", **row} for place, row in enumerate(rows)]
    people = [{"account_id": "A", **row} for row in contacts or ()]
    world: World = {"accounts": [], "contacts": people, "interactions": named, "deals": [], "stage_reviews": []}
    matrix = matrix_at(world, [BEGIN + round(day * DAY)], dataset)
    return dict(zip(matrix.columns, matrix.values[0].tolist(), strict=True))


@settings(max_examples=40)
@given(seed=st.integers(0, 10**9), touches=st.sampled_from([10, 60, 250]))
def test_the_oracle_agrees_where_every_kind_is_recorded(seed: int, touches: int) -> None:
    world = random_world(seed, accounts=2, touches=touches)
    moments = sorted(BEGIN + random.Random(seed).randrange(SPAN // 3, SPAN) for _ in range(2))
    matrix = matrix_at(world, moments, ALL_RECORDED)
    for row in range(len(matrix)):
        t, account = int(matrix.rows.as_of[row]), matrix.account_ids[row]
        expected = openness_and_reach.figures(Account(truncated(world, t), account, t), KINDS)
        for column, figure in expected.items():
            value = matrix.values[row, matrix.columns.index(column)]
            wanted = math.nan if figure is None else figure
            assert value == pytest.approx(wanted, rel=1e-9, abs=1e-9, nan_ok=True), column


# G4: openness


def letters(count: int, **more: Any) -> list[Record]:
    """Messages of the client, one each day from day 1 on, with ids M1, M2 …"""
    return [event(day, interaction_id=f"M{day}", **more) for day in range(1, count + 1)]


def opening_up(day: float, about: str, subtype: str = "personal", actor: str = "client") -> Record:
    return event(day, "disclosure", actor, about_id=about, subtype=subtype, interaction_id=f"{about}-{subtype}-{day}")


def test_a_touch_counts_once_however_many_notes_it_has() -> None:
    notes = [opening_up(1, "M1"), opening_up(1, "M1", "emotional"), opening_up(2, "M2")]
    figure = seen(20, [*letters(10), *notes, opening_up(3, "M3", "plain_speech")])
    assert figure["G4a.personal_share.90d"] == 0.2
    assert figure["G4b.emotional_share_of_touches.90d"] == 0.1
    assert figure["G4c.plain_speech_share.90d"] == 0.1
    # Two personal touches are too few to say how many of them went deeper.
    assert math.isnan(figure["G4b.emotional_share.90d"])
    assert figure["G4a.personal.since"] == 18
    assert figure["G4c.plain_speech.since"] == 17


def test_personal_exchanges_that_we_opened_count_against_us_and_never_for_us() -> None:
    ours = [opening_up(day, f"M{day}", actor="us") for day in range(1, 7)]
    figure = seen(20, [*letters(10), *ours])
    assert figure["G4a.personal_share.90d"] == 0
    assert figure["G4d.disclosure_led_by_client.90d"] == 0
    figure = seen(20, [*letters(10), *ours, opening_up(7, "M7"), opening_up(8, "M8")])
    assert figure["G4a.personal_share.90d"] == 0.2
    assert figure["G4d.disclosure_led_by_client.90d"] == 2 / 8


def test_the_first_to_get_personal_led_the_exchange() -> None:
    exchanges = [opening_up(day, f"M{day}", actor="us") for day in range(1, 5)]
    exchanges += [opening_up(day + 0.5, f"M{day}", "emotional") for day in range(1, 5)]
    figure = seen(20, [*letters(10), *exchanges, opening_up(9, "M9"), opening_up(9, "M9", "emotional", actor="us")])
    # Five exchanges: four that we opened, and one of which the record says both at once.
    assert figure["G4d.disclosure_led_by_client.90d"] == 0
    assert figure["G4d.exchange.since"] == 11


def test_openness_is_unknown_where_nobody_notes_it_down() -> None:
    columns = ("G4a.personal_share.90d", "G4c.plain_speech_share.90d", "G4b.emotional_share_of_touches.90d")
    silent = seen(20, letters(10), dataset=Dataset())
    assert all(math.isnan(silent[column]) for column in columns)
    declared = seen(20, letters(10), dataset=Dataset(records=frozenset({"disclosure"})))
    assert [declared[column] for column in columns] == [0, 0, 0]
    noted = seen(20, [*letters(10), opening_up(1, "M1")], dataset=Dataset())
    assert [noted[column] for column in columns] == [0.1, 0, 0]


def test_a_note_made_later_counts_from_then_on() -> None:
    rows = [*letters(10), opening_up(15, "M5")]
    assert seen(14, rows)["G4a.personal_share.90d"] == 0
    assert seen(15, rows)["G4a.personal_share.90d"] == 0.1
    # The note is about day 5: it leaves the window with the touch, not with itself.
    assert seen(97, rows)["G4a.personal.since"] == 92
    assert math.isnan(seen(97, rows)["G4a.personal_share.90d"])


def test_notes_about_our_own_touches_are_no_openness_of_the_client() -> None:
    rows = [*letters(5), event(6, actor="us", interaction_id="U"), opening_up(6, "U")]
    assert seen(20, rows)["G4a.personal_share.90d"] == 0


# G5, G7: advocacy


def test_only_what_was_not_asked_for_is_proactive() -> None:
    def referred(**more: Any) -> Record:
        return event(100, "advocacy", subtype="referral", contact_id="C", **more)

    def referrals(*rows: Record) -> float:
        return seen(365, [event(0), *rows])["G5b.proactive_referrals.365d"]

    assert referrals(referred(prompted=False)) == 1
    assert referrals(referred(prompted=True)) == 0
    # Where it is not said, we prompted it if we touched that contact in the 14 days before.
    assert referrals(event(80, actor="us", contact_id="C"), referred()) == 1
    assert referrals(event(90, actor="us", contact_id="C"), referred()) == 0
    assert referrals(event(90, actor="us", contact_id="D"), referred()) == 1
    assert referrals(event(90, actor="us"), referred()) == 0


def test_references_are_counted_whether_asked_for_or_not() -> None:
    asked = [event(50, "advocacy", subtype="reference", prompted=True), event(60, "advocacy", subtype="testimonial")]
    figure = seen(365, [event(0), *asked, event(70, "advocacy", subtype="champion")])
    assert figure["G5a.references_given.365d"] == 2
    assert figure["G5a.reference.since"] == 305
    # What we do ourselves is not the client speaking for us.
    assert seen(365, [event(0), event(50, "advocacy", "us", subtype="reference")])["G5a.references_given.365d"] == 0


def test_none_is_zero_only_where_advocacy_is_recorded_and_long_enough() -> None:
    columns = ("G5a.references_given.365d", "G5b.proactive_referrals.365d", "G7.unprompted_endorsements.365d")
    assert all(math.isnan(seen(400, [event(0)], dataset=Dataset())[column]) for column in columns)
    assert all(math.isnan(seen(364, [event(0)])[column]) for column in columns)
    assert [seen(365, [event(0)])[column] for column in columns] == [0, 0, 0]
    assert math.isnan(seen(364, [event(0)])["G7.continuing.now"])
    assert seen(365, [event(0)])["G7.continuing.now"] == 0


def endorsement(day: float, **more: Any) -> Record:
    return event(day, "advocacy", subtype="endorsement", **{"prompted": False, **more})


def test_endorsements_that_go_on_are_told_from_a_burst() -> None:
    burst = [endorsement(day) for day in (700, 701, 702, 703)]
    steady = [endorsement(day) for day in (100, 250, 400, 600)]
    begin = event(0)
    assert seen(720, [begin, *burst])["G7.continuing.now"] == 1
    assert seen(720, [begin, *steady])["G7.continuing.now"] == 4
    # Eight quarters are 730 days: after 100 + 730 days the first no longer counts.
    assert seen(829, [begin, *steady])["G7.continuing.now"] == 4
    assert seen(830, [begin, *steady])["G7.continuing.now"] == 3


def test_praise_in_our_absence_is_told_apart() -> None:
    heard = [endorsement(10, us_present=True), endorsement(20, us_present=False), endorsement(30, prompted=True)]
    figure = seen(365, [event(0), *heard])
    assert figure["G7.unprompted_endorsements.365d"] == 2
    assert figure["G7.endorsements_without_us.365d"] == 1
    assert figure["G7.endorsement.since"] == 345
    # Where nobody noted whether we were there, none in our absence is not known to be none.
    assert math.isnan(seen(365, [event(0), endorsement(10)])["G7.endorsements_without_us.365d"])
    assert seen(365, [event(0), endorsement(10, us_present=True)])["G7.endorsements_without_us.365d"] == 0


# G6: reach


def introduction(day: float, **more: Any) -> Record:
    return event(day, "introduction", contact_id="LOW", related_contact_id="HIGH", **more)


LOW = {"contact_id": "LOW", "seniority": 2}
HIGH = {"contact_id": "HIGH", "seniority": 4}


def test_an_introduction_counts_upward_by_the_ranks_of_its_time() -> None:
    def upward(*contacts: Record) -> float:
        return seen(365, [event(0), introduction(100)], list(contacts))["G6a.introductions_upward.365d"]

    assert upward(LOW, HIGH) == 1
    assert upward(LOW, {**HIGH, "seniority": 2}) == 0
    assert upward({**LOW, "seniority": 5}, HIGH) == 0
    promoted = {"contact_id": "HIGH", "seniority": 5, "valid_from": BEGIN + 200 * DAY}
    assert upward(LOW, {**HIGH, "seniority": 1}, promoted) == 0
    assert upward(LOW, HIGH, {"contact_id": "LOW", "seniority": 5, "valid_from": BEGIN + 200 * DAY}) == 1
    # Where a rank is unknown, so is whether it went upward.
    assert math.isnan(upward(LOW))
    assert math.isnan(upward({"contact_id": "LOW"}, HIGH))


def test_an_introduction_to_someone_new_counts_once_that_person_is_entered() -> None:
    entered = {**HIGH, "recorded_at": BEGIN + 380 * DAY}
    rows = [event(0), introduction(370)]
    assert math.isnan(seen(379, rows, [LOW, entered])["G6a.introductions_upward.365d"])
    figure = seen(380, rows, [LOW, entered])
    assert figure["G6a.introductions_upward.365d"] == 1
    assert figure["G6a.introduction.since"] == 10


def test_a_migration_of_contacts_does_not_lose_what_was_valid() -> None:
    """Both versions reach the records on day 380, long after: each counts for its own time."""
    late = {"recorded_at": BEGIN + 380 * DAY}
    before = {**HIGH, "seniority": 1, **late}
    after = {**HIGH, "seniority": 5, "valid_from": BEGIN + 200 * DAY, **late}
    figure = seen(390, [event(0), introduction(100), introduction(300)], [LOW, before, after])
    assert figure["G6a.introductions_upward.365d"] == 1
    assert figure["G6a.introduction.since"] == 90


def test_all_on_one_contact_is_isolation() -> None:
    rows = [event(day, contact_id="C") for day in range(1, 10)]
    assert seen(95, [event(0), *rows, event(10, contact_id="D")])["G6c.isolation.all"] == 0.9
    assert seen(95, [event(0), *rows])["G6c.isolation.all"] == 1
    # A touch of nobody in particular says nothing about it.
    assert math.isnan(seen(95, [event(day) for day in range(10)])["G6c.isolation.all"])


def test_our_own_mails_do_not_make_contacts_active() -> None:
    ours = [event(day, actor="us", contact_id=f"C{day}") for day in range(1, 30)]
    figure = seen(90, [event(0, contact_id="A"), event(50, contact_id="B"), *ours])
    assert figure["G6b.active_contacts.90d"] == 1
    assert figure["G6b.active_contacts.all"] == 2
    assert seen(200, [event(0, contact_id="A"), *ours])["G6b.active_contacts.90d"] == 0
    # Not known: too short a time, or nobody ever named.
    assert math.isnan(seen(80, [event(0, contact_id="A")])["G6b.active_contacts.90d"])
    assert math.isnan(seen(90, [event(0), event(50)])["G6b.active_contacts.90d"])


def test_senior_access_needs_the_senior_to_speak() -> None:
    people = [{"contact_id": "BOSS", "seniority": 5}, {"contact_id": "C", "seniority": 3}]
    ours = [event(day, actor="us", contact_id="BOSS", thread_id=f"T{day}") for day in range(1, 9)]
    theirs = [event(day + 0.5, contact_id="C", thread_id=f"T{day}") for day in range(1, 7)]
    figure = seen(20, [*ours, *theirs], people)
    # All our mails go to the boss, and only the manager answers.
    assert figure["G6d.senior_access.90d"] == 0
    assert figure["G6d.highest_seniority.90d"] == 3
    figure = seen(20, [*ours, *theirs, event(10, contact_id="BOSS", thread_id="T8")], people)
    assert figure["G6d.senior_access.90d"] == 1 / 7
    assert figure["G6d.highest_seniority.90d"] == 5
    # A mail that we leave unanswered, or a meeting that did not take place, is no exchange.
    lonely = [event(1, contact_id="BOSS"), event(2, "meeting", contact_id="BOSS", outcome="no_show")]
    assert math.isnan(seen(20, lonely, people)["G6d.highest_seniority.90d"])
    assert seen(20, [event(2, "meeting", contact_id="C", outcome="held")], people)["G6d.highest_seniority.90d"] == 3


def test_seniority_is_that_of_the_time() -> None:
    rose = [{"contact_id": "C", "seniority": 2}, {"contact_id": "C", "seniority": 4, "valid_from": BEGIN + 6 * DAY}]
    figure = seen(20, [event(day, contact_id="C") for day in range(1, 11)], rose)
    assert figure["G6d.senior_access.90d"] == 0.5


# G1b, G1c: each contact's own baseline


def exchange(day: float, hours: float, contact: str, words: tuple[int, int] = (100, 100)) -> list[Record]:
    thread = {"contact_id": contact, "thread_id": f"{contact}-{day}"}
    ask = event(day, actor="us", words=words[0], **thread)
    return [ask, event(day + hours / 24, words=words[1], **thread)]


def exchanges(*made: list[Record]) -> list[Record]:
    return [row for rows in made for row in rows]


def test_a_slow_contact_is_not_slower_than_usual() -> None:
    """Five replies after 96 hours show what is usual; five more like them are no change, five of 192 double it."""
    usual = exchanges(*(exchange(10 * place, 96, "SLOW") for place in range(5)))
    assert math.isnan(seen(95, usual)["G1b.reply_delay_against_usual.all"])
    same = exchanges(usual, *(exchange(10 * place, 96, "SLOW") for place in range(5, 10)))
    assert seen(110, same)["G1b.reply_delay_against_usual.all"] == 0
    slower = exchanges(usual, *(exchange(10 * place, 192, "SLOW") for place in range(5, 10)))
    # Even the tenth reply has a usual delay of 96 hours before it: five of nine.
    assert seen(110, slower)["G1b.reply_delay_against_usual.all"] == 1


def test_a_change_of_contacts_is_no_change_of_anyones_ways() -> None:
    """The quick one is followed by a slow one: the account's median moves, but neither person changed."""
    quick = exchanges(*(exchange(4 * place, 2, "QUICK") for place in range(10)))
    slow = exchanges(*(exchange(50 + 10 * place, 96, "SLOW") for place in range(10)))
    figure = seen(155, [*quick, *slow])
    assert figure["G1b.reply_delay.90d"] == 96
    assert figure["G1b.reply_delay_against_usual.90d"] == 0


def test_seconds_and_minutes_are_no_signal() -> None:
    usual = exchanges(*(exchange(10 * place, 0.05, "C") for place in range(5)))
    later = exchanges(*(exchange(10 * place, 0.9, "C") for place in range(5, 10)))
    assert seen(100, [*usual, *later])["G1b.reply_delay_against_usual.all"] == 0


def test_a_terse_contact_is_terse_but_not_terser_than_usual() -> None:
    usual = exchanges(*(exchange(10 * place, 5, "C", (100, 25)) for place in range(5)))
    same = exchanges(usual, *(exchange(10 * place, 5, "C", (100, 25)) for place in range(5, 10)))
    figure = seen(100, same)
    assert figure["G1c.terse_replies.all"] == 1
    assert figure["G1c.reply_length_against_usual.all"] == 0
    shorter = exchanges(usual, *(exchange(10 * place, 5, "C", (200, 25)) for place in range(5, 10)))
    assert seen(100, shorter)["G1c.reply_length_against_usual.all"] == -1


FRIDAY = (datetime(2024, 5, 31, 15, tzinfo=UTC).timestamp() - BEGIN) / DAY
"""Friday, 17:00 in Berlin and 11:00 in New York, in days from BEGIN."""


def test_a_weekend_is_no_delay() -> None:
    def hours(zone: str) -> float:
        rows = exchanges(*(exchange(FRIDAY + 7 * week, 66, "C") for week in range(5)))
        figure = seen(FRIDAY + 40, rows, [{"contact_id": "C", "time_zone": zone}])
        return figure["G1b.reply_delay_in_working_hours.90d"]

    # From Friday 17:00 to Monday 11:00, or from Friday 11:00 to Monday 5:00.
    assert hours("Europe/Berlin") == 2
    assert hours("America/New_York") == 6
    assert math.isnan(hours("somewhere"))
    assert math.isnan(hours(""))


def test_working_hours_follow_the_contact_who_moves() -> None:
    moves: list[Record] = [
        {"contact_id": "C", "time_zone": "Europe/Berlin"},
        {"contact_id": "C", "time_zone": "America/New_York", "valid_from": BEGIN + round((FRIDAY + 16) * DAY)},
    ]
    rows = exchanges(*(exchange(FRIDAY + 7 * week, 66, "C") for week in range(5)))
    # The replies of the first two weeks came in Berlin, the other three in New York.
    assert seen(FRIDAY + 40, rows, moves)["G1b.reply_delay_in_working_hours.90d"] == 6


@given(
    zone=st.sampled_from(("UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "America/New_York")),
    begin=st.integers(946_684_800, 1_900_000_000),
    length=st.integers(0, 40 * DAY),
)
def test_working_seconds_are_those_on_the_wall(zone: str, begin: int, length: int) -> None:
    moments = np.array([begin]), np.array([begin + length])
    found = working_seconds(zone, *moments)
    assert found is not None
    assert found[0] == openness_and_reach.working_seconds(zone, begin, begin + length)


# Ranks, zones and named people through the import


def test_the_import_gives_what_the_request_gives(tmp_path: Path) -> None:
    world = random_world(77, accounts=4, touches=200)
    source = tmp_path / "source"
    source.mkdir()
    for name, rows in world.items():
        times = {column.name for column in TABLES[name].columns if column.type == "time"}
        lines = [
            json.dumps(
                {
                    column: datetime.fromtimestamp(value, UTC).isoformat() if column in times else value
                    for column, value in row.items()
                }
            )
            for row in rows
        ]
        if lines:
            (source / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    summary = import_to_folder([source], tmp_path / "out")
    assert summary.rejected == 0
    tables = read_tables(tmp_path / "out")
    moments = [BEGIN + days * DAY for days in (200, 420, 499)]
    batch = matrix_of(History.from_tables(tables), moments)
    request = matrix_at(world, moments, tables.dataset)
    assert set(differences(batch.take(np.arange(len(request))), request)) == set()


@pytest.mark.parametrize("seed", range(4))
def test_one_way_volume_of_ours_improves_nothing(seed: int) -> None:
    """Two hundred mails of ours that nobody answers, to all contacts and to none, look in no column like closeness."""
    world = random_world(seed, accounts=2, touches=250)
    # By then nothing of the client's waits for an answer: to answer it would be an exchange.
    last = max(row["at"] for row in world["interactions"]) + 31 * DAY
    people = [(row["account_id"], row["contact_id"]) for row in world["contacts"]] + [("A0", None), ("A1", None)]
    flood = []
    for number in range(200):
        account, contact = people[number % len(people)]
        row = {**event(0, actor="us"), "account_id": account, "interaction_id": f"flood-{number}", "words": 100}
        flood.append({**row, "at": last + number * HOUR, **({"contact_id": contact} if contact else {})})
    moments = [last + 10 * DAY, last + 60 * DAY]
    before = matrix_at(world, moments, ALL_RECORDED)
    after = matrix_at({**world, "interactions": world["interactions"] + flood}, moments, ALL_RECORDED)
    ours = openness_and_reach.figures(Account(world, "A0", moments[0])).keys()
    for place, indicator in enumerate(before.indicators):
        if indicator.column in ours and indicator.constraint:
            old, new = before.values[:, place], after.values[:, place]
            better = new < old if indicator.constraint > 0 else new > old
            assert not (better | (np.isnan(old) & ~np.isnan(new))).any(), indicator.column
