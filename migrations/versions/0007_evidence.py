"""Evidence before money: what a purchase may rest on, kept with the row, the attempt and the kind.

``job`` and ``price`` are made again, because SQLite can't change a CHECK; everything else of them
stays as it was. The totals of campaigns are counted once more by the campaign that each attempt is
now kept with: a row that changed its campaign while it was unconfirmed had left them wrong.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

JOB = """
CREATE TABLE job_0007 (
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
    duration INTEGER NOT NULL,
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
    CONSTRAINT pk_job PRIMARY KEY (id),
    CONSTRAINT uq_job_batch_id_key UNIQUE (batch_id, "key"),
    CONSTRAINT ck_job_state CHECK (state IN ('queued', 'submitting', 'in_doubt', 'pending',
        'processing', 'completed', 'failed', 'cancelled')),
    CONSTRAINT ck_job_error_kind CHECK (error_kind IS NULL OR error_kind IN ('validation', 'image',
        'content', 'system', 'timeout', 'overdue', 'unknown', 'no-file')),
    CONSTRAINT ck_job_failed_has_kind CHECK (state != 'failed' OR error_kind IS NOT NULL),
    CONSTRAINT ck_job_completed_has_url CHECK (state != 'completed' OR video_url IS NOT NULL),
    CONSTRAINT ck_job_orientation CHECK (orientation IN ('9:16', '16:9')),
    CONSTRAINT ck_job_held_back CHECK (held_back IS NULL OR held_back IN ('unasked', 'left_out',
        'exists', 'paid_before', 'elsewhere', 'not_looked')),
    CONSTRAINT ck_job_held_beneath CHECK (held_beneath IS NULL OR held_back IN ('exists',
        'paid_before', 'elsewhere', 'not_looked')),
    CONSTRAINT fk_job_batch_id FOREIGN KEY(batch_id) REFERENCES batch (id)
)
"""
COLUMNS = (
    'id, batch_id, "key", key_from_content, "row", fingerprint, manifest_fingerprint, kind, prompt,'
    " orientation, duration, image, callback_url, campaign, priority, in_manifest, cells, state,"
    " attempt_id, attempts, retries, due_at, charged_micros, video_url, error_kind, error,"
    " created_at, submitted_at, completed_at, filed_attempt_id"
)
INDEXES = (
    (
        "CREATE INDEX ix_job_queue ON job (batch_id, retries, priority DESC, id, in_manifest,"
        " \"row\", due_at) WHERE state = 'queued' AND held_back IS NULL"
    ),
    (
        "CREATE INDEX ix_job_later ON job (batch_id, due_at)"
        " WHERE state = 'queued' AND due_at IS NOT NULL"
    ),
    "CREATE INDEX ix_job_batch_state ON job (batch_id, state)",
    (
        "CREATE INDEX ix_job_unfiled ON job (batch_id)"
        " WHERE state = 'completed' AND filed_attempt_id IS NOT attempt_id"
    ),
    "CREATE INDEX ix_job_completed ON job (batch_id, completed_at) WHERE completed_at IS NOT NULL",
    "CREATE INDEX ix_job_handed ON job (state, batch_id) WHERE handed",
    "CREATE INDEX ix_job_held_back ON job (batch_id, held_back) WHERE held_back IS NOT NULL",
)
TRIGGERS = (
    """
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
    """
CREATE TRIGGER job_gone AFTER DELETE ON job BEGIN
    UPDATE tally SET jobs = jobs - 1
    WHERE batch_id = OLD.batch_id AND state = OLD.state
        AND error_kind = CASE OLD.state WHEN 'failed' THEN OLD.error_kind ELSE '' END;
END
""",
)
PRICE = """
CREATE TABLE price_0007 (
    kind TEXT NOT NULL,
    last_micros BIGINT NOT NULL,
    highest_micros BIGINT NOT NULL,
    source TEXT NOT NULL,
    seen_at DATETIME NOT NULL,
    odd_micros BIGINT,
    odd_at DATETIME,
    CONSTRAINT pk_price PRIMARY KEY (kind),
    CONSTRAINT ck_price_source CHECK (source IN ('configured', 'learned', 'set'))
)
"""
CAMPAIGNS = """
SELECT 'campaign:' || attempt.batch_id || ':' || attempt.campaign AS "key",
    sum(CASE WHEN attempt.state IN ('open', 'in_doubt') THEN hold_micros ELSE 0 END) AS held,
    sum(coalesce(price_micros, 0)) AS charged,
    sum(refunded_micros) AS refunded
FROM attempt WHERE attempt.campaign IS NOT NULL GROUP BY 1
"""


def upgrade() -> None:
    op.add_column("account", sa.Column("host", sa.Text(), nullable=True))
    op.add_column("account", sa.Column("run_id", sa.Text(), nullable=True))
    op.add_column("account", sa.Column("run_at", sa.DateTime(), nullable=True))
    op.add_column("account", sa.Column("list_lag", sa.Float(), nullable=True))
    op.add_column("account", sa.Column("quiet_balance_micros", sa.BigInteger(), nullable=True))
    op.add_column("account", sa.Column("quiet_charged_micros", sa.BigInteger(), nullable=True))
    op.add_column("account", sa.Column("quiet_at", sa.DateTime(), nullable=True))
    op.execute(PRICE)
    op.execute(
        "INSERT INTO price_0007 (kind, last_micros, highest_micros, source, seen_at)"
        " SELECT kind, last_micros, highest_micros, source, seen_at FROM price"
    )
    op.execute("DROP TABLE price")
    op.execute("ALTER TABLE price_0007 RENAME TO price")
    remake_job()
    keep_budgets()


def remake_job() -> None:
    op.execute(JOB)
    op.execute(f"INSERT INTO job_0007 ({COLUMNS}) SELECT {COLUMNS} FROM job")  # noqa: S608 - ours
    # whether earlier versions have looked for them is not known
    op.execute("UPDATE job_0007 SET held_back = 'not_looked' WHERE state = 'queued'")
    op.execute("DROP TABLE job")
    op.execute("ALTER TABLE job_0007 RENAME TO job")
    for statement in (*INDEXES, *TRIGGERS):
        op.execute(statement)


def keep_budgets() -> None:
    """Keep with each attempt what it was reserved under, and count the campaigns by that."""
    op.add_column("attempt", sa.Column("batch_id", sa.Integer(), nullable=True))
    op.add_column("attempt", sa.Column("campaign", sa.Text(), nullable=True))
    op.add_column("attempt", sa.Column("said_state", sa.Text(), nullable=True))
    op.add_column("attempt", sa.Column("doubt_clock", sa.Text(), nullable=True))
    op.add_column("attempt", sa.Column("unproven", sa.Text(), nullable=True))
    op.execute(
        "UPDATE attempt SET batch_id = job.batch_id, campaign = job.campaign,"
        " fingerprint = coalesce(attempt.fingerprint, job.fingerprint)"
        " FROM job WHERE job.id = attempt.job_id"
    )
    op.create_index(
        "ix_attempt_fingerprint",
        "attempt",
        ["fingerprint"],
        sqlite_where=sa.text("generation_id IS NOT NULL"),
    )
    op.create_index(
        "ix_attempt_failed", "attempt", ["ended_at"], sqlite_where=sa.text("state = 'failed'")
    )
    op.create_index(
        "ix_attempt_given_up",
        "attempt",
        ["accepted_at"],
        sqlite_where=sa.text("state = 'abandoned'"),
    )
    op.create_index(
        "ix_attempt_estimated", "attempt", ["accepted_at"], sqlite_where=sa.text("price_estimated")
    )
    op.execute(
        "UPDATE budget SET held_micros = 0, charged_micros = 0, refunded_micros = 0"
        " WHERE key LIKE 'campaign:%'"
    )
    for key, held, charged, refunded in op.get_bind().execute(sa.text(CAMPAIGNS)).all():
        op.get_bind().execute(
            sa.text(
                "INSERT INTO budget (key, held_micros, charged_micros, refunded_micros)"
                " VALUES (:key, :held, :charged, :refunded) ON CONFLICT (key) DO UPDATE SET"
                " held_micros = :held, charged_micros = :charged, refunded_micros = :refunded"
            ),
            {"key": key, "held": held, "charged": charged, "refunded": refunded},
        )
