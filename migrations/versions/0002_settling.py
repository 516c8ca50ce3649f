"""What settling doubts, refunds and the comparison with the balance need to know."""

import hashlib
import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

UNSETTLED = sa.text("state IN ('open', 'in_doubt')")


def upgrade() -> None:
    op.add_column("account", sa.Column("first_balance_micros", sa.BigInteger(), nullable=True))
    op.add_column("account", sa.Column("first_balance_at", sa.DateTime(), nullable=True))
    op.add_column("account", sa.Column("first_charged_micros", sa.BigInteger(), nullable=True))
    op.add_column("batch", sa.Column("refunds", sa.Text(), server_default="none", nullable=False))
    op.add_column("attempt", sa.Column("fingerprint", sa.Text(), nullable=True))
    op.add_column("attempt", sa.Column("prompt_key", sa.Text(), nullable=True))
    op.add_column("attempt", sa.Column("created_at", sa.DateTime(), nullable=True))
    op.add_column("attempt", sa.Column("candidates", sa.JSON(none_as_null=True), nullable=True))
    op.add_column(
        "attempt",
        sa.Column("refunded_micros", sa.BigInteger(), server_default="0", nullable=False),
    )
    fill_unsettled()
    op.create_index(
        "ix_attempt_unsettled",
        "attempt",
        ["prompt_key"],
        unique=False,
        sqlite_where=UNSETTLED,
        postgresql_where=UNSETTLED,
    )
    op.create_index(
        "ix_attempt_void",
        "attempt",
        ["ended_at"],
        unique=False,
        sqlite_where=sa.text("state = 'void'"),
        postgresql_where=sa.text("state = 'void'"),
    )


def fill_unsettled() -> None:
    """Name the prompts of attempts whose end is not known: the others are never compared again."""
    connection = op.get_bind()
    rows = connection.execute(
        sa.text(
            "SELECT attempt.id, attempt.prompt, job.fingerprint FROM attempt JOIN job"
            " ON job.id = attempt.job_id WHERE attempt.state IN ('open', 'in_doubt', 'void')"
        )
    ).all()
    for number, prompt, fingerprint in rows:
        connection.execute(
            sa.text("UPDATE attempt SET prompt_key = :key, fingerprint = :print WHERE id = :id"),
            {"key": prompt_key(prompt), "print": fingerprint, "id": number},
        )


def prompt_key(prompt: str) -> str:
    """Fold and hash a prompt as the program did at this revision."""
    folded = " ".join(unicodedata.normalize("NFC", prompt).split())
    return hashlib.sha256(folded.encode("utf-8", "surrogatepass")).hexdigest()[:32]
