"""How a batch's manifest was read, and what a row said there whose prompt was changed by hand."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("batch", sa.Column("reading", sa.JSON(), nullable=True))
    op.add_column("job", sa.Column("manifest_fingerprint", sa.Text(), nullable=True))
