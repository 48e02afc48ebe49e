"""L3: does the client speak of our competitors, or ask them? (document 002)"""

from __future__ import annotations

import numpy as np

from features.facts import Facts, facts
from features.figures import Text, event_rate, since
from features.frame import Frame
from features.histories.history import code
from features.histories.log import Array, rows_where
from features.histories.tables import DEALS, INTERACTIONS
from features.indicators import REGISTRY

L3 = REGISTRY.signal(
    "L3",
    "competitor mentions",
    "How often competitors come up with the client: by name, or by being asked for an offer too",
    "002",
)

(_MENTION,) = code(INTERACTIONS, "kind", "mention")
(_COMPETITOR,) = code(INTERACTIONS, "subtype", "competitor")
(_CLIENT,) = code(INTERACTIONS, "actor", "client")
(_TO_COMPETITOR,) = code(DEALS, "lost_reason", "competitor")


def competitor_mentions(frame: Frame) -> Facts:
    """One for each touch of the client that names a competitor, and for each deal in which one has part.

    A deal counts when it was opened if others were asked too, else when it was lost to a competitor.
    """
    log, deals = frame.history.interactions, frame.history.deals
    rows = rows_where((log["kind"] == _MENTION) & (log["subtype"] == _COMPETITOR) & (log["actor"] == _CLIENT))
    rows = rows[_first_about(log.segment[rows], log["about_id"][rows])]
    asked = deals["competitive"] == 1
    named = ~asked & ((deals["lost_to"] >= 0) | (deals["lost_reason"] == _TO_COMPETITOR))
    return facts(
        frame.history.segments,
        np.concatenate((log.segment[rows], deals.segment[asked], deals.segment[named])),
        np.concatenate((log["at"][rows], deals["opened_at"][asked], deals["closed_at"][named])),
    )


def _first_about(segment: Array, about: Array) -> Array:
    """Places of the first mention about each touch, and of those about none in particular."""
    key = segment.astype(np.int64) << 32 | about
    first = np.zeros(len(key), dtype=bool)
    first[np.unique(key, return_index=True)[1]] = True
    return rows_where(first | (about < 0))


REGISTRY.add(
    event_rate(
        L3,
        Text(
            "competitor_mentions",
            "Times in a year that the client named a competitor or asked one for an offer too",
            "(touches of the client that name a competitor + deals with one) × 365 / days observed",
            "per year",
        ),
        competitor_mentions,
        kinds=("mention",),
        better="down",
    )
)
REGISTRY.add([since(L3, "competitor_mention", "a competitor last came up", competitor_mentions)])
