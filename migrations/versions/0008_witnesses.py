"""What the balance and the list were seen to do before, kept with the account and the attempt."""

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
