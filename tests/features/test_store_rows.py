"""Which arriving rows are new, against a slow account of the rules, and own columns on their way through JSON."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from features.histories.checks import settle_records
from features.histories.tables import ACCOUNTS, Table
from features.sources.canonical import joined, no_rows, with_numbers
from features.sources.settling import BEFORE_ALL_TIMES, each_once
from features.sources.store_rows import arrived, as_versions, from_stored, to_stored
from features.sources.store_schema import BATCH, KNOWN, OWN, VERSIONS
from tests.features.oracles.versions import RECORDS, Version, add_slowly, as_table
from tests.features.stores import plain


@given(st.data(), st.sampled_from(list(RECORDS)))
def test_what_arrives_is_compared_by_the_rules(data: st.DataObject, table: Table) -> None:
    stored = no_rows(table).append_column(KNOWN, pa.array([], pa.int64()))
    held: list[Version] = []
    for accepted_at in (500, 500, 600):
        records = data.draw(st.lists(RECORDS[table], max_size=6))
        settled = each_once(table, as_table(table, records))
        rows = settled.rows.take(pa.array(settled.order))
        came = arrived(table, stored, rows, accepted_at)
        counts = add_slowly(table, held, [dict(row) for row in settle_records(table, records)], accepted_at)
        assert [came.updated, came.repeated, came.conflicting] == counts
        known = pa.array(came.known, pa.int64(), mask=came.known == BEFORE_ALL_TIMES)
        stored = joined([stored, rows.take(pa.array(came.places)).append_column(KNOWN, known)])
        found = [(row, row.pop(KNOWN, BEFORE_ALL_TIMES)) for row in plain(stored)]
        assert sorted(map(repr, ((sorted(row.items()), known) for row, known in found))) == sorted(
            map(repr, ((sorted(row.items()), known) for row, known in held))
        )
        if table.key is not None:  # each version stays one of its own
            assert len(each_once(table, as_versions(table, stored)).order) == len(stored)


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=5)
numbers = st.floats(allow_nan=False, allow_infinity=False).map(lambda number: number + 0.0)


def through_the_store(rows: pa.Table, names: list[str]) -> pa.Table:
    """Rows as they come out of the store's tables, without a database."""
    stored = to_stored(rows, np.full(len(rows), BEFORE_ALL_TIMES), 1)
    absent = {column.name for column in VERSIONS["accounts"].c} - set(stored.column_names)
    for name in absent:
        stored = stored.append_column(name, pa.nulls(len(rows), pa.string() if name == OWN else pa.int64()))
    assert stored[BATCH].to_pylist() == [1] * len(rows)
    return from_stored(ACCOUNTS, stored, names).drop_columns([KNOWN])


@given(st.lists(st.tuples(texts | st.none(), numbers | st.none(), texts | st.none()), max_size=8))
def test_own_columns_come_out_as_they_went_in(values: list[tuple[str | None, float | None, str | None]]) -> None:
    one, two, three = zip(*values, strict=True) if values else ((), (), ())
    own = {'x_"ö"': pa.array(one, pa.string()), "x_2": pa.array(two, pa.float64()), "x_3": pa.array(three, pa.string())}
    rows = pa.table({"account_id": pa.array([f"a{place}" for place in range(len(values))], pa.string()), **own})
    found = through_the_store(rows, list(own))
    assert found['x_"ö"'].to_pylist() == list(one)
    assert found["x_3"].to_pylist() == list(three)
    assert with_numbers(found)["x_2"].combine_chunks().equals(own["x_2"])
    assert through_the_store(rows.select(["account_id"]), ["x_2"])["x_2"].null_count == len(values)


def test_long_own_texts_and_many() -> None:
    words = [f"{'w' * 150}{place}" for place in range(20_000)]
    rows = pa.table({"account_id": words, "x_word": words, "x_other": words[::-1]})
    assert through_the_store(rows, ["x_word", "x_other"])["x_word"].to_pylist() == words
