"""D5: do they forgive our mistakes, and do we learn from them? (document 001)"""

from __future__ import annotations

import numpy as np

from features import settings
from features.facts import Facts, facts, moment_key
from features.figures import Text, median, share, since
from features.frame import Frame
from features.histories.history import code
from features.histories.log import DAY, NEVER, Array, rows_where
from features.histories.tables import DEALS, INTERACTIONS
from features.indicators import REGISTRY
from features.signals.silence import client_touches

D5A = REGISTRY.signal(
    "D5a",
    "forgiveness",
    "Whether the client stays with us after we made a mistake",
    "001",
)
D5B = REGISTRY.signal(
    "D5b",
    "repeat mistakes",
    "Whether we make the same kind of mistake again, or have learnt from it",
    "001",
)

(_MISTAKE,) = code(INTERACTIONS, "kind", "mistake")
(_OTHER,) = code(INTERACTIONS, "subtype", "other")
(_WON,) = code(DEALS, "outcome", "won")


def _mistakes(frame: Frame) -> tuple[Array, Array]:
    """Segment (int64) and time of each of our mistakes."""
    log = frame.history.interactions
    rows = rows_where(log["kind"] == _MISTAKE)
    return log.segment[rows].astype(np.int64), log["at"][rows]


def _next(keys: Array, segment: Array, at: Array) -> Array:
    """The first moment after ``at`` among the sorted keys of the same segment, NEVER if there is none."""
    place = np.searchsorted(keys, moment_key(segment, at), side="right")
    after = np.append(keys, np.iinfo(np.int64).max)[place] - moment_key(segment, 0)
    return np.where(after < NEVER, after, NEVER)


def mistakes_forgiven(frame: Frame) -> Facts:
    """1 for a mistake forgiven, 0 for one not, when 90 days have passed or, if sooner, when a deal was won.

    Where the client was not in touch in the 90 days before or after, there is nothing to tell by.
    """
    segment, at = _mistakes(frame)
    keys, span = frame.facts(client_touches).keys, settings.FORGIVEN_OVER

    def touches_until(moment: Array) -> Array:
        return np.searchsorted(keys, moment_key(segment, moment), side="right")

    before = touches_until(at) - touches_until(at - span)
    after = touches_until(at + span) - touches_until(at)
    deals = frame.history.deals
    won = deals["outcome"] == _WON
    win = _next(np.sort(moment_key(deals.segment[won], deals["closed_at"][won])), segment, at)
    bought = win <= at + span
    # Divided, because 0.8 times a count is not exact.
    as_often = after / np.maximum(before, 1) >= settings.FORGIVEN_AT
    told = bought | (before > 0) | (after > 0)
    decided = np.where(bought, win, at + span)
    return facts(frame.history.segments, segment[told], decided[told], (bought | as_often)[told])


def touches_after_mistakes(frame: Frame) -> Facts:
    """Seconds from each of our mistakes to the client's first touch after it, at that touch."""
    segment, at = _mistakes(frame)
    first = _next(frame.facts(client_touches).keys, segment, at)
    came = first != NEVER
    return facts(frame.history.segments, segment[came], first[came], (first - at)[came])


def mistakes(frame: Frame) -> Facts:
    """Every mistake of ours."""
    segment, at = _mistakes(frame)
    return facts(frame.history.segments, segment, at)


def mistakes_repeated(frame: Frame) -> Facts:
    """1 for a mistake of a kind that we had made before with this client, else 0; where the kind is told."""
    log = frame.history.interactions
    told = (log["subtype"] >= 0) & (log["subtype"] != _OTHER)
    rows = rows_where((log["kind"] == _MISTAKE) & told)
    repeated = np.ones(len(rows), dtype=bool)
    repeated[np.unique(log.segment[rows].astype(np.int64) << 8 | log["subtype"][rows], return_index=True)[1]] = False
    return facts(frame.history.segments, log.segment[rows], log["at"][rows], repeated)


REGISTRY.add(
    share(
        D5A,
        Text(
            "forgiveness",
            "Share of our mistakes after which the client stayed in touch as before, or gave us a contract",
            "mistakes after which touches over 90 days reached 0.8 of the 90 days before, or a deal was won / mistakes",
            "share",
        ),
        mistakes_forgiven,
        better="up",
        mark=">=",
    )
)
REGISTRY.add(
    median(
        D5A,
        Text(
            "back_in_touch",
            "How long after a mistake of ours the client was first in touch again",
            "median time from a mistake to the client's first touch after it, whatever its tone",
            "days",
        ),
        touches_after_mistakes,
        scale=DAY,
    )
)
REGISTRY.add([since(D5A, "mistake", "our last mistake", mistakes)])
REGISTRY.add(
    share(
        D5B,
        Text(
            "repeat_mistakes",
            "Share of our mistakes of a kind that we had made with this client before",
            "mistakes of a kind made before / mistakes of a known kind",
            "share",
        ),
        mistakes_repeated,
        better="down",
        mark="<=",
    )
)
