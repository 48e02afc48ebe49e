"""P1b: two-way balance: one-way communication is no bond (document 004)."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from features import settings
from features.facts import Facts, facts
from features.figures import Text, known, ratio, windowed
from features.frame import FactFunction, Frame
from features.histories.conversations import CLIENT, US, conversations
from features.histories.log import NEVER, Array
from features.indicators import REGISTRY, Figure
from features.signals.answered import when_in_exchange

P1B = REGISTRY.signal(
    "P1b",
    "two-way balance",
    "Whether both sides do the talking: best when the client's share is near one half",
    "004",
)
_BAND: dict[str, Any] = {"better": "band", "mark": "between"}


def _touches(frame: Frame, side: int) -> Facts:
    touches = frame.derived(conversations).touches
    one: Array = touches.side == side
    return facts(frame.history.segments, touches.segment[one], touches.at[one])


def _words(frame: Frame, side: int) -> Facts:
    touches = frame.derived(conversations).touches
    words = frame.history.interactions["words"][touches.row]
    told: Array = (touches.side == side) & (words > 0)
    return facts(frame.history.segments, touches.segment[told], touches.at[told], words[told].astype(np.int64))


def client_talk(frame: Frame) -> Facts:
    """Every touch of the client (a held meeting is neither side's)."""
    return _touches(frame, CLIENT)


def our_talk(frame: Frame) -> Facts:
    """Every touch of ours (a held meeting is neither side's)."""
    return _touches(frame, US)


def client_words(frame: Frame) -> Facts:
    """Words of each touch of the client, where known."""
    return _words(frame, CLIENT)


def our_words(frame: Frame) -> Facts:
    """Words of each touch of ours, where known."""
    return _words(frame, US)


def _in_exchange(make: FactFunction, frame: Frame) -> Facts:
    said = frame.facts(make)
    when = when_in_exchange(frame, said.segment, said.at)
    heard = when < NEVER
    return facts(frame.history.segments, said.segment[heard], when[heard], said.value[heard])


our_talk_in_exchange = partial(_in_exchange, our_talk)
our_words_in_exchange = partial(_in_exchange, our_words)


def _balance(client: FactFunction, ours: FactFunction, ours_in_exchange: FactFunction, frame: Frame) -> Figure:
    """The client's share, with what we said to a silent client or without it, whichever is farther from one half.

    So talking at deaf ears shows as one-way, but does not make up for a client that talks more than we do.
    """
    theirs, every, heard = frame.sums(client), frame.sums(ours), frame.sums(ours_in_exchange)
    with_all, without = ratio(theirs.total, theirs.total + every.total), ratio(theirs.total, theirs.total + heard.total)
    farther = np.where(np.abs(without - 0.5) > np.abs(with_all - 0.5), without, with_all)
    return known(farther, theirs.count + every.count, settings.MINIMUM_OBSERVATIONS)


REGISTRY.add(
    windowed(
        P1B,
        Text(
            "client_share_of_touches",
            "The client's share of all touches",
            "touches of the client / touches of either side, with or without ours to a client that is silent for 30 "
            "days before and after, whichever is farther from one half",
            "share",
        ),
        partial(_balance, client_talk, our_talk, our_talk_in_exchange),
        high=1.0,
        **_BAND,
    )
)
REGISTRY.add(
    windowed(
        P1B,
        Text(
            "client_share_of_words",
            "The client's share of all words written",
            "words of the client / words of either side, where known; ours to a silent client as for touches",
            "share",
        ),
        partial(_balance, client_words, our_words, our_words_in_exchange),
        high=1.0,
        **_BAND,
    )
)
