"""Canonical tables wherever they lie: in a store or in a folder."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from pathlib import Path

from features.histories.tables import TABLES, Dataset, Tables
from features.sources.files import read_dataset, read_tables
from features.sources.store import Store


def open_tables(
    where: str | Path,
    tables: Container[str] = frozenset(TABLES),
    columns: Mapping[str, Sequence[str]] | None = None,
) -> Tables:
    """The tables of a folder (``files.read_tables``) or of a store at a file or URL (``Store.tables``), of which
    ``tables`` limits which are read and ``columns`` which columns. Raises NotCanonical or StoreError."""
    if Path(where).is_dir():
        return read_tables(Path(where), tables, columns)
    return Store(where).tables(tables, columns)


def open_dataset(where: str | Path) -> Dataset:
    """What a folder or a store says of its data set. Raises NotCanonical or StoreError."""
    return read_dataset(Path(where)) if Path(where).is_dir() else Store(where).dataset()
