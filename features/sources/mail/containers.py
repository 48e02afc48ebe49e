"""Where mails lie: mbox files, maildirs, folders of single mails, and archives of any of these, told by content.

Messages come one at a time and only as much of each as matters is kept, so that memory does not depend on the size of
a mailbox or of an attachment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path
from typing import IO

from features.histories.columns import Reject
from features.sources.archives import Contents, Opened, any_begins

MESSAGE_BYTES = 2 << 20
"""How much of a message is read; attachments lie beyond."""

_LINE_BYTES = 1 << 20
_KNOWN_FIELDS = frozenset(
    (
        *("from", "to", "cc", "subject", "date", "message-id", "received", "return-path", "sender", "reply-to"),
        *("delivered-to", "mime-version", "references", "in-reply-to", "x-mailer"),
    )
)
_ENOUGH_FIELDS = 2
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:")
_ENVELOPE = re.compile(rb"From .*\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b.*\d\d?:\d\d.*\b(?:19|20)\d\d\b")
_BARE_ENVELOPE = re.compile(rb"From (?:-\s*)?\r?\n?$")
_ESCAPED_FROM = re.compile(rb"^>(>*From )", re.MULTILINE)
_MAIL_NAME = re.compile(r".*\.eml|.*:2,[A-Za-z]*", re.IGNORECASE)
_OUTLOOK = {b"!BDN": "an Outlook data file", b"\xd0\xcf\x11\xe0": "an Outlook message"}


@dataclass(frozen=True, slots=True)
class Piece:
    """A message as it lies there: its file, its number in it (from 1), its first bytes; and how much has been read."""

    file: str
    number: int
    content: bytes
    share: float


class Pieces:
    """The messages of a file or folder; ``rejects`` and ``others`` (files without mail) fill while they are read."""

    def __init__(self, path: Path) -> None:
        self.others: list[str] = []
        self._contents = Contents(path, self._messages)
        self.rejects = self._contents.rejects

    def __iter__(self) -> Iterator[Piece]:
        return iter(self._contents)

    def _messages(self, file: Opened) -> Iterator[Piece]:
        kind = _kind(file.head, file.name)
        if kind == "mbox":
            for number, content in enumerate(_split(file.whole()), start=1):
                yield Piece(file.name, number, content, file.share())
        elif kind == "mail":
            rest = file.rest.read(MESSAGE_BYTES - len(file.head))
            yield Piece(file.name, 1, file.head + rest, file.share())
        elif kind:
            self.rejects.append(Reject(file.name, 0, "", kind, "export the mails as mbox or .eml files"))
        else:
            self.others.append(file.name)


def holds_mail(path: Path) -> bool:
    """Whether a file or folder holds mail: looks into its first files."""
    return any_begins(path, lambda head: _kind(head, "") in ("mbox", "mail"))


def _kind(head: bytes, name: str) -> str:
    """What a file is by its first bytes: mbox, mail, something of Outlook's in words, or '' (no mail)."""
    if _ENVELOPE.match(head) or (_BARE_ENVELOPE.match(head.split(b"\n", 1)[0]) and _mail_fields(head)):
        return "mbox"
    if _mail_fields(head) >= _ENOUGH_FIELDS or _MAIL_NAME.fullmatch(name):
        return "mail"
    return next((words for magic, words in _OUTLOOK.items() if head.startswith(magic)), "")


def _mail_fields(head: bytes) -> int:
    """How many well-known header fields a file begins with."""
    found = set()
    for place, line in enumerate(head.removeprefix(b"\xef\xbb\xbf").splitlines()):
        matched = _FIELD.match(line)
        if matched:
            found.add(matched[1].decode("ascii").lower())
        elif not line.startswith((b" ", b"\t") if place else b"From "):
            break
    return len(found & _KNOWN_FIELDS)


def _split(stream: IO[bytes]) -> Iterator[bytes]:
    """The messages of an mbox, each with the ``From`` line it begins with and at most MESSAGE_BYTES of it.

    A line that begins with "From" in the text of a message does not end it, escaped or not, unless it is like those
    that separate messages.
    """
    lines = iter(lambda: stream.readline(_LINE_BYTES), b"")
    message: list[bytes] = []
    size, blank = 0, True
    for line, following in pairwise(chain(lines, (b"",))):
        if line.startswith(b"From ") and _begins(line, following, blank) and message:
            yield _unescaped(message)
            message, size = [], 0
        if size < MESSAGE_BYTES:
            message.append(line[: MESSAGE_BYTES - size])
            size += len(line)
        blank = not line.strip()
    if message:
        yield _unescaped(message)


def _begins(line: bytes, following: bytes, blank: bool) -> bool:
    dated = _ENVELOPE.match(line)
    return bool(dated or (blank and _BARE_ENVELOPE.match(line) and _FIELD.match(following)))


def _unescaped(message: list[bytes]) -> bytes:
    """A message without the marks before lines that would have looked like separators."""
    content = b"".join(message)
    return _ESCAPED_FROM.sub(rb"\1", content) if b"\n>" in content else content
