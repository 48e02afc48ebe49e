"""The store: every version of every row, in SQLite or PostgreSQL, and the canonical tables of what holds now.

Rows are only ever added, each with the moment from which it is known, so that what was known at any time stays
readable. A batch is accepted as a whole or not at all, and once ``Store.add`` returns it is on the disk. One writer at
a time works on a store; others wait.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import adbc_driver_manager.dbapi as adbc
import pyarrow as pa

from features.histories.columns import OWN_PREFIX, Reject, Table
from features.histories.tables import TABLES, Dataset, Tables
from features.sources.canonical import joined, no_rows, with_numbers
from features.sources.declarations import Declarations, together
from features.sources.erasing.tombstones import Tombstones, read_tombstones
from features.sources.gathering import Gathered
from features.sources.settling import each_once
from features.sources.source import Progress
from features.sources.store_connection import StoreError, address, ingest, prepare, reading, select, writing
from features.sources.store_declarations import as_text, ending_by, from_text
from features.sources.store_files import CanonicalFiles, make_files, read_files, write_files
from features.sources.store_merging import Merge, into, merge, merges, split
from features.sources.store_rows import Arrived, arrived, as_versions, from_stored, known_column, to_stored
from features.sources.store_schema import BATCH, BATCHES, KNOWN, REJECTS, VERSIONS
from features.sources.writing import GROUP_ROWS, add_contents

_NO_NUL = "\N{REPLACEMENT CHARACTER}"
"""In the place of NUL, which PostgreSQL stores in no text."""

__all__ = ["Accepted", "Batch", "Counts", "Store", "StoreError", "read_store"]


@dataclass
class Counts:
    """Rows of one table of a batch.

    ``new`` things, ``updated`` ones (new versions), rows ``repeated`` that say what the store or the batch holds
    already, ``conflicting`` ones, which contradict another row of the same thing and time and were dropped, and
    ``forgotten`` ones, which tell of what was erased.
    """

    new: int = 0
    updated: int = 0
    repeated: int = 0
    conflicting: int = 0
    forgotten: int = 0


@dataclass(frozen=True)
class Accepted:
    """What became of a batch: its number (None if it brought nothing that the store did not hold), rows by table.

    ``dataset`` and ``notes`` are of the whole store as it is now.
    """

    batch: int | None
    counts: Mapping[str, Counts]
    dataset: Dataset
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Batch:
    """An entry of the log of batches; ``sha256`` is that of its rows, ``own`` the names of own columns by table."""

    number: int
    accepted_at: int
    source: str
    sha256: str
    declarations: Declarations
    own: Mapping[str, Sequence[str]]
    counts: Mapping[str, Counts]


class Store:
    """A store that is there, in the form that this version works with."""

    def __init__(self, store: str | Path, create: bool = False) -> None:
        """Open a store by its URL or file. Raises StoreError, also where there is none unless ``create``."""
        self.url = address(store)
        prepare(self.url, create)

    def add(
        self, gathered: Gathered, accepted_at: int, progress: Progress | None = None, rehearse: bool = False
    ) -> Accepted:
        """Take in what a source holds: rows that the store does not hold yet, rejects, and what the source declares.

        ``accepted_at`` (UTC seconds) is now; a change that carries no time of its own is known from then on. To
        ``rehearse`` it only counts, and nothing is stored.
        """
        report = progress or (lambda step, share: None)
        counts = {name: Counts() for name in TABLES}
        rows = {name: _each_once(table, gathered.rows.get(name), counts[name]) for name, table in TABLES.items()}
        digest = _digest(rows)
        with writing(self.url) as connection:
            if tombstones := read_tombstones(connection):
                rows, gathered = _without_forgotten(tombstones, rows, gathered, counts)
                digest = _digest(rows)
            log = read_log(connection)
            before = together(batch.declarations for batch in log)
            declared = together((before, gathered.declarations))
            same = as_text(declared) == as_text(before)
            if same and any(batch.sha256 == digest for batch in log):
                return _nothing_new(connection, rows, counts)
            stored = {name: _stored(connection, table, log, known_by=None) for name, table in TABLES.items()}
            came = {}
            for name, table in TABLES.items():
                report(f"comparing {name}", 0.0)
                came[name] = arrived(table, stored[name], rows[name], accepted_at)
                if len(came[name].places) < len(rows[name]):
                    rows[name] = rows[name].take(pa.array(came[name].places))
                _count(counts[name], came[name])
                report(f"comparing {name}", 1.0)
            if rehearse or (same and not any(len(arriving) for arriving in rows.values())):
                return Accepted(None, counts, _dataset(connection))
            own = {name: [column for column in table.column_names if _is_own(column)] for name, table in rows.items()}
            number = log[-1].number + 1 if log else 1
            batch = Batch(number, accepted_at, gathered.source, digest, gathered.declarations, own, counts)
            versions = {
                name: as_versions(table, _with_known(stored[name], rows[name], came[name]))
                for name, table in TABLES.items()
            }
            del stored
            merged = into(merges(connection))
            # Both release Python's lock: the rows are written while the canonical tables are made.
            with ThreadPoolExecutor(1) as pool:
                written = pool.submit(_write, connection, batch, rows, came, gathered.rejects)
                files = make_files(versions, declared, merged, report)
                written.result()
            write_files(connection, files, number)
        return Accepted(number, counts, files.dataset, files.notes)

    def tables(
        self,
        tables: Container[str] = frozenset(TABLES),
        columns: Mapping[str, Sequence[str]] | None = None,
        known_by: int | None = None,
    ) -> Tables:
        """The canonical tables, the same as ``files.read_tables`` would give of the same sources.

        ``known_by`` (UTC seconds) leaves out what became known later. ``tables`` limits which tables are read,
        ``columns`` which columns of a table.
        """
        with reading(self.url) as connection:
            wanted = [name for name in TABLES if name in tables]
            files = read_files(connection, wanted) if known_by is None else None
            files = files or _from_rows(connection, known_by)
        return files.tables(tables, columns)

    def dataset(self) -> Dataset:
        """What the data set says of itself."""
        with reading(self.url) as connection:
            return _dataset(connection)

    def batches(self) -> list[Batch]:
        """The log of batches, in the order in which they were accepted."""
        with reading(self.url) as connection:
            return read_log(connection)

    def merge_accounts(self, keep: str, others: Sequence[str], at: int, by: str) -> Merge:
        """Let ``others`` be part of the account ``keep`` from ``at`` (UTC seconds) on. Raises StoreError."""
        with writing(self.url) as connection:
            decided = merge(connection, keep, others, at, by)
            refresh(connection)
        return decided

    def split_accounts(self, merge_id: int, at: int, by: str) -> Merge:
        """Undo a merge, so that all is as without it. Raises StoreError."""
        with writing(self.url) as connection:
            undone = split(connection, merge_id, at, by)
            refresh(connection)
        return undone

    def merges(self) -> list[Merge]:
        """The merges in force."""
        with reading(self.url) as connection:
            return merges(connection)

    def duplicates(self) -> pa.Table:
        """Which interactions are left out because another system tells of the same (``entities.duplicates.SCHEMA``)."""
        with reading(self.url) as connection:
            return (read_files(connection, ()) or _from_rows(connection, None)).duplicates


def read_store(
    store: str | Path,
    tables: Container[str] = frozenset(TABLES),
    columns: Mapping[str, Sequence[str]] | None = None,
    known_by: int | None = None,
) -> Tables:
    """``Store.tables`` of the store at an address. Raises StoreError."""
    return Store(store).tables(tables, columns, known_by)


def refresh(connection: adbc.Connection) -> None:
    """Make the canonical files anew, after stored rows were changed otherwise than by ``Store.add``.

    Within one ``writing`` with the change, so that readers see both or neither. The log stays as it is: rows whose
    ``sha256`` it holds are taken as stored and not compared again, so whoever removes rows that may come back from the
    same source must change that, too.
    """
    log = read_log(connection)
    if log:
        write_files(connection, _from_rows(connection, None), log[-1].number)


def _is_own(column: str) -> bool:
    return column.startswith(OWN_PREFIX)


def _each_once(table: Table, rows: pa.Table | None, counts: Counts) -> pa.Table:
    """Checked rows, each version of a thing once; own columns stay as they were read."""
    rows = no_rows(table) if rows is None else rows
    settled = each_once(table, with_numbers(rows))
    counts.repeated, counts.conflicting = settled.repeated, settled.conflicting
    once = settled.rows
    for place, name in enumerate(once.column_names):
        if _is_own(name):
            once = once.set_column(place, name, rows[name])
    return once if len(settled.order) == len(once) else once.take(pa.array(settled.order))


def _digest(rows: Mapping[str, pa.Table]) -> str:
    digest = hashlib.sha256()
    for name, table in rows.items():
        digest.update(name.encode())
        ordered = table.select(sorted(table.column_names))
        for start in range(0, len(ordered), GROUP_ROWS):
            add_contents(digest, ordered.slice(start, GROUP_ROWS))
    return digest.hexdigest()


def _nothing_new(connection: adbc.Connection, rows: Mapping[str, pa.Table], counts: Mapping[str, Counts]) -> Accepted:
    for name, count in counts.items():
        count.repeated += len(rows[name])
    return Accepted(None, counts, _dataset(connection))


def _count(counts: Counts, came: Arrived) -> None:
    counts.updated = came.updated
    counts.new = len(came.places) - came.updated
    counts.repeated += came.repeated
    counts.conflicting += came.conflicting


def _without_forgotten(
    tombstones: Tombstones, rows: Mapping[str, pa.Table], gathered: Gathered, counts: Mapping[str, Counts]
) -> tuple[dict[str, pa.Table], Gathered]:
    """What arrives without what was erased, and with the rows left out counted."""
    kept, forgotten = tombstones.left_out(rows)
    for name, number in forgotten.items():
        counts[name].forgotten = number
    known = replace(
        gathered,
        source=tombstones.source(gathered.source),
        declarations=tombstones.without_ends(gathered.declarations),
        rejects=tombstones.without_rejects(gathered.rejects),
    )
    return kept, known


def read_log(connection: adbc.Connection) -> list[Batch]:
    """The log of batches, in the order in which they were accepted."""
    rows = select(connection, list(BATCHES.c)).sort_by(BATCH)
    return [
        Batch(
            row[BATCH],
            row["accepted_at"],
            row["source"],
            row["sha256"],
            from_text(row["declared"]),
            json.loads(row["own_columns"]),
            {name: Counts(**counts) for name, counts in json.loads(row["counts"]).items()},
        )
        for row in rows.to_pylist()
    ]


def _stored(connection: adbc.Connection, table: Table, log: Sequence[Batch], known_by: int | None) -> pa.Table:
    """All versions of a table's rows, or those known by a moment, with ``known_at``."""
    columns = [column for column in VERSIONS[table.name].c if column.name != BATCH]
    where = "" if known_by is None else f"WHERE {KNOWN} IS NULL OR {KNOWN} <= {known_by}"
    own = {name for batch in log for name in batch.own[table.name]}
    return from_stored(table, select(connection, columns, where), own)


def _from_rows(connection: adbc.Connection, known_by: int | None) -> CanonicalFiles:
    """The canonical files as they follow from the stored rows, or from those known by a moment."""
    log = read_log(connection)
    declared = together(batch.declarations for batch in log)
    if known_by is not None:
        declared = ending_by(declared, known_by)
    versions = {name: as_versions(table, _stored(connection, table, log, known_by)) for name, table in TABLES.items()}
    return make_files(versions, declared, into(merges(connection, known_by)), lambda step, share: None)


def _dataset(connection: adbc.Connection) -> Dataset:
    return (read_files(connection, ()) or _from_rows(connection, None)).dataset


def _with_known(stored: pa.Table, rows: pa.Table, came: Arrived) -> pa.Table:
    """Stored rows and those to add, with ``known_at``."""
    return joined([stored, rows.append_column(KNOWN, known_column(came.known))])


def _write(
    connection: adbc.Connection,
    batch: Batch,
    rows: Mapping[str, pa.Table],
    came: Mapping[str, Arrived],
    rejects: Sequence[Reject],
) -> None:
    """Add the batch to the log, and its rows and rejects."""
    entry: dict[str, Any] = {
        BATCH: batch.number,
        "accepted_at": batch.accepted_at,
        "source": _storable(batch.source),
        "sha256": batch.sha256,
        "declared": as_text(batch.declarations),
        "own_columns": json.dumps(batch.own),
        "counts": json.dumps({name: asdict(counts) for name, counts in batch.counts.items()}),
    }
    ingest(connection, BATCHES, pa.table({name: [value] for name, value in entry.items()}))
    for name, arriving in rows.items():
        ingest(connection, VERSIONS[name], to_stored(arriving, came[name].known, batch.number))
    ingest(connection, REJECTS, _rejected(rejects, batch.number))


def _storable(text: str) -> str:
    """A text without what databases do not take: NUL, and bytes of a file's name that are no text."""
    return text.replace("\0", _NO_NUL).encode("utf-8", "replace").decode("utf-8")


def _rejected(rejects: Sequence[Reject], batch: int) -> pa.Table:
    def texts(name: str) -> pa.Array:
        return pa.array([_storable(getattr(reject, name)) for reject in rejects], pa.string())

    columns = {
        BATCH: pa.repeat(pa.scalar(batch, pa.int64()), len(rejects)),
        "file": texts("file"),
        "row_number": pa.array([reject.row for reject in rejects], pa.int64()),
        "column_name": texts("column"),
        "value": texts("value"),
        "allowed": texts("allowed"),
    }
    return pa.table(columns)
