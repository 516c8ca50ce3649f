"""Which words of people count although the list proves nothing: those that are said for this run.

A word covers what there was by then. Where the list shows what was made since, that is found. Where
it proves nothing, a word that a backup brought back would cover what was bought after the backup.
"""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, select

from ..database.tables import ACCOUNT
from ..ports.adoption import Words

WITHIN: Final = timedelta(hours=1)
"""How long a word counts for a run that begins then."""


def that_count(connection: Connection, now: datetime, *, in_run: bool = False) -> Words:
    """Find which words count now: those of the last hour, except those that a run had already.

    Args:
        connection: any.
        now: by our clock.
        in_run: a run is at work: what was said for it counts until it ends.
    """
    began: datetime | None = connection.execute(select(ACCOUNT.c.run_at)).scalar_one_or_none()
    if began is None:
        return Words(now - WITHIN, now)
    return Words(began - WITHIN if in_run else max(began, now - WITHIN), now)
