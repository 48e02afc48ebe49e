"""D6 and D7: do they bring us complex work, before their seniors, and early? (document 001)"""

from __future__ import annotations

import numpy as np

from features import settings
from features.facts import Facts, facts
from features.figures import Text, share, since
from features.frame import Frame
from features.histories.history import code
from features.histories.log import Array, among, rows_where
from features.histories.tables import INTERACTIONS
from features.indicators import REGISTRY

D6A = REGISTRY.signal(
    "D6a",
    "complex work",
    "Whether the client trusts us with its hard and strategic problems, or only with routine",
    "001",
)
D6B = REGISTRY.signal(
    "D6b",
    "exposure to seniors",
    "Whether the client puts us before its bosses and senior colleagues",
    "001",
)
D7 = REGISTRY.signal(
    "D7",
    "early involvement",
    "Whether the client calls us in while an issue is still taking shape",
    "001",
)

(_BRIEF,) = code(INTERACTIONS, "kind", "brief")
_EARLY = code(INTERACTIONS, "phase", "forming", "shaping")


def _briefs(frame: Frame, told: Array, value: Array) -> Facts:
    log = frame.history.interactions
    rows = rows_where((log["kind"] == _BRIEF) & told)
    return facts(frame.history.segments, log.segment[rows], log["at"][rows], value[rows])


def briefs(frame: Frame) -> Facts:
    """Every brief of the client."""
    everything = np.ones(len(frame.history.interactions), dtype=bool)
    return _briefs(frame, everything, everything)


def complex_briefs(frame: Frame) -> Facts:
    """1 for a brief of level 4 or 5 or of strategic weight, else 0; where either is told."""
    log = frame.history.interactions
    level, strategic = log["level"], log["strategic"]
    return _briefs(frame, (level > 0) | (strategic >= 0), (level >= settings.COMPLEX_FROM) | (strategic == 1))


def senior_briefs(frame: Frame) -> Facts:
    """1 for a brief that put us before the client's bosses or senior colleagues, else 0; where that is told."""
    senior = frame.history.interactions["senior"]
    return _briefs(frame, senior >= 0, senior == 1)


def early_briefs(frame: Frame) -> Facts:
    """1 for a brief that called us in while the issue was forming or to shape it, else 0; where the phase is told."""
    phase = frame.history.interactions["phase"]
    return _briefs(frame, phase >= 0, among(phase, _EARLY))


REGISTRY.add(
    share(
        D6A,
        Text(
            "complex_work_share",
            "Share of the client's briefs that were hard or strategic",
            "briefs of level 4 or 5 or strategic / briefs where level or weight is known",
            "share",
        ),
        complex_briefs,
        better="up",
        mark=">=",
    )
)
REGISTRY.add([since(D6A, "brief", "the client's last brief", briefs)])
REGISTRY.add(
    share(
        D6B,
        Text(
            "exposure_to_seniors",
            "Share of the client's briefs that put us before its bosses or senior colleagues",
            "briefs before bosses or senior colleagues / briefs where this is known",
            "share",
        ),
        senior_briefs,
        better="up",
        mark=">=",
    )
)
REGISTRY.add(
    share(
        D7,
        Text(
            "early_involvement",
            "Share of the client's briefs for which we were called in before the task was settled",
            "briefs while the issue was forming or to be shaped / briefs of known phase",
            "share",
        ),
        early_briefs,
        better="up",
        mark=">=",
    )
)
