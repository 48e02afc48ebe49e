"""Cutting iCalendar text into events: only what matters is kept, and one broken event harms no other."""

from __future__ import annotations

import io

import pytest

from features.sources.calendar import sheets as cutting
from features.sources.calendar.sheets import Sheet, sheets
from tests.features.calendar_samples import BERLIN, calendar, event


def cut(content: bytes) -> list[Sheet]:
    return list(sheets(io.BytesIO(content)))


def texts(sheet: Sheet) -> list[str]:
    """The lines of each event, without its beginning and its end."""
    return [" | ".join(one.text.split("\r\n")[1:-2]) for one in sheet.events]


def test_of_an_event_only_what_matters_is_kept() -> None:
    alarm = "BEGIN:VALARM\nUID:of the alarm\nATTENDEE:mailto:x@acme.example\nEND:VALARM"
    written = event(alarm, "DESCRIPTION:Secret", "ATTACH;ENCODING=BASE64:AAAA", "x-own:1", "sequence:2", guests=())
    (sheet,) = cut(calendar(BERLIN, "X-OWN:1\n", written, METHOD="request", X_WR_CALNAME="Bo's"))
    assert sheet.said == {"VERSION": "2.0", "METHOD": "request", "X-WR-CALNAME": "Bo's"}
    assert texts(sheet) == [
        "UID:1@ours.example | DTSTART:20240531T140000Z | DTEND:20240531T150000Z | DTSTAMP:20240601T080000Z | "
        "CREATED:20240520T090000Z | LAST-MODIFIED:20240521T090000Z | ORGANIZER;CN=Bo Lind:mailto:bo@ours.example | "
        "sequence:2"
    ]
    assert sheet.zones == [BERLIN.replace("\n", "\r\n")]
    assert sheet.whole


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_folded_lines_are_joined_even_within_a_character(end: bytes) -> None:
    folded = end.join([b"BEGIN:VEVENT", b"UID:Gr\xc3", b" \xbc\xc3\x9f", b"\te", b"END:VEVENT", b""])
    (sheet,) = cut(b"\xef\xbb\xbfBEGIN:VCALENDAR" + end + folded + b"END:VCALENDAR" + end)
    assert texts(sheet) == ["UID:Grüße"]


def test_text_that_is_no_utf8_is_read_all_the_same() -> None:
    (sheet,) = cut(b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:Gr\xfc\xdfe\nEND:VEVENT\nEND:VCALENDAR\n")
    assert texts(sheet) == ["UID:Grüße"]


def test_events_are_numbered_through_all_calendars_of_a_file() -> None:
    content = calendar(event(), event()) + b"BEGIN:VEVENT\nUID:x\nEND:VEVENT\n" + calendar(event())
    found = cut(content)
    assert [[one.number for one in sheet.events] for sheet in found] == [[1, 2], [3], [4]]
    assert [sheet.whole for sheet in found] == [True, True, True]


@pytest.mark.parametrize(
    ("content", "wrong", "whole"),
    [
        ("BEGIN:VEVENT\nUID:1\n" + event(), ["before the next component begins", ""], True),
        ("BEGIN:VEVENT\nUID:1\nBEGIN:VALARM\n", ["before its calendar does"], True),
        ("BEGIN:VTIMEZONE\nTZID:x\n" + event(), [""], True),
        (event() + "END:VTODO\nEND:VEVENT\n", [""], True),
        ("BEGIN:X-OWN\n" + event() + "END:X-OWN\n", [""], True),
    ],
)
def test_components_that_do_not_end_harm_no_other(content: str, wrong: list[str], whole: bool) -> None:
    (sheet,) = cut(calendar(content))
    assert len(sheet.events) == len(wrong)
    assert all(
        told in one.wrong and bool(told) == bool(one.wrong) for told, one in zip(wrong, sheet.events, strict=True)
    )
    assert [bool(one.text) for one in sheet.events] == [not told for told in wrong]
    assert sheet.whole == whole
    assert not sheet.zones


def test_a_file_that_is_cut_off_keeps_what_was_whole() -> None:
    content = calendar(event(), event())
    (sheet,) = cut(content[: len(content) - 40])
    assert [bool(one.text) for one in sheet.events] == [True, False]
    assert sheet.events[1].wrong == "an event that ends (END:VEVENT)"
    assert not sheet.whole


def test_large_events_and_calendars_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "LARGEST_EVENT", 3_000)
    monkeypatch.setattr(cutting, "LARGEST_CALENDAR", 4_000)
    crowd = tuple(f"ATTENDEE:mailto:p{n}@acme.example" for n in range(100))
    attached = event("ATTACH:" + "A" * 100_000, "DESCRIPTION:" + "b" * 100_000)
    (sheet,) = cut(calendar(attached, event(guests=crowd), event(guests=crowd[:50])))
    assert [one.wrong.split(",")[0] for one in sheet.events] == [
        "",
        "an event of at most 0 MB",
        "a calendar of at most 0 MB",
    ]


def test_components_far_within_one_another_do_no_harm() -> None:
    deep = "BEGIN:X\n" * 10_000
    (sheet,) = cut(calendar(deep + event()))
    assert [bool(one.text) for one in sheet.events] == [True]
