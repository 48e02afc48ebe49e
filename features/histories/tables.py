"""The canonical tables: every column with its meaning and what it may hold, and the vocabularies.

All that reads, checks, stores or documents a table follows from the definitions below.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa

from features.histories.checks import check_records, settle_records
from features.histories.columns import Column, Finding, Reject, Rule, Table

__all__ = [
    "ACCOUNTS",
    "ACTORS",
    "ALLOWED_BY_KIND",
    "CHANNELS",
    "CONTACTS",
    "DEALS",
    "DEAL_KINDS",
    "DEAL_OUTCOMES",
    "INTERACTIONS",
    "KINDS",
    "LOST_REASONS",
    "OUTCOMES",
    "PHASES",
    "STAGES",
    "STAGE_REVIEWS",
    "SUBTYPES",
    "TABLES",
    "Column",
    "Dataset",
    "Reject",
    "Table",
    "Tables",
    "check_records",
    "settle_records",
]

ACTORS = ("client", "us")
CHANNELS = ("email", "phone", "text", "chat", "video", "in_person", "social", "letter")
PHASES = ("forming", "shaping", "briefed", "rework")
DEAL_KINDS = ("new", "renewal", "expansion")
DEAL_OUTCOMES = ("won", "lost", "open")
LOST_REASONS = ("competitor", "price", "service", "no_further_need", "spread_work", "insolvent", "other")
STAGES = ("courting", "contract", "continuation", "commitment", "convergence")

_WRITTEN = ("email", "text", "chat", "social", "letter")
_NOTHING: tuple[str, ...] = ()

ALLOWED_BY_KIND: Mapping[str, Mapping[str, tuple[str | int, ...]]] = {
    "message": {"channel": _WRITTEN, "subtype": ("sales",)},
    "call": {
        "channel": ("phone", "video"),
        "subtype": ("sales",),
        "outcome": ("answered", "missed", "voicemail"),
    },
    "meeting": {
        "channel": ("phone", "video", "in_person"),
        "subtype": ("review", "sales", "delivery", "social"),
        "outcome": ("held", "cancelled", "no_show", "rescheduled"),
    },
    "commitment": {"outcome": ("kept", "broken", "open")},
    "request": {
        "subtype": ("help", "feedback", "reschedule", "other"),
        "outcome": ("granted", "refused", "open"),
    },
    "advice": {"outcome": ("acted", "declined", "open")},
    "brief": {},
    "delivery": {},
    "feedback": {},
    "fee": {
        "subtype": ("quote", "proposal", "invoice"),
        "outcome": ("accepted", "argued_down", "argued_held", "disputed", "paid_late", "open"),
    },
    "mistake": {
        "actor": ("us",),
        "subtype": ("deadline", "content", "communication", "billing", "conduct", "other"),
        "level": (1, 2, 3),
    },
    "advocacy": {"subtype": ("reference", "testimonial", "referral", "endorsement", "champion")},
    "introduction": {},
    "gesture": {"subtype": ("article", "research", "personal_detail", "small_gesture")},
    "disclosure": {"subtype": ("personal", "emotional", "plain_speech")},
    "mention": {"subtype": ("competitor", "supplier_talk", "interest")},
    "order": {},
}
"""What each kind of interaction allows where that is less than the column does.

A kind that names no subtype or outcome has none: the field must be empty. Channel, actor and level are free unless
named.
"""

KINDS = tuple(ALLOWED_BY_KIND)


def _union(column: str) -> tuple[str, ...]:
    named = [str(value) for kind in ALLOWED_BY_KIND.values() for value in kind.get(column, _NOTHING)]
    return tuple(dict.fromkeys(named))


SUBTYPES = _union("subtype")
OUTCOMES = _union("outcome")


def _by_kind(column: str) -> dict[str, tuple[frozenset[str | int], str]]:
    """For each kind that limits the column: the allowed values, and the same in words."""
    closed = column in ("subtype", "outcome")
    limits = {}
    for kind, columns in ALLOWED_BY_KIND.items():
        if closed or column in columns:
            values = columns.get(column, _NOTHING)
            words = "one of " + ", ".join(map(str, values)) if values else "empty"
            limits[kind] = (frozenset(values), f"{words} where kind is {kind}")
    return limits


_LIMITED = ("actor", "subtype", "channel", "outcome", "level")
_LIMITS = {column: _by_kind(column) for column in _LIMITED}
_LIMITS_OF = {
    kind: tuple((column, *limits[kind]) for column, limits in _LIMITS.items() if kind in limits) for kind in KINDS
}


def _broken_by_kind(row: Mapping[str, Any]) -> list[Finding]:
    found = []
    for column, values, words in _LIMITS_OF[row["kind"]]:
        if column in row and row[column] not in values:
            found.append((column, words))
    return found


def _broken_deal(row: Mapping[str, Any]) -> list[Finding]:
    found = []
    closed = row.get("closed_at")
    if row.get("outcome") in ("won", "lost"):
        if closed is None:
            found.append(("closed_at", "the date on which it was won or lost (required with that outcome)"))
    elif closed is not None:
        found.append(("closed_at", "empty unless outcome is won or lost"))
    if closed is not None and closed < row["opened_at"]:
        found.append(("closed_at", "at or after opened_at"))
    starts, ends = row.get("starts_on"), row.get("ends_on")
    if starts is not None and ends is not None and ends <= starts:
        found.append(("ends_on", "later than starts_on"))
    return found


_ACCOUNT_ID = Column("account_id", "id", "the client organisation", required=True)
_RECORDED_AT = Column(
    "recorded_at", "time", "when the row reached the records; from then on it may be used (empty: when it happened)"
)
_UPDATED_AT = Column("updated_at", "time", "when the row was last changed; a later one is a new version of it")
_OUTCOME_RECORDED_AT = "when the outcome reached the records; before that it is still open (empty: "
_VALID_FROM = Column("valid_from", "time", "since when these values hold (empty: since ever)")
_CREATED_AT = Column("created_at", "time", "when the records on it begin")
_MONEY = 0.0

ACCOUNTS = Table(
    "accounts",
    (
        _ACCOUNT_ID,
        Column("name", "text", "name for reports"),
        Column("industry", "text", "line of business"),
        Column("country", "text", "country"),
        Column("owner", "text", "our director responsible"),
        Column("potential", "float", "money a year that it could bring", minimum=_MONEY),
        Column("wallet", "float", "our share of what it spends on such services", minimum=0, maximum=1),
        Column("retain", "bool", "one we want to keep"),
        _CREATED_AT,
        _VALID_FROM,
        _RECORDED_AT,
        _UPDATED_AT,
    ),
    key="account_id",
    meaning="The client organisations. Rows of one account with different `valid_from` are its values over time.",
    identity=("valid_from",),
    known=("updated_at", "recorded_at"),
    order=("account_id", "valid_from"),
)

CONTACTS = Table(
    "contacts",
    (
        Column("contact_id", "id", "the person", required=True),
        _ACCOUNT_ID,
        Column("name", "text", "name for reports"),
        Column("email", "text", "mail address"),
        Column("seniority", "int", "1 junior, 2 specialist, 3 manager, 4 director, 5 executive", minimum=1, maximum=5),
        Column("decision_maker", "bool", "decides on buying from us"),
        Column("interests", "text", "interests, separated by `;`"),
        Column("time_zone", "text", "time zone, such as Europe/Berlin"),
        _CREATED_AT,
        _VALID_FROM,
        _RECORDED_AT,
        _UPDATED_AT,
    ),
    key="contact_id",
    meaning="The people on the client's side, with values over time as for accounts.",
    identity=("valid_from",),
    known=("updated_at", "recorded_at"),
    order=("account_id", "contact_id", "valid_from"),
)

INTERACTIONS = Table(
    "interactions",
    (
        Column("interaction_id", "id", "the event", required=True),
        _ACCOUNT_ID,
        Column("at", "time", "when it happened; of a meeting its scheduled start", required=True),
        Column("kind", "category", "what it is", required=True, allowed=KINDS),
        Column("actor", "category", "who wrote, called, promised, asked, erred", required=True, allowed=ACTORS),
        Column("contact_id", "id", "the person on the client's side"),
        _RECORDED_AT,
        Column("subtype", "category", "finer kind", allowed=SUBTYPES),
        Column("topic", "text", "what it was about"),
        Column("channel", "category", "the way it took", allowed=CHANNELS),
        Column("thread_id", "id", "the conversation it belongs to"),
        Column("reply_to", "id", "the interaction it answers"),
        Column("about_id", "id", "the interaction it annotates"),
        Column("auto", "bool", "an automatic reply or mass mail: never a touch"),
        Column("prompted", "bool", "the other side had asked for it"),
        Column("words", "int", "words written", minimum=0, maximum=10_000_000),
        Column("text", "text", "the words themselves"),
        Column("due_at", "time", "when it was due"),
        Column("resolved_at", "time", "when it ended: kept, answered, delivered, cancelled, put right, thanked"),
        Column("outcome", "category", "how it ended", allowed=OUTCOMES),
        Column("outcome_recorded_at", "time", _OUTCOME_RECORDED_AT + "`resolved_at`)"),
        Column("amount", "float", "money asked, or of an order", minimum=_MONEY),
        Column("amount_agreed", "float", "money agreed in the end", minimum=_MONEY),
        Column("minutes", "float", "how long it lasted", minimum=0, maximum=100_000),
        Column("minutes_late", "float", "how late the client came", minimum=0, maximum=100_000),
        Column(
            "level",
            "int",
            "of a brief: complexity 1 to 5; of feedback: directness 1 to 5; of a mistake: severity 1 to 3",
            minimum=1,
            maximum=5,
        ),
        Column("rating", "float", "how good our work was", minimum=0, maximum=10),
        Column("phase", "category", "how early a brief called us in", allowed=PHASES),
        Column("strategic", "bool", "a brief of strategic weight"),
        Column("senior", "bool", "a brief that put us before the client's bosses"),
        Column("prepared", "bool", "a meeting prepared with research on the client"),
        Column("non_verbal", "int", "body language in a meeting: -1 bad, 0 neutral, 1 good", minimum=-1, maximum=1),
        Column(
            "politeness",
            "float",
            "how polite, warm, grateful and equal a touch is, 0 to 1, as scored by who or what reads it",
            minimum=0,
            maximum=1,
        ),
        Column("us_present", "bool", "we were there when the client spoke for us"),
        Column("related_contact_id", "id", "the person we were introduced to"),
        Column("related_account_id", "id", "the prospect referred to us"),
        Column("our_contact_id", "id", "who of us"),
        Column("source", "id", "which kind of system told of it: `mail`, `calendar`, `CRM export`, one of yours"),
        Column(
            "shared_id", "id", "what every system that tells of it calls it: of a mail its Message-ID (as a digest)"
        ),
        _UPDATED_AT,
    ),
    key="interaction_id",
    meaning="One row for each event between the client and us.",
    known=("updated_at", "recorded_at", "at"),
    order=("account_id", "at"),
    rules=(Rule(("kind", *_LIMITED), _broken_by_kind),),
)

DEALS = Table(
    "deals",
    (
        Column("deal_id", "id", "the deal", required=True),
        _ACCOUNT_ID,
        Column("opened_at", "time", "when it was opened", required=True),
        Column("kind", "category", "what it is", allowed=DEAL_KINDS),
        Column("outcome", "category", "how it ended", allowed=DEAL_OUTCOMES),
        Column("closed_at", "time", "when it was won or lost; given if and only if it was"),
        _RECORDED_AT,
        Column("outcome_recorded_at", "time", _OUTCOME_RECORDED_AT + "`closed_at`)"),
        Column("amount", "float", "money of the whole contract", minimum=_MONEY),
        Column("margin", "float", "money it leaves to us"),
        Column("concession", "float", "share of the price we gave up", minimum=0, maximum=1),
        Column("client_concession", "float", "share the client gave up", minimum=0, maximum=1),
        Column("goal_met", "bool", "the client got what it wanted"),
        Column("starts_on", "time", "first day of the contract"),
        Column("ends_on", "time", "end of the contract; later than starts_on"),
        Column("competitive", "bool", "others were asked too"),
        Column("lost_to", "text", "who won instead"),
        Column("lost_reason", "category", "why it was lost", allowed=LOST_REASONS),
        Column("owner", "text", "our director responsible"),
        _UPDATED_AT,
    ),
    key="deal_id",
    meaning="Contracts won, lost and open.",
    known=("updated_at", "recorded_at", "opened_at"),
    order=("account_id", "opened_at"),
    rules=(Rule(("outcome", "opened_at", "closed_at", "starts_on", "ends_on"), _broken_deal),),
)

STAGE_REVIEWS = Table(
    "stage_reviews",
    (
        _ACCOUNT_ID,
        Column("at", "time", "when the judgement was made", required=True),
        Column("stage", "category", "the stage of the relationship", required=True, allowed=STAGES),
        Column("reviewer", "text", "who judged"),
        _RECORDED_AT,
        _UPDATED_AT,
    ),
    key=None,
    meaning="A director's judgement of the stage and its date (optional).",
    known=("updated_at", "recorded_at", "at"),
    order=("account_id", "at"),
)

TABLES = {table.name: table for table in (ACCOUNTS, CONTACTS, INTERACTIONS, DEALS, STAGE_REVIEWS)}


Direction = Literal["up", "down"]
"""Which way is better."""


@dataclass(frozen=True)
class Dataset:
    """What a data set (or a request) declares of itself. Times are UTC seconds; None is "not declared".

    ``observed_until_by`` holds the end of observation of single accounts where it differs from ``observed_until``.
    ``records`` are the kinds of interaction recorded: a count of zero is a fact only of these. ``static`` are ``x_``
    columns of accounts that never change, though they carry no dates, ``directions`` say of ``x_`` columns which way is
    better ("up" or "down"). ``versioned`` (the tables that hold several versions of a thing), ``span`` (first and last
    moment recorded) and ``sha256`` (of the contents) are worked out by the import.
    """

    observed_from: int | None = None
    observed_until: int | None = None
    observed_until_by: Mapping[str, int] = field(default_factory=dict)
    records: frozenset[str] | None = None
    static: frozenset[str] = frozenset()
    directions: Mapping[str, Direction] = field(default_factory=dict)
    simulated: bool = False
    versioned: frozenset[str] = frozenset()
    span: tuple[int, int] | None = None
    sha256: str = ""


@dataclass(frozen=True)
class Tables:
    """The canonical tables of a data set, each in canonical order, the user's own columns after the canonical ones.

    Own columns are float64, or categories (``dictionary(int32, string)``). Tables not read are empty.
    """

    accounts: pa.Table
    contacts: pa.Table
    interactions: pa.Table
    deals: pa.Table
    stage_reviews: pa.Table
    dataset: Dataset
