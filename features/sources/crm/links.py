"""Whose each record is: the account that it names, or that of the deal, case, contact or mail address that it names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from features.sources.crm.definitions import Crm

REFERENCES = ("account_id", "regarding", "deal", "case", "contact_id", "from_address", "to_address")
"""Columns that may name a record, the surest first."""

_ADDRESS = re.compile(r"[\w.+'-]+@[\w-]+(?:\.[\w-]+)+")
_SALESFORCE_ID = re.compile(r"[0-9a][0-9A-Za-z]{14}")
_CHECK_SIGNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_NAMED = ("account", "contact", "deal", "case")
_SEVERAL = ""
"""What a name leads to that several records bear."""


@dataclass(frozen=True)
class Whose:
    """The account and the contact of a record ("" if unknown).

    ``dropped`` says why a record is left out although its account is known; ``column``, ``value`` and ``allowed`` tell
    what is wrong where there is none.
    """

    account: str = ""
    contact: str = ""
    dropped: str = ""
    column: str = "account_id"
    value: str = ""
    allowed: str = ""


@dataclass
class Links:
    """The records read so far, by their ids, names and mail addresses."""

    crm: Crm
    ours: frozenset[str]
    accounts: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    own: set[str] = field(default_factory=set)
    contacts: dict[str, str] = field(default_factory=dict)
    records: dict[str, dict[str, str]] = field(default_factory=lambda: {"deal": {}, "case": {}})
    names: dict[str, dict[str, str]] = field(default_factory=lambda: {kind: {} for kind in _NAMED})
    addresses: dict[str, str] = field(default_factory=dict)

    def add_accounts(self, ids: Iterable[str], names: Iterable[str], gone: Iterable[bool]) -> list[bool]:
        """Take in accounts and tell which of them are clients: neither deleted nor ourselves."""
        kept = []
        for one, name, deleted in zip(ids, names, gone, strict=True):
            ourselves = one.casefold() in self.ours or name.casefold() in self.ours
            kept.append(not deleted and not ourselves)
            (self.gone if deleted else self.own if ourselves else self.accounts).add(one)
            if not deleted:
                self._name("account", name, one)
        return kept

    def add_contacts(
        self, ids: Iterable[str], accounts: Iterable[str], names: Iterable[str], addresses: Iterable[str]
    ) -> None:
        """Take in contacts, with the ids of their accounts."""
        titles = {one: name for name, one in self.names["account"].items()}
        for one, account, name, address in zip(ids, accounts, names, addresses, strict=True):
            self.contacts[one] = account
            self._name("contact", name, one)
            self._name("contact", f"{account}\0{name}", one)
            if account in titles:
                self._name("contact", f"{titles[account]}, {name}", one)
            for found in _ADDRESS.findall(address.casefold()):
                self.addresses.setdefault(found, one)

    def add_records(self, kind: str, ids: Iterable[str], accounts: Iterable[str], titles: Iterable[str]) -> None:
        """Take in deals or cases, with the ids of their accounts."""
        for one, account, title in zip(ids, accounts, titles, strict=True):
            self.records[kind][one] = account
            self._name(kind, title, one)

    def _name(self, kind: str, name: str, one: str) -> None:
        key = _plain(name)
        if key.strip("\0 ,"):
            known = self.names[kind].setdefault(key, one)
            if known != one:
                self.names[kind][key] = _SEVERAL

    def whose(self, given: Mapping[str, str]) -> Whose:
        """The account and the contact of a record, by what its columns (of ``REFERENCES``) hold."""
        account, problem = "", Whose(allowed=self._required())
        for column in REFERENCES:
            if account or not given.get(column):
                continue
            account, allowed = self._account(column, given[column])
            if not account and (not problem.value or allowed.startswith("the id")):
                problem = Whose(column=column, value=given[column], allowed=allowed)
        if not account:
            return problem
        if account in self.gone:
            return Whose(account, dropped="records of deleted accounts")
        if account in self.own:
            return Whose(account, dropped="records of our own company")
        return Whose(account, self._contact(given, account))

    def _required(self) -> str:
        return "the account that it belongs to, or a deal, case or contact of one (this record names none)"

    def _account(self, column: str, value: str) -> tuple[str, str]:
        """The account that a reference leads to, or "" and what is allowed."""
        if column in ("from_address", "to_address"):
            contact = self._addressed(value)
            return (self.contacts[contact], "") if contact else ("", "the mail address of a contact of this export")
        candidates = self._candidates(value)
        several = ""
        ourselves = ""
        for one in candidates:
            found = self._by_id(column, one)
            if found is None:
                found = self._by_name(column, one)
                several = one if found == _SEVERAL else several
            if found in self.own:
                ourselves = found or ""
            elif found:
                return found, ""
        if ourselves:
            return ourselves, ""
        if several:
            return "", f"the id of an account, deal, case or contact ({several!r} is the name of several)"
        kinds = [self.crm.prefixes.get(one[:3]) for one in candidates]
        if column == "account_id" and not self.crm.prefixes:
            return candidates[0], ""
        for one, kind in zip(candidates, kinds, strict=True):
            if kind == "account" or (column == "account_id" and kind is None):
                return one, ""
        return "", "a record that this export holds and that belongs to an account"

    def _by_id(self, column: str, one: str) -> str | None:
        if column in ("account_id", "regarding"):
            if one in self.accounts or one in self.gone or one in self.own:
                return one
            if one in self.contacts:
                return self.contacts[one]
        if column == "contact_id":
            return self.contacts.get(one)
        for kind in ("deal", "case"):
            if column in (kind, "regarding") and one in self.records[kind]:
                return self.records[kind][one]
        return None

    def _by_name(self, column: str, one: str) -> str | None:
        """The account of what bears a name; ``_SEVERAL`` if several do."""
        kinds = {"account_id": ("account", "contact"), "contact_id": ("contact",), "deal": ("deal",), "case": ("case",)}
        answer: str | None = None
        for kind in kinds.get(column, _NAMED):
            found = self.names[kind].get(_plain(one))
            if found == _SEVERAL:
                answer = _SEVERAL
            elif found is not None:
                return {"account": {}, "contact": self.contacts, **self.records}[kind].get(found, found)
        return answer

    def _candidates(self, value: str) -> list[str]:
        """The ids or names in a field: the field as a whole, else what stands between separators."""
        separator = self.crm.separator
        if not separator or separator not in value:
            return [value]
        parts = [part.strip() for part in value.split(separator) if part.strip()]
        return [*parts, value] if separator == ";" else [value, *parts]

    def _contact(self, given: Mapping[str, str], account: str) -> str:
        value = given.get("contact_id", "")
        candidates = self._candidates(value) if value else []
        for one in candidates:
            names = (self.names["contact"].get(_plain(name), "") for name in (f"{account}\0{one}", one))
            for found in (one, *names):
                if self.contacts.get(found, "") not in ("", *self.own):
                    return found
        for column in ("from_address", "to_address"):
            if contact := self._addressed(given.get(column, "")):
                return contact
        return next((one for one in candidates if self._may_be_contact(one)), "")

    def _may_be_contact(self, one: str) -> bool:
        """Whether an id or name that this export does not hold may be that of a client's contact."""
        if one in self.contacts or one in self.accounts or one in self.own or one in self.gone:
            return False
        if self.crm.separator and self.crm.separator in one:
            return False
        if self.crm.prefixes and self.crm.prefixes.get(one[:3]) != "contact":
            return False
        return not self.contacts or _looks_like_id(one)

    def _addressed(self, value: str) -> str:
        """The first contact among mail addresses, "" if none of them is one's."""
        found = (self.addresses.get(address, "") for address in _ADDRESS.findall(value.casefold()))
        return next((contact for contact in found if contact), "")


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())


def _looks_like_id(one: str) -> bool:
    return any(sign.isdigit() for sign in one) and " " not in one


def case_safe(one: str) -> str:
    """A Salesforce id of 15 characters as that of 18 which names the same record; anything else as it is.

    The three characters added say which of the others are capitals.

    >>> case_safe("001D000000IqhSL"), case_safe("Acme")
    ('001D000000IqhSLIAZ', 'Acme')
    """
    if not _SALESFORCE_ID.fullmatch(one) or sum(sign.isdigit() for sign in one) < 3:
        return one
    capitals = [sum(one[start + place].isupper() << place for place in range(5)) for start in (0, 5, 10)]
    return one + "".join(_CHECK_SIGNS[number] for number in capitals)
