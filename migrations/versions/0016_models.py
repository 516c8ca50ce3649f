"""Models beyond the first: their formats, durations and images, marks, and how late each list is.

``job`` is made again, because SQLite can't change a CHECK or a NOT NULL: a model may have formats
of its own, and leave no choice of a duration. Everything else of it stays as it was.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

JOB = """
CREATE TABLE job_0016 (
    id INTEGER NOT NULL,
    batch_id INTEGER NOT NULL,
    "key" TEXT NOT NULL,
    key_from_content BOOLEAN NOT NULL,
    "row" INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,
    manifest_fingerprint TEXT,
    kind TEXT NOT NULL,
    prompt TEXT NOT NULL,
    orientation TEXT NOT NULL,
    duration INTEGER,
    image JSON,
    callback_url TEXT,
    campaign TEXT,
    priority INTEGER NOT NULL,
    in_manifest BOOLEAN NOT NULL,
    cells JSON NOT NULL,
    state TEXT NOT NULL,
    attempt_id INTEGER,
    attempts INTEGER NOT NULL,
    retries INTEGER NOT NULL,
    due_at DATETIME,
    held_back TEXT,
    held_back_by TEXT,
    held_beneath TEXT,
    overruled_at DATETIME,
    handed BOOLEAN DEFAULT 0 NOT NULL,
    charged_micros BIGINT NOT NULL,
    video_url TEXT,
    error_kind TEXT,
    error TEXT,
    created_at DATETIME NOT NULL,
    submitted_at DATETIME,
    completed_at DATETIME,
    filed_attempt_id INTEGER,
    named BOOLEAN DEFAULT 0 NOT NULL,
    parameters JSON DEFAULT '{}' NOT NULL,
    images JSON DEFAULT '{}' NOT NULL,
    CONSTRAINT pk_job PRIMARY KEY (id),
    CONSTRAINT uq_job_batch_id_key UNIQUE (batch_id, "key"),
    CONSTRAINT ck_job_state CHECK (state IN ('queued', 'submitting', 'in_doubt', 'pending',
        'processing', 'completed', 'failed', 'cancelled')),
    CONSTRAINT ck_job_error_kind CHECK (error_kind IS NULL OR error_kind IN ('validation', 'image',
        'content', 'system', 'timeout', 'overdue', 'unknown', 'no-file')),
    CONSTRAINT ck_job_failed_has_kind CHECK (state != 'failed' OR error_kind IS NOT NULL),
    CONSTRAINT ck_job_completed_has_url CHECK (state != 'completed' OR video_url IS NOT NULL),
    CONSTRAINT ck_job_held_back CHECK (held_back IS NULL OR held_back IN ('unasked', 'left_out',
        'exists', 'paid_before', 'elsewhere', 'not_looked')),
    CONSTRAINT ck_job_held_beneath CHECK (held_beneath IS NULL OR held_back IN ('exists',
        'paid_before', 'elsewhere', 'not_looked')),
    CONSTRAINT fk_job_batch_id FOREIGN KEY(batch_id) REFERENCES batch (id)
)
"""
COLUMNS = (
    'id, batch_id, "key", key_from_content, "row", fingerprint, manifest_fingerprint, kind, '
    "prompt, orientation, duration, image, callback_url, campaign, priority, in_manifest, "
    "cells, state, attempt_id, attempts, retries, due_at, held_back, held_back_by, "
    "held_beneath, overruled_at, handed, charged_micros, video_url, error_kind, error, "
    "created_at, submitted_at, completed_at, filed_attempt_id, named, parameters"
)

INDEXES = (
    """
CREATE INDEX ix_job_queue ON job (batch_id, retries, priority DESC, id, in_manifest, "row", due_at) WHERE state = 'queued' AND held_back IS NULL
""",
    """
CREATE INDEX ix_job_later ON job (batch_id, due_at) WHERE state = 'queued' AND due_at IS NOT NULL
""",
    """
CREATE INDEX ix_job_batch_state ON job (batch_id, state)
""",
    """
CREATE INDEX ix_job_unfiled ON job (batch_id) WHERE state = 'completed' AND filed_attempt_id IS NOT attempt_id
""",
    """
CREATE INDEX ix_job_completed ON job (batch_id, completed_at) WHERE completed_at IS NOT NULL
""",
    """
CREATE INDEX ix_job_handed ON job (state, batch_id) WHERE handed
""",
    """
CREATE INDEX ix_job_held_back ON job (batch_id, held_back) WHERE held_back IS NOT NULL
""",
)
TRIGGERS = {
    "job_moved": """
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
""",
    "job_gone": """
CREATE TRIGGER job_gone AFTER DELETE ON job BEGIN
    UPDATE tally SET jobs = jobs - 1
    WHERE batch_id = OLD.batch_id AND state = OLD.state
        AND error_kind = CASE OLD.state WHEN 'failed' THEN OLD.error_kind ELSE '' END;
END
""",
    "job_event": """
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
""",
    "attempt_event": """
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
""",
    "attempt_found": """
CREATE TRIGGER attempt_found AFTER INSERT ON attempt WHEN NEW.state = 'accepted'
BEGIN
    INSERT INTO event (at, kind, batch_id, job_id, attempt_id) VALUES (
        coalesce(NEW.accepted_at, NEW.intent_at), 'found',
        coalesce(NEW.batch_id, (SELECT batch_id FROM job WHERE id = NEW.job_id)),
        NEW.job_id, NEW.id
    );
END
""",
}


def upgrade() -> None:
    """Make the table again, and add what is kept of an attempt and of each list."""
    for name in TRIGGERS:
        op.execute(f"DROP TRIGGER {name}")
    op.execute(JOB)
    op.execute(f"INSERT INTO job_0016 ({COLUMNS}) SELECT {COLUMNS} FROM job")  # noqa: S608 - ours
    op.execute("DROP TABLE job")
    op.execute("ALTER TABLE job_0016 RENAME TO job")
    for statement in (*INDEXES, *TRIGGERS.values()):
        op.execute(statement)
    op.add_column("attempt", sa.Column("mark", sa.Text(), nullable=True))
    op.add_column("account", sa.Column("list_lags", sa.JSON(), nullable=False, server_default="{}"))
    op.execute(
        "UPDATE account SET list_lags = json_object('sora', list_lag) WHERE list_lag IS NOT NULL"
    )
    op.drop_column("account", "list_lag")
