"""D4: do they argue about money? (document 001)"""

from __future__ import annotations

from features.facts import Facts, facts, settled
from features.figures import Text, share, since
from features.frame import Frame
from features.histories.history import code
from features.histories.log import NEVER, among, rows_where
from features.histories.tables import INTERACTIONS
from features.indicators import REGISTRY

D4 = REGISTRY.signal(
    "D4",
    "fee friction",
    "Whether our fees are a point of contention: if they are, the relationship is not deep",
    "001",
)

(_FEE,) = code(INTERACTIONS, "kind", "fee")
(_INVOICE,) = code(INTERACTIONS, "subtype", "invoice")
_ACCEPTED, *_CONTESTED = code(
    INTERACTIONS, "outcome", "accepted", "argued_down", "argued_held", "disputed", "paid_late"
)


def fees_contested(frame: Frame) -> Facts:
    """1 for a quote, proposal or invoice argued about, disputed or paid late, 0 for one accepted; when settled."""
    log = frame.history.interactions
    kind, outcome = log["kind"], log["outcome"]
    contested = among(outcome, _CONTESTED)
    rows = rows_where((kind == _FEE) & (contested | (outcome == _ACCEPTED)))
    resolved = log["resolved_at"][rows]
    paid_late = (log["subtype"][rows] == _INVOICE) & (resolved != NEVER) & (resolved > log["due_at"][rows])
    return facts(frame.history.segments, log.segment[rows], settled(log, rows), contested[rows] | paid_late)


REGISTRY.add(
    share(
        D4,
        Text(
            "fee_friction",
            "Share of our quotes, proposals and invoices that the client argued about, disputed or paid late",
            "quotes, proposals and invoices argued about, disputed or paid late / those settled",
            "share",
        ),
        fees_contested,
        better="down",
        mark="<=",
    )
)
REGISTRY.add([since(D4, "fee", "a quote, proposal or invoice was last settled", fees_contested)])
