"""Switching risk: the blended score of trees and a linear model, calibrated, with an interval.

Risk never falls as the horizon grows: neither half's score does, and calibration keeps the order. The interval tells
how far the risk would move had other accounts of the same kind been learned from: the whole is learned again from
accounts drawn with replacement, as often as there are ``members``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import expit, stdtrit

from models.blend import Blend
from models.calibration import Calibration
from models.trees import RiskSettings

Definition = Literal["contract", "silence"]

HORIZONS = (30, 90, 180, 365)
"""Horizons in days unless the training says otherwise."""

EXPLAINED = 180
"""The horizon, in days, at which risk is explained where the model has it."""

CONTRACT_END = "L5.days_to_contract_end.now"
"""The column that ``horizon_past_contract_end`` is a view of: its share of the risk is told there."""

INTERVAL = 0.9
"""How probable it is meant to be that the risk lies within its interval."""


@dataclass(frozen=True, eq=False)
class Member:
    """The whole learned again from other accounts: its score and its calibration."""

    blend: Blend
    calibration: Calibration


@dataclass(frozen=True, eq=False)
class RiskModel:
    """A trained and calibrated model. ``columns`` are the matrix's.

    ``members`` learned from fewer accounts than the model did vary more than it; ``spread``, in (0, 1], is what their
    distance from each other is multiplied by (the root of the share of accounts).

    Errors: ValueError where score, columns, horizons and calibration do not fit together.
    """

    blend: Blend
    columns: tuple[str, ...]
    fingerprint: str
    horizons: tuple[int, ...]
    calibration: Calibration
    definition: Definition
    settings: RiskSettings
    members: tuple[Member, ...]
    spread: float

    def __post_init__(self) -> None:
        for blend in (self.blend, *(member.blend for member in self.members)):
            if len(blend.linear.coef) != len(self.columns):
                raise ValueError(f"the score has {len(blend.linear.coef)} inputs for {len(self.columns)} columns")
        if CONTRACT_END not in self.columns:
            raise ValueError(f"the columns lack {CONTRACT_END}")
        if not self.horizons or min(self.horizons) <= 0 or min(np.diff(self.horizons), default=1) <= 0:
            raise ValueError(f"horizons must be days above 0 in rising order, not {self.horizons}")
        for calibration in (self.calibration, *(member.calibration for member in self.members)):
            if len(calibration.b) != len(self.horizons):
                raise ValueError(f"{len(calibration.b)} calibrated horizons for {len(self.horizons)} horizons")
        if len(self.members) == 1:
            raise ValueError("one member alone cannot tell how far the risk may move")
        if not 0 < self.spread <= 1:
            raise ValueError(f"the members' spread must be above 0 and at most 1, not {self.spread}")

    @property
    def usual_horizon(self) -> int:
        """The horizon explained unless another is asked for: 180 days, or the one nearest to it."""
        return min(self.horizons, key=lambda horizon: abs(horizon - EXPLAINED))

    def horizon_index(self, horizon: int) -> int:
        """Place of a horizon among the model's; ValueError, naming those it has, where it has none such."""
        if horizon not in self.horizons:
            raise ValueError(f"horizon {horizon}: this model knows {', '.join(map(str, self.horizons))} days")
        return self.horizons.index(horizon)

    def logits(self, values: np.ndarray, days_to_end: np.ndarray, horizon: int) -> np.ndarray:
        """Calibrated log odds (n,) of leaving within one horizon; see `risk`."""
        index = self.horizon_index(horizon)
        scores = self.blend.scores(values, days_to_end, (horizon,))
        return self.calibration.a * scores[:, 0] + self.calibration.b[index]

    def risk(self, values: np.ndarray, days_to_end: np.ndarray) -> np.ndarray:
        """Calibrated probability (n, H) of leaving within each horizon, never falling along it.

        ``values`` (n, columns) as the matrix holds them, ``days_to_end`` (n,), NaN for unknown in both.
        """
        scores = self.blend.scores(values, days_to_end, self.horizons)
        return np.asarray(expit(self.calibration.logits(scores)))

    def interval(self, values: np.ndarray, days_to_end: np.ndarray) -> np.ndarray:
        """The lower and the upper end (n, H, 2) of what the risk may be (``INTERVAL``), holding `risk` itself.

        As far to both sides, in log odds, as Student's t says for the standard deviation of so few members (the fifth
        and the 95th percentile of a dozen would hold three quarters). Neither end falls along the horizon. It tells of
        what could be learned from so many accounts, not of what no history shows: the true risk of one client may well
        lie outside.

        Errors: ValueError where the model was made without members.
        """
        if not self.members:
            raise ValueError("this model was made without members, and has no intervals")
        point = self.calibration.logits(self.blend.scores(values, days_to_end, self.horizons))
        others = np.stack(
            [one.calibration.logits(one.blend.scores(values, days_to_end, self.horizons)) for one in self.members]
        )
        times = stdtrit(len(self.members) - 1, (1 + INTERVAL) / 2)
        reach = times * self.spread * others.std(axis=0, ddof=1)
        return np.asarray(expit(np.maximum.accumulate(np.stack((point - reach, point + reach), axis=-1), axis=1)))
