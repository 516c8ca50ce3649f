"""The seal, by which a database is known to be of whoever uses it."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; the next run seals it, which knows the token that it is bound to, or asks."""
    op.add_column("account", sa.Column("seal", sa.Text(), nullable=True))
