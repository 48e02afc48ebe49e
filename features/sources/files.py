"""The canonical folder: the tables as Parquet, as the import writes them and everything else reads them.

A folder holds ``accounts.parquet``, ``contacts.parquet``, ``interactions.parquet``, ``deals.parquet``,
``stage_reviews.parquet``, ``dataset.json`` (declarations, span, counts, hash of the contents) and, if rows were turned
away, ``rejects.csv``. Tables are sorted by account, and no account's rows lie in two row groups.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.histories.columns import Table
from features.histories.tables import TABLES, Dataset, Tables

FORMAT = "rapport tables"
VERSION = 1
DATASET_FILE = "dataset.json"
DUPLICATES_FILE = "duplicates.csv"
"""Which interactions are left out because another system tells of the same."""


class NotCanonical(ValueError):
    """A folder that does not hold canonical tables."""


def is_canonical(folder: Path) -> bool:
    """Whether a folder holds canonical tables that this version can read."""
    try:
        document = json.loads((folder / DATASET_FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    return is_readable(document)


def is_readable(document: Any) -> bool:
    """Whether the contents of a ``dataset.json`` are those of canonical tables that this version can read."""
    return isinstance(document, dict) and (document.get("format"), document.get("version")) == (FORMAT, VERSION)


def read_dataset(folder: Path) -> Dataset:
    """What a canonical folder declares of its data set. Raises NotCanonical."""
    if not is_canonical(folder):
        raise NotCanonical(f"{folder}: holds no canonical tables (version {VERSION}); write them with `rapport import`")
    return dataset_of(json.loads((folder / DATASET_FILE).read_text(encoding="utf-8")))


def dataset_of(document: Mapping[str, Any]) -> Dataset:
    """What the contents of ``dataset.json`` say, the reverse of ``dataset_document``."""
    declared = document["dataset"]
    span = document["span"]
    return Dataset(
        observed_from=_seconds(declared["observed_from"]),
        observed_until=_seconds(declared["observed_until"]),
        observed_until_by=dict(declared["observed_until_by"]),
        records=None if declared["records"] is None else frozenset(declared["records"]),
        static=frozenset(declared["static"]),
        directions=dict(declared["directions"]),
        simulated=declared["simulated"],
        versioned=frozenset(document["versioned"]),
        span=(int(_seconds(span[0]) or 0), int(_seconds(span[1]) or 0)) if span else None,
        sha256=document["sha256"],
    )


def dataset_document(dataset: Dataset, counts: Mapping[str, int]) -> dict[str, Any]:
    """The contents of ``dataset.json``; times as ISO 8601, ends of single accounts as UTC seconds."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "sha256": dataset.sha256,
        "span": [iso(moment) for moment in dataset.span] if dataset.span else None,
        "rows": dict(counts),
        "versioned": sorted(dataset.versioned),
        "dataset": {
            "observed_from": iso(dataset.observed_from),
            "observed_until": iso(dataset.observed_until),
            "records": None if dataset.records is None else sorted(dataset.records),
            "static": sorted(dataset.static),
            "directions": dict(sorted(dataset.directions.items())),
            "simulated": dataset.simulated,
            "observed_until_by": dict(sorted(dataset.observed_until_by.items())),
        },
    }


def iso(seconds: int | None) -> str | None:
    """UTC seconds as ISO 8601.

    >>> iso(1717156800)
    '2024-05-31T12:00:00Z'
    """
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _seconds(text: str | None) -> int | None:
    return None if text is None else int(datetime.fromisoformat(text).timestamp())


def read_tables(
    folder: Path,
    tables: Container[str] = frozenset(TABLES),
    columns: Mapping[str, Sequence[str]] | None = None,
) -> Tables:
    """Read a canonical folder; trusts what the import has checked.

    ``tables`` limits which tables are read (the others are empty), ``columns`` which columns of a table. Categories
    come with the vocabulary of the definition, so that their codes are places in ``Column.allowed``. Raises
    NotCanonical.
    """
    return tables_from(read_dataset(folder), lambda table: folder / table_file(table), tables, columns)


def tables_from(
    dataset: Dataset,
    file_of: Callable[[Table], Path | pa.BufferReader],
    tables: Container[str],
    columns: Mapping[str, Sequence[str]] | None,
) -> Tables:
    """As ``read_tables``, wherever the files lie: ``file_of`` gives that of a table."""
    chosen = columns or {}
    read = {
        name: _read_table(file_of(table), table, chosen.get(name)) if name in tables else table.schema().empty_table()
        for name, table in TABLES.items()
    }
    return Tables(**read, dataset=dataset)


def table_file(table: Table) -> str:
    """The name of a table's file."""
    return f"{table.name}.parquet"


def _read_table(file: Path | pa.BufferReader, table: Table, columns: Sequence[str] | None) -> pa.Table:
    with pq.ParquetFile(file, memory_map=True) as parquet:
        rows = parquet.read(columns=None if columns is None else list(columns))
    for place, name in enumerate(rows.column_names):
        column = table.column.get(name)
        if column and column.type == "category":
            rows = rows.set_column(place, name, _with_vocabulary(rows[name], column.allowed))
        elif column and column.type == "time":  # Parquet knows no whole seconds
            rows = rows.set_column(place, name, rows[name].cast(column.arrow_type))
    return rows


def _with_vocabulary(column: pa.ChunkedArray, allowed: tuple[str, ...]) -> pa.ChunkedArray:
    """The column with ``allowed`` as its dictionary, whatever values the file's own dictionaries list."""
    vocabulary = pa.array(allowed, pa.string())
    chunks = []
    for chunk in column.chunks:
        if not chunk.dictionary.equals(vocabulary):
            codes = pc.index_in(chunk.dictionary, vocabulary).cast(pa.int8()).take(chunk.indices)
            chunk = pa.DictionaryArray.from_arrays(codes, vocabulary)
        chunks.append(chunk)
    return pa.chunked_array(chunks, pa.dictionary(pa.int8(), pa.string()))
