"""Custom fields of a CRM as own columns: numbers and categories, but neither dates nor free text."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pyarrow as pa

from features.histories.batch_checks import encoded, numbers_if_all
from features.histories.columns import OWN_PREFIX
from features.histories.values import LONGEST_ID
from features.sources.crm.rows import Rows, Writing, each
from features.sources.written import Ambiguous, found_decimal, found_order, iso, plain_number

MOST_CATEGORIES = 1_000
"""Texts of a custom field beyond which it is taken for free text."""

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ].*)?")
_NO_WORD = re.compile(r"\W+")


def custom_columns(rows: Rows, decimal: str, writing: Writing) -> tuple[dict[str, pa.Array], set[str]]:
    """The own columns that custom fields become, and the names of the fields that are left out.

    ``decimal`` is the declared decimal sign, if one is; otherwise each field tells its own.
    """
    found: dict[str, pa.Array] = {}
    left_out: set[str] = set()
    for name, values in rows.batch.own.items():
        filled = [text for text in encoded(values).dictionary.to_pylist() if text]
        if not filled:
            continue
        numbers = _numbers(values, filled, decimal, writing)
        if numbers is None and _no_category(filled, writing):
            left_out.add(name)
            continue
        title = _NO_WORD.sub("_", name.casefold().removesuffix("__c")).strip("_")
        title = title if title.startswith(OWN_PREFIX) else OWN_PREFIX + title
        while title in found:
            title += "_2"
        found[title] = values if numbers is None else numbers
    return found, left_out


def _numbers(values: pa.Array, filled: Sequence[str], decimal: str, writing: Writing) -> pa.Array | None:
    """The values as plain numbers if every one of them is one."""
    try:
        sign = decimal or found_decimal(filled)
    except Ambiguous:
        sign = writing.decimal
    plain = each(values, lambda text: plain_number(text, sign))
    return plain if pa.types.is_floating(numbers_if_all(plain).type) else None


def _no_category(filled: Sequence[str], writing: Writing) -> bool:
    if len(filled) > MOST_CATEGORIES or any(len(text) > LONGEST_ID for text in filled):
        return True
    try:
        order = writing.order or found_order(filled)
    except Ambiguous:
        return True
    return all(_DATE.fullmatch(iso(text, order)) for text in filled)
