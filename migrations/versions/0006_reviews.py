"""What a person thinks of each video; and when jobs ended, in order, for plots over time."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "review",
        sa.Column("attempt_id", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("attempt_id", name="pk_review"),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempt.id"], name="fk_review_attempt_id"),
        sa.CheckConstraint("verdict IN ('favourite', 'rejected')", name="verdict"),
    )
    op.create_index(
        "ix_job_completed",
        "job",
        ["batch_id", "completed_at"],
        sqlite_where=sa.text("completed_at IS NOT NULL"),
    )
