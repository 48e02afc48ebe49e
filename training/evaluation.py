"""How good predictions are: measures of one scorer, and paired bootstrap comparisons of several on the same
rows.

Every measure is weighted and safe under ties: rows with equal risks are never ordered by chance, so that
nothing depends on the order of rows. A bootstrap resample of accounts is then only another set of weights,
and each resample of a measure is one walk along the sorted rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from features.histories.log import Array
from features.kernel import compiled

MEASURES = ("auc", "average_precision", "brier", "log_loss", "ece", "lift_top_decile")

LOWER_IS_BETTER = frozenset({"brier", "log_loss", "ece"})

BINS = 10
"""Equal-mass bins of the expected calibration error, of the Brier score's parts and of the reliability plot."""

TOP = 0.1
"""The share of the rows that "the top decile" is."""

_RANGE = {"log_loss": (0.0, math.inf), "lift_top_decile": (0.0, math.inf), "gap": (-1.0, 1.0)}
"""Where values of a measure lie, if not between 0 and 1; intervals end there too."""

MOST_RESAMPLES, LEAST_RESAMPLES, RESAMPLED_ENTRIES = 1000, 200, 20_000_000
"""Bootstrap resamples: so many that resamples × entries stay near the third number, between the two."""

_CELLS = 4_000_000
"""Weights held at a time while resampling, which bounds the memory."""

Measures = Callable[[Array | None], dict[str, Array]]
"""Measures (m,) by name of a set of weights (m, groups), or of one weight each."""


@dataclass(frozen=True)
class Estimate:
    """A measured value with its bootstrap interval (95 %); NaN where it is not defined."""

    value: float
    low: float
    high: float


class Ranked:
    """Rows in the order of falling risk, tied rows together: what all measures of one scorer are computed
    from.

    ``risk`` float (n,) in [0, 1] and ``lost`` bool (n,). The measures take weights (m, groups) and give (m,): one
    value for each set of weights. ``group`` int (n,) are the codes, from 0 on, that the weights belong to; without
    it each row has a weight of its own.
    """

    def __init__(self, risk: Array, lost: Array, group: Array | None = None) -> None:
        if len(risk) != len(lost):
            raise ValueError(f"{len(risk)} risks for {len(lost)} outcomes")
        order, self.first = in_order(risk)
        self.group = (np.arange(len(risk)) if group is None else group)[order]
        self.risk = np.asarray(risk, dtype=np.float64)[order]
        self.lost = np.asarray(lost, dtype=np.float64)[order]

    def measures(self, weight: Array | None = None) -> dict[str, Array]:
        """All ``MEASURES``, each (m,); ``weight`` (m, groups), one each if not given. NaN where a measure is
        undefined."""
        if not len(self.risk):
            return {name: np.full(1, np.nan) for name in MEASURES}
        weight = self._or_one_each(weight)
        total = self._summed(weight, np.ones(len(self.risk)))
        losses = self._summed(weight, self.lost)
        auc, precision, error = _walk(weight, self.group, self.risk, self.lost, self.first, total, losses, BINS)
        top = _top_share(weight, self.group, self.lost, self.first, TOP * total, losses)
        with np.errstate(divide="ignore", invalid="ignore"):
            return {
                "auc": auc,
                "average_precision": precision,
                "brier": self._summed(weight, (self.risk - self.lost) ** 2) / total,
                "log_loss": self._summed(weight, _surprise(self.risk, self.lost)) / total,
                "ece": error,
                "lift_top_decile": top / TOP,
            }

    def stated_and_observed(self, weight: Array | None = None) -> tuple[Array, Array]:
        """The mean risk and the share that was lost, each (m,)."""
        weight = self._or_one_each(weight)
        with np.errstate(invalid="ignore"):
            total = self._summed(weight, np.ones(len(self.risk)))
            return self._summed(weight, self.risk) / total, self._summed(weight, self.lost) / total

    def _or_one_each(self, weight: Array | None) -> Array:
        return np.ones((1, int(self.group.max()) + 1)) if weight is None else np.asarray(weight, dtype=np.float64)

    def _summed(self, weight: Array, values: Array) -> Array:
        """The weighted sums (m,) of values (n,)."""
        by_group = np.bincount(self.group, values, weight.shape[1])
        summed: Array = weight @ by_group
        return summed


def measure(risk: Array, lost: Array) -> dict[str, float]:
    """All ``MEASURES`` of risks (n,) against what happened (bool (n,)).

    >>> found = measure(np.array([0.9, 0.5, 0.5, 0.1]), np.array([True, True, False, False]))
    >>> found["auc"], round(found["brier"], 3)
    (0.875, 0.13)
    """
    return {name: float(values[0]) for name, values in Ranked(risk, lost).measures().items()}


def compare(
    risks: Mapping[str, Array], lost: Array, group: Array, resamples: int = 1000, seed: int = 7
) -> tuple[dict[str, dict[str, Estimate]], dict[str, dict[str, Estimate]]]:
    """Measures of every scorer, and the first one's lead over each other one, with intervals.

    ``risks`` by scorer's name (n,), the one in question first; ``lost`` bool (n,); ``group`` (n,) codes of
    what is resampled as a whole (accounts, or groups of them). All scorers are judged on the same resamples
    (paired), so that the interval of a difference is as narrow as it deserves to be. A difference is the
    first scorer's value minus the other's. Resamples without a loss, or with nothing but losses, carry no
    ranking and are left out of its interval.
    """
    member = members(group)
    ranked = {name: Ranked(risk, lost, member) for name, risk in risks.items()}
    return _paired({name: one.measures for name, one in ranked.items()}, member, resamples, seed)


def compare_caught(
    keys: Mapping[str, Array], worth: Array, group: Array, resamples: int = 1000, seed: int = 7
) -> tuple[dict[str, Estimate], dict[str, Estimate]]:
    """Share of all ``worth`` (n,) that lies in the top decile of the rows by each scorer's key, and the first
    scorer's lead over each other one; see ``compare``."""
    member = members(group)

    def caught(key: Array) -> Measures:
        return lambda weight: {"caught": share_caught(key, worth, member, weight)}

    measured, leads = _paired({name: caught(key) for name, key in keys.items()}, member, resamples, seed)
    shares = {name: one["caught"] for name, one in measured.items()}
    return shares, {name: one["caught"] for name, one in leads.items()}


def describe(
    risk: Array, lost: Array, group: Array, resamples: int = 1000, seed: int = 7
) -> tuple[float, dict[str, Estimate]]:
    """One part of the rows apart: the mean risk, and with intervals ``observed`` (the share that was lost), ``gap``
    (that minus the mean risk) and ``auc``."""
    member = members(group)
    ranked = Ranked(risk, lost, member)

    def measures(weight: Array | None) -> dict[str, Array]:
        stated, observed = ranked.stated_and_observed(weight)
        return {"auc": ranked.measures(weight)["auc"], "observed": observed, "gap": observed - stated}

    return float(np.mean(risk)), _paired({"": measures}, member, resamples, seed)[0][""]


def share_caught(key: Array, worth: Array, group: Array | None = None, weight: Array | None = None) -> Array:
    """float (m,): the share of all ``worth`` (n,) in the top decile of the rows by ``key`` (n,), a group of ties at
    its border counted in part; weights (m, groups) as for ``Ranked``. NaN where nothing is worth anything.

    >>> share_caught(np.arange(20.0), np.append(np.zeros(18), [30, 10])).tolist()
    [1.0]
    """
    order, first = in_order(key)
    member = (np.arange(len(key)) if group is None else group)[order]
    worth = np.asarray(worth, dtype=np.float64)[order]
    if weight is None:
        weight = np.ones((1, int(member.max(initial=-1)) + 1))
    total, whole = (weight @ np.bincount(member, values, weight.shape[1]) for values in (np.ones(len(key)), worth))
    return np.asarray(_top_share(weight, member, worth, first, TOP * total, whole))


def gain_curve(risk: Array, lost: Array) -> tuple[Array, Array]:
    """Share of rows taken in the order of falling risk, and share of losses among them; tied rows taken
    together. ``lost`` may be what is lost with each row, such as money."""
    order, first = in_order(risk)
    start = np.flatnonzero(first)
    total = np.diff(np.append(start, len(risk))).cumsum()
    losses = np.add.reduceat(np.asarray(lost, dtype=np.float64)[order], start).cumsum()
    return np.append(0.0, total / total[-1]), np.append(0.0, losses / losses[-1])


# Resampling


def resamples_for(entries: int) -> int:
    """How many resamples so many entries can afford.

    >>> [resamples_for(entries) for entries in (100, 50_000, 1_000_000)]
    [1000, 400, 200]
    """
    return min(max(RESAMPLED_ENTRIES // max(entries, 1), LEAST_RESAMPLES), MOST_RESAMPLES)


def members(group: Array) -> Array:
    """int64 (n,): the groups as codes from 0 on."""
    member: Array = np.unique(group, return_inverse=True)[1]
    return member


def weights(groups: int, resamples: int, seed: int) -> Iterator[Array]:
    """float64 (m, groups): how often each group is drawn in each resample, some resamples at a time."""
    random = np.random.default_rng(seed)
    step = max(1, _CELLS // max(groups, 1))
    for begun in range(0, resamples, step):
        size = min(step, resamples - begun)
        drawn = random.integers(0, groups, (size, groups)) + groups * np.arange(size)[:, None]
        yield np.bincount(drawn.ravel(), minlength=size * groups).reshape(size, groups).astype(np.float64)


def _paired(
    scorers: Mapping[str, Measures], member: Array, resamples: int, seed: int
) -> tuple[dict[str, dict[str, Estimate]], dict[str, dict[str, Estimate]]]:
    """Estimates of each scorer's measures, and of the first one's lead over the others, on the same resamples."""
    points = {name: {m: float(v[0]) for m, v in measures(None).items()} for name, measures in scorers.items()}
    parts: dict[str, list[dict[str, Array]]] = {name: [] for name in scorers}
    for weight in weights(int(member.max()) + 1, resamples, seed) if len(member) else ():
        for name, measures in scorers.items():
            parts[name].append(measures(weight))
    draws = {name: {m: _joined(found, m) for m in points[name]} for name, found in parts.items()}
    subject, *others = scorers
    measured = {
        name: {m: estimate(value, draws[name][m], *_RANGE.get(m, (0.0, 1.0))) for m, value in of.items()}
        for name, of in points.items()
    }
    leads = {
        name: {
            m: estimate(points[subject][m] - value, draws[subject][m] - draws[name][m])
            for m, value in points[name].items()
        }
        for name in others
    }
    return measured, leads


def _joined(parts: list[dict[str, Array]], measure: str) -> Array:
    return np.concatenate([np.empty(0), *(part[measure] for part in parts)])


def estimate(value: float, draws: Array, least: float = -math.inf, most: float = math.inf) -> Estimate:
    """The value with the spread of its resamples around it: calibration errors of resamples lean high, so the
    middle of the interval is put at the value. It ends where values do."""
    usable = draws[np.isfinite(draws)]
    if not len(usable):
        return Estimate(value, math.nan, math.nan)
    low, middle, high = np.quantile(usable, [0.025, 0.5, 0.975]).tolist()
    return Estimate(value, max(value + low - middle, least), min(value + high - middle, most))


# The walk along the sorted rows


def in_order(key: Array) -> tuple[Array, Array]:
    """The rows in the order of falling key, and bool (n,) where, in that order, a group of ties begins."""
    if not bool(np.isfinite(key).all()):
        raise ValueError("risks must be finite")
    order = np.argsort(-key, kind="stable")
    return order, np.diff(key[order], prepend=np.inf) != 0


def _surprise(risk: Array, lost: Array) -> Array:
    said: Array = np.clip(np.where(lost > 0, risk, 1 - risk), 1e-15, None)
    surprise: Array = -np.log(said)
    return surprise


@compiled
def _walk(
    weight: Array, group: Array, risk: Array, lost: Array, first: Array, total: Array, losses: Array, bins: int
) -> tuple[Array, Array, Array]:
    """AUC (the chance that a lost row stands above a kept one, ties counting one half), average precision
    (precision at each distinct risk, weighted by the losses found there) and the calibration error (mean distance of
    stated and observed risk over equal-mass bins; a group of ties goes as a whole to the bin of its middle)."""
    sets, rows = len(weight), len(risk)
    auc, precision, error = np.full(sets, np.nan), np.full(sets, np.nan), np.full(sets, np.nan)
    for s in range(sets):
        everyone, lost_ones = total[s], losses[s]
        kept_ones = everyone - lost_ones
        apart = np.zeros(bins)
        taken = found = pairs = precise = 0.0
        row = 0
        while row < rows:
            ties = lost_ties = 0.0
            begun = row
            while row < rows and (row == begun or not first[row]):
                w = weight[s, group[row]]
                ties += w
                lost_ties += w * lost[row]
                row += 1
            if ties > 0:
                if lost_ties > 0:
                    kept_above = taken - found
                    pairs += lost_ties * (kept_ones - kept_above - (ties - lost_ties) / 2)
                    precise += lost_ties * (found + lost_ties) / (taken + ties)
                place = min(int((taken + ties / 2) * (bins / everyone)), bins - 1)
                apart[place] += lost_ties - ties * risk[begun]
                taken += ties
                found += lost_ties
        if everyone > 0:
            error[s] = np.abs(apart).sum() / everyone
        if lost_ones > 0:
            precision[s] = precise / lost_ones
            if kept_ones > 0:
                auc[s] = pairs / (lost_ones * kept_ones)
    return auc, precision, error


@compiled
def _top_share(weight: Array, group: Array, worth: Array, first: Array, room: Array, whole: Array) -> Array:
    """The share of the whole worth that lies in the first ``room`` of weight; the last, split group of ties counts in
    part."""
    sets, rows = len(weight), len(worth)
    share = np.full(sets, np.nan)
    for s in range(sets):
        if whole[s] <= 0:
            continue
        left, caught = room[s], 0.0
        row = 0
        while row < rows and left > 0:
            ties = worth_ties = 0.0
            begun = row
            while row < rows and (row == begun or not first[row]):
                w = weight[s, group[row]]
                ties += w
                worth_ties += w * worth[row]
                row += 1
            if ties > 0:
                caught += worth_ties * min(left / ties, 1.0)
                left -= ties
        share[s] = caught / whole[s]
    return share
