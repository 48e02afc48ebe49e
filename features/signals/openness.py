"""G4: do they open up to us personally, and do we let them take the lead? (document 000)"""

from __future__ import annotations

from functools import partial

import numpy as np

from features import settings
from features.facts import Facts, facts
from features.figures import Text, known, ratio, records, share, since, windowed
from features.frame import PLACE, FactFunction, Frame
from features.histories.annotations import client_touch
from features.histories.conversations import conversations
from features.histories.history import code
from features.histories.log import NEVER, Array, among, rows_where
from features.histories.tables import INTERACTIONS
from features.indicators import REGISTRY, Figure
from features.signals.commitments import CLIENT_ACTOR
from features.signals.silence import client_touches

G4A = REGISTRY.signal(
    "G4a",
    "personal topics",
    "How often the client turns from business to something personal of its own accord",
    "000",
)
G4B = REGISTRY.signal(
    "G4b",
    "emotional openness",
    "How often the client, once it gets personal, also shows feelings: stronger evidence still",
    "000",
)
G4C = REGISTRY.signal(
    "G4c",
    "plain speech",
    "How often the client speaks to us in plain or colourful words",
    "000",
)
G4D = REGISTRY.signal(
    "G4d",
    "who leads into the personal",
    "Whether it is the client who decides when to get personal; each time that we began it counts against us",
    "000",
)

(_DISCLOSURE,) = code(INTERACTIONS, "kind", "disclosure")
_PERSONAL, _EMOTIONAL, _PLAIN = code(INTERACTIONS, "subtype", "personal", "emotional", "plain_speech")


def disclosures(frame: Frame) -> Facts:
    """1 for each disclosure on record, whoever led."""
    log = frame.history.interactions
    rows = rows_where(log["kind"] == _DISCLOSURE)
    return facts(frame.history.segments, log.segment[rows], log["at"][rows])


def _opening_up(frame: Frame, *subtypes: int) -> Facts:
    """Each touch of the client that is, or carries, a disclosure of these subtypes in which the client led.

    It happened when the touch did, and is known from its first such annotation on.
    """
    log = frame.history.interactions
    linked = frame.derived(conversations)
    led = (log["kind"] == _DISCLOSURE) & (log["actor"] == CLIENT_ACTOR)
    rows = rows_where(led & among(log["subtype"], subtypes))
    touch = client_touch(frame.history, linked, rows)
    rows, touch = rows[touch >= 0], touch[touch >= 0]
    # Rows lie in order of time: the first of those about a touch is the first that told of it.
    touch, first = np.unique(touch, return_index=True)
    touches = linked.touches
    return facts(
        frame.history.segments,
        touches.segment[touch],
        touches.at[touch],
        known=log["at"][rows[first]],
        until=np.full(len(touch), NEVER),
    )


def personal_touches(frame: Frame) -> Facts:
    """Touches in which the client got personal; showing feelings is personal too."""
    return _opening_up(frame, _PERSONAL, _EMOTIONAL)


def emotional_touches(frame: Frame) -> Facts:
    """Touches in which the client showed feelings."""
    return _opening_up(frame, _EMOTIONAL)


def plain_touches(frame: Frame) -> Facts:
    """Touches in which the client spoke plainly or colourfully."""
    return _opening_up(frame, _PLAIN)


def exchanges_led(frame: Frame) -> Facts:
    """1 for each personal exchange that the client opened, 0 for one that we opened.

    Several disclosures about one touch are one exchange; whoever led in the first of them opened it (we did, if one of
    several at that moment says so).
    """
    log = frame.history.interactions
    rows = rows_where(log["kind"] == _DISCLOSURE)
    at, about = log["at"][rows], log["about_id"][rows].astype(np.int64)
    # A disclosure that names no touch is an exchange of its own.
    exchange = np.where(about >= 0, about, -1 - rows)
    by_client = log["actor"][rows] == CLIENT_ACTOR
    order = np.lexsort((by_client, at, exchange, log.segment[rows]))
    rows, exchange, by_client = rows[order], exchange[order], by_client[order]
    segment = log.segment[rows]
    opening = np.ones(len(rows), dtype=bool)
    opening[1:] = (exchange[1:] != exchange[:-1]) | (segment[1:] != segment[:-1])
    return facts(frame.history.segments, segment[opening], log["at"][rows[opening]], by_client[opening])


def _recorded(frame: Frame) -> Array:
    """bool (rows,): whether disclosures are recorded: declared to be, or seen of this account by t."""
    return np.asarray(records(frame, ("disclosure",)) | (frame.sums(disclosures).count[PLACE["all"]] > 0))


def _share_of(part: FactFunction, whole: FactFunction, frame: Frame) -> Figure:
    """Share of the touches ``whole`` that are ``part`` of them; unknown where nobody would have noted it down."""
    count = frame.sums(whole).count
    figure = known(ratio(frame.sums(part).count, count), count, settings.MINIMUM_OBSERVATIONS)
    return Figure(np.where(_recorded(frame), figure.value, np.nan), figure.evidence)


REGISTRY.add(
    windowed(
        G4A,
        Text(
            "personal_share",
            "Share of the client's messages, calls and meetings that turned to something personal",
            "touches of the client that got personal, the client leading / touches of the client",
            "share",
        ),
        partial(_share_of, personal_touches, client_touches),
        better="up",
        mark=">",
        high=1.0,
    )
)
REGISTRY.add([since(G4A, "personal", "the client last turned to something personal", personal_touches)])
REGISTRY.add(
    windowed(
        G4B,
        Text(
            "emotional_share",
            "Share of the client's personal touches in which it also showed feelings",
            "touches with feelings shown / touches that got personal, the client leading",
            "share",
        ),
        partial(_share_of, emotional_touches, personal_touches),
        better="up",
        evidence_unit="personal touches",
        high=1.0,
    )
)
REGISTRY.add(
    windowed(
        G4B,
        Text(
            "emotional_share_of_touches",
            "Share of the client's messages, calls and meetings in which it showed feelings",
            "touches with feelings shown, the client leading / touches of the client",
            "share",
        ),
        partial(_share_of, emotional_touches, client_touches),
        better="up",
        high=1.0,
    )
)
REGISTRY.add([since(G4B, "emotional", "the client last showed feelings", emotional_touches)])
REGISTRY.add(
    windowed(
        G4C,
        Text(
            "plain_speech_share",
            "Share of the client's messages and calls in plain or colourful words",
            "touches of the client in plain speech, the client leading / touches of the client",
            "share",
        ),
        partial(_share_of, plain_touches, client_touches),
        better="up",
        high=1.0,
    )
)
REGISTRY.add([since(G4C, "plain_speech", "the client last spoke plainly", plain_touches)])
REGISTRY.add(
    share(
        G4D,
        Text(
            "disclosure_led_by_client",
            "Share of the personal exchanges that the client, not we, began",
            "personal exchanges that the client opened / personal exchanges",
            "share",
        ),
        exchanges_led,
        better="up",
        mark=">=",
    )
)
REGISTRY.add([since(G4D, "exchange", "the last personal exchange", exchanges_led)])
