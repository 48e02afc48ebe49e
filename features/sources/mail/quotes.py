"""What of a mail its writer wrote and what is quoted, and hashes by which quoted words are found again.

A line belongs to the layer of its quotation marks (``> ``, ``>> ``, also after initials, as in ``AB> ``, or ``| ``).
What follows a line such as ``-----Original Message-----`` or a block of From, Sent, To and Subject lies a layer deeper.
Signatures and footers, and the lines that introduce a quote ("On ..., A. Writer wrote:"), are nobody's words.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from features.sources.readers import Array

SHINGLE_WORDS = 4
"""Words of a hashed piece of text; a block of fewer words is one piece."""
MOST_SHINGLES = 1024
"""Hashes kept of a layer: the smallest ones, so that the same pieces are kept wherever they stand."""

OWN, QUOTED = 0, 1
"""Layers: what the writer wrote, and what that answers. What the quoted mail quoted in turn lies deeper."""

_MARK = re.compile(r"[>|]")
_MARKS = re.compile(
    r"[ \t]{0,4}(?:[A-Za-z]{0,12}>|\|(?=[ \t]|$))(?:[ \t]{0,3}(?:[A-Za-z]{0,12}>|\|(?=[ \t]|$)))*[ \t]?"
)
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_WROTE = re.compile(
    r"\b(?:wrote|writes|said|says|schrieb|schrieben|écrit|escribió|escreveu|scritto|scrive|schreef|skrev|napisał|napsal|"
    r"kirjoitti|написал|пишет)\b.{0,40}$",
    re.IGNORECASE,
)
_INTRODUCES = re.compile(r"\s*(?:on|am|le|el|il|op|den|em|dnia|in message|at|quoting)\b", re.IGNORECASE)
_SEPARATOR = re.compile(
    r"\s*(?:[-_*]{2,}\s*(?:original|ursprüngliche|forwarded|weitergeleitete|begin forwarded|message d'origine|"
    r"message transféré|mensaje original|messaggio originale|oorspronkelijk|reply)\b"
    r"|begin forwarded (?:message|text)\b)",
    re.IGNORECASE,
)
_SEPARATOR_END = re.compile(r"-{3,}\s*$")
_FIELD = re.compile(
    r"\s*\*?(?:(?P<writer>from|von|de|da|van|från|fra)|(?P<subject>subject|betreff|objet|asunto|assunto|oggetto|onderwerp|ämne"
    r"|emne)|to|cc|bcc|sent|date|reply-to|message-id|gesendet|an|datum|envoyé|à|enviado|para|fecha|data|inviato|a|verzonden"
    r"|aan|skickat|till|til)\s?:",
    re.IGNORECASE,
)
_NUMERIC_DATE = re.compile(r"\d{1,2}[/.]\d{1,2}[/.]\d{2,4}")
_SIGNATURE = re.compile(r"-- ?$")
_FOOTER = re.compile(r"\s*_{30,}\s*$")
_MIX = np.uint64(0x9E3779B97F4A7C15)
_HEADER_LINES = 40
_FEWEST_FIELDS = 3
_FOOTER_LINES = 12
_INTRODUCTION_LINES = 3


@dataclass(frozen=True, slots=True)
class Layers:
    """The words in small letters that the writer wrote, and those quoted, as blocks that stand together."""

    own: list[list[str]] = field(default_factory=list)
    quoted: list[list[str]] = field(default_factory=list)

    @property
    def words(self) -> int:
        """How many words the writer wrote."""
        return sum(map(len, self.own))


@dataclass(slots=True)
class _Line:
    depth: int
    text: str
    signature: bool = False


@dataclass(frozen=True, slots=True)
class _Separated:
    """A separator or header within a text: lines kept before it, its depth, what it added, whether it began a quote."""

    kept: int = -1
    depth: int = 0
    added: int = 0
    opened: bool = False


def layers(text: str) -> Layers:
    """Take a text apart.

    >>> layers("Fine with us.\\n\\nOn Monday, Ann Berg wrote:\\n> Shall we meet?\\n>> Who is free?\\n")
    Layers(own=[['fine', 'with', 'us']], quoted=[['shall', 'we', 'meet']])
    """
    result = Layers()
    depth = -1
    for line in _without_introductions(_placed([_unmarked(line) for line in text.splitlines()])):
        if line.depth <= QUOTED:
            blocks = result.quoted if line.depth else result.own
            if line.depth != depth:
                blocks.append([])
            blocks[-1] += _WORD.findall(line.text.lower())
        depth = line.depth
    return result


def _unmarked(line: str) -> _Line:
    """A line without its quotation marks, and how many those were."""
    marks = _MARKS.match(line)
    return _Line(len(_MARK.findall(marks[0])), line[marks.end() :]) if marks else _Line(0, line)


def _placed(raw: list[_Line]) -> list[_Line]:
    """The lines that are somebody's words or signature, each at the depth where it belongs."""
    kept: list[_Line] = []
    place = 0
    offset = [0, 0]  # how much deeper lines of depth 0, and of depth 1 and more, lie than their marks say
    signed, last = -1, 0
    before = _Separated()
    while place < len(raw):
        line = raw[place]
        place += 1
        if not line.text.strip():
            continue
        if line.depth == 0:
            offset[1] = 0
        if line.depth != signed:
            signed = -1
        opened, last = line.depth > last, line.depth
        within = min(line.depth, 1)
        header = _header_end(raw, place - 1)
        if header or _SEPARATOR.match(line.text):
            place = header or place
            if header:
                _take_back(kept)
                if before.kept == len(kept) and before.depth == line.depth:  # the two are one
                    offset[within] -= before.added
                    opened |= before.opened
            # What follows lies deeper, unless its marks say so.
            added = 0 if opened or _next_depth(raw, place) > line.depth else 1
            offset[within] += added
            before, signed = _Separated(len(kept), line.depth, added, opened), -1
            continue
        if before.kept == len(kept) and _SEPARATOR_END.search(line.text):
            continue
        if _SIGNATURE.match(line.text) or (_FOOTER.match(line.text) and len(raw) - place < _FOOTER_LINES):
            signed = line.depth
        kept.append(_Line(line.depth + sum(offset[: within + 1]), line.text, signed >= 0))
    return kept


def _header_end(raw: list[_Line], place: int) -> int:
    """Where the header of a mail within the text ends that begins at a line, 0 if none begins there."""
    depth = raw[place].depth
    fields, writer, subject = 0, False, False
    for end in range(place, min(place + _HEADER_LINES, len(raw))):
        line = raw[end]
        found = _FIELD.match(line.text)
        if end == place and not found:
            return 0
        if line.depth != depth or not line.text.strip() or (subject and not found and not line.text[0].isspace()):
            return end if (writer or subject) and fields >= _FEWEST_FIELDS else 0
        if found:
            fields += 1
            writer |= found["writer"] is not None
            subject |= found["subject"] is not None
    return 0


def _take_back(kept: list[_Line]) -> None:
    """Drop the last two lines if they say who wrote a mail and when, as Lotus Notes puts them before To and Subject."""
    if any(_NUMERIC_DATE.search(line.text) for line in kept[-2:]):
        del kept[-2:]


def _next_depth(raw: list[_Line], place: int) -> int:
    """The depth of the first line from a place on that is not empty."""
    return next((raw[one].depth for one in range(place, len(raw)) if raw[one].text.strip()), 0)


def _without_introductions(lines: list[_Line]) -> list[_Line]:
    """The lines without signatures and those that introduce a quote, at its end before it or at its own beginning."""
    kept: list[_Line] = []
    for line in lines:
        if kept and line.depth > kept[-1].depth:
            introduced = _introduction(kept)
            if not introduced and _INTRODUCES.match(line.text) and _WROTE.search(line.text):
                continue
            del kept[len(kept) - introduced :]
        kept.append(line)
    return [line for line in kept if not line.signature]


def _introduction(kept: list[_Line]) -> int:
    """How many lines at the end of a list introduce a quote."""
    last = kept[-1]
    if not _WROTE.search(last.text):
        return 0
    for lines, line in enumerate(reversed(kept[-_INTRODUCTION_LINES:]), start=1):
        if line.depth == last.depth and _INTRODUCES.match(line.text):
            return lines
    return 1


def shingles(blocks: Iterable[list[str]]) -> Array:
    """uint32, sorted: hashes of the pieces of SHINGLE_WORDS words that stand in blocks, at most MOST_SHINGLES."""
    found = [_hashes(block) for block in blocks if block]
    return np.unique(np.concatenate(found))[:MOST_SHINGLES] if found else np.empty(0, np.uint32)


def _hashes(words: list[str]) -> Array:
    codes = np.fromiter((zlib.crc32(word.encode()) for word in words), np.uint64, len(words))
    size = min(SHINGLE_WORDS, len(words))
    mixed = np.zeros(len(words) - size + 1, np.uint64)
    for place in range(size):
        mixed = (mixed ^ codes[place : place + len(mixed)]) * _MIX
    return (mixed >> np.uint64(32)).astype(np.uint32)
