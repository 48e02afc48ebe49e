"""What every importer hands to the import: canonical tables as they were found, unchecked.

A source module offers ``recognises(path) -> bool`` (by content, not by name alone) and
``read(path, options, progress) -> Found``. Checks, versions and the summary are the import's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pyarrow as pa

from features.histories.columns import Reject

Progress = Callable[[str, float], None]
"""Called with what is being done and how much of it is (0 to 1)."""

FILE, ROW = " file", " row"
"""Columns that a table may carry beside its own: the file and the data row (from 1) that each row came from."""


@dataclass(frozen=True)
class Found:
    """What a source held.

    ``tables``: by canonical table name, text columns under canonical names (own columns begin with ``x_``), and
    ``FILE`` and ``ROW`` where rows have a place of their own. ``rejects``: what could not be taken over. ``counts``:
    what was read and what was kept apart, by word. ``notes``: what a user should know. ``ignored``: by file the columns
    that were not taken in.
    """

    tables: dict[str, pa.Table]
    rejects: list[Reject] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    ignored: dict[str, list[str]] = field(default_factory=dict)
