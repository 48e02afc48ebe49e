"""Who or what is to be erased: the ids, addresses and names under which a store knows a person or an account."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from features.histories.tables import TABLES

Rows = Mapping[str, pa.Table]
"""All versions of all rows by table, as the store holds them."""


@dataclass(frozen=True)
class Subject:
    """What is erased: everything of these contacts (``contacts``: ids and addresses) and of these accounts.

    ``names`` are looked for in texts. ``touched``: the accounts whose history loses something. ``notes``: what a user
    should know.
    """

    contacts: frozenset[str]
    accounts: frozenset[str]
    names: frozenset[str]
    touched: frozenset[str]
    notes: tuple[str, ...] = ()


def person(rows: Rows, contact: str) -> Subject:
    """Somebody known as ``contact``, and whatever else the same person is known as.

    An address is somebody's if no two contacts have it; whom a mailbox knows by it is then the same person, and
    so is an account that is nothing but the address.
    """
    addresses_of, owners_of = _addresses(rows["contacts"])
    known, addresses, shared = {contact}, set[str](), set[str]()
    waiting = [contact]
    while waiting:
        one = waiting.pop()
        own = set(addresses_of.get(one, ())) | ({one.casefold()} if "@" in one else set())
        for address in own - addresses - shared:
            owners = owners_of.get(address, set())
            if len(owners) > 1:
                shared.add(address)
                continue
            addresses.add(address)
            waiting += owners - known
            known |= owners
    contacts = known | _spelt(rows, ("contacts", "interactions"), "contact_id", addresses) | addresses
    accounts = _spelt(rows, TABLES, "account_id", addresses)
    mine = pc.is_in(rows["contacts"]["contact_id"], _texts(contacts))
    names = set(rows["contacts"].filter(mine)["name"].to_pylist()) - {None}
    touched = _accounts_of(rows, contacts) | accounts
    notes = [
        f"{address} is the address of {len(owners_of[address])} contacts and stays with the others"
        for address in sorted(shared)
    ]
    return Subject(frozenset(contacts), frozenset(accounts), frozenset(names), frozenset(touched), tuple(notes))


def organisation(rows: Rows, accounts: Collection[str]) -> Subject:
    """One or more accounts, and the people who belong to no other."""
    gone = _texts(accounts)
    people = set[str]()
    elsewhere = set[str]()
    for name in ("contacts", "interactions"):
        there = pc.is_in(rows[name]["account_id"], gone)
        people |= set(rows[name].filter(there)["contact_id"].to_pylist())
        elsewhere |= set(rows[name].filter(pc.invert(there))["contact_id"].to_pylist())
    own = people - elsewhere - {None}
    addresses_of, owners_of = _addresses(rows["contacts"])
    addresses = {address for one in own for address in addresses_of.get(one, ()) if owners_of[address] <= own}
    names: set[str | None] = set()
    for table, key, ids in (("contacts", "contact_id", own), ("accounts", "account_id", set(accounts))):
        names |= set(rows[table].filter(pc.is_in(rows[table][key], _texts(ids)))["name"].to_pylist())
    told = frozenset(name for name in names if name)
    return Subject(frozenset(own | addresses), frozenset(accounts), told, frozenset(accounts))


def _addresses(contacts: pa.Table) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """The addresses of each contact, and the contacts that have each address; without those that are the address."""
    addresses: dict[str, set[str]] = defaultdict(set)
    owners: dict[str, set[str]] = defaultdict(set)
    told = contacts.select(["contact_id", "email"]).filter(pc.is_valid(contacts["email"]))
    for contact, email in zip(told["contact_id"].to_pylist(), told["email"].to_pylist(), strict=True):
        address = email.strip().casefold()
        addresses[contact].add(address)
        owners[address] |= {contact} if contact.casefold() != address else set()
    return addresses, owners


def _values(rows: Rows, tables: Collection[str], column: str) -> set[str]:
    return {value for name in tables for value in pc.unique(rows[name][column]).to_pylist() if value is not None}


def _spelt(rows: Rows, tables: Collection[str], column: str, addresses: Collection[str]) -> set[str]:
    """The values of a column that are one of these addresses, in whatever letters."""
    return {value for value in _values(rows, tables, column) if value.casefold() in addresses}


def _accounts_of(rows: Rows, contacts: Collection[str]) -> set[str]:
    found: set[str] = set()
    for name in ("contacts", "interactions"):
        found |= set(rows[name].filter(pc.is_in(rows[name]["contact_id"], _texts(contacts)))["account_id"].to_pylist())
    return found


def _texts(values: Collection[str]) -> pa.Array:
    return pa.array(sorted(values), pa.string())
