"""Checking the records of a request, row by row, and settling which of repeated ones count.

The import does the same with whole columns (``batch_checks``, ``sources.settling``); tests hold the two together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from features.histories.columns import OWN_PREFIX, Reject, Table
from features.histories.values import own_value

REQUIRED = "a required value: "
LONGEST_SHOWN = 200
"""Characters of a rejected value that are shown."""

_AFTER_ALL_NAMES = chr(0x10FFFF)


def shown(value: object) -> str:
    """A rejected value as text, cut to a length that can be read.

    >>> shown(None), shown(7)
    ('', '7')
    """
    if value is None:
        return ""
    text = (value if isinstance(value, str) else repr(value))[: LONGEST_SHOWN + 1]
    text = text.encode(errors="replace").decode()
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"


def check_records(
    table: Table, records: Sequence[Mapping[str, object]], file: str
) -> tuple[list[dict[str, Any]], list[Reject], set[str]]:
    """Check and convert rows of one table, as a request brings them.

    Returns the good rows (known values only: an empty one has no key), what is wrong with the others, and the names of
    columns that the table does not know, which were ignored. ``file`` is the name that rejects carry.

    >>> from features.histories.tables import STAGE_REVIEWS
    >>> check_records(STAGE_REVIEWS, [{"account_id": 7, "at": "2024-05-31", "stage": "contract", "note": ""}], "body")
    ([{'account_id': '7', 'at': 1717113600, 'stage': 'contract'}], [], {'note'})
    """
    converters: dict[str, Any] = {column.name: column.converter for column in table.columns}
    required = {column.name for column in table.columns if column.required}
    rules = [rule.broken_by for rule in table.rules]
    rows: list[dict[str, Any]] = []
    rejects: list[Reject] = []
    ignored: set[str] = set()
    for number, record in enumerate(records, start=1):
        row: dict[str, Any] = {}
        wrong: list[tuple[str, str]] = []
        for name, value in record.items():
            if name not in converters:
                if not name.startswith(OWN_PREFIX):
                    ignored.add(name)
                    continue
                converters[name] = own_value
            if value is None:
                continue
            try:
                converted = converters[name](value)
            except ValueError as error:
                wrong.append((name, str(error)))
                continue
            if converted is not None:
                row[name] = converted
        if not row.keys() >= required:
            wrong += [(name, REQUIRED + table.column[name].expected) for name in _missing(required, row, wrong)]
        if not wrong:
            for broken_by in rules:
                wrong += broken_by(row)
        if wrong:
            rejects += [Reject(file, number, name, shown(record.get(name)), allowed) for name, allowed in wrong]
        else:
            rows.append(row)
    return rows, rejects, ignored


def settle_records(table: Table, rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Checked rows in canonical order, each version of a thing once, whatever order they came in.

    Rows that repeat another are dropped. Of rows that claim the same id and known moment but differ, the first in the
    order of their contents stays (column by column, known values before unknown ones).
    """
    names = [column.name for column in table.columns]

    def content(row: Mapping[str, Any]) -> tuple[Any, ...]:
        own = sorted(name for name in row if name.startswith(OWN_PREFIX))
        return (
            *((name not in row, row.get(name)) for name in names),
            *((name, isinstance(row[name], str), row[name]) for name in own),
            (_AFTER_ALL_NAMES,),
        )

    kept: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    places: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for row in rows:
        place: list[Any] = [(name in row, row.get(name)) for name in table.order]
        if table.key is None:
            version = content(row)
            place.append(version)
        else:
            moment = None
            for name in table.known:
                if name in row:
                    moment = row[name]
                    break
            version = (row[table.key], *[row.get(name) for name in table.identity], moment)
            place += (row[table.key], moment is not None, moment)
        other = kept.get(version)
        if other is None or content(row) < content(other):
            kept[version], places[version] = row, tuple(place)
    return [kept[version] for version in sorted(places, key=places.__getitem__)]


def _missing(required: set[str], row: Mapping[str, Any], wrong: list[tuple[str, str]]) -> list[str]:
    return sorted(required - row.keys() - {name for name, _ in wrong})
