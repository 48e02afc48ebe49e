"""A History: everything known of one or many accounts, as sorted arrays.

Built from canonical tables (batch) or from one request's records by the same code, so that both give the same numbers.
Rows keep both kinds of time: when things happened (``at``) and from when they may be used (``known``,
``outcome_known``); ``visibility`` turns that into what was known at t.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.histories.columns import OWN_PREFIX
from features.histories.log import NEVER, Array, Log, rows_where
from features.histories.tables import (
    ACCOUNTS,
    CONTACTS,
    DEALS,
    INTERACTIONS,
    STAGE_REVIEWS,
    Column,
    Dataset,
    Table,
    Tables,
    settle_records,
)

_MISSING: dict[str, Any] = {
    "time": NEVER,
    "int": float("nan"),
    "float": float("nan"),
    "bool": np.int8(-1),
    "category": np.int8(-1),
    "id": np.int32(-1),
}
"""The value that stands for "not given", by column type."""

CODED_TEXT = ("time_zone", "topic", "interests", "lost_to")
"""Free text that is kept, as codes like an id's; ``History.names`` holds the texts. Other free text is not kept."""

_SAME_CODES = {"related_contact_id": "contact_id"}
"""Columns whose ids are those of another table's column: both get the same codes."""

TIME_OF = {"interactions": "at", "deals": "opened_at", "stage_reviews": "at"}
"""The column that says when a row's event happened (accounts and contacts hold since ``valid_from`` instead)."""

_OUTCOME_AT = {"interactions": "resolved_at", "deals": "closed_at"}

_NAMES = {"about_id": "interaction_id"}
"""Columns whose ids are those of another column of their table: both get the same codes."""


@dataclass(frozen=True)
class History:
    """The tables of some accounts as arrays; every log has one segment per entry of ``owner``.

    ``accounts`` holds the account ids by code, ``owner`` int32 (segments,) each segment's account: a history as read
    has one segment per account; ``visibility.as_known`` adds one for each moment that needs its own. ``names`` holds
    the texts of each column of ``CODED_TEXT`` by code.
    """

    accounts: Sequence[str]
    owner: Array
    interactions: Log
    deals: Log
    contacts: Log
    attributes: Log
    reviews: Log
    dataset: Dataset
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @classmethod
    def from_tables(cls, tables: Tables) -> History:
        """A history of all accounts of canonical tables (as ``read_tables`` gives them)."""
        accounts = sorted(set(pc.unique(tables.accounts["account_id"]).to_pylist()))
        contacts = pc.unique(tables.contacts["contact_id"]).to_pylist()
        known_ids = {"account_id": _codes(accounts), "contact_id": _codes(contacts)}
        names: dict[str, Sequence[str]] = {}

        def log(table: Table, frame: pa.Table) -> Log:
            # The names of the key column are asked for twice where rows name other rows, else not at all.
            named = set(_NAMES.values()) & set(frame.column_names)
            keys = {name: cache(partial(_encoded, frame[name])) for name in named}

            def maker(column: Column) -> Callable[[], Array]:
                if column.name in _NAMES:
                    return partial(_of_other_rows, frame[column.name], keys[_NAMES[column.name]])
                if column.name in keys:
                    return partial(_places, keys[column.name])
                if column.name in CODED_TEXT:
                    names[column.name] = pc.unique(frame[column.name]).drop_null().to_pylist()
                    known_ids[column.name] = _codes(names[column.name])
                known = known_ids.get(_SAME_CODES.get(column.name, column.name))
                return partial(_from_arrow, column, frame[column.name], known)

            columns = {
                column.name: maker(column)
                for column in table.columns
                if column.name in frame.column_names and _kept(column) and frame[column.name].null_count < len(frame)
            }
            for name in frame.column_names:
                if name.startswith(OWN_PREFIX) and pa.types.is_floating(frame[name].type):
                    columns[name] = partial(_from_arrow, Column(name, "float", ""), frame[name], None)
            return _grouped(table, columns, len(accounts), table.name in tables.dataset.versioned)

        return cls(
            accounts,
            np.arange(len(accounts), dtype=np.int32),
            log(INTERACTIONS, tables.interactions),
            log(DEALS, tables.deals),
            log(CONTACTS, tables.contacts),
            log(ACCOUNTS, tables.accounts),
            log(STAGE_REVIEWS, tables.stage_reviews),
            tables.dataset,
            names,
        )

    @classmethod
    def from_records(cls, document: Mapping[str, Sequence[Mapping[str, Any]]], dataset: Dataset) -> History:
        """A history from rows that ``tables.check_records`` has converted, by table name.

        Accounts that only other tables name are taken in; rows may come in any order and more than once.
        """
        named = {row["account_id"] for rows in document.values() for row in rows}
        accounts = sorted(named)
        known_ids: dict[str, dict[str, int]] = {"account_id": _codes(accounts)}

        def log(table: Table) -> Log:
            rows = settle_records(table, document.get(table.name, ()))
            given = set().union(*rows) if rows else set()
            columns = {
                column.name: partial(_from_values, column, rows, known_ids)
                for column in table.columns
                if column.name in given and _kept(column)
            }
            for name in given:
                if name.startswith(OWN_PREFIX):
                    columns[name] = partial(_own_numbers, name, rows)
            for name in given.intersection(CODED_TEXT):
                known_ids[name] = _codes(list(dict.fromkeys(row[name] for row in rows if name in row)))
            return _grouped(table, columns, len(accounts), versioned=True)

        owner = np.arange(len(accounts), dtype=np.int32)
        contacts, attributes, reviews = log(CONTACTS), log(ACCOUNTS), log(STAGE_REVIEWS)
        interactions, deals = log(INTERACTIONS), log(DEALS)
        names = {name: list(known_ids[name]) for name in CODED_TEXT if name in known_ids}
        return cls(accounts, owner, interactions, deals, contacts, attributes, reviews, dataset, names)

    @property
    def segments(self) -> int:
        """How many segments (accounts, or accounts as known at a moment) there are."""
        return len(self.owner)

    def part(self, first: int, last: int) -> History:
        """Segments first..last-1 (account codes stay those of the whole)."""
        if (first, last) == (0, self.segments):
            return self
        return History(
            self.accounts,
            self.owner[first:last],
            self.interactions.part(first, last),
            self.deals.part(first, last),
            self.contacts.part(first, last),
            self.attributes.part(first, last),
            self.reviews.part(first, last),
            self.dataset,
            self.names,
        )


def code(table: Table, column: str, *values: str) -> list[int]:
    """The codes of category values, by their place in the column's vocabulary.

    >>> code(INTERACTIONS, "actor", "us")
    [1]
    """
    return [table.column[column].allowed.index(value) for value in values]


def _kept(column: Column) -> bool:
    return column.type in _MISSING or column.name in CODED_TEXT


def _codes(names: Sequence[str]) -> dict[str, int]:
    return {name: place for place, name in enumerate(names)}


def _from_arrow(column: Column, values: pa.ChunkedArray, known: dict[str, int] | None) -> Array:
    if column.type == "time":
        # Parquet keeps no whole seconds: they come back as milliseconds.
        seconds = values.cast(pa.timestamp("s", tz="UTC")).cast(pa.int64())
        return np.asarray(pc.fill_null(seconds, NEVER).to_numpy())
    if column.type in ("int", "float"):
        return np.asarray(pc.fill_null(values.cast(pa.float64()), float("nan")).to_numpy())
    if column.type == "bool":
        return np.asarray(pc.fill_null(values.cast(pa.int8()), -1).to_numpy())
    names, places = _encoded(values)
    lookup = _codes(column.allowed) if column.type == "category" else known
    if lookup is None:
        return places
    dtype: type = np.int8 if column.type == "category" else np.int32
    codes: Array = np.array([lookup[name] for name in names.to_pylist()] + [-1], dtype=dtype)
    return codes[places]


def _encoded(values: pa.ChunkedArray) -> tuple[pa.Array, Array]:
    """The distinct values, and int32 (rows,) the place of each row's value among them (-1 if it has none)."""
    encoded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    chunks = encoded.unify_dictionaries().chunks
    if not chunks:
        return pa.array([], pa.string()), np.empty(0, np.int32)
    places = [pc.fill_null(chunk.indices.cast(pa.int32()), -1).to_numpy(zero_copy_only=False) for chunk in chunks]
    return chunks[0].dictionary, np.concatenate(places)


def _places(encoded: Callable[[], tuple[pa.Array, Array]]) -> Array:
    return encoded()[1]


def _of_other_rows(values: pa.ChunkedArray, keys: Callable[[], tuple[pa.Array, Array]]) -> Array:
    """The codes of ``values`` as the key column has them; names that no key has get codes of their own after those."""
    names, places = _encoded(values)
    own, _ = keys()
    found = pc.index_in(own, value_set=names)
    codes = np.append(np.arange(len(own), len(own) + len(names)), -1).astype(np.int32)
    named = rows_where(found.is_valid().to_numpy(zero_copy_only=False))
    codes[found.to_numpy(zero_copy_only=False)[named].astype(np.int64)] = named
    return codes[places]


def _from_values(column: Column, rows: Sequence[Mapping[str, Any]], known: dict[str, dict[str, int]]) -> Array:
    name = column.name
    if column.type == "time":
        return np.array([row.get(name, NEVER) for row in rows], dtype=np.int64)
    if column.type in ("int", "float"):
        return np.array([row.get(name, math.nan) for row in rows], dtype=np.float64)
    if column.type == "bool":
        return np.array([row.get(name, -1) for row in rows], dtype=np.int8)
    if column.type == "category":
        codes = _codes(column.allowed)
        return np.array([codes[row[name]] if name in row else -1 for row in rows], dtype=np.int8)
    names = known.setdefault((_NAMES | _SAME_CODES).get(name, name), {})
    return np.array([names.setdefault(row[name], len(names)) if name in row else -1 for row in rows], dtype=np.int32)


def _own_numbers(name: str, rows: Sequence[Mapping[str, Any]]) -> Array:
    """The numbers of a user's own column, NaN where a row has none; a number in quotes is one, as in a file."""
    column = Column(name, "float", "")
    numbers = np.full(len(rows), np.nan)
    for place, row in enumerate(rows):
        try:
            numbers[place] = column.convert(row[name]) if name in row else np.nan
        except ValueError:
            continue  # a category
    return numbers


def _grouped(table: Table, columns: Mapping[str, Callable[[], Array]], accounts: int, versioned: bool) -> Log:
    """Group rows by account (canonical order has them together) and settle from when each may be used."""
    missing = {column.name: _MISSING.get(column.type, _MISSING["id"]) for column in table.columns if _kept(column)}
    missing |= {"known": NEVER, "replaced": NEVER, "outcome_known": NEVER}
    account = columns["account_id"]() if "account_id" in columns else np.empty(0, np.int32)
    start = np.searchsorted(account, np.arange(accounts + 1))
    log = Log(start, columns, missing)
    if bool((np.diff(account) < 0).any()):
        log = log.take(np.argsort(account, kind="stable"), np.searchsorted(np.sort(account), np.arange(accounts + 1)))
    if table.name in TIME_OF:
        _settle_times(table, log, versioned)
    return log


def _settle_times(table: Table, log: Log, versioned: bool) -> None:
    """Add ``known`` (from when a row counts), ``replaced`` (until when) and ``outcome_known`` (its outcome)."""
    happened = log[TIME_OF[table.name]]
    recorded = log["recorded_at"] if "recorded_at" in log else np.full(len(log), NEVER)
    known = np.where(recorded == NEVER, happened, recorded)
    replaced = np.full(len(log), NEVER, dtype=np.int64)
    if versioned and table.key is not None:
        updated = log["updated_at"]
        version = np.where(updated == NEVER, known, updated)
        order = np.lexsort((version, log[table.key]))
        same = np.diff(log[table.key][order]) == 0
        later, earlier = order[1:][same], order[:-1][same]
        known[later] = version[later]
        replaced[earlier] = known[later]
    log["known"], log["replaced"] = known, replaced
    if table.name in _OUTCOME_AT:
        recorded_outcome = log["outcome_recorded_at"]
        resolved = log[_OUTCOME_AT[table.name]]
        fallback = np.where(resolved == NEVER, happened, resolved)
        stated = np.where(recorded_outcome == NEVER, fallback, recorded_outcome)
        log["outcome_known"] = np.maximum(stated, known)
