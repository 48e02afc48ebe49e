"""One mail's bytes → what it says: its header fields, addresses and text, whatever is broken about them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.parser import BytesHeaderParser, BytesParser
from email.utils import getaddresses
from functools import lru_cache
from hashlib import blake2b
from html.parser import HTMLParser

from features.sources.parties import Address, is_address

LONGEST_TEXT = 200_000
"""Characters of a text, or of the HTML of one, that are read."""
LONGEST_FIELD = 64_000
"""Characters of a header field that are read."""
MOST_PARENTS = 50
"""Ids of mails above a mail that are kept."""
DEEPEST = 20
"""Parts within parts."""

_ID = re.compile(r"<([^<>\s]{1,998})>")
_OBSCURED = re.compile(r"^\s*([^\s@<]+) at ([^\s@<]+\.[^\s@<]+)(?=\s|$)")
_FOLD = re.compile(r"\s+")
_BODY = re.compile(rb"\r?\n\r?\n")
_WHITE = re.compile(rb"\s+")
_ALIASES = {"us-ascii": "utf-8", "ascii": "utf-8", "iso-8859-1": "cp1252", "latin-1": "cp1252", "gb2312": "gb18030"}
_NO_CHARSETS = frozenset(("idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape", "unicode-escape"))
_LINE_TAGS = frozenset(("p", "div", "br", "tr", "li", "hr", "h1", "h2", "h3", "h4", "ul", "ol", "table", "pre"))
_SILENT_TAGS = frozenset(("script", "style", "title"))


@dataclass(slots=True)
class Fields:
    """A mail's header: values by field name in small letters, as they stand there; the line before it in an mbox."""

    values: dict[str, list[str]] = field(default_factory=dict)
    envelope: str = ""

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def first(self, name: str) -> str:
        """The first value of a field as text, '' if there is none."""
        values = self.values.get(name)
        return _readable(values[0]) if values else ""

    def each(self, name: str) -> list[str]:
        """All values of a field as text."""
        return [_readable(value) for value in self.values.get(name, [])]

    def ids(self, name: str) -> list[str]:
        """The message ids that a field names, in their order."""
        return _ID.findall(" ".join(self.values.get(name, [])))

    def parents(self) -> tuple[str, ...]:
        """The ids of the mails that a mail answers, the nearest last.

        In-Reply-To may hold addresses in the form of ids beside the parent's.
        """
        above, named = self.ids("references"), self.ids("in-reply-to")
        if named:
            parent = next((one for one in reversed(named) if one in above), named[-1])
            above = [*(above[: above.index(parent)] if parent in above else above), parent]
        return tuple(above[-MOST_PARENTS:])

    def addresses(self, *names: str) -> list[Address]:
        """The addresses that fields name, each once, in their order."""
        found: dict[str, Address] = {}
        for name in names:
            for value in self.values.get(name, []):
                for one in _addresses(value):
                    found.setdefault(one.address, one)
        return list(found.values())


@lru_cache(maxsize=4096)
def _addresses(value: str) -> list[Address]:
    """The addresses in a header value; also as public archives write them, ``ann at example.org (Ann Berg)``."""
    try:
        parsed = getaddresses([_OBSCURED.sub(r"\1@\2", _readable(value))])
    except RecursionError:  # comments within comments within comments
        return []
    found = ((text.strip("'\"<> .").lower(), name) for name, text in parsed)
    return [Address(one, decoded(name).strip("'\" ")) for one, name in found if is_address(one)]


def read_fields(content: bytes) -> Fields:
    """The header of a mail."""
    end = _BODY.search(content)
    parsed = BytesHeaderParser().parsebytes(content[: end.end()] if end else content)
    fields = Fields(envelope=parsed.get_unixfrom() or "")
    for name, value in parsed.raw_items():
        fields.values.setdefault(name.lower(), []).append(str(value)[:LONGEST_FIELD])
    return fields


def content_digest(content: bytes, fields: Fields) -> bytes:
    """What two copies of one mail share: who wrote what to whom and when, however it was folded and delivered."""
    digest = blake2b(digest_size=16)
    for name in ("from", "to", "cc", "date", "subject"):
        digest.update(f"{name}:{_FOLD.sub(' ', ''.join(fields.values.get(name, [])))}\n".encode(errors="replace"))
    end = _BODY.search(content)
    digest.update(_WHITE.sub(b" ", content[end.end() :].strip()) if end else b"")
    return digest.digest()


def decoded(text: str) -> str:
    """A header value as it is to be read: encoded words and bare bytes of any charset as characters."""
    text = _readable(text)
    if "=?" not in text:
        return text
    try:
        parts = decode_header(text)
    except (HeaderParseError, ValueError):
        return text
    read = (part if isinstance(part, str) else text_of_bytes(part, charset or "ascii") for part, charset in parts)
    return _FOLD.sub(" ", "".join(read)).strip()


def _readable(text: str) -> str:
    """Header text without folds, and with its bare bytes read."""
    if not text.isascii():
        text = text_of_bytes(text.encode("utf-8", "surrogateescape"), "utf-8")
    return _FOLD.sub(" ", text).strip()


def text_of_bytes(data: bytes, charset: str) -> str:
    """Bytes in a charset that may be unknown or not the one declared, as text without undefined characters.

    >>> text_of_bytes(b"Gr\\xfc\\xdfe", "utf-8"), text_of_bytes(b"Gr\\xc3\\xbc\\xc3\\x9fe", "x-unknown")
    ('Grüße', 'Grüße')
    """
    charset = charset.lower().strip()
    for name in (_ALIASES.get(charset, charset), "utf-8"):
        if name in _NO_CHARSETS:
            continue
        try:
            return data.decode(name)
        except (LookupError, ValueError):
            continue
    return data.decode("cp1252", errors="replace")


@dataclass(frozen=True, slots=True)
class Body:
    """The text of a mail, and whether it carries a calendar's invitation or answer."""

    text: str
    calendar: bool = False


def read_body(content: bytes) -> Body:
    """The text of a mail: its plain text, else its HTML with quotes marked by ``> ``; attachments are left out."""
    try:
        parts = list(_parts(BytesParser().parsebytes(content), 0))
    except RecursionError:  # parts within parts within parts
        return Body("")
    calendar = any(part.get_content_type() == "text/calendar" for part in parts)
    for wanted in ("text/plain", "text/html"):
        for part in parts:
            if part.get_content_type() == wanted:
                text = _decoded_part(part)
                text = _text_of_html(text) if wanted == "text/html" else text
                if text.strip():
                    return Body(text.replace("\0", ""), calendar)
    return Body("", calendar)


def _parts(message: Message, depth: int) -> Iterator[Message]:
    """The text parts of a mail that are no attachments, nor within attached mails."""
    if message.get_content_maintype() == "multipart":
        payload = message.get_payload()
        for part in payload if isinstance(payload, list) and depth < DEEPEST else ():
            if isinstance(part, Message):
                yield from _parts(part, depth + 1)
    elif message.get_content_maintype() == "text" and message.get_content_disposition() != "attachment":
        yield message


def _decoded_part(part: Message) -> str:
    payload = part.get_payload(decode=True)
    data = payload if isinstance(payload, bytes) else b""
    try:
        charset = part.get_content_charset() or "utf-8"
    except (LookupError, ValueError):
        charset = "utf-8"
    return text_of_bytes(data[: 4 * LONGEST_TEXT], charset)[:LONGEST_TEXT]


class _Html(HTMLParser):
    """Collects the text of HTML by lines."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = [""]
        self.quoted = self.silent = 0

    def _new_line(self) -> None:
        if self.lines[-1].strip():
            self.lines.append("")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _LINE_TAGS or tag == "blockquote":
            self._new_line()
        self.quoted += tag == "blockquote"
        self.silent += tag in _SILENT_TAGS

    def handle_endtag(self, tag: str) -> None:
        if tag in _LINE_TAGS or tag == "blockquote":
            self._new_line()
        self.quoted = max(self.quoted - (tag == "blockquote"), 0)
        self.silent = max(self.silent - (tag in _SILENT_TAGS), 0)

    def handle_data(self, data: str) -> None:
        text = _FOLD.sub(" ", data)
        if not self.silent and text.strip(" "):
            mark = ">" * min(self.quoted, DEEPEST) + " " if self.quoted and not self.lines[-1] else ""
            self.lines[-1] += mark + text


def _text_of_html(html: str) -> str:
    reader = _Html()
    with suppress(AssertionError):  # the parser's answer to some malformed declarations
        # Closing the parser would make it read unclosed tags to the end again and again; an element flushes the rest.
        reader.feed(html + "<br>")
    return "\n".join(reader.lines)
