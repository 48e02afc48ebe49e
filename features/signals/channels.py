"""G3: on how many channels do they talk with us, and which do they prefer? (document 000)"""

from __future__ import annotations

from functools import partial

import numpy as np

from features import settings
from features.facts import Facts, facts
from features.figures import Text, known, ratio, windowed
from features.frame import Frame
from features.histories.conversations import CLIENT, conversations
from features.histories.history import code
from features.histories.tables import INTERACTIONS
from features.indicators import REGISTRY, Figure

G3A = REGISTRY.signal(
    "G3a",
    "channel breadth",
    "On how many different channels the client talks with us: the more, the better",
    "000",
)
G3B = REGISTRY.signal(
    "G3b",
    "preferred channel",
    "The client's go-to channel: text and then telephone show a closer relationship; email is fine",
    "000",
)

MODES = ("email", "telephone", "text", "video", "in_person", "social", "letter")
"""The modes of communication that are told apart; text takes in chat."""

_RANK = np.array([1, 2, 3, 1, 1, 1, 1])
"""How close a go-to mode is: text 3, telephone 2, everything else 1."""

_MODE_OF_CHANNEL = {
    "email": "email",
    "phone": "telephone",
    "text": "text",
    "chat": "text",
    "video": "video",
    "in_person": "in_person",
    "social": "social",
    "letter": "letter",
}
_MODE = np.full(len(_MODE_OF_CHANNEL) + 1, -1)
for _channel, _mode in _MODE_OF_CHANNEL.items():
    _MODE[code(INTERACTIONS, "channel", _channel)[0]] = MODES.index(_mode)
(_CALL,) = code(INTERACTIONS, "kind", "call")
_TELEPHONE = MODES.index("telephone")


def client_modes(frame: Frame) -> Facts:
    """The mode of each touch of the client, where known (a call without a channel is by telephone)."""
    touches = frame.derived(conversations).touches
    log = frame.history.interactions
    mode = _MODE[log["channel"][touches.row]]
    mode = np.where((mode < 0) & (log["kind"][touches.row] == _CALL), _TELEPHONE, mode)
    told = ((touches.side & CLIENT) > 0) & (mode >= 0)
    return facts(frame.history.segments, touches.segment[told], touches.at[told], mode[told])


def _breadth(frame: Frame) -> Figure:
    tally = frame.tallies(client_modes, len(MODES))
    return known((tally > 0).sum(axis=1).astype(float), tally.sum(axis=1), settings.MINIMUM_OBSERVATIONS)


def _go_to_rank(frame: Frame) -> Figure:
    tally = frame.tallies(client_modes, len(MODES))
    # Of modes used equally often the closer one counts: the rank breaks the tie.
    closest = np.argmax(tally * 4 + _RANK[:, None], axis=1)
    return known(_RANK[closest].astype(float), tally.sum(axis=1), settings.MINIMUM_OBSERVATIONS)


def _mode_share(mode: int, frame: Frame) -> Figure:
    tally = frame.tallies(client_modes, len(MODES))
    count = tally.sum(axis=1)
    return known(ratio(tally[:, mode], count), count, settings.MINIMUM_OBSERVATIONS)


REGISTRY.add(
    windowed(
        G3A,
        Text(
            "channel_breadth",
            "Number of different channels on which the client talked with us",
            "distinct modes among the client's touches",
            "channels",
        ),
        _breadth,
        better="up",
        mark=">=",
        high=len(MODES),
    )
)
REGISTRY.add(
    windowed(
        G3B,
        Text(
            "preferred_channel",
            "Closeness of the channel the client uses most (text 3, telephone 2, any other 1)",
            "rank of the mode with most touches of the client",
            "rank",
        ),
        _go_to_rank,
        better="up",
        low=1,
        high=3,
    )
)
_WAYS = {
    "email": "by email",
    "telephone": "on the telephone",
    "text": "by text or chat",
    "video": "on video",
    "in_person": "in person",
    "social": "on social media",
    "letter": "by letter",
}
for _place, _name in enumerate(MODES):
    REGISTRY.add(
        windowed(
            G3B,
            Text(
                f"share_{_name}",
                f"Share of the client's messages, calls and meetings that came {_WAYS[_name]}",
                "touches of the client in this mode / touches of the client",
                "share",
            ),
            partial(_mode_share, _place),
            high=1.0,
            trend=None,
        )
    )
