"""D8f: silence, against the client's own cadence (document 001)."""

from __future__ import annotations

import numpy as np

from features import settings
from features.facts import Facts, facts
from features.figures import Text, known, rate, single, windowed
from features.frame import PLACE, Frame
from features.histories.conversations import CLIENT, conversations
from features.histories.log import DAY, rows_where
from features.indicators import REGISTRY, Figure

D8F = REGISTRY.signal(
    "D8f",
    "silence",
    "How long the client has been silent, against how often it usually writes or calls: silence is a warning",
    "001",
)


def client_touches(frame: Frame) -> Facts:
    """Every touch of the client."""
    touches = frame.derived(conversations).touches
    own = (touches.side & CLIENT) > 0
    return facts(frame.history.segments, touches.segment[own], touches.at[own])


def client_gaps(frame: Frame) -> Facts:
    """Seconds from one touch of the client to its next, at the later one."""
    touched = frame.facts(client_touches)
    segment, at = touched.segment, touched.at
    follows = rows_where(segment[1:] == segment[:-1]) + 1
    return facts(frame.history.segments, segment[follows], at[follows], at[follows] - at[follows - 1])


def _silence(frame: Frame) -> Figure:
    sums = frame.sums(client_touches)
    return Figure(frame.days_since(sums.last), sums.count[PLACE["all"]])


def _usual_gap(frame: Frame) -> Figure:
    gaps = frame.medians(client_gaps, "all")
    return known(gaps.middle[0] / DAY, gaps.count[0], settings.MINIMUM_OBSERVATIONS)


def _silence_ratio(frame: Frame) -> Figure:
    usual = _usual_gap(frame)
    return Figure(_silence(frame).value / np.maximum(usual.value, settings.GAP_FLOOR / DAY), usual.evidence)


REGISTRY.add(
    [
        single(
            D8F,
            Text("silence", "Days since the client last wrote, called or met us", "t minus its last touch", "days"),
            _silence,
            better="down",
        ),
        single(
            D8F,
            Text(
                "silence_ratio",
                "The present silence, as a multiple of the client's usual gap between touches",
                "days of silence / its own median gap (at least one day)",
                "ratio",
            ),
            _silence_ratio,
            better="down",
            mark="<=",
            minimum=settings.MINIMUM_OBSERVATIONS,
            evidence_unit="gaps",
        ),
        single(
            D8F,
            Text("usual_gap", "The client's usual gap between touches", "median gap between its touches", "days"),
            _usual_gap,
            minimum=settings.MINIMUM_OBSERVATIONS,
            evidence_unit="gaps",
        ),
    ]
)


def _touch_count(frame: Frame) -> Figure:
    days = np.ceil(frame.observed_seconds() / DAY).astype(np.int64)
    return known(frame.sums(client_touches).count.astype(float), days, 1)


REGISTRY.add(
    windowed(
        D8F,
        Text("client_touches", "Number of times the client wrote, called or met us", "touches of the client", "count"),
        _touch_count,
        better="up",
        minimum=1,
        evidence_unit="observed days",
        trend=None,
    )
)
REGISTRY.add(
    rate(
        D8F,
        Text(
            "client_cadence",
            "How often the client wrote, called or met us",
            "touches of the client × 365 / days observed",
            "per year",
        ),
        client_touches,
        better="up",
    )
)
