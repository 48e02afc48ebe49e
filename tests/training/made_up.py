"""Made-up entries: some whose true risks are known, small enough to learn from in a moment, and some by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit

from features.histories.log import DAY, Array
from features.matrix import Matrix, Rows
from models.linear import KNOTS, LinearModel
from tests.models.portfolio import INDICATORS, PLACE, portfolio
from training.directed import LOG_DAYS, RAMP, REFERENCE_DAYS, SPREAD, _believed, _scales
from training.entries import Entries
from training.outcomes import Outcomes

HORIZONS = (90, 180)
LATER = LOG_DAYS * np.log(np.array(HORIZONS) / REFERENCE_DAYS)
"""What a longer horizon adds to the log odds."""

DIRECTED = np.array([place for place, one in enumerate(INDICATORS) if one.constraint])

Score = Callable[[Matrix], Array]


@dataclass(frozen=True)
class World:
    """Entries, and the true risks (n, H) that their outcomes were drawn by."""

    entries: Entries
    risk: Array


def world(accounts: int, score: Score, seed: int, months: int = 1) -> World:
    """Rows of so many accounts at ``months`` dates each, within four years, lost by the log odds (n, H) of ``score``.
    An account's rows are independent of each other."""
    chance = np.random.default_rng((seed, 1))
    drawn = portfolio(accounts * months, seed)
    begun = np.repeat(chance.integers(0, 48 - months + 1, accounts), months)
    as_of = (begun + np.tile(np.arange(months), accounts)) * 30 * DAY
    account = np.repeat(np.arange(accounts, dtype=np.int32), months)
    matrix = replace(drawn, accounts=[f"account-{one}" for one in range(accounts)], rows=Rows(account, as_of))
    risk = expit(score(matrix))
    labels = (chance.random((len(account), 1)) < risk).astype(np.int8)
    known_by = as_of[:, None] + np.array(HORIZONS) * DAY
    outcomes = Outcomes(HORIZONS, np.ones(len(account), dtype=bool), labels, known_by, 0, 0)
    return World(Entries(matrix, outcomes, labels >= 0, account, False), risk)


def believable(seed: int, level: float) -> Score:
    """A truth of the kind that the linear half believes in: its weights lie about what is documented."""
    usual = portfolio(20_000, 0)
    direction = np.array([one.constraint for one in INDICATORS], dtype=np.float64)
    coef = np.zeros(len(INDICATORS))
    about = SPREAD / np.sqrt(len(DIRECTED)) * np.random.default_rng((seed, 2)).standard_normal(len(DIRECTED))
    coef[DIRECTED] = np.maximum(_believed(INDICATORS, DIRECTED) + about, 0) * direction[DIRECTED]
    ramps = np.full(len(KNOTS) - 1, RAMP)
    model = LinearModel(*_scales(usual.values), coef, level, ramps, ramps / 2)
    return lambda matrix: model.scores(matrix.values, matrix.standing.days_to_end, HORIZONS) + LATER


def crooked(matrix: Matrix) -> Array:
    """A truth that no sum of directed columns can tell: clients leave who talk much or little, whatever the
    documents say."""
    share = np.nan_to_num(matrix.values[:, PLACE["P1b.client_share.365d"]], nan=0.5)
    return np.asarray(10 * np.abs(share - 0.5) - 4)[:, None] + LATER


NEAR = (30, 90)
"""Horizons of the entries made by hand."""


def by_hand(
    account: list[int], labels: list[list[int]], day: list[int] | None = None, group: list[int] | None = None
) -> Entries:
    """Rows of accounts with their outcomes within 30 and 90 days, 100 days apart unless said otherwise."""
    rows = len(account)
    as_of = np.array(range(0, 100 * rows, 100) if day is None else day, dtype=np.int64) * DAY
    matrix = replace(portfolio(rows, 1), rows=Rows(np.array(account, dtype=np.int32), as_of))
    known = np.array(labels, dtype=np.int8)
    known_by = as_of[:, None] + np.array(NEAR) * DAY
    outcomes = Outcomes(NEAR, np.ones(rows, dtype=bool), known, known_by, 0, 0)
    codes = np.array(account if group is None else group)
    return Entries(matrix, outcomes, known >= 0, codes, group is not None)


def spread_out(lost: int, months: int = 24, group: list[int] | None = None) -> Entries:
    """So many lost accounts and as many others, each with a row in every month until it is lost: the first by month 2,
    the last by the last month."""
    account, labels, day = [], [], []
    for one in range(2 * lost):
        end = round(2 + (months - 2) * (one // 2) / max(lost - 1, 1))
        for month in range(end if one % 2 else months):
            account.append(one)
            gone = one % 2 == 1 and month == end - 1
            labels.append([int(gone), int(gone)])
            day.append(30 * month)
    return by_hand(account, labels, day, None if group is None else [group[one] for one in account])
