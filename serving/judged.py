"""A whole portfolio by its scorecards alone: what can be told of accounts where there is no model to foretell with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from features.histories.history import History
from features.histories.log import DAY
from features.histories.tables import Dataset
from features.matrix import build_matrix, rows_at, snapshots
from features.measuring import measure_portfolio
from features.reference import Reference
from features.sources.opening import open_tables
from features.standing import Standing
from models.prediction import FORMER_CLIENT, NO_CONTRACT, known
from models.stage import StageAnswer, StageModel
from serving.portfolio import Profile, profiles
from serving.scorecards import Scorecards, scorecards


@dataclass(frozen=True)
class Judged:
    """One account by its scorecards alone; ``value`` is money per year, None where unknown.

    ``no_client`` says why it is no client now, None where it is one.
    """

    account_id: str
    stage: StageAnswer
    value: float | None
    cards: Scorecards
    no_client: str | None


@dataclass(frozen=True)
class JudgedPortfolio:
    """Every account of which something was known at ``as_of`` by its scorecards, without any model: the most valuable
    first, then those of unknown value; former clients and prospects last, ties by account id.
    """

    as_of: int
    accounts: list[Judged]
    nothing_known: int
    profiles: Mapping[str, Profile]
    dataset: Dataset


def judge_histories(histories: str | Path, as_of: int) -> JudgedPortfolio:
    """The scorecards of the accounts of a store or a canonical folder; accounts are compared as of the month's start.

    Raises NotCanonical or StoreError where there are no tables.
    """
    tables = open_tables(histories)
    history = History.from_tables(tables)
    rows = rows_at(history, np.array([as_of], dtype=np.int64))
    # The latest month start is the one that every figure reads, as with a model that knows them all.
    reference = Reference(measure_portfolio(history, snapshots(as_of - 31 * DAY, as_of)[-1:]))
    matrix = build_matrix(history, rows, reference=reference)
    accounts = [
        Judged(account, stage, known(value), cards, no_client)
        for account, stage, value, cards, no_client in zip(
            matrix.account_ids,
            StageModel(matrix.columns).predict(matrix),
            matrix.standing.value.tolist(),
            scorecards(matrix),
            _no_client(matrix.standing),
            strict=True,
        )
    ]
    accounts.sort(key=lambda one: (one.no_client is not None, one.value is None, -(one.value or 0.0), one.account_id))
    return JudgedPortfolio(
        as_of, accounts, history.segments - len(rows), profiles(tables.accounts, as_of), tables.dataset
    )


def _no_client(standing: Standing) -> list[str | None]:
    """Why each account is no client. Where no deals at all are recorded nobody can be told from a prospect."""
    prospect = (standing.wins == 0) & standing.deals_recorded.any()
    return [
        FORMER_CLIENT if former else NO_CONTRACT if never else None
        for former, never in zip(standing.former.tolist(), prospect.tolist(), strict=True)
    ]
