"""What the balance and the list were seen to do before, kept with the account and the attempt."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column(
        "account", sa.Column("serving", sa.Boolean(), nullable=False, server_default=sa.text("0"))
    )
    op.add_column(
        "job", sa.Column("named", sa.Boolean(), nullable=False, server_default=sa.text("0"))
    )
