"""Series, their changes, and the copies of one event in several calendars."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from features.sources.calendar import CalendarOptions, read
from features.sources.source import FILE, ROW, Found
from tests.features.calendar_samples import BERLIN, GUESTS, UNTIL, calendar, event
from tests.features.mail_samples import put
from tests.features.test_calendar import OURS, found_in, outcomes, rows

ANN, BO = GUESTS
WEEKLY = "RRULE:FREQ=WEEKLY;BYDAY=FR"


def days(found: Found) -> list[str]:
    """When the meetings were, without the year."""
    return [row["at"][5:16] for row in found.tables["interactions"].to_pylist()]


def test_a_series_gives_a_meeting_for_each_date_that_is_over(tmp_path: Path) -> None:
    found = found_in(tmp_path, calendar(event(WEEKLY)))
    assert days(found) == ["05-31T14:00", "06-07T14:00", "06-14T14:00", "06-21T14:00", "06-28T14:00"]
    assert found.counts == {"read": 1, "imported": 1}
    assert found.notes == ["calendar: meetings, each date of a series by itself: 5"]
    assert len({row["interaction_id"] for row in rows(found)}) == 5
    assert {row["minutes"] for row in rows(found)} == {"60"}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("RRULE:FREQ=WEEKLY;COUNT=2",), ["05-31T14:00", "06-07T14:00"]),
        (("RRULE:FREQ=WEEKLY;UNTIL=20240607T140000Z",), ["05-31T14:00", "06-07T14:00"]),
        (("RRULE:FREQ=WEEKLY;UNTIL=20240608",), ["05-31T14:00", "06-07T14:00"]),
        (("RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=3",), ["05-31T14:00", "06-14T14:00", "06-28T14:00"]),
        (("RRULE:FREQ=MONTHLY;BYDAY=-1FR;COUNT=2",), ["05-31T14:00", "06-28T14:00"]),
        (("RRULE:FREQ=WEEKLY;COUNT=3", "EXDATE:20240607T140000Z"), ["05-31T14:00", "06-14T14:00"]),
        (("RRULE:FREQ=WEEKLY;COUNT=3", "EXDATE;TZID=Europe/Berlin:20240607T160000"), ["05-31T14:00", "06-14T14:00"]),
        (("RDATE:20240603T100000Z,20240604T100000Z",), ["05-31T14:00", "06-03T10:00", "06-04T10:00"]),
        (("RDATE;VALUE=PERIOD:20240603T100000Z/PT2H",), ["05-31T14:00", "06-03T10:00"]),
        (("RRULE:FREQ=DAILY;COUNT=1",), ["05-31T14:00"]),
        (("RRULE:FREQ=WEEKLY;COUNT=0",), ["05-31T14:00"]),
    ],
)
def test_the_dates_of_a_series_follow_its_rules(tmp_path: Path, lines: tuple[str, ...], expected: list[str]) -> None:
    assert days(found_in(tmp_path, calendar(event(*lines)))) == expected


@pytest.mark.parametrize(
    ("start", "said"),
    [
        ("DTSTART;TZID=Europe/Berlin:20240328T100000", {}),
        ("DTSTART;TZID=Our office:20240328T100000", {}),
        ("DTSTART:20240328T100000", {"X_WR_TIMEZONE": "Europe/Berlin"}),
        ("DTSTART:20240328T090000Z", {"X_WR_TIMEZONE": "Europe/Berlin"}),
    ],
)
def test_a_series_keeps_its_time_of_day_when_the_clocks_change(
    tmp_path: Path, start: str, said: dict[str, str]
) -> None:
    series = event(start, "RRULE:FREQ=WEEKLY;COUNT=2", DTSTART=None, DTEND=None, DURATION="PT30M")
    found = found_in(tmp_path, calendar(BERLIN, series, **said))
    assert days(found) == ["03-28T09:00", "04-04T08:00"]
    assert {row["minutes"] for row in rows(found)} == {"30"}


def test_a_series_in_utc_stays_there(tmp_path: Path) -> None:
    options = CalendarOptions(UNTIL, OURS.our_domains, time_zone="Europe/Berlin")
    series = event("RRULE:FREQ=WEEKLY;COUNT=2", DTSTART="20240328T090000Z", DTEND="20240328T100000Z")
    assert days(found_in(tmp_path, calendar(series), options)) == ["03-28T09:00", "04-04T09:00"]


def test_a_series_of_whole_days(tmp_path: Path) -> None:
    series = event("DTSTART;VALUE=DATE:20240606", "RRULE:FREQ=WEEKLY;COUNT=2", DTSTART=None, DTEND=None)
    change = event("DTSTART;VALUE=DATE:20240614", "RECURRENCE-ID;VALUE=DATE:20240613", DTSTART=None, DTEND=None)
    assert days(found_in(tmp_path, calendar(series, change))) == ["06-06T00:00", "06-14T00:00"]


# ------------------------------------------------------------------------------------------------------- changed dates


def moved(*lines: str) -> str:
    """A change that puts a date to the morning after."""
    return event(*lines, DTSTART="20240608T090000Z", DTEND="20240608T093000Z", LAST_MODIFIED="20240606T120000Z")


def test_a_moved_date_stands_where_it_was_moved_to(tmp_path: Path) -> None:
    change = moved("RECURRENCE-ID:20240607T140000Z")
    found = found_in(tmp_path, calendar(event("RRULE:FREQ=WEEKLY;COUNT=3"), change))
    assert days(found) == ["05-31T14:00", "06-08T09:00", "06-14T14:00"]
    assert [row["minutes"] for row in rows(found)] == ["60", "30", "60"]
    assert [row["updated_at"] for row in rows(found)][1] == "2024-06-06T12:00:00Z"
    before = found_in(tmp_path, calendar(event("RRULE:FREQ=WEEKLY;COUNT=3")))
    assert [row["interaction_id"] for row in rows(found)] == [row["interaction_id"] for row in rows(before)]
    assert found.counts == {"read": 2, "imported": 2}


@pytest.mark.parametrize(
    "named",
    [
        "RECURRENCE-ID;TZID=Europe/Berlin:20240607T160000",
        "RECURRENCE-ID;TZID=Our office:20240607T160000",
        "RECURRENCE-ID;VALUE=DATE:20240607",
    ],
)
def test_the_date_that_is_changed_may_be_written_in_any_zone_or_as_a_day(tmp_path: Path, named: str) -> None:
    written = calendar(BERLIN, event("RRULE:FREQ=WEEKLY;COUNT=2"), moved(named))
    assert days(found_in(tmp_path, written)) == ["05-31T14:00", "06-08T09:00"]


def test_one_date_called_off_is_a_meeting_called_off(tmp_path: Path) -> None:
    off = event(
        "RECURRENCE-ID:20240607T140000Z", STATUS="CANCELLED", DTSTART="20240607T140000Z", DTEND="20240607T150000Z"
    )
    found = found_in(tmp_path, calendar(event("RRULE:FREQ=WEEKLY;COUNT=3"), off))
    assert outcomes(found) == [
        ("2024-05-31T14:00:00Z", "held", "us"),
        ("2024-06-07T14:00:00Z", "cancelled", "us"),
        ("2024-06-14T14:00:00Z", "held", "us"),
    ]


def test_of_a_series_called_off_nothing_is_known_of_the_dates_before(tmp_path: Path) -> None:
    off = event("RRULE:FREQ=WEEKLY;COUNT=3", STATUS="CANCELLED", LAST_MODIFIED="20240610T080000Z")
    found = found_in(tmp_path, calendar(off))
    assert outcomes(found) == [
        ("2024-05-31T14:00:00Z", None, "us"),
        ("2024-06-07T14:00:00Z", None, "us"),
        ("2024-06-14T14:00:00Z", "cancelled", "us"),
    ]
    assert rows(found)[2]["resolved_at"] == "2024-06-10T08:00:00Z"


def test_a_change_of_a_series_that_was_of_whole_days_before(tmp_path: Path) -> None:
    days_only = event(
        "DTSTART;VALUE=DATE:20240531", "RRULE:FREQ=WEEKLY;COUNT=2", SEQUENCE="0", DTSTART=None, DTEND=None
    )
    timed = event("RRULE:FREQ=WEEKLY;COUNT=2", SEQUENCE="1")
    change = event("RECURRENCE-ID;VALUE=DATE:20240607", DTSTART="20240610T090000Z", DTEND="20240610T100000Z")
    for place, order in enumerate(itertools.permutations([days_only, timed, change])):
        assert days(found_in(tmp_path / str(place), calendar(*order))) == ["05-31T14:00", "06-10T09:00"]


def test_a_change_from_a_date_on_holds_for_all_that_follow(tmp_path: Path) -> None:
    later = moved("RECURRENCE-ID;RANGE=THISANDFUTURE:20240607T140000Z")
    found = found_in(tmp_path, calendar(event("RRULE:FREQ=WEEKLY;COUNT=4"), later))
    assert days(found) == ["05-31T14:00", "06-08T09:00", "06-15T09:00", "06-22T09:00"]
    assert len({row["interaction_id"] for row in rows(found)}) == 4


def test_a_date_with_other_people_is_a_meeting_with_them(tmp_path: Path) -> None:
    guests = ("ATTENDEE:mailto:carl@other.example", BO)
    other = event("RECURRENCE-ID:20240607T140000Z", guests=guests, DTSTART="20240607T140000Z", DTEND="20240607T150000Z")
    internal = event("RRULE:FREQ=WEEKLY;COUNT=3", guests=(BO, "ATTENDEE:mailto:di@ours.example"))
    found = found_in(tmp_path, calendar(internal, other))
    assert [(row["account_id"], row["at"]) for row in rows(found)] == [("other.example", "2024-06-07T14:00:00Z")]
    assert found.counts == {"read": 2, "imported": 1, "internal": 1}


def test_a_guest_of_one_date_only_needs_no_series(tmp_path: Path) -> None:
    alone = event("RECURRENCE-ID:20240531T140000Z")
    whole = event("RRULE:FREQ=WEEKLY;COUNT=1")
    (row,) = rows(found_in(tmp_path / "a", calendar(alone)))
    assert row["interaction_id"] in {one["interaction_id"] for one in rows(found_in(tmp_path / "b", calendar(whole)))}


def test_a_change_that_holds_all_further_dates_itself(tmp_path: Path) -> None:
    change = event(
        "RECURRENCE-ID;RANGE=THISANDFUTURE:20240531T140000Z",
        "RDATE;VALUE=PERIOD:20240531T140000Z/20240531T150000Z,20240603T140000Z/20240603T143000Z",
    )
    found = found_in(tmp_path, calendar(change))
    assert days(found) == ["05-31T14:00", "06-03T14:00"]
    assert [row["minutes"] for row in rows(found)] == ["60", "30"]


def test_the_changes_of_a_series_that_is_rejected_count_by_themselves(tmp_path: Path) -> None:
    series = event("RRULE:FREQ=HOURLY;BYMINUTE=0,30")
    found = found_in(tmp_path, calendar(series, moved("RECURRENCE-ID:20240607T140000Z")))
    assert days(found) == ["06-08T09:00"]
    assert found.counts == {"read": 2, "imported": 1, "rejected": 1}


# ---------------------------------------------------------------------------------------- copies of one event, messages


def test_the_same_meeting_in_two_calendars_is_one(tmp_path: Path) -> None:
    mine, theirs = calendar(event(WEEKLY)), calendar(event(WEEKLY, CREATED="20240522T090000Z"))
    found = found_in(tmp_path, {"bo.ics": mine, "ann.ics": theirs})
    assert len(rows(found)) == 5
    assert found.counts == {"read": 2, "imported": 1, "duplicate": 1}
    assert {row["recorded_at"] for row in rows(found)} == {"2024-05-20T09:00:00Z"}


def test_the_highest_sequence_counts_then_the_last_change_in_any_order(tmp_path: Path) -> None:
    versions = [
        event(SEQUENCE="0", DTSTART="20240603T100000Z", DTEND="20240603T110000Z", LAST_MODIFIED="20240530T000000Z"),
        event(SEQUENCE="2", DTSTART="20240604T100000Z", DTEND="20240604T110000Z", LAST_MODIFIED="20240522T000000Z"),
        event(SEQUENCE="2", DTSTART="20240605T100000Z", DTEND="20240605T110000Z", LAST_MODIFIED="20240523T000000Z"),
        event(DTSTART="20240606T100000Z", DTEND="20240606T110000Z"),
    ]
    for place, order in enumerate(itertools.permutations(versions)):
        found = found_in(tmp_path / str(place), {f"{n}.ics": calendar(one) for n, one in enumerate(order)})
        assert days(found) == ["06-05T10:00"]
        assert found.counts == {"read": 4, "imported": 1, "duplicate": 3}


def test_events_without_an_id_are_told_apart_by_what_they_say(tmp_path: Path) -> None:
    one, other = event(UID=None), event(UID=None, DTSTART="20240603T100000Z", DTEND="20240603T110000Z")
    found = found_in(tmp_path, {"a.ics": calendar(one, other), "b.ics": calendar(one)})
    assert days(found) == ["05-31T14:00", "06-03T10:00"]
    assert found.counts == {"read": 3, "imported": 2, "duplicate": 1}


def test_a_message_that_calls_a_meeting_off_needs_not_repeat_it(tmp_path: Path) -> None:
    call_off = event(
        guests=(), STATUS="CANCELLED", SEQUENCE="1", DTSTART=None, DTEND=None, LAST_MODIFIED=None, CREATED=None,
        DTSTAMP="20240529T080000Z",
    )  # fmt: skip
    found = found_in(tmp_path, {"a.ics": calendar(event()), "b.ics": calendar(call_off, METHOD="CANCEL")})
    (row,) = rows(found)
    assert (row["outcome"], row["at"], row["resolved_at"]) == (
        "cancelled",
        "2024-05-31T14:00:00Z",
        "2024-05-29T08:00:00Z",
    )
    assert found_in(tmp_path / "alone", calendar(call_off, METHOD="CANCEL")).counts == {
        "read": 1,
        "imported": 0,
        "answer": 1,
    }


def test_a_message_that_calls_a_series_off_calls_off_its_dates(tmp_path: Path) -> None:
    call_off = event(STATUS="CANCELLED", SEQUENCE="1", LAST_MODIFIED="20240605T080000Z")
    found = found_in(tmp_path, {"a.ics": calendar(event(WEEKLY)), "b.ics": calendar(call_off, METHOD="CANCEL")})
    assert [outcome for _, outcome, _ in outcomes(found)] == [None, *["cancelled"] * 4]


def test_an_answer_sent_by_itself_counts(tmp_path: Path) -> None:
    declined = ("ATTENDEE;PARTSTAT=DECLINED:mailto:ann@acme.example",)
    reply = event(guests=declined, LAST_MODIFIED=None, DTSTAMP="20240528T080000Z")
    found = found_in(
        tmp_path,
        {
            "a.ics": calendar(event(guests=("ATTENDEE:mailto:ann@acme.example", BO))),
            "b.ics": calendar(reply, METHOD="REPLY"),
        },
    )
    (row,) = rows(found)
    assert (row["outcome"], row["actor"], row["resolved_at"]) == ("cancelled", "client", "2024-05-28T08:00:00Z")
    assert found.counts == {"read": 2, "imported": 1, "answer": 1}


def test_an_answer_to_one_date_concerns_that_date(tmp_path: Path) -> None:
    declined = ("ATTENDEE;PARTSTAT=DECLINED:mailto:ann@acme.example",)
    reply = event("RECURRENCE-ID:20240607T140000Z", guests=declined, LAST_MODIFIED=None, DTSTAMP="20240602T080000Z")
    found = found_in(
        tmp_path, {"a.ics": calendar(event("RRULE:FREQ=WEEKLY;COUNT=3")), "b.ics": calendar(reply, METHOD="REPLY")}
    )
    assert [outcome for _, outcome, _ in outcomes(found)] == ["held", "cancelled", "held"]


def test_an_answer_to_an_earlier_version_is_none_to_the_later_one(tmp_path: Path) -> None:
    declined = ("ATTENDEE;PARTSTAT=DECLINED:mailto:ann@acme.example", BO)
    asked = ("ATTENDEE:mailto:ann@acme.example", BO)
    files = {
        "a.ics": calendar(event(guests=declined, SEQUENCE="0")),
        "b.ics": calendar(event(guests=asked, SEQUENCE="1")),
    }
    assert [outcome for _, outcome, _ in outcomes(found_in(tmp_path, files))] == ["held"]
    same = {
        "a.ics": calendar(event(guests=declined, LAST_MODIFIED="20240521T100000Z")),
        "b.ics": calendar(event(guests=asked)),
    }
    assert [outcome for _, outcome, _ in outcomes(found_in(tmp_path, same))] == ["cancelled"]


def test_who_is_not_invited_any_more_was_not_there(tmp_path: Path) -> None:
    guests = (ANN, "ATTENDEE:mailto:carl@other.example", BO)
    gone = event(guests=("ATTENDEE:mailto:carl@other.example",), LAST_MODIFIED="20240525T080000Z")
    found = found_in(tmp_path, {"a.ics": calendar(event(guests=guests)), "b.ics": calendar(gone, METHOD="CANCEL")})
    assert [row["account_id"] for row in rows(found)] == ["acme.example"]


@pytest.mark.parametrize("method", ["COUNTER", "DECLINECOUNTER", "REFRESH", "ADD"])
def test_proposals_change_nothing(tmp_path: Path, method: str) -> None:
    proposed = event(SEQUENCE="5", DTSTART="20240603T100000Z", DTEND="20240603T110000Z")
    found = found_in(tmp_path, {"a.ics": calendar(event()), "b.ics": calendar(proposed, METHOD=method)})
    assert days(found) == ["05-31T14:00"]
    assert found.counts == {"read": 2, "imported": 1, "proposal": 1}


def test_the_order_of_files_does_not_matter(tmp_path: Path) -> None:
    declined = ("ATTENDEE;PARTSTAT=DECLINED:mailto:ann@acme.example",)
    parts = [
        calendar(event(WEEKLY, SEQUENCE="1")),
        calendar(event(WEEKLY, SEQUENCE="1", CREATED="20240501T000000Z")),
        calendar(moved("RECURRENCE-ID:20240607T140000Z")),
        calendar(event("RECURRENCE-ID:20240614T140000Z", guests=declined), METHOD="REPLY"),
    ]
    seen = set()
    for place, order in enumerate(itertools.permutations(parts)):
        folder = put(tmp_path / str(place), {f"{n}.ics": one for n, one in enumerate(order)})
        table = read(folder, OURS).tables["interactions"].drop_columns([FILE, ROW])
        seen.add(str(table.to_pylist()))
    assert len(seen) == 1


def test_reading_again_later_gives_the_same_meetings_and_new_ones(tmp_path: Path) -> None:
    early = found_in(tmp_path, calendar(event(WEEKLY)), CalendarOptions(UNTIL - 10 * 86_400, OURS.our_domains))
    late = found_in(tmp_path, calendar(event(WEEKLY)))
    assert rows(early) == rows(late)[:3]
