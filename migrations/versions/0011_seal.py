"""The seal, by which a database is known to be of whoever uses it."""

import sqlalchemy as sa
from alembic import context, op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; a database that is made just now is sealed by whoever makes it.

    An older one is sealed by its next run, which knows the token that it is bound to, or asks.
    """
    op.add_column("account", sa.Column("seal", sa.Text(), nullable=True))
    seal = context.config.attributes.get("seal")
    if seal is not None:
        op.execute(sa.text("UPDATE account SET seal = :seal").bindparams(seal=seal))
