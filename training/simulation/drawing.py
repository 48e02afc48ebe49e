"""Chances drawn, with what an onlooker learns from them, and times of day."""

import numpy as np

from training.simulation.chain import Floats
from training.simulation.compiling import compiled
from training.simulation.records import Ints

HOUR = 3_600
DAY = 24 * HOUR
OPENS, CLOSES = 8 * HOUR, 18 * HOUR
"""Working hours, UTC, as seconds of the day."""


@compiled
def draw(rng: np.random.Generator, chances: Floats, column: int, likelihood: Floats) -> int:
    """A row of `chances` [endings, columns], drawn in `column`; the likelihood of every state learns of it."""
    uniform = rng.random()
    ending, reached = 0, chances[0, column]
    while uniform >= reached and ending < chances.shape[0] - 1:
        ending += 1
        reached += chances[ending, column]
    while chances[ending, column] == 0.0:  # the sum fell short of 1 by rounding
        ending -= 1
    for state in range(likelihood.size):
        likelihood[state] *= chances[ending, state]
    return ending


@compiled
def happens(rng: np.random.Generator, chances: Floats, factor: float, column: int, likelihood: Floats) -> bool:
    """Whether something with the chance `factor * chances[column]` happens."""
    happened: bool = rng.random() < factor * chances[column]
    for state in range(likelihood.size):
        chance = factor * chances[state]
        likelihood[state] *= chance if happened else 1.0 - chance
    return happened


@compiled
def pick(rng: np.random.Generator, shares: Floats) -> int:
    """A class drawn with the given shares, which tells nothing of the state."""
    uniform = rng.random()
    reached = 0.0
    for index in range(shares.size - 1):
        reached += shares[index]
        if uniform < reached:
            return index
    return int(shares.size - 1)


@compiled
def one_of(rng: np.random.Generator, count: int) -> int:
    """A whole number from 0 to count - 1."""
    return int(rng.random() * count)


@compiled
def within(rng: np.random.Generator, bounds: Ints) -> int:
    """A whole number from the lower to the upper bound, both included."""
    return int(bounds[0] + rng.random() * (bounds[1] - bounds[0] + 1))


@compiled
def moment(rng: np.random.Generator, day: int, after: int) -> int:
    """A second of the day's working hours, later than `after` where that still lies within them."""
    earliest = max(day * DAY + OPENS, after + 60)
    latest = day * DAY + CLOSES
    return int(earliest + rng.random() * max(latest - earliest, 1))


@compiled
def working_day(day: int, first_weekday: int) -> int:
    """The day itself, or the Monday after."""
    weekday = (first_weekday + day) % 7
    return day + 7 - weekday if weekday >= 5 else day
