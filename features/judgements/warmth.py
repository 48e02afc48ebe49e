"""Warmth: how warm a relationship is, from 0 (cold) to 100, and what that is made of (document 003).

Half of it is our own conduct (W1 to W4), half the client's (G1, G4, D1, D8). Each component is a row of the list,
scored from 0 to 1 against its mark; those that are unknown are left out, and below six known ones so is the whole. It
is an account of conduct and never a risk turned around: no model has a part in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from features import settings
from features.histories.log import Array
from features.indicators import REGISTRY, Indicator
from features.judgements.readings import Reading, marked_by_row, readings
from features.matrix import Matrix

Place = Literal["cooler", "happy medium", "warmer"]
"""Where warmth lies to the band ``settings.WARMTH_BAND``."""


@dataclass(frozen=True)
class Component:
    """One row of the list in the composition: what it weighs, its score 0 to 1 (None if unknown), and its figures."""

    row: str
    name: str
    weight: int
    score: float | None
    figures: tuple[Reading, ...]


@dataclass(frozen=True)
class Warmth:
    """Degrees from 0 to 100 and their place to the band (both None if unknown), and what they are made of."""

    degrees: float | None
    place: Place | None
    known: int
    components: tuple[Component, ...]


def score(indicator: Indicator, values: Array) -> Array:
    """float64 0 to 1 for each value against the indicator's mark: 1 at the mark and beyond, less the farther it is off.

    With a mark "at least m" a value counts as its part of the way from the least possible to m; with "at most m" as
    that part turned around, so that twice the mark is one half. Better values never score less. NaN stays NaN.

    >>> score(REGISTRY.indicators["W1a.our_response_time.365d"], np.array([12.0, 48.0, 96.0])).tolist()
    [1.0, 0.5, 0.25]
    >>> score(REGISTRY.indicators["G1a.first_attempt_response_rate.365d"], np.array([0.9, 0.75, 0.375])).tolist()
    [1.0, 1.0, 0.5]
    """
    mark, low = indicator.mark, indicator.low
    if mark is None or mark.comparison == "between" or not np.isfinite(low):
        raise ValueError(f"{indicator.column} has no mark in one direction, or no least value, to be scored against")
    way, gone = mark.value - low, values - low
    if mark.comparison == "<=":
        met, part = values <= mark.value, way / np.where(gone > 0, gone, 1.0)
    else:
        met = values > mark.value if mark.comparison == ">" else values >= mark.value
        part = gone / way if way > 0 else np.zeros(len(values))
    return np.where(np.isnan(values), np.nan, np.where(met, 1.0, np.clip(part, 0.0, 1.0)))


def _scores(matrix: Matrix, figures: dict[str, list[int]]) -> dict[str, Array]:
    """The score of each component, float64 (rows,): the mean over the known figures of its row of the list."""
    scores = {}
    for row, places in figures.items():
        total, known = np.zeros(len(matrix)), np.zeros(len(matrix))
        for place in places:
            one = score(matrix.indicators[place], matrix.values[:, place])
            total += np.nan_to_num(one)
            known += ~np.isnan(one)
        scores[row] = np.where(known > 0, total / np.maximum(known, 1), np.nan)
    return scores


def degrees(matrix: Matrix) -> Array:
    """float64 (rows,): warmth of each row of the matrix, 0 to 100, NaN where fewer than six components are known."""
    return _weighed(_scores(matrix, marked_by_row(matrix, settings.WARMTH_WEIGHTS)), len(matrix))


def _weighed(scores: dict[str, Array], rows: int) -> Array:
    # Added up one after the other: numpy's own sums depend on the shape of the whole.
    total, weight, known = np.zeros(rows), np.zeros(rows), np.zeros(rows)
    for row, values in scores.items():
        there = ~np.isnan(values)
        total += np.where(there, values, 0.0) * settings.WARMTH_WEIGHTS[row]
        weight += there * settings.WARMTH_WEIGHTS[row]
        known += there
    enough = known >= settings.WARMTH_COMPONENTS_NEEDED
    return np.where(enough, 100 * total / np.where(enough, weight, 1.0), np.nan)


def warmth(matrix: Matrix) -> list[Warmth]:
    """Warmth and its composition for each row of the matrix."""
    places = marked_by_row(matrix, settings.WARMTH_WEIGHTS)
    scores = _scores(matrix, places)
    whole = _weighed(scores, len(matrix))
    figures = {row: readings(matrix, of_row) for row, of_row in places.items()}
    return [
        Warmth(
            _known(whole[number]),
            _place(whole[number]),
            sum(not np.isnan(values[number]) for values in scores.values()),
            tuple(
                Component(
                    row,
                    REGISTRY.signals[row].name,
                    settings.WARMTH_WEIGHTS[row],
                    _known(values[number]),
                    figures[row][number],
                )
                for row, values in scores.items()
            ),
        )
        for number in range(len(matrix))
    ]


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _place(value: float) -> Place | None:
    low, high = settings.WARMTH_BAND
    if np.isnan(value):
        return None
    return "cooler" if value < low else "warmer" if value > high else "happy medium"
