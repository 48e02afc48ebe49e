"""What the walk writes down: plain records of small integers, with the words that the codes stand for.

-1 is "nothing recorded" in every field. Times are whole seconds since the start of the simulated window,
contacts count from 1 within their account, rows are named by their place in the list.
"""

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Records = NDArray[np.void]

KINDS = (
    "message",
    "call",
    "meeting",
    "commitment",
    "delivery",
    "gesture",
    "request",
    "mistake",
    "brief",
    "advice",
    "advocacy",
    "introduction",
    "disclosure",
    "mention",
    "fee",
    "feedback",
    "order",
)
(
    MESSAGE,
    CALL,
    MEETING_ROW,
    COMMITMENT,
    DELIVERY_ROW,
    GESTURE_ROW,
    REQUEST,
    MISTAKE_ROW,
    BRIEF_ROW,
    ADVICE_ROW,
    ADVOCACY_ROW,
    INTRODUCTION_ROW,
    DISCLOSURE_ROW,
    MENTION_ROW,
    FEE,
    FEEDBACK,
    ORDER_ROW,
) = range(17)

ACTORS = ("client", "us")
CLIENT, US = range(2)

CHANNELS = ("email", "text", "chat", "social", "letter", "phone", "video", "in_person")
EMAIL, TEXT, CHAT, SOCIAL, LETTER, PHONE, VIDEO, IN_PERSON = range(8)

OUTCOMES = (
    "answered",
    "missed",
    "voicemail",
    "held",
    "cancelled",
    "no_show",
    "rescheduled",
    "kept",
    "broken",
    "open",
    "granted",
    "refused",
    "acted",
    "declined",
    "accepted",
    "argued_down",
    "argued_held",
    "disputed",
    "paid_late",
)
(
    ANSWERED,
    MISSED,
    VOICEMAIL,
    MET,
    CANCELLED,
    NO_SHOW,
    RESCHEDULED,
    KEPT,
    BROKEN,
    OPEN,
    GRANTED,
    REFUSED,
    ACTED,
    DECLINED,
    FEE_ACCEPTED,
    FEE_ARGUED_DOWN,
    FEE_ARGUED_HELD,
    FEE_DISPUTED,
    FEE_PAID_LATE,
) = range(19)

SUBTYPES = (
    "sales",
    "review",
    "delivery",
    "social",
    "help",
    "feedback",
    "reschedule",
    "other",
    "article",
    "research",
    "personal_detail",
    "small_gesture",
    "deadline",
    "content",
    "communication",
    "billing",
    "conduct",
    "reference",
    "testimonial",
    "referral",
    "endorsement",
    "champion",
    "personal",
    "emotional",
    "plain_speech",
    "competitor",
    "supplier_talk",
    "interest",
    "quote",
    "proposal",
    "invoice",
)
SALES, REVIEW, FOR_DELIVERY, FOR_SOCIAL, HELP, ASK_FEEDBACK, ASK_RESCHEDULE, ASK_OTHER = range(8)
ARTICLE, RESEARCH, PERSONAL_DETAIL, SMALL_GESTURE = range(8, 12)
FIRST_MISTAKE, KINDS_OF_MISTAKES = 12, 5
REFERENCE, TESTIMONIAL, REFERRAL, ENDORSEMENT, CHAMPION = range(17, 22)
FIRST_ADVOCACY = REFERENCE
PERSONAL, EMOTIONAL, PLAIN_SPEECH = range(22, 25)
FIRST_DISCLOSURE = PERSONAL
COMPETITOR, SUPPLIER_TALK, INTEREST = range(25, 28)
QUOTE, PROPOSED, INVOICE_SUBTYPE = range(28, 31)

PHASES = ("forming", "shaping", "briefed", "rework")

_SMALL, _SECONDS = "<i2", "<i4"
ROW = np.dtype(
    [
        ("account", _SECONDS),
        ("at", _SECONDS),
        ("recorded", _SECONDS),
        ("due", _SECONDS),
        ("resolved", _SECONDS),
        ("thread", _SECONDS),
        ("reply_to", _SECONDS),
        ("about", _SECONDS),
        *[
            (name, _SMALL)
            for name in (
                "kind",
                "actor",
                "contact",
                "channel",
                "subtype",
                "outcome",
                "auto",
                "prompted",
                "words_class",
                "politeness",
                "minutes_late",
                "level",
                "rating",
                "phase",
                "strategic",
                "senior",
                "prepared",
                "non_verbal",
                "us_present",
                "related_contact",
            )
        ],
    ],
    align=True,
)

DEAL_KINDS = ("new", "renewal", "expansion")
NEW, RENEWAL, ADD_ON = range(3)
DEAL_OUTCOMES = ("won", "lost")
DEAL_WON, DEAL_LOST = range(2)
LOST_REASONS = ("competitor", "price", "service", "no_further_need", "insolvent", "other")
LOST_OTHERWISE = 5
DEAL = np.dtype(
    [
        ("account", _SECONDS),
        ("opened", _SECONDS),
        ("closed", _SECONDS),
        ("starts", _SECONDS),
        ("ends", _SECONDS),
        ("kind", _SMALL),
        ("outcome", _SMALL),
        ("reason", _SMALL),
        ("competitive", _SMALL),
    ]
)

STAGES = ("continuation", "commitment", "convergence")
STAGE_REVIEW = np.dtype([("account", _SECONDS), ("at", _SECONDS), ("stage", _SMALL)])

CAUSES = ("switched", "lapsed", "ended otherwise")
SWITCHED, LAPSED, ENDED_OTHERWISE = range(3)
LEAVING = np.dtype([("account", _SECONDS), ("at", _SECONDS), ("cause", _SMALL), ("state", _SMALL), ("began", _SECONDS)])
"""The moments of loss (`lost_at` for the first two causes), as the walk itself counts them; the hidden state then, and
the day on which the mechanism at work (or the absence of any) began."""

SNAPSHOT = np.dtype(
    [
        ("account", _SECONDS),
        ("day", _SECONDS),
        ("days_to_end", _SMALL),
        ("renewal_open", _SMALL),
        ("state", _SMALL),
        ("began", _SECONDS),
    ]
)
"""An account at risk at a midnight: what is hidden (state, and the day the mechanism at work began) and what its
contract says."""
