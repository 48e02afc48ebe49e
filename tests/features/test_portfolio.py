"""The portfolio's figures at month starts, and each account against them."""

from __future__ import annotations

import json
import math
import random

import numpy as np
import pytest

from features import frame
from features.histories.history import History
from features.histories.log import DAY
from features.histories.tables import Dataset
from features.indicators import REGISTRY
from features.matrix import Matrix, Rows, build_matrix
from features.measuring import measure_portfolio
from features.portfolio import KNOTS, Portfolio, month_of
from features.reference import Reference
from tests.features.helpers import differences
from tests.features.oracle import Account, promises
from tests.features.oracles import portfolio_wide
from tests.features.worlds import BEGIN, SPAN, World, random_world, truncated

STARTS = np.array([BEGIN + SPAN // 3, BEGIN + SPAN // 2, BEGIN + 3 * SPAN // 4])
MOMENTS = [int(STARTS[0]) - 1, int(STARTS[0]), int(STARTS[1]) + 9 * DAY, BEGIN + SPAN]
PLACES = [-1, 0, 1, 2]


@pytest.fixture(scope="module", params=range(2))
def world(request: pytest.FixtureRequest) -> World:
    return random_world(500 + request.param, accounts=16, touches=150)


def filled(history: History, portfolio: Portfolio | None) -> Matrix:
    account = np.repeat(np.arange(len(history.accounts), dtype=np.int32), len(MOMENTS))
    rows = Rows(account, np.tile(MOMENTS, len(history.accounts)))
    return build_matrix(history, rows, evidence=True, reference=Reference(portfolio))


def whole(world: World) -> tuple[History, Portfolio]:
    history = History.from_records(world, Dataset())
    return history, measure_portfolio(history, STARTS)


def test_every_portfolio_column_is_in_the_oracle() -> None:
    assert {one.column for one in REGISTRY.indicators.values() if one.portfolio} == set(portfolio_wide.COLUMNS)


def test_the_oracle_agrees(world: World) -> None:
    matrix = filled(*whole(world))
    accounts = sorted({row["account_id"] for row in world["accounts"]})

    def known_at(t: int) -> dict[str, dict[str, float]]:
        cut = truncated(world, t)
        found = {}
        for name in accounts:
            one = Account(cut, name, t)
            found[name] = portfolio_wide.own(one, promises(one, "us"))
        return found

    at_starts = [list(known_at(int(start)).values()) for start in STARTS]
    own = {t: known_at(t) for t in MOMENTS}
    seen: set[str] = set()
    for row in range(len(matrix)):
        t, name = int(matrix.rows.as_of[row]), matrix.account_ids[row]
        place = PLACES[MOMENTS.index(t)]
        expected = portfolio_wide.figures(own[t][name], at_starts[place] if place >= 0 else [])
        for column, wanted in expected.items():
            value = matrix.values[row, matrix.columns.index(column)]
            if wanted is None:
                assert np.isnan(value), column
            else:
                assert value == pytest.approx(wanted, rel=1e-9, abs=1e-9), column
                seen.add(column)
    assert seen == set(portfolio_wide.COLUMNS)


def test_neither_parts_nor_order_matter_and_ranges_hold(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    history, portfolio = whole(world)
    matrix = filled(history, portfolio)
    dice = random.Random(3)
    mixed = {table: dice.sample(rows, len(rows)) for table, rows in world.items()}
    monkeypatch.setattr(frame, "ACCOUNTS_AT_ONCE", 3)
    again = whole(mixed)
    assert json.dumps(again[1].to_json()) == json.dumps(portfolio.to_json())
    assert differences(matrix, filled(*again)) == []
    for place, one in enumerate(matrix.indicators):
        known = matrix.values[:, place][~np.isnan(matrix.values[:, place])]
        assert ((known >= one.low) & (known <= one.high)).all(), one.column


def test_without_a_portfolio_nothing_is_compared_and_all_else_is_the_same(world: World) -> None:
    history, portfolio = whole(world)
    alone, compared = filled(history, None), filled(history, portfolio)
    assert set(differences(alone, compared)) <= set(portfolio_wide.COLUMNS)
    for column in portfolio_wide.COLUMNS:
        assert np.isnan(alone.values[:, alone.columns.index(column)]).all()


def test_one_account_alone_is_placed_as_it_is_among_all(world: World) -> None:
    history, portfolio = whole(world)
    kept = Portfolio.from_json(json.loads(json.dumps(portfolio.to_json())))
    every = filled(history, portfolio)
    for number, name in enumerate(history.accounts):
        mine = {table: [row for row in rows if row["account_id"] == name] for table, rows in world.items()}
        alone = filled(History.from_records(mine, Dataset()), kept)
        assert differences(alone, every.take(np.arange(number * len(MOMENTS), (number + 1) * len(MOMENTS)))) == []


def test_what_came_later_changes_no_month(world: World) -> None:
    _, portfolio = whole(world)
    for place, start in enumerate(STARTS):
        cut = truncated(world, int(start))
        cut = {
            name: [row for row in rows if row.get("at", row.get("opened_at", 0)) <= start] for name, rows in cut.items()
        }
        then = measure_portfolio(History.from_records(cut, Dataset()), STARTS[place : place + 1])
        assert json.dumps(then.to_json()["months"][0]) == json.dumps(portfolio.to_json()["months"][place])


def test_a_portfolio_by_hand() -> None:
    """Ten paying clients: one brings 910 of 1,000, nine bring 10 each; the eleventh brings nothing."""
    revenue = np.array([910.0] + [10.0] * 9 + [0.0])
    quality = np.array([0.5] + [1.0] * 9 + [0.0])
    unknown = np.full(11, math.nan)
    month = month_of(revenue, np.full(11, 2.0), revenue + 10, quality, unknown, 10)
    portfolio = Portfolio(np.array([1000]), (month,))
    asked = np.array([999, 1000, 2000, 2000, 2000])
    of = np.array([910.0, 910.0, 10.0, 500.0, 0.0])
    assert portfolio.rank(asked, of).tolist()[1:] == [0.9, 0.0, 0.9, 0.0]
    above = portfolio.share_from_top(asked, of)
    assert np.isnan(above[0])
    assert above[1:] == pytest.approx([0.0, 0.91, 0.91, 1.0])
    assert (month.accounts, month.hours, month.potential, month.referral) == (10, 22.0, 1110.0, 10.0)
    # The line through (0, 1) nine times and (0.9, 0.5): the nine lie on it.
    assert month.quality_at_bottom == pytest.approx(1.0)
    assert month.quality_at_top == pytest.approx(1.0 - 0.5 / 0.9)
    assert math.isnan(month.days_to_close)


def test_a_large_portfolio_is_kept_in_few_numbers_and_places_nearly_the_same() -> None:
    dice = np.random.default_rng(4)
    revenue = dice.lognormal(8, 1.5, 20_000)
    unknown = np.full(len(revenue), math.nan)
    month = month_of(revenue, unknown, unknown, unknown, unknown, 10)
    assert len(month.revenue) == KNOTS
    asked, at = dice.choice(revenue, 200), np.full(200, 5)
    portfolio = Portfolio(np.array([0]), (month,))
    rank = np.searchsorted(np.sort(revenue), asked) / len(revenue)
    above = np.array([revenue[revenue > one].sum() for one in asked]) / revenue.sum()
    assert np.abs(portfolio.rank(at, asked) - rank).max() < 1.5 / KNOTS
    assert np.abs(portfolio.share_from_top(at, asked) - above).max() < 0.05
