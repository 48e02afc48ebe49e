"""Decisions that accounts are one: merges, and splits that undo them, kept in the store beside the rows.

Rows stay as they came; the canonical tables are made as the decisions say that are in force. So a split restores what
was before a merge, and what was known before a decision is read without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import adbc_driver_manager.dbapi as adbc
import pyarrow as pa

from features.histories.tables import TABLES
from features.sources.store_connection import StoreError, ingest, select
from features.sources.store_schema import DECISIONS, VERSIONS


@dataclass(frozen=True)
class Merge:
    """A merge in force: ``accounts`` are ``into`` since ``decided_at`` (UTC seconds), as ``decided_by`` said."""

    merge_id: int
    into: str
    accounts: Sequence[str]
    decided_at: int
    decided_by: str


def merges(connection: adbc.Connection, known_by: int | None = None) -> list[Merge]:
    """The merges in force, or those in force at a moment, in the order in which they were decided."""
    found: dict[int, Merge] = {}
    for rows in _decisions(connection, known_by).values():
        first = rows[0]
        if first["into_id"] is None:
            found.pop(first["merge_id"], None)
        else:
            accounts = [row["account_id"] for row in rows]
            found[first["merge_id"]] = Merge(
                first["merge_id"], first["into_id"], accounts, first["decided_at"], first["decided_by"]
            )
    return list(found.values())


def into(merged: Iterable[Merge]) -> dict[str, str]:
    """Account → the account that it is by these merges, through all of them.

    >>> into([Merge(1, "b", ["a"], 0, "ann"), Merge(2, "c", ["b"], 0, "ann")])
    {'a': 'c', 'b': 'c'}
    """
    step = {account: merge.into for merge in merged for account in merge.accounts}
    found = {}
    for account, whole in step.items():
        while whole in step:
            whole = step[whole]
        found[account] = whole
    return found


def merge(connection: adbc.Connection, keep: str, others: Sequence[str], at: int, by: str) -> Merge:
    """Decide that ``others`` are ``keep`` from now on. Raises StoreError for accounts that are not there, or that are
    part of another one already."""
    others = list(dict.fromkeys(others))
    if not others or keep in others:
        raise StoreError("name the account to keep, and then at least one other that is to become part of it")
    parts = into(merges(connection))
    for account in (keep, *others):
        if account in parts:
            raise StoreError(f"{account!r} is part of {parts[account]!r} already; name that, or split the merge first")
    missing = sorted({keep, *others} - _accounts(connection))
    if missing:
        raise StoreError(f"the store holds no account {', '.join(map(repr, missing))}")
    number, moment = _next(connection, at)
    decided = Merge(number, keep, others, moment, by)
    _write(connection, number, number, dict.fromkeys(others, keep), moment, by)
    return decided


def split(connection: adbc.Connection, merge_id: int, at: int, by: str) -> Merge:
    """Undo a merge; returns it. Raises StoreError where none of that number is in force."""
    in_force = {one.merge_id: one for one in merges(connection)}
    if merge_id not in in_force:
        there = ", ".join(map(str, in_force)) or "none"
        raise StoreError(f"there is no merge {merge_id} in force; in force: {there}")
    number, moment = _next(connection, at)
    _write(connection, number, merge_id, dict.fromkeys(in_force[merge_id].accounts), moment, by)
    return in_force[merge_id]


def _decisions(connection: adbc.Connection, known_by: int | None) -> Mapping[int, list[dict[str, Any]]]:
    where = "" if known_by is None else f"WHERE decided_at <= {known_by}"
    found: dict[int, list[dict[str, Any]]] = {}
    for row in select(connection, list(DECISIONS.c), where).to_pylist():
        found.setdefault(row["number"], []).append(row)
    return {number: found[number] for number in sorted(found)}


def _next(connection: adbc.Connection, at: int) -> tuple[int, int]:
    """The number of the next decision and when it falls: never before the last one."""
    rows = [row for rows in _decisions(connection, None).values() for row in rows]
    number = max((row["number"] for row in rows), default=0) + 1
    return number, max([at, *(row["decided_at"] for row in rows)])


def _accounts(connection: adbc.Connection) -> set[str]:
    """All accounts that any row names, whatever they are part of."""
    found: set[str] = set()
    for name, table in TABLES.items():
        for column in ("account_id", "related_account_id"):
            if column in table.column:
                values = select(connection, [VERSIONS[name].c[column]])[column]
                found |= set(values.unique().to_pylist())
    return found - {None}


def _write(
    connection: adbc.Connection, number: int, merge_id: int, accounts: Mapping[str, str | None], at: int, by: str
) -> None:
    rows = len(accounts)
    columns = {
        "number": pa.repeat(pa.scalar(number, pa.int64()), rows),
        "merge_id": pa.repeat(pa.scalar(merge_id, pa.int64()), rows),
        "account_id": pa.array(list(accounts), pa.string()),
        "into_id": pa.array(list(accounts.values()), pa.string()),
        "decided_at": pa.repeat(pa.scalar(at, pa.int64()), rows),
        "decided_by": pa.repeat(pa.scalar(by), rows),
    }
    ingest(connection, DECISIONS, pa.table(columns))
