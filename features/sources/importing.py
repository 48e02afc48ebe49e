"""The import: a source folder through the door into a canonical folder."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.histories.batch_checks import check_batch, numbers_if_all
from features.histories.checks import shown
from features.histories.columns import OWN_PREFIX, Reject, Table
from features.histories.tables import ACCOUNTS, CONTACTS, DEALS, INTERACTIONS, STAGE_REVIEWS, TABLES, Dataset
from features.sources.declarations import event_times, read_declarations, resolved
from features.sources.mapping import Section, content_ids, read_mapping
from features.sources.readers import SUFFIXES, Array, SourceError, read_chunks
from features.sources.settling import Settled, settle
from features.sources.writing import replacing, write_dataset, write_table

REJECTS_FILE = "rejects.csv"

Progress = Callable[[str, float], None]
"""Called with what is being done and how much of it is (0 to 1)."""

_SHOWN_REJECTS = 10
_MANY_CATEGORIES = 1_000


@dataclass
class TableCounts:
    """Rows of one table: read, rejected, dropped as repetitions or in conflict, and kept.

    ``created`` and ``versions`` (rows beside an earlier version of the same thing) are among those kept.
    """

    read: int = 0
    rejected: int = 0
    repeated: int = 0
    conflicting: int = 0
    created: int = 0
    versions: int = 0
    kept: int = 0


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
    if not source.is_dir():
        raise SourceError(f"{source}: there is no such folder")
    if source.resolve().is_relative_to(out.resolve()):
        raise SourceError(f"{out}: the canonical folder would take the place of its source; name another one")
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
    report = progress or (lambda step, share: None)
    summary = ImportSummary(out, {name: TableCounts() for name in TABLES})
    with replacing(out) as staging:
        rejects = _RejectFile(staging / REJECTS_FILE)
        accounts, contacts = _no_rows(ACCOUNTS), _no_rows(CONTACTS)
        digests: dict[str, str] = {}
        dataset, span = declarations.dataset, []
        # Accounts and contacts come last: by then it is known which of them the other tables name.
        for table in (INTERACTIONS, DEALS, STAGE_REVIEWS, CONTACTS, ACCOUNTS):
            counts = summary.counts[table.name]
            parts = [_no_rows(table)]
            for wanted, section, path in work:
                if wanted is table:
                    parts += _import_file(section, path, summary, rejects, report)
            rows = _with_numbers(_joined(parts))
            if table is CONTACTS:
                rows, counts.created = _with_created(rows, contacts, "contact_id")
            elif table is ACCOUNTS:
                rows, counts.created = _with_created(rows, accounts, "account_id")
            report(f"sorting {table.name}", 0.0)
            settled = settle(table, rows)
            del rows, parts
            report(f"sorting {table.name}", 1.0)
            counts.repeated, counts.conflicting = settled.repeated, settled.conflicting
            counts.versions, counts.kept = settled.versions, len(settled.order)
            if table is INTERACTIONS:
                dataset = resolved(declarations, settled.rows)
                contacts = _named_contacts(settled.rows, settled.order)
            if table in (INTERACTIONS, DEALS):
                span += _span(table, settled.rows)
            named = _named_accounts(settled.rows, settled.order)
            accounts = _with_created(accounts, named, "account_id")[0]
            digests[table.name] = write_table(staging, table, settled, partial(report, f"writing {table.name}"))
            summary.notes += _notes(table, settled, counts, dataset)
        dataset = replace(
            dataset,
            versioned=frozenset(name for name, counts in summary.counts.items() if counts.versions),
            span=(min(span), max(span)) if span else None,
            sha256=hashlib.sha256("".join(digests[name] for name in TABLES).encode()).hexdigest(),
        )
        write_dataset(staging, dataset, {name: summary.counts[name].kept for name in TABLES})
    summary.dataset, summary.rejects = dataset, rejects.first
    summary.ignored = {file: names for file, names in summary.ignored.items() if names}
    return summary


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
    section: Section, path: Path, summary: ImportSummary, rejects: _RejectFile, report: Progress
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

    for chunk in read_chunks(path, select):
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
    absent = sorted(section.needed - seen)
    if absent and seen:
        found = ", ".join(sorted(seen))
        raise SourceError(f"{path.name}: has no column {absent[0]}, which the mapping names; found: {found}")
    if section.from_content and parts:
        rows = _joined(parts)
        return [rows.append_column(section.from_content, content_ids(rows))]
    return parts


def _joined(parts: list[pa.Table]) -> pa.Table:
    """All parts as one table with the columns that any of them has; own columns that differ in type as strings."""
    parts = [part for part in parts if part.num_columns]
    types: dict[str, set[pa.DataType]] = {}
    for part in parts:
        for name in part.column_names:
            types.setdefault(name, set()).add(part[name].type)
    for name in (name for name, found in types.items() if len(found) > 1):
        parts = [
            part.set_column(part.column_names.index(name), name, part[name].cast(pa.string()))
            if name in part.column_names
            else part
            for part in parts
        ]
    return pa.concat_tables(parts, promote_options="default")


def _with_numbers(rows: pa.Table) -> pa.Table:
    """The rows with own columns as numbers where every value is one; the others are categories."""
    for place, name in enumerate(rows.column_names):
        if name.startswith(OWN_PREFIX) and pa.types.is_string(rows[name].type):
            rows = rows.set_column(place, name, numbers_if_all(rows[name].combine_chunks()))
    return rows


def _no_rows(table: Table) -> pa.Table:
    """An empty table of the required columns, so that these are there even where nothing was read."""
    return pa.schema([(column.name, column.arrow_type) for column in table.columns if column.required]).empty_table()


def _with_created(rows: pa.Table, named: pa.Table, key: str) -> tuple[pa.Table, int]:
    """The rows and one more for each named thing that they do not hold, and how many those are."""
    missing = named.filter(pc.invert(pc.is_in(named[key], rows[key].combine_chunks())))
    return _joined([rows, missing]), len(missing)


def _named_accounts(rows: pa.Table, order: Array) -> pa.Table:
    """The accounts that rows name."""
    names = [name for name in ("account_id", "related_account_id") if name in rows.column_names]
    columns = [pc.unique(rows[name].take(pa.array(order))).drop_null() for name in names]
    return pa.table({"account_id": pc.unique(pa.chunked_array(columns, pa.string()))})


def _named_contacts(rows: pa.Table, order: Array) -> pa.Table:
    """The contacts that interactions name, each with the account of its earliest event."""
    columns = [name for name in ("contact_id", "related_contact_id") if name in rows.column_names]
    index = pa.array(order)
    account, at = rows["account_id"].take(index), rows["at"].take(index)
    parts = [pa.table({"contact_id": rows[name].take(index), "account_id": account, "at": at}) for name in columns]
    if not parts:
        return _no_rows(CONTACTS)
    pairs = pa.concat_tables(parts).group_by(["contact_id", "account_id"]).aggregate([("at", "min")])
    pairs = pairs.filter(pc.is_valid(pairs["contact_id"]))
    pairs = pairs.sort_by([(name, "ascending") for name in ("contact_id", "at_min", "account_id")])
    first = np.append(True, pc.not_equal(pairs["contact_id"][1:], pairs["contact_id"][:-1]).to_numpy())
    return pairs.select(["contact_id", "account_id"]).filter(pa.array(first[: len(pairs)]))


def _span(table: Table, rows: pa.Table) -> list[int]:
    """The first and the last moment that a table tells of, [] if none."""
    if not len(rows):
        return []
    if table is INTERACTIONS:
        times = event_times(rows)
        return [int(times.min()), int(times.max())]
    names = [name for name in ("opened_at", "closed_at") if name in rows.column_names]
    bounds = [pc.min_max(rows[name].cast(pa.int64())) for name in names]
    return [bound[end].as_py() for bound in bounds for end in ("min", "max") if bound[end].is_valid]


def _notes(table: Table, settled: Settled, counts: TableCounts, dataset: Dataset) -> list[str]:
    """What a user should know of a table."""
    rows, notes = settled.rows, []
    own = sorted(name for name in rows.column_names if name.startswith(OWN_PREFIX))
    if counts.created:
        notes.append(f"{table.name}: created {counts.created:,} that rows name but no table holds")
    if counts.conflicting:
        notes.append(
            f"{table.name}: dropped {counts.conflicting:,} rows that claim the same {table.key} and time as another "
            "but say something else"
        )
    for name in own:
        texts = pc.count_distinct(rows[name]).as_py() if pa.types.is_string(rows[name].type) else 0
        if texts > _MANY_CATEGORIES:
            notes.append(f"{table.name}: {name} holds {texts:,} texts, taken as categories; are they meant so?")
    if "valid_from" in table.column:
        notes += _undated(table, rows, own, dataset)
    return notes


def _undated(table: Table, rows: pa.Table, own: list[str], dataset: Dataset) -> list[str]:
    dates = {"valid_from", "recorded_at", "updated_at", "created_at", "account_id", "contact_id"}
    undated = rows.filter(rows["valid_from"].is_null()) if "valid_from" in rows.column_names else rows
    filled = [name for name in rows.column_names if name not in dates and undated[name].null_count < len(undated)]
    notes = []
    if filled:
        notes.append(f"{table.name}: values without valid_from are taken as always true ({', '.join(filled)})")
    loose = [name for name in own if name in filled and name not in dataset.static]
    if loose and table is ACCOUNTS:
        notes.append(
            f"accounts: {', '.join(loose)} left out of training, for what holds today tells of the future; "
            "give valid_from, or declare them static"
        )
    return notes
