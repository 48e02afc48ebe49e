"""The canonical tables of a store, kept in it as the Parquet files of a canonical folder.

They follow from the versions of all rows and are written in the transaction that changes these, so that reading need
not settle anything: it costs what reading the folder costs.
"""

from __future__ import annotations

import io
import json
from collections import defaultdict
from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import adbc_driver_manager.dbapi as adbc
import pyarrow as pa
import pyarrow.csv

from features.histories.columns import Table
from features.histories.tables import TABLES, Dataset, Tables
from features.sources.canonical import TableCounts, canonical
from features.sources.declarations import Declarations
from features.sources.entities.duplicates import SCHEMA
from features.sources.entities.resolving import resolved
from features.sources.files import (
    DATASET_FILE,
    DUPLICATES_FILE,
    dataset_document,
    dataset_of,
    is_readable,
    table_file,
    tables_from,
)
from features.sources.settling import Settled
from features.sources.source import Progress
from features.sources.store_connection import execute, ingest, select
from features.sources.store_schema import BATCH, CANONICAL_FILES
from features.sources.writing import write_table

PART_BYTES = 16 << 20
"""Size of the parts in which files lie in the store."""


@dataclass(frozen=True)
class CanonicalFiles:
    """The contents of a canonical folder by file name, and what a user should know of them."""

    contents: Mapping[str, bytes]
    notes: Sequence[str] = ()

    @property
    def dataset(self) -> Dataset:
        """What the data set says of itself."""
        return dataset_of(json.loads(self.contents[DATASET_FILE]))

    @property
    def duplicates(self) -> pa.Table:
        """The interactions for which those of other systems stand (``entities.duplicates.SCHEMA``)."""
        texts = pyarrow.csv.ConvertOptions(column_types=SCHEMA, strings_can_be_null=False)
        return pyarrow.csv.read_csv(io.BytesIO(self.contents[DUPLICATES_FILE]), convert_options=texts)

    def tables(self, tables: Container[str], columns: Mapping[str, Sequence[str]] | None) -> Tables:
        """As ``files.read_tables`` gives them."""
        return tables_from(
            self.dataset, lambda table: pa.BufferReader(self.contents[table_file(table)]), tables, columns
        )


def make_files(
    versions: Mapping[str, pa.Table], declarations: Declarations, into: Mapping[str, str], report: Progress
) -> CanonicalFiles:
    """The canonical files that follow from rows, each version of a thing once or more often.

    ``into`` holds the merges of accounts in force (``store_merging.into``).
    """
    whole = resolved(versions, declarations, into)
    counts = {name: TableCounts() for name in TABLES}
    contents: dict[str, bytes] = {}

    def write(table: Table, settled: Settled) -> str:
        stream = io.BytesIO()
        digest = write_table(stream, table, settled, partial(report, f"writing {table.name}"))
        contents[table_file(table)] = stream.getvalue()
        return digest

    dataset, notes = canonical(lambda table: whole.rows[table.name], whole.declarations, counts, write, report)
    document = dataset_document(dataset, {name: count.kept for name, count in counts.items()})
    contents[DATASET_FILE] = json.dumps(document).encode()
    duplicates = io.BytesIO()
    pyarrow.csv.write_csv(whole.duplicates, duplicates)
    contents[DUPLICATES_FILE] = duplicates.getvalue()
    return CanonicalFiles(contents, [*whole.notes, *notes])


def write_files(connection: adbc.Connection, files: CanonicalFiles, batch: int) -> None:
    """Put these in the place of the files that the store holds; they are as of the given batch."""
    execute(connection, f"DELETE FROM {CANONICAL_FILES.name}")
    parts = [
        (name, part, contents[start : start + PART_BYTES])
        for name, contents in files.contents.items()
        for part, start in enumerate(range(0, len(contents), PART_BYTES))
    ]
    names, numbers, pieces = zip(*parts, strict=True)
    rows = {
        "name": pa.array(names),
        "part": pa.array(numbers, pa.int64()),
        BATCH: pa.repeat(pa.scalar(batch, pa.int64()), len(parts)),
        "contents": pa.array(pieces, pa.binary()),
    }
    ingest(connection, CANONICAL_FILES, pa.table(rows))


def read_files(connection: adbc.Connection, tables: Collection[str]) -> CanonicalFiles | None:
    """The files of these tables, if the store holds such as are of its last batch and this version can read."""
    wanted = ", ".join(
        f"'{name}'" for name in (DATASET_FILE, DUPLICATES_FILE, *(table_file(TABLES[name]) for name in tables))
    )
    where = f"WHERE name IN ({wanted}) AND {BATCH} = (SELECT max({BATCH}) FROM batches)"
    rows = select(connection, list(CANONICAL_FILES.c), where).sort_by([("name", "ascending"), ("part", "ascending")])
    parts: dict[str, list[bytes]] = defaultdict(list)
    for name, piece in zip(rows["name"].to_pylist(), rows["contents"].to_pylist(), strict=True):
        parts[name].append(piece)
    contents = {name: b"".join(pieces) for name, pieces in parts.items()}
    readable = DATASET_FILE in contents and is_readable(json.loads(contents[DATASET_FILE]))
    return CanonicalFiles(contents) if readable else None
