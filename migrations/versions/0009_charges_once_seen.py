"""A charge that the balance showed once stays seen, and days pass by our clock too."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("account", sa.Column("unsteady_ours", sa.DateTime(), nullable=True))
    op.add_column(
        "account", sa.Column("exceeded", sa.Boolean(), nullable=False, server_default=sa.text("0"))
    )
    for name in ("cut_off", "seen_charged"):
        flag = sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.text("0"))
        op.add_column("attempt", flag)
    op.execute("UPDATE account SET unsteady_ours = quiet_at WHERE unsteady_at IS NOT NULL")
