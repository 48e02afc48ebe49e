"""Forgetting: a person, an account or all that is old goes from a store, or stays under a pseudonym.

Deciding what goes is ``erasing``; here it happens, in one transaction. Then the database's files are rewritten; if that
is interrupted, the same command goes on where it stopped.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import adbc_driver_manager.dbapi as adbc
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.histories.tables import TABLES
from features.sources.erasing.erasing import Remains, of_earlier, of_subject, remains
from features.sources.erasing.mentions import Mentions
from features.sources.erasing.subjects import Subject, organisation, person
from features.sources.erasing.tombstones import ERASED, add_tombstones, digest, key_of
from features.sources.files import iso
from features.sources.readers import Array
from features.sources.store import Store, read_log, refresh
from features.sources.store_connection import StoreError, execute, ingest, reading, replace_rows, select, writing
from features.sources.store_declarations import as_text, from_text
from features.sources.store_merging import into, merges
from features.sources.store_schema import BATCHES, CANONICAL_FILES, DECISIONS, ERASURES, REJECTS, TOMBSTONES, VERSIONS
from features.sources.store_scrubbing import scrub

NOBODY = Subject(frozenset(), frozenset(), frozenset(), frozenset())

Models = Sequence[Mapping[str, Any]]
"""Registered models that learned from what is erased, as a receipt lists them."""


@dataclass(frozen=True)
class Wish:
    """What is to be forgotten: one contact, one account, or all interactions before a moment (UTC seconds); with
    ``pseudonymise`` the rows stay under a pseudonym."""

    contact: str = ""
    account: str = ""
    before: int | None = None
    pseudonymise: bool = False

    def __post_init__(self) -> None:
        if sum((bool(self.contact), bool(self.account), self.before is not None)) != 1:
            raise ValueError("name one contact, one account or one date")

    @property
    def kind(self) -> str:
        """What it is, in a word or two."""
        return "contact" if self.contact else "account" if self.account else "older than"


@dataclass(frozen=True)
class Outlook:
    """What forgetting would do: rows and values by word, notes, and the accounts that lose part of their history.

    ``accounts`` are all ids under which models may have learned from them. ``done`` if it was done before.
    """

    counts: Mapping[str, int]
    notes: Sequence[str]
    accounts: frozenset[str]
    done: bool


def outlook(store: str | Path, wish: Wish) -> Outlook:
    """What forgetting would do; nothing is changed. Raises StoreError where the store knows nothing of it."""
    with reading(Store(store).url) as connection:
        work = _worked_out(connection, wish)
        done = _earlier(connection, wish) is not None
        parts = into(merges(connection))
    if not work.found and not done:
        raise StoreError(_unknown(wish))
    accounts = work.subject.touched | {parts[one] for one in work.subject.touched if one in parts}
    return Outlook(work.remains.counts, work.subject.notes, accounts, done and not work.found)


def forget(store: str | Path, wish: Wish, at: int, by: str, models: Models = ()) -> dict[str, Any]:
    """Forget, at ``at`` (UTC seconds) in the name of ``by``; returns the receipt, which names nobody.

    All of it is done or nothing. Once it is done, and only then, the files are rewritten; where that fails, calling it
    again does it. Raises StoreError.
    """
    url = Store(store).url
    with writing(url) as connection:
        work = _worked_out(connection, wish)
        earlier = _earlier(connection, wish)
        if not work.found and earlier is None:
            raise StoreError(_unknown(wish))
        if work.found:
            receipt = _receipt(connection, wish, work, at, by, models)
            _erase(connection, wish, work)
            _remember(connection, receipt, at)
        else:
            receipt = earlier or {}
    receipt["not reached"] = scrub(url, [*VERSIONS, *(one.name for one in _REWRITTEN)])
    with writing(url) as connection:
        execute(connection, f"UPDATE {ERASURES.name} SET scrubbed_at = {int(at)} WHERE scrubbed_at IS NULL")
    return receipt


_REWRITTEN = (BATCHES, REJECTS, DECISIONS, CANONICAL_FILES, ERASURES, TOMBSTONES)
"""Tables beside those of rows whose files may hold what was erased."""


@dataclass(frozen=True)
class _Work:
    subject: Subject
    remains: Remains
    rejects: pa.Table
    batches: pa.Table
    decisions: pa.Table
    found: bool


def _worked_out(connection: adbc.Connection, wish: Wish) -> _Work:
    rows = {name: select(connection, list(table.c)) for name, table in VERSIONS.items()}
    log = read_log(connection)
    own = {name: {column for batch in log for column in batch.own[name]} for name in TABLES}
    subject, quiet = NOBODY, set[str]()
    if wish.before is not None:
        masks, quiet = of_earlier(rows, wish.before)
        touched = rows["interactions"].filter(pa.array(masks["interactions"]))["account_id"].to_pylist()
        subject = replace(NOBODY, touched=frozenset(touched))
    else:
        subject = person(rows, wish.contact) if wish.contact else organisation(rows, _whole(connection, wish.account))
        masks = of_subject(rows, subject)
    left = remains(rows, masks, subject, own, wish.pseudonymise)
    left.stones["quiet"] |= quiet
    mentions = Mentions(subject.contacts | subject.accounts, subject.names)
    rejects = _rejects(connection, wish, subject, mentions, left)
    batches = _batches(connection, subject, mentions, left)
    decisions = _decisions(connection, subject, left)
    found = any(left.counts.values())
    return _Work(subject, left, rejects, batches, decisions, found)


def _whole(connection: adbc.Connection, account: str) -> set[str]:
    """An account and all that was merged into it."""
    parts = into(merges(connection))
    if account in parts:
        raise StoreError(f"{account!r} is part of {parts[account]!r}: forget that, or split the merge first")
    return {account, *(part for part, whole in parts.items() if whole == account)}


def _rejects(connection: adbc.Connection, wish: Wish, subject: Subject, mentions: Mentions, left: Remains) -> pa.Table:
    """The rejects that stay: those that hold nothing of it, and of batches accepted since."""
    rows = select(connection, list(REJECTS.c))
    gone = mentions.within(rows["value"])
    for column, ids in (("contact_id", subject.contacts), ("account_id", subject.accounts)):
        named = pc.and_(pc.match_substring(rows["column_name"], column), _is_in(rows["value"], ids))
        gone |= np.asarray(named.to_numpy())
    left.stones["value"] |= set(rows["value"].filter(pa.array(gone)).to_pylist())
    if wish.before is not None:
        log = select(connection, [BATCHES.c["batch_id"], BATCHES.c["accepted_at"]])
        old = log["batch_id"].filter(pc.less(log["accepted_at"], wish.before)).combine_chunks()
        gone |= np.asarray(pc.is_in(rows["batch_id"], old).to_numpy())
    left.counts["rejects"] = int(gone.sum())
    return _renamed(rows.filter(pa.array(~gone)), "file", mentions, left)


def _batches(connection: adbc.Connection, subject: Subject, mentions: Mentions, left: Remains) -> pa.Table:
    """The log of batches without names of sources, and ends of observation, that name the subject."""
    rows = _renamed(select(connection, list(BATCHES.c)), "source", mentions, left)
    ids = subject.contacts | subject.accounts

    def kept(ends: Mapping[str, int]) -> dict[str, int]:
        named = left.pseudonyms
        return {named.get(name, name): end for name, end in ends.items() if name in named or name not in ids}

    declared = []
    for text in rows["declared"].to_pylist():
        one = from_text(text)
        dataset = replace(one.dataset, observed_until_by=kept(one.dataset.observed_until_by))
        declared.append(as_text(replace(one, dataset=dataset, ends=None if one.ends is None else kept(one.ends))))
    return rows.set_column(rows.column_names.index("declared"), "declared", pa.array(declared, pa.string()))


def _renamed(rows: pa.Table, column: str, mentions: Mentions, left: Remains) -> pa.Table:
    named = mentions.within(rows[column])
    left.stones["value"] |= set(rows[column].filter(pa.array(named)).to_pylist())
    left.counts["texts emptied"] += int(named.sum())
    values = pc.if_else(pa.array(named), pa.scalar(ERASED), rows[column])
    return rows.set_column(rows.column_names.index(column), column, values)


def _decisions(connection: adbc.Connection, subject: Subject, left: Remains) -> pa.Table:
    """The decisions about accounts: those about erased ones go, or tell of their pseudonyms."""
    rows = select(connection, list(DECISIONS.c))
    gone = _is_in(rows["account_id"], subject.accounts) | _is_in(rows["into_id"], subject.accounts)
    left.counts["decisions"] = int(gone.sum())
    if not left.pseudonyms:
        return rows.filter(pa.array(~gone))
    for column in ("account_id", "into_id"):
        values = [left.pseudonyms.get(one, one) for one in rows[column].to_pylist()]
        rows = rows.set_column(rows.column_names.index(column), column, pa.array(values, pa.string()))
    return rows


def _is_in(values: pa.ChunkedArray, wanted: Collection[str]) -> Array:
    return np.asarray(pc.is_in(values, pa.array(sorted(wanted), pa.string())).to_numpy())


def _erase(connection: adbc.Connection, wish: Wish, work: _Work) -> None:
    for name, rows in work.remains.rows.items():
        replace_rows(connection, VERSIONS[name], rows)
    replace_rows(connection, REJECTS, work.rejects)
    replace_rows(connection, BATCHES, work.batches)
    replace_rows(connection, DECISIONS, work.decisions)
    stones = work.remains.stones
    stones["contact"] |= work.subject.contacts
    stones["account"] |= work.subject.accounts
    add_tombstones(connection, stones, wish.before)
    refresh(connection)


def _receipt(connection: adbc.Connection, wish: Wish, work: _Work, at: int, by: str, models: Models) -> dict[str, Any]:
    return {
        "forgotten": wish.kind,
        **_told(connection, wish),
        "how": "pseudonymised" if wish.pseudonymise else "removed",
        "at": iso(at),
        "by": by,
        "counts": {word: number for word, number in sorted(work.remains.counts.items()) if number},
        "models that learned from it": list(models),
    }


def _told(connection: adbc.Connection, wish: Wish) -> dict[str, str | None]:
    """What was forgotten, by which the receipt is found again: a keyed digest of the id, or the date."""
    if wish.before is not None:
        return {"before": iso(wish.before)}
    return {"digest": digest(key_of(connection), f"receipt {wish.kind}", wish.contact or wish.account)}


def _earlier(connection: adbc.Connection, wish: Wish) -> dict[str, Any] | None:
    """The receipt of the last time that the same was forgotten."""
    told = _told(connection, wish)
    rows = select(connection, list(ERASURES.c)).sort_by("number")
    receipts: list[dict[str, Any]] = [json.loads(text) for text in rows["receipt"].to_pylist()]
    same = [one for one in receipts if one["forgotten"] == wish.kind and told.items() <= one.items()]
    return same[-1] if same else None


def _remember(connection: adbc.Connection, receipt: Mapping[str, Any], at: int) -> None:
    number = len(select(connection, [ERASURES.c["number"]])) + 1
    entry = {"number": [number], "erased_at": [at], "receipt": [json.dumps(receipt)]}
    ingest(connection, ERASURES, pa.table(entry))


def _unknown(wish: Wish) -> str:
    if wish.before is not None:
        return f"the store holds no interaction before {iso(wish.before)}"
    return f"the store holds nothing of a {wish.kind} {wish.contact or wish.account!r}"
