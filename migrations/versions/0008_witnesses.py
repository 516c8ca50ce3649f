"""What the balance and the list were seen to do before, kept with the account and the attempt."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    keep_addresses()
    ask_for_single_videos()
    keep_what_is_asked_for()
    keep_agreement()


def keep_addresses() -> None:
    """Keep with each finished attempt where its video is, as far as a job still tells."""
    op.add_column("attempt", sa.Column("video_url", sa.Text(), nullable=True))
    op.execute(
        "UPDATE attempt SET video_url = job.video_url FROM job"
        " WHERE job.attempt_id = attempt.id AND job.state = 'completed'"
        " AND attempt.state = 'completed'"
    )


def ask_for_single_videos() -> None:
    """Let nobody but a person buy what ``generate`` left queued: 0007 let the next run do so."""
    op.execute(
        "UPDATE job SET held_back = 'unasked', held_beneath = NULL"
        " WHERE state = 'queued' AND held_back = 'not_looked'"
        " AND batch_id IN (SELECT id FROM batch WHERE name = 'adhoc')"
    )


def keep_what_is_asked_for() -> None:
    """Keep whether the runner serves what is handed to it, and which rows were asked for by name."""
    op.add_column(
        "account", sa.Column("serving", sa.Boolean(), nullable=False, server_default=sa.text("0"))
    )
    op.add_column(
        "job", sa.Column("named", sa.Boolean(), nullable=False, server_default=sa.text("0"))
    )


def keep_agreement() -> None:
    """Keep how far the balance has agreed; the last quiet reading of before says too little."""
    op.add_column("account", sa.Column("quiet_theirs", sa.DateTime(), nullable=True))
    op.add_column("account", sa.Column("quiet_attempt", sa.Integer(), nullable=True))
    op.add_column("account", sa.Column("quiet_mishaps", sa.Integer(), nullable=True))
    for name in ("agreed_micros", "drift_micros"):
        zero = sa.Column(name, sa.BigInteger(), nullable=False, server_default="0")
        op.add_column("account", zero)
    op.add_column("account", sa.Column("unsteady_at", sa.DateTime(), nullable=True))
    op.execute(
        "UPDATE account SET quiet_balance_micros = NULL, quiet_charged_micros = NULL,"
        " quiet_at = NULL"
    )
    op.add_column(
        "attempt",
        sa.Column("void_on_word", sa.Boolean(), nullable=False, server_default=sa.text("0")),
    )
    op.execute(
        "UPDATE attempt SET void_on_word = 1"
        " WHERE state = 'void' AND error = 'a person said that it was never made'"
    )
