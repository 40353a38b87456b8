"""Accounts, call history, mailboxes."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the first tables."""
    op.create_table("resource", sa.Column("id", sa.String(36), primary_key=True))
    op.create_table(
        "accounts",
        sa.Column("raw_id", sa.String(256), primary_key=True),
        sa.Column("name", sa.String(64), unique=True),
        sa.Column("display_name", sa.String(256), nullable=False),
        sa.Column("settings", sa.Text, nullable=False),
        sa.Column("token_version", sa.Integer, nullable=False),
    )
    op.create_table(
        "aliases",
        sa.Column("alias", sa.String(256), primary_key=True),
        sa.Column("owner", sa.String(256), nullable=False, index=True),
    )
    op.create_table(
        "history",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("call_id", sa.String(64), nullable=False),
        sa.Column("caller", sa.String(256), nullable=False, index=True),
        sa.Column("callee", sa.String(256), nullable=False, index=True),
        sa.Column("transferor", sa.String(256)),
        sa.Column("kind", sa.String(16)),
        sa.Column("placed_at", sa.Double, nullable=False),
        sa.Column("answered_at", sa.Double),
        sa.Column("ended_at", sa.Double, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_table(
        "messages",
        sa.Column("owner", sa.String(256), primary_key=True),
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("folder", sa.String(16), nullable=False),
        sa.Column("received_at", sa.Double, nullable=False),
        sa.Column("envelope", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Drop them all."""
    for table in ("messages", "history", "aliases", "accounts", "resource"):
        op.drop_table(table)
