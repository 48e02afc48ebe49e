"""Calendars for tests: made-up people at acme.example and other.example who meet us at ours.example."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

BERLIN = """BEGIN:VTIMEZONE
TZID:Our office
BEGIN:DAYLIGHT
DTSTART:19810329T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;INTERVAL=1;BYMONTH=3;BYDAY=-1SU;BYHOUR=2
END:DAYLIGHT
BEGIN:STANDARD
DTSTART:19961027T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
END:VTIMEZONE
"""
"""A zone under a name that nobody else knows."""

FIELDS: Mapping[str, str] = {
    "UID": "1@ours.example",
    "DTSTART": "20240531T140000Z",
    "DTEND": "20240531T150000Z",
    "DTSTAMP": "20240601T080000Z",
    "CREATED": "20240520T090000Z",
    "LAST-MODIFIED": "20240521T090000Z",
    "SUMMARY": "Quarterly",
    "ORGANIZER;CN=Bo Lind": "mailto:bo@ours.example",
}
GUESTS = ("ATTENDEE;CN=Ann Berg;PARTSTAT=ACCEPTED:mailto:ann@acme.example", "ATTENDEE:mailto:bo@ours.example")

UNTIL = int(datetime(2024, 7, 1, tzinfo=UTC).timestamp())


def event(*lines: str, guests: tuple[str, ...] = GUESTS, **fields: str | None) -> str:
    """A meeting with Ann that Bo called, and more lines; fields replace or join the usual ones, None drops one."""
    wanted = {name.replace("_", "-"): value for name, value in fields.items()}
    usual = {name: value for name, value in FIELDS.items() if name.partition(";")[0] not in wanted}
    given = [f"{name}:{value}" for name, value in {**usual, **wanted}.items() if value is not None]
    return "\n".join(["BEGIN:VEVENT", *given, *guests, *lines, "END:VEVENT", ""])


def calendar(*parts: str, **said: str) -> bytes:
    """A calendar of events and zones."""
    head = [f"{name.replace('_', '-')}:{value}\n" for name, value in {"VERSION": "2.0", **said}.items()]
    return "".join(["BEGIN:VCALENDAR\n", *head, *parts, "END:VCALENDAR\n"]).replace("\n", "\r\n").encode()
