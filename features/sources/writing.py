"""Writing the canonical folder: tables as Parquet in canonical order, their hash, and the swap into place."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.histories.batch_checks import encoded, indices
from features.histories.columns import OWN_PREFIX, Column, Table
from features.histories.tables import Dataset
from features.sources.files import DATASET_FILE, dataset_document, is_canonical
from features.sources.readers import Array, SourceError
from features.sources.settling import Settled

GROUP_ROWS = 250_000
"""Rows of a row group; it grows until the last account in it is complete."""


@contextmanager
def replacing(out: Path) -> Iterator[Path]:
    """A new folder that takes the place of ``out`` when the block ends well, and vanishes when it does not."""
    if out.exists() and not is_canonical(out) and not (out.is_dir() and not any(out.iterdir())):
        raise SourceError(f"{out}: exists and holds no canonical tables; name a new folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    suffix = secrets.token_hex(4)
    staging, former = (out.with_name(f".{out.name}.{state}-{suffix}") for state in ("new", "old"))
    staging.mkdir()
    try:
        yield staging
        _swap(staging, out, former)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    shutil.rmtree(former, ignore_errors=True)


def _swap(staging: Path, out: Path, former: Path) -> None:
    if not out.exists():
        os.rename(staging, out)
        return
    os.rename(out, former)
    try:
        os.rename(staging, out)
    except OSError:
        os.rename(former, out)
        raise


def write_table(where: Path | IO[bytes], table: Table, settled: Settled, progress: Callable[[float], None]) -> str:
    """Write a table's canonical rows as Parquet; the sha256 of their contents, which no file format enters into."""
    order = settled.order
    rows = _with_vocabularies(settled.rows, order)
    own = sorted(name for name in rows.column_names if name.startswith(OWN_PREFIX))
    schema = table.schema()
    for name in own:
        schema = schema.append(pa.field(name, rows[name].type))
    digest = hashlib.sha256(table.name.encode())
    with pq.ParquetWriter(where, schema, compression="zstd", compression_level=1) as writer:
        bounds = _group_bounds(rows["account_id"].take(pa.array(order)))
        for first, last in pairwise(bounds):
            group = rows.take(pa.array(order[first:last])).combine_chunks()
            for column in table.columns:
                if column.name not in group.column_names:
                    group = group.append_column(column.name, _unknown(column, len(group)))
            whole = group.select(schema.names).cast(schema)
            writer.write_table(whole, row_group_size=len(whole))
            add_contents(digest, whole)
            progress(last / len(order))
    return digest.hexdigest()


def _unknown(column: Column, rows: int) -> pa.Array:
    """A column of which nothing is known."""
    if column.type == "category":
        return pa.DictionaryArray.from_arrays(pa.nulls(rows, pa.int8()), pa.array(column.allowed, pa.string()))
    return pa.nulls(rows, column.arrow_type)


def _with_vocabularies(rows: pa.Table, order: Array) -> pa.Table:
    """The rows with own texts as categories, whose vocabulary is that of the rows that stay, sorted."""
    for place, name in enumerate(rows.column_names):
        if name.startswith(OWN_PREFIX) and pa.types.is_string(rows[name].type):
            column = rows[name].combine_chunks()
            used = pc.unique(column.take(pa.array(order))).drop_null()
            used = used.take(pc.sort_indices(used))
            codes = pc.index_in(column, used)
            rows = rows.set_column(place, name, pa.DictionaryArray.from_arrays(codes, used))
    return rows


def _group_bounds(accounts: pa.ChunkedArray) -> Array:
    """Row numbers at which row groups begin, and the end; no account lies on both sides of one."""
    rows = len(accounts)
    if not rows:
        return np.array([0])
    starts = np.append(np.flatnonzero(np.diff(indices(encoded(accounts)))) + 1, rows)
    targets = np.arange(GROUP_ROWS, rows, GROUP_ROWS)
    return np.unique(np.concatenate(([0], starts[np.searchsorted(starts, targets)], [rows])))


def add_contents(digest: hashlib._Hash, rows: pa.Table) -> None:
    """Feed the columns of a row group to a hash: names and values, empty columns left out."""
    for name in rows.column_names:
        column = rows[name].combine_chunks()
        if column.null_count == len(column):
            continue
        if pa.types.is_dictionary(column.type):
            column = column.cast(pa.string())
        digest.update(f"\0{name}\0{column.type}\0".encode())
        digest.update(np.packbits(column.is_valid().to_numpy(zero_copy_only=False)).tobytes())
        if pa.types.is_string(column.type):
            present = column.drop_null()
            digest.update(pc.binary_length(present).to_numpy().tobytes())
            ends = np.frombuffer(present.buffers()[1], np.int32)[present.offset : present.offset + len(present) + 1]
            digest.update(memoryview(present.buffers()[2])[ends[0] : ends[-1]])
        else:
            values = column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
            digest.update(values.drop_null().to_numpy(zero_copy_only=False).tobytes())


def write_dataset(folder: Path, dataset: Dataset, counts: dict[str, int]) -> None:
    """Write ``dataset.json``, which makes a folder canonical."""
    text = json.dumps(dataset_document(dataset, counts), indent=1)
    (folder / DATASET_FILE).write_text(text + "\n", encoding="utf-8")
