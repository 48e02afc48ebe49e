"""The import: a source folder through the door into a canonical folder."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from features.histories.batch_checks import check_batch
from features.histories.checks import shown
from features.histories.columns import Reject, Table
from features.histories.tables import TABLES, Dataset
from features.sources.canonical import TableCounts, canonical, joined, no_rows
from features.sources.declarations import Declarations, read_declarations
from features.sources.files import table_file
from features.sources.mapping import Section, content_ids, read_mapping
from features.sources.readers import SUFFIXES, SourceError, read_chunks
from features.sources.settling import Settled
from features.sources.source import Progress
from features.sources.writing import replacing, write_dataset, write_table

REJECTS_FILE = "rejects.csv"

_SHOWN_REJECTS = 10


@dataclass
class ImportSummary:
    """What an import did.

    ``rejects`` are the first rejected values (all are in ``rejects.csv``), ``ignored`` the unknown columns by file,
    ``notes`` what a user should know.
    """

    out: Path
    counts: dict[str, TableCounts] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)
    ignored: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    dataset: Dataset = field(default_factory=Dataset)

    @property
    def rejected(self) -> int:
        """How many rows were turned away."""
        return sum(counts.rejected for counts in self.counts.values())


_Work = list[tuple[Table, Section, Path]]


class _Rejects(Protocol):
    """Takes rows turned away, as they come."""

    def add(self, rejects: Sequence[Reject]) -> None:
        """Take some more."""


class _RejectFile:
    """Writes rejects to a file as they come, and remembers the first."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.first: list[Reject] = []

    def add(self, rejects: Sequence[Reject]) -> None:
        """Write rejects, if there are any; the file begins with the first."""
        if not rejects:
            return
        with self.path.open("a", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            for reject in rejects:
                if not self.first:
                    writer.writerow(("file", "row", "column", "value", "allowed"))
                if len(self.first) < _SHOWN_REJECTS:
                    self.first.append(reject)
                writer.writerow((reject.file, reject.row, reject.column, reject.value, reject.allowed))


def import_folder(
    source: Path, out: Path, mapping: Path | None = None, progress: Progress | None = None
) -> ImportSummary:
    """Check the tables of ``source`` and write them as a canonical folder ``out``.

    Each table may lie in several files (``interactions.csv``, ``interactions-2024.jsonl.gz``). Bad rows are turned away
    and listed, good rows go on. An existing canonical folder is replaced once the new one is complete. Raises
    SourceError if the source as a whole cannot be read; nothing is written then.
    """
    source, out = Path(source), Path(out)
    if source.resolve().is_relative_to(out.resolve()):
        raise SourceError(f"{out}: the canonical folder would take the place of its source; name another one")
    declarations, work = _plan(source, mapping)
    report = progress or (lambda step, share: None)
    summary = ImportSummary(out, {name: TableCounts() for name in TABLES})
    with replacing(out) as staging:
        rejects = _RejectFile(staging / REJECTS_FILE)

        def read(table: Table) -> pa.Table:
            return _good_rows(table, work, summary, rejects, report)

        def write(table: Table, settled: Settled) -> str:
            path = staging / table_file(table)
            return write_table(path, table, settled, partial(report, f"writing {table.name}"))

        dataset, notes = canonical(read, declarations, summary.counts, write, report)
        summary.notes += notes
        write_dataset(staging, dataset, {name: summary.counts[name].kept for name in TABLES})
    summary.dataset, summary.rejects = dataset, rejects.first
    summary.ignored = {file: names for file, names in summary.ignored.items() if names}
    return summary


@dataclass(frozen=True)
class Gathered:
    """What a source holds, checked but not settled, as a store takes it.

    ``rows`` by table, own columns as they were read; ``counts`` what was read and rejected, ``ignored`` unknown columns
    by file, ``rejects`` all that was turned away.
    """

    source: str
    rows: Mapping[str, pa.Table]
    declarations: Declarations
    counts: Mapping[str, TableCounts] = field(default_factory=dict)
    ignored: Mapping[str, list[str]] = field(default_factory=dict)
    rejects: Sequence[Reject] = ()


class _RejectList(list[Reject]):
    add = list.extend


def gather(source: Path, mapping: Path | None = None, progress: Progress | None = None) -> Gathered:
    """Read and check the tables of a folder as ``import_folder`` does, for a store. Raises SourceError."""
    declarations, work = _plan(source, mapping)
    summary = ImportSummary(source, {name: TableCounts() for name in TABLES})
    rejects = _RejectList()
    report = progress or (lambda step, share: None)
    rows = {name: _good_rows(table, work, summary, rejects, report) for name, table in TABLES.items()}
    ignored = {file: names for file, names in summary.ignored.items() if names}
    return Gathered(str(source), rows, declarations, summary.counts, ignored, rejects)


def _plan(source: Path, mapping: Path | None) -> tuple[Declarations, _Work]:
    """What a source folder declares, and which files give rows of which tables. Raises SourceError."""
    if not source.is_dir():
        raise SourceError(f"{source}: there is no such folder")
    plan = read_mapping(mapping)
    declarations = read_declarations(source, plan.declared)
    work = [
        (table, section, path)
        for table in TABLES.values()
        for section in plan.sections[table.name]
        for path in _files(source, table, section)
    ]
    if not work:
        endings = ", ".join(SUFFIXES)
        raise SourceError(f"{source}: holds no table, such as interactions.csv ({endings}, or .gz after them)")
    return declarations, work


def _good_rows(table: Table, work: _Work, summary: ImportSummary, rejects: _Rejects, report: Progress) -> pa.Table:
    """The good rows of a table from all its files."""
    parts = [no_rows(table)]
    for wanted, section, path in work:
        if wanted is table:
            parts += _import_file(section, path, summary, rejects, report)
    return joined(parts)


def _files(source: Path, table: Table, section: Section) -> list[Path]:
    """The files of a section, in the order of their names."""
    if section.files:
        found = sorted({path for pattern in section.files for path in source.glob(pattern) if path.is_file()})
        if not found:
            raise SourceError(f"{source}: no file matches {', '.join(section.files)}, which the mapping names")
        for path in found:
            if not path.name.removesuffix(".gz").endswith(SUFFIXES):
                raise SourceError(f"{path.name}: its name must end in {', '.join(SUFFIXES)}, or .gz after it")
        return found
    endings = "|".join(map(re.escape, SUFFIXES))
    named = re.compile(rf"{table.name}([-_.].*)?({endings})(\.gz)?")
    return sorted(path for path in source.iterdir() if path.is_file() and named.fullmatch(path.name))


def _import_file(
    section: Section, path: Path, summary: ImportSummary, rejects: _Rejects, report: Progress
) -> list[pa.Table]:
    """The good rows of one file."""
    counts = summary.counts[section.table.name]
    seen: set[str] = set()
    parts: list[pa.Table] = []

    def select(names: Iterable[str]) -> set[str]:
        missing = section.required_from(names)
        if missing and not seen:
            raise SourceError(
                f"{path.name}: has no column {missing[0]}, which is required (a mapping can supply it); "
                f"found: {', '.join(names) or 'none'}"
            )
        seen.update(names)
        return {name for name in names if name in section.needed or section.taken_as_is(name)}

    for chunk in read_chunks(path, select, section.sheet):
        columns = section.apply(chunk.columns, chunk.numbers, path.name)
        good, kept, wrong = check_batch(section.table, columns, path.name, chunk.numbers)
        wrong += [Reject(path.name, row.row, row.column, shown(row.value), row.allowed) for row in chunk.broken]
        rejects.add(sorted(wrong, key=lambda reject: reject.row))
        counts.read += len(chunk.numbers) + len(chunk.broken)
        counts.rejected += len(chunk.numbers) - len(kept) + len(chunk.broken)
        parts.append(good)
        report(f"reading {path.name}", chunk.share)
    unknown = sorted(name for name in seen if name not in section.needed and not section.taken_as_is(name))
    before = summary.ignored.get(path.name)
    summary.ignored[path.name] = unknown if before is None else [name for name in unknown if name in before]
    absent = section.absent_from(seen)
    if absent and seen:
        found = ", ".join(sorted(seen))
        raise SourceError(f"{path.name}: has no column {absent[0]}, which the mapping names; found: {found}")
    if section.from_content and parts:
        rows = joined(parts)
        return [rows.append_column(section.from_content, content_ids(rows))]
    return parts
