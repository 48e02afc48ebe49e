"""From checked rows in any order to canonical ones: each version of a thing once, sorted.

The whole-column counterpart of ``checks.settle_records``.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.histories.batch_checks import distinct, encoded, indices
from features.histories.columns import Table
from features.sources.readers import Array

LARGEST_STRINGS = 1 << 30
"""Bytes of a free text column from which on 32-bit offsets may not do."""

BEFORE_ALL_TIMES = -(1 << 62)
"""The known moment of rows that say none."""


@dataclass(frozen=True)
class Settled:
    """The rows, which of them stay and in what order (int64 indices), and what was dropped.

    ``repeated`` rows said again what another says; ``conflicting`` ones claimed the same id and known moment as another
    with other content; ``versions`` counts rows that stay beside an earlier version of the same thing.
    """

    rows: pa.Table
    order: Array
    repeated: int
    conflicting: int
    versions: int

    def kept(self, names: Container[str]) -> pa.Table:
        """The rows that stay, in canonical order, with those of these columns that there are."""
        present = [name for name in self.rows.column_names if name in names]
        return self.rows.select(present).take(pa.array(self.order))


def settle(table: Table, rows: pa.Table) -> Settled:
    """Drop repetitions, decide between conflicting rows and put the rest in canonical order.

    The result depends on the set of rows only, not on their order. Of conflicting rows the first in the order of
    contents stays (column by column, known values before unknown ones).
    """
    settled = each_once(table, rows)
    return replace(settled, order=_ordered(table, settled.rows, settled.order))


def each_once(table: Table, rows: pa.Table) -> Settled:
    """As ``settle``, but with the rows that stay in the order in which they came."""
    rows = _in_one_piece(table, rows)
    if table.key is None:
        kept, _ = distinct(rows)
        return Settled(rows, np.sort(kept), len(rows) - len(kept), 0, 0)
    keys = indices(encoded(rows[table.key]))
    shared = np.flatnonzero(np.bincount(keys)[keys] > 1) if len(keys) else keys
    dropped, repeated = _dropped(table, rows, shared)
    keep = np.ones(len(rows), dtype=bool)
    keep[dropped] = False
    kept = np.flatnonzero(keep)
    versions = len(kept) - len(np.unique(keys[kept])) if len(shared) else 0
    return Settled(rows, kept, repeated, len(dropped) - repeated, versions)


def _dropped(table: Table, rows: pa.Table, shared: Array) -> tuple[Array, int]:
    """Of rows that share their id with another, the indices of those to drop, and how many of them are repetitions."""
    identity = [name for name in (table.key, *table.identity) if name in rows.column_names]
    versions = rows.select(identity).append_column(" known", pa.array(known_moments(table, rows)))
    first, version = distinct(versions.take(pa.array(shared)))
    model = shared[first][version]
    repeats = same_contents(rows, shared, model) & (shared != model)
    others = np.flatnonzero((shared != model) & ~repeats)
    disputed = np.flatnonzero(np.isin(version, version[others]) & ~repeats)
    lost, more_repeats = _lost(table, rows.take(pa.array(shared[disputed])), version[disputed])
    return np.concatenate((shared[repeats], shared[disputed][lost])), int(repeats.sum()) + more_repeats


def same_contents(rows: pa.Table, one: Array, other: Array) -> Array:
    """bool (n,): whether the rows at two lists of indices hold the same in every column."""
    same = pa.repeat(pa.scalar(True), len(one))
    for column in rows.columns:
        values = column.combine_chunks()
        values = values.indices if pa.types.is_dictionary(values.type) else values
        left, right = values.take(pa.array(one)), values.take(pa.array(other))
        equal = pc.coalesce(pc.equal(left, right), pc.and_(left.is_null(), right.is_null()))
        same = pc.and_(same, equal)
    return np.asarray(same.to_numpy(zero_copy_only=False))


def _lost(table: Table, rows: pa.Table, version: Array) -> tuple[Array, int]:
    """Of rows of which several claim each version, the places of all but one, and how many of those are repetitions."""
    contents = _decoded(rows)
    first, _ = distinct(contents)
    contents = contents.take(pa.array(first)).append_column(" version", pa.array(version[first]))
    by_content = [(name, "ascending", "at_end") for name in (" version", *_content_columns(table, rows))]
    ranked = first[pc.sort_indices(contents, sort_keys=by_content).to_numpy()]
    chosen = ranked[np.concatenate(([True], np.diff(version[ranked]) != 0))] if len(ranked) else ranked
    return np.setdiff1d(np.arange(len(version)), chosen), len(version) - len(first)


def _content_columns(table: Table, rows: pa.Table) -> list[str]:
    own = sorted(name for name in rows.column_names if name not in table.column)
    return [column.name for column in table.columns if column.name in rows.column_names] + own


def _ordered(table: Table, rows: pa.Table, kept: Array) -> Array:
    """The indices ``kept`` in canonical order: order columns, then key and known moment, else all contents."""
    names = [name for name in table.order if name in rows.column_names]
    places = [_rank(rows[name])[kept] for name in names]
    order = np.lexsort(places[::-1])
    kept = kept[order]
    same = np.ones(max(len(kept) - 1, 0), dtype=bool)
    for place in places:
        same &= np.diff(place[order]) == 0
    group = np.cumsum(np.concatenate(([0], ~same))) if len(kept) else kept
    tied = np.flatnonzero(np.concatenate((same, [False])) | np.concatenate(([False], same))) if len(kept) else kept
    if not len(tied):
        return kept
    index = pa.array(kept[tied])
    if table.key is None:
        ties = _decoded(rows.take(index))
        sort_keys = [(name, "ascending", "at_end") for name in _content_columns(table, rows)]
    else:
        known = pa.array(known_moments(table, rows)[kept[tied]])
        ties = pa.table({"key": rows[table.key].take(index), "known": known})
        sort_keys = [("key", "ascending", "at_end"), ("known", "ascending", "at_end")]
    ties = ties.append_column(" group", pa.array(group[tied]))
    kept[tied] = kept[tied][pc.sort_indices(ties, sort_keys=[(" group", "ascending", "at_end"), *sort_keys]).to_numpy()]
    return kept


def _in_one_piece(table: Table, rows: pa.Table) -> pa.Table:
    for place, name in enumerate(rows.column_names):
        column = rows.column(place)
        free_text = name in table.column and table.column[name].type == "text"
        if free_text and column.nbytes > LARGEST_STRINGS:
            column = column.cast(pa.large_string())
        rows = rows.set_column(place, name, column.combine_chunks())
    return rows


def _decoded(rows: pa.Table) -> pa.Table:
    """The rows with categories as strings, for sorting."""
    for place, name in enumerate(rows.column_names):
        if pa.types.is_dictionary(rows[name].type):
            rows = rows.set_column(place, name, rows[name].cast(pa.string()))
    return rows


def known_moments(table: Table, rows: pa.Table) -> Array:
    """int64 (rows,): the moment each row became known."""
    known = np.full(len(rows), BEFORE_ALL_TIMES)
    for name in reversed(table.known):
        if name in rows.column_names:
            given = _rank(rows[name])
            known = np.where(given == BEFORE_ALL_TIMES, known, given)
    return known


def _rank(column: pa.ChunkedArray) -> Array:
    """int64 (rows,) numbers in the order of the column's values; unknown ones first."""
    if pa.types.is_timestamp(column.type):
        return np.asarray(pc.fill_null(column.cast(pa.int64()), BEFORE_ALL_TIMES).to_numpy())
    values = encoded(column)
    rank = np.empty(len(values.dictionary) + 1, dtype=np.int64)
    rank[pc.sort_indices(values.dictionary).to_numpy()] = np.arange(len(values.dictionary))
    rank[-1] = BEFORE_ALL_TIMES
    return rank[indices(values)]
