"""Counts that are kept, and which attempt's file a job has: nobody counts a million rows again."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

JOB_MOVED = """
CREATE TRIGGER job_moved AFTER UPDATE OF state, error_kind ON job BEGIN
    UPDATE tally SET jobs = jobs - 1
    WHERE batch_id = OLD.batch_id AND state = OLD.state
        AND error_kind = CASE OLD.state WHEN 'failed' THEN OLD.error_kind ELSE '' END;
    INSERT INTO tally (batch_id, state, error_kind, jobs)
    VALUES (
        NEW.batch_id, NEW.state,
        CASE NEW.state WHEN 'failed' THEN NEW.error_kind ELSE '' END, 1
    )
    ON CONFLICT DO UPDATE SET jobs = jobs + 1;
END
"""
JOB_GONE = """
CREATE TRIGGER job_gone AFTER DELETE ON job BEGIN
    UPDATE tally SET jobs = jobs - 1
    WHERE batch_id = OLD.batch_id AND state = OLD.state
        AND error_kind = CASE OLD.state WHEN 'failed' THEN OLD.error_kind ELSE '' END;
END
"""


def upgrade() -> None:
    op.create_table(
        "tally",
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("error_kind", sa.Text(), nullable=False),
        sa.Column("jobs", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("batch_id", "state", "error_kind", name="pk_tally"),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO tally (batch_id, state, error_kind, jobs)"
        " SELECT batch_id, state, CASE state WHEN 'failed' THEN error_kind ELSE '' END, count(*)"
        " FROM job GROUP BY 1, 2, 3"
    )
    op.add_column("job", sa.Column("filed_attempt_id", sa.Integer(), nullable=True))
    op.execute(
        "UPDATE job SET filed_attempt_id = attempt_id WHERE attempt_id IN"
        " (SELECT attempt_id FROM artifact WHERE sha256 IS NOT NULL)"
    )
    op.create_index(
        "ix_job_unfiled",
        "job",
        ["batch_id"],
        sqlite_where=sa.text("state = 'completed' AND filed_attempt_id IS NOT attempt_id"),
    )
    op.drop_index("ix_job_queue", "job")
    op.create_index(
        "ix_job_queue",
        "job",
        [
            "batch_id",
            "retries",
            sa.text("priority DESC"),
            "id",
            "in_manifest",
            "row",
            "due_at",
        ],
        sqlite_where=sa.text("state = 'queued'"),
    )
    op.create_index(
        "ix_job_later",
        "job",
        ["batch_id", "due_at"],
        sqlite_where=sa.text("state = 'queued' AND due_at IS NOT NULL"),
    )
    # behind the filling, which moves no job
    op.execute(JOB_MOVED)
    op.execute(JOB_GONE)
