"""The tables as they stood at a moment: every row, version and outcome that came to be known later is taken out.

For the leak audit: a figure that used nothing later than t comes out the same, bit for bit, from tables that hold
nothing later than t. The cut is made on the tables themselves. It shares no step with the room that hides the future
from the indicators (``features.histories.visibility``), only its list of what a row tells once its outcome is known.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.histories.columns import Table
from features.histories.history import CODED_TEXT, TIME_OF
from features.histories.log import NEVER, Array
from features.histories.tables import ACCOUNTS, CONTACTS, INTERACTIONS, TABLES, Tables
from features.histories.visibility import OUTCOME_COLUMNS

_ENDED_AT = {"interactions": "resolved_at", "deals": "closed_at"}
"""When an event came to its outcome."""

_EVER = -NEVER


class Past:
    """Canonical tables that can be cut at any moment; without ``texts`` their free texts, which no figure reads, are
    left out."""

    def __init__(self, tables: Tables, texts: bool = False) -> None:
        self._dataset = tables.dataset
        self._rows = {
            name: getattr(tables, name) if texts else _without_texts(table, getattr(tables, name))
            for name, table in TABLES.items()
        }
        self._known = {
            name: _known(table, self._rows[name], name in tables.dataset.versioned) for name, table in TABLES.items()
        }

    def at(self, t: int, accounts: Collection[str] | None = None) -> Tables:
        """What a copy of the tables made at t (UTC seconds) would have held, of some accounts or of all.

        Ids of accounts stay, without any value where nothing was known yet, so that sums run in the same order as over
        the whole; so do ids of contacts that a remaining row names, as the import makes sure. What the data set
        declares of itself stays, but for its end of observation, which is t at the latest.
        """
        rows = {name: self._kept(table, t, accounts) for name, table in TABLES.items()}
        ids = self._rows[ACCOUNTS.name]["account_id"].unique() if accounts is None else pa.array(sorted(accounts))
        rows[ACCOUNTS.name] = _with_ids(rows[ACCOUNTS.name], pa.table({"account_id": ids}), "account_id")
        named = _named_contacts(rows[INTERACTIONS.name])
        rows[CONTACTS.name] = _with_ids(rows[CONTACTS.name], named, "contact_id")
        until = self._dataset.observed_until
        dataset = replace(
            self._dataset,
            observed_until=None if until is None else min(until, t),
            observed_until_by={name: min(end, t) for name, end in self._dataset.observed_until_by.items()},
            span=None,
        )
        return Tables(**rows, dataset=dataset)

    def _kept(self, table: Table, t: int, accounts: Collection[str] | None) -> pa.Table:
        """The rows known at t; outcomes that were not known yet are empty."""
        whole, known = self._rows[table.name], self._known[table.name]
        keep = known <= t
        if accounts is not None:
            keep &= pc.is_in(whole["account_id"], pa.array(sorted(accounts), pa.string())).to_numpy()
        rows = whole.filter(pa.array(keep))
        if table.name in _ENDED_AT:
            happened = TIME_OF[table.name]
            told = np.maximum(_first_given(rows, ("outcome_recorded_at", _ENDED_AT[table.name], happened)), known[keep])
            seen = pa.array(np.arange(len(rows)), mask=told > t)
            for name in (_ENDED_AT[table.name], *OUTCOME_COLUMNS[table.name]):
                if name in rows.column_names:
                    rows = rows.set_column(rows.column_names.index(name), name, rows[name].take(seen))
        return rows


def until(tables: Tables, t: int) -> Tables:
    """The tables as a copy of them made at t (UTC seconds) would have been, as a data set of its own: observed until
    t, with a hash that tells it from the whole."""
    cut = Past(tables, texts=True).at(t)
    whole = tables.dataset
    span = None if whole.span is None else (min(whole.span[0], t), min(whole.span[1], t))
    end = whole.observed_until
    if end is None and whole.span is not None:
        end = whole.span[1]
    digest = hashlib.sha256(f"{whole.sha256} until {t}".encode()).hexdigest()
    return replace(
        cut, dataset=replace(cut.dataset, observed_until=t if end is None else min(end, t), span=span, sha256=digest)
    )


def _without_texts(table: Table, rows: pa.Table) -> pa.Table:
    texts = {column.name for column in table.columns if column.type == "text"} - set(CODED_TEXT)
    return rows.drop_columns([name for name in rows.column_names if name in texts])


def _known(table: Table, rows: pa.Table, versioned: bool) -> Array:
    """int64 (rows,): from when each row was known.

    Values of accounts and contacts: from when they held and were last changed, else recorded. Of events the first
    version on file counts from when it was recorded, else from when it happened, and a later one from its change on.
    """
    if table in (ACCOUNTS, CONTACTS):
        return np.maximum(_first_given(rows, ("valid_from",)), _first_given(rows, ("updated_at", "recorded_at")))
    known = _first_given(rows, ("recorded_at", TIME_OF[table.name]))
    if versioned and table.key is not None:
        changed = _first_given(rows, table.known)
        key = rows[table.key].combine_chunks().dictionary_encode().indices.to_numpy()
        order = np.lexsort((changed, key))
        later = order[1:][np.diff(key[order]) == 0]
        known[later] = changed[later]
    return known


def _first_given(rows: pa.Table, names: Collection[str]) -> Array:
    """int64 (rows,): the first of some times that a row gives, in seconds; before all time where it gives none."""
    columns = [rows[name].cast(pa.int64()) for name in names if name in rows.column_names]
    if not columns:
        return np.full(len(rows), _EVER)
    return np.array(pc.coalesce(*columns, pa.scalar(_EVER)).to_numpy())


def _named_contacts(interactions: pa.Table) -> pa.Table:
    """The contacts that interactions name, each with an account that does."""
    pairs = [
        pa.table({"contact_id": interactions[name], "account_id": interactions["account_id"]})
        for name in ("contact_id", "related_contact_id")
        if name in interactions.column_names
    ]
    if not pairs:
        return pa.table({"contact_id": pa.array([], pa.string()), "account_id": pa.array([], pa.string())})
    named = pa.concat_tables(pairs).group_by("contact_id").aggregate([("account_id", "min")])
    named = named.rename_columns({"account_id_min": "account_id"})
    return named.filter(named["contact_id"].is_valid())


def _with_ids(rows: pa.Table, named: pa.Table, key: str) -> pa.Table:
    """The rows, and one without values for each named thing that they do not hold."""
    missing = named.filter(pc.invert(pc.is_in(named[key], rows[key].combine_chunks())))
    return pa.concat_tables([rows, missing], promote_options="default")
