"""Figures of the whole portfolio at each month start, known from then on.

Some signals compare an account with all others (W5, P4, and the usual time to close of P2c). What all others are like
is measured once for each month start, from what was known then, and kept with the model. Training, batch and request
all read the latest month start up to t, so all give the same number, and one account alone can be placed among others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from features.histories.log import Array

KNOTS = 501
"""Up to so many accounts with revenue are kept one by one; of more, so many evenly spaced ones."""


@dataclass(frozen=True)
class Month:
    """The portfolio as known at one month start; money per year, hours per year, NaN where nothing tells.

    ``revenue`` float64, increasing: the accounts that brought revenue (or evenly spaced ones); ``from_top`` float64 of
    the same length: the share of all revenue brought by the account and those above it. ``accounts`` is how many
    brought revenue. ``quality_at_bottom`` and ``quality_at_top`` is what revenue rank predicts of our service (a
    straight line).
    """

    revenue: Array
    from_top: Array
    accounts: int
    hours: float
    potential: float
    referral: float
    quality_at_bottom: float
    quality_at_top: float
    days_to_close: float


@dataclass(frozen=True)
class Portfolio:
    """Months by their start, int64 UTC seconds, increasing."""

    starts: Array
    months: tuple[Month, ...]

    def places(self, as_of: Array) -> Array:
        """For each moment the place of the latest month start up to it, -1 where there is none."""
        return np.searchsorted(self.starts, as_of, side="right") - 1

    def read(self, as_of: Array, name: str) -> Array:
        """float64: a number of the month in force at each moment, NaN where there is none."""
        numbers = np.array([getattr(month, name) for month in self.months] + [math.nan], dtype=np.float64)
        return np.asarray(numbers[self.places(as_of)])

    def rank(self, as_of: Array, revenue: Array) -> Array:
        """float64 0 to 1: the share of accounts with revenue that brought less than this one (NaN where unknown)."""
        return self._placed(as_of, revenue, lambda month, place: place / max(len(month.revenue), 1))

    def share_from_top(self, as_of: Array, revenue: Array) -> Array:
        """float64 0 to 1: the share of all revenue that accounts bringing more than this one bring."""

        def above(month: Month, place: Array) -> Array:
            after = np.append(month.from_top, 0.0)
            return np.asarray(after[np.minimum(place, len(month.from_top))])

        return self._placed(as_of, revenue, above, side="right")

    def _placed(self, as_of: Array, revenue: Array, read: Any, side: Any = "left") -> Array:
        found = np.full(len(as_of), np.nan)
        places = self.places(as_of)
        for place in np.unique(places[places >= 0]):
            month = self.months[place]
            rows = np.flatnonzero((places == place) & ~np.isnan(revenue))
            if month.accounts:
                found[rows] = read(month, np.searchsorted(month.revenue, revenue[rows], side=side))
        return found

    def to_json(self) -> dict[str, Any]:
        """As plain lists and numbers, null for NaN; ``from_json`` gives the same portfolio back, bit for bit."""
        return {
            "starts": self.starts.tolist(),
            "months": [{name: _plain(value) for name, value in vars(month).items()} for month in self.months],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Portfolio:
        """What ``to_json`` wrote."""
        months = tuple(
            Month(**{name: _number(name, value) for name, value in month.items()}) for month in document["months"]
        )
        return cls(np.array(document["starts"], dtype=np.int64), months)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    return None if isinstance(value, float) and math.isnan(value) else value


def _number(name: str, value: Any) -> Any:
    if name in ("revenue", "from_top"):
        return np.array(value, dtype=np.float64)
    if name == "accounts":
        return int(value)
    return math.nan if value is None else float(value)


def month_of(
    revenue: Array, hours: Array, potential: Array, quality: Array, days_to_close: Array, enough: int
) -> Month:
    """Sum up one month from float64 figures of every account (NaN unknown), in the order of account ids.

    ``enough`` is the least number of accounts from which a line of quality over rank, or a usual time, is drawn.
    """
    brought = np.sort(revenue[revenue > 0])
    whole = np.cumsum(brought[::-1])[::-1]
    from_top = whole / whole[0] if len(brought) else brought
    kept = (
        np.unique(np.linspace(0, len(brought) - 1, KNOTS).round().astype(int)) if len(brought) > KNOTS else slice(None)
    )
    rank = np.searchsorted(brought, revenue, side="left") / max(len(brought), 1)
    told = ~np.isnan(quality) & (revenue > 0)
    bottom, top = math.nan, math.nan
    if told.sum() >= enough and np.ptp(rank[told]) > 0:
        slope, bottom = (float(number) for number in np.polyfit(rank[told], quality[told], 1))
        top = bottom + slope
    closing = days_to_close[~np.isnan(days_to_close)]
    return Month(
        revenue=brought[kept],
        from_top=from_top[kept],
        accounts=len(brought),
        hours=float(np.nansum(hours)),
        potential=float(np.nansum(potential)),
        referral=float(np.median(brought)) if len(brought) else math.nan,
        quality_at_bottom=bottom,
        quality_at_top=top,
        days_to_close=float(np.median(closing)) if len(closing) >= enough else math.nan,
    )
