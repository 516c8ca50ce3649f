"""Whether a run may still buy: the database is the file that it opened, and no other run took it.

A lock file that somebody deleted, a database that was restored or replaced under a living run: each
would let one row be bought twice, or write what was bought where nobody finds it.
"""

import logging
import sqlite3
from datetime import datetime

from .ports.purchases import Lost
from .store import Store

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

    def words(self, lost: Lost) -> str:
        """Return why this run must buy nothing more."""
        if lost is Lost.TAKEN:
            return (
                f"another runner took over {self._store.path} while this one was at work (was its "
                ".lock file deleted?)"
            )
        return f"the database {self._store.path} {lost} while the run was at work"

    def told(self, lost: Lost, now: datetime) -> str:
        """Return what a person must know of it: where what was bought is written, what to do.

        Where the file is gone, what was written into it is copied to a file beside its name.
        """
        breach = self.words(lost)
        if lost is Lost.TAKEN:
            return f"{breach}: this run submitted nothing more. The other one has what was bought"
        if lost is Lost.LINKED:
            return (
                f"{breach}: nothing more was submitted, and what was bought is written in "
                f"{self._store.path}. Delete the other name (find it with 'find -samefile'), then "
                "run again"
            )
        try:
            copy = self._store.rescue(f"rescued-{now:%Y%m%d-%H%M%S}")
        except (OSError, sqlite3.Error) as error:
            log.exception("the lost database could not be copied")
            return (
                f"{breach}: nothing more was submitted, and what this run bought could not be "
                f"written anywhere ({error}). Use the newest copy of the database with "
                "--adopt-existing, which finds in the account what was paid for"
            )
        return (
            f"{breach}: nothing more was submitted. What this run bought is written in {copy}: "
            f"continue from there with '--db {copy}', not with {self._store.path}, which does not "
            "know of it"
        )
