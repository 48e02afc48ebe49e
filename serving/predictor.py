"""From a history, or from one request's records, to predictions. Knows nothing of the web."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from features.histories.history import History
from features.histories.tables import TABLES, Dataset, Reject, check_records
from features.matrix import build_matrix, rows_at
from models.archive import Models
from models.prediction import Prediction, predict

Document = Mapping[str, Sequence[Mapping[str, Any]]]
"""Rows by table name, as a request brings them."""


@dataclass(frozen=True)
class Scores:
    """Predictions in the order of the account ids, and what of the input did not count.

    ``nothing_known`` are accounts that the input names but of which nothing was known by then. ``ignored``
    are columns that no table has, by table.
    """

    predictions: list[Prediction]
    nothing_known: list[str]
    rejects: list[Reject]
    ignored: dict[str, list[str]]


class NothingToScore(ValueError):
    """No row of the request was good; ``rejects`` says why."""

    def __init__(self, rejects: list[Reject]) -> None:
        super().__init__("no row is left to score" if rejects else "the request holds no rows")
        self.rejects = rejects


class TooManyAccounts(ValueError):
    """The request names more accounts than may be asked for at a time."""


def score_history(
    models: Models, history: History, as_of: int, horizon: int | None = None, explain: bool = True
) -> Scores:
    """Score every account of a history as of one moment.

    Risks are explained, and values weighed, at ``horizon``; None means the model's usual one.
    Raises ValueError for a horizon that the model does not know.
    """
    rows = rows_at(history, np.array([as_of], dtype=np.int64))
    matrix = build_matrix(history, rows, explain, models.reference)
    known = set(rows.account.tolist())
    nothing_known = [account for code, account in enumerate(history.accounts) if code not in known]
    return Scores(predict(models, matrix, horizon, explain), nothing_known, [], {})


def score_records(
    models: Models,
    document: Document,
    dataset: Dataset,
    as_of: int,
    horizon: int | None = None,
    explain: bool = True,
    most_accounts: int | None = None,
) -> Scores:
    """Score the accounts of one request: bad rows are turned away with the reason, the good ones count.

    Raises NothingToScore where no row is good, TooManyAccounts beyond ``most_accounts``, ValueError for a
    horizon that the model does not know.
    """
    good: dict[str, list[dict[str, Any]]] = {}
    rejects: list[Reject] = []
    ignored: dict[str, list[str]] = {}
    for name, records in document.items():
        good[name], wrong, unknown = check_records(TABLES[name], records, name)
        rejects += wrong
        if unknown:
            ignored[name] = sorted(unknown)
    accounts = {row["account_id"] for rows in good.values() for row in rows}
    if not accounts:
        raise NothingToScore(rejects)
    if most_accounts is not None and len(accounts) > most_accounts:
        raise TooManyAccounts(f"{len(accounts):,} accounts; at most {most_accounts:,} may be scored at a time")
    scores = score_history(models, History.from_records(good, dataset), as_of, horizon, explain)
    return Scores(scores.predictions, scores.nothing_known, rejects, ignored)
