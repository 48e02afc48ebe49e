"""Where mails lie: mbox files, maildirs, folders of single mails, and archives of any of these, told by content.

Messages come one at a time and only as much of each as matters is kept, so that memory does not depend on the size of
a mailbox or of an attachment.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain, pairwise
from pathlib import Path
from typing import IO, cast

from features.histories.columns import Reject

MESSAGE_BYTES = 2 << 20
"""How much of a message is read; attachments lie beyond."""
DEEPEST = 3
"""Archives within archives."""
LARGEST_EXPANSION = 200
"""How many times its own size an archive may expand to; mail packs to a fifth to a fiftieth."""
FREE_EXPANSION = 64 << 20
"""Bytes that any archive may expand to."""

_HEAD_BYTES = 16 << 10
_LINE_BYTES = 1 << 20
_IN_MEMORY = 16 << 20
_PROBED_FILES = 200
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
_DAMAGED = (EOFError, OSError, RuntimeError, NotImplementedError, zlib.error, zipfile.BadZipFile, tarfile.TarError)
_OUTLOOK = {b"!BDN": "an Outlook data file", b"\xd0\xcf\x11\xe0": "an Outlook message"}


@dataclass(frozen=True, slots=True)
class Piece:
    """A message as it lies there: its file, its number in it (from 1), its first bytes; and how much has been read."""

    file: str
    number: int
    content: bytes
    share: float


class _TooMuch(OSError):
    """An archive expands beyond all reason."""


@dataclass
class _Budget:
    left: int

    def spend(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise _TooMuch(f"expands to more than {LARGEST_EXPANSION} times its size")


class _Expanding(io.RawIOBase):
    """A stream out of an archive, whose bytes count."""

    def __init__(self, stream: IO[bytes], budget: _Budget) -> None:
        self.stream, self.budget = stream, budget

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        taken = self.stream.read(len(buffer))
        self.budget.spend(len(taken))
        buffer[: len(taken)] = taken
        return len(taken)


@dataclass
class Pieces:
    """The messages of a file or folder; ``rejects`` and ``others`` (files without mail) fill while they are read."""

    path: Path
    rejects: list[Reject] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[Piece]:
        files = list(_files(self.path))
        sizes = [file.stat().st_size for file in files]
        done, total = 0, max(sum(sizes), 1)
        for file, size in zip(files, sizes, strict=True):
            name = file.relative_to(self.path).as_posix() if self.path.is_dir() else file.name
            budget = _Budget(max(size * LARGEST_EXPANSION, FREE_EXPANSION))
            with file.open("rb") as raw:

                def share(raw: IO[bytes] = raw, done: int = done) -> float:
                    return (done + raw.tell()) / total

                yield from self._within(raw, name, 0, budget, share)
            done += size

    def _within(
        self, stream: IO[bytes], name: str, depth: int, budget: _Budget, share: Callable[[], float]
    ) -> Iterator[Piece]:
        """The messages of one file; damage ends it, with what was read before kept."""
        name = name.encode(errors="replace").decode()  # names of files may hold bytes of any charset
        try:
            head = stream.read(_HEAD_BYTES)
            kind = _kind(head, name)
            if kind in _ARCHIVES and depth == DEEPEST:
                raise OSError(f"lies more than {DEEPEST} archives deep")
            if kind in _ARCHIVES:
                for inner, inside in _ARCHIVES[kind](_again(head, stream), name, budget):
                    yield from self._within(inside, inner, depth + 1, budget, share)
            elif kind == "mbox":
                for number, content in enumerate(_split(_again(head, stream)), start=1):
                    yield Piece(name, number, content, share())
            elif kind == "mail":
                yield Piece(name, 1, head + stream.read(MESSAGE_BYTES - len(head)), share())
            elif kind:
                self.rejects.append(Reject(name, 0, "", kind, "export the mails as mbox or .eml files"))
            else:
                self.others.append(name)
        except _DAMAGED as error:
            if isinstance(error, _TooMuch) and depth:
                raise
            self.rejects.append(Reject(name, 0, "", str(error), "a file that can be read to its end"))


def holds_mail(path: Path) -> bool:
    """Whether a file or folder holds mail: looks into its first files."""
    for probed, file in enumerate(_files(path)):
        if probed == _PROBED_FILES:
            return False
        with file.open("rb") as raw:
            if _has_mail(raw, "", 0, _Budget(FREE_EXPANSION)):
                return True
    return False


def _has_mail(stream: IO[bytes], name: str, depth: int, budget: _Budget) -> bool:
    try:
        head = stream.read(_HEAD_BYTES)
        kind = _kind(head, name)
        if kind in _ARCHIVES and depth < DEEPEST:
            for probed, (_, inside) in enumerate(_ARCHIVES[kind](_again(head, stream), name, budget)):
                if probed == _PROBED_FILES:
                    return False
                if _has_mail(inside, "", depth + 1, budget):
                    return True
    except _DAMAGED:
        return False
    return kind in ("mbox", "mail")


def _files(path: Path) -> Iterator[Path]:
    """A file, or all files of a folder and its folders in the order of their names."""
    if not path.is_dir():
        yield path
        return
    for folder, folders, files in os.walk(path):
        folders.sort()
        yield from (Path(folder, name) for name in sorted(files) if Path(folder, name).is_file())


def _kind(head: bytes, name: str) -> str:
    """What a file is by its first bytes: an archive, mbox, mail, something of Outlook's in words, or '' (no mail)."""
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    if head[257:262] == b"ustar":
        return "tar"
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


def _again(head: bytes, stream: IO[bytes]) -> IO[bytes]:
    """The stream from its beginning, of which ``head`` has been read."""
    if stream.seekable():
        stream.seek(-len(head), os.SEEK_CUR)
        return stream
    return io.BufferedReader(_Rejoined(head, stream))


class _Rejoined(io.RawIOBase):
    def __init__(self, head: bytes, stream: IO[bytes]) -> None:
        self.head, self.stream = head, stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        taken = self.head[: len(buffer)] or self.stream.read(len(buffer))
        self.head = self.head[len(taken) :]
        buffer[: len(taken)] = taken
        return len(taken)


def _in_zip(stream: IO[bytes], name: str, budget: _Budget) -> Iterator[tuple[str, IO[bytes]]]:
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as copy:
        if not stream.seekable():
            while block := stream.read(_LINE_BYTES):
                copy.write(block)
            copy.seek(0)
        with zipfile.ZipFile(stream if stream.seekable() else cast(IO[bytes], copy)) as archive:
            for member in sorted(archive.infolist(), key=lambda member: member.filename):
                if not member.is_dir():
                    with archive.open(member) as inside:
                        yield f"{name}/{member.filename}", io.BufferedReader(_Expanding(inside, budget))


def _in_gzip(stream: IO[bytes], name: str, budget: _Budget) -> Iterator[tuple[str, IO[bytes]]]:
    with gzip.GzipFile(fileobj=stream) as inside:
        yield name, io.BufferedReader(_Expanding(cast(IO[bytes], inside), budget))


def _in_tar(stream: IO[bytes], name: str, budget: _Budget) -> Iterator[tuple[str, IO[bytes]]]:
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            inside = archive.extractfile(member) if member.isreg() else None
            if inside:
                yield f"{name}/{member.name}", io.BufferedReader(_Expanding(inside, budget))


_ARCHIVES = {"zip": _in_zip, "gzip": _in_gzip, "tar": _in_tar}


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
