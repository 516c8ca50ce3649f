"""What a callback says that came to an attempt's own address: which generation it is."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Keep it with the attempt; a callback of before names none."""
    op.add_column("attempt", sa.Column("announced_as", sa.Text(), nullable=True))
