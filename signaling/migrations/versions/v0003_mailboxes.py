"""Deleted messages can be had back; owners set what their mailboxes do."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the new columns and the table of mailboxes; what was deleted before stays gone."""
    op.add_column("messages", sa.Column("moved_at", sa.Double, nullable=False, server_default="0"))
    op.add_column("messages", sa.Column("was", sa.String(16), nullable=False, server_default=""))
    op.execute("UPDATE messages SET moved_at = received_at")
    op.execute("UPDATE messages SET folder = 'gone' WHERE folder = 'deleted'")
    op.create_table(
        "mailboxes",
        sa.Column("owner", sa.String(256), primary_key=True),
        sa.Column("settings", sa.Text, nullable=False),
        sa.Column("pin", sa.String(256), nullable=False),
    )


def downgrade() -> None:
    """Drop them; what is in the folder of deleted messages is gone, and places are given up."""
    op.execute("UPDATE messages SET folder = 'deleted', envelope = '' WHERE folder IN ('gone', 'deleted')")
    op.execute("DELETE FROM messages WHERE folder = 'reserved'")
    op.drop_table("mailboxes")
    with op.batch_alter_table("messages") as messages:
        messages.drop_column("was")
        messages.drop_column("moved_at")
