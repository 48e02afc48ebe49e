"""The page ``docs/tables.md``, made from the definitions; run this module to print it."""

from __future__ import annotations

from datetime import UTC, datetime

from features.histories.columns import OWN_PREFIX, Column, Table
from features.histories.tables import ALLOWED_BY_KIND, TABLES
from features.histories.values import LATEST, LONGEST_ID, LONGEST_TEXT

_INTRODUCTION = f"""# The canonical tables

This page is made from the definitions (`python -m features.histories.tables_page > docs/tables.md`).

A data set is a folder with these tables as CSV, JSON Lines (one object on each line) or Parquet, gzipped or not, or as
Excel workbooks (their first sheet): `interactions.csv`, `interactions-2024.jsonl.gz`, `deals.parquet`, `accounts.xlsx`
and so on; a table may lie in several files. CSV may be parted by commas, semicolons, tabs or bars.
`rapport import` checks every row, turns bad ones away into `rejects.csv` with file, row, column, value and what is
allowed, and writes the others as a canonical folder. Columns under other names are taken in by a mapping file (see
`examples/`).

- **Bold** columns are required. Empty means unknown.
- Times are ISO 8601 with an offset (`2024-05-31T14:00:00+02:00`, `...Z`) or dates (midnight UTC), from 1900 to
  {datetime.fromtimestamp(LATEST, UTC):%Y}. Fractions of a second are cut.
  A date-time without an offset is rejected unless the mapping declares its zone.
- Ids and categories have at most {LONGEST_ID} characters, texts {LONGEST_TEXT:,}. Files are UTF-8.
- Truth values are `true`, `false`, `yes`, `no`, `1` or `0`. Numbers are finite.
- Columns that begin with `{OWN_PREFIX}` are your own: numbers, if every value is one, else categories. Any other
  unknown column is reported once and ignored.
- A row that repeats another is dropped. A row with the id of another and a later `updated_at` (else `recorded_at`, else
  the time of the event) is a new version of it, and both are kept. Rows with the same id and time but other contents
  conflict: one is kept, the same one whatever their order, and the summary counts the others.
- Accounts and contacts that rows name but no table holds are created and counted.
"""


def tables_page() -> str:
    """The page as Markdown."""
    parts = [_INTRODUCTION]
    for table in TABLES.values():
        parts.append(_table_part(table))
        if table.name == "interactions":
            parts.append(_kinds_part())
    return "\n".join(parts)


def _table_part(table: Table) -> str:
    lines = [f"## {table.name}", "", table.meaning, "", "| column | type | allowed | meaning |", "|---|---|---|---|"]
    for column in table.columns:
        name = f"**{column.name}**" if column.required else column.name
        lines.append(f"| {name} | {column.type} | {_allowed(column)} | {column.meaning} |")
    return "\n".join([*lines, ""])


def _allowed(column: Column) -> str:
    if column.allowed:
        return _listed(column.allowed)
    low, high = column.minimum, column.maximum
    if low is not None and high is not None:
        return f"{low:,.10g} to {high:,.10g}"
    return "" if low is None else f"at least {low:g}"


def _kinds_part() -> str:
    lines = [
        "### What each kind allows",
        "",
        "Where nothing stands, the column itself decides; subtype and outcome must then be empty.",
        "",
        "| kind | subtype | outcome | channel | further |",
        "|---|---|---|---|---|",
    ]
    for kind, limits in ALLOWED_BY_KIND.items():
        named = [_listed(limits.get(column, ())) for column in ("subtype", "outcome", "channel")]
        further = [f"{column} {_listed(limits[column])}" for column in ("actor", "level") if column in limits]
        lines.append("| " + " | ".join([kind, *named, ", ".join(further)]) + " |")
    return "\n".join([*lines, ""])


def _listed(values: tuple[str | int, ...] | tuple[str, ...]) -> str:
    return " ".join(f"`{value}`" for value in values)


if __name__ == "__main__":
    print(tables_page(), end="")
