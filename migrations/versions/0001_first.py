"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("api_origin", sa.Text(), nullable=True),
        sa.Column("token_salt", sa.Text(), nullable=True),
        sa.Column("token_hash", sa.Text(), nullable=True),
        sa.Column("floor_micros", sa.BigInteger(), nullable=False),
        sa.Column("balance_micros", sa.BigInteger(), nullable=True),
        sa.Column("balance_at", sa.DateTime(), nullable=True),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_account_single")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
    )
    op.create_table(
        "batch",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("columns", sa.JSON(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("max_price_micros", sa.BigInteger(), nullable=True),
        sa.Column("waiting_for", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batch")),
        sa.UniqueConstraint("name", name=op.f("uq_batch_name")),
    )
    op.create_table(
        "budget",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("cap_micros", sa.BigInteger(), nullable=True),
        sa.Column("charged_micros", sa.BigInteger(), nullable=False),
        sa.Column("held_micros", sa.BigInteger(), nullable=False),
        sa.Column("refunded_micros", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("charged_micros >= 0", name=op.f("ck_budget_charged")),
        sa.CheckConstraint("held_micros >= 0", name=op.f("ck_budget_held")),
        sa.CheckConstraint("refunded_micros >= 0", name=op.f("ck_budget_refunded")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_budget")),
    )
    op.create_table(
        "price",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("last_micros", sa.BigInteger(), nullable=False),
        sa.Column("highest_micros", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.DateTime(), nullable=False),
        sa.CheckConstraint("source IN ('configured', 'learned')", name=op.f("ck_price_source")),
        sa.PrimaryKeyConstraint("kind", name=op.f("pk_price")),
    )
    op.create_table(
        "job",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("key_from_content", sa.Boolean(), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("orientation", sa.Text(), nullable=False),
        sa.Column("duration", sa.Integer(), nullable=False),
        sa.Column("image", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("callback_url", sa.Text(), nullable=True),
        sa.Column("campaign", sa.Text(), nullable=True),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("in_manifest", sa.Boolean(), nullable=False),
        sa.Column("cells", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempt_id", sa.Integer(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("retries", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(), nullable=True),
        sa.Column("charged_micros", sa.BigInteger(), nullable=False),
        sa.Column("video_url", sa.Text(), nullable=True),
        sa.Column("error_kind", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("submitted_at", sa.DateTime(), nullable=True),
        sa.Column("completed_at", sa.DateTime(), nullable=True),
        sa.CheckConstraint(
            "error_kind IS NULL OR error_kind IN ('validation', 'image', 'content', 'system', 'timeout', 'overdue')",
            name=op.f("ck_job_error_kind"),
        ),
        sa.CheckConstraint("orientation IN ('9:16', '16:9')", name=op.f("ck_job_orientation")),
        sa.CheckConstraint(
            "state != 'completed' OR video_url IS NOT NULL", name=op.f("ck_job_completed_has_url")
        ),
        sa.CheckConstraint(
            "state != 'failed' OR error_kind IS NOT NULL", name=op.f("ck_job_failed_has_kind")
        ),
        sa.CheckConstraint(
            "state IN ('queued', 'submitting', 'in_doubt', 'pending', 'processing', 'completed', 'failed', 'cancelled')",
            name=op.f("ck_job_state"),
        ),
        sa.ForeignKeyConstraint(["batch_id"], ["batch.id"], name=op.f("fk_job_batch_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
        sa.UniqueConstraint("batch_id", "key", name=op.f("uq_job_batch_id_key")),
    )
    op.create_index("ix_job_batch_state", "job", ["batch_id", "state"], unique=False)
    op.create_table(
        "attempt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("hold_micros", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("intent_at", sa.DateTime(), nullable=False),
        sa.Column("send_before", sa.DateTime(), nullable=False),
        sa.Column("doubt_since", sa.DateTime(), nullable=True),
        sa.Column("generation_id", sa.Text(), nullable=True),
        sa.Column("price_micros", sa.BigInteger(), nullable=True),
        sa.Column("price_estimated", sa.Boolean(), nullable=False),
        sa.Column("accepted_at", sa.DateTime(), nullable=True),
        sa.Column("next_look_at", sa.DateTime(), nullable=True),
        sa.Column("overdue_at", sa.DateTime(), nullable=True),
        sa.Column("percent", sa.Integer(), nullable=True),
        sa.Column("queue_position", sa.Integer(), nullable=True),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('open', 'accepted', 'rejected', 'in_doubt', 'void', 'completed', 'failed', 'abandoned')",
            name=op.f("ck_attempt_state"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('accepted', 'completed', 'failed', 'abandoned') OR (generation_id IS NOT NULL AND price_micros IS NOT NULL)",
            name=op.f("ck_attempt_accepted_has_id_and_price"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('rejected', 'void') OR price_micros IS NULL",
            name=op.f("ck_attempt_not_created_is_free"),
        ),
        sa.CheckConstraint("hold_micros >= 0", name=op.f("ck_attempt_hold")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_attempt_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempt")),
    )
    op.create_index("ix_attempt_job_id", "attempt", ["job_id"], unique=False)
    op.create_index(
        "ix_attempt_look",
        "attempt",
        ["next_look_at"],
        unique=False,
        sqlite_where=sa.text("state = 'accepted'"),
        postgresql_where=sa.text("state = 'accepted'"),
    )
    op.create_index("uq_attempt_generation_id", "attempt", ["generation_id"], unique=True)
    op.create_index(
        "uq_attempt_live",
        "attempt",
        ["job_id"],
        unique=True,
        sqlite_where=sa.text("state IN ('open', 'in_doubt', 'accepted')"),
        postgresql_where=sa.text("state IN ('open', 'in_doubt', 'accepted')"),
    )
    op.create_table(
        "artifact",
        sa.Column("attempt_id", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=True),
        sa.Column("bytes", sa.BigInteger(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("fetched_at", sa.DateTime(), nullable=True),
        sa.CheckConstraint(
            "sha256 IS NULL OR (path IS NOT NULL AND bytes IS NOT NULL)",
            name=op.f("ck_artifact_there_is_whole"),
        ),
        sa.ForeignKeyConstraint(
            ["attempt_id"], ["attempt.id"], name=op.f("fk_artifact_attempt_id")
        ),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_artifact_job_id")),
        sa.PrimaryKeyConstraint("attempt_id", name=op.f("pk_artifact")),
    )
    op.create_index(op.f("ix_artifact_job_id"), "artifact", ["job_id"], unique=False)
    op.create_index(
        "ix_job_queue",
        "job",
        ["batch_id", "retries", sa.text("priority DESC"), "id"],
        sqlite_where=sa.text("state = 'queued'"),
        postgresql_where=sa.text("state = 'queued'"),
    )
    # the account's row and its budget are always there, so that nothing has to create them in a race
    op.execute("INSERT INTO account (id, floor_micros, time_zone) VALUES (1, 0, 'UTC')")
    op.execute(
        "INSERT INTO budget (key, charged_micros, held_micros, refunded_micros)"
        " VALUES ('account', 0, 0, 0)"
    )
