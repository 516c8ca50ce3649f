"""Taking over from an earlier runner, however it ended."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from .store import Store, looks, outcomes, unended

FARTHEST = timedelta(days=8)
"""A look or a retry planned farther ahead than any flag allows: the clock was set back since."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """What an earlier runner left behind.

    Attributes:
        doubts: attempts whose submission was under way when it ended, now in doubt.
        overdue: overdue generations that this run looks at first.
    """

    doubts: int
    overdue: int


def recover(store: Store, now: datetime, boot: str | None = None) -> Recovery:
    """Take over from a runner that ended in any way; the lock must be held."""

    def work(connection: Connection) -> Recovery:
        looks.heed_clock(connection, now, FARTHEST)
        unended.fold_ids(connection)
        return Recovery(
            doubts=outcomes.doubt_all_open(connection, now, boot),
            overdue=looks.look_again_at_overdue(connection, now),
        )

    return store.write(work)
