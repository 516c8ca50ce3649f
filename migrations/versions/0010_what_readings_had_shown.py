"""What readings had shown before 0009 kept it counts as seen, and what was cut off is asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, and take it that the balance had fallen for what is unsettled.

    An older version read the balance when it had fallen for one of them, and kept no word of it.
    They wait for a person, unless they are found, until the next quiet reading.
    """
    nothing = sa.Column("cut_off_micros", sa.BigInteger(), nullable=False, server_default="0")
    op.add_column("account", nothing)
    op.add_column("account", sa.Column("cut_off_attempt", sa.Integer(), nullable=True))
    op.execute(
        "UPDATE account SET exceeded = 1"
        " WHERE EXISTS (SELECT 1 FROM attempt WHERE state IN ('open', 'in_doubt'))"
    )
