"""Drift: whether the accounts of a month differ from those of a month that the model knew, indicator by indicator.

The same accounts stand in both months, some left between and some came, and what an account was like a year ago tells
much of what it is like now. Two-sample tests of independent rows would misjudge the chances, and pairing each account
with itself would find drift where there is none: who is still a client a year later was doing well then. So both whole
months are compared, and chance is learned from the accounts themselves. Every account adds its part to the difference
of the two distribution functions (its row now less its row then, each against what is usual in both months); without
drift the parts add up to nothing but noise, whichever way round each stands. Signs drawn for whole accounts, the same
for all indicators, show how far that noise reaches (a multiplier bootstrap by account).

The statistic is that of Kolmogorov and Smirnov for the figures that are known, and the difference of the shares of
accounts whose figure is known. Each is told by how far it is from its own noise, and the furthest of a whole month of
noise says from where on one is surprising (single-step maxT of Westfall and Young 1993): the level is the chance of any
false alarm in a month, however many indicators there are and however alike. What moved by less than ``LEAST_DISTANCE``
is no drift.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from features import settings
from features.histories.log import DAY, Array
from features.indicators import Indicator

LEAST_DISTANCE = 0.1
"""Share of the accounts by which two distributions, or two shares of known figures, must differ to matter."""

LEAST_KNOWN = 10
"""Known figures in each month below which figures are not compared."""

LEAST_ACCOUNTS = 20
"""Accounts in each month below which nothing is compared."""

MOST_ACCOUNTS = 2_000
"""Accounts that noise is learned from; of more, so many drawn by chance. They are enough for any drift that matters."""

DRAWS = 1_000
"""Draws of signs."""

POINTS = 20
"""Places along the figures at which the two distribution functions are compared under drawn signs."""

AGEING = frozenset(
    {
        "L5.tenure",
        "L5.known_for",
        "L5.deals_won",
        "L5.deals_lost",
        "L5.value_against_previous",
        "L5.competitive_share",
        "D8f.usual_gap",
        "P2c.days_to_first_offer",
        "P2c.days_to_close_against_usual",
        "W1c.immaculate_contacts",
    }
)
"""Figures (signal and name) that follow from how old an account is: they grow with the record or look over the whole of
it, or only young or old accounts have them. A portfolio that ages, or wins more clients than before, moves them without
any drift."""

_A_YEAR = settings.ZERO_IS_A_FACT_AFTER // DAY

DAYS_NEEDED: Mapping[str, int] = {
    **{name: max(span // DAY, _A_YEAR) for name, span in settings.WINDOWS.items() if name != "all"},
    settings.LONGER_WINDOW[0]: settings.LONGER_WINDOW[1] // DAY,
    "trend": _A_YEAR,
    "now": _A_YEAR,
}
"""Days that an account must have been observed for its figure over a window to be compared.

Before that the window reaches back beyond the account's records, or that none of something was seen is no fact yet: a
month with more new clients would differ for that alone. The windows that are not named look over the whole of the
record (`all`, `since`): they change as records get longer, whatever happens, and are not compared.
"""


@dataclass(frozen=True)
class Sample:
    """The accounts of one moment, a row for each: ``account`` int (n,) codes, increasing; ``values`` float64
    (n, columns), NaN where unknown; ``observed`` float64 (n,) days for which the account was observed."""

    account: Array
    values: Array
    observed: Array

    def among(self, accounts: Array) -> Sample:
        """The rows of some accounts (increasing codes)."""
        chosen = np.isin(self.account, accounts)
        return Sample(self.account[chosen], self.values[chosen], self.observed[chosen])


@dataclass(frozen=True)
class Drift:
    """One indicator in two months.

    ``known`` are shares of the accounts whose figure is known, ``middle`` their medians (NaN if there are none).
    ``distance`` is the Kolmogorov-Smirnov distance of the known figures, 0 to 1, NaN where too few are known.
    ``probability`` is the chance that anything in a month without drift stands out as much.
    """

    column: str
    accounts_then: int
    accounts_now: int
    known_then: float
    known_now: float
    middle_then: float
    middle_now: float
    distance: float
    probability: float
    drifted: bool

    @property
    def compared(self) -> bool:
        """Whether there were accounts enough to compare."""
        return min(self.accounts_then, self.accounts_now) >= LEAST_ACCOUNTS

    @property
    def size(self) -> float:
        """How far it moved: the greater of the distance and the change in the share known."""
        return float(np.nanmax([self.distance, abs(self.known_now - self.known_then), 0.0]))


def days_needed(indicator: Indicator) -> int | None:
    """Days of observation from which an indicator is compared; None where it never is (see ``DAYS_NEEDED``)."""
    figure = f"{indicator.signal.id}.{indicator.name}"
    return None if figure in AGEING else DAYS_NEEDED.get(indicator.window)


def compare(
    columns: Sequence[str], needed: Array, now: Sample, then: Sample, level: float, seed: int = 7
) -> list[Drift]:
    """Compare every column of two samples; ``needed`` (columns,) are the days of observation that each asks for.

    In months without drift, the chance that any column is called drifted is about ``level``, or less.
    """
    pairs = [_Pair.of(now, then, place, days) for place, days in enumerate(needed)]
    accounts = np.union1d(now.account, then.account)
    random = np.random.default_rng(seed)
    if len(accounts) > MOST_ACCOUNTS:
        accounts = np.sort(random.choice(accounts, MOST_ACCOUNTS, replace=False))
    new, old = now.among(accounts), then.among(accounts)
    parts = [_Pair.of(new, old, place, days).parts(accounts) for place, days in enumerate(needed)]
    chances = _chances([part for both in parts for part in both], random)
    return [
        pair.drift(column, chances[2 * place], chances[2 * place + 1], level)
        for place, (column, pair) in enumerate(zip(columns, pairs, strict=True))
    ]


def _chances(parts: Sequence[Array], random: np.random.Generator) -> list[float]:
    """For each statistic, of which ``parts`` holds the accounts' parts (accounts, points): the chance that any of all
    stands out as much where the parts are noise; 1 where there are none."""
    told = [place for place, part in enumerate(parts) if part.any()]
    chances = np.ones(len(parts))
    if told:
        together = np.concatenate([parts[place] for place in told], axis=1)
        begin = np.cumsum([0] + [parts[place].shape[1] for place in told[:-1]])
        signs = 2 * random.integers(0, 2, (DRAWS, len(together))).astype(np.float32) - 1
        drawn = np.maximum.reduceat(np.abs(signs @ together), begin, axis=1) ** 2
        moved = np.maximum.reduceat(np.abs(together.sum(axis=0)), begin) ** 2
        # Statistics of one point and of many have tails of their own. Cube roots of squares are nearly normal, whatever
        # they sum up (Wilson and Hilferty 1931): so all are told in one measure, as far as each is from its own noise.
        usual = drawn.mean(axis=0)
        roots, far = np.cbrt(drawn / usual), np.cbrt(moved / usual)
        # What a single account adds is as far one way round as the other: it has no spread, and surprises nobody.
        middle, spread = roots.mean(axis=0), np.maximum(roots.std(axis=0), 0.01)
        furthest = np.sort(((roots - middle) / spread).max(axis=1))
        reached = DRAWS - np.searchsorted(furthest, (far - middle) / spread, side="left")
        chances[told] = (1 + reached) / (1 + DRAWS)
    return [float(chance) for chance in chances]


@dataclass(frozen=True)
class _Pair:
    """One column's figures (NaN unknown) of the comparable accounts in both months."""

    now: Array
    now_account: Array
    then: Array
    then_account: Array

    @classmethod
    def of(cls, now: Sample, then: Sample, place: int, days: float) -> _Pair:
        new, old = now.observed >= days, then.observed >= days
        return cls(now.values[new, place], now.account[new], then.values[old, place], then.account[old])

    def parts(self, accounts: Array) -> tuple[Array, Array]:
        """What each account adds to the difference of the shares known (accounts, 1), and to those of the distribution
        functions (accounts, points), float32; without points where there is too little to compare."""
        known_now, known_then = ~np.isnan(self.now), ~np.isnan(self.then)
        known = figures = np.zeros((len(accounts), 0), dtype=np.float32)
        if min(len(self.now), len(self.then)) >= LEAST_ACCOUNTS:
            known = self._parts(accounts, known_now[:, None], known_then[:, None], self.now_account, self.then_account)
            if min(known_now.sum(), known_then.sum()) >= LEAST_KNOWN:
                new, old = self.now[known_now], self.then[known_then]
                points = np.unique(np.quantile(np.concatenate((new, old)), np.arange(POINTS) / POINTS, method="lower"))
                below = new[:, None] <= points, old[:, None] <= points
                figures = self._parts(accounts, *below, self.now_account[known_now], self.then_account[known_then])
        return known, figures

    @staticmethod
    def _parts(accounts: Array, now: Array, then: Array, now_account: Array, then_account: Array) -> Array:
        usual = (now.sum(axis=0) + then.sum(axis=0)) / (len(now) + len(then))
        parts = np.zeros((len(accounts), now.shape[1]), dtype=np.float32)
        # An account has one row in each month at most, so that no place is written to twice.
        parts[np.searchsorted(accounts, now_account)] += (now - usual) / len(now)
        parts[np.searchsorted(accounts, then_account)] -= (then - usual) / len(then)
        return parts

    def drift(self, column: str, of_known: float, of_figures: float, level: float) -> Drift:
        """The comparison, with the chances of the change in the share known and of the figures' distance."""
        distance = _distance(_known(self.now), _known(self.then))
        known_then, known_now = _known_share(self.then), _known_share(self.now)
        chance = 1.0
        if abs(known_now - known_then) >= LEAST_DISTANCE:
            chance = of_known
        if distance >= LEAST_DISTANCE:
            chance = min(chance, of_figures)
        return Drift(
            column,
            len(self.then),
            len(self.now),
            known_then,
            known_now,
            _median(self.then),
            _median(self.now),
            distance,
            chance,
            chance <= level,
        )


def _known(figures: Array) -> Array:
    known: Array = figures[~np.isnan(figures)]
    return known


def _known_share(figures: Array) -> float:
    return float(np.mean(~np.isnan(figures))) if len(figures) else math.nan


def _median(figures: Array) -> float:
    known = _known(figures)
    return float(np.median(known)) if len(known) else math.nan


def _distance(new: Array, old: Array) -> float:
    """The greatest difference of the two distribution functions; NaN where too few figures are known."""
    if min(len(new), len(old)) < LEAST_KNOWN:
        return math.nan
    new, old, places = np.sort(new), np.sort(old), np.concatenate((new, old))
    shares = (np.searchsorted(part, places, side="right") / len(part) for part in (new, old))
    return float(np.abs(np.subtract(*shares)).max())
