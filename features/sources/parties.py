"""Who is who in a mail or a meeting: we, the clients' people and their organisations.

We are whoever has an address at one of our own domains. Anybody else belongs to the account that the contact table
names for the address or its domain; else an address at a provider of free mail is an account of its own; else the
account is the registered domain (``sales.acme.co.uk`` is ``acme.co.uk``).
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path

import pyarrow as pa
from publicsuffixlist import PublicSuffixList

from features.histories.tables import CONTACTS
from features.sources.readers import SourceError, read_chunks

_ADDRESS = re.compile(r"[^@\s<>()\[\],;:\"\x00-\x1f\x7f]{1,100}@[^@\s<>()\[\],;:\"\x00-\x1f\x7f]{1,99}")
_LIKELY = 3
_EVER = -(1 << 62)


@dataclass(frozen=True, slots=True)
class Address:
    """A mail address in small letters, and the name that stood with it."""

    address: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody on a client's side; ``listed`` if the contact table names the person.

    Of who moved, it is as it holds ``since`` a moment (UTC seconds), and ``before`` as it held until then.
    """

    contact_id: str
    account_id: str
    listed: bool = False
    since: int | None = None
    before: Person | None = None

    def at(self, moment: int | None) -> Person:
        """As it held at a moment, today if none is named; before the first move known, as it was first."""
        if moment is None or self.since is None or self.before is None or moment >= self.since:
            return self
        return self.before.at(moment)


@dataclass(frozen=True, slots=True)
class Side:
    """A mail as one account sees it: who acted ("client" or "us"), with whom of theirs (and where) and of ours."""

    account_id: str
    actor: str
    contact_id: str
    address: str
    our_contact_id: str


class Parties:
    """Who is ours, and whose everybody else is.

    ``ours``: own domains (their subdomains too) and single addresses. ``contacts``: by address or domain, see
    ``contact_table``.
    """

    def __init__(self, ours: Iterable[str], contacts: Mapping[str, Person]) -> None:
        self.own = frozenset(name.strip().lower().lstrip("@") for name in ours) - {""}
        self.contacts = contacts
        self._known: dict[str, Person | None] = {}

    def person(self, address: str, at: int | None = None) -> Person | None:
        """Who an address belongs to, or belonged to at a moment (UTC seconds); None if it is ours."""
        if address not in self._known:
            self._known[address] = self._looked_up(address)
        known = self._known[address]
        return None if known is None else known.at(at)

    def _looked_up(self, address: str) -> Person | None:
        domain = address.rpartition("@")[2]
        listed = self.contacts.get(address)
        if listed:
            return listed
        if address in self.own or any(name in self.own for name in _upwards(domain)):
            return None
        for name in _upwards(domain):
            if name in self.contacts:
                return _somebody(address, self.contacts[name])
        return Person(address, organisation(address))

    def owns(self, text: str) -> bool:
        """Whether a text, such as the id of a list, ends in one of our domains."""
        return any(name in self.own for name in _upwards(text.rpartition("@")[2].strip("<> .").lower()))

    def sides(
        self, sender: Address, addressed: Iterable[Address], reached: Iterable[Address], at: int | None = None
    ) -> list[Side] | str:
        """A mail by accounts; else why it is none between us and a client.

        ``addressed`` are those it was written to, ``reached`` in whose mailboxes it was found, which tell of ours only;
        ``at`` when it was written (UTC seconds).
        """
        addressed = list(addressed)
        writer = self.person(sender.address, at)
        ours = [one.address for one in (*addressed, *reached) if self.person(one.address) is None]
        if writer is not None:
            if not ours:
                return "not to us"
            return [Side(writer.account_id, "client", writer.contact_id, sender.address, ours[0])]
        if not addressed:
            return "to nobody named"
        sides: dict[str, Side] = {}
        for one in addressed:
            person = self.person(one.address, at)
            if person is not None and person.account_id not in sides:
                sides[person.account_id] = Side(person.account_id, "us", person.contact_id, one.address, sender.address)
        return list(sides.values()) or "internal"


def _somebody(address: str, domain: Person) -> Person:
    """Somebody of a domain that the contact table lists."""
    before = None if domain.before is None else _somebody(address, domain.before)
    return Person(address, domain.account_id, since=domain.since, before=before)


def _upwards(domain: str) -> Iterable[str]:
    """A domain and those above it: a.b.c, b.c, c."""
    while domain:
        yield domain
        domain = domain.partition(".")[2]


def is_address(text: str) -> bool:
    """Whether a text in small letters is a mail address and nothing else."""
    return _ADDRESS.fullmatch(text) is not None


def organisation(address: str) -> str:
    """Whose an address is as far as it tells by itself: its registered domain, or itself where mail is free.

    >>> organisation("ann@sales.acme.co.uk"), organisation("carl@gmail.com")
    ('acme.co.uk', 'carl@gmail.com')
    """
    domain = address.rpartition("@")[2]
    return address if is_free(domain) else registered(domain)


def registered(domain: str) -> str:
    """The part of a domain that its owner registered.

    >>> registered("sales.acme.co.uk"), registered("localhost")
    ('acme.co.uk', 'localhost')
    """
    return _suffixes().privatesuffix(domain) or domain


def is_free(domain: str) -> bool:
    """Whether anybody can have an address at a domain.

    >>> is_free("gmx.co.uk"), is_free("mail.gmx.example.com"), is_free("t-online.de")
    (True, False, True)
    """
    families, domains = _free()
    known = registered(domain)
    return known in domains or (known.partition(".")[0] in families and known != domain.partition(".")[0])


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList(only_icann=True)


@cache
def _free() -> tuple[frozenset[str], frozenset[str]]:
    text = files("features.sources").joinpath("free_domains.toml").read_text(encoding="utf-8")
    listed = tomllib.loads(text)
    return frozenset(listed["families"]), frozenset(listed["domains"])


def contact_table(path: Path) -> dict[str, Person]:
    """People by address from a table with the columns email, account_id and (optional) contact_id and valid_from.

    In place of an address, email may hold a domain: everybody there belongs to the account. Who moved has several rows,
    each with the moment from which it holds. Raises SourceError.
    """
    wanted = {"email", "account_id", "contact_id", "valid_from"}
    listed: dict[str, list[tuple[int, Person]]] = {}
    for chunk in read_chunks(path, lambda names: wanted & set(names)):
        if not len(chunk.numbers):
            continue
        missing = sorted({"email", "account_id"} - chunk.columns.keys())
        if missing:
            raise SourceError(f"{path.name}: has no column {missing[0]}; a contact table has email and account_id")
        values = {name: chunk.columns[name].to_pylist() for name in chunk.columns}
        ids, valid = (values.get(one, [None] * len(chunk.numbers)) for one in ("contact_id", "valid_from"))
        for number, email, account, contact, since in zip(
            chunk.numbers, values["email"], values["account_id"], ids, valid, strict=True
        ):
            name, account_id = (str(value or "").strip() for value in (email, account))
            if not name or not account_id:
                raise SourceError(f"{path.name}: row {number}: needs both email and account_id")
            name = name.lower().lstrip("@")
            try:
                begin = CONTACTS.column["valid_from"].convert(since)
            except ValueError as error:
                raise SourceError(f"{path.name}: row {number}: valid_from {since!r} is not {error}") from None
            person = Person(str(contact or name).strip(), account_id, listed=True, since=begin)
            listed.setdefault(name, []).append((_EVER if begin is None else begin, person))
    return {name: _one_after_another(held) for name, held in listed.items()}


def _one_after_another(held: list[tuple[int, Person]]) -> Person:
    """Somebody as it held last, with what held before."""
    person: Person | None = None
    for _, later in sorted(held, key=lambda one: one[0]):
        person = replace(later, before=person)
    assert person is not None
    return person


def contacts_met(met: Iterable[tuple[Collection[str], Iterable[Address]]], parties: Parties) -> pa.Table:
    """The people of the accounts that we dealt with as a table of contacts, each with the name most often used.

    ``met`` are the accounts and the people of each mail or meeting. People of the contact table are left out: what
    holds of them stands elsewhere.
    """
    names: dict[tuple[str, str, str], Counter[str]] = {}
    for accounts, people in met:
        for one in people:
            person = parties.person(one.address)
            if person is not None and person.account_id in accounts and not person.listed:
                used = names.setdefault((person.contact_id, person.account_id, one.address), Counter())
                if one.name and "@" not in one.name:
                    used[one.name] += 1
    rows = [
        (*ids, min(used, key=lambda name: (-used[name], name), default=None)) for ids, used in sorted(names.items())
    ]
    columns = zip(*rows, strict=True) if rows else ((), (), (), ())
    named = dict(zip(("contact_id", "account_id", "email", "name"), columns, strict=True))
    return pa.table({name: pa.array(values, pa.string()) for name, values in named.items()})


def nobody_ours(source: str, domains: Iterable[str]) -> SourceError:
    """The error that nothing tells who we are; names those of the domains that come most often."""
    seen = Counter(domains)
    likely = sorted(seen, key=lambda domain: (-seen[domain], domain))[:_LIKELY]
    told = "the most frequent are " + ", ".join(likely) if likely else "nothing there names one"
    return SourceError(f"{source}: which domains are yours? Name them with --our-domain; {told}")
