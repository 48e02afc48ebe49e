"""G6: do they share us with others in their house, above all with their higher-ups? (document 000)"""

from __future__ import annotations

import numpy as np

from features import settings, windows
from features.facts import Facts, facts
from features.figures import Text, event_rate, known, ratio, share, since, windowed
from features.frame import PLACE, SPANS, Frame
from features.histories.conversations import BOTH, CLIENT, conversations
from features.histories.history import code
from features.histories.log import DAY, NEVER, Array, rows_where
from features.histories.people import value_at
from features.histories.tables import INTERACTIONS
from features.indicators import REGISTRY, Figure
from features.signals.commitments import CLIENT_ACTOR
from features.signals.silence import client_touches

G6A = REGISTRY.signal(
    "G6a",
    "introductions upward",
    "How often a contact introduces us to someone above it: we are valued enough to be shown to the bosses",
    "000",
)
G6B = REGISTRY.signal(
    "G6b",
    "active contacts",
    "How many people of the client's are in touch with us",
    "000",
)
G6C = REGISTRY.signal(
    "G6c",
    "isolation",
    "How far all depends on one person: if that one goes, the relationship goes",
    "000",
)
G6D = REGISTRY.signal(
    "G6d",
    "senior access",
    "Whether the client's directors and executives deal with us themselves",
    "000",
)

(_INTRODUCTION,) = code(INTERACTIONS, "kind", "introduction")
_HIGHEST = 5
_ONE_IS_ENOUGH = 1
"""A single exchange with a senior is a fact, not an estimate."""


def _introductions(frame: Frame) -> tuple[Array, Array, Array]:
    """The client's introductions: rows, whether each went upward, and when that became known (NEVER if not yet)."""

    def judge() -> tuple[Array, Array, Array]:
        log = frame.history.interactions
        rows = rows_where((log["kind"] == _INTRODUCTION) & (log["actor"] == CLIENT_ACTOR))
        segment, at = log.segment[rows], log["at"][rows]
        introducer, since_one = value_at(frame.history, "seniority", segment, log["contact_id"][rows], at)
        introduced, since_other = value_at(frame.history, "seniority", segment, log["related_contact_id"][rows], at)
        told = ~np.isnan(introducer) & ~np.isnan(introduced)
        return rows, introduced > introducer, np.where(told, np.maximum(since_one, since_other), NEVER)

    return frame.once(_introductions, judge)


def introductions_upward(frame: Frame) -> Facts:
    """Every introduction to someone more senior than the introducer was at the time, once both ranks are known."""
    log = frame.history.interactions
    rows, upward, judged = _introductions(frame)
    rows, judged = rows[upward], judged[upward]
    return facts(
        frame.history.segments,
        log.segment[rows],
        log["at"][rows],
        known=judged,
        until=np.full(len(rows), NEVER),
    )


def introductions_of_unknown_rank(frame: Frame) -> Facts:
    """Every introduction, as long as it is not known who is more senior."""
    log = frame.history.interactions
    rows, _, judged = _introductions(frame)
    at = log["at"][rows]
    return facts(frame.history.segments, log.segment[rows], at, known=at, until=judged)


def client_contacts(frame: Frame) -> Facts:
    """The contact of each touch of the client, where known, numbered from 0 within its segment."""
    touches = frame.derived(conversations).touches
    contact = frame.history.interactions["contact_id"][touches.row]
    named = ((touches.side & CLIENT) > 0) & (contact >= 0)
    segment = touches.segment[named].astype(np.int64)
    people, number = np.unique(segment << 32 | contact[named], return_inverse=True)
    first = np.searchsorted(people, segment << 32)
    return facts(frame.history.segments, segment, touches.at[named], number - first)


def _crowds(frame: Frame) -> tuple[Array, Array, Array]:
    """Touches of the client by known contacts, how many contacts these are, and the touches of the busiest one."""

    def count() -> tuple[Array, Array, Array]:
        one = frame.facts(client_contacts)
        classes = int(one.value.max(initial=-1)) + 1
        found: tuple[Array, Array, Array] = windows.crowds(
            one.start, one.at, one.value, frame.segment, frame.as_of, SPANS, classes
        )
        return found

    return frame.once(_crowds, count)


def _active_contacts(frame: Frame) -> Figure:
    """Contacts with a touch of their own; none is zero where the client, whose contacts are known, did not touch us."""
    _, people, _ = _crowds(frame)
    days = frame.observed_seconds() / DAY
    none_is_zero = (frame.sums(client_touches).count == 0) & (frame.sums(client_contacts).count[PLACE["all"]] > 0)
    told = (days >= settings.MINIMUM_OBSERVED_DAYS) & ((people > 0) | none_is_zero)
    return Figure(np.where(told, people, np.nan), days.astype(np.int64))


def _isolation(frame: Frame) -> Figure:
    count, _, largest = _crowds(frame)
    return known(ratio(largest, count), count, settings.MINIMUM_OBSERVATIONS)


def _ranks(frame: Frame, segment: Array, contact: Array, at: Array, least: int = 0) -> Facts:
    """The seniority, where known, of each contact at that moment; or 1 if it reached the least asked for, else 0."""
    rank, judged = value_at(frame.history, "seniority", segment, contact, at)
    told = ~np.isnan(rank)
    value = (rank[told] >= least) if least else rank[told]
    until = np.full(len(value), NEVER)
    return facts(frame.history.segments, segment[told], at[told], value, known=judged[told], until=until)


def senior_touches(frame: Frame) -> Facts:
    """1 for a touch of the client by a senior contact, 0 for one by another, where the seniority is known."""
    touches = frame.derived(conversations).touches
    own = rows_where((touches.side & CLIENT) > 0)
    contact = frame.history.interactions["contact_id"][touches.row[own]]
    return _ranks(frame, touches.segment[own], contact, touches.at[own], settings.SENIOR_FROM)


def two_way_ranks(frame: Frame) -> Facts:
    """The seniority, where known, of whom we met, of who answered us and of whom we answered, each time."""
    linked = frame.derived(conversations)
    touches, answered, ours = linked.touches, linked.client_replies, linked.our_replies
    met = rows_where(touches.side == BOTH)
    spoke = touches.row[np.concatenate((met, answered.touch, ours.began))]
    return _ranks(
        frame,
        np.concatenate((touches.segment[met], answered.segment, ours.segment)),
        frame.history.interactions["contact_id"][spoke],
        np.concatenate((touches.at[met], answered.at, ours.at)),
    )


def _highest(frame: Frame) -> Figure:
    one = frame.facts(two_way_ranks)
    assert one.known is not None
    count, most = windows.highest(one.start, one.at, one.value, one.known, frame.segment, frame.as_of, SPANS)
    return known(most.astype(float), count, _ONE_IS_ENOUGH)


REGISTRY.add(
    event_rate(
        G6A,
        Text(
            "introductions_upward",
            "Introductions of us to someone more senior than the one who introduced us, per year",
            "introductions to a contact of higher seniority, as of then, × 365 / days observed",
            "per year",
        ),
        introductions_upward,
        kinds=("introduction",),
        longer=True,
        better="up",
        mark=">=",
        untold=introductions_of_unknown_rank,
    )
)
REGISTRY.add([since(G6A, "introduction", "we were last introduced to someone higher up", introductions_upward, "down")])
REGISTRY.add(
    windowed(
        G6B,
        Text(
            "active_contacts",
            "Number of people of the client's who wrote, called or met us",
            "distinct contacts with a touch of the client",
            "contacts",
        ),
        _active_contacts,
        better="up",
        mark=">=",
        minimum=settings.MINIMUM_OBSERVED_DAYS,
        evidence_unit="observed days",
    )
)
REGISTRY.add(
    windowed(
        G6C,
        Text(
            "isolation",
            "Share of the client's messages, calls and meetings that come from its busiest contact alone",
            "touches of the contact with most / touches of the client by known contacts",
            "share",
        ),
        _isolation,
        better="down",
        mark="<=",
        high=1.0,
    )
)
REGISTRY.add([since(G6C, "named_touch", "anyone known to us by name last wrote, called or met us", client_contacts)])
REGISTRY.add(
    share(
        G6D,
        Text(
            "senior_access",
            "Share of the client's messages, calls and meetings that come from its directors and executives",
            "touches of contacts of seniority 4 or 5, as of then / touches of contacts of known seniority",
            "share",
        ),
        senior_touches,
        better="up",
    )
)
REGISTRY.add(
    windowed(
        G6D,
        Text(
            "highest_seniority",
            "How high up the most senior person is with whom we were in exchange (1 junior to 5 executive)",
            "highest seniority, as of then, among contacts whom we met, who answered us or whom we answered",
            "rank",
        ),
        _highest,
        better="up",
        minimum=_ONE_IS_ENOUGH,
        evidence_unit="two-way exchanges",
        low=1,
        high=_HIGHEST,
    )
)
REGISTRY.add([since(G6D, "senior_exchange", "we were last in exchange with anyone of known seniority", two_way_ranks)])
