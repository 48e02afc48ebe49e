"""All rules of who is who, one after the other, on the rows that canonical tables are made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from features.sources.declarations import Declarations
from features.sources.entities.duplicates import SCHEMA, left_out, told_twice
from features.sources.entities.merged import merged_declarations, merged_rows
from features.sources.entities.moved import stayed
from features.sources.entities.people import listed_people, under_listed_ids


@dataclass(frozen=True)
class Resolved:
    """Rows by table and declarations with everything under one name, the duplicates left out, and what to tell."""

    rows: Mapping[str, pa.Table]
    declarations: Declarations
    duplicates: pa.Table
    notes: Sequence[str]


def resolved(
    rows: Mapping[str, pa.Table], declarations: Declarations, into: Mapping[str, str] | None = None
) -> Resolved:
    """Rows of all tables, as ``canonical`` takes them, by the rules of ``docs/entities.md``.

    ``into`` holds the merges in force: account → the account that it is now.
    """
    one = dict(rows)
    if into:
        one, declarations = merged_rows(one, into), merged_declarations(declarations, into)
    if not len(one["interactions"]):
        return Resolved(one, declarations, SCHEMA.empty_table(), [])
    one["interactions"] = stayed(one["interactions"], one["contacts"])
    if listed := listed_people(one["contacts"]):
        one["contacts"], one["interactions"] = under_listed_ids(one["contacts"], one["interactions"], listed)
    duplicates = told_twice(one["interactions"])
    one["interactions"] = left_out(one["interactions"], duplicates)
    return Resolved(one, declarations, duplicates, _notes(duplicates))


def _notes(duplicates: pa.Table) -> list[str]:
    told = Counter(
        f"{row['kept_source']} counts, not {row['source']} ({row['because']})" for row in duplicates.to_pylist()
    )
    return [f"interactions: {times:,} are told of twice: {how}" for how, times in sorted(told.items())]
