"""Taking over from an earlier runner, however it ended."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from ..ports.purchases import Recovery
from . import looks, outcomes, unended

FARTHEST = timedelta(days=8)
"""A look or a retry planned farther ahead than any flag allows: the clock was set back since."""


def recover(connection: Connection, now: datetime, boot: str | None = None) -> Recovery:
    """Take over from a runner that ended in any way; the lock must be held."""
    looks.heed_clock(connection, now, FARTHEST)
    unended.fold_ids(connection)
    return Recovery(
        doubts=outcomes.doubt_all_open(connection, now, boot),
        overdue=looks.look_again_at_overdue(connection, now),
    )
