"""What was known at any time, however many batches came since, against a slow account of it."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from features.histories.checks import settle_records
from features.histories.tables import Dataset, Table
from features.sources.declarations import Declarations
from features.sources.gathering import Gathered
from features.sources.store import Store
from tests.features.oracles.versions import RECORDS, Record, Version, add_slowly, as_table, known_by
from tests.features.stores import assert_same, plain

MOMENTS = (49, 99, 100, 150, 250, 499, 500, 501, 700, 900, 1_000)
AFTER_ALL = 10_000
BATCHES_AT = (500, 700, 700)


batches = st.fixed_dictionaries({table: st.lists(rows, max_size=4) for table, rows in RECORDS.items()})


@settings(max_examples=10)
@given(data=st.data())
def test_what_was_known_at_any_time_stays_readable(sqlite_store: Path, data: st.DataObject) -> None:
    moments = data.draw(st.lists(st.sampled_from(MOMENTS), min_size=2, max_size=2, unique=True))
    held: dict[Table, list[Version]] = {table: [] for table in RECORDS}
    seen: dict[tuple[Table, int], list[Record]] = {}
    with tempfile.TemporaryDirectory() as folder:
        store = Store(shutil.copyfile(sqlite_store, Path(folder) / "store.db"))
        for accepted_at in BATCHES_AT:
            batch = data.draw(batches)
            rows = {table.name: as_table(table, found) for table, found in batch.items()}
            accepted = store.add(Gathered("drawn", rows, Declarations(Dataset())), accepted_at)
            for table, found in batch.items():
                once = [dict(row) for row in settle_records(table, found)]
                updated, _, _ = add_slowly(table, held[table], once, accepted_at)
                assert accepted.counts[table.name].updated == updated
            for moment in moments:
                tables = store.tables(known_by=moment)
                for table, expected in known_by(held, moment).items():
                    found = plain(getattr(tables, table.name))
                    assert found == expected
                    # Accounts that other rows name are there without a row of their own, until one comes.
                    lost = [row for row in seen.get((table, moment), []) if row not in found]
                    assert all(row.keys() == {"account_id"} for row in lost)
                    seen[table, moment] = found
        assert_same(store.tables(known_by=AFTER_ALL), store.tables())
