"""Batches that a person removed: out of every list, yet their generations stay known."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("batch", sa.Column("removed_at", sa.DateTime(), nullable=True))
