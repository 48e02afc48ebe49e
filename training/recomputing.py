"""Figures computed again from tables that end at their dates, and compared bit for bit with those in use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import numpy as np

from features.histories.history import History
from features.histories.log import Array
from features.matrix import Matrix, Rows, build_matrix
from features.measuring import measure_portfolio
from features.portfolio import Portfolio
from features.reference import Reference
from features.standing import Standing
from training.entries import Entries
from training.truncation import Past

MOMENTS, ROWS_AT_A_MOMENT = 10, 50
"""Dates whose rows are computed again, and rows of each: together so many that what changes one row in a hundred is
hardly ever missed (1 % of the time)."""

MONTHS = 2
"""Month starts whose figures of the portfolio are measured again."""


@dataclass(frozen=True)
class Recomputed:
    """How many ``rows`` of how many ``moments`` were computed again, the account and moment of those that came out
    otherwise, and how many did by column (or fact of standing)."""

    rows: int
    moments: int
    otherwise: tuple[tuple[str, int], ...]
    columns: Mapping[str, int]


def recomputed(past: Past, entries: Entries, reference: Reference, seed: int) -> Recomputed:
    """Sampled rows of the matrix, indicators and standing, from what tables and reference held at their dates."""
    index = _sampled(entries, seed)
    as_of = entries.matrix.rows.as_of[index]
    otherwise: list[tuple[str, int]] = []
    columns: dict[str, int] = {}
    for moment in np.unique(as_of).tolist():
        matrix = entries.matrix.take(index[as_of == moment])
        different = _differences(matrix, _again(past, matrix, moment, reference))
        for name, rows in different.items():
            columns[name] = columns.get(name, 0) + int(rows.sum())
        any_different = np.any([np.zeros(len(matrix), dtype=bool), *different.values()], axis=0)
        otherwise += [(matrix.account_ids[row], moment) for row in np.flatnonzero(any_different)]
    return Recomputed(len(index), len(np.unique(as_of)), tuple(otherwise), columns)


def remeasured(past: Past, entries: Entries, reference: Reference) -> dict[int, list[str]]:
    """Some month starts in use (UTC seconds), and the figures of the portfolio that come out otherwise from tables that
    end there; none where no portfolio is in use."""
    portfolio = reference.portfolio
    if portfolio is None:
        return {}
    used = np.unique(portfolio.places(entries.matrix.rows.as_of))
    used = used[used >= 0]
    if not len(used):
        return {}
    found = {}
    for place in np.unique(used[np.linspace(0, len(used) - 1, MONTHS + 2).astype(int)[1:-1]]):
        start = portfolio.starts[place : place + 1]
        (again,) = measure_portfolio(History.from_tables(past.at(int(start[0]))), start).months
        found[int(start[0])] = [
            name
            for name, value in vars(portfolio.months[place]).items()
            if not np.array_equal(value, getattr(again, name), equal_nan=True)
        ]
    return found


def _sampled(entries: Entries, seed: int) -> Array:
    """Rows of ``MOMENTS`` dates spread over all, half of them of accounts that will be lost, where there are such."""
    random = np.random.default_rng(seed)
    as_of, lost = entries.matrix.rows.as_of, (entries.usable & (entries.outcomes.labels == 1)).any(axis=1)
    moments = np.unique(as_of)
    index = []
    for moment in moments[np.unique(np.linspace(0, len(moments) - 1, MOMENTS).round().astype(int))]:
        rows = random.permutation(np.flatnonzero(as_of == moment))
        first = rows[lost[rows]][: ROWS_AT_A_MOMENT // 2]
        index += [first, rows[~lost[rows]][: ROWS_AT_A_MOMENT - len(first)]]
    return np.sort(np.concatenate(index))


def _again(past: Past, matrix: Matrix, moment: int, reference: Reference) -> Matrix:
    """The rows of a matrix, all of one moment, from what was there then."""
    accounts = matrix.account_ids
    history = History.from_tables(past.at(moment, accounts))
    rows = Rows(np.arange(len(accounts), dtype=np.int32), np.full(len(accounts), moment, dtype=np.int64))
    portfolio = reference.portfolio
    if portfolio is not None:
        begun = int(portfolio.places(rows.as_of[:1])[0]) + 1
        portfolio = Portfolio(portfolio.starts[:begun], portfolio.months[:begun])
    return build_matrix(history, rows, reference=replace(reference, portfolio=portfolio))


def _differences(one: Matrix, other: Matrix) -> dict[str, Array]:
    """bool (rows,): where two matrices of the same rows differ, by column or fact of standing; equal ones not told."""
    pairs = {column: (one.values[:, place], other.values[:, place]) for place, column in enumerate(one.columns)}
    for fact in fields(Standing):
        pairs[f"standing.{fact.name}"] = (getattr(one.standing, fact.name), getattr(other.standing, fact.name))
    found = {name: (left != right) & ~(np.isnan(left) & np.isnan(right)) for name, (left, right) in pairs.items()}
    return {name: rows for name, rows in found.items() if rows.any()}
