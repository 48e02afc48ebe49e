"""Whole calendars: each event becomes meetings, is kept apart, is a copy of another, or is rejected with the reason."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.histories.batch_checks import check_batch
from features.histories.tables import TABLES
from features.sources.calendar import CalendarOptions, read, recognises
from features.sources.parties import Person
from features.sources.readers import SourceError
from features.sources.source import FILE, ROW, Found
from tests.features.calendar_samples import BERLIN, GUESTS, UNTIL, calendar, event
from tests.features.mail_samples import mail, put

OURS = CalendarOptions(UNTIL, frozenset({"ours.example"}))
ANN, BO = GUESTS


def found_in(folder: Path, calendars: Mapping[str, bytes] | bytes, options: CalendarOptions = OURS) -> Found:
    """What calendars give; every event is accounted for, and every row passes the door."""
    files = {"team.ics": calendars} if isinstance(calendars, bytes) else calendars
    found = read(put(folder, files), options)
    counts = dict(found.counts)
    assert counts.pop("read") == sum(counts.values())
    for name, table in found.tables.items():
        plain = table.drop_columns([own for own in (FILE, ROW) if own in table.column_names])
        columns = {column: plain[column].combine_chunks() for column in plain.column_names}
        good, _, rejects = check_batch(TABLES[name], columns, "calendar", np.arange(1, len(plain) + 1))
        assert not rejects
        assert len(good) == len(plain)
    return found


def rows(found: Found, *names: str, table: str = "interactions") -> list[dict[str, Any]]:
    """The rows of a table without what is unknown, all columns or those named."""
    return [
        {name: value for name, value in row.items() if value is not None and (name in names or not names)}
        for row in found.tables[table].to_pylist()
    ]


def outcomes(found: Found) -> list[tuple[str, str | None, str]]:
    """When each meeting was, how it ended and whose doing that was."""
    return [(row["at"], row["outcome"], row["actor"]) for row in found.tables["interactions"].to_pylist()]


def test_an_event_with_a_client_becomes_a_meeting_and_contacts(tmp_path: Path) -> None:
    found = found_in(tmp_path, calendar(event()))
    (row,) = rows(found)
    assert row.pop("interaction_id").startswith("meeting-")
    assert row == {
        "account_id": "acme.example",
        "contact_id": "ann@acme.example",
        "our_contact_id": "bo@ours.example",
        "at": "2024-05-31T14:00:00Z",
        "kind": "meeting",
        "actor": "us",
        "recorded_at": "2024-05-20T09:00:00Z",
        "minutes": "60",
        "outcome": "held",
        "outcome_recorded_at": "2024-05-31T15:00:00Z",
        "updated_at": "2024-05-21T09:00:00Z",
        FILE: "team.ics",
        ROW: 1,
    }
    ann = {"contact_id": "ann@acme.example", "account_id": "acme.example", "email": "ann@acme.example"}
    assert rows(found, table="contacts") == [{**ann, "name": "Ann Berg"}]
    assert found.counts == {"read": 1, "imported": 1}
    assert found.notes == ["calendar: meetings, each date of a series by itself: 1"]


def test_a_meeting_stands_once_at_each_account_and_names_all_its_people(tmp_path: Path) -> None:
    guests = (
        ANN,
        "ATTENDEE;CN=Cy:mailto:cy@sales.acme.example",
        "ATTENDEE;CN=Dee:MAILTO:Dee@gmail.com",
        'ATTENDEE;CN="Room 4";CUTYPE=ROOM:mailto:room4@acme.example',
        "ATTENDEE;ROLE=NON-PARTICIPANT:mailto:boss@third.example",
        "ATTENDEE:mailto:c_1@resource.calendar.google.com",
        'ATTENDEE;EMAIL="ed@fourth.example":urn:uuid:6f1f9f6e',
        "ATTENDEE;CN=Nobody:invalid:nomail",
        BO,
    )
    found = found_in(tmp_path, calendar(event(guests=guests)))
    people = {(row["account_id"], row["contact_id"]) for row in found.tables["interactions"].to_pylist()}
    assert people == {
        ("acme.example", "ann@acme.example"),
        ("dee@gmail.com", "dee@gmail.com"),
        ("fourth.example", "ed@fourth.example"),
    }
    contacts = [row["contact_id"] for row in rows(found, table="contacts")]
    assert contacts == ["ann@acme.example", "cy@sales.acme.example", "dee@gmail.com", "ed@fourth.example"]


@pytest.mark.parametrize(
    ("guests", "organiser", "word"),
    [
        ((), "mailto:bo@ours.example", "with nobody named"),
        (("ATTENDEE;CUTYPE=ROOM:mailto:room@acme.example",), "mailto:bo@ours.example", "with nobody named"),
        ((BO, "ATTENDEE:mailto:di@uk.ours.example"), "mailto:bo@ours.example", "internal"),
        ((ANN, "ATTENDEE:mailto:x@third.example"), "mailto:carl@other.example", "not with us"),
    ],
)
def test_what_is_no_meeting_of_clients_with_us_is_kept_apart(
    tmp_path: Path, guests: tuple[str, ...], organiser: str, word: str
) -> None:
    found = found_in(tmp_path, calendar(event(guests=guests, ORGANIZER=organiser)))
    assert found.counts == {"read": 1, "imported": 0, word: 1}
    assert not len(found.tables["interactions"])
    assert [note for note in found.notes if "name it, too" in note] == (
        ["calendar: of those not with us 1 had people of acme.example; if it is one of yours, name it, too"]
        if word == "not with us"
        else []
    )


@pytest.mark.parametrize("said", [{"X_WR_CALNAME": "bo@ours.example"}, {"X_OWNER;CN=Bo": "mailto:bo@ours.example"}])
def test_whose_calendar_it_is_tells_that_one_of_us_was_there(tmp_path: Path, said: dict[str, str]) -> None:
    found = found_in(tmp_path, calendar(event(guests=(ANN,), ORGANIZER="mailto:cy@acme.example"), **said))
    (row,) = rows(found, "contact_id", "our_contact_id", "actor")
    assert row == {"contact_id": "cy@acme.example", "our_contact_id": "bo@ours.example", "actor": "client"}


def test_the_contact_table_says_whose_a_person_is(tmp_path: Path) -> None:
    contacts = {"ann@acme.example": Person("C-7", "A-1", listed=True), "other.example": Person("", "A-2", listed=True)}
    options = CalendarOptions(UNTIL, frozenset({"ours.example"}), contacts)
    written = calendar(event(guests=(ANN, "ATTENDEE:mailto:carl@other.example", BO)))
    found = found_in(tmp_path, written, options)
    assert {(row["account_id"], row["contact_id"]) for row in rows(found)} == {
        ("A-1", "C-7"),
        ("A-2", "carl@other.example"),
    }
    assert [row["contact_id"] for row in rows(found, table="contacts")] == ["carl@other.example"]
    without = found_in(tmp_path, written)
    assert {row["interaction_id"] for row in rows(found)} == {row["interaction_id"] for row in rows(without)}


def test_two_accounts_that_share_a_domain_have_meetings_of_their_own(tmp_path: Path) -> None:
    contacts = {
        "ann@acme.example": Person("C-7", "North", listed=True),
        "cy@acme.example": Person("C-8", "South", listed=True),
    }
    options = CalendarOptions(UNTIL, frozenset({"ours.example"}), contacts)
    found = found_in(tmp_path, calendar(event(guests=(ANN, "ATTENDEE:mailto:cy@acme.example", BO))), options)
    assert len({row["interaction_id"] for row in rows(found)}) == 2


def test_a_client_who_calls_the_meeting_acts_and_is_whom_we_met(tmp_path: Path) -> None:
    found = found_in(tmp_path, calendar(event(ORGANIZER="mailto:cy@acme.example")))
    (row,) = rows(found, "contact_id", "actor", "our_contact_id")
    assert row == {"contact_id": "cy@acme.example", "actor": "client", "our_contact_id": "bo@ours.example"}


def test_what_lies_ahead_is_left_out(tmp_path: Path) -> None:
    ahead = event(UID="2", DTSTART="20240630T233000Z", DTEND="20240701T003000Z")
    found = found_in(tmp_path, calendar(event(), ahead))
    assert found.counts == {"read": 2, "imported": 1, "to come": 1}
    later = found_in(tmp_path, calendar(event(), ahead), CalendarOptions(UNTIL + 1800, OURS.our_domains))
    assert [row["at"] for row in rows(later)] == ["2024-05-31T14:00:00Z", "2024-06-30T23:30:00Z"]


def test_moments_that_cannot_be_are_not_told(tmp_path: Path) -> None:
    found = found_in(
        tmp_path, calendar(event(CREATED="19000101T120000Z", LAST_MODIFIED="20250101T000000Z", DTSTAMP="no date"))
    )
    (row,) = rows(found)
    assert not {"recorded_at", "updated_at"} & row.keys()


def test_an_event_known_before_it_began_is_recorded_at_its_last_change_if_nothing_else_tells(tmp_path: Path) -> None:
    found = found_in(tmp_path, calendar(event(CREATED=None), event(UID="2", CREATED=None, LAST_MODIFIED=None)))
    assert [row.get("recorded_at") for row in rows(found)].count("2024-05-21T09:00:00Z") == 1
    assert [row.get("recorded_at") for row in rows(found)].count(None) == 1


# --------------------------------------------------------------------------------------------------- how a meeting ends


def test_a_meeting_that_was_called_off_names_who_did_and_when(tmp_path: Path) -> None:
    cancelled = event(STATUS="CANCELLED", LAST_MODIFIED="20240530T100000Z")
    (row,) = rows(found_in(tmp_path, calendar(cancelled)))
    assert (row["outcome"], row["actor"]) == ("cancelled", "us")
    assert row["resolved_at"] == row["outcome_recorded_at"] == row["updated_at"] == "2024-05-30T10:00:00Z"


def test_a_meeting_marked_as_called_off_afterwards_was_so_at_a_time_unknown(tmp_path: Path) -> None:
    cancelled = event(STATUS="CANCELLED", LAST_MODIFIED="20240605T100000Z", ORGANIZER="mailto:ann@acme.example")
    (row,) = rows(found_in(tmp_path, calendar(cancelled)))
    assert (row["outcome"], row["actor"], row["outcome_recorded_at"]) == ("cancelled", "client", "2024-06-05T10:00:00Z")
    assert "resolved_at" not in row


@pytest.mark.parametrize(
    ("answers", "outcome", "actor"),
    [
        (("ACCEPTED", "ACCEPTED"), "held", "us"),
        (("NEEDS-ACTION", "TENTATIVE"), "held", "us"),
        (("DECLINED", "ACCEPTED"), "cancelled", "client"),
        (("DELEGATED", "ACCEPTED"), "cancelled", "client"),
        (("ACCEPTED", "DECLINED"), "cancelled", "us"),
        (("DECLINED", "DECLINED"), "cancelled", "client"),
    ],
)
def test_a_meeting_that_a_whole_side_declined_was_not_held(
    tmp_path: Path, answers: tuple[str, str], outcome: str, actor: str
) -> None:
    guests = (
        f"ATTENDEE;PARTSTAT={answers[0]}:mailto:ann@acme.example",
        f"ATTENDEE;PARTSTAT={answers[1]}:mailto:bo@ours.example",
    )
    assert outcomes(found_in(tmp_path, calendar(event(guests=guests)))) == [("2024-05-31T14:00:00Z", outcome, actor)]


def test_as_long_as_somebody_of_a_side_comes_the_meeting_is_with_them(tmp_path: Path) -> None:
    guests = ("ATTENDEE;PARTSTAT=DECLINED:mailto:ann@acme.example", "ATTENDEE:mailto:cy@acme.example", BO)
    (row,) = rows(found_in(tmp_path, calendar(event(guests=guests))), "contact_id", "outcome")
    assert row == {"contact_id": "cy@acme.example", "outcome": "held"}


def test_each_account_declines_for_itself(tmp_path: Path) -> None:
    guests = (ANN, "ATTENDEE;PARTSTAT=DECLINED:mailto:carl@other.example", BO)
    found = found_in(tmp_path, calendar(event(guests=guests)))
    assert {(row["account_id"], row["outcome"], row["actor"]) for row in rows(found)} == {
        ("acme.example", "held", "us"),
        ("other.example", "cancelled", "client"),
    }


def test_what_was_called_off_after_the_client_declined_was_the_clients_doing(tmp_path: Path) -> None:
    declined = ("ATTENDEE;PARTSTAT=DECLINED:mailto:ann@acme.example", BO)
    written = calendar(event(guests=declined, STATUS="CANCELLED", LAST_MODIFIED="20240530T100000Z"))
    assert outcomes(found_in(tmp_path, written)) == [("2024-05-31T14:00:00Z", "cancelled", "client")]


def test_a_meeting_that_was_never_fixed_has_no_outcome(tmp_path: Path) -> None:
    assert outcomes(found_in(tmp_path, calendar(event(STATUS="TENTATIVE")))) == [("2024-05-31T14:00:00Z", None, "us")]


# ------------------------------------------------------------------------------------------------------ times and zones


@pytest.mark.parametrize(
    ("start", "end", "said", "at", "minutes"),
    [
        ("DTSTART:20240531T140000Z", "DTEND:20240531T143000Z", {}, "2024-05-31T14:00:00Z", "30"),
        ("DTSTART;TZID=Europe/Berlin:20240531T140000", "DURATION:PT1H30M", {}, "2024-05-31T12:00:00Z", "90"),
        ("DTSTART;TZID=Our office:20240531T140000", "DURATION:PT45M", {}, "2024-05-31T12:00:00Z", "45"),
        ("DTSTART;TZID=Our office:20240115T140000", "DURATION:PT45M", {}, "2024-01-15T13:00:00Z", "45"),
        ("DTSTART;TZID=W. Europe Standard Time:20240531T140000", "", {}, "2024-05-31T12:00:00Z", None),
        ("DTSTART;TZID=/vendor.example/Europe/Berlin:20240531T140000", "", {}, "2024-05-31T12:00:00Z", None),
        ("DTSTART:20240531T140000", "", {"X_WR_TIMEZONE": "Europe/Berlin"}, "2024-05-31T12:00:00Z", None),
        ("DTSTART;TZID=Nowhere:20240531T140000", "", {"X_WR_TIMEZONE": "Europe/Berlin"}, "2024-05-31T12:00:00Z", None),
        ("DTSTART;TZID=Europe/Berlin:20240531T140000", "DTEND:20240531T150000", {}, "2024-05-31T12:00:00Z", "60"),
        ("DTSTART;TZID=Europe/Berlin:20240330T230000", "DURATION:PT24H", {}, "2024-03-30T22:00:00Z", "1440"),
        ("DTSTART;VALUE=DATE:20240531", "DTEND;VALUE=DATE:20240602", {}, "2024-05-31T00:00:00Z", None),
        ("DTSTART;VALUE=DATE:20240531", "", {"X_WR_TIMEZONE": "Europe/Berlin"}, "2024-05-30T22:00:00Z", None),
    ],
)
def test_times_are_read_in_their_zones(
    tmp_path: Path, start: str, end: str, said: dict[str, str], at: str, minutes: str | None
) -> None:
    lines = [line for line in (start, end) if line]
    found = found_in(tmp_path, calendar(BERLIN, event(*lines, DTSTART=None, DTEND=None), **said))
    (row,) = rows(found)
    assert (row["at"], row.get("minutes")) == (at, minutes)


def test_a_whole_day_is_over_when_it_ends(tmp_path: Path) -> None:
    day = event("DTSTART;VALUE=DATE:20240630", DTSTART=None, DTEND=None)
    (row,) = rows(found_in(tmp_path, calendar(day)))
    assert row["outcome_recorded_at"] == "2024-07-01T00:00:00Z"
    early = CalendarOptions(UNTIL - 1, OURS.our_domains)
    assert found_in(tmp_path, calendar(day), early).counts == {"read": 1, "imported": 0, "to come": 1}


@pytest.mark.parametrize("start", ["DTSTART:20240531T140000", "DTSTART;TZID=Nowhere:20240531T140000"])
def test_a_time_of_no_known_zone_needs_one_declared(tmp_path: Path, start: str) -> None:
    written = calendar(event(start, DTSTART=None, DTEND=None))
    found = found_in(tmp_path, written)
    assert found.counts == {"read": 1, "imported": 0, "rejected": 1}
    assert found.rejects[0].column == "DTSTART"
    assert "declare the calendar's" in found.rejects[0].allowed
    (row,) = rows(found_in(tmp_path, written, CalendarOptions(UNTIL, OURS.our_domains, time_zone="Asia/Tokyo")))
    assert row["at"] == "2024-05-31T05:00:00Z"


@pytest.mark.parametrize("rule", ["FREQ=MINUTELY", "FREQ=YEARLY;BYSECOND=1,2,3", "FREQ=YEARLY;INTERVAL=0", "FREQ=NOW"])
def test_a_zone_that_cannot_be_followed_is_not_known(tmp_path: Path, rule: str) -> None:
    hostile = BERLIN.replace("FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU", rule)
    found = found_in(
        tmp_path, calendar(hostile, event("DTSTART;TZID=Our office:20240531T140000", DTSTART=None, DTEND=None))
    )
    assert [(reject.column, reject.value) for reject in found.rejects] == [("DTSTART", "Our office")]


def test_a_name_of_a_zone_means_what_its_own_calendar_says(tmp_path: Path) -> None:
    moved = BERLIN.replace("+0100", "-0500").replace("+0200", "-0400")
    there = "DTSTART;TZID=Our office:20240531T140000"
    first, second = (event(there, UID=uid, DTSTART=None, DTEND=None) for uid in "12")
    third = event(there, UID="3", DTSTART=None, DTEND=None)
    found = found_in(
        tmp_path, {"a.ics": calendar(BERLIN, first), "b.ics": calendar(second, moved), "c.ics": calendar(third)}
    )
    assert [row["at"] for row in rows(found)] == ["2024-05-31T12:00:00Z", "2024-05-31T18:00:00Z"]
    assert [(reject.file, reject.value) for reject in found.rejects] == [("c.ics", "Our office")]


# ---------------------------------------------------------------------------------------------- files and what is wrong


def test_a_calendar_is_told_by_its_content_under_any_name_and_in_archives(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("Calendar/bo.ics", calendar(event()))
    written = {"export.txt": b"\xef\xbb\xbf" + calendar(event(UID="2")), "all.zip": packed.getvalue()}
    put(tmp_path, written)
    assert all(recognises(tmp_path / name) for name in written)
    found = found_in(tmp_path, {"note.txt": b"milk\n", "mail.eml": mail()})
    assert found.counts == {"read": 2, "imported": 2}
    assert found.others == ["mail.eml", "note.txt"]
    assert {row[FILE] for row in rows(found)} == {"all.zip/Calendar/bo.ics", "export.txt"}


@pytest.mark.parametrize("content", [mail(), b"a,b\n1,2\n", b"BEGIN:VCARD\nEND:VCARD\n", b"", b"see BEGIN:VCALENDAR\n"])
def test_what_is_no_calendar_is_not_taken_for_one(tmp_path: Path, content: bytes) -> None:
    assert not recognises(put(tmp_path, {"x": content}))


def test_a_file_that_only_its_name_calls_a_calendar_is_rejected(tmp_path: Path) -> None:
    found = found_in(tmp_path, {"broken.ics": b"<html>Sign in</html>\n"})
    (reject,) = found.rejects
    assert (reject.file, reject.value, reject.allowed) == (
        "broken.ics",
        "<html>Sign in</html>",
        "a file that begins with BEGIN:VCALENDAR",
    )


@pytest.mark.parametrize(
    ("lines", "column", "allowed"),
    [
        (("DTSTART:20241301T000000Z",), "DTSTART", "a value as RFC 5545 has it"),
        ((), "DTSTART", "the day or time at which it begins"),
        (("DTSTART:20240531T140000Z", "DTSTART:20240601T140000Z"), "DTSTART", "one day or time"),
        (("DTSTART:16010101T000000Z",), "DTSTART", "a day or time from 1970 to 2199"),
        (("DTSTART:20240531T140000Z", "DTEND:20240531T130000Z"), "DTEND", "from DTSTART to 69 days after it"),
        (("DTSTART:20240531T140000Z", "DTEND:20250531T130000Z"), "DTEND", "from DTSTART to 69 days after it"),
        (("DTSTART:20240531T140000Z", "DTEND;VALUE=DATE:20240601"), "DTEND", "a day where DTSTART is one, a time"),
        (("DTSTART:20240531T140000Z", "DURATION:an hour"), "DURATION", "a value as RFC 5545 has it"),
        (("DTSTART:20240531T140000Z", "RRULE:FREQ=SOMETIMES"), "RRULE", "a value as RFC 5545 has it"),
        (("DTSTART:20240531T140000Z", "RRULE:FREQ=MINUTELY"), "RRULE", "at most 24 dates a day"),
        (("DTSTART:20240531T140000Z", "RRULE:FREQ=DAILY;BYMINUTE=1,2,3,4,5;BYHOUR=9,10,11,12,13"), "RRULE", "24 dates"),
        (("DTSTART:20240531T140000Z", "RRULE:FREQ=DAILY;INTERVAL=0"), "RRULE", "an interval of 1 or more"),
        (("DTSTART:19800531T140000Z", "RRULE:FREQ=DAILY"), "RRULE", "a series of at most 10,000 dates"),
        (("DTSTART:20240531T140000Z", "RDATE;VALUE=TIME:140000"), "RDATE", "days or times, or periods of time"),
        (("DTSTART:20240531T140000Z", "EXRULE:FREQ=DAILY"), "EXRULE", "dates left out are read from EXDATE only"),
        (("DTSTART:20240531T140000Z", *(f"ATTENDEE:mailto:p{n}@acme.example" for n in range(299))), "ATTENDEE", "300"),
    ],
)
def test_what_cannot_be_taken_over_is_rejected_with_the_reason_and_the_place(
    tmp_path: Path, lines: tuple[str, ...], column: str, allowed: str
) -> None:
    bad = event(*lines, UID="2", DTSTART=None, DTEND=None)
    found = found_in(tmp_path, calendar(event(guests=(), UID="0"), bad, event()))
    assert found.counts == {"read": 3, "imported": 1, "rejected": 1, "with nobody named": 1}
    (reject,) = found.rejects
    assert (reject.file, reject.row, reject.column) == ("team.ics", 2, column)
    assert allowed in reject.allowed


def test_the_older_vcalendar_is_rejected(tmp_path: Path) -> None:
    found = found_in(tmp_path, calendar(event(), VERSION="1.0"))
    assert [(reject.column, reject.value) for reject in found.rejects] == [("VERSION", "1.0")]


def test_without_knowing_who_we_are_nothing_is_read(tmp_path: Path) -> None:
    put(tmp_path, {"team.ics": calendar(event(), event(UID="2", guests=(ANN, "ATTENDEE:mailto:x@gmail.com")))})
    with pytest.raises(SourceError, match=r"--our-domain; the most frequent are acme\.example, ours\.example, gmail"):
        read(tmp_path, CalendarOptions(UNTIL))


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[str, float]] = []
    read(put(tmp_path, {"team.ics": calendar(event())}), OURS, lambda step, share: told.append((step, share)))
    assert {step for step, _ in told} == {"reading calendars", "working out meetings"}
    assert all(0 <= share <= 1 for _, share in told)


# -------------------------------------------------------------------------------------------- whatever is written there

_VALUES = st.one_of(
    st.sampled_from(["20240531T140000Z", "20240531", "20240531T140000", "PT1H", "-P1W", "CANCELLED", "", "1;2,3:4"]),
    st.from_regex(
        r"FREQ=(DAILY|WEEKLY|YEARLY)(;(COUNT|INTERVAL|BYDAY|BYMONTHDAY|UNTIL)=-?[0-9A-Z]{1,9}){0,2}", fullmatch=True
    ),
    st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=20),
)
_NAMES = st.sampled_from(
    [
        *("UID", "DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID", "SEQUENCE", "STATUS"),
        *("DTSTAMP", "LAST-MODIFIED", "CREATED", "ORGANIZER", "ATTENDEE", "METHOD", "BEGIN", "END"),
    ]
)
_PARAMETERS = st.sampled_from(
    ["", ";TZID=Our office", ";TZID=Nowhere", ";VALUE=DATE", ";VALUE=PERIOD", ";RANGE=THISANDFUTURE", ';CN="A', ";X"]
)
_LINES = st.lists(st.builds("{}{}:{}".format, _NAMES, _PARAMETERS, _VALUES), max_size=5)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=_LINES, second=_LINES)
def test_whatever_an_event_says_it_is_taken_in_or_accounted_for(
    tmp_path: Path, first: list[str], second: list[str]
) -> None:
    written = calendar(BERLIN, event(*first), event(*second, "RECURRENCE-ID:20240531T140000Z"), event(UID="last"))
    found = found_in(tmp_path, written)
    assert found.counts["read"] >= 1


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300), st.integers(0, 1_000))
def test_whatever_bytes_follow_what_stood_before_is_kept(tmp_path: Path, junk: bytes, place: int) -> None:
    whole = calendar(event(), event(UID="2"))
    cut = len(calendar(event())) + place % 400
    found = found_in(tmp_path, whole[:cut] + junk)
    assert found.counts["imported"] >= 1
