"""L6: does our attention last once the sale is made? (document 002)"""

from __future__ import annotations

import numpy as np

from features import settings
from features.facts import Facts, facts, moment_key
from features.figures import Text, known, ratio, windowed
from features.frame import Frame
from features.histories.conversations import US, conversations
from features.histories.history import code
from features.histories.log import NEVER, Array
from features.histories.tables import DEALS
from features.indicators import REGISTRY, Figure
from features.signals.answered import when_answered
from features.signals.silence import client_touches

L6 = REGISTRY.signal(
    "L6",
    "attention after the sale",
    "Whether we look after the client once it has signed: the hard work starts then, and turning to the next sale is "
    "the common fault",
    "002",
)

(_WON,) = code(DEALS, "outcome", "won")


def _wins(frame: Frame) -> tuple[Array, Array]:
    """Segment and time of the wins before which all of the time that counts was observed."""
    deals = frame.history.deals
    won, observed_from = deals["closed_at"], frame.history.dataset.observed_from
    counted = (deals["outcome"] == _WON) & (won < NEVER)
    if observed_from is not None:
        counted &= won - settings.ATTENTION_OVER >= observed_from
    return deals.segment[counted], won[counted]


def _touches_over(frame: Frame, offset: int) -> Facts:
    """Our touches of the 90 days from ``offset`` after each win on, at most two for each of the client's then.

    Those count that the client has answered by the end of the 90 days after the win.
    """
    segment, won = _wins(frame)
    ended = won + settings.ATTENTION_OVER

    def within(made: Array, told: Array) -> Array:
        begin, end = (
            np.searchsorted(made, moment_key(segment, won + moment), side="right")
            for moment in (offset, offset + settings.ATTENTION_OVER)
        )
        return np.maximum(np.minimum(end, np.searchsorted(told, moment_key(segment, ended), side="right")) - begin, 0)

    theirs = frame.facts(client_touches).keys
    ours = within(*frame.once(_our_touches, lambda: _our_touches(frame)))
    counted = np.minimum(ours, settings.OUR_CONDUCT_PER_CLIENT_TOUCH * within(theirs, theirs))
    return facts(frame.history.segments, segment, ended, counted)


def _our_touches(frame: Frame) -> tuple[Array, Array]:
    """Segment and time as one sorted number: of each touch of ours that was answered, and of that answer."""
    touches = frame.derived(conversations).touches
    ours = (touches.side & US) > 0
    segment, at = touches.segment[ours], touches.at[ours]
    when = when_answered(frame, segment, at)
    answered = when < NEVER
    return moment_key(segment[answered], at[answered]), moment_key(segment[answered], when[answered])


def touches_after(frame: Frame) -> Facts:
    """Our touches in the 90 days after each win, when these have ended."""
    return _touches_over(frame, 0)


def touches_before(frame: Frame) -> Facts:
    """Our touches in the 90 days before each win, when the 90 days after it have ended."""
    return _touches_over(frame, -settings.ATTENTION_OVER)


def _after_against_before(frame: Frame) -> Figure:
    after, before = frame.sums(touches_after), frame.sums(touches_before)
    return known(ratio(after.total, before.total), after.count, 1)


REGISTRY.add(
    windowed(
        L6,
        Text(
            "attention_after_sale",
            "Our contact in the 90 days after a win, as a multiple of that in the 90 days before",
            "our touches that were answered, of the 90 days after wins / of the 90 days before them (at most two per "
            "touch of the client)",
            "ratio",
        ),
        _after_against_before,
        better="up",
        mark=">=",
        minimum=1,
        evidence_unit="wins decided",
        trend=None,
    )
)
