"""The registry as rows: what each column of the matrix is, for the command line, the documents, the API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import features.signals  # noqa: F401  (registers every family)
from features.indicators import REGISTRY, Indicator, Registry


@dataclass(frozen=True)
class Entry:
    """One indicator in words; ``mark`` and ``origin`` are empty where the indicator has no mark."""

    column: str
    signal: str
    name: str
    meaning: str
    unit: str
    window: str
    better: str
    mark: str
    origin: str
    minimum: str
    source: str


def entries(registry: Registry = REGISTRY) -> list[Entry]:
    """All registered indicators, in the order of the matrix's columns."""
    return [_entry(indicator) for indicator in registry.indicators.values()]


def _entry(indicator: Indicator) -> Entry:
    mark = indicator.mark
    return Entry(
        column=indicator.column,
        signal=indicator.signal.id,
        name=indicator.name,
        meaning=indicator.meaning,
        unit=indicator.unit,
        window=indicator.window,
        better="context" if indicator.context else indicator.better or "informative",
        mark="" if mark is None else str(mark),
        origin="" if mark is None else "documented" if mark.documented else "ours",
        minimum=f"{indicator.minimum} {indicator.evidence_unit}",
        source=indicator.signal.source,
    )


def as_documents(rows: Sequence[Entry]) -> list[dict[str, Any]]:
    """The rows as plain dictionaries, for JSON."""
    return [asdict(row) for row in rows]


def as_markdown(rows: Sequence[Entry]) -> str:
    """The rows as one Markdown table.

    >>> row = Entry("a", "G1", "n", "m | o", "share", "90", "up", ">= 1", "ours", "5 replies", "000")
    >>> print(as_markdown([row]).splitlines()[-1])
    | a | G1 | n | m \\| o | share | 90 | up | >= 1 | ours | 5 replies | 000 |
    """
    names = [field.name for field in fields(Entry)]
    lines = [names, ["---"] * len(names)]
    lines += [[str(getattr(row, name)).replace("|", "\\|") for name in names] for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
