"""Files, folders of files, and archives of any of these: one stream after the other, within limits.

Damage and hostile archives end a file, with what was read before kept; nothing is unpacked onto the disk but what a
zip within another archive needs.
"""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Generic, TypeVar, cast

from features.histories.columns import Reject

DEEPEST = 3
"""Archives within archives."""
LARGEST_EXPANSION = 200
"""How many times its own size an archive may expand to; text packs to a fifth to a fiftieth."""
FREE_EXPANSION = 64 << 20
"""Bytes that any archive may expand to."""

_HEAD_BYTES = 16 << 10
_BLOCK_BYTES = 1 << 20
_IN_MEMORY = 16 << 20
_PROBED_FILES = 200
_DAMAGED = (EOFError, OSError, RuntimeError, NotImplementedError, zlib.error, zipfile.BadZipFile, tarfile.TarError)

Piece = TypeVar("Piece")


@dataclass(frozen=True)
class Opened:
    """A file that is no archive: its name (within its archives), first bytes, and the rest of it as a stream.

    ``share`` tells how much of everything has been read by now, 0 to 1.
    """

    name: str
    head: bytes
    rest: IO[bytes]
    share: Callable[[], float]

    def whole(self) -> IO[bytes]:
        """The stream from its beginning."""
        return _again(self.head, self.rest)


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
class Contents(Generic[Piece]):
    """What ``read`` makes of each file at a path; ``rejects`` fill with what is damaged while they are read."""

    path: Path
    read: Callable[[Opened], Iterator[Piece]]
    rejects: list[Reject] = field(default_factory=list)

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
        """What one file holds; damage ends it, with what was read before kept."""
        name = name.encode(errors="replace").decode()  # names of files may hold bytes of any charset
        try:
            head = stream.read(_HEAD_BYTES)
            kind = _archive(head)
            if kind and depth == DEEPEST:
                raise OSError(f"lies more than {DEEPEST} archives deep")
            if kind:
                for inner, inside in _ARCHIVES[kind](_again(head, stream), name, budget):
                    yield from self._within(inside, inner, depth + 1, budget, share)
            else:
                yield from self.read(Opened(name, head, stream, share))
        except _DAMAGED as error:
            if isinstance(error, _TooMuch) and depth:
                raise
            self.rejects.append(Reject(name, 0, "", str(error), "a file that can be read to its end"))


def any_begins(path: Path, likely: Callable[[bytes], bool]) -> bool:
    """Whether one of the first files at a path, or in archives there, begins as ``likely`` asks."""
    for probed, file in enumerate(_files(path)):
        if probed == _PROBED_FILES:
            return False
        with file.open("rb") as raw:
            if _begins(raw, likely, 0, _Budget(FREE_EXPANSION)):
                return True
    return False


def _begins(stream: IO[bytes], likely: Callable[[bytes], bool], depth: int, budget: _Budget) -> bool:
    try:
        head = stream.read(_HEAD_BYTES)
        kind = _archive(head)
        if kind and depth < DEEPEST:
            for probed, (_, inside) in enumerate(_ARCHIVES[kind](_again(head, stream), "", budget)):
                if probed == _PROBED_FILES:
                    return False
                if _begins(inside, likely, depth + 1, budget):
                    return True
    except _DAMAGED:
        return False
    return not kind and likely(head)


def _files(path: Path) -> Iterator[Path]:
    """A file, or all files of a folder and its folders in the order of their names."""
    if not path.is_dir():
        yield path
        return
    for folder, folders, files in os.walk(path):
        folders.sort()
        yield from (Path(folder, name) for name in sorted(files) if Path(folder, name).is_file())


def _archive(head: bytes) -> str:
    """What kind of archive a file is by its first bytes, '' if it is none."""
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    return "tar" if head[257:262] == b"ustar" else ""


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
            while block := stream.read(_BLOCK_BYTES):
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
