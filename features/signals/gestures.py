"""P3b and P3c: small gestures, and what they make of the people at the client (document 004)"""

from __future__ import annotations

from functools import partial

import numpy as np

from features import settings
from features.facts import Facts, facts
from features.figures import Text, event_rate, known, none_means_zero, ratio, windowed
from features.frame import SPANS, Frame
from features.histories.history import code
from features.histories.log import DAY, rows_where
from features.histories.tables import INTERACTIONS
from features.indicators import REGISTRY, Figure
from features.signals.answered import answered
from features.signals.dialogue import in_sales_phase
from features.signals.responsiveness import first_attempts
from features.signals.silence import client_touches
from features.signals.value_added import gestures
from features.windows import crowds

P3B = REGISTRY.signal(
    "P3b",
    "small gestures",
    "Whether we do the client small kindnesses, of whatever sort, all through the year",
    "004",
)
P3C = REGISTRY.signal(
    "P3c",
    "ambassadors",
    "Whether people at the client speak for us to their own management, or at least listen to us when we sell",
    "004",
)

(_ADVOCACY,) = code(INTERACTIONS, "kind", "advocacy")
(_CHAMPION,) = code(INTERACTIONS, "subtype", "champion")


answered_gestures = partial(answered, gestures)


def champions(frame: Frame) -> Facts:
    """Each time that someone spoke for us to the client's management; the value tells the account's people apart."""
    log = frame.history.interactions
    rows = rows_where((log["kind"] == _ADVOCACY) & (log["subtype"] == _CHAMPION))
    person = log.segment[rows].astype(np.int64) << 32 | (log["contact_id"][rows] + 1)
    people, number = np.unique(person, return_inverse=True)
    first = np.searchsorted(people, log.segment[rows].astype(np.int64) << 32)
    return facts(frame.history.segments, log.segment[rows], log["at"][rows], number - first)


def _ambassadors(frame: Frame) -> Figure:
    """How many spoke for us; who is not named counts as one."""

    def compute() -> Figure:
        acts = frame.facts(champions)
        most = int(acts.value.max(initial=-1)) + 1
        count, people, _ = crowds(acts.start, acts.at, acts.value, frame.segment, frame.as_of, SPANS, most)
        told = (count > 0) | none_means_zero(frame, ("advocacy",))
        days = frame.observed_seconds() // DAY
        return known(np.where(told, people, np.nan), days, settings.MINIMUM_OBSERVED_DAYS)

    return frame.once("ambassadors", compute)


def attempts_in_sales(frame: Frame) -> Facts:
    """1 where an outreach decided in a sales phase was answered before we tried again, else 0."""
    attempts = frame.facts(first_attempts)
    inside = in_sales_phase(frame, attempts.segment, attempts.at)
    return facts(frame.history.segments, attempts.segment[inside], attempts.at[inside], attempts.value[inside])


def _attention_in_sales(frame: Frame) -> Figure:
    """Stands in where no ambassador is known."""
    sums = frame.sums(attempts_in_sales)
    none = ~(_ambassadors(frame).value > 0)
    return known(np.where(none, ratio(sums.total, sums.count), np.nan), sums.count, settings.MINIMUM_OBSERVATIONS)


REGISTRY.add(
    event_rate(
        P3B,
        Text(
            "small_gestures",
            "Small kindnesses of ours in a year that the client answered: articles, research, personal details, others",
            "gestures answered within 30 days (at most two per touch of the client) × 365 / days observed",
            "per year",
        ),
        answered_gestures,
        kinds=("gesture",),
        better="up",
        mark=">=",
        answered_by=client_touches,
    )
)
REGISTRY.add(
    windowed(
        P3C,
        Text(
            "ambassadors",
            "Number of people at the client who spoke for us to their own management",
            "distinct contacts with advocacy `champion`",
            "contacts",
        ),
        _ambassadors,
        better="up",
        mark=">=",
        minimum=settings.MINIMUM_OBSERVED_DAYS,
        evidence_unit="observed days",
        trend=None,
    )
)
REGISTRY.add(
    windowed(
        P3C,
        Text(
            "attention_in_sales",
            "Share of our first attempts answered while we sell or renew, where nobody speaks for us",
            "outreaches answered at the first attempt / decided, in sales phases; unknown beside an ambassador",
            "share",
        ),
        _attention_in_sales,
        better="up",
        mark=">=",
        evidence_unit="outreaches",
        high=1.0,
        trend=None,
    )
)
