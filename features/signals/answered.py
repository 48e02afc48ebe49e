"""What of our own conduct the client answered: volume of ours that nobody answers is never evidence."""

from __future__ import annotations

import numpy as np

from features import settings
from features.facts import Facts, facts
from features.frame import FactFunction, Frame
from features.histories.conversations import CLIENT, conversations
from features.histories.history import code
from features.histories.log import NEVER, Array
from features.histories.tables import INTERACTIONS

(_CALL,) = code(INTERACTIONS, "kind", "call")
(_ANSWERED,) = code(INTERACTIONS, "outcome", "answered")
_SPAN = 1 << 42
"""More seconds than any two times of one segment lie apart."""


def when_answered(frame: Frame, segment: Array, at: Array) -> Array:
    """int64: when the client was first in touch at or after each moment, NEVER where it was not within 30 days.

    It is in touch when it writes, calls or meets us, or takes a call of ours.
    """
    keys = frame.once(_in_touch, lambda: _in_touch(frame))
    asked = segment.astype(np.int64) * _SPAN + at
    after = np.append(keys, np.iinfo(np.int64).max)[np.searchsorted(keys, asked)]
    return np.where(after <= asked + settings.REPLY_WITHIN, after - segment.astype(np.int64) * _SPAN, NEVER)


def when_in_exchange(frame: Frame, segment: Array, at: Array) -> Array:
    """As ``when_answered``, but at once where the client was in touch within the 30 days before: what we say to it then
    may be an answer of ours that needs none.
    """
    keys = frame.once(_in_touch, lambda: _in_touch(frame))
    asked = segment.astype(np.int64) * _SPAN + at
    before = np.insert(keys, 0, np.iinfo(np.int64).min)[np.searchsorted(keys, asked, side="right")]
    return np.where(before >= asked - settings.REPLY_WITHIN, at, when_answered(frame, segment, at))


def _in_touch(frame: Frame) -> Array:
    """Segment and time of each touch of the client and each call it took, as one sorted number."""
    touches, log = frame.derived(conversations).touches, frame.history.interactions
    took = (log["kind"][touches.row] == _CALL) & (log["outcome"][touches.row] == _ANSWERED)
    spoke = ((touches.side & CLIENT) > 0) | took
    return np.asarray(touches.segment[spoke].astype(np.int64) * _SPAN + touches.at[spoke])


def answered(make: FactFunction, frame: Frame) -> Facts:
    """Those facts of our conduct that the client answered within 30 days, each when it did."""
    done = frame.facts(make)
    when = when_answered(frame, done.segment, done.at)
    some = when < NEVER
    return facts(frame.history.segments, done.segment[some], when[some], done.value[some])
