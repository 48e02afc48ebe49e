"""The same account by batch (files, import, tables) and by request (records) gives the same numbers, bit for bit."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from features.histories.history import History
from features.histories.log import DAY
from features.histories.tables import TABLES, Dataset, check_records
from features.sources.files import read_tables
from features.sources.importing import import_to_folder
from tests.features.helpers import differences, matrix_of
from tests.features.worlds import BEGIN, World, random_world

MOMENTS = [BEGIN + days * DAY for days in (40, 200, 420, 499)]
TIMES = {name: {column.name for column in table.columns if column.type == "time"} for name, table in TABLES.items()}


def as_documents(world: World) -> World:
    """The world's rows as a source would write them: times as ISO 8601."""

    def written(table: str, name: str, value: Any) -> Any:
        return datetime.fromtimestamp(value, UTC).isoformat() if name in TIMES[table] else value

    return {
        table: [{name: written(table, name, value) for name, value in row.items()} for row in rows]
        for table, rows in world.items()
    }


@pytest.mark.parametrize("seed", range(5))
def test_batch_equals_request(seed: int, tmp_path: Path) -> None:
    documents = as_documents(random_world(seed, accounts=4, touches=120))
    source = tmp_path / "source"
    source.mkdir()
    for table, rows in documents.items():
        if rows:
            (source / f"{table}.jsonl").write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    summary = import_to_folder([source], tmp_path / "tables")
    assert summary.rejected == 0
    tables = read_tables(tmp_path / "tables")
    assert tables.dataset.versioned
    batch = matrix_of(History.from_tables(tables), MOMENTS)

    checked = {}
    for table, rows in documents.items():
        checked[table], rejects, _ = check_records(TABLES[table], rows, table)
        assert rejects == []
    request = matrix_of(History.from_records(checked, Dataset()), MOMENTS)
    assert differences(batch, request) == []
