"""Who was invited to a meeting, account by account, and what became of it for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from features.sources.calendar.events import Event, Guest
from features.sources.calendar.series import REMOVED, Date
from features.sources.parties import Parties, Person, organisation

NOBODY = "with nobody named"
"""An entry of somebody alone."""
NOT_WITH_US = "not with us"
"""A meeting of others, as it stands in a calendar that somebody shares with us."""

_STAYS_AWAY = frozenset(("DECLINED", "DELEGATED"))


@dataclass(frozen=True, slots=True)
class Invited:
    """A meeting as one account sees it: with whom of theirs and of ours, and which side ("client" or "us") called it.

    ``key`` tells the account from others of the same meeting, whatever the contact table says of it. ``declined`` is
    the side of which nobody comes ("" if both do), ``declined_at`` when that was known at the latest (UTC seconds).
    """

    account_id: str
    contact_id: str
    our_contact_id: str
    key: str
    called_by: str
    declined: str = ""
    declined_at: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a meeting ended ("held", "cancelled", "" if that is not known), and whose doing that was.

    ``resolved`` is when it was called off, ``known`` when the outcome could be known (UTC seconds).
    """

    word: str
    actor: str
    resolved: int | None = None
    known: int | None = None


def invited(event: Event, parties: Parties) -> list[Invited] | str:
    """A meeting by accounts; else why it is none between us and a client."""
    ours: list[Guest] = []
    theirs: dict[str, list[tuple[Guest, Person]]] = {}
    for guest in _people(event):
        person = parties.person(guest.address.address)
        if person is None:
            ours.append(guest)
        else:
            theirs.setdefault(person.account_id, []).append((guest, person))
    if not theirs:
        return "internal" if len(ours) > 1 else NOBODY
    owner = next((one for one in event.owners if parties.person(one) is None), "")
    if not ours and not owner:
        return NOT_WITH_US
    our_contact = _first_present(ours).address.address if ours else owner
    keys = {
        account: min(organisation(guest.address.address) for guest, _ in people) for account, people in theirs.items()
    }
    shared = Counter(keys.values())
    sides = []
    for account, people in theirs.items():
        guests = [guest for guest, _ in people]
        contact = next(person for guest, person in people if guest is _first_present(guests))
        declined = "client" if _nobody_comes(guests) else "us" if ours and _nobody_comes(ours) else ""
        away = guests if declined == "client" else ours
        key = keys[account] if shared[keys[account]] == 1 else f"{keys[account]}\0{account}"
        sides.append(
            Invited(
                account_id=account,
                contact_id=contact.contact_id,
                our_contact_id=our_contact,
                key=key,
                called_by=_called_by(event, parties),
                declined=declined,
                declined_at=_last(away) if declined else None,
            )
        )
    return sides


def outcome(date: Date, side: Invited) -> Outcome:
    """What became of a meeting that is over.

    Calendars keep no record of meetings held: one counts as held unless it was called off, all of one side declined, or
    it was never fixed (STATUS:TENTATIVE). Only who called it can call it off for all; where all of a client's people
    had declined, it was the client's doing. Of a series that was called off as a whole, nothing is known of the dates
    before that.
    """
    cancelled = date.event.status == "CANCELLED"
    if not cancelled and not side.declined:
        if date.event.status == "TENTATIVE":
            return Outcome("", side.called_by)
        return Outcome("held", side.called_by, known=date.over)
    when = date.event.changed if cancelled else side.declined_at
    if date.of_series and not date.change and (when is None or when >= date.over):
        return Outcome("", side.called_by)
    by = side.declined or side.called_by
    if when is None:
        return Outcome("cancelled", by, known=date.over)
    return Outcome("cancelled", by, when if when <= date.start else None, when)


def _people(event: Event) -> list[Guest]:
    """The organiser, who comes unless a guest of that name declined, and the guests that are still invited."""
    guests = [guest for guest in event.guests if guest.answer != REMOVED]
    if event.organiser is None:
        return guests
    named = [guest for guest in guests if guest.address.address == event.organiser.address]
    others = [guest for guest in guests if guest.address.address != event.organiser.address]
    return [*(named or [Guest(event.organiser, "ACCEPTED", None)]), *others]


def _first_present(guests: Sequence[Guest]) -> Guest:
    return next((guest for guest in guests if guest.answer not in _STAYS_AWAY), guests[0])


def _nobody_comes(guests: Sequence[Guest]) -> bool:
    return all(guest.answer in _STAYS_AWAY for guest in guests)


def _last(guests: Sequence[Guest]) -> int | None:
    """When the last answer was there; None if that is not told of each."""
    moments = [guest.answered for guest in guests if guest.answered is not None]
    return max(moments) if len(moments) == len(guests) else None


def _called_by(event: Event, parties: Parties) -> str:
    """Whose meeting it is; ours, for it lay in our calendar, where no organiser is told."""
    organiser = event.organiser
    return "us" if organiser is None or parties.person(organiser.address) is None else "client"
