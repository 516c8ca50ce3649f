"""Events: what happened, written in the transaction that it tells of (jobs/ports/events.py)."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

JOB_EVENT = """
CREATE TRIGGER job_event AFTER UPDATE OF state ON job
WHEN NEW.state = 'completed'
    OR NEW.state = 'failed' AND OLD.state NOT IN ('queued', 'cancelled')
    OR NEW.state = 'queued' AND OLD.state IN ('pending', 'processing')
BEGIN
    INSERT INTO event (at, kind, batch_id, job_id, attempt_id, reason, message)
    VALUES (
        coalesce(
            NEW.completed_at, (SELECT ended_at FROM attempt WHERE id = NEW.attempt_id),
            NEW.created_at
        ),
        CASE NEW.state WHEN 'queued' THEN 'retrying' ELSE NEW.state END,
        NEW.batch_id, NEW.id, NEW.attempt_id,
        NEW.error_kind, NEW.error
    );
END
"""
ATTEMPT_EVENT = """
CREATE TRIGGER attempt_event AFTER UPDATE OF state ON attempt
WHEN NEW.state IN ('accepted', 'in_doubt', 'void') AND OLD.state != NEW.state
    OR NEW.state = 'abandoned' AND OLD.state = 'void'
BEGIN
    INSERT INTO event (at, kind, batch_id, job_id, attempt_id) VALUES (
        coalesce(
            CASE NEW.state WHEN 'accepted' THEN NEW.accepted_at
                WHEN 'in_doubt' THEN NEW.doubt_since ELSE NEW.ended_at END,
            NEW.intent_at
        ),
        CASE NEW.state WHEN 'in_doubt' THEN 'unconfirmed' WHEN 'void' THEN 'never_made'
            WHEN 'abandoned' THEN 'paid_twice'
            ELSE CASE OLD.state WHEN 'open' THEN 'accepted' ELSE 'found' END END,
        coalesce(NEW.batch_id, (SELECT batch_id FROM job WHERE id = NEW.job_id)),
        NEW.job_id, NEW.id
    );
END
"""
ATTEMPT_FOUND = """
CREATE TRIGGER attempt_found AFTER INSERT ON attempt WHEN NEW.state = 'accepted'
BEGIN
    INSERT INTO event (at, kind, batch_id, job_id, attempt_id) VALUES (
        coalesce(NEW.accepted_at, NEW.intent_at), 'found',
        coalesce(NEW.batch_id, (SELECT batch_id FROM job WHERE id = NEW.job_id)),
        NEW.job_id, NEW.id
    );
END
"""


def upgrade() -> None:
    """Add the table and the triggers that fill it; what happened before is not told."""
    op.create_table(
        "event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=True),
        sa.Column("job_id", sa.Integer(), nullable=True),
        sa.Column("attempt_id", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_event"),
    )
    op.create_index(
        "ix_event_notable",
        "event",
        ["batch_id", "id"],
        sqlite_where=sa.text("kind NOT IN ('accepted', 'completed')"),
    )
    for trigger in (JOB_EVENT, ATTEMPT_EVENT, ATTEMPT_FOUND):
        op.execute(trigger)
