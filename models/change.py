"""What changed between two dates: an account's risk then and now, and the parts that lead from one to the other.

The shares of the log odds are additive at each date (``models.explanation``), so their differences are what the log
odds changed by. Told in probability they lie on the straight line between the two risks, as the shares themselves do:

    z1 - z0 = sum of delta_i              points_i = delta_i * (sigma(z1) - sigma(z0)) / (z1 - z0)

which keeps sign and order and adds up to the change of the risk. A signal's part can change though its figures did
not, for trees weigh figures together. The nearness of the contract's end, which tells nothing of the client, is a part
of its own, with the horizon's share.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from models.explanation import NEGLIGIBLE, RowExplanation, chord
from models.prediction import Prediction, known
from models.risk import CONTRACT_END
from models.wording import moved

TIME = "time"
"""Stands for a signal in the part that the horizon and the nearness of the contract's end have in a change."""

NOT_KNOWN = "nothing known yet"
"""Why an account had no risk at the earlier date, beside the reasons of ``models.prediction``."""


@dataclass(frozen=True)
class Part:
    """What one signal adds to the change of the risk, told by the figure that carries most of it in the same direction.

    ``before`` and ``after`` are that figure at the two dates, None where unknown.
    """

    signal: str
    name: str
    column: str
    before: float | None
    after: float | None
    sentence: str
    log_odds: float
    points: float

    @property
    def raises(self) -> bool:
        """Whether it raised the risk (it lowered it otherwise)."""
        return self.log_odds > 0


@dataclass(frozen=True)
class Change:
    """An account's risk at one horizon at an earlier moment, ``since``, and what led from there to the present one.

    ``risk_before`` is None where there was no risk to tell, and then ``not_at_risk_before`` says why; so is ``risk``
    where there is none now. With a risk at both dates ``time`` (the horizon and the nearness of the contract's end)
    and all ``parts`` (every signal, the largest first) add up to the change, in log odds and in points, to 1e-9; else
    there are none.
    """

    since: int
    risk_before: float | None
    not_at_risk_before: str | None
    risk: float | None
    time: Part | None = None
    parts: tuple[Part, ...] = ()

    @property
    def points(self) -> float | None:
        """The change of the risk; None without a risk at both dates."""
        return None if self.risk is None or self.risk_before is None else self.risk - self.risk_before

    @property
    def told(self) -> list[Part]:
        """The parts that are worth telling."""
        return [part for part in self.parts if abs(part.log_odds) >= NEGLIGIBLE]


def what_changed(since: int, before: Prediction | None, after: Prediction) -> Change:
    """Compare two predictions of one account; ``before`` is None where nothing was known of it at ``since``.

    Errors: ValueError where the predictions are of different accounts, horizons or models, or are not explained.
    """
    now = after.risk_at_horizon
    if before is None:
        return Change(since, None, NOT_KNOWN, now)
    if (before.account_id, before.horizon, before.as_of) != (after.account_id, after.horizon, since):
        raise ValueError("what changed: the two predictions must be of one account and horizon, the first of `since`")
    then = before.risk_at_horizon
    if then is None or now is None:
        return Change(since, then, before.not_at_risk, now)
    if before.explanation is None or after.explanation is None:
        raise ValueError("what changed: both predictions must be explained")
    return _parts(since, before.explanation, after.explanation)


def _parts(since: int, before: RowExplanation, after: RowExplanation) -> Change:
    was, now = before.explanation, after.explanation
    if was.base != now.base or was.signal_columns != now.signal_columns:
        raise ValueError("what changed: the two predictions must be of one model")
    z0, z1 = float(was.logit[before.row]), float(now.logit[after.row])
    per_log_odds = float(chord(np.array([z1]), z0)[0])
    delta = (now.log_odds[after.row] - was.log_odds[before.row]).tolist()
    figures = list(
        zip(
            after.matrix.indicators,
            before.matrix.values[before.row].tolist(),
            after.matrix.values[after.row].tolist(),
            strict=True,
        )
    )

    def part(signal: str, name: str, place: int, log_odds: float) -> Part:
        indicator, then, later = figures[place]
        told = moved(indicator, then, later)
        return Part(signal, name, indicator.column, known(then), known(later), told, log_odds, log_odds * per_log_odds)

    def carrier(columns: list[int], change: float) -> int:
        return (max if change > 0 else min)(columns, key=delta.__getitem__)

    end = after.matrix.columns.index(CONTRACT_END)
    ahead = float(now.time_ahead[after.row] - was.time_ahead[before.row])
    parts = []
    for signal, columns in now.signal_columns.items():
        own = [at for at in columns if at != end]
        change = math.fsum(delta[at] for at in own)
        if own:
            parts.append(part(signal, figures[own[0]][0].signal.name, carrier(own, change), change))
    return Change(
        since,
        float(was.risk[before.row]),
        None,
        float(now.risk[after.row]),
        part(TIME, "nearness of the contract's end", end, ahead + delta[end]),
        tuple(sorted(parts, key=lambda part: -abs(part.log_odds))),
    )
