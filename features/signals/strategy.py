"""L4: are we a strategic part of the client's business? (document 002)"""

from __future__ import annotations

import numpy as np

from features.facts import Facts, facts
from features.figures import Text, share, single
from features.frame import Frame
from features.histories.attributes import attribute, in_force, overwritten
from features.histories.history import code
from features.histories.log import rows_where
from features.histories.tables import INTERACTIONS
from features.indicators import REGISTRY, Figure

L4 = REGISTRY.signal(
    "L4",
    "strategic role",
    "How much of what the client gives us is of strategic weight, and how much of its spending is ours",
    "002",
)

(_BRIEF,) = code(INTERACTIONS, "kind", "brief")


def strategic_briefs(frame: Frame) -> Facts:
    """1 for a brief of strategic weight, 0 for another, where it was noted."""
    log = frame.history.interactions
    rows = rows_where((log["kind"] == _BRIEF) & (log["strategic"] >= 0))
    return facts(frame.history.segments, log.segment[rows], log["at"][rows], log["strategic"][rows])


def _wallet(frame: Frame) -> Figure:
    log = frame.history.attributes
    value = attribute(log, "wallet", frame.segment, frame.as_of)
    row = in_force(log, frame.segment, frame.as_of)
    held = rows_where(row >= 0)
    value[held[overwritten(log)[row[held]]]] = np.nan
    return Figure(value, (~np.isnan(value)).astype(np.int64))


REGISTRY.add(
    share(
        L4,
        Text(
            "strategic_share",
            "Share of the client's briefs that were of strategic weight",
            "strategic briefs / briefs where this is recorded",
            "share",
        ),
        strategic_briefs,
        better="up",
    )
)
REGISTRY.add(
    [
        single(
            L4,
            Text(
                "share_of_wallet",
                "Our share of what the client spends on services like ours",
                "wallet of the account as it held at t",
                "share",
            ),
            _wallet,
            better="up",
            evidence_unit="records",
            high=1.0,
        )
    ]
)
