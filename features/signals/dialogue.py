"""P3a: do we keep in touch outside the sales phases? (document 004)"""

from __future__ import annotations

from functools import partial

import numpy as np

from features import settings
from features.facts import Facts, facts
from features.figures import Text, known, ratio, windowed
from features.frame import SPANS, Frame
from features.histories.conversations import US, conversations
from features.histories.history import code
from features.histories.log import DAY, NEVER, Array
from features.histories.tables import DEALS
from features.indicators import REGISTRY, Figure
from features.signals.answered import answered
from features.signals.silence import client_touches
from features.windows import covered

P3A = REGISTRY.signal(
    "P3a",
    "contact outside sales",
    "Whether we keep in touch when there is nothing to sell and nothing to renew",
    "004",
)

(_WON,) = code(DEALS, "outcome", "won")
_ENOUGH_DAYS = 30
"""A rate per 30 days needs at least so many days of its kind."""


def sales_phases(frame: Frame) -> tuple[Facts, Array]:
    """Sales phases as intervals [begin, end): facts whose ``at`` is the begin, and the ends beside them.

    A deal's phase lasts from its opening to 60 days after its close; a won contract's from 60 days before its end (once
    the deal is won) to that end.
    """
    deals = frame.history.deals
    segment, opened, closed, ends = deals.segment, deals["opened_at"], deals["closed_at"], deals["ends_on"]
    contract = (deals["outcome"] == _WON) & (ends < NEVER) & (closed < NEVER)
    until = np.minimum(closed, NEVER - settings.SALES_AFTER_CLOSE) + settings.SALES_AFTER_CLOSE
    begin = np.concatenate((opened, np.maximum(ends - settings.SALES_BEFORE_END, closed)[contract]))
    end = np.concatenate((until, ends[contract]))
    phases = facts(frame.history.segments, np.concatenate((segment, segment[contract])), begin, end)
    return phases, phases.value


def in_sales_phase(frame: Frame, segment: Array, at: Array) -> Array:
    """bool: whether each (segment, moment) lies in a sales phase."""
    phases, ends = frame.once("sales_phases", lambda: sales_phases(frame))
    # The last second (t - 1, t] of a moment t overlaps [begin - 1, end - 1) just where begin <= t < end.
    instant = np.ones(1, dtype=np.int64)
    return np.asarray(covered(phases.start, phases.at - 1, ends - 1, segment, at, instant)[0] > 0)


def _our_touches(frame: Frame) -> Facts:
    """Our touches, answered or not: 1 inside a sales phase, else 0."""
    touches = frame.derived(conversations).touches
    ours = (touches.side & US) > 0
    segment, at = touches.segment[ours], touches.at[ours]
    return facts(frame.history.segments, segment, at, in_sales_phase(frame, segment, at))


def _of_phase(frame: Frame, inside: int) -> Facts:
    every = frame.facts(_our_touches)
    chosen = every.value == inside
    return facts(frame.history.segments, every.segment[chosen], every.at[chosen])


def our_touches_outside(frame: Frame) -> Facts:
    """Our touches outside sales phases, answered or not."""
    return _of_phase(frame, 0)


def our_touches_inside(frame: Frame) -> Facts:
    """Our touches inside sales phases, answered or not."""
    return _of_phase(frame, 1)


answered_outside = partial(answered, our_touches_outside)
answered_inside = partial(answered, our_touches_inside)


def _days(frame: Frame, inside: bool) -> Array:
    """Observed days of each window inside or outside sales phases, float64 (windows, rows)."""

    def compute() -> Array:
        phases, ends = frame.once("sales_phases", lambda: sales_phases(frame))
        observed = frame.observed_seconds()
        within = np.minimum(covered(phases.start, phases.at, ends, frame.segment, frame.as_of, SPANS), observed)
        return (within if inside else observed - within) / DAY

    return frame.once(("sales days", inside), compute)


def _per_month(frame: Frame, inside: bool) -> Array:
    """Our answered touches per 30 days, counting at most two for each touch of the client in the window."""
    counted = frame.sums(answered_inside if inside else answered_outside).count
    cap = settings.OUR_CONDUCT_PER_CLIENT_TOUCH * frame.sums(client_touches).count
    return ratio(np.minimum(counted, cap) * 30.0, _days(frame, inside))


def _contact_outside(frame: Frame) -> Figure:
    return known(_per_month(frame, inside=False), _days(frame, inside=False).astype(np.int64), _ENOUGH_DAYS)


def _outside_against_inside(frame: Frame) -> Figure:
    days = np.minimum(_days(frame, inside=False), _days(frame, inside=True)).astype(np.int64)
    return known(ratio(_per_month(frame, inside=False), _per_month(frame, inside=True)), days, _ENOUGH_DAYS)


REGISTRY.add(
    windowed(
        P3A,
        Text(
            "contact_outside_sales",
            "Our touches that the client answered, in a month of 30 days with nothing to sell or renew",
            "our touches outside sales phases answered within 30 days (at most two per touch of the client) × 30 / "
            "days outside",
            "per 30 days",
        ),
        _contact_outside,
        better="up",
        mark=">=",
        minimum=_ENOUGH_DAYS,
        evidence_unit="days outside sales phases",
        trend="log ratio",
    )
)
REGISTRY.add(
    windowed(
        P3A,
        Text(
            "outside_against_inside",
            "Our contact when there is nothing to sell or renew, as a multiple of that when there is",
            "our answered touches per 30 days outside / inside sales phases",
            "ratio",
        ),
        _outside_against_inside,
        better="up",
        minimum=_ENOUGH_DAYS,
        evidence_unit="days of each kind",
        trend=None,
    )
)
