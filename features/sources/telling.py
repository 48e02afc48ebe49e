"""What an import did, and what forgetting would do, in lines for a person."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from features.sources.canonical import TableCounts
from features.sources.importing import ImportSummary
from features.sources.store import Counts
from features.sources.store_forgetting import Outlook

_SHOWN_REJECTS = 5


def told(summary: ImportSummary) -> Iterator[str]:
    """Lines: what was read and kept apart of each source, what came of each table, ignored columns, notes, rejects."""
    for source, numbers in summary.told.items():
        yield f"{source}: {_numbers(numbers)}"
    for name, counts in summary.counts.items():
        if not counts.read and not counts.kept:
            continue
        stored = summary.stored.get(name)
        yield f"{name}: {_of_folder(counts) if stored is None else _of_store(counts, stored)}"
    for file, columns in summary.ignored.items():
        yield f"{file}: ignored unknown columns {', '.join(columns)}"
    yield from summary.notes
    if summary.where:
        yield f"Written to {summary.where}."
    for one in summary.rejects[:_SHOWN_REJECTS]:
        yield f"rejected: {one.file} row {one.row}, {one.column}: {one.value!r} is not {one.allowed}"
    if summary.rejected:
        where = f"; all of them, with the reasons: {summary.reject_file}" if summary.reject_file else ""
        yield f"{summary.rejected:,} records were rejected{where}"


def _numbers(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {word}" for word, number in numbers.items()) or "nothing"


def _of_folder(counts: TableCounts) -> str:
    extras = {"rejected": counts.rejected, "repeated": counts.repeated, "created": counts.created}
    told = "".join(f", {number:,} {word}" for word, number in extras.items() if number)
    return f"{counts.kept:,} rows{told}"


def _of_store(counts: TableCounts, stored: Counts) -> str:
    extras = {
        "repeated": stored.repeated,
        "in conflict": stored.conflicting,
        "of what was forgotten": stored.forgotten,
        "rejected": counts.rejected,
    }
    told = "".join(f", {number:,} {word}" for word, number in extras.items() if number)
    return f"{counts.read:,} rows read, {stored.new:,} new, {stored.updated:,} updated{told}"


def foreseen(ahead: Outlook, models: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Lines: what would be forgotten, and the models that learned from it."""
    if ahead.done:
        yield "This was forgotten before; nothing of it has come back."
    for word, number in sorted(ahead.counts.items()):
        if number:
            yield f"{word}: {number:,}"
    yield from ahead.notes
    for model in models:
        champion = ", the champion" if model["champion"] else ""
        learned = "learned from it" if model["learned"] == "yes" else f"may have learned from it ({model['learned']})"
        yield f"Model version {model['version']}{champion} {learned}: train anew, and delete it if it must go, too."


def receipt_name(receipt: Mapping[str, Any]) -> str:
    """The name of a receipt's file, unless a user names another."""
    what = receipt["digest"][:8] if "digest" in receipt else f"before-{receipt['before'][:10]}"
    return f"forgotten-{receipt['at'][:10]}-{what}.json"


def written(receipt: Mapping[str, Any], file: Path) -> Path:
    """Write a receipt to a file; it appears whole."""
    whole = file.with_name(f".{file.name}.new")
    whole.write_text(json.dumps(receipt, indent=1) + "\n", encoding="utf-8")
    os.replace(whole, file)
    return file
