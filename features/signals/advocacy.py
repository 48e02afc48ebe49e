"""G5 and G7: do they speak for us: as a reference, by referring others, in public? (document 000)"""

from __future__ import annotations

import numpy as np

from features import settings, windows
from features.facts import Facts, facts
from features.figures import Text, event_rate, none_means_zero, since, single
from features.frame import PLACE, Frame
from features.histories.annotations import unprompted
from features.histories.conversations import conversations
from features.histories.history import code
from features.histories.log import DAY, Array, among, rows_where
from features.histories.tables import INTERACTIONS
from features.indicators import REGISTRY, Figure
from features.signals.commitments import CLIENT_ACTOR

G5A = REGISTRY.signal(
    "G5a",
    "references given",
    "How often the client serves as a reference for us or gives us a testimonial",
    "000",
)
G5B = REGISTRY.signal(
    "G5b",
    "proactive referrals",
    "How often the client sends us a prospect without being asked: it believes in us",
    "000",
)
G7 = REGISTRY.signal(
    "G7",
    "unprompted endorsements",
    "How often the client praises us in public though nobody asked, best of all while we are not there: the strongest "
    "sign of all, above all if it goes on",
    "000",
)

(_ADVOCACY,) = code(INTERACTIONS, "kind", "advocacy")
_REFERENCE, _TESTIMONIAL, _REFERRAL, _ENDORSEMENT = code(
    INTERACTIONS, "subtype", "reference", "testimonial", "referral", "endorsement"
)
_KINDS = ("advocacy",)


def _spoken_for_us(frame: Frame, *subtypes: int) -> Array:
    """The rows in which the client spoke for us in one of these ways."""
    log = frame.history.interactions
    by_client = (log["kind"] == _ADVOCACY) & (log["actor"] == CLIENT_ACTOR)
    return rows_where(by_client & among(log["subtype"], subtypes))


def _unasked(frame: Frame, subtype: int) -> Array:
    rows = _spoken_for_us(frame, subtype)
    return rows[unprompted(frame.history, frame.derived(conversations), rows)] if len(rows) else rows


def _at_rows(frame: Frame, rows: Array) -> Facts:
    log = frame.history.interactions
    return facts(frame.history.segments, log.segment[rows], log["at"][rows])


def references(frame: Frame) -> Facts:
    """Every reference and testimonial."""
    return _at_rows(frame, _spoken_for_us(frame, _REFERENCE, _TESTIMONIAL))


def unasked_referrals(frame: Frame) -> Facts:
    """Every prospect referred unasked."""
    return _at_rows(frame, _unasked(frame, _REFERRAL))


def unprompted_endorsements(frame: Frame) -> Facts:
    """Every public endorsement that nobody asked for."""
    return _at_rows(frame, _unasked(frame, _ENDORSEMENT))


def _endorsements_where(frame: Frame, us_present: int) -> Facts:
    rows = _unasked(frame, _ENDORSEMENT)
    return _at_rows(frame, rows[frame.history.interactions["us_present"][rows] == us_present])


def endorsements_without_us(frame: Frame) -> Facts:
    """Every unprompted endorsement made while we were not there."""
    return _endorsements_where(frame, 0)


def endorsements_of_unknown_company(frame: Frame) -> Facts:
    """Every unprompted endorsement of which nobody noted whether we were there."""
    return _endorsements_where(frame, -1)


_QUARTERS = settings.QUARTER * np.arange(1, settings.CONTINUING_QUARTERS + 1)


def _continuing(frame: Frame) -> Figure:
    """How many of the last quarters had an endorsement; none is zero on the same terms as for the rate."""
    made = frame.facts(unprompted_endorsements)
    count, _, _ = windows.sums(made.start, made.at, made.value, frame.segment, frame.as_of, _QUARTERS)
    quarters = (np.diff(count, axis=0, prepend=0) > 0).sum(axis=0)
    observed = frame.observed_seconds()[PLACE["all"]]
    told = (observed >= settings.MINIMUM_OBSERVED_DAYS * DAY) & ((quarters > 0) | none_means_zero(frame, _KINDS))
    return Figure(np.where(told, quarters, np.nan), observed // DAY)


REGISTRY.add(
    event_rate(
        G5A,
        Text(
            "references_given",
            "References and testimonials that the client gave for us, per year",
            "references and testimonials × 365 / days observed",
            "per year",
        ),
        references,
        kinds=_KINDS,
        longer=True,
        better="up",
        mark=">=",
    )
)
REGISTRY.add([since(G5A, "reference", "the client last gave a reference or testimonial", references, better="down")])
REGISTRY.add(
    event_rate(
        G5B,
        Text(
            "proactive_referrals",
            "Prospects that the client referred to us unasked, per year",
            "unprompted referrals × 365 / days observed",
            "per year",
        ),
        unasked_referrals,
        kinds=_KINDS,
        longer=True,
        better="up",
        mark=">=",
    )
)
REGISTRY.add(
    [since(G5B, "unasked_referral", "the client last referred a prospect unasked", unasked_referrals, better="down")]
)
REGISTRY.add(
    event_rate(
        G7,
        Text(
            "unprompted_endorsements",
            "Public endorsements by the client that nobody asked for, per year",
            "unprompted endorsements × 365 / days observed",
            "per year",
        ),
        unprompted_endorsements,
        kinds=_KINDS,
        longer=True,
        better="up",
        mark=">=",
    )
)
REGISTRY.add(
    event_rate(
        G7,
        Text(
            "endorsements_without_us",
            "Public praise that nobody asked for, given while we were not there, per year",
            "unprompted endorsements made in our absence × 365 / days observed",
            "per year",
        ),
        endorsements_without_us,
        kinds=_KINDS,
        better="up",
        untold=endorsements_of_unknown_company,
    )
)
REGISTRY.add(
    [
        single(
            G7,
            Text(
                "continuing",
                "Number of the last eight quarters in which the client endorsed us unprompted",
                "quarters of 365/4 days, among the eight before t, with an unprompted endorsement",
                "quarters",
            ),
            _continuing,
            better="up",
            mark=">=",
            minimum=settings.MINIMUM_OBSERVED_DAYS,
            evidence_unit="observed days",
            high=settings.CONTINUING_QUARTERS,
        ),
        since(G7, "endorsement", "the client last endorsed us unprompted", unprompted_endorsements, better="down"),
    ]
)
