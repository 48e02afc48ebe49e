"""The matrix: rows (account, as_of), a column for each registered indicator, and the columns' fingerprint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

import features.signals  # noqa: F401  (registers every indicator)
from features import settings
from features.frame import Frame, in_parts
from features.histories.history import History
from features.histories.log import DAY, NEVER, Array
from features.indicators import REGISTRY, Indicator
from features.own_columns import own_indicators
from features.reference import NOTHING, Reference
from features.standing import Standing, standing


@dataclass(frozen=True)
class Rows:
    """Which (account, as_of) pairs to fill: int32 account codes and int64 UTC seconds, sorted by both."""

    account: Array
    as_of: Array

    def __post_init__(self) -> None:
        step = np.diff(self.account)
        if bool((step < 0).any()) or bool(((step == 0) & (np.diff(self.as_of) < 0)).any()):
            raise ValueError("rows must be sorted by account and as_of")

    def __len__(self) -> int:
        return len(self.account)


@dataclass(frozen=True)
class Matrix:
    """Indicators of many rows.

    ``values`` float64 (rows, columns), NaN where unknown; ``evidence`` int64 of the same shape, None if not asked for;
    ``accounts`` the account ids by code. Models refuse a matrix whose fingerprint is not theirs.
    """

    accounts: Sequence[str]
    rows: Rows
    indicators: tuple[Indicator, ...]
    values: Array
    evidence: Array | None
    standing: Standing
    fingerprint: str

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(indicator.column for indicator in self.indicators)

    @property
    def account_ids(self) -> list[str]:
        """The account id of each row."""
        return [self.accounts[account] for account in self.rows.account]

    def take(self, index: Array) -> Matrix:
        """The rows at ``index`` (increasing)."""
        return Matrix(
            self.accounts,
            Rows(self.rows.account[index], self.rows.as_of[index]),
            self.indicators,
            self.values[index],
            None if self.evidence is None else self.evidence[index],
            self.standing.take(index),
            self.fingerprint,
        )


def indicators_of(reference: Reference) -> tuple[Indicator, ...]:
    """The matrix's columns, in order: the documented ones, then the user's own."""
    return REGISTRY.in_order() + own_indicators(reference.own)


def build_matrix(history: History, rows: Rows, evidence: bool = False, reference: Reference = NOTHING) -> Matrix:
    """Fill every registered indicator for the rows, each with what was known at its as_of and nothing else.

    ``reference`` is the portfolio that accounts are compared with and the user's own columns. ``history`` must have one
    segment per account (as read, or a part). Accounts are worked on in parts, so memory beyond the result stays flat;
    the result does not depend on how they are cut.
    """
    indicators = indicators_of(reference)
    values = np.empty((len(indicators), len(rows)))
    counts = np.empty((len(indicators), len(rows)), dtype=np.int64) if evidence else None

    def fill(frame: Frame, filled: slice) -> Standing:
        for column, indicator in enumerate(indicators):
            figure = indicator.compute(frame)
            values[column, filled] = figure.value
            if counts is not None:
                counts[column, filled] = figure.evidence
        return standing(frame)

    segment = np.searchsorted(history.owner, rows.account)
    parts = in_parts(history, segment, rows.as_of, reference.portfolio, fill)
    return Matrix(
        history.accounts,
        rows,
        indicators,
        values.T,
        None if counts is None else counts.T,
        Standing.joined(parts),
        fingerprint(),
    )


@cache
def fingerprint() -> str:
    """SHA-256 (hex) over what defines the columns: names, formulas, units, directions, marks, evidence, settings."""
    columns = [
        (one.column, one.formula, one.unit, one.better, str(one.mark), one.minimum, one.evidence_unit, one.context)
        for one in REGISTRY.in_order()
    ]
    chosen = {name: value for name, value in vars(settings).items() if name.isupper() and name != "DAY"}
    return hashlib.sha256(json.dumps([columns, chosen], sort_keys=True).encode()).hexdigest()


def snapshots(first: int, last: int, every_days: int | None = None) -> Array:
    """Moments from first to last inclusive: month starts (midnight UTC), or every so many days from first on.

    >>> [str(t.astype("datetime64[s]"))[:10] for t in snapshots(0, 60 * DAY)]
    ['1970-01-01', '1970-02-01', '1970-03-01']
    """
    if every_days is not None:
        return np.arange(first, last + 1, every_days * DAY, dtype=np.int64)
    months = np.arange(
        np.datetime64(first, "s").astype("datetime64[M]"),
        np.datetime64(last, "s").astype("datetime64[M]") + 1,
    )
    starts = months.astype("datetime64[s]").astype(np.int64)
    return starts[(starts >= first) & (starts <= last)]


def rows_at(history: History, moments: Array) -> Rows:
    """Every account at every moment (sorted) from when anything of it was known on."""
    begin = np.full(history.segments, NEVER, dtype=np.int64)
    for log in (history.interactions, history.deals):
        np.minimum.at(begin, log.segment, log["known"])
    account = np.repeat(np.arange(history.segments), len(moments))
    as_of = np.tile(np.asarray(moments, dtype=np.int64), history.segments)
    begun = begin[account] <= as_of
    return Rows(history.owner[account[begun]], as_of[begun])
