"""The store's tables, as SQLAlchemy knows them.

Each canonical table holds every version of its rows: the canonical columns as they came, the user's own columns as
JSON, the batch that brought the row, and from when it is known. Rows are only ever added. ``migrations`` makes these
tables; a test holds the two together.

Views ``latest_accounts`` and so on show the latest version of each row. What tells of persons lies in the canonical
tables, in ``batches`` (``source``, ``declared``), in ``rejects`` and, all of it once more, in ``canonical_files``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from features.histories.columns import ColumnType, Table
from features.histories.tables import TABLES

REVISION = "0002"
"""The migration that the definitions below stand for."""

VERSION_TABLE = "rapport_version"
"""Holds the migration that a database is at; whoever writes holds its only row."""

BATCH, KNOWN, OWN = "batch_id", "known_at", "own"
"""Columns of every canonical table beside its own: see ``_versions``."""

METADATA = sa.MetaData()

_TYPES: Mapping[ColumnType, type[sa.types.TypeEngine[Any]]] = {
    "id": sa.Text,
    "text": sa.Text,
    "category": sa.Text,
    "time": sa.BigInteger,
    "int": sa.BigInteger,
    "float": sa.Double,
    "bool": sa.Boolean,
}


def _versions(table: Table) -> sa.Table:
    """A canonical table; times are UTC seconds. ``known_at`` is empty where a row was known since ever."""
    return sa.Table(
        table.name,
        METADATA,
        *(sa.Column(column.name, _TYPES[column.type](), nullable=not column.required) for column in table.columns),
        sa.Column(OWN, sa.Text()),
        sa.Column(KNOWN, sa.BigInteger()),
        sa.Column(BATCH, sa.BigInteger(), nullable=False),
    )


VERSIONS: Mapping[str, sa.Table] = {name: _versions(table) for name, table in TABLES.items()}

BATCHES = sa.Table(
    "batches",
    METADATA,
    sa.Column(BATCH, sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("accepted_at", sa.BigInteger(), nullable=False, comment="UTC seconds"),
    sa.Column("source", sa.Text(), nullable=False),
    sa.Column("sha256", sa.Text(), nullable=False, comment="of the rows as they came"),
    sa.Column("declared", sa.Text(), nullable=False, comment="what the source declares of the data set, as JSON"),
    sa.Column("own_columns", sa.Text(), nullable=False, comment="names by table, as JSON"),
    sa.Column("counts", sa.Text(), nullable=False, comment="rows by table, as JSON"),
)

REJECTS = sa.Table(
    "rejects",
    METADATA,
    sa.Column(BATCH, sa.BigInteger(), nullable=False),
    sa.Column("file", sa.Text(), nullable=False),
    sa.Column("row_number", sa.BigInteger(), nullable=False),
    sa.Column("column_name", sa.Text(), nullable=False),
    sa.Column("value", sa.Text(), nullable=False),
    sa.Column("allowed", sa.Text(), nullable=False),
)

CANONICAL_FILES = sa.Table(
    "canonical_files",
    METADATA,
    sa.Column("name", sa.Text(), primary_key=True),
    sa.Column("part", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column(BATCH, sa.BigInteger(), nullable=False, comment="the last batch whose rows they hold"),
    sa.Column("contents", sa.LargeBinary(), nullable=False),
)


DECISIONS = sa.Table(
    "account_decisions",
    METADATA,
    sa.Column("number", sa.BigInteger(), nullable=False, comment="of the decision, in their order"),
    sa.Column("merge_id", sa.BigInteger(), nullable=False, comment="the merge that it makes, or that it undoes"),
    sa.Column("account_id", sa.Text(), nullable=False),
    sa.Column("into_id", sa.Text(), comment="the account that it is from then on; empty where a merge is undone"),
    sa.Column("decided_at", sa.BigInteger(), nullable=False, comment="UTC seconds"),
    sa.Column("decided_by", sa.Text(), nullable=False),
)

ERASURES = sa.Table(
    "erasures",
    METADATA,
    sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("erased_at", sa.BigInteger(), nullable=False, comment="UTC seconds"),
    sa.Column("scrubbed_at", sa.BigInteger(), comment="UTC seconds; empty until the files are clean"),
    sa.Column("receipt", sa.Text(), nullable=False, comment="JSON"),
)

TOMBSTONES = sa.Table(
    "tombstones",
    METADATA,
    sa.Column("kind", sa.Text(), nullable=False, comment="what was erased"),
    sa.Column("digest", sa.Text(), nullable=False, comment="keyed by erasure_key"),
)

ERASURE_KEY = sa.Table("erasure_key", METADATA, sa.Column("key", sa.Text(), nullable=False, comment="hexadecimal"))
