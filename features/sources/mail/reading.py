"""Mailboxes → interactions and contacts: each message is imported, kept apart, a copy of another, or rejected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa

from features.histories.checks import shown
from features.histories.columns import Reject
from features.sources.files import iso
from features.sources.mail.containers import Piece, Pieces, holds_mail
from features.sources.mail.dates import NoDate, written_at
from features.sources.mail.messages import Fields, content_digest, decoded, read_body, read_fields
from features.sources.mail.quotes import layers, shingles
from features.sources.mail.sorting import INVITATION, LEAVING, kept_apart, mentions_leaving
from features.sources.mail.threads import Linkable, Links, link, plain_subject
from features.sources.parties import Address, Parties, Person, Side, contacts_met, nobody_ours
from features.sources.readers import Array
from features.sources.source import FILE, ROW, Found, Progress, made_id, shared_mail_id

_REACHED = ("delivered-to", "x-original-to", "x-delivered-to", "envelope-to", "x-envelope-to", "apparently-to")
_LONGEST_SUBJECT = 1_000
_PROBED_MAILS = 500
_PROGRESS_EVERY = 100
_NOTHING = np.empty(0, np.uint32)


@dataclass(frozen=True)
class MailOptions:
    """How mails are read.

    ``our_domains``: our own domains and addresses. ``contacts``: people and organisations known beforehand
    (``parties.contact_table``). ``until``: a moment by which all mails had been written (UTC seconds): later dates are
    wrong. ``keep_text``: keep what was written, which is dropped otherwise.
    """

    our_domains: frozenset[str] = frozenset()
    contacts: Mapping[str, Person] = field(default_factory=dict)
    until: int | None = None
    keep_text: bool = False


@dataclass(slots=True)
class Mail:
    """What is kept of a mail.

    ``file`` and ``number`` are its place, ``apart`` what it is and what told so if it is kept apart; ``rank`` decides
    which of several copies counts.
    """

    file: str
    number: int
    ids: frozenset[str]
    at: int
    repaired: bool
    sender: Address
    addressed: list[Address]
    subject: str
    parents: tuple[str, ...]
    sides: list[Side]
    apart: tuple[str, str] | None
    rank: tuple[bool, int, bytes]
    own: Array = field(default_factory=lambda: _NOTHING)
    quoted: Array = field(default_factory=lambda: _NOTHING)
    words: int | None = None
    text: str = ""


def recognises(path: Path) -> bool:
    """Whether a file or folder holds mail: mbox, maildir, single mails, or an archive of any."""
    return holds_mail(path)


def read(path: Path, options: MailOptions, progress: Progress | None = None) -> Found:
    """The mails between us and clients as messages, and the clients' people as contacts.

    Raises SourceError if it is not known who we are.
    """
    parties = Parties(options.our_domains, options.contacts)
    if not parties.own:
        raise nobody_ours(path.name, _first_domains(path))
    report = progress or (lambda step, share: None)
    pieces, copies = Pieces(path), _Copies()
    rejects: list[Reject] = []
    read = 0
    for read, piece in enumerate(pieces, start=1):
        if read % _PROGRESS_EVERY == 1:
            report("reading mails", piece.share)
        try:
            fields = read_fields(piece.content)
            mail, keys = _mail(piece, fields, parties, options)
        except _Refused as refused:
            rejects.append(Reject(piece.file, piece.number, refused.column, shown(refused.value), refused.allowed))
            continue
        if copies.add(mail, keys) and not mail.apart:
            _read_text(mail, piece.content, options)
    report("linking mails", 0.0)
    mails = copies.mails()
    kept = sorted((mail for mail in mails if not mail.apart), key=lambda mail: (mail.at, min(mail.ids)))
    links = _linked(kept)
    report("linking mails", 1.0)
    apart = Counter(mail.apart for mail in mails if mail.apart)
    counts = {"read": read, "imported": len(kept), "duplicate": copies.duplicates, "rejected": len(rejects)}
    for (word, _), times in sorted(apart.items()):
        counts[word] = counts.get(word, 0) + times
    met = (({side.account_id for side in mail.sides}, (mail.sender, *mail.addressed)) for mail in kept)
    tables = {"interactions": _interactions(kept, links, options), "contacts": contacts_met(met, parties)}
    notes = _notes(mails, kept, links, apart)
    return Found(tables, rejects + pieces.rejects, counts, notes, others=pieces.others)


class _Refused(ValueError):
    """A message that cannot be taken over."""

    def __init__(self, column: str, value: str, allowed: str) -> None:
        super().__init__(allowed)
        self.column, self.value, self.allowed = column, value, allowed


def _mail(piece: Piece, fields: Fields, parties: Parties, options: MailOptions) -> tuple[Mail, list[str]]:
    """A mail without its text, and the keys that it shares with copies of itself."""
    writers = fields.addresses("from") or fields.addresses("sender")
    if not writers:
        raise _Refused("From", fields.first("from"), "the writer's address, such as ann@example.org")
    try:
        date, received = fields.first("date"), fields.each("received")
        at, repaired = written_at(date, received, fields.envelope, options.until)
    except NoDate as error:
        raise _Refused("Date", date, str(error)) from None
    sender, addressed = writers[0], fields.addresses("to", "cc", "bcc")
    sides = parties.sides(sender, addressed, fields.addresses(*_REACHED), at)
    apart = kept_apart(fields, sender.address, piece.file, parties)
    if isinstance(sides, str):
        apart, sides = apart or (sides, ""), []
    digest = content_digest(piece.content, fields)
    keys = [*fields.ids("message-id")[:1], f"~{digest.hex()}"]  # behind all real ids
    mail = Mail(
        file=piece.file,
        number=piece.number,
        ids=frozenset(keys[:1]),
        at=at,
        repaired=repaired,
        sender=sender,
        addressed=addressed,
        subject=decoded(fields.first("subject")[:_LONGEST_SUBJECT]),
        parents=fields.parents(),
        sides=sides,
        apart=apart,
        rank=(apart is not None, -len(addressed), digest),
    )
    return mail, keys


def _read_text(mail: Mail, content: bytes, options: MailOptions) -> None:
    body = read_body(content)
    if body.calendar:
        mail.apart, mail.sides = INVITATION, []
        return
    found = layers(body.text)
    if mail.sides[0].actor == "client" and not mail.parents and mentions_leaving(found.own):
        mail.apart, mail.sides = LEAVING, []
        return
    mail.own, mail.quoted = shingles(found.own), shingles(found.quoted)
    mail.words = found.words if body.text.strip() else None
    mail.text = body.text if options.keep_text else ""


class _Copies:
    """Mails of which copies lie in several places: those that share a message id or their whole content are one.

    Which copy stands for all does not depend on their order: one that is not kept apart, with the most addressees.
    """

    def __init__(self) -> None:
        self.duplicates = 0
        self._mails: dict[int, Mail] = {}
        self._group: dict[str, int] = {}
        self._keys: dict[int, list[str]] = {}

    def add(self, mail: Mail, keys: list[str]) -> bool:
        """Add a copy; returns whether it is the one that stands for all so far."""
        groups = sorted({self._group[key] for key in keys if key in self._group})
        group = groups[0] if groups else len(self._group)
        best = mail
        for one in groups:
            other = self._mails.pop(one)
            ids = best.ids | other.ids
            best = min(other, best, key=lambda copy: copy.rank)
            best.ids = ids
            keys = keys + self._keys.pop(one)
            self.duplicates += 1
        self._mails[group], self._keys[group] = best, list(dict.fromkeys(keys))
        self._group.update(dict.fromkeys(keys, group))
        return best is mail

    def mails(self) -> list[Mail]:
        """Each mail once."""
        return list(self._mails.values())


def _linked(mails: list[Mail]) -> Links:
    accounts: dict[str, int] = {}
    linkable = []
    for mail in mails:
        subject, answers = plain_subject(mail.subject)
        linkable.append(
            Linkable(
                ids=tuple(sorted(mail.ids)),
                at=mail.at,
                parents=mail.parents,
                subject=subject,
                answers=answers,
                writer=mail.sender.address,
                addressed=frozenset(one.address for one in mail.addressed),
                own=mail.own,
                quoted=mail.quoted,
                scopes=tuple(accounts.setdefault(side.account_id, len(accounts)) for side in mail.sides),
            )
        )
    return link(linkable)


def _interactions(mails: list[Mail], links: Links, options: MailOptions) -> pa.Table:
    """One row for each mail and account, in order of time."""
    names = ["interaction_id", "account_id", "contact_id", "our_contact_id", "at", "kind", "actor", "channel"]
    names += ["thread_id", "reply_to", "shared_id", "words", *(["text"] if options.keep_text else []), FILE, ROW]
    columns: dict[str, list[str | int | None]] = {name: [] for name in names}
    ids = [{side.account_id: made_id("mail", min(mail.ids), side.address) for side in mail.sides} for mail in mails]
    for place, mail in enumerate(mails):
        parent = links.parent[place]
        for side in mail.sides:
            row: dict[str, str | int | None] = {
                "interaction_id": ids[place][side.account_id],
                "account_id": side.account_id,
                "contact_id": side.contact_id,
                "our_contact_id": side.our_contact_id,
                "at": iso(mail.at),
                "kind": "message",
                "actor": side.actor,
                "channel": "email",
                "thread_id": made_id("mail", links.root[place]),
                "reply_to": ids[parent].get(side.account_id) if parent >= 0 else None,
                "shared_id": shared_mail_id(next((one for one in sorted(mail.ids) if not one.startswith("~")), "")),
                "words": None if mail.words is None else str(mail.words),
                "text": mail.text,
                FILE: mail.file,
                ROW: mail.number,
            }
            for name in names:
                columns[name].append(row[name])
    types = {ROW: pa.int64()}
    return pa.table({name: pa.array(values, types.get(name, pa.string())) for name, values in columns.items()})


def _notes(mails: list[Mail], kept: list[Mail], links: Links, apart: Mapping[tuple[str, str], int]) -> list[str]:
    """What a user should know: what told that mails are kept apart, and what could not be taken as it stood."""
    notes = []
    for word in sorted({word for word, reason in apart if reason}):
        told = sorted(((times, reason) for (one, reason), times in apart.items() if one == word), reverse=True)
        notes.append(f"mail: {word}, told by " + ", ".join(f"{reason} ({times:,})" for times, reason in told))
    told_by = Counter(told for told in links.told_by if told)
    if told_by:
        notes.append("mail: answers linked by " + ", ".join(f"{told} ({n:,})" for told, n in sorted(told_by.items())))
    repaired = sum(mail.repaired for mail in kept)
    if repaired:
        notes.append(f"mail: {repaired:,} wrong dates replaced by the time a server received the mail")
    strangers = Counter(
        one.address.rpartition("@")[2] for mail in mails if mail.apart == ("not to us", "") for one in mail.addressed
    )
    if strangers:
        domain, times = min(strangers.items(), key=lambda one: (-one[1], one[0]))
        notes.append(f"mail: of those not to us {times:,} went to {domain}; if it is one of yours, name it, too")
    return notes


def _first_domains(path: Path) -> Iterator[str]:
    """The domains of the people in the first mails, each once for a mail."""
    for piece in islice(Pieces(path), _PROBED_MAILS):
        found = read_fields(piece.content).addresses("from", "to", "cc", "delivered-to")
        yield from {one.address.rpartition("@")[2] for one in found}
