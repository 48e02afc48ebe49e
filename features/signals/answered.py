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
from features.kernel import compiled

(_CALL,) = code(INTERACTIONS, "kind", "call")
(_ANSWERED,) = code(INTERACTIONS, "outcome", "answered")


def when_answered(frame: Frame, segment: Array, at: Array) -> Array:
    """int64: when the client was first in touch at or after each moment, NEVER where it was not within 30 days.

    It is in touch when it writes, calls or meets us, or takes a call of ours.
    """
    contacts = frame.facts(_in_touch)
    return _next_contact(contacts.start, contacts.at, segment, at, settings.REPLY_WITHIN, exchange=False)


def when_in_exchange(frame: Frame, segment: Array, at: Array) -> Array:
    """As ``when_answered``, but at once where the client was in touch within the 30 days before: what we say to it then
    may be an answer of ours that needs none.
    """
    contacts = frame.facts(_in_touch)
    return _next_contact(contacts.start, contacts.at, segment, at, settings.REPLY_WITHIN, exchange=True)


@compiled
def _next_contact(start: Array, contact: Array, segment: Array, at: Array, within: int, exchange: bool) -> Array:
    """When each next contact was, NEVER where none was in time; at once where one was before, if an exchange is asked.

    Moments may come in any order; those of a segment in order of time are quickest.
    """
    when = np.full(len(at), NEVER, np.int64)
    after = 0
    for q in range(len(at)):
        s, t = segment[q], at[q]
        if q == 0 or s != segment[q - 1] or t < at[q - 1]:
            after = start[s]
        while after < start[s + 1] and contact[after] < t:
            after += 1
        if after < start[s + 1] and contact[after] <= t + within:
            when[q] = contact[after]
        if exchange and after > start[s] and contact[after - 1] >= t - within:
            when[q] = t
    return when


def _in_touch(frame: Frame) -> Facts:
    """Each touch of the client and each call it took."""
    touches, log = frame.derived(conversations).touches, frame.history.interactions
    took = (log["kind"][touches.row] == _CALL) & (log["outcome"][touches.row] == _ANSWERED)
    spoke = ((touches.side & CLIENT) > 0) | took
    return facts(frame.history.segments, touches.segment[spoke], touches.at[spoke])


def answered(make: FactFunction, frame: Frame) -> Facts:
    """Those facts of our conduct that the client answered within 30 days, each when it did."""
    done = frame.facts(make)
    when = when_answered(frame, done.segment, done.at)
    some = when < NEVER
    return facts(frame.history.segments, done.segment[some], when[some], done.value[some])
