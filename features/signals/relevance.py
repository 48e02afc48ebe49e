"""W4: do we come to meetings prepared? (document 003)"""

from __future__ import annotations

from features.facts import Facts, facts
from features.figures import Text, share
from features.frame import Frame
from features.histories.conversations import BOTH, conversations
from features.indicators import REGISTRY, Mark

W4 = REGISTRY.signal(
    "W4",
    "relevance",
    "Whether we prepare for every meeting with research on the client's business and its latest news",
    "003",
)


def prepared_meetings(frame: Frame) -> Facts:
    """1 for a held meeting that we had prepared with research, 0 for one we had not, where it was noted."""
    touches = frame.derived(conversations).touches
    prepared = frame.history.interactions["prepared"][touches.row]
    noted = (touches.side == BOTH) & (prepared >= 0)
    return facts(frame.history.segments, touches.segment[noted], touches.at[noted], prepared[noted])


REGISTRY.add(
    share(
        W4,
        Text(
            "prepared_share",
            "Share of our meetings that we prepared with research on the client",
            "held meetings prepared / held meetings where this is recorded",
            "share",
        ),
        prepared_meetings,
        better="up",
        mark=Mark(">=", 1.0, documented=True),
    )
)
