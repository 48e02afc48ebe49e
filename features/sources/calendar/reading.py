"""Calendars → meetings and contacts: each event is imported, kept apart, a copy of another, or rejected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa

from features.histories.checks import shown
from features.histories.columns import Reject
from features.sources.archives import Contents, Opened, any_begins
from features.sources.calendar.events import Event, Refused, read_events
from features.sources.calendar.invited import NOBODY, NOT_WITH_US, Invited, invited, outcome
from features.sources.calendar.series import Date, told
from features.sources.calendar.sheets import begins_calendar, named_calendar, sheets
from features.sources.files import iso
from features.sources.parties import Address, Parties, Person, contacts_met, nobody_ours
from features.sources.source import FILE, ROW, Found, Progress, made_id

_METHODS = ("", "PUBLISH", "REQUEST", "CANCEL", "REPLY")
"""Of RFC 5546; the others propose or ask, and change no meeting."""
_COLUMNS = (
    *("interaction_id", "account_id", "contact_id", "our_contact_id", "at", "kind", "actor", "recorded_at", "minutes"),
    *("outcome", "resolved_at", "outcome_recorded_at", "updated_at"),
)
_PROBED_EVENTS = 500
_PROGRESS_EVERY = 100


@dataclass(frozen=True)
class CalendarOptions:
    """How calendars are read.

    ``until``: the moment at which they were written (UTC seconds), or an earlier one: meetings that are over by then
    count, later changes are wrong. ``our_domains``: our own domains and addresses. ``contacts``: people and
    organisations known beforehand (``parties.contact_table``). ``time_zone``: of times that name none in calendars that
    name none, "" if that is not known.
    """

    until: int
    our_domains: frozenset[str] = frozenset()
    contacts: Mapping[str, Person] = field(default_factory=dict)
    time_zone: str = ""


def recognises(path: Path) -> bool:
    """Whether a file or folder holds calendars, zipped or not."""
    return any_begins(path, begins_calendar)


def read(path: Path, options: CalendarOptions, progress: Progress | None = None) -> Found:
    """The meetings of clients with us that are over, and the clients' people as contacts.

    Raises SourceError if it is not known who we are.
    """
    parties = Parties(options.our_domains, options.contacts)
    zone = ZoneInfo(options.time_zone) if options.time_zone else None
    if not parties.own:
        raise nobody_ours(path.name, _first_domains(path, zone, options.until))
    report = progress or (lambda step, share: None)
    reading = _Reading(parties, options.until)
    pieces = _Pieces(path, zone, options.until)
    for number, piece in enumerate(pieces, start=1):
        if number % _PROGRESS_EVERY == 1:
            report("reading calendars", piece.share)
        reading.take(piece)
    report("working out meetings", 0.0)
    for place, copies in enumerate(reading.events.values()):
        if place % _PROGRESS_EVERY == 1:
            report("working out meetings", place / len(reading.events))
        reading.settle(copies)
    report("working out meetings", 1.0)
    reading.rejects += pieces.rejects
    return replace(reading.found(), others=pieces.others)


@dataclass(frozen=True, slots=True)
class _Piece:
    """An event and its place; or why one cannot be taken over, None if it names nobody. And how much has been read."""

    file: str
    number: int
    event: Event | Refused | None
    share: float


class _Pieces:
    """The events of a file or folder; ``rejects`` and ``others`` (files without calendars) fill while they are read."""

    def __init__(self, path: Path, zone: tzinfo | None, until: int) -> None:
        self.zone, self.until = zone, until
        self.others: list[str] = []
        self._contents = Contents(path, self._events)
        self.rejects = self._contents.rejects

    def __iter__(self) -> Iterator[_Piece]:
        return iter(self._contents)

    def _events(self, file: Opened) -> Iterator[_Piece]:
        if not begins_calendar(file.head):
            if named_calendar(file.name):
                start = file.head.partition(b"\n")[0].decode(errors="replace")
                self.rejects.append(Reject(file.name, 0, "", shown(start), "a file that begins with BEGIN:VCALENDAR"))
            else:
                self.others.append(file.name)
            return
        for sheet in sheets(file.whole()):
            for number, event in read_events(sheet, file.name, self.zone, self.until):
                yield _Piece(file.name, number, event, file.share())
            if not sheet.whole:
                self.rejects.append(Reject(file.name, 0, "", "", "a calendar that ends with END:VCALENDAR"))


@dataclass
class _Reading:
    """Gathers events, and turns those of one UID after the other into rows."""

    parties: Parties
    until: int
    events: dict[str, list[Event]] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=lambda: Counter(read=0, imported=0, duplicate=0, rejected=0))
    rows: list[dict[str, str | int | None]] = field(default_factory=list)
    met: list[tuple[set[str], list[Address]]] = field(default_factory=list)
    strangers: Counter[str] = field(default_factory=Counter)
    meetings: int = 0

    def take(self, piece: _Piece) -> None:
        """Take in an event as it was read."""
        self.counts["read"] += 1
        if piece.event is None:
            self.counts[NOBODY] += 1
        elif isinstance(piece.event, Refused):
            self._turn_away(piece.file, piece.number, piece.event)
        elif piece.event.method in _METHODS:
            self.events.setdefault(piece.event.uid, []).append(piece.event)
        else:
            self.counts["proposal"] += 1

    def settle(self, copies: list[Event]) -> None:
        """Turn what was told of one UID into meetings; each event counts once, as what became of it."""
        all_told = told(copies)
        self.counts["duplicate"] += all_told.superseded
        self.counts["answer"] += all_told.messages
        became = {key: self._sides(event) for key, event in all_told.events.items()}
        came = set[str]()
        if not all(isinstance(sides, str) for sides in became.values()):
            dates, refused = all_told.dates(self.until)
            for date in dates:
                known = date.event is all_told.events[date.change]
                sides = became[date.change] if known else invited(date.event, self.parties)
                if not isinstance(sides, str):
                    self._add(date, sides)
                    came.add(date.change)
            for key, error in refused.items():
                self._turn_away(all_told.events[key].file, all_told.events[key].number, error)
                del became[key]
        for key, sides in became.items():
            self.counts[sides if isinstance(sides, str) else "imported" if key in came else "to come"] += 1

    def _turn_away(self, file: str, number: int, refused: Refused) -> None:
        self.counts["rejected"] += 1
        self.rejects.append(Reject(file, number, refused.column, shown(refused.value), refused.allowed))

    def _sides(self, event: Event) -> list[Invited] | str:
        sides = invited(event, self.parties)
        if sides == NOT_WITH_US:
            self.strangers.update({one.address.rpartition("@")[2] for one in event.people()})
        return sides

    def _add(self, date: Date, sides: list[Invited]) -> None:
        """A row for each account."""
        self.meetings += 1
        self.met.append(({side.account_id for side in sides}, date.event.people()))
        self.rows += [_row(date, side) for side in sides]

    def found(self) -> Found:
        """What was read."""
        self.rows.sort(key=lambda row: (str(row["at"]), str(row["interaction_id"])))
        names = {name: pa.string() for name in _COLUMNS} | {FILE: pa.string(), ROW: pa.int64()}
        tables = {
            "interactions": pa.Table.from_pylist(self.rows, schema=pa.schema(list(names.items()))),
            "contacts": contacts_met(self.met, self.parties),
        }
        counts = {word: times for word, times in self.counts.items() if times or word in ("read", "imported")}
        return Found(tables, self.rejects, counts, self._notes())

    def _notes(self) -> list[str]:
        notes = []
        if self.meetings:
            notes.append(f"calendar: meetings, each date of a series by itself: {self.meetings:,}")
        if self.strangers:
            domain, times = min(self.strangers.items(), key=lambda one: (-one[1], one[0]))
            notes.append(
                f"calendar: of those not with us {times:,} had people of {domain}; if it is one of yours, name it, too"
            )
        return notes


def _row(date: Date, side: Invited) -> dict[str, str | int | None]:
    event, became = date.event, outcome(date, side)
    recorded = event.created
    if recorded is None and event.changed is not None and event.changed <= date.start:
        recorded = event.changed  # by then it was known at the latest
    minutes = None if date.whole_day or date.end is None else f"{(date.end - date.start) / 60:.10g}"
    return {
        "interaction_id": made_id("meeting", event.uid, date.key, side.key),
        "account_id": side.account_id,
        "contact_id": side.contact_id,
        "our_contact_id": side.our_contact_id,
        "at": iso(date.start),
        "kind": "meeting",
        "actor": became.actor,
        "recorded_at": iso(recorded),
        "minutes": minutes,
        "outcome": became.word or None,
        "resolved_at": iso(became.resolved),
        "outcome_recorded_at": iso(became.known),
        "updated_at": iso(event.changed),
        FILE: event.file,
        ROW: event.number,
    }


def _first_domains(path: Path, zone: tzinfo | None, until: int) -> Iterator[str]:
    """The domains of the people invited to the first events, each once for an event."""
    for piece in islice(_Pieces(path, zone, until), _PROBED_EVENTS):
        if isinstance(piece.event, Event):
            yield from {one.address.rpartition("@")[2] for one in piece.event.people()}
