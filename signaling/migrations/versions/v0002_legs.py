"""Who answered a call, over which forwards, and how it ended for each user in it."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the new columns and the table of legs; calls filed before get the two legs that are known."""
    op.add_column("history", sa.Column("answered_by", sa.String(256)))
    op.add_column("history", sa.Column("via", sa.Text, nullable=False, server_default="[]"))
    op.create_table(
        "history_legs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("history", sa.Integer, nullable=False, index=True),
        sa.Column("raw_id", sa.String(256), nullable=False),
        sa.Column("reason", sa.Text),
    )
    op.create_index("ix_history_legs_of", "history_legs", ["raw_id", "history"])
    for party in ("caller", "callee"):
        op.execute(
            f"INSERT INTO history_legs (history, raw_id, reason) SELECT id, {party}, reason FROM history"
        )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("history_legs")
    with op.batch_alter_table("history") as history:
        history.drop_column("via")
        history.drop_column("answered_by")
