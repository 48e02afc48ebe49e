"""Which system told of an interaction, decisions about accounts, and what was erased."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns and tables; the view of the latest interactions shows the new columns, too."""
    op.add_column("interactions", sa.Column("source", sa.Text()))
    op.add_column("interactions", sa.Column("shared_id", sa.Text()))
    op.execute("DROP VIEW latest_interactions")
    place = "row_number() OVER (PARTITION BY interaction_id ORDER BY known_at DESC NULLS LAST)"
    columns = ", ".join(f'"{column["name"]}"' for column in sa.inspect(op.get_bind()).get_columns("interactions"))
    versions = f"SELECT *, {place} AS place FROM interactions"
    op.execute(f"CREATE VIEW latest_interactions AS SELECT {columns} FROM ({versions}) AS versions WHERE place = 1")

    op.create_table(
        "account_decisions",
        sa.Column("number", sa.BigInteger(), nullable=False, comment="of the decision, in their order"),
        sa.Column("merge_id", sa.BigInteger(), nullable=False, comment="the merge that it makes, or that it undoes"),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("into_id", sa.Text(), comment="the account that it is from then on; empty where a merge is undone"),
        sa.Column("decided_at", sa.BigInteger(), nullable=False, comment="UTC seconds"),
        sa.Column("decided_by", sa.Text(), nullable=False),
    )
    op.create_table(
        "erasures",
        sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("erased_at", sa.BigInteger(), nullable=False, comment="UTC seconds"),
        sa.Column("scrubbed_at", sa.BigInteger(), comment="UTC seconds; empty until the files are clean"),
        sa.Column("receipt", sa.Text(), nullable=False, comment="JSON"),
    )
    op.create_table(
        "tombstones",
        sa.Column("kind", sa.Text(), nullable=False, comment="what was erased"),
        sa.Column("digest", sa.Text(), nullable=False, comment="keyed by erasure_key"),
    )
    key = op.create_table("erasure_key", sa.Column("key", sa.Text(), nullable=False, comment="hexadecimal"))
    op.bulk_insert(key, [{"key": secrets.token_hex(32)}])


def downgrade() -> None:
    """A store is not taken back."""
    raise NotImplementedError("what was decided and erased would be lost")
