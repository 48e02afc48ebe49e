"""A slow account of what a store makes of batches of rows, and of what was known at any time, by the words of the
rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from features.histories.checks import settle_records
from features.histories.tables import ACCOUNTS, DEALS, INTERACTIONS, STAGE_REVIEWS, Table

Record = dict[str, Any]
Version = tuple[Record, int]
"""A row, and from when it is known."""

EVER = -(1 << 62)
"""From when rows are known that say nothing of it."""


def records(
    required: dict[str, st.SearchStrategy[Any]], optional: dict[str, st.SearchStrategy[Any]]
) -> st.SearchStrategy[Record]:
    return st.fixed_dictionaries(required, optional=optional)


times = st.sampled_from((100, 200, 900))
RECORDS: dict[Table, st.SearchStrategy[Record]] = {
    INTERACTIONS: records(
        {
            "interaction_id": st.sampled_from("mn"),
            "account_id": st.just("a"),
            "at": st.sampled_from((50, 100)),
            "kind": st.just("message"),
            "actor": st.just("us"),
        },
        {"words": st.sampled_from((1, 2)), "updated_at": times},
    ),
    ACCOUNTS: records(
        {"account_id": st.sampled_from("ab")},
        {"name": st.sampled_from("AB"), "valid_from": st.just(10), "recorded_at": times},
    ),
    DEALS: records(
        {"deal_id": st.sampled_from("de"), "account_id": st.sampled_from("bc"), "opened_at": st.just(50)},
        {"recorded_at": times},
    ).flatmap(
        lambda deal: st.sampled_from(
            (deal, {**deal, "outcome": "open"}, {**deal, "outcome": "won", "closed_at": 150, "updated_at": 300},
             {**deal, "outcome": "lost", "closed_at": 150})
        )
    ),
    STAGE_REVIEWS: records(
        {"account_id": st.sampled_from("ab"), "at": st.sampled_from((50, 100)), "stage": st.just("contract")},
        {"reviewer": st.just("x")},
    ),
}  # fmt: skip


def as_table(table: Table, rows: Sequence[Record]) -> pa.Table:
    """Rows as a source gives them, checked."""
    names = [column.name for column in table.columns if column.required or any(column.name in row for row in rows)]
    schema = table.schema()
    return pa.table({name: pa.array([row.get(name) for row in rows], schema.field(name).type) for name in names})


def moment(table: Table, row: Record) -> int:
    """From when a row says that it is known."""
    return next((row[name] for name in table.known if name in row), EVER)


def add_slowly(table: Table, held: list[Version], rows: Sequence[Record], accepted_at: int) -> list[int]:
    """Add rows, each once, to those held, one by one; how many were updates, repeated, conflicting."""

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


def known_by(held: dict[Table, list[Version]], at: int) -> dict[Table, list[Record]]:
    """The canonical rows of what was known at a moment; accounts that rows name are there."""
    then: dict[Table, list[Record]] = {}
    for table, versions in held.items():
        known = [(row, since) for row, since in versions if since <= at]
        then[table] = [row if since == moment(table, row) else {**row, "updated_at": since} for row, since in known]
    named = {row["account_id"] for rows in then.values() for row in rows}
    missing = named - {row["account_id"] for row in then[ACCOUNTS]}
    then[ACCOUNTS] += [{"account_id": account} for account in missing]
    return {table: [dict(row) for row in settle_records(table, rows)] for table, rows in then.items()}
