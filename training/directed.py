"""How the linear half of the risk is learned: every column starts from its documented direction.

Before any loss is seen, each signal with a direction is believed to raise the risk a little where it is worse than
usual, all signals alike (equal weights are hard to beat on few cases: Dawes, "The robust beauty of improper linear
models", 1979). The losses move the weights away from that, the further the more of them there are: the likelihood is
counted in lost accounts, not rows, because an account lost once shows in every snapshot shortly before.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from features.histories.log import Array
from features.indicators import Indicator
from models.linear import CUT_OFF, KNOTS, LinearModel, ramps
from training.directed_logistic import DirectedLogistic

BELIEVED = 1.5
"""Log odds that are believed to lie between an account one spread worse than usual in every signal and a usual one."""

SPREAD = 1.1
"""How far the weights of all columns together may reasonably lie from what is believed (standard deviation, log odds
per spread): each column's share of it is smaller, the more columns there are."""

SPREAD_OF_CONTEXT = 1.0
"""The same for the ramps past the contract's end and for the logarithm of the horizon, of which more is known."""

RAMP, LOG_DAYS = 0.3, 0.8
"""What is believed of each ramp past the contract's end and of the logarithm of the horizon."""

REFERENCE_DAYS = 180.0
"""The horizon whose logarithm counts as 0."""

LEAST_KNOWN = 0.02
"""Share of rows that must know a figure for its column to be learned from."""

NORMAL_FOUR_FIFTHS = 2.563
"""Standard deviations between the ends of the middle four fifths of a normal distribution."""

NO_RAMPS = np.zeros(len(KNOTS) - 1)


def fit_linear(
    values: Array,
    days_to_end: Array,
    indicators: Sequence[Indicator],
    labels: Array,
    horizons: Sequence[int],
    weight: Array,
    chance: np.random.Generator | None = None,
) -> tuple[LinearModel, Array]:
    """Learn from every (row, horizon) with a known outcome: the model, and how far the log odds rise with each horizon
    (H,) beyond what its score says.

    ``values`` (n, columns), ``days_to_end`` (n,), ``labels`` int8 (n, H) with -1 for unknown, ``weight`` (n,) in units
    of evidence (about one for each lost account over all its rows). With ``chance`` what is believed is itself drawn,
    by its spread: models that learned from different draws differ by all that is not known, and not only by what the
    accounts at hand happen to show (randomised priors: Osband et al., 2018).
    """
    centre, scale, mean = _scales(values)
    blank = LinearModel(centre, scale, mean, np.zeros_like(centre), 0.0, NO_RAMPS, NO_RAMPS)
    x = blank.inputs(values)
    direction = np.array([one.constraint for one in indicators], dtype=np.float64)
    used = np.flatnonzero((direction != 0) & (np.mean(~np.isnan(values), axis=0) >= LEAST_KNOWN))

    row, place = np.nonzero(labels >= 0)
    days = np.asarray(horizons, dtype=np.float64)[place]
    ahead = np.log(days / REFERENCE_DAYS)
    risen = ramps(days - days_to_end[row])
    known_end = ~np.isnan(risen[:, 0])
    usual = risen[known_end].mean(axis=0) if known_end.any() else NO_RAMPS
    risen = np.where(known_end[:, None], risen, usual)
    inputs = np.column_stack((x[row][:, used] * direction[used], ahead - ahead.mean(), risen - usual))
    prior = np.concatenate((_believed(indicators, used), [LOG_DAYS], np.full_like(usual, RAMP)))
    each = SPREAD / np.sqrt(max(len(used), 1))
    spread = np.concatenate((np.full(len(used), each), np.full(1 + len(usual), SPREAD_OF_CONTEXT)))
    if chance is not None:
        prior = np.maximum(prior + spread * chance.standard_normal(len(prior)), 0.0)
    learned = DirectedLogistic(prior, spread**-2.0, directed=True).fit(inputs, labels[row, place] == 1, weight[row])

    coef = np.zeros_like(centre)
    coef[used] = learned.coef_[0, : len(used)] * direction[used]
    horizon, *rises = learned.coef_[0, len(used) :].tolist()
    # A ramp that never varied (no contract end is known) stays as believed, and would speak of nothing seen.
    rise = np.array(rises) * known_end.any()
    level = float(learned.intercept_[0]) - horizon * float(ahead.mean()) - float(usual @ rise)
    beyond = horizon * np.log(np.asarray(horizons) / REFERENCE_DAYS)
    return LinearModel(centre, scale, mean, coef, level, rise, usual), beyond


def _believed(indicators: Sequence[Indicator], used: Array) -> Array:
    """What is believed of each used column: every signal the same, shared among its columns."""
    signals = [indicators[place].signal.id for place in used.tolist()]
    return np.array([BELIEVED / (len(set(signals)) * signals.count(signal)) for signal in signals])


def _scales(values: Array) -> tuple[Array, Array, Array]:
    """The middle and the spread of every column's known figures, and their mean when brought to that scale; 0, 1 and 0
    where none is known. The spread is that of the middle four fifths, which odd figures do not widen."""
    centre, scale, mean = np.zeros(values.shape[1]), np.ones(values.shape[1]), np.zeros(values.shape[1])
    for place, column in enumerate(values.T):
        known = column[~np.isnan(column)]
        if not len(known):
            continue
        low, middle, high = np.quantile(known, (0.1, 0.5, 0.9)).tolist()
        centre[place], scale[place] = middle, (high - low) / NORMAL_FOUR_FIFTHS or float(known.std()) or 1.0
        mean[place] = np.clip((known - centre[place]) / scale[place], -CUT_OFF, CUT_OFF).mean()
    return centre, scale, mean
