"""W1c: while the relationship is cold, is every contact of ours without a flaw? (document 003)"""

from __future__ import annotations

import numpy as np

from features import settings
from features.facts import Facts, facts
from features.figures import Text, known, ratio, windowed
from features.frame import Frame
from features.histories.annotations import annotated
from features.histories.conversations import CLIENT, US, conversations
from features.histories.history import code
from features.histories.log import NEVER, Array, among, rows_where
from features.histories.tables import DEALS, INTERACTIONS
from features.indicators import REGISTRY, Figure
from features.signals.answered import when_answered

W1C = REGISTRY.signal(
    "W1c",
    "immaculate contacts",
    "Whether our contacts are without a flaw while the client hardly knows us: strangers judge us by every clue",
    "003",
)

(_WON,) = code(DEALS, "outcome", "won")
_MEETING, _MISTAKE, _DELIVERY = code(INTERACTIONS, "kind", "meeting", "mistake", "delivery")
_CORRECTED = code(INTERACTIONS, "outcome", "cancelled", "rescheduled", "no_show")
(_US,) = code(INTERACTIONS, "actor", "us")


def _cold(frame: Frame, segment: Array, at: Array) -> Array:
    """bool: whether no deal had been won 90 days before each (segment, moment)."""
    deals = frame.history.deals
    won = rows_where(deals["outcome"] == _WON)
    first = np.full(frame.history.segments, NEVER, dtype=np.int64)
    np.minimum.at(first, deals.segment[won], deals["closed_at"][won])
    return np.asarray(at <= first[segment] + settings.COLD_AFTER_WIN)


def _flaws(frame: Frame, contacts: Array) -> tuple[Array, Array]:
    """When each row of the log first showed a flaw (NEVER if it has none), and the mistakes about no contact."""
    log = frame.history.interactions
    linked = frame.derived(conversations)
    since = np.full(len(log), NEVER, dtype=np.int64)
    late = linked.our_replies.touch[linked.our_replies.value > settings.LATE_ANSWER_AFTER]
    since[linked.touches.row[late]] = linked.touches.at[late]
    overdue = rows_where((log["kind"] == _DELIVERY) & (log["resolved_at"] > log["due_at"]))
    since[overdue] = np.minimum(since[overdue], np.maximum(log["at"][overdue], log["due_at"][overdue]))
    is_contact = np.zeros(len(log) + 1, dtype=bool)
    is_contact[contacts] = True
    mistakes = rows_where(log["kind"] == _MISTAKE)
    about = annotated(log, mistakes)
    told = is_contact[about]  # STANDALONE points to the last entry, which is no row
    np.minimum.at(since, about[told], log["at"][mistakes[told]])
    return since, mistakes[~told]


def cold_contacts(frame: Frame) -> Facts:
    """Our contacts while the relationship was cold: 0 for one without a flaw once it is answered, 1 from its flaw on.

    A contact is a touch of ours (a held meeting too). Its flaws: an answer that came late, a delivery that was not made
    by its date, a mistake about it. A mistake about no touch of ours, and a meeting that we cancelled, moved or missed,
    are flawed contacts of their own.
    """
    log, touches = frame.history.interactions, frame.derived(conversations).touches
    ours = touches.row[(touches.side & US) > 0]
    since, mistakes = _flaws(frame, ours)
    corrected = (log["kind"] == _MEETING) & (log["actor"] == _US) & among(log["outcome"], _CORRECTED)
    moved = rows_where(corrected)
    resolved = log["resolved_at"][moved]
    own = np.concatenate((log["at"][mistakes], np.where(resolved == NEVER, log["at"][moved], resolved)))
    # A contact whose flaw shows later is one fact until then and another from then on.
    answer = when_answered(frame, log.segment[ours], log["at"][ours])
    praised = since[ours] > answer
    clean, spoilt, answer = ours[praised], ours[since[ours] < NEVER], answer[praised]
    segment = log.segment[np.concatenate((clean, spoilt, mistakes, moved))]
    at = np.concatenate((log["at"][clean], log["at"][spoilt], own))
    known = np.concatenate((answer, since[spoilt], own))
    until = np.concatenate((since[clean], np.full(len(spoilt) + len(own), NEVER)))
    flawed = np.arange(len(at)) >= len(clean)
    kept = _cold(frame, segment, at)
    return facts(frame.history.segments, segment[kept], at[kept], flawed[kept], known[kept], until[kept])


def cold_client_touches(frame: Frame) -> Facts:
    """Every touch of the client while the relationship was cold."""
    touches = frame.derived(conversations).touches
    kept = (touches.side & CLIENT) > 0
    kept &= _cold(frame, touches.segment, touches.at)
    return facts(frame.history.segments, touches.segment[kept], touches.at[kept])


def _immaculate(frame: Frame) -> Figure:
    """Flawless contacts count at most two per touch of the client, so that volume of ours cannot hide a flaw."""
    contacts = frame.sums(cold_contacts)
    most = settings.OUR_CONDUCT_PER_CLIENT_TOUCH * frame.sums(cold_client_touches).count
    flawless = np.minimum(contacts.count - contacts.total, most)
    counted = flawless + contacts.total
    return known(ratio(flawless, counted), counted, settings.MINIMUM_OBSERVATIONS)


REGISTRY.add(
    windowed(
        W1C,
        Text(
            "immaculate_contacts",
            "Share of our contacts before the first win, and in the 90 days after it, without a mistake, lateness or "
            "correction",
            "contacts without a flaw, answered within 30 days (at most two per touch of the client) / these and the "
            "contacts with a flaw",
            "share",
        ),
        _immaculate,
        better="up",
        mark=">=",
        evidence_unit="contacts",
        high=1.0,
    )
)
