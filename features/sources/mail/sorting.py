"""Which mails nobody wrote to anybody: automatic replies, delivery reports, newsletters, lists and spam.

They are kept apart, each with the field or word that gave it away. Sources: RFC 3834 (automatic answers), RFC 3464 and
8098 (delivery and reading reports), RFC 2919 and 2369 (lists), RFC 8058 (leaving a mailing in one click), and fields
without a standard that are common all the same (Precedence, X-Autoreply, X-Loop).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from features.sources.mail.messages import Fields, decoded
from features.sources.parties import Parties

INVITATION = ("calendar invitation", "text/calendar")
"""Meetings come in by the calendar."""
LEAVING = ("newsletter", "its words")
"""Told by words that only mass mail says."""

_LEAVING = frozenset(
    ("unsubscribe", "unsubscribed", "abbestellen", "désabonner", "désinscrire", "disiscriverti", "uitschrijven")
)

_AUTOMATIC_FIELDS = ("x-autoreply", "x-autorespond", "x-autoresponse", "x-ms-exchange-inbox-rules-loop")
_AUTOMATIC_SUBJECT = re.compile(
    r"(?:auto(?:matic|mated|matische)?[ -]?(?:reply|response|antwort)|out of (?:the )?office"
    r"|away from (?:the |my )?office|abwesenheitsnotiz|réponse automatique|respuesta automática|risposta automatica"
    r"|automatisch antwoord|autosvar)(?: (?:auto[ -]?)?(?:reply|response|message|notification))?\s*(?::|$)",
    re.IGNORECASE,
)
_REPORT_SENDER = re.compile(r"(?:mailer-daemon|postmaster|mail-daemon|mdaemon)@")
_REPORT_SUBJECT = re.compile(
    r"(?:undeliver(?:able|ed)|delivery (?:status notification|failure|has failed)|mail delivery (?:failed|system)"
    r"|returned mail|failure notice|unzustellbar)\b",
    re.IGNORECASE,
)
_NOBODY = re.compile(r"(?:no[-_.]?reply|do[-_.]?not[-_.]?reply)[^@]*@")
_MAILING_SENDER = re.compile(r"(?:news|newsletters?|mailings?)@")
_MAILING_FIELDS = ("list-unsubscribe", "list-unsubscribe-post", "x-campaign", "x-campaignid")
_LIST_FIELDS = ("list-post", "x-mailing-list", "mailing-list", "x-beenthere", "x-mailman-version", "list-archive")
_LIST_SENDER = re.compile(r"owner-|.*-(?:request|bounces)@")
_MAILTO = re.compile(r"mailto:([^>?\s]+)", re.IGNORECASE)
_DRAFT_NAME = re.compile(r".*:2,[A-Z]*D[A-Z]*")


def kept_apart(fields: Fields, sender: str, file: str, parties: Parties) -> tuple[str, str] | None:
    """What a mail is that nobody wrote to anybody, and what tells; None if it is an ordinary one.

    A list of our own (as shared mailboxes are) is no list but a way to reach us.
    """
    subject = decoded(fields.first("subject"))
    labels = fields.first("x-gmail-labels").lower().split(",")
    if _DRAFT_NAME.fullmatch(file) or "drafts" in labels:
        return "draft", "a draft's flag"
    if fields.first("x-spam-flag").lower() == "yes" or fields.first("x-spam-status").lower().startswith("yes"):
        return "spam", "X-Spam-Flag"
    if "spam" in labels:
        return "spam", "X-Gmail-Labels"
    if fields.first("content-type").lower().startswith("multipart/report"):
        return "delivery report", "multipart/report"
    if _REPORT_SENDER.match(sender):
        return "delivery report", "the sender's name"
    if "return-path" in fields and fields.first("return-path") in ("", "<>") and _REPORT_SUBJECT.match(subject):
        return "delivery report", "its subject"
    return _automatic(fields, sender, subject) or _to_many(fields, sender, parties)


def mentions_leaving(blocks: Iterable[list[str]]) -> bool:
    """Whether blocks of words say how to leave a mailing."""
    return any(word in _LEAVING for block in blocks for word in block)


def _automatic(fields: Fields, sender: str, subject: str) -> tuple[str, str] | None:
    submitted = fields.first("auto-submitted").lower()
    if submitted and not submitted.startswith("no"):
        return "automatic mail", "Auto-Submitted"
    if fields.first("precedence").lower() == "auto_reply":
        return "automatic mail", "Precedence"
    for name in _AUTOMATIC_FIELDS:
        if name in fields:
            return "automatic mail", name
    if _AUTOMATIC_SUBJECT.match(subject):
        return "automatic mail", "its subject"
    if fields.first("content-type").lower().startswith("text/calendar") or "calendarmessage" in fields.first(
        "content-class"
    ):
        return INVITATION
    return ("automatic mail", "the sender's name") if _NOBODY.match(sender) else None


def _to_many(fields: Fields, sender: str, parties: Parties) -> tuple[str, str] | None:
    if any(parties.owns(name) for name in _list_names(fields)):
        return None
    precedence = fields.first("precedence").lower()
    for name in _LIST_FIELDS:
        if name in fields and fields.first(name).lower() != "no":
            return "list", name
    if precedence == "list":
        return "list", "Precedence"
    if any(_LIST_SENDER.match(one.address) for one in fields.addresses("sender", "x-sender")):
        return "list", "Sender"
    for name in (*_MAILING_FIELDS, "list-id"):
        if name in fields:
            return "newsletter", name
    if precedence in ("bulk", "junk"):
        return "newsletter", "Precedence"
    return ("newsletter", "the sender's name") if _MAILING_SENDER.match(sender) else None


def _list_names(fields: Fields) -> list[str]:
    """Names and addresses of the lists that a mail came over."""
    ids = [one.rpartition("<")[2].strip("> ") for one in fields.each("list-id")]
    posts = _MAILTO.findall(" ".join(fields.each("list-post")))
    return [*ids, *posts, *(one.address for one in fields.addresses("x-beenthere", "x-mailing-list", "mailing-list"))]
