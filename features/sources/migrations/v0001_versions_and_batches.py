"""Versions of the canonical rows, the log of batches, rejects, and the canonical files."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_LETTERS = {"t": sa.Text, "s": sa.BigInteger, "i": sa.BigInteger, "f": sa.Double, "b": sa.Boolean}
"""text, seconds, integer, float, bool; a capital letter is required."""

_TABLES = {
    "accounts": "T account_id, t name, t industry, t country, t owner, f potential, f wallet, b retain, s created_at, "
    "s valid_from, s recorded_at, s updated_at",
    "contacts": "T contact_id, T account_id, t name, t email, i seniority, b decision_maker, t interests, t time_zone, "
    "s created_at, s valid_from, s recorded_at, s updated_at",
    "interactions": "T interaction_id, T account_id, S at, T kind, T actor, t contact_id, s recorded_at, t subtype, "
    "t topic, t channel, t thread_id, t reply_to, t about_id, b auto, b prompted, i words, t text, s due_at, "
    "s resolved_at, t outcome, s outcome_recorded_at, f amount, f amount_agreed, f minutes, f minutes_late, i level, "
    "f rating, t phase, b strategic, b senior, b prepared, i non_verbal, f politeness, b us_present, "
    "t related_contact_id, t related_account_id, t our_contact_id, s updated_at",
    "deals": "T deal_id, T account_id, S opened_at, t kind, t outcome, s closed_at, s recorded_at, "
    "s outcome_recorded_at, f amount, f margin, f concession, f client_concession, b goal_met, s starts_on, s ends_on, "
    "b competitive, t lost_to, t lost_reason, t owner, s updated_at",
    "stage_reviews": "T account_id, S at, T stage, t reviewer, s recorded_at, s updated_at",
}

_THING = {
    "accounts": "account_id, valid_from",
    "contacts": "contact_id, valid_from",
    "interactions": "interaction_id",
    "deals": "deal_id",
}
"""What the versions of one thing share; a stage review has but one."""


def upgrade() -> None:
    """Make all tables and views."""
    for name, described in _TABLES.items():
        columns = [pair.split() for pair in described.split(",")]
        op.create_table(
            name,
            *(sa.Column(column, _LETTERS[letter.lower()](), nullable=letter.islower()) for letter, column in columns),
            sa.Column("own", sa.Text()),
            sa.Column("known_at", sa.BigInteger()),
            sa.Column("batch_id", sa.BigInteger(), nullable=False),
        )
        shown = ", ".join([f'"{column}"' for _, column in columns] + ["own", "known_at", "batch_id"])
        place = "1"
        if name in _THING:
            place = f"row_number() OVER (PARTITION BY {_THING[name]} ORDER BY known_at DESC NULLS LAST)"
        versions = f'SELECT *, {place} AS place FROM "{name}"'
        op.execute(f"CREATE VIEW latest_{name} AS SELECT {shown} FROM ({versions}) AS versions WHERE place = 1")
    op.create_table(
        "batches",
        sa.Column("batch_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("accepted_at", sa.BigInteger(), nullable=False, comment="UTC seconds"),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False, comment="of the rows as they came"),
        sa.Column("declared", sa.Text(), nullable=False, comment="what the source declares of the data set, as JSON"),
        sa.Column("own_columns", sa.Text(), nullable=False, comment="names by table, as JSON"),
        sa.Column("counts", sa.Text(), nullable=False, comment="rows by table, as JSON"),
    )
    op.create_table(
        "rejects",
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("row_number", sa.BigInteger(), nullable=False),
        sa.Column("column_name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("allowed", sa.Text(), nullable=False),
    )
    op.create_table(
        "canonical_files",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("part", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False, comment="the last batch whose rows they hold"),
        sa.Column("contents", sa.LargeBinary(), nullable=False),
    )
    if op.get_context().dialect.name == "postgresql":  # they are compressed already
        op.execute("ALTER TABLE canonical_files ALTER COLUMN contents SET STORAGE EXTERNAL")


def downgrade() -> None:
    """There is nothing before this."""
    raise NotImplementedError("a store is not taken back to before its first form")
