"""Which arriving rows are new, against a slow account of the rules, and own columns on their way through JSON."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from features.histories.checks import settle_records
from features.histories.tables import ACCOUNTS, INTERACTIONS, STAGE_REVIEWS, Table
from features.sources.canonical import joined, no_rows, with_numbers
from features.sources.settling import BEFORE_ALL_TIMES, each_once
from features.sources.store_rows import arrived, as_versions, from_stored, to_stored
from features.sources.store_schema import BATCH, KNOWN, OWN, VERSIONS
from tests.features.stores import plain

Record = dict[str, Any]

times = st.sampled_from((None, 100, 200, 900))
FIELDS: dict[Table, dict[str, st.SearchStrategy[Any]]] = {
    INTERACTIONS: {
        "interaction_id": st.sampled_from("mn"),
        "account_id": st.just("a"),
        "at": st.sampled_from((50, 100)),
        "kind": st.just("message"),
        "actor": st.just("us"),
        "words": st.sampled_from((None, 1, 2)),
        "updated_at": times,
    },
    ACCOUNTS: {
        "account_id": st.sampled_from("ab"),
        "name": st.sampled_from((None, "A", "B")),
        "valid_from": st.sampled_from((None, 10)),
        "recorded_at": times,
    },
    STAGE_REVIEWS: {
        "account_id": st.sampled_from("ab"),
        "at": st.sampled_from((50, 100)),
        "stage": st.just("contract"),
        "reviewer": st.sampled_from((None, "x")),
    },
}


def moment(table: Table, row: Record) -> int:
    return next((row[name] for name in table.known if name in row), BEFORE_ALL_TIMES)


def slowly(table: Table, held: list[tuple[Record, int]], rows: list[Record], accepted_at: int) -> list[int]:
    """Add rows to those held, one by one, by the words of the rules; how many were updates, repeated, conflicting."""

    def same_thing(one: Record, other: Record) -> bool:
        return all(one.get(name) == other.get(name) for name in (str(table.key), *table.identity))

    before, counts = list(held), [0, 0, 0]
    for row in rows:
        if table.key is None:
            counts[1] += any(row == other for other, _ in before)
            if all(row != other for other, _ in before):
                held.append((row, moment(table, row)))
            continue
        versions = [(other, known) for other, known in before if same_thing(row, other)]
        rivals = [other for other, _ in versions if moment(table, other) == moment(table, row)]
        beside = [other for other, _ in versions] + [other for other in rows if same_thing(row, other)]
        known = moment(table, row)
        if row in rivals:
            counts[1] += 1
            continue
        if rivals:
            if any(moment(table, other) > moment(table, row) for other in beside):
                counts[2] += 1
                continue
            known = max(accepted_at, 1 + max(known for _, known in versions))
        counts[0] += bool(versions)
        held.append((row, known))
    return counts


def as_table(table: Table, rows: list[Record]) -> pa.Table:
    schema = table.schema()
    return pa.table(
        {name: pa.array([row.get(name) for row in rows], schema.field(name).type) for name in FIELDS[table]}
    )


@given(st.data(), st.sampled_from(list(FIELDS)))
def test_what_arrives_is_compared_by_the_rules(data: st.DataObject, table: Table) -> None:
    stored = no_rows(table).append_column(KNOWN, pa.array([], pa.int64()))
    held: list[tuple[Record, int]] = []
    fields = st.fixed_dictionaries(FIELDS[table])
    for accepted_at in (500, 500, 600):
        drawn = data.draw(st.lists(fields, max_size=6))
        records = [{name: value for name, value in row.items() if value is not None} for row in drawn]
        settled = each_once(table, as_table(table, records))
        rows = settled.rows.take(pa.array(settled.order))
        came = arrived(table, stored, rows, accepted_at)
        counts = slowly(table, held, [dict(row) for row in settle_records(table, records)], accepted_at)
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
