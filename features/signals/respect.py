"""D8a, D8b and G2c: are they polite, do they treat us as equals, and do deeds follow the kind words? (001, 000)"""

from __future__ import annotations

import numpy as np

from features import settings
from features.facts import Facts, facts
from features.figures import Text, known, mean, ratio, records, windowed
from features.frame import PLACE, Frame
from features.histories.annotations import client_touch
from features.histories.conversations import CLIENT, conversations
from features.histories.history import code
from features.histories.log import NEVER, Array, rows_where
from features.histories.tables import INTERACTIONS
from features.indicators import REGISTRY, Figure
from features.signals.commitments import CLIENT_ACTOR, client_promises
from features.signals.silence import client_touches

D8A = REGISTRY.signal(
    "D8a",
    "respect",
    "Whether the client is polite, warm and grateful, and meets us as an equal",
    "001",
)
D8B = REGISTRY.signal(
    "D8b",
    "supplier talk",
    "Whether the client speaks of us as a mere supplier or vendor",
    "001",
)
G2C = REGISTRY.signal(
    "G2c",
    "words without action",
    "Whether friendly words hide that the client does not do what it promised",
    "000",
)

(_MENTION,) = code(INTERACTIONS, "kind", "mention")
(_SUPPLIER_TALK,) = code(INTERACTIONS, "subtype", "supplier_talk")
_MILLIS = 1000


def politeness(frame: Frame) -> Facts:
    """How polite each touch of the client was, in thousandths, where somebody or something scored it."""
    touches = frame.derived(conversations).touches
    score = frame.history.interactions["politeness"][touches.row]
    told = ((touches.side & CLIENT) > 0) & ~np.isnan(score)
    millis = np.round(score[told] * _MILLIS).astype(np.int64)
    return facts(frame.history.segments, touches.segment[told], touches.at[told], millis)


def mentions(frame: Frame) -> Facts:
    """Everything the client said about us or others that was noted down, whatever it was."""
    log = frame.history.interactions
    rows = rows_where((log["kind"] == _MENTION) & (log["actor"] == CLIENT_ACTOR))
    return facts(frame.history.segments, log.segment[rows], log["at"][rows])


def _supplier_talk(frame: Frame) -> Array:
    log = frame.history.interactions
    return rows_where((log["kind"] == _MENTION) & (log["subtype"] == _SUPPLIER_TALK) & (log["actor"] == CLIENT_ACTOR))


def supplier_touches(frame: Frame) -> Facts:
    """Each touch of the client that called us a supplier, at the touch, from when that was noted."""
    log, linked = frame.history.interactions, frame.derived(conversations)
    rows = _supplier_talk(frame)
    touch = client_touch(frame.history, linked, rows)
    # The first note on a touch counts; rows are in order of time.
    touch, first = np.unique(touch, return_index=True)
    of_touch, rows = touch[touch >= 0], rows[first[touch >= 0]]
    return facts(
        frame.history.segments,
        linked.touches.segment[of_touch],
        linked.touches.at[of_touch],
        known=log["at"][rows],
        until=np.full(len(rows), NEVER),
    )


def lone_supplier_talk(frame: Frame) -> Facts:
    """Supplier talk noted without naming a touch: a touch of its own."""
    log, rows = frame.history.interactions, _supplier_talk(frame)
    rows = rows[log["about_id"][rows] < 0]
    return facts(frame.history.segments, log.segment[rows], log["at"][rows])


def _talk_share(frame: Frame) -> Figure:
    lone = frame.sums(lone_supplier_talk).count
    count = frame.sums(client_touches).count + lone
    told = records(frame, ("mention",)) | (frame.sums(mentions).count[PLACE["all"]] > 0)
    share = np.where(told, ratio(frame.sums(supplier_touches).count + lone, count), np.nan)
    return known(share, count, settings.MINIMUM_OBSERVATIONS)


def _words_without_action(frame: Frame) -> Figure:
    words, deeds = frame.sums(politeness), frame.sums(client_promises)
    index = ratio(words.total, words.count * _MILLIS) * (1 - ratio(deeds.total, deeds.count))
    return known(index, np.minimum(words.count, deeds.count), settings.MINIMUM_OBSERVATIONS)


REGISTRY.add(
    mean(
        D8A,
        Text(
            "respect",
            "How polite, warm, grateful and equal the client's messages and meetings with us are",
            "mean score of the client's touches, where scored",
            "0 to 1",
        ),
        politeness,
        scale=_MILLIS,
        better="up",
        mark=">=",
        high=1.0,
    )
)
REGISTRY.add(
    windowed(
        D8B,
        Text(
            "supplier_talk",
            "Share of the client's messages and meetings in which it called us a supplier or vendor",
            "touches of the client with supplier talk / touches of the client, where such talk is recorded at all",
            "share",
        ),
        _talk_share,
        better="down",
        mark="<=",
        high=1.0,
    )
)
REGISTRY.add(
    windowed(
        G2C,
        Text(
            "words_without_action",
            "Kind words that no deeds follow: high where the client is polite but does not keep its promises",
            "mean politeness of the client's touches × (1 − share of its promises kept by their time)",
            "0 to 1",
        ),
        _words_without_action,
        better="down",
        mark="<=",
        evidence_unit="scored touches or decided promises, whichever are fewer",
        high=1.0,
    )
)
