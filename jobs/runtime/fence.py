"""Whether a run may still buy: the database is the file that it opened, and no other run took it.

A lock file that somebody deleted, a database that was restored or replaced under a living run: each
would let one row be bought twice, or write what was bought where nobody finds it.
"""

import logging
import sqlite3
from datetime import datetime

from ..ports.purchases import Breach, Lost
from ..store import Store

log = logging.getLogger(__name__)


class Fence:
    """Stands between a run and a database that is no longer its own.

    Args:
        store: of the run.
        run_id: random: it names the run in the database.
    """

    def __init__(self, store: Store, run_id: str) -> None:
        self._store = store
        self.run_id = run_id

    def breach(self, lost: Lost) -> Breach:
        """Return why this run must buy nothing more."""
        return Breach(self._store.path, lost)

    def rescued(self, lost: Lost, now: datetime) -> Breach:
        """Return the same, with where what was bought is written.

        Where the file is gone, what was written into it is copied to a file beside its name.
        """
        if lost in (Lost.TAKEN, Lost.LINKED):
            return self.breach(lost)
        try:
            copy = self._store.rescue(f"rescued-{now:%Y%m%d-%H%M%S}")
        except (OSError, sqlite3.Error) as error:
            log.exception("the lost database could not be copied")
            return Breach(self._store.path, lost, trouble=str(error) or type(error).__name__)
        return Breach(self._store.path, lost, copy)
