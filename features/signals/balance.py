"""P1b: two-way balance: one-way communication is no bond (document 004)."""

from __future__ import annotations

from typing import Any

import numpy as np

from features import settings
from features.facts import Facts, facts
from features.figures import Text, known, ratio, share, windowed
from features.frame import Frame
from features.histories.conversations import CLIENT, US, conversations
from features.histories.log import Array
from features.indicators import REGISTRY, Figure, Mark

P1B = REGISTRY.signal(
    "P1b",
    "two-way balance",
    "Whether both sides do the talking: best when the client's share is near one half",
    "004",
)
_BAND: dict[str, Any] = {"better": "band", "mark": Mark("between", 0.35, 0.65)}


def sides(frame: Frame) -> Facts:
    """1 for a touch of the client, 0 for one of ours (a held meeting counts for neither)."""
    touches = frame.derived(conversations).touches
    one_sided = touches.side != (CLIENT | US)
    return facts(
        frame.history.segments, touches.segment[one_sided], touches.at[one_sided], touches.side[one_sided] == CLIENT
    )


def _words(frame: Frame, side: int) -> Facts:
    touches = frame.derived(conversations).touches
    words = frame.history.interactions["words"][touches.row]
    told: Array = (touches.side == side) & (words > 0)
    return facts(frame.history.segments, touches.segment[told], touches.at[told], words[told].astype(np.int64))


def client_words(frame: Frame) -> Facts:
    """Words of each touch of the client, where known."""
    return _words(frame, CLIENT)


def our_words(frame: Frame) -> Facts:
    """Words of each touch of ours, where known."""
    return _words(frame, US)


def _word_share(frame: Frame) -> Figure:
    theirs, ours = frame.sums(client_words), frame.sums(our_words)
    share_of_words = ratio(theirs.total, theirs.total + ours.total)
    return known(share_of_words, theirs.count + ours.count, settings.MINIMUM_OBSERVATIONS)


REGISTRY.add(
    share(
        P1B,
        Text(
            "client_share_of_touches",
            "The client's share of all touches",
            "touches of the client / touches of either side",
            "share",
        ),
        sides,
        **_BAND,
    )
)
REGISTRY.add(
    windowed(
        P1B,
        Text(
            "client_share_of_words",
            "The client's share of all words written",
            "words of the client / words of either side, where known",
            "share",
        ),
        _word_share,
        high=1.0,
        **_BAND,
    )
)
