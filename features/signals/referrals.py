"""D3: do they refer others to us, and do we thank them for it? (document 001)"""

from __future__ import annotations

import numpy as np

from features import settings
from features.facts import Facts, facts
from features.figures import Text, event_rate, share, since
from features.frame import Frame
from features.histories.history import code
from features.histories.log import Array, rows_where
from features.histories.tables import INTERACTIONS
from features.indicators import REGISTRY

D3A = REGISTRY.signal(
    "D3a",
    "referrals",
    "Whether the client sends us new prospects, asked or unasked",
    "001",
)
D3B = REGISTRY.signal(
    "D3b",
    "referrals thanked",
    "Whether we do our duty and thank the client soon for each referral",
    "001",
)

(_ADVOCACY,) = code(INTERACTIONS, "kind", "advocacy")
(_REFERRAL,) = code(INTERACTIONS, "subtype", "referral")


def _rows(frame: Frame) -> Array:
    log = frame.history.interactions
    return rows_where((log["kind"] == _ADVOCACY) & (log["subtype"] == _REFERRAL))


def referrals(frame: Frame) -> Facts:
    """Every prospect referred to us."""
    log, rows = frame.history.interactions, _rows(frame)
    return facts(frame.history.segments, log.segment[rows], log["at"][rows])


def referrals_thanked(frame: Frame) -> Facts:
    """1 for a referral for which we thanked within 14 days (when we did), else 0 (when they ended)."""
    log, rows = frame.history.interactions, _rows(frame)
    deadline, thanked = log["at"][rows] + settings.THANKED_WITHIN, log["resolved_at"][rows]
    return facts(frame.history.segments, log.segment[rows], np.minimum(thanked, deadline), thanked <= deadline)


REGISTRY.add(
    event_rate(
        D3A,
        Text(
            "referrals",
            "How often the client referred a prospect to us",
            "prospects referred × 365 / days observed",
            "per year",
        ),
        referrals,
        kinds=("advocacy",),
        better="up",
        mark=">=",
    )
)
REGISTRY.add([since(D3A, "referral", "the client last referred a prospect to us", referrals)])
REGISTRY.add(
    share(
        D3B,
        Text(
            "referrals_thanked_rate",
            "Share of referrals for which we thanked the client within two weeks",
            "referrals thanked for within 14 days / referrals thanked for or 14 days old",
            "share",
        ),
        referrals_thanked,
        better="up",
        mark=">=",
    )
)
