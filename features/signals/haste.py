"""P2c: do we take time to know the client before we sell? (document 004)"""

from __future__ import annotations

import numpy as np

from features import settings
from features.facts import Facts, facts
from features.figures import Text, single
from features.frame import PLACE, Frame
from features.histories.conversations import US, conversations
from features.histories.history import code
from features.histories.log import DAY, NEVER, Array, rows_where
from features.histories.tables import INTERACTIONS
from features.indicators import REGISTRY, Figure, Mark
from features.signals.answered import when_answered

P2C = REGISTRY.signal(
    "P2c",
    "haste",
    "Whether we take our time before we sell: an offer at the first contact harms what could have become of it",
    "004",
)

(_SALES,) = code(INTERACTIONS, "subtype", "sales")


def first_offers(frame: Frame) -> Facts:
    """Our first sales touch in each segment; the value is the seconds since the first touch of either side.

    One too soon counts at once; that we took our time counts once the client has answered a sales touch of ours.
    """
    touches = frame.derived(conversations).touches
    selling = frame.history.interactions["subtype"][touches.row] == _SALES
    every = rows_where(selling & ((touches.side & US) > 0))
    heard = np.full(frame.history.segments, NEVER, dtype=np.int64)
    np.minimum.at(heard, touches.segment[every], when_answered(frame, touches.segment[every], touches.at[every]))
    offers = _firsts(touches.segment, every)
    begun = _firsts(touches.segment, np.arange(len(touches.at)))
    begun = begun[np.searchsorted(touches.segment[begun], touches.segment[offers])]
    segment, at = touches.segment[offers], touches.at[offers]
    waited = at - touches.at[begun]
    counts = np.where(waited < settings.HASTY_WITHIN, at, heard[segment])
    told = counts < NEVER
    return facts(frame.history.segments, segment[told], counts[told], waited[told])


def _firsts(segment: Array, places: Array) -> Array:
    """The first of the places in each segment."""
    return places[np.unique(segment[places], return_index=True)[1]]


def _days_to_first_offer(frame: Frame) -> Figure:
    sums = frame.sums(first_offers)
    return Figure(
        np.where(sums.count[PLACE["all"]] > 0, sums.total[PLACE["all"]] / DAY, np.nan), sums.count[PLACE["all"]]
    )


REGISTRY.add(
    [
        single(
            P2C,
            Text(
                "days_to_first_offer",
                "Days from the first contact to our first attempt to sell",
                "our first sales touch minus the first touch of either side (7 days or more: once one was answered)",
                "days",
            ),
            _days_to_first_offer,
            better="up",
            mark=Mark(">=", settings.HASTY_WITHIN / DAY),
            evidence_unit="first offers",
        )
    ]
)
