"""What would help: the signals that someone could bring back to their mark, and what the model's risk would be then.

For each signal of an account that misses a mark and lies in somebody's hands (``features.hands``), every figure of it
that misses is set to its mark, and the calibrated risk is computed anew. Nothing is linearised: a signal may bring
much or nothing, depending on the account's other figures. Several signals together are computed together as well, for
their effects do not add up.

This is association and no promise: clients with such figures left less often. A figure that is not known misses
nothing and is not offered; of what is nobody's to change nothing is offered either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from features.hands import HANDS, Hands, in_hands
from features.indicators import Indicator, Mark
from features.judgements.readings import MISSED, against
from models.risk import EXPLAINED, RiskModel
from models.wording import missed

if TYPE_CHECKING:
    from features.matrix import Matrix

NOTICEABLE = 0.001
"""A signal is offered if it lowers the risk by this much at least (0.1 percentage points) …"""

NOTICEABLE_PART = 0.01
"""… and by this part of the risk."""

TOGETHER = 3
"""So many of the signals that help most are computed together."""

JUST = 1e-9
"""How far above "more than" counts as just met. Not the next float: trees take what is below 1e-35 for zero."""

ROWS_AT_ONCE = 64
"""Rows whose what-ifs are in memory together: some 20 for each."""


@dataclass(frozen=True)
class Target:
    """A figure that misses its mark: its value, the nearest value that meets it, and both in words."""

    column: str
    value: float
    target: float
    sentence: str


@dataclass(frozen=True)
class Step:
    """One signal brought back to its mark: by whom, how, and the risk then (``change`` is below 0)."""

    signal: str
    name: str
    hands: Hands
    figures: tuple[Target, ...]
    risk: float
    change: float


@dataclass(frozen=True)
class Help:
    """What would help one account: ``risk`` is its risk now, at ``horizon``; the ``steps`` that help most come first.

    ``together`` are the first ``TOGETHER`` steps' signals, ``risk_together`` the risk with all of them at their marks
    (the present risk where there is no step).
    """

    horizon: int
    risk: float
    steps: tuple[Step, ...]
    together: tuple[str, ...]
    risk_together: float

    @property
    def change_together(self) -> float:
        """What the steps together change of the risk."""
        return self.risk_together - self.risk


@dataclass(frozen=True)
class _Offer:
    """A signal in somebody's hands and the places of its figures that have a mark."""

    signal: str
    name: str
    hands: Hands
    places: np.ndarray


def what_would_help(model: RiskModel, matrix: Matrix, horizon: int = EXPLAINED) -> list[Help]:
    """What would help each row of a matrix, at one horizon.

    Errors: ValueError for a horizon that the model does not know.
    """
    offers = [
        _Offer(signal, matrix.indicators[places[0]].signal.name, HANDS[signal], np.array(places))
        for signal, places in in_hands(matrix.indicators).items()
    ]
    found: list[Help] = []
    for start in range(0, len(matrix), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        days_to_end = matrix.standing.days_to_end[part]
        found += _help(model, matrix.indicators, matrix.values[part], days_to_end, horizon, offers)
    return found


def _help(
    model: RiskModel,
    indicators: Sequence[Indicator],
    values: np.ndarray,
    days_to_end: np.ndarray,
    horizon: int,
    offers: Sequence[_Offer],
) -> list[Help]:
    def risk(figures: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return np.asarray(expit(model.logits(figures, days_to_end[rows], horizon)))

    every = np.arange(len(values))
    at_mark, missing = _at_marks(indicators, values, offers)
    row, offer = np.nonzero(np.stack([missing[:, one.places].any(axis=1) for one in offers], axis=1))
    # The accounts as they are, then each with one signal at its mark: one call for all.
    tried = np.concatenate((values, values[row]))
    _bring(tried, len(values) + np.arange(len(row)), offer, at_mark[row], offers)
    risks = risk(tried, np.concatenate((every, row)))
    now, then = risks[: len(values)], risks[len(values) :]
    change = then - now[row]
    helps = change <= -np.maximum(NOTICEABLE, NOTICEABLE_PART * now[row])

    steps: list[list[int]] = [[] for _ in values]
    for place in np.flatnonzero(helps)[np.argsort(change[helps], kind="stable")].tolist():
        steps[row[place]].append(place)
    joined = values.copy()
    best = [place for of_row in steps for place in of_row[:TOGETHER]]
    _bring(joined, row[best], offer[best], at_mark[row[best]], offers)
    together = risk(joined, every)

    def step(place: int) -> Step:
        one = offers[offer[place]]
        return Step(
            one.signal,
            one.name,
            one.hands,
            tuple(
                _target(indicators[at], float(values[row[place], at]), float(at_mark[row[place], at]))
                for at in one.places.tolist()
                if missing[row[place], at]
            ),
            float(then[place]),
            float(change[place]),
        )

    return [
        Help(
            horizon,
            float(now[at]),
            tuple(step(place) for place in of_row),
            tuple(offers[offer[place]].signal for place in of_row[:TOGETHER]),
            float(together[at]),
        )
        for at, of_row in enumerate(steps)
    ]


def _at_marks(
    indicators: Sequence[Indicator], values: np.ndarray, offers: Sequence[_Offer]
) -> tuple[np.ndarray, np.ndarray]:
    """The figures (n, columns) with all on offer that are known to miss their mark at the mark, and which those are."""
    moved, missing = values.copy(), np.zeros(values.shape, dtype=bool)
    for place in (place for one in offers for place in one.places.tolist()):
        mark = indicators[place].mark
        assert mark is not None
        missing[:, place] = against(mark, values[:, place]) == MISSED
        moved[missing[:, place], place] = nearest(mark, values[missing[:, place], place])
    return moved, missing


def nearest(mark: Mark, figures: np.ndarray) -> np.ndarray:
    """For figures that miss a mark the nearest ones that meet it.

    >>> nearest(Mark("between", 0.35, 0.65), np.array([0.1, 0.9])).tolist()
    [0.35, 0.65]
    >>> nearest(Mark("<=", 24), np.array([52.0])).tolist()
    [24.0]
    """
    if mark.upper is not None:
        return np.asarray(np.clip(figures, mark.value, mark.upper))
    return np.full(len(figures), mark.value + (JUST if mark.comparison == ">" else 0.0))


def _bring(
    figures: np.ndarray, rows: np.ndarray, offer: np.ndarray, at_mark: np.ndarray, offers: Sequence[_Offer]
) -> None:
    """In place: bring one signal to its mark in each of some ``rows`` of ``figures``.

    ``offer`` says which signal for each of these rows, and ``at_mark`` holds the row's figures with all at their marks.
    """
    for place, one in enumerate(offers):
        chosen = np.flatnonzero(offer == place)
        figures[np.ix_(rows[chosen], one.places)] = at_mark[np.ix_(chosen, one.places)]


def _target(indicator: Indicator, value: float, target: float) -> Target:
    return Target(indicator.column, value, target, missed(indicator, value))
