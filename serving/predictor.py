"""From a history, or from one request's records, to predictions. Knows nothing of the web."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from features.histories.history import History
from features.histories.tables import TABLES, Dataset, Reject, check_records
from features.matrix import Rows, build_matrix, rows_at
from models.archive import Models
from models.prediction import Prediction, predict
from serving.closer import EXPLAINED, CloserLook, Wishes, look_closer

Document = Mapping[str, Sequence[Mapping[str, Any]]]
"""Rows by table name, as a request brings them."""


@dataclass(frozen=True)
class Scores:
    """Predictions in the order of the account ids, and what of the input did not count.

    ``nothing_known`` are accounts that the input names but of which nothing was known by then. ``ignored``
    are columns that no table has, by table. ``closer`` holds what was asked for beside, by account id.
    """

    predictions: list[Prediction]
    nothing_known: list[str]
    rejects: list[Reject]
    ignored: dict[str, list[str]]
    closer: dict[str, CloserLook] = field(default_factory=dict)


class NothingToScore(ValueError):
    """No row of the request was good; ``rejects`` says why."""

    def __init__(self, rejects: list[Reject]) -> None:
        super().__init__("no row is left to score" if rejects else "the request holds no rows")
        self.rejects = rejects


class TooManyAccounts(ValueError):
    """The request names more accounts than may be asked for at a time."""


def score_history(
    models: Models,
    history: History,
    as_of: int,
    horizon: int | None = None,
    wishes: Wishes = EXPLAINED,
    accounts: Collection[str] | None = None,
) -> Scores:
    """Score every account of a history, or some of its ``accounts``, as of one moment.

    Risks are explained, and values weighed, at ``horizon``; None means the model's usual one.
    Raises ValueError for a horizon that the model does not know, or a ``since`` that is not before ``as_of``.
    """
    since = wishes.since
    if since is not None and since >= as_of:
        raise ValueError("since: must be before as_of")
    moments = np.array(sorted({as_of, *wishes.earlier(as_of)}), dtype=np.int64)
    rows = rows_at(history, moments)
    if accounts is not None:
        wanted = np.isin(rows.account, [code for code, one in enumerate(history.accounts) if one in accounts])
        rows = Rows(rows.account[wanted], rows.as_of[wanted])
    whole = build_matrix(history, rows, wishes.explain, models.reference)

    of = {moment: whole.take(np.flatnonzero(rows.as_of == moment)) for moment in wishes.earlier(as_of)}
    matrix = whole.take(np.flatnonzero(rows.as_of == as_of)) if of else whole
    predictions = predict(models, matrix, horizon, wishes.explain or since is not None, wishes.interval)
    closer = look_closer(models, matrix, of, predictions, wishes, horizon) if wishes.closer else {}
    if not wishes.explain and since is not None:
        predictions = [replace(one, explanation=None) for one in predictions]
    known = set(rows.account.tolist())
    nothing_known = [account for code, account in enumerate(history.accounts) if code not in known]
    return Scores(predictions, nothing_known, [], {}, closer)


def score_records(
    models: Models,
    document: Document,
    dataset: Dataset,
    as_of: int,
    horizon: int | None = None,
    wishes: Wishes = EXPLAINED,
    most_accounts: int | None = None,
) -> Scores:
    """Score the accounts of one request: bad rows are turned away with the reason, the good ones count.

    Raises NothingToScore where no row is good, TooManyAccounts beyond ``most_accounts``, ValueError for a
    horizon that the model does not know or a ``since`` that is not before ``as_of``.
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
    scores = score_history(models, History.from_records(good, dataset), as_of, horizon, wishes)
    return replace(scores, rejects=rejects, ignored=ignored)
