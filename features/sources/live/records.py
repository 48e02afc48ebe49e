"""What is pulled step by step, and the files that it becomes: each record once, as it is now."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from features.sources.crm.definitions import Object, folded

Record = dict[str, Any]
"""A record as the API answers it."""

OVERLAP = 600
"""Seconds before the last pull that are asked for again: what changes shows in searches with a delay."""


@dataclass(frozen=True)
class Ahead:
    """What is still to be asked for of one kind of record.

    ``since``: only what changed from then on (UTC seconds; None: everything). ``after``: only ids behind that one.
    ``archived``: whether only the archived ones are left. ``began`` is when this pull began, by the CRM's clock; None
    if it has not begun or is done.
    """

    since: int | None = None
    after: str = ""
    archived: bool = False
    began: int | None = None

    def on(self, after: str) -> Ahead:
        """Go on behind an id."""
        return replace(self, after=after)

    def to_archived(self) -> Ahead:
        """Go on with the archived ones."""
        return replace(self, after="", archived=True)

    def done(self) -> Ahead:
        """Nothing more."""
        return Ahead()

    @classmethod
    def next_time(cls, began: int | None) -> Ahead:
        """What the next pull asks for, once one that began then is done."""
        return cls(None if began is None else began - OVERLAP)

    @property
    def begun(self) -> bool:
        """Whether a pull of it has begun and is not done."""
        return bool(self.after or self.archived)


@dataclass(frozen=True)
class Chunk:
    """Some records, and what lies ahead after them."""

    records: list[Record]
    ahead: Ahead


def wanted(one: Object, name: str) -> bool:
    """Whether a data file names a field of an object, or tells files of it by the field."""
    by_form = {column for form in one.forms for column in form.columns}
    for form in one.forms:
        if one.needed.isdisjoint(form.any_of):
            by_form.update(form.any_of)
    return folded(name) in one.needed | by_form


def as_line(record: Record) -> str:
    """A record as a line of a file; unknown values as empty texts, so that each line names all fields."""
    return json.dumps(_filled(record))


def _filled(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _filled(one) for name, one in value.items()}
    return "" if value is None else value


def add_batch(folder: Path, batch: Iterable[tuple[str, str]]) -> None:
    """Keep records (ids and lines) in a file of their own, behind those that are there; whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    number = max((int(path.stem) for path in folder.glob("*.jsonl")), default=0) + 1
    _write(folder / f"{number:09}.jsonl", (json.dumps(pair) for pair in batch))


def merge_batches(batches: Path, file: Path, id_field: str) -> int:
    """Take what was kept into the file of all records, in the place of earlier states; returns how many records.

    Interrupted anywhere, it can be done again.
    """
    paths = sorted(batches.glob("*.jsonl"))
    last = {one: place for place, (one, _) in enumerate(_kept(paths))}
    if last:
        _write(file, _merged(paths, file, id_field, last))
    for path in paths:
        path.unlink()
    return len(last)


def _merged(paths: list[Path], file: Path, id_field: str, last: dict[str, int]) -> Iterator[str]:
    if file.exists():
        with file.open(encoding="utf-8") as lines:
            yield from (line.rstrip("\n") for line in lines if str(json.loads(line)[id_field]) not in last)
    yield from (line for place, (one, line) in enumerate(_kept(paths)) if last[one] == place)


def _kept(paths: Iterable[Path]) -> Iterator[tuple[str, str]]:
    for path in paths:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                one, record = json.loads(line)
                yield one, record


def _write(path: Path, lines: Iterable[str]) -> None:
    temporary = path.with_name(f".{path.name}.new")
    with temporary.open("w", encoding="utf-8") as out:
        out.writelines(f"{line}\n" for line in lines)
        out.flush()
        os.fsync(out.fileno())
    os.replace(temporary, path)
