"""People who move from one account to another: what was between us before stays with the account of then.

Sources such as CRMs name the account that a person belongs to today. When such an export is read again after the move,
the person's earlier mails seem to have moved, too.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.histories.tables import CONTACTS, INTERACTIONS
from features.sources.settling import BEFORE_ALL_TIMES, known_moments

_Places = tuple[list[int], list[str]]


def stayed(interactions: pa.Table, contacts: pa.Table) -> pa.Table:
    """The interactions, of which later versions do not follow a person to an account that came later.

    A version names the person's account at the time of the event if an earlier version did, and if the person's rows
    say that both accounts were the person's. Any other change of account is a correction and stands.
    """
    moved = _with_several_accounts(contacts, "contact_id")
    if not len(moved) or "contact_id" not in interactions.column_names:
        return interactions
    theirs = np.flatnonzero(pc.is_in(interactions["contact_id"], moved).to_numpy())
    told = interactions.select(["interaction_id", "account_id"]).take(pa.array(theirs))
    changed_account = _with_several_accounts(told, "interaction_id")
    several = theirs[pc.is_in(told["interaction_id"], changed_account).to_numpy()]
    if not len(several):
        return interactions
    some = interactions.select(["interaction_id", "account_id", "contact_id", "at"]).take(pa.array(several))
    known = known_moments(INTERACTIONS, interactions)[several]
    places = _places(contacts, set(pc.unique(some["contact_id"]).drop_null().to_pylist()))
    ids, named, people = (some[name].to_pylist() for name in ("interaction_id", "account_id", "contact_id"))
    at = some["at"].cast(pa.int64()).to_pylist()
    seen: dict[str, set[str]] = defaultdict(set)
    changed: dict[int, str] = {}
    for row in np.lexsort((np.arange(len(several)), known)):
        told, person = named[row], places.get(people[row] or "")
        if person is not None and told in person[1]:
            then = _place_at(person, at[row])
            if then != told and then in seen[ids[row]]:
                changed[int(several[row])] = told = then
        seen[ids[row]].add(told)
    if not changed:
        return interactions
    accounts = interactions["account_id"].to_pylist()
    for row, account in changed.items():
        accounts[row] = account
    place = interactions.column_names.index("account_id")
    return interactions.set_column(place, "account_id", pa.array(accounts, pa.string()))


def _with_several_accounts(rows: pa.Table, key: str) -> pa.Array:
    """The people or events whose rows name more than one account."""
    pairs = rows.group_by([key, "account_id"]).aggregate([])
    counted = pairs.group_by(key).aggregate([("account_id", "count")])
    return counted.filter(pc.greater(counted["account_id_count"], 1))[key].combine_chunks()


def _places(contacts: pa.Table, people: Iterable[str]) -> dict[str, _Places]:
    """Of each of these people the accounts one after the other, and since when."""
    rows = contacts.filter(pc.is_in(contacts["contact_id"], pa.array(sorted(people), pa.string())))
    since = known_moments(CONTACTS, rows)
    if "valid_from" in rows.column_names:
        valid = pc.fill_null(rows["valid_from"].cast(pa.int64()), BEFORE_ALL_TIMES).to_numpy()
        since = np.where(valid != BEFORE_ALL_TIMES, valid, since)
    names, accounts = rows["contact_id"].to_pylist(), rows["account_id"].to_pylist()
    told: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for name, begin, account in zip(names, since.tolist(), accounts, strict=True):
        told[name].append((begin, account))
    return {
        name: ([begin for begin, _ in sorted(found)], [account for _, account in sorted(found)])
        for name, found in told.items()
    }


def _place_at(places: _Places, at: int) -> str:
    since, accounts = places
    return accounts[max(bisect_right(since, at) - 1, 0)]
