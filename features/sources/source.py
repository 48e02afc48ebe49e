"""What every importer hands to the import: canonical tables as they were found, unchecked.

A source module offers ``recognises(path) -> bool`` (by content, not by name alone) and
``read(path, options, progress) -> Found``. Checks, versions and the summary are the import's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b

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
    that were not taken in. ``others``: files that hold nothing of the kind.
    """

    tables: dict[str, pa.Table]
    rejects: list[Reject] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    ignored: dict[str, list[str]] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)


def shared_mail_id(message_id: str) -> str:
    """What every source calls a mail that knows its Message-ID, with or without brackets; "" where it is unknown.

    >>> shared_mail_id(" <1@acme.example>") == shared_mail_id("1@acme.example"), shared_mail_id("")
    (True, '')
    """
    plain = message_id.strip().removeprefix("<").removesuffix(">")
    return made_id("message", plain) if plain else ""


def made_id(kind: str, *parts: str) -> str:
    """An id made from what identifies a thing in its source, the same at every import.

    >>> made_id("mail", "1@acme.example")
    'mail-cc359cfd21607447b58d'
    """
    return f"{kind}-" + blake2b("\0".join(parts).encode(errors="replace"), digest_size=10).hexdigest()
