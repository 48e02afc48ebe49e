"""Parts of the test that a model is judged on apart: accounts of one kind (segments), spans of time (periods).

A model may be good on the whole and wrong for one line of business, one director's accounts, new clients or small
contracts; or good in the first months after its training and no longer in the last. What an account is, is taken
as it was known at the row's as_of.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pyarrow as pa

from features.histories.attributes import in_force
from features.histories.history import History
from features.histories.log import Array
from features.matrix import Matrix
from features.sources.files import iso
from training.evaluation import Estimate, describe, resamples_for

NOT_KNOWN = "not known"

MOST_NAMES = 12
"""Values of a column that are judged apart, those with the most accounts; the rest go together."""

TENURE = (1, 2, 4)
"""Years since the first deal won (else since the first event) at which the next band begins."""

SIZES = 3
"""Bands of contract size (money a year: contracted, else ordered, else the potential), of about as many rows each."""

FEW = 5
"""A part with fewer accounts lost, or kept, than this is too small to be judged."""

PART_RESAMPLES = 300
"""Resamples of a part at most: there are many parts."""

PERIODS = 4
"""Spans of about the same length that the test is cut into."""


@dataclass(frozen=True)
class Parting:
    """One way to part rows: its ``name``, the parts' ``labels`` in the order to show, ``member`` int (n,) the place of
    each row's part."""

    name: str
    labels: tuple[str, ...]
    member: Array

    def at(self, rows: Array) -> Parting:
        """Some of the rows."""
        return replace(self, member=self.member[rows])


@dataclass(frozen=True)
class Part:
    """A model on one part of the rows: mean stated risk, the share observed, that minus the stated one, AUC. Where
    fewer than ``FEW`` accounts were lost, or kept, the last two and every interval are NaN: there are too few."""

    label: str
    rows: int
    accounts: int
    lost_accounts: int
    stated: float
    observed: Estimate
    gap: Estimate
    auc: Estimate


def judge_parts(parting: Parting, risk: Array, lost: Array, group: Array, account: Array, seed: int) -> list[Part]:
    """A model's risks (n,) on each part that holds rows; ``lost`` bool (n,), ``group`` (n,) what is resampled as a
    whole, ``account`` (n,) what is counted."""
    parts = []
    for place, label in enumerate(parting.labels):
        inside = parting.member == place
        if not inside.any():
            continue
        resamples = min(resamples_for(int(inside.sum())), PART_RESAMPLES)
        stated, found = describe(risk[inside], lost[inside], group[inside], resamples, seed)
        lost_accounts, kept_accounts = (len(np.unique(account[inside & some])) for some in (lost, ~lost))
        if min(lost_accounts, kept_accounts) < FEW:
            nothing = Estimate(math.nan, math.nan, math.nan)
            found = {"observed": replace(nothing, value=found["observed"].value), "gap": nothing, "auc": nothing}
        accounts = len(np.unique(account[inside]))
        parts.append(Part(label, int(inside.sum()), accounts, lost_accounts, stated, **found))
    return parts


def segments(accounts: pa.Table, history: History, matrix: Matrix) -> tuple[Parting, ...]:
    """The rows by industry, owner, tenure and contract size.

    ``accounts`` is the canonical table that ``history`` was made from: a history keeps no names. A column that
    is not recorded leaves every row in one part, ``NOT_KNOWN``.
    """
    rows = matrix.rows
    valid = in_force(history.attributes, np.searchsorted(history.owner, rows.account), rows.as_of)
    code = {account: place for place, account in enumerate(history.accounts)}
    codes = np.array([code[account] for account in accounts["account_id"].to_pylist()], dtype=np.int64)
    order = np.argsort(codes, kind="stable")  # a history holds its rows by account
    partings = []
    for name in ("industry", "owner"):
        values = np.array([*accounts[name].to_pylist(), None], dtype=object)[np.append(order, -1)]
        partings.append(parted_by_name(name, values[valid], rows.account))
    won, known = (matrix.values[:, matrix.columns.index(f"L5.{name}.now")] for name in ("tenure", "known_for"))
    years = np.where(np.isnan(won), known, won) / 365
    value = matrix.standing.value
    thirds = np.unique(np.nanquantile(value, np.arange(1, SIZES) / SIZES)) if np.isfinite(value).any() else np.empty(0)
    tenure = parted_by_band("tenure", years, TENURE, [f"{edge} year{'s' * (edge > 1)}" for edge in TENURE])
    size = parted_by_band("contract size", value, thirds, [f"{edge:,.0f}" for edge in thirds])
    return (*partings, tenure, size)


def periods(as_of: Array, usable: Array) -> Parting:
    """The rows by time: the span of those that are ``usable`` (bool (n,)) in parts of about the same length, cut
    between moments of rows. Other rows belong to the nearest part."""
    moments = np.unique(as_of[usable])
    parts = np.array_split(moments, min(PERIODS, len(moments))) if len(moments) else []
    begins = np.array([part[0] for part in parts[1:]], dtype=np.int64)
    labels = [_day(part[0]) if len(part) == 1 else f"{_day(part[0])} to {_day(part[-1])}" for part in parts]
    return Parting("period", tuple(labels), np.searchsorted(begins, as_of, side="right"))


def parted_by_name(name: str, values: Array, account: Array) -> Parting:
    """The rows by a name each (None if unknown): those of most accounts apart, then the others together, then the
    unknown.

    >>> parted_by_name("owner", np.array(["B", "A", None, "A"], dtype=object), np.arange(4)).labels
    ('A', 'B', 'not known')
    """
    accounts: dict[str, set[int]] = {}
    for value, code in zip(values.tolist(), account.tolist(), strict=True):
        if value is not None:
            accounts.setdefault(value, set()).add(code)
    ranked = sorted(accounts, key=lambda value: (-len(accounts[value]), value))
    apart, rest = ranked[:MOST_NAMES], ranked[MOST_NAMES:]
    labels = [*apart, *([f"the other {len(rest)}"] if rest else []), NOT_KNOWN]
    place = {value: min(rank, MOST_NAMES) for rank, value in enumerate(ranked)} | {None: len(labels) - 1}
    return _without_empty(name, labels, np.array([place[value] for value in values.tolist()], dtype=np.int64))


def parted_by_band(name: str, values: Array, edges: Sequence[float] | Array, told: Sequence[str]) -> Parting:
    """The rows by bands of a number (NaN if unknown), each from one of the ``edges`` on; ``told`` are the edges in
    words.

    >>> banded = parted_by_band("size", np.array([1.0, 5.0, np.nan, 9.0]), [5.0], ["5 a year"])
    >>> banded.labels, banded.member.tolist()
    (('below 5 a year', '5 a year or more', 'not known'), [0, 1, 2, 1])
    """
    labels = ["any", NOT_KNOWN]
    if len(told):
        between = [f"{low} to {high}" for low, high in pairwise(told)]
        labels = [f"below {told[0]}", *between, f"{told[-1]} or more", NOT_KNOWN]
    band = np.searchsorted(np.asarray(edges), values, side="right")
    return _without_empty(name, labels, np.where(np.isnan(values), len(labels) - 1, band))


def _without_empty(name: str, labels: Sequence[str], member: Array) -> Parting:
    """The parting without the parts that no row belongs to."""
    used, places = np.unique(member, return_inverse=True)
    return Parting(name, tuple(labels[place] for place in used), places)


def _day(moment: int) -> str:
    return str(iso(int(moment)))[:10]
