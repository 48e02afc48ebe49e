"""The import: sources of any kind through the door, into a canonical folder or into the store."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from features.histories.columns import Reject, Table
from features.histories.tables import TABLES, Dataset
from features.sources.canonical import TableCounts, canonical
from features.sources.entities.resolving import resolved
from features.sources.files import DUPLICATES_FILE, table_file
from features.sources.gathering import AS_IS, Gathered, ImportOptions, gather
from features.sources.readers import SourceError
from features.sources.settling import Settled
from features.sources.source import Progress
from features.sources.store import Counts, Store
from features.sources.store_connection import NoSuchStore, shown
from features.sources.writing import replacing, write_dataset, write_table

REJECTS_FILE = "rejects.csv"

_SHOWN_REJECTS = 10


@dataclass
class ImportSummary:
    """What an import did.

    ``where``: what was written, a folder or the address of a store; ``counts`` by table of what was read and (of a
    folder) what it holds now, ``stored`` of what was new to a store. ``told``: by source that is no table, what was
    read and what kept apart. ``rejected`` counts records of all kinds, ``rejects`` are the first of what was wrong with
    them (all is in ``reject_file``), ``ignored`` unknown columns by file, ``notes`` what a user should know.
    """

    where: str
    counts: Mapping[str, TableCounts]
    told: Mapping[str, Mapping[str, int]]
    ignored: Mapping[str, list[str]]
    notes: Sequence[str]
    dataset: Dataset
    rejected: int = 0
    rejects: Sequence[Reject] = ()
    reject_file: Path | None = None
    stored: Mapping[str, Counts] = field(default_factory=dict)


class _RejectFile:
    """Writes rejects to a file as they come, and remembers the first."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.first: list[Reject] = []
        self.records: set[tuple[str, int]] = set()

    def add(self, rejects: Sequence[Reject], /) -> None:
        """Write rejects, if there are any; the file begins with the first."""
        if not rejects:
            return
        self.records |= {(reject.file, reject.row) for reject in rejects}
        with self.path.open("a", encoding="utf-8", errors="replace", newline="") as stream:
            writer = csv.writer(stream)
            for reject in rejects:
                if not self.first:
                    writer.writerow(("file", "row", "column", "value", "allowed"))
                if len(self.first) < _SHOWN_REJECTS:
                    self.first.append(reject)
                writer.writerow((reject.file, reject.row, reject.column, reject.value, reject.allowed))


def import_to_folder(
    sources: Sequence[Path],
    out: Path,
    options: ImportOptions = AS_IS,
    progress: Progress | None = None,
) -> ImportSummary:
    """Check what sources hold and write it as a canonical folder ``out``.

    Bad rows are turned away and listed, good rows go on. An existing canonical folder is replaced once the new one is
    complete. Raises SourceError if a source as a whole cannot be read; nothing is written then.
    """
    for source in sources:
        if source.resolve().is_relative_to(out.resolve()):
            raise SourceError(f"{out}: the canonical folder would take the place of its source; name another one")
    report = progress or (lambda step, share: None)
    with replacing(out) as staging:
        rejects = _RejectFile(staging / REJECTS_FILE)
        gathered = gather(sources, options, report, rejects)

        def write(table: Table, settled: Settled) -> str:
            path = staging / table_file(table)
            return write_table(path, table, settled, partial(report, f"writing {table.name}"))

        dataset, notes, duplicates = _settled(gathered, write, report)
        if len(duplicates):
            pyarrow.csv.write_csv(duplicates, staging / DUPLICATES_FILE)
        write_dataset(staging, dataset, {name: gathered.counts[name].kept for name in TABLES})
    summary = _summary(str(out), gathered, dataset, notes)
    summary.rejected, summary.rejects = len(rejects.records), rejects.first
    summary.reject_file = out / REJECTS_FILE if rejects.records else None
    return summary


def import_to_store(
    sources: Sequence[Path],
    store: str,
    accepted_at: int,
    options: ImportOptions = AS_IS,
    progress: Progress | None = None,
    reject_file: Path | None = None,
) -> ImportSummary:
    """Check what sources hold and add to a store what it does not hold yet; the store is made if there is none.

    ``accepted_at`` (UTC seconds) is now. What was turned away goes to ``reject_file``, too, if one is named. Raises
    SourceError if a source as a whole cannot be read, StoreError if the store cannot be used; nothing is stored then.
    """
    gathered = gather(sources, options, progress)
    accepted = Store(store, create=True).add(gathered, accepted_at, progress)
    summary = _summary(shown(store), gathered, accepted.dataset, accepted.notes)
    summary.stored = accepted.counts
    if reject_file and gathered.rejects:
        whole = reject_file.with_name(f".{reject_file.name}.new")
        whole.unlink(missing_ok=True)
        _RejectFile(whole).add(gathered.rejects)
        os.replace(whole, reject_file)
        summary.reject_file = reject_file
    return summary


def try_import(
    sources: Sequence[Path],
    accepted_at: int,
    options: ImportOptions = AS_IS,
    progress: Progress | None = None,
    store: str = "",
) -> ImportSummary:
    """What an import would do, and what of it would be new to a ``store`` if there is one; nothing is written.

    Raises SourceError and StoreError as the import would.
    """
    gathered = gather(sources, options, progress)
    dataset, notes, _ = _settled(gathered, lambda table, settled: "", progress or (lambda step, share: None))
    summary = _summary("", gathered, dataset, notes)
    try:
        if store:
            summary.stored = Store(store).add(gathered, accepted_at, progress, rehearse=True).counts
    except NoSuchStore:
        summary.notes = [*summary.notes, f"There is no store {shown(store)} yet; the import would make it."]
    return summary


def _settled(
    gathered: Gathered, write: Callable[[Table, Settled], str], report: Progress
) -> tuple[Dataset, Sequence[str], pa.Table]:
    """The canonical tables of what was gathered, each handed to ``write``; the data set, notes and duplicates."""
    whole = resolved(gathered.rows, gathered.declarations)
    dataset, notes = canonical(lambda table: whole.rows[table.name], whole.declarations, gathered.counts, write, report)
    return dataset, [*whole.notes, *notes], whole.duplicates


def _summary(where: str, gathered: Gathered, dataset: Dataset, notes: Sequence[str]) -> ImportSummary:
    rejects = gathered.rejects
    return ImportSummary(
        where,
        gathered.counts,
        gathered.told,
        gathered.ignored,
        [*gathered.notes, *notes],
        dataset,
        len({(reject.file, reject.row) for reject in rejects}),
        rejects[:_SHOWN_REJECTS],
    )
