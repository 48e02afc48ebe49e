"""What the tests of the store share: sources on disk, and a look into a store by SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa

from features.histories.tables import TABLES, Tables
from features.sources.store_connection import address

Record = Mapping[str, Any]

NOW = 1_750_000_000
"""When batches are accepted, if nothing else is said."""


def source(folder: Path, world: Mapping[str, Sequence[Record]], part: str = "", **declared: str) -> Path:
    """A source folder of checked records (times as UTC seconds) as Parquet; several parts may lie in one folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, records in world.items():
        schema = TABLES[name].schema()
        columns = {column: None for record in records for column in record}
        arrays = {
            column: pa.array(
                [record.get(column) for record in records],
                schema.field(column).type if column in schema.names else None,
            )
            for column in columns
        }
        if arrays:
            pq.write_table(pa.table(arrays), folder / f"{name}{part}.parquet")
    if declared:
        lines = [f"{key} = {value}" for key, value in declared.items()]
        (folder / "dataset.toml").write_text("\n".join(["[dataset]", *lines]), encoding="utf-8")
    return folder


def message(number: int, at: int, **more: Any) -> dict[str, Any]:
    row = {"interaction_id": f"m{number}", "account_id": "a", "at": at, "kind": "message", "actor": "us"}
    return {**row, **more}


def plain(rows: pa.Table) -> list[dict[str, Any]]:
    """Rows without their unknown values, times as UTC seconds."""
    for place, name in enumerate(rows.column_names):
        if pa.types.is_timestamp(rows[name].type):
            rows = rows.set_column(place, name, rows[name].cast(pa.int64()))
    return [{name: value for name, value in row.items() if value is not None} for row in rows.to_pylist()]


def assert_same(one: Tables, other: Tables) -> None:
    """The same bit for bit: columns, their types and order, rows and their order, and what the data set says."""
    for field in fields(Tables):
        left, right = getattr(one, field.name), getattr(other, field.name)
        if isinstance(left, pa.Table):
            assert left.schema == right.schema
            assert left.equals(right), field.name
        else:
            assert left == right


def query(store: str, sql: str) -> list[dict[str, Any]]:
    """The rows of a query, by a library of another kind than the store's own."""
    engine = sa.create_engine(address(store), poolclass=sa.NullPool)
    with engine.connect() as connection:
        rows = [dict(row._mapping) for row in connection.execute(sa.text(sql))]
    engine.dispose()
    return rows
