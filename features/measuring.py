"""Measures the portfolio at month starts, from what was known of every account then."""

from __future__ import annotations

import numpy as np

import features.signals  # noqa: F401  (registers every indicator)
from features import settings
from features.frame import Frame, in_parts
from features.histories.history import History
from features.histories.log import Array
from features.portfolio import Portfolio, month_of
from features.signals.portfolio_wide import Own, own


def measure_portfolio(history: History, starts: Array) -> Portfolio:
    """The portfolio's figures at each moment of ``starts`` (month starts, int64, increasing) over all accounts."""
    accounts, months = history.segments, len(starts)
    account = np.repeat(np.arange(accounts), months)
    as_of = np.tile(np.asarray(starts, dtype=np.int64), accounts)
    figures = {name: np.full(accounts * months, np.nan) for name in Own.__dataclass_fields__}

    def fill(frame: Frame, filled: slice) -> None:
        for name, values in vars(own(frame)).items():
            figures[name][filled] = values

    in_parts(history, account, as_of, None, fill)
    by_month = {name: values.reshape(accounts, months) for name, values in figures.items()}
    return Portfolio(
        np.asarray(starts, dtype=np.int64),
        tuple(
            month_of(
                by_month["revenue"][:, month],
                by_month["hours"][:, month],
                by_month["potential"][:, month],
                by_month["quality"][:, month],
                by_month["days_to_close"][:, month],
                settings.ENOUGH_ACCOUNTS,
            )
            for month in range(months)
        ),
    )
