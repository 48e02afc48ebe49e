"""Tables as files: CSV, JSON Lines, Parquet and XLSX, under their own names or as a mapping says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from features.histories.batch_checks import check_batch
from features.histories.checks import shown
from features.histories.columns import Reject, Table
from features.histories.tables import TABLES
from features.sources.canonical import TableCounts, joined
from features.sources.crm.recognise import recognise
from features.sources.files import is_canonical
from features.sources.mapping import Section, SourceMapping, content_ids
from features.sources.readers import SUFFIXES, SourceError, read_chunks
from features.sources.source import Progress

Planned = list[tuple[Section, Path]]
"""Which files give rows of which tables."""


class Rejects(Protocol):
    """Takes what is turned away, as it comes."""

    def add(self, rejects: Sequence[Reject], /) -> None:
        """Take some more."""


@dataclass
class Checked:
    """The good rows of each table as they gather, how many were read and rejected, and unknown columns by file."""

    rejects: Rejects
    rows: dict[str, list[pa.Table]] = field(default_factory=dict)
    counts: dict[str, TableCounts] = field(default_factory=lambda: {name: TableCounts() for name in TABLES})
    ignored: dict[str, list[str]] = field(default_factory=dict)

    def add(self, table: str, good: pa.Table, read: int, wrong: Sequence[Reject]) -> None:
        """Take the good ones of the rows read, and what is wrong with the others."""
        self.rows.setdefault(table, []).append(good)
        self.counts[table].read += read
        self.counts[table].rejected += read - len(good)
        self.rejects.add(wrong)


def planned(source: Path, mapping: SourceMapping) -> Planned:
    """The files of a folder, or a single file, that are tables: by a mapping, else by their names, such as
    ``interactions-2024.csv``; not those whose columns are a CRM's. [] if there are none. Raises SourceError."""
    if source.is_dir():
        known = is_canonical(source)
        return [
            (section, path)
            for table in TABLES.values()
            for section in mapping.sections[table.name]
            for path in _files(source, section)
            if known or section.origins or not recognise(path)
        ]
    if not _is_table_file(source):
        return []
    sections = [section for name in TABLES for section in mapping.sections[name]]
    named = [one for one in sections if any(fnmatch(source.name, pattern) for pattern in one.files)]
    named = named or [one for one in sections if not one.files and _named_like(one.table).fullmatch(source.name)]
    named = named or [one for one in sections if not one.files and one.origins]
    if len(named) > 1:
        told = ", ".join(section.table.name for section in named)
        raise SourceError(f"{source.name}: which table is it? The mapping has several without files: {told}")
    return [(one, source) for one in named if one.origins or not recognise(source)]


def _is_table_file(path: Path) -> bool:
    return path.name.removesuffix(".gz").endswith(SUFFIXES)


def _named_like(table: Table) -> re.Pattern[str]:
    endings = "|".join(map(re.escape, SUFFIXES))
    return re.compile(rf"{table.name}([-_.].*)?({endings})(\.gz)?")


def _files(source: Path, section: Section) -> list[Path]:
    """The files of a section in a folder, in the order of their names."""
    if not section.files:
        named = _named_like(section.table)
        return sorted(path for path in source.iterdir() if path.is_file() and named.fullmatch(path.name))
    found = sorted({path for pattern in section.files for path in source.glob(pattern) if path.is_file()})
    if not found:
        raise SourceError(f"{source}: no file matches {', '.join(section.files)}, which the mapping names")
    for path in found:
        if not _is_table_file(path):
            raise SourceError(f"{path.name}: its name must end in {', '.join(SUFFIXES)}, or .gz after it")
    return found


def read_planned(plan: Planned, checked: Checked, report: Progress) -> None:
    """Read and check files into ``checked``. Raises SourceError where one as a whole cannot be read."""
    for section, path in plan:
        _read_file(section, path, checked, report)


def _read_file(section: Section, path: Path, checked: Checked, report: Progress) -> None:
    seen: set[str] = set()
    parts: list[pa.Table] = []
    name = section.table.name

    def select(names: Iterable[str]) -> set[str]:
        missing = section.required_from(names)
        if missing and not seen:
            raise SourceError(
                f"{path.name}: has no column {missing[0]}, which is required (a mapping can supply it: "
                f"rapport import --suggest {path.name} proposes one); found: {', '.join(names) or 'none'}"
            )
        seen.update(names)
        return {name for name in names if name in section.needed or section.taken_as_is(name)}

    for chunk in read_chunks(path, select, section.sheet):
        columns = section.apply(chunk.columns, chunk.numbers, path.name)
        good, _, wrong = check_batch(section.table, columns, path.name, chunk.numbers)
        wrong += [Reject(path.name, row.row, row.column, shown(row.value), row.allowed) for row in chunk.broken]
        wrong.sort(key=lambda reject: reject.row)
        checked.add(name, good, len(chunk.numbers) + len(chunk.broken), wrong)
        parts.append(good)
        report(f"reading {path.name}", chunk.share)
    _ignore(checked.ignored, path.name, section, seen)
    absent = section.absent_from(seen)
    if absent and seen:
        found = ", ".join(sorted(seen))
        raise SourceError(f"{path.name}: has no column {absent[0]}, which the mapping names; found: {found}")
    if section.from_content and parts:
        del checked.rows[name][-len(parts) :]
        rows = joined(parts)
        checked.rows[name].append(rows.append_column(section.from_content, content_ids(rows)))


def _ignore(ignored: dict[str, list[str]], file: str, section: Section, seen: Iterable[str]) -> None:
    """Remember a file's unknown columns: those that no table made of it has a use for."""
    unknown = sorted(name for name in seen if name not in section.needed and not section.taken_as_is(name))
    before: Mapping[str, list[str]] = dict(ignored)
    ignored[file] = [name for name in unknown if name in before[file]] if file in before else unknown
