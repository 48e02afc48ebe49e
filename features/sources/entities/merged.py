"""Several accounts as one: every row of theirs becomes a row of the account that they were merged into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.histories.tables import ACCOUNTS
from features.sources.declarations import Declarations

_ACCOUNT_COLUMNS = ("account_id", "related_account_id")


def merged_rows(rows: Mapping[str, pa.Table], into: Mapping[str, str]) -> dict[str, pa.Table]:
    """The rows of all tables with accounts under the ids that ``into`` gives them (account → the one that it is now).

    What holds of the whole (name, industry, ...) are the rows of the account that stays; if these say nothing, those of
    the first of the others that do. A referral from one part of the whole to another names nobody any more.
    """
    one = dict(rows)
    one[ACCOUNTS.name] = _of_one_account(one[ACCOUNTS.name], into)
    return {name: _under_new_ids(table, into) for name, table in one.items()}


def merged_declarations(declared: Declarations, into: Mapping[str, str]) -> Declarations:
    """Declarations with accounts under their new ids; what becomes one is observed as long as its longest part."""
    until = declared.dataset.observed_until_by
    dataset = replace(declared.dataset, observed_until_by=_latest(until, into))
    by_account = declared.group in _ACCOUNT_COLUMNS and declared.ends is not None
    ends = _latest(declared.ends or {}, into) if by_account else declared.ends
    return replace(declared, dataset=dataset, ends=ends)


def _latest(ends: Mapping[str, int], into: Mapping[str, str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for account, end in ends.items():
        whole = into.get(account, account)
        found[whole] = max(end, found.get(whole, end))
    return found


def _under_new_ids(rows: pa.Table, into: Mapping[str, str]) -> pa.Table:
    old, new = pa.array(list(into), pa.string()), pa.array(list(into.values()), pa.string())
    renamed = {}
    for name in _ACCOUNT_COLUMNS:
        if name in rows.column_names:
            place = pc.index_in(rows[name], old)
            renamed[name] = pc.if_else(pc.is_valid(place), new.take(place), rows[name])
    if "related_account_id" in renamed:
        # Only where it became so by merging: what a source says otherwise is not judged here.
        itself = pc.equal(renamed["account_id"], renamed["related_account_id"])
        same_before = pc.equal(rows["account_id"], rows["related_account_id"])
        own = pc.fill_null(pc.and_(itself, pc.invert(same_before)), False)
        renamed["related_account_id"] = pc.if_else(own, pa.scalar(None, pa.string()), renamed["related_account_id"])
    for name, values in renamed.items():
        rows = rows.set_column(rows.column_names.index(name), name, values)
    return rows


def _of_one_account(rows: pa.Table, into: Mapping[str, str]) -> pa.Table:
    """The rows of accounts without those of merged ones but for one of each whole."""
    names = np.array(rows["account_id"].to_pylist(), dtype=object)
    whole = np.array([into.get(name, name) for name in names], dtype=object)
    told = np.zeros(len(rows), dtype=bool)
    for name in rows.column_names:
        if name != "account_id":
            told |= pc.is_valid(rows[name]).to_numpy()
    keep = np.ones(len(rows), dtype=bool)
    for account in dict.fromkeys(into.values()):
        parts = [account, *(part for part, one in into.items() if one == account)]
        speaks = next((part for part in parts if told[names == part].any()), None)
        if speaks is not None:
            keep &= (whole != account) | (told & (names == speaks))
    return rows.filter(pa.array(keep))
