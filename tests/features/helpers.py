"""What the tests of indicators share: rows of a history, and comparing matrices bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import numpy as np

from features.histories.history import History
from features.histories.tables import Dataset
from features.matrix import Matrix, Rows, build_matrix
from features.standing import Standing
from tests.features.worlds import World


def matrix_at(world: World, moments: Sequence[int], dataset: Dataset | None = None) -> Matrix:
    """The matrix of every account of a world at every moment."""
    return matrix_of(History.from_records(world, dataset or Dataset()), moments)


def matrix_of(history: History, moments: Sequence[int]) -> Matrix:
    """The matrix of every account of a history at every moment, with evidence."""
    accounts = len(history.accounts)
    account = np.repeat(np.arange(accounts, dtype=np.int32), len(moments))
    return build_matrix(history, Rows(account, np.tile(np.sort(moments), accounts)), evidence=True)


def differences(one: Matrix, other: Matrix) -> list[str]:
    """Which columns, evidence counts and standing facts differ in any bit that matters, row by row."""
    assert one.account_ids == other.account_ids
    assert one.evidence is not None
    assert other.evidence is not None
    same = (one.values == other.values) | (np.isnan(one.values) & np.isnan(other.values))
    same &= one.evidence == other.evidence
    found = [column for column, equal in zip(one.columns, same.all(axis=0), strict=True) if not equal]
    for field in fields(Standing):
        left, right = getattr(one.standing, field.name), getattr(other.standing, field.name)
        if not np.array_equal(left, right, equal_nan=left.dtype.kind == "f"):
            found.append(f"standing.{field.name}")
    return found
