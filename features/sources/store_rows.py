"""Canonical rows on their way into a store's tables and out of them, and which arriving rows are new."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from features.histories.batch_checks import distinct
from features.histories.columns import OWN_PREFIX, Column, Table
from features.sources.canonical import joined, with_numbers
from features.sources.readers import Array
from features.sources.settling import BEFORE_ALL_TIMES, known_moments, same_contents
from features.sources.store_schema import BATCH, KNOWN, OWN


@dataclass(frozen=True)
class Arrived:
    """What becomes of arriving rows: int64 places of those to add, from when each of them is known, and counts.

    ``updated`` of the added rows are versions of a thing that the store held, ``repeated`` rows say what it holds
    already, and ``conflicting`` ones contradict a version of it that others have replaced since.
    """

    places: Array
    known: Array
    updated: int
    repeated: int
    conflicting: int


def arrived(table: Table, stored: pa.Table, rows: pa.Table, accepted_at: int) -> Arrived:
    """Compare arriving rows, each version once, with those that a store holds (``stored`` has ``known_at``).

    A row is known from the moment that it states. If the store holds another row of the same thing and moment, and
    nothing later of that thing, then the arriving one tells what has changed since: a new version, known from
    ``accepted_at`` on (UTC seconds), or from a second after the version before it if that is later.
    """
    own_moments = known_moments(table, rows)
    if not len(stored):
        return Arrived(np.arange(len(rows)), own_moments, 0, 0, 0)
    both = with_numbers(joined([stored.drop_columns([KNOWN]), rows]))
    both = pa.table({name: both[name].combine_chunks() for name in both.column_names})
    first = len(stored)
    if table.key is None:
        _, contents = distinct(both)
        new = np.flatnonzero(~np.isin(contents[first:], contents[:first]))
        return Arrived(new, own_moments[new], 0, len(rows) - len(new), 0)

    identity = [name for name in (table.key, *table.identity) if name in both.column_names]
    _, thing = distinct(both.select(identity))
    moments = known_moments(table, both)
    _, version = distinct(pa.table({"thing": thing, "moment": moments}))
    repeated = _repeated(both, version, first)
    taken = np.isin(version[first:], version[:first])

    latest = np.full(thing.max(initial=-1) + 1, BEFORE_ALL_TIMES)
    np.maximum.at(latest, thing, moments)
    replaced = moments[first:] < latest[thing[first:]]
    conflicting = taken & ~repeated & replaced
    changed = taken & ~repeated & ~replaced

    last = np.full(len(latest), BEFORE_ALL_TIMES)
    np.maximum.at(last, thing[:first], _seconds(stored[KNOWN]))
    known = np.where(changed, np.maximum(accepted_at, last[thing[first:]] + 1), own_moments)
    new = np.flatnonzero(~repeated & ~conflicting)
    held = np.isin(thing[first:], thing[:first])
    return Arrived(new, known[new], int(held[new].sum()), int(repeated.sum()), int(conflicting.sum()))


def _repeated(both: pa.Table, version: Array, first: int) -> Array:
    """bool (arriving rows,): whether one of the stored rows of the same version says the same in every column."""
    order = np.argsort(version[:first], kind="stable")
    held = version[:first][order]
    begin = np.searchsorted(held, version[first:], side="left")
    end = np.searchsorted(held, version[first:], side="right")
    repeated = np.zeros(len(version) - first, dtype=bool)
    for nth in range(int((end - begin).max(initial=0))):
        compared = np.flatnonzero((begin + nth < end) & ~repeated)
        repeated[compared] = same_contents(both, first + compared, order[begin[compared] + nth])
    return repeated


def _seconds(moments: pa.ChunkedArray) -> Array:
    return np.asarray(pc.fill_null(moments, BEFORE_ALL_TIMES).to_numpy())


def to_stored(rows: pa.Table, known: Array, batch: int) -> pa.Table:
    """Rows as the store's tables hold them: plain types, own columns as JSON, from when they are known, their batch."""
    own = sorted(name for name in rows.column_names if name.startswith(OWN_PREFIX))
    known_of = [name for name in rows.column_names if name not in own and rows[name].null_count < len(rows)]
    columns = {name: _plain(rows[name]) for name in known_of}
    if own:
        columns[OWN] = as_json(rows.select(own))
    columns[KNOWN] = known_column(known)
    columns[BATCH] = pa.repeat(pa.scalar(batch, pa.int64()), len(rows))
    return pa.table(columns)


def known_column(known: Array) -> pa.Array:
    """From when rows are known, empty where they were since ever."""
    return pa.array(known, pa.int64(), mask=known == BEFORE_ALL_TIMES)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_timestamp(column.type):
        return column.cast(pa.int64())
    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column


def from_stored(table: Table, rows: pa.Table, own: Iterable[str]) -> pa.Table:
    """The reverse of ``to_stored``, without the batch: canonical types, own columns as texts, and ``known_at``.

    Columns of which nothing is known are left out, own columns apart.
    """
    columns: dict[str, pa.ChunkedArray] = {}
    for column in table.columns:
        values = rows[column.name]
        if column.required or values.null_count < len(values):
            columns[column.name] = _canonical(column, values)
    own = sorted(own)
    columns.update(zip(own, from_json(rows[OWN].combine_chunks(), own), strict=True))
    columns[KNOWN] = rows[KNOWN]
    return pa.table(columns)


def _canonical(column: Column, values: pa.ChunkedArray) -> pa.ChunkedArray:
    if column.type != "category":
        return values.cast(column.arrow_type)
    allowed = pa.array(column.allowed, pa.string())
    codes = pc.index_in(values, allowed).cast(pa.int8())
    chunks = [pa.DictionaryArray.from_arrays(chunk, allowed) for chunk in codes.chunks]
    return pa.chunked_array(chunks, column.arrow_type)


def as_versions(table: Table, stored: pa.Table) -> pa.Table:
    """Stored rows as canonical ones: where the store knows of a change only by its arrival, that is ``updated_at``."""
    known, rows = _seconds(stored[KNOWN]), stored.drop_columns([KNOWN])
    changed = known != known_moments(table, rows)
    if not changed.any():
        return rows
    arrival = pa.array(known, pa.int64()).cast(table.column["updated_at"].arrow_type)
    if "updated_at" in rows.column_names:
        arrival = pc.if_else(pa.array(changed), arrival, rows["updated_at"])
        rows = rows.drop_columns(["updated_at"])
    else:
        arrival = pc.if_else(pa.array(changed), arrival, None)
    return rows.append_column("updated_at", arrival)


def as_json(own: pa.Table) -> pa.Array:
    """For each row a JSON object of its known own values, all of them as texts; null where none is known."""
    parts = []
    for name in own.column_names:
        values = own[name].combine_chunks()
        if pa.types.is_string(values.type):
            texts = values.dictionary_encode()
            quoted = pa.array([json.dumps(text) for text in texts.dictionary.to_pylist()], pa.string())
            quoted = quoted.take(texts.indices)
        else:
            quoted = pc.binary_join_element_wise('"', values.cast(pa.string()), '"', "")
        # Not null_handling="skip" when all are joined: Arrow then leaves out rows of which nothing is known.
        parts.append(pc.fill_null(pc.binary_join_element_wise(json.dumps(name), ":", quoted, ",", ""), ""))
    members = pc.ascii_rtrim(pc.binary_join_element_wise(*parts, ""), characters=",")
    return pc.if_else(pc.equal(members, ""), None, pc.binary_join_element_wise("{", members, "}", ""))


def from_json(objects: pa.Array, names: list[str]) -> list[pa.Array]:
    """The texts under each name, row by row; each distinct object is read once."""
    if not names or objects.null_count == len(objects):
        return [pa.nulls(len(objects), pa.string())] * len(names)
    held = objects.dictionary_encode()
    lines = "\n".join(held.dictionary.to_pylist()).encode()
    longest = pc.max(pc.binary_length(held.dictionary)).as_py()
    read = pyarrow.json.read_json(
        io.BytesIO(lines),
        pyarrow.json.ReadOptions(block_size=max(1 << 20, 2 * longest)),
        pyarrow.json.ParseOptions(
            explicit_schema=pa.schema([(name, pa.string()) for name in names]), unexpected_field_behavior="ignore"
        ),
    )
    return [read[name].combine_chunks().take(held.indices) for name in names]
