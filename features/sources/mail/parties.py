"""Who is who in a mail: we, the clients' people and their organisations.

We are whoever writes from one of our own domains. Anybody else belongs to the account that the contact table names for
the address or its domain; else an address at a provider of free mail is an account of its own; else the account is the
registered domain (``sales.acme.co.uk`` is ``acme.co.uk``).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from publicsuffixlist import PublicSuffixList

from features.sources.mail.messages import Address
from features.sources.readers import SourceError, read_chunks


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody on a client's side; ``listed`` if the contact table names the person."""

    contact_id: str
    account_id: str
    listed: bool = False


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

    def person(self, address: str) -> Person | None:
        """Who an address belongs to, None if it is ours."""
        if address not in self._known:
            self._known[address] = self._looked_up(address)
        return self._known[address]

    def _looked_up(self, address: str) -> Person | None:
        domain = address.rpartition("@")[2]
        listed = self.contacts.get(address)
        if listed:
            return listed
        if address in self.own or any(name in self.own for name in _upwards(domain)):
            return None
        for name in _upwards(domain):
            if name in self.contacts:
                return Person(address, self.contacts[name].account_id)
        if is_free(domain):
            return Person(address, address)
        return Person(address, registered(domain))

    def owns(self, text: str) -> bool:
        """Whether a text, such as the id of a list, ends in one of our domains."""
        return any(name in self.own for name in _upwards(text.rpartition("@")[2].strip("<> .").lower()))

    def sides(self, sender: Address, addressed: Iterable[Address], reached: Iterable[Address]) -> list[Side] | str:
        """A mail by accounts; else why it is none between us and a client.

        ``addressed`` are those it was written to, ``reached`` in whose mailboxes it was found, which tell of ours only.
        """
        addressed = list(addressed)
        writer = self.person(sender.address)
        ours = [one.address for one in (*addressed, *reached) if self.person(one.address) is None]
        if writer is not None:
            if not ours:
                return "not to us"
            return [Side(writer.account_id, "client", writer.contact_id, sender.address, ours[0])]
        if not addressed:
            return "to nobody named"
        sides: dict[str, Side] = {}
        for one in addressed:
            person = self.person(one.address)
            if person is not None and person.account_id not in sides:
                sides[person.account_id] = Side(person.account_id, "us", person.contact_id, one.address, sender.address)
        return list(sides.values()) or "internal"


def _upwards(domain: str) -> Iterable[str]:
    """A domain and those above it: a.b.c, b.c, c."""
    while domain:
        yield domain
        domain = domain.partition(".")[2]


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
    text = files("features.sources.mail").joinpath("free_domains.toml").read_text(encoding="utf-8")
    listed = tomllib.loads(text)
    return frozenset(listed["families"]), frozenset(listed["domains"])


def contact_table(path: Path) -> dict[str, Person]:
    """People by address from a table with the columns email, account_id and (optional) contact_id.

    In place of an address, email may hold a domain: everybody there belongs to the account. Raises SourceError.
    """
    wanted = {"email", "account_id", "contact_id"}
    people: dict[str, Person] = {}
    for chunk in read_chunks(path, lambda names: wanted & set(names)):
        if not len(chunk.numbers):
            continue
        missing = sorted(wanted - {"contact_id"} - chunk.columns.keys())
        if missing:
            raise SourceError(f"{path.name}: has no column {missing[0]}; a contact table has email and account_id")
        values = {name: chunk.columns[name].to_pylist() for name in chunk.columns}
        ids = values.get("contact_id", [None] * len(chunk.numbers))
        for number, email, account, contact in zip(
            chunk.numbers, values["email"], values["account_id"], ids, strict=True
        ):
            name, account_id = (str(value or "").strip() for value in (email, account))
            if not name or not account_id:
                raise SourceError(f"{path.name}: row {number}: needs both email and account_id")
            name = name.lower().lstrip("@")
            people[name] = Person(str(contact or name).strip(), account_id, listed=True)
    return people
