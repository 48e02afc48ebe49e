"""One person under two ids: the mail address by which a mailbox knows somebody, and the id that a CRM gives."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.histories.batch_checks import distinct

_Person = tuple[str, str]
"""An account and a contact's id or address there."""


def listed_people(contacts: pa.Table) -> dict[_Person, str]:
    """By account and address (in small letters): the id of the one contact there who has this address."""
    if "email" not in contacts.column_names:
        return {}
    having: dict[_Person, set[str]] = defaultdict(set)
    rows = contacts.select(["account_id", "email", "contact_id"]).filter(pc.is_valid(contacts["email"]))
    for row in rows.to_pylist():
        address = row["email"].strip().casefold()
        if row["contact_id"].casefold() != address:
            having[row["account_id"], address].add(row["contact_id"])
    return {person: ids.pop() for person, ids in having.items() if len(ids) == 1}


def under_listed_ids(
    contacts: pa.Table, interactions: pa.Table, listed: Mapping[_Person, str]
) -> tuple[pa.Table, pa.Table]:
    """Both tables with contacts that are known by their address only under the ids that ``listed`` gives them.

    The rows of contacts under the address are left out, for the listed contact has rows of its own.
    """
    ids = _renamed(contacts, "contact_id", listed)
    contacts = contacts.filter(pc.equal(ids, contacts["contact_id"]))
    for name in ("contact_id", "related_contact_id"):
        if name in interactions.column_names:
            place = interactions.column_names.index(name)
            interactions = interactions.set_column(place, name, _renamed(interactions, name, listed))
    return contacts, interactions


def _renamed(rows: pa.Table, name: str, listed: Mapping[_Person, str]) -> pa.ChunkedArray:
    addresses = np.flatnonzero(pc.fill_null(pc.match_substring(rows[name], "@"), False).to_numpy())
    if not len(addresses):
        return rows[name]
    pairs = rows.select(["account_id", name]).take(pa.array(addresses))
    first, pair_of = distinct(pairs)
    new = [listed.get((account, one.casefold()), one) for account, one in _pairs(pairs.take(pa.array(first)))]
    mask = np.zeros(len(rows), dtype=bool)
    mask[addresses] = True
    replacement = pa.array(new, pa.string()).take(pa.array(pair_of))
    return pa.chunked_array([pc.replace_with_mask(rows[name].combine_chunks(), pa.array(mask), replacement)])


def _pairs(rows: pa.Table) -> list[tuple[str, str]]:
    return list(zip(rows.column(0).to_pylist(), rows.column(1).to_pylist(), strict=True))
