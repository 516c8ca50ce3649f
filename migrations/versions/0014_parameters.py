"""What a request says beyond the fields that every model has; rows so far say nothing."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; the model stands in the kind's key."""
    op.add_column("job", sa.Column("parameters", sa.JSON(), nullable=False, server_default="{}"))
