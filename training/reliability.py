"""Whether risks mean what they say: stated against observed risk, how much of the difference chance makes, and what
other ways of calibrating would say."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from features.histories.log import DAY, Array
from training.evaluation import BINS, Estimate, estimate, in_order, members, weights


@dataclass(frozen=True)
class Bin:
    """One of the equal-mass bins: mean stated risk, share that was lost, rows."""

    stated: float
    observed: Estimate
    rows: int


def bins_of(risk: Array) -> Array:
    """int (n,): the equal-mass bin of each row, the riskiest 0; tied rows go as a whole to the bin of their middle.

    >>> bins_of(np.array([0.9, 0.5, 0.5, 0.1])).tolist()
    [1, 5, 5, 8]
    """
    order, first = in_order(risk)
    start = np.append(np.flatnonzero(first), len(risk))
    middle = (start[:-1] + start[1:]) / 2
    place = np.minimum((middle * (BINS / max(len(risk), 1))).astype(np.int64), BINS - 1)
    found = np.empty(len(risk), dtype=np.int64)
    found[order] = np.repeat(place, np.diff(start))
    return found


def calibration_bins(risk: Array, lost: Array, group: Array, resamples: int = 1000, seed: int = 7) -> list[Bin]:
    """Stated risk and share lost in each bin that holds rows, riskiest first; accounts (or groups of them) are
    resampled within bins that stay as they are."""
    place, member = bins_of(risk), members(group)
    cell = member * BINS + place
    groups = int(member.max(initial=-1)) + 1
    rows, losses = (
        np.bincount(cell, values, groups * BINS).reshape(groups, BINS) for values in (np.ones(len(risk)), lost)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        draws = np.concatenate([(weight @ losses) / (weight @ rows) for weight in weights(groups, resamples, seed)])
    found = []
    for one in np.unique(place):
        inside = place == one
        observed = estimate(float(lost[inside].mean()), draws[:, one], 0.0, 1.0)
        found.append(Bin(float(risk[inside].mean()), observed, int(inside.sum())))
    return found


def brier_parts(risk: Array, lost: Array) -> dict[str, float]:
    """The Brier score as a sum of parts over the equal-mass bins.

        brier = reliability - resolution + uncertainty + within_variance - within_covariance

    The first three are Murphy's ("A new vector partition of the probability score", 1973); the last two are what
    differing risks inside a bin add (Stephenson, Coelho and Jolliffe, "Two extra components in the Brier score
    decomposition", 2008), without which the sum would not be exact.
    """
    lost = np.asarray(lost, dtype=np.float64)
    place = bins_of(risk)
    rows = np.bincount(place, minlength=BINS)
    stated, observed = (
        np.divide(np.bincount(place, values, BINS), rows, out=np.zeros(BINS), where=rows > 0) for values in (risk, lost)
    )
    share, overall = rows / len(risk), lost.mean()
    apart, beside = risk - stated[place], lost - observed[place]
    parts = {
        "reliability": share @ (stated - observed) ** 2,
        "resolution": share @ (observed - overall) ** 2,
        "uncertainty": overall * (1 - overall),
        "within_variance": np.mean(apart**2),
        "within_covariance": 2 * np.mean(apart * beside),
    }
    return {name: float(part) for name, part in parts.items()}


@dataclass(frozen=True)
class NullError:
    """The calibration error that a perfectly calibrated forecast with the same risks would show on such a sample:
    its mean, the value that 95 % stay below, and the share of draws that reach what was measured."""

    mean: float
    high: float
    reached: float


def null_calibration_error(
    risk: Array, account: Array, as_of: Array, horizon: int, measured: float, draws: int = 300, seed: int = 7
) -> NullError:
    """The expected calibration error (``ece``) that chance alone makes.

    Outcomes are drawn from the risks (n,) themselves. Those of one account are not independent: within a horizon of
    ``horizon`` days two windows (t, t + h] share 1 - distance / h of their time, and so of their losses. Each account's
    time is therefore cut into blocks of one horizon, beginning at a moment drawn anew; rows in the same block share
    one uniform number u and are lost where u < risk. Two rows fall into one block with just that probability, each
    row is lost with just its risk, and outcomes in different blocks are independent, as the errors of a calibrated
    forecast over windows that do not overlap are. That an account no longer counts after a loss is not imitated.
    """
    random = np.random.default_rng(seed)
    member = members(account)
    span = horizon * DAY
    begun = as_of - as_of.min()
    blocks = int(begun.max()) // span + 2
    place = bins_of(risk)
    mass = np.bincount(place, risk, BINS)
    errors = np.empty(draws)
    for draw in range(draws):
        offset = random.integers(0, span, int(member.max()) + 1)
        uniform = random.random((len(offset), blocks))
        lost = uniform[member, (begun + offset[member]) // span] < risk
        errors[draw] = np.abs(np.bincount(place, lost, BINS) - mass).sum() / len(risk)
    return NullError(float(errors.mean()), float(np.quantile(errors, 0.95)), float((errors >= measured).mean()))


@dataclass(frozen=True)
class VennAbers:
    """How the calibrated risks of the test lie to the bands [p0, p1] of Venn-Abers: the bands' mean width, the share
    of risks inside their band, the mean distance of those outside, and the mean of risk - p1 / (1 - p0 + p1)."""

    calibrated_on: int
    width: float
    inside: float
    distance: float
    difference: float


def venn_abers(scored: Array, scored_lost: Array, risk: Array) -> VennAbers | None:
    """How risks (n,) lie to the bands of inductive Venn-Abers, made of the risks (m,) that the model was calibrated on
    and their outcomes (bool (m,)); None where those hold one outcome only.

    See Vovk, Petej and Fedorova, "Large-scale probabilistic predictors with and without guarantees of validity"
    (2015). The guarantee is for rows that could change places; snapshots of one account cannot, so this is a
    diagnostic.
    """
    if not 0 < scored_lost.sum() < len(scored_lost):
        return None
    with (
        np.errstate(divide="ignore", invalid="ignore"),
        warnings.catch_warnings(),
    ):  # importing it would switch both off
        warnings.filterwarnings("ignore", "All-NaN slice encountered", RuntimeWarning)
        from venn_abers import VennAbers as Bands

        bands = Bands()
        bands.fit(np.column_stack((1 - scored, scored)), scored_lost.astype(np.float64))
        merged, band = bands.predict_proba(np.column_stack((1 - risk, risk)))
    low, high = band[:, 0], band[:, 1]
    outside = np.maximum(low - risk, 0.0) + np.maximum(risk - high, 0.0)
    away = outside > 0
    return VennAbers(
        len(scored),
        float((high - low).mean()),
        float(1 - away.mean()),
        float(outside[away].mean()) if away.any() else 0.0,
        float((risk - merged[:, 1]).mean()),
    )
