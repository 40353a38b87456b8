"""What users say of their calls."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the table of surveys."""
    op.create_table(
        "surveys",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("call_id", sa.String(64), nullable=False),
        sa.Column("raw_id", sa.String(256), nullable=False),
        sa.Column("submitted_at", sa.Double, nullable=False),
        sa.Column("survey", sa.Text, nullable=False),
    )
    op.create_index("ix_surveys_of", "surveys", ["call_id", "raw_id"], unique=True)
    op.create_index("ix_history_call_id", "history", ["call_id"])


def downgrade() -> None:
    """Drop it."""
    op.drop_index("ix_history_call_id", "history")
    op.drop_table("surveys")
