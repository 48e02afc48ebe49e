"""From checked rows to canonical tables, the part that a folder and a store have in common.

Versions settle, what rows name is created, observation ends and the span are worked out, and each table is handed on to
be written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.histories.batch_checks import numbers_if_all
from features.histories.columns import OWN_PREFIX, Table
from features.histories.tables import ACCOUNTS, CONTACTS, DEALS, INTERACTIONS, STAGE_REVIEWS, TABLES, Dataset
from features.sources.declarations import Declarations, event_times, resolved
from features.sources.readers import Array
from features.sources.settling import Settled, settle
from features.sources.source import Progress

_EVENT_TIMES = ("at", "recorded_at", "opened_at", "closed_at")
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


def canonical(
    read: Callable[[Table], pa.Table],
    declarations: Declarations,
    counts: Mapping[str, TableCounts],
    write: Callable[[Table, Settled], str],
    report: Progress,
) -> tuple[Dataset, list[str]]:
    """Settle the rows that ``read`` gives of each table and hand them to ``write``, which returns their hash.

    Fills in ``counts`` (by table name) and returns what the data set says of itself and what a user should know. Rows
    come as ``joined`` gives them: own columns as they were read.
    """
    accounts, contacts = no_rows(ACCOUNTS), no_rows(CONTACTS)
    digests: dict[str, str] = {}
    dataset, span, notes = declarations.dataset, list[int](), list[str]()
    # Accounts and contacts come last: by then it is known which of them the other tables name.
    for table in (INTERACTIONS, DEALS, STAGE_REVIEWS, CONTACTS, ACCOUNTS):
        count = counts[table.name]
        rows = with_numbers(read(table))
        if table is CONTACTS:
            rows, count.created = _with_created(rows, contacts, "contact_id")
        elif table is ACCOUNTS:
            rows, count.created = _with_created(rows, accounts, "account_id")
        report(f"sorting {table.name}", 0.0)
        settled = settle(table, rows)
        del rows
        report(f"sorting {table.name}", 1.0)
        count.repeated, count.conflicting = settled.repeated, settled.conflicting
        count.versions, count.kept = settled.versions, len(settled.order)
        if table is INTERACTIONS:
            dataset = resolved(declarations, settled.kept({"account_id", *_EVENT_TIMES, declarations.group}))
            contacts = _named_contacts(settled.rows, settled.order)
        if table in (INTERACTIONS, DEALS):
            span += _span(table, settled.kept(_EVENT_TIMES))
        named = _named_accounts(settled.rows, settled.order)
        accounts = _with_created(accounts, named, "account_id")[0]
        digests[table.name] = write(table, settled)
        notes += _notes(table, settled, count, dataset)
    dataset = replace(
        dataset,
        versioned=frozenset(name for name, count in counts.items() if count.versions),
        span=(min(span), max(span)) if span else None,
        sha256=hashlib.sha256("".join(digests[name] for name in TABLES).encode()).hexdigest(),
    )
    return dataset, notes


def joined(parts: list[pa.Table]) -> pa.Table:
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


def with_numbers(rows: pa.Table) -> pa.Table:
    """The rows with own columns as numbers where every value is one; the others are categories."""
    for place, name in enumerate(rows.column_names):
        if name.startswith(OWN_PREFIX) and pa.types.is_string(rows[name].type):
            rows = rows.set_column(place, name, numbers_if_all(rows[name].combine_chunks()))
    return rows


def no_rows(table: Table) -> pa.Table:
    """An empty table of the required columns, so that these are there even where nothing was read."""
    return pa.schema([(column.name, column.arrow_type) for column in table.columns if column.required]).empty_table()


def _with_created(rows: pa.Table, named: pa.Table, key: str) -> tuple[pa.Table, int]:
    """The rows and one more for each named thing that they do not hold, and how many those are."""
    missing = named.filter(pc.invert(pc.is_in(named[key], rows[key].combine_chunks())))
    return joined([rows, missing]), len(missing)


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
        return no_rows(CONTACTS)
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
