"""Which run a person has asked to stop, and since when a batch is archived; none so far."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the two columns."""
    op.add_column("account", sa.Column("stop_run", sa.Text(), nullable=True))
    op.add_column("batch", sa.Column("archived_at", sa.DateTime(), nullable=True))
