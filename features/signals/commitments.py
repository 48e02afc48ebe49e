"""G2: do they honour their commitments and show up? (document 000)"""

from __future__ import annotations

import numpy as np

from features.facts import Facts, facts
from features.figures import Text, share, since
from features.frame import Frame
from features.histories.history import History, code
from features.histories.log import NEVER, Array, rows_where
from features.histories.tables import INTERACTIONS
from features.indicators import REGISTRY

G2A = REGISTRY.signal(
    "G2a",
    "commitments kept",
    "Whether the client does what it promised, by the time it promised",
    "000",
)
G2B = REGISTRY.signal(
    "G2b",
    "showing up",
    "Whether the client turns up to the meetings it agreed to",
    "000",
)

_COMMITMENT, _MEETING = code(INTERACTIONS, "kind", "commitment", "meeting")
_KEPT, _BROKEN, _HELD, _CANCELLED, _NO_SHOW = code(
    INTERACTIONS, "outcome", "kept", "broken", "held", "cancelled", "no_show"
)
CLIENT_ACTOR, OUR_ACTOR = code(INTERACTIONS, "actor", "client", "us")


def _promises(history: History, actor: int) -> tuple[Array, Array, Array, Array]:
    """The actor's promises: segment, due, when kept (NEVER if not), and when declared broken (NEVER if not)."""
    log = history.interactions
    rows = rows_where((log["kind"] == _COMMITMENT) & (log["actor"] == actor))
    outcome, resolved = log["outcome"][rows], log["resolved_at"][rows]
    # An outcome without a time of its own counts from the moment it was known.
    settled = np.where(resolved == NEVER, log["outcome_known"][rows], resolved)
    kept = np.where(outcome == _KEPT, settled, NEVER)
    broken = np.where(outcome == _BROKEN, settled, NEVER)
    return log.segment[rows], log["due_at"][rows], kept, broken


def promise_keeping(frame: Frame, actor: int) -> Facts:
    """1 where a promise was kept by its time (when it was), 0 where it was not (when it fell due or was broken)."""
    segment, due, kept, broken = _promises(frame.history, actor)
    in_time = (kept <= due) & (kept != NEVER)
    decided = np.where(in_time, kept, np.minimum(due, broken))
    told = decided != NEVER
    return facts(frame.history.segments, segment[told], decided[told], in_time[told])


def client_promises(frame: Frame) -> Facts:
    """The client's promises as they were decided, 1 kept by their time, else 0."""
    return promise_keeping(frame, CLIENT_ACTOR)


def _missed(frame: Frame, kept_late: bool) -> Facts:
    """All decided promises of the client; value 1 while they stand as kept late (or as not kept at all)."""
    segment, due, kept, broken = _promises(frame.history, CLIENT_ACTOR)
    decided = np.where((kept <= due) & (kept != NEVER), kept, np.minimum(due, broken))
    told = decided != NEVER
    segment, kept, decided = segment[told], kept[told], decided[told]
    late = (kept > decided) & (kept != NEVER)
    missed_first = kept != decided
    # A promise kept late changes what is true of it when it is kept: one fact until then, another from then on.
    return facts(
        frame.history.segments,
        np.concatenate((segment, segment[late])),
        np.concatenate((decided, decided[late])),
        np.concatenate((missed_first & (not kept_late), np.full(int(late.sum()), kept_late))),
        known=np.concatenate((decided, kept[late])),
        until=np.concatenate((np.where(late, kept, NEVER), np.full(int(late.sum()), NEVER))),
    )


def client_promises_late(frame: Frame) -> Facts:
    """1 for each decided promise that has been kept, but late."""
    return _missed(frame, kept_late=True)


def client_promises_never(frame: Frame) -> Facts:
    """1 for each decided promise that has not been kept up to now."""
    return _missed(frame, kept_late=False)


def attendance(frame: Frame) -> Facts:
    """1 for a held meeting (at its start), 0 where the client did not show up or cancelled (when it did so)."""
    log = frame.history.interactions
    outcome = log["outcome"]
    missed = ((outcome == _NO_SHOW) | (outcome == _CANCELLED)) & (log["actor"] == CLIENT_ACTOR)
    rows = rows_where((log["kind"] == _MEETING) & ((outcome == _HELD) | missed))
    at, resolved = log["at"][rows], log["resolved_at"][rows]
    cancelled = (outcome[rows] == _CANCELLED) & (resolved != NEVER)
    when = np.where(cancelled, resolved, at)
    return facts(frame.history.segments, log.segment[rows], when, outcome[rows] == _HELD)


REGISTRY.add(
    share(
        G2A,
        Text(
            "commitments_kept_rate",
            "Share of the client's promises kept by their time",
            "promises kept by their time / promises kept, broken or fallen due",
            "share",
        ),
        client_promises,
        better="up",
        mark=">=",
    )
)
REGISTRY.add(
    share(
        G2A,
        Text(
            "commitments_late_share",
            "Share of the client's promises that were kept, but late",
            "promises kept late / promises kept, broken or fallen due",
            "share",
        ),
        client_promises_late,
    )
)
REGISTRY.add(
    share(
        G2A,
        Text(
            "commitments_never_share",
            "Share of the client's promises that have not been kept at all",
            "promises not kept up to now / promises kept, broken or fallen due",
            "share",
        ),
        client_promises_never,
        better="down",
    )
)
REGISTRY.add([since(G2A, "promise", "we last learnt whether the client keeps a promise", client_promises)])

REGISTRY.add(
    share(
        G2B,
        Text(
            "show_up_rate",
            "Share of meetings that the client turned up to",
            "held / (held + the client's no-shows + the client's cancellations)",
            "share",
        ),
        attendance,
        better="up",
        mark=">=",
    )
)
REGISTRY.add([since(G2B, "meeting", "a meeting was last held or missed", attendance)])
