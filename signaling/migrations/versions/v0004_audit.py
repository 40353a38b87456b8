"""Who heard, changed or was refused what of a mailbox."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("owner", sa.String(256), nullable=False),
        sa.Column("at", sa.Double, nullable=False, index=True),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("actor", sa.String(256), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("message", sa.String(64)),
        sa.Column("detail", sa.String(256), nullable=False),
    )
    op.create_index("ix_audit_of", "audit", ["owner", "id"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("audit")
