"""D2: do they act upon our advice? (document 001)"""

from __future__ import annotations

import numpy as np

from features import settings
from features.facts import Facts, facts, settled
from features.figures import Text, median, share, since
from features.frame import Frame
from features.histories.history import code
from features.histories.log import DAY, NEVER, rows_where
from features.histories.tables import INTERACTIONS
from features.indicators import REGISTRY

D2 = REGISTRY.signal(
    "D2",
    "advice taken",
    "Whether the client does what we recommend: it shows more than asking for our advice",
    "001",
)

(_ADVICE,) = code(INTERACTIONS, "kind", "advice")
_ACTED, _DECLINED = code(INTERACTIONS, "outcome", "acted", "declined")


def advice_taken(frame: Frame) -> Facts:
    """1 for a recommendation acted upon (when it was), 0 for one declined or 90 days over, until it is acted upon."""
    log = frame.history.interactions
    rows = rows_where(log["kind"] == _ADVICE)
    segment, outcome, ended = log.segment[rows], log["outcome"][rows], settled(log, rows)
    deadline = log["at"][rows] + settings.ADVICE_DECIDED_AFTER
    acted = outcome == _ACTED
    late = acted & (ended > deadline)
    decided = np.where(acted | (outcome == _DECLINED), np.minimum(ended, deadline), deadline)
    # Advice taken late changes what is true of it: a fact until then, another from then on.
    at = np.concatenate((decided, ended[late]))
    return facts(
        frame.history.segments,
        np.concatenate((segment, segment[late])),
        at,
        np.concatenate((acted & ~late, np.ones(int(late.sum()), dtype=bool))),
        known=at,
        until=np.concatenate((np.where(late, ended, NEVER), np.full(int(late.sum()), NEVER))),
    )


def advice_delays(frame: Frame) -> Facts:
    """Seconds from our advice to its being acted upon, where that moment is recorded."""
    log = frame.history.interactions
    rows = rows_where((log["kind"] == _ADVICE) & (log["outcome"] == _ACTED) & (log["resolved_at"] != NEVER))
    at, acted = log["at"][rows], log["resolved_at"][rows]
    return facts(frame.history.segments, log.segment[rows], acted, np.maximum(acted - at, 0))


REGISTRY.add(
    share(
        D2,
        Text(
            "advice_taken_rate",
            "Share of our recommendations that the client acted upon",
            "recommendations acted upon / those acted upon, declined or 90 days over",
            "share",
        ),
        advice_taken,
        better="up",
        mark=">=",
    )
)
REGISTRY.add(
    median(
        D2,
        Text(
            "advice_delay",
            "How long the client usually took to act upon our advice",
            "median time from a recommendation to its being acted upon, of those that were",
            "days",
        ),
        advice_delays,
        scale=DAY,
        better="down",
    )
)
REGISTRY.add([since(D2, "advice", "we last learnt whether our advice is taken", advice_taken)])
