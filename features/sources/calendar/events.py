"""One event as text → what it says of a meeting: when, with whom, since when that is known; or why it is none."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from hashlib import blake2b
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import icalendar
from icalendar.prop import vDDDTypes, vText
from icalendar.timezone import tzp

from features.sources.calendar.sheets import CutOut, Sheet
from features.sources.parties import Address, is_address

MOST_ATTENDEES = 300
"""People invited to one event; more make an audience."""
LONGEST = timedelta(minutes=100_000)
"""Of an event with times; the longest meeting that canonical tables hold."""
EARLIEST_RECORD = int(datetime(1990, 1, 1, tzinfo=UTC).timestamp())
"""Moments of creation and change before come from programs that know none (1900, 1970)."""

Moment = date | datetime
"""A whole day, or a time that knows its zone."""

UNANSWERED = "NEEDS-ACTION"
SERIES = "series"
"""The UID of the one series whose dates are worked out at a time."""
UNREADABLE = (ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError)
"""What icalendar, dateutil and recurring_ical_events raise at values that make no sense."""

_YEARLY = re.compile(r"(?!.*(?:BY(?:HOUR|MINUTE|SECOND)=[^;]*,|INTERVAL=0)).*FREQ=YEARLY")
_NAMES = re.compile(r"^(?:ATTENDEE|RECURRENCE-ID|STATUS[^\n]*:\s*CANCELLED)\b", re.MULTILINE | re.IGNORECASE)
_WHEN = ("DTSTART", "DTEND", "DURATION", "RECURRENCE-ID", "RRULE", "RDATE", "EXDATE")
_NO_PERSONS = frozenset(("ROOM", "RESOURCE"))
_NO_PEOPLE_AT = "calendar.google.com"
"""Where addresses stand for calendars, rooms, and organisers that are not told."""


class Refused(ValueError):
    """An event that cannot be taken over: the property at fault, its value, and what is allowed."""

    def __init__(self, column: str, value: str, allowed: str) -> None:
        super().__init__(allowed)
        self.column, self.value, self.allowed = column, value, allowed


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody invited, the answer (RFC 5545: PARTSTAT), and when it was there at the latest (UTC seconds)."""

    address: Address
    answer: str
    answered: int | None


@dataclass(slots=True)
class Event:
    """One event as a calendar, or a message about it, tells of it.

    ``file`` and ``number`` are its place. ``start`` is missing from some messages only, ``end`` where its length is not
    told. ``recurrence`` names the date of a series that it changes, with ``following`` all after that, too. ``dates``
    holds the rules of a series. ``changed`` and ``created`` are UTC seconds, ``zone`` is that of whole days, ``owners``
    are addresses of whose calendar it is.
    """

    file: str
    number: int
    uid: str
    method: str
    sequence: int
    start: Moment | None
    end: Moment | None
    zone: tzinfo
    recurrence: Moment | None = None
    following: bool = False
    dates: icalendar.Event | None = None
    status: str = ""
    changed: int | None = None
    created: int | None = None
    organiser: Address | None = None
    guests: tuple[Guest, ...] = ()
    owners: tuple[str, ...] = ()
    digest: bytes = field(default=b"")

    def people(self) -> list[Address]:
        """The organiser and everybody invited."""
        return [*([self.organiser] if self.organiser else []), *(guest.address for guest in self.guests)]

    def seconds(self, moment: Moment) -> int:
        """UTC seconds; of a whole day those of its midnight."""
        return int(_timed(moment, self.zone).timestamp())


def read_events(
    sheet: Sheet, file: str, zone: tzinfo | None, until: int
) -> Iterator[tuple[int, Event | Refused | None]]:
    """The events of a calendar with their numbers; or why one cannot be taken over; None if it names nobody.

    ``zone`` is that of times that name none, if known; changes after ``until`` (UTC seconds) come from wrong clocks.
    """
    # Names of time zones mean what this calendar says; those of calendars read before must not stay known.
    tzp.use_default()
    for text in sheet.zones:
        _learn_zone(text)
    for cut in sheet.events:
        try:
            yield cut.number, None if _names_nobody(cut, sheet) else _event(cut, sheet, file, zone, until)
        except Refused as refused:
            yield cut.number, refused


def _names_nobody(cut: CutOut, sheet: Sheet) -> bool:
    """Whether an event is an entry of somebody alone, and no message or change that leaves out what was known."""
    message = sheet.said.get("METHOD", "").upper() in ("CANCEL", "REPLY")
    return not cut.wrong and not message and not _NAMES.search(cut.text)


def _learn_zone(text: str) -> None:
    """Let a VTIMEZONE be known by its name, unless it cannot be read; then its name stays unknown."""
    rules = [line for line in text.upper().splitlines() if line.startswith("RRULE")]
    if all(_YEARLY.match(rule) for rule in rules):  # others could take for ever to follow
        try:
            icalendar.Timezone.from_ical(text)
        except UNREADABLE:
            return


@lru_cache(maxsize=64)
def _known_zone(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _event(cut: CutOut, sheet: Sheet, file: str, zone: tzinfo | None, until: int) -> Event:
    if cut.wrong:
        raise Refused("", "", cut.wrong)
    if sheet.said.get("VERSION", "").startswith("1"):
        raise Refused("VERSION", sheet.said["VERSION"], "iCalendar, version 2.0; export the calendar as that")
    with warnings.catch_warnings():
        # A name such as /vendor/Europe/Berlin is taken as the zone that it ends in.
        warnings.simplefilter("ignore", icalendar.GloballyUniqueTZIDGuessed)
        try:
            found = icalendar.Event.from_ical(cut.text)
        except UNREADABLE as error:
            raise Refused("", "", f"an event as RFC 5545 has it ({error})") from None
    broken = {name for name, _ in found.errors if name}
    for name in _WHEN:
        if name in broken:
            raise Refused(name, _text(found, name), "a value as RFC 5545 has it")
    for name in broken:
        found.pop(name)  # of no weight
    if "EXRULE" in found:
        raise Refused("EXRULE", _text(found, "EXRULE"), "no such rule: dates left out are read from EXDATE only")
    changed = _recorded(found, "LAST-MODIFIED", until) or _recorded(found, "DTSTAMP", until)
    guests = _listed(found, "ATTENDEE")
    if len(guests) > MOST_ATTENDEES:
        raise Refused("ATTENDEE", f"{len(guests):,} people", f"at most {MOST_ATTENDEES} people")
    method, own_zone = sheet.said.get("METHOD", "").upper(), _known_zone(sheet.said.get("X-WR-TIMEZONE", ""))
    start, end, inner = _span(found, own_zone or zone)
    status = _text(found, "STATUS").strip().upper()
    if start is None and method not in ("CANCEL", "REPLY"):
        raise Refused("DTSTART", "", "the day or time at which it begins")
    recurrence = _single(found, "RECURRENCE-ID")
    organisers = [one for value in _listed(found, "ORGANIZER")[:1] if (one := _person(value))]
    digest = blake2b(cut.text.encode(errors="replace"), digest_size=16).digest()
    return Event(
        file=file,
        number=cut.number,
        uid=_text(found, "UID").strip() or f"~{digest.hex()}",
        method=method,
        sequence=_number(found, "SEQUENCE"),
        start=start,
        end=end,
        zone=inner,
        recurrence=None if recurrence is None else _placed(recurrence, inner),
        following=_parameter(found.get("RECURRENCE-ID"), "RANGE") == "THISANDFUTURE",
        dates=_rules(found, start, end, own_zone),
        status=status,
        changed=changed,
        created=_recorded(found, "CREATED", until),
        organiser=organisers[0] if organisers else None,
        guests=tuple(_guests(guests, changed)),
        owners=_owners(sheet),
        digest=digest,
    )


def _span(found: icalendar.Component, zone: tzinfo | None) -> tuple[Moment | None, Moment | None, tzinfo]:
    """When an event begins and ends (None: not told), and the zone of what it says without one."""
    begins = _single(found, "DTSTART")
    if begins is None:
        return None, None, zone or UTC
    if not isinstance(begins, datetime):
        inner = zone or UTC
    elif begins.tzinfo is not None:
        inner = begins.tzinfo
    elif zone is not None:
        inner = zone
    else:
        named = _parameter(found["DTSTART"], "TZID")
        allowed = "a time zone that the calendar describes or everybody knows" if named else "a time with its zone"
        raise Refused("DTSTART", named or _text(found, "DTSTART"), f"{allowed}; else declare the calendar's")
    start = _placed(begins, inner)
    ends, lasts = _single(found, "DTEND"), found.get("DURATION")
    end = None if ends is None else _placed(ends, inner)
    if end is None and lasts is not None:
        lasting = getattr(lasts, "dt", None)
        if not isinstance(lasting, timedelta):
            raise Refused("DURATION", _text(found, "DURATION"), "one length of time, such as PT1H")
        # A length is one of time, not of clocks: across a change of clocks they differ.
        end = (start.astimezone(UTC) + lasting).astimezone(inner) if isinstance(start, datetime) else start + lasting
    if end is None:
        return start, None, inner
    if isinstance(start, datetime) != isinstance(end, datetime):
        raise Refused("DTEND", _text(found, "DTEND"), "a day where DTSTART is one, a time where it is a time")
    if not timedelta(0) <= _timed(end, inner) - _timed(start, inner) <= LONGEST:
        raise Refused("DTEND", _text(found, "DTEND"), f"from DTSTART to {LONGEST.days} days after it")
    return start, end, inner


def _timed(moment: Moment, zone: tzinfo) -> datetime:
    if isinstance(moment, datetime):
        return moment
    return datetime.combine(moment, datetime.min.time(), zone)


def _placed(moment: Moment, zone: tzinfo) -> Moment:
    """A time without a zone in one."""
    return moment.replace(tzinfo=zone) if isinstance(moment, datetime) and moment.tzinfo is None else moment


def _rules(
    found: icalendar.Component, start: Moment | None, end: Moment | None, own_zone: tzinfo | None
) -> icalendar.Event | None:
    """What is needed to work out the dates of a series; None if the event is no series.

    A series whose times are in UTC follows the clocks of its calendar's zone (X-WR-TIMEZONE), if there is one.
    """
    if start is None or not ("RRULE" in found or "RDATE" in found):
        return None
    dates = icalendar.Event()
    dates["UID"] = vText(SERIES)
    for name in ("RRULE", "RDATE", "EXDATE"):
        if name in found:
            dates[name] = found[name]
        for one in _listed(found, name) if name != "RRULE" else ():
            # A period says when a date begins and ends.
            moments = [each.dt[0] if isinstance(each.dt, tuple) else each.dt for each in one.dts]
            if not all(isinstance(moment, date) for moment in moments):
                raise Refused(name, _text(found, name), "days or times, or periods of time")
    for name, moment in (("DTSTART", start), ("DTEND", end)):
        if isinstance(moment, datetime) and moment.tzname() == "UTC" and own_zone:
            moment = moment.astimezone(own_zone)
        if moment is not None:
            dates[name] = vDDDTypes(moment)
    return dates


def _listed(found: icalendar.Component, name: str) -> list[Any]:
    values = found.get(name, [])
    return values if isinstance(values, list) else [values]


def _text(found: icalendar.Component, name: str) -> str:
    values = _listed(found, name)
    if not values:
        return ""
    read = values[0].to_ical()
    return read.decode(errors="replace") if isinstance(read, bytes) else str(read)


def _parameter(value: Any, name: str) -> str:
    given = getattr(value, "params", {}).get(name, "")
    return given if isinstance(given, str) else ", ".join(map(str, given))


def _single(found: icalendar.Component, name: str) -> Moment | None:
    """The one day or time that a property tells. Raises Refused if it tells several, or something else."""
    values = _listed(found, name)
    if not values:
        return None
    moment = getattr(values[0], "dt", None)
    if len(values) > 1 or not isinstance(moment, date):
        raise Refused(name, _text(found, name), "one day or time")
    if not 1970 <= moment.year < 2200:
        raise Refused(name, _text(found, name), "a day or time from 1970 to 2199")
    return moment


def _number(found: icalendar.Component, name: str) -> int:
    value = _listed(found, name)[:1]
    return int(value[0]) if value and isinstance(value[0], int) else 0


def _recorded(found: icalendar.Component, name: str, until: int) -> int | None:
    """UTC seconds of a moment that a program noted; None if it noted none that can be true."""
    values = _listed(found, name)[:1]
    moment = getattr(values[0], "dt", None) if values else None
    if not isinstance(moment, datetime) or not 1970 <= moment.year < 2200:
        return None
    seconds = int(_timed(_placed(moment, UTC), UTC).timestamp())
    return seconds if EARLIEST_RECORD <= seconds <= until else None


def _guests(values: list[Any], changed: int | None) -> Iterator[Guest]:
    """The people among those invited, each once."""
    seen: set[str] = set()
    for value in values:
        if _parameter(value, "CUTYPE").upper() in _NO_PERSONS or _parameter(value, "ROLE").upper() == "NON-PARTICIPANT":
            continue
        address = _person(value)
        if address and address.address not in seen:
            seen.add(address.address)
            yield Guest(address, _parameter(value, "PARTSTAT").upper() or UNANSWERED, changed)


def _person(value: Any) -> Address | None:
    """The person that an ORGANIZER or ATTENDEE names, by mail address."""
    for text in (str(value), _parameter(value, "EMAIL")):
        address = _address(text)
        if address and not address.endswith(_NO_PEOPLE_AT):
            return Address(address, _parameter(value, "CN").strip("'\" "))
    return None


def _address(text: str) -> str:
    text = text.strip().lower()
    text = text.removeprefix("mailto:").partition("?")[0].strip("<> ")
    return text if is_address(text) else ""


def _owners(sheet: Sheet) -> tuple[str, ...]:
    """Whose calendar it is, where it says so."""
    said = (sheet.said.get("X-OWNER", ""), sheet.said.get("X-WR-CALNAME", ""))
    return tuple(address for text in said if (address := _address(text)))
