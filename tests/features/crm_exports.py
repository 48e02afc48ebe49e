"""What the tests of CRM exports share: exports of two made-up clients, written as each CRM writes them, and a History.

North Mill (contact Ada Birk) and South Works (contact Bo Lind) are clients of ours. The story is the same in every
CRM, as far as it has the records for it:

- A deal with North Mill is won on 2024-03-10, one with South Works lost on 2024-04-20, one with North Mill is open.
- Ada writes on 2024-03-01, we answer on 2024-03-02, and call her for 15 minutes on 2024-03-05.
- We meet South Works on 2024-04-02 from 09:00 to 10:00 UTC.
- We promise North Mill something by 2024-03-20 and keep it on 2024-03-18.
- North Mill complains on 2024-05-02 (put right on 2024-05-04), South Works asks something on 2024-05-06.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.histories.conversations import BOTH, CLIENT, US, conversations
from features.histories.history import History
from features.sources.files import read_tables
from features.sources.importing import import_to_folder
from features.sources.source import FILE, ROW, Found

Row = Mapping[str, object]


def seconds(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp())  # type: ignore[misc, arg-type]


def text(rows: Sequence[Row], delimiter: str = ",") -> str:
    """Rows as CSV, with a column for every name that any of them has."""
    stream = io.StringIO(newline="")
    names = dict.fromkeys(name for row in rows for name in row)
    writer = csv.DictWriter(stream, list(names), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def export(folder: Path, files: Mapping[str, Sequence[Row] | str]) -> Path:
    """A folder of exported files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in files.items():
        # As most CRMs do, with a byte order mark and Windows line ends.
        content = rows if isinstance(rows, str) else "\ufeff" + text(rows)
        (folder / name).write_text(content, encoding="utf-8", newline="")
    return folder


def history(found: Found, folder: Path) -> History:
    """The history of what was found, by way of the import, which must turn nothing away."""
    source = folder / "found"
    source.mkdir(parents=True)
    for name, rows in found.tables.items():
        kept = [column for column in rows.column_names if column not in (FILE, ROW)]
        pq.write_table(rows.select(kept), source / f"{name}.parquet")
    summary = import_to_folder([source], folder / "tables")
    assert summary.rejects == []
    return History.from_tables(read_tables(folder / "tables"))


def touches(found: History) -> list[tuple[str, int, str]]:
    """The touches of a history: account, when, and whose ("client", "us" or "both")."""
    linked = conversations(found).touches
    sides = {CLIENT: "client", US: "us", BOTH: "both"}
    return [
        (found.accounts[found.owner[segment]], int(at), sides[int(side)])
        for segment, at, side in zip(linked.segment, linked.at, linked.side, strict=True)
    ]


def rows_of(found: Found, table: str) -> list[dict[str, Any]]:
    """The rows of a table without what is unknown, and without file and row."""
    rows = found.tables[table]
    rows = rows.select([name for name in rows.column_names if name not in (FILE, ROW)])
    return [{name: value for name, value in row.items() if value is not None} for row in rows.to_pylist()]


def kinds(found: Found) -> list[tuple[str, str, str]]:
    """Account, kind and outcome of each interaction, sorted."""
    rows = found.tables["interactions"]
    outcome = rows["outcome"] if "outcome" in rows.column_names else pa.nulls(len(rows))
    names = (rows["account_id"].to_pylist(), rows["kind"].to_pylist(), outcome.to_pylist())
    return sorted((account, kind, ended or "") for account, kind, ended in zip(*names, strict=True))
