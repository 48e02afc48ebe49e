"""iCalendar text → the events of each calendar in it, cut out as text, and what the calendar says of all of them.

Only lines that matter to a meeting are kept: descriptions, attachments and alarms never get further. Cut this way one
broken event harms no other. Sources: RFC 5545 (iCalendar), RFC 5546 (METHOD), RFC 7986 (EMAIL).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

from features.sources.mail.messages import text_of_bytes

LARGEST_EVENT = 1 << 20
"""Bytes of the lines of an event that are kept."""
LARGEST_CALENDAR = 256 << 20
"""Bytes of the lines of a calendar that are kept."""

_LINE_BYTES = 1 << 20
_DEEPEST = 20
_BEGINNING = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*BEGIN:V(?:CALENDAR|EVENT|TIMEZONE|TODO|JOURNAL|FREEBUSY|ALARM|AVAILABILITY)\s", re.IGNORECASE
)
_NAMED = re.compile(r".*\.(?:ics|ical|icalendar|ifb|vcs)", re.IGNORECASE)
_PROPERTY = re.compile(rb"\s*([A-Za-z0-9-]+)\s*[;:]")
_OF_CALENDARS = frozenset((b"METHOD", b"VERSION", b"X-WR-TIMEZONE", b"X-WR-CALNAME", b"X-OWNER"))
_OF_EVENTS = frozenset(
    (
        *(b"UID", b"RECURRENCE-ID", b"SEQUENCE", b"STATUS", b"DTSTAMP", b"LAST-MODIFIED", b"CREATED"),
        *(b"DTSTART", b"DTEND", b"DURATION", b"RRULE", b"RDATE", b"EXDATE", b"EXRULE", b"ORGANIZER", b"ATTENDEE"),
    )
)
_OF_ZONES = frozenset((b"TZID", b"DTSTART", b"RRULE", b"RDATE", b"TZOFFSETFROM", b"TZOFFSETTO", b"TZNAME"))
_KEPT = {b"VCALENDAR": _OF_CALENDARS, b"VEVENT": _OF_EVENTS, b"VTIMEZONE": _OF_ZONES}


def begins_calendar(head: bytes) -> bool:
    """Whether a file begins as iCalendar does."""
    return _BEGINNING.match(head) is not None


def named_calendar(name: str) -> bool:
    """Whether a file is called a calendar.

    >>> named_calendar("Team.ICS"), named_calendar("ics.txt")
    (True, False)
    """
    return _NAMED.fullmatch(name) is not None


@dataclass
class Sheet:
    """One calendar of a file: what its properties say, and its time zones and events as text.

    ``said`` are values by property name; ``events`` have their number in the file (from 1); an event of which ``text``
    is '' could not be cut out, and ``wrong`` says why. ``whole`` is false if the calendar does not end.
    """

    said: dict[str, str] = field(default_factory=dict)
    zones: list[str] = field(default_factory=list)
    events: list[CutOut] = field(default_factory=list)
    whole: bool = True


@dataclass(frozen=True, slots=True)
class CutOut:
    """An event as text, with its number in the file; or what is wrong with it."""

    number: int
    text: str
    wrong: str = ""


def sheets(stream: IO[bytes]) -> Iterator[Sheet]:
    """The calendars of a file. Events that stand outside any make one of their own."""
    cutting = _Cutting()
    for line in _unfolded(stream):
        marked, value = line[:6].upper(), line.partition(b":")[2].strip().upper()
        if marked == b"BEGIN:":
            if value == b"VCALENDAR" and cutting.begun:
                yield cutting.taken(whole=not cutting.open)
            cutting.begin(value)
        elif marked.startswith(b"END:"):
            if cutting.end(value):
                yield cutting.taken(whole=True)
        else:
            cutting.keep(line)
    if cutting.begun:
        yield cutting.taken(whole=not cutting.open)


class _Cutting:
    """Cuts a calendar into events and zones, line by line.

    ``open`` are the components that have begun and not ended, ``current`` which of them is being cut out.
    """

    def __init__(self) -> None:
        self.sheet = Sheet()
        self.open: list[bytes] = []
        self.current = b""
        self.lines: list[bytes] = []
        self.size = self.total = self.number = 0

    @property
    def begun(self) -> bool:
        """Whether there is anything of a calendar yet."""
        return bool(self.open or self.sheet.events or self.sheet.zones)

    def begin(self, name: bytes) -> None:
        """Open a component."""
        if name in (b"VEVENT", b"VTIMEZONE"):
            if self.current:
                del self.open[self.open.index(self.current) :]
                self._cut("an event that ends (END:VEVENT) before the next component begins")
            self.current = name
            self.number += name == b"VEVENT"
        elif self.current == b"VTIMEZONE":
            self.lines.append(b"BEGIN:" + name)
        if name == self.current or len(self.open) < _DEEPEST:
            self.open.append(name)

    def end(self, name: bytes) -> bool:
        """Close a component and whatever is open within it; returns whether a calendar has ended."""
        if name not in self.open:
            return False
        if self.current == b"VTIMEZONE" != name:
            self.lines.append(b"END:" + name)
        del self.open[len(self.open) - 1 - self.open[::-1].index(name) :]
        if self.current not in self.open:
            self._cut("" if name == self.current else "an event that ends (END:VEVENT) before its calendar does")
        return name == b"VCALENDAR"

    def keep(self, line: bytes) -> None:
        """Keep a line if it matters where it stands; not those of an alarm within an event."""
        innermost = self.open[-1] if self.open else b""
        within = b"VTIMEZONE" if self.current == b"VTIMEZONE" else innermost
        named = _PROPERTY.match(line)
        if not named or named[1].upper() not in _KEPT.get(within, ()):
            return
        if within == b"VCALENDAR":
            value = text_of_bytes(line.partition(b":")[2].strip(), "utf-8")
            self.sheet.said.setdefault(named[1].decode().upper(), value)
            return
        self.size += len(line)
        if self.size <= LARGEST_EVENT:
            self.lines.append(line)

    def taken(self, whole: bool) -> Sheet:
        """The calendar as cut so far; the next one begins."""
        self._cut("an event that ends (END:VEVENT)")
        sheet, self.sheet = self.sheet, Sheet()
        sheet.whole = whole
        self.open, self.total = [], 0
        return sheet

    def _cut(self, wrong: str) -> None:
        """Finish what is being cut out; ``wrong`` says why it is not whole."""
        self.total += self.size
        if self.size > LARGEST_EVENT:
            wrong = f"an event of at most {LARGEST_EVENT >> 20} MB, its texts and attachments apart"
        elif self.total > LARGEST_CALENDAR:
            wrong = f"a calendar of at most {LARGEST_CALENDAR >> 20} MB, its texts and attachments apart"
        text = "" if wrong else _component(self.current, self.lines)
        if self.current == b"VEVENT":
            self.sheet.events.append(CutOut(self.number, text, wrong))
        elif self.current == b"VTIMEZONE" and text:
            self.sheet.zones.append(text)
        self.current, self.lines, self.size = b"", [], 0


def _component(name: bytes, lines: list[bytes]) -> str:
    return "\r\n".join(text_of_bytes(line, "utf-8") for line in (b"BEGIN:" + name, *lines, b"END:" + name, b""))


def _unfolded(stream: IO[bytes]) -> Iterator[bytes]:
    """The lines of a file as they were before folding, without their ends; of a very long one its beginning."""
    parts: list[bytes] = []
    size, ended = 0, True
    for piece in iter(lambda: stream.readline(_LINE_BYTES), b""):
        content = piece.rstrip(b"\r\n").removeprefix(b"\xef\xbb\xbf")
        if ended and not piece.startswith((b" ", b"\t")):
            if parts:
                yield b"".join(parts)
            parts, size = [], 0
        elif ended:
            content = content[1:]
        ended = piece.endswith(b"\n")
        if size <= LARGEST_EVENT:
            parts.append(content)
        size += len(content)
    if parts:
        yield b"".join(parts)
