"""Which CRM a file comes from and which of its objects it holds: by its columns, not by its name."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from features.sources.crm.definitions import Crm, Form, Object, crms, folded
from features.sources.crm.records import is_json, json_records
from features.sources.readers import SUFFIXES, SourceError, read_chunks

LARGEST_EXPANSION = 4 << 30
"""Bytes that a zipped export may expand to."""

_PROBED_RECORDS = 100
_PROBED_BYTES = 1 << 20
_PIECE = 1 << 20


@dataclass(frozen=True)
class Recognised:
    """A file of a CRM's export: which CRM's, which object, in which form."""

    path: Path
    crm: Crm
    object: Object
    form: Form


def recognises(path: Path, taken: Container[Path] = ()) -> bool:
    """Whether a file, or a file in a folder or a zip, is an export of a CRM, leaving those ``taken`` out."""
    try:
        with export_files(path, probe=True) as files:
            return any(recognise(file) for file in files if file not in taken)
    except SourceError:
        return False


@contextmanager
def export_files(path: Path, probe: bool = False) -> Iterator[list[Path]]:
    """The files at a path that may be exports, by their endings, in the order of their names.

    Those of a zip lie in a folder that vanishes afterwards; to ``probe`` them their beginnings do. Raises SourceError.
    """
    if path.suffix.lower() != ".zip":
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        yield [file for file in files if file.is_file() and _may_be(file.name)]
        return
    with tempfile.TemporaryDirectory() as folder:
        try:
            yield _unpacked(path, Path(folder), probe)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            raise SourceError(f"{path.name}: cannot be unpacked: {error}") from None


def _may_be(name: str) -> bool:
    return name.lower().removesuffix(".gz").endswith(SUFFIXES)


def _unpacked(path: Path, folder: Path, probe: bool) -> list[Path]:
    files: list[Path] = []
    left = LARGEST_EXPANSION
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            name = Path(entry.filename).name
            if entry.is_dir() or not _may_be(name):
                continue
            files.append(folder / name)
            if files[-1].exists():
                raise SourceError(f"{path.name}: holds two files of the name {name}")
            enough = _PROBED_BYTES if probe and not name.lower().endswith(".xlsx") else LARGEST_EXPANSION
            with archive.open(entry) as packed, files[-1].open("wb") as out:
                while enough > 0 and (piece := packed.read(_PIECE)):
                    enough, left = enough - len(piece), left - len(piece)
                    if left < 0:
                        raise SourceError(f"{path.name}: expands to more than {LARGEST_EXPANSION >> 30} GB; unpack it")
                    out.write(piece)
    return sorted(files)


def recognise(path: Path) -> Recognised | None:
    """What a file is, None if it is no export of a CRM."""
    try:
        names = columns_of(path)
    except SourceError:
        return None
    found = recognise_columns(names)
    return Recognised(path, *found) if found else None


def recognise_columns(names: Iterable[str]) -> tuple[Crm, Object, Form] | None:
    """The CRM and the object that use most of these columns, of those that recognise them; None if none does."""
    names = list(names)
    best: tuple[int, tuple[Crm, Object, Form] | None] = (0, None)
    for crm in crms():
        for one in crm.objects:
            present = {folded(one.plain(name)) for name in names}
            form = next((form for form in one.forms if form.fits(present)), None)
            used = len(one.needed & present)
            if form and used > best[0]:
                best = (used, (crm, one, form))
    return best[1]


def columns_of(path: Path) -> list[str]:
    """The names of a file's columns; of JSON those of its first records. Raises SourceError."""
    if is_json(path):
        records = islice(json_records(path), _PROBED_RECORDS)
        return list(dict.fromkeys(name for record in records for name in record))
    names: list[str] = []

    def keep(found: Iterable[str]) -> set[str]:
        names.extend(found)
        return set()

    next(read_chunks(path, keep), None)
    return list(dict.fromkeys(names))
