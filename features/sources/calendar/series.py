"""All that calendars tell of one event or series → its dates, each with what was said of it last.

The same event lies in the calendar of everybody who was invited, and in the messages about it. What counts is the copy
with the highest SEQUENCE, then the one changed last (RFC 5546, 2.1.5); answers are gathered from all copies of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any

import icalendar
import recurring_ical_events
from icalendar.prop import vDDDTypes, vText

from features.sources.calendar.events import SERIES, UNANSWERED, UNREADABLE, Event, Guest, Moment, Refused

MOST_DATES = 10_000
"""Dates of a series; daily for 27 years."""
MOST_A_DAY = 24
"""Dates of a series on one day."""
REMOVED = "REMOVED"
"""Stands for the answer of somebody who is not invited any more."""

_BEFORE_ALL = datetime(1969, 12, 30, tzinfo=UTC)
_OFTEN = {"SECONDLY": 86_400, "MINUTELY": 1_440, "HOURLY": 24}
_TIME, _DAY = "%Y%m%dT%H%M%SZ", "%Y%m%d"

Answers = Mapping[str, tuple[bool, int, str]]
"""By address: whether it is an answer, when it was there (0: unknown), and which (RFC 5545: PARTSTAT)."""


@dataclass(frozen=True, slots=True)
class Date:
    """One date of an event, named ``key`` within its UID; ``start`` and ``end`` (None: not told) are UTC seconds.

    ``change`` is the key of the event in ``Told.events`` that it comes from, '' for the series itself.
    """

    event: Event
    change: str
    key: str
    start: int
    end: int | None
    whole_day: bool
    of_series: bool

    @property
    def over(self) -> int:
        """When it is over at the latest (where its length is not told: when it begins)."""
        return self.start if self.end is None else self.end


@dataclass
class Told:
    """What all files tell of the events of one UID.

    ``events`` is the copy that counts of each, by what it changes ('' for the event itself); ``superseded`` how many
    other copies there were, ``messages`` how many told of answers, or of events that nothing else tells of.
    """

    events: dict[str, Event]
    superseded: int
    messages: int
    replies: dict[str, list[Event]]

    def dates(self, until: int) -> tuple[list[Date], dict[str, Refused]]:
        """The dates that are over by ``until``, and by key the series whose dates cannot be worked out."""
        core, changes = self.events.get(""), {key: one for key, one in self.events.items() if key}
        found: list[Date] = []
        refused: dict[str, Refused] = {}
        if core is not None and core.dates is not None:
            try:
                found = self._of_series(core, changes, until)
                changes = {}
            except Refused as error:
                refused[""] = error
        elif core is not None:
            found.append(_date(core, core.start, core.end, "", ""))
        found += [_date(one, one.start, one.end, key, key) for key, one in changes.items()]
        return [self._answered(one) for one in found if one.over <= until], refused

    def _of_series(self, core: Event, changes: Mapping[str, Event], until: int) -> list[Date]:
        assert core.dates is not None
        calendar = icalendar.Calendar()
        calendar.add_component(core.dates)
        for key, change in changes.items():
            calendar.add_component(_as_change(key, change))
        end = datetime.fromtimestamp(until, UTC)
        _check_density(core.dates)
        try:
            series = recurring_ical_events.of(calendar).series[0]
            occurrences = list(islice(series.between(_BEFORE_ALL, end), MOST_DATES + 1))
        except UNREADABLE as error:
            raise Refused("RRULE", _rule(core.dates), f"rules that make sense together ({error})") from None
        if len(occurrences) > MOST_DATES:
            raise Refused("RRULE", _rule(core.dates), f"a series of at most {MOST_DATES:,} dates")
        found = []
        by_id = {_moment_of(key).replace(tzinfo=None): key for key in changes}
        for one in occurrences:
            key = by_id[one.recurrence_ids[0]] if one.recurrence_ids else ""
            event = changes[key] if key else core
            named = key if key and not (event.following and one.start != event.start) else _key(one.start)
            found.append(_date(event, one.start, None if one.end == one.start else one.end, key, named, True))
        return found

    def _answered(self, one: Date) -> Date:
        """A date with the answers to it alone."""
        replies = self.replies.get(one.key) if one.of_series else None
        return replace(one, event=_with_answers(one.event, replies)) if replies else one


def told(copies: Iterable[Event]) -> Told:
    """What copies and messages of one UID tell together, whatever their order."""
    copies = list(copies)
    cores = [one for one in copies if one.recurrence is None and one.start is not None]
    start = max(cores, key=_rank).start if cores else None
    by_key: dict[str, list[Event]] = {}
    replies: dict[str, list[Event]] = {}
    for one in copies:
        key = "" if one.recurrence is None else _key(_alike(one.recurrence, start))
        (replies if _is_answer(one) else by_key).setdefault(key, []).append(one)
    events = {key: _latest(same, replies.get(key, [])) for key, same in by_key.items()}
    messages = sum(map(len, replies.values())) + sum(len(by_key[key]) for key, one in events.items() if not one.start)
    events = {key: one for key, one in events.items() if one.start is not None}
    alone = sorted(key for key, one in events.items() if one.dates is not None)
    if "" not in events and alone:
        events[""] = events.pop(alone[0])  # a change that holds all further dates itself, as Lotus writes it
    core = events.get("")
    if core is not None and core.start is not None and core.dates is None and _key(core.start) in events:
        del events[""]  # moved, and told of as a change
    return Told(events, len(copies) - messages - len(events), messages, replies)


def _is_answer(one: Event) -> bool:
    """Whether it is a message about who comes: an answer, or that some are not invited any more."""
    return one.method == "REPLY" or (one.method == "CANCEL" and one.status != "CANCELLED")


def _rank(one: Event) -> tuple[Any, ...]:
    return one.sequence, one.changed or 0, one.status == "CANCELLED", len(one.guests), one.digest


def _latest(copies: Sequence[Event], replies: Sequence[Event]) -> Event:
    """The copy that counts, with what it lacks from the others, and everybody's last answer."""
    ranked = sorted(copies, key=_rank, reverse=True)
    best = ranked[0]
    for other in ranked[1:] if best.status == "CANCELLED" else ():
        # A message that calls an event off need not repeat what was known of it.
        if best.start is None or (best.dates is None and other.dates is not None):
            best = replace(best, start=other.start, end=other.end, zone=other.zone, dates=other.dates)
        if not best.guests:
            best = replace(best, guests=other.guests, organiser=best.organiser or other.organiser)
    if best.start is None and best.recurrence is not None:
        best = replace(best, start=best.recurrence)
    created = [one.created for one in copies if one.created is not None]
    owners = dict.fromkeys(owner for one in ranked for owner in one.owners)
    best = replace(best, created=min(created, default=None), owners=tuple(owners))
    return _with_answers(best, [*copies, *replies])


def _with_answers(event: Event, others: Iterable[Event]) -> Event:
    """An event with the last answer of everybody to this version of it; no answer never replaces one."""
    answers: dict[str, tuple[bool, int, str]] = {}
    for one in others:
        for guest in one.guests if one.sequence >= event.sequence else ():
            answer = REMOVED if one.method == "CANCEL" and _is_answer(one) else guest.answer
            given = (answer != UNANSWERED, guest.answered or 0, answer)
            answers[guest.address.address] = max(given, answers.get(guest.address.address, given))
    return replace(event, guests=tuple(_answering(guest, answers) for guest in event.guests))


def _answering(guest: Guest, answers: Answers) -> Guest:
    if guest.address.address not in answers:
        return guest
    _, when, answer = answers[guest.address.address]
    return Guest(guest.address, answer, when or None)


def _key(moment: Moment) -> str:
    """A name for a date of a series, the same in whatever zone it is written."""
    if isinstance(moment, datetime):
        return moment.astimezone(UTC).strftime(_TIME)
    return moment.strftime(_DAY)


def _moment_of(key: str) -> datetime:
    return datetime.strptime(key, _TIME if "T" in key else _DAY).replace(tzinfo=UTC)


def _alike(recurrence: Moment, start: Moment | None) -> Moment:
    """The date that a change names, as its series writes dates: some programs name the day of a time, or reverse."""
    if start is None or isinstance(start, datetime) == isinstance(recurrence, datetime):
        return recurrence
    if isinstance(start, datetime):
        return datetime.combine(recurrence, start.timetz())
    return date(recurrence.year, recurrence.month, recurrence.day)


def _as_change(key: str, change: Event) -> icalendar.Event:
    assert change.start is not None
    one = icalendar.Event()
    one["UID"] = vText(SERIES)
    one["DTSTART"] = vDDDTypes(change.start)
    if change.end is not None:
        one["DTEND"] = vDDDTypes(change.end)
    named = _moment_of(key)
    one["RECURRENCE-ID"] = vDDDTypes(named if "T" in key else named.date())
    if change.following:
        one["RECURRENCE-ID"].params["RANGE"] = "THISANDFUTURE"
    return one


def _check_density(dates: icalendar.Event) -> None:
    """Refuse rules that give more dates a day than meetings have, or stand still."""
    rules = dates.get("RRULE", [])
    for rule in rules if isinstance(rules, list) else [rules]:
        daily = max((_OFTEN.get(str(one).upper(), 1) for one in rule.get("FREQ", [])), default=1)
        for name in ("BYHOUR", "BYMINUTE", "BYSECOND"):
            daily *= max(len(rule.get(name, [])), 1)
        if daily > MOST_A_DAY:
            raise Refused("RRULE", _rule(dates), f"a series of at most {MOST_A_DAY} dates a day")
        if any(not isinstance(one, int) or one < 1 for one in rule.get("INTERVAL", [])):
            raise Refused("RRULE", _rule(dates), "an interval of 1 or more")


def _rule(dates: icalendar.Event) -> str:
    rules = dates.get("RRULE", [])
    read = [rule.to_ical().decode(errors="replace") for rule in (rules if isinstance(rules, list) else [rules])]
    return ", ".join(read) or "RDATE"


def _date(
    event: Event, start: Moment | None, end: Moment | None, change: str, key: str, of_series: bool = False
) -> Date:
    assert start is not None
    whole_day = not isinstance(start, datetime)
    if whole_day and end is None:
        end = date.fromordinal(start.toordinal() + 1)
    over = None if end is None else event.seconds(end)
    return Date(event, change, key, event.seconds(start), over, whole_day, of_series)
